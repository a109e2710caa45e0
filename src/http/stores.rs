//! `GET /v1/stores/{store}`: how a shop stands, as far as is known without asking it.

use axum::Json;
use axum::extract::{Query as Pairs, State};
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::extract::{self, Named};
use super::openapi::Routes;
use super::openapi::operation::{Operation, Tag};
use super::problem::{Code, Problem};
use super::query::Query;
use super::wallets::{NO_CACHE, private};
use super::{App, admin};
use crate::access::Caller;
use crate::db::{self, Tx};
use crate::inbox::store::{self as inbox, Last};
use crate::order::store::{self as orders, Counts};
use crate::pairing;
use crate::reconcile;
use crate::shop::health::{self, Known, Severity};
use crate::shop::{Store, StoreName, store as shops};
use crate::time::Timestamp;

/// What can be read of shops.
pub fn routes() -> Routes {
    Routes::new().get(
        "/v1/stores/{store}",
        show,
        Operation::new(Tag::Shops, "How a shop stands")
            .describe("As far as is known without asking it; never its secrets.")
            .path::<StoreName>("store", "The store's name.", "shop")
            .answers::<Shown>(
                200,
                "The store.",
                json!({
                    "name": "shop", "url": "https://shop.example", "created_at": "2026-11-20T16:00:00Z",
                    "paired_at": "2026-11-20T16:00:00Z", "tokens_categories": ["tokens"],
                    "paid_statuses": ["processing", "completed"], "site_keys": ["_nivella_site_id", "site_id", "_site_id"],
                    "auto_register": true, "has_rest_keys": true,
                    "last_delivery": { "at": "2026-11-20T17:00:00Z", "topic": "order.updated", "result": "granted" },
                    "last_refused_at": null, "orders": { "known": 120, "parked": 1, "attention": 0, "unclaimed": 2 },
                    "webhooks": { "state": "ok", "checked_at": "2026-11-20T17:00:00Z", "findings": [] },
                    "reconciled_at": "2026-11-20T17:00:00Z"
                }),
            )
            .refuses(&[Code::NotFound]),
    )
}

/// A shop, and how it stands.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Store")]
struct Shown {
    /// Its name here.
    name: StoreName,
    /// Its front page.
    url: String,
    /// When it was added.
    created_at: Timestamp,
    /// When its plugin was connected, if it is.
    paired_at: Option<Timestamp>,
    /// Slugs of the categories whose products grant credits.
    tokens_categories: Vec<String>,
    /// Order statuses that count as paid.
    paid_statuses: Vec<String>,
    /// Meta keys that may name the site, first match wins.
    site_keys: Vec<String>,
    /// Whether the first purchase that names a site which nobody has makes it the buyer's.
    auto_register: bool,
    /// Whether it can be asked.
    has_rest_keys: bool,
    /// The newest delivery that was signed right.
    last_delivery: Option<Last>,
    /// When a delivery was last refused because it was signed with another secret.
    last_refused_at: Option<Timestamp>,
    /// How many of its orders are known, and how many need somebody.
    orders: Counts,
    /// Its webhooks.
    webhooks: Webhooks,
    /// When its orders were last compared with the books to the end.
    reconciled_at: Option<Timestamp>,
}

/// How the webhooks of a shop fare.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "StoreWebhooks")]
struct Webhooks {
    /// Whether orders come.
    state: Standing,
    /// When that was last looked at.
    checked_at: Option<Timestamp>,
    /// What is not as it should be, and what to do about it.
    findings: Vec<String>,
}

/// Whether orders come.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "WebhooksState")]
enum Standing {
    /// They do.
    Ok,
    /// Some or all do not.
    Faulty,
    /// Nobody has looked yet.
    Unknown,
}

impl From<&Known> for Webhooks {
    fn from(known: &Known) -> Self {
        let state = match known.checked_at {
            None => Standing::Unknown,
            Some(_) if health::count(&known.findings, Severity::Fault) > 0 => Standing::Faulty,
            Some(_) => Standing::Ok,
        };
        let wrong = known.findings.iter().filter(|finding| finding.severity != Severity::Ok);
        let words = wrong.map(|finding| match &finding.remedy {
            Some(remedy) => format!("{}: {remedy}", finding.message),
            None => finding.message.clone(),
        });
        Self { state, checked_at: known.checked_at, findings: words.collect() }
    }
}

impl Shown {
    fn of(tx: &mut Tx<'_>, store: Store, auto_register: bool) -> Result<Self, db::Error> {
        let known = shops::health(tx, store.id)?;
        let run = reconcile::store::runs(tx, Some(store.id))?.pop();
        Ok(Self {
            paired_at: pairing::store::of(tx, store.id)?.map(|pairing| pairing.paired_at),
            last_delivery: inbox::last(tx, store.id)?,
            last_refused_at: known.refused_at,
            orders: orders::counts(tx, store.id)?,
            webhooks: Webhooks::from(&known),
            reconciled_at: run.and_then(|run| run.finished_at),
            name: store.name,
            url: store.url.to_string(),
            created_at: store.created_at,
            tokens_categories: store.tokens_categories,
            paid_statuses: store.paid_statuses,
            site_keys: store.site_keys,
            auto_register,
            has_rest_keys: store.has_rest_keys,
        })
    }
}

/// `GET /v1/stores/{store}`.
///
/// # Errors
/// `not_found`, `invalid_request`, `try_again`.
async fn show(
    State(app): State<App>,
    caller: Caller,
    named: Named,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let missing = || Problem::not_found().with_detail("there is no such store in the scope of this API key");
    admin::check(&caller, || Ok(false)).map_err(|_| missing())?;
    let name: StoreName = extract::named(named).map_err(|_| missing())?;
    let query = Query::new(pairs, &[]);
    let shown = app.db.read(|tx| {
        let store = shops::find(tx, &name)?.ok_or_else(missing)?;
        query.check()?;
        Ok::<_, Problem>(Shown::of(tx, store, app.rules.auto_register)?)
    })?;
    Ok(private(NO_CACHE, Json(shown)))
}
