//! The accept loop: how connections come, how long each may take, and how they end.
//!
//! Every connection ends: a head, a body, a pause between requests and an answer nobody takes each have
//! their time, and the number of connections has a bound, in all and for one address. Whatever a client
//! sends, one request is never read as two. A stop finishes what was accepted.
//!
//! HTTP/1.0 and 1.1 only; TLS is the business of whoever stands in front.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::response::IntoResponse;
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::header::{HOST, TRANSFER_ENCODING};
use http::{Request, Response, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout};
use tower::Service as _;

use super::extract::BodyTooSlow;
use super::problem::Problem;
use crate::config;

/// How long things may take, and how many there may be.
#[derive(Clone, Debug)]
pub struct Limits {
    /// For the head of a request, from its first byte; for the first of a connection, from its start.
    pub header_timeout: Duration,
    /// For the whole body of a request, from the end of its head.
    pub body_timeout: Duration,
    /// Between two requests, and for a client to take the next piece of its answer.
    pub idle_timeout: Duration,
    /// For requests that were accepted before a stop.
    pub stop_timeout: Duration,
    /// Open connections; more wait in the kernel.
    pub connections_max: usize,
    /// Open connections of one address; more are closed at once.
    pub connections_per_address_max: usize,
}

impl Limits {
    /// How often a connection's clock looks at its pace: at least as often as its shortest time, so that
    /// what begins between two looks is not noticed late.
    fn look_interval(&self) -> Duration {
        self.header_timeout.min(self.idle_timeout)
    }
}

impl From<&config::Http> for Limits {
    fn from(http: &config::Http) -> Self {
        Self {
            header_timeout: http.header_timeout_s.seconds(),
            body_timeout: http.body_timeout_s.seconds(),
            idle_timeout: http.idle_timeout_s.seconds(),
            stop_timeout: http.stop_timeout_s.seconds(),
            connections_max: http.connections_max.as_usize(),
            connections_per_address_max: http.connections_per_address_max.as_usize(),
        }
    }
}

/// A stop that did not wait for everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{connections} connections were cut off: they took longer than {waited:?} after the stop")]
pub struct CutOff {
    /// How many.
    pub connections: usize,
    /// How long they had.
    pub waited: Duration,
}

/// Listens on `address`, also when an earlier server's connections still linger there.
///
/// # Errors
/// When the address is taken, or not this machine's.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves `app` to whoever connects, until `shutdown`; then finishes the requests that were accepted.
///
/// Handlers find the client's address as `ConnectInfo<SocketAddr>`.
///
/// # Errors
/// [`CutOff`], if some requests took longer than [`Limits::stop_timeout`].
pub async fn serve(
    listener: TcpListener,
    app: Router,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> Result<(), CutOff> {
    let slots = Arc::new(Semaphore::new(limits.connections_max));
    let (phase, _) = watch::channel(Phase::Serving);
    let host = Host { app, guests: Arc::default(), phase: phase.clone(), limits: Arc::new(limits) };

    let mut shutdown = pin!(shutdown);
    let mut exhausted = false;
    loop {
        // The slot first: who is not accepted waits in the kernel, at no cost here.
        let accepted = async {
            let slot = Arc::clone(&slots).acquire_owned().await.ok()?;
            Some((slot, listener.accept().await))
        };
        let accepted = tokio::select! {
            accepted = accepted => accepted,
            () = &mut shutdown => break,
        };
        let Some((slot, accepted)) = accepted else { break };
        match accepted {
            Ok((stream, peer)) => {
                exhausted = false;
                host.welcome(stream, peer, slot);
            }
            Err(error) if is_the_clients(&error) => {}
            // Files or memory have run out; they come back when connections end.
            Err(error) => {
                if !exhausted {
                    tracing::warn!(%error, "connections wait, because they cannot be accepted: {error}");
                }
                exhausted = true;
                tokio::select! {
                    () = sleep(ACCEPT_PAUSE) => {}
                    () = &mut shutdown => break,
                }
            }
        }
    }

    for (stream, peer) in already_connected(listener) {
        if let Ok(slot) = Arc::clone(&slots).try_acquire_owned() {
            host.welcome(stream, peer, slot);
        }
    }
    phase.send_replace(Phase::Finishing);
    let waited = host.limits.stop_timeout;
    let all = u32::try_from(host.limits.connections_max).unwrap_or(u32::MAX);
    if timeout(waited, slots.acquire_many(all)).await.is_ok() {
        return Ok(());
    }
    let connections = host.limits.connections_max - slots.available_permits();
    phase.send_replace(Phase::Leaving);
    Err(CutOff { connections, waited })
}

/// What the connections are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Serving,
    /// No new requests.
    Finishing,
    /// End now.
    Leaving,
}

