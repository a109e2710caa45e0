//! `/v1/orders`: what shops sold, why an order granted what it did, what a refund would take back, and what people do
//! about an order.
//!
//! An administrator's key reads the whole story; an account's key that of its own orders, without what the shop sent
//! and without what others have. All else is answered as if it were not there.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query as Pairs, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::extract::{self, Fields, Raw};
use super::fields::{self, optional, required};
use super::openapi::Routes;
use super::openapi::operation::{Field, OWN, Object, Operation, Tag};
use super::problem::{Code, Fault, Problem};
use super::query::Query;
use super::wallets::{NO_CACHE, private};
use super::{App, admin};
use crate::access::Caller;
use crate::catalog::{self, Subject};
use crate::db::{self, Tx};
use crate::feed::{List, cursor};
use crate::id::{OperationId, SiteId};
use crate::inbox;
use crate::ledger::slice::Compartment;
use crate::order::apply::{self, Applied, Outcome, Rules};
use crate::order::assign::{self, Wish};
use crate::order::preview::{self, Preview, Wanted};
use crate::order::store::{self, Filter, Place};
use crate::order::{RefundLine, explain, money};
use crate::schema::OrderId;
use crate::shop::{self, Store, StoreName};
use crate::site::{AccountRef, Owner};
use crate::time::Timestamp;
use crate::units::Credits;

/// Orders, and what is done about them.
pub fn routes() -> Routes {
    let of_order = |summary| {
        Operation::new(Tag::Orders, summary)
            .path::<StoreName>("store", "The store's name.", "shop")
            .path::<OrderId>("order", "The order's id there.", "29")
    };
    let number = || json!({ "type": "string", "pattern": AMOUNT });
    let optional_number = || json!({ "type": ["string", "null"], "pattern": AMOUNT });
    let lines = json!({ "type": ["array", "null"], "maxItems": LINES_MAX, "items": {
        "type": "object", "required": ["line", "total"], "additionalProperties": false, "properties": {
            "line": { "type": "integer", "minimum": 1, "description": "The line's id." },
            "total": number(), "tax": optional_number(), "quantity": optional_number() } } });
    Routes::new()
        .get(
            "/v1/orders",
            list,
            Operation::new(Tag::Orders, "Lists orders")
                .describe("Those first that were heard of last.")
                .query::<StoreName>("store", "Only those of this store.")
                .query_word("state", "`unclaimed`: of guests, with credits left. `attention`: a person should look. `parked`: a fact is missing.", STATES)
                .query_text("query", "An order's number or how it begins, or part of its buyer's name or e-mail address.", QUERY_CHARS_MAX)
                .pages()
                .answers::<List<Listed>>(200, "A page of orders.", json!({ "items": [listed_example()], "next_cursor": null }))
                .refuses(&[Code::NotFound]),
        )
        .get(
            "/v1/orders/{store}/{order}",
            show,
            of_order("Why an order granted what it did")
                .describe("An account's key reads its own orders, without what the shop sent and without what others have.")
                .scopes(OWN)
                .answers::<explain::Story>(200, "All that is known of it.", example())
                .refuses(&[Code::NotFound, Code::InvalidRequest]),
        )
        .post(
            "/v1/orders/{store}/{order}/refund-preview",
            preview_refund,
            of_order("What a refund would take back")
                .describe("The order is applied as the shop would tell of it after that refund, and all of it is taken back again: nothing is written.")
                .takes(
                    vec![
                        Field::literal("amount", "The money that would go back, with tax.", number()).always(),
                        Field::literal(
                            "lines",
                            "What of it is of which line: `total` without tax, `tax` and `quantity` 0 unless given. What is of no \
                             line is of the whole order.",
                            lines,
                        ),
                        Field::literal("other", "The shipping and fees in it, with tax.", optional_number()),
                    ],
                    json!({ "amount": "40.00", "lines": [{ "line": 12, "total": "40.00", "tax": "0", "quantity": "1" }] }),
                )
                .answers::<Preview>(200, "What would become of its credits.", preview_example())
                .refuses(&[Code::NotFound]),
        )
        .post(
            "/v1/orders/{store}/{order}/assign",
            assign_order,
            of_order("Sends an order's unspent credits to a site, to the pool, or to another account")
                .describe(
                    "What is unspent moves, lots kept; what open holds have set aside stays. Remembered until the order itself names \
                     another site or customer. A site must belong to the order's account: for somebody else's site name both. \
                     The same again changes nothing.",
                )
                .takes_object(
                    Object::new(vec![
                        Field::optional::<SiteId>("site", "To this site of its account."),
                        Field::optional::<AccountRef>("account", "To this account, opened if its store does not know it yet."),
                        Field::optional::<bool>("pool", "To the account's pool."),
                    ])
                    .some_of(&["site", "account", "pool"]),
                    json!({ "site": "site-123" }),
                )
                .answers::<Acted>(200, "What that did, and the order after it.", acted_example())
                .refuses(&[Code::NotFound]),
        )
        .post(
            "/v1/orders/{store}/{order}/replay",
            replay,
            of_order("Applies what the shop sent of an order once more")
                .describe("What is in the books already changes nothing. A shop with REST keys is asked as well, in the background.")
                .takes_nothing()
                .answers::<Acted>(200, "What that did, and the order after it.", acted_example())
                .refuses(&[Code::NotFound]),
        )
}

