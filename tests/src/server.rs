use crate::App;
use crate::{Chaos, Deployment, in_time, until};
use chat_aws::Vars;
use chat_local::{Interference, Limits, Local, Options};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The project's template. Tests run in their package's folder.
const TEMPLATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml");

/// A local run for one test, with access to its inside.
pub struct Server {
    pub(crate) deployment: Deployment,
    dynamodb_url: String,
    management_url: String,
    s3_url: String,
    /// An altered template, which is on disk as long as the server.
    _template: Option<tempfile::TempDir>,
}

impl Deref for Server {
    type Target = Deployment;

    fn deref(&self) -> &Deployment {
        &self.deployment
    }
}

impl Server {
    /// In memory, with the project's template.
    pub async fn start() -> Self {
        Self::run(options(), None).await
    }

    /// Keeps its tables in a folder.
    pub async fn start_in(data: &Path) -> Self {
        Self::run(Options { data: Some(data.to_owned()), ..options() }, None).await
    }

    /// Starts with its tables in this folder. Returns the error, if it does not start.
    pub async fn try_start_in(data: &Path) -> Result<(), String> {
        let started = Local::start(Options { data: Some(data.to_owned()), ..options() }).await;
        started.map(drop).map_err(|error| format!("{error:#}"))
    }

    pub async fn start_with_limits(limits: Limits) -> Self {
        Self::run(Options { limits, ..options() }, None).await
    }

    pub async fn start_with_parameter(name: &str, value: &str) -> Self {
        Self::start_with_parameter_and(name, value, Limits::default()).await
    }

    pub async fn start_with_parameter_and(name: &str, value: &str, limits: Limits) -> Self {
        let mut parameters = fast();
        parameters.insert(name.into(), value.into());
        Self::run(Options { parameters, limits, ..options() }, None).await
    }

    /// With whoever answers at an address for a reviewer.
    pub async fn start_reviewed(address: &str, parameters: &[(&str, &str)]) -> Self {
        let parameters = fast_and(parameters);
        Self::run(Options { parameters, review: Some(address.to_owned()), ..options() }, None).await
    }

    /// With some text of the template replaced.
    pub async fn start_with_template(replace: &[(&str, &str)]) -> Self {
        Self::run_template(replace, &[], None).await
    }

    /// With values for some parameters, and some text of the template replaced.
    pub async fn start_with_parameters(parameters: &[(&str, &str)], replace: &[(&str, &str)]) -> Self {
        Self::run_template(replace, parameters, None).await
    }

    /// The same, with an interference in every invocation.
    pub async fn start_with_template_and(replace: &[(&str, &str)], interference: Arc<dyn Interference>) -> Self {
        Self::run_template(replace, &[], Some(interference)).await
    }

    /// With an interference, and with as much time for each function as API Gateway has: on a busy machine a function
    /// that posts to a thousand takes longer than its own time-out.
    pub async fn start_patient(parameters: &[(&str, &str)], interference: Arc<dyn Interference>) -> Self {
        Self::run_template(&[("    Timeout: 10\n", "    Timeout: 29\n")], parameters, Some(interference)).await
    }

    async fn run_template(
        replace: &[(&str, &str)],
        parameters: &[(&str, &str)],
        interference: Option<Arc<dyn Interference>>,
    ) -> Self {
        let mut text = std::fs::read_to_string(TEMPLATE).expect("the template");
        for (from, to) in replace {
            assert!(text.contains(from), "the template does not contain {from:?}");
            text = text.replace(from, to);
        }
        let folder = tempfile::tempdir().expect("a folder");
        let template = folder.path().join("template.yaml");
        std::fs::write(&template, text).expect("written");
        Self::run(Options { template, parameters: fast_and(parameters), interference, ..options() }, Some(folder)).await
    }

    /// In memory, with an interference in every invocation.
    pub async fn start_with(interference: Arc<dyn Interference>, limits: Limits) -> Self {
        Self::run(Options { limits, interference: Some(interference), ..options() }, None).await
    }

    /// The same with values for some parameters.
    pub async fn start_with_parameters_and(
        parameters: &[(&str, &str)],
        interference: Arc<dyn Interference>,
        limits: Limits,
    ) -> Self {
        let parameters = fast_and(parameters);
        Self::run(Options { limits, parameters, interference: Some(interference), ..options() }, None).await
    }

