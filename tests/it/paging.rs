//! Lists that are read page by page while others write: nothing twice, nothing missing.
//!
//! What the API answers is compared with a naive filter of the tables. While writers are at work a walk must show
//! what was there before it began, and nothing that was not there when it ended; afterwards it must show all, exactly.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use nivella_wallet::ledger::LockedAccount;
use nivella_wallet::params;
use nivella_wallet::time::Timestamp;
use nivella_wallet::units::Delta;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::{Method, header};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::holds::World;
use crate::support::seeded;

const WALLETS: [&str; 3] = ["account:lab:customer:2", "site:shop", "site:blog"];
const KINDS: [&str; 8] = ["top_up", "plan", "bonus", "usage", "refund", "expired", "adjustment", "moved"];
const STATUSES: [&str; 6] = ["active", "upcoming", "expired", "frozen", "voided", "spent"];
/// How many writers there are.
const WRITERS: u64 = 3;
/// How many requests each makes.
const WRITES: usize = 70;
/// More than all writers together ever spend.
const PLENTY: i64 = 1_000_000;

// The log --------------------------------------------------------------------------------------------

/// A line of the activity as it stands in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    at: Timestamp,
    kind: String,
    label: String,
    credits: i64,
    site: String,
}

/// Which lines are wanted, of which wallet.
#[derive(Clone, Debug)]
struct Wanted {
    wallet: &'static str,
    kind: Option<&'static str>,
    site: Option<&'static str>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

/// What stays the same of a line while it grows.
type Named = (String, String, String, Option<String>);

impl Wanted {
    fn random(random: &mut StdRng, (first, now): (Timestamp, Timestamp)) -> Self {
        let instant = |random: &mut StdRng| {
            let span = now.millis() - first.millis() + 3_600_000;
            Timestamp::from_millis(first.millis() + random.random_range(0..span))
        };
        Self {
            wallet: WALLETS[random.random_range(0..WALLETS.len())],
            kind: random.random_bool(0.5).then(|| KINDS[random.random_range(0..KINDS.len())]),
            site: random.random_bool(0.3).then(|| ["shop", "blog"][random.random_range(0..2)]),
            from: random.random_bool(0.3).then(|| instant(random)),
            to: random.random_bool(0.3).then(|| instant(random)),
        }
    }

    fn query(&self) -> String {
        let at = |name: &str, at: Option<Timestamp>| at.map(|at| format!("{name}={at}"));
        let word = |name: &str, word: Option<&str>| word.map(|word| format!("{name}={word}"));
        let parts =
            [word("kind", self.kind), word("site", self.site), at("from", self.from), at("to", self.to)];
        parts.into_iter().flatten().collect::<Vec<_>>().join("&")
    }

    /// The naive filter.
    fn of(&self, log: &[Line]) -> Vec<Line> {
        let shown = |line: &&Line| {
            (line.site.is_empty() || self.wallet.strip_prefix("site:").is_none_or(|site| site == line.site))
                && self.kind.is_none_or(|kind| kind == line.kind)
                && self.site.is_none_or(|site| site == line.site)
                && self.from.is_none_or(|from| line.at >= from)
                && self.to.is_none_or(|to| line.at < to)
        };
        let mut lines: Vec<Line> = log.iter().filter(shown).cloned().collect();
        if self.wallet.starts_with("site:") {
            // The pool's other users are none of a site's business.
            for line in lines.iter_mut().filter(|line| line.site.is_empty() && line.kind == "moved") {
                let label = if line.credits < 0 { "Moved to a site" } else { "Moved from a site" };
                label.clone_into(&mut line.label);
            }
        }
        lines
    }
}

impl Line {
    fn named(&self) -> Named {
        let site = (!self.site.is_empty()).then(|| self.site.clone());
        (self.at.to_string(), self.kind.clone(), self.label.clone(), site)
    }

