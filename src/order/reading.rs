//! An order as a shop showed it when it was asked: the order itself together with its refunds.
//!
//! Reading and booking are two steps, because no transaction waits for a shop. What a delivery told while the
//! shop was being asked is not overwritten: see [`Seen::Shown`].

use super::apply::{self, Applied, Outcome, Rules, Source};
use super::newer::Seen;
use super::{Order, store, woo};
use crate::catalog::{self, Subject};
use crate::db::Tx;
use crate::shop::Store;
use crate::shop::rest::WholeOrder;
use crate::time::{ShopTime, Timestamp};

/// What a shop answered about an order.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Which order.
    pub order_id: i64,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// What it showed; `None` when it has the order no more.
    pub shown: Option<WholeOrder>,
}

/// Stands in the ledger as the cause of what a reading books.
pub const OPERATION: &str = "rest";

/// How the reason begins when what the shop showed cannot be understood.
pub const UNREADABLE: &str = "the shop's answer cannot be read";

/// Books that the shop's plugin told of an order that it was deleted for good, at `told_at` by the shop's clock.
///
/// One that was never heard of is kept as deleted, so that nothing older brings it back.
pub fn gone(
    tx: &mut Tx<'_>,
    shop: &Store,
    rules: &Rules,
    order: i64,
    told_at: Option<ShopTime>,
    source: Source<'_>,
) -> Result<Applied, apply::Error> {
    let known = store::find(tx, shop.id, order)?.map(|known| known.order.deleted());
    let gone = match known {
        Some(known) => known,
        None => Order::never_seen(order, tx.now()),
    };
    apply::apply(tx, shop, rules, Order { told_at, ..gone }, source)
}

impl Reading {
    /// Why the order and its refunds do not fit together, if they do not: reading them again may help, and booking
    /// waits until then.
    #[must_use]
    pub fn torn(&self, shop: &Store) -> Option<String> {
        let shown = self.shown.as_ref()?;
        match woo::parse_rest(&shown.order, Some(&shown.refunds), &shop.site_keys) {
            Err(error @ woo::NotAnOrder::Torn(_)) => Some(error.to_string()),
            Ok(_) | Err(woo::NotAnOrder::Unreadable(_)) => None,
        }
    }

    /// Books what it shows.
    ///
    /// One that cannot be understood changes nothing, and the reason says why; one whose halves do not fit
    /// together is asked for again.
    pub fn apply(&self, tx: &mut Tx<'_>, shop: &Store, rules: &Rules) -> Result<Applied, apply::Error> {
        let nothing = |reason| Ok(Applied { outcome: Outcome::Ignored, reason });
        let order = match &self.shown {
            Some(shown) => match woo::parse_rest(&shown.order, Some(&shown.refunds), &shop.site_keys) {
                Ok(order) => order,
                Err(error) => {
                    let order = self.order_id;
                    tracing::warn!(order, %error, "order {order} cannot be read from the shop: {error}");
                    if matches!(error, woo::NotAnOrder::Torn(_)) {
                        catalog::store::want(tx, shop.id, Subject::Order(order), &error.to_string())?;
                    }
                    return nothing(Some(format!("{UNREADABLE}: {error}")));
                }
            },
            None => match store::find(tx, shop.id, self.order_id)? {
                Some(known) => known.order.deleted(),
                None => return nothing(None),
            },
        };
        let seen = Seen::Shown { asked_at: self.asked_at };
        apply::apply(tx, shop, rules, order, Source { operation: OPERATION, seen })
    }
}
