//! Takes what the rows say off the scale that the entries were put on, and compares tables with each other.

use std::collections::HashMap;

use super::scale::{Balance, Sort};
use super::walk::{Found, LEFT, hour_of};
use crate::db::{self, Row, Tx};
use crate::ledger::entry::Kind;
use crate::params;

/// Which kinds a grant's row counts, in the order of its columns.
pub(super) const TALLIED: [Kind; 7] =
    [Kind::Spent, Kind::Reversed, Kind::Expired, Kind::Clawed, Kind::Voided, Kind::Adjusted, Kind::Repaid];

/// What a grant's row says.
pub(super) struct Written {
    pub(super) amount: i64,
    pub(super) tally: [i64; 7],
}

impl Written {
    /// From the columns amount, spent, reversed, expired, clawed, voided, adjusted, repaid, from the second on.
    pub(super) fn read(row: &Row<'_>) -> Result<Self, db::Error> {
        let mut tally = [0; 7];
        for (column, sum) in (2..).zip(&mut tally) {
            *sum = row.get(column)?;
        }
        Ok(Self { amount: row.get(1)?, tally })
    }

    /// What is in no slice any more.
    pub(super) fn left(&self) -> i64 {
        let [spent, reversed, expired, clawed, voided, adjusted, repaid] = self.tally;
        spent - reversed + expired + clawed + voided + adjusted + repaid
    }
}

/// Weighs the grants: what left each by its row against what left it by its entries and what its slices hold.
pub(super) fn grants(tx: &mut Tx<'_>, found: &mut Found) -> Result<(), db::Error> {
    tx.for_each(
        "-- ledger::audit::rows::grants
         SELECT id, amount, spent, reversed, expired, clawed, voided, adjusted, repaid FROM credit_grant",
        params![],
        |row| {
            let (grant, written) = (row.text(0)?, Written::read(row)?);
            for (kind, sum) in TALLIED.into_iter().zip(written.tally) {
                found.weigh(grant, kind.as_str(), -sum);
            }
            found.weigh(grant, LEFT, -written.left());
            Ok(())
        },
    )?;
    tx.for_each(
        "-- ledger::audit::rows::grants (slices)
         SELECT grant_id, remaining + held FROM slice",
        params![],
        |row| {
            found.weigh(row.text(0)?, LEFT, -row.get::<i64>(1)?);
            Ok(())
        },
    )?;
    // It went from what lies in slices to what was spent: what left the grant is the same.
    tx.for_each(
        "-- ledger::audit::rows::grants (unsettled)
         SELECT grant_id, taken FROM unsettled_slice",
        params![],
        |row| {
            found.weigh(row.text(0)?, Kind::Spent.as_str(), -row.get::<i64>(1)?);
            Ok(())
        },
    )
}

/// What is not as it should be, and wants to be looked at row by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Uneven {
    Debits,
    Reversals,
    Counters,
    Activity,
    Hours,
    Uses,
    Places,
}

/// Weighs debits, reversals, counters and the lines that customers read.
pub(super) fn others(tx: &mut Tx<'_>, found: &mut Found) -> Result<Vec<Uneven>, db::Error> {
    let mut captured = Captured::default();
    debits(tx, found, &mut captured)?;
    reversals(tx, found)?;
    counters(tx, found, &mut captured)?;
    uses(tx, found, &mut captured)?;
    places(tx, found)?;
    let weighed = [
        (Uneven::Debits, found.debits.is_even()),
        (Uneven::Reversals, found.reversals.is_even()),
        (Uneven::Counters, captured.day.is_even() && captured.month.is_even()),
        (Uneven::Activity, activity(tx, found)?.is_even()),
        (Uneven::Hours, captured.hour.is_even()),
        (Uneven::Uses, captured.uses.is_even()),
        (Uneven::Places, found.hours.is_even()),
    ];
    Ok(weighed.into_iter().filter(|(_, is_even)| !is_even).map(|(what, _)| what).collect())
}

