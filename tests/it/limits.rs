//! Limits, policies and the brake, as people set them and as the assistant service meets them.

use std::sync::Arc;

use nivella_wallet::account::merge::merge;
use nivella_wallet::account::settings::{self, Settings};
use nivella_wallet::account::spending;
use nivella_wallet::calendar::Per;
use nivella_wallet::db::{self, Db, Keep, Tx};
use nivella_wallet::ledger::limit::{Brake, OnReached, Pause};
use nivella_wallet::ledger::slice::Compartment;
use nivella_wallet::ledger::store::{Error, NewDebit, brake, spend};
use nivella_wallet::ledger::{LockedAccount, audit};
use nivella_wallet::site::{Field, store as sites};
use nivella_wallet::time::{DAY_MS, HOUR_MS, Timestamp};
use nivella_wallet::units::Credits;
use nivella_wallet::{params, site};
use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{TestApp, key, write};
use crate::support::{TestDb, databases, new_debit, new_grant, seeded};

// The stage, over HTTP ------------------------------------------------------------------------------

/// Alice runs `shop` and `blog`, Bob runs `farm`. Nobody owns `stray`.
pub(crate) struct World {
    pub(crate) app: TestApp,
}

/// Status and body.
type Answer = (u16, Value);

impl World {
    pub(crate) async fn start() -> Self {
        let app = TestApp::start().await;
        write(app.db(), |tx| {
            let alice = sites::open(tx, &"lab:customer:2".parse().unwrap())?;
            let bob = sites::open(tx, &"lab:customer:3".parse().unwrap())?;
            for (site, owner) in [("shop", &alice), ("blog", &alice), ("farm", &bob), ("stray", &bob)] {
                sites::assign(tx, &site.parse().unwrap(), owner, &Field::Keep, &Field::Keep)?;
            }
            sites::unassign(tx, &"stray".parse().unwrap())?;
            Ok::<_, sites::Error>(())
        });
        Self { app }
    }

    async fn send(&self, api_key: &str, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let mut request = self.app.http.request(method, self.app.url(path)).bearer_auth(api_key);
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(&self.app.admin, Method::PUT, path, Some(&body)).await
    }

    /// How many sites are paused, as whoever watches the daemon reads it.
    async fn counted(&self) -> String {
        let counts = self.app.http.get(self.app.url("/metrics")).send().await.unwrap().text().await.unwrap();
        let line = counts.lines().find_map(|line| line.strip_prefix("nivella_paused_sites "));
        line.unwrap().to_owned()
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.app.get(path).await
    }

    pub(crate) async fn give(&self, wallet: &str, credits: &str, category: &str) {
        let once = format!("give-{}", self.app.count("credit_grant"));
        let body = json!({ "wallet": wallet, "credits": credits, "category": category, "reason": "r" });
        let response = self
            .app
            .request(Method::POST, "/v1/grants")
            .header("Idempotency-Key", once)
            .body(body.to_string())
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 201);
    }

    /// `shop`, or `shop/bot` for an assistant.
    pub(crate) async fn debit(&self, who: &str, credits: &str) -> Answer {
        let (site, agent) = who.split_once('/').map_or((who, None), |(site, agent)| (site, Some(agent)));
        let mut body = json!({ "site": site, "credits": credits });
        if let Some(agent) = agent {
            body["agent"] = agent.into();
        }
        let response = self
            .app
            .request(Method::POST, "/v1/debits")
            .header("Idempotency-Key", uuid::Uuid::now_v7().to_string())
            .body(body.to_string())
            .send()
            .await
            .unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// What a debit is answered, in a word: `201`, or status, code and what was available.
    pub(crate) async fn tried(&self, who: &str, credits: &str) -> String {
        brief(&self.debit(who, credits).await)
    }

    /// The wallet's and, where something was spent, the last debit's idea of how to behave.
    async fn mode(&self, site: &str) -> String {
        self.get(&format!("/v1/wallets/site:{site}")).await["mode"].as_str().unwrap().to_owned()
    }
}

fn brief((status, body): &Answer) -> String {
    match (body["code"].as_str(), body["available"].as_str()) {
        (None, _) => status.to_string(),
        (Some(code), None) => format!("{status} {code}"),
        (Some(code), Some(available)) => format!("{status} {code} {available}"),
    }
}

// Limits --------------------------------------------------------------------------------------------

/// What a last hold was lent is no refund.
#[tokio::test]
async fn lent_credits_are_repaid_in_words_of_their_own() {
    let app = TestApp::start().await;
    let send = async |method: Method, path: &str, once: &str, body: Value| {
        let request = app.request(method, path).header("Idempotency-Key", once).body(body.to_string());
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert!(status < 300, "{path}: {body}");
        body
    };
    write(app.db(), |tx| {
        let alice = sites::open(tx, &"lab:customer:2".parse().unwrap())?;
        sites::assign(tx, &"shop".parse().unwrap(), &alice, &Field::Keep, &Field::Keep).map(drop)
    });
    send(Method::PUT, "/v1/sites/shop/policy", "p", json!({ "on_exhausted": "use_balance", "grace": "5" }))
        .await;
    let given = json!({ "wallet": "site:shop", "credits": "2", "reason": "r" });
    send(Method::POST, "/v1/grants", "g1", given).await;
    let held = send(Method::POST, "/v1/holds", "h", json!({ "site": "shop", "credits": "5" })).await;
    let capture = format!("/v1/holds/{}/capture", held["id"].as_str().unwrap());
    send(Method::POST, &capture, "c", json!({ "credits": "5" })).await;
    let given = json!({ "wallet": "site:shop", "credits": "10", "reason": "r" });
    assert_eq!(send(Method::POST, "/v1/grants", "g2", given).await["repaid"], "3");
    let activity = app.get("/v1/wallets/site:shop/activity").await;
    let repaid: Vec<&Value> =
        activity["items"].as_array().unwrap().iter().filter(|line| line["credits"] == "-3").collect();
    assert_eq!(repaid.len(), 1, "{activity}");
    assert_eq!(
        (&repaid[0]["kind"], &repaid[0]["label"]),
        (&json!("adjustment"), &json!("Owed credits repaid"))
    );
    assert!(!activity.to_string().contains("refund"), "{activity}");
}

