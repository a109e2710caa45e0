//! `order`: what was bought, why it granted what it did, and where its credits shall go.

use clap::{ArgGroup, Args, Subcommand};
use serde::Serialize;

use super::inbox::{Replayed, pruned_line, replayed, replayed_table};
use super::output::{self, Column, Page, Rows, count, minute, or_dash};
use super::values::shop_number;
use super::{DryRun, Failure, Session, package, story};
use crate::app;
use crate::catalog::store as packages;
use crate::db::{self, Db, Tx};
use crate::feed::List;
use crate::id::{AccountId, OperationId, SiteId};
use crate::inbox as deliveries_again;
use crate::inbox::store::{self as deliveries, Delivery, Pruned, State};
use crate::ledger::slice::Compartment;
use crate::order::apply::{self, Applied, Rules};
use crate::order::assign::{self, Done, Wish};
use crate::order::explain;
use crate::order::reading::{Reading, UNREADABLE};
use crate::order::remedy::Missing;
use crate::order::store::{self, Filter, Listed, Place};
use crate::shop::rest::{Access, Patience, Rest};
use crate::shop::{Store, StoreName, store as shops};
use crate::site::{self, AccountRef};
use crate::time::DAY_MS;
use crate::units::Credits;

#[derive(Subcommand, Debug)]
pub(super) enum Verb {
    /// List orders, those first that were heard of last
    #[command(after_help = "\
What comes while you page neither hides nor repeats an order.")]
    List {
        /// Only those of guests who have not claimed what is left of their credits, with their age
        #[arg(long, conflicts_with = "attention")]
        unclaimed: bool,
        /// Only those that wait for something or that a person should look at, with what to do about it
        #[arg(long)]
        attention: bool,
        /// At most so many
        #[arg(long, default_value = "50", value_parser = clap::value_parser!(i64).range(1..=10_000))]
        limit: i64,
        /// Go on where this one of the answer before says
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Tell why an order granted what it did: its lines, its credits, what the shop sent
    #[command(after_help = "\
Example:
  nivella-wallet order explain shop 1234")]
    Explain {
        /// The shop
        store: StoreName,
        /// The order's id in the shop
        #[arg(value_parser = shop_number)]
        order: i64,
    },
    /// Send an order's unspent credits to a site, to the pool, or to another account
    #[command(after_help = "\
What is unspent moves, lots kept; what open holds have set aside stays where it is. The order's
later credits go there too, until the order itself names another site or another customer.
A site must belong to the order's account: to bring an order to somebody else's site, name both.

Examples:
  nivella-wallet order assign shop 1234 --site site-123
  nivella-wallet order assign shop 1234 --pool
  nivella-wallet order assign shop 1234 --account shop:customer:7 --site site-123 --dry-run")]
    Assign(Box<Assign>),
    /// Apply an order's deliveries and what the shop shows of it once more
    #[command(after_help = "\
What is in the books already changes nothing, so a second replay changes nothing. A store with
REST keys is asked, also about an order it never told of.

Example:
  nivella-wallet order replay shop 1234 --dry-run")]
    Replay {
        /// The shop
        store: StoreName,
        /// The order's id in the shop
        #[arg(value_parser = shop_number)]
        order: i64,
        #[command(flatten)]
        dry_run: DryRun,
    },
}

#[derive(Args, Debug)]
#[command(group = ArgGroup::new("wish").required(true).multiple(true).args(["site", "pool", "account"]))]
pub(super) struct Assign {
    /// The shop
    store: StoreName,
    /// The order's id in the shop
    #[arg(value_parser = shop_number)]
    order: i64,
    /// To this site of its account
    #[arg(long, conflicts_with = "pool")]
    site: Option<SiteId>,
    /// To the account's pool, for all of its sites
    #[arg(long)]
    pool: bool,
    /// To this account: `acc_…`, STORE:customer:ID or STORE:email:ADDRESS; opened if new
    #[arg(long, value_name = "ACC")]
    account: Option<AccountRef>,
    #[command(flatten)]
    dry_run: DryRun,
}

pub(super) fn run(verb: Verb, session: &mut Session<'_>) -> Result<(), Failure> {
    match verb {
        Verb::List { unclaimed, attention, limit, cursor } => {
            let filter = match (unclaimed, attention) {
                (true, _) => Filter::Unclaimed,
                (_, true) => Filter::Attention,
                _ => Filter::All,
            };
            list(session, filter, limit, cursor.as_deref())
        }
        Verb::Explain { store, order } => explain(session, &store, order),
        Verb::Assign(options) => assign(session, *options),
        Verb::Replay { store, order, dry_run } => replay(session, &store, order, dry_run),
    }
}

/// The list's name in its cursors.
const LIST: &str = "orders";

/// An order as it is listed for people who look after it.
#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    listed: Listed,
    /// Whole days since it was first heard of.
    age_days: i64,
    /// The guest whose account it is, as stores name them; only in a list of guests' orders.
    #[serde(skip_serializing_if = "Option::is_none")]
    known_as: Option<String>,
    /// What to do about what it needs; only in a list of those that need something.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<Vec<Missing>>,
    /// The same in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

fn list(session: &mut Session<'_>, filter: Filter, limit: i64, cursor: Option<&str>) -> Result<(), Failure> {
    let after = output::begin(LIST, cursor)?.unwrap_or(Place::START);
    let rules = app::rules(&session.config);
    let rows = session.read(|tx| {
        let now = tx.now();
        let mut rows = Vec::new();
        for listed in store::list(tx, filter, after, limit + 1)? {
            let age_days = (now.millis() - listed.first_seen_at.millis()).max(0) / DAY_MS;
            let missing = match filter {
                Filter::Attention => Some(missing(tx, &rules, &listed)?),
                Filter::All | Filter::Unclaimed | Filter::Parked => None,
            };
            let known_as = match (filter, &listed.account) {
                (Filter::Unclaimed, Some(account)) => known_as(tx, account)?,
                _ => None,
            };
            let remedy = missing.as_deref().and_then(all_remedies);
            rows.push(Row { listed, age_days, known_as, missing, remedy });
        }
        Ok::<_, Failure>(rows)
    })?;
    let list = output::cut(LIST, rows, limit, |row| row.listed.place);
    let empty = match filter {
        Filter::All => "no orders yet",
        Filter::Unclaimed => "no order waits to be claimed",
        Filter::Attention | Filter::Parked => "no order waits for anything",
    };
    session.out.page(&list, empty, |page| match filter {
        Filter::All => all(page, &list),
        Filter::Unclaimed => unclaimed(page, &list),
        Filter::Attention | Filter::Parked => attention(page, &list),
    })
}

/// What stores call an account.
fn known_as(tx: &mut Tx<'_>, account: &AccountId) -> Result<Option<String>, db::Error> {
    let names = site::store::account(tx, account)?.map(|account| account.names).unwrap_or_default();
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    Ok((!names.is_empty()).then(|| names.join(", ")))
}

/// The remedies in one sentence, each once.
fn all_remedies(missing: &[Missing]) -> Option<String> {
    let mut remedies: Vec<&str> = Vec::new();
    for each in missing {
        if !remedies.contains(&each.remedy.as_str()) {
            remedies.push(&each.remedy);
        }
    }
    (!remedies.is_empty()).then(|| remedies.join("; "))
}

/// What a listed order is missing, if it can be told.
fn missing(tx: &mut Tx<'_>, rules: &Rules, listed: &Listed) -> Result<Vec<Missing>, Failure> {
    let Some(shop) = shops::by_id(tx, listed.place.store())? else { return Ok(Vec::new()) };
    match explain::story(tx, &shop, rules, listed.order) {
        Ok(story) => Ok(story.map(|story| story.missing).unwrap_or_default()),
        // One order that cannot be read hides no other.
        Err(db::Error::Column { .. }) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

fn all(page: &mut Page, list: &List<Row>) {
    let mut rows = Rows::new(&[
        ("STORE", Column::Id),
        ("ORDER", Column::Number),
        ("STATUS", Column::Text),
        ("CREDITS", Column::Number),
        ("BUYER", Column::Text),
        ("CHANGED (UTC)", Column::Id),
        ("NEEDS", Column::Text),
    ]);
    for Row { listed: order, .. } in &list.items {
        rows.row([
            order.store.clone(),
            order.order.to_string(),
            order.status.clone(),
            order.credits.to_string(),
            or_dash(order.name.as_ref()),
            minute(order.modified_at),
            or_dash(order.attention.as_ref().or(order.parked.as_ref())),
        ]);
    }
    page.table(&rows);
}

fn unclaimed(page: &mut Page, list: &List<Row>) {
    let mut rows = Rows::new(&[
        ("STORE", Column::Id),
        ("ORDER", Column::Number),
        ("STATUS", Column::Text),
        ("UNCLAIMED", Column::Number),
        ("OF", Column::Number),
        ("GUEST", Column::Text),
        ("KNOWN AS", Column::Text),
        ("ACCOUNT", Column::Id),
        ("AGE", Column::Text),
        ("SINCE (UTC)", Column::Id),
    ]);
    for Row { listed: order, age_days, known_as, .. } in &list.items {
        rows.row([
            order.store.clone(),
            order.order.to_string(),
            order.status.clone(),
            order.remaining.to_string(),
            order.credits.to_string(),
            or_dash(order.name.as_ref()),
            or_dash(known_as.as_ref()),
            or_dash(order.account.as_ref()),
            count(age_days.unsigned_abs(), "day", "days"),
            minute(order.first_seen_at),
        ]);
    }
    page.table(&rows);
}

fn attention(page: &mut Page, list: &List<Row>) {
    let mut rows = Rows::new(&[
        ("STORE", Column::Id),
        ("ORDER", Column::Number),
        ("STATUS", Column::Text),
        ("CREDITS", Column::Number),
        ("NEEDS", Column::Text),
        ("WHAT TO DO", Column::Text),
    ]);
    for Row { listed: order, remedy, missing, .. } in &list.items {
        // What the shop answered since it waits says more than why it began to.
        let step = |wanted: &[&str]| {
            let mut found = missing.iter().flatten().filter(|each| wanted.contains(&each.step));
            found.next().map(|each| &each.what)
        };
        let waits = order.parked.as_ref().map(|parked| step(&["product", "worth"]).unwrap_or(parked));
        rows.row([
            order.store.clone(),
            order.order.to_string(),
            order.status.clone(),
            order.credits.to_string(),
            or_dash(order.attention.as_ref().or(waits).or_else(|| step(&["shop"]))),
            or_dash(remedy.as_ref()),
        ]);
    }
    page.table(&rows);
}

fn explain(session: &mut Session<'_>, name: &StoreName, order: i64) -> Result<(), Failure> {
    let rules = app::rules(&session.config);
    let story = session.read(|tx| {
        let shop = package::find(tx, name)?;
        match explain::story(tx, &shop, &rules, order)? {
            Some(story) => Ok(story),
            None => Err(unheard_of(tx, &shop, order)?),
        }
    })?;
    session.out.show(&story, |page| story::tell(page, &story))
}

/// What to say of an order that was never read.
fn unheard_of(tx: &mut Tx<'_>, shop: &Store, order: i64) -> Result<Failure, Failure> {
    let of_order = deliveries::of_order(tx, shop.id, order)?;
    if !of_order.is_empty() {
        return Ok(never_read(&shop.name, order, &of_order));
    }
    let name = &shop.name;
    let failure = Failure::refused(format!("store {name} never told of order {order}"));
    let ask = if shop.has_rest_keys {
        format!("`nivella-wallet order replay {name} {order}` asks the shop for it")
    } else {
        "save the order once in the shop: that sends it again".to_owned()
    };
    Ok(match deliveries::newest(tx, shop.id)? {
        None => failure.with_help(format!(
            "nothing ever came from this store: either its webhooks are not set up, or they are signed with another \
             secret, and then each is refused and the daemon's log says so; `nivella-wallet store show {name}` says what \
             to set in the shop. Then {ask}"
        )),
        Some(at) => failure.with_help(format!(
            "the store's last delivery came at {} UTC. If the order is younger, look at the webhooks in the shop (paused, \
             disabled, another address or secret: refused deliveries stand in the daemon's log); if it is older, its \
             delivery was lost. {ask}",
            minute(at)
        )),
    })
}

/// How many deliveries an error names: the newest say best what is wrong.
const NAMED_MAX: usize = 3;

/// What to say of an order that deliveries name, of which none told what is in it.
fn never_read(name: &StoreName, order: i64, deliveries: &[Delivery]) -> Failure {
    let named: Vec<String> = deliveries
        .iter()
        .rev()
        .take(NAMED_MAX)
        .map(|delivery| {
            let reason = delivery.reason.as_deref().unwrap_or("no reason is known");
            format!("{} ({}, {}): {reason}", delivery.id, delivery.topic, delivery.state.as_str())
        })
        .collect();
    let failed = deliveries.iter().rev().find(|delivery| delivery.state == State::Failed);
    let failure = Failure::refused(format!(
        "store {name} told of order {order}, but what is in it could not be read: {}",
        named.join("; ")
    ));
    match failed {
        Some(failed) => failure.with_help(format!(
            "`nivella-wallet inbox show {}` shows what came; once the cause is gone, `nivella-wallet inbox replay` or save the \
             order in the shop",
            failed.id
        )),
        None => failure.with_help("save the order once in the shop: that tells its present state"),
    }
}

fn assign(session: &mut Session<'_>, options: Assign) -> Result<(), Failure> {
    let Assign { store, order, site, pool, account, dry_run } = options;
    let place = site.map(Compartment::Site).or_else(|| pool.then_some(Compartment::Pool));
    let rules = app::rules(&session.config);
    let done = session.change("cli::order_assign", dry_run, move |tx| {
        let shop = package::find(tx, &store)?;
        let operation = OperationId::new();
        let done = assign::assign(tx, &shop, &rules, order, &Wish { account, place }, operation.as_str())?;
        if done.parked.is_none() {
            deliveries::unpark(tx, shop.id, order)?;
        }
        Ok::<_, Failure>(done)
    })?;
    session.out.show_change(&done, dry_run.dry_run, |page| {
        let Done { order, account, place, moved, held_elsewhere, places, .. } = &done;
        let to = match place.as_deref() {
            Some("pool") => "the pool".to_owned(),
            Some(site) => format!("site {site}"),
            None => "where it says".to_owned(),
        };
        let whose = account.as_ref().map_or_else(|| "whoever buys it".to_owned(), ToString::to_string);
        page.line(format!("order {order} goes to {to}, for {whose}; {moved} unspent credits moved"));
        if !held_elsewhere.is_zero() {
            page.line(format!(
                "open holds have set aside {}, which stay where they are; what comes back of them comes back there",
                held_elsewhere.in_words()
            ));
        }
        for lying in places {
            let at = lying.site.as_ref().map_or("pool", |site| site.as_str());
            page.line(format!("  {} at {at} of {}", lying.remaining, lying.account));
        }
        for reason in done.parked.iter().chain(&done.attention) {
            page.line(format!("it still needs: {reason}"));
        }
    })
}

impl From<assign::Error> for Failure {
    fn from(error: assign::Error) -> Self {
        use assign::Error as E;
        let message = error.to_string();
        match error {
            E::UnknownOrder { store, order } => Self::refused(message)
                .with_help(format!("`nivella-wallet order explain {store} {order}` says what may be wrong")),
            E::NoAccount(_) => {
                Self::refused(message).with_help("name the account too: --account ACC --site SITE")
            }
            E::NotTheirs { site, account, owner: None, .. } => Self::refused(message).with_help(format!(
                "`nivella-wallet site assign {site} --account {account}` first: it belongs to nobody"
            )),
            E::NotTheirs { site, account, owner: Some(owner), .. } => Self::refused(message).with_help(format!(
                "--account {owner} --site {site} hands the order to the site's owner; else take the site from them with \
                 `nivella-wallet site unassign {site}`, then `nivella-wallet site assign {site} --account {account}`"
            )),
            E::Account(error) => error.into(),
            E::Apply(error) => error.into(),
        }
    }
}

/// What an order has granted and needs, to see whether a replay changed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Stand {
    status: Option<String>,
    account: Option<AccountId>,
    credits: Credits,
    parked: Option<String>,
    attention: Option<String>,
}

/// What asking the shop brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "asked", rename_all = "snake_case")]
enum Asked {
    /// The store has no REST keys.
    Not,
    /// It showed the order.
    Shown,
    /// It has the order no more, or never had it.
    Gone,
    /// It did not answer.
    Failed { error: String },
}

/// What replaying an order did.
#[derive(Serialize)]
struct Report {
    store: StoreName,
    order: String,
    replayed: u64,
    failed: u64,
    pruned: Pruned,
    /// The deliveries that did something.
    items: Vec<Replayed>,
    shop: Asked,
    /// What applying the newest state did, and why it did no more.
    result: &'static str,
    reason: Option<String>,
    before: Stand,
    after: Stand,
    changed: bool,
}

/// A part of a replay: what the deliveries did.
#[derive(Default)]
struct Again {
    replayed: u64,
    failed: u64,
    items: Vec<Replayed>,
}

impl Again {
    /// Applies the next kept delivery of the order; answers its place, or nothing after the last.
    fn step(
        &mut self,
        tx: &mut Tx<'_>,
        shop: &Store,
        rules: &Rules,
        order: i64,
        after: i64,
    ) -> Result<Option<i64>, Failure> {
        let Some(kept) = deliveries::next_of_order(tx, shop.id, order, after)? else { return Ok(None) };
        let done = deliveries_again::replay_or_set_aside(tx, shop, rules, &kept)?;
        self.replayed += 1;
        self.failed += u64::from(done.state == State::Failed);
        self.items.extend(replayed(kept.id.clone(), kept.topic.clone(), kept.state, done));
        Ok(Some(kept.seq))
    }
}

fn stand(tx: &mut Tx<'_>, shop: &Store, order: i64) -> Result<Stand, Failure> {
    let known = store::find(tx, shop.id, order)?;
    let credits = store::lines(tx, shop.id, order)?.iter().map(|line| line.booked).sum();
    Ok(match known {
        Some(known) => Stand {
            status: Some(known.order.status),
            account: known.account,
            credits,
            parked: known.parked,
            attention: known.attention,
        },
        None => Stand { status: None, account: None, credits, parked: None, attention: None },
    })
}

fn replay(session: &mut Session<'_>, name: &StoreName, order: i64, dry_run: DryRun) -> Result<(), Failure> {
    let db = session.existing()?;
    let db = &db;
    let (shop, access, before, pruned) = db.read(|tx| {
        let shop = package::find(tx, name)?;
        let access = shops::access(tx, shop.id)?;
        let before = stand(tx, &shop, order)?;
        let pruned = deliveries::pruned(tx, None, Some((shop.id, order)))?;
        if before.status.is_none() && access.is_none() && deliveries::of_order(tx, shop.id, order)?.is_empty()
        {
            return Err(unheard_of(tx, &shop, order)?);
        }
        Ok::<_, Failure>((shop, access, before, pruned))
    })?;
    let rules = app::rules(&session.config);
    let (again, read, applied, after);
    if dry_run.dry_run {
        // Everything happens in one transaction that is taken back, so the shop is asked before it.
        read = ask(access, db, order);
        let reading = read.1.clone();
        let (of, rules) = (shop.clone(), rules.clone());
        (again, applied, after) = db.write_blocking("cli::order_replay", dry_run.keep(), move |tx| {
            let mut again = Again::default();
            let mut place = 0;
            while let Some(next) = again.step(tx, &of, &rules, order, place)? {
                place = next;
            }
            let asked_at = tx.now();
            let reading = reading.map(|reading| Reading { asked_at, ..reading });
            let applied = finish(tx, &of, &rules, order, reading.as_ref())?;
            let after = stand(tx, &of, order)?;
            Ok::<_, Failure>((again, applied, after))
        })?;
    } else {
        let mut all = Again::default();
        let mut place = 0;
        // Each is a transaction of its own, as when it came.
        loop {
            let (of, rules) = (shop.clone(), rules.clone());
            let (next, step) = db.write_blocking("cli::order_replay", dry_run.keep(), move |tx| {
                let mut step = Again::default();
                let next = step.step(tx, &of, &rules, order, place)?;
                Ok::<_, Failure>((next, step))
            })?;
            all.replayed += step.replayed;
            all.failed += step.failed;
            all.items.extend(step.items);
            match next {
                Some(next) => place = next,
                None => break,
            }
        }
        again = all;
        read = ask(access, db, order);
        let reading = read.1.clone();
        let (of, rules) = (shop.clone(), rules.clone());
        (applied, after) = db.write_blocking("cli::order_replay_newest", dry_run.keep(), move |tx| {
            let applied = finish(tx, &of, &rules, order, reading.as_ref())?;
            packages::hasten(tx, of.id, Some(order))?;
            Ok::<_, Failure>((applied, stand(tx, &of, order)?))
        })?;
    }
    let (result, reason) = match applied {
        Ok(applied) => (applied.outcome.as_str(), applied.reason),
        Err(refusal) => ("failed", Some(refusal)),
    };
    let report = Report {
        store: shop.name,
        order: order.to_string(),
        replayed: again.replayed,
        failed: again.failed,
        pruned,
        items: again.items,
        shop: read.0,
        result,
        reason,
        changed: before != after,
        before,
        after,
    };
    if report.after.status.is_none() && report.replayed == 0 && report.shop == Asked::Gone {
        let Report { store, order, .. } = &report;
        return Err(Failure::refused(format!(
            "store {store} never told of order {order}, and the shop has none"
        ))
        .with_help("write the order's id in the shop, which is not always the number customers read"));
    }
    session.out.show_change(&report, dry_run.dry_run, |page| tell_replay(page, &report))?;
    let is_asked = !matches!(report.shop, Asked::Failed { .. });
    let is_read = !report.reason.as_deref().is_some_and(|reason| reason.starts_with(UNREADABLE));
    if report.failed == 0 && is_asked && is_read && result != "failed" {
        Ok(())
    } else {
        Err(Failure::fault_shown())
    }
}

/// Asks the shop for the order, if it can be asked.
fn ask(access: Option<Access>, db: &Db, order: i64) -> (Asked, Option<Reading>) {
    let Some(access) = access else { return (Asked::Not, None) };
    let asked_at = db.clock().now();
    let failed = |error: &dyn std::fmt::Display| (Asked::Failed { error: error.to_string() }, None);
    let rest = match Rest::new(access, Patience::default(), db.clock().clone()) {
        Ok(rest) => rest,
        Err(error) => return failed(&error),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    match runtime.block_on(rest.whole_order(order)) {
        Ok(shown) => {
            let asked = if shown.is_some() { Asked::Shown } else { Asked::Gone };
            (asked, Some(Reading { order_id: order, asked_at, shown }))
        }
        Err(error) => failed(&error),
    }
}

/// Books what the shop showed, if it was asked, then the newest state; the ledger's refusal is in the inner answer.
fn finish(
    tx: &mut Tx<'_>,
    shop: &Store,
    rules: &Rules,
    order: i64,
    reading: Option<&Reading>,
) -> Result<Result<Applied, String>, Failure> {
    let applied = tx.attempt(|tx| {
        let shown = reading.map(|reading| reading.apply(tx, shop, rules)).transpose()?;
        let newest = apply::again(tx, shop, rules, order, OperationId::new().as_str())?;
        // What the shop's answer did says more than that nothing was left to do after it.
        Ok::<_, apply::Error>(match shown {
            Some(shown) if matches!(shown.outcome.as_str(), "granted" | "clawed_back") => shown,
            Some(shown) if shown.reason.is_some() && newest.reason.is_none() => {
                Applied { reason: shown.reason, ..newest }
            }
            _ => newest,
        })
    });
    match applied {
        Ok(applied) => {
            if applied.outcome != apply::Outcome::Parked {
                deliveries::unpark(tx, shop.id, order)?;
            }
            Ok(Ok(applied))
        }
        Err(apply::Error::Ledger(refusal)) => Ok(Err(refusal.to_string())),
        Err(apply::Error::Database(error)) => Err(error.into()),
    }
}

fn tell_replay(page: &mut Page, report: &Report) {
    replayed_table(page, &report.items);
    page.line(format!(
        "{} of order {} replayed, {} failed",
        count(report.replayed, "delivery", "deliveries"),
        report.order,
        report.failed
    ));
    pruned_line(page, &report.pruned);
    match &report.shop {
        Asked::Not => page.line("the shop was not asked: the store has no REST keys"),
        Asked::Shown => page.line("the shop was asked and showed the order"),
        Asked::Gone => page.line("the shop was asked and has no such order"),
        Asked::Failed { error } => page.line(format!("the shop was asked and did not answer: {error}")),
    }
    let Report { before, after, .. } = report;
    if report.changed {
        let status = |stand: &Stand| stand.status.clone().unwrap_or_else(|| "unknown".to_owned());
        page.line(format!(
            "changed: {} with {}, before {} with {}",
            status(after),
            after.credits.in_words(),
            status(before),
            before.credits
        ));
    } else {
        page.line(format!("nothing changed: {} booked", after.credits.in_words()));
    }
    for reason in after.parked.iter().chain(&after.attention) {
        page.line(format!("it needs: {reason}"));
    }
    if let Some(reason) = report
        .reason
        .as_ref()
        .filter(|reason| !after.parked.iter().chain(&after.attention).any(|said| said == *reason))
    {
        page.line(reason);
    }
}
