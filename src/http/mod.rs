//! The HTTP edge.

pub mod auth;
pub mod problem;
pub mod query;
pub mod wallets;

use std::sync::Arc;

use crate::db::Db;
use crate::feed;

/// What every handler can reach.
#[derive(Clone, Debug)]
pub struct App {
    /// The database.
    pub db: Db,
    /// What the configuration says about wallets.
    pub feed: Arc<feed::Settings>,
}
