//! `export-room`: a room's whole history, as JSON lines.

use crate::limits::PAGE;
use crate::target::Target;
use crate::{done, told};
use anyhow::{Context, Result, bail, ensure};
use chat::limits::SAFE_INTEGER_MAX;
use chat::{Cursor, HistoryItem, ListHistory, Message, MessageId, Profile, RoomId, Timestamp};
use chat_aws::{Aws, Fault, Messages, SEND_TIMEOUT_SECONDS, Tables, Users, Vars};
use clap::{Args, value_parser};
use serde_json::Value;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Writes a room's history as JSON lines, oldest first: each message as the history shows it, with its sender's profile
///
/// Of a file that was uploaded there is no address, which would soon be over, but its key in the bucket.
///
/// The last line on standard error says how many there were, and up to which id. A file that is there already is
/// continued.
#[derive(Debug, Args)]
pub struct ExportRoom {
    /// Which room: a number or a string
    room: String,
    /// Begins after this message
    #[arg(long, value_name = "ID", value_parser = value_parser!(u64).range(..=SAFE_INTEGER_MAX))]
    after: Option<u64>,
    /// Where to, instead of standard output; a file of an earlier export of the room is continued after its last whole
    /// line
    #[arg(long, value_name = "FILE", conflicts_with = "after")]
    output: Option<PathBuf>,
}

struct Parts {
    tables: Tables,
    messages: Messages,
    users: Users,
}

impl Parts {
    fn new(vars: &Vars) -> Result<Self, Fault> {
        let aws = Aws::new(vars)?;
        Ok(Self { tables: aws.tables()?, messages: aws.messages()?, users: aws.users()? })
    }
}

/// Where an export stands.
struct Written {
    messages: usize,
    up_to: MessageId,
}

impl ExportRoom {
    pub async fn run(self, target: &Target) -> Result<ExitCode> {
        let room = RoomId::parse(&self.room).with_context(|| format!("{:?} is no room's id", self.room))?;
        let parts = Parts::new(&target.vars().await?).map_err(told)?;
        parts.tables.recognise_chat().await.map_err(told)?;
        let (mut output, after): (Box<dyn Write>, _) = match &self.output {
            Some(path) => {
                let (file, after) = continued(path, &room)?;
                (Box::new(file), after)
            }
            None => (Box::new(std::io::stdout()), self.after.unwrap_or_default()),
        };
        let mut written = Written { messages: 0, up_to: MessageId::new(after) };
        let exported = tokio::select! {
            exported = export(&parts, &room, &mut output, &mut written) => exported,
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
        };
        eprintln!("exported {} messages of room {room}, up to id {}", written.messages, written.up_to);
        let go_on = || match self.output {
            Some(_) => "the same command goes on from there".to_owned(),
            None => format!("--after {} goes on from there", written.up_to),
        };
        exported.with_context(go_on)?;
        // A mistyped room would look like one that is quiet.
        ensure!(written.messages > 0 || has_messages(&parts.messages, &room).await?, "room {room} has no messages");
        done()
    }
}

/// Whether anything was ever said in a room, and is kept.
pub async fn has_messages(messages: &Messages, room: &RoomId) -> Result<bool> {
    let first = ListHistory { room: room.clone(), cursor: Cursor::After(MessageId::new(0)), limit: 1 };
    Ok(!messages.page(&first).await.map_err(told)?.messages.is_empty())
}

/// Writes page by page. What was written stands in `written`, whatever ends it.
async fn export(parts: &Parts, room: &RoomId, output: &mut dyn Write, written: &mut Written) -> Result<()> {
    let clock = Clock { server: parts.tables.time().await.map_err(told)?, read: Instant::now() };
    loop {
        let request = ListHistory { room: room.clone(), cursor: Cursor::After(written.up_to), limit: PAGE };
        // By the time that the page comes, what was under way when it was read may look settled.
        let asked = clock.now();
        let mut page = parts.messages.page(&request).await.map_err(told)?;
        let hole = fresh_hole(&page.messages, written.up_to, asked);
        if let Some((at, wait)) = hole {
            page.messages.truncate(at);
            if at == 0 {
                // What was counted before is stored by then, or never will be.
                sleep(wait).await;
                continue;
            }
        }
        let senders = page.messages.iter().map(|message| message.sender.clone()).collect();
        let senders = parts.users.profiles_of(senders).await.map_err(told)?;
        let mut lines = Vec::new();
        let last = page.messages.last().map(|message| message.id);
        let count = page.messages.len();
        for message in page.messages {
            let sender = senders.get(&message.sender).cloned();
            let sender = sender.unwrap_or_else(|| Profile::unknown(message.sender.clone()));
            serde_json::to_writer(&mut lines, &HistoryItem::new(message, sender)).context("failed to write JSON")?;
            lines.push(b'\n');
        }
        output.write_all(&lines).and_then(|()| output.flush()).context("failed to write")?;
        written.messages += count;
        written.up_to = last.unwrap_or(written.up_to);
        if hole.is_none() && !page.more {
            return Ok(());
        }
    }
}

