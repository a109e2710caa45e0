//! `/v1/sites/{site}/limits`, `/policy` and `/resume`: how much may be spent for a site, of what, and that it goes on.

use axum::Json;
use axum::extract::{Query as Pairs, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value, json};

use super::App;
use super::accounts::{check_site, missing, own_site, site_of};
use super::extract::{self, Fields, Named, Raw};
use super::fields::{self, optional, required};
use super::idempotent::{self, Requested};
use super::openapi::Routes;
use super::openapi::operation::{Field as Said, OWN, Object, Operation, Tag};
use super::problem::{Code, Fault, Problem};
use super::query::Query;
use super::wallets::{NO_CACHE, private};
use crate::access::Caller;
use crate::account::spending::{self, LimitShown, PERIODS, PolicyChange, PolicyShown, Resumed};
use crate::calendar::Per;
use crate::feed::List;
use crate::id::{AgentId, SiteId};
use crate::idempotency::Answer;
use crate::ledger::limit::{OnExhausted, OnReached};
use crate::schema::Allowance;
use crate::site::Field;
use crate::units::Credits;

/// What is set about the spending of sites.
pub fn routes() -> Routes {
    let operation =
        |summary| Operation::new(Tag::Accounts, summary).path::<SiteId>("site", "The site.", "site-123");
    let words = || json!({ "type": ["string", "null"], "enum": ["stop", "use_balance", null] });
    let agent = || Said::optional::<AgentId>("agent", "The assistant it is for; without it, the whole site.");
    let limit = || {
        json!({ "per": "month", "credits": "500", "on_reached": "stop", "spent": "42", "held": "0",
                "resets_at": "2026-12-01T00:00:00Z" })
    };
    Routes::new()
        .get(
            "/v1/sites/{site}/limits",
            list,
            operation("The spending limits of a site and its assistants")
                .scopes(OWN)
                .answers::<List<LimitShown>>(
                    200,
                    "All of them, the site's own first.",
                    json!({ "items": [limit()], "next_cursor": null }),
                )
                .refuses(&[Code::NotFound]),
        )
        .put(
            "/v1/sites/{site}/limits",
            set_limit,
            operation("Sets a spending limit, or takes it away")
                .takes(
                    vec![
                        agent(),
                        Said::literal("per", "The calendar period, in the account's time zone.", json!({ "enum": ["day", "month"] })).always(),
                        Said::optional::<Allowance>("credits", "How many, also none; `null` for no limit.").always(),
                        Said::literal("on_reached", "What becomes of a debit that would pass it; as it was, or `stop`, unless said.", words()),
                    ],
                    json!({ "per": "month", "credits": "500", "on_reached": "stop" }),
                )
                .answers::<LimitShown>(200, "The limit.", limit())
                .refuses(&[Code::Forbidden, Code::NotFound]),
        )
        .put(
            "/v1/sites/{site}/policy",
            set_policy,
            operation("Sets what may be spent once recurring credits are used up")
                .describe("Give at least one of `on_exhausted`, `pool` and `grace`. What is not said stays, `null` is as if nothing had been said.")
                .takes_object(
                    Object::new(vec![
                        agent(),
                        Said::literal("on_exhausted", "Whether bonus and paid credits are spent then.", words()),
                        Said::optional::<bool>("pool", "Whether the account's pool may be used."),
                        Said::optional::<Allowance>("grace", "How large a last hold is that may go uncovered; what it lacks becomes debt."),
                    ])
                    .some_of(&["on_exhausted", "pool", "grace"]),
                    json!({ "on_exhausted": "stop", "pool": true }),
                )
                .answers::<PolicyShown>(
                    200,
                    "What holds now.",
                    json!({ "on_exhausted": "stop", "pool": true, "grace": "0" }),
                )
                .refuses(&[Code::Forbidden, Code::NotFound]),
        )
        .post(
            "/v1/sites/{site}/resume",
            resume,
            operation("Lets a site spend again that was paused for safety")
                .once()
                .takes_nothing()
                .answers::<Resumed>(200, "Why and since when it was paused.", json!({ "site": "site-123", "was": null }))
                .refuses(&[Code::Forbidden, Code::NotFound]),
        )
}

/// `GET /v1/sites/{site}/limits`: the limits of a site and its assistants; an account's key reads its own.
///
/// # Errors
/// `not_found`, `invalid_request`, `try_again`.
async fn list(
    State(app): State<App>,
    caller: Caller,
    named: Named,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let site = site_of(named)?;
    let query = Query::new(pairs, &[]);
    let items = app.db.read(|tx| {
        let site = own_site(tx, &caller, &site)?;
        let owner = site.account.as_ref().ok_or_else(missing)?;
        query.check()?;
        Ok::<_, Problem>(spending::limits(tx, &owner.id, &site.id)?)
    })?;
    Ok(private(NO_CACHE, Json(List { items, next_cursor: None })))
}

/// `PUT /v1/sites/{site}/limits`: sets one limit; without credits (`null`) it is taken away.
///
/// # Errors
/// In this order: `unauthorized`, `not_found` and `forbidden`, `invalid_request`.
async fn set_limit(
    State(app): State<App>,
    caller: Caller,
    named: Named,
    Raw(body): Raw,
) -> Result<Response, Problem> {
    let site = site_of(named)?;
    let shown: LimitShown = app
        .db
        .write("limits::set_limit", move |tx| {
            check_site(tx, &caller, &site)?;
            let Fields(fields) = extract::parse(&body)?;
            let AskedLimit { agent, per, credits, on_reached } = read_limit(&fields)?;
            Ok::<_, Problem>(spending::set_limit(tx, &site, agent.as_ref(), per, credits, on_reached)?)
        })
        .await?;
    Ok(private(NO_CACHE, Json(shown)).into_response())
}

