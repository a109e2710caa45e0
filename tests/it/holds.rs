//! `/v1/holds` and reversals as the assistant service uses them, and as somebody would who wants to break them.

use nivella_wallet::account::settings::{self, Settings};
use nivella_wallet::id::AccountId;
use nivella_wallet::ledger::LockedAccount;
use nivella_wallet::ledger::slice::{Category, Compartment};
use nivella_wallet::ledger::store::{Expiry, NewGrant, Purchase, Shortfall, Shown};
use nivella_wallet::params;
use nivella_wallet::rate;
use nivella_wallet::site::{Field, store as sites};
use nivella_wallet::time::{Timestamp, Validity};
use rand::RngExt as _;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{TestApp, key, write};
use crate::support::seeded;

/// Alice runs `shop` and `blog` for client acme, Bob runs `farm`.
pub(crate) struct World {
    pub(crate) app: TestApp,
    pub(crate) alice: AccountId,
}

/// Status, body and whether the answer had been given before.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) replayed: bool,
    pub(crate) body: Value,
}

impl Answer {
    /// Status and code in a word, for tables.
    pub(crate) fn brief(&self) -> String {
        match self.body["code"].as_str() {
            Some(code) => format!("{} {code}", self.status),
            None => self.status.to_string(),
        }
    }

    pub(crate) fn text(&self, field: &str) -> String {
        self.body[field].as_str().unwrap_or_else(|| panic!("no {field} in {self:?}")).to_owned()
    }
}

impl World {
    pub(crate) async fn start() -> Self {
        let app = TestApp::start().await;
        let alice = write(app.db(), |tx| {
            let alice = sites::open(tx, &"lab:customer:2".parse().unwrap())?;
            let bob = sites::open(tx, &"lab:customer:3".parse().unwrap())?;
            let acme = Field::Set("acme".parse().unwrap());
            for (site, owner) in [("shop", &alice), ("blog", &alice), ("farm", &bob)] {
                sites::assign(tx, &site.parse().unwrap(), owner, &acme, &Field::Keep)?;
            }
            Ok::<_, sites::Error>(alice)
        });
        Self { app, alice }
    }

    /// Gives Alice credits.
    pub(crate) fn grant(&self, to: &str, credits: &str, validity: &str) -> String {
        let compartment =
            if to == "pool" { Compartment::Pool } else { Compartment::Site(to.parse().unwrap()) };
        let grant = NewGrant {
            compartment,
            amount: credits.parse().unwrap(),
            category: Category::Paid,
            priority: None,
            label: format!("{credits} at {to}"),
            reason: None,
            effective_at: None,
            expiry: Expiry::After(validity.parse::<Validity>().unwrap()),
            purchase: None,
            shown_as: Shown::TopUp,
        };
        let alice = self.alice.clone();
        write(self.app.db(), move |tx| LockedAccount::lock(tx, &alice)?.grant(&grant)).id.to_string()
    }

    pub(crate) async fn post_with(
        &self,
        api_key: &str,
        path: &str,
        idempotency: &str,
        body: Value,
    ) -> Answer {
        let mut request = self.app.http.post(self.app.url(path)).bearer_auth(api_key).body(body.to_string());
        if !idempotency.is_empty() {
            request = request.header("Idempotency-Key", idempotency);
        }
        let answer = request.send().await.unwrap();
        let replayed = answer.headers().contains_key("idempotent-replayed");
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"));
        Answer { status, replayed, body }
    }

    pub(crate) async fn post(&self, path: &str, idempotency: &str, body: Value) -> Answer {
        self.post_with(&self.app.admin, path, idempotency, body).await
    }

    /// Holds credits for `shop`; answers the hold's path.
    pub(crate) async fn hold(&self, idempotency: &str, credits: &str) -> String {
        let made = self.post("/v1/holds", idempotency, json!({"site": "shop", "credits": credits})).await;
        assert_eq!(made.status, 201, "{made:?}");
        format!("/v1/holds/{}", made.text("id"))
    }

    /// `available`, `held`, `posted` and `used` of a wallet.
    pub(crate) async fn numbers(&self, wallet: &str) -> [String; 4] {
        let wallet = self.app.get(&format!("/v1/wallets/{wallet}")).await;
        ["available", "held", "posted", "used"].map(|field| wallet[field].as_str().unwrap().to_owned())
    }

