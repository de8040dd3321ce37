//! `/chatroom/*`: rooms that are kept, in the course's shapes. What asks reads a query string; what writes takes a body as
//! well.

use crate::kept::group_name;
use crate::limits::{LISTED_MEMBERS_MAX, PREVIEW_CHARS_MAX};
use crate::wire::{Invalid, Params};
use crate::{
    Caller, ClientMessageId, KeptKind, KeptRoom, Message, MessageId, Profile, Push, Rejection, RoomId, Timestamp,
    UserId,
};
use serde::Serialize;
use std::cmp::Reverse;

/// `create-one-to-one?friendId=`: the room of two people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatePair {
    pub friend: UserId,
}

impl CreatePair {
    pub fn read(params: &Params, caller: &Caller) -> Result<Self, Rejection> {
        let friend = user(params, "friendId")?;
        caller.may_keep_rooms()?;
        if friend == *caller.user() {
            return Err(Invalid::expected("another user").in_field("friendId"));
        }
        Ok(Self { friend })
    }
}

/// `create-group?name=[&clientRoomId=]`: a group of the caller's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateGroup {
    pub name: String,
    /// The caller's own name for it, the same on every retry.
    pub client_room_id: Option<ClientMessageId>,
}

impl CreateGroup {
    pub fn read(params: &Params, caller: &Caller) -> Result<Self, Rejection> {
        let fields = params.fields();
        let name = group_name(fields.string("name", "name")?).map_err(|invalid| invalid.in_field("name"))?;
        let client_room_id = fields.optional("clientRoomId", ClientMessageId::from_json)?;
        caller.may_keep_rooms()?;
        Ok(Self { name, client_room_id })
    }
}

/// `join/:id?joinUserId=` and `quit/:id?quitUserId=`: somebody enters a group, or leaves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeMembers {
    pub room: RoomId,
    pub user: UserId,
}

impl ChangeMembers {
    /// Somebody is taken in: by a member, and never by oneself.
    pub fn read_join(params: &Params, caller: &Caller) -> Result<Self, Rejection> {
        let user = user(params, "joinUserId")?;
        Ok(Self { room: group(params, caller)?, user })
    }

    /// The caller leaves, or its owner takes somebody out.
    pub fn read_quit(params: &Params, caller: &Caller) -> Result<Self, Rejection> {
        let user = params.fields().optional("quitUserId", UserId::from_json)?;
        Ok(Self { room: group(params, caller)?, user: user.unwrap_or_else(|| caller.user().clone()) })
    }
}

/// `info/:id`, `members?chatroomId=` and `reads?chatroomId=`: one room is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShowRoom {
    pub room: RoomId,
}

impl ShowRoom {
    pub fn read(params: &Params, caller: &Caller) -> Result<Self, Rejection> {
        Ok(Self { room: kept(params, caller)?.0 })
    }

    /// None for an id that no room can have: the course's page asks for the members of room -1.
    pub fn read_members(params: &Params, caller: &Caller) -> Result<Option<Self>, Rejection> {
        match params.room() {
            Ok(room) if room.is_kept() => Self::read(params, caller).map(Some),
            Ok(_) => caller.may_keep_rooms().map(|()| None),
            Err(missing) => Err(missing),
        }
    }
}

/// `findChatroom?userId1=&userId2=`: whether two people, of whom the caller is one, have a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindPair {
    pub room: RoomId,
}

impl FindPair {
    pub fn read(params: &Params, caller: &Caller) -> Result<Self, Rejection> {
        let (one, other) = (user(params, "userId1")?, user(params, "userId2")?);
        caller.may_keep_rooms()?;
        if ![&one, &other].contains(&caller.user()) {
            return Err(Rejection::NotCaller { field: "userId1" });
        }
        Ok(Self { room: RoomId::of_pair(&one, &other) })
    }
}

/// `list[?name=]`: the caller's rooms, or those whose name has this in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListRooms {
    pub name: Option<String>,
}

impl ListRooms {
    pub fn read(params: &Params, caller: &Caller) -> Result<Self, Rejection> {
        let name = params.fields().get("name").and_then(|name| name.as_str());
        caller.may_keep_rooms()?;
        Ok(Self { name: name.map(str::to_lowercase).filter(|name| !name.is_empty()) })
    }

