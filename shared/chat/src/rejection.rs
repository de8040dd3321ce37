use crate::limits::{
    DISPLACED_RETRY_MS, EDITS_PER_MESSAGE_MAX, OVERTAKEN_RETRY_MS, QUERY_BYTES_MAX, ROOMS_PER_CONNECTION_MAX,
};
use crate::{Bar, Window};
use thiserror::Error;

/// An expected refusal: the client asked for something it may not have, and is told so.
///
/// The message is for the client's developer and names the field; it never repeats content.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Rejection {
    #[error("the frame must be a JSON object")]
    NotAnObject,
    #[error("the event must be a JSON array that begins with a name")]
    NotAnEvent,
    #[error("binary is not carried")]
    Binary,
    #[error("{field} is missing")]
    Missing { field: &'static str },
    #[error("{field} must be {expected}")]
    Invalid { field: &'static str, expected: String },
    #[error("{field} is longer than {limit} characters")]
    TooLarge { field: &'static str, limit: usize },
    #[error("{field} is longer than {limit} bytes")]
    TooManyBytes { field: &'static str, limit: usize },
    #[error("a file is at most {megabytes} MB")]
    FileTooLarge { megabytes: u64 },
    #[error("files are not taken here")]
    NoFiles,
    #[error("message.attachment was uploaded by another user, or for another room or clientMessageId")]
    NotUploader,
    #[error("the query string is longer than {QUERY_BYTES_MAX} bytes")]
    QueryTooLarge,
    #[error("unknown action {action:?}")]
    UnknownAction { action: String },
    #[error("{field} is not the user this token was issued to")]
    NotCaller { field: &'static str },
    #[error("the token does not grant the room in chatroomId")]
    RoomNotGranted,
    #[error("the token does not grant kept rooms: its rooms lack \"@mine\"")]
    KeptRoomsNotGranted,
    #[error("only the group's owner takes others out")]
    NotOwner,
    #[error("a pair takes nobody in, and lets nobody out")]
    PairIsClosed,
    #[error("a group has {limit} members at most")]
    RoomFull { limit: usize },
    #[error("a user has {limit} kept rooms at most")]
    TooManyKeptRooms { limit: usize },
    #[error("{} in the room in chatroomId, for another {retry_after_ms} ms", barred(*.bar))]
    Barred { bar: Bar, retry_after_ms: u64 },
    #[error("{reason}")]
    Reviewed { reason: String },
    #[error("only a moderator of the room may do this, or the owner of a group")]
    NotInCharge,
    #[error("the owner of a room is not barred from it")]
    OwnerIsNotBarred,
    #[error("a room has {limit} bars at most")]
    TooManyBars { limit: usize },
    #[error("the room has no message of this id")]
    NotFound,
    #[error("a message is edited by its author alone")]
    NotAuthor,
    #[error("a message is recalled by its author, or by a moderator of the room")]
    NotModerator,
    #[error("{}", too_late(.what, *.window))]
    TooLate { what: &'static str, window: Window },
    #[error("id must be that of a text")]
    NotText,
    #[error("a message is edited {EDITS_PER_MESSAGE_MAX} times at most")]
    TooManyEdits,
    #[error("a message has {limit} reactions at most")]
    TooManyReactions { limit: usize },
    #[error("the token was revoked")]
    TokenRevoked,
    #[error("a token is missing")]
    TokenMissing,
    #[error("the token was refused")]
    TokenRefused,
    #[error("the connection was not let in yet")]
    NotAdmitted,
    #[error("the connection is another user's")]
    AnothersConnection,
    #[error("before and after exclude each other")]
    TwoCursors,
    #[error("too much in this room, try again in {retry_after_ms} ms")]
    RateLimited { retry_after_ms: u64 },
    #[error("another frame of this connection overtook this one, try again in {OVERTAKEN_RETRY_MS} ms")]
    Overtaken,
    #[error("the connection is not in the room in chatroomId: join it first")]
    NotJoined,
    #[error("the connection is in {ROOMS_PER_CONNECTION_MAX} rooms, and in no more at once: leave one first")]
    TooManyRooms,
    #[error("ended for a newer connection: a user has {limit} at most")]
    TooManyConnections { limit: usize },
    #[error("the connection is gone")]
    ConnectionGone,
}

impl Rejection {
    /// The stable code that a client may act on.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAnObject
            | Self::NotAnEvent
            | Self::Binary
            | Self::Missing { .. }
            | Self::Invalid { .. }
            | Self::TwoCursors
            | Self::NotText
            | Self::PairIsClosed
            | Self::TooManyEdits => "badRequest",
            Self::NotFound => "notFound",
            Self::Barred { .. } => "barred",
            Self::Reviewed { .. } => "rejected",
            Self::TooLate { .. } => "tooLate",
            Self::TooLarge { .. } | Self::TooManyBytes { .. } | Self::FileTooLarge { .. } | Self::QueryTooLarge => {
                "tooLarge"
            }
            Self::UnknownAction { .. } => "unknownAction",
            Self::NotCaller { .. }
            | Self::RoomNotGranted
            | Self::KeptRoomsNotGranted
            | Self::NotOwner
            | Self::NotAuthor
            | Self::NotModerator
            | Self::NotInCharge
            | Self::OwnerIsNotBarred
            | Self::NoFiles
            | Self::NotUploader
            | Self::TokenRevoked
            | Self::TokenMissing
            | Self::TokenRefused
            | Self::NotAdmitted
            | Self::AnothersConnection => "notAllowed",
            Self::RateLimited { .. } | Self::Overtaken => "rateLimited",
            Self::NotJoined => "notJoined",
            Self::TooManyRooms => "tooManyRooms",
            Self::TooManyReactions { .. }
            | Self::RoomFull { .. }
            | Self::TooManyKeptRooms { .. }
            | Self::TooManyBars { .. } => "tooMany",
            Self::TooManyConnections { .. } => "tooManyConnections",
            Self::ConnectionGone => "gone",
        }
    }

    /// When it makes sense to try again, in ms from now, if the passing of time is all that is needed.
    pub fn retry_after_ms(&self) -> Option<u64> {
        match self {
            Self::RateLimited { retry_after_ms } | Self::Barred { retry_after_ms, .. } => Some(*retry_after_ms),
            Self::Overtaken => Some(OVERTAKEN_RETRY_MS),
            Self::TooManyConnections { .. } => Some(DISPLACED_RETRY_MS),
            _ => None,
        }
    }

    /// The HTTP status that says the same, with its reason phrase.
    pub fn status(&self) -> (u16, &'static str) {
        match self {
            Self::NotAnObject
            | Self::NotAnEvent
            | Self::Binary
            | Self::Missing { .. }
            | Self::Invalid { .. }
            | Self::TwoCursors
            | Self::NotJoined
            | Self::NotText
            | Self::TooManyEdits
            | Self::PairIsClosed
            | Self::UnknownAction { .. } => (400, "Bad Request"),
            Self::NotFound => (404, "Not Found"),
            Self::NotCaller { .. }
            | Self::RoomNotGranted
            | Self::KeptRoomsNotGranted
            | Self::NotOwner
            | Self::NotAuthor
            | Self::NotModerator
            | Self::NotInCharge
            | Self::OwnerIsNotBarred
            | Self::Barred { .. }
            | Self::NoFiles
            | Self::NotUploader
            | Self::TooLate { .. }
            | Self::TokenRevoked
            | Self::TokenMissing
            | Self::TokenRefused
            | Self::NotAdmitted
            | Self::AnothersConnection => (403, "Forbidden"),
            Self::ConnectionGone => (410, "Gone"),
            Self::Reviewed { .. } => (422, "Unprocessable Entity"),
            Self::TooLarge { .. } | Self::TooManyBytes { .. } | Self::FileTooLarge { .. } | Self::QueryTooLarge => {
                (413, "Payload Too Large")
            }
            Self::RateLimited { .. }
            | Self::Overtaken
            | Self::TooManyRooms
            | Self::TooManyReactions { .. }
            | Self::TooManyBars { .. }
            | Self::RoomFull { .. }
            | Self::TooManyKeptRooms { .. }
            | Self::TooManyConnections { .. } => (429, "Too Many Requests"),
        }
    }
}

fn barred(bar: Bar) -> &'static str {
    match bar {
        Bar::Mute => "muted",
        Bar::Ban => "banned",
    }
}

fn too_late(what: &str, window: Window) -> String {
    match window {
        Window::Minutes(minutes) => format!("a message is {what} within {minutes} minutes of its sending"),
        Window::Never | Window::Always => format!("messages are not {what} here"),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::document::{error_codes, every};
    use crate::limits::{
        BARS_MAX, CONNECTIONS_PER_USER, JSON_BYTES_MAX, KEPT_ROOM_MEMBERS_MAX, KEPT_ROOMS_PER_USER_MAX,
        REACTIONS_PER_MESSAGE_MAX, TEXT_CHARS_MAX,
    };
    use std::collections::BTreeSet;

    pub(crate) fn rejections() -> Vec<Rejection> {
        every!(Rejection {
            NotAnObject: [Rejection::NotAnObject],
            NotAnEvent: [Rejection::NotAnEvent],
            Binary: [Rejection::Binary],
            Missing: [Rejection::Missing { field: "message.content" }],
            Invalid: [Rejection::Invalid { field: "batches", expected: "a boolean".into() }],
            TooLarge: [Rejection::TooLarge { field: "message.content", limit: TEXT_CHARS_MAX }],
            TooManyBytes: [Rejection::TooManyBytes { field: "message.metadata", limit: JSON_BYTES_MAX }],
            FileTooLarge: [Rejection::FileTooLarge { megabytes: 10 }],
            NoFiles: [Rejection::NoFiles],
            NotUploader: [Rejection::NotUploader],
            QueryTooLarge: [Rejection::QueryTooLarge],
            UnknownAction: [Rejection::UnknownAction { action: "dance".into() }],
            NotCaller: [Rejection::NotCaller { field: "userId" }],
            RoomNotGranted: [Rejection::RoomNotGranted],
            KeptRoomsNotGranted: [Rejection::KeptRoomsNotGranted],
            NotOwner: [Rejection::NotOwner],
            PairIsClosed: [Rejection::PairIsClosed],
            RoomFull: [Rejection::RoomFull { limit: KEPT_ROOM_MEMBERS_MAX }],
            TooManyKeptRooms: [Rejection::TooManyKeptRooms { limit: KEPT_ROOMS_PER_USER_MAX }],
            Barred: [
                Rejection::Barred { bar: Bar::Mute, retry_after_ms: 60_000 },
                Rejection::Barred { bar: Bar::Ban, retry_after_ms: 3_600_000 },
            ],
            Reviewed: [Rejection::Reviewed { reason: "no addresses here".into() }],
            NotInCharge: [Rejection::NotInCharge],
            OwnerIsNotBarred: [Rejection::OwnerIsNotBarred],
            TooManyBars: [Rejection::TooManyBars { limit: BARS_MAX }],
            NotFound: [Rejection::NotFound],
            NotAuthor: [Rejection::NotAuthor],
            NotModerator: [Rejection::NotModerator],
            TooLate: [
                Rejection::TooLate { what: "edited", window: Window::Minutes(15) },
                Rejection::TooLate { what: "recalled", window: Window::Never },
            ],
            NotText: [Rejection::NotText],
            TooManyEdits: [Rejection::TooManyEdits],
            TooManyReactions: [Rejection::TooManyReactions { limit: REACTIONS_PER_MESSAGE_MAX }],
            TokenRevoked: [Rejection::TokenRevoked],
            TokenMissing: [Rejection::TokenMissing],
            TokenRefused: [Rejection::TokenRefused],
            NotAdmitted: [Rejection::NotAdmitted],
            AnothersConnection: [Rejection::AnothersConnection],
            TwoCursors: [Rejection::TwoCursors],
            RateLimited: [Rejection::RateLimited { retry_after_ms: 200 }],
            Overtaken: [Rejection::Overtaken],
            NotJoined: [Rejection::NotJoined],
            TooManyRooms: [Rejection::TooManyRooms],
            TooManyConnections: [Rejection::TooManyConnections { limit: CONNECTIONS_PER_USER }],
            ConnectionGone: [Rejection::ConnectionGone],
        })
        .into()
    }

    #[test]
    fn every_error_code_is_described_and_no_other() {
        let codes: BTreeSet<_> = rejections().iter().map(Rejection::code).chain(["internal"]).collect();
        assert_eq!(codes, error_codes().iter().map(String::as_str).collect());
    }
}
