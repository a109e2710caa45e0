//! The load: connections that ask and wait for the answer, on one thread, so that most of the machine is left to
//! what is measured.
//!
//! A closed loop asks again as soon as it is answered and shows how much can be had. An open loop asks at a rate of
//! its own, whatever becomes of the answers, and counts an answer's time from the instant at which it should have
//! been asked for: who waits in a queue because the server stood still is counted, too.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Barrier, Semaphore};
use tokio::task::{JoinSet, LocalSet};

/// One end of a conversation. A wrong answer panics: figures of a server that answers wrongly are worth nothing.
pub(crate) trait Talk: 'static {
    /// Puts the next request into `out`; `false` when there is nothing more to ask.
    fn ask(&mut self, out: &mut Vec<u8>) -> bool;

    /// Reads an answer off the front of `input`: its length, if it is there as a whole.
    fn hear(&mut self, input: &[u8]) -> Option<usize>;
}

/// How long answers took, in microseconds, in ascending order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latencies(Vec<u32>);

impl Latencies {
    fn new(mut micros: Vec<u32>) -> Self {
        micros.sort_unstable();
        Self(micros)
    }

    /// What `per_mille` of the answers took at most, in milliseconds.
    pub(crate) fn at(&self, per_mille: usize) -> f64 {
        let Some(last) = self.0.len().checked_sub(1) else { return 0.0 };
        f64::from(self.0[(self.0.len() * per_mille / 1000).min(last)]) / 1000.0
    }
}

/// What came of a load.
#[derive(Clone, Debug, Default)]
pub(crate) struct Load {
    /// Answers after the warm-up.
    pub(crate) answers: u64,
    /// All answers: what the server worked for.
    pub(crate) all: u64,
    /// Seconds after the warm-up.
    pub(crate) seconds: f64,
    /// How long the answers after the warm-up took.
    pub(crate) latencies: Latencies,
}

impl Load {
    /// Adds another that followed.
    pub(crate) fn add(&mut self, other: Self) {
        self.answers += other.answers;
        self.all += other.all;
        self.seconds += other.seconds;
        self.latencies.0.extend(other.latencies.0);
        self.latencies.0.sort_unstable();
    }

    /// Answers in a second.
    pub(crate) fn per_second(&self) -> f64 {
        self.answers as f64 / self.seconds
    }
}

/// How long a closed loop goes on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Time {
    /// What is answered so early is not counted.
    pub(crate) warm_up: Duration,
    /// Counted.
    pub(crate) counted: Duration,
}

/// Each of `talks` on a connection of its own asks again as soon as it was answered.
pub(crate) fn closed<T: Talk>(address: SocketAddr, talks: Vec<T>, time: Time) -> Load {
    let clock = Rc::new(RefCell::new(None::<Instant>));
    let open = Rc::new(Barrier::new(talks.len()));
    let conversations = move |talk: T| {
        let (clock, open) = (Rc::clone(&clock), Rc::clone(&open));
        async move {
            let mut line = Line::open(address).await;
            open.wait().await;
            let start = *clock.borrow_mut().get_or_insert_with(Instant::now);
            let (warm, end) = (start + time.warm_up, start + time.warm_up + time.counted);
            let mut talk = talk;
            let (mut took, mut all) = (Vec::with_capacity(4096), 0);
            let mut now = Instant::now();
            while now < end && talk.ask(&mut line.out) {
                let asked = now;
                line.exchange(&mut talk).await;
                now = Instant::now();
                all += 1;
                // What is answered within the time counts, whenever it was asked for: long answers, too.
                if now >= warm && now <= end {
                    took.push(micros(now - asked));
                }
            }
            Ended { took, all, from: warm, to: now.min(end) }
        }
    };
    run(talks, conversations)
}

