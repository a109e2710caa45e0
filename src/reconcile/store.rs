//! How far stores were compared with their shops, and which orders a sweep has yet to look at.

use std::time::Duration;

use super::plan::{self, Covered, State};
use super::report::Counts;
use super::{Error, LEASE_MS, Window};
use crate::db::{self, Row, Tx};
use crate::order::Order;
use crate::params;
use crate::shop::StoreName;
use crate::time::Timestamp;
use crate::units::Credits;

/// Whether a sweep may begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Somebody else sweeps, until then at least.
    Busy(Timestamp),
    /// It may.
    Here {
        /// Where.
        state: Box<State>,
        /// Whether that goes on with one that was cut off.
        resumed: bool,
    },
}

/// Takes the lease on a store for `holder`, and goes on with a sweep that was cut off or begins one.
pub fn begin(tx: &mut Tx<'_>, store: i64, holder: &str, window: Window) -> Result<Begun, db::Error> {
    let now = tx.now();
    tx.execute(
        "-- reconcile::store::begin (row)
         INSERT INTO reconciliation (store_id, sweep, due_at, failures) VALUES ($1, 0, $2, 0)
         ON CONFLICT (store_id) DO NOTHING",
        params![store, now],
    )?;
    let held_until = now.plus_millis(LEASE_MS);
    // Whoever is killed in the middle is followed by somebody; a request made meanwhile counts as served.
    let taken = tx.execute(
        "-- reconcile::store::begin (lease)
         UPDATE reconciliation SET holder = $2, held_until = $3, due_at = $5
         WHERE store_id = $1 AND (holder IS NULL OR held_until <= $4)",
        params![store, holder, held_until, now, now.plus_millis(plan::pause_ms(1, None))],
    )?;
    let (sweep, progress, held) = tx.query_one(
        "-- reconcile::store::begin
         SELECT sweep, progress, held_until FROM reconciliation WHERE store_id = $1",
        params![store],
        |row| Ok((row.get::<i64>(0)?, row.get::<Option<String>>(1)?, row.get::<Option<Timestamp>>(2)?)),
    )?;
    if taken == 0 {
        return Ok(Begun::Busy(held.unwrap_or(held_until)));
    }
    // What an older version wrote and this one cannot read is begun anew.
    let kept: Option<State> = progress.and_then(|text| serde_json::from_str(&text).ok());
    if let Some(state) = kept.filter(|state| state.serves(window, now)) {
        return Ok(Begun::Here { state: Box::new(state), resumed: true });
    }
    let state = State::new(sweep + 1, now, window);
    save(tx, store, holder, &state)?;
    Ok(Begun::Here { state: Box::new(state), resumed: false })
}

/// Writes how far the sweep is; answers whether it still has the lease.
pub fn save(tx: &mut Tx<'_>, store: i64, holder: &str, state: &State) -> Result<bool, db::Error> {
    let held_until = tx.now().plus_millis(LEASE_MS);
    let progress = json(state)?;
    let saved = tx.execute(
        "-- reconcile::store::save
         UPDATE reconciliation SET sweep = $3, progress = $4, held_until = $5 WHERE store_id = $1 AND holder = $2",
        params![store, holder, state.sweep, &progress, held_until],
    )?;
    Ok(saved == 1)
}

/// Shows a sign of life; answers whether the lease is still there.
pub fn renew(tx: &mut Tx<'_>, store: i64, holder: &str) -> Result<bool, db::Error> {
    let held_until = tx.now().plus_millis(LEASE_MS);
    let renewed = tx.execute(
        "-- reconcile::store::renew
         UPDATE reconciliation SET held_until = $3 WHERE store_id = $1 AND holder = $2",
        params![store, holder, held_until],
    )?;
    Ok(renewed == 1)
}

/// Gives the lease back.
pub fn release(tx: &mut Tx<'_>, store: i64, holder: &str) -> Result<(), db::Error> {
    tx.execute(
        "-- reconcile::store::release
         UPDATE reconciliation SET holder = NULL, held_until = NULL WHERE store_id = $1 AND holder = $2",
        params![store, holder],
    )?;
    Ok(())
}