#[tokio::test]
async fn a_limit_is_set_shown_met_and_taken_away() {
    let world = World::start().await;
    world.give("account:lab:customer:2", "1000", "paid").await;
    assert_eq!(
        world.get("/v1/sites/shop/limits").await,
        json!({ "items": [], "next_cursor": null }),
        "there are none until somebody sets one"
    );

    let month = json!({ "per": "month", "credits": "100" });
    let shown = json!({
        "per": "month", "credits": "100", "on_reached": "stop", "spent": "0", "held": "0",
        "resets_at": "2026-12-01T00:00:00Z",
    });
    assert_eq!(world.put("/v1/sites/shop/limits", month).await, (200, shown));
    let day = json!({ "agent": "bot", "per": "day", "credits": "30.5", "on_reached": "use_balance" });
    assert_eq!(world.put("/v1/sites/shop/limits", day).await.0, 200);
    assert_eq!(world.tried("shop/bot", "30.5").await, "201");

    let items = world.get("/v1/sites/shop/limits").await["items"].clone();
    assert_eq!(
        items,
        json!([
            { "per": "month", "credits": "100", "on_reached": "stop", "spent": "30.5", "held": "0",
              "resets_at": "2026-12-01T00:00:00Z" },
            { "agent": "bot", "per": "day", "credits": "30.5", "on_reached": "use_balance", "spent": "30.5",
              "held": "0", "resets_at": "2026-11-21T00:00:00Z" },
        ])
    );

    let (status, problem) = world.debit("shop", "69.500001").await;
    assert_eq!(status, 402);
    assert_eq!(
        problem,
        json!({
            "type": "/docs/errors/limit_reached", "title": problem["title"], "status": 402,
            "code": "limit_reached",
            "detail": "69.500001 credits needed, 69.5 available under the limit of 100 credits a month: wait until \
                       2026-12-01 00:00 UTC, when it begins anew, or have it raised",
            "available": "69.5", "required": "69.500001",
            "limit": { "per": "month", "credits": "100", "on_reached": "stop", "resets_at": "2026-12-01T00:00:00Z" },
        })
    );
    assert_eq!(world.tried("blog", "500").await, "201", "a limit is of one site");

    // Raised, what happens when it is reached stays as it was said.
    let raised = json!({ "agent": "bot", "per": "day", "credits": "40" });
    assert_eq!(world.put("/v1/sites/shop/limits", raised).await.1["on_reached"], "use_balance");
    let none = json!({ "per": "month", "credits": null });
    let (status, shown) = world.put("/v1/sites/shop/limits", none.clone()).await;
    assert_eq!((status, &shown["credits"], &shown["spent"]), (200, &Value::Null, &"30.5".into()));
    assert_eq!(world.put("/v1/sites/shop/limits", none).await.0, 200, "taken away twice it is away");
    assert_eq!(world.tried("shop", "100").await, "201");
    assert_eq!(world.get("/v1/sites/shop/limits").await["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_was_available_is_what_this_debit_could_have_taken() {
    let world = World::start().await;
    world.give("site:shop", "10", "recurring").await;
    world.give("site:shop", "20", "paid").await;
    world.put("/v1/sites/shop/limits", json!({ "per": "day", "credits": "25" })).await;
    assert_eq!(world.tried("shop", "26").await, "402 limit_reached 25");
    // There is less than the limit leaves.
    world.put("/v1/sites/shop/limits", json!({ "per": "day", "credits": "1000" })).await;
    assert_eq!(world.tried("shop", "31").await, "402 insufficient_credits 30");
    assert_eq!(world.tried("shop", "1001").await, "402 limit_reached 30");
    // A policy leaves only recurring credits.
    world.put("/v1/sites/shop/policy", json!({ "on_exhausted": "stop" })).await;
    assert_eq!(world.tried("shop", "11").await, "402 insufficient_credits 10");
    assert_eq!(world.tried("shop", "1001").await, "402 limit_reached 10");
    assert_eq!(world.tried("shop", "10").await, "201");
    assert_eq!(world.tried("shop", "1").await, "402 insufficient_credits 0");
    assert_eq!(world.get("/v1/wallets/site:shop").await["available"], "20", "and no number is another");
}

/// A refusal names what stands in the way, and sends nobody to the shop where buying does not help.
#[tokio::test]
async fn a_402_says_what_stands_in_the_way() {
    let world = World::start().await;
    world.give("site:shop", "999", "paid").await;
    let detail = async |spender: &str, amount: &str| {
        let (status, problem) = world.debit(spender, amount).await;
        assert_eq!(status, 402, "{problem}");
        problem["detail"].as_str().unwrap().to_owned()
    };
    assert_eq!(detail("shop", "1000").await, "1000 credits needed, 999 available");

    world.put("/v1/sites/shop/policy", json!({ "on_exhausted": "stop", "pool": false })).await;
    let (_, problem) = world.debit("shop", "0.5").await;
    assert_eq!(
        problem["detail"],
        "0.5 credits needed, 0 available: 999 credits are there, but the policy on_exhausted stop allows recurring \
         credits only; the policy pool off allows none of the account's pool"
    );
    assert_eq!((&problem["available"], &problem["required"]), (&"0".into(), &"0.5".into()));
    assert_eq!(problem["top_up_url"], Value::Null, "bought credits would not be spent either");
    world.put("/v1/sites/shop/policy", json!({ "on_exhausted": "use_balance", "pool": true })).await;

    // What one limit spares, what holds keep, and a limit that no waiting gets around.
    world.give("site:shop", "10", "recurring").await;
    world
        .put("/v1/sites/shop/limits", json!({ "per": "day", "credits": "0", "on_reached": "use_balance" }))
        .await;
    assert!(detail("shop", "1000").await.ends_with(
        "999 available: 10 recurring credits are there, but this would pass the limit of 0 credits a day, beyond \
         which only bonus and paid credits pay"
    ));
    let hold = world.app.request(Method::POST, "/v1/holds").header("Idempotency-Key", "h");
    let hold = hold.body(json!({ "site": "shop", "credits": "999" }).to_string()).send().await.unwrap();
    assert_eq!(hold.status(), 201);
    assert!(detail("shop", "1").await.ends_with("; 999 credits are set aside by open holds"));
    world.put("/v1/sites/shop/limits", json!({ "per": "day", "credits": "0", "on_reached": "stop" })).await;
    assert_eq!(
        detail("shop", "1").await,
        "1 credit needed, 0 available under the limit of 0 credits a day: it lets nothing be spent, so waiting does \
         not help: have it raised"
    );
    world.put("/v1/sites/shop/limits", json!({ "per": "day", "credits": "5000" })).await;
    assert!(detail("shop", "5001").await.contains("more than it ever lets, so waiting does not help"));
}

/// What comes first is told first, and nothing of what is refused is left behind.
#[tokio::test]
async fn refusals_come_in_one_order() {
    let world = World::start().await;
    world.put("/v1/sites/shop/limits", json!({ "per": "day", "credits": "0" })).await;
    let alice: String = world.get("/v1/sites/shop").await["account"]["id"].as_str().unwrap().to_owned();
    write(world.app.db(), move |tx| {
        tx.execute(
            "-- test
             INSERT INTO brake (account_id, site, paused_at, reason, forgiven) VALUES ($1, 'shop', 0, 'much', 0)",
            params![alice.as_str()],
        )
    });
    let freeze = |reason: Option<&'static str>| {
        write(world.app.db(), move |tx| {
            let alice = sites::owned(tx, &"shop".parse().unwrap()).unwrap();
            sites::set_frozen(tx, &alice, reason).map(drop)
        });
    };
    freeze(Some("dispute"));
    assert_eq!(world.tried("nowhere", "0").await, "404 not_found");
    assert_eq!(world.tried("shop", "0").await, "422 invalid_request");
    assert_eq!(world.tried("shop", "1").await, "423 frozen");
    freeze(None);
    assert_eq!(world.tried("shop", "1").await, "423 paused_for_safety");
    let (status, resumed) = world.send(&world.app.admin, Method::POST, "/v1/sites/shop/resume", None).await;
    assert_eq!((status, &resumed["was"]["reason"]), (200, &"much".into()));
    assert_eq!(world.tried("shop", "1").await, "402 limit_reached 0");
    world.put("/v1/sites/shop/limits", json!({ "per": "day", "credits": null })).await;
    assert_eq!(world.tried("shop", "1").await, "402 insufficient_credits 0");
    assert_eq!((world.app.count("debit"), world.app.count("spending")), (0, 0));
}

#[tokio::test]
async fn who_may_set_limits_and_who_may_read_them() {
    let world = World::start().await;
    let alice = world.get("/v1/sites/shop").await["account"]["id"].as_str().unwrap().to_owned();
    let scopes =
        [format!("account:{alice}"), "site:shop".to_owned(), "debit".to_owned(), "site:farm".to_owned()];
    let mut told = Vec::new();
    for scope in scopes {
        let (db, name) = (world.app.db().clone(), scope.clone());
        let api_key = tokio::task::spawn_blocking(move || key(&db, &name)).await.unwrap();
        let mut row = Vec::new();
        for (method, path, body) in [
            (Method::GET, "/v1/sites/shop/limits", None),
            (Method::PUT, "/v1/sites/shop/limits", Some(json!({ "per": "day", "credits": "1" }))),
            (Method::PUT, "/v1/sites/shop/policy", Some(json!({ "pool": false }))),
            (Method::POST, "/v1/sites/shop/resume", None),
            (Method::GET, "/v1/sites/farm/limits", None),
        ] {
            row.push(world.send(&api_key, method, path, body.as_ref()).await.0.to_string());
        }
        told.push(format!("{}: {}", scope.split(':').next().unwrap(), row.join(" ")));
    }
    assert_eq!(
        told,
        [
            "account: 200 403 403 403 404",
            "site: 404 403 403 403 404",
            "debit: 404 403 403 403 404",
            "site: 404 404 404 404 404",
        ]
    );
    for path in ["/v1/sites/stray/limits", "/v1/sites/nowhere/limits", "/v1/sites/a%20b/limits"] {
        let answer = world.send(&world.app.admin, Method::GET, path, None).await;
        assert_eq!(brief(&answer), "404 not_found", "{path}");
        let body = json!({ "per": "day", "credits": "1" });
        assert_eq!(brief(&world.put(path, body).await), "404 not_found", "{path}");
    }
    for path in ["/v1/sites/stray/policy", "/v1/sites/nowhere/policy"] {
        assert_eq!(brief(&world.put(path, json!({ "grace": "1" })).await), "404 not_found", "{path}");
    }
    assert_eq!((world.app.count("spending_limit"), world.app.count("spending_policy")), (0, 0));
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_by_name() {
    let world = World::start().await;
    for (path, body, pointers) in [
        ("limits", json!({}), vec!["/per", "/credits"]),
        ("limits", json!({ "per": "day" }), vec!["/credits"]),
        ("limits", json!({ "per": "week", "credits": "1" }), vec!["/per"]),
        ("limits", json!({ "per": "day", "credits": 1 }), vec!["/credits"]),
        ("limits", json!({ "per": "day", "credits": "-1" }), vec!["/credits"]),
        ("limits", json!({ "per": "day", "credits": "1", "agent": "" }), vec!["/agent"]),
        ("limits", json!({ "per": "day", "credits": "1", "agent": "a b" }), vec!["/agent"]),
        ("limits", json!({ "per": "day", "credits": "1", "on_reached": "warn" }), vec!["/on_reached"]),
        ("limits", json!({ "per": "day", "credits": "1", "limit": "1" }), vec!["/limit"]),
        ("policy", json!({}), vec![""]),
        ("policy", json!({ "agent": "bot" }), vec![""]),
        (
            "policy",
            json!({ "on_exhausted": "warn", "pool": "on", "grace": 3 }),
            vec!["/on_exhausted", "/pool", "/grace"],
        ),
    ] {
        let (status, problem) = world.put(&format!("/v1/sites/shop/{path}"), body.clone()).await;
        let found: Vec<&str> = problem["errors"]
            .as_array()
            .unwrap_or_else(|| panic!("{body}: {problem}"))
            .iter()
            .map(|error| error["pointer"].as_str().unwrap())
            .collect();
        assert_eq!((status, found), (422, pointers), "{body}");
    }
    assert_eq!((world.app.count("spending_limit"), world.app.count("spending_policy")), (0, 0));
}

/// Whoever asks at once: the limit is reached exactly, and never passed.
#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_clients_reach_a_limit_of_a_thousand_exactly() {
    let world = Arc::new(World::start().await);
    world.give("account:lab:customer:2", "100000", "paid").await;
    world.put("/v1/sites/shop/limits", json!({ "per": "month", "credits": "1000" })).await;
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..64 {
        let world = Arc::clone(&world);
        clients.spawn(async move {
            let who = if client % 2 == 0 { "shop" } else { "shop/bot" };
            let mut spent = 0;
            // Sevens until there is no room for one, then ones.
            for amount in [7, 1] {
                loop {
                    let answer = world.debit(who, &amount.to_string()).await;
                    match brief(&answer).as_str() {
                        "201" => spent += amount,
                        refused => {
                            assert!(refused.starts_with("402 limit_reached "), "{answer:?}");
                            break;
                        }
                    }
                }
            }
            spent
        });
    }
    let spent: i64 = clients.join_all().await.into_iter().sum();
    assert_eq!(spent, 1000);
    assert_eq!(world.get("/v1/sites/shop/limits").await["items"][0]["spent"], "1000");
    assert_eq!(world.get("/v1/wallets/account:lab:customer:2").await["available"], "99000");
}

// Policies and modes --------------------------------------------------------------------------------

#[tokio::test]
async fn a_policy_says_what_pays_and_an_assistant_narrows_it() {
    let world = World::start().await;
    world.give("site:shop", "10", "paid").await;
    world.give("account:lab:customer:2", "100", "paid").await;
    let own = json!({ "on_exhausted": "use_balance", "pool": false, "grace": "0" });
    assert_eq!(world.put("/v1/sites/shop/policy", json!({ "pool": false })).await, (200, own));
    assert_eq!(
        world.get("/v1/wallets/site:shop").await["available"],
        "10",
        "the wallet shows what it may use"
    );
    assert_eq!(world.tried("shop", "11").await, "402 insufficient_credits 10");

    let agent =
        world.put("/v1/sites/shop/policy", json!({ "agent": "bot", "pool": true, "grace": "5" })).await;
    let no_pool = json!({ "agent": "bot", "on_exhausted": "use_balance", "pool": false, "grace": "5" });
    assert_eq!(agent, (200, no_pool), "an assistant has no pool that its site has not");
    assert_eq!(
        world.tried("shop/bot", "11").await,
        "402 insufficient_credits 10",
        "and a debit has no grace"
    );

    world.put("/v1/sites/shop/policy", json!({ "pool": true })).await;
    assert_eq!(world.tried("shop/bot", "11").await, "201");
    world.put("/v1/sites/shop/policy", json!({ "agent": "bot", "pool": false })).await;
    assert_eq!(world.tried("shop/bot", "1").await, "402 insufficient_credits 0");
    assert_eq!(world.tried("shop", "1").await, "201");
    // What is said of the site afterwards holds for the assistant where nothing else is said of it.
    world.put("/v1/sites/shop/policy", json!({ "on_exhausted": "stop" })).await;
    let again = world.put("/v1/sites/shop/policy", json!({ "agent": "bot", "pool": null })).await;
    assert_eq!(again.1, json!({ "agent": "bot", "on_exhausted": "stop", "pool": true, "grace": "5" }));
    let shown = world.get("/v1/sites/shop").await;
    assert_eq!(shown["policies"][0], json!({ "on_exhausted": "stop", "pool": true, "grace": "0" }));
    assert_eq!(shown["policies"][1], again.1);
    assert_eq!((&shown["uses_pool"], &shown["pause"]), (&true.into(), &Value::Null));
}

/// The wallet says what the debit before it said, and a burn plan says what the debit after it does.
#[tokio::test]
async fn the_mode_says_whether_anything_can_be_spent() {
    let world = World::start().await;
    assert_eq!(world.mode("shop").await, "handover", "nothing is there");
    world.give("site:shop", "100", "paid").await;
    assert_eq!(world.mode("shop").await, "normal");
    world.put("/v1/sites/shop/policy", json!({ "on_exhausted": "stop" })).await;
    assert_eq!(world.mode("shop").await, "handover", "no recurring credits");
    world.give("site:shop", "10", "recurring").await;
    assert_eq!(world.mode("shop").await, "normal");
    assert_eq!(world.debit("shop", "10").await.1["mode"], "handover");
    assert_eq!(world.mode("shop").await, "handover");
    world.put("/v1/sites/shop/policy", json!({ "on_exhausted": "use_balance" })).await;
    assert_eq!(world.mode("shop").await, "normal");
    world.put("/v1/sites/shop/limits", json!({ "per": "day", "credits": "10" })).await;
    assert_eq!(world.mode("shop").await, "handover", "a limit without room");
    world.put("/v1/sites/shop/limits", json!({ "per": "day", "credits": "12" })).await;
    assert_eq!(world.debit("shop", "1").await.1["mode"], "normal");
    assert_eq!(world.debit("shop", "1").await.1["mode"], "handover");
    world
        .put("/v1/sites/shop/limits", json!({ "per": "day", "credits": "12", "on_reached": "use_balance" }))
        .await;
    assert_eq!(world.mode("shop").await, "normal", "there are paid credits");
    // An assistant that is out is not the site.
    world.put("/v1/sites/shop/limits", json!({ "agent": "bot", "per": "day", "credits": "1" })).await;
    assert_eq!(world.debit("shop/bot", "1").await.1["mode"], "normal");
    let shown = world.get("/v1/wallets/site:shop").await;
    assert_eq!((&shown["mode"], &shown["status"]), (&"normal".into(), &"ok".into()));
    assert_eq!(world.debit("shop", "93").await.1["mode"], "saver");
    assert_eq!(world.mode("shop").await, "saver");
}

/// Random limits, policies and debits: a burn plan is the debit that follows it, and both are what a few lines
/// that know nothing of the program say.
#[tokio::test]
async fn a_burn_plan_is_the_debit_that_follows_it() {
    let mut random = seeded();
    let world = World::start().await;
    for wallet in ["site:shop", "account:lab:customer:2"] {
        for category in ["recurring", "bonus", "paid"] {
            world.give(wallet, "60", category).await;
        }
    }
    for step in 0..150 {
        let agent = *["", "bot", "cat"].choose(&mut random).unwrap();
        let mut body = match random.random_range(0..10_u32) {
            0..2 => {
                let most = random.random_range(0..120_u32);
                let credits = if most < 80 { Value::from(most.to_string()) } else { Value::Null };
                let on_reached = *["stop", "use_balance"].choose(&mut random).unwrap();
                let per = *["day", "month"].choose(&mut random).unwrap();
                json!({ "per": per, "credits": credits, "on_reached": on_reached })
            }
            2 => {
                let word = *["stop", "use_balance", "use_balance"].choose(&mut random).unwrap();
                json!({ "on_exhausted": word })
            }

            3 => json!({ "pool": random.random_bool(0.7) }),
            _ => {
                let credits = random.random_range(1..9_u32).to_string();
                let who = if agent.is_empty() { "shop".to_owned() } else { format!("shop/{agent}") };
                let query = format!("credits={credits}&agent={agent}");
                let path = format!("/v1/wallets/site:shop/burn-plan?{query}");
                let planned = world.send(&world.app.admin, Method::GET, &path, None).await;
                let done = world.debit(&who, &credits).await;
                let context = format!("step {step}: {who} {credits}\n{planned:?}\n{done:?}");
                if done.0 == 201 {
                    assert_eq!((planned.0, &planned.1["slices"]), (200, &done.1["slices"]), "{context}");
                    assert_eq!(done.1["mode"], world.mode("shop").await, "{context}");
                } else {
                    assert_eq!(planned, done, "{context}");
                }
                continue;
            }
        };
        if !agent.is_empty() {
            body["agent"] = agent.into();
        }
        let path = if body.get("per").is_some() { "limits" } else { "policy" };
        assert_eq!(world.put(&format!("/v1/sites/shop/{path}"), body).await.0, 200);
        world.app.prove();
    }
    let plan = "/v1/wallets/account:lab:customer:2/burn-plan?credits=1&agent=bot";
    assert_eq!(world.send(&world.app.admin, Method::GET, plan, None).await.0, 422);
}

// The stage, on both engines ------------------------------------------------------------------------

const BRAKE: Brake = Brake { enabled: true, times: 8, floor: Credits::THOUSAND };

/// Alice has `shop`, and Gabriele, a guest, has `blog`.
struct Stage {
    test: TestDb,
}

fn stages() -> Vec<Stage> {
    databases().into_iter().map(Stage::on).collect()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

impl Stage {
    fn on(test: TestDb) -> Self {
        let stage = Self { test };
        stage.turn("2026-01-01T00:00:00Z");
        stage.write(|tx| {
            tx.execute(
                "-- test
                 INSERT INTO store (id, name, url, webhook_secret, tokens_categories, paid_statuses, site_keys, created_at)
                 VALUES (1, 'lab', 'https://lab.example', 'x', '[\"tokens\"]', '[]', '[]', 0)",
                params![],
            )
        });
        for (account, site) in [("lab:customer:1", "shop"), ("lab:email:g@guest.example", "blog")] {
            stage.write(move |tx| {
                let account = sites::open(tx, &account.parse().unwrap()).unwrap();
                let keep = Field::Keep;
                sites::assign(tx, &site.parse().unwrap(), &account, &keep, &Field::Keep).unwrap();
                let grant = new_grant(Compartment::Site(site.parse().unwrap()), "1000000");
                LockedAccount::lock(tx, &account)?.grant(&grant)
            });
        }
        stage
    }

    fn db(&self) -> &Db {
        &self.test.db
    }

    fn write<T: Send + 'static, E: From<db::Error> + std::fmt::Debug + Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> T {
        let done = self.db().write_blocking("test", Keep::Effects, work).unwrap();
        assert_eq!(audit::verify(self.db(), |_| {}).unwrap().faults, [], "on {}", self.test.name);
        done
    }

    fn turn(&self, time: &str) {
        self.test.clock.turn_to(at(time));
    }

    /// Spends for a site, or `site/agent`; answers why not.
    fn spend(&self, who: &str, amount: &str, brake: Brake) -> Result<bool, String> {
        let (site, agent) = who.split_once('/').map_or((who, None), |(site, agent)| (site, Some(agent)));
        let debit = NewDebit { agent: agent.map(|agent| agent.parse().unwrap()), ..new_debit(site, amount) };
        let done = self.db().write_blocking("test", Keep::Effects, move |tx| {
            let owner = sites::owned(tx, &debit.site).unwrap();
            spend(tx, &owner, &debit, &brake).map(|done| done.left.can_spend)
        });
        assert_eq!(audit::verify(self.db(), |_| {}).unwrap().faults, [], "on {}", self.test.name);
        done.map_err(|refused: Error| refused.to_string())
    }

    /// Lets the tables say what the site's debits changed: locking its account does.
    fn settle(&self, site: &str) {
        let site = site.parse().unwrap();
        self.write(move |tx| {
            let owner = sites::owned(tx, &site).unwrap();
            LockedAccount::lock(tx, &owner).map(drop)
        });
    }

    fn limit(&self, who: &str, per: Per, most: &str) {
        let (site, agent) = who.split_once('/').map_or((who, None), |(site, agent)| (site, Some(agent)));
        let (site, agent) = (site.parse().unwrap(), agent.map(|agent| agent.parse().unwrap()));
        let most = Some(most.parse().unwrap());
        self.write(move |tx| {
            spending::set_limit(tx, &site, agent.as_ref(), per, most, Some(OnReached::Stop))
        });
    }

    /// Each limit's spent and when it begins anew.
    fn standing(&self, site: &str) -> Vec<String> {
        let site: nivella_wallet::id::SiteId = site.parse().unwrap();
        self.db()
            .read(|tx| {
                let owner = sites::owner(tx, &site)?.unwrap();
                spending::limits(tx, &owner, &site)
            })
            .unwrap()
            .into_iter()
            .map(|limit| {
                let agent = limit.agent.map_or(String::new(), |agent| format!("{agent} "));
                format!("{agent}{} {} until {}", limit.per, limit.spent, limit.resets_at)
            })
            .collect()
    }

    fn pause(&self, site: &str) -> Option<Pause> {
        let site: nivella_wallet::id::SiteId = site.parse().unwrap();
        self.db()
            .read(|tx| {
                let owner = sites::owner(tx, &site)?.unwrap();
                brake::pause(tx, &owner, &site)
            })
            .unwrap()
    }

    fn resume(&self, site: &str) -> bool {
        let site = site.parse().unwrap();
        self.write(move |tx| spending::resume(tx, &site)).was.is_some()
    }

    fn merge(&self, from: &str, into: &str) {
        let (from, into): (site::AccountRef, site::AccountRef) =
            (from.parse().unwrap(), into.parse().unwrap());
        self.write(move |tx| merge(tx, &from, &into));
    }

    fn count(&self, what: &str) -> i64 {
        let sql = format!("-- test\n SELECT CAST(COUNT(*) AS BIGINT) FROM {what}").leak();
        self.db().read(|tx| tx.query_one(sql, &[], |row| row.get(0))).unwrap()
    }
}

// Periods -------------------------------------------------------------------------------------------

/// Days of 23 and of 25 hours, and the months around them, at the customer's own midnight.
#[test]
fn limits_begin_anew_at_the_customers_midnight() {
    for stage in stages() {
        stage.turn("2026-03-01T00:00:00Z");
        let zone = Settings { time_zone: Some("Europe/Vienna".parse().unwrap()), ..Settings::default() };
        stage.write(move |tx| settings::set(tx, &"lab:customer:1".parse().unwrap(), &zone));
        stage.limit("shop", Per::Day, "10");
        stage.limit("shop", Per::Month, "25");
        for (time, amount, expected) in [
            ("2026-03-28T22:59:59.999Z", "10", "ok"),
            (
                "2026-03-28T22:59:59.999Z",
                "1",
                "the limit of 10 credits a day, which begins anew at 2026-03-28T23:00:00Z",
            ),
            // The day with 23 hours.
            ("2026-03-28T23:00:00Z", "10", "ok"),
            (
                "2026-03-29T21:59:59.999Z",
                "1",
                "the limit of 10 credits a day, which begins anew at 2026-03-29T22:00:00Z",
            ),
            ("2026-03-29T22:00:00Z", "5", "ok"),
            (
                "2026-03-31T21:59:59.999Z",
                "1",
                "the limit of 25 credits a month, which begins anew at 2026-03-31T22:00:00Z",
            ),
            ("2026-03-31T22:00:00Z", "10", "ok"),
            // The day with 25 hours.
            ("2026-10-24T22:00:00Z", "10", "ok"),
            (
                "2026-10-25T22:59:59.999Z",
                "1",
                "the limit of 10 credits a day, which begins anew at 2026-10-25T23:00:00Z",
            ),
            ("2026-10-25T23:00:00Z", "10", "ok"),
            (
                "2026-10-31T22:59:59.999Z",
                "6",
                "the limit of 25 credits a month, which begins anew at 2026-10-31T23:00:00Z",
            ),
            ("2026-10-31T23:00:00Z", "6", "ok"),
        ] {
            stage.turn(time);
            match stage.spend("shop", amount, Brake::OFF) {
                Ok(_) => assert_eq!("ok", expected, "{time}"),
                Err(refused) => assert!(refused.ends_with(expected), "{time}: {refused}"),
            }
        }
    }
}

/// What counted goes on to count: in another time zone, and in another account.
#[test]
fn counters_move_with_time_zones_and_merges_assistants_too() {
    for stage in stages() {
        stage.turn("2026-11-20T23:30:00Z");
        stage.limit("blog", Per::Day, "100");
        stage.limit("blog/bot", Per::Month, "100");
        stage.spend("blog/bot", "30", Brake::OFF).unwrap();
        stage.spend("blog", "5", Brake::OFF).unwrap();
        assert_eq!(
            stage.standing("blog"),
            ["day 35 until 2026-11-21T00:00:00Z", "bot month 30 until 2026-12-01T00:00:00Z"]
        );
        let zone = |zone: &str| {
            let settings = Settings { time_zone: Some(zone.parse().unwrap()), ..Settings::default() };
            stage
                .write(move |tx| settings::set(tx, &"lab:email:g@guest.example".parse().unwrap(), &settings));
        };
        zone("America/New_York");
        assert_eq!(
            stage.standing("blog"),
            ["day 35 until 2026-11-21T05:00:00Z", "bot month 30 until 2026-12-01T05:00:00Z"]
        );
        stage.merge("lab:email:g@guest.example", "lab:customer:1");
        assert_eq!(
            stage.standing("blog"),
            ["day 35 until 2026-11-21T00:00:00Z", "bot month 30 until 2026-12-01T00:00:00Z"]
        );
        assert!(
            stage
                .spend("blog/bot", "71", Brake::OFF)
                .unwrap_err()
                .contains("65 left under the limit of 100 credits a day")
        );
        stage.spend("blog/bot", "65", Brake::OFF).unwrap();
        assert_eq!(stage.count("spending_limit"), 2);
    }
}

#[test]
fn a_site_that_changes_hands_starts_without_limits_and_policies() {
    for stage in stages() {
        stage.limit("shop", Per::Day, "0");
        stage.write(|tx| {
            let change =
                spending::PolicyChange { pool: Field::Set(false), ..spending::PolicyChange::default() };
            spending::set_policy(tx, &"shop".parse().unwrap(), Some(&"bot".parse().unwrap()), &change)
        });
        stage.write(|tx| sites::unassign(tx, &"shop".parse().unwrap()));
        for owner in ["lab:email:g@guest.example", "lab:customer:1"] {
            stage.write(move |tx| {
                let owner = sites::open(tx, &owner.parse().unwrap())?;
                let keep = Field::Keep;
                let _ = sites::unassign(tx, &"shop".parse().unwrap());
                sites::assign(tx, &"shop".parse().unwrap(), &owner, &keep, &Field::Keep)
            });
            assert_eq!(stage.standing("shop"), [""; 0], "{owner}");
        }
        assert_eq!((stage.count("spending_limit"), stage.count("spending_policy")), (0, 0));
        stage.spend("shop", "1", Brake::OFF).unwrap();
    }
}

/// A counter that is off by anything is found, whoever's it is.
#[test]
fn verify_names_a_counter_that_is_not_its_debits() {
    for stage in stages() {
        stage.spend("shop/bot", "3", BRAKE).unwrap();
        stage.settle("shop");
        for (sql, row) in [
            (
                "UPDATE spending SET captured = captured + 1 WHERE agent = 'bot' AND per = 'day'",
                "shop bot by day",
            ),
            (
                "UPDATE spending SET captured = captured - 1 WHERE agent = '' AND per = 'month'",
                "shop by month",
            ),
            ("DELETE FROM spending WHERE agent = 'bot' AND per = 'month'", "shop bot by month"),
            (
                "UPDATE spending_hour SET captured = captured + 1",
                "shop in the hour from 2026-01-01 00:00 UTC",
            ),
        ] {
            stage
                .db()
                .write_blocking("test", Keep::Nothing, move |tx| {
                    assert_eq!(tx.execute(format!("-- test\n {sql}").leak(), params![])?, 1);
                    Ok::<_, db::Error>(())
                })
                .unwrap();
            let db = stage.db().clone();
            db.write_blocking("test", Keep::Effects, move |tx| {
                tx.execute(format!("-- test\n {sql}").leak(), params![])
            })
            .unwrap();
            let faults = audit::verify(stage.db(), |_| {}).unwrap().faults;
            assert_eq!(faults.len(), 1, "{sql}: {faults:?}");
            assert!(faults[0].rule == "counters" && faults[0].row.contains(row), "{sql}: {faults:?}");
            // As it was, so that the next fault is the only one.
            let undo = match row {
                "shop bot by day" => "UPDATE spending SET captured = captured - 1 WHERE agent = 'bot' AND per = 'day'",
                "shop by month" => "UPDATE spending SET captured = captured + 1 WHERE agent = '' AND per = 'month'",
                "shop bot by month" => {
                    "INSERT INTO spending SELECT account_id, site, 'bot', per, period_start, captured FROM spending
                     WHERE agent = '' AND per = 'month'"
                }
                _ => "UPDATE spending_hour SET captured = captured - 1",
            };
            stage.write(move |tx| tx.execute(format!("-- test\n {undo}").leak(), params![]));
        }
    }
}

// The brake -----------------------------------------------------------------------------------------

impl Stage {
    /// Spends `amount` at noon of each of so many days before the 20th of November.
    fn habit(&self, days: i64, amount: &str) {
        let noon = at("2026-11-20T12:00:00Z");
        for day in (1..=days).rev() {
            self.test.clock.turn_to(noon.plus_millis(-day * DAY_MS));
            self.spend("shop", amount, BRAKE).unwrap();
        }
        self.test.clock.turn_to(noon);
    }
}

#[test]
fn an_hour_far_above_the_usual_pauses_the_site_until_it_is_resumed() {
    for stage in stages() {
        stage.habit(7, "200");
        // 8 × 200 is the most; to reach it is allowed, and the debit that goes above is booked.
        assert_eq!(stage.spend("shop", "1600", BRAKE), Ok(true));
        assert_eq!(stage.pause("shop"), None);
        assert_eq!(stage.spend("shop", "0.000001", BRAKE), Ok(false), "booked, and the last one");
        let pause = stage.pause("shop").unwrap();
        assert_eq!(pause.since, at("2026-11-20T12:00:00Z"));
        assert_eq!(
            pause.reason,
            "1600.000001 credits were spent in the hour from 2026-11-20 12:00 UTC, where 200 an hour are usual and \
             more than 1600 are too many"
        );
        let refused = stage.spend("shop", "1", BRAKE).unwrap_err();
        assert!(
            refused.starts_with("spending is paused since 2026-11-20 12:00 UTC: 1600.000001 credits"),
            "{refused}"
        );
        assert_eq!(stage.spend("blog", "5000", BRAKE), Ok(true), "another site has another brake");
        // It does not go away by itself, nor with the key being off.
        stage.turn("2026-11-21T12:00:00Z");
        assert!(stage.spend("shop", "1", Brake::OFF).is_err());
        stage.turn("2026-11-20T12:59:59.999Z");

        // What was spent before it was resumed is forgiven; then the hour counts from there.
        assert!(stage.resume("shop"));
        assert!(!stage.resume("shop"), "resumed twice it goes on");
        assert_eq!(stage.spend("shop", "1600", BRAKE), Ok(true));
        assert_eq!(stage.spend("shop", "1", BRAKE), Ok(false));
        let reason = stage.pause("shop").unwrap().reason;
        assert!(
            reason.starts_with(
                "1601 credits were spent in the hour from 2026-11-20 12:00 UTC since it was resumed,"
            ),
            "{reason}"
        );
        assert!(stage.resume("shop"));
        assert_eq!(stage.spend("shop", "1600", BRAKE), Ok(true));
        // The next hour is another one, and what was so high counts among the usual hours from now on.
        stage.turn("2026-11-20T13:00:00Z");
        assert_eq!(stage.spend("shop", "1600", BRAKE), Ok(true));
        assert_eq!(stage.spend("shop", "1", BRAKE), Ok(false));
    }
}

#[test]
fn the_brake_waits_until_it_knows_what_is_usual_and_leaves_small_hours_alone() {
    for stage in stages() {
        stage.habit(6, "10");
        assert_eq!(stage.spend("shop", "100000", BRAKE), Ok(true), "six days are not enough");
        assert_eq!(stage.pause("shop"), None);
    }
    for stage in stages() {
        stage.habit(7, "1");
        assert_eq!(stage.spend("shop", "1000", BRAKE), Ok(true), "up to the floor");
        assert_eq!(stage.spend("shop", "1", Brake::OFF), Ok(true), "switched off");
        assert_eq!(stage.spend("shop", "1", Brake { times: 2000, ..BRAKE }), Ok(true), "as it is set");
        assert_eq!(stage.spend("shop", "1", BRAKE), Ok(false));
    }
    // Hours of more than 28 days ago tell nothing.
    for stage in stages() {
        stage.habit(7, "1");
        stage.test.clock.turn_to(at("2026-11-20T12:00:00Z").plus_millis(22 * DAY_MS));
        assert_eq!(stage.spend("shop", "5000", BRAKE), Ok(true));
        assert_eq!(stage.pause("shop"), None);
    }
}

#[test]
fn a_pause_and_what_is_usual_move_with_a_merge_and_outlive_an_unassignment() {
    for stage in stages() {
        stage.habit(7, "200");
        stage.spend("shop", "2000", BRAKE).unwrap();
        stage.write(|tx| sites::unassign(tx, &"shop".parse().unwrap()));
        stage.write(|tx| {
            let owner = sites::open(tx, &"lab:customer:1".parse().unwrap())?;
            let keep = Field::Keep;
            sites::assign(tx, &"shop".parse().unwrap(), &owner, &keep, &Field::Keep)
        });
        assert!(stage.pause("shop").is_some(), "taking a site away and back is no way around the brake");
        stage.merge("lab:customer:1", "lab:email:g@guest.example");
        assert!(stage.spend("shop", "1", BRAKE).unwrap_err().starts_with("spending is paused"));
        assert!(stage.resume("shop"));
        assert_eq!(stage.spend("shop", "1600", BRAKE), Ok(true));
        assert_eq!(stage.spend("shop", "1", BRAKE), Ok(false), "the other account knows what is usual");
    }
}

#[test]
fn old_hours_are_forgotten_in_small_steps_and_no_others() {
    for stage in stages() {
        let start = at("2026-10-01T00:00:00Z");
        for hour in 0..30 {
            stage.test.clock.turn_to(start.plus_millis(hour * HOUR_MS));
            stage.spend("shop", "1", BRAKE).unwrap();
        }
        stage.settle("shop");
        let prune = |limit| stage.write(move |tx| brake::prune(tx, limit));
        stage.test.clock.turn_to(start.plus_millis(28 * DAY_MS - 1));
        assert_eq!(prune(100), 0);
        stage.test.clock.turn_to(start.plus_millis(28 * DAY_MS + 9 * HOUR_MS));
        assert_eq!((prune(4), prune(4), prune(4), prune(4)), (4, 4, 2, 0));
        assert_eq!(stage.count("spending_hour"), 20);
    }
}

/// What customers, people at the shop and programs see of a pause.
#[tokio::test]
async fn a_pause_is_seen_everywhere_it_matters() {
    let world = World::start().await;
    let now = at("2026-11-20T18:00:00Z");
    world.app.clock.turn_to(now.plus_millis(-8 * DAY_MS));
    world.give("site:shop", "100000", "paid").await;
    for day in (1..=7).rev() {
        world.app.clock.turn_to(now.plus_millis(-day * DAY_MS));
        assert_eq!(world.tried("shop", "100").await, "201");
    }
    world.app.clock.turn_to(now);
    assert_eq!(world.get("/v1/sites/shop").await["pause"], Value::Null);
    assert_eq!(world.get("/v1/wallets/site:shop/feed").await["alerts"], json!([]));
    let crossed = world.debit("shop", "1001").await;
    assert_eq!((crossed.0, &crossed.1["mode"]), (201, &"handover".into()));

    let (status, problem) = world.debit("shop/bot", "1").await;
    let reason = "1001 credits were spent in the hour from 2026-11-20 18:00 UTC, where 100 an hour are usual and more \
                  than 1000 are too many";
    assert_eq!((status, &problem["code"]), (423, &"paused_for_safety".into()));
    assert_eq!((&problem["since"], &problem["reason"]), (&"2026-11-20T18:00:00Z".into(), &reason.into()));
    assert!(problem["detail"].as_str().unwrap().contains("resume it"), "{problem}");
    let pause = json!({ "since": "2026-11-20T18:00:00Z", "reason": reason });
    assert_eq!(world.get("/v1/sites/shop").await["pause"], pause);
    let feed = world.get("/v1/wallets/site:shop/feed").await;
    assert_eq!((&feed["mode"], &feed["status"]), (&"handover".into(), &"ok".into()));
    assert_eq!(feed["alerts"][0]["level"], "paused");
    assert!(
        feed["alerts"][0]["text"].as_str().unwrap().contains("Spending is paused for safety: 1001"),
        "{feed}"
    );
    let plan =
        world.send(&world.app.admin, Method::GET, "/v1/wallets/site:shop/burn-plan?credits=1", None).await;
    assert_eq!(brief(&plan), "423 paused_for_safety");
    // What is not spending goes on.
    world.give("site:shop", "1", "bonus").await;
    assert_eq!(world.counted().await, "1");
    let mut told = Vec::new();
    nivella_wallet::app::tell_paused(world.app.db(), &mut told).unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].site.as_str(), told[0].pause.reason.as_str()), ("shop", reason));

    let resume = async || world.send(&world.app.admin, Method::POST, "/v1/sites/shop/resume", None).await;
    assert_eq!(resume().await, (200, json!({ "site": "shop", "was": pause })));
    assert_eq!(resume().await, (200, json!({ "site": "shop", "was": null })));
    assert_eq!(world.tried("shop", "1").await, "201");
    assert_eq!(world.mode("shop").await, "normal");
    nivella_wallet::app::tell_paused(world.app.db(), &mut told).unwrap();
    assert_eq!((told, world.counted().await), (Vec::new(), "0".to_owned()));
}
