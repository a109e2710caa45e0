//! `/v1/debits`: the assistant service spends credits, and gives them back.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::App;
use super::extract::{self, Fields, Named, Raw};
use super::fields::{self, optional, positive, text, unknown, whole};
use super::idempotent::{self, Answered, Requested};
use super::openapi::Routes;
use super::openapi::operation::{Field, Object, Operation, SPEND, Tag};
use super::problem::{Code, Fault, Problem};
use crate::access::{Caller, Refusal};
use crate::db::{self, Tx};
use crate::feed::{self, Settings};
use crate::id::{AccountId, ActionId, AgentId, ClientId, DebitId, GrantId, HoldId, ReversalId, SiteId};
use crate::idempotency::Answer;
use crate::ledger::limit::{Brake, Obstacle};
use crate::ledger::position::{Mode, Status};
use crate::ledger::store::hot::{self, Owned};
use crate::ledger::store::{Debited, Left, NewDebit, Priced, Taken, reverse};
use crate::ledger::{self, LockedAccount};
use crate::rate;
use crate::schema::{Amount, Instant};
use crate::site;
use crate::time::Timestamp;
use crate::units::Credits;

/// Spending.
pub fn routes() -> Routes {
    Routes::new().post(
        "/v1/debits",
        create,
        Operation::new(Tag::Spending, "Spends credits of a site")
            .describe(
                "Either `credits`, or `action` and `quantity`, which the rate card prices. All or nothing: what cannot be \
                 covered in full takes nothing.",
            )
            .scopes(SPEND)
            .only_once()
            .takes_object(
                asked(),
                json!({ "site": "site-123", "credits": "3", "label": "Answered a visitor question" }),
            )
            .answers::<Body<'_>>(201, "What was spent, and how the site's wallet stands now.", example())
            .refuses(REFUSALS),
    )
    .post(
        "/v1/debits/{id}/reversal",
        reversal,
        Operation::new(Tag::Spending, "Gives the credits of a debit back")
            .describe("To the very slices they came from, the last first; once, all of it or a part. Without a body it is all of it.")
            .scopes(SPEND)
            .path::<DebitId>("id", "The debit.", "db_01a1fa67730b778aa2ec748e9839efc7")
            .once()
            .may_take(
                vec![
                    Field::optional::<Amount>("credits", "How many; all, unless said."),
                    Field::line("reason", "Why, for the shop.", 0, LABEL_CHARS_MAX),
                ],
                json!({ "reason": "the answer was wrong" }),
            )
            .answers::<Body<'_>>(200, "The debit, with what was given back of it.", {
                let mut debit = example();
                debit["reversed"] = "3".into();
                debit["reversal"] = "rv_01a1fa67730b778aa2ec748e9839efc7".into();
                debit
            })
            .refuses(&[Code::Forbidden, Code::NotFound, Code::AlreadyReversed]),
    )
}

/// How spending is refused.
pub(super) const REFUSALS: &[Code] = &[
    Code::InsufficientCredits,
    Code::LimitReached,
    Code::PausedForSafety,
    Code::Forbidden,
    Code::NotFound,
    Code::UnknownAction,
    Code::Frozen,
];

/// What a debit is asked for with.
pub(super) fn asked() -> Object {
    asked_for()
        .and(Field::line("reference", "Your own name for it.", 0, REFERENCE_CHARS_MAX))
        .and(Field::optional::<Instant>("occurred_at", "When it happened; it is booked now all the same."))
        .and(Field::literal("usage", "Any JSON for yourself; kept, never shown.", json!({})))
}

/// What is to be spent, for whom, and what it is called.
pub(super) fn asked_for() -> Object {
    Object::new(vec![
        Field::required::<SiteId>("site", "Whose assistant spends; the site belongs to an account."),
        Field::optional::<AgentId>("agent", "Which assistant of the site."),
        Field::optional::<Amount>("credits", "How many, unless the rate card says so."),
        Field::line(
            "action",
            "What it was for; with quantity, the action of the rate card.",
            0,
            ACTION_CHARS_MAX,
        ),
        Field::literal(
            "quantity",
            "How much of the action: a whole number above 0, or such a text.",
            whole_schema(i64::MAX),
        ),
        Field::line("label", "What the customer reads.", 0, LABEL_CHARS_MAX),
    ])
    .either(&[&["credits"], &["quantity", "action"]])
}

