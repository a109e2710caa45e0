//! Reading wallets: `/v1/wallets/{wallet}` and what lies under it.
//!
//! `{wallet}` is `me`, `account:ACC` or `site:SITE`. What the caller may not see, what belongs to nobody,
//! what was never heard of and what is no name at all are answered alike: not found. That is decided before
//! anything else about a request is looked at.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query as Pairs, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::App;
use super::openapi::Routes;
use super::openapi::operation::{Operation, Tag};
use super::problem::{Code, Problem};
use super::query::Query;
use crate::access::{Caller, Own};
use crate::db::{self, Changes, Tx};
use crate::feed::activity::{self, Filter};
use crate::feed::usage::{self, By, Group};
use crate::feed::{Ground, Kept, List, Wallet, grants, page, wallet};
use crate::id::SiteId;
use crate::ledger::LockedAccount;
use crate::ledger::store::{Shown, settle};
use crate::time::Timestamp;

/// How many lines of an export are in memory at a time.
const EXPORT_LINES: usize = 1000;

/// How long a feed may be shown without asking again: a page that is reloaded in a hurry asks once.
const FEED_CACHE: HeaderValue = HeaderValue::from_static("private, max-age=15");

/// Balances and histories are somebody's own and true for a moment.
pub(super) const NO_CACHE: HeaderValue = HeaderValue::from_static("private, no-store");

pub(super) type WalletPath = Result<Path<String>, PathRejection>;
pub(super) type QueryPairs = Pairs<Vec<(String, String)>>;

/// What can be read of wallets.
pub fn routes() -> Routes {
    let operation = |summary| Operation::new(Tag::Wallets, summary).wallet();
    let refusals = &[Code::NotFound, Code::InvalidRequest];
    let grant_status = grants::Status::ALL.map(grants::Status::as_str);
    Routes::new()
        .get(
            "/v1/wallets/{wallet}",
            show,
            operation("A wallet's numbers")
                .answers::<wallet::Numbers>(200, "The wallet.", example())
                .refuses(refusals),
        )
        .get(
            "/v1/wallets/{wallet}/feed",
            show_feed,
            operation("All that a wallet page needs, in one answer")
                .describe("In the words of customers. With `If-None-Match` and nothing new the answer is 304.")
                .header("If-None-Match", false, "The `ETag` of the answer that is there already.")
                .answers::<page::Page<'_>>(200, "The wallet and what a page shows beside it.", feed_example())
                .with_header("ETag", "Changes when something else than the time does.")
                .with_header("Cache-Control", "`private, max-age=15`")
                .answers_empty(304, "What is there already is still true.")
                .with_header("ETag", "The one that was sent.")
                .refuses(refusals),
        )
        .get(
            "/v1/wallets/{wallet}/activity",
            list_activity,
            operation("The history, newest first; all of it as CSV, oldest first")
                .describe("With `Accept: text/csv` the answer is a file of all lines; `limit` and `cursor` are for JSON.")
                .query_word("kind", "Only lines of this kind.", &activity::KINDS.map(Shown::as_str))
                .query::<SiteId>("site", "Only lines of this site.")
                .range()
                .pages()
                .answers::<List<activity::Line>>(
                    200,
                    "A page of lines.",
                    json!({ "items": [line_example()], "next_cursor": null }),
                )
                .also("text/csv", "at,kind,label,credits,site,order\n2026-11-20T16:00:00Z,usage,Answered 42 visitor questions,-42,site-123,\n")
                .refuses(refusals),
        )
        .get(
            "/v1/wallets/{wallet}/usage",
            sum_usage,
            operation("What was used, in sums")
                .describe("The last 30 days unless `from` and `to` say otherwise; net of what was given back. What has no name is summed under `null`.")
                .range()
                .query_word("by", "How long each span is; a day unless said.", &["day", "week", "month"])
                .query_word("group", "What sums are told apart by.", &["action", "site", "agent"])
                .answers::<Sums>(
                    200,
                    "The sums that are not 0.",
                    json!({ "items": [{ "from": "2026-11-20T00:00:00Z", "to": "2026-11-21T00:00:00Z", "action": "answer", "credits": "42" }] }),
                )
                .refuses(refusals),
        )
        .get(
            "/v1/wallets/{wallet}/grants",
            list_grants,
            operation("Where credits came from, and what became of them")
                .query_word("status", "Only grants that stand so.", &grant_status)
                .pages()
                .answers::<List<grants::Grant>>(
                    200,
                    "A page of grants, newest first. `reason` is there for `admin` keys only.",
                    json!({ "items": [grant_example()], "next_cursor": null }),
                )
                .refuses(refusals),
        )
}

