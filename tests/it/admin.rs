//! What an administrator does by hand over HTTP, and the reads that explain a wallet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nivella_wallet::account::by_hand;
use nivella_wallet::db::{self, Db, Tx};
use nivella_wallet::feed::{self, explain, past};
use nivella_wallet::id::{AccountId, KeyId};
use nivella_wallet::idempotency;
use nivella_wallet::ledger::audit;
use nivella_wallet::ledger::slice::{Category, Compartment};
use nivella_wallet::ledger::store::{Expiry, LockedAccount, NewGrant, Purchase, Shortfall, Shown};
use nivella_wallet::params;
use nivella_wallet::site::{Field, WalletRef, store as sites};
use nivella_wallet::time::{DAY_MS, HOUR_MS, Timestamp, Validity};
use nivella_wallet::units::{Credits, Delta};
use rand::RngExt as _;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{TestApp, key, lab, write};
use crate::support::{databases, seeded};

// The stage -----------------------------------------------------------------------------------------

const ALICE: &str = "account:lab:customer:2";
const BOB: &str = "account:lab:customer:3";

/// Alice runs `shop` and `blog` for client acme, and Bob runs `farm`. Nobody owns `stray`.
fn stage(db: &Db) -> AccountId {
    write(db, |tx| {
        let alice = sites::open(tx, &"lab:customer:2".parse().unwrap())?;
        let bob = sites::open(tx, &"lab:customer:3".parse().unwrap())?;
        let acme = Field::Set("acme".parse().unwrap());
        for (site, owner) in [("shop", &alice), ("blog", &alice), ("farm", &bob), ("stray", &bob)] {
            sites::assign(tx, &site.parse().unwrap(), owner, &acme, &Field::Keep)?;
        }
        sites::unassign(tx, &"stray".parse().unwrap())?;
        Ok::<_, sites::Error>(alice)
    })
}

struct World {
    app: TestApp,
    alice: AccountId,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    replayed: bool,
    body: Value,
}

impl Answer {
    /// Status and code, for tables.
    fn brief(&self) -> String {
        match self.body["code"].as_str() {
            Some(code) => format!("{} {code}", self.status),
            None => self.status.to_string(),
        }
    }
}

impl World {
    async fn start() -> Self {
        let app = TestApp::start().await;
        let alice = stage(app.db());
        Self { app, alice }
    }

    async fn send(
        &self,
        api_key: &str,
        method: &str,
        path: &str,
        once: Option<&str>,
        body: Option<Value>,
    ) -> Answer {
        let method: Method = method.parse().unwrap();
        let mut request = self.app.http.request(method, self.app.url(path));
        if !api_key.is_empty() {
            request = request.bearer_auth(api_key);
        }
        if let Some(once) = once {
            request = request.header("Idempotency-Key", once);
        }
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let replayed = response.headers().get("idempotent-replayed").is_some();
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        Answer { status, replayed, body }
    }

    async fn post(&self, path: &str, once: Option<&str>, body: Value) -> Answer {
        self.send(&self.app.admin, "POST", path, once, Some(body)).await
    }

