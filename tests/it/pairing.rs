//! A shop's plugin connects itself with a code, and what is told of the shop afterwards.

use nivella_wallet::db::{self, Db, Keep};
use nivella_wallet::http::problem::Code as Refusal;
use nivella_wallet::inbox::signature;
use nivella_wallet::pairing::{self, Asked, Code, Error, Token};
use nivella_wallet::shop::store as shops;
use nivella_wallet::time::DAY_MS;
use nivella_wallet::{access, catalog};
use reqwest::{Method, Response};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::app::{SECRET, TestApp, key, lab, scenario, write};
use crate::cli::Desk;
use crate::support::databases;

/// What the plugin signs with once it is paired.
const OWN: &str = "what-the-plugin-made-for-itself-0123456789";

/// Where the recorded shop is.
const LAB: &str = "http://127.0.0.1:8088/";

/// Makes a code for a store, good for an hour.
fn code(db: &Db, store: &str, url: Option<&str>) -> String {
    let token = Token::generate().unwrap();
    let (store, url) = (store.parse().unwrap(), url.map(|url| url.parse().unwrap()));
    let made = token.clone();
    write(db, move |tx| {
        let expires_at = tx.now().plus_millis(60 * 60 * 1000);
        let code =
            Code { store, address: "https://wallet.example/credits/".parse().unwrap(), url, expires_at };
        pairing::offer(tx, &code, &made)
    });
    token.reveal().to_owned()
}

/// What the plugin sends.
fn asked(token: &str, url: &str) -> Value {
    json!({ "token": token, "url": url, "webhook_secret": OWN })
}

impl TestApp {
    /// Asks to be paired, without any key; answers status and body.
    async fn pair(&self, asked: &Value) -> (u16, Value) {
        let sent = self.http.post(self.url("/v1/pairing")).body(asked.to_string()).send().await.unwrap();
        told(sent).await
    }

    /// A request with another key than the administrator's.
    async fn ask_with(&self, key: &str, method: Method, path: &str) -> (u16, Value) {
        told(self.http.request(method, self.url(path)).bearer_auth(key).send().await.unwrap()).await
    }

    /// Sends a recorded order to a store, signed; answers the status and what the shop was told.
    async fn send_order(&self, store: &str, secret: &str, body: Vec<u8>) -> (u16, Value) {
        let sent = self.http.post(self.url(&format!("/webhooks/woocommerce/{store}")));
        let sent = sent
            .header("X-WC-Webhook-Topic", "order.updated")
            .header("X-WC-Webhook-Signature", signature::sign(secret.as_bytes(), &body))
            .body(body)
            .send();
        let (status, body) = told(sent.await.unwrap()).await;
        (status, body["result"].clone())
    }
}

async fn told(answer: Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
}

/// The recorded order 27 in another state: another time makes it another delivery.
fn order(modified: &str) -> Vec<u8> {
    let mut order: Value = serde_json::from_slice(&scenario("02-paid-order-one-token")[2].body).unwrap();
    order["date_modified_gmt"] = modified.into();
    serde_json::to_vec(&order).unwrap()
}

