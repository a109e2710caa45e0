//! Entries: movements of credits from one place to another.

use crate::db::{self, FromColumn, Row};
use crate::id::{AccountId, GrantId, SiteId};
use crate::ledger::slice::Compartment;
use crate::time::Timestamp;
use crate::units::Credits;

/// Where credits can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the account, to be spent.
    Compartment(Compartment),
    /// In the account, set aside by a hold; what is not captured goes back to the compartment.
    Held(Compartment),
    /// Where granted credits come from, and voided ones go back to.
    Issuance,
    /// Where spent credits go.
    Revenue,
    /// Where expired credits go.
    Breakage,
    /// Where credits go whose money went back.
    Clawback,
    /// What a compartment owes.
    Debt(Compartment),
    /// Where corrections come from and go to.
    Adjustment,
    /// Another account: its chain has the other half of the movement.
    Account(AccountId),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let compartment = |f: &mut std::fmt::Formatter<'_>, compartment: &Compartment| match compartment {
            Compartment::Pool => f.write_str("pool"),
            Compartment::Site(site) => write!(f, "site:{site}"),
        };
        match self {
            Self::Compartment(at) => compartment(f, at),
            Self::Held(at) => {
                f.write_str("held:")?;
                compartment(f, at)
            }
            Self::Debt(at) => {
                f.write_str("debt:")?;
                compartment(f, at)
            }
            Self::Issuance => f.write_str("issuance"),
            Self::Revenue => f.write_str("revenue"),
            Self::Breakage => f.write_str("breakage"),
            Self::Clawback => f.write_str("clawback"),
            Self::Adjustment => f.write_str("adjustment"),
            Self::Account(account) => write!(f, "account:{account}"),
        }
    }
}

impl std::str::FromStr for Place {
    type Err = NotAPlace;

    fn from_str(text: &str) -> Result<Self, NotAPlace> {
        let compartment = |text: &str| match text.strip_prefix("site:") {
            Some(site) => site.parse::<SiteId>().ok().map(Compartment::Site),
            None => (text == "pool").then_some(Compartment::Pool),
        };
        match text {
            "issuance" => Ok(Self::Issuance),
            "revenue" => Ok(Self::Revenue),
            "breakage" => Ok(Self::Breakage),
            "clawback" => Ok(Self::Clawback),
            "adjustment" => Ok(Self::Adjustment),
            _ => match text.split_once(':') {
                Some(("debt", rest)) => compartment(rest).map(Self::Debt),
                Some(("held", rest)) => compartment(rest).map(Self::Held),
                Some(("account", id)) => id.parse().ok().map(Self::Account),
                _ => compartment(text).map(Self::Compartment),
            }
            .ok_or(NotAPlace),
        }
    }
}

/// Why a text is not a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a place credits can be")]
pub struct NotAPlace;

impl FromColumn for Place {
    fn from_column(row: &Row<'_>, column: usize) -> Result<Self, db::Error> {
        let text = String::from_column(row, column)?;
        text.parse().map_err(|_| db::Error::Column { column, found: text })
    }
}

/// Why credits moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Added: bought, given, or part of a plan.
    Granted,
    /// Set aside by a hold.
    Held,
    /// No longer set aside: the hold did not need them, or its time was over.
    Released,
    /// Used by the assistant.
    Spent,
    /// A debit was undone.
    Reversed,
    /// Their time was over.
    Expired,
    /// Their money went back.
    Clawed,
    /// Their money went back after they had been spent: the compartment owes them.
    Owed,
    /// Their money went back after they had been spent, and the shop bears it.
    WrittenOff,
    /// A debt was paid from a new grant.
    Repaid,
    /// The grant was withdrawn.
    Voided,
    /// Corrected by hand.
    Adjusted,
    /// Between compartments.
    Moved,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Granted,
        Self::Held,
        Self::Released,
        Self::Spent,
        Self::Reversed,
        Self::Expired,
        Self::Clawed,
        Self::Owed,
        Self::WrittenOff,
        Self::Repaid,
        Self::Voided,
        Self::Adjusted,
        Self::Moved,
    ];

    /// The kind's name, as it is stored and hashed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Held => "held",
            Self::Released => "released",
            Self::Spent => "spent",
            Self::Reversed => "reversed",
            Self::Expired => "expired",
            Self::Clawed => "clawed",
            Self::Owed => "owed",
            Self::WrittenOff => "written_off",
            Self::Repaid => "repaid",
            Self::Voided => "voided",
            Self::Adjusted => "adjusted",
            Self::Moved => "moved",
        }
    }
}

impl FromColumn for Kind {
    fn from_column(row: &Row<'_>, column: usize) -> Result<Self, db::Error> {
        let text = String::from_column(row, column)?;
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(db::Error::Column { column, found: text })
    }
}

/// A movement to be booked.
#[derive(Clone, Debug)]
pub struct Posting<'a> {
    /// The id of what moves the credits.
    pub operation: &'a str,
    /// Why.
    pub kind: Kind,
    /// The grant they belong to; `None` where a debt moves, which is of a compartment and not of a grant.
    pub grant: Option<&'a GrantId>,
    /// Where they come from.
    pub source: Place,
    /// Where they go.
    pub target: Place,
    /// How many; never zero.
    pub amount: Credits,
    /// When.
    pub booked_at: Timestamp,
}
