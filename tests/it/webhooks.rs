//! Deliveries of the real WooCommerce, sent to the real server: what each does, and what it must not do.

use std::collections::BTreeMap;

use nivella_wallet::inbox::signature;
use rand::seq::SliceRandom as _;
use reqwest::Method;
use serde_json::Value;

use crate::app::{Recorded, SECRET, TestApp, recordings, scenario};
use crate::support::seeded;

/// What every recorded scenario leaves behind, worked out by hand from its `scenario.md`: customer 2 is
/// Alice, 3 is Bob; without REST keys, so what a delivery does not say is not known.
const SCENARIOS: &[(&str, &[(&str, &str)])] = &[
    ("01-webhook-created-ping", &[]),
    ("02-paid-order-one-token", &[("account:lab:customer:2", "1000")]),
    ("03-quantity-3", &[("account:lab:customer:2", "3000")]),
    // 1 × 1,000 and 2 × 5,000; the T-shirt brings none.
    ("04-mixed-cart", &[("account:lab:customer:2", "11000")]),
    // 2 × Medium (4,000); 1 × Large (15,000), ordered by its bare variation id.
    ("05-variable-variation", &[("account:lab:customer:2", "23000")]),
    ("06-only-apparel", &[("account:lab:customer:2", "0")]),
    // Shop staff gave the guest's order to Bob afterwards.
    ("07-guest", &[("account:lab:customer:3", "1000"), ("account:lab:email:guest@example.test", "0")]),
    // orders.discount = full: a coupon changes no credits.
    ("08-coupon", &[("account:lab:customer:2", "7000")]),
    ("09-fees", &[("account:lab:customer:2", "1000")]),
    // orders.free_lines = false: what costs nothing brings nothing.
    ("11-zero-price", &[("account:lab:customer:2", "0")]),
    // Line 1 was changed from site-123 to site-999, so its credits followed.
    (
        "12-line-meta-site-id",
        &[
            ("account:lab:customer:2", "6000"),
            ("site:site-999", "1000"),
            ("site:site-456", "5000"),
            ("site:site-123", "0"),
        ],
    ),
    ("13-failed-then-paid", &[("account:lab:customer:2", "1000")]),
    // The first never paid; the second paid, cancelled, and paid again.
    ("14-cancelled", &[("account:lab:customer:2", "1000")]),
    ("15-on-hold-bank-transfer", &[("account:lab:customer:2", "1000")]),
    ("16-full-refund", &[("account:lab:customer:2", "0")]),
    // Which lines were refunded is not known here: the credits stay and a person is told.
    ("17-partial-refund-line-item", &[("account:lab:customer:2", "3000")]),
    // Nothing but Tokens lines, so amounts are enough: 20 of 45, then the rest.
    ("18-partial-refund-amount-only", &[("account:lab:customer:2", "0")]),
    ("19-refund-deleted", &[("account:lab:customer:2", "0")]),
    // orders.on_delete = keep, and the trash says no more than an id.
    ("20-trash-restore-delete", &[("account:lab:customer:2", "2000")]),
    // In the end one line of 2 × 1,000 is left.
    ("21-edited-after-payment", &[("account:lab:customer:2", "2000")]),
    ("22-rapid-updates", &[("account:lab:customer:2", "1000")]),
    ("24-unicode-html", &[("account:lab:customer:2", "777")]),
    ("25-renewal-like", &[("account:lab:customer:2", "2000")]),
    ("26-product-changes", &[]),
    ("28-long-customer-note", &[("account:lab:customer:2", "1000")]),
    // Cash on delivery counts when it is paid; the bank transfer when it arrives.
    ("29-store-api-checkout", &[("account:lab:email:guest@example.test", "6000")]),
    (
        "30-classic-checkout",
        &[("account:lab:customer:2", "2000"), ("account:lab:email:guest@example.test", "5000")],
    ),
    ("32-customers", &[]),
    // Gone before anything was known, or first seen in the trash.
    ("33-order-gone-before-delivery", &[("account:lab:customer:2", "0")]),
    ("34-webhook-user-lost-rights", &[("account:lab:customer:2", "1000")]),
    ("38-virtual-downloadable", &[("account:lab:customer:2", "1200")]),
    // The last delivery says product 0; what was known stays.
    ("40-product-deleted", &[("account:lab:customer:2", "400")]),
    ("45-timezone", &[("account:lab:customer:2", "1000")]),
    ("46-webhook-api-versions", &[("account:lab:customer:2", "8000")]),
    ("47-paused-and-disabled", &[("account:lab:customer:2", "1000")]),
];

#[test]
fn every_recorded_folder_has_its_expectation() {
    let mut folders: Vec<String> = std::fs::read_dir(recordings())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().join("index.json").is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    folders.sort();
    let expected: Vec<&str> = SCENARIOS.iter().map(|(folder, _)| *folder).collect();
    assert_eq!(folders, expected);
}

