//! A document of a host that is not AWS, such as the keys of an identity provider.

use super::sdk;
use super::sockets::Host;
use crate::Fault;
use crate::limits::{DOCUMENT_BYTES_MAX, DOCUMENT_TIMEOUT};
use aws_smithy_types::body::SdkBody;
use http_body_util::{BodyExt, Limited};
use hyper::header::{ACCEPT, HOST};
use hyper::{Request, StatusCode, Uri};
use tokio::time::timeout;

/// The address of a document: over HTTPS, with a certificate that the system trusts, or on this machine.
#[derive(Debug, Clone)]
pub struct DocumentUrl(Uri);

impl DocumentUrl {
    /// None if it is no such address. What comes in plain from elsewhere could be anybody's.
    pub fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let here = matches!(uri.host()?, "localhost" | "127.0.0.1" | "[::1]");
        let trusted = matches!(uri.scheme_str()?, "https") || (here && uri.scheme_str() == Some("http"));
        let names_nobody = !uri.authority()?.as_str().contains('@');
        (trusted && names_nobody).then_some(Self(uri))
    }

    /// Fetches it, without following redirects: they could lead anywhere.
    ///
    /// # Errors
    /// If it is not answered within [`DOCUMENT_TIMEOUT`] with a 200 and at most [`DOCUMENT_BYTES_MAX`] bytes.
    pub async fn fetch(&self) -> Result<Vec<u8>, Fault> {
        let doing = "failed to fetch a document";
        match timeout(DOCUMENT_TIMEOUT, self.get()).await {
            Ok(answer) => answer.map_err(Fault::doing(doing)),
            Err(elapsed) => Err(Fault::because(doing, elapsed)),
        }
    }

    async fn get(&self) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        let host = Host::of(&self.0)?;
        // Built each time: a fetch is rare, and so the roots of the system cost no cold start.
        let mut sender = host.connect(&sdk::tls(sdk::system_roots())?).await?;
        let path = self.0.path_and_query().map_or("/", |path| path.as_str());
        let request = Request::get(path).header(HOST, host.authority()).header(ACCEPT, "application/json");
        let answer = sender.send_request(request.body(SdkBody::empty())?).await?;
        if answer.status() != StatusCode::OK {
            return Err(format!("answered {}", answer.status()).into());
        }
        Ok(Limited::new(answer.into_body(), DOCUMENT_BYTES_MAX).collect().await?.to_bytes().into())
    }
}

#[cfg(test)]
mod tests {
    use super::DocumentUrl;

    #[test]
    fn only_https_or_this_machine_is_asked() {
        for good in ["https://id.example.com/keys", "https://id.example.com", "http://localhost:1/k", "http://[::1]/k"]
        {
            assert!(DocumentUrl::parse(good).is_some(), "{good}");
        }
        for bad in
            ["", "keys", "/keys", "http://id.example.com/keys", "ftp://localhost/k", "https://a:b@id.example.com"]
        {
            assert!(DocumentUrl::parse(bad).is_none(), "{bad}");
        }
        assert!(DocumentUrl::parse("http://localhost.example.com/keys").is_none());
    }
}
