//! Shops: what is kept about them, and reading them over REST.

use std::time::{Duration, Instant};

use nivella_wallet::db;
use nivella_wallet::shop::rest::{Access, Error, OrderQuery, Patience, Rest};
use nivella_wallet::shop::store::{self, Settings};
use nivella_wallet::shop::{HookSecret, RestKeys, StoreName};
use nivella_wallet::site;
use nivella_wallet::time::Clock;
use serde_json::{Value, json};

use crate::fake_shop::{FakeShop, KEY, SECRET, impatient, nobody, tls_file};
use crate::support::databases;

fn clock() -> Clock {
    Clock::standing_at("2026-11-20T16:17:35Z".parse().unwrap())
}

fn json_of(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

/// All items of a list, and how many pages it took.
macro_rules! read_all {
    ($pages:expr) => {{
        let mut pages = $pages;
        let (mut items, mut count) = (Vec::new(), 0);
        while let Some(page) = pages.next().await.unwrap() {
            assert!(page.items.len() <= 100);
            items.extend(page.items.iter().map(|item| json_of(item.get().as_bytes())));
            count += 1;
        }
        (items, count)
    }};
}

#[tokio::test]
async fn a_shop_without_tls_is_asked_with_signed_requests() {
    for path in ["", "/shop", "/a/b"] {
        let shop = FakeShop::start(path, &clock()).await;
        let rest = shop.rest();
        assert_eq!(json_of(&rest.product(18).await.unwrap().unwrap())["sku"], "CREDITS-ÜNI-1");
        let order = json_of(&rest.order(133).await.unwrap().unwrap());
        assert_eq!(order["refunds"].as_array().unwrap().len(), 1);
        assert_eq!(json_of(&rest.refunds(133).await.unwrap().unwrap()).as_array().unwrap().len(), 1);
        assert_eq!(rest.refunds(132).await.unwrap().unwrap(), b"[]");
        // A query with characters that must be encoded is signed right too.
        let query = OrderQuery {
            modified_after: Some("2026-11-20T15:00:00Z".parse().unwrap()),
            status: Some("processing,completed".to_owned()),
        };
        assert!(!read_all!(rest.orders(&query)).0.is_empty());
        assert_eq!(
            shop.asked().last().unwrap(),
            "orders?dates_are_gmt=true&modified_after=2026-11-20T15%3A00%3A00&order=asc&orderby=modified&page=1\
             &per_page=100&status=processing%2Ccompleted"
        );
    }
}

#[tokio::test]
async fn a_shop_with_tls_is_asked_with_basic_authentication() {
    let shop = FakeShop::start_tls(&clock()).await;
    assert!(shop.rest().product(10).await.unwrap().is_some());

    let access = Access { ca_file: None, ..shop.access() };
    let error = Rest::new(access, impatient(), clock()).unwrap().product(10).await.unwrap_err();
    assert!(matches!(error, Error::Untrusted(_)), "{error:?}");
    assert!(error.to_string().contains("--ca-file"), "{error}");
}

#[test]
fn an_authority_that_cannot_be_used_is_named() {
    let access = |path: &str| Access {
        url: "https://127.0.0.1:1".parse().unwrap(),
        keys: RestKeys::new(KEY, SECRET).unwrap(),
        ca_file: Some(tls_file(path)),
    };
    for path in ["not-there.pem", "shop.key"] {
        let error = Rest::new(access(path), impatient(), clock()).unwrap_err();
        assert!(matches!(error, Error::Setup(_)) && error.to_string().contains(path), "{error}");
    }
}

#[tokio::test]
async fn what_is_gone_is_none_and_no_error() {
    let shop = FakeShop::start("", &clock()).await;
    let rest = shop.rest();
    assert!(rest.order(99_999_999).await.unwrap().is_none());
    assert!(rest.product(99_999_999).await.unwrap().is_none());
}

#[tokio::test]
async fn long_lists_are_read_a_page_at_a_time() {
    let shop = FakeShop::start("", &clock()).await;
    let template = shop.list("orders")[0].clone();
    let orders = (1..=250).map(|id| {
        let mut order = template.clone();
        order["id"] = json!(id);
        order
    });
    shop.put_list("orders", orders.collect());
    let rest = shop.rest();
    for says_pages in [true, false] {
        shop.state.lock().unwrap().says_pages = says_pages;
        let (orders, pages) = read_all!(rest.orders(&OrderQuery::default()));
        assert_eq!(pages, 3);
        let ids: Vec<i64> = orders.iter().map(|order| order["id"].as_i64().unwrap()).collect();
        assert_eq!(ids, (1..=250).collect::<Vec<i64>>());
        assert_eq!(shop.asked().len(), if says_pages { 3 } else { 4 });
    }
    shop.put_list("orders", Vec::new());
    assert_eq!(read_all!(rest.orders(&OrderQuery::default())).1, 0);
}

#[tokio::test]
async fn the_products_of_a_category_are_those_below_it_too() {
    let shop = FakeShop::start("", &clock()).await;
    let rest = shop.rest();
    let (products, _) = read_all!(rest.products_in_category(16));
    assert_eq!(products.len(), 9);
    assert!(products.iter().any(|product| product["id"] == 12), "12 is in the child category only");
    assert!(
        products.iter().all(|product| product.get("description").is_none()),
        "descriptions were asked for"
    );
    assert_eq!(read_all!(rest.variations_of(19)).0.len(), 3);
    assert_eq!(read_all!(rest.categories()).0.len(), 4);
}

#[tokio::test]
async fn a_passing_failure_is_asked_again() {
    let shop = FakeShop::start("", &clock()).await;
    shop.script(500, &[], "");
    shop.script(503, &[("retry-after", "0")], "<html>Briefly unavailable for scheduled maintenance</html>");
    shop.script(429, &[], "{}");
    assert!(shop.rest().product(10).await.unwrap().is_some());
    assert_eq!(shop.asked(), ["products/10"; 4]);
}

#[tokio::test]
async fn patience_has_an_end() {
    let shop = FakeShop::start("", &clock()).await;
    for _ in 0..4 {
        shop.script(502, &[], "");
    }
    assert!(matches!(shop.rest().product(10).await, Err(Error::Failed(502))));
    assert_eq!(shop.asked().len(), 4);
}

#[tokio::test]
async fn a_shop_that_asks_for_time_gets_it_within_reason() {
    let shop = FakeShop::start("", &clock()).await;
    shop.script(429, &[("retry-after", "1")], "");
    let start = Instant::now();
    assert!(shop.rest().product(10).await.unwrap().is_some());
    assert!(start.elapsed() >= Duration::from_secs(1));

    shop.asked();
    for asked in ["3600", "Fri, 20 Nov 2026 17:17:35 GMT"] {
        shop.script(503, &[("retry-after", asked)], "");
        let error = shop.rest().product(10).await.unwrap_err();
        assert_eq!(error.retry_after(), Some(Duration::from_hours(1)));
        assert_eq!(shop.asked().len(), 1, "an hour is not waited out");
    }
}

#[tokio::test]
async fn a_shop_that_does_not_answer_is_given_up() {
    let shop = FakeShop::start("", &clock()).await;
    let patience = Patience { whole: Duration::from_millis(50), retries: 1, ..impatient() };
    let rest = Rest::new(shop.access(), patience, clock()).unwrap();
    shop.hang();
    shop.hang();
    assert!(matches!(rest.product(10).await, Err(Error::Timeout(_))));
    assert_eq!(shop.asked().len(), 2);

    let access = Access { url: format!("http://{}", nobody().await).parse().unwrap(), ..shop.access() };
    let error = Rest::new(access, impatient(), clock()).unwrap().product(10).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable(_)), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("oauth"), "{error:?}");
}

