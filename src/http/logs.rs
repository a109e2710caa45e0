//! One line for each request: what was asked for, by which route, and how it went.
//!
//! The route is the pattern that matched (`/v1/wallets/{wallet}`), never the path itself; no query, no
//! body, no key. Each request has an id, which its other log lines carry too and its answer names.

use std::collections::hash_map::RandomState;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::hash::BuildHasher as _;
use std::pin::Pin;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::response::Response;
use axum::routing::Route;
use http::{HeaderName, HeaderValue, StatusCode};
use tower::{Layer, Service};
use tracing::Instrument as _;

use super::metrics;

/// Logs every request and names it; a layer around all routes.
///
/// What went well is logged at `debug`, what was refused at `info`, what failed at `warn`: thousands of
/// debits a second that went well are counted elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Logs;

/// A route whose requests are logged.
#[derive(Clone, Debug)]
pub struct Logged(Route);

impl Layer<Route> for Logs {
    type Service = Logged;

    fn layer(&self, route: Route) -> Logged {
        Logged(route)
    }
}

impl Service<Request> for Logged {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        <Route as Service<Request>>::poll_ready(&mut self.0, cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let id = next_id();
        let method = request.method().clone();
        let route = request.extensions().get::<MatchedPath>().cloned();
        let span = tracing::info_span!("request", %id);
        let start = Instant::now();
        let answering = self.0.call(request).instrument(span.clone());
        Box::pin(async move {
            let mut response = answering.await?;
            let route = route.as_ref().map_or("no route", MatchedPath::as_str);
            let status = response.status();
            metrics::count(route, &method, status);
            span.in_scope(|| line(&method, route, status, start));
            if let Ok(id) = HeaderValue::try_from(id) {
                response.headers_mut().insert(REQUEST_ID, id);
            }
            Ok(response)
        })
    }
}

fn line(method: &http::Method, route: &str, status: StatusCode, start: Instant) {
    let code = status.as_u16();
    let ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    if status.is_server_error() {
        tracing::warn!(%method, route, status = code, ms, "{method} {route} failed with {code} after {ms} ms");
    } else if status.is_client_error() {
        tracing::info!(%method, route, status = code, ms, "{method} {route} refused with {code} after {ms} ms");
    } else {
        tracing::debug!(%method, route, status = code, ms, "{method} {route} answered {code} after {ms} ms");
    }
}

/// An id that no other request of this or another run has; it says nothing and needs no secrecy.
fn next_id() -> String {
    static RUN: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(std::process::id()));
    static COUNT: AtomicU64 = AtomicU64::new(0);

    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut id = String::with_capacity(32);
    // Writing to a `String` cannot fail.
    let _ = write!(id, "{:016x}-{count:x}", *RUN);
    id
}

/// Names the request in its answer, for whoever reports a fault.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_requests_have_the_same_id() {
        assert_ne!(next_id(), next_id());
    }
}
