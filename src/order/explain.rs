//! Why an order granted what it did, told line by line.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Order;
use super::apply::Rules;
use super::store::{self, GrantOf, KnownLine};
use super::target::{self, Decision, Known, LineFacts, Standing};
use crate::catalog::worth::{Basis, Worth};
use crate::db::{self, Tx};
use crate::shop::Store;
use crate::site::{self, Owner};
use crate::time::{Timestamp, Validity};
use crate::units::Credits;

/// All that is known of an order and its credits.
#[derive(Clone, Debug, Serialize)]
pub struct Story {
    /// The store's name.
    pub store: String,
    /// The order's id there.
    #[serde(serialize_with = "store::id_as_text")]
    pub order: i64,
    /// The number customers read.
    pub number: String,
    /// Its status in the shop.
    pub status: String,
    /// What that means for its credits.
    pub meaning: &'static str,
    /// When money came.
    pub paid_at: Option<Timestamp>,
    /// When the shop last changed it.
    pub modified_at: Timestamp,
    /// When it was first heard of.
    pub first_seen_at: Timestamp,
    /// When its newest state was applied.
    pub applied_at: Timestamp,
    /// When the shop itself was asked and showed this state; nothing if it only told of it.
    pub confirmed_at: Option<Timestamp>,
    /// Whose credits they are, once anything was granted.
    pub account: Option<Owner>,
    /// What it waits for.
    pub parked: Option<String>,
    /// What a person should look at.
    pub attention: Option<String>,
    /// Its lines, and those it had.
    pub lines: Vec<LineStory>,
    /// What it granted.
    pub grants: Vec<GrantOf>,
}

/// One line of the story.
#[derive(Clone, Debug, Serialize)]
pub struct LineStory {
    /// The line's id in the shop.
    pub line: i64,
    /// What was bought.
    pub name: String,
    /// The product, 0 if it was never known.
    pub product: i64,
    /// The variation, 0 if there is none.
    pub variation: i64,
    /// The stock keeping unit, if it has one.
    pub sku: Option<String>,
    /// How many; nothing once the line was removed.
    pub quantity: Option<String>,
    /// Whether it is a Tokens line, as far as that is known.
    pub is_tokens: Option<bool>,
    /// What it is worth, as it is remembered from the first time that was known.
    pub worth: Option<String>,
    /// What it should have granted.
    pub target: Credits,
    /// What it has granted, less what was taken back.
    pub booked: Credits,
    /// All of that in a sentence.
    pub says: String,
}

/// Tells the story of an order, if it was ever heard of.
pub fn story(tx: &mut Tx<'_>, shop: &Store, rules: &Rules, order: i64) -> Result<Option<Story>, db::Error> {
    let Some(known) = store::find(tx, shop.id, order)? else { return Ok(None) };
    let settings = rules.settings(shop);
    let standing = target::standing(&known.order, &settings);
    let account = match &known.account {
        Some(id) => site::store::account(tx, id)?.map(|account| Owner { id: account.id, name: account.name }),
        None => None,
    };
    let lines = store::lines(tx, shop.id, order)?;
    let decisions: BTreeMap<i64, Decision> =
        target::decide(&known.order, &facts(&lines, &known, shop), &settings)
            .into_iter()
            .map(|line| (line.line_id, line.decision))
            .collect();
    let lines = lines
        .into_iter()
        .map(|line| {
            let waits = waits(&line, decisions.get(&line.line), known.parked.as_deref());
            tell(&known.order, line, standing, waits)
        })
        .collect();
    Ok(Some(Story {
        store: shop.name.to_string(),
        order,
        number: known.order.number,
        status: known.order.status,
        meaning: meaning(standing),
        paid_at: known.order.paid_at,
        modified_at: known.order.modified_at,
        first_seen_at: known.first_seen_at,
        applied_at: known.applied_at,
        confirmed_at: known.seen.asked_at(),
        account,
        parked: known.parked,
        attention: known.attention,
        lines,
        grants: store::grants(tx, shop.id, order)?,
    }))
}

