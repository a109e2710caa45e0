//! Reads that explain: what a debit would take, what a number is made of, what a balance was.

use axum::extract::{Query as Pairs, State};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};

use super::App;
use super::problem::Problem;
use super::query::Query;
use super::wallets::{NO_CACHE, QueryPairs, WalletPath, find, private, wrong};
use crate::access::Caller;
use crate::feed::wallet::Shows;
use crate::feed::{self, explain, past};
use crate::id::AgentId;
use crate::time::Timestamp;
use crate::units::Credits;

/// What can be asked about a wallet's numbers.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/v1/wallets/{wallet}/burn-plan", get(plan))
        .route("/v1/wallets/{wallet}/explain", get(explain_number))
        .route("/v1/wallets/{wallet}/balance", get(balance))
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
    let plan = app.db.read(|tx| {
        let wallet = find(tx, &caller, named)?;
        if agent.is_some() && !matches!(wallet.shows(), Shows::Site { .. }) {
            query.refuse("agent", "an assistant is of one site: ask for site:ID");
        }
        query.check()?;
        let credits = given.ok_or_else(|| wrong("credits", &"is missing: how many"))?;
        match wallet.burn_plan(tx, credits, agent.as_ref()) {
            Ok(plan) => Ok(plan),
            Err(refusal) => {
                let top_up_url = feed::top_up_url(tx, &app.feed, wallet.account())?;
                Err(super::refused(refusal, top_up_url.as_deref()))
            }
        }
    })?;
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
    let list = app.db.read(|tx| {
        let wallet = find(tx, &caller, named)?;
        query.check()?;
        Ok::<_, Problem>(explain::available(tx, &wallet, at, caller.is_admin(), limit)?)
    })?;
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
    let balance = app.db.read(|tx| {
        let wallet = find(tx, &caller, named)?;
        query.check()?;
        let at = at.unwrap_or(tx.now());
        Ok::<_, Problem>(past::balance(tx, &wallet, &app.feed, at)?)
    })?;
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
