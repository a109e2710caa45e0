//! What products grant: facts, packages, decisions, lookups and sync.

use std::collections::BTreeSet;
use std::path::Path;

use nivella_wallet::catalog::lookup::{self, Progress};
use nivella_wallet::catalog::store::{self, Set};
use nivella_wallet::catalog::sync::{self, sync};
use nivella_wallet::catalog::terms::Terms;
use nivella_wallet::catalog::woo::{self, Delivered};
use nivella_wallet::catalog::worth::{Basis, Decision, Line, Need, Worth};
use nivella_wallet::catalog::{CategoryRef, Package, ProductFacts, ShopCategory, Subject, Target};
use nivella_wallet::db::{self, Db, Keep, Tx};
use nivella_wallet::ledger::slice::Category;
use nivella_wallet::shop::rest::Clients;
use nivella_wallet::shop::store::Settings;
use nivella_wallet::shop::{self, Store};
use nivella_wallet::time::{Clock, Timestamp, Validity};
use nivella_wallet::units::Credits;
use serde_json::json;

use crate::fake_shop::{FakeShop, impatient};
use crate::support::{databases, recorded, sqlite};

fn clock() -> Clock {
    Clock::standing_at("2026-11-20T16:17:35Z".parse().unwrap())
}

fn credits(text: &str) -> Credits {
    text.parse().unwrap()
}

fn write<T: Send + 'static>(
    db: &Db,
    work: impl FnOnce(&mut Tx<'_>) -> Result<T, db::Error> + Send + 'static,
) -> T {
    db.write_blocking("test", Keep::Effects, work).unwrap()
}

/// A store named `lab`, with the keys of the fake shop or without.
fn add_store(db: &Db, url: &str, with_keys: Option<&FakeShop>) -> Store {
    add_store_named("lab", db, url, with_keys)
}

fn add_store_named(name: &'static str, db: &Db, url: &str, with_keys: Option<&FakeShop>) -> Store {
    let mut settings =
        Settings::new(url.parse().unwrap(), "a-webhook-secret-of-some-length".parse().unwrap());
    settings.rest_keys = with_keys.map(|shop| shop.access().keys);
    db.write_blocking("test", Keep::Effects, move |tx| {
        shop::store::add(tx, &name.parse().unwrap(), &settings)
    })
    .unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(second * 1000)
}

fn facts(id: i64, categories: &[(i64, &str)]) -> ProductFacts {
    let category = |(id, slug): &(i64, &str)| CategoryRef {
        id: *id,
        slug: (*slug).to_owned(),
        name: slug.to_uppercase(),
    };
    ProductFacts {
        id,
        parent_id: 0,
        name: format!("Product {id}"),
        sku: String::new(),
        permalink: format!("https://shop.example/{id}"),
        price_html: "<b>1</b>".to_owned(),
        on_sale_now: true,
        credits: None,
        terms: Terms::default(),
        categories: Some(categories.iter().map(category).collect()),
        modified_at: at(100),
    }
}

fn variation(id: i64, parent_id: i64) -> ProductFacts {
    ProductFacts { parent_id, categories: None, ..facts(id, &[]) }
}

fn package(target: &str, per_unit: &str) -> Package {
    Package {
        target: target.parse().unwrap(),
        basis: Basis::PerUnit(credits(per_unit)),
        validity: Validity::Never,
        category: Category::Paid,
        label: None,
    }
}

// Facts ------------------------------------------------------------------------------------------------

#[test]
fn every_recorded_product_delivery_is_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/woocommerce");
    let (mut products, mut gone) = (0, 0);
    for scenario in std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()) {
        for delivery in std::fs::read_dir(&scenario).into_iter().flatten().map(|entry| entry.unwrap().path())
        {
            if !delivery.is_dir() || !delivery.to_string_lossy().contains("-product.") {
                continue;
            }
            let body = std::fs::read(delivery.join("body.bin")).unwrap();
            match woo::delivery(&body).unwrap_or_else(|error| panic!("{}: {error}", delivery.display())) {
                Delivered::Product(facts) => {
                    products += 1;
                    assert!(!facts.name.is_empty() && facts.modified_at > at(1_700_000_000), "{facts:?}");
                    assert_eq!(facts.categories.is_none(), facts.parent_id == 19, "{facts:?}");
                }
                Delivered::Gone(id) => {
                    gone += 1;
                    assert!([71, 82].contains(&id));
                }
                Delivered::Refused(code) => panic!("{code}"),
            }
        }
    }
    assert_eq!((products, gone), (7, 2));
}

