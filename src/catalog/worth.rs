//! What an order line is worth, decided from what is known. Pure: no database, no clock.
//!
//! A line is a Tokens line when it carries a promise of credits, when a package is set for it, or when its
//! product is in a Tokens category or below one. How many credits it brings is the first of: the promise ·
//! the package of the variation · of the product · of the SKU · the variation's own meta · the product's.
//! How long they are good and of which kind they are says the line, if it does; else whoever says how many they are;
//! of a variation and its product field by field.
//! What is not known is said, with what would settle it; nothing is guessed.
//!
//! Categories: without REST keys nobody tells what lies above a category, so there it is taken at face
//! value: it is a Tokens category if its own slug is listed. With keys such a category is asked about first.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::terms::{self, Terms};
use super::{Package, ProductFacts, Subject, Target};
use crate::ledger::slice::Category;
use crate::shop::{self, Store};
use crate::time::Validity;
use crate::units::Credits;

/// What a Tokens line brings. Kept with the order from the first time it is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worth {
    /// How many credits.
    #[serde(flatten)]
    pub basis: Basis,
    /// For how long.
    #[serde(with = "super::as_text")]
    pub validity: Validity,
    /// Of which kind.
    pub category: Category,
    /// What the customer reads, instead of the line's name.
    pub label: Option<String>,
}

/// What the number of credits is counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// So many for each piece.
    PerUnit(Credits),
    /// So many for each whole unit of the shop's currency, of the line's total without tax.
    PerCurrencyUnit(Credits),
}

/// What decides about a line, as the order has it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Line<'a> {
    /// The product; 0 once it was deleted for good.
    pub product_id: i64,
    /// The variation of it; 0 if it has none.
    pub variation_id: i64,
    /// The stock keeping unit the order shows; empty if none.
    pub sku: &'a str,
    /// The line's own meta `_nivella_credits`: the promise made at sale, per unit.
    pub promised: Option<Credits>,
    /// What it says of how long they are good and of their kind.
    pub terms: Option<&'a Terms>,
}

/// What is known about a line's product.
#[derive(Clone, Debug)]
pub struct Known<'a> {
    /// The shop it was sold in.
    pub store: &'a Store,
    /// The product, or the variation's parent.
    pub product: Option<ProductFacts>,
    /// The variation, if the line is about one.
    pub variation: Option<ProductFacts>,
    /// The packages that are set for any of them.
    pub packages: Vec<Package>,
    /// The product's categories and all above them, as far as known.
    pub categories: CategoryTree,
}

/// What was decided about a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Not a Tokens line: it never grants.
    Other,
    /// A Tokens line, and what it brings.
    Tokens(Worth),
    /// A Tokens line, but how many credits it brings is not known.
    Unpriced(Gap),
    /// Whether it is a Tokens line is not known.
    Unknown(Gap),
}

/// What is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// In words for people, with what to do.
    pub reason: String,
    /// What to ask the shop; `None` when only a person can help.
    pub needs: Option<Need>,
    /// What a person can do about it, where that is not to set a package.
    pub remedy: Option<String>,
}

/// A fact a shop can supply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// This product or variation.
    Product(i64),
    /// The tree of categories.
    Categories,
}

impl From<Need> for Subject {
    fn from(need: Need) -> Self {
        match need {
            Need::Product(id) => Self::Product(id),
            Need::Categories => Self::Categories,
        }
    }
}

impl Decision {
    /// Whether it is a Tokens line, if that is known.
    #[must_use]
    pub fn is_tokens(&self) -> Option<bool> {
        match self {
            Self::Other => Some(false),
            Self::Tokens(_) | Self::Unpriced(_) => Some(true),
            Self::Unknown(_) => None,
        }
    }

    /// What it brings, if that is known.
    #[must_use]
    pub fn worth(&self) -> Option<&Worth> {
        match self {
            Self::Tokens(worth) => Some(worth),
            _ => None,
        }
    }

    /// What keeps it from being settled.
    #[must_use]
    pub fn gap(&self) -> Option<&Gap> {
        match self {
            Self::Unpriced(gap) | Self::Unknown(gap) => Some(gap),
            Self::Other | Self::Tokens(_) => None,
        }
    }
}

/// Who said how many credits a line brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The line itself: what was promised at the sale.
    Promise,
    /// The package of this product, variation or SKU.
    Package(Target),
    /// The shop's own field of this product or variation.
    Product(i64),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Promise => f.write_str("promise"),
            Self::Package(target) => write!(f, "package {target}"),
            Self::Product(id) => write!(f, "product {id}"),
        }
    }
}

/// Decides what a line is and what it brings.
#[must_use]
pub fn decide(line: &Line<'_>, known: &Known<'_>) -> Decision {
    weigh(line, known).0
}

/// Who says what a line brings, if that is known.
#[must_use]
pub fn origin(line: &Line<'_>, known: &Known<'_>) -> Option<Origin> {
    weigh(line, known).1
}

