//! The binary itself, with the keys of a provider that it fetches over TLS.

use chat_tests::{Documents, Lambda, Tls, sample};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const BINARY: &str = env!("CARGO_BIN_EXE_functions");
const ISSUER: &str = "https://id.example.com/";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_providers_keys_come_from_whom_the_system_trusts_and_from_nobody_else() {
    let key = EncodingKey::from_ed_pem(include_bytes!("keys/ed25519.pem")).expect("a key");
    let (documents, tls) = (Documents::start().await, Tls::new());
    let mut jwk = json!(Jwk::from_encoding_key(&key, Algorithm::EdDSA).expect("a public key"));
    jwk["kid"] = json!("1");
    documents.serve(200, &json!({"keys": [jwk]}).to_string());
    let url = tls.before(documents.url()).await;
    let mut vars = BTreeMap::from([
        ("TOKEN_JWKS_URL", format!("{url}/keys")),
        ("TOKEN_ISSUER", ISSUER.into()),
        ("TOKEN_AUDIENCE", "https://chat.example.com".into()),
        ("DEFAULT_ROOMS", "1".into()),
    ]);

    // As Auth0 shapes an access token.
    let audience = ["https://chat.example.com", "https://tenant.auth0.com/userinfo"];
    let claims = json!({"iss": ISSUER, "sub": "auth0|7", "aud": audience, "exp": 4_102_444_800_u64, "scope": "openid"});
    let header = Header { kid: Some("1".into()), ..Header::new(Algorithm::EdDSA) };
    let mut event = sample("authorize-query");
    event["queryStringParameters"]["token"] = json!(encode(&header, &claims, &key).expect("a token"));

    let mut stranger = Lambda::start(BINARY, "authorize", vars.clone()).await;
    let (kind, answer) = stranger.invoke(event.clone()).await;
    assert_eq!(kind, "error", "{answer}");
    assert_eq!(documents.asked(), 0);

    vars.insert("SSL_CERT_FILE", tls.roots().display().to_string());
    let mut lambda = Lambda::start(BINARY, "authorize", vars).await;
    for _ in 0..2 {
        let (kind, answer) = lambda.invoke(event.clone()).await;
        assert_eq!((kind.as_str(), effect(&answer)), ("response", &json!("Allow")), "{answer}");
        assert_eq!((&answer["principalId"], &answer["context"]["rooms"]), (&json!("auth0|7"), &json!("[1]")));
    }
    assert_eq!(documents.asked(), 1);
}

/// The runtime logs too, around the function: at its lowest level whole events.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_logs_no_token_and_no_secret_at_whatever_level() {
    const SECRET: &str = "marked-secret-of-32-bytes-and-a-few-more";
    let token = |secret: &str| {
        let claims = json!({"sub": "7", "exp": 4_102_444_800_u64});
        encode(&Header::default(), &claims, &EncodingKey::from_secret(secret.as_bytes())).expect("a token")
    };
    let vars = BTreeMap::from([("TOKEN_SECRET", SECRET.to_owned()), ("AWS_LAMBDA_LOG_LEVEL", "TRACE".to_owned())]);
    let mut lambda = Lambda::start(BINARY, "authorize", vars).await;
    let mut said = vec![SECRET.to_owned()];
    for (token, answered) in [(token(SECRET), "Allow"), (token(&SECRET.to_uppercase()), "Deny")] {
        let mut event = sample("authorize-query");
        event["queryStringParameters"]["token"] = json!(token);
        assert_eq!(effect(&lambda.invoke(event.clone()).await.1), answered);
        // One that cannot be read.
        event["methodArn"] = json!([token]);
        assert_eq!(lambda.invoke(event).await.0, "error");
        said.extend(token.split('.').skip(1).map(String::from));
    }
    let log = lambda.kill().await;
    assert!(log.contains("refused") && log.contains("failed to read the event"), "{log}");
    for said in said {
        assert!(!log.contains(&said), "{said} is in the log: {log}");
    }
}

fn effect(answer: &Value) -> &Value {
    &answer["policyDocument"]["Statement"][0]["Effect"]
}
