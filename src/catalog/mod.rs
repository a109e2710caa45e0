//! Products, categories and packages: what a product grants.
//!
//! Orders name products, never their categories, so what is sold is learned apart: from `product.*`
//! deliveries, from what the shop's plugin adds to orders ([`told`]) and from the shop's REST API ([`sync`], [`lookup`]). [`worth`] decides from what is known; what
//! is not known it says, and never guesses from names or prices. WooCommerce's JSON is read in [`woo`] and
//! nowhere else here.

mod kept;
pub mod lookup;
pub mod store;
pub mod sync;
pub mod terms;
pub mod told;
pub mod woo;
pub mod worth;

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::ledger::slice::Category;
use crate::time::{Timestamp, Validity};
use crate::units::Credits;
use worth::Basis;

/// What a shop says about a product or a variation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductFacts {
    /// Its id; variations have ids of their own.
    pub id: i64,
    /// The product it is a variation of; 0 for everything else.
    pub parent_id: i64,
    /// What it is called.
    pub name: String,
    /// Its stock keeping unit; empty when it has none.
    pub sku: String,
    /// Its page in the shop.
    pub permalink: String,
    /// Its price as the shop writes it, in HTML; empty when the shop did not say.
    pub price_html: String,
    /// Published, purchasable and in stock.
    pub on_sale_now: bool,
    /// Its own meta `_nivella_credits`: a number, but no promise that it is sold as credits.
    pub credits: Option<Credits>,
    /// What else it says of the credits it brings, and what of all that cannot be read.
    pub terms: terms::Terms,
    /// The categories set on it; `None` for a variation, which has its parent's.
    pub categories: Option<Vec<CategoryRef>>,
    /// When it was last changed in the shop, to the second.
    pub modified_at: Timestamp,
}

/// A category as a product names it: nobody says what lies above it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CategoryRef {
    /// Its id.
    pub id: i64,
    /// Its slug.
    pub slug: String,
    /// What it is called.
    pub name: String,
}

/// A category as the shop's own list has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShopCategory {
    /// Its id.
    pub id: i64,
    /// The one above it; 0 for a root.
    pub parent_id: i64,
    /// Its slug.
    pub slug: String,
    /// What it is called.
    pub name: String,
}

/// What somebody set that a product grants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Package {
    /// For which product.
    pub target: Target,
    /// How many credits.
    #[serde(flatten)]
    pub basis: Basis,
    /// For how long.
    #[serde(serialize_with = "as_text::serialize")]
    pub validity: Validity,
    /// Of which kind.
    pub category: Category,
    /// What the customer reads, instead of the order line's name.
    pub label: Option<String>,
}

/// What a package is set for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// A product, and each of its variations that has no package of its own.
    Product(i64),
    /// A variation.
    Variation(i64),
    /// Whatever carries this stock keeping unit.
    Sku(String),
}

/// Why a text does not name a package's target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no product: write product:ID, variation:ID or sku:TEXT")]
pub struct NotATarget(String);

impl FromStr for Target {
    type Err = NotATarget;

    fn from_str(text: &str) -> Result<Self, NotATarget> {
        let wrong = || NotATarget(text.chars().take(80).collect());
        let id = |digits: &str| digits.parse().ok().filter(|id| *id > 0).ok_or_else(wrong);
        match text.split_once(':') {
            Some(("product", digits)) => id(digits).map(Self::Product),
            Some(("variation", digits)) => id(digits).map(Self::Variation),
            Some(("sku", sku)) if !sku.trim().is_empty() => Ok(Self::Sku(sku.trim().to_owned())),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Product(id) => write!(f, "product:{id}"),
            Self::Variation(id) => write!(f, "variation:{id}"),
            Self::Sku(sku) => write!(f, "sku:{sku}"),
        }
    }
}

impl Serialize for Target {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Something to buy that brings credits, as a wallet page shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Package")]
pub struct PackageForSale {
    /// The product, or the variation of one, in its shop.
    pub product_id: i64,
    /// What the shop calls it.
    pub name: String,
    /// What it brings.
    pub credits: Credits,
    /// The shop's price, as the shop shows it: HTML.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_html: Option<String>,
    /// Where it is sold.
    pub url: String,
}

/// Something to ask a shop about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A product or a variation.
    Product(i64),
    /// The whole tree of categories.
    Categories,
    /// An order, with its refunds.
    Order(i64),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Product(id) => write!(f, "product or variation {id}"),
            Self::Categories => f.write_str("its categories"),
            Self::Order(id) => write!(f, "order {id}"),
        }
    }
}

/// [`as_text`], for what may be absent.
mod as_optional_text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "serde hands out references")]
    pub(super) fn serialize<T: Display, S: Serializer>(
        value: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.collect_str(value),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}

/// Types that are written in JSON as they are written everywhere else.
mod as_text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
