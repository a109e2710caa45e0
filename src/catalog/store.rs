//! Products, categories, packages and lookups in the database.

use std::collections::BTreeSet;

use super::kept;
use super::terms::Terms;
use super::told::Facts;
use super::worth::{self, Basis, CategoryTree, Decision, Known, Line, Origin, decide};
use super::{CategoryRef, Package, PackageForSale, ProductFacts, ShopCategory, Subject, Target};
use crate::db::{self, FromColumn, Row, Tx};
use crate::params;
use crate::shop::rest::Access;
use crate::shop::{self, Store, StoreName};
use crate::time::{ShopTime, Timestamp};
use crate::units::Credits;

// Facts ------------------------------------------------------------------------------------------------

/// Keeps what a shop said about a product, unless something newer is known; says whether it was kept.
///
/// The same second counts as newer: the shop's dates are whole seconds, and what arrives later was built
/// later.
pub fn learn_product(tx: &mut Tx<'_>, store_id: i64, facts: &ProductFacts) -> Result<bool, db::Error> {
    if !keep_product(tx, store_id, facts)? {
        return Ok(false);
    }
    for category in facts.categories.iter().flatten() {
        keep_category_name(tx, store_id, category)?;
    }
    Ok(true)
}

fn keep_product(tx: &mut Tx<'_>, store_id: i64, facts: &ProductFacts) -> Result<bool, db::Error> {
    let categories = facts
        .categories
        .as_ref()
        .map(|list| list.iter().map(|category| category.id).collect::<serde_json::Value>().to_string());
    let terms = (!facts.terms.is_empty()).then(|| serde_json::json!(facts.terms).to_string());
    let kept = tx.execute(
        "-- catalog::store::keep_product
         INSERT INTO product (store_id, product_id, parent_id, name, sku, permalink, price_html, on_sale_now,
                              credits, categories, modified_at, terms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         ON CONFLICT (store_id, product_id) DO UPDATE
         SET parent_id = excluded.parent_id, name = excluded.name, sku = excluded.sku,
             permalink = excluded.permalink, price_html = excluded.price_html,
             on_sale_now = excluded.on_sale_now, credits = excluded.credits,
             categories = excluded.categories, modified_at = excluded.modified_at, terms = excluded.terms
         WHERE product.modified_at <= excluded.modified_at",
        params![
            store_id,
            facts.id,
            facts.parent_id,
            &facts.name,
            &facts.sku,
            &facts.permalink,
            &facts.price_html,
            facts.on_sale_now,
            facts.credits,
            categories.as_deref(),
            facts.modified_at,
            terms.as_deref(),
        ],
    )?;
    Ok(kept > 0)
}

/// Notes that a shop told something of a product or a category at `told_at`, by its own clock; answers whether nothing
/// was told of it later.
pub fn hear(tx: &mut Tx<'_>, store_id: i64, subject: Heard, told_at: ShopTime) -> Result<bool, db::Error> {
    let (kind, id) = match subject {
        Heard::Product(id) => ("product", id),
        Heard::Category(id) => ("category", id),
    };
    let written = tx.execute(
        "-- catalog::store::hear
         INSERT INTO told (store_id, kind, subject_id, told_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (store_id, kind, subject_id) DO UPDATE SET told_at = excluded.told_at
         WHERE told.told_at < excluded.told_at",
        params![store_id, kind, id, told_at.micros()],
    )?;
    Ok(written > 0)
}

/// What a shop tells of by the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A product or a variation.
    Product(i64),
    /// A category.
    Category(i64),
}

/// Learns what the shop's plugin told by the way; answers whether any of it was new. What was told before something
/// that is known already changes nothing, however late it comes.
pub fn learn_told(tx: &mut Tx<'_>, store_id: i64, facts: &Facts) -> Result<bool, db::Error> {
    let mut is_news = false;
    for told in &facts.categories {
        let known = category(tx, store_id, told.id)?;
        let is_known = known.is_some_and(|(slug, name, parent)| {
            (slug.as_str(), name.as_str(), parent) == (&told.slug, &told.name, Some(told.parent_id))
        });
        if hear(tx, store_id, Heard::Category(told.id), facts.told_at)? && !is_known {
            keep_category(tx, store_id, told)?;
            is_news = true;
        }
    }
    for told in &facts.products {
        let id = told.facts.id;
        if !hear(tx, store_id, Heard::Product(id), facts.told_at)? {
            continue;
        }
        let known = product(tx, store_id, id)?;
        // The shop's dates are by the same clock: what was changed later is not yet in this.
        if known.as_ref().is_some_and(|known| known.modified_at > facts.told_at.date()) {
            continue;
        }
        let now = told.beside(known.as_ref());
        if known.as_ref() != Some(&now) {
            is_news |= keep_product(tx, store_id, &now)?;
        }
        // As a rule they are told of as well; one that is not is at least known by its name.
        for named in now.categories.iter().flatten() {
            if category(tx, store_id, named.id)?.is_none() {
                keep_category_name(tx, store_id, named)?;
            }
        }
    }
    Ok(is_news)
}

/// Notes that a product went to the trash. What it was worth stays known, for orders that are still to come.
pub fn forget_sale(tx: &mut Tx<'_>, store_id: i64, product_id: i64) -> Result<(), db::Error> {
    tx.execute(
        "-- catalog::store::forget_sale
         UPDATE product SET on_sale_now = 0 WHERE store_id = $1 AND product_id = $2",
        params![store_id, product_id],
    )?;
    Ok(())
}

/// Replaces the tree of categories by what the shop's own list says.
///
/// A category that a product named but the list does not show (it was deleted, or a plugin hides it) becomes
/// a root, taken at face value: to ask for it again would not help.
pub fn learn_categories(
    tx: &mut Tx<'_>,
    store_id: i64,
    categories: &[ShopCategory],
) -> Result<(), db::Error> {
    tx.execute(
        "-- catalog::store::learn_categories (roots)
         UPDATE category SET parent_id = 0 WHERE store_id = $1",
        params![store_id],
    )?;
    for category in categories {
        keep_category(tx, store_id, category)?;
    }
    Ok(())
}

/// What lies above it stays as it is known, or unknown.
fn keep_category_name(tx: &mut Tx<'_>, store_id: i64, category: &CategoryRef) -> Result<(), db::Error> {
    tx.execute(
        "-- catalog::store::keep_category_name
         INSERT INTO category (store_id, category_id, parent_id, slug, name) VALUES ($1, $2, NULL, $3, $4)
         ON CONFLICT (store_id, category_id) DO UPDATE SET slug = excluded.slug, name = excluded.name",
        params![store_id, category.id, &category.slug, &category.name],
    )?;
    Ok(())
}

fn keep_category(tx: &mut Tx<'_>, store_id: i64, category: &ShopCategory) -> Result<(), db::Error> {
    tx.execute(
        "-- catalog::store::keep_category
         INSERT INTO category (store_id, category_id, parent_id, slug, name) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (store_id, category_id) DO UPDATE
         SET parent_id = excluded.parent_id, slug = excluded.slug, name = excluded.name",
        params![store_id, category.id, category.parent_id, &category.slug, &category.name],
    )?;
    Ok(())
}

/// What is known about a product or a variation.
pub fn product(tx: &mut Tx<'_>, store_id: i64, product_id: i64) -> Result<Option<ProductFacts>, db::Error> {
    let found = tx.query_opt(
        "-- catalog::store::product
         SELECT product_id, parent_id, name, sku, permalink, price_html, on_sale_now, credits, modified_at,
                categories, terms
         FROM product WHERE store_id = $1 AND product_id = $2",
        params![store_id, product_id],
        |row| {
            let facts = ProductFacts {
                id: row.get(0)?,
                parent_id: row.get(1)?,
                name: row.get(2)?,
                sku: row.get(3)?,
                permalink: row.get(4)?,
                price_html: row.get(5)?,
                on_sale_now: row.get(6)?,
                credits: row.get(7)?,
                modified_at: row.get(8)?,
                categories: None,
                terms: match Option::<String>::from_column(row, 10)? {
                    None => Terms::default(),
                    Some(text) => serde_json::from_str(&text)
                        .map_err(|_| db::Error::Column { column: 10, found: text })?,
                },
            };
            Ok((facts, ids_column(row, 9)?))
        },
    )?;
    let Some((mut facts, ids)) = found else {
        return Ok(None);
    };
    if let Some(ids) = ids {
        let mut categories = Vec::with_capacity(ids.len());
        for id in ids {
            let (slug, name, _) = category(tx, store_id, id)?.unwrap_or_default();
            categories.push(CategoryRef { id, slug, name });
        }
        facts.categories = Some(categories);
    }
    Ok(Some(facts))
}

fn ids_column(row: &Row<'_>, column: usize) -> Result<Option<Vec<i64>>, db::Error> {
    let Some(text) = Option::<String>::from_column(row, column)? else {
        return Ok(None);
    };
    serde_json::from_str(&text).map_err(|_| db::Error::Column { column, found: text })
}

/// A category's slug, name and parent.
fn category(
    tx: &mut Tx<'_>,
    store_id: i64,
    id: i64,
) -> Result<Option<(String, String, Option<i64>)>, db::Error> {
    tx.query_opt(
        "-- catalog::store::category
         SELECT slug, name, parent_id FROM category WHERE store_id = $1 AND category_id = $2",
        params![store_id, id],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )
}

/// The given categories and all that lie above them, as far as known.
fn ancestry(tx: &mut Tx<'_>, store_id: i64, ids: Vec<i64>) -> Result<CategoryTree, db::Error> {
    let mut tree = CategoryTree::default();
    let mut open = ids;
    while let Some(id) = open.pop() {
        if tree.contains(id) {
            continue;
        }
        if let Some((slug, _, parent)) = category(tx, store_id, id)? {
            tree.insert(id, &slug, parent);
            open.extend(parent.filter(|parent| *parent != 0));
        }
    }
    Ok(tree)
}

// Worth ------------------------------------------------------------------------------------------------

/// Decides what an order line is and what it brings, from all that is known about its product now.
pub fn judge(tx: &mut Tx<'_>, store: &Store, line: &Line<'_>) -> Result<Decision, db::Error> {
    Ok(decide(line, &known(tx, store, line)?))
}

/// [`judge`], and who says now what the line brings, if that is known.
pub fn judge_with_origin(
    tx: &mut Tx<'_>,
    store: &Store,
    line: &Line<'_>,
) -> Result<(Decision, Option<Origin>), db::Error> {
    Ok(worth::weigh(line, &known(tx, store, line)?))
}

fn known<'s>(tx: &mut Tx<'_>, store: &'s Store, line: &Line<'_>) -> Result<Known<'s>, db::Error> {
    if let Some(known) = kept::recall(tx, store, line) {
        return Ok(known);
    }
    let mut load = |id: i64| {
        if id > 0 { product(tx, store.id, id) } else { Ok(None) }
    };
    let mut variation = load(line.variation_id)?;
    let mut product = load(line.product_id)?;
    if variation.is_none() && product.as_ref().is_some_and(|product| product.parent_id > 0) {
        variation = product.take();
    }
    let parent_id = variation.as_ref().map_or(0, |variation| variation.parent_id);
    if parent_id > 0 && product.as_ref().is_none_or(|product| product.id != parent_id) {
        product = load(parent_id)?;
    }
    let mut packages = Vec::new();
    for target in Known::targets(line, variation.as_ref(), product.as_ref()) {
        packages.extend(package(tx, store.id, &target)?);
    }
    let ids = product.iter().flat_map(|product| product.categories.iter().flatten());
    let ids = ids.map(|category| category.id).collect();
    let categories = ancestry(tx, store.id, ids)?;
    let known = Known { store, product, variation, packages, categories };
    kept::keep(tx, line, &known);
    Ok(known)
}

