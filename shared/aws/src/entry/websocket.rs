//! The routes of the WebSocket API: `$connect`, `$disconnect`, and those of frames.

use super::{After, Answer, Function, misshapen, status, unreadable};
use crate::limits::CONNECTION_ID_BYTES_MAX;
use crate::{Failure, Fault, Pusher, now, telemetry};
use aws_lambda_events::apigw::{ApiGatewayWebsocketProxyRequest, ApiGatewayWebsocketProxyRequestContext};
use chat::{Caller, ConnectionId, Device, Encoding, Form, Opening, Rejection, Reply, Request, Timestamp};
use lambda_http::http::HeaderMap;
use lambda_runtime::Context;
use serde_json::{Value, json};

/// The connection that an event belongs to, and who opened it.
#[derive(Debug, Clone)]
pub struct Connection {
    pub id: ConnectionId,
    pub encoding: Encoding,
    pub caller: Caller,
    /// Where the client is.
    pub ip: Option<String>,
}

/// A connection as its handshake left it: its client may be nobody yet.
#[derive(Debug, Clone)]
pub struct Guest {
    pub id: ConnectionId,
    pub connected_at: Timestamp,
    pub opening: Opening,
    /// Where the client is.
    pub ip: Option<String>,
}

impl Guest {
    /// The connection as one of its user's.
    pub fn device(&self) -> Device {
        Device { connection: self.id.clone(), connected_at: self.connected_at }
    }

    /// Who opened the connection. That it is nobody is no fault: a stranger must not raise an alarm.
    pub(super) fn caller(&self) -> Result<Caller, Failure> {
        self.opening.caller.clone().map_err(|_| Rejection::NotAdmitted.into())
    }

    /// Whether the token of the handshake has expired.
    pub(super) fn is_over(&self) -> bool {
        self.opening.caller.as_ref().is_ok_and(|caller| caller.is_over(now()))
    }

    /// How a reply to it is written.
    pub(super) fn form(&self, ack: Option<u64>) -> Form {
        Form { encoding: self.opening.encoding, ack }
    }
}

/// A frame from a client, on whichever route.
#[derive(Debug)]
pub struct MessageEvent {
    pub connection: Connection,
    pub request: Request,
}

/// `$connect`: a handshake that the authorizer let through.
#[derive(Debug)]
pub struct ConnectEvent {
    pub guest: Guest,
    /// Subprotocols the client offers, in its order.
    pub subprotocols: Vec<String>,
}

/// `$disconnect`: the connection is closed. API Gateway sends it as best it can; it may never come.
#[derive(Debug)]
pub struct DisconnectEvent {
    pub guest: Guest,
}

/// An answer to `$connect` that lets the client in; a subprotocol must be echoed, or a browser gives up.
#[derive(Debug, Default)]
pub struct Accepted {
    pub subprotocol: Option<&'static str>,
    /// What is said to the client once it is in.
    pub after: Option<After>,
}

/// A route of frames: a frame in, a reply out. A connection that is closed, or whose token has expired, is told so and
/// ended: an answer of the function would come after the end.
pub fn message<S, F>(
    pusher: Pusher,
    state: S,
    handle: impl Fn(S, MessageEvent) -> F + Copy + Send + Sync + 'static,
) -> Function
where
    S: Clone + Send + Sync + 'static,
    F: Future<Output = Result<Reply, Failure>> + Send,
{
    let answered = move |(pusher, state): (Pusher, S), frame: Frame| async move {
        Ok(answered(&pusher, frame, |event| handle(state, event)).await)
    };
    Function::of((pusher, state), Frame::read, answered, reply)
}

/// A route of frames without a route response: it costs a post less, and whatever the function answers goes nowhere. A
/// client that gave a `requestId` is posted the reply; no other one is told of anything but its end.
pub(super) fn unanswered<S, F>(
    pusher: Pusher,
    state: S,
    handle: impl Fn(S, MessageEvent) -> F + Copy + Send + Sync + 'static,
) -> Function
where
    S: Clone + Send + Sync + 'static,
    F: Future<Output = Result<Reply, Failure>> + Send,
{
    Function(Box::new(move |payload, context| {
        let (pusher, state) = (pusher.clone(), state.clone());
        Box::pin(async move {
            let (sender, answered) = match Frame::read(payload) {
                Ok(frame) => {
                    let sender = frame.guest.as_ref().ok().map(|guest| guest.id.clone());
                    (sender, Ok(answered(&pusher, frame, |event| handle(state, event)).await))
                }
                Err(failure) => (None, Err(failure)),
            };
            let asks = answered.as_ref().is_ok_and(|answered: &Answered| {
                answered.asked.as_ref().is_some_and(|request| !request.is_unanswered())
            });
            let mut reply = reply(answered, &context)?;
            let text = reply.as_object_mut().and_then(|reply| reply.remove("body"));
            if let (Some(sender), Some(Value::String(text))) = (sender.filter(|_| asks), text) {
                // Whoever waits for it asks again.
                pusher
                    .tell(&sender, text.as_bytes())
                    .await
                    .map(drop)
                    .unwrap_or_else(|fault| telemetry::survived(&fault));
            }
            Ok(reply.into())
        })
    }))
}

