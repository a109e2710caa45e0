//! What a refund would take back, before anybody makes it.
//!
//! Nothing is worked out here: the order is applied as it would be with one more refund, and all of that is taken back
//! again. So what is foretold is what will happen, as long as nothing else happens before.

use rust_decimal::Decimal;
use serde::Serialize;

use super::apply::{self, Rules, Source};
use super::newer::Seen;
use super::store::{self, GrantOf};
use super::{Order, Refund, RefundLine, RefundRef, money, words};
use crate::db::{self, Tx};
use crate::ledger::entry::Kind;
use crate::ledger::store::Shortfall;
use crate::shop::Store;
use crate::units::Credits;

/// A refund that somebody thinks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The money that would go back, with tax.
    pub amount: Decimal,
    /// What would go back of each line.
    pub lines: Vec<RefundLine>,
    /// The shipping and fees in it, with tax.
    pub other: Decimal,
}

/// What a refund would take back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "RefundPreview")]
pub struct Preview {
    /// What the order has granted, less what was taken back.
    pub granted: Credits,
    /// What was used of it.
    pub used: Credits,
    /// What is left of it, held or not.
    pub left: Credits,
    /// What the refund would take back, now or when open holds end.
    pub takes_back: Credits,
    /// What it could not take back, because it was used.
    pub shortfall: Credits,
    /// Who bears that: `debt`, `write_off` or `freeze`.
    pub shortfall_policy: &'static str,
    /// The same of each line that sells credits.
    pub lines: Vec<LinePreview>,
    /// Why nothing can be foretold of a line: what it waits for, or what a person should look at.
    pub attention: Option<String>,
    /// All of that in a sentence.
    pub summary: String,
}

/// What a refund would take back of one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "RefundPreviewLine")]
pub struct LinePreview {
    /// The line's id in the shop.
    pub line: i64,
    /// What was bought.
    pub name: String,
    /// What it has granted, less what was taken back.
    pub granted: Credits,
    /// What was used of it.
    pub used: Credits,
    /// What is left of it, held or not.
    pub left: Credits,
    /// What the refund would take back of it.
    pub takes_back: Credits,
    /// What it could not take back.
    pub shortfall: Credits,
}

/// Why nothing is foretold.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The order was never heard of.
    #[error("there is no such order")]
    UnknownOrder,
    /// The order has no such line.
    #[error("order {order} has no line {line}")]
    UnknownLine {
        /// The order.
        order: i64,
        /// The line.
        line: i64,
        /// Its place in the refund.
        index: usize,
    },
    /// More money than is left of the order.
    #[error("only {left} of the order was not refunded yet")]
    TooMuch {
        /// What is left.
        left: Decimal,
    },
    /// The parts are more than the whole.
    #[error("the lines, shipping and fees come to {parts}, which is more than the amount")]
    PartsExceed {
        /// What they come to.
        parts: Decimal,
    },
    /// The order cannot be applied.
    #[error(transparent)]
    Apply(#[from] apply::Error),
}

impl From<db::Error> for Error {
    fn from(error: db::Error) -> Self {
        Self::Apply(error.into())
    }
}

/// Stands in the ledger as the cause of what is taken back again at once.
const OPERATION: &str = "preview";

/// Works out what the refund would take back. Nothing is written.
///
/// # Errors
/// [`Error`].
pub fn preview(
    tx: &mut Tx<'_>,
    shop: &Store,
    rules: &Rules,
    order: i64,
    wanted: &Wanted,
) -> Result<Preview, Error> {
    let known = store::find(tx, shop.id, order)?.ok_or(Error::UnknownOrder)?;
    let next = with_refund(&known.order, wanted)?;
    let currency = known.order.currency;
    let foretold: Result<std::convert::Infallible, Undone> = tx.attempt(|tx| {
        let before = (store::lines(tx, shop.id, order)?, store::grants(tx, shop.id, order)?);
        let seen = Seen::Told { arrival: i64::MAX - 1, at: tx.now() };
        apply::apply(tx, shop, rules, next, Source { operation: OPERATION, seen })
            .map_err(|error| Undone::Failed(error.into()))?;
        let after = store::lines(tx, shop.id, order)?;
        let missing = store::moved_by(tx, shop.id, order, OPERATION, [Kind::Owed, Kind::WrittenOff])?;
        let waits = store::find(tx, shop.id, order)?.and_then(|known| known.parked.or(known.attention));
        let mut lines = Vec::new();
        for line in before.0.iter().filter(|line| line.is_tokens == Some(true)) {
            let sums = Sums::of(before.1.iter().filter(|grant| grant.line == line.line));
            let missing = missing.get(&line.line).copied().unwrap_or(Credits::ZERO);
            let now = after.iter().find(|now| now.line == line.line).map_or(line.booked, |now| now.booked);
            let undone = line.booked.saturating_sub(now);
            // What the shop bears stays booked; what is owed does not.
            let takes_back = match rules.shortfall {
                Shortfall::WriteOff => undone,
                Shortfall::Debt | Shortfall::Freeze => undone.saturating_sub(missing),
            };
            lines.push(LinePreview {
                line: line.line,
                name: line.name.clone(),
                granted: sums.granted,
                used: sums.used,
                left: sums.left,
                takes_back,
                shortfall: missing,
            });
        }
        Err(Undone::Foretold(Box::new((lines, waits))))
    });
    let (lines, attention) = match foretold {
        Err(Undone::Foretold(foretold)) => *foretold,
        Err(Undone::Failed(error)) => return Err(error),
        Ok(never) => match never {},
    };
    let sum = |of: fn(&LinePreview) -> Credits| lines.iter().map(of).sum::<Credits>();
    let mut preview = Preview {
        granted: sum(|line| line.granted),
        used: sum(|line| line.used),
        left: sum(|line| line.left),
        takes_back: sum(|line| line.takes_back),
        shortfall: sum(|line| line.shortfall),
        shortfall_policy: rules.shortfall.as_str(),
        summary: String::new(),
        attention,
        lines,
    };
    preview.summary = preview.in_words(wanted.amount, &currency);
    Ok(preview)
}