// Packages ---------------------------------------------------------------------------------------------

/// Why a package was not set. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It would grant nothing.
    #[error(
        "a package brings more than 0 credits; for a product that brings none, take it out of the Tokens category"
    )]
    NoCredits,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] db::Error),
}

/// What setting a package changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Set {
    /// There was none for that product.
    Added,
    /// There was this one.
    Replaced(Package),
    /// It was set just so before.
    Unchanged,
}

/// Sets what a product grants from now on; orders that were granted keep what they got.
///
/// # Errors
/// [`Error::NoCredits`].
pub fn set_package(tx: &mut Tx<'_>, store_id: i64, new: &Package) -> Result<Set, Error> {
    let (credits, rate) = match new.basis {
        Basis::PerUnit(credits) => (Some(credits), None),
        Basis::PerCurrencyUnit(rate) => (None, Some(rate)),
    };
    if credits.or(rate).is_none_or(Credits::is_zero) {
        return Err(Error::NoCredits);
    }
    let old = package(tx, store_id, &new.target)?;
    if old.as_ref() == Some(new) {
        return Ok(Set::Unchanged);
    }
    tx.execute(
        "-- catalog::store::set_package
         INSERT INTO package (store_id, target, credits, rate, validity, category, label)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (store_id, target) DO UPDATE
         SET credits = excluded.credits, rate = excluded.rate, validity = excluded.validity,
             category = excluded.category, label = excluded.label",
        params![
            store_id,
            &new.target.to_string(),
            credits,
            rate,
            &new.validity.to_string(),
            new.category.as_str(),
            new.label.as_deref(),
        ],
    )?;
    Ok(old.map_or(Set::Added, Set::Replaced))
}

