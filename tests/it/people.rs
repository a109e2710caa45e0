//! Accounts and sites as staff look after them: found, sorted and paged through with what each has, frozen, claimed.

use std::collections::BTreeSet;

use nivella_wallet::account::list::{self, Asked, Begin, By, Filter, Sort};
use nivella_wallet::db::{self, Db};
use nivella_wallet::id::AccountId;
use nivella_wallet::ledger::LockedAccount;
use nivella_wallet::ledger::slice::{Category, Compartment};
use nivella_wallet::ledger::store::{Expiry, NewGrant, Shown};
use nivella_wallet::params;
use nivella_wallet::site::store as sites;
use nivella_wallet::time::HOUR_MS;
use nivella_wallet::units::Credits;
use rand::RngExt as _;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{SECRET, TestApp, key, lab, write};
use crate::support::{databases, new_hold, seeded};

/// Opens `count` accounts whose names, sizes and times differ, some with nothing.
fn crowd(db: &Db, count: i64) {
    write(db, move |tx| {
        for number in 0..count {
            let who = if number % 4 == 0 {
                format!("lab:email:guest{number}@example.com")
            } else {
                format!("lab:customer:{}", 100 + number)
            };
            let account = sites::open(tx, &who.parse().unwrap())?;
            tx.execute(
                "-- test\n UPDATE account SET name = $2, created_at = created_at + $3 WHERE id = $1",
                params![
                    &account,
                    &format!(
                        "{} Person {}",
                        ["Zoe", "alan", "Mia"].iter().cycle().nth(number.try_into().unwrap()).unwrap(),
                        number % 7
                    ),
                    number % 11 * 1000
                ],
            )?;
            if number % 5 != 0 {
                let amount = format!("{}.5", number % 13 * 10);
                grant(tx, &account, &amount, None);
            }
        }
        Ok::<_, sites::Error>(())
    });
}

fn grant(tx: &mut db::Tx<'_>, account: &AccountId, amount: &str, site: Option<&str>) {
    let compartment = site.map_or(Compartment::Pool, |site| Compartment::Site(site.parse().unwrap()));
    let amount: Credits = amount.parse().unwrap();
    let new = NewGrant {
        compartment,
        amount,
        category: Category::Paid,
        priority: None,
        label: "AI Credits".to_owned(),
        reason: None,
        effective_at: None,
        expiry: Expiry::At("2027-01-01T00:00:00Z".parse().unwrap()),
        purchase: None,
        shown_as: Shown::TopUp,
    };
    LockedAccount::lock(tx, account).unwrap().grant(&new).unwrap();
}

impl TestApp {
    async fn answer(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let sent = self.request(method, path).body(body.to_string()).send().await.unwrap();
        let status = sent.status().as_u16();
        (status, serde_json::from_str(&sent.text().await.unwrap()).unwrap_or_default())
    }

    async fn ask(&self, key: &str, path: &str) -> (u16, Value) {
        let sent = self.http.get(self.url(path)).bearer_auth(key).send().await.unwrap();
        let status = sent.status().as_u16();
        (status, serde_json::from_str(&sent.text().await.unwrap()).unwrap_or_default())
    }
}