    fn told(&self) -> (Named, String) {
        (self.named(), Delta::from_micro(self.credits).signed())
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

fn told(item: &Value) -> (Named, String) {
    let named = (
        text(&item["at"]),
        text(&item["kind"]),
        text(&item["label"]),
        item["site"].as_str().map(str::to_owned),
    );
    (named, text(&item["credits"]))
}

fn micro(text: &str) -> i64 {
    text.parse::<Delta>().unwrap().micro()
}

/// How many of each there are, and their credits.
fn counted(lines: &[(Named, String)]) -> BTreeMap<Named, (usize, i64)> {
    let mut counts = BTreeMap::new();
    for (named, credits) in lines {
        let (count, sum) = counts.entry(named.clone()).or_insert((0_usize, 0_i64));
        *count += 1;
        *sum += micro(credits);
    }
    counts
}

/// A world and what is known of it.
struct Books {
    world: World,
    first: Timestamp,
    /// Instants are told one after another.
    clock: Mutex<()>,
    grants: AtomicI64,
}

impl Books {
    async fn start() -> Self {
        let world = World::start().await;
        let first = world.app.clock.now();
        Self { world, first, clock: Mutex::new(()), grants: AtomicI64::new(0) }
    }

    fn now(&self) -> Timestamp {
        self.world.app.clock.now()
    }

    fn go_on(&self, millis: i64) {
        let _turning = self.clock.lock().unwrap();
        self.world.app.clock.turn_to(self.now().plus_millis(millis));
    }

    /// All lines of the account, newest first.
    fn log(&self) -> Vec<Line> {
        let alice = self.world.alice.clone();
        let log = self.world.app.db().read(|tx| {
            tx.query(
                "-- test
                 SELECT at, kind, label, credits, site FROM activity_now WHERE account_id = $1 ORDER BY seq DESC",
                params![&alice],
                |row| {
                    Ok(Line {
                        at: row.get(0)?,
                        kind: row.get(1)?,
                        label: row.get(2)?,
                        credits: row.get(3)?,
                        site: row.get(4)?,
                    })
                },
            )
        });
        log.unwrap()
    }

    /// All pages of a list, joined.
    async fn walk(&self, path: &str, query: &str, random: &mut StdRng) -> Vec<Value> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let limit: usize = if random.random_bool(0.7) {
                random.random_range(1..12)
            } else {
                random.random_range(12..=200)
            };
            let page = self.world.app.get(&format!("{path}?{query}&limit={limit}{cursor}")).await;
            let rows = page["items"].as_array().unwrap();
            assert!(rows.len() <= limit, "{} of {limit}", rows.len());
            items.extend(rows.iter().cloned());
            let Some(next) = page["next_cursor"].as_str() else { return items };
            assert_eq!(rows.len(), limit, "more follows, so a page is full");
            cursor = format!("&cursor={next}");
        }
    }

    async fn activity(&self, wanted: &Wanted, random: &mut StdRng) -> Vec<(Named, String)> {
        let path = format!("/v1/wallets/{}/activity", wanted.wallet);
        self.walk(&path, &wanted.query(), random).await.iter().map(told).collect()
    }

    async fn csv(&self, wanted: &Wanted) -> Vec<(Named, String)> {
        let path = format!("/v1/wallets/{}/activity?{}", wanted.wallet, wanted.query());
        let request = self.world.app.request(Method::GET, &path).header(header::ACCEPT, "text/csv");
        let bytes = request.send().await.unwrap().bytes().await.unwrap();
        let mut reader = csv::Reader::from_reader(&bytes[..]);
        assert_eq!(reader.headers().unwrap(), &["at", "kind", "label", "credits", "site", "order"][..]);
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        let line = |row: &csv::StringRecord| {
            let site = (!row[4].is_empty()).then(|| row[4].to_owned());
            ((row[0].to_owned(), row[1].to_owned(), row[2].to_owned(), site), row[3].to_owned())
        };
        rows.iter().map(line).collect()
    }

