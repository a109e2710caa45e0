//! What a shop has is compared with what the books have.
//!
//! The shops here are played, and live: orders change while they are read. See `fake_shop`.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nivella_wallet::app;
use nivella_wallet::catalog::{self, Subject};
use nivella_wallet::config::Config;
use nivella_wallet::db::{Db, Tx};
use nivella_wallet::ledger::audit;
use nivella_wallet::order::apply::Rules;
use nivella_wallet::order::store::{Filter, Place, list as listed_orders};
use nivella_wallet::order::target::OnDelete;
use nivella_wallet::reconcile::report::Report;
use nivella_wallet::reconcile::{self, Error, Window, answers};
use nivella_wallet::shop::rest::Clients;
use nivella_wallet::shop::{self, HookSecret, RestKeys, Store};
use nivella_wallet::time::{Clock, Timestamp};
use serde_json::{Value, json};

use crate::app::{SECRET, TestApp, write};
use crate::fake_shop::{self, Book, FakeShop, impatient};
use crate::support::{TestDb, databases};

/// A shop, a database that knows it, and the way between them.
struct Stage {
    shop: FakeShop,
    store: Store,
    clients: Clients,
    rules: Arc<Rules>,
    test: TestDb,
}

impl Stage {
    async fn with(
        test: TestDb,
        orders: impl IntoIterator<Item = Value>,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let shop = FakeShop::start("", &test.clock).await;
        shop.state.lock().unwrap().book = Some(Book::new(orders));
        let url = shop.url.clone();
        let store = add_store(&test.db, "shop", url);
        let mut config = Config::default();
        change(&mut config);
        let clients = Clients::new(impatient(), test.clock.clone());
        Self { shop, store, clients, rules: Arc::new(app::rules(&config)), test }
    }

    async fn new(test: TestDb, orders: impl IntoIterator<Item = Value>) -> Self {
        Self::with(test, orders, |_| {}).await
    }

    /// Sweeps, and proves the books.
    async fn sweep(&self, window: Window) -> Result<Report, Error> {
        let report =
            reconcile::run(&self.test.db, &self.clients, &self.rules, &self.store, window, &mut |_| {}).await;
        self.prove();
        report
    }

    async fn try_out(&self, window: Window) -> Report {
        reconcile::try_out(&self.test.db, &self.clients, &self.rules, &self.store, window, &mut |_| {})
            .await
            .unwrap()
    }

    /// Sweeps everything that changed since yesterday.
    async fn all(&self) -> Report {
        self.sweep(since("2026-11-19T16:00:00Z")).await.unwrap()
    }

    fn prove(&self) {
        assert_eq!(audit::verify(&self.test.db, |_| {}).unwrap().faults, [], "{}", self.test.name);
    }

    /// Changes what the shop has.
    fn change(&self, change: impl FnOnce(&mut Book)) {
        change(self.shop.state.lock().unwrap().book.as_mut().unwrap());
    }

    /// Sets a field of an order, as something that moved its date.
    fn set(&self, id: i64, field: &str, value: impl Into<Value>, modified: &str) {
        self.change(|book| {
            let order = book.orders.get_mut(&id).unwrap();
            order[field] = value.into();
            order["date_modified_gmt"] = modified.into();
        });
    }

    /// What a customer can spend.
    fn credits(&self, customer: i64) -> i64 {
        let sql = "-- test
             SELECT CAST(COALESCE(SUM(s.remaining), 0) AS BIGINT) FROM slice_now s
             JOIN customer c ON c.account_id = s.account_id WHERE c.natural_key = $1";
        let key = format!("customer:{customer}");
        let key = [nivella_wallet::db::Param::from(&key)];
        self.test.db.read(|tx| tx.query_one(sql, &key, |row| row.get::<i64>(0))).unwrap() / 1_000_000
    }

    fn count(&self, table: &str) -> i64 {
        let sql = format!("-- test\n SELECT CAST(COUNT(*) AS BIGINT) FROM {table}").leak();
        self.test.db.read(|tx| tx.query_one(sql, &[], |row| row.get(0))).unwrap()
    }
}

fn add_store(db: &Db, name: &str, url: shop::ShopUrl) -> Store {
    let name = name.parse().unwrap();
    write(db, move |tx: &mut Tx<'_>| {
        let mut settings = shop::store::Settings::new(url, SECRET.parse::<HookSecret>().unwrap());
        settings.rest_keys = Some(RestKeys::new(fake_shop::KEY, fake_shop::SECRET).unwrap());
        shop::store::add(tx, &name, &settings)
    })
}

fn since(text: &str) -> Window {
    Window::since(text.parse().unwrap())
}

/// A paid order that promises 10 credits for each of `quantity`, for 10.00 each.
fn order(id: i64, customer: i64, quantity: i64, modified: &str) -> Value {
    let total = format!("{}.00", quantity * 10);
    json!({
        "id": id, "number": id.to_string(), "status": "processing", "currency": "EUR", "total": total,
        "customer_id": customer, "billing": { "email": format!("c{customer}@example.test"), "first_name": "Carla" },
        "date_created_gmt": "2026-11-20T10:00:00", "date_paid_gmt": "2026-11-20T10:00:01",
        "date_modified_gmt": modified, "meta_data": [], "refunds": [], "shipping_lines": [], "fee_lines": [],
        "line_items": [{
            "id": id * 10, "name": "AI Credits", "product_id": 17, "variation_id": 0, "sku": "AI", "quantity": quantity,
            "subtotal": total, "subtotal_tax": "0.00", "total": total, "total_tax": "0.00",
            "meta_data": [{ "id": 1, "key": "_nivella_credits", "value": "10" }],
        }],
    })
}

/// Orders one second apart.
fn orders(count: i64) -> impl Iterator<Item = Value> {
    (1..=count).map(|id| order(id, id % 7 + 1, 1, &second(id)))
}

/// A time on 20 November, counted from 11 o'clock.
fn second(number: i64) -> String {
    let start: Timestamp = "2026-11-20T11:00:00Z".parse().unwrap();
    start.plus_millis(number * 1000).utc().format("%Y-%m-%dT%H:%M:%S").to_string()
}

