//! What the shop's plugin tells beyond what WooCommerce does: for shops without REST keys it is all there is.

use nivella_wallet::catalog::terms::Terms;
use nivella_wallet::catalog::told::{Facts, ToldProduct};
use nivella_wallet::catalog::worth::{Decision, Line};
use nivella_wallet::catalog::{self, CategoryRef, ProductFacts, ShopCategory};
use nivella_wallet::db;
use nivella_wallet::ledger::slice::Category;
use nivella_wallet::order::target::OnDelete;
use nivella_wallet::shop;
use nivella_wallet::time::{ShopTime, Timestamp, Validity};
use serde_json::{Value, json};

use crate::app::{TestApp, write};
use crate::support::databases;
use crate::twists::{Draft, numbers, pair};

const ALICE: &str = "account:lab:customer:2";

/// A time of the shop's clock, so many microseconds after ten.
pub(crate) fn told_at(micros: u32) -> String {
    format!("2026-11-20T16:00:00.{micros:06}Z")
}

/// An order of one piece of a product that the wallet was never told of.
fn order(id: i64, product: i64, second: u32) -> Value {
    let mut body = Draft { version: second, ..Draft::new(id, 2) }.value();
    body["line_items"][0]["product_id"] = product.into();
    body["line_items"][0]["sku"] = "".into();
    body
}

/// What the plugin tells of a product in Bundles, which lies below Tokens, with these fields.
fn facts(micros: u32, product: i64, fields: &[(&str, &str)]) -> Value {
    let meta: Value = fields
        .iter()
        .map(|(key, value)| json!({ "key": format!("_nivella_{key}"), "value": value }))
        .collect();
    json!({
        "version": 1, "told_at": told_at(micros), "refunds": [],
        "products": [{ "id": product, "parent_id": 0, "sku": "", "name": "Bundle",
                       "categories": [{ "id": 17, "name": "Bundles", "slug": "bundles" }], "meta_data": meta,
                       "permalink": "https://shop.example/?p=1", "price": "10.00", "status": "publish" }],
        "categories": [{ "id": 17, "name": "Bundles", "slug": "bundles", "parent": 16 },
                       { "id": 16, "name": "Tokens", "slug": "tokens", "parent": 0 }],
    })
}

/// The order as the plugin tells of it, with the lines of its refunds: all of the first line, without tax.
pub(crate) fn with_refunds(draft: &Draft, micros: u32) -> Value {
    let mut order = draft.value();
    let detail = |refund: &Value| {
        let amount = refund["total"].as_str().unwrap().trim_start_matches('-');
        let line = order["line_items"][0]["id"].to_string();
        json!({ "id": refund["id"], "amount": amount, "shipping_lines": [], "fee_lines": [], "line_items": [{
            "quantity": 0, "total": format!("-{amount}"), "total_tax": "0.00",
            "meta_data": [{ "key": "_refunded_item_id", "value": line }] }] })
    };
    let details: Value = order["refunds"].as_array().unwrap().iter().map(detail).collect();
    order["nivella"] = json!({ "version": 1, "told_at": told_at(micros), "refunds": details });
    order
}

async fn deliver(app: &TestApp, mut order: Value, nivella: Value) -> String {
    order["nivella"] = nivella;
    app.deliver("order.updated", order.to_string().into_bytes()).await
}

async fn story(app: &TestApp, order: i64) -> Value {
    app.get(&format!("/v1/orders/lab/{order}")).await
}

/// Nothing of the product and its category was ever told but by this order; what it says of validity and kind holds.
#[tokio::test]
async fn an_order_brings_all_that_it_is_judged_by() {
    let app = TestApp::start().await;
    assert_eq!(deliver(&app, order(1, 901, 0), Value::Null).await, "parked");
    let sold = [("credits", "250"), ("validity", "30d"), ("kind", "bonus")];
    assert_eq!(deliver(&app, order(2, 901, 0), facts(1, 901, &sold)).await, "granted");
    // What was waiting for the same goes on by itself.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while story(&app, 1).await["parked"] != Value::Null {
        assert!(std::time::Instant::now() < deadline, "the order that waited goes on");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(numbers(&app, ALICE).await, pair("500", "0"));
    let told = story(&app, 2).await;
    assert_eq!(told["lines"][0]["worth_from"], "product 901");
    let expires = told["grants"][0]["expires_at"].as_str().unwrap();
    assert!(expires.starts_with("2026-12-21"), "{expires}");
    let grants = app.get(&format!("/v1/wallets/{ALICE}/grants")).await;
    assert_eq!(grants["items"][0]["category"], "bonus", "{grants}");
}

