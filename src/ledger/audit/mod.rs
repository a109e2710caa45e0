//! Proves the books: every number in them from the entries, and every entry from the one before.
//!
//! The proof reads the entries once, in the order in which they were written, and every other table once; it follows
//! the chain of each account, and weighs what the entries say against what the rows say ([`scale`]). So it holds a
//! line for each account in memory, and nothing for an entry, a debit or a grant. Only what does not balance is
//! looked at row by row. It reads one consistent view, so it may run while the daemon serves.

mod checks;
mod rows;
mod scale;
mod tell;
mod walk;

use self::rows::Uneven;
use crate::db::{self, Db};

/// Something in the books that does not add up.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Fault {
    /// Which rule is broken.
    pub rule: &'static str,
    /// Which row breaks it.
    pub row: String,
    /// How.
    pub detail: String,
}

/// What was proved.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// Accounts walked.
    pub accounts: u64,
    /// Entries walked.
    pub entries: u64,
    /// What does not add up, at most [`FAULTS_MAX`], the first first.
    pub faults: Vec<Fault>,
}

/// A database full of faults is told by the first few.
pub const FAULTS_MAX: usize = 100;

/// Proves the books of `db`. `progress` is told how many entries were walked.
pub fn verify(db: &Db, mut progress: impl FnMut(u64) + Send) -> Result<Report, db::Error> {
    verify_at_once(db, ACCOUNTS_AT_ONCE, &mut progress)
}

/// Of how many accounts the chains are followed at once; of more the entries are read again.
const ACCOUNTS_AT_ONCE: i64 = 250_000;

fn verify_at_once(
    db: &Db,
    accounts: i64,
    progress: &mut (impl FnMut(u64) + Send),
) -> Result<Report, db::Error> {
    db.read(|tx| {
        let mut report = Report::default();
        let mut found = walk::entries(tx, accounts, &mut report, progress)?;
        rows::grants(tx, &mut found)?;
        tell::suspects(tx, &found, &mut report)?;
        tell::debts_between(&found, &mut report);
        let uneven = rows::others(tx, &mut found)?;
        checks::run(tx, checks::CHECKS, &mut report)?;
        for what in uneven {
            match what {
                Uneven::Debits => checks::run(tx, checks::DEBITS, &mut report)?,
                Uneven::Reversals => checks::run(tx, checks::REVERSALS, &mut report)?,
                Uneven::Counters => checks::run(tx, checks::COUNTERS, &mut report)?,
                Uneven::Activity => checks::run(tx, checks::ACTIVITY, &mut report)?,
                Uneven::Hours => checks::hours(tx, &mut report)?,
                Uneven::Uses => checks::uses(tx, &mut report)?,
                Uneven::Places => checks::places(tx, &mut report)?,
            }
        }
        Ok(report)
    })
}

impl Report {
    fn fault(&mut self, rule: &'static str, row: String, detail: String) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(Fault { rule, row, detail });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Durability, Keep};
    use crate::id::AccountId;
    use crate::ledger::LockedAccount;
    use crate::ledger::slice::{Category, Compartment};
    use crate::ledger::store::{Error, Expiry, NewGrant, Shown};
    use crate::params;
    use crate::time::{Clock, Timestamp, Validity};

    fn grant() -> NewGrant {
        NewGrant {
            compartment: Compartment::Pool,
            amount: "10".parse().unwrap(),
            category: Category::Paid,
            priority: None,
            label: "credits".to_owned(),
            reason: None,
            effective_at: None,
            expiry: Expiry::After(Validity::Never),
            purchase: None,
            shown_as: Shown::grant(Category::Paid),
        }
    }

    /// Credits that go from one account to another are followed in both, whether both are followed at once or not.
    #[test]
    fn accounts_are_followed_a_few_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let url = crate::db::DatabaseUrl::Sqlite(folder.path().join("wallet.db"));
        let db = Db::open(&url, Durability::Process, Clock::standing_at(Timestamp::from_millis(0))).unwrap();
        let ids: Vec<AccountId> = (0..5).map(|_| AccountId::new()).collect();
        let first = ids[0].clone();
        let booked = db.write_blocking("test", Keep::Effects, move |tx| -> Result<(), Error> {
            for id in &ids {
                tx.execute(
                    "-- test
                     INSERT INTO account (id, name, time_zone, created_at, version, grant_seq, entry_seq, entry_hash)
                     VALUES ($1, 'Test', 'UTC', 0, 0, 0, 0, $2)",
                    params![id, &[0_u8; 32]],
                )?;
                LockedAccount::lock(tx, id)?.grant(&grant())?;
                LockedAccount::lock(tx, id)?.grant(&grant())?;
            }
            for pair in ids.windows(2) {
                let sent = LockedAccount::lock(tx, &pair[0])?.send_all(&pair[1])?;
                let mut account = LockedAccount::lock(tx, &pair[1])?;
                sent.iter().try_for_each(|sent| account.receive(sent, &Compartment::Pool))?;
            }
            Ok(())
        });
        booked.unwrap();
        for at_once in [1, 2, 5, 100] {
            let report = verify_at_once(&db, at_once, &mut |_| {}).unwrap();
            assert_eq!(
                (report.faults, report.accounts, report.entries),
                (vec![], 5, 50),
                "{at_once} at once"
            );
        }
        let changed = db.write_blocking("test", Keep::Effects, move |tx| -> Result<(), db::Error> {
            let sql = "-- test\n UPDATE slice SET remaining = remaining + 1 WHERE account_id = $1 AND remaining = 0";
            tx.execute(sql, params![&first]).map(drop)
        });
        changed.unwrap();
        for at_once in [1, 2, 100] {
            let faults = verify_at_once(&db, at_once, &mut |_| {}).unwrap().faults;
            let rules: Vec<&str> = faults.iter().map(|fault| fault.rule).collect();
            assert_eq!(rules[..2], ["slices", "slices"], "{at_once} at once: {faults:?}");
        }
    }
}
