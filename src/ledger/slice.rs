//! Slices: the part of a grant in one compartment, and how they are read.

use serde::Serialize;

use crate::db::{self, FromColumn, Row, Tx};
use crate::id::{AccountId, GrantId, SiteId};
use crate::ledger::store::{hold, settle};
use crate::ledger::unsettled::Unsettled;
use crate::params;
use crate::time::Timestamp;
use crate::units::Credits;

/// Where credits lie inside an account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compartment {
    /// For all sites of the account.
    Pool,
    /// For one site only.
    Site(SiteId),
}

impl Compartment {
    /// The compartment's name in a `site` column: the site's id, or nothing for the pool.
    #[must_use]
    pub fn column(&self) -> &str {
        match self {
            Self::Pool => "",
            Self::Site(site) => site.as_str(),
        }
    }

    /// The site, unless this is the pool.
    #[must_use]
    pub fn site(&self) -> Option<&SiteId> {
        match self {
            Self::Pool => None,
            Self::Site(site) => Some(site),
        }
    }
}

impl From<Option<SiteId>> for Compartment {
    fn from(site: Option<SiteId>) -> Self {
        site.map_or(Self::Pool, Self::Site)
    }
}

impl FromColumn for Compartment {
    fn from_column(row: &Row<'_>, column: usize) -> Result<Self, db::Error> {
        let text = String::from_column(row, column)?;
        if text.is_empty() {
            return Ok(Self::Pool);
        }
        text.parse().map(Self::Site).map_err(|_| db::Error::Column { column, found: text })
    }
}

/// What kind of credits a grant brought.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    serde::Deserialize,
    clap::ValueEnum,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    /// Bought.
    Paid,
    /// Given.
    Bonus,
    /// Part of a plan, for one period.
    Recurring,
}

impl Category {
    /// The category's name, as it is written everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Bonus => "bonus",
            Self::Recurring => "recurring",
        }
    }

    /// Where such credits stand in the burn-down order unless their grant says otherwise.
    #[must_use]
    pub const fn priority(self) -> i64 {
        match self {
            Self::Recurring => 10,
            Self::Bonus => 20,
            Self::Paid => 30,
        }
    }
}

impl std::fmt::Display for Category {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Category {
    type Err = NotACategory;

    fn from_str(text: &str) -> Result<Self, NotACategory> {
        match text {
            "paid" => Ok(Self::Paid),
            "bonus" => Ok(Self::Bonus),
            "recurring" => Ok(Self::Recurring),
            _ => Err(NotACategory(text.chars().take(64).collect())),
        }
    }
}

/// Why a text is not a category.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a category of credits: write paid, bonus or recurring")]
pub struct NotACategory(String);

impl FromColumn for Category {
    fn from_column(row: &Row<'_>, column: usize) -> Result<Self, db::Error> {
        let text = String::from_column(row, column)?;
        text.parse().map_err(|_| db::Error::Column { column, found: text })
    }
}

/// A slice together with what its grant says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// The grant it is part of.
    pub grant: GrantId,
    /// The grant's number in its account.
    pub grant_seq: i64,
    /// Where it lies.
    pub compartment: Compartment,
    /// What kind of credits.
    pub category: Category,
    /// Where it stands in the burn-down order; lower goes first.
    pub priority: i64,
    /// What the customer reads.
    pub label: String,
    /// The whole grant's amount.
    pub grant_amount: Credits,
    /// What can still be spent or held.
    pub remaining: Credits,
    /// What open holds have set aside.
    pub held: Credits,
    /// From when it is good.
    pub effective_at: Timestamp,
    /// From when it is no longer good.
    pub expires_at: Option<Timestamp>,
    /// Whether it waits for a decision about its order.
    pub frozen: bool,
    /// Whether its grant was voided.
    pub voided: bool,
    /// The order it was bought with.
    pub order: Option<i64>,
}

impl Slice {
    /// Whether its credits can be spent at `now`.
    #[must_use]
    pub fn is_spendable(&self, now: Timestamp) -> bool {
        !self.frozen
            && !self.voided
            && self.effective_at <= now
            && self.expires_at.is_none_or(|expires_at| now < expires_at)
    }
}

/// Whose slices a wallet shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum View {
    /// A site's own, and the pool's while `pool` is on.
    Site {
        /// The site.
        site: SiteId,
        /// Whether it may use the pool of its account.
        pool: bool,
    },
    /// All of the account's.
    Account,
}

/// The slices of the account that lie in `compartment` itself, without those it may use of the pool.
pub fn own_slices(
    tx: &mut Tx<'_>,
    account: &AccountId,
    compartment: &Compartment,
) -> Result<Vec<Slice>, db::Error> {
    let view = match compartment {
        Compartment::Pool => View::Account,
        Compartment::Site(site) => View::Site { site: site.clone(), pool: false },
    };
    let mut slices = open_slices(tx, account, &view)?;
    slices.retain(|slice| slice.compartment == *compartment);
    Ok(slices)
}

