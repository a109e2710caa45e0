//! WooCommerce's JSON read into an [`Order`]; all of its oddities stay in this file.
//!
//! Pure. Tolerant where WooCommerce and its plugins are careless (ids as texts, lists as objects, absent
//! names), strict where credits depend on it: an amount, a quantity, a date or an id that cannot be read exactly
//! makes the body unreadable, with the place named. No input makes this panic, and no number passes through a
//! float: WooCommerce's own totals are texts, and a JSON number is read from its exact text.
//!
//! The body is trusted before the topic. WooCommerce sends `product.deleted` with an order's id, signed error
//! objects under any topic, and actions that carry no more than a number; none of these is an order.
//!
//! # The plugin's own key
//!
//! WooCommerce leaves the lines of refunds out of the order. The shop plugin adds them to the order's body
//! under the top-level key `nivella`:
//!
//! ```json
//! { "id": 49, "…": "…", "nivella": { "version": 1, "told_at": "2026-11-21T10:00:00.123456Z",
//!   "refunds": [ { "id": 50, "amount": "10.00", "line_items": [], "shipping_lines": [], "fee_lines": [] } ] } }
//! ```
//!
//! `told_at` is when the body was put together, by the shop's own clock: of two bodies with the same date the later one
//! holds. `refunds` has the shape of `GET /orders/{id}/refunds`, with all refunds of the order. If it cannot be read, or
//! lists other refunds than the order itself, it is not used and the shop is asked. `"gone": true` in a body with
//! nothing but the order's id: the order was deleted for good. What the key tells of products and categories is read in
//! [`catalog::told`](crate::catalog::told).

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::hash::Hash;

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Line, Order, OtherKind, OtherLine, Refund, RefundLine, RefundRef, Torn, money, naming};
use crate::catalog::terms::{self, Terms};
use crate::catalog::told;
use crate::time::{ShopTime, Timestamp};
use crate::units::Credits;

/// What a delivery turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A state of an order.
    Order(Box<Order>),
    /// Something happened to an order, or to one that is not named; the shop must be asked.
    Hint {
        /// The order, where the body names one.
        order_id: Option<i64>,
        /// The topic or action.
        what: String,
    },
    /// WooCommerce could not make the body and signed its error instead.
    ErrorObject {
        /// WooCommerce's name of the error.
        code: String,
        /// Its words.
        message: String,
    },
    /// An order was deleted for good.
    Gone {
        /// Which.
        order_id: i64,
        /// When that was told, by the shop's clock.
        told_at: Option<ShopTime>,
    },
    /// Something about a product; the catalogue reads it.
    Product,
    /// Something about the catalogue by the way, and nothing else.
    Catalog,
    /// Nothing this program has a use for.
    Unhandled,
}

/// A body that cannot be read, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {what}", if .at.is_empty() { "the body" } else { .at })]
pub struct Unreadable {
    /// A JSON pointer, empty for the whole body; line and column where it is not JSON at all.
    pub at: String,
    /// What is wrong there.
    pub what: String,
}

/// An order of a list that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct UnreadableOrder {
    /// The order, where that much can be read.
    pub id: Option<i64>,
    /// What is wrong, and where in the list.
    pub error: Unreadable,
}

/// Why an answer of the shop is no order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnOrder {
    /// It cannot be read; reading it again will not help.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The order changed between two requests; reading it again will help.
    #[error(transparent)]
    Torn(#[from] Torn),
}

