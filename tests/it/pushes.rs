//! Events are carried to shops: signed, at least once, those of an account in their order, and whoever hangs holds up
//! nobody else.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use nivella_wallet::app::Running;
use nivella_wallet::config::Config;
use nivella_wallet::db::{DatabaseUrl, Db, Durability};
use nivella_wallet::event::push::{Pusher, TRIED_MS};
use nivella_wallet::event::{self, Filter};
use nivella_wallet::ledger::LockedAccount;
use nivella_wallet::ledger::slice::Compartment;
use nivella_wallet::ledger::store::Error;
use nivella_wallet::shop::{self, HookSecret};
use nivella_wallet::site::{AccountRef, store as sites};
use nivella_wallet::time::{Clock, HOUR_MS, Timestamp};
use nivella_wallet::{app, params};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::app::{TestApp, lab, write};
use crate::support::{TestDb, new_grant, sqlite};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A shop's own address for events.
struct Receiver {
    url: String,
    heard: Arc<Mutex<Heard>>,
    server: tokio::task::JoinHandle<()>,
}

/// What it heard, and what it says to the next.
#[derive(Default)]
struct Heard {
    messages: Vec<(HeaderMap, Bytes)>,
    script: VecDeque<u16>,
    /// Until told otherwise it does not answer at all.
    hangs: bool,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Receiver {
    async fn start(script: &[u16]) -> Self {
        async fn hear(State(heard): State<Arc<Mutex<Heard>>>, headers: HeaderMap, body: Bytes) -> StatusCode {
            if heard.lock().unwrap().hangs {
                std::future::pending::<()>().await;
            }
            let mut heard = heard.lock().unwrap();
            heard.messages.push((headers, body));
            let status = heard.script.pop_front().unwrap_or(204);
            StatusCode::from_u16(status).unwrap()
        }
        let heard =
            Arc::new(Mutex::new(Heard { script: script.iter().copied().collect(), ..Heard::default() }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url =
            format!("http://{}/wp-json/nivella-credit-wallet/v1/events", listener.local_addr().unwrap());
        let router = axum::Router::new().fallback(hear).with_state(Arc::clone(&heard));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, heard, server }
    }

    /// The types of the events it heard of, by whom and in which order.
    fn heard(&self) -> Vec<String> {
        let heard = self.heard.lock().unwrap();
        let line = |(_, body): &(HeaderMap, Bytes)| {
            let body: Value = serde_json::from_slice(body).unwrap();
            let name = body["data"]["account"]["names"][0].as_str().unwrap();
            format!("{name} {}", body["type"].as_str().unwrap())
        };
        heard.messages.iter().map(line).collect()
    }

    /// Waits until the daemon's own worker has told it so much.
    async fn hears(&self, number: usize) -> Vec<String> {
        let began = Instant::now();
        while self.heard.lock().unwrap().messages.len() < number {
            assert!(began.elapsed() < Duration::from_secs(20), "it heard {:?}", self.heard());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.heard()
    }
}

/// The store wants its events there.
fn wants(db: &Db, store: i64, url: &str) {
    let url = url.to_owned();
    write(db, move |tx| {
        tx.execute(
            "-- test
             INSERT INTO store_events (store_id, url, secret) VALUES ($1, $2, $3)",
            params![store, &url, SECRET],
        )
    });
}

/// Another store.
fn other_store(db: &Db) -> i64 {
    write(db, |tx| {
        let secret = crate::app::SECRET.parse::<HookSecret>().unwrap();
        let settings = shop::store::Settings::new("http://127.0.0.1:8089".parse().unwrap(), secret);
        shop::store::add(tx, &"other".parse().unwrap(), &settings).map(|store| store.id)
    })
}

/// Somebody gets a hundred credits, of which these are taken again, one after the other.
fn run_low(db: &Db, account: &str, steps: &'static [&'static str]) {
    let account: AccountRef = account.parse().unwrap();
    let id = write(db, move |tx| {
        let id = sites::open(tx, &account).unwrap();
        let new = new_grant(Compartment::Pool, "100");
        LockedAccount::lock(tx, &id)?.grant(&new)?;
        Ok::<_, Error>(id)
    });
    for step in steps {
        let id = id.clone();
        write(db, move |tx| {
            let mut account = LockedAccount::lock(tx, &id)?;
            account.take_out(&Compartment::Pool, step.parse().unwrap(), "gone").map(drop)
        });
    }
}

fn receiver_of(db: &Db, store: i64) -> event::store::Receiver {
    db.read(|tx| event::store::receiver(tx, store)).unwrap().unwrap()
}

/// A store `lab` that wants its events at `shop`, and who tells them when the test says so.
fn still(shop: &Receiver) -> (TestDb, Db, i64, Pusher) {
    let test = sqlite();
    let db = test.db.clone().watched_by(app::alerts(&Config::default()));
    let store = lab(&db).id;
    wants(&db, store, &shop.url);
    let pusher = Pusher::new(db.clone(), "AI Credits".to_owned());
    (test, db, store, pusher)
}

#[tokio::test]
async fn an_event_is_told_signed_as_the_standard_says() {
    let app = TestApp::start().await;
    let shop = Receiver::start(&[]).await;
    let store = app.store_id();
    run_low(app.db(), "lab:customer:1", &["80"]);
    wants(app.db(), store, &shop.url);
    // Only what happens from now on is told.
    run_low(app.db(), "lab:customer:2", &["80"]);
    assert_eq!(shop.hears(1).await, ["lab:customer:2 credits.low"]);
    let (headers, body) = shop.heard.lock().unwrap().messages.remove(0);
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let (id, time) = (header("webhook-id"), header("webhook-timestamp"));
    // Written from the specification.
    let secret = BASE64_STANDARD.decode(SECRET.trim_start_matches("whsec_")).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&secret).unwrap();
    mac.update(&[id.as_bytes(), b".", time.as_bytes(), b".", &body[..]].concat());
    let signature = format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(header("webhook-signature"), signature);
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(time, (app.clock.now().millis() / 1000).to_string());
    let told: Value = serde_json::from_slice(&body).unwrap();
    let listed = &app.get("/v1/events?account=lab:customer:2").await["items"][0];
    assert_eq!((&told["data"], &told["type"], &told["timestamp"]), (listed, &listed["type"], &listed["at"]));
    assert_eq!(told["data"]["id"], json!(id));
    let began = Instant::now();
    while receiver_of(app.db(), store).waiting > 0 {
        assert!(began.elapsed() < Duration::from_secs(20), "what was taken is not told again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let metrics = app.request(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("\nnivella_events_waiting 0\n"), "{metrics}");
}

#[tokio::test]
async fn what_is_not_taken_is_told_again_and_those_of_an_account_stay_in_order() {
    let shop = Receiver::start(&[500, 204, 500]).await;
    let (test, db, store, pusher) = still(&shop);
    run_low(&db, "lab:customer:2", &["80", "18"]);
    run_low(&db, "lab:customer:3", &["100"]);
    // The other account need not wait; later events of the account wait for the one that was not taken.
    assert_eq!(pusher.round(store).await.unwrap(), 1);
    assert_eq!(shop.heard(), ["lab:customer:2 credits.low", "lab:customer:3 credits.empty"]);
    assert_eq!(pusher.round(store).await.unwrap(), 0, "not at once");
    for (later, taken) in [(5_000, 0), (29_999, 0), (1, 2), (HOUR_MS, 0)] {
        test.clock.turn_to(test.clock.now().plus_millis(later));
        assert_eq!(pusher.round(store).await.unwrap(), taken, "{later} ms later");
    }
    assert_eq!(
        shop.heard()[2..],
        ["lab:customer:2 credits.low", "lab:customer:2 credits.low", "lab:customer:2 credits.critical"]
    );
    let ids: Vec<String> = {
        let heard = shop.heard.lock().unwrap();
        let id = |(headers, _): &(HeaderMap, Bytes)| headers["webhook-id"].to_str().unwrap().to_owned();
        heard.messages.iter().map(id).collect()
    };
    assert!(ids[0] == ids[2] && ids[2] == ids[3] && ids[3] != ids[4], "known by its id: {ids:?}");
    let receiver = receiver_of(&db, store);
    assert_eq!((receiver.waiting, receiver.failed_at, receiver.given_up), (0, None, 0));
}

/// A shop that takes connections and says nothing holds up its own events only.
#[tokio::test]
async fn a_shop_that_hangs_holds_up_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        database: format!("sqlite:{}", folder.path().join("wallet.db").display()).parse().unwrap(),
        listen: "127.0.0.1:0".parse().unwrap(),
        ..Config::default()
    };
    let running = Running::start(&config, Clock::system()).unwrap();
    let db = running.app.db.clone();
    let (store, other) = (lab(&db).id, other_store(&db));
    let (dead, alive) = (Receiver::start(&[]).await, Receiver::start(&[]).await);
    dead.heard.lock().unwrap().hangs = true;
    wants(&db, store, &dead.url);
    wants(&db, other, &alive.url);
    run_low(&db, "lab:customer:1", &["80"]);
    // It is being told now.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let began = Instant::now();
    run_low(&db, "other:customer:1", &["80", "20"]);
    assert_eq!(alive.hears(2).await, ["other:customer:1 credits.low", "other:customer:1 credits.empty"]);
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    assert!(dead.heard().is_empty());
    let began = Instant::now();
    running.stop().await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "nor does it hold up a stop: {:?}", began.elapsed());
}

