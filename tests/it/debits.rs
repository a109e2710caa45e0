//! `POST /v1/debits` as the assistant service uses it, and as somebody would who wants to break it.

use nivella_wallet::access;
use nivella_wallet::db::Tx;
use nivella_wallet::id::AccountId;
use nivella_wallet::ledger::LockedAccount;
use nivella_wallet::ledger::slice::{Category, Compartment};
use nivella_wallet::ledger::store::{Expiry, NewGrant, Shown};
use nivella_wallet::params;
use nivella_wallet::site::{Field, store as sites};
use nivella_wallet::time::Validity;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::app::{TestApp, key, write};

// The stage -----------------------------------------------------------------------------------------

/// Alice runs `shop` and `blog` for client acme, and Bob runs `farm`. Nobody owns `stray`.
struct World {
    app: TestApp,
    alice: AccountId,
}

/// What the API answered.
#[derive(Debug)]
struct Answer {
    status: u16,
    replayed: bool,
    kind: String,
    text: String,
}

impl Answer {
    async fn of(response: Response) -> Self {
        let header =
            |name| response.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        let (status, replayed) = (response.status().as_u16(), header("idempotent-replayed") == "true");
        Self { status, replayed, kind: header("content-type"), text: response.text().await.unwrap() }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Status and code in a word, for tables.
    fn brief(&self) -> String {
        if self.status == 201 { "201".to_owned() } else { format!("{} {}", self.status, self.code()) }
    }
}

impl World {
    async fn start() -> Self {
        Self::of(TestApp::start().await)
    }

    fn of(app: TestApp) -> Self {
        let alice = write(app.db(), |tx| {
            let alice = sites::open(tx, &"lab:customer:2".parse().unwrap())?;
            let bob = sites::open(tx, &"lab:customer:3".parse().unwrap())?;
            let acme = Field::Set("acme".parse().unwrap());
            for (site, owner) in [("shop", &alice), ("blog", &alice), ("farm", &bob), ("stray", &bob)] {
                sites::assign(tx, &site.parse().unwrap(), owner, &acme, &Field::Keep)?;
            }
            sites::unassign(tx, &"stray".parse().unwrap())?;
            Ok::<_, sites::Error>(alice)
        });
        Self { app, alice }
    }

    /// Gives Alice credits: `grant("shop", "100", "paid 30d")`.
    fn grant(&self, to: &str, credits: &str, what: &str) -> String {
        let (category, validity) = what.split_once(' ').unwrap_or((what, "never"));
        let category: Category = category.parse().unwrap();
        let grant = NewGrant {
            compartment: if to == "pool" {
                Compartment::Pool
            } else {
                Compartment::Site(to.parse().unwrap())
            },
            amount: credits.parse().unwrap(),
            category,
            priority: None,
            label: format!("{what} at {to}"),
            reason: None,
            effective_at: None,
            expiry: Expiry::After(validity.parse::<Validity>().unwrap()),
            purchase: None,
            shown_as: Shown::grant(category),
        };
        let alice = self.alice.clone();
        write(self.app.db(), move |tx| LockedAccount::lock(tx, &alice)?.grant(&grant)).id.to_string()
    }

