//! The two APIs of a template: their stages, routes and authorizers.

use super::Reader;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::BTreeMap;

/// `AWS::Serverless::WebSocketApi`.
#[derive(Debug, Clone, PartialEq)]
pub struct WebSocketApi {
    pub stage: String,
    /// Logical id of the authorizer function.
    pub authorizer: Option<String>,
    /// Headers that a handshake must carry, or it is refused before the authorizer is asked.
    pub identity_headers: Vec<String>,
    /// By route key.
    pub routes: BTreeMap<String, WebSocketRoute>,
    /// Applies to each route.
    pub throttle: Option<Throttle>,
}

/// Requests per second, and at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Throttle {
    pub per_second: f64,
    pub burst: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct WebSocketRoute {
    /// Logical id.
    pub function: String,
    /// Whether the function's reply is sent to the caller: only with an `AWS::ApiGatewayV2::RouteResponse`.
    pub replies: bool,
}

/// `AWS::Serverless::HttpApi`, with the routes that functions' events declare.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpApi {
    pub authorizer: Option<String>,
    pub identity_headers: Vec<String>,
    pub cors: Cors,
    pub routes: Vec<HttpRoute>,
    /// Applies to each route.
    pub throttle: Option<Throttle>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct HttpRoute {
    pub method: String,
    pub path: String,
    /// Logical id.
    pub function: String,
}

impl HttpRoute {
    /// As API Gateway names it: `GET /path`.
    pub fn key(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The variables of a path that this route serves, as they stand in it; none of another path.
    pub fn variables<'a>(&'a self, path: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
        let (names, parts) = (self.path.split('/'), path.split('/'));
        if names.clone().count() != parts.clone().count() {
            return None;
        }
        let mut variables = Vec::new();
        for (name, part) in names.zip(parts) {
            match variable(name) {
                Some(name) if !part.is_empty() => variables.push((name, part)),
                _ if name == part => {}
                _ => return None,
            }
        }
        Some(variables)
    }

    fn has_variables(&self) -> bool {
        self.path.split('/').any(|part| variable(part).is_some())
    }
}

/// The name of a part of a path that is a variable: `{id}`.
fn variable(part: &str) -> Option<&str> {
    let name = part.strip_prefix('{')?.strip_suffix('}')?;
    (!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric())).then_some(name)
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cors {
    pub allow_origins: Vec<String>,
    pub allow_methods: Vec<String>,
    pub allow_headers: Vec<String>,
    pub expose_headers: Vec<String>,
    pub max_age: Option<u64>,
}

/// Methods that a route of the HTTP API may have here. API Gateway answers OPTIONS itself where CORS is configured.
const HTTP_METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

