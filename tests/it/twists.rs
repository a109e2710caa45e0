//! Orders that change their mind, one after another and all at once; every order of a shop can.

use std::collections::BTreeMap;
use std::sync::Arc;

use nivella_wallet::catalog;
use nivella_wallet::ledger::store::Shortfall;
use nivella_wallet::shop;
use nivella_wallet::time::Validity;
use rand::RngExt as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use serde_json::{Value, json};

use crate::app::{TestApp, scenario, write};
use crate::support::seeded;

/// A paid order of one line, to be changed. A credit package costs 10.00 and brings 1,000.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) id: i64,
    pub(crate) customer: i64,
    pub(crate) site: Option<&'static str>,
    pub(crate) quantity: i64,
    pub(crate) product: i64,
    pub(crate) status: &'static str,
    /// Refunded so far, in whole currency.
    pub(crate) refunds: Vec<i64>,
    /// Seconds after the first.
    pub(crate) version: u32,
}

impl Draft {
    pub(crate) fn new(id: i64, customer: i64) -> Self {
        Self {
            id,
            customer,
            site: None,
            quantity: 1,
            product: 10,
            status: "processing",
            refunds: vec![],
            version: 0,
        }
    }

    /// The order as WooCommerce would send it, a second younger than the last.
    pub(crate) fn next(&mut self) -> Vec<u8> {
        self.version += 1;
        serde_json::to_vec(&self.value()).unwrap()
    }

    pub(crate) fn value(&self) -> Value {
        let mut order: Value = serde_json::from_slice(&scenario("02-paid-order-one-token")[2].body).unwrap();
        let total = format!("{}.00", self.quantity * 10);
        order["id"] = self.id.into();
        order["number"] = self.id.to_string().into();
        order["customer_id"] = self.customer.into();
        order["status"] = self.status.into();
        order["total"] = total.clone().into();
        let (minutes, seconds) = (self.version / 60, self.version % 60);
        order["date_modified_gmt"] = format!("2026-11-20T16:{minutes:02}:{seconds:02}").into();
        let line = &mut order["line_items"][0];
        line["id"] = (self.id * 10).into();
        line["product_id"] = self.product.into();
        line["quantity"] = self.quantity.into();
        line["subtotal"] = total.clone().into();
        line["total"] = total.into();
        if let Some(site) = self.site {
            line["meta_data"] = json!([{ "id": 1, "key": "_nivella_site_id", "value": site }]);
        }
        let refund = |(number, amount): (usize, &i64)| json!({ "id": self.id * 100 + i64::try_from(number).unwrap(), "reason": "", "total": format!("-{amount}.00") });
        order["refunds"] = self.refunds.iter().enumerate().map(refund).collect();
        order
    }
}

const ALICE: &str = "account:lab:customer:2";
const BOB: &str = "account:lab:customer:3";

async fn send(app: &TestApp, draft: &mut Draft) -> String {
    let result = app.deliver("order.updated", draft.next()).await;
    app.prove();
    result
}

pub(crate) async fn numbers(app: &TestApp, wallet: &str) -> (String, String) {
    let wallet = app.get(&format!("/v1/wallets/{wallet}")).await;
    (wallet["available"].as_str().unwrap().to_owned(), wallet["debt"].as_str().unwrap().to_owned())
}

pub(crate) fn pair(available: &str, debt: &str) -> (String, String) {
    (available.to_owned(), debt.to_owned())
}

/// Everything was spent by the first customer before the shop gave the order to the second, and the money
/// went back after that.
#[tokio::test]
async fn an_order_that_was_spent_changes_hands_and_is_refunded() {
    let app = TestApp::start().await;
    let mut draft = Draft { site: Some("shop"), ..Draft::new(1, 2) };
    assert_eq!(send(&app, &mut draft).await, "granted");
    assert_eq!(app.debit("shop", "1000", "k").await.status(), 201);
    draft.customer = 3;
    send(&app, &mut draft).await;
    draft.status = "refunded";
    assert_eq!(send(&app, &mut draft).await, "clawed_back");
    assert_eq!(numbers(&app, BOB).await, pair("0", "1000"));
    // The debt is paid by what comes next for the same compartment, once.
    let mut next = Draft { site: Some("shop"), quantity: 3, ..Draft::new(2, 3) };
    assert_eq!(send(&app, &mut next).await, "granted");
    assert_eq!(numbers(&app, BOB).await, pair("2000", "0"));
}

