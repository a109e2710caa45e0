//! `reconcile`: compares the shops' orders with the books.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::output::{Column, Page, Rows, count, or_dash};
use super::values::Since;
use super::{DryRun, Failure, Session, package, progress};
use crate::app;
use crate::catalog;
use crate::db::Db;
use crate::order::apply::Rules;
use crate::reconcile::report::{DIFFERENCES_MAX, Report};
use crate::reconcile::{self, Error, Step, Window};
use crate::shop::rest::{Clients, Patience};
use crate::shop::store as shops;
use crate::shop::{Store, StoreName};

#[derive(Args, Debug)]
#[command(after_help = "\
It reads the orders from the shop, finds those no webhook told of, refunds that were deleted
and orders that are gone, and books what differs. It may run while the daemon serves. Stopped
in the middle, it goes on from there when it is run again within an hour.

Exit status 1 if anything is missing or too much afterwards, or an order could not be read.

Examples:
  nivella-wallet reconcile
  nivella-wallet reconcile --store shop --since 2026-11-01 --dry-run
  nivella-wallet reconcile --all             also finds refunds deleted on old orders")]
pub(super) struct Options {
    /// Only this shop [default: every shop with REST keys]
    #[arg(long)]
    store: Option<StoreName>,
    /// Orders changed since then: 30d, 12h or 2026-11-20
    #[arg(long, value_name = "TIME", default_value = "35d")]
    since: Since,
    /// All orders, however old
    #[arg(long, conflicts_with = "since")]
    all: bool,
    #[command(flatten)]
    dry_run: DryRun,
}

/// How long a sweep by somebody else is waited for.
const WAIT_MAX: Duration = Duration::from_mins(2);
/// How often is looked whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(500);

pub(super) fn run(options: Options, session: &mut Session<'_>) -> Result<(), Failure> {
    let Options { store, since, all, dry_run } = options;
    let db = session.existing()?;
    let db = &db;
    let now = db.clock().now();
    let window = if all { Window::ALL } else { Window::since(since.from(now)) };
    if window.since.is_some_and(|since| since > now) {
        return Err(Failure::usage("--since lies in the future").with_help("write when to begin, like 30d"));
    }
    let stores = db.read(|tx| match &store {
        Some(name) => Ok::<_, shops::Error>(vec![package::find(tx, name)?]),
        None => Ok(shops::list(tx)?.into_iter().filter(|store| store.has_rest_keys).collect()),
    })?;
    if stores.is_empty() {
        return Err(
            Failure::refused("no store has REST keys, so none can be read").with_help(package::GIVE_KEYS)
        );
    }
    let rules = Arc::new(app::rules(&session.config));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut items, mut failed) = (Vec::new(), Vec::new());
    let is_one = stores.len() == 1;
    for shop in stores {
        let sweep = Sweep { db, rules: &rules, shop: &shop, window, dry_run };
        match runtime.block_on(sweep.until_stopped(session)) {
            Ok(report) => items.push(Item::Compared(Box::new(report))),
            Err(Stopped::Asked) => {
                show(session, is_one, &items, dry_run)?;
                return Err(Failure::refused(format!("stopped while store {} was read", shop.name))
                    .with_help(
                        "what was done stays; run the same command within an hour and it goes on from there",
                    ));
            }
            // One shop that does not answer keeps no other from being read.
            Err(Stopped::Failed(failure)) => {
                let (error, remedy) = failure.says();
                let (error, remedy) = (error.to_owned(), remedy.map(str::to_owned));
                items.push(Item::Failed { store: shop.name, error, remedy });
                failed.push(failure);
            }
        }
    }
    show(session, is_one, &items, dry_run)?;
    match failed.pop() {
        Some(failure) if is_one => Err(failure),
        Some(_) => Err(Failure::refused(format!(
            "{} of {} could not be compared",
            failed.len() + 1,
            count(items.len() as u64, "store", "stores")
        ))),
        None if items.iter().all(Item::is_right) => Ok(()),
        None => Err(Failure::fault_shown()),
    }
}

/// What became of one store.
#[derive(Serialize)]
#[serde(untagged)]
enum Item {
    /// It was compared.
    Compared(Box<Report>),
    /// It was not, or not to the end.
    Failed {
        store: StoreName,
        /// Why not.
        error: String,
        /// What to do about it.
        remedy: Option<String>,
    },
}

impl Item {
    fn is_right(&self) -> bool {
        matches!(self, Self::Compared(report) if report.counts.is_right())
    }
}

/// One shop to be swept.
struct Sweep<'a> {
    db: &'a Db,
    rules: &'a Arc<Rules>,
    shop: &'a Store,
    window: Window,
    dry_run: DryRun,
}

