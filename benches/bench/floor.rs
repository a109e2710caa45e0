//! The floor: what HTTP alone costs, by a server that does nothing, and what a delivery costs before anything is
//! kept. It runs as a process of its own, as the daemon does, with the same libraries.

use std::io::Write as _;
use std::process::{Command, Stdio};

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use nivella_wallet::inbox::signature;
use serde::{Deserialize, Serialize};

use crate::daemon::{SECRET, listening};
use crate::probe::Running;

/// The word that makes this program the floor.
pub(crate) const WORD: &str = "serve-floor";

/// Starts it.
pub(crate) fn start() -> (Running, std::net::SocketAddr) {
    let itself = std::env::current_exe().expect("this program");
    listening(Command::new(itself).arg(WORD).stdout(Stdio::piped()).spawn().expect("this program starts"))
}

/// Serves until it is killed.
pub(crate) fn serve() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        println!("listening on http://{}", listener.local_addr().expect("an address"));
        std::io::stdout().flush().expect("standard output");
        let router = Router::new().route("/hello", get(hello)).route("/hook", post(hook));
        serve_on(listener, router).await;
    });
}

/// Takes connections as the daemon does, one task each.
pub(crate) async fn serve_on(listener: tokio::net::TcpListener, router: Router) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let service = hyper_util::service::TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let http = hyper::server::conn::http1::Builder::new();
            let _ = http.serve_connection(hyper_util::rt::TokioIo::new(stream), service).await;
        });
    }
}

#[derive(Serialize)]
struct Hello {
    hello: &'static str,
}

async fn hello() -> Json<Hello> {
    Json(Hello { hello: "world" })
}

/// What of an order must be read to know what it grants.
#[derive(Deserialize)]
#[expect(dead_code, reason = "reading them is what is measured")]
struct Order<'a> {
    id: i64,
    status: &'a str,
    currency: &'a str,
    total: &'a str,
    total_tax: &'a str,
    shipping_total: &'a str,
    customer_id: i64,
    date_modified_gmt: &'a str,
    date_paid_gmt: Option<&'a str>,
    number: &'a str,
    #[serde(borrow)]
    billing: Billing<'a>,
    #[serde(borrow)]
    line_items: Vec<Line<'a>>,
    #[serde(borrow)]
    meta_data: Vec<Meta<'a>>,
    #[serde(borrow)]
    fee_lines: Vec<&'a serde_json::value::RawValue>,
    #[serde(borrow)]
    refunds: Vec<&'a serde_json::value::RawValue>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "reading them is what is measured")]
struct Billing<'a> {
    first_name: &'a str,
    last_name: &'a str,
    email: &'a str,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "reading them is what is measured")]
struct Line<'a> {
    id: i64,
    name: &'a str,
    product_id: i64,
    variation_id: i64,
    quantity: i64,
    subtotal: &'a str,
    total: &'a str,
    total_tax: &'a str,
    sku: &'a str,
    #[serde(borrow)]
    meta_data: Vec<Meta<'a>>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "reading them is what is measured")]
struct Meta<'a> {
    key: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    value: &'a serde_json::value::RawValue,
}

/// A delivery: its signature is checked, its body read, and nothing kept.
async fn hook(headers: HeaderMap, body: Bytes) -> (StatusCode, Json<Hello>) {
    let Ok(verified) = signature::verify(&[SECRET.as_bytes()], &headers, body) else {
        return (StatusCode::UNAUTHORIZED, Json(Hello { hello: "forged" }));
    };
    match serde_json::from_slice::<Order<'_>>(verified.body()) {
        Ok(order) if order.id > 0 => (StatusCode::OK, Json(Hello { hello: "read" })),
        _ => (StatusCode::BAD_REQUEST, Json(Hello { hello: "unreadable" })),
    }
}
