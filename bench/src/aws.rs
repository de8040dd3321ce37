//! Stands in for AWS while the binaries are measured: DynamoDB's protocol with the template's tables, and a management
//! API with a set latency. Both also speak TLS, with a certificate made for this run.

use crate::functions::FLOOR;
use anyhow::Result;
use chat::{ConnectionId, Encoding, Member};
use chat_aws::{Kept, now};
use chat_tests::{Lambda, Posts, Server, Tls, device_of, enter, room, sample, user};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// The secret that the tokens in `events/` are signed with.
pub const SAMPLE_SECRET: &str = "sample-secret-for-the-events-folder-only";

pub struct Aws {
    pub server: Server,
    pub tls: Tls,
    dynamodb_over_tls: String,
    plain: Posts,
    over_tls: Posts,
}

impl Aws {
    pub async fn start(post_latency: Duration) -> Self {
        let (server, tls) = (Server::start_with_parameter("SocketIo", "on").await, Tls::new());
        let dynamodb_over_tls = tls.before(server.dynamodb_url()).await;
        let (plain, over_tls) = (Posts::start(post_latency, None).await, Posts::start(post_latency, Some(&tls)).await);
        Self { server, tls, dynamodb_over_tls, plain, over_tls }
    }

    pub async fn stop(self) {
        self.server.stop().await;
    }

    /// Where frames are posted to.
    pub fn posts(&self, secure: bool) -> &Posts {
        if secure { &self.over_tls } else { &self.plain }
    }

    /// What every function finds in its environment.
    pub fn vars(&self, secure: bool) -> BTreeMap<&'static str, String> {
        let mut vars = self.server.vars();
        vars.insert("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", self.posts(secure).url().to_owned());
        vars.insert("TOKEN_SECRET", SAMPLE_SECRET.into());
        vars
    }

    /// Starts a function, by its binary and its handler, with so much memory, in MB, as Lambda would say it.
    pub async fn start_function(&self, (binary, handler): (&Path, &str), memory: u64, secure: bool) -> Lambda {
        let mut vars = self.vars(secure);
        vars.insert("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory.to_string());
        if secure {
            vars.insert("AWS_ENDPOINT_URL_DYNAMODB", self.dynamodb_over_tls.clone());
            vars.insert("TLS_ROOTS", "system".into());
            vars.insert("SSL_CERT_FILE", self.tls.roots().display().to_string());
        }
        Lambda::start(&binary.display().to_string(), handler, vars).await
    }

    /// Writes the rows that a sample event needs: its connection is open and in a room, with one other member.
    pub async fn prepare(&self) -> Result<()> {
        let app = self.server.app();
        let (me, other) = (member("L0SM9cOFvHcCIhw=", "1"), member("L0SNaaaavHcCIhw=", "2"));
        for member in [&me, &other] {
            // Removes what an earlier measurement left.
            app.connections.forget(&member.connection).await.map_err(anyhow::Error::new)?;
            app.connections.remove_member(&member.connection, &room("1")).await.map_err(anyhow::Error::new)?;
            app.connections
                .open(&device_of(&member.connection), &member.user, Kept::default())
                .await
                .map_err(anyhow::Error::new)?;
            app.connections.add_room(&member.connection, &room("1")).await?;
            enter(&app, member, &room("1")).await;
        }
        Ok(())
    }
}

/// What API Gateway sends a function.
pub fn event(function: &str) -> Value {
    if function == "disconnect-user" {
        return json!({"userId": 99}); // no other event is of this user
    }
    sample(match function {
        "default" | FLOOR => "default-ping",
        function => function,
    })
}

/// Whether a function did what the event asked of it.
pub fn is_good(kind: &str, answer: &Value) -> bool {
    let frame = answer["body"].as_str().unwrap_or_default();
    let allowed = answer["policyDocument"]["Statement"][0]["Effect"] == "Allow";
    let done = answer["statusCode"] == 200 || allowed || answer["connectionsEnded"].is_u64() || answer.is_null();
    kind == "response" && done && !frame.contains(r#""type":"error""#)
}

fn member(connection: &str, id: &str) -> Member {
    let connection = ConnectionId::new(connection);
    Member { connection, user: user(id), joined_at: now(), batches: false, rounds: false, encoding: Encoding::Json }
}
