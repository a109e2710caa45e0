//! `/v1/orders`: orders are found, what a refund would take back is foretold, and people act on them.

use nivella_wallet::ledger::store::Shortfall;
use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{TestApp, key};
use crate::support::seeded;
use crate::told::with_refunds;
use crate::twists::{Draft, numbers, pair};

const ALICE: &str = "account:lab:customer:2";

async fn post(app: &TestApp, path: &str, body: &Value) -> (StatusCode, Value) {
    let answer = app.request(Method::POST, path).body(body.to_string()).send().await.unwrap();
    let status = answer.status();
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
}

async fn preview(app: &TestApp, order: i64, body: &Value) -> Value {
    let (status, answer) = post(app, &format!("/v1/orders/lab/{order}/refund-preview"), body).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

fn credits(value: &Value) -> f64 {
    value.as_str().unwrap().parse().unwrap()
}

/// What was taken back of an order, and what the account owes or the shop bears.
async fn taken(app: &TestApp, order: i64) -> (f64, f64) {
    let story = app.get(&format!("/v1/orders/lab/{order}")).await;
    let clawed = story["grants"].as_array().unwrap().iter().map(|grant| credits(&grant["clawed"])).sum();
    let sql = "-- test
         SELECT CAST(COALESCE(SUM(e.amount), 0) AS BIGINT) FROM entry e JOIN credit_grant g ON g.id = e.grant_id
         WHERE e.kind IN ('owed', 'written_off') AND g.order_id = $1";
    let owed: i64 =
        app.db().read(|tx| tx.query_one(sql, nivella_wallet::params![order], |row| row.get(0))).unwrap();
    (clawed, f64::from(i32::try_from(owed / 1_000).unwrap()) / 1_000.0)
}

/// The example of the plugin's order screen, word for word.
#[tokio::test]
async fn the_preview_says_what_a_refund_takes_back() {
    let app = TestApp::start().await;
    let mut draft = Draft { site: Some("shop"), quantity: 10, ..Draft::new(1, 2) };
    app.deliver("order.updated", draft.next()).await;
    assert_eq!(app.debit("shop", "3800", "k").await.status(), 201);
    let line = json!({ "line": 10, "total": "40.00", "tax": "0", "quantity": "4" });
    let before = (app.count("entry"), app.get("/v1/orders/lab/1").await);
    let told = preview(&app, 1, &json!({ "amount": "40.00", "lines": [line] })).await;
    assert_eq!(
        told,
        json!({
            "granted": "10000", "used": "3800", "left": "6200", "takes_back": "4000", "shortfall": "0",
            "shortfall_policy": "debt", "attention": null,
            "lines": [{ "line": 10, "name": "AI Credits 1,000", "granted": "10000", "used": "3800", "left": "6200",
                        "takes_back": "4000", "shortfall": "0" }],
            "summary": "10,000 credits, 3,800 used; refunding 40.00 USD takes back 4,000, shortfall 0",
        })
    );
    // A sum of no line is of the whole order; what was used cannot be taken back.
    let told = preview(&app, 1, &json!({ "amount": "90" })).await;
    assert_eq!((&told["takes_back"], &told["shortfall"]), (&json!("6200"), &json!("2800")));
    // Shipping in it takes no credits.
    let told = preview(&app, 1, &json!({ "amount": "90.00", "other": "90" })).await;
    assert_eq!((&told["takes_back"], &told["shortfall"]), (&json!("0"), &json!("0")));
    assert_eq!((app.count("entry"), app.get("/v1/orders/lab/1").await), before, "nothing is written");
}

/// Whatever was spent and refunded before: what is foretold is what happens.
#[tokio::test]
async fn a_preview_is_what_the_refund_does() {
    let mut random = seeded();
    for shortfall in [Shortfall::Debt, Shortfall::WriteOff, Shortfall::Freeze] {
        let app = TestApp::start_with(|config| config.orders.shortfall = shortfall).await;
        for order in 1..=25 {
            let site: &'static str = format!("site-{order}").leak();
            // A frozen account spends no more, so each order has a customer of its own.
            let mut draft = Draft {
                site: Some(site),
                quantity: random.random_range(1..5),
                ..Draft::new(order, 100 + order)
            };
            let mut left = draft.quantity * 10;
            for step in 0..3 {
                draft.version += 1;
                let told = with_refunds(&draft, u32::try_from(step + 1).unwrap());
                app.deliver("order.updated", told.to_string().into_bytes()).await;
                if random.random_bool(0.6) {
                    let spent = random.random_range(1..2_000);
                    app.debit(site, &spent.to_string(), &format!("{order}-{step}")).await;
                }
                if left == 0 {
                    break;
                }
                let amount = *[left, random.random_range(1..=left)].choose(&mut random).unwrap();
                left -= amount;
                let line = json!({ "line": order * 10, "total": format!("{amount}.00") });
                let foretold =
                    preview(&app, order, &json!({ "amount": format!("{amount}"), "lines": [line] })).await;
                let before = taken(&app, order).await;
                draft.refunds.push(amount);
                draft.version += 1;
                if left == 0 {
                    draft.status = "refunded";
                }
                let told = with_refunds(&draft, u32::try_from(step + 10).unwrap());
                app.deliver("order.updated", told.to_string().into_bytes()).await;
                let after = taken(&app, order).await;
                let happened = (after.0 - before.0, after.1 - before.1);
                assert_eq!(
                    (credits(&foretold["takes_back"]), credits(&foretold["shortfall"])),
                    happened,
                    "{shortfall:?}, order {order}, refund of {amount}: {foretold}"
                );
                assert_eq!(foretold["shortfall_policy"], shortfall.as_str());
            }
        }
    }
}

#[tokio::test]
async fn a_refund_that_cannot_be_is_refused_with_what_is_wrong() {
    let app = TestApp::start().await;
    app.deliver("order.updated", Draft { quantity: 2, ..Draft::new(1, 2) }.next()).await;
    for (body, pointer) in [
        (json!({}), "/amount"),
        (json!({ "amount": "0" }), "/amount"),
        (json!({ "amount": "-1" }), "/amount"),
        (json!({ "amount": 5 }), "/amount"),
        (json!({ "amount": "1e3" }), "/amount"),
        (json!({ "amount": "20.01" }), "/amount"),
        (json!({ "amount": "5", "reason": "x" }), "/reason"),
        (json!({ "amount": "5", "lines": {} }), "/lines"),
        (json!({ "amount": "5", "lines": [7] }), "/lines/0"),
        (json!({ "amount": "5", "lines": [{ "line": 10 }] }), "/lines/0/total"),
        (json!({ "amount": "5", "lines": [{ "total": "5" }] }), "/lines/0/line"),
        (json!({ "amount": "5", "lines": [{ "line": 99, "total": "5" }] }), "/lines/0/line"),
        (json!({ "amount": "5", "lines": [{ "line": 10, "total": "5" }], "other": "1" }), "/lines"),
    ] {
        let (status, answer) = post(&app, "/v1/orders/lab/1/refund-preview", &body).await;
        assert_eq!(
            (status.as_u16(), &answer["errors"][0]["pointer"]),
            (422, &json!(pointer)),
            "{body}: {answer}"
        );
    }
    for path in
        ["/v1/orders/lab/2/refund-preview", "/v1/orders/nobody/1/refund-preview", "/v1/orders/lab/x/replay"]
    {
        assert_eq!(post(&app, path, &json!({ "amount": "5" })).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn orders_are_listed_filtered_and_found() {
    let app = TestApp::start().await;
    for id in 1..=5 {
        let mut draft = Draft { site: Some("shop"), ..Draft::new(id, 2) };
        match id {
            // Of a guest, with credits left.
            2 => draft.customer = 0,
            // Of a product nobody knows.
            3 => draft.product = 999,
            // Somebody else's site.
            4 => draft.customer = 3,
            _ => {}
        }
        let mut order: Value = serde_json::from_slice(&draft.next()).unwrap();
        order["number"] = format!("A-{id}00").into();
        order["billing"]["email"] = format!("Buyer_{id}%@example.test").into();
        order["billing"]["last_name"] = if id == 5 { "Öz \"Q\" Doe".into() } else { Value::from("Doe") };
        app.deliver("order.updated", order.to_string().into_bytes()).await;
        app.clock.turn_to(app.clock.now().plus_millis(1000));
    }
    let found = async |query: &str| -> Vec<String> {
        let list = app.get(&format!("/v1/orders?{query}")).await;
        let orders = list["items"].as_array().unwrap().iter();
        orders.map(|order| order["order"].as_str().unwrap().to_owned()).collect()
    };
    for (query, expected) in [
        ("", &["5", "4", "3", "2", "1"][..]),
        ("state=all&store=lab", &["5", "4", "3", "2", "1"]),
        ("state=unclaimed", &["2"]),
        ("state=parked", &["3"]),
        ("state=attention", &["4", "3", "2"]),
        ("query=A-3", &["3"]),
        ("query=%23a-30", &["3"]),
        ("query=4", &["4"]),
        ("query=BUYER_2%25@", &["2"]),
        ("query=buyer__", &[]),
        // The customer's name is the newest that was told.
        ("query=%C3%B6z%20%22q%22", &["5", "1"]),
        // What is kept of an order has these words, but not in its number or of its buyer.
        ("query=line_items", &[]),
        ("query=credits", &[]),
        ("query=doe&state=parked", &["3"]),
    ] {
        assert_eq!(found(query).await, expected, "{query}");
    }
    let order = &app.get("/v1/orders?query=A-1").await["items"][0];
    assert_eq!(
        (&order["number"], &order["granted"], &order["buyer"], &order["status"], &order["store"]),
        (&json!("A-100"), &json!("1000"), &json!("lab:customer:2"), &json!("processing"), &json!("lab"))
    );
    assert!(order["account"]["id"].as_str().unwrap().starts_with("acc_"), "{order}");
    let parked = &app.get("/v1/orders?state=parked").await["items"][0];
    assert!(parked["parked"].as_str().unwrap().contains("product 999"), "{parked}");
    assert!(parked["summary"].as_str().unwrap().contains("product 999"), "{parked}");
    // Page by page it is the same.
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = app.get(&format!("/v1/orders?limit=2&query=doe&cursor={cursor}")).await;
        all.extend(page["items"].as_array().unwrap().iter().map(|order| order["order"].clone()));
        match page["next_cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    assert_eq!(all, ["5", "4", "3", "2", "1"]);
    for query in ["state=x", "store=nobody", "store=%20", "cursor=x", "limit=0", "q=1"] {
        let answer = app.request(Method::GET, &format!("/v1/orders?{query}")).send().await.unwrap();
        assert_eq!(answer.status(), 422, "{query}");
    }
}

/// Only an administrator lists orders and acts on them; an account learns nothing of what it cannot see.
#[tokio::test]
async fn only_an_administrator_acts_on_orders() {
    let app = TestApp::start().await;
    app.deliver("order.updated", Draft::new(1, 2).next()).await;
    app.deliver("order.updated", Draft::new(2, 3).next()).await;
    let owner = key(app.db(), "account:lab:customer:2");
    let ask = async |method: Method, path: &str, body: &str| {
        let request = app.http.request(method, app.url(path)).bearer_auth(&owner).body(body.to_owned());
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(ask(Method::GET, "/v1/orders", "").await, 404);
    for (path, body) in
        [("refund-preview", r#"{"amount":"1"}"#), ("assign", r#"{"pool":true}"#), ("replay", "")]
    {
        assert_eq!(ask(Method::POST, &format!("/v1/orders/lab/1/{path}"), body).await, 403, "{path}");
        assert_eq!(ask(Method::POST, &format!("/v1/orders/lab/2/{path}"), body).await, 404, "{path}");
    }
}

#[tokio::test]
async fn an_order_is_assigned_and_replayed() {
    let app = TestApp::start().await;
    app.deliver("order.updated", Draft { site: Some("one"), ..Draft::new(1, 2) }.next()).await;
    app.deliver("order.updated", Draft { site: Some("two"), ..Draft::new(2, 2) }.next()).await;
    app.deliver("order.updated", Draft { site: Some("theirs"), ..Draft::new(3, 3) }.next()).await;
    let (status, told) = post(&app, "/v1/orders/lab/1/assign", &json!({ "site": "two" })).await;
    assert_eq!((status.as_u16(), &told["outcome"]), (200, &json!("unchanged")), "{told}");
    assert_eq!(told["order"]["assigned"]["place"], "site:two");
    assert_eq!(app.available("site:two").await, "2000");
    post(&app, "/v1/orders/lab/1/assign", &json!({ "pool": true })).await;
    assert_eq!(app.available("site:two").await, "2000", "the pool is for all sites");
    let (status, told) =
        post(&app, "/v1/orders/lab/1/assign", &json!({ "account": "lab:customer:3", "site": "theirs" }))
            .await;
    assert_eq!(status, 200, "{told}");
    assert_eq!(numbers(&app, ALICE).await, pair("1000", "0"));
    assert_eq!(app.available("site:theirs").await, "2000");
    for (body, pointer) in [
        (json!({}), ""),
        (json!({ "site": "theirs" }), "/site"),
        (json!({ "site": "nobodys" }), "/site"),
        (json!({ "site": "two", "pool": true }), "/pool"),
        (json!({ "pool": "yes" }), "/pool"),
        (json!({ "to": "two" }), "/to"),
    ] {
        let (status, answer) = post(&app, "/v1/orders/lab/2/assign", &body).await;
        assert_eq!(
            (status.as_u16(), &answer["errors"][0]["pointer"]),
            (422, &json!(pointer)),
            "{body}: {answer}"
        );
    }
    let entries = app.count("entry");
    let (status, told) = post(&app, "/v1/orders/lab/2/replay", &json!({})).await;
    assert_eq!(
        (status.as_u16(), &told["outcome"], &told["reason"]),
        (200, &json!("unchanged"), &Value::Null)
    );
    assert_eq!(told["order"]["left"], "1000");
    assert_eq!(app.count("entry"), entries);
}
