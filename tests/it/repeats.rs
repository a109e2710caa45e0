//! Requests whose answers are lost and that are sent again: each has one effect.
//!
//! A random history is lived twice. In one world every request is sent once; in the other each is sent up to five
//! times with the same key, some of them at the same time, some with the connection cut before the answer was read
//! or before the request was whole. After every step both worlds are the same.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use nivella_wallet::account::claim;
use nivella_wallet::ledger::LockedAccount;
use nivella_wallet::params;
use nivella_wallet::rate;
use nivella_wallet::site::{Field, store as sites};
use nivella_wallet::time::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::app::{TestApp, write};
use crate::support::seeded;

const ALICE: &str = "lab:customer:2";
const BOB: &str = "lab:customer:3";
const SITES: [&str; 3] = ["shop", "blog", "farm"];
/// What is counted.
const TABLES: [&str; 15] = [
    "account",
    "activity",
    "correction",
    "credit_grant",
    "debit",
    "debt",
    "entry",
    "hold",
    "hold_slice",
    "idempotency",
    "reversal",
    "site_offer",
    "site_transfer",
    "slice",
    "spending",
];
/// Every call that changes something, without what it names.
const CALLS: [&str; 14] = [
    "/v1/adjustments",
    "/v1/allocations",
    "/v1/claims",
    "/v1/debits",
    "/v1/debits/batch",
    "/v1/debits/reversal",
    "/v1/grants",
    "/v1/grants/void",
    "/v1/holds",
    "/v1/holds/capture",
    "/v1/holds/release",
    "/v1/sites/resume",
    "/v1/sites/transfer",
    "/v1/sites/transfer/accept",
];
/// How many requests a history has.
const STEPS: usize = 90;

/// An answer as it came over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    body: String,
}

/// A request that can be sent again.
#[derive(Clone, Debug)]
struct Sent {
    path: String,
    key: String,
    body: String,
}

/// How an answer gets lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    /// The connection ends within the request: it was never made.
    Torn,
    /// The connection ends as soon as the request is sent.
    Gone,
    /// The answer has come, and nobody reads it.
    Unread,
}

/// Alice runs `shop` and `blog`, Bob runs `farm`; guests buy.
struct World {
    app: Arc<TestApp>,
    /// Ids in the order in which they were first seen: they differ from world to world.
    names: Vec<String>,
    holds: Vec<String>,
    debits: Vec<String>,
    grants: Vec<String>,
    guests: Vec<String>,
}

impl World {
    async fn start() -> Self {
        let app = TestApp::start().await;
        write(app.db(), |tx| {
            let alice = sites::open(tx, &ALICE.parse().unwrap())?;
            let bob = sites::open(tx, &BOB.parse().unwrap())?;
            for (site, owner) in SITES.iter().zip([&alice, &alice, &bob]) {
                sites::assign(tx, &site.parse().unwrap(), owner, &Field::Keep, &Field::Keep)?;
            }
            Ok::<_, sites::Error>(())
        });
        let new = rate::NewRate {
            action: "answer".parse().unwrap(),
            rate: "0.5".parse().unwrap(),
            per: None,
            round: None,
            label: Some("Answered {quantity} questions".to_owned()),
            effective_at: None,
        };
        write(app.db(), move |tx| rate::store::set(tx, &new));
        let (names, holds, debits) = (Vec::new(), Vec::new(), Vec::new());
        Self { app: Arc::new(app), names, holds, debits, grants: Vec::new(), guests: Vec::new() }
    }

