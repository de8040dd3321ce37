//! The keys of an identity provider, fetched when the first token needs them and kept between invocations.

use super::keys::{Keys, Refused, Trust, Unverified, invalid};
use chat_aws::{DocumentUrl, Fault, KEYS_ASKED_AGAIN, KEYS_KEPT, NO_KEYS_ASKED_AGAIN, telemetry};
use serde_json::{Map, Value};
use std::time::Instant;
use tokio::sync::Mutex;

pub struct Provider {
    url: DocumentUrl,
    trust: Trust,
    /// Held while keys are fetched, so that tokens that come together cause one fetch.
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    keys: Keys,
    fetched: Option<Instant>,
    asked: Option<Instant>,
}

impl Provider {
    pub fn new(url: &str, trust: Trust) -> Result<Self, Fault> {
        let url = DocumentUrl::parse(url).ok_or_else(|| invalid("TOKEN_JWKS_URL is no https address"))?;
        Ok(Self { url, trust, known: Mutex::default() })
    }

    /// The claims of a token that one of the provider's keys signed, and that is valid now.
    ///
    /// # Errors
    /// If there are no keys and none can be fetched: then the token cannot be judged.
    pub async fn verify(&self, token: &str) -> Result<Map<String, Value>, Unverified> {
        let mut known = self.known.lock().await;
        if known.are_stale() && known.may_ask() {
            self.fetch(&mut known).await?;
        }
        if known.keys.is_empty() {
            let fault = Fault::because("failed to check a token", "the provider's keys were not there a moment ago");
            return Err(fault.into());
        }
        match known.keys.verify(token) {
            // It may have a new key since.
            Err(Refused::NoKey(_)) if known.may_ask() => {
                self.fetch(&mut known).await?;
                Ok(known.keys.verify(token)?)
            }
            verified => Ok(verified?),
        }
    }

    /// Gets the keys; if that fails, those that are known stay good.
    async fn fetch(&self, known: &mut Known) -> Result<(), Fault> {
        known.asked = Some(Instant::now());
        let set = self.url.fetch().await;
        let keys = set.and_then(|set| {
            Keys::of_set(&set, &self.trust)
                .map_err(|what| Fault::because("failed to read the provider's keys: the set", what))
        });
        match keys {
            Ok(keys) => *known = Known { keys, fetched: known.asked, asked: known.asked },
            Err(fault) if known.keys.is_empty() => return Err(fault),
            Err(fault) => telemetry::survived(&fault),
        }
        Ok(())
    }
}

impl Known {
    fn are_stale(&self) -> bool {
        self.fetched.is_none_or(|fetched| fetched.elapsed() >= KEYS_KEPT)
    }