// Connecting -------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_new_shop_connects_with_a_code_and_its_orders_count() {
    let app = TestApp::start().await;
    let token = code(app.db(), "shop", None);
    let mut asked = asked(&token, "https://shop.example/");
    asked["rest"] = json!({ "consumer_key": "ck_1ab0", "consumer_secret": "cs_2cd0" });
    asked["events_url"] = "https://shop.example/wp-json/nivella-credit-wallet/v1/events".into();
    let (status, paired) = app.pair(&asked).await;
    assert_eq!(status, 201, "{paired}");
    let own = paired["key"].as_str().unwrap();
    assert_eq!(paired["webhook_url"], "https://wallet.example/credits/webhooks/woocommerce/shop");
    assert_eq!((&paired["store"], &paired["unit"]), (&"shop".into(), &"AI Credits".into()));
    assert_eq!(paired["paid_statuses"], json!(["processing", "completed"]));
    assert!(paired["events_secret"].as_str().unwrap().starts_with("whsec_"));

    // The key does everything, the secret signs, and the shop can be asked.
    let (status, shown) = app.ask_with(own, Method::GET, "/v1/stores/shop").await;
    assert_eq!(status, 200, "{shown}");
    assert_eq!(shown["url"], "https://shop.example");
    assert_eq!(
        (&shown["paired_at"], &shown["has_rest_keys"]),
        (&"2026-11-20T18:00:00Z".into(), &true.into())
    );
    let known = app.db().read(|tx| {
        let store = shops::find(tx, &"shop".parse().unwrap())?.unwrap();
        Ok::<_, db::Error>((shops::access(tx, store.id)?.is_some(), store.id))
    });
    let (can_be_asked, store) = known.unwrap();
    assert!(can_be_asked);
    let package = catalog::Package {
        target: "product:10".parse().unwrap(),
        basis: catalog::worth::Basis::PerUnit("1000".parse().unwrap()),
        validity: nivella_wallet::time::Validity::Never,
        category: nivella_wallet::ledger::slice::Category::Paid,
        label: None,
    };
    write(app.db(), move |tx| catalog::store::set_package(tx, store, &package).map(drop));
    assert_eq!(app.send_order("shop", OWN, order("2026-11-20T17:00:00")).await, (200, "granted".into()));
    assert_eq!(app.available("account:shop:customer:2").await, "1000");
    let (_, shown) = app.ask_with(own, Method::GET, "/v1/stores/shop").await;
    assert_eq!(shown["last_delivery"]["topic"], "order.updated");
    assert_eq!(shown["orders"], json!({ "known": 1, "parked": 0, "attention": 0, "unclaimed": 0 }));

    // The key is called after the store, and the code opens nothing a second time.
    let names = app.db().read(access::store::list).unwrap();
    assert!(names.iter().any(|key| key.name == "store shop" && paired["key_id"] == key.id.as_str()));
    let (status, again) = app.pair(&asked).await;
    assert_eq!((status, &again["code"]), (410, &Refusal::PairingEnded.as_str().into()));
    assert_eq!(app.count("pairing_code"), 0);
}

#[tokio::test]
async fn a_shop_that_is_paired_again_loses_nothing() {
    let app = TestApp::start().await;
    let store = app.store_id();
    write(app.db(), move |tx| {
        let mut settings = shops::settings(tx, store)?.unwrap();
        settings.tokens_categories = vec!["bundles".to_owned()];
        shops::update(tx, store, &settings).map(drop)
    });
    assert_eq!(app.send_order("lab", SECRET, order("2026-11-20T17:00:00")).await, (200, "granted".into()));

    let mut first = asked(&code(app.db(), "lab", Some("https://127.0.0.1:8088")), LAB);
    first["rest"] = json!({ "consumer_key": "ck_1ab0", "consumer_secret": "cs_2cd0" });
    first["events_url"] = "http://127.0.0.1:8088/?rest_route=/nivella-credit-wallet/v1/events".into();
    let (status, first) = app.pair(&first).await;
    assert_eq!(status, 201, "{first}");
    assert_eq!(first["tokens_categories"], json!(["bundles"]));
    assert_eq!(app.available("account:lab:customer:2").await, "1000");

    // Both secrets are good for a day; then only the new one is.
    assert_eq!(app.send_order("lab", SECRET, order("2026-11-20T17:00:01")).await.0, 200);
    assert_eq!(app.send_order("lab", OWN, order("2026-11-20T17:00:02")).await.0, 200);
    app.clock.turn_to(app.clock.now().plus_millis(DAY_MS));
    assert_eq!(app.send_order("lab", SECRET, order("2026-11-20T17:00:03")).await.0, 401);
    assert_eq!(app.send_order("lab", OWN, order("2026-11-20T17:00:03")).await.0, 200);

    // Once more, without REST keys or events: the former key is over, the REST keys are still there.
    let second = asked(&code(app.db(), "lab", None), LAB);
    let (status, second) = app.pair(&second).await;
    assert_eq!((status, &second["events_secret"]), (201, &Value::Null), "{second}");
    assert_eq!(app.count("store_events"), 0);
    let (former, present) = (first["key"].as_str().unwrap(), second["key"].as_str().unwrap());
    assert_eq!(app.ask_with(former, Method::GET, "/v1/stores/lab").await.0, 401);
    let (_, shown) = app.ask_with(present, Method::GET, "/v1/stores/lab").await;
    assert_eq!((&shown["has_rest_keys"], &shown["orders"]["known"]), (&true.into(), &1.into()));
    assert_eq!(app.available("account:lab:customer:2").await, "1000");
    // They go with the pairing that brought them, though a later one did not mention them.
    assert_eq!(app.ask_with(present, Method::DELETE, "/v1/pairing").await.0, 200);
    assert_eq!(app.get("/v1/stores/lab").await["has_rest_keys"], false);
}

