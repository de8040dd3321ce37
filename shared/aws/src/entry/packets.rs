//! The route of frames that name no action: the packets of clients of Socket.IO, and what clients of JSON sent to no
//! route.

use super::Function;
use super::websocket::{Answered, Frame, Guest, MessageEvent, Said, act, reply};
use crate::{Failure, Pusher, telemetry};
use chat::socketio::{self, DISCONNECT, NOOP, Packet};
use chat::{Caller, Encoding, Reply, Request};
use serde_json::{Map, Value};

/// What a function does for clients of every encoding.
pub trait Packets: Clone + Send + Sync + 'static {
    /// Lets somebody in on a connection that is nobody's yet, by a token.
    fn admit(&self, guest: &Guest, token: &str) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Who was let in so.
    fn admitted(&self, guest: &Guest) -> impl Future<Output = Result<Caller, Failure>> + Send;

    /// Does what a client asks for, whatever it was written in.
    fn act(&self, event: MessageEvent) -> impl Future<Output = Result<Reply, Failure>> + Send;
}

/// A packet in; out comes a packet, or a reply in one. Bytes that are no packet end their connection, as in Socket.IO's
/// own server.
pub fn packets(pusher: Pusher, packets: impl Packets) -> Function {
    Function::of((pusher, packets), Frame::read, |(pusher, packets), frame| serve(pusher, packets, frame), reply)
}

async fn serve(pusher: Pusher, packets: impl Packets, Frame { guest, body }: Frame) -> Result<Answered, Failure> {
    let guest = guest?;
    if guest.opening.encoding == Encoding::Json {
        let caller = guest.caller();
        return Ok(act(&pusher, guest, caller, Request::parse(&body), None, |event| packets.act(event)).await);
    }
    let form = guest.form(None);
    let said = match Packet::parse(&body) {
        Some(Packet::Event { name, argument, ack }) => {
            let request = Request::of_event(name, argument);
            return Ok(event(&pusher, &packets, guest, request, ack).await);
        }
        Some(Packet::Refused { why, ack }) => return Ok(event(&pusher, &packets, guest, Err(why), ack).await),
        Some(Packet::Connect(auth)) => connect(&pusher, &packets, &guest, &auth).await,
        Some(Packet::ConnectElsewhere(namespace)) => {
            Ok(Said::Text(socketio::no_namespace(namespace, guest.opening.encoding)))
        }
        Some(Packet::Ping(data)) if !guest.is_over() => Ok(Said::Text(socketio::pong(data))),
        Some(Packet::Nothing) => Ok(Said::Text(NOOP.to_owned())),
        Some(Packet::Ping(_)) | None => pusher.close(&guest.id).await.map(|_| Said::Nothing).map_err(Failure::from),
    };
    Ok(Answered { asked: None, form, said })
}

/// An event, of whoever the connection is by now.
async fn event(
    pusher: &Pusher,
    packets: &impl Packets,
    guest: Guest,
    request: Result<Request, chat::Rejection>,
    ack: Option<u64>,
) -> Answered {
    let caller = match &guest.opening.caller {
        Ok(caller) => Ok(caller.clone()),
        Err(_) => packets.admitted(&guest).await,
    };
    let unanswered = ack.is_none() && request.as_ref().is_ok_and(Request::is_unanswered);
    let answered = act(pusher, guest, caller, request, ack, |event| packets.act(event)).await;
    match answered {
        Answered { said: Err(Failure::Rejected(refused)), asked, form } if unanswered => {
            telemetry::refused(refused.code());
            Answered { said: Ok(Said::Text(NOOP.to_owned())), asked, form }
        }
        answered => answered,
    }
}

/// CONNECT. A client that is not let in is told so, and does not come back by itself; what fails on our side ends its
/// connection, and it does.
async fn connect(
    pusher: &Pusher,
    packets: &impl Packets,
    guest: &Guest,
    auth: &Map<String, Value>,
) -> Result<Said, Failure> {
    if guest.is_over() {
        // Its token was good at the handshake; the next handshake says what is wrong.
        pusher.close(&guest.id).await?;
        return Ok(Said::Nothing);
    }
    let admitted = match (&guest.opening.caller, auth.get("token").and_then(Value::as_str)) {
        (Ok(_), _) => Ok(()),
        (Err(_), Some(token)) => packets.admit(guest, token).await,
        (Err(why), None) => Err(why.clone().into()),
    };
    match admitted {
        Ok(()) => Ok(Said::Text(socketio::connected(&guest.id, guest.opening.encoding))),
        Err(Failure::Rejected(why)) => {
            telemetry::refused(why.code());
            // Posted, and not answered: an answer could come after what is posted behind it.
            let refused = socketio::refused(&why, guest.opening.encoding);
            pusher.dismiss(&guest.id, &[refused.as_bytes(), DISCONNECT.as_bytes()]).await?;
            Ok(Said::Nothing)
        }
        Err(fault) => {
            pusher.close(&guest.id).await.map(drop).unwrap_or_else(|fault| telemetry::survived(&fault));
            Err(fault)
        }
    }
}
