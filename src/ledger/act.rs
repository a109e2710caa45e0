//! What can be done to an account's credits, and what came of it: the words of [`super::store`].

use super::hold::Hold;
use super::position::Position;
use super::slice::{Category, Compartment, Slice};
use crate::id::{AccountId, AgentId, DebitId, GrantId, HoldId, OperationId, ReversalId, SiteId};
use crate::time::{Timestamp, Validity};
use crate::units::Credits;

/// Where a grant comes from: the line of an order that was paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purchase {
    /// The store.
    pub store: i64,
    /// The order, which means something only with its store.
    pub order: i64,
    /// The line of the order.
    pub line: i64,
}

/// Credits to be added.
#[derive(Clone, Debug)]
pub struct NewGrant {
    /// Where they go.
    pub compartment: Compartment,
    /// How many.
    pub amount: Credits,
    /// What kind.
    pub category: Category,
    /// Where they stand in the burn-down order, if not where their category does.
    pub priority: Option<i64>,
    /// What the customer reads.
    pub label: String,
    /// Why, for the shop; never shown to customers.
    pub reason: Option<String>,
    /// From when they are good; now, unless said.
    pub effective_at: Option<Timestamp>,
    /// Until when.
    pub expiry: Expiry,
    /// What was paid for them.
    pub purchase: Option<Purchase>,
    /// What kind of line the customer reads.
    pub shown_as: Shown,
}

/// When credits expire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Counted from the day they become effective.
    After(Validity),
    /// At this instant.
    At(Timestamp),
}

/// A line's kind in the customer's activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, schemars::JsonSchema)]
#[schemars(rename = "ActivityKind", rename_all = "snake_case")]
pub enum Shown {
    /// Bought credits.
    TopUp,
    /// A plan's credits.
    Plan,
    /// Given credits.
    Bonus,
    /// Credits used.
    Usage,
    /// Credits taken back because their money went back.
    Refund,
    /// Credits whose time was over.
    Expired,
    /// A correction.
    Adjustment,
    /// Credits moved between the pool and a site.
    Moved,
}

impl Shown {
    /// The kind's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TopUp => "top_up",
            Self::Plan => "plan",
            Self::Bonus => "bonus",
            Self::Usage => "usage",
            Self::Refund => "refund",
            Self::Expired => "expired",
            Self::Adjustment => "adjustment",
            Self::Moved => "moved",
        }
    }

    /// How a grant of a category is shown.
    #[must_use]
    pub const fn grant(category: Category) -> Self {
        match category {
            Category::Paid => Self::TopUp,
            Category::Bonus => Self::Bonus,
            Category::Recurring => Self::Plan,
        }
    }
}

/// A grant that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// The grant.
    pub id: GrantId,
    /// From when it is good.
    pub effective_at: Timestamp,
    /// From when it is no longer good.
    pub expires_at: Option<Timestamp>,
    /// Where it stands in the burn-down order.
    pub priority: i64,
    /// What went to pay a debt of its compartment.
    pub repaid: Credits,
}

/// Credits to be spent.
#[derive(Clone, Debug)]
pub struct NewDebit {
    /// For which site.
    pub site: SiteId,
    /// Whether that site may use the account's pool.
    pub uses_pool: bool,
    /// By which of its assistants.
    pub agent: Option<AgentId>,
    /// For what, as the rate card names it.
    pub action: Option<String>,
    /// How its price came about, if the rate card made it.
    pub priced: Option<Priced>,
    /// What the customer reads; with a price of the rate card `{quantity}` in it stands for how much.
    pub label: String,
    /// How many.
    pub amount: Credits,
    /// The caller's own name for it.
    pub reference: Option<String>,
    /// When it happened, if not now.
    pub occurred_at: Option<Timestamp>,
    /// The caller's private record, as JSON; never shown.
    pub usage: Option<String>,
}

