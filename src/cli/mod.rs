//! The command line: parse, do, show.
//!
//! Commands work on the database itself, also while the daemon serves from it. They call the same functions
//! as the HTTP handlers. Every command that changes something can be tried with `--dry-run`, which does all
//! of it in a transaction that is taken back.
//!
//! Exit status: 0 done; 1 failed, refused, or a check found a fault; 2 wrong usage.

mod account;
mod check;
mod completions;
mod demo;
mod failure;
mod hold;
mod inbox;
mod key;
mod limit;
mod numbers;
mod order;
mod openapi;
mod output;
mod package;
mod pair;
mod plan;
mod progress;
mod rate;
mod reconcile;
mod serve;
mod site;
mod store;
mod story;
mod values;
mod verify;
mod wallet;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::{ArgAction, Args, Parser, Subcommand};

pub use self::failure::Failure;
use self::output::Output;
use crate::config::{Config, Overrides};
use crate::db::{self, DatabaseUrl, Db, Keep, Tx};
use crate::id::AccountId;
use crate::site::store as site_store;
use crate::telemetry;
use crate::time::Clock;

/// Prepaid AI credits for WooCommerce shops: paid orders become credits that a customer can see and an
/// assistant can spend.
#[derive(Parser, Debug)]
#[command(
    name = "nivella-wallet",
    version,
    about = "Prepaid AI credits for WooCommerce shops",
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = FIRST_STEPS
)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const FIRST_STEPS: &str = "\
First steps:
  nivella-wallet demo                       see it work, with real recorded orders
  nivella-wallet store pair shop            make a code that connects the shop's plugin
  nivella-wallet package set --store shop --product 17 --credits 1000
  nivella-wallet serve                      take webhooks and answer the API

Exit status: 0 done, 1 failed or a check found a fault, 2 wrong usage.";

/// What every command takes.
#[derive(Args, Debug)]
struct Global {
    /// Configuration file [default: ./nivella-wallet.toml, then /etc/nivella-wallet/config.toml]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Everywhere")]
    config: Option<std::path::PathBuf>,
    /// Where the data are: sqlite:PATH or `postgres://USER@HOST/NAME`
    #[arg(long, global = true, value_name = "URL", help_heading = "Everywhere")]
    database: Option<DatabaseUrl>,
    /// Answer with one JSON document, for programs
    #[arg(long, global = true, help_heading = "Everywhere")]
    json: bool,
    /// Say more about what happens; twice for everything
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "quiet", help_heading = "Everywhere")]
    verbose: u8,
    /// Say nothing but the answer and errors
    #[arg(short, long, global = true, help_heading = "Everywhere")]
    quiet: bool,
}

/// What every command that changes something takes.
#[derive(Args, Clone, Copy, Debug)]
struct DryRun {
    /// Show what would happen and write nothing
    #[arg(long)]
    dry_run: bool,
}

impl DryRun {
    fn keep(self) -> Keep {
        if self.dry_run { Keep::Nothing } else { Keep::Effects }
    }
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run the daemon: take webhooks, answer the API
    Serve(serve::Options),
    /// Play recorded orders of a real shop, show what each one did, then serve the result
    Demo(demo::Options),
    /// Add the WooCommerce shops whose orders become credits
    #[command(subcommand, arg_required_else_help = true)]
    Store(store::Verb),
    /// Say how many credits a shop's products bring
    #[command(subcommand, arg_required_else_help = true)]
    Package(package::Verb),
    /// Assign websites to customers, one by one or from a spreadsheet
    #[command(subcommand, arg_required_else_help = true)]
    Site(site::Verb),
    /// Look at customers' accounts, merge, claim, freeze and erase them
    #[command(subcommand, arg_required_else_help = true)]
    Account(account::Verb),
    /// Show what somebody has, give credits, correct and move them
    #[command(subcommand, arg_required_else_help = true)]
    Wallet(wallet::Verb),
    /// Show what assistants have set aside, and give it back
    #[command(subcommand, arg_required_else_help = true)]
    Hold(hold::Verb),
    /// Let wallets have credits that come again, each day, week, month or year
    #[command(subcommand, arg_required_else_help = true)]
    Plan(plan::Verb),
    /// Say what an assistant's actions cost
    #[command(subcommand, arg_required_else_help = true)]
    Rate(rate::Verb),
    /// Make and take back API keys
    #[command(subcommand, arg_required_else_help = true)]
    Key(key::Verb),
    /// Look at orders, and why they granted what they did
    #[command(subcommand, arg_required_else_help = true)]
    Order(order::Verb),
    /// Look at what the shops sent, and apply it again
    #[command(subcommand, arg_required_else_help = true)]
    Inbox(inbox::Verb),
    /// Compare the shops' orders with the books, and book what is missing
    Reconcile(reconcile::Options),
    /// Prove the books: every balance from its entries, every entry from the one before
    Verify(verify::Options),
    /// Print openapi.json, the document of the HTTP API, as the daemon serves it
    Openapi,
    /// Print the completion script of a shell
    Completions(completions::Options),
}

