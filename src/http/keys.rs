//! `/v1/keys/{id}/origins`: which websites ask with a site's key.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query as Pairs, State};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use serde_json::{Map, Value};

use super::debits::optional;
use super::extract::{self, Fields, Raw};
use super::problem::{Fault, Problem};
use super::query::Query;
use super::wallets::{NO_CACHE, private};
use super::{App, admin};
use crate::access::origin::Seen;
use crate::access::store::{self, Change, Said};
use crate::access::{Caller, Origin};
use crate::id::KeyId;

/// What is known of keys.
pub fn routes() -> Router<App> {
    Router::new().route("/v1/keys/{id}/origins", get(show).put(set))
}

/// The websites that are known of a key.
#[derive(Serialize)]
struct Websites {
    key: KeyId,
    origins: Vec<Seen>,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<Change>,
}

type KeyPath = Result<Path<String>, PathRejection>;

/// Who may not know of a key learns nothing of it; who may learns whether there is one.
fn key_of(caller: &Caller, named: KeyPath) -> Result<KeyId, Problem> {
    admin::check(caller, || Ok(false))?;
    let Ok(Path(named)) = named else { return Err(Problem::not_found()) };
    named.parse().map_err(|_| Problem::not_found())
}

/// `GET /v1/keys/{id}/origins`: the websites that asked with a site's key, or that somebody named.
///
/// # Errors
/// `not_found`, `invalid_request`, `try_again`.
async fn show(
    State(app): State<App>,
    caller: Caller,
    named: KeyPath,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let key = key_of(&caller, named)?;
    let query = Query::new(pairs, &[]);
    let origins = app.db.read(|tx| {
        let origins = store::websites(tx, &key)?;
        query.check()?;
        Ok::<_, Problem>(origins)
    })?;
    Ok(private(NO_CACHE, Json(Websites { key, origins, change: None })))
}

/// `PUT /v1/keys/{id}/origins`: says what a website is: `{"moved":URL}`, `{"copy":URL}` or `{"forget":URL}`.
///
/// # Errors
/// `not_found`, `invalid_request`, `try_again`.
async fn set(
    State(app): State<App>,
    caller: Caller,
    named: KeyPath,
    Raw(body): Raw,
) -> Result<Response, Problem> {
    let key = key_of(&caller, named)?;
    let done = app
        .db
        .write("keys::set_origin", move |tx| {
            store::websites(tx, &key)?;
            let Fields(fields) = extract::parse(&body)?;
            let (origins, change) = store::say(tx, &key, &read(&fields)?)?;
            Ok::<_, Problem>(Websites { key, origins, change: Some(change) })
        })
        .await?;
    Ok(private(NO_CACHE, Json(done)))
}

fn read(fields: &Map<String, Value>) -> Result<Said, Problem> {
    let mut errors = admin::unknown(fields, &["moved", "copy", "forget"]);
    let moved = optional::<Origin>(fields, "moved", &mut errors).map(Said::Moved);
    let copy = optional::<Origin>(fields, "copy", &mut errors).map(Said::Copy);
    let forget = optional::<Origin>(fields, "forget", &mut errors).map(Said::Forget);
    let mut said: Vec<Said> = [moved, copy, forget].into_iter().flatten().collect();
    if errors.is_empty() && said.len() != 1 {
        errors.push(Fault::new("", "say one thing: moved, copy or forget, with the address of a website"));
    }
    admin::complete(said.pop(), errors)
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        use store::Error as E;
        match error {
            E::Database(error) => error.into(),
            E::Unknown(_) | E::NoWebsite(_) => Self::not_found().with_detail(error),
            E::Name | E::Scopes | E::Expired(_) | E::Over(_) => Self::invalid("", error),
            E::Randomness(_) => Self::internal(),
        }
    }
}