/// A whole number above 0, or such a text, up to `most`.
pub(super) fn whole_schema(most: i64) -> Value {
    json!({ "anyOf": [
        { "type": "integer", "minimum": 1, "maximum": most },
        { "type": "string", "pattern": "^0*[1-9][0-9]{0,18}$" },
        { "type": "null" }
    ] })
}

/// A debit as it may be answered.
pub(super) fn example() -> Value {
    json!({
        "id": "db_01a1fa67730b778aa2ec748e9839efc7", "credits": "3", "available": "1247", "status": "ok",
        "mode": "normal", "slices": [{ "grant": "gr_01a1fa67730b778aa2ec748e9839efc7", "credits": "3" }]
    })
}

/// The debit as it is answered.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Debit")]
pub(super) struct Body<'a> {
    /// Its id.
    id: &'a DebitId,
    /// How many credits were spent.
    credits: Credits,
    /// What the site can spend now.
    available: Credits,
    /// How the site stands now.
    status: Status,
    /// How the assistant should behave.
    mode: Mode,
    /// Which grants paid, in burn-down order.
    slices: Vec<SliceBody<'a>>,
    /// The hold it captured.
    #[serde(skip_serializing_if = "Option::is_none")]
    hold: Option<&'a HoldId>,
    /// What was given back of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reversed: Option<Credits>,
    /// The act that gave it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    reversal: Option<&'a ReversalId>,
}

/// What one grant paid.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "DebitSlice")]
pub(super) struct SliceBody<'a> {
    /// The grant.
    pub(super) grant: &'a GrantId,
    /// How many credits.
    pub(super) credits: Credits,
}

/// Spends credits for a site, all or nothing, once per idempotency key.
///
/// # Errors
/// In this order: `unauthorized`, `not_found`, `idempotency_mismatch`, `invalid_request`, `unknown_action`,
/// `frozen`, `paused_for_safety`, `limit_reached`, `insufficient_credits`.
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<Response, Problem> {
    let requested = Requested::new(&caller, "POST", PATH, &headers, &body);
    let Fields(fields) = extract::parse(&body)?;
    let order = Order::read(&fields);
    let (settings, brake) = (Arc::clone(&app.feed), app.brake);
    app.db
        .write_remembering("debits::create", move |tx| {
            book(tx, &settings, &brake, &caller, &requested, order)
        })
        .await
        .map(idempotent::respond)
}

/// Books one debit, or gives the answer it was given before.
pub(super) fn book(
    tx: &mut Tx<'_>,
    settings: &Settings,
    brake: &Brake,
    caller: &Caller,
    requested: &Requested,
    order: Order,
) -> Result<Answered, Problem> {
    let site = order.site?;
    let spender = find_spender(tx, caller, &site)?;
    requested.answer(tx, |tx| {
        let debit = order.asked?.priced(tx, spender.uses_pool, site)?;
        match ledger::store::spend(tx, &spender.account, &debit, brake) {
            Ok(made) => answer(settings, debit.amount, &made, None),
            Err(refusal) => Err(refused(tx, settings, &spender.account, refusal)?),
        }
    })
}

