//! What went wrong, said once: to people with what to do next, to programs as a JSON object.

use std::fmt::Display;
use std::io::{self, Write};

use serde::Serialize;

use crate::ledger::limit::Limit;
use crate::shop::trouble;
use crate::site::import::BadRow;
use crate::{access, account, catalog, config, db, ledger, order, pairing, reconcile, shop, site};

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub struct Failure {
    status: u8,
    message: String,
    help: Option<String>,
    rows: Vec<BadRow>,
    is_silent: bool,
}

/// The exit status of a command that failed or found a fault.
const FAILED: u8 = 1;
/// The exit status of a command that was written wrongly.
const WRONG_USAGE: u8 = 2;

#[derive(Serialize)]
struct Document<'a> {
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    rows: &'a [BadRow],
    exit_status: u8,
}

impl Failure {
    fn new(status: u8, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), help: None, rows: Vec::new(), is_silent: false }
    }

    /// The command was understood and refused, or it failed.
    pub(super) fn refused(message: impl Into<String>) -> Self {
        Self::new(FAILED, message)
    }

    /// The command was written wrongly.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::new(WRONG_USAGE, message)
    }

    /// A check found faults and has shown them: there is nothing to add but the exit status.
    pub(super) fn fault_shown() -> Self {
        Self { is_silent: true, ..Self::new(FAILED, "") }
    }

    /// Says what to do next.
    pub(super) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Names the rows of a file that are wrong.
    pub(super) fn with_rows(mut self, rows: Vec<BadRow>) -> Self {
        self.rows = rows;
        self
    }

    /// What the process ends with.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        self.status
    }

    /// What went wrong, and what to do next.
    pub(super) fn says(&self) -> (&str, Option<&str>) {
        (&self.message, self.help.as_deref())
    }

    /// Writes what went wrong.
    pub(super) fn write(&self, json: bool, to: &mut dyn Write) -> io::Result<()> {
        if self.is_silent {
            return Ok(());
        }
        if json {
            let document = Document {
                error: &self.message,
                help: self.help.as_deref(),
                rows: &self.rows,
                exit_status: self.status,
            };
            return writeln!(to, "{}", serde_json::to_string_pretty(&document)?);
        }
        writeln!(to, "error: {}", self.message)?;
        for BadRow { line, problem } in &self.rows {
            writeln!(to, "  line {line}: {problem}")?;
        }
        if let Some(help) = &self.help {
            writeln!(to, "help: {help}")?;
        }
        Ok(())
    }
}

/// A reader that went away, `| head`, has what it wanted.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self { is_silent: true, ..Self::new(0, "") }
        } else {
            Self::refused(error.to_string())
        }
    }
}

/// What the daemon and the demo give up with.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        let closed = io::ErrorKind::BrokenPipe;
        match error.downcast_ref::<io::Error>() {
            Some(cause) if cause.kind() == closed => io::Error::from(closed).into(),
            _ => Self::refused(format!("{error:#}")),
        }
    }
}

impl From<csv::Error> for Failure {
    fn from(error: csv::Error) -> Self {
        io::Error::from(error).into()
    }
}

impl From<db::Error> for Failure {
    fn from(error: db::Error) -> Self {
        use db::Error as E;
        let help = match &error {
            E::Sqlite(cause) if cause.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => {
                Some("another program is writing to the database: try again in a moment")
            }
            E::QueueFull | E::NotCommitted(_) | E::NotBegun => {
                Some("nothing was written: try again in a moment")
            }
            E::Postgres(_) => Some("is the PostgreSQL server running, and is the URL right?"),
            E::Unusable(_) => Some("--database sqlite:PATH or the key \"database\" says where the data are"),
            E::Sqlite(_) | E::Migration(_) | E::Column { .. } | E::NoRow | E::Closed => None,
        };
        let failure = Self::refused(error.to_string());
        match help {
            Some(help) => failure.with_help(help),
            None => failure,
        }
    }
}

