//! `GET /healthz` and `GET /readyz`: whether the process lives, and whether it can do its work.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::App;
use super::problem::Problem;

/// The process answers.
pub async fn alive() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// The database can be read, and the writer takes work.
///
/// # Errors
/// `try_again` when it cannot.
pub async fn ready(State(app): State<App>) -> Result<Json<Value>, Problem> {
    app.db.check()?;
    Ok(Json(json!({ "status": "ready" })))
}
