//! What the writer remembers of what lines are judged by.
//!
//! It holds as long as no product, category or package is written: then the writer forgets all it remembers
//! ([`crate::db::Memory`]).

use super::worth::{CategoryTree, Known, Line};
use super::{Package, ProductFacts};
use crate::db::Tx;
use crate::recent::Recent;
use crate::shop::Store;

/// For how many products it is remembered: more than one shop sells at a time.
const KEPT_MAX: usize = 1024;

#[derive(Debug)]
struct Kept(Recent<Key, Facts>);

impl Default for Kept {
    fn default() -> Self {
        Self(Recent::of(KEPT_MAX))
    }
}

/// What decides what is known: store, product, variation, and the stock keeping unit that the order shows.
type Key = (i64, i64, i64, String);

#[derive(Clone, Debug)]
struct Facts {
    product: Option<ProductFacts>,
    variation: Option<ProductFacts>,
    packages: Vec<Package>,
    categories: CategoryTree,
}

fn key(store: &Store, line: &Line<'_>) -> Key {
    (store.id, line.product_id, line.variation_id, line.sku.to_owned())
}

/// What is remembered about a line's product.
pub(super) fn recall<'s>(tx: &mut Tx<'_>, store: &'s Store, line: &Line<'_>) -> Option<Known<'s>> {
    let facts = tx.memory()?.of::<Kept>().0.get(&key(store, line))?.clone();
    let Facts { product, variation, packages, categories } = facts;
    Some(Known { store, product, variation, packages, categories })
}

/// Remembers what is known about a line's product.
pub(super) fn keep(tx: &mut Tx<'_>, line: &Line<'_>, known: &Known<'_>) {
    let Some(memory) = tx.memory() else { return };
    let Known { store, product, variation, packages, categories } = known.clone();
    let facts = Facts { product, variation, packages, categories };
    memory.of::<Kept>().0.put(key(store, line), facts);
}
