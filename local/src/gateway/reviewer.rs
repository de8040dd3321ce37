//! Whoever reviews messages: on AWS a function of the deployment's owner, here whatever answers at an address.

use crate::template::{ACCOUNT, REGION};
use anyhow::{Context, Result, ensure};
use reqwest::{Client, Url};
use serde_json::Value;

/// Its name, for whom invokes it.
const NAME: &str = "review";

/// Asked as Lambda would invoke it: the event is the body of a `POST`, and the answer is JSON.
pub(crate) struct Reviewer {
    client: Client,
    address: Url,
}

impl Reviewer {
    pub fn at(address: &str) -> Result<Self> {
        let address: Url = address.parse().with_context(|| format!("{address:?} is no address to review at"))?;
        ensure!(matches!(address.scheme(), "http" | "https"), "{address} is no address of HTTP");
        Ok(Self { client: Client::new(), address })
    }

    /// What the template's parameter is set to.
    pub fn arn() -> String {
        format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{NAME}")
    }

    /// Whether a function's name is this one.
    pub fn is(name: &str) -> bool {
        name == NAME
    }

    /// Its answer, or why there is none.
    pub async fn invoke(&self, event: &Value) -> Result<Value, String> {
        let answer = self.client.post(self.address.clone()).json(event).send().await;
        let answer = answer.and_then(reqwest::Response::error_for_status).map_err(|error| error.to_string())?;
        answer.json().await.map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_of_http() {
        assert!(Reviewer::at("http://127.0.0.1:9000/review").is_ok());
        for bad in ["review", "ftp://127.0.0.1/", "127.0.0.1:9000"] {
            assert!(Reviewer::at(bad).is_err(), "{bad}");
        }
    }
}
