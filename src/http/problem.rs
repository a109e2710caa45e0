//! Refusals, as RFC 9457 problem documents.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::db;

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// No valid key.
    Unauthorized,
    /// The key may see it and may not do that.
    Forbidden,
    /// Unknown, or out of the key's scope.
    NotFound,
    /// The request makes no sense.
    InvalidRequest,
    /// Not now.
    TryAgain,
}

/// A refusal.
#[derive(Debug)]
pub struct Problem {
    code: Code,
    detail: String,
    errors: Vec<FieldError>,
}

/// What is wrong with one part of a request.
#[derive(Clone, Debug, Serialize)]
pub struct FieldError {
    /// Which part: `/query/NAME` for a parameter, else a JSON pointer into the body.
    pub pointer: String,
    /// What is wrong with it.
    pub detail: String,
}

impl Problem {
    /// A refusal with words for the person who reads it.
    pub fn new(code: Code, detail: impl std::fmt::Display) -> Self {
        Self { code, detail: detail.to_string(), errors: Vec::new() }
    }

    /// Names the parts that are wrong.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }
}

impl From<db::Error> for Problem {
    fn from(error: db::Error) -> Self {
        tracing::error!(%error, "the database failed: {error}");
        Self::new(Code::TryAgain, "the request could not be served just now: try again shortly")
    }
}

#[derive(Serialize)]
struct Document {
    r#type: String,
    title: &'static str,
    status: u16,
    code: Code,
    detail: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, slug, title) = match self.code {
            Code::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized", "A valid API key is needed"),
            Code::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "The API key does not allow that"),
            Code::NotFound => (StatusCode::NOT_FOUND, "not_found", "Not found"),
            Code::InvalidRequest => {
                (StatusCode::UNPROCESSABLE_ENTITY, "invalid_request", "The request is invalid")
            }
            Code::TryAgain => (StatusCode::SERVICE_UNAVAILABLE, "try_again", "Try again shortly"),
        };
        let document = Document {
            r#type: format!("/docs/problems/{slug}"),
            title,
            status: status.as_u16(),
            code: self.code,
            detail: self.detail,
            errors: self.errors,
        };
        let mut response = (status, Json(document)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