/// Cancelled and paid again, an order gives back what the cancellation took, and no more: not what the shop
/// bears, and not what had expired before.
#[tokio::test]
async fn paid_again_brings_back_only_what_was_taken() {
    let app = TestApp::start_with(|config| config.orders.shortfall = Shortfall::WriteOff).await;
    let mut draft = Draft { site: Some("shop"), ..Draft::new(1, 2) };
    send(&app, &mut draft).await;
    assert_eq!(app.debit("shop", "300", "k").await.status(), 201);
    draft.status = "cancelled";
    assert_eq!(send(&app, &mut draft).await, "clawed_back");
    assert_eq!(numbers(&app, ALICE).await, pair("0", "0"));
    draft.status = "processing";
    assert_eq!(send(&app, &mut draft).await, "granted");
    assert_eq!(numbers(&app, ALICE).await, pair("700", "0"), "1,000 were paid, 300 are spent");

    let app = TestApp::start().await;
    let store = app.store_id();
    write(app.db(), move |tx| {
        let mut package = catalog::store::package(tx, store, &"product:10".parse().unwrap())?.unwrap();
        package.validity = Validity::Days(1);
        catalog::store::set_package(tx, store, &package)
    });
    let mut draft = Draft::new(1, 2);
    send(&app, &mut draft).await;
    app.clock.turn_to("2026-12-24T00:00:00Z".parse().unwrap());
    draft.status = "cancelled";
    assert_eq!(send(&app, &mut draft).await, "unchanged", "nothing is left to be taken");
    draft.status = "processing";
    assert_eq!(send(&app, &mut draft).await, "unchanged");
    assert_eq!(numbers(&app, ALICE).await, pair("0", "0"), "time is not bought back by a cancellation");
}

/// What sells credits may be said until the order is paid, also when its product was known not to.
#[tokio::test]
async fn a_package_set_before_the_payment_counts() {
    let app = TestApp::start().await;
    let mut draft = Draft { product: 13, status: "pending", ..Draft::new(1, 2) };
    assert_eq!(send(&app, &mut draft).await, "ignored", "a T-shirt");
    let store = app.store_id();
    write(app.db(), move |tx| {
        let mut package = catalog::store::package(tx, store, &"product:10".parse().unwrap())?.unwrap();
        package.target = "product:13".parse().unwrap();
        catalog::store::set_package(tx, store, &package)
    });
    draft.status = "processing";
    assert_eq!(send(&app, &mut draft).await, "granted");
}

#[tokio::test]
async fn an_order_changes_hands_there_and_back_and_on_half_spent() {
    let app = TestApp::start().await;
    let mut draft = Draft { site: Some("shop"), quantity: 2, ..Draft::new(1, 2) };
    send(&app, &mut draft).await;
    for (number, customer) in [3, 2, 3, 2].into_iter().enumerate() {
        assert_eq!(app.debit("shop", "100", &format!("k{number}")).await.status(), 201, "hand-over {number}");
        draft.customer = customer;
        send(&app, &mut draft).await;
    }
    assert_eq!(numbers(&app, ALICE).await, pair("1600", "0"));
    assert_eq!(numbers(&app, BOB).await, pair("0", "0"));
    draft.refunds = vec![5, 5];
    assert_eq!(send(&app, &mut draft).await, "clawed_back");
    assert_eq!(numbers(&app, ALICE).await, pair("600", "0"));
    draft.status = "cancelled";
    assert_eq!(send(&app, &mut draft).await, "clawed_back");
    // 400 of the 2,000 were spent before the money of all of it went back.
    assert_eq!(numbers(&app, ALICE).await, pair("0", "400"));
}

