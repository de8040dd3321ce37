//! Files in messages: what the functions sign, and what a strict S3 that shares no code with them makes of it.

use chat_local::{Limits, Template};
use chat_tests::{Chaos, Client, Deployment, Direction, Fault, Refusal, Server, schema};
use reqwest::{Response, StatusCode};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n and so on";

/// What may be uploaded, and where.
struct Form {
    url: String,
    fields: Map<String, Value>,
    attachment: String,
}

impl Form {
    fn of(answer: &Value) -> Self {
        let text = |name: &str| answer[name].as_str().unwrap_or_else(|| panic!("{name}: {answer}")).to_owned();
        let fields = answer["fields"].as_object().expect("fields").clone();
        Self { url: text("url"), fields, attachment: text("attachment") }
    }

    fn with(&self, field: &str, value: &str) -> Self {
        let mut fields = self.fields.clone();
        fields.insert(field.into(), value.into());
        Self { fields, url: self.url.clone(), attachment: self.attachment.clone() }
    }

    fn without(&self, field: &str) -> Self {
        let mut form = self.with(field, "");
        form.fields.remove(field);
        form
    }

    /// As a browser posts it.
    async fn post(&self, server: &Deployment, file: &[u8]) -> Response {
        let mut body = Vec::new();
        for (name, value) in &self.fields {
            let value = value.as_str().expect("a text");
            body.extend(format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").bytes());
        }
        let part =
            "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\nContent-Type: text/html\r\n\r\n";
        body.extend([part.as_bytes(), file, b"\r\n--x--\r\n"].concat());
        let request = server.http().post(&self.url).header("content-type", "multipart/form-data; boundary=x");
        request.body(body).send().await.expect("an answer")
    }
}

fn cat(id: &str) -> Value {
    json!({"chatroomId": 1, "clientMessageId": id, "name": "my cat.png", "type": "image/png", "size": 1_000})
}

/// Asks where to upload to: the status, and the answer.
async fn asked(server: &Deployment, user: u64, body: &Value) -> (StatusCode, Value) {
    let request = server.http().post(server.url("/createUpload")).bearer_auth(server.token_of(user));
    let answer = request.body(body.to_string()).send().await.expect("an answer");
    let (status, body) = (answer.status(), answer.json().await.expect("JSON"));
    schema::check_post("/createUpload", status.as_u16(), &body);
    (status, body)
}

async fn form(server: &Deployment, user: u64, body: &Value) -> Form {
    let (status, answer) = asked(server, user, body).await;
    assert_eq!((status, &answer["type"], &answer["action"]), (StatusCode::OK, &json!("ack"), &json!("createUpload")));
    Form::of(&answer)
}

fn message(id: &str, attachment: &str) -> Value {
    let message = json!({"type": "image", "attachment": attachment});
    json!({"action": "sendMessage", "chatroomId": 1, "clientMessageId": id, "message": message})
}

/// Uploads a picture as user 7, and sends it. What others are pushed.
async fn sent(server: &Deployment, client: &mut Client, id: &str) -> Value {
    let form = form(server, 7, &cat(id)).await;
    assert_eq!(form.post(server, PNG).await.status(), StatusCode::CREATED);
    client.send(message(id, &form.attachment)).await;
    client.expect(json!({"type": "sendMessage"})).await
}

async fn get(server: &Deployment, address: &Value) -> Response {
    server.http().get(address.as_str().expect("an address")).send().await.expect("an answer")
}

/// What S3 calls an error.
async fn code(answer: Response) -> String {
    let text = answer.text().await.expect("a body");
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    code.unwrap_or_else(|| panic!("no error: {text}")).0.to_owned()
}

#[tokio::test]
async fn a_picture_is_uploaded_sent_and_seen_by_everybody() {
    let server = Server::start().await;
    let (mut author, mut other) = (server.connect(7).await, server.connect(8).await);
    author.join(1).await;
    other.join(1).await;
    let pushed = sent(&server, &mut author, "a").await;
    assert_eq!(pushed["message"]["attachment"], "rooms/MQ/Nw/a/my_cat.png");
    assert_eq!(other.expect(json!({"type": "sendMessage"})).await["message"], pushed["message"], "the same address");
    let listed = server.history("chatroomId=1").await.body;
    assert_eq!((&listed[0]["type"], &listed[0]["attachment"]), (&json!(1), &pushed["message"]["attachment"]));
    for address in [&pushed["message"]["content"], &listed[0]["content"]] {
        let seen = get(&server, address).await;
        let header = |name: &str| seen.headers()[name].to_str().expect("ASCII").to_owned();
        let headers = ["content-type", "content-disposition", "cache-control"].map(header);
        assert_eq!(headers, ["image/png", "inline", "private, max-age=7200"]);
        assert_eq!(seen.bytes().await.expect("bytes"), PNG);
    }
    // The row has the key: an address is good for a while.
    let rows = server.dynamodb("Scan", json!({"TableName": "ChatTable"})).await;
    let rows = rows["Items"].as_array().expect("rows").clone();
    let row = rows.iter().find(|row| !row["attachment"].is_null()).expect("the message's");
    assert_eq!((&row["content"], &row["attachment"]["S"]), (&json!({"S": ""}), &pushed["message"]["attachment"]));
    server.stop().await;
}

#[tokio::test]
async fn a_send_that_is_repeated_has_one_message_and_one_file() {
    let server = Server::start().await;
    let mut client = server.connect(7).await;
    client.join(1).await;
    let first = sent(&server, &mut client, "a").await;
    let again = sent(&server, &mut client, "a").await;
    assert_eq!((&again["message"]["id"], &again["unusedId"]), (&first["message"]["id"], &json!(2)));
    assert_eq!(again["message"]["attachment"], first["message"]["attachment"]);
    assert_eq!(get(&server, &again["message"]["content"]).await.status(), 200);
    assert_eq!(server.history("chatroomId=1").await.ids(), [1]);
    server.stop().await;
}

#[tokio::test]
async fn what_is_no_picture_is_saved_under_its_name_and_never_shown() {
    let server = Server::start().await;
    let mut client = server.connect(7).await;
    client.join(1).await;
    for (id, kind) in [("a", "text/html"), ("b", "image/svg+xml"), ("c", "application/pdf")] {
        let mut body = cat(id);
        (body["name"], body["type"]) = (json!("会议 1.x"), json!(kind));
        let form = form(&server, 7, &body).await;
        assert_eq!(form.post(&server, b"<script>").await.status(), StatusCode::CREATED);
        client.send(message(id, &form.attachment)).await;
        let pushed = client.expect(json!({"type": "sendMessage"})).await;
        let seen = get(&server, &pushed["message"]["content"]).await;
        assert_eq!(seen.headers()["content-type"], kind);
        assert_eq!(seen.headers()["content-disposition"], "attachment; filename*=UTF-8''%E4%BC%9A%E8%AE%AE%201.x");
    }
    server.stop().await;
}

/// S3 itself holds to what was signed: nothing that a client changes is taken.
#[tokio::test]
async fn only_the_file_that_was_asked_for_is_uploaded() {
    let server = Server::start().await;
    let form = form(&server, 7, &cat("a")).await;
    let other = form.attachment.replace("/a/", "/b/");
    for (changed, expected) in [
        (form.with("key", &other), "AccessDenied"),
        (form.with("Content-Type", "text/html"), "AccessDenied"),
        (form.with("Content-Disposition", "inline; filename=a.html"), "AccessDenied"),
        (form.with("success_action_status", "200"), "AccessDenied"),
        (form.with("x-amz-meta-more", "1"), "AccessDenied"),
        (form.with("x-amz-security-token", "another"), "InvalidToken"),
        (form.without("x-amz-security-token"), "AccessDenied"),
        (form.without("policy"), "AccessDenied"),
        (form.without("x-amz-signature"), "InvalidArgument"),
        (form.with("x-amz-signature", &"0".repeat(64)), "SignatureDoesNotMatch"),
        (form.with("policy", "e30="), "SignatureDoesNotMatch"),
        (form.with("x-amz-credential", "mine/20250101/us-east-1/s3/aws4_request"), "InvalidArgument"),
    ] {
        let answer = changed.post(&server, PNG).await;
        assert!(answer.status().is_client_error(), "{:?}", changed.fields);
        assert_eq!(code(answer).await, expected, "{:?}", changed.fields);
    }
    assert_eq!(code(form.post(&server, &[b'x'; 1_001]).await).await, "EntityTooLarge");
    assert_eq!(code(form.post(&server, b"").await).await, "EntityTooSmall");
    assert_eq!(form.post(&server, &[b'x'; 1_000]).await.status(), StatusCode::CREATED, "to the byte");
    server.stop().await;
}

#[tokio::test]
async fn what_may_not_be_uploaded_gets_no_form() {
    let server = Server::start_with_parameter("AttachmentMegabytes", "1").await;
    let with = |field: &str, value: Value| {
        let mut body = cat("a");
        body[field] = value;
        body
    };
    for (body, status, expected) in [
        (with("size", json!(1_048_576)), 200, Value::Null),
        (with("size", json!(1_048_577)), 413, json!("tooLarge")),
        (with("userId", json!(8)), 403, json!("notAllowed")),
        (with("action", json!("sendMessage")), 400, json!("badRequest")),
        (with("type", json!("image/png; charset=x")), 400, json!("badRequest")),
    ] {
        let (said, answer) = asked(&server, 7, &body).await;
        assert_eq!((said.as_u16(), &answer["code"]), (status, &expected), "{body}: {answer}");
    }
    let elsewhere = server.token(json!({"userId": 7, "rooms": [2]}));
    let request = server.http().post(server.url("/createUpload")).bearer_auth(elsewhere).body(cat("a").to_string());
    assert_eq!(request.send().await.expect("an answer").status(), StatusCode::FORBIDDEN);
    server.stop().await;

    let off = Server::start_with_parameter("AttachmentMegabytes", "0").await;
    let (status, answer) = asked(&off, 7, &cat("a")).await;
    assert_eq!((status, &answer["message"]), (StatusCode::FORBIDDEN, &json!("files are not taken here")));
    off.stop().await;
}

#[tokio::test]
async fn nobody_asks_for_more_than_a_handful_of_uploads_at_once() {
    let server = Server::start().await;
    for number in 0..4 {
        form(&server, 7, &cat(&format!("a{number}"))).await;
    }
    let (status, answer) = asked(&server, 7, &cat("b")).await;
    assert_eq!((status, &answer["code"]), (StatusCode::TOO_MANY_REQUESTS, &json!("rateLimited")));
    assert!(answer["retryAfterMs"].as_u64().is_some_and(|wait| wait <= 1_000), "{answer}");
    form(&server, 8, &cat("a")).await;
    server.stop().await;
}

#[tokio::test]
async fn nobody_sends_what_somebody_else_uploaded() {
    let server = Server::start().await;
    let form = form(&server, 7, &cat("a")).await;
    assert_eq!(form.post(&server, PNG).await.status(), StatusCode::CREATED);
    let mut thief = server.connect(8).await;
    thief.join(1).await;
    let refused = thief.ask(message("a", &form.attachment)).await;
    assert_eq!((&refused["code"], &refused["action"]), (&json!("notAllowed"), &json!("sendMessage")));
    let mut author = server.connect(7).await;
    let elsewhere = author.ask(message("b", &form.attachment)).await;
    assert_eq!(elsewhere["code"], "notAllowed", "it is another message's");
    let mut another = message("a", &form.attachment);
    another["chatroomId"] = json!(2);
    assert_eq!(author.ask(another).await["code"], "notAllowed", "it is another room's");
    assert_eq!(author.ask(message("a", &form.attachment)).await["type"], "ack");
    server.stop().await;
}

#[tokio::test]
async fn an_address_is_good_for_one_file_and_for_reading() {
    let server = Server::start().await;
    let mut client = server.connect(7).await;
    client.join(1).await;
    let first = sent(&server, &mut client, "a").await["message"]["content"].as_str().expect("a text").to_owned();
    let second = sent(&server, &mut client, "b").await["message"]["content"].as_str().expect("a text").to_owned();
    let (path, query) = first.split_once('?').expect("a query");
    let (other_path, _) = second.split_once('?').expect("a query");
    assert_eq!(get(&server, &json!(format!("{other_path}?{query}"))).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(code(get(&server, &json!(path)).await).await, "AccessDenied", "nobody reads without one");
    let deleted = server.http().delete(&first).send().await.expect("an answer");
    assert_eq!(deleted.status(), StatusCode::FORBIDDEN, "it was signed for reading");
    let replaced = server.http().put(&first).body("x").send().await.expect("an answer");
    assert_eq!(replaced.status(), StatusCode::FORBIDDEN);
    let listed = path.split("/rooms/").next().expect("a bucket");
    assert_eq!(
        code(get(&server, &json!(format!("{listed}?list-type=2&{query}"))).await).await,
        "SignatureDoesNotMatch"
    );
    assert_eq!(get(&server, &json!(first)).await.status(), StatusCode::OK);
    server.stop().await;
}

#[tokio::test]
async fn a_recall_takes_the_file_along() {
    let server = Server::start().await;
    let (mut author, mut other) = (server.connect(7).await, server.connect(8).await);
    author.join(1).await;
    other.join(1).await;
    let address = sent(&server, &mut author, "a").await["message"]["content"].clone();
    assert_eq!(get(&server, &address).await.status(), StatusCode::OK);
    let recall = json!({"action": "deleteMessage", "chatroomId": 1, "id": 1});
    assert_eq!(author.ask(recall.clone()).await["type"], "ack");
    let told = other.expect(json!({"type": "deleteMessage"})).await;
    assert_eq!((&told["message"]["content"], &told["message"]["attachment"]), (&json!(""), &Value::Null));
    assert_eq!(code(get(&server, &address).await).await, "AccessDenied", "whoever has the address reads nothing");
    let listed = server.history("chatroomId=1").await.body;
    assert_eq!((&listed[0]["deleted"], &listed[0]["attachment"]), (&json!(true), &Value::Null));
    let changed = server.changes("chatroomId=1&after=0").await.body;
    assert_eq!((&changed[0]["content"], &changed[0]["attachment"]), (&json!(""), &Value::Null));
    // A form that is still good brings the file back, and a repeat takes it again.
    let form = form(&server, 7, &cat("a")).await;
    assert_eq!(form.post(&server, PNG).await.status(), StatusCode::CREATED);
    assert_eq!(get(&server, &address).await.status(), StatusCode::OK);
    assert_eq!(author.ask(recall).await["duplicate"], true);
    assert_eq!(get(&server, &address).await.status(), StatusCode::FORBIDDEN);
    // A send that is repeated is the message as it is.
    author.send(message("a", &form.attachment)).await;
    let again = author.expect(json!({"type": "sendMessage"})).await;
    assert_eq!((&again["message"]["deleted"], &again["message"]["attachment"]), (&json!(true), &Value::Null));
    server.stop().await;
}

#[tokio::test]
async fn files_outlast_a_restart_of_the_local_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start_in(folder.path()).await;
    let mut client = server.connect(7).await;
    client.join(1).await;
    sent(&server, &mut client, "a").await;
    client.close().await;
    server.stop().await;
    let server = Server::start_in(folder.path()).await;
    let listed = server.history("chatroomId=1").await.body;
    let seen = get(&server, &listed[0]["content"]).await;
    assert_eq!(seen.bytes().await.expect("bytes"), PNG);
    server.stop().await;
}

/// A page of another origin posts the form and reads the file, if the deployment lets that origin in.
#[tokio::test]
async fn pages_of_other_origins_upload_where_they_may_connect() {
    let server = Server::start_with_parameter("AllowedOrigins", "https://chat.example.com").await;
    let form = form(&server, 7, &cat("a")).await;
    let allowed = async |origin: &str, method: &str| {
        let request = server.http().request(reqwest::Method::OPTIONS, &form.url).header("origin", origin);
        let answer = request.header("access-control-request-method", method).send().await.expect("an answer");
        let header = answer.headers().get("access-control-allow-origin").cloned();
        (answer.status().as_u16(), header.map(|header| header.to_str().expect("ASCII").to_owned()))
    };
    let origin = "https://chat.example.com";
    for method in ["POST", "GET"] {
        assert_eq!(allowed(origin, method).await, (200, Some(origin.into())));
    }
    assert_eq!(allowed(origin, "DELETE").await, (403, None));
    assert_eq!(allowed("https://example.com", "POST").await, (403, None));
    server.stop().await;
}

/// What AWS is told to keep the bucket as: nobody's but the account's, over TLS alone, and no longer than messages are.
#[test]
fn the_bucket_is_private_and_forgets_with_the_messages() {
    let template = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml")).expect("a file");
    let document = Template::document(&template).expect("YAML");
    let (bucket, policy) = (&document["Resources"]["FilesBucket"], &document["Resources"]["FilesBucketPolicy"]);
    for resource in [bucket, policy] {
        assert_eq!(
            (&resource["DeletionPolicy"], &resource["UpdateReplacePolicy"]),
            (&json!("Retain"), &json!("Retain"))
        );
    }
    let properties = &bucket["Properties"];
    let public = properties["PublicAccessBlockConfiguration"].as_object().expect("settings");
    assert!(public.len() == 4 && public.values().all(|blocked| *blocked == true), "{public:?}");
    assert!(properties["VersioningConfiguration"].is_null(), "a version would outlast a recall");
    let statement = &policy["Properties"]["PolicyDocument"]["Statement"][0];
    assert_eq!(
        (&statement["Effect"], &statement["Principal"], &statement["Action"]),
        (&json!("Deny"), &json!("*"), &json!("s3:*"))
    );
    assert_eq!(statement["Condition"], json!({"Bool": {"aws:SecureTransport": "false"}}));
    let rule = &properties["LifecycleConfiguration"]["Rules"][0]["Fn::If"];
    let days = json!({"Ref": "MessageRetentionDays"});
    assert_eq!((&rule[0], &rule[1]["ExpirationInDays"]), (&json!("HasRetention"), &days));
    assert_eq!(
        properties["CorsConfiguration"]["CorsRules"][0]["AllowedOrigins"],
        json!({"Fn::Split": [",", {"Ref": "AllowedOrigins"}]})
    );
}

/// S3 does not answer: whoever recalls is told so, and everybody else that the message is recalled. A repeat deletes.
#[tokio::test]
async fn a_file_that_could_not_be_deleted_is_deleted_by_a_repeat() {
    let failing = Arc::new(AtomicBool::new(true));
    let fails = Arc::clone(&failing);
    let director = move |function: &str, _: &Value, _: u64| {
        // BatchGetItem, TransactWriteItems, and then the deletion.
        let is_recall = function == "change-message" && fails.load(Ordering::Relaxed);
        Direction { fault: is_recall.then_some((2, Fault::Refused(Refusal::Unavailable))), ..Direction::default() }
    };
    let chaos = Chaos::start(Box::new(director)).await;
    let server = Server::start_in_chaos(&chaos, Limits::default(), &[]).await;
    let (mut author, mut other) = (server.connect(7).await, server.connect(8).await);
    author.join(1).await;
    other.join(1).await;
    let address = sent(&server, &mut author, "a").await["message"]["content"].clone();
    let recall = json!({"action": "deleteMessage", "chatroomId": 1, "id": 1});
    let refused = author.ask(recall.clone()).await;
    assert_eq!((&refused["type"], &refused["code"]), (&json!("error"), &json!("internal")));
    assert_eq!(other.expect(json!({"type": "deleteMessage"})).await["message"]["deleted"], true);
    assert_eq!(get(&server, &address).await.status(), StatusCode::OK, "it could not be deleted");
    failing.store(false, Ordering::Relaxed);
    assert_eq!(author.ask(recall).await["duplicate"], true);
    assert_eq!(get(&server, &address).await.status(), StatusCode::FORBIDDEN);
    server.stop().await;
}

#[tokio::test]
async fn who_was_shut_out_gets_no_form_and_no_new_address() {
    let server = Server::start().await;
    let mut client = server.connect(7).await;
    client.join(1).await;
    sent(&server, &mut client, "a").await;
    let token = server.token_of(7);
    server.call("disconnect-user", &json!({"userId": 7})).await.expect("shut out");
    let request = server.http().post(server.url("/createUpload")).bearer_auth(&token).body(cat("b").to_string());
    assert_eq!(request.send().await.expect("an answer").status(), StatusCode::FORBIDDEN);
    assert_eq!(server.history_as(&token, "chatroomId=1").await.status, 403);
    server.stop().await;
}

/// The courier of a crowd signs as senders do, and a frame stays a frame however long addresses are.
#[tokio::test]
async fn in_rounds_pictures_are_pushed_as_elsewhere() {
    let server = Server::start_with_parameter("LargeRoom", "1").await;
    let (mut author, mut single) = (server.connect(7).await, server.connect(8).await);
    author.ask(json!({"action": "joinRoom", "chatroomId": 1, "rounds": true})).await;
    single.join(1).await;
    author.say(1, "now it is a crowd").await;
    let form = form(&server, 7, &cat("a")).await;
    assert_eq!(form.post(&server, PNG).await.status(), StatusCode::CREATED);
    author.send(message("a", &form.attachment)).await;
    let pushed = loop {
        let frame = single.expect(json!({"type": "sendMessage"})).await;
        if frame["message"]["type"] == "image" {
            break frame;
        }
    };
    assert_eq!(get(&server, &pushed["message"]["content"]).await.status(), StatusCode::OK);
    let is_picture =
        |frame: &Value| frame["messages"].as_array().is_some_and(|all| all.iter().any(|one| one["type"] == "image"));
    let round = loop {
        let frame = author.expect(json!({"type": "messages"})).await;
        if is_picture(&frame) {
            break frame;
        }
    };
    let picture =
        round["messages"].as_array().expect("messages").iter().find(|one| one["type"] == "image").expect("it");
    assert_eq!(picture["attachment"], form.attachment);
    assert_eq!(picture["content"], pushed["message"]["content"], "one courier, one address");
    server.stop().await;
}