/// What becomes of a frame.
async fn answered<F>(pusher: &Pusher, Frame { guest, body }: Frame, handle: impl FnOnce(MessageEvent) -> F) -> Answered
where
    F: Future<Output = Result<Reply, Failure>>,
{
    let request = Request::parse(&body);
    match guest {
        Ok(guest) => {
            let caller = guest.caller();
            act(pusher, guest, caller, request, None, handle).await
        }
        Err(failure) => Answered { asked: request.ok(), form: Form::default(), said: Err(failure) },
    }
}

/// What came on a route of frames.
pub(super) struct Frame {
    /// Apart from the body: even where this cannot be read, the reply names the request.
    pub guest: Result<Guest, Failure>,
    pub body: String,
}

/// What became of it.
pub(super) struct Answered {
    pub asked: Option<Request>,
    pub form: Form,
    pub said: Result<Said, Failure>,
}

pub(super) enum Said {
    Reply(Reply),
    /// A packet that is no reply.
    Text(String),
    /// Nothing is left to say to a connection that was told of its end.
    Nothing,
}

impl Frame {
    pub fn read(payload: Value) -> Result<Self, Failure> {
        let event = websocket(payload)?;
        Ok(Self { guest: guest(event.request_context), body: event.body.unwrap_or_default() })
    }
}

/// Has a request handled, unless its connection must end.
pub(super) async fn act<F>(
    pusher: &Pusher,
    guest: Guest,
    caller: Result<Caller, Failure>,
    request: Result<Request, Rejection>,
    ack: Option<u64>,
    handle: impl FnOnce(MessageEvent) -> F,
) -> Answered
where
    F: Future<Output = Result<Reply, Failure>>,
{
    let (asked, form) = (request.as_ref().ok().cloned(), guest.form(ack));
    let reply = match (caller, request) {
        // Whatever it sends.
        (Ok(caller), _) if caller.is_over(now()) => Err(Rejection::ConnectionGone.into()),
        (Ok(caller), Ok(request)) => {
            let connection = Connection { id: guest.id.clone(), encoding: form.encoding, caller, ip: guest.ip };
            handle(MessageEvent { connection, request }).await
        }
        (Ok(_), Err(refused)) => Err(refused.into()),
        (Err(failure), _) => Err(failure),
    };
    let said = match reply {
        Err(Failure::Rejected(Rejection::ConnectionGone)) => end(pusher, &guest.id, form, asked.as_ref()).await,
        reply => reply.map(Said::Reply),
    };
    Answered { asked, form, said }
}

/// Ends a connection after a word about why. Answers what else there is to say: the same, if nobody was there to be
/// told.
async fn end(pusher: &Pusher, id: &ConnectionId, form: Form, asked: Option<&Request>) -> Result<Said, Failure> {
    telemetry::refused(Rejection::ConnectionGone.code());
    let gone = || Reply::rejected(&Rejection::ConnectionGone);
    let frame = form.write(&gone().answering(asked)).map_err(Fault::doing("failed to encode a frame"))?;
    let told = Box::pin(pusher.dismiss(id, &[frame.as_bytes()])).await?;
    Ok(if told { Said::Nothing } else { Said::Reply(gone()) })
}

