//! What a number of a wallet is made of: the movements that add up to it.
//!
//! The items of all pages together add up to the wallet's `available` at the time of the first page, to the
//! micro-credit. The first items take out what is there and cannot be spent at that time; the others are
//! entries, newest first, and an entry never changes. A cursor holds what was seen so far, so a page costs the same
//! wherever it is, and what is written meanwhile is in none of them.

use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::store::{self, Movement};
use super::wallet::{Shows, SiteColumn, Wallet};
use super::{List, cursor};
use crate::db::{self, Tx};
use crate::id::GrantId;
use crate::ledger::entry::Place;
use crate::ledger::position::Position;
use crate::ledger::slice::Compartment;
use crate::rate;
use crate::schema;
use crate::time::Timestamp;
use crate::units::{Credits, Delta};

/// Something that made the number larger or smaller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Movement")]
pub struct Item {
    /// By how much.
    #[serde(serialize_with = "signed")]
    #[schemars(with = "schema::SignedCredits")]
    pub credits: Delta,
    /// When.
    pub at: Timestamp,
    /// What kind of movement: an entry's kind, or why credits that are there do not count.
    pub kind: String,
    /// What it was, in words for customers.
    pub label: String,
    /// For which site, where there can be more than one.
    #[serde(skip_serializing_if = "SiteColumn::is_left_out")]
    pub site: SiteColumn,
    /// The grant it is part of; none where it is several together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantId>,
    /// The order the grant was bought with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// Why it was done by hand, for the shop only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn signed<S: Serializer>(credits: &Delta, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&credits.signed())
}

/// The list's name in its cursors.
const LIST: &str = "movements";

/// How many entries are read in one go at first; twice as many each time, where few of them are to be told.
const BATCH_LENGTH: i64 = 200;

/// How many entries are read in one go at most.
const BATCH_LENGTH_MAX: i64 = 10_000;

/// What is there by the entries and does not count as available, or the other way round: the kind and the words.
const UNCOUNTED: [(&str, &str); 4] = [
    ("frozen", "Waits for a decision about its order"),
    ("upcoming", "Good from a later day on"),
    ("expired", "Its time is over"),
    ("released", "No longer set aside: its time is over"),
];

/// A place in the list: what is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// When the first page was read.
    as_of: i64,
    /// The amounts of [`UNCOUNTED`] that are still to be told.
    uncounted: [i64; UNCOUNTED.len()],
    /// The next entry to be told; those before it follow. 0: there is none.
    next: i64,
}

impl std::fmt::Display for At {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [frozen, upcoming, expired, released] = self.uncounted;
        write!(f, "{}.{frozen}.{upcoming}.{expired}.{released}.{}", self.as_of, self.next)
    }
}

impl FromStr for At {
    type Err = cursor::NotACursor;

    fn from_str(text: &str) -> Result<Self, cursor::NotACursor> {
        let numbers: Result<Vec<i64>, _> = text.split('.').map(str::parse).collect();
        match numbers.as_deref() {
            Ok(&[as_of, frozen, upcoming, expired, released, next]) => {
                Ok(Self { as_of, uncounted: [frozen, upcoming, expired, released], next })
            }
            _ => Err(cursor::NotACursor),
        }
    }
}

/// Where a page begins: after what `cursor` follows.
pub fn begin(cursor: &str) -> Result<At, cursor::NotACursor> {
    cursor::read(LIST, cursor)
}

/// Up to `limit` items of what makes up `available`, from `at` or from the start; reasons only for those who give
/// them.
pub fn available(
    tx: &mut Tx<'_>,
    wallet: &Wallet,
    at: Option<At>,
    with_reasons: bool,
    limit: usize,
) -> Result<List<Item>, db::Error> {
    let mut at = match at {
        Some(at) => at,
        None => start(tx, wallet)?,
    };
    let places = places(&wallet.shows);
    let mut items = Vec::new();
    for (number, (kind, label)) in UNCOUNTED.into_iter().enumerate() {
        // The place after it still knows of those that follow.
        let credits = std::mem::take(&mut at.uncounted[number]);
        if credits != 0 {
            items.push((uncounted(&at, wallet, credits, kind, label), at));
        }
    }
    let mut length = BATCH_LENGTH;
    while items.len() <= limit && at.next != 0 {
        let batch = store::movements_from(tx, &wallet.account, places.as_ref(), at.next, length)?;
        length = (length * 2).min(BATCH_LENGTH_MAX);
        // A cursor that was not written here may name no entry of this account.
        at.next = 0;
        for movement in batch {
            at.next = movement.previous.unwrap_or(0);
            items.extend(item(wallet, movement, with_reasons).map(|item| (item, at)));
        }
    }
    let more = items.len() > limit;
    items.truncate(limit);
    let last = items.last().filter(|_| more);
    let next_cursor = last.map(|(_, at)| cursor::write(LIST, &at.to_string()));
    Ok(List { items: items.into_iter().map(|(item, _)| item).collect(), next_cursor })
}

