//! `package`: what a shop's products grant.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::output::{Column, Rows, count, or_dash};
use super::values::{shop_number, some_credits, words};
use super::{DryRun, Failure, Session, progress};
use crate::app;
use crate::catalog::store as packages;
use crate::catalog::sync::{self, Report};
use crate::catalog::worth::Basis;
use crate::catalog::{Package, Target};
use crate::db::{Db, Keep, Tx};
use crate::id::OperationId;
use crate::inbox;
use crate::ledger::slice::Category;
use crate::order::apply::Rules;
use crate::order::words;
use crate::shop::rest::{Patience, Rest};
use crate::shop::store as shops;
use crate::shop::{Store, StoreName, trouble};
use crate::time::Validity;
use crate::units::Credits;

#[derive(Subcommand, Debug)]
pub(super) enum Verb {
    /// Say how many credits a product brings
    #[command(after_help = "\
Orders that were granted keep what they got; orders that waited for this are granted at once.

Examples:
  nivella-wallet package set --store shop --product 17 --credits 1000
  nivella-wallet package set --store shop --product 17 --variation 21 --credits 5000 --expires 1y
  nivella-wallet package set --store shop --sku TOKENS-FLEX --credits-per-currency-unit 100")]
    Set(Box<Set>),
    /// List what products bring
    List {
        /// Only those of this shop
        #[arg(long)]
        store: Option<StoreName>,
    },
    /// Forget what a product brings; later orders of it wait until somebody says so again
    Remove {
        /// The shop
        #[arg(long)]
        store: StoreName,
        #[command(flatten)]
        product: Sold,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// Read the products of the Tokens categories from the shop, and name those without credits
    Sync {
        /// Only this shop [default: every shop with REST keys]
        #[arg(long)]
        store: Option<StoreName>,
        #[command(flatten)]
        dry_run: DryRun,
    },
}

#[derive(Args, Debug)]
pub(super) struct Set {
    /// The shop
    #[arg(long)]
    store: StoreName,
    #[command(flatten)]
    product: Sold,
    #[command(flatten)]
    amount: Amount,
    /// How long its credits are good: never, cycle, 30d, 3mo or 1y
    #[arg(long, value_name = "VALIDITY", default_value = "never")]
    expires: Validity,
    /// What kind of credits
    #[arg(long, default_value = "paid")]
    category: Category,
    /// What customers read, instead of the product's name
    #[arg(long, value_parser = words)]
    label: Option<String>,
    #[command(flatten)]
    dry_run: DryRun,
}

#[derive(Args, Debug)]
pub(super) struct Sold {
    /// The product's number in the shop
    #[arg(long, value_name = "ID", value_parser = shop_number, required_unless_present = "sku")]
    product: Option<i64>,
    /// One of its variations, by its number
    #[arg(long, value_name = "ID", value_parser = shop_number, requires = "product")]
    variation: Option<i64>,
    /// Whatever carries this stock keeping unit
    #[arg(long, conflicts_with_all = ["product", "variation"], value_parser = words)]
    sku: Option<String>,
}

impl Sold {
    fn target(self) -> Result<Target, Failure> {
        match (self.variation, self.product, self.sku) {
            (Some(variation), _, _) => Ok(Target::Variation(variation)),
            (None, Some(product), _) => Ok(Target::Product(product)),
            (None, None, Some(sku)) => Ok(Target::Sku(sku)),
            (None, None, None) => Err(Failure::usage("a product is missing")),
        }
    }
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Amount {
    /// How many credits one of it brings
    #[arg(long, value_parser = some_credits)]
    credits: Option<Credits>,
    /// How many credits each unit of the shop's currency brings, of what was paid without tax
    #[arg(long, value_name = "CREDITS", value_parser = some_credits)]
    credits_per_currency_unit: Option<Credits>,
}

/// A package with the field names of the command that sets it.
#[derive(Serialize)]
struct Listed {
    store: StoreName,
    target: Target,
    credits: Option<Credits>,
    credits_per_currency_unit: Option<Credits>,
    expires: String,
    /// The same in words.
    #[serde(skip)]
    good_for: String,
    category: Category,
    label: Option<String>,
}

impl Listed {
    fn new(store: StoreName, package: Package) -> Self {
        let Package { target, basis, validity, category, label } = package;
        let (credits, credits_per_currency_unit) = match basis {
            Basis::PerUnit(credits) => (Some(credits), None),
            Basis::PerCurrencyUnit(rate) => (None, Some(rate)),
        };
        Self {
            store,
            target,
            credits,
            credits_per_currency_unit,
            expires: validity.to_string(),
            good_for: words::validity_in_words(validity),
            category,
            label,
        }
    }

