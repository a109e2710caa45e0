//! `POST /webhooks/woocommerce/{store}`: a shop says that something changed.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use schemars::JsonSchema;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use serde_json::json;

use super::App;
use super::extract::{self, Path};
use super::metrics;
use super::openapi::Routes;
use super::openapi::operation::{Operation, Tag};
use super::problem::{Code, Problem};
use crate::db::Tx;
use crate::id::DeliveryId;
use crate::inbox::{self, Envelope, Incoming, signature};
use crate::order::apply;
use crate::shop::{HookSecret, StoreName};

/// Where shops deliver.
pub fn routes() -> Routes {
    Routes::new().post(
        "/webhooks/woocommerce/{store}",
        receive,
        Operation::new(Tag::Orders, "Takes a shop's delivery")
            .describe(
                "WooCommerce sends this. An answer of 200 means that the delivery is durably stored, also when it cannot \
                 be read or is of no use; the same delivery again changes nothing. WooCommerce's ping, a form with a \
                 webhook's number, is not signed and not stored.",
            )
            .signed()
            .path::<String>("store", "The store's name, from `nivella-wallet store add`.", "shop")
            .header("X-WC-Webhook-Topic", false, "What the delivery is about, like `order.updated`.")
            .answers::<Answered>(
                200,
                "It is stored.",
                json!({ "delivery": "dl_01a1fa67730b778aa2ec748e9839efc7", "result": "granted" }),
            ).refuses(&[Code::NotFound]),
    )
}

/// What a shop is told.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Receipt")]
struct Answered {
    /// The delivery's id; a repeat has that of the first, a ping none.
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery: Option<DeliveryId>,
    /// `granted`, `clawed_back`, `unchanged`, `parked`, `ignored`, or `stored`: work goes on in the background.
    result: &'static str,
}

/// Takes a delivery: proved by its signature, durable before the answer, and booked with it whenever all
/// that it needs is known.
///
/// # Errors
/// `unauthorized` for a missing or wrong signature and for an unknown store alike.
pub async fn receive(
    State(app): State<App>,
    Path(store): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let headers = parts.headers;
    let body = extract::read(body, app.webhook_body_bytes_max).await?;
    if is_ping(&headers, &body) {
        return Ok(Json(Answered { delivery: None, result: "ignored" }).into_response());
    }
    let found = match store.parse::<StoreName>() {
        Ok(name) => app.stores.find(&app.db, &name)?,
        Err(_) => None,
    };
    // An unknown store is checked against a secret that opens none, and one without an old secret twice against
    // its own, so that each refusal takes as long and looks the same.
    let key = |secret: Option<&HookSecret>| {
        let key = secret.map_or_else(|| NOBODYS_SECRET.into(), HookSecret::signing_key);
        key.expose_secret().as_bytes().to_vec()
    };
    let secrets = found.as_ref().map(|known| &known.secrets);
    let today = key(secrets.map(|secrets| &secrets.today));
    let previous = key(secrets.map(|secrets| secrets.previous.as_ref().unwrap_or(&secrets.today)));
    let verified = signature::verify(&[&today, &previous], &headers, body);
    if let Err(signature::Forged::Mismatch) = &verified {
        app.refusals.note(found.as_ref().map(|known| known.store.id), app.db.clock().now());
    }
    let (Some(known), Ok(verified)) = (found, verified) else {
        ::metrics::counter!(metrics::REFUSED).increment(1);
        tracing::warn!(store = shorten(&store), "a delivery without a right signature was refused");
        return Err(
            Problem::unauthorized().with_detail("the delivery is not signed with this store's secret")
        );
    };
    let incoming = Arc::new(Incoming::read(envelope(&headers), verified, &known.store));
    let rules = app.rules.clone();
    let (kept, of) = (Arc::clone(&incoming), Arc::clone(&known));
    let receive = move |tx: &mut Tx<'_>| inbox::receive(tx, &of.store, &rules, &kept);
    let received = app.db.write_remembering("webhooks::receive", receive).await;
    let receipt = match received {
        Ok(receipt) => receipt,
        Err(apply::Error::Database(error)) => return Err(error.into()),
        Err(apply::Error::Ledger(refusal)) => {
            let refusal = refusal.to_string();
            tracing::warn!(store = %known.store.name, %refusal, "a delivery was set aside: {refusal}");
            let set_aside = move |tx: &mut Tx<'_>| inbox::set_aside(tx, &known.store, &incoming, &refusal);
            app.db.write("webhooks::set_aside", set_aside).await?
        }
    };
    ::metrics::counter!(metrics::DELIVERIES, "result" => receipt.result).increment(1);
    app.wake_worker.notify_one();
    Ok(Json(Answered { delivery: Some(receipt.delivery), result: receipt.result }).into_response())
}

/// WooCommerce's sign of life for a new webhook: a form with the webhook's number, unsigned.
fn is_ping(headers: &HeaderMap, body: &[u8]) -> bool {
    !headers.contains_key(signature::SIGNATURE)
        && body
            .strip_prefix(b"webhook_id=")
            .is_some_and(|number| (1..=20).contains(&number.len()) && number.iter().all(u8::is_ascii_digit))
}

const NOBODYS_SECRET: &str = "no store has this secret, so nothing fits it";

fn envelope(headers: &HeaderMap) -> Envelope {
    let text = |name: &str| {
        headers.get(name).map(|value| shorten(&String::from_utf8_lossy(value.as_bytes()))).unwrap_or_default()
    };
    Envelope {
        topic: text("x-wc-webhook-topic"),
        webhook_id: text("x-wc-webhook-id"),
        delivery_id: text("x-wc-webhook-delivery-id"),
    }
}

/// Longer than any header WooCommerce sends; what is longer is not its.
fn shorten(text: &str) -> String {
    text.chars().take(200).collect()
}