    /// A request of a writer; the time goes on with it.
    async fn write(&self, random: &mut StdRng, key: &str, mine: &mut Mine) {
        self.go_on(random.random_range(1..200_000));
        let site = ["shop", "blog"][random.random_range(0..2)];
        let credits = random.random_range(1..30_i64).to_string();
        let mut body = json!({ "site": site, "credits": credits });
        let label = ["Answered a question", "Wrote a text", "Read a page"][random.random_range(0..3)];
        let agent = [Value::Null, "support".into(), "sales".into()][random.random_range(0..3)].clone();
        let action = [Value::Null, "answer".into(), "write".into()][random.random_range(0..3)].clone();
        let (path, expected) = match random.random_range(0..20) {
            0..8 => {
                body["label"] = label.into();
                (body["agent"], body["action"]) = (agent, action);
                ("/v1/debits".to_owned(), 201)
            }
            8..11 => {
                body["label"] = label.into();
                (body["agent"], body["action"]) = (agent, action);
                // Longer than any writer is at work.
                body["expires_in"] = 86_400.into();
                ("/v1/holds".to_owned(), 201)
            }
            11..14 if !mine.holds.is_empty() => {
                let (hold, credits) = mine.holds.swap_remove(random.random_range(0..mine.holds.len()));
                body = json!({ "credits": random.random_range(1..=credits).to_string() });
                (format!("/v1/holds/{hold}/capture"), 201)
            }
            14..16 if !mine.debits.is_empty() => {
                let debit = mine.debits.swap_remove(random.random_range(0..mine.debits.len()));
                body = if random.random_bool(0.5) { json!({ "credits": "0.5" }) } else { json!({}) };
                (format!("/v1/debits/{debit}/reversal"), 200)
            }
            16 => {
                body = json!({ "account": "lab:customer:2", "site": site, "credits": credits });
                ("/v1/allocations".to_owned(), 201)
            }
            17 if !mine.grants.is_empty() => {
                let grant = mine.grants.swap_remove(random.random_range(0..mine.grants.len()));
                body = json!({ "reason": "a mistake" });
                (format!("/v1/grants/{grant}/void"), 200)
            }
            _ => {
                let number = self.grants.fetch_add(1, Ordering::Relaxed);
                let wallet = WALLETS[random.random_range(0..WALLETS.len())];
                let category = ["bonus", "paid"][random.random_range(0..2)];
                body = json!({ "wallet": wallet, "credits": credits, "category": category, "reason": "given",
                               "label": format!("Gift {number}") });
                match random.random_range(0..4) {
                    0 => body["effective_at"] = "2027-06-01T00:00:00Z".into(),
                    1 => {
                        let lasts = random.random_range(1_000_000..20_000_000);
                        body["expires_at"] = self.now().plus_millis(lasts).to_string().into();
                    }
                    _ => {}
                }
                ("/v1/grants".to_owned(), 201)
            }
        };
        let answer = self.world.post(&path, key, body.clone()).await;
        assert_eq!(answer.status, expected, "{path} {body}: {answer:?}");
        match path.as_str() {
            "/v1/debits" => mine.debits.push(answer.text("id")),
            "/v1/holds" => mine.holds.push((answer.text("id"), micro(&answer.text("credits")) / 1_000_000)),
            "/v1/grants" => mine.grants.push(answer.text("id")),
            _ => {}
        }
    }
}

/// What a writer has made, and nobody else touches.
#[derive(Default)]
struct Mine {
    debits: Vec<String>,
    holds: Vec<(String, i64)>,
    grants: Vec<String>,
}

// Grants and usage, naively --------------------------------------------------------------------------

/// A part of a grant, as it stands in the tables.
struct Part {
    grant: String,
    effective_at: Timestamp,
    expires_at: Option<Timestamp>,
    voided_at: Option<Timestamp>,
    expired: i64,
    frozen: bool,
    granted_at: Timestamp,
    site: String,
    remaining: i64,
    held: i64,
}

/// A grant and how it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Grant {
    id: String,
    status: &'static str,
    /// Whether it is over for good, whatever the writers do.
    is_over: bool,
    /// What is left in all parts that are shown.
    left: i64,
}