pub(super) fn reply(answered: Result<Answered, Failure>, context: &Context) -> Result<Value, super::Error> {
    let unread = |failure| Answered { asked: None, form: Form::default(), said: Err(failure) };
    let Answered { asked, form, said } = answered.unwrap_or_else(unread);
    let reply = match said {
        Ok(Said::Reply(reply)) => reply,
        Ok(Said::Text(text)) => return Ok(json!({"statusCode": 200, "body": text})),
        Ok(Said::Nothing) => return Ok(json!({"statusCode": 200})),
        Err(Failure::Rejected(rejection)) => {
            telemetry::refused(rejection.code());
            Reply::rejected(&rejection)
        }
        Err(Failure::Fault(fault)) => {
            telemetry::fault(&fault, &context.request_id);
            Reply::internal(&context.request_id)
        }
    };
    Ok(json!({"statusCode": 200, "body": form.write(&reply.answering(asked.as_ref()))?}))
}

/// `$connect`: a status that is not 200 refuses the handshake.
pub fn connect<S, F>(state: S, handle: impl Fn(S, ConnectEvent) -> F + Copy + Send + Sync + 'static) -> Function
where
    S: Clone + Send + Sync + 'static,
    F: Future<Output = Result<Accepted, Failure>> + Send,
{
    Function::of(state, ConnectEvent::read, handle, |accepted: Result<Accepted, Failure>, context| {
        Ok(match accepted {
            Ok(Accepted { subprotocol, after }) => {
                let value = match subprotocol {
                    None => json!({"statusCode": 200}),
                    Some(name) => json!({"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": name}}),
                };
                Answer { value, after }
            }
            Err(failure) => json!({"statusCode": status(&failure, context)}).into(),
        })
    })
}

/// `$disconnect`: nobody reads the answer.
pub fn disconnect<S, F>(state: S, handle: impl Fn(S, DisconnectEvent) -> F + Copy + Send + Sync + 'static) -> Function
where
    S: Clone + Send + Sync + 'static,
    F: Future<Output = Result<(), Failure>> + Send,
{
    Function::of(state, DisconnectEvent::read, handle, |done: Result<(), Failure>, context| {
        Ok(json!({"statusCode": done.map_or_else(|failure| status(&failure, context), |()| 200)}))
    })
}

fn websocket(payload: Value) -> Result<ApiGatewayWebsocketProxyRequest, Failure> {
    serde_json::from_value(payload).map_err(misshapen)
}

fn guest(context: ApiGatewayWebsocketProxyRequestContext) -> Result<Guest, Failure> {
    let id = context.connection_id.ok_or_else(|| unreadable("requestContext.connectionId is missing"))?;
    if id.len() > CONNECTION_ID_BYTES_MAX {
        return Err(unreadable("requestContext.connectionId is too long"));
    }
    let id = ConnectionId::new(id);
    telemetry::connection(&id);
    let opening = Opening::from_context(&context.authorizer.fields)?;
    let ip = context.identity.source_ip;
    Ok(Guest { id, connected_at: Timestamp::from_millis(context.connected_at), opening, ip })
}

/// Refuses what is not the event that a route is for. Nothing documents that a client's frame whose `action` is
/// `$disconnect` does not run that route; and if it did, its sender would be forgotten and stay.
fn must_be(kind: &'static str, context: &ApiGatewayWebsocketProxyRequestContext) -> Result<(), Rejection> {
    if context.event_type.as_deref() == Some(kind) {
        return Ok(());
    }
    Err(Rejection::UnknownAction { action: format!("${}", kind.to_lowercase()) })
}

impl ConnectEvent {
    fn read(payload: Value) -> Result<Self, Failure> {
        let event = websocket(payload)?;
        must_be("CONNECT", &event.request_context)?;
        let subprotocols = subprotocols(&event.headers, &event.multi_value_headers);
        Ok(Self { subprotocols, guest: guest(event.request_context)? })
    }
}

impl DisconnectEvent {
    fn read(payload: Value) -> Result<Self, Failure> {
        let event = websocket(payload)?;
        must_be("DISCONNECT", &event.request_context)?;
        Ok(Self { guest: guest(event.request_context)? })
    }
}

/// What a client offers, in its order. The list may be spread over several headers (RFC 6455, section 11.3.4), of which
/// `headers` holds one; the HTTP API's authorizer sends no `multiValueHeaders`.
pub(super) fn subprotocols(headers: &HeaderMap, multi_value_headers: &HeaderMap) -> Vec<String> {
    const NAME: &str = "sec-websocket-protocol";
    let all = if multi_value_headers.contains_key(NAME) { multi_value_headers } else { headers };
    let lines = all.get_all(NAME).into_iter().filter_map(|value| value.to_str().ok());
    let offers = lines.flat_map(|line| line.split(',').map(str::trim));
    offers.filter(|offer| !offer.is_empty()).map(String::from).collect()
}
