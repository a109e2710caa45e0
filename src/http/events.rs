//! `GET /v1/events`: what happened that somebody outside wants to know, in the order in which it happened.

use axum::Json;
use axum::extract::{Query as Pairs, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::App;
use super::openapi::Routes;
use super::openapi::operation::{OWN, Operation, Tag};
use super::problem::{Code, Problem};
use super::query::{LIMIT_DEFAULT, LIMIT_MAX, Query};
use super::wallets::{NO_CACHE, private};
use crate::access::{Caller, Own};
use crate::event::{self, Filter, Kind, Page};
use crate::site::{self, AccountRef};

/// What can be read of events.
pub fn routes() -> Routes {
    Routes::new().get(
        "/v1/events",
        list,
        Operation::new(Tag::Orders, "What happened, the oldest first")
            .describe("Events are kept for 90 days. Whoever asks again with the `cursor` of the last answer misses none and gets none twice, also while others are written. An account's key reads its own account's events.")
            .scopes(OWN)
            .query_word("type", "Only events of this type.", &Kind::ALL.map(Kind::as_str))
            .query::<AccountRef>("account", "Only events of this account.")
            .query_literal("after", "`cursor` of an earlier answer, as it was.", json!({ "type": "string", "minLength": 1, "maxLength": 200 }))
            .query_literal("limit", "How many events the answer has at most.", json!({
                "type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT
            }))
            .answers::<Page>(
                200,
                "Events.",
                json!({ "items": [example()], "cursor": "ZXZlbnRzIDE3", "more": false }),
            )
            .refuses(&[Code::NotFound]),
    )
}

/// An event as it may be told.
fn example() -> Value {
    json!({
        "id": "ev_01a1fa67730b778aa2ec748e9839efc7", "type": "credits.low", "at": "2026-11-20T16:00:00Z",
        "account": { "id": "acc_01a1fa67730b778aa2ec748e9839efc7", "name": "Alice Doe", "names": ["shop:customer:17"] },
        "wallet": "site:site-123", "level": "20%", "status": "low", "available": "200", "unit": "AI Credits"
    })
}

/// `GET /v1/events`.
///
/// # Errors
/// `not_found`, `invalid_request`, `try_again`.
async fn list(
    State(app): State<App>,
    caller: Caller,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let mut query = Query::new(pairs, &["type", "account", "after", "limit"]);
    let kind = query.take_word("type", &Kind::ALL.map(Kind::as_str), Kind::named);
    let account = query.take("account", str::parse::<AccountRef>);
    let after = query.take("after", event::cursor).unwrap_or_default();
    let limit = query.take_limit();
    let page = app.db.read(|tx| {
        let missing =
            || Problem::not_found().with_detail("there are no such events in the scope of this API key");
        let named = match &account {
            Some(account) => match site::store::resolve(tx, account)? {
                Some(id) => Some(site::store::follow(tx, &id)?),
                None => return Err(missing()),
            },
            None => None,
        };
        // Without a name an account's key means its own.
        let account = match (named, caller.own()) {
            (named, _) if caller.is_admin() => named,
            (Some(named), _) if caller.is_owner_of(&named) => Some(named),
            (None, Some(Own::Account(own))) if caller.is_owner_of(&own) => Some(own),
            _ => return Err(missing()),
        };
        query.check()?;
        Ok::<_, Problem>(event::page(tx, &app.feed.unit, &Filter { kind, account }, after, limit)?)
    })?;
    Ok(private(NO_CACHE, Json(page)))
}