#[test]
fn a_recorded_product_gives_these_facts() {
    let simple = woo::product(&recorded("rest/product-simple.body")).unwrap();
    assert_eq!((simple.id, simple.parent_id, simple.sku.as_str()), (10, 0, "CREDITS-1000"));
    assert_eq!(simple.name, "AI Credits 1,000");
    assert!(simple.on_sale_now && simple.price_html.contains("10.00"));
    assert_eq!(simple.credits, None, "its meta _cwb_credits is another plugin's");
    assert_eq!(simple.categories.as_ref().unwrap()[0].slug, "tokens");
    assert_eq!(simple.modified_at.to_string(), "2026-11-20T15:46:38Z");

    // The two ways to read a variation agree in everything but the price as HTML.
    let parent = woo::product(&recorded("rest/product-variable.body")).unwrap();
    let listed = woo::variation(&recorded("rest/product-variation.body"), &parent).unwrap();
    let alone = woo::product(&recorded("rest/product-variation-via-products.body")).unwrap();
    assert_eq!((alone.id, alone.parent_id, alone.categories.as_ref()), (21, 19, None));
    assert_eq!(ProductFacts { price_html: alone.price_html.clone(), ..listed }, alone);
}

#[test]
fn of_two_states_of_a_product_the_newer_is_kept() {
    for test in databases() {
        let store = add_store(&test.db, "https://shop.example", None);
        write(&test.db, move |tx| {
            let mut product = facts(7, &[(3, "tokens")]);
            assert!(store::learn_product(tx, store.id, &product)?);
            assert_eq!(store::product(tx, store.id, 7)?.unwrap(), product);

            let older =
                ProductFacts { name: "older".to_owned(), modified_at: at(99), ..facts(7, &[(4, "hats")]) };
            assert!(!store::learn_product(tx, store.id, &older)?);
            assert_eq!(store::product(tx, store.id, 7)?.unwrap(), product);

            // The shop's dates are whole seconds: two states of one second arrive in their order.
            product.sku = "SAME-SECOND".to_owned();
            product.credits = Some(credits("12.5"));
            assert!(store::learn_product(tx, store.id, &product)?);
            store::forget_sale(tx, store.id, 7)?;
            product.on_sale_now = false;
            assert_eq!(store::product(tx, store.id, 7)?.unwrap(), product);
            assert_eq!(store::product(tx, store.id + 1, 7)?, None, "another store's 7 is another product");
            Ok(())
        });
        println!("{}", test.name);
    }
}

// Worth ------------------------------------------------------------------------------------------------

