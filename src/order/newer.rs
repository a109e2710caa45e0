//! Which of two states of an order holds.
//!
//! Pure. WooCommerce puts no version number into an order, only a date of whole seconds; three states of one
//! order have been seen in a single second. So the date decides first, then whether the shop was asked itself, then
//! when its plugin put the state together, and only what is left is decided by how far along a state is.
//!
//! The plugin's time is by the shop's clock, which is not this program's. So it decides between two states that were
//! told; what the shop showed when it was asked is only known to be later than what was told before.

use std::cmp::Ordering;

use super::{DELETED, Order};
use crate::time::Timestamp;

/// A state of an order, and how it was seen.
#[derive(Clone, Copy, Debug)]
pub struct Sighting<'a> {
    /// The state.
    pub order: &'a Order,
    /// How it was seen.
    pub seen: Seen,
}

/// How a state of an order was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The shop told of it in a delivery.
    Told {
        /// Which delivery: a later one has a larger number, and keeps it when it is replayed.
        arrival: i64,
        /// When it was taken. The state is not younger.
        at: Timestamp,
    },
    /// The shop was asked and showed it.
    Shown {
        /// When it was asked. The state is not older.
        asked_at: Timestamp,
    },
}

impl Seen {
    /// When the shop was asked; `None` if it told by itself.
    #[must_use]
    pub const fn asked_at(self) -> Option<Timestamp> {
        match self {
            Self::Told { .. } => None,
            Self::Shown { asked_at } => Some(asked_at),
        }
    }

    /// Whether the shop was asked.
    #[must_use]
    pub const fn is_shown(self) -> bool {
        self.asked_at().is_some()
    }

    /// Its place among what the shop told; the last for what it showed.
    #[must_use]
    pub const fn arrival(self) -> i64 {
        match self {
            Self::Told { arrival, .. } => arrival,
            Self::Shown { .. } => i64::MAX,
        }
    }
}

/// How a state that comes in stands to the one that was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds from now on.
    Newer,
    /// It is stale and has no effect.
    Older,
    /// It says what is known already; nothing is to be done.
    Same,
    /// The dates are the same and the states are not, or it was built before the order was deleted: the shop is
    /// to be asked. Until then, or where it cannot be asked, the one that is further along holds. What a shop shows
    /// is never beaten here, unless a delivery came while it was being read: it may tell of a later change.
    InDoubt {
        /// Whether that is the one that came in.
        incoming_wins: bool,
    },
}

/// Compares what came in with what was applied.
///
/// Deliveries alone are put into one order whatever order they come in: by date, then by when they were put together,
/// or where the shop's plugin does not say that, by state, number of refunds, arrival. What the shop showed when asked
/// beats every delivery with the same or an older date.
///
/// Let `incoming` [recall](Order::recall_refunds) what `applied` knew of refunds first.
#[must_use]
pub fn compare(applied: &Sighting<'_>, incoming: &Sighting<'_>) -> Verdict {
    if applied.order.status == DELETED {
        return after_deletion(applied, incoming);
    }
    match incoming.order.modified_at.cmp(&applied.order.modified_at) {
        Ordering::Less => Verdict::Older,
        Ordering::Greater => Verdict::Newer,
        Ordering::Equal if adds_nothing(applied.order, incoming.order) => {
            // The same words have more weight when the shop was asked: lost lines count only then.
            let confirms = incoming.seen.is_shown() && !applied.seen.is_shown();
            if confirms { Verdict::Newer } else { Verdict::Same }
        }
        Ordering::Equal => same_second(applied, incoming),
    }
}

/// Whether a state the shop shows says no more than the one that was applied. That the shop was asked itself
/// changes nothing then, unless the order has no lines: see [`target::lost_all_lines`](super::target::lost_all_lines).
///
/// Let `incoming` [recall](Order::recall_refunds) what `applied` knew of refunds first.
#[must_use]
pub fn is_known(applied: &Order, incoming: &Order) -> bool {
    applied.modified_at == incoming.modified_at && adds_nothing(applied, incoming)
}

