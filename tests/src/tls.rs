use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::server::TlsStream;

/// A certificate for `localhost`, by an authority of this run that nobody else trusts.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    roots: Arc<tempfile::TempDir>,
}

impl Tls {
    pub fn new() -> Self {
        let mut authority = CertificateParams::new([]).expect("no names");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = || KeyPair::generate().expect("a key");
        let authority = CertifiedIssuer::self_signed(authority, key()).expect("an authority");
        let host_key = key();
        let host = CertificateParams::new(["localhost".into()]).expect("a name");
        let host = host.signed_by(&host_key, &authority).expect("a certificate");
        let host_key = PrivateKeyDer::try_from(host_key.serialize_der()).expect("a key");
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![host.into()], host_key);
        let roots = tempfile::tempdir().expect("a folder");
        std::fs::write(roots.path().join("roots.pem"), authority.pem()).expect("written");
        Self { acceptor: TlsAcceptor::from(Arc::new(config.expect("a certificate with its key"))), roots: roots.into() }
    }

    /// The file with the authority, for `SSL_CERT_FILE`. A function reads it with `TLS_ROOTS=system`.
    pub fn roots(&self) -> PathBuf {
        self.roots.path().join("roots.pem")
    }

    /// `None` if the client breaks the handshake off.
    pub async fn accept(&self, socket: TcpStream) -> Option<TlsStream<TcpStream>> {
        self.acceptor.accept(socket).await.ok()
    }

    /// Serves an address of this machine over TLS. Returns the URL.
    pub async fn before(&self, target: &str) -> String {
        let target = target.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let tls = self.clone();
        #[allow(clippy::disallowed_methods, reason = "they last as long as their test")]
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (tls, target) = (tls.clone(), target.clone());
                tokio::spawn(async move {
                    let _ = socket.set_nodelay(true);
                    let (Some(mut here), Ok(mut there)) = (tls.accept(socket).await, TcpStream::connect(target).await)
                    else {
                        return;
                    };
                    let _ = there.set_nodelay(true);
                    // However one side ends the connection, nothing is to be done.
                    let _ = copy_bidirectional(&mut here, &mut there).await;
                });
            }
        });
        format!("https://localhost:{port}")
    }
}

impl Default for Tls {
    fn default() -> Self {
        Self::new()
    }
}
