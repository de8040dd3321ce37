use super::bars::{IS_NOT_BARRED, bars_of};
use super::messages::Messages;
use super::{Item, answer, key, keys, number, read};
use crate::{Fault, telemetry};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::{UpdateItemError, UpdateItemOutput};
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use chat::limits::COUNTS_KEPT;
use chat::rounds::{Courier, Head, InRounds, Lease, Pushed, Rest};
use chat::{Barred, Bars, ChangeNumber, MessageId, RoomId, Timestamp, UserId};
use serde::Deserialize;

/// The attribute that counts a room's messages.
pub(super) const LAST_ID: &str = "lastId";

/// A room's row: what decides how its messages come to its members.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HeadRow {
    pub last_id: MessageId,
    /// When the last messages were counted, in ms, the newest first.
    #[serde(default)]
    t1: i64,
    #[serde(default)]
    t2: i64,
    #[serde(default)]
    t3: i64,
    #[serde(default)]
    t4: i64,
    #[serde(default)]
    t5: i64,
    #[serde(default)]
    t6: i64,
    #[serde(default)]
    t7: i64,
    #[serde(default)]
    t8: i64,
    pushed: Option<MessageId>,
    ceiling: Option<MessageId>,
    courier: Option<u64>,
    lease_until: Option<i64>,
    people: Option<usize>,
    cuts: Option<Vec<String>>,
    changes: Option<ChangeNumber>,
    changed: Option<ChangeNumber>,
    #[serde(default)]
    slow: u64,
}

impl From<HeadRow> for Head {
    fn from(row: HeadRow) -> Self {
        let lease = row.courier.zip(row.lease_until);
        let lease =
            lease.map(|(courier, until)| Lease { courier: Courier(courier), until: Timestamp::from_millis(until) });
        let rounds = row.pushed.zip(row.ceiling).map(|(pushed, ceiling)| InRounds {
            pushed,
            ceiling,
            lease,
            people: row.people.unwrap_or_default(),
            cuts: row.cuts.unwrap_or_default(),
            changes: row.changes,
            changed: row.changed.unwrap_or_default(),
        });
        let counted_at = [row.t1, row.t2, row.t3, row.t4, row.t5, row.t6, row.t7, row.t8];
        Self { last_id: row.last_id, counted_at, rounds, bars: Bars::default(), slow: row.slow }
    }
}

/// Reads a room's row.
pub(super) fn head_of(item: Item) -> Result<Head, Fault> {
    let bars = bars_of(&item);
    Ok(Head { bars, ..read::<HeadRow>(item)?.into() })
}

/// A write of a room's row, and the row: as it is now, or as it was if the condition refused it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    Done(Head),
    /// None if there is no row.
    Refused(Option<Head>),
}

/// What became of a message that was to be counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Counted {
    /// It has the row's `last_id`. Its sender pushes it.
    Direct(Head),
    /// Of this row, it has the `last_id`. The room's courier pushes it.
    InRounds(Head, InRounds),
    /// So much waits for the room's courier that it has none.
    Full(InRounds),
    /// Its sender is muted, or banned.
    Barred(Barred),
}

impl Counted {
    /// The id that was taken.
    pub fn id(&self) -> Option<MessageId> {
        match self {
            Self::Direct(head) | Self::InRounds(head, _) => Some(head.last_id),
            Self::Full(_) | Self::Barred(_) => None,
        }
    }
}

/// The rooms' rows. Each method is one request, and the same as that of [`Head`].
impl Messages {
    /// Takes the room's next id for a user, unless something is against it: a bar, or that too much waits for the room's
    /// courier. An id that is taken and not used stays a hole for ever.
    pub async fn count(&self, room: &RoomId, user: &UserId, now: Timestamp) -> Result<Counted, Fault> {
        telemetry::room(room);
        let shifts = (2..=COUNTS_KEPT).rev().map(|n| format!("t{n} = if_not_exists(t{}, :zero)", n - 1));
        let shifts: Vec<_> = shifts.collect();
        let request = self
            .head(room)
            .update_expression(format!("SET {}, t1 = :now ADD lastId :one", shifts.join(", ")))
            .condition_expression(format!("(attribute_not_exists(ceiling) OR lastId < ceiling) AND {IS_NOT_BARRED}"))
            .expression_attribute_names("#me", user.to_string())
            .expression_attribute_values(":second", number(now.seconds()))
            .expression_attribute_values(":zero", number(0))
            .expression_attribute_values(":now", number(now.millis()))
            .expression_attribute_values(":one", number(1));
        let doing = "failed to count a message";
        match write(request, doing).await? {
            Written::Done(head) => Ok(match head.rounds.clone() {
                Some(rounds) => Counted::InRounds(head, rounds),
                None => Counted::Direct(head),
            }),
            Written::Refused(head) => match (head.as_ref().and_then(|head| head.bars.of(user, now)), head) {
                (Some(barred), _) => Ok(Counted::Barred(barred)),
                (None, Some(Head { rounds: Some(rounds), .. })) => Ok(Counted::Full(rounds)),
                (None, _) => Err(Fault::because(doing, "a room that is not in rounds has a ceiling")),
            },
        }
    }

    /// Goes over into rounds.
    pub async fn enter_rounds(&self, room: &RoomId, carries: u64) -> Result<Written, Fault> {
        let request = self
            .head(room)
            .update_expression("SET pushed = lastId, ceiling = lastId + :carries")
            .condition_expression("attribute_not_exists(pushed)")
            .expression_attribute_values(":carries", number(carries));
        write(request, "failed to let rounds begin").await
    }