/// A refund of `quantity` of the line of order `id`.
fn refund(refund: i64, id: i64, quantity: i64) -> Value {
    let amount = format!("{}.00", quantity * 10);
    json!({
        "id": refund, "amount": amount, "shipping_lines": [], "fee_lines": [], "line_items": [{
            "id": refund * 10, "quantity": -quantity, "total": format!("-{amount}"), "total_tax": "0.00",
            "meta_data": [{ "id": 1, "key": "_refunded_item_id", "value": (id * 10).to_string() }],
        }],
    })
}

fn named(refund: i64, quantity: i64) -> Value {
    json!([{ "id": refund, "total": format!("-{}.00", quantity * 10) }])
}

#[track_caller]
fn counts(report: &Report, line: &str) {
    assert_eq!(report.counts.line(), line, "{report:#?}");
    assert!(report.counts.is_right(), "{report:#?}");
}

#[tokio::test]
async fn lost_orders_are_found_and_a_second_sweep_finds_nothing_to_do() {
    for test in databases() {
        let stage = Stage::new(test, orders(250)).await;
        let first = stage.all().await;
        counts(&first, "250 paid lines, 250 granted, 0 missing, 0 extra, 250 repaired");
        assert_eq!(first.counts.orders, 250);
        let entries = stage.count("entry");
        let second = stage.all().await;
        counts(&second, "250 paid lines, 250 granted, 0 missing, 0 extra, 0 repaired");
        assert_eq!((second.counts.orders, stage.count("entry")), (250, entries));
        assert_eq!((1..=7).map(|customer| stage.credits(customer)).sum::<i64>(), 2500);
    }
}

/// Everything but what a sweep notes about itself.
fn dump(stage: &Stage) -> Vec<String> {
    let mut dump = Vec::new();
    for (table, columns) in [
        (
            "shop_order",
            "order_id, account_id, state, status, modified_at, parked, attention, first_seen_at, applied_at",
        ),
        ("order_line", "order_id, line_id, product_id, is_tokens, worth, target, booked"),
        ("lookup", "kind, subject_id, reason"),
        ("account", "id, name, version, grant_seq, entry_seq"),
        ("site", "id, account_id"),
        ("credit_grant", "id, account_id, frozen, amount, spent, clawed"),
        ("slice", "grant_id, account_id, site, remaining"),
        ("debt", "account_id, site, amount"),
        ("entry", "account_id, seq, kind, amount"),
        ("delivery", "id, state, reason"),
    ] {
        let text: Vec<String> =
            columns.split(", ").map(|column| format!("COALESCE(CAST({column} AS TEXT), '-')")).collect();
        let sql =
            format!("-- test\n SELECT '{table} ' || {} FROM {table} ORDER BY 1", text.join(" || ' ' || "))
                .leak();
        dump.extend(stage.test.db.read(|tx| tx.query(sql, &[], |row| row.get::<String>(0))).unwrap());
    }
    dump
}

#[track_caller]
fn same(now: &[String], before: &[String]) {
    let changed: Vec<_> = now.iter().filter(|row| !before.contains(row)).collect();
    assert_eq!((changed, now.len()), (Vec::new(), before.len()));
}

#[tokio::test]
async fn a_second_sweep_writes_nothing() {
    for test in databases() {
        let mut waits = order(901, 1, 2, &second(40));
        waits["line_items"][0]["meta_data"] = json!([]);
        let mut elsewhere = order(902, 1, 2, &second(41));
        elsewhere["meta_data"] = json!([{ "id": 1, "key": "_nivella_site_id", "value": "no site" }]);
        let mut partly = order(903, 2, 3, &second(42));
        partly["refunds"] = named(90, 1);
        let stage = Stage::new(test, orders(30).chain([waits, elsewhere, partly])).await;
        stage.change(|book| drop(book.refunds.insert(903, vec![refund(90, 903, 1)])));
        let first = stage.all().await;
        counts(&first, "32 paid lines, 32 granted, 0 missing, 0 extra, 33 repaired");
        assert_eq!(first.counts.parked, 1);
        assert_eq!(first.waiting[0].order, 901);
        let before = dump(&stage);
        for _ in 0..2 {
            let again = stage.all().await;
            counts(&again, "32 paid lines, 32 granted, 0 missing, 0 extra, 0 repaired");
            same(&dump(&stage), &before);
        }
        // Refunds that are known are not asked for again.
        stage.shop.asked();
        stage.all().await;
        let asked = stage.shop.asked();
        assert!(asked.iter().all(|asked| asked.starts_with("orders?")), "{asked:?}");
        assert_eq!(asked.len(), 2, "both lists, and nothing else");
    }
}

#[tokio::test]
async fn a_deleted_refund_gives_the_credits_back() {
    for test in databases() {
        let stage = Stage::new(test, [order(1, 1, 3, &second(1))]).await;
        stage.change(|book| drop(book.refunds.insert(1, vec![refund(9, 1, 2)])));
        stage.set(1, "refunds", named(9, 2), &second(1));
        stage.all().await;
        assert_eq!(stage.credits(1), 10);
        // Its date does not move, and nothing tells of it.
        stage.set(1, "refunds", json!([]), &second(1));
        counts(&stage.all().await, "1 paid lines, 1 granted, 0 missing, 0 extra, 1 repaired");
        assert_eq!(stage.credits(1), 30);
        // One deleted, another made: only the lines of the new one are unknown.
        stage.change(|book| drop(book.refunds.insert(1, vec![refund(10, 1, 1)])));
        stage.set(1, "refunds", named(10, 1), &second(2));
        counts(&stage.all().await, "1 paid lines, 1 granted, 0 missing, 0 extra, 1 repaired");
        assert_eq!(stage.credits(1), 20);
    }
}

