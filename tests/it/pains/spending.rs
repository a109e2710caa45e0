//! Holds, parallel spending, and money that goes back after.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use nivella_wallet::ledger::store::Shortfall;
use nivella_wallet::params;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{ALICE, micro, post, send};
use crate::app::{TestApp, write};
use crate::holds::World;
use crate::support::seeded;
use crate::twists::{Draft, numbers, pair};

const CLIENTS: usize = 64;

/// Sixty-four clients end one hold at the same instant, half by capturing and half by releasing it: one of them does.
#[tokio::test]
async fn p02_no_double_settle_under_64_threads() {
    let world = Arc::new(World::start().await);
    world.grant("pool", "1000", "never");
    for round in 0..4 {
        let path = world.hold(&format!("hold-{round}"), "10").await;
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            let (world, path) = (Arc::clone(&world), path.clone());
            clients.spawn(async move {
                let (act, body) = if client % 2 == 0 {
                    ("capture", json!({"credits": "10"}))
                } else {
                    ("release", json!({}))
                };
                world.post(&format!("{path}/{act}"), &format!("{round}-{client}"), body).await.brief()
            });
        }
        let told = clients.join_all().await;
        let settled = told.iter().filter(|told| *told == "201" || *told == "200").count();
        let closed = told.iter().filter(|told| *told == "409 hold_closed").count();
        assert_eq!((settled, closed), (1, CLIENTS - 1), "{told:?}");
    }
    let spent: i64 = world.app.count("debit");
    assert_eq!(world.numbers("site:shop").await[0], (1000 - 10 * spent).to_string());
}

/// Sixty-four clients debit one credit each until they are refused: exactly as many succeed as there were credits.
#[tokio::test]
async fn p13_a_thousand_credits_are_a_thousand_debits_of_one() {
    let world = Arc::new(World::start().await);
    world.grant("pool", "700", "never");
    world.grant("shop", "300", "never");
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let world = Arc::clone(&world);
        clients.spawn(async move {
            let mut made = 0_usize;
            loop {
                let answer =
                    world.app.debit("shop", "1", &format!("{client}-{made}")).await.status().as_u16();
                match answer {
                    201 => made += 1,
                    402 => return made,
                    other => panic!("{other}"),
                }
            }
        });
    }
    assert_eq!(clients.join_all().await.into_iter().sum::<usize>(), 1000);
    assert_eq!(world.numbers("account:lab:customer:2").await, ["0", "0", "0", "1000"]);
}

/// The same with holds that are captured in part, released or forgotten at random: what was captured is never more than
/// was granted, and available is posted less held, always.
#[tokio::test]
async fn p13_captured_never_exceeds_granted_whatever_the_interleaving() {
    let world = Arc::new(World::start().await);
    let mut random = seeded();
    world.grant("pool", "600", "never");
    world.grant("shop", "400", "never");
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (world, seed) = (Arc::clone(&world), random.random());
        clients.spawn(async move {
            let mut random = StdRng::seed_from_u64(seed);
            let mut captured = 0;
            for number in 0..6 {
                let key = format!("{client}-{number}");
                let size: i64 = random.random_range(1..20);
                let body = json!({"site": "shop", "credits": size.to_string()});
                let held = world.post("/v1/holds", &key, body).await;
                if held.status == 402 {
                    continue;
                }
                assert_eq!(held.status, 201, "{held:?}");
                let path = format!("/v1/holds/{}", held.text("id"));
                match random.random_range(0..4) {
                    0 => {}
                    1 => assert_eq!(world.post(&format!("{path}/release"), "", json!({})).await.status, 200),
                    _ => {
                        let used = random.random_range(1..=size);
                        let body = json!({"credits": used.to_string()});
                        let made = world.post(&format!("{path}/capture"), "", body).await;
                        assert_eq!(made.status, 201, "{made:?}");
                        captured += used;
                    }
                }
                let [available, held, posted, _] = world.numbers("site:shop").await.map(|text| micro(&text));
                assert_eq!(available, posted - held);
            }
            captured
        });
    }
    let captured: i64 = clients.join_all().await.into_iter().sum();
    assert!(captured <= 1000, "{captured}");
    let [available, held, posted, used] = world.numbers("site:shop").await.map(|text| micro(&text));
    assert_eq!((available + held, posted + used), (posted, 1_000_000_000));
    assert_eq!(used, captured * 1_000_000);
}