    /// What is done next: the same in each world whose history was the same.
    fn next(&mut self, step: usize, random: &mut StdRng) -> Sent {
        let site = SITES[random.random_range(0..SITES.len())];
        let account = [ALICE, BOB][random.random_range(0..2)];
        let wallet =
            [format!("account:{account}"), format!("site:{site}")][random.random_range(0..2)].clone();
        let credits: i64 = random.random_range(1..60);
        let (path, body) = match random.random_range(0..100) {
            0..17 => ("/v1/debits".to_owned(), spend(site, credits, random)),
            17..25 => {
                let one = |item: i64| {
                    let mut body = spend(site, credits, random);
                    body["idempotency_key"] = format!("step-{step}-{item}").into();
                    body
                };
                let items: Vec<Value> = (0..=credits % 4).map(one).collect();
                ("/v1/debits/batch".to_owned(), json!({ "items": items }))
            }
            25..37 => {
                let mut body = spend(site, credits, random);
                body["expires_in"] = random.random_range(60..20_000).into();
                ("/v1/holds".to_owned(), body)
            }
            37..46 if !self.holds.is_empty() => {
                let hold = &self.holds[random.random_range(0..self.holds.len())];
                (format!("/v1/holds/{hold}/capture"), json!({ "credits": (credits / 3 + 1).to_string() }))
            }
            46..52 if !self.holds.is_empty() => {
                let hold = &self.holds[random.random_range(0..self.holds.len())];
                (format!("/v1/holds/{hold}/release"), json!({}))
            }
            52..62 if !self.debits.is_empty() => {
                let debit = &self.debits[random.random_range(0..self.debits.len())];
                let part = random.random_bool(0.5);
                let body = if part { json!({ "credits": "0.5", "reason": "wrong" }) } else { json!({}) };
                (format!("/v1/debits/{debit}/reversal"), body)
            }
            62..66 if !self.grants.is_empty() => {
                let grant = &self.grants[random.random_range(0..self.grants.len())];
                (format!("/v1/grants/{grant}/void"), json!({ "reason": "a mistake" }))
            }
            66..74 => {
                let signed = if random.random_bool(0.7) { credits } else { -credits };
                let body = json!({ "account": account, "site": site, "credits": signed.to_string() });
                ("/v1/allocations".to_owned(), body)
            }
            74..81 => {
                let signed = if random.random_bool(0.4) { credits } else { -credits };
                let body = json!({ "wallet": wallet, "credits": signed.to_string(), "reason": "counted" });
                ("/v1/adjustments".to_owned(), body)
            }
            81..84 => (format!("/v1/sites/{site}/transfer"), json!({ "to": account })),
            84..87 => (format!("/v1/sites/{site}/transfer/accept"), json!({})),
            87..90 => {
                self.pause(site);
                (format!("/v1/sites/{site}/resume"), json!({}))
            }
            90..93 if !self.guests.is_empty() => {
                // The newest one, or one that was claimed before.
                let guest = &self.guests[random.random_range(0..self.guests.len())];
                ("/v1/claims".to_owned(), json!({ "token": guest, "account": account }))
            }
            90..93 => {
                let body = json!({ "wallet": format!("account:lab:email:guest{step}@guest.example"),
                                   "credits": (credits * 3).to_string(), "reason": "bought" });
                ("/v1/grants".to_owned(), body)
            }
            _ => {
                let expires = ["never", "1d", "2d"][random.random_range(0..3)];
                let category = ["paid", "bonus"][random.random_range(0..2)];
                let body = json!({ "wallet": wallet, "credits": (credits * 4).to_string(), "expires": expires,
                                   "category": category, "reason": "given", "label": format!("Gift {step}") });
                ("/v1/grants".to_owned(), body)
            }
        };
        Sent { path, key: format!("step-{step}"), body: body.to_string() }
    }

    /// The brake comes on for a site, as it does after an hour far above the usual.
    fn pause(&self, site: &'static str) {
        write(self.app.db(), move |tx| {
            let owner = sites::owned(tx, &site.parse().unwrap()).unwrap();
            tx.execute(
                "-- test
                 INSERT INTO brake (account_id, site, paused_at, reason, forgiven) VALUES ($1, $2, $3, 'much', 0)
                 ON CONFLICT (account_id, site) DO UPDATE SET paused_at = excluded.paused_at, reason = 'much'",
                params![&owner, site, tx.now()],
            )
        });
    }