    async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(&self.app.admin, "PUT", path, None, Some(body)).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(&self.app.admin, "GET", path, None, None).await
    }

    /// Gives credits and answers the grant's id.
    async fn give(&self, wallet: &str, credits: &str) -> String {
        let once = format!("give-{}", self.app.count("credit_grant"));
        let given = self
            .post(
                "/v1/grants",
                Some(&once),
                json!({ "wallet": wallet, "credits": credits, "category": "paid", "reason": "r" }),
            )
            .await;
        assert_eq!(given.status, 201, "{given:?}");
        given.body["id"].as_str().unwrap().to_owned()
    }

    /// All items of a list, by pages of random sizes.
    async fn all(&self, path: &str, random: &mut StdRng) -> Vec<Value> {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let limit = random.random_range(1..=7);
            let page = self.get(&format!("{path}limit={limit}{cursor}")).await;
            assert_eq!(page.status, 200, "{path}: {page:?}");
            let page_items = page.body["items"].as_array().unwrap();
            assert!(page_items.len() <= limit, "{path}: {} of {limit}", page_items.len());
            items.extend(page_items.iter().cloned());
            match page.body["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }
}

fn micro(value: &Value) -> i64 {
    value.as_str().unwrap().parse::<Delta>().unwrap().micro()
}

// Who may -------------------------------------------------------------------------------------------

/// Every kind of key at every route: an administrator does it, others learn only what they may know.
#[tokio::test]
async fn each_scope_does_what_it_may_and_learns_nothing_elsewhere() {
    let world = World::start().await;
    let grant = world.give("site:shop", "10").await;
    let (ok, made, forbidden, missing) = ("200", "201", "403 forbidden", "404 not_found");
    let void = format!("/v1/grants/{grant}/void");
    let shop = json!({ "wallet": "site:shop", "credits": "1", "reason": "r" });
    let pool = json!({ "account": "lab:customer:2", "site": "shop", "credits": "1" });
    let routes: Vec<(&str, &str, Option<Value>)> = vec![
        ("GET", "/v1/grants", None),
        ("GET", "/v1/grants?wallet=site:shop", None),
        ("POST", "/v1/grants", Some(shop.clone())),
        ("POST", "/v1/adjustments", Some(shop.clone())),
        ("POST", "/v1/allocations", Some(pool)),
        ("POST", &void, Some(json!({ "reason": "r" }))),
        ("GET", "/v1/accounts", None),
        ("GET", "/v1/sites/shop", None),
        ("PUT", "/v1/sites/shop", Some(json!({ "label": "Shop" }))),
        ("GET", "/v1/sites/farm", None),
        ("PUT", "/v1/sites/farm", Some(json!({ "label": "Farm" }))),
        ("GET", "/v1/wallets/site:shop/burn-plan?credits=1", None),
        ("GET", "/v1/wallets/site:shop/explain?field=available", None),
        ("GET", "/v1/wallets/site:shop/balance?at=2026-11-20", None),
        ("GET", "/v1/wallets/site:farm/explain", None),
    ];
    let no = "401 unauthorized";
    let table: Vec<(&str, [&str; 15])> = vec![
        ("", [no; 15]),
        // The pool is empty, so nothing can be allocated from it.
        ("admin", [ok, ok, made, made, "402 insufficient_credits", ok, ok, ok, ok, ok, ok, ok, ok, ok, ok]),
        (
            "debit",
            [
                missing, missing, forbidden, forbidden, forbidden, forbidden, missing, missing, forbidden,
                missing, forbidden, ok, ok, ok, ok,
            ],
        ),
        (
            "account:lab:customer:2",
            [
                missing, missing, forbidden, forbidden, forbidden, forbidden, missing, ok, forbidden,
                missing, missing, ok, ok, ok, missing,
            ],
        ),
        (
            "debit:account:lab:customer:2",
            [
                missing, missing, forbidden, forbidden, forbidden, forbidden, missing, missing, forbidden,
                missing, missing, ok, ok, ok, missing,
            ],
        ),
        (
            "client:lab:customer:2/acme",
            [
                missing, missing, forbidden, forbidden, missing, forbidden, missing, missing, forbidden,
                missing, missing, ok, ok, ok, missing,
            ],
        ),
        (
            "site:shop",
            [
                missing, missing, forbidden, forbidden, missing, forbidden, missing, missing, forbidden,
                missing, missing, ok, ok, ok, missing,
            ],
        ),
        (
            "site:farm",
            [
                missing, missing, missing, missing, missing, missing, missing, missing, missing, missing,
                forbidden, missing, missing, missing, ok,
            ],
        ),
    ];
    let mut entries = world.app.count("entry");
    for (scope, expected) in table {
        let api_key = if scope.is_empty() { String::new() } else { key(world.app.db(), scope) };
        for ((method, path, body), expected) in routes.iter().zip(expected) {
            let once = format!("{scope} {path}");
            let answer = world.send(&api_key, method, path, Some(&once), body.clone()).await;
            // Of 10 and 2 that admin gave, nothing is left when the grants are withdrawn.
            if path.contains("burn-plan") && expected == ok {
                assert!(
                    ["200", "402 insufficient_credits"].contains(&&*answer.brief()),
                    "{scope}: {answer:?}"
                );
            } else {
                assert_eq!(answer.brief(), expected, "{scope}: {method} {path}: {answer:?}");
            }
            if answer.status == 404 && !path.starts_with("/v1/wallets") {
                let text = answer.body.to_string();
                for secret in ["shop", "farm", "Customer", "acc_", "gr_"] {
                    assert!(!text.contains(secret), "{scope}: {method} {path} tells {secret}: {text}");
                }
            }
        }
        if scope != "admin" {
            assert_eq!(world.app.count("entry"), entries, "{scope} wrote");
        }
        entries = world.app.count("entry");
    }
}

// Grants --------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_grant_is_given_once_listed_and_withdrawn() {
    let world = World::start().await;
    let asked = json!({
        "wallet": "account:lab:customer:77", "credits": "12.5", "category": "paid", "priority": 5,
        "effective_at": "2026-11-21T00:00:00Z", "expires": "30d", "label": "Invoice", "reason": "by bank",
    });
    let without = world.post("/v1/grants", None, asked.clone()).await;
    assert_eq!(without.brief(), "422 invalid_request", "a grant needs a key: {without:?}");
    assert_eq!(world.app.count("account"), 2, "a refused grant opens no account");
    let given = world.post("/v1/grants", Some("k"), asked.clone()).await;
    assert_eq!(given.status, 201, "{given:?}");
    for (field, value) in asked.as_object().unwrap() {
        match field.as_str() {
            "wallet" => assert!(given.body["wallet"].as_str().unwrap().starts_with("account:acc_")),
            "expires" => assert_eq!(given.body["expires_at"], "2026-12-22T00:00:00Z"),
            _ => assert_eq!(&given.body[field], value, "{field}"),
        }
    }
    let again = world.post("/v1/grants", Some("k"), asked.clone()).await;
    assert!(again.replayed && again.body == given.body, "{again:?}");
    let other = json!({ "wallet": "site:shop", "credits": "1", "reason": "r" });
    assert_eq!(world.post("/v1/grants", Some("k"), other).await.brief(), "422 idempotency_mismatch");
    assert_eq!(world.app.count("credit_grant"), 1);

    let list = world.get("/v1/grants?wallet=account:lab:customer:77").await.body;
    let row = &list["items"][0];
    for field in
        ["id", "wallet", "account", "credits", "category", "priority", "label", "reason", "expires_at"]
    {
        assert_eq!(row[field], given.body[field], "{field}");
    }
    assert_eq!((&row["status"], &list["items"][1]), (&json!("upcoming"), &Value::Null));
    assert_eq!(world.get("/v1/grants?status=active").await.body["items"], json!([]));
    assert_eq!(world.get("/v1/grants?status=upcoming").await.body["items"][0]["id"], given.body["id"]);

    // In force, a part of it is used; the rest is withdrawn at once, in whatever compartment it lies.
    world.app.clock.turn_to("2026-11-22T00:00:00Z".parse().unwrap());
    assert_eq!(
        world.put("/v1/sites/lawn", json!({ "account": "lab:customer:77" })).await.status,
        200,
        "a new site"
    );
    let moved = json!({ "account": "lab:customer:77", "site": "lawn", "credits": "10" });
    assert_eq!(world.post("/v1/allocations", None, moved).await.status, 201);
    assert_eq!(world.app.debit("lawn", "1.5", "d").await.status(), 201);
    let void = format!("/v1/grants/{}/void", given.body["id"].as_str().unwrap());
    assert_eq!(world.post(&void, None, json!({})).await.brief(), "422 invalid_request");
    let voided = world.post(&void, None, json!({ "reason": "not paid" })).await;
    assert_eq!(voided.status, 200, "{voided:?}");
    assert_eq!(
        ["status", "remaining", "voided", "spent", "void_reason"].map(|field| &voided.body[field]),
        ["voided", "0", "11", "1.5", "not paid"]
    );
    assert_eq!(world.app.debit("lawn", "1", "e").await.status(), 402);
    let second = world.post(&void, None, json!({ "reason": "another" })).await;
    assert_eq!((second.status, second.body), (200, voided.body), "nothing changes the second time");
    assert_eq!(world.get("/v1/wallets/account:lab:customer:77").await.body["available"], "0");
    let unknown = world.post("/v1/grants/gr_nothing/void", None, json!({ "reason": "r" })).await;
    assert_eq!(unknown.brief(), "404 not_found");
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_by_name() {
    let world = World::start().await;
    let base = json!({ "wallet": "site:shop", "credits": "1", "reason": "r" });
    for (field, value, pointer) in [
        ("wallet", json!("shop"), "/wallet"),
        ("wallet", json!(null), "/wallet"),
        ("credits", json!(1), "/credits"),
        ("credits", json!("0"), "/credits"),
        ("credits", json!("-1"), "/credits"),
        ("credits", json!("+1"), "/credits"),
        ("category", json!("free"), "/category"),
        ("priority", json!("5"), "/priority"),
        ("priority", json!(1.5), "/priority"),
        ("priority", json!(-1), "/priority"),
        ("priority", json!(1001), "/priority"),
        ("effective_at", json!("soon"), "/effective_at"),
        ("expires", json!("30"), "/expires"),
        ("expires_at", json!("2026-11-20T18:00:00Z"), "/expires_at"),
        ("label", json!("x".repeat(501)), "/label"),
        ("reason", json!("  "), "/reason"),
        ("reason", json!(null), "/reason"),
        ("site", json!("shop"), "/site"),
    ] {
        let mut body = base.clone();
        body[field] = value.clone();
        let answer = world.post("/v1/grants", Some("k"), body).await;
        assert_eq!(answer.brief(), "422 invalid_request", "{field} {value}: {answer:?}");
        assert_eq!(answer.body["errors"][0]["pointer"], pointer, "{field} {value}: {answer:?}");
    }
    let mut both = base.clone();
    (both["expires"], both["expires_at"]) = (json!("30d"), json!("2027-01-01"));
    assert_eq!(world.post("/v1/grants", Some("k"), both).await.brief(), "422 invalid_request");
    for (path, body, pointer) in [
        ("/v1/adjustments", json!({ "wallet": "site:shop", "credits": "0", "reason": "r" }), "/credits"),
        ("/v1/adjustments", json!({ "wallet": "site:shop", "credits": "+5", "reason": "r" }), "/credits"),
        ("/v1/adjustments", json!({ "wallet": "site:shop", "credits": "5" }), "/reason"),
        ("/v1/allocations", json!({ "account": "lab:customer:2", "site": "shop", "credits": 5 }), "/credits"),
        ("/v1/allocations", json!({ "site": "shop", "credits": "5" }), "/account"),
        ("/v1/allocations", json!({ "account": "lab:customer:2", "credits": "5" }), "/site"),
    ] {
        let answer = world.post(path, None, body).await;
        assert_eq!(answer.brief(), "422 invalid_request", "{path}: {answer:?}");
        assert_eq!(answer.body["errors"][0]["pointer"], pointer, "{path}: {answer:?}");
    }
    for (wallet, expected) in [
        ("site:nowhere", "404 not_found"),
        ("site:stray", "404 not_found"),
        ("account:nobody:customer:1", "404 not_found"),
        ("account:acc_01a1fa67730b778aa2ec748e9839efc7", "404 not_found"),
    ] {
        let mut body = base.clone();
        body["wallet"] = json!(wallet);
        assert_eq!(world.post("/v1/grants", Some("k"), body).await.brief(), expected, "{wallet}");
    }
    assert_eq!([world.app.count("credit_grant"), world.app.count("idempotency")], [0, 0]);
}

/// Pages of random sizes, read while grants are made and used, have what a naive filter of the end has: of what
/// was there when the first page was read nothing is missing, and nothing comes twice.
#[tokio::test]
async fn pages_of_grants_under_concurrent_writes_equal_a_naive_filter() {
    let mut random = seeded();
    let world = Arc::new(World::start().await);
    for number in 0..40 {
        let wallet = ["site:shop", "site:blog", ALICE, "site:farm"][number % 4];
        world.give(wallet, "3").await;
    }
    let (stop, writer) = (Arc::new(AtomicBool::new(false)), Arc::clone(&world));
    let stopped = Arc::clone(&stop);
    let writing = tokio::spawn(async move {
        let mut number = 0;
        while !stopped.load(Ordering::Relaxed) {
            writer.give(["site:shop", "site:farm"][number % 2], "1").await;
            assert_eq!(writer.app.debit("shop", "0.5", &format!("d{number}")).await.status(), 201);
            number += 1;
        }
        number
    });
    for _ in 0..6 {
        for (path, wallet) in [("/v1/grants?", None), ("/v1/grants?wallet=site:farm&", Some("farm"))] {
            let known: BTreeSet<String> = ids(&world, wallet);
            let read = world.all(path, &mut random).await;
            let read: Vec<String> = read.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
            let once: BTreeSet<String> = read.iter().cloned().collect();
            assert_eq!(once.len(), read.len(), "{path}: something came twice");
            assert!(known.is_subset(&once), "{path}: missing {:?}", known.difference(&once));
            assert!(once.is_subset(&ids(&world, wallet)), "{path}: more than there is");
            assert!(read.is_sorted_by(|newer, older| newer > older), "{path}: newest first");
        }
    }
    stop.store(true, Ordering::Relaxed);
    assert!(writing.await.unwrap() > 0, "nothing was written meanwhile");
    for status in ["active", "spent", "voided"] {
        let filtered = world.all(&format!("/v1/grants?status={status}&"), &mut random).await;
        let all = world.all("/v1/grants?", &mut random).await;
        let naive: Vec<&Value> = all.iter().filter(|row| row["status"] == status).collect();
        assert_eq!(filtered.iter().collect::<Vec<_>>(), naive, "{status}");
    }
}

fn ids(world: &World, site: Option<&str>) -> BTreeSet<String> {
    let site = site.unwrap_or_default().to_owned();
    let read = |tx: &mut Tx<'_>| {
        tx.query(
            "-- test\n SELECT DISTINCT grant_id FROM slice WHERE $1 = '' OR site = $1",
            params![&site],
            |row| row.get::<String>(0),
        )
    };
    world.app.db().read(read).unwrap().into_iter().collect()
}