/// The daemon is gone before the shop has taken it: the next one tells it.
#[tokio::test]
async fn a_restart_forgets_nothing() {
    let shop = Receiver::start(&[500]).await;
    let (test, db, store, pusher) = still(&shop);
    run_low(&db, "lab:customer:1", &["100"]);
    assert_eq!(pusher.round(store).await.unwrap(), 0);
    drop((pusher, db));
    test.clock.turn_to(test.clock.now().plus_millis(5_000));
    let db = Db::open(test.db.url(), Durability::Process, test.clock.clone()).unwrap();
    let pusher = Pusher::new(db, "AI Credits".to_owned());
    assert_eq!(pusher.round(store).await.unwrap(), 1);
    assert_eq!(shop.heard(), ["lab:customer:1 credits.empty", "lab:customer:1 credits.empty"]);
}

/// A shop that is gone is tried less and less often for three days; then it is given up, which is said.
#[tokio::test]
async fn what_nobody_takes_for_three_days_is_given_up_and_said() {
    let shop = Receiver::start(&[]).await;
    let (test, db, store, pusher) = still(&shop);
    shop.server.abort();
    run_low(&db, "lab:customer:1", &["80", "20"]);
    let (began, mut tries) = (test.clock.now(), 0);
    loop {
        assert_eq!(pusher.round(store).await.unwrap(), 0);
        tries += 1;
        let receiver = receiver_of(&db, store);
        assert!(receiver.failure.is_some_and(|why| why.starts_with("cannot be reached: ")));
        if receiver.given_up > 0 {
            break;
        }
        let next: Timestamp = db
            .read(|tx| {
                let sql = "-- test\n SELECT CAST(MIN(due_at) AS BIGINT) FROM event_push";
                tx.query_one(sql, params![], |row| row.get(0))
            })
            .unwrap();
        assert!(test.clock.now() < next && next <= began.plus_millis(TRIED_MS));
        test.clock.turn_to(next);
    }
    assert_eq!(test.clock.now(), began.plus_millis(TRIED_MS));
    assert!((15..40).contains(&tries), "{tries} tries");
    // The next one of the account gets its turn, and is as old.
    while receiver_of(&db, store).waiting > 0 {
        test.clock.turn_to(test.clock.now().plus_millis(HOUR_MS));
        pusher.round(store).await.unwrap();
    }
    let receiver = receiver_of(&db, store);
    assert_eq!((receiver.given_up, receiver.failed_at), (2, Some(began)));
    assert_eq!(db.read(event::store::counts).unwrap(), (0, 2));
    // Whoever looks at the store is told so.
    let url = test.db.url();
    let DatabaseUrl::Sqlite(path) = url else { unreachable!() };
    let shown = std::process::Command::new(env!("CARGO_BIN_EXE_nivella-wallet"))
        .args(["--database", &format!("sqlite:{}", path.display()), "store", "show", "lab"])
        .env_clear()
        .output()
        .unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("none taken since 2026-11-20 16:00 UTC; the shop cannot be reached"), "{shown}");
    assert!(shown.contains("2 given up after three days"), "{shown}");
    // Events that are told no more can still be asked for.
    assert_eq!(db.read(|tx| event::page(tx, "", &Filter::default(), 0, 9)).unwrap().items.len(), 2);
}
