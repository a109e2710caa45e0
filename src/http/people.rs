//! `/v1/accounts` and `/v1/sites`: who there is and what they have, for those who look after them.

use axum::Json;
use axum::extract::{Query as Pairs, State};
use axum::response::Response;
use http::HeaderMap;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::debits::LABEL_CHARS_MAX;
use super::extract::{self, Fields, Named, Raw};
use super::fields::{self, optional, whole_to};
use super::idempotent::{self, Requested};
use super::openapi::Routes;
use super::openapi::operation::{Field, OWN, Operation, Tag};
use super::problem::{Code, Problem};
use super::query::Query;
use super::wallets::{NO_CACHE, private};
use super::{App, admin};
use crate::access::{Caller, Own, Subject};
use crate::account::claim;
use crate::account::list::{self, Asked, Begin, Filter, Sort};
use crate::db::{self, Tx};
use crate::feed::wallet::Wallet;
use crate::feed::{self, List, Settings, cursor, wallet};
use crate::id::{AccountId, ClientId, SiteId};
use crate::idempotency::Answer;
use crate::ledger::LockedAccount;
use crate::ledger::position::Status;
use crate::site::{Account, AccountRef, Site, WalletRef, store};
use crate::time::{DAY_MS, Timestamp};
use crate::units::Credits;

/// People and their sites.
pub fn routes() -> Routes {
    let refusals = &[Code::NotFound];
    let of_account = |summary| {
        Operation::new(Tag::Accounts, summary).path::<AccountRef>(
            "account",
            "The account.",
            "shop:customer:17",
        )
    };
    let by_hand = |summary, said| {
        of_account(summary)
            .once()
            .takes(
                vec![Field::line("reason", "Why, for the shop.", 1, LABEL_CHARS_MAX)],
                json!({ "reason": said }),
            )
            .answers::<Shown>(200, "The account.", shown_example())
            .refuses(&[Code::Forbidden, Code::NotFound])
    };
    Routes::new()
        .get(
            "/v1/accounts",
            list,
            Operation::new(Tag::Accounts, "Finds accounts")
                .describe(
                    "With what each has. Accounts that are part of another one are left out. In the order of balances one that \
                     spends meanwhile moves; else rows written meanwhile neither hide nor repeat one.",
                )
                .query_text("query", "Part of an id, a name or a name in a store, in any case.", QUERY_CHARS_MAX)
                .query_word("filter", "Which; all unless said. A guest's is known by addresses only.", &Filter::NAMES)
                .query_word("sort", "In which order; as they were opened unless said. With `-`, the other way round.", &Sort::NAMES)
                .pages()
                .answers::<People>(
                    200,
                    "A page of accounts.",
                    json!({ "items": [listed_example()], "next_cursor": null, "prev_cursor": null, "total": 1 }),
                )
                .refuses(refusals),
        )
        .get(
            "/v1/accounts/{account}",
            show,
            of_account("An account, what it has, and its sites")
                .describe("Instead of one that was merged, what it is part of now. Why it is frozen is there for `admin` keys only.")
                .scopes(OWN)
                .answers::<Shown>(200, "The account.", shown_example())
                .refuses(refusals),
        )
        .post("/v1/accounts/{account}/freeze", freeze, by_hand("Freezes an account", "chargeback")
            .describe("Its credits stay and open holds finish; nothing new can be spent. For one that is frozen only the reason changes."))
        .post("/v1/accounts/{account}/unfreeze", unfreeze, by_hand("Lets a frozen account spend again", "settled")
            .describe("For one that is not frozen nothing changes."))
        .post(
            "/v1/accounts/{account}/claim-link",
            claim_link,
            of_account("Makes a link with which a guest's credits can be claimed, once")
                .describe("For guests' accounts: the credits of a registered customer are there when they sign in.")
                .once()
                .may_take(
                    vec![
                        Field::literal("expires_in_days", "How long it is good; 30 unless said.", json!({
                            "type": ["integer", "null"], "minimum": 1, "maximum": DAYS_MAX
                        })),
                        Field::optional::<String>("store", "To which store it leads, where several know the guest."),
                    ],
                    json!({ "expires_in_days": 30 }),
                )
                .answers::<ClaimLink>(
                    201,
                    "The link, and the token that it carries.",
                    json!({
                        "token": "acc_01a1fa67730b778aa2ec748e9839efc7.1797897600000.-HfUyf0hK", "expires_at": "2026-12-20T16:00:00Z",
                        "url": "https://shop.example/?nivella_claim=acc_01a1fa67730b778aa2ec748e9839efc7.1797897600000.-HfUyf0hK"
                    }),
                )
                .refuses(&[Code::Forbidden, Code::NotFound, Code::AlreadyClaimed]),
        )
        .get(
            "/v1/sites",
            list_sites,
            Operation::new(Tag::Accounts, "Finds sites")
                .describe("By id, with what each can spend. An account's key finds its own.")
                .scopes(OWN)
                .query::<AccountRef>("account", "Only sites of this account.")
                .query::<ClientId>("client", "Only sites an agency runs for this client.")
                .query_text("query", "Part of an id, a label or a client, in any case.", QUERY_CHARS_MAX)
                .pages()
                .answers::<List<SiteListed>>(
                    200,
                    "A page of sites.",
                    json!({
                        "items": [{
                            "id": "site-123", "label": "Alice's shop", "client": "acme",
                            "account": { "id": "acc_01a1fa67730b778aa2ec748e9839efc7", "name": "Alice Doe" }, "uses_pool": true,
                            "from_order": null, "offer": null, "created_at": "2026-11-20T16:00:00Z", "available": "1250"
                        }],
                        "next_cursor": null
                    }),
                )
                .refuses(refusals),
        )
}

