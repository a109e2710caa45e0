//! What each line of an order should have granted.
//!
//! Pure, and the only place that knows: [`decide`] sees the newest known state of an order and what its lines
//! are worth, and says for each line either an amount of credits, or that what was granted stays as it is.
//! Whoever posts the difference to what is booked needs to know nothing of statuses, discounts and refunds,
//! and a history of deliveries ends in the same books whatever way it came.
//!
//! All arithmetic is exact; the two roundings there are go down to a micro-credit, one for what a line grants
//! and one for what its refunds take back. An amount that does not fit sets its line aside.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::money::{self, Ratio};
use super::{DELETED, Line, Order, Refund, RefundLine};
use crate::catalog::worth::{Basis, Worth};
use crate::units::Credits;

/// What is known of a line beside what the order says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineFacts {
    /// Whether it is a Tokens line. `None`: not known.
    pub is_tokens: Option<bool>,
    /// What it is worth, as remembered from the first time it was known. `None`: not known.
    pub worth: Option<Worth>,
    /// Why something is not known, in words.
    pub reason: Option<String>,
}

/// What is known of an order beside what it says itself.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// What is known of its lines; a line that is not here is a line nothing is known of.
    pub facts: BTreeMap<i64, LineFacts>,
    /// Tokens lines the order once had and has no more.
    pub removed: BTreeSet<i64>,
    /// Whether the shop was asked, rather than that it told.
    pub is_confirmed: bool,
    /// Whether the shop can be asked of which lines its refunds are; then nobody needs to suppose it.
    pub can_ask: bool,
}

/// How a store counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Statuses that mean paid.
    pub paid_statuses: Vec<String>,
    /// Whether they do so only together with the date money came.
    pub require_date_paid: bool,
    /// What a discount does to the credits.
    pub discount: Discount,
    /// Whether a line that cost nothing grants.
    pub free_lines: bool,
    /// What becomes of the credits of an order that is trashed or deleted.
    pub on_delete: OnDelete,
}

/// What a discount does to the credits of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Discount {
    /// Nothing: a line grants what it would have granted at its full price.
    #[default]
    Full,
    /// They shrink by the same share as the price.
    Proportional,
}

/// What becomes of the credits of an order that is trashed or deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDelete {
    /// What was granted stays.
    #[default]
    Keep,
    /// It is taken back until the order is restored.
    ClawBack,
}

/// What an order's status means for its credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its lines grant what they are worth, less what was refunded.
    Paid,
    /// Its lines grant nothing: cancelled, failed, refunded, or gone and claimed back.
    Undone,
    /// Nothing new until it is decided; what was granted is frozen.
    Waiting,
    /// Nothing new until the date money came is there.
    WithoutDate,
    /// Gone from the shop; what was granted stays.
    Gone,
}

/// What is to become of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineDecision {
    /// The line.
    pub line_id: i64,
    /// What becomes of it.
    pub decision: Decision,
}

/// What is to become of the credits of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It has none and never had.
    NotTokens,
    /// A fact is missing; it is asked for and the line decided again. What was granted stays.
    Parked {
        /// Which fact, in words.
        reason: String,
    },
    /// It should have granted exactly this much by now.
    Target {
        /// This much.
        credits: Credits,
        /// What it was before refunds, for explanations; 0 for an order that is undone.
        gross: Credits,
    },
    /// Nothing new is granted and nothing taken back.
    Keep {
        /// Whether what was granted cannot be spent meanwhile.
        frozen: bool,
    },
    /// Nothing new is granted and nothing taken back until the shop is asked or a person has looked.
    Attention {
        /// Why, in words.
        reason: String,
    },
}

/// What `order`'s status means.
///
/// `refunded`, `cancelled` and `failed` undo an order whatever a store counts as paid.
#[must_use]
pub fn standing(order: &Order, settings: &Settings) -> Standing {
    match order.status.as_str() {
        "trash" | DELETED => match settings.on_delete {
            OnDelete::Keep => Standing::Gone,
            OnDelete::ClawBack => Standing::Undone,
        },
        "refunded" | "cancelled" | "failed" => Standing::Undone,
        status if settings.paid_statuses.iter().any(|paid| paid == status) => {
            if order.paid_at.is_some() || !settings.require_date_paid {
                Standing::Paid
            } else {
                Standing::WithoutDate
            }
        }
        _ => Standing::Waiting,
    }
}

/// What each line of `order` should have granted: its lines in their order, then the removed ones.
///
/// A missing fact parks a line only while the order is paid, because only then it stops anything. Whoever asks
/// for facts does well to ask as soon as [`LineFacts`] lack one.
#[must_use]
pub fn decide(order: &Order, known: &Known, settings: &Settings) -> Vec<LineDecision> {
    let standing = standing(order, settings);
    let refunds = Refunds::of(order, known);
    let lines = order.lines.iter().map(|line| LineDecision {
        line_id: line.id,
        decision: decide_line(order, line, known.facts.get(&line.id), standing, &refunds, settings),
    });
    let removed = known
        .removed
        .iter()
        .filter(|&&id| order.line(id).is_none())
        .map(|&line_id| LineDecision { line_id, decision: decide_removed(order, known, standing) });
    lines.chain(removed).collect()
}