/// Both.
pub(super) fn weigh(line: &Line<'_>, known: &Known<'_>) -> (Decision, Option<Origin>) {
    let package = known.package(line);
    let (basis, origin) = if let Some(promised) = line.promised {
        (Basis::PerUnit(promised), Origin::Promise)
    } else if let Some(package) = package {
        (package.basis, Origin::Package(package.target.clone()))
    } else {
        match known.is_tokens(line) {
            Err(gap) => return (Decision::Unknown(gap), None),
            Ok(false) => return (Decision::Other, None),
            Ok(true) => match known.credits(line) {
                Ok((credits, product)) => (Basis::PerUnit(credits), Origin::Product(product)),
                Err(gap) => return (Decision::Unpriced(gap), None),
            },
        }
    };
    match known.worth(line, basis, &origin, package) {
        Ok(worth) => (Decision::Tokens(worth), Some(origin)),
        Err(gap) => (Decision::Unpriced(gap), None),
    }
}

/// Whoever says on which terms credits are sold.
struct Says<'a> {
    /// For people, like `product 10`.
    who: String,
    terms: &'a Terms,
}

impl Says<'_> {
    /// The first that says anything of `key`.
    fn first<T>(them: &[Self], key: &str, said: impl Fn(&Terms) -> Option<T>) -> Result<Option<T>, Gap> {
        for says in them {
            if let Some(value) = said(says.terms) {
                return Ok(Some(value));
            }
            if let Some(gap) = says.gap(key) {
                return Err(gap);
            }
        }
        Ok(None)
    }

    /// That it says something of `key` which cannot be read, if so.
    fn gap(&self, key: &str) -> Option<Gap> {
        let (who, text) = (&self.who, self.terms.unreadable.get(key)?);
        Some(Gap {
            reason: format!("{who} says {text:?} in {key}, which is not {}", terms::wanted(key)),
            needs: None,
            remedy: Some(format!("correct {key} of {who} in the shop; it is read again by itself")),
        })
    }
}

impl Known<'_> {
    /// The packages that could be set for a line, the one that wins first.
    #[must_use]
    pub fn targets(
        line: &Line<'_>,
        variation: Option<&ProductFacts>,
        product: Option<&ProductFacts>,
    ) -> Vec<Target> {
        let (product_id, variation_id) = ids(line, variation, product);
        let sku = match line.sku.trim() {
            "" => variation.or(product).map_or("", |facts| facts.sku.as_str()),
            sku => sku,
        };
        let mut targets = Vec::with_capacity(3);
        if variation_id > 0 {
            targets.push(Target::Variation(variation_id));
        }
        if product_id > 0 {
            targets.push(Target::Product(product_id));
        }
        if !sku.is_empty() {
            targets.push(Target::Sku(sku.to_owned()));
        }
        targets
    }

    fn package(&self, line: &Line<'_>) -> Option<&Package> {
        Self::targets(line, self.variation.as_ref(), self.product.as_ref())
            .iter()
            .find_map(|target| self.packages.iter().find(|package| package.target == *target))
    }

    /// The line's product and its variation, 0 for none.
    fn ids(&self, line: &Line<'_>) -> (i64, i64) {
        ids(line, self.variation.as_ref(), self.product.as_ref())
    }

    fn is_tokens(&self, line: &Line<'_>) -> Result<bool, Gap> {
        let (product_id, _) = self.ids(line);
        if product_id <= 0 {
            return Err(Gap {
                reason:
                    "the product of this line was deleted from the shop before anything was known about it; \
                         if it sold credits, give them with `nivella-wallet wallet grant`"
                        .to_owned(),
                needs: None,
                remedy: None,
            });
        }
        let Some(product) = &self.product else {
            return Err(self.unknown_product(product_id, line));
        };
        let Some(categories) = &product.categories else {
            return Err(Gap {
                reason: format!(
                    "product {product_id} is a variation that does not say of which product; run {}",
                    self.remedy(product_id, 0)
                ),
                needs: None,
                remedy: None,
            });
        };
        let mut unknown = None;
        for category in categories {
            match self.categories.is_tokens(category.id, self.store) {
                Some(true) => return Ok(true),
                Some(false) => {}
                None => unknown = Some(category),
            }
        }
        let Some(category) = unknown else { return Ok(false) };
        Err(Gap {
            reason: format!(
                "product {product_id} is in the category {:?}, and whether that lies below a Tokens category is \
                 not known yet; the shop is asked for its categories",
                category.slug
            ),
            needs: Some(Need::Categories),
            remedy: None,
        })
    }

    /// What a line brings, of which the number is known.
    fn worth(
        &self,
        line: &Line<'_>,
        basis: Basis,
        origin: &Origin,
        package: Option<&Package>,
    ) -> Result<Worth, Gap> {
        let (product_id, variation_id) = self.ids(line);
        let of_line =
            line.terms.map(|terms| Says { who: format!("the line of product {product_id}"), terms });
        let mut them: Vec<Says<'_>> = of_line.into_iter().collect();
        if let Origin::Product(_) = origin {
            them.extend(self.variation_says(variation_id));
            them.extend(self.product_says(product_id));
        }
        let validity = Says::first(&them, terms::VALIDITY, |terms| terms.validity)?;
        let category = Says::first(&them, terms::KIND, |terms| terms.kind)?;
        Ok(Worth {
            basis,
            validity: validity.or(package.map(|package| package.validity)).unwrap_or(Validity::Never),
            category: category.or(package.map(|package| package.category)).unwrap_or(Category::Paid),
            label: package.and_then(|package| package.label.clone()),
        })
    }

    fn variation_says(&self, id: i64) -> Option<Says<'_>> {
        let variation = self.variation.as_ref()?;
        Some(Says { who: format!("variation {id}"), terms: &variation.terms })
    }

    fn product_says(&self, id: i64) -> Option<Says<'_>> {
        let product = self.product.as_ref()?;
        Some(Says { who: format!("product {id}"), terms: &product.terms })
    }

    /// The credits the shop's own product fields name, and of which: the variation's, then the product's.
    fn credits(&self, line: &Line<'_>) -> Result<(Credits, i64), Gap> {
        let (product_id, variation_id) = self.ids(line);
        if variation_id > 0 {
            match &self.variation {
                None => return Err(self.unknown_product(variation_id, line)),
                Some(variation) => {
                    if let Some(credits) = variation.credits {
                        return Ok((credits, variation_id));
                    }
                }
            }
        }
        let mut them = self.variation_says(variation_id).into_iter().chain(self.product_says(product_id));
        if let Some(gap) = them.find_map(|says| says.gap(terms::CREDITS)) {
            return Err(gap);
        }
        let credits = self.product.as_ref().and_then(|product| product.credits);
        credits.map(|credits| (credits, product_id)).ok_or_else(|| Gap {
            reason: format!(
                "{} is in the Tokens category but nobody said how many credits it brings: run {}",
                if variation_id > 0 {
                    format!("variation {variation_id} of product {product_id}")
                } else {
                    format!("product {product_id}")
                },
                self.remedy(product_id, variation_id),
            ),
            needs: None,
            remedy: None,
        })
    }

    /// Nothing is known about `id`, the line's product or variation.
    fn unknown_product(&self, id: i64, line: &Line<'_>) -> Gap {
        let (product_id, variation_id) = self.ids(line);
        let what = if id == product_id { "product" } else { "variation" };
        let remedy = self.remedy(product_id, variation_id);
        let reason = if self.store.has_rest_keys {
            format!(
                "nothing is known about {what} {id} yet; the shop is asked about it. If it is gone from the shop and \
                 sold credits, run {remedy}"
            )
        } else {
            format!(
                "nothing is known about {what} {id}: save it once in the shop so that it sends product.updated; \
                 only if it sells credits, {remedy} will do as well"
            )
        };
        Gap { reason, needs: Some(Need::Product(id)), remedy: None }
    }

    /// The command that settles what a product brings.
    fn remedy(&self, product_id: i64, variation_id: i64) -> String {
        let variation = if variation_id > 0 { format!(" --variation {variation_id}") } else { String::new() };
        format!(
            "`nivella-wallet package set --store {} --product {product_id}{variation} --credits N`",
            self.store.name
        )
    }
}