/// Sums of what was used.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "UsageSums")]
struct Sums {
    /// In order of time, then of name.
    items: Vec<usage::Sum>,
}

// Examples -------------------------------------------------------------------------------------------

/// A wallet as it may be answered.
fn example() -> Value {
    json!({
        "wallet": "site:site-123", "unit": "AI Credits", "as_of": "2026-11-20T16:00:00Z",
        "account": { "id": "acc_01a1fa67730b778aa2ec748e9839efc7", "name": "Alice Doe" },
        "site": { "id": "site-123", "label": "Shop", "client": "acme" },
        "available": "1250", "posted": "1300", "held": "50", "frozen": "0", "debt": "0", "used": "700", "total": "2000",
        "recurring": { "balance": "0", "cap": "0", "renews_at": null }, "top_up": { "balance": "1250" },
        "status": "ok", "mode": "normal",
        "breakdown": [{
            "grant": "gr_01a1fa67730b778aa2ec748e9839efc7", "category": "paid", "label": "AI Credits 2,000",
            "scope": "site", "amount": "2000", "remaining": "1250", "held": "50",
            "effective_at": "2026-11-01T10:00:00Z", "expires_at": null, "order": "1234"
        }]
    })
}

fn line_example() -> Value {
    json!({ "at": "2026-11-20T16:00:00Z", "kind": "usage", "label": "Answered 42 visitor questions", "credits": "-42",
            "site": "site-123" })
}

fn feed_example() -> Value {
    let mut feed = example();
    let more = json!({
        "activity": [line_example()],
        "usage": {
            "by_day": [{ "from": "2026-11-20T00:00:00Z", "to": "2026-11-21T00:00:00Z", "credits": "42" }],
            "by_action": [{ "action": "Answered 42 visitor questions", "credits": "42" }]
        },
        "packages": [{ "product_id": 10, "name": "AI Credits 1,000", "credits": "1000", "url": "https://shop.example/product/credits" }],
        "runway": { "days": 12, "low": 9, "high": 16 },
        "expiring": [{ "at": "2027-11-21T00:00:00Z", "credits": "1250", "label": "AI Credits 2,000" }],
        "alerts": [{ "level": "20%", "status": "low" }],
        "links": { "top_up": "https://shop.example/credits", "docs": null }
    });
    if let (Value::Object(feed), Value::Object(more)) = (&mut feed, more) {
        feed.extend(more);
    }
    feed
}

/// A grant as it may be answered.
pub(super) fn grant_example() -> Value {
    json!({
        "id": "gr_01a1fa67730b778aa2ec748e9839efc7", "status": "active", "category": "paid", "priority": 30,
        "label": "AI Credits 2,000", "granted_at": "2026-11-01T10:00:00Z", "effective_at": "2026-11-01T10:00:00Z",
        "expires_at": null, "voided_at": null, "order": "1234", "credits": "2000", "granted": "2000",
        "remaining": "1250", "held": "50", "spent": "700", "reversed": "0", "expired": "0", "clawed": "0",
        "voided": "0", "adjusted": "0", "repaid": "0",
        "slices": [{ "scope": "site", "remaining": "1250", "held": "50" }]
    })
}

// Handlers -------------------------------------------------------------------------------------------