/// Credits to be set aside.
#[derive(Clone, Debug)]
pub struct NewHold {
    /// For what, as a debit would spend them.
    pub spending: NewDebit,
    /// The version of the action's rate by which a capture is priced, if the action has one.
    pub rate: Option<i64>,
    /// For how long, in seconds.
    pub lasts_s: i64,
}

/// Credits that were set aside, captured or released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The hold as it is now.
    pub hold: Hold,
    /// The wallet of its site afterwards.
    pub left: Left,
}

/// What is to be captured of a hold.
#[derive(Clone, Debug, Default)]
pub struct Capture {
    /// How many credits.
    pub amount: Credits,
    /// How much of the hold's action, if that made the price.
    pub quantity: Option<i64>,
    /// What the customer reads, if not what the hold says.
    pub label: Option<String>,
    /// The caller's own name for it.
    pub reference: Option<String>,
    /// When it happened, if not now.
    pub occurred_at: Option<Timestamp>,
    /// The caller's private record, as JSON; never shown.
    pub usage: Option<String>,
}

/// A debit that was undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reversed {
    /// The reversal.
    pub id: ReversalId,
    /// How many credits were given back.
    pub credits: Credits,
    /// What the debit had taken in all.
    pub of: Credits,
    /// What the debit had taken from each slice, in burn-down order.
    pub taken: Taken,
    /// The hold that the debit captured, if it did.
    pub hold: Option<HoldId>,
    /// The wallet of the debit's site afterwards.
    pub left: Left,
}

/// How a price came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Priced {
    /// How much of the action.
    pub quantity: i64,
    /// The version of the action's rate.
    pub version: i64,
}

/// A debit that was made, or a move: what each slice gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The grant and what came from it, in burn-down order.
    pub slices: Vec<(GrantId, Credits)>,
}

/// A debit that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Debited {
    /// The debit.
    pub id: DebitId,
    /// What each slice gave.
    pub taken: Taken,
    /// The wallet of its site afterwards.
    pub left: Left,
}

/// How the wallet of a site stands after an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// Its numbers.
    pub position: Position,
    /// Whether the account is frozen.
    pub frozen: bool,
    /// Whether anything can be spent for the site.
    pub can_spend: bool,
}

/// A slice on its way to another account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub(super) operation: OperationId,
    pub(super) from: AccountId,
    pub(super) slice: Slice,
}

impl Sent {
    /// Where it lay in the account it comes from.
    #[must_use]
    pub fn compartment(&self) -> &Compartment {
        &self.slice.compartment
    }

    /// How many credits.
    #[must_use]
    pub fn amount(&self) -> Credits {
        self.slice.remaining
    }
}

/// A debt on its way to another account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentDebt {
    pub(super) operation: OperationId,
    pub(super) from: AccountId,
    pub(super) compartment: Compartment,
    pub(super) amount: Credits,
}

impl SentDebt {
    /// Which compartment of the account it comes from owed it.
    #[must_use]
    pub fn compartment(&self) -> &Compartment {
        &self.compartment
    }

    /// How many credits.
    #[must_use]
    pub fn amount(&self) -> Credits {
        self.amount
    }
}

/// How an amount that was to be taken back came together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clawed {
    /// Taken from what was left of the purchase.
    pub taken: Credits,
    /// Held at present: taken as soon as it is released, a shortfall as soon as it is captured.
    pub due: Credits,
    /// Already spent.
    pub shortfall: Credits,
}

/// What becomes of credits that were spent before their money went back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shortfall {
    /// The compartment owes them; its next grant pays first.
    #[default]
    Debt,
    /// The shop bears it.
    WriteOff,
    /// The compartment owes them and the account is frozen.
    Freeze,
}

impl Shortfall {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debt => "debt",
            Self::WriteOff => "write_off",
            Self::Freeze => "freeze",
        }
    }

    /// The one called `text`, if there is one.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        [Self::Debt, Self::WriteOff, Self::Freeze].into_iter().find(|one| one.as_str() == text)
    }
}
