//! Reconciliation: what a shop has is compared with what the books have, and what differs is booked.
//!
//! A sweep reads both lists of the shop's orders (the trash is one of its own), asks for known orders that
//! neither showed, asks for what orders wait for, and counts. It goes the way of every reading through
//! [`order::apply`](crate::order::apply), so it books nothing that a delivery would not have booked, and a
//! second one writes nothing. One page is in memory at a time. Orders that are as they are known do not take
//! the writer one by one, and what differs is written a few orders at a time, so that no debit is held up.
//!
//! How far a sweep is stands in the database with each page: one that was cut off is gone on with. A lease there
//! lets only one process sweep a store at a time. Dropping the future of [`run`] stops a sweep at once: what
//! is being written is finished, the lease is given back.
//!
//! Not here: a refund that was deleted on an order that changed before the window. Nothing in the shop tells of
//! it; a sweep over all orders finds it.

pub mod answers;
mod booking;
pub mod plan;
pub mod report;
pub mod schedule;
pub mod store;
mod sweep;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use self::plan::State;
use self::report::Report;
use self::store::Begun;
use self::sweep::{Mode, Sweep};
use crate::db::{self, Db};
use crate::order::apply::Rules;
use crate::shop::rest::{self, Clients, Rest};
use crate::shop::{self, Store, StoreName};
use crate::time::{DAY_MS, HOUR_MS, Timestamp};

/// How far back is read every night, and by hand unless said otherwise.
pub const WIDE_MS: i64 = 35 * DAY_MS;
/// How often that is.
pub const NIGHTLY_EVERY_MS: i64 = 24 * HOUR_MS;
/// How much of what was read before is read again: clocks differ, and dates have whole seconds.
pub const OVERLAP_MS: i64 = 10 * 60 * 1000;
/// How long a process that gives no sign of life is thought to sweep.
pub const LEASE_MS: i64 = 15 * 1000;
/// How often it gives one.
const RENEW_EVERY: Duration = Duration::from_secs(5);

/// Which orders a sweep looks at: those that changed after `since`, or all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The bound; `None` is all orders there are.
    pub since: Option<Timestamp>,
}

impl Window {
    /// All orders, also those that are known to be gone.
    pub const ALL: Self = Self { since: None };

    /// Orders that changed after `since`.
    #[must_use]
    pub const fn since(since: Timestamp) -> Self {
        Self { since: Some(since) }
    }

    /// Whether everything in `other` is in this one.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        match (self.since, other.since) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(own), Some(other)) => own <= other,
        }
    }

    /// Before the first known order in it.
    fn start(self) -> (Timestamp, i64) {
        match self.since {
            Some(since) => (since, i64::MAX),
            None => (Timestamp::from_millis(i64::MIN), i64::MIN),
        }
    }
}

/// Why a sweep did not come to its end. What it wrote until then stays.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing can be asked.
    #[error("store {0} has no REST keys, so its orders cannot be read")]
    NoKeys(StoreName),
    /// There may be one only.
    #[error("store {store} is being reconciled already")]
    Busy {
        /// The store.
        store: StoreName,
        /// Until when at least, without another sign of life.
        until: Timestamp,
    },
    /// It gave no sign of life for too long.
    #[error("another process has taken over the reconciliation of store {0}")]
    Ousted(StoreName),
    /// The shop does not answer.
    #[error("store {store}: {error}")]
    Shop {
        /// The store.
        store: StoreName,
        /// Why not.
        error: rest::Error,
    },
    /// The database failed.
    #[error(transparent)]
    Database(#[from] db::Error),
}

/// How far a sweep is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it does.
    pub doing: &'static str,
    /// Orders done of that.
    pub done: u64,
    /// How many there are, as far as that is known.
    pub total: Option<u64>,
}

/// Who is told how far a sweep is.
pub type Progress<'p> = &'p mut (dyn FnMut(Step) + Send);

/// Compares the store's orders with its shop, books what differs and counts.
///
/// # Errors
/// [`Error`]; what was written until then stays, and the next call goes on from there.
pub async fn run(
    db: &Db,
    clients: &Clients,
    rules: &Arc<Rules>,
    shop: &Store,
    window: Window,
    progress: Progress<'_>,
) -> Result<Report, Error> {
    let rest = client(db, clients, shop)?;
    let lease = Lease { db: db.clone(), store: shop.id, holder: uuid::Uuid::now_v7().to_string() };
    let (id, holder) = (shop.id, lease.holder.clone());
    let begun = db.write("reconcile::begin", move |tx| store::begin(tx, id, &holder, window)).await?;
    let (state, resumed) = match begun {
        Begun::Busy(until) => return Err(Error::Busy { store: shop.name.clone(), until }),
        Begun::Here { state, resumed } => (*state, resumed),
    };
    let mode = Mode::Real(&lease);
    let mut sweep = Sweep::new(db, clients, rest, rules, shop, state, mode, progress);
    let swept = {
        let work = std::pin::pin!(sweep.work(resumed));
        alive(&lease, work).await
    };
    if let Err(Error::Shop { error, .. }) = &swept {
        let (id, holder) = (shop.id, lease.holder.clone());
        let (text, asked) = (error.to_string(), error.retry_after());
        db.write("reconcile::fail", move |tx| store::fail(tx, id, &holder, &text, asked)).await?;
    }
    swept
}

/// What [`run`] would do, with nothing written. It asks the shop for orders and refunds only.
///
/// # Errors
/// [`Error`].
pub async fn try_out(
    db: &Db,
    clients: &Clients,
    rules: &Arc<Rules>,
    shop: &Store,
    window: Window,
    progress: Progress<'_>,
) -> Result<Report, Error> {
    let rest = client(db, clients, shop)?;
    let state = State::new(0, db.clock().now(), window);
    let mode = Mode::Trial(Box::default());
    Sweep::new(db, clients, rest, rules, shop, state, mode, progress).work(false).await
}

fn client(db: &Db, clients: &Clients, shop: &Store) -> Result<Rest, Error> {
    let access = db.read(|tx| shop::store::access(tx, shop.id))?;
    let access = access.ok_or_else(|| Error::NoKeys(shop.name.clone()))?;
    clients.of(shop.id, &access).map_err(|error| Error::Shop { store: shop.name.clone(), error })
}

/// Works, and gives signs of life. Whether the lease is still there is asked by each write of the work itself;
/// here it may be gone because the work has just come to its end.
async fn alive<T>(
    lease: &Lease,
    mut work: std::pin::Pin<&mut impl Future<Output = Result<T, Error>>>,
) -> Result<T, Error> {
    let mut beat = interval_at(Instant::now() + RENEW_EVERY, RENEW_EVERY);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = beat.tick() => {
                let (id, holder) = (lease.store, lease.holder.clone());
                lease.db.write("reconcile::renew", move |tx| store::renew(tx, id, &holder)).await?;
            }
        }
    }
}

/// The right to sweep a store; given back when dropped.
struct Lease {
    db: Db,
    store: i64,
    holder: String,
}

impl Drop for Lease {
    fn drop(&mut self) {
        let (store, holder) = (self.store, std::mem::take(&mut self.holder));
        self.db.write_unwatched("reconcile::release", move |tx| store::release(tx, store, &holder));
    }
}
