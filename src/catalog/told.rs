//! What the shop's plugin tells of products and categories by the way.
//!
//! Pure. WooCommerce's orders name products and no categories, and its products name categories and not what lies above
//! them. The plugin sits where all of it is known, and adds it to the bodies it signs, under the top-level key
//! `nivella`:
//!
//! ```json
//! { "…": "…", "nivella": { "version": 1, "told_at": "2026-11-21T10:00:00.123456Z",
//!   "products": [ { "id": 10, "parent_id": 0, "sku": "CREDITS-1000", "name": "AI Credits 1,000",
//!     "categories": [ { "id": 16, "name": "Tokens", "slug": "tokens" } ],
//!     "meta_data": [ { "key": "_nivella_credits", "value": "1000" } ],
//!     "permalink": "https://shop.example/?p=10", "price": "10.00", "status": "publish" } ],
//!   "categories": [ { "id": 16, "name": "Tokens", "slug": "tokens", "parent": 0 } ] } }
//! ```
//!
//! `told_at` is the shop's own clock: what was told of a thing later holds, whatever comes later. An entry that cannot
//! be read is left out and named; it hides no other. The lines of refunds stand beside these and are read with the
//! order.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{ProductFacts, ShopCategory, woo};
use crate::time::ShopTime;

/// The version of the key that is understood; one without a version is of this one.
pub const VERSION: i64 = 1;

/// What a body tells by the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// When it was put together, by the shop's clock.
    pub told_at: ShopTime,
    /// Products and variations.
    pub products: Vec<ToldProduct>,
    /// Categories, each with the one above it.
    pub categories: Vec<ShopCategory>,
    /// What could not be read, in words.
    pub faults: Vec<String>,
}

/// A product as an order tells of it: without its date, its price as customers read it, and whether it is in stock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldProduct {
    /// What it says; its date is none, and it is on sale if it is published and has a price.
    pub facts: ProductFacts,
}

impl ToldProduct {
    /// What is known with this beside what was known before.
    #[must_use]
    pub fn beside(&self, known: Option<&ProductFacts>) -> ProductFacts {
        let told = self.facts.clone();
        // One that never told of itself is known by what orders say.
        let Some(known) = known else { return told };
        let has_told = known.modified_at > told.modified_at;
        ProductFacts {
            // An order does not say whether there are more of it.
            on_sale_now: told.on_sale_now && (known.on_sale_now || !has_told),
            price_html: known.price_html.clone(),
            modified_at: known.modified_at,
            permalink: if told.permalink.is_empty() { known.permalink.clone() } else { told.permalink },
            ..told
        }
    }
}

/// Reads what a body tells by the way; nothing if it does not say when.
#[must_use]
pub fn read(body: &[u8]) -> Option<Facts> {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        nivella: Option<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Nivella<'a> {
        version: Option<i64>,
        told_at: Option<String>,
        #[serde(borrow)]
        products: Option<&'a RawValue>,
        #[serde(borrow)]
        categories: Option<&'a RawValue>,
    }
    // Most bodies do not have the key at all: to look for it takes a twentieth of reading them.
    let text = std::str::from_utf8(body).ok().filter(|text| text.contains("nivella\""))?;
    let body: Body<'_> = serde_json::from_str(text).ok()?;
    let nivella: Nivella<'_> = serde_json::from_str(body.nivella?.get()).ok()?;
    if nivella.version.is_some_and(|version| version != VERSION) {
        return None;
    }
    let mut faults = Vec::new();
    Some(Facts {
        told_at: nivella.told_at?.parse().ok()?,
        categories: each(nivella.categories, "categories", &mut faults, woo::category),
        products: each(nivella.products, "products", &mut faults, |body| {
            woo::told(body).map(|facts| ToldProduct { facts })
        }),
        faults,
    })
}

fn each<T>(
    list: Option<&RawValue>,
    name: &str,
    faults: &mut Vec<String>,
    read: impl Fn(&[u8]) -> Result<T, woo::Unreadable>,
) -> Vec<T> {
    let Some(list) = list else { return Vec::new() };
    let items: Vec<&RawValue> = match woo::list(list) {
        Ok(items) => items,
        Err(error) => {
            faults.push(format!("/nivella/{name}: {error}"));
            return Vec::new();
        }
    };
    let mut found = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        match read(item.get().as_bytes()) {
            Ok(one) => found.push(one),
            Err(error) => faults.push(format!("/nivella/{name}/{index}: {error}")),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(json: &str) -> Option<Facts> {
        read(format!(r#"{{"id":7,"nivella":{json}}}"#).as_bytes())
    }

    #[test]
    fn products_and_categories_are_read_and_what_cannot_be_is_named() {
        let facts = told(
            r#"{"version":1,"told_at":"2026-11-21T10:00:00.123456Z",
                "products":[{"id":20,"parent_id":19,"sku":"PACK-S","name":"Pack - Small","categories":[],
                             "meta_data":[{"key":"_nivella_credits","value":"1500"},
                                          {"key":"_nivella_validity","value":"forever"}],
                             "permalink":"https://shop.example/?p=20","price":"15.00","status":"publish"},
                            {"parent_id":0},
                            {"id":19,"parent_id":0,"name":"Pack","categories":[{"id":17,"slug":"bundles","name":"B"}],
                             "price":"","status":"publish"}],
                "categories":{"1":{"id":17,"slug":"bundles","name":"B","parent":16},"2":{"slug":"nameless"}}}"#,
        )
        .unwrap();
        assert_eq!(facts.told_at.micros() % 1_000_000, 123_456);
        let [small, pack] = &facts.products[..] else { panic!("{facts:?}") };
        assert_eq!((small.facts.parent_id, &small.facts.categories), (19, &None), "its parent's are its own");
        assert_eq!(small.facts.credits.unwrap().to_string(), "1500");
        assert_eq!(small.facts.terms.unreadable["_nivella_validity"], "forever");
        assert!(small.facts.on_sale_now && !pack.facts.on_sale_now, "what has no price cannot be bought");
        assert_eq!(pack.facts.categories.as_ref().unwrap()[0].id, 17);
        assert_eq!((facts.categories.len(), facts.categories[0].parent_id), (1, 16));
        assert_eq!(
            facts.faults,
            [
                "/nivella/categories/1: a category without an id",
                "/nivella/products/1: a product without an id"
            ]
        );
    }

    #[test]
    fn what_does_not_say_when_or_is_of_another_version_is_not_read() {
        for json in [
            "null",
            "[]",
            "7",
            r#"{"products":[]}"#,
            r#"{"version":1}"#,
            r#"{"version":2,"told_at":"2026-11-21T10:00:00Z"}"#,
            r#"{"version":1,"told_at":"soon"}"#,
            r#"{"version":1,"told_at":1795255200}"#,
        ] {
            assert_eq!(told(json), None, "{json}");
        }
        assert!(told(r#"{"version":1,"told_at":"2026-11-21T10:00:00Z"}"#).is_some());
        assert!(read(b"").is_none() && read(b"[]").is_none());
    }
}
