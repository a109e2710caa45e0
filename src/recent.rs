//! What was used last, by a key and within a bound: for all that is remembered. Pure: no database, no clock.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

/// Values by key. When there are as many new ones as may be, those before them are old, and what was old is
/// forgotten; an old one that is asked for is new again.
#[derive(Clone, Debug)]
pub struct Recent<K, V> {
    new: HashMap<K, Kept<V>>,
    old: HashMap<K, Kept<V>>,
    /// What the new ones weigh.
    weight: usize,
    most: Most,
}

/// How much is remembered.
#[derive(Clone, Copy, Debug)]
struct Most {
    number: usize,
    weight: usize,
}

#[derive(Clone, Debug)]
struct Kept<V> {
    value: V,
    weight: usize,
}

impl<K: Eq + Hash, V> Recent<K, V> {
    /// Nothing yet; at most so many.
    #[must_use]
    pub fn of(number: usize) -> Self {
        Self::weighing(number, usize::MAX)
    }

    /// Nothing yet; at most so many, and no more than weigh so much together.
    #[must_use]
    pub fn weighing(number: usize, weight: usize) -> Self {
        // Half of it is new, and half old.
        let most = Most { number: number / 2, weight: weight / 2 };
        Self { new: HashMap::new(), old: HashMap::new(), weight: 0, most }
    }

    /// The value of a key, if it is remembered.
    pub fn get<Q>(&mut self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        if let Some((key, kept)) = self.old.remove_entry(key) {
            self.keep(key, kept);
        }
        self.new.get(key).map(|kept| &kept.value)
    }

    /// Takes the value of a key out.
    pub fn take<Q>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.forget_new(key).or_else(|| self.old.remove(key).map(|kept| kept.value))
    }

    /// Remembers a value.
    pub fn put(&mut self, key: K, value: V) {
        self.put_weighing(key, value, 0);
    }

    /// Remembers a value that weighs so much.
    pub fn put_weighing(&mut self, key: K, value: V, weight: usize) {
        self.old.remove(&key);
        self.keep(key, Kept { value, weight });
    }

    fn keep(&mut self, key: K, kept: Kept<V>) {
        self.forget_new(&key);
        if self.new.len() >= self.most.number || self.weight.saturating_add(kept.weight) > self.most.weight {
            self.old = std::mem::take(&mut self.new);
            self.weight = 0;
        }
        self.weight += kept.weight;
        self.new.insert(key, kept);
    }

    fn forget_new<Q>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let Kept { value, weight } = self.new.remove(key)?;
        self.weight -= weight;
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stays_and_there_is_never_more_than_may_be() {
        let mut recent = Recent::weighing(100, 400);
        for number in 0..1000_usize {
            recent.put_weighing(number, number, 10);
            assert_eq!(recent.get(&0), Some(&0));
            assert!(
                recent.new.len() + recent.old.len() <= 42,
                "{} and {}",
                recent.new.len(),
                recent.old.len()
            );
            let weight: usize = recent.new.values().map(|kept| kept.weight).sum();
            assert_eq!(recent.weight, weight);
        }
        assert_eq!(recent.get(&999), Some(&999));
        assert_eq!(recent.get(&1), None);
        recent.put_weighing(999, 7, 10);
        assert_eq!(recent.get(&999), Some(&7));
        assert_eq!(recent.take(&999), Some(7));
        assert_eq!(recent.take(&999), None);
    }

    #[test]
    fn the_number_alone_may_bound_it() {
        let mut recent = Recent::of(10);
        for number in 0..100 {
            recent.put(number, ());
            assert!(recent.new.len() + recent.old.len() <= 10);
        }
        assert_eq!([99, 90, 89, 0].map(|number| recent.get(&number).is_some()), [true, true, false, false]);
    }
}