/// Reads a delivery. `site_keys` are the meta keys the store looks for a site under.
///
/// # Errors
/// [`Unreadable`] when it is not JSON, or is an order whose credits cannot be told exactly.
pub fn parse_delivery(topic: &str, body: &[u8], site_keys: &[String]) -> Result<Body, Unreadable> {
    let body = read_body(body)?;
    if let (Some(code), Some(message), None) = (body.code, body.message, body.id) {
        return Ok(Body::ErrorObject { code: text(Some(code)), message: text(Some(message)) });
    }
    let looks_like_an_order = body.line_items.is_some() && body.status.is_some();
    let hint = |order_id| Ok(Body::Hint { order_id, what: shorten(topic) });
    match topic.split_once('.').map_or(topic, |(resource, _)| resource) {
        "action" => match body.action {
            Some(action) => {
                let action = text(Some(action));
                let order_id =
                    body.arg.filter(|_| is_about_an_order(&action)).and_then(|arg| read_id(arg, "/arg").ok());
                Ok(Body::Hint { order_id, what: shorten(&action) })
            }
            None => Err(unreadable("/action", "an action delivery without it")),
        },
        "order" if looks_like_an_order => {
            read_order(&body, site_keys).map(|order| Body::Order(Box::new(order)))
        }
        "order" if body.order.is_some() => {
            Err(unreadable("/order", "the format of the legacy API: set the webhook's API version to v3"))
        }
        "order" if body.id.is_some() && body.status.is_none() && body.line_items.is_none() => {
            let order_id = read_id_at(body.id, "/id")?;
            match read_nivella(body.nivella) {
                Some(nivella) if nivella.gone.is_some_and(|gone| gone.get() == "true") => {
                    Ok(Body::Gone { order_id, told_at: nivella.told_at() })
                }
                _ => hint(Some(order_id)),
            }
        }
        "order" => {
            let missing = if body.status.is_none() { "/status" } else { "/line_items" };
            Err(unreadable(missing, "missing"))
        }
        "product" if looks_like_an_order => hint(body.id.and_then(|id| read_id(id, "/id").ok())),
        "product" => Ok(Body::Product),
        "nivella" => Ok(Body::Catalog),
        _ => Ok(Body::Unhandled),
    }
}

/// Reads the answers to `GET /orders/{id}` and, where the order names refunds, to `GET /orders/{id}/refunds`.
///
/// # Errors
/// [`NotAnOrder::Torn`] when the answers do not fit together, and the order should be read again.
pub fn parse_rest(order: &[u8], refunds: Option<&[u8]>, site_keys: &[String]) -> Result<Order, NotAnOrder> {
    let order = read_order(&object(read_json(order)?, "")?, site_keys)?;
    match refunds {
        Some(refunds) => Ok(order.with_refunds(parse_refunds(refunds)?)?),
        None => Ok(order),
    }
}

/// Reads a page of `GET /orders`. One order that cannot be read does not hide the others.
pub fn parse_orders(
    page: &[u8],
    site_keys: &[String],
) -> Result<Vec<Result<Order, UnreadableOrder>>, Unreadable> {
    let page: Vec<&RawValue> = read_json(page)?;
    let read = |(index, raw): (usize, &&RawValue)| {
        let failed = |id| {
            move |error: Unreadable| UnreadableOrder {
                id,
                error: unreadable(format!("/{index}{}", error.at), error.what),
            }
        };
        let body: RawBody<'_> = object(raw, "").map_err(failed(None))?;
        let id = body.id.and_then(|id| read_id(id, "/id").ok());
        read_order(&body, site_keys).map_err(failed(id))
    };
    Ok(page.iter().enumerate().map(read).collect())
}

/// Reads a page of `GET /orders/{id}/refunds`.
///
/// An order with more refunds than a page holds has several pages; put them together before
/// [`Order::with_refunds`].
pub fn parse_refunds(page: &[u8]) -> Result<Vec<Refund>, Unreadable> {
    let page: &RawValue = read_json(page)?;
    read_refunds(page, "")
}

/// Any body, with the fields that tell what it is or that credits depend on. All are read in a second step,
/// because only then can the place of a fault be named.
#[derive(Deserialize)]
struct RawBody<'a> {
    // What kind of body it is.
    #[serde(borrow)]
    code: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    action: Option<&'a RawValue>,
    #[serde(borrow)]
    arg: Option<&'a RawValue>,
    #[serde(borrow)]
    order: Option<&'a RawValue>,
    // An order.
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    number: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    currency: Option<&'a RawValue>,
    #[serde(borrow)]
    customer_id: Option<&'a RawValue>,
    #[serde(borrow)]
    billing: Option<&'a RawValue>,
    #[serde(borrow)]
    date_created_gmt: Option<&'a RawValue>,
    #[serde(borrow)]
    date_modified_gmt: Option<&'a RawValue>,
    #[serde(borrow)]
    date_paid_gmt: Option<&'a RawValue>,
    #[serde(borrow)]
    total: Option<&'a RawValue>,
    #[serde(borrow)]
    meta_data: Option<&'a RawValue>,
    #[serde(borrow)]
    line_items: Option<&'a RawValue>,
    #[serde(borrow)]
    shipping_lines: Option<&'a RawValue>,
    #[serde(borrow)]
    fee_lines: Option<&'a RawValue>,
    #[serde(borrow)]
    refunds: Option<&'a RawValue>,
    #[serde(borrow)]
    nivella: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct RawBilling<'a> {
    #[serde(borrow)]
    email: Option<&'a RawValue>,
    #[serde(borrow)]
    first_name: Option<&'a RawValue>,
    #[serde(borrow)]
    last_name: Option<&'a RawValue>,
    #[serde(borrow)]
    company: Option<&'a RawValue>,
}