/// Refunds and products that nobody could ask about are asked about as soon as there are keys.
#[tokio::test]
async fn what_waited_for_the_shop_is_tried_when_it_is_paired() {
    let app = TestApp::start().await;
    let (status, _) = app.pair(&asked(&code(app.db(), "lab", None), LAB)).await;
    assert_eq!(status, 201);
    assert_eq!(app.count("parked_retry"), 1);
}

// Refusals ---------------------------------------------------------------------------------------------

#[tokio::test]
async fn codes_that_are_not_good_are_refused_alike_and_ten_times_a_minute() {
    let app = TestApp::start().await;
    let over = code(app.db(), "one", None);
    let replaced = code(app.db(), "two", None);
    let good = code(app.db(), "two", None);
    app.clock.turn_to(app.clock.now().plus_millis(59 * 60 * 1000));
    let fresh = code(app.db(), "three", None);
    app.clock.turn_to(app.clock.now().plus_millis(60 * 1000));
    let unknown = Token::generate().unwrap().reveal().to_owned();
    let mut bodies = Vec::new();
    for token in [&over, &replaced, &good, &unknown] {
        let (status, body) = app.pair(&asked(token, "https://shop.example")).await;
        assert_eq!(status, 410, "{body}");
        bodies.push(body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "they can be told apart: {bodies:?}");
    // Nothing is said about the rest of a request that has no code.
    assert_eq!(app.pair(&json!({ "token": unknown, "url": 5, "x": 1 })).await.0, 410);
    for _ in 5..10 {
        assert_eq!(app.pair(&asked(&unknown, "https://shop.example")).await.0, 410);
    }
    let sent = self::asked(&unknown, "https://shop.example").to_string();
    let refused = app.http.post(app.url("/v1/pairing")).body(sent).send().await.unwrap();
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].to_str().unwrap()), (429, "60"));
    // A stranger who guesses keeps no shop out.
    assert_eq!(app.pair(&asked(&fresh, "https://shop.example")).await.0, 201);
    app.clock.turn_to(app.clock.now().plus_millis(60 * 1000));
    assert_eq!(app.pair(&asked(&unknown, "https://shop.example")).await.0, 410);
}

