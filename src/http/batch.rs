//! `POST /v1/debits/batch`: many debits in one request, each alone.
//!
//! An item is what a single debit would be: it has its own key, its own answer and its own place in the order,
//! and one that is refused harms nobody beside it. A batch is written in steps, so that others who spend
//! meanwhile do not wait for all of it; whoever lost an answer sends the batch again and nothing is done twice.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::App;
use super::debits::{self, Order};
use super::extract::{self, Fields, Raw};
use super::idempotent::{self, Answered, Requested};
use super::openapi::Routes;
use super::openapi::operation::{Field, Operation, SPEND, Tag};
use super::problem::Problem;
use crate::access::Caller;
use crate::db;
use crate::idempotency::Answer;
use crate::schema::IdempotencyKey;

/// Most debits of one batch.
pub const ITEMS_MAX: usize = 1_000;
/// The largest body of a batch.
pub const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;
/// How many are written before others get their turn.
const STEP: usize = 200;
/// Where batches are sent.
const PATH: &str = "/v1/debits/batch";
/// The field of an item that a single debit has as a header.
const KEY: &str = "idempotency_key";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch {
    /// As they came: an item that cannot be read has an answer of its own, too.
    items: Vec<Box<RawValue>>,
}

/// What came of a batch.
#[derive(Debug, JsonSchema)]
#[schemars(rename = "BatchResults")]
struct Results {
    /// What came of each, in their order.
    #[expect(dead_code, reason = "it tells the API document what is written without it")]
    results: Vec<Outcome>,
}

/// What came of one item: what a single debit would have answered.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(rename = "BatchResult")]
struct Outcome {
    /// The status of the single debit.
    #[schemars(range(min = 200, max = 599))]
    status: u16,
    /// Its answer: a debit, or a problem.
    #[schemars(schema_with = "debit_or_problem")]
    body: String,
    /// There if this is the stored answer of an earlier request with this key.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    replayed: bool,
}

/// What came of a batch, as JSON: the items' answers are JSON already.
fn written<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> Answer {
    let mut body = String::from("{\"results\":[");
    for (number, outcome) in outcomes.enumerate() {
        let comma = if number == 0 { "" } else { "," };
        let replayed = if outcome.replayed { ",\"replayed\":true" } else { "" };
        let (status, answer) = (outcome.status, &outcome.body);
        let _ = write!(body, "{comma}{{\"status\":{status},\"body\":{answer}{replayed}}}");
    }
    body.push_str("]}");
    Answer { status: StatusCode::OK.as_u16(), body }
}

/// Spending many times.
pub fn routes() -> Routes {
    let item = debits::asked().and(Field::required::<IdempotencyKey>(
        KEY,
        "What a single debit has as the header Idempotency-Key.",
    ));
    Routes::new().post(
        PATH,
        create,
        Operation::new(Tag::Spending, "Spends credits many times, each alone")
            .describe(
                "The debits run in their order, and one that is refused harms nobody beside it: its problem is its \
                 result. What is sent again is not done twice.",
            )
            .scopes(SPEND)
            .once()
            .takes(
                vec![Field::list("items", "The debits.", item, ITEMS_MAX)],
                json!({ "items": [{ "idempotency_key": "chat-4711-answer-4", "site": "site-123", "credits": "3" }] }),
            )
            .answers::<Results>(
                200,
                "What came of each, in their order.",
                json!({ "results": [{ "status": 201, "body": debits::example() }] }),
            ),
    )
}

