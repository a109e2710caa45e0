//! Reading a shop's Tokens products all at once.

use std::collections::BTreeSet;

use serde::Serialize;

use super::store;
use super::worth::{CategoryTree, Line};
use super::{ProductFacts, ShopCategory, lookup, woo};
use crate::db::{self, Db, Keep};
use crate::shop::rest::{self, Rest};
use crate::shop::{self, Store, trouble};

/// More products and variations than are sold as credits anywhere; they are learned in one transaction.
pub const PRODUCTS_MAX: usize = 20_000;

/// Why a shop was not read. Nothing was learned.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The shop did not answer.
    #[error(transparent)]
    Shop(#[from] rest::Error),
    /// None of the categories whose products grant credits exists.
    #[error("the shop has no category with the slug {}; its categories: {}", .wanted.join(" or "), .found.join(", "))]
    NoTokensCategory {
        /// The slugs that were looked for.
        wanted: Vec<String>,
        /// The slugs there are, as many as fit a line.
        found: Vec<String>,
    },
    /// A category of the whole catalogue was named.
    #[error(
        "the Tokens categories hold more than {PRODUCTS_MAX} products; is that really the category of credits?"
    )]
    TooMany,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] db::Error),
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Products and variations read.
    pub read: u64,
    /// How many there are, as far as the shop said so.
    pub total: Option<u64>,
}

/// What was learned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Categories the shop has.
    pub categories: usize,
    /// Products in its Tokens categories, without variations.
    pub products: usize,
    /// Variations of them.
    pub variations: usize,
    /// Of both, how many were new or changed since they were last read.
    pub changed: usize,
    /// Slugs of Tokens categories that the shop does not have.
    pub missing_categories: Vec<String>,
    /// Of both, those on sale of which nobody said how many credits they bring.
    pub without_credits: Vec<WithoutCredits>,
}

/// A product on sale that would park its orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WithoutCredits {
    /// The product.
    pub product_id: i64,
    /// The variation; 0 for none.
    pub variation_id: i64,
    /// What it is called.
    pub name: String,
    /// What is missing, with what to do.
    pub reason: String,
}

/// Reads the shop's categories and all products and variations in its Tokens categories, and learns them in
/// one transaction; with [`Keep::Nothing`] it only reports.
///
/// # Errors
/// [`Error`]; then nothing was learned.
pub async fn sync(
    rest: &Rest,
    db: &Db,
    store: &Store,
    keep: Keep,
    mut progress: impl FnMut(Step),
) -> Result<Report, Error> {
    let categories = lookup::categories(rest).await?;
    let (tops, missing_categories) = tokens_categories(&categories, store);
    if tops.is_empty() {
        let found = categories.iter().take(20).map(|category| shop::slug(&category.slug)).collect();
        return Err(Error::NoTokensCategory { wanted: store.tokens_categories.clone(), found });
    }
    let products = read_products(rest, &tops, &mut progress).await?;

    let (db, store) = (db.clone(), store.clone());
    let learned = tokio::task::spawn_blocking(move || {
        db.write_blocking("catalog::sync", keep, move |tx| {
            let mut report = Report { categories: categories.len(), missing_categories, ..Report::default() };
            learn(tx, &store, &categories, &products, &mut report)?;
            Ok::<_, db::Error>(report)
        })
    });
    Ok(learned.await.unwrap_or(Err(db::Error::Closed))?)
}

