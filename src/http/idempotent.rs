//! `Idempotency-Key`: the same request again gets the same answer and has no second effect.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use super::problem::Problem;
use crate::access::Caller;
use crate::db::Tx;
use crate::idempotency::{self, Answer, Digest, Key, OwnKey, Seen};

/// The header that carries the key.
pub const HEADER: &str = "idempotency-key";
const REPLAYED: &str = "idempotent-replayed";
/// Where a wrong key is, in the errors of a problem.
const PLACE: &str = "/headers/Idempotency-Key";
const ITEM_PLACE: &str = "/idempotency_key";

/// A request as idempotency sees it.
#[derive(Debug)]
pub struct Requested {
    key: Result<Option<OwnKey>, idempotency::NotAKey>,
    place: &'static str,
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
    pub fn new(caller: &Caller, method: &str, path: &str, headers: &HeaderMap, body: &[u8]) -> Self {
        let mut keys = headers.get_all(HEADER).iter();
        let key = match (keys.next(), keys.next()) {
            (None, _) => Ok(None),
            (Some(key), None) => key
                .to_str()
                .map_err(|_| idempotency::NotAKey)
                .and_then(|key| key.trim().parse::<Key>().map(Some)),
            (Some(_), Some(_)) => Err(idempotency::NotAKey),
        };
        let key = key.map(|key| key.map(|key| OwnKey::new(caller.key(), key)));
        Self { key, place: PLACE, digest: idempotency::digest(method, path, body) }
    }

    /// A request that is an item of another one, with its key in a field of its own.
    #[must_use]
    pub fn item(caller: &Caller, path: &str, key: Option<&str>, body: &[u8]) -> Self {
        let key = key.map(|key| key.parse().map(|key| OwnKey::new(caller.key(), key))).transpose();
        Self { key, place: ITEM_PLACE, digest: idempotency::digest("POST", path, body) }
    }

    /// Gives the stored answer, or does the work and stores its answer with its effect. The key is required.
    ///
    /// # Errors
    /// `invalid_request` without a key, `idempotency_mismatch`, and whatever the work refuses.
    pub fn answer(
        &self,
        tx: &mut Tx<'_>,
        work: impl FnOnce(&mut Tx<'_>) -> Result<Answer, Problem>,
    ) -> Result<Answered, Problem> {
        if let Ok(None) = self.key {
            return Err(Problem::invalid(
                self.place,
                "is missing: send a new one of your own with each request",
            ));
        }
        self.answer_once(tx, work)
    }

    /// As [`Requested::answer`]; without a key the work is done and its answer is not stored.
    ///
    /// # Errors
    /// `invalid_request` for a key that is none, `idempotency_mismatch`, and whatever the work refuses.
    pub fn answer_once(
        &self,
        tx: &mut Tx<'_>,
        work: impl FnOnce(&mut Tx<'_>) -> Result<Answer, Problem>,
    ) -> Result<Answered, Problem> {
        if let Some(answered) = self.seen(tx)? {
            return Ok(answered);
        }
        let answer = work(tx)?;
        self.keep(tx, &answer)?;
        Ok(Answered { answer, replayed: false })
    }

    /// The answer that was given to the same request before, if one was.
    ///
    /// # Errors
    /// `invalid_request` for a key that is none, `idempotency_mismatch`.
    pub fn seen(&self, tx: &mut Tx<'_>) -> Result<Option<Answered>, Problem> {
        match &self.key {
            Ok(None) => Ok(None),
            Ok(Some(key)) => match idempotency::store::look(tx, key, &self.digest)? {
                Seen::Answered(answer) => Ok(Some(Answered { answer, replayed: true })),
                Seen::Mismatch(earlier) => Err(Problem::idempotency_mismatch(&earlier)),
                Seen::Never => Ok(None),
            },
            Err(error) => Err(Problem::invalid(self.place, error)),
        }
    }

    /// Stores the answer, in the transaction of the effect it tells of.
    pub fn keep(&self, tx: &mut Tx<'_>, answer: &Answer) -> Result<(), Problem> {
        if let Ok(Some(key)) = &self.key {
            idempotency::store::keep(tx, key, &self.digest, answer)?;
        }
        Ok(())
    }
}

impl Answered {
    /// An answer that is given for the first time.
    #[must_use]
    pub const fn first(answer: Answer) -> Self {
        Self { answer, replayed: false }
    }

    /// What is answered.
    #[must_use]
    pub const fn answer(&self) -> &Answer {
        &self.answer
    }

    /// The JSON that is answered.
    #[must_use]
    pub fn into_body(self) -> String {
        self.answer.body
    }

    /// Whether it was answered before.
    #[must_use]
    pub const fn is_replayed(&self) -> bool {
        self.replayed
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
