//! `order explain`: the whole story in plain words, and always at the step where it stopped. `order replay`,
//! `inbox replay`, `inbox prune`: what is done by hand changes nothing that is right.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nivella_wallet::catalog;
use nivella_wallet::shop::{self, HookSecret, RestKeys};
use nivella_wallet::site;
use nivella_wallet::time::Clock;
use serde_json::{Value, json};

use crate::app::{SECRET, TestApp, key, scenario, write};
use crate::fake_shop::{self, FakeShop};
use crate::support::recorded;

/// Runs a command on the daemon's database; answers its status and both outputs.
fn run(app: &TestApp, args: &str) -> (i32, String, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_nivella-wallet"))
        .env_clear()
        .args(["--database", &app.db().url().to_string()])
        .args(args.split(' '))
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
}

fn json_of(app: &TestApp, args: &str) -> Value {
    let (status, out, err) = run(app, &format!("--json {args}"));
    assert_eq!(status, 0, "{args}: {out}{err}");
    serde_json::from_str(&out).unwrap()
}

// In these words ---------------------------------------------------------------------------------------

/// Recorded orders whose story is written down in `fixtures/explain`, and how many deliveries of the scenario's end are
/// left out. Write them anew with `BLESS=1`, and read them.
const TOLD: [(&str, i64, usize); 12] = [
    ("12-line-meta-site-id", 40, 0),
    ("14-cancelled", 42, 0),
    ("14-cancelled", 43, 0),
    ("16-full-refund", 45, 0),
    ("17-partial-refund-line-item", 49, 0),
    // One refund less than all, so that there is something to count.
    ("18-partial-refund-amount-only", 53, 2),
    ("19-refund-deleted", 56, 0),
    // Before the money came: cash on delivery, and a bank transfer.
    ("29-store-api-checkout", 74, 5),
    ("29-store-api-checkout", 75, 1),
    ("30-classic-checkout", 130, 1),
    ("30-classic-checkout", 129, 0),
    ("40-product-deleted", 83, 0),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_story_of_a_recorded_order_is_told_in_these_words() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/explain");
    for (name, order, left_out) in TOLD {
        let app = TestApp::start().await;
        let deliveries = scenario(name);
        let all = deliveries.len() - left_out;
        for delivery in &deliveries[..all] {
            app.replay(delivery).await;
        }
        if name.starts_with("17") {
            let mut body: Value =
                serde_json::from_slice(&recorded(&format!("{name}/010-order.updated/body.bin"))).unwrap();
            let refunds: Value =
                serde_json::from_slice(&recorded(&format!("{name}/rest-refunds.json"))).unwrap();
            body["nivella"] = json!({ "refunds": refunds });
            assert_eq!(app.deliver("order.updated", body.to_string().into_bytes()).await, "clawed_back");
        }
        let (status, told, error) = run(&app, &format!("order explain lab {order}"));
        assert_eq!((status, error.as_str()), (0, ""), "{name}");
        let told = without_ids(&told);
        let path = folder.join(format!("{}-{order}.txt", &name[..2]));
        if std::env::var_os("BLESS").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, &told).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(told, expected, "{}", path.display());
    }
}

/// Ids are new each time: the first of a kind is 1.
fn without_ids(text: &str) -> String {
    let mut text = text.to_owned();
    for prefix in ["acc_", "gr_", "dl_"] {
        let mut known: Vec<String> = Vec::new();
        let mut done = String::new();
        let mut rest = text.as_str();
        while let Some(at) = rest.find(prefix) {
            let begin = at + prefix.len();
            let length = rest[begin..].bytes().take_while(u8::is_ascii_alphanumeric).count();
            let id = &rest[begin..begin + length];
            if !known.iter().any(|other| other == id) {
                known.push(id.to_owned());
            }
            let number = known.iter().position(|other| other == id).unwrap() + 1;
            done.push_str(&rest[..begin]);
            // As long as it was, so that tables keep their columns.
            write!(done, "{number:0>length$}").unwrap();
            rest = &rest[begin + length..];
        }
        done.push_str(rest);
        text = done;
    }
    text
}

