//! Who is asking: `Authorization: Bearer nwk_…`.
//!
//! A handler that takes a [`Caller`] cannot run for a stranger.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};

use super::App;
use super::problem::Problem;
use crate::access::{self, Caller, KeySecret};
use crate::db;

/// Why a request is not from anybody we know.
#[derive(Debug)]
pub enum Unauthorized {
    /// It carries no key, or not a valid one.
    Stranger(&'static str),
    /// The database could not say.
    Unknown(db::Error),
}

impl FromRequestParts<App> for Caller {
    type Rejection = Unauthorized;

    /// Looks the key up on this thread: the read waits for nobody, and handing it to another thread would
    /// cost more than it takes.
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Unauthorized> {
        let secret = bearer(&parts.headers)?;
        let found = app.db.read(|tx| access::store::authenticate(tx, &secret));
        match found.map_err(Unauthorized::Unknown)? {
            Ok(caller) => Ok(caller),
            // Who has the secret may know what became of the key.
            Err(access::store::Stranger::Expired) => Err(Unauthorized::Stranger("this API key has expired")),
            Err(access::store::Stranger::Revoked) => Err(Unauthorized::Stranger("this API key was revoked")),
            Err(access::store::Stranger::Unknown) => Err(Unauthorized::Stranger(NOT_A_KEY)),
        }
    }
}

const NOT_A_KEY: &str = "this is not a valid API key";

/// The secret in the headers; there must be exactly one.
fn bearer(headers: &HeaderMap) -> Result<KeySecret, Unauthorized> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (Some(value), None) => value,
        (None, _) => return Err(Unauthorized::Stranger("send an API key as Authorization: Bearer nwk_…")),
        (Some(_), Some(_)) => {
            return Err(Unauthorized::Stranger("send one Authorization header, not several"));
        }
    };
    let text = value.to_str().map_err(|_| Unauthorized::Stranger(NOT_A_KEY))?;
    let (scheme, secret) = text.trim().split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Unauthorized::Stranger("send an API key as Authorization: Bearer nwk_…"));
    }
    secret.trim().parse().map_err(|_| Unauthorized::Stranger(NOT_A_KEY))
}

impl IntoResponse for Unauthorized {
    fn into_response(self) -> Response {
        match self {
            Self::Unknown(error) => Problem::from(error).into_response(),
            Self::Stranger(detail) => Problem::unauthorized().with_detail(detail).into_response(),
        }
    }
}
