//! The sockets to AWS: they are kept, there are never too many, and a broken one costs no attempt.

use chat::Push;
use chat_aws::posts_in_flight;
use chat_tests::{Posts, Recorder, Server, fill, in_time, next_id, room, user};
use futures_util::future::join_all;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const MEMBERS: usize = 300;

/// The SDK's mark of a first attempt, in `amz-sdk-request`.
const FIRST: &[u8] = b"attempt=1;";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_are_never_more_sockets_than_posts_in_flight() {
    let server = Server::start().await;
    let room = room("1");
    fill(&server, &room, MEMBERS).await;
    for (memory, in_flight) in [(128, 9), (512, 36), (1_769, 64), (10_240, 64)] {
        assert_eq!(posts_in_flight(memory), in_flight);
        let posts = Posts::start(Duration::from_millis(2), None).await;
        let app = server.app_with(&[
            ("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", posts.url()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &memory.to_string()),
        ]);
        for _ in 0..3 {
            let members = app.connections.members(&room).await.expect("members");
            app.delivery.deliver(&room, members, &Push::left(&room, &user("7"))).await.expect("delivered");
            let posted = posts.take();
            assert_eq!(posted.posts, MEMBERS);
            assert!(posted.sockets <= in_flight, "{} sockets for {in_flight} posts", posted.sockets);
        }
    }
    server.stop().await;
}

/// A network between a function and DynamoDB that can be cut, or can delay requests.
struct Network {
    url: String,
    opened: Arc<AtomicUsize>,
    /// Sockets that are open.
    open: watch::Sender<usize>,
    /// First attempts that came.
    first_attempts: Arc<AtomicUsize>,
    cut: watch::Sender<()>,
    held: watch::Sender<bool>,
}

impl Network {
    async fn before(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (cut, held, open) = (watch::Sender::default(), watch::Sender::default(), watch::Sender::default());
        let network = Self { url, opened: Arc::default(), open, first_attempts: Arc::default(), cut, held };
        let target = target.trim_start_matches("http://").to_owned();
        let (opened, first_attempts) = (Arc::clone(&network.opened), Arc::clone(&network.first_attempts));
        let (cut, held, open) = (network.cut.clone(), network.held.clone(), network.open.clone());
        #[allow(clippy::disallowed_methods, reason = "it lasts as long as its test")]
        tokio::spawn(async move {
            while let Ok((mut here, _)) = listener.accept().await {
                opened.fetch_add(1, Ordering::Relaxed);
                open.send_modify(|open| *open += 1);
                let (target, open, first_attempts) = (target.clone(), open.clone(), Arc::clone(&first_attempts));
                let (mut is_cut, mut held) = (cut.subscribe(), held.subscribe());
                tokio::spawn(async move {
                    let mut there = TcpStream::connect(target).await.expect("connected");
                    let (mut asked, mut answer) = here.split();
                    let (mut answered, mut ask) = there.split();
                    let asks = async {
                        let mut bytes = [0; 4 * 1024];
                        while let Ok(read @ 1..) = asked.read(&mut bytes).await {
                            let first = bytes[..read].windows(FIRST.len()).any(|part| part == FIRST);
                            first_attempts.fetch_add(usize::from(first), Ordering::Relaxed);
                            held.wait_for(|held| !held).await.expect("it is told");
                            ask.write_all(&bytes[..read]).await.expect("asked");
                        }
                    };
                    tokio::select! {
                        () = asks => {}
                        _ = copy(&mut answered, &mut answer) => {}
                        _ = is_cut.changed() => {}
                    }
                    drop((here, there));
                    open.send_modify(|open| *open -= 1);
                });
            }
        });
        network
    }

    /// Cuts all sockets, and waits until both ends of each have noticed.
    async fn cut(&self) {
        self.cut.send_replace(());
        let mut open = self.open.subscribe();
        in_time("all sockets are cut", open.wait_for(|open| *open == 0)).await.expect("a count");
    }

    fn opened(&self) -> usize {
        self.opened.load(Ordering::Relaxed)
    }
}

/// After an hour's freeze all sockets of a function are dead. The test runs on one thread, as on Lambda: with several,
/// hyper can leave a request with a socket that closes at that moment, until the read time-out.
#[tokio::test]
async fn a_socket_that_was_closed_while_it_was_idle_costs_no_attempt() {
    let server = Server::start().await;
    let network = Network::before(server.dynamodb_url()).await;
    let app = server.app_with(&[("AWS_ENDPOINT_URL_DYNAMODB", &network.url)]);
    let room = room("1");
    let next = async || next_id(&app.messages, &room).await.expect("an id").get();
    assert_eq!((next().await, next().await), (1, 2));
    assert_eq!(network.opened(), 1, "a socket is kept");
    network.held.send_replace(true);
    let all_are_under_way = async {
        while network.opened() < 8 {
            tokio::task::yield_now().await;
        }
        network.held.send_replace(false);
    };
    let all = futures_util::future::join(join_all((0..8).map(|_| next())), all_are_under_way);
    in_time("each request has a socket", all).await;
    assert_eq!(network.opened(), 8, "one for each request at the same time");
    network.cut().await;
    assert_eq!(next().await, 11, "counted once");
    assert_eq!(network.first_attempts.load(Ordering::Relaxed), 11, "each at its first attempt");
    server.stop().await;
}

#[tokio::test]
async fn a_host_that_never_answers_is_given_up() {
    let server = Server::start().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", silent.local_addr().expect("an address"));
    let app = server.app_with(&[("AWS_ENDPOINT_URL_DYNAMODB", &url)]);
    let began = std::time::Instant::now();
    let fault = next_id(&app.messages, &room("1")).await.expect_err("no answer");
    let took = began.elapsed();
    assert!(took < Duration::from_secs(9), "{took:?}: before the function's own time is over");
    assert!(fault.chain().to_string().starts_with("failed to count a message: "), "{}", fault.chain());
    server.stop().await;
}

/// The first members of a large room do not wait until the last one is read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_are_read_while_posts_already_fly() {
    let server = Server::start().await;
    let room = room("1");
    fill(&server, &room, 1_200).await;
    let (recorder, posts) =
        (Recorder::before(server.dynamodb_url()).await, Posts::start(Duration::from_millis(1), None).await);
    let app = server.app_with(&[
        ("AWS_ENDPOINT_URL_DYNAMODB", recorder.url()),
        ("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", posts.url()),
    ]);
    let members = app.connections.members(&room).await.expect("members");
    app.delivery.deliver(&room, members, &Push::left(&room, &user("7"))).await.expect("delivered");
    let queries = recorder.take();
    let posted = posts.take();
    assert_eq!((queries.len(), posted.posts), (2, 1_200));
    let last_query = queries.iter().map(|query| query.began).max().expect("a query");
    let before = posted.spans.iter().filter(|(came, _)| *came < last_query).count();
    assert!(before > 1_000, "{before} posts came before the second page was asked for");
    server.stop().await;
}