/// Removes a package; answers it, if it was there.
pub fn remove_package(tx: &mut Tx<'_>, store_id: i64, target: &Target) -> Result<Option<Package>, db::Error> {
    tx.query_opt(
        "-- catalog::store::remove_package
         DELETE FROM package WHERE store_id = $1 AND target = $2
         RETURNING target, credits, rate, validity, category, label",
        params![store_id, &target.to_string()],
        read_package,
    )
}

/// The package set for exactly this target.
pub fn package(tx: &mut Tx<'_>, store_id: i64, target: &Target) -> Result<Option<Package>, db::Error> {
    tx.query_opt(
        "-- catalog::store::package
         SELECT target, credits, rate, validity, category, label
         FROM package WHERE store_id = $1 AND target = $2",
        params![store_id, &target.to_string()],
        read_package,
    )
}

/// All packages of a store, in the order they were first set.
pub fn packages(tx: &mut Tx<'_>, store_id: i64) -> Result<Vec<Package>, db::Error> {
    tx.query(
        "-- catalog::store::packages
         SELECT target, credits, rate, validity, category, label
         FROM package WHERE store_id = $1 ORDER BY id",
        params![store_id],
        read_package,
    )
}

fn read_package(row: &Row<'_>) -> Result<Package, db::Error> {
    fn parsed<T: std::str::FromStr>(row: &Row<'_>, column: usize) -> Result<T, db::Error> {
        let text = String::from_column(row, column)?;
        text.parse().map_err(|_| db::Error::Column { column, found: text })
    }
    let basis = match (row.get::<Option<Credits>>(1)?, row.get::<Option<Credits>>(2)?) {
        (Some(credits), None) => Basis::PerUnit(credits),
        (None, Some(rate)) => Basis::PerCurrencyUnit(rate),
        _ => {
            return Err(db::Error::Column { column: 1, found: "neither credits nor a rate".to_owned() });
        }
    };
    Ok(Package {
        target: parsed(row, 0)?,
        basis,
        validity: parsed(row, 3)?,
        category: row.get(4)?,
        label: row.get(5)?,
    })
}