/// An order that names a refund its list lacks is read again after doubling pauses, not at once and for ever;
/// meanwhile it is listed with the reason.
#[tokio::test]
async fn an_order_whose_list_lacks_a_refund_is_put_off_and_listed() {
    for test in databases() {
        let stage = Stage::new(test, [order(1, 1, 1, &second(1))]).await;
        stage.all().await;
        let db = &stage.test.db;
        let listed = || {
            let all = |tx: &mut Tx<'_>| listed_orders(tx, Filter::Attention, Place::START, 10);
            db.read(all).unwrap().into_iter().map(|one| one.order).collect::<Vec<_>>()
        };
        assert_eq!(listed(), [0; 0]);
        stage.change(|book| drop(book.refunds.insert(1, Vec::new())));
        stage.set(1, "refunds", named(9, 1), &second(2));
        write(db, {
            let id = stage.store.id;
            move |tx| catalog::store::want(tx, id, Subject::Order(1), "a test wants it")
        });
        let mut pauses = Vec::new();
        for _ in 0..4 {
            stage.shop.asked();
            let mut steps = 0;
            while !answers::step(db, &stage.clients, &stage.rules, None).await.unwrap() && steps < 20 {
                steps += 1;
            }
            assert_eq!((steps, stage.shop.asked().len()), (1, 2), "the order and its refunds, once");
            let waits = db.read(|tx| catalog::store::lookups(tx, stage.store.id, 10)).unwrap().remove(0);
            assert!(waits.last_error.as_ref().unwrap().contains("refund 9"), "{waits:?}");
            assert_eq!(listed(), [1]);
            pauses.push((waits.due_at.millis() - db.clock().now().millis()) / 1000);
            stage.test.clock.turn_to(waits.due_at);
        }
        assert_eq!(pauses, [5, 10, 20, 40]);
        assert_eq!(stage.credits(1), 10);
        stage.change(|book| drop(book.refunds.insert(1, vec![refund(9, 1, 1)])));
        while !answers::step(db, &stage.clients, &stage.rules, None).await.unwrap() {}
        assert_eq!((stage.credits(1), listed().len()), (0, 0));
    }
}

/// A refund deleted on an order that changed before the window is found by a sweep over all orders.
#[tokio::test]
async fn a_sweep_over_all_orders_finds_what_a_window_cannot() {
    for test in databases() {
        let stage = Stage::new(test, [order(1, 1, 3, "2026-01-01T00:00:00")]).await;
        stage.change(|book| drop(book.refunds.insert(1, vec![refund(9, 1, 2)])));
        stage.set(1, "refunds", named(9, 2), "2026-01-01T00:00:00");
        counts(&stage.all().await, "0 paid lines, 0 granted, 0 missing, 0 extra, 0 repaired");
        let all = stage.sweep(Window::ALL).await.unwrap();
        counts(&all, "1 paid lines, 1 granted, 0 missing, 0 extra, 1 repaired");
        stage.set(1, "refunds", json!([]), "2026-01-01T00:00:00");
        counts(&stage.all().await, "0 paid lines, 0 granted, 0 missing, 0 extra, 0 repaired");
        assert_eq!(stage.credits(1), 10);
        let all = stage.sweep(Window::ALL).await.unwrap();
        counts(&all, "1 paid lines, 1 granted, 0 missing, 0 extra, 1 repaired");
        assert_eq!(stage.credits(1), 30);
    }
}

#[tokio::test]
async fn a_vanished_order_is_asked_for_and_counts_as_the_rules_say() {
    for (on_delete, left) in [(OnDelete::Keep, 10), (OnDelete::ClawBack, 0)] {
        for test in databases() {
            let stage = Stage::with(test, orders(3), |config| config.orders.on_delete = on_delete).await;
            stage.all().await;
            let gone = stage.shop.state.lock().unwrap().book.as_mut().unwrap().orders.remove(&2).unwrap();
            stage.shop.asked();
            let found = stage.all().await;
            counts(&found, "2 paid lines, 2 granted, 0 missing, 0 extra, 1 repaired");
            assert!(stage.shop.asked().contains(&"orders/2".to_owned()));
            assert_eq!(stage.credits(3), left, "{on_delete:?}");
            // It is known to be gone: only a sweep over all orders asks again.
            stage.shop.asked();
            assert_eq!(stage.all().await.counts.repaired, 0);
            assert!(!stage.shop.asked().contains(&"orders/2".to_owned()));
            stage.sweep(Window::ALL).await.unwrap();
            assert!(stage.shop.asked().contains(&"orders/2".to_owned()));
            // A shop that was restored from a backup has it again.
            stage.change(|book| drop(book.orders.insert(2, gone)));
            stage.all().await;
            assert_eq!(stage.credits(3), 10);
        }
    }
}

#[tokio::test]
async fn the_trash_is_read_and_a_restored_order_counts_again() {
    for test in databases() {
        let change = |config: &mut Config| config.orders.on_delete = OnDelete::ClawBack;
        let stage = Stage::with(test, orders(3), change).await;
        stage.all().await;
        stage.set(2, "status", "trash", &second(100));
        counts(&stage.all().await, "2 paid lines, 2 granted, 0 missing, 0 extra, 1 repaired");
        assert_eq!(stage.credits(3), 0);
        stage.set(2, "status", "processing", &second(101));
        counts(&stage.all().await, "3 paid lines, 3 granted, 0 missing, 0 extra, 1 repaired");
        assert_eq!(stage.credits(3), 10);
    }
}

#[tokio::test]
async fn three_hundred_orders_of_one_second_are_all_found_once() {
    for test in databases() {
        let batch = (10..310).map(|id| order(id, 1, 1, &second(50)));
        let rest =
            [order(1, 2, 1, &second(49)), order(400, 2, 1, &second(51)), order(401, 2, 1, &second(52))];
        let stage = Stage::new(test, batch.chain(rest)).await;
        let found = stage.all().await;
        counts(&found, "303 paid lines, 303 granted, 0 missing, 0 extra, 303 repaired");
        assert_eq!((found.counts.orders, stage.credits(1), stage.credits(2)), (303, 3000, 30));
        assert_eq!(stage.all().await.counts.repaired, 0);
    }
}

