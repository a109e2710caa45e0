//! How a shop's webhooks fare: asked and mended over REST, told from what arrived, watched by the daemon; and a
//! secret that is changed without losing a delivery.

use std::process::{Command, Output};
use std::time::Duration;

use nivella_wallet::app::Running;
use nivella_wallet::config::Config;
use nivella_wallet::db;
use nivella_wallet::inbox::signature;
use nivella_wallet::shop::address::Address;
use nivella_wallet::shop::health::{Finding, Known, NEEDED, Severity, Status};
use nivella_wallet::shop::rest::{Clients, Error, NewWebhook, Rest, WebhookChange};
use nivella_wallet::shop::store::{self, Settings};
use nivella_wallet::shop::watch::{self, FIRST_LOOK_MS, FLUSH_EVERY_MS, LOOK_EVERY_MS, Refusals, Watch};
use nivella_wallet::shop::{HookSecret, RestKeys};
use nivella_wallet::time::{Clock, DAY_MS, HOUR_MS, Timestamp};
use serde_json::{Value, json};

use crate::app::{SECRET, TestApp, scenario, write};
use crate::fake_shop::{self, FakeShop, impatient, nobody};
use crate::support::databases;

const HERE: &str = "https://wallet.example/webhooks/woocommerce/asked";
const NEW_SECRET: &str = "the-secret-that-comes-after-the-old-one";
const NEWEST_SECRET: &str = "the-secret-that-comes-after-the-new-one";

fn clock() -> Clock {
    Clock::standing_at("2026-11-20T18:00:00Z".parse().unwrap())
}

fn secret(text: &str) -> HookSecret {
    text.parse().unwrap()
}

/// A webhook as the shop keeps it.
fn hook(id: i64, topic: &str, status: &str, url: &str) -> Value {
    json!({
        "id": id, "name": "mine", "status": status, "topic": topic, "delivery_url": url,
        "date_created_gmt": "2026-11-20T15:48:57", "date_modified_gmt": null,
    })
}

/// All webhooks that are needed, numbered from 101.
fn good() -> Vec<Value> {
    (101..).zip(NEEDED).map(|(id, need)| hook(id, need.topic, "active", HERE)).collect()
}

/// The shop's webhooks as `topic status url`, those of others left out.
fn ours(shop: &FakeShop) -> Vec<String> {
    let text = |hook: &Value, field: &str| hook[field].as_str().unwrap().to_owned();
    let mut ours: Vec<String> = shop
        .list("webhooks")
        .iter()
        .filter(|hook| text(hook, "delivery_url").ends_with("/asked"))
        .map(|hook| {
            format!("{} {} {}", text(hook, "topic"), text(hook, "status"), text(hook, "delivery_url"))
        })
        .collect();
    ours.sort();
    ours
}

// Over REST ------------------------------------------------------------------------------------------

#[tokio::test]
async fn webhooks_are_listed_made_and_changed_with_and_without_tls() {
    for tls in [false, true] {
        let shop =
            if tls { FakeShop::start_tls(&clock()).await } else { FakeShop::start("/a", &clock()).await };
        let rest = shop.rest();
        let webhooks = watch::webhooks(&rest).await.unwrap();
        assert_eq!(webhooks.len(), 16);
        let created = webhooks.iter().find(|hook| hook.topic == "order.created").unwrap();
        assert_eq!((created.id, created.status), (5, Status::Active));

        let today = secret(SECRET);
        let set = WebhookChange {
            status: Some("active"),
            delivery_url: Some("https://wallet.example/x?a=b c"),
            secret: Some(&today),
        };
        let made = rest.create_webhook(&NewWebhook { name: "N", topic: "order.updated", set }).await.unwrap();
        let made: Value = serde_json::from_slice(&made).unwrap();
        assert_eq!((&made["id"], &made["name"]), (&json!(21), &json!("N")));
        let pause = WebhookChange { status: Some("paused"), ..WebhookChange::default() };
        rest.update_webhook(21, &pause).await.unwrap();
        let kept = shop.list("webhooks").pop().unwrap();
        assert_eq!((&kept["status"], &kept["delivery_url"]), (&json!("paused"), &made["delivery_url"]));
        assert_eq!(shop.state.lock().unwrap().secrets[&21], SECRET);
        let gone = rest.update_webhook(99, &pause).await.unwrap_err();
        assert!(matches!(gone, Error::NotFound("webhook")), "{gone}");

        assert!(rest.may_write().await.unwrap());
        assert_eq!(shop.list("webhooks").len(), 17, "asking whether it may made none");
        assert_eq!(
            shop.asked()[1..],
            ["POST webhooks", "PUT webhooks/21", "PUT webhooks/99", "POST webhooks"]
        );
        assert!(!format!("{set:?}", set = WebhookChange { secret: Some(&today), ..pause }).contains(SECRET));
    }
}