/// Why a sweep did not come to its end.
enum Stopped {
    /// Somebody asked for it.
    Asked,
    /// It failed.
    Failed(Failure),
}

impl<E: Into<Failure>> From<E> for Stopped {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Sweep<'_> {
    async fn until_stopped(&self, session: &Session<'_>) -> Result<Report, Stopped> {
        let bar = progress::counter(session, "orders read");
        let is_talkative = !session.quiet && !session.out.is_json();
        let swept = tokio::select! {
            swept = self.when_free(&bar, is_talkative) => swept,
            asked = app::stop_asked() => {
                asked?;
                return Err(Stopped::Asked);
            }
        };
        bar.finish_and_clear();
        swept
    }

    /// Sweeps once nobody else does.
    async fn when_free(&self, bar: &indicatif::ProgressBar, is_talkative: bool) -> Result<Report, Stopped> {
        let Self { db, rules, shop, window, dry_run } = self;
        let clients = Clients::new(Patience::default(), db.clock().clone());
        let mut tell = |Step { doing, done, total }: Step| progress::follow(bar, doing, done, total);
        if dry_run.dry_run {
            return Ok(reconcile::try_out(db, &clients, rules, shop, *window, &mut tell).await?);
        }
        // Whoever compares by hand has mended something, perhaps: what failed is asked again without a pause.
        let id = shop.id;
        db.write("cli::ask_again", move |tx| catalog::store::hasten(tx, id, None)).await?;
        let mut waited = Duration::ZERO;
        loop {
            match reconcile::run(db, &clients, rules, shop, *window, &mut tell).await {
                Err(Error::Busy { .. }) if waited < WAIT_MAX => {
                    if waited.is_zero() && is_talkative {
                        bar.suspend(|| {
                            writeln!(io::stderr(), "waiting: store {} is being reconciled already", shop.name)
                        })?;
                    }
                    tokio::time::sleep(LOOK_EVERY).await;
                    waited += LOOK_EVERY;
                }
                done => return Ok(done?),
            }
        }
    }
}

fn show(session: &mut Session<'_>, is_one: bool, items: &[Item], dry_run: DryRun) -> Result<(), Failure> {
    // People read of the one store that failed as the command's error.
    let is_told = is_one && matches!(items, [] | [Item::Failed { .. }]);
    if is_told && !session.out.is_json() {
        return Ok(());
    }
    session.out.show_changes(items, dry_run.dry_run, |page| {
        for item in items {
            match item {
                Item::Compared(report) => lines(page, report),
                Item::Failed { store, error, remedy } => {
                    let named = error.strip_prefix(&format!("store {store}: ")).unwrap_or(error);
                    page.line(format!("store {store}: failed: {named}"));
                    if let Some(remedy) = remedy {
                        page.line(format!("  what to do: {remedy}"));
                    }
                }
            }
        }
    })
}

/// Says how many of `all` are not among the `named`.
fn and_more(page: &mut Page, all: u64, named: usize) {
    let more = all.saturating_sub(named as u64);
    if more > 0 {
        page.line(format!("  and {more} more"));
    }
}

fn lines(page: &mut Page, report: &Report) {
    let Report { store, counts, waiting, unread_orders, differences, .. } = report;
    if let Some(differences) = differences.as_ref().filter(|differences| !differences.is_empty()) {
        let mut rows = Rows::new(&[
            ("ORDER", Column::Number),
            ("LINE", Column::Number),
            ("WHAT", Column::Text),
            ("BOOKED", Column::Number),
            ("SHOULD BE", Column::Number),
        ]);
        for one in differences {
            rows.row([
                one.order.to_string(),
                or_dash(one.line),
                one.what.clone(),
                or_dash(one.booked),
                or_dash(one.should_be),
            ]);
        }
        page.table(&rows);
        if differences.len() == DIFFERENCES_MAX {
            page.line(format!("these are the first {DIFFERENCES_MAX} differences"));
        }
        page.gap();
    }
    page.line(format!("store {store}: {}", counts.line()));
    if report.resumed {
        page.line("it went on with a run that was cut off");
    }
    if counts.parked > 0 {
        page.line(format!("{}; `nivella-wallet order list --attention` has all of them:", {
            count(counts.parked, "order waits", "orders wait")
        }));
        for one in waiting {
            page.line(format!("  order {}: {}", one.order, one.reason));
        }
        and_more(page, counts.parked, waiting.len());
    }
    if counts.unread > 0 {
        page.line(format!("{} not be read or booked:", {
            count(counts.unread, "order could", "orders could")
        }));
        for one in unread_orders {
            page.line(format!("  order {}: {}", or_dash(one.order.as_ref()), one.reason));
        }
        and_more(page, counts.unread, unread_orders.len());
    }
}
