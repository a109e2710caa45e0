//! What can be set, and where it is set.
//!
//! One TOML file, overridden by `NIVELLA_WALLET_<KEY>` variables, overridden by flags. With none of them
//! everything has a default that works. A key that is not known or a value that cannot be meant stops the
//! start and names its place; below this module no setting needs to be doubted, because each has a type
//! that only good values fit.
//!
//! Nothing in a [`Config`] prints a secret, neither do the errors: they never quote the file.

mod durations;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use toml::{Table, Value};

pub use self::durations::{Every, Retention};
use crate::db::{DatabaseUrl, Durability, GROUP_LENGTH_MAX};
use crate::ledger::position::AlertLevel;
use crate::ledger::store::Shortfall;
use crate::order::target::{Discount, OnDelete};
use crate::units::Credits;

/// Everything that can be set.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where to listen, like `127.0.0.1:8080`; port 0 picks a free one.
    #[serde(deserialize_with = "address")]
    pub listen: SocketAddr,
    /// `sqlite:PATH`, or `postgres://USER:PASSWORD@HOST/NAME`.
    #[serde(deserialize_with = "text")]
    pub database: DatabaseUrl,
    /// What links and webhook delivery addresses are made from.
    pub public_url: Option<WebUrl>,
    /// Where a customer buys more credits; shown on the wallet page and in a 402.
    pub top_up_url: Option<WebUrl>,
    /// Where a customer reads what credits are; shown on the wallet page.
    pub docs_url: Option<WebUrl>,
    /// What customers see the credits called.
    pub unit: UnitName,
    /// What an answered write survives: a power cut (`full`) or a crash of the process (`process`).
    pub durability: Durability,
    /// How many writes may share a commit; 1 gives each a commit of its own.
    pub write_group_max: Bounded<1, GROUP_LENGTH_MAX>,
    /// The balances at which a customer is told.
    pub low_balance: AlertLevels,
    /// Received deliveries.
    pub inbox: Inbox,
    /// How orders become credits.
    pub orders: Orders,
    /// Comparing stores with their shops.
    pub reconcile: Reconcile,
    /// Sites.
    pub sites: Sites,
    /// The brake against runaway spending.
    pub brake: Brake,
    /// The HTTP server's limits.
    pub http: Http,
    /// What is logged, and how.
    pub log: Log,
    /// The file this was read from, if there was one.
    #[serde(skip)]
    pub file: Option<PathBuf>,
}

/// Received deliveries.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Inbox {
    /// How long raw deliveries, which hold personal data, are kept.
    pub retention: Retention,
}

/// How orders become credits.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Orders {
    /// What happens to its credits when a paid order is trashed or deleted.
    pub on_delete: OnDelete,
    /// What lines bought with a discount grant.
    pub discount: Discount,
    /// Whether a line whose total is 0 grants.
    pub free_lines: bool,
    /// Whether `processing` and `completed` count as paid only with a payment date.
    pub require_date_paid: bool,
    /// What happens when a refund takes back more than is left.
    pub shortfall: Shortfall,
}

/// Comparing stores with their shops.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reconcile {
    /// How often the daemon does so by itself.
    pub every: Every,
}

/// Sites.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sites {
    /// Whether the first purchase that names an unowned site claims it for the buyer's account.
    pub auto_register: bool,
}

/// The brake against runaway spending: it pauses a site that spends far more in an hour than it uses to.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Brake {
    /// Whether there is one.
    pub enabled: bool,
    /// How many times the usual hour is too much.
    pub times: Bounded<1, 10_000>,
    /// An hour with up to so many credits is never too much.
    #[serde(deserialize_with = "text")]
    pub floor: Credits,
}

/// The HTTP server's limits.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// How long a client may take to send a request's head, in seconds.
    pub header_timeout_s: Bounded<1, 3600>,
    /// How long a client may take to send a request's body, in seconds.
    pub body_timeout_s: Bounded<1, 3600>,
    /// How long a connection may lie idle between requests, or refuse to take its answer, in seconds.
    pub idle_timeout_s: Bounded<1, 3600>,
    /// How long a stop waits for requests that were accepted, in seconds.
    pub stop_timeout_s: Bounded<1, 3600>,
    /// How many connections may be open; more wait in the kernel.
    pub connections_max: Bounded<128, 65_536>,
    /// How many of them may come from one address; more are closed at once.
    pub connections_per_address_max: Bounded<128, 65_536>,
    /// The largest webhook body, in bytes.
    pub webhook_body_bytes_max: Bounded<{ 64 * 1024 }, { 64 * 1024 * 1024 }>,
}