impl From<config::Error> for Failure {
    fn from(error: config::Error) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<site::store::Error> for Failure {
    fn from(error: site::store::Error) -> Self {
        use site::store::Error as E;
        let message = error.to_string();
        let help = match error {
            E::UnknownStore(_) => {
                "`nivella-wallet store list` shows the stores, `nivella-wallet store add NAME --url URL \
                 --webhook-secret-file FILE` adds one"
                    .to_owned()
            }
            E::UnknownAccount(_) => "`nivella-wallet account list` shows the accounts".to_owned(),
            E::UnknownSite(site) => {
                format!(
                    "`nivella-wallet site list` shows the sites, `nivella-wallet site assign {site} --account ACC` makes it known"
                )
            }
            E::Unassigned(site) => {
                format!("`nivella-wallet site assign {site} --account ACC` gives it an owner")
            }
            E::OwnedByOther { site, .. } => {
                format!(
                    "`nivella-wallet site unassign {site}` first, credits bought for it stay with that account; \
                     `nivella-wallet site transfer {site} --to ACC` takes them along"
                )
            }
            E::Database(cause) => return cause.into(),
        };
        Self::refused(message).with_help(help)
    }
}

impl From<account::by_hand::Error> for Failure {
    fn from(error: account::by_hand::Error) -> Self {
        use account::by_hand::Error as E;
        match error {
            E::Site(error) => error.into(),
            E::Ledger(error) => error.into(),
            E::Past(_) | E::TooMuch(_) => Self::usage(error.to_string()),
            E::UnknownGrant(_) => {
                Self::refused(error.to_string()).with_help("`nivella-wallet wallet grants WALLET` shows them")
            }
        }
    }
}

impl From<account::spending::Error> for Failure {
    fn from(error: account::spending::Error) -> Self {
        match error {
            account::spending::Error::Site(error) => error.into(),
            account::spending::Error::Ledger(error) => error.into(),
        }
    }
}

impl From<account::Error> for Failure {
    fn from(error: account::Error) -> Self {
        use account::Error as E;
        let message = error.to_string();
        let help = match error {
            E::Site(error) => return error.into(),
            E::Ledger(error) => return error.into(),
            E::Itself(_) => "name two accounts: `nivella-wallet account list` shows them".to_owned(),
            E::Merged { into, .. } => {
                format!("nothing is left in it; `nivella-wallet account show {into}` shows where it went")
            }
            E::NotAlone { account, .. } => {
                format!(
                    "name {account} if you mean all of it; `nivella-wallet account show {account}` shows what that is"
                )
            }
            E::Frozen { account, .. } => {
                format!("`nivella-wallet account unfreeze {account} --reason …` first, if that is over")
            }
            E::Held { account, .. } => holds_help(&format!("account:{account}")),
            E::SiteHeld { site, .. } => holds_help(&format!("site:{site}")),
            E::AlreadyTheirs { .. } => "name the account that is to have it: --to ACC".to_owned(),
            E::NotOffered(site) => format!(
                "`nivella-wallet site transfer {site} --to ACC` offers it; an offer stands for 14 days"
            ),
        };
        Self::refused(message).with_help(help)
    }
}

/// What to do about open holds that stand in the way.
fn holds_help(wallet: &str) -> String {
    format!(
        "`nivella-wallet hold list {wallet}` shows its holds; try again when they are over, or give each back with \
         `nivella-wallet hold release ID`"
    )
}

impl From<account::claim::Error> for Failure {
    fn from(error: account::claim::Error) -> Self {
        use account::claim::Error as E;
        let message = error.to_string();
        let help = match error {
            E::Account(error) => return error.into(),
            E::Randomness(cause) => return cause.into(),
            E::Past(_) => return Self::usage(message),
            E::Registered(account) => {
                format!(
                    "`nivella-wallet account merge {account} --into ACC` makes it part of another account"
                )
            }
            E::Nameless(account) => {
                format!("`nivella-wallet account merge {account} --into ACC` needs no link")
            }
            E::WhichStore { .. } => "--store NAME says to which of them the link leads".to_owned(),
            E::Forged => "check that the whole token was copied".to_owned(),
            E::Expired(_) => "`nivella-wallet account claim-link ACC` makes a new one".to_owned(),
            E::Claimed { into, .. } => format!("`nivella-wallet account show {into}` shows what it has"),
        };
        Self::refused(message).with_help(help)
    }
}

impl From<access::store::Error> for Failure {
    fn from(error: access::store::Error) -> Self {
        use access::store::Error as E;
        match error {
            E::Database(cause) => cause.into(),
            E::Randomness(cause) => cause.into(),
            E::Name | E::Scopes | E::Expired(_) => Self::usage(error.to_string()),
            E::Unknown(_) | E::NoWebsite(_) => {
                Self::refused(error.to_string()).with_help("`nivella-wallet key list` shows the keys")
            }
            E::Over(_) => {
                Self::refused(error.to_string()).with_help("`nivella-wallet key create` makes another one")
            }
        }
    }
}

impl From<ledger::store::Error> for Failure {
    fn from(error: ledger::store::Error) -> Self {
        Self::of_wallet(error, "WALLET")
    }
}

impl Failure {
    /// What was done to a wallet by hand and refused.
    pub(super) fn by_hand(error: account::by_hand::Error, wallet: impl Display) -> Self {
        match error {
            account::by_hand::Error::Ledger(error) => Self::of_wallet(error, wallet),
            error => error.into(),
        }
    }