// Where it stopped -------------------------------------------------------------------------------------

/// A paid order of one AI Credits 1,000 by customer 2.
fn order(id: i64, version: u32) -> Value {
    let mut order: Value = serde_json::from_slice(&scenario("02-paid-order-one-token")[2].body).unwrap();
    order["id"] = id.into();
    order["number"] = id.to_string().into();
    order["date_modified_gmt"] = format!("2026-11-20T16:00:{version:02}").into();
    order
}

async fn deliver(app: &TestApp, order: &Value) -> String {
    app.deliver("order.updated", order.to_string().into_bytes()).await
}

/// What a shop or a customer did to an order.
type Change = Box<dyn Fn(&mut Value)>;

/// P37: "I paid, balance is 0" ends at the step where it stopped, with what to do.
#[tokio::test(flavor = "multi_thread")]
async fn p37_i_paid_and_the_balance_is_zero_ends_at_the_step_where_it_stopped() {
    let app = TestApp::start().await;
    write(app.db(), |tx| {
        let bob = site::store::open(tx, &"lab:customer:3".parse().unwrap())?;
        site::store::assign(tx, &"bobs".parse().unwrap(), &bob, &site::Field::Keep, &site::Field::Keep)
    });
    let site = |name: &str| json!([{ "id": 1, "key": "_nivella_site_id", "value": name }]);
    let table: Vec<(&str, &str, &str, Change)> = vec![
        (
            "payment",
            "the order is pending",
            "processing or completed",
            Box::new(|o| o["status"] = "pending".into()),
        ),
        (
            "payment",
            "the order is on-hold: nobody has paid it yet",
            "--paid-status",
            Box::new(|o| (o["status"], o["date_paid_gmt"]) = ("on-hold".into(), Value::Null)),
        ),
        (
            "payment",
            "no date of payment",
            "orders.require_date_paid = false",
            Box::new(|o| o["date_paid_gmt"] = Value::Null),
        ),
        (
            "payment",
            "it was paid at 2026-11-20T",
            "processing or completed",
            Box::new(|o| o["status"] = "on-hold".into()),
        ),
        (
            "payment",
            "is no paid status of this store",
            "--paid-status",
            Box::new(|o| o["status"] = "packed".into()),
        ),
        (
            "product",
            "none of its products is in a Tokens category",
            "package set --store lab --product ID",
            Box::new(|o| o["line_items"][0]["product_id"] = 13.into()),
        ),
        (
            "product",
            "nothing is known about product 99",
            "package set --store lab --product 99 --credits N",
            Box::new(|o| {
                o["line_items"][0]["product_id"] = 99.into();
                o["line_items"][0]["sku"] = "".into();
            }),
        ),
        (
            "product",
            "was deleted from the shop",
            "wallet grant account:lab:customer:2",
            Box::new(|o| {
                o["line_items"][0]["product_id"] = 0.into();
                o["line_items"][0]["sku"] = Value::Null;
            }),
        ),
        (
            "worth",
            "no amount",
            "correct _nivella_credits",
            Box::new(|o| {
                o["line_items"][0]["product_id"] = 99.into();
                o["line_items"][0]["meta_data"] =
                    json!([{ "id": 1, "key": "_nivella_credits", "value": "lots" }]);
            }),
        ),
        (
            "buyer",
            "names neither a customer nor",
            "order assign lab 10 --account ACC",
            Box::new(|o| {
                o["customer_id"] = 0.into();
                o["billing"]["email"] = "".into();
            }),
        ),
        (
            "site",
            "belongs to another account",
            "--account acc_",
            Box::new(move |o| o["line_items"][0]["meta_data"] = site("bobs")),
        ),
        (
            "site",
            "is no site id",
            "order assign lab 12 --site",
            Box::new(move |o| o["line_items"][0]["meta_data"] = site("my shop")),
        ),
        (
            "refund",
            "does not say which lines",
            "store set lab --consumer-key",
            Box::new(|o| {
                o["refunds"] = json!([{ "id": 5, "total": "-1.00" }]);
                o["fee_lines"] = json!([{ "id": 6, "total": "2.00", "total_tax": "0.00" }]);
            }),
        ),
    ];
    for (number, (step, what, remedy, change)) in (1..).zip(table) {
        let mut body = order(number, 1);
        body["line_items"][0]["id"] = (number * 10).into();
        change(&mut body);
        deliver(&app, &body).await;
        let story = app.get(&format!("/v1/orders/lab/{number}")).await;
        let missing = story["missing"].as_array().unwrap();
        let found =
            missing.iter().find(|each| each["step"] == step).unwrap_or_else(|| panic!("{step}: {story:#}"));
        assert!(found["what"].as_str().unwrap().contains(what), "{what}: {found}");
        assert!(found["remedy"].as_str().unwrap().contains(remedy), "{remedy}: {found}");
    }
}

