//! `erase-user`: empty what a user wrote, and forget who the user was.

use crate::disconnect_user::{known, missing, parse};
use crate::limits::{
    MESSAGES_PER_UNIT, ON_THE_WAY, PROGRESS, READ_UNITS_PRICE, ROWS_PER_STEP, UNIT_BYTES, UNITS_PER_SECOND,
    WRITE_UNITS_PRICE, WRITES_IN_FLIGHT,
};
use crate::pace::Pace;
use crate::target::Target;
use crate::{done, told};
use anyhow::{Context, Result, anyhow, ensure};
use chat::{RoomId, Timestamp, UserId};
use chat_aws::{Aws, Erasure, Fault, Position, SEND_TIMEOUT_SECONDS, Sessions, Tables, Users, Vars, Where};
use clap::Args;
use futures_util::future::try_join_all;
use std::num::NonZeroU32;
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use url::form_urlencoded;

/// Shuts a user out, and erases the profile, the memberships and the texts that the user sent
///
/// Without --yes it only says what it would do, and what that costs. A message keeps its id, its time and its sender's
/// id; its content is empty from then on. What was done is done: it can be repeated, and goes on after an interruption.
#[derive(Debug, Args)]
pub struct EraseUser {
    /// Who it is: a number or a string
    user: String,
    /// Does it
    #[arg(long)]
    yes: bool,
    /// Looks in this room only, which is much cheaper; may be given several times
    #[arg(long = "room", value_name = "ROOM")]
    rooms: Vec<String>,
    /// Reads and writes so many capacity units a second at most
    #[arg(long, value_name = "UNITS", default_value_t = NonZeroU32::new(UNITS_PER_SECOND).unwrap_or(NonZeroU32::MIN))]
    units_per_second: NonZeroU32,
    /// Goes on where an interrupted run said it was, with the same rooms
    #[arg(long, value_name = "PLACE", value_parser = place)]
    after: Option<Position>,
    /// Erases somebody who was never seen here, too
    #[arg(long)]
    unseen: bool,
}

struct Parts {
    tables: Tables,
    users: Users,
    sessions: Sessions,
    erasure: Erasure,
}

impl Parts {
    fn new(vars: &Vars) -> Result<Self, Fault> {
        let aws = Aws::new(vars)?;
        let (tables, users) = (aws.tables()?, aws.users()?);
        Ok(Self { tables, users, sessions: aws.sessions()?, erasure: aws.erasure()? })
    }
}

/// How far it is.
#[derive(Default)]
struct Progress {
    rows: usize,
    emptied: usize,
    /// Everything up to here is done.
    at: Option<Position>,
}

impl EraseUser {
    pub async fn run(self, target: &Target) -> Result<ExitCode> {
        let (user, vars) = (parse(&self.user)?, target.vars().await?);
        let room = |id: &String| RoomId::parse(id).with_context(|| format!("{id:?} is no room's id"));
        let rooms: Vec<_> = self.rooms.iter().map(room).collect::<Result<_>>()?;
        let is_in_one = |at: &Position| rooms.is_empty() || rooms.iter().any(|room| at.is_in(room));
        ensure!(self.after.as_ref().is_none_or(is_in_one), "--after is a place in none of these rooms");
        let parts = Parts::new(&vars).map_err(told)?;
        parts.tables.recognise().await.map_err(told)?;
        known(parts.users.look(&user).await.map_err(told)?.0, self.unseen, &self.user)?;

        self.tell(&parts, &user, &rooms).await?;
        if !self.yes {
            println!("nothing was done; --yes does it");
            return done();
        }
        // First of all, so that nothing new is written meanwhile.
        let ended = parts.sessions.end_all(&user).await.map_err(told)?;
        println!("shut out: connections ended: {}", ended.connections);
        if ended.connections == 0 && ended.missing > 0 {
            eprintln!("{}", missing(&ended));
        }
        let now = parts.tables.time().await.map_err(told)?;
        parts.erasure.profile(&user, now).await.map_err(told)?;
        println!("profile: emptied");

        let mut progress = Progress { at: self.after.clone(), ..Progress::default() };
        let erased = tokio::select! {
            erased = self.erase(&parts, &user, &rooms, &mut progress) => erased,
            _ = tokio::signal::ctrl_c() => Err(anyhow!("interrupted")),
        };
        println!("messages: {} emptied, in {} rows", progress.emptied, progress.rows);
        erased.with_context(|| format!("not done; {}", progress.goes_on()))?;
        println!("user {user} is erased. Backups keep what was there: see ops/README.md");
        done()
    }

