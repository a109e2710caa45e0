//! What people see when they look at their credits.

use std::time::{Duration, Instant};

use nivella_wallet::calendar::Per;
use nivella_wallet::ledger::LockedAccount;
use nivella_wallet::ledger::plan::NewPlan;
use nivella_wallet::ledger::store::plan as plans;
use nivella_wallet::site;
use nivella_wallet::units::Credits;
use reqwest::Method;
use serde_json::{Value, json};

use super::{ALICE, micro, post};
use crate::app::{TestApp, key, write};

async fn give(app: &TestApp, wallet: &str, credits: &str, more: Value) {
    let mut body = json!({ "wallet": wallet, "credits": credits, "reason": "test" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let (status, grant) =
        post(app, "/v1/grants", &body.to_string().escape_default().to_string(), &body).await;
    assert_eq!(status, 201, "{grant}");
}

async fn own(app: &TestApp, site: &str, client: &str) {
    let body = json!({ "account": "lab:customer:2", "client": client });
    let put = app.request(Method::PUT, &format!("/v1/sites/{site}")).body(body.to_string());
    assert!(put.send().await.unwrap().status().is_success(), "{site}");
}

fn amount(credits: &Value) -> i64 {
    micro(credits.as_str().unwrap())
}

/// A top-up that is sent again is the same top-up; one without a key is not taken at all.
#[tokio::test]
async fn p01_many_identical_top_ups_are_one_entry() {
    let app = TestApp::start().await;
    let body = json!({ "wallet": ALICE, "credits": "100", "reason": "bank transfer 7" });
    let (status, problem) = post(&app, "/v1/grants", "", &body).await;
    assert_eq!((status.as_u16(), &problem["code"]), (422, &json!("invalid_request")));
    assert_eq!(problem["errors"][0]["pointer"], "/headers/Idempotency-Key");
    assert_eq!(app.count("credit_grant"), 0);

    let clients = (0..20).map(|_| post(&app, "/v1/grants", "transfer-7", &body));
    let answers = futures_util::future::join_all(clients).await;
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(answers[0].0, 201);
    assert_eq!((app.count("credit_grant"), app.count("entry")), (1, 1));
    assert_eq!(app.available(ALICE).await, "100");
}

/// What expires is the one grant whose time is over, at its very instant; at every instant the rows shown add up to
/// the balance shown, whether anything was booked or not.
#[tokio::test]
async fn p21_expiry_takes_its_own_grant_and_the_breakdown_always_adds_up() {
    let app = TestApp::start().await;
    own(&app, "shop", "acme").await;
    give(&app, ALICE, "70", json!({ "category": "paid", "label": "bought" })).await;
    give(
        &app,
        ALICE,
        "20",
        json!({ "category": "recurring", "label": "plan", "expires_at": "2026-12-01T00:00:00Z" }),
    )
    .await;
    give(&app, "site:shop", "10", json!({ "label": "gift", "expires_at": "2026-12-02T00:00:00Z" })).await;
    assert_eq!(app.debit("shop", "5", "spend").await.status(), 201);
    for (at, available, labels) in [
        ("2026-11-30T23:59:59.999Z", "95", vec!["bought 70", "gift 10", "plan 15"]),
        ("2026-12-01T00:00:00Z", "80", vec!["bought 70", "gift 10"]),
        ("2026-12-01T23:59:59.999Z", "80", vec!["bought 70", "gift 10"]),
        ("2026-12-02T00:00:00Z", "70", vec!["bought 70"]),
    ] {
        app.clock.turn_to(at.parse().unwrap());
        for wallet in [ALICE, "site:shop"] {
            let wallet = app.get(&format!("/v1/wallets/{wallet}")).await;
            assert_eq!(wallet["available"], available, "at {at}: {wallet}");
            let rows = wallet["breakdown"].as_array().unwrap();
            let mut shown: Vec<String> = rows
                .iter()
                .map(|row| {
                    format!("{} {}", row["label"].as_str().unwrap(), row["remaining"].as_str().unwrap())
                })
                .collect();
            shown.sort();
            assert_eq!(shown, labels, "at {at}");
            let sum: i64 = rows.iter().map(|row| amount(&row["remaining"]) + amount(&row["held"])).sum();
            assert_eq!(sum, amount(&wallet["posted"]), "at {at}");
        }
        let refused = app.debit("shop", "1000", at).await;
        let problem: Value = serde_json::from_str(&refused.text().await.unwrap()).unwrap();
        assert_eq!(problem["available"], available, "a debit sees what the page shows, at {at}");
        app.prove();
    }
    let paid = app.get(&format!("/v1/wallets/{ALICE}/grants")).await;
    let paid =
        paid["items"].as_array().unwrap().iter().find(|grant| grant["label"] == "bought").unwrap().clone();
    assert_eq!(paid["remaining"], "70", "{paid}");
}

/// No price is nothing, less than nothing or unknown: such a debit is refused, and no balance grows by spending.
#[tokio::test]
async fn p32_a_price_that_is_not_above_zero_or_not_known_is_refused() {
    let app = TestApp::start().await;
    own(&app, "shop", "acme").await;
    give(&app, "site:shop", "10", json!({})).await;
    for (body, code) in [
        (json!({ "site": "shop", "action": "unheard", "quantity": 1 }), "unknown_action"),
        (json!({ "site": "shop", "action": "unheard", "quantity": -1 }), "invalid_request"),
        (json!({ "site": "shop", "action": "unheard", "quantity": 0 }), "invalid_request"),
        (json!({ "site": "shop", "credits": "-5" }), "invalid_request"),
        (json!({ "site": "shop", "credits": "0" }), "invalid_request"),
        (json!({ "site": "shop", "credits": "0.0000001" }), "invalid_request"),
    ] {
        let (status, problem) = post(&app, "/v1/debits", &body.to_string(), &body).await;
        assert_eq!((status.as_u16(), &problem["code"]), (422, &json!(code)), "{body}: {problem}");
        assert_eq!(app.available("site:shop").await, "10", "{body}");
    }
    assert_eq!(app.count("debit"), 0);
}

/// "How much can I use, and when do I get more?" is answered by the first fields of the first answer.
#[tokio::test]
async fn p33_one_answer_says_how_much_is_left_and_when_more_comes() {
    let app = TestApp::start().await;
    own(&app, "shop", "acme").await;
    let feed = app.get("/v1/wallets/site:shop/feed").await;
    assert_eq!((&feed["available"], &feed["recurring"]["renews_at"]), (&json!("0"), &Value::Null));
    assert!(
        feed["links"]["top_up"].is_string(),
        "where nothing comes by itself there is more to buy: {feed}"
    );

    monthly_plan(&app);
    let feed = app.get("/v1/wallets/site:shop/feed").await;
    assert_eq!((&feed["available"], &feed["recurring"]["cap"]), (&json!("100"), &json!("100")));
    assert_eq!(feed["recurring"]["renews_at"], "2026-12-01T00:00:00Z");
    assert_eq!(feed["expiring"][0]["at"], "2026-12-01T00:00:00Z", "and what is lost then: {feed}");
    assert_eq!(app.debit("shop", "100", "all").await.status(), 201);
    // At the very instant more comes every reader knows, as the next debit does.
    app.clock.turn_to("2026-12-01T00:00:00Z".parse().unwrap());
    let plan = app.get("/v1/wallets/site:shop/burn-plan?credits=100").await;
    assert_eq!(plan["slices"][0]["credits"], "100");
    assert_eq!(app.get(&format!("/v1/wallets/{ALICE}")).await["available"], "100");
    assert_eq!(app.debit("shop", "100", "all again").await.status(), 201);
    let feed = app.get("/v1/wallets/site:shop/feed").await;
    assert_eq!((&feed["available"], &feed["status"]), (&json!("0"), &json!("empty")));
    assert_eq!(feed["recurring"]["renews_at"], "2027-01-01T00:00:00Z");
}

/// 100 credits a month for the site `shop`.
fn monthly_plan(app: &TestApp) {
    write(app.db(), |tx| {
        let plan = NewPlan {
            name: "basic".parse().unwrap(),
            credits: "100".parse().unwrap(),
            per: Per::Month,
            rollover: Credits::ZERO,
            label: None,
        };
        plans::set(tx, &plan)?;
        let (account, at) = site::store::open_wallet(tx, &"site:shop".parse().unwrap()).unwrap();
        LockedAccount::lock(tx, &account)?.start_plan(&plan.name, &at, None).map(drop)
    });
}

/// Every question of an agency: what which client's sites used, by site, action and assistant, as a file, and the
/// ledger's own movements behind a number.
#[tokio::test]
async fn p34_an_agency_sees_usage_by_site_and_client_and_takes_it_home() {
    let app = TestApp::start().await;
    for (site, client) in [("shop", "acme"), ("blog", "acme"), ("farm", "hill")] {
        own(&app, site, client).await;
    }
    give(&app, ALICE, "100", json!({})).await;
    for (site, credits, agent) in
        [("shop", "1", "desk"), ("shop", "2", "night"), ("blog", "4", "desk"), ("farm", "8", "desk")]
    {
        let body = json!({ "site": site, "credits": credits, "agent": agent, "action": "answer" });
        assert_eq!(post(&app, "/v1/debits", &body.to_string(), &body).await.0, 201);
    }
    let sums = async |wallet: &str, group: &str, api_key: &str| {
        let path = format!("/v1/wallets/{wallet}/usage?from=2026-11-01T00:00:00Z&by=month&group={group}");
        let answer = app.http.get(app.url(&path)).bearer_auth(api_key).send().await.unwrap();
        let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        let mut sums: Vec<String> = answer["items"]
            .as_array()
            .unwrap_or_else(|| panic!("{answer}"))
            .iter()
            .map(|row| format!("{} {}", row[group].as_str().unwrap(), row["credits"].as_str().unwrap()))
            .collect();
        sums.sort();
        sums.join(", ")
    };
    assert_eq!(sums(ALICE, "site", &app.admin).await, "blog 4, farm 8, shop 3");
    assert_eq!(sums(ALICE, "agent", &app.admin).await, "desk 13, night 2");
    assert_eq!(sums("site:shop", "agent", &app.admin).await, "desk 1, night 2");
    assert_eq!(sums("site:shop", "action", &app.admin).await, "answer 3");
    let account =
        app.get(&format!("/v1/wallets/{ALICE}")).await["account"]["id"].as_str().unwrap().to_owned();
    let acme = key(app.db(), &format!("client:{account}/acme"));
    assert_eq!(sums("me", "site", &acme).await, "blog 4, shop 3", "a client sees its own sites only");
    let ledger = app.get("/v1/wallets/site:shop/explain?limit=200").await;
    assert!(ledger["items"].as_array().unwrap().iter().any(|item| item["kind"] == "spent"), "{ledger}");
}

/// What a file of the history says is what the pages of it say, in the same order, and adds up to the balance.
#[tokio::test]
async fn p40_an_exported_history_reads_back_as_it_was_and_adds_up() {
    let app = TestApp::start().await;
    own(&app, "shop", "acme").await;
    for (number, label) in
        ["AI Credits, \"large\"", "=SUM(A1)", "Zwölf\u{2028}Monate", "+7"].iter().enumerate()
    {
        give(&app, ALICE, &format!("{}", 100 + number), json!({ "label": label })).await;
    }
    for number in 0..5 {
        assert_eq!(app.debit("shop", "1.25", &format!("k{number}")).await.status(), 201);
        app.clock.turn_to(app.clock.now().plus_millis(3_600_000));
    }
    let answer =
        app.request(Method::GET, &format!("/v1/wallets/{ALICE}/activity")).header("Accept", "text/csv");
    let file = answer.send().await.unwrap().bytes().await.unwrap();
    let mut reader = csv::Reader::from_reader(file.as_ref());
    let exported: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();

    let mut lines: Vec<Value> = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = app.get(&format!("/v1/wallets/{ALICE}/activity?limit=2{cursor}")).await;
        lines.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    lines.reverse();
    assert_eq!(exported.len(), lines.len());
    let mut sum = 0;
    for (row, line) in exported.iter().zip(&lines) {
        let label = line["label"].as_str().unwrap();
        assert!(row[2] == *label || row[2] == format!("'{label}"), "{row:?} {line}");
        assert_eq!(
            [&row[0], &row[1], &row[3]],
            ["at", "kind", "credits"].map(|name| line[name].as_str().unwrap())
        );
        sum += micro(&row[3]);
    }
    assert_eq!(sum, amount(&app.get(&format!("/v1/wallets/{ALICE}")).await["posted"]));
}

/// A balance is read, not added up: a wallet with thousands of movements is read as fast as one with few.
#[tokio::test]
async fn p36_a_wallet_is_read_in_the_same_time_however_long_its_history() {
    let app = TestApp::start().await;
    for (site, debits) in [("busy", 6_000_usize), ("quiet", 6)] {
        own(&app, site, "acme").await;
        give(&app, &format!("site:{site}"), "1000000", json!({})).await;
        let items: Vec<Value> = (0..debits)
            .map(|n| json!({ "site": site, "credits": "1", "label": format!("{n}"), "idempotency_key": format!("{site}{n}") }))
            .collect();
        for items in items.chunks(1_000) {
            let (status, answer) = post(&app, "/v1/debits/batch", "", &json!({ "items": items })).await;
            assert_eq!(status, 200, "{answer}");
        }
    }
    // Read in turns, so that a busy machine is equally busy for both; the median hides single interruptions.
    let mut times: [Vec<Duration>; 2] = Default::default();
    for _ in 0..60 {
        for (times, site) in times.iter_mut().zip(["busy", "quiet"]) {
            let began = Instant::now();
            app.get(&format!("/v1/wallets/site:{site}")).await;
            times.push(began.elapsed());
        }
    }
    let [busy, quiet] = times.map(|mut times| {
        times.sort();
        times[times.len() / 2]
    });
    assert!(busy < quiet * 4, "{busy:?} for a thousand times the history of {quiet:?}");
}

/// Whoever is asked about first is not made by asking: only assigning, granting and buying open an account.
#[tokio::test]
async fn p38_reading_makes_nothing() {
    let app = TestApp::start().await;
    let before = [app.count("account"), app.count("site"), app.count("credit_grant")];
    let wallets = ["account:lab:customer:900", "site:unheard", "me"];
    let reads =
        ["", "/feed", "/activity", "/usage", "/grants", "/balance", "/explain", "/burn-plan?credits=1"];
    for path in wallets.iter().flat_map(|wallet| reads.map(|read| format!("/v1/wallets/{wallet}{read}"))) {
        let status = app.request(reqwest::Method::GET, &path).send().await.unwrap().status();
        assert_eq!(status, 404, "{path}");
    }
    for path in ["/v1/sites/unheard", "/v1/grants?wallet=site:unheard"] {
        assert_eq!(app.request(reqwest::Method::GET, path).send().await.unwrap().status(), 404, "{path}");
    }
    assert_eq!(app.get("/v1/accounts?query=900").await["items"], json!([]));
    assert_eq!(app.debit("unheard", "1", "k").await.status(), 404);
    assert_eq!([app.count("account"), app.count("site"), app.count("credit_grant")], before);
    // Provisioning is a word of its own, and who was provisioned is not locked out.
    let body = json!({ "wallet": "account:lab:customer:900", "credits": "5", "reason": "welcome" });
    let given = app
        .request(reqwest::Method::POST, "/v1/grants")
        .header("Idempotency-Key", "k")
        .body(body.to_string());
    assert_eq!(given.send().await.unwrap().status(), 201);
    assert_eq!(app.get("/v1/wallets/account:lab:customer:900").await["available"], "5");
}
