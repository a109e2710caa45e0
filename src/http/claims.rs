//! `POST /v1/claims`: what a guest bought becomes a registered customer's.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::App;
use super::extract::{self, Fields, Raw};
use super::fields::{self, required};
use super::idempotent::{self, Requested};
use super::openapi::Routes;
use super::openapi::operation::{Field, Operation, Tag};
use super::problem::{Code, Problem};
use crate::access::{Caller, Subject};
use crate::account::merge::Merged;
use crate::account::{self, claim};
use crate::db::Tx;
use crate::idempotency::Answer;
use crate::site::{self, AccountRef};

/// Claiming.
pub fn routes() -> Routes {
    Routes::new().post(
        "/v1/claims",
        create,
        Operation::new(Tag::Accounts, "Makes a guest's credits a customer's, once")
            .describe("The token is what `nivella-wallet account claim-link` put into the link that the guest followed.")
            .once()
            .takes(
                vec![
                    Field::required::<String>("token", "What the link carries."),
                    Field::required::<AccountRef>("account", "Whose the credits become; opened if its store does not know it yet."),
                ],
                json!({ "token": "acc_01a1fa67730b778aa2ec748e9839efc7.1797897600000.-HfUyf0hK", "account": "shop:customer:17" }),
            )
            .answers::<Merged>(
                200,
                "The guest's account is part of the other now.",
                json!({
                    "from": "acc_01a1fa67730b778aa2ec748e9839efc7", "into": "acc_02b1fa67730b778aa2ec748e9839efc7",
                    "change": "merged", "credits": "700", "debt": "0", "sites": ["site-123"], "orders": 1, "names": 1
                }),
            )
            .refuses(&[
                Code::Forbidden,
                Code::NotFound,
                Code::HoldsOpen,
                Code::AlreadyClaimed,
                Code::ClaimExpired,
                Code::Frozen,
            ]),
    )
}

/// Merges the guest's account that a claim link names into an account, once.
///
/// # Errors
/// In this order: `unauthorized`, `not_found` and `forbidden`, `idempotency_mismatch`, `invalid_request`,
/// `already_claimed`, `claim_expired`, `frozen`.
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<Response, Problem> {
    let requested = Requested::new(&caller, "POST", "/v1/claims", &headers, &body);
    let Fields(fields) = extract::parse(&body)?;
    let (token, into) = read(&fields)?;
    app.db
        .write("claims::create", move |tx| {
            check(tx, &caller, &into)?;
            requested.answer_once(tx, |tx| Answer::ok(&claim::claim(tx, &token, &into)?))
        })
        .await
        .map(idempotent::respond)
}

fn read(fields: &Map<String, Value>) -> Result<(String, AccountRef), Problem> {
    let mut errors = fields::unknown(fields, &["token", "account"]);
    let token = required::<String>(fields, "token", &mut errors);
    let account = required::<AccountRef>(fields, "account", &mut errors);
    fields::complete(token.zip(account), errors)
}

/// Refuses keys that are no administrator's; says no more than they may know.
fn check(tx: &mut Tx<'_>, caller: &Caller, into: &AccountRef) -> Result<(), Problem> {
    if caller.is_admin() {
        return Ok(());
    }
    let seen = match site::store::resolve(tx, into)? {
        Some(account) => {
            let account = site::store::follow(tx, &account)?;
            caller.may_see(&Subject::Account(&account))
        }
        None => false,
    };
    Err(if seen {
        Problem::forbidden().with_detail("claims are made with an admin key")
    } else {
        Problem::not_found()
    })
}

impl From<claim::Error> for Problem {
    fn from(error: claim::Error) -> Self {
        use claim::Error as E;
        match error {
            E::Forged => Self::invalid("/token", error),
            E::Expired(_) => Self::claim_expired(error),
            E::Claimed { .. } => Self::already_claimed(error),
            E::Account(error) => error.into(),
            E::Registered(_) | E::Nameless(_) | E::WhichStore { .. } | E::Past(_) => {
                Self::invalid("/token", error)
            }
            E::Randomness(_) => Self::internal(),
        }
    }
}

impl From<account::Error> for Problem {
    fn from(error: account::Error) -> Self {
        use account::Error as E;
        match error {
            E::Site(site::store::Error::Database(error)) => error.into(),
            E::Site(_) => Self::not_found(),
            E::Ledger(refusal) => refusal.into(),
            E::Itself(_) => Self::invalid("/account", error),
            E::Merged { .. } | E::NotAlone { .. } => Self::already_claimed(error),
            E::Frozen { .. } => Self::frozen(),
            E::AlreadyTheirs { .. } => Self::invalid("/to", error),
            E::NotOffered(_) => Self::not_found().with_detail(error),
            E::Held { until, wait_s, .. } | E::SiteHeld { until, wait_s, .. } => {
                Self::holds_open(until, wait_s).with_detail(error)
            }
        }
    }
}
