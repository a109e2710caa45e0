//! WooCommerce's JSON about products and categories, with all its oddities, turned into facts.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::terms::{self, Terms};
use super::{CategoryRef, ProductFacts, ShopCategory};
use crate::time::Timestamp;

/// What a `product.*` delivery says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// How a product is now.
    Product(Box<ProductFacts>),
    /// A product went to the trash. Its facts stay true for what was sold.
    Gone(i64),
    /// An error object instead of a product: the webhook's user may not see it, or it was gone already.
    Refused(String),
}

/// Why a body says nothing about a product.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Not JSON, or of another shape.
    #[error("not what WooCommerce writes about a product: {0}")]
    Json(#[from] serde_json::Error),
    /// It has no id.
    #[error("a product without an id")]
    NoId,
    /// The list of categories holds something else.
    #[error("a category without an id")]
    NoCategoryId,
}

/// Reads the body of a `product.*` delivery. The body decides, not the topic: some versions send
/// `product.deleted` for orders, and error objects under every topic.
pub fn delivery(body: &[u8]) -> Result<Delivered, Unreadable> {
    let product: Product<'_> = serde_json::from_slice(body)?;
    if let (None, Some(code)) = (product.id, &product.code) {
        return Ok(Delivered::Refused(code.chars().take(100).collect()));
    }
    if product.kind.is_none() && product.name.is_none() {
        return Ok(Delivered::Gone(product.id()?));
    }
    Ok(Delivered::Product(Box::new(product.facts()?)))
}

/// Reads a product or variation as `/products/{id}` and lists of products give it.
pub fn product(body: &[u8]) -> Result<ProductFacts, Unreadable> {
    serde_json::from_slice::<Product<'_>>(body)?.facts()
}

/// Reads a variation as `/products/{id}/variations` gives it: named `Medium` where everywhere else it is
/// `AI Credits Pack - Medium`, and in older versions without its parent.
pub fn variation(body: &[u8], parent: &ProductFacts) -> Result<ProductFacts, Unreadable> {
    let mut variation: Product<'_> = serde_json::from_slice(body)?;
    variation.kind = Some(VARIATION.to_owned());
    variation.parent_id = Some(parent.id);
    variation.name = Some(match variation.name.as_deref() {
        None | Some("") => parent.name.clone(),
        Some(own) => format!("{} - {own}", parent.name),
    });
    variation.facts()
}

/// Reads a product or variation as the shop's plugin tells of it by the way: with its parent instead of its type, and
/// with its bare price instead of whether it can be bought.
pub(super) fn told(body: &[u8]) -> Result<ProductFacts, Unreadable> {
    let mut product: Product<'_> = serde_json::from_slice(body)?;
    product.kind = product.parent_id.filter(|parent| *parent > 0).map(|_| VARIATION.to_owned());
    let has_price = product.price.is_some_and(|price| !matches!(price.get(), "null" | "\"\""));
    product.purchasable = Some(has_price);
    product.facts()
}

/// The items of a list.
pub(super) fn list(list: &RawValue) -> Result<Vec<&RawValue>, Unreadable> {
    Ok(serde_json::from_str::<List<&RawValue>>(list.get())?.0)
}

/// Whether a product is of the type that has variations.
#[must_use]
pub fn has_variations(body: &[u8]) -> bool {
    serde_json::from_slice::<Product<'_>>(body)
        .is_ok_and(|product| product.kind.is_some_and(|kind| kind.contains("variable")))
}

/// Reads a category of the shop's own list.
pub fn category(body: &[u8]) -> Result<ShopCategory, Unreadable> {
    let category: Category = serde_json::from_slice(body)?;
    Ok(ShopCategory {
        id: category.id.filter(|id| *id > 0).ok_or(Unreadable::NoCategoryId)?,
        parent_id: category.parent.unwrap_or(0).max(0),
        slug: category.slug.unwrap_or_default(),
        name: category.name.unwrap_or_default(),
    })
}

/// A product as WooCommerce writes it; everything may be missing.
#[derive(Deserialize)]
struct Product<'a> {
    id: Option<i64>,
    parent_id: Option<i64>,
    #[serde(rename = "type")]
    kind: Option<String>,
    name: Option<String>,
    sku: Option<String>,
    permalink: Option<String>,
    price_html: Option<String>,
    /// Without what customers read around it; tells whether there is one.
    #[serde(borrow)]
    price: Option<&'a RawValue>,
    status: Option<String>,
    purchasable: Option<bool>,
    stock_status: Option<String>,
    categories: Option<List<Category>>,
    #[serde(borrow)]
    meta_data: Option<List<Meta<'a>>>,
    date_created_gmt: Option<String>,
    date_modified_gmt: Option<String>,
    /// Of an error object.
    code: Option<String>,
}

