//! Alerts: looks at accounts when something was done to them, and writes down what a customer is to be told.
//!
//! What is remembered of a compartment is written only when it changes. A debit that crosses nothing writes nothing, and
//! reads nothing: the writer remembers how the account stands ([`Hot`]).

use std::collections::BTreeSet;

use super::hot::Hot;
use crate::db::{self, Row, Tx, Watcher};
use crate::event;
use crate::id::AccountId;
use crate::ledger::alert::{Crossing, Depth, Standing};
use crate::ledger::position::{AlertLevel, Position};
use crate::ledger::slice::{Compartment, Slice, View, open_slices};
use crate::params;
use crate::time::Timestamp;

/// Looks after the alerts of all accounts.
#[derive(Debug)]
pub struct Alerts {
    levels: Vec<AlertLevel>,
}

impl Alerts {
    /// Whoever reaches one of `levels` is told.
    #[must_use]
    pub fn at(levels: Vec<AlertLevel>) -> Self {
        Self { levels }
    }
}

impl Watcher for Alerts {
    fn look(&self, tx: &mut Tx<'_>, account: &AccountId) -> Result<(), db::Error> {
        let remembered = tx.memory().and_then(|memory| memory.of::<Hot>().take(account));
        let Some(mut remembered) = remembered else {
            let slices = open_slices(tx, account, &View::Account)?;
            let mut standings = read(tx, account)?;
            return look(tx, account, &slices, &mut standings, None, &self.levels);
        };
        remembered.look(tx, &self.levels)?;
        if let Some(memory) = tx.memory() {
            memory.of::<Hot>().keep(account, remembered);
        }
        Ok(())
    }
}

/// Looks at the compartments of an account that were touched, or at all of them, the pool first, and writes what is new.
pub(super) fn look(
    tx: &mut Tx<'_>,
    account: &AccountId,
    slices: &[Slice],
    standings: &mut Vec<Standing>,
    touched: Option<BTreeSet<Compartment>>,
    levels: &[AlertLevel],
) -> Result<(), db::Error> {
    let now = tx.now();
    for compartment in touched.unwrap_or_else(|| all(slices, standings)) {
        let own: Vec<&Slice> = slices.iter().filter(|slice| slice.compartment == compartment).collect();
        let position = Position::of(&own, now);
        let Some(at) = standings.iter().position(|standing| standing.compartment == compartment) else {
            // What is frozen or comes later was never there to run low.
            if !position.available.is_zero() {
                let first = Standing::first(compartment, &position, levels, now);
                save(tx, account, &first)?;
                standings.push(first);
            }
            continue;
        };
        let standing = &mut standings[at];
        let before = standing.clone();
        let mut alert = standing.turn(&position, levels, now);
        if *standing == before {
            continue;
        }
        // Credits that went with a site, or with an account that is part of another one now, have not run low here.
        let has_fallen = standing.depth > before.depth || alert.is_some();
        if has_fallen && !is_there(tx, account, &compartment)? {
            standing.hush(&before);
            alert = None;
        }
        save(tx, account, standing)?;
        if let Some(alert) = alert {
            event::store::add(tx, account, &compartment, &alert)?;
        }
    }
    Ok(())
}

/// The compartments that hold credits or have held some.
fn all(slices: &[Slice], standings: &[Standing]) -> BTreeSet<Compartment> {
    let holding = slices.iter().map(|slice| &slice.compartment);
    let known = standings.iter().map(|standing| &standing.compartment);
    holding.chain(known).cloned().collect()
}

/// How the compartments of an account stand, those that have held credits.
pub fn read(tx: &mut Tx<'_>, account: &AccountId) -> Result<Vec<Standing>, db::Error> {
    tx.query(
        "-- ledger::store::alert::read
         SELECT site, status, low_since, low_owed, low_told_at, critical_since, critical_owed, critical_told_at,
                empty_since, empty_owed, empty_told_at
         FROM alert WHERE account_id = $1",
        params![account],
        standing,
    )
}

