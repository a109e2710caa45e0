//! `/v1/sites/{site}`: which websites belong to whom.

use axum::Json;
use axum::extract::{Query as Pairs, State};
use axum::response::{IntoResponse as _, Response};
use http::HeaderMap;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::extract::{self, Fields, Named, Raw};
use super::fields::{self, optional, required};
use super::idempotent::{self, Requested};
use super::openapi::Routes;
use super::openapi::operation::{Field as Said, OWN, Operation, Tag};
use super::problem::{Code, Fault, Problem};
use super::query::Query;
use super::wallets::{NO_CACHE, private};
use super::{App, admin};
use crate::access::Caller;
use crate::account::spending::{self, Spending};
use crate::account::transfer::{self, Change, Offered, Transferred};
use crate::account::{self, release_site};
use crate::db::{self, Tx};
use crate::feed::wallet;
use crate::id::{ClientId, SiteId};
use crate::idempotency::Answer;
use crate::site::{AccountRef, Field, LABEL_CHARS_MAX, Site, WalletRef, parse_client, parse_label, store};

/// Sites.
pub fn routes() -> Routes {
    let site_example = || {
        json!({
            "id": "site-123", "label": "Alice's shop", "client": "acme",
            "account": { "id": "acc_01a1fa67730b778aa2ec748e9839efc7", "name": "Alice Doe" }, "uses_pool": true,
            "from_order": { "store": "shop", "order": 29 }, "offer": null, "created_at": "2026-11-20T16:00:00Z"
        })
    };
    let of_site =
        |summary| Operation::new(Tag::Accounts, summary).path::<SiteId>("site", "The site.", "site-123");
    let offered = |change: &str| {
        let mut site = site_example();
        site["change"] = change.into();
        site
    };
    Routes::new()
        .get(
            "/v1/sites/{site}",
            show_site,
            Operation::new(Tag::Accounts, "Whose a site is")
                .scopes(OWN)
                .path::<SiteId>("site", "The site.", "site-123")
                .answers::<SiteShown>(200, "The site, and what is set about its spending if somebody has it.", site_example())
                .refuses(&[Code::NotFound]),
        )
        .put(
            "/v1/sites/{site}",
            set_site,
            Operation::new(Tag::Accounts, "Gives a site to an account, takes it away, or changes its client and label")
                .describe("What is not said stays, `null` takes away. A site of another account is taken away first.")
                .path::<SiteId>("site", "The site.", "site-123")
                .takes(
                    vec![
                        Said::optional::<AccountRef>("account", "Its new owner, opened if its store does not know it yet."),
                        Said::literal("client", "The client an agency runs it for; an empty text takes it away.", json!({
                            "type": ["string", "null"], "pattern": r"^\s*[A-Za-z0-9._:-]{0,128}\s*$"
                        })),
                        Said::line("label", "A name for people.", 0, LABEL_CHARS_MAX),
                    ],
                    json!({ "account": "shop:customer:17", "client": "acme", "label": "Alice's shop" }),
                )
                .answers::<Site>(200, "The site.", site_example())
                .refuses(&[Code::Forbidden, Code::NotFound]),
        )
        .post(
            TRANSFER,
            offer_site,
            of_site("Offers a site to another account")
                .describe("The offer stands for 14 days, or until there is another; the site stays its owner's until it is accepted.")
                .once()
                .takes(
                    vec![Said::required::<AccountRef>("to", "The account, opened if its store does not know it yet.")],
                    json!({ "to": "shop:customer:18" }),
                )
                .answers::<Offered>(201, "The site, with its offer.", offered("offered"))
                .answers::<Offered>(200, "It was offered to that account before.", offered("unchanged"))
                .refuses(&[Code::Forbidden, Code::NotFound, Code::Frozen]),
        )
        .delete(
            TRANSFER,
            withdraw_site,
            of_site("Takes an offer back")
                .describe("Without an offer nothing changes.")
                .answers::<Offered>(200, "The site, without an offer.", offered("withdrawn"))
                .refuses(&[Code::Forbidden, Code::NotFound, Code::Frozen]),
        )
        .post(
            "/v1/sites/{site}/transfer/accept",
            accept_site,
            of_site("Hands a site over to the account it is offered to")
                .describe("Its credits go along; what it owes stays with the account it comes from.")
                .once()
                .takes_nothing()
                .answers::<Transferred>(
                    200,
                    "The site is the other account's.",
                    json!({
                        "id": "site-123", "from": "acc_01a1fa67730b778aa2ec748e9839efc7",
                        "account": "acc_02b1fa67730b778aa2ec748e9839efc7", "credits": "700", "debt": "0", "plans": [], "keys": []
                    }),
                )
                .refuses(&[Code::Forbidden, Code::NotFound, Code::HoldsOpen, Code::Frozen]),
        )
}

