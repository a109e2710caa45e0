//! What numbers are made of: movements, and what lay where at an instant.

use crate::db::{self, Tx};
use crate::id::{AccountId, GrantId, SiteId};
use crate::ledger::entry::Place;
use crate::ledger::slice::{Category, Compartment};
use crate::ledger::store::hold::overdue;
use crate::params;
use crate::rate;
use crate::time::Timestamp;
use crate::units::Credits;

/// An entry with what is known of its grant and its debit.
#[derive(Debug)]
pub(in crate::feed) struct Movement {
    /// The account's entry before; nothing for its first.
    pub(in crate::feed) previous: Option<i64>,
    pub(in crate::feed) at: Timestamp,
    pub(in crate::feed) kind: String,
    pub(in crate::feed) grant: Option<GrantId>,
    pub(in crate::feed) source: String,
    pub(in crate::feed) target: String,
    pub(in crate::feed) amount: Credits,
    pub(in crate::feed) label: Option<String>,
    pub(in crate::feed) order: Option<i64>,
    /// The site of the debit, and its words.
    pub(in crate::feed) debit: Option<(SiteId, String)>,
    pub(in crate::feed) reason: Option<String>,
}

/// The entry `newest` and those of its account before it, newest first: of `length` entries those at the places
/// `places`, or all if there are none; and in any case the last, which tells where to go on.
pub(in crate::feed) fn movements_from(
    tx: &mut Tx<'_>,
    account: &AccountId,
    places: Option<&[String; 2]>,
    newest: i64,
    length: i64,
) -> Result<Vec<Movement>, db::Error> {
    let [one, other] = places.map_or(["", ""], |[one, other]| [one.as_str(), other.as_str()]);
    tx.query(
        "-- feed::store::made_of::movements_from
         WITH RECURSIVE walk (id, previous, length) AS (
             SELECT id, previous, CAST(1 AS BIGINT) FROM entry WHERE id = $2 AND account_id = $1
             UNION ALL
             SELECT p.id, p.previous, w.length + 1 FROM walk w CROSS JOIN entry p
             WHERE p.id = w.previous AND w.length < $5)
         SELECT e.previous, e.booked_at, e.kind, e.grant_id, e.source, e.target, e.amount, g.label, g.order_id,
                COALESCE(d.site, h.site), COALESCE(d.label, h.label), COALESCE(d.quantity, h.quantity),
                CASE e.kind WHEN 'granted' THEN g.reason WHEN 'voided' THEN g.void_reason WHEN 'reversed' THEN r.reason
                            ELSE c.reason END
         FROM walk w CROSS JOIN entry e
         LEFT JOIN credit_grant g ON g.id = e.grant_id
         LEFT JOIN reversal r ON r.id = e.operation AND e.kind = 'reversed'
         LEFT JOIN debit d ON d.id = COALESCE(r.debit_id, e.operation)
         LEFT JOIN hold h ON h.id = e.operation
         LEFT JOIN correction c ON c.operation = e.operation
         WHERE e.id = w.id
           AND ($3 = '' OR e.source IN ($3, $4) OR e.target IN ($3, $4) OR w.length = $5 OR w.previous IS NULL)
         ORDER BY w.length",
        params![account, newest, one, other, length],
        |row| {
            let debit = match (row.get::<Option<SiteId>>(9)?, row.get::<Option<String>>(10)?) {
                (Some(site), Some(label)) => Some((site, rate::say(label, row.get(11)?))),
                _ => None,
            };
            Ok(Movement {
                previous: row.get(0)?,
                at: row.get(1)?,
                kind: row.get(2)?,
                grant: row.get(3)?,
                source: row.get(4)?,
                target: row.get(5)?,
                amount: row.get(6)?,
                label: row.get(7)?,
                order: row.get(8)?,
                debit,
                reason: row.get(12)?,
            })
        },
    )
}

/// The account's newest entry, if it has one.
pub(in crate::feed) fn newest_entry(tx: &mut Tx<'_>, account: &AccountId) -> Result<Option<i64>, db::Error> {
    tx.query_one(
        "-- feed::store::made_of::newest_entry
         SELECT last_entry FROM account WHERE id = $1",
        params![account],
        |row| row.get(0),
    )
}

