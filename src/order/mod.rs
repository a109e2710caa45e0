//! Orders: what a shop says, and what it should have granted.
//!
//! A delivery never moves credits by itself: it is read into an [`Order`], the newest known state, and from
//! that state alone [`target`] says what each line should have granted. So a delivery that comes twice, late
//! or out of order cannot count twice.
//!
//! [`woo`], [`target`], [`newer`], [`naming`] and [`money`] are pure: they know no database, no clock and no
//! network, and the same input gives the same answer on any day.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize, Serializer};

use crate::catalog::terms::Terms;
use crate::time::{ShopTime, Timestamp};
use crate::units::Credits;

pub mod apply;
pub mod assign;
mod bare;
pub mod explain;
pub(crate) mod heard;
pub mod money;
pub mod naming;
pub mod newer;
mod notes;
pub mod preview;
pub mod reading;
pub mod remedy;
pub mod store;
pub mod target;
pub mod woo;
pub mod words;

/// Writes an order's id the way it is written wherever a program reads it: as text.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn id_as_text<S: Serializer>(id: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

/// The status given to an order that the shop no longer has; WooCommerce itself has no name for it.
pub const DELETED: &str = "deleted";

/// An order as the shop last described it, with only what decides about credits.
///
/// It is kept as JSON and read back, so a field that is added later needs a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Its id, above zero; it means something only together with the store.
    pub id: i64,
    /// The number customers read; mostly the id.
    pub number: String,
    /// WooCommerce's name of its state, like `processing`, without `wc-`.
    pub status: String,
    /// The currency's code.
    pub currency: String,
    /// The registered buyer, 0 for a guest.
    pub customer_id: i64,
    /// The billing address, trimmed and in lower case; may be empty.
    pub email: String,
    /// The billing name, else the company; may be empty.
    pub buyer_name: String,
    /// When it was placed.
    pub created_at: Timestamp,
    /// When it last changed, in whole seconds.
    pub modified_at: Timestamp,
    /// When money came. Stays set after a cancellation.
    pub paid_at: Option<Timestamp>,
    /// What was to be paid, tax included; refunds do not lower it.
    #[serde(with = "money::as_text")]
    pub total: Decimal,
    /// The site the order as a whole may name.
    pub site_names: Vec<naming::SiteName>,
    /// What was bought.
    pub lines: Vec<Line>,
    /// Shipping and fees.
    pub other_lines: Vec<OtherLine>,
    /// The refunds the order names, in its own words: no lines, no quantities.
    pub refunds: Vec<RefundRef>,
    /// The same refunds with their lines, where somebody supplied them. Never fewer than [`Order::refunds`]
    /// names.
    pub refund_details: Option<Vec<Refund>>,
    /// When the shop's plugin put this state together, by the shop's clock. Of a state the shop was asked for: when
    /// the newest was put together that is known to be no later. It says how new a state is and is no part of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_at: Option<ShopTime>,
}

/// One line of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Its id, above zero; no two lines of an order share it.
    pub id: i64,
    /// The product, or the parent of the variation; 0 after the product was deleted for good.
    pub product_id: i64,
    /// The variation, 0 if there is none.
    pub variation_id: i64,
    /// The article number; may be empty.
    pub sku: String,
    /// What the customer read when buying.
    pub name: String,
    /// How many; some shops sell fractions.
    #[serde(with = "money::as_text")]
    pub quantity: Decimal,
    /// The price before discounts, without tax.
    #[serde(with = "money::as_text")]
    pub subtotal: Decimal,
    /// The price after discounts, without tax.
    #[serde(with = "money::as_text")]
    pub total: Decimal,
    /// The tax on [`Line::total`].
    #[serde(with = "money::as_text")]
    pub total_tax: Decimal,
    /// Credits per unit that were promised at the sale: line meta `_nivella_credits`.
    pub credits_promised: Option<Credits>,
    /// A promise that is there but is not an amount of credits, shortened. Such a line is a Tokens line
    /// whose worth must come from elsewhere.
    pub promise_unreadable: Option<String>,
    /// For how long and as what they were promised: line meta `_nivella_validity` and `_nivella_kind`.
    #[serde(default, skip_serializing_if = "Terms::is_empty")]
    pub terms: Terms,
    /// The site this line may name.
    pub site_names: Vec<naming::SiteName>,
}

/// Shipping or a fee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherLine {
    /// Which of the two.
    pub kind: OtherKind,
    /// Its price without tax; a fee may be below zero.
    #[serde(with = "money::as_text")]
    pub total: Decimal,
    /// The tax on it.
    #[serde(with = "money::as_text")]
    pub total_tax: Decimal,
}