/// Where sites are offered.
const TRANSFER: &str = "/v1/sites/{site}/transfer";

/// The site a path names.
pub(super) fn site_of(named: Named) -> Result<SiteId, Problem> {
    extract::named(named).map_err(|_| missing())
}

pub(super) fn missing() -> Problem {
    Problem::not_found().with_detail("there is no such site in the scope of this API key")
}

/// `GET /v1/sites/{site}`: a site, who owns it and what is set about its spending; an account's key reads its own.
///
/// # Errors
/// `not_found`, `invalid_request`, `try_again`.
async fn show_site(
    State(app): State<App>,
    caller: Caller,
    named: Named,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let site = site_of(named)?;
    let query = Query::new(pairs, &[]);
    let shown = app.db.read(|tx| {
        let site = own_site(tx, &caller, &site)?;
        query.check()?;
        Ok::<_, Problem>(SiteShown::of(tx, site)?)
    })?;
    Ok(private(NO_CACHE, Json(shown)))
}

/// A site, who owns it, and what is set about its spending if somebody does.
#[derive(Debug, Serialize, JsonSchema)]
struct SiteShown {
    #[serde(flatten)]
    site: Site,
    #[serde(flatten)]
    spending: Option<Spending>,
}

impl SiteShown {
    fn of(tx: &mut Tx<'_>, site: Site) -> Result<Self, db::Error> {
        let spending = spending::of_site(tx, &site)?;
        Ok(Self { site, spending })
    }
}

/// The site, for an administrator or its own account.
pub(super) fn own_site(tx: &mut Tx<'_>, caller: &Caller, site: &SiteId) -> Result<Site, Problem> {
    let site = store::get(tx, site)?.ok_or_else(missing)?;
    let is_own = || site.account.as_ref().is_some_and(|owner| caller.is_owner_of(&owner.id));
    if caller.is_admin() || is_own() { Ok(site) } else { Err(missing()) }
}

/// Refuses keys that may not change the site; says no more than they may know.
pub(super) fn check_site(tx: &mut Tx<'_>, caller: &Caller, site: &SiteId) -> Result<(), Problem> {
    let wallet = WalletRef::Site(site.clone());
    let sees = admin::check(caller, || Ok(wallet::find(tx, caller, &wallet)?.is_some()));
    sees.map_err(|refusal| if refusal == Problem::not_found() { missing() } else { refusal })
}

/// `PUT /v1/sites/{site}`: gives a site to an account, takes it away, or changes its client and label. What is
/// not said stays; `null` takes away.
///
/// # Errors
/// In this order: `unauthorized`, `not_found` and `forbidden`, `invalid_request`, `site_mismatch`.
async fn set_site(
    State(app): State<App>,
    caller: Caller,
    named: Named,
    Raw(body): Raw,
) -> Result<Response, Problem> {
    let id = site_of(named)?;
    let site = app
        .db
        .write("accounts::set_site", move |tx| {
            check_site(tx, &caller, &id)?;
            let Fields(fields) = extract::parse(&body)?;
            let asked = read(&fields)?;
            assign(tx, &id, &asked)?;
            let site = store::get(tx, &id)?.ok_or_else(missing)?;
            Ok::<_, Problem>(SiteShown::of(tx, site)?)
        })
        .await?;
    Ok(private(NO_CACHE, Json(site)).into_response())
}