/// Holds that nobody ends lock nobody out: after their time all is available again, and meanwhile everybody sees what
/// is held.
#[tokio::test]
async fn p14_after_their_time_forgotten_holds_hold_nothing() {
    let world = World::start().await;
    world.grant("pool", "100", "never");
    for number in 0..10 {
        let body = json!({"site": "shop", "credits": "10", "expires_in": 60 + number});
        assert_eq!(world.post("/v1/holds", &number.to_string(), body).await.status, 201);
    }
    assert_eq!(world.numbers("site:shop").await, ["0", "100", "100", "0"]);
    assert_eq!(world.app.debit("shop", "1", "too early").await.status(), 402);
    world.app.clock.turn_to("2026-11-20T18:01:04.500Z".parse().unwrap());
    assert_eq!(world.numbers("site:shop").await, ["50", "50", "100", "0"]);
    world.app.clock.turn_to("2026-11-20T18:01:09Z".parse().unwrap());
    assert_eq!(world.numbers("site:shop").await, ["100", "0", "100", "0"]);
    assert_eq!(world.app.debit("shop", "100", "in time").await.status(), 201);
    // What the daemon books by itself is booked for the instant each hold was over.
    let times: Vec<i64> = world
        .app
        .db()
        .read(|tx| {
            tx.query(
                "-- test\n SELECT booked_at FROM entry WHERE kind = 'released' ORDER BY seq",
                params![],
                |row| row.get(0),
            )
        })
        .unwrap();
    let first = "2026-11-20T18:01:00Z".parse::<nivella_wallet::time::Timestamp>().unwrap().millis();
    assert_eq!(times, (0..10).map(|number| first + number * 1000).collect::<Vec<_>>());
}

/// The daemon itself ends the holds of an account that nobody touches any more.
#[tokio::test]
async fn p14_the_daemon_ends_what_nobody_ends() {
    let world = World::start().await;
    world.grant("pool", "100", "never");
    let path = world.hold("h", "10").await;
    world.app.clock.turn_to("2026-11-20T18:15:00Z".parse().unwrap());
    let swept = async {
        while world.app.count("hold WHERE state = 'open'") > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), swept).await.unwrap();
    assert_eq!(world.app.get(&path).await["state"], "expired");
}

/// A stream that broke is billed by what was delivered; a request that is told again has one effect; nothing comes back
/// twice.
#[tokio::test]
async fn p15_captures_and_releases_take_effect_once_however_often_they_are_sent() {
    let world = World::start().await;
    world.grant("pool", "100", "never");
    let (one, two) = (world.hold("one", "30").await, world.hold("two", "30").await);
    let mut bodies = BTreeSet::new();
    for _ in 0..5 {
        let made = world.post(&format!("{one}/capture"), "capture", json!({"credits": "7"})).await;
        assert_eq!(made.status, 201);
        bodies.insert(made.body.to_string());
        let made = world.post(&format!("{two}/release"), "release", json!({})).await;
        assert_eq!(made.status, 200);
        bodies.insert(made.body.to_string());
    }
    assert_eq!(bodies.len(), 2, "each has one answer");
    assert_eq!(world.numbers("site:shop").await, ["93", "0", "93", "7"]);
}

/// What was used before an error is captured, and only the rest comes back.
#[tokio::test]
async fn p16_a_part_is_captured_and_the_rest_released() {
    let world = World::start().await;
    world.grant("pool", "100", "never");
    let path = world.hold("h", "50").await;
    // The answer failed half-way, and so did the first attempt to say so.
    assert_eq!(world.post(&format!("{path}/capture"), "", json!({"credits": "51"})).await.status, 422);
    let made = world.post(&format!("{path}/capture"), "", json!({"credits": "0.000001"})).await;
    assert_eq!((made.status, made.text("available").as_str()), (201, "99.999999"));
}

