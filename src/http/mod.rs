//! The HTTP edge: every route on one screen, and what all handlers share.
//!
//! Handlers extract, run one transaction or one read, and answer; what a request means is decided below.

pub mod accounts;
mod admin;
pub mod auth;
pub mod batch;
pub mod claims;
pub mod debits;
pub mod events;
pub mod explain;
pub mod extract;
mod fields;
pub mod grants;
pub mod health;
pub mod holds;
pub mod idempotent;
pub mod keys;
pub mod limits;
pub mod logs;
pub mod metrics;
pub mod openapi;
pub mod orders;
pub mod pairing;
pub mod people;
pub mod problem;
pub mod query;
pub mod server;
pub mod stores;
pub mod wallets;
pub mod webhooks;

use std::sync::Arc;

use axum::Router;
use tokio::sync::Notify;

use self::openapi::Routes;
use self::problem::Problem;
use crate::access::{Callers, Uses};
use crate::db::{self, Db};
use crate::feed;
use crate::ledger;
use crate::ledger::limit::Brake;
use crate::order::apply::Rules;
use crate::pairing::Guesses;
use crate::shop::kept::Stores;
use crate::shop::watch::Refusals;

/// What every handler can reach. Cloning it shares it, at the price of one count.
#[derive(Clone, Debug)]
pub struct App(Arc<Services>);

/// What an [`App`] is made of.
#[derive(Clone, Debug)]
pub struct Services {
    /// The database.
    pub db: Db,
    /// What the configuration says about wallets.
    pub feed: Arc<feed::Settings>,
    /// How orders count.
    pub rules: Arc<Rules>,
    /// How the brake against runaway spending is set.
    pub brake: Brake,
    /// The largest webhook body, in bytes.
    pub webhook_body_bytes_max: usize,
    /// What was read of wallets of late.
    pub kept: feed::Kept,
    /// Who asked of late.
    pub callers: Callers,
    /// Which stores delivered of late.
    pub stores: Stores,
    /// Notes when keys are used.
    pub uses: Uses,
    /// Pairing codes that were wrong.
    pub guesses: Guesses,
    /// Counts deliveries that were signed with another secret.
    pub refusals: Refusals,
    /// Tells the worker that there may be something to ask a shop.
    pub wake_worker: Arc<Notify>,
}

impl std::ops::Deref for App {
    type Target = Services;

    fn deref(&self) -> &Services {
        &self.0
    }
}

impl From<Services> for App {
    fn from(services: Services) -> Self {
        Self(Arc::new(services))
    }
}

/// Every route.
pub fn routes(app: App) -> Router {
    let routes = documented().into_router();
    extract::with_fallbacks(routes).layer(logs::Logs).with_state(app)
}

/// Every route, with what the API document says of it.
fn documented() -> Routes {
    Routes::new()
        .merge(wallets::routes())
        .merge(explain::routes())
        .merge(debits::routes())
        .merge(batch::routes())
        .merge(holds::routes())
        .merge(grants::routes())
        .merge(people::routes())
        .merge(accounts::routes())
        .merge(keys::routes())
        .merge(limits::routes())
        .merge(claims::routes())
        .merge(orders::routes())
        .merge(events::routes())
        .merge(webhooks::routes())
        .merge(pairing::routes())
        .merge(stores::routes())
        .merge(health::routes())
        .merge(metrics::routes())
        .merge(openapi::routes())
}

/// The problem a refusal of the ledger is to a client.
impl From<ledger::store::Error> for Problem {
    fn from(refusal: ledger::store::Error) -> Self {
        use ledger::store::Error as E;
        match refusal {
            E::InsufficientCredits { needed, available, .. } => {
                Self::insufficient_credits(available, needed).with_detail(&refusal)
            }
            E::Frozen(_) => Self::frozen(),
            E::Paused(pause) => Self::paused_for_safety(&pause),
            E::LimitReached { needed, available, limit } => Self::limit_reached(available, needed, &limit),
            E::UnknownAccount(_) | E::UnknownHold(_) | E::UnknownDebit(_) => Self::not_found(),
            E::HoldClosed(_) => Self::hold_closed(&refusal),
            E::AlreadyReversed { .. } => Self::already_reversed(&refusal),
            // Between the look-up and the lock: whoever looks again finds the other account.
            E::Merged { .. } => Self::try_again(),
            E::TooMuch | E::BeyondHold { .. } | E::BeyondDebit { .. } => Self::invalid("/credits", &refusal),
            E::Database(error) => error.into(),
        }
    }
}

/// What a failing database is to a client: nothing was done, and it may be tried again. The cause goes to
/// the log, not to a stranger.
impl From<db::Error> for Problem {
    fn from(error: db::Error) -> Self {
        tracing::error!(%error, "the database failed: {error}");
        Self::try_again()
    }
}