/// Why a state has no effect, in words.
#[must_use]
pub fn why_older(applied: &Order, incoming: &Order) -> String {
    let id = applied.id;
    if applied.status == DELETED {
        return format!("order {id} was deleted for good after this was told");
    }
    if applied.modified_at == incoming.modified_at {
        return format!("order {id} was told as of {} once more after this", applied.modified_at);
    }
    format!("order {id} was applied as of {}, this is as of {}", applied.modified_at, incoming.modified_at)
}

/// What follows on the shop's word that it has the order no more. It says so without a date, and numbers are not
/// given twice: what is told was built before. Only when the shop shows the order again, as after a backup was
/// restored, or its plugin tells of it later than of the deletion, there is one.
fn after_deletion(applied: &Sighting<'_>, incoming: &Sighting<'_>) -> Verdict {
    if incoming.order.status == DELETED {
        return Verdict::Same;
    }
    match (applied.seen, incoming.seen) {
        (Seen::Shown { asked_at }, Seen::Shown { asked_at: later }) if asked_at <= later => Verdict::Newer,
        (Seen::Shown { .. }, Seen::Shown { .. }) => Verdict::Older,
        (Seen::Told { at, .. }, Seen::Shown { asked_at }) if at <= asked_at => Verdict::Newer,
        _ => by_the_shops_clock(applied, incoming).unwrap_or(Verdict::InDoubt { incoming_wins: false }),
    }
}

/// Which of two different states with the same date holds.
fn same_second(applied: &Sighting<'_>, incoming: &Sighting<'_>) -> Verdict {
    if let Some(verdict) = by_the_shops_clock(applied, incoming) {
        return verdict;
    }
    match (applied.seen, incoming.seen) {
        (Seen::Told { at, .. }, Seen::Shown { asked_at }) if at <= asked_at => Verdict::Newer,
        (Seen::Shown { asked_at: first }, Seen::Shown { asked_at: second }) => {
            if first <= second {
                Verdict::Newer
            } else {
                Verdict::Older
            }
        }
        (_, Seen::Told { .. }) if adds_details(applied.order, incoming.order) => Verdict::Newer,
        (Seen::Told { .. }, Seen::Told { .. }) => {
            Verdict::InDoubt { incoming_wins: precedence(incoming) > precedence(applied) }
        }
        // Nothing follows on a deletion, as a rule: who cannot ask believes it.
        (Seen::Shown { .. }, Seen::Told { .. }) if incoming.order.status == DELETED => {
            Verdict::InDoubt { incoming_wins: true }
        }
        // The shop was being asked while it told: only asking once more can say which is the later state.
        _ => Verdict::InDoubt { incoming_wins: false },
    }
}

/// What follows from when the shop's plugin put together what was told, if that says anything.
fn by_the_shops_clock(applied: &Sighting<'_>, incoming: &Sighting<'_>) -> Option<Verdict> {
    let (known, told) = (applied.order.told_at?, incoming.order.told_at?);
    match (applied.seen, incoming.seen) {
        (_, Seen::Told { .. }) if told < known => Some(Verdict::Older),
        (Seen::Told { .. }, Seen::Told { .. }) if told > known => Some(Verdict::Newer),
        // What was shown is later than that, and may be later than what comes now.
        (Seen::Shown { .. }, Seen::Told { .. }) if told == known => Some(Verdict::Older),
        _ => None,
    }
}

/// How far along a status is. A status of somebody's own, like `shipped`, mostly follows on `processing` and
/// leads to `completed`, so it stands between them.
#[must_use]
pub fn rank(status: &str) -> u8 {
    match status {
        "auto-draft" | "draft" | "checkout-draft" | "new" => 0,
        "pending" => 1,
        "on-hold" => 2,
        "processing" => 3,
        "completed" => 5,
        "failed" | "cancelled" => 6,
        "refunded" => 7,
        "trash" => 8,
        DELETED => 9,
        _ => 4,
    }
}

