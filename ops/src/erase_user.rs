//! `erase-user`: empty what a user wrote, and forget who the user was.

use crate::account::Account;
use crate::disconnect_user::{known, missing, parse};
use crate::export_room::has_messages;
use crate::limits::{
    MESSAGES_PER_UNIT, ON_THE_WAY, PROGRESS, READ_UNITS_PRICE, ROWS_PER_STEP, UNIT_BYTES, UNITS_PER_SECOND,
    WRITE_UNITS_PRICE, WRITES_IN_FLIGHT,
};
use crate::pace::Pace;
use crate::target::Target;
use crate::{done, told};
use anyhow::{Context, Result, anyhow, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chat::{Attachment, Device, FILES_PREFIX, RoomId, Timestamp, UserId};
use chat_aws::{
    Aws, CONNECTION_LIFETIME, Erasure, Fault, Messages, Position, SEND_TIMEOUT_SECONDS, Sessions, Tables, Users, Vars,
    Where,
};
use clap::Args;
use futures_util::future::try_join_all;
use serde_json::json;
use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};
use std::num::NonZeroU32;
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Shuts a user out, and erases the profile, the memberships, the texts and the files that the user sent
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
    #[arg(long, value_name = "PLACE", value_parser = Way::typed)]
    after: Option<Way>,
    /// Erases somebody who was never seen here, too
    #[arg(long)]
    unseen: bool,
}

struct Parts {
    tables: Tables,
    messages: Messages,
    users: Users,
    sessions: Sessions,
    erasure: Erasure,
    files: Files,
}

impl Parts {
    fn new(vars: &Vars) -> Result<Self> {
        let of_stores = || -> Result<_, Fault> {
            let aws = Aws::new(vars)?;
            Ok((aws.tables()?, aws.messages()?, aws.users()?, aws.sessions()?, aws.erasure()?))
        };
        let (tables, messages, users, sessions, erasure) = of_stores().map_err(told)?;
        let bucket = vars.required("FILES_BUCKET").map_err(told)?.to_owned();
        let files = Files { account: Account::new(vars)?, bucket };
        Ok(Self { tables, messages, users, sessions, erasure, files })
    }
}

/// What messages carry.
struct Files {
    account: Account,
    bucket: String,
}

impl Files {
    /// Deletes those of a user: in some rooms, or wherever they are. Also such that no message carries. How many there
    /// were.
    async fn delete(&self, user: &UserId, rooms: &[RoomId]) -> Result<usize> {
        let mut deleted = 0;
        let folders: Vec<_> = rooms.iter().map(|room| Attachment::folder(room, user)).collect();
        let folders = if rooms.is_empty() { vec![FILES_PREFIX.to_owned()] } else { folders };
        for folder in folders {
            let mut after: Option<String> = None;
            loop {
                let (keys, more) = self.account.keys(&self.bucket, &folder, after.as_deref()).await?;
                let theirs: Vec<_> = keys.iter().filter(|key| Attachment::is_of(key, user)).collect();
                for some in theirs.chunks(WRITES_IN_FLIGHT) {
                    try_join_all(some.iter().map(|key| self.account.delete(&self.bucket, key))).await?;
                }
                deleted += theirs.len();
                after = keys.last().cloned();
                if !more {
                    break;
                }
            }
        }
        Ok(deleted)
    }
}

/// An erasure, and a place on its way: everything up to there is done.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Way {
    user: UserId,
    /// In an order of their own, each once; none are all.
    rooms: Vec<RoomId>,
    chat_table: String,
    at: Option<Position>,
}

/// How far it is.
struct Progress {
    rows: usize,
    emptied: usize,
    way: Way,
}

impl EraseUser {
    pub async fn run(self, target: &Target) -> Result<ExitCode> {
        let (user, vars) = (parse(&self.user)?, target.vars().await?);
        let room = |id: &String| RoomId::parse(id).with_context(|| format!("{id:?} is no room's id"));
        let rooms: Vec<_> = self.rooms.iter().map(room).collect::<Result<BTreeSet<_>>>()?.into_iter().collect();
        let chat_table = vars.required("CHAT_TABLE").map_err(told)?.to_owned();
        let mut way = Way { user: user.clone(), rooms, chat_table, at: None };
        if let Some(after) = &self.after {
            way.at = after.at.clone();
            ensure!(way == *after, "--after is of another erasure: {after}");
        }
        let parts = Parts::new(&vars)?;
        parts.tables.recognise().await.map_err(told)?;
        known(parts.users.look(&user).await.map_err(told)?.0, self.unseen, &self.user)?;
        for room in &way.rooms {
            let is_spoken_in = has_messages(&parts.messages, room).await?;
            ensure!(is_spoken_in, "room {room} has no messages, and nothing was done");
        }

        println!("user {user}, in the chat table {}{}:", way.chat_table, target.of_stack(&vars));
        self.tell(&parts, &way).await?;
        if !self.yes {
            println!("nothing was done; --yes does it");
            return done();
        }
        // First of all, so that nothing new is written meanwhile.
        let ended = parts.sessions.end_all(&user).await.map_err(told)?;
        println!("shut out: connections ended: {}", ended.connections);
        let now = parts.tables.time().await.map_err(told)?;
        let left = parts.users.devices(&user).await.map_err(told)?;
        // API Gateway has cut those that are older.
        let may_be_open = |device: &Device| device.connected_at.after(CONNECTION_LIFETIME) >= now;
        let is_elsewhere = ended.connections == 0 && ended.missing > 0 && left.iter().any(may_be_open);
        if is_elsewhere {
            eprintln!("{}", missing(&ended));
        }
        parts.erasure.profile(&user, now).await.map_err(told)?;
        println!("profile: emptied");

        let mut progress = Progress { rows: 0, emptied: 0, way };
        let erased = tokio::select! {
            erased = self.erase(&parts, &user, &mut progress) => erased,
            _ = tokio::signal::ctrl_c() => Err(anyhow!("interrupted")),
        };
        println!("messages: {} emptied, in {} rows", progress.emptied, progress.rows);
        erased.with_context(|| format!("not done; {}", progress.goes_on()))?;
        println!("files: {} deleted", parts.files.delete(&user, &progress.way.rooms).await?);
        // Another run finds by them what this one could not end.
        ensure!(!is_elsewhere, "{}. All else is done; with the right one the same command ends them", missing(&ended));
        parts.users.forget(&user, &left).await.map_err(told)?;
        let what = if progress.way.rooms.is_empty() {
            format!("user {user} is erased")
        } else {
            format!("messages and files of user {user} in these rooms are erased; those in other rooms are not")
        };
        println!("{what}. Backups keep what was there: see ops/README.md");
        done()
    }

