//! A database that an older version left behind is brought up to date and holds what it held.

use std::path::Path;

use nivella_wallet::config::Config;
use nivella_wallet::db::{Db, Durability};
use nivella_wallet::feed;
use nivella_wallet::ledger::audit;
use nivella_wallet::order::explain;
use nivella_wallet::site::WalletRef;
use nivella_wallet::time::Clock;
use nivella_wallet::{app, inbox, shop};

use crate::app::write;

/// What the version that wrote `schema-1.sql` said of it.
const WALLETS: [(&str, &str, &str); 3] = [
    ("account:lab:customer:2", "22054.5", "40.5"),
    ("site:shop-1", "16054.5", "40.5"),
    ("account:lab:email:guest@example.test", "5000", "0"),
];

fn restore(dump: &str, folder: &Path) -> Db {
    restore_with(dump, folder, "")
}

/// With more that the old version had done.
fn restore_with(dump: &str, folder: &Path, more: &str) -> Db {
    let path = folder.join("wallet.db");
    let dump = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/upgrade").join(dump);
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch(&std::fs::read_to_string(dump).unwrap()).unwrap();
    connection.execute_batch(more).unwrap();
    connection.close().unwrap();
    let clock = Clock::standing_at("2026-11-21T10:00:00Z".parse().unwrap());
    Db::open(&format!("sqlite:{}", path.display()).parse().unwrap(), Durability::Full, clock).unwrap()
}

#[test]
fn the_books_of_the_first_version_are_kept_to_the_micro_credit() {
    let folder = tempfile::tempdir().unwrap();
    let db = restore("schema-1.sql", folder.path());
    let report = audit::verify(&db, |_| {}).unwrap();
    assert_eq!((report.faults, report.accounts, report.entries), (vec![], 3, 22));
    let settings = app::feed_settings(&Config::default());
    for (wallet, available, used) in WALLETS {
        let wallet: WalletRef = wallet.parse().unwrap();
        let numbers = db.read(|tx| feed::wallet::open(tx, &wallet)?.unwrap().numbers(tx, &settings)).unwrap();
        assert_eq!(
            (numbers.available.to_string(), numbers.used.to_string()),
            (available.into(), used.into())
        );
    }
    // What it kept raw can be replayed, and changes nothing; its orders can be explained.
    let rules = app::rules(&Config::default());
    let lab = db.read(|tx| shop::store::find(tx, &"lab".parse().unwrap())).unwrap().unwrap();
    let (mut after, mut replayed) = (0, 0);
    while let Some(kept) = db.read(|tx| inbox::store::next(tx, None, after)).unwrap() {
        after = kept.seq;
        replayed += 1;
        let (lab, rules) = (lab.clone(), rules.clone());
        write(&db, move |tx| inbox::replay(tx, &lab, &rules, &kept).map(drop));
    }
    assert!(replayed > 20, "{replayed} deliveries were kept");
    let report = audit::verify(&db, |_| {}).unwrap();
    assert_eq!((report.faults, report.entries), (vec![], 22));
    let orders: Vec<i64> = db
        .read(|tx| {
            tx.query("-- test\n SELECT order_id FROM shop_order ORDER BY order_id", &[], |row| row.get(0))
        })
        .unwrap();
    assert!(orders.len() > 8, "{orders:?}");
    for order in orders {
        let story = db.read(|tx| explain::story(tx, &lab, &rules, order)).unwrap().unwrap();
        assert_eq!(story.order, order);
    }
}

/// Limits of assistants and the brake know what was spent before there were any.
#[test]
fn what_assistants_spent_before_they_were_counted_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let db = restore_with(
        "schema-1.sql",
        folder.path(),
        "UPDATE debit SET agent = 'bot' WHERE credits = 10000000",
    );
    assert_eq!(audit::verify(&db, |_| {}).unwrap().faults, []);
    let counted: Vec<String> = db
        .read(|tx| {
            tx.query(
                "-- test
                 SELECT per || ' ' || agent || ' ' || captured FROM spending ORDER BY per, agent",
                &[],
                |row| row.get(0),
            )
        })
        .unwrap();
    assert_eq!(counted, ["day  40500000", "day bot 10000000", "month  40500000", "month bot 10000000"]);
    let hours: Vec<i64> = db
        .read(|tx| tx.query("-- test\n SELECT captured FROM spending_hour", &[], |row| row.get(0)))
        .unwrap();
    assert_eq!(hours, [40_500_000]);
}
