//! Faults at the wire: a proxy between each invocation and AWS refuses calls, loses answers, delays them, or kills the
//! function. The functions do not know of it.

use crate::proxy::{self, INVOKE, Passage, of_object, operation};
use crate::{in_time, signed_for_s3};
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use chat_local::{Interference, Plan};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};

/// How long a call is delayed: longer than any call takes, and shorter than the time after which a function gives up.
const DELAY: Duration = Duration::from_millis(250);

/// Largest body that passes; a history page of 100 long messages is 1.2 MB.
const BODY_BYTES_MAX: usize = 8 << 20;

/// Invocations whose calls are remembered.
const REMEMBERED: u64 = 10_000;

/// How a call is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// 500
    Failed,
    /// 503
    Unavailable,
    /// DynamoDB's 400, or the 429 of the management API and of Lambda
    Throttled,
}

/// A fault of one AWS call, and of all attempts that the SDK makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The first attempt is refused and not applied.
    RefusedOnce(Refusal),
    /// Every attempt is.
    Refused(Refusal),
    /// The first attempt is applied and answered with a 500.
    AnswerLostOnce,
    /// Every attempt is.
    AnswerLost,
    Delayed,
    /// The function dies, and the call was not applied.
    KilledBefore,
    /// The function dies, and the call was applied.
    KilledAfter,
}

impl Fault {
    pub const ALL: [Self; 11] = [
        Self::RefusedOnce(Refusal::Failed),
        Self::RefusedOnce(Refusal::Unavailable),
        Self::RefusedOnce(Refusal::Throttled),
        Self::Refused(Refusal::Failed),
        Self::Refused(Refusal::Unavailable),
        Self::Refused(Refusal::Throttled),
        Self::AnswerLostOnce,
        Self::AnswerLost,
        Self::Delayed,
        Self::KilledBefore,
        Self::KilledAfter,
    ];
}

impl Fault {
    /// Whether it happens to the first attempt only.
    pub(crate) fn strikes_once(self) -> bool {
        matches!(self, Self::RefusedOnce(_) | Self::AnswerLostOnce | Self::Delayed)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// What is to happen to one invocation.
#[derive(Default)]
pub struct Direction {
    /// The number of the call, from 0 in the order in which calls begin, and its fault.
    pub fault: Option<(usize, Fault)>,
    /// The event is lost, as API Gateway may lose a `$disconnect`.
    pub lost: bool,
    /// The event is delivered twice, at the same time.
    pub twice: bool,
    /// The invocation waits for this before it starts.
    pub start: Option<BoxFuture<'static, ()>>,
    /// Its calls go through the proxy even without a fault, so that they are recorded.
    pub watched: bool,
}

/// Decides about every invocation: by its function, its event, and the number that [`Chaos::calls`] takes.
pub type Director = Box<dyn Fn(&str, &Value, u64) -> Direction + Send + Sync>;

/// What happens to every call of a kind, of each invocation that begins while it lasts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Weather {
    /// DynamoDB throttles.
    pub tables_throttled: bool,
    /// The management API throttles.
    pub pushes_throttled: bool,
    /// The management API fails.
    pub pushes_failing: bool,
}

impl Weather {
    fn refuses(self, service: Service) -> Option<Refusal> {
        match service {
            Service::Management if self.pushes_failing => Some(Refusal::Failed),
            Service::Management if self.pushes_throttled => Some(Refusal::Throttled),
            Service::DynamoDb if self.tables_throttled => Some(Refusal::Throttled),
            _ => None,
        }
    }
}

/// Who a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    DynamoDb,
    Management,
    Lambda,
    S3,
}

impl Service {
    /// Each with the variable that has its endpoint, and its place in the proxy's paths.
    const ALL: [(Self, &str, &str); 4] = [
        (Self::DynamoDb, "AWS_ENDPOINT_URL_DYNAMODB", "dynamodb"),
        (Self::Management, "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", "management"),
        (Self::Lambda, "AWS_ENDPOINT_URL_LAMBDA", "lambda"),
        (Self::S3, "AWS_ENDPOINT_URL_S3", "s3"),
    ];
}

/// The proxy.
#[derive(Clone)]
pub struct Chaos(Arc<Inner>);

struct Inner {
    /// Its own URL, set when it serves.
    url: OnceLock<String>,
    passage: Passage,
    /// The URLs of DynamoDB, the management API and S3, set when the local run is up.
    targets: OnceLock<(String, String, String)>,
    director: Director,
    weather: Mutex<Weather>,
    /// How many calls met each fault.
    struck: Mutex<BTreeMap<Fault, usize>>,
    next: AtomicU64,
    invocations: Mutex<HashMap<u64, Invocation>>,
    under_way: Mutex<UnderWay>,
}

/// How many invocations are under way, and when that last changed.
struct UnderWay {
    invocations: usize,
    changed: Instant,
}

impl UnderWay {
    fn change(&mut self, how: fn(usize) -> usize) {
        *self = Self { invocations: how(self.invocations), changed: Instant::now() };
    }
}

impl fmt::Debug for Chaos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Chaos").field(&self.0.url).finish()
    }
}