/// Reads the wallet `named`, if there is one for `caller`, as it is now. What its plans have brought by now is
/// booked before, so that no reader is shown less than the next debit finds.
///
/// # Errors
/// `not_found`, `try_again`, and what `work` refuses.
pub(super) async fn read<T: Send>(
    app: &App,
    caller: &Caller,
    named: WalletPath,
    mut work: impl FnMut(&mut Tx<'_>, &Wallet) -> Result<T, Problem> + Send,
) -> Result<T, Problem> {
    let Ok(Path(name)) = named else { return Err(missing()) };
    if let Some(answer) = read_once(app, caller, &name, Some(&app.kept), &mut work).await? {
        return Ok(answer);
    }
    // Somebody wrote what was kept while the rest was read: all of it is read together.
    read_once(app, caller, &name, None, &mut work).await?.ok_or_else(Problem::try_again)
}

fn missing() -> Problem {
    Problem::not_found().with_detail("there is no such wallet in the scope of this API key")
}

/// [`read`] with what is `kept` of the wallet's surroundings; `None` if that was written meanwhile.
async fn read_once<T: Send>(
    app: &App,
    caller: &Caller,
    name: &str,
    kept: Option<&Kept>,
    work: &mut (impl FnMut(&mut Tx<'_>, &Wallet) -> Result<T, Problem> + Send),
) -> Result<Option<T>, Problem> {
    let named = match name {
        "me" => None,
        name => Some(name.parse().map_err(|_| missing())?),
    };
    let key = kept.and_then(|_| key(name, caller));
    let (changes, key) = (app.db.changes(), key.as_deref());
    let known = kept.zip(key).zip(changes).and_then(|((kept, key), changes)| kept.around(key, changes));
    let moment = changes.map(Changes::moment);
    let find = |tx: &mut Tx<'_>| {
        if let Some(known) = &known {
            return wallet::reopen(tx, caller, &known.around)?.ok_or_else(missing);
        }
        let found = match &named {
            None => wallet::own(tx, caller)?,
            Some(named) => wallet::find(tx, caller, named)?,
        };
        let mut wallet = found.ok_or_else(missing)?;
        if let (Some(kept), Some(key), Some(moment)) = (kept, key, moment) {
            kept.keep_around(key, moment, Arc::clone(wallet.surround(tx)?));
        }
        Ok(wallet)
    };
    let read = app.db.read(|tx| {
        let wallet = find(tx)?;
        if wallet.is_due(tx.now()) { Ok(Err(wallet.account().clone())) } else { work(tx, &wallet).map(Ok) }
    });
    let answer = match read? {
        Ok(answer) => answer,
        Err(due) => {
            app.db
                .write("wallets::read", move |tx| LockedAccount::lock(tx, &due).map(drop))
                .await
                .map_err(Problem::from)?;
            app.db.read(|tx| {
                let wallet = find(tx)?;
                work(tx, &wallet)
            })?
        }
    };
    if let (Some(known), Some(changes)) = (&known, changes) {
        app.db.look()?;
        return Ok(known.are_true(changes).then_some(answer));
    }
    Ok(Some(answer))
}

/// What a wallet is kept by: the name it is asked for by; for what a client's key calls `me` one that nobody can ask for.
fn key<'a>(name: &'a str, caller: &Caller) -> Option<Cow<'a, str>> {
    if name != "me" {
        let is_name = name.starts_with("account:") || name.starts_with("site:");
        return is_name.then_some(name.into());
    }
    Some(match caller.own()? {
        Own::Account(account) => format!("account:{account}").into(),
        Own::Site(site) => format!("site:{site}").into(),
        Own::Client(account, client) => format!("client:{account}/{client}").into(),
    })
}

/// `GET /v1/wallets/{wallet}`: its numbers.
///
/// # Errors
/// `not_found`, `try_again`.
async fn show(
    State(app): State<App>,
    caller: Caller,
    named: WalletPath,
    Pairs(pairs): QueryPairs,
) -> Result<Response, Problem> {
    let query = Query::new(pairs, &[]);
    let numbers = read(&app, &caller, named, |tx, wallet| {
        query.check()?;
        Ok(wallet.numbers(tx, &app.feed)?)
    })
    .await?;
    Ok(private(NO_CACHE, Json(numbers)))
}