/// The longest text that is looked for, in characters.
const QUERY_CHARS_MAX: usize = 254;

/// The longest a claim link is good, in days.
const DAYS_MAX: i64 = 365;

/// How long a claim link is good unless said, in days.
const DAYS: i64 = 30;

fn listed_example() -> Value {
    json!({
        "id": "acc_01a1fa67730b778aa2ec748e9839efc7", "name": "Alice Doe", "names": ["shop:customer:17"],
        "time_zone": "UTC", "default_site": null, "frozen_reason": null, "site_count": 1, "merged_into": null,
        "erased_at": null, "created_at": "2026-11-20T16:00:00Z", "available": "1250", "debt": "0", "used": "700",
        "status": "ok"
    })
}

fn shown_example() -> Value {
    let mut shown = listed_example();
    shown["sites"] =
        json!([{ "id": "site-123", "label": "Alice's shop", "client": "acme", "available": "1250" }]);
    shown["freeze"] = Value::Null;
    shown
}

/// An account, and what it has.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AccountListed")]
struct Listed {
    #[serde(flatten)]
    account: Account,
    /// What can be spent now.
    available: Credits,
    /// What is owed because credits that were taken back had been spent.
    debt: Credits,
    /// What was used in this cycle, less what was given back.
    used: Credits,
    /// How it stands.
    status: Status,
}

/// A page of accounts.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AccountList")]
struct People {
    /// The accounts of this page.
    items: Vec<Listed>,
    /// Where the next page begins; nothing on the last one.
    next_cursor: Option<String>,
    /// Where the page before begins; nothing on the first one.
    prev_cursor: Option<String>,
    /// How many there are on all pages.
    total: i64,
}

/// An account, what it has, and its sites.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AccountShown")]
struct Shown {
    #[serde(flatten)]
    listed: Listed,
    /// Its sites, by id.
    sites: Vec<OwnSite>,
    /// Why and since when it is frozen, if it is.
    freeze: Option<Freeze>,
}

/// A site of an account.
#[derive(Debug, Serialize, JsonSchema)]
struct OwnSite {
    /// What the customer calls it.
    id: SiteId,
    /// A name for people.
    label: Option<String>,
    /// The client it is run for.
    client: Option<ClientId>,
    /// What can be spent for it now, its account's pool included while it may use that.
    available: Credits,
}

/// A freeze.
#[derive(Debug, Serialize, JsonSchema)]
struct Freeze {
    /// Why, for the shop; nothing for the account's own key.
    reason: Option<String>,
    /// Since when; nothing if that was not written down.
    at: Option<Timestamp>,
}

/// A link with which a guest's credits can be claimed.
#[derive(Debug, Serialize, JsonSchema)]
struct ClaimLink {
    /// What the link carries, and `POST /v1/claims` takes.
    token: String,
    /// From when it is good for nothing.
    expires_at: Timestamp,
    /// The link to the front page of the guest's shop.
    url: String,
}

/// A site, and what it can spend.
#[derive(Debug, Serialize, JsonSchema)]
struct SiteListed {
    #[serde(flatten)]
    site: Site,
    /// What can be spent for it now, its account's pool included while it may use that; nothing if nobody has it.
    available: Option<Credits>,
}

// Reading --------------------------------------------------------------------------------------------