    /// In memory, with `chaos` between every invocation and AWS.
    pub async fn start_in_chaos(chaos: &Chaos, limits: Limits, parameters: &[(&str, &str)]) -> Self {
        let server = Self::start_with_parameters_and(parameters, Arc::new(chaos.clone()), limits).await;
        chaos.aim(&server.dynamodb_url, &server.management_url, &server.s3_url);
        server
    }

    async fn run(options: Options, template: Option<tempfile::TempDir>) -> Self {
        let local = in_time("the local run starts", Local::start(options)).await.expect("the local run starts");
        Self {
            dynamodb_url: local.dynamodb_url().to_owned(),
            management_url: local.management_url(),
            s3_url: local.s3_url().to_owned(),
            deployment: Deployment::of(local),
            _template: template,
        }
    }

    pub async fn stop(self) {
        self.deployment.stop().await;
    }

    /// What `AWS_ENDPOINT_URL_S3` is set to.
    pub fn s3_url(&self) -> &str {
        &self.s3_url
    }

    pub fn dynamodb_url(&self) -> &str {
        &self.dynamodb_url
    }

    /// A call of the management API, signed well enough for the gateway.
    pub async fn management(&self, method: reqwest::Method, connection: &str, body: String) -> reqwest::Response {
        let id = connection.replace('=', "%3D");
        let request = self.http().request(method, format!("{}/@connections/{id}", self.management_url));
        signed(request).body(body).send().await.expect("an answer")
    }

    /// The URL where a function is invoked with IAM.
    pub fn function_url(&self, function: &str) -> String {
        format!("{}/2015-03-31/functions/{function}/invocations", self.gateway_url())
    }

    /// What `AWS_ENDPOINT_URL_LAMBDA` is set to.
    pub fn gateway_url(&self) -> &str {
        self.management_url.rsplit_once('/').expect("a path").0
    }

    /// Invokes a function at Lambda's own endpoint.
    pub async fn invoke(&self, function: &str, kind: &str, payload: &str) -> reqwest::Response {
        let request = signed(self.http().post(self.function_url(function))).header("x-amz-invocation-type", kind);
        request.body(payload.to_owned()).send().await.expect("an answer")
    }

    /// Invokes a function as a backend does. Returns the answer, or the error.
    pub async fn call(&self, function: &str, payload: &Value) -> Result<Value, String> {
        let response = self.invoke(function, "RequestResponse", &payload.to_string()).await;
        let failed = response.headers().contains_key("x-amz-function-error") || !response.status().is_success();
        let body: Value = response.json().await.expect("JSON");
        if failed { Err(body["errorMessage"].as_str().unwrap_or("refused").to_owned()) } else { Ok(body) }
    }

    /// A call of DynamoDB itself, not by the stores.
    pub async fn dynamodb(&self, operation: &str, body: Value) -> Value {
        self.try_dynamodb(operation, body).await.unwrap_or_else(|error| panic!("{operation}: {error}"))
    }

    /// The same, or the error that it answers.
    pub async fn try_dynamodb(&self, operation: &str, body: Value) -> Result<Value, String> {
        let request = self.http().post(&self.dynamodb_url);
        let request = signed(request).header("x-amz-target", format!("DynamoDB_20120810.{operation}"));
        let request = request.header("content-type", "application/x-amz-json-1.0").body(body.to_string());
        let response = request.send().await.expect("an answer");
        let status = response.status();
        let body: Value = serde_json::from_str(&response.text().await.expect("a body")).expect("JSON");
        if status.is_success() { Ok(body) } else { Err(body.to_string()) }
    }

    /// The keys of all rows of a table, as `PK SK`.
    pub async fn keys(&self, table: &str) -> Vec<String> {
        let scan = self.dynamodb("Scan", json!({"TableName": table, "ConsistentRead": true})).await;
        let items = scan["Items"].as_array().expect("items");
        let key = |item: &Value, name: &str| item[name]["S"].as_str().expect("a key").to_owned();
        items.iter().map(|item| format!("{} {}", key(item, "PK"), key(item, "SK"))).collect()
    }

    /// Whether a row of a table has an attribute.
    pub async fn row(&self, table: &str, attribute: &str) -> bool {
        let scan = self.dynamodb("Scan", json!({"TableName": table, "ConsistentRead": true})).await;
        scan["Items"].as_array().expect("items").iter().any(|item| !item[attribute].is_null())
    }

