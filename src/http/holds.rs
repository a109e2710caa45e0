//! `/v1/holds`: the assistant service sets credits aside before it works, and uses or gives them back after.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::App;
use super::debits::{self, LABEL_CHARS_MAX, REFERENCE_CHARS_MAX, SliceBody, Spender, Standing, whole_schema};
use super::extract::{self, Fields, Named, Raw};
use super::fields::{self, optional, positive, text, unknown, whole, whole_to};
use super::idempotent::{self, Requested};
use super::openapi::Routes;
use super::openapi::operation::{Field, Object, Operation, READ, SPEND, Tag};
use super::problem::{Code, Fault, Problem};
use super::wallets::{NO_CACHE, private};
use crate::access::{Caller, Subject};
use crate::db::Tx;
use crate::feed::Settings;
use crate::id::{ActionId, AgentId, DebitId, HoldId, SiteId};
use crate::idempotency::Answer;
use crate::ledger::hold::{Hold, LASTS_S, LASTS_S_MAX, State as Stands};
use crate::ledger::position::{Mode, Status};
use crate::ledger::store::admit::left;
use crate::ledger::store::{Capture, NewHold, hold};
use crate::ledger::{self, LockedAccount};
use crate::rate;
use crate::schema::{Amount, Instant};
use crate::time::Timestamp;
use crate::units::Credits;

/// What is done with holds.
pub fn routes() -> Routes {
    let operation = |summary| Operation::new(Tag::Spending, summary).scopes(SPEND);
    let one = |operation: Operation| operation.path::<HoldId>("id", "The hold.", HOLD);
    let standing = |state: &str| {
        json!({
            "id": HOLD, "state": state, "site": "site-123", "credits": "5", "captured": "0",
            "expires_at": "2026-11-20T16:15:00Z", "available": "1245", "status": "ok", "mode": "normal",
            "slices": [{ "grant": "gr_01a1fa67730b778aa2ec748e9839efc7", "credits": "5" }]
        })
    };
    Routes::new()
        .post(
            "/v1/holds",
            create,
            operation("Sets credits of a site aside")
                .describe(
                    "Before work whose price is not known yet. What is held can be spent by nothing else until it is captured, \
                     released, or its time is over. Either `credits`, or `action` with `quantity`, which the rate card prices; \
                     `action` beside `credits` says what for, and lets the hold be captured by quantity.",
                )
                .only_once()
                .takes_object(
                    debits::asked_for()
                    .and(Field::line("reference", "Your own name for it.", 0, REFERENCE_CHARS_MAX))
                    .and(Field::literal(
                        "expires_in",
                        "Seconds until it is released by itself: 900, unless said; at most a day.",
                        whole_schema(LASTS_S_MAX),
                    )),
                    json!({ "site": "site-123", "credits": "5", "expires_in": 120 }),
                )
                .answers::<Body<'_>>(201, "The hold.", standing("open"))
                .refuses(debits::REFUSALS),
        )
        .get(
            "/v1/holds/{id}",
            show,
            one(Operation::new(Tag::Spending, "How a hold stands"))
                .scopes(READ)
                .answers::<Body<'_>>(200, "The hold.", standing("expired"))
                .refuses(&[Code::NotFound]),
        )
        .post(
            "/v1/holds/{id}/capture",
            capture,
            one(operation("Spends what a hold has set aside, or a part of it"))
                .describe("The rest goes back. A hold is captured once; what it took stays good for it whatever happened meanwhile.")
                .once()
                .takes_object(
                    Object::new(vec![
                        Field::optional::<Amount>("credits", "How many; at most what is held."),
                        Field::literal(
                            "quantity",
                            "How much of the hold's action, at the rate of the hold.",
                            whole_schema(i64::MAX),
                        ),
                        Field::line("label", "What the customer reads.", 0, LABEL_CHARS_MAX),
                        Field::line("reference", "Your own name for it.", 0, REFERENCE_CHARS_MAX),
                        Field::optional::<Instant>("occurred_at", "When it happened; it is booked now all the same."),
                        Field::literal("usage", "Any JSON for yourself; kept, never shown.", json!({})),
                    ])
                    .either(&[&["credits"], &["quantity"]]),
                    json!({ "credits": "3" }),
                )
                .answers::<debits::Body<'_>>(201, "The debit, which names its hold.", {
                    let mut debit = debits::example();
                    debit["hold"] = HOLD.into();
                    debit
                })
                .refuses(&[Code::Forbidden, Code::NotFound, Code::UnknownAction, Code::HoldClosed]),
        )
        .post(
            "/v1/holds/{id}/release",
            release,
            one(operation("Gives back all that a hold has set aside"))
                .once()
                .takes_nothing()
                .answers::<Body<'_>>(200, "The hold.", standing("released"))
                .refuses(&[Code::Forbidden, Code::NotFound, Code::HoldClosed]),
        )
}