/// A shop as a person can keep in mind:
///
/// - categories 3 `tokens` > 4 `bundles` > 5 `deep`; 6 `hats`; 8 and 9 lie below each other; 10 is not in the
///   shop's list
/// - products 30 in tokens, 40 in bundles, 50 in deep, 60 in hats, 80 in 8, 100 in 10, 70 in hats and deep,
///   31 in tokens with meta 5, 61 in hats with meta 5; 20 in tokens with variations 21 (meta 7), 22, 23; 25 in
///   tokens with meta 9 and variations 26, 27 (meta 8)
/// - packages: product 60 → 600 (30d, bonus, "Hats"), variation 22 → 22, product 25 → none, SKU `GOLD` → 1000
fn teach(tx: &mut Tx<'_>, store_id: i64) -> Result<(), db::Error> {
    let with = |credits: &str, facts: ProductFacts| ProductFacts {
        credits: Some(credits.parse().unwrap()),
        ..facts
    };
    for product in [
        facts(30, &[(3, "tokens")]),
        facts(40, &[(4, "bundles")]),
        facts(50, &[(5, "deep")]),
        facts(60, &[(6, "hats")]),
        facts(80, &[(8, "round")]),
        facts(70, &[(6, "hats"), (5, "deep")]),
        facts(90, &[]),
        with("5", facts(31, &[(3, "tokens")])),
        with("0", facts(32, &[(3, "tokens")])),
        with("5", facts(61, &[(6, "hats")])),
        ProductFacts { sku: "GOLD".to_owned(), ..facts(62, &[(6, "hats")]) },
        facts(20, &[(3, "tokens")]),
        with("7", variation(21, 20)),
        variation(22, 20),
        variation(23, 20),
        with("9", facts(25, &[(3, "tokens")])),
        variation(26, 25),
        with("8", variation(27, 25)),
        variation(29, 28),
        variation(33, 0),
    ] {
        store::learn_product(tx, store_id, &product)?;
    }
    let category = |id, parent_id, slug: &str| ShopCategory {
        id,
        parent_id,
        slug: slug.to_owned(),
        name: slug.to_uppercase(),
    };
    store::learn_categories(
        tx,
        store_id,
        &[
            category(3, 0, "tokens"),
            category(4, 3, "bundles"),
            category(5, 4, "deep"),
            category(6, 0, "hats"),
            category(8, 9, "round"),
            category(9, 8, "about"),
        ],
    )?;
    store::learn_product(tx, store_id, &facts(100, &[(10, "new")]))?;
    let hats = Package {
        validity: Validity::Days(30),
        category: Category::Bonus,
        label: Some("Hats".to_owned()),
        ..package("product:60", "600")
    };
    for package in
        [hats, package("variation:22", "22"), package("sku:GOLD", "1000"), package("product:10000", "1")]
    {
        store::set_package(tx, store_id, &package).unwrap();
    }
    Ok(())
}

#[test]
fn what_a_line_is_worth_is_decided_so() {
    // product, variation, sku, promise on the line → decision with REST keys, without
    let table = [
        // The product's category decides, at any depth below Tokens.
        (31, 0, "", "", "5", "5"),
        (30, 0, "", "", "unpriced", "unpriced"),
        (40, 0, "", "", "unpriced", "unpriced"),
        (50, 0, "", "", "unpriced", "unpriced"),
        (70, 0, "", "", "unpriced", "unpriced"),
        (90, 0, "", "", "other", "other"),
        (80, 0, "", "", "other", "other"),
        (32, 0, "", "", "0", "0"),
        // Product meta gives a number, but does not make a Tokens line.
        (61, 0, "", "", "other", "other"),
        // A promise or a package does, and the promise comes first.
        (61, 0, "", "77", "77", "77"),
        (30, 0, "", "0.5", "0.5", "0.5"),
        (60, 0, "", "", "600 30d bonus Hats", "600 30d bonus Hats"),
        (60, 0, "", "77", "77 30d bonus Hats", "77 30d bonus Hats"),
        (999, 0, "", "77", "77", "77"),
        (0, 0, "", "77", "77", "77"),
        (10000, 0, "", "", "1", "1"),
        // The SKU of the line, else the product's own.
        (61, 0, "GOLD", "", "1000", "1000"),
        (62, 0, "", "", "1000", "1000"),
        (60, 0, "GOLD", "", "600 30d bonus Hats", "600 30d bonus Hats"),
        (0, 0, "GOLD", "", "1000", "1000"),
        (60, 0, "gold", "", "600 30d bonus Hats", "600 30d bonus Hats"),
        // A variation: its package, then its own meta, then its product's; categories are its product's.
        (20, 21, "", "", "7", "7"),
        (20, 22, "", "", "22", "22"),
        (20, 23, "", "", "unpriced", "unpriced"),
        (25, 26, "", "", "9", "9"),
        (25, 27, "", "", "8", "8"),
        (60, 66, "", "", "600 30d bonus Hats", "600 30d bonus Hats"),
        (60, 22, "", "", "22", "22"),
        // Ordered by its bare id it is the same.
        (21, 0, "", "", "7", "7"),
        (26, 0, "", "", "9", "9"),
        // What is not known is asked for.
        (999, 0, "", "", "needs product 999", "needs product 999"),
        (25, 99, "", "", "unpriced needs product 99", "unpriced needs product 99"),
        (28, 29, "", "", "needs product 28", "needs product 28"),
        (29, 0, "", "", "needs product 28", "needs product 28"),
        (0, 0, "", "", "unknown", "unknown"),
        (33, 0, "", "", "unknown", "unknown"),
        // A category whose parent nobody told: asked for with keys, at face value without.
        (100, 0, "", "", "needs categories", "other"),
    ];
    let shop_url = "https://shop.example";
    for test in databases() {
        let store = add_store(&test.db, shop_url, None);
        let id = store.id;
        write(&test.db, move |tx| teach(tx, id));
        for (product_id, variation_id, sku, promise, with_keys, without_keys) in table {
            for (has_rest_keys, expected) in [(true, with_keys), (false, without_keys)] {
                let store = Store { has_rest_keys, ..store.clone() };
                let promised = promise.parse().ok();
                let line = Line { product_id, variation_id, sku, promised, terms: None };
                let decision = test.db.read(|tx| store::judge(tx, &store, &line)).unwrap();
                assert_eq!(shown(&decision), expected, "{line:?} on {}", test.name);
            }
        }
    }
}

