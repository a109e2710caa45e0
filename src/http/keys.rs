//! `/v1/keys/{id}/origins`: which websites ask with a site's key.

use axum::Json;
use axum::extract::{Query as Pairs, State};
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::extract::{self, Fields, Named, Raw};
use super::fields::{self, optional};
use super::openapi::Routes;
use super::openapi::operation::{Field, Object, Operation, Tag};
use super::problem::{Code, Fault, Problem};
use super::query::Query;
use super::wallets::{NO_CACHE, private};
use super::{App, admin};
use crate::access::origin::Seen;
use crate::access::store::{self, Change, Said};
use crate::access::{Caller, Origin};
use crate::id::KeyId;

/// What is known of keys.
pub fn routes() -> Routes {
    let operation = |summary| {
        Operation::new(Tag::Accounts, summary).path::<KeyId>(
            "id",
            "The key.",
            "key_01a1fa67730b778aa2ec748e9839efc7",
        )
    };
    let example = || {
        json!({
            "key": "key_01a1fa67730b778aa2ec748e9839efc7",
            "origins": [{ "origin": "alice.example", "url": "https://alice.example", "state": "bound", "seen_at": "2026-11-20T16:00:00Z" }]
        })
    };
    let website = |name, what| Field::optional::<String>(name, what);
    Routes::new()
        .get(
            PATH,
            show,
            operation("The websites that asked with a site's key, or that somebody named")
                .answers::<Websites>(200, "The websites.", example())
                .refuses(&[Code::NotFound]),
        )
        .put(
            PATH,
            set,
            operation("Says what a website is to a key")
                .describe("A site's key is good for the first website that asks with it. One of `moved`, `copy` and `forget` says of another one what it is.")
                .takes_object(
                    Object::new(vec![
                        website("moved", "The website is here now; where it was, it is no more."),
                        website("copy", "A copy that may read as well."),
                        website("forget", "This one is not the site's."),
                    ])
                    .either(&[&["moved"], &["copy"], &["forget"]]),
                    json!({ "moved": "https://new.alice.example" }),
                )
                .answers::<Websites>(200, "The websites, and whether anything was to be done.", example())
                .refuses(&[Code::NotFound]),
        )
}

const PATH: &str = "/v1/keys/{id}/origins";

/// The websites that are known of a key.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KeyOrigins")]
struct Websites {
    /// The key.
    key: KeyId,
    /// The websites.
    origins: Vec<Seen>,
    /// Whether anything was to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<Change>,
}

/// Who may not know of a key learns nothing of it; who may learns whether there is one.
fn key_of(caller: &Caller, named: Named) -> Result<KeyId, Problem> {
    admin::check(caller, || Ok(false))?;
    extract::named(named)
}

/// `GET /v1/keys/{id}/origins`: the websites that asked with a site's key, or that somebody named.
///
/// # Errors
/// `not_found`, `invalid_request`, `try_again`.
async fn show(
    State(app): State<App>,
    caller: Caller,
    named: Named,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let key = key_of(&caller, named)?;
    let query = Query::new(pairs, &[]);
    let origins = app.db.read(|tx| {
        let origins = store::websites(tx, &key)?;
        query.check()?;
        Ok::<_, Problem>(origins)
    })?;
    Ok(private(NO_CACHE, Json(Websites { key, origins, change: None })))
}

/// `PUT /v1/keys/{id}/origins`: says what a website is: `{"moved":URL}`, `{"copy":URL}` or `{"forget":URL}`.
///
/// # Errors
/// `not_found`, `invalid_request`, `try_again`.
async fn set(
    State(app): State<App>,
    caller: Caller,
    named: Named,
    Raw(body): Raw,
) -> Result<Response, Problem> {
    let key = key_of(&caller, named)?;
    let done = app
        .db
        .write("keys::set_origin", move |tx| {
            store::websites(tx, &key)?;
            let Fields(fields) = extract::parse(&body)?;
            let (origins, change) = store::say(tx, &key, &read(&fields)?)?;
            Ok::<_, Problem>(Websites { key, origins, change: Some(change) })
        })
        .await?;
    Ok(private(NO_CACHE, Json(done)))
}

fn read(fields: &Map<String, Value>) -> Result<Said, Problem> {
    let mut errors = fields::unknown(fields, &["moved", "copy", "forget"]);
    let moved = optional::<Origin>(fields, "moved", &mut errors).map(Said::Moved);
    let copy = optional::<Origin>(fields, "copy", &mut errors).map(Said::Copy);
    let forget = optional::<Origin>(fields, "forget", &mut errors).map(Said::Forget);
    let mut said: Vec<Said> = [moved, copy, forget].into_iter().flatten().collect();
    if errors.is_empty() && said.len() != 1 {
        errors.push(Fault::new("", "say one thing: moved, copy or forget, with the address of a website"));
    }
    fields::complete(said.pop(), errors)
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        use store::Error as E;
        match error {
            E::Database(error) => error.into(),
            E::Unknown(_) | E::NoWebsite(_) => Self::not_found().with_detail(error),
            E::Name | E::Scopes | E::Expired(_) | E::Over(_) => Self::invalid("", error),
            E::Randomness(_) => Self::internal(),
        }
    }
}
