//! What is done to an account as a whole: merging it into another, claiming a guest's, erasing a person, what can be
//! set about it; handing one of its sites over; and what is done to its credits by hand.
//!
//! Credits and debts move only through [`LockedAccount`], so each of these acts is one that `verify` proves.
//! History is never rewritten: what was booked in an account stays in its chain, and a merged account stays
//! as an empty one that says what it is part of.

pub mod by_hand;
pub mod claim;
pub mod erase;
pub mod list;
pub mod merge;
pub mod settings;
pub mod spending;
pub mod store;
pub mod transfer;

use crate::db::Tx;
use crate::id::{AccountId, SiteId};
use crate::ledger::slice::{Compartment, own_slices};
use crate::ledger::{self, LockedAccount};
use crate::site::{self, AccountRef};
use crate::time::Timestamp;
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
    /// The name is one of several of an account, so that it may mean less than all of it.
    #[error("{}", not_alone(.name, .account, .others, *.merged_at))]
    NotAlone {
        /// The name.
        name: Box<AccountRef>,
        /// The account that has it now.
        account: AccountId,
        /// What else the account is known as.
        others: Vec<AccountRef>,
        /// When the name came to it with another account, if it did.
        merged_at: Option<Timestamp>,
    },
    /// Its credits would escape a freeze.
    #[error("account {account} is frozen: {reason}")]
    Frozen {
        /// The account.
        account: AccountId,
        /// Why.
        reason: String,
    },
    /// The site is the account's already.
    #[error("site {site} belongs to account {account} already")]
    AlreadyTheirs {
        /// The site.
        site: SiteId,
        /// Whose it is.
        account: AccountId,
    },
    /// Nobody can accept what is not offered.
    #[error("site {0} is not offered to anybody, or no longer")]
    NotOffered(SiteId),
    /// Open holds pin credits of a site.
    #[error("{credits} credits of site {site} are held, at the longest until {}", transfer::until(*.until))]
    SiteHeld {
        /// The site.
        site: SiteId,
        /// How many.
        credits: Credits,
        /// When all holds of now are closed, whatever becomes of them.
        until: Timestamp,
        /// How many seconds it is until then.
        wait_s: u32,
    },
    /// Open holds pin its credits.
    #[error(
        "{credits} credits of account {account} are held, at the longest until {}: it can be merged when its holds \
         are closed",
        transfer::until(*.until)
    )]
    Held {
        /// The account.
        account: AccountId,
        /// How many.
        credits: Credits,
        /// When all holds of now are closed, whatever becomes of them.
        until: Timestamp,
        /// How many seconds it is until then.
        wait_s: u32,
    },
}

fn not_alone(
    name: &AccountRef,
    account: &AccountId,
    others: &[AccountRef],
    merged_at: Option<Timestamp>,
) -> String {
    let others: Vec<String> = others.iter().map(ToString::to_string).collect();
    let others = others.join(", ");
    match merged_at {
        Some(at) => {
            let day = at.utc().format("%Y-%m-%d");
            format!("{name} was merged into {others} on {day}: both are account {account} now")
        }
        None => format!("{name} is account {account}, which is also {others}"),
    }
}

/// The account of this name, for an act on all of it that has no way back: one of several names of an account does
/// not say that all of it is meant, only its own id does.
///
/// # Errors
/// [`Error::NotAlone`], and when there is no such account.
pub(crate) fn resolve_whole(tx: &mut Tx<'_>, name: &AccountRef) -> Result<AccountId, Error> {
    let unknown = || Error::Site(site::store::Error::UnknownAccount(name.clone()));
    let id = site::store::known(tx, name)?;
    let AccountRef::Customer { store, key } = name else { return Ok(id) };
    let mut others = site::store::account(tx, &id)?.ok_or_else(unknown)?.names;
    others.retain(|other| other != name);
    if others.is_empty() {
        return Ok(id);
    }
    let merged_at = store::name_merged_at(tx, store, key)?;
    Err(Error::NotAlone { name: Box::new(name.clone()), account: id, others, merged_at })
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
    let slices = own_slices(tx, &account, &Compartment::Site(site.clone()))?;
    let posted = slices.iter().map(|slice| slice.remaining).sum();
    Ok(Released { id: site.clone(), account, posted, debt })
}
