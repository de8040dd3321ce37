//! The SDK clients, set up for a cold start of milliseconds.
//!
//! No `aws-config`, one set of sockets for all clients, `ring` instead of aws-lc (which seeds itself from CPU jitter
//! for tens of milliseconds at the first handshake), and five pinned roots instead of parsing the system's 140.

use super::signed::Signer;
use super::sockets::Http;
use super::{Bucket, Invoker};
use crate::limits::{ATTEMPTS, OPERATION_TIMEOUT, RETRY_BACKOFF};
use crate::{Fault, Vars};
use aws_sdk_apigatewaymanagement as management;
use aws_sdk_apigatewaymanagement::config::interceptors::InterceptorContext;
use aws_sdk_apigatewaymanagement::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_apigatewaymanagement::operation::post_to_connection::PostToConnectionError;
use aws_sdk_dynamodb::config::retry::{ReconnectMode, RetryConfig};
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, IdentityCache, Region, StalledStreamProtectionConfig};
use aws_smithy_runtime_api::client::http::{SharedHttpClient, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::identity::SharedIdentityCache;
use rustls_native_certs::load_native_certs;
use std::cell::OnceCell;
use std::sync::Arc;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{CipherSuite, ClientConfig, RootCertStore};

/// The roots that every AWS endpoint chains to (<https://www.amazontrust.com/repository/>).
const AMAZON_ROOTS: [&str; 5] = [
    include_str!("roots/amazon-root-ca-1.pem"),
    include_str!("roots/amazon-root-ca-2.pem"),
    include_str!("roots/amazon-root-ca-3.pem"),
    include_str!("roots/amazon-root-ca-4.pem"),
    include_str!("roots/starfield-services-root-certificate-authority-g2.pem"),
];

/// HTTP's status for it (RFC 6585, section 4).
pub(crate) const TOO_MANY_REQUESTS: u16 = 429;

const TLS_FAILED: &str = "failed to set up TLS";

/// The clients of a function, each built when it is first asked for.
pub(crate) struct Clients<'a> {
    vars: &'a Vars,
    common: Common,
    dynamodb: OnceCell<aws_sdk_dynamodb::Client>,
    management: OnceCell<management::Client>,
}

/// What they have in common.
struct Common {
    region: Region,
    credentials: Credentials,
    connector: SharedHttpConnector,
    http: SharedHttpClient,
    retries: RetryConfig,
    timeouts: TimeoutConfig,
    identity: SharedIdentityCache,
    stalls: StalledStreamProtectionConfig,
}

impl<'a> Clients<'a> {
    pub fn new(vars: &'a Vars) -> Result<Self, Fault> {
        let (dynamodb, management) = (OnceCell::new(), OnceCell::new());
        Ok(Self { vars, common: Common::new(vars)?, dynamodb, management })
    }

    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        self.dynamodb.get_or_init(|| self.common.dynamodb(self.vars)).clone()
    }

    pub fn management(&self) -> Result<management::Client, Fault> {
        if let Some(client) = self.management.get() {
            return Ok(client.clone());
        }
        let client = self.common.management(self.vars)?;
        Ok(self.management.get_or_init(|| client).clone())
    }

    pub fn invoker(&self) -> Invoker {
        Invoker::new(self.vars, self.signer())
    }

    pub fn bucket(&self) -> Result<Bucket, Fault> {
        Bucket::new(self.vars, self.signer())
    }

    fn signer(&self) -> Signer {
        let Common { region, credentials, connector, .. } = &self.common;
        Signer::new(region, credentials, connector.clone())
    }
}

impl Common {
    /// Reads region and credentials from the variables that Lambda and the SDKs agree on.
    fn new(vars: &Vars) -> Result<Self, Fault> {
        let region = Region::new(vars.required("AWS_REGION")?.to_owned());
        // A Lambda sandbox gets one set of credentials for its life: no provider, no refresh.
        let credentials = Credentials::new(
            vars.required("AWS_ACCESS_KEY_ID")?,
            vars.required("AWS_SECRET_ACCESS_KEY")?,
            vars.optional("AWS_SESSION_TOKEN").map(String::from),
            None,
            "environment",
        );
        let connector = connector(vars)?;
        Ok(Self {
            region,
            credentials,
            connector: connector.clone(),
            http: http_client_fn(move |_, _| connector.clone()),
            retries: RetryConfig::standard()
                .with_max_attempts(ATTEMPTS)
                .with_initial_backoff(RETRY_BACKOFF)
                // The SDK would close the socket that an error came over, but does not know our sockets. It says so at
                // ERROR each time, which rings the alarm on faults.
                .with_reconnect_mode(ReconnectMode::ReuseAllConnections),
            timeouts: TimeoutConfig::builder().operation_timeout(OPERATION_TIMEOUT).build(),
            // There is nothing to cache of credentials that never change, and an answer that stalls meets its time-out.
            identity: IdentityCache::no_cache(),
            stalls: StalledStreamProtectionConfig::disabled(),
        })
    }