/// What a command works with.
struct Session<'w> {
    config: Config,
    /// Whether to stay silent about what is not asked for.
    quiet: bool,
    out: Output<'w>,
}

impl Session<'_> {
    /// The database, which must be there.
    fn existing(&self) -> Result<Db, Failure> {
        if self.missing().is_some() {
            return Err(Failure::refused(format!("there is no database at {}", self.config.database)).with_help(
                "`nivella-wallet store add` or `nivella-wallet serve` makes one; check --database and the folder",
            ));
        }
        self.open(&self.config.database)
    }

    /// The database, for a command that sets something up that may be the first.
    ///
    /// Where there is none it is made, and that is said: most likely it is the wrong folder. A dry run makes
    /// none, and works on an empty one that is gone afterwards.
    fn made(&self, dry_run: DryRun) -> Result<Desk, Failure> {
        let is_missing = self.missing().is_some();
        if is_missing && dry_run.dry_run {
            let folder = tempfile::tempdir()?;
            let db = self.open(&DatabaseUrl::Sqlite(folder.path().join("dry-run.db")))?;
            return Ok(Desk { db, _folder: Some(folder) });
        }
        let db = self.open(&self.config.database)?;
        if is_missing && !self.quiet && !self.out.is_json() {
            writeln!(io::stderr(), "note: there was no database, {} is new", self.config.database)?;
        }
        Ok(Desk { db, _folder: None })
    }

    /// The file that the database would be in, if it is not there.
    fn missing(&self) -> Option<&Path> {
        match &self.config.database {
            DatabaseUrl::Sqlite(path) if !path.exists() => Some(path),
            DatabaseUrl::Sqlite(_) | DatabaseUrl::Postgres(_) => None,
        }
    }

    fn open(&self, url: &DatabaseUrl) -> Result<Db, Failure> {
        let db = Db::open(url, self.config.durability, Clock::system())?;
        Ok(db.watched_by(crate::app::alerts(&self.config)))
    }

    /// As [`Session::change`], for what may be the first thing in a new database.
    fn set_up<T, E>(
        &self,
        name: &'static str,
        dry_run: DryRun,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Failure>
    where
        T: Send + 'static,
        E: From<db::Error> + Into<Failure> + Send + 'static,
    {
        self.made(dry_run)?.db.write_blocking(name, dry_run.keep(), work).map_err(Into::into)
    }

    /// Changes something that is there, or with a dry run shows what would change.
    fn change<T, E>(
        &self,
        name: &'static str,
        dry_run: DryRun,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Failure>
    where
        T: Send + 'static,
        E: From<db::Error> + Into<Failure> + Send + 'static,
    {
        self.existing()?.write_blocking(name, dry_run.keep(), work).map_err(Into::into)
    }

    /// Reads something.
    fn read<T, E>(&self, work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send) -> Result<T, Failure>
    where
        T: Send,
        E: From<db::Error> + Into<Failure> + Send,
    {
        self.existing()?.read(work).map_err(Into::into)
    }
}

/// An account as people know it: its name, and its id.
fn called(tx: &mut Tx<'_>, id: &AccountId) -> Result<String, db::Error> {
    let account = site_store::account(tx, id)?;
    Ok(account.map_or_else(|| id.to_string(), |account| format!("{} ({id})", account.name)))
}

/// A database to write to, and the folder that goes with it when it was made for a dry run.
struct Desk {
    db: Db,
    _folder: Option<tempfile::TempDir>,
}

/// Runs the command that `args` say, the first of them the program's name; answers to standard output,
/// errors to standard error.
#[must_use]
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return explain_usage(&error, args.iter().any(|arg| arg == "--json")),
    };
    let json = cli.global.json;
    match run(cli, &mut io::stdout()).and_then(|()| Ok(io::stdout().flush()?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // With standard error closed there is nobody left to tell.
            let _ = failure.write(json, &mut io::stderr().lock());
            ExitCode::from(failure.exit_status())
        }
    }
}