/// Also sent twice over and backwards afterwards: a repeat or a late arrival changes nothing.
#[tokio::test]
async fn every_recorded_scenario_ends_with_the_right_credits() {
    for (folder, expected) in SCENARIOS {
        let app = TestApp::start().await;
        let deliveries = scenario(folder);
        for delivery in &deliveries {
            let result = app.replay(delivery).await;
            assert!(RESULTS.contains(&result.as_str()), "{folder}/{}: {result}", delivery.name);
        }
        for (wallet, credits) in *expected {
            assert_eq!(app.available(wallet).await, *credits, "{folder}: {wallet}");
        }
        let entries = app.count("entry");
        for delivery in deliveries.iter().chain(deliveries.iter().rev()) {
            let result = app.replay(delivery).await;
            assert!(
                ["unchanged", "ignored"].contains(&result.as_str()),
                "{folder}/{}: {result}",
                delivery.name
            );
        }
        assert_eq!(app.count("entry"), entries, "{folder}: a repeat was booked");
        app.prove();
    }
}

const RESULTS: [&str; 6] = ["granted", "unchanged", "clawed_back", "parked", "ignored", "stored"];

#[tokio::test]
async fn what_each_delivery_of_a_purchase_is_told() {
    let app = TestApp::start().await;
    let mut told = Vec::new();
    for delivery in scenario("02-paid-order-one-token") {
        told.push((delivery.topic.clone(), app.replay(&delivery).await));
    }
    let told: Vec<_> = told.iter().map(|(topic, result)| (topic.as_str(), result.as_str())).collect();
    assert_eq!(
        told,
        [
            ("order.created", "unchanged"),
            ("order.updated", "unchanged"),
            ("order.updated", "granted"),
            ("action.woocommerce_payment_complete", "ignored"),
            ("order.updated", "unchanged"),
            ("action.woocommerce_order_status_completed", "ignored"),
        ]
    );
}

#[tokio::test]
async fn one_delivery_sent_a_thousand_times_grants_once() {
    let app = TestApp::start().await;
    let paid = scenario("02-paid-order-one-token").remove(2);
    let app = std::sync::Arc::new(app);
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (app, paid) = (std::sync::Arc::clone(&app), paid.clone());
        senders.spawn(async move {
            let mut told = BTreeMap::new();
            for _ in 0..20 {
                *told.entry(app.replay(&paid).await).or_insert(0) += 1;
            }
            told
        });
    }
    let mut told: BTreeMap<String, i32> = BTreeMap::new();
    while let Some(part) = senders.join_next().await {
        for (result, times) in part.unwrap() {
            *told.entry(result).or_default() += times;
        }
    }
    assert_eq!(told, BTreeMap::from([("granted".to_owned(), 1), ("unchanged".to_owned(), 999)]));
    assert_eq!(app.available("account:lab:customer:2").await, "1000");
    assert_eq!((app.count("credit_grant"), app.count("delivery")), (1, 1));
}

