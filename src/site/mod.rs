//! Accounts, clients and sites: who owns what.
//!
//! An account is a customer of a store and the unit of everything that must be consistent. A site belongs
//! to one account or to none, and never changes hands silently: [`store::assign`] and [`store::import`]
//! refuse a site that somebody else owns. Reading by name never opens an account; only [`store::open`] and
//! [`store::open_account`] do. What is done to an account as a whole is in [`crate::account`].
//!
//! This module moves no credits: what lies in a site's compartment stays with its account.

pub mod import;
pub mod kept;
pub mod store;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::{AccountId, ClientId, SiteId};
use crate::schema;
use crate::time::Timestamp;

/// The longest label of a site, as for every label.
pub const LABEL_CHARS_MAX: usize = 500;

/// The longest address, as mail allows it.
const ADDRESS_CHARS_MAX: usize = 254;

/// The longest name of an account that is kept.
const NAME_CHARS_MAX: usize = 200;

/// How people and programs name an account: `acc_…`, `STORE:customer:ID` or `STORE:email:ADDRESS`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountRef {
    /// By the id the daemon gave it.
    Id(AccountId),
    /// By the name its store knows it by.
    Customer {
        /// The store.
        store: String,
        /// Its name for the customer.
        key: NaturalKey,
    },
}

/// What a store calls a customer: `customer:ID` if registered, `email:ADDRESS` for a guest.
///
/// An address is trimmed and lower-cased, so two spellings of it are one customer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NaturalKey(Key);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Key {
    Customer(i64),
    Email(String),
}

/// Why a text does not name an account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAccount {
    /// It has none of the three forms.
    #[error("{0:?} does not name an account: write acc_…, STORE:customer:ID or STORE:email:ADDRESS")]
    Form(String),
    /// The number after `customer:` is none that a shop gives.
    #[error("{0:?} is not a customer number: it is a whole number above 0, a guest is named by address")]
    Number(String),
    /// What follows `email:` is no address.
    #[error("{0:?} is not an e-mail address")]
    Address(String),
}

impl NaturalKey {
    /// The registered customer `id`; `None` for 0, which is how WooCommerce says guest.
    #[must_use]
    pub fn customer(id: i64) -> Option<Self> {
        (id > 0).then_some(Self(Key::Customer(id)))
    }

    /// The guest with this address; nothing if it cannot be one.
    #[must_use]
    pub fn email(address: &str) -> Option<Self> {
        let address = address.trim().to_lowercase();
        let plausible =
            address.rsplit_once('@').is_some_and(|(person, host)| !person.is_empty() && !host.is_empty())
                && !address.contains(|c: char| c.is_whitespace() || c.is_control())
                && address.chars().count() <= ADDRESS_CHARS_MAX;
        plausible.then_some(Self(Key::Email(address)))
    }

    /// Whether it is a guest's: an address, and no number of a registered customer.
    #[must_use]
    pub fn is_guest(&self) -> bool {
        matches!(self.0, Key::Email(_))
    }

    /// What an account is called until an order tells its customer's name.
    #[must_use]
    pub fn default_name(&self) -> String {
        match &self.0 {
            Key::Customer(id) => format!("Customer {id}"),
            Key::Email(address) => address.clone(),
        }
    }
}

impl fmt::Display for NaturalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Key::Customer(id) => write!(f, "customer:{id}"),
            Key::Email(address) => write!(f, "email:{address}"),
        }
    }
}

impl FromStr for NaturalKey {
    type Err = NotAnAccount;

    fn from_str(text: &str) -> Result<Self, NotAnAccount> {
        match text.split_once(':') {
            Some(("customer", number)) => number
                .bytes()
                .all(|byte| byte.is_ascii_digit())
                .then(|| number.parse().ok().and_then(Self::customer))
                .flatten()
                .ok_or_else(|| NotAnAccount::Number(shorten(number))),
            Some(("email", address)) => {
                Self::email(address).ok_or_else(|| NotAnAccount::Address(shorten(address)))
            }
            _ => Err(NotAnAccount::Form(shorten(text))),
        }
    }
}

impl fmt::Display for AccountRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Customer { store, key } => f.pad(&format!("{store}:{key}")),
        }
    }
}

impl FromStr for AccountRef {
    type Err = NotAnAccount;

