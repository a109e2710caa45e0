//! `store check`: whether a shop's keys, categories, products and webhooks are as they should be.

use clap::Args;
use serde::Serialize;
use tokio::runtime::Runtime;

use super::output::Page;
use super::{DryRun, Failure, Session, package, progress};
use crate::catalog::sync;
use crate::config::Config;
use crate::db::{Db, Keep};
use crate::reconcile;
use crate::shop::address::{Address, Fit};
use crate::shop::health::{self, Code, Finding, Known, Mend, Seen, Severity, Webhook};
use crate::shop::rest::{self, Patience, Rest};
use crate::shop::store as shops;
use crate::shop::{HookSecret, Store, StoreName};
use crate::shop::{trouble, watch};
use crate::time::Timestamp;

#[derive(Args, Debug)]
#[command(after_help = "\
It asks the shop: whether the REST keys are right, whether the Tokens categories are there, which of
their products have no credits, and how the webhooks stand. Exit status 1 when a fault remains; a
product without credits is a warning. Nothing is written to the shop without --repair.

--repair makes missing webhooks, switches paused and disabled ones on, turns those that deliver to
an old address here, and sets the secret where another one is suspected. It needs public_url, and
REST keys with the permission Read/Write. Webhooks of other receivers are never changed.

Examples:
  nivella-wallet store check shop
  nivella-wallet store check shop --repair --dry-run")]
