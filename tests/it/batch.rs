//! `POST /v1/debits/batch`: many debits in one request, each alone.

use nivella_wallet::access::{self, Scope};
use nivella_wallet::ledger::LockedAccount;
use nivella_wallet::ledger::slice::{Category, Compartment};
use nivella_wallet::ledger::store::{Expiry, NewGrant, Shown};
use nivella_wallet::site::{Field, store as sites};
use nivella_wallet::time::Validity;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::app::{TestApp, write};

/// Alice runs `shop`, with so many credits; Bob runs `farm`.
async fn start(credits: &str) -> TestApp {
    let app = TestApp::start().await;
    let amount = credits.parse().unwrap();
    write(app.db(), move |tx| {
        let alice = sites::open(tx, &"lab:customer:2".parse().unwrap())?;
        let bob = sites::open(tx, &"lab:customer:3".parse().unwrap())?;
        for (site, owner) in [("shop", &alice), ("farm", &bob)] {
            sites::assign(tx, &site.parse().unwrap(), owner, &Field::Keep, &Field::Keep)?;
        }
        let grant = NewGrant {
            compartment: Compartment::Site("shop".parse().unwrap()),
            amount,
            category: Category::Paid,
            priority: None,
            label: "AI Credits".to_owned(),
            reason: None,
            effective_at: None,
            expiry: Expiry::After(Validity::Never),
            purchase: None,
            shown_as: Shown::TopUp,
        };
        LockedAccount::lock(tx, &alice).and_then(|mut account| account.grant(&grant)).unwrap();
        Ok::<_, sites::Error>(())
    });
    app
}

async fn send(
    app: &TestApp,
    api_key: &str,
    header: Option<&str>,
    body: String,
) -> (StatusCode, bool, String) {
    let mut request = app.http.post(app.url("/v1/debits/batch")).bearer_auth(api_key).body(body);
    if let Some(key) = header {
        request = request.header("Idempotency-Key", key);
    }
    let response = request.send().await.unwrap();
    let replayed = response.headers().contains_key("idempotent-replayed");
    (response.status(), replayed, response.text().await.unwrap())
}

async fn results(app: &TestApp, api_key: &str, items: &Value) -> Vec<Value> {
    let (status, _, text) = send(app, api_key, None, json!({ "items": items }).to_string()).await;
    assert_eq!(status, 200, "{text}");
    let answer: Value = serde_json::from_str(&text).unwrap();
    answer["results"].as_array().unwrap().clone()
}

/// Status and code of each result.
fn brief(results: &[Value]) -> Vec<String> {
    let word = |result: &Value| {
        let code = result["body"]["code"].as_str().map_or(String::new(), |code| format!(" {code}"));
        let again = if result["replayed"] == true { " again" } else { "" };
        format!("{}{code}{again}", result["status"])
    };
    results.iter().map(word).collect()
}

fn one(key: &str, credits: &str) -> Value {
    json!({ "site": "shop", "credits": credits, "idempotency_key": key })
}

#[tokio::test]
async fn items_run_in_order_and_one_that_is_refused_harms_nobody() {
    let app = start("10").await;
    let items = json!([
        one("a", "4"),
        one("b", "7"),
        { "site": "shop", "credits": "1" },
        { "site": "nowhere", "credits": "1", "idempotency_key": "d" },
        { "site": "shop", "action": "answer", "quantity": 1, "idempotency_key": "e" },
        { "site": "shop", "credits": 1, "idempotency_key": "f" },
        { "site": "shop", "credits": "1", "idempotency_key": 7 },
        "not an object",
        one("a", "4"),
        one("a", "5"),
        one("i", "6"),
    ]);
    let results = results(&app, &app.admin, &items).await;
    assert_eq!(
        brief(&results),
        [
            "201",
            "402 insufficient_credits",
            "422 invalid_request",
            "404 not_found",
            "422 unknown_action",
            "422 invalid_request",
            "422 invalid_request",
            "422 invalid_request",
            "201 again",
            "422 idempotency_mismatch",
            "201",
        ]
    );
    assert_eq!(results[0]["body"]["available"], "6", "the body is the single call's");
    assert_eq!(results[1]["body"]["available"], "6");
    assert_eq!(results[2]["body"]["errors"][0]["pointer"], "/idempotency_key");
    assert_eq!(results[5]["body"]["errors"][0]["pointer"], "/credits");
    assert_eq!(results[6]["body"]["errors"][0]["pointer"], "/idempotency_key");
    assert_eq!(results[10]["body"]["available"], "0");
    assert_eq!((app.count("debit"), app.count("idempotency")), (2, 2), "what was refused leaves no trace");
    app.prove();
}

/// Whoever lost the answer sends all of it again, or only the rest.
#[tokio::test]
async fn a_batch_sent_again_has_one_effect() {
    let app = start("10").await;
    let items = json!([one("a", "1"), one("b", "2"), one("c", "20")]);
    assert_eq!(brief(&results(&app, &app.admin, &items).await), ["201", "201", "402 insufficient_credits"]);
    let again = json!([one("c", "20"), one("b", "2"), one("a", "1"), one("d", "3")]);
    assert_eq!(
        brief(&results(&app, &app.admin, &again).await),
        ["402 insufficient_credits", "201 again", "201 again", "201"]
    );
    assert_eq!(app.get("/v1/wallets/site:shop").await["available"], "4");

    // With a key of its own the whole answer is given again, word for word.
    let body = json!({ "items": [one("x", "1"), one("y", "9")] }).to_string();
    let first = send(&app, &app.admin, Some("batch"), body.clone()).await;
    assert_eq!((first.0, first.1), (StatusCode::OK, false));
    let second = send(&app, &app.admin, Some("batch"), body).await;
    assert_eq!((second.0, second.1, &second.2), (StatusCode::OK, true, &first.2));
    let other = json!({ "items": [one("z", "1")] }).to_string();
    let (status, _, text) = send(&app, &app.admin, Some("batch"), other).await;
    assert_eq!(status, 422);
    assert!(text.contains("idempotency_mismatch"), "{text}");
    assert_eq!(app.get("/v1/wallets/site:shop").await["available"], "3");
    app.prove();
}