/// What a customer of the store can buy now and what it brings, in no order.
///
/// Listed are products and variations that are on sale, grant credits when they are bought and whose number of credits
/// per piece is known; of a product with known variations only these.
pub fn packages_for_sale(tx: &mut Tx<'_>, store_id: i64) -> Result<Vec<PackageForSale>, db::Error> {
    let Some(store) = shop::store::by_id(tx, store_id)? else {
        return Ok(Vec::new());
    };
    let mut for_sale = Vec::new();
    for id in candidates(tx, store_id)? {
        let Some(facts) = product(tx, store_id, id)?.filter(|facts| facts.on_sale_now) else {
            continue;
        };
        let line = if facts.parent_id > 0 {
            if !product(tx, store_id, facts.parent_id)?.is_some_and(|parent| parent.on_sale_now) {
                continue;
            }
            Line { product_id: facts.parent_id, variation_id: id, ..Line::default() }
        } else {
            Line { product_id: id, ..Line::default() }
        };
        let decision = judge(tx, &store, &line)?;
        let Some(Basis::PerUnit(credits)) = decision.worth().map(|worth| worth.basis) else {
            continue;
        };
        if credits.is_zero() {
            continue;
        }
        for_sale.push(PackageForSale {
            product_id: id,
            name: facts.name,
            credits,
            price_html: Some(facts.price_html).filter(|html| !html.is_empty()),
            url: facts.permalink,
        });
    }
    Ok(for_sale)
}

