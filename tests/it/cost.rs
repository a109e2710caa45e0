//! What a debit and a delivery cost, counted in a way that is the same on every machine: statements, and pages that
//! the commit writes to the log. More of either is slower everywhere.
//!
//! Whoever needs one more statement may raise a bound; what must not happen is that it rises unnoticed.

use std::path::PathBuf;

use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode, request};
use http_body_util::BodyExt as _;
use nivella_wallet::app as daemon;
use nivella_wallet::config::Config;
use nivella_wallet::db::{self, Db, Keep};
use nivella_wallet::http::App;
use nivella_wallet::inbox::signature;
use nivella_wallet::ledger::audit;
use nivella_wallet::time::HOUR_MS;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::app::{SECRET, key, lab};
use crate::support::{TestDb, recorded, sqlite};

/// How often each is done: costs that come only now and then are shared.
const TIMES: u64 = 20;
/// What the log holds for each page: the page, and a head.
const FRAME: u64 = 4096 + 24;

/// What an act cost on the average, in hundredths.
#[derive(Debug)]
struct Cost {
    statements: u64,
    pages: u64,
}

/// The daemon's routes, without what it does by itself meanwhile: that would be counted in one run and not in another.
struct Meter {
    test: TestDb,
    db: Db,
    router: Router,
    admin: String,
    log: PathBuf,
    statements: u64,
}

impl Meter {
    fn start() -> Self {
        let (test, config) = (sqlite(), Config::default());
        let db = test.db.clone().watched_by(daemon::alerts(&config));
        lab(&db);
        let admin = key(&db, "admin");
        let router = nivella_wallet::http::routes(App::from(daemon::handlers(db.clone(), &config)));
        let db::DatabaseUrl::Sqlite(path) = db.url().clone() else { unreachable!() };
        Self { log: PathBuf::from(format!("{}-wal", path.display())), test, db, router, admin, statements: 0 }
    }