/// Answers about wallets as they are now: what their plans have brought is booked before, so that nobody is shown less
/// than the next debit finds.
async fn current<F: Send, T: Send>(
    app: &App,
    find: impl Fn(&mut Tx<'_>) -> Result<(F, Vec<Wallet>), Problem> + Send + Sync,
    answer: impl Fn(&mut Tx<'_>, F, Vec<Wallet>) -> Result<T, Problem> + Send + Sync,
) -> Result<T, Problem> {
    let read = app.db.read(|tx| {
        let (found, wallets) = find(tx)?;
        let now = tx.now();
        let due: Vec<AccountId> = wallets
            .iter()
            .filter(|wallet| wallet.is_due(now))
            .map(|wallet| wallet.account().clone())
            .collect();
        if due.is_empty() { answer(tx, found, wallets).map(Ok) } else { Ok::<_, Problem>(Err(due)) }
    })?;
    let due = match read {
        Ok(answer) => return Ok(answer),
        Err(due) => due,
    };
    for account in due {
        app.db
            .write("people::current", move |tx| LockedAccount::lock(tx, &account).map(drop))
            .await
            .map_err(Problem::from)?;
    }
    app.db.read(|tx| {
        let (found, wallets) = find(tx)?;
        answer(tx, found, wallets)
    })
}

fn wallet_of(tx: &mut Tx<'_>, account: &AccountId) -> Result<Wallet, db::Error> {
    wallet::open(tx, &WalletRef::Account(account.clone().into()))?.ok_or(db::Error::NoRow)
}

impl Listed {
    fn of(tx: &mut Tx<'_>, wallet: &Wallet, settings: &Settings) -> Result<Self, db::Error> {
        let account = store::account(tx, wallet.account())?.ok_or(db::Error::NoRow)?;
        let feed::wallet::Numbers { available, debt, used, status, .. } = wallet.numbers(tx, settings)?;
        Ok(Self { account, available, debt, used, status })
    }
}

/// `GET /v1/accounts`: accounts whose id, name or name in a store contains the query, and what they have.
///
/// # Errors
/// `not_found`, `invalid_request`, `try_again`.
async fn list(
    State(app): State<App>,
    caller: Caller,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    admin::check(&caller, || Ok(false))?;
    let mut query = Query::new(pairs, &["query", "filter", "sort", "limit", "cursor"]);
    let words = query.take("query", words);
    let filter = query.take_word("filter", &Filter::NAMES, Filter::named).unwrap_or_default();
    let mut order = "created".to_owned();
    let sort = query.take_word("sort", &Sort::NAMES, |name| {
        name.clone_into(&mut order);
        Sort::named(name)
    });
    // A cursor is a place in one order only.
    let name = format!("accounts {order}");
    let limit = query.take_limit();
    let begin = query.take("cursor", |text| cursor::read::<Begin>(&name, text));
    query.check()?;
    let asked = Asked { query: words, filter, sort: sort.unwrap_or_default(), begin, limit };
    let find = |tx: &mut Tx<'_>| {
        let page = list::page(tx, &asked)?;
        let wallets = page.places.iter().map(|place| wallet_of(tx, &place.account));
        let wallets = wallets.collect::<Result<Vec<_>, _>>()?;
        Ok((page, wallets))
    };
    let people = current(&app, find, |tx, page, wallets| {
        let items = wallets.iter().map(|wallet| Listed::of(tx, wallet, &app.feed));
        let items = items.collect::<Result<Vec<_>, _>>()?;
        let write = |begin: Begin| cursor::write(&name, &begin.to_string());
        let (next_cursor, prev_cursor) = (page.next().map(write), page.previous().map(write));
        Ok(People { items, next_cursor, prev_cursor, total: page.total })
    });
    Ok(private(NO_CACHE, Json(people.await?)))
}

/// What is looked for.
fn words(text: &str) -> Result<String, String> {
    match text.chars().count() {
        0..=QUERY_CHARS_MAX => Ok(text.trim().to_owned()),
        _ => Err(format!("has at most {QUERY_CHARS_MAX} characters")),
    }
}

fn missing() -> Problem {
    Problem::not_found().with_detail("there is no such account in the scope of this API key")
}

/// The account a path names, as it is now, for an administrator or with its own key.
fn own_account(tx: &mut Tx<'_>, caller: &Caller, named: &AccountRef) -> Result<AccountId, Problem> {
    let account = store::resolve(tx, named)?.ok_or_else(missing)?;
    let account = store::follow(tx, &account)?;
    if caller.is_owner_of(&account) { Ok(account) } else { Err(missing()) }
}

/// `GET /v1/accounts/{account}`.
///
/// # Errors
/// `not_found`, `invalid_request`, `try_again`.
async fn show(
    State(app): State<App>,
    caller: Caller,
    named: Named,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let named: AccountRef = extract::named(named).map_err(|_| missing())?;
    let query = Query::new(pairs, &[]);
    let find = |tx: &mut Tx<'_>| {
        let account = own_account(tx, &caller, &named)?;
        query.check()?;
        Ok(((), vec![wallet_of(tx, &account)?]))
    };
    let shown = current(&app, find, |tx, (), wallets| {
        let mut shown = None;
        for wallet in &wallets {
            shown = Some(Shown::of(tx, wallet, &app.feed, caller.is_admin())?);
        }
        shown.ok_or_else(missing)
    });
    Ok(private(NO_CACHE, Json(shown.await?)))
}

