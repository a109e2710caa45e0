//! What the API tells of wallets, and to whom, on both engines. Every number here was added up by hand.

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use chrono::Datelike as _;
use http_body_util::BodyExt as _;
use nivella_wallet::access::{self, KeySecret};
use nivella_wallet::app;
use nivella_wallet::config::Config;
use nivella_wallet::db::{self, Keep, Tx};
use nivella_wallet::feed::Settings;
use nivella_wallet::http::{App, Services, wallets};
use nivella_wallet::id::{AccountId, KeyId};
use nivella_wallet::ledger::LockedAccount;
use nivella_wallet::ledger::limit::Brake;
use nivella_wallet::ledger::slice::{Category, Compartment};
use nivella_wallet::ledger::store::{Expiry, NewDebit, NewGrant, Purchase, Shortfall, Shown, spend};
use nivella_wallet::params;
use nivella_wallet::site::{Field, store as sites};
use nivella_wallet::time::{DAY_MS, HOUR_MS, Timestamp, Validity};
use nivella_wallet::units::Delta;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::support::{TestDb, databases, new_debit};

// The stage -----------------------------------------------------------------------------------------

/// A shop with an agency (sites a1 and a2 for acme, b1 for beta, n1 for nobody in particular) and a
/// customer in New York (bob1). a2 may not use the pool. Site `stray` belongs to nobody.
struct World {
    test: TestDb,
    router: axum::Router,
    runtime: tokio::runtime::Runtime,
    alice: AccountId,
    bob: AccountId,
    admin: String,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{:?} is not JSON", self.text()))
    }

    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

fn worlds() -> Vec<World> {
    databases().into_iter().map(World::new).collect()
}

impl World {
    fn new(test: TestDb) -> Self {
        let (alice, bob) = write(&test, |tx| {
            tx.execute(
                "-- test
                 INSERT INTO store (id, name, url, webhook_secret, tokens_categories, paid_statuses, site_keys, created_at)
                 VALUES (1, 'lab', 'https://lab.example', 'x', '[\"tokens\",\"more\"]', '[]', '[]', 0)",
                params![],
            )?;
            let alice = sites::open(tx, &"lab:customer:2".parse().unwrap())?;
            let bob = sites::open(tx, &"lab:email:bob@example.com".parse().unwrap())?;
            tx.execute(
                "-- test
                 UPDATE account SET time_zone = 'America/New_York', name = 'Bob' WHERE id = $1",
                params![&bob],
            )?;
            for (site, owner, client, pool) in [
                ("a1", Some(&alice), Some("acme"), 1_i64),
                ("a2", Some(&alice), Some("acme"), 0),
                ("b1", Some(&alice), Some("beta"), 1),
                ("n1", Some(&alice), None, 1),
                ("bob1", Some(&bob), Some("acme"), 1),
                ("stray", None, None, 1),
            ] {
                tx.execute(
                    "-- test
                     INSERT INTO site (id, account_id, client, label, uses_pool, created_at)
                     VALUES ($1, $2, $3, 'A label', $4, 0)",
                    params![site, owner, client, pool],
                )?;
            }
            Ok::<_, sites::Error>((alice, bob))
        });
        let settings =
            Settings { docs_url: Some("https://lab.example/help".to_owned()), ..Settings::default() };
        let services = app::handlers(test.db.clone(), &Config::default());
        let app = App::from(Services { feed: settings.into(), ..services });
        let router = wallets::routes().into_router().with_state(app);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut world = Self { test, router, runtime, alice, bob, admin: String::new() };
        world.admin = world.key(&["admin"]);
        world
    }

    fn key(&self, scopes: &[&str]) -> String {
        let scopes: Vec<_> = scopes.iter().map(|scope| scope.parse().unwrap()).collect();
        write(&self.test, move |tx| access::store::create(tx, "test", &scopes, None)).1.reveal().to_owned()
    }

    fn get(&self, key: &str, path: &str) -> Answer {
        self.get_with(key, path, &[])
    }