    fn sql(&self, sql: &'static str) {
        write(self.app.db(), move |tx: &mut Tx<'_>| tx.execute(sql, params![]));
    }

    /// Debits with the administrator's key.
    async fn debit(&self, idempotency_key: &str, body: &str) -> Answer {
        self.debit_with(&self.app.admin, Some(idempotency_key), body).await
    }

    async fn debit_with(
        &self,
        api_key: &str,
        idempotency_key: Option<&str>,
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        let mut request = self.app.http.post(self.app.url("/v1/debits")).body(body.into());
        if !api_key.is_empty() {
            request = request.bearer_auth(api_key);
        }
        if let Some(key) = idempotency_key {
            request = request.header("Idempotency-Key", key);
        }
        Answer::of(request.send().await.unwrap()).await
    }

    /// How much anybody could find of a debit: rows, entries, kept answers.
    fn traces(&self) -> [i64; 4] {
        [
            self.app.count("debit"),
            self.app.count("entry WHERE kind = 'spent'"),
            self.app.count("idempotency"),
            self.app.count("activity_now WHERE kind = 'usage'"),
        ]
    }
}

fn ask(site: &str, credits: &str) -> String {
    json!({ "site": site, "credits": credits }).to_string()
}

// What is answered ----------------------------------------------------------------------------------

#[tokio::test]
async fn a_debit_answers_with_what_it_took_and_what_is_left() {
    let world = World::start().await;
    let grant = world.grant("shop", "1250", "paid");
    let body = r#"{"site":"shop","agent":"front-desk","credits":"3","label":"Answered a question",
        "usage":{"model":"private"},"reference":"call-7","occurred_at":"2026-11-20T17:59:00Z"}"#;
    let answer = world.debit("k1", body).await;
    assert_eq!((answer.status, answer.kind.as_str(), answer.replayed), (201, "application/json", false));
    let debit = answer.json();
    let id = debit["id"].as_str().unwrap();
    assert!(id.starts_with("db_"), "{id}");
    let expected = json!({
        "id": id, "credits": "3", "available": "1247", "status": "ok", "mode": "normal",
        "slices": [{ "grant": grant, "credits": "3" }],
    });
    assert_eq!(debit, expected);