/// The products about which somebody said how many credits they bring, each replaced by its variations if it
/// has any.
fn candidates(tx: &mut Tx<'_>, store_id: i64) -> Result<BTreeSet<i64>, db::Error> {
    let mut named: BTreeSet<i64> = BTreeSet::new();
    named.extend(tx.query(
        "-- catalog::store::candidates (meta)
         SELECT product_id FROM product WHERE store_id = $1 AND credits IS NOT NULL",
        params![store_id],
        |row| row.get::<i64>(0),
    )?);
    for package in packages(tx, store_id)? {
        match package.target {
            Target::Product(id) | Target::Variation(id) => {
                named.insert(id);
            }
            Target::Sku(sku) => named.extend(tx.query(
                "-- catalog::store::candidates (sku)
                 SELECT product_id FROM product WHERE store_id = $1 AND sku = $2 AND sku <> ''",
                params![store_id, &sku],
                |row| row.get::<i64>(0),
            )?),
        }
    }
    let mut candidates = BTreeSet::new();
    for id in named {
        let variations = tx.query(
            "-- catalog::store::candidates (variations)
             SELECT product_id FROM product WHERE store_id = $1 AND parent_id = $2 AND parent_id > 0",
            params![store_id, id],
            |row| row.get::<i64>(0),
        )?;
        if variations.is_empty() {
            candidates.insert(id);
        }
        candidates.extend(variations);
    }
    Ok(candidates)
}

// Lookups ----------------------------------------------------------------------------------------------

/// How long a lookup that was taken may stay unanswered before somebody else takes it: longer than
/// [`super::lookup::ASKING_MAX`], so only a crash lets it pass.
const LEASE_MS: i64 = 90 * 1000;
/// The pause after the first failure; each later one is twice as long.
const PAUSE_FIRST_MS: i64 = 5 * 1000;
/// The longest pause: a shop that was down all night is asked within an hour of its return.
const PAUSE_MAX_MS: i64 = 60 * 60 * 1000;
/// As much of an error as is kept.
const ERROR_CHARS_MAX: usize = 500;

/// A lookup that was taken to be answered.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The store to ask.
    pub store_id: i64,
    /// Its name.
    pub store: StoreName,
    /// What about.
    pub subject: Subject,
    /// How to ask it.
    pub access: Access,
    /// How often it was tried before.
    pub attempts: i64,
    /// Tells this taking from a later one, and from a wish uttered meanwhile.
    leased_until: Timestamp,
}

/// A lookup as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The store to ask.
    pub store_id: i64,
    /// What about.
    pub subject: Subject,
    /// Who needs the answer, in words.
    pub reason: String,
    /// When it will be asked; never, if the store has no REST keys.
    pub due_at: Timestamp,
    /// How often it was tried.
    pub attempts: i64,
    /// Why it failed last.
    pub last_error: Option<String>,
    /// When that was.
    pub asked_at: Option<Timestamp>,
}

/// Notes that somebody needs an answer from a shop.
///
/// One that is being asked for right now is asked for again after that, because the answer under way may be
/// older than the wish; one that keeps failing keeps its pause.
pub fn want(tx: &mut Tx<'_>, store_id: i64, subject: Subject, reason: &str) -> Result<(), db::Error> {
    let (kind, id) = subject_columns(subject);
    let now = tx.now();
    tx.execute(
        "-- catalog::store::want
         INSERT INTO lookup (store_id, kind, subject_id, reason, due_at, attempts, last_error)
         VALUES ($1, $2, $3, $4, $5, 0, NULL)
         ON CONFLICT (store_id, kind, subject_id) DO UPDATE
         SET reason = excluded.reason,
             due_at = CASE WHEN lookup.last_error IS NULL THEN excluded.due_at ELSE lookup.due_at END",
        params![store_id, kind, id, reason, now],
    )?;
    Ok(())
}

/// Whether a lookup is due, of one store or of any.
pub fn lookup_is_due(tx: &mut Tx<'_>, store_id: Option<i64>) -> Result<bool, db::Error> {
    let now = tx.now();
    Ok(next_lookup(tx, store_id)?.is_some_and(|due_at| due_at <= now))
}

