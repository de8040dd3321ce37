//! What an AWS account answers to an operator: recorded answers, for requests that are signed as AWS wants them.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use chat_tests::Server;
use ring::hmac::{HMAC_SHA256, Key};
use ring::{digest, hmac};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;

/// The credentials that the tests give a command: those of a local run's variables, with a session.
const SECRET_KEY: &str = "local-secret-key";
pub const SESSION: &str = "marked-session-token";

const ANSWERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/answers");

/// An account, as four of its services answer.
#[derive(Clone)]
pub struct Account {
    url: String,
    state: Arc<Mutex<Answers>>,
}

#[derive(Default)]
struct Answers {
    /// By action, with the words that are filled in.
    bodies: BTreeMap<&'static str, String>,
    refused: Vec<&'static str>,
    asked: Vec<String>,
}

/// Each action, and the service that its request must be signed for.
const ACTIONS: [(&str, &str, &str); 6] = [
    ("DescribeStacks", "DescribeStacks.xml", "cloudformation"),
    ("ListStackResources", "ListStackResources.xml", "cloudformation"),
    ("ListStackResources-2", "ListStackResources-2.xml", "cloudformation"),
    ("DescribeAlarms", "DescribeAlarms.xml", "monitoring"),
    ("ListSubscriptionsByTopic", "ListSubscriptionsByTopic.xml", "sns"),
    ("GetAccountSettings", "GetAccountSettings.json", "lambda"),
];

impl Account {
    /// One whose stack is this server.
    pub async fn of(server: &Server) -> Self {
        let management = server.vars()["AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"].clone();
        let http = server.url("");
        let filled = |file: &str| {
            let text = std::fs::read_to_string(format!("{ANSWERS}/{file}")).expect("an answer");
            text.replace("{websocket}", server.websocket_url())
                .replace("{http}", &http)
                .replace("{management}", &management)
        };
        let bodies = ACTIONS.iter().map(|(action, file, _)| (*action, filled(file))).collect();
        let state = Arc::new(Mutex::new(Answers { bodies, ..Answers::default() }));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&state));
        #[allow(clippy::disallowed_methods, reason = "it lasts as long as its test")]
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, state }
    }

    /// What `AWS_ENDPOINT_URL` is set to.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Has an answer say something else.
    pub fn change(&self, action: &'static str, from: &str, to: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let body = state.bodies.get_mut(action).expect("an action");
        assert!(body.contains(from), "{action} does not say {from}");
        *body = body.replace(from, to);
    }

    /// Refuses an action from now on.
    pub fn refuse(&self, action: &'static str) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).refused.push(action);
    }

    /// The actions that were asked for since the last time.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner).asked)
    }
}

async fn answer(
    State(state): State<Arc<Mutex<Answers>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
    let action = match (form.get("Action").map(String::as_str), form.get("NextToken").map(String::as_str)) {
        (Some("ListStackResources"), Some("part/2+==")) => "ListStackResources-2",
        (Some(action), None) => action,
        (None, None) if method == Method::GET && uri.path() == "/2016-08-19/account-settings/" => "GetAccountSettings",
        other => panic!("an action that AWS does not know: {other:?} {uri}"),
    };
    let (_, _, service) = ACTIONS.iter().find(|(known, _, _)| *known == action).expect("a known action");
    if let Err(why) = signature(&method, &uri, &headers, &body, service) {
        return (
            StatusCode::FORBIDDEN,
            format!(
                "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>{why}</Message></Error></ErrorResponse>"
            ),
        );
    }
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    state.asked.push(action.to_owned());
    if state.refused.contains(&action) {
        if action == "GetAccountSettings" {
            return (
                StatusCode::FORBIDDEN,
                r#"{"Message":"User is not authorized to perform: lambda:GetAccountSettings"}"#.into(),
            );
        }
        let refused = std::fs::read_to_string(format!("{ANSWERS}/Refused.xml")).expect("an answer");
        return (StatusCode::FORBIDDEN, refused.replace("{action}", action));
    }
    (StatusCode::OK, state.bodies[action].clone())
}

/// Checks a request's signature, step by step as AWS describes it
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).
fn signature(method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8], service: &str) -> Result<(), &'static str> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let authorization = header("authorization").ok_or("no signature")?;
    let field = |name: &str| authorization.split([' ', ',']).find_map(|part| part.strip_prefix(name));
    let credential = field("Credential=").ok_or("no credential")?;
    let (signed, given) = (field("SignedHeaders=").ok_or("no headers")?, field("Signature=").ok_or("no signature")?);
    let scope = credential.split_once('/').ok_or("no scope")?.1;
    let (date, rest) = scope.split_once('/').ok_or("no date")?;
    let time = header("x-amz-date").ok_or("no time")?;
    if rest != format!("us-east-1/{service}/aws4_request") || !time.starts_with(date) {
        return Err("signed for something else");
    }
    if header("x-amz-security-token") != Some(SESSION) || !signed.contains("x-amz-security-token") {
        return Err("no session");
    }
    if !signed.split(';').any(|name| name == "host") {
        return Err("the host is not signed");
    }
    let canonical: String =
        signed.split(';').map(|name| format!("{name}:{}\n", header(name).unwrap_or_default().trim())).collect();
    let canonical = format!(
        "{method}\n{}\n{}\n{canonical}\n{signed}\n{}",
        uri.path(),
        uri.query().unwrap_or_default(),
        hex(digest::digest(&digest::SHA256, body).as_ref())
    );
    let hashed = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
    let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{hashed}");
    let mut key = format!("AWS4{SECRET_KEY}").into_bytes();
    for part in scope.split('/') {
        key = keyed(&key, part.as_bytes());
    }
    if hex(&keyed(&key, to_sign.as_bytes())) == given { Ok(()) } else { Err("another signature") }
}

fn keyed(key: &[u8], text: &[u8]) -> Vec<u8> {
    hmac::sign(&Key::new(HMAC_SHA256, key), text).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