/// The account's slices that still hold anything, in grant order. What holds had set aside whose time is over is
/// no longer held, whether that is booked or not.
pub fn open_slices(tx: &mut Tx<'_>, account: &AccountId, view: &View) -> Result<Vec<Slice>, db::Error> {
    let unsettled = settle::unsettled(tx, account)?;
    open_slices_less(tx, account, view, &unsettled)
}

/// [`open_slices`] of an account of which it is known what is unsettled.
pub(super) fn open_slices_less(
    tx: &mut Tx<'_>,
    account: &AccountId,
    view: &View,
    unsettled: &Unsettled,
) -> Result<Vec<Slice>, db::Error> {
    let mut slices = settled_slices(tx, account, view)?;
    release_overdue(tx, account, &mut slices)?;
    less_unsettled(&mut slices, unsettled);
    Ok(slices)
}

/// [`open_slices`] as they are booked, settled or not.
pub(super) fn written_slices(
    tx: &mut Tx<'_>,
    account: &AccountId,
    view: &View,
) -> Result<Vec<Slice>, db::Error> {
    let mut slices = settled_slices(tx, account, view)?;
    less_unsettled(&mut slices, &settle::unsettled(tx, account)?);
    Ok(slices)
}

/// Takes from `slices` what is unsettled, and leaves those that still hold anything.
pub fn less_unsettled(slices: &mut Vec<Slice>, unsettled: &Unsettled) {
    if unsettled.is_empty() {
        return;
    }
    for slice in &mut *slices {
        let taken = unsettled.taken_from(&slice.grant, &slice.compartment);
        slice.remaining = slice.remaining.saturating_sub(taken);
    }
    slices.retain(|slice| !slice.remaining.is_zero() || !slice.held.is_zero());
}

/// Gives back to `slices` what holds had set aside whose time is over.
pub fn release_overdue(
    tx: &mut Tx<'_>,
    account: &AccountId,
    slices: &mut Vec<Slice>,
) -> Result<(), db::Error> {
    if slices.iter().all(|slice| slice.held.is_zero()) {
        return Ok(());
    }
    let now = tx.now();
    for over in hold::overdue(tx, account, now)? {
        let is_of = |slice: &&mut Slice| slice.grant == over.grant && slice.compartment == over.compartment;
        if let Some(slice) = slices.iter_mut().find(is_of) {
            slice.held = slice.held.saturating_sub(over.credits);
            slice.remaining = [slice.remaining, over.back()].into_iter().sum();
        }
    }
    slices.retain(|slice| !slice.remaining.is_zero() || !slice.held.is_zero());
    Ok(())
}

/// [`written_slices`] without what is unsettled.
pub fn settled_slices(tx: &mut Tx<'_>, account: &AccountId, view: &View) -> Result<Vec<Slice>, db::Error> {
    let read = |row: &Row<'_>| {
        Ok(Slice {
            grant: row.get(0)?,
            grant_seq: row.get(1)?,
            compartment: row.get(2)?,
            category: row.get(3)?,
            priority: row.get(4)?,
            label: row.get(5)?,
            grant_amount: row.get(6)?,
            remaining: row.get(7)?,
            held: row.get(8)?,
            effective_at: row.get(9)?,
            expires_at: row.get(10)?,
            frozen: row.get(11)?,
            voided: row.get::<Option<Timestamp>>(12)?.is_some(),
            order: row.get(13)?,
        })
    };
    let mut slices: Vec<Slice> = match view {
        View::Account => tx.query(
            "-- ledger::slice::settled_slices (account)
             SELECT g.id, g.seq, s.site, g.category, g.priority, g.label, g.amount, s.remaining, s.held,
                    g.effective_at, g.expires_at, g.frozen, g.voided_at, g.order_id
             FROM slice s JOIN credit_grant g ON g.id = s.grant_id
             WHERE s.account_id = $1 AND (s.remaining > 0 OR s.held > 0)",
            params![account],
            read,
        ),
        // The pool's site is '': for a site that may not use it the list holds the site twice.
        View::Site { site, pool } => tx.query(
            "-- ledger::slice::settled_slices (site)
             SELECT g.id, g.seq, s.site, g.category, g.priority, g.label, g.amount, s.remaining, s.held,
                    g.effective_at, g.expires_at, g.frozen, g.voided_at, g.order_id
             FROM slice s JOIN credit_grant g ON g.id = s.grant_id
             WHERE s.account_id = $1 AND s.site IN ($2, $3) AND (s.remaining > 0 OR s.held > 0)",
            params![account, site, if *pool { "" } else { site.as_str() }],
            read,
        ),
    }?;
    // A few rows are sorted here in less time than SQLite takes to begin.
    slices.sort_unstable_by(|one, other| {
        let by_grant = one.grant_seq.cmp(&other.grant_seq).then_with(|| one.grant.cmp(&other.grant));
        by_grant.then_with(|| one.compartment.column().cmp(other.compartment.column()))
    });
    Ok(slices)
}
