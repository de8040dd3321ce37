use super::messages::{emoji_attribute, is_void, message_of};
use super::{answer, key, keys, now_in_seconds, number, wait_before};
use crate::limits::CONFLICT_ATTEMPTS;
use crate::{Failure, Fault, telemetry};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use chat::limits::REACTIONS_PER_MESSAGE_MAX;
use chat::{Message, MessageId, Reaction, Reactions as Given, Rejection, RoomId, UserId};

const REACTING: &str = "failed to store a reaction";

/// What must hold of a message that somebody reacts to: it is there, and says something.
const SAYS_SOMETHING: &str = "attribute_exists(senderId) AND attribute_not_exists(deletedAt) AND attribute_not_exists(eraseTime) \
                              AND (attribute_not_exists(expiresAt) OR expiresAt > :now)";

/// Reactions, in the row of their message: `r#<emoji>` is the set of who put it there, `reacted` how many there are in
/// all, and `reactionVersion` rises with each.
#[derive(Clone)]
pub struct Reactions {
    client: Client,
    table: String,
}

/// What became of a reaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reacted {
    /// All reactions to the message.
    pub reactions: Given,
    /// It was so before.
    pub duplicate: bool,
}

impl Reactions {
    pub(crate) fn new(client: Client, table: &str) -> Self {
        Self { client, table: table.to_owned() }
    }

    /// Puts a user's reaction to a message, or takes it back, by one conditional write. A set holds everybody once, and
    /// the condition keeps the count in step with it, whoever repeats what.
    pub async fn react(
        &self,
        room: &RoomId,
        id: MessageId,
        user: &UserId,
        reaction: &Reaction,
    ) -> Result<Reacted, Failure> {
        telemetry::room(room);
        let (change, step, condition) = if reaction.on {
            ("ADD #emoji :me, reacted :step, reactionVersion :one", 1, "NOT contains(#emoji, :user)")
        } else {
            ("DELETE #emoji :me ADD reacted :step, reactionVersion :one", -1, "contains(#emoji, :user)")
        };
        let has_place = if reaction.on { " AND (attribute_not_exists(reacted) OR reacted < :most)" } else { "" };
        for attempt in 0..CONFLICT_ATTEMPTS {
            wait_before(attempt).await;
            let request = self.client.update_item().table_name(&self.table);
            let request = match reaction.on {
                true => request.expression_attribute_values(":most", number(REACTIONS_PER_MESSAGE_MAX)),
                false => request,
            };
            let request = request
                .set_key(Some(key(&keys::room(room), &keys::message(id))))
                .update_expression(change)
                .condition_expression(format!("{SAYS_SOMETHING} AND {condition}{has_place}"))
                .expression_attribute_names("#emoji", emoji_attribute(&reaction.emoji))
                .expression_attribute_values(":me", AttributeValue::Ss(vec![user.to_string()]))
                .expression_attribute_values(":user", AttributeValue::S(user.to_string()))
                .expression_attribute_values(":step", number(step))
                .expression_attribute_values(":one", number(1))
                .expression_attribute_values(":now", now_in_seconds())
                .return_values(ReturnValue::AllNew)
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
            match answer(request.send()).await {
                Ok(updated) => {
                    let message = message_of(updated.attributes.unwrap_or_default())?;
                    return Ok(Reacted { reactions: message.reactions, duplicate: false });
                }
                Err(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                    let Some(item) = refused.item.filter(|item| !is_void(Some(item))) else {
                        return Err(Rejection::NotFound.into());
                    };
                    let expired = item.get("expiresAt").and_then(|at| at.as_n().ok()).is_some_and(|at| is_over(at));
                    return refused_as(message_of(item)?, expired, user, reaction);
                }
                // A change of the message is being committed.
                Err(UpdateItemError::TransactionConflictException(_)) => {}
                Err(error) => return Err(Fault::because(REACTING, error).into()),
            }
        }
        Err(Fault::because(REACTING, "a change of the message was under way each time").into())
    }
}

fn is_over(seconds: &str) -> bool {
    seconds.parse().is_ok_and(|seconds: i64| seconds <= crate::now().seconds())
}

/// What a reaction is answered that changed nothing.
fn refused_as(message: Message, expired: bool, user: &UserId, reaction: &Reaction) -> Result<Reacted, Failure> {
    if expired || message.deleted_by().is_some() || message.content.erased_at().is_some() {
        return Err(Rejection::NotFound.into());
    }
    let is_there = message.reactions.by_emoji.get(&reaction.emoji).is_some_and(|users| users.contains(user));
    if is_there == reaction.on {
        return Ok(Reacted { reactions: message.reactions, duplicate: true });
    }
    Err(Rejection::TooManyReactions { limit: REACTIONS_PER_MESSAGE_MAX }.into())
}
