//! `GET /healthz` and `GET /readyz`: whether the process lives, and whether it can do its work.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::App;
use super::openapi::Routes;
use super::openapi::operation::{Operation, Tag};
use super::problem::Problem;

/// Whether it lives and works.
pub fn routes() -> Routes {
    Routes::new()
        .get(
            "/healthz",
            alive,
            Operation::new(Tag::Daemon, "Whether the process answers").open().answers::<Health>(
                200,
                "It does.",
                json!({ "status": "ok" }),
            ),
        )
        .get(
            "/readyz",
            ready,
            Operation::new(Tag::Daemon, "Whether the database can be read and takes writes")
                .open()
                .answers::<Health>(200, "It can.", json!({ "status": "ready" })),
        )
}

/// How the daemon is.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct Health {
    /// `ok` or `ready`.
    status: &'static str,
}

/// The process answers.
pub async fn alive() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// The database can be read, and the writer takes work.
///
/// # Errors
/// `try_again` when it cannot.
pub async fn ready(State(app): State<App>) -> Result<Json<Health>, Problem> {
    app.db.check()?;
    Ok(Json(Health { status: "ready" }))
}