/// `PUT /v1/sites/{site}/policy`: sets what may be spent from; what is not said stays, `null` is as if nothing had
/// been said.
///
/// # Errors
/// In this order: `unauthorized`, `not_found` and `forbidden`, `invalid_request`.
async fn set_policy(
    State(app): State<App>,
    caller: Caller,
    named: Named,
    Raw(body): Raw,
) -> Result<Response, Problem> {
    let site = site_of(named)?;
    let shown: PolicyShown = app
        .db
        .write("limits::set_policy", move |tx| {
            check_site(tx, &caller, &site)?;
            let Fields(fields) = extract::parse(&body)?;
            let (agent, change) = read_policy(&fields)?;
            Ok::<_, Problem>(spending::set_policy(tx, &site, agent.as_ref(), &change)?)
        })
        .await?;
    Ok(private(NO_CACHE, Json(shown)).into_response())
}

/// `POST /v1/sites/{site}/resume`: lets a site spend again that the brake has paused.
///
/// # Errors
/// In this order: `unauthorized`, `not_found` and `forbidden`, `idempotency_mismatch`, `invalid_request`.
async fn resume(
    State(app): State<App>,
    caller: Caller,
    named: Named,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<Response, Problem> {
    let site = site_of(named)?;
    let path = format!("/v1/sites/{site}/resume");
    let requested = Requested::new(&caller, "POST", &path, &headers, &body);
    app.db
        .write("limits::resume", move |tx| {
            check_site(tx, &caller, &site)?;
            requested.answer_once(tx, |tx| {
                fields::nothing(&body)?;
                Answer::ok(&spending::resume(tx, &site)?)
            })
        })
        .await
        .map(idempotent::respond)
}

/// A limit as it was asked for.
struct AskedLimit {
    agent: Option<AgentId>,
    per: Per,
    credits: Option<Credits>,
    on_reached: Option<OnReached>,
}

fn read_limit(fields: &Map<String, Value>) -> Result<AskedLimit, Problem> {
    let mut errors = fields::unknown(fields, &["agent", "per", "credits", "on_reached"]);
    let agent = optional(fields, "agent", &mut errors);
    let per = match required::<String>(fields, "per", &mut errors) {
        None => None,
        Some(word) => {
            let per = Per::named(&word).filter(|per| PERIODS.contains(per));
            if per.is_none() {
                errors.push(Fault::new("/per", "must be day or month"));
            }
            per
        }
    };
    // `null` takes the limit away, so it has to be said: what is left out may have been forgotten.
    if !fields.contains_key("credits") {
        errors.push(Fault::new("/credits", "is missing: how many, or null for no limit"));
    }
    let credits = optional(fields, "credits", &mut errors);
    let on_reached = word(fields, "on_reached", OnReached::named, &mut errors);
    let on_reached = match on_reached {
        Field::Set(on_reached) => Some(on_reached),
        Field::Keep | Field::Clear => None,
    };
    fields::complete(per.map(|per| AskedLimit { agent, per, credits, on_reached }), errors)
}

fn read_policy(fields: &Map<String, Value>) -> Result<(Option<AgentId>, PolicyChange), Problem> {
    let mut errors = fields::unknown(fields, &["agent", "on_exhausted", "pool", "grace"]);
    let agent = optional(fields, "agent", &mut errors);
    let on_exhausted = word(fields, "on_exhausted", OnExhausted::named, &mut errors);
    let pool = match fields.get("pool") {
        None => Field::Keep,
        Some(Value::Null) => Field::Clear,
        Some(Value::Bool(pool)) => Field::Set(*pool),
        Some(_) => {
            errors.push(Fault::new("/pool", "must be true or false"));
            Field::Keep
        }
    };
    let grace = match fields.get("grace") {
        Some(Value::Null) => Field::Clear,
        _ => optional(fields, "grace", &mut errors).map_or(Field::Keep, Field::Set),
    };
    let change = PolicyChange { on_exhausted, pool, grace };
    if errors.is_empty() && change == PolicyChange::default() {
        errors.push(Fault::new("", "says nothing: give on_exhausted, pool or grace"));
    }
    fields::complete(Some((agent, change)), errors)
}

/// A field that is one of the words `stop` and `use_balance`.
fn word<T>(
    fields: &Map<String, Value>,
    name: &str,
    read: impl FnOnce(&str) -> Option<T>,
    errors: &mut Vec<Fault>,
) -> Field<T> {
    if fields.get(name).is_some_and(Value::is_null) {
        return Field::Clear;
    }
    let Some(text) = optional::<String>(fields, name, errors) else { return Field::Keep };
    read(&text).map_or_else(
        || {
            errors.push(Fault::new(format!("/{name}"), "must be stop or use_balance"));
            Field::Keep
        },
        Field::Set,
    )
}

impl From<spending::Error> for Problem {
    fn from(error: spending::Error) -> Self {
        match error {
            spending::Error::Site(error) => error.into(),
            spending::Error::Ledger(refusal) => refusal.into(),
        }
    }
}
