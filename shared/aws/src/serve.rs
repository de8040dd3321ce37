//! Between Lambda and a handler: events in, replies out, and the one place where refusals and faults become frames.

use crate::apigw::{
    self, Accepted, AuthorizeEvent, CallEvent, ConnectEvent, DisconnectEvent, HttpEvent, MessageEvent, Verdict,
};
use crate::{Failure, Fault, Pusher, Vars, now, telemetry};
use chat::{Rejection, Reply, Request, http_internal, http_refusal};
use lambda_http::http::{Response, header};
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Service, service_fn};
use lambda_runtime::{Context, LambdaEvent};
use serde::Serialize;
use serde_json::{Value, json};
use std::pin::Pin;
use std::process::ExitCode;

/// Lambda's own error: the invocation failed, and API Gateway says so in its words.
pub type Error = lambda_runtime::Error;

type Invocation = Pin<Box<dyn Future<Output = Result<Value, Error>> + Send>>;

/// A function as Lambda sees it: a JSON event and a context in, a JSON answer out.
pub struct Function(Box<dyn Fn(Value, Context) -> Invocation + Send + Sync>);

impl Function {
    fn new<F: Future<Output = Result<Value, Error>> + Send + 'static>(
        invoke: impl Fn(Value, Context) -> F + Send + Sync + 'static,
    ) -> Self {
        Self(Box::new(move |payload, context| Box::pin(invoke(payload, context))))
    }

    /// Runs one invocation.
    pub fn invoke(&self, payload: Value, context: Context) -> Invocation {
        (self.0)(payload, context)
    }

    /// Runs one invocation under the given request id, outside Lambda.
    pub fn invoke_as(&self, request_id: &str, payload: Value) -> Invocation {
        let mut context = Context::default();
        context.request_id = request_id.to_owned();
        self.invoke(payload, context)
    }
}

/// Serves a function on Lambda until the process is ended.
///
/// One thread: a function handles one event at a time, and a runtime of many threads takes twice the CPU per call.
pub fn run(function: impl FnOnce(&Vars) -> Result<Function, Fault>) -> ExitCode {
    let vars = Vars::from_env();
    telemetry::init(&vars);
    let serve = || {
        let function = function(&vars)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let invoke = |event: LambdaEvent<Value>| function.invoke(event.payload, event.context);
        let runtime = runtime.map_err(Fault::doing("failed to start"))?;
        runtime.block_on(lambda_runtime::run(service_fn(invoke))).map_err(Fault::doing("failed to serve"))
    };
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            telemetry::fatal(&fault);
            ExitCode::FAILURE
        }
    }
}

