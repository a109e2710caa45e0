//! A database that an older version left behind is brought up to date and holds what it held.

use std::path::Path;

use nivella_wallet::config::Config;
use nivella_wallet::db::{Db, Durability};
use nivella_wallet::feed;
use nivella_wallet::id::{AccountId, DebitId, KeyId};
use nivella_wallet::idempotency::{self, Seen};
use nivella_wallet::inbox::{Envelope, Incoming, signature};
use nivella_wallet::ledger::{LockedAccount, audit};
use nivella_wallet::order::explain;
use nivella_wallet::site::{self, WalletRef};
use nivella_wallet::time::Clock;
use nivella_wallet::{app, inbox, shop};

use crate::app::write;

/// What the version that wrote `schema-1.sql` said of it.
const WALLETS: [(&str, &str, &str); 3] = [
    ("account:lab:customer:2", "22054.5", "40.5"),
    ("site:shop-1", "16054.5", "40.5"),
    ("account:lab:email:guest@example.test", "5000", "0"),
];

fn restore(dump: &str, now: &str, folder: &Path) -> Db {
    restore_with(dump, now, folder, "")
}

/// With more that the old version had done.
fn restore_with(dump: &str, now: &str, folder: &Path, more: &str) -> Db {
    let path = folder.join("wallet.db");
    let dump = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/upgrade").join(dump);
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch(&std::fs::read_to_string(dump).unwrap()).unwrap();
    connection.execute_batch(more).unwrap();
    connection.close().unwrap();
    let clock = Clock::standing_at(now.parse().unwrap());
    Db::open(&format!("sqlite:{}", path.display()).parse().unwrap(), Durability::Full, clock).unwrap()
}

#[test]
fn the_books_of_the_first_version_are_kept_to_the_micro_credit() {
    let folder = tempfile::tempdir().unwrap();
    let db = restore("schema-1.sql", "2026-11-21T10:00:00Z", folder.path());
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

/// Plans, rates, voided grants, corrections and merged accounts of the third version go on where they were.
#[test]
fn the_books_of_the_third_version_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let db = restore("schema-3.sql", "2026-11-21T18:00:00Z", folder.path());
    let report = audit::verify(&db, |_| {}).unwrap();
    assert_eq!((report.faults, report.accounts, report.entries), (vec![], 3, 40));
    let settings = app::feed_settings(&Config::default());
    let numbers = |wallet: &str| {
        let wallet: WalletRef = wallet.parse().unwrap();
        let numbers = db.read(|tx| feed::wallet::open(tx, &wallet)?.unwrap().numbers(tx, &settings)).unwrap();
        format!("{} used {} cap {}", numbers.available, numbers.used, numbers.recurring.cap)
    };
    assert_eq!(numbers("account:lab:customer:2"), "23953.5 used 179.5 cap 103");
    assert_eq!(numbers("account:lab:email:guest@example.test"), "23953.5 used 179.5 cap 103");
    assert_eq!(numbers("site:blog"), "17953.5 used 179.5 cap 103");
    assert_eq!(numbers("site:site-123"), "17763.5 used 0 cap 3");
    // Its plans bring what is due, and what was spent counts where it was.
    db.clock().turn_to("2026-12-01T00:00:00Z".parse().unwrap());
    write(&db, |tx| {
        let account = site::store::resolve(tx, &"lab:customer:2".parse().unwrap())?.unwrap();
        LockedAccount::lock(tx, &account).map(drop)
    });
    assert_eq!(numbers("site:blog"), "18056.5 used 0 cap 103");
    assert_eq!(audit::verify(&db, |_| {}).unwrap().faults, vec![]);
}

