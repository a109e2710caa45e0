//! Orders and their credits: deliveries, coupons, refunds, disputes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use nivella_wallet::db::{self, Db};
use nivella_wallet::inbox::{self, signature};
use nivella_wallet::ledger::audit;
use nivella_wallet::ledger::store::Shortfall;
use nivella_wallet::order::explain;
use nivella_wallet::order::target::Discount;
use nivella_wallet::params;
use nivella_wallet::shop;
use rand::RngExt as _;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use serde_json::{Value, json};

use super::{ALICE, assign, send};
use crate::app::{SECRET, TestApp, recordings, scenario, write};
use crate::crash::{self, Daemon};
use crate::support::seeded;
use crate::twists::{Draft, numbers, pair};

/// Everything the ledger holds, as text.
fn ledger(db: &Db) -> String {
    let mut text = String::new();
    db.read(|tx| {
        for sql in [
            "-- test\n SELECT account_id || ' ' || seq || ' ' || kind || ' ' || source || ' ' || target || ' ' || amount FROM entry ORDER BY account_id, seq",
            "-- test\n SELECT order_id || ' ' || line_id || ' ' || target || ' ' || booked FROM order_line ORDER BY order_id, line_id",
            "-- test\n SELECT grant_id || ' ' || site || ' ' || remaining || ' ' || held FROM slice_now ORDER BY grant_id, site",
            "-- test\n SELECT account_id || ' ' || site || ' ' || amount FROM debt ORDER BY account_id, site",
        ] {
            tx.for_each(sql, params![], |row| {
                let line: String = row.get(0)?;
                let _ = writeln!(text, "{line}");
                Ok(())
            })?;
        }
        Ok::<_, db::Error>(())
    })
    .unwrap();
    text
}

/// Applies every kept delivery once more, oldest first.
fn replay_inbox(app: &TestApp) {
    let store = app.store_id();
    let mut after = 0;
    while let Some(kept) = app.db().read(|tx| inbox::store::next(tx, None, after)).unwrap() {
        after = kept.seq;
        let rules = Arc::clone(&app.running.app.rules);
        write(app.db(), move |tx| {
            let shop = shop::store::by_id(tx, store)?.unwrap();
            inbox::replay(tx, &shop, &rules, &kept).map(|_| ())
        });
    }
}

/// All recorded deliveries of a whole shop are kept, sent again under new delivery ids, and replayed twice.
#[tokio::test]
async fn p03_replaying_the_whole_inbox_twice_changes_nothing() {
    let app = TestApp::start().await;
    let mut folders: Vec<_> = std::fs::read_dir(recordings())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.as_bytes()[0].is_ascii_digit())
        .collect();
    folders.sort();
    let mut all = Vec::new();
    for folder in &folders {
        all.extend(scenario(folder));
    }
    for recorded in &all {
        app.replay(recorded).await;
    }
    let (before, deliveries) = (ledger(app.db()), app.count("delivery"));
    assert!(before.len() > 1_000 && deliveries > 100, "{deliveries} deliveries:\n{before}");
    for round in 0..2 {
        for recorded in &mut all {
            for (name, value) in &mut recorded.headers {
                if name.eq_ignore_ascii_case("x-wc-webhook-delivery-id") {
                    *value = format!("{round}-another");
                }
            }
            app.replay(recorded).await;
        }
        assert_eq!(ledger(app.db()), before, "sent again");
        replay_inbox(&app);
        app.prove();
        assert_eq!(ledger(app.db()), before, "replayed");
    }
    assert_eq!(app.count("delivery"), deliveries);
}