/// `POST /v1/debits/{id}/reversal`: gives the credits of a debit, or a part of them, back to the very slices, once.
///
/// # Errors
/// In this order: `unauthorized`, `not_found` and `forbidden`, `idempotency_mismatch`, `invalid_request`,
/// `already_reversed`.
async fn reversal(
    State(app): State<App>,
    caller: Caller,
    named: Named,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<Response, Problem> {
    let debit: DebitId = extract::named(named)?;
    let requested = Requested::new(&caller, "POST", &format!("/v1/debits/{debit}/reversal"), &headers, &body);
    let settings = Arc::clone(&app.feed);
    app.db
        .write("debits::reversal", move |tx| {
            let found = reverse::booked(tx, &debit)?.ok_or_else(Problem::not_found)?;
            let account = may_act(tx, &caller, &found.site, &found.account)?;
            requested.answer_once(tx, |tx| {
                let fields = fields::or_none(&body)?;
                let mut errors = unknown(&fields, &["credits", "reason"]);
                let credits = fields::given(&fields, "credits")
                    .then(|| positive(&fields, "credits", &mut errors))
                    .flatten();
                let reason = text(&fields, "reason", LABEL_CHARS_MAX, &mut errors);
                fields::complete(Some(()), errors)?;
                let made = LockedAccount::lock(tx, &account)?.reverse(&debit, credits, reason.as_deref())?;
                let standing = Standing::of(&settings, &made.left);
                Answer::ok(&Body {
                    id: &debit,
                    credits: made.of,
                    available: standing.available,
                    status: standing.status,
                    mode: standing.mode,
                    slices: slices(&made.taken),
                    hold: made.hold.as_ref(),
                    reversed: Some(made.credits),
                    reversal: Some(&made.id),
                })
            })
        })
        .await
        .map(idempotent::respond)
}

/// The problem that a refusal to spend credits of `account` is to a client, with where there are more of them.
pub(super) fn refused(
    tx: &mut Tx<'_>,
    settings: &Settings,
    account: &AccountId,
    refusal: ledger::store::Error,
) -> Result<Problem, db::Error> {
    // Where buying changes nothing, nobody is sent to buy.
    let helps = match &refusal {
        ledger::store::Error::InsufficientCredits { obstacles, .. } => {
            obstacles.iter().all(Obstacle::can_be_bought_off)
        }
        _ => true,
    };
    let top_up_url = if helps { feed::top_up_url(tx, settings, account)? } else { None };
    Ok(Problem::from(refusal).with_top_up_url(top_up_url))
}

/// How a wallet stands after an act.
pub(super) struct Standing {
    pub(super) available: Credits,
    pub(super) status: Status,
    pub(super) mode: Mode,
}

impl Standing {
    pub(super) fn of(settings: &Settings, left: &Left) -> Self {
        let status = left.position.status(left.frozen, &settings.low_balance);
        Self { available: left.position.available, status, mode: status.mode(left.can_spend) }
    }
}

/// A debit that was made, of a hold perhaps.
pub(super) fn answer(
    settings: &Settings,
    credits: Credits,
    made: &Debited,
    hold: Option<&HoldId>,
) -> Result<Answer, Problem> {
    let standing = Standing::of(settings, &made.left);
    Answer::created(&Body {
        id: &made.id,
        credits,
        available: standing.available,
        status: standing.status,
        mode: standing.mode,
        slices: slices(&made.taken),
        hold,
        reversed: None,
        reversal: None,
    })
}

fn slices(taken: &Taken) -> Vec<SliceBody<'_>> {
    taken.slices.iter().map(|(grant, credits)| SliceBody { grant, credits: *credits }).collect()
}

/// A site that may be debited by the caller.
pub(super) struct Spender {
    pub(super) account: AccountId,
    pub(super) uses_pool: bool,
}

/// The account that has what was spent or held in `account` for `site`, if the caller may act on it; to a caller
/// that may not see the site it does not exist.
pub(super) fn may_act(
    tx: &mut Tx<'_>,
    caller: &Caller,
    site: &SiteId,
    account: &AccountId,
) -> Result<AccountId, Problem> {
    let (account, client) = whose(tx, site, account)?;
    caller.check_debit(site, &account, client.as_ref())?;
    Ok(account)
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound => Self::not_found(),
            Refusal::Forbidden => {
                Self::forbidden().with_detail("this key may read the wallet of this site, not spend from it")
            }
        }
    }
}

/// The account that `account` is part of now, and the client it runs `site` for.
pub(super) fn whose(
    tx: &mut Tx<'_>,
    site: &SiteId,
    account: &AccountId,
) -> Result<(AccountId, Option<ClientId>), Problem> {
    let account = site::store::follow(tx, account)?;
    let found = site::store::get(tx, site)?;
    let own = found.filter(|found| found.account.as_ref().is_some_and(|owner| owner.id == account));
    Ok((account, own.and_then(|own| own.client)))
}

/// Finds whose credits a site spends; to a caller that may not see the site it does not exist.
pub(super) fn find_spender(tx: &mut Tx<'_>, caller: &Caller, site: &SiteId) -> Result<Spender, Problem> {
    let Owned { account, client, uses_pool } = hot::owned(tx, site)?.ok_or_else(Problem::not_found)?;
    caller.check_debit(site, &account, client.as_ref())?;
    Ok(Spender { account, uses_pool })
}

/// A debit as it was sent, read before it is the writer's turn: what is wrong with it is told in its turn.
pub(super) struct Order {
    site: Result<SiteId, Problem>,
    asked: Result<Asked, Problem>,
}

impl Order {
    /// Reads the fields of a debit.
    pub(super) fn read(fields: &Map<String, Value>) -> Self {
        Self { site: fields::subject(fields, "site"), asked: read(fields, &KNOWN, Vec::new()) }
    }
}