/// When the next lookup is due, of one store or of any.
pub fn next_lookup(tx: &mut Tx<'_>, store_id: Option<i64>) -> Result<Option<Timestamp>, db::Error> {
    tx.query_opt(
        "-- catalog::store::next_lookup
         SELECT l.due_at FROM lookup l JOIN store s ON s.id = l.store_id
         WHERE s.consumer_key IS NOT NULL AND (CAST($1 AS BIGINT) IS NULL OR l.store_id = $1)
         ORDER BY l.due_at LIMIT 1",
        params![store_id],
        |row| row.get(0),
    )
}

/// Whether somebody is asking a store something right now, or was killed at it a moment ago.
pub fn lookup_is_under_way(tx: &mut Tx<'_>, store_id: i64) -> Result<bool, db::Error> {
    let now = tx.now();
    let found = tx.query_opt(
        "-- catalog::store::lookup_is_under_way
         SELECT 1 FROM lookup
         WHERE store_id = $1 AND attempts > 0 AND last_error IS NULL AND due_at > $2 AND due_at <= $3 LIMIT 1",
        params![store_id, now, now.plus_millis(LEASE_MS)],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}

/// Takes the lookup that is due longest, of one store or of any.
pub fn claim_lookup(tx: &mut Tx<'_>, store_id: Option<i64>) -> Result<Option<Claim>, db::Error> {
    let now = tx.now();
    let found = tx.query_opt(
        "-- catalog::store::claim_lookup
         SELECT l.store_id, l.kind, l.subject_id, l.attempts, s.name
         FROM lookup l JOIN store s ON s.id = l.store_id
         WHERE s.consumer_key IS NOT NULL AND l.due_at <= $1 AND (CAST($2 AS BIGINT) IS NULL OR l.store_id = $2)
         ORDER BY l.due_at, l.store_id, l.kind, l.subject_id LIMIT 1",
        params![now, store_id],
        |row| {
            let name: String = row.get(4)?;
            let name: StoreName = name.parse().map_err(|_| db::Error::Column { column: 4, found: name })?;
            Ok((row.get::<i64>(0)?, subject(row, 1, 2)?, row.get::<i64>(3)?, name))
        },
    )?;
    let Some((store_id, subject, attempts, store)) = found else {
        return Ok(None);
    };
    let Some(access) = shop::store::access(tx, store_id)? else { return Ok(None) };
    let leased_until = now.plus_millis(LEASE_MS);
    let (kind, id) = subject_columns(subject);
    tx.execute(
        "-- catalog::store::claim_lookup (lease)
         UPDATE lookup SET due_at = $4, attempts = attempts + 1, last_error = NULL
         WHERE store_id = $1 AND kind = $2 AND subject_id = $3",
        params![store_id, kind, id, leased_until],
    )?;
    Ok(Some(Claim { store_id, store, subject, access, attempts, leased_until }))
}

/// Crosses off an answered lookup, unless the answer was wished for again meanwhile. To be called in the
/// transaction that uses the answer.
pub fn finish_lookup(tx: &mut Tx<'_>, claim: &Claim) -> Result<(), db::Error> {
    let (kind, id) = subject_columns(claim.subject);
    tx.execute(
        "-- catalog::store::finish_lookup
         DELETE FROM lookup WHERE store_id = $1 AND kind = $2 AND subject_id = $3 AND due_at = $4",
        params![claim.store_id, kind, id, claim.leased_until],
    )?;
    Ok(())
}

/// Puts a lookup off after it failed: by doubling pauses, but not less than `at_least_ms`.
pub fn postpone_lookup(
    tx: &mut Tx<'_>,
    claim: &Claim,
    error: &str,
    at_least_ms: i64,
) -> Result<(), db::Error> {
    let doublings = u32::try_from(claim.attempts).unwrap_or(u32::MAX).min(20);
    let pause = (PAUSE_FIRST_MS << doublings).min(PAUSE_MAX_MS).max(at_least_ms);
    let now = tx.now();
    let due_at = now.plus_millis(pause);
    let (kind, id) = subject_columns(claim.subject);
    let error: String = error.chars().take(ERROR_CHARS_MAX).collect();
    tx.execute(
        "-- catalog::store::postpone_lookup
         UPDATE lookup SET due_at = $4, last_error = $5, asked_at = $6
         WHERE store_id = $1 AND kind = $2 AND subject_id = $3",
        params![claim.store_id, kind, id, due_at, &error, now],
    )?;
    Ok(())
}

/// Ends the pauses of what failed, because a person wants it now: of all that a store is to be asked, or of what
/// one order needs.
pub fn hasten(tx: &mut Tx<'_>, store_id: i64, order: Option<i64>) -> Result<u64, db::Error> {
    let now = tx.now();
    tx.execute(
        "-- catalog::store::hasten
         UPDATE lookup SET due_at = $2
         WHERE store_id = $1 AND due_at > $2 AND last_error IS NOT NULL
           AND (CAST($3 AS BIGINT) IS NULL OR kind = 'categories' OR (kind = 'order' AND subject_id = $3)
             OR (kind = 'product' AND EXISTS (
                   SELECT 1 FROM order_line l
                   WHERE l.store_id = $1 AND l.order_id = $3
                     AND (l.product_id = lookup.subject_id OR l.variation_id = lookup.subject_id))))",
        params![store_id, now, order],
    )
}

// Orders that wait ---------------------------------------------------------------------------------------

/// Notes that all orders of a store that wait for facts are to be tried again. To be called in the transaction
/// that brings the facts, so that no stop in between loses the wish.
pub fn retry(tx: &mut Tx<'_>, store_id: i64) -> Result<(), db::Error> {
    retry_after(tx, store_id, i64::MIN)
}

/// Notes that those after `order` are still to be tried.
pub fn retry_after(tx: &mut Tx<'_>, store_id: i64, order: i64) -> Result<(), db::Error> {
    tx.execute(
        "-- catalog::store::retry_after
         INSERT INTO parked_retry (store_id, after_order) VALUES ($1, $2)
         ON CONFLICT (store_id) DO UPDATE SET after_order = excluded.after_order",
        params![store_id, order],
    )?;
    Ok(())
}

/// After which order of a store there are some to be tried again; `None`: there are none.
pub fn retries_after(tx: &mut Tx<'_>, store_id: i64) -> Result<Option<i64>, db::Error> {
    tx.query_opt(
        "-- catalog::store::retries_after
         SELECT after_order FROM parked_retry WHERE store_id = $1",
        params![store_id],
        |row| row.get(0),
    )
}

/// All orders of a store were tried.
pub fn retried(tx: &mut Tx<'_>, store_id: i64) -> Result<(), db::Error> {
    tx.execute(
        "-- catalog::store::retried
         DELETE FROM parked_retry WHERE store_id = $1",
        params![store_id],
    )?;
    Ok(())
}

/// A store with orders to be tried again, if there is one.
pub fn next_retry(tx: &mut Tx<'_>) -> Result<Option<i64>, db::Error> {
    tx.query_opt(
        "-- catalog::store::next_retry
         SELECT store_id FROM parked_retry ORDER BY store_id LIMIT 1",
        params![],
        |row| row.get(0),
    )
}

/// The lookups of a store that wait, soonest first, up to `limit`.
pub fn lookups(tx: &mut Tx<'_>, store_id: i64, limit: i64) -> Result<Vec<Lookup>, db::Error> {
    tx.query(
        "-- catalog::store::lookups
         SELECT store_id, kind, subject_id, reason, due_at, attempts, last_error, asked_at
         FROM lookup WHERE store_id = $1 ORDER BY due_at, kind, subject_id LIMIT $2",
        params![store_id, limit],
        |row| {
            Ok(Lookup {
                store_id: row.get(0)?,
                subject: subject(row, 1, 2)?,
                reason: row.get(3)?,
                due_at: row.get(4)?,
                attempts: row.get(5)?,
                last_error: row.get(6)?,
                asked_at: row.get(7)?,
            })
        },
    )
}

fn subject_columns(subject: Subject) -> (&'static str, i64) {
    match subject {
        Subject::Product(id) => ("product", id),
        Subject::Categories => ("categories", 0),
        Subject::Order(id) => ("order", id),
    }
}

fn subject(row: &Row<'_>, kind: usize, id: usize) -> Result<Subject, db::Error> {
    let id = row.get(id)?;
    match row.get::<String>(kind)?.as_str() {
        "product" => Ok(Subject::Product(id)),
        "categories" => Ok(Subject::Categories),
        "order" => Ok(Subject::Order(id)),
        other => Err(db::Error::Column { column: kind, found: other.to_owned() }),
    }
}
