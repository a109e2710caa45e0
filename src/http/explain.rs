//! Reads that explain: what a debit would take, what a number is made of, what a balance was.

use axum::Json;
use axum::extract::{Query as Pairs, State};
use axum::response::Response;
use serde_json::json;

use super::openapi::Routes;
use super::openapi::operation::{Operation, Tag};
use super::problem::{Code, Problem};
use super::query::Query;
use super::wallets::{NO_CACHE, QueryPairs, WalletPath, private, read, wrong};
use super::{App, debits};
use crate::access::Caller;
use crate::feed::wallet::{BurnPlan, Shows};
use crate::feed::{List, explain, past};
use crate::id::AgentId;
use crate::schema::{Amount, Instant};
use crate::time::Timestamp;
use crate::units::Credits;

/// What can be asked about a wallet's numbers.
pub fn routes() -> Routes {
    let operation = |summary| Operation::new(Tag::Wallets, summary).wallet();
    Routes::new()
        .get(
            "/v1/wallets/{wallet}/burn-plan",
            plan,
            operation("What a debit would take")
                .describe("The decision of the debit itself, without the write: it refuses as the debit would.")
                .query_required::<Amount>("credits", "How many.", "3")
                .query::<AgentId>("agent", "By which assistant of the site, whose limits count, too.")
                .answers::<BurnPlan>(
                    200,
                    "What it would take of each grant, in burn-down order.",
                    json!({ "slices": [{ "grant": "gr_01a1fa67730b778aa2ec748e9839efc7", "credits": "3" }] }),
                )
                .refuses(&[Code::InsufficientCredits, Code::LimitReached, Code::NotFound, Code::Frozen, Code::PausedForSafety]),
        )
        .get(
            "/v1/wallets/{wallet}/explain",
            explain_number,
            operation("The movements that add up to what is available")
                .describe("The credits of all pages together are what was available when the first page was read.")
                .query_word("field", "The number; there is one so far.", &["available"])
                .pages()
                .answers::<List<explain::Item>>(
                    200,
                    "A page of movements, newest first. `reason` is there for `admin` keys only.",
                    json!({
                        "items": [{ "credits": "+1000", "at": "2026-11-20T16:00:00Z", "kind": "granted",
                                    "label": "AI Credits 1,000", "grant": "gr_01a1fa67730b778aa2ec748e9839efc7", "order": "29" }],
                        "next_cursor": null
                    }),
                )
                .refuses(&[Code::NotFound]),
        )
        .get(
            "/v1/wallets/{wallet}/balance",
            balance,
            operation("The balance as it was")
                .query::<Instant>("at", "When; now, unless said. Not in the future.")
                .answers::<past::Balance>(
                    200,
                    "The balance, with all that was booked for that instant.",
                    json!({
                        "wallet": "site:site-123", "unit": "AI Credits", "as_of": "2026-11-20T16:00:00Z",
                        "available": "1997", "posted": "1997", "held": "0", "frozen": "0", "debt": "0",
                        "recurring": { "balance": "0" }, "top_up": { "balance": "1997" }
                    }),
                )
                .refuses(&[Code::NotFound]),
        )
}

/// `GET /v1/wallets/{wallet}/burn-plan`: what a debit would take, and nothing is taken.
///
/// # Errors
/// As the debit: `not_found`, `invalid_request`, `frozen`, `paused_for_safety`, `limit_reached`,
/// `insufficient_credits`.
async fn plan(
    State(app): State<App>,
    caller: Caller,
    named: WalletPath,
    Pairs(pairs): QueryPairs,
) -> Result<Response, Problem> {
    let mut query = Query::new(pairs, &["credits", "agent"]);
    let given = query.take("credits", |text| match text.parse::<Credits>() {
        Ok(Credits::ZERO) => Err("must be above 0".to_owned()),
        read => read.map_err(|error| error.to_string()),
    });
    let agent = query.take("agent", str::parse::<AgentId>);
    let plan = read(&app, &caller, named, |tx, wallet| {
        if agent.is_some() && !matches!(wallet.shows(), Shows::Site { .. }) {
            query.refuse("agent", "an assistant is of one site: ask for site:ID");
        }
        query.check()?;
        let credits = given.ok_or_else(|| wrong("credits", &"is missing: how many"))?;
        match wallet.burn_plan(tx, credits, agent.as_ref()) {
            Ok(plan) => Ok(plan),
            Err(refusal) => Err(debits::refused(tx, &app.feed, wallet.account(), refusal)?),
        }
    })
    .await?;
    Ok(private(NO_CACHE, Json(plan)))
}

/// `GET /v1/wallets/{wallet}/explain`: the movements that add up to a number.
///
/// # Errors
/// `not_found`, `invalid_request`, `try_again`.
async fn explain_number(
    State(app): State<App>,
    caller: Caller,
    named: WalletPath,
    Pairs(pairs): QueryPairs,
) -> Result<Response, Problem> {
    let mut query = Query::new(pairs, &["field", "limit", "cursor"]);
    query.take_word("field", &["available"], |field| (field == "available").then_some(()));
    let limit = query.take_limit();
    let at = query.take("cursor", explain::begin);
    let list = read(&app, &caller, named, |tx, wallet| {
        query.check()?;
        Ok(explain::available(tx, wallet, at, caller.is_admin(), limit)?)
    })
    .await?;
    Ok(private(NO_CACHE, Json(list)))
}

/// `GET /v1/wallets/{wallet}/balance`: the balance as it was.
///
/// # Errors
/// `not_found`, `invalid_request`, `try_again`.
async fn balance(
    State(app): State<App>,
    caller: Caller,
    named: WalletPath,
    Pairs(pairs): QueryPairs,
) -> Result<Response, Problem> {
    let mut query = Query::new(pairs, &["at"]);
    let at = query.take("at", str::parse::<Timestamp>);
    let balance = read(&app, &caller, named, |tx, wallet| {
        query.check()?;
        let at = at.unwrap_or(tx.now());
        Ok(past::balance(tx, wallet, &app.feed, at)?)
    })
    .await?;
    Ok(private(NO_CACHE, Json(balance)))
}

impl From<past::Error> for Problem {
    fn from(error: past::Error) -> Self {
        match error {
            past::Error::Future(_) => wrong("at", &error),
            past::Error::Database(error) => error.into(),
        }
    }
}
