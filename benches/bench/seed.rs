//! Databases to measure on, filled by the product itself over HTTP: sites, grants, limits, and debits spread over
//! four weeks by a clock that is turned. They are kept in `target/bench` and made anew when the schema changes.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use nivella_wallet::app::Running;
use nivella_wallet::config::Config;
use nivella_wallet::db::Durability;
use nivella_wallet::time::{Clock, DAY_MS, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::daemon::Database;
use crate::http::{answer, request};
use crate::load::{self, Talk, Time};
use crate::talks::{Batches, Shared, Tally};

/// What a database is to hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Sites, each of an account of its own, with three grants, a day's and a month's limit.
    pub(crate) sites: usize,
    /// Entries in all; at least the three grants' of each site.
    pub(crate) entries: usize,
}

/// How many grants each site has.
pub(crate) const GRANTS: usize = 3;
/// How far back the history goes: within the time in which answers are given again, so that every key is kept.
const HISTORY_DAYS: i64 = 28;

impl Plan {
    /// The database, from an earlier run if there is one.
    pub(crate) fn ready(self, folder: &Path) -> Database {
        let name = format!("seed-{}-{}-{}", self.sites, self.entries, schema());
        let (path, key) = (folder.join(format!("{name}.db")), folder.join(format!("{name}.key")));
        if let Ok(key) = std::fs::read_to_string(&key) {
            return Database { path, key };
        }
        let start = Instant::now();
        eprintln!("bench: filling a database of {} sites and {} entries", self.sites, self.entries);
        let database = Database::create(&path);
        self.fill(&database, folder);
        std::fs::write(key, &database.key).expect("room");
        eprintln!("bench: filled in {} s", start.elapsed().as_secs());
        database
    }

    fn fill(self, database: &Database, folder: &Path) {
        let list = folder.join("sites.csv");
        let mut rows = String::from("site,account\n");
        for site in 1..=self.sites {
            writeln!(rows, "site-{site},bench:customer:{site}").expect("memory");
        }
        std::fs::write(&list, rows).expect("room");
        database.run(&["site", "import", list.to_str().expect("a path")]);

        let now = Clock::system().now();
        let from = now.plus_millis(-HISTORY_DAYS * DAY_MS);
        let clock = Clock::standing_at(from);
        let config = Config {
            database: database.url().parse().expect("a database"),
            listen: ([127, 0, 0, 1], 0).into(),
            // What is lost in a power cut is made again.
            durability: Durability::Process,
            ..Config::default()
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let running = runtime.block_on(async { Running::start(&config, clock.clone()) }).expect("it starts");

        let steps = Rc::new(RefCell::new(0..self.sites * STEPS));
        let set_up = |_| SetUp { steps: Rc::clone(&steps), key: database.key.clone() };
        load::closed(running.address, (0..64).map(set_up).collect(), ENDLESS);

        let tally = Tally::blank(self.sites, "seed");
        let debits = self.entries.saturating_sub(self.sites * GRANTS);
        let history = Rc::new(RefCell::new(History { debits, clock, from, now }));
        let batches = Batches::many(&tally, &database.key, self.sites, (8, SEED_BATCH));
        let talks = batches.into_iter().map(|batches| Past {
            history: Rc::clone(&history),
            tally: Rc::clone(&tally),
            batches,
        });
        load::closed(running.address, talks.collect(), ENDLESS);
        runtime.block_on(running.stop()).expect("it stops");
        runtime.shutdown_timeout(Duration::from_secs(5));
        let waiting =
            std::fs::metadata(format!("{}-wal", database.path.display())).map_or(0, |log| log.len());
        assert_eq!(waiting, 0, "one file holds everything");
    }
}

/// As long as there is something to do.
const ENDLESS: Time = Time { warm_up: Duration::ZERO, counted: Duration::from_hours(4) };
/// Debits in one request.
const SEED_BATCH: usize = 1_000;

/// Names the schema and what is filled in: when one of them changes, what is kept is of no use.
fn schema() -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("migrations").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    let mut sha = Sha256::new();
    for file in files {
        sha.update(std::fs::read(file).expect("a migration"));
    }
    sha.update(include_str!("seed.rs"));
    let digest = sha.finalize();
    u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]).to_string()
}

/// Grants and limits of each site.
struct SetUp {
    steps: Rc<RefCell<std::ops::Range<usize>>>,
    key: String,
}

/// Requests for each site: its grants, and two limits that it does not reach.
const STEPS: usize = GRANTS + 2;

impl Talk for SetUp {
    fn ask(&mut self, out: &mut Vec<u8>) -> bool {
        let Some(step) = self.steps.borrow_mut().next() else { return false };
        let (site, step) = (step / STEPS + 1, step % STEPS);
        let headers =
            format!("Authorization: Bearer {}\r\nIdempotency-Key: set-up-{site}-{step}\r\n", self.key);
        if step < GRANTS {
            let body = format!(
                r#"{{"wallet":"site:site-{site}","credits":"1000000","label":"Package {step}","reason":"bench"}}"#
            );
            request(out, "POST", "/v1/grants", &headers, body.as_bytes());
        } else {
            let per = if step == GRANTS { "day" } else { "month" };
            let body = format!(r#"{{"per":"{per}","credits":"1000000"}}"#);
            request(out, "PUT", &format!("/v1/sites/site-{site}/limits"), &headers, body.as_bytes());
        }
        true
    }

    fn hear(&mut self, input: &[u8]) -> Option<usize> {
        let answer = answer(input)?;
        assert!(matches!(answer.status, 200 | 201), "{}", String::from_utf8_lossy(answer.body));
        Some(answer.length)
    }
}

/// How much of the past is still to come.
struct History {
    debits: usize,
    clock: Clock,
    from: Timestamp,
    now: Timestamp,
}

/// Debits of the past.
struct Past {
    history: Rc<RefCell<History>>,
    tally: Shared,
    batches: Batches,
}

impl Talk for Past {
    fn ask(&mut self, out: &mut Vec<u8>) -> bool {
        let History { debits, clock, from, now } = &*self.history.borrow();
        let sent = self.tally.borrow().sent();
        if sent >= *debits {
            return false;
        }
        let (sent_ms, debits_ms) =
            (i64::try_from(sent).expect("small"), i64::try_from(*debits).expect("small"));
        clock.turn_to(from.plus_millis((now.millis() - from.millis()) / debits_ms.max(1) * sent_ms));
        self.batches.fill_up_to((debits - sent).min(SEED_BATCH));
        self.batches.ask(out)
    }

    fn hear(&mut self, input: &[u8]) -> Option<usize> {
        self.batches.hear(input)
    }
}