impl Reader<'_> {
    pub(super) fn websocket_api(&self) -> Result<WebSocketApi> {
        let (id, api) = self.only("AWS::Serverless::WebSocketApi")?;
        if api["RouteSelectionExpression"] != "$request.body.action" {
            bail!("{id}: RouteSelectionExpression must be $request.body.action");
        }
        let answered = self.answered_routes()?;
        let declared = api["Routes"].as_object().with_context(|| format!("{id} has no Routes"))?;
        let mut routes = BTreeMap::new();
        for (key, route) in declared {
            let function = self.function_of(&route["FunctionArn"]).with_context(|| format!("route {key}"))?;
            let selects = route["RouteResponseSelectionExpression"] == "$default";
            let replies = selects && answered.contains(&generated_route_id(id, key));
            routes.insert(key.clone(), WebSocketRoute { function, replies });
        }
        let auth = &api["Auth"];
        let authorizer = match auth["AuthType"].as_str() {
            None | Some("NONE") => None,
            Some("CUSTOM") => Some(self.function_of(&auth["AuthArn"])?),
            Some(other) => bail!("{id}: AuthType {other} is more than the local run understands"),
        };
        let identity_headers = match auth["IdentitySource"].as_array() {
            Some(sources) => sources.iter().map(|source| self.identity_header(source)).collect::<Result<_>>()?,
            None => Vec::new(),
        };
        let stage = self.resolver.text(&api["StageName"])?;
        let named = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if !(1..=128).contains(&stage.len()) || !stage.bytes().all(named) || stage == "local" {
            bail!("{id}: {stage:?} cannot be a stage here");
        }
        let throttle = self.throttle(id, api)?;
        Ok(WebSocketApi { stage, authorizer, identity_headers, routes, throttle })
    }

    /// The throttle of an API's stage. Without one, only the account's limit applies.
    fn throttle(&self, id: &str, api: &Value) -> Result<Option<Throttle>> {
        if !api["RouteSettings"].is_null() {
            bail!("{id}: the local run understands DefaultRouteSettings, not those of single routes");
        }
        let settings = &api["DefaultRouteSettings"];
        let number = |name: &str| -> Result<Option<f64>> {
            if settings[name].is_null() {
                return Ok(None);
            }
            let number = self.resolver.text(&settings[name])?.parse();
            number.map(Some).with_context(|| format!("{id}: {name} must be a number"))
        };
        let (rate, burst) = (number("ThrottlingRateLimit")?, number("ThrottlingBurstLimit")?);
        match (rate, burst) {
            (Some(per_second), Some(burst)) => Ok(Some(Throttle { per_second, burst })),
            (None, None) => Ok(None),
            _ => bail!("{id}: ThrottlingRateLimit and ThrottlingBurstLimit go together"),
        }
    }

    fn identity_header(&self, source: &Value) -> Result<String> {
        let source = self.resolver.text(source)?;
        match source.strip_prefix("route.request.header.") {
            Some(header) => Ok(header.to_owned()),
            None => bail!("identity source {source} is more than the local run understands"),
        }
    }

    /// Logical ids of the routes that have a route response.
    fn answered_routes(&self) -> Result<Vec<String>> {
        let mut answered = Vec::new();
        for (id, response) in self.of_type("AWS::ApiGatewayV2::RouteResponse") {
            let properties = &response["Properties"];
            let route =
                properties["RouteId"]["Ref"].as_str().with_context(|| format!("{id}: RouteId must be a !Ref"))?;
            if properties["RouteResponseKey"] == "$default" {
                answered.push(route.to_owned());
            }
        }
        Ok(answered)
    }

    pub(super) fn http_api(&self) -> Result<HttpApi> {
        let (id, api) = self.only("AWS::Serverless::HttpApi")?;
        let mut authorizer = None;
        let mut identity_headers = Vec::new();
        if let Some(name) = api["Auth"]["DefaultAuthorizer"].as_str() {
            let declared = &api["Auth"]["Authorizers"][name];
            if declared["AuthorizerPayloadFormatVersion"] != "1.0" {
                bail!("{id}: the local run speaks authorizer payload format 1.0");
            }
            authorizer = Some(self.function_of(&declared["FunctionArn"]).with_context(|| format!("{id}: {name}"))?);
            identity_headers = self.texts(&declared["Identity"]["Headers"])?;
        }
        let mut routes = Vec::new();
        for (function, resource) in self.of_type("AWS::Serverless::Function") {
            for (_, event) in resource["Properties"]["Events"].as_object().into_iter().flatten() {
                if event["Type"] == "HttpApi" {
                    let text = |name: &str| self.resolver.text(&event["Properties"][name]);
                    let (method, path) = (text("Method")?.to_uppercase(), text("Path")?);
                    let is_part = |part: &str| variable(part).is_some() || !part.contains(['{', '}', ':', '*']);
                    let plain = path.starts_with('/') && path.split('/').all(is_part);
                    if !HTTP_METHODS.contains(&method.as_str()) || !plain {
                        bail!("{function}: the local run serves plain paths by one method each, not {method} {path}");
                    }
                    if routes.iter().any(|route: &HttpRoute| route.path == path && route.method == method) {
                        bail!("{function}: {method} {path} leads to another function already");
                    }
                    routes.push(HttpRoute { method, path, function: function.clone() });
                }
            }
        }
        // A path that is named whole goes before one with a variable.
        routes.sort_by_key(HttpRoute::has_variables);
        if !api["CorsConfiguration"].is_null() {
            bail!("{id}: the local run reads CORS from the DefinitionBody, where SAM leaves it whole");
        }
        let cors = &api["DefinitionBody"]["x-amazon-apigateway-cors"];
        let cors = Cors {
            allow_origins: self.texts(&cors["allowOrigins"])?,
            allow_methods: self.texts(&cors["allowMethods"])?,
            allow_headers: self.texts(&cors["allowHeaders"])?,
            expose_headers: self.texts(&cors["exposeHeaders"])?,
            max_age: cors["maxAge"].as_u64(),
        };
        let throttle = self.throttle(id, api)?;
        Ok(HttpApi { authorizer, identity_headers, cors, routes, throttle })
    }
}

/// The logical id that SAM gives a route: its key capitalized (the rest in lower case), between the API and `Route`.
fn generated_route_id(api: &str, key: &str) -> String {
    let word = key.trim_start_matches('$').to_lowercase();
    let (first, rest) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
    format!("{api}{}{rest}Route", first.to_uppercase())
}