#[tokio::test]
async fn every_fault_is_named_and_a_code_is_good_until_it_was_used() {
    let app = TestApp::start().await;
    let token = code(app.db(), "shop", None);
    let (status, refused) = app
        .pair(&json!({
            "token": token, "url": "shop.example", "webhook_secret": "hunter2", "events_url": "ftp://x",
            "rest": { "consumer_key": "cs_1", "consumer_secret": "cs_1", "more": 1 }, "site": "x"
        }))
        .await;
    assert_eq!(status, 422);
    let pointers: Vec<&str> = refused["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| fault["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(
        pointers,
        ["/site", "/url", "/webhook_secret", "/rest/more", "/rest/consumer_key", "/events_url"]
    );
    assert!(!refused.to_string().contains("hunter2") && !refused.to_string().contains(&token));
    for (name, value, pointer) in [
        ("token", json!("nwp_short"), "/token"),
        ("token", json!(null), "/token"),
        ("rest", json!([]), "/rest"),
        ("rest", json!({ "consumer_key": "ck_1" }), "/rest/consumer_secret"),
        ("events_url", json!("https://evil.example/hook"), "/events_url"),
        ("webhook_secret", json!(7), "/webhook_secret"),
        ("url", json!("https://u:p@shop.example"), "/url"),
    ] {
        let mut asked = asked(&token, "https://shop.example");
        asked[name] = value;
        let (status, refused) = app.pair(&asked).await;
        assert_eq!((status, &refused["errors"][0]["pointer"]), (422, &pointer.into()), "{refused}");
    }
    assert_eq!(app.pair(&asked(&token, "https://shop.example")).await.0, 201);
}

#[tokio::test]
async fn a_store_is_no_other_shops() {
    let app = TestApp::start().await;
    let token = code(app.db(), "lab", None);
    let (status, refused) = app.pair(&asked(&token, "https://other.example/")).await;
    assert_eq!((status, &refused["code"]), (409, &"store_elsewhere".into()));
    let detail = refused["detail"].as_str().unwrap();
    assert!(
        detail.contains("belongs to http://127.0.0.1:8088") && detail.contains("store set lab --url"),
        "{detail}"
    );
    // A code for one shop makes no store for another.
    let token = code(app.db(), "new", Some("https://new.example"));
    let (status, refused) = app.pair(&asked(&token, "https://other.example/")).await;
    assert_eq!(status, 409, "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains("store pair new --url https://other.example"));
    assert_eq!(app.pair(&asked(&token, "http://NEW.example")).await.0, 201);
    assert_eq!(app.count("store"), 2);
}

#[tokio::test]
async fn disconnecting_takes_back_what_was_given_and_leaves_the_books() {
    let app = TestApp::start().await;
    assert_eq!(app.send_order("lab", SECRET, order("2026-11-20T17:00:00")).await.0, 200);
    let mut sent = asked(&code(app.db(), "lab", None), LAB);
    sent["rest"] = json!({ "consumer_key": "ck_1ab0", "consumer_secret": "cs_2cd0" });
    sent["events_url"] = "http://127.0.0.1:8088/events".into();
    let (_, paired) = app.pair(&sent).await;
    let own = paired["key"].as_str().unwrap();
    // Only the shop's own key says so.
    assert_eq!(app.ask_with(&app.admin, Method::DELETE, "/v1/pairing").await.0, 404);
    let reader = key(app.db(), "account:lab:customer:2");
    assert_eq!(app.ask_with(&reader, Method::DELETE, "/v1/pairing").await.0, 404);
    let (status, ended) = app.ask_with(own, Method::DELETE, "/v1/pairing").await;
    assert_eq!((status, ended), (200, json!({ "store": "lab", "revoked": true })));
    assert_eq!(app.ask_with(own, Method::GET, "/v1/stores/lab").await.0, 401);
    let shown = app.get("/v1/stores/lab").await;
    assert_eq!((&shown["paired_at"], &shown["has_rest_keys"]), (&Value::Null, &false.into()));
    assert_eq!((app.count("pairing"), app.count("store_events")), (0, 0));
    assert_eq!(app.available("account:lab:customer:2").await, "1000");
    assert_eq!(app.send_order("lab", OWN, order("2026-11-20T17:00:01")).await.0, 200);

    // REST keys that somebody set by hand since are not the shop's to take away.
    let mut sent = asked(&code(app.db(), "lab", None), LAB);
    sent["rest"] = json!({ "consumer_key": "ck_1ab0", "consumer_secret": "cs_2cd0" });
    let (_, paired) = app.pair(&sent).await;
    let store = app.store_id();
    write(app.db(), move |tx| {
        let mut settings = shops::settings(tx, store)?.unwrap();
        settings.rest_keys = Some(nivella_wallet::shop::RestKeys::new("ck_9", "cs_9").unwrap());
        shops::update(tx, store, &settings).map(drop)
    });
    assert_eq!(app.ask_with(paired["key"].as_str().unwrap(), Method::DELETE, "/v1/pairing").await.0, 200);
    assert_eq!(app.get("/v1/stores/lab").await["has_rest_keys"], true);
}

#[tokio::test]
async fn the_link_leads_to_a_page_that_says_what_to_do() {
    let app = TestApp::start().await;
    let page = app.http.get(app.url("/pair")).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert_eq!(page.headers()["referrer-policy"], "no-referrer");
    let text = page.text().await.unwrap();
    assert!(text.contains("Copy the whole address") && text.contains("Connect"), "{text}");
}

// How a shop stands -------------------------------------------------------------------------------------

#[tokio::test]
async fn a_shop_is_told_of_by_what_is_known_of_it() {
    let app = TestApp::start().await;
    let empty = app.get("/v1/stores/lab").await;
    assert_eq!(empty["last_delivery"], Value::Null);
    assert_eq!(empty["webhooks"], json!({ "state": "unknown", "checked_at": null, "findings": [] }));
    assert_eq!(empty["auto_register"], true);
    // A guest's order, and one with a line whose worth nobody knows.
    let mut of_guest: Value = serde_json::from_slice(&order("2026-11-20T17:00:00")).unwrap();
    of_guest["id"] = 990.into();
    of_guest["customer_id"] = 0.into();
    of_guest["billing"]["email"] = "somebody@guest.example".into();
    assert_eq!(app.send_order("lab", SECRET, serde_json::to_vec(&of_guest).unwrap()).await.1, "granted");
    let mut unknown: Value = serde_json::from_slice(&order("2026-11-20T17:00:00")).unwrap();
    unknown["id"] = 991.into();
    unknown["line_items"][0]["product_id"] = 990.into();
    unknown["line_items"][0]["sku"] = "NOBODY-KNOWS".into();
    assert_eq!(app.send_order("lab", SECRET, serde_json::to_vec(&unknown).unwrap()).await.1, "parked");
    let store = app.store_id();
    app.running.app.refusals.note(Some(store), app.clock.now());
    app.running.app.refusals.flush(app.db()).await.unwrap();
    write(app.db(), move |tx| {
        use nivella_wallet::shop::health::{Code, Finding, Severity};
        let ok = Finding::new(Severity::Ok, Code::Keys, "the keys are right");
        let wrong = Finding::new(Severity::Fault, Code::Missing, "no webhook for order.updated")
            .with_remedy("make one");
        shops::note_findings(tx, store, &[ok, wrong])
    });
    let shown = app.get("/v1/stores/lab").await;
    assert_eq!(shown["orders"], json!({ "known": 2, "parked": 1, "attention": 0, "unclaimed": 1 }));
    assert_eq!(shown["last_delivery"]["result"], "parked");
    assert_eq!(shown["last_refused_at"], "2026-11-20T18:00:00Z");
    assert_eq!(
        shown["webhooks"],
        json!({
            "state": "faulty", "checked_at": "2026-11-20T18:00:00Z",
            "findings": ["no webhook for order.updated: make one"]
        })
    );
    assert!(!shown.to_string().contains(SECRET));
    // Who is no administrator learns nothing of a store, not even that there is one.
    let reader = key(app.db(), "account:lab:customer:2");
    let (status, foreign) = app.ask_with(&reader, Method::GET, "/v1/stores/lab").await;
    let (_, unknown) = app.ask_with(&app.admin, Method::GET, "/v1/stores/nowhere").await;
    assert_eq!((status, foreign), (404, unknown));
}

// On both engines ---------------------------------------------------------------------------------------

#[test]
fn pairing_is_the_same_on_both_engines() {
    for test in databases() {
        let db = &test.db;
        lab(db);
        let pair = |token: &str, url: &str| {
            let token: Token = token.parse().unwrap();
            let asked = Asked {
                url: url.parse().unwrap(),
                webhook_secret: OWN.parse().unwrap(),
                rest: None,
                events: Some(format!("{url}/events").parse().unwrap()),
            };
            db.write_blocking("test", Keep::Effects, move |tx| pairing::pair(tx, &token, asked))
        };
        for (store, url) in [("lab", "http://127.0.0.1:8088"), ("shop", "https://shop.example")] {
            let token = code(db, store, Some(url));
            let paired = pair(&token, url).unwrap();
            assert_eq!(paired.store.name.as_str(), store, "{}", test.name);
            assert!(paired.events_secret.unwrap().expose_secret().starts_with("whsec_"));
            assert!(matches!(pair(&token, url), Err(Error::Ended)), "{}", test.name);
            let again = pair(&code(db, store, None), url).unwrap();
            assert_ne!(again.key_id, paired.key_id);
            let former = db.read(|tx| access::store::get(tx, &paired.key_id)).unwrap().unwrap();
            assert!(former.revoked_at.is_some());
        }
        assert_eq!(db.read(pairing::store::list).unwrap().len(), 2);
        let shop = "shop".parse().unwrap();
        let key = db.read(pairing::store::list).unwrap()[1].key.clone();
        write(db, move |tx| shops::remove(tx, &shop));
        assert_eq!(db.read(pairing::store::list).unwrap().len(), 1);
        let key = db.read(|tx| access::store::get(tx, &key)).unwrap().unwrap();
        assert!(key.revoked_at.is_some(), "the key of a store that is gone opens nothing");
        let moved = db.write_blocking("test", Keep::Effects, |tx| {
            let code = Code {
                store: "lab".parse().unwrap(),
                address: "https://wallet.example".parse().unwrap(),
                url: Some("https://moved.example".parse().unwrap()),
                expires_at: tx.now().plus_millis(1000),
            };
            pairing::offer(tx, &code, &Token::generate()?)
        });
        assert!(matches!(moved, Err(Error::Elsewhere { .. })), "{}", test.name);
    }
}

// On the command line -----------------------------------------------------------------------------------

#[test]
fn a_code_is_shown_once_and_kept_nowhere() {
    let desk = Desk::with_a_store();
    let out =
        desk.ok("store pair shop --url https://shop.example --address https://wallet.example/ --expires 24h");
    let link = out.lines().find_map(|line| line.trim().strip_prefix("https://wallet.example/pair#")).unwrap();
    assert!(link.parse::<Token>().is_ok() && out.contains("AI Credits → Settings"), "{out}");
    assert!(out.contains("is made when https://shop.example uses it") && !out.contains("warning"), "{out}");
    assert!(!desk.content().contains(&link[4..]), "a code is kept");
    let made = desk.json("store pair shop");
    let code = made["code"].as_str().unwrap();
    assert!(code.starts_with("http://127.0.0.1:8080/pair#nwp_"), "{made}");
    assert_eq!(
        (&made["replaced"], &made["is_known"], &made["store"]),
        (&true.into(), &false.into(), &"shop".into())
    );
    assert!(made["warnings"][0].as_str().unwrap().contains("public_url"), "{made}");
    desk.write("nivella-wallet.toml", "public_url = \"http://wallet.example:8080\"\n");
    let made = desk.json("store pair lab");
    assert!(made["code"].as_str().unwrap().starts_with("http://wallet.example:8080/pair#"), "{made}");
    assert_eq!(made["is_known"], true);
    assert!(made["warnings"][0].as_str().unwrap().contains("not encrypted"), "{made}");
    desk.write("nivella-wallet.toml", "listen = \"127.0.0.1:0\"\n");
    for (args, status, said) in [
        ("store pair shop", 1, "--address URL"),
        ("store pair shop --address wallet.example", 2, "https://wallet.example"),
        ("store pair shop --address https://w.example --expires 0", 2, "--expires 1h"),
        ("store pair shop --address https://w.example --expires 31d", 2, "30 days"),
        ("store pair 'a b' --address https://w.example", 2, "is not a store name"),
        (
            "store pair lab --address https://w.example --url https://x.example",
            1,
            "store set lab --url https://x.example",
        ),
    ] {
        let answer = desk.run(args);
        assert_eq!(answer.status, status, "{args}: {answer:?}");
        assert!(answer.err.contains(said), "{args}: {answer:?}");
    }
}

#[test]
fn the_list_of_stores_says_which_are_paired() {
    let desk = Desk::with_a_store();
    let database = format!("sqlite:{}", desk.folder.path().join("nivella-wallet.db").display());
    let clock = nivella_wallet::time::Clock::standing_at("2026-11-20T18:00:00Z".parse().unwrap());
    let db = Db::open(&database.parse().unwrap(), db::Durability::Process, clock).unwrap();
    assert!(desk.ok("store show lab").contains("`nivella-wallet store pair lab`"));
    assert_eq!(desk.json("store list")["items"][0]["paired_at"], Value::Null);
    let token: Token = code(&db, "lab", None).parse().unwrap();
    let asked = Asked {
        url: "https://lab.example".parse().unwrap(),
        webhook_secret: OWN.parse().unwrap(),
        rest: None,
        events: None,
    };
    let paired = write(&db, move |tx| pairing::pair(tx, &token, asked));
    drop(db);
    assert!(desk.ok("store list").contains("2026-11-20 18:00"), "{}", desk.ok("store list"));
    assert_eq!(desk.json("store list")["items"][0]["paired_at"], "2026-11-20T18:00:00Z");
    let shown = desk.json("store show lab");
    assert_eq!(
        shown["pairing"],
        json!({ "key": paired.key_id.as_str(), "paired_at": "2026-11-20T18:00:00Z" })
    );
    let text = desk.ok("store show lab");
    assert!(text.contains("2026-11-20 18:00 UTC, with key_") && text.contains("looks after them"), "{text}");
    for said in [text, shown.to_string(), desk.ok("key list")] {
        assert!(!said.contains(OWN) && !said.contains(paired.key.reveal()), "{said}");
    }
}
