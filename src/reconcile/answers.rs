//! Asks a shop one thing that orders wait for, and books what follows. The daemon's worker and a sweep share it.

use std::sync::Arc;

use super::{booking, store};
use crate::catalog;
use crate::catalog::lookup::{self, Progress};
use crate::db::Db;
use crate::inbox;
use crate::order::apply::{self, Rules};
use crate::order::reading::Reading;
use crate::shop;
use crate::shop::rest::Clients;

/// On whose behalf something is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// The store whose questions count.
    pub store: i64,
    /// The sweep's number, which orders that go on are marked with.
    pub number: i64,
}

/// Tries some orders again that new facts came for, else asks a shop one thing and books what follows; answers
/// whether there was nothing to do.
///
/// # Errors
/// When the database fails; the question stays.
pub async fn step(
    db: &Db,
    clients: &Clients,
    rules: &Arc<Rules>,
    sweep: Option<Sweep>,
) -> Result<bool, apply::Error> {
    let waiting = db.read(|tx| match sweep {
        Some(sweep) => Ok(catalog::store::retries_after(tx, sweep.store)?.map(|_| sweep.store)),
        None => catalog::store::next_retry(tx),
    })?;
    if let Some(store_id) = waiting {
        retry_parked(db, rules, store_id, sweep).await?;
        return Ok(false);
    }
    match lookup::step(db, clients, sweep.map(|sweep| sweep.store)).await? {
        Progress::Idle => return Ok(true),
        Progress::Failed { .. } | Progress::Learned { .. } => {}
        Progress::OrderRead { store_id, order_id, asked_at, shown, claim } => {
            let reading = Reading { order_id, asked_at, shown };
            let Some(shop) = db.read(|tx| shop::store::by_id(tx, store_id))? else { return Ok(false) };
            if let Some(error) = reading.torn(&shop) {
                lookup::fail(db, *claim, error).await?;
                return Ok(false);
            }
            let rules = Arc::clone(rules);
            db.write("reconcile::apply_reading", move |tx| {
                catalog::store::finish_lookup(tx, &claim)?;
                let Some(shop) = shop::store::by_id(tx, store_id)? else { return Ok(()) };
                let before = booking::Snapshot::of(tx, store_id, order_id)?;
                reading.apply(tx, &shop, &rules)?;
                match sweep {
                    Some(sweep) if before != booking::Snapshot::of(tx, store_id, order_id)? => {
                        Ok(store::mark_repaired(tx, store_id, order_id, sweep.number)?)
                    }
                    _ => Ok::<_, apply::Error>(()),
                }
            })
            .await?;
        }
    }
    Ok(false)
}

/// Applies a page of the orders of a store that wait, because there are new facts.
async fn retry_parked(
    db: &Db,
    rules: &Arc<Rules>,
    store_id: i64,
    sweep: Option<Sweep>,
) -> Result<(), apply::Error> {
    let rules = Arc::clone(rules);
    db.write("reconcile::retry_parked", move |tx| {
        let Some(shop) = shop::store::by_id(tx, store_id)? else { return Ok(()) };
        inbox::retry_parked_each(tx, &shop, &rules, "lookup", |tx, order| match sweep {
            Some(sweep) => store::mark_repaired(tx, store_id, order, sweep.number),
            None => Ok(()),
        })
        .map(|_| ())
    })
    .await
}
