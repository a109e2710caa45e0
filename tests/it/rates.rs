//! The rate card, from the command that sets a rate to the debit that is priced by it.

use std::process::Command;

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::TestApp;

/// A wallet `shop` with 1,000 credits; its daemon runs and the command line works on the same database.
struct World {
    app: TestApp,
    asked: u32,
}

impl World {
    async fn start() -> Self {
        let world = Self { app: TestApp::start().await, asked: 0 };
        // Later than the real clock of the command line.
        world.app.clock.turn_to("2036-11-20T18:00:00Z".parse().unwrap());
        world.ok("site assign shop --account lab:customer:2");
        world.ok("wallet grant site:shop --credits 1000 --reason test");
        world
    }

    /// Runs a command on the daemon's database; the clock of the command line is the real one.
    fn ok(&self, args: &str) -> String {
        let (is_ok, out, err) = self.run(args);
        assert!(is_ok, "{args}: {err}");
        out
    }

    fn run(&self, args: &str) -> (bool, String, String) {
        let words = args.split('\'').enumerate().flat_map(|(part, text)| {
            if part % 2 == 1 { vec![text] } else { text.split_whitespace().collect() }
        });
        let answer = Command::new(env!("CARGO_BIN_EXE_nivella-wallet"))
            .args(["--database", &self.app.db().url().to_string()])
            .args(words)
            .env_clear()
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (answer.status.success(), text(answer.stdout), text(answer.stderr))
    }

    async fn debit(&mut self, body: Value) -> (u16, Value) {
        self.asked += 1;
        let answer = self
            .app
            .request(Method::POST, "/v1/debits")
            .header("Idempotency-Key", self.asked.to_string())
            .body(body.to_string())
            .send()
            .await
            .unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
    }

    async fn cost(&mut self, action: &str, quantity: Value) -> String {
        let (status, answer) =
            self.debit(json!({"site": "shop", "action": action, "quantity": quantity})).await;
        match status {
            201 => answer["credits"].as_str().unwrap().to_owned(),
            _ => format!("{status} {}", answer["code"].as_str().unwrap()),
        }
    }
}

#[tokio::test]
async fn a_debit_costs_quantity_times_the_rate_that_is_effective_when_it_is_booked() {
    let mut world = World::start().await;
    assert_eq!(world.cost("answer", json!(1)).await, "422 unknown_action");
    world.ok("rate set answer --credits 3 --effective 2036-01-01 --per question");
    world.ok("rate set answer --credits 4 --effective 2036-12-01");
    world.ok("rate set later --credits 1 --effective 2036-12-01");
    world.ok("rate set token --credits 0.000000125 --effective 2036-01-01");
    world.ok("rate set crumb --credits 0.000000001 --round down --effective 2036-01-01");
    for (action, quantity, cost) in [
        ("answer", json!(14), "42"),
        ("answer", json!("2"), "6"),
        ("token", json!(1), "0.000001"),
        ("token", json!(1_000_000), "0.125"),
        ("later", json!(1), "422 unknown_action"),
        ("Answer", json!(1), "422 unknown_action"),
        ("an answer", json!(1), "422 unknown_action"),
        ("crumb", json!(1), "422 invalid_request"),
        ("answer", json!(i64::MAX), "422 invalid_request"),
        ("answer", json!(300), "900"),
        ("answer", json!(300), "402 insufficient_credits"),
    ] {
        assert_eq!(world.cost(action, quantity.clone()).await, cost, "{quantity} × {action}");
    }
    world.app.clock.turn_to("2036-12-01T00:00:00Z".parse().unwrap());
    assert_eq!(world.cost("answer", json!(1)).await, "4");
    assert_eq!(world.cost("later", json!(1)).await, "1");
    // A rate that is set for an instant already past prices what comes, and nothing that was.
    world.ok("rate set answer --credits 5 --effective 2036-12-01");
    assert_eq!(world.cost("answer", json!(1)).await, "5");
    assert_eq!(world.app.available("site:shop").await, "41.874999");

    let asked = "wallet usage site:shop --by month --group action --from 2036-01-01 --to 2037-01-01";
    let sums: Value = serde_json::from_str(&world.ok(&format!("--json {asked}"))).unwrap();
    let sums: Vec<_> =
        sums["items"].as_array().unwrap().iter().map(|sum| (&sum["action"], &sum["credits"])).collect();
    let named = |action: &'static str, credits: &'static str| (Value::from(action), Value::from(credits));
    let wanted =
        [named("answer", "948"), named("token", "0.125001"), named("answer", "9"), named("later", "1")];
    assert_eq!(sums, wanted.iter().map(|(action, credits)| (action, credits)).collect::<Vec<_>>());
    let said = world.ok(asked);
    assert!(said.contains("ACTION") && said.ends_with("together 958.125001\n"), "{said}");
}