/// Promised on the line: the number, the validity and the kind, each before the product's and the package's.
#[tokio::test]
async fn what_was_promised_at_the_sale_is_kept() {
    let app = TestApp::start().await;
    let mut promised = order(1, 10, 0);
    promised["line_items"][0]["meta_data"] = json!([
        { "key": "_nivella_credits", "value": "70" },
        { "key": "_nivella_validity", "value": "1y" },
        { "key": "_nivella_kind", "value": "recurring" },
    ]);
    assert_eq!(deliver(&app, promised, facts(1, 10, &[("validity", "3mo")])).await, "granted");
    assert_eq!(numbers(&app, ALICE).await, pair("70", "0"));
    let told = story(&app, 1).await;
    assert!(told["grants"][0]["expires_at"].as_str().unwrap().starts_with("2027-11-21"), "{told}");
    let grants = app.get(&format!("/v1/wallets/{ALICE}/grants")).await;
    assert_eq!(grants["items"][0]["category"], "recurring");
    // A number alone takes the rest from the package, which says never.
    let mut promised = order(2, 10, 0);
    promised["line_items"][0]["meta_data"] = json!([{ "key": "_nivella_credits", "value": "5" }]);
    assert_eq!(deliver(&app, promised, facts(2, 10, &[("validity", "3mo")])).await, "granted");
    assert_eq!(story(&app, 2).await["grants"][0]["expires_at"], Value::Null);
}

/// What cannot be read is named, with where it stands and what to do, and nothing is granted until it is corrected.
#[tokio::test]
async fn a_field_that_cannot_be_read_is_named_and_never_guessed() {
    let app = TestApp::start().await;
    for (id, key, value) in [(901, "credits", "1,000"), (902, "validity", "forever"), (903, "kind", "gift")] {
        let sold = [("credits", "40"), ("validity", "30d"), ("kind", "paid")];
        let mut wrong = sold;
        wrong.iter_mut().find(|(name, _)| *name == key).unwrap().1 = value;
        let micros = u32::try_from(id).unwrap();
        assert_eq!(deliver(&app, order(id, id, 0), facts(micros, id, &wrong)).await, "parked");
        let told = story(&app, id).await;
        let missing = &told["missing"][0];
        let (what, remedy) = (missing["what"].as_str().unwrap(), missing["remedy"].as_str().unwrap());
        assert!(what.contains(&format!("product {id} says \"{value}\" in _nivella_{key}")), "{told}");
        assert!(remedy.contains(&format!("correct _nivella_{key} of product {id} in the shop")), "{remedy}");
        assert_eq!(missing["step"], "worth");
        // The next state of the order tells that it was corrected.
        assert_eq!(deliver(&app, order(id, id, 1), facts(micros + 10, id, &sold)).await, "granted");
    }
    assert_eq!(numbers(&app, ALICE).await, pair("120", "0"));
    let mut promised = order(5, 10, 0);
    promised["line_items"][0]["meta_data"] = json!([
        { "key": "_nivella_credits", "value": "70" },
        { "key": "_nivella_validity", "value": "soon" },
    ]);
    assert_eq!(deliver(&app, promised, Value::Null).await, "parked");
    let told = story(&app, 5).await;
    let parked = told["parked"].as_str().unwrap();
    assert!(
        parked.starts_with("the line of product 10 says \"soon\" in _nivella_validity, which is not never"),
        "{parked}"
    );
}

/// Deleted for good: what was granted stays or goes as the operator decided, and nothing late brings the order back,
/// also one that was never heard of before.
#[tokio::test]
async fn an_order_deleted_for_good_stays_deleted() {
    for on_delete in [OnDelete::Keep, OnDelete::ClawBack] {
        let app = TestApp::start_with(|config| config.orders.on_delete = on_delete).await;
        let gone = |id: i64, micros| json!({ "id": id, "nivella": { "version": 1, "told_at": told_at(micros), "gone": true } });
        assert_eq!(deliver(&app, order(1, 10, 0), facts(1, 10, &[])).await, "granted");
        let told = app.deliver("order.deleted", gone(1, 9).to_string().into_bytes()).await;
        let (left, word) = match on_delete {
            OnDelete::Keep => ("1000", "unchanged"),
            OnDelete::ClawBack => ("0", "clawed_back"),
        };
        assert_eq!(told, word, "{on_delete:?}");
        // Late ones, of a later date too; with and without the plugin's key.
        for (second, nivella) in [(0, facts(5, 10, &[])), (7, facts(6, 10, &[])), (8, Value::Null)] {
            assert_eq!(deliver(&app, order(1, 10, second), nivella).await, "unchanged");
            assert_eq!(story(&app, 1).await["status"], "deleted");
        }
        app.deliver("order.deleted", gone(2, 9).to_string().into_bytes()).await;
        assert_eq!(deliver(&app, order(2, 10, 0), facts(5, 10, &[])).await, "unchanged");
        assert_eq!(numbers(&app, ALICE).await, pair(left, "0"), "{on_delete:?}");
        // A backup was restored: the plugin tells of the order after it told of the deletion.
        assert_eq!(deliver(&app, order(2, 10, 0), facts(20, 10, &[])).await, "granted");
        assert_eq!(story(&app, 2).await["status"], "processing");
        // The trash is a state like others.
        let mut trashed = order(3, 10, 0);
        assert_eq!(deliver(&app, trashed.clone(), facts(30, 10, &[])).await, "granted");
        trashed["status"] = "trash".into();
        trashed["date_modified_gmt"] = "2026-11-20T16:30:00".into();
        assert_eq!(deliver(&app, trashed, facts(31, 10, &[])).await, word);
    }
}

