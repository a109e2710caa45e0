//! `Idempotency-Key`: the same request again gets the same answer and has no second effect.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use super::problem::Problem;
use crate::db::Tx;
use crate::id::KeyId;
use crate::idempotency::{self, Answer, Digest, Key, Seen};

/// The header that carries the key.
pub const HEADER: &str = "idempotency-key";
const REPLAYED: &str = "idempotent-replayed";
/// Where a wrong key is, in the errors of a problem.
const PLACE: &str = "/headers/Idempotency-Key";

/// A request as idempotency sees it.
#[derive(Debug)]
pub struct Requested {
    key: Result<Option<Key>, idempotency::NotAKey>,
    digest: Digest,
}

/// An answer and whether it was given before.
#[derive(Debug)]
pub struct Answered {
    answer: Answer,
    replayed: bool,
}

impl Requested {
    /// Reads the key; one that is missing or wrong is told only by [`Requested::answer`], because whether
    /// the thing asked about exists comes first.
    #[must_use]
    pub fn new(method: &str, path: &str, headers: &HeaderMap, body: &[u8]) -> Self {
        let mut keys = headers.get_all(HEADER).iter();
        let key = match (keys.next(), keys.next()) {
            (None, _) => Ok(None),
            (Some(key), None) => {
                key.to_str().map_err(|_| idempotency::NotAKey).and_then(|key| key.trim().parse().map(Some))
            }
            (Some(_), Some(_)) => Err(idempotency::NotAKey),
        };
        Self { key, digest: idempotency::digest(method, path, body) }
    }

    /// Gives the stored answer, or does the work and stores its answer with its effect. The key is required.
    ///
    /// # Errors
    /// `invalid_request` without a key, `idempotency_mismatch`, and whatever the work refuses.
    pub fn answer(
        &self,
        tx: &mut Tx<'_>,
        caller: &KeyId,
        work: impl FnOnce(&mut Tx<'_>) -> Result<Answer, Problem>,
    ) -> Result<Answered, Problem> {
        if let Ok(None) = self.key {
            return Err(Problem::invalid(PLACE, "is missing: send a new one of your own with each request"));
        }
        self.answer_once(tx, caller, work)
    }

    /// As [`Requested::answer`]; without a key the work is done and its answer is not stored.
    ///
    /// # Errors
    /// `invalid_request` for a key that is none, `idempotency_mismatch`, and whatever the work refuses.
    pub fn answer_once(
        &self,
        tx: &mut Tx<'_>,
        caller: &KeyId,
        work: impl FnOnce(&mut Tx<'_>) -> Result<Answer, Problem>,
    ) -> Result<Answered, Problem> {
        let key = match &self.key {
            Ok(Some(key)) => key,
            Ok(None) => return work(tx).map(|answer| Answered { answer, replayed: false }),
            Err(error) => return Err(Problem::invalid(PLACE, error)),
        };
        match idempotency::store::look(tx, caller, key, &self.digest)? {
            Seen::Answered(answer) => Ok(Answered { answer, replayed: true }),
            Seen::Mismatch => Err(Problem::idempotency_mismatch()),
            Seen::Never => {
                let answer = work(tx)?;
                idempotency::store::keep(tx, caller, key, &self.digest, &answer)?;
                Ok(Answered { answer, replayed: false })
            }
        }
    }
}

impl Answer {
    /// `201` with `body`.
    pub fn created(body: &impl Serialize) -> Result<Self, Problem> {
        Self::with_status(StatusCode::CREATED, body)
    }

    /// `200` with `body`.
    pub fn ok(body: &impl Serialize) -> Result<Self, Problem> {
        Self::with_status(StatusCode::OK, body)
    }

    fn with_status(status: StatusCode, body: &impl Serialize) -> Result<Self, Problem> {
        let body = serde_json::to_string(body)
            .map_err(|error| crate::db::Error::Unusable(format!("an answer cannot be written: {error}")))?;
        Ok(Self { status: status.as_u16(), body })
    }
}

/// Sends an answer.
#[must_use]
pub fn respond(answered: Answered) -> Response {
    let status = StatusCode::from_u16(answered.answer.status).unwrap_or(StatusCode::OK);
    let json = HeaderValue::from_static("application/json");
    let mut response = (status, [(header::CONTENT_TYPE, json)], answered.answer.body).into_response();
    if answered.replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}
