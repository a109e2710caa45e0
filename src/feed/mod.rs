//! What a customer sees of a wallet: its numbers, its history, its use.
//!
//! A [`wallet::Wallet`] is what somebody asked for after it was found and allowed; everything else is read
//! through one. A site's wallet shows its own compartment and, while the site may use it, the pool; nothing
//! it answers tells of another site. Nothing here writes, and asking for what does not exist makes nothing.
//!
//! What the assistant service says about a debit in private (`debit.usage`) is never read by this module,
//! so no answer can hold it.

pub mod activity;
mod around;
pub mod cursor;
pub mod explain;
pub mod grants;
mod ground;
mod kept;
pub mod page;
pub mod past;
pub mod runway;
mod store;
pub mod usage;
pub mod wallet;

use crate::db::{self, Tx};
use crate::id::AccountId;
use crate::ledger::position::AlertLevel;

pub use self::around::Around;
pub use self::ground::Ground;
pub use self::kept::Kept;
pub use self::wallet::Wallet;

/// What the configuration says about all wallets.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What customers call credits.
    pub unit: String,
    /// The balances at which a customer is told, highest first.
    pub low_balance: Vec<AlertLevel>,
    /// Where credits are bought, if not in the shop's own category.
    pub top_up_url: Option<String>,
    /// Where the shop explains its credits.
    pub docs_url: Option<String>,
}

/// Where the account's customer buys more credits: what is configured, else the shop's own category.
pub fn top_up_url(
    tx: &mut Tx<'_>,
    settings: &Settings,
    account: &AccountId,
) -> Result<Option<String>, db::Error> {
    match &settings.top_up_url {
        Some(url) => Ok(Some(url.clone())),
        None => store::tokens_category_url(tx, account),
    }
}

/// As long as no configuration says otherwise.
impl Default for Settings {
    fn default() -> Self {
        Self {
            unit: "AI Credits".to_owned(),
            low_balance: vec![
                AlertLevel::Percent(20),
                AlertLevel::Percent(5),
                AlertLevel::Credits(crate::units::Credits::ZERO),
            ],
            top_up_url: None,
            docs_url: None,
        }
    }
}

/// One page of a list.
#[derive(Clone, Debug, serde::Serialize, schemars::JsonSchema)]
#[schemars(rename = "{T}List")]
pub struct List<T> {
    /// The rows of this page.
    pub items: Vec<T>,
    /// Where the next page begins; nothing on the last one.
    pub next_cursor: Option<String>,
}
