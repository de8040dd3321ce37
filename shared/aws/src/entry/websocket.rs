//! The routes of the WebSocket API: `$connect`, `$disconnect`, and those of frames.

use super::{Function, misshapen, status, unreadable};
use crate::delivery::encode;
use crate::{Failure, Pusher, now, telemetry};
use aws_lambda_events::apigw::{ApiGatewayWebsocketProxyRequest, ApiGatewayWebsocketProxyRequestContext};
use chat::{Caller, ConnectionId, Device, Rejection, Reply, Request, Timestamp};
use lambda_http::http::HeaderMap;
use lambda_runtime::Context;
use serde_json::{Value, json};

/// The connection that an event belongs to, and who opened it.
#[derive(Debug, Clone)]
pub struct Connection {
    pub id: ConnectionId,
    pub connected_at: Timestamp,
    pub caller: Caller,
}

impl Connection {
    /// The connection as one of its user's.
    pub fn device(&self) -> Device {
        Device { connection: self.id.clone(), connected_at: self.connected_at }
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
    pub connection: Connection,
    /// Subprotocols the client offers, in its order.
    pub subprotocols: Vec<String>,
}

/// `$disconnect`: the connection is closed. API Gateway sends it as best it can; it may never come.
#[derive(Debug)]
pub struct DisconnectEvent {
    pub connection: Connection,
}

/// An answer to `$connect` that lets the client in; a subprotocol must be echoed, or a browser gives up.
#[derive(Debug, Default)]
pub struct Accepted {
    pub subprotocol: Option<&'static str>,
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
    let answered = move |(pusher, state): (Pusher, S), Frame { connection, request }: Frame| async move {
        let asked = request.as_ref().ok().cloned();
        let reply = async {
            let connection = connection?;
            let id = connection.id.clone();
            let reply = match request {
                // Whatever it sends.
                _ if connection.caller.is_over(now()) => Err(Rejection::ConnectionGone.into()),
                Ok(request) => handle(state, MessageEvent { connection, request }).await,
                Err(refused) => Err(refused.into()),
            };
            match reply {
                Err(Failure::Rejected(Rejection::ConnectionGone)) => end(&pusher, &id, asked.as_ref()).await,
                reply => reply.map(Some),
            }
        };
        let reply = reply.await;
        Ok(Answered { asked, reply })
    };
    Function::of((pusher, state), Frame::read, answered, reply)
}

/// What came on a route of frames.
struct Frame {
    /// Apart from the request: even where this cannot be read, the reply names the request.
    connection: Result<Connection, Failure>,
    request: Result<Request, Rejection>,
}

/// What became of it. Nothing is left to say to a connection that was told of its end.
struct Answered {
    asked: Option<Request>,
    reply: Result<Option<Reply>, Failure>,
}

impl Frame {
    fn read(payload: Value) -> Result<Self, Failure> {
        let event = websocket(payload)?;
        let request = Request::parse(event.body.as_deref().unwrap_or_default());
        Ok(Self { connection: connection(event.request_context), request })
    }
}

/// Ends a connection after a word about why. Answers what else there is to say: the same, if nobody was there to be
/// told.
async fn end(pusher: &Pusher, id: &ConnectionId, asked: Option<&Request>) -> Result<Option<Reply>, Failure> {
    telemetry::refused(Rejection::ConnectionGone.code());
    let gone = || Reply::rejected(&Rejection::ConnectionGone);
    let frame = encode(&gone().answering(asked))?;
    let told = Box::pin(pusher.dismiss(id, &frame)).await?;
    Ok((!told).then(gone))
}

fn reply(answered: Result<Answered, Failure>, context: &Context) -> Result<Value, super::Error> {
    let Answered { asked, reply } = answered.unwrap_or_else(|failure| Answered { asked: None, reply: Err(failure) });
    let reply = reply.unwrap_or_else(|failure| match failure {
        Failure::Rejected(rejection) => {
            telemetry::refused(rejection.code());
            Some(Reply::rejected(&rejection))
        }
        Failure::Fault(fault) => {
            telemetry::fault(&fault, &context.request_id);
            Some(Reply::internal(&context.request_id))
        }
    });
    let Some(reply) = reply else { return Ok(json!({"statusCode": 200})) };
    Ok(json!({"statusCode": 200, "body": serde_json::to_string(&reply.answering(asked.as_ref()))?}))
}

/// `$connect`: a status that is not 200 refuses the handshake.
pub fn connect<S, F>(state: S, handle: impl Fn(S, ConnectEvent) -> F + Copy + Send + Sync + 'static) -> Function
where
    S: Clone + Send + Sync + 'static,
    F: Future<Output = Result<Accepted, Failure>> + Send,
{
    Function::of(state, ConnectEvent::read, handle, |accepted: Result<Accepted, Failure>, context| {
        Ok(match accepted {
            Ok(Accepted { subprotocol: None }) => json!({"statusCode": 200}),
            Ok(Accepted { subprotocol: Some(name) }) => {
                json!({"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": name}})
            }
            Err(failure) => json!({"statusCode": status(&failure, context)}),
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

fn connection(context: ApiGatewayWebsocketProxyRequestContext) -> Result<Connection, Failure> {
    let id = context.connection_id.ok_or_else(|| unreadable("requestContext.connectionId is missing"))?;
    let id = ConnectionId::new(id);
    telemetry::connection(&id);
    let caller = Caller::from_context(&context.authorizer.fields)?;
    Ok(Connection { id, connected_at: Timestamp::from_millis(context.connected_at), caller })
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
        Ok(Self { subprotocols, connection: connection(event.request_context)? })
    }
}

impl DisconnectEvent {
    fn read(payload: Value) -> Result<Self, Failure> {
        let event = websocket(payload)?;
        must_be("DISCONNECT", &event.request_context)?;
        Ok(Self { connection: connection(event.request_context)? })
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
