//! The WebSocket API: the handshake, then frames in both directions until either side ends it.

use super::authorizer::Authorizer;
use super::connections::{Client, Connection, Connections, Outgoing};
use super::limits::{
    CLOSE_GRACE, FRAME_BYTES_MAX, FRAMES_IN_FLIGHT_MAX, HOST_CHARS, INTEGRATION_TIMEOUT, MESSAGE_BYTES_MAX,
    STOP_CLOSE_GRACE, URL_CHARS_MAX, WRITE_BUFFER_BYTES_MAX,
};
use super::throttle::TOO_MANY;
use super::{Gateway, events, polling, refuse};
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::stream::SplitSink;
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// A client asks for a connection. It gets one only after authorizer and `$connect` agreed.
pub async fn handshake(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
) -> Response {
    let Some(upgrade) = request.extensions_mut().remove::<OnUpgrade>() else {
        if let Some(answer) = polling::answer(request.uri(), request.headers(), gateway.stage()) {
            return answer;
        }
        return refuse(StatusCode::UPGRADE_REQUIRED, "this is a WebSocket endpoint");
    };
    if url_chars(&request) > URL_CHARS_MAX {
        return refuse(StatusCode::URI_TOO_LONG, "the URL is longer than 4,096 characters");
    }
    let Ok(accepted) = create_response_with_body(&request, Body::empty) else {
        return refuse(StatusCode::BAD_REQUEST, "the handshake is not one of RFC 6455");
    };
    if gateway.closing.is_cancelled() {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable");
    }
    if !gateway.throttles.admit("$connect") {
        return refuse(StatusCode::TOO_MANY_REQUESTS, TOO_MANY);
    }
    // On AWS a function runs on when its client hangs up, so it does here.
    let worker = Arc::clone(&gateway);
    let shaken = gateway.tasks.spawn(async move { worker.shake(request, peer, accepted, upgrade).await }).await;
    shaken.unwrap_or_else(|_| refuse(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error"))
}

impl Gateway {
    async fn shake(
        self: Arc<Self>,
        request: Request,
        peer: SocketAddr,
        mut accepted: Response,
        upgrade: OnUpgrade,
    ) -> Response {
        let (headers, query) = (request.headers(), request.uri().query());
        let id = self.ids.connection();
        let (mut connection, outgoing) = Connections::prepare(id, client(headers, peer), Value::Null);

        let api = &self.template.websocket;
        if let Some(function) = &api.authorizer {
            let authorizer = Authorizer { function, identity_headers: &api.identity_headers };
            let asked = Instant::now();
            let event = events::authorize_handshake(&connection, self.stage(), headers, query, &self.ids);
            match self.authorize(&authorizer, headers, event, &events::connect_arn(self.stage())).await {
                Ok(mut context) => {
                    context.insert("integrationLatency".into(), json!(asked.elapsed().as_millis()));
                    connection.authorizer = Value::Object(context);
                }
                Err(status) => return refuse(status, status.canonical_reason().unwrap_or_default()),
            }
        }
        if let Some(route) = api.routes.get("$connect") {
            let event = events::connect(&connection, self.stage(), headers, query, &self.ids);
            let Ok(answer) = self.invoke(&route.function, event).await else {
                return refuse(StatusCode::BAD_GATEWAY, "Internal server error");
            };
            let status = answer["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(502);
            if !(200..300).contains(&status) {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
                return refuse(status, status.canonical_reason().unwrap_or_default());
            }
            if let Some(protocol) = subprotocol(&answer) {
                accepted.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
            }
        }
        let connection = self.connections.add(connection);
        let worker = Arc::clone(&self);
        self.tasks.spawn(async move { worker.serve(connection, outgoing, upgrade).await });
        accepted
    }

    /// One integration, within API Gateway's own time-out.
    async fn invoke(&self, function: &str, event: Value) -> Result<Value, ()> {
        let request_id = self.ids.request();
        let invocation = self.functions.invoke(function, &request_id, event);
        timeout(INTEGRATION_TIMEOUT, invocation).await.map_err(drop)?.map_err(drop)
    }

    /// Serves a connection to its end, whatever ends it, then tells `$disconnect`.
    async fn serve(
        self: Arc<Self>,
        connection: Arc<Connection>,
        outgoing: mpsc::Receiver<Outgoing>,
        upgrade: OnUpgrade,
    ) {
        let (code, socket) = match upgrade.await {
            Ok(upgraded) => self.converse(&connection, outgoing, upgraded).await,
            Err(_) => (1006, None),
        };
        // From here on, a post gets 410.
        self.connections.remove(&connection.id);
        let grace = if self.closing.is_cancelled() { STOP_CLOSE_GRACE } else { CLOSE_GRACE };
        let disconnect = async {
            if let Some(route) = self.template.websocket.routes.get("$disconnect") {
                let event = events::disconnect(&connection, self.stage(), code, reason(code), &self.ids);
                // `$disconnect` is best effort. A failure is in the log already.
                let _ = self.invoke(&route.function, event).await;
            }
        };
        tokio::join!(disconnect, part(socket, grace));
    }

    /// Reads frames until the connection ends. Returns its close code and the rest of its socket.
    async fn converse(
        self: &Arc<Self>,
        connection: &Arc<Connection>,
        outgoing: mpsc::Receiver<Outgoing>,
        upgraded: Upgraded,
    ) -> (u16, Option<Socket>) {
        let config = WebSocketConfig::default()
            .max_frame_size(Some(FRAME_BYTES_MAX))
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
            .read_buffer_size(8 * 1024);
        let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
        let (sink, mut frames) = socket.split();
        let mut writer = self.tasks.spawn(write(sink, outgoing));
        let end = Instant::now() + self.limits.lifetime;
        let places = Arc::new(Semaphore::new(FRAMES_IN_FLIGHT_MAX));
        let code = loop {
            let idle = connection.idle_since() + self.limits.idle;
            let next = async {
                let place = Arc::clone(&places).acquire_owned().await.ok();
                (place, frames.next().await)
            };
            tokio::select! {
                // A client that floods does not put off its end; and a simulation runs the same each time.
                biased;
                () = connection.told_to_close() => break 1000,
                () = self.closing.cancelled() => break 1001,
                () = sleep_until(end) => break 1001,
                () = sleep_until(idle) => if connection.idle_since() + self.limits.idle <= Instant::now() { break 1001 },
                // The socket accepts nothing more.
                sink = &mut writer => return (1006, sink.ok().and_then(|sink| frames.reunite(sink).ok())),
                (place, frame) = next => match frame {
                    Some(Ok(Message::Text(body))) => {
                        connection.touch();
                        self.dispatch(Arc::clone(connection), body.to_string(), place);
                    }
                    Some(Ok(Message::Binary(_))) => break 1003,
                    Some(Ok(Message::Close(frame))) => break frame.map_or(1005, |frame| frame.code.into()),
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                    Some(Err(Error::Capacity(_))) => break 1009,
                    Some(Err(Error::Utf8(_))) => break 1007,
                    Some(Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake))) => break 1006,
                    Some(Err(Error::Protocol(_))) => break 1002,
                    Some(Err(_)) | None => break 1006,
                },
            }
        };
        self.connections.remove(&connection.id);
        let goodbye = async {
            connection.send_last(code).await;
            (&mut writer).await.ok()
        };
        // A client that does not read would not see a close frame.
        let sink = timeout(CLOSE_GRACE, goodbye).await.ok().flatten();
        writer.abort();
        (code, sink.and_then(|sink| frames.reunite(sink).ok()))
    }

    /// Hands a frame to its route, and does not wait: frames of one connection are handled side by side. It counts as
    /// one of the connection's frames under way until its reply is queued.
    fn dispatch(self: &Arc<Self>, connection: Arc<Connection>, body: String, place: Option<OwnedSemaphorePermit>) {
        let gateway = Arc::clone(self);
        self.tasks.spawn(async move {
            let routes = &gateway.template.websocket.routes;
            let key = route_key(&body).filter(|key| !key.starts_with('$') && routes.contains_key(key));
            let key = key.unwrap_or_else(|| "$default".into());
            let own = |message: &str| {
                let request_id = gateway.ids.request();
                Some(json!({"message": message, "connectionId": connection.id, "requestId": request_id}).to_string())
            };
            let reply = match routes.get(&key) {
                None => own("Forbidden"),
                // AWS documents the 429 but not its frame. This one has HTTP's words and the form of the other errors.
                Some(_) if !gateway.throttles.admit(&key) => own(TOO_MANY),
                Some(route) => {
                    let event = events::message(&connection, gateway.stage(), &key, &body, &gateway.ids);
                    match gateway.invoke(&route.function, event).await {
                        Ok(answer) => answer["body"].as_str().filter(|_| route.replies).map(String::from),
                        Err(()) => own("Internal server error"),
                    }
                }
            };
            if let Some(reply) = reply {
                connection.reply(reply).await;
            }
            drop(place);
        });
    }
}

/// The length of a handshake's URL in a deployment.
fn url_chars(request: &Request) -> usize {
    let host = request.headers().get(header::HOST).map_or(0, HeaderValue::len);
    let path = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    "wss://".len() + host.max(HOST_CHARS) + path
}

/// What `$request.body.action` selects: nothing, unless the frame is an object whose `action` is a string.
fn route_key(body: &str) -> Option<String> {
    let body: Value = serde_json::from_str(body).ok()?;
    Some(body.as_object()?.get("action")?.as_str()?.to_owned())
}

fn client(headers: &HeaderMap, peer: SocketAddr) -> Client {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    Client { source_ip: peer.ip().to_string(), user_agent: header(header::USER_AGENT), host: header(header::HOST) }
}

fn subprotocol(answer: &Value) -> Option<HeaderValue> {
    let headers = answer["headers"].as_object()?;
    let (_, value) = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-protocol"))?;
    HeaderValue::try_from(value.as_str()?).ok()
}

/// Writes frames until a close is written or the socket takes no more.
async fn write(
    mut sink: SplitSink<Socket, Message>,
    mut outgoing: mpsc::Receiver<Outgoing>,
) -> SplitSink<Socket, Message> {
    while let Some(next) = outgoing.recv().await {
        match next {
            Outgoing::Frame(text, _place) => {
                // The buffer holds pongs. The frame waits until the client has read them.
                if sink.flush().await.is_err() || sink.send(Message::text(text)).await.is_err() {
                    break;
                }
            }
            Outgoing::Close(code) => {
                let frame = CloseFrame { code: CloseCode::from(code), reason: reason(code).into() };
                let sendable = CloseCode::from(code).is_allowed().then_some(frame);
                // If the client closed, the answer is in the buffer already and only needs a flush.
                let _ = sink.send(Message::Close(sendable)).await;
                let _ = sink.flush().await;
                break;
            }
        }
    }
    sink
}

/// Reads what the client still sends until it hangs up, for a limited time. Otherwise a reset could discard our close
/// frame.
async fn part(socket: Option<Socket>, grace: Duration) {
    let Some(socket) = socket else { return };
    let mut stream = socket.into_inner();
    let farewell = async {
        stream.shutdown().await?;
        let mut rest = [0; 4 * 1024];
        while stream.read(&mut rest).await? > 0 {}
        Ok::<_, std::io::Error>(())
    };
    // Drops the socket of a client that does not hang up in time.
    let _ = timeout(grace, farewell).await;
}

/// The reason that belongs to a close code.
fn reason(code: u16) -> &'static str {
    match code {
        1000 => "",
        1001 => "Going away",
        1002 => "Protocol error",
        1003 => "Unsupported data",
        1005 => "Client-side close frame status not set",
        1007 => "Invalid frame payload data",
        1009 => "Message too big",
        _ => "Connection closed abnormally",
    }
}