/// `talks` share the requests that fall due at `rate` a second, until so many are done or `stop` says so.
pub(crate) fn open<T: Talk>(
    address: SocketAddr,
    talks: Vec<T>,
    rate: f64,
    time: Duration,
    stop: &Arc<AtomicBool>,
) -> Load {
    let total = (rate * time.as_secs_f64()) as u64;
    let due = Arc::new(Semaphore::new(0));
    let start = Instant::now() + Duration::from_millis(50);
    let pacer = pace(start, rate, total, Arc::clone(&due), Arc::clone(stop));
    let next = Rc::new(Cell::new(0_u64));
    let stop = Arc::clone(stop);
    let conversations = move |talk: T| {
        let (due, next, stop) = (Arc::clone(&due), Rc::clone(&next), Arc::clone(&stop));
        async move {
            let mut line = Line::open(address).await;
            let mut talk = talk;
            let mut took = Vec::with_capacity(4096);
            let mut now = start;
            loop {
                let number = next.get();
                if number >= total {
                    break;
                }
                next.set(number + 1);
                let Ok(permit) = due.acquire().await else { break };
                permit.forget();
                if stop.load(Ordering::Relaxed) || !talk.ask(&mut line.out) {
                    break;
                }
                line.exchange(&mut talk).await;
                now = Instant::now();
                let should = start + Duration::from_secs_f64(number as f64 / rate);
                took.push(micros(now.saturating_duration_since(should)));
            }
            Ended { all: took.len() as u64, took, from: start, to: now }
        }
    };
    let load = run(talks, conversations);
    pacer.join().expect("the pacer ends");
    load
}

/// Lets requests fall due. The runtime's own timers know only milliseconds, which is as long as an answer takes.
fn pace(
    start: Instant,
    rate: f64,
    total: u64,
    due: Arc<Semaphore>,
    stop: Arc<AtomicBool>,
) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut released = 0;
        while released < total && !stop.load(Ordering::Relaxed) {
            let passed = Instant::now().saturating_duration_since(start).as_secs_f64();
            let should = ((passed * rate) as u64).min(total);
            due.add_permits(usize::try_from(should - released).expect("few at a time"));
            released = should;
            std::thread::sleep(PACE);
        }
        if stop.load(Ordering::Relaxed) {
            due.close();
        }
    })
}

/// How often requests fall due.
const PACE: Duration = Duration::from_micros(250);

/// What one connection has to tell.
struct Ended {
    took: Vec<u32>,
    all: u64,
    from: Instant,
    to: Instant,
}

fn run<T: Talk, F: Future<Output = Ended> + 'static>(talks: Vec<T>, converse: impl Fn(T) -> F) -> Load {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let ended = LocalSet::new().block_on(&runtime, async {
        let mut running = JoinSet::new();
        for talk in talks {
            running.spawn_local(converse(talk));
        }
        running.join_all().await
    });
    let from = ended.iter().map(|one| one.from).min().expect("a connection");
    let to = ended.iter().map(|one| one.to).max().expect("a connection");
    let all = ended.iter().map(|one| one.all).sum();
    let took: Vec<u32> = ended.into_iter().flat_map(|one| one.took).collect();
    let seconds = to.saturating_duration_since(from).as_secs_f64();
    Load { answers: took.len() as u64, all, seconds, latencies: Latencies::new(took) }
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

/// A connection with what is on its way.
struct Line {
    stream: TcpStream,
    out: Vec<u8>,
    input: Vec<u8>,
}

impl Line {
    async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("a connection");
        stream.set_nodelay(true).expect("a connection");
        Self { stream, out: Vec::with_capacity(8192), input: Vec::with_capacity(64 * 1024) }
    }

    /// Sends what was asked and waits until it is answered.
    async fn exchange(&mut self, talk: &mut impl Talk) {
        self.stream.write_all(&self.out).await.expect("the server takes a request");
        self.out.clear();
        loop {
            let read = self.stream.read_buf(&mut self.input).await.expect("the server answers");
            assert!(read > 0, "the server hung up: {}", String::from_utf8_lossy(&self.input));
            if let Some(length) = talk.hear(&self.input) {
                assert_eq!(length, self.input.len(), "one answer for one request");
                self.input.clear();
                return;
            }
        }
    }
}