    fn get_with(&self, key: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::get(path).header("authorization", format!("Bearer {key}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::empty()).unwrap())
    }

    fn send(&self, request: Request<Body>) -> Answer {
        self.runtime.block_on(async {
            let response = self.router.clone().oneshot(request).await.unwrap();
            let (parts, body) = response.into_parts();
            let body = body.collect().await.unwrap().to_bytes().to_vec();
            Answer { status: parts.status, headers: parts.headers, body }
        })
    }

    /// The answer to `path` for an administrator, which must be 200.
    fn read(&self, path: &str) -> Value {
        let answer = self.get(&self.admin, path);
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
        answer.json()
    }

    fn turn_to(&self, time: &str) {
        self.test.clock.turn_to(time.parse().unwrap());
    }

    fn grant(
        &self,
        account: &AccountId,
        at: &str,
        amount: &str,
        category: Category,
        label: &str,
        more: More,
    ) {
        let more_effective = more.effective_at.map(|at| at.parse().unwrap());
        let expiry = match more.expires {
            None => Expiry::After(Validity::Never),
            Some(text) => text.parse().map_or_else(|_| Expiry::At(text.parse().unwrap()), Expiry::After),
        };
        let new = NewGrant {
            compartment: if at == "pool" {
                Compartment::Pool
            } else {
                Compartment::Site(at.parse().unwrap())
            },
            amount: amount.parse().unwrap(),
            category,
            priority: None,
            label: label.to_owned(),
            reason: Some("a secret reason".to_owned()),
            effective_at: more_effective,
            expiry,
            purchase: more.order.map(|order| Purchase { store: 1, order, line: 1 }),
            shown_as: Shown::grant(category),
        };
        let account = account.clone();
        write(&self.test, move |tx| LockedAccount::lock(tx, &account)?.grant(&new).map(drop));
    }

    fn debit(&self, account: &AccountId, site: &str, amount: &str, action: Option<&str>, label: &str) {
        let new = NewDebit {
            uses_pool: site != "a2",
            agent: Some("bot".parse().unwrap()),
            action: action.map(str::to_owned),
            label: label.to_owned(),
            reference: Some("call-1".to_owned()),
            usage: Some(PRIVATE_USAGE.to_owned()),
            ..new_debit(site, amount)
        };
        let account = account.clone();
        write(&self.test, move |tx| spend(tx, &account, &new, &Brake::OFF).map(drop));
    }

    fn sql(&self, sql: &'static str, values: &[&str]) {
        let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        write(&self.test, move |tx| {
            let params: Vec<_> = values.iter().map(db::Param::from).collect();
            tx.execute(sql, &params)
        });
    }

    /// Purchases, gifts and use, at 16:00; it is 18:00 when this returns. See [`the_numbers`].
    fn furnish(&self) {
        let alice = &self.alice;
        let paid = |order| More { order: Some(order), ..More::default() };
        let expires = |text| More { expires: Some(text), ..More::default() };
        self.grant(alice, "pool", "1000", Category::Paid, "Pack 1,000", paid(1));
        self.grant(alice, "pool", "50", Category::Bonus, "Welcome", expires("30d"));
        self.grant(alice, "a1", "300", Category::Paid, "Pack 300", paid(2));
        self.grant(alice, "a1", "70", Category::Paid, "On hold", paid(3));
        let upcoming = More { effective_at: Some("2026-12-01"), ..More::default() };
        self.grant(alice, "a1", "40", Category::Bonus, "Next month", upcoming);
        self.grant(alice, "a2", "200", Category::Paid, "Pack 200", paid(4));
        let account = alice.clone();
        write(&self.test, move |tx| {
            let purchase = Purchase { store: 1, order: 3, line: 1 };
            LockedAccount::lock(tx, &account)?.set_frozen(purchase, true)
        });
        self.debit(alice, "a1", "10", Some("chat"), "Answered visitor questions");
        self.debit(alice, "b1", "5", Some("chat"), "Answered visitor questions");
        self.debit(alice, "a2", "20", None, "Wrote a page");
        self.sql(
            "-- test\n UPDATE slice SET remaining = remaining - 5000000, held = 5000000
                  WHERE grant_id = (SELECT id FROM credit_grant WHERE label = $1)",
            &["Pack 300"],
        );
        self.grant(alice, "a1", "25", Category::Bonus, "For an hour", expires("2026-11-20T17:00:00Z"));
        self.sql(
            "-- test\n UPDATE slice SET remaining = remaining - 3000000, held = 3000000
                  WHERE grant_id = (SELECT id FROM credit_grant WHERE label = $1)",
            &["For an hour"],
        );
        self.grant(alice, "b1", "100", Category::Recurring, "Allowance", expires("cycle"));

        self.grant(&self.bob, "bob1", "100", Category::Paid, "Pack 100", paid(5));
        self.debit(&self.bob, "bob1", "60", Some("chat"), "Answered visitor questions");
        let bob = self.bob.clone();
        write(&self.test, move |tx| {
            let purchase = Purchase { store: 1, order: 5, line: 1 };
            let amount = "100".parse().unwrap();
            LockedAccount::lock(tx, &bob)?.claw_back(
                "test",
                purchase,
                amount,
                "Refund",
                Shortfall::Debt,
                None,
            )
        });
        self.turn_to("2026-11-20T18:00:00Z");
    }
}

#[derive(Clone, Copy, Default)]
struct More {
    order: Option<i64>,
    expires: Option<&'static str>,
    effective_at: Option<&'static str>,
}

const PRIVATE_USAGE: &str =
    r#"{"model":"opus-9","provider":"acme-ai","tokens":{"input":31337},"cost":"0.0042"}"#;

fn write<T, E>(test: &TestDb, work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static) -> T
where
    T: Send + 'static,
    E: From<db::Error> + std::fmt::Debug + Send + 'static,
{
    test.db.write_blocking("test", Keep::Effects, work).unwrap()
}

fn seed() -> u64 {
    let seed = std::env::var("SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    println!("SEED={seed}");
    seed
}

// Numbers -------------------------------------------------------------------------------------------

#[test]
fn a_wallet_shows_what_it_can_spend_and_where_it_came_from() {
    for world in worlds() {
        world.furnish();
        // Welcome paid 10 and 5 (bonus before paid), Pack 200 paid 20 (a2 may not use the pool).
        for (wallet, available, held, frozen, used, total) in [
            ("site:a1", "1330", "8", "70", "10", "1348"),
            ("site:a2", "180", "0", "0", "20", "200"),
            ("site:b1", "1135", "0", "0", "5", "1140"),
            ("site:n1", "1035", "0", "0", "0", "1035"),
            ("account:lab:customer:2", "1610", "8", "70", "35", "1653"),
        ] {
            let numbers = world.read(&format!("/v1/wallets/{wallet}"));
            let found = ["available", "held", "frozen", "used", "total"].map(|name| &numbers[name]);
            assert_eq!(found, [available, held, frozen, used, total], "{wallet}");
            let sum = |field: &str| -> i64 {
                let parts = numbers["breakdown"].as_array().unwrap().iter();
                parts.map(|part| part[field].as_str().unwrap().parse::<i64>().unwrap()).sum()
            };
            let posted = (sum("remaining") + sum("held")).to_string();
            assert_eq!(numbers["posted"], posted, "{wallet}: the breakdown adds up");
        }
    }
}

#[test]
fn the_wallet_object_is_the_contracts() {
    for world in worlds() {
        world.furnish();
        let numbers = world.read("/v1/wallets/site:a1");
        let mut expected = json!({
            "wallet": "site:a1", "unit": "AI Credits", "as_of": "2026-11-20T18:00:00Z",
            "account": {"id": world.alice.to_string(), "name": "Customer 2"},
            "site": {"id": "a1", "label": "A label", "client": "acme"},
            "available": "1330", "posted": "1338", "held": "8", "frozen": "70", "debt": "0",
            "used": "10", "total": "1348",
            "recurring": {"balance": "0", "cap": "0", "renews_at": null}, "top_up": {"balance": "1330"},
            "status": "ok", "mode": "normal",
            "breakdown": [
                {"category": "paid", "label": "Pack 1,000", "scope": "pool", "amount": "1000", "remaining": "1000",
                 "held": "0", "effective_at": "2026-11-20T16:00:00Z", "expires_at": null, "order": "1"},
                {"category": "bonus", "label": "Welcome", "scope": "pool", "amount": "50", "remaining": "35",
                 "held": "0", "effective_at": "2026-11-20T16:00:00Z", "expires_at": "2026-12-21T00:00:00Z",
                 "order": null},
                {"category": "paid", "label": "Pack 300", "scope": "site", "amount": "300", "remaining": "295",
                 "held": "5", "effective_at": "2026-11-20T16:00:00Z", "expires_at": null, "order": "2"},
                {"category": "bonus", "label": "For an hour", "scope": "site", "amount": "25", "remaining": "0",
                 "held": "3", "effective_at": "2026-11-20T16:00:00Z", "expires_at": "2026-11-20T17:00:00Z",
                 "order": null},
            ],
        });
        for (row, found) in expected["breakdown"]
            .as_array_mut()
            .unwrap()
            .iter_mut()
            .zip(numbers["breakdown"].as_array().unwrap())
        {
            assert!(found["grant"].as_str().unwrap().starts_with("gr_"));
            row["grant"] = found["grant"].clone();
        }
        assert_eq!(numbers, expected, "{}", world.test.name);

        let account = world.read(&format!("/v1/wallets/account:{}", world.alice));
        assert_eq!(account["wallet"], format!("account:{}", world.alice));
        assert!(account.get("site").is_none() && account.get("client").is_none());
        assert_eq!(account["recurring"]["balance"], "100");
        assert_eq!(account["top_up"]["balance"], "1510");
        let sites: Vec<_> =
            account["breakdown"].as_array().unwrap().iter().map(|part| &part["site"]).collect();
        assert_eq!(
            sites,
            [&Value::Null, &Value::Null, &json!("a1"), &json!("a2"), &json!("a1"), &json!("b1")]
        );
    }
}

#[test]
fn a_wallet_in_debt_is_empty_and_its_month_ends_at_its_own_midnight() {
    for world in worlds() {
        world.furnish();
        for wallet in
            ["site:bob1", "account:lab:email:bob%40example.com", "account:lab:email:Bob@Example.com"]
        {
            let numbers = world.read(&format!("/v1/wallets/{wallet}"));
            let found =
                ["available", "posted", "debt", "used", "total", "status", "mode"].map(|name| &numbers[name]);
            assert_eq!(found, ["0", "0", "60", "60", "60", "empty", "handover"], "{wallet}");
            assert_eq!(numbers["breakdown"], json!([]));
        }
        assert_eq!(
            world.read("/v1/wallets/site:bob1/feed")["alerts"],
            json!([{"level": "0", "status": "empty"}])
        );

        // In New York it is still November.
        world.turn_to("2026-12-01T04:59:59Z");
        assert_eq!(world.read("/v1/wallets/site:bob1")["used"], "60");
        assert_eq!(world.read("/v1/wallets/site:a1")["used"], "0", "her month ended at midnight UTC");
        assert_eq!(world.read("/v1/wallets/site:a1")["available"], "1370", "and what was upcoming is good");
        world.turn_to("2026-12-01T05:00:00Z");
        assert_eq!(world.read("/v1/wallets/site:bob1")["used"], "0");
    }
}

#[test]
fn a_frozen_account_keeps_its_numbers() {
    for world in worlds() {
        world.furnish();
        world.sql(
            "-- test\n UPDATE account SET frozen_reason = 'chargeback' WHERE id = $1",
            &[world.alice.as_str()],
        );
        let numbers = world.read("/v1/wallets/site:a1");
        let found = ["available", "status", "mode"].map(|name| &numbers[name]);
        assert_eq!(found, ["1330", "frozen", "handover"]);
        let feed = world.get(&world.admin, "/v1/wallets/site:a1/feed");
        assert_eq!(feed.json()["alerts"], json!([]));
        assert!(!feed.text().contains("chargeback"), "why is for the shop");
    }
}

#[test]
fn low_and_critical_are_reached_at_their_levels() {
    for world in worlds() {
        world.grant(&world.alice, "a2", "100", Category::Paid, "Pack 100", More::default());
        for (spend, status, mode, alerts) in [
            ("79.999999", "ok", "normal", json!([])),
            ("0.000001", "low", "normal", json!([{"level": "20%", "status": "low"}])),
            ("15", "critical", "saver", json!([{"level": "5%", "status": "critical"}])),
            ("5", "empty", "handover", json!([{"level": "0", "status": "empty"}])),
        ] {
            world.debit(&world.alice, "a2", spend, None, "Work");
            let feed = world.read("/v1/wallets/site:a2/feed");
            assert_eq!([&feed["status"], &feed["mode"]], [status, mode]);
            assert_eq!(feed["alerts"], alerts);
        }
    }
}

// Who sees what -------------------------------------------------------------------------------------

/// Every kind of scope against every kind of wallet and everything that can be read of one.
#[test]
fn what_is_outside_a_keys_scope_does_not_exist_for_it() {
    for world in worlds() {
        world.furnish();
        let alice = world.alice.to_string();
        let wallets = [
            "account:lab:customer:2",
            &format!("account:{alice}"),
            "site:a1",
            "site:a2",
            "site:b1",
            "site:n1",
            "account:lab:email:bob%40example.com",
            "site:bob1",
            "site:stray",
            "site:unknown",
            "account:lab:customer:99",
            "account:other:customer:2",
            &format!("account:{}", AccountId::new()),
            "site:a%20b",
            "pool:a1",
            "me",
        ];
        for (scopes, seen, own) in [
            (&["admin"][..], "1111111100000000", ""),
            (&["debit"], "1111111100000000", ""),
            (&["account:lab:customer:2"], "1111110000000001", "account"),
            (&[&format!("account:{alice}")], "1111110000000001", "account"),
            (&["account:lab:email:BOB@example.com"], "0000001100000001", "account"),
            (&["account:lab:customer:99"], "0000000000000000", ""),
            (&[&format!("client:{alice}/acme")], "0011000000000001", "client"),
            (&["client:lab:customer:2/beta"], "0000100000000001", "client"),
            (&["client:lab:customer:2/none"], "0000000000000000", ""),
            (&["site:a1"], "0010000000000001", "site"),
            (&["site:bob1"], "0000000100000001", "site"),
            (&["site:stray"], "0000000000000000", ""),
            (&["site:unknown"], "0000000000000000", ""),
            (&["debit:site:a1"], "0010000000000001", "site"),
            (&["debit:account:lab:customer:2"], "1111110000000001", "account"),
            (&["site:a1", "account:lab:customer:2"], "1111110000000001", "account"),
            (&["site:bob1", "site:a2"], "0001000100000001", "site"),
        ] {
            let key = world.key(scopes);
            for (number, wallet) in wallets.iter().enumerate() {
                let expected = if seen.as_bytes()[number] == b'1' { 200 } else { 404 };
                for under in ["", "/feed", "/activity", "/usage", "/grants"] {
                    let answer = world.get(&key, &format!("/v1/wallets/{wallet}{under}"));
                    assert_eq!(
                        answer.status,
                        expected,
                        "{scopes:?} reads {wallet}{under}: {}",
                        answer.text()
                    );
                    if expected == 404 {
                        assert_eq!(answer.json()["code"], "not_found");
                        assert_eq!(answer.header("content-type"), "application/problem+json");
                    }
                }
            }
            if !own.is_empty() {
                let wallet = world.get(&key, "/v1/wallets/me").json()["wallet"].clone();
                assert!(wallet.as_str().unwrap().starts_with(own), "{scopes:?}: me is {wallet}");
            }
        }
        let unknown = world.get(&world.key(&["site:a1"]), "/v1/wallets/site:unknown").text();
        let foreign = world.get(&world.key(&["site:a1"]), "/v1/wallets/site:a2").text();
        assert_eq!(unknown, foreign, "unknown and foreign are told apart by nobody");
    }
}

#[test]
fn reading_makes_nothing() {
    for world in worlds() {
        let count = || {
            world.test.db.read(|tx| {
                tx.query_one(
                    "-- test
                     SELECT CAST((SELECT COUNT(*) FROM account) + (SELECT COUNT(*) FROM customer)
                          + (SELECT COUNT(*) FROM site) + (SELECT COUNT(*) FROM debt) AS BIGINT)",
                    params![],
                    |row| row.get::<i64>(0),
                )
            })
        };
        let before = count().unwrap();
        for wallet in ["site:new", "account:lab:customer:77", "account:lab:email:new@example.com", "site:a1"]
        {
            for under in ["", "/feed", "/activity", "/usage", "/grants"] {
                world.get(&world.admin, &format!("/v1/wallets/{wallet}{under}"));
            }
        }
        assert_eq!(count().unwrap(), before);
    }
}

#[test]
fn strangers_are_told_nothing_but_to_bring_a_key() {
    for world in worlds() {
        let later = world.test.clock.now().plus_millis(HOUR_MS);
        let scopes = ["admin".parse().unwrap()];
        let (_, short) = write(&world.test, {
            let scopes = scopes.clone();
            move |tx| access::store::create(tx, "short", &scopes, Some(later))
        });
        let (revoked, lost) = write(&world.test, move |tx| access::store::create(tx, "lost", &scopes, None));
        for secret in [&short, &lost] {
            assert_eq!(world.get(secret.reveal(), "/v1/wallets/site:a1").status, 200);
        }
        world.test.clock.turn_to(later);
        for expected in [access::store::Revoked::Now, access::store::Revoked::Before] {
            let id = revoked.id.clone();
            assert_eq!(write(&world.test, move |tx| access::store::revoke(tx, &id)), expected);
        }
        let unknown = write(&world.test, |tx| access::store::revoke(tx, &KeyId::new()));
        assert_eq!(unknown, access::store::Revoked::Unknown);

        let (short, lost) = (format!("Bearer {}", short.reveal()), format!("Bearer {}", lost.reveal()));
        let admin = format!("bearer  {}", world.admin);
        let never_made = format!("Bearer {}", KeySecret::generate().unwrap().reveal());
        for (authorization, expected) in [
            (&[][..], 401),
            (&[""], 401),
            (&["Bearer"], 401),
            (&["Bearer nwk_"], 401),
            (&["Basic bndrXzp4"], 401),
            (&[world.admin.as_str()], 401),
            (&[never_made.as_str()], 401),
            (&[short.as_str()], 401),
            (&[lost.as_str()], 401),
            (&[admin.as_str(), admin.as_str()], 401),
            (&[admin.as_str()], 200),
        ] {
            let mut request = Request::get("/v1/wallets/site:a1");
            for value in authorization {
                request = request.header("authorization", *value);
            }
            let answer = world.send(request.body(Body::empty()).unwrap());
            assert_eq!(answer.status, expected, "{authorization:?}");
            if expected == 401 {
                assert_eq!(answer.json()["code"], "unauthorized");
                assert!(answer.header("www-authenticate").starts_with("Bearer"));
                assert!(!answer.text().contains(&world.admin[4..20]), "a secret is never sent back");
            }
        }
        let keys = world.test.db.read(access::store::list).unwrap();
        assert_eq!(keys.len(), 3);
        let listed = serde_json::to_string(&keys).unwrap();
        assert!(listed.contains("revoked_at") && !listed.contains("nwk_"));
    }
}

#[test]
fn what_cannot_be_read_in_a_query_is_named() {
    for world in worlds() {
        for (path, pointers) in [
            ("activity?limit=0", &["/query/limit"][..]),
            ("activity?limit=201", &["/query/limit"]),
            ("activity?limit=%2B5", &["/query/limit"]),
            ("activity?limit=ten&kind=gift", &["/query/kind", "/query/limit"]),
            ("activity?cursor=xyz", &["/query/cursor"]),
            ("activity?from=yesterday&to=2026-13-01", &["/query/from", "/query/to"]),
            ("activity?site=a%20b", &["/query/site"]),
            ("activity?form=2026-01-01", &["/query/form"]),
            ("activity?kind=usage&kind=bonus", &["/query/kind"]),
            ("usage?by=hour", &["/query/by"]),
            ("usage?group=model", &["/query/group"]),
            ("usage?from=2026-02-01&to=2026-02-01", &["/query/to"]),
            ("grants?status=open", &["/query/status"]),
            ("grants?cursor=abc", &["/query/cursor"]),
            ("feed?limit=5", &["/query/limit"]),
        ] {
            let answer = world.get(&world.admin, &format!("/v1/wallets/site:a1/{path}"));
            assert_eq!(answer.status, 422, "{path}: {}", answer.text());
            let problem = answer.json();
            assert_eq!(problem["code"], "invalid_request");
            let found: Vec<_> = problem["errors"].as_array().unwrap().iter().collect();
            let found_pointers: Vec<_> =
                found.iter().map(|error| error["pointer"].as_str().unwrap()).collect();
            assert_eq!(found_pointers, pointers, "{path}");
            assert!(found.iter().all(|error| !error["detail"].as_str().unwrap().is_empty()));
            let foreign = world.get(&world.admin, &format!("/v1/wallets/site:unknown/{path}"));
            assert_eq!(foreign.status, 404, "{path}: what does not exist is said first");
        }
        let empty = world.get(&world.admin, "/v1/wallets/site:a1/activity?kind=&site=&from=&to=&cursor=");
        assert_eq!(empty.status, 200, "a form sends empty fields");
    }
}

// History -------------------------------------------------------------------------------------------

#[test]
fn a_site_reads_its_own_history_and_the_pools_while_it_may_use_it() {
    for world in worlds() {
        world.furnish();
        let account = world.alice.clone();
        write(&world.test, move |tx| {
            let site = Compartment::Site("b1".parse().unwrap());
            LockedAccount::lock(tx, &account)?.relocate(&Compartment::Pool, &site, "7".parse().unwrap())
        });
        let lines = |path: &str| -> Vec<String> {
            let list = world.read(&format!("/v1/wallets/{path}"));
            let items = list["items"].as_array().unwrap().iter();
            items
                .map(|line| {
                    let text = |name: &str| line[name].as_str().unwrap_or("-").to_owned();
                    ["credits", "kind", "label", "site", "order"].map(text).join(" ")
                })
                .collect()
        };
        // Booked at 17:00 and written by the next act, the move.
        let expired = "-22 expired For an hour a1 -";
        assert_eq!(
            lines("site:a1/activity"),
            [
                "-7 moved Moved to a site - -",
                expired,
                "+25 bonus For an hour a1 -",
                "-10 usage Answered visitor questions a1 -",
                "+40 bonus Next month a1 -",
                "+70 top_up On hold a1 3",
                "+300 top_up Pack 300 a1 2",
                "+50 bonus Welcome - -",
                "+1000 top_up Pack 1,000 - 1",
            ]
        );
        assert_eq!(
            lines("site:a2/activity"),
            ["-20 usage Wrote a page a2 -", "+200 top_up Pack 200 a2 4"],
            "without the pool nothing of it is told"
        );
        assert_eq!(lines("account:lab:customer:2/activity?kind=usage").len(), 3);
        assert_eq!(lines("account:lab:customer:2/activity?kind=moved")[1], "-7 moved Moved to site b1 - -");
        assert_eq!(
            lines("site:a1/activity?kind=expired&from=2026-11-20T17:00:00Z&to=2026-11-20T17:00:01Z"),
            [expired]
        );
        assert!(lines("site:a1/activity?to=2026-11-20T16:00:00Z").is_empty(), "the end is not included");
        assert!(lines("site:a1/activity?site=b1").is_empty());
        assert_eq!(lines("account:lab:customer:2/activity?site=b1&kind=usage").len(), 1);

        let key = world.key(&["client:lab:customer:2/acme"]);
        let own = world.get(&key, "/v1/wallets/me").json();
        assert_eq!(own["wallet"], format!("client:{}/acme", world.alice));
        assert_eq!(own["client"], "acme");
        // 1330 - 7 of a1 with the pool, and a2's own 180: the pool counts once.
        assert_eq!([&own["available"], &own["used"]], ["1503", "30"]);
        let history = world.get(&key, "/v1/wallets/me/activity").text();
        assert!(history.contains("Wrote a page") && !history.contains("b1"));
    }
}

/// A line of the naive log that pages are compared with.
#[derive(Clone)]
struct Logged {
    seq: i64,
    at: i64,
    kind: &'static str,
    site: &'static str,
}

impl Logged {
    fn label(&self) -> String {
        format!("line {}", self.seq)
    }

    fn insert(&self, tx: &mut Tx<'_>, account: &AccountId) -> Result<(), db::Error> {
        let order = (self.kind == "top_up").then_some(self.seq);
        tx.execute(
            "-- test
             INSERT INTO activity (account_id, seq, at, hour, kind, site, label, credits, order_id)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            params![
                account,
                self.seq,
                self.at,
                Timestamp::from_millis(self.at).hour(),
                self.kind,
                self.site,
                &self.label(),
                self.seq,
                order
            ],
        )?;
        Ok(())
    }
}

/// Pages of random sizes under random filters, with lines written between them, are what a look at the whole
/// log says: nothing twice, nothing missing.
#[test]
fn paging_through_a_history_that_grows_misses_nothing_and_repeats_nothing() {
    let seed = seed();
    for world in worlds() {
        let mut random = StdRng::seed_from_u64(seed);
        let start = world.test.clock.now().millis();
        let mut log: Vec<Logged> = Vec::new();
        let grow = |log: &mut Vec<Logged>, random: &mut StdRng, count: usize| {
            let mut added = Vec::new();
            for _ in 0..count {
                let seq = log.last().map_or(0, |last| last.seq) + random.random_range(1..4_i64);
                // What expired is written after its time, so places and times do not always agree.
                let at = start + seq * 60_000 - random.random_range(0..3_i64) * HOUR_MS;
                let kind = ["usage", "top_up", "moved", "expired"][random.random_range(0..4_usize)];
                let site = ["", "a1", "a2", "b1"][random.random_range(0..4_usize)];
                log.push(Logged { seq, at, kind, site });
                added.push(log[log.len() - 1].clone());
            }
            let account = world.alice.clone();
            write(&world.test, move |tx| added.iter().try_for_each(|line| line.insert(tx, &account)));
        };
        grow(&mut log, &mut random, 150);
        for _ in 0..25 {
            let wallet = ["account:lab:customer:2", "site:a1", "site:a2"][random.random_range(0..3_usize)];
            let shown = |site: &str| match wallet {
                "site:a1" => site.is_empty() || site == "a1",
                "site:a2" => site == "a2",
                _ => true,
            };
            let kind = ["", "usage", "moved"][random.random_range(0..3_usize)];
            let site = ["", "", "a1", "b1"][random.random_range(0..4_usize)];
            let mut moment = || start + random.random_range(-200..600_i64) * 60_000;
            let (one, other) = (moment(), moment());
            let (from, to) = (one.min(other), one.max(other));
            let expected: Vec<String> = log
                .iter()
                .rev()
                .filter(|line| shown(line.site) && (kind.is_empty() || line.kind == kind))
                .filter(|line| (site.is_empty() || line.site == site) && (from..to).contains(&line.at))
                .map(Logged::label)
                .collect();
            let filter = format!(
                "kind={kind}&site={site}&from={}&to={}",
                Timestamp::from_millis(from),
                Timestamp::from_millis(to)
            );
            let mut found = Vec::new();
            let mut cursor = String::new();
            loop {
                let limit = random.random_range(1..40_usize);
                let list = world
                    .read(&format!("/v1/wallets/{wallet}/activity?{filter}&limit={limit}&cursor={cursor}"));
                let items = list["items"].as_array().unwrap();
                assert!(items.len() <= limit);
                found.extend(items.iter().map(|line| {
                    // The pool's moves are told without the name of the site.
                    let label = line["label"].as_str().unwrap();
                    let credits: Delta = line["credits"].as_str().unwrap().parse().unwrap();
                    if label.starts_with("Moved") {
                        format!("line {}", credits.micro())
                    } else {
                        label.to_owned()
                    }
                }));
                let Some(next) = list["next_cursor"].as_str() else { break };
                assert_eq!(items.len(), limit, "only the last page is short");
                next.clone_into(&mut cursor);
                grow(&mut log, &mut random, 2);
            }
            assert_eq!(found, expected, "{wallet} {filter} on {}", world.test.name);
        }
    }
}

#[test]
fn an_export_is_the_whole_history_oldest_first() {
    for world in worlds() {
        let account = world.alice.clone();
        // More than one read of the export, and a multiple of it.
        let log: Vec<Logged> = (1..=2_000)
            .map(|seq| Logged {
                seq,
                at: seq * 60_000,
                kind: "usage",
                site: if seq % 2 == 0 { "a1" } else { "" },
            })
            .collect();
        let lines = log.clone();
        write(&world.test, move |tx| lines.iter().try_for_each(|line| line.insert(tx, &account)));
        for (wallet, count) in [("site:a1", 2_000), ("account:lab:customer:2", 2_000), ("site:a2", 0)] {
            let path = format!("/v1/wallets/{wallet}/activity");
            let answer = world.get_with(&world.admin, &path, &[("accept", "text/csv")]);
            assert_eq!(answer.status, 200);
            assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8");
            let mut reader = csv::Reader::from_reader(answer.body.as_slice());
            assert_eq!(
                reader.headers().unwrap(),
                ["at", "kind", "label", "credits", "site", "order"].as_slice()
            );
            let labels: Vec<String> = reader.records().map(|row| row.unwrap()[2].to_owned()).collect();
            let expected: Vec<String> = log.iter().take(count).map(Logged::label).collect();
            assert_eq!(labels, expected, "{wallet}");
        }
        let filtered = format!(
            "/v1/wallets/site:a1/activity?site=a1&from={}&to=1970-01-01T00:08:00Z",
            "1970-01-01T00:03:00Z"
        );
        let answer = world.get_with(&world.admin, &filtered, &[("accept", "text/csv")]);
        assert_eq!(
            answer.text(),
            "at,kind,label,credits,site,order\n\
             1970-01-01T00:04:00Z,usage,line 4,+0.000004,a1,\n\
             1970-01-01T00:06:00Z,usage,line 6,+0.000006,a1,\n"
        );
    }
}

// Use -----------------------------------------------------------------------------------------------

#[test]
fn usage_is_what_was_taken_less_what_was_given_back() {
    for world in worlds() {
        world.furnish();
        let account = world.alice.clone();
        write(&world.test, move |tx| {
            let sql = "-- test\n SELECT id FROM debit WHERE site = 'a1'";
            let debit = tx.query_one(sql, &[], |row| row.get(0))?;
            LockedAccount::lock(tx, &account)?.reverse(&debit, "4".parse().ok(), None).map(drop)
        });
        let day = json!({"from": "2026-11-20T00:00:00Z", "to": "2026-11-21T00:00:00Z"});
        let row = |group: &str, name: Value, credits: &str| {
            let mut row = day.clone();
            row[group] = name;
            row["credits"] = credits.into();
            row
        };
        let mut all = day.clone();
        all["credits"] = "31".into();
        let account = "/v1/wallets/account:lab:customer:2/usage";
        assert_eq!(world.read(account), json!({"items": [all]}));
        assert_eq!(
            world.read(&format!("{account}?group=action")),
            json!({"items": [row("action", "chat".into(), "11"), row("action", Value::Null, "20")]})
        );
        assert_eq!(
            world.read(&format!("{account}?group=site")),
            json!({"items": [
                row("site", "a1".into(), "6"), row("site", "a2".into(), "20"), row("site", "b1".into(), "5")
            ]})
        );
        assert_eq!(
            world.read(&format!("{account}?group=agent")),
            json!({"items": [row("agent", "bot".into(), "31")]})
        );
        assert_eq!(
            world.read("/v1/wallets/site:a1/usage?by=month&from=2026-01-01&to=2026-11-20T16:00:00.001Z"),
            json!({"items": [{"from": "2026-11-01T00:00:00Z", "to": "2026-11-20T16:00:00.001Z", "credits": "6"}]}),
            "a period is cut where the range ends"
        );
        assert_eq!(world.read("/v1/wallets/site:a1/usage?to=2026-11-20T16:00:00Z"), json!({"items": []}));
        world.sql("-- test\n UPDATE usage_hour SET credits = 0 WHERE site = $1", &["a1"]);
        assert_eq!(world.read("/v1/wallets/site:a1/usage"), json!({"items": []}), "all was given back");
    }
}

/// Writes debits as they are when all is settled: when, for which site, for what, how many micro-credits.
fn book<'a>(
    tx: &mut Tx<'_>,
    account: &AccountId,
    debits: impl Iterator<Item = (i64, &'a str, Option<&'a str>, i64)>,
) -> Result<(), db::Error> {
    let mut previous: Option<i64> = None;
    for (seq, (at, site, action, credits)) in (1_i64..).zip(debits) {
        let id = format!("db_{seq}");
        let entry: i64 = tx.query_one(
            "-- test
             INSERT INTO entry (previous, account_id, seq, operation, kind, source, target, amount, booked_at, hash)
             VALUES ($1, $2, $3, $4, 'spent', 'pool', 'revenue', $5, $6, $7) RETURNING id",
            params![previous, account, seq, &id, credits, at, &[0_u8; 32]],
            |row| row.get(0),
        )?;
        previous = Some(entry);
        tx.execute(
            "-- test
             INSERT INTO debit (id, account_id, site, action, label, credits, reversed, booked_at, first_entry, last_entry)
             VALUES ($1, $2, $3, $4, 'x', $5, 0, $6, $7, $7)",
            params![&id, account, site, action, credits, at, entry],
        )?;
    }
    tx.execute(
        "-- test
         INSERT INTO usage_hour (account_id, site, hour, agent, action, credits)
         SELECT account_id, site, booked_at - booked_at % 3600000, '', COALESCE(action, ''), CAST(SUM(credits) AS BIGINT)
         FROM debit GROUP BY 1, 2, 3, 5",
        &[],
    )?;
    tx.execute(
        "-- test
         INSERT INTO spent_hour (account_id, hour, first_entry, last_entry)
         SELECT account_id, booked_at - booked_at % 3600000, MIN(first_entry), MAX(last_entry) FROM debit GROUP BY 1, 2",
        &[],
    )
    .map(drop)
}

#[test]
fn sums_over_any_range_equal_a_look_at_every_debit() {
    let seed = seed();
    for world in worlds() {
        let mut random = StdRng::seed_from_u64(seed);
        let end = world.test.clock.now().day().millis() + DAY_MS;
        let debits: Vec<(i64, &str, Option<&str>, i64)> = (0..300)
            .map(|_| {
                let at = end - random.random_range(1..100 * DAY_MS);
                let site = ["a1", "a2", "gone"][random.random_range(0..3_usize)];
                let action = [None, Some("chat"), Some("draft")][random.random_range(0..3_usize)];
                (at, site, action, random.random_range(1..1_000_000_000_i64))
            })
            .collect();
        let (account, mut rows) = (world.alice.clone(), debits.clone());
        rows.sort_unstable();
        write(&world.test, move |tx| {
            book(tx, &account, rows.iter().map(|(at, site, action, credits)| (*at, *site, *action, *credits)))
        });
        for _ in 0..40 {
            let (wallet, shown) =
                [("account:lab:customer:2", ""), ("site:a1", "a1")][random.random_range(0..2_usize)];
            let by = ["day", "week", "month"][random.random_range(0..3_usize)];
            let grouped = random.random_range(0..2) == 1;
            let to = end - random.random_range(0..50 * DAY_MS);
            let from = to - random.random_range(1..60 * DAY_MS);
            // Keyed by a name of the period that is found another way: by the calendar.
            let period = |at: i64| {
                let date = Timestamp::from_millis(at).utc().date_naive();
                match by {
                    "day" => date.to_string(),
                    "week" => format!("{:?}", date.iso_week()),
                    _ => format!("{}-{}", date.year(), date.month()),
                }
            };
            let mut expected = std::collections::BTreeMap::<_, i64>::new();
            for (at, site, action, credits) in &debits {
                if (from..to).contains(at) && (shown.is_empty() || shown == *site) {
                    let action = action.filter(|_| grouped).map(str::to_owned);
                    *expected.entry((period(*at), action)).or_default() += credits;
                }
            }
            let (from, to) = (Timestamp::from_millis(from), Timestamp::from_millis(to));
            let group = if grouped { "action" } else { "" };
            let found =
                world.read(&format!("/v1/wallets/{wallet}/usage?from={from}&to={to}&by={by}&group={group}"));
            let mut last = from;
            let found: std::collections::BTreeMap<_, i64> = found["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| {
                    let span: [Timestamp; 2] =
                        ["from", "to"].map(|name| row[name].as_str().unwrap().parse().unwrap());
                    assert!(last <= span[0] && span[0] < span[1] && span[1] <= to, "in order, in range");
                    last = span[0];
                    assert_eq!(row.get("action").is_some(), grouped);
                    let action = row["action"].as_str().map(str::to_owned);
                    let credits: Delta = row["credits"].as_str().unwrap().parse().unwrap();
                    ((period(span[0].millis()), action), credits.micro())
                })
                .collect();
            assert_eq!(found, expected, "{wallet} {from}..{to} by {by}");
        }
    }
}

#[test]
fn too_many_sums_are_refused_with_a_way_out() {
    for world in worlds() {
        let account = world.alice.clone();
        let actions: Vec<String> = (0..5_001).map(|number| format!("action {number}")).collect();
        write(&world.test, move |tx| {
            book(tx, &account, actions.iter().map(|action| (1000, "a1", Some(action.as_str()), 1)))
        });
        let path = "/v1/wallets/site:a1/usage?from=1970-01-01&to=1970-01-02";
        let refused = world.get(&world.admin, &format!("{path}&group=action"));
        assert_eq!(refused.status, 422);
        assert!(refused.text().contains("shorter"), "{}", refused.text());
        assert_eq!(world.read(path)["items"][0]["credits"], "0.005001");
    }
}

// Grants --------------------------------------------------------------------------------------------

#[test]
fn every_grant_says_what_became_of_it() {
    for world in worlds() {
        world.furnish();
        let list = |path: &str| -> Vec<Value> {
            world.read(&format!("/v1/wallets/{path}"))["items"].as_array().unwrap().clone()
        };
        let labels = |path: &str| -> Vec<String> {
            list(path).iter().map(|grant| grant["label"].as_str().unwrap().to_owned()).collect()
        };
        let newest_first = [
            "Allowance",
            "For an hour",
            "Pack 200",
            "Next month",
            "On hold",
            "Pack 300",
            "Welcome",
            "Pack 1,000",
        ];
        let account = "account:lab:customer:2/grants";
        assert_eq!(labels(account), newest_first);
        assert_eq!(labels("site:a1/grants").len(), 6, "its own and the pool's");
        assert_eq!(labels("site:a2/grants"), ["Pack 200"]);
        for (status, expected) in [
            ("active", &["Allowance", "Pack 200", "Pack 300", "Welcome", "Pack 1,000"][..]),
            ("upcoming", &["Next month"]),
            ("expired", &["For an hour"]),
            ("frozen", &["On hold"]),
            ("voided", &[]),
            ("spent", &[]),
        ] {
            assert_eq!(labels(&format!("{account}?status={status}")), expected, "{status}");
        }
        for wallet in [account, "account:lab:email:bob@example.com/grants"] {
            for grant in list(wallet) {
                let number =
                    |name: &str| -> i64 { grant[name].as_str().unwrap().parse::<Delta>().unwrap().micro() };
                let sum = number("remaining") + number("held") + number("spent") - number("reversed")
                    + ["expired", "clawed", "voided", "adjusted", "repaid"].map(number).iter().sum::<i64>();
                assert_eq!(number("granted"), sum, "{grant}");
            }
        }
        // Its time is over and nobody has booked that yet: it is expired all the same, but for what is held.
        let hour = &list(&format!("{account}?status=expired"))[0];
        assert_eq!(["remaining", "held", "expired"].map(|name| &hour[name]), ["0", "3", "22"]);
        let clawed = &list("site:bob1/grants")[0];
        assert_eq!(
            ["status", "spent", "clawed", "order"].map(|name| &clawed[name]),
            ["spent", "60", "40", "5"]
        );

        // Pages of two are the list.
        let mut paged = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = world.read(&format!("/v1/wallets/{account}?limit=2&cursor={cursor}"));
            paged.extend(
                page["items"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|grant| grant["label"].as_str().unwrap().to_owned()),
            );
            let Some(next) = page["next_cursor"].as_str() else { break };
            next.clone_into(&mut cursor);
            if paged.len() == 2 {
                world.grant(&world.alice, "pool", "1", Category::Bonus, "Meanwhile", More::default());
            }
        }
        assert_eq!(paged, newest_first);

        let key = world.key(&["account:lab:customer:2"]);
        assert!(!world.get(&key, "/v1/wallets/me/grants").text().contains("a secret reason"));
        assert!(world.get(&world.admin, "/v1/wallets/site:a1/grants").text().contains("a secret reason"));
    }
}