/// `POST /v1/sites/{site}/transfer`: offers a site to another account. `201`, or `200` if it was so before.
///
/// # Errors
/// In this order: `unauthorized`, `not_found` and `forbidden`, `idempotency_mismatch`, `invalid_request`, `frozen`.
async fn offer_site(
    State(app): State<App>,
    caller: Caller,
    named: Named,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<Response, Problem> {
    let site = site_of(named)?;
    let requested = Requested::new(&caller, "POST", &format!("/v1/sites/{site}/transfer"), &headers, &body);
    app.db
        .write("accounts::offer_site", move |tx| {
            check_known(tx, &caller, &site)?;
            requested.answer_once(tx, |tx| {
                let Fields(fields) = extract::parse(&body)?;
                let mut errors = fields::unknown(&fields, &["to"]);
                let to = required::<AccountRef>(&fields, "to", &mut errors);
                let offered =
                    transfer::offer(tx, &site, &fields::complete(to, errors)?).map_err(explained)?;
                match offered.change {
                    Change::Unchanged => Answer::ok(&offered),
                    Change::Offered | Change::Withdrawn => Answer::created(&offered),
                }
            })
        })
        .await
        .map(idempotent::respond)
}

/// `DELETE /v1/sites/{site}/transfer`: takes an offer back; without one nothing changes.
///
/// # Errors
/// In this order: `unauthorized`, `not_found` and `forbidden`.
async fn withdraw_site(State(app): State<App>, caller: Caller, named: Named) -> Result<Response, Problem> {
    let site = site_of(named)?;
    let offered = app
        .db
        .write("accounts::withdraw_site", move |tx| {
            check_known(tx, &caller, &site)?;
            transfer::withdraw(tx, &site).map_err(explained)
        })
        .await?;
    Ok(private(NO_CACHE, Json(offered)))
}

/// `POST /v1/sites/{site}/transfer/accept`: hands a site over to the account that it is offered to.
///
/// # Errors
/// In this order: `unauthorized`, `not_found` and `forbidden`, `idempotency_mismatch`, `invalid_request`, `frozen`,
/// `holds_open` while something of it is held.
async fn accept_site(
    State(app): State<App>,
    caller: Caller,
    named: Named,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<Response, Problem> {
    let site = site_of(named)?;
    let requested =
        Requested::new(&caller, "POST", &format!("/v1/sites/{site}/transfer/accept"), &headers, &body);
    app.db
        .write("accounts::accept_site", move |tx| {
            check_known(tx, &caller, &site)?;
            requested.answer_once(tx, |tx| {
                fields::nothing(&body)?;
                Answer::ok(&transfer::accept(tx, &site).map_err(explained)?)
            })
        })
        .await
        .map(idempotent::respond)
}

/// [`check_site`], and refuses sites that were never heard of.
fn check_known(tx: &mut Tx<'_>, caller: &Caller, site: &SiteId) -> Result<(), Problem> {
    check_site(tx, caller, site)?;
    store::get(tx, site)?.map(drop).ok_or_else(missing)
}

/// What an administrator may know of a name that says nothing.
fn explained(error: account::Error) -> Problem {
    match error {
        account::Error::Site(error) => error.into(),
        error => error.into(),
    }
}

/// What is to become of a site.
struct Asked {
    account: Field<AccountRef>,
    client: Field<ClientId>,
    label: Field<String>,
}

fn assign(tx: &mut Tx<'_>, site: &SiteId, asked: &Asked) -> Result<(), Problem> {
    let account = match &asked.account {
        Field::Clear => {
            let known = store::get(tx, site)?.ok_or_else(missing)?;
            // Taken away already: the same request again changes nothing.
            if known.account.is_some() {
                release_site(tx, site).map_err(explained)?;
            }
            return Ok(());
        }
        Field::Set(account) => store::open(tx, account)?,
        Field::Keep => store::owned(tx, site)?,
    };
    store::assign(tx, site, &account, &asked.client, &asked.label)?;
    Ok(())
}

fn read(fields: &Map<String, Value>) -> Result<Asked, Problem> {
    let mut errors = fields::unknown(fields, &["account", "client", "label"]);
    let account = field(fields, "account", &mut errors, |text: &str| text.parse().map(Field::Set));
    let client = field(fields, "client", &mut errors, parse_client);
    let label = field(fields, "label", &mut errors, parse_label);
    if account == Field::Clear {
        for (name, is_set) in
            [("client", matches!(client, Field::Set(_))), ("label", matches!(label, Field::Set(_)))]
        {
            if is_set {
                errors.push(Fault::new(format!("/{name}"), "a site without an account has none"));
            }
        }
    }
    fields::complete(Some(Asked { account, client, label }), errors)
}

/// A field to be kept if it is not there, and taken away by `null`.
fn field<T, E: std::fmt::Display>(
    fields: &Map<String, Value>,
    name: &str,
    errors: &mut Vec<Fault>,
    parse: impl FnOnce(&str) -> Result<Field<T>, E>,
) -> Field<T> {
    if fields.get(name).is_some_and(Value::is_null) {
        return Field::Clear;
    }
    let Some(text) = optional::<String>(fields, name, errors) else { return Field::Keep };
    parse(&text).unwrap_or_else(|error| {
        errors.push(Fault::new(format!("/{name}"), error));
        Field::Keep
    })
}