    /// Says what will be done, before anything is.
    async fn tell(&self, parts: &Parts, way: &Way) -> Result<()> {
        let Way { user, rooms, .. } = way;
        let devices = parts.users.devices(user).await.map_err(told)?.len();
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
        let searched = if rooms.is_empty() { "the whole bucket is listed" } else { "these rooms are looked at" };
        println!("- each file of the user is deleted: {searched}");
        println!(
            "- each message of the user is emptied: a write unit for each kilobyte, ${WRITE_UNITS_PRICE} a million"
        );
        Ok(())
    }

    async fn erase(&self, parts: &Parts, user: &UserId, progress: &mut Progress) -> Result<()> {
        // A send that was under way when its connection ended is stored by then, and `$disconnect` has told the rooms
        // who left.
        sleep(Duration::from_secs(SEND_TIMEOUT_SECONDS) + ON_THE_WAY).await;
        let now = parts.tables.time().await.map_err(told)?;
        let mut pace = Pace::new(self.units_per_second.get());
        let removed = remove_memberships(parts, user, now, &mut pace).await?;
        println!("memberships: {removed} rows removed");
        let rooms = progress.way.rooms.clone();
        if rooms.is_empty() {
            return empty(parts, user, Where::Everywhere, now, &mut pace, progress).await;
        }
        let at = progress.way.at.as_ref();
        let begin = at.and_then(|at| rooms.iter().position(|room| at.is_in(room))).unwrap_or_default();
        for (number, room) in rooms.iter().enumerate().skip(begin) {
            if number > begin {
                progress.way.at = Some(Position::before(room));
            }
            empty(parts, user, Where::Room(room), now, &mut pace, progress).await?;
        }
        Ok(())
    }
}

impl Progress {
    fn goes_on(&self) -> String {
        match self.way.written() {
            Some(place) => format!("the same command goes on with --after '{place}'"),
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
        let step = parts.erasure.messages(user, place, progress.way.at.as_ref(), ROWS_PER_STEP).await.map_err(told)?;
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
        progress.way.at = Some(next);
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

impl Way {
    /// The place as it is pasted, in an alphabet that no shell reads anything into; none before the first.
    fn written(&self) -> Option<String> {
        let at = self.at.as_ref()?;
        let place = json!([self.user, self.rooms, self.chat_table, at.partition, at.sort]);
        Some(BASE64_URL_SAFE_NO_PAD.encode(place.to_string()))
    }

    fn typed(text: &str) -> Result<Self, String> {
        let read = BASE64_URL_SAFE_NO_PAD.decode(text).ok().and_then(|place| serde_json::from_slice(&place).ok());
        let way = read.map(|(user, rooms, chat_table, partition, sort): (_, Vec<RoomId>, _, _, _)| Self {
            user,
            rooms,
            chat_table,
            at: Some(Position { partition, sort }),
        });
        let is_on_it = |way: &Self| {
            let is_in = |room| way.at.as_ref().is_some_and(|at| at.is_in(room));
            way.rooms.is_empty() || way.rooms.iter().any(is_in)
        };
        way.filter(is_on_it).ok_or_else(|| "it is no place that a run said".into())
    }
}

impl Display for Way {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let rooms: Vec<_> = self.rooms.iter().map(RoomId::to_string).collect();
        let rooms = if rooms.is_empty() { "all rooms".into() } else { format!("rooms {}", rooms.join(", ")) };
        write!(f, "user {}, {rooms}, in {}", self.user, self.chat_table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        for (user, room) in [("1", "1"), ("7", "a room=with & 'all' \"that\""), ("光", "光")] {
            let (user, room) = (UserId::parse(user).expect("an id"), RoomId::parse(room).expect("an id"));
            let at = Some(Position { sort: "MSG#0000000000000042".into(), ..Position::before(&room) });
            for rooms in [vec![], vec![room]] {
                let way = Way { user: user.clone(), rooms, chat_table: "ChatTable".into(), at: at.clone() };
                let typed = way.written().expect("a place");
                assert!(typed.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'), "{typed}");
                assert_eq!(Way::typed(&typed), Ok(way));
            }
        }
        assert!(Way::typed("").is_err() && Way::typed("ROOM").is_err() && Way::typed("W10").is_err());
    }
}