/// What was captured by the debits, less what the counters say.
#[derive(Default)]
struct Captured {
    day: Balance,
    month: Balance,
    hour: Balance,
    /// By assistant and action as well.
    uses: Balance,
}

fn debits(tx: &mut Tx<'_>, found: &mut Found, captured: &mut Captured) -> Result<(), db::Error> {
    let mut merged = HashMap::new();
    tx.for_each(
        "-- ledger::audit::rows::debits (merged)
         SELECT id, merged_into FROM account WHERE merged_into IS NOT NULL",
        params![],
        |row| {
            merged.insert(row.get::<String>(0)?, row.get::<String>(1)?);
            Ok(())
        },
    )?;
    // Hours before the oldest that is kept are forgotten.
    let hours_from: Option<i64> = tx.query_one(
        "-- ledger::audit::rows::debits (hours)
         SELECT MIN(h.hour) FROM (SELECT hour FROM spending_hour
                                  UNION ALL
                                  SELECT since - since % 3600000 FROM unsettled_spending) h",
        params![],
        |row| row.get(0),
    )?;
    tx.for_each(
        "-- ledger::audit::rows::debits
         SELECT id, account_id, site, agent, credits, reversed, first_entry, last_entry, booked_at, action
         FROM debit",
        params![],
        |row| {
            let (id, account, site) = (row.text(0)?, row.text(1)?, row.text(2)?);
            let (credits, reversed): (i64, i64) = (row.get(4)?, row.get(5)?);
            let (names, scale) = ([account, id], &found.scale);
            found.debits.add(scale.number(Sort::Debit, &names), -credits);
            found.debits.add(scale.number(Sort::First, &names), -row.get::<i64>(6)?);
            found.debits.add(scale.number(Sort::Last, &names), -row.get::<i64>(7)?);
            if reversed != 0 {
                found.reversals.add(scale.number(Sort::Reversed, &[id]), -reversed);
            }
            let owner = merged.get(account).map_or(account, String::as_str);
            let spent = credits - reversed;
            for agent in std::iter::once("").chain(row.text_opt(3)?) {
                let number = scale.number(Sort::Counter, &[owner, site, agent]);
                captured.day.add(number, spent);
                captured.month.add(number, spent);
            }
            let at: i64 = row.get(8)?;
            if hours_from.is_some_and(|from| from <= at) {
                captured.hour.add(hour(found, owner, site, hour_of(at)), spent);
            }
            let (agent, action) =
                (row.text_opt(3)?.unwrap_or_default(), row.text_opt(9)?.unwrap_or_default());
            captured.uses.add(used(found, account, site, hour_of(at), (agent, action)), spent);
            Ok(())
        },
    )
}

fn hour(found: &Found, account: &str, site: &str, hour: i64) -> u64 {
    found.scale.number(Sort::Hour, &[account, site, &hour.to_string()])
}

fn used(found: &Found, account: &str, site: &str, hour: i64, (agent, action): (&str, &str)) -> u64 {
    found.scale.number(Sort::Use, &[account, site, &hour.to_string(), agent, action])
}

/// A reversal stands between what the entries gave back and what the debit says was given back.
fn reversals(tx: &mut Tx<'_>, found: &mut Found) -> Result<(), db::Error> {
    tx.for_each(
        "-- ledger::audit::rows::reversals
         SELECT id, debit_id, credits FROM reversal",
        params![],
        |row| {
            let credits: i64 = row.get(2)?;
            found.reversals.add(found.scale.number(Sort::Reversal, &[row.text(0)?]), -credits);
            found.reversals.add(found.scale.number(Sort::Reversed, &[row.text(1)?]), credits);
            Ok(())
        },
    )
}