type Headers<'a> = Vec<(&'static str, &'a str)>;

/// Each wrong answer, and the words a person gets to read about it.
#[tokio::test]
async fn each_wrong_answer_has_its_name_and_remedy() {
    let shop = FakeShop::start("/shop", &clock()).await;
    let rest = shop.rest();
    let recorded = |name: &str| crate::support::recorded(&format!("rest/{name}.body"));
    let html = [("content-type", "text/html; charset=UTF-8")];
    let elsewhere = "https://www.shop.example/shop/wp-json/wc/v3/products/10?oauth_signature=x";
    let cases: Vec<(u16, Headers<'_>, Vec<u8>, &str)> = vec![
        (
            301,
            vec![("location", elsewhere)],
            Vec::new(),
            "a redirect to https://www.shop.example/shop; set --url to it",
        ),
        (308, vec![("location", "/wp-json/wc/v3/products/10")], Vec::new(), "set --url to it"),
        (302, vec![], Vec::new(), "a redirect to nowhere"),
        (401, vec![], recorded("401-wrong-key"), "the consumer key is wrong or was revoked"),
        (401, vec![], recorded("401-wrong-secret"), "Consumer secret is invalid."),
        (401, html.to_vec(), b"<html>".to_vec(), "a password of its own"),
        (403, vec![], recorded("401-wrong-key"), "the role Administrator or Shop manager"),
        (404, html.to_vec(), b"<html>Not found".to_vec(), "any but \"Plain\""),
        (404, vec![], recorded("order-not-a-number"), "WooCommerce must be active"),
        (400, vec![], recorded("orders-per-page-101"), "Invalid parameter(s): per_page"),
        (418, html.to_vec(), b"teapot".to_vec(), "text/html (status 418)"),
        (200, html.to_vec(), b"<html>Please stand by".to_vec(), "text/html instead of JSON"),
        (200, vec![], b"<b>Warning</b>: foo in bar.php{\"id\":10}".to_vec(), "PHP warnings before the data"),
        (200, vec![], b"{\"id\":10".to_vec(), "JSON"),
        (200, vec![], vec![b' '; 16 * 1024 * 1024 + 1], "larger than 16 MiB"),
    ];
    for (status, headers, body, words) in cases {
        shop.asked();
        shop.script(status, &headers, body);
        let error = rest.product(10).await.unwrap_err();
        assert!(error.to_string().contains(words), "{status}: {error}");
        assert!(!format!("{error:?}{error}").contains("oauth_"), "{error:?}");
        assert_eq!(shop.asked().len(), 1, "{error} was asked again");
    }
    // A byte order mark that some plugin left is no reason to fail.
    shop.script(200, &[], b"\xef\xbb\xbf{\"id\":10}".to_vec());
    assert_eq!(json_of(&rest.product(10).await.unwrap().unwrap()), json!({"id": 10}));
    shop.script(200, &[], "{}");
    let error = rest.orders(&OrderQuery::default()).next().await.unwrap_err();
    assert!(matches!(error, Error::Unreadable(_)), "{error}");
}

