//! What `template.yaml` says about routes, authorizers, functions, environment and tables.

mod apis;
mod buckets;
mod event_invoke;
mod parameters;
mod pipe;
mod resolve;
mod rights;
mod schedule;
mod yaml;

pub use apis::{Cors, HttpApi, HttpRoute, Throttle, WebSocketApi};
pub use buckets::{BucketSpec, CorsRule};
pub use event_invoke::EventInvokeConfig;
pub use pipe::PipeSpec;
pub use resolve::{ACCOUNT, REGION};
pub use schedule::Schedule;

use anyhow::{Context, Result, bail, ensure};
use resolve::Resolver;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A template, read and resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    pub websocket: WebSocketApi,
    pub http: HttpApi,
    /// By logical id.
    pub functions: BTreeMap<String, FunctionSpec>,
    pub tables: Vec<TableSpec>,
    pub buckets: Vec<BucketSpec>,
    pub schedules: Vec<Schedule>,
    /// What puts rows onto a bus.
    pub pipe: Option<PipeSpec>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct FunctionSpec {
    /// Its handler.
    pub name: String,
    pub timeout: Duration,
    pub event_invoke: EventInvokeConfig,
    /// In MB.
    pub memory: u64,
    pub variables: BTreeMap<String, String>,
    /// What it may do, each as `action table kind#*` or `action VERB/path`.
    pub rights: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct TableSpec {
    /// Logical id, which is the table's name here.
    pub name: String,
    /// DynamoDB's `CreateTable` request.
    pub create: Value,
    /// The attribute that rows expire by.
    pub expires_by: Option<String>,
    /// What its stream shows of a change, if it has one.
    pub stream: Option<String>,
    /// Whether its rows are kept, by its `DeletionPolicy`.
    pub retained: bool,
}

/// Lambda's time-out if the template does not say, and the longest, in seconds; and its memory, in MB.
const TIMEOUT_DEFAULT: u64 = 3;
const TIMEOUT_MAX: u64 = 900;
const MEMORY_DEFAULT: u64 = 128;

impl Template {
    /// The template's text as JSON, with CloudFormation's short forms (`!Ref`) written out.
    pub fn document(text: &str) -> Result<Value> {
        yaml::parse(text)
    }

    /// Reads a template with the given parameters.
    pub fn parse(text: &str, parameters: &BTreeMap<String, String>) -> Result<Self> {
        let template = Self::document(text)?;
        let resources = section(&template, "Resources").context("there are no Resources")?;
        let empty = Map::new();
        let optional = |name: &str| section(&template, name).unwrap_or(&empty);
        let parameters = parameters::values(optional("Parameters"), parameters)?;
        let resolver = Resolver::new(parameters, optional("Conditions"), resources);
        resolver.check(optional("Rules"))?;
        let reader = Reader { resolver, globals: &template["Globals"]["Function"], resources };
        reader.check_conditions()?;
        Ok(Self {
            websocket: reader.websocket_api()?,
            http: reader.http_api()?,
            functions: reader.functions()?,
            tables: reader.tables()?,
            buckets: reader.buckets()?,
            schedules: reader.schedules()?,
            pipe: reader.pipe()?,
        })
    }
}

impl Template {
    /// Whether frames that name no action are read as packets of Socket.IO.
    pub fn takes_packets(&self) -> bool {
        let taken_by = self.websocket.routes.get("$default").and_then(|route| self.functions.get(&route.function));
        taken_by.is_some_and(|function| function.name == "socket-io")
    }
}

fn section<'a>(template: &'a Value, name: &str) -> Option<&'a Map<String, Value>> {
    template.get(name).and_then(Value::as_object)
}

struct Reader<'a> {
    resolver: Resolver<'a>,
    globals: &'a Value,
    resources: &'a Map<String, Value>,
}

impl<'a> Reader<'a> {
    /// The resources of a type that the template's conditions do not leave out.
    fn of_type(&self, kind: &'static str) -> impl Iterator<Item = (&'a String, &'a Value)> {
        self.resources.iter().filter(move |(_, resource)| resource["Type"] == kind && self.is_made(resource))
    }

    fn is_made(&self, resource: &Value) -> bool {
        resource["Condition"].as_str().is_none_or(|condition| self.resolver.condition(condition).unwrap_or(false))
    }

    /// Fails if a condition cannot be told: what it is about must not just be missing.
    fn check_conditions(&self) -> Result<()> {
        for (id, resource) in self.resources {
            if let Some(condition) = resource["Condition"].as_str() {
                self.resolver.condition(condition).with_context(|| id.clone())?;
            }
        }
        Ok(())
    }