impl Books {
    /// The grants that a wallet shows, newest first, when nobody writes.
    fn grants_of(&self, wallet: &str, settled: Timestamp) -> Vec<Grant> {
        let (alice, now) = (self.world.alice.clone(), self.now());
        let site = wallet.strip_prefix("site:");
        let rows = self.world.app.db().read(|tx| {
            tx.query(
                "-- test
                 SELECT g.id, g.effective_at, g.expires_at, g.voided_at, g.expired, g.frozen, g.granted_at,
                        s.site, s.remaining, s.held
                 FROM credit_grant g JOIN slice_now s ON s.grant_id = g.id WHERE s.account_id = $1 ORDER BY g.id DESC",
                params![&alice],
                |row| {
                    Ok(Part {
                        grant: row.get(0)?,
                        effective_at: row.get(1)?,
                        expires_at: row.get(2)?,
                        voided_at: row.get(3)?,
                        expired: row.get(4)?,
                        frozen: row.get(5)?,
                        granted_at: row.get(6)?,
                        site: row.get(7)?,
                        remaining: row.get(8)?,
                        held: row.get(9)?,
                    })
                },
            )
        });
        let mut parts: Vec<Part> = rows.unwrap();
        parts.retain(|part| part.site.is_empty() || site.is_none_or(|site| site == part.site));
        let of_one = parts.chunk_by(|one, next| one.grant == next.grant);
        of_one
            .map(|parts| {
                let left: i64 = parts.iter().map(|part| part.remaining + part.held).sum();
                let lost = parts[0].expired > 0 || parts.iter().any(|part| part.remaining > 0);
                let Part { grant, effective_at, expires_at, voided_at, frozen, granted_at, .. } = &parts[0];
                let over = expires_at.is_some_and(|end| end <= now);
                let status = match () {
                    () if voided_at.is_some() => "voided",
                    () if over && (lost || left > 0) => "expired",
                    () if left == 0 => "spent",
                    () if *frozen => "frozen",
                    () if now < *effective_at => "upcoming",
                    () => "active",
                };
                // Writers withdraw what they gave themselves.
                let is_over = voided_at.is_some() || over && lost && *granted_at <= settled;
                Grant { id: grant.clone(), status, is_over, left }
            })
            .collect()
    }

    async fn grants_told(
        &self,
        wallet: &str,
        status: Option<&str>,
        random: &mut StdRng,
    ) -> Vec<(String, String)> {
        let query = status.map_or(String::new(), |status| format!("status={status}"));
        let items = self.walk(&format!("/v1/wallets/{wallet}/grants"), &query, random).await;
        items.iter().map(|item| (text(&item["id"]), text(&item["status"]))).collect()
    }

    /// The sums of a range by a naive loop over all debits, in the API's order.
    fn sums_of(&self, wallet: &str, range: (Timestamp, Timestamp), by: &str, group: &str) -> Vec<Value> {
        let alice = self.world.alice.clone();
        let debits = self.world.app.db().read(|tx| {
            tx.query(
                "-- test
                 SELECT d.booked_at, d.site, d.action, d.agent, d.credits, COALESCE(r.credits, 0)
                 FROM debit d LEFT JOIN reversal r ON r.debit_id = d.id WHERE d.account_id = $1",
                params![&alice],
                |row| {
                    let names: [Option<String>; 3] = [row.get(1)?, row.get(2)?, row.get(3)?];
                    Ok((row.get::<Timestamp>(0)?, names, row.get::<i64>(4)? - row.get::<i64>(5)?))
                },
            )
        });
        let mut sums: BTreeMap<(Timestamp, Timestamp, bool, Option<String>), i64> = BTreeMap::new();
        for (at, [site, action, agent], credits) in debits.unwrap() {
            let other = wallet.strip_prefix("site:").is_some_and(|wallet| Some(wallet) != site.as_deref());
            if other || at < range.0 || at >= range.1 {
                continue;
            }
            let (from, to) = period(at, by);
            let name = match group {
                "site" => site,
                "action" => action,
                "agent" => agent,
                _ => None,
            };
            *sums.entry((from.max(range.0), to.min(range.1), name.is_none(), name)).or_default() += credits;
        }
        let row = |((from, to, _, name), credits): ((Timestamp, Timestamp, bool, Option<String>), i64)| {
            let mut row = json!({ "from": from.to_string(), "to": to.to_string(),
                                  "credits": Delta::from_micro(credits).to_string() });
            if !group.is_empty() {
                row[group] = json!(name);
            }
            row
        };
        sums.into_iter().filter(|(_, credits)| *credits != 0).map(row).collect()
    }

