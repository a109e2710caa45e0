//! What `verify` proves: a change of any row that counts is found, and named by its rule.

use std::path::Path;

use nivella_wallet::db::{Db, Durability};
use nivella_wallet::ledger::audit;
use nivella_wallet::time::Clock;

/// What somebody changed in the books behind the program's back, and the rule that finds it first.
const CHANGES: [(&str, &str); 44] = [
    // Entries.
    ("UPDATE entry SET amount = amount + 1 WHERE id = 20", "hash chain"),
    ("UPDATE entry SET booked_at = booked_at + 1 WHERE id = 20", "hash chain"),
    (
        "UPDATE entry SET operation = 'op_x' WHERE kind = 'spent' AND id = (SELECT MAX(id) FROM entry WHERE kind = 'spent')",
        "hash chain",
    ),
    ("UPDATE entry SET hash = zeroblob(32) WHERE id = 20", "hash chain"),
    ("UPDATE entry SET hash = x'00' WHERE id = 20", "hash chain"),
    ("UPDATE entry SET previous = previous - 1 WHERE id = 40", "hash chain"),
    ("UPDATE entry SET previous = NULL WHERE id = 40", "hash chain"),
    (
        "UPDATE entry SET previous = 7 WHERE seq = 1 AND account_id = (SELECT MIN(account_id) FROM entry)",
        "hash chain",
    ),
    ("UPDATE entry SET account_id = 'acc_x' WHERE id = 20", "sequence"),
    ("UPDATE entry SET id = 100000 WHERE id = 20", "sequence"),
    ("DELETE FROM entry WHERE id = 20", "sequence"),
    ("DELETE FROM entry WHERE id = (SELECT MAX(id) FROM entry)", "hash chain"),
    ("UPDATE entry SET source = 'nowhere' WHERE id = 20", "hash chain"),
    ("DELETE FROM entry", "hash chain"),
    // Heads.
    ("UPDATE account SET entry_hash = zeroblob(32)", "hash chain"),
    ("UPDATE account SET entry_seq = entry_seq + 1 WHERE entry_seq > 100", "hash chain"),
    ("UPDATE account SET last_entry = last_entry - 1 WHERE entry_seq > 100", "hash chain"),
    ("UPDATE account SET last_entry = NULL WHERE entry_seq > 100", "hash chain"),
    // What they add up to.
    ("UPDATE slice SET remaining = remaining + 1 WHERE remaining > 0", "slices"),
    ("UPDATE slice SET held = held + 1 WHERE rowid = 1", "slices"),
    (
        "DELETE FROM slice WHERE remaining > 0 AND rowid = (SELECT MIN(rowid) FROM slice WHERE remaining > 0)",
        "slices",
    ),
    (
        "INSERT INTO slice (grant_id, site, account_id, remaining, held) SELECT grant_id, 'elsewhere', account_id, 5, 0 FROM slice LIMIT 1",
        "slices",
    ),
    // Marks by which an account finds what is its own.
    ("UPDATE slice SET moved = 0 WHERE moved = 1", "slices"),
    (
        "INSERT INTO shop_order (store_id, order_id, account_id, state, status, modified_at, arrival, recheck, first_seen_at,
                                 applied_at, granted)
         SELECT 1, 4711, id, '{}', 'completed', 0, 0, 0, 0, 0, 1 FROM account LIMIT 1",
        "orders",
    ),
    ("UPDATE credit_grant SET spent = spent + 1 WHERE seq = 1", "grants"),
    ("UPDATE credit_grant SET spent = spent + 1, voided = voided - 1 WHERE voided > 0", "grants"),
    ("DELETE FROM credit_grant WHERE spent > 0", "grants"),
    ("INSERT INTO debt (account_id, site, amount) SELECT id, 'elsewhere', 5 FROM account LIMIT 1", "debts"),
    // Debits.
    ("UPDATE debit SET credits = credits + 1 WHERE reversed = 0", "debits"),
    ("UPDATE debit SET first_entry = first_entry - 1", "debits"),
    ("UPDATE debit SET last_entry = last_entry + 1", "debits"),
    ("DELETE FROM debit WHERE reversed = 0 AND hold_id IS NULL", "debits"),
    ("UPDATE debit SET reversed = reversed + 1 WHERE credits > reversed", "reversals"),
    ("UPDATE reversal SET credits = credits + 1", "reversals"),
    ("DELETE FROM reversal", "reversals"),
    ("UPDATE spending SET captured = captured + 1 WHERE per = 'day'", "counters"),
    ("DELETE FROM spending WHERE per = 'month' AND captured > 0", "counters"),
    ("UPDATE spending_hour SET captured = captured + 1", "counters"),
    ("UPDATE usage_hour SET credits = credits + 1", "counters"),
    ("UPDATE usage_hour SET action = 'another'", "counters"),
    ("UPDATE spent_hour SET first_entry = first_entry - 1", "counters"),
    ("UPDATE spent_hour SET last_entry = last_entry - 1", "counters"),
    ("DELETE FROM spent_hour", "counters"),
    (
        "UPDATE activity SET credits = credits + 1
         WHERE (account_id, seq) IN (SELECT account_id, seq FROM activity LIMIT 1)",
        "activity",
    ),
];

#[test]
fn whatever_is_changed_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wallet.db");
    let dump = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/upgrade/schema-4.sql");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch(&std::fs::read_to_string(dump).unwrap()).unwrap();
    connection.close().unwrap();
    let open = |path: &Path| {
        let clock = Clock::standing_at("2029-08-01T00:00:00Z".parse().unwrap());
        Db::open(&format!("sqlite:{}", path.display()).parse().unwrap(), Durability::Process, clock).unwrap()
    };
    assert_eq!(audit::verify(&open(&path), |_| {}).unwrap().faults, []);
    for (number, (change, rule)) in CHANGES.into_iter().enumerate() {
        let copy = folder.path().join(format!("{number}.db"));
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
        let connection = rusqlite::Connection::open(&copy).unwrap();
        connection.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON").unwrap();
        assert!(connection.execute(change, []).unwrap() > 0, "{change}: it changes nothing");
        connection.close().unwrap();
        let faults = audit::verify(&open(&copy), |_| {}).unwrap().faults;
        assert_eq!(faults.first().map(|fault| fault.rule), Some(rule), "{change}: {faults:#?}");
    }
}