/// Help and versions go to standard output; what is wrong with the command goes to standard error.
fn explain_usage(error: &clap::Error, json: bool) -> ExitCode {
    let is_error = error.use_stderr();
    if is_error && json {
        let text = error.to_string();
        // What is wrong stands before the usage, on one line or more.
        let what: Vec<&str> = text
            .lines()
            .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
            .flat_map(str::split_whitespace)
            .collect();
        let what = what.join(" ");
        let failure = Failure::usage(what.strip_prefix("error: ").unwrap_or(&what))
            .with_help("--help shows what can be written");
        let _ = failure.write(true, &mut io::stderr().lock());
    } else {
        let _ = error.print();
    }
    ExitCode::from(if is_error { 2 } else { 0 })
}

/// Starts the log; it runs already when several commands run in one process, as in tests.
fn start_log(config: &Config, louder: i8) {
    let _ = telemetry::start(&config.log, louder);
}

/// The environment's variables that are text.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// Runs a command; writes its answer to `to`.
///
/// # Errors
/// When it fails, is refused, or `to` is closed.
pub fn run(cli: Cli, to: &mut (dyn Write + Send)) -> Result<(), Failure> {
    let Cli { global, command } = cli;
    let Global { config, database, json, verbose, quiet } = global;
    let louder = i8::try_from(verbose).unwrap_or(i8::MAX).saturating_sub(i8::from(quiet));
    let load = |listen| {
        Config::load(config.as_deref(), environment(), Overrides { database: database.clone(), listen })
    };
    let session = |to| {
        let config = load(None)?;
        // A command answers by itself; of what goes on below it only what went wrong is news.
        start_log(&config, louder.saturating_sub(1));
        Ok::<_, Failure>(Session { config, quiet, out: Output::new(json, quiet, to) })
    };
    match command {
        Command::Serve(_) | Command::Demo(_) if json => {
            Err(Failure::usage("serve and demo do not answer with JSON: they go on until they are stopped")
                .with_help("leave --json out; the key log.format = \"json\" makes their log JSON"))
        }
        Command::Serve(options) => {
            let config = load(options.listen)?;
            start_log(&config, louder);
            serve::run(config)
        }
        Command::Demo(options) => {
            let config = load(Some(options.listen))?;
            start_log(&config, louder.saturating_sub(1));
            demo::run(options, config, to)
        }
        Command::Store(verb) => store::run(verb, &mut session(to)?),
        Command::Package(verb) => package::run(verb, &mut session(to)?),
        Command::Site(verb) => site::run(verb, &mut session(to)?),
        Command::Account(verb) => account::run(verb, &mut session(to)?),
        Command::Wallet(verb) => wallet::run(verb, &mut session(to)?),
        Command::Hold(verb) => hold::run(verb, &mut session(to)?),
        Command::Plan(verb) => plan::run(verb, &mut session(to)?),
        Command::Rate(verb) => rate::run(verb, &mut session(to)?),
        Command::Key(verb) => key::run(verb, &mut session(to)?),
        Command::Order(verb) => order::run(verb, &mut session(to)?),
        Command::Inbox(verb) => inbox::run(verb, &mut session(to)?),
        Command::Reconcile(options) => reconcile::run(options, &mut session(to)?),
        Command::Verify(options) => verify::run(options, &mut session(to)?),
        Command::Openapi => openapi::run(to),
        Command::Completions(options) => completions::run(&options, to),
    }
}
