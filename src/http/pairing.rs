//! `/v1/pairing`: a shop's plugin and this program exchange their secrets; and the page that a pairing link leads to.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue, StatusCode};
use schemars::JsonSchema;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::App;
use super::extract::{self, Fields, Raw};
use super::fields::{self, optional, required};
use super::openapi::Routes;
use super::openapi::operation::{Field, Operation, Tag};
use super::problem::{Code, Fault, Problem};
use super::wallets::{NO_CACHE, private};
use crate::access::Caller;
use crate::id::KeyId;
use crate::pairing::{self, Asked, EventsUrl, Token};
use crate::shop::{HookSecret, NotRestKeys, RestKeys, SECRET_LENGTH_MIN, ShopUrl, StoreName};

/// Pairing.
pub fn routes() -> Routes {
    Routes::new()
        .post(
            PATH,
            create,
            Operation::new(Tag::Shops, "Pairs a shop with the code that was made for it, once")
                .describe(
                    "The plugin sends this. The code is what stands behind the `#` of the link that `nivella-wallet store \
                     pair` prints; it is the only proof that is needed, so no key is sent. The store is made if it is not \
                     there; one that is keeps its books and its settings, the API key it was paired with before opens \
                     nothing from now, and its old webhook secret is taken for a day more.",
                )
                .open()
                .takes(
                    vec![
                        Field::required::<String>("token", "The code."),
                        Field::required::<String>("url", "The address of the shop's front page."),
                        Field::literal(
                            "webhook_secret",
                            "What the shop signs its webhooks with.",
                            json!({ "type": "string", "minLength": SECRET_LENGTH_MIN }),
                        )
                        .always(),
                        Field::literal(
                            "rest",
                            "REST keys with which the shop may be asked; without them those that were set stay.",
                            json!({
                                "type": ["object", "null"], "additionalProperties": false,
                                "required": ["consumer_key", "consumer_secret"],
                                "properties": {
                                    "consumer_key": { "type": "string", "pattern": "^ck_[A-Za-z0-9]+$" },
                                    "consumer_secret": { "type": "string", "pattern": "^cs_[A-Za-z0-9]+$" }
                                }
                            }),
                        ),
                        Field::literal(
                            "events_url",
                            "Where the shop wants to be told of events, on its own website.",
                            json!({ "type": ["string", "null"] }),
                        ),
                    ],
                    json!({
                        "token": "nwp_Zm9yIHRoZSBkb2N1bWVudCBvbmx5LCBvcGVucyBub3Q", "url": "https://shop.example/",
                        "webhook_secret": "a secret of 24 characters or more",
                        "rest": { "consumer_key": "ck_1ab0", "consumer_secret": "cs_2cd0" },
                        "events_url": "https://shop.example/wp-json/nivella-credit-wallet/v1/events"
                    }),
                )
                .answers::<Answered>(
                    201,
                    "The shop is paired. The key is shown this once.",
                    json!({
                        "store": "shop", "key": "nwk_9d59aa51f54c23e600c860660e6944e37dbff8d729eaae8f9a6107355ec44900",
                        "key_id": "key_01a1fa67730b778aa2ec748e9839efc7",
                        "webhook_url": "https://wallet.example/webhooks/woocommerce/shop",
                        "events_secret": "whsec_Zm9yIHRoZSBkb2N1bWVudCBvbmx5", "unit": "AI Credits",
                        "tokens_categories": ["tokens"], "paid_statuses": ["processing", "completed"],
                        "site_keys": ["_nivella_site_id", "site_id", "_site_id"]
                    }),
                )
                .refuses(&[Code::StoreElsewhere, Code::PairingEnded, Code::RateLimited]),
        )
        .delete(
            PATH,
            end,
            Operation::new(Tag::Shops, "Ends the pairing whose key asks")
                .describe("The key opens nothing from then on, and the REST keys that the shop brought are forgotten. The store and its books stay.")
                .answers::<Ended>(200, "The shop is paired no longer.", json!({ "store": "shop", "revoked": true }))
                .refuses(&[Code::NotFound]),
        )
        .get(
            pairing::PATH,
            page,
            Operation::new(Tag::Shops, "What to do with a pairing link: a page for people")
                .open()
                .answers_text("text/html", "A page of HTML."),
        )
}

const PATH: &str = "/v1/pairing";

/// What a shop gets that was paired.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Paired")]
struct Answered {
    /// The store.
    store: StoreName,
    /// Its API key, with the scope `admin`; shown this once.
    key: String,
    /// The key's id.
    key_id: KeyId,
    /// Where its webhooks must deliver.
    webhook_url: String,
    /// What events are signed with, if it wants any; shown this once.
    events_secret: Option<String>,
    /// What customers call credits.
    unit: String,
    /// Slugs of the categories whose products grant credits.
    tokens_categories: Vec<String>,
    /// Order statuses that count as paid.
    paid_statuses: Vec<String>,
    /// Meta keys that may name the site, first match wins.
    site_keys: Vec<String>,
}

/// A shop that is paired no longer.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Unpaired")]
struct Ended {
    /// The store.
    store: StoreName,
    /// That the key opens nothing now.
    revoked: bool,
}

