//! Which slices pay, and in what order. Pure: no database, no clock.

use std::borrow::Borrow;

use super::slice::{Compartment, Slice};
use crate::time::Timestamp;
use crate::units::Credits;

/// What one slice gives: its position in the list that was asked, and how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The slice's position in the list.
    pub slice: usize,
    /// What it gives; never zero.
    pub credits: Credits,
}

/// There is not enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Short {
    /// All that could have been taken.
    pub available: Credits,
}

/// The slices that pay `amount`, in burn-down order, all or nothing: priority, soonest expiry, site before
/// pool, oldest effective, oldest grant. What is not spendable at `now` takes no part.
pub fn plan<S: Borrow<Slice>>(slices: &[S], amount: Credits, now: Timestamp) -> Result<Vec<Part>, Short> {
    plan_from(slices, amount, now, |_| true)
}

/// As [`plan`], where only those slices pay that `may`.
pub fn plan_from<S: Borrow<Slice>>(
    slices: &[S],
    amount: Credits,
    now: Timestamp,
    may: impl Fn(&Slice) -> bool,
) -> Result<Vec<Part>, Short> {
    let slice = |at: usize| slices[at].borrow();
    let mut order: Vec<usize> = (0..slices.len())
        .filter(|&at| slice(at).is_spendable(now) && !slice(at).remaining.is_zero() && may(slice(at)))
        .collect();
    order.sort_by_key(|&at| rank(slice(at)));
    let mut missing = amount;
    let mut parts = Vec::new();
    for at in order {
        if missing.is_zero() {
            break;
        }
        let credits = missing.min(slice(at).remaining);
        missing = missing.saturating_sub(credits);
        parts.push(Part { slice: at, credits });
    }
    if missing.is_zero() { Ok(parts) } else { Err(Short { available: amount.saturating_sub(missing) }) }
}

fn rank(slice: &Slice) -> (i64, Timestamp, bool, Timestamp, i64) {
    (
        slice.priority,
        slice.expires_at.unwrap_or(Timestamp::from_millis(i64::MAX)),
        slice.compartment == Compartment::Pool,
        slice.effective_at,
        slice.grant_seq,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::GrantId;
    use crate::ledger::slice::Category;

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    fn slice(grant_seq: i64, remaining: &str, change: impl FnOnce(&mut Slice)) -> Slice {
        let remaining: Credits = remaining.parse().unwrap();
        let mut slice = Slice {
            grant: GrantId::new(),
            grant_seq,
            compartment: Compartment::Pool,
            category: Category::Paid,
            priority: Category::Paid.priority(),
            label: String::new(),
            grant_amount: remaining,
            remaining,
            held: Credits::ZERO,
            effective_at: Timestamp::from_millis(0),
            expires_at: None,
            frozen: false,
            voided: false,
            order: None,
        };
        change(&mut slice);
        slice
    }

    fn taken(slices: &[Slice], amount: &str) -> Result<Vec<(i64, String)>, String> {
        plan(slices, amount.parse().unwrap(), NOW)
            .map(|parts| {
                parts.iter().map(|part| (slices[part.slice].grant_seq, part.credits.to_string())).collect()
            })
            .map_err(|short| short.available.to_string())
    }

    #[test]
    fn the_order_is_priority_expiry_site_effective_and_sequence() {
        let site = || Compartment::Site("s".parse().unwrap());
        let slices = [
            slice(6, "1", |_| {}),
            slice(5, "1", |s| s.effective_at = Timestamp::from_millis(-5)),
            slice(4, "1", |s| s.compartment = site()),
            slice(3, "1", |s| s.expires_at = Some(Timestamp::from_millis(9_000))),
            slice(2, "1", |s| s.priority = Category::Bonus.priority()),
            slice(1, "1", |s| s.priority = Category::Recurring.priority()),
            slice(7, "1", |_| {}),
        ];
        let order: Vec<i64> = taken(&slices, "7").unwrap().into_iter().map(|(seq, _)| seq).collect();
        assert_eq!(order, [1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn what_is_not_good_now_is_not_taken() {
        let slices = [
            slice(1, "5", |s| s.frozen = true),
            slice(2, "5", |s| s.voided = true),
            slice(3, "5", |s| s.expires_at = Some(NOW)),
            slice(4, "5", |s| s.effective_at = NOW.plus_millis(1)),
            slice(5, "2", |s| s.expires_at = Some(NOW.plus_millis(1))),
        ];
        assert_eq!(taken(&slices, "2").unwrap(), [(5, "2".to_owned())]);
        assert_eq!(taken(&slices, "2.000001").unwrap_err(), "2");
    }

    #[test]
    fn the_last_slice_pays_only_what_is_missing() {
        let slices = [slice(1, "3", |_| {}), slice(2, "3", |_| {})];
        assert_eq!(taken(&slices, "4.5").unwrap(), [(1, "3".to_owned()), (2, "1.5".to_owned())]);
    }
}