/// A decision in as many words as the table has.
fn shown(decision: &Decision) -> String {
    let needs = |gap: &nivella_wallet::catalog::worth::Gap| match gap.needs {
        Some(Need::Product(id)) => format!("needs product {id}"),
        Some(Need::Categories) => "needs categories".to_owned(),
        None => String::new(),
    };
    let text = match decision {
        Decision::Other => "other".to_owned(),
        Decision::Unpriced(gap) => format!("unpriced {}", needs(gap)),
        Decision::Unknown(gap) if gap.needs.is_none() => "unknown".to_owned(),
        Decision::Unknown(gap) => needs(gap),
        Decision::Tokens(worth) => {
            let basis = match worth.basis {
                Basis::PerUnit(credits) => credits.to_string(),
                Basis::PerCurrencyUnit(rate) => format!("{rate}/1"),
            };
            match (worth.validity, worth.category) {
                (Validity::Never, Category::Paid) => basis,
                (validity, category) => {
                    format!("{basis} {validity} {category} {}", worth.label.as_deref().unwrap_or_default())
                }
            }
        }
    };
    text.trim().to_owned()
}

#[test]
fn a_gap_says_what_to_do() {
    let test = sqlite();
    let store = add_store(&test.db, "https://shop.example", None);
    let id = store.id;
    write(&test.db, move |tx| teach(tx, id));
    let reason = |has_rest_keys: bool, product_id: i64, variation_id: i64| {
        let store = Store { has_rest_keys, ..store.clone() };
        let line = Line { product_id, variation_id, ..Line::default() };
        test.db.read(|tx| store::judge(tx, &store, &line)).unwrap().gap().unwrap().reason.clone()
    };
    assert_eq!(
        reason(true, 30, 0),
        "product 30 is in the Tokens category but nobody said how many credits it brings: run \
         `nivella-wallet package set --store lab --product 30 --credits N`"
    );
    assert_eq!(
        reason(true, 20, 23),
        "variation 23 of product 20 is in the Tokens category but nobody said how many credits it brings: run \
         `nivella-wallet package set --store lab --product 20 --variation 23 --credits N`"
    );
    assert!(reason(true, 999, 0).contains("the shop is asked about it"));
    assert!(reason(false, 999, 0).contains("save it once in the shop"));
    assert!(reason(true, 100, 0).contains("the category \"new\""));
    assert!(reason(true, 0, 0).contains("deleted from the shop"));
}

