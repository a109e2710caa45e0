//! The grants behind a wallet, each with what became of it.
//!
//! Of every grant, at every moment, what was granted is what remains, is held, was spent (less what was
//! reversed), expired, was clawed back, voided, adjusted or repaid a debt. The numbers are the whole grant's, wherever its parts lie; `slices` are the parts the
//! wallet shows. What has passed its time counts as expired from that instant, booked or not.

use serde::Serialize;

use super::wallet::{Scope, SiteColumn, Wallet};
use super::{List, cursor, store};
use crate::db::{self, Tx};
use crate::id::GrantId;
use crate::ledger::slice::{Category, Compartment};
use crate::time::Timestamp;
use crate::units::Credits;

/// How a grant stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It can be spent from.
    Active,
    /// It can be spent from later.
    Upcoming,
    /// Its time was over before all of it was used.
    Expired,
    /// It waits for a decision about its order.
    Frozen,
    /// It was withdrawn.
    Voided,
    /// Nothing of it is left here.
    Spent,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Active, Self::Upcoming, Self::Expired, Self::Frozen, Self::Voided, Self::Spent];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Upcoming => "upcoming",
            Self::Expired => "expired",
            Self::Frozen => "frozen",
            Self::Voided => "voided",
            Self::Spent => "spent",
        }
    }

    /// The status called `text`, if there is one.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// A grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Grant {
    /// Its id.
    pub id: GrantId,
    /// How it stands.
    pub status: Status,
    /// What kind of credits.
    pub category: Category,
    /// Where it stands in the burn-down order; lower goes first.
    pub priority: i64,
    /// What the customer reads.
    pub label: String,
    /// Why it was made, for the shop only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was made.
    pub granted_at: Timestamp,
    /// From when it is good.
    pub effective_at: Timestamp,
    /// From when it is no longer good.
    pub expires_at: Option<Timestamp>,
    /// When it was withdrawn.
    pub voided_at: Option<Timestamp>,
    /// The order it was bought with.
    pub order: Option<String>,
    /// Its amount, as it was asked for.
    pub credits: Credits,
    /// Its amount, as the first of the numbers that follow.
    pub granted: Credits,
    /// What is left.
    pub remaining: Credits,
    /// What open holds have set aside.
    pub held: Credits,
    /// What was used.
    pub spent: Credits,
    /// What came back of that.
    pub reversed: Credits,
    /// What was lost because its time was over.
    pub expired: Credits,
    /// What was taken back because its money went back.
    pub clawed: Credits,
    /// What was withdrawn.
    pub voided: Credits,
    /// What was corrected away.
    pub adjusted: Credits,
    /// What paid a debt.
    pub repaid: Credits,
    /// The parts of it that this wallet shows.
    pub slices: Vec<Part>,
}

/// The part of a grant in one compartment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Where it lies.
    #[serde(skip)]
    pub compartment: Compartment,
    /// Whether it is for one site or for all.
    pub scope: Scope,
    /// For which site, where there can be more than one.
    #[serde(skip_serializing_if = "SiteColumn::is_left_out")]
    pub site: SiteColumn,
    /// What is left.
    pub remaining: Credits,
    /// What open holds have set aside.
    pub held: Credits,
}

/// The list's name in its cursors.
const LIST: &str = "grants";

/// How many grants are looked at in one go.
const BATCH_LENGTH: usize = 200;

/// Sorts after every grant's id in any collation: theirs go on with hexadecimal digits.
const NEWEST: &str = "gr_z";

/// Where a page begins: the grant that `cursor` follows, or the newest.
pub fn begin(cursor: Option<&str>) -> Result<Option<GrantId>, cursor::NotACursor> {
    cursor.map(|cursor| cursor::read(LIST, cursor)).transpose()
}

/// Up to `limit` grants made before `before`, newest first; reasons only for those who give them.
pub fn page(
    tx: &mut Tx<'_>,
    wallet: &Wallet,
    status: Option<Status>,
    with_reasons: bool,
    before: Option<&GrantId>,
    limit: usize,
) -> Result<List<Grant>, db::Error> {
    let mut items = Vec::new();
    let mut before = before.map_or(NEWEST, GrantId::as_str).to_owned();
    while items.len() <= limit {
        let batch = store::grants_before(tx, wallet, &before, BATCH_LENGTH)?;
        let Some(last) = batch.last() else { break };
        last.id.as_str().clone_into(&mut before);
        let seen = batch.into_iter().filter(|grant| !grant.slices.is_empty());
        items.extend(seen.filter(|grant| status.is_none_or(|status| grant.status == status)));
    }
    let more = items.len() > limit;
    items.truncate(limit);
    if !with_reasons {
        for grant in &mut items {
            grant.reason = None;
        }
    }
    let last = items.last().filter(|_| more);
    let next_cursor = last.map(|grant| cursor::write(LIST, grant.id.as_str()));
    Ok(List { items, next_cursor })
}

impl Grant {
    /// Counts what has passed its time by `now` as expired, and says how the grant stands.
    pub(super) fn settle(&mut self, frozen: bool, now: Timestamp) {
        let over = self.expires_at.is_some_and(|expires_at| expires_at <= now);
        if over && self.voided_at.is_none() {
            self.expired = [self.expired, self.remaining].into_iter().sum();
            self.remaining = Credits::ZERO;
            for part in &mut self.slices {
                part.remaining = Credits::ZERO;
            }
        }
        let left = self.slices.iter().any(|part| !part.remaining.is_zero() || !part.held.is_zero());
        self.status = if self.voided_at.is_some() {
            Status::Voided
        } else if over && !self.expired.is_zero() {
            Status::Expired
        } else if !left {
            Status::Spent
        } else if over {
            Status::Expired
        } else if frozen {
            Status::Frozen
        } else if now < self.effective_at {
            Status::Upcoming
        } else {
            Status::Active
        };
    }
}