fn ids(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

// Listing ----------------------------------------------------------------------------------------------

#[tokio::test]
async fn every_account_of_a_list_has_what_its_wallet_says() {
    let mut random = seeded();
    let app = TestApp::start().await;
    crowd(app.db(), 24);
    write(app.db(), |tx| {
        let spender = sites::open(tx, &"lab:customer:101".parse().unwrap())?;
        for site in ["one", "two"] {
            let site = site.parse().unwrap();
            sites::assign(tx, &site, &spender, &sites_keep(), &sites_keep())?;
        }
        grant(tx, &spender, "1000", Some("one"));
        let owner = sites::open(tx, &"lab:customer:102".parse().unwrap())?;
        sites::assign(tx, &"three".parse().unwrap(), &owner, &sites_keep(), &sites_keep())?;
        let mut owner = LockedAccount::lock(tx, &owner).unwrap();
        owner.hold(&new_hold("three", "3")).unwrap();
        Ok::<_, sites::Error>(())
    });
    // Debits that are not settled, credits that are frozen, a hold whose time is over, what has expired.
    for debit in 0..9 {
        let site = ["one", "two"][debit % 2];
        assert_eq!(app.debit(site, "1.25", &format!("d{debit}")).await.status(), 201);
    }
    assert!(app.count("account WHERE unsettled IS NOT NULL") > 0);
    let frozen = "UPDATE credit_grant SET frozen = 1 WHERE seq = 1 AND account_id IN \
                  (SELECT account_id FROM customer WHERE natural_key IN ('customer:103', 'customer:106'))";
    write(app.db(), move |tx| tx.execute(format!("-- test\n {frozen}").leak(), &[]));
    app.clock.turn_to(app.clock.now().plus_millis(HOUR_MS));
    compare(&app).await;
    app.clock.turn_to("2026-12-31T23:59:59.999Z".parse().unwrap());
    compare(&app).await;
    app.clock.turn_to("2027-01-01T00:00:00Z".parse().unwrap());
    compare(&app).await;
    let empty = app.get(&format!("/v1/accounts?filter=empty&limit={}", random.random_range(1..9))).await;
    assert_eq!(empty["total"], 24, "all of it has expired");
    let unfrozen = frozen.replace("frozen = 1", "frozen = 0");
    write(app.db(), move |tx| tx.execute(format!("-- test\n {unfrozen}").leak(), &[]));
}

fn sites_keep<T>() -> nivella_wallet::site::Field<T> {
    nivella_wallet::site::Field::Keep
}

/// Each account of the list against its wallet, and the order of balances against those.
async fn compare(app: &TestApp) {
    let list = app.get("/v1/accounts?sort=-available&limit=200").await;
    let mut before = i128::MAX;
    for row in list["items"].as_array().unwrap() {
        let wallet = app.get(&format!("/v1/wallets/account:{}", row["id"].as_str().unwrap())).await;
        for name in ["available", "debt", "used", "status"] {
            assert_eq!(row[name], wallet[name], "{name} of {row}");
        }
        let available: Credits = row["available"].as_str().unwrap().parse().unwrap();
        assert!(i128::from(available.micro()) <= before, "{list}");
        before = available.micro().into();
    }
    let of_empty = app.get("/v1/accounts?filter=empty&limit=200").await;
    let empty = list["items"].as_array().unwrap().iter().filter(|row| row["available"] == "0");
    let empty: BTreeSet<&str> = empty.map(|row| row["id"].as_str().unwrap()).collect();
    assert_eq!(ids(&of_empty).iter().map(String::as_str).collect::<BTreeSet<_>>(), empty);
    for site in app.get("/v1/sites").await["items"].as_array().unwrap() {
        let wallet = app.get(&format!("/v1/wallets/site:{}", site["id"].as_str().unwrap())).await;
        assert_eq!(site["available"], wallet["available"], "{site}");
    }
}

/// Whatever the order, a walk forth shows everybody once, and a walk back the same pages.
#[test]
fn a_list_is_walked_through_both_ways_in_every_order_on_both_engines() {
    for test in databases() {
        let db = &test.db;
        lab(db);
        crowd(db, 30);
        for name in Sort::NAMES {
            for (filter, total) in
                [(Filter::All, 30), (Filter::Guest, 8), (Filter::Empty, 6), (Filter::Debt, 0)]
            {
                let asked = |begin: Option<Begin>| Asked {
                    query: None,
                    filter,
                    sort: Sort::named(name).unwrap(),
                    begin,
                    limit: 7,
                };
                let page = |begin| db.read(|tx| list::page(tx, &asked(begin))).unwrap();
                let mut pages = vec![page(None)];
                while let Some(next) = pages.last().and_then(list::Page::next) {
                    pages.push(page(Some(next)));
                }
                let all: Vec<AccountId> =
                    pages.iter().flat_map(|page| &page.places).map(|place| place.account.clone()).collect();
                assert_eq!(all.len(), total, "{name} {filter:?} on {}", test.name);
                assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), total, "somebody came twice");
                assert!(
                    pages.iter().all(|page| usize::try_from(page.total) == Ok(total)),
                    "{name}: {pages:?}"
                );
                let mut back = pages.last().unwrap().clone();
                for earlier in pages.iter().rev().skip(1) {
                    back = page(Some(back.previous().unwrap()));
                    assert_eq!(back.places, earlier.places, "{name} {filter:?} on {}", test.name);
                }
                assert_eq!(back.previous(), None);
            }
        }
        let down = Asked { sort: Sort { by: By::Name, down: true }, limit: 1, ..Asked::default() };
        let first = db.read(|tx| list::page(tx, &down)).unwrap();
        assert!(first.places[0].word.starts_with("zoe"), "{first:?}");
    }
}