#[test]
fn a_worth_survives_its_journey_through_the_database() {
    let worth = Worth {
        basis: Basis::PerCurrencyUnit(credits("12.5")),
        validity: Validity::Months(3),
        category: Category::Recurring,
        label: Some("Pack".to_owned()),
    };
    let text = serde_json::to_string(&worth).unwrap();
    assert_eq!(
        text,
        r#"{"per_currency_unit":"12.5","validity":"3mo","category":"recurring","label":"Pack"}"#
    );
    assert_eq!(serde_json::from_str::<Worth>(&text).unwrap(), worth);
    let plain = r#"{"per_unit":"1000","validity":"never","category":"paid","label":null}"#;
    assert_eq!(serde_json::to_string(&serde_json::from_str::<Worth>(plain).unwrap()).unwrap(), plain);
}

#[test]
fn without_keys_a_category_counts_by_its_own_slug() {
    for test in databases() {
        let store = add_store(&test.db, "https://shop.example", None);
        let id = store.id;
        let judge = |product_id: i64| {
            let line = Line { product_id, ..Line::default() };
            shown(&test.db.read(|tx| store::judge(tx, &store, &line)).unwrap())
        };
        write(&test.db, move |tx| {
            store::learn_product(tx, id, &facts(1, &[(3, "tokens")]))?;
            store::learn_product(tx, id, &facts(2, &[(4, "bundles")]))
        });
        assert_eq!((judge(1).as_str(), judge(2).as_str()), ("unpriced", "other"));
        // Once the list was read it counts, also for categories the list did not show.
        write(&test.db, move |tx| {
            let bundles =
                ShopCategory { id: 4, parent_id: 3, slug: "bundles".to_owned(), name: "Bundles".to_owned() };
            store::learn_categories(tx, id, &[bundles])
        });
        assert_eq!((judge(1).as_str(), judge(2).as_str()), ("unpriced", "unpriced"));
    }
}

// Packages ---------------------------------------------------------------------------------------------

#[test]
fn packages_are_set_replaced_listed_and_removed() {
    for test in databases() {
        let store = add_store(&test.db, "https://shop.example", None);
        write(&test.db, move |tx| {
            let first = package("product:12", "1000");
            assert_eq!(store::set_package(tx, store.id, &first).unwrap(), Set::Added);
            assert_eq!(store::set_package(tx, store.id, &first).unwrap(), Set::Unchanged);
            let second = Package {
                basis: Basis::PerCurrencyUnit(credits("0.25")),
                validity: Validity::Cycle,
                label: Some("x".to_owned()),
                ..first.clone()
            };
            assert_eq!(store::set_package(tx, store.id, &second).unwrap(), Set::Replaced(first.clone()));
            let other = package("sku:A B:C", "1");
            store::set_package(tx, store.id, &other).unwrap();
            assert_eq!(store::packages(tx, store.id)?, [second.clone(), other.clone()]);
            assert_eq!(store::remove_package(tx, store.id, &second.target)?, Some(second.clone()));
            assert_eq!(store::remove_package(tx, store.id, &second.target)?, None);
            assert_eq!(store::packages(tx, store.id)?, [other]);
            let nothing = package("product:12", "0");
            assert!(matches!(store::set_package(tx, store.id, &nothing), Err(store::Error::NoCredits)));
            Ok(())
        });
        println!("{}", test.name);
    }
    for bad in ["", "12", "product:", "product:0", "product:-1", "product:x", "sku:", "sku: ", "thing:1"] {
        assert!(bad.parse::<Target>().is_err(), "{bad:?} was taken");
    }
}