/// Spent credits of a refund that is deleted again come back, and pay what was owed first.
#[tokio::test]
async fn a_deleted_refund_gives_the_credits_back_and_repays_the_debt_first() {
    let app = TestApp::start().await;
    let mut draft = Draft { site: Some("shop"), quantity: 2, ..Draft::new(1, 2) };
    let send = async |order: Value| app.deliver("order.updated", order.to_string().into_bytes()).await;
    assert_eq!(send(with_refunds(&draft, 1)).await, "granted");
    assert_eq!(app.debit("shop", "1900", "all").await.status(), 201);
    draft.refunds = vec![4];
    assert_eq!(send(with_refunds(&draft, 2)).await, "clawed_back");
    // 400 of 2,000 were refunded and 100 were left: 300 are owed.
    let wallet = app.get(&format!("/v1/wallets/{ALICE}")).await;
    assert_eq!((&wallet["available"], &wallet["debt"]), (&json!("0"), &json!("300")), "{wallet}");
    // The refund is deleted, which moves no date; a late body of before changes nothing.
    let mut late = with_refunds(&draft, 2);
    late["customer_note"] = "put together before, arrived after".into();
    draft.refunds.clear();
    assert_eq!(send(with_refunds(&draft, 3)).await, "granted");
    assert_eq!(send(late).await, "unchanged");
    let wallet = app.get(&format!("/v1/wallets/{ALICE}")).await;
    assert_eq!((&wallet["available"], &wallet["debt"]), (&json!("100"), &json!("0")), "{wallet}");
    let sequences = story(&app, 1).await["grants"].as_array().unwrap().len();
    assert_eq!(sequences, 2, "what comes back is a grant of its own");
}

/// A change of many categories comes as one word about them.
#[tokio::test]
async fn a_change_of_categories_is_learned_by_itself() {
    let app = TestApp::start().await;
    let told = facts(1, 901, &[("credits", "5")]);
    let tree = |micros, parent: i64| {
        let categories = json!([{ "id": 17, "name": "Bundles", "slug": "bundles", "parent": parent },
                                { "id": 16, "name": "Tokens", "slug": "tokens", "parent": 0 }]);
        json!({ "nivella": { "version": 1, "told_at": told_at(micros), "categories": categories } })
    };
    let say = async |body: Value| app.deliver("nivella.categories", body.to_string().into_bytes()).await;
    assert_eq!(deliver(&app, order(1, 901, 0), told).await, "granted");
    assert_eq!(say(tree(5, 0)).await, "unchanged");
    assert_eq!(say(tree(4, 16)).await, "unchanged", "an older word");
    assert_eq!(deliver(&app, order(2, 901, 0), Value::Null).await, "ignored", "not below Tokens any more");
    assert_eq!(say(tree(6, 16)).await, "unchanged");
    assert_eq!(deliver(&app, order(3, 901, 0), Value::Null).await, "granted");
    // Without the time nobody knows which of two is the later.
    let mut timeless = tree(7, 0);
    timeless["nivella"]["told_at"].take();
    assert_eq!(say(timeless).await, "ignored");
}

/// A clock that is days ahead is not believed: else everything after it would be old news.
#[tokio::test]
async fn a_time_days_ahead_is_no_time() {
    let app = TestApp::start().await;
    let mut ahead = facts(1, 901, &[("credits", "5")]);
    ahead["told_at"] = "2027-11-20T16:00:00Z".into();
    assert_eq!(deliver(&app, order(1, 901, 0), ahead).await, "parked");
    assert_eq!(deliver(&app, order(1, 901, 1), facts(2, 901, &[("credits", "5")])).await, "granted");
}