// Moving and correcting -----------------------------------------------------------------------------

#[tokio::test]
async fn credits_are_allocated_reclaimed_and_corrected_once_each() {
    let world = World::start().await;
    world.give(ALICE, "100").await;
    let move_by = |account: &str, site: &str, credits: &str| json!({ "account": account, "site": site, "credits": credits });
    let alice = "lab:customer:2";
    let first = world.post("/v1/allocations", Some("a"), move_by(alice, "shop", "60")).await;
    assert_eq!((first.status, &first.body["available"]), (201, &json!("60")), "{first:?}");
    let again = world.post("/v1/allocations", Some("a"), move_by(alice, "shop", "60")).await;
    assert!(again.replayed && again.body == first.body);
    for (body, expected) in [
        (move_by(alice, "shop", "40.000001"), "402 insufficient_credits"),
        (move_by(alice, "shop", "-60.000001"), "402 insufficient_credits"),
        (move_by(alice, "farm", "1"), "409 site_mismatch"),
        (move_by(alice, "farm", "-1"), "409 site_mismatch"),
        (move_by(alice, "nowhere", "1"), "404 not_found"),
        (move_by(alice, "stray", "1"), "404 not_found"),
        (move_by("lab:customer:99", "shop", "1"), "404 not_found"),
        (move_by(alice, "shop", "0"), "422 invalid_request"),
    ] {
        let answer = world.post("/v1/allocations", None, body.clone()).await;
        assert_eq!(answer.brief(), expected, "{body}: {answer:?}");
    }
    let back = world.post("/v1/allocations", None, move_by(alice, "shop", "-20")).await;
    assert_eq!(
        (back.status, &back.body["credits"], &back.body["available"]),
        (201, &json!("-20"), &json!("40"))
    );

    let adjust = |wallet: &str, credits: &str| json!({ "wallet": wallet, "credits": credits, "reason": "r" });
    let more = world.post("/v1/adjustments", Some("b"), adjust("site:shop", "5")).await;
    assert_eq!((more.status, &more.body["available"]), (201, &json!("45")), "{more:?}");
    let bonus = &world.get("/v1/grants?limit=1").await.body["items"][0];
    assert_eq!(
        [&bonus["id"], &bonus["category"], &bonus["expires_at"], &bonus["reason"]],
        [&more.body["id"], &json!("bonus"), &Value::Null, &json!("r")]
    );
    // The bonus is spent first, then what was allocated; the pool is not the site's own.
    let less = world.post("/v1/adjustments", Some("c"), adjust("site:shop", "-7")).await;
    assert_eq!(less.body["slices"][0], json!({ "grant": bonus["id"], "credits": "5" }), "{less:?}");
    assert_eq!((&less.body["slices"][1]["credits"], &less.body["available"]), (&json!("2"), &json!("38")));
    let short = world.post("/v1/adjustments", Some("d"), adjust("site:shop", "-38.000001")).await;
    assert_eq!(
        (short.brief().as_str(), &short.body["available"]),
        ("402 insufficient_credits", &json!("38"))
    );
    assert_eq!(world.app.available(ALICE).await, "98");
}