/// What an order's standing means for its credits, in words.
const fn meaning(standing: Standing) -> &'static str {
    match standing {
        Standing::Paid => "paid: its Tokens lines grant what they are worth, less what was refunded",
        Standing::Undone => "undone: what it granted is taken back",
        Standing::Waiting => "undecided: nothing new is granted, and what was granted is frozen",
        Standing::WithoutDate => "not paid yet: the shop has no date of payment (orders.require_date_paid)",
        Standing::Gone => "gone from the shop: what it granted stays, nothing new is granted",
    }
}

/// What is remembered of the lines, as far as it decides about them.
fn facts(lines: &[KnownLine], known: &store::Known, shop: &Store) -> Known {
    let facts = lines.iter().map(|line| {
        (line.line, LineFacts { is_tokens: line.is_tokens, worth: line.worth.clone(), reason: None })
    });
    let removed = lines
        .iter()
        .filter(|line| known.order.line(line.line).is_none() && line.is_tokens == Some(true))
        .map(|line| line.line);
    Known {
        facts: facts.collect(),
        removed: removed.collect(),
        is_confirmed: known.seen.is_shown(),
        can_ask: shop.has_rest_keys,
    }
}

/// What keeps a line from being where it should be, though its product and worth are known.
fn waits(line: &KnownLine, decision: Option<&Decision>, parked: Option<&str>) -> Option<String> {
    if line.is_tokens != Some(true) || line.worth.is_none() {
        return None;
    }
    let booked = line.booked;
    match decision? {
        Decision::Parked { reason } => Some(format!("{booked} credits booked; it waits: {reason}")),
        Decision::Attention { reason } => {
            Some(format!("{booked} credits booked; somebody must look at it: {reason}"))
        }
        Decision::Target { credits, .. } if *credits != booked => {
            parked.map(|reason| format!("{booked} credits booked, {credits} due; it waits: {reason}"))
        }
        Decision::Target { .. } | Decision::Keep { .. } | Decision::NotTokens => None,
    }
}

fn tell(order: &Order, line: KnownLine, standing: Standing, waits: Option<String>) -> LineStory {
    let on_order = order.line(line.line);
    LineStory {
        says: waits.unwrap_or_else(|| says(&line, on_order.is_some(), standing)),
        line: line.line,
        name: line.name,
        product: line.product,
        variation: line.variation,
        sku: (!line.sku.is_empty()).then_some(line.sku),
        quantity: on_order.map(|line| line.quantity.normalize().to_string()),
        is_tokens: line.is_tokens,
        worth: line.worth.as_ref().map(worth),
        target: line.target,
        booked: line.booked,
    }
}

fn worth(worth: &Worth) -> String {
    let amount = match &worth.basis {
        Basis::PerUnit(credits) => format!("{credits} credits each"),
        Basis::PerCurrencyUnit(rate) => format!("{rate} credits for each unit of currency paid"),
    };
    format!("{amount}, {}, {}", worth.category, validity_in_words(worth.validity))
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

fn says(line: &KnownLine, is_on_order: bool, standing: Standing) -> String {
    match (line.is_tokens, &line.worth) {
        (Some(false), _) => "not a Tokens product: grants nothing".to_owned(),
        (None, _) if standing == Standing::Paid => {
            "nothing granted: it waits until it is known whether this is a Tokens product".to_owned()
        }
        (None, _) => "it is not known yet whether this is a Tokens product".to_owned(),
        (Some(true), None) => {
            "a Tokens product, but nobody said how many credits it brings: `package set` does".to_owned()
        }
        (Some(true), Some(_)) if !is_on_order => {
            format!("no longer on the order: {} of its credits are still booked", line.booked)
        }
        (Some(true), Some(_)) => match standing {
            Standing::Paid | Standing::Gone | Standing::Undone if line.target == line.booked => {
                format!("{} credits booked, as it should be", line.booked)
            }
            Standing::Waiting if !line.booked.is_zero() => {
                format!("{} credits booked and frozen", line.booked)
            }
            Standing::Waiting | Standing::WithoutDate if line.booked.is_zero() => {
                "nothing granted until it is paid".to_owned()
            }
            _ => format!("{} credits booked, {} due", line.booked, line.target),
        },
    }
}
