//! Keys: what each may, new secrets, when they were used, and the website that a site's key is for.

use nivella_wallet::access::{self, Scope};
use nivella_wallet::app;
use nivella_wallet::db;
use nivella_wallet::id::KeyId;
use nivella_wallet::params;
use nivella_wallet::site::{Field, store as sites};
use nivella_wallet::time::{DAY_MS, HOUR_MS};
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{TestApp, write};
use crate::cli::Desk;
use crate::support::databases;

/// A key and its secret.
struct Key {
    id: KeyId,
    secret: String,
}

fn make(app: &TestApp, scopes: &[&str]) -> Key {
    let scopes: Vec<Scope> = scopes.iter().map(|scope| scope.parse().unwrap()).collect();
    write(app.db(), move |tx| {
        let (key, secret) = access::store::create(tx, "test", &scopes, None)?;
        Ok::<_, access::store::Error>(Key { id: key.id, secret: secret.reveal().to_owned() })
    })
}

fn rotate(app: &TestApp, id: &KeyId, overlap_ms: i64) -> String {
    let id = id.clone();
    write(app.db(), move |tx| {
        access::store::rotate(tx, &id, overlap_ms).map(|(_, secret)| secret.reveal().to_owned())
    })
}

/// Alice runs `shop` for client acme, Bob runs `farm`; both sites have credits.
async fn start() -> TestApp {
    let app = TestApp::start().await;
    write(app.db(), |tx| {
        for (account, site) in [("lab:customer:2", "shop"), ("lab:customer:3", "farm")] {
            let account = sites::open(tx, &account.parse().unwrap())?;
            let acme = Field::Set("acme".parse().unwrap());
            sites::assign(tx, &site.parse().unwrap(), &account, &acme, &Field::Keep)?;
        }
        Ok::<_, sites::Error>(())
    });
    for site in ["shop", "farm"] {
        let body = json!({ "wallet": format!("site:{site}"), "credits": "100", "reason": "r" });
        let given =
            app.request(Method::POST, "/v1/grants").header("Idempotency-Key", site).body(body.to_string());
        assert_eq!(given.send().await.unwrap().status(), 201);
    }
    app
}

