//! What a shop has is compared with what the books have.
//!
//! The shops here are played, and live: orders change while they are read. See `fake_shop`.

use std::sync::Arc;

use nivella_wallet::app;
use nivella_wallet::config::Config;
use nivella_wallet::db::{Db, Tx};
use nivella_wallet::ledger::audit;
use nivella_wallet::order::apply::Rules;
use nivella_wallet::order::target::OnDelete;
use nivella_wallet::reconcile::report::{Counts, Report};
use nivella_wallet::reconcile::{self, Error, Window};
use nivella_wallet::shop::rest::Clients;
use nivella_wallet::shop::{self, HookSecret, RestKeys, Store};
use nivella_wallet::time::{Clock, Timestamp};
use serde_json::{Value, json};

use crate::app::{SECRET, write};
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
             SELECT CAST(COALESCE(SUM(s.remaining), 0) AS BIGINT) FROM slice s
             JOIN customer c ON c.account_id = s.account_id WHERE c.natural_key = $1";
        let key = format!("customer:{customer}");
        let key = [nivella_wallet::db::Param::from(&key)];
        self.test.db.read(|tx| tx.query_one(sql, &key, |row| row.get::<i64>(0))).unwrap() / 1_000_000
    }

    fn count(&self, table: &str) -> i64 {
        let sql = format!("-- test\n SELECT CAST(COUNT(*) AS BIGINT) FROM {table}");
        self.test.db.read(|tx| tx.query_one(&sql, &[], |row| row.get(0))).unwrap()
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