/// What is logged, and how.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// For people or for programs.
    pub format: LogFormat,
    /// How much.
    pub level: LogLevel,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// A line for people.
    #[default]
    Human,
    /// A JSON object for programs.
    Json,
}

/// How much is logged; each level includes those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// What failed.
    Error,
    /// What somebody should look at.
    Warn,
    /// What happened.
    #[default]
    Info,
    /// What is needed to find a fault.
    Debug,
    /// Everything.
    Trace,
}

/// Alert levels: one to three, each below the one before; the first is low, the second critical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertLevels(Vec<AlertLevel>);

/// The name customers see for credits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitName(String);

/// The address of a web page or server: `http` or `https`, a host, maybe a path, nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebUrl(String);

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bounded<const MIN: u32, const MAX: u32>(u32);

/// What flags set.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--database`
    pub database: Option<DatabaseUrl>,
    /// `--listen`
    pub listen: Option<SocketAddr>,
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("{}: {cause}", file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// The file says something that cannot be meant.
    #[error("{}:{line}: {}{reason}", file.display(), key.as_ref().map(|key| format!("{key}: ")).unwrap_or_default())]
    File {
        /// Which file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The key with its tables, like `inbox.retention`; none where the file is no TOML.
        key: Option<String>,
        /// What is wrong with it.
        reason: String,
    },
    /// An environment variable says something that cannot be meant.
    #[error("environment variable {variable}: {reason}")]
    Variable {
        /// Which one.
        variable: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Every key, as it is written in docs and after `NIVELLA_WALLET_` (upper case, `__` for the dot).
pub const KEYS: [&str; 29] = [
    "listen",
    "database",
    "public_url",
    "top_up_url",
    "docs_url",
    "unit",
    "durability",
    "write_group_max",
    "low_balance",
    "inbox.retention",
    "orders.on_delete",
    "orders.discount",
    "orders.free_lines",
    "orders.require_date_paid",
    "orders.shortfall",
    "reconcile.every",
    "sites.auto_register",
    "brake.enabled",
    "brake.times",
    "brake.floor",
    "http.header_timeout_s",
    "http.body_timeout_s",
    "http.idle_timeout_s",
    "http.stop_timeout_s",
    "http.connections_max",
    "http.connections_per_address_max",
    "http.webhook_body_bytes_max",
    "log.format",
    "log.level",
];

impl Config {
    /// Reads the configuration: the file, then `env`, then `overrides`, each over the one before.
    ///
    /// The file is `explicit` (from `--config`), else what `NIVELLA_WALLET_CONFIG` names, else the first
    /// that exists of `./nivella-wallet.toml` and `/etc/nivella-wallet/config.toml`. Of `env` only names
    /// that begin with `NIVELLA_WALLET_` matter, and each of those must be a key.
    pub fn load(
        explicit: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
        overrides: Overrides,
    ) -> Result<Self, Error> {
        let mut variables: Vec<_> = env.filter(|(name, _)| name.starts_with(PREFIX)).collect();
        // So that of several wrong ones it is always the same that is named.
        variables.sort();
        let (named, variables): (Vec<_>, Vec<_>) =
            variables.into_iter().partition(|(name, _)| name == CONFIG_VARIABLE);
        let named =
            named.first().map(|(_, path)| Path::new(path)).filter(|path| !path.as_os_str().is_empty());

        let (mut table, mut config, file) = match find(explicit.or(named), &PLACES.map(Path::new))? {
            Some((file, text)) => {
                let (table, config) = parse(&text).map_err(|fault| fault.at(&file, &text))?;
                (table, config, Some(file))
            }
            None => (Table::new(), Self::default(), None),
        };
        for (variable, text) in variables {
            (table, config) = with_variable(&table, &variable, &text)
                .map_err(|reason| Error::Variable { variable, reason })?;
        }

        let Overrides { database, listen } = overrides;
        config.database = database.unwrap_or(config.database);
        config.listen = listen.unwrap_or(config.listen);
        config.file = file;
        Ok(config)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            // Stock WordPress delivers webhooks only to ports 80, 443 and 8080.
            listen: (Ipv4Addr::LOCALHOST, 8080).into(),
            database: DatabaseUrl::Sqlite(PathBuf::from("nivella-wallet.db")),
            public_url: None,
            top_up_url: None,
            docs_url: None,
            unit: UnitName::default(),
            durability: Durability::default(),
            write_group_max: Bounded::of(GROUP_LENGTH_MAX),
            low_balance: AlertLevels::default(),
            inbox: Inbox::default(),
            orders: Orders::default(),
            reconcile: Reconcile::default(),
            sites: Sites::default(),
            brake: Brake::default(),
            http: Http::default(),
            log: Log::default(),
            file: None,
        }
    }
}

impl Default for Inbox {
    fn default() -> Self {
        Self {
            // A month of complaints can still be looked into.
            retention: Retention::of_days(30),
        }
    }
}

impl Default for Orders {
    fn default() -> Self {
        Self {
            on_delete: OnDelete::default(),
            discount: Discount::default(),
            free_lines: false,
            // Cash on delivery is `processing` long before it is paid.
            require_date_paid: true,
            shortfall: Shortfall::default(),
        }
    }
}

impl Default for Sites {
    fn default() -> Self {
        Self { auto_register: true }
    }
}

impl Default for Brake {
    fn default() -> Self {
        Self {
            enabled: true,
            // A good day is twice or three times a usual one; a loop is a hundred times.
            times: Bounded::of(8),
            floor: Credits::THOUSAND,
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            // A head is one packet; ten seconds are for the worst of networks.
            header_timeout_s: Bounded::of(10),
            // Two megabytes at 70 kB a second.
            body_timeout_s: Bounded::of(30),
            idle_timeout_s: Bounded::of(60),
            // Container runtimes kill ten seconds after they ask.
            stop_timeout_s: Bounded::of(8),
            connections_max: Bounded::of(1024),
            // Twice what an address is promised; a quarter of all, so that no single one takes them.
            connections_per_address_max: Bounded::of(256),
            // The largest recorded delivery is 100 kB.
            webhook_body_bytes_max: Bounded::of(2 * 1024 * 1024),
        }
    }
}

impl AlertLevels {
    /// `levels`, if there are one to three and each is below the one before.
    ///
    /// A percentage and an amount cannot be compared, except that nothing is below zero.
    pub fn new(levels: Vec<AlertLevel>) -> Result<Self, NotLevels> {
        if !(1..=ALERT_LEVELS_MAX).contains(&levels.len()) {
            return Err(NotLevels::Count(levels.len()));
        }
        for (higher, lower) in levels.iter().zip(levels.iter().skip(1)) {
            let falling = match (higher, lower) {
                (AlertLevel::Percent(0) | AlertLevel::Credits(Credits::ZERO), _) => false,
                (AlertLevel::Percent(higher), AlertLevel::Percent(lower)) => higher > lower,
                (AlertLevel::Credits(higher), AlertLevel::Credits(lower)) => higher > lower,
                (AlertLevel::Percent(_), AlertLevel::Credits(_))
                | (AlertLevel::Credits(_), AlertLevel::Percent(_)) => true,
            };
            if !falling {
                return Err(NotLevels::Order { lower: *lower, higher: *higher });
            }
        }
        Ok(Self(levels))
    }
}

/// Why a list is not a list of alert levels.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotLevels {
    /// None, or too many.
    #[error("{0} alert levels: write one to {ALERT_LEVELS_MAX}, like [\"20%\", \"5%\", \"0\"]")]
    Count(usize),
    /// One is not below the one before it.
    #[error("alert level \"{lower}\" is not below \"{higher}\" before it: write the highest first")]
    Order {
        /// The one that should be lower.
        lower: AlertLevel,
        /// The one before it.
        higher: AlertLevel,
    },
}

