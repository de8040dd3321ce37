//! `reactMessage`: put an emoji to what was said, or take it back.

use crate::{Caller, ChangeNumber, Emoji, MessageId, Push, Reactions, Rejection, Reply, Request, RoomId, UserId};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What the client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReactMessage {
    pub room: RoomId,
    pub id: MessageId,
    pub reaction: Reaction,
}

/// An emoji of the caller's, which is there or is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    pub emoji: Emoji,
    pub on: bool,
}

impl ReactMessage {
    /// Reads the request of a caller, who needs a grant for the room.
    pub fn read(request: &Request, caller: &Caller) -> Result<Self, Rejection> {
        let fields = request.fields()?;
        let (room, claimed, id) = (fields.room()?, fields.claimed()?, fields.message_id()?);
        let emoji = fields.required("emoji", "emoji")?;
        let emoji = Emoji::from_json(emoji).map_err(|invalid| invalid.in_field("emoji"))?;
        fields.required("on", "on")?;
        let on = fields.flag("on")?;
        caller.must_be(&claimed)?;
        caller.may_enter(&room)?;
        Ok(Self { room, id, reaction: Reaction { emoji, on } })
    }
}

/// What the client is answered.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReactMessageReply {
    chatroom_id: RoomId,
    id: MessageId,
    #[serde(skip_serializing_if = "Option::is_none")]
    duplicate: Option<bool>,
}

/// What the room's members are pushed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReactMessagePush<'a> {
    chatroom_id: &'a RoomId,
    user_id: &'a UserId,
    id: MessageId,
    emoji: &'a Emoji,
    on: bool,
    reaction_version: ChangeNumber,
    /// All of the message's, and not this one alone: a push may be lost.
    reactions: &'a BTreeMap<Emoji, BTreeSet<UserId>>,
}

impl Reply {
    /// The reaction is there, or is not, as was asked for; a `duplicate` was so before.
    pub fn reacted(room: RoomId, id: MessageId, duplicate: bool) -> Self {
        Self::ReactMessage(ReactMessageReply { chatroom_id: room, id, duplicate: duplicate.then_some(true) })
    }
}

impl<'a> Push<'a> {
    /// Nothing of a message that nobody reacted to yet.
    pub fn reacted(
        room: &'a RoomId,
        user: &'a UserId,
        id: MessageId,
        reaction: &'a Reaction,
        reactions: &'a Reactions,
    ) -> Option<Self> {
        let push = Self::ReactMessage(ReactMessagePush {
            chatroom_id: room,
            user_id: user,
            id,
            emoji: &reaction.emoji,
            on: reaction.on,
            reaction_version: reactions.version,
            reactions: &reactions.by_emoji,
        });
        (reactions.version > ChangeNumber::default()).then_some(push)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::refuses;
    use super::*;
    use serde_json::json;

    #[test]
    fn a_reaction_names_its_message_its_emoji_and_whether_it_is_there() {
        refuses(
            ReactMessage::read,
            &[
                (json!({"chatroomId": 1, "id": 42, "emoji": "👍", "on": true}), ""),
                (json!({"chatroomId": 1, "id": 42, "emoji": "👍", "on": false}), ""),
                (json!({"chatroomId": 1, "emoji": "👍", "on": true}), "badRequest: id is missing"),
                (json!({"chatroomId": 1, "id": 42, "on": true}), "badRequest: emoji is missing"),
                (json!({"chatroomId": 1, "id": 42, "emoji": "a b", "on": true}), "badRequest: emoji must be 1 to 64"),
                (json!({"chatroomId": 1, "id": 42, "emoji": "👍"}), "badRequest: on is missing"),
                (json!({"chatroomId": 1, "id": 42, "emoji": "👍", "on": 1}), "badRequest: on must be a boolean"),
                (json!({"chatroomId": 2, "id": 42, "emoji": "👍", "on": true}), "notAllowed: the token does not grant"),
            ],
        );
    }
}