/// Writes what a sweep found that came to its end.
pub fn finish(
    tx: &mut Tx<'_>,
    store: i64,
    holder: &str,
    state: &State,
    counts: &Counts,
) -> Result<bool, db::Error> {
    let now = tx.now();
    let covered = covered(tx, store)?.and(state.window, state.started_at);
    let result = json(counts)?;
    let finished = tx.execute(
        "-- reconcile::store::finish
         UPDATE reconciliation SET holder = NULL, held_until = NULL, progress = NULL, failures = 0, last_error = NULL,
             covered_to = $3, wide_at = $4, finished_at = $5, result = $6
         WHERE store_id = $1 AND holder = $2",
        params![store, holder, covered.to, covered.wide_at, now, &result],
    )?;
    Ok(finished == 1)
}

/// Writes that a sweep failed, gives the lease back and puts the next one off.
pub fn fail(
    tx: &mut Tx<'_>,
    store: i64,
    holder: &str,
    error: &str,
    asked: Option<Duration>,
) -> Result<(), db::Error> {
    /// As much of an error as is kept.
    const CHARS_MAX: usize = 500;
    let failures = tx.query_one(
        "-- reconcile::store::fail (count)
         SELECT failures FROM reconciliation WHERE store_id = $1",
        params![store],
        |row| row.get::<i64>(0),
    )?;
    let failures = failures.saturating_add(1);
    let due_at = tx.now().plus_millis(plan::pause_ms(failures, asked));
    let error: String = error.chars().take(CHARS_MAX).collect();
    tx.execute(
        "-- reconcile::store::fail
         UPDATE reconciliation SET holder = NULL, held_until = NULL, failures = $3, last_error = $4, due_at = $5
         WHERE store_id = $1 AND holder = $2",
        params![store, holder, failures, &error, due_at],
    )?;
    Ok(())
}

fn covered(tx: &mut Tx<'_>, store: i64) -> Result<Covered, db::Error> {
    let covered = tx.query_opt(
        "-- reconcile::store::covered
         SELECT covered_to, wide_at FROM reconciliation WHERE store_id = $1",
        params![store],
        |row| Ok(Covered { to: row.get(0)?, wide_at: row.get(1)? }),
    )?;
    Ok(covered.unwrap_or_default())
}

// When the daemon sweeps --------------------------------------------------------------------------------

/// Has the daemon compare a store with its shop at once.
pub fn request(tx: &mut Tx<'_>, store: i64) -> Result<(), db::Error> {
    tx.execute(
        "-- reconcile::store::request
         INSERT INTO reconciliation (store_id, sweep, due_at, failures) VALUES ($1, 0, 0, 0)
         ON CONFLICT (store_id) DO UPDATE SET due_at = 0",
        params![store],
    )?;
    Ok(())
}

/// How long a shop that cannot make its deliveries is left alone after a sweep: they may be many, and each of
/// them says so.
const AFTER_ERROR_OBJECT_MS: i64 = 60 * 1000;

/// Stores with REST keys that are due, with what to sweep, the longest waiting first: those whose time has
/// come, and those whose shop could not make a delivery since they were swept.
pub fn due(tx: &mut Tx<'_>) -> Result<Vec<(i64, Window)>, db::Error> {
    let now = tx.now();
    tx.query(
        "-- reconcile::store::due
         SELECT s.id, r.covered_to, r.wide_at
         FROM store s LEFT JOIN reconciliation r ON r.store_id = s.id
                      LEFT JOIN store_health h ON h.store_id = s.id
         WHERE s.consumer_key IS NOT NULL
           AND (r.store_id IS NULL
                OR ((r.holder IS NULL OR r.held_until <= $1)
                    AND (r.due_at <= $1
                         OR (r.failures = 0 AND h.error_at >= r.covered_to AND r.covered_to <= $2))))
         ORDER BY COALESCE(r.due_at, 0), s.id",
        params![now, now.plus_millis(-AFTER_ERROR_OBJECT_MS)],
        |row| {
            let covered = Covered { to: row.get(1)?, wide_at: row.get(2)? };
            Ok((row.get(0)?, covered.next(now)))
        },
    )
}