    /// Asks for random sums of what was used before `end`, and compares.
    async fn compare_usage(&self, end: Timestamp, random: &mut StdRng) {
        let wallet = WALLETS[random.random_range(0..WALLETS.len())];
        let by = ["day", "week", "month"][random.random_range(0..3)];
        let group = ["", "site", "action", "agent"][random.random_range(0..4)];
        let span = end.millis() - self.first.millis();
        let from = self.first.plus_millis(random.random_range(-1_000_000..span));
        let to = Timestamp::from_millis(random.random_range(from.millis() + 1..=end.millis()));
        let mut path = format!("/v1/wallets/{wallet}/usage?from={from}&to={to}&by={by}");
        if !group.is_empty() {
            path = format!("{path}&group={group}");
        }
        let answer = self.world.app.get(&path).await;
        assert_eq!(answer["items"], Value::from(self.sums_of(wallet, (from, to), by, group)), "{path}");
    }
}

/// The period of UTC that an instant lies in, counted in days on fingers.
fn period(at: Timestamp, by: &str) -> (Timestamp, Timestamp) {
    const DAY: i64 = 86_400_000;
    let day = at.millis().div_euclid(DAY);
    // The first of January 1970 was a Thursday.
    let monday = day - (day + 3).rem_euclid(7);
    match by {
        "day" => (Timestamp::from_millis(day * DAY), Timestamp::from_millis((day + 1) * DAY)),
        "week" => (Timestamp::from_millis(monday * DAY), Timestamp::from_millis((monday + 7) * DAY)),
        _ => {
            let month = |at: Timestamp| {
                format!("{}-01T00:00:00Z", &at.to_string()[..7]).parse::<Timestamp>().unwrap()
            };
            let from = month(at);
            (from, month(from.plus_millis(32 * DAY)))
        }
    }
}

// The proof ------------------------------------------------------------------------------------------

impl Books {
    /// One random walk while others write.
    async fn walk_among_writers(&self, settled: Timestamp, random: &mut StdRng) {
        match random.random_range(0..4) {
            0 | 1 => {
                let wanted = Wanted::random(random, (self.first, self.now()));
                let before = wanted.of(&self.log());
                let walked = self.activity(&wanted, random).await;
                let after = wanted.of(&self.log());
                let tell = |lines: &[Line]| counted(&lines.iter().map(Line::told).collect::<Vec<_>>());
                let (least, most, met) = (tell(&before), tell(&after), counted(&walked));
                for (line, (count, _)) in &least {
                    let found = met.get(line).map_or(0, |(count, _)| *count);
                    assert!(found >= *count, "{wanted:?} misses {line:?}: {found} of {count}");
                }
                for (line, (count, sum)) in &met {
                    let known = most.get(line).map_or(0, |(count, _)| *count);
                    assert!(*count <= known, "{wanted:?} has {line:?} {count} times, there are {known}");
                    // A line of usage grows in its place; every other one stays as it is.
                    if line.1 != "usage" && *count == known {
                        assert_eq!(*sum, most[line].1, "{wanted:?} {line:?}");
                    }
                }
                let mut all = after.iter().map(Line::named);
                for (line, _) in &walked {
                    assert!(all.any(|other| other == *line), "{wanted:?}: {line:?} is not in its place");
                }
            }
            2 => {
                let wallet = WALLETS[random.random_range(0..WALLETS.len())];
                let status =
                    random.random_bool(0.6).then(|| STATUSES[random.random_range(0..STATUSES.len())]);
                let before = self.grants_of(wallet, settled);
                let walked = self.grants_told(wallet, status, random).await;
                let after = self.grants_of(wallet, settled);
                assert!(
                    walked.is_sorted_by(|one, next| one.0 > next.0),
                    "newest first, none twice: {walked:?}"
                );
                for (id, told) in &walked {
                    assert!(status.is_none_or(|status| status == told), "{id} {told}");
                    assert!(after.iter().any(|grant| grant.id == *id), "{id} is not there");
                }
                for grant in &before {
                    // How the others stand may have changed while the walk was under way, and back.
                    let plenty = grant.status == "active" && grant.left >= PLENTY * 1_000_000;
                    let stays = grant.is_over || plenty;
                    let wanted = status.is_none_or(|status| stays && status == grant.status);
                    if wanted {
                        assert!(
                            walked.iter().any(|(id, _)| *id == grant.id),
                            "{wallet} {status:?} misses {grant:?}"
                        );
                    }
                }
            }
            _ => self.compare_usage(settled, random).await,
        }
    }