    fn from_str(text: &str) -> Result<Self, NotAnAccount> {
        let text = text.trim();
        match text.split_once(':') {
            None => text.parse().map(Self::Id).map_err(|_| NotAnAccount::Form(shorten(text))),
            Some(("", _)) => Err(NotAnAccount::Form(shorten(text))),
            Some((store, key)) => match key.parse() {
                Ok(key) => Ok(Self::Customer { store: store.to_owned(), key }),
                Err(NotAnAccount::Form(_)) => Err(NotAnAccount::Form(shorten(text))),
                Err(wrong) => Err(wrong),
            },
        }
    }
}

impl From<AccountId> for AccountRef {
    fn from(id: AccountId) -> Self {
        Self::Id(id)
    }
}

/// Whose credits a command or a request is about: `site:ID` or `account:ACC`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WalletRef {
    /// What one site can spend.
    Site(SiteId),
    /// All that an account has.
    Account(AccountRef),
}

/// Why a text does not name a wallet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAWallet {
    /// It has neither form.
    #[error("{0:?} does not name a wallet: write site:ID or account:ACC")]
    Form(String),
    /// What follows `site:` is no site id.
    #[error(transparent)]
    Site(#[from] crate::id::NotAnId),
    /// What follows `account:` names no account.
    #[error(transparent)]
    Account(#[from] NotAnAccount),
}

impl fmt::Display for WalletRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Site(site) => f.pad(&format!("site:{site}")),
            Self::Account(account) => f.pad(&format!("account:{account}")),
        }
    }
}

impl FromStr for WalletRef {
    type Err = NotAWallet;

    fn from_str(text: &str) -> Result<Self, NotAWallet> {
        match text.split_once(':') {
            Some(("site", site)) => Ok(Self::Site(site.parse()?)),
            Some(("account", account)) => Ok(Self::Account(account.parse()?)),
            _ => Err(NotAWallet::Form(shorten(text))),
        }
    }
}

schema::text!(AccountRef, "AccountName", "An account: by its id, or by the name its store knows it by.", {
    "pattern": ACCOUNT, "examples": ["shop:customer:17"]
});

schema::text!(WalletRef, "WalletName", "A wallet: one site's, or all that an account has.", {
    "pattern": format!(r"^(site:[A-Za-z0-9._:-]{{1,128}}|account:{})$", &ACCOUNT[1..ACCOUNT.len() - 1]),
    "examples": ["site:site-123", "account:shop:customer:17"]
});

/// The forms of an account, as a pattern.
const ACCOUNT: &str = r"^(\s*(acc_[0-9a-f]{32}|[^:]+:customer:[0-9]+|[^:]+:email:.+@.+)\s*)$";

/// Reads and writes a type as the text it is written as everywhere.
macro_rules! as_text {
    ($($type:ty),*) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

as_text!(NaturalKey, AccountRef, WalletRef);

/// A customer of a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// What people call it.
    pub name: String,
    /// What its stores call it, like `lab:customer:2`.
    pub names: Vec<AccountRef>,
    /// Whose midnight ends its days.
    pub time_zone: String,
    /// Where purchases without a site go; nowhere in particular if none.
    pub default_site: Option<SiteId>,
    /// Why it is frozen, if it is.
    pub frozen_reason: Option<String>,
    /// How many sites it owns.
    pub site_count: i64,
    /// The account it is part of now, if it was merged.
    pub merged_into: Option<AccountId>,
    /// When names and addresses were removed from it, if they were.
    pub erased_at: Option<Timestamp>,
    /// When it was opened.
    pub created_at: Timestamp,
}

/// A customer's website, as far as it is known here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Site {
    /// What the customer calls it.
    pub id: SiteId,
    /// A name for people.
    pub label: Option<String>,
    /// The client an agency runs it for.
    pub client: Option<ClientId>,
    /// Who owns it; nobody if it was unassigned.
    pub account: Option<Owner>,
    /// Whether it may spend from its account's pool.
    pub uses_pool: bool,
    /// The order that registered it, if no person has confirmed it since.
    pub from_order: Option<FromOrder>,
    /// To whom its owner offers it, as long as that stands.
    pub offer: Option<Offer>,
    /// When it was first known.
    pub created_at: Timestamp,
}

/// A site that its owner offers to another account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "SiteOffer")]
pub struct Offer {
    /// To whom.
    pub to: Owner,
    /// When it was offered.
    pub offered_at: Timestamp,
    /// From when nobody can accept it.
    pub ends_at: Timestamp,
}

