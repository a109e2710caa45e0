//! What a delivery leaves open is asked of the shop, and finishes by itself: the real daemon and command line
//! against a shop that answers as the recorded one did.

use std::process::Command;
use std::time::Duration;

use nivella_wallet::inbox::signature;
use nivella_wallet::shop::{self, HookSecret, RestKeys};
use nivella_wallet::time::Clock;
use serde_json::{Value, json};

use crate::app::{SECRET, TestApp, scenario, write};
use crate::fake_shop::{self, FakeShop};

/// A store named `asked`, with REST keys for `shop`.
fn add_store(app: &TestApp, shop: &FakeShop) {
    let url = shop.url.clone();
    write(app.db(), move |tx| {
        let mut settings = shop::store::Settings::new(url, SECRET.parse::<HookSecret>().unwrap());
        settings.rest_keys = Some(RestKeys::new(fake_shop::KEY, fake_shop::SECRET).unwrap());
        shop::store::add(tx, &"asked".parse().unwrap(), &settings)
    });
}

/// A paid order of one product, as `asked` would send it.
fn order(id: i64, product: i64, version: u32) -> Value {
    let mut order: Value = serde_json::from_slice(&scenario("02-paid-order-one-token")[2].body).unwrap();
    order["id"] = id.into();
    order["number"] = id.to_string().into();
    order["customer_id"] = 7.into();
    order["date_modified_gmt"] = format!("2026-11-20T16:00:{version:02}").into();
    order["line_items"][0]["product_id"] = product.into();
    order["line_items"][0]["sku"] = "".into();
    order
}

async fn deliver(app: &TestApp, topic: &str, body: &Value) -> String {
    let body = body.to_string();
    let answer = app
        .http
        .post(app.url("/webhooks/woocommerce/asked"))
        .header("X-WC-Webhook-Topic", topic)
        .header("X-WC-Webhook-Signature", signature::sign(SECRET.as_bytes(), body.as_bytes()))
        .body(body)
        .send()
        .await
        .unwrap();
    let told: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    told["result"].as_str().unwrap().to_owned()
}

/// Waits until the customer has `credits`; the worker is another task, so there is nothing to call.
async fn comes_to(app: &TestApp, credits: &str) {
    let wait = async {
        while app.available("account:asked:customer:7").await != credits {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait)
        .await
        .expect("the shop was asked and the order finished");
}

/// Product 12 is only in Bundles, which lies below Tokens; nobody has heard of either.
#[tokio::test]
async fn an_order_of_an_unknown_product_of_a_child_category_finishes_by_itself() {
    let app = TestApp::start().await;
    let shop = FakeShop::start("", &app.clock).await;
    add_store(&app, &shop);
    let mut bundle: Value =
        serde_json::from_slice(&crate::support::recorded("rest/product-child-category.body")).unwrap();
    bundle["meta_data"] = json!([{ "id": 1, "key": "_nivella_credits", "value": "2500" }]);
    shop.put("products/12", Some(bundle));
    assert_eq!(deliver(&app, "order.updated", &order(900, 12, 1)).await, "parked");
    comes_to(&app, "2500").await;
    let asked = shop.asked().join(" ");
    assert!(asked.contains("products/12") && asked.contains("products/categories"), "{asked}");
    assert_eq!(app.count("shop_order WHERE parked IS NOT NULL"), 0);
    assert_eq!(app.count("delivery WHERE state = 'parked'"), 0);
    // What is known is not asked again.
    assert_eq!(deliver(&app, "order.updated", &order(901, 12, 1)).await, "granted");
    comes_to(&app, "5000").await;
    assert_eq!(shop.asked(), Vec::<String>::new());
}

/// The trash sends no more than an id; what the shop shows then counts.
#[tokio::test]
async fn a_hint_makes_the_daemon_read_the_order() {
    let app = TestApp::start_with(|config| {
        config.orders.on_delete = nivella_wallet::order::target::OnDelete::ClawBack;
    })
    .await;
    let shop = FakeShop::start("", &app.clock).await;
    add_store(&app, &shop);
    let mut credits: Value =
        serde_json::from_slice(&crate::support::recorded("rest/product-simple.body")).unwrap();
    credits["meta_data"] = json!([{ "id": 1, "key": "_nivella_credits", "value": "1000" }]);
    shop.put("products/10", Some(credits));
    let mut trashed = order(900, 10, 2);
    trashed["status"] = "trash".into();
    assert_eq!(deliver(&app, "order.created", &order(900, 10, 1)).await, "parked");
    comes_to(&app, "1000").await;
    shop.put("orders/900", Some(trashed));
    shop.put_list("orders/900/refunds", Vec::new());
    assert_eq!(deliver(&app, "order.deleted", &json!({ "id": 900 })).await, "stored");
    comes_to(&app, "0").await;
    // Restored: the same hint again would do, and so does the order's own delivery.
    assert_eq!(deliver(&app, "order.restored", &order(900, 10, 3)).await, "granted");
    comes_to(&app, "1000").await;
}

/// `package sync` reads the Tokens category and below, says what has no credits, and finishes what waited.
#[tokio::test(flavor = "multi_thread")]
async fn package_sync_reads_the_shop_from_the_command_line() {
    let shop = FakeShop::start("", &Clock::system()).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("keys.txt"), fake_shop::SECRET).unwrap();
    let run = |arguments: &str| {
        let done = Command::new(env!("CARGO_BIN_EXE_nivella-wallet"))
            .current_dir(folder.path())
            .args(["--database", "sqlite:wallet.db", "--json"])
            .args(arguments.split(' '))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{arguments}: {said}");
        serde_json::from_slice::<Value>(&done.stdout).unwrap()
    };
    run(&format!(
        "store add asked --url {} --webhook-secret {SECRET} --consumer-key {} --consumer-secret-file keys.txt",
        shop.url,
        fake_shop::KEY
    ));
    run("package set --store asked --product 10 --credits 1000");
    let tried = run("package sync --store asked --dry-run");
    let done = run("package sync --store asked");
    let (tried, done) = (&tried["items"][0], &done["items"][0]);
    assert_eq!(tried["products"], done["products"]);
    assert_eq!(tried["changed"], done["changed"], "trying it wrote nothing: {tried} {done}");
    assert_eq!((&done["products"], &done["variations"]), (&json!(9), &json!(3)), "{done}");
    let lacking: Vec<i64> = done["without_credits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["product_id"].as_i64().unwrap())
        .collect();
    assert!(!lacking.contains(&10) && lacking.contains(&11) && lacking.contains(&12), "{lacking:?}");
    assert_eq!(
        run("package sync --store asked")["items"][0]["changed"],
        json!(0),
        "a second time nothing is new"
    );
}
