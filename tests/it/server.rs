//! The server as the worst of clients sees it: raw bytes on loopback.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::{get, post};
use nivella_wallet::http::extract::{self, Json, Path, Query, Raw};
use nivella_wallet::http::logs;
use nivella_wallet::http::problem::Problem;
use nivella_wallet::http::server::{CutOff, Limits, bind, serve};
use nivella_wallet::units::Credits;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Nothing here takes this long unless it hangs.
const DEADLINE: Duration = Duration::from_secs(20);

/// Times a test can wait for, and no bound that is met by accident.
fn limits() -> Limits {
    Limits {
        header_timeout: Duration::from_secs(10),
        body_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(10),
        stop_timeout: Duration::from_secs(10),
        connections_max: 1024,
        connections_per_address_max: 256,
    }
}

const SOON: Duration = Duration::from_millis(200);

/// A server with routes that show what arrived.
struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), CutOff>>,
    /// How many requests reached `/count`.
    counted: Arc<AtomicUsize>,
    /// Lets requests to `/wait` go on.
    go: Arc<Notify>,
    /// Says that a request has reached `/wait`.
    waiting: Arc<Notify>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spend {
    site: String,
    credits: Credits,
    #[serde(default)]
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    quantity: u32,
}

#[derive(Deserialize)]
struct Page {
    limit: Option<u16>,
}