/// Everything was taken back, and why.
enum Undone {
    Foretold(Box<(Vec<LinePreview>, Option<String>)>),
    Failed(Error),
}

impl From<db::Error> for Undone {
    fn from(error: db::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// What became of some grants, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    /// What they brought, less what was taken back.
    pub(super) granted: Credits,
    /// What was used of that; what paid a debt was used before.
    pub(super) used: Credits,
    /// What is left of it, held or not.
    pub(super) left: Credits,
}

impl Sums {
    pub(super) fn of<'a>(grants: impl Iterator<Item = &'a GrantOf>) -> Self {
        grants.fold(Self::default(), |sums, grant| Self {
            granted: [sums.granted, grant.credits.saturating_sub(grant.clawed)].into_iter().sum(),
            used: [sums.used, grant.spent, grant.repaid].into_iter().sum(),
            left: [sums.left, grant.remaining].into_iter().sum(),
        })
    }
}

impl Preview {
    fn in_words(&self, amount: Decimal, currency: &str) -> String {
        let [granted, used, takes_back, shortfall] =
            [self.granted, self.used, self.takes_back, self.shortfall].map(words::grouped);
        let refunding = format!("{amount:.2} {currency}");
        let refunding = refunding.trim();
        format!(
            "{granted} credits, {used} used; refunding {refunding} takes back {takes_back}, shortfall {shortfall}"
        )
    }
}

/// The order as the shop will tell of it after that refund.
fn with_refund(order: &Order, wanted: &Wanted) -> Result<Order, Error> {
    for (index, line) in wanted.lines.iter().enumerate() {
        if let Some(id) = line.order_line_id.filter(|id| order.line(*id).is_none()) {
            return Err(Error::UnknownLine { order: order.id, line: id, index });
        }
    }
    let too_large = || Error::TooMuch { left: Decimal::ZERO };
    let of_lines = wanted.lines.iter().flat_map(|line| [line.total, line.total_tax]);
    let parts = money::sum(of_lines.chain([wanted.other])).ok_or_else(too_large)?;
    if parts > wanted.amount {
        return Err(Error::PartsExceed { parts });
    }
    let refunded = money::sum(order.refunds.iter().map(|refund| refund.amount)).ok_or_else(too_large)?;
    let left = money::plus(order.total, -refunded).ok_or_else(too_large)?;
    if wanted.amount > left {
        return Err(Error::TooMuch { left: left.max(Decimal::ZERO) });
    }
    let mut next = order.clone();
    let id = order.refunds.iter().map(|refund| refund.id).max().unwrap_or(0).saturating_add(1);
    next.refunds.push(RefundRef { id, amount: wanted.amount });
    // Where nobody knows of which lines the earlier ones were, nobody knows all.
    next.refund_details = match next.refund_details.take() {
        None if !order.refunds.is_empty() => None,
        details => {
            let mut details = details.unwrap_or_default();
            let (lines, other) = (wanted.lines.clone(), Some(wanted.other));
            details.push(Refund { id, amount: wanted.amount, lines, other });
            Some(details)
        }
    };
    // WooCommerce does so itself, unless something on the order was free.
    if wanted.amount == left && order.lines.iter().all(|line| !line.total.is_zero()) {
        "refunded".clone_into(&mut next.status);
    }
    next.modified_at = order.modified_at.plus_millis(1000);
    next.told_at = None;
    Ok(next)
}
