//! What a key may see and do, as it is written.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::{AccountId, ClientId, SiteId};
use crate::site::AccountRef;

/// One thing a key may see or do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Everything.
    Admin,
    /// Spend for any site, and read any wallet.
    Debit,
    /// Spend for one site, and read its wallet.
    DebitSite(SiteId),
    /// Spend for the sites of one account, and read its wallets.
    DebitAccount(AccountRef),
    /// Read an account's wallet and its sites'.
    Account(AccountRef),
    /// Read the wallets of the sites an agency runs for one client.
    Client(AccountRef, ClientId),
    /// Read one site's wallet.
    Site(SiteId),
}

/// Why a text is not a scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAScope {
    /// It has none of the forms.
    #[error(
        "{0:?} is not a scope: write admin, debit, debit:site:SITE, debit:account:ACC, account:ACC, \
         client:ACC/CLIENT or site:SITE"
    )]
    Form(String),
    /// It names no site or client.
    #[error(transparent)]
    Id(#[from] crate::id::NotAnId),
    /// It names no account.
    #[error(transparent)]
    Account(#[from] crate::site::NotAnAccount),
}

impl Scope {
    /// Whether keys with these scopes are each for one website: all they do is read sites.
    #[must_use]
    pub fn are_of_website(scopes: &[Self]) -> bool {
        scopes.iter().all(|scope| matches!(scope, Self::Site(_)))
    }

    /// The same scope, with its account by id where it was named `name`.
    #[must_use]
    pub(super) fn renamed(&self, name: &AccountRef, id: &AccountId) -> Self {
        let account =
            |account: &AccountRef| if account == name { id.clone().into() } else { account.clone() };
        match self {
            Self::DebitAccount(named) => Self::DebitAccount(account(named)),
            Self::Account(named) => Self::Account(account(named)),
            Self::Client(named, client) => Self::Client(account(named), client.clone()),
            Self::Admin | Self::Debit | Self::DebitSite(_) | Self::Site(_) => self.clone(),
        }
    }
}

impl FromStr for Scope {
    type Err = NotAScope;

    fn from_str(text: &str) -> Result<Self, NotAScope> {
        let wrong = || NotAScope::Form(text.chars().take(64).collect());
        match text.split_once(':') {
            None if text == "admin" => Ok(Self::Admin),
            None if text == "debit" => Ok(Self::Debit),
            Some(("account", account)) => Ok(Self::Account(account.parse()?)),
            Some(("site", site)) => Ok(Self::Site(site.parse()?)),
            // An address may hold a slash, a client's id may not: the last one divides them.
            Some(("client", rest)) => {
                let (account, client) = rest.rsplit_once('/').ok_or_else(wrong)?;
                Ok(Self::Client(account.parse()?, client.parse()?))
            }
            Some(("debit", rest)) => match rest.split_once(':') {
                Some(("site", site)) => Ok(Self::DebitSite(site.parse()?)),
                Some(("account", account)) => Ok(Self::DebitAccount(account.parse()?)),
                _ => Err(wrong()),
            },
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Admin => f.pad("admin"),
            Self::Debit => f.pad("debit"),
            Self::DebitSite(site) => f.pad(&format!("debit:site:{site}")),
            Self::DebitAccount(account) => f.pad(&format!("debit:account:{account}")),
            Self::Account(account) => f.pad(&format!("account:{account}")),
            Self::Client(account, client) => f.pad(&format!("client:{account}/{client}")),
            Self::Site(site) => f.pad(&format!("site:{site}")),
        }
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_written_as_they_are_read() {
        let account = crate::id::AccountId::new();
        for text in [
            "admin",
            "debit",
            "debit:site:site-123",
            "debit:account:lab:customer:2",
            "account:lab:email:a@example.com",
            "client:lab:customer:2/acme",
            "client:lab:email:a/b@example.com/acme",
            "site:shop.example:8080",
            &format!("account:{account}"),
            &format!("client:{account}/acme"),
        ] {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_not_a_scope_is_refused() {
        for text in [
            "",
            "Admin",
            "admin:",
            "debit:",
            "debit:all",
            "debit:site",
            "debit:site:",
            "debit:client:lab:customer:2/acme",
            "account",
            "account:",
            "account:lab",
            "client:lab:customer:2",
            "client:lab:customer:2/",
            "site:a b",
            "site:",
            "read",
        ] {
            assert!(text.parse::<Scope>().is_err(), "{text:?} was taken");
        }
    }
}