    /// Takes the room for a courier, in one attempt: one that is given up may still be carried out, after the room has
    /// come to rest, and its courier has to know of it.
    pub async fn take(
        &self,
        room: &RoomId,
        me: Courier,
        seen: Option<Timestamp>,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Written, Fault> {
        telemetry::room(room);
        let free = "attribute_not_exists(leaseUntil) OR leaseUntil < :now OR courier = :me";
        let seen_free = if seen.is_some() { " OR leaseUntil = :seen" } else { "" };
        let mut request = self
            .head(room)
            .update_expression("SET courier = :me, leaseUntil = :until")
            .condition_expression(format!("attribute_exists(pushed) AND ({free}{seen_free})"))
            .expression_attribute_values(":me", number(me.0))
            .expression_attribute_values(":now", number(now.millis()))
            .expression_attribute_values(":until", number(until.millis()));
        if let Some(seen) = seen {
            request = request.expression_attribute_values(":seen", number(seen.millis()));
        }
        let once = aws_sdk_dynamodb::Config::builder().retry_config(RetryConfig::disabled());
        written(answer(request.customize().config_override(once).send()).await, "failed to take a room")
    }

    /// Notes what a round pushed.
    pub async fn step(&self, room: &RoomId, me: Courier, pushed: &Pushed) -> Result<Written, Fault> {
        let ceiling = if pushed.has_ids() { ", ceiling = lastId + :place" } else { "" };
        let changed = if pushed.changes_up_to.is_some() { ", changed = :changed" } else { "" };
        let cuts = pushed.cuts.iter().cloned().map(AttributeValue::S).collect();
        let mut request = self
            .head(room)
            .update_expression(format!(
                "SET pushed = :pushed, leaseUntil = :until, people = :people, cuts = :cuts{ceiling}{changed}"
            ))
            .condition_expression("courier = :me AND pushed = :after")
            .expression_attribute_values(":me", number(me.0))
            .expression_attribute_values(":pushed", number(pushed.up_to))
            .expression_attribute_values(":after", number(pushed.after))
            .expression_attribute_values(":until", number(pushed.until.millis()))
            .expression_attribute_values(":people", number(pushed.people))
            .expression_attribute_values(":cuts", AttributeValue::L(cuts));
        if pushed.has_ids() {
            request = request.expression_attribute_values(":place", number(pushed.place()));
        }
        if let Some(changed) = pushed.changes_up_to {
            request = request.expression_attribute_values(":changed", number(changed));
        }
        write(request, "failed to note what a round pushed").await
    }

    /// Keeps the room during a round.
    pub async fn renew(&self, room: &RoomId, me: Courier, until: Timestamp) -> Result<Written, Fault> {
        let request = self
            .head(room)
            .update_expression("SET leaseUntil = :until")
            .condition_expression("courier = :me")
            .expression_attribute_values(":me", number(me.0))
            .expression_attribute_values(":until", number(until.millis()));
        write(request, "failed to keep a room").await
    }

    /// Lets the room go, unless something came meanwhile.
    pub async fn rest(
        &self,
        room: &RoomId,
        me: Courier,
        pushed: MessageId,
        changes: Option<ChangeNumber>,
        rest: Rest,
    ) -> Result<Written, Fault> {
        let and_out = match rest {
            Rest::Asleep => "",
            Rest::OverAndOut => ", pushed, ceiling, people, cuts, changes, changed",
        };
        let of_changes = if changes.is_some() { "changes = :changes" } else { "attribute_not_exists(changes)" };
        let mut request = self
            .head(room)
            .update_expression(format!("REMOVE courier, leaseUntil{and_out}"))
            .condition_expression(format!("courier = :me AND lastId = :pushed AND {of_changes}"))
            .expression_attribute_values(":me", number(me.0))
            .expression_attribute_values(":pushed", number(pushed));
        if let Some(changes) = changes {
            request = request.expression_attribute_values(":changes", number(changes));
        }
        write(request, "failed to let a room go").await
    }

    /// Lets the room go whatever came, for the next run to take.
    pub async fn hand_on(&self, room: &RoomId, me: Courier) -> Result<Written, Fault> {
        let request = self
            .head(room)
            .update_expression("REMOVE courier, leaseUntil")
            .condition_expression("courier = :me")
            .expression_attribute_values(":me", number(me.0));
        write(request, "failed to hand a room on").await
    }

    /// Asks the room's courier to push a change that is stored.
    pub async fn knock(&self, room: &RoomId, change: ChangeNumber) -> Result<Written, Fault> {
        let request = self
            .head(room)
            .update_expression("SET changes = :change, changed = if_not_exists(changed, :before)")
            .condition_expression("attribute_exists(pushed) AND (attribute_not_exists(changes) OR changes < :change)")
            .expression_attribute_values(":change", number(change))
            .expression_attribute_values(":before", number(change.previous()));
        write(request, "failed to tell a room's courier of a change").await
    }

    pub(super) fn head(&self, room: &RoomId) -> UpdateItemFluentBuilder {
        let key = key(&keys::room(room), keys::HEAD);
        self.client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }
}

async fn write(request: UpdateItemFluentBuilder, doing: &'static str) -> Result<Written, Fault> {
    written(answer(request.send()).await, doing)
}

fn written(answer: Result<UpdateItemOutput, UpdateItemError>, doing: &'static str) -> Result<Written, Fault> {
    let head = head_of;
    match answer {
        Ok(written) => head(written.attributes.unwrap_or_default()).map(Written::Done),
        Err(UpdateItemError::ConditionalCheckFailedException(refused)) => {
            refused.item.filter(|item| item.contains_key(LAST_ID)).map(head).transpose().map(Written::Refused)
        }
        Err(error) => Err(Fault::because(doing, error)),
    }
}