/// Who owns a site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Owner {
    /// The account.
    pub id: AccountId,
    /// What people call it.
    pub name: String,
}

/// Which order registered a site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct FromOrder {
    /// The store's name; its number if the store was removed.
    pub store: String,
    /// The order's number there.
    pub order: i64,
}

/// What to do with a fact about a site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Field<T> {
    /// Leave it as it is.
    #[default]
    Keep,
    /// Take it away.
    Clear,
    /// Make it this.
    Set(T),
}

impl<T> Field<T> {
    /// What becomes of `present`.
    pub fn over(&self, present: Option<T>) -> Option<T>
    where
        T: Clone,
    {
        match self {
            Self::Keep => present,
            Self::Clear => None,
            Self::Set(value) => Some(value.clone()),
        }
    }
}

/// Why a text cannot be a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotALabel {
    /// It is too long.
    #[error("a label has at most {LABEL_CHARS_MAX} characters")]
    TooLong,
    /// It has line breaks or other control characters.
    #[error("a label has no line breaks or other control characters")]
    Control,
}

/// Reads a label; an empty one means none.
pub fn parse_label(text: &str) -> Result<Field<String>, NotALabel> {
    let text = text.trim();
    if text.chars().count() > LABEL_CHARS_MAX {
        Err(NotALabel::TooLong)
    } else if text.contains(|c: char| c.is_control()) {
        Err(NotALabel::Control)
    } else if text.is_empty() {
        Ok(Field::Clear)
    } else {
        Ok(Field::Set(text.to_owned()))
    }
}

/// Reads a client's id; an empty one means none.
pub fn parse_client(text: &str) -> Result<Field<ClientId>, crate::id::NotAnId> {
    match text.trim() {
        "" => Ok(Field::Clear),
        text => text.parse().map(Field::Set),
    }
}

/// A name as it is kept: one line, trimmed, not too long; nothing if nothing is left of it.
fn tidy_name(text: &str) -> Option<String> {
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
    let name: String = words.join(" ").chars().take(NAME_CHARS_MAX).collect();
    (!name.is_empty()).then_some(name)
}

fn shorten(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_three_names() {
        let id = AccountId::new();
        for (text, shown) in [
            (id.to_string(), id.to_string()),
            ("lab:customer:2".to_owned(), "lab:customer:2".to_owned()),
            ("lab:customer:007".to_owned(), "lab:customer:7".to_owned()),
            ("lab:email: Alice@Example.COM ".to_owned(), "lab:email:alice@example.com".to_owned()),
            ("lab:email:a:b@example.com".to_owned(), "lab:email:a:b@example.com".to_owned()),
        ] {
            let account: AccountRef = text.parse().unwrap();
            assert_eq!(account.to_string(), shown);
            assert_eq!(shown.parse::<AccountRef>().unwrap(), account, "reads back");
        }
    }

    #[test]
    fn what_names_no_account_is_refused() {
        for text in [
            "",
            "acc_",
            "acc_123",
            "lab",
            "lab:2",
            ":customer:2",
            "lab:customer:",
            "lab:customer:0",
            "lab:customer:-2",
            "lab:customer:+2",
            "lab:customer:2x",
            "lab:customer:99999999999999999999",
            "lab:email:",
            "lab:email:alice",
            "lab:email:@example.com",
            "lab:email:alice@",
            "lab:email:a lice@example.com",
            "lab:phone:123",
        ] {
            assert!(text.parse::<AccountRef>().is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn a_wallet_is_a_site_or_an_account() {
        for text in ["site:site-123", "site:shop.example:8080", "account:lab:customer:2"] {
            assert_eq!(text.parse::<WalletRef>().unwrap().to_string(), text);
        }
        for text in ["", "site-123", "site:", "site:a b", "account:", "account:lab", "me", "pool:1"] {
            assert!(text.parse::<WalletRef>().is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn labels_are_one_line() {
        assert_eq!(parse_label(" Shop "), Ok(Field::Set("Shop".to_owned())));
        assert_eq!(parse_label("  "), Ok(Field::Clear));
        assert_eq!(parse_label("a\nb"), Err(NotALabel::Control));
        assert_eq!(parse_label(&"x".repeat(501)), Err(NotALabel::TooLong));
        assert!(parse_label(&"ü".repeat(500)).is_ok(), "characters count, not bytes");
    }
}