    /// Says what will be done, before anything is.
    async fn tell(&self, parts: &Parts, user: &UserId, rooms: &[RoomId]) -> Result<()> {
        let devices = parts.users.devices(user).await.map_err(told)?.len();
        println!("user {user}:");
        println!(
            "- is shut out: {devices} connections are known; no token that was issued until a minute from then connects"
        );
        println!("- the profile is emptied: the id stays, and that its tokens are revoked");
        println!("- rows of memberships that are left are removed");
        let (what, units) = if rooms.is_empty() {
            let size = parts.erasure.size().await.map_err(told)?;
            (
                format!("the whole chat table is read, {} rows at DynamoDB's last count", size.rows),
                size.bytes / UNIT_BYTES,
            )
        } else {
            let mut messages = 0;
            for room in rooms {
                messages += parts.erasure.last_id(room).await.map_err(told)?;
            }
            (format!("{} rooms are read, {messages} messages at most", rooms.len()), messages / MESSAGES_PER_UNIT)
        };
        let units = units + 1;
        let seconds = units / u64::from(self.units_per_second.get());
        println!(
            "- {what}: about {units} read units, ${:.2}, {} min",
            price(units, READ_UNITS_PRICE),
            seconds / 60 + 1
        );
        println!(
            "- each message of the user is emptied: a write unit for each kilobyte, ${WRITE_UNITS_PRICE} a million"
        );
        Ok(())
    }

    async fn erase(&self, parts: &Parts, user: &UserId, rooms: &[RoomId], progress: &mut Progress) -> Result<()> {
        // A send that was under way when its connection ended is stored by then, and `$disconnect` has told the rooms
        // who left.
        sleep(Duration::from_secs(SEND_TIMEOUT_SECONDS) + ON_THE_WAY).await;
        let now = parts.tables.time().await.map_err(told)?;
        let mut pace = Pace::new(self.units_per_second.get());
        let removed = remove_memberships(parts, user, now, &mut pace).await?;
        println!("memberships: {removed} rows removed");
        if rooms.is_empty() {
            return empty(parts, user, Where::Everywhere, now, &mut pace, progress).await;
        }
        let begin =
            progress.at.as_ref().and_then(|at| rooms.iter().position(|room| at.is_in(room))).unwrap_or_default();
        for (number, room) in rooms.iter().enumerate().skip(begin) {
            if number > begin {
                progress.at = Some(Position::before(room));
            }
            empty(parts, user, Where::Room(room), now, &mut pace, progress).await?;
        }
        Ok(())
    }
}

impl Progress {
    fn goes_on(&self) -> String {
        match &self.at {
            Some(at) => format!("the same command goes on with --after '{}'", written(at)),
            None => "the same command begins anew".into(),
        }
    }
}

/// Removes what is left in the table of connections: of those that ended, `$disconnect` has done it.
async fn remove_memberships(parts: &Parts, user: &UserId, until: Timestamp, pace: &mut Pace) -> Result<usize> {
    let (mut removed, mut from) = (0, None);
    loop {
        pace.turn().await;
        let step = parts.erasure.memberships(user, until, from.as_ref(), ROWS_PER_STEP).await.map_err(told)?;
        pace.take(step.units);
        for at in &step.found {
            pace.turn().await;
            pace.take(parts.erasure.remove_membership(user, until, at).await.map_err(told)?);
            removed += 1;
        }
        from = step.next;
        if from.is_none() {
            return Ok(removed);
        }
    }
}

/// Goes through a room, or the table, step by step, and empties what it finds.
async fn empty(
    parts: &Parts,
    user: &UserId,
    place: Where<'_>,
    now: Timestamp,
    pace: &mut Pace,
    progress: &mut Progress,
) -> Result<()> {
    let mut said = Instant::now();
    loop {
        pace.turn().await;
        let step = parts.erasure.messages(user, place, progress.at.as_ref(), ROWS_PER_STEP).await.map_err(told)?;
        pace.take(step.units);
        progress.rows += step.rows;
        for some in step.found.chunks(WRITES_IN_FLIGHT) {
            pace.turn().await;
            let emptied = some.iter().map(|at| parts.erasure.empty(user, at, now));
            for (was_there, units) in try_join_all(emptied).await.map_err(told)? {
                progress.emptied += usize::from(was_there);
                pace.take(units);
            }
        }
        let Some(next) = step.next else { return Ok(()) };
        progress.at = Some(next);
        // For whoever has no chance to say it later: a process that is killed.
        if said.elapsed() > PROGRESS {
            eprintln!(
                "{} rows, {} messages emptied; if it is ended now, {}",
                progress.rows,
                progress.emptied,
                progress.goes_on()
            );
            said = Instant::now();
        }
    }
}

fn price(units: u64, per_million: f64) -> f64 {
    units as f64 / 1_000_000.0 * per_million
}

/// A place as it is typed: in an alphabet that no shell reads anything into.
fn written(at: &Position) -> String {
    form_urlencoded::Serializer::new(String::new()).append_pair(&at.partition, &at.sort).finish()
}

fn place(text: &str) -> Result<Position, String> {
    let mut pairs = form_urlencoded::parse(text.as_bytes());
    match (pairs.next(), pairs.next()) {
        (Some((partition, sort)), None) if !partition.is_empty() && !sort.is_empty() => {
            Ok(Position { partition: partition.into(), sort: sort.into() })
        }
        _ => Err("it is no place that a run said".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        for partition in ["ROOM#1", "ROOM#a room=with & 'all' \"that\"", "ROOM#光", "USER#7"] {
            let at = Position { partition: partition.into(), sort: "MSG#0000000000000042".into() };
            let typed = written(&at);
            assert!(!typed.contains([' ', '\'', '"', '&', '$', '`']), "{typed}");
            assert_eq!(place(&typed), Ok(at));
        }
        assert!(place("").is_err() && place("ROOM").is_err() && place("a=b&c=d").is_err());
    }
}