/// An order before a page boundary changes while the list is read: by page numbers the first order of the next
/// page would slip through.
#[tokio::test]
async fn an_order_that_changes_while_the_list_is_read_hides_no_other() {
    for (name, one_second, sorts) in
        [("dates", false, true), ("one second", true, true), ("unsorted", false, false)]
    {
        for test in databases() {
            let date = |id| if one_second { second(1) } else { second(id) };
            let listed = (1..=350).map(|id| order(id, 1, 1, &date(id)));
            let stage = Stage::new(test, listed).await;
            let mut pages = 0;
            stage.change(|book| {
                book.sorts = sorts;
                book.before = Some(Box::new(move |book, path| {
                    pages += i64::from(path == "orders");
                    // After the first and the second page one of those shown moves to the end.
                    if path == "orders" && (2..=3).contains(&pages) {
                        let order = book.orders.get_mut(&(pages * 10)).unwrap();
                        order["date_modified_gmt"] = second(1000 + pages).into();
                        // Where nothing is sorted the list moves when an order leaves it.
                        if !sorts {
                            book.orders.remove(&(pages * 10 + 1));
                        }
                    }
                    None
                }));
            });
            stage.all().await;
            stage.change(|book| book.before = None);
            // What went after it was shown is found by the next sweep.
            stage.all().await;
            let known = stage.count("shop_order");
            assert_eq!(known, 350, "{name}");
            let there = if sorts { 350 } else { 348 };
            assert_eq!(stage.credits(1), 3500, "{name}");
            assert_eq!(stage.count("shop_order WHERE status = 'deleted'"), 350 - there, "{name}");
        }
    }
}

#[tokio::test]
async fn a_busy_shop_is_waited_for_and_a_failing_one_is_gone_on_with_later() {
    for test in databases() {
        let stage = Stage::new(test, orders(250)).await;
        stage.shop.script(429, &[("retry-after", "0")], "{}");
        stage.shop.script(503, &[], "");
        counts(&stage.all().await, "250 paid lines, 250 granted, 0 missing, 0 extra, 250 repaired");

        // It asks for more patience than a person at a terminal has.
        stage.set(3, "status", "cancelled", &second(300));
        stage.shop.script(429, &[("retry-after", "600")], "{}");
        let busy = stage.sweep(since("2026-11-19T16:00:00Z")).await.unwrap_err();
        assert!(matches!(busy, Error::Shop { .. }), "{busy}");
        let due = stage.test.db.read(|tx| reconcile::store::runs(tx, None)).unwrap();
        assert_eq!(due[0].due_at, stage.test.clock.now().plus_millis(600_000));
        assert!(due[0].last_error.as_ref().unwrap().contains("busy"), "{due:?}");
        assert!(stage.test.db.read(reconcile::store::due).unwrap().is_empty(), "it is left alone that long");
        counts(&stage.all().await, "249 paid lines, 249 granted, 0 missing, 0 extra, 1 repaired");

        // It fails in the middle: the next sweep goes on there.
        stage.set(4, "status", "cancelled", &second(301));
        fails_from_page(&stage, 2);
        stage.sweep(since("2026-11-19T16:00:00Z")).await.unwrap_err();
        stage.change(|book| book.before = None);
        stage.shop.asked();
        let resumed = stage.all().await;
        assert!(resumed.resumed);
        counts(&resumed, "248 paid lines, 248 granted, 0 missing, 0 extra, 1 repaired");
        assert_eq!(stage.shop.asked().len(), 3, "two pages of one list, and the trash");
    }
}

/// Lets the shop fail at the page of orders with this number and at all after it.
fn fails_from_page(stage: &Stage, number: i64) {
    stage.change(|book| {
        let mut pages = 0;
        book.before = Some(Box::new(move |_, path| {
            pages += i64::from(path == "orders");
            (pages >= number).then_some(500)
        }));
    });
}

/// What is cut off in the middle is finished by the next sweep, which reads the rest only.
#[tokio::test]
async fn a_sweep_that_is_dropped_in_the_middle_is_gone_on_with() {
    for test in databases() {
        let stage = Stage::new(test, orders(450)).await;
        let reached = Arc::new(tokio::sync::Notify::new());
        let tell = Arc::clone(&reached);
        let mut pages = 0;
        stage.change(|book| {
            book.before = Some(Box::new(move |_, path| {
                pages += i64::from(path == "orders");
                if pages == 3 {
                    tell.notify_one();
                }
                None
            }));
        });
        tokio::select! {
            _ = stage.sweep(since("2026-11-19T16:00:00Z")) => panic!("it was to be cut off"),
            () = reached.notified() => {}
        }
        stage.prove();
        assert!(stage.count("shop_order") < 450);
        stage.shop.asked();
        // A narrower window is served by what goes on; the lease was given back.
        let resumed = stage.sweep(since("2026-11-20T09:00:00Z")).await.unwrap();
        assert!(resumed.resumed);
        counts(&resumed, "450 paid lines, 450 granted, 0 missing, 0 extra, 450 repaired");
        assert!(stage.shop.asked().len() < 6, "the first pages are not read again");

        // A wider one begins anew, and so does one that comes too late.
        fails_from_page(&stage, 2);
        stage.sweep(since("2026-11-20T09:00:00Z")).await.unwrap_err();
        stage.change(|book| book.before = None);
        assert!(!stage.all().await.resumed);
        fails_from_page(&stage, 2);
        stage.sweep(since("2026-11-20T09:00:00Z")).await.unwrap_err();
        stage.change(|book| book.before = None);
        stage.test.clock.turn_to("2026-11-20T17:00:00Z".parse().unwrap());
        assert!(!stage.sweep(since("2026-11-20T09:00:00Z")).await.unwrap().resumed);
    }
}