/// What was answered before an upgrade is answered so after it, until it is too old.
#[test]
fn requests_of_before_are_known_after_an_upgrade() {
    let folder = tempfile::tempdir().unwrap();
    let db = restore("schema-3.sql", "2026-11-21T18:00:00Z", folder.path());
    let look = || {
        db.read(|tx| {
            let caller: KeyId = "key_01a1fe2857d57379b30eceeae9eaee37".parse().unwrap();
            idempotency::store::look(tx, &idempotency::OwnKey::new(&caller, "b".parse().unwrap()), &[0; 32])
        })
        .unwrap()
    };
    let prune = || write(&db, |tx| idempotency::store::prune(tx, 8));
    assert!(
        matches!(look(), Seen::Mismatch(answer) if answer.body.contains("db_01a1fe28599d71adb87384cfd4b22b1c"))
    );
    assert_eq!(prune(), 0);
    db.clock().turn_to("2026-12-21T18:00:00Z".parse().unwrap());
    assert_eq!(look(), Seen::Never);
    assert_eq!([prune(), prune(), prune()], [8, 3, 0]);
}

/// Limits of assistants and the brake know what was spent before there were any.
#[test]
fn what_assistants_spent_before_they_were_counted_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let db = restore_with(
        "schema-1.sql",
        "2026-11-21T10:00:00Z",
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

/// Entries of the fourth version are numbered in their account; today's name the one before. Holds, captures,
/// reversals, a merger, a transfer and plans came before, and what was done can be undone.
#[test]
fn the_entries_of_the_fourth_version_are_chained() {
    let folder = tempfile::tempdir().unwrap();
    let db = restore("schema-4.sql", "2029-08-01T00:00:00Z", folder.path());
    let report = audit::verify(&db, |_| {}).unwrap();
    assert_eq!((report.faults, report.accounts, report.entries), (vec![], 2, 483));
    let settings = app::feed_settings(&Config::default());
    let told: Vec<i64> = db
        .read(|tx| {
            let wallet: WalletRef = "site:s1".parse().unwrap();
            let wallet = feed::wallet::open(tx, &wallet)?.unwrap();
            let available = wallet.numbers(tx, &settings)?.available;
            let list = feed::explain::available(tx, &wallet, None, true, 1000)?;
            let sum: i64 = list.items.iter().map(|item| item.credits.micro()).sum();
            Ok::<_, nivella_wallet::db::Error>(vec![
                available.micro() - sum,
                i64::from(list.next_cursor.is_some()),
            ])
        })
        .unwrap();
    assert_eq!(told, [0, 0]);
    let debits: Vec<(AccountId, DebitId)> = db
        .read(|tx| {
            tx.query(
                "-- test
                 SELECT COALESCE(a.merged_into, a.id), d.id FROM debit d JOIN account a ON a.id = d.account_id
                 WHERE d.reversed = 0 ORDER BY d.id",
                &[],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
        })
        .unwrap();
    assert_eq!(debits.len(), 8);
    for (account, debit) in debits {
        write(&db, move |tx| LockedAccount::lock(tx, &account)?.reverse(&debit, None, None).map(drop));
        assert_eq!(audit::verify(&db, |_| {}).unwrap().faults, vec![]);
    }
}

/// Debits that the fifth version had added up and not settled, credits that were held, and what a shop signs with and
/// is asked with are there after it.
#[test]
fn what_the_fifth_version_had_not_settled_counts() {
    let folder = tempfile::tempdir().unwrap();
    let db = restore("schema-5.sql", "2026-11-21T19:30:00Z", folder.path());
    let unsettled = |db: &Db| -> i64 {
        let sql = "-- test\n SELECT CAST(COUNT(*) AS BIGINT) FROM account WHERE unsettled IS NOT NULL";
        db.read(|tx| tx.query_one(sql, &[], |row| row.get(0))).unwrap()
    };
    assert_eq!(unsettled(&db), 1);
    let report = audit::verify(&db, |_| {}).unwrap();
    assert_eq!((report.faults, report.accounts, report.entries), (vec![], 4, 38));
    let settings = app::feed_settings(&Config::default());
    let check = |db: &Db| {
        for (wallet, available, held, used) in [
            ("account:lab:customer:2", "9917.25", "20", "209.75"),
            ("site:shop-1", "3917.25", "20", "53"),
            ("site:blog", "3459.25", "20", "6.75"),
            ("site:site-123", "3459.25", "20", "150"),
            ("account:lab:customer:9", "25", "0", "0"),
            ("account:lab:email:guest@example.test", "0", "0", "0"),
        ] {
            let wallet: WalletRef = wallet.parse().unwrap();
            let numbers = db.read(|tx| feed::wallet::open(tx, &wallet)?.unwrap().numbers(tx, &settings));
            let numbers = numbers.unwrap();
            let said = [numbers.available, numbers.held, numbers.used].map(|credits| credits.to_string());
            assert_eq!(said, [available, held, used], "{wallet}");
        }
    };
    check(&db);
    let lab = "lab".parse().unwrap();
    let (shop, secrets) = db.read(|tx| shop::store::find_with_secrets(tx, &lab)).unwrap().unwrap();
    assert!(shop.has_rest_keys && secrets.previous.is_some());
    // Settling changes no number.
    write(&db, |tx| {
        let account = site::store::resolve(tx, &"lab:customer:2".parse().unwrap())?.unwrap();
        LockedAccount::lock(tx, &account).map(drop)
    });
    assert_eq!(unsettled(&db), 0);
    check(&db);
    assert_eq!(audit::verify(&db, |_| {}).unwrap().faults, vec![]);
}

/// Deliveries of the seventh version are kept as they came: they are found by their ids, told from new ones, and read
/// beside those that are packed.
#[test]
fn deliveries_of_the_seventh_version_are_found_and_known() {
    let folder = tempfile::tempdir().unwrap();
    let db = restore("schema-7.sql", "2026-11-22T03:00:00Z", folder.path());
    let prove = |entries: u64| {
        let report = audit::verify(&db, |_| {}).unwrap();
        assert_eq!((report.faults, report.accounts, report.entries), (vec![], 3, entries));
    };
    prove(21);
    let lab = db.read(|tx| shop::store::find(tx, &"lab".parse().unwrap())).unwrap().unwrap();
    let receive = |topic: &str, body: Vec<u8>| {
        let signature = signature::sign(b"lab-webhook-secret-not-a-real-one", &body);
        let headers = [("x-wc-webhook-signature".parse().unwrap(), signature.parse().unwrap())];
        let headers = headers.into_iter().collect();
        let verified =
            signature::verify(&[b"lab-webhook-secret-not-a-real-one"], &headers, body.into()).unwrap();
        let envelope = Envelope { topic: topic.to_owned(), ..Envelope::default() };
        let incoming = Incoming::read(envelope, verified, &lab);
        let (lab, rules) = (lab.clone(), app::rules(&Config::default()));
        write(&db, move |tx| inbox::receive(tx, &lab, &rules, &incoming))
    };
    let mut last = None;
    let mut after = 0;
    while let Some(kept) = db.read(|tx| inbox::store::next(tx, None, after)).unwrap() {
        after = kept.seq;
        let (shown, body) = db.read(|tx| inbox::store::show(tx, &kept.id)).unwrap().unwrap();
        assert_eq!(
            (shown.seq, shown.bytes, body.as_ref()),
            (kept.seq, i64::try_from(kept.body.len()).ok(), Some(&kept.body))
        );
        assert_eq!(receive(&kept.topic, kept.body.clone()).delivery, kept.id);
        last = Some(kept);
    }
    assert_eq!(after, 71);
    prove(21);
    // The next one is packed, and shown as it came.
    let last = last.unwrap();
    let body = [&last.body[..], b" "].concat();
    let id = receive(&last.topic, body.clone()).delivery;
    let (shown, kept) = db.read(|tx| inbox::store::show(tx, &id)).unwrap().unwrap();
    assert_eq!((shown.seq, shown.bytes, kept), (72, i64::try_from(body.len()).ok(), Some(body)));
    assert_eq!(db.read(|tx| inbox::store::list(tx, None, i64::MAX, 100)).unwrap().len(), 72);
    let settings = app::feed_settings(&Config::default());
    for (wallet, available) in [("account:lab:customer:2", "10043.75"), ("site:shop-1", "10043.75")] {
        let wallet: WalletRef = wallet.parse().unwrap();
        let numbers = db.read(|tx| feed::wallet::open(tx, &wallet)?.unwrap().numbers(tx, &settings)).unwrap();
        assert_eq!(numbers.available.to_string(), available);
    }
}