    fn only(&self, kind: &'static str) -> Result<(&'a String, &'a Value)> {
        let mut found = self.of_type(kind);
        match (found.next(), found.next()) {
            (Some((id, resource)), None) => Ok((id, &resource["Properties"])),
            _ => bail!("there must be one {kind}"),
        }
    }

    fn functions(&self) -> Result<BTreeMap<String, FunctionSpec>> {
        self.check_no_other_rights()?;
        let mut functions = BTreeMap::new();
        for (id, resource) in self.of_type("AWS::Serverless::Function") {
            let properties = &resource["Properties"];
            let name = properties["Handler"].as_str().with_context(|| format!("{id}: Handler"))?.to_owned();
            let number = |name: &str| properties[name].as_u64().or_else(|| self.globals[name].as_u64());
            let mut variables = BTreeMap::new();
            for source in [self.globals, properties] {
                for (variable, value) in source["Environment"]["Variables"].as_object().into_iter().flatten() {
                    let value = self.resolver.text(value).with_context(|| format!("{id}: {variable}"))?;
                    variables.insert(variable.clone(), value);
                }
            }
            let seconds = number("Timeout").unwrap_or(TIMEOUT_DEFAULT);
            ensure!((1..=TIMEOUT_MAX).contains(&seconds), "{id}: Timeout must be from 1 to {TIMEOUT_MAX} seconds");
            let timeout = Duration::from_secs(seconds);
            let event_invoke = self.event_invoke_config(properties);
            let event_invoke = event_invoke.with_context(|| format!("{id}: EventInvokeConfig"))?;
            let memory = number("MemorySize").unwrap_or(MEMORY_DEFAULT);
            let rights = self.rights(id, properties).with_context(|| format!("{id}: Policies"))?;
            functions.insert(id.clone(), FunctionSpec { name, timeout, event_invoke, memory, variables, rights });
        }
        Ok(functions)
    }

    fn tables(&self) -> Result<Vec<TableSpec>> {
        let mut tables = Vec::new();
        for (id, resource) in self.of_type("AWS::DynamoDB::Table") {
            let properties = self.resolver.resolve(&resource["Properties"]).with_context(|| id.clone())?;
            let mut create = json!({
                "TableName": id,
                "KeySchema": properties["KeySchema"],
                "AttributeDefinitions": properties["AttributeDefinitions"],
                "BillingMode": properties["BillingMode"],
            });
            if !properties["GlobalSecondaryIndexes"].is_null() {
                create["GlobalSecondaryIndexes"] = properties["GlobalSecondaryIndexes"].clone();
            }
            let expiry = &properties["TimeToLiveSpecification"];
            let expires_by = expiry["AttributeName"].as_str().filter(|_| expiry["Enabled"] == true);
            tables.push(TableSpec {
                name: id.clone(),
                create,
                expires_by: expires_by.map(String::from),
                stream: properties["StreamSpecification"]["StreamViewType"].as_str().map(String::from),
                retained: resource["DeletionPolicy"] == "Retain",
            });
        }
        Ok(tables)
    }

    /// The logical id of the function that an ARN names.
    fn function_of(&self, arn: &Value) -> Result<String> {
        let arn = self.resolver.text(arn)?;
        let id = arn.rsplit(':').next().unwrap_or_default();
        match self.resources.get(id) {
            Some(resource) if resource["Type"] == "AWS::Serverless::Function" && self.is_made(resource) => {
                Ok(id.to_owned())
            }
            _ => bail!("{arn} is no function of this template"),
        }
    }