impl Default for AlertLevels {
    fn default() -> Self {
        Self(vec![AlertLevel::Percent(20), AlertLevel::Percent(5), AlertLevel::Credits(Credits::ZERO)])
    }
}

impl Deref for AlertLevels {
    type Target = [AlertLevel];

    fn deref(&self) -> &[AlertLevel] {
        &self.0
    }
}

impl Default for UnitName {
    fn default() -> Self {
        Self("AI Credits".to_owned())
    }
}

impl FromStr for UnitName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let length = text.chars().count();
        if text.trim() == text
            && (1..=UNIT_CHARS_MAX).contains(&length)
            && !text.chars().any(char::is_control)
        {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!(
                "{text:?} is not a unit name: write 1 to {UNIT_CHARS_MAX} characters on one line, without space around"
            ))
        }
    }
}

impl fmt::Display for UnitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl WebUrl {
    /// The address as text, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for WebUrl {
    type Err = String;

    /// Takes no user, password, query or fragment: it is printed and put into links.
    fn from_str(text: &str) -> Result<Self, String> {
        // The text is not quoted: it may hold the password for which it is refused.
        let wrong =
            |why: &str| format!("{why}: write it like https://wallet.example or https://example.com/wallet");
        let url =
            reqwest::Url::parse(text).map_err(|cause| wrong(&format!("not a web address ({cause})")))?;
        if !matches!(url.scheme(), "http" | "https") {
            Err(wrong("not an http or https address"))
        } else if !url.username().is_empty() || url.password().is_some() {
            Err(wrong("a user or password does not belong into this address"))
        } else if url.query().is_some() || url.fragment().is_some() {
            Err(wrong("a query or fragment does not belong into this address"))
        } else {
            Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
        }
    }
}

