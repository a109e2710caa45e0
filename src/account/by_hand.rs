//! What a person does to somebody's credits: give, withdraw, correct, move.
//!
//! The command line and the API do these through here, so that both mean the same. Each is all or nothing. A
//! frozen account refuses none of them: it is people who freeze.

use serde::Serialize;

use super::store::{self, Holders};
use crate::db::{self, Tx};
use crate::id::{AccountId, GrantId, SiteId};
use crate::ledger::position::Position;
use crate::ledger::slice::{Category, Compartment, own_slices};
use crate::ledger::store::{Expiry, NewGrant, Shown, Taken};
use crate::ledger::{self, LockedAccount};
use crate::site::{self, AccountRef, WalletRef};
use crate::time::{Timestamp, Validity};
use crate::units::{Credits, Delta};

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The names say nothing, or something else.
    #[error(transparent)]
    Site(#[from] site::store::Error),
    /// The ledger refused.
    #[error(transparent)]
    Ledger(#[from] ledger::store::Error),
    /// The credits would be over before they begin.
    #[error("{0} is in the past: nobody could spend these credits")]
    Past(Timestamp),
    /// The change is larger than any amount.
    #[error("{0} is too much")]
    TooMuch(Delta),
    /// There is no such grant.
    #[error("there is no grant {0}")]
    UnknownGrant(GrantId),
}

impl From<db::Error> for Error {
    fn from(error: db::Error) -> Self {
        Self::Ledger(error.into())
    }
}

/// A grant that was made, and where that leaves its compartment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "GrantMade")]
pub struct Given {
    /// Its id.
    pub id: GrantId,
    /// Whose credits they are; an account by its id.
    pub wallet: WalletRef,
    /// The account.
    pub account: AccountId,
    /// How many.
    pub credits: Credits,
    /// What kind.
    pub category: Category,
    /// Where they stand in the burn-down order.
    pub priority: i64,
    /// What the customer reads.
    pub label: String,
    /// Why, for the shop.
    pub reason: String,
    /// From when they are good.
    pub effective_at: Timestamp,
    /// Until when.
    pub expires_at: Option<Timestamp>,
    /// What went to pay a debt.
    pub repaid: Credits,
    /// What the compartment itself has available now.
    pub available: Credits,
}

/// A balance that was corrected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Adjustment")]
pub struct Adjusted {
    /// What the entries call it: the new grant, or an operation.
    pub id: String,
    /// Whose balance; an account by its id, which is its pool.
    pub wallet: WalletRef,
    /// The account.
    pub account: AccountId,
    /// By how many.
    pub credits: Delta,
    /// Why, for the shop.
    pub reason: String,
    /// What each grant gave, or the new one got.
    pub slices: Vec<Part>,
    /// What the compartment itself has available now.
    pub available: Credits,
}

/// Credits that moved between the pool and a site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Allocation")]
pub struct Moved {
    /// The account.
    pub account: AccountId,
    /// Its site.
    pub site: SiteId,
    /// How many the site has more, or less if negative.
    pub credits: Delta,
    /// What moved of each grant.
    pub slices: Vec<Part>,
    /// What the site's own compartment has available now.
    pub available: Credits,
}

/// What was taken of one grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "MovedSlice")]
pub struct Part {
    /// The grant.
    pub grant: GrantId,
    /// How many credits.
    pub credits: Credits,
}

/// What of a grant was withdrawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Voided {
    /// The grant.
    pub id: GrantId,
    /// What was withdrawn now; nothing the second time.
    pub credits: Credits,
    /// Whether it was withdrawn before.
    pub before: bool,
    /// Where it was withdrawn: one grant can lie in several accounts, when a site or an order changed hands.
    pub places: Vec<Withdrawn>,
}

/// What was withdrawn of a grant in one compartment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Withdrawn {
    /// The account.
    pub account: AccountId,
    /// What people call it.
    pub name: String,
    /// The site; nothing for the account's pool.
    pub site: Option<SiteId>,
    /// What was withdrawn.
    pub credits: Credits,
    /// What open holds keep, and is good for them.
    pub held: Credits,
}

/// Gives credits to a wallet, whose account is opened if it is new; where they go is what `wallet` says.
///
/// # Errors
/// [`Error::Past`] for credits that nobody could spend.
pub fn grant(tx: &mut Tx<'_>, wallet: WalletRef, mut new: NewGrant) -> Result<Given, Error> {
    let (account, compartment) = site::store::open_wallet(tx, &wallet)?;
    new.compartment = compartment;
    let granted = LockedAccount::lock(tx, &account)?.grant(&new)?;
    let begins = granted.effective_at.max(tx.now());
    if let Some(over) = granted.expires_at.filter(|expires_at| *expires_at <= begins) {
        return Err(Error::Past(over));
    }
    Ok(Given {
        id: granted.id,
        available: available(tx, &account, &new.compartment)?,
        wallet: by_id(wallet, &account),
        account,
        credits: new.amount,
        category: new.category,
        priority: granted.priority,
        label: new.label,
        reason: new.reason.unwrap_or_default(),
        effective_at: granted.effective_at,
        expires_at: granted.expires_at,
        repaid: granted.repaid,
    })
}