/// A route of the WebSocket API: a frame in, a reply out. A connection that is closed, or whose token is good no more, is told so and
/// ended: an answer of the function would come after the end.
pub fn message<S, F>(state: S, handle: impl Fn(S, MessageEvent) -> F + Copy + Send + Sync + 'static) -> Function
where
    S: AsRef<Pusher> + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Reply, Failure>> + Send,
{
    Function::new(move |payload, context| {
        let state = state.clone();
        async move {
            let mut asked = None;
            let result = async {
                let event = apigw::websocket(payload)?;
                let request = Request::parse(event.body.as_deref().unwrap_or_default());
                asked = request.as_ref().ok().cloned();
                let connection = apigw::connection(event.request_context)?;
                let id = connection.id.clone();
                let answered = match request {
                    // Whatever it sends.
                    _ if connection.caller.is_over(now()) => Err(Rejection::ConnectionGone.into()),
                    Ok(request) => handle(state.clone(), MessageEvent { connection, request }).await,
                    Err(refused) => Err(refused.into()),
                };
                let Err(Failure::Rejected(gone @ Rejection::ConnectionGone)) = answered else {
                    return answered.map(Some);
                };
                let frame = asked.iter().fold(Reply::rejected(&gone), Reply::answering);
                let frame = serde_json::to_vec(&frame).map_err(Fault::doing("failed to encode a frame"))?;
                let told = Box::pin(state.as_ref().dismiss(&id, &frame)).await?;
                Ok((!told).then(|| Reply::rejected(&gone)))
            };
            let reply = result.await.unwrap_or_else(|failure| match failure {
                Failure::Rejected(rejection) => Some(Reply::rejected(&rejection)),
                Failure::Fault(fault) => {
                    telemetry::fault(&fault, &context.request_id);
                    Some(Reply::internal(&context.request_id))
                }
            });
            let Some(reply) = reply else { return Ok(json!({"statusCode": 200})) };
            let reply = asked.iter().fold(reply, Reply::answering);
            Ok(json!({"statusCode": 200, "body": serde_json::to_string(&reply)?}))
        }
    })
}

/// `$connect`: a status that is not 200 refuses the handshake.
pub fn connect<S, F>(state: S, handle: impl Fn(S, ConnectEvent) -> F + Copy + Send + Sync + 'static) -> Function
where
    S: Clone + Send + Sync + 'static,
    F: Future<Output = Result<Accepted, Failure>> + Send,
{
    Function::new(move |payload, context| {
        let state = state.clone();
        async move {
            let result = async { handle(state, ConnectEvent::read(payload)?).await };
            Ok(match result.await {
                Ok(Accepted { subprotocol: None }) => json!({"statusCode": 200}),
                Ok(Accepted { subprotocol: Some(name) }) => {
                    json!({"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": name}})
                }
                Err(failure) => json!({"statusCode": status(&failure, &context)}),
            })
        }
    })
}

/// `$disconnect`: nobody reads the answer.
pub fn disconnect<S, F>(state: S, handle: impl Fn(S, DisconnectEvent) -> F + Copy + Send + Sync + 'static) -> Function
where
    S: Clone + Send + Sync + 'static,
    F: Future<Output = Result<(), Failure>> + Send,
{
    Function::new(move |payload, context| {
        let state = state.clone();
        async move {
            let result = async { handle(state, DisconnectEvent::read(payload)?).await };
            let status = result.await.map_or_else(|failure| status(&failure, &context), |()| 200);
            Ok(json!({"statusCode": status}))
        }
    })
}

/// A function without a route: whoever may invoke it gets its answer, or Lambda's error, which names the field that is wrong.
pub fn call<S, F, A>(state: S, handle: impl Fn(S, CallEvent) -> F + Copy + Send + Sync + 'static) -> Function
where
    S: Clone + Send + Sync + 'static,
    F: Future<Output = Result<A, Failure>> + Send,
    A: Serialize,
{
    Function::new(move |payload, _| {
        let state = state.clone();
        async move {
            // The runtime logs what it is returned, so the cause goes there and not into a line of ours.
            let answer = handle(state, CallEvent { payload }).await.map_err(cause)?;
            Ok(serde_json::to_value(answer)?)
        }
    })
}

/// The authorizer of both APIs. A fault is Lambda's error: API Gateway then answers 500 and lets nobody in.
pub fn authorize<S, F>(state: S, handle: impl Fn(S, AuthorizeEvent) -> F + Copy + Send + Sync + 'static) -> Function
where
    S: Clone + Send + Sync + 'static,
    F: Future<Output = Result<Verdict, Failure>> + Send,
{
    Function::new(move |payload, _| {
        let state = state.clone();
        async move {
            // The runtime logs what it is returned, so the cause goes there and not into a line of ours.
            handle(state, AuthorizeEvent::read(payload).map_err(cause)?).await.map(Verdict::into_policy).map_err(cause)
        }
    })
}

/// A route of the HTTP API that answers JSON with a `Link` header.
pub fn http<S, F>(state: S, handle: impl Fn(S, HttpEvent) -> F + Copy + Send + Sync + 'static) -> Function
where
    S: Clone + Send + Sync + 'static,
    F: Future<Output = Result<Response<String>, Failure>> + Send,
{
    Function::new(move |mut payload, context| {
        let state = state.clone();
        async move {
            let query = take_address(&mut payload);
            let request_id = context.request_id.clone();
            let mut service = Adapter::from(service_fn(move |request: lambda_http::Request| {
                let (state, request_id, query) = (state.clone(), request_id.clone(), query.clone());
                async move {
                    let result = async { handle(state, HttpEvent::read(&request, query)?).await };
                    result.await.or_else(|failure| http_failure(&failure, &request_id))
                }
            }));
            let payload: LambdaRequest = serde_json::from_value(payload)?;
            let response = service.call(LambdaEvent::new(payload, context)).await?;
            Ok(serde_json::to_value(response)?)
        }
    })
}

/// Takes the query string out of an event, and what else would make an address: `lambda_http` puts that together, and panics
/// where it is none, over what a client may have sent. A route knows its path, and reads the query string itself.
fn take_address(payload: &mut Value) -> String {
    if let Some(Value::Object(headers)) = payload.get_mut("headers") {
        headers.retain(|name, _| !["host", "x-forwarded-proto"].iter().any(|part| name.eq_ignore_ascii_case(part)));
    }
    if let Some(Value::Object(context)) = payload.get_mut("requestContext") {
        context.remove("domainName");
        context.insert("stage".into(), json!("$default"));
    }
    let Value::Object(event) = payload else { return String::new() };
    event.insert("rawPath".into(), json!("/"));
    match event.insert("rawQueryString".into(), json!("")) {
        Some(Value::String(query)) => query,
        _ => String::new(),
    }
}

/// A JSON response of the HTTP API. No cache keeps it: not the browser's that others use too, and none on the way that knows
/// nothing of tokens.
pub fn json_response(status: u16, body: &impl serde::Serialize) -> Result<Response<String>, Fault> {
    let doing = "failed to build a response";
    let body = serde_json::to_string(body).map_err(Fault::doing(doing))?;
    let response = Response::builder().status(status).header(header::CACHE_CONTROL, "no-store");
    let response = response.header(header::CONTENT_TYPE, "application/json; charset=utf-8");
    response.body(body).map_err(Fault::doing(doing))
}

fn http_failure(failure: &Failure, request_id: &str) -> Result<Response<String>, Error> {
    let (status, body) = match failure {
        Failure::Rejected(rejection) => {
            let (status, reason) = rejection.status();
            (status, http_refusal(status, reason, &rejection.to_string()))
        }
        Failure::Fault(fault) => {
            telemetry::fault(fault, request_id);
            (500, http_internal(request_id))
        }
    };
    Ok(json_response(status, &body)?)
}

fn cause(failure: Failure) -> Error {
    match failure {
        Failure::Rejected(rejection) => Error::from(rejection),
        Failure::Fault(fault) => Error::from(fault.chain().to_string()),
    }
}

fn status(failure: &Failure, context: &Context) -> u16 {
    match failure {
        Failure::Rejected(rejection) => rejection.status().0,
        Failure::Fault(fault) => {
            telemetry::fault(fault, &context.request_id);
            500
        }
    }
}