#[tokio::test]
async fn two_at_once_are_one_after_the_other() {
    for test in databases() {
        let stage = Stage::new(test, orders(150)).await;
        let window = since("2026-11-19T16:00:00Z");
        let (first, second) = tokio::join!(stage.sweep(window), stage.sweep(window));
        let (done, busy) = if first.is_ok() { (first, second) } else { (second, first) };
        counts(&done.unwrap(), "150 paid lines, 150 granted, 0 missing, 0 extra, 150 repaired");
        assert!(matches!(busy.unwrap_err(), Error::Busy { .. }));
        assert_eq!(stage.all().await.counts.repaired, 0);

        // Whoever was killed gave nothing back: after a few seconds another may begin.
        let id = stage.store.id;
        write(&stage.test.db, move |tx| reconcile::store::begin(tx, id, "killed", window));
        assert!(matches!(stage.sweep(window).await.unwrap_err(), Error::Busy { .. }));
        let now = stage.test.clock.now();
        stage.test.clock.turn_to(now.plus_millis(reconcile::LEASE_MS));
        assert!(stage.sweep(window).await.unwrap().resumed);
        // It comes back to life, and may not write any more.
        let held = write(&stage.test.db, move |tx| reconcile::store::renew(tx, id, "killed"));
        assert!(!held);
    }
}

/// A second store with the same order numbers has nothing to do with the first.
#[tokio::test]
async fn stores_do_not_touch_each_other() {
    for test in databases() {
        let stage = Stage::new(test, orders(5)).await;
        stage.all().await;
        let other = FakeShop::start("", &stage.test.clock).await;
        other.state.lock().unwrap().book = Some(Book::new(Vec::new()));
        let store = add_store(&stage.test.db, "other", other.url.clone());
        let window = since("2026-11-19T16:00:00Z");
        let report =
            reconcile::run(&stage.test.db, &stage.clients, &stage.rules, &store, window, &mut |_| {}).await;
        counts(&report.unwrap(), "0 paid lines, 0 granted, 0 missing, 0 extra, 0 repaired");
        assert_eq!(other.asked().len(), 2);
        counts(&stage.all().await, "5 paid lines, 5 granted, 0 missing, 0 extra, 0 repaired");
    }
}

#[tokio::test]
async fn a_dry_run_writes_nothing_and_shows_the_differences() {
    for test in databases() {
        let stage = Stage::new(test, orders(120)).await;
        stage.all().await;
        stage.set(2, "status", "cancelled", &second(200));
        stage.set(3, "line_items", order(3, 4, 5, "")["line_items"].clone(), &second(200));
        stage.change(|book| {
            book.orders.insert(500, order(500, 1, 1, &second(201)));
            let mut unknown = order(501, 1, 1, &second(202));
            unknown["line_items"][0]["meta_data"] = json!([]);
            book.orders.insert(501, unknown);
            book.orders.remove(&4);
        });
        let before = dump(&stage);
        let tried = stage.try_out(since("2026-11-19T16:00:00Z")).await;
        same(&dump(&stage), &before);
        let found: Vec<_> = tried
            .differences
            .as_ref()
            .unwrap()
            .iter()
            .map(|difference| {
                let text = |credits: Option<nivella_wallet::units::Credits>| {
                    credits.map(|credits| credits.to_string())
                };
                (difference.order, difference.line, text(difference.booked), text(difference.should_be))
            })
            .collect();
        let some = |text: &str| Some(text.to_owned());
        for wanted in [
            (2, Some(20), some("10"), some("0")),
            (3, Some(30), some("10"), some("50")),
            (500, Some(5000), some("0"), some("10")),
        ] {
            assert!(found.contains(&wanted), "{wanted:?} is not in {found:?}");
        }
        let says = |order: i64, what: &str| {
            tried
                .differences
                .as_ref()
                .unwrap()
                .iter()
                .any(|one| one.order == order && one.what.contains(what))
        };
        assert!(
            says(2, "processing → cancelled") && says(500, "nobody told") && says(501, "waits"),
            "{tried:#?}"
        );
        assert!(says(4, "deleted"), "{tried:#?}");
        assert_eq!(tried.counts.parked, 1);

        let done = stage.all().await;
        // On the way it learned that there is no such product; that changes no number.
        assert_eq!(done.counts.line(), tried.counts.line());
        assert_eq!(done.counts.line(), "119 paid lines, 119 granted, 0 missing, 0 extra, 5 repaired");
        assert_eq!(stage.try_out(since("2026-11-19T16:00:00Z")).await.differences, Some(Vec::new()));
    }
}

/// Product 10 is not known; the shop is asked, and no daemon runs.
#[tokio::test]
async fn what_orders_wait_for_is_asked_for_by_the_sweep_itself() {
    for test in databases() {
        let mut unknown = order(1, 1, 2, &second(1));
        unknown["line_items"][0]["meta_data"] = json!([]);
        unknown["line_items"][0]["product_id"] = 10.into();
        let stage = Stage::new(test, [unknown]).await;
        let mut product: Value =
            serde_json::from_slice(&crate::support::recorded("rest/product-simple.body")).unwrap();
        product["meta_data"] = json!([{ "id": 1, "key": "_nivella_credits", "value": "700" }]);
        stage.shop.put("products/10", Some(product));
        let found = stage.all().await;
        counts(&found, "1 paid lines, 1 granted, 0 missing, 0 extra, 1 repaired");
        assert_eq!((found.counts.parked, stage.credits(1), stage.count("lookup")), (0, 1400, 0));
    }
}

/// One order that cannot be read hides no other, and the answer says so.
#[tokio::test]
async fn an_order_that_cannot_be_read_is_named() {
    for test in databases() {
        let mut torn = order(2, 1, 1, &second(2));
        torn["line_items"][0]["total"] = json!({ "not": "money" });
        let mut without_date = order(3, 1, 1, &second(3));
        without_date["refunds"] = named(9, 1);
        let stage =
            Stage::new(test, [order(1, 1, 1, &second(1)), torn, without_date, order(4, 1, 1, &second(4))])
                .await;
        stage.change(|book| drop(book.refunds.insert(3, vec![json!({ "id": 9, "amount": [] })])));
        let found = stage.all().await;
        assert_eq!((found.counts.unread, stage.credits(1)), (2, 20), "{found:#?}");
        assert!(!found.counts.is_right());
        let named: Vec<_> = found.unread_orders.iter().map(|unread| unread.order.clone().unwrap()).collect();
        assert_eq!(named, ["2", "3"]);
        // Nothing is remembered of it: once it can be read, it counts.
        stage.set(2, "line_items", order(2, 1, 1, "")["line_items"].clone(), &second(2));
        stage.change(|book| drop(book.refunds.insert(3, vec![refund(9, 3, 1)])));
        counts(&stage.all().await, "3 paid lines, 3 granted, 0 missing, 0 extra, 2 repaired");
    }
}