#[test]
fn what_is_for_sale_is_what_would_grant_if_it_was_bought_now() {
    for test in databases() {
        let store = add_store(&test.db, "https://shop.example", None);
        let id = store.id;
        write(&test.db, move |tx| {
            teach(tx, id)?;
            store::forget_sale(tx, id, 27)?;
            store::forget_sale(tx, id, 20)?;
            let rate = Package { basis: Basis::PerCurrencyUnit(credits("3")), ..package("product:30", "1") };
            store::set_package(tx, id, &rate).unwrap();
            Ok(())
        });
        let offered = test.db.read(|tx| store::packages_for_sale(tx, id)).unwrap();
        let offered: Vec<_> = offered.iter().map(|one| (one.product_id, one.credits.to_string())).collect();
        // Not: 32 brings 0, 61 is a hat, 30 has a rate, 27 is in the trash, 20 is and so are its variations,
        // 25 is bought as one of its variations.
        let expected = [(26, "9"), (31, "5"), (60, "600"), (62, "1000")];
        assert_eq!(offered, expected.map(|(id, credits)| (id, credits.to_owned())), "{}", test.name);
    }
}

// Lookups ----------------------------------------------------------------------------------------------

async fn step(db: &Db, clients: &Clients) -> Progress {
    lookup::step(db, clients, None).await.unwrap()
}

fn want(db: &Db, store_id: i64, subject: Subject) {
    write(db, move |tx| store::want(tx, store_id, subject, "order 132 needs it"));
}

fn lookups(db: &Db, store_id: i64) -> Vec<store::Lookup> {
    db.read(|tx| store::lookups(tx, store_id, 100)).unwrap()
}

#[tokio::test]
async fn an_unknown_variation_in_a_child_category_settles_by_itself() {
    let clock = clock();
    let shop = FakeShop::start("", &clock).await;
    let mut pack = shop.state.lock().unwrap().things["products/19"].clone();
    pack["categories"] = json!([{"id": 17, "name": "Bundles", "slug": "bundles"}]);
    pack["meta_data"] = json!([{"id": 1, "key": "_nivella_credits", "value": "250"}]);
    shop.put("products/19", Some(pack));
    for test in databases() {
        let db = &test.db;
        let store = add_store(db, &shop.url.to_string(), Some(&shop));
        let clients = Clients::new(impatient(), clock.clone());
        let line = Line { product_id: 19, variation_id: 21, ..Line::default() };
        let mut asked = Vec::new();
        let worth = loop {
            let decision = db.read(|tx| store::judge(tx, &store, &line)).unwrap();
            if let Some(worth) = decision.worth() {
                break worth.clone();
            }
            let need = decision.gap().unwrap().needs.expect("the shop can tell");
            want(db, store.id, need.into());
            match step(db, &clients).await {
                Progress::Learned { store_id, subject } if store_id == store.id => asked.push(subject),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(worth.basis, Basis::PerUnit(credits("250")));
        assert_eq!(asked, [Subject::Product(19), Subject::Categories, Subject::Product(21)]);
        assert!(lookups(db, store.id).is_empty());
        assert!(matches!(step(db, &clients).await, Progress::Idle));
    }
}

#[tokio::test]
async fn an_order_is_read_with_its_refunds_and_crossed_off_by_whoever_applies_it() {
    let clock = clock();
    let shop = FakeShop::start("", &clock).await;
    for test in databases() {
        let db = &test.db;
        let store = add_store(db, &shop.url.to_string(), Some(&shop));
        let clients = Clients::new(impatient(), clock.clone());
        for (order, has_body, count) in [(133, true, 1), (132, true, 0), (99_999_999, false, 0)] {
            want(db, store.id, Subject::Order(order));
            let Progress::OrderRead { order_id, shown, claim, .. } = step(db, &clients).await else {
                panic!("order {order} was not read");
            };
            assert_eq!((order_id, shown.is_some()), (order, has_body));
            let refunds: Vec<serde_json::Value> =
                shown.map_or(Vec::new(), |shown| serde_json::from_slice(&shown.refunds).unwrap());
            assert_eq!(refunds.len(), count);
            assert_eq!(lookups(db, store.id).len(), 1, "it waits to be applied");
            write(db, move |tx| store::finish_lookup(tx, &claim));
            assert!(lookups(db, store.id).is_empty());
        }
        // Nobody crosses it off, as after a crash: it is read again.
        want(db, store.id, Subject::Order(133));
        assert!(matches!(step(db, &clients).await, Progress::OrderRead { .. }));
        assert!(matches!(step(db, &clients).await, Progress::Idle));
        test.clock.turn_to(test.clock.now().plus_millis(90_000));
        let Progress::OrderRead { claim, .. } = step(db, &clients).await else { panic!("it was forgotten") };
        // It is wished for again before the answer is applied: that answer may be too old.
        want(db, store.id, Subject::Order(133));
        write(db, move |tx| store::finish_lookup(tx, &claim));
        assert!(matches!(step(db, &clients).await, Progress::OrderRead { .. }));
    }
}

#[tokio::test]
async fn a_failing_lookup_is_put_off_longer_each_time() {
    let clock = clock();
    let shop = FakeShop::start("", &clock).await;
    let test = sqlite();
    let db = &test.db;
    let store = add_store(db, &shop.url.to_string(), Some(&shop));
    let clients = Clients::new(impatient(), clock.clone());
    want(db, store.id, Subject::Product(10));
    let mut pauses = Vec::new();
    for _ in 0..12 {
        shop.script(401, &[], recorded("rest/401-wrong-key.body"));
        assert!(matches!(step(db, &clients).await, Progress::Failed { .. }));
        // Wished for again, it keeps its pause: a shop that is down is not asked for each order.
        want(db, store.id, Subject::Product(10));
        let waiting = &lookups(db, store.id)[0];
        assert!(waiting.last_error.as_ref().unwrap().contains("the consumer key is wrong"));
        pauses.push((waiting.due_at.millis() - test.clock.now().millis()) / 1000);
        assert!(matches!(step(db, &clients).await, Progress::Idle));
        test.clock.turn_to(waiting.due_at);
    }
    assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]);

    // As long as the shop asks for.
    shop.script(503, &[("retry-after", "7200")], "");
    assert!(matches!(step(db, &clients).await, Progress::Failed { .. }));
    assert_eq!(lookups(db, store.id)[0].due_at, test.clock.now().plus_millis(7_200_000));

    // New settings are tried at once.
    let settings = db.read(|tx| shop::store::settings(tx, store.id)).unwrap().unwrap();
    db.write_blocking("test", Keep::Effects, move |tx| shop::store::update(tx, store.id, &settings)).unwrap();
    assert!(matches!(step(db, &clients).await, Progress::Learned { .. }));
}