fn standing(row: &Row<'_>) -> Result<Standing, db::Error> {
    let status: String = row.get(1)?;
    let crossing = |column| {
        Ok::<_, db::Error>(Crossing {
            since: row.get(column)?,
            is_owed: row.get(column + 1)?,
            told_at: row.get(column + 2)?,
        })
    };
    Ok(Standing {
        compartment: row.get(0)?,
        depth: Depth::ALL.into_iter().find(|depth| depth.as_str() == status),
        crossings: [crossing(2)?, crossing(5)?, crossing(8)?],
    })
}

fn save(tx: &mut Tx<'_>, account: &AccountId, standing: &Standing) -> Result<(), db::Error> {
    let [low, critical, empty] = &standing.crossings;
    tx.execute(
        "-- ledger::store::alert::save
         INSERT INTO alert (account_id, site, status, due_at, low_since, low_owed, low_told_at, critical_since,
                            critical_owed, critical_told_at, empty_since, empty_owed, empty_told_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         ON CONFLICT (account_id, site)
         DO UPDATE SET status = excluded.status, due_at = excluded.due_at, low_since = excluded.low_since,
                       low_owed = excluded.low_owed, low_told_at = excluded.low_told_at,
                       critical_since = excluded.critical_since, critical_owed = excluded.critical_owed,
                       critical_told_at = excluded.critical_told_at, empty_since = excluded.empty_since,
                       empty_owed = excluded.empty_owed, empty_told_at = excluded.empty_told_at",
        params![
            account,
            standing.compartment.column(),
            standing.depth.map_or("ok", Depth::as_str),
            standing.due_at(),
            low.since,
            low.is_owed,
            low.told_at,
            critical.since,
            critical.is_owed,
            critical.told_at,
            empty.since,
            empty.is_owed,
            empty.told_at,
        ],
    )?;
    Ok(())
}

/// Whether the account is one of its own and the compartment one of its.
fn is_there(tx: &mut Tx<'_>, account: &AccountId, at: &Compartment) -> Result<bool, db::Error> {
    let found = tx.query_opt(
        "-- ledger::store::alert::is_there
         SELECT CAST(1 AS BIGINT) FROM account a
         WHERE a.id = $1 AND a.merged_into IS NULL
           AND ($2 = '' OR EXISTS (SELECT 1 FROM site s WHERE s.id = $2 AND s.account_id = a.id))",
        params![account, at.column()],
        |row| row.get::<i64>(0),
    )?;
    Ok(found.is_some())
}

/// Accounts of which somebody is to be told what it was too soon for, the longest due first, at most `limit`.
pub fn due(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<AccountId>, db::Error> {
    let now = tx.now();
    let mut accounts: Vec<AccountId> = tx.query(
        "-- ledger::store::alert::due
         SELECT l.account_id FROM alert l JOIN account a ON a.id = l.account_id
         WHERE l.due_at <= $1 AND a.merged_into IS NULL ORDER BY l.due_at, l.account_id LIMIT $2",
        params![now, limit],
        |row| row.get(0),
    )?;
    accounts.dedup();
    Ok(accounts)
}

/// Accounts in which something has expired that is not booked, the longest due first, at most `limit`.
pub fn expired(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<AccountId>, db::Error> {
    let now = tx.now();
    tx.query(
        "-- ledger::store::alert::expired
         SELECT id FROM account WHERE next_expiry <= $1 AND merged_into IS NULL ORDER BY next_expiry, id LIMIT $2",
        params![now, limit],
        |row| row.get(0),
    )
}

/// Since when the level is reached in one of the compartments that `shows` picks; where it is in several, the newest.
pub fn since(
    tx: &mut Tx<'_>,
    account: &AccountId,
    depth: Depth,
    shows: impl Fn(&Compartment) -> bool,
) -> Result<Option<Timestamp>, db::Error> {
    let standings = read(tx, account)?;
    let shown = standings.iter().filter(|standing| shows(&standing.compartment));
    Ok(shown.filter_map(|standing| standing.since(depth)).max())
}