/// A line of an order or of a refund; shipping and fees have the same amounts.
#[derive(Deserialize)]
struct RawLine<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    product_id: Option<&'a RawValue>,
    #[serde(borrow)]
    variation_id: Option<&'a RawValue>,
    #[serde(borrow)]
    sku: Option<&'a RawValue>,
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    quantity: Option<&'a RawValue>,
    #[serde(borrow)]
    subtotal: Option<&'a RawValue>,
    #[serde(borrow)]
    total: Option<&'a RawValue>,
    #[serde(borrow)]
    total_tax: Option<&'a RawValue>,
    #[serde(borrow)]
    meta_data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawMeta<'a> {
    #[serde(borrow)]
    key: Option<&'a RawValue>,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
}

/// A refund as an order names it (`total`) or as REST describes it (`amount` and lines).
#[derive(Deserialize)]
struct RawRefund<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    total: Option<&'a RawValue>,
    #[serde(borrow)]
    amount: Option<&'a RawValue>,
    #[serde(borrow)]
    line_items: Option<&'a RawValue>,
    #[serde(borrow)]
    shipping_lines: Option<&'a RawValue>,
    #[serde(borrow)]
    fee_lines: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawNivella<'a> {
    #[serde(borrow)]
    version: Option<&'a RawValue>,
    #[serde(borrow)]
    told_at: Option<&'a RawValue>,
    #[serde(borrow)]
    refunds: Option<&'a RawValue>,
    #[serde(borrow)]
    gone: Option<&'a RawValue>,
}

impl RawNivella<'_> {
    fn told_at(&self) -> Option<ShopTime> {
        string(self.told_at?)?.parse().ok()
    }
}

