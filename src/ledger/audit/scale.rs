//! Whether two lists hold the same amounts under the same names, without keeping either.
//!
//! Every name stands for a random number of 64 bits. What one list holds is multiplied by its names' numbers and added
//! up, what the other holds is taken off: nothing is left when they are the same. When they are not, nothing is left
//! once in 2⁶⁴ times, and the numbers are others in each proof.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

/// Gives names their numbers.
#[derive(Debug, Default)]
pub(super) struct Scale {
    secret: RandomState,
}

impl Scale {
    /// The number of what is called `names`, of the sort `sort`.
    pub(super) fn number(&self, sort: Sort, names: &[&str]) -> u64 {
        self.secret.hash_one((sort, names))
    }
}

/// What a name is a name of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Sort {
    /// A grant, whatever of it.
    Grant,
    /// What remains of a grant in a compartment.
    Remaining,
    /// What is held of a grant in a compartment.
    Held,
    /// What a compartment owes.
    Debt,
    /// What left a grant: by a kind of entry.
    Tally,
    /// What a debit took.
    Debit,
    /// A debit's first entry.
    First,
    /// A debit's last entry.
    Last,
    /// What a reversal gave back.
    Reversal,
    /// What was given back of a debit.
    Reversed,
    /// What was captured, by account, site and assistant.
    Counter,
    /// What was captured in an hour, by account and site.
    Hour,
    /// What was spent in an hour, by account, site, assistant and action.
    Use,
    /// The first entry of an account that spends in an hour.
    FirstOfHour,
    /// The last.
    LastOfHour,
    /// An account.
    Account,
}

/// What is on the scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Balance(i128);

impl Balance {
    /// Puts so much of `number` on it; off it, when it is negative.
    pub(super) fn add(&mut self, number: u64, amount: i64) {
        self.0 = self.0.wrapping_add(i128::from(number).wrapping_mul(i128::from(amount)));
    }

    /// Whether both sides are the same.
    pub(super) fn is_even(self) -> bool {
        self.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_lists_balance_in_any_order_and_others_do_not() {
        let scale = Scale::default();
        let number = |name| scale.number(Sort::Debit, &[name]);
        let mut balance = Balance::default();
        for (name, amount) in [("a", 3), ("b", i64::MAX), ("a", 4)] {
            balance.add(number(name), amount);
        }
        for (name, amount) in [("b", i64::MAX), ("a", 7)] {
            assert!(!balance.is_even());
            balance.add(number(name), -amount);
        }
        assert!(balance.is_even());
        balance.add(number("a"), 1);
        balance.add(number("b"), -1);
        assert!(!balance.is_even(), "the same amount under another name");
        assert_ne!(scale.number(Sort::Held, &["ab", "c"]), scale.number(Sort::Held, &["a", "bc"]));
    }
}
