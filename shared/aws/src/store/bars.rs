use super::heads::{LAST_ID, head_of};
use super::users::Users;
use super::{Item, answer, key, keys, number, wait_before};
use crate::lately::Lately;
use crate::limits::{BARS_BELIEVED, BARS_REMEMBERED, CONFLICT_ATTEMPTS};
use crate::{Failure, Fault, now, telemetry};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use chat::rounds::Head;
use chat::{Bar, BarChange, Bars, RoomId, Timestamp, UserId};
use std::collections::BTreeMap;

const BARRING: &str = "failed to change who is barred";

/// What must hold of a row with bars, for a user `:me` that is to say something at `:second`.
pub(super) const IS_NOT_BARRED: &str = "(attribute_not_exists(muted.#me) OR muted.#me <= :second) \
                                        AND (attribute_not_exists(banned.#me) OR banned.#me <= :second)";

/// Who may not speak in a room, or be in it: `muted` and `banned` in the room's `HEAD`, each a map from users to the second
/// when it ends, and `bars`, how often they were changed.
///
/// They stand where others look anyway, so that nobody pays for them: a send writes `HEAD`, and a join reads it. For an edit
/// there is a copy in `CHANGED`, which that writes; for whoever reads the history, the ban in the user's own row, which is
/// read with every page. A copy is written after `HEAD`, and by its number: an attempt that comes late changes nothing.
#[derive(Clone)]
pub struct RoomBars {
    client: Client,
    table: String,
    users: Users,
    /// Who was looked at, and is free to speak.
    free: Lately<(UserId, RoomId)>,
}

impl RoomBars {
    pub(crate) fn new(client: Client, table: &str, users: Users) -> Self {
        Self { client, table: table.to_owned(), users, free: Lately::new(BARS_BELIEVED, BARS_REMEMBERED) }
    }

    /// Bars a user, or lifts the user's bars. When this is done, nothing that it forbids is begun any more.
    pub async fn change(&self, room: &RoomId, user: &UserId, change: BarChange, now: Timestamp) -> Result<(), Failure> {
        telemetry::room(room);
        let bars = self.change_head(room, user, change, now).await?;
        if bars.number == 0 {
            // Nobody was ever barred here, and nobody is let be.
            return Ok(());
        }
        let of_readers = async {
            match change {
                BarChange::Set(barred) if barred.bar == Bar::Mute => Ok(()),
                BarChange::Set(barred) => self.users.ban(user, room, barred.until, bars.number).await,
                // From now on: what is long over is forgotten.
                BarChange::Lift => self.users.ban(user, room, now, bars.number).await,
            }
        };
        let (of_editors, of_readers) = tokio::join!(self.copy(room, &bars), of_readers);
        of_editors?;
        of_readers?;
        Ok(())
    }

    /// The room's row first: by its number it says which of two moderators was later.
    async fn change_head(
        &self,
        room: &RoomId,
        user: &UserId,
        change: BarChange,
        now: Timestamp,
    ) -> Result<Bars, Failure> {
        for attempt in 0..CONFLICT_ATTEMPTS {
            wait_before(attempt).await;
            let seen = self.head(room).await?.unwrap_or_default().bars;
            if seen.has(user, change) {
                // The SDK repeats a call whose answer was lost.
                return Ok(seen);
            }
            let number_seen = seen.number;
            let next = seen.with(user, change, now)?;
            let request = with_bars(self.update(room, keys::HEAD), &next, ", lastId = if_not_exists(lastId, :zero)");
            let request = request.expression_attribute_values(":zero", number(0));
            let request = match number_seen {
                0 => request.condition_expression("attribute_not_exists(bars)"),
                seen => request.condition_expression("bars = :seen").expression_attribute_values(":seen", number(seen)),
            };
            match answer(request.send()).await {
                Ok(_) => return Ok(next),
                Err(UpdateItemError::ConditionalCheckFailedException(_)) => {}
                Err(error) => return Err(Fault::because(BARRING, error).into()),
            }
        }
        Err(Fault::because(BARRING, "another moderator came before each time").into())
    }

