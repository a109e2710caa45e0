//! What can be set, each by a variable of the environment.

use std::path::PathBuf;
use std::time::Duration;

/// The settings of a run.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// `ROUNDS`: how often each figure is measured; the rounds take turns through all of them.
    pub(crate) rounds: usize,
    /// `SECS`: how long each measurement lasts.
    pub(crate) time: Duration,
    /// `SITES`: over how many sites, each of an account of its own, the debits are spread.
    pub(crate) sites: usize,
    /// `WALLETS`: the same for the row with many wallets.
    pub(crate) wallets: usize,
    /// `GROWN`: over how many sites the large ledger is spread.
    pub(crate) grown: usize,
    /// `ENTRIES`: how many entries the large ledger has.
    pub(crate) entries: usize,
    /// `ONLY`: groups to measure, with commas between; all unless set.
    only: Vec<String>,
    /// `MARKDOWN=1`: prints the table so that it can be pasted into a page.
    pub(crate) markdown: bool,
    /// Where databases are kept from run to run, and made anew.
    pub(crate) folder: PathBuf,
}

impl Settings {
    pub(crate) fn read() -> Self {
        let text = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let number = |name: &str, default: usize| match text(name) {
            None => default,
            Some(text) => {
                text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a whole number of at least 1"))
            }
        };
        let seconds: f64 =
            text("SECS").map_or(2.0, |text| text.parse().expect("SECS is a number of seconds"));
        Self {
            rounds: number("ROUNDS", 5).max(1),
            time: Duration::from_secs_f64(seconds),
            sites: number("SITES", 1_000).max(1),
            wallets: number("WALLETS", 100_000).max(1),
            grown: number("GROWN", 10_000).max(300),
            entries: number("ENTRIES", 1_000_000),
            only: text("ONLY").map(|text| text.split(',').map(str::to_owned).collect()).unwrap_or_default(),
            markdown: text("MARKDOWN").is_some_and(|text| text == "1"),
            folder: PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/bench")),
        }
    }

    /// Whether a group of figures is to be measured.
    pub(crate) fn wants(&self, group: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == group)
    }
}
