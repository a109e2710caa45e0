//! Where a person sends an order's credits.
//!
//! What is unspent moves at once, lots kept, wherever it lies; what open holds have set aside stays. The decision
//! is remembered with the order and wins over what the order says, also for what it grants later, until the order
//! itself names another site or another customer than it did before: then it is followed again.
//!
//! A site is only given credits of its own account. To bring an order to somebody else's site both are said: the
//! account and the site.

use super::apply::{self, Applied, Change, Outcome, Rules};
use super::naming::{Naming, site_of};
use super::store::{self, Known, Lying};
use super::{Buyer, Order};
use crate::db::{self, Tx};
use crate::id::{AccountId, SiteId};
use crate::ledger::slice::Compartment;
use crate::shop::Store;
use crate::site;
use crate::site::{AccountRef, NaturalKey};
use crate::time::Timestamp;
use crate::units::Credits;

/// What a person decided about an order's credits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assigned {
    /// Where they go; `None`: where the order says.
    pub site: Option<Placed>,
    /// When somebody said whose they are; `None`: the buyer's whom the order names.
    pub account_at: Option<Timestamp>,
}

/// A place somebody chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The place.
    pub compartment: Compartment,
    /// When it was chosen.
    pub at: Timestamp,
}

impl Assigned {
    /// What is left of it once the order says `now` what it did not say `before`.
    #[must_use]
    pub(super) fn after(&self, before: &Order, now: &Order, site_keys: &[String]) -> Self {
        let buyer = now.buyer();
        let is_other_buyer = buyer != Buyer::Unknown && buyer != before.buyer();
        Self {
            site: self.site.clone().filter(|_| !names_another_site(before, now, site_keys)),
            account_at: self.account_at.filter(|_| !is_other_buyer),
        }
    }
}

/// Whether a line names another site than it did, or a new line one that none of the others named.
fn names_another_site(before: &Order, now: &Order, site_keys: &[String]) -> bool {
    now.lines.iter().any(|line| {
        let names = site_of(now, line, site_keys);
        if let Some(earlier) = before.line(line.id) {
            return site_of(before, earlier, site_keys) != names;
        }
        let was_named = |earlier| site_of(before, earlier, site_keys) == names;
        names != Naming::NotNamed && !before.lines.iter().any(was_named)
    })
}

/// What somebody wants to become of an order's credits; at least one of the two.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// Whose they shall be; opened by its natural key if it is new.
    pub account: Option<AccountRef>,
    /// Where they shall go.
    pub place: Option<Compartment>,
}

/// Why an order was not assigned. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The order was never heard of.
    #[error("store {store} never told of order {order}")]
    UnknownOrder {
        /// The store's name.
        store: String,
        /// The order.
        order: i64,
    },
    /// Nobody knows whose it is, so no site can be its account's.
    #[error("order {0} has no account yet: nothing was granted, and its buyer was never heard of before")]
    NoAccount(i64),
    /// The site belongs to somebody else, or to nobody.
    #[error("site {site} does not belong to the account of order {order}")]
    NotTheirs {
        /// The site.
        site: SiteId,
        /// The order.
        order: i64,
        /// The order's account.
        account: AccountId,
        /// Whose the site is.
        owner: Option<AccountId>,
    },
    /// The account cannot be found or opened.
    #[error(transparent)]
    Account(#[from] site::store::Error),
    /// The order cannot be applied.
    #[error(transparent)]
    Apply(#[from] apply::Error),
}

impl From<db::Error> for Error {
    fn from(error: db::Error) -> Self {
        Self::Apply(error.into())
    }
}

/// What assigning an order did.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Done {
    /// The store's name.
    pub store: String,
    /// The order.
    #[serde(serialize_with = "super::id_as_text")]
    pub order: i64,
    /// Whose it is.
    pub account: Option<AccountId>,
    /// Where a person sent it: `pool`, a site's id, or nothing if it goes where the order says.
    pub place: Option<String>,
    /// Unspent credits that moved.
    pub moved: Credits,
    /// What open holds keep elsewhere; what comes back of it comes back there.
    pub held_elsewhere: Credits,
    /// What applying the order did besides.
    pub result: Outcome,
    /// Where its credits lie now.
    pub places: Vec<Lying>,
    /// What it still waits for.
    pub parked: Option<String>,
    /// What a person should still look at.
    pub attention: Option<String>,
}