#[tokio::test]
async fn a_quantity_is_a_whole_number_above_zero() {
    let mut world = World::start().await;
    world.ok("rate set answer --credits 3 --effective 2036-01-01");
    for (body, pointer) in [
        (json!({"site": "shop", "action": "answer", "quantity": 0}), "/quantity"),
        (json!({"site": "shop", "action": "answer", "quantity": -1}), "/quantity"),
        (json!({"site": "shop", "action": "answer", "quantity": 1.5}), "/quantity"),
        (json!({"site": "shop", "action": "answer", "quantity": "1.0"}), "/quantity"),
        (json!({"site": "shop", "action": "answer", "quantity": "+1"}), "/quantity"),
        (json!({"site": "shop", "action": "answer", "quantity": ""}), "/quantity"),
        (json!({"site": "shop", "action": "answer", "quantity": "9223372036854775808"}), "/quantity"),
        (json!({"site": "shop", "action": "answer", "quantity": true}), "/quantity"),
        (json!({"site": "shop", "action": "answer", "quantity": 1, "credits": "3"}), "/quantity"),
        (json!({"site": "shop", "action": "answer"}), "/quantity"),
        (json!({"site": "shop", "quantity": 1}), "/action"),
        (json!({"site": "shop"}), "/credits"),
    ] {
        let (status, answer) = world.debit(body.clone()).await;
        assert_eq!((status, &answer["code"]), (422, &json!("invalid_request")), "{body}");
        assert_eq!(answer["errors"][0]["pointer"], pointer, "{body}: {answer}");
    }
    assert_eq!(world.app.count("debit"), 0);
}

#[tokio::test]
async fn customers_read_the_rates_label_with_how_much_they_used() {
    let mut world = World::start().await;
    world.ok(
        "rate set answer --credits 3 --effective 2036-01-01 --label 'Answered {quantity} visitor questions'",
    );
    world.ok("rate set plain --credits 1 --effective 2036-01-01 --label 'Wrote a product text'");
    world.ok("rate set bare --credits 1 --effective 2036-01-01");
    for (body, times) in [
        (json!({"site": "shop", "action": "answer", "quantity": 40}), 1),
        (json!({"site": "shop", "action": "answer", "quantity": 1}), 2),
        (json!({"site": "shop", "action": "plain", "quantity": 2}), 1),
        (json!({"site": "shop", "action": "bare", "quantity": 1}), 1),
        (json!({"site": "shop", "action": "answer", "quantity": 1, "label": "A label of its own"}), 1),
        (json!({"site": "shop", "credits": "2", "label": "Said {quantity} times"}), 1),
    ] {
        for _ in 0..times {
            assert_eq!(world.debit(body.clone()).await.0, 201, "{body}");
        }
    }
    let activity = world.app.get("/v1/wallets/site:shop/activity?kind=usage").await;
    let lines: Vec<(&str, &str)> = activity["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["label"].as_str().unwrap(), line["credits"].as_str().unwrap()))
        .collect();
    assert_eq!(
        lines,
        [
            ("Said {quantity} times", "-2"),
            ("A label of its own", "-3"),
            ("bare", "-1"),
            ("Wrote a product text", "-2"),
            ("Answered 42 visitor questions", "-126"),
        ]
    );
    let feed = world.app.get("/v1/wallets/site:shop/feed").await;
    assert_eq!(feed["activity"][4]["label"], "Answered 42 visitor questions");
}

#[tokio::test]
async fn the_card_shows_what_counts_what_will_and_what_did() {
    let world = World::start().await;
    assert!(world.ok("rate list").contains("no rates yet"));
    world.ok("rate set answer --credits 3 --per question --label 'Answered {quantity} questions' --effective 2020-01-01");
    world.ok("rate set answer --credits 2.5 --round half_up --effective 2021-01-01");
    world.ok("rate set answer --credits 4 --effective 2999-01-01");
    let tried = world.ok("rate set answer --credits 9 --dry-run");
    assert!(tried.contains('9'), "{tried}");
    let rates: Value = serde_json::from_str(&world.ok("rate list --json")).unwrap();
    let brief: Vec<_> = rates["items"]
        .as_array()
        .or(rates.as_array())
        .unwrap()
        .iter()
        .map(|rate| {
            (
                rate["version"].as_i64().unwrap(),
                rate["credits"].as_str().unwrap(),
                rate["state"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(brief, [(3, "4", "coming"), (2, "2.5", "current"), (1, "3", "past")]);
    let table = world.ok("rate list");
    assert!(table.contains("answer") && table.contains("half_up") && table.contains("question"), "{table}");
    let inherited = world.ok("rate set answer --credits 7 --effective 2998-01-01");
    assert!(inherited.contains("Answered {quantity} questions"), "{inherited}");
    let late = world.ok("rate set answer --credits 7 --effective 2019-01-01");
    assert!(late.contains("nothing will be priced by this one"), "{late}");
    for (wrong, because) in [
        ("rate set answer --credits 1 --label 'Answered {qty} questions'", "{quantity}"),
        ("rate set answer --credits 0", "above 0"),
        ("rate set answer --credits -1", "rate"),
        ("rate set answer --credits 0.0000000001", "9 decimals"),
        ("rate set 'an answer' --credits 1", "an action"),
        ("rate set answer --credits 1 --round off", "half_up"),
        ("rate set answer", "--credits"),
    ] {
        let (is_ok, _, err) = world.run(wrong);
        assert!(!is_ok && err.contains(because), "{wrong}: {err}");
    }
}