    /// What the ledger refused to do with a wallet: `site:ID` or `account:ACC`.
    pub(super) fn of_wallet(error: ledger::store::Error, wallet: impl Display) -> Self {
        use ledger::store::Error as E;
        let wallet = wallet.to_string();
        let site = wallet.strip_prefix("site:").unwrap_or("SITE");
        match error {
            E::Database(cause) => cause.into(),
            E::InsufficientCredits { .. } => Self::refused(error.to_string()).with_help(format!(
                "nothing was taken; `nivella-wallet wallet grants {wallet}` shows what there is"
            )),
            E::Paused(_) => Self::refused(error.to_string()).with_help(format!(
                "nothing was taken; `nivella-wallet site resume {site}` when that was as it should be"
            )),
            E::LimitReached { ref limit, .. } => {
                let Limit { agent, per, .. } = &limit.limit;
                let agent = agent.as_ref().map(|agent| format!(" --agent {agent}")).unwrap_or_default();
                let set = format!("nivella-wallet site limit {site}{agent} --per {per} --credits");
                Self::refused(error.to_string())
                    .with_help(format!("nothing was taken; `{set} N` raises it, `{set} none` takes it away"))
            }
            E::Frozen(_)
            | E::UnknownAccount(_)
            | E::Merged { .. }
            | E::UnknownHold(_)
            | E::HoldClosed(_)
            | E::BeyondHold { .. }
            | E::UnknownDebit(_)
            | E::AlreadyReversed { .. }
            | E::BeyondDebit { .. }
            | E::TooMuch => Self::refused(error.to_string()),
        }
    }
}

impl From<catalog::store::Error> for Failure {
    fn from(error: catalog::store::Error) -> Self {
        match error {
            catalog::store::Error::Database(cause) => cause.into(),
            catalog::store::Error::NoCredits => Self::usage(error.to_string()),
        }
    }
}

impl From<shop::store::Error> for Failure {
    fn from(error: shop::store::Error) -> Self {
        match error {
            shop::store::Error::Database(cause) => cause.into(),
            shop::store::Error::EmptyList(_) => Self::usage(error.to_string()),
            shop::store::Error::NameTaken(_)
            | shop::store::Error::Unknown(_)
            | shop::store::Error::InUse { .. } => Self::refused(error.to_string()),
        }
    }
}

impl From<pairing::Error> for Failure {
    fn from(error: pairing::Error) -> Self {
        match error {
            pairing::Error::Store(cause) => cause.into(),
            pairing::Error::Key(cause) => cause.into(),
            pairing::Error::Randomness(cause) => cause.into(),
            pairing::Error::Ended | pairing::Error::Elsewhere { .. } | pairing::Error::MadeFor { .. } => {
                Self::refused(error.to_string())
            }
        }
    }
}

impl From<order::apply::Error> for Failure {
    fn from(error: order::apply::Error) -> Self {
        match error {
            order::apply::Error::Database(cause) => cause.into(),
            order::apply::Error::Ledger(cause) => cause.into(),
        }
    }
}

impl From<reconcile::Error> for Failure {
    fn from(error: reconcile::Error) -> Self {
        use reconcile::Error as E;
        let message = error.to_string();
        let help = match error {
            E::NoKeys(name) => format!("{} gives it its keys", trouble::give_keys(&name)),
            E::Busy { .. } => "the daemon or another command is at it: try again in a few minutes".to_owned(),
            E::Ousted(_) => {
                "this process was stopped for too long; what it wrote stays, run the command again".to_owned()
            }
            E::Shop { store, error } => trouble::remedy(&error, &store),
            E::Database(cause) => return cause.into(),
        };
        Self::refused(message).with_help(help)
    }
}
