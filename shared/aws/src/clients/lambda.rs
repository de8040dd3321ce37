//! Lambda's Invoke (<https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>): the one call of Lambda that
//! functions make of it.
//!
//! A request does not carry the trace that its function runs in. Lambda ends a chain of some 16 functions of one trace
//! that invoke one another (<https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html>), and a function
//! that hands its work on to its next run for hours is such a chain.

use super::sdk::url_suffix;
use super::signed::{self, Call, Signer};
use crate::limits::{ATTEMPTS, OPERATION_TIMEOUT};
use crate::{Fault, Vars};
use hyper::body::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::time::timeout;

const INVOKE_FAILED: &str = "failed to invoke a function";

/// What a function's name is encoded with in a path: all but what RFC 3986 reserves for nothing. An ARN has colons.
const IN_A_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The statuses of Lambda's answers: the function ran, or its event is kept until it has run.
const RAN: u16 = 200;
const ACCEPTED: u16 = 202;

/// What a request carries, by how the function is invoked.
const EVENT: [(&str, &str); 2] = [("content-type", "application/json"), ("x-amz-invocation-type", "Event")];
const REQUEST_RESPONSE: [(&str, &str); 2] =
    [("content-type", "application/json"), ("x-amz-invocation-type", "RequestResponse")];

/// Longest name of an error's type that is logged, in characters: a path of Rust's has less.
const ERROR_TYPE_CHARS: usize = 100;

/// Invokes functions.
#[derive(Clone)]
pub struct Invoker {
    signer: Signer,
    endpoint: Arc<str>,
    patience: Duration,
    attempts: u32,
}

/// How a function is invoked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Event,
    RequestResponse,
}

/// Why there is no answer. None of them says what was sent or answered.
#[derive(Debug, Error)]
enum Failed {
    #[error(transparent)]
    Call(#[from] signed::Failed),
    #[error("it failed with {0}")]
    Function(String),
    #[error("its answer is not JSON")]
    NotJson,
}

impl Invoker {
    pub(super) fn new(vars: &Vars, signer: Signer) -> Self {
        // The service's own variable goes before the one for all, as in every AWS SDK.
        let given = vars.optional("AWS_ENDPOINT_URL_LAMBDA").or_else(|| vars.optional("AWS_ENDPOINT_URL"));
        let region = signer.region.as_ref();
        let own = || format!("https://lambda.{region}.{}", url_suffix(region));
        let endpoint = given.map_or_else(own, |url| url.trim_end_matches('/').to_owned());
        Self { signer, endpoint: endpoint.into(), patience: OPERATION_TIMEOUT, attempts: ATTEMPTS }
    }

    /// The same, for functions that may take so long to answer, all attempts together.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The same, for whom one attempt is all there is time for.
    #[must_use]
    pub fn once(self) -> Self {
        Self { attempts: 1, ..self }
    }

    /// Has a function run some time soon. Lambda keeps the event, runs the function for it at least once, and again if
    /// it fails. At most 1 MB.
    ///
    /// # Errors
    /// If Lambda has not taken the event within [`OPERATION_TIMEOUT`]. It may have taken it all the same, and more than
    /// once.
    pub async fn start(&self, function: &str, payload: &Value) -> Result<(), Fault> {
        self.invoke(Kind::Event, function, payload, OPERATION_TIMEOUT).await.map(drop)
    }

    /// Runs a function and waits for its answer. At most 6 MB each way.
    ///
    /// # Errors
    /// If the function failed, or did not answer in time. It may have run all the same, and more than once.
    pub async fn call(&self, function: &str, payload: &Value) -> Result<Value, Fault> {
        let answer = self.invoke(Kind::RequestResponse, function, payload, self.patience).await?;
        serde_json::from_slice(&answer).map_err(|_| Fault::because(INVOKE_FAILED, Failed::NotJson))
    }

    async fn invoke(&self, kind: Kind, function: &str, payload: &Value, within: Duration) -> Result<Bytes, Fault> {
        match timeout(within, self.answer(kind, function, &payload.to_string())).await {
            Ok(answer) => answer.map_err(Fault::doing(INVOKE_FAILED)),
            Err(elapsed) => Err(Fault::because(INVOKE_FAILED, elapsed)),
        }
    }

    async fn answer(&self, kind: Kind, function: &str, payload: &str) -> Result<Bytes, Failed> {
        let url = self.url(function);
        let answer = self.signer.call(&self.call_of(kind, &url, payload)).await?;
        let body = Bytes::copy_from_slice(answer.body().bytes().unwrap_or_default());
        match answer.headers().get("x-amz-function-error") {
            Some(_) => Err(Failed::Function(error_type(&body))),
            None => Ok(body),
        }
    }

    fn url(&self, function: &str) -> String {
        let function = utf8_percent_encode(function, IN_A_PATH);
        format!("{}/2015-03-31/functions/{function}/invocations", self.endpoint)
    }

