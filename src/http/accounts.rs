//! `/v1/accounts` and `/v1/sites/{site}`: who there is, and which websites belong to whom.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query as Pairs, State};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value, json};

use super::debits::optional;
use super::extract::{self, Fields, Raw};
use super::openapi::Routes;
use super::openapi::operation::{Field as Said, Operation, Tag};
use super::problem::{Code, Fault, Problem};
use super::query::Query;
use super::wallets::{NO_CACHE, private};
use super::{App, admin};
use crate::access::Caller;
use crate::account::{self, release_site};
use crate::db::Tx;
use crate::feed::{List, cursor, wallet};
use crate::id::{AccountId, ClientId, SiteId};
use crate::site::{
    Account, AccountRef, Field, LABEL_CHARS_MAX, Site, WalletRef, parse_client, parse_label, store,
};

/// Accounts and sites.
pub fn routes() -> Routes {
    let site_example = || {
        json!({
            "id": "site-123", "label": "Alice's shop", "client": "acme",
            "account": { "id": "acc_01a1fa67730b778aa2ec748e9839efc7", "name": "Alice Doe" }, "uses_pool": true,
            "from_order": { "store": "shop", "order": 29 }, "created_at": "2026-11-20T16:00:00Z"
        })
    };
    Routes::new()
        .get(
            "/v1/accounts",
            list,
            Operation::new(Tag::Accounts, "Finds accounts")
                .describe("By id. Accounts that are part of another one are left out.")
                .query_text("query", "Part of an id, a name or a name in a store, in any case.", QUERY_CHARS_MAX)
                .pages()
                .answers::<List<Account>>(
                    200,
                    "A page of accounts.",
                    json!({
                        "items": [{
                            "id": "acc_01a1fa67730b778aa2ec748e9839efc7", "name": "Alice Doe", "names": ["shop:customer:17"],
                            "time_zone": "UTC", "default_site": null, "frozen_reason": null, "site_count": 2,
                            "merged_into": null, "erased_at": null, "created_at": "2026-11-20T16:00:00Z"
                        }],
                        "next_cursor": null
                    }),
                )
                .refuses(&[Code::NotFound]),
        )
        .get(
            "/v1/sites/{site}",
            show_site,
            Operation::new(Tag::Accounts, "Whose a site is")
                .scopes(&["admin", "account"])
                .path::<SiteId>("site", "The site.", "site-123")
                .answers::<Site>(200, "The site.", site_example())
                .refuses(&[Code::NotFound, Code::InvalidRequest]),
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
                .refuses(&[Code::Forbidden, Code::NotFound, Code::SiteMismatch]),
        )
}

/// The list's name in its cursors.
const LIST: &str = "accounts";

/// The longest text that accounts are looked for by, in characters.
const QUERY_CHARS_MAX: usize = 254;

/// `GET /v1/accounts`: accounts whose id, name or name in a store contains the query, by id.
///
/// # Errors
/// `not_found`, `invalid_request`, `try_again`.
async fn list(
    State(app): State<App>,
    caller: Caller,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let mut query = Query::new(pairs, &["query", "limit", "cursor"]);
    let words = query.take("query", |text| match text.chars().count() {
        0..=QUERY_CHARS_MAX => Ok(text.trim().to_owned()),
        _ => Err(format!("has at most {QUERY_CHARS_MAX} characters")),
    });
    let limit = query.take_limit();
    let after = query.take("cursor", |text| cursor::read::<AccountId>(LIST, text));
    let list = app.db.read(|tx| {
        admin::check(&caller, || Ok(false))?;
        query.check()?;
        let one_more = i64::try_from(limit + 1).unwrap_or(i64::MAX);
        let mut items = store::accounts(tx, words.as_deref(), after.as_ref(), one_more)?;
        let more = items.len() > limit;
        items.truncate(limit);
        let last = items.last().filter(|_| more);
        let next_cursor = last.map(|account| cursor::write(LIST, account.id.as_str()));
        Ok::<_, Problem>(List { items, next_cursor })
    })?;
    Ok(private(NO_CACHE, Json(list)))
}

type SitePath = Result<Path<String>, PathRejection>;

fn site_of(named: SitePath) -> Result<SiteId, Problem> {
    let Ok(Path(named)) = named else { return Err(missing()) };
    named.parse().map_err(|_| missing())
}

fn missing() -> Problem {
    Problem::not_found().with_detail("there is no such site in the scope of this API key")
}

/// `GET /v1/sites/{site}`: a site and who owns it; an account's key reads its own.
///
/// # Errors
/// `not_found`, `invalid_request`, `try_again`.
async fn show_site(
    State(app): State<App>,
    caller: Caller,
    named: SitePath,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let site = site_of(named)?;
    let query = Query::new(pairs, &[]);
    let site = app.db.read(|tx| {
        let site = store::get(tx, &site)?.ok_or_else(missing)?;
        let is_own = |site: &Site| site.account.as_ref().is_some_and(|owner| caller.is_owner_of(&owner.id));
        if !caller.is_admin() && !is_own(&site) {
            return Err(missing());
        }
        query.check()?;
        Ok::<_, Problem>(site)
    })?;
    Ok(private(NO_CACHE, Json(site)))
}

/// `PUT /v1/sites/{site}`: gives a site to an account, takes it away, or changes its client and label. What is
/// not said stays; `null` takes away.
///
/// # Errors
/// In this order: `unauthorized`, `not_found` and `forbidden`, `invalid_request`, `site_mismatch`.
async fn set_site(
    State(app): State<App>,
    caller: Caller,
    named: SitePath,
    Raw(body): Raw,
) -> Result<Response, Problem> {
    let id = site_of(named)?;
    let site = app
        .db
        .write("accounts::set_site", move |tx| {
            let wallet = WalletRef::Site(id.clone());
            let sees = admin::check(&caller, || Ok(wallet::find(tx, &caller, &wallet)?.is_some()));
            sees.map_err(|refusal| if refusal == Problem::not_found() { missing() } else { refusal })?;
            let Fields(fields) = extract::parse(&body)?;
            let asked = read(&fields)?;
            assign(tx, &id, &asked)?;
            store::get(tx, &id)?.ok_or_else(missing)
        })
        .await?;
    Ok(private(NO_CACHE, Json(site)).into_response())
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
                release_site(tx, site).map_err(|error| match error {
                    account::Error::Site(error) => Problem::from(error),
                    error => error.into(),
                })?;
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
    let mut errors = admin::unknown(fields, &["account", "client", "label"]);
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
    admin::complete(Some(Asked { account, client, label }), errors)
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
