//! The smallest possible client of the management API: hyper and the SDK's signing crate, with one socket per post in
//! flight. It runs in its own process, so that its CPU is measured apart from ours.

use crate::process::cpu;
use anyhow::{Context, Result, ensure};
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use chat_tests::TYPICAL_TEXT;
use clap::Args;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::cell::Cell;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::LocalSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

#[derive(Args)]
pub struct Bare {
    #[arg(long)]
    pub url: String,
    /// The authorities that are trusted; without them it speaks HTTP
    #[arg(long)]
    pub roots: Option<PathBuf>,
    #[arg(long)]
    pub posts: usize,
    #[arg(long)]
    pub in_flight: usize,
}

/// The client, running.
pub struct Running {
    client: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Bare {
    /// Starts it in a process of its own.
    pub fn start(&self) -> Result<Running> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["bare", "--url", &self.url, "--posts", &self.posts.to_string()]);
        command.args(["--in-flight", &self.in_flight.to_string()]);
        if let Some(roots) = &self.roots {
            command.arg("--roots").arg(roots);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut client = command.spawn().context("failed to run the bare client")?;
        let orders = client.stdin.take().context("stdin")?;
        let answers = BufReader::new(client.stdout.take().context("stdout")?).lines();
        Ok(Running { client, orders, answers })
    }

    /// For each line on standard input, posts to all and prints the CPU it took, in nanoseconds. Uses one thread, like
    /// a function.
    pub fn run(self) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        LocalSet::new().block_on(&runtime, self.rounds())
    }

    async fn rounds(self) -> Result<()> {
        let uri: Uri = self.url.parse()?;
        let tls = self.roots.as_ref().map(connector).transpose()?;
        let frame = frame();
        let mut sockets: Vec<Option<SendRequest<Full<Bytes>>>> = (0..self.in_flight).map(|_| None).collect();
        for order in std::io::stdin().lines() {
            order?;
            let before = cpu(std::process::id())?;
            let next = Cell::new(0);
            let posts = sockets.iter_mut().map(|socket| async {
                while next.get() < self.posts {
                    let number = next.replace(next.get() + 1);
                    let mut sender = match socket.take() {
                        Some(sender) => sender,
                        None => connect(&uri, tls.as_ref()).await?,
                    };
                    sender.ready().await?;
                    let answer = sender.send_request(post(&uri, number, &frame)?).await?;
                    ensure!(answer.status().is_success(), "{}", answer.status());
                    answer.into_body().collect().await?;
                    *socket = Some(sender);
                }
                Ok(())
            });
            futures_util::future::try_join_all(posts).await?;
            println!("{}", (cpu(std::process::id())? - before).as_nanos());
        }
        Ok(())
    }
}

impl Running {
    /// Lets it post to all, and returns the CPU it took. The first call opens its sockets.
    pub async fn round(&mut self) -> Result<Duration> {
        self.orders.write_all(b"\n").await?;
        let answer = self.answers.next_line().await?.context("the bare client failed")?;
        Ok(Duration::from_nanos(answer.parse()?))
    }

    /// Waits until it has ended.
    pub async fn stop(mut self) -> Result<()> {
        drop(self.orders);
        ensure!(self.client.wait().await?.success(), "the bare client failed");
        Ok(())
    }
}

async fn connect(uri: &Uri, tls: Option<&TlsConnector>) -> Result<SendRequest<Full<Bytes>>> {
    let socket = TcpStream::connect(("127.0.0.1", uri.port_u16().context("a port")?)).await?;
    socket.set_nodelay(true)?;
    match tls {
        None => speak(socket).await,
        Some(tls) => speak(tls.connect(ServerName::try_from("localhost")?, socket).await?).await,
    }
}

async fn speak(
    socket: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + 'static,
) -> Result<SendRequest<Full<Bytes>>> {
    let (sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
    tokio::task::spawn_local(connection);
    Ok(sender)
}

fn connector(roots: &PathBuf) -> Result<TlsConnector> {
    let mut trusted = RootCertStore::empty();
    for root in CertificateDer::pem_file_iter(roots)? {
        trusted.add(root?)?;
    }
    let config = ClientConfig::builder().with_root_certificates(trusted).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// A signed post of a frame.
fn post(uri: &Uri, number: usize, frame: &Bytes) -> Result<Request<Full<Bytes>>> {
    let host = uri.authority().context("a host")?.as_str();
    let path = format!("{}/@connections/L0SM{number:08}hw%3D%3D", uri.path());
    let scheme = uri.scheme_str().context("a scheme")?;
    let signed = SignableRequest::new(
        "POST",
        format!("{scheme}://{host}{path}"),
        [("host", host)].into_iter(),
        SignableBody::Bytes(frame),
    )?;
    let identity = Credentials::new("local", "local", None, None, "bench").into();
    let millis = u64::try_from(chat_aws::now().millis())?;
    let how = v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("execute-api")
        .time(UNIX_EPOCH + Duration::from_millis(millis))
        .settings(SigningSettings::default())
        .build()?
        .into();
    let mut request = Request::post(path).header("host", host).body(Full::new(frame.clone()))?;
    let (instructions, _) = sign(signed, &how)?.into_parts();
    instructions.apply_to_request_http1x(&mut request);
    Ok(request)
}

/// A push of the usual size.
fn frame() -> Bytes {
    let sender = json!({"id": 1001, "username": "guang", "nickName": "光", "headPic": "https://example.com/guang.png"});
    let message: Value = json!({"id": 42, "type": "text", "content": TYPICAL_TEXT, "chatroomId": 1, "senderId": 1001,
        "createTime": "2025-03-12T02:22:45.123Z", "sender": sender});
    json!({"type": "sendMessage", "chatroomId": 1, "userId": 1001, "message": message}).to_string().into()
}