#[tokio::test]
async fn a_purchase_moves_from_site_to_site_and_is_found_when_its_money_goes_back() {
    let app = TestApp::start().await;
    let mut draft = Draft { site: Some("one"), quantity: 3, ..Draft::new(1, 2) };
    send(&app, &mut draft).await;
    app.debit("one", "250", "a").await;
    draft.site = Some("two");
    send(&app, &mut draft).await;
    assert_eq!(numbers(&app, "site:two").await, pair("2750", "0"));
    app.debit("two", "250", "b").await;
    draft.site = Some("one");
    send(&app, &mut draft).await;
    draft.site = Some("three");
    send(&app, &mut draft).await;
    assert_eq!(numbers(&app, "site:three").await, pair("2500", "0"));
    assert_eq!(numbers(&app, "site:one").await.0, "0");
    draft.refunds = vec![20];
    assert_eq!(send(&app, &mut draft).await, "clawed_back");
    assert_eq!(numbers(&app, "site:three").await, pair("500", "0"));
    draft.status = "refunded";
    assert_eq!(send(&app, &mut draft).await, "clawed_back");
    assert_eq!(numbers(&app, ALICE).await, pair("0", "500"));
    // And all of it comes back when the refunds are deleted: what is owed is paid first.
    draft.refunds = vec![];
    draft.status = "completed";
    assert_eq!(send(&app, &mut draft).await, "granted");
    assert_eq!(numbers(&app, ALICE).await, pair("2500", "0"));
}

/// Neither a line that becomes another product nor a later price list changes what was sold.
#[tokio::test]
async fn a_line_stays_worth_what_it_was_when_its_product_is_exchanged() {
    let app = TestApp::start().await;
    let mut draft = Draft::new(1, 2);
    send(&app, &mut draft).await;
    draft.product = 11;
    send(&app, &mut draft).await;
    draft.product = 0;
    send(&app, &mut draft).await;
    assert_eq!(numbers(&app, ALICE).await, pair("1000", "0"));
    draft.quantity = 2;
    assert_eq!(send(&app, &mut draft).await, "granted");
    draft.quantity = 1;
    assert_eq!(send(&app, &mut draft).await, "clawed_back");
    assert_eq!(numbers(&app, ALICE).await, pair("1000", "0"));
}

/// A site of Alice's on Bob's order stays hers, whatever the order's history.
#[tokio::test]
async fn nobody_buys_into_somebody_elses_site() {
    let app = TestApp::start().await;
    let mut alices = Draft { site: Some("shop"), ..Draft::new(1, 2) };
    let mut bobs = Draft { site: Some("shop"), ..Draft::new(2, 3) };
    send(&app, &mut alices).await;
    assert_eq!(send(&app, &mut bobs).await, "granted");
    assert_eq!(numbers(&app, "site:shop").await.0, "1000");
    assert_eq!(numbers(&app, BOB).await.0, "1000");
    // The order that registered the site goes to Bob: the site follows it, what Alice bought apart does not.
    let mut other = Draft { site: Some("shop"), ..Draft::new(3, 2) };
    send(&app, &mut other).await;
    alices.customer = 3;
    send(&app, &mut alices).await;
    assert_eq!(numbers(&app, ALICE).await.0, "1000");
    assert_eq!(numbers(&app, BOB).await.0, "2000");
}

/// A site that is named while nobody may spend is the site all the same once they may again.
#[tokio::test]
async fn an_order_on_hold_names_another_site() {
    let app = TestApp::start().await;
    let mut draft = Draft { site: Some("shop"), ..Draft::new(1, 2) };
    send(&app, &mut draft).await;
    (draft.status, draft.site) = ("on-hold", Some("blog"));
    send(&app, &mut draft).await;
    draft.status = "processing";
    send(&app, &mut draft).await;
    assert_eq!(numbers(&app, "site:shop").await.0, "0");
    assert_eq!(numbers(&app, "site:blog").await.0, "1000");
}

/// What a person should look at stays on the list until it is mended, also while the order waits.
#[tokio::test]
async fn an_order_on_hold_still_says_that_its_site_is_none() {
    let app = TestApp::start().await;
    let mut draft = Draft { site: Some("not a site!"), ..Draft::new(1, 2) };
    send(&app, &mut draft).await;
    for status in ["on-hold", "on-hold", "completed", "on-hold"] {
        draft.status = status;
        send(&app, &mut draft).await;
        assert_eq!(app.count("shop_order WHERE attention LIKE '%is no site id%'"), 1, "{status}");
    }
    (draft.site, draft.status) = (Some("shop"), "on-hold");
    send(&app, &mut draft).await;
    assert_eq!(app.count("shop_order WHERE attention IS NOT NULL"), 0);
}

