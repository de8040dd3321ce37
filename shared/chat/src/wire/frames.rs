use super::{Encoding, socketio};
use crate::{Push, ReplyFrame};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

/// What the course's page listens for. It takes every `message` that is no `joinRoom` for something said, so the other
/// pushes have names of their own.
const MESSAGE: &str = "message";

/// The event of a refusal that no ack asked for: what the course's framework calls it. `error` is reserved in some
/// clients.
const EXCEPTION: &str = "exception";

/// How a reply is written: for a client of which encoding, and as the ack of which event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Form {
    pub encoding: Encoding,
    pub ack: Option<u64>,
}

impl Form {
    /// A client of Socket.IO that asked for no ack is told of a refusal alone.
    pub fn write(self, reply: &ReplyFrame<'_>) -> Result<String, serde_json::Error> {
        let json = serde_json::to_string(reply)?;
        Ok(match (self.encoding, self.ack) {
            (Encoding::Json, _) => json,
            (_, Some(number)) => socketio::ack(number, &json),
            (_, None) if reply.kind == "error" => event(&json),
            (_, None) => socketio::NOOP.to_owned(),
        })
    }
}

/// A frame for clients of any encoding, written at most once for each, and only when somebody reads it.
#[derive(Debug)]
pub struct Frames {
    json: Arc<[u8]>,
    socket_io: OnceLock<Arc<[u8]>>,
}

impl Frames {
    pub fn of_push(push: &Push<'_>) -> Result<Self, serde_json::Error> {
        Self::of(push)
    }

    /// Of a reply that is not the answer to a request, such as a last word.
    pub fn of_reply(reply: &ReplyFrame<'_>) -> Result<Self, serde_json::Error> {
        Self::of(reply)
    }

    /// Of a push that is written already.
    pub fn of_json(json: String) -> Self {
        Self { json: json.into_bytes().into(), socket_io: OnceLock::new() }
    }

    fn of(frame: &impl Serialize) -> Result<Self, serde_json::Error> {
        Ok(Self { json: serde_json::to_vec(frame)?.into(), socket_io: OnceLock::new() })
    }

    /// The bytes for a connection of this encoding.
    pub fn encoded(&self, encoding: Encoding) -> &Arc<[u8]> {
        match encoding {
            Encoding::Json => &self.json,
            Encoding::Eio3 | Encoding::Eio4 => {
                self.socket_io.get_or_init(|| event(&String::from_utf8_lossy(&self.json)).into_bytes().into())
            }
        }
    }
}

/// A frame of JSON as an event, named by its type.
fn event(json: &str) -> String {
    #[derive(Deserialize)]
    struct Typed<'a> {
        #[serde(rename = "type", borrow)]
        kind: Cow<'a, str>,
    }
    let kind = serde_json::from_str(json).map_or(Cow::Borrowed(""), |Typed { kind }| kind);
    let name = match kind.as_ref() {
        "joinRoom" | "sendMessage" => MESSAGE,
        "error" => EXCEPTION,
        other => other,
    };
    socketio::event(name, json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Profile, Rejection, Reply, RoomId, UserId};

    fn text(frames: &Frames, encoding: Encoding) -> String {
        String::from_utf8(frames.encoded(encoding).to_vec()).expect("UTF-8")
    }

    #[test]
    fn a_push_is_an_event_that_the_courses_page_knows_or_one_named_by_its_type() {
        let (room, user) = (RoomId::parse("1").expect("an id"), UserId::parse("7").expect("an id"));
        let profile = Profile::unknown(user.clone());
        let joined = Frames::of_push(&Push::joined(&room, &profile)).expect("JSON");
        assert!(text(&joined, Encoding::Eio4).starts_with(r#"42["message",{"type":"joinRoom","chatroomId":1,"#));
        let left = Frames::of_push(&Push::left(&room, &user)).expect("JSON");
        let json = r#"{"type":"leaveRoom","chatroomId":1,"userId":7}"#;
        assert_eq!(text(&left, Encoding::Json), json);
        for encoding in [Encoding::Eio3, Encoding::Eio4] {
            assert_eq!(text(&left, encoding), format!(r#"42["leaveRoom",{json}]"#));
        }
        let refused = Reply::rejected(&Rejection::ConnectionGone).answering(None);
        let refused = Frames::of_reply(&refused).expect("JSON");
        assert!(text(&refused, Encoding::Eio3).starts_with(r#"42["exception",{"type":"error","code":"gone","#));
    }

    #[test]
    fn a_reply_is_an_ack_an_exception_or_nothing() {
        let write = |encoding, ack, reply: Reply| Form { encoding, ack }.write(&reply.answering(None)).expect("JSON");
        let left = || Reply::left(RoomId::parse("1").expect("an id"));
        let refused = || Reply::rejected(&Rejection::NotAnEvent);
        let (ack, error) = (r#"{"type":"ack","chatroomId":1}"#, serde_json::to_string(&refused().answering(None)));
        let error = error.expect("JSON");
        for (encoding, number, reply, written) in [
            (Encoding::Json, None, left(), ack.to_owned()),
            (Encoding::Eio4, Some(3), left(), format!("433[{ack}]")),
            (Encoding::Eio3, None, left(), "6".to_owned()),
            (Encoding::Json, None, refused(), error.clone()),
            (Encoding::Eio3, Some(0), refused(), format!("430[{error}]")),
            (Encoding::Eio4, None, refused(), format!(r#"42["exception",{error}]"#)),
        ] {
            assert_eq!(write(encoding, number, reply), written);
        }
    }

    #[test]
    fn each_encoding_is_written_once_and_only_when_it_is_read() {
        let room = RoomId::parse("1").expect("an id");
        let user = UserId::parse("7").expect("an id");
        let left = Frames::of_push(&Push::left(&room, &user)).expect("JSON");
        assert!(left.socket_io.get().is_none());
        left.encoded(Encoding::Json);
        assert!(left.socket_io.get().is_none(), "nobody reads it");
        let (one, other) = (Arc::clone(left.encoded(Encoding::Eio3)), left.encoded(Encoding::Eio4));
        assert!(Arc::ptr_eq(&one, other));
    }
}