/// `GET /v1/wallets/{wallet}/feed`: all that a wallet page needs, or 304 if it has that already.
///
/// # Errors
/// `not_found`, `try_again`.
async fn show_feed(
    State(app): State<App>,
    caller: Caller,
    named: WalletPath,
    Pairs(pairs): QueryPairs,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let changes = app.db.changes();
    let key = named.as_ref().ok().and_then(|Path(name)| key(name, &caller)).map(Cow::into_owned);
    let is_plain = pairs.is_empty();
    let query = Query::new(pairs, &[]);
    if let (true, Some(key), Some(changes)) = (is_plain, &key, changes) {
        let answer = match app.kept.page(key, &caller, changes, app.db.clock().now()) {
            None => spent_feed(&app, &caller, key, changes)?,
            found => found,
        };
        if let Some(answer) = answer {
            return feed_response(&headers, &answer);
        }
    }
    let moment = changes.map(Changes::moment);
    let (answer, read) = read(&app, &caller, named, |tx, wallet| {
        query.check()?;
        let (ground, unsettled) = Ground::read(tx, wallet)?;
        let answer = ground.answer(&app.feed, &unsettled, tx.now()).map_err(|error| broken(&error))?;
        Ok((answer, (Arc::new(ground), unsettled)))
    })
    .await?;
    let response = feed_response(&headers, &answer);
    if let (Some(key), Some(changes), Some(moment)) = (&key, changes, moment) {
        app.kept.keep_page(key, moment, &read.0, answer);
        app.kept.keep_ground(key, changes, moment, read);
    }
    response
}

/// The feed of a wallet to which nothing but debits has happened since it was read, if that is known: with what they
/// left in the row of its account, which the writer has told or is read.
fn spent_feed(
    app: &App,
    caller: &Caller,
    key: &str,
    changes: &Changes,
) -> Result<Option<page::Answer>, Problem> {
    let Some(known) = app.kept.ground(key, caller, changes, app.db.clock().now()) else { return Ok(None) };
    let (moment, ground) = (changes.moment(), &known.ground);
    let (unsettled, now) = if let Some(unsettled) = known.unsettled(changes) {
        (unsettled, app.db.clock().now())
    } else {
        let read = |tx: &mut Tx<'_>| Ok((settle::unsettled(tx, ground.account())?, tx.now()));
        let (unsettled, now) = app.db.read::<_, db::Error>(read)?;
        let unsettled = Arc::new(unsettled);
        // What another program has written meanwhile may be in one of them and not in the other.
        app.db.look()?;
        known.keep_unsettled(changes, moment, &unsettled);
        (unsettled, now)
    };
    // Asked last: what settled it would have emptied the slot after saying here that the tables are other ones.
    if !known.are_true(changes, now) || !ground.takes(&unsettled) {
        return Ok(None);
    }
    let answer = ground.answer(&app.feed, &unsettled, now).map_err(|error| broken(&error))?;
    app.kept.keep_page(key, moment, ground, answer.clone());
    Ok(Some(answer))
}

/// The page, or 304 if the caller has it already.
fn feed_response(headers: &HeaderMap, answer: &page::Answer) -> Result<Response, Problem> {
    let tag = HeaderValue::from_maybe_shared(answer.tag()).map_err(|error| broken(&error))?;
    let mut response = if has_already(headers, &tag) {
        private(FEED_CACHE, StatusCode::NOT_MODIFIED)
    } else {
        let json = HeaderValue::from_static("application/json");
        private(FEED_CACHE, ([(header::CONTENT_TYPE, json)], answer.body()))
    };
    response.headers_mut().insert(header::ETAG, tag);
    Ok(response)
}

