//! Secrets come by a variable or by standard input. An argument would stand in the list of processes and in the shell's
//! history.

use anyhow::{Context, Result, ensure};
use chat_aws::Vars;
use functions::authorize::SECRET_BYTES_MIN;
use std::io::{IsTerminal, Read};

/// The variable that the secret is read from: the one that the authorizer has.
pub const SECRET: &str = "TOKEN_SECRET";

/// Longest secret, in bytes, that is read from standard input: a function's whole environment holds 4 KB.
const SECRET_BYTES_MAX: u64 = 4_096;

/// The secret that tokens are signed with, from its variable or else from standard input.
pub fn secret(vars: &Vars) -> Result<String> {
    if let Some(secret) = vars.optional(SECRET) {
        return checked(secret.to_owned(), SECRET);
    }
    let input = std::io::stdin();
    ensure!(!input.is_terminal(), "{SECRET} is not set, and nothing comes by standard input: `ops … < secret.txt`");
    let mut secret = String::new();
    input.lock().take(SECRET_BYTES_MAX).read_to_string(&mut secret).context("failed to read standard input")?;
    // An editor ends a file with a line break that nobody takes for a part of the secret.
    checked(secret.trim_end_matches(['\r', '\n']).to_owned(), "the secret on standard input")
}

/// The secret if its variable has it.
pub fn given(vars: &Vars) -> Result<Option<String>> {
    vars.optional(SECRET).map(|secret| checked(secret.to_owned(), SECRET)).transpose()
}

fn checked(secret: String, from: &str) -> Result<String> {
    ensure!(secret.len() >= SECRET_BYTES_MIN, "{from} is shorter than {SECRET_BYTES_MIN} bytes");
    Ok(secret)
}