impl Shown {
    /// Why an account is frozen is the shop's own business.
    fn of(
        tx: &mut Tx<'_>,
        wallet: &Wallet,
        settings: &Settings,
        for_the_shop: bool,
    ) -> Result<Self, db::Error> {
        let mut listed = Listed::of(tx, wallet, settings)?;
        let account = wallet.account();
        let reason = listed.account.frozen_reason.take();
        let freeze = if reason.is_some() {
            let at = store::frozen_at(tx, account)?;
            Some(Freeze { reason: reason.clone().filter(|_| for_the_shop), at })
        } else {
            None
        };
        listed.account.frozen_reason = reason.filter(|_| for_the_shop);
        let mut sites = Vec::new();
        for Site { id, label, client, .. } in store::list(tx, Some(account), None, None, i64::MAX)? {
            let available = available(tx, &id)?.unwrap_or(Credits::ZERO);
            sites.push(OwnSite { id, label, client, available });
        }
        Ok(Self { listed, sites, freeze })
    }
}

/// What can be spent for a site; nothing is said of one that nobody has.
fn available(tx: &mut Tx<'_>, site: &SiteId) -> Result<Option<Credits>, db::Error> {
    let wallet = wallet::open(tx, &WalletRef::Site(site.clone()))?;
    wallet.map(|wallet| wallet.available(tx)).transpose()
}

/// `GET /v1/sites`: sites by id, and what can be spent for them; an account's key finds its own.
///
/// # Errors
/// `not_found`, `invalid_request`, `try_again`.
async fn list_sites(
    State(app): State<App>,
    caller: Caller,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let mut query = Query::new(pairs, &["account", "client", "query", "limit", "cursor"]);
    let named = query.take("account", str::parse::<AccountRef>);
    let client = query.take("client", str::parse::<ClientId>);
    let words = query.take("query", words);
    let limit = query.take_limit();
    let after = query.take("cursor", |text| cursor::read::<SiteId>(SITES, text));
    let find = |tx: &mut Tx<'_>| {
        let account = match (&named, caller.own()) {
            (Some(named), _) => Some(own_account(tx, &caller, named)?),
            (None, _) if caller.is_admin() => None,
            (None, Some(Own::Account(own))) if caller.is_owner_of(&own) => Some(own),
            (None, _) => return Err(Problem::not_found()),
        };
        query.check()?;
        let one_more = i64::try_from(limit + 1).unwrap_or(i64::MAX);
        let words = words.as_deref().filter(|words| !words.is_empty());
        let mut sites =
            store::search(tx, account.as_ref(), client.as_ref(), words, after.as_ref(), one_more)?;
        let more = sites.len() > limit;
        sites.truncate(limit);
        let mut wallets = Vec::new();
        for owner in sites.iter().filter_map(|site| site.account.as_ref()) {
            wallets.push(wallet_of(tx, &owner.id)?);
        }
        Ok(((sites, more), wallets))
    };
    let list = current(&app, find, |tx, (sites, more), _| {
        let last = sites.last().filter(|_| more).map(|site| site.id.clone());
        let mut items = Vec::with_capacity(sites.len());
        for site in sites {
            let available = available(tx, &site.id)?;
            items.push(SiteListed { site, available });
        }
        let next_cursor = last.map(|site| cursor::write(SITES, site.as_str()));
        Ok(List { items, next_cursor })
    });
    Ok(private(NO_CACHE, Json(list.await?)))
}

/// The list's name in its cursors.
const SITES: &str = "sites";

// Acts -----------------------------------------------------------------------------------------------

/// The account, for whoever may change it; says no more than they may know.
fn to_change(tx: &mut Tx<'_>, caller: &Caller, named: &AccountRef) -> Result<AccountId, Problem> {
    let account = store::resolve(tx, named)?.ok_or_else(missing)?;
    let account = store::follow(tx, &account)?;
    let refused = admin::check(caller, || Ok(caller.may_see(&Subject::Account(&account))));
    refused.map_err(|refusal| if refusal == Problem::not_found() { missing() } else { refusal })?;
    Ok(account)
}