/// What a delivery told before is confirmed without being written again; what it told wrongly is corrected.
#[tokio::test]
async fn what_was_told_is_confirmed_and_what_is_older_changes_nothing() {
    use nivella_wallet::order::apply::{self, Source};
    use nivella_wallet::order::newer::Seen;
    use nivella_wallet::order::woo;
    for test in databases() {
        let stage = Stage::new(test, orders(3)).await;
        let (shop, rules, at) = (stage.store.clone(), Arc::clone(&stage.rules), stage.test.clock.now());
        write(&stage.test.db, move |tx| {
            for (arrival, told) in (1..).zip([
                order(1, 2, 1, &second(1)),
                order(2, 3, 9, &second(2)),
                // The list is read while this is on its way.
                order(3, 4, 4, &second(90)),
            ]) {
                let told = woo::parse_rest(told.to_string().as_bytes(), None, &shop.site_keys).unwrap();
                let seen = Seen::Told { arrival, at };
                apply::apply(tx, &shop, &rules, told, Source { operation: "dl_test", seen })?;
            }
            Ok::<_, apply::Error>(())
        });
        stage.test.clock.turn_to(at.plus_millis(1000));
        let found = stage.all().await;
        counts(&found, "3 paid lines, 3 granted, 0 missing, 0 extra, 1 repaired");
        assert_eq!([2, 3, 4].map(|customer| stage.credits(customer)), [10, 10, 40]);
        assert_eq!(stage.count("shop_order WHERE confirmed_at IS NOT NULL"), 2);
    }
}

// The command line and the daemon ----------------------------------------------------------------------

/// The real program, with a shop it can reach.
struct Program {
    shop: FakeShop,
    folder: tempfile::TempDir,
}

impl Program {
    async fn new(orders: impl IntoIterator<Item = Value>) -> Self {
        let shop = FakeShop::start("", &Clock::system()).await;
        shop.state.lock().unwrap().book = Some(Book::new(orders));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("keys.txt"), fake_shop::SECRET).unwrap();
        let program = Self { shop, folder };
        program.run(&format!(
            "store add shop --url {} --webhook-secret {SECRET} --consumer-key {} --consumer-secret-file keys.txt",
            program.shop.url,
            fake_shop::KEY
        ));
        program
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nivella-wallet"));
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("NIVELLA_WALLET_DURABILITY", "process")
            .args(["--database", "sqlite:wallet.db"])
            .args(arguments.split(' '));
        command
    }

    /// Answers the exit status, what it answered and what it complained of.
    fn run(&self, arguments: &str) -> (i32, String, String) {
        let done = self.command(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
    }

    fn start(&self, arguments: &str) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Tells when the page of orders with this number is asked for.
    fn at_page(&self, number: i64) -> std::sync::mpsc::Receiver<()> {
        let (tell, told) = std::sync::mpsc::channel();
        let mut pages = 0;
        self.shop.state.lock().unwrap().book.as_mut().unwrap().before = Some(Box::new(move |_, path| {
            pages += i64::from(path == "orders");
            if pages == number {
                let _ = tell.send(());
            }
            None
        }));
        told
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_prints_the_line_and_its_exit_status_says_whether_all_is_right() {
    let program = Program::new(recent(12)).await;
    let (status, out, err) = program.run("reconcile --dry-run");
    assert_eq!((status, err.as_str()), (0, ""), "{out}");
    for part in
        ["ORDER", "SHOULD BE", "12 paid lines, 12 granted, 0 missing, 0 extra, 12 repaired", "dry run"]
    {
        assert!(out.contains(part), "{out}");
    }
    let (status, out, err) = program.run("reconcile");
    assert_eq!((status, err.as_str()), (0, ""));
    assert_eq!(out, "store shop: 12 paid lines, 12 granted, 0 missing, 0 extra, 12 repaired\n");
    let (_, out, _) = program.run("reconcile --store shop --since 30d --json");
    let one: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(one["dry_run"], json!(false));
    let one = &one["items"][0];
    assert_eq!(
        ["store", "orders", "paid_lines", "granted", "missing", "extra", "repaired", "parked", "unread"]
            .map(|field| one[field].clone()),
        [json!("shop"), json!(12), json!(12), json!(12), json!(0), json!(0), json!(0), json!(0), json!(0)],
    );
    let (_, out, _) = program.run("reconcile --all --json");
    let all: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&all["items"][0]["since"], &all["items"][0]["granted"]), (&Value::Null, &json!(12)));
    let (_, out, _) = program.run("store show shop");
    assert!(out.contains("12 paid lines, 12 granted"), "{out}");

    // What cannot be read is named, and the exit status says so.
    program.shop.state.lock().unwrap().book.as_mut().unwrap().orders.get_mut(&3).unwrap()["total"] =
        json!([]);
    let (status, out, err) = program.run("reconcile");
    assert_eq!((status, err.as_str()), (1, ""));
    assert!(out.contains("1 order could not be read or booked:\n  order 3: "), "{out}");

    // A shop that does not answer; a store that cannot be asked; a time to come.
    program.shop.state.lock().unwrap().book.as_mut().unwrap().before = Some(Box::new(|_, _| Some(404)));
    let (status, out, err) = program.run("reconcile --json");
    assert_eq!(status, 1);
    let items: Value = serde_json::from_str(&out).unwrap();
    let item = &items["items"][0];
    assert_eq!(item["store"], "shop");
    let error: Value = serde_json::from_str(&err).unwrap();
    assert_eq!((&item["error"], &item["remedy"]), (&error["error"], &error["help"]));
    assert!(error["error"].as_str().unwrap().starts_with("store shop: no WooCommerce REST API"), "{error}");
    assert!(error["help"].as_str().unwrap().contains("store set shop --url"), "{error}");
    for (status, remedy) in [(401, "`nivella-wallet store check shop`"), (500, "later: the same command")] {
        program.shop.state.lock().unwrap().book.as_mut().unwrap().before =
            Some(Box::new(move |_, _| Some(status)));
        let (_, _, err) = program.run("reconcile");
        assert!(err.contains(remedy), "{status}: {err}");
    }
    program.run(&format!("store add bare --url http://shop.example --webhook-secret {SECRET}"));
    let (status, _, err) = program.run("reconcile --store bare");
    assert!(
        status == 1 && err.contains("store bare has no REST keys") && err.contains("store set bare"),
        "{err}"
    );
    assert_eq!(program.run("reconcile --since 2126-01-01").0, 2);
    assert_eq!(program.run("reconcile --since yesterday").0, 2);
    assert_eq!(program.run("verify").0, 0);
}