/// Sets when the daemon sweeps a store next, unless it was asked to do so at once.
pub fn schedule(tx: &mut Tx<'_>, store: i64, at: Timestamp) -> Result<(), db::Error> {
    tx.execute(
        "-- reconcile::store::schedule
         UPDATE reconciliation SET due_at = $2 WHERE store_id = $1 AND due_at <> 0",
        params![store, at],
    )?;
    Ok(())
}

/// What is known of a store's sweeps.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Run {
    /// The store.
    #[serde(skip)]
    pub store: StoreName,
    /// When the last one came to its end.
    pub finished_at: Option<Timestamp>,
    /// What that found.
    pub result: Option<Counts>,
    /// What changed before this was read.
    pub covered_to: Option<Timestamp>,
    /// Why the newest one failed, if it did.
    pub last_error: Option<String>,
    /// When the daemon sweeps next.
    pub due_at: Timestamp,
}

/// What is known of the sweeps of one store or of all, by name.
pub fn runs(tx: &mut Tx<'_>, store: Option<i64>) -> Result<Vec<Run>, db::Error> {
    tx.query(
        "-- reconcile::store::runs
         SELECT s.name, r.finished_at, r.result, r.covered_to, r.last_error, r.due_at
         FROM reconciliation r JOIN store s ON s.id = r.store_id
         WHERE CAST($1 AS BIGINT) IS NULL OR s.id = $1 ORDER BY s.name",
        params![store],
        |row| {
            let name: String = row.get(0)?;
            Ok(Run {
                store: name.parse().map_err(|_| db::Error::Column { column: 0, found: name })?,
                finished_at: row.get(1)?,
                result: row.get::<Option<String>>(2)?.and_then(|text| serde_json::from_str(&text).ok()),
                covered_to: row.get(3)?,
                last_error: row.get(4)?,
                due_at: row.get(5)?,
            })
        },
    )
}

// What a sweep notes of orders ----------------------------------------------------------------------------

/// That the shop showed an order in this sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The order.
    pub order: i64,
    /// When the shop was asked, and when the state was applied that it confirmed.
    pub confirms: Option<(Timestamp, Timestamp)>,
}

/// Notes that the shop showed an order, and whether it was as it is known.
pub fn mark(tx: &mut Tx<'_>, store: i64, sweep: i64, mark: Mark) -> Result<(), db::Error> {
    tx.execute(
        "-- reconcile::store::mark
         UPDATE shop_order SET listed_in = $3 WHERE store_id = $1 AND order_id = $2",
        params![store, mark.order, sweep],
    )?;
    let Some((asked_at, applied_at)) = mark.confirms else { return Ok(()) };
    // Another state may have been applied since it was compared: that one was not confirmed.
    tx.execute(
        "-- reconcile::store::mark (confirmed)
         UPDATE shop_order SET confirmed_at = $3, arrival = $5, recheck = 0
         WHERE store_id = $1 AND order_id = $2 AND applied_at = $4",
        params![store, mark.order, asked_at, applied_at, i64::MAX],
    )?;
    Ok(())
}

/// Notes that a sweep wrote something for an order.
pub fn mark_repaired(tx: &mut Tx<'_>, store: i64, order: i64, sweep: i64) -> Result<(), db::Error> {
    tx.execute(
        "-- reconcile::store::mark_repaired
         UPDATE shop_order SET repaired_in = $3 WHERE store_id = $1 AND order_id = $2",
        params![store, order, sweep],
    )?;
    Ok(())
}