/// Whether the shop is to be asked because an order without any line is more likely a fault than an edit.
#[must_use]
pub fn lost_all_lines(order: &Order, known: &Known) -> bool {
    order.lines.is_empty() && !known.removed.is_empty() && !known.is_confirmed
}

fn decide_line(
    order: &Order,
    line: &Line,
    facts: Option<&LineFacts>,
    standing: Standing,
    refunds: &Result<Refunds, NoRefunds>,
    settings: &Settings,
) -> Decision {
    let is_tokens = is_tokens(line, facts);
    if is_tokens == Some(false) {
        return Decision::NotTokens;
    }
    match standing {
        Standing::Undone => Decision::Target { credits: Credits::ZERO, gross: Credits::ZERO },
        Standing::Waiting => Decision::Keep { frozen: true },
        Standing::WithoutDate | Standing::Gone => Decision::Keep { frozen: false },
        Standing::Paid => {
            let known = facts.and_then(|facts| facts.worth.as_ref());
            let (Some(_), Some(worth)) = (is_tokens, known) else {
                return Decision::Parked { reason: what_is_missing(line, facts, is_tokens) };
            };
            let Some(gross) = gross(line, worth.basis, settings) else {
                return Decision::Parked { reason: too_large(line) };
            };
            match refunds {
                Ok(refunds) => match refunds.fraction(order, line).and_then(|part| less(gross, part)) {
                    Some(credits) => Decision::Target { credits, gross },
                    None => Decision::Parked { reason: too_large(line) },
                },
                Err(NoRefunds::Unsplit(reason)) => Decision::Attention { reason: reason.clone() },
                Err(NoRefunds::TooLarge) => Decision::Parked { reason: too_large(line) },
            }
        }
    }
}

/// A line that was removed should have granted nothing, as long as the order counts at all.
fn decide_removed(order: &Order, known: &Known, standing: Standing) -> Decision {
    match standing {
        Standing::Paid | Standing::Undone if lost_all_lines(order, known) => Decision::Attention {
            reason: format!(
                "order {} has no lines any more: it is read from the shop before credits are taken back",
                order.id
            ),
        },
        Standing::Paid | Standing::Undone => {
            Decision::Target { credits: Credits::ZERO, gross: Credits::ZERO }
        }
        Standing::Waiting => Decision::Keep { frozen: true },
        Standing::WithoutDate | Standing::Gone => Decision::Keep { frozen: false },
    }
}

/// A line with a promise on it is a Tokens line whatever its product is.
fn is_tokens(line: &Line, facts: Option<&LineFacts>) -> Option<bool> {
    if line.credits_promised.is_some() || line.promise_unreadable.is_some() {
        Some(true)
    } else {
        facts.and_then(|facts| facts.is_tokens)
    }
}

fn what_is_missing(line: &Line, facts: Option<&LineFacts>, is_tokens: Option<bool>) -> String {
    if let Some(text) = &line.promise_unreadable {
        return format!(
            "line {} promises {text:?} in _nivella_credits, which is not an amount of credits: correct it, or set a package",
            line.id
        );
    }
    match facts.and_then(|facts| facts.reason.clone()) {
        Some(reason) => reason,
        None if is_tokens.is_some() => format!("line {} is worth no known number of credits", line.id),
        None => format!("the product of line {} is not known", line.id),
    }
}

fn too_large(line: &Line) -> String {
    format!("the amounts of line {} are too large to count with", line.id)
}

/// What the line grants before refunds; `None` if that does not fit.
fn gross(line: &Line, basis: Basis, settings: &Settings) -> Option<Credits> {
    if is_free(line) && !settings.free_lines {
        return Some(Credits::ZERO);
    }
    let exact = match basis {
        Basis::PerCurrencyUnit(rate) => micro(rate).times(Ratio::of(line.total)?)?,
        Basis::PerUnit(credits) => {
            let full = micro(credits).times(Ratio::of(line.quantity)?)?;
            match settings.discount {
                Discount::Proportional if !line.subtotal.is_zero() => {
                    full.times(Ratio::of(line.total)?)?.over(Ratio::of(line.subtotal)?)?
                }
                Discount::Proportional | Discount::Full => full,
            }
        }
    };
    Credits::from_micro(i64::try_from(exact.floor().max(0)).ok()?)
}

/// What stays of `gross` when a `part` of it was refunded.
fn less(gross: Credits, part: Ratio) -> Option<Credits> {
    let refunded = micro(gross).times(part)?.floor();
    gross.checked_sub(Credits::from_micro(i64::try_from(refunded).ok()?)?)
}