// The page ------------------------------------------------------------------------------------------

#[test]
fn the_feed_is_all_that_a_page_needs() {
    for world in worlds() {
        world.furnish();
        for (id, parent, name, sku, on_sale, credits) in [
            (10_i64, 0_i64, "AI Credits 1,000", "C1000", 1_i64, None),
            (11, 0, "AI Credits 500", "", 1, Some(500_000_000_i64)),
            (12, 0, "Not for sale", "", 0, Some(1_000_000)),
            (13, 0, "A shirt", "", 1, None),
            (14, 0, "By the euro", "", 1, Some(7_000_000)),
            (20, 11, "AI Credits 500, gift", "", 1, None),
            (21, 12, "Its parent is in the trash", "", 1, None),
            (30, 0, "A hat that brings credits nobody promised", "", 1, Some(5_000_000)),
        ] {
            write(&world.test, move |tx| {
                tx.execute(
                    "-- test
                     INSERT INTO product (store_id, product_id, parent_id, name, sku, permalink, price_html, on_sale_now,
                                          credits, modified_at)
                     VALUES (1, $1, $2, $3, $4, 'https://lab.example/p', '<b>10</b>', $5, $6, 0)",
                    params![id, parent, name, sku, on_sale, credits],
                )
            });
        }
        world.sql(
            "-- test
             INSERT INTO package (store_id, target, credits, rate, validity, category)
             VALUES (1, $1, 1000000000, NULL, 'never', 'paid'), (1, $2, NULL, 5000000, 'never', 'paid'),
                    (1, $3, 450000000, NULL, 'never', 'paid'), (1, $4, 100000000, NULL, 'never', 'paid')",
            &["sku:C1000", "product:14", "variation:20", "variation:21"],
        );
        let feed = world.read("/v1/wallets/site:a1/feed");
        let mut wallet = world.read("/v1/wallets/site:a1");
        for (name, value) in wallet.as_object_mut().unwrap() {
            assert_eq!(&feed[name], value, "the feed holds the wallet object");
        }
        let offers: Vec<_> =
            feed["packages"].as_array().unwrap().iter().map(|offer| offer["name"].clone()).collect();
        // Of a product with variations only these, and nothing that would not grant if it was bought.
        assert_eq!(offers, ["AI Credits 500, gift", "AI Credits 1,000"]);
        assert_eq!(
            feed["packages"][1],
            json!({"product_id": 10, "name": "AI Credits 1,000", "credits": "1000", "price_html": "<b>10</b>",
                   "url": "https://lab.example/p"})
        );
        assert_eq!(
            feed["links"],
            json!({"top_up": "https://lab.example/?product_cat=tokens", "docs": "https://lab.example/help"})
        );
        assert_eq!(feed["runway"], Value::Null);
        assert_eq!(feed["alerts"], json!([]));
        assert_eq!(
            feed["expiring"],
            json!([{"at": "2026-12-21T00:00:00Z", "credits": "35", "label": "Welcome"}])
        );
        assert_eq!(
            feed["activity"][1],
            json!({"at": "2026-11-20T16:00:00Z", "kind": "usage", "label": "Answered visitor questions",
                   "credits": "-10", "site": "a1"})
        );
        let days = feed["usage"]["by_day"].as_array().unwrap();
        assert_eq!(days.len(), 30);
        assert_eq!(
            days[0],
            json!({"from": "2026-10-22T00:00:00Z", "to": "2026-10-23T00:00:00Z", "credits": "0"})
        );
        assert_eq!(
            days[29],
            json!({"from": "2026-11-20T00:00:00Z", "to": "2026-11-21T00:00:00Z", "credits": "10"})
        );
        assert_eq!(
            feed["usage"]["by_action"],
            json!([{"action": "Answered visitor questions", "credits": "10"}])
        );
        let agency = world.read("/v1/wallets/account:lab:customer:2/feed");
        assert_eq!(
            agency["usage"]["by_action"],
            json!([{"action": "Wrote a page", "credits": "20"}, {"action": "Answered visitor questions", "credits": "15"}])
        );
        assert_eq!(agency["usage"]["by_day"][29]["credits"], "35");
        assert_eq!(
            agency["expiring"][0],
            json!({"at": "2026-12-01T00:00:00Z", "credits": "100", "label": "Allowance"})
        );
    }
}

