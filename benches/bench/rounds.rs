//! What is measured, in which order, and what it is compared with.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::daemon::{Daemon, Database};
use crate::floor;
use crate::http::Caller;
use crate::load::{self, Load, Talk, Time};
use crate::postgres::Postgres;
use crate::probe;
use crate::redis::Redis;
use crate::seed::{GRANTS, Plan};
use crate::settings::Settings;
use crate::shop;
use crate::table::{Book, Sample, Target, Unit};
use crate::talks::{
    BATCH, Batches, Debits, Delivered, Deliveries, Dice, Feeds, Same, Shared, Tally, Template, Wares,
    prove_delivered, signed,
};
use crate::tigerbeetle;

/// Clients of most loads.
const CLIENTS: usize = 64;
/// Clients of an open loop: enough that a request finds a free one, also when answers take their time.
const OPEN_CLIENTS: usize = 128;

// The names of figures, which ratios are made of.
const HELLO: &str = "hello 64c";
const HEALTH: &str = "healthz 64c";
const FLOOR: &str = "HTTP + HMAC + parse floor 64c";
const RECEIPTS: &str = "durable receipts 64c";
const CREDITS: &str = "receipts with credit 64c";
const SINGLE: &str = "receipts, a transaction each 64c";
const DEBITS_8: &str = "debits 8c";
const DEBITS: &str = "debits 64c";
const HOT: &str = "debits of one wallet 64c";
const WIDE: &str = "debits over many wallets 64c";
const BATCHES: &str = "debits in batches of 512, 8c";
const HALF: &str = "debits, open loop at 50 %";
const MOST: &str = "debits, open loop at 80 %";
const FAIR: &str = "debits at 50 % beside a reconcile";
const PG_8: &str = "PostgreSQL same steps 8c";
const PG: &str = "PostgreSQL at its best";
const REDIS: &str = "Redis AOF always 64c";
const TIGER: &str = "TigerBeetle, a transfer a request";
const SMALL: &str = "debits 64c, 100 k entries";
const LARGE: &str = "debits 64c, large ledger";
const FEED: &str = "feed 64c, changed since";
const CACHED: &str = "feed 64c, others writing";
const FEED_TINY: &str = "feed 64c, 1 k entries";
const FEED_LARGE: &str = "feed 64c, large ledger";
const SEEN: &str = "delivery to changed feed";

/// Measures everything that is wished.
pub(crate) fn measure(settings: &Settings) -> Book {
    let mut book = Book::default();
    let folder = tempfile::tempdir_in(&settings.folder).expect("target/bench");
    let mut stage = Stage::set(settings, folder.path(), &mut book);
    for round in 1..=settings.rounds {
        let start = Instant::now();
        stage.round(round, &mut book);
        eprintln!("bench: round {round} of {} took {} s", settings.rounds, start.elapsed().as_secs());
    }
    stage.prove(&mut book);
    compare(&mut book);
    book
}

/// Sets the figures against each other.
fn compare(book: &mut Book) {
    let cpu = |sample: &Sample| sample.cpu_us;
    let p99 = |sample: &Sample| sample.times.map(|times| times[1]);
    book.ratio(RECEIPTS, FLOOR, Target::more(0.45, 0.80));
    book.ratio(CREDITS, RECEIPTS, Target::more(0.80, 0.90));
    book.ratio(RECEIPTS, SINGLE, Target::more(3.5, 6.0));
    book.ratio(DEBITS_8, PG_8, Target::more(1.6, 2.5));
    book.ratio(DEBITS, PG, Target::more(2.0, 4.0));
    book.ratio(DEBITS, REDIS, Target::more(0.70, 1.0));
    book.ratio(DEBITS, TIGER, Target::more(7.0, 12.0));
    book.ratio(BATCHES, DEBITS, Target::more(2.5, 5.0));
    book.ratio(LARGE, SMALL, Target::more(0.50, 0.80));
    book.ratio(FEED, HELLO, Target::more(0.50, 0.60));
    book.ratio(CACHED, HELLO, Target::more(0.85, 0.95));
    book.ratio(FEED_LARGE, FEED_TINY, Target::more(0.75, 0.95));
    let name = format!("p99 of {FEED_LARGE} ÷ {FEED_TINY}");
    book.ratio_of(name, (FEED_LARGE, FEED_TINY), p99, Target::less(2.0, Some(1.2)));
    let name = format!("CPU of {DEBITS} ÷ {HELLO}");
    book.ratio_of(name, (DEBITS, HELLO), cpu, Target::less(5.5, Some(3.5)));
    let name = format!("p99 of {FAIR} ÷ alone");
    book.ratio_of(name, (FAIR, HALF), p99, Target::less(3.0, None));
}