/// The line's product and variation. A variation ordered by its bare id is known by its parent.
fn ids(line: &Line<'_>, variation: Option<&ProductFacts>, product: Option<&ProductFacts>) -> (i64, i64) {
    match variation {
        Some(variation) if variation.parent_id > 0 => (variation.parent_id, variation.id),
        _ => (product.map_or(line.product_id, |product| product.id), line.variation_id),
    }
}

/// Categories and what lies above them.
#[derive(Clone, Debug, Default)]
pub struct CategoryTree(BTreeMap<i64, Node>);

#[derive(Clone, Debug)]
struct Node {
    slug: String,
    parent: Option<i64>,
}

impl CategoryTree {
    /// Adds a category; `parent` is 0 for a root and `None` while it is not known.
    pub fn insert(&mut self, id: i64, slug: &str, parent: Option<i64>) {
        self.0.insert(id, Node { slug: shop::slug(slug), parent });
    }

    /// Whether a category is here.
    #[must_use]
    pub fn contains(&self, id: i64) -> bool {
        self.0.contains_key(&id)
    }

    /// Whether a category is one of `store`'s Tokens categories or lies below one, if that is known.
    #[must_use]
    pub fn is_tokens(&self, id: i64, store: &Store) -> Option<bool> {
        let mut seen = BTreeSet::new();
        let mut next = id;
        // Climbs until a root; a tree that bites its own tail has none, and is left where it began again.
        while next != 0 && seen.insert(next) {
            let Some(node) = self.0.get(&next) else {
                // A parent that the shop's own list does not show (plugins hide some) is no category.
                return if next == id && store.has_rest_keys { None } else { Some(false) };
            };
            if store.tokens_categories.contains(&node.slug) {
                return Some(true);
            }
            match node.parent {
                Some(parent) => next = parent,
                None => return if store.has_rest_keys { None } else { Some(false) },
            }
        }
        Some(false)
    }
}