#[tokio::test]
async fn what_a_shop_lost_is_left_alone_for_a_day() {
    let clock = clock();
    let shop = FakeShop::start("", &clock).await;
    let test = sqlite();
    let store = add_store(&test.db, &shop.url.to_string(), Some(&shop));
    want(&test.db, store.id, Subject::Product(82));
    let clients = Clients::new(impatient(), clock.clone());
    assert!(matches!(step(&test.db, &clients).await, Progress::Failed { .. }));
    let waiting = &lookups(&test.db, store.id)[0];
    assert_eq!(waiting.last_error.as_deref(), Some("the shop has no product or variation 82"));
    assert!(waiting.is_gone() && waiting.asked_at == Some(test.clock.now()), "{waiting:?}");
    assert_eq!(waiting.due_at, test.clock.now().plus_millis(24 * 60 * 60 * 1000));

    // Unless a person wants it now: for the store as a whole, or for an order that needs it.
    let id = store.id;
    assert_eq!(write(&test.db, move |tx| store::hasten(tx, id, Some(7))), 0, "order 7 has no such line");
    assert_eq!(write(&test.db, move |tx| store::hasten(tx, id, None)), 1);
    assert_eq!(lookups(&test.db, id)[0].due_at, test.clock.now());
    assert!(matches!(step(&test.db, &clients).await, Progress::Failed { .. }));
}

