//! `/v1/grants`, `/v1/allocations`, `/v1/adjustments`: what an administrator does to credits by hand.

use axum::Json;
use axum::extract::{Query as Pairs, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::debits::LABEL_CHARS_MAX;
use super::extract::{self, Fields, Named, Raw};
use super::fields::{self, optional, positive, text};
use super::idempotent::{self, Requested};
use super::openapi::Routes;
use super::openapi::operation::{Field, Operation, Tag};
use super::problem::{Code, Fault, Problem};
use super::query::Query;
use super::wallets::{NO_CACHE, grant_example, private};
use super::{App, admin};
use crate::access::Caller;
use crate::account::by_hand;
use crate::db::{self, Tx};
use crate::feed::{List, grants, wallet};
use crate::id::{GrantId, SiteId};
use crate::idempotency::Answer;
use crate::ledger::slice::{Category, Compartment};
use crate::ledger::store::{Expiry, NewGrant, Shown};
use crate::schema::{Amount, Change, Instant};
use crate::site::{self, AccountRef, WalletRef};
use crate::time::{Timestamp, Validity};

/// What is done to credits by hand.
pub fn routes() -> Routes {
    let operation = |summary| Operation::new(Tag::ByHand, summary);
    let reason = || Field::line("reason", "Why, for the shop only.", 1, LABEL_CHARS_MAX);
    Routes::new()
        .get(
            "/v1/grants",
            list,
            operation("The grants of all wallets, or of one, newest first")
                .query::<WalletRef>("wallet", "Only what lies in this wallet.")
                .query_word(
                    "status",
                    "Only grants that stand so.",
                    &grants::Status::ALL.map(grants::Status::as_str),
                )
                .pages()
                .answers::<List<grants::Listed>>(
                    200,
                    "A page of grants.",
                    json!({ "items": [listed_example()], "next_cursor": null }),
                )
                .refuses(&[Code::NotFound]),
        )
        .post(
            "/v1/grants",
            create,
            operation("Gives credits to a wallet")
                .describe("An account is opened if its store does not know it yet. Give either `expires` or `expires_at`, or neither: then the credits do not expire.")
                .only_once()
                .takes(
                    vec![
                        Field::required::<WalletRef>("wallet", "Whose; of an account its pool."),
                        Field::required::<Amount>("credits", "How many."),
                        Field::optional::<Category>("category", "`bonus` unless said."),
                        Field::literal("priority", "The place in the burn-down order, lower first; its category's unless said.", json!({
                            "type": ["integer", "null"], "minimum": PRIORITIES.start(), "maximum": PRIORITIES.end()
                        })),
                        Field::optional::<Instant>("effective_at", "From when they are good; now, unless said."),
                        Field::optional::<Validity>("expires", "How long they are good."),
                        Field::optional::<Instant>("expires_at", "From when they are no longer good."),
                        Field::line("label", "What customers read; the unit, unless said.", 0, LABEL_CHARS_MAX),
                        reason(),
                    ],
                    json!({ "wallet": "account:shop:customer:17", "credits": "1000", "category": "paid", "expires": "1y", "reason": "invoice 2026-117" }),
                )
                .answers::<by_hand::Given>(
                    201,
                    "The grant, what of it paid a debt, and what its compartment has available now.",
                    json!({
                        "id": "gr_01a1fa67730b778aa2ec748e9839efc7", "wallet": "account:acc_01a1fa67730b778aa2ec748e9839efc7",
                        "account": "acc_01a1fa67730b778aa2ec748e9839efc7", "credits": "1000", "category": "paid", "priority": 30,
                        "label": "AI Credits", "reason": "invoice 2026-117", "effective_at": "2026-11-20T16:00:00Z",
                        "expires_at": "2027-11-21T00:00:00Z", "repaid": "0", "available": "1000"
                    }),
                )
                .refuses(&[Code::Forbidden, Code::NotFound]),
        )
        .post(
            "/v1/grants/{id}/void",
            void,
            operation("Withdraws what is left of a grant")
                .describe("What open holds have set aside stays with them. The second time nothing changes.")
                .once()
                .path::<GrantId>("id", "The grant.", "gr_01a1fa67730b778aa2ec748e9839efc7")
                .takes(vec![reason()], json!({ "reason": "given by mistake" }))
                .answers::<grants::Listed>(200, "The grant.", listed_example())
                .refuses(&[Code::Forbidden, Code::NotFound]),
        )
        .post(
            "/v1/allocations",
            allocate,
            operation("Moves credits between an account's pool and one of its sites")
                .describe("All or nothing, in burn-down order; what moves keeps its expiry, category and purchase.")
                .once()
                .takes(
                    vec![
                        Field::required::<AccountRef>("account", "Whose."),
                        Field::required::<SiteId>("site", "The site; it belongs to the account."),
                        Field::required::<Change>("credits", "How many go to the site; negative ones go back."),
                    ],
                    json!({ "account": "shop:customer:17", "site": "site-123", "credits": "60" }),
                )
                .answers::<by_hand::Moved>(
                    201,
                    "What moved of each grant, and what the site's own compartment has available now.",
                    json!({
                        "account": "acc_01a1fa67730b778aa2ec748e9839efc7", "site": "site-123", "credits": "60",
                        "slices": [{ "grant": "gr_01a1fa67730b778aa2ec748e9839efc7", "credits": "60" }], "available": "60"
                    }),
                )
                .refuses(&[Code::InsufficientCredits, Code::Forbidden, Code::NotFound, Code::SiteMismatch]),
        )
        .post(
            "/v1/adjustments",
            adjust,
            operation("Corrects a balance")
                .describe("Positive credits make a bonus grant that never expires; negative ones are taken from the compartment's own credits in burn-down order, all or nothing.")
                .once()
                .takes(
                    vec![
                        Field::required::<WalletRef>("wallet", "Whose; of an account its pool."),
                        Field::required::<Change>("credits", "By how many."),
                        reason(),
                    ],
                    json!({ "wallet": "site:site-123", "credits": "-7", "reason": "counted twice" }),
                )
                .answers::<by_hand::Adjusted>(
                    201,
                    "What each grant gave, or the new one got, and what the compartment has available now.",
                    json!({
                        "id": "op_01a1fa67730b778aa2ec748e9839efc7", "wallet": "site:site-123",
                        "account": "acc_01a1fa67730b778aa2ec748e9839efc7", "credits": "-7", "reason": "counted twice",
                        "slices": [{ "grant": "gr_01a1fa67730b778aa2ec748e9839efc7", "credits": "7" }], "available": "38"
                    }),
                )
                .refuses(&[Code::InsufficientCredits, Code::Forbidden, Code::NotFound]),
        )
}

/// A grant as it may be listed.
fn listed_example() -> Value {
    let mut grant = grant_example();
    if let Value::Object(grant) = &mut grant {
        grant.insert("wallet".to_owned(), "site:site-123".into());
        grant.insert("account".to_owned(), "acc_01a1fa67730b778aa2ec748e9839efc7".into());
    }
    grant
}

/// The lowest and the highest place in the burn-down order that a grant may be given.
const PRIORITIES: std::ops::RangeInclusive<i64> = 0..=1000;

/// `GET /v1/grants`: the grants of all wallets, or of one, newest first.
///
/// # Errors
/// `not_found`, `invalid_request`, `try_again`.
async fn list(
    State(app): State<App>,
    caller: Caller,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let mut query = Query::new(pairs, &["wallet", "status", "limit", "cursor"]);
    let named = query.take("wallet", str::parse::<WalletRef>);
    let status =
        query.take_word("status", &grants::Status::ALL.map(grants::Status::as_str), grants::Status::named);
    let limit = query.take_limit();
    let before = query.take("cursor", |cursor| grants::begin(Some(cursor))).flatten();
    let list = app.db.read(|tx| {
        admin::check(&caller, || Ok(false))?;
        let wallet = match named {
            Some(named) => Some(wallet::find(tx, &caller, &named)?.ok_or_else(Problem::not_found)?),
            None => None,
        };
        query.check()?;
        Ok::<_, Problem>(grants::list(tx, wallet.as_ref(), status, before.as_ref(), limit)?)
    })?;
    Ok(private(NO_CACHE, Json(list)))
}

/// `POST /v1/grants`: gives credits to a wallet.
///
/// # Errors
/// In this order: `unauthorized`, `not_found` and `forbidden`, `idempotency_mismatch`, `invalid_request`.
async fn create(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<Response, Problem> {
    let requested = Requested::new(&caller, "POST", "/v1/grants", &headers, &body);
    let Fields(fields) = extract::parse(&body)?;
    let wallet: WalletRef = fields::subject(&fields, "wallet")?;
    let unit = app.feed.unit.clone();
    app.db
        .write("grants::create", move |tx| {
            admin::check(&caller, || Ok(wallet::find(tx, &caller, &wallet)?.is_some()))?;
            site::store::open_wallet(tx, &wallet)?;
            requested.answer(tx, |tx| {
                let new = read_grant(&fields, unit)?;
                Answer::created(&by_hand::grant(tx, wallet, new)?)
            })
        })
        .await
        .map(idempotent::respond)
}

/// `POST /v1/grants/{id}/void`: withdraws what is left of a grant. The second time nothing is left to do, and the
/// answer is the same.
///
/// # Errors
/// In this order: `unauthorized`, `not_found` and `forbidden`, `idempotency_mismatch`, `invalid_request`.
async fn void(
    State(app): State<App>,
    caller: Caller,
    named: Named,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<Response, Problem> {
    let grant: GrantId = extract::named(named)?;
    let requested = Requested::new(&caller, "POST", &format!("/v1/grants/{grant}/void"), &headers, &body);
    app.db
        .write("grants::void", move |tx| {
            let found = grants::get(tx, &grant)?.ok_or_else(Problem::not_found)?;
            admin::check(&caller, || sees(tx, &caller, &found))?;
            requested.answer_once(tx, |tx| {
                let Fields(fields) = extract::parse(&body)?;
                let mut errors = fields::unknown(&fields, &["reason"]);
                let reason = admin::reason(&fields, &mut errors);
                by_hand::void(tx, &grant, &fields::complete(reason, errors)?)?;
                Answer::ok(&grants::get(tx, &grant)?.ok_or_else(Problem::not_found)?)
            })
        })
        .await
        .map(idempotent::respond)
}

/// Whether one of the wallets that something of the grant lies in exists for the caller.
fn sees(tx: &mut Tx<'_>, caller: &Caller, grant: &grants::Listed) -> Result<bool, db::Error> {
    for part in &grant.grant.slices {
        let named = match &part.compartment {
            Compartment::Site(site) => WalletRef::Site(site.clone()),
            Compartment::Pool => WalletRef::Account(grant.account.clone().into()),
        };
        if wallet::find(tx, caller, &named)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `POST /v1/allocations`: moves credits from an account's pool to one of its sites, or back if they are negative.
///
/// # Errors
/// In this order: `unauthorized`, `not_found` and `forbidden`, `idempotency_mismatch`, `invalid_request`,
/// `site_mismatch`, `insufficient_credits`.
async fn allocate(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<Response, Problem> {
    let requested = Requested::new(&caller, "POST", "/v1/allocations", &headers, &body);
    let Fields(fields) = extract::parse(&body)?;
    let (account, site): (AccountRef, SiteId) =
        (fields::subject(&fields, "account")?, fields::subject(&fields, "site")?);
    app.db
        .write("grants::allocate", move |tx| {
            let owner = WalletRef::Account(account.clone());
            admin::check(&caller, || Ok(wallet::find(tx, &caller, &owner)?.is_some()))?;
            if site::store::resolve(tx, &account)?.is_none() {
                return Err(site::store::Error::UnknownAccount(account).into());
            }
            if site::store::get(tx, &site)?.is_none() {
                return Err(site::store::Error::UnknownSite(site).into());
            }
            requested.answer_once(tx, |tx| {
                let mut errors = fields::unknown(&fields, &["account", "site", "credits"]);
                let change = admin::change(&fields, &mut errors);
                let (change, size) = fields::complete(change, errors)?;
                let moved = if change.is_negative() {
                    by_hand::reclaim(tx, site, Some(size), Some(&account))?
                } else {
                    by_hand::allocate(tx, &account, site, size)?
                };
                Answer::created(&moved)
            })
        })
        .await
        .map(idempotent::respond)
}

/// `POST /v1/adjustments`: corrects a balance.
///
/// # Errors
/// In this order: `unauthorized`, `not_found` and `forbidden`, `idempotency_mismatch`, `invalid_request`,
/// `insufficient_credits`.
async fn adjust(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<Response, Problem> {
    let requested = Requested::new(&caller, "POST", "/v1/adjustments", &headers, &body);
    let Fields(fields) = extract::parse(&body)?;
    let wallet: WalletRef = fields::subject(&fields, "wallet")?;
    app.db
        .write("grants::adjust", move |tx| {
            admin::check(&caller, || Ok(wallet::find(tx, &caller, &wallet)?.is_some()))?;
            site::store::open_wallet(tx, &wallet)?;
            requested.answer_once(tx, |tx| {
                let mut errors = fields::unknown(&fields, &["wallet", "credits", "reason"]);
                let change = admin::change(&fields, &mut errors);
                let reason = admin::reason(&fields, &mut errors);
                let ((change, _), reason) = fields::complete(change.zip(reason), errors)?;
                Answer::created(&by_hand::adjust(tx, wallet, change, &reason)?)
            })
        })
        .await
        .map(idempotent::respond)
}

/// Reads a grant; every field that is wrong is named.
fn read_grant(fields: &Map<String, Value>, unit: String) -> Result<NewGrant, Problem> {
    const KNOWN: [&str; 9] = [
        "wallet",
        "credits",
        "category",
        "priority",
        "effective_at",
        "expires",
        "expires_at",
        "label",
        "reason",
    ];
    let mut errors = fields::unknown(fields, &KNOWN);
    let amount = positive(fields, "credits", &mut errors);
    let category = optional::<Category>(fields, "category", &mut errors).unwrap_or(Category::Bonus);
    let priority = priority(fields, &mut errors);
    let effective_at = optional::<Timestamp>(fields, "effective_at", &mut errors);
    let validity = optional::<Validity>(fields, "expires", &mut errors);
    let expires_at = optional::<Timestamp>(fields, "expires_at", &mut errors);
    if validity.is_some() && expires_at.is_some() {
        errors.push(Fault::new("/expires_at", "give either expires or expires_at"));
    }
    let label = text(fields, "label", LABEL_CHARS_MAX, &mut errors);
    let reason = admin::reason(fields, &mut errors);
    let (amount, reason) = fields::complete(amount.zip(reason), errors)?;
    Ok(NewGrant {
        compartment: Compartment::Pool,
        amount,
        category,
        priority,
        label: label.unwrap_or(unit),
        reason: Some(reason),
        effective_at,
        expiry: expires_at.map_or(Expiry::After(validity.unwrap_or(Validity::Never)), Expiry::At),
        purchase: None,
        shown_as: Shown::grant(category),
    })
}

/// A place in the burn-down order, as a JSON number.
fn priority(fields: &Map<String, Value>, errors: &mut Vec<Fault>) -> Option<i64> {
    let value = fields.get("priority").filter(|value| !value.is_null())?;
    let priority = value.as_i64().filter(|priority| PRIORITIES.contains(priority));
    if priority.is_none() {
        let (first, last) = (PRIORITIES.start(), PRIORITIES.end());
        errors.push(Fault::new("/priority", format!("must be a whole number from {first} to {last}")));
    }
    priority
}