impl Server {
    fn start(limits: Limits) -> Self {
        let counted = Arc::new(AtomicUsize::new(0));
        let (go, waiting) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (count, release, arrive) = (Arc::clone(&counted), Arc::clone(&go), Arc::clone(&waiting));
        let routes = Router::new()
            .route("/hello", get(async || "hello"))
            .route("/echo", post(async |Raw(body): Raw| body))
            .route("/unread", post(async || "did not look"))
            .route(
                "/count",
                post(async move |_body: Raw| {
                    count.fetch_add(1, Ordering::SeqCst);
                    "counted"
                }),
            )
            .route(
                "/wait",
                get(async move || {
                    arrive.notify_one();
                    release.notified().await;
                    "waited"
                }),
            )
            .route("/panic", get(async || -> &'static str { panic!("a handler panics in this test") }))
            .route("/large", get(async || vec![b'x'; 64 * 1024 * 1024]))
            .route("/peer", get(async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.to_string()))
            .route(
                "/spend",
                post(async |Json(spend): Json<Spend>| {
                    let quantity: u32 = spend.items.iter().map(|item| item.quantity).sum();
                    format!("{} {} {quantity}", spend.site, spend.credits)
                }),
            )
            .route("/page", get(async |Query(page): Query<Page>| format!("{:?}", page.limit)))
            .route("/number/{number}", get(async |Path(number): Path<u8>| number.to_string()));
        let app = extract::with_fallbacks(routes).layer(logs::Logs);

        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move { drop(stopped.await) };
        let task = tokio::spawn(serve(listener, app, limits, shutdown));
        Self { address, stop, task, counted, go, waiting }
    }

    async fn connect(&self) -> Client {
        Client(timeout(DEADLINE, TcpStream::connect(self.address)).await.unwrap().unwrap())
    }

    /// Sends `request` on a connection of its own and reads all that comes back.
    async fn tell(&self, request: impl AsRef<[u8]>) -> Result<String, std::io::Error> {
        let mut client = self.connect().await;
        client.send(request).await;
        client.read_to_close().await
    }

    /// Asks to stop and waits until it has.
    async fn stop(self) -> Result<(), CutOff> {
        drop(self.stop);
        timeout(DEADLINE, self.task).await.unwrap().unwrap()
    }
}

struct Client(TcpStream);

impl Client {
    /// Sends as much as the server takes; it may have closed by now.
    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        drop(timeout(DEADLINE, self.0.write_all(bytes.as_ref())).await.unwrap());
    }

    /// All that comes until the server closes; an error if it resets the connection.
    async fn read_to_close(&mut self) -> Result<String, std::io::Error> {
        let mut answer = Vec::new();
        timeout(DEADLINE, self.0.read_to_end(&mut answer)).await.unwrap()?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// Reads until `end` has come.
    async fn read_until(&mut self, end: &str) -> String {
        let mut answer = String::new();
        let mut piece = [0; 1024];
        while !answer.contains(end) {
            let read = timeout(DEADLINE, self.0.read(&mut piece)).await.unwrap().unwrap();
            assert!(read > 0, "closed after {answer:?} without {end:?}");
            answer.push_str(&String::from_utf8_lossy(&piece[..read]));
        }
        answer
    }

    /// Sends `piece` again and again, with a little time between, until the server has closed.
    async fn drip(mut self, piece: &[u8]) -> (String, Duration) {
        let start = Instant::now();
        let mut answer = Vec::new();
        let (mut reader, mut writer) = self.0.split();
        let drip = async {
            loop {
                drop(writer.write_all(piece).await);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            read = timeout(DEADLINE, reader.read_to_end(&mut answer)) => drop(read.unwrap()),
            () = drip => {}
        }
        (String::from_utf8_lossy(&answer).into_owned(), start.elapsed())
    }
}

/// The status line's number; nothing if the connection was closed without an answer.
fn status(answer: &str) -> Option<u16> {
    let mut words = answer.split(' ');
    let version = words.next()?;
    if answer.is_empty() {
        return None;
    }
    assert!(matches!(version, "HTTP/1.1" | "HTTP/1.0"), "no HTTP: {answer:?}");
    words.next()?.parse().ok()
}

/// The body of the one answer in `answer`.
fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

fn problem(answer: &str) -> serde_json::Value {
    assert!(answer.contains("content-type: application/problem+json"), "{answer}");
    serde_json::from_str(body(answer)).unwrap()
}

const HELLO: &str = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
const HELLO_CLOSE: &str = "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

fn post_to(path: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

// ---- Time --------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_head_that_never_ends_is_given_up() {
    let server = Server::start(Limits { header_timeout: SOON, ..limits() });

    let answer = server.tell("GET /hello HTTP/1.1\r\nHost: a\r\nX-").await.unwrap();
    assert_eq!(status(&answer), Some(408), "{answer}");

    // Each byte is progress, but a head has its time as a whole.
    let mut client = server.connect().await;
    client.send("GET /hello HTTP/1.1\r\n").await;
    let (answer, took) = client.drip(b"X-A: b\r\n").await;
    assert_eq!(status(&answer), Some(408), "{answer}");
    assert!(took >= SOON && took < DEADLINE / 4, "{took:?}");
}

#[tokio::test]
async fn a_second_head_that_never_ends_is_given_up_too() {
    let server = Server::start(Limits { header_timeout: SOON, ..limits() });
    let mut client = server.connect().await;
    client.send(HELLO).await;
    client.read_until("hello").await;
    client.send("GET /hello").await;
    assert_eq!(status(&client.read_to_close().await.unwrap()), Some(408));
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed_without_a_word() {
    let server = Server::start(Limits { header_timeout: SOON, ..limits() });
    assert_eq!(server.connect().await.read_to_close().await.unwrap(), "");
}

#[tokio::test]
async fn a_body_that_stalls_is_a_timeout() {
    let server = Server::start(Limits { body_timeout: SOON, ..limits() });
    let head = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc";

    let answer = server.tell(head).await.unwrap();
    assert_eq!(status(&answer), Some(408));
    assert_eq!(problem(&answer)["code"], "request_timeout");

    let mut client = server.connect().await;
    client.send(head).await;
    let (answer, took) = client.drip(b"x").await;
    assert_eq!(status(&answer), Some(408), "{answer}");
    assert!(took >= SOON && took < DEADLINE / 4, "{took:?}");

    let chunked = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab";
    assert_eq!(status(&server.tell(chunked).await.unwrap()), Some(408));
}

#[tokio::test]
async fn an_idle_connection_is_kept_for_a_while_and_then_closed() {
    let server = Server::start(Limits { header_timeout: SOON, idle_timeout: SOON * 4, ..limits() });
    let mut client = server.connect().await;
    for _ in 0..3 {
        client.send(HELLO).await;
        client.read_until("hello").await;
    }
    let start = Instant::now();
    assert_eq!(client.read_to_close().await.unwrap(), "", "closed between requests, so without a word");
    // It waits longer than for a head; a little less counts, because the answer was sent a moment ago.
    assert!(start.elapsed() > SOON * 3, "{:?}", start.elapsed());
}

/// Somebody asks for a large export and goes to lunch.
#[tokio::test]
async fn a_client_that_does_not_take_its_answer_loses_its_place() {
    let server = Server::start(Limits { idle_timeout: SOON, connections_max: 1, ..limits() });
    let mut absent = server.connect().await;
    absent.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await;
    absent.read_until("content-length").await;

    let answer = server.tell(HELLO_CLOSE).await.unwrap();
    assert_eq!(body(&answer), "hello", "the only place is free again");
    drop(absent);
}

#[tokio::test]
async fn a_client_that_takes_its_answer_slowly_gets_all_of_it() {
    let server = Server::start(Limits { idle_timeout: SOON * 5, ..limits() });
    let mut client = server.connect().await;
    client.send("GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let start = Instant::now();
    // Small pieces, so that there are many pauses however much the kernel has ready.
    let mut piece = vec![0; 256 * 1024];
    let mut taken = 0;
    loop {
        // At first so little at a time that it is far from done when the idle time is over.
        let is_slow = start.elapsed() < SOON * 8;
        let most = if is_slow { 64 * 1024 } else { piece.len() };
        let read = timeout(DEADLINE, client.0.read(&mut piece[..most])).await.unwrap().unwrap();
        if read == 0 {
            break;
        }
        taken += read;
        if is_slow {
            // The slowness is the subject here, not a wait for something.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    assert!(taken > 64 * 1024 * 1024, "{taken}");
    assert!(start.elapsed() > SOON * 5);
}

// ---- Numbers -----------------------------------------------------------------------------------------

#[tokio::test]
async fn of_three_hundred_connections_of_one_address_the_promised_ones_are_served() {
    let server = Server::start(limits());
    let mut clients = Vec::new();
    for _ in 0..300 {
        let mut client = server.connect().await;
        client.send(HELLO).await;
        clients.push(client);
    }
    let mut served = Vec::new();
    for mut client in clients {
        let mut first = [0; 8];
        // Who is turned away is closed at once, maybe with its request unread.
        if matches!(timeout(DEADLINE, client.0.read(&mut first)).await.unwrap(), Ok(1..)) {
            served.push(client);
        }
    }
    assert_eq!(served.len(), 256);

    // Places are given back.
    drop(served);
    loop {
        if let Ok(answer) = server.tell(HELLO_CLOSE).await
            && status(&answer) == Some(200)
        {
            break;
        }
    }
}

#[tokio::test]
async fn when_all_places_are_taken_the_next_waits_for_one() {
    let server = Server::start(Limits { connections_max: 2, ..limits() });
    let mut first = server.connect().await;
    let mut second = server.connect().await;
    for client in [&mut first, &mut second] {
        client.send(HELLO).await;
        client.read_until("hello").await;
    }
    let mut third = server.connect().await;
    third.send(HELLO_CLOSE).await;
    let mut byte = [0];
    assert!(timeout(SOON, third.0.read(&mut byte)).await.is_err(), "no place yet");
    drop(first);
    assert_eq!(body(&third.read_to_close().await.unwrap()), "hello");
}

#[tokio::test]
async fn requests_sent_at_once_are_answered_in_order() {
    let server = Server::start(limits());
    let requests = format!(
        "{HELLO}POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc{}",
        "GET /number/7 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    );
    let answers = server.tell(requests).await.unwrap();
    let places: Vec<_> = ["\r\n\r\nhello", "\r\n\r\nabc", "\r\n\r\n7"]
        .iter()
        .map(|body| answers.find(body).unwrap_or_else(|| panic!("{body:?} is not in {answers}")))
        .collect();
    assert!(places.is_sorted(), "{answers}");
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 3);
}

// ---- Ends --------------------------------------------------------------------------------------------

#[tokio::test]
async fn who_stops_sending_after_a_request_still_gets_the_answer() {
    let server = Server::start(limits());
    let mut client = server.connect().await;
    client.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").await;
    client.0.shutdown().await.unwrap();
    timeout(DEADLINE, server.waiting.notified()).await.unwrap();
    server.go.notify_one();
    assert_eq!(body(&client.read_to_close().await.unwrap()), "waited");
}

#[tokio::test]
async fn who_stops_in_the_middle_is_told_or_left() {
    let server = Server::start(limits());
    for (half, answers) in [
        ("GET /hello HTTP/1.1\r\nHost", None),
        ("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc", Some(400)),
        ("POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", Some(400)),
    ] {
        let mut client = server.connect().await;
        client.send(half).await;
        client.0.shutdown().await.unwrap();
        let answer = client.read_to_close().await.unwrap();
        assert_eq!(status(&answer), answers, "{half:?} got {answer}");
    }
    assert_eq!(server.counted.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_stop_finishes_what_was_accepted_and_takes_nothing_new() {
    let server = Server::start(limits());
    let mut idle = server.connect().await;
    idle.send(HELLO).await;
    idle.read_until("hello").await;
    let mut running = server.connect().await;
    running.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").await;
    timeout(DEADLINE, server.waiting.notified()).await.unwrap();

    let (address, go) = (server.address, Arc::clone(&server.go));
    let stopping = tokio::spawn(server.stop());
    assert_eq!(idle.read_to_close().await.unwrap(), "", "an idle connection is closed");
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    assert!(!stopping.is_finished(), "a request is running");

    go.notify_one();
    let answer = running.read_to_close().await.unwrap();
    assert_eq!(body(&answer), "waited");
    assert!(answer.contains("connection: close"), "{answer}");
    assert_eq!(timeout(DEADLINE, stopping).await.unwrap().unwrap(), Ok(()));
}

/// A delivery that arrives in the second of an update must not count as failed.
#[tokio::test]
async fn a_connection_made_before_the_stop_is_served_after_it() {
    let server = Server::start(limits());
    let mut clients = vec![server.connect().await];
    for _ in 0..20 {
        // Nothing is awaited here, so nothing of these is accepted: they are in the kernel's hands.
        let stream = std::net::TcpStream::connect(server.address).unwrap();
        stream.set_nonblocking(true).unwrap();
        clients.push(Client(TcpStream::from_std(stream).unwrap()));
    }
    drop(server.stop);
    for client in &mut clients {
        client.send(HELLO).await;
    }
    for mut client in clients {
        let answer = client.read_to_close().await.unwrap();
        assert_eq!(body(&answer), "hello");
    }
    assert_eq!(timeout(DEADLINE, server.task).await.unwrap().unwrap(), Ok(()));
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    let server = Server::start(Limits { stop_timeout: SOON, ..limits() });
    let mut running = server.connect().await;
    running.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").await;
    timeout(DEADLINE, server.waiting.notified()).await.unwrap();
    let cut_off = server.stop().await.unwrap_err();
    assert_eq!(cut_off.connections, 1);
    assert_eq!(running.read_to_close().await.unwrap_or_default(), "");
}

#[tokio::test]
async fn a_handler_that_panics_answers_500_and_harms_nobody() {
    let server = Server::start(limits());
    let answer = server.tell("GET /panic HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    assert_eq!(status(&answer), Some(500));
    assert_eq!(problem(&answer)["code"], "internal_error");
    assert!(!answer.contains("a handler panics"), "{answer}");
    assert_eq!(status(&server.tell(HELLO_CLOSE).await.unwrap()), Some(200));
}

// ---- HTTP --------------------------------------------------------------------------------------------

#[tokio::test]
async fn http_1_0_is_spoken_with_and_without_keep_alive() {
    let server = Server::start(limits());
    let answer = server.tell("GET /hello HTTP/1.0\r\n\r\n").await.unwrap();
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
    assert_eq!(body(&answer), "hello");

    let mut client = server.connect().await;
    for _ in 0..2 {
        client.send("POST /echo HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\nping").await;
        let answer = client.read_until("ping").await;
        assert!(answer.to_ascii_lowercase().contains("connection: keep-alive"), "{answer}");
    }
    client.send("GET /hello HTTP/1.0\r\n\r\n").await;
    assert_eq!(body(&client.read_to_close().await.unwrap()), "hello");
}

#[tokio::test]
async fn a_client_that_asks_before_sending_is_told_to_go_on_or_not_to() {
    let server = Server::start(limits());
    let mut client = server.connect().await;
    client
        .send("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 4\r\n\r\n")
        .await;
    client.read_until("HTTP/1.1 100 Continue\r\n\r\n").await;
    client.send("ping").await;
    assert_eq!(body(&client.read_to_close().await.unwrap()), "ping");

    let large = "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n";
    let answer = server.tell(large).await.unwrap();
    assert_eq!(status(&answer), Some(413), "{answer}");
}

/// What is no HTTP: each gets one of the answers for that, or a clean close.
#[tokio::test]
async fn broken_http_is_refused() {
    let server = Server::start(Limits { header_timeout: SOON, body_timeout: SOON, ..limits() });
    let long = "x".repeat(40_000);
    let many = "X-A: b\r\n".repeat(200);
    for (bytes, refusals) in [
        ("hello\r\n\r\n".to_owned(), &[400][..]),
        ("\r\n\r\n\r\n".to_owned(), &[408]),
        ("\0\0\0\0\r\n\r\n".to_owned(), &[400]),
        ("GET /hello\r\n\r\n".to_owned(), &[400]),
        ("GET /hello HTTP/0.9\r\n\r\n".to_owned(), &[400]),
        ("GET /hello HTTP/1.2\r\nHost: a\r\n\r\n".to_owned(), &[400]),
        ("GET /hello HTTP/2.0\r\nHost: a\r\n\r\n".to_owned(), &[400]),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), &[400]),
        ("GET  /hello HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), &[400]),
        ("GET /he llo HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), &[400]),
        ("GET /hello HTTP/1.1\r\n\r\n".to_owned(), &[400]),
        ("GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_owned(), &[400]),
        ("GET /hello HTTP/1.1\r\nHost : a\r\n\r\n".to_owned(), &[400]),
        ("GET /hello HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n".to_owned(), &[400]),
        ("GET /hello HTTP/1.1\r\nHost: a\r\nX-\u{0}: b\r\n\r\n".to_owned(), &[400]),
        ("GET /hello HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n".to_owned(), &[400]),
        ("\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}".to_owned(), &[400]),
        (format!("GET /hello HTTP/1.1\r\nHost: a\r\nX-A: {long}\r\n\r\n"), &[431]),
        (format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"), &[431]),
        (format!("GET /hello HTTP/1.1\r\nHost: a\r\n{many}\r\n"), &[431]),
        (post_to("/echo", &"x".repeat(300 * 1024)), &[413]),
        ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n".to_owned(), &[400]),
        ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na".to_owned(), &[400]),
        ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n".to_owned(), &[400]),
        ("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n".to_owned(), &[400]),
        (
            "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello".to_owned(),
            &[400],
        ),
        (
            "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"
                .to_owned(),
            &[400],
        ),
    ] {
        let shown = &bytes[..bytes.len().min(90)];
        let answer = server.tell(&bytes).await.unwrap_or_else(|error| panic!("{shown:?} was reset: {error}"));
        let status = status(&answer);
        assert!(status.is_none_or(|status| refusals.contains(&status)), "{shown:?} got {answer}");
        if refusals != [400] {
            // The ones with a name of their own must get it.
            assert_eq!(status.is_none(), refusals.is_empty(), "{shown:?} got {answer:?}");
        }
    }
    assert_eq!(status(&server.tell(HELLO_CLOSE).await.unwrap()), Some(200));
}

/// Two readers of the same bytes, one in front of the other, must not see different requests.
#[tokio::test]
async fn one_request_is_never_read_as_two() {
    let server =
        Server::start(Limits { header_timeout: SOON, body_timeout: SOON, idle_timeout: SOON, ..limits() });
    let hidden = "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    let length = hidden.len();
    for head in [
        // What is longer by its length ends by its chunks, and the reverse.
        format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", length + 5),
        format!("Transfer-Encoding: chunked\r\nContent-Length: {}\r\n\r\n0\r\n\r\n", length + 5),
        "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n".to_owned(),
        "Content-Length: 0\r\nContent-Length: 5\r\n\r\n".to_owned(),
        format!("Content-Length: 0\r\nContent-Length: {length}\r\n\r\n"),
        "Content-Length: 0, 5\r\n\r\n".to_owned(),
        format!("Content-Length : {length}\r\n\r\n"),
        "Transfer-Encoding: xchunked\r\n\r\n".to_owned(),
        "Transfer-Encoding: chunked, identity\r\n\r\n".to_owned(),
        "Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n".to_owned(),
        "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "Transfer-Encoding:\u{b}chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n".to_owned(),
        "X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "Transfer-Encoding: chunked\r\n\r\n0;a=\"\n\"\r\n\r\n".to_owned(),
        "Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n".to_owned(),
    ] {
        for version in ["1.1", "1.0"] {
            let bytes =
                format!("POST /echo HTTP/{version}\r\nHost: a\r\nConnection: keep-alive\r\n{head}{hidden}");
            let answer = server.tell(&bytes).await.unwrap();
            assert_eq!(server.counted.load(Ordering::SeqCst), 0, "{bytes:?} got {answer}");
            let first = status(&answer);
            assert!(matches!(first, None | Some(200 | 400 | 408)), "{bytes:?} got {answer}");
            assert!(answer.matches("HTTP/1.").count() <= 1, "{bytes:?} got {answer}");
        }
    }
    // The check can fail: where the first request ends plainly, the second is one.
    let plain = format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n{hidden}");
    server.tell(plain).await.unwrap();
    assert_eq!(server.counted.load(Ordering::SeqCst), 1);
}

/// Requests with bytes changed, lost, doubled; whatever it is, the server answers in HTTP or closes.
#[tokio::test]
async fn damaged_requests_never_confuse_the_server() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    println!("SEED={seed}");
    let mut random = SmallRng::seed_from_u64(seed);
    let short = Duration::from_millis(50);
    let server =
        Server::start(Limits { header_timeout: short, body_timeout: short, idle_timeout: short, ..limits() });
    let whole =
        format!("{}{HELLO}", post_to("/echo", "0123456789").replace("close", "keep-alive")).into_bytes();
    let mut damaged = Vec::new();
    for _ in 0..300 {
        let mut bytes = whole.clone();
        for _ in 0..random.random_range(1..6) {
            let place = random.random_range(0..bytes.len());
            match random.random_range(0..4) {
                0 => bytes[place] = random.random(),
                1 if bytes.len() > 1 => drop(bytes.remove(place)),
                2 => bytes.insert(place, random.random()),
                _ => bytes.truncate(place.max(1)),
            }
        }
        damaged.push(bytes);
    }
    for some in damaged.chunks(100) {
        let answers = futures_util::future::join_all(some.iter().map(|bytes| server.tell(bytes))).await;
        for (bytes, answer) in some.iter().zip(answers) {
            let shown = String::from_utf8_lossy(bytes);
            let answer = answer.unwrap_or_else(|error| panic!("{shown:?} was reset: {error}"));
            assert!(
                matches!(status(&answer), None | Some(200 | 400 | 404 | 405 | 408 | 413 | 431)),
                "{shown:?} got {answer}"
            );
        }
    }
    assert_eq!(status(&server.tell(HELLO_CLOSE).await.unwrap()), Some(200));
}

// ---- Answers -----------------------------------------------------------------------------------------

/// The client keeps sending long after the answer is clear, and must still be able to read it.
#[tokio::test]
async fn a_body_too_large_is_refused_so_that_the_client_can_read_why() {
    let server = Server::start(limits());
    let large = "x".repeat(8 * 1024 * 1024);
    for request in [
        post_to("/echo", &large),
        format!(
            "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n800000\r\n{large}\r\n0\r\n\r\n"
        ),
    ] {
        let mut client = server.connect().await;
        let (mut reader, mut writer) = client.0.split();
        let mut answer = Vec::new();
        let (sent, read) = tokio::join!(
            timeout(DEADLINE, writer.write_all(request.as_bytes())),
            timeout(DEADLINE, reader.read_to_end(&mut answer))
        );
        sent.unwrap().unwrap();
        read.unwrap().unwrap();
        let answer = String::from_utf8(answer).unwrap();
        assert_eq!(status(&answer), Some(413), "{answer}");
        assert_eq!(problem(&answer)["code"], "payload_too_large");
    }
}

#[tokio::test]
async fn an_answer_given_without_reading_the_body_can_be_read() {
    let server = Server::start(limits());
    let mut client = server.connect().await;
    client.send(post_to("/unread", &"x".repeat(4 * 1024 * 1024))).await;
    assert_eq!(body(&client.read_to_close().await.unwrap()), "did not look");
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_too() {
    let server = Server::start(limits());
    let ask = async |line: &str| {
        server.tell(format!("{line} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).await.unwrap()
    };

    let answer = ask("GET /nowhere").await;
    assert_eq!(status(&answer), Some(404));
    assert_eq!(problem(&answer)["code"], "not_found");

    let answer = ask("DELETE /hello").await;
    assert_eq!(status(&answer), Some(405));
    assert_eq!(problem(&answer)["code"], "method_not_allowed");
    assert!(answer.contains("allow: GET,HEAD\r\n"), "{answer}");

    for line in ["OPTIONS *", "CONNECT a:80", "GET http://a/nowhere", "GET /number/%ff", "GET /number/x"] {
        let answer = ask(line).await;
        assert!(matches!(status(&answer), Some(404 | 405)), "{line} got {answer}");
        problem(&answer);
    }
}

#[tokio::test]
async fn a_handler_knows_the_address_and_an_answer_its_request() {
    let server = Server::start(limits());
    let mut client = server.connect().await;
    let address = client.0.local_addr().unwrap().to_string();
    client
        .send("GET /peer HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\nConnection: close\r\n\r\n")
        .await;
    let answer = client.read_to_close().await.unwrap();
    assert_eq!(body(&answer), address);
    assert!(answer.contains("x-request-id: "), "{answer}");
}

/// Each row: a body, then where the fault is and a fragment of what is said about it.
const WRONG_BODIES: &[(&str, &str, &str)] = &[
    ("", "", "empty"),
    ("{", "", "not JSON"),
    ("nonsense", "", "not a JSON object"),
    ("{\"site\":\"s\",\"credits\":\"1\"} x", "", "not JSON"),
    ("[\"s\",\"1\"]", "", "not a JSON object"),
    ("5", "", "not a JSON object"),
    ("{\"credits\":\"1\"}", "/site", "missing field `site`"),
    ("{\"site\":\"s\"}", "/credits", "missing field `credits`"),
    ("{\"site\":\"s\",\"credits\":1}", "/credits", "integer `1`, expected a string"),
    ("{\"site\":\"s\",\"credits\":\"-1\"}", "/credits", "below zero"),
    ("{\"site\":\"s\",\"credits\":\"1e3\"}", "/credits", "is not an amount"),
    ("{\"site\":null,\"credits\":\"1\"}", "/site", "null"),
    ("{\"site\":\"s\",\"site\":\"t\",\"credits\":\"1\"}", "/site", "duplicate field"),
    ("{\"site\":\"s\",\"credits\":\"1\",\"model\":\"x\"}", "/model", "unknown field"),
    ("{\"site\":\"s\",\"credits\":\"1\",\"a/b~c\":1}", "/a~1b~0c", "unknown field"),
    (
        "{\"site\":\"s\",\"credits\":\"1\",\"items\":[{\"quantity\":1},{\"quantity\":-1}]}",
        "/items/1/quantity",
        "-1",
    ),
    ("{\"site\":\"s\",\"credits\":\"1\",\"items\":[{}]}", "/items/0/quantity", "missing field"),
];

#[tokio::test]
async fn a_wrong_body_is_refused_where_it_is_wrong() {
    let server = Server::start(limits());
    let right = "{\"site\":\"s\",\"credits\":\"1.50\",\"items\":[{\"quantity\":2}]}";
    assert_eq!(body(&server.tell(post_to("/spend", right)).await.unwrap()), "s 1.5 2");

    for (sent, pointer, fragment) in WRONG_BODIES {
        let answer = server.tell(post_to("/spend", sent)).await.unwrap();
        assert_eq!(status(&answer), Some(422), "{sent} got {answer}");
        let problem = problem(&answer);
        assert_eq!(problem["code"], "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], *pointer, "{sent} got {problem}");
        let detail = problem["errors"][0]["detail"].as_str().unwrap();
        assert!(detail.contains(fragment), "{sent} got {detail}");
    }
}

#[tokio::test]
async fn a_wrong_query_is_refused_by_its_parameter() {
    let server = Server::start(limits());
    let ask = async |query: &str| {
        server
            .tell(format!("GET /page?{query} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
            .await
            .unwrap()
    };
    assert_eq!(body(&ask("limit=5").await), "Some(5)");
    assert_eq!(body(&ask("").await), "None");
    for query in ["limit=many", "limit=-1", "limit=99999", "limit="] {
        let answer = ask(query).await;
        assert_eq!(status(&answer), Some(422), "{query} got {answer}");
        assert_eq!(problem(&answer)["errors"][0]["pointer"], "/limit", "{answer}");
    }
}

/// What was logged.
#[derive(Clone, Default)]
struct Lines(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The log says what was asked for without what was said. In a process of its own: whether a line is
/// logged at all is remembered for the process, so tests that do not listen would silence it.
#[test]
fn a_request_is_logged_without_query_path_or_key() {
    alone("server::listening_alone", "exec");
}

/// Started by the test before.
#[tokio::test]
async fn listening_alone() {
    if std::env::var_os(ALONE).is_none() {
        return;
    }
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    // This test's runtime has one thread, so this hears the server too.
    let _listening = tracing::subscriber::set_default(subscriber);
    let server = Server::start(limits());
    server
        .tell("GET /number/77?secret=swordfish HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer swordfish\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    server.tell("GET /swordfish HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();

    let logged = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("GET /number/{number} answered 200"), "{logged}");
    assert!(logged.contains("GET no route refused with 404"), "{logged}");
    assert!(!logged.contains("swordfish") && !logged.contains("number/77"), "{logged}");
}

// ---- In a process of their own ------------------------------------------------------------------------

/// Runs `test` in a process of its own, started by the shell's `prefix`.
fn alone(test: &str, prefix: &str) {
    let program = std::env::current_exe().unwrap();
    let output = std::process::Command::new("sh")
        .args(["-c", &format!("{prefix} \"$0\" --exact {test} --nocapture")])
        .arg(program)
        .env(ALONE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Says to a test that nobody shares its process.
const ALONE: &str = "NIVELLA_TEST_ALONE";

/// All tests share their process's files, so this one has few of its own.
#[test]
fn running_out_of_files_does_not_end_the_server() {
    alone("server::with_few_files", "ulimit -n 64; exec");
}

/// Started by the test before.
#[tokio::test]
async fn with_few_files() {
    if std::env::var_os(ALONE).is_none() {
        return;
    }
    let server = Server::start(limits());
    assert_eq!(status(&server.tell(HELLO_CLOSE).await.unwrap()), Some(200));

    let mut files: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
    assert!(files.len() < 64, "files are limited");
    // The client takes the last file, so that there is none for the server's end.
    files.pop();
    let mut client = server.connect().await;
    client.send(HELLO_CLOSE).await;
    let mut byte = [0];
    assert!(timeout(SOON, client.0.read(&mut byte)).await.is_err(), "there was a file left");

    drop(files);
    assert_eq!(body(&client.read_to_close().await.unwrap()), "hello");
}

/// `Problem` is what handlers return; a route can be nothing but one.
#[tokio::test]
async fn a_problem_says_when_to_come_back() {
    let app =
        Router::new().route("/", get(async || -> Result<String, Problem> { Err(Problem::try_again()) }));
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, app, limits(), std::future::pending()));
    let mut client = Client(TcpStream::connect(address).await.unwrap());
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let answer = client.read_to_close().await.unwrap();
    assert_eq!(status(&answer), Some(503));
    assert!(answer.contains("retry-after: 2\r\n"), "{answer}");
}
