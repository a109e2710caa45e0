//! What surrounds a wallet and seldom changes: whose it is, what people set, what its shops sell.
//!
//! It is the most of what a wallet's answers are made of and the least of what debits change, so it is kept in memory
//! while nobody has written any of it. What debits change is read each time.

use super::store;
use super::wallet::Shows;
use crate::catalog::{self, PackageForSale};
use crate::db::{self, Tx};
use crate::id::AccountId;
use crate::ledger::limit::{Pause, Said};
use crate::ledger::plan::Subscription;
use crate::ledger::slice::Compartment;
use crate::ledger::store::{brake, limit, plan};
use crate::units::Credits;

/// How many packages a page offers.
const PACKAGES_MAX: usize = 24;

/// All of it, as it was at one instant.
#[derive(Clone, Debug)]
pub struct Around {
    pub(super) account: AccountId,
    pub(super) shows: Shows,
    /// The accounts that were merged into this one.
    pub(super) merged: Vec<AccountId>,
    /// The account's plans, also those that were stopped, the next due first.
    pub(super) plans: Vec<Subscription>,
    /// What each compartment of the account owes.
    pub(super) debt: Vec<(Compartment, Credits)>,
    /// What is set about the spending of its site; nothing for a wallet of more than one.
    pub(super) site: Option<OfSite>,
    /// What can be bought, the least first.
    pub(super) packages: Vec<PackageForSale>,
    /// The page of the account's own shop that lists it.
    pub(super) category_url: Option<String>,
}

/// What is set about the spending of a site.
#[derive(Clone, Debug)]
pub(super) struct OfSite {
    pub(super) pause: Option<Pause>,
    pub(super) policy: Said,
}

impl Around {
    /// The account.
    #[must_use]
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    pub(super) fn read(tx: &mut Tx<'_>, account: &AccountId, shows: Shows) -> Result<Self, db::Error> {
        let site = match &shows {
            Shows::Site { site, .. } => Some(OfSite {
                pause: brake::pause(tx, account, site)?,
                policy: limit::said(tx, account, site, None)?,
            }),
            Shows::Account | Shows::Client { .. } => None,
        };
        Ok(Self {
            merged: store::merged(tx, account)?,
            plans: plan::subscriptions(tx, account)?,
            debt: store::debt(tx, account)?,
            site,
            packages: packages(tx, account)?,
            category_url: store::tokens_category_url(tx, account)?,
            account: account.clone(),
            shows,
        })
    }
}

/// What the account's shops sell that brings a known number of credits, the least first.
fn packages(tx: &mut Tx<'_>, account: &AccountId) -> Result<Vec<PackageForSale>, db::Error> {
    let mut packages = Vec::new();
    for shop in store::shops(tx, account)? {
        packages.extend(catalog::store::packages_for_sale(tx, shop)?);
    }
    packages.sort_by_key(|package| (package.credits, package.product_id));
    packages.truncate(PACKAGES_MAX);
    Ok(packages)
}