// Accounts and sites --------------------------------------------------------------------------------

#[tokio::test]
async fn accounts_are_found_by_any_of_their_names_page_by_page() {
    let mut random = seeded();
    let world = World::start().await;
    for number in 100..130 {
        write(world.app.db(), move |tx| sites::open(tx, &format!("lab:customer:{number}").parse().unwrap()));
    }
    let all = world.all("/v1/accounts?", &mut random).await;
    assert_eq!(all.len(), 32);
    let names: BTreeSet<String> =
        all.iter().map(|row| row["names"][0].as_str().unwrap().to_owned()).collect();
    assert_eq!(names.len(), 32, "something came twice");
    for (query, found) in [
        ("lab:customer:3", vec!["lab:customer:3"]),
        ("LAB:CUSTOMER:12", (120..130).map(|_| "lab:customer:12").collect()),
        ("customer%2011", (110..120).map(|_| "lab:customer:11").collect()),
        ("%25", vec![]),
        (world.alice.as_str(), vec!["lab:customer:2"]),
    ] {
        let rows = world.all(&format!("/v1/accounts?query={query}&"), &mut random).await;
        assert_eq!(rows.len(), found.len(), "{query}: {rows:?}");
        for (row, name) in rows.iter().zip(found) {
            assert!(row["names"][0].as_str().unwrap().starts_with(name), "{query}: {row}");
        }
    }
}