/// Withdraws what is left of a grant, in whatever accounts and compartments it lies.
///
/// # Errors
/// [`Error::UnknownGrant`].
pub fn void(tx: &mut Tx<'_>, grant: &GrantId, reason: &str) -> Result<Voided, Error> {
    let Some(Holders { made_for, accounts, voided_at }) = store::holders(tx, grant)? else {
        return Err(Error::UnknownGrant(grant.clone()));
    };
    if voided_at.is_some() {
        let places = Vec::new();
        return Ok(Voided { id: grant.clone(), credits: Credits::ZERO, before: true, places });
    }
    // In one order, as whenever several accounts are locked; of a grant that is used up its own account.
    let accounts = if accounts.is_empty() { vec![site::store::follow(tx, &made_for)?] } else { accounts };
    let mut places = Vec::with_capacity(accounts.len());
    for account in accounts {
        let gone = LockedAccount::lock(tx, &account)?.void(grant, reason)?;
        let name = site::store::account(tx, &account)?.map_or_else(String::new, |account| account.name);
        places.extend(gone.into_iter().map(|(compartment, credits, held)| Withdrawn {
            account: account.clone(),
            name: name.clone(),
            site: compartment.site().cloned(),
            credits,
            held,
        }));
    }
    let credits = places.iter().map(|place| place.credits).sum();
    Ok(Voided { id: grant.clone(), credits, before: false, places })
}

/// Corrects a balance: an increase is a bonus grant that never expires, a decrease is taken from the compartment's
/// own credits in burn-down order.
///
/// # Errors
/// [`ledger::store::Error::InsufficientCredits`] when the compartment has less.
pub fn adjust(tx: &mut Tx<'_>, wallet: WalletRef, change: Delta, reason: &str) -> Result<Adjusted, Error> {
    let amount = change.size().ok_or(Error::TooMuch(change))?;
    let (account, compartment) = site::store::open_wallet(tx, &wallet)?;
    let mut locked = LockedAccount::lock(tx, &account)?;
    let (id, slices) = if change.is_negative() {
        let (operation, taken) = locked.take_out(&compartment, amount, reason)?;
        (operation.to_string(), parts(taken))
    } else {
        let granted = locked.grant(&NewGrant {
            compartment: compartment.clone(),
            amount,
            category: Category::Bonus,
            priority: None,
            label: "Balance adjusted".to_owned(),
            reason: Some(reason.to_owned()),
            effective_at: None,
            expiry: Expiry::After(Validity::Never),
            purchase: None,
            shown_as: Shown::Adjustment,
        })?;
        (granted.id.to_string(), vec![Part { grant: granted.id, credits: amount }])
    };
    let available = available(tx, &account, &compartment)?;
    let wallet = by_id(wallet, &account);
    Ok(Adjusted { id, wallet, account, credits: change, reason: reason.to_owned(), slices, available })
}

/// Moves credits from an account's pool to one of its sites.
///
/// # Errors
/// [`site::store::Error::OwnedByOther`], [`ledger::store::Error::InsufficientCredits`].
pub fn allocate(
    tx: &mut Tx<'_>,
    account: &AccountRef,
    site: SiteId,
    amount: Credits,
) -> Result<Moved, Error> {
    let account = site::store::current(tx, account)?;
    let owner = site::store::owned(tx, &site)?;
    if owner != account {
        return Err(site::store::Error::OwnedByOther { site, owner }.into());
    }
    let target = Compartment::Site(site.clone());
    let taken = LockedAccount::lock(tx, &account)?.relocate(&Compartment::Pool, &target, amount)?;
    let available = available(tx, &account, &target)?;
    Ok(Moved { account, site, credits: Delta::plus(amount), slices: parts(taken), available })
}

/// Moves credits from a site back to its account's pool: `amount`, or all there are. With `account` also from a
/// site that is no longer that account's but where it has credits left.
///
/// # Errors
/// [`site::store::Error::OwnedByOther`] when the site is somebody else's and none of it is this account's,
/// [`ledger::store::Error::InsufficientCredits`].
pub fn reclaim(
    tx: &mut Tx<'_>,
    site: SiteId,
    amount: Option<Credits>,
    account: Option<&AccountRef>,
) -> Result<Moved, Error> {
    let account = match account {
        Some(account) => site::store::current(tx, account)?,
        None => site::store::owned(tx, &site)?,
    };
    let source = Compartment::Site(site.clone());
    // Locking books what has expired, so that what is counted is what can be moved.
    LockedAccount::lock(tx, &account)?;
    let own = available(tx, &account, &source)?;
    if own.is_zero() && amount.is_some() {
        let known =
            site::store::get(tx, &site)?.ok_or_else(|| site::store::Error::UnknownSite(site.clone()))?;
        if let Some(owner) = known.account.map(|owner| owner.id).filter(|owner| *owner != account) {
            return Err(site::store::Error::OwnedByOther { site, owner }.into());
        }
    }
    let amount = amount.unwrap_or(own);
    let slices = if amount.is_zero() {
        Vec::new()
    } else {
        parts(LockedAccount::lock(tx, &account)?.relocate(&source, &Compartment::Pool, amount)?)
    };
    let available = available(tx, &account, &source)?;
    Ok(Moved { account, site, credits: Delta::minus(amount), slices, available })
}

fn parts(taken: Taken) -> Vec<Part> {
    taken.slices.into_iter().map(|(grant, credits)| Part { grant, credits }).collect()
}

/// What a compartment itself has, without what it may use of the pool.
fn available(tx: &mut Tx<'_>, account: &AccountId, compartment: &Compartment) -> Result<Credits, db::Error> {
    let now = tx.now();
    Ok(Position::of(&own_slices(tx, account, compartment)?, now).available)
}

/// The wallet as answers name it: an account by its id.
fn by_id(wallet: WalletRef, account: &AccountId) -> WalletRef {
    match wallet {
        WalletRef::Site(_) => wallet,
        WalletRef::Account(_) => WalletRef::Account(account.clone().into()),
    }
}