#[tokio::test]
async fn wrong_keys_are_told_apart() {
    let stranger = format!("{KEY}0");
    for tls in [false, true] {
        let shop =
            if tls { FakeShop::start_tls(&clock()).await } else { FakeShop::start("", &clock()).await };
        let ask = async |key: &str, secret: &str| {
            let access = Access { keys: RestKeys::new(key, secret).unwrap(), ..shop.access() };
            Rest::new(access, impatient(), clock()).unwrap().product(10).await.unwrap_err()
        };
        let error = ask(&stranger, SECRET).await;
        assert!(matches!(error, Error::Stranger { https } if https == tls), "{error:?}");
        let error = ask(KEY, "cs_wrong").await;
        assert!(matches!(error, Error::WrongSecret(_)), "{error:?}");
    }
}

fn settings() -> Settings {
    let secret: HookSecret = "a-webhook-secret-of-some-length".parse().unwrap();
    Settings::new("https://shop.example/".parse().unwrap(), secret)
}

#[test]
fn a_store_is_kept_as_it_was_added_and_changed() {
    for test in databases() {
        let name: StoreName = "lab".parse().unwrap();
        let run = |work: fn(&mut db::Tx<'_>, &StoreName) -> Result<(), store::Error>| {
            let name = name.clone();
            test.db.write_blocking("test", db::Keep::Effects, move |tx| work(tx, &name)).unwrap();
        };
        run(|tx, name| {
            let added = store::add(tx, name, &settings())?;
            assert_eq!(added.url.to_string(), "https://shop.example");
            assert_eq!(added.tokens_categories, ["tokens"]);
            assert_eq!(added.paid_statuses, ["processing", "completed"]);
            assert_eq!(added.site_keys, ["_nivella_site_id", "site_id", "_site_id"]);
            assert!(!added.has_rest_keys);
            assert_eq!(store::find(tx, name)?.unwrap(), added);
            assert_eq!(store::by_id(tx, added.id)?.unwrap(), added);
            assert_eq!(store::list(tx)?, std::slice::from_ref(&added));
            assert!(store::access(tx, added.id)?.is_none());
            let again = store::add(tx, name, &settings()).unwrap_err();
            assert!(again.to_string().contains("a store named lab is there already"), "{again}");
            Ok(())
        });
        run(|tx, name| {
            let store = store::find(tx, name)?.unwrap();
            let mut changed = store::settings(tx, store.id)?.unwrap();
            changed.webhook_secret = "another-secret-with-an-&amp;-in-it".parse().unwrap();
            changed.rest_keys = Some(RestKeys::new(KEY, SECRET).unwrap());
            changed.tokens_categories =
                vec!["Tokens".to_owned(), "%C3%BCber".to_owned(), "tokens".to_owned()];
            changed.paid_statuses = vec!["wc-Completed".to_owned()];
            changed.site_keys = vec!["Site ID".to_owned()];
            changed.ca_file = Some("/etc/ssl/shop.pem".into());
            let store = store::update(tx, store.id, &changed)?;
            assert_eq!(store.tokens_categories, ["tokens", "über"]);
            assert_eq!(store.paid_statuses, ["completed"]);
            assert_eq!(store.site_keys, ["site_id"]);
            assert!(store.has_rest_keys);
            let access = store::access(tx, store.id)?.unwrap();
            assert_eq!(access.keys, RestKeys::new(KEY, SECRET).unwrap());
            let (found, secrets) = store::find_with_secrets(tx, name)?.unwrap();
            assert_eq!(found, store);
            let key = secrets.today.signing_key();
            assert_eq!(secrecy::ExposeSecret::expose_secret(&key), "another-secret-with-an-&-in-it");
            // Nothing that is printed shows a secret.
            let printed = format!(
                "{store:?}{changed:?}{access:?}{secrets:?}{}",
                serde_json::to_string(&store).unwrap()
            );
            for secret in [KEY, SECRET, "another-secret"] {
                assert!(!printed.contains(secret), "{printed}");
            }
            changed.paid_statuses = vec![" ".to_owned()];
            assert!(matches!(store::update(tx, store.id, &changed), Err(store::Error::EmptyList(_))));
            assert!(matches!(store::update(tx, 999, &settings()), Err(store::Error::Unknown(_))));
            Ok(())
        });
        run(|tx, name| {
            site::store::open(tx, &"lab:customer:7".parse().unwrap()).unwrap();
            let refused = store::remove(tx, name).unwrap_err().to_string();
            assert!(
                refused.contains("customers: 1") && refused.contains("disable its webhooks"),
                "{refused}"
            );
            tx.execute("-- test\nDELETE FROM customer", &[])?;
            store::remove(tx, name)?;
            assert!(store::find(tx, name)?.is_none());
            assert!(matches!(store::remove(tx, name), Err(store::Error::Unknown(_))));
            Ok(())
        });
        println!("{}", test.name);
    }
}