pub(super) struct Options {
    /// The shop's name here
    name: StoreName,
    /// Mend the webhooks, then check again
    #[arg(long)]
    repair: bool,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Products without credits that are named one by one.
const PRODUCTS_NAMED_MAX: usize = 20;

/// What was done to a webhook of the shop.
#[derive(Serialize)]
struct Repair {
    #[serde(flatten)]
    mend: Mend,
    /// The shop's number for a webhook that was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    made: Option<i64>,
    /// Where it delivered before, if that was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    was: Option<String>,
    /// Whether it was done; with a dry run nothing is.
    done: bool,
    /// Why it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What a check found.
#[derive(Serialize)]
struct Checked {
    store: StoreName,
    url: String,
    /// Where the webhooks must deliver, if `public_url` says so.
    webhook_url: Option<String>,
    faults: usize,
    warnings: usize,
    findings: Vec<Finding>,
    repairs: Vec<Repair>,
}

/// What a check works with.
struct Check {
    db: Db,
    runtime: Runtime,
    store: Store,
    address: Address,
    secret: HookSecret,
}

/// What the shop answered.
struct Answers {
    /// About its keys, categories and products.
    findings: Vec<Finding>,
    webhooks: Result<Vec<Webhook>, rest::Error>,
    may_write: bool,
}

pub(super) fn run(options: Options, session: &mut Session<'_>) -> Result<(), Failure> {
    let Options { name, repair, dry_run } = options;
    let address = address(&session.config, &name);
    if repair && address.url().is_none() {
        return Err(Failure::refused(
            "public_url is not set, so nobody knows where the webhooks must deliver",
        )
        .with_help(
            "set public_url to the address at which the shop reaches the daemon, like https://wallet.example",
        ));
    }
    let db = session.existing()?;
    let (store, access, secret) = db.read(|tx| {
        let store = package::find(tx, &name)?;
        let settings = shops::settings(tx, store.id)?;
        let settings = settings.ok_or_else(|| shops::Error::Unknown(name.to_string()))?;
        let access = shops::access(tx, store.id)?;
        Ok::<_, shops::Error>((store, access, settings.webhook_secret))
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let check = Check { db, runtime, store, address, secret };
    let (mut findings, mut repairs) = (Vec::new(), Vec::new());
    match access.map(|access| Rest::new(access, Patience::default(), check.db.clock().clone())) {
        None => {
            let give = format!("{} gives it its keys", trouble::give_keys(&check.store.name));
            let message =
                "the store has no REST keys, so its categories, products and webhooks cannot be checked";
            findings.push(Finding::new(Severity::Fault, Code::NoKeys, message).with_remedy(give));
            findings.extend(check.judge(None)?);
        }
        Some(Err(error)) => {
            findings.push(watch::not_asked(&error, &check.store.name));
            findings.extend(check.judge(None)?);
        }
        Some(Ok(rest)) => {
            let mut answers = check.ask(session, &rest, repair && !dry_run.dry_run);
            if repair && let Ok(webhooks) = &answers.webhooks {
                repairs = check.repair(&rest, webhooks, answers.may_write, dry_run)?;
                if !answers.may_write {
                    read_only(&mut answers.findings, repairs.is_empty());
                }
                if repairs.iter().any(|repair| repair.done) {
                    answers.webhooks = check.runtime.block_on(watch::webhooks(&rest));
                    check.note_secret(&repairs, &answers.webhooks)?;
                    check.catch_up()?;
                }
            }
            if let Err(error) = &answers.webhooks {
                findings.push(watch::not_asked(error, &check.store.name));
            }
            findings.extend(answers.findings);
            findings.extend(check.judge(answers.webhooks.as_deref().ok())?);
        }
    }
    if !dry_run.dry_run {
        // The same as the daemon keeps, which does not read the products every hour.
        let is_catalogue = |finding: &Finding| matches!(finding.code, Code::Categories | Code::Products);
        let (id, mut kept) = (check.store.id, findings.clone());
        kept.retain(|finding| !is_catalogue(finding));
        check.db.write_blocking("cli::store_check", Keep::Effects, move |tx| {
            shops::note_findings(tx, id, &kept)
        })?;
    }
    let checked = Checked {
        store: check.store.name.clone(),
        url: check.store.url.to_string(),
        webhook_url: check.address.url().map(str::to_owned),
        faults: health::count(&findings, Severity::Fault),
        warnings: health::count(&findings, Severity::Warning),
        findings,
        repairs,
    };
    session.out.show_change(&checked, dry_run.dry_run, |page| {
        for repair in &checked.repairs {
            page.line(line_of(repair, dry_run.dry_run));
        }
        if repair && checked.repairs.is_empty() {
            page.line("nothing to repair in the webhooks");
        }
        if repair {
            page.gap();
        }
        show(page, &checked.findings);
    })?;
    if checked.faults == 0 { Ok(()) } else { Err(Failure::fault_shown()) }
}

/// Where the webhooks of `name` must deliver.
pub(super) fn address(config: &Config, name: &StoreName) -> Address {
    Address::new(config.public_url.as_ref().map(crate::config::WebUrl::as_str), name)
}

/// Keys that may only read are good enough, unless there is something to repair.
fn read_only(findings: &mut [Finding], is_enough: bool) {
    if let Some(keys) = findings.iter_mut().find(|finding| finding.code == Code::Keys && !is_enough) {
        keys.severity = Severity::Fault;
        keys.remedy = Some(
            "give the keys the permission Read/Write under WooCommerce → Settings → Advanced → REST API"
                .to_owned(),
        );
    }
}

fn line_of(repair: &Repair, dry_run: bool) -> String {
    let Repair { mend, made, was, done, error } = repair;
    let made = made.map(|id| format!(", number {id}")).unwrap_or_default();
    let was = was.as_ref().map(|was| format!(" (it delivered to {was})")).unwrap_or_default();
    match error {
        Some(error) => format!("failed: {mend}{was}: {error}"),
        None if dry_run => format!("would {mend}{was}"),
        None if *done => format!("done: {mend}{made}{was}"),
        None => format!("not done: {mend}{was}"),
    }
}

/// A line for each finding; what to do once for all that need the same.
pub(super) fn show(page: &mut Page, findings: &[Finding]) {
    let width = findings.iter().map(|finding| finding.code.as_str().len()).max().unwrap_or(0);
    for (at, finding) in findings.iter().enumerate() {
        let Finding { severity, code, message, remedy, .. } = finding;
        page.line(format!("{severity:7}  {code:width$}  {message}"));
        let next = findings.get(at + 1).and_then(|next| next.remedy.as_ref());
        if let Some(remedy) = remedy
            && next != Some(remedy)
        {
            page.line(format!("{:7}  {:width$}  what to do: {remedy}", "", ""));
        }
    }
}

impl Check {
    fn known(&self) -> Result<(Known, Timestamp), Failure> {
        let known = self.db.read(|tx| shops::health(tx, self.store.id))?;
        Ok((known, self.db.clock().now()))
    }

    fn seen<'a>(&'a self, known: &'a Known, now: Timestamp, webhooks: Option<&'a [Webhook]>) -> Seen<'a> {
        let Self { store, address, .. } = self;
        Seen { now, name: &store.name, shop: &store.url, address, webhooks, known }
    }

    fn judge(&self, webhooks: Option<&[Webhook]>) -> Result<Vec<Finding>, Failure> {
        let (known, now) = self.known()?;
        Ok(health::judge(&self.seen(&known, now, webhooks)))
    }

    /// Asks the shop all there is to ask; where it does not answer at all, only once. Whether the keys may write is
    /// seen only by writing what the shop refuses: that is left until something is to be written.
    fn ask(&self, session: &Session<'_>, rest: &Rest, writes: bool) -> Answers {
        let webhooks = self.runtime.block_on(watch::webhooks(rest));
        let mut findings = Vec::new();
        if webhooks.is_err() {
            return Answers { findings, webhooks, may_write: false };
        }
        if !writes {
            let message = "the shop takes them for reading; whether they may write is seen with --repair";
            findings.push(Finding::new(Severity::Ok, Code::Keys, message));
            findings.extend(self.catalogue(session, rest));
            return Answers { findings, webhooks, may_write: true };
        }
        let may_write = match self.runtime.block_on(rest.may_write()) {
            Ok(may_write) => {
                let what =
                    if may_write { "read and write" } else { "read only: enough for all but --repair" };
                findings.push(Finding::new(
                    Severity::Ok,
                    Code::Keys,
                    format!("the shop takes them ({what})"),
                ));
                may_write
            }
            Err(error) => {
                let message =
                    format!("the shop takes them for reading; whether they may write is not clear: {error}");
                findings.push(Finding::new(Severity::Warning, Code::Keys, message));
                // Then it is tried, and the shop says why not.
                true
            }
        };
        findings.extend(self.catalogue(session, rest));
        Answers { findings, webhooks, may_write }
    }

    /// What the shop's Tokens categories and their products lack.
    fn catalogue(&self, session: &Session<'_>, rest: &Rest) -> Vec<Finding> {
        let counter = progress::counter(session, "products read");
        let read =
            sync::sync(rest, &self.db, &self.store, Keep::Nothing, |step| counter.set_position(step.read));
        let report = self.runtime.block_on(read);
        counter.finish_and_clear();
        let name = &self.store.name;
        let give = format!("`nivella-wallet store set {name} --tokens-category SLUG` names the right one");
        let report = match report {
            Ok(report) => report,
            Err(error @ sync::Error::NoTokensCategory { .. }) => {
                return vec![
                    Finding::new(Severity::Fault, Code::Categories, error.to_string()).with_remedy(give),
                ];
            }
            Err(sync::Error::Shop(error)) => {
                let remedy = trouble::remedy(&error, name);
                return vec![
                    Finding::new(Severity::Fault, Code::Products, error.to_string()).with_remedy(remedy),
                ];
            }
            Err(error) => return vec![Finding::new(Severity::Fault, Code::Products, error.to_string())],
        };
        let mut findings = Vec::new();
        for slug in &report.missing_categories {
            let message = format!("the shop has no category {slug}");
            findings
                .push(Finding::new(Severity::Warning, Code::Categories, message).with_remedy(give.as_str()));
        }
        if findings.is_empty() {
            let message = format!("the shop has {}", self.store.tokens_categories.join(", "));
            findings.push(Finding::new(Severity::Ok, Code::Categories, message));
        }
        let give = format!(
            "`nivella-wallet package set --store {name} --product ID [--variation ID] --credits N`; `nivella-wallet package sync \
             --store {name}` lists them all"
        );
        let finding = |message: String| {
            Finding::new(Severity::Warning, Code::Products, message).with_remedy(give.as_str())
        };
        for lacking in report.without_credits.iter().take(PRODUCTS_NAMED_MAX) {
            let number = match lacking.variation_id {
                0 => format!("product {}", lacking.product_id),
                variation => format!("variation {variation} of product {}", lacking.product_id),
            };
            findings
                .push(finding(format!("{number} ({}) has no credits: its orders would wait", lacking.name)));
        }
        let more = report.without_credits.len().saturating_sub(PRODUCTS_NAMED_MAX);
        if more > 0 {
            findings.push(finding(format!("and {more} more have no credits")));
        }
        if report.without_credits.is_empty() {
            let message =
                format!("{} read; all that are on sale have credits", report.products + report.variations);
            findings.push(Finding::new(Severity::Ok, Code::Products, message));
        }
        findings
    }

    /// Mends the webhooks; stops at the first thing that the shop refuses.
    fn repair(
        &self,
        rest: &Rest,
        webhooks: &[Webhook],
        may_write: bool,
        dry_run: DryRun,
    ) -> Result<Vec<Repair>, Failure> {
        let (known, now) = self.known()?;
        let plan = health::plan(&self.seen(&known, now, Some(webhooks)));
        let url = self.address.url().unwrap_or_default();
        let (mut repairs, mut goes_on) = (Vec::new(), may_write && !dry_run.dry_run);
        for mend in plan {
            let old = webhooks.iter().find(|hook| mend.point_here && Some(hook.id) == mend.webhook);
            let was = old.map(|hook| hook.delivery_url.clone());
            let mut repair = Repair { mend, made: None, was, done: false, error: None };
            if goes_on {
                match self.runtime.block_on(watch::mend(rest, &repair.mend, url, &self.secret)) {
                    Ok(id) => {
                        repair.made = repair.mend.webhook.is_none().then_some(id);
                        repair.done = true;
                    }
                    Err(error) => {
                        repair.error = Some(error.to_string());
                        goes_on = false;
                    }
                }
            }
            repairs.push(repair);
        }
        Ok(repairs)
    }

    /// Once each webhook that delivers here has today's secret, what was refused before says nothing any more.
    /// What the webhooks did not deliver while they were broken is found by comparing.
    fn catch_up(&self) -> Result<(), Failure> {
        let id = self.store.id;
        self.db
            .write_blocking("cli::catch_up", Keep::Effects, move |tx| reconcile::store::request(tx, id))
            .map_err(Into::into)
    }

    fn note_secret(
        &self,
        repairs: &[Repair],
        webhooks: &Result<Vec<Webhook>, rest::Error>,
    ) -> Result<(), Failure> {
        let Ok(webhooks) = webhooks else { return Ok(()) };
        let has_secret = |hook: &Webhook| {
            let mut done = repairs.iter().filter(|repair| repair.done && repair.mend.set_secret);
            done.any(|repair| repair.mend.webhook.or(repair.made) == Some(hook.id))
        };
        let mut here =
            webhooks.iter().filter(|hook| self.address.fit(&hook.name, &hook.delivery_url) == Fit::Here);
        if here.all(has_secret) {
            let id = self.store.id;
            self.db.write_blocking("cli::secret_in_shop", Keep::Effects, move |tx| {
                shops::note_secret_in_shop(tx, id)
            })?;
        }
        Ok(())
    }
}
