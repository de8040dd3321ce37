use crate::{device_of, ghost, user};
use chat::{Device, Profile, Timestamp};
use chat_aws::{App, now};
use chat_local::{Interference, Plan};
use serde_json::Value;
use std::net::TcpListener;

/// Lets a user have one connection, and holds up the handshakes that ask for it by [`held`]: where one has to make place for
/// itself, it waits, until it gives up, for a management API that takes every call and answers none.
#[derive(Debug)]
pub struct HeldHandshakes(TcpListener);

impl Default for HeldHandshakes {
    fn default() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").expect("a port"))
    }
}

impl Interference for HeldHandshakes {
    fn plan(&self, function: &str, event: &Value) -> Plan {
        if function != "connect" {
            return Plan::default();
        }
        let mut vars = vec![("CONNECTIONS_PER_USER".into(), "1".into())];
        if event["queryStringParameters"]["held"] == "true" {
            let url = format!("http://{}", self.0.local_addr().expect("an address"));
            vars.push(("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI".into(), url));
        }
        Plan { vars, ..Plan::default() }
    }
}

/// The address of a socket, from a client whose handshake is to be held up.
pub fn held(socket_url: &str) -> String {
    format!("{socket_url}&held=true")
}

/// A connection of a minute ago that the gateway knows nothing of: its `$disconnect` never came.
pub fn lost_device() -> Device {
    Device { connected_at: Timestamp::from_millis(now().millis() - 60_000), ..device_of(&ghost("7").connection) }
}

/// Has a user be remembered with a connection.
pub async fn remember(app: &App, id: &str, device: Device) {
    app.users.remember(&Profile::unknown(user(id)), 0, &device).await.expect("remembered").expect("not revoked");
}
