//! Between Lambda and a handler: an event in our words goes in, an answer in our words comes out, and this is the one
//! place where refusals and faults become answers.

mod action;
mod after;
mod authorizer;
mod call;
mod clock;
mod http;
mod packets;
mod websocket;

pub use action::{ActionEvent, action, unanswered_action};
pub use after::{After, Answer};
pub use authorizer::{AuthorizeEvent, Verdict, authorize};
pub use call::{CallEvent, call};
pub use clock::clock;
pub use http::{HttpAnswer, HttpEvent, http, posted};
pub use packets::{Packets, packets};
pub use websocket::{
    Accepted, ConnectEvent, Connection, DisconnectEvent, Guest, MessageEvent, connect, disconnect, message,
};

use crate::telemetry::Records;
use crate::{Failure, Fault, Vars, telemetry};
use after::{Afterwards, RunsAfter};
use lambda_http::service_fn;
use lambda_runtime::layers::TracingLayer;
use lambda_runtime::{Context, LambdaEvent, Runtime};
use serde_json::Value;
use std::cell::Cell;
use std::pin::Pin;
use std::process::ExitCode;

/// Lambda's own error: the invocation failed, and API Gateway says so in its words.
pub type Error = lambda_runtime::Error;

type Invocation = Pin<Box<dyn Future<Output = Result<Answer, Error>> + Send>>;

/// A function as Lambda sees it: a JSON event and a context in, a JSON answer out.
pub struct Function(Box<dyn Fn(Value, Context) -> Invocation + Send + Sync>);

impl Function {
    /// Every kind of function: `read` makes our event of Lambda's, `handle` is the handler, and `answer` makes what
    /// Lambda returns of the handler's answer or failure.
    fn of<S, E, A, F, R>(
        state: S,
        read: impl Fn(Value) -> Result<E, Failure> + Copy + Send + Sync + 'static,
        handle: impl Fn(S, E) -> F + Copy + Send + Sync + 'static,
        answer: impl Fn(Result<A, Failure>, &Context) -> Result<R, Error> + Copy + Send + Sync + 'static,
    ) -> Self
    where
        S: Clone + Send + Sync + 'static,
        E: Send,
        A: Send,
        F: Future<Output = Result<A, Failure>> + Send,
        R: Into<Answer>,
    {
        Self(Box::new(move |payload, context| {
            let state = state.clone();
            Box::pin(async move {
                let handled = async { handle(state, read(payload)?).await };
                answer(handled.await, &context).map(Into::into)
            })
        }))
    }

    /// One function for several routes, of either API. A route key is what API Gateway calls a route: `joinRoom`, `GET
    /// /path`. An [`action`] stands there once: `POST /signal` is that of `signal`.
    pub fn of_routes(routes: impl IntoIterator<Item = (&'static str, Self)>) -> Self {
        let routes: Vec<_> = routes.into_iter().collect();
        Self(Box::new(move |payload, context| {
            let key = payload["requestContext"]["routeKey"].as_str();
            let action = key.and_then(|key| key.strip_prefix("POST /"));
            match routes.iter().find(|(route, _)| Some(*route) == key || Some(*route) == action) {
                Some((_, function)) => function.invoke(payload, context),
                None => Box::pin(async { Err(Error::from("the function has no such route")) }),
            }
        }))
    }

    /// Runs one invocation.
    pub fn invoke(&self, payload: Value, context: Context) -> Invocation {
        (self.0)(payload, context)
    }

    /// Begins one invocation under the given request id, outside Lambda: whoever calls it runs what comes after the
    /// answer.
    pub fn begin_as(&self, request_id: &str, payload: Value) -> Invocation {
        let mut context = Context::default();
        context.request_id = request_id.to_owned();
        self.invoke(payload, context)
    }

    /// Runs one invocation under the given request id, outside Lambda, with what comes after its answer.
    pub async fn invoke_as(&self, request_id: &str, payload: Value) -> Result<Value, Error> {
        let Answer { value, after } = self.begin_as(request_id, payload).await?;
        if let Some(after) = after {
            after.await;
        }
        Ok(value)
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
        let (records, warm) = (Records::new(&vars), Cell::new(false));
        let afterwards = Afterwards::default();
        let invoke = |event: LambdaEvent<Value>| {
            let request_id = event.context.request_id.clone();
            let (records, is_first) = (records.as_ref(), !warm.replace(true));
            let invocation = function.invoke(event.payload, event.context);
            let afterwards = &afterwards;
            async move {
                let answer = match records {
                    Some(records) => records.of(&request_id, is_first, invocation).await,
                    None => invocation.await,
                };
                answer.map(|Answer { value, after }| {
                    afterwards.leave(after);
                    value
                })
            }
        };
        let runtime = runtime.map_err(Fault::doing("failed to start"))?;
        let serve = async {
            // As `lambda_runtime::run` does it, with one more layer.
            Runtime::new(service_fn(invoke)).layer(RunsAfter(&afterwards)).layer(TracingLayer::new()).run().await
        };
        runtime.block_on(serve).map_err(Fault::doing("failed to serve"))
    };
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            telemetry::fatal(&fault);
            ExitCode::FAILURE
        }
    }
}

/// Whether an event is a request of the HTTP API, as the format 2.0 of its events says.
fn is_http(payload: &Value) -> bool {
    payload["requestContext"]["http"].is_object()
}

/// The status that says the same as a failure.
fn status(failure: &Failure, context: &Context) -> u16 {
    match failure {
        Failure::Rejected(rejection) => {
            telemetry::refused(rejection.code());
            rejection.status().0
        }
        Failure::Fault(fault) => {
            telemetry::fault(fault, &context.request_id);
            500
        }
    }
}

/// A failure as Lambda's error. The runtime logs it, so the cause goes there and not into a line of ours.
fn lambda_error(failure: Failure) -> Error {
    match failure {
        Failure::Rejected(rejection) => {
            telemetry::refused(rejection.code());
            Error::from(rejection)
        }
        Failure::Fault(fault) => {
            telemetry::refused("internal");
            Error::from(fault.chain().to_string())
        }
    }
}

/// What is wrong with an event's shape, without the value that is wrong: it may be a token.
fn misshapen(error: serde_json::Error) -> Failure {
    let said = error.to_string();
    unreadable(said.split('"').next().unwrap_or_default().trim_end().to_owned())
}

fn unreadable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failure {
    Failure::Fault(Fault::because("failed to read the event", error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn echo(route: &'static str) -> (&'static str, Function) {
        (route, call((), move |(), event: CallEvent| async move { Ok(json!([route, event.payload["body"]])) }))
    }

    #[tokio::test]
    async fn a_function_may_serve_routes_of_both_apis() {
        let function = Function::of_routes([echo("joinRoom"), echo("GET /chatrooms")]);
        let answer = async |route: &str| {
            let event = json!({"requestContext": {"routeKey": route}, "body": "b"});
            function.invoke_as("r", event).await.map_err(|error| error.to_string())
        };
        assert_eq!(answer("joinRoom").await, Ok(json!(["joinRoom", "b"])));
        assert_eq!(answer("GET /chatrooms").await, Ok(json!(["GET /chatrooms", "b"])));
        assert_eq!(answer("POST /joinRoom").await, Ok(json!(["joinRoom", "b"])), "an action of either API");
        assert_eq!(answer("POST /chatrooms").await, Err("the function has no such route".into()));
    }
}