    fn call_of<'a>(&self, kind: Kind, url: &'a str, body: &'a str) -> Call<'a> {
        let (headers, patience, expected) = match kind {
            Kind::Event => (&EVENT, None, ACCEPTED),
            Kind::RequestResponse => (&REQUEST_RESPONSE, Some(self.patience), RAN),
        };
        let attempts = self.attempts;
        Call { service: "lambda", method: "POST", url, headers, body, patience, attempts, expected }
    }
}

/// The type of a function's error; its message may quote what it was about.
fn error_type(answer: &[u8]) -> String {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    answer["errorType"].as_str().unwrap_or("an error without a type").chars().take(ERROR_TYPE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::super::sockets::Patience;
    use super::*;
    use aws_sdk_dynamodb::config::{Credentials, Region};
    use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
    use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_types::body::SdkBody;
    use chat::Timestamp;
    use hyper::{Request, Response};
    use serde_json::json;
    use std::sync::Mutex;
    use tokio::time::Instant;

    /// Answers attempts one after the other, as it is told. It has no answer to one too many.
    #[derive(Debug, Clone, Default)]
    struct Script(Arc<Mutex<Vec<Answered>>>, Arc<Mutex<Vec<HttpRequest>>>);

    #[derive(Debug, Clone, Copy)]
    enum Answered {
        Broken,
        TimedOut,
        /// A request that cannot be sent.
        Unsendable,
        Never,
        With(u16, &'static [(&'static str, &'static str)], &'static str),
    }

    impl HttpConnector for Script {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            self.1.lock().expect("requests").push(request);
            let answered = self.0.lock().expect("answers").remove(0);
            HttpConnectorFuture::new(async move {
                match answered {
                    Answered::Broken => Err(ConnectorError::io("reset".into())),
                    Answered::TimedOut => Err(ConnectorError::timeout("late".into())),
                    Answered::Unsendable => Err(ConnectorError::user("no host".into())),
                    Answered::Never => std::future::pending().await,
                    Answered::With(status, headers, body) => {
                        let answer = Response::builder().status(status);
                        let answer = headers.iter().fold(answer, |answer, (name, value)| answer.header(*name, *value));
                        Ok(answer.body(SdkBody::from(body)).expect("an answer").try_into().expect("an answer"))
                    }
                }
            })
        }
    }

    impl Script {
        fn of(answers: &[Answered]) -> Self {
            Self(Arc::new(Mutex::new(answers.to_vec())), Arc::default())
        }

        fn invoker(&self) -> Invoker {
            invoker_over("us-east-1", &[], self.clone())
        }

        /// What each attempt so far carried in a header.
        fn headers(&self, name: &str) -> Vec<String> {
            let requests = self.1.lock().expect("requests");
            requests.iter().map(|request| request.headers().get(name).expect("a header").to_owned()).collect()
        }
    }

    fn invoker(region: &'static str, vars: &[(&str, &str)]) -> Invoker {
        invoker_over(region, vars, Script::default())
    }

    fn invoker_over(region: &'static str, vars: &[(&str, &str)], script: Script) -> Invoker {
        let credentials =
            Credentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None, None, "test");
        let connector = SharedHttpConnector::new(script);
        let signer = Signer::new(&Region::from_static(region), &credentials, connector);
        Invoker::new(&vars.iter().copied().collect(), signer)
    }