    /// Random walks when all is quiet: exactly what a naive filter finds.
    async fn compare_all(&self, settled: Timestamp, random: &mut StdRng) {
        let log = self.log();
        for _ in 0..60 {
            let wanted = Wanted::random(random, (self.first, self.now()));
            let mut expected: Vec<_> = wanted.of(&log).iter().map(Line::told).collect();
            assert_eq!(self.activity(&wanted, random).await, expected, "{wanted:?}");
            expected.reverse();
            assert_eq!(self.csv(&wanted).await, expected, "{wanted:?} as CSV");
        }
        for wallet in WALLETS {
            let grants = self.grants_of(wallet, settled);
            for status in [None].into_iter().chain(STATUSES.map(Some)) {
                let wanted = grants.iter().filter(|grant| status.is_none_or(|status| status == grant.status));
                let expected: Vec<_> =
                    wanted.map(|grant| (grant.id.clone(), grant.status.to_owned())).collect();
                assert_eq!(self.grants_told(wallet, status, random).await, expected, "{wallet} {status:?}");
            }
        }
        for _ in 0..40 {
            self.compare_usage(self.now().plus_millis(1), random).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_read_under_concurrent_writes_equal_a_naive_filter_of_the_log() {
    let mut random = seeded();
    let books = Arc::new(Books::start().await);
    for place in ["pool", "shop", "blog"] {
        books.world.grant(place, &(PLENTY * 2).to_string(), "never");
    }
    // What was there before: some days of it, across the end of a month and of a week.
    books.world.app.clock.turn_to("2026-11-27T18:00:00Z".parse().unwrap());
    let mut mine = Mine::default();
    for number in 0..160 {
        books.go_on(random.random_range(0..4_000_000));
        books.write(&mut random, &format!("before-{number}"), &mut mine).await;
        if number % 10 == 0 {
            // Holds of hours ago are over.
            mine.holds.clear();
        }
    }
    books.go_on(1_000);
    let settled = books.now();

    let done = Arc::new(AtomicBool::new(false));
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (books, mut random) = (Arc::clone(&books), StdRng::seed_from_u64(random.random()));
        writers.spawn(async move {
            let mut mine = Mine::default();
            for number in 0..WRITES {
                books.write(&mut random, &format!("{writer}-{number}"), &mut mine).await;
            }
        });
    }
    let mut readers = JoinSet::new();
    for _ in 0..3 {
        let (books, done) = (Arc::clone(&books), Arc::clone(&done));
        let mut random = StdRng::seed_from_u64(random.random());
        readers.spawn(async move {
            let mut walks = 0;
            while walks < 8 || !done.load(Ordering::Relaxed) {
                books.walk_among_writers(settled, &mut random).await;
                walks += 1;
            }
        });
    }
    writers.join_all().await;
    done.store(true, Ordering::Relaxed);
    readers.join_all().await;

    // What is over by now is booked, so that the tables say all.
    let alice = books.world.alice.clone();
    crate::app::write(books.world.app.db(), move |tx| LockedAccount::lock(tx, &alice).map(drop));
    books.compare_all(settled, &mut random).await;
    books.world.app.prove();
}