#[derive(Default)]
struct Invocation {
    /// Its calls so far: the SDK's id, which is the same for all attempts, and the operation.
    calls: Vec<(String, String)>,
    fault: Option<(usize, Fault)>,
    /// One of its calls met the fault.
    struck: bool,
    kill: Arc<Notify>,
    /// True once the function has answered or is dead.
    ended: watch::Sender<bool>,
}

/// Reports the end of an invocation when the plan is dropped.
struct End(watch::Sender<bool>, Chaos);

impl Drop for End {
    fn drop(&mut self) {
        self.0.send_replace(true);
        lock(&self.1.0.under_way).change(|invocations| invocations - 1);
    }
}

impl Chaos {
    /// Starts the proxy. The director decides about invocations.
    pub async fn start(director: Director) -> Self {
        let chaos = Self(Arc::new(Inner {
            url: OnceLock::new(),
            passage: Passage::new(),
            targets: OnceLock::new(),
            director,
            weather: Mutex::default(),
            struck: Mutex::default(),
            next: AtomicU64::new(0),
            invocations: Mutex::default(),
            under_way: Mutex::new(UnderWay { invocations: 0, changed: Instant::now() }),
        }));
        let url = proxy::serve(Router::new().fallback(serve).with_state(chaos.clone())).await;
        chaos.0.url.set(url).expect("set once");
        chaos
    }

    /// Sets where calls are passed on to.
    pub fn aim(&self, dynamodb_url: &str, management_url: &str, s3_url: &str) {
        self.0.targets.set((dynamodb_url.into(), management_url.into(), s3_url.into())).expect("aimed once");
    }

    pub fn set_weather(&self, weather: Weather) {
        *lock(&self.0.weather) = weather;
    }

    /// How many calls met each fault so far.
    pub fn struck(&self) -> BTreeMap<Fault, usize> {
        lock(&self.0.struck).clone()
    }

    /// The calls of an invocation, in the order in which they began.
    pub fn calls(&self, invocation: u64) -> Vec<String> {
        let invocations = lock(&self.0.invocations);
        let calls = invocations.get(&invocation).map(|invocation| invocation.calls.as_slice()).unwrap_or_default();
        calls.iter().map(|(_, operation)| operation.clone()).collect()
    }

    /// Whether the fault that was meant for an invocation has happened.
    pub fn has_struck(&self, invocation: u64) -> bool {
        lock(&self.0.invocations).get(&invocation).is_some_and(|invocation| invocation.struck)
    }

    /// How long no invocation has been under way.
    pub(crate) fn quiet_for(&self) -> Duration {
        let under_way = lock(&self.0.under_way);
        if under_way.invocations == 0 { under_way.changed.elapsed() } else { Duration::ZERO }
    }

    /// Waits until an invocation has answered or is dead.
    pub async fn ended(&self, number: u64) {
        let ended = lock(&self.0.invocations).get(&number).map(|invocation| invocation.ended.subscribe());
        if let Some(mut ended) = ended {
            // The sender is kept as long as the invocation is remembered.
            let _ = in_time(format!("invocation {number} ends"), ended.wait_for(|ended| *ended)).await;
        }
    }