    /// Remembers what an answer made, for later requests.
    fn learn(&mut self, sent: &Sent, answer: &Answer) {
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        let results = body["results"].as_array().cloned().unwrap_or_default();
        for made in results.iter().map(|result| &result["body"]).chain([&body]) {
            let Some(id) = made["id"].as_str() else { continue };
            let made = match id.split_once('_') {
                Some(("hd", _)) => &mut self.holds,
                Some(("db", _)) => &mut self.debits,
                Some(("gr", _)) => &mut self.grants,
                _ => continue,
            };
            if !made.iter().any(|known| known == id) {
                made.push(id.to_owned());
            }
        }
        if sent.path == "/v1/grants" && answer.status == 201 && sent.body.contains("@guest.example") {
            let wallet = serde_json::from_str::<Value>(&sent.body).unwrap()["wallet"].clone();
            let guest = wallet.as_str().unwrap().strip_prefix("account:").unwrap().parse().unwrap();
            let link = self.app.db().write_blocking("test", nivella_wallet::db::Keep::Effects, move |tx| {
                let until = tx.now().plus_millis(86_400_000);
                claim::link(tx, &guest, None, until, true)
            });
            let link = link.unwrap();
            self.guests.push(link.url.split_once("nivella_claim=").unwrap().1.to_owned());
        }
    }

    /// The text with each id replaced by its number among all that were seen.
    fn unnamed(&mut self, text: &str) -> String {
        let mut told = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('_') {
            let end = at + 33;
            let prefix =
                ["acc", "gr", "db", "hd", "rv", "op"].into_iter().find(|known| rest[..at].ends_with(known));
            let is_id =
                rest.get(at + 1..end).is_some_and(|id| id.bytes().all(|byte| byte.is_ascii_hexdigit()));
            let Some(prefix) = prefix.filter(|_| is_id) else {
                told += &rest[..=at];
                rest = &rest[at + 1..];
                continue;
            };
            let begin = at - prefix.len();
            let id = &rest[begin..end];
            let number = self.names.iter().position(|known| known == id).unwrap_or_else(|| {
                self.names.push(id.to_owned());
                self.names.len() - 1
            });
            told += &rest[..begin];
            told += prefix;
            told += "#";
            told += &number.to_string();
            rest = &rest[end..];
        }
        told + rest
    }

    /// All that can be seen of the wallets.
    async fn seen(&mut self) -> Vec<String> {
        let mut seen = Vec::new();
        let wallets = [ALICE, BOB].map(|account| format!("account:{account}"));
        for wallet in wallets.into_iter().chain(SITES.map(|site| format!("site:{site}"))) {
            let numbers = self.app.get(&format!("/v1/wallets/{wallet}")).await;
            seen.push(self.unnamed(&numbers.to_string()));
        }
        seen
    }

    /// All that was written, counted after what is over was booked.
    async fn written(&mut self) -> Vec<String> {
        write(self.app.db(), |tx| {
            for account in tx.query(
                "-- test\n SELECT id FROM account WHERE merged_into IS NULL ORDER BY id",
                &[],
                |row| row.get(0),
            )? {
                LockedAccount::lock(tx, &account)?;
            }
            Ok::<_, nivella_wallet::ledger::store::Error>(())
        });
        let mut written: Vec<String> =
            TABLES.iter().map(|table| format!("{table} {}", self.app.count(table))).collect();
        for (table, column) in [
            ("debit", "credits"),
            ("debit", "reversed"),
            ("reversal", "credits"),
            ("hold", "captured"),
            ("credit_grant", "amount"),
            ("entry", "amount"),
            ("activity", "credits"),
        ] {
            let sql =
                format!("-- test\n SELECT CAST(COALESCE(SUM({column}), 0) AS BIGINT) FROM {table}").leak();
            let sum: i64 = self.app.db().read(|tx| tx.query_one(sql, &[], |row| row.get(0))).unwrap();
            written.push(format!("{table}.{column} {sum}"));
        }
        for account in [ALICE, BOB] {
            for list in
                ["activity?limit=200", "grants?limit=200", "usage?group=site", "usage?by=month&group=action"]
            {
                let list = self.app.get(&format!("/v1/wallets/account:{account}/{list}")).await;
                written.push(self.unnamed(&list.to_string()));
            }
        }
        written
    }

