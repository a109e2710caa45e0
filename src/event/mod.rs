//! What happened that somebody outside wants to know: for now, that credits ran low.
//!
//! Events are written in the transaction of what caused them ([`store::add`]), are read in the order of their commits
//! ([`page`]), and are carried to the shops that want them ([`push`]). They name accounts and sites by their ids only:
//! names are looked up when somebody reads, so that those of erased customers are nowhere.

pub mod push;
pub mod store;

use serde::Serialize;

use crate::db::{self, Tx};
use crate::id::{AccountId, EventId};
use crate::ledger::alert::Depth;
use crate::ledger::slice::Compartment;
use crate::site::{AccountRef, WalletRef};
use crate::time::{DAY_MS, Timestamp};
use crate::units::Credits;

/// How long events are kept.
pub const KEPT_MS: i64 = 90 * DAY_MS;

/// What kind of event it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "EventType")]
pub enum Kind {
    /// A compartment reached the first alert level.
    #[serde(rename = "credits.low")]
    Low,
    /// A compartment reached the second.
    #[serde(rename = "credits.critical")]
    Critical,
    /// Nothing is left in a compartment.
    #[serde(rename = "credits.empty")]
    Empty,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Low, Self::Critical, Self::Empty];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "credits.low",
            Self::Critical => "credits.critical",
            Self::Empty => "credits.empty",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The level that was reached.
    #[must_use]
    pub const fn depth(self) -> Depth {
        match self {
            Self::Low => Depth::Low,
            Self::Critical => Depth::Critical,
            Self::Empty => Depth::Empty,
        }
    }
}

impl From<Depth> for Kind {
    fn from(depth: Depth) -> Self {
        match depth {
            Depth::Low => Self::Low,
            Depth::Critical => Self::Critical,
            Depth::Empty => Self::Empty,
        }
    }
}

/// An event as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its number in the order of commits.
    pub seq: i64,
    /// Its id.
    pub id: EventId,
    /// What happened.
    pub kind: Kind,
    /// When.
    pub at: Timestamp,
    /// To whom; an account that is part of another one now stays named.
    pub account: AccountId,
    /// Where.
    pub compartment: Compartment,
    /// The level, as it was configured.
    pub level: String,
    /// What could be spent of the compartment.
    pub available: Credits,
}

/// An event as it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Event {
    /// Its id; whoever hears of it twice knows it by that.
    pub id: EventId,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// When.
    pub at: Timestamp,
    /// To whom.
    pub account: Whom,
    /// Where: a site's own credits, or those that the account has for all its sites.
    #[schemars(with = "WalletRef")]
    pub wallet: String,
    /// The level that was reached, as it is configured.
    pub level: String,
    /// How these credits stand.
    pub status: Depth,
    /// How many of them can be spent.
    pub available: Credits,
    /// What customers call credits.
    pub unit: String,
}

/// An account as its shops know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "EventAccount")]
pub struct Whom {
    /// Its id.
    pub id: AccountId,
    /// What people call it.
    pub name: String,
    /// What its stores call it.
    pub names: Vec<AccountRef>,
}

/// A part of the list of events, the oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "EventPage")]
pub struct Page {
    /// The events.
    pub items: Vec<Event>,
    /// Where to go on from, also when nothing is new.
    pub cursor: String,
    /// Whether there are more already.
    pub more: bool,
}

/// Which events are wanted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only of this kind.
    pub kind: Option<Kind>,
    /// Only of this account, and of those that were merged into it.
    pub account: Option<AccountId>,
}

/// The name of the list in its cursors.
const LIST: &str = "events";

/// Reads a cursor.
///
/// # Errors
/// When the text is none.
pub fn cursor(text: &str) -> Result<i64, crate::feed::cursor::NotACursor> {
    crate::feed::cursor::read(LIST, text)
}

/// The events after the number `after`, at most `limit`.
///
/// Who goes on from the cursor of each page gets every event once: their numbers are in the order of their commits.
///
/// # Errors
/// When the database fails.
pub fn page(
    tx: &mut Tx<'_>,
    unit: &str,
    filter: &Filter,
    after: i64,
    limit: usize,
) -> Result<Page, db::Error> {
    let one_more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut found = store::list(tx, filter, after, one_more)?;
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().map_or(after, |event| event.seq);
    let items = found.into_iter().map(|event| event.told(tx, unit)).collect::<Result<_, _>>()?;
    Ok(Page { items, cursor: crate::feed::cursor::write(LIST, &last.to_string()), more })
}

impl Kept {
    /// As it is told: with the present names, of the account it is part of now.
    ///
    /// # Errors
    /// When the database fails.
    pub fn told(self, tx: &mut Tx<'_>, unit: &str) -> Result<Event, db::Error> {
        let id = crate::site::store::follow(tx, &self.account)?;
        let account = crate::site::store::account(tx, &id)?.ok_or(db::Error::NoRow)?;
        let wallet = match &self.compartment {
            Compartment::Pool => WalletRef::Account(id.clone().into()),
            Compartment::Site(site) => WalletRef::Site(site.clone()),
        };
        Ok(Event {
            id: self.id,
            kind: self.kind,
            at: self.at,
            account: Whom { id, name: account.name, names: account.names },
            wallet: wallet.to_string(),
            level: self.level,
            status: self.kind.depth(),
            available: self.available,
            unit: unit.to_owned(),
        })
    }
}
