//! The SDK clients, set up for a cold start of milliseconds.
//!
//! No `aws-config`, one connector for both clients, `ring` instead of aws-lc (which seeds itself from CPU jitter for
//! tens of milliseconds at the first handshake), and five pinned roots instead of parsing the system's 140.

use crate::limits::{ATTEMPTS, CONNECT_TIMEOUT, OPERATION_TIMEOUT, POSTS_IN_FLIGHT_MAX, READ_TIMEOUT, RETRY_BACKOFF};
use crate::{Fault, Vars};
use aws_sdk_apigatewaymanagement as management;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, SharedHttpClient};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpConnector, http_client_fn};

/// The roots that every AWS endpoint chains to (<https://www.amazontrust.com/repository/>).
const AMAZON_ROOTS: [&str; 5] = [
    include_str!("roots/amazon-root-ca-1.pem"),
    include_str!("roots/amazon-root-ca-2.pem"),
    include_str!("roots/amazon-root-ca-3.pem"),
    include_str!("roots/amazon-root-ca-4.pem"),
    include_str!("roots/starfield-services-root-certificate-authority-g2.pem"),
];

/// The two clients of a function.
pub(crate) struct Clients {
    pub dynamodb: aws_sdk_dynamodb::Client,
    pub management: management::Client,
}

impl Clients {
    /// Reads region, credentials and endpoints from the variables that Lambda and the SDKs agree on.
    pub fn new(vars: &Vars) -> Result<Self, Fault> {
        let region = Region::new(vars.required("AWS_REGION")?.to_owned());
        // A Lambda sandbox gets one set of credentials for its life: no provider, no refresh.
        let credentials = Credentials::new(
            vars.required("AWS_ACCESS_KEY_ID")?,
            vars.required("AWS_SECRET_ACCESS_KEY")?,
            vars.optional("AWS_SESSION_TOKEN").map(String::from),
            None,
            "environment",
        );
        let http = http_client(vars)?;
        let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(RETRY_BACKOFF);
        let timeouts = TimeoutConfig::builder().operation_timeout(OPERATION_TIMEOUT).build();

        let mut dynamodb = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(region.clone())
            .credentials_provider(credentials.clone())
            .http_client(http.clone())
            .retry_config(retries.clone())
            .timeout_config(timeouts.clone());
        // The service's own variable goes before the one for all, as in every AWS SDK.
        let endpoint = vars.optional("AWS_ENDPOINT_URL_DYNAMODB").or_else(|| vars.optional("AWS_ENDPOINT_URL"));
        dynamodb.set_endpoint_url(endpoint.map(String::from));

        let management = management::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(region)
            .credentials_provider(credentials)
            .http_client(http)
            .retry_config(retries)
            .timeout_config(timeouts)
            .endpoint_url(vars.required("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI")?);

        Ok(Self {
            dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb.build()),
            management: management::Client::from_conf(management.build()),
        })
    }
}

/// One connector with its pool, given to every client: each would build, and drop, one of its own.
fn http_client(vars: &Vars) -> Result<SharedHttpClient, Fault> {
    let trust = match vars.optional("TLS_ROOTS") {
        None | Some("amazon") => AMAZON_ROOTS.into_iter().fold(TrustStore::empty(), TrustStore::with_pem_certificate),
        Some("system") => TrustStore::empty().with_native_roots(true),
        Some(other) => {
            return Err(Fault::because(
                "failed to start",
                format!("TLS_ROOTS must be amazon or system, not {other:?}"),
            ));
        }
    };
    let context =
        TlsContext::builder().with_trust_store(trust).build().map_err(Fault::doing("failed to set up TLS"))?;
    let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT).build();
    let connector = Connector::builder()
        .connector_settings(settings)
        .pool_max_idle_per_host(POSTS_IN_FLIGHT_MAX)
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(context)
        .build();
    let connector = SharedHttpConnector::new(connector);
    Ok(http_client_fn(move |_, _| connector.clone()))
}