/// `POST /v1/accounts/{account}/freeze`: nothing new can be spent.
///
/// # Errors
/// In this order: `unauthorized`, `not_found` and `forbidden`, `idempotency_mismatch`, `invalid_request`.
async fn freeze(
    app: State<App>,
    caller: Caller,
    named: Named,
    headers: HeaderMap,
    body: Raw,
) -> Result<Response, Problem> {
    set_frozen(app, caller, named, headers, body, true).await
}

/// `POST /v1/accounts/{account}/unfreeze`: it may spend again.
///
/// # Errors
/// In this order: `unauthorized`, `not_found` and `forbidden`, `idempotency_mismatch`, `invalid_request`.
async fn unfreeze(
    app: State<App>,
    caller: Caller,
    named: Named,
    headers: HeaderMap,
    body: Raw,
) -> Result<Response, Problem> {
    set_frozen(app, caller, named, headers, body, false).await
}

async fn set_frozen(
    State(app): State<App>,
    caller: Caller,
    named: Named,
    headers: HeaderMap,
    Raw(body): Raw,
    freeze: bool,
) -> Result<Response, Problem> {
    let named: AccountRef = extract::named(named).map_err(|_| missing())?;
    let verb = if freeze { "freeze" } else { "unfreeze" };
    let requested = Requested::new(&caller, "POST", &format!("/v1/accounts/{named}/{verb}"), &headers, &body);
    let settings = app.feed.clone();
    app.db
        .write("people::set_frozen", move |tx| {
            let account = to_change(tx, &caller, &named)?;
            requested.answer_once(tx, |tx| {
                let Fields(fields) = extract::parse(&body)?;
                let mut errors = fields::unknown(&fields, &["reason"]);
                let reason = admin::reason(&fields, &mut errors);
                let reason = fields::complete(reason, errors)?;
                store::set_frozen(tx, &account, freeze.then_some(reason.as_str()))?;
                tracing::info!(%account, reason, "account {account}: {verb}");
                let wallet = wallet_of(tx, &account)?;
                Answer::ok(&Shown::of(tx, &wallet, &settings, true)?)
            })
        })
        .await
        .map(idempotent::respond)
}

/// `POST /v1/accounts/{account}/claim-link`: a link with which a guest's credits can be claimed, once.
///
/// # Errors
/// In this order: `unauthorized`, `not_found` and `forbidden`, `idempotency_mismatch`, `invalid_request`.
async fn claim_link(
    State(app): State<App>,
    caller: Caller,
    named: Named,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<Response, Problem> {
    let named: AccountRef = extract::named(named).map_err(|_| missing())?;
    let requested =
        Requested::new(&caller, "POST", &format!("/v1/accounts/{named}/claim-link"), &headers, &body);
    app.db
        .write("people::claim_link", move |tx| {
            let account = to_change(tx, &caller, &named)?;
            requested.answer_once(tx, |tx| {
                let (days, shop) = read_link(&fields::or_none(&body)?)?;
                let expires_at = tx.now().plus_millis(days * DAY_MS);
                let link = claim::link(tx, &account.into(), shop.as_deref(), expires_at, true)
                    .map_err(about_link)?;
                let claim::Link { token, expires_at, url, .. } = link;
                Answer::created(&ClaimLink { token, expires_at, url })
            })
        })
        .await
        .map(idempotent::respond)
}

fn read_link(fields: &Map<String, Value>) -> Result<(i64, Option<String>), Problem> {
    let mut errors = fields::unknown(fields, &["expires_in_days", "store"]);
    let days = match fields.get("expires_in_days") {
        None | Some(Value::Null) => Some(DAYS),
        Some(_) => whole_to(DAYS_MAX, fields, "expires_in_days", &mut errors),
    };
    let shop = optional::<String>(fields, "store", &mut errors);
    fields::complete(days, errors).map(|days| (days, shop))
}

/// Why there is no link, by what was said.
fn about_link(error: claim::Error) -> Problem {
    use claim::Error as E;
    match error {
        E::WhichStore { .. } => Problem::invalid("/store", error),
        E::Account(crate::account::Error::Site(store::Error::UnknownStore(_))) => {
            Problem::invalid("/store", "does not know this guest")
        }
        // The account itself is the wrong one: there is no field to point to.
        E::Registered(_) | E::Nameless(_) => Problem::invalid("", error),
        error => error.into(),
    }
}