fn read_order(body: &RawBody<'_>, site_keys: &[String]) -> Result<Order, Unreadable> {
    if let (Some(code), None) = (body.code, body.id) {
        let what = format!("the shop answered with an error: {}", shorten(&text(Some(code))));
        return Err(unreadable("/code", what));
    }
    let id = read_id_at(body.id, "/id")?;
    let status = text(body.status);
    let status = status.strip_prefix("wc-").unwrap_or(&status);
    if status.is_empty() {
        return Err(unreadable("/status", "missing"));
    }
    let created_at = read_date(body.date_created_gmt, "/date_created_gmt")?;
    let modified_at = read_date(body.date_modified_gmt, "/date_modified_gmt")?
        .or(created_at)
        .ok_or_else(|| unreadable("/date_modified_gmt", "missing"))?;

    let lines = read_list(body.line_items, "/line_items", |raw, at| read_line(raw, at, site_keys))?;
    refuse_twins(lines.iter().map(|line| line.id), "/line_items")?;
    let mut other_lines = read_others(body.shipping_lines, "/shipping_lines", OtherKind::Shipping)?;
    other_lines.extend(read_others(body.fee_lines, "/fee_lines", OtherKind::Fee)?);
    let mut refunds = read_list(body.refunds, "/refunds", read_refund_ref)?;
    refuse_twins(refunds.iter().map(|refund| refund.id), "/refunds")?;
    // Those of one second come in this sequence in one answer and in another in the next.
    refunds.sort_by_key(|refund| refund.id);

    let billing = body.billing.and_then(|raw| object::<RawBilling<'_>>(raw, "").ok()).unwrap_or_default();
    let number = text(body.number);
    let mut order = Order {
        id,
        number: if number.is_empty() { id.to_string() } else { number },
        status: status.to_owned(),
        currency: text(body.currency),
        customer_id: read_id_or_zero(body.customer_id, "/customer_id")?,
        email: text(billing.email).trim().to_lowercase(),
        buyer_name: buyer_name(&billing),
        created_at: created_at.unwrap_or(modified_at),
        modified_at,
        paid_at: read_date(body.date_paid_gmt, "/date_paid_gmt")?,
        total: read_money(body.total, "/total")?,
        site_names: naming::candidates(texts(&read_meta(body.meta_data)), site_keys),
        lines,
        other_lines,
        refunds,
        refund_details: None,
        told_at: None,
    };
    if let Some(nivella) = read_nivella(body.nivella) {
        order.told_at = nivella.told_at();
        let supplied = nivella.refunds.and_then(|list| read_refunds(list, "/nivella/refunds").ok());
        order.refund_details = supplied.filter(|details| {
            let named: HashSet<i64> = order.refunds.iter().map(|refund| refund.id).collect();
            named == details.iter().map(|refund| refund.id).collect()
        });
    }
    Ok(order)
}

fn read_line(raw: &RawValue, at: &str, site_keys: &[String]) -> Result<Line, Unreadable> {
    let line: RawLine<'_> = object(raw, at)?;
    let meta = read_meta(line.meta_data);
    let keyed = meta.iter().map(|(key, value)| (key.as_ref(), *value));
    let promise = terms::field::<Credits>(keyed.clone(), terms::CREDITS);
    let total = read_money(line.total, &format!("{at}/total"))?;
    Ok(Line {
        id: read_id_at(line.id, &format!("{at}/id"))?,
        product_id: read_id_or_zero(line.product_id, &format!("{at}/product_id"))?,
        variation_id: read_id_or_zero(line.variation_id, &format!("{at}/variation_id"))?,
        sku: text(line.sku),
        name: text(line.name),
        quantity: read_money(line.quantity, &format!("{at}/quantity"))?,
        subtotal: read_money_or(line.subtotal, &format!("{at}/subtotal"), total)?,
        total,
        total_tax: read_money_or(line.total_tax, &format!("{at}/total_tax"), Decimal::ZERO)?,
        credits_promised: promise.as_ref().and_then(|promise| promise.as_ref().ok()).copied(),
        promise_unreadable: promise.and_then(Result::err),
        terms: Terms::read(keyed),
        site_names: naming::candidates(texts(&meta), site_keys),
    })
}

fn read_others(list: Option<&RawValue>, at: &str, kind: OtherKind) -> Result<Vec<OtherLine>, Unreadable> {
    read_list(list, at, |raw, at| {
        let line: RawLine<'_> = object(raw, at)?;
        Ok(OtherLine {
            kind,
            total: read_money_or(line.total, &format!("{at}/total"), Decimal::ZERO)?,
            total_tax: read_money_or(line.total_tax, &format!("{at}/total_tax"), Decimal::ZERO)?,
        })
    })
}

fn read_refund_ref(raw: &RawValue, at: &str) -> Result<RefundRef, Unreadable> {
    let refund: RawRefund<'_> = object(raw, at)?;
    Ok(RefundRef {
        id: read_id_at(refund.id, &format!("{at}/id"))?,
        amount: read_money(refund.total, &format!("{at}/total"))?.abs(),
    })
}

/// What the plugin adds, if it is of a version that is understood.
fn read_nivella(raw: Option<&RawValue>) -> Option<RawNivella<'_>> {
    let nivella: RawNivella<'_> = object(raw?, "/nivella").ok()?;
    let is_understood = nivella.version.is_none_or(|version| version.get().parse() == Ok(told::VERSION));
    is_understood.then_some(nivella)
}

fn read_refunds(list: &RawValue, at: &str) -> Result<Vec<Refund>, Unreadable> {
    let mut refunds = read_list(Some(list), at, read_refund)?;
    refuse_twins(refunds.iter().map(|refund| refund.id), at)?;
    refunds.sort_by_key(|refund| refund.id);
    Ok(refunds)
}

fn read_refund(raw: &RawValue, at: &str) -> Result<Refund, Unreadable> {
    let refund: RawRefund<'_> = object(raw, at)?;
    let other = if refund.shipping_lines.is_some() && refund.fee_lines.is_some() {
        let shipping =
            read_others(refund.shipping_lines, &format!("{at}/shipping_lines"), OtherKind::Shipping)?;
        let fees = read_others(refund.fee_lines, &format!("{at}/fee_lines"), OtherKind::Fee)?;
        let amounts =
            shipping.iter().chain(&fees).flat_map(|line| [negated(line.total), negated(line.total_tax)]);
        Some(money::sum(amounts).ok_or_else(|| unreadable(at, "its amounts are too large to add up"))?)
    } else {
        // Not everything that lists refunds lists these; zero would be a guess.
        None
    };
    Ok(Refund {
        id: read_id_at(refund.id, &format!("{at}/id"))?,
        amount: read_money(refund.amount, &format!("{at}/amount"))?.abs(),
        lines: read_list(refund.line_items, &format!("{at}/line_items"), read_refund_line)?,
        other,
    })
}