    fn dynamodb(&self, vars: &Vars) -> aws_sdk_dynamodb::Client {
        let mut config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(self.region.clone())
            .credentials_provider(self.credentials.clone())
            .http_client(self.http.clone())
            .retry_config(self.retries.clone())
            .timeout_config(self.timeouts.clone())
            .identity_cache(self.identity.clone())
            .stalled_stream_protection(self.stalls.clone());
        // The service's own variable goes before the one for all, as in every AWS SDK.
        let endpoint = vars.optional("AWS_ENDPOINT_URL_DYNAMODB").or_else(|| vars.optional("AWS_ENDPOINT_URL"));
        config.set_endpoint_url(endpoint.map(String::from));
        #[cfg(feature = "simulation")]
        config.set_retry_partition(retry_partition(vars));
        aws_sdk_dynamodb::Client::from_conf(config.build())
    }

    fn management(&self, vars: &Vars) -> Result<management::Client, Fault> {
        #[cfg_attr(not(feature = "simulation"), allow(unused_mut, reason = "only a simulation changes it"))]
        let mut config = management::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(self.region.clone())
            .credentials_provider(self.credentials.clone())
            .http_client(self.http.clone())
            .retry_config(self.retries.clone())
            .retry_classifier(FullConnections)
            .timeout_config(self.timeouts.clone())
            .identity_cache(self.identity.clone())
            .stalled_stream_protection(self.stalls.clone())
            .endpoint_url(vars.required("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI")?);
        #[cfg(feature = "simulation")]
        config.set_retry_partition(retry_partition(vars));
        Ok(management::Client::from_conf(config.build()))
    }
}

/// A post that is answered with 429 is not tried again: as a rule its client does not read, its buffer is full, and
/// everybody else in the room would wait for it. That client finds the message in the history.
#[derive(Debug)]
struct FullConnections;

impl ClassifyRetry for FullConnections {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let is_full = context.response().is_some_and(|response| response.status().as_u16() == TOO_MANY_REQUESTS);
        // The end of a connection is tried again: there it is the account's rate.
        let error = context.output_or_error().and_then(|answer| answer.err()?.as_operation_error());
        let is_post = error.is_some_and(|error| error.downcast_ref::<PostToConnectionError>().is_some());
        if is_full && is_post { RetryAction::RetryForbidden } else { RetryAction::NoActionIndicated }
    }

    fn name(&self) -> &'static str {
        "full connections"
    }
}

/// What the names of a Region's endpoints end with.
pub(super) fn url_suffix(region: &str) -> &'static str {
    if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" }
}

/// What the requests of all clients go over: sockets, or a simulation's wire.
fn connector(vars: &Vars) -> Result<SharedHttpConnector, Fault> {
    #[cfg(feature = "simulation")]
    if let Some(wire) = vars.wire() {
        return Ok(SharedHttpConnector::new(crate::simulation::Connector(std::sync::Arc::clone(wire))));
    }
    Ok(SharedHttpConnector::new(http(vars)?))
}

/// The SDK counts retries per process. In a simulation each function is one, as on Lambda, and no schedule has retries of
/// the one before.
#[cfg(feature = "simulation")]
fn retry_partition(vars: &Vars) -> Option<aws_sdk_dynamodb::config::retry::RetryPartition> {
    vars.wire().map(|_| aws_sdk_dynamodb::config::retry::RetryPartition::custom("simulation").build())
}

/// The sockets of all clients.
fn http(vars: &Vars) -> Result<Http, Fault> {
    let mut roots = RootCertStore::empty();
    match vars.optional("TLS_ROOTS") {
        None | Some("amazon") => {
            for root in AMAZON_ROOTS {
                let root = CertificateDer::from_pem_slice(root.as_bytes()).map_err(Fault::doing(TLS_FAILED))?;
                roots.add(root).map_err(Fault::doing(TLS_FAILED))?;
            }
        }
        Some("system") => roots = system_roots(),
        Some(other) => {
            return Err(Fault::because(
                "failed to start",
                format!("TLS_ROOTS must be amazon or system, not {other:?}"),
            ));
        }
    }
    Ok(Http::new(tls(roots)?))
}

/// The roots that the system trusts. Some of them cannot be read on some systems; one good root is enough.
pub(crate) fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(load_native_certs().certs);
    roots
}

/// TLS to hosts that these roots certify.
pub(crate) fn tls(roots: RootCertStore) -> Result<TlsConnector, Fault> {
    let mut crypto = ring::default_provider();
    // Its hash is SHA-256, for which CPUs have instructions; AWS itself would choose it.
    crypto.cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    let config = ClientConfig::builder_with_provider(Arc::new(crypto))
        .with_safe_default_protocol_versions()
        .map_err(Fault::doing(TLS_FAILED))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