    /// What it brings, in words.
    fn brings(&self) -> String {
        match (self.credits, self.credits_per_currency_unit) {
            (Some(credits), _) => credits.in_words(),
            (None, rate) => format!("{} credits for each unit of currency", or_dash(rate)),
        }
    }
}

/// A package after it was set.
#[derive(Serialize)]
struct Changed {
    #[serde(flatten)]
    listed: Listed,
    change: &'static str,
    /// Orders that waited for it and wait no longer.
    orders_finished: usize,
}

#[derive(Serialize)]
struct Synced {
    store: StoreName,
    #[serde(flatten)]
    report: Report,
    /// Orders that waited for what was read and wait no longer.
    orders_finished: usize,
}

pub(super) fn run(verb: Verb, session: &mut Session<'_>) -> Result<(), Failure> {
    match verb {
        Verb::Set(options) => set(session, *options),
        Verb::List { store } => list(session, store.as_ref()),
        Verb::Remove { store, product, dry_run } => remove(session, store, product.target()?, dry_run),
        Verb::Sync { store, dry_run } => sync(session, store.as_ref(), dry_run),
    }
}

/// The store of this name, or what to say when there is none.
pub(super) fn find(tx: &mut Tx<'_>, name: &StoreName) -> Result<Store, shops::Error> {
    shops::find(tx, name)?.ok_or_else(|| shops::Error::Unknown(name.to_string()))
}

fn set(session: &mut Session<'_>, options: Set) -> Result<(), Failure> {
    let Set { store, product, amount, expires, category, label, dry_run } = options;
    let basis = match (amount.credits, amount.credits_per_currency_unit) {
        (Some(credits), _) => Basis::PerUnit(credits),
        (None, Some(rate)) => Basis::PerCurrencyUnit(rate),
        (None, None) => return Err(Failure::usage("--credits is missing")),
    };
    let package = Package { target: product.target()?, basis, validity: expires, category, label };
    let rules = app::rules(&session.config);
    let db = session.existing()?;
    let set = db.write_blocking("cli::package_set", dry_run.keep(), move |tx| {
        let shop = find(tx, &store)?;
        let change = packages::set_package(tx, shop.id, &package)?;
        if change != packages::Set::Unchanged {
            packages::retry(tx, shop.id)?;
        }
        let orders_finished = if dry_run.dry_run { try_all(tx, &shop, &rules)? } else { 0 };
        let change = match change {
            packages::Set::Added => "added",
            packages::Set::Replaced(_) => "replaced",
            packages::Set::Unchanged => "unchanged",
        };
        Ok::<_, Failure>((shop, Changed { listed: Listed::new(store, package), change, orders_finished }))
    });
    let (shop, mut changed) = set?;
    if !dry_run.dry_run {
        changed.orders_finished = retry(session, &db, &shop)?;
    }
    session.out.show_change(&changed, dry_run.dry_run, |page| {
        let Changed { listed, change, orders_finished } = &changed;
        let brings = format!("{} of store {} brings {}", listed.target, listed.store, listed.brings());
        page.line(match *change {
            "unchanged" => format!("nothing to do: {brings}"),
            _ => format!("{change}: {brings}, {}", listed.good_for),
        });
        finished(page, *orders_finished);
    })
}

/// Says how many orders went on, if any did.
pub(super) fn finished(page: &mut super::output::Page, orders: usize) {
    if orders > 0 {
        page.line(format!("{} waited for this and went on", count(orders as u64, "order", "orders")));
    }
}

/// Applies the orders of a shop that wait, some in each transaction, after something was learned or set; answers
/// how many went on. What this process does not come to is the daemon's.
pub(super) fn retry(session: &Session<'_>, db: &Db, shop: &Store) -> Result<usize, Failure> {
    let operation = OperationId::new();
    let counter = progress::counter(session, "waiting orders tried");
    let mut finished = 0;
    loop {
        let (shop, rules, operation) = (shop.clone(), app::rules(&session.config), operation.clone());
        let retried = db.write_blocking("cli::retry_parked", Keep::Effects, move |tx| {
            inbox::retry_parked(tx, &shop, &rules, operation.as_str())
        })?;
        finished += retried.finished;
        counter.inc(retried.tried as u64);
        if !retried.more {
            counter.finish_and_clear();
            return Ok(finished);
        }
    }
}

/// The same in one transaction, for a dry run: what it tries is gone at its end.
pub(super) fn try_all(tx: &mut Tx<'_>, shop: &Store, rules: &Rules) -> Result<usize, Failure> {
    let operation = OperationId::new();
    let mut finished = 0;
    loop {
        let retried = inbox::retry_parked(tx, shop, rules, operation.as_str())?;
        finished += retried.finished;
        if !retried.more {
            return Ok(finished);
        }
    }
}

fn list(session: &mut Session<'_>, store: Option<&StoreName>) -> Result<(), Failure> {
    let items = session.read(|tx| {
        let stores = match store {
            Some(name) => vec![find(tx, name)?],
            None => shops::list(tx)?,
        };
        let mut items = Vec::new();
        for store in stores {
            let name = &store.name;
            let listed = packages::packages(tx, store.id)?.into_iter();
            items.extend(listed.map(|package| Listed::new(name.clone(), package)));
        }
        Ok::<_, shops::Error>(items)
    })?;
    session.out.list(&items, "no packages yet: `nivella-wallet package set` makes one", |page| {
        let mut rows = Rows::new(&[
            ("STORE", Column::Id),
            ("PRODUCT", Column::Id),
            ("BRINGS", Column::Text),
            ("VALIDITY", Column::Text),
            ("KIND", Column::Text),
            ("LABEL", Column::Text),
        ]);
        for listed in &items {
            rows.row([
                listed.store.to_string(),
                listed.target.to_string(),
                listed.brings(),
                listed.good_for.clone(),
                listed.category.to_string(),
                or_dash(listed.label.as_ref()),
            ]);
        }
        page.table(&rows);
    })
}

fn remove(
    session: &mut Session<'_>,
    store: StoreName,
    target: Target,
    dry_run: DryRun,
) -> Result<(), Failure> {
    let removed = session.change("cli::package_remove", dry_run, move |tx| {
        let shop = find(tx, &store)?;
        let package = packages::remove_package(tx, shop.id, &target)?.ok_or_else(|| {
            Failure::refused(format!("store {store} has no package for {target}"))
                .with_help(format!("`nivella-wallet package list --store {store}` shows what there is"))
        })?;
        let listed = Listed::new(store, package);
        Ok::<_, Failure>(Changed { listed, change: "removed", orders_finished: 0 })
    })?;
    session.out.show_change(&removed, dry_run.dry_run, |page| {
        let listed = &removed.listed;
        page.line(format!(
            "removed: {} of store {} brought {}",
            listed.target,
            listed.store,
            listed.brings()
        ));
        page.line("orders that were granted keep their credits; later ones wait until a package is set");
    })
}

/// What to do about a store without REST keys.
pub(super) const GIVE_KEYS: &str =
    "`nivella-wallet store set NAME --consumer-key ck_… --consumer-secret-file FILE` gives a store its keys";

fn sync(session: &mut Session<'_>, store: Option<&StoreName>, dry_run: DryRun) -> Result<(), Failure> {
    let db = session.existing()?;
    let db = &db;
    let stores = db.read(|tx| {
        let stores = match store {
            Some(name) => vec![find(tx, name)?],
            None => shops::list(tx)?.into_iter().filter(|store| store.has_rest_keys).collect(),
        };
        let mut with_access = Vec::new();
        for store in stores {
            let access = shops::access(tx, store.id)?;
            with_access.push((store, access));
        }
        Ok::<_, shops::Error>(with_access)
    })?;
    if stores.is_empty() {
        return Err(Failure::refused("no store has REST keys, so none can be read").with_help(GIVE_KEYS));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut items = Vec::new();
    for (shop, access) in stores {
        let access = access.ok_or_else(|| {
            Failure::refused(format!("store {} has no REST keys, so it cannot be read", shop.name))
                .with_help(format!("{} gives it its keys", trouble::give_keys(&shop.name)))
        })?;
        let failed = |error: sync::Error| {
            let help = match &error {
                sync::Error::Shop(error) => trouble::remedy(error, &shop.name),
                _ => "nothing was learned from it; try again".to_owned(),
            };
            Failure::refused(format!("store {}: {error}", shop.name)).with_help(help)
        };
        let rest = Rest::new(access, Patience::default(), db.clock().clone())
            .map_err(|error| failed(error.into()))?;
        let counter = progress::counter(session, "products read");
        let read = sync::sync(&rest, db, &shop, dry_run.keep(), |step| {
            counter.set_position(step.read);
            if let Some(total) = step.total {
                counter.set_length(total);
            }
        });
        let report = runtime.block_on(read).map_err(failed)?;
        counter.finish_and_clear();
        if !dry_run.dry_run {
            let id = shop.id;
            db.write_blocking("cli::ask_again", Keep::Effects, move |tx| packages::hasten(tx, id, None))?;
        }
        let orders_finished = if dry_run.dry_run { 0 } else { retry(session, db, &shop)? };
        items.push(Synced { store: shop.name, report, orders_finished });
    }
    session.out.show_changes(&items, dry_run.dry_run, |page| {
        for Synced { store, report, orders_finished } in &items {
            page.line(format!(
                "store {store}: {} and {} read, {} new or changed",
                count(report.products as u64, "product", "products"),
                count(report.variations as u64, "variation", "variations"),
                report.changed
            ));
            for slug in &report.missing_categories {
                page.line(format!("warning: the shop has no category {slug}"));
            }
            if !report.without_credits.is_empty() {
                page.line("orders of these would wait, because nobody said how many credits they bring:");
                let mut rows = Rows::new(&[
                    ("PRODUCT", Column::Number),
                    ("VARIATION", Column::Number),
                    ("NAME", Column::Text),
                    ("WHAT IS MISSING", Column::Text),
                ]);
                for lacking in &report.without_credits {
                    let variation = (lacking.variation_id > 0).then_some(lacking.variation_id);
                    rows.row([
                        lacking.product_id.to_string(),
                        or_dash(variation),
                        lacking.name.clone(),
                        lacking.reason.clone(),
                    ]);
                }
                page.table(&rows);
            }
            finished(page, *orders_finished);
        }
    })
}