    /// Sends a request; answers the status and the body.
    async fn send(&self, request: request::Builder, body: Vec<u8>) -> (StatusCode, Value) {
        let response = self.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    /// Sends the administrator's request.
    async fn ask(&self, method: &str, path: &str, once: &str, body: Value) -> StatusCode {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {}", self.admin))
            .header("idempotency-key", once);
        let (status, answer) = self.send(request, body.to_string().into_bytes()).await;
        assert!(status.is_success(), "{path}: {status} {answer}");
        status
    }

    /// Begins to count.
    async fn reset(&mut self) {
        let path = self.log.to_str().unwrap().trim_end_matches("-wal").to_owned();
        let emptied: i64 = tokio::task::spawn_blocking(move || {
            let connection = rusqlite::Connection::open(path).unwrap();
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap()
        })
        .await
        .unwrap();
        assert_eq!(emptied, 0, "nobody reads, so the log can be emptied");
        self.statements = statements(&self.db).await;
    }

    /// What it cost since then.
    async fn read(&self) -> Cost {
        let pages = std::fs::metadata(&self.log).unwrap().len() / FRAME;
        let statements = statements(&self.db).await - self.statements;
        Cost { statements: statements * 100 / TIMES, pages: pages * 100 / TIMES }
    }

    /// Lets time pass, and the writer forget all it knew. That is not counted.
    async fn pass(&mut self, ms: i64) {
        self.test.clock.turn_to(self.test.clock.now().plus_millis(ms));
        let before = statements(&self.db).await;
        // A dry run has it forget.
        self.statements += 2 * (statements(&self.db).await - before);
    }

    /// Whatever it cost, the books add up.
    fn prove(&self) {
        assert_eq!(audit::verify(&self.test.db, |_| {}).unwrap().faults, []);
    }
}

/// How many statements the writer and the readers of this test have run.
async fn statements(db: &Db) -> u64 {
    let db = db.clone();
    // The routes answer on this test's own thread, so what they read is counted here.
    let here = db::statements();
    let writer = move || db.write_blocking("test", Keep::Nothing, |_| Ok::<_, db::Error>(db::statements()));
    here + tokio::task::spawn_blocking(writer).await.unwrap().unwrap()
}

/// A site with three grants, an assistant, a limit for the day and one for the month.
async fn with_site() -> Meter {
    let meter = Meter::start();
    meter.ask("PUT", "/v1/sites/site-1", "assign", json!({ "account": "lab:customer:1" })).await;
    for grant in ["a", "b", "c"] {
        let body = json!({ "wallet": "site:site-1", "credits": "1000", "reason": "test" });
        meter.ask("POST", "/v1/grants", grant, body).await;
    }
    for per in ["day", "month"] {
        let body = json!({ "per": per, "credits": "1000" });
        meter.ask("PUT", "/v1/sites/site-1/limits", per, body).await;
    }
    meter
}

async fn debits(meter: &Meter, from: u64, count: u64) {
    for number in from..from + count {
        let body = json!({ "site": "site-1", "agent": "helper", "credits": "0.01", "action": "chat",
                           "label": "Answered a visitor question" });
        let status = meter.ask("POST", "/v1/debits", &format!("key-{number}"), body).await;
        assert_eq!(status, StatusCode::CREATED);
    }
}

#[tokio::test]
async fn a_debit_costs_no_more_than_it_did() {
    let mut meter = with_site().await;
    debits(&meter, 0, TIMES).await;
    meter.reset().await;
    debits(&meter, TIMES, TIMES).await;
    let cost = meter.read().await;
    println!("a debit: {cost:?}");
    assert!(cost.statements <= DEBIT_STATEMENTS * 100, "{cost:?}");
    assert!(cost.pages <= DEBIT_PAGES * 100, "{cost:?}");
    meter.prove();
}

/// Of a wallet whose assistant is asked once an hour, while the writer has forgotten all it knew: what is unsettled is
/// settled now and then, and that is shared.
#[tokio::test]
async fn a_debit_of_a_wallet_seldom_used_costs_no_more_than_it_did() {
    let mut meter = with_site().await;
    for number in 0..TIMES {
        meter.pass(HOUR_MS).await;
        debits(&meter, number, 1).await;
    }
    meter.reset().await;
    for number in TIMES..2 * TIMES {
        meter.pass(HOUR_MS).await;
        debits(&meter, number, 1).await;
    }
    let cost = meter.read().await;
    println!("a debit of a wallet seldom used: {cost:?}");
    assert!(cost.statements <= SELDOM_STATEMENTS * 100, "{cost:?}");
    assert!(cost.pages <= SELDOM_PAGES * 100, "{cost:?}");
    meter.prove();
}

/// What reading the feed of the site costs, in statements.
async fn feed(meter: &Meter) -> u64 {
    let before = db::statements();
    let request = Request::get("/v1/wallets/site:site-1/feed");
    let request = request.header("authorization", format!("Bearer {}", meter.admin));
    let (status, feed) = meter.send(request, Vec::new()).await;
    assert_eq!(status, StatusCode::OK, "{feed}");
    db::statements() - before
}

#[tokio::test]
async fn a_feed_costs_no_more_than_it_did() {
    let meter = with_site().await;
    debits(&meter, 0, TIMES).await;
    // What a key may do, and what surrounds the wallet, is read once.
    let [first, again] = [feed(&meter).await, feed(&meter).await];
    debits(&meter, TIMES, 1).await;
    let after_debit = feed(&meter).await;
    let grant = json!({ "wallet": "site:site-1", "credits": "1", "reason": "test" });
    meter.ask("POST", "/v1/grants", "another", grant).await;
    let after_grant = feed(&meter).await;
    println!("a feed: {first}, again {again}, after a debit {after_debit}, after a grant {after_grant}");
    assert!(again <= FEED_AGAIN && after_debit <= FEED_AFTER_DEBIT && after_grant <= FEED_AFTER_GRANT);
}

async fn deliveries(meter: &Meter, from: u64, told: &str, file: &str) {
    let mut order: Value = serde_json::from_slice(&recorded(file)).unwrap();
    for number in from..from + TIMES {
        order["id"] = (1000 + number).into();
        order["line_items"][0]["id"] = (1000 + number).into();
        let body = order.to_string().into_bytes();
        let request = Request::post("/webhooks/woocommerce/lab")
            .header("x-wc-webhook-topic", "order.updated")
            .header("x-wc-webhook-signature", signature::sign(SECRET.as_bytes(), &body));
        let (status, answer) = meter.send(request, body).await;
        assert_eq!((status, &answer["result"]), (StatusCode::OK, &json!(told)), "{answer}");
    }
}

#[tokio::test]
async fn a_delivery_with_credits_costs_no_more_than_it_did() {
    let mut meter = Meter::start();
    let file = "02-paid-order-one-token/003-order.updated/body.bin";
    deliveries(&meter, 0, "granted", file).await;
    meter.reset().await;
    deliveries(&meter, TIMES, "granted", file).await;
    let cost = meter.read().await;
    println!("a delivery with credits: {cost:?}");
    assert!(cost.statements <= CREDIT_STATEMENTS * 100, "{cost:?}");
    assert!(cost.pages <= CREDIT_PAGES * 100, "{cost:?}");
    meter.prove();
}

#[tokio::test]
async fn a_delivery_that_brings_nothing_costs_no_more_than_it_did() {
    let mut meter = Meter::start();
    let file = "06-only-apparel/004-order.updated/body.bin";
    deliveries(&meter, 0, "ignored", file).await;
    meter.reset().await;
    deliveries(&meter, TIMES, "ignored", file).await;
    let cost = meter.read().await;
    println!("a delivery: {cost:?}");
    assert!(cost.statements <= RECEIPT_STATEMENTS * 100, "{cost:?}");
    assert!(cost.pages <= RECEIPT_PAGES * 100, "{cost:?}");
    meter.prove();
}

// A little above what was measured when they were set. A savepoint and its release are statements, too.
const DEBIT_STATEMENTS: u64 = 12;
const DEBIT_PAGES: u64 = 7;
const SELDOM_STATEMENTS: u64 = 24;
const SELDOM_PAGES: u64 = 10;
const CREDIT_STATEMENTS: u64 = 14;
const CREDIT_PAGES: u64 = 23;
const RECEIPT_STATEMENTS: u64 = 8;
const RECEIPT_PAGES: u64 = 7;
const FEED_AGAIN: u64 = 1;
const FEED_AFTER_DEBIT: u64 = 4;
const FEED_AFTER_GRANT: u64 = 12;
