//! `GET /metrics`: counts for whoever watches the daemon, in Prometheus' text.
//!
//! Counts only: no customer, order or key is ever a label; a store is.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::{ConnectInfo, FromRequestParts as _, Request, State};
use http::{HeaderMap, Method, StatusCode};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use super::App;
use super::openapi::Routes;
use super::openapi::operation::{Operation, Tag};
use super::problem::{Code, Problem};
use crate::access::Caller;
use crate::event;
use crate::ledger;
use crate::reconcile;
use crate::shop;
use crate::shop::health::{self, Severity};
use crate::shop::watch::FAULTS;

/// Requests, by route, method and status.
pub const REQUESTS: &str = "nivella_http_requests_total";
/// Deliveries that were answered, by what they did.
pub const DELIVERIES: &str = "nivella_webhook_deliveries_total";
/// Deliveries with a wrong or missing signature, or for an unknown store.
pub const REFUSED: &str = "nivella_webhook_refused_total";
/// Seconds since a store was last compared with its shop, by hand or by the daemon.
pub const RECONCILED: &str = "nivella_reconcile_age_seconds";
/// Sites that the brake has paused.
pub const PAUSED: &str = "nivella_paused_sites";

/// Events on their way to stores.
pub const WAITING: &str = "nivella_events_waiting";
/// Events that stores did not take in three days.
pub const GIVEN_UP: &str = "nivella_events_given_up_total";

/// Where counts are kept; one for the process, whoever asks first.
///
/// # Errors
/// When something else in the process counts already.
fn recorder() -> Result<&'static PrometheusHandle, Problem> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    let made = RECORDER.get_or_init(|| match PrometheusBuilder::new().install_recorder() {
        Ok(handle) => {
            metrics::describe_counter!(REQUESTS, "Requests, by route, method and status");
            metrics::describe_counter!(DELIVERIES, "Webhook deliveries that were answered, by result");
            metrics::describe_counter!(REFUSED, "Webhook deliveries without a right signature");
            metrics::describe_gauge!(FAULTS, "Faults of a store's webhooks when the shop was last asked");
            metrics::describe_gauge!(RECONCILED, "Seconds since the store was last compared with its shop");
            Some(handle)
        }
        Err(error) => {
            tracing::error!(%error, "nothing can be counted: {error}");
            None
        }
    });
    made.as_ref().ok_or_else(Problem::internal)
}

/// Starts counting; what happened before is not counted.
pub fn start() {
    if recorder().is_ok() {
        STARTED.store(true, Ordering::Relaxed);
        // A count that is not there yet cannot be told from one that nobody makes.
        metrics::counter!(REFUSED).increment(0);
    }
}

thread_local! {
    /// The counts this thread has made: their names are looked up once.
    static COUNTS: RefCell<HashMap<Box<str>, Vec<Count>>> = RefCell::default();
}

struct Count {
    method: Method,
    status: StatusCode,
    counter: metrics::Counter,
}

/// Counts a request that was answered.
pub(super) fn count(route: &str, method: &Method, status: StatusCode) {
    let counter = || {
        let (method, status) = (method.to_string(), status.as_u16().to_string());
        metrics::counter!(REQUESTS, "route" => route.to_owned(), "method" => method, "status" => status)
    };
    // Whoever likes invents methods; and nothing is kept before it is counted.
    if !KNOWN.contains(method) || !STARTED.load(Ordering::Relaxed) {
        return counter().increment(1);
    }
    COUNTS.with_borrow_mut(|counts| {
        let is_it = |count: &&Count| count.status == status && count.method == *method;
        if let Some(count) = counts.get(route).and_then(|counts| counts.iter().find(is_it)) {
            return count.counter.increment(1);
        }
        let counter = counter();
        counter.increment(1);
        counts.entry(route.into()).or_default().push(Count { method: method.clone(), status, counter });
    });
}

/// The methods of all routes.
const KNOWN: [Method; 6] =
    [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::HEAD];

/// Whether anything is counted.
static STARTED: AtomicBool = AtomicBool::new(false);

/// What is counted.
pub fn routes() -> Routes {
    Routes::new().get(
        "/metrics",
        show,
        Operation::new(Tag::Daemon, "Counts, as Prometheus reads them")
            .here()
            .answers_text("text/plain", "Requests, deliveries, and how each store is.")
            .refuses(&[Code::Forbidden]),
    )
}

