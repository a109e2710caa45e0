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
        let balance = rows::others(tx, &mut found)?;
        checks::run(tx, checks::CHECKS, &mut report)?;
        for (is_even, statements) in [
            (balance.debits, checks::DEBITS),
            (balance.reversals, checks::REVERSALS),
            (balance.counters, checks::COUNTERS),
            (balance.activity, checks::ACTIVITY),
        ] {
            if !is_even {
                checks::run(tx, statements, &mut report)?;
            }
        }
        if !balance.hours {
            checks::hours(tx, &mut report)?;
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