/// The first message after a hole that may still be filled, and how long to wait until it cannot. Whoever goes on after
/// that message later would miss what came into the hole.
fn fresh_hole(messages: &[Message], after: MessageId, now: Timestamp) -> Option<(usize, Duration)> {
    let mut last = after.get();
    for (at, message) in messages.iter().enumerate() {
        let settled = message.create_time.after(Duration::from_secs(SEND_TIMEOUT_SECONDS));
        if message.id.get() != last + 1 && settled > now {
            let wait = settled.millis().saturating_sub(now.millis());
            return Some((at, Duration::from_millis(u64::try_from(wait).unwrap_or_default())));
        }
        last = message.id.get();
    }
    None
}

/// DynamoDB's time, as it goes on.
struct Clock {
    server: Timestamp,
    read: Instant,
}

impl Clock {
    fn now(&self) -> Timestamp {
        self.server.after(self.read.elapsed())
    }
}

/// Opens a file to go on after its last whole line: an export that was killed may have left half of one.
fn continued(path: &Path, room: &RoomId) -> Result<(File, u64)> {
    let failed = || format!("failed to open {}", path.display());
    let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    let mut file = options.with_context(failed)?;
    let length = file.metadata().with_context(failed)?.len();
    // The longest line: 4,000 characters of six bytes each, and a profile.
    let tail_starts = length.saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(tail_starts)).with_context(failed)?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail).with_context(failed)?;
    let whole = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    if whole == 0 {
        // Half a first line is of an export that was ended at once; anything else is not ours to cut.
        ensure!(length == 0 || (tail_starts == 0 && tail.starts_with(b"{\"id\":")), "{} is no export", path.display());
        file.set_len(0).with_context(failed)?;
        file.rewind().with_context(failed)?;
        return Ok((file, 0));
    }
    let line = tail[..whole - 1].rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let last: Value = serde_json::from_slice(line).unwrap_or_default();
    let of_room = serde_json::from_value::<RoomId>(last["chatroomId"].clone()).ok();
    let id = last["id"].as_u64().filter(|id| *id <= SAFE_INTEGER_MAX);
    let (Some(id), Some(of_room)) = (id, of_room) else { bail!("{} is no export", path.display()) };
    ensure!(of_room == *room, "{} is an export of room {of_room}", path.display());
    let end = tail_starts + whole as u64;
    file.set_len(end).with_context(failed)?;
    file.seek(SeekFrom::Start(end)).with_context(failed)?;
    Ok((file, id))
}

/// More than the longest line: 4,000 characters at six bytes of escaped JSON, and a profile with an address of 2,048.
const TAIL_BYTES: u64 = 128 * 1_024;

#[cfg(test)]
mod tests {
    use super::*;
    use chat::{Content, MessageKind, UserId};

    fn messages(ids: &[u64], sent: i64) -> Vec<Message> {
        let message = |id: &u64| Message {
            id: MessageId::new(*id),
            room: RoomId::parse("1").expect("an id"),
            sender: UserId::parse("1").expect("an id"),
            content: Content::stored(MessageKind::Text, "hi".into()),
            create_time: Timestamp::from_millis(sent),
            client_message_id: None,
            changed: None,
            reactions: chat::Reactions::default(),
        };
        ids.iter().map(message).collect()
    }

    #[test]
    fn only_a_hole_that_may_still_be_filled_is_waited_for() {
        let hole = |ids: &[u64], age: i64| {
            let found = fresh_hole(&messages(ids, 100_000), MessageId::new(3), Timestamp::from_millis(100_000 + age));
            found.map(|(at, wait)| (at, wait.as_millis()))
        };
        assert_eq!(hole(&[4, 5, 6], 0), None);
        assert_eq!(hole(&[4, 6], 4_000), Some((1, 6_000)));
        assert_eq!(hole(&[5, 6], 9_999), Some((0, 1)));
        assert_eq!(hole(&[5, 9], 10_000), None, "nothing comes into it any more");
    }
}
