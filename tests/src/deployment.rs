use crate::{Client, Server, Way, fresh, http_client, in_time, schema, until};
use chat_aws::Vars;
use chat_local::{Local, Tokens};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use std::time::Duration;

/// A deployment, as its users see it: two addresses, and the secret for tokens. Every page of the history is checked
/// against `docs/openapi.yaml`.
pub struct Deployment {
    websocket_url: String,
    http_url: String,
    tokens: Tokens,
    http: reqwest::Client,
    /// The local run, which ends with its test.
    local: Option<Local>,
}

/// An answer of the history endpoint.
#[derive(Debug)]
pub struct Page {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Page {
    /// The ids of the page's messages, in its order.
    pub fn ids(&self) -> Vec<u64> {
        let items = self.body.as_array().unwrap_or_else(|| panic!("no list of messages: {:?}", self.body));
        items.iter().map(|item| item["id"].as_u64().expect("an id")).collect()
    }

    /// The query string that the `Link` header has for a relation.
    pub fn link(&self, rel: &str) -> Option<String> {
        let header = self.headers.get("link")?.to_str().expect("ASCII");
        let entry = header.split(", ").find(|entry| entry.ends_with(&format!("; rel=\"{rel}\"")))?;
        let target = entry.split_once('>').expect("a target").0;
        Some(target.strip_prefix("<?").expect("a query-only reference").to_owned())
    }
}

impl Deployment {
    /// The deployment that `CHAT_TARGET` names: a local run for this test, or one that is up already.
    pub async fn start() -> Self {
        let vars = Vars::from_env();
        match vars.optional("CHAT_TARGET").unwrap_or("local") {
            "local" => Server::start().await.deployment,
            target @ ("ministack" | "aws") => Self::given(target, &vars),
            other => panic!("CHAT_TARGET is {other:?}; it must be local, ministack or aws"),
        }
    }

    /// A deployment that is up already, from the environment.
    fn given(target: &str, vars: &Vars) -> Self {
        let given = |name: &str| {
            let value =
                vars.optional(name).unwrap_or_else(|| panic!("CHAT_TARGET={target} needs {name}, which is not set"));
            value.to_owned()
        };
        Self::at(given("CHAT_WEBSOCKET_URL"), given("CHAT_HTTP_URL"), &given("CHAT_TOKEN_SECRET"))
    }

    /// A deployment that is up already and takes tokens that are signed with this secret.
    pub fn at(websocket_url: String, http_url: String, secret: &str) -> Self {
        let tokens = Tokens::signed_with(secret).unwrap_or_else(|error| panic!("the secret cannot sign: {error}"));
        Self { websocket_url, http_url, tokens, http: http_client(), local: None }
    }

    pub(crate) fn of(local: Local) -> Self {
        Self {
            websocket_url: local.websocket_url(),
            http_url: local.http_url(),
            tokens: local.tokens().clone(),
            http: http_client(),
            local: Some(local),
        }
    }

    /// How many instances of a function there may be, each of which keeps the pace by itself: here one, elsewhere a few.
    pub fn instances_max(&self) -> usize {
        if self.local.is_some() { 1 } else { 20 }
    }

    /// Waits until no connection is open in this local run, and nothing is left of any event.
    pub async fn rests(&self) {
        let local = self.local.as_ref().expect("a local run");
        until("the local run rests", async || local.under_way() == 0).await;
    }

    /// Waits until this local run has no event left that a function is run for.
    pub async fn has_no_events(&self) {
        let local = self.local.as_ref().expect("a local run");
        until("functions are run for all events", async || local.kept_events() == 0).await;
    }

    /// Stops it, if it is a local run.
    pub async fn stop(self) {
        if let Some(local) = self.local {
            in_time("the local run stops", local.stop()).await.expect("the local run stops");
        }
    }

    /// The secret that signs its tokens.
    pub fn secret(&self) -> &str {
        self.tokens.secret()
    }

    /// A token with these claims.
    pub fn token(&self, claims: Value) -> String {
        self.tokens.issue(claims.as_object().expect("claims").clone()).expect("a token")
    }

    /// A token of a user who may enter every room.
    pub fn token_of(&self, user: impl Into<Value>) -> String {
        self.token(json!({"userId": user.into(), "rooms": "*"}))
    }

    /// A connection of a user who may enter every room.
    pub async fn connect(&self, user: impl Into<Value>) -> Client {
        Client::connect(&self.socket_url(&self.token_of(user))).await
    }

    pub fn websocket_url(&self) -> &str {
        &self.websocket_url
    }

    pub fn socket_url(&self, token: &str) -> String {
        format!("{}?token={token}", self.websocket_url)
    }

    /// Where a client of Socket.IO connects. It always writes a slash behind the stage.
    pub fn socket_io_url(&self, eio: u8) -> String {
        format!("{}/?EIO={eio}&transport=websocket", self.websocket_url)
    }