/// The daemon is killed while it reads the request, while it books, and after it answered. Whatever it had
/// answered is there, and asked again it makes one grant, never two.
#[test]
fn p04_killed_at_any_point_and_started_again_there_is_exactly_one_grant() {
    let mut random = seeded();
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("wallet.db");
    crash::prepare(&database);
    for kill in 0..12 {
        let order = 7_000 + kill;
        let body = Draft::new(order, 2).next();
        let head = format!(
            "POST /webhooks/woocommerce/lab HTTP/1.1\r\nhost: shop\r\ncontent-length: {}\r\n\
             x-wc-webhook-topic: order.updated\r\nx-wc-webhook-signature: {}\r\nconnection: close\r\n\r\n",
            body.len(),
            signature::sign(SECRET.as_bytes(), &body)
        );
        let request = [head.as_bytes(), &body].concat();
        let mut daemon = Daemon::start(folder.path());
        // A third of them is cut off in the request, the others in the few milliseconds it takes to book.
        let sent = if kill % 3 == 0 { random.random_range(0..request.len()) } else { request.len() };
        let mut connection = TcpStream::connect(daemon.address).unwrap();
        connection.write_all(&request[..sent]).unwrap();
        std::thread::sleep(Duration::from_micros(random.random_range(0..8_000)));
        daemon.kill();
        let mut answer = String::new();
        let _ = std::io::Read::read_to_string(&mut connection, &mut answer);
        let is_answered = answer.starts_with("HTTP/1.1 200");

        let daemon = Daemon::start(folder.path());
        let grants = || grants_of(&database, order);
        assert!(grants() == 1 || !is_answered, "an acknowledged order was lost: {answer}");
        for _ in 0..2 {
            let mut connection = TcpStream::connect(daemon.address).unwrap();
            connection.write_all(&request).unwrap();
            let mut answer = String::new();
            std::io::Read::read_to_string(&mut connection, &mut answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            assert_eq!(grants(), 1, "kill {kill} after {sent} of {} bytes", request.len());
        }
        daemon.stop();
    }
}

fn grants_of(database: &std::path::Path, order: i64) -> i64 {
    let db = crash::open(database);
    assert_eq!(audit::verify(&db, |_| {}).unwrap().faults, []);
    let sql = "-- test\n SELECT CAST(COUNT(*) AS BIGINT) FROM credit_grant WHERE order_id = $1";
    db.read(|tx| tx.query_one(sql, params![order], |row| row.get(0))).unwrap()
}

/// `order.created` and `order.updated` fire together with the same data, several times, on several
/// connections at once.
#[tokio::test(flavor = "multi_thread")]
async fn p07_created_and_updated_at_once_and_several_times_grant_once() {
    let app = Arc::new(TestApp::start().await);
    for order in 1..=10 {
        let body = Draft::new(order, 2).next();
        let mut senders = tokio::task::JoinSet::new();
        for number in 0..12 {
            let (app, body) = (Arc::clone(&app), body.clone());
            let topic = if number % 2 == 0 { "order.created" } else { "order.updated" };
            senders.spawn(async move { app.deliver(topic, body).await });
        }
        let told = senders.join_all().await;
        assert_eq!(told.iter().filter(|told| *told == "granted").count(), 1, "{told:?}");
        assert!(told.iter().all(|told| told == "granted" || told == "unchanged"), "{told:?}");
    }
    assert_eq!((app.count("credit_grant"), app.count("shop_order")), (10, 10));
    assert_eq!(numbers(&app, ALICE).await, pair("10000", "0"));
}

/// The status alone does not say that money came; which statuses do is the shop's own decision.
#[tokio::test]
async fn p09_the_shops_paid_statuses_and_the_date_decide_when_credits_come() {
    for (require_date_paid, only_completed) in [(true, false), (true, true), (false, false), (false, true)] {
        let app = TestApp::start_with(|config| config.orders.require_date_paid = require_date_paid).await;
        if only_completed {
            let store = app.store_id();
            write(app.db(), move |tx| {
                tx.execute(
                    "-- test\n UPDATE store SET paid_statuses = '[\"completed\"]' WHERE id = $1",
                    params![store],
                )
            });
        }
        let mut order = 0;
        for status in [
            "pending",
            "on-hold",
            "checkout-draft",
            "shipped",
            "processing",
            "completed",
            "cancelled",
            "failed",
        ] {
            for has_date in [false, true] {
                order += 1;
                let mut body = Draft { status, ..Draft::new(order, 2) }.value();
                body["date_paid_gmt"] = if has_date { "2026-11-20T16:00:00".into() } else { Value::Null };
                let told = app.deliver("order.updated", body.to_string().into_bytes()).await;
                let is_paid_status = status == "completed" || (status == "processing" && !only_completed);
                let is_paid = is_paid_status && (has_date || !require_date_paid);
                assert_eq!(
                    told == "granted",
                    is_paid,
                    "{status}, date {has_date}, required {require_date_paid}, only completed {only_completed}: {told}"
                );
            }
        }
    }
}

/// A coupon takes from the price and never adds credits; without price there are none, unless the operator
/// said so.
#[tokio::test]
async fn p10_a_coupon_mints_no_credits() {
    let mut random = seeded();
    for discount in [Discount::Full, Discount::Proportional] {
        let app = TestApp::start_with(|config| config.orders.discount = discount).await;
        let mut expected = 0;
        for order in 1..=40 {
            let quantity: i64 = random.random_range(1..5);
            let full = quantity * 1_000;
            let total = *[full, 0, random.random_range(0..=full), random.random_range(1..=full)]
                .choose(&mut random)
                .unwrap();
            let cents = |amount: i64| format!("{}.{:02}", amount / 100, amount % 100);
            let mut body = Draft { quantity, ..Draft::new(order, 2) }.value();
            body["line_items"][0]["total"] = cents(total).into();
            body["total"] = cents(total).into();
            // A coupon that is written as a negative fee changes nothing either.
            body["fee_lines"] =
                json!([{ "id": 900 + order, "name": "Loyalty", "total": "-0.01", "total_tax": "0" }]);
            app.deliver("order.updated", body.to_string().into_bytes()).await;
            let of_order = match discount {
                _ if total == 0 => 0,
                Discount::Full => quantity * 1_000_000_000,
                // 1,000 credits for 10.00: a million micro-credits for a cent, and never more.
                Discount::Proportional => total * 1_000_000,
            };
            expected += of_order;
            let sql = "-- test\n SELECT CAST(COALESCE(SUM(booked), 0) AS BIGINT) FROM order_line WHERE order_id = $1";
            let booked: i64 =
                app.db().read(|tx| tx.query_one(sql, params![order], |row| row.get(0))).unwrap();
            assert_eq!(booked, of_order, "{quantity} for {} of {}", cents(total), cents(full));
        }
        assert!(expected > 0);
    }
}

/// Each cancellation takes back what the order has, each payment gives it again, and doing either twice is
/// doing it once.
#[tokio::test]
async fn p11_cancelling_again_and_again_pays_out_nothing() {
    let app = TestApp::start().await;
    let mut draft = Draft::new(1, 2);
    assert_eq!(send(&app, &mut draft).await, "granted");
    for _ in 0..10 {
        draft.status = "cancelled";
        assert_eq!(send(&app, &mut draft).await, "clawed_back");
        for _ in 0..3 {
            assert_eq!(send(&app, &mut draft).await, "unchanged");
        }
        assert_eq!(numbers(&app, ALICE).await, pair("0", "0"));
        draft.status = "completed";
        assert_eq!(send(&app, &mut draft).await, "granted");
        assert_eq!(send(&app, &mut draft).await, "unchanged");
        assert_eq!(numbers(&app, ALICE).await, pair("1000", "0"));
    }
    let before = ledger(app.db());
    replay_inbox(&app);
    assert_eq!(ledger(app.db()), before);
}

/// What the shop bears of a refund it bears once, however often the order is told of after that, and whether
/// or not money comes and goes again.
#[tokio::test]
async fn p11_what_the_shop_bears_of_a_refund_is_written_off_once() {
    let app = TestApp::start_with(|config| config.orders.shortfall = Shortfall::WriteOff).await;
    let borne = |app: &TestApp| -> i64 {
        let sql =
            "-- test\n SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM entry WHERE kind = 'written_off'";
        let micro: i64 = app.db().read(|tx| tx.query_one(sql, params![], |row| row.get(0))).unwrap();
        micro / 1_000_000
    };
    let mut draft = Draft { quantity: 2, site: Some("shop"), ..Draft::new(1, 2) };
    assert_eq!(send(&app, &mut draft).await, "granted");
    assert_eq!(app.debit("shop", "2000", "all").await.status(), 201);
    for (refunds, written_off) in
        [(vec![4], 400), (vec![4], 400), (vec![4, 2], 600), (vec![4], 600), (vec![4, 2], 600)]
    {
        draft.refunds.clone_from(&refunds);
        for _ in 0..3 {
            send(&app, &mut draft).await;
            assert_eq!(borne(&app), written_off, "{refunds:?}");
        }
    }
    replay_inbox(&app);
    assert_eq!(borne(&app), 600);
    assert_eq!(numbers(&app, ALICE).await, pair("0", "0"));
}

/// What an order grants is decided by the state it is in, not by the states it went through.
#[tokio::test]
async fn p12_cancelled_and_completed_again_an_order_grants_what_it_is_worth() {
    const STATES: [&str; 6] = ["pending", "on-hold", "completed", "cancelled", "failed", "refunded"];
    let app = TestApp::start().await;
    let mut order = 0;
    let mut expected = 0;
    for first in STATES {
        for second in STATES {
            for third in STATES {
                for last in ["completed", "cancelled", "refunded"] {
                    order += 1;
                    let mut draft = Draft::new(order, 2);
                    for status in [first, second, third, last] {
                        draft.status = status;
                        app.deliver("order.updated", draft.next()).await;
                    }
                    expected += if last == "completed" { 1_000 } else { 0 };
                }
            }
        }
    }
    app.prove();
    assert_eq!(numbers(&app, ALICE).await, pair(&expected.to_string(), "0"));
}

/// The same refund, told again, told in another body, sent by many at once and replayed, is taken back once.
#[tokio::test(flavor = "multi_thread")]
async fn p18_a_refund_that_is_told_again_is_taken_back_once() {
    let app = Arc::new(TestApp::start().await);
    let mut draft = Draft { quantity: 3, ..Draft::new(1, 2) };
    assert_eq!(send(&app, &mut draft).await, "granted");
    draft.refunds = vec![10];
    let body = draft.next();
    let mut senders = tokio::task::JoinSet::new();
    for number in 0..16 {
        let (app, body) = (Arc::clone(&app), body.clone());
        let topic = if number % 2 == 0 { "order.updated" } else { "order.restored" };
        senders.spawn(async move { app.deliver(topic, body).await });
    }
    let told = senders.join_all().await;
    assert_eq!(told.iter().filter(|told| *told == "clawed_back").count(), 1, "{told:?}");
    for _ in 0..5 {
        assert_eq!(send(&app, &mut draft).await, "unchanged");
    }
    replay_inbox(&app);
    assert_eq!(numbers(&app, ALICE).await, pair("2000", "0"));
    assert_eq!(app.count("entry WHERE kind = 'clawed'"), 1);
}

/// Any part of the money goes back after any part of the credits was spent: what was granted is what is left,
/// spent and taken back, and what cannot be taken back is owed, borne or frozen to the micro-credit.
#[tokio::test]
async fn p19_a_refund_of_any_part_after_any_spending_conserves() {
    let mut random = seeded();
    for shortfall in [Shortfall::Debt, Shortfall::WriteOff, Shortfall::Freeze] {
        let app = TestApp::start_with(|config| config.orders.shortfall = shortfall).await;
        for order in 1..=25 {
            let site: &'static str = "shop";
            let customer = 100 + order;
            let mut draft = Draft { site: Some(site), quantity: 10, ..Draft::new(order, customer) };
            // Each customer in turn owns the site's credits: a site of its own would do as well.
            draft.site = None;
            let wallet = format!("account:lab:customer:{customer}");
            assert_eq!(send(&app, &mut draft).await, "granted");
            let account: String =
                sum_text(&app, "SELECT account_id FROM shop_order WHERE order_id = $1", order);
            let name = format!("own-{order}");
            assign(&app, &name, &account);
            let spent: i64 = *[0, 10_000, random.random_range(1..10_000)].choose(&mut random).unwrap();
            if spent > 0 {
                let answer = app.debit(&name, &spent.to_string(), &format!("{order}")).await;
                assert_eq!(answer.status(), 201);
            }
            let refunded: i64 = random.random_range(1..=100);
            draft.refunds = vec![refunded];
            send(&app, &mut draft).await;
            let (taken_back, left) = (refunded * 100, 10_000 - spent);
            let short = (taken_back - left).max(0);
            let debt = if shortfall == Shortfall::WriteOff { 0 } else { short };
            let expected = pair(&(left - taken_back).max(0).to_string(), &debt.to_string());
            assert_eq!(
                numbers(&app, &wallet).await,
                expected,
                "{spent} spent, {refunded} % refunded, {shortfall:?}"
            );
            let frozen = sum_text(
                &app,
                "SELECT COALESCE(a.frozen_reason, '') FROM account a JOIN shop_order o ON o.account_id = a.id WHERE o.order_id = $1",
                order,
            );
            assert_eq!(!frozen.is_empty(), shortfall == Shortfall::Freeze && short > 0, "{frozen}");
        }
    }
}

fn sum_text(app: &TestApp, sql: &str, order: i64) -> String {
    let sql = format!("-- test\n {sql}").leak();
    app.db().read(|tx| tx.query_one(sql, params![order], |row| row.get(0))).unwrap()
}

/// A dispute that is opened only freezes; won, everything is as before; lost, it is taken back once, and a
/// refund of the same money takes nothing more.
#[tokio::test]
async fn p20_a_dispute_freezes_and_is_taken_back_once() {
    let app = TestApp::start().await;
    let mut draft = Draft { quantity: 2, site: Some("shop"), ..Draft::new(1, 2) };
    send(&app, &mut draft).await;
    assert_eq!(app.debit("shop", "500", "before").await.status(), 201);
    for round in 0..3 {
        draft.status = "on-hold";
        send(&app, &mut draft).await;
        assert_eq!(numbers(&app, ALICE).await, pair("0", "0"), "frozen, and nothing is owed");
        assert_eq!(app.debit("shop", "1", &format!("frozen-{round}")).await.status(), 402);
        draft.status = "completed";
        assert_eq!(send(&app, &mut draft).await, "unchanged");
        assert_eq!(numbers(&app, ALICE).await, pair("1500", "0"));
    }
    // Half was refunded before the dispute is lost, the rest after it.
    draft.refunds = vec![10];
    assert_eq!(send(&app, &mut draft).await, "clawed_back");
    assert_eq!(numbers(&app, ALICE).await, pair("500", "0"));
    draft.status = "on-hold";
    send(&app, &mut draft).await;
    for (status, refunds) in
        [("cancelled", vec![10]), ("refunded", vec![10, 10]), ("cancelled", vec![10, 10])]
    {
        (draft.status, draft.refunds) = (status, refunds);
        send(&app, &mut draft).await;
        assert_eq!(
            numbers(&app, ALICE).await,
            pair("0", "500"),
            "{status}: 500 were spent, and are owed once"
        );
    }
}

/// "I paid and my balance is 0": for each way that can come about, the order's story names the step.
#[tokio::test]
async fn p37_explain_order_tells_the_step_where_it_stopped() {
    type Change = fn(&mut Value);
    let stops: [(&str, Change, &[&str]); 10] = [
        ("nothing stopped it", |_| {}, &["1000 credits booked, as it should be"]),
        (
            "not paid",
            |order| order["status"] = "pending".into(),
            &["undecided", "nothing granted until it is paid"],
        ),
        (
            "on hold",
            |order| order["status"] = "on-hold".into(),
            &["undecided", "nothing granted until it is paid"],
        ),
        (
            "no date of payment",
            |order| order["date_paid_gmt"] = Value::Null,
            &["no date of payment (orders.require_date_paid)", "nothing granted until it is paid"],
        ),
        (
            "cancelled",
            |order| order["status"] = "cancelled".into(),
            &["undone: what it granted is taken back"],
        ),
        (
            "an unknown product",
            |order| order["line_items"][0]["product_id"] = 4711.into(),
            &["nothing is known about product 4711", "package set --store lab --product 4711"],
        ),
        (
            "a product that is gone",
            |order| {
                order["line_items"][0]["product_id"] = 0.into();
                order["line_items"][0]["sku"] = Value::Null;
            },
            &["was deleted from the shop before anything was known about it"],
        ),
        (
            "not a Tokens product",
            |order| order["line_items"][0]["product_id"] = 13.into(),
            &["not a Tokens product: grants nothing"],
        ),
        (
            "a refund nobody described",
            |order| {
                order["refunds"] =
                    json!([{ "id": 90_000 + order["id"].as_i64().unwrap(), "total": "-1.00" }]);
                order["shipping_lines"] = json!([{ "id": 1, "total": "5.00", "total_tax": "0.00" }]);
            },
            &["does not say which lines it is of"],
        ),
        (
            "nobody to grant to",
            |order| {
                order["customer_id"] = 0.into();
                order["billing"]["email"] = "".into();
            },
            &["names neither a customer nor an e-mail address"],
        ),
    ];
    let app = TestApp::start().await;
    for (order, (name, change, says)) in (1..).zip(stops) {
        let mut body = Draft::new(order, 2).value();
        body["line_items"][0]["sku"] = "".into();
        change(&mut body);
        app.deliver("order.updated", body.to_string().into_bytes()).await;
        let story = story(&app, order);
        for words in says {
            assert!(story.contains(words), "{name}: {words:?} is not in {story}");
        }
    }
    // What was granted and then stopped is told too.
    let mut draft = Draft::new(99, 2);
    send(&app, &mut draft).await;
    draft.status = "on-hold";
    send(&app, &mut draft).await;
    assert!(story(&app, 99).contains("1000 credits booked and frozen"), "{}", story(&app, 99));
}

fn story(app: &TestApp, order: i64) -> String {
    let (store, rules) = (app.store_id(), Arc::clone(&app.running.app.rules));
    let story = app.db().read(|tx| {
        let shop = shop::store::by_id(tx, store)?.unwrap();
        explain::story(tx, &shop, &rules, order)
    });
    serde_json::to_string(&story.unwrap().unwrap()).unwrap()
}

/// Whatever way the deliveries of a few orders come, shuffled all together, the wallets end the same.
#[tokio::test]
async fn p07_any_permutation_of_many_orders_deliveries_gives_the_same_wallets() {
    let mut random = seeded();
    let mut bodies = Vec::new();
    for order in 1..=6 {
        let mut draft = Draft::new(order, 2 + order % 2);
        for status in ["pending", "processing", "on-hold", "cancelled", "completed"] {
            (draft.status, draft.quantity) = (status, random.random_range(1..5));
            bodies.push(draft.next());
        }
        if order % 3 == 0 {
            draft.refunds = vec![5];
            bodies.push(draft.next());
        }
    }
    let mut ended: BTreeMap<Vec<(String, String)>, usize> = BTreeMap::new();
    for round in 0..8 {
        let app = TestApp::start().await;
        if round > 0 {
            bodies.shuffle(&mut random);
        }
        for body in &bodies {
            app.deliver("order.updated", body.clone()).await;
        }
        let wallets = vec![numbers(&app, ALICE).await, numbers(&app, "account:lab:customer:3").await];
        *ended.entry(wallets).or_default() += 1;
    }
    assert_eq!(ended.len(), 1, "{ended:?}");
}

/// The shop lists refunds of one second now in this sequence and now in that. It is the same order all the same.
#[tokio::test]
async fn p08_refunds_in_another_sequence_are_no_news() {
    let app = TestApp::start().await;
    let mut draft = Draft { quantity: 3, refunds: vec![4, 2], ..Draft::new(1, 2) };
    let mut body = draft.value();
    assert_eq!(app.deliver("order.updated", body.to_string().into_bytes()).await, "granted");
    let before = ledger(app.db());
    body["refunds"].as_array_mut().unwrap().reverse();
    assert_eq!(app.deliver("order.updated", body.to_string().into_bytes()).await, "unchanged");
    assert_eq!(app.count("shop_order WHERE recheck = 1"), 0, "there are no two states of one second");
    draft.refunds = vec![4];
    assert_eq!(send(&app, &mut draft).await, "granted");
    assert_ne!(ledger(app.db()), before);
}

/// Credits that moved to a site, to another one and back are the same lots: expiry, category and purchase are kept,
/// and a refund finds them wherever they are.
#[tokio::test]
async fn p35_moved_credits_are_the_same_lots_and_a_refund_finds_them() {
    let app = TestApp::start().await;
    let mut draft = Draft { quantity: 2, ..Draft::new(1, 2) };
    send(&app, &mut draft).await;
    let alice = app.get(&format!("/v1/wallets/{ALICE}")).await["account"]["id"].as_str().unwrap().to_owned();
    for site in ["shop", "blog"] {
        assign(&app, site, &alice);
    }
    let lot = |rows: Value| {
        let row = rows["items"][0].clone();
        ["id", "category", "order", "expires_at", "priority", "credits"].map(|field| row[field].clone())
    };
    let before = lot(app.get(&format!("/v1/wallets/{ALICE}/grants")).await);
    for (site, credits) in [("shop", "800"), ("blog", "500"), ("shop", "-300"), ("blog", "-100")] {
        let body = json!({ "account": "lab:customer:2", "site": site, "credits": credits });
        let moved = app.request(reqwest::Method::POST, "/v1/allocations").body(body.to_string());
        assert_eq!(moved.send().await.unwrap().status(), 201, "{site} {credits}");
        app.prove();
    }
    assert_eq!(lot(app.get(&format!("/v1/wallets/{ALICE}/grants")).await), before);
    let rows = app.get("/v1/grants").await;
    assert_eq!(rows["items"].as_array().unwrap().len(), 1, "moving makes no grant: {rows}");
    draft.status = "refunded";
    assert_eq!(send(&app, &mut draft).await, "clawed_back");
    assert_eq!(numbers(&app, ALICE).await, pair("0", "0"));
}

/// A shop without REST keys whose plugin tells of each change: refunds come and are deleted within a second, bodies
/// arrive in any order, and the ledger is what was told last, with nothing left to ask or to look at.
#[tokio::test]
async fn p08_without_keys_the_ledger_follows_the_refunds_that_were_told_last() {
    let app = TestApp::start().await;
    let mut random = seeded();
    let mut expected = 0;
    for order in 1..=40 {
        let mut draft = Draft { quantity: 3, ..Draft::new(order, 2) };
        // A T-shirt beside it: without the lines nobody could say what a refund is of.
        let mut bodies = Vec::new();
        for told in 0..random.random_range(2..8) {
            draft.version = told / 4;
            draft.refunds = (0..random.random_range(0..4)).map(|_| random.random_range(1..11)).collect();
            let mut body = crate::told::with_refunds(&draft, told + 1);
            let mut shirt = body["line_items"][0].clone();
            (shirt["id"], shirt["product_id"]) = (json!(order * 10 + 1), json!(13));
            body["line_items"].as_array_mut().unwrap().push(shirt);
            body["total"] = "60.00".into();
            bodies.push(body.to_string().into_bytes());
        }
        bodies.shuffle(&mut random);
        for body in bodies {
            app.deliver("order.updated", body).await;
        }
        expected += 3_000 - (draft.refunds.iter().sum::<i64>() * 100).min(3_000);
        assert_eq!(numbers(&app, ALICE).await, pair(&expected.to_string(), "0"), "order {order}");
    }
    let waiting = "-- test\n SELECT CAST(COUNT(*) AS BIGINT) FROM shop_order WHERE parked IS NOT NULL OR attention IS NOT NULL";
    let waiting: i64 = app.db().read(|tx| tx.query_one(waiting, params![], |row| row.get(0))).unwrap();
    assert_eq!(waiting, 0);
    let before = ledger(app.db());
    replay_inbox(&app);
    assert_eq!(ledger(app.db()), before);
}