    async fn send(&self, sent: &Sent) -> (Answer, bool) {
        send(Arc::clone(&self.app), sent.clone()).await
    }

    /// Sends a request up to five times in all and answers what came of it.
    ///
    /// One that will be refused leaves no trace by which it could be known again, so whoever sends it does not send
    /// something else before it is answered.
    async fn repeat(&self, sent: &Sent, will_be_refused: bool, random: &mut StdRng) -> Answer {
        let times = random.random_range(1..=5);
        let mut read: Vec<(Answer, bool)> = Vec::new();
        let (mut ended, mut may_be_known) = (0, false);
        let mut left = times - 1;
        while left > 0 {
            let at_once = random.random_range(1..=left);
            left -= at_once;
            let mut copies = JoinSet::new();
            for _ in 0..at_once {
                let (app, sent) = (Arc::clone(&self.app), sent.clone());
                let loss = match random.random_range(0..6) {
                    0 => Some(Loss::Torn),
                    1 if !will_be_refused => Some(Loss::Gone),
                    1 | 2 => Some(Loss::Unread),
                    _ => None,
                };
                may_be_known |= loss == Some(Loss::Gone);
                ended += usize::from(loss.is_none() || loss == Some(Loss::Unread));
                copies.spawn(async move {
                    match loss {
                        Some(loss) => {
                            lose(app.running.address, &app.admin, &sent, loss).await;
                            None
                        }
                        None => Some(send(app, sent).await),
                    }
                });
            }
            read.extend(copies.join_all().await.into_iter().flatten());
        }
        let last = self.send(sent).await;
        let refused = is_refused(&last.0);
        assert_eq!(refused, will_be_refused, "{sent:?}: {last:?}");
        if refused {
            assert!(!last.1, "a refusal is no stored answer: {sent:?}: {last:?}");
        } else if ended > 0 || !may_be_known {
            assert_eq!(last.1, ended > 0, "{sent:?} was answered {ended} times before: {last:?}");
        }
        let fresh = read.iter().chain([&last]).filter(|(_, replayed)| !replayed).count();
        assert!(refused || fresh <= 1, "{sent:?} had an effect {fresh} times: {read:?} {last:?}");
        for (answer, _) in &read {
            assert_eq!(answer, &last.0, "{sent:?}");
        }
        last.0
    }
}

/// Whether nothing was done, and so nothing is remembered.
fn is_refused(answer: &Answer) -> bool {
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    match body["results"].as_array() {
        Some(results) => results.iter().all(|result| result["status"].as_u64().unwrap() >= 300),
        None => answer.status >= 300,
    }
}

/// A debit or a hold of a price or a rate.
fn spend(site: &str, credits: i64, random: &mut StdRng) -> Value {
    let mut body = json!({ "site": site });
    if random.random_bool(0.3) {
        (body["action"], body["quantity"]) = ("answer".into(), credits.into());
    } else {
        body["credits"] = credits.to_string().into();
    }
    if random.random_bool(0.3) {
        body["agent"] = "bot".into();
    }
    body
}

