//! `/v1/sites/{site}/limits`, `/policy` and `/resume`: how much may be spent for a site, of what, and that it goes on.

use axum::extract::{Query as Pairs, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde_json::{Map, Value};

use super::accounts::{SitePath, check_site, missing, own_site, site_of};
use super::debits::{optional, required};
use super::extract::{self, Fields, Raw};
use super::idempotent::{self, Requested};
use super::problem::{Fault, Problem};
use super::query::Query;
use super::wallets::{NO_CACHE, private};
use super::{App, admin};
use crate::access::Caller;
use crate::account::spending::{self, LimitShown, PERIODS, PolicyChange, PolicyShown};
use crate::calendar::Per;
use crate::feed::List;
use crate::id::AgentId;
use crate::idempotency::Answer;
use crate::ledger::limit::{OnExhausted, OnReached};
use crate::site::Field;
use crate::units::Credits;

/// What is set about the spending of sites.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/v1/sites/{site}/limits", get(list).put(set_limit))
        .route("/v1/sites/{site}/policy", put(set_policy))
        .route("/v1/sites/{site}/resume", post(resume))
}

/// `GET /v1/sites/{site}/limits`: the limits of a site and its assistants; an account's key reads its own.
///
/// # Errors
/// `not_found`, `invalid_request`, `try_again`.
async fn list(
    State(app): State<App>,
    caller: Caller,
    named: SitePath,
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
    named: SitePath,
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
    named: SitePath,
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
    named: SitePath,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<Response, Problem> {
    let site = site_of(named)?;
    let path = format!("/v1/sites/{site}/resume");
    let requested = Requested::new("POST", &path, &headers, &body);
    app.db
        .write("limits::resume", move |tx| {
            check_site(tx, &caller, &site)?;
            requested.answer_once(tx, caller.key(), |tx| {
                // There is nothing to say; an empty body says as much as an empty object.
                if !body.trim_ascii().is_empty() {
                    let Fields(fields) = extract::parse(&body)?;
                    admin::complete(Some(()), admin::unknown(&fields, &[]))?;
                }
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
    let mut errors = admin::unknown(fields, &["agent", "per", "credits", "on_reached"]);
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
    admin::complete(per.map(|per| AskedLimit { agent, per, credits, on_reached }), errors)
}

fn read_policy(fields: &Map<String, Value>) -> Result<(Option<AgentId>, PolicyChange), Problem> {
    let mut errors = admin::unknown(fields, &["agent", "on_exhausted", "pool", "grace"]);
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
    admin::complete(Some((agent, change)), errors)
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
            spending::Error::Ledger(refusal) => super::refused(refusal, None),
        }
    }
}
