//! `GET /v1/orders/{store}/{order}`: why an order granted what it did.
//!
//! An administrator's key reads the whole story; an account's key that of its own orders, without what the shop sent
//! and without what others have. All else is answered as if it were not there.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query as Pairs, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::App;
use super::openapi::Routes;
use super::openapi::operation::{OWN, Operation, Tag};
use super::problem::{Code, Problem};
use super::query::Query;
use crate::access::Caller;
use crate::order::explain;
use crate::schema::OrderId;
use crate::shop::{self, StoreName};

/// What can be read of orders.
pub fn routes() -> Routes {
    Routes::new().get(
        "/v1/orders/{store}/{order}",
        show,
        Operation::new(Tag::Orders, "Why an order granted what it did")
            .describe("An account's key reads its own orders, without what the shop sent and without what others have.")
            .scopes(OWN)
            .path::<StoreName>("store", "The store's name.", "shop")
            .path::<OrderId>("order", "The order's id there.", "29")
            .answers::<explain::Story>(200, "All that is known of it.", example())
            .refuses(&[Code::NotFound, Code::InvalidRequest]),
    )
}

/// An order's story as it may be answered.
fn example() -> Value {
    json!({
        "store": "shop", "order": "29", "number": "29", "summary": "All 1000 credits of it are left with Alice Doe",
        "status": "completed", "meaning": "paid: its lines grant what they are worth", "paid_at": "2026-11-20T16:00:00Z",
        "modified_at": "2026-11-20T16:00:00Z", "first_seen_at": "2026-11-20T16:00:01Z",
        "applied_at": "2026-11-20T16:00:01Z", "confirmed_at": null, "buyer": "shop:customer:17",
        "account": { "id": "acc_01a1fa67730b778aa2ec748e9839efc7", "name": "Alice Doe" }, "assigned": null,
        "parked": null, "attention": null, "missing": [], "lines": [], "grants": [], "entries": [], "places": [],
        "deliveries": []
    })
}

/// `GET /v1/orders/{store}/{order}`.
///
/// # Errors
/// `not_found`, `try_again`.
async fn show(
    State(app): State<App>,
    caller: Caller,
    named: Result<Path<(String, String)>, PathRejection>,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let missing = || Problem::not_found().with_detail("there is no such order in the scope of this API key");
    let Ok(Path((store, order))) = named else { return Err(missing()) };
    let (Ok(name), Some(order)) = (store.parse::<StoreName>(), order_id(&order)) else {
        return Err(missing());
    };
    let query = Query::new(pairs, &[]);
    let story = app.db.read(|tx| {
        let shop = shop::store::find(tx, &name)?.ok_or_else(missing)?;
        let story = explain::story(tx, &shop, &app.rules, order)?.ok_or_else(missing)?;
        let story = match story.account.as_ref().map(|owner| owner.id.clone()) {
            _ if caller.is_admin() => story,
            Some(account) if caller.is_owner_of(&account) => story.for_account(&account),
            _ => return Err(missing()),
        };
        query.check()?;
        Ok::<_, Problem>(story)
    })?;
    let cache = [(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"))];
    Ok((cache, Json(story)).into_response())
}

/// An order's id as shops write it.
fn order_id(text: &str) -> Option<i64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten().filter(|id| *id > 0)
}