#[tokio::test]
async fn a_change_is_tried_once_and_a_list_is_read_to_its_end() {
    let shop = FakeShop::start("", &clock()).await;
    let rest = shop.rest();
    for status in [500, 503, 429] {
        shop.script(status, &[], "");
        let error = rest.update_webhook(5, &WebhookChange::default()).await.unwrap_err();
        assert!(error.is_passing(), "{error}");
        assert_eq!(shop.asked().len(), 1, "{status} was asked again");
    }
    shop.put_list("webhooks", (1..=250).map(|id| hook(id, "order.created", "future", "")).collect());
    let webhooks = watch::webhooks(&rest).await.unwrap();
    assert_eq!((webhooks.len(), shop.asked().len()), (250, 3));
    assert_eq!(webhooks[0].status, Status::Other);
    shop.put_list("webhooks", vec![json!({ "id": 1 })]);
    assert!(matches!(watch::webhooks(&rest).await, Err(Error::Unreadable(_))));
}

/// What a key that may only read is told, as recorded and as WooCommerce's other version says it.
#[tokio::test]
async fn keys_that_may_only_read_are_said_to_need_more() {
    let shop = FakeShop::start("", &clock()).await;
    let rest = shop.rest();
    shop.state.lock().unwrap().may_write = false;
    assert_eq!(watch::webhooks(&rest).await.unwrap().len(), 16, "reading goes on");
    assert!(!rest.may_write().await.unwrap());
    let change = WebhookChange { status: Some("active"), ..WebhookChange::default() };
    for code in [None, Some("woocommerce_rest_cannot_create"), Some("woocommerce_rest_cannot_edit")] {
        if let Some(code) = code {
            shop.script(
                401,
                &[],
                format!(r#"{{"code":"{code}","message":"Nein.","data":{{"status":401}}}}"#),
            );
        }
        let error = rest.update_webhook(5, &change).await.unwrap_err();
        assert!(error.to_string().contains("need the permission Read/Write"), "{error}");
    }
    shop.script(403, &[], r#"{"code":"woocommerce_rest_cannot_edit","message":"x"}"#);
    let error = rest.update_webhook(5, &change).await.unwrap_err();
    assert!(matches!(error, Error::Forbidden), "{error}");
    // A wrong secret of somebody who reads keeps its name.
    shop.script(401, &[], crate::support::recorded("rest/401-read-only-key-writes.body"));
    assert!(matches!(rest.product(10).await, Err(Error::WrongSecret(_))));
}

// What is kept ---------------------------------------------------------------------------------------

fn settings() -> Settings {
    Settings::new("https://shop.example/".parse().unwrap(), secret(SECRET))
}

fn health(db: &db::Db, id: i64) -> Known {
    db.read(|tx| store::health(tx, id)).unwrap()
}

#[test]
fn what_is_known_of_a_store_is_kept_on_both_engines() {
    for test in databases() {
        let now = test.clock.now();
        let id = write(&test.db, |tx| store::add(tx, &"lab".parse().unwrap(), &settings())).id;
        assert_eq!(health(&test.db, id), Known::default());
        let finding = Finding::new(Severity::Fault, nivella_wallet::shop::health::Code::Missing, "m");
        let kept = vec![finding.with_remedy("r")];
        let findings = kept.clone();
        write(&test.db, move |tx| {
            store::note_refused(tx, id, 3, now)?;
            store::note_refused(tx, id, 2, now.plus_millis(5))?;
            // A store that was removed meanwhile is nobody's.
            store::note_refused(tx, id + 1, 2, now)?;
            store::note_error_object(tx, id, "some_code")?;
            store::note_findings(tx, id, &findings)?;
            store::note_findings(tx, id + 1, &findings)
        });
        let known = health(&test.db, id);
        assert_eq!((known.refused_at, known.refused_count), (Some(now.plus_millis(5)), 5));
        assert_eq!((known.error_at, known.error_code.as_deref()), (Some(now), Some("some_code")));
        assert_eq!((known.checked_at, known.findings), (Some(now), kept));
        assert_eq!((known.secret_at, known.secret_in_shop, known.last_delivery_at), (None, false, None));

        // A change of the secret starts anew; a change of anything else does not.
        write(&test.db, move |tx| {
            store::note_secret_in_shop(tx, id)?;
            let mut same = store::settings(tx, id)?.unwrap();
            same.paid_statuses = vec!["completed".to_owned()];
            same.change_secret(secret(SECRET), Some(now.plus_millis(DAY_MS)));
            store::update(tx, id, &same)
        });
        let known = health(&test.db, id);
        assert_eq!((known.secret_at, known.secret_in_shop, known.old_secret_until), (Some(now), true, None));
        test.clock.turn_to(now.plus_millis(HOUR_MS));
        write(&test.db, move |tx| {
            let mut changed = store::settings(tx, id)?.unwrap();
            changed.change_secret(secret(NEW_SECRET), Some(now.plus_millis(DAY_MS)));
            store::update(tx, id, &changed)
        });
        let known = health(&test.db, id);
        assert_eq!((known.secret_at, known.secret_in_shop), (Some(now.plus_millis(HOUR_MS)), false));
        assert_eq!(known.old_secret_until, Some(now.plus_millis(DAY_MS)));

        // The old one is there until the instant, and erased after it.
        let previous = |now: Timestamp| {
            test.clock.turn_to(now);
            let name = "lab".parse().unwrap();
            let (_, secrets) = test.db.read(|tx| store::find_with_secrets(tx, &name)).unwrap().unwrap();
            let forgotten = write(&test.db, store::forget_old_secrets);
            (secrets.previous.is_some(), forgotten)
        };
        assert_eq!(previous(now.plus_millis(DAY_MS - 1)), (true, 0));
        assert!(!test.db.read(store::has_old_secrets).unwrap());
        test.clock.turn_to(now.plus_millis(DAY_MS));
        assert!(test.db.read(store::has_old_secrets).unwrap());
        assert_eq!(previous(now.plus_millis(DAY_MS)), (false, 1));
        assert_eq!(previous(now.plus_millis(DAY_MS)), (false, 0));
        let settings = test.db.read(|tx| store::settings(tx, id)).unwrap().unwrap();
        assert!(settings.previous_secret.is_none());
        write(&test.db, |tx| store::remove(tx, &"lab".parse().unwrap()));
        println!("{}", test.name);
    }
}

/// Refusals cost no write, however many there are, until somebody writes them down at once.
#[tokio::test]
async fn refused_deliveries_are_counted_in_memory() {
    let test = crate::support::sqlite();
    let id = write(&test.db, |tx| store::add(tx, &"lab".parse().unwrap(), &settings())).id;
    let refusals = Refusals::default();
    let now = test.clock.now();
    for number in 0..1000 {
        refusals.note(Some(id), now.plus_millis(number));
        refusals.note(None, now);
    }
    assert_eq!(health(&test.db, id), Known::default());
    refusals.flush(&test.db).await.unwrap();
    let known = health(&test.db, id);
    assert_eq!((known.refused_count, known.refused_at), (1000, Some(now.plus_millis(999))));

    // The daemon writes them down at most once a minute.
    let clients = Clients::new(impatient(), test.clock.clone());
    let mut watch = Watch::new(test.db.clone(), None, refusals.clone(), clients);
    watch.step().await.unwrap();
    for (after, count) in [(1, 1000), (FLUSH_EVERY_MS - 1, 1000), (FLUSH_EVERY_MS, 1001)] {
        if after == 1 {
            refusals.note(Some(id), now);
        }
        test.clock.turn_to(now.plus_millis(after));
        watch.step().await.unwrap();
        assert_eq!(health(&test.db, id).refused_count, count, "after {after} ms");
    }
}

// Over HTTP ------------------------------------------------------------------------------------------

/// Sends what the recorded shop sent, signed with `key`; answers the status.
async fn send(app: &TestApp, store: &str, key: Option<&str>) -> u16 {
    let paid = scenario("02-paid-order-one-token").remove(2);
    let mut request = app
        .http
        .post(app.url(&format!("/webhooks/woocommerce/{store}")))
        .header("X-WC-Webhook-Topic", "order.updated");
    if let Some(key) = key {
        request = request.header("X-WC-Webhook-Signature", signature::sign(key.as_bytes(), &paid.body));
    }
    request.body(paid.body).send().await.unwrap().status().as_u16()
}

fn change_secret(app: &TestApp, text: &'static str, until: Option<Timestamp>) {
    let id = app.store_id();
    write(app.db(), move |tx| {
        let mut settings = store::settings(tx, id)?.unwrap();
        settings.change_secret(secret(text), until);
        store::update(tx, id, &settings)
    });
}

#[tokio::test]
async fn an_old_secret_is_taken_until_its_instant_and_a_wrong_one_never() {
    let app = TestApp::start().await;
    let start = app.clock.now();
    let until = start.plus_millis(DAY_MS);
    let both = async |old: u16, new: u16| {
        assert_eq!(send(&app, "lab", Some(SECRET)).await, old, "old at {}", app.clock.now());
        assert_eq!(send(&app, "lab", Some(NEW_SECRET)).await, new, "new at {}", app.clock.now());
        for wrong in ["", "wrong", NEWEST_SECRET, "no store has this secret, so nothing fits it"] {
            // What unknown stores are checked against opens none, whether it has an old secret or not.
            let status = send(&app, "lab", Some(wrong)).await;
            assert_eq!(status, 401, "{wrong:?} at {}", app.clock.now());
            assert_eq!(send(&app, "nobody", Some(wrong)).await, 401, "{wrong:?}");
        }
    };
    both(200, 401).await;
    change_secret(&app, NEW_SECRET, Some(until));
    both(200, 200).await;
    app.clock.turn_to(until.plus_millis(-1));
    both(200, 200).await;
    app.clock.turn_to(until);
    both(401, 200).await;
    app.clock.turn_to(until.plus_millis(FLUSH_EVERY_MS));
    // The daemon erases it by itself.
    let erased = async {
        while app.count("store WHERE previous_secret IS NOT NULL") > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), erased).await.expect("the old secret is erased");
    both(401, 200).await;
}

#[tokio::test]
async fn a_second_change_leaves_only_the_newest_old_secret() {
    let app = TestApp::start().await;
    let until = app.clock.now().plus_millis(DAY_MS);
    change_secret(&app, NEW_SECRET, Some(until));
    change_secret(&app, NEWEST_SECRET, Some(until));
    for (key, status) in [(SECRET, 401), (NEW_SECRET, 200), (NEWEST_SECRET, 200)] {
        assert_eq!(send(&app, "lab", Some(key)).await, status, "{key}");
    }
    change_secret(&app, SECRET, None);
    for (key, status) in [(SECRET, 200), (NEW_SECRET, 401), (NEWEST_SECRET, 401)] {
        assert_eq!(send(&app, "lab", Some(key)).await, status, "{key}");
    }
}

/// Only what was signed, and with another secret, for a store that is there; also when the daemon stops.
#[tokio::test]
async fn a_wrong_secret_is_noticed_and_survives_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wallet.db");
    let config = Config {
        database: format!("sqlite:{}", path.display()).parse().unwrap(),
        listen: "127.0.0.1:0".parse().unwrap(),
        ..Config::default()
    };
    let running = Running::start(&config, Clock::system()).unwrap();
    running.app.db.write("test", |tx| store::add(tx, &"lab".parse().unwrap(), &settings())).await.unwrap();
    let http = reqwest::Client::new();
    for (name, signature) in [
        ("lab", Some(signature::sign(b"wrong", b"{}"))),
        ("lab", Some(signature::sign(b"wronger", b"{}"))),
        ("lab", None),
        ("nobody", Some(signature::sign(b"wrong", b"{}"))),
    ] {
        let url = format!("http://{}/webhooks/woocommerce/{name}", running.address);
        let mut request = http.post(url).body("{}");
        if let Some(signature) = signature {
            request = request.header("X-WC-Webhook-Signature", signature);
        }
        assert_eq!(request.send().await.unwrap().status(), 401);
    }
    running.stop().await.unwrap();
    let file = rusqlite::Connection::open(&path).unwrap();
    let counted = "SELECT COUNT(*), SUM(refused_count) FROM store_health";
    let counted: (i64, i64) = file.query_row(counted, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(counted, (1, 2));
}

/// The webhook's user lost its rights: the shop says so under a right signature, always in the same bytes.
#[tokio::test]
async fn error_objects_are_remembered_each_time() {
    let app = TestApp::start().await;
    let recorded = scenario("34-webhook-user-lost-rights");
    let error = recorded.iter().find(|delivery| delivery.body.starts_with(b"{\"code\"")).unwrap();
    let start = app.clock.now();
    for minutes in [1, 2] {
        let at = start.plus_millis(minutes * 60 * 1000);
        app.clock.turn_to(at);
        app.replay(error).await;
        let known = health(app.db(), app.store_id());
        assert_eq!(known.error_at, Some(at));
        assert_eq!(known.error_code.as_deref(), Some("woocommerce_rest_cannot_view"));
        let store = app.db().read(|tx| store::by_id(tx, app.store_id())).unwrap().unwrap();
        let address = Address::new(None, &store.name);
        let findings = watch::judge(&store, &address, &known, at, &Ok(Vec::new()));
        let rights = findings.iter().find(|finding| finding.code.as_str() == "user_rights").unwrap();
        assert_eq!(rights.severity, Severity::Fault);
    }
    assert_eq!(app.count("delivery"), 1);
}

// Watched --------------------------------------------------------------------------------------------

/// A store named `asked`, with REST keys for `shop`.
fn add_store(app: &TestApp, shop: &FakeShop) -> i64 {
    let url = shop.url.clone();
    let store = write(app.db(), move |tx| {
        let mut settings = Settings::new(url, secret(SECRET));
        settings.rest_keys = Some(RestKeys::new(fake_shop::KEY, fake_shop::SECRET).unwrap());
        store::add(tx, &"asked".parse().unwrap(), &settings)
    });
    store.id
}

/// The daemon looks by itself, a minute after its start and then every hour, and changes nothing.
#[tokio::test]
async fn the_daemon_looks_at_the_webhooks_every_hour() {
    let app = TestApp::start_with(|config| {
        config.public_url = Some("https://wallet.example".parse().unwrap());
    })
    .await;
    let start = app.clock.now();
    let shop = FakeShop::start("", &app.clock).await;
    let id = add_store(&app, &shop);
    let looked = async |at: Timestamp| {
        app.clock.turn_to(at);
        let looked = async {
            while health(app.db(), id).checked_at != Some(at) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), looked).await.expect("the daemon looks");
        // It is what is kept, so also what a check by hand found.
        let counts = app.http.get(app.url("/metrics")).send().await.unwrap().text().await.unwrap();
        let gauge = "nivella_webhook_faults{store=\"asked\"} ";
        let faults: u32 = counts.lines().find_map(|line| line.strip_prefix(gauge)).unwrap().parse().unwrap();
        let findings = health(app.db(), id).findings;
        let codes: Vec<String> =
            findings.iter().map(|finding| format!("{} {}", finding.severity, finding.code)).collect();
        (faults, codes)
    };
    let (faults, codes) = looked(start.plus_millis(FIRST_LOOK_MS)).await;
    assert_eq!(faults, 4);
    assert_eq!(codes, [["fault missing"; 4].as_slice(), ["warning missing"; 3].as_slice()].concat());
    assert_eq!(shop.asked(), ["webhooks?order=asc&orderby=id&page=1&per_page=100"], "only looked at");

    shop.put_list("webhooks", good());
    let at = start.plus_millis(FIRST_LOOK_MS + LOOK_EVERY_MS);
    assert_eq!(looked(at).await, (0, vec!["ok webhooks".to_owned()]));

    let mut broken = good();
    broken[1]["status"] = "disabled".into();
    broken[2]["delivery_url"] = "https://old.example/webhooks/woocommerce/asked".into();
    shop.put_list("webhooks", broken);
    let at = at.plus_millis(LOOK_EVERY_MS);
    assert_eq!(looked(at).await, (2, vec!["fault disabled".to_owned(), "fault elsewhere".to_owned()]));

    shop.script(403, &[], r#"{"code":"woocommerce_rest_cannot_view","message":"x"}"#);
    let at = at.plus_millis(LOOK_EVERY_MS);
    assert_eq!(looked(at).await, (1, vec!["fault keys".to_owned()]));
    assert!(shop.asked().iter().all(|asked| !asked.contains("POST") && !asked.contains("PUT")));
}

// From the command line ------------------------------------------------------------------------------

/// A folder with a database that has the store `asked`, and the program to work on it.
struct Desk {
    folder: tempfile::TempDir,
}

/// What a command answered.
struct Told {
    status: i32,
    json: Value,
    text: String,
}

impl Desk {
    fn new(shop: &str, has_keys: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("secret.txt", SECRET), ("new.txt", NEW_SECRET), ("keys.txt", fake_shop::SECRET)]
        {
            std::fs::write(folder.path().join(name), format!("{text}\n")).unwrap();
        }
        let desk = Self { folder };
        let keys = format!(" --consumer-key {} --consumer-secret-file keys.txt", fake_shop::KEY);
        let keys = if has_keys { keys.as_str() } else { "" };
        desk.ok(&format!("store add asked --url {shop} --webhook-secret-file secret.txt{keys}"));
        desk
    }

    fn output(&self, arguments: &str, public_url: Option<&str>) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nivella-wallet"));
        command.current_dir(self.folder.path()).args(["--database", "sqlite:wallet.db"]).env_clear();
        if let Some(url) = public_url {
            command.env("NIVELLA_WALLET_PUBLIC_URL", url);
        }
        command.args(arguments.split(' ')).output().unwrap()
    }

    /// Runs a command as a program would; no answer of it shows a secret.
    fn told(&self, arguments: &str, public_url: Option<&str>) -> Told {
        let output = self.output(&format!("--json {arguments}"), public_url);
        let text = String::from_utf8([output.stdout.clone(), output.stderr.clone()].concat()).unwrap();
        for secret in [SECRET, NEW_SECRET, fake_shop::SECRET] {
            assert!(!text.contains(secret), "{text}");
        }
        let said = if output.stdout.is_empty() { &output.stderr } else { &output.stdout };
        let json =
            serde_json::from_slice(said).unwrap_or_else(|error| panic!("{arguments}: {error}\n{text}"));
        Told { status: output.status.code().unwrap(), json, text }
    }

    fn ok(&self, arguments: &str) -> Value {
        let told = self.told(arguments, None);
        assert_eq!(told.status, 0, "{arguments}: {}", told.text);
        told.json
    }

    fn check(&self, more: &str) -> Told {
        self.told(format!("store check asked {more}").trim(), Some("https://wallet.example"))
    }

    fn column(&self, sql: &str) -> Option<String> {
        let file = rusqlite::Connection::open(self.folder.path().join("wallet.db")).unwrap();
        file.query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

impl Told {
    /// The findings that are not as they should be, as `severity code`.
    fn wrong(&self) -> Vec<String> {
        let findings = self.json["findings"].as_array().unwrap();
        findings
            .iter()
            .map(|finding| {
                format!("{} {}", finding["severity"].as_str().unwrap(), finding["code"].as_str().unwrap())
            })
            .filter(|finding| !finding.starts_with("ok "))
            .collect()
    }

    fn repairs(&self) -> Vec<String> {
        let repairs = self.json["repairs"].as_array().unwrap();
        repairs
            .iter()
            .map(|repair| {
                let topic = repair["topic"].as_str().unwrap();
                let what = ["enable", "point_here", "set_secret", "done"];
                let what: Vec<&str> = what.into_iter().filter(|what| repair[what] == true).collect();
                format!("{topic} {}", what.join(" "))
            })
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_without_webhooks_is_repaired_from_the_command_line() {
    let shop = FakeShop::start("", &Clock::system()).await;
    shop.put_list("products", Vec::new());
    let others = shop.list("webhooks");
    let desk = Desk::new(&shop.url.to_string(), true);

    let missing = [["fault missing"; 4].as_slice(), ["warning missing"; 3].as_slice()].concat();
    let checked = desk.check("");
    assert_eq!((checked.status, checked.wrong()), (1, missing.iter().map(ToString::to_string).collect()));
    assert_eq!((&checked.json["faults"], &checked.json["warnings"]), (&json!(4), &json!(3)));
    assert_eq!(checked.json["webhook_url"], HERE);

    let tried = desk.check("--repair --dry-run");
    assert!(shop.asked().iter().all(|asked| !asked.starts_with('P')), "a look writes nothing");
    assert_eq!((tried.status, tried.json["dry_run"].as_bool()), (1, Some(true)));
    let would: Vec<String> =
        NEEDED.iter().map(|need| format!("{} enable point_here set_secret", need.topic)).collect();
    assert_eq!(tried.repairs(), would);
    assert_eq!(shop.list("webhooks"), others, "trying it changed the shop");

    let repaired = desk.check("--repair");
    assert_eq!((repaired.status, repaired.wrong()), (0, Vec::new()), "{}", repaired.text);
    let done: Vec<String> = would.iter().map(|would| format!("{would} done")).collect();
    assert_eq!(repaired.repairs(), done);
    assert_eq!(repaired.json["repairs"][0]["made"], 21);
    let mut expected: Vec<String> =
        NEEDED.iter().map(|need| format!("{} active {HERE}", need.topic)).collect();
    expected.sort();
    assert_eq!(ours(&shop), expected);
    let all = shop.list("webhooks");
    assert_eq!(all[..others.len()], others, "another receiver's webhooks were touched");
    assert_eq!(all.last().unwrap()["name"], "Nivella Credit Wallet: product.deleted");
    let secrets = shop.state.lock().unwrap().secrets.clone();
    assert!(secrets.len() == NEEDED.len() && secrets.values().all(|secret| secret == SECRET), "{secrets:?}");

    // A second time there is nothing to do, and nothing is done.
    shop.asked();
    let again = desk.check("--repair");
    assert_eq!((again.status, again.repairs()), (0, Vec::new()));
    let written: Vec<String> = shop.asked().into_iter().filter(|asked| asked.starts_with('P')).collect();
    assert_eq!(written, ["POST webhooks"], "only whether it may was asked");
    let shown = desk.ok("store show asked");
    assert_eq!(shown["health"]["findings"].as_array().unwrap().len(), 2, "{shown}");
    let shown = String::from_utf8(desk.output("store show asked", None).stdout).unwrap();
    assert!(shown.contains("as they should be, checked just now"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_off_or_moved_is_mended_and_others_are_left_alone() {
    let shop = FakeShop::start("", &Clock::system()).await;
    shop.put_list("products", Vec::new());
    let desk = Desk::new(&shop.url.to_string(), true);
    let crm = hook(7, "order.created", "disabled", "https://crm.example/hook");
    let mut webhooks = good();
    webhooks[0]["status"] = "paused".into();
    webhooks[1]["status"] = "disabled".into();
    webhooks[2]["delivery_url"] = "http://10.0.0.1/webhooks/woocommerce/asked".into();
    webhooks.push(crm.clone());
    shop.put_list("webhooks", webhooks);
    let checked = desk.check("");
    assert_eq!(checked.wrong(), ["fault paused", "fault disabled", "fault elsewhere"]);
    let people = desk.output("store check asked", Some("https://wallet.example"));
    let people = String::from_utf8(people.stdout).unwrap();
    for words in ["fault    disabled", "7 failed deliveries in a row", "ok       keys", "what to do:"] {
        assert!(people.contains(words), "{words:?} is not in\n{people}");
    }
    let shown = String::from_utf8(desk.output("store show asked", None).stdout).unwrap();
    assert!(shown.contains("3 faults and 0 warnings, checked just now"), "{shown}");

    let repaired = desk.check("--repair");
    assert_eq!(
        repaired.repairs(),
        [
            "order.created enable done",
            "order.updated enable done",
            "order.deleted point_here set_secret done"
        ]
    );
    assert_eq!(repaired.json["repairs"][2]["was"], "http://10.0.0.1/webhooks/woocommerce/asked");
    assert_eq!((repaired.status, repaired.wrong()), (0, Vec::new()), "{}", repaired.text);
    assert_eq!(shop.list("webhooks").last(), Some(&crm));
    let secrets = shop.state.lock().unwrap().secrets.clone();
    assert_eq!(secrets.into_iter().collect::<Vec<_>>(), [(103, SECRET.to_owned())]);
}

/// The secret was changed here: the old one is taken meanwhile, and the repair sets the new one in the shop.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_secret_is_set_in_the_shop() {
    let shop = FakeShop::start("", &Clock::system()).await;
    shop.put_list("products", Vec::new());
    let mut webhooks = good();
    webhooks.push(hook(120, "action.woocommerce_payment_complete", "active", HERE));
    shop.put_list("webhooks", webhooks);
    let desk = Desk::new(&shop.url.to_string(), true);
    let tried = desk.ok("store set asked --webhook-secret-file new.txt --dry-run");
    assert!(tried["health"]["old_secret_until"].is_string(), "{tried}");
    assert_eq!(desk.column("SELECT previous_secret FROM store"), None);
    desk.ok("store set asked --webhook-secret-file new.txt");
    assert_eq!(desk.column("SELECT previous_secret FROM store").as_deref(), Some(SECRET));
    let people = String::from_utf8(desk.output("store show asked", None).stdout).unwrap();
    assert!(people.contains("set; the old one is taken until 2"), "{people}");

    let checked = desk.check("");
    assert_eq!((checked.status, checked.wrong()), (0, vec!["warning old_secret".to_owned()]));
    let repaired = desk.check("--repair");
    assert_eq!((repaired.status, repaired.wrong()), (0, Vec::new()), "{}", repaired.text);
    let secrets = shop.state.lock().unwrap().secrets.clone();
    assert!(secrets.len() == 8 && secrets.values().all(|secret| secret == NEW_SECRET), "{secrets:?}");
    assert_eq!(desk.check("--repair").repairs(), [""; 0], "it was set before");

    let ended = desk.ok("store set asked --old-secret-valid 2h");
    assert!(ended["health"]["old_secret_until"].is_string(), "{ended}");
    let ended = desk.ok("store set asked --old-secret-valid 0");
    assert!(ended["health"]["old_secret_until"].is_null(), "{ended}");
    assert_eq!(desk.column("SELECT previous_secret FROM store"), None);
    let refused = desk.told("store set asked --old-secret-valid 1h", None);
    assert_eq!(refused.status, 1);
    assert!(refused.text.contains("no old webhook secret is taken any more"), "{}", refused.text);
    for wrong in ["1", "-1h", "1.5h", "31d", "h", "2w", "99999999999999999999d"] {
        let refused = desk.told(&format!("store set asked --old-secret-valid={wrong}"), None);
        assert_eq!(refused.status, 2, "{wrong}: {}", refused.text);
    }

    // Ended at once, because it leaked: all that is signed with it is refused, so the webhooks need the new one.
    desk.ok("store set asked --webhook-secret-file secret.txt --old-secret-valid 0");
    assert_eq!(desk.column("SELECT previous_secret FROM store"), None);
    assert_eq!(desk.column("SELECT webhook_secret FROM store").as_deref(), Some(SECRET));
    let checked = desk.check("");
    assert_eq!((checked.status, checked.wrong()), (1, vec!["fault old_secret".to_owned()]));
    let repaired = desk.check("--repair");
    assert_eq!((repaired.status, repaired.repairs().len()), (0, 8), "{}", repaired.text);
    let secrets = shop.state.lock().unwrap().secrets.clone();
    assert!(secrets.len() == 8 && secrets.values().all(|secret| secret == SECRET), "{secrets:?}");
    assert_eq!(desk.check("").wrong(), Vec::<String>::new());
}

/// The same secret again is no change: what was said of the one before it stays.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_secret_again_changes_nothing() {
    let desk = Desk::new("https://shop.example", false);
    desk.ok("store set asked --webhook-secret-file new.txt");
    let kept = "SELECT previous_until || ' ' || secret_at FROM store JOIN store_health ON store_id = id";
    let before = desk.column(kept);
    let again = desk.output("store set asked --webhook-secret-file new.txt", None);
    let said = String::from_utf8(again.stdout).unwrap();
    assert!(said.contains("is this one already") && !said.contains("changed store"), "{said}");
    assert!(!said.contains("Set the new secret"), "{said}");
    assert_eq!(desk.column(kept), before);
    assert_eq!(desk.ok("store set asked --webhook-secret-file new.txt")["set"], json!([]));
    let ended = desk.output("store set asked --webhook-secret-file new.txt --old-secret-valid 0", None);
    let said = String::from_utf8(ended.stdout).unwrap();
    assert!(said.contains("changed store asked: how long the old webhook secret is taken"), "{said}");
    assert_eq!(desk.column("SELECT previous_secret FROM store"), None);
}

/// Which secret the shop signs with is seen from what comes: also from a repeat, which leaves no row.
#[tokio::test]
async fn a_delivery_with_todays_secret_ends_the_doubt_and_a_repeat_is_a_sign_of_life() {
    let app = TestApp::start().await;
    let start = app.clock.now();
    assert_eq!(send(&app, "lab", Some(SECRET)).await, 200);
    let codes = |now: Timestamp| {
        let store = app.db().read(|tx| store::by_id(tx, app.store_id())).unwrap().unwrap();
        let known = health(app.db(), store.id);
        let findings = watch::judge(&store, &Address::new(None, &store.name), &known, now, &Ok(Vec::new()));
        let told = findings.iter().filter(|finding| finding.code.as_str() == "old_secret");
        (told.map(|finding| finding.severity).next(), known.heard_at)
    };
    assert_eq!(codes(start), (None, Some(start)));
    let later = start.plus_millis(8 * DAY_MS);
    app.clock.turn_to(later);
    assert_eq!(send(&app, "lab", Some(SECRET)).await, 200);
    assert_eq!((codes(later), app.count("delivery")), ((None, Some(later)), 1), "a repeat is heard");
    // Within a minute nothing is written.
    app.clock.turn_to(later.plus_millis(59_999));
    assert_eq!(send(&app, "lab", Some(SECRET)).await, 200);
    assert_eq!(codes(later).1, Some(later));

    let until = later.plus_millis(DAY_MS);
    change_secret(&app, NEW_SECRET, Some(until));
    assert_eq!(codes(later).0, Some(Severity::Warning));
    assert_eq!(send(&app, "lab", Some(SECRET)).await, 200);
    assert_eq!(codes(later).0, Some(Severity::Warning), "the old one proves nothing");
    assert_eq!(send(&app, "lab", Some(NEW_SECRET)).await, 200);
    assert_eq!(codes(later).0, None);
    assert_eq!(send(&app, "lab", Some(SECRET)).await, 200);
    assert_eq!(codes(later).0, None, "of the same instant");
    app.clock.turn_to(later.plus_millis(120_000));
    assert_eq!(send(&app, "lab", Some(SECRET)).await, 200);
    assert_eq!(codes(later).0, Some(Severity::Warning), "a webhook has the old one still");
    app.clock.turn_to(until);
    assert_eq!(codes(until).0, Some(Severity::Fault), "and is refused from now");
    assert_eq!(send(&app, "lab", Some(NEW_SECRET)).await, 200);
    assert_eq!(codes(until).0, None);
    change_secret(&app, NEWEST_SECRET, None);
    assert_eq!(codes(until).0, Some(Severity::Fault), "the old one was ended at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hinders_a_check_is_said_with_its_remedy() {
    let shop = FakeShop::start("", &Clock::system()).await;
    let desk = Desk::new(&shop.url.to_string(), true);
    // Products without credits are named; so is a category the shop does not have.
    desk.ok("package set --store asked --product 10 --credits 1000");
    desk.ok("store set asked --tokens-category tokens --tokens-category nothing");
    shop.put_list("webhooks", good());
    let checked = desk.check("");
    let wrong = checked.wrong();
    assert!(wrong.contains(&"warning categories".to_owned()), "{wrong:?}");
    assert!(wrong.contains(&"warning products".to_owned()), "{wrong:?}");
    assert!(
        !checked.text.contains("product 10 (") && checked.text.contains("product 11 ("),
        "{}",
        checked.text
    );
    desk.ok("store set asked --tokens-category nothing");
    assert_eq!(desk.check("").wrong(), ["fault categories"]);
    desk.ok("store set asked --tokens-category tokens");
    shop.put_list("products", Vec::new());

    // Keys that may only read do to look, not to repair.
    shop.state.lock().unwrap().may_write = false;
    let checked = desk.check("");
    assert_eq!((checked.status, checked.wrong()), (0, Vec::new()), "{}", checked.text);
    assert!(checked.text.contains("may write is seen with --repair"), "{}", checked.text);
    assert_eq!(desk.check("--repair").status, 0, "there is nothing to repair");
    shop.put_list("webhooks", Vec::new());
    let refused = desk.check("--repair");
    assert_eq!((refused.status, refused.wrong()[0].as_str()), (1, "fault keys"), "{}", refused.text);
    assert!(refused.text.contains("Read/Write") && refused.repairs().iter().all(|one| !one.contains("done")));
    assert_eq!(shop.list("webhooks"), Vec::<Value>::new());

    // A repair that breaks off says what it did, and what is left is done the next time.
    let left = |changes: usize| {
        let mut shop = shop.state.lock().unwrap();
        (shop.may_write, shop.changes_left) = (true, changes);
    };
    left(2);
    let broken = desk.told("store check asked --repair --dry-run", Some("https://wallet.example"));
    assert_eq!(broken.repairs().len(), NEEDED.len());
    let broken = desk.check("--repair");
    let done: Vec<bool> = broken.repairs().iter().map(|one| one.ends_with(" done")).collect();
    assert_eq!(done, [true, true, false, false, false, false, false], "{}", broken.text);
    assert!(broken.json["repairs"][2]["error"].as_str().unwrap().contains("status 500"), "{}", broken.text);
    assert_eq!(broken.wrong()[0], "fault missing");
    left(usize::MAX);
    let repaired = desk.check("--repair");
    assert_eq!((repaired.status, repaired.repairs().len()), (0, NEEDED.len() - 2), "{}", repaired.text);

    let broken = desk.told("store check asked --repair", None);
    assert_eq!(broken.status, 1);
    assert!(broken.json["help"].as_str().unwrap().contains("public_url"), "{}", broken.text);

    shop.script(401, &[], crate::support::recorded("rest/401-wrong-secret.body"));
    let checked = desk.check("");
    assert_eq!((checked.status, checked.wrong()), (1, vec!["fault keys".to_owned()]));
    assert!(checked.text.contains("store set asked --consumer-key"), "{}", checked.text);

    let gone = Desk::new(&format!("http://{}", nobody().await), true);
    let checked = gone.check("");
    assert_eq!((checked.status, checked.wrong()), (1, vec!["fault unreachable".to_owned()]));
    assert!(checked.text.contains("store set asked --url"), "{}", checked.text);
    let mute = Desk::new("https://shop.example", false);
    let checked = mute.check("--repair");
    assert_eq!((checked.status, checked.wrong()), (1, vec!["fault no_keys".to_owned()]));
    assert!(checked.text.contains("--consumer-key"), "{}", checked.text);
    assert_eq!(mute.told("store check nobody", None).status, 1);
}

#[tokio::test]
async fn a_shop_that_hangs_is_given_up() {
    let shop = FakeShop::start("", &clock()).await;
    let patience =
        nivella_wallet::shop::rest::Patience { whole: Duration::from_millis(50), retries: 0, ..impatient() };
    let rest = Rest::new(shop.access(), patience, clock()).unwrap();
    shop.hang();
    let error = watch::webhooks(&rest).await.unwrap_err();
    let finding = watch::not_asked(&error, &"lab".parse().unwrap());
    assert_eq!((finding.severity, finding.code.as_str()), (Severity::Fault, "unreachable"));
}