/// Money that is not below zero.
const AMOUNT: &str = r"^[0-9]+(\.[0-9]+)?$";
/// The words of `state`.
const STATES: &[&str] = &["all", "unclaimed", "attention", "parked"];
/// The longest words to search for; an e-mail address has no more.
const QUERY_CHARS_MAX: usize = 254;
/// The most orders one page looks at, where few of them have the words.
const LOOKED_AT_MAX: usize = 2_000;
/// The most lines of a refund; an order has a handful.
const LINES_MAX: usize = 1_000;
/// The most kept deliveries of an order that are applied once more at a time.
const DELIVERIES_MAX: usize = 1_000;
/// The list's name in its cursors.
const LIST: &str = "orders";

/// An order as it is listed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "ListedOrder")]
struct Listed {
    /// The store's name.
    store: String,
    /// The order's id there.
    #[schemars(with = "OrderId")]
    order: String,
    /// The number customers read.
    number: String,
    /// Its status in the shop.
    status: String,
    /// How it stands, in a sentence.
    summary: String,
    /// Whom the order names as its buyer, like `shop:customer:7`.
    buyer: Option<String>,
    /// Whose credits they are, once anything was granted.
    account: Option<Owner>,
    /// What it granted, less what was taken back.
    granted: Credits,
    /// What it waits for.
    parked: Option<String>,
    /// What a person should look at.
    attention: Option<String>,
    /// When the shop last changed it.
    modified_at: Timestamp,
}

impl From<explain::Story> for Listed {
    fn from(story: explain::Story) -> Self {
        Self {
            store: story.store,
            order: story.order.to_string(),
            number: story.number,
            status: story.status,
            summary: story.summary,
            buyer: story.buyer,
            account: story.account,
            granted: story.granted,
            parked: story.parked,
            attention: story.attention,
            modified_at: story.modified_at,
        }
    }
}

/// What was done about an order.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "OrderActedOn")]
struct Acted {
    /// `granted`, `clawed_back`, `unchanged`, `parked`, `ignored` or `stored`, as a delivery is answered; `failed`: the
    /// ledger refused.
    outcome: &'static str,
    /// What it waits for, what a person should look at, or what goes on in the background.
    reason: Option<String>,
    /// The order after it.
    order: explain::Story,
}

fn listed_example() -> Value {
    json!({
        "store": "shop", "order": "29", "number": "29", "status": "completed",
        "summary": "All 1000 credits of it are left with Alice Doe", "buyer": "shop:customer:17",
        "account": { "id": "acc_01a1fa67730b778aa2ec748e9839efc7", "name": "Alice Doe" }, "granted": "1000",
        "parked": null, "attention": null, "modified_at": "2026-11-20T16:00:00Z"
    })
}