/// What is held is not available to any decision, and a hold that ended cannot be brought back.
#[tokio::test]
async fn p17_held_credits_are_not_available_and_a_closed_hold_stays_closed() {
    let world = World::start().await;
    world.grant("pool", "100", "never");
    let path = world.hold("h", "60").await;
    assert_eq!(world.app.debit("shop", "41", "a").await.status(), 402);
    let refused = world.post("/v1/holds", "b", json!({"site": "shop", "credits": "41"})).await;
    assert_eq!(
        (refused.brief().as_str(), refused.text("available").as_str()),
        ("402 insufficient_credits", "40")
    );
    let plan = world.app.request(Method::GET, "/v1/wallets/site:shop/burn-plan?credits=41").send().await;
    assert_eq!(plan.unwrap().status(), 402);
    let body = json!({"account": "lab:customer:2", "site": "blog", "credits": "41"});
    assert_eq!(world.post("/v1/allocations", "c", body).await.status, 402);
    let body = json!({"wallet": "account:lab:customer:2", "credits": "-41", "reason": "x"});
    assert_eq!(world.post("/v1/adjustments", "d", body).await.status, 402);
    assert_eq!(world.post(&format!("{path}/release"), "", json!({})).await.status, 200);
    for act in ["capture", "release"] {
        let body = if act == "capture" { json!({"credits": "1"}) } else { json!({}) };
        assert_eq!(world.post(&format!("{path}/{act}"), "", body).await.brief(), "409 hold_closed");
    }
    assert_eq!(world.numbers("site:shop").await, ["100", "0", "100", "0"]);
}

/// Sixty-four clients undo one debit at once, each under a key of its own: one of them does.
#[tokio::test]
async fn p18_a_debit_is_reversed_once() {
    let world = Arc::new(World::start().await);
    world.grant("pool", "100", "never");
    let debit = world.post("/v1/debits", "d", json!({"site": "shop", "credits": "40"})).await;
    let path = format!("/v1/debits/{}/reversal", debit.text("id"));
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (world, path) = (Arc::clone(&world), path.clone());
        clients.spawn(async move { world.post(&path, &client.to_string(), json!({})).await.brief() });
    }
    let told = clients.join_all().await;
    assert_eq!(told.iter().filter(|told| *told == "200").count(), 1, "{told:?}");
    assert_eq!(told.iter().filter(|told| *told == "409 already_reversed").count(), CLIENTS - 1);
    assert_eq!(world.numbers("site:shop").await, ["100", "0", "100", "0"]);
}

/// Money that goes back while credits are held makes nothing negative, whatever becomes of the hold, and telling it again
/// changes nothing. Every policy for what was used meanwhile.
#[tokio::test]
async fn p22_money_that_goes_back_while_credits_are_held() {
    for shortfall in [Shortfall::Debt, Shortfall::WriteOff, Shortfall::Freeze] {
        for captured in [0, 250, 400] {
            let app = TestApp::start_with(|config| config.orders.shortfall = shortfall).await;
            let mut draft = Draft { site: Some("shop"), ..Draft::new(1, 2) };
            assert_eq!(app.deliver("order.updated", draft.next()).await, "granted");
            let hold = json!({"site": "shop", "credits": "400"});
            let made = done(&app, "/v1/holds", "h", &hold).await;
            draft.status = "refunded";
            assert_eq!(app.deliver("order.updated", draft.next()).await, "clawed_back");
            app.prove();
            assert_eq!(app.deliver("order.updated", draft.next()).await, "unchanged");
            let wallet = app.get("/v1/wallets/site:shop").await;
            assert_eq!((&wallet["available"], &wallet["held"]), (&json!("0"), &json!("400")));
            let path = format!("/v1/holds/{}", made["id"].as_str().unwrap());
            if captured > 0 {
                let body = json!({"credits": captured.to_string()});
                done(&app, &format!("{path}/capture"), "c", &body).await;
            } else {
                done(&app, &format!("{path}/release"), "r", &json!({})).await;
            }
            app.prove();
            let debt = if shortfall == Shortfall::WriteOff { 0 } else { captured };
            assert_eq!(
                numbers(&app, "site:shop").await,
                pair("0", &debt.to_string()),
                "{shortfall:?} {captured}"
            );
            assert_eq!(app.deliver("order.updated", draft.next()).await, "unchanged");
            let wallet = app.get("/v1/wallets/site:shop").await;
            assert_eq!(wallet["status"] == "frozen", shortfall == Shortfall::Freeze && captured > 0);
            // Paid after all: what is owed is repaid first, and what the shop bore is paid for now.
            draft.status = "completed";
            app.deliver("order.updated", draft.next()).await;
            app.prove();
            assert_eq!(
                numbers(&app, "site:shop").await,
                pair(&(1000 - captured).to_string(), "0"),
                "{shortfall:?}"
            );
            assert_eq!(app.count("slice WHERE remaining < 0 OR held < 0"), 0);
        }
    }
}

