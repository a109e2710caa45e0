//! Names the rows that are wrong, of the accounts and grants that did not balance.

use std::collections::{BTreeMap, BTreeSet};

use super::Report;
use super::rows::{TALLIED, Written};
use super::walk::{Found, slice_name};
use crate::db::{self, Row, Tx};
use crate::ledger::entry::{Kind, Place};
use crate::params;

/// How many heaps of grants are looked at.
const HEAPS_TOLD: usize = 16;

/// What the entries say lies in a slice.
#[derive(Default, PartialEq, Eq, Debug, Clone, Copy)]
struct Lies {
    remaining: i64,
    held: i64,
}

/// What the entries say of a grant.
#[derive(Default, PartialEq, Eq, Debug, Clone, Copy)]
struct Tally {
    /// What was granted, less what the slices hold.
    left: i64,
    by_kind: [i64; 7],
}

/// The sums of what did not balance.
#[derive(Default)]
struct Sums {
    slices: BTreeMap<(String, String, String), Lies>,
    debts: BTreeMap<(String, String), i64>,
    grants: BTreeMap<String, Tally>,
}

/// Tells what is wrong with the accounts and the grants that did not balance; nothing if all did.
pub(super) fn suspects(tx: &mut Tx<'_>, found: &Found, report: &mut Report) -> Result<(), db::Error> {
    let accounts: BTreeSet<&str> = found.suspects.iter().map(String::as_str).collect();
    let uneven = |(heap, balance): (usize, &super::scale::Balance)| (!balance.is_even()).then_some(heap);
    let heaps: BTreeSet<usize> =
        found.grants.iter().enumerate().filter_map(uneven).take(HEAPS_TOLD).collect();
    if accounts.is_empty() && heaps.is_empty() {
        return Ok(());
    }
    let is_suspect = |grant: &str| heaps.contains(&found.heap(grant));
    let mut sums = Sums::default();
    tx.for_each(
        "-- ledger::audit::tell::suspects
         SELECT account_id, kind, grant_id, source, target, amount FROM entry",
        params![],
        |row| {
            let (account, grant) = (row.text(0)?, row.text_opt(2)?);
            let (kind, amount): (Kind, i64) = (row.get(1)?, row.get(5)?);
            if accounts.contains(account) {
                sums.lie(account, grant, row.text(3)?, -amount);
                sums.lie(account, grant, row.text(4)?, amount);
            }
            if let Some(grant) = grant.filter(|grant| is_suspect(grant)) {
                sums.tally(grant, kind, amount);
            }
            Ok(())
        },
    )?;
    slices(tx, &accounts, is_suspect, &mut sums, report)?;
    debts(tx, &accounts, &mut sums, report)?;
    grants(tx, is_suspect, sums.grants, report)
}

impl Sums {
    fn lie(&mut self, account: &str, grant: Option<&str>, place: &str, amount: i64) {
        let slice = |at: &str, grant: &str| (account.to_owned(), grant.to_owned(), at.to_owned());
        match (place.parse::<Place>(), grant) {
            (Ok(Place::Compartment(at)), Some(grant)) => {
                self.slices.entry(slice(at.column(), grant)).or_default().remaining += amount;
            }
            (Ok(Place::Held(at)), Some(grant)) => {
                self.slices.entry(slice(at.column(), grant)).or_default().held += amount;
            }
            (Ok(Place::Debt(at)), _) => {
                *self.debts.entry((account.to_owned(), at.column().to_owned())).or_default() -= amount;
            }
            _ => {}
        }
    }

    fn tally(&mut self, grant: &str, kind: Kind, amount: i64) {
        let tally = self.grants.entry(grant.to_owned()).or_default();
        if kind == Kind::Granted {
            tally.left += amount;
        }
        for (_, sum) in TALLIED.into_iter().zip(&mut tally.by_kind).filter(|(tallied, _)| *tallied == kind) {
            *sum += amount;
        }
    }
}