fn read_refund_line(raw: &RawValue, at: &str) -> Result<RefundLine, Unreadable> {
    let line: RawLine<'_> = object(raw, at)?;
    let order_line_id = read_meta(line.meta_data)
        .iter()
        .filter(|(key, _)| key == "_refunded_item_id")
        .find_map(|(_, value)| read_id(value, at).ok());
    Ok(RefundLine {
        order_line_id,
        quantity: negated(read_money_or(line.quantity, &format!("{at}/quantity"), Decimal::ZERO)?),
        total: negated(read_money(line.total, &format!("{at}/total"))?),
        total_tax: negated(read_money_or(line.total_tax, &format!("{at}/total_tax"), Decimal::ZERO)?),
    })
}

/// The other way round, and zero without a sign.
fn negated(amount: Decimal) -> Decimal {
    Decimal::ZERO - amount
}

fn buyer_name(billing: &RawBilling<'_>) -> String {
    let name = format!("{} {}", text(billing.first_name), text(billing.last_name));
    let name = name.trim();
    if name.is_empty() { text(billing.company).trim().to_owned() } else { name.to_owned() }
}

/// Actions whose first argument is an order's id. Those about refunds carry the refund's.
fn is_about_an_order(action: &str) -> bool {
    let of_woo = action.strip_prefix("woocommerce_").unwrap_or_default();
    let of_order = of_woo.contains("order") || of_woo.contains("payment");
    of_order && !of_woo.contains("order_item") && !of_woo.starts_with("refund")
}

/// Meta fields with a readable key. Meta that is not a list of fields is taken as none: it is decoration
/// unless one of a few keys is in it.
fn read_meta(list: Option<&RawValue>) -> Vec<(Cow<'_, str>, &RawValue)> {
    elements(list)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|raw| {
            let meta: RawMeta<'_> = object(raw, "").ok()?;
            Some((string(meta.key?)?, meta.value?))
        })
        .collect()
}

/// The meta fields, each with how to read it, if it is a text.
fn texts<'a>(
    meta: &'a [(Cow<'a, str>, &'a RawValue)],
) -> impl Iterator<Item = (&'a str, impl FnOnce() -> Option<Cow<'a, str>>)> {
    meta.iter().map(|(key, value)| (key.as_ref(), || string(value)))
}

/// Reads each element of a list, with the place it stands at.
fn read_list<'a, T>(
    list: Option<&'a RawValue>,
    at: &str,
    read: impl Fn(&'a RawValue, &str) -> Result<T, Unreadable>,
) -> Result<Vec<T>, Unreadable> {
    elements(list)
        .ok_or_else(|| unreadable(at, "not a list"))?
        .into_iter()
        .enumerate()
        .map(|(index, raw)| read(raw, &format!("{at}/{index}")))
        .collect()
}

/// The elements of a list. PHP writes a list with a gap in its numbering as an object; an absent one has none.
fn elements(list: Option<&RawValue>) -> Option<Vec<&RawValue>> {
    let Some(list) = list else { return Some(Vec::new()) };
    if list.get().starts_with('{') {
        let numbered: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(list.get()).ok()?;
        Some(numbered.into_values().collect())
    } else {
        serde_json::from_str(list.get()).ok()
    }
}

fn refuse_twins<T: Eq + Hash + std::fmt::Display + Copy>(
    ids: impl Iterator<Item = T>,
    at: &str,
) -> Result<(), Unreadable> {
    let mut seen = HashSet::new();
    for id in ids {
        if !seen.insert(id) {
            return Err(unreadable(at, format!("id {id} is there twice")));
        }
    }
    Ok(())
}