/// The refund was a mistake and is undone while the credits are still held: nothing is taken when the hold ends.
#[tokio::test]
async fn p22_a_refund_that_is_undone_while_credits_are_held_takes_nothing() {
    let app = TestApp::start().await;
    let mut draft = Draft { site: Some("shop"), ..Draft::new(1, 2) };
    app.deliver("order.updated", draft.next()).await;
    let made = done(&app, "/v1/holds", "h", &json!({"site": "shop", "credits": "400"})).await;
    draft.status = "refunded";
    assert_eq!(app.deliver("order.updated", draft.next()).await, "clawed_back");
    draft.status = "completed";
    assert_eq!(app.deliver("order.updated", draft.next()).await, "granted");
    app.prove();
    let path = format!("/v1/holds/{}/release", made["id"].as_str().unwrap());
    done(&app, &path, "r", &json!({})).await;
    assert_eq!(numbers(&app, "site:shop").await, pair("1000", "0"));
}

/// As [`post`], for what must succeed.
async fn done(app: &TestApp, path: &str, key: &str, body: &Value) -> Value {
    let (status, made) = post(app, path, key, body).await;
    assert!(status.is_success(), "{path}: {status} {made}");
    made
}

/// Debits, holds, captures, reversals and corrections of one wallet all at once: each decides by what is there when it
/// writes, so the sum of what they say they did is what is there afterwards.
#[tokio::test]
async fn p23_what_is_decided_is_decided_by_what_is_there_when_it_is_written() {
    let world = Arc::new(World::start().await);
    let mut random = seeded();
    world.grant("pool", "2000", "never");
    let mut clients = JoinSet::new();
    for client in 0..32 {
        let (world, seed) = (Arc::clone(&world), random.random());
        clients.spawn(async move {
            let mut random = StdRng::seed_from_u64(seed);
            let mut change = 0;
            for number in 0..8 {
                let key = format!("{client}-{number}");
                let size: i64 = random.random_range(1..40);
                let body = json!({"site": "shop", "credits": size.to_string()});
                match random.random_range(0..4) {
                    0 => {
                        let body =
                            json!({"wallet": "account:lab:customer:2", "credits": format!("-{size}"), "reason": "x"});
                        if world.post("/v1/adjustments", &key, body).await.status == 201 {
                            change -= size;
                        }
                    }
                    1 => {
                        let made = world.post("/v1/debits", &key, body).await;
                        if made.status == 201 {
                            let back = random.random_range(1..=size);
                            let path = format!("/v1/debits/{}/reversal", made.text("id"));
                            let made = world.post(&path, "", json!({"credits": back.to_string()})).await;
                            assert_eq!(made.status, 200, "{made:?}");
                            change += back - size;
                        }
                    }
                    _ => {
                        let made = world.post("/v1/holds", &key, body).await;
                        if made.status == 201 {
                            let path = format!("/v1/holds/{}/capture", made.text("id"));
                            let made = world.post(&path, "", json!({"credits": size.to_string()})).await;
                            assert_eq!(made.status, 201, "{made:?}");
                            change -= size;
                        }
                    }
                }
            }
            change
        });
    }
    let change: i64 = clients.join_all().await.into_iter().sum();
    let [available, held, ..] = world.numbers("account:lab:customer:2").await;
    assert_eq!((micro(&available), held.as_str()), ((2000 + change) * 1_000_000, "0"));
    let alice = world.alice.clone();
    write(world.app.db(), move |tx| nivella_wallet::ledger::LockedAccount::lock(tx, &alice).map(drop));
}