fn slices(
    tx: &mut Tx<'_>,
    accounts: &BTreeSet<&str>,
    is_suspect: impl Fn(&str) -> bool,
    sums: &mut Sums,
    report: &mut Report,
) -> Result<(), db::Error> {
    tx.for_each(
        "-- ledger::audit::tell::slices
         SELECT account_id, grant_id, site, remaining, held FROM slice_now ORDER BY account_id, grant_id, site",
        params![],
        |row| {
            let (account, grant, site) = (row.text(0)?, row.text(1)?, row.text(2)?);
            let (remaining, held): (i64, i64) = (row.get(3)?, row.get(4)?);
            if is_suspect(grant) {
                sums.grants.entry(grant.to_owned()).or_default().left -= remaining + held;
            }
            if !accounts.contains(account) {
                return Ok(());
            }
            let key = (account.to_owned(), grant.to_owned(), site.to_owned());
            let entered = sums.slices.remove(&key).unwrap_or_default();
            if (Lies { remaining, held }) != entered {
                let Lies { remaining: left, held: set_aside } = entered;
                report.fault(
                    "slices",
                    slice_name(grant, site),
                    format!(
                        "{remaining} micro-credits remain and {held} are held, its entries say {left} and {set_aside}"
                    ),
                );
            }
            Ok(())
        },
    )?;
    for ((_, grant, site), entered) in &sums.slices {
        if *entered != Lies::default() {
            let detail = format!("it is missing; its entries say {}", entered.remaining + entered.held);
            report.fault("slices", format!("slice of {grant} at {site:?}"), detail);
        }
    }
    Ok(())
}

fn debts(
    tx: &mut Tx<'_>,
    accounts: &BTreeSet<&str>,
    sums: &mut Sums,
    report: &mut Report,
) -> Result<(), db::Error> {
    let name = |account: &str, site: &str| format!("debt of {account} at {site:?}");
    tx.for_each(
        "-- ledger::audit::tell::debts
         SELECT account_id, site, amount FROM debt ORDER BY account_id, site",
        params![],
        |row| {
            let (account, site, amount) = (row.text(0)?, row.text(1)?, row.get::<i64>(2)?);
            if accounts.contains(account) {
                let entered = sums.debts.remove(&(account.to_owned(), site.to_owned())).unwrap_or_default();
                if amount != entered {
                    let detail = format!("it is {amount}, its entries say {entered}");
                    report.fault("debts", name(account, site), detail);
                }
            }
            Ok(())
        },
    )?;
    for ((account, site), entered) in &sums.debts {
        if *entered != 0 {
            report.fault("debts", name(account, site), format!("it is missing; its entries say {entered}"));
        }
    }
    Ok(())
}

fn grants(
    tx: &mut Tx<'_>,
    is_suspect: impl Fn(&str) -> bool,
    mut entered: BTreeMap<String, Tally>,
    report: &mut Report,
) -> Result<(), db::Error> {
    tx.for_each(
        "-- ledger::audit::tell::grants
         SELECT id, amount, spent, reversed, expired, clawed, voided, adjusted, repaid
         FROM grant_now ORDER BY account_id, seq",
        params![],
        |row| {
            let grant = row.text(0)?;
            if is_suspect(grant) {
                compare_grant(row, grant, entered.remove(grant).unwrap_or_default(), report)?;
            }
            Ok(())
        },
    )?;
    for (grant, tally) in entered {
        if tally != Tally::default() {
            report.fault("grants", format!("grant {grant}"), "it has entries but no row".to_owned());
        }
    }
    Ok(())
}

/// Compares a grant's row with what its entries add up to.
fn compare_grant(row: &Row<'_>, grant: &str, entered: Tally, report: &mut Report) -> Result<(), db::Error> {
    let written = Written::read(row)?;
    let (name, left) = (format!("grant {grant}"), written.left());
    if entered.by_kind != written.tally {
        let list = |sums: [i64; 7]| {
            let named = TALLIED.into_iter().zip(sums).filter(|(_, sum)| *sum != 0);
            let words: Vec<String> = named.map(|(kind, sum)| format!("{} {sum}", kind.as_str())).collect();
            if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
        };
        let detail = format!("it says {}; its entries say {}", list(written.tally), list(entered.by_kind));
        report.fault("grants", name, detail);
    } else if entered.left != left {
        let Written { amount, .. } = written;
        let detail = format!("of {amount} granted {} should have left it, {left} did", entered.left);
        report.fault("grants", name, detail);
    }
    Ok(())
}

/// Tells of debts that one account handed over and the other did not take over.
pub(super) fn debts_between(found: &Found, report: &mut Report) {
    for ((one, other), difference) in &found.passed {
        report.fault(
            "debts",
            format!("debts between {one} and {other}"),
            format!("what one handed over and what the other took over differ by {difference}"),
        );
    }
}