fn learn(
    tx: &mut db::Tx<'_>,
    store: &Store,
    categories: &[ShopCategory],
    products: &[ProductFacts],
    report: &mut Report,
) -> Result<(), db::Error> {
    store::learn_categories(tx, store.id, categories)?;
    store::retry(tx, store.id)?;
    for facts in products {
        let known = store::product(tx, store.id, facts.id)?;
        if known.as_ref() != Some(facts) && store::learn_product(tx, store.id, facts)? {
            report.changed += 1;
        }
        if facts.parent_id == 0 {
            report.products += 1;
        } else {
            report.variations += 1;
        }
    }
    let with_variations: BTreeSet<i64> = products.iter().map(|facts| facts.parent_id).collect();
    for facts in products.iter().filter(|facts| facts.on_sale_now && !with_variations.contains(&facts.id)) {
        let line = match facts.parent_id {
            0 => Line { product_id: facts.id, ..Line::default() },
            parent => Line { product_id: parent, variation_id: facts.id, ..Line::default() },
        };
        if let Some(gap) = store::judge(tx, store, &line)?.gap() {
            report.without_credits.push(WithoutCredits {
                product_id: line.product_id,
                variation_id: line.variation_id,
                name: facts.name.clone(),
                reason: gap.reason.clone(),
            });
        }
    }
    Ok(())
}

/// The Tokens categories that lie below no other (asked for one, the shop lists the products of those below
/// it too), and the slugs that no category has.
fn tokens_categories(categories: &[ShopCategory], store: &Store) -> (Vec<i64>, Vec<String>) {
    let mut tree = CategoryTree::default();
    for category in categories {
        tree.insert(category.id, &category.slug, Some(category.parent_id));
    }
    let is_listed = |category: &&ShopCategory| store.tokens_categories.contains(&shop::slug(&category.slug));
    let tops = categories
        .iter()
        .filter(is_listed)
        .filter(|category| category.parent_id == 0 || tree.is_tokens(category.parent_id, store) != Some(true))
        .map(|category| category.id)
        .collect();
    let missing = store
        .tokens_categories
        .iter()
        .filter(|slug| !categories.iter().any(|category| shop::slug(&category.slug) == **slug))
        .cloned()
        .collect();
    (tops, missing)
}

async fn read_products(
    rest: &Rest,
    categories: &[i64],
    progress: &mut impl FnMut(Step),
) -> Result<Vec<ProductFacts>, Error> {
    let mut seen = BTreeSet::new();
    let mut products = Vec::new();
    let mut step = Step { read: 0, total: None };
    for &category in categories {
        let mut pages = rest.products_in_category(category);
        let mut is_first = true;
        while let Some(page) = pages.next().await? {
            if std::mem::take(&mut is_first) {
                step.total = page.total.map(|total| step.total.unwrap_or(0) + total);
            }
            for item in &page.items {
                step.read += 1;
                let body = item.get().as_bytes();
                let facts =
                    woo::product(body).map_err(|error| trouble::unreadable("product", body, error))?;
                if !seen.insert(facts.id) {
                    continue;
                }
                let variations = read_variations(rest, &facts, item.get()).await?;
                step.read += variations.len() as u64;
                step.total = step.total.map(|total| total + variations.len() as u64);
                products.push(facts);
                products.extend(variations);
                if products.len() > PRODUCTS_MAX {
                    return Err(Error::TooMany);
                }
                progress(step);
            }
        }
    }
    Ok(products)
}

async fn read_variations(
    rest: &Rest,
    parent: &ProductFacts,
    parent_json: &str,
) -> Result<Vec<ProductFacts>, Error> {
    if !woo::has_variations(parent_json.as_bytes()) {
        return Ok(Vec::new());
    }
    let mut variations = Vec::new();
    let mut pages = rest.variations_of(parent.id);
    while let Some(page) = pages.next().await? {
        for item in &page.items {
            let body = item.get().as_bytes();
            let listed = woo::variation(body, parent)
                .map_err(|error| trouble::unreadable("variation", body, error))?;
            // Only on its own does the shop write a variation's price as a customer sees it.
            let single = if listed.on_sale_now { rest.product(listed.id).await? } else { None };
            variations.push(match single {
                Some(body) => {
                    woo::product(&body).map_err(|error| trouble::unreadable("variation", &body, error))?
                }
                None => listed,
            });
        }
    }
    Ok(variations)
}