fn micro(credits: Credits) -> Ratio {
    Ratio::whole(i128::from(credits.micro()))
}

/// Nothing was paid for it; a line below zero is no purchase either.
fn is_free(line: &Line) -> bool {
    line.total <= Decimal::ZERO
}

/// What was refunded, put where it belongs.
#[derive(Debug, Default)]
struct Refunds {
    /// Money without tax and quantity, by line of the order, removed ones too.
    by_line: BTreeMap<i64, (Decimal, Decimal)>,
    /// Money with tax that no line, shipping or fee accounts for.
    untied: Decimal,
}

/// Why it cannot be told what was refunded.
#[derive(Debug)]
enum NoRefunds {
    /// Nobody said of which lines; in words.
    Unsplit(String),
    /// The amounts do not fit.
    TooLarge,
}

impl Refunds {
    fn of(order: &Order, known: &Known) -> Result<Self, NoRefunds> {
        let details = match &order.refund_details {
            Some(details) => Ok(details),
            None if order.refunds.is_empty() => return Ok(Self::default()),
            None => Err(order.refunds[0].id),
        };
        let split = details.and_then(|details| Self::split(order, details));
        match split {
            Ok(split) => split.ok_or(NoRefunds::TooLarge),
            Err(_) if !known.can_ask && is_all_tokens(order, known) => {
                Self::all_untied(order).ok_or(NoRefunds::TooLarge)
            }
            Err(refund) => Err(NoRefunds::Unsplit(format!(
                "refund {refund} does not say which lines it is of: the order's refunds are to be read from the shop"
            ))),
        }
    }

    /// The refunds by line; `Err` names one whose parts are not known, `Ok(None)`: too large.
    fn split(order: &Order, details: &[Refund]) -> Result<Option<Self>, i64> {
        for refund in details {
            let of_a_line = |line: &RefundLine| {
                line.order_line_id.is_some() || (line.total.is_zero() && line.quantity.is_zero())
            };
            // Where the refund does not say, there can still be no shipping or fee in it: if the order has none,
            // or if the lines are all of the money.
            let other_is_known = || {
                let of_lines = refund.lines.iter().flat_map(|line| [line.total, line.total_tax]);
                refund.other.is_some()
                    || !order.has_shipping_or_fees()
                    || money::sum(of_lines) == Some(refund.amount)
            };
            if !refund.lines.iter().all(of_a_line) || !other_is_known() {
                return Err(refund.id);
            }
        }
        Ok(Self::add_up(details))
    }

    fn add_up(details: &[Refund]) -> Option<Self> {
        let mut refunds = Self::default();
        for refund in details {
            let mut tied = refund.other.unwrap_or_default();
            for line in &refund.lines {
                tied = money::sum([tied, line.total, line.total_tax])?;
                if let Some(id) = line.order_line_id {
                    let (money, quantity) = refunds.by_line.entry(id).or_default();
                    *money = money::plus(*money, line.total)?;
                    *quantity = money::plus(*quantity, line.quantity)?;
                }
            }
            let untied = money::plus(refund.amount, -tied)?.max(Decimal::ZERO);
            refunds.untied = money::plus(refunds.untied, untied)?;
        }
        Some(refunds)
    }

    /// Where nothing but Tokens lines was sold, all refunds are of those, in proportion.
    fn all_untied(order: &Order) -> Option<Self> {
        let amounts: Vec<Decimal> = match &order.refund_details {
            Some(details) => details.iter().map(|refund| refund.amount).collect(),
            None => order.refunds.iter().map(|refund| refund.amount).collect(),
        };
        Some(Self { by_line: BTreeMap::new(), untied: money::sum(amounts)? })
    }

    /// The share of `line` that was refunded, from nothing to all of it.
    fn fraction(&self, order: &Order, line: &Line) -> Option<Ratio> {
        let (money, quantity) = self.by_line.get(&line.id).copied().unwrap_or_default();
        let fraction = if is_free(line) {
            if line.quantity.is_zero() {
                return Some(Ratio::ZERO);
            }
            Ratio::of(quantity)?.over(Ratio::of(line.quantity)?)?
        } else {
            let of_line = Ratio::of(money)?.over(Ratio::of(line.total)?)?;
            let of_order = if self.untied.is_zero() {
                Ratio::ZERO
            } else if order.total <= Decimal::ZERO {
                // Edited down to nothing after money went back: there is nothing left that was paid.
                Ratio::ONE
            } else {
                Ratio::of(self.untied)?.over(Ratio::of(order.total)?)?
            };
            of_line.plus(of_order)?
        };
        Some(fraction.within_one())
    }
}

/// Whether refunds of this order can be of nothing but Tokens lines.
fn is_all_tokens(order: &Order, known: &Known) -> bool {
    !order.has_shipping_or_fees()
        && order.lines.iter().all(|line| is_tokens(line, known.facts.get(&line.id)) == Some(true))
}