/// Bob named Alice's site, so his credits waited in his pool; when the order is hers they are her site's.
#[tokio::test]
async fn an_order_goes_to_the_owner_of_the_site_it_names() {
    let app = TestApp::start().await;
    let mut alices = Draft { site: Some("shop"), ..Draft::new(1, 2) };
    let mut bobs = Draft { site: Some("shop"), ..Draft::new(2, 3) };
    send(&app, &mut alices).await;
    send(&app, &mut bobs).await;
    bobs.customer = 2;
    send(&app, &mut bobs).await;
    assert_eq!(numbers(&app, ALICE).await.0, "2000");
    let wallet = app.get("/v1/wallets/site:shop").await;
    let scopes: Vec<&str> =
        wallet["breakdown"].as_array().unwrap().iter().map(|part| part["scope"].as_str().unwrap()).collect();
    assert_eq!(scopes, ["site", "site"]);
}

/// What Alice bought for a site that goes with another order of hers can still be spent.
#[tokio::test]
async fn a_site_that_follows_its_order_leaves_no_credits_locked_in() {
    let app = TestApp::start().await;
    let mut first = Draft { site: Some("shop"), ..Draft::new(1, 2) };
    let mut second = Draft { site: Some("shop"), ..Draft::new(2, 2) };
    let mut blog = Draft { site: Some("blog"), ..Draft::new(3, 2) };
    for draft in [&mut first, &mut second, &mut blog] {
        send(&app, draft).await;
    }
    first.customer = 3;
    send(&app, &mut first).await;
    assert_eq!(numbers(&app, "site:shop").await.0, "1000");
    assert_eq!(app.debit("blog", "2000", "k").await.status(), 201);
    // The second order follows the first one: its credits are spent, so there is nothing to follow.
    second.customer = 3;
    send(&app, &mut second).await;
    assert_eq!(numbers(&app, BOB).await, pair("1000", "0"));
}

/// A cancellation that shows no lines is looked into first; nothing can be spent because of it.
#[tokio::test]
async fn an_order_on_hold_that_is_cancelled_without_its_lines_stays_frozen() {
    let app = TestApp::start().await;
    let mut draft = Draft::new(1, 2);
    send(&app, &mut draft).await;
    draft.status = "on-hold";
    send(&app, &mut draft).await;
    draft.status = "cancelled";
    draft.version += 1;
    let mut body = draft.value();
    body["line_items"] = json!([]);
    app.deliver("order.updated", serde_json::to_vec(&body).unwrap()).await;
    app.prove();
    assert_eq!(numbers(&app, ALICE).await.0, "0");
}

/// Two orders that together are more than an account can hold wait; Bob's, for the same product, does not.
#[tokio::test]
async fn an_order_that_cannot_be_booked_holds_up_no_other() {
    let app = TestApp::start().await;
    for (id, customer) in [(1, 2), (2, 2), (3, 3)] {
        let mut draft = Draft { product: 900, ..Draft::new(id, customer) };
        assert_eq!(send(&app, &mut draft).await, "parked");
    }
    let product = json!({
        "id": 900, "name": "Vast", "sku": "", "type": "simple", "status": "publish", "parent_id": 0,
        "permalink": "https://shop.example/vast", "price_html": "", "date_modified_gmt": "2026-11-20T16:00:00",
        "categories": [{ "id": 16, "name": "Tokens", "slug": "tokens" }],
        "meta_data": [{ "id": 1, "key": "_nivella_credits", "value": "1000000000000" }],
    });
    assert_eq!(app.deliver("product.updated", serde_json::to_vec(&product).unwrap()).await, "granted");
    app.prove();
    assert_eq!(numbers(&app, ALICE).await.0, "1000000000000");
    assert_eq!(numbers(&app, BOB).await.0, "1000000000000");
}

/// Alice's site stays hers when Bob gets her order, so what he owes of it lies where his purchases go.
#[tokio::test]
async fn a_line_that_is_gone_is_owed_where_its_buyer_had_it() {
    let app = TestApp::start().await;
    let mut alices = Draft { site: Some("shop"), ..Draft::new(1, 2) };
    let mut bobs = Draft { site: Some("blog"), ..Draft::new(2, 3) };
    let mut moved = Draft { site: Some("shop"), ..Draft::new(3, 2) };
    for draft in [&mut alices, &mut bobs, &mut moved] {
        send(&app, draft).await;
    }
    moved.customer = 3;
    send(&app, &mut moved).await;
    assert_eq!(app.debit("blog", "2000", "k").await.status(), 201);
    moved.version += 1;
    let mut body = moved.value();
    body["line_items"][0]["id"] = 31.into();
    body["line_items"][0]["product_id"] = 13.into();
    assert_eq!(app.deliver("order.updated", serde_json::to_vec(&body).unwrap()).await, "clawed_back");
    assert_eq!(numbers(&app, BOB).await, pair("0", "1000"));
    let mut next = Draft { quantity: 3, ..Draft::new(4, 3) };
    send(&app, &mut next).await;
    assert_eq!(numbers(&app, BOB).await, pair("2000", "0"));
}