    /// What is listed: what was active last comes first.
    pub fn list(&self, rooms: Vec<ListedRoom>) -> Vec<ListedRoom> {
        let is_meant =
            |room: &ListedRoom| self.name.as_ref().is_none_or(|name| room.name.to_lowercase().contains(name));
        let mut rooms: Vec<_> = rooms.into_iter().filter(is_meant).collect();
        rooms.sort_by_key(|room| Reverse(room.active()));
        rooms
    }
}

fn user(params: &Params, field: &'static str) -> Result<UserId, Rejection> {
    let value = params.fields().required(field, field)?;
    UserId::from_json(value).map_err(|invalid| invalid.in_field(field))
}

/// Another's room is refused as one is that is not there, and as an id is that no kept room has.
fn kept(params: &Params, caller: &Caller) -> Result<(RoomId, KeptKind), Rejection> {
    let room = params.room()?;
    caller.may_keep_rooms()?;
    let kind = room.kept().ok_or(Rejection::RoomNotGranted)?;
    Ok((room, kind))
}

fn group(params: &Params, caller: &Caller) -> Result<RoomId, Rejection> {
    match kept(params, caller)? {
        (room, KeptKind::Group) => Ok(room),
        (_, KeptKind::Pair) => Err(Rejection::PairIsClosed),
    }
}

/// A room in the caller's list.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedRoom {
    id: RoomId,
    name: String,
    /// Whether it is a group, and not a pair.
    #[serde(rename = "type")]
    is_group: bool,
    create_time: Timestamp,
    user_count: usize,
    user_ids: Vec<UserId>,
    unread: u64,
    last_read: MessageId,
    mentioned: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_message: Option<LastMessage>,
}

/// What was said last in a room.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LastMessage {
    id: MessageId,
    #[serde(rename = "type")]
    kind: u8,
    content: String,
    sender_id: UserId,
    create_time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted: Option<bool>,
}

/// How far the caller has read in a room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mark {
    pub last_read: MessageId,
    /// The last message that means the caller.
    pub mentioned: MessageId,
}

impl ListedRoom {
    /// A pair is called after the other one. `unread` is a difference of two ids: never too low, and too high by ids that
    /// nobody used and by what was recalled.
    pub fn new(
        room: KeptRoom,
        mark: Mark,
        last_id: MessageId,
        last: Option<&Message>,
        other: Option<&Profile>,
    ) -> Self {
        let user_count = room.members.len();
        Self {
            id: room.id,
            name: other.map_or(room.name, |other| other.nick_name.clone()),
            is_group: room.kind == KeptKind::Group,
            create_time: room.create_time,
            user_count,
            user_ids: room.members.into_iter().take(LISTED_MEMBERS_MAX).collect(),
            unread: last_id.get().saturating_sub(mark.last_read.get()),
            last_read: mark.last_read,
            mentioned: mark.mentioned > mark.last_read,
            last_message: last.map(LastMessage::new),
        }
    }

    fn active(&self) -> Timestamp {
        self.last_message.as_ref().map_or(self.create_time, |last| last.create_time)
    }
}

impl LastMessage {
    fn new(message: &Message) -> Self {
        Self {
            id: message.id,
            kind: message.content.kind().number(),
            content: match message.content.attachment() {
                // An address would be over before the list is old.
                Some(file) => file.name().to_owned(),
                None => message.content.text().chars().take(PREVIEW_CHARS_MAX).collect(),
            },
            sender_id: message.sender.clone(),
            create_time: message.create_time,
            deleted: message.deleted_by().map(|_| true),
        }
    }
}

/// A room and who is in it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomInfo {
    id: RoomId,
    name: String,
    /// Whether it is a group, and not a pair.
    #[serde(rename = "type")]
    is_group: bool,
    create_time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<UserId>,
    users: Vec<Profile>,
}

impl RoomInfo {
    /// As one of its members sees it.
    pub fn new(room: KeptRoom, me: &UserId, users: Vec<Profile>) -> Self {
        let other = room.other(me).and_then(|other| users.iter().find(|user| user.id == *other));
        Self {
            name: other.map_or_else(|| room.name.clone(), |other| other.nick_name.clone()),
            is_group: room.kind == KeptKind::Group,
            owner: room.owner.filter(|owner| room.members.contains(owner)),
            id: room.id,
            create_time: room.create_time,
            users,
        }
    }
}

