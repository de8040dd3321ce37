//! What an invocation may answer, by what was known when it began.

use super::{World, frame, room_of};
use crate::chaos::lock;
use crate::packets;
use crate::simulation::clock;
use crate::simulation::invocation::Invocation;
use crate::simulation::mutation::is_hand;
use crate::simulation::orders::{Held, asked_room, held_of};
use crate::simulation::plan::Fate;
use serde_json::Value;
use std::time::Duration;

/// How long after the row of a connection was closed its frames must be refused: whoever closed it ends it meanwhile.
const ENDED_AFTER: Duration = Duration::from_secs(3);

/// How often Lambda brings an event that its function fails on.
const WAKE_ATTEMPTS: u32 = 3;

/// What becomes of a post that its member may never see, though its function lives on.
const LOST_POSTS: [Fate; 5] = [Fate::Refused, Fate::Unavailable, Fate::Throttled, Fate::BrokenBefore, Fate::Swallowed];

/// How long after a revocation nothing that began may be let through.
const REVOKED_AFTER: Duration = Duration::from_secs(1);

/// How long after a ban its user may read on: a row is read as it was a moment ago.
const READS_AFTER: Duration = Duration::from_secs(1);

/// What is known when an invocation begins.
pub(super) struct Known {
    at: Duration,
    /// When the row of its connection was closed.
    closed: Option<Duration>,
    came_in_closed: bool,
    /// When its user was shut out.
    shut_out: Option<Duration>,
    /// The bars of its user in its room.
    held: Option<Held>,
}

/// What the rules need to know of an event.
pub(super) struct Event {
    connection: String,
    user: String,
    pub room: String,
    /// The room whose history is read over HTTP.
    read: String,
    action: String,
    /// When its token was issued, in seconds.
    issued_at: i64,
    /// The room of a courier's event, and that event. A hand has none: its courier goes on without it.
    pub wake: Option<(String, String)>,
}

impl Event {
    pub fn read(world: &World, event: &Value) -> Self {
        let context = &event["requestContext"];
        let authorizer = &context["authorizer"];
        let authorizer = if authorizer["lambda"].is_object() { &authorizer["lambda"] } else { authorizer };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let connection = text(&context["connectionId"]);
        let token = event["body"].as_str().and_then(|body| body.strip_prefix("40"));
        if let Some(auth) = token.and_then(|auth| serde_json::from_str::<Value>(auth).ok())
            && let Some(issued) = lock(&world.issued).get(&text(&auth["token"]))
        {
            lock(&world.guests).insert(connection.clone(), issued.clone());
        }
        let guest = lock(&world.guests).get(&connection).cloned();
        let named = || {
            let issued_at = text(&authorizer["issuedAt"]).parse().unwrap_or(i64::MAX);
            (text(&authorizer["userId"]), issued_at)
        };
        let (user, issued_at) = guest.unwrap_or_else(named);
        let wake = room_of(event).filter(|_| !is_hand(event)).map(|room| (room, event.to_string()));
        let room = frame(event)["chatroomId"].to_string();
        let read = asked_room(event);
        Self { connection, room, read, action: text(&frame(event)["action"]), user, issued_at, wake }
    }
}

impl World {
    /// Counts how often Lambda brought a wake in vain.
    pub(super) fn note_wake(&self, room: &str, wake: &str, well: bool) {
        let mut failed = lock(&self.failed_wakes);
        let failures = failed.entry(wake.to_owned()).or_default();
        *failures = if well { 0 } else { *failures + 1 };
        if *failures >= WAKE_ATTEMPTS {
            lock(&self.given_up).insert(room.to_owned());
        }
    }

    /// Whether Lambda gave a wake of a room up. Then the room may sleep until the next send.
    pub fn gave_up(&self, room: &str) -> bool {
        lock(&self.given_up).contains(room)
    }

    /// Whether a post may have been lost, of which nobody knows.
    pub fn lost_posts(&self) -> bool {
        let lost = |what: &String| LOST_POSTS.iter().any(|fate| what.ends_with(&format!(" POST {fate}")));
        lock(&self.struck).iter().any(lost)
    }

    /// What is known of an event's connection and user at this moment.
    pub(super) fn known_of(&self, event: &Event) -> Known {
        Known {
            at: clock::elapsed(),
            closed: lock(&self.closed).get(&event.connection).copied(),
            came_in_closed: lock(&self.came_in_closed).contains(&event.connection),
            shut_out: lock(&self.shut_out).get(&event.user).copied(),
            held: self.held_of(event),
        }
    }

    fn held_of(&self, event: &Event) -> Option<Held> {
        let room = if event.read.is_empty() { &event.room } else { &event.read };
        held_of(&lock(&self.held), &event.user, room)
    }

    /// Judges what became of something that somebody began who was barred before, and still is.
    fn judge_barred(&self, invocation: &Invocation, event: &Event, before: &Known, body: &Value) {
        let now = self.held_of(event);
        let Some(held) = before.held.filter(|held| now.is_some_and(|now| now.goes_on_from(held))) else { return };
        let label = &invocation.label;
        if lock(&self.counted).contains(label) {
            self.find(format!("{label} takes a number, though its sender was barred before it began"));
        }
        let is_ack = body["type"] == "ack";
        if is_ack && event.action == "editMessage" && body["duplicate"] != true {
            self.find(format!("{label} edits, though its sender was barred before it began"));
        }
        // It is one bar if there was no other meanwhile; only a ban keeps out.
        if held.banned.is_none() {
            return;
        }
        if is_ack && invocation.function == "join-room" {
            self.find(format!("{label} is let in, though its user was banned before it began"));
        }
        if invocation.function == "list-history" && body.is_array() && before.at >= held.since + READS_AFTER {
            self.find(format!("{label} reads, though its user was banned before it began"));
        }
    }

    /// Judges an answer by what was known when its invocation began.
    pub(super) fn judge(&self, invocation: &Invocation, event: &Event, before: &Known, answer: &Value) {
        let is_closed = lock(&self.closed).contains_key(&event.connection);
        if invocation.function == "connect" && is_closed && answer["statusCode"] == 200 {
            lock(&self.came_in_closed).insert(event.connection.clone());
        }
        if let Some(user) = answer["userId"].as_u64() {
            lock(&self.shut_out).insert(user.to_string(), clock::elapsed());
        }
        let text = answer["body"].as_str().unwrap_or_default();
        let body = serde_json::from_str::<Value>(text).ok().filter(|body| !body.is_number());
        let body = body.or_else(|| packets::held(text)).unwrap_or_default();
        self.judge_barred(invocation, event, before, &body);
        let is_page = invocation.function == "list-history" && body.is_array();
        if body["type"] != "ack" && !is_page {
            return;
        }
        // A leave changes nothing where there is nothing to leave.
        let does_something = invocation.function != "leave-room";
        let is_late = !self.plan.hostile && before.closed.is_some_and(|closed| before.at >= closed + ENDED_AFTER);
        if does_something && (is_late || before.came_in_closed) {
            self.find(format!("{} is taken, though its connection was closed before it began", invocation.label));
        }
        // A token that was issued until then; one that was issued within the next minute may be refused too.
        let is_old = |shut_out: Duration| event.issued_at <= clock::seconds_at(shut_out);
        let is_out = |shut_out: Duration| before.at >= shut_out + REVOKED_AFTER && is_old(shut_out);
        if before.shut_out.is_some_and(is_out) {
            self.find(format!("{} is taken, though its token was revoked before it began", invocation.label));
        }
    }
}
