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
use crate::schema;
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
    /// How its target was reached; nothing where there was nothing to count.
    pub working: Option<Working>,
}

/// How the target of a line was reached, for people to follow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Working {
    /// What the gross was counted from.
    pub count: Count,
    /// What the line grants before refunds.
    pub gross: Credits,
    /// The refunds that took part of it, in their order.
    pub refunds: Vec<Share>,
    /// What the parts of the refunds are parts of.
    pub of: Whole,
    /// What they took together, at most the gross.
    pub refunded: Credits,
    /// The gross less that.
    pub target: Credits,
}

/// What the gross of a line was counted from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Count {
    /// It cost nothing, so it grants nothing.
    Free,
    /// `credits × quantity`.
    PerUnit {
        /// What one of it brings.
        credits: Credits,
        /// How many were bought.
        #[serde(with = "money::as_text")]
        #[schemars(with = "schema::Number")]
        quantity: Decimal,
        /// The share that was paid of the price, where a discount shrinks the credits.
        discount: Option<Discounted>,
    },
    /// `rate × total`.
    PerCurrencyUnit {
        /// What each unit of currency brings.
        rate: Credits,
        /// What was paid without tax.
        #[serde(with = "money::as_text")]
        #[schemars(with = "schema::Number")]
        total: Decimal,
    },
}

/// The share of a price that was paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Discounted {
    /// What was paid.
    #[serde(with = "money::as_text")]
    #[schemars(with = "schema::Number")]
    pub total: Decimal,
    /// The price before the discount.
    #[serde(with = "money::as_text")]
    #[schemars(with = "schema::Number")]
    pub subtotal: Decimal,
}

/// What one refund took of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "RefundShare")]
pub struct Share {
    /// The refund's id.
    #[serde(serialize_with = "super::id_as_text")]
    #[schemars(with = "schema::OrderId")]
    pub refund: i64,
    /// The line's money that went back, without tax.
    #[serde(with = "money::as_text")]
    #[schemars(with = "schema::Number")]
    pub money: Decimal,
    /// How many of it came back; decides only where nothing was paid.
    #[serde(with = "money::as_text")]
    #[schemars(with = "schema::Number")]
    pub quantity: Decimal,
    /// Money with tax that no line, shipping or fee accounts for: it is of the whole order.
    #[serde(with = "money::as_text")]
    #[schemars(with = "schema::Number")]
    pub untied: Decimal,
}

/// What the parts of refunds are parts of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Whole {
    /// The line's total without tax.
    #[serde(with = "money::as_text")]
    #[schemars(with = "schema::Number")]
    pub line_total: Decimal,
    /// The line's quantity.
    #[serde(with = "money::as_text")]
    #[schemars(with = "schema::Number")]
    pub line_quantity: Decimal,
    /// The order's total with tax.
    #[serde(with = "money::as_text")]
    #[schemars(with = "schema::Number")]
    pub order_total: Decimal,
    /// Whether the quantity decides, because nothing was paid for the line.
    pub by_quantity: bool,
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

impl Decision {
    /// Whether it should have granted anything.
    #[must_use]
    pub fn grants(&self) -> bool {
        matches!(self, Self::Target { credits, .. } if !credits.is_zero())
    }
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
    let lines = order.lines.iter().map(|line| {
        let facts = known.facts.get(&line.id);
        match decide_line(order, line, facts, standing, &refunds, settings) {
            Ok(working) => {
                let decision = Decision::Target { credits: working.target, gross: working.gross };
                LineDecision { line_id: line.id, decision, working: Some(working) }
            }
            Err(decision) => LineDecision { line_id: line.id, decision, working: None },
        }
    });
    let removed = known.removed.iter().filter(|&&id| order.line(id).is_none()).map(|&line_id| {
        let decision = decide_removed(order, known, standing);
        LineDecision { line_id, decision, working: None }
    });
    lines.chain(removed).collect()
}

/// Whether the shop is to be asked because an order without any line is more likely a fault than an edit.
#[must_use]
pub fn lost_all_lines(order: &Order, known: &Known) -> bool {
    order.lines.is_empty() && !known.removed.is_empty() && !known.is_confirmed
}

/// The working of a line's target; `Err`: what becomes of it where there is nothing to count.
fn decide_line(
    order: &Order,
    line: &Line,
    facts: Option<&LineFacts>,
    standing: Standing,
    refunds: &Result<Refunds, NoRefunds>,
    settings: &Settings,
) -> Result<Working, Decision> {
    let is_tokens = is_tokens(line, facts);
    if is_tokens == Some(false) {
        return Err(Decision::NotTokens);
    }
    match standing {
        Standing::Undone => Err(Decision::Target { credits: Credits::ZERO, gross: Credits::ZERO }),
        Standing::Waiting => Err(Decision::Keep { frozen: true }),
        Standing::WithoutDate | Standing::Gone => Err(Decision::Keep { frozen: false }),
        Standing::Paid => {
            let known = facts.and_then(|facts| facts.worth.as_ref());
            let (Some(_), Some(worth)) = (is_tokens, known) else {
                return Err(Decision::Parked { reason: what_is_missing(line, facts, is_tokens) });
            };
            let too_large = || Decision::Parked { reason: too_large(line) };
            let (count, gross) = gross(line, worth.basis, settings).ok_or_else(too_large)?;
            match refunds {
                Ok(refunds) => work(order, line, count, gross, refunds).ok_or_else(too_large),
                Err(NoRefunds::Unsplit(reason)) => Err(Decision::Attention { reason: reason.clone() }),
                Err(NoRefunds::TooLarge) => Err(too_large()),
            }
        }
    }
}

