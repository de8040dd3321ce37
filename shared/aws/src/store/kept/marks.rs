use super::{KeptRooms, MineRow, SINCE};
use crate::limits::{BATCH_GET_MAX, MARKS_KEPT};
use crate::store::{answer, key, keys, number, read};
use crate::{Failure, Fault, now, telemetry};
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use chat::{KeptRoom, MessageId, ReadMark, Rejection, RoomId, UserId};
use std::collections::HashMap;

const MARKING: &str = "failed to keep how far somebody has read";

impl KeptRooms {
    /// How far each member of a room has read. Who never said so is not in it.
    pub async fn reads(&self, room: &KeptRoom) -> Result<Vec<ReadMark>, Fault> {
        let sort = keys::room(&room.id);
        let members: Vec<_> = room.members.iter().collect();
        let mut reads = Vec::new();
        for some in members.chunks(BATCH_GET_MAX) {
            let wanted = some.iter().map(|user| key(&keys::mine(user), &sort)).collect();
            let users: HashMap<_, _> = some.iter().map(|user| (keys::mine(user), *user)).collect();
            for item in self.batch(wanted, false, "failed to read how far people have read").await? {
                let user = item.get(keys::PARTITION).and_then(|user| users.get(user.as_s().ok()?)).copied();
                let row: MineRow = read(item)?;
                if let Some(user) = user.filter(|_| row.last_read > MessageId::new(0)) {
                    reads.push(ReadMark { user_id: user.clone(), last_read: row.last_read });
                }
            }
        }
        reads.sort_by(|one, other| one.user_id.cmp(&other.user_id));
        Ok(reads)
    }

    /// Keeps how far a user has read. Marks only rise: what is answered is where it stands now. Refused to whoever needs
    /// a right to the room, and has none.
    pub async fn mark(
        &self,
        user: &UserId,
        room: &RoomId,
        id: MessageId,
        needs_right: bool,
    ) -> Result<MessageId, Failure> {
        telemetry::room(room);
        let request = self.client.update_item().table_name(&self.table);
        let request = request
            .set_key(Some(key(&keys::mine(user), &keys::mark(room))))
            .expression_attribute_values(":id", number(id.get()))
            .return_values(ReturnValue::None)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let rises = "(attribute_not_exists(lastRead) OR lastRead < :id)";
        let request = if room.is_kept() {
            let has_right = if needs_right { format!("attribute_exists({SINCE}) AND ") } else { String::new() };
            request.update_expression("SET lastRead = :id").condition_expression(has_right + rises)
        } else {
            // Whoever may enter every room could otherwise leave rows without end.
            request
                .update_expression("SET lastRead = :id, expiresAt = :later")
                .condition_expression(rises)
                .expression_attribute_values(":later", number(now().after(MARKS_KEPT).seconds()))
        };
        match answer(request.send()).await {
            Ok(_) => Ok(id),
            Err(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                let stands: MineRow = read(refused.item.unwrap_or_default())?;
                if needs_right && stands.since.is_none() {
                    return Err(Rejection::RoomNotGranted.into());
                }
                Ok(stands.last_read)
            }
            Err(error) => Err(Fault::because(MARKING, error).into()),
        }
    }

    /// Keeps in the lists of members that a message means them. Who is not in the room is passed over.
    pub async fn mention(&self, user: &UserId, room: &RoomId, id: MessageId) -> Result<(), Fault> {
        let request = self.client.update_item().table_name(&self.table);
        let request = request
            .set_key(Some(key(&keys::mine(user), &keys::room(room))))
            .update_expression("SET mentioned = :id")
            .condition_expression(format!(
                "attribute_exists({SINCE}) AND (attribute_not_exists(mentioned) OR mentioned < :id)"
            ))
            .expression_attribute_values(":id", number(id.get()));
        match answer(request.send()).await {
            Ok(_) | Err(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
            Err(error) => Err(Fault::because("failed to keep a mention", error)),
        }
    }
}
