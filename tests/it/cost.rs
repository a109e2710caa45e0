//! What a debit and a delivery cost, counted in a way that is the same on every machine: statements, and pages that
//! the commit writes to the log. More of either is slower everywhere.
//!
//! Whoever needs one more statement may raise a bound; what must not happen is that it rises unnoticed.

use std::path::PathBuf;

use nivella_wallet::db::{self, Db, Keep};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::support::recorded;

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

struct Meter {
    app: TestApp,
    log: PathBuf,
    statements: u64,
}

impl Meter {
    async fn start() -> Self {
        let app = TestApp::start().await;
        let nivella_wallet::db::DatabaseUrl::Sqlite(path) = app.db().url().clone() else { unreachable!() };
        Self { app, log: PathBuf::from(format!("{}-wal", path.display())), statements: 0 }
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
        self.statements = statements(self.app.db()).await;
    }

    /// What it cost since then.
    async fn read(&self) -> Cost {
        let pages = std::fs::metadata(&self.log).unwrap().len() / FRAME;
        let statements = statements(self.app.db()).await - self.statements;
        Cost { statements: statements * 100 / TIMES, pages: pages * 100 / TIMES }
    }
}

/// How many statements the writer and the readers of this test have run.
async fn statements(db: &Db) -> u64 {
    let db = db.clone();
    // The server answers on this test's own thread, so what it reads is counted here.
    let here = db::statements();
    let writer = move || db.write_blocking("test", Keep::Nothing, |_| Ok::<_, db::Error>(db::statements()));
    here + tokio::task::spawn_blocking(writer).await.unwrap().unwrap()
}

/// A site with three grants, an assistant, a limit for the day and one for the month.
async fn with_site() -> Meter {
    let meter = Meter::start().await;
    let app = &meter.app;
    let put = async |method: Method, path: &str, key: &str, body: Value| {
        let request = app.request(method, path).header("Idempotency-Key", key).body(body.to_string());
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
    };
    put(Method::PUT, "/v1/sites/site-1", "assign", json!({ "account": "lab:customer:1" })).await;
    for grant in ["a", "b", "c"] {
        let body = json!({ "wallet": "site:site-1", "credits": "1000", "reason": "test" });
        put(Method::POST, "/v1/grants", grant, body).await;
    }
    for per in ["day", "month"] {
        let body = json!({ "per": per, "credits": "1000" });
        put(Method::PUT, "/v1/sites/site-1/limits", per, body).await;
    }
    meter
}

async fn debits(app: &TestApp, from: u64, count: u64) {
    for number in from..from + count {
        let body = json!({ "site": "site-1", "agent": "helper", "credits": "0.01", "action": "chat",
                           "label": "Answered a visitor question" });
        let request =
            app.request(Method::POST, "/v1/debits").header("Idempotency-Key", format!("key-{number}"));
        let answer = request.body(body.to_string()).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
    }
}

#[tokio::test]
async fn a_debit_costs_no_more_than_it_did() {
    let mut meter = with_site().await;
    debits(&meter.app, 0, TIMES).await;
    meter.reset().await;
    debits(&meter.app, TIMES, TIMES).await;
    let cost = meter.read().await;
    println!("a debit: {cost:?}");
    assert!(cost.statements <= DEBIT_STATEMENTS * 100, "{cost:?}");
    assert!(cost.pages <= DEBIT_PAGES * 100, "{cost:?}");
}

async fn deliveries(app: &TestApp, from: u64, told: &str, file: &str) {
    let mut order: Value = serde_json::from_slice(&recorded(file)).unwrap();
    for number in from..from + TIMES {
        order["id"] = (1000 + number).into();
        order["line_items"][0]["id"] = (1000 + number).into();
        assert_eq!(app.deliver("order.updated", order.to_string().into_bytes()).await, told);
    }
}

#[tokio::test]
async fn a_delivery_with_credits_costs_no_more_than_it_did() {
    let mut meter = Meter::start().await;
    let file = "02-paid-order-one-token/003-order.updated/body.bin";
    deliveries(&meter.app, 0, "granted", file).await;
    meter.reset().await;
    deliveries(&meter.app, TIMES, "granted", file).await;
    let cost = meter.read().await;
    println!("a delivery with credits: {cost:?}");
    assert!(cost.statements <= CREDIT_STATEMENTS * 100, "{cost:?}");
    assert!(cost.pages <= CREDIT_PAGES * 100, "{cost:?}");
}

#[tokio::test]
async fn a_delivery_that_brings_nothing_costs_no_more_than_it_did() {
    let mut meter = Meter::start().await;
    let file = "06-only-apparel/004-order.updated/body.bin";
    deliveries(&meter.app, 0, "ignored", file).await;
    meter.reset().await;
    deliveries(&meter.app, TIMES, "ignored", file).await;
    let cost = meter.read().await;
    println!("a delivery: {cost:?}");
    assert!(cost.statements <= RECEIPT_STATEMENTS * 100, "{cost:?}");
    assert!(cost.pages <= RECEIPT_PAGES * 100, "{cost:?}");
}

// A little above what was measured when they were set. A savepoint and its release are statements, too.
const DEBIT_STATEMENTS: u64 = 12;
const DEBIT_PAGES: u64 = 8;
const CREDIT_STATEMENTS: u64 = 38;
const CREDIT_PAGES: u64 = 29;
const RECEIPT_STATEMENTS: u64 = 20;
const RECEIPT_PAGES: u64 = 14;