/// Puts a value where an order has another.
type Change = Box<dyn Fn(&mut Value, Value)>;

/// Numbers no shop has, in every field that is a number: kept, acknowledged, and never a wrong credit.
#[tokio::test]
async fn absurd_numbers_do_no_harm() {
    let app = TestApp::start().await;
    let line =
        |name: &'static str| move |order: &mut Value, value: Value| order["line_items"][0][name] = value;
    let top = |name: &'static str| move |order: &mut Value, value: Value| order[name] = value;
    let fields: Vec<(&str, Change)> = vec![
        ("id", Box::new(top("id"))),
        ("customer_id", Box::new(top("customer_id"))),
        ("total", Box::new(top("total"))),
        ("date_modified_gmt", Box::new(top("date_modified_gmt"))),
        ("date_paid_gmt", Box::new(top("date_paid_gmt"))),
        ("line id", Box::new(line("id"))),
        ("product_id", Box::new(line("product_id"))),
        ("quantity", Box::new(line("quantity"))),
        ("line total", Box::new(line("total"))),
        ("subtotal", Box::new(line("subtotal"))),
        ("meta", Box::new(line("meta_data"))),
        ("refunds", Box::new(top("refunds"))),
    ];
    let credits = |value: &str| json!([{ "id": 1, "key": "_nivella_credits", "value": value }]);
    let values = [
        json!(null),
        json!(0),
        json!(-1),
        json!(-9_223_372_036_854_775_808_i64),
        json!(9_223_372_036_854_775_807_i64),
        json!(18_446_744_073_709_551_615_u64),
        json!(9_007_199_254_740_993_i64),
        json!(1_000_000_000_000_i64),
        json!(1.5),
        json!(1e300),
        json!(""),
        json!("-10.00"),
        json!("1e400"),
        json!("99999999999999999999999999999999999999.99"),
        json!("0.0000000000000000000000000000000001"),
        json!("NaN"),
        json!("9999-12-31T23:59:59"),
        json!("0000-00-00T00:00:00"),
        json!({ "a": [1] }),
        json!([[], null, 7]),
        credits("1e9"),
        credits("-5"),
        credits("1000000000000"),
        credits("1000000000001"),
        credits("0.0000001"),
    ];
    let mut number = 5000;
    for (field, change) in &fields {
        for value in &values {
            number += 1;
            let mut order = Draft { version: 1, ..Draft::new(number, 9) }.value();
            change(&mut order, value.clone());
            let before = app.available("account:lab:customer:9").await;
            let result = app.deliver("order.updated", serde_json::to_vec(&order).unwrap()).await;
            let known = ["granted", "unchanged", "clawed_back", "parked", "ignored", "stored"];
            assert!(known.contains(&result.as_str()), "{field} = {value}: {result}");
            let after = app.available("account:lab:customer:9").await;
            assert!(
                result == "granted" || before == after,
                "{field} = {value} is {result} and changed the wallet"
            );
        }
    }
    app.prove();
    // The wallet still works for the people it belongs to.
    assert_eq!(send(&app, &mut Draft::new(1, 2)).await, "granted");
    assert_eq!(numbers(&app, ALICE).await, pair("1000", "0"));
}