    /// The attribute of the first row that has it, as a number.
    pub async fn number(&self, table: &str, attribute: &str) -> i64 {
        let scan = self.dynamodb("Scan", json!({"TableName": table, "ConsistentRead": true})).await;
        let numbers = scan["Items"].as_array().expect("items").iter().filter_map(|item| item[attribute]["N"].as_str());
        numbers.map(|number| number.parse().expect("a number")).next().expect("it is there")
    }

    /// Makes a user's connections look a minute older than they are.
    pub async fn age_devices(&self, user: &str) {
        let older = |device: String| {
            let (began, connection) = device.split_once('#').expect("a device");
            format!("{}#{connection}", began.parse::<i64>().expect("a time") - 60_000)
        };
        let devices: Vec<_> = self.devices(user).await.into_iter().map(older).collect();
        let key = json!({"PK": {"S": format!("USER#{user}")}, "SK": {"S": "PROFILE"}});
        let update = json!({"TableName": "ChatTable", "Key": key, "UpdateExpression": "SET devices = :devices",
            "ExpressionAttributeValues": {":devices": {"SS": devices}}});
        self.dynamodb("UpdateItem", update).await;
    }

    /// The connections that stand in a user's row.
    pub async fn devices(&self, user: &str) -> Vec<String> {
        let key = json!({"PK": {"S": format!("USER#{user}")}, "SK": {"S": "PROFILE"}});
        let row = self.dynamodb("GetItem", json!({"TableName": "ChatTable", "Key": key, "ConsistentRead": true})).await;
        let devices = row["Item"]["devices"]["SS"].as_array().cloned().unwrap_or_default();
        devices.iter().map(|device| device.as_str().expect("a text").to_owned()).collect()
    }

    /// Waits until nothing is left of any connection.
    pub async fn forgets_connections(&self) {
        let empty = async || self.keys("ConnectionsTable").await.is_empty();
        until("the rows of ended connections go away", empty).await;
    }

    /// The variables that a function gets here.
    pub fn vars(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            ("AWS_REGION", "us-east-1".into()),
            ("AWS_ACCESS_KEY_ID", "local-access-key".into()),
            ("AWS_SECRET_ACCESS_KEY", "local-secret-key".into()),
            ("AWS_ENDPOINT_URL_DYNAMODB", self.dynamodb_url.clone()),
            ("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", self.management_url.clone()),
            ("AWS_ENDPOINT_URL_LAMBDA", self.gateway_url().to_owned()),
            ("CONNECTIONS_TABLE", "ConnectionsTable".into()),
            ("CHAT_TABLE", "ChatTable".into()),
            ("FILES_BUCKET", "FilesBucket".into()),
            ("AWS_ENDPOINT_URL_S3", self.s3_url.clone()),
            ("DELIVER_FUNCTION", "DeliverFunction".into()),
            ("SENDS_PER_SECOND", "1000".into()),
        ])
    }

    /// The stores, as a function has them.
    pub fn app(&self) -> App {
        self.app_with(&[])
    }

    pub fn app_with(&self, changes: &[(&'static str, &str)]) -> App {
        let mut vars = self.vars();
        vars.extend(changes.iter().map(|(name, value)| (*name, (*value).to_owned())));
        App::new(&Vars::from_iter(vars)).expect("an app")
    }
}

fn signed(request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
    let credential = "AWS4-HMAC-SHA256 Credential=local/20250312/us-east-1/dynamodb/aws4_request";
    let authorization = format!("{credential}, SignedHeaders=host;x-amz-date, Signature=0");
    request.header("authorization", authorization).header("x-amz-date", "20250312T022245Z")
}

/// Tests send faster than people do. The rates have tests of their own.
fn fast() -> BTreeMap<String, String> {
    BTreeMap::from([("SendsPerSecond".into(), "1000".into()), ("RequestsPerSecond".into(), "10000".into())])
}

/// The same, and more.
fn fast_and(parameters: &[(&str, &str)]) -> BTreeMap<String, String> {
    let more = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    fast().into_iter().chain(more).collect()
}

fn options() -> Options {
    Options {
        port: 0,
        dynamodb_port: 0,
        s3_port: 0,
        data: None,
        template: PathBuf::from(TEMPLATE),
        parameters: fast(),
        limits: Limits::default(),
        review: None,
        interference: None,
    }
}