    let feed = world.app.get("/v1/wallets/site:shop/feed").await;
    assert_eq!(feed["available"], "1247");
    assert_eq!(feed["used"], "3");
    assert_eq!(feed["activity"][0]["label"], "Answered a question");
    assert_eq!(feed["activity"][0]["credits"], "-3");
    assert!(!feed.to_string().contains("private"), "the feed shows what the service keeps for itself");
}

#[tokio::test]
async fn the_smallest_amount_is_exact() {
    let world = World::start().await;
    world.grant("shop", "1", "paid");
    let answer = world.debit("k1", &ask("shop", "0.000001")).await;
    assert_eq!(answer.json()["available"], "0.999999");
    let answer = world.debit("k2", &ask("shop", "0.999999")).await;
    assert_eq!(
        (answer.json()["available"].clone(), answer.json()["status"].clone()),
        (json!("0"), json!("empty"))
    );
    assert_eq!(answer.json()["mode"], "handover");
    assert_eq!(world.debit("k3", &ask("shop", "0.000001")).await.brief(), "402 insufficient_credits");
}

/// Recurring, bonus, paid; of the paid ones what expires first; of those that stay the site's own first.
#[tokio::test]
async fn several_grants_pay_in_burn_order() {
    let world = World::start().await;
    let pool = world.grant("pool", "5", "paid");
    let site = world.grant("shop", "4", "paid");
    let expiring = world.grant("pool", "3", "paid 30d");
    let bonus = world.grant("pool", "2", "bonus 3mo");
    let plan = world.grant("shop", "1", "recurring cycle");
    let other = world.grant("blog", "100", "recurring 1d");

    let answer = world.debit("k1", &ask("shop", "12.5")).await.json();
    let taken: Vec<(&str, &str)> = answer["slices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|slice| (slice["grant"].as_str().unwrap(), slice["credits"].as_str().unwrap()))
        .collect();
    let expected = [(&plan, "1"), (&bonus, "2"), (&expiring, "3"), (&site, "4"), (&pool, "2.5")];
    assert_eq!(taken, expected.map(|(grant, credits)| (grant.as_str(), credits)));
    assert_eq!(answer["available"], "2.5");
    assert!(taken.iter().all(|(grant, _)| *grant != other), "a debit took what lies at another site");
    assert_eq!(world.app.count("entry WHERE kind = 'spent'"), 5, "one entry for each slice");
    assert_eq!(world.app.count("activity_now WHERE kind = 'usage'"), 1, "one line for the customer");
}

/// What a debit says of the wallet is what the wallet says the moment after.
#[tokio::test]
async fn a_debit_and_the_wallet_agree_on_status_and_mode() {
    let world = World::start().await;
    world.grant("shop", "1000", "bonus");
    world.grant("pool", "100", "paid");
    for (key, credits) in
        [("a", "700"), ("b", "100"), ("c", "200"), ("d", "79"), ("e", "1"), ("f", "15"), ("g", "5")]
    {
        let debit = world.debit(key, &ask("shop", credits)).await.json();
        let wallet = world.app.get("/v1/wallets/site:shop").await;
        for field in ["available", "status", "mode"] {
            assert_eq!(debit[field], wallet[field], "{field} after {key}: {debit} {wallet}");
        }
    }
}

#[tokio::test]
async fn too_little_takes_nothing_and_says_how_much_there_is_and_where_more_is_sold() {
    let shop = "https://store.example/credits";
    let app = TestApp::start_with(|config| config.top_up_url = Some(shop.parse().unwrap())).await;
    let world = World::of(app);
    world.grant("shop", "1.5", "paid");
    world.grant("pool", "0.5", "bonus");
    world.grant("blog", "100", "paid");
    let before = world.traces();
    let answer = world.debit("k1", &ask("shop", "3")).await;
    assert_eq!((answer.status, answer.kind.as_str()), (402, "application/problem+json"));
    let problem = answer.json();
    assert!(problem["type"].as_str().unwrap().ends_with("/insufficient_credits"), "{problem}");
    assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem}");
    let rest: Vec<Value> = ["title", "status", "code", "available", "required", "top_up_url"]
        .map(|name| problem[name].clone())
        .to_vec();
    let expected = json!(["Not enough credits", 402, "insufficient_credits", "2", "3", shop]);
    assert_eq!(Value::from(rest), expected);
    assert_eq!(world.traces(), before);
}

/// Without a configured address the customer is sent where the wallet page sends them: to the shop.
#[tokio::test]
async fn a_402_points_to_the_shop_when_nothing_is_configured() {
    let world = World::start().await;
    let problem = world.debit("k1", &ask("shop", "3")).await.json();
    let feed = world.app.get("/v1/wallets/site:shop/feed").await;
    assert!(feed["links"]["top_up"].is_string(), "{feed}");
    assert_eq!(problem["top_up_url"], feed["links"]["top_up"]);
}

/// At the very instant credits expire they are gone, for debits and for reading, swept or not.
#[tokio::test]
async fn credits_are_gone_at_the_instant_they_expire() {
    let world = World::start().await;
    world.grant("shop", "10", "bonus 30d");
    world.app.clock.turn_to("2026-12-20T23:59:59.999Z".parse().unwrap());
    assert_eq!(world.debit("k1", &ask("shop", "1")).await.brief(), "201");
    world.app.clock.turn_to("2026-12-21T00:00:00Z".parse().unwrap());
    assert_eq!(world.app.get("/v1/wallets/site:shop").await["available"], "0");
    let refused = world.debit("k2", &ask("shop", "1")).await;
    assert_eq!(
        (refused.brief().as_str(), refused.json()["available"].clone()),
        ("402 insufficient_credits", json!("0"))
    );
    world.app.prove();

    // A clock that is set back brings nothing back once the loss was booked, and breaks no chain. What was
    // given after the time it shows is not good yet.
    world.grant("shop", "2", "paid");
    world.app.clock.turn_to("2026-12-01T00:00:00Z".parse().unwrap());
    assert_eq!(world.debit("k3", &ask("shop", "1")).await.brief(), "402 insufficient_credits");
    world.grant("shop", "1", "bonus 1d");
    assert_eq!(world.debit("k3", &ask("shop", "0.25")).await.json()["available"], "0.75");
    world.app.prove();
    world.app.clock.turn_to("2026-12-21T00:00:00Z".parse().unwrap());
    assert_eq!(world.app.get("/v1/wallets/site:shop").await["available"], "2");
}

// Freezing ------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_frozen_account_keeps_its_credits_and_spends_none() {
    let world = World::start().await;
    world.grant("shop", "10", "paid");
    let kept = world.debit("before", &ask("shop", "1")).await;
    world.sql("-- test\n UPDATE account SET frozen_reason = 'under review'");
    for amount in ["1", "100"] {
        let answer = world.debit("k1", &ask("shop", amount)).await;
        assert_eq!(answer.brief(), "423 frozen", "frozen comes before 402");
        assert!(!answer.text.contains("under review"), "the reason is for the shop");
    }
    let again = world.debit("before", &ask("shop", "1")).await;
    assert_eq!(
        (again.status, again.replayed, &again.text),
        (201, true, &kept.text),
        "what was done stays done"
    );
    assert_eq!(world.app.get("/v1/wallets/site:shop").await["available"], "9");
    world.sql("-- test\n UPDATE account SET frozen_reason = NULL");
    assert_eq!(world.debit("k1", &ask("shop", "1")).await.brief(), "201");
}