impl fmt::Display for WebUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl<const MIN: u32, const MAX: u32> Bounded<MIN, MAX> {
    /// `number`, if it is within the bounds.
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        if number >= MIN && number <= MAX { Some(Self(number)) } else { None }
    }

    /// `number` for a default; the tests build all defaults.
    const fn of(number: u32) -> Self {
        assert!(MIN <= number && number <= MAX);
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The number, to count or measure with.
    #[must_use]
    pub const fn as_usize(self) -> usize {
        self.0 as usize
    }

    /// So many seconds.
    #[must_use]
    pub const fn seconds(self) -> std::time::Duration {
        std::time::Duration::from_secs(self.0 as u64)
    }
}

impl<'de, const MIN: u32, const MAX: u32> Deserialize<'de> for Bounded<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = i64::deserialize(deserializer)?;
        u32::try_from(number)
            .ok()
            .and_then(Self::new)
            .ok_or_else(|| D::Error::custom(format!("{number} is not within {MIN} to {MAX}")))
    }
}

impl<'de> Deserialize<'de> for AlertLevels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let levels = Vec::<String>::deserialize(deserializer)?;
        let levels =
            levels.iter().map(|level| level.parse().map_err(D::Error::custom)).collect::<Result<_, _>>()?;
        Self::new(levels).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for UnitName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer)
    }
}

impl<'de> Deserialize<'de> for WebUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer)
    }
}

/// Reads what is written as a string.
fn text<'de, D: Deserializer<'de>, T: FromStr<Err: fmt::Display>>(deserializer: D) -> Result<T, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| {
        D::Error::custom(format!(
            "{text:?} is not an address to listen on: write an IP address and a port, like 127.0.0.1:8080"
        ))
    })
}

/// How a variable's name begins.
const PREFIX: &str = "NIVELLA_WALLET_";
/// Names the file; not a key of it.
const CONFIG_VARIABLE: &str = "NIVELLA_WALLET_CONFIG";
/// Where the file is looked for when nobody names it.
const PLACES: [&str; 2] = ["nivella-wallet.toml", "/etc/nivella-wallet/config.toml"];
/// No configuration is a megabyte long; something else was named by mistake.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Low, critical and one more.
const ALERT_LEVELS_MAX: usize = 3;
/// It stands beside the balance, in large letters, on a phone.
const UNIT_CHARS_MAX: usize = 40;

/// Reads the file that `named` names, or the first of `places` that exists.
fn find(named: Option<&Path>, places: &[&Path]) -> Result<Option<(PathBuf, String)>, Error> {
    let unreadable = |path: &Path, cause| Error::Unreadable { file: path.to_owned(), cause };
    if let Some(path) = named {
        let text = read(path).map_err(|cause| unreadable(path, cause))?;
        return Ok(Some((path.to_owned(), text)));
    }
    for path in places {
        match read(path) {
            Ok(text) => return Ok(Some((path.to_path_buf(), text))),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {}
            Err(cause) => return Err(unreadable(path, cause)),
        }
    }
    Ok(None)
}

fn read(path: &Path) -> std::io::Result<String> {
    use std::io::Read as _;

    let mut text = String::new();
    let length = std::fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if length as u64 > FILE_BYTES_MAX {
        return Err(std::io::Error::other("too large for a configuration file"));
    }
    Ok(text)
}

/// What is wrong with a file, and where in its text.
struct Fault {
    position: usize,
    key: Option<String>,
    reason: String,
}

impl Fault {
    fn at(self, file: &Path, text: &str) -> Error {
        let before = text.get(..self.position).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        Error::File {
            file: file.to_owned(),
            line,
            key: self.key.or_else(|| key_of_line(text.lines().nth(line - 1)?)),
            reason: self.reason,
        }
    }
}

/// What stands before the `=` of a line that is not understood.
fn key_of_line(line: &str) -> Option<String> {
    let key = line.split_once('=')?.0.trim();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    (!key.is_empty() && key.bytes().all(plain)).then(|| key.to_owned())
}