/// A request with some key from some website; answers `status code`, and the body.
async fn ask(
    app: &TestApp,
    secret: &str,
    method: Method,
    path: &str,
    origin: &str,
    body: Value,
) -> (String, Value) {
    let mut request = app.http.request(method, app.url(path));
    if !secret.is_empty() {
        request = request.bearer_auth(secret);
    }
    if !origin.is_empty() {
        request = request.header("X-Site-Origin", origin);
    }
    if !body.is_null() {
        request = request.header("Idempotency-Key", format!("{path} {secret}")).body(body.to_string());
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default();
    (body["code"].as_str().map_or(status.to_string(), |code| format!("{status} {code}")), body)
}

async fn reads(app: &TestApp, secret: &str, origin: &str) -> String {
    ask(app, secret, Method::GET, "/v1/wallets/site:shop", origin, Value::Null).await.0
}

// What each may -------------------------------------------------------------------------------------

/// Every kind of key at every route that is not an administrator's alone.
#[tokio::test]
async fn each_scope_reads_and_spends_what_it_says() {
    let app = start().await;
    let debit = |site: &str| json!({ "site": site, "credits": "1" });
    let claim = json!({ "token": "x", "account": "lab:customer:2" });
    let routes: Vec<(Method, &str, Value)> = vec![
        (Method::GET, "/v1/wallets/me", Value::Null),
        (Method::GET, "/v1/wallets/site:shop", Value::Null),
        (Method::GET, "/v1/wallets/site:shop/feed", Value::Null),
        (Method::GET, "/v1/wallets/site:shop/activity", Value::Null),
        (Method::GET, "/v1/wallets/site:shop/usage", Value::Null),
        (Method::GET, "/v1/wallets/site:shop/grants", Value::Null),
        (Method::GET, "/v1/wallets/account:lab:customer:2", Value::Null),
        (Method::GET, "/v1/wallets/site:farm", Value::Null),
        (Method::GET, "/v1/wallets/account:lab:customer:3/feed", Value::Null),
        (Method::POST, "/v1/debits", debit("shop")),
        (Method::POST, "/v1/debits", debit("farm")),
        (Method::POST, "/v1/claims", claim),
        (Method::GET, "/v1/orders/lab/1", Value::Null),
        (Method::POST, "/v1/sites/shop/transfer", json!({ "to": "lab:customer:3" })),
        (Method::DELETE, "/v1/sites/shop/transfer", Value::Null),
        (Method::POST, "/v1/sites/farm/transfer/accept", json!({})),
        (Method::GET, "/v1/keys/key_01a1fa67730b778aa2ec748e9839efc7/origins", Value::Null),
    ];
    let (ok, made, no, not) = ("200", "201", "404 not_found", "403 forbidden");
    let table: [(&[&str], [&str; 17]); 11] = [
        (&[], ["401 unauthorized"; 17]),
        (
            &["admin"],
            [no, ok, ok, ok, ok, ok, ok, ok, ok, made, made, "422 invalid_request", no, made, ok, no, no],
        ),
        (&["debit"], [no, ok, ok, ok, ok, ok, ok, ok, ok, made, made, not, no, not, not, not, no]),
        (&["debit:site:shop"], [ok, ok, ok, ok, ok, ok, no, no, no, made, no, no, no, not, not, no, no]),
        (
            &["debit:account:lab:customer:2"],
            [ok, ok, ok, ok, ok, ok, ok, no, no, made, no, not, no, not, not, no, no],
        ),
        (
            &["account:lab:customer:2"],
            [ok, ok, ok, ok, ok, ok, ok, no, no, not, no, not, no, not, not, no, no],
        ),
        (
            &["client:lab:customer:2/acme"],
            [ok, ok, ok, ok, ok, ok, no, no, no, not, no, no, no, not, not, no, no],
        ),
        (&["site:shop"], [ok, ok, ok, ok, ok, ok, no, no, no, not, no, no, no, not, not, no, no]),
        (&["account:lab:customer:3"], [ok, no, no, no, no, no, no, ok, ok, no, not, no, no, no, no, not, no]),
        // Of several scopes each opens what it says.
        (
            &["site:shop", "debit:site:farm"],
            [ok, ok, ok, ok, ok, ok, no, ok, no, not, made, no, no, not, not, not, no],
        ),
        // Nobody has heard of that customer.
        (&["account:lab:customer:99"], [no; 17]),
    ];
    for (scopes, expected) in table {
        let secret = if scopes.is_empty() { String::new() } else { make(&app, scopes).secret };
        for ((method, path, body), expected) in routes.iter().zip(expected) {
            // A key of its own for each debit: two of them would be one.
            let once = format!("{scopes:?} {method} {path} {body}");
            let mut request = app.http.request(method.clone(), app.url(path)).header("Idempotency-Key", once);
            if !secret.is_empty() {
                request = request.bearer_auth(&secret);
            }
            if !body.is_null() {
                request = request.body(body.to_string());
            }
            let answer = request.send().await.unwrap();
            let status = answer.status().as_u16();
            let answered: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default();
            let brief =
                answered["code"].as_str().map_or(status.to_string(), |code| format!("{status} {code}"));
            assert_eq!(brief, expected, "{scopes:?}: {method} {path} {body}: {answered}");
        }
    }
}

// New secrets ---------------------------------------------------------------------------------------

#[tokio::test]
async fn a_request_that_is_sent_again_with_the_new_secret_has_no_second_effect() {
    let app = start().await;
    let key = make(&app, &["debit:site:shop"]);
    let debit = async |secret: &str, once: &str| {
        let answer = app
            .http
            .post(app.url("/v1/debits"))
            .bearer_auth(secret)
            .header("Idempotency-Key", once)
            .body(r#"{"site":"shop","credits":"3"}"#)
            .send()
            .await
            .unwrap();
        let replayed = answer.headers().contains_key("idempotent-replayed");
        let status = answer.status().as_u16();
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        (status, replayed, body["id"].clone(), body["detail"].as_str().unwrap_or_default().to_owned())
    };
    let first = debit(&key.secret, "a").await;
    assert_eq!((first.0, first.1), (201, false));
    let second = rotate(&app, &key.id, DAY_MS);
    let again = debit(&second, "a").await;
    assert_eq!((again.0, again.1, &again.2), (201, true, &first.2), "the same key, so the same debit");
    assert_eq!(debit(&key.secret, "b").await.0, 201, "the old secret works for a while");
    assert!(debit(&second, "b").await.1);
    assert_eq!(app.available("site:shop").await, "94");

    app.clock.turn_to(app.clock.now().plus_millis(DAY_MS));
    let late = debit(&key.secret, "c").await;
    assert_eq!((late.0, late.3.contains("new secret")), (401, true), "{late:?}");
    assert_eq!(debit(&second, "c").await.0, 201);

    // At once, and of two changes only the last secret but one is known.
    let third = rotate(&app, &key.id, 0);
    assert_eq!(debit(&second, "d").await.0, 401);
    let fourth = rotate(&app, &key.id, HOUR_MS);
    assert_eq!([debit(&third, "e").await.0, debit(&fourth, "f").await.0], [201, 201]);
    let id = key.id.clone();
    write(app.db(), move |tx| access::store::revoke(tx, &id));
    assert_eq!([debit(&third, "g").await.0, debit(&fourth, "h").await.0], [401, 401], "both are of the key");
}

#[test]
fn a_key_keeps_everything_but_its_secret() {
    for test in databases() {
        let end = test.clock.now().plus_millis(10 * DAY_MS);
        let scopes = vec!["site:shop".parse::<Scope>().unwrap()];
        let (made, first) = write(&test.db, move |tx| access::store::create(tx, "page", &scopes, Some(end)));
        let id = made.id.clone();
        let (rotated, second) = write(&test.db, move |tx| access::store::rotate(tx, &id, HOUR_MS));
        let now = test.clock.now();
        assert_eq!(rotated.old_secret_until, Some(now.plus_millis(HOUR_MS)));
        assert_eq!(
            rotated,
            access::store::Key {
                rotated_at: Some(now),
                old_secret_until: rotated.old_secret_until,
                ..made.clone()
            }
        );
        for secret in [&first, &second] {
            let found = test.db.read(|tx| access::store::authenticate(tx, &secret.hash())).unwrap();
            assert_eq!(found.unwrap().caller.key(), &made.id, "{}", test.name);
        }
        test.clock.turn_to(end);
        for secret in [&first, &second] {
            let found = test.db.read(|tx| access::store::authenticate(tx, &secret.hash())).unwrap();
            assert_eq!(found.unwrap_err(), access::store::Stranger::Expired, "the end of the key is the end");
        }
        let refused = |id: KeyId| {
            let done = test
                .db
                .write_blocking("test", db::Keep::Effects, move |tx| access::store::rotate(tx, &id, 0));
            done.map(drop).unwrap_err().to_string()
        };
        assert!(refused(made.id.clone()).contains("has expired"));
        assert!(refused(KeyId::new()).contains("there is no key"));
    }
}

// When they were used -------------------------------------------------------------------------------

#[tokio::test]
async fn the_hour_of_use_is_written_once_an_hour_and_never_by_a_request() {
    let app = start().await;
    let key = make(&app, &["site:shop"]);
    let used = || app.db().read(|tx| access::store::get(tx, &key.id)).unwrap().unwrap().used_at;
    let flush = async || app::write_uses(app.db(), &app.running.app.uses).await.unwrap();
    assert_eq!(used(), None);
    app.clock.turn_to("2026-11-20T18:20:00Z".parse().unwrap());
    assert_eq!(reads(&app, &key.secret, "").await, "200");
    flush().await;
    assert_eq!(used(), Some("2026-11-20T18:00:00Z".parse().unwrap()));
    // Taken away behind its back: in the same hour it is not written again.
    let forget = key.id.clone();
    write(app.db(), move |tx| {
        tx.execute("-- test\n UPDATE api_key SET used_at = NULL WHERE id = $1", params![&forget])
    });
    app.clock.turn_to("2026-11-20T18:59:59Z".parse().unwrap());
    assert_eq!(reads(&app, &key.secret, "").await, "200");
    flush().await;
    assert_eq!(used(), None);
    app.clock.turn_to("2026-11-20T19:00:00Z".parse().unwrap());
    assert_eq!(reads(&app, &key.secret, "").await, "200");
    flush().await;
    assert_eq!(used(), Some("2026-11-20T19:00:00Z".parse().unwrap()));
    // Nobody uses a key before it is made, whatever the hour says.
    let made_at = "2026-11-20T19:30:00Z".parse().unwrap();
    app.clock.turn_to(made_at);
    let young = make(&app, &["site:shop"]);
    assert_eq!(reads(&app, &young.secret, "").await, "200");
    flush().await;
    let young = app.db().read(|tx| access::store::get(tx, &young.id)).unwrap().unwrap();
    assert_eq!(young.used_at, Some(made_at));
}

// Websites ------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_sites_key_is_for_the_first_website_until_its_owner_says_otherwise() {
    let app = start().await;
    let key = make(&app, &["site:shop"]);
    let path = format!("/v1/keys/{}/origins", key.id);
    let known = async || {
        let (_, body) = ask(&app, &app.admin, Method::GET, &path, "", Value::Null).await;
        let mut known: Vec<String> = body["origins"]
            .as_array()
            .unwrap()
            .iter()
            .map(|seen| format!("{} {}", seen["origin"].as_str().unwrap(), seen["state"].as_str().unwrap()))
            .collect();
        known.sort();
        known
    };
    let say = async |body: Value| {
        let (status, body) = ask(&app, &app.admin, Method::PUT, &path, "", body).await;
        format!("{status} {}", body["change"].as_str().unwrap_or_default())
    };
    let (ok, no) = ("200", "409 site_mismatch");

    assert_eq!(reads(&app, &key.secret, "").await, ok, "who is no website is not bound");
    assert_eq!(known().await, [""; 0]);
    assert_eq!(reads(&app, &key.secret, "http://old.example").await, ok);
    assert_eq!(reads(&app, &key.secret, "https://OLD.example:443/").await, ok, "the same with a certificate");
    let (status, problem) =
        ask(&app, &key.secret, Method::GET, "/v1/wallets/me/feed", "https://new.example/", Value::Null).await;
    assert_eq!(status, no);
    assert_eq!(
        (&problem["bound_to"], &problem["origin"], &problem["key"]),
        (&json!("http://old.example"), &json!("https://new.example"), &json!(key.id.as_str()))
    );
    let command = format!("nivella-wallet key origin {} --moved https://new.example", key.id);
    assert!(problem["detail"].as_str().unwrap().contains(&command), "{problem}");
    assert_eq!(reads(&app, &key.secret, "").await, ok);
    assert_eq!(known().await, ["new.example refused", "old.example bound"]);

    assert_eq!(say(json!({ "copy": "https://test.example" })).await, "200 changed");
    assert_eq!(say(json!({ "copy": "https://old.example" })).await, "200 unchanged", "it is the original");
    assert_eq!(say(json!({ "moved": "https://new.example" })).await, "200 changed");
    assert_eq!(say(json!({ "moved": "http://NEW.example/" })).await, "200 unchanged");
    for (origin, expected) in [
        ("https://new.example", ok),
        ("https://test.example", ok),
        ("http://old.example", no),
        ("https://www.new.example", no),
    ] {
        assert_eq!(reads(&app, &key.secret, origin).await, expected, "{origin}");
    }
    assert_eq!(
        known().await,
        ["new.example bound", "old.example moved", "test.example copy", "www.new.example refused"]
    );
    // The binding is the key's, whatever its secret.
    let second = rotate(&app, &key.id, 0);
    assert_eq!(
        [reads(&app, &second, "http://old.example").await, reads(&app, &second, "http://new.example").await],
        [no, ok]
    );

    assert_eq!(say(json!({ "forget": "https://new.example" })).await, "200 changed");
    assert_eq!(reads(&app, &second, "http://old.example").await, ok, "the next one that asks");
    assert_eq!(reads(&app, &second, "http://new.example").await, no);
    for wrong in [
        json!({}),
        json!({ "moved": "x" }),
        json!({ "moved": "https://a", "copy": "https://b" }),
        json!({ "is": 1 }),
    ] {
        assert_eq!(say(wrong.clone()).await, "422 invalid_request ", "{wrong}");
    }
    for wrong in ["shop.example", "javascript:1"] {
        assert_eq!(reads(&app, &second, wrong).await, "422 invalid_request");
        assert_eq!(reads(&app, "nwk_0", wrong).await, "401 unauthorized", "a stranger learns nothing");
    }

    // Other keys are for people and programs, and go anywhere.
    for scopes in
        [&["account:lab:customer:2"][..], &["debit:site:shop"], &["site:shop", "account:lab:customer:2"]]
    {
        let other = make(&app, scopes);
        for origin in ["https://one.example", "https://two.example", "nonsense"] {
            assert_eq!(reads(&app, &other.secret, origin).await, ok, "{scopes:?}");
        }
        let path = format!("/v1/keys/{}/origins", other.id);
        assert_eq!(ask(&app, &app.admin, Method::GET, &path, "", Value::Null).await.0, "404 not_found");
    }
}

/// After the first request of a website nothing is written, and of those that are refused only a few.
#[tokio::test]
async fn reads_of_a_known_website_write_nothing() {
    let app = start().await;
    let key = make(&app, &["site:shop"]);
    assert_eq!(reads(&app, &key.secret, "https://one.example").await, "200");
    assert_eq!(reads(&app, &key.secret, "https://two.example").await, "409 site_mismatch");
    app::write_uses(app.db(), &app.running.app.uses).await.unwrap();
    // It counts what other connections have written, as seen by this thread's.
    let version = || {
        let read = |row: &db::Row<'_>| row.get::<i64>(0);
        app.db().read(|tx| tx.query_one("-- test\n PRAGMA data_version", params![], read)).unwrap()
    };
    let before = version();
    for _ in 0..20 {
        assert_eq!(reads(&app, &key.secret, "https://one.example").await, "200");
        assert_eq!(reads(&app, &key.secret, "https://two.example").await, "409 site_mismatch");
    }
    assert_eq!(version(), before);
    for number in 0..30 {
        assert_eq!(
            reads(&app, &key.secret, &format!("https://n{number}.example")).await,
            "409 site_mismatch"
        );
    }
    assert_ne!(version(), before, "that it would be seen");
    assert_eq!(app.count("key_origin"), 11, "the one, and the first ten that were refused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_websites_that_ask_first_at_once_one_is_it() {
    let app = start().await;
    let key = make(&app, &["site:shop"]);
    let origins: Vec<String> = (0..12).map(|number| format!("https://n{number}.example")).collect();
    let asked = origins.iter().map(|origin| reads(&app, &key.secret, origin));
    let answers = futures_util::future::join_all(asked).await;
    assert_eq!(answers.iter().filter(|answer| *answer == "200").count(), 1, "{answers:?}");
    assert_eq!(app.count("key_origin WHERE state = 'bound'"), 1);
}

// The command line ----------------------------------------------------------------------------------

#[test]
fn keys_and_sites_are_changed_from_the_command_line() {
    let desk = Desk::with_customers();
    let id = desk.json("key list")["items"][0]["id"].as_str().unwrap().to_owned();
    let before = desk.content();
    let tried = desk.json(&format!("key rotate {id} --dry-run"));
    assert_eq!((tried["key"].is_null(), desk.content() == before), (true, true), "{tried}");
    let rotated = desk.json(&format!("key rotate {id} --overlap 0"));
    assert!(rotated["key"].as_str().unwrap().starts_with("nwk_"), "{rotated}");
    assert!(!desk.content().contains(rotated["key"].as_str().unwrap()), "only its hash is kept");
    assert!(desk.ok(&format!("key rotate {id}")).contains("the old one works until"));
    assert!(desk.ok("key list").contains("its old secret until"));
    assert_eq!(desk.run(&format!("key rotate {id} --overlap 99d")).status, 2);

    assert!(desk.ok(&format!("key origin {id}")).contains("no website has asked"));
    let tried = desk.json(&format!("key origin {id} --moved https://a.example --dry-run"));
    assert_eq!(tried["origins"][0]["state"], "bound");
    assert_eq!(desk.json(&format!("key origin {id}"))["origins"], json!([]));
    desk.ok(&format!("key origin {id} --moved https://a.example"));
    let done = desk.json(&format!("key origin {id} --copy https://b.example/test/"));
    assert_eq!(
        (&done["change"], &done["origins"][1]["origin"]),
        (&json!("changed"), &json!("b.example/test"))
    );
    assert!(desk.ok(&format!("key origin {id}")).contains("a copy, may read"));
    assert_eq!(desk.run(&format!("key origin {id} --copy b.example")).status, 2);
    desk.ok("key create --scope admin --name boss");
    let boss = desk.json("key list")["items"][1]["id"].as_str().unwrap().to_owned();
    assert!(desk.run(&format!("key origin {boss}")).err.contains("not for one website"));
    desk.ok(&format!("key revoke {id}"));
    let refused = desk.run(&format!("key rotate {id}"));
    assert_eq!((refused.status, refused.err.contains("was revoked")), (1, true), "{refused:?}");

    // A site goes from one account to the other.
    let before = desk.content();
    let offered = desk.json("site transfer shop --to lab:email:bob@example.com --dry-run");
    assert_eq!(
        (&offered["change"], &offered["offer"]["to"]["name"]),
        (&json!("offered"), &json!("bob@example.com"))
    );
    assert_eq!(desk.content(), before);
    assert!(
        desk.ok("site transfer shop --to lab:email:bob@example.com")
            .contains("offered shop to bob@example.com")
    );
    assert!(desk.ok("site list").contains("bob@example.com"));
    assert!(desk.ok("site show shop").contains("Offered to"));
    assert_eq!(desk.json("site transfer shop --withdraw")["change"], "withdrawn");
    let refused = desk.run("site transfer shop --accept");
    assert_eq!(
        (refused.status, refused.err.contains("site transfer shop --to ACC")),
        (1, true),
        "{refused:?}"
    );
    assert_eq!(desk.run("site transfer shop").status, 2);
    assert_eq!(desk.run("site transfer shop --accept --withdraw").status, 2);
    desk.ok("site transfer shop --to lab:email:bob@example.com");
    let before = desk.content();
    assert_eq!(desk.json("site transfer shop --accept --dry-run")["credits"], "50.5");
    assert_eq!(desk.content(), before);
    assert!(desk.ok("site transfer shop --accept").contains("with the 50.5 credits that lay there"));
    assert_eq!(desk.json("site show shop")["account"]["name"], "bob@example.com");
    assert_eq!(desk.json("wallet show account:lab:email:bob@example.com")["available"], "50.5");
    desk.ok("verify");
}