/// What remains in each compartment of the account by its entries, whether it can be spent or not.
pub(in crate::feed) fn remaining(
    tx: &mut Tx<'_>,
    account: &AccountId,
) -> Result<Vec<(Compartment, Credits)>, db::Error> {
    tx.query(
        "-- feed::store::made_of::remaining
         SELECT site, CAST(SUM(remaining) AS BIGINT) FROM slice_now
         WHERE account_id = $1 AND (remaining > 0 OR held > 0) GROUP BY site ORDER BY site",
        params![account],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// What lay in one place at an instant, of one grant.
#[derive(Debug)]
pub(in crate::feed) struct Lay {
    pub(in crate::feed) place: String,
    pub(in crate::feed) amount: i64,
    /// Nothing for a debt that moved, which is of no grant.
    pub(in crate::feed) grant: Option<LayOf>,
}

/// What there is to know of the grant.
#[derive(Clone, Debug)]
pub(in crate::feed) struct LayOf {
    pub(in crate::feed) id: GrantId,
    pub(in crate::feed) category: Category,
    pub(in crate::feed) amount: Credits,
    pub(in crate::feed) effective_at: Timestamp,
    pub(in crate::feed) expires_at: Option<Timestamp>,
    pub(in crate::feed) voided: bool,
    pub(in crate::feed) frozen: bool,
}

/// What lay where in the account at the instant `at`, from the entries that were booked for then or earlier.
pub(in crate::feed) fn lay_at(
    tx: &mut Tx<'_>,
    account: &AccountId,
    at: Timestamp,
) -> Result<Vec<Lay>, db::Error> {
    let mut lays = booked_at(tx, account, at)?;
    // Holds that were over by then count as released, whether that is booked or not.
    for over in overdue(tx, account, at)? {
        let held = Place::Held(over.compartment.clone()).to_string();
        let is_of = |lay: &Lay, place: &str| {
            lay.place == place && lay.grant.as_ref().is_some_and(|grant| grant.id == over.grant)
        };
        let Some(found) = lays.iter().position(|lay| is_of(lay, &held)) else { continue };
        lays[found].amount -= over.credits.micro();
        let grant = lays[found].grant.clone();
        let place = Place::Compartment(over.compartment.clone()).to_string();
        match lays.iter_mut().find(|lay| is_of(lay, &place)) {
            Some(lay) => lay.amount += over.back().micro(),
            None => lays.push(Lay { place, amount: over.back().micro(), grant }),
        }
    }
    Ok(lays)
}

/// [`lay_at`] by the entries alone.
fn booked_at(tx: &mut Tx<'_>, account: &AccountId, at: Timestamp) -> Result<Vec<Lay>, db::Error> {
    tx.query(
        "-- feed::store::made_of::booked_at
         WITH RECURSIVE walk (previous, grant_id, source, target, amount, booked_at) AS (
             SELECT e.previous, e.grant_id, e.source, e.target, e.amount, e.booked_at
             FROM account a CROSS JOIN entry e WHERE a.id = $1 AND e.id = a.last_entry
             UNION ALL
             SELECT e.previous, e.grant_id, e.source, e.target, e.amount, e.booked_at
             FROM walk w CROSS JOIN entry e WHERE e.id = w.previous)
         SELECT p.place, CAST(SUM(p.amount) AS BIGINT), g.id, g.category, g.amount, g.effective_at, g.expires_at,
                g.voided_at,
                CAST(COALESCE((SELECT f.frozen FROM grant_freeze f WHERE f.grant_id = g.id AND f.at <= $2
                               ORDER BY f.at DESC LIMIT 1), 0) AS BIGINT)
         FROM (SELECT w.grant_id, CASE s.side WHEN 1 THEN w.target ELSE w.source END AS place, w.amount * s.side AS amount
               FROM walk w CROSS JOIN (SELECT 1 AS side UNION ALL SELECT -1) s WHERE w.booked_at <= $2) p
         LEFT JOIN credit_grant g ON g.id = p.grant_id
         WHERE p.place = 'pool' OR p.place LIKE 'site:%' OR p.place LIKE 'held:%' OR p.place LIKE 'debt:%'
         GROUP BY p.place, g.id HAVING SUM(p.amount) <> 0",
        params![account, at],
        |row| {
            let grant = match row.get::<Option<String>>(2)? {
                None => None,
                Some(_) => Some(LayOf {
                    id: row.get(2)?,
                    category: row.get(3)?,
                    amount: row.get(4)?,
                    effective_at: row.get(5)?,
                    expires_at: row.get(6)?,
                    voided: row.get::<Option<Timestamp>>(7)?.is_some_and(|voided_at| voided_at <= at),
                    frozen: row.get(8)?,
                }),
            };
            Ok(Lay { place: row.get(0)?, amount: row.get(1)?, grant })
        },
    )
}