#[test]
fn a_feed_has_no_place_for_what_the_assistant_service_recorded() {
    for world in worlds() {
        world.furnish();
        for wallet in ["site:a1", "account:lab:customer:2", "site:bob1"] {
            for under in ["", "/feed", "/activity", "/usage?group=action", "/grants"] {
                let answer = world.get(&world.admin, &format!("/v1/wallets/{wallet}{under}"));
                let mut names = Vec::new();
                field_names(&answer.json(), &mut names);
                for word in ["model", "provider", "token", "cost", "usage_", "reference"] {
                    assert!(
                        !names.iter().any(|name| name.contains(word)),
                        "{wallet}{under} has a field for {word}"
                    );
                }
                for value in ["opus-9", "acme-ai", "31337", "0.0042", "call-1"] {
                    assert!(!answer.text().contains(value), "{wallet}{under} tells {value}");
                }
            }
        }
    }
}

fn field_names(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                names.push(name.to_lowercase());
                field_names(value, names);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| field_names(item, names)),
        _ => {}
    }
}

#[test]
fn a_feed_that_has_not_changed_is_not_sent_again() {
    for world in worlds() {
        world.furnish();
        let path = "/v1/wallets/site:a1/feed";
        let first = world.get(&world.admin, path);
        let tag = first.header("etag").to_owned();
        assert!(tag.starts_with("W/\"") && tag.ends_with('"'));
        assert_eq!(first.header("cache-control"), "private, max-age=15");
        assert!(first.header("vary").contains("authorization"));

        world.turn_to("2026-11-20T18:07:00Z");
        let again = world.get_with(&world.admin, path, &[("if-none-match", &tag)]);
        assert_eq!(again.status, StatusCode::NOT_MODIFIED, "time alone changes nothing");
        assert!(again.body.is_empty());
        assert_eq!(again.header("etag"), tag);
        assert_eq!(again.header("cache-control"), "private, max-age=15");
        let weaker = tag.trim_start_matches("W/").to_owned();
        for (sent, status) in
            [(format!("\"x\", {weaker}"), 304), ("*".to_owned(), 304), ("\"x\"".to_owned(), 200)]
        {
            assert_eq!(
                world.get_with(&world.admin, path, &[("if-none-match", &sent)]).status,
                status,
                "{sent}"
            );
        }
        let stranger = world.get_with("nwk_", path, &[("if-none-match", &tag)]);
        assert_eq!(stranger.status, StatusCode::UNAUTHORIZED);
        let foreign = world.get_with(&world.key(&["site:a2"]), path, &[("if-none-match", &tag)]);
        assert_eq!(foreign.status, StatusCode::NOT_FOUND);

        world.debit(&world.alice, "a1", "0.000001", None, "Work");
        let changed = world.get_with(&world.admin, path, &[("if-none-match", &tag)]);
        assert_eq!(changed.status, StatusCode::OK);
        assert_ne!(changed.header("etag"), tag);
    }
}

