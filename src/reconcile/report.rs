//! What a sweep found and did.

use serde::{Deserialize, Serialize, Serializer};

use super::Window;
use crate::shop::StoreName;
use crate::time::Timestamp;
use crate::units::Credits;

/// How many orders that could not be read are named.
pub const UNREAD_MAX: usize = 20;
/// How many orders that wait are named.
pub const WAITING_MAX: usize = 5;
/// How many differences a dry run names.
pub const DIFFERENCES_MAX: usize = 1000;

/// What a sweep of one store found, after it repaired what it could.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The store.
    pub store: StoreName,
    /// When it began; one that was gone on with began earlier.
    pub started_at: Timestamp,
    /// When it came to its end.
    pub finished_at: Timestamp,
    /// Whether it went on with one that was cut off.
    pub resumed: bool,
    /// From when on it read what changed.
    #[serde(flatten)]
    pub window: Window,
    /// The numbers.
    #[serde(flatten)]
    pub counts: Counts,
    /// The first orders that wait for a fact.
    pub waiting: Vec<Waiting>,
    /// The first orders that could not be read or booked.
    pub unread_orders: Vec<Unread>,
    /// What a dry run would have changed; at most [`DIFFERENCES_MAX`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub differences: Option<Vec<Difference>>,
}

/// The numbers of a sweep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Orders the shop showed.
    pub orders: u64,
    /// Tokens lines of paid orders that should have granted something.
    pub paid_lines: u64,
    /// Those that have granted it.
    pub granted: u64,
    /// Those that have not.
    pub missing: u64,
    /// Lines that have granted more than they should have, of which something can be spent.
    pub extra: u64,
    /// Orders for which anything was written.
    pub repaired: u64,
    /// Orders that wait for a fact.
    pub parked: u64,
    /// Orders that could not be read or booked.
    pub unread: u64,
}

/// An order that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// The order.
    #[serde(serialize_with = "as_text")]
    pub order: i64,
    /// What for, in words.
    pub reason: String,
}

/// An order that could not be read or booked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    /// The order, where at least that could be read.
    pub order: Option<String>,
    /// Why not.
    pub reason: String,
}

/// What a dry run would have changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The order.
    #[serde(serialize_with = "as_text")]
    pub order: i64,
    /// Its line; none where it is about the order as a whole.
    #[serde(serialize_with = "as_optional_text")]
    pub line: Option<i64>,
    /// In words.
    pub what: String,
    /// What the line has granted.
    pub booked: Option<Credits>,
    /// What it should have granted.
    pub should_be: Option<Credits>,
}

impl Counts {
    /// The line that is printed.
    #[must_use]
    pub fn line(&self) -> String {
        let Self { paid_lines, granted, missing, extra, repaired, .. } = self;
        format!(
            "{paid_lines} paid lines, {granted} granted, {missing} missing, {extra} extra, {repaired} repaired"
        )
    }

    /// Whether shop and books agree, as far as they could be compared.
    #[must_use]
    pub const fn is_right(&self) -> bool {
        self.missing == 0 && self.extra == 0 && self.unread == 0
    }

    /// The numbers of two stores together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            orders: self.orders + other.orders,
            paid_lines: self.paid_lines + other.paid_lines,
            granted: self.granted + other.granted,
            missing: self.missing + other.missing,
            extra: self.extra + other.extra,
            repaired: self.repaired + other.repaired,
            parked: self.parked + other.parked,
            unread: self.unread + other.unread,
        }
    }
}

/// Writes an order's id the way it is written wherever a program reads it: as text.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn as_text<S: Serializer>(number: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

#[expect(clippy::ref_option, reason = "serde hands out references")]
fn as_optional_text<S: Serializer>(number: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    match number {
        Some(number) => serializer.collect_str(number),
        None => serializer.serialize_none(),
    }
}