/// How far a member has read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadMark {
    pub user_id: UserId,
    pub last_read: MessageId,
}

/// What the connections of somebody are pushed who was taken into a room.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomAddedPush<'a> {
    chatroom_id: &'a RoomId,
    /// By whom.
    user_id: &'a UserId,
}

impl<'a> Push<'a> {
    pub fn room_added(room: &'a RoomId, by: &'a UserId) -> Self {
        Self::RoomAdded(RoomAddedPush { chatroom_id: room, user_id: by })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{caller, text};
    use super::*;
    use crate::{Access, Content, Grant, MessageKind, Reactions};
    use serde_json::json;

    const GROUP: &str = "g-AAAAAAAAAAAAAAAAAAAAAA";

    fn params(query: &str) -> Params {
        Params::of_query(query).expect("a query")
    }

    fn said<T>(read: Result<T, Rejection>) -> String {
        read.err().map(|rejection| format!("{}: {rejection}", rejection.code())).unwrap_or_default()
    }

    #[test]
    fn what_is_wrong_is_named() {
        let caller = caller();
        assert_eq!(said(CreatePair::read(&params(""), &caller)), "badRequest: friendId is missing");
        assert_eq!(said(CreatePair::read(&params("friendId=1"), &caller)), "badRequest: friendId must be another user");
        assert_eq!(said(CreatePair::read(&params("friendId=2"), &caller)), "");
        let name = "badRequest: name must be 1 to 64 characters that can be seen";
        for named in ["name=%20", "name=%E2%80%8B", &format!("name={}", "x".repeat(65))] {
            assert_eq!(said(CreateGroup::read(&params(named), &caller)), name, "{named}");
        }
        let group = CreateGroup::read(&params("name=a%0Ab&clientRoomId=r-1"), &caller).expect("a group");
        assert_eq!((group.name.as_str(), group.client_room_id.is_some()), ("a b", true));
        assert!(
            said(CreateGroup::read(&params("name=a&clientRoomId=r%201"), &caller))
                .starts_with("badRequest: clientRoomId")
        );
        let there = |query: &str, id: &str| params(query).in_room(id).expect("a room");
        assert_eq!(said(ChangeMembers::read_join(&there("", GROUP), &caller)), "badRequest: joinUserId is missing");
        let closed = "badRequest: a pair takes nobody in, and lets nobody out";
        let pair = RoomId::of_pair(caller.user(), &UserId::parse("2").expect("an id")).to_string();
        assert_eq!(said(ChangeMembers::read_join(&there("joinUserId=3", &pair), &caller)), closed);
        assert_eq!(said(ChangeMembers::read_quit(&there("", &pair), &caller)), closed);
        let not_mine = "notAllowed: the token does not grant the room in chatroomId";
        assert_eq!(said(ChangeMembers::read_quit(&there("", "lobby"), &caller)), not_mine);
        assert_eq!(said(ShowRoom::read(&there("", "1"), &caller)), not_mine);
        let left = ChangeMembers::read_quit(&there("", GROUP), &caller).expect("it may");
        assert_eq!(left.user, *caller.user());
        assert_eq!(said(FindPair::read(&params("userId1=2&userId2=3"), &caller)).split(':').next(), Some("notAllowed"));
        assert_eq!(FindPair::read(&params("userId1=2&userId2=1"), &caller).expect("its own").room.to_string(), pair);
    }

    #[test]
    fn the_courses_question_for_nobodys_room_is_answered() {
        let read = |id: &str| ShowRoom::read_members(&params(&format!("chatroomId={id}")), &caller());
        assert_eq!(read("-1"), Ok(None));
        assert_eq!(read(GROUP).expect("kept").map(|shown| shown.room.to_string()), Some(GROUP.to_owned()));
        assert_eq!(said(ShowRoom::read_members(&params(""), &caller())), "badRequest: chatroomId is missing");
    }

    #[test]
    fn a_token_without_the_grant_keeps_no_rooms() {
        let caller = Caller { rooms: Access::from(Grant::All), ..caller() };
        let refused = "notAllowed: the token does not grant kept rooms: its rooms lack \"@mine\"";
        for said in [
            said(CreatePair::read(&params("friendId=2"), &caller)),
            said(CreateGroup::read(&params("name=a"), &caller)),
            said(ListRooms::read(&params(""), &caller)),
            said(FindPair::read(&params("userId1=1&userId2=2"), &caller)),
            said(ShowRoom::read(&params(&format!("chatroomId={GROUP}")), &caller)),
            said(ShowRoom::read_members(&params("chatroomId=-1"), &caller)),
            said(ChangeMembers::read_quit(&params("").in_room(GROUP).expect("a room"), &caller)),
        ] {
            assert_eq!(said, refused);
        }
    }

    #[test]
    fn a_list_begins_with_what_was_active_last_and_knows_what_is_unread() {
        let (me, dong) = (UserId::parse("1").expect("an id"), UserId::parse("2").expect("an id"));
        let at = Timestamp::from_millis;
        let room = |letter: u8, name: &str, created| {
            KeptRoom::group(RoomId::of_group([letter; 16]), name.into(), &me, at(created))
        };
        let message = Message {
            id: MessageId::new(42),
            room: RoomId::of_group([0; 16]),
            sender: dong.clone(),
            content: Content::parse(MessageKind::Text, &"光".repeat(300)).expect("content"),
            create_time: at(3_000),
            client_message_id: None,
            changed: None,
            reactions: Reactions::default(),
        };
        let mark = Mark { last_read: MessageId::new(39), mentioned: MessageId::new(40) };
        let busy = ListedRoom::new(room(0, "Team", 1_000), mark, message.id, Some(&message), None);
        let quiet = ListedRoom::new(room(1, "Teatime", 2_000), Mark::default(), MessageId::new(0), None, None);
        let named = Profile { nick_name: "东".into(), ..Profile::unknown(dong.clone()) };
        let pair = ListedRoom::new(
            KeptRoom::pair(&me, &dong, at(4_000)),
            Mark::default(),
            MessageId::new(0),
            None,
            Some(&named),
        );
        let all = ListRooms { name: None }.list(vec![quiet.clone(), busy.clone(), pair.clone()]);
        assert_eq!(all.iter().map(|room| room.name.as_str()).collect::<Vec<_>>(), ["东", "Team", "Teatime"]);
        let found = ListRooms::read(&params("name=TEA"), &caller()).expect("it may").list(all);
        assert_eq!(found, [busy.clone(), quiet]);

        let shown: serde_json::Value = serde_json::from_str(&text(&busy)).expect("JSON");
        let expected = json!({"id": GROUP, "name": "Team", "type": true, "createTime": "1970-01-01T00:00:01.000Z", "userCount": 1,
            "userIds": [1], "unread": 3, "lastRead": 39, "mentioned": true, "lastMessage": {"id": 42, "type": 0,
            "content": "光".repeat(200), "senderId": 2, "createTime": "1970-01-01T00:00:03.000Z"}});
        assert_eq!(shown, expected);
        assert!(!text(&pair).contains("lastMessage"));
        let read = Mark { last_read: MessageId::new(50), mentioned: MessageId::new(40) };
        let read = ListedRoom::new(room(0, "Team", 0), read, message.id, None, None);
        assert_eq!((read.unread, read.mentioned), (0, false), "a mark may be ahead of what this read saw");
    }

    #[test]
    fn an_owner_who_left_is_shown_no_more() {
        let (me, dong) = (UserId::parse("1").expect("an id"), UserId::parse("2").expect("an id"));
        let mut room = KeptRoom::group(RoomId::of_group([0; 16]), "Team".into(), &me, Timestamp::from_millis(0));
        let info = |room: &KeptRoom| text(RoomInfo::new(room.clone(), &dong, vec![Profile::unknown(dong.clone())]));
        assert!(info(&room).contains(r#""owner":1"#));
        room.members = [dong.clone()].into();
        assert!(!info(&room).contains("owner"));
        let pair = KeptRoom::pair(&me, &dong, Timestamp::from_millis(0));
        let info = text(RoomInfo::new(pair, &dong, vec![Profile { nick_name: "光".into(), ..Profile::unknown(me) }]));
        assert!(info.contains(r#""name":"光","type":false"#), "{info}");
    }
}
