//! A shop that can be read: ten thousand orders over REST, which change when it is told to. A process of its own.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use nivella_wallet::time::{Clock, Timestamp};
use serde::Deserialize;

use crate::daemon::listening;
use crate::floor::serve_on;
use crate::probe::Running;

/// The word that makes this program the shop.
pub(crate) const WORD: &str = "serve-shop";
/// How many orders it has.
pub(crate) const ORDERS: usize = 10_000;

/// Starts it.
pub(crate) fn start() -> (Running, SocketAddr) {
    let itself = std::env::current_exe().expect("this program");
    listening(Command::new(itself).arg(WORD).stdout(Stdio::piped()).spawn().expect("this program starts"))
}

#[derive(Default)]
struct Shop {
    /// Each order's date, as WooCommerce writes it, and its JSON; in the order of the dates.
    orders: Mutex<Vec<(String, String)>>,
    changes: AtomicU64,
    /// How many were shown since the last change.
    shown: AtomicU64,
}

/// Serves until it is killed.
pub(crate) fn serve() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        println!("listening on http://{}", listener.local_addr().expect("an address"));
        std::io::stdout().flush().expect("standard output");
        let router = Router::new()
            .route("/change", post(change))
            .route("/shown", get(shown))
            .route("/wp-json/wc/v3/orders", get(orders))
            .fallback(|| async { json("[]".to_owned(), 0) })
            .with_state(Arc::new(Shop::default()));
        serve_on(listener, router).await;
    });
}

/// Every order is for one more unit than before, and changed lately.
async fn change(State(shop): State<Arc<Shop>>) -> Response {
    let quantity = shop.changes.fetch_add(1, Ordering::SeqCst) + 1;
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/fixtures/woocommerce/02-paid-order-one-token/003-order.updated/body.bin"
    );
    let mut order: serde_json::Value =
        serde_json::from_slice(&std::fs::read(path).expect("recorded")).expect("JSON");
    let now = Clock::system().now();
    let made = (0..ORDERS).map(|index| {
        // In ascending order, the last one a moment ago.
        let age_ms = i64::try_from(ORDERS - index).expect("small");
        let date = woo_date(now.plus_millis(-age_ms));
        let total = format!("{}.00", quantity * 10);
        order["id"] = (5_000_000 + index).into();
        order["customer_id"] = (200_000 + index).into();
        order["date_modified_gmt"] = date.as_str().into();
        order["total"] = total.as_str().into();
        let line = &mut order["line_items"][0];
        line["id"] = (5_000_000 + index).into();
        line["quantity"] = quantity.into();
        line["total"] = total.as_str().into();
        line["subtotal"] = total.as_str().into();
        (date, order.to_string())
    });
    *shop.orders.lock().unwrap_or_else(PoisonError::into_inner) = made.collect();
    shop.shown.store(0, Ordering::SeqCst);
    json("{}".to_owned(), 0)
}

fn woo_date(at: Timestamp) -> String {
    at.to_string().chars().take(19).collect()
}

async fn shown(State(shop): State<Arc<Shop>>) -> Response {
    json(shop.shown.load(Ordering::SeqCst).to_string(), 0)
}

#[derive(Deserialize)]
struct Asked {
    modified_after: Option<String>,
    page: Option<usize>,
    per_page: Option<usize>,
    status: Option<String>,
}

/// A page of the orders that changed since a time, the oldest change first. None is in the trash.
async fn orders(State(shop): State<Arc<Shop>>, Query(asked): Query<Asked>) -> Response {
    let orders = shop.orders.lock().unwrap_or_else(PoisonError::into_inner);
    let is_wanted = |date: &str| {
        asked.status.as_deref() != Some("trash")
            && asked.modified_after.as_deref().is_none_or(|after| date > after)
    };
    let found: Vec<&str> =
        orders.iter().filter(|(date, _)| is_wanted(date)).map(|(_, order)| order.as_str()).collect();
    let (size, page) = (asked.per_page.unwrap_or(10).max(1), asked.page.unwrap_or(1).max(1));
    let items: Vec<&str> = found.iter().skip((page - 1) * size).take(size).copied().collect();
    shop.shown.fetch_add(items.len() as u64, Ordering::SeqCst);
    let mut answer = json(format!("[{}]", items.join(",")), found.len().div_ceil(size));
    answer.headers_mut().insert("x-wp-total", found.len().into());
    answer
}

fn json(body: String, pages: usize) -> Response {
    let mut answer = ([(CONTENT_TYPE, "application/json; charset=UTF-8")], body).into_response();
    answer.headers_mut().insert("x-wp-totalpages", pages.into());
    answer
}