/// What came to its end as it should is missing nothing, and the summary says only what happened.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_ended_is_missing_nothing() {
    let app = TestApp::start().await;
    let mut body = order(1, 1);
    body["status"] = "cancelled".into();
    deliver(&app, &body).await;
    let story = app.get("/v1/orders/lab/1").await;
    assert_eq!(story["missing"], json!([]));
    assert_eq!(
        story["summary"],
        "no credits are left of it: the order is cancelled, and it never granted anything"
    );

    let mut body = order(2, 1);
    body["line_items"][0]["meta_data"] = json!([{ "id": 1, "key": "site_id", "value": "shop" }]);
    deliver(&app, &body).await;
    assert_eq!(app.debit("shop", "400", "k").await.status(), 201);
    (body["status"], body["date_modified_gmt"]) = ("refunded".into(), "2026-11-20T16:00:09".into());
    deliver(&app, &body).await;
    let story = app.get("/v1/orders/lab/2").await;
    assert_eq!(story["missing"], json!([]));
    assert_eq!(
        story["summary"],
        "no credits are left of it: the order is refunded: 600 credits taken back, 400 had been spent"
    );
}

/// What was granted and is gone: expired, spent, frozen.
#[tokio::test(flavor = "multi_thread")]
async fn p37_credits_that_are_gone_say_where_they_went() {
    let app = TestApp::start().await;
    write(app.db(), |tx| {
        let store = shop::store::find(tx, &"lab".parse().unwrap())?.unwrap();
        for mut package in catalog::store::packages(tx, store.id)? {
            package.validity = "1d".parse().unwrap();
            catalog::store::set_package(tx, store.id, &package).unwrap();
        }
        Ok::<_, nivella_wallet::db::Error>(())
    });
    let mut body = order(1, 1);
    body["line_items"][0]["meta_data"] = json!([{ "id": 1, "key": "site_id", "value": "shop" }]);
    deliver(&app, &body).await;
    let steps = async || {
        let story = app.get("/v1/orders/lab/1").await;
        let missing =
            story["missing"].as_array().unwrap().iter().map(|each| each["step"].as_str().unwrap().to_owned());
        (missing.collect::<Vec<_>>(), story["summary"].as_str().unwrap().to_owned(), story)
    };
    let (missing, summary, _) = steps().await;
    assert_eq!(
        (missing, summary.as_str()),
        (vec![], "1000 credits of it are left with Alice Doe: 1000 in site shop")
    );
    assert_eq!(app.debit("shop", "400", "k").await.status(), 201);
    app.clock.turn_to("2026-11-23T00:00:00Z".parse().unwrap());
    let (missing, summary, story) = steps().await;
    assert_eq!(missing, ["expiry"], "{story:#}");
    assert!(summary.contains("expired since (400 spent)"), "{summary}");
    assert!(
        story["missing"][0]["what"].as_str().unwrap().starts_with("600 of its credits expired"),
        "{story:#}"
    );
    let spent: Vec<&Value> =
        story["entries"].as_array().unwrap().iter().filter(|entry| entry["kind"] == "spent").collect();
    assert_eq!((spent.len(), &spent[0]["credits"]), (1, &json!("400")));
    let account = story["account"]["id"].as_str().unwrap().parse().unwrap();
    write(app.db(), move |tx| site::store::set_frozen(tx, &account, Some("a chargeback")));
    let (missing, _, story) = steps().await;
    assert_eq!(missing, ["account", "expiry"]);
    let remedy = story["missing"][0]["remedy"].as_str().unwrap();
    let command = remedy.split('`').nth(1).unwrap().strip_prefix("nivella-wallet ").unwrap();
    let (status, out, error) = run(&app, command);
    assert_eq!(status, 0, "a remedy can be run as it is printed: {command}\n{out}{error}");
}