/// A client that got no answer asks again with its key, many times and at once, and is charged once.
#[tokio::test]
async fn p05_a_debit_whose_answer_was_lost_is_charged_once() {
    let app = Arc::new(TestApp::start().await);
    let mut paid = Draft { site: Some("shop"), ..Draft::new(1, 2) };
    assert_eq!(send(&app, &mut paid).await, "granted");
    for round in 1..=5 {
        let key = format!("attempt-{round}");
        // The first time nobody waits for the answer.
        let lost = tokio::time::timeout(Duration::from_millis(round), app.debit("shop", "10", &key)).await;
        drop(lost);
        let mut again = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (app, key) = (Arc::clone(&app), key.clone());
            again.spawn(async move {
                let answer = app.debit("shop", "10", &key).await;
                (answer.status().as_u16(), answer.text().await.unwrap())
            });
        }
        let answers: Vec<_> =
            again.join_all().await.into_iter().filter(|(status, _)| *status != 409).collect();
        assert!(answers.iter().all(|answer| *answer == answers[0] && answer.0 == 201), "{answers:?}");
        let left = 1_000 - 10 * round;
        assert_eq!(numbers(&app, ALICE).await, pair(&left.to_string(), "0"));
    }
}

/// Forty clients ask first what a debit would take and then debit; what was true when they asked need not be true any
/// more. Whatever the interleaving, no more is spent than there was.
#[tokio::test]
async fn p13_whoever_asks_first_and_spends_then_never_overspends() {
    let app = Arc::new(TestApp::start().await);
    send(&app, &mut Draft { site: Some("shop"), ..Draft::new(1, 2) }).await;
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..40 {
        let app = Arc::clone(&app);
        clients.spawn(async move {
            let (mut spent, mut promised) = (0, 0);
            for number in 0..5 {
                let path = "/v1/wallets/site:shop/burn-plan?credits=7";
                let plan = app.request(reqwest::Method::GET, path).send().await.unwrap().status();
                assert!(plan == 200 || plan == 402, "{plan}");
                if plan == 200 {
                    promised += 1;
                    let status = app.debit("shop", "7", &format!("{client}-{number}")).await.status();
                    assert!(status == 201 || status == 402, "{status}");
                    spent += u32::from(status == 201);
                }
            }
            (spent, promised)
        });
    }
    let counts = clients.join_all().await;
    let spent: u32 = counts.iter().map(|(spent, _)| spent).sum();
    let promised: u32 = counts.iter().map(|(_, promised)| promised).sum();
    assert_eq!(spent, 142, "1000 credits are 142 debits of 7; {promised} were promised");
    assert_eq!(numbers(&app, "site:shop").await, pair("6", "0"));
}

/// What was spent before its money went back is owed: an amount of its own that everybody sees. No balance and no slice
/// is ever below zero, and the debt takes nothing from what can be spent.
#[tokio::test]
async fn p22_a_balance_is_never_negative_and_a_debt_is_seen_apart() {
    let app = TestApp::start().await;
    let mut draft = Draft { site: Some("shop"), ..Draft::new(1, 2) };
    send(&app, &mut draft).await;
    assert_eq!(app.debit("shop", "700", "all but 300").await.status(), 201);
    draft.status = "refunded";
    assert_eq!(send(&app, &mut draft).await, "clawed_back");
    assert_eq!(numbers(&app, "site:shop").await, pair("0", "700"));
    assert_eq!(app.count("slice WHERE remaining < 0 OR held < 0"), 0);
    let balance = app.get("/v1/wallets/site:shop/balance").await;
    assert_eq!((&balance["available"], &balance["debt"]), (&json!("0"), &json!("700")));
    // Another purchase repays it first; what is over can be spent.
    send(&app, &mut Draft { site: Some("shop"), ..Draft::new(2, 2) }).await;
    assert_eq!(numbers(&app, "site:shop").await, pair("300", "0"));
    let items = app.get("/v1/wallets/site:shop/explain?limit=200").await;
    let kinds: Vec<&str> =
        items["items"].as_array().unwrap().iter().rev().filter_map(|item| item["kind"].as_str()).collect();
    assert_eq!(kinds, ["granted", "spent", "clawed", "granted", "repaid"]);
}