/// What every connection is given.
struct Host {
    app: Router,
    guests: Arc<Guests>,
    phase: watch::Sender<Phase>,
    limits: Arc<Limits>,
}

impl Host {
    /// Starts to serve a connection, unless its address has too many.
    fn welcome(&self, stream: TcpStream, peer: SocketAddr, slot: OwnedSemaphorePermit) {
        let Some(guest) = Guests::enter(&self.guests, peer.ip(), self.limits.connections_per_address_max)
        else {
            tracing::debug!("a connection was closed: its address has too many");
            return;
        };
        // Answers are written whole; waiting to fill a packet only delays them.
        drop(stream.set_nodelay(true));
        let (app, phase, limits) = (self.app.clone(), self.phase.subscribe(), Arc::clone(&self.limits));
        tokio::spawn(async move {
            attend(stream, peer, app, phase, &limits).await;
            drop((guest, slot));
        });
    }
}

/// How many connections each address has. As large as there are connections, so bounded by their number.
#[derive(Default)]
struct Guests(Mutex<HashMap<IpAddr, usize>>);

/// One connection of an address, counted until dropped.
struct Guest {
    guests: Arc<Guests>,
    address: IpAddr,
}

impl Guests {
    fn enter(guests: &Arc<Self>, address: IpAddr, most: usize) -> Option<Guest> {
        let address = network(address);
        let mut counts = lock(&guests.0);
        let count = counts.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Guest { guests: Arc::clone(guests), address })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut counts = lock(&self.guests.0);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

/// What counts as one address: whoever has one IPv6 address has 2⁶⁴ of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Serves one connection to its end.
async fn attend(
    stream: TcpStream,
    peer: SocketAddr,
    app: Router,
    mut phase: watch::Receiver<Phase>,
    limits: &Limits,
) {
    let pace = Arc::new(Pace::new());
    let desk = Desk { app, peer, pace: Arc::clone(&pace), body_timeout: limits.body_timeout };
    let paced = Paced { stream, pace: Arc::clone(&pace) };
    let mut connection = http1::Builder::new()
        // Who closes its sending side after a request still waits for the answer.
        .half_close(true)
        .max_header_size(HEAD_BYTES_MAX)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(paced), desk);

    let end = drive(&mut connection, &pace, &mut phase, limits).await;
    let mut stream = connection.into_parts().io.into_inner().stream;
    match end {
        End::Done => drop(stream.shutdown().await),
        End::Unread => linger(stream).await,
        End::HeadTooSlow => {
            if timeout(LINGER, stream.write_all(HEAD_TOO_SLOW)).await.is_ok() {
                linger(stream).await;
            }
        }
        End::Cut => {}
    }
}

/// How a connection ended.
enum End {
    /// As it should: everything sent was read.
    Done,
    /// The client may still be sending what nobody will read.
    Unread,
    /// A head was begun and not finished in time.
    HeadTooSlow,
    /// Nobody is there to talk to.
    Cut,
}

async fn drive(
    connection: &mut http1::Connection<TokioIo<Paced>, Desk>,
    pace: &Pace,
    phase: &mut watch::Receiver<Phase>,
    limits: &Limits,
) -> End {
    let mut look = pin!(sleep(limits.look_interval()));
    // Once a stop was asked for: when to stop waiting for the first request.
    let mut first_until: Option<Instant> = None;
    loop {
        tokio::select! {
            biased;
            result = std::future::poll_fn(|cx| connection.poll_without_shutdown(cx)) => {
                if let Err(error) = &result {
                    tracing::debug!(%error, "a connection ended: {error}");
                }
                return if result.is_err() || pace.is_unread() { End::Unread } else { End::Done };
            }
            () = &mut look => match pace.verdict(limits) {
                Ok(next) => look.as_mut().reset(next),
                Err(end) => return end,
            },
            () = sleep_until(first_until.unwrap_or_else(Instant::now)), if first_until.is_some() => {
                first_until = None;
                Pin::new(&mut *connection).graceful_shutdown();
            }
            changed = phase.changed() => {
                match *phase.borrow_and_update() {
                    Phase::Leaving => return End::Cut,
                    _ if changed.is_err() => return End::Cut,
                    // It was accepted, so its first request is served, if it comes at once.
                    _ if pace.is_fresh() => first_until = Some(Instant::now() + FIRST_REQUEST_AFTER_STOP),
                    _ => Pin::new(&mut *connection).graceful_shutdown(),
                }
            }
        }
    }
}

