//! An order's numbers in plain words.
//!
//! Nothing is counted or read here: what is told was worked out by [`target`](super::target) and booked by the ledger.

use rust_decimal::Decimal;

use super::store::Moved;
use super::target::{Count, Share, Standing, Whole, Working};
use crate::catalog::worth::{Basis, Worth};
use crate::ledger::entry::{Kind, Place};
use crate::ledger::slice::Compartment;
use crate::time::{Timestamp, Validity};
use crate::units::Credits;

/// What an order's standing means for its credits.
#[must_use]
pub const fn meaning(standing: Standing) -> &'static str {
    match standing {
        Standing::Paid => "paid: its Tokens lines grant what they are worth, less what was refunded",
        Standing::Undone => "undone: what it granted is taken back",
        Standing::Waiting => "undecided: nothing new is granted, and what was granted is frozen",
        Standing::WithoutDate => "not paid yet: the shop has no date of payment (orders.require_date_paid)",
        Standing::Gone => "gone from the shop: what it granted stays, nothing new is granted",
    }
}

/// Credits as people read many of them: `1,250.5`.
#[must_use]
pub fn grouped(credits: Credits) -> String {
    let text = credits.to_string();
    let (whole, fraction) =
        text.split_once('.').map_or((text.as_str(), None), |(whole, part)| (whole, Some(part)));
    let mut grouped = String::with_capacity(text.len() + whole.len() / 3);
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if let Some(fraction) = fraction {
        grouped.push('.');
        grouped.push_str(fraction);
    }
    grouped
}

/// What a line is worth, and who said so.
#[must_use]
pub fn worth(worth: &Worth, from: Option<&str>) -> String {
    let amount = match &worth.basis {
        Basis::PerUnit(credits) => format!("{} each", credits.in_words()),
        Basis::PerCurrencyUnit(rate) => format!("{rate} credits for each unit of currency paid"),
    };
    let terms = format!("{amount}, {}, {}", worth.category, validity_in_words(worth.validity));
    match from.map(|from| from.split_once(' ').unwrap_or((from, ""))) {
        Some(("promise", _)) => format!("{terms}; promised on the order at the sale"),
        Some(("package", target)) => format!("{terms}; by the package of {target}"),
        Some(("product", id)) => format!("{terms}; by the field of product {id} in the shop"),
        _ => terms,
    }
}

/// How long credits are good, in words that follow them: `never expire`, `good for 30 days`.
#[must_use]
pub fn validity_in_words(validity: Validity) -> String {
    let good_for =
        |number: u32, unit: &str| format!("good for {number} {unit}{}", if number == 1 { "" } else { "s" });
    match validity {
        Validity::Never => "never expire".to_owned(),
        Validity::Cycle => "good until the month ends".to_owned(),
        Validity::Days(days) => good_for(days, "day"),
        Validity::Months(months) if months % 12 == 0 => good_for(months / 12, "year"),
        Validity::Months(months) => good_for(months, "month"),
    }
}

/// The arithmetic of a line, for people to follow:
/// `3 × 1000 = 3000; refund 134 took 10.00 of 30.00: 1000; should be 2000; booked 2000`.
#[must_use]
pub fn arithmetic(working: &Working, booked: Credits) -> String {
    let gross = working.gross;
    let mut steps = vec![match &working.count {
        Count::Free => "it cost nothing, so it grants 0 (orders.free_lines)".to_owned(),
        Count::PerUnit { credits, quantity, discount: None } => {
            format!("{} × {credits} = {gross}", quantity.normalize())
        }
        Count::PerUnit { credits, quantity, discount: Some(paid) } => format!(
            "{} × {credits} × {} ÷ {} = {gross} (orders.discount = proportional)",
            quantity.normalize(),
            paid.total,
            paid.subtotal
        ),
        Count::PerCurrencyUnit { rate, total } => format!("{total} × {rate} = {gross}"),
    }];
    if !working.refunds.is_empty() {
        let took: Vec<String> = working.refunds.iter().map(|share| taken(share, &working.of)).collect();
        steps.push(format!("{}: {}", took.join(", "), working.refunded));
    }
    steps.push(format!("should be {}", working.target));
    steps.push(format!("booked {booked}"));
    steps.join("; ")
}