/// Shows the counts to whoever is on this machine, and to an admin key from anywhere.
///
/// # Errors
/// `unauthorized`, and `forbidden` for a key that is not an admin's.
pub async fn show(State(app): State<App>, request: Request) -> Result<String, Problem> {
    let (mut parts, _) = request.into_parts();
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    if !is_local(peer, &parts.headers) {
        match Caller::from_request_parts(&mut parts, &app).await {
            Ok(caller) if caller.is_admin() => {}
            Ok(_) => return Err(Problem::forbidden()),
            Err(_) => return Err(Problem::unauthorized()),
        }
    }
    webhooks(&app)?;
    reconciliation(&app)?;
    // A number of the database, not of the process: it is read, not kept.
    let paused = app.db.read(ledger::store::brake::paused)?.len();
    let paused = format!(
        "# HELP {PAUSED} Sites that are paused for safety\n# TYPE {PAUSED} gauge\n{PAUSED} {paused}\n"
    );
    let (waiting, given_up) = app.db.read(event::store::counts)?;
    let events = format!(
        "# HELP {WAITING} Events on their way to stores\n# TYPE {WAITING} gauge\n{WAITING} {waiting}\n\
         # HELP {GIVEN_UP} Events that stores never took\n# TYPE {GIVEN_UP} counter\n{GIVEN_UP} {given_up}\n"
    );
    Ok(recorder()?.render() + &paused + &events)
}

/// Shows how many faults the last look at each store's webhooks found, whoever made it; a store that was never looked
/// at has no number.
fn webhooks(app: &App) -> Result<(), Problem> {
    let looks = app.db.read(|tx| {
        let mut looks = Vec::new();
        for store in shop::store::list(tx)? {
            let known = shop::store::health(tx, store.id)?;
            if known.checked_at.is_some() {
                looks.push((store.name.to_string(), health::count(&known.findings, Severity::Fault)));
            }
        }
        Ok::<_, crate::db::Error>(looks)
    })?;
    for (store, faults) in looks {
        metrics::gauge!(FAULTS, "store" => store).set(u32::try_from(faults).unwrap_or(u32::MAX));
    }
    Ok(())
}

/// Shows what the last comparison of each store found, whoever made it.
fn reconciliation(app: &App) -> Result<(), Problem> {
    let now = app.db.clock().now();
    for run in app.db.read(|tx| reconcile::store::runs(tx, None))? {
        let store = run.store.to_string();
        if let Some(counts) = run.result {
            for (name, number) in [
                ("nivella_reconcile_paid_lines", counts.paid_lines),
                ("nivella_reconcile_granted", counts.granted),
                ("nivella_reconcile_missing", counts.missing),
                ("nivella_reconcile_extra", counts.extra),
                ("nivella_reconcile_repaired", counts.repaired),
                ("nivella_reconcile_unread", counts.unread),
            ] {
                metrics::gauge!(name, "store" => store.clone())
                    .set(u32::try_from(number).unwrap_or(u32::MAX));
            }
        }
        if let Some(finished_at) = run.finished_at {
            let age = u64::try_from(now.millis() - finished_at.millis()).unwrap_or_default();
            metrics::gauge!(RECONCILED, "store" => store).set(Duration::from_millis(age));
        }
    }
    Ok(())
}

/// Whether somebody on this machine asks, and not a proxy on it for somebody else.
fn is_local(peer: Option<SocketAddr>, headers: &HeaderMap) -> bool {
    let is_passed_on =
        ["forwarded", "x-forwarded-for", "x-real-ip", "via"].iter().any(|name| headers.contains_key(*name));
    !is_passed_on && peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_on_this_machine_is_not_somebody_on_this_machine() {
        let here: Option<SocketAddr> = "127.0.0.1:5".parse().ok();
        let none = HeaderMap::new();
        let mut passed_on = HeaderMap::new();
        passed_on.insert("x-forwarded-for", "203.0.113.9".parse().unwrap());
        assert!(is_local(here, &none));
        assert!(!is_local(here, &passed_on));
        assert!(!is_local("192.0.2.1:5".parse().ok(), &none));
        assert!(!is_local(None, &none));
    }
}