/// Orders that changed one after the other until a moment ago.
fn recent(count: i64) -> impl Iterator<Item = Value> {
    let now = Clock::system().now();
    (1..=count).map(move |id| {
        let at = now.plus_millis((id - count - 60) * 1000).utc().format("%Y-%m-%dT%H:%M:%S").to_string();
        order(id, id % 997 + 1, 1, &at)
    })
}

/// Stopped by hand and killed, it goes on where it was; killed, it lets another begin within 15 s.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn stopped_or_killed_it_is_gone_on_with() {
    let program = Program::new(recent(900)).await;
    for (signal, first_page) in [("INT", 4), ("KILL", 3)] {
        let reached = program.at_page(first_page);
        program.shop.asked();
        let mut child = program.start("reconcile");
        reached.recv_timeout(Duration::from_mins(1)).unwrap();
        let done = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap();
        assert!(done.success());
        let status = child.wait().unwrap();
        let mut err = String::new();
        std::io::Read::read_to_string(child.stderr.as_mut().unwrap(), &mut err).unwrap();
        if signal == "INT" {
            assert_eq!(status.code(), Some(1), "{err}");
            assert!(err.contains("run the same command within an hour"), "{err}");
        }
    }
    program.shop.asked();
    let began = std::time::Instant::now();
    let (status, out, err) = program.run("reconcile");
    println!("after a kill the next run took {:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(40));
    assert_eq!(status, 0, "{out}{err}");
    assert!(err.contains("waiting: store shop is being reconciled already"), "{err}");
    assert!(
        out.contains("store shop: 900 paid lines, 900 granted, 0 missing, 0 extra, 900 repaired"),
        "{out}"
    );
    assert!(out.contains("it went on with a run that was cut off"), "{out}");
    let pages = program.shop.asked().len();
    assert!(pages < 8, "{pages} pages were read, which is more than the rest");
    assert_eq!(program.run("verify").0, 0);
    assert!(program.run("reconcile").1.contains("900 granted, 0 missing, 0 extra, 0 repaired"));
}

/// The peak of memory does not grow with the number of orders.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_orders_take_no_more_memory_than_five_hundred() {
    /// Kilobytes that the writer keeps of the file at most, and that buffers and the allocator may differ by.
    const SLACK_KB: u64 = (32 + 8) * 1024;
    let mut peaks = Vec::new();
    for number in [500, 10_000] {
        let program = Program::new(recent(number).map(|mut order| {
            // As large as orders are.
            order["customer_note"] = "x".repeat(3000).into();
            order
        }))
        .await;
        for repaired in [number, 0] {
            let began = std::time::Instant::now();
            let mut child = program.start("reconcile");
            let mut peak = 0;
            while child.try_wait().unwrap().is_none() {
                peak = peak.max(peak_kb(child.id()));
                std::thread::sleep(Duration::from_millis(5));
            }
            let mut out = String::new();
            std::io::Read::read_to_string(child.stdout.as_mut().unwrap(), &mut out).unwrap();
            let line =
                format!("{number} paid lines, {number} granted, 0 missing, 0 extra, {repaired} repaired");
            assert!(out.contains(&line), "{out}");
            println!("{number} orders, {repaired} repaired: {:?}, peak {peak} kB", began.elapsed());
            peaks.push(peak);
        }
    }
    assert!(peaks[2] < peaks[0] + SLACK_KB && peaks[3] < peaks[1] + SLACK_KB, "{peaks:?}");
}

/// The most memory a process had so far.
#[cfg(target_os = "linux")]
fn peak_kb(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}

