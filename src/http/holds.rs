//! `/v1/holds`: the assistant service sets credits aside before it works, and uses or gives them back after.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;
use serde_json::{Map, Value};

use super::App;
use super::debits::{
    self, LABEL_CHARS_MAX, REFERENCE_CHARS_MAX, SliceBody, Spender, Standing, optional, optional_fields,
    positive, text, unknown, whole,
};
use super::extract::{self, Fields, Raw};
use super::idempotent::{self, Requested};
use super::problem::{Fault, Problem};
use super::wallets::{NO_CACHE, private};
use crate::access::{Caller, Subject};
use crate::db::Tx;
use crate::feed::{self, Settings};
use crate::id::{ActionId, AgentId, HoldId, SiteId};
use crate::idempotency::Answer;
use crate::ledger::LockedAccount;
use crate::ledger::hold::{Hold, LASTS_S, LASTS_S_MAX, State as Stands};
use crate::ledger::position::{Mode, Status};
use crate::ledger::store::{Capture, NewHold, hold};
use crate::rate;
use crate::time::Timestamp;
use crate::units::Credits;

/// What is done with holds.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/v1/holds", post(create))
        .route("/v1/holds/{id}", get(show))
        .route("/v1/holds/{id}/capture", post(capture))
        .route("/v1/holds/{id}/release", post(release))
}

/// A hold as it is answered.
#[derive(Debug, Serialize)]
struct Body<'a> {
    id: &'a HoldId,
    state: Stands,
    site: &'a SiteId,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a AgentId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'a str>,
    credits: Credits,
    captured: Credits,
    expires_at: Timestamp,
    available: Credits,
    status: Status,
    mode: Mode,
    slices: Vec<SliceBody<'a>>,
}

impl<'a> Body<'a> {
    fn new(hold: &'a Hold, standing: &Standing, now: Timestamp) -> Self {
        Self {
            id: &hold.id,
            state: hold.state_at(now),
            site: &hold.site,
            agent: hold.agent.as_ref(),
            action: hold.action.as_deref(),
            credits: hold.credits,
            captured: hold.captured,
            expires_at: hold.expires_at,
            available: standing.available,
            status: standing.status,
            mode: standing.status.mode(),
            slices: hold
                .parts
                .iter()
                .map(|part| SliceBody { grant: &part.grant, credits: part.credits })
                .collect(),
        }
    }
}