#[tokio::test]
async fn a_list_goes_on_where_it_ended_whatever_comes_meanwhile() {
    let app = TestApp::start().await;
    crowd(app.db(), 12);
    let first = app.get("/v1/accounts?sort=-created&limit=5").await;
    assert_eq!((&first["prev_cursor"], &first["total"]), (&Value::Null, &12.into()));
    app.clock.turn_to(app.clock.now().plus_millis(HOUR_MS));
    write(app.db(), |tx| sites::open(tx, &"lab:customer:999".parse().unwrap()));
    let next = first["next_cursor"].as_str().unwrap();
    let second = app.get(&format!("/v1/accounts?sort=-created&limit=5&cursor={next}")).await;
    let both: BTreeSet<String> = ids(&first).into_iter().chain(ids(&second)).collect();
    assert_eq!((both.len(), &second["total"]), (10, &13.into()));
    let back = second["prev_cursor"].as_str().unwrap();
    let back = app.get(&format!("/v1/accounts?sort=-created&limit=5&cursor={back}")).await;
    assert_eq!(ids(&back), ids(&first));
    assert!(back["prev_cursor"].is_string(), "somebody new is before it: {back}");
    for (query, pointer) in [
        (format!("sort=name&cursor={next}"), "/query/cursor"),
        ("sort=size".to_owned(), "/query/sort"),
        ("filter=rich".to_owned(), "/query/filter"),
        ("limit=201".to_owned(), "/query/limit"),
    ] {
        let (status, refused) = app.answer(Method::GET, &format!("/v1/accounts?{query}"), &json!({})).await;
        assert_eq!((status, &refused["errors"][0]["pointer"]), (422, &pointer.into()), "{refused}");
    }
}

// One account ------------------------------------------------------------------------------------------

