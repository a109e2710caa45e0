//! The outbox: events, and those that are on their way to stores.

use std::path::PathBuf;

use super::{Filter, KEPT_MS, Kept, Kind};
use crate::db::{self, Row, Tx};
use crate::id::{AccountId, EventId};
use crate::ledger::alert::Alert;
use crate::ledger::slice::Compartment;
use crate::params;
use crate::time::Timestamp;

/// Writes an alert down, and that the stores that want to hear of it are to be told.
pub fn add(
    tx: &mut Tx<'_>,
    account: &AccountId,
    at: &Compartment,
    alert: &Alert,
) -> Result<EventId, db::Error> {
    let (now, id, kind) = (tx.now(), EventId::new(), Kind::from(alert.depth));
    // Whoever writes an event has this row until the commit, so nobody commits a lower number later.
    let seq: i64 = tx.query_one(
        "-- event::store::add (number)
         UPDATE event_number SET last = last + 1 RETURNING last",
        params![],
        |row| row.get(0),
    )?;
    tx.execute(
        "-- event::store::add
         INSERT INTO event (seq, id, type, at, account_id, site, level, available)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        params![
            seq,
            &id,
            kind.as_str(),
            now,
            account,
            at.column(),
            &alert.level.to_string(),
            alert.available
        ],
    )?;
    tx.execute(
        "-- event::store::add (push)
         INSERT INTO event_push (store_id, account_id, seq, attempts, due_at)
         SELECT DISTINCT e.store_id, c.account_id, CAST($2 AS BIGINT), 0, CAST($3 AS BIGINT)
         FROM customer c JOIN store_events e ON e.store_id = c.store_id WHERE c.account_id = $1",
        params![account, seq, now],
    )?;
    Ok(id)
}

/// Events after the number `after`, the oldest first.
pub(super) fn list(tx: &mut Tx<'_>, filter: &Filter, after: i64, limit: i64) -> Result<Vec<Kept>, db::Error> {
    let kind = filter.kind.map_or("", Kind::as_str);
    match &filter.account {
        None => tx.query(
            "-- event::store::list
             SELECT seq, id, type, at, account_id, site, level, available FROM event
             WHERE seq > $1 AND ($2 = '' OR type = $2) ORDER BY seq LIMIT $3",
            params![after, kind, limit],
            kept,
        ),
        Some(account) => tx.query(
            "-- event::store::list (account)
             SELECT seq, id, type, at, account_id, site, level, available FROM event
             WHERE account_id IN (SELECT id FROM account WHERE id = $4 OR merged_into = $4)
               AND seq > $1 AND ($2 = '' OR type = $2)
             ORDER BY seq LIMIT $3",
            params![after, kind, limit, account],
            kept,
        ),
    }
}

fn kept(row: &Row<'_>) -> Result<Kept, db::Error> {
    let kind: String = row.get(2)?;
    Ok(Kept {
        seq: row.get(0)?,
        id: row.get(1)?,
        kind: Kind::named(&kind).ok_or(db::Error::Column { column: 2, found: kind })?,
        at: row.get(3)?,
        account: row.get(4)?,
        compartment: row.get(5)?,
        level: row.get(6)?,
        available: row.get(7)?,
    })
}

/// Forgets a few events that are too old to be asked for; answers how many.
pub fn prune(tx: &mut Tx<'_>, limit: i64) -> Result<u64, db::Error> {
    let before = tx.now().plus_millis(-KEPT_MS);
    // Whoever wants no events any more is not told those that were under way.
    tx.execute(
        "-- event::store::prune (under way)
         DELETE FROM event_push WHERE store_id NOT IN (SELECT store_id FROM store_events)",
        params![],
    )?;
    // They are numbered in the order of their times.
    tx.execute(
        "-- event::store::prune
         DELETE FROM event
         WHERE seq IN (SELECT e.seq FROM event e
                       WHERE NOT EXISTS (SELECT 1 FROM event_push p WHERE p.seq = e.seq) ORDER BY e.seq LIMIT $2)
           AND at < $1",
        params![before, limit],
    )
}

// On their way to stores ---------------------------------------------------------------------------

/// An event on its way to a store.
#[derive(Clone, Debug)]
pub struct Push {
    /// The store.
    pub store: i64,
    /// Its name.
    pub name: String,
    /// Where it takes events.
    pub url: String,
    /// What they are signed with.
    pub secret: String,
    /// The certificate authority its certificate is signed by, if not a public one.
    pub ca_file: Option<PathBuf>,
    /// The event.
    pub event: Kept,
    /// How often it was tried.
    pub attempts: i64,
}