/// Spends credits for up to a thousand debits, in their order.
///
/// # Errors
/// Of the batch as a whole: `unauthorized`, `payload_too_large`, `invalid_request`, `idempotency_mismatch`.
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Raw(body): Raw<BODY_BYTES_MAX>,
) -> Result<Response, Problem> {
    let requested = Arc::new(Requested::new(&caller, "POST", PATH, &headers, &body));
    let seen = {
        let requested = Arc::clone(&requested);
        app.db.read(move |tx| requested.seen(tx))?
    };
    if let Some(answered) = seen {
        return Ok(idempotent::respond(answered));
    }
    let Batch { items } = extract::parse(&body)?;
    if items.len() > ITEMS_MAX {
        let detail =
            format!("has {} debits, at most {ITEMS_MAX}: send the rest in a batch of its own", items.len());
        return Err(Problem::invalid("/items", detail));
    }
    let mut results = Arc::new(Vec::with_capacity(items.len()));
    let mut items = items.into_iter().peekable();
    while items.peek().is_some() {
        // Read before it is their turn: the writer only writes.
        let step: Vec<_> = items.by_ref().take(STEP).map(|item| read(&caller, &item)).collect();
        let (size, is_first, is_last) = (step.len(), results.is_empty(), items.peek().is_none());
        let before = Arc::clone(&results);
        let (settings, brake) = (Arc::clone(&app.feed), app.brake);
        let (requested, caller) = (Arc::clone(&requested), caller.clone());
        let done = app
            .db
            .write_remembering("debits::batch", move |tx| {
                // The same batch may be at work twice; whoever ends first tells what came of it.
                let keeps = match requested.seen(tx) {
                    Ok(Some(answered)) => return Ok(Step::Seen(answered)),
                    Ok(None) => true,
                    Err(problem) if is_first => return Ok(Step::Refused(problem)),
                    Err(_) => false,
                };
                let done = step
                    .into_iter()
                    .map(|item| {
                        let (requested, order) = item?;
                        debits::book(tx, &settings, &brake, &caller, &requested, order)
                    })
                    .map(outcome)
                    .collect::<Vec<_>>();
                if !is_last {
                    return Ok(Step::Done(done));
                }
                let all = || before.iter().chain(&done);
                let answer = written(all());
                // What failed is to be tried again, so it is no answer to keep.
                let failed = all().any(|outcome| outcome.status >= 500);
                if keeps && !failed && all().any(|outcome| outcome.status < 300) {
                    requested.keep(tx, &answer)?;
                }
                Ok::<_, Problem>(Step::All(answer))
            })
            .await;
        match done {
            Ok(Step::Done(done)) => Arc::make_mut(&mut results).extend(done),
            Ok(Step::All(answer)) => return Ok(idempotent::respond(Answered::first(answer))),
            Ok(Step::Seen(answered)) => return Ok(idempotent::respond(answered)),
            Ok(Step::Refused(problem)) => return Err(problem),
            // Nothing of this step was done; what was done before it is told all the same.
            Err(problem) => {
                let refused = refused(&problem);
                Arc::make_mut(&mut results).extend(std::iter::repeat_n(refused, size));
            }
        }
    }
    Ok(idempotent::respond(Answered::first(written(results.iter()))))
}

/// What came of some of the items.
enum Step {
    /// They were booked or refused, each alone.
    Done(Vec<Outcome>),
    /// So were the last of them: the answer to the batch.
    All(Answer),
    /// All of the batch was answered meanwhile.
    Seen(Answered),
    /// The batch as a whole is refused.
    Refused(Problem),
}

/// What came of an item; what refused it wrote nothing.
fn outcome(booked: Result<Answered, Problem>) -> Outcome {
    match booked {
        Ok(answered) => Outcome {
            status: answered.answer().status,
            replayed: answered.is_replayed(),
            body: answered.into_body(),
        },
        Err(problem) => refused(&problem),
    }
}

/// An item's request, and the debit that it asks for.
fn read(caller: &Caller, item: &RawValue) -> Result<(Requested, Order), Problem> {
    let Fields(mut fields) = extract::parse(item.get().as_bytes())?;
    let key = match fields.remove(KEY) {
        None | Some(Value::Null) => None,
        Some(Value::String(key)) => Some(key),
        Some(_) => return Err(Problem::invalid(format!("/{KEY}"), "must be a string")),
    };
    Ok((Requested::item(caller, PATH, key.as_deref(), &sorted(&fields)?), Order::read(&fields)))
}

/// The fields in one order and without white space: a sender that writes the same item anew means the same.
fn sorted(fields: &Map<String, Value>) -> Result<Vec<u8>, db::Error> {
    let fields: BTreeMap<&String, &Value> = fields.iter().collect();
    serde_json::to_vec(&fields)
        .map_err(|error| db::Error::Unusable(format!("an item cannot be written: {error}")))
}

fn debit_or_problem(generator: &mut SchemaGenerator) -> Schema {
    let debit = generator.subschema_for::<debits::Body<'_>>();
    schemars::json_schema!({ "anyOf": [debit, { "$ref": "#/components/schemas/Problem" }] })
}

fn refused(problem: &Problem) -> Outcome {
    let body = serde_json::to_string(problem).unwrap_or_default();
    Outcome { status: problem.status().as_u16(), body, replayed: false }
}
