//! The commands as they are typed: the binary itself, beside a local run with a gateway, a DynamoDB and ports of its
//! own.

mod account;
mod check;
mod disconnect_user;
mod erase_user;
mod export_room;
mod rights;
mod target;
mod token;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chat_tests::{Server, in_time};
use serde_json::{Value, json};
use std::process::Stdio;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

/// A command line, with nothing in its environment but what it is given.
struct Typed(Command, Option<String>);

/// What a command said, and how it ended.
#[derive(Debug)]
struct Said {
    code: i32,
    out: String,
    err: String,
}

/// `ops` with these arguments.
fn ops(arguments: &[&str]) -> Typed {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ops"));
    command.env_clear().args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.kill_on_drop(true);
    Typed(command, None)
}

impl Typed {
    /// With the variables that a function of this server has.
    fn to(mut self, server: &Server) -> Self {
        // What functions are told of Lambda is nothing to an operator, who asks the account for its settings there.
        self.0.envs(server.vars().into_iter().filter(|(name, _)| *name != "AWS_ENDPOINT_URL_LAMBDA"));
        self
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.0.env(name, value);
        self
    }

    fn argument(mut self, argument: &str) -> Self {
        self.0.arg(argument);
        self
    }

    fn input(mut self, text: &str) -> Self {
        self.0.stdin(Stdio::piped());
        self.1 = Some(text.to_owned());
        self
    }

    fn start(mut self) -> Child {
        self.0.spawn().expect("the command starts")
    }

    async fn run(self) -> Said {
        let input = self.1.clone();
        let mut child = self.start();
        if let Some(input) = input {
            child.stdin.take().expect("an input").write_all(input.as_bytes()).await.expect("written");
        }
        end(child).await
    }

    /// Expects it to do what it was asked, and answers what it said.
    async fn succeeds(self) -> String {
        let said = self.run().await;
        assert_eq!(said.code, 0, "{said:?}");
        said.out
    }

    /// Expects it to fail, and answers why.
    async fn fails(self) -> String {
        let said = self.run().await;
        assert_eq!(said.code, 1, "{said:?}");
        said.err
    }
}

async fn end(child: Child) -> Said {
    let output = in_time("the command ends", child.wait_with_output()).await.expect("its output");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Said { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

/// The arguments by which a command speaks to this server as the local run that is up.
fn local(server: &Server) -> Vec<String> {
    let port = |url: &str| url.rsplit(':').next().and_then(|port| port.split('/').next()).expect("a port").to_owned();
    let (here, dynamodb, s3) = (port(server.websocket_url()), port(server.dynamodb_url()), port(server.s3_url()));
    ["--local", "--port", &here, "--dynamodb-port", &dynamodb, "--s3-port", &s3].map(String::from).into()
}

/// All rows of a table, as they are, sorted by their keys.
async fn rows(server: &Server, table: &str) -> Vec<Value> {
    let mut rows = Vec::new();
    let mut scan = json!({"TableName": table, "ConsistentRead": true});
    loop {
        let page = server.dynamodb("Scan", scan.clone()).await;
        rows.extend(page["Items"].as_array().expect("items").iter().cloned());
        if page["LastEvaluatedKey"].is_null() {
            break;
        }
        scan["ExclusiveStartKey"] = page["LastEvaluatedKey"].clone();
    }
    rows.sort_by_key(|row| format!("{} {}", row["PK"]["S"], row["SK"]["S"]));
    rows
}

/// Puts a file into the bucket, as somebody who was asked for one posts it.
async fn upload(server: &Server, key: &str) {
    let parts: Vec<_> = key.split('/').collect();
    let id = |part: &str| {
        let text = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("UTF-8");
        text.parse::<u64>().map_or_else(|_| json!(text), |number| json!(number))
    };
    let asked = json!({"chatroomId": id(parts[1]), "clientMessageId": parts[3], "name": parts[4], "size": 100});
    let request = server.http().post(server.url("/createUpload")).bearer_auth(server.token_of(id(parts[2])));
    let form = request.body(asked.to_string()).send().await.expect("an answer").json::<Value>().await.expect("JSON");
    assert_eq!(form["attachment"], key, "{form}");
    let mut body = String::new();
    for (name, value) in form["fields"].as_object().expect("fields") {
        let value = value.as_str().expect("a text");
        body.push_str(&format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"));
    }
    body.push_str("--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nmarked\r\n--x--\r\n");
    let request = server.http().post(form["url"].as_str().expect("an address"));
    let request = request.header("content-type", "multipart/form-data; boundary=x").body(body);
    assert_eq!(request.send().await.expect("an answer").status(), 201);
}