/// `POST /v1/holds`: sets credits aside for a site, all or nothing, once per idempotency key.
///
/// # Errors
/// As a debit.
async fn create(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<Response, Problem> {
    let requested = Requested::new("POST", "/v1/holds", &headers, &body);
    let Fields(fields) = extract::parse(&body)?;
    let site = debits::read_site(&fields)?;
    let settings = Arc::clone(&app.feed);
    app.db
        .write("holds::create", move |tx| {
            let spender = debits::find_spender(tx, &caller, &site)?;
            requested.answer(tx, caller.key(), |tx| take(tx, &settings, &spender, site, &fields))
        })
        .await
        .map(idempotent::respond)
}

fn take(
    tx: &mut Tx<'_>,
    settings: &Settings,
    spender: &Spender,
    site: SiteId,
    fields: &Map<String, Value>,
) -> Result<Answer, Problem> {
    const KNOWN: [&str; 7] = ["site", "agent", "action", "quantity", "credits", "label", "expires_in"];
    let mut errors = Vec::new();
    let lasts_s = match fields.get("expires_in") {
        None | Some(Value::Null) => Some(LASTS_S),
        Some(_) => whole(fields, "expires_in", &mut errors),
    };
    if lasts_s.is_some_and(|lasts_s| LASTS_S_MAX < lasts_s) {
        errors.push(Fault::new("/expires_in", format!("is at most {LASTS_S_MAX} seconds, which is a day")));
    }
    let spending = debits::read(fields, &KNOWN, errors)?.priced(tx, spender.uses_pool, site)?;
    let now = tx.now();
    // An action that is held by credits may be captured by quantity, if it has a rate now.
    let rate = match (&spending.priced, spending.action.as_ref().map(|action| action.parse::<ActionId>())) {
        (Some(priced), _) => Some(priced.version),
        (None, Some(Ok(action))) => rate::store::effective(tx, &action, now)?.map(|rate| rate.version),
        (None, _) => None,
    };
    let new = NewHold { spending, rate, lasts_s: lasts_s.unwrap_or(LASTS_S) };
    let made = LockedAccount::lock(tx, &spender.account)
        .and_then(|mut account| Ok((account.hold(&new)?, account.frozen_reason().is_some())));
    match made {
        Ok((made, frozen)) => {
            let standing = Standing::of(settings, &made.position, frozen);
            Answer::created(&Body::new(&made.hold, &standing, now))
        }
        Err(refusal) => {
            let top_up_url = feed::top_up_url(tx, settings, &spender.account)?;
            Err(super::refused(refusal, top_up_url.as_deref()))
        }
    }
}

/// `GET /v1/holds/{id}`: how a hold stands.
///
/// # Errors
/// `unauthorized`, `not_found`, `try_again`.
async fn show(
    State(app): State<App>,
    caller: Caller,
    named: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let id = name(named)?;
    let settings = Arc::clone(&app.feed);
    app.db.read(|tx| {
        let found = hold::get(tx, &id)?.ok_or_else(Problem::not_found)?;
        let (account, client) = debits::whose(tx, &found.site, &found.account)?;
        if !caller.may_see(&Subject::Site { site: &found.site, account: &account, client: client.as_ref() }) {
            return Err(Problem::not_found());
        }
        let position = hold::position(tx, &account, &found.site)?;
        let frozen = feed::is_frozen(tx, &account)?;
        let now = tx.now();
        let standing = Standing::of(&settings, &position, frozen);
        Ok(private(NO_CACHE, Json(Body::new(&found, &standing, now))))
    })
}

/// `POST /v1/holds/{id}/capture`: uses what a hold has set aside, or a part of it; the rest goes back.
///
/// # Errors
/// In this order: `unauthorized`, `not_found` and `forbidden`, `idempotency_mismatch`, `invalid_request`,
/// `hold_closed`, `invalid_request` for more than is held.
async fn capture(
    State(app): State<App>,
    caller: Caller,
    named: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<Response, Problem> {
    let id = name(named)?;
    let requested = Requested::new("POST", &format!("/v1/holds/{id}/capture"), &headers, &body);
    let settings = Arc::clone(&app.feed);
    app.db
        .write("holds::capture", move |tx| {
            let found = hold::get(tx, &id)?.ok_or_else(Problem::not_found)?;
            let account = debits::may_act(tx, &caller, &found.site, &found.account)?;
            requested.answer_once(tx, caller.key(), |tx| {
                let Fields(fields) = extract::parse(&body)?;
                let capture = read_capture(tx, &found, &fields)?;
                let mut account =
                    LockedAccount::lock(tx, &account).map_err(|refusal| super::refused(refusal, None))?;
                let made = account.capture(&id, &capture).map_err(|refusal| super::refused(refusal, None))?;
                let frozen = account.frozen_reason().is_some();
                debits::answer(&settings, capture.amount, &made, frozen, Some(&id))
            })
        })
        .await
        .map(idempotent::respond)
}

/// Reads what is to be captured; a quantity is priced by the rate that counted when the hold was taken.
fn read_capture(tx: &mut Tx<'_>, hold: &Hold, fields: &Map<String, Value>) -> Result<Capture, Problem> {
    const KNOWN: [&str; 6] = ["credits", "quantity", "label", "reference", "occurred_at", "usage"];
    let mut errors = unknown(fields, &KNOWN);
    let label = text(fields, "label", LABEL_CHARS_MAX, &mut errors);
    let reference = text(fields, "reference", REFERENCE_CHARS_MAX, &mut errors);
    let occurred_at = optional::<Timestamp>(fields, "occurred_at", &mut errors);
    let given = |name: &str| fields.get(name).is_some_and(|value| !value.is_null());
    let (mut credits, mut quantity) = (None, None);
    match (given("credits"), given("quantity")) {
        (true, true) => errors.push(Fault::new("/quantity", "give either credits or quantity")),
        (true, false) => credits = positive(fields, "credits", &mut errors),
        (false, true) => quantity = whole(fields, "quantity", &mut errors),
        (false, false) => errors.push(Fault::new("/credits", "is missing: give credits, or quantity")),
    }
    if !errors.is_empty() {
        return Err(Problem::invalid_request(errors));
    }
    let amount = match (credits, quantity) {
        (Some(credits), _) => credits,
        (None, quantity) => {
            let quantity = quantity.unwrap_or_default();
            let Some(action) = &hold.action else {
                return Err(Problem::invalid("/quantity", "the hold names no action: give credits"));
            };
            let rated = hold.rated().map(|(action, version)| rate::store::version(tx, &action, version));
            let Some(rate) = rated.transpose()?.flatten() else {
                return Err(Problem::unknown_action(action));
            };
            rate.price(quantity).map_err(|none| Problem::invalid("/quantity", none))?
        }
    };
    Ok(Capture {
        amount,
        quantity,
        label,
        reference,
        occurred_at,
        usage: fields.get("usage").filter(|usage| !usage.is_null()).map(Value::to_string),
    })
}

/// `POST /v1/holds/{id}/release`: gives back all that a hold has set aside.
///
/// # Errors
/// In this order: `unauthorized`, `not_found` and `forbidden`, `idempotency_mismatch`, `invalid_request`,
/// `hold_closed`.
async fn release(
    State(app): State<App>,
    caller: Caller,
    named: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<Response, Problem> {
    let id = name(named)?;
    let requested = Requested::new("POST", &format!("/v1/holds/{id}/release"), &headers, &body);
    let settings = Arc::clone(&app.feed);
    app.db
        .write("holds::release", move |tx| {
            let found = hold::get(tx, &id)?.ok_or_else(Problem::not_found)?;
            let account = debits::may_act(tx, &caller, &found.site, &found.account)?;
            requested.answer_once(tx, caller.key(), |tx| {
                let errors = unknown(&optional_fields(&body)?, &[]);
                if !errors.is_empty() {
                    return Err(Problem::invalid_request(errors));
                }
                let now = tx.now();
                let mut account =
                    LockedAccount::lock(tx, &account).map_err(|refusal| super::refused(refusal, None))?;
                let made = account.release(&id).map_err(|refusal| super::refused(refusal, None))?;
                let standing = Standing::of(&settings, &made.position, account.frozen_reason().is_some());
                Answer::ok(&Body::new(&made.hold, &standing, now))
            })
        })
        .await
        .map(idempotent::respond)
}

/// The hold a path names; what cannot be one names nothing.
fn name(named: Result<Path<String>, PathRejection>) -> Result<HoldId, Problem> {
    let Ok(Path(named)) = named else { return Err(Problem::not_found()) };
    named.parse().map_err(|_| Problem::not_found())
}
