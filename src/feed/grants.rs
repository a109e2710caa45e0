//! The grants behind a wallet, each with what became of it.
//!
//! Of every grant, at every moment, what was granted is what remains, is held, was spent (less what was
//! reversed), expired, was clawed back, voided, adjusted or repaid a debt. A wallet tells what of the grant is its
//! account's, wherever in it that lies: what went to another account with a site or an order is told there. The
//! list of all wallets tells whole grants. `slices` are the parts the wallet shows. What has passed its time counts as expired from that instant, booked or not.

use serde::Serialize;

use super::wallet::{Scope, SiteColumn, Wallet};
use super::{List, cursor, store};
use crate::db::{self, Tx};
use crate::id::{AccountId, GrantId};
use crate::ledger::entry::Place;
use crate::ledger::slice::{Category, Compartment};
use crate::site::WalletRef;
use crate::time::Timestamp;
use crate::units::Credits;

/// How a grant stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "GrantStatus")]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
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
    /// Why it was withdrawn, for the shop only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub void_reason: Option<String>,
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "GrantSlice")]
pub struct Part {
    /// In which account it lies, where there can be more than one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
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
    let mut list =
        pages(status, before, limit, |before| store::grants_before(tx, wallet, before, BATCH_LENGTH))?;
    if !with_reasons {
        for grant in &mut list.items {
            (grant.reason, grant.void_reason) = (None, None);
        }
    }
    Ok(list)
}

/// Up to `limit` grants of those that `read` answers, batch by batch; a batch without any is the last.
fn pages(
    status: Option<Status>,
    before: Option<&GrantId>,
    limit: usize,
    mut read: impl FnMut(&str) -> Result<Vec<Grant>, db::Error>,
) -> Result<List<Grant>, db::Error> {
    let mut items = Vec::new();
    let mut before = before.map_or(NEWEST, GrantId::as_str).to_owned();
    while items.len() <= limit {
        let batch = read(&before)?;
        let Some(last) = batch.last() else { break };
        last.id.as_str().clone_into(&mut before);
        let seen = batch.into_iter().filter(|grant| !grant.slices.is_empty());
        items.extend(seen.filter(|grant| status.is_none_or(|status| grant.status == status)));
    }
    let more = items.len() > limit;
    items.truncate(limit);
    let last = items.last().filter(|_| more);
    let next_cursor = last.map(|grant| cursor::write(LIST, grant.id.as_str()));
    Ok(List { items, next_cursor })
}

/// A grant among those of all wallets: for those who may see every one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "ListedGrant")]
pub struct Listed {
    /// The wallet it was made for; an account by its id, and its pool is meant.
    pub wallet: WalletRef,
    /// The account it was made for.
    pub account: AccountId,
    /// The grant.
    #[serde(flatten)]
    pub grant: Grant,
}

impl Listed {
    fn of(tx: &mut Tx<'_>, grant: Grant) -> Result<Self, db::Error> {
        let (account, place) = store::made_at(tx, &grant.id)?;
        let wallet = match place {
            Place::Compartment(Compartment::Site(site)) => WalletRef::Site(site),
            _ => WalletRef::Account(account.clone().into()),
        };
        Ok(Self { wallet, account, grant })
    }
}

/// Up to `limit` grants of all wallets, or of one, made before `before`, newest first.
pub fn list(
    tx: &mut Tx<'_>,
    wallet: Option<&Wallet>,
    status: Option<Status>,
    before: Option<&GrantId>,
    limit: usize,
) -> Result<List<Listed>, db::Error> {
    let List { items, next_cursor } = match wallet {
        Some(wallet) => page(tx, wallet, status, true, before, limit)?,
        None => pages(status, before, limit, |before| store::all_grants_before(tx, before, BATCH_LENGTH))?,
    };
    let mut listed = Vec::with_capacity(items.len());
    for grant in items {
        listed.push(Listed::of(tx, grant)?);
    }
    Ok(List { items: listed, next_cursor })
}

/// The grant, if there is one.
pub fn get(tx: &mut Tx<'_>, id: &GrantId) -> Result<Option<Listed>, db::Error> {
    // No other id lies between this one and itself with a letter more.
    let found = store::all_grants_before(tx, &format!("{id}z"), 1)?;
    let found = found.into_iter().find(|grant| grant.id == *id);
    found.map(|grant| Listed::of(tx, grant)).transpose()
}

impl Grant {
    /// What of it is there, or was not spent but is gone all the same.
    pub(super) fn gone_unspent(&self) -> Credits {
        let parts =
            [self.remaining, self.held, self.expired, self.clawed, self.voided, self.adjusted, self.repaid];
        parts.into_iter().sum()
    }

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