/// The stores that are to be told something, at most `limit`.
pub fn due_stores(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<i64>, db::Error> {
    let now = tx.now();
    tx.query(
        "-- event::store::due_stores
         SELECT p.store_id FROM event_push p JOIN store_events r ON r.store_id = p.store_id
         WHERE p.due_at <= $1 GROUP BY p.store_id ORDER BY MIN(p.due_at), p.store_id LIMIT $2",
        params![now, limit],
        |row| row.get(0),
    )
}

/// What a store is to be told next: of each account the oldest event only, so that they come in their order.
pub fn next(tx: &mut Tx<'_>, store: i64) -> Result<Option<Push>, db::Error> {
    let now = tx.now();
    tx.query_opt(
        "-- event::store::next
         SELECT e.seq, e.id, e.type, e.at, e.account_id, e.site, e.level, e.available, s.name, r.url, r.secret, p.attempts,
                s.ca_file
         FROM event_push p JOIN event e ON e.seq = p.seq JOIN store s ON s.id = p.store_id
         JOIN store_events r ON r.store_id = p.store_id
         WHERE p.store_id = $1 AND p.due_at <= $2
           AND NOT EXISTS (SELECT 1 FROM event_push q
                           WHERE q.store_id = p.store_id AND q.account_id = p.account_id AND q.seq < p.seq)
         ORDER BY p.due_at, p.seq LIMIT 1",
        params![store, now],
        |row| {
            Ok(Push {
                store,
                event: kept(row)?,
                name: row.get(8)?,
                url: row.get(9)?,
                secret: row.get(10)?,
                attempts: row.get(11)?,
                ca_file: row.get::<Option<String>>(12)?.map(PathBuf::from),
            })
        },
    )
}

/// Notes that a store has taken an event.
pub fn taken(tx: &mut Tx<'_>, push: &Push) -> Result<(), db::Error> {
    let now = tx.now();
    done(tx, push)?;
    tx.execute(
        "-- event::store::taken
         INSERT INTO event_receiver (store_id, taken_at, given_up) VALUES ($1, $2, 0)
         ON CONFLICT (store_id) DO UPDATE SET taken_at = excluded.taken_at, failed_at = NULL, failure = NULL",
        params![push.store, now],
    )?;
    Ok(())
}

/// Notes that a store did not take an event, which is tried again at `again_at`; never, if that is nothing.
pub fn failed(tx: &mut Tx<'_>, push: &Push, why: &str, again_at: Option<Timestamp>) -> Result<(), db::Error> {
    let now = tx.now();
    let given_up = again_at.is_none();
    if let Some(again_at) = again_at {
        tx.execute(
            "-- event::store::failed (again)
             UPDATE event_push SET attempts = attempts + 1, due_at = $4
             WHERE store_id = $1 AND account_id = $2 AND seq = $3",
            params![push.store, &push.event.account, push.event.seq, again_at],
        )?;
    } else {
        done(tx, push)?;
    }
    tx.execute(
        "-- event::store::failed
         INSERT INTO event_receiver (store_id, failed_at, failure, given_up, given_up_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (store_id)
         DO UPDATE SET failed_at = COALESCE(event_receiver.failed_at, excluded.failed_at), failure = excluded.failure,
                       given_up = event_receiver.given_up + excluded.given_up,
                       given_up_at = COALESCE(excluded.given_up_at, event_receiver.given_up_at)",
        params![push.store, now, why, given_up, given_up.then_some(now)],
    )?;
    Ok(())
}

/// Lets all that a store is to be told wait until `until`.
pub fn wait(tx: &mut Tx<'_>, store: i64, until: Timestamp) -> Result<(), db::Error> {
    tx.execute(
        "-- event::store::wait
         UPDATE event_push SET due_at = $2 WHERE store_id = $1 AND due_at < $2",
        params![store, until],
    )?;
    Ok(())
}

fn done(tx: &mut Tx<'_>, push: &Push) -> Result<(), db::Error> {
    tx.execute(
        "-- event::store::done
         DELETE FROM event_push WHERE store_id = $1 AND account_id = $2 AND seq = $3",
        params![push.store, &push.event.account, push.event.seq],
    )?;
    Ok(())
}

/// How a store takes its events.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Receiver {
    /// How many are on their way.
    pub waiting: i64,
    /// When it took one last.
    pub taken_at: Option<Timestamp>,
    /// Since when it takes none.
    pub failed_at: Option<Timestamp>,
    /// Why not.
    pub failure: Option<String>,
    /// How many it never took.
    pub given_up: i64,
    /// When the last of these was given up.
    pub given_up_at: Option<Timestamp>,
}

/// How a store takes its events; nothing if it wants none.
pub fn receiver(tx: &mut Tx<'_>, store: i64) -> Result<Option<Receiver>, db::Error> {
    tx.query_opt(
        "-- event::store::receiver
         SELECT CAST((SELECT COUNT(*) FROM event_push p WHERE p.store_id = s.store_id) AS BIGINT), r.taken_at,
                r.failed_at, r.failure, CAST(COALESCE(r.given_up, 0) AS BIGINT), r.given_up_at
         FROM store_events s LEFT JOIN event_receiver r ON r.store_id = s.store_id WHERE s.store_id = $1",
        params![store],
        |row| {
            Ok(Receiver {
                waiting: row.get(0)?,
                taken_at: row.get(1)?,
                failed_at: row.get(2)?,
                failure: row.get(3)?,
                given_up: row.get(4)?,
                given_up_at: row.get(5)?,
            })
        },
    )
}

/// How many events are on their way to stores, and how many none of them took in the end.
pub fn counts(tx: &mut Tx<'_>) -> Result<(i64, i64), db::Error> {
    tx.query_one(
        "-- event::store::counts
         SELECT CAST((SELECT COUNT(*) FROM event_push) AS BIGINT),
                CAST((SELECT COALESCE(SUM(given_up), 0) FROM event_receiver) AS BIGINT)",
        params![],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}