fn preview_example() -> Value {
    json!({
        "granted": "1000", "used": "380", "left": "620", "takes_back": "400", "shortfall": "0", "shortfall_policy": "debt",
        "lines": [{ "line": 12, "name": "AI Credits 1,000", "granted": "1000", "used": "380", "left": "620",
                    "takes_back": "400", "shortfall": "0" }],
        "attention": null, "summary": "1,000 credits, 380 used; refunding 40.00 EUR takes back 400, shortfall 0"
    })
}

fn acted_example() -> Value {
    json!({ "outcome": "unchanged", "reason": null, "order": example() })
}

/// An order's story as it may be answered.
fn example() -> Value {
    json!({
        "store": "shop", "order": "29", "number": "29", "summary": "All 1000 credits of it are left with Alice Doe",
        "status": "completed", "meaning": "paid: its lines grant what they are worth", "paid_at": "2026-11-20T16:00:00Z",
        "modified_at": "2026-11-20T16:00:00Z", "first_seen_at": "2026-11-20T16:00:01Z",
        "applied_at": "2026-11-20T16:00:01Z", "confirmed_at": null, "buyer": "shop:customer:17",
        "account": { "id": "acc_01a1fa67730b778aa2ec748e9839efc7", "name": "Alice Doe" }, "assigned": null,
        "parked": null, "attention": null, "missing": [], "granted": "1000", "used": "0", "left": "1000", "lines": [], "grants": [], "entries": [], "places": [],
        "deliveries": []
    })
}