/// Takes from the gross of a line what was refunded of it; `None` if that does not fit.
fn work(order: &Order, line: &Line, count: Count, gross: Credits, refunds: &Refunds) -> Option<Working> {
    let refunded = part_of(gross, refunds.fraction(order, line)?)?;
    Some(Working {
        count,
        gross,
        refunds: refunds.shares(line),
        of: Whole {
            line_total: line.total,
            line_quantity: line.quantity,
            order_total: order.total,
            by_quantity: is_free(line),
        },
        refunded,
        target: gross.checked_sub(refunded)?,
    })
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

/// What the line grants before refunds, and from what that was counted; `None` if it does not fit.
fn gross(line: &Line, basis: Basis, settings: &Settings) -> Option<(Count, Credits)> {
    if is_free(line) && !settings.free_lines {
        return Some((Count::Free, Credits::ZERO));
    }
    let (count, exact) = match basis {
        Basis::PerCurrencyUnit(rate) => {
            let count = Count::PerCurrencyUnit { rate, total: line.total };
            (count, micro(rate).times(Ratio::of(line.total)?)?)
        }
        Basis::PerUnit(credits) => {
            let full = micro(credits).times(Ratio::of(line.quantity)?)?;
            let (discount, exact) = match settings.discount {
                Discount::Proportional if !line.subtotal.is_zero() => {
                    let Line { total, subtotal, .. } = *line;
                    let exact = full.times(Ratio::of(total)?)?.over(Ratio::of(subtotal)?)?;
                    (Some(Discounted { total, subtotal }), exact)
                }
                Discount::Proportional | Discount::Full => (None, full),
            };
            (Count::PerUnit { credits, quantity: line.quantity, discount }, exact)
        }
    };
    Some((count, Credits::from_micro(i64::try_from(exact.floor().max(0)).ok()?)?))
}

/// So many of the `gross` credits is `part` of them.
fn part_of(gross: Credits, part: Ratio) -> Option<Credits> {
    Credits::from_micro(i64::try_from(micro(gross).times(part)?.floor()).ok()?)
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
    /// The same, refund by refund.
    each: Vec<One>,
}

/// What one refund gives back.
#[derive(Debug, Default)]
struct One {
    id: i64,
    by_line: BTreeMap<i64, (Decimal, Decimal)>,
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
            let mut one = One { id: refund.id, ..One::default() };
            let mut tied = refund.other.unwrap_or_default();
            for line in &refund.lines {
                tied = money::sum([tied, line.total, line.total_tax])?;
                if let Some(id) = line.order_line_id {
                    for (money, quantity) in
                        [refunds.by_line.entry(id).or_default(), one.by_line.entry(id).or_default()]
                    {
                        *money = money::plus(*money, line.total)?;
                        *quantity = money::plus(*quantity, line.quantity)?;
                    }
                }
            }
            one.untied = money::plus(refund.amount, -tied)?.max(Decimal::ZERO);
            refunds.untied = money::plus(refunds.untied, one.untied)?;
            refunds.each.push(one);
        }
        Some(refunds)
    }

    /// Where nothing but Tokens lines was sold, all refunds are of those, in proportion.
    fn all_untied(order: &Order) -> Option<Self> {
        let of = |id, untied| One { id, untied, ..One::default() };
        let each: Vec<One> = match &order.refund_details {
            Some(details) => details.iter().map(|refund| of(refund.id, refund.amount)).collect(),
            None => order.refunds.iter().map(|refund| of(refund.id, refund.amount)).collect(),
        };
        let untied = money::sum(each.iter().map(|one| one.untied))?;
        Some(Self { by_line: BTreeMap::new(), untied, each })
    }

    /// What each refund took of `line`, as far as it took anything.
    fn shares(&self, line: &Line) -> Vec<Share> {
        let shares = self.each.iter().map(|one| {
            let (money, quantity) = one.by_line.get(&line.id).copied().unwrap_or_default();
            let untied = if is_free(line) { Decimal::ZERO } else { one.untied };
            Share { refund: one.id, money, quantity, untied }
        });
        let mut shares: Vec<Share> = shares
            .filter(|share| !share.money.is_zero() || !share.quantity.is_zero() || !share.untied.is_zero())
            .collect();
        shares.sort_by_key(|share| share.refund);
        shares
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
