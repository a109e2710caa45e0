//! Which orders the writer knows to be new, without looking for them.
//!
//! Shops number their orders upwards. Of each store the writer remembers the highest number that was ever heard of, as
//! it read it, and the orders above it that were heard of since. What is neither is new: no delivery spoke of it, no
//! state of it is known, nothing was granted for it.

use std::collections::{HashMap, HashSet};

use super::store;
use crate::db::{self, Tx};

/// How many orders above the highest are remembered before it is raised.
const ABOVE_MAX: usize = 4096;

#[derive(Debug, Default)]
struct Heard(HashMap<i64, Orders>);

#[derive(Debug)]
struct Orders {
    highest: i64,
    above: HashSet<i64>,
}

/// Whether nobody ever told of this order. Only the writer can say so; `false` means that it must be looked for.
pub(crate) fn is_new(tx: &mut Tx<'_>, store: i64, order: i64) -> Result<bool, db::Error> {
    let Some(memory) = tx.memory() else { return Ok(false) };
    if let Some(orders) = memory.of::<Heard>().0.get(&store) {
        return Ok(order > orders.highest && !orders.above.contains(&order));
    }
    let highest = store::highest(tx, store)?;
    if let Some(memory) = tx.memory() {
        memory.of::<Heard>().0.insert(store, Orders { highest, above: HashSet::new() });
    }
    Ok(order > highest)
}

/// Notes that somebody told of an order. Whoever writes a row about one has to.
pub(crate) fn note(tx: &mut Tx<'_>, store: i64, order: i64) {
    let Some(memory) = tx.memory() else { return };
    let Some(orders) = memory.of::<Heard>().0.get_mut(&store) else { return };
    if order <= orders.highest {
        return;
    }
    orders.above.insert(order);
    if orders.above.len() > ABOVE_MAX {
        orders.highest = orders.above.drain().max().unwrap_or(orders.highest);
    }
}