/// Sends a request and reads its answer, and whether it was given before.
async fn send(app: Arc<TestApp>, sent: Sent) -> (Answer, bool) {
    let request = app.http.post(app.url(&sent.path)).bearer_auth(&app.admin);
    let answer = request.header("Idempotency-Key", &sent.key).body(sent.body).send().await.unwrap();
    let replayed = answer.headers().get("idempotent-replayed").is_some_and(|word| word == "true");
    let status = answer.status().as_u16();
    (Answer { status, body: answer.text().await.unwrap() }, replayed)
}

/// Sends a request and never reads its answer.
async fn lose(address: SocketAddr, api_key: &str, sent: &Sent, loss: Loss) {
    let Sent { path, key, body } = sent;
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {api_key}\r\n\
         Idempotency-Key: {key}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let whole = request.as_bytes();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let bytes = if loss == Loss::Torn { &whole[..whole.len() - 1] } else { whole };
    stream.write_all(bytes).await.unwrap();
    if loss == Loss::Unread {
        stream.readable().await.unwrap();
    }
}

/// One life of a world: what each request got and what could be seen after it.
struct Life {
    refused: Vec<bool>,
    told: Vec<String>,
    written: Vec<String>,
}

/// Lives the history that `seed` stands for, sending each request once, or as often as `copies` says, where the life
/// in which each was sent once is known.
async fn live(seed: u64, mut copies: Option<(StdRng, &Life)>) -> Life {
    let mut random = StdRng::seed_from_u64(seed);
    let mut world = World::start().await;
    for (number, wallet) in
        ["account:lab:customer:2", "site:shop", "account:lab:customer:3"].iter().enumerate()
    {
        let body = json!({ "wallet": wallet, "credits": "300", "reason": "to begin with" }).to_string();
        let sent = Sent { path: "/v1/grants".to_owned(), key: format!("first-{number}"), body };
        let (answer, _) = world.send(&sent).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        world.app.clock.turn_to(world.app.clock.now().plus_millis(1_000));
        world.learn(&sent, &answer);
    }
    let mut life = Life { refused: Vec::new(), told: Vec::new(), written: Vec::new() };
    for step in 0..STEPS {
        let now: Timestamp = world.app.clock.now();
        world.app.clock.turn_to(now.plus_millis(random.random_range(1_000..4_000_000)));
        let sent = world.next(step, &mut random);
        let answer = match &mut copies {
            None => world.send(&sent).await.0,
            Some((random, once)) => world.repeat(&sent, once.refused[step], random).await,
        };
        assert!(answer.status < 500, "{sent:?}: {answer:?}");
        world.learn(&sent, &answer);
        // A batch that was cut off in the middle is sent again, and its items say which had been done.
        let plain = answer.body.replace(",\"replayed\":true", "");
        let mut told = world.unnamed(&format!("{} {} {plain}", sent.path, answer.status));
        for seen in world.seen().await {
            told = format!("{told}\n{seen}");
        }
        if let Some((_, once)) = &copies {
            assert_eq!(told, once.told[step], "after step {step}: {sent:?}");
        }
        life.refused.push(is_refused(&answer));
        life.told.push(told);
    }
    life.written = world.written().await;
    world.app.prove();
    life
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_post_repeated_with_lost_answers_has_one_effect() {
    let mut random = seeded();
    let mut done = BTreeSet::new();
    let mut histories = 0;
    while histories < 3 || done.len() < CALLS.len() {
        assert!(histories < 30, "only these ever had an effect: {done:?}");
        histories += 1;
        let seed = random.random();
        let once = live(seed, None).await;
        let often = live(seed, Some((StdRng::seed_from_u64(random.random()), &once))).await;
        assert_eq!(often.written, once.written);
        for (told, _) in once.told.iter().zip(&once.refused).filter(|(_, refused)| !**refused) {
            let (path, _) = told.split_once(' ').unwrap();
            let parts = path.split('/').filter(|part| !part.contains('#') && !SITES.contains(part));
            done.insert(parts.collect::<Vec<_>>().join("/"));
        }
    }
    assert_eq!(done, CALLS.map(str::to_owned).into());
}