/// `GET /v1/wallets/{wallet}/activity`: the history; all of it at once as CSV, if that is asked for.
///
/// `limit` and `cursor` are for pages; an export has none.
///
/// # Errors
/// `invalid_request`, `not_found`, `try_again`.
async fn list_activity(
    State(app): State<App>,
    caller: Caller,
    named: WalletPath,
    Pairs(pairs): QueryPairs,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut query = Query::new(pairs, &["kind", "site", "from", "to", "limit", "cursor"]);
    let filter = Filter {
        kind: query.take_word("kind", &activity::KINDS.map(Shown::as_str), activity::kind),
        site: query.take("site", str::parse),
        from: query.take("from", str::parse),
        to: query.take("to", str::parse),
    };
    let limit = query.take_limit();
    let before = query.take("cursor", |cursor| activity::begin(Some(cursor))).unwrap_or(i64::MAX);
    if wants_csv(&headers) {
        let (wallet, last) = read(&app, &caller, named, |tx, wallet| {
            query.check()?;
            let last = activity::newest_place(tx, wallet)?;
            Ok((wallet.clone(), last))
        })
        .await?;
        return Ok(export(app, wallet, filter, last));
    }
    let list = read(&app, &caller, named, |tx, wallet| {
        query.check()?;
        Ok(activity::page(tx, wallet, &filter, before, limit)?)
    })
    .await?;
    Ok(private(NO_CACHE, Json(list)))
}

/// Sends the lines up to the place `last` as CSV, some at a time; a reader that is slow slows only itself.
fn export(app: App, wallet: Wallet, filter: Filter, last: i64) -> Response {
    struct Progress {
        app: App,
        wallet: Wallet,
        filter: Filter,
        last: i64,
        /// The place of the last line sent; `None` before the header, and before everything else.
        after: Option<i64>,
        done: bool,
    }
    let begin = Progress { app, wallet, filter, last, after: None, done: false };
    let chunks = futures_util::stream::try_unfold(begin, async |mut at: Progress| {
        if at.done {
            return Ok::<_, ExportFailed>(None);
        }
        let lines = at.app.db.read(|tx| {
            let after = at.after.unwrap_or(0);
            activity::forward(tx, &at.wallet, &at.filter, after, at.last, EXPORT_LINES)
        })?;
        let chunk = activity::csv(&lines, at.after.is_none())?;
        at.done = lines.len() < EXPORT_LINES;
        at.after = Some(lines.last().map_or(at.last, |line| line.place));
        Ok(Some((Bytes::from(chunk), at)))
    });
    let csv = HeaderValue::from_static("text/csv; charset=utf-8");
    let file = HeaderValue::from_static("attachment; filename=\"activity.csv\"");
    let headers = [(header::CONTENT_TYPE, csv), (header::CONTENT_DISPOSITION, file)];
    private(NO_CACHE, (headers, Body::from_stream(chunks)))
}