/// An administrator reads all of it, an account its own, nobody else anything.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_read_by_its_own_account_and_by_nobody_elses() {
    let app = TestApp::start().await;
    let mut body = order(1, 1);
    deliver(&app, &body).await;
    // It was Alice's, then Bob's.
    (body["customer_id"], body["date_modified_gmt"]) = (3.into(), "2026-11-20T16:00:09".into());
    deliver(&app, &body).await;
    let whole = app.get("/v1/orders/lab/1").await;
    assert_eq!(whole["order"], "1");
    assert_eq!(
        (whole["entries"].as_array().unwrap().len(), whole["deliveries"].as_array().unwrap().len()),
        (3, 2)
    );
    let read = async |scope: &str, path: &str| {
        let key = key(app.db(), scope);
        let answer = app.http.get(app.url(path)).bearer_auth(key).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, bobs) = read("account:lab:customer:3", "/v1/orders/lab/1").await;
    let bobs: Value = serde_json::from_str(&bobs).unwrap();
    assert_eq!(
        (status, &bobs["deliveries"], bobs["entries"].as_array().unwrap().len()),
        (200, &json!([]), 1)
    );
    assert_eq!(bobs["places"][0]["remaining"], "1000");
    assert_eq!(
        (&bobs["buyer"], &bobs["entries"][0]["says"]),
        (&Value::Null, &json!("1000 came from another account to the pool"))
    );
    for (scope, path) in [
        ("account:lab:customer:2", "/v1/orders/lab/1"),
        ("account:lab:customer:3", "/v1/orders/lab/2"),
        ("account:lab:customer:3", "/v1/orders/other/1"),
        ("account:lab:customer:3", "/v1/orders/lab/x"),
        ("debit", "/v1/orders/lab/1"),
        ("site:shop", "/v1/orders/lab/1"),
    ] {
        let (status, body) = read(scope, path).await;
        assert_eq!((status, body.contains("not_found")), (404, true), "{scope} {path}: {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_nobody_told_of_says_what_to_look_at() {
    let app = TestApp::start().await;
    let (status, _, error) = run(&app, "order explain lab 7");
    assert_eq!(status, 1);
    assert!(
        error.contains("never told of order 7") && error.contains("nothing ever came from this store"),
        "{error}"
    );
    deliver(&app, &order(1, 1)).await;
    let (_, _, error) = run(&app, "order explain lab 7");
    assert!(error.contains("last delivery came at 2026-11-20 18:00 UTC"), "{error}");
    assert!(run(&app, "order replay lab 7").2.contains("never told of order 7"));
}

// By hand ----------------------------------------------------------------------------------------------

/// The shop has what no delivery told: a replay reads it, a second one changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_replayed_with_what_the_shop_shows_and_then_nothing_changes() {
    let app = TestApp::start().await;
    // The command line asks by the system's clock, and the shop minds the time.
    let fake = FakeShop::start("", &Clock::system()).await;
    let name = "17-partial-refund-line-item";
    for delivery in scenario(name).iter().take(3) {
        app.replay(delivery).await;
    }
    assert_eq!(app.available("account:lab:customer:2").await, "3000");
    let alone = json_of(&app, "order replay lab 49");
    assert_eq!((&alone["changed"], &alone["shop"]["asked"]), (&json!(false), &json!("not")), "{alone}");
    app.clock.turn_to(Clock::system().now());
    let url = fake.url.clone();
    fake.put(
        "orders/49",
        Some(serde_json::from_slice(&recorded(&format!("{name}/rest-order.json"))).unwrap()),
    );
    fake.put_list(
        "orders/49/refunds",
        serde_json::from_slice(&recorded(&format!("{name}/rest-refunds.json"))).unwrap(),
    );
    write(app.db(), move |tx| {
        let store = shop::store::find(tx, &"lab".parse().unwrap())?.unwrap();
        let mut settings = shop::store::Settings::new(url, SECRET.parse::<HookSecret>().unwrap());
        settings.rest_keys = Some(RestKeys::new(fake_shop::KEY, fake_shop::SECRET).unwrap());
        shop::store::update(tx, store.id, &settings)
    });
    let tried = json_of(&app, "order replay lab 49 --dry-run");
    assert_eq!((&tried["changed"], &tried["after"]["credits"]), (&json!(true), &json!("1500")), "{tried}");
    assert_eq!(app.available("account:lab:customer:2").await, "3000", "nothing was written");
    let done = json_of(&app, "order replay lab 49");
    assert_eq!((&done["after"], &done["shop"]["asked"]), (&tried["after"], &json!("shown")), "{done}");
    assert_eq!(app.available("account:lab:customer:2").await, "1500");
    let (entries, grants) = (app.count("entry"), app.count("credit_grant"));
    assert_eq!(json_of(&app, "order replay lab 49")["changed"], false);
    assert_eq!((app.count("entry"), app.count("credit_grant")), (entries, grants));
    let story = app.get("/v1/orders/lab/49").await;
    assert_ne!(story["confirmed_at"], Value::Null);
    assert!(
        story["lines"][0]["arithmetic"].as_str().unwrap().contains("refund 50 took 10.00 of 30.00"),
        "{story:#}"
    );
}