    fn texts(&self, value: &Value) -> Result<Vec<String>> {
        match self.resolver.resolve(value)? {
            Value::Array(items) => items.iter().map(|item| self.resolver.text(item)).collect(),
            Value::Null => Ok(Vec::new()),
            single => Ok(vec![self.resolver.text(&single)?]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const TEMPLATE: &str = include_str!("../../../template.yaml");

    pub(super) fn parse(text: &str) -> Result<Template> {
        Template::parse(text, &BTreeMap::from([("TokenSecret".into(), "x".repeat(32))]))
    }

    #[test]
    fn the_projects_template_is_understood() {
        let template = parse(TEMPLATE).expect("parses");
        let route =
            |key: &str| template.websocket.routes.get(key).map(|route| (route.function.as_str(), route.replies));
        assert_eq!(route("sendMessage"), Some(("SendMessageFunction", true)));
        assert_eq!(route("$connect"), Some(("ConnectFunction", false)));
        assert_eq!(route("$default"), Some(("DefaultFunction", true)));
        assert_eq!(template.websocket.authorizer.as_deref(), Some("AuthorizeFunction"));
        let reads = template.http.routes.iter().filter(|route| route.method == "GET").map(|route| route.path.as_str());
        let reads: Vec<_> = reads.collect();
        assert!(reads.contains(&"/chat-history/changes") && reads.contains(&"/chat-history/list"), "{reads:?}");
        let named_whole = reads.iter().take_while(|path| !path.contains('{')).count();
        assert!(reads[named_whole..].iter().all(|path| path.contains('{')), "what has variables comes last: {reads:?}");
        assert_eq!(template.http.cors.expose_headers, ["link", "date"]);
        let throttle = Some(Throttle { per_second: 200.0, burst: 200.0 });
        assert_eq!((template.websocket.throttle, template.http.throttle), (throttle, throttle));
        let send = &template.functions["SendMessageFunction"];
        assert_eq!((send.name.as_str(), send.variables["CHAT_TABLE"].as_str()), ("send-message", "ChatTable"));
        assert_eq!(send.timeout.as_secs(), chat_aws::SEND_TIMEOUT_SECONDS);
        let kept: Vec<_> = template.tables.iter().filter(|table| table.retained).map(|table| &table.name).collect();
        assert_eq!(kept, ["ChatTable"]);
        let files = &template.buckets[..];
        assert_eq!(files.iter().map(|bucket| bucket.name.as_str()).collect::<Vec<_>>(), ["FilesBucket"]);
        assert_eq!(
            (&*files[0].cors[0].origins, &*files[0].cors[0].methods),
            (&["*".into()][..], &["GET".into(), "POST".into()][..])
        );
    }

    #[test]
    fn a_parameter_out_of_range_is_refused_with_a_sentence() {
        let secret = "x".repeat(32);
        let (jwks, url) = (("TokenJwks", "{}"), ("TokenJwksUrl", "https://id.example.com/keys"));
        for (given, said) in [
            (vec![], "Set TokenSecret, TokenJwksUrl or TokenJwks, or nobody could ever connect"),
            (
                vec![jwks, url, ("TokenIssuer", "https://id.example.com"), ("TokenAudience", "chat")],
                "Set TokenJwksUrl or TokenJwks, not both",
            ),
            (vec![url], "A provider's keys need TokenIssuer, or any tenant of the provider could give out tokens"),
            (
                vec![jwks, ("TokenIssuer", "https://id.example.com")],
                "A provider's keys need TokenAudience, or tokens for other applications would do here",
            ),
            (vec![("TokenSecret", &secret[1..])], "parameter TokenSecret must be at least 32 bytes"),
            (
                vec![("TokenSecret", &secret), ("TokenSecretPrevious", &secret[1..])],
                "parameter TokenSecretPrevious must be at least 32 bytes",
            ),
            (
                vec![("TokenSecretPrevious", &secret)],
                "Set TokenSecret, TokenJwksUrl or TokenJwks, or nobody could ever connect",
            ),
            (vec![("TokenJwks", "{")], "parameter TokenJwks must be a JSON Web Key Set of at most 3000 characters"),
            (vec![("EnvironmentKeyArn", "alias/chat")], "parameter EnvironmentKeyArn must be the ARN of a KMS key"),
            (vec![("AlarmMessagesPerHour", "0")], "parameter AlarmMessagesPerHour must be a number, 1 or more"),
            (vec![("TokenJwksUrl", "http://id.example.com/keys")], "parameter TokenJwksUrl must be an https address"),
            (vec![("Stage", "a/b")], "parameter Stage must be 1 to 128 letters, digits, _ and -"),
            (
                vec![("DefaultRooms", "1,,2")],
                "parameter DefaultRooms must be empty, *, or ids and @mine with commas between them",
            ),
            (
                vec![("MessageRetentionDays", "-1")],
                "parameter MessageRetentionDays must be a number of days, 0 to 36500",
            ),
            (
                vec![("MessageRetentionDays", "ever")],
                "parameter MessageRetentionDays must be a number of days, 0 to 36500",
            ),
            (
                vec![("RequestsPerSecond", "0")],
                "parameter RequestsPerSecond must be a number from 1 to 10000, API Gateway's own limit",
            ),
            (vec![("AlarmEmail", "me")], "parameter AlarmEmail must be one e-mail address"),
            (vec![("AllowedOrigins", "a, b")], "parameter AllowedOrigins must be * or origins such as"),
            (vec![("LogLevel", "TRACE")], r#"parameter LogLevel must fit AllowedValues ["INFO","WARN"]"#),
            (vec![("Secret", "x")], "parameter Secret does not exist"),
        ] {
            let given = given.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            let error = Template::parse(TEMPLATE, &given).expect_err(said).to_string();
            assert!(error.starts_with(said), "{error}");
        }
    }

    #[test]
    fn a_secret_or_a_providers_keys_will_do() {
        let secret = "x".repeat(32);
        let of_provider = [("TokenIssuer", "https://id.example.com"), ("TokenAudience", "chat")];
        let followed = [("TokenJwksUrl", "https://id.example.com/keys")];
        for given in [
            vec![("TokenSecret", secret.as_str())],
            [&of_provider[..], &[("TokenJwks", "{}")]].concat(),
            [&of_provider[..], &followed].concat(),
            [&of_provider[..], &followed, &[("TokenSecret", &secret)]].concat(),
        ] {
            let given = given.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            Template::parse(TEMPLATE, &given).expect("understood");
        }
    }

    #[test]
    fn a_path_with_variables_is_served_by_the_route_that_has_them() {
        let route = |path: &str| HttpRoute { method: "GET".into(), path: path.into(), function: "F".into() };
        let (info, list) = (route("/chatroom/info/{id}"), route("/chatroom/list"));
        assert_eq!(info.variables("/chatroom/info/g-1%20a"), Some(vec![("id", "g-1%20a")]));
        for path in ["/chatroom/info", "/chatroom/info/", "/chatroom/info/1/2", "/chatroom/list/1"] {
            assert_eq!(info.variables(path), None, "{path}");
        }
        assert_eq!((list.variables("/chatroom/list"), list.variables("/chatroom/lists")), (Some(vec![]), None));
    }

    #[test]
    fn a_route_without_a_route_response_does_not_reply() {
        let mute = TEMPLATE.replace("RouteId: !Ref ChatApiSendmessageRoute", "RouteId: !Ref SomeOtherRoute");
        assert!(!parse(&mute).expect("parses").websocket.routes["sendMessage"].replies);
    }

    #[test]
    fn what_a_condition_leaves_out_is_not_there() {
        let with = |socket_io: &str| {
            let parameters = [("TokenSecret", "x".repeat(32)), ("SocketIo", socket_io.to_owned())];
            let parameters = parameters.map(|(name, value)| (name.to_owned(), value));
            Template::parse(TEMPLATE, &BTreeMap::from(parameters)).expect("parses")
        };
        let (off, on) = (with("off"), with("on"));
        assert_eq!(off.websocket.routes["$default"].function, "DefaultFunction");
        assert_eq!(on.websocket.routes["$default"].function, "SocketIoFunction");
        let index = |template: &Template| {
            let connections = template.tables.iter().find(|table| table.name == "ConnectionsTable").expect("a table");
            (
                connections.create["AttributeDefinitions"].as_array().map(Vec::len),
                connections.create["GlobalSecondaryIndexes"][0]["IndexName"].clone(),
            )
        };
        assert_eq!(index(&off), (Some(2), Value::Null));
        assert_eq!(index(&on), (Some(3), json!("KeptAlive")));
        assert_eq!(on.schedules, [Schedule { function: "KeepAliveFunction".into(), minutes: 4 }]);
        assert!(off.schedules.is_empty() && on.pipe.is_none());
        let more: Vec<_> = on.functions.keys().filter(|id| !off.functions.contains_key(*id)).collect();
        assert_eq!(more, ["KeepAliveFunction", "SocketIoFunction"]);
    }

    #[test]
    fn a_broken_template_says_what_is_wrong() {
        for (from, to, said) in [
            ("AuthArn: !GetAtt AuthorizeFunction.Arn", "AuthArn: !GetAtt Nobody.Arn", "there is no resource Nobody"),
            ("!Ref ChatTable", "!Ref ChitTable", "ChitTable is referred to"),
            (
                "AWS::Serverless::WebSocketApi",
                "AWS::Serverless::Api",
                "there must be one AWS::Serverless::WebSocketApi",
            ),
            ("Resources:", "Sources:", "there are no Resources"),
            ("Path: /chat-history/list", "Path: /{proxy+}", "the local run serves plain paths by one method each"),
            ("Method: GET", "Method: ANY", "not ANY /"),
            ("Path: /chat-history/list", "Path: chat-history", "the local run serves plain paths by one method each"),
            ("Default: dev", "Default: local", "\"local\" cannot be a stage here"),
            ("ThrottlingBurstLimit: !Ref RequestsPerSecond", "Other: 1", "go together"),
            ("ThrottlingRateLimit: !Ref RequestsPerSecond", "ThrottlingRateLimit: many", "must be a number"),
            ("DefaultRouteSettings:", "RouteSettings:", "not those of single routes"),
            ("Condition: HasSocketIo", "Condition: HasNothing", "there is no condition HasNothing"),
        ] {
            let error = parse(&TEMPLATE.replacen(from, to, 1)).expect_err(said);
            assert!(format!("{error:#}").contains(said), "{error:#}");
        }
    }
}