/// `GET /v1/orders/{store}/{order}`.
///
/// # Errors
/// `not_found`, `try_again`.
async fn show(
    State(app): State<App>,
    caller: Caller,
    named: Result<Path<(String, String)>, PathRejection>,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let (name, order) = order_of(named)?;
    let query = Query::new(pairs, &[]);
    let story = app.db.read(|tx| {
        let shop = shop::store::find(tx, &name)?.ok_or_else(missing)?;
        let story = explain::story(tx, &shop, &app.rules, order)?.ok_or_else(missing)?;
        let story = match story.account.as_ref().map(|owner| owner.id.clone()) {
            _ if caller.is_admin() => story,
            Some(account) if caller.is_owner_of(&account) => story.for_account(&account),
            _ => return Err(missing()),
        };
        query.check()?;
        Ok::<_, Problem>(story)
    })?;
    let cache = [(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"))];
    Ok((cache, Json(story)).into_response())
}

/// `GET /v1/orders`.
///
/// # Errors
/// In this order: `unauthorized`, `not_found` (keys that are no administrator's), `invalid_request`, `try_again`.
async fn list(
    State(app): State<App>,
    caller: Caller,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let mut query = Query::new(pairs, &["store", "state", "query", "limit", "cursor"]);
    let store = query.take("store", str::parse::<StoreName>);
    let filter = query.take_word("state", STATES, |word| match word {
        "all" => Some(Filter::All),
        "unclaimed" => Some(Filter::Unclaimed),
        "attention" => Some(Filter::Attention),
        "parked" => Some(Filter::Parked),
        _ => None,
    });
    let words = query.take("query", |text| match text.chars().count() {
        0..=QUERY_CHARS_MAX => Ok(text.trim().to_lowercase()),
        _ => Err(format!("has at most {QUERY_CHARS_MAX} characters")),
    });
    let limit = query.take_limit();
    let after = query.take("cursor", |text| cursor::read::<Place>(LIST, text)).unwrap_or(Place::START);
    let list = app.db.read(|tx| {
        admin::check(&caller, || Ok(false))?;
        query.check()?;
        let of = match &store {
            Some(name) => Some(shop::store::find(tx, name)?.ok_or_else(no_store)?.id),
            None => None,
        };
        let search = Search {
            filter: filter.unwrap_or(Filter::All),
            of,
            words: words.filter(|words| !words.is_empty()),
        };
        search.page(tx, &app.rules, after, limit)
    })?;
    Ok(private(NO_CACHE, Json(list)))
}

fn no_store() -> Problem {
    Problem::invalid("/query/store", "there is no such store")
}

/// What is looked for among all orders.
struct Search {
    filter: Filter,
    of: Option<i64>,
    words: Option<String>,
}

impl Search {
    fn page(
        &self,
        tx: &mut Tx<'_>,
        rules: &Rules,
        after: Place,
        limit: usize,
    ) -> Result<List<Listed>, Problem> {
        let rows_max = i64::try_from(limit + 1).unwrap_or(i64::MAX);
        let (mut place, mut looked_at, mut items) = (after, 0, Vec::new());
        loop {
            let rows = store::search(tx, self.filter, self.of, self.words.as_deref(), place, rows_max)?;
            let is_last = rows.len() <= limit;
            for row in rows {
                if items.len() == limit || looked_at == LOOKED_AT_MAX {
                    return Ok(List { items, next_cursor: Some(cursor::write(LIST, &place.to_string())) });
                }
                place = row.place;
                looked_at += 1;
                let Some(shop) = shop::store::by_id(tx, place.store())? else { continue };
                if !self.is_meant(tx, &shop, &row)? {
                    continue;
                }
                items.extend(explain::story(tx, &shop, rules, row.order)?.map(Listed::from));
            }
            if is_last {
                return Ok(List { items, next_cursor: None });
            }
        }
    }

    fn is_meant(&self, tx: &mut Tx<'_>, shop: &Store, row: &store::Listed) -> Result<bool, db::Error> {
        let Some(words) = &self.words else { return Ok(true) };
        let is_named = row.name.as_ref().is_some_and(|name| name.to_lowercase().contains(words));
        let known = store::find(tx, shop.id, row.order)?;
        Ok(is_named || known.is_some_and(|known| known.order.is_meant_by(words)))
    }
}

/// `POST /v1/orders/{store}/{order}/refund-preview`.
///
/// # Errors
/// In this order: `unauthorized`, `not_found`, `forbidden`, `invalid_request`, `try_again`.
async fn preview_refund(
    State(app): State<App>,
    caller: Caller,
    named: Result<Path<(String, String)>, PathRejection>,
    Raw(body): Raw,
) -> Result<Response, Problem> {
    let (name, order) = order_of(named)?;
    let rules = app.rules.clone();
    let preview = app
        .db
        .write("orders::preview_refund", move |tx| {
            let shop = acted_on(tx, &caller, &name, order)?;
            let Fields(fields) = extract::parse(&body)?;
            Ok::<_, Problem>(preview::preview(tx, &shop, &rules, order, &wanted(&fields)?)?)
        })
        .await?;
    Ok(private(NO_CACHE, Json(preview)))
}

/// The refund a body describes.
fn wanted(fields: &Map<String, Value>) -> Result<Wanted, Problem> {
    let mut errors = fields::unknown(fields, &["amount", "lines", "other"]);
    let amount = required::<Money>(fields, "amount", &mut errors);
    if amount.is_some_and(|Money(amount)| amount.is_zero()) {
        errors.push(Fault::new("/amount", "must be above 0"));
    }
    let other = optional::<Money>(fields, "other", &mut errors);
    let mut lines = Vec::new();
    match fields.get("lines") {
        None | Some(Value::Null) => {}
        Some(Value::Array(list)) if list.len() <= LINES_MAX => {
            for (index, item) in list.iter().enumerate() {
                let at = |fault: Fault| Fault::new(format!("/lines/{index}{}", fault.pointer), fault.detail);
                let Value::Object(item) = item else {
                    errors.push(at(Fault::new("", "must be an object")));
                    continue;
                };
                let mut faults = fields::unknown(item, &["line", "total", "tax", "quantity"]);
                lines.extend(refund_line(item, &mut faults));
                errors.extend(faults.into_iter().map(at));
            }
        }
        Some(Value::Array(_)) => errors.push(Fault::new("/lines", format!("has at most {LINES_MAX} lines"))),
        Some(_) => errors.push(Fault::new("/lines", "must be a list")),
    }
    let Money(other) = other.unwrap_or_default();
    fields::complete(amount.map(|Money(amount)| Wanted { amount, lines, other }), errors)
}

fn refund_line(item: &Map<String, Value>, errors: &mut Vec<Fault>) -> Option<RefundLine> {
    if !fields::given(item, "line") {
        errors.push(Fault::new("/line", "is missing"));
    }
    let line = fields::whole(item, "line", errors);
    let Money(total) = required(item, "total", errors)?;
    let Money(total_tax) = optional(item, "tax", errors).unwrap_or_default();
    let Money(quantity) = optional(item, "quantity", errors).unwrap_or_default();
    Some(RefundLine { order_line_id: Some(line?), quantity, total, total_tax })
}

/// Money, or a quantity, that is not below zero.
#[derive(Clone, Copy, Debug, Default)]
struct Money(Decimal);

impl std::str::FromStr for Money {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        money::parse(text)
            .filter(|amount| *amount >= Decimal::ZERO)
            .map(Self)
            .ok_or("must be a plain decimal that is not below 0, like \"40.00\"")
    }
}

/// `POST /v1/orders/{store}/{order}/assign`.
///
/// # Errors
/// In this order: `unauthorized`, `not_found`, `forbidden`, `invalid_request`, `try_again`.
async fn assign_order(
    State(app): State<App>,
    caller: Caller,
    named: Result<Path<(String, String)>, PathRejection>,
    Raw(body): Raw,
) -> Result<Response, Problem> {
    let (name, order) = order_of(named)?;
    let rules = app.rules.clone();
    let acted = app
        .db
        .write("orders::assign", move |tx| {
            let shop = acted_on(tx, &caller, &name, order)?;
            let Fields(fields) = extract::parse(&body)?;
            let wish = wish(&fields)?;
            let done = assign::assign(tx, &shop, &rules, order, &wish, OperationId::new().as_str())?;
            if done.parked.is_none() {
                inbox::store::unpark(tx, shop.id, order)?;
            }
            let reason = done.parked.or(done.attention);
            acted(tx, &shop, &rules, order, done.result.as_str(), reason)
        })
        .await?;
    Ok(private(NO_CACHE, Json(acted)))
}

/// Where a body wants an order's credits.
fn wish(fields: &Map<String, Value>) -> Result<Wish, Problem> {
    let mut errors = fields::unknown(fields, &["site", "account", "pool"]);
    let site = optional::<SiteId>(fields, "site", &mut errors);
    let account = optional::<AccountRef>(fields, "account", &mut errors);
    let pool = match fields.get("pool") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(pool)) => *pool,
        Some(_) => {
            errors.push(Fault::new("/pool", "must be true or false"));
            false
        }
    };
    if pool && site.is_some() {
        errors.push(Fault::new("/pool", "either to a site or to the pool"));
    }
    let place = site.map(Compartment::Site).or_else(|| pool.then_some(Compartment::Pool));
    if place.is_none() && account.is_none() && errors.is_empty() {
        errors.push(Fault::new("", "say where to: site, account, or pool"));
    }
    fields::complete(Some(Wish { account, place }), errors)
}