#[tokio::test]
async fn a_store_without_keys_is_never_asked_and_holds_up_nobody() {
    let clock = clock();
    let shop = FakeShop::start("", &clock).await;
    for test in databases() {
        let db = &test.db;
        let mute = add_store(db, "https://shop.example", None);
        want(db, mute.id, Subject::Product(10));
        let clients = Clients::new(impatient(), clock.clone());
        assert!(matches!(step(db, &clients).await, Progress::Idle));
        assert_eq!(db.read(|tx| store::next_lookup(tx, None)).unwrap(), None);

        let other = add_store_named("other", db, &shop.url.to_string(), Some(&shop));
        want(db, other.id, Subject::Product(10));
        assert!(
            matches!(step(db, &clients).await, Progress::Learned { store_id, .. } if store_id == other.id)
        );
        assert_eq!((lookups(db, mute.id).len(), lookups(db, other.id).len()), (1, 0));
    }
}

// Sync -------------------------------------------------------------------------------------------------

#[tokio::test]
async fn sync_learns_the_tokens_products_and_names_what_is_missing() {
    let clock = clock();
    let shop = FakeShop::start("", &clock).await;
    for test in databases() {
        let db = &test.db;
        let store = add_store(db, &shop.url.to_string(), Some(&shop));
        let set = package("product:10", "1000");
        write(db, move |tx| {
            store::set_package(tx, store.id, &set).unwrap();
            Ok(())
        });
        let rest = shop.rest();
        let mut steps = Vec::new();
        let dry = sync(&rest, db, &store, Keep::Nothing, |step| steps.push(step)).await.unwrap();
        assert_eq!((dry.categories, dry.products, dry.variations, dry.changed), (4, 9, 3, 12));
        let last = steps.last().unwrap();
        assert_eq!((last.read, last.total), (12, Some(12)));
        assert!(steps.is_sorted_by_key(|step| step.read));
        assert_eq!(db.read(|tx| store::product(tx, store.id, 10)).unwrap(), None, "a dry run learned");

        let real = sync(&rest, db, &store, Keep::Effects, |_| {}).await.unwrap();
        assert_eq!(real, dry);
        let without: BTreeSet<_> =
            real.without_credits.iter().map(|one| (one.product_id, one.variation_id)).collect();
        let expected =
            [(11, 0), (12, 0), (14, 0), (15, 0), (16, 0), (17, 0), (18, 0), (19, 20), (19, 21), (19, 22)];
        assert_eq!(without, BTreeSet::from(expected));
        let medium = db.read(|tx| store::product(tx, store.id, 21)).unwrap().unwrap();
        assert_eq!(medium, woo::product(&recorded("rest/product-variation-via-products.body")).unwrap());

        let again = sync(&rest, db, &store, Keep::Effects, |_| {}).await.unwrap();
        assert_eq!(again.changed, 0);
        let bundle = Line { product_id: 12, ..Line::default() };
        assert_eq!(shown(&db.read(|tx| store::judge(tx, &store, &bundle)).unwrap()), "unpriced");
    }
}

#[tokio::test]
async fn sync_says_when_there_is_no_tokens_category() {
    let shop = FakeShop::start("", &clock()).await;
    let test = sqlite();
    let store = add_store(&test.db, &shop.url.to_string(), Some(&shop));
    let wanted = |slugs: &[&str]| Store {
        tokens_categories: slugs.iter().map(|slug| (*slug).to_owned()).collect(),
        ..store.clone()
    };
    let rest = shop.rest();
    let error = sync(&rest, &test.db, &wanted(&["coins"]), Keep::Effects, |_| {}).await.unwrap_err();
    assert!(matches!(error, sync::Error::NoTokensCategory { .. }));
    assert_eq!(
        error.to_string(),
        "the shop has no category with the slug coins; its categories: apparel, bundles, tokens, uncategorized"
    );
    // A category below another Tokens category is not read twice.
    shop.asked();
    let report =
        sync(&rest, &test.db, &wanted(&["coins", "bundles", "tokens"]), Keep::Effects, |_| {}).await.unwrap();
    assert_eq!((report.products, report.missing_categories), (9, vec!["coins".to_owned()]));
    assert_eq!(shop.asked().iter().filter(|asked| asked.starts_with("products?")).count(), 1);
}