/// A date in UTC as WooCommerce writes it, or with a zone; `null`, `""` and `false` are no date.
fn read_date(raw: Option<&RawValue>, at: &str) -> Result<Option<Timestamp>, Unreadable> {
    let Some(raw) = raw.filter(|raw| raw.get() != "false") else {
        return Ok(None);
    };
    let text = string(raw).ok_or_else(|| not(raw, at, "a date"))?;
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    Timestamp::from_woo_gmt(text)
        .or_else(|| text.contains('T').then(|| text.parse().ok()).flatten())
        .map(Some)
        .ok_or_else(|| not(raw, at, "a date like 2026-11-20T16:00:00"))
}

fn read_money(raw: Option<&RawValue>, at: &str) -> Result<Decimal, Unreadable> {
    let raw = raw.ok_or_else(|| unreadable(at, "missing"))?;
    scalar(raw).and_then(|text| money::parse(text.trim())).ok_or_else(|| not(raw, at, "a plain decimal"))
}

/// As [`read_money`]; absent and empty are `default`.
fn read_money_or(raw: Option<&RawValue>, at: &str, default: Decimal) -> Result<Decimal, Unreadable> {
    match raw {
        None => Ok(default),
        Some(raw) if raw.get() == "\"\"" => Ok(default),
        Some(raw) => read_money(Some(raw), at),
    }
}

fn read_id_at(raw: Option<&RawValue>, at: &str) -> Result<i64, Unreadable> {
    raw.map_or_else(|| Err(unreadable(at, "missing")), |raw| read_id(raw, at))
}

fn read_id(raw: &RawValue, at: &str) -> Result<i64, Unreadable> {
    match read_id_or_zero(Some(raw), at)? {
        0 => Err(not(raw, at, "an id")),
        id => Ok(id),
    }
}

/// An id; absent, empty and 0 mean that there is none.
fn read_id_or_zero(raw: Option<&RawValue>, at: &str) -> Result<i64, Unreadable> {
    let Some(raw) = raw else { return Ok(0) };
    let text = scalar(raw).ok_or_else(|| not(raw, at, "an id"))?;
    let text = text.trim();
    if text.is_empty() {
        return Ok(0);
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(not(raw, at, "an id"));
    }
    text.parse().map_err(|_| not(raw, at, "an id"))
}

/// A text for people; what is neither text nor number counts as empty.
fn text(raw: Option<&RawValue>) -> String {
    raw.and_then(scalar).map(Cow::into_owned).unwrap_or_default()
}

/// The text of a JSON string, or a JSON number as it was written.
fn scalar(raw: &RawValue) -> Option<Cow<'_, str>> {
    match raw.get().as_bytes().first() {
        Some(b'-' | b'0'..=b'9') => Some(Cow::Borrowed(raw.get())),
        _ => string(raw),
    }
}

fn string(raw: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    serde_json::from_str(raw.get()).ok().map(|Text(text)| text)
}

fn object<'a, T: Deserialize<'a>>(raw: &'a RawValue, at: &str) -> Result<T, Unreadable> {
    // Without this a list would be taken as the fields in their order.
    if !raw.get().starts_with('{') {
        return Err(unreadable(at, "not an object"));
    }
    serde_json::from_str(raw.get()).map_err(|error| unreadable(at, error.to_string()))
}

/// A body's fields. Only one that cannot be read is read a second time, for what is wrong with it, and where.
fn read_body(body: &[u8]) -> Result<RawBody<'_>, Unreadable> {
    let text = std::str::from_utf8(body).ok().filter(|text| text.trim_ascii_start().starts_with('{'));
    match text.map(serde_json::from_str) {
        Some(Ok(read)) => Ok(read),
        _ => object(read_json(body)?, ""),
    }
}

fn read_json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Unreadable> {
    let text = std::str::from_utf8(body)
        .map_err(|error| unreadable(format!("byte {}", error.valid_up_to()), "not UTF-8"))?;
    serde_json::from_str(text).map_err(|error| {
        let message = error.to_string();
        // The place stands in front already.
        let what = message.rsplit_once(" at line ").map_or(message.as_str(), |(what, _)| what);
        unreadable(format!("line {} column {}", error.line(), error.column()), what)
    })
}

fn not(raw: &RawValue, at: &str, wanted: &str) -> Unreadable {
    unreadable(at, format!("{} is not {wanted}", shorten(raw.get())))
}

fn unreadable(at: impl Into<String>, what: impl Into<String>) -> Unreadable {
    Unreadable { at: at.into(), what: what.into() }
}

/// Short enough for a list of reasons.
fn shorten(text: &str) -> String {
    text.chars().take(64).collect()
}
