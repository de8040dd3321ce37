//! Which deployment a command is about.

use crate::stack::Stack;
use anyhow::Result;
use chat_aws::Vars;
use clap::Args;

/// A stack, the local run, or what the environment names.
#[derive(Debug, Clone, Args)]
pub struct Target {
    /// The deployed stack of this name: its outputs say the tables and the endpoints
    #[arg(long, global = true, value_name = "NAME")]
    pub stack: Option<String>,
    /// The run that is up on this machine (`cargo run`)
    #[arg(long, global = true, conflicts_with = "stack")]
    pub local: bool,
    /// The local run's --port
    #[arg(long, global = true, value_name = "PORT", default_value_t = 3000)]
    port: u16,
    /// The local run's --dynamodb-port
    #[arg(long, global = true, value_name = "PORT", default_value_t = 8000)]
    dynamodb_port: u16,
    /// The local run's stage
    #[arg(long, global = true, value_name = "STAGE", default_value = "dev")]
    stage: String,
}

impl Target {
    /// The variables that a function of the deployment has, as far as a command needs them.
    pub async fn vars(&self) -> Result<Vars> {
        let vars = Vars::from_env();
        match &self.stack {
            Some(name) => Ok(Stack::outputs_of(name, &vars).await?.vars(vars)),
            None if self.local => Ok(self.local_vars(vars)),
            None => Ok(vars),
        }
    }

    /// What `cargo run` calls its tables, and where it serves them.
    pub fn local_vars(&self, vars: Vars) -> Vars {
        vars.with([
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "local".into()),
            ("AWS_SECRET_ACCESS_KEY", "local".into()),
            ("AWS_ENDPOINT_URL_DYNAMODB", format!("http://127.0.0.1:{}", self.dynamodb_port)),
            ("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", format!("{}/{}", self.local_http_url(), self.stage)),
            ("CONNECTIONS_TABLE", "ConnectionsTable".into()),
            ("CHAT_TABLE", "ChatTable".into()),
        ])
    }

    pub fn local_http_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn local_websocket_url(&self) -> String {
        format!("ws://127.0.0.1:{}/{}", self.port, self.stage)
    }
}