/// For how many orders a sweep wrote something.
pub fn repaired(tx: &mut Tx<'_>, store: i64, sweep: i64) -> Result<u64, db::Error> {
    let count = tx.query_one(
        "-- reconcile::store::repaired
         SELECT CAST(COUNT(*) AS BIGINT) FROM shop_order WHERE store_id = $1 AND repaired_in = $2",
        params![store, sweep],
        |row| row.get::<i64>(0),
    )?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// Orders that a reading left in doubt and this sweep has not asked for, after `after`.
pub fn in_doubt(
    tx: &mut Tx<'_>,
    store: i64,
    sweep: i64,
    after: i64,
    limit: i64,
) -> Result<Vec<i64>, db::Error> {
    tx.query(
        "-- reconcile::store::in_doubt
         SELECT order_id FROM shop_order
         WHERE store_id = $1 AND recheck = 1 AND order_id > $3 AND (listed_in IS NULL OR listed_in <> $2)
         ORDER BY order_id LIMIT $4",
        params![store, sweep, after, limit],
        |row| row.get(0),
    )
}

/// Known orders that this sweep has not shown, changed after `after`; those that are gone only with `gone`.
pub fn not_shown(
    tx: &mut Tx<'_>,
    store: i64,
    sweep: i64,
    after: (Timestamp, i64),
    gone: bool,
    limit: i64,
) -> Result<Vec<(Timestamp, i64)>, db::Error> {
    tx.query(
        "-- reconcile::store::not_shown
         SELECT modified_at, order_id FROM shop_order
         WHERE store_id = $1 AND (modified_at, order_id) > ($3, $4) AND (listed_in IS NULL OR listed_in <> $2)
           AND (status <> 'deleted' OR CAST($5 AS BIGINT) = 1)
         ORDER BY modified_at, order_id LIMIT $6",
        params![store, sweep, after.0, after.1, gone, limit],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// An order as it is counted.
#[derive(Clone, Debug)]
pub struct Counted {
    /// Its newest state.
    pub order: Order,
    /// What it waits for.
    pub parked: Option<String>,
    /// What a person should look at.
    pub attention: Option<String>,
}

/// Known orders changed after `after`, to be counted.
pub fn counted(
    tx: &mut Tx<'_>,
    store: i64,
    after: (Timestamp, i64),
    limit: i64,
) -> Result<Vec<Counted>, db::Error> {
    tx.query(
        "-- reconcile::store::counted
         SELECT state, parked, attention FROM shop_order
         WHERE store_id = $1 AND (modified_at, order_id) > ($2, $3) ORDER BY modified_at, order_id LIMIT $4",
        params![store, after.0, after.1, limit],
        |row| Ok(Counted { order: order(row, 0)?, parked: row.get(1)?, attention: row.get(2)? }),
    )
}

/// A Tokens line beside what the ledger has of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Booked {
    /// What it should have granted.
    pub target: Credits,
    /// What it has granted, less what was taken back.
    pub booked: Credits,
    /// What its grants brought, less what was taken back.
    pub given: Credits,
    /// What can still be spent of that.
    pub left: Credits,
}

/// The Tokens lines of an order.
pub fn lines(tx: &mut Tx<'_>, store: i64, order: i64) -> Result<Vec<Booked>, db::Error> {
    tx.query(
        "-- reconcile::store::lines
         SELECT l.target, l.booked,
                (SELECT CAST(COALESCE(SUM(g.amount - g.clawed), 0) AS BIGINT) FROM credit_grant g
                 WHERE g.store_id = l.store_id AND g.order_id = l.order_id AND g.line_id = l.line_id),
                (SELECT CAST(COALESCE(SUM(s.remaining), 0) AS BIGINT) FROM credit_grant g
                 JOIN slice_now s ON s.grant_id = g.id
                 WHERE g.store_id = l.store_id AND g.order_id = l.order_id AND g.line_id = l.line_id)
         FROM order_line l WHERE l.store_id = $1 AND l.order_id = $2 AND l.is_tokens = 1",
        params![store, order],
        |row| Ok(Booked { target: row.get(0)?, booked: row.get(1)?, given: row.get(2)?, left: row.get(3)? }),
    )
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, db::Error> {
    serde_json::to_string(value)
        .map_err(|error| db::Error::Unusable(format!("a sweep cannot be written: {error}")))
}

fn order(row: &Row<'_>, column: usize) -> Result<Order, db::Error> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text)
        .map_err(|error| db::Error::Column { column, found: format!("unreadable JSON: {error}") })
}

/// A sweep whose lease somebody else has ends without writing.
pub(super) fn held(is_held: bool, store: &StoreName) -> Result<(), Error> {
    if is_held { Ok(()) } else { Err(Error::Ousted(store.clone())) }
}