#[tokio::test]
async fn a_site_is_assigned_relabelled_and_taken_away_and_never_changes_hands_silently() {
    let world = World::start().await;
    let new = world.put("/v1/sites/new", json!({ "account": "lab:customer:2", "label": "New" })).await;
    assert_eq!(
        (new.status, &new.body["label"], &new.body["account"]["id"]),
        (200, &json!("New"), &json!(world.alice.as_str()))
    );
    assert_eq!(world.get("/v1/sites/new").await.body, new.body);
    let client = world.put("/v1/sites/new", json!({ "client": "acme" })).await.body;
    assert_eq!((&client["client"], &client["label"]), (&json!("acme"), &json!("New")));
    let bare = world.put("/v1/sites/new", json!({ "client": null, "label": "" })).await.body;
    assert_eq!((&bare["client"], &bare["label"]), (&Value::Null, &Value::Null));
    for (site, body, expected) in [
        ("new", json!({ "account": "lab:customer:3" }), "409 site_mismatch"),
        ("new", json!({ "account": "nobody:customer:3" }), "404 not_found"),
        ("new", json!({ "account": "me" }), "422 invalid_request"),
        ("new", json!({ "account": null, "label": "x" }), "422 invalid_request"),
        ("new", json!({ "owner": "x" }), "422 invalid_request"),
        ("new", json!({ "label": 5 }), "422 invalid_request"),
        ("nowhere", json!({ "label": "x" }), "404 not_found"),
        ("nowhere", json!({ "account": null }), "404 not_found"),
        ("stray", json!({ "label": "x" }), "404 not_found"),
        ("a%20b", json!({ "account": "lab:customer:2" }), "404 not_found"),
    ] {
        let answer = world.put(&format!("/v1/sites/{site}"), body.clone()).await;
        assert_eq!(answer.brief(), expected, "{site} {body}: {answer:?}");
    }
    for _ in 0..2 {
        let gone = world.put("/v1/sites/new", json!({ "account": null })).await;
        assert_eq!((gone.status, &gone.body["account"]), (200, &Value::Null), "{gone:?}");
    }
    assert_eq!(world.put("/v1/sites/new", json!({ "account": "lab:customer:3" })).await.status, 200);
    let owner = world.get("/v1/sites/new").await.body["account"]["id"].clone();
    assert_eq!(
        format!("account:{}", owner.as_str().unwrap()),
        world.get(&format!("/v1/wallets/{BOB}")).await.body["wallet"]
    );
}

// Random books --------------------------------------------------------------------------------------

const WALLETS: [&str; 5] = [ALICE, BOB, "site:shop", "site:blog", "site:farm"];
const SITES: [&str; 3] = ["shop", "blog", "farm"];

/// On random books, at every step: the burn plan is what the debit then takes, or refuses; the items of `explain`
/// add up to `available`, whatever the pages; and what the balance was can be read later.
#[tokio::test]
async fn plans_explanations_and_past_balances_are_true_on_random_books() {
    let mut random = seeded();
    let world = World::start().await;
    let mut now: Timestamp = "2026-11-20T18:00:00Z".parse().unwrap();
    let mut seen: Vec<(Timestamp, &str, Value)> = Vec::new();
    let mut debited = [0, 0];
    // Twelve acts in any order, then twelve again: whatever the seed, each is done as often.
    let mut acts: Vec<u32> = Vec::new();
    for step in 0..150_i64 {
        if acts.is_empty() {
            acts = (0..12).collect();
            acts.shuffle(&mut random);
        }
        let site = *SITES.choose(&mut random).unwrap();
        let mut amount = format!("{}.{}", random.random_range(0..40), random.random_range(1..10));
        let act = acts.pop().unwrap();
        match act {
            0..3 => grant_something(&world, &mut random, now, step).await,
            3..7 => {
                // One of them can be paid, one cannot; the others are left to chance.
                match act {
                    3 => amount = affordable(&world, site, &mut random).await,
                    4 => amount = Delta::from_micro(available(&world, site).await + 1).to_string(),
                    _ => {}
                }
                let plan = world.get(&format!("/v1/wallets/site:{site}/burn-plan?credits={amount}")).await;
                // What expires meanwhile the daemon books by itself.
                let entries = world.app.count("entry WHERE kind <> 'expired'");
                let body = json!({ "site": site, "credits": amount });
                let debit = world.post("/v1/debits", Some(&format!("d{step}")), body).await;
                if debit.status == 201 {
                    assert_eq!(
                        (plan.status, &plan.body["slices"]),
                        (200, &debit.body["slices"]),
                        "step {step}"
                    );
                    debited[0] += 1;
                } else {
                    assert_eq!((plan.brief(), &plan.body), (debit.brief(), &debit.body), "step {step}");
                    assert_eq!(world.app.count("entry WHERE kind <> 'expired'"), entries);
                    debited[1] += 1;
                }
            }
            7 => {
                let sign = if random.random_bool(0.5) { "-" } else { "" };
                let (account, site) =
                    [("lab:customer:2", "shop"), ("lab:customer:2", "blog"), ("lab:customer:3", "farm")]
                        [random.random_range(0..3)];
                let body = json!({ "account": account, "site": site, "credits": format!("{sign}{amount}") });
                let answer = world.post("/v1/allocations", None, body).await;
                assert!([201, 402].contains(&answer.status), "{answer:?}");
            }
            8 => {
                let sign = if random.random_bool(0.7) { "-" } else { "" };
                let wallet = *WALLETS.choose(&mut random).unwrap();
                let body = json!({ "wallet": wallet, "credits": format!("{sign}{amount}"), "reason": "r" });
                let answer = world.post("/v1/adjustments", None, body).await;
                assert!([201, 402].contains(&answer.status), "{answer:?}");
            }
            9 => {
                let rows = world.get("/v1/grants?limit=20").await.body;
                if let Some(row) = rows["items"].as_array().unwrap().choose(&mut random) {
                    let path = format!("/v1/grants/{}/void", row["id"].as_str().unwrap());
                    assert_eq!(world.post(&path, None, json!({ "reason": "r" })).await.status, 200);
                }
            }
            10 => frozen_purchase(&world, &mut random, step),
            _ => {
                let hours = random.random_range(1..30);
                now = now.plus_millis(hours * HOUR_MS);
                world.app.clock.turn_to(now);
            }
        }
        for wallet in [*WALLETS.choose(&mut random).unwrap(), "site:shop"] {
            let numbers = world.get(&format!("/v1/wallets/{wallet}")).await.body;
            let items =
                world.all(&format!("/v1/wallets/{wallet}/explain?field=available&"), &mut random).await;
            let sum: i64 = items.iter().map(|item| micro(&item["credits"])).sum();
            assert_eq!(sum, micro(&numbers["available"]), "step {step}: {wallet}: {items:#?}");
            seen.push((now, wallet, numbers));
        }
        // One instant, one state.
        now = now.plus_millis(1 + random.random_range(0..HOUR_MS / 4));
        world.app.clock.turn_to(now);
    }
    assert!(
        debited.iter().all(|count| *count >= 12),
        "{debited:?}: one of each twelve acts is one of each kind"
    );
    for (at, wallet, numbers) in &seen {
        let then = world.get(&format!("/v1/wallets/{wallet}/balance?at={at}")).await.body;
        for field in ["available", "posted", "held", "frozen", "debt"] {
            assert_eq!(then[field], numbers[field], "{wallet} at {at}: {field}: {then}");
        }
        assert_eq!(then["recurring"]["balance"], numbers["recurring"]["balance"], "{wallet} at {at}");
        assert_eq!(then["top_up"]["balance"], numbers["top_up"]["balance"], "{wallet} at {at}");
    }
    let future = world.get(&format!("/v1/wallets/{ALICE}/balance?at={}", now.plus_millis(1))).await;
    assert_eq!(future.brief(), "422 invalid_request");
}