/// Everything that runs while figures are measured.
struct Stage<'s> {
    settings: &'s Settings,
    folder: &'s Path,
    floor: (probe::Running, std::net::SocketAddr),
    spending: Option<Spending>,
    wide: Option<Wallets>,
    growth: Option<Growth>,
    receiving: Option<Receiving>,
    shop: Option<(probe::Running, std::net::SocketAddr)>,
    postgres: Option<Postgres>,
    best: usize,
    redis: Option<Redis>,
}

/// A daemon, and what its wallets must hold.
struct Wallets {
    daemon: Daemon,
    tally: Shared,
    sites: usize,
    bytes: u64,
}

impl Wallets {
    fn start(database: &Database, sites: usize) -> Self {
        Self::with(database, sites, &[])
    }

    fn with(database: &Database, sites: usize, settings: &[(&str, &str)]) -> Self {
        let bytes = database.bytes();
        let daemon = Daemon::with(database, settings);
        let tally = Tally::read(&mut daemon.caller(), sites, "run");
        Self { daemon, tally, sites, bytes }
    }

    fn key(&self) -> &str {
        &self.daemon.database.key
    }

    fn debits(&self, sites: usize, clients: usize) -> Vec<Debits> {
        Debits::many(&self.tally, self.key(), sites, clients)
    }

    /// Changes each of `sites`, then reads each of them once: nothing that was remembered can be told.
    fn changed_feeds(&self, sites: &[usize]) -> Load {
        let batches = Batches::once(&self.tally, self.key(), sites.to_vec(), 2);
        load::closed(self.daemon.address, batches, ENDLESS);
        let feeds = Feeds::once(&self.tally, self.key(), sites.to_vec(), CLIENTS);
        load::closed(self.daemon.address, feeds, ENDLESS)
    }

    /// Stops the daemon; the books must hold what was answered, and be proved.
    fn prove(self) -> (Database, u64) {
        self.tally.borrow().prove(&mut self.daemon.caller());
        let highest = probe::memory(self.daemon.pid()).1;
        let database = self.daemon.stop();
        database.verify();
        (database, highest)
    }
}

type Spending = Wallets;

/// As long as there is something to do.
const ENDLESS: Time = Time { warm_up: Duration::ZERO, counted: Duration::from_hours(1) };

/// The same over a small and a large ledger.
struct Growth {
    small: Wallets,
    large: Wallets,
    tiny: Database,
}

/// Entries of the small one.
const SMALL_ENTRIES: usize = 100_000;
/// Sites and entries of the smallest one.
const TINY: Plan = Plan { sites: 300, entries: 1_000 };

/// Daemons that take deliveries.
struct Receiving {
    plain: Receiver,
    credits: Receiver,
    single: Receiver,
    floor: Rc<RefCell<Delivered>>,
}

struct Receiver {
    daemon: Daemon,
    wares: Wares,
    delivered: Rc<RefCell<Delivered>>,
    bytes: u64,
}

impl Receiver {
    fn start(path: &Path, wares: Wares, settings: &[(&str, &str)]) -> Self {
        let database = Database::create(path);
        let daemon = Daemon::with(&database, settings);
        learn_shirt(&mut daemon.caller());
        Self { bytes: database.bytes(), daemon, wares, delivered: Rc::default() }
    }