    fn request(invoker: &Invoker, kind: Kind, function: &str) -> Request<SdkBody> {
        let now = Timestamp::from_millis(1_440_938_160_000);
        let url = invoker.url(function);
        invoker.signer.request(&invoker.call_of(kind, &url, r#"{"room":"1"}"#), "id", 2, now).expect("a request")
    }

    #[test]
    fn lambda_is_where_the_variables_say_or_in_the_functions_region() {
        let own = ("AWS_ENDPOINT_URL_LAMBDA", "http://localhost:1/");
        let all = ("AWS_ENDPOINT_URL", "http://localhost:2");
        for (region, vars, endpoint) in [
            ("eu-central-1", &[][..], "https://lambda.eu-central-1.amazonaws.com"),
            ("cn-north-1", &[], "https://lambda.cn-north-1.amazonaws.com.cn"),
            ("eu-central-1", &[all], "http://localhost:2"),
            ("eu-central-1", &[all, own], "http://localhost:1"),
        ] {
            assert_eq!(&*invoker(region, vars).endpoint, endpoint);
        }
    }

    #[test]
    fn a_name_is_encoded_whole() {
        let invoker = invoker("us-east-1", &[]);
        for (function, encoded) in
            [("chat-Deliver_1~.x", "chat-Deliver_1~.x"), ("arn:aws:lambda:f/å", "arn%3Aaws%3Alambda%3Af%2F%C3%A5")]
        {
            let path = format!("/2015-03-31/functions/{encoded}/invocations");
            assert_eq!(request(&invoker, Kind::Event, function).uri().path(), path);
        }
    }

    /// Computed without `aws-sigv4`, as AWS describes it: the encoded path is encoded once more in what is signed.
    #[test]
    fn a_request_is_signed() {
        let request = request(&invoker("us-east-1", &[]), Kind::Event, "arn:aws:lambda:f/å");
        let signed = request.headers()["authorization"].to_str().expect("text");
        let expected = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/lambda/aws4_request, \
            SignedHeaders=content-type;host;x-amz-date;x-amz-invocation-type, \
            Signature=2d25d05dda6db79d220f647149cccb3dac8b24f79b234c6f1db63cef90304921";
        assert_eq!(signed, expected);
        assert_eq!(request.headers()["x-amz-date"], "20150830T123600Z");
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_go_well_is_tried_again() {
        use Answered::{Broken, TimedOut, With};
        for failed in [Broken, TimedOut, With(429, &[], ""), With(500, &[], ""), With(503, &[], "")] {
            let script = Script::of(&[failed, failed, With(202, &[], "")]);
            script.invoker().start("f", &json!({})).await.expect("started");
            assert_eq!(script.headers("amz-sdk-request").len(), 3, "{failed:?}");
            assert_eq!(script.headers("amz-sdk-request")[1], "attempt=2; max=3");
            assert_eq!(script.headers("x-amz-invocation-type"), ["Event"; 3]);
            let ids = script.headers("amz-sdk-invocation-id");
            assert!(ids.iter().all(|id| *id == ids[0]), "the attempts of one call: {ids:?}");

            let script = Script::of(&[failed; 3]);
            script.invoker().call("f", &json!({})).await.expect_err("no more attempts");
            assert_eq!(script.headers("x-amz-invocation-type"), ["RequestResponse"; 3]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_no_time_asks_once() {
        let script = Script::of(&[Answered::With(503, &[], "")]);
        script.invoker().once().call("f", &json!({})).await.expect_err("one attempt");
        assert_eq!(script.headers("amz-sdk-request"), ["attempt=1; max=1"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_never_goes_well_is_tried_once() {
        use Answered::{Unsendable, With};
        let gone: &[_] = &[("x-amzn-errortype", "ResourceNotFoundException:http://internal.amazon.com/")];
        for (answered, said) in [
            (Unsendable, "no answer"),
            (With(404, gone, r#"{"Message":"private"}"#), "answered 404 ResourceNotFoundException"),
            (With(413, &[], "private"), "answered 413 "),
        ] {
            let fault = Script::of(&[answered]).invoker().start("f", &json!({})).await.expect_err(said);
            let chain = fault.chain().to_string();
            assert!(chain.starts_with(&format!("failed to invoke a function: {said}")), "{chain}");
            assert!(!chain.contains("private"), "{chain}");
        }
        // An event is not run at once, and an answer is no promise to run it.
        for answered in [With(200, &[], "{}"), With(204, &[], "")] {
            Script::of(&[answered]).invoker().start("f", &json!({})).await.expect_err("not taken");
        }
    }

    #[tokio::test]
    async fn an_answer_is_the_functions_or_a_fault_that_names_the_error_only() {
        use Answered::With;
        let answer = Script::of(&[With(200, &[], r#"{"posts":2}"#)]).invoker().call("f", &json!({})).await;
        assert_eq!(answer.expect("an answer"), json!({"posts": 2}));
        let failed: &[_] = &[("x-amz-function-error", "Unhandled")];
        for (answered, said) in [
            (With(200, failed, r#"{"errorType":"Runtime.ExitError","errorMessage":"private"}"#), "Runtime.ExitError"),
            (With(200, failed, "private"), "an error without a type"),
        ] {
            let fault = Script::of(&[answered]).invoker().call("f", &json!({})).await.expect_err(said);
            assert_eq!(fault.chain().to_string(), format!("failed to invoke a function: it failed with {said}"));
        }
        let fault =
            Script::of(&[With(200, &[], "private")]).invoker().call("f", &json!({})).await.expect_err("no JSON");
        assert_eq!(fault.chain().to_string(), "failed to invoke a function: its answer is not JSON");
    }

    #[tokio::test(start_paused = true)]
    async fn an_invocation_is_given_up_in_time() {
        let began = Instant::now();
        Script::of(&[Answered::Never]).invoker().start("f", &json!({})).await.expect_err("no answer");
        assert_eq!(began.elapsed(), OPERATION_TIMEOUT);
        let patience = Duration::from_secs(60);
        let (began, script) = (Instant::now(), Script::of(&[Answered::Never]));
        script.invoker().with_patience(patience).call("f", &json!({})).await.expect_err("no answer");
        assert_eq!(began.elapsed(), patience);
        let given = script.1.lock().expect("requests")[0].extension::<Patience>().map(|patience| patience.0);
        assert_eq!(given, Some(patience), "its socket waits as long");
    }
}