/// Why an export stopped in the middle: the connection is cut, so that nobody takes half for the whole.
#[derive(Debug, thiserror::Error)]
enum ExportFailed {
    #[error(transparent)]
    Database(#[from] db::Error),
    #[error(transparent)]
    Csv(#[from] csv::Error),
}

/// `GET /v1/wallets/{wallet}/usage`: sums.
///
/// # Errors
/// `invalid_request`, `not_found`, `try_again`.
async fn sum_usage(
    State(app): State<App>,
    caller: Caller,
    named: WalletPath,
    Pairs(pairs): QueryPairs,
) -> Result<Response, Problem> {
    let mut query = Query::new(pairs, &["from", "to", "by", "group"]);
    let from = query.take::<Timestamp, _>("from", str::parse);
    let to = query.take::<Timestamp, _>("to", str::parse);
    let by = query.take_word("by", &["day", "week", "month"], By::named).unwrap_or_default();
    let group = query.take_word("group", &["action", "site", "agent"], Group::named);
    let items = read(&app, &caller, named, |tx, wallet| {
        query.check()?;
        let query = usage::Query::new(tx.now(), from, to, by, group)?;
        Ok(usage::sums(tx, wallet, &query)?)
    })
    .await?;
    Ok(private(NO_CACHE, Json(Sums { items })))
}

/// `GET /v1/wallets/{wallet}/grants`: what became of each.
///
/// # Errors
/// `invalid_request`, `not_found`, `try_again`.
async fn list_grants(
    State(app): State<App>,
    caller: Caller,
    named: WalletPath,
    Pairs(pairs): QueryPairs,
) -> Result<Response, Problem> {
    let mut query = Query::new(pairs, &["status", "limit", "cursor"]);
    let status =
        query.take_word("status", &grants::Status::ALL.map(grants::Status::as_str), grants::Status::named);
    let limit = query.take_limit();
    let before = query.take("cursor", |cursor| grants::begin(Some(cursor))).flatten();
    let list = read(&app, &caller, named, |tx, wallet| {
        query.check()?;
        let reasons = caller.is_admin();
        Ok(grants::page(tx, wallet, status, reasons, before.as_ref(), limit)?)
    })
    .await?;
    Ok(private(NO_CACHE, Json(list)))
}

impl From<usage::Error> for Problem {
    fn from(error: usage::Error) -> Self {
        match error {
            usage::Error::EmptyRange => wrong("to", &error),
            usage::Error::TooMany => wrong("from", &error),
            usage::Error::Database(error) => error.into(),
        }
    }
}

/// One parameter is wrong.
pub(super) fn wrong(name: &str, detail: &dyn std::fmt::Display) -> Problem {
    Problem::invalid(format!("/query/{name}"), detail)
}

/// What can only be a fault of this program.
fn broken(error: &dyn std::error::Error) -> Problem {
    tracing::error!(%error, "an answer could not be written: {error}");
    Problem::internal()
}

/// An answer that depends on who asked.
pub(super) fn private(cache: HeaderValue, answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, cache);
    headers.insert(header::VARY, HeaderValue::from_static("authorization, accept"));
    response
}

/// Whether the caller already has what is tagged `tag`: `If-None-Match`, compared as weak tags are.
fn has_already(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    fn opaque(tag: &str) -> &str {
        tag.strip_prefix("W/").unwrap_or(tag)
    }
    let Ok(ours) = tag.to_str().map(opaque) else { return false };
    let values = headers.get_all(header::IF_NONE_MATCH).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|theirs| theirs == "*" || opaque(theirs) == ours)
}

/// Whether the caller would rather have CSV than JSON.
fn wants_csv(headers: &HeaderMap) -> bool {
    let mut csv = 0_u32;
    let mut json = 0_u32;
    let ranges = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    for range in ranges.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default().to_ascii_lowercase();
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1000, thousandths);
        match media.as_str() {
            "text/csv" | "text/*" => csv = csv.max(weight),
            "application/json" | "application/*" => json = json.max(weight),
            _ => {}
        }
    }
    csv > 0 && csv >= json
}

/// A weight from `0` to `1`, in thousandths; what cannot be read weighs nothing.
fn thousandths(text: &str) -> u32 {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    match (whole, format!("{decimals:0<3}").get(..3).map(str::parse::<u32>)) {
        ("1", _) => 1000,
        ("0", Some(Ok(decimals))) => decimals,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_is_for_those_who_ask_for_it() {
        for (accept, csv) in [
            ("", false),
            ("*/*", false),
            ("application/json", false),
            ("text/csv", true),
            ("TEXT/CSV; charset=utf-8", true),
            ("text/csv;q=0", false),
            ("text/csv, application/json;q=0.9", true),
            ("text/csv;q=0.5, application/json", false),
            ("text/html,application/xhtml+xml,*/*;q=0.8", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            assert_eq!(wants_csv(&headers), csv, "{accept:?}");
        }
    }

    #[test]
    fn a_tag_is_found_in_a_list_and_compared_weakly() {
        for (sent, found) in [
            ("W/\"a\"", true),
            ("\"a\"", true),
            ("\"b\", W/\"a\"", true),
            ("*", true),
            ("\"b\"", false),
            ("a", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, sent.parse().unwrap());
            assert_eq!(has_already(&headers, &HeaderValue::from_static("W/\"a\"")), found, "{sent:?}");
        }
    }
}