/// What one refund took of a line.
fn taken(share: &Share, of: &Whole) -> String {
    let refund = share.refund;
    if of.by_quantity {
        return format!(
            "refund {refund} took {} of {}",
            share.quantity.normalize(),
            of.line_quantity.normalize()
        );
    }
    let of_line = format!("{} of {}", like(share.money, of.line_total), of.line_total);
    let of_order = format!(
        "{} of the order's {} that no line accounts for",
        like(share.untied, of.order_total),
        of.order_total
    );
    let is = |amount: Decimal| !amount.is_zero();
    match (is(share.money), is(share.untied)) {
        (true, true) => format!("refund {refund} took {of_line} and {of_order}"),
        (false, true) => format!("refund {refund} took {of_order}"),
        // A quantity that came back without money changes nothing, and is said all the same.
        (_, false) => format!("refund {refund} took {of_line}"),
    }
}

/// `amount` with as many decimals as the shop writes beside it.
fn like(mut amount: Decimal, other: Decimal) -> Decimal {
    amount.rescale(other.scale().max(amount.scale()));
    amount
}

/// A movement of credits in words.
#[must_use]
pub fn movement(moved: &Moved) -> String {
    let credits = moved.credits;
    let cause = cause(&moved.operation);
    match (moved.kind, &moved.from, &moved.to) {
        (Kind::Granted, _, to) => format!("{credits} granted to {}", place(to)),
        (Kind::Moved, Place::Account(other), to) => {
            format!("{credits} came from account {other} to {}", place(to))
        }
        (Kind::Moved, from, Place::Account(other)) => {
            format!("{credits} went from {} to account {other}", place(from))
        }
        (Kind::Moved, from, to) => format!("{credits} moved from {} to {}", place(from), place(to)),
        (Kind::Held, from, _) => format!("{credits} set aside from {} by a hold", place(from)),
        (Kind::Released, _, to) => format!("{credits} no longer set aside, back in {}", place(to)),
        (Kind::Spent, from, _) => format!("{credits} spent from {}", place(from)),
        (Kind::Reversed, _, to) => {
            format!("{credits} given back to {}, because a debit was undone", place(to))
        }
        (Kind::Expired, from, _) => format!("{credits} expired in {}", place(from)),
        (Kind::Clawed, from, _) => format!("{credits} taken back from {}{cause}", place(from)),
        (Kind::Owed | Kind::WrittenOff, Place::Clawback, _) => {
            format!(
                "{credits} are no longer owed or written off, because the debit was undone that had spent them"
            )
        }
        (Kind::Owed, from, _) => format!("{credits} had been spent and are owed by {}{cause}", place(from)),
        (Kind::WrittenOff, ..) => format!("{credits} had been spent and are written off{cause}"),
        (Kind::Repaid, from, _) => format!("{credits} from {} went to pay what was owed there", place(from)),
        (Kind::Voided, from, _) => format!("{credits} withdrawn from {}", place(from)),
        (Kind::Adjusted, from, _) => format!("{credits} taken out of {} by hand", place(from)),
    }
}

/// What caused a movement, as far as that says more than the movement itself.
fn cause(operation: &str) -> String {
    match operation {
        super::reading::OPERATION => ", because the shop was asked".to_owned(),
        delivery if delivery.starts_with("dl_") => format!(", because of delivery {delivery}"),
        _ => String::new(),
    }
}

fn place(place: &Place) -> String {
    match place {
        Place::Compartment(at) | Place::Held(at) | Place::Debt(at) => {
            compartment(at.site().map(crate::id::SiteId::as_str))
        }
        other => other.to_string(),
    }
}

/// A place inside an account: `the pool`, `site shop`.
#[must_use]
pub fn compartment(site: Option<&str>) -> String {
    site.map_or_else(|| "the pool".to_owned(), |site| format!("site {site}"))
}

/// An instant, to the minute.
pub(super) fn minute(at: Timestamp) -> String {
    at.utc().format("%Y-%m-%d %H:%M UTC").to_string()
}

/// A place inside an account, as programs read it: `pool`, `site:shop`.
#[must_use]
pub fn wallet(at: &Compartment) -> String {
    at.site().map_or_else(|| "pool".to_owned(), |site| format!("site:{site}"))
}