/// `POST /v1/pairing`: pairs a shop, once.
///
/// # Errors
/// In this order: `invalid_request` for what cannot be a code, `pairing_ended` or, after ten of these in a minute,
/// `rate_limited`; `invalid_request` for the rest, `store_elsewhere`.
async fn create(State(app): State<App>, Raw(body): Raw) -> Result<Response, Problem> {
    let Fields(fields) = extract::parse(&body)?;
    let token: Token = fields::subject(&fields, "token")?;
    let hash = token.hash();
    // Nothing else is said to whoever has no code.
    if app.db.read(|tx| pairing::store::code(tx, &hash))?.is_none() {
        let wrong = app.guesses.note(app.db.clock().now());
        tracing::warn!("a pairing code that is not good was refused");
        return Err(match wrong {
            Ok(()) => pairing::Error::Ended.into(),
            Err(wait_s) => Problem::rate_limited(wait_s),
        });
    }
    let asked = read(&fields)?;
    let url = asked.url.clone();
    let paired = app.db.write("pairing::create", move |tx| pairing::pair(tx, &token, asked)).await?;
    tracing::info!(store = %paired.store.name, %url, "store {} is paired with {url}", paired.store.name);
    // What waited for REST keys can be asked for now.
    app.wake_worker.notify_one();
    let pairing::Paired { store, key_id, key, webhook_url, events_secret } = paired;
    let answer = Answered {
        store: store.name,
        key: key.reveal().to_owned(),
        key_id,
        webhook_url,
        events_secret: events_secret.map(|secret| secret.expose_secret().to_owned()),
        unit: app.feed.unit.clone(),
        tokens_categories: store.tokens_categories,
        paid_statuses: store.paid_statuses,
        site_keys: store.site_keys,
    };
    Ok(private(NO_CACHE, (StatusCode::CREATED, Json(answer))))
}

fn read(fields: &Map<String, Value>) -> Result<Asked, Problem> {
    let mut errors = fields::unknown(fields, &["token", "url", "webhook_secret", "rest", "events_url"]);
    let url = required::<ShopUrl>(fields, "url", &mut errors);
    let webhook_secret = required::<HookSecret>(fields, "webhook_secret", &mut errors);
    let rest = rest_keys(fields, &mut errors);
    let events = optional::<EventsUrl>(fields, "events_url", &mut errors);
    if let (Some(events), Some(url)) = (&events, &url)
        && !events.is_of(url)
    {
        errors.push(Fault::new("/events_url", format!("must be on the shop's own website, {url}")));
    }
    let asked =
        url.zip(webhook_secret).map(|(url, webhook_secret)| Asked { url, webhook_secret, rest, events });
    fields::complete(asked, errors)
}

/// REST keys: an object with both halves, or nothing.
fn rest_keys(fields: &Map<String, Value>, errors: &mut Vec<Fault>) -> Option<RestKeys> {
    let halves = match fields.get("rest")? {
        Value::Null => return None,
        Value::Object(halves) => halves,
        _ => {
            errors.push(Fault::new(
                "/rest",
                "must be an object with consumer_key and consumer_secret, or null",
            ));
            return None;
        }
    };
    let mut wrong = fields::unknown(halves, &["consumer_key", "consumer_secret"]);
    let key = required::<String>(halves, "consumer_key", &mut wrong);
    let secret = required::<String>(halves, "consumer_secret", &mut wrong);
    let keys = key.zip(secret).and_then(|(key, secret)| {
        let place = |error: &NotRestKeys| match error {
            NotRestKeys::Key => "/consumer_key",
            NotRestKeys::Secret => "/consumer_secret",
        };
        RestKeys::new(&key, &secret).map_err(|error| wrong.push(Fault::new(place(&error), error))).ok()
    });
    let below = |fault: Fault| Fault { pointer: format!("/rest{}", fault.pointer), ..fault };
    errors.extend(wrong.into_iter().map(below));
    keys
}

/// `DELETE /v1/pairing`: ends the pairing whose key asks.
///
/// # Errors
/// `not_found` for a key that pairing did not make.
async fn end(State(app): State<App>, caller: Caller) -> Result<Response, Problem> {
    let key = caller.key().clone();
    let ended = app.db.write("pairing::end", move |tx| pairing::end(tx, &key)).await?;
    let store = ended.ok_or_else(|| Problem::not_found().with_detail("this key is of no paired shop"))?;
    tracing::info!(store = %store.name, "store {} is paired no longer", store.name);
    Ok(private(NO_CACHE, Json(Ended { store: store.name, revoked: true })))
}

/// `GET /pair`: what to do with the link. The code stands behind the `#`, so it never comes here.
async fn page() -> Response {
    let headers: [(HeaderName, HeaderValue); 5] = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(
                "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            ),
        ),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (headers, PAGE).into_response()
}

const PAGE: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Connect a shop</title>
</head>
<body>
<main>
<h1>Connect a shop</h1>
<p>The address of this page is a pairing code for a shop. It works once.</p>
<ol>
<li>Copy the whole address of this page, with everything after the <code>#</code>.</li>
<li>In the shop's WordPress, open <strong>AI Credits → Settings</strong>.</li>
<li>Paste it under <strong>Connect</strong> and press the button.</li>
</ol>
<p>Give it to nobody but the shop: whoever uses it first is connected. If nothing stands after the <code>#</code>, or the
code is over, make a new one where the wallet runs: <code>nivella-wallet store pair NAME</code>.</p>
</main>
</body>
</html>
"#;

impl From<pairing::Error> for Problem {
    fn from(error: pairing::Error) -> Self {
        use pairing::Error as E;
        match error {
            E::Ended => Self::pairing_ended(error),
            E::Elsewhere { .. } | E::MadeFor { .. } => Self::store_elsewhere(error),
            E::Store(crate::shop::store::Error::Database(error)) => error.into(),
            E::Key(error) => error.into(),
            // What a shop brings fits any store, and the store was there a moment ago.
            E::Store(_) => Self::try_again(),
            E::Randomness(_) => Self::internal(),
        }
    }
}
