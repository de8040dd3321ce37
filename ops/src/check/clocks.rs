//! Whether the clocks agree that decide about tokens.

use super::{Found, Subject};
use crate::limits::CLOCK_OFF_MAX;
use crate::told;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chat::Timestamp;
use chat::limits::CLOCK_SKEW_SECONDS;
use chat_aws::{Aws, now};
use serde_json::Value;

const HELP: &str = "name the stack with --stack; may you dynamodb:GetItem?";

/// This machine's clock beside DynamoDB's, which revocations go by.
pub async fn machine(subject: &Subject) -> Found {
    let before = now();
    let time = match time(subject).await {
        Ok(time) => time,
        Err(error) => return Found::unknown(error, HELP),
    };
    let off = off(time, before, now());
    let text = match off {
        0 => "this machine and DynamoDB agree to the second".to_owned(),
        off if off > 0 => format!("this machine is {} ms ahead of DynamoDB", off),
        off => format!("this machine is {} ms behind DynamoDB", -off),
    };
    if off.unsigned_abs() <= CLOCK_OFF_MAX.as_millis() as u64 {
        return Found::Ok(text);
    }
    Found::NotOk(format!("{text}: set it by NTP. Tokens of a machine that is {CLOCK_SKEW_SECONDS} s off are refused"))
}

/// How far a clock is ahead, in ms. DynamoDB says whole seconds, and its answer took a while: what may be no difference
/// is none.
fn off(time: Timestamp, before: Timestamp, after: Timestamp) -> i64 {
    let (earliest, latest) = (time.millis(), time.millis() + 1_000);
    if before.millis() > latest { before.millis() - latest } else { (after.millis() - earliest).min(0) }
}

/// A token that somebody brought, beside DynamoDB's clock. One of this command's has this machine's time.
pub async fn token(subject: &Subject) -> Found {
    let token = match &subject.token {
        Ok(token) if subject.is_brought => token,
        Ok(_) => return Found::Ok("this command signs its own".into()),
        Err(why) => return Found::Unknown(why.clone()),
    };
    let Some(claims) = claims(token) else { return Found::NotOk("TOKEN is no JSON Web Token".into()) };
    let time = time(subject).await.unwrap_or_else(|_| now()).seconds();
    let seconds = |name: &str| claims[name].as_f64().map(|seconds| seconds as i64);
    let skew = CLOCK_SKEW_SECONDS.cast_signed();
    match (seconds("iat"), seconds("exp")) {
        (_, None) => Found::NotOk("TOKEN has no exp: no token without an expiry is taken".into()),
        (_, Some(exp)) if exp + skew < time => {
            Found::NotOk(format!("TOKEN expired {} s ago: get a new one", time - exp))
        }
        (Some(iat), _) if iat > time + CLOCK_OFF_MAX.as_secs().cast_signed() => {
            Found::NotOk(format!("TOKEN was issued {} s in the future: set the issuer's clock by NTP", iat - time))
        }
        (None, _) => Found::NotOk("TOKEN has no iat: after a revocation it would be refused for ever".into()),
        (Some(iat), Some(exp)) => {
            Found::Ok(format!("issued {} s ago, good for {} s more", (time - iat).max(0), (exp - time).max(0)))
        }
    }
}

async fn time(subject: &Subject) -> anyhow::Result<Timestamp> {
    Aws::new(&subject.vars).and_then(|aws| aws.tables()).map_err(told)?.time().await.map_err(told)
}

/// What a token says, whoever signed it.
fn claims(token: &str) -> Option<Value> {
    let claims = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice::<Value>(&claims).ok().filter(Value::is_object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_whole_second_hides_is_no_difference() {
        let at = Timestamp::from_millis;
        for (before, after, ahead) in [
            (10_000, 10_100, 0),
            (10_990, 11_040, 0),
            (9_950, 10_020, 0),
            (15_000, 15_100, 4_000),
            (2_000, 2_100, -7_900),
        ] {
            assert_eq!(off(at(10_000), at(before), at(after)), ahead, "{before} {after}");
        }
    }
}