// What is learned ----------------------------------------------------------------------------------------

fn product(id: i64, name: &str, category: i64, validity: Option<Validity>) -> ProductFacts {
    let names = [(16, "tokens"), (17, "bundles"), (18, "apparel")];
    let (_, slug) = names.into_iter().find(|(of, _)| *of == category).unwrap();
    ProductFacts {
        id,
        parent_id: 0,
        name: name.to_owned(),
        sku: String::new(),
        permalink: "https://shop.example/?p=1".to_owned(),
        price_html: String::new(),
        on_sale_now: true,
        credits: Some("5".parse().unwrap()),
        terms: Terms { validity, kind: Some(Category::Bonus), ..Terms::default() },
        categories: Some(vec![CategoryRef { id: category, slug: slug.to_owned(), name: slug.to_owned() }]),
        modified_at: Timestamp::from_millis(0),
    }
}

fn told(micros: i64, product: ProductFacts, parent: i64) -> Facts {
    let category = |id, slug: &str, parent_id| ShopCategory {
        id,
        parent_id,
        slug: slug.to_owned(),
        name: slug.to_owned(),
    };
    Facts {
        told_at: ShopTime::from_micros(micros),
        products: vec![ToldProduct { facts: product }],
        categories: vec![category(17, "bundles", parent), category(16, "tokens", 0)],
        faults: Vec::new(),
    }
}

#[test]
fn what_was_told_earlier_never_takes_the_place_of_what_was_told_later() {
    for test in databases() {
        write(&test.db, |tx| {
            let settings = shop::store::Settings::new(
                "https://shop.example".parse().unwrap(),
                "a-webhook-secret-of-some-length".parse().unwrap(),
            );
            let store = shop::store::add(tx, &"lab".parse().unwrap(), &settings).unwrap();
            let is_sold = |tx: &mut db::Tx<'_>| {
                let line = Line { product_id: 7, ..Line::default() };
                Ok::<_, db::Error>(match catalog::store::judge(tx, &store, &line)? {
                    Decision::Tokens(worth) => Some(worth.validity),
                    Decision::Other => None,
                    other => panic!("{other:?}"),
                })
            };
            let (year, month) = (Some(Validity::Months(12)), Some(Validity::Days(30)));
            let first = told(1_000_000, product(7, "first", 17, year), 16);
            let moved = told(2_000_000, product(7, "moved", 17, month), 0);
            let back = told(3_000_000, product(7, "first", 17, year), 16);
            assert!(catalog::store::learn_told(tx, store.id, &first)?);
            assert_eq!(is_sold(tx)?, year);
            assert!(!catalog::store::learn_told(tx, store.id, &back)?, "it says the same again");
            assert!(
                !catalog::store::learn_told(tx, store.id, &moved)?,
                "and that is older than the second word"
            );
            assert_eq!(is_sold(tx)?, year);
            let moved = told(4_000_000, product(7, "moved", 17, month), 0);
            assert!(catalog::store::learn_told(tx, store.id, &moved)?);
            assert_eq!(is_sold(tx)?, None, "Bundles are not below Tokens any more");
            assert!(!catalog::store::learn_told(tx, store.id, &first)?);

            // What the product told of itself stands beside it: its price, and that it is sold out.
            let itself = ProductFacts {
                price_html: "<b>5</b>".to_owned(),
                on_sale_now: false,
                modified_at: Timestamp::from_millis(10_000),
                ..product(7, "itself", 16, month)
            };
            assert!(catalog::store::learn_product(tx, store.id, &itself)?);
            assert!(!catalog::store::learn_told(
                tx,
                store.id,
                &told(9_999_999, product(7, "x", 18, None), 0)
            )?);
            assert_eq!(catalog::store::product(tx, store.id, 7)?.unwrap(), itself, "it changed after that");
            assert!(catalog::store::learn_told(
                tx,
                store.id,
                &told(11_000_000, product(7, "new", 18, year), 0)
            )?);
            let known = catalog::store::product(tx, store.id, 7)?.unwrap();
            assert_eq!(
                (known.name.as_str(), known.price_html.as_str(), known.on_sale_now),
                ("new", "<b>5</b>", false)
            );
            assert_eq!((known.modified_at, known.terms.validity), (itself.modified_at, year));
            assert_eq!(is_sold(tx)?, None);
            Ok::<_, db::Error>(())
        });
        println!("{}", test.name);
    }
}
