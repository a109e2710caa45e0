//! Who holds how many credits, and why.
//!
//! Credits only ever move from one place to another: a compartment (the pool of an account, or one of its
//! sites) or a system account (issuance, revenue, breakage, clawback, debt, adjustment). So the sum over all
//! places is zero at all times. An entry is never changed or deleted; a mistake is undone by an entry the
//! other way. Balances are kept in the slices' rows and proved from the entries by [`audit`].
//!
//! This module knows nothing of HTTP, WooCommerce or WordPress, and the decisions in [`alert`], [`burn`],
//! [`hold`], [`limit`], [`plan`] and [`position`] know nothing of a database or a clock either.

pub mod act;
pub mod alert;
pub mod audit;
pub mod burn;
pub mod chain;
pub mod entry;
pub mod hold;
pub mod limit;
pub mod plan;
pub mod position;
pub mod slice;
pub mod store;
pub mod unsettled;

pub use self::store::LockedAccount;