    fn may_ask(&self) -> bool {
        let wait = if self.keys.is_empty() { NO_KEYS_ASKED_AGAIN } else { KEYS_ASKED_AGAIN };
        self.asked.is_none_or(|asked| asked.elapsed() >= wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorize::issuer::{AUDIENCE, ISSUER, Issuer, claims};
    use chat_aws::DOCUMENT_BYTES_MAX;
    use chat_tests::Documents;
    use serde_json::json;
    use std::time::Duration;

    /// A provider that serves a set, and ourselves who trust it.
    async fn trusting(set: &str) -> (Documents, Provider) {
        let documents = Documents::start().await;
        documents.serve(200, set);
        let trust = Trust { issuer: ISSUER.into(), audience: AUDIENCE.into() };
        let provider = Provider::new(&format!("{}/keys", documents.url()), trust).expect("an address");
        (documents, provider)
    }

    impl Provider {
        /// Has everything been so much longer ago.
        async fn pass(&self, time: Duration) {
            let mut known = self.known.lock().await;
            let earlier = |when: Option<Instant>| when.and_then(|when| when.checked_sub(time));
            known.fetched = earlier(known.fetched);
            known.asked = earlier(known.asked);
        }

        async fn says(&self, token: &str) -> Result<(), String> {
            self.verify(token).await.map(drop).map_err(|unverified| match unverified {
                Unverified::Refused(refused) => format!("{refused:?}"),
                Unverified::Fault(fault) => fault.chain().to_string(),
            })
        }
    }

    fn only(issuer: &Issuer, ids: &[&str]) -> String {
        json!({"keys": ids.iter().map(|id| issuer.jwk(id)).collect::<Vec<_>>()}).to_string()
    }

    #[tokio::test]
    async fn keys_are_fetched_once_for_many_tokens() {
        let issuer = Issuer::new();
        let (documents, provider) = trusting(&issuer.jwks()).await;
        let tokens: Vec<_> = ["r", "e", "d"].iter().map(|id| issuer.sign(id, Some(id), &claims())).collect();
        let all = tokens.iter().cycle().take(30).map(|token| provider.says(token));
        assert!(futures_util::future::join_all(all).await.iter().all(Result::is_ok));
        assert_eq!(documents.asked(), 1);
    }

    #[tokio::test]
    async fn a_new_key_is_taken_and_an_old_one_is_given_up() {
        let issuer = Issuer::new();
        let (documents, provider) = trusting(&only(&issuer, &["r"])).await;
        let (old, new) = (issuer.sign("r", Some("r"), &claims()), issuer.sign("e", Some("e"), &claims()));
        provider.says(&old).await.expect("known");
        documents.serve(200, &only(&issuer, &["r", "e"]));
        provider.pass(KEYS_ASKED_AGAIN).await;
        provider.says(&new).await.expect("asked for again");
        provider.says(&old).await.expect("still there");
        documents.serve(200, &only(&issuer, &["e"]));
        provider.pass(KEYS_KEPT).await;
        provider.says(&new).await.expect("still there");
        assert!(provider.says(&old).await.is_err(), "the provider took it back an hour ago");
        assert_eq!(documents.asked(), 3);
    }

    #[tokio::test]
    async fn a_flood_of_unknown_keys_asks_once_a_minute() {
        let issuer = Issuer::new();
        let (documents, provider) = trusting(&only(&issuer, &["r"])).await;
        provider.says(&issuer.sign("r", Some("r"), &claims())).await.expect("known");
        for number in 0..100 {
            let unknown = issuer.sign("e", Some(&number.to_string()), &claims());
            provider.says(&unknown).await.expect_err("refused");
        }
        assert_eq!(documents.asked(), 1);
        provider.pass(KEYS_ASKED_AGAIN).await;
        for number in 0..100 {
            provider.says(&issuer.sign("e", Some(&number.to_string()), &claims())).await.expect_err("refused");
        }
        assert_eq!(documents.asked(), 2);
        provider.says(&issuer.sign("r", Some("r"), &claims())).await.expect("still known");
    }

    #[tokio::test]
    async fn while_the_provider_is_down_its_keys_stay_good() {
        let issuer = Issuer::new();
        let (documents, provider) = trusting(&issuer.jwks()).await;
        let token = issuer.sign("r", Some("r"), &claims());
        provider.says(&token).await.expect("known");
        documents.serve(503, "");
        for hour in 1..=30 {
            provider.pass(KEYS_KEPT).await;
            provider.says(&token).await.expect("still good");
            provider.says(&token).await.expect("not asked for again at once");
            assert_eq!(documents.asked(), 1 + hour);
        }
    }

    #[tokio::test]
    async fn a_provider_that_is_down_at_first_is_a_fault_and_nobodys_bad_token() {
        let issuer = Issuer::new();
        let (documents, provider) = trusting("").await;
        documents.serve(503, "");
        let token = issuer.sign("r", Some("r"), &claims());
        let fault = provider.says(&token).await.expect_err("no keys");
        assert!(fault.contains("failed to fetch a document: answered 503"), "{fault}");
        for _ in 0..10 {
            let fault = provider.says(&token).await.expect_err("no keys");
            assert!(fault.contains("were not there a moment ago"), "{fault}");
        }
        assert_eq!(documents.asked(), 1);
        documents.serve(200, &issuer.jwks());
        provider.pass(NO_KEYS_ASKED_AGAIN).await;
        provider.says(&token).await.expect("it is there again");
    }

    #[tokio::test]
    async fn what_is_no_key_set_replaces_none() {
        let issuer = Issuer::new();
        let (documents, provider) = trusting(&issuer.jwks()).await;
        let token = issuer.sign("r", Some("r"), &claims());
        provider.says(&token).await.expect("known");
        let mut broken = issuer.jwk("e");
        broken["x"] = json!("no base64!");
        let deep = format!("{{\"keys\":{}", "[".repeat(DOCUMENT_BYTES_MAX / 2));
        let padding = " ".repeat(DOCUMENT_BYTES_MAX);
        for (status, set) in [
            (200, String::new()),
            (200, "<html>Sign in</html>".into()),
            (200, json!({"keys": []}).to_string()),
            (200, json!({"keys": {"r": issuer.jwk("r")}}).to_string()),
            (200, json!({"keys": [broken]}).to_string()),
            (200, deep),
            (200, issuer.jwks() + &padding),
            (301, issuer.jwks()),
            (404, issuer.jwks()),
        ] {
            documents.serve(status, &set);
            provider.pass(KEYS_KEPT).await;
            let before = documents.asked();
            provider.says(&token).await.expect("still good");
            assert_eq!(documents.asked(), before + 1, "{status}");
        }
    }

    #[tokio::test]
    async fn a_set_of_many_keys_is_taken_whole() {
        let issuer = Issuer::new();
        let mut keys: Vec<_> = (0..200).map(|number| (number.to_string(), issuer.jwk("d"))).collect();
        for (id, key) in &mut keys {
            key["kid"] = json!(id);
        }
        let set = json!({"keys": keys.iter().map(|(_, key)| key).collect::<Vec<_>>()}).to_string();
        assert!(set.len() <= DOCUMENT_BYTES_MAX);
        let (_documents, provider) = trusting(&set).await;
        provider.says(&issuer.sign("d", Some("199"), &claims())).await.expect("known");
    }

    /// One key that is broken takes no other with it.
    #[tokio::test]
    async fn a_set_with_broken_keys_is_good_for_the_others() {
        let issuer = Issuer::new();
        let broken = [
            json!({"kty": "RSA", "kid": "1", "n": "no base64!", "e": "AQAB"}),
            json!({"kty": "RSA", "kid": "2"}),
            json!({"kty": "EC", "crv": 7, "kid": "3"}),
            json!({"kid": "4"}),
            json!(null),
            json!([]),
        ];
        let keys: Vec<_> = broken.into_iter().chain([issuer.jwk("e")]).collect();
        let (_documents, provider) = trusting(&json!({"keys": keys}).to_string()).await;
        provider.says(&issuer.sign("e", Some("e"), &claims())).await.expect("known");
        provider.says(&issuer.sign("r", Some("1"), &claims())).await.expect_err("refused");
    }

    #[tokio::test]
    async fn a_provider_that_does_not_answer_is_not_waited_for() {
        let issuer = Issuer::new();
        let (documents, provider) = trusting(&issuer.jwks()).await;
        let token = issuer.sign("r", Some("r"), &claims());
        provider.says(&token).await.expect("known");
        documents.stall();
        provider.pass(KEYS_KEPT).await;
        provider.says(&token).await.expect("still good");
        assert_eq!(documents.asked(), 2);
    }
}