    /// For edits and recalls, unless a later change of the bars did it. An edit's transaction may be on the row.
    async fn copy(&self, room: &RoomId, bars: &Bars) -> Result<(), Fault> {
        for attempt in 0..CONFLICT_ATTEMPTS {
            wait_before(attempt).await;
            let request = with_bars(self.update(room, keys::CHANGED), bars, "");
            let request = request.condition_expression("attribute_not_exists(bars) OR bars < :bars");
            match answer(request.send()).await {
                Ok(_) | Err(UpdateItemError::ConditionalCheckFailedException(_)) => return Ok(()),
                Err(UpdateItemError::TransactionConflictException(_)) => {}
                Err(error) => return Err(Fault::because(BARRING, error)),
            }
        }
        Err(Fault::because(BARRING, "a change of a message was under way each time"))
    }

    /// Lets everybody in a room say something only every so many seconds; 0 ends it.
    pub async fn slow(&self, room: &RoomId, seconds: u64) -> Result<(), Fault> {
        telemetry::room(room);
        let request = self
            .update(room, keys::HEAD)
            .update_expression("SET slow = :slow, lastId = if_not_exists(lastId, :zero)")
            .expression_attribute_values(":slow", number(seconds))
            .expression_attribute_values(":zero", number(0));
        answer(request.send()).await.map(drop).map_err(Fault::doing("failed to slow a room down"))
    }

    /// A room's row, if it has one.
    pub async fn head(&self, room: &RoomId) -> Result<Option<Head>, Fault> {
        let request = self.client.get_item().table_name(&self.table).consistent_read(true);
        let request = request.set_key(Some(key(&keys::room(room), keys::HEAD)));
        let found = answer(request.send()).await.map_err(Fault::doing("failed to look who is barred"))?;
        found.item.filter(|item| item.contains_key(LAST_ID)).map(head_of).transpose()
    }

    /// Whether somebody may be in a room again.
    pub async fn lets_in(&self, user: &UserId, room: &RoomId, now: Timestamp) -> Result<bool, Fault> {
        let banned = self.head(room).await?.is_some_and(|head| head.bars.banned(now).contains(user));
        Ok(!banned)
    }

    /// Refuses somebody who is banned, or who is muted where that keeps out as well, for what writes no row that says so. Who
    /// is free is not looked at again for a while.
    pub async fn admit(&self, user: &UserId, room: &RoomId, keeps_out: Bar) -> Result<(), Failure> {
        let now = now();
        let free = (user.clone(), room.clone());
        if self.free.has(&free) {
            return Ok(());
        }
        match self.head(room).await?.and_then(|head| head.bars.of(user, now)) {
            Some(barred) if barred.bar >= keeps_out => Err(barred.refusal(now).into()),
            Some(_) => Ok(()),
            None => {
                self.free.note(&free);
                Ok(())
            }
        }
    }

    fn update(&self, room: &RoomId, sort: &str) -> UpdateItemFluentBuilder {
        self.client.update_item().table_name(&self.table).set_key(Some(key(&keys::room(room), sort)))
    }
}

fn with_bars(request: UpdateItemFluentBuilder, bars: &Bars, more: &str) -> UpdateItemFluentBuilder {
    let map = |bars: &BTreeMap<UserId, i64>| {
        AttributeValue::M(bars.iter().map(|(user, until)| (user.to_string(), number(until))).collect())
    };
    request
        .update_expression(format!("SET muted = :muted, banned = :banned, bars = :bars{more}"))
        .expression_attribute_values(":muted", map(&bars.muted))
        .expression_attribute_values(":banned", map(&bars.banned))
        .expression_attribute_values(":bars", number(bars.number))
}

/// The bars in a row, if it has any.
pub(super) fn bars_of(item: &Item) -> Bars {
    let whole = |value: &AttributeValue| value.as_n().ok()?.parse().ok();
    let users = |name: &str| {
        let users = item.get(name).and_then(|users| users.as_m().ok()).into_iter().flatten();
        users.filter_map(|(user, until)| Some((UserId::parse(user)?, whole(until)?))).collect()
    };
    let number = item.get("bars").and_then(whole).unwrap_or_default();
    Bars { muted: users("muted"), banned: users("banned"), number: u64::try_from(number).unwrap_or_default() }
}