// Idempotency ---------------------------------------------------------------------------------------

#[tokio::test]
async fn the_same_request_again_gets_the_same_answer_and_takes_nothing() {
    let world = World::start().await;
    world.grant("shop", "10", "paid");
    let first = world.debit("k1", &ask("shop", "1")).await;
    assert_eq!((first.status, first.replayed), (201, false));
    world.grant("shop", "5", "paid");
    for _ in 0..3 {
        let again = world.debit("k1", &ask("shop", "1")).await;
        assert_eq!((again.status, again.replayed, &again.text), (201, true, &first.text));
    }
    // Another body is another request, also where it means the same.
    for body in [
        r#"{"site":"shop","credits":"2"}"#,
        r#"{"site":"shop", "credits":"1"}"#,
        r#"{"site":"blog","credits":"1"}"#,
    ] {
        let other = world.debit("k1", body).await;
        assert_eq!((other.brief().as_str(), other.replayed), ("422 idempotency_mismatch", false), "{body}");
        assert!(other.text.contains("was answered 201 (db_"), "{}", other.text);
    }
    assert_eq!(world.traces(), [1, 1, 1, 1]);
}

/// 64 clients at once with one key: one debit, and everybody is told of it.
#[tokio::test]
async fn one_key_at_once_is_one_debit() {
    let world = std::sync::Arc::new(World::start().await);
    world.grant("shop", "1000", "paid");
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let world = std::sync::Arc::clone(&world);
        clients.spawn(async move { world.debit("same", &ask("shop", "7")).await });
    }
    let answers = clients.join_all().await;
    assert!(answers.iter().all(|answer| answer.status == 201 && answer.text == answers[0].text));
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    assert_eq!(world.traces(), [1, 1, 1, 1]);
}