/// The place before everything, as of now.
fn start(tx: &mut Tx<'_>, wallet: &Wallet) -> Result<At, db::Error> {
    let now = tx.now();
    let slices = wallet.slices(tx)?;
    let [mut frozen, mut upcoming, mut expired] = [0_i64; 3];
    for slice in slices.iter().filter(|slice| !slice.is_spendable(now)) {
        let amount = slice.remaining.micro();
        if slice.voided || slice.expires_at.is_some_and(|expires_at| expires_at <= now) {
            expired -= amount;
        } else if slice.frozen {
            frozen -= amount;
        } else {
            upcoming -= amount;
        }
    }
    let entered: Credits = store::remaining(tx, &wallet.account)?
        .into_iter()
        .filter(|(compartment, _)| wallet.shows.compartment(compartment))
        .map(|(_, amount)| amount)
        .sum();
    // Holds whose time is over count as released before that is booked.
    let available = Position::of(&slices, now).available;
    let released = available.micro() - entered.micro() - frozen - upcoming - expired;
    let next = store::newest_entry(tx, &wallet.account)?.unwrap_or(0);
    Ok(At { as_of: now.millis(), uncounted: [frozen, upcoming, expired, released], next })
}

/// What is there and does not count, as one item.
fn uncounted(at: &At, wallet: &Wallet, credits: i64, kind: &str, label: &str) -> Item {
    Item {
        credits: Delta::from_micro(credits),
        at: Timestamp::from_millis(at.as_of),
        kind: kind.to_owned(),
        label: label.to_owned(),
        site: wallet.shows.column(&Compartment::Pool),
        grant: None,
        order: None,
        reason: None,
    }
}

/// The entry as an item; nothing if it does not change what the wallet shows.
fn item(wallet: &Wallet, movement: Movement, with_reasons: bool) -> Option<Item> {
    let shown = |place: &str| match place.parse() {
        Ok(Place::Compartment(at)) if wallet.shows.compartment(&at) => Some(at),
        _ => None,
    };
    let (credits, at, other) = match (shown(&movement.source), shown(&movement.target)) {
        (Some(at), None) => (Delta::minus(movement.amount), at, &movement.target),
        (None, Some(at)) => (Delta::plus(movement.amount), at, &movement.source),
        // From one compartment that is shown to another: the sum stays.
        (Some(_), Some(_)) | (None, None) => return None,
    };
    Some(Item {
        credits,
        at: movement.at,
        label: label(&wallet.shows, &movement, other, credits),
        kind: movement.kind,
        site: wallet.shows.column(&at),
        grant: movement.grant,
        order: movement.order.map(|order| order.to_string()),
        reason: movement.reason.filter(|_| with_reasons),
    })
}

/// The words for an entry; they tell nothing of sites the wallet does not show.
fn label(shows: &Shows, movement: &Movement, other: &str, credits: Delta) -> String {
    if let Some((site, words)) = &movement.debit {
        let is_shown = shows.compartment(&Compartment::Site(site.clone()));
        let (before, words) = match (is_shown, movement.kind.as_str()) {
            (true, "held") => ("Set aside: ", words.as_str()),
            (true, "released") => ("No longer set aside: ", words.as_str()),
            (true, "reversed") => (rate::GIVEN_BACK, words.as_str()),
            (true, _) => ("", words.as_str()),
            (false, "held") => ("", "Set aside for another site"),
            (false, "released" | "reversed") => ("", "Given back by another site"),
            (false, _) => ("", "Used for another site"),
        };
        return format!("{before}{words}");
    }
    let to = if credits.is_negative() { "to" } else { "from" };
    match other.parse() {
        Ok(Place::Compartment(Compartment::Pool)) => format!("Moved {to} shared credits"),
        Ok(Place::Compartment(Compartment::Site(_))) => format!("Moved {to} a site"),
        Ok(Place::Account(_)) => format!("Moved {to} another account"),
        _ => movement.label.clone().unwrap_or_default(),
    }
}

/// The two places that a site's wallet is about; of wider ones every entry is read.
fn places(shows: &Shows) -> Option<[String; 2]> {
    let Shows::Site { site, pool, .. } = shows else { return None };
    let own = Compartment::Site(site.clone());
    let other = if *pool { Compartment::Pool } else { own.clone() };
    Some([own, other].map(|at| Place::Compartment(at).to_string()))
}