fn precedence(sighting: &Sighting<'_>) -> (u8, usize, i64) {
    (rank(&sighting.order.status), sighting.order.refunds.len(), sighting.seen.arrival())
}

/// Whether `incoming` says the same and knows no more of the refunds.
fn adds_nothing(applied: &Order, incoming: &Order) -> bool {
    alike(applied, incoming)
        && (incoming.refund_details.is_none() || incoming.refund_details == applied.refund_details)
}

/// Whether `incoming` says the same and knows the lines of refunds that were not known.
fn adds_details(applied: &Order, incoming: &Order) -> bool {
    alike(applied, incoming) && applied.refund_details.is_none()
}

/// Whether they say the same, but for the lines of refunds and for when that was.
fn alike(one: &Order, other: &Order) -> bool {
    let (refund_details, told_at) = (one.refund_details.clone(), one.told_at);
    *one == Order { refund_details, told_at, ..other.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_decimal::Decimal;

    use crate::order::woo::{self, Body};
    use crate::order::{Refund, money};
    use crate::time::ShopTime;

    const REST: i64 = 0;

    fn order(second: u8, status: &str, refunds: usize) -> Order {
        let refunds: Vec<_> =
            (1..=refunds).map(|id| serde_json::json!({ "id": id, "total": "-1.00" })).collect();
        let body = serde_json::json!({
            "id": 7, "status": status, "total": "30.00", "refunds": refunds,
            "date_modified_gmt": format!("2026-11-20T16:00:{second:02}"),
            "line_items": [{ "id": 1, "quantity": 3, "total": "30.00" }],
        });
        match woo::parse_delivery("order.updated", body.to_string().as_bytes(), &[]).unwrap() {
            Body::Order(order) => *order,
            other => panic!("{other:?}"),
        }
    }

    fn sighting(order: &Order, arrival: i64) -> Sighting<'_> {
        let at = Timestamp::from_millis(0);
        Sighting {
            order,
            seen: if arrival == REST { Seen::Shown { asked_at: at } } else { Seen::Told { arrival, at } },
        }
    }

    fn detailed(mut order: Order, amount: &str) -> Order {
        let amount = money::parse(amount).unwrap();
        order.refund_details =
            Some(vec![Refund { id: 1, amount, lines: Vec::new(), other: Some(Decimal::ZERO) }]);
        order
    }

    #[test]
    fn date_then_source_then_state_then_refunds_then_arrival() {
        use Verdict::{InDoubt, Newer, Older, Same};
        let wins = InDoubt { incoming_wins: true };
        let loses = InDoubt { incoming_wins: false };
        for (applied, incoming, verdict) in [
            ((1, "completed", 0, 1), (2, "pending", 0, 2), Newer),
            ((2, "pending", 0, 2), (1, "completed", 0, 3), Older),
            ((1, "processing", 0, 1), (1, "processing", 0, 2), Same),
            ((1, "processing", 0, 1), (1, "completed", 0, 2), wins),
            ((1, "completed", 0, 1), (1, "processing", 0, 2), loses),
            ((1, "shipped", 0, 1), (1, "processing", 0, 2), loses),
            ((1, "shipped", 0, 1), (1, "completed", 0, 2), wins),
            ((1, "completed", 0, 1), (1, "completed", 1, 2), wins),
            ((1, "completed", 1, 1), (1, "completed", 0, 2), loses),
            // Same state, as many refunds: the later arrival, also when the earlier one is replayed after it.
            ((1, "failed", 0, 1), (1, "cancelled", 0, 2), wins),
            ((1, "cancelled", 0, 2), (1, "failed", 0, 1), loses),
            ((1, "trash", 0, 1), (1, "refunded", 1, 2), loses),
            // The shop was asked.
            ((1, "completed", 0, 1), (1, "pending", 0, REST), Newer),
            ((2, "completed", 0, 1), (1, "completed", 1, REST), Older),
            ((1, "completed", 1, REST), (1, "completed", 0, REST), Newer),
            ((1, "completed", 0, REST), (1, "completed", 0, REST), Same),
            ((1, "completed", 0, 1), (1, "completed", 0, REST), Newer),
            ((1, "pending", 0, REST), (1, "completed", 0, 9), loses),
            ((1, "completed", 0, REST), (1, "completed", 0, 9), Same),
            ((1, "completed", 0, REST), (2, "completed", 0, 9), Newer),
        ] {
            let [one, other] =
                [applied, incoming].map(|(second, status, refunds, _)| order(second, status, refunds));
            assert_eq!(
                compare(&sighting(&one, applied.3), &sighting(&other, incoming.3)),
                verdict,
                "{applied:?} then {incoming:?}"
            );
        }
    }

    #[test]
    fn what_was_read_while_something_else_came_is_read_again() {
        let (known, read) = (order(1, "completed", 0), order(1, "completed", 1));
        let told = |ms| Seen::Told { arrival: 1, at: Timestamp::from_millis(ms) };
        let shown = |ms| Seen::Shown { asked_at: Timestamp::from_millis(ms) };
        for (applied, incoming, verdict) in [
            (told(5), shown(5), Verdict::Newer),
            (told(6), shown(5), Verdict::InDoubt { incoming_wins: false }),
            (shown(5), shown(6), Verdict::Newer),
            (shown(6), shown(5), Verdict::Older),
        ] {
            let verdict_is = compare(
                &Sighting { order: &known, seen: applied },
                &Sighting { order: &read, seen: incoming },
            );
            assert_eq!(verdict_is, verdict, "{applied:?} then {incoming:?}");
        }
    }

    #[test]
    fn what_was_deleted_comes_back_only_when_the_shop_shows_it() {
        let (paid, later) = (order(1, "completed", 0), order(2, "completed", 0));
        let gone = paid.deleted();
        let shown = |ms| Seen::Shown { asked_at: Timestamp::from_millis(ms) };
        let told = Seen::Told { arrival: 9, at: Timestamp::from_millis(9) };
        for (incoming, seen, verdict) in [
            (&later, told, Verdict::InDoubt { incoming_wins: false }),
            (&paid, told, Verdict::InDoubt { incoming_wins: false }),
            (&paid, shown(6), Verdict::Newer),
            (&later, shown(4), Verdict::Older),
            (&gone, shown(6), Verdict::Same),
        ] {
            let gone = Sighting { order: &gone, seen: shown(5) };
            assert_eq!(compare(&gone, &Sighting { order: incoming, seen }), verdict, "{seen:?}");
        }
    }

    #[test]
    fn of_one_second_what_the_shop_put_together_later_holds() {
        use Verdict::{InDoubt, Newer, Older, Same};
        let asked = InDoubt { incoming_wins: false };
        let told = |status, refunds, micros: i64| Order {
            told_at: (micros > 0).then(|| ShopTime::from_micros(micros)),
            ..order(1, status, refunds)
        };
        for (applied, incoming, verdict) in [
            // A deleted refund moves no date, and a state may go back within its second.
            (("completed", 1, 5, 1), ("completed", 0, 6, 2), Newer),
            (("completed", 0, 6, 1), ("completed", 1, 5, 2), Older),
            (("completed", 0, 5, 1), ("pending", 0, 6, 2), Newer),
            (("completed", 0, 5, 1), ("completed", 0, 6, 2), Same),
            (("completed", 0, 6, 1), ("completed", 0, 5, 2), Same),
            // One of them does not say.
            (("completed", 0, 0, 1), ("pending", 0, 6, 2), asked),
            (("completed", 0, 5, 1), ("pending", 0, 0, 2), asked),
            // What was shown is later than what was told until then; whether what is told after that is later still
            // the clocks do not say.
            (("pending", 0, 5, REST), ("completed", 0, 4, 9), Older),
            (("pending", 0, 5, REST), ("completed", 0, 5, 9), Older),
            (("pending", 0, 5, REST), ("completed", 0, 6, 9), asked),
            (("pending", 0, 0, REST), ("completed", 0, 6, 9), asked),
            (("completed", 1, 5, 1), ("completed", 0, 0, REST), Newer),
            // Deleted for good.
            (("completed", 0, 5, 1), (DELETED, 0, 6, 2), Newer),
            (("completed", 0, 6, 1), (DELETED, 0, 5, 2), Older),
            (("completed", 0, 0, 1), (DELETED, 0, 5, 2), InDoubt { incoming_wins: true }),
            (("completed", 0, 0, REST), (DELETED, 0, 5, 2), InDoubt { incoming_wins: true }),
            ((DELETED, 0, 6, 1), ("completed", 0, 5, 2), Older),
            ((DELETED, 0, 6, 1), ("completed", 0, 0, 2), asked),
            ((DELETED, 0, 6, 1), ("completed", 0, 7, 2), Newer),
            ((DELETED, 0, 6, 1), ("completed", 0, 0, REST), Newer),
            ((DELETED, 0, 6, 1), (DELETED, 0, 7, 2), Same),
            ((DELETED, 0, 6, REST), ("completed", 0, 7, 2), asked),
        ] {
            let one = told(applied.0, applied.1, applied.2);
            let other = told(incoming.0, incoming.1, incoming.2);
            let verdict_is = compare(&sighting(&one, applied.3), &sighting(&other, incoming.3));
            assert_eq!(verdict_is, verdict, "{applied:?} then {incoming:?}");
        }
        // The date comes first: it is by the same clock.
        let later = Order { told_at: Some(ShopTime::from_micros(1)), ..order(2, "pending", 0) };
        let earlier = told("completed", 0, 9);
        assert_eq!(compare(&sighting(&earlier, 1), &sighting(&later, 2)), Newer);
    }

    #[test]
    fn the_lines_of_refunds_are_news_once() {
        let thin = order(1, "completed", 1);
        let rich = detailed(thin.clone(), "1.00");
        assert_eq!(compare(&sighting(&thin, 1), &sighting(&rich, 2)), Verdict::Newer);
        assert_eq!(compare(&sighting(&rich, 1), &sighting(&rich, 2)), Verdict::Same);
        assert_eq!(compare(&sighting(&rich, 1), &sighting(&thin, 2)), Verdict::Same);
        assert_eq!(compare(&sighting(&rich, REST), &sighting(&thin, 2)), Verdict::Same);
        // Deleted and made again within a second, as the shop shows it.
        let other = detailed(thin.clone(), "0.50");
        assert_eq!(compare(&sighting(&rich, REST), &sighting(&other, REST)), Verdict::Newer);
    }

    #[test]
    fn deliveries_of_one_second_end_in_one_state_whatever_way_they_come() {
        let states: Vec<(Order, i64)> =
            [("processing", 0), ("completed", 0), ("completed", 1), ("completed", 1), ("refunded", 1)]
                .into_iter()
                .zip(1..)
                .map(|((status, refunds), arrival)| {
                    let mut order = order(1, status, refunds);
                    order.number = arrival.to_string();
                    (order, arrival)
                })
                .collect();
        // Every rotation, forwards and backwards, without and with the last state.
        for count in [states.len() - 1, states.len()] {
            for start in 0..count {
                for backwards in [false, true] {
                    let mut applied = &states[start];
                    for step in 1..count {
                        let at = (start + if backwards { count - step } else { step }) % count;
                        let incoming = &states[at];
                        let verdict =
                            compare(&sighting(&applied.0, applied.1), &sighting(&incoming.0, incoming.1));
                        if verdict == (Verdict::InDoubt { incoming_wins: true }) {
                            applied = incoming;
                        }
                    }
                    assert_eq!(applied.1, i64::try_from(count).unwrap());
                }
            }
        }
    }
}