#[derive(Deserialize)]
struct Category {
    id: Option<i64>,
    parent: Option<i64>,
    slug: Option<String>,
    name: Option<String>,
}

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow)]
    key: Option<&'a RawValue>,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
}

/// The type of variations.
const VARIATION: &str = "variation";

impl Product<'_> {
    fn id(&self) -> Result<i64, Unreadable> {
        self.id.filter(|id| *id > 0).ok_or(Unreadable::NoId)
    }

    fn facts(self) -> Result<ProductFacts, Unreadable> {
        let id = self.id()?;
        let is_variation = self.kind.as_deref() == Some(VARIATION);
        let meta = self.meta_data.map(|list| list.0).unwrap_or_default();
        let keyed: Vec<(String, &RawValue)> = meta
            .iter()
            .filter_map(|meta| Some((serde_json::from_str(meta.key?.get()).ok()?, meta.value?)))
            .collect();
        let keyed = keyed.iter().map(|(key, value)| (key.as_str(), *value));
        let mut terms = Terms::read(keyed.clone());
        let credits = terms.keep(terms::CREDITS, terms::field(keyed, terms::CREDITS));
        let time = |text: &Option<String>| text.as_deref().and_then(Timestamp::from_woo_gmt);
        let is_published = self.status.as_deref() == Some("publish");
        let is_sold_out = self.stock_status.as_deref() == Some("outofstock");
        let categories = if is_variation {
            // WooCommerce writes an empty list here, which does not mean that it is in no category.
            None
        } else {
            let listed = self.categories.map(|list| list.0).unwrap_or_default();
            Some(listed.into_iter().map(Category::reference).collect::<Result<_, _>>()?)
        };
        Ok(ProductFacts {
            id,
            parent_id: if is_variation { self.parent_id.unwrap_or(0).max(0) } else { 0 },
            on_sale_now: is_published && !is_sold_out && self.purchasable == Some(true),
            credits,
            terms,
            categories,
            // A product that was never saved has no date; anything dated is newer.
            modified_at: time(&self.date_modified_gmt)
                .or_else(|| time(&self.date_created_gmt))
                .unwrap_or(Timestamp::from_millis(0)),
            name: self.name.unwrap_or_default(),
            sku: self.sku.unwrap_or_default().trim().to_owned(),
            permalink: self.permalink.unwrap_or_default(),
            price_html: self.price_html.unwrap_or_default(),
        })
    }
}

impl Category {
    fn reference(self) -> Result<CategoryRef, Unreadable> {
        Ok(CategoryRef {
            id: self.id.filter(|id| *id > 0).ok_or(Unreadable::NoCategoryId)?,
            slug: self.slug.unwrap_or_default(),
            name: self.name.unwrap_or_default(),
        })
    }
}

/// A list. PHP writes one whose first items were filtered out as an object: `{"1":…,"2":…}`.
struct List<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor(PhantomData))
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = List<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<List<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<List<T>, A::Error> {
        let mut list = Vec::new();
        while let Some((_, item)) = items.next_entry::<serde::de::IgnoredAny, T>()? {
            list.push(item);
        }
        Ok(List(list))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oddities_are_taken_and_nonsense_is_refused() {
        let facts = product(
            br#"{"id":7,"type":"simple","name":"x","sku":null,"categories":{"1":{"id":3,"slug":"s","name":"n"}},
                "meta_data":[{"id":1,"key":5,"value":"1"},{"id":2,"key":"_nivella_credits","value":"soon"},
                             {"id":3,"key":"_nivella_credits","value":"12"}],
                "date_modified_gmt":null,"purchasable":null}"#,
        )
        .unwrap();
        // A value that cannot be read is not passed over for another.
        assert_eq!((facts.credits, facts.terms.unreadable["_nivella_credits"].as_str()), (None, "soon"));
        assert_eq!(facts.categories.unwrap()[0].id, 3);
        assert_eq!((facts.sku.as_str(), facts.on_sale_now), ("", false));

        assert_eq!(delivery(br#"{"id":71}"#).unwrap(), Delivered::Gone(71));
        assert_eq!(
            delivery(br#"{"code":"woocommerce_rest_cannot_view","message":"","data":{"status":403}}"#)
                .unwrap(),
            Delivered::Refused("woocommerce_rest_cannot_view".to_owned())
        );
        for body in [&b""[..], b"[]", b"{}", b"null", br#"{"id":"7"}"#, br#"{"id":0}"#, b"webhook_id=3"] {
            assert!(delivery(body).is_err(), "{:?} was taken", String::from_utf8_lossy(body));
        }
    }
}
