//! What comes by the calendar, what things cost, and what may be spent.

use nivella_wallet::ledger::slice::Category;
use nivella_wallet::params;
use serde_json::{Value, json};

use crate::app::write;
use crate::limits::World;
use crate::plans;
use crate::support::databases;

/// What is good through 30 November is good until that day ends where the customer is, also over a clock change.
#[test]
fn p28_credits_expire_and_come_again_at_the_customers_own_midnight() {
    for test in databases() {
        let stage = plans::Stage::on(test);
        stage.turn("2026-10-20T23:30:00Z");
        stage.zone("lab:customer:1", "Europe/Vienna");
        stage.set("basic 100 month 0");
        stage.start("basic", "site:a1");
        // Already the 21st there; the clock goes back on the 25th.
        let bought = stage.pay("site:a1", "5", "40d", Category::Paid);
        assert_eq!(bought.unwrap().to_string(), "2026-11-30T23:00:00Z");
        assert_eq!(stage.sums("site:a1"), "105 of 100 until 2026-10-31T23:00:00Z, used 0");
        for (instant, left) in [
            ("2026-10-31T22:59:59.999Z", "105"),
            ("2026-10-31T23:00:00Z", "105"),
            ("2026-11-30T22:59:59.999Z", "105"),
            ("2026-11-30T23:00:00Z", "100"),
        ] {
            stage.turn(instant);
            stage.touch("lab:customer:1");
            assert_eq!(stage.numbers("site:a1").available.to_string(), left, "at {instant}");
        }
    }
}

/// A daemon that did not run for five months loses no period, no rollover and nothing that was bought.
#[test]
fn p29_nothing_is_lost_because_no_job_ran() {
    for test in databases() {
        let stage = plans::Stage::on(test);
        stage.set("basic 100 month 40");
        stage.start("basic", "site:a1");
        stage.pay("site:a1", "5", "never", Category::Paid);
        stage.turn("2027-04-20T00:00:00Z");
        // No worker, no read: the first debit after all that time finds all there should be.
        stage.debit("a1", "145").unwrap();
        assert_eq!(stage.sums("site:a1"), "0 of 100 until 2027-05-01T00:00:00Z, used 145");
        assert_eq!(stage.periods().len(), 1 + 5 * 2, "each month once, and once what was carried over");
    }
}

/// A plan that is changed, renewed or stopped takes nothing away that was granted.
#[test]
fn p30_changing_or_renewing_a_plan_leaves_paid_credits_alone() {
    for test in databases() {
        let stage = plans::Stage::on(test);
        stage.set("basic 100 month 0");
        stage.start("basic", "site:a1");
        stage.pay("site:a1", "1000", "never", Category::Paid);
        let present = "basic 2026-11-20T16:00:00Z 2026-12-01T00:00:00Z 100";
        for change in ["basic 1 month 0", "basic 1 day 0", "basic 7 year 5"] {
            stage.set(change);
            stage.start("basic", "site:a1");
            assert_eq!(stage.numbers("site:a1").available.to_string(), "1100", "after {change}");
            assert_eq!(stage.periods(), [present]);
        }
        stage.turn("2026-12-01T00:00:00Z");
        stage.touch("lab:customer:1");
        assert_eq!(stage.numbers("site:a1").top_up.balance.to_string(), "1000");
        assert_eq!(stage.sums("site:a1"), "1012 of 7 until 2027-01-01T00:00:00Z, used 0");
    }
}

/// However often a period is asked for it comes once, and it pays for nothing that was refused before it came.
#[test]
fn p31_a_period_comes_once_and_pays_for_nothing_earlier() {
    for test in databases() {
        let stage = plans::Stage::on(test);
        stage.set("basic 100 day 0");
        for _ in 0..3 {
            stage.start("basic", "site:a1");
            stage.touch("lab:customer:1");
        }
        stage.debit("a1", "100").unwrap();
        assert_eq!(stage.debit("a1", "1").unwrap_err(), "1 credit needed, 0 available");
        stage.turn("2026-11-21T00:00:00Z");
        for _ in 0..3 {
            stage.start("basic", "site:a1");
            stage.touch("lab:customer:1");
        }
        assert_eq!(stage.sums("site:a1"), "100 of 100 until 2026-11-22T00:00:00Z, used 0");
        assert_eq!(stage.periods().len(), 2);
    }
}

/// Whatever is sent as a price, nobody has more than before, and nothing but a right debit takes anything.
#[tokio::test]
async fn p32_no_price_adds_to_a_balance() {
    let world = World::start().await;
    world.give("site:shop", "100", "paid").await;
    let post = async |body: Value| {
        let once = uuid::Uuid::now_v7().to_string();
        let request = world.app.request(reqwest::Method::POST, "/v1/debits").header("Idempotency-Key", once);
        request.body(body.to_string()).send().await.unwrap().status().as_u16()
    };
    for credits in ["-5", "-0.000001", "0", "", "NaN", "1e3", "+5", "99999999999999999999"] {
        assert_eq!(post(json!({ "site": "shop", "credits": credits })).await, 422, "{credits:?}");
    }
    for quantity in [json!(-1), json!(0), json!("-1"), json!(i64::MAX), json!(1.5)] {
        let body = json!({ "site": "shop", "action": "unheard", "quantity": quantity });
        assert_eq!(post(body).await, 422, "{quantity}");
    }
    write(world.app.db(), |tx| {
        tx.execute(
            "-- test
             INSERT INTO rate (action, version, credits, round, effective_at, created_at)
             VALUES ('tiny', 1, 1, 'down', 0, 0)",
            params![],
        )
    });
    for quantity in [json!(-1), json!(0), json!("-1"), json!(1.5), json!(1)] {
        let body = json!({ "site": "shop", "action": "tiny", "quantity": quantity });
        assert_eq!(post(body).await, 422, "{quantity}");
    }
    let wallet = world.get("/v1/wallets/site:shop").await;
    assert_eq!((&wallet["available"], &wallet["used"]), (&"100".into(), &"0".into()));
}

/// No limit is none, and a limit of 0 lets nothing through: for a site, for an assistant, by day and by month.
#[tokio::test]
async fn p39_no_limit_is_none_and_zero_is_nothing() {
    let world = World::start().await;
    world.give("site:shop", "100", "paid").await;
    for who in ["shop", "shop/bot"] {
        for per in ["day", "month"] {
            let agent = who.split_once('/').map_or(Value::Null, |(_, agent)| agent.into());
            let limit = async |credits: Value| {
                let body = json!({ "agent": agent, "per": per, "credits": credits });
                let (status, shown) = world.put("/v1/sites/shop/limits", body).await;
                assert_eq!((status, &shown["credits"]), (200, &credits), "{who} {per}");
            };
            assert_eq!(world.tried(who, "1").await, "201", "{who} {per}: nobody has said anything");
            limit("0".into()).await;
            assert_eq!(world.tried(who, "0.000001").await, "402 limit_reached 0", "{who} {per}");
            let items = world.get("/v1/sites/shop/limits").await["items"].clone();
            assert_eq!((items.as_array().unwrap().len(), &items[0]["credits"]), (1, &"0".into()));
            limit(Value::Null).await;
            assert_eq!(world.tried(who, "1").await, "201", "{who} {per}: taken away");
            assert_eq!(world.get("/v1/sites/shop/limits").await["items"], json!([]));
        }
    }
    // Who forgets to say how many, or leaves it empty, has not said none.
    for body in [json!({ "per": "day" }), json!({ "per": "day", "credits": "" })] {
        assert_eq!(world.put("/v1/sites/shop/limits", body).await.0, 422);
    }
}