/// Whatever order an order's deliveries arrive in, they end where the recorded one did.
#[tokio::test]
async fn any_permutation_of_deliveries_gives_the_same_wallet() {
    let mut random = seeded();
    for (folder, tries) in
        [("02-paid-order-one-token", 24), ("13-failed-then-paid", 12), ("14-cancelled", 12)]
    {
        let expected = SCENARIOS.iter().find(|(name, _)| *name == folder).unwrap().1;
        let mut states: Vec<Recorded> =
            scenario(folder).into_iter().filter(|delivery| delivery.topic.starts_with("order.")).collect();
        for _ in 0..tries {
            states.shuffle(&mut random);
            let app = TestApp::start().await;
            for delivery in &states {
                app.replay(delivery).await;
            }
            let names: Vec<_> = states.iter().map(|delivery| &delivery.name).collect();
            for (wallet, credits) in expected {
                assert_eq!(app.available(wallet).await, *credits, "{folder} in the order {names:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_stranger_learns_nothing_and_leaves_nothing() {
    let app = TestApp::start().await;
    let paid = scenario("02-paid-order-one-token").remove(2);
    let mut answers = Vec::new();
    for (store, signature) in [
        ("lab", None),
        ("lab", Some("AAAA".to_owned())),
        ("lab", Some(signature::sign(b"another secret of many characters", &paid.body))),
        ("nobody", Some(signature::sign(SECRET.as_bytes(), &paid.body))),
        ("no%2Fbody", Some(signature::sign(b"", &paid.body))),
    ] {
        let mut request = app
            .http
            .post(app.url(&format!("/webhooks/woocommerce/{store}")))
            .header("X-WC-Webhook-Topic", "order.updated")
            .body(paid.body.clone());
        if let Some(signature) = signature {
            request = request.header("X-WC-Webhook-Signature", signature);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 401, "{store}");
        let body = answer.text().await.unwrap();
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["code"], "unauthorized");
        answers.push(body);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "an unknown store can be told from a wrong signature: {answers:?}");
    assert_eq!((app.count("delivery"), app.count("shop_order")), (0, 0));
    // Refusals leave no row, but a count.
    let counts = app.http.get(app.url("/metrics")).send().await.unwrap().text().await.unwrap();
    let refused = counts.lines().find_map(|line| line.strip_prefix("nivella_webhook_refused_total "));
    assert!(refused.unwrap().parse::<u64>().unwrap() >= 5, "{counts}");
}

#[tokio::test]
async fn what_cannot_be_read_is_kept_and_acknowledged() {
    let app = TestApp::start().await;
    for (topic, body, result) in [
        ("order.updated", "", "stored"),
        ("order.updated", "{", "stored"),
        ("order.updated", "[]", "stored"),
        ("order.updated", "\u{0}\u{1}", "stored"),
        (
            "order.updated",
            r#"{"id":1,"status":"processing","line_items":[{"id":1,"total":"ten"}]}"#,
            "stored",
        ),
        ("subscription.created", r#"{"id":1}"#, "ignored"),
        ("", r#"{"id":1}"#, "ignored"),
        ("coupon.created", r#"{"id":1}"#, "ignored"),
    ] {
        assert_eq!(app.deliver(topic, body.as_bytes().to_vec()).await, result, "{topic} {body:?}");
    }
    assert_eq!(app.count("delivery"), 8);
    assert_eq!(app.count("delivery WHERE state = 'failed' AND reason IS NOT NULL"), 5);
}

/// An order of a product nobody knows waits, is listed with its reason, and finishes by itself.
#[tokio::test]
async fn an_order_of_an_unknown_product_finishes_when_the_product_is_known() {
    let app = TestApp::start().await;
    let order = br#"{"id":900,"number":"900","status":"processing","currency":"USD","total":"10.00","customer_id":9,
        "date_created_gmt":"2026-11-20T16:00:00","date_modified_gmt":"2026-11-20T16:00:00","date_paid_gmt":"2026-11-20T16:00:00",
        "billing":{"email":"zoe@example.test","first_name":"Zoe","last_name":""},
        "line_items":[{"id":1,"name":"New","product_id":71,"variation_id":0,"quantity":2,"subtotal":"10.00","total":"10.00","total_tax":"0.00","sku":"","meta_data":[]}],
        "refunds":[],"meta_data":[]}"#;
    assert_eq!(app.deliver("order.created", order.to_vec()).await, "parked");
    assert_eq!(app.available("account:lab:customer:9").await, "0");
    assert_eq!(app.count("shop_order WHERE parked LIKE '%product 71%'"), 1);

    // Product 71 is recorded: first in Tokens, with no word on how many credits.
    let mut products = scenario("26-product-changes").into_iter();
    app.replay(&products.next().unwrap()).await;
    assert_eq!(
        app.count("shop_order WHERE parked LIKE '%package set%'"),
        1,
        "a Tokens product without credits"
    );

    let mut product: Value = serde_json::from_slice(&scenario("26-product-changes")[0].body).unwrap();
    product["meta_data"] = serde_json::json!([{ "id": 1, "key": "_nivella_credits", "value": "250" }]);
    product["date_modified_gmt"] = "2026-11-20T17:00:00".into();
    assert_eq!(app.deliver("product.updated", serde_json::to_vec(&product).unwrap()).await, "granted");
    assert_eq!(app.available("account:lab:customer:9").await, "500");
    assert_eq!(app.count("delivery WHERE state = 'parked'"), 0);
}

#[tokio::test]
async fn a_body_of_two_mebibytes_is_too_large() {
    let app = TestApp::start().await;
    let body = vec![b' '; 2 * 1024 * 1024 + 1];
    let answer = app
        .http
        .post(app.url("/webhooks/woocommerce/lab"))
        .header("X-WC-Webhook-Signature", signature::sign(SECRET.as_bytes(), &body))
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 413);
    assert_eq!(app.count("delivery"), 0);
}

/// WooCommerce has its answer, and whoever reads the feed next sees it: not a moment later.
#[tokio::test]
async fn an_answered_delivery_is_in_the_very_next_feed() {
    let app = TestApp::start().await;
    let path = "/v1/wallets/account:lab:customer:2/feed";
    let mut orders = scenario("02-paid-order-one-token").remove(2);
    assert_eq!(app.replay(&orders).await, "granted");
    let mut tag = String::new();
    let mut order: Value = serde_json::from_slice(&orders.body).unwrap();
    for number in 1..=20 {
        let before = app.request(Method::GET, path).header("If-None-Match", &tag).send().await.unwrap();
        assert_eq!(before.status(), if number == 1 { 200 } else { 304 }, "before delivery {number}");
        order["id"] = (1000 + number).into();
        orders.body = serde_json::to_vec(&order).unwrap();
        assert_eq!(app.deliver("order.updated", orders.body.clone()).await, "granted");

        let changed = app.request(Method::GET, path).header("If-None-Match", &tag).send().await.unwrap();
        assert_eq!(changed.status(), 200, "delivery {number} is not in the feed");
        let now = changed.headers()["etag"].to_str().unwrap().to_owned();
        assert_ne!(now, tag, "delivery {number} did not change the tag");
        tag = now;
        let feed: Value = serde_json::from_str(&changed.text().await.unwrap()).unwrap();
        assert_eq!(feed["available"], (1000 * (number + 1)).to_string());
        assert_eq!(feed["activity"].as_array().unwrap().len(), (number + 1).min(20));
    }
}