/// A site that is given to somebody else takes nothing of the old owner's history along.
#[test]
fn a_site_that_changed_hands_shows_its_new_owners_wallet() {
    for world in worlds() {
        world.furnish();
        let key = world.key(&["site:a2"]);
        let bob = world.bob.clone();
        write(&world.test, move |tx| {
            sites::unassign(tx, &"a2".parse().unwrap())?;
            Ok::<_, sites::Error>(())
        });
        assert_eq!(world.get(&key, "/v1/wallets/me").status, StatusCode::NOT_FOUND);
        write(&world.test, move |tx| {
            sites::assign(tx, &"a2".parse().unwrap(), &bob, &Field::Keep, &Field::Keep).map(drop)
        });
        let numbers = world.get(&key, "/v1/wallets/me").json();
        assert_eq!([&numbers["account"]["name"], &numbers["available"], &numbers["used"]], ["Bob", "0", "0"]);
        assert_eq!(world.get(&key, "/v1/wallets/me/activity?site=a2").json()["items"], json!([]));
        assert_eq!(world.get(&key, "/v1/wallets/me/usage").json()["items"], json!([]));
    }
}

#[test]
fn keys_need_a_name_scopes_and_a_future() {
    for world in worlds() {
        let now = world.test.clock.now();
        for (name, scopes, expires_at) in
            [(" ", 1, None), ("a\nb", 1, None), ("none", 0, None), ("many", 33, None), ("late", 1, Some(now))]
        {
            let scopes = vec!["site:a1".parse().unwrap(); scopes];
            let made = world.test.db.write_blocking("test", Keep::Effects, move |tx| {
                access::store::create(tx, name, &scopes, expires_at)
            });
            assert!(made.is_err(), "{name:?} was made");
        }
    }
}