/// The ledger refuses an amount nobody can hold; the same delivery from many senders at once is set aside
/// once, and all of them are told that it was taken.
#[tokio::test]
async fn a_refused_delivery_sent_by_many_at_once_is_set_aside_once() {
    let app = Arc::new(TestApp::start().await);
    let mut huge = Draft { quantity: 1_000_000_000, ..Draft::new(1, 2) };
    assert_eq!(send(&app, &mut huge).await, "granted");
    for round in 2..12 {
        let body = Draft { quantity: 1_000_000_000, ..Draft::new(round, 2) }.next();
        let mut senders = tokio::task::JoinSet::new();
        for _ in 0..16 {
            let (app, body) = (Arc::clone(&app), body.clone());
            senders.spawn(async move { app.deliver("order.updated", body).await });
        }
        for result in senders.join_all().await {
            assert!(["stored", "unchanged"].contains(&result.as_str()), "round {round}: {result}");
        }
    }
    assert_eq!(app.count("delivery WHERE state = 'failed'"), 10);
    assert_eq!(app.count("credit_grant"), 1);
}

/// A store that is removed knows nobody any more, and its deliveries look like any stranger's.
#[tokio::test]
async fn a_store_that_was_removed_meanwhile_is_a_stranger() {
    let app = TestApp::start().await;
    let before = app.deliver("subscription.created", b"{\"id\":1}".to_vec()).await;
    assert_eq!(before, "ignored");
    write(app.db(), |tx| shop::store::remove(tx, &"lab".parse().unwrap()));
    let after = app.deliver("order.updated", Draft::new(1, 2).next()).await;
    assert!(after.starts_with("401"), "{after}");
    assert_eq!((app.count("delivery"), app.count("shop_order")), (0, 0));
}

/// A random walk: orders change in every way a shop can change them, credits are spent meanwhile, and the
/// books are proved after every step. However an order came to its state, it grants what that state alone
/// would have granted.
#[tokio::test]
async fn however_orders_came_to_their_states_they_grant_the_same() {
    let mut random = seeded();
    for _ in 0..4 {
        let app = TestApp::start().await;
        let mut drafts: Vec<Draft> = (1..=6).map(|id| Draft::new(id, 2 + id % 3)).collect();
        let mut story = Vec::new();
        for step in 0..60 {
            if random.random_ratio(1, 3) {
                let site = *["one", "two", "three"].choose(&mut random).unwrap();
                let credits = random.random_range(1..1500).to_string();
                let status = app.debit(site, &credits, &format!("{step}")).await.status();
                assert!([201, 402, 404].contains(&status.as_u16()), "{status} after {story:?}");
                story.push(format!("debit {site} {credits}: {status}"));
            } else {
                let at = random.random_range(0..drafts.len());
                change(&mut drafts[at], &mut random);
                let result = app.deliver("order.updated", drafts[at].next()).await;
                story.push(format!("{:?}: {result}", drafts[at]));
                assert!(
                    ["granted", "unchanged", "clawed_back", "ignored"].contains(&result.as_str()),
                    "{story:#?}"
                );
            }
            let faults = nivella_wallet::ledger::audit::verify(app.db(), |_| {}).unwrap().faults;
            assert_eq!(faults, [], "after {story:#?}");
        }
        // Whatever waits is decided in the end.
        for draft in &mut drafts {
            if draft.status == "on-hold" {
                draft.status = "completed";
            }
            send(&app, draft).await;
        }
        let fresh = TestApp::start().await;
        for draft in &mut drafts {
            send(&fresh, draft).await;
        }
        assert_eq!(booked(&app), booked(&fresh), "{story:#?}\n{drafts:#?}");
    }
}

fn change(draft: &mut Draft, random: &mut StdRng) {
    match random.random_range(0..8) {
        0 => draft.customer = random.random_range(2..=4),
        1 => draft.quantity = random.random_range(1..=4),
        2 => draft.site = [None, Some("one"), Some("two"), Some("three")].choose(random).copied().unwrap(),
        3 => draft.refunds.push(random.random_range(1..=12)),
        4 => draft.refunds.truncate(random.random_range(0..=draft.refunds.len())),
        5 => draft.status = ["processing", "completed", "processing"].choose(random).unwrap(),
        6 => draft.status = ["cancelled", "failed", "refunded", "on-hold"].choose(random).unwrap(),
        _ => {}
    }
}

/// What each order's lines have granted.
fn booked(app: &TestApp) -> BTreeMap<i64, i64> {
    let sql = "-- test\n SELECT order_id, CAST(SUM(booked) AS BIGINT) FROM order_line GROUP BY order_id";
    let rows = app.db().read(|tx| tx.query(sql, &[], |row| Ok((row.get(0)?, row.get(1)?)))).unwrap();
    rows.into_iter().collect()
}
