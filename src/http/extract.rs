//! What handlers are handed: bodies, paths and queries, parsed or refused with a problem.
//!
//! A handler that takes these never sees a body that is too large, too slow or not what it says.

use std::error::Error as StdError;
use std::str::FromStr;

use axum::Router;
use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::request::Parts;
use http_body::Body as _;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use serde_path_to_error::Segment;

use super::problem::{Fault, Problem};

/// The largest body of a single API call: a thousand times what any of them needs.
pub const BODY_BYTES_MAX: usize = 256 * 1024;

/// A JSON body, and an answer in JSON.
///
/// Whatever its content type says, the body is read as JSON: no answer depends on it.
#[derive(Clone, Copy, Debug)]
pub struct Json<T, const LIMIT: usize = BODY_BYTES_MAX>(pub T);

/// A body as it came, for handlers that digest it before they parse it (with [`parse`]).
#[derive(Clone, Debug)]
pub struct Raw<const LIMIT: usize = BODY_BYTES_MAX>(pub Bytes);

/// A JSON object that gives each of its fields once: of two with one name nobody knows which was meant, and
/// a proxy that looked may have seen the other.
#[derive(Clone, Debug)]
pub struct Fields(pub Map<String, Value>);

/// The variable parts of the path. What cannot be one names nothing, so it is not found.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

/// The one variable part of a path as it came, for handlers that know who asks before they look at it (with [`named`]).
pub type Named = Result<axum::extract::Path<String>, PathRejection>;

/// The query.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

/// The body did not arrive in the time it had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body did not arrive in time")]
pub struct BodyTooSlow;

/// Reads a whole body of at most `limit` bytes.
///
/// # Errors
/// `payload_too_large`, at once where the length is announced; `request_timeout`; `bad_request` when the
/// body ends early or its chunks are broken.
pub async fn read(body: axum::body::Body, limit: usize) -> Result<Bytes, Problem> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > limit {
        return Err(Problem::payload_too_large(limit));
    }
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(cause) if is_caused_by::<LengthLimitError>(cause.as_ref()) => {
            Err(Problem::payload_too_large(limit))
        }
        Err(cause) if is_caused_by::<BodyTooSlow>(cause.as_ref()) => Err(Problem::request_timeout()),
        Err(_) => Err(Problem::bad_request("the body ended early or its chunks are broken")),
    }
}

fn is_caused_by<E: StdError + 'static>(error: &(dyn StdError + 'static)) -> bool {
    std::iter::successors(Some(error), |&error| error.source()).any(<dyn StdError>::is::<E>)
}

/// What a path names; what cannot be a name names nothing.
///
/// # Errors
/// `not_found`.
pub fn named<T: FromStr>(path: Named) -> Result<T, Problem> {
    path.ok().and_then(|axum::extract::Path(name)| name.parse().ok()).ok_or_else(Problem::not_found)
}

/// Reads `body` as one JSON object.
///
/// # Errors
/// `invalid_request`, pointing to the part that is wrong.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // Without this serde would take a list of the values in the order of a struct's fields.
    match body.trim_ascii_start().first() {
        Some(b'{') => {}
        Some(_) => return Err(Problem::invalid("", "not a JSON object")),
        None => {
            return Err(Problem::invalid("", "the body is empty where a JSON object is expected"));
        }
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().clone();
        Problem::invalid_request(vec![fault(&path, error.inner())])
    })?;
    json.end().map_err(|error| Problem::invalid("", format!("not JSON: {error}")))?;
    Ok(value)
}

fn fault(path: &serde_path_to_error::Path, error: &serde_json::Error) -> Fault {
    if !error.is_data() {
        return Fault::new("", format!("not JSON: {error}"));
    }
    let said = error.to_string();
    // The place in the text helps nobody who made the text with a program; the pointer does.
    let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(said, _place)| said);
    locate(path, said)
}

/// The fault `said` at `path`; serde knows a field that is missing or doubled only by its name.
fn locate(path: &serde_path_to_error::Path, said: &str) -> Fault {
    let mut pointer = pointer(path);
    let named = said
        .strip_prefix("missing field `")
        .or_else(|| said.strip_prefix("duplicate field `"))
        .and_then(|rest| rest.strip_suffix('`'));
    if let Some(field) = named {
        pointer.push('/');
        pointer.push_str(&escape(field));
    }
    Fault::new(pointer, said)
}

/// `path` as RFC 6901 writes it.
fn pointer(path: &serde_path_to_error::Path) -> String {
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(format!("/{index}")),
            Segment::Map { key } => Some(format!("/{}", escape(key))),
            // Not in the text: which variant was tried, or what nobody knows.
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

pub(super) fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            // Refused where the value is read, so that the refusal points to the field.
            let value = map.next_value_seed(Field { is_second: fields.contains_key(&name) })?;
            fields.insert(name, value);
        }
        Ok(Fields(fields))
    }
}

struct Field {
    is_second: bool,
}

impl<'de> DeserializeSeed<'de> for Field {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.is_second {
            return Err(serde::de::Error::custom("is given twice"));
        }
        Value::deserialize(deserializer)
    }
}

impl<S: Send + Sync, const LIMIT: usize> FromRequest<S> for Raw<LIMIT> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        read(request.into_body(), LIMIT).await.map(Self)
    }
}

impl<S: Send + Sync, T: DeserializeOwned, const LIMIT: usize> FromRequest<S> for Json<T, LIMIT> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let body = read(request.into_body(), LIMIT).await?;
        parse(&body).map(Self)
    }
}

impl<T: Serialize, const LIMIT: usize> IntoResponse for Json<T, LIMIT> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(path)) => Ok(Self(path)),
            Err(PathRejection::FailedToDeserializePathParams(failure)) => match failure.into_kind() {
                ErrorKind::DeserializeError { message, .. } | ErrorKind::Message(message) => {
                    Err(Problem::not_found().with_detail(message))
                }
                ErrorKind::ParseError { value, .. }
                | ErrorKind::ParseErrorAtKey { value, .. }
                | ErrorKind::ParseErrorAtIndex { value, .. } => {
                    Err(Problem::not_found().with_detail(format!("{value:?} names nothing")))
                }
                ErrorKind::InvalidUtf8InPathParam { .. } => {
                    Err(Problem::not_found().with_detail("the path is not UTF-8"))
                }
                // The rest are faults of the route, not of the request.
                fault => {
                    tracing::error!(%fault, "a route and its handler disagree: {fault}");
                    Err(Problem::internal())
                }
            },
            Err(fault) => {
                tracing::error!(%fault, "a route and its handler disagree: {fault}");
                Err(Problem::internal())
            }
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        query(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

fn query<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(text.as_bytes()));
    serde_path_to_error::deserialize(pairs).map_err(|error| {
        let said = error.inner().to_string();
        Problem::invalid_request(vec![locate(error.path(), &said)])
    })
}

/// Answers with problems where no route fits. To be called when all routes are in.
pub fn with_fallbacks<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    routes
        .fallback(async || Problem::not_found().with_detail("there is nothing at this address"))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
}