fn counters(tx: &mut Tx<'_>, found: &Found, captured: &mut Captured) -> Result<(), db::Error> {
    tx.for_each(
        "-- ledger::audit::rows::counters
         SELECT account_id, site, agent, captured, per FROM spending",
        params![],
        |row| {
            let number = found.scale.number(Sort::Counter, &[row.text(0)?, row.text(1)?, row.text(2)?]);
            let of = if row.text(4)? == "day" { &mut captured.day } else { &mut captured.month };
            of.add(number, -row.get::<i64>(3)?);
            Ok(())
        },
    )?;
    tx.for_each(
        "-- ledger::audit::rows::counters (hours)
         SELECT account_id, site, hour, captured FROM spending_hour",
        params![],
        |row| {
            let number = hour(found, row.text(0)?, row.text(1)?, row.get(2)?);
            captured.hour.add(number, -row.get::<i64>(3)?);
            Ok(())
        },
    )?;
    tx.for_each(
        "-- ledger::audit::rows::counters (unsettled)
         SELECT account_id, site, agent, captured, since - since % 3600000 FROM unsettled_spending",
        params![],
        |row| {
            let (account, site, agent, sum) = (row.text(0)?, row.text(1)?, row.text(2)?, row.get::<i64>(3)?);
            let number = found.scale.number(Sort::Counter, &[account, site, agent]);
            captured.day.add(number, -sum);
            captured.month.add(number, -sum);
            if agent.is_empty() {
                captured.hour.add(hour(found, account, site, row.get(4)?), -sum);
            }
            Ok(())
        },
    )
}

/// What was spent for what, in which hour.
fn uses(tx: &mut Tx<'_>, found: &Found, captured: &mut Captured) -> Result<(), db::Error> {
    tx.for_each(
        "-- ledger::audit::rows::uses
         SELECT account_id, site, hour, agent, action, credits FROM usage_now",
        params![],
        |row| {
            let of = (row.text(3)?, row.text(4)?);
            let number = used(found, row.text(0)?, row.text(1)?, row.get(2)?, of);
            captured.uses.add(number, -row.get::<i64>(5)?);
            Ok(())
        },
    )
}

/// Where the debits of each hour are: what is unsettled goes on where it was settled.
fn places(tx: &mut Tx<'_>, found: &mut Found) -> Result<(), db::Error> {
    tx.for_each(
        "-- ledger::audit::rows::places
         SELECT account_id, hour, first_entry, last_entry, NULL FROM spent_hour
         UNION ALL
         SELECT u.account_id, u.hour, u.first_entry, u.last_entry, s.last_entry
         FROM unsettled_spent u LEFT JOIN spent_hour s ON s.account_id = u.account_id AND s.hour = u.hour",
        params![],
        |row| {
            let (hour, last) = (row.get::<i64>(1)?.to_string(), row.get::<i64>(3)?);
            let number = |sort| Ok::<_, db::Error>(found.scale.number(sort, &[row.text(0)?, &hour]));
            let before = row.get::<Option<i64>>(4)?;
            if before.is_none() {
                let number = number(Sort::FirstOfHour)?;
                found.hours.add(number, -row.get::<i64>(2)?);
            }
            let number = number(Sort::LastOfHour)?;
            found.hours.add(number, before.unwrap_or_default() - last);
            Ok(())
        },
    )
}

/// What an account's lines add up to, less what its slices hold.
fn activity(tx: &mut Tx<'_>, found: &Found) -> Result<Balance, db::Error> {
    let mut balance = Balance::default();
    tx.for_each(
        "-- ledger::audit::rows::activity
         SELECT account_id, credits FROM activity UNION ALL SELECT account_id, -credits FROM unsettled_line",
        params![],
        |row| {
            balance.add(found.scale.number(Sort::Account, &[row.text(0)?]), row.get(1)?);
            Ok(())
        },
    )?;
    tx.for_each(
        "-- ledger::audit::rows::activity (slices)
         SELECT account_id, remaining + held FROM slice
         UNION ALL
         SELECT account_id, -taken FROM unsettled_slice",
        params![],
        |row| {
            balance.add(found.scale.number(Sort::Account, &[row.text(0)?]), -row.get::<i64>(1)?);
            Ok(())
        },
    )?;
    Ok(balance)
}