/// A sender that writes its items anew, in another order or with white space, means the same.
#[tokio::test]
async fn an_item_is_the_same_however_it_is_written() {
    let app = start("10").await;
    let writings = [
        r#"{"items":[{"idempotency_key":"a","site":"shop","credits":"1","usage":{"b":1,"a":2}}]}"#,
        r#"{"items":[ { "usage": {"a":2, "b":1}, "credits": "1", "site":"shop", "idempotency_key":"a" } ]}"#,
    ];
    for (at, body) in writings.into_iter().enumerate() {
        let (_, _, text) = send(&app, &app.admin, None, body.to_owned()).await;
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
        let result = &answer["results"][0];
        assert_eq!((&result["status"], result["replayed"] == true), (&json!(201), at == 1), "{text}");
    }
    let (_, _, text) = send(&app, &app.admin, None, writings[0].replace("\"1\"", "\"2\"")).await;
    assert!(text.contains("idempotency_mismatch"), "{text}");
    assert_eq!(app.available("site:shop").await, "9");
}

#[tokio::test]
async fn a_thousand_debits_at_once_spend_what_is_there_and_not_more() {
    let app = start("700").await;
    let items: Vec<Value> = (0..1_000).map(|n| one(&format!("k{n}"), "1")).collect();
    let items = Value::from(items);
    // The same batch from two clients at the same time: the second finds what the first did.
    let (one, two) = tokio::join!(results(&app, &app.admin, &items), results(&app, &app.admin, &items));
    for results in [&one, &two] {
        assert_eq!(results.iter().filter(|result| result["status"] == 201).count(), 700);
        assert_eq!(results.iter().filter(|result| result["status"] == 402).count(), 300);
    }
    for (one, two) in one.iter().zip(&two) {
        assert_eq!(one["body"], two["body"]);
        assert!(one["status"] == 402 || one["replayed"] != two["replayed"], "{one} {two}");
    }
    assert_eq!(app.count("debit"), 700);
    assert_eq!(app.get("/v1/wallets/site:shop").await["available"], "0");
    app.prove();
}

#[tokio::test]
async fn a_batch_as_a_whole_is_refused_only_for_what_is_wrong_with_the_whole() {
    let app = start("10").await;
    let many: Vec<Value> = (0..1_001).map(|n| one(&n.to_string(), "0.001")).collect();
    for (body, pointer) in [
        (json!({ "items": many }).to_string(), "/items"),
        ("{}".to_owned(), "/items"),
        (r#"{"items":7}"#.to_owned(), "/items"),
        (r#"{"items":[],"more":1}"#.to_owned(), "/more"),
        ("[]".to_owned(), ""),
        ("{\"items\":[".to_owned(), ""),
    ] {
        let (status, _, text) = send(&app, &app.admin, None, body).await;
        let problem: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((status.as_u16(), &problem["code"]), (422, &json!("invalid_request")), "{text}");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{text}");
    }
    let (status, _, text) = send(&app, &app.admin, None, r#"{"items":[]}"#.to_owned()).await;
    assert_eq!((status.as_u16(), text.as_str()), (200, r#"{"results":[]}"#));
    let (status, ..) = send(&app, "nwk_wrong", None, r#"{"items":[]}"#.to_owned()).await;
    assert_eq!(status, 401);
    let large = json!({ "items": [one("a", "1")], "pad": "x".repeat(2 * 1024 * 1024) }).to_string();
    let (status, ..) = send(&app, &app.admin, None, large).await;
    assert_eq!(status, 413);
    // Larger than a single call may be.
    let label = "x".repeat(400);
    let items: Vec<Value> = (0..1_000)
        .map(|n| json!({ "site": "shop", "credits": "0.001", "label": label, "idempotency_key": n.to_string() }))
        .collect();
    assert!(brief(&results(&app, &app.admin, &items.into()).await).iter().all(|word| word == "201"));
    assert_eq!(app.count("debit"), 1_000);
}

/// A key that is bound to one account spends from no other, item by item.
#[tokio::test]
async fn a_bound_key_is_refused_item_by_item() {
    let app = start("10").await;
    let scopes: Vec<Scope> = vec!["debit:site:shop".parse().unwrap(), "site:farm".parse().unwrap()];
    let bound = write(app.db(), move |tx| {
        access::store::create(tx, "bound", &scopes, None).map(|(_, secret)| secret.reveal().to_owned())
    });
    let items = json!([
        one("a", "1"),
        { "site": "farm", "credits": "1", "idempotency_key": "b" },
        { "site": "other", "credits": "1", "idempotency_key": "c" },
    ]);
    assert_eq!(brief(&results(&app, &bound, &items).await), ["201", "403 forbidden", "404 not_found"]);
}