    fn talks(&self) -> Vec<Deliveries> {
        Deliveries::many(self.wares, &self.delivered, CLIENTS)
    }

    fn prove(self) -> (Database, u64) {
        prove_delivered(&mut self.daemon.caller(), self.wares, &self.delivered.borrow());
        let highest = probe::memory(self.daemon.pid()).1;
        let database = self.daemon.stop();
        database.verify();
        (database, highest)
    }
}

/// Tells the daemon that the shirt is nothing that brings credits.
fn learn_shirt(caller: &mut Caller) {
    let path = "/fixtures/woocommerce/26-product-changes/002-product.updated/body.bin";
    let recorded = std::fs::read(format!("{}{path}", env!("CARGO_MANIFEST_DIR"))).expect("recorded");
    let mut product: serde_json::Value = serde_json::from_slice(&recorded).expect("JSON");
    product["id"] = 13.into();
    product["categories"] = json!([{ "id": 18, "name": "Apparel", "slug": "apparel" }]);
    let body = product.to_string().into_bytes();
    caller.json("POST", "/webhooks/woocommerce/bench", &signed(&body, "product.updated"), &body);
}

impl<'s> Stage<'s> {
    fn set(settings: &'s Settings, folder: &'s Path, book: &mut Book) -> Self {
        let seeds = &settings.folder;
        let base = Plan { sites: settings.sites, entries: settings.sites * GRANTS };
        let wants_spending =
            ["debits", "batch", "open", "feed", "fair"].iter().any(|group| settings.wants(group));
        let shop = settings.wants("fair").then(shop::start);
        let spending = wants_spending.then(|| {
            let database = base.ready(seeds).copy(&folder.join("spending.db"));
            if let Some((_, address)) = &shop {
                let secret = folder.join("secret.txt");
                std::fs::write(&secret, format!("cs_{}", "0".repeat(40))).expect("room");
                let (url, secret) =
                    (format!("http://{address}"), secret.to_str().expect("a path").to_owned());
                let key = format!("ck_{}", "0".repeat(40));
                let store =
                    ["store", "add", "fair", "--url", &url, "--webhook-secret", crate::daemon::SECRET];
                let keys = ["--consumer-key", &key, "--consumer-secret-file", &secret];
                database.run(&[&store[..], &keys].concat());
                database.run(&["package", "set", "--store", "fair", "--product", "10", "--credits", "1000"]);
            }
            // Of itself the daemon reads the shop's orders at the start, when there are none.
            Wallets::with(&database, settings.sites, &[("NIVELLA_WALLET_RECONCILE__EVERY", "24h")])
        });
        if spending.is_some() {
            let fresh = Daemon::start(&base.ready(seeds).copy(&folder.join("idle.db")));
            std::thread::sleep(Duration::from_secs(1));
            let target = Target::less(20.0, Some(12.0));
            let idle = megabytes(probe::memory(fresh.pid()).0);
            book.note_with("memory, idle", Unit::MegaBytes, target, Sample::only(idle));
        }
        let wide = settings.wants("wide").then(|| {
            let plan = Plan { sites: settings.wallets, entries: settings.wallets * GRANTS };
            let database = plan.ready(seeds).copy(&folder.join("wide.db"));
            let (bytes, daemon) = (database.bytes(), Daemon::start(&database));
            let tally = Tally::known(plan.sites, GRANTS as i64 * 1_000_000_000_000, "run");
            Wallets { daemon, tally, sites: plan.sites, bytes }
        });
        let growth = settings.wants("growth").then(|| {
            let ledger = |entries: usize, name: &str| {
                let plan = Plan { sites: settings.grown, entries };
                Wallets::start(&plan.ready(seeds).copy(&folder.join(name)), settings.grown)
            };
            let (small, large) = (ledger(SMALL_ENTRIES, "small.db"), ledger(settings.entries, "large.db"));
            Growth { small, large, tiny: TINY.ready(seeds) }
        });
        let receiving = settings.wants("receipts").then(|| Receiving {
            plain: Receiver::start(&folder.join("plain.db"), Wares::Shirt, &[]),
            credits: Receiver::start(&folder.join("credits.db"), Wares::Credits, &[]),
            single: Receiver::start(
                &folder.join("single.db"),
                Wares::Shirt,
                &[("NIVELLA_WALLET_WRITE_GROUP_MAX", "1")],
            ),
            floor: Rc::default(),
        });
        let mut peer = |names: &[&'static str], why: String| {
            for name in names {
                book.miss(name, why.clone());
            }
        };
        let peers = settings.wants("peers");
        let postgres = peers.then(|| Postgres::start(folder, settings.sites));
        let postgres = postgres.and_then(|started| started.map_err(|why| peer(&[PG_8, PG], why)).ok());
        let redis = peers.then(|| Redis::start(folder, settings.sites));
        let redis = redis.and_then(|started| started.map_err(|why| peer(&[REDIS], why)).ok());
        Self {
            settings,
            folder,
            floor: floor::start(),
            spending,
            wide,
            growth,
            receiving,
            shop,
            postgres,
            best: 0,
            redis,
        }
    }