/// The whole inbox twice: nothing changes, and it says so; what was pruned is counted and named.
#[tokio::test(flavor = "multi_thread")]
async fn the_whole_inbox_is_replayed_twice_and_pruned_and_nothing_changes() {
    let app = TestApp::start().await;
    for name in ["16-full-refund", "12-line-meta-site-id", "14-cancelled"] {
        for delivery in scenario(name) {
            app.replay(&delivery).await;
        }
    }
    app.deliver("order.updated", b"{\"id\":1,\"status\":7".to_vec()).await;
    let entries = app.count("entry");
    let told = json_of(&app, "inbox list --limit 100");
    for _ in 0..2 {
        let (status, out, _) = run(&app, "inbox replay --state all");
        assert_eq!((status, app.count("entry")), (1, entries), "the broken one fails again: {out}");
    }
    let kept = json_of(&app, "inbox list --limit 100");
    let of_applied = |list: &Value| {
        let items = list["items"].as_array().unwrap().clone();
        items.into_iter().filter(|each| each["state"] == "applied").collect::<Vec<_>>()
    };
    assert_eq!(of_applied(&kept), of_applied(&told), "what the shop was told is kept for ever");
    assert!(run(&app, "inbox replay --state parked").1.contains("nothing changed"));
    let all = app.count("delivery");
    let tried = json_of(&app, "inbox prune --before 2026-11-20T18:00:01Z --dry-run");
    assert_eq!((&tried["pruned"], &tried["failed_kept"]), (&json!(all - 1), &json!(1)));
    assert_eq!(app.count("delivery WHERE body IS NULL"), 0);
    assert_eq!(json_of(&app, "inbox prune --before 3650d")["pruned"], 0, "nothing is that old");
    let done = json_of(&app, "inbox prune --before 2026-11-20T18:00:01Z");
    assert_eq!(done["pruned"], json!(all - 1));
    assert_eq!(app.count("delivery WHERE body IS NOT NULL"), 1, "the failed one may be the only copy");
    assert_eq!(json_of(&app, "inbox prune --before 2026-11-20T18:00:01Z --failed")["pruned"], 1);
    let replayed = json_of(&app, "inbox replay --state all");
    assert_eq!((&replayed["replayed"], &replayed["pruned"]["count"]), (&json!(0), &json!(all)));
    let (_, out, _) = run(&app, "inbox replay --state all");
    assert!(out.contains("could not be replayed") && out.contains("2026-11-20 18:00"), "{out}");
    assert_eq!(json_of(&app, "order replay lab 45")["changed"], false, "its state is kept apart");
    assert_eq!(app.count("entry"), entries);
    assert!(app.get("/v1/orders/lab/45").await["summary"].as_str().unwrap().contains("refunded"));
}