/// What a line that is no product is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OtherKind {
    /// Getting the goods to the buyer.
    Shipping,
    /// Anything else that costs.
    Fee,
}

/// A refund as an order names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundRef {
    /// Its id; refunds and orders share one sequence.
    pub id: i64,
    /// The money that went back, above zero, with tax.
    #[serde(with = "money::as_text")]
    pub amount: Decimal,
}

/// A refund with its lines. What WooCommerce writes below zero is above zero here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// Its id.
    pub id: i64,
    /// The money that went back, with tax; more than its lines when somebody typed a sum.
    #[serde(with = "money::as_text")]
    pub amount: Decimal,
    /// What went back of each line.
    pub lines: Vec<RefundLine>,
    /// The shipping and fees in it, with tax. `None`: whoever supplied the refund did not say.
    #[serde(with = "money::as_optional_text")]
    pub other: Option<Decimal>,
}

/// What one refund gives back of one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundLine {
    /// The order's line, which may have been removed since. `None`: the refund does not say.
    pub order_line_id: Option<i64>,
    /// How many came back; 0 where only money did.
    #[serde(with = "money::as_text")]
    pub quantity: Decimal,
    /// The money that went back, without tax.
    #[serde(with = "money::as_text")]
    pub total: Decimal,
    /// The tax on it.
    #[serde(with = "money::as_text")]
    pub total_tax: Decimal,
}

/// Who bought.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Buyer {
    /// A customer registered with the store.
    Customer(i64),
    /// Somebody without an account in the shop, known by an address.
    Guest(String),
    /// Nobody who can be named: no customer and no address.
    Unknown,
}

/// The two halves of a reading of the shop do not fit: a refund came or went between them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("order {order} names refund {refund}, which its list of refunds lacks: read the order again")]
pub struct Torn {
    /// The order.
    pub order: i64,
    /// The refund without detail.
    pub refund: i64,
}

impl Buyer {
    /// The name the store knows the buyer by, `customer:7` or `email:a@example.com`.
    #[must_use]
    pub fn natural_key(&self) -> Option<String> {
        match self {
            Self::Customer(id) => Some(format!("customer:{id}")),
            Self::Guest(email) => Some(format!("email:{email}")),
            Self::Unknown => None,
        }
    }
}

impl Order {
    /// Who bought; shop staff may change it later.
    #[must_use]
    pub fn buyer(&self) -> Buyer {
        if self.customer_id > 0 {
            Buyer::Customer(self.customer_id)
        } else if self.email.is_empty() {
            Buyer::Unknown
        } else {
            Buyer::Guest(self.email.clone())
        }
    }

    /// The line with this id, unless it was removed.
    #[must_use]
    pub fn line(&self, id: i64) -> Option<&Line> {
        self.lines.iter().find(|line| line.id == id)
    }

    /// Whether shipping or fees cost anything, so that a refund may be of them. Free shipping does not count.
    #[must_use]
    pub fn has_shipping_or_fees(&self) -> bool {
        self.other_lines.iter().any(|line| !line.total.is_zero() || !line.total_tax.is_zero())
    }

    /// Whether it names refunds nobody described yet: a reason to read them from the shop.
    #[must_use]
    pub fn lacks_refund_details(&self) -> bool {
        !self.refunds.is_empty() && self.refund_details.is_none()
    }

    /// Adds the lines of its refunds, as the shop listed them.
    ///
    /// What the list has beyond the order counts too: it is the later of the two readings.
    ///
    /// # Errors
    /// [`Torn`] when the list lacks a refund the order names: the list is cut off, or the refund was deleted
    /// a moment ago.
    pub fn with_refunds(mut self, refunds: Vec<Refund>) -> Result<Self, Torn> {
        let listed = |id| refunds.iter().any(|refund| refund.id == id);
        if let Some(named) = self.refunds.iter().find(|named| !listed(named.id)) {
            return Err(Torn { order: self.id, refund: named.id });
        }
        self.refund_details = Some(refunds);
        Ok(self)
    }

    /// Takes over from an earlier state what it knew of the refunds this one names without detail.
    ///
    /// A refund is not edited, only made and deleted; so the lines of one with the same id and amount still
    /// hold. If a single one is new, nothing is taken over and the shop must be asked.
    pub fn recall_refunds(&mut self, earlier: &Self) {
        if !self.lacks_refund_details() {
            return;
        }
        let known = earlier.refund_details.as_deref().unwrap_or_default();
        self.refund_details = self
            .refunds
            .iter()
            .map(|named| {
                known.iter().find(|refund| refund.id == named.id && refund.amount == named.amount).cloned()
            })
            .collect();
    }

