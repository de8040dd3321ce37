//! `token`: sign a token, as the application would.

use crate::limits::TOKEN_MINUTES;
use crate::{done, secret};
use anyhow::{Context, Result, ensure};
use chat::{Caller, Grant};
use chat_aws::{Vars, now};
use clap::Args;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Map, Value, json};
use std::process::ExitCode;
use std::time::Duration;

/// Signs a token for a user with a deployment's secret
///
/// The secret comes by the variable TOKEN_SECRET, or by standard input: `ops token 7 < secret.txt`. The token goes to
/// standard output, and is good for whoever has it.
#[derive(Debug, Args)]
pub struct Token {
    /// Who it is: a number or a string
    user: String,
    /// How others see the user [default: by the id]
    #[arg(long)]
    name: Option<String>,
    /// What it grants: * or ids with commas [default: the deployment's DefaultRooms]
    #[arg(long)]
    rooms: Option<String>,
    /// How long it is good for
    #[arg(long, default_value_t = TOKEN_MINUTES)]
    minutes: u32,
}

impl Token {
    pub fn run(self) -> Result<ExitCode> {
        let Self { user, name, rooms, minutes } = self;
        let lifetime = Duration::from_secs(u64::from(minutes) * 60);
        let secret = secret::secret(&Vars::from_env())?;
        println!("{}", sign(&secret, &user, name.as_deref(), rooms.as_deref().map(granted), lifetime)?);
        done()
    }
}

/// A token that the authorizer takes. Claims that it would refuse are refused here, where someone reads the reason.
pub fn sign(secret: &str, user: &str, name: Option<&str>, rooms: Option<Value>, lifetime: Duration) -> Result<String> {
    let now = now();
    let mut claims = Map::from_iter([
        ("userId".to_owned(), json!(user)),
        ("iat".to_owned(), json!(now.seconds())),
        ("exp".to_owned(), json!(now.after(lifetime).seconds())),
    ]);
    claims.extend(name.map(|name| ("nickName".to_owned(), json!(name))));
    claims.extend(rooms.map(|rooms| ("rooms".to_owned(), rooms)));
    let caller =
        Caller::from_claims(&claims, &Grant::All.into()).with_context(|| format!("user {user:?} gets no token"))?;
    let shown = |name: &str| caller.profile.nick_name == name;
    ensure!(
        name.is_none_or(shown),
        "the name cannot be shown as it is: it is blank, too long, or has hidden characters"
    );
    encode(&Header::default(), &claims, &EncodingKey::from_secret(secret.as_bytes())).context("failed to sign")
}

fn granted(rooms: &str) -> Value {
    let ids = || rooms.split(',').map(str::trim).filter(|id| !id.is_empty()).collect();
    if rooms == "*" { json!("*") } else { ids() }
}
