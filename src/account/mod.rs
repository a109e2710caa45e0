//! What is done to an account as a whole: merging it into another, claiming a guest's, erasing a
//! person, and what can be set about it.
//!
//! Credits and debts move only through [`LockedAccount`], so each of these acts is one that `verify` proves.
//! History is never rewritten: what was booked in an account stays in its chain, and a merged account stays
//! as an empty one that says what it is part of.

pub mod claim;
pub mod erase;
pub mod merge;
pub mod settings;
pub mod store;

use crate::db::Tx;
use crate::id::{AccountId, SiteId};
use crate::ledger::slice::{Compartment, View, open_slices};
use crate::ledger::{self, LockedAccount};
use crate::site::{self, AccountRef};
use crate::units::Credits;

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The names say nothing, or not enough.
    #[error(transparent)]
    Site(#[from] site::store::Error),
    /// The ledger refused.
    #[error(transparent)]
    Ledger(#[from] ledger::store::Error),
    /// Both names are the same account.
    #[error("{0} cannot be merged into itself")]
    Itself(AccountRef),
    /// It is part of another account already.
    #[error("account {account} was merged into {into} before")]
    Merged {
        /// The account.
        account: AccountId,
        /// What it is part of.
        into: AccountId,
    },
    /// Its credits would escape a freeze.
    #[error("account {account} is frozen: {reason}")]
    Frozen {
        /// The account.
        account: AccountId,
        /// Why.
        reason: String,
    },
    /// Open holds pin its credits.
    #[error("{credits} credits of account {account} are held: it can be merged when its holds are closed")]
    Held {
        /// The account.
        account: AccountId,
        /// How many.
        credits: Credits,
    },
}

impl From<crate::db::Error> for Error {
    fn from(error: crate::db::Error) -> Self {
        Self::Site(error.into())
    }
}

/// A site that was taken from its account.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Released {
    /// The site.
    pub id: SiteId,
    /// Whose it was.
    pub account: AccountId,
    /// What stays in the site's compartment of that account.
    pub posted: Credits,
    /// What that compartment owed; the pool owes it now.
    pub debt: Credits,
}

/// Takes a site from its account. Its credits stay where they are; what it owes is the account's, and its
/// pool's from now, because no grant may ever come to that compartment again.
pub fn release_site(tx: &mut Tx<'_>, site: &SiteId) -> Result<Released, Error> {
    let account = site::store::unassign(tx, site)?;
    let debt = LockedAccount::lock(tx, &account)?.pool_debt(&Compartment::Site(site.clone()))?;
    let slices = open_slices(tx, &account, &View::Site { site: site.clone(), pool: false })?;
    let posted = slices.iter().map(|slice| slice.remaining).sum();
    Ok(Released { id: site.clone(), account, posted, debt })
}