    fn time(&self) -> Time {
        Time { warm_up: self.settings.time / 8, counted: self.settings.time }
    }

    /// A closed loop against a process that is watched meanwhile.
    fn closed<T: Talk>(&self, pid: u32, address: std::net::SocketAddr, talks: Vec<T>) -> Sample {
        watched(pid, || load::closed(address, talks, self.time()))
    }

    fn round(&mut self, round: usize, book: &mut Book) {
        let (floor, address) = (self.floor.0.0.id(), self.floor.1);
        book.note(HELLO, Unit::PerSecond, self.closed(floor, address, Same::many("/hello", CLIENTS)));
        self.receipts(book);
        self.debits(book);
        self.peers(round, book);
        self.feeds(book);
        self.wide(book);
        self.grown(round, book);
        self.fairness(book);
    }

    fn receipts(&self, book: &mut Book) {
        let Some(receiving) = &self.receiving else { return };
        let talks = Deliveries::floor(&receiving.floor, CLIENTS);
        let sample = self.closed(self.floor.0.0.id(), self.floor.1, talks);
        book.note(FLOOR, Unit::PerSecond, sample);
        for (name, receiver) in
            [(RECEIPTS, &receiving.plain), (CREDITS, &receiving.credits), (SINGLE, &receiving.single)]
        {
            let daemon = &receiver.daemon;
            book.note(name, Unit::PerSecond, self.closed(daemon.pid(), daemon.address, receiver.talks()));
        }
        let seen = delivered_to_seen(&receiving.plain.daemon);
        book.note_with(SEEN, Unit::Millis, Target::less(50.0, None), Sample::only(seen));
    }

    fn debits(&self, book: &mut Book) {
        let Some(wallets) = &self.spending else { return };
        let (pid, address) = (wallets.daemon.pid(), wallets.daemon.address);
        if self.settings.wants("debits") || self.settings.wants("open") || self.settings.wants("fair") {
            book.note(HEALTH, Unit::PerSecond, self.closed(pid, address, Same::many("/healthz", CLIENTS)));
            book.note(DEBITS_8, Unit::PerSecond, self.closed(pid, address, wallets.debits(wallets.sites, 8)));
            let talks = wallets.debits(wallets.sites, CLIENTS);
            book.note(DEBITS, Unit::PerSecond, self.closed(pid, address, talks));
            book.note(HOT, Unit::PerSecond, self.closed(pid, address, wallets.debits(1, CLIENTS)));
        }
        if self.settings.wants("batch") {
            let talks = Batches::many(&wallets.tally, wallets.key(), wallets.sites, (8, BATCH));
            let mut sample = self.closed(pid, address, talks);
            let size = BATCH as f64;
            sample.value *= size;
            sample.cpu_us = sample.cpu_us.map(|cpu| cpu / size);
            sample.written = sample.written.map(|written| written / size);
            book.note(BATCHES, Unit::PerSecond, sample);
        }
        let Some(most) = book.last(DEBITS) else { return };
        if self.settings.wants("open") || self.settings.wants("fair") {
            for (name, share) in [(HALF, 0.5), (MOST, 0.8)] {
                let never = Arc::new(AtomicBool::new(false));
                let talks = wallets.debits(wallets.sites, OPEN_CLIENTS);
                let time = self.settings.time;
                let sample = watched(pid, || load::open(address, talks, most * share, time, &never));
                book.note(name, Unit::PerSecond, sample);
            }
        }
    }