/// The daemon sweeps by itself, again when it is asked to, and shows what it found.
#[tokio::test]
async fn the_daemon_finds_what_no_delivery_told() {
    let app = TestApp::start_with(|config| config.reconcile.every = "10s".parse().unwrap()).await;
    let shop = FakeShop::start("", &app.clock).await;
    shop.state.lock().unwrap().book = Some(Book::new(orders(5)));
    let store = add_store(app.db(), "shop", shop.url.clone());
    let until = async |repaired: u64| {
        let wait = async {
            loop {
                let run = app.db().read(|tx| reconcile::store::runs(tx, Some(store.id))).unwrap().pop();
                match run.and_then(|run| run.result) {
                    Some(counts) if counts.repaired == repaired => break counts,
                    _ => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), wait).await.expect("the daemon sweeps by itself")
    };
    assert_eq!(until(5).await.line(), "5 paid lines, 5 granted, 0 missing, 0 extra, 5 repaired");
    assert_eq!(app.available("account:shop:customer:3").await, "10");
    // The clock stands, so it is not due; a request makes it due at once.
    shop.state.lock().unwrap().book.as_mut().unwrap().orders.insert(6, order(6, 2, 3, "2026-11-20T18:00:00"));
    let id = store.id;
    write(app.db(), move |tx| reconcile::store::request(tx, id));
    assert_eq!(until(1).await.granted, 1, "of what changed lately");
    // As time goes by.
    shop.state.lock().unwrap().book.as_mut().unwrap().orders.get_mut(&1).unwrap()["status"] =
        "cancelled".into();
    shop.state.lock().unwrap().book.as_mut().unwrap().orders.get_mut(&1).unwrap()["date_modified_gmt"] =
        "2026-11-20T18:00:05".into();
    shop.asked();
    app.clock.turn_to("2026-11-20T18:00:11Z".parse().unwrap());
    let wait = async {
        while app.available("account:shop:customer:2").await != "30" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(2), wait).await.expect("the daemon sweeps every ten seconds");
    let asked = shop.asked();
    assert!(
        asked[0].contains("modified_after=2026-11-20T17%3A50%3A00"),
        "only what changed lately: {asked:?}"
    );
    let metrics = app.http.get(app.url("/metrics")).send().await.unwrap().text().await.unwrap();
    for line in
        ["nivella_reconcile_missing{store=\"shop\"} 0", "nivella_reconcile_age_seconds{store=\"shop\"}"]
    {
        assert!(metrics.contains(line), "{metrics}");
    }
}

/// The shop is being asked when a delivery tells of a later state of the same second: the answer under way does
/// not undo it, and the order is read once more.
#[tokio::test]
async fn a_delivery_that_overtakes_the_list_is_not_undone() {
    use nivella_wallet::order::apply::{self, Source};
    use nivella_wallet::order::newer::Seen;
    use nivella_wallet::order::woo;
    for test in databases() {
        let stage = Stage::new(test, orders(3)).await;
        stage.all().await;
        stage.set(2, "status", "on-hold", &second(50));
        let (db, shop, rules) = (stage.test.db.clone(), stage.store.clone(), Arc::clone(&stage.rules));
        let (clock, mut asked) = (stage.test.clock.clone(), 0);
        stage.change(|book| {
            book.before = Some(Box::new(move |book, _| {
                asked += 1;
                if asked == 1 {
                    clock.turn_to(clock.now().plus_millis(5));
                    let told = order(2, 3, 4, &second(50));
                    let told = woo::parse_rest(told.to_string().as_bytes(), None, &shop.site_keys).unwrap();
                    let (shop, rules, seen) =
                        (shop.clone(), Arc::clone(&rules), Seen::Told { arrival: 1, at: clock.now() });
                    write(&db, move |tx| {
                        apply::apply(tx, &shop, &rules, told, Source { operation: "dl_test", seen })
                    });
                } else {
                    book.orders.insert(2, order(2, 3, 5, &second(50)));
                }
                None
            }));
        });
        stage.all().await;
        assert_eq!(stage.credits(3), 50, "what the shop showed when it was asked once more");
        assert_eq!(stage.count("shop_order WHERE recheck = 1") + stage.count("lookup"), 0);
        stage.change(|book| book.before = None);
        counts(&stage.all().await, "3 paid lines, 3 granted, 0 missing, 0 extra, 0 repaired");
    }
}

/// One order that breaks the shop is named; a shop that breaks at one after the other is left alone.
#[tokio::test]
async fn a_shop_that_fails_at_one_order_shows_the_others() {
    for test in databases() {
        let listed = (1..=6).map(|id| {
            let mut order = order(id, 1, 2, &second(id));
            order["refunds"] = named(100 + id, 1);
            order
        });
        let stage = Stage::new(test, listed).await;
        let broken = |ids: &'static [&'static str]| {
            stage.change(|book| {
                book.refunds = (1..=6).map(|id| (id, vec![refund(100 + id, id, 1)])).collect();
                book.before = Some(Box::new(move |_, path| ids.contains(&path).then_some(500)));
            });
        };
        broken(&["orders/2/refunds", "orders/4/refunds"]);
        let found = stage.all().await;
        assert_eq!((found.counts.unread, found.counts.granted, stage.credits(1)), (2, 4, 40), "{found:#?}");
        broken(&["orders/2/refunds"]);
        let found = stage.all().await;
        assert_eq!((found.counts.unread, found.counts.repaired, stage.credits(1)), (1, 1, 50), "{found:#?}");
        stage.change(|book| book.before = Some(Box::new(|_, path| path.contains('/').then_some(500))));
        for id in 1..=6 {
            stage.set(id, "refunds", named(200 + id, 1), &second(100 + id));
        }
        assert!(matches!(stage.sweep(since("2026-11-19T16:00:00Z")).await, Err(Error::Shop { .. })));
    }
}

/// Half a sweep is not gone on with in another shop.
#[tokio::test]
async fn a_store_that_is_set_anew_is_swept_anew() {
    for test in databases() {
        let stage = Stage::new(test, orders(150)).await;
        fails_from_page(&stage, 2);
        stage.sweep(since("2026-11-19T16:00:00Z")).await.unwrap_err();
        stage.change(|book| book.before = None);
        let id = stage.store.id;
        write(&stage.test.db, move |tx| {
            let settings = shop::store::settings(tx, id)?.unwrap();
            shop::store::update(tx, id, &settings)
        });
        let due = stage.test.db.read(reconcile::store::due).unwrap();
        assert_eq!(due.len(), 1, "at once, although it failed a moment ago");
        assert!(!stage.all().await.resumed);
    }
}

/// A plugin spoils a page full of orders, dates and all: the pages after it are read all the same.
#[tokio::test]
async fn a_page_that_cannot_be_read_hides_no_other() {
    for test in databases() {
        let listed = (1..=210).map(|id| {
            let mut order = order(id, 1, 1, &second(id));
            if id <= 100 {
                order["date_modified_gmt"] = "".into();
                order["total"] = json!([]);
            }
            order
        });
        let stage = Stage::new(test, listed).await;
        stage.change(|book| book.sorts = false);
        let found = stage.sweep(Window::ALL).await.unwrap();
        assert_eq!((found.counts.unread, found.unread_orders.len(), stage.credits(1)), (100, 20, 1100));
    }
}