/// `POST /v1/orders/{store}/{order}/replay`.
///
/// # Errors
/// In this order: `unauthorized`, `not_found`, `forbidden`, `invalid_request`, `try_again`.
async fn replay(
    State(app): State<App>,
    caller: Caller,
    named: Result<Path<(String, String)>, PathRejection>,
    Raw(body): Raw,
) -> Result<Response, Problem> {
    let (name, order) = order_of(named)?;
    let rules = app.rules.clone();
    let acted = app
        .db
        .write("orders::replay", move |tx| {
            let shop = acted_on(tx, &caller, &name, order)?;
            fields::nothing(&body)?;
            let (outcome, mut reason) = replayed(tx, &shop, &rules, order)?;
            if shop.has_rest_keys {
                catalog::store::want(tx, shop.id, Subject::Order(order), "somebody wants to know how it is")?;
                catalog::store::hasten(tx, shop.id, Some(order))?;
                reason = reason.or_else(|| Some("the shop is asked in the background".to_owned()));
            }
            acted(tx, &shop, &rules, order, outcome, reason)
        })
        .await?;
    app.wake_worker.notify_one();
    Ok(private(NO_CACHE, Json(acted)))
}

/// Applies what is kept of an order, oldest first, then its newest state.
fn replayed(
    tx: &mut Tx<'_>,
    shop: &Store,
    rules: &Rules,
    order: i64,
) -> Result<(&'static str, Option<String>), db::Error> {
    let (mut place, mut moved) = (0, None);
    for _ in 0..DELIVERIES_MAX {
        let Some(kept) = inbox::store::next_of_order(tx, shop.id, order, place)? else { break };
        place = kept.seq;
        let done = inbox::replay_or_set_aside(tx, shop, rules, &kept)?;
        moved = Some(done.result).filter(|result| matches!(*result, "granted" | "clawed_back")).or(moved);
    }
    let newest = tx.attempt(|tx| apply::again(tx, shop, rules, order, OperationId::new().as_str()));
    match newest {
        Ok(Applied { outcome, reason }) => {
            if outcome != Outcome::Parked {
                inbox::store::unpark(tx, shop.id, order)?;
            }
            let is_said = matches!(outcome, Outcome::Granted | Outcome::ClawedBack);
            Ok((moved.filter(|_| !is_said).unwrap_or(outcome.as_str()), reason))
        }
        Err(apply::Error::Ledger(refusal)) => Ok(("failed", Some(refusal.to_string()))),
        Err(apply::Error::Database(error)) => Err(error),
    }
}