    fn peers(&mut self, round: usize, book: &mut Book) {
        let (time, whole) = (self.time(), self.settings.time);
        if let Some(postgres) = &mut self.postgres {
            if round == 1 {
                // Its best number of clients is looked for once.
                let found = [16, 32, 64].map(|clients| (postgres.debits(clients, whole), clients));
                self.best =
                    found.into_iter().max_by(|a, b| a.0.total_cmp(&b.0)).map_or(8, |(_, clients)| clients);
            }
            book.note(PG_8, Unit::PerSecond, Sample::only(postgres.debits(8, whole)));
            let best = Sample::only(postgres.debits(self.best, whole));
            let eight = book.last(PG_8).map(Sample::only).unwrap_or_default();
            book.note(PG, Unit::PerSecond, if best.value > eight.value { best } else { eight });
        }
        if let Some(redis) = &self.redis {
            book.note(REDIS, Unit::PerSecond, Sample::of(&redis.debits(CLIENTS, time)));
        }
        if self.settings.wants("peers") {
            match tigerbeetle::transfers(self.folder, TIGER_COUNT) {
                Ok(value) => book.note(TIGER, Unit::PerSecond, Sample::only(value)),
                Err(why) => book.miss(TIGER, why),
            }
        }
    }

    fn feeds(&self, book: &mut Book) {
        let Some(wallets) = self.spending.as_ref().filter(|_| self.settings.wants("feed")) else { return };
        let all: Vec<usize> = (1..=wallets.sites).collect();
        let sample = passes(self.settings.time, wallets, || all.clone());
        book.note(FEED, Unit::PerSecond, sample);

        let (address, key, sites) = (wallets.daemon.address, wallets.key().to_owned(), wallets.sites);
        let (stop, time) = (Arc::new(AtomicBool::new(false)), self.settings.time * 4);
        let stopped = Arc::clone(&stop);
        let name = format!("side-{}", wallets.tally.borrow().sent());
        let writer = std::thread::spawn(move || {
            let tally = Tally::blank(sites, &name);
            load::open(address, Debits::many(&tally, &key, sites, 4), WRITES_PER_SECOND, time, &stopped);
            Rc::into_inner(tally).expect("nobody else has it").into_inner()
        });
        let talks = Feeds::many(&wallets.tally, wallets.key(), wallets.sites, CLIENTS);
        book.note(CACHED, Unit::PerSecond, self.closed(wallets.daemon.pid(), address, talks));
        stop.store(true, Ordering::Relaxed);
        wallets.tally.borrow_mut().add(&writer.join().expect("it wrote"));
    }

    fn wide(&self, book: &mut Book) {
        let Some(wallets) = &self.wide else { return };
        let talks = wallets.debits(wallets.sites, CLIENTS);
        book.note(WIDE, Unit::PerSecond, self.closed(wallets.daemon.pid(), wallets.daemon.address, talks));
    }

