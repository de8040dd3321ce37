//! Which deployment a command is about.

use crate::stack::Stack;
use anyhow::Result;
use chat_aws::Vars;
use clap::Args;
use clap::error::ErrorKind;

/// A stack, the local run, or what the environment names.
#[derive(Debug, Clone, Args)]
pub struct Target {
    /// The deployed stack of this name: its outputs say the tables and the endpoints
    #[arg(long, global = true, value_name = "NAME")]
    pub stack: Option<String>,
    /// The run that is up on this machine (`cargo run`)
    #[arg(long, global = true)]
    pub local: bool,
    /// With --local: its --port [default: 3000]
    #[arg(long, global = true, value_name = "PORT")]
    port: Option<u16>,
    /// With --local: its --dynamodb-port [default: 8000]
    #[arg(long, global = true, value_name = "PORT")]
    dynamodb_port: Option<u16>,
    /// With --local: its --s3-port [default: 8001]
    #[arg(long, global = true, value_name = "PORT")]
    s3_port: Option<u16>,
    /// With --local: its stage [default: dev]
    #[arg(long, global = true, value_name = "STAGE")]
    stage: Option<String>,
}

impl Target {
    /// Whether the arguments name one deployment. It is asked once they are all read: clap itself looks at those before
    /// the command and those after it apart.
    pub fn agrees(&self) -> Result<(), (ErrorKind, String)> {
        let of_local = [
            ("--port", self.port.is_some()),
            ("--dynamodb-port", self.dynamodb_port.is_some()),
            ("--s3-port", self.s3_port.is_some()),
            ("--stage", self.stage.is_some()),
        ];
        if self.local && self.stack.is_some() {
            return Err((ErrorKind::ArgumentConflict, "--local cannot be used with --stack".into()));
        }
        match of_local.iter().find(|(_, is_given)| *is_given && !self.local) {
            Some((name, _)) => {
                Err((ErrorKind::MissingRequiredArgument, format!("{name} is of --local, which is missing")))
            }
            None => Ok(()),
        }
    }

    /// The variables that a function of the deployment has, as far as a command needs them.
    pub async fn vars(&self) -> Result<Vars> {
        let vars = Vars::from_env();
        match &self.stack {
            Some(name) => Stack::outputs_of(name, &vars).await?.vars(vars),
            None if self.local => Ok(self.local_vars(vars)),
            None => Ok(vars),
        }
    }

    /// Which stack it is, for whoever reads what will be done to it.
    pub fn of_stack(&self, vars: &Vars) -> String {
        let region = vars.optional("AWS_REGION").unwrap_or_default();
        self.stack.as_ref().map(|name| format!(" of stack {name} in {region}")).unwrap_or_default()
    }

    /// What `cargo run` calls its tables, and where it serves them.
    pub fn local_vars(&self, vars: Vars) -> Vars {
        vars.with([
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "local-access-key".into()),
            ("AWS_SECRET_ACCESS_KEY", "local-secret-key".into()),
            // One of somebody's account is not for whoever listens there.
            ("AWS_SESSION_TOKEN", String::new()),
            ("AWS_ENDPOINT_URL_DYNAMODB", format!("http://127.0.0.1:{}", self.dynamodb_port.unwrap_or(8000))),
            ("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", format!("{}/{}", self.local_http_url(), self.stage())),
            ("CONNECTIONS_TABLE", "ConnectionsTable".into()),
            ("CHAT_TABLE", "ChatTable".into()),
            ("AWS_ENDPOINT_URL_S3", format!("http://127.0.0.1:{}", self.s3_port.unwrap_or(8001))),
            ("FILES_BUCKET", "FilesBucket".into()),
        ])
    }

    pub fn local_http_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.local_port())
    }

    pub fn local_websocket_url(&self) -> String {
        format!("ws://127.0.0.1:{}/{}", self.local_port(), self.stage())
    }

    fn local_port(&self) -> u16 {
        self.port.unwrap_or(3000)
    }

    fn stage(&self) -> &str {
        self.stage.as_deref().unwrap_or("dev")
    }
}
