//! The API document: what `GET /openapi.json`, `GET /docs` and the command `openapi` say of the routes.
//!
//! [`Routes`] is the only way to a route, and each of its methods takes an [`Operation`], so there is no route
//! that the document leaves out and nothing in it that is not routed. The shapes of answers are read off the
//! types that are serialized; what a request may hold is said beside the code that reads it.

mod document;
pub mod operation;
mod page;
mod problems;

use std::sync::LazyLock;

use axum::Router;
use axum::handler::Handler;
use axum::response::{IntoResponse, Response};
use axum::routing::{self, MethodRouter};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use self::operation::{Operation, Tag};
use super::App;
use super::problem::{Code, Problem};

/// Routes, each with its operation in the document.
#[derive(Debug, Default)]
pub struct Routes {
    router: Router<App>,
    operations: Vec<Documented>,
}

/// A route as the document has it.
#[derive(Debug)]
struct Documented {
    method: &'static str,
    path: &'static str,
    operation: Operation,
}

impl Routes {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `GET path`.
    #[must_use]
    pub fn get<T: 'static>(self, path: &'static str, run: impl Handler<T, App>, what: Operation) -> Self {
        self.add("get", path, routing::get(run), what)
    }

    /// Adds `POST path`.
    #[must_use]
    pub fn post<T: 'static>(self, path: &'static str, run: impl Handler<T, App>, what: Operation) -> Self {
        self.add("post", path, routing::post(run), what)
    }

    /// Adds `PUT path`.
    #[must_use]
    pub fn put<T: 'static>(self, path: &'static str, run: impl Handler<T, App>, what: Operation) -> Self {
        self.add("put", path, routing::put(run), what)
    }

    /// Adds `DELETE path`.
    #[must_use]
    pub fn delete<T: 'static>(self, path: &'static str, run: impl Handler<T, App>, what: Operation) -> Self {
        self.add("delete", path, routing::delete(run), what)
    }

    fn add(
        mut self,
        method: &'static str,
        path: &'static str,
        run: MethodRouter<App>,
        operation: Operation,
    ) -> Self {
        self.router = self.router.route(path, run);
        self.operations.push(Documented { method, path, operation });
        self
    }

    /// All of these, and all of `others`.
    #[must_use]
    pub fn merge(mut self, others: Self) -> Self {
        self.router = self.router.merge(others.router);
        self.operations.extend(others.operations);
        self
    }

    /// The routes themselves.
    pub fn into_router(self) -> Router<App> {
        self.router
    }
}

/// The document, as JSON.
#[must_use]
pub fn document() -> Value {
    document::of(&super::documented().operations)
}

/// The document as it is printed and served.
#[must_use]
pub fn text() -> &'static str {
    // A map of strings, numbers and lists has no way to fail.
    static TEXT: LazyLock<String> =
        LazyLock::new(|| serde_json::to_string_pretty(&document()).unwrap_or_default() + "\n");
    &TEXT
}

/// The document for programs and for people, and the pages that problems lead to.
pub fn routes() -> Routes {
    let page = "A page of HTML.";
    Routes::new()
        .get(
            "/openapi.json",
            show,
            Operation::new(Tag::Daemon, "This document")
                .open()
                .answers_text("application/json", "OpenAPI 3.1."),
        )
        .get(
            "/docs",
            show_page,
            Operation::new(Tag::Daemon, "This document as a page for people")
                .open()
                .answers_text("text/html", page),
        )
        .get(
            "/docs/errors/{code}",
            super::problem::page,
            Operation::new(Tag::Daemon, "A problem in words: what its type leads to")
                .open()
                .path::<String>("code", "The problem's code.", "insufficient_credits")
                .answers_text("text/plain", "What it means and what to do.")
                .refuses(&[Code::NotFound]),
        )
}

async fn show() -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, json), (CACHE_CONTROL, CACHE)], text()).into_response()
}

async fn show_page() -> Result<Response, Problem> {
    static PAGE: LazyLock<String> = LazyLock::new(|| page::html(&document()));
    // Nothing is loaded and nothing is run; the page's own style is known by its hash.
    static POLICY: LazyLock<String> = LazyLock::new(|| {
        let style = BASE64_STANDARD.encode(Sha256::digest(page::STYLE.as_bytes()));
        format!(
            "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
    });
    let policy = HeaderValue::from_str(&POLICY).map_err(|_| Problem::internal())?;
    let headers: [(HeaderName, HeaderValue); 5] = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CACHE_CONTROL, CACHE),
        (CONTENT_SECURITY_POLICY, policy),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    Ok((headers, PAGE.as_str()).into_response())
}

/// It changes with the program only.
const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=300");