/// A debit as it was asked for.
pub(super) struct Asked {
    agent: Option<AgentId>,
    label: Option<String>,
    reference: Option<String>,
    occurred_at: Option<Timestamp>,
    usage: Option<String>,
    cost: Cost,
}

/// What it is to cost.
enum Cost {
    /// This much; the action is only a name.
    Credits { credits: Credits, action: Option<String> },
    /// What the rate card says.
    Quantity { quantity: i64, action: String },
}

impl Asked {
    /// The debit with its price.
    ///
    /// # Errors
    /// `unknown_action` when no rate counts now, `invalid_request` when the price is nothing or too much.
    pub(super) fn priced(self, tx: &mut Tx<'_>, uses_pool: bool, site: SiteId) -> Result<NewDebit, Problem> {
        let (amount, action, priced, default_label) = match self.cost {
            Cost::Credits { credits, action } => (credits, action, None, None),
            Cost::Quantity { quantity, action } => {
                let now = tx.now();
                let rate = match action.parse::<ActionId>() {
                    Ok(action) => rate::store::effective(tx, &action, now)?,
                    Err(_) => None,
                };
                let Some(rate) = rate else { return Err(Problem::unknown_action(&action)) };
                let price = rate.price(quantity).map_err(|none| Problem::invalid("/quantity", none))?;
                let priced = Priced { quantity, version: rate.version };
                (price, Some(action), Some(priced), rate.label)
            }
        };
        let label = self.label.or(default_label).or_else(|| action.clone());
        Ok(NewDebit {
            site,
            uses_pool,
            agent: self.agent,
            label: label.unwrap_or_else(|| DEFAULT_LABEL.to_owned()),
            action,
            priced,
            amount,
            reference: self.reference,
            occurred_at: self.occurred_at,
            usage: self.usage,
        })
    }
}

/// The fields of a debit.
const KNOWN: [&str; 9] =
    ["site", "agent", "action", "quantity", "credits", "label", "usage", "reference", "occurred_at"];

/// Reads a debit that may have the fields `known`; every field that is wrong is named, after what is in `errors`.
pub(super) fn read(
    fields: &Map<String, Value>,
    known: &[&str],
    mut errors: Vec<Fault>,
) -> Result<Asked, Problem> {
    errors.extend(unknown(fields, known));
    let agent = optional::<AgentId>(fields, "agent", &mut errors);
    let action = text(fields, "action", ACTION_CHARS_MAX, &mut errors);
    let label = text(fields, "label", LABEL_CHARS_MAX, &mut errors);
    let reference = text(fields, "reference", REFERENCE_CHARS_MAX, &mut errors);
    let occurred_at = optional::<Timestamp>(fields, "occurred_at", &mut errors);
    let cost = read_cost(fields, action, &mut errors);
    match cost {
        Some(cost) if errors.is_empty() => {
            Ok(Asked { agent, label, reference, occurred_at, usage: fields::json(fields, "usage"), cost })
        }
        _ => Err(Problem::invalid_request(errors)),
    }
}

fn read_cost(fields: &Map<String, Value>, action: Option<String>, errors: &mut Vec<Fault>) -> Option<Cost> {
    let given = |name| fields::given(fields, name);
    match (given("credits"), given("quantity")) {
        (true, true) => {
            errors.push(Fault::new("/quantity", "give either credits, or action and quantity"));
            None
        }
        (true, false) => Some(Cost::Credits { credits: positive(fields, "credits", errors)?, action }),
        (false, true) => {
            let quantity = whole(fields, "quantity", errors);
            if action.is_none() && !given("action") {
                errors.push(Fault::new("/action", "quantity says how much of which action"));
            }
            Some(Cost::Quantity { quantity: quantity?, action: action? })
        }
        (false, false) if given("action") => {
            errors.push(Fault::new("/quantity", "is missing: how much of the action"));
            None
        }
        (false, false) => {
            errors.push(Fault::new("/credits", "give credits, or action and quantity"));
            None
        }
    }
}

/// Where debits are sent.
pub(super) const PATH: &str = "/v1/debits";
/// What a debit without a label is called.
const DEFAULT_LABEL: &str = "AI assistant";
const ACTION_CHARS_MAX: usize = 128;
pub(super) const LABEL_CHARS_MAX: usize = 500;
pub(super) const REFERENCE_CHARS_MAX: usize = 255;
