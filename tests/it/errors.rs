//! Wrong input of every kind over HTTP, and its named error: a table.
//!
//! Wrong settings are in `config.rs`, wrong commands and their exit statuses in `cli.rs`, wrong debits in
//! `debits.rs`, deliveries that are signed and make no sense in `webhooks.rs`.

use std::collections::BTreeSet;

use nivella_wallet::config::Bounded;
use nivella_wallet::http::problem::Code;
use nivella_wallet::inbox::signature;
use nivella_wallet::params;
use reqwest::{Method, Response};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::app::{SECRET, TestApp, key, scenario, write};
use crate::openapi;

/// Whose key a request carries.
#[derive(Clone, Copy, Debug)]
enum Who {
    Nobody,
    Admin,
    /// Reads `site-123` and nothing else.
    Reader,
}
use Who::{Admin, Nobody, Reader};

/// Each row: who asks what, and what the answer must be: its status, its code, and where in the request it
/// points (`-` for nowhere).
const WRONG: &[(Who, &str, &str, &str, u16, &str, &str)] = &[
    // Addresses and methods.
    (Nobody, "GET", "/", "", 404, "not_found", "-"),
    (Nobody, "GET", "/v1", "", 404, "not_found", "-"),
    (Admin, "GET", "/v1/nothing", "", 404, "not_found", "-"),
    (Admin, "GET", "/v2/debits", "", 404, "not_found", "-"),
    (Nobody, "GET", "/v1//debits", "", 404, "not_found", "-"),
    (Nobody, "GET", "/docs/errors/nothing", "", 404, "not_found", "-"),
    (Nobody, "POST", "/webhooks/woocommerce/", "", 404, "not_found", "-"),
    (Nobody, "POST", "/webhooks/woocommerce/lab/more", "", 404, "not_found", "-"),
    (Nobody, "POST", "/webhooks/shopify/lab", "", 404, "not_found", "-"),
    (Nobody, "GET", "/webhooks/woocommerce/lab", "", 405, "method_not_allowed", "-"),
    (Admin, "GET", "/v1/claims", "", 405, "method_not_allowed", "-"),
    (Nobody, "POST", "/v1/claims", "{}", 401, "unauthorized", "-"),
    (Reader, "POST", "/v1/claims", r#"{"token":"x","account":"lab:customer:2"}"#, 404, "not_found", "-"),
    (
        Admin,
        "POST",
        "/v1/claims",
        r#"{"token":"x","account":"lab:customer:2"}"#,
        422,
        "invalid_request",
        "/token",
    ),
    // Pairing, where a code is all the proof there is.
    (Nobody, "POST", "/v1/pairing", r#"{"token":"nwp_x"}"#, 422, "invalid_request", "/token"),
    (
        Nobody,
        "POST",
        "/v1/pairing",
        r#"{"token":"nwp_Zm9yIHRoZSBkb2N1bWVudCBvbmx5LCBvcGVucyBub3Q"}"#,
        410,
        "pairing_ended",
        "-",
    ),
    (Nobody, "DELETE", "/v1/pairing", "", 401, "unauthorized", "-"),
    (Admin, "DELETE", "/v1/pairing", "", 404, "not_found", "-"),
    (Admin, "GET", "/v1/stores/nobody", "", 404, "not_found", "-"),
    (Reader, "GET", "/v1/stores/lab", "", 404, "not_found", "-"),
    (Nobody, "PUT", "/webhooks/woocommerce/lab", "", 405, "method_not_allowed", "-"),
    (Admin, "GET", "/v1/debits", "", 405, "method_not_allowed", "-"),
    (Admin, "DELETE", "/v1/wallets/site:site-123", "", 405, "method_not_allowed", "-"),
    (Admin, "POST", "/v1/wallets/site:site-123/feed", "{}", 405, "method_not_allowed", "-"),
    (Nobody, "POST", "/healthz", "", 405, "method_not_allowed", "-"),
    // Strangers: before anything else about the request is looked at.
    (Nobody, "GET", "/v1/wallets/site:site-123", "", 401, "unauthorized", "-"),
    (Nobody, "GET", "/v1/wallets/%20", "", 401, "unauthorized", "-"),
    (Nobody, "GET", "/v1/wallets/me/feed?nothing=1", "", 401, "unauthorized", "-"),
    (Nobody, "GET", "/v1/wallets/me/activity?limit=0", "", 401, "unauthorized", "-"),
    (Nobody, "POST", "/v1/debits", "{", 401, "unauthorized", "-"),
    (Nobody, "POST", "/webhooks/woocommerce/lab", "{}", 401, "unauthorized", "-"),
    (Nobody, "POST", "/webhooks/woocommerce/nobody", "{}", 401, "unauthorized", "-"),
    (Nobody, "POST", "/webhooks/woocommerce/%ff", "{}", 404, "not_found", "-"),
    (Nobody, "POST", "/webhooks/woocommerce/lab", "webhook_id=x", 401, "unauthorized", "-"),
    (Nobody, "POST", "/webhooks/woocommerce/lab", "webhook_id=1&a=b", 401, "unauthorized", "-"),
    // Wallets that are not there, for this key or at all.
    (Admin, "GET", "/v1/wallets/site:nowhere", "", 404, "not_found", "-"),
    (Admin, "GET", "/v1/wallets/site:a%20b", "", 404, "not_found", "-"),
    (Admin, "GET", "/v1/wallets/site:", "", 404, "not_found", "-"),
    (Admin, "GET", "/v1/wallets/site-123", "", 404, "not_found", "-"),
    (Admin, "GET", "/v1/wallets/%ff", "", 404, "not_found", "-"),
    (Admin, "GET", "/v1/wallets/me", "", 404, "not_found", "-"),
    (Admin, "GET", "/v1/wallets/account:acc_1", "", 404, "not_found", "-"),
    (Admin, "GET", "/v1/wallets/account:lab:customer:0", "", 404, "not_found", "-"),
    (Admin, "GET", "/v1/wallets/account:lab:customer:99999999999999999999", "", 404, "not_found", "-"),
    (Admin, "GET", "/v1/wallets/account:nobody:customer:2", "", 404, "not_found", "-"),
    (Admin, "GET", "/v1/wallets/account:lab:customer:77/feed?nothing=1", "", 404, "not_found", "-"),
    (Reader, "GET", "/v1/wallets/account:lab:customer:2", "", 404, "not_found", "-"),
    (Reader, "GET", "/v1/wallets/site:site-456/usage?by=hour", "", 404, "not_found", "-"),
    // Queries.
    (Admin, "GET", "/v1/wallets/site:site-123?nothing=1", "", 422, "invalid_request", "/query/nothing"),
    (Reader, "GET", "/v1/wallets/me/feed?nothing=1", "", 422, "invalid_request", "/query/nothing"),
    (Admin, "GET", "/v1/wallets/site:site-123/activity?limit=0", "", 422, "invalid_request", "/query/limit"),
    (
        Admin,
        "GET",
        "/v1/wallets/site:site-123/activity?limit=201",
        "",
        422,
        "invalid_request",
        "/query/limit",
    ),
    (Admin, "GET", "/v1/wallets/site:site-123/activity?limit=-1", "", 422, "invalid_request", "/query/limit"),
    (
        Admin,
        "GET",
        "/v1/wallets/site:site-123/activity?limit=1e2",
        "",
        422,
        "invalid_request",
        "/query/limit",
    ),
    (
        Admin,
        "GET",
        "/v1/wallets/site:site-123/activity?limit=5&limit=6",
        "",
        422,
        "invalid_request",
        "/query/limit",
    ),
    (
        Admin,
        "GET",
        "/v1/wallets/site:site-123/activity?limits=5",
        "",
        422,
        "invalid_request",
        "/query/limits",
    ),
    (
        Admin,
        "GET",
        "/v1/wallets/site:site-123/activity?cursor=x",
        "",
        422,
        "invalid_request",
        "/query/cursor",
    ),
    (
        Admin,
        "GET",
        "/v1/wallets/site:site-123/activity?cursor=%ff%00",
        "",
        422,
        "invalid_request",
        "/query/cursor",
    ),
    (
        Admin,
        "GET",
        "/v1/wallets/site:site-123/activity?kind=sales",
        "",
        422,
        "invalid_request",
        "/query/kind",
    ),
    (
        Admin,
        "GET",
        "/v1/wallets/site:site-123/activity?kind=Usage",
        "",
        422,
        "invalid_request",
        "/query/kind",
    ),
    (
        Admin,
        "GET",
        "/v1/wallets/site:site-123/activity?site=a%20b",
        "",
        422,
        "invalid_request",
        "/query/site",
    ),
    (
        Admin,
        "GET",
        "/v1/wallets/site:site-123/activity?from=yesterday",
        "",
        422,
        "invalid_request",
        "/query/from",
    ),
    (
        Admin,
        "GET",
        "/v1/wallets/site:site-123/activity?to=2026-13-01",
        "",
        422,
        "invalid_request",
        "/query/to",
    ),
    (
        Admin,
        "GET",
        "/v1/wallets/site:site-123/activity?to=2026-11-20T16:00:00",
        "",
        422,
        "invalid_request",
        "/query/to",
    ),
    (Admin, "GET", "/v1/wallets/site:site-123/usage?by=hour", "", 422, "invalid_request", "/query/by"),
    (
        Admin,
        "GET",
        "/v1/wallets/site:site-123/usage?group=client",
        "",
        422,
        "invalid_request",
        "/query/group",
    ),
    (
        Admin,
        "GET",
        "/v1/wallets/site:site-123/usage?from=2026-11-20&to=2026-11-19",
        "",
        422,
        "invalid_request",
        "/query/to",
    ),
    (Admin, "GET", "/v1/wallets/site:site-123/usage?limit=5", "", 422, "invalid_request", "/query/limit"),
    (
        Admin,
        "GET",
        "/v1/wallets/site:site-123/grants?status=lost",
        "",
        422,
        "invalid_request",
        "/query/status",
    ),
    (
        Admin,
        "GET",
        "/v1/wallets/site:site-123/grants?cursor=gr_1",
        "",
        422,
        "invalid_request",
        "/query/cursor",
    ),
    (Admin, "GET", "/v1/wallets/site:site-123/grants?limit=x", "", 422, "invalid_request", "/query/limit"),
    (Admin, "GET", "/v1/wallets/site:site-123/grants?a~b/c=1", "", 422, "invalid_request", "/query/a~0b~1c"),
    // Debits; debits.rs has them all.
    (Reader, "POST", "/v1/debits", r#"{"site":"site-123","credits":"1"}"#, 403, "forbidden", "-"),
    (Reader, "POST", "/v1/debits", r#"{"site":"site-456","credits":"1"}"#, 404, "not_found", "-"),
    (Admin, "POST", "/v1/debits", "", 422, "invalid_request", ""),
    (Admin, "POST", "/v1/debits", "site=site-123&credits=1", 422, "invalid_request", ""),
    (Admin, "POST", "/v1/debits", r#"{"site":"a b","credits":"1"}"#, 422, "invalid_request", "/site"),
    (Admin, "POST", "/v1/debits", r#"{"site":"site-123","credits":1}"#, 422, "invalid_request", "/credits"),
    (Admin, "POST", "/v1/debits", r#"{"site":"site-123","credits":"0"}"#, 422, "invalid_request", "/credits"),
    (
        Admin,
        "POST",
        "/v1/debits",
        r#"{"site":"site-123","credits":"-1"}"#,
        422,
        "invalid_request",
        "/credits",
    ),
    (
        Admin,
        "POST",
        "/v1/debits",
        r#"{"site":"site-123","credits":"1e3"}"#,
        422,
        "invalid_request",
        "/credits",
    ),
    (
        Admin,
        "POST",
        "/v1/debits",
        r#"{"site":"site-123","credits":"1.0000001"}"#,
        422,
        "invalid_request",
        "/credits",
    ),
    (
        Admin,
        "POST",
        "/v1/debits",
        r#"{"site":"site-123","action":"chat","quantity":1}"#,
        422,
        "unknown_action",
        "-",
    ),
    (
        Admin,
        "POST",
        "/v1/debits",
        r#"{"site":"site-123","credits":"1000000"}"#,
        402,
        "insufficient_credits",
        "-",
    ),
];

/// Like [`WRONG`], once the account is frozen.
const WRONG_WHEN_FROZEN: &[(Who, &str, &str, &str, u16, &str, &str)] = &[
    (Admin, "POST", "/v1/debits", r#"{"site":"site-123","credits":"1"}"#, 423, "frozen", "-"),
    (Admin, "POST", "/v1/debits", r#"{"site":"site-123","credits":"0"}"#, 422, "invalid_request", "/credits"),
];

/// A daemon that has taken a recorded order for `site-123` and one for `site-456`.
async fn app() -> TestApp {
    let app = TestApp::start().await;
    for delivery in scenario("12-line-meta-site-id").iter().take(3) {
        app.replay(delivery).await;
    }
    assert_ne!(app.available("site:site-123").await, "0");
    app
}

#[tokio::test]
async fn every_wrong_request_gets_its_named_error() {
    let app = app().await;
    let reader = key(app.db(), "site:site-123");
    let entries = app.count("entry");
    let mut seen = BTreeSet::new();
    for (index, row) in WRONG.iter().chain(WRONG_WHEN_FROZEN).enumerate() {
        if index == WRONG.len() {
            write(app.db(), |tx| tx.execute("-- test\n UPDATE account SET frozen_reason = 'x'", params![]));
        }
        let (who, method, path, body, status, code, pointer) = *row;
        let mut request = app.http.request(method.parse::<Method>().unwrap(), app.url(path)).body(body);
        request = match who {
            Nobody => request,
            Admin => request.bearer_auth(&app.admin),
            Reader => request.bearer_auth(&reader),
        };
        let answer = request.header("Idempotency-Key", format!("k{index}")).send().await.unwrap();
        if status == 405 {
            assert!(answer.headers().contains_key("allow"), "{method} {path} names no method that would do");
        }
        let problem = problem(answer, &format!("{who:?} {method} {path} {body}")).await;
        let found = (problem["status"].as_u64(), problem["code"].as_str());
        assert_eq!(found, (Some(status.into()), Some(code)), "{who:?} {method} {path} {body}: {problem}");
        let pointed = problem["errors"][0]["pointer"].as_str().unwrap_or("-");
        assert_eq!(pointed, pointer, "{who:?} {method} {path} {body}: {problem}");
        seen.insert(code);
        if let Some(documented) = openapi::codes(method, path) {
            assert!(
                documented.contains(code),
                "the document does not say that {method} {path} answers {code}"
            );
        }
    }
    assert_eq!(app.count("entry"), entries, "a wrong request was booked");
    assert_eq!(app.count("idempotency"), 0, "a refused request left a trace");

    // Codes of things that come later, and those the next tests provoke.
    let elsewhere = [
        "bad_request",
        "request_timeout",
        "payload_too_large",
        "idempotency_mismatch",
        "internal_error",
        "try_again",
        "limit_reached",
        "in_progress",
        "holds_open",
        "hold_closed",
        "already_reversed",
        "site_mismatch",
        "already_claimed",
        "claim_expired",
        "paused_for_safety",
        "rate_limited",
        "store_elsewhere",
    ];
    let all: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(seen.into_iter().chain(elsewhere).collect::<BTreeSet<_>>(), all);
}

/// Checks that an answer is a whole problem document; answers it.
async fn problem(answer: Response, what: &str) -> Value {
    let status = answer.status().as_u16();
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    let text = answer.text().await.unwrap();
    check_problem(status, &kind, &text, what)
}

fn check_problem(status: u16, kind: &str, text: &str, what: &str) -> Value {
    assert_eq!(kind, "application/problem+json", "{what}: {status} {text}");
    let problem: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{what}: {error}: {text}"));
    assert_eq!(problem["status"], status, "{what}");
    let code = problem["code"].as_str().unwrap_or_default();
    assert!(Code::ALL.iter().any(|known| known.as_str() == code), "{what}: {code:?} is no code");
    assert!(
        problem["type"].as_str().is_some_and(|kind| kind.ends_with(&format!("/{code}"))),
        "{what}: {text}"
    );
    for member in ["title", "detail"] {
        assert!(
            problem[member].as_str().is_some_and(|text| !text.is_empty()),
            "{what} has no {member}: {text}"
        );
    }
    for word in ["sqlite", "select ", "rusqlite", "panicked", SECRET] {
        assert!(!text.to_lowercase().contains(word), "{what} tells a stranger of {word:?}: {text}");
    }
    problem
}

/// What the `type` of a problem names can be read on the daemon that answered.
#[tokio::test]
async fn every_problem_type_leads_to_its_explanation() {
    let app = TestApp::start().await;
    for code in Code::ALL {
        let answer = app.http.get(app.url(&code.uri())).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{code}");
        assert!(answer.text().await.unwrap().contains(code.title()), "{code}");
    }
}

#[tokio::test]
async fn what_is_no_api_key_is_refused_whatever_it_looks_like() {
    let app = TestApp::start().await;
    let good = app.admin.clone();
    for value in [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        good.clone(),
        format!("Basic {good}"),
        format!("Bearer {}", good.to_uppercase()),
        format!("Bearer {}", &good[..good.len() - 1]),
        format!("Bearer {good}0"),
        format!("Bearer {good} {good}"),
        format!("Bearer nwk_{}", "0".repeat(64)),
        format!("Bearer {}", "x".repeat(4000)),
        "Bearer \u{fc}".to_owned(),
    ] {
        let answer =
            app.http.get(app.url("/v1/wallets/me")).header("Authorization", &value).send().await.unwrap();
        assert_eq!(answer.headers()["www-authenticate"], "Bearer");
        assert_eq!(problem(answer, &value).await["code"], "unauthorized", "{value:?}");
    }
    let twice = app.request(Method::GET, "/v1/wallets/me").bearer_auth(&good).send().await.unwrap();
    assert_eq!(problem(twice, "two keys").await["code"], "unauthorized");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_and_leaves_nothing() {
    let app = TestApp::start().await;
    let body = vec![b' '; 256 * 1024 + 1];
    let answer = app
        .request(Method::POST, "/v1/debits")
        .header("Idempotency-Key", "k")
        .body(body.clone())
        .send()
        .await;
    assert_eq!(
        problem(answer.unwrap(), "a debit of 256 KiB and one byte").await["code"],
        "payload_too_large"
    );

    // The largest body there may be is read, and refused for what it says.
    let mut padded = br#"{"site":"nowhere","credits":"1"}"#.to_vec();
    padded.resize(256 * 1024, b' ');
    let answer =
        app.request(Method::POST, "/v1/debits").header("Idempotency-Key", "k").body(padded).send().await;
    assert_eq!(problem(answer.unwrap(), "a debit of 256 KiB").await["code"], "not_found");

    // A delivery whose length nobody announced.
    let head = "POST /webhooks/woocommerce/lab HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut raw = head.as_bytes().to_vec();
    for _ in 0..3 {
        raw.extend_from_slice(b"100000\r\n");
        raw.extend(std::iter::repeat_n(b' ', 0x10_0000));
        raw.extend_from_slice(b"\r\n");
    }
    let (status, kind, body) = talk(&app, &raw).await;
    assert_eq!(check_problem(status, &kind, &body, "3 MiB in chunks")["code"], "payload_too_large");
    assert_eq!((app.count("delivery"), app.count("idempotency")), (0, 0));
}

/// What cannot be read as HTTP is told so, and the next customer is served. A broken head is answered by the
/// HTTP library itself, which has no words beside the status.
#[tokio::test]
async fn broken_http_is_a_bad_request() {
    let app = TestApp::start().await;
    for raw in [
        "nonsense\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost x\r\n\r\n",
        "POST /v1/debits HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        "POST /v1/debits HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST /webhooks/woocommerce/lab HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    ] {
        let (status, _, body) = talk(&app, raw.as_bytes()).await;
        assert_eq!((status, body.as_str()), (400, ""), "{raw:?}");
    }
    let chunks = "POST /webhooks/woocommerce/lab HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nnothex\r\n\r\n";
    let (status, kind, body) = talk(&app, chunks.as_bytes()).await;
    assert_eq!(check_problem(status, &kind, &body, "broken chunks")["code"], "bad_request");
    assert_eq!(app.http.get(app.url("/healthz")).send().await.unwrap().status(), 200);
    assert_eq!(app.count("delivery"), 0);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_a_timeout() {
    let app = TestApp::start_with(|config| {
        config.http.body_timeout_s = Bounded::new(1).unwrap();
        config.http.header_timeout_s = Bounded::new(1).unwrap();
    })
    .await;
    let head = "POST /webhooks/woocommerce/lab HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf";
    let (status, kind, body) = talk(&app, head.as_bytes()).await;
    assert_eq!(check_problem(status, &kind, &body, "half a body")["code"], "request_timeout");
    assert_eq!(app.count("delivery"), 0);
}

/// Sends bytes and reads until the daemon closes; answers its status, content type and body.
async fn talk(app: &TestApp, raw: &[u8]) -> (u16, String, String) {
    let (mut input, mut output) = TcpStream::connect(app.running.address).await.unwrap().into_split();
    // A daemon that has read enough does not read on; what cannot be sent then is nobody's loss.
    let sent = raw.to_vec();
    let sending = tokio::spawn(async move {
        let _ = output.write_all(&sent).await;
        output
    });
    let mut answer = Vec::new();
    let reading =
        tokio::time::timeout(std::time::Duration::from_secs(20), input.read_to_end(&mut answer)).await;
    let _ = reading.expect("the daemon answers and closes");
    drop(sending.await.unwrap());
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?} is no answer"));
    let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
    let kind =
        head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-type: ").map(str::to_owned));
    (status, kind.unwrap_or_default(), body.to_owned())
}

/// The database cannot take a delivery: the shop is told to come back, and when it does nothing is missing.
#[tokio::test]
async fn a_delivery_the_database_cannot_take_is_never_acknowledged() {
    let app = TestApp::start().await;
    let paid = scenario("02-paid-order-one-token").remove(2);
    let rename = |sql: &'static str| write(app.db(), move |tx| tx.execute(sql, params![]));
    rename("-- test\n ALTER TABLE delivery RENAME TO away");
    let answer = app
        .http
        .post(app.url("/webhooks/woocommerce/lab"))
        .header("X-WC-Webhook-Topic", "order.updated")
        .header("X-WC-Webhook-Signature", signature::sign(SECRET.as_bytes(), &paid.body))
        .body(paid.body.clone())
        .send()
        .await
        .unwrap();
    assert!(answer.headers()["retry-after"].to_str().unwrap().parse::<u32>().unwrap() > 0);
    assert_eq!(problem(answer, "a delivery without a database").await["code"], "try_again");
    assert_eq!((app.count("entry"), app.count("shop_order")), (0, 0));
    rename("-- test\n ALTER TABLE away RENAME TO delivery");
    assert_eq!(app.replay(&paid).await, "granted");
}