    async fn get_with(&self, api_key: &str, path: &str) -> u16 {
        let request = self.app.http.request(Method::GET, self.app.url(path)).bearer_auth(api_key);
        request.send().await.unwrap().status().as_u16()
    }

    fn rate(&self, action: &str, credits: &str) {
        let new = rate::NewRate {
            action: action.parse().unwrap(),
            rate: credits.parse().unwrap(),
            per: None,
            round: None,
            label: Some("Answered {quantity} questions".to_owned()),
            effective_at: None,
        };
        write(self.app.db(), move |tx| rate::store::set(tx, &new));
    }
}

/// Money kept in text, as a number of micro-credits.
fn micro(text: &str) -> i64 {
    text.parse::<nivella_wallet::units::Credits>().unwrap().micro()
}

#[tokio::test]
async fn a_hold_lives_and_is_told_as_the_contract_says() {
    let world = World::start().await;
    let (shop, pool) = (world.grant("shop", "10", "never"), world.grant("pool", "100", "never"));
    let made = world
        .post("/v1/holds", "one", json!({"site": "shop", "agent": "bot", "credits": "30", "label": "chat"}))
        .await;
    assert_eq!(made.status, 201);
    assert_eq!(
        made.body,
        json!({
            "id": made.text("id"), "state": "open", "site": "shop", "agent": "bot", "credits": "30",
            "captured": "0", "expires_at": "2026-11-20T18:15:00Z", "available": "80", "status": "ok",
            "mode": "normal",
            "slices": [{"grant": shop, "credits": "10"}, {"grant": pool, "credits": "20"}]
        })
    );
    let again = world
        .post("/v1/holds", "one", json!({"site": "shop", "agent": "bot", "credits": "30", "label": "chat"}))
        .await;
    assert!(again.replayed && again.body == made.body, "{again:?}");
    assert_eq!(world.numbers("site:shop").await, ["80", "30", "110", "0"]);
    let path = format!("/v1/holds/{}", made.text("id"));
    assert_eq!(world.app.get(&path).await, made.body);

    let captured = world
        .post(&format!("{path}/capture"), "", json!({"credits": "12", "reference": "r", "usage": {"x": 1}}))
        .await;
    assert_eq!(captured.status, 201);
    assert_eq!(
        captured.body,
        json!({
            "id": captured.text("id"), "credits": "12", "available": "98", "status": "ok", "mode": "normal",
            "slices": [{"grant": shop, "credits": "10"}, {"grant": pool, "credits": "2"}],
            "hold": made.text("id")
        })
    );
    let closed = world.app.get(&path).await;
    assert_eq!((closed["state"].as_str(), closed["captured"].as_str()), (Some("captured"), Some("12")));
    assert_eq!(world.numbers("site:shop").await, ["98", "0", "98", "12"]);

    // What makes up the number, and the number of then.
    let explain = world.app.get("/v1/wallets/site:shop/explain?field=available").await;
    let sum: i64 = explain["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| signed(item["credits"].as_str().unwrap()))
        .sum();
    assert_eq!(sum, micro("98"));
    let labels: Vec<&str> =
        explain["items"].as_array().unwrap().iter().map(|item| item["label"].as_str().unwrap()).collect();
    assert!(
        labels.contains(&"Set aside: chat") && labels.contains(&"No longer set aside: chat"),
        "{labels:?}"
    );
    let balance = world.app.get("/v1/wallets/site:shop/balance?at=2026-11-20T18:00:00Z").await;
    assert_eq!((balance["available"].as_str(), balance["held"].as_str()), (Some("98"), Some("0")));
}

fn signed(text: &str) -> i64 {
    match text.strip_prefix('-') {
        Some(text) => -micro(text),
        None => micro(text.trim_start_matches('+')),
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_hold_is_told_and_leaves_nothing() {
    let world = World::start().await;
    world.grant("pool", "100", "never");
    for (body, expected) in [
        (json!({"site": "shop"}), "422 invalid_request"),
        (json!({"site": "shop", "credits": "0"}), "422 invalid_request"),
        (json!({"site": "shop", "credits": 5}), "422 invalid_request"),
        (json!({"site": "shop", "credits": "5", "expires_in": 0}), "422 invalid_request"),
        (json!({"site": "shop", "credits": "5", "expires_in": -1}), "422 invalid_request"),
        (json!({"site": "shop", "credits": "5", "expires_in": 86401}), "422 invalid_request"),
        (json!({"site": "shop", "credits": "5", "expires_in": "soon"}), "422 invalid_request"),
        (json!({"site": "shop", "credits": "5", "model": "x"}), "422 invalid_request"),
        (json!({"site": "shop", "action": "fly", "quantity": 1}), "422 unknown_action"),
        (json!({"site": "shop", "credits": "100.000001"}), "402 insufficient_credits"),
        (json!({"site": "nowhere", "credits": "1"}), "404 not_found"),
        (json!({"site": "farm", "credits": "1"}), "402 insufficient_credits"),
    ] {
        assert_eq!(world.post("/v1/holds", "k", body.clone()).await.brief(), expected, "{body}");
    }
    for expires_in in [0, 86401] {
        let body = json!({"site": "shop", "credits": "5", "expires_in": expires_in});
        let errors =
            json!([{ "pointer": "/expires_in", "detail": "must be a whole number from 1 to 86400" }]);
        assert_eq!(world.post("/v1/holds", "k", body).await.body["errors"], errors);
    }
    let without = world.post("/v1/holds", "", json!({"site": "shop", "credits": "5"})).await;
    assert_eq!(without.brief(), "422 invalid_request");
    assert_eq!(world.app.count("hold"), 0);
    let longest = json!({"site": "shop", "credits": "5", "expires_in": 86400});
    assert_eq!(world.post("/v1/holds", "k", longest).await.text("expires_at"), "2026-11-21T18:00:00Z");

    let path = world.hold("h", "50").await;
    for (body, expected) in [
        (json!({}), "422 invalid_request"),
        (json!({"credits": "0"}), "422 invalid_request"),
        (json!({"credits": "-1"}), "422 invalid_request"),
        (json!({"credits": "1", "quantity": 1}), "422 invalid_request"),
        (json!({"quantity": 1}), "422 invalid_request"),
        (json!({"credits": "50.000001"}), "422 invalid_request"),
        (json!({"credits": "1", "site": "shop"}), "422 invalid_request"),
    ] {
        let answer = world.post(&format!("{path}/capture"), "", body.clone()).await;
        assert_eq!(answer.brief(), expected, "{body}");
    }
    assert_eq!(world.app.get(&path).await["state"], "open");
    for path in ["/v1/holds/nonsense", "/v1/holds/hd_00000000000000000000000000000000"] {
        assert_eq!(world.get_with(&world.app.admin, path).await, 404);
        assert_eq!(world.post(&format!("{path}/release"), "", json!({})).await.brief(), "404 not_found");
    }
}

#[tokio::test]
async fn who_may_do_what_with_a_hold() {
    let world = World::start().await;
    world.grant("pool", "100", "never");
    let path = world.hold("h", "50").await;
    for (scope, reads, writes) in [
        ("account:lab:customer:2", 200, "403 forbidden"),
        ("client:lab:customer:2/acme", 200, "403 forbidden"),
        ("site:shop", 200, "403 forbidden"),
        ("site:blog", 404, "404 not_found"),
        ("account:lab:customer:3", 404, "404 not_found"),
        ("debit:site:blog", 404, "404 not_found"),
        ("debit:account:lab:customer:3", 404, "404 not_found"),
        ("debit:site:shop", 200, "422 invalid_request"),
        ("debit:account:lab:customer:2", 200, "422 invalid_request"),
        ("debit", 200, "422 invalid_request"),
    ] {
        let key = key(world.app.db(), scope);
        assert_eq!(world.get_with(&key, &path).await, reads, "{scope}");
        let captured = world.post_with(&key, &format!("{path}/capture"), "", json!({})).await;
        assert_eq!(captured.brief(), writes, "{scope}");
    }
    assert_eq!(world.get_with("nwk_wrong", &path).await, 401);
    let debit = key(world.app.db(), "debit:site:shop");
    let released = world.post_with(&debit, &format!("{path}/release"), "", json!({})).await;
    assert_eq!((released.status, released.text("state").as_str()), (200, "released"));
}

#[tokio::test]
async fn a_capture_is_priced_by_the_rate_of_its_hold() {
    let world = World::start().await;
    world.grant("pool", "100", "never");
    world.rate("answer", "2");
    let held =
        world.post("/v1/holds", "h", json!({"site": "shop", "action": "answer", "quantity": 10})).await;
    assert_eq!((held.text("credits"), held.text("action")), ("20".to_owned(), "answer".to_owned()));
    let credits =
        world.post("/v1/holds", "c", json!({"site": "shop", "action": "answer", "credits": "30"})).await;
    world.rate("answer", "3");
    let captured =
        world.post(&format!("/v1/holds/{}/capture", held.text("id")), "", json!({"quantity": "7"})).await;
    assert_eq!(captured.text("credits"), "14");
    let beyond =
        world.post(&format!("/v1/holds/{}/capture", credits.text("id")), "", json!({"quantity": 16})).await;
    assert_eq!(beyond.brief(), "422 invalid_request");
    assert_eq!(
        beyond.body["errors"],
        json!([{ "pointer": "/quantity", "detail": "16 is more than the hold is for: 32 credits are asked for, and the \
                 hold has set 30 aside: it is still open" }])
    );
    let captured =
        world.post(&format!("/v1/holds/{}/capture", credits.text("id")), "", json!({"quantity": 15})).await;
    assert_eq!(captured.text("credits"), "30");
    let activity = world.app.get("/v1/wallets/site:shop/activity?kind=usage").await;
    let labels: Vec<&str> =
        activity["items"].as_array().unwrap().iter().map(|line| line["label"].as_str().unwrap()).collect();
    assert_eq!(labels, ["answer", "Answered 7 questions"]);
    let usage = world.app.get("/v1/wallets/site:shop/usage?by=month&group=action").await;
    assert_eq!(usage["items"][0]["credits"], "44");
}

#[tokio::test]
async fn a_debit_is_given_back_once_and_nothing_counts_it_any_more() {
    let world = World::start().await;
    let grant = world.grant("pool", "100", "never");
    world.rate("answer", "2");
    let debit = world
        .post("/v1/debits", "d", json!({"site": "shop", "agent": "bot", "action": "answer", "quantity": 10}))
        .await;
    let path = format!("/v1/debits/{}/reversal", debit.text("id"));
    for (body, expected) in [
        (json!({"credits": "0"}), "422 invalid_request"),
        (json!({"credits": "20.000001"}), "422 invalid_request"),
        (json!({"credits": "1", "why": "x"}), "422 invalid_request"),
    ] {
        assert_eq!(world.post(&path, "r", body).await.brief(), expected);
    }
    let reader = key(world.app.db(), "site:shop");
    assert_eq!(world.post_with(&reader, &path, "", json!({})).await.brief(), "403 forbidden");
    let foreign = key(world.app.db(), "debit:site:farm");
    assert_eq!(world.post_with(&foreign, &path, "", json!({})).await.brief(), "404 not_found");

    let body = json!({"credits": "8", "reason": "the answer was wrong"});
    let back = world.post(&path, "r", body.clone()).await;
    assert_eq!(back.status, 200);
    assert_eq!(
        back.body,
        json!({
            "id": debit.text("id"), "credits": "20", "available": "88", "status": "ok", "mode": "normal",
            "slices": [{"grant": grant, "credits": "20"}], "reversed": "8", "reversal": back.text("reversal")
        })
    );
    let again = world.post(&path, "r", body).await;
    assert!(again.replayed && again.body == back.body, "{again:?}");
    assert_eq!(world.post(&path, "other", json!({})).await.brief(), "409 already_reversed");
    assert_eq!(world.post(&path, "", json!({"credits": "1"})).await.brief(), "409 already_reversed");

    assert_eq!(world.numbers("site:shop").await, ["88", "0", "88", "12"]);
    for group in ["action", "site", "agent"] {
        let usage = world.app.get(&format!("/v1/wallets/site:shop/usage?by=day&group={group}")).await;
        assert_eq!(usage["items"][0]["credits"], "12", "{usage}");
    }
    let feed = world.app.get("/v1/wallets/site:shop/feed").await;
    let lines: Vec<String> = feed["activity"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| {
            format!(
                "{} {} {}",
                line["credits"].as_str().unwrap(),
                line["kind"].as_str().unwrap(),
                line["label"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            "+8 usage Given back: Answered 4 questions",
            "-20 usage Answered 10 questions",
            "+100 top_up 100 at pool"
        ]
    );
    assert_eq!(
        feed["usage"]["by_action"],
        json!([{"action": "Answered 6 questions", "credits": "12"}]),
        "{}",
        feed["usage"]
    );
    let explain = world.app.get("/v1/wallets/site:shop/explain?field=available").await;
    let first = &explain["items"][0];
    assert_eq!(
        (first["credits"].as_str(), first["kind"].as_str(), first["label"].as_str()),
        (Some("+8"), Some("reversed"), Some("Given back: Answered 10 questions"))
    );
}

#[tokio::test]
async fn the_account_frozen_meanwhile_lets_a_hold_end() {
    let world = World::start().await;
    world.grant("pool", "100", "never");
    let (one, two) = (world.hold("one", "10").await, world.hold("two", "10").await);
    let debit = world.post("/v1/debits", "d", json!({"site": "shop", "credits": "5"})).await;
    let alice = world.alice.clone();
    write(world.app.db(), move |tx| {
        tx.execute("-- test\n UPDATE account SET frozen_reason = 'dispute' WHERE id = $1", params![&alice])
    });
    let refused = world.post("/v1/holds", "three", json!({"site": "shop", "credits": "1"})).await;
    assert_eq!(refused.brief(), "423 frozen");
    let captured = world.post(&format!("{one}/capture"), "", json!({"credits": "4"})).await;
    assert_eq!((captured.status, captured.text("status").as_str()), (201, "frozen"));
    let released = world.post(&format!("{two}/release"), "", json!({})).await;
    assert_eq!((released.status, released.text("mode").as_str()), (200, "handover"));
    let path = format!("/v1/debits/{}/reversal", debit.text("id"));
    assert_eq!(world.post(&path, "", json!({})).await.status, 200);
    assert_eq!(world.numbers("site:shop").await[0], "96");
}

/// A hold whose time is over is expired for whoever asks, before anybody books it.
#[tokio::test]
async fn a_hold_past_its_time_is_expired_in_every_answer() {
    let world = World::start().await;
    let grant = world.grant("pool", "100", "never");
    let made =
        world.post("/v1/holds", "h", json!({"site": "shop", "credits": "60", "expires_in": 600})).await;
    let path = format!("/v1/holds/{}", made.text("id"));
    world.app.clock.turn_to("2026-11-20T18:09:59.999Z".parse().unwrap());
    assert_eq!(world.numbers("site:shop").await[..2], ["40", "60"]);
    world.app.clock.turn_to("2026-11-20T18:10:00Z".parse().unwrap());
    // The daemon may book it at any moment; the answers are the same before and after.
    for _ in 0..2 {
        assert_eq!(world.app.get(&path).await["state"], "expired");
        assert_eq!(world.numbers("site:shop").await, ["100", "0", "100", "0"]);
        let wallet = world.app.get("/v1/wallets/site:shop").await;
        assert_eq!(wallet["breakdown"][0]["remaining"], "100");
        let plan = world.app.get("/v1/wallets/site:shop/burn-plan?credits=100").await;
        assert_eq!(plan["slices"], json!([{"grant": grant, "credits": "100"}]));
        let balance = world.app.get("/v1/wallets/site:shop/balance?at=2026-11-20T18:10:00Z").await;
        assert_eq!((balance["available"].as_str(), balance["held"].as_str()), (Some("100"), Some("0")));
        let grants = world.app.get("/v1/wallets/site:shop/grants").await;
        assert_eq!(
            (grants["items"][0]["remaining"].as_str(), grants["items"][0]["held"].as_str()),
            (Some("100"), Some("0"))
        );
        let explain = world.app.get("/v1/wallets/site:shop/explain?field=available").await;
        let sum: i64 = explain["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| signed(item["credits"].as_str().unwrap()))
            .sum();
        assert_eq!(sum, micro("100"), "{explain}");
        let alice = world.alice.clone();
        write(world.app.db(), move |tx| LockedAccount::lock(tx, &alice).map(drop));
    }
    let late = world.post(&format!("{path}/capture"), "late", json!({"credits": "1"})).await;
    assert_eq!(late.brief(), "409 hold_closed");
    let late = world.post(&format!("{path}/release"), "late", json!({})).await;
    assert_eq!(late.brief(), "409 hold_closed");
    let balance = world.app.get("/v1/wallets/site:shop/balance?at=2026-11-20T18:09:59Z").await;
    assert_eq!((balance["available"].as_str(), balance["held"].as_str()), (Some("40"), Some("60")));
}

/// A debit in an account that is part of another one now.
#[tokio::test]
async fn a_debit_of_a_merged_account_is_given_back_where_it_is_now() {
    let world = World::start().await;
    world.grant("pool", "100", "never");
    let path = world.hold("h", "10").await;
    let debit = world.post("/v1/debits", "d", json!({"site": "shop", "agent": "bot", "credits": "90"})).await;
    let merge = || {
        world.app.db().write_blocking("test", nivella_wallet::db::Keep::Effects, |tx| {
            nivella_wallet::account::merge::merge(
                tx,
                &"lab:customer:2".parse().unwrap(),
                &"lab:customer:3".parse().unwrap(),
            )
            .map(drop)
        })
    };
    assert!(matches!(merge(), Err(nivella_wallet::account::Error::Held { .. })));
    assert_eq!(world.post(&format!("{path}/release"), "", json!({})).await.status, 200);
    merge().unwrap();
    let reversal = format!("/v1/debits/{}/reversal", debit.text("id"));
    let back = world.post(&reversal, "", json!({"credits": "30"})).await;
    assert_eq!((back.status, back.text("available").as_str()), (200, "40"), "{back:?}");
    assert_eq!(world.numbers("account:lab:customer:3").await, ["40", "0", "40", "60"]);
    assert_eq!(world.app.get(&path).await["state"], "released");
    assert_eq!(world.post(&format!("{path}/release"), "", json!({})).await.brief(), "409 hold_closed");
    let usage = world.app.get("/v1/wallets/account:lab:customer:3/usage?by=month&group=agent").await;
    assert_eq!(usage["items"][0]["credits"], "60");
}

/// Whatever happens to holds, slices, grants and time, the books add up after every step.
#[tokio::test]
async fn any_life_of_holds_keeps_the_books() {
    let world = World::start().await;
    let mut random = seeded();
    world.grant("pool", "500", "never");
    world.grant("shop", "300", "1d");
    let grants = [world.grant("pool", "200", "2d"), world.grant("blog", "50", "never")];
    let (mut holds, mut debits): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for step in 0..120 {
        let credits = random.random_range(1..60).to_string();
        let key = format!("step-{step}");
        let site = ["shop", "blog"][random.random_range(0..2)];
        match random.random_range(0..10) {
            0..=3 => {
                let expires_in = random.random_range(1..40_000);
                let body =
                    json!({"site": site, "agent": "bot", "credits": credits, "expires_in": expires_in});
                let made = world.post("/v1/holds", &key, body).await;
                if made.status == 201 {
                    holds.push(made.text("id"));
                }
            }
            4 | 5 if !holds.is_empty() => {
                let hold = holds.swap_remove(random.random_range(0..holds.len()));
                let body = json!({"credits": credits});
                let made = world.post(&format!("/v1/holds/{hold}/capture"), &key, body).await;
                if made.status == 201 {
                    debits.push(made.text("id"));
                }
            }
            6 if !holds.is_empty() => {
                let hold = holds.swap_remove(random.random_range(0..holds.len()));
                world.post(&format!("/v1/holds/{hold}/release"), &key, json!({})).await;
            }
            7 if !debits.is_empty() => {
                let debit = &debits[random.random_range(0..debits.len())];
                let body = if random.random_bool(0.5) { json!({"credits": credits}) } else { json!({}) };
                world.post(&format!("/v1/debits/{debit}/reversal"), &key, body).await;
            }
            8 => {
                let now = world.app.clock.now().plus_millis(random.random_range(1..10_000_000));
                world.app.clock.turn_to(now);
            }
            9 if step > 60 => {
                let grant = &grants[random.random_range(0..2)];
                let voided = format!("/v1/grants/{grant}/void");
                world.post(&voided, &key, json!({"reason": "a mistake"})).await;
            }
            _ => {}
        }
        let [available, held, posted, _] = world.numbers("account:lab:customer:2").await;
        assert_eq!(micro(&available) + micro(&held), micro(&posted), "after step {step}");
        world.app.prove();
    }
}

/// The daemon was down while a hold ended, and before that its grant: both are booked in the order of time, and the
/// account goes on.
#[tokio::test]
async fn a_hold_that_outlived_its_grant_ends_once_although_nobody_was_there() {
    let world = World::start().await;
    let grant = world.grant("pool", "9", "1d");
    let now = |text: &str| world.app.clock.turn_to(text.parse().unwrap());
    now("2026-11-21T23:59:30Z");
    world.hold("before midnight", "6").await;
    now("2026-11-25T12:00:00Z");
    world.grant("pool", "10", "never");
    assert_eq!(world.numbers("site:shop").await[0], "10");
    let alice = world.alice.clone();
    let expired = world.app.db().read(|tx| {
        tx.query(
            "-- test
             SELECT amount, booked_at FROM entry WHERE account_id = $1 AND grant_id = $2 AND kind = 'expired'
             ORDER BY seq",
            params![&alice, &grant],
            |row| Ok((row.get::<i64>(0)? / 1_000_000, row.get::<Timestamp>(1)?.to_string())),
        )
    });
    let [(three, at_once), (six, later)] = &expired.unwrap()[..] else { panic!("two ends") };
    assert_eq!((*three, at_once.as_str()), (3, "2026-11-22T00:00:00Z"));
    assert_eq!((*six, &later[..16] > "2026-11-22T00:00"), (6, true), "{later}");
}

/// A debit counts on the day it was made on, and so does its reversal, whatever time zone the account has by then.
#[tokio::test]
async fn what_is_given_back_is_taken_from_the_day_it_was_counted_on() {
    let world = World::start().await;
    world.grant("pool", "100", "never");
    let zone = |zone: &str| {
        let settings = Settings { time_zone: Some(zone.parse().unwrap()), ..Settings::default() };
        let alice = world.alice.clone();
        write(world.app.db(), move |tx| settings::set(tx, &alice.into(), &settings));
    };
    zone("Europe/Vienna");
    // Half an hour into December there, still November in New York.
    world.app.clock.turn_to("2026-11-30T23:30:00Z".parse().unwrap());
    let debit = world.post("/v1/debits", "d", json!({"site": "shop", "credits": "10"})).await;
    zone("America/New_York");
    world.app.clock.turn_to("2026-12-02T12:00:00Z".parse().unwrap());
    assert_eq!(world.numbers("site:shop").await[3], "10");
    let path = format!("/v1/debits/{}/reversal", debit.text("id"));
    assert_eq!(world.post(&path, "r", json!({"credits": "4"})).await.status, 200);
    assert_eq!(world.numbers("site:shop").await[3], "6");
}

/// Money went back for a part of what is held: a read after the hold's time shows it taken from the slice from which
/// it will be.
#[tokio::test]
async fn what_is_due_of_an_overdue_hold_is_taken_from_the_same_slice_before_and_after_it_is_booked() {
    let world = World::start().await;
    let purchase = Purchase { store: 1, order: 77, line: 1 };
    let bought = NewGrant {
        compartment: Compartment::Site("shop".parse().unwrap()),
        amount: "40".parse().unwrap(),
        category: Category::Paid,
        priority: None,
        label: "40".to_owned(),
        reason: None,
        effective_at: None,
        expiry: Expiry::After(Validity::Never),
        purchase: Some(purchase),
        shown_as: Shown::TopUp,
    };
    let alice = world.alice.clone();
    write(world.app.db(), move |tx| {
        let (pool, shop) = (Compartment::Pool, bought.compartment.clone());
        LockedAccount::lock(tx, &alice)?.grant(&bought)?;
        LockedAccount::lock(tx, &alice)?.relocate(&shop, &pool, "30".parse().unwrap()).map(drop)
    });
    world.hold("h", "35").await;
    let alice = world.alice.clone();
    let clawed = write(world.app.db(), move |tx| {
        let (amount, debt) = ("8".parse().unwrap(), Shortfall::Debt);
        LockedAccount::lock(tx, &alice)?.claw_back("op_test", purchase, amount, "Refund", debt, None)
    });
    assert_eq!((clawed.taken.to_string(), clawed.due.to_string()), ("5".to_owned(), "3".to_owned()));
    world.app.clock.turn_to("2026-11-21T18:00:00Z".parse().unwrap());
    // The daemon may book it at any moment; the answers are the same before and after.
    for _ in 0..2 {
        let wallet = world.app.get("/v1/wallets/site:shop").await;
        let mut left: Vec<String> =
            wallet["breakdown"].as_array().unwrap().iter().map(scope_and_rest).collect();
        left.sort();
        assert_eq!(left, ["pool 25", "site 7"]);
        let alice = world.alice.clone();
        write(world.app.db(), move |tx| LockedAccount::lock(tx, &alice).map(drop));
    }
}

fn scope_and_rest(part: &Value) -> String {
    format!("{} {}", part["scope"].as_str().unwrap(), part["remaining"].as_str().unwrap())
}
