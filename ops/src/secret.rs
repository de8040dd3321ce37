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

/// The longest line break after it.
const LINE_BREAK_BYTES: u64 = 2;

/// The secret that tokens are signed with, from its variable or else from standard input.
pub fn secret(vars: &Vars) -> Result<String> {
    if let Some(secret) = vars.optional(SECRET) {
        return checked(secret.to_owned(), SECRET);
    }
    let input = std::io::stdin();
    ensure!(!input.is_terminal(), "{SECRET} is not set, and nothing comes by standard input: `ops … < secret.txt`");
    let (mut secret, most) = (Vec::new(), SECRET_BYTES_MAX + LINE_BREAK_BYTES);
    // One byte more than there may be: half of a secret would sign what nobody takes.
    input.lock().take(most + 1).read_to_end(&mut secret).context("failed to read standard input")?;
    let is_whole = secret.len() as u64 <= most;
    ensure!(is_whole, "the secret on standard input is longer than {SECRET_BYTES_MAX} bytes");
    let secret = String::from_utf8(secret).ok().context("the secret on standard input is not UTF-8")?;
    // An editor ends a file with a line break that nobody takes for a part of the secret.
    let secret = secret.trim_end_matches(['\r', '\n']);
    checked(secret.to_owned(), "the secret on standard input")
}

/// The secret if its variable has it.
pub fn given(vars: &Vars) -> Result<Option<String>> {
    vars.optional(SECRET).map(|secret| checked(secret.to_owned(), SECRET)).transpose()
}

fn checked(secret: String, from: &str) -> Result<String> {
    ensure!(secret.len() >= SECRET_BYTES_MIN, "{from} is shorter than {SECRET_BYTES_MIN} bytes");
    Ok(secret)
}