/// Guests' purchases are listed with their age and what is left; those that are used up wait for nobody.
#[tokio::test(flavor = "multi_thread")]
async fn unclaimed_purchases_are_listed_with_their_age() {
    let app = TestApp::start().await;
    let mut guest = order(1, 1);
    guest["customer_id"] = 0.into();
    guest["billing"]["email"] = "guest@example.test".into();
    guest["line_items"][0]["meta_data"] = json!([{ "id": 1, "key": "site_id", "value": "shop" }]);
    deliver(&app, &guest).await;
    deliver(&app, &order(2, 1)).await;
    app.debit("shop", "400", "k").await;
    let list = json_of(&app, "order list --unclaimed");
    let items = list["items"].as_array().unwrap();
    assert_eq!((items.len(), &items[0]["order"], &items[0]["remaining"]), (1, &json!("1"), &json!("600")));
    assert_eq!(items[0]["first_seen_at"], "2026-11-20T18:00:00Z");
    assert!(items[0]["age_days"].as_i64().is_some(), "{list}");
    assert!(run(&app, "order list --unclaimed").1.contains("600"));
    app.debit("shop", "600", "l").await;
    assert_eq!(json_of(&app, "order list --unclaimed")["items"], json!([]));
}

/// More orders wait for one product than a shop's delivery may hold up: it books a page, the worker the rest.
#[tokio::test(flavor = "multi_thread")]
async fn a_product_that_many_orders_wait_for_holds_up_no_delivery() {
    let app = TestApp::start().await;
    let waiting = 230;
    for id in 1..=waiting {
        let mut body = order(id, 1);
        body["line_items"][0]["product_id"] = 99.into();
        body["line_items"][0]["sku"] = "".into();
        assert_eq!(deliver(&app, &body).await, "parked");
    }
    let mut product: Value = serde_json::from_slice(&recorded("rest/product-child-category.body")).unwrap();
    product["id"] = 99.into();
    product["categories"] = json!([{ "id": 16, "name": "Tokens", "slug": "tokens" }]);
    product["meta_data"] = json!([{ "id": 1, "key": "_nivella_credits", "value": "10" }]);
    assert_eq!(app.deliver("product.updated", product.to_string().into_bytes()).await, "granted");
    let wait = async {
        while app.count("shop_order WHERE parked IS NOT NULL") > 0 || app.count("parked_retry") > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), wait)
        .await
        .expect("the worker finishes what the delivery began");
    assert_eq!(app.available("account:lab:customer:2").await, "2300");
    assert_eq!(app.count("delivery WHERE state = 'parked'"), 0);
}