/// What a site can spend now, in micro-credits.
async fn available(world: &World, site: &str) -> i64 {
    micro(&world.get(&format!("/v1/wallets/site:{site}")).await.body["available"])
}

/// Some of what a site can spend; it is given something first where it has nothing.
async fn affordable(world: &World, site: &str, random: &mut StdRng) -> String {
    let most = loop {
        match available(world, site).await {
            // The first that is given may repay debt.
            0 => drop(world.give(&format!("site:{site}"), "40").await),
            some => break some.min(40_000_000),
        }
    };
    Delta::from_micro(random.random_range(1..=most)).to_string()
}

async fn grant_something(world: &World, random: &mut StdRng, now: Timestamp, step: i64) {
    let wallet = *WALLETS.choose(random).unwrap();
    let category = *["paid", "bonus", "recurring"].choose(random).unwrap();
    let mut body = json!({
        "wallet": wallet, "credits": random.random_range(1..60).to_string(), "category": category, "reason": "r",
    });
    if random.random_bool(0.5) {
        let later = now.plus_millis(random.random_range(2 * DAY_MS..9 * DAY_MS));
        body["expires_at"] = json!(later.to_string());
    }
    if random.random_bool(0.3) {
        body["effective_at"] = json!(now.plus_millis(random.random_range(-DAY_MS..DAY_MS)).to_string());
    }
    if random.random_bool(0.2) {
        body["priority"] = json!(random.random_range(0..40));
    }
    let answer = world.post("/v1/grants", Some(&format!("g{step}")), body.clone()).await;
    assert_eq!(answer.status, 201, "{body}: {answer:?}");
}

/// A purchase that is frozen, released, or taken back in part.
fn frozen_purchase(world: &World, random: &mut StdRng, step: i64) {
    let (alice, order, what) = (world.alice.clone(), random.random_range(1..5), random.random_range(0..4));
    let store = world.app.store_id();
    write(world.app.db(), move |tx| {
        let purchase = Purchase { store, order, line: 1 };
        let mut account = LockedAccount::lock(tx, &alice)?;
        match what {
            0 => {
                let expiry = Expiry::After(Validity::Never);
                account.grant(&new_grant("shop", "20", expiry, Some(purchase))).map(drop)
            }
            1 => account.set_frozen(purchase, true).map(drop),
            2 => account.set_frozen(purchase, false).map(drop),
            _ => {
                let (operation, amount) = (format!("test-{step}"), "15".parse().unwrap());
                account.claw_back(&operation, purchase, amount, "Refunded", Shortfall::Debt, None).map(drop)
            }
        }
    });
}

fn new_grant(to: &str, amount: &str, expiry: Expiry, purchase: Option<Purchase>) -> NewGrant {
    NewGrant {
        compartment: if to.is_empty() { Compartment::Pool } else { Compartment::Site(to.parse().unwrap()) },
        amount: amount.parse().unwrap(),
        category: Category::Paid,
        priority: None,
        label: "AI Credits".to_owned(),
        reason: None,
        effective_at: None,
        expiry,
        purchase,
        shown_as: Shown::TopUp,
    }
}