#[tokio::test]
async fn a_refused_request_leaves_no_trace_and_its_key_may_be_tried_again() {
    let world = World::start().await;
    assert_eq!(world.debit("k1", &ask("shop", "5")).await.brief(), "402 insufficient_credits");
    assert_eq!(world.debit("k1", r#"{"site":"shop","credits":5}"#).await.brief(), "422 invalid_request");
    assert_eq!(
        world.debit("k1", r#"{"site":"shop","action":"chat","quantity":1}"#).await.brief(),
        "422 unknown_action"
    );
    assert_eq!(world.traces(), [0, 0, 0, 0]);
    world.grant("shop", "5", "paid");
    let answer = world.debit("k1", &ask("shop", "5")).await;
    assert_eq!((answer.status, answer.replayed), (201, false));
}

#[tokio::test]
async fn idempotency_keys_belong_to_the_api_key_that_used_them() {
    let world = World::start().await;
    world.grant("shop", "10", "paid");
    let [first, second] = [(), ()].map(|()| key(world.app.db(), "debit"));
    let one = world.debit_with(&first, Some("same"), ask("shop", "1")).await;
    let two = world.debit_with(&second, Some("same"), ask("shop", "2")).await;
    assert_eq!((one.brief(), two.brief(), two.replayed), ("201".to_owned(), "201".to_owned(), false));
    assert_ne!(one.json()["id"], two.json()["id"]);
    assert_eq!(world.debit_with(&first, Some("same"), ask("shop", "1")).await.text, one.text);
}

#[tokio::test]
async fn an_idempotency_key_is_needed_and_has_1_to_255_characters() {
    let world = World::start().await;
    world.grant("shop", "10", "paid");
    for key in [None, Some(""), Some("  "), Some(&*"k".repeat(256)), Some("a\tb")] {
        let answer = world.debit_with(&world.app.admin, key, ask("shop", "1")).await;
        assert_eq!(answer.brief(), "422 invalid_request", "{key:?}");
        assert_eq!(answer.json()["errors"][0]["pointer"], "/headers/Idempotency-Key", "{key:?}");
    }
    let twice = world
        .app
        .request(Method::POST, "/v1/debits")
        .header("Idempotency-Key", "a")
        .header("Idempotency-Key", "b")
        .body(ask("shop", "1"));
    assert_eq!(twice.send().await.unwrap().status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(world.traces(), [0, 0, 0, 0]);
    assert_eq!(world.debit(&"k".repeat(255), &ask("shop", "1")).await.brief(), "201");
}

// Who may -------------------------------------------------------------------------------------------

/// 401, 404, idempotency, 422, 423, 402: each row is wrong in everything that comes after, too.
#[tokio::test]
async fn refusals_come_in_the_order_of_the_rules() {
    let world = World::start().await;
    world.grant("shop", "10", "paid");
    assert_eq!(world.debit("used", &ask("shop", "1")).await.status, 201);
    world.sql("-- test\n UPDATE account SET frozen_reason = 'under review'");
    let admin = &world.app.admin;
    let farmer = key(world.app.db(), "debit:site:farm");
    let reader = key(world.app.db(), "site:shop");
    let stranger = format!("nwk_{}", "0".repeat(64));
    for (api_key, idempotency_key, body, expected) in [
        (&stranger, None, "{".to_owned(), "401 unauthorized"),
        (&farmer, None, r#"{"site":"shop","credits":5}"#.to_owned(), "404 not_found"),
        (&reader, None, r#"{"site":"shop","credits":5}"#.to_owned(), "403 forbidden"),
        (admin, None, r#"{"site":"nowhere","credits":5}"#.to_owned(), "404 not_found"),
        (admin, Some("used"), r#"{"site":"shop","credits":5}"#.to_owned(), "422 idempotency_mismatch"),
        (admin, Some("new"), r#"{"site":"shop","credits":5}"#.to_owned(), "422 invalid_request"),
        (admin, Some("new"), ask("shop", "1000"), "423 frozen"),
    ] {
        let answer = world.debit_with(api_key, idempotency_key, body.clone()).await;
        assert_eq!(answer.brief(), expected, "{idempotency_key:?} {body}");
    }
    world.sql("-- test\n UPDATE account SET frozen_reason = NULL");
    assert_eq!(world.debit("new", &ask("shop", "1000")).await.brief(), "402 insufficient_credits");
}

#[tokio::test]
async fn each_scope_spends_where_it_may_and_learns_nothing_elsewhere() {
    let world = World::start().await;
    world.grant("pool", "1000", "paid");
    let bob = "account:lab:customer:3".to_owned();
    let (ok, forbidden, missing) = ("201", "403 forbidden", "404 not_found");
    // Alice's shop, her blog, Bob's farm (where there is nothing to spend).
    let empty = "402 insufficient_credits";
    for (scope, [shop, blog, farm]) in [
        ("admin", [ok, ok, empty]),
        ("debit", [ok, ok, empty]),
        ("debit:site:shop", [ok, missing, missing]),
        ("debit:account:lab:customer:2", [ok, ok, missing]),
        (&*format!("debit:{bob}"), [missing, missing, empty]),
        (&*format!("debit:account:{}", world.alice), [ok, ok, missing]),
        ("site:shop", [forbidden, missing, missing]),
        ("account:lab:customer:2", [forbidden, forbidden, missing]),
        ("client:lab:customer:2/acme", [forbidden, forbidden, missing]),
        ("client:lab:customer:2/other", [missing, missing, missing]),
        (&*bob, [missing, missing, forbidden]),
        ("site:nowhere", [missing, missing, missing]),
        ("debit:account:lab:customer:99", [missing, missing, missing]),
    ] {
        let api_key = key(world.app.db(), scope);
        for (site, expected) in
            [("shop", shop), ("blog", blog), ("farm", farm), ("stray", missing), ("nowhere", missing)]
        {
            let answer = world.debit_with(&api_key, Some(&format!("{scope} {site}")), ask(site, "1")).await;
            assert_eq!(answer.brief(), expected, "{scope} at {site}");
            if answer.status == 404 {
                let unknown = world.debit_with(&api_key, Some("x"), ask("never-heard-of", "1")).await;
                assert_eq!(
                    answer.text, unknown.text,
                    "{scope}: foreign and unknown can be told apart at {site}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_key_that_was_revoked_or_has_expired_spends_nothing() {
    let world = World::start().await;
    world.grant("shop", "10", "paid");
    let (revoked, expired) = write(world.app.db(), |tx| {
        let (first, revoked) = access::store::create(tx, "first", &["debit".parse().unwrap()], None)?;
        let until = Some("2026-11-20T18:00:01Z".parse().unwrap());
        let (_, expired) = access::store::create(tx, "second", &["debit".parse().unwrap()], until)?;
        access::store::revoke(tx, &first.id)?;
        Ok::<_, access::store::Error>((revoked, expired))
    });
    world.app.clock.turn_to("2026-11-20T18:00:01Z".parse().unwrap());
    for (index, secret) in [revoked, expired].iter().enumerate() {
        let answer = world.debit_with(secret.reveal(), Some("k"), ask("shop", "1")).await;
        assert_eq!(answer.brief(), "401 unauthorized", "{index}");
    }
    assert_eq!(world.debit_with("", Some("k"), ask("shop", "1")).await.brief(), "401 unauthorized");
    assert_eq!(world.traces(), [0, 0, 0, 0]);
}

// Many at once --------------------------------------------------------------------------------------

/// 64 clients want 1,600 credits of a wallet that has 1,000: exactly 1,000 debits succeed.
#[tokio::test]
async fn a_wallet_of_a_thousand_is_spent_a_thousand_times_by_sixty_four_clients() {
    let world = std::sync::Arc::new(World::start().await);
    world.grant("shop", "400", "paid");
    world.grant("pool", "600", "bonus 30d");
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..64 {
        let world = std::sync::Arc::clone(&world);
        clients.spawn(async move {
            let (mut done, mut refused) = (0, 0);
            for number in 0..25 {
                let site = if client % 2 == 0 { "shop" } else { "blog" };
                let answer = world.debit(&format!("{client}-{number}"), &ask(site, "1")).await;
                match answer.brief().as_str() {
                    "201" => done += 1,
                    "402 insufficient_credits" => refused += 1,
                    _ => panic!("{answer:?}"),
                }
            }
            (site_of(client), done, refused)
        });
    }
    let counts = clients.join_all().await;
    let done: i64 = counts.iter().map(|(_, done, _)| done).sum();
    let refused: i64 = counts.iter().map(|(_, _, refused)| refused).sum();
    assert_eq!((done, refused), (1000, 600), "{counts:?}");
    assert_eq!(world.traces()[0], 1000);
    assert_eq!(world.app.get("/v1/wallets/account:lab:customer:2").await["available"], "0");
    world.app.prove();
}

fn site_of(client: usize) -> &'static str {
    if client.is_multiple_of(2) { "shop" } else { "blog" }
}

/// Two accounts spend at once; neither waits for or takes from the other.
#[tokio::test]
async fn two_accounts_race_and_each_ends_where_it_should() {
    let world = std::sync::Arc::new(World::start().await);
    world.grant("pool", "100", "paid");
    write(world.app.db(), |tx| {
        let bob = sites::open(tx, &"lab:customer:3".parse().unwrap()).unwrap();
        let grant = NewGrant {
            compartment: Compartment::Pool,
            amount: "50".parse().unwrap(),
            category: Category::Paid,
            priority: None,
            label: "Bob's".to_owned(),
            reason: None,
            effective_at: None,
            expiry: Expiry::After(Validity::Never),
            purchase: None,
            shown_as: Shown::TopUp,
        };
        LockedAccount::lock(tx, &bob)?.grant(&grant)
    });
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..200 {
        let world = std::sync::Arc::clone(&world);
        let site = if number % 2 == 0 { "shop" } else { "farm" };
        clients.spawn(async move { (site, world.debit(&format!("{number}"), &ask(site, "1")).await.status) });
    }
    let answers = clients.join_all().await;
    let done = |site| answers.iter().filter(|answer| **answer == (site, 201)).count();
    assert_eq!((done("shop"), done("farm")), (100, 50));
    world.app.prove();
}

// Hostile bodies ------------------------------------------------------------------------------------

#[tokio::test]
async fn hostile_json_is_refused_by_name_and_takes_nothing() {
    let world = World::start().await;
    world.grant("shop", "10", "paid");
    let deep = format!(r#"{{"site":"shop","credits":"1","usage":{}{}}}"#, "[".repeat(5000), "]".repeat(5000));
    let long = json!({ "site": "shop", "credits": "1", "label": "x".repeat(501) }).to_string();
    let wide_digits = format!(r#"{{"site":"shop","credits":"{}"}}"#, "9".repeat(100_000));
    for (body, pointer) in [
        (&b""[..], ""),
        (b"{", ""),
        (b"null", ""),
        (b"[]", ""),
        (b"\"shop\"", ""),
        (b"{\"site\":\"shop\",\"credits\":\"1\"} x", ""),
        (b"{\"site\":\"shop\",\"credits\":\"1\"}{}", ""),
        (b"\xff\xfe{\"site\":\"shop\"}", ""),
        (b"{\"site\":\"sh\xc3\x28p\",\"credits\":\"1\"}", ""),
        (br#"{"site":"\ud800","credits":"1"}"#, ""),
        (br#"{"site":"shop","credits":NaN}"#, ""),
        (br#"{"site":"shop","credits":1e999}"#, ""),
        (deep.as_bytes(), ""),
        // A field given twice means what the last reader takes it to mean.
        (br#"{"site":"shop","credits":"1","credits":"9"}"#, "/credits"),
        (br#"{"site":"shop","credits":"1","site":"blog"}"#, "/site"),
        (br#"{"credits":"1"}"#, "/site"),
        (br#"{"site":null,"credits":"1"}"#, "/site"),
        (br#"{"site":7,"credits":"1"}"#, "/site"),
        (br#"{"site":"","credits":"1"}"#, "/site"),
        (br#"{"site":"shop\u0000","credits":"1"}"#, "/site"),
        (br#"{"site":"../shop","credits":"1"}"#, "/site"),
        (br#"{"site":"shop"}"#, "/credits"),
        (br#"{"site":"shop","credits":null}"#, "/credits"),
        (br#"{"site":"shop","credits":1}"#, "/credits"),
        (br#"{"site":"shop","credits":true}"#, "/credits"),
        (br#"{"site":"shop","credits":["1"]}"#, "/credits"),
        (br#"{"site":"shop","credits":{"$gt":"0"}}"#, "/credits"),
        (br#"{"site":"shop","credits":""}"#, "/credits"),
        (br#"{"site":"shop","credits":"0"}"#, "/credits"),
        (br#"{"site":"shop","credits":"0.000000"}"#, "/credits"),
        (br#"{"site":"shop","credits":"-0"}"#, "/credits"),
        (br#"{"site":"shop","credits":"-1"}"#, "/credits"),
        (br#"{"site":"shop","credits":"+1"}"#, "/credits"),
        (br#"{"site":"shop","credits":" 1"}"#, "/credits"),
        (br#"{"site":"shop","credits":"1 "}"#, "/credits"),
        (br#"{"site":"shop","credits":"1e3"}"#, "/credits"),
        (br#"{"site":"shop","credits":"0x10"}"#, "/credits"),
        (br#"{"site":"shop","credits":"1,000"}"#, "/credits"),
        (br#"{"site":"shop","credits":"1_000"}"#, "/credits"),
        (br#"{"site":"shop","credits":"."}"#, "/credits"),
        (br#"{"site":"shop","credits":"1."}"#, "/credits"),
        (br#"{"site":"shop","credits":".5"}"#, "/credits"),
        (br#"{"site":"shop","credits":"NaN"}"#, "/credits"),
        (br#"{"site":"shop","credits":"Infinity"}"#, "/credits"),
        ("{\"site\":\"shop\",\"credits\":\"\u{0661}\"}".as_bytes(), "/credits"),
        (br#"{"site":"shop","credits":"0.0000001"}"#, "/credits"),
        (br#"{"site":"shop","credits":"9223372036854775807"}"#, "/credits"),
        (br#"{"site":"shop","credits":"18446744073709551617"}"#, "/credits"),
        (wide_digits.as_bytes(), "/credits"),
        (br#"{"site":"shop","credits":"1","quantity":1}"#, "/quantity"),
        (br#"{"site":"shop","quantity":1}"#, "/action"),
        (br#"{"site":"shop","credits":"1","credit":"1"}"#, "/credit"),
        (br#"{"site":"shop","credits":"1","a/b~c":1}"#, "/a~1b~0c"),
        (br#"{"site":"shop","credits":"1","agent":"a b"}"#, "/agent"),
        (br#"{"site":"shop","credits":"1","label":1}"#, "/label"),
        (br#"{"site":"shop","credits":"1","label":"a\u0000b"}"#, "/label"),
        (br#"{"site":"shop","credits":"1","label":"a\nb"}"#, "/label"),
        (long.as_bytes(), "/label"),
        (br#"{"site":"shop","credits":"1","occurred_at":"yesterday"}"#, "/occurred_at"),
        (br#"{"site":"shop","credits":"1","occurred_at":1763656200}"#, "/occurred_at"),
    ] {
        let shown = String::from_utf8_lossy(&body[..body.len().min(90)]);
        let answer = world.debit_with(&world.app.admin, Some("k"), body).await;
        assert_eq!(answer.brief(), "422 invalid_request", "{shown}: {answer:?}");
        assert_eq!(answer.kind, "application/problem+json", "{shown}");
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{shown}: {}", answer.text);
        assert!(answer.text.len() < 4096, "{shown}: the answer repeats what it was sent");
    }
    assert_eq!(world.traces(), [0, 0, 0, 0]);

    // Strange and right all the same.
    let label = "\u{1f30d}".repeat(500);
    for (key, body) in [
        ("escaped", r#"{"s\u0069te":"sh\u006fp","credits":"1"}"#.to_owned()),
        ("zeros", r#" {"site":"shop","credits":"001.50"} "#.to_owned()),
        (
            "nulls",
            r#"{"site":"shop","credits":"1","label":null,"agent":null,"usage":null,"occurred_at":null}"#
                .to_owned(),
        ),
        (
            "usage",
            r#"{"site":"shop","credits":"1","usage":{"site":"blog","\u0000":["\u0000",1.5e300]}}"#.to_owned(),
        ),
        ("label", json!({ "site": "shop", "credits": "1", "label": label }).to_string()),
    ] {
        let answer = world.debit(key, &body).await;
        assert_eq!(answer.brief(), "201", "{key}: {answer:?}");
    }
    let feed = world.app.get("/v1/wallets/site:shop/feed").await;
    assert_eq!(feed["available"], "4.5");
    assert_eq!(feed["activity"][0]["label"], label);
}