/// Sends an order's credits where `wish` says, and remembers that.
///
/// # Errors
/// [`Error`]; nothing is written then.
pub fn assign(
    tx: &mut Tx<'_>,
    shop: &Store,
    rules: &Rules,
    order: i64,
    wish: &Wish,
    operation: &str,
) -> Result<Done, Error> {
    let unknown = || Error::UnknownOrder { store: shop.name.to_string(), order };
    let known = store::find(tx, shop.id, order)?.ok_or_else(unknown)?;
    let account = wish.account.as_ref().map(|account| site::store::open(tx, account)).transpose()?;
    if let Some(Compartment::Site(site)) = &wish.place {
        let theirs = match account.clone().or_else(|| known.account.clone()) {
            Some(account) => account,
            None => expected_buyer(tx, shop, &known.order)?.ok_or(Error::NoAccount(order))?,
        };
        let owner = site::store::owner(tx, site)?;
        if owner.as_ref() != Some(&theirs) {
            return Err(Error::NotTheirs { site: site.clone(), order, account: theirs, owner });
        }
    }
    let before = store::lying(tx, shop.id, order)?;
    let now = tx.now();
    let state = known.order.clone();
    let mut next = Known { parked: None, attention: None, ..known };
    if let Some(to) = account {
        match next.account.clone() {
            Some(from) if from != to => {
                apply::hand_over(tx, shop, &state, &from, &to)?;
                next.assigned.site = None;
            }
            _ => {}
        }
        next.account = Some(to);
        next.assigned.account_at = next.assigned.account_at.or(Some(now));
    }
    if let Some(place) = &wish.place {
        let same = next.assigned.site.take().filter(|placed| placed.compartment == *place);
        next.assigned.site = same.or_else(|| Some(Placed { compartment: place.clone(), at: now }));
    }
    let change = Change { before: Some(&state), assigns: true };
    let Applied { outcome, .. } = apply::post(tx, shop, rules, &next, change, operation)?;
    let after = store::find(tx, shop.id, order)?.ok_or_else(unknown)?;
    let places = store::lying(tx, shop.id, order)?;
    let place = after.assigned.site.map(|placed| placed.compartment);
    Ok(Done {
        store: shop.name.to_string(),
        order,
        moved: moved(&before, &places),
        held_elsewhere: held_elsewhere(&places, after.account.as_ref(), place.as_ref()),
        account: after.account,
        place: place.map(|place| place.site().map_or_else(|| "pool".to_owned(), ToString::to_string)),
        result: outcome,
        places,
        parked: after.parked,
        attention: after.attention,
    })
}

/// The account of the buyer whom the order names, if it was opened before.
fn expected_buyer(tx: &mut Tx<'_>, shop: &Store, order: &Order) -> Result<Option<AccountId>, db::Error> {
    match order.buyer().natural_key().and_then(|key| key.parse::<NaturalKey>().ok()) {
        Some(key) => site::store::resolve(tx, &AccountRef::Customer { store: shop.name.to_string(), key }),
        None => Ok(None),
    }
}

/// What lies somewhere now and did not before, of grants that were there before.
fn moved(before: &[Lying], after: &[Lying]) -> Credits {
    let was = |now: &Lying| {
        let there = before.iter().find(|was| was.is_at(now));
        there.map_or(Credits::ZERO, |was| was.remaining)
    };
    let old = |now: &&Lying| before.iter().any(|was| was.grant == now.grant);
    after.iter().filter(old).map(|now| now.remaining.saturating_sub(was(now))).sum()
}

/// What open holds keep in another account, or in another place than the one that was chosen.
fn held_elsewhere(places: &[Lying], account: Option<&AccountId>, place: Option<&Compartment>) -> Credits {
    let is_elsewhere = |lying: &&Lying| {
        Some(&lying.account) != account || place.is_some_and(|place| place.site() != lying.site.as_ref())
    };
    places.iter().filter(is_elsewhere).map(|lying| lying.held).sum()
}
