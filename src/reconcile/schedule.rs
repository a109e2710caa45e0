//! Sweeps by itself: what changed lately every few minutes, five weeks every night.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::{Error, Report, Window, run, store};
use crate::db::Db;
use crate::order::apply::Rules;
use crate::shop;
use crate::shop::rest::Clients;

/// How often is looked whether a store is due: somebody may have asked for it from another process.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Sweeps the stores that are due, one after the other, until told to stop. What is cut off by that is gone
/// on with after the next start.
pub async fn work(
    db: Db,
    clients: Clients,
    rules: Arc<Rules>,
    every: Duration,
    mut stopped: watch::Receiver<bool>,
) {
    // Without a sender nobody is left to say stop: that is a stop as well.
    while !*stopped.borrow() && stopped.has_changed().is_ok() {
        let due = db.read(store::due).unwrap_or_else(|error| {
            tracing::error!(%error, "it cannot be told which stores are to be reconciled: {error}");
            Vec::new()
        });
        for (id, window) in due {
            tokio::select! {
                () = sweep(&db, &clients, &rules, id, window, every) => {}
                _ = stopped.changed() => return,
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            _ = stopped.changed() => {}
        }
    }
}

async fn sweep(db: &Db, clients: &Clients, rules: &Arc<Rules>, id: i64, window: Window, every: Duration) {
    match swept(db, clients, rules, id, window, every).await {
        Ok(Some(Report { store, counts, waiting, unread_orders, .. })) => {
            let line = counts.line();
            if !counts.is_right() {
                tracing::warn!(%store, unread = counts.unread, "store {store} was reconciled: {line}");
            } else if counts.repaired == 0 {
                tracing::debug!(%store, "store {store} was reconciled: {line}");
            } else {
                tracing::info!(%store, waiting = waiting.len(), "store {store} was reconciled: {line}");
            }
            for unread in unread_orders {
                let order = unread.order.unwrap_or_default();
                tracing::warn!(%store, order, "order {order} could not be reconciled: {}", unread.reason);
            }
        }
        // Removed, or somebody else is at it.
        Ok(None) | Err(Error::Busy { .. } | Error::NoKeys(_)) => {}
        Err(error) => tracing::warn!(%error, "reconciling goes on later: {error}"),
    }
}

async fn swept(
    db: &Db,
    clients: &Clients,
    rules: &Arc<Rules>,
    id: i64,
    window: Window,
    every: Duration,
) -> Result<Option<Report>, Error> {
    let Some(shop) = db.read(|tx| shop::store::by_id(tx, id))? else { return Ok(None) };
    let report = run(db, clients, rules, &shop, window, &mut |_| {}).await?;
    let next = db.clock().now().plus_millis(i64::try_from(every.as_millis()).unwrap_or(i64::MAX));
    db.write("reconcile::schedule", move |tx| store::schedule(tx, id, next)).await?;
    Ok::<_, Error>(Some(report))
}