/// A reader who pages slowly gets the number of the first page, whatever is written meanwhile.
#[tokio::test]
async fn an_explanation_is_of_the_instant_of_its_first_page() {
    let mut random = seeded();
    let world = World::start().await;
    for _ in 0..4 {
        world.give("site:shop", "10").await;
        world.give(ALICE, "7").await;
    }
    frozen_purchase_of(&world);
    for wallet in ["site:shop", ALICE] {
        let path = format!("/v1/wallets/{wallet}/explain?field=available");
        let wanted = micro(&world.get(&format!("/v1/wallets/{wallet}")).await.body["available"]);
        let (mut sum, mut cursor, mut pages) = (0, String::new(), 0);
        loop {
            let limit = random.random_range(1..4);
            let page = world.get(&format!("{path}&limit={limit}{cursor}")).await.body;
            sum += page["items"].as_array().unwrap().iter().map(|item| micro(&item["credits"])).sum::<i64>();
            pages += 1;
            world.give("site:shop", "1").await;
            assert_eq!(world.app.debit("shop", "2", &format!("{wallet}{pages}")).await.status(), 201);
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert!(pages > 3, "{pages} pages");
        assert_eq!(sum, wanted, "{wallet}");
    }
    // A neighbour's use of the pool is there, without a word of whose it was.
    world.app.debit("blog", "3", "x").await;
    let text = world.get("/v1/wallets/site:shop/explain?limit=200").await.body.to_string();
    assert!(text.contains("Used for another site") && !text.contains("blog"), "{text}");
    let other = key(world.app.db(), "site:shop");
    let told =
        world.send(&other, "GET", "/v1/wallets/me/explain?limit=200", None, None).await.body.to_string();
    assert!(!told.contains("reason"), "{told}");
    assert_eq!(world.get("/v1/wallets/site:shop/explain?field=held").await.brief(), "422 invalid_request");
    assert_eq!(world.get("/v1/wallets/site:shop/explain?cursor=abc").await.brief(), "422 invalid_request");
    assert_eq!(world.get("/v1/wallets/site:shop/burn-plan").await.brief(), "422 invalid_request");
}

fn frozen_purchase_of(world: &World) {
    let (alice, store) = (world.alice.clone(), world.app.store_id());
    write(world.app.db(), move |tx| {
        let purchase = Purchase { store, order: 9, line: 1 };
        let mut account = LockedAccount::lock(tx, &alice)?;
        account.grant(&new_grant("shop", "20", Expiry::After(Validity::Never), Some(purchase)))?;
        account.set_frozen(purchase, true)?;
        let mut later = new_grant("", "30", Expiry::After(Validity::Never), None);
        later.effective_at = Some("2027-01-01T00:00:00Z".parse().unwrap());
        account.grant(&later).map(drop)
    });
}

/// The same on both engines, below HTTP.
#[test]
fn both_engines_void_explain_and_remember() {
    for test in databases() {
        lab(&test.db);
        let alice = stage(&test.db);
        let site: WalletRef = "site:shop".parse().unwrap();
        let settings = feed::Settings::default();
        let (first, pool) = {
            let (alice, site) = (alice.clone(), site.clone());
            write(&test.db, move |tx| {
                let given =
                    by_hand::grant(tx, site, new_grant("", "10", Expiry::After(Validity::Never), None))?;
                let alice = WalletRef::Account(alice.into());
                let pool =
                    by_hand::grant(tx, alice, new_grant("", "5", Expiry::After(Validity::Never), None))?;
                Ok::<_, by_hand::Error>((given, pool))
            })
        };
        let before = test.clock.now();
        test.clock.turn_to(before.plus_millis(1000));
        let voided = {
            let (grant, pool, site) = (first.id.clone(), pool.id.clone(), site.clone());
            write(&test.db, move |tx| {
                by_hand::adjust(tx, site, "-4".parse().unwrap(), "r")?;
                let again = by_hand::void(tx, &grant, "r")?;
                assert_eq!(by_hand::void(tx, &grant, "r")?.credits, Credits::ZERO);
                assert!(matches!(
                    by_hand::allocate(tx, &alice.into(), "shop".parse().unwrap(), "6".parse().unwrap()),
                    Err(by_hand::Error::Ledger(_))
                ));
                let _ = pool;
                Ok::<_, by_hand::Error>(again.credits)
            })
        };
        assert_eq!(voided.to_string(), "6", "{}", test.name);
        let told = test.db.read(|tx| {
            let wallet = feed::wallet::open(tx, &site)?.unwrap();
            let now = wallet.numbers(tx, &settings)?.available;
            let items = explain::available(tx, &wallet, None, true, 200)?.items;
            let sum: i64 = items.iter().map(|item| item.credits.micro()).sum();
            let then = past::balance(tx, &wallet, &settings, before).unwrap().available;
            Ok::<_, db::Error>((now.to_string(), sum, then.to_string()))
        });
        assert_eq!(told.unwrap(), ("5".to_owned(), 5_000_000, "15".to_owned()), "{}", test.name);
        assert_eq!(audit::verify(&test.db, |_| {}).unwrap().faults, [], "{}", test.name);
        let listed = test.db.read(|tx| feed::grants::list(tx, None, None, None, 1)).unwrap();
        assert_eq!((listed.items[0].grant.id.clone(), listed.next_cursor.is_some()), (pool.id, true));
    }
}

// Requests that are sent again ----------------------------------------------------------------------

/// Every POST, sent one to five times with its answer lost: one effect. After 30 days the key is new.
#[tokio::test]
async fn a_request_that_is_sent_again_has_one_effect_for_thirty_days() {
    let mut random = seeded();
    let world = World::start().await;
    let grant = world.give("site:shop", "50").await;
    world.give(ALICE, "50").await;
    let posts = [
        ("/v1/grants".to_owned(), json!({ "wallet": "site:blog", "credits": "1", "reason": "r" })),
        ("/v1/debits".to_owned(), json!({ "site": "shop", "credits": "1" })),
        (
            "/v1/allocations".to_owned(),
            json!({ "account": "lab:customer:2", "site": "shop", "credits": "1" }),
        ),
        ("/v1/adjustments".to_owned(), json!({ "wallet": "site:shop", "credits": "-1", "reason": "r" })),
        (format!("/v1/grants/{grant}/void"), json!({ "reason": "r" })),
    ];
    let mut first: BTreeMap<&str, Value> = BTreeMap::new();
    for (path, body) in &posts {
        let mut entries = None;
        for _ in 0..random.random_range(1..=5) {
            let answer = world.post(path, Some(path), body.clone()).await;
            assert!(answer.status < 300, "{path}: {answer:?}");
            assert_eq!(answer.replayed, entries.is_some(), "{path}");
            let told = first.entry(path).or_insert_with(|| answer.body.clone());
            assert_eq!(*told, answer.body, "{path}");
            let booked = world.app.count("entry");
            assert_eq!(*entries.get_or_insert(booked), booked, "{path} had a second effect");
        }
        let other = world
            .post(
                path,
                Some(path),
                json!({ "wallet": "site:shop", "site": "shop", "account": "lab:customer:2", "x": 1 }),
            )
            .await;
        assert_eq!(other.brief(), "422 idempotency_mismatch", "{path}");
    }
    let start = world.app.clock.now();
    world.app.clock.turn_to(start.plus_millis(idempotency::RETENTION_MS - 1));
    assert!(
        world.post("/v1/grants", Some("/v1/grants"), posts[0].1.clone()).await.replayed,
        "the last moment"
    );
    world.app.clock.turn_to(start.plus_millis(idempotency::RETENTION_MS));
    let again = world.post("/v1/grants", Some("/v1/grants"), posts[0].1.clone()).await;
    assert!(!again.replayed && again.body["id"] != first["/v1/grants"]["id"], "{again:?}");
    assert!(world.post("/v1/grants", Some("/v1/grants"), posts[0].1.clone()).await.replayed, "and new again");
}

#[test]
fn old_answers_are_forgotten_in_small_steps_and_no_others() {
    for test in databases() {
        let keys = |db: &Db| {
            let sql = "-- test\n SELECT CAST(COUNT(*) AS BIGINT) FROM idempotency";
            db.read(|tx| tx.query_one(sql, params![], |row| row.get::<i64>(0))).unwrap()
        };
        let keep = |names: std::ops::Range<i32>| {
            write(&test.db, move |tx| {
                let caller: KeyId =
                    tx.query_one("-- test\n SELECT id FROM api_key", params![], |row| row.get(0))?;
                for name in names {
                    let answer = idempotency::Answer { status: 200, body: "{}".to_owned() };
                    let digest = idempotency::digest("POST", "/", b"");
                    idempotency::store::keep(
                        tx,
                        &idempotency::OwnKey::new(&caller, format!("k{name}").parse().unwrap()),
                        &digest,
                        &answer,
                    )?;
                }
                Ok::<_, db::Error>(())
            });
        };
        let prune = || write(&test.db, |tx| idempotency::store::prune(tx, 3));
        key(&test.db, "admin");
        let start = test.clock.now();
        keep(0..7);
        test.clock.turn_to(start.plus_millis(idempotency::RETENTION_MS - 1));
        keep(7..9);
        assert_eq!(prune(), 0, "{}", test.name);
        test.clock.turn_to(start.plus_millis(idempotency::RETENTION_MS));
        assert_eq!([prune(), prune(), prune(), prune()], [3, 3, 1, 0], "{}", test.name);
        assert_eq!(keys(&test.db), 2, "{}", test.name);
    }
}

/// Two keys whose numbers are the same: each has its own answer, also beside one that is too old.
#[test]
fn two_keys_with_one_hash_are_two_keys() {
    for test in databases() {
        key(&test.db, "admin");
        let caller: KeyId = test
            .db
            .read(|tx| tx.query_one("-- test\n SELECT id FROM api_key", params![], |row| row.get(0)))
            .unwrap();
        let digest = |name: &str| idempotency::digest("POST", "/", name.as_bytes());
        let look = |name: &'static str| {
            let caller = caller.clone();
            let seen = write(&test.db, move |tx| {
                idempotency::store::look(
                    tx,
                    &idempotency::OwnKey::new(&caller, name.parse().unwrap()),
                    &digest(name),
                )
            });
            match seen {
                idempotency::Seen::Answered(answer) => answer.body,
                seen => format!("{seen:?}"),
            }
        };
        let keep = |name: &'static str, body: &'static str| {
            let caller = caller.clone();
            write(&test.db, move |tx| {
                let answer = idempotency::Answer { status: 200, body: body.to_owned() };
                idempotency::store::keep(
                    tx,
                    &idempotency::OwnKey::new(&caller, name.parse().unwrap()),
                    &digest(name),
                    &answer,
                )
            });
        };
        // All that is kept gets the number of what was kept last.
        let share = || {
            write(&test.db, |tx| {
                tx.execute(
                    "-- test
                     UPDATE idempotency SET hash = (SELECT hash FROM idempotency ORDER BY seq DESC LIMIT 1)",
                    params![],
                )
            });
        };
        let start = test.clock.now();
        keep("a", "first a");
        test.clock.turn_to(start.plus_millis(1));
        keep("b", "first b");
        share();
        assert_eq!([look("b"), look("c")], ["first b", "Never"], "{}", test.name);
        test.clock.turn_to(start.plus_millis(idempotency::RETENTION_MS));
        assert_eq!([look("a"), look("b")], ["Never", "first b"], "{}", test.name);
        keep("a", "second a");
        share();
        assert_eq!(look("a"), "second a", "{}", test.name);
        // A clock that is set back across the end of a generation finds what was kept after it.
        let generation = test.clock.now().millis() / idempotency::RETENTION_MS + 1;
        let begin = Timestamp::from_millis(generation * idempotency::RETENTION_MS);
        test.clock.turn_to(begin);
        keep("d", "first d");
        for (moved, found) in [
            (-1, "first d"),
            (idempotency::RETENTION_MS - 1, "first d"),
            (idempotency::RETENTION_MS, "Never"),
        ] {
            test.clock.turn_to(begin.plus_millis(moved));
            assert_eq!(look("d"), found, "{}", test.name);
        }
    }
}