#[tokio::test]
async fn an_account_is_frozen_with_a_reason_only_the_shop_reads_and_let_go() {
    let app = TestApp::start().await;
    crowd(app.db(), 8);
    let reader = key(app.db(), "account:lab:customer:101");
    let path = "/v1/accounts/lab:customer:101";
    assert_eq!(app.get(path).await["freeze"], Value::Null);
    let (status, frozen) =
        app.answer(Method::POST, &format!("{path}/freeze"), &json!({ "reason": "chargeback" })).await;
    assert_eq!((status, &frozen["status"]), (200, &"frozen".into()), "{frozen}");
    assert_eq!(frozen["freeze"], json!({ "reason": "chargeback", "at": "2026-11-20T18:00:00Z" }));
    app.clock.turn_to(app.clock.now().plus_millis(HOUR_MS));
    // Another reason, and it is frozen since when it was.
    let (_, again) = app.answer(Method::POST, &format!("{path}/freeze"), &json!({ "reason": "fraud" })).await;
    assert_eq!(again["freeze"], json!({ "reason": "fraud", "at": "2026-11-20T18:00:00Z" }));
    assert_eq!(ids(&app.get("/v1/accounts?filter=frozen").await), [again["id"].as_str().unwrap()]);
    let (status, own) = app.ask(&reader, path).await;
    assert_eq!((status, &own["frozen_reason"], &own["status"]), (200, &Value::Null, &"frozen".into()));
    assert_eq!(own["freeze"]["reason"], Value::Null);
    assert!(!own.to_string().contains("fraud"), "{own}");
    let (_, free) =
        app.answer(Method::POST, &format!("{path}/unfreeze"), &json!({ "reason": "settled" })).await;
    assert_eq!((&free["freeze"], &free["frozen_reason"]), (&Value::Null, &Value::Null));
    assert_ne!(free["status"], "frozen");
    // Who may not do it is told no more than they may know.
    for (who, path, expected) in [
        (&reader, format!("{path}/freeze"), 403),
        (&reader, "/v1/accounts/lab:customer:102/freeze".to_owned(), 404),
        (&app.admin, "/v1/accounts/lab:customer:9999/freeze".to_owned(), 404),
        (&app.admin, "/v1/accounts/nonsense/freeze".to_owned(), 404),
    ] {
        let sent =
            app.http.post(app.url(&path)).bearer_auth(who).body(r#"{"reason":"x"}"#).send().await.unwrap();
        assert_eq!(sent.status(), expected, "{path}");
    }
    for (body, pointer) in [
        (json!({}), "/reason"),
        (json!({ "reason": "  " }), "/reason"),
        (json!({ "reason": "a", "x": 1 }), "/x"),
    ] {
        let (status, refused) = app.answer(Method::POST, &format!("{path}/freeze"), &body).await;
        assert_eq!((status, &refused["errors"][0]["pointer"]), (422, &pointer.into()), "{refused}");
    }
}

#[tokio::test]
async fn an_account_shows_its_sites_and_what_each_can_spend() {
    let app = TestApp::start().await;
    crowd(app.db(), 4);
    for (site, label) in [("a", "Alpha"), ("b", "Beta")] {
        let body = json!({ "account": "lab:customer:101", "client": "acme", "label": label });
        assert_eq!(app.answer(Method::PUT, &format!("/v1/sites/{site}"), &body).await.0, 200);
    }
    write(app.db(), |tx| {
        let account = sites::open(tx, &"lab:customer:101".parse().unwrap())?;
        grant(tx, &account, "5", Some("b"));
        Ok::<_, sites::Error>(())
    });
    let shown = app.get("/v1/accounts/lab:customer:101").await;
    assert_eq!(
        shown["sites"],
        json!([
            { "id": "a", "label": "Alpha", "client": "acme", "available": "10.5" },
            { "id": "b", "label": "Beta", "client": "acme", "available": "15.5" }
        ])
    );
    assert_eq!((&shown["available"], &shown["site_count"]), (&"15.5".into(), &2.into()));
    // An account's key reads its own; whose it is not does not exist for it.
    let reader = key(app.db(), "account:lab:customer:101");
    assert_eq!(app.ask(&reader, "/v1/accounts/lab:customer:101").await, (200, shown));
    for path in [
        "/v1/accounts/lab:customer:102",
        "/v1/accounts/lab:customer:9999",
        "/v1/sites?account=lab:customer:102",
    ] {
        assert_eq!(app.ask(&reader, path).await.0, 404, "{path}");
    }
    assert_eq!(app.ask(&reader, "/v1/accounts").await.0, 404);
    let (_, own) = app.ask(&reader, "/v1/sites").await;
    assert_eq!(ids(&own), ["a", "b"]);
    let (status, _) = app.ask(&key(app.db(), "site:a"), "/v1/sites").await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn sites_are_found_by_owner_client_and_text_page_by_page() {
    let app = TestApp::start().await;
    crowd(app.db(), 4);
    for (site, owner, client) in
        [("s1", "101", "acme"), ("s2", "101", "Other"), ("s3", "102", "acme"), ("x_1", "102", "zeta")]
    {
        let body = json!({ "account": format!("lab:customer:{owner}"), "client": client, "label": format!("Label {site}") });
        assert_eq!(app.answer(Method::PUT, &format!("/v1/sites/{site}"), &body).await.0, 200);
    }
    assert_eq!(app.answer(Method::PUT, "/v1/sites/s3", &json!({ "account": null })).await.0, 200);
    for (query, found) in [
        ("", vec!["s1", "s2", "s3", "x_1"]),
        ("account=lab:customer:101", vec!["s1", "s2"]),
        ("client=acme", vec!["s1"]),
        ("query=LABEL", vec!["s1", "s2", "x_1"]),
        ("query=oth", vec!["s2"]),
        ("query=x_", vec!["x_1"]),
        ("query=%25", vec![]),
    ] {
        let page = app.get(&format!("/v1/sites?{query}")).await;
        assert_eq!(ids(&page), found, "{query}");
    }
    let first = app.get("/v1/sites?limit=3").await;
    assert_eq!(first["items"][2]["available"], Value::Null, "nobody has it");
    let second =
        app.get(&format!("/v1/sites?limit=3&cursor={}", first["next_cursor"].as_str().unwrap())).await;
    assert_eq!((ids(&second), &second["next_cursor"]), (vec!["x_1".to_owned()], &Value::Null));
}

#[tokio::test]
async fn a_guests_credits_are_claimed_with_a_link_of_the_api() {
    let app = TestApp::start().await;
    crowd(app.db(), 8);
    let guest = "/v1/accounts/lab:email:guest4@example.com";
    let (status, link) =
        app.answer(Method::POST, &format!("{guest}/claim-link"), &json!({ "expires_in_days": 2 })).await;
    assert_eq!((status, &link["expires_at"]), (201, &"2026-11-22T18:00:00Z".into()), "{link}");
    let token = link["token"].as_str().unwrap();
    assert!(link["url"].as_str().unwrap().ends_with(&format!("nivella_claim={token}")), "{link}");
    let claim = json!({ "token": token, "account": "lab:customer:101" });
    assert_eq!(app.answer(Method::POST, "/v1/claims", &claim).await.0, 200);
    // Half a month without a word about it; then what cannot be.
    let other = "/v1/accounts/lab:email:guest0@example.com/claim-link";
    let sent = app.request(Method::POST, other).send().await.unwrap();
    assert_eq!(sent.status(), 201);
    assert!(sent.text().await.unwrap().contains("2026-12-20T18:00:00Z"));
    for (path, body, expected, pointer) in [
        ("/v1/accounts/lab:customer:101/claim-link", json!({}), 422, ""),
        (other, json!({ "expires_in_days": 0 }), 422, "/expires_in_days"),
        (other, json!({ "expires_in_days": 366 }), 422, "/expires_in_days"),
        (other, json!({ "store": "nowhere" }), 422, "/store"),
        (other, json!({ "days": 3 }), 422, "/days"),
    ] {
        let (status, refused) = app.answer(Method::POST, path, &body).await;
        assert_eq!(
            (status, &refused["errors"][0]["pointer"]),
            (expected, &pointer.into()),
            "{path} {body}: {refused}"
        );
    }
    let reader = key(app.db(), "account:lab:email:guest0@example.com");
    let sent = app.http.post(app.url(other)).bearer_auth(&reader).send().await.unwrap();
    assert_eq!(sent.status(), 403);
    assert!(!link.to_string().contains(SECRET));
}