/// A hold's id as it may be.
const HOLD: &str = "hd_01a1fa67730b778aa2ec748e9839efc7";

/// A hold as it is answered.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Hold")]
struct Body<'a> {
    /// Its id.
    id: &'a HoldId,
    /// How it stands; all but `open` are final.
    state: Stands,
    /// For which site.
    site: &'a SiteId,
    /// For which of its assistants.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a AgentId>,
    /// For what.
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'a str>,
    /// How many credits it set aside.
    credits: Credits,
    /// How many of them were spent.
    captured: Credits,
    /// The debit that captured it.
    #[serde(skip_serializing_if = "Option::is_none")]
    debit: Option<&'a DebitId>,
    /// The caller's own name for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    /// When it is released by itself.
    expires_at: Timestamp,
    /// What the site can spend now.
    available: Credits,
    /// How the site stands now.
    status: Status,
    /// How the assistant should behave.
    mode: Mode,
    /// Which grants it took from, in burn-down order.
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
            debit: hold.debit.as_ref(),
            reference: hold.reference.as_deref(),
            expires_at: hold.expires_at,
            available: standing.available,
            status: standing.status,
            mode: standing.mode,
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
    let requested = Requested::new(&caller, "POST", "/v1/holds", &headers, &body);
    let Fields(fields) = extract::parse(&body)?;
    let site: SiteId = fields::subject(&fields, "site")?;
    let settings = Arc::clone(&app.feed);
    app.db
        .write("holds::create", move |tx| {
            let spender = debits::find_spender(tx, &caller, &site)?;
            requested.answer(tx, |tx| take(tx, &settings, &spender, site, &fields))
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
    const KNOWN: [&str; 8] =
        ["site", "agent", "action", "quantity", "credits", "label", "reference", "expires_in"];
    let mut errors = Vec::new();
    let lasts_s = match fields.get("expires_in") {
        None | Some(Value::Null) => Some(LASTS_S),
        Some(_) => whole_to(LASTS_S_MAX, fields, "expires_in", &mut errors),
    };
    let spending = debits::read(fields, &KNOWN, errors)?.priced(tx, spender.uses_pool, site)?;
    let now = tx.now();
    // An action that is held by credits may be captured by quantity, if it has a rate now.
    let rate = match (&spending.priced, spending.action.as_ref().map(|action| action.parse::<ActionId>())) {
        (Some(priced), _) => Some(priced.version),
        (None, Some(Ok(action))) => rate::store::effective(tx, &action, now)?.map(|rate| rate.version),
        (None, _) => None,
    };
    let new = NewHold { spending, rate, lasts_s: lasts_s.unwrap_or(LASTS_S) };
    match LockedAccount::lock(tx, &spender.account).and_then(|mut account| account.hold(&new)) {
        Ok(made) => {
            let standing = Standing::of(settings, &made.left);
            Answer::created(&Body::new(&made.hold, &standing, now))
        }
        Err(refusal) => Err(debits::refused(tx, settings, &spender.account, refusal)?),
    }
}

/// `GET /v1/holds/{id}`: how a hold stands.
///
/// # Errors
/// `unauthorized`, `not_found`, `try_again`.
async fn show(State(app): State<App>, caller: Caller, named: Named) -> Result<Response, Problem> {
    let id: HoldId = extract::named(named)?;
    let settings = Arc::clone(&app.feed);
    app.db.read(|tx| {
        let found = hold::get(tx, &id)?.ok_or_else(Problem::not_found)?;
        let (account, client) = debits::whose(tx, &found.site, &found.account)?;
        if !caller.may_see(&Subject::Site { site: &found.site, account: &account, client: client.as_ref() }) {
            return Err(Problem::not_found());
        }
        let standing = Standing::of(&settings, &left(tx, &account, &found.site)?);
        let now = tx.now();
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
    named: Named,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<Response, Problem> {
    let id: HoldId = extract::named(named)?;
    let requested = Requested::new(&caller, "POST", &format!("/v1/holds/{id}/capture"), &headers, &body);
    let (settings, brake) = (Arc::clone(&app.feed), app.brake);
    app.db
        .write("holds::capture", move |tx| {
            let found = hold::get(tx, &id)?.ok_or_else(Problem::not_found)?;
            let account = debits::may_act(tx, &caller, &found.site, &found.account)?;
            requested.answer_once(tx, |tx| {
                let Fields(fields) = extract::parse(&body)?;
                let capture = read_capture(tx, &found, &fields)?;
                let made = LockedAccount::lock(tx, &account)?
                    .capture(&id, &capture, &brake)
                    .map_err(|refusal| beyond(&capture, refusal))?;
                debits::answer(&settings, capture.amount, &made, Some(&id))
            })
        })
        .await
        .map(idempotent::respond)
}

/// Why nothing was captured; what is beyond the hold is where it was said.
fn beyond(capture: &Capture, refusal: ledger::store::Error) -> Problem {
    match (&refusal, capture.quantity) {
        (ledger::store::Error::BeyondHold { .. }, Some(quantity)) => {
            Problem::invalid("/quantity", format!("{quantity} is more than the hold is for: {refusal}"))
        }
        _ => refusal.into(),
    }
}

/// Reads what is to be captured; a quantity is priced by the rate that counted when the hold was taken.
fn read_capture(tx: &mut Tx<'_>, hold: &Hold, fields: &Map<String, Value>) -> Result<Capture, Problem> {
    const KNOWN: [&str; 6] = ["credits", "quantity", "label", "reference", "occurred_at", "usage"];
    let mut errors = unknown(fields, &KNOWN);
    let label = text(fields, "label", LABEL_CHARS_MAX, &mut errors);
    let reference = text(fields, "reference", REFERENCE_CHARS_MAX, &mut errors);
    let occurred_at = optional::<Timestamp>(fields, "occurred_at", &mut errors);
    let given = |name| fields::given(fields, name);
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
    Ok(Capture { amount, quantity, label, reference, occurred_at, usage: fields::json(fields, "usage") })
}

/// `POST /v1/holds/{id}/release`: gives back all that a hold has set aside.
///
/// # Errors
/// In this order: `unauthorized`, `not_found` and `forbidden`, `idempotency_mismatch`, `invalid_request`,
/// `hold_closed`.
async fn release(
    State(app): State<App>,
    caller: Caller,
    named: Named,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<Response, Problem> {
    let id: HoldId = extract::named(named)?;
    let requested = Requested::new(&caller, "POST", &format!("/v1/holds/{id}/release"), &headers, &body);
    let settings = Arc::clone(&app.feed);
    app.db
        .write("holds::release", move |tx| {
            let found = hold::get(tx, &id)?.ok_or_else(Problem::not_found)?;
            let account = debits::may_act(tx, &caller, &found.site, &found.account)?;
            requested.answer_once(tx, |tx| {
                fields::nothing(&body)?;
                let now = tx.now();
                let made = LockedAccount::lock(tx, &account)?.release(&id)?;
                let standing = Standing::of(&settings, &made.left);
                Answer::ok(&Body::new(&made.hold, &standing, now))
            })
        })
        .await
        .map(idempotent::respond)
}
