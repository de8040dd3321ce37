//! `disconnect-user`: shut somebody out.

use crate::target::Target;
use crate::{done, told};
use anyhow::{Context, Result, ensure};
use chat::UserId;
use chat_aws::{Aws, Ended};
use clap::Args;
use std::process::ExitCode;

/// Ends all connections of a user; no token that was issued until a minute from now connects again
#[derive(Debug, Args)]
pub struct DisconnectUser {
    /// Who it is: a number or a string
    user: String,
    /// Keeps out somebody who was never seen here, too
    #[arg(long)]
    unseen: bool,
}

impl DisconnectUser {
    pub async fn run(self, target: &Target) -> Result<ExitCode> {
        let (user, vars) = (parse(&self.user)?, target.vars().await?);
        let aws = Aws::new(&vars).map_err(told)?;
        let (tables, users) = (aws.tables().map_err(told)?, aws.users().map_err(told)?);
        let sessions = aws.sessions().map_err(told)?;
        tables.recognise().await.map_err(told)?;
        known(users.look(&user).await.map_err(told)?.0, self.unseen, &self.user)?;
        let ended = sessions.end_all(&user).await.map_err(told)?;
        println!(
            "user {user}: connections ended: {}; no token that was issued until a minute from now connects",
            ended.connections
        );
        ensure!(ended.connections > 0 || ended.missing == 0, "{}", missing(&ended));
        done()
    }
}

/// A user's id, as somebody typed it.
pub fn parse(user: &str) -> Result<UserId> {
    UserId::parse(user).with_context(|| format!("{user:?} is no user's id"))
}

/// An id that nobody ever connected with is taken for a mistyped one.
pub fn known(seen: bool, unseen: bool, user: &str) -> Result<()> {
    ensure!(
        seen || unseen,
        "user {user:?} was never seen, and nothing was done; --unseen keeps out somebody who has not come yet"
    );
    Ok(())
}

/// What to say where connections were known that were not there.
pub fn missing(ended: &Ended) -> String {
    format!(
        "{} more were known, and none was there: if the management API is another deployment's, they are still open, though they \
         have left their rooms",
        ended.missing
    )
}