    /// The endpoints for a function in a process of its own, one of whose calls, from 0, is to meet a fault.
    pub fn endpoints_with(&self, call: usize, fault: Fault) -> [(&'static str, String); 4] {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        self.begin(number);
        self.set(Some((call, fault)), number);
        self.endpoints(number)
    }

    fn endpoints(&self, number: u64) -> [(&'static str, String); 4] {
        let url = |place: &str| format!("{}/{number}/{place}", self.0.url.get().expect("it serves"));
        Service::ALL.map(|(_, variable, place)| (variable, url(place)))
    }

    fn begin(&self, number: u64) -> (Arc<Notify>, End) {
        let invocation = Invocation::default();
        let begun = (Arc::clone(&invocation.kill), End(invocation.ended.clone(), self.clone()));
        lock(&self.0.under_way).change(|invocations| invocations + 1);
        let mut invocations = lock(&self.0.invocations);
        invocations.insert(number, invocation);
        // Long runs have many invocations, and one as old as that has ended.
        invocations.remove(&number.wrapping_sub(REMEMBERED));
        begun
    }

    fn set(&self, fault: Option<(usize, Fault)>, number: u64) {
        lock(&self.0.invocations).entry(number).or_default().fault = fault;
    }

    /// Records an attempt of a call. Returns its fault, whether it is the first attempt, and what kills the function.
    fn meet(&self, number: u64, sdk_id: &str, operation: &str) -> (Option<Fault>, bool, Arc<Notify>) {
        let mut invocations = lock(&self.0.invocations);
        let invocation = invocations.entry(number).or_default();
        let known = invocation.calls.iter().position(|(id, _)| id == sdk_id);
        let at = known.unwrap_or_else(|| {
            invocation.calls.push((sdk_id.into(), operation.into()));
            invocation.calls.len() - 1
        });
        let fault = invocation.fault.filter(|(call, _)| *call == at).map(|(_, fault)| fault);
        if let Some(fault) = fault.filter(|_| known.is_none()) {
            invocation.struck = true;
            *lock(&self.0.struck).entry(fault).or_default() += 1;
        }
        (fault, known.is_none(), Arc::clone(&invocation.kill))
    }
}

impl Interference for Chaos {
    fn plan(&self, function: &str, event: &Value) -> Plan {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        // Begun before the director tells of it: whoever then waits for its end must find it.
        let (kill, end) = self.begin(number);
        let direction = (self.0.director)(function, event, number);
        self.set(direction.fault, number);
        // An invocation that nothing can happen to needs no proxy, and long runs are many times faster without it.
        let calm = *lock(&self.0.weather) == Weather::default();
        let vars = match direction.fault {
            None if calm && !direction.watched => Vec::new(),
            _ => self.endpoints(number).map(|(name, url)| (name.to_owned(), url)).into(),
        };
        let start = direction.start.unwrap_or_else(|| async {}.boxed());
        Plan {
            deliveries: usize::from(!direction.lost) + usize::from(direction.twice),
            start,
            vars,
            killed: async move {
                let _end = end;
                kill.notified().await;
            }
            .boxed(),
            ..Plan::default()
        }
    }
}

/// One attempt of one call, `/<invocation>/<service>/…`.
async fn serve(State(chaos): State<Chaos>, request: Request) -> Response {
    let path = request.uri().path_and_query().map(|path| path.as_str().to_owned()).unwrap_or_default();
    let mut parts = path.trim_start_matches('/').splitn(3, '/');
    let number: u64 = parts.next().and_then(|number| number.parse().ok()).expect("an invocation");
    let place = parts.next();
    let service = Service::ALL.into_iter().find(|(_, _, of)| place == Some(of)).map(|(service, _, _)| service);
    let service = service.expect("a service");
    let (dynamodb, management, s3) = chaos.0.targets.get().expect("aimed before it is used");
    let rest = parts.next().unwrap_or_default();
    let url = match service {
        Service::DynamoDb => dynamodb.clone(),
        Service::Management => format!("{management}/{rest}"),
        // Lambda's endpoint is the whole gateway.
        Service::Lambda => format!("{}/{rest}", management.rsplit_once('/').expect("a stage").0),
        Service::S3 => format!("{s3}/{rest}"),
    };
    let (head, body) = request.into_parts();
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let called = match service {
        Service::DynamoDb => operation(&head.headers).to_owned(),
        Service::Management => format!("{} @connections", head.method),
        Service::Lambda => INVOKE.to_owned(),
        Service::S3 => of_object(&head.method),
    };
    let (fault, first, kill) = chaos.meet(number, header("amz-sdk-invocation-id"), &called);
    let body = to_bytes(body, BODY_BYTES_MAX).await.expect("a body");
    let headers = match service {
        // Its signature says the address that it is for.
        Service::S3 => signed_for_s3(head.method.as_str(), &url),
        _ => head.headers,
    };
    let call = Call { method: head.method, url, headers, body };

    let weather = *lock(&chaos.0.weather);
    if let Some(how) = weather.refuses(service) {
        return refusal(service, how);
    }
    match fault.filter(|fault| first || !fault.strikes_once()) {
        None => chaos.apply(call).await,
        Some(Fault::RefusedOnce(how) | Fault::Refused(how)) => refusal(service, how),
        Some(Fault::AnswerLostOnce | Fault::AnswerLost) => {
            chaos.apply(call).await;
            refusal(service, Refusal::Failed)
        }
        Some(Fault::Delayed) => {
            tokio::time::sleep(DELAY).await;
            chaos.apply(call).await
        }
        Some(Fault::KilledBefore) => {
            kill.notify_one();
            std::future::pending().await
        }
        Some(Fault::KilledAfter) => {
            chaos.apply(call).await;
            kill.notify_one();
            std::future::pending().await
        }
    }
}

/// A call on its way.
struct Call {
    method: Method,
    url: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Chaos {
    async fn apply(&self, call: Call) -> Response {
        let (status, headers, body) = self.0.passage.pass_on(call.method, &call.url, call.headers, call.body).await;
        let mut response = (status, Body::from(body)).into_response();
        *response.headers_mut() = headers;
        response
    }
}

fn refusal(service: Service, how: Refusal) -> Response {
    let (status, kind) = match (how, service) {
        (Refusal::Failed, _) => (StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError"),
        (Refusal::Unavailable, _) => (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable"),
        (Refusal::Throttled, Service::Management) => (StatusCode::TOO_MANY_REQUESTS, "LimitExceededException"),
        (Refusal::Throttled, Service::S3) => (StatusCode::SERVICE_UNAVAILABLE, "SlowDown"),
        (Refusal::Throttled, Service::Lambda) => (StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException"),
        (Refusal::Throttled, Service::DynamoDb) => (StatusCode::BAD_REQUEST, "ProvisionedThroughputExceededException"),
    };
    let body = json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{kind}"), "message": "a fault of the test"});
    (status, [("x-amzn-errortype", kind)], axum::Json(body)).into_response()
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