/// Ends a connection whose client may still be sending: closing at once would reset it, and the client
/// would lose the answer that says why.
async fn linger(mut stream: TcpStream) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let mut waste = vec![0; 16 * 1024];
    let mut left = LINGER_BYTES_MAX;
    let drain = async {
        while let Ok(read @ 1..) = stream.read(&mut waste).await {
            left = left.saturating_sub(read);
            if left == 0 {
                break;
            }
        }
    };
    drop(timeout(LINGER, drain).await);
}

/// How far a connection is; seen by its stream and its service, judged by its clock.
struct Pace(Mutex<Progress>);

struct Progress {
    stage: Stage,
    since: Instant,
    /// Since when the client does not take its answer.
    blocked_since: Option<Instant>,
    /// Whether the last request has a body that was not read to its end.
    unread: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing has arrived yet.
    Fresh,
    /// A part of a head has arrived.
    Head,
    /// A request is being answered.
    Busy,
    /// The last request was answered.
    Idle,
}

impl Pace {
    fn new() -> Self {
        Self(Mutex::new(Progress {
            stage: Stage::Fresh,
            since: Instant::now(),
            blocked_since: None,
            unread: false,
        }))
    }

    fn is_fresh(&self) -> bool {
        lock(&self.0).stage == Stage::Fresh
    }

    fn is_unread(&self) -> bool {
        lock(&self.0).unread
    }

    fn arrived(&self) {
        let mut progress = lock(&self.0);
        match progress.stage {
            Stage::Fresh => progress.stage = Stage::Head,
            Stage::Idle => {
                progress.stage = Stage::Head;
                progress.since = Instant::now();
            }
            Stage::Head | Stage::Busy => {}
        }
    }

    fn begin(&self, has_body: bool) {
        let mut progress = lock(&self.0);
        progress.stage = Stage::Busy;
        progress.unread = has_body;
    }

    fn body_ended(&self) {
        lock(&self.0).unread = false;
    }

    fn answered(&self) {
        let mut progress = lock(&self.0);
        progress.stage = Stage::Idle;
        progress.since = Instant::now();
    }

    fn blocked(&self, blocked: bool) {
        let mut progress = lock(&self.0);
        if blocked {
            progress.blocked_since.get_or_insert_with(Instant::now);
        } else if progress.blocked_since.take().is_some() && progress.stage == Stage::Idle {
            // A long answer is still on its way: not idle yet.
            progress.since = Instant::now();
        }
    }

    /// When to look again, or how the connection ends for being late.
    ///
    fn verdict(&self, limits: &Limits) -> Result<Instant, End> {
        let progress = lock(&self.0);
        let now = Instant::now();
        let blocked_until = progress.blocked_since.map(|since| since + limits.idle_timeout);
        let stage_until = match progress.stage {
            Stage::Fresh | Stage::Head => Some(progress.since + limits.header_timeout),
            Stage::Idle if blocked_until.is_none() => Some(progress.since + limits.idle_timeout),
            // A client that takes an answer is not idle; the body has a clock of its own, the handler none.
            Stage::Idle | Stage::Busy => None,
        };
        if blocked_until.is_some_and(|until| until <= now) {
            return Err(End::Cut);
        }
        if stage_until.is_some_and(|until| until <= now) {
            return Err(match progress.stage {
                Stage::Head => End::HeadTooSlow,
                Stage::Fresh | Stage::Busy | Stage::Idle => End::Done,
            });
        }
        let next = [blocked_until, stage_until].into_iter().flatten().min();
        let soon = now + limits.look_interval();
        Ok(next.map_or(soon, |next| next.min(soon)))
    }
}

/// A stream that tells the connection's pace what it sees.
struct Paced {
    stream: TcpStream,
    pace: Arc<Pace>,
}

impl AsyncRead for Paced {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.pace.arrived();
        }
        polled
    }
}

impl AsyncWrite for Paced {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.pace.blocked(polled.is_pending());
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.pace.blocked(polled.is_pending());
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Hands the requests of one connection to the app.
struct Desk {
    app: Router,
    peer: SocketAddr,
    pace: Arc<Pace>,
    body_timeout: Duration,
}

impl hyper::service::Service<Request<Incoming>> for Desk {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.pace.begin(!request.body().is_end_stream());
        let answering = Answering(Arc::clone(&self.pace));
        let refusal = framing_fault(&request);
        let mut request = request.map(|body| {
            if body.is_end_stream() {
                axum::body::Body::empty()
            } else {
                axum::body::Body::new(TimedBody::new(body, self.body_timeout, Arc::clone(&self.pace)))
            }
        });
        request.extensions_mut().insert(ConnectInfo(self.peer));
        let mut app = self.app.clone();
        Box::pin(async move {
            let response = match refusal {
                Some(refusal) => refusal.into_response(),
                None => AssertUnwindSafe(async { app.call(request).await })
                    .catch_unwind()
                    .await
                    .map_or_else(|_panic| panicked(), |Ok(response)| response),
            };
            Ok(response.map(|body| Answer { body, _answering: answering }))
        })
    }
}

