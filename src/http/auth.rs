//! Who is asking: `Authorization: Bearer nwk_…`.
//!
//! A handler that takes a [`Caller`] cannot run for a stranger, nor for a website that is not the one a site's key
//! is good for. The first request from a website is written down; no later one writes.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};

use super::App;
use super::problem::Problem;
use crate::access::origin::{Seen, Verdict, decide};
use crate::access::{self, Caller, KeySecret, Known, Origin};
use crate::db::{self, Changes};
use crate::id::KeyId;

/// The header in which a website says where it is.
pub const ORIGIN: &str = "x-site-origin";

/// Why a request is not from anybody we know.
#[derive(Debug)]
pub enum Unauthorized {
    /// It carries no key, or not a valid one.
    Stranger(&'static str),
    /// The database could not say.
    Unknown(db::Error),
    /// It comes from another website than the key is good for.
    Elsewhere {
        /// The key.
        key: KeyId,
        /// The address that it is good for.
        bound_to: String,
        /// The address that asks.
        origin: Origin,
    },
    /// It does not say which website it comes from, but something else.
    Nowhere(String),
}

impl FromRequestParts<App> for Caller {
    type Rejection = Unauthorized;

    /// Looks the key up in memory, or on this thread: the read waits for nobody, and handing it to another thread
    /// would cost more than it takes.
    ///
    /// From here on [`db::Db::changes`] knows of every write that was answered before the request came.
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Unauthorized> {
        let Known { caller, websites, .. } = known(app, &bearer(&parts.headers)?.hash())?;
        if caller.is_of_website() {
            check_origin(app, &caller, &websites, &parts.headers).await?;
        }
        app.uses.note(caller.key(), app.db.clock().now());
        Ok(caller)
    }
}

/// Who has the secret with this hash.
fn known(app: &App, hash: &[u8; 32]) -> Result<Known, Unauthorized> {
    app.db.look().map_err(Unauthorized::Unknown)?;
    let changes = app.db.changes();
    if let Some(known) = changes.and_then(|changes| app.callers.get(hash, changes, app.db.clock().now())) {
        return Ok(known);
    }
    let moment = changes.map(Changes::moment);
    let found = app.db.read(|tx| access::store::authenticate(tx, hash));
    let known = found.map_err(Unauthorized::Unknown)?.map_err(|stranger| {
        use access::store::Stranger as S;
        // Who has the secret may know what became of the key.
        Unauthorized::Stranger(match stranger {
            S::Expired => "this API key has expired",
            S::Revoked => "this API key was revoked",
            S::Replaced => "this API key has a new secret, and the old one's time is over",
            S::Unknown => NOT_A_KEY,
        })
    })?;
    if let Some(moment) = moment {
        app.callers.keep(*hash, moment, known.clone());
    }
    Ok(known)
}

/// Refuses a website that is not the one the key is good for. Who does not say where they are is no website.
async fn check_origin(
    app: &App,
    caller: &Caller,
    websites: &[Seen],
    headers: &HeaderMap,
) -> Result<(), Unauthorized> {
    let Some(origin) = origin(headers)? else { return Ok(()) };
    let mut verdict = decide(websites, &origin);
    if matches!(verdict, Verdict::Bind | Verdict::Refuse { note: true, .. }) {
        let (key, asked) = (caller.key().clone(), origin.clone());
        let met = app.db.write("auth::meet", move |tx| access::store::meet(tx, &key, &asked)).await;
        verdict = met.map_err(Unauthorized::Unknown)?;
    }
    match verdict {
        Verdict::Welcome | Verdict::Bind => Ok(()),
        Verdict::Refuse { bound_to, .. } => {
            Err(Unauthorized::Elsewhere { key: caller.key().clone(), bound_to, origin })
        }
    }
}

/// The website that asks, if it says so.
fn origin(headers: &HeaderMap) -> Result<Option<Origin>, Unauthorized> {
    let mut values = headers.get_all(ORIGIN).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(_), Some(_)) => Err(Unauthorized::Nowhere("is given twice".to_owned())),
        // A name with other letters than a to z comes as UTF-8.
        (Some(value), None) => {
            let origin = String::from_utf8_lossy(value.as_bytes()).parse::<Origin>();
            origin.map(Some).map_err(|wrong| Unauthorized::Nowhere(wrong.to_string()))
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
            Self::Elsewhere { key, bound_to, origin } => elsewhere(&key, bound_to, &origin).into_response(),
            Self::Nowhere(detail) => Problem::invalid("/headers/X-Site-Origin", detail).into_response(),
            Self::Stranger(detail) => Problem::unauthorized().with_detail(detail).into_response(),
        }
    }
}

/// What the owner of a website has to know when it asks with the key of another.
fn elsewhere(key: &KeyId, bound_to: String, origin: &Origin) -> Problem {
    let detail = format!(
        "this key is for {bound_to}, and {origin} asks with it: if the website moved, \
         `nivella-wallet key origin {key} --moved {origin}`; if this is a copy that may read too, --copy instead"
    );
    Problem::site_mismatch(detail)
        .with("key", key.as_str())
        .with("bound_to", bound_to)
        .with("origin", origin.url())
}