    /// Where one connects whose token comes in this way.
    pub fn socket_io_url_of(&self, way: Way, token: &str) -> String {
        format!("{}/?{}", self.websocket_url, way.query(token))
    }

    /// A client of Socket.IO, of a user who may enter every room.
    pub async fn connect_socket_io(&self, user: impl Into<Value>) -> Client {
        Client::connect(&format!("{}&token={}", self.socket_io_url(4), self.token_of(user))).await
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.http_url)
    }

    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// A page of history, read by a user who may read every room.
    pub async fn history(&self, query: &str) -> Page {
        self.history_as(&self.token_of(fresh()), query).await
    }

    pub async fn history_as(&self, token: &str, query: &str) -> Page {
        self.page(schema::LIST, token, query).await
    }

    /// A page of what changed in a room, read by a user who may read every room.
    pub async fn changes(&self, query: &str) -> Page {
        self.page(schema::LIST_CHANGES, &self.token_of(fresh()), query).await
    }

    /// A page of one of the two.
    pub async fn page(&self, path: &str, token: &str, query: &str) -> Page {
        let request = self.http.get(self.url(&format!("{path}?{query}"))).bearer_auth(token);
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.json().await.expect("JSON");
        schema::check_page(path, status, &headers, &body);
        Page { status, headers, body }
    }

    /// What is answered to the body of a `POST`. It is one that `docs/openapi.yaml` describes, and a frame that
    /// `docs/asyncapi.yaml` does.
    pub async fn post(&self, token: &str, path: &str, body: String) -> (u16, HeaderMap, Value) {
        let request = self.http.post(self.url(path)).bearer_auth(token);
        let response = request.header("content-type", "application/json").body(body).send().await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.expect("a text");
        let body = serde_json::from_str(&text).expect("JSON");
        schema::check_post(path, status, &body);
        (status, headers, schema::received(&text))
    }

    /// A token of a user who may enter every room, and the kept ones that it is in.
    pub fn token_of_kept(&self, user: impl Into<Value>) -> String {
        self.token(json!({"userId": user.into(), "rooms": ["*", "@mine"]}))
    }

    /// A connection of such a user.
    pub async fn connect_kept(&self, user: impl Into<Value>) -> Client {
        Client::connect(&self.socket_url(&self.token_of_kept(user))).await
    }

    /// What a route of the kept rooms answers to such a user: `GET /chatroom/info/{id}`, with a room for the path, and what
    /// is asked.
    pub async fn chatroom(&self, user: u64, route: &str, room: &str, asked: &Value) -> (u16, Value) {
        let token = self.token_of_kept(user);
        loop {
            // Tests are faster than people: they wait, as a client does, until they may ask again.
            let (status, body) = self.chatroom_as(&token, route, room, asked).await;
            let wait = body["message"].as_str().and_then(|said| said.split("try again in ").nth(1)?.split(' ').next());
            let Some(wait) = wait.filter(|_| status == 429).and_then(|wait| wait.parse().ok()) else {
                return (status, body);
            };
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
    }

    /// The same with a token, and without patience.
    pub async fn chatroom_as(&self, token: &str, route: &str, room: &str, asked: &Value) -> (u16, Value) {
        let (method, path) = route.split_once(' ').expect("a route key");
        let url = self.url(&path.replace("{id}", room));
        let request = match method {
            "GET" => {
                let fields = asked.as_object().expect("fields").iter();
                let text = |value: &Value| value.as_str().map_or(value.to_string(), String::from);
                let query: Vec<_> = fields.map(|(name, value)| (name.clone(), text(value))).collect();
                self.http.get(url).query(&query)
            }
            _ => self.http.post(url).header("content-type", "application/json").body(asked.to_string()),
        };
        let response = request.bearer_auth(token).send().await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.json().await.expect("JSON");
        schema::check_route(route, status, &headers, &body);
        (status, body)
    }

    /// A group of these users, the first of whom makes it.
    pub async fn group(&self, users: &[u64]) -> String {
        let (status, id) = self.chatroom(users[0], "POST /chatroom/create-group", "", &json!({"name": "Team"})).await;
        assert_eq!(status, 200, "{id}");
        let id = id.as_str().expect("an id").to_owned();
        for user in &users[1..] {
            let asked = json!({"joinUserId": user});
            assert_eq!(self.chatroom(users[0], "POST /chatroom/join/{id}", &id, &asked).await.0, 200);
        }
        id
    }

    /// The ids on a page of history, and on all pages that the links of a relation lead to.
    pub async fn history_along(&self, rel: &str, query: &str) -> Vec<Vec<u64>> {
        let mut pages = Vec::new();
        let mut query = Some(query.to_owned());
        while let Some(next) = query {
            let page = self.history(&next).await;
            pages.push(page.ids());
            query = page.link(rel);
        }
        pages
    }
}