    /// Whether somebody means this order by `words`, in lower case: its number or how that begins, or part of the
    /// buyer's name or address.
    #[must_use]
    pub fn is_meant_by(&self, words: &str) -> bool {
        let number = words.strip_prefix('#').unwrap_or(words);
        self.number.to_lowercase().starts_with(number)
            || self.id.to_string() == number
            || self.email.contains(words)
            || self.buyer_name.to_lowercase().contains(words)
    }

    /// Removes who bought it: name and address. The customer's number stays, which is the shop's.
    pub fn erase_buyer(&mut self) {
        self.email.clear();
        self.buyer_name.clear();
    }

    /// The same order after the shop said it no longer has it.
    #[must_use]
    pub fn deleted(&self) -> Self {
        Self { status: DELETED.to_owned(), ..self.clone() }
    }

    /// An order of which nothing was ever heard but that it is gone. It is kept so that what was told of it before and
    /// comes late does not bring it back.
    #[must_use]
    pub fn never_seen(id: i64, gone_at: Timestamp) -> Self {
        Self {
            id,
            number: id.to_string(),
            status: DELETED.to_owned(),
            currency: String::new(),
            customer_id: 0,
            email: String::new(),
            buyer_name: String::new(),
            created_at: gone_at,
            modified_at: gone_at,
            paid_at: None,
            total: Decimal::ZERO,
            site_names: Vec::new(),
            lines: Vec::new(),
            other_lines: Vec::new(),
            refunds: Vec::new(),
            refund_details: None,
            told_at: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> Decimal {
        money::parse(text).unwrap()
    }

    fn order(customer_id: i64, email: &str) -> Order {
        let body = serde_json::json!({
            "id": 7, "status": "processing", "total": "30.00", "customer_id": customer_id,
            "billing": { "email": email, "first_name": "Alice", "last_name": "Doe" },
            "date_created_gmt": "2026-11-20T15:00:00", "date_modified_gmt": "2026-11-20T16:00:00",
            "line_items": [{ "id": 1, "name": "AI Credits", "quantity": 3, "subtotal": "30.00", "total": "30.00" }],
            "refunds": [{ "id": 9, "total": "-5.00" }],
        });
        let body = body.to_string();
        match woo::parse_delivery("order.updated", body.as_bytes(), &[]).unwrap() {
            woo::Body::Order(order) => *order,
            other => panic!("{other:?}"),
        }
    }

    fn refund(id: i64, sum: &str) -> Refund {
        Refund { id, amount: amount(sum), lines: Vec::new(), other: Some(Decimal::ZERO) }
    }

    #[test]
    fn a_buyer_is_a_customer_else_an_address_else_nobody() {
        for (customer, email, key) in [
            (2, "a@example.test", Some("customer:2")),
            (0, " Guest@Example.test ", Some("email:guest@example.test")),
            (0, "  ", None),
        ] {
            assert_eq!(order(customer, email).buyer().natural_key().as_deref(), key);
        }
    }

    #[test]
    fn an_order_is_read_back_as_it_was_kept() {
        let order = order(2, "a@example.test").with_refunds(vec![refund(9, "5.00")]).unwrap();
        let kept = serde_json::to_string(&order).unwrap();
        assert_eq!(serde_json::from_str::<Order>(&kept).unwrap(), order);
    }

    #[test]
    fn a_list_without_a_named_refund_is_torn() {
        let order = order(2, "");
        assert_eq!(order.clone().with_refunds(Vec::new()), Err(Torn { order: 7, refund: 9 }));
        // A refund made between the two readings counts.
        let whole = order.with_refunds(vec![refund(10, "1.00"), refund(9, "5.00")]).unwrap();
        assert_eq!(whole.refund_details.unwrap().len(), 2);
    }

    #[test]
    fn the_lines_of_a_known_refund_are_recalled() {
        let earlier = order(2, "").with_refunds(vec![refund(9, "5.00")]).unwrap();

        let mut later = order(2, "");
        later.recall_refunds(&earlier);
        assert_eq!(later.refund_details, earlier.refund_details);

        let mut another = order(2, "");
        another.refunds.push(RefundRef { id: 10, amount: amount("1.00") });
        another.recall_refunds(&earlier);
        assert!(another.lacks_refund_details(), "one of two is not enough");

        let mut undone = order(2, "");
        undone.refunds.clear();
        undone.recall_refunds(&earlier);
        assert_eq!(undone.refund_details, None, "nothing is refunded any more");
    }
}