fn parse(text: &str) -> Result<(Table, Config), Fault> {
    let no_toml = |cause: &toml::de::Error| Fault {
        position: cause.span().map_or(text.len(), |span| span.start),
        key: None,
        reason: one_line(cause.message()),
    };
    let table: Table = toml::from_str(text).map_err(|cause| no_toml(&cause))?;
    let document = toml::Deserializer::parse(text).map_err(|cause| no_toml(&cause))?;
    let config = serde_path_to_error::deserialize(document).map_err(|fault| Fault {
        position: fault.inner().span().map_or(0, |span| span.start),
        key: Some(fault.path().to_string()).filter(|path| path != "."),
        reason: one_line(fault.inner().message()),
    })?;
    Ok((table, config))
}

/// `table` with what `variable` sets.
///
/// The text is taken as it is where a string is wanted, and as TOML where something else is.
fn with_variable(table: &Table, variable: &str, text: &str) -> Result<(Table, Config), String> {
    let key = variable.strip_prefix(PREFIX).unwrap_or(variable).to_ascii_lowercase().replace("__", ".");
    if !KEYS.contains(&key.as_str()) {
        return Err(format!(
            "there is no key `{key}`, only {}",
            KEYS.map(|key| format!("`{key}`")).join(", ")
        ));
    }
    let attempt = |value: Value| {
        let mut table = table.clone();
        set(&mut table, &key, value);
        Config::deserialize(Value::Table(table.clone()))
            .map(|config| (table, config))
            .map_err(|cause| one_line(cause.message()))
    };
    match as_toml(text) {
        // Quoted all the same: files of variables are read with and without removing quotes.
        Some(string @ Value::String(_)) => attempt(string),
        Some(value) => attempt(Value::String(text.to_owned())).or_else(|reason| {
            let wants_no_string = reason.starts_with("invalid type: string");
            attempt(value).map_err(|other| if wants_no_string { other } else { reason })
        }),
        None => attempt(Value::String(text.to_owned())),
    }
}

/// `text` as one TOML value, if it is one.
fn as_toml(text: &str) -> Option<Value> {
    let mut table: Table = format!("value = {text}").parse().ok()?;
    let value = table.remove("value")?;
    table.is_empty().then_some(value)
}

/// Puts `value` at `key`, making its table if need be.
fn set(table: &mut Table, key: &str, value: Value) {
    let Some((outer, inner)) = key.split_once('.') else {
        table.insert(key.to_owned(), value);
        return;
    };
    let outer = table.entry(outer).or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(outer) = outer {
        set(outer, inner, value);
    }
}

fn one_line(message: &str) -> String {
    message.trim_end().replace('\n', ", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names serde lists when it is asked for a key that cannot be.
    fn keys_of(table: &str) -> Vec<String> {
        let fault = parse(&format!("{table}\nnothing_is_called_this = 1")).err().unwrap();
        let (_, listed) = fault.reason.split_once("expected ").unwrap();
        listed.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn the_list_of_keys_is_complete() {
        let mut found = Vec::new();
        for key in keys_of("") {
            let inner = format!("[{key}]");
            if ["inbox", "orders", "reconcile", "sites", "brake", "http", "log"].contains(&key.as_str()) {
                found.extend(keys_of(&inner).iter().map(|name| format!("{key}.{name}")));
            } else {
                found.push(key);
            }
        }
        found.sort();
        let mut listed = KEYS.map(str::to_owned).to_vec();
        listed.sort();
        assert_eq!(found, listed);
    }

    #[test]
    fn the_first_file_that_exists_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let [missing, first, second] =
            ["missing.toml", "first.toml", "second.toml"].map(|name| folder.path().join(name));
        std::fs::write(&first, "unit = 'First'").unwrap();
        std::fs::write(&second, "unit = 'Second'").unwrap();

        let found =
            |named: Option<&Path>, places: &[&Path]| find(named, places).unwrap().map(|(path, _)| path);
        assert_eq!(found(None, &[&missing, &first, &second]), Some(first.clone()));
        assert_eq!(found(Some(&second), &[&first]), Some(second));
        assert_eq!(found(None, &[&missing]), None);
        assert!(find(Some(&missing), &[&first]).is_err(), "a file somebody named must exist");
        assert!(find(None, &[folder.path(), &first]).is_err(), "a folder is not a file");
    }

    #[test]
    fn a_file_too_large_to_be_a_configuration_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large.toml");
        std::fs::write(&path, "#".repeat(2 * 1024 * 1024)).unwrap();
        let refusal = find(Some(&path), &[]).unwrap_err().to_string();
        assert!(refusal.contains("too large"), "{refusal}");
    }
}