/// What was done about an order, told with the order after it.
fn acted(
    tx: &mut Tx<'_>,
    shop: &Store,
    rules: &Rules,
    order: i64,
    outcome: &'static str,
    reason: Option<String>,
) -> Result<Acted, Problem> {
    let story = explain::story(tx, shop, rules, order)?.ok_or_else(missing)?;
    Ok(Acted { outcome, reason, order: story })
}

/// The store of an order that the caller may act on; that is an administrator's.
fn acted_on(tx: &mut Tx<'_>, caller: &Caller, name: &StoreName, order: i64) -> Result<Store, Problem> {
    let shop = shop::store::find(tx, name)?;
    let known = match &shop {
        Some(shop) => store::find(tx, shop.id, order)?,
        None => None,
    };
    let owner = known.as_ref().and_then(|known| known.account.clone());
    admin::check(caller, || Ok(owner.is_some_and(|owner| caller.is_owner_of(&owner))))?;
    shop.filter(|_| known.is_some()).ok_or_else(missing)
}

impl From<preview::Error> for Problem {
    fn from(error: preview::Error) -> Self {
        use preview::Error as E;
        match error {
            E::UnknownOrder => missing(),
            E::UnknownLine { index, .. } => Self::invalid(format!("/lines/{index}/line"), error),
            E::TooMuch { .. } => Self::invalid("/amount", error),
            E::PartsExceed { .. } => Self::invalid("/lines", error),
            E::Apply(error) => error.into(),
        }
    }
}

impl From<assign::Error> for Problem {
    fn from(error: assign::Error) -> Self {
        use assign::Error as E;
        match error {
            E::UnknownOrder { .. } => missing(),
            E::NoAccount(_) => Self::invalid("/account", format!("{error}: name the account too")),
            E::NotTheirs { ref site, owner: Some(ref owner), .. } => Self::invalid(
                "/site",
                format!("{error}: name its account {owner} too, or another site than {site}"),
            ),
            E::NotTheirs { owner: None, .. } => {
                Self::invalid("/site", format!("{error}: it belongs to nobody, give it to the account first"))
            }
            E::Account(error) => error.into(),
            E::Apply(error) => error.into(),
        }
    }
}

impl From<apply::Error> for Problem {
    fn from(error: apply::Error) -> Self {
        match error {
            apply::Error::Ledger(refusal) => refusal.into(),
            apply::Error::Database(error) => error.into(),
        }
    }
}

fn missing() -> Problem {
    Problem::not_found().with_detail("there is no such order in the scope of this API key")
}

/// The order a path names.
fn order_of(named: Result<Path<(String, String)>, PathRejection>) -> Result<(StoreName, i64), Problem> {
    let Ok(Path((store, order))) = named else { return Err(missing()) };
    match (store.parse::<StoreName>(), order_id(&order)) {
        (Ok(name), Some(order)) => Ok((name, order)),
        _ => Err(missing()),
    }
}

/// An order's id as shops write it.
fn order_id(text: &str) -> Option<i64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten().filter(|id| *id > 0)
}