    fn grown(&self, round: usize, book: &mut Book) {
        let Some(growth) = &self.growth else { return };
        for (name, wallets) in [(SMALL, &growth.small), (LARGE, &growth.large)] {
            let talks = wallets.debits(self.settings.grown, CLIENTS);
            let sample = self.closed(wallets.daemon.pid(), wallets.daemon.address, talks);
            book.note(name, Unit::PerSecond, sample);
        }
        let tiny = growth.tiny.copy(&self.folder.join(format!("tiny-{round}.db")));
        let tiny = Wallets::start(&tiny, TINY.sites);
        let all: Vec<usize> = (1..=TINY.sites).collect();
        let time = self.settings.time / 2;
        book.note(FEED_TINY, Unit::PerSecond, passes(time, &tiny, || all.clone()));
        drop(tiny);
        let mut dice = Dice::new(round as u64);
        let first = dice.below(self.settings.grown);
        // A stride without a common divisor meets each site once. As many as of the tiny ledger, others in each round.
        let some: Vec<usize> =
            (0..TINY.sites).map(|step| (first + step * 7_919) % self.settings.grown + 1).collect();
        book.note(FEED_LARGE, Unit::PerSecond, passes(time, &growth.large, || some.clone()));
    }

    /// Debits while ten thousand orders of a shop, all of which changed, are compared with the books.
    fn fairness(&self, book: &mut Book) {
        let (Some(wallets), Some((_, shop))) = (&self.spending, &self.shop) else { return };
        let Some(rate) = book.last(HALF) else { return };
        let mut at_shop = Caller::new(*shop, "");
        at_shop.json("POST", "/change", "", b"");
        // A store that was set anew is compared at once, by the daemon itself.
        wallets.daemon.database.run(&["store", "set", "fair", "--url", &format!("http://{shop}")]);
        let mut shown = move || at_shop.json("GET", "/shown", "", b"").as_u64().unwrap_or(0);
        let start = Instant::now();
        while shown() == 0 {
            assert!(start.elapsed() < Duration::from_secs(30), "the shop's orders are not read");
            std::thread::sleep(Duration::from_millis(20));
        }
        let begun = Instant::now();
        let done = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&done);
        let watcher = std::thread::spawn(move || {
            while shown() < shop::ORDERS as u64 && begun.elapsed() < RECONCILE_MAX {
                std::thread::sleep(Duration::from_millis(20));
            }
            flag.store(true, Ordering::Relaxed);
            begun.elapsed()
        });
        let talks = wallets.debits(wallets.sites, OPEN_CLIENTS);
        let (pid, address) = (wallets.daemon.pid(), wallets.daemon.address);
        let sample = watched(pid, || load::open(address, talks, rate, RECONCILE_MAX, &done));
        let took = watcher.join().expect("it watched");
        book.note(FAIR, Unit::PerSecond, sample);
        book.note("reconcile of 10,000 changed orders", Unit::Seconds, Sample::only(took.as_secs_f64()));
        std::thread::sleep(Duration::from_secs(1));
    }

    /// Stops everything; whatever was answered must be in the books.
    fn prove(self, book: &mut Book) {
        let mut highest = 0;
        if let Some(wallets) = self.spending {
            highest = highest.max(wallets.prove().1);
        }
        if let Some(wallets) = self.wide {
            highest = highest.max(wallets.prove().1);
        }
        if let Some(Growth { small, large, .. }) = self.growth {
            let (before, debits) = (small.bytes, small.tally.borrow().sent());
            let (database, memory) = small.prove();
            let grown = (database.bytes() - before) as f64 / debits as f64;
            book.note("disk for each debit", Unit::Bytes, Sample::only(grown));
            let (_, larger) = large.daemon_memory();
            highest = highest.max(memory).max(larger);
            large.tally.borrow().prove(&mut large.daemon.caller());
            let (seconds, peak) = large.daemon.stop().verify();
            book.note_with(
                "verify, large ledger",
                Unit::Seconds,
                Target::less(60.0, None),
                Sample::only(seconds),
            );
            book.note("memory of verify", Unit::MegaBytes, Sample::only(megabytes(peak)));
        }
        if let Some(Receiving { plain, credits, single, .. }) = self.receiving {
            for (name, receiver) in [
                ("disk for each delivery", plain),
                ("disk for each delivery with credit", credits),
                ("disk for each delivery, alone", single),
            ] {
                let (before, count) =
                    (receiver.bytes, receiver.delivered.borrow().orders.iter().sum::<i64>());
                let (database, memory) = receiver.prove();
                highest = highest.max(memory);
                let grown = (database.bytes() - before) as f64 / count as f64;
                if name != "disk for each delivery, alone" {
                    book.note(name, Unit::Bytes, Sample::only(grown));
                }
            }
        }
        if highest > 0 {
            let target = Target::less(130.0, Some(60.0));
            let sample = Sample::only(megabytes(highest));
            book.note_with("memory after load, the highest", Unit::MegaBytes, target, sample);
        }
        if let Some(postgres) = &self.postgres {
            postgres.prove();
            book.remark(format!("PostgreSQL is at its best with {} clients", self.best));
        }
        if let Some(redis) = &self.redis {
            redis.prove();
        }
    }
}