/// What hyper lets pass, but two readers could read as two different things.
fn framing_fault(request: &Request<Incoming>) -> Option<Problem> {
    let headers = request.headers();
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next()
        && (codings.next().is_some() || !coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
    {
        return Some(Problem::bad_request("the only transfer coding understood is \"chunked\", once"));
    }
    let mut hosts = headers.get_all(HOST).iter();
    let has_host = hosts.next().is_some();
    if hosts.next().is_some() || (!has_host && request.version() == Version::HTTP_11) {
        return Some(Problem::bad_request("there must be one Host header"));
    }
    None
}

/// The panic itself was printed where it happened.
fn panicked() -> axum::response::Response {
    tracing::error!("a request's handler panicked");
    Problem::internal().into_response()
}

/// While it lives, the connection has an answer to give.
struct Answering(Arc<Pace>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.answered();
    }
}

/// The body of an answer.
struct Answer {
    body: axum::body::Body,
    _answering: Answering,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of a request, which fails with [`BodyTooSlow`] when its time is over.
struct TimedBody {
    body: Incoming,
    until: Instant,
    /// Made when the body is first waited for; most have arrived with their head.
    clock: Option<Pin<Box<Sleep>>>,
    pace: Arc<Pace>,
}

impl TimedBody {
    fn new(body: Incoming, time: Duration, pace: Arc<Pace>) -> Self {
        Self { body, until: Instant::now() + time, clock: None, pace }
    }
}

impl Body for TimedBody {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let body = &mut *self;
        match Pin::new(&mut body.body).poll_frame(cx) {
            Poll::Ready(frame) => {
                if frame.is_none() || body.body.is_end_stream() {
                    body.pace.body_ended();
                }
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Poll::Pending => {
                let until = body.until;
                let clock = body.clock.get_or_insert_with(|| Box::pin(sleep_until(until)));
                clock.as_mut().poll(cx).map(|()| Some(Err(BodyTooSlow.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Whether `error` is about one connection that broke before it was accepted, not about this process.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind as E;
    matches!(error.kind(), E::ConnectionAborted | E::ConnectionReset | E::ConnectionRefused | E::Interrupted)
}

/// The connections the kernel has completed and nobody has accepted.
fn already_connected(listener: TcpListener) -> Vec<(TcpStream, SocketAddr)> {
    let Ok(listener) = listener.into_std() else {
        return Vec::new();
    };
    std::iter::from_fn(|| listener.accept().ok())
        .take(BACKLOG as usize)
        .filter_map(|(stream, peer)| {
            stream.set_nonblocking(true).ok()?;
            Some((TcpStream::from_std(stream).ok()?, peer))
        })
        .collect()
}

/// None of these locks is held over anything that can panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many connections may wait in the kernel.
const BACKLOG: u32 = 1024;
/// The largest head; keys and signatures need a few hundred bytes, a browser's cookies a few thousand.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// How much of a body is held before a handler takes it.
const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// How long to wait before trying to accept again when files have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long a new connection may take to begin its request once a stop was asked for.
const FIRST_REQUEST_AFTER_STOP: Duration = Duration::from_millis(500);
/// How long, and for how much, to wait for a client to notice that its request was refused.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The one answer that is written by hand: hyper answers only what it has read to its end.
const HEAD_TOO_SLOW: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_counted_until_its_connections_end() {
        let guests = Arc::default();
        let enter = |address: &str| Guests::enter(&guests, address.parse().unwrap(), 2);
        let (first, second) = (enter("192.0.2.1"), enter("192.0.2.1"));
        assert!(first.is_some() && second.is_some());
        assert!(enter("192.0.2.1").is_none());
        assert!(enter("192.0.2.2").is_some());
        drop(first);
        assert!(enter("192.0.2.1").is_some());
        drop(second);
        assert!(lock(&guests.0).is_empty(), "nothing is kept of who left");
    }

    #[test]
    fn an_address_is_a_v4_address_or_a_v6_network() {
        let same = |one: &str, other: &str| network(one.parse().unwrap()) == network(other.parse().unwrap());
        assert!(same("192.0.2.1", "::ffff:192.0.2.1"));
        assert!(!same("192.0.2.1", "192.0.2.2"));
        assert!(same("2001:db8::1", "2001:db8::2:3"));
        assert!(!same("2001:db8::1", "2001:db8:0:1::1"));
    }
}