impl Wallets {
    fn daemon_memory(&self) -> (u64, u64) {
        probe::memory(self.daemon.pid())
    }
}

/// Transfers for `TigerBeetle`: some seconds of its time.
const TIGER_COUNT: u32 = 6_000;
/// What others write while feeds are read.
const WRITES_PER_SECOND: f64 = 100.0;
/// No reconcile takes longer.
const RECONCILE_MAX: Duration = Duration::from_mins(1);

fn megabytes(kib: u64) -> f64 {
    kib as f64 * 1024.0 / 1_000_000.0
}

/// A load with what it cost the process that answered.
fn watched(pid: u32, load: impl FnOnce() -> Load) -> Sample {
    let before = probe::counters(pid);
    let load = load();
    let after = probe::counters(pid);
    let each = |more: u64| Some(more as f64 / load.all.max(1) as f64);
    Sample {
        cpu_us: each(after.cpu_us - before.cpu_us),
        written: each(after.written - before.written),
        ..Sample::of(&load)
    }
}

/// Reads of feeds that changed since they were read last, for as long as `time` of reading.
fn passes(time: Duration, wallets: &Wallets, mut sites: impl FnMut() -> Vec<usize>) -> Sample {
    let mut all = Load::default();
    let start = Instant::now();
    while all.seconds < time.as_secs_f64() / 2.0 && start.elapsed() < time * 3 {
        all.add(wallets.changed_feeds(&sites()));
    }
    Sample::of(&all)
}

/// From sending a paid order to a feed that shows its credits: the median in milliseconds.
fn delivered_to_seen(daemon: &Daemon) -> f64 {
    let template = Template::new(Wares::Credits);
    let mut caller = daemon.caller();
    let path = "/v1/wallets/account:bench:customer:7/feed";
    let mut took: Vec<f64> = (0..SEEN_ORDERS)
        .map(|_| {
            let order = ORDER_NUMBERS.fetch_add(1, Ordering::Relaxed);
            let body = template.write(order, 7);
            let headers = signed(&body, "order.updated");
            let start = Instant::now();
            let answer = caller.json("POST", "/webhooks/woocommerce/bench", &headers, &body);
            let feed = caller.json("GET", path, "", b"");
            let took = start.elapsed().as_secs_f64() * 1000.0;
            assert_eq!(answer["result"], "granted");
            let must = format!("{}", (order + 1 - FIRST_SEEN) * 1000);
            assert_eq!(feed["available"], must.as_str(), "the feed lags behind the webhook");
            took
        })
        .collect();
    took.sort_by(f64::total_cmp);
    took[took.len() / 2]
}

const SEEN_ORDERS: usize = 50;
const FIRST_SEEN: u64 = 100;
/// Order numbers are used once.
static ORDER_NUMBERS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(FIRST_SEEN);
