//! Links with which somebody who bought as a guest claims those credits for a registered account, once.
//!
//! A link carries a token: the guest's account, until when it is good, and a signature over both that only
//! this database's secret can make. Nothing is kept of a token; that it was used shows in the account, which
//! is part of another one then.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::TryRng as _;
use rand::rngs::SysRng;
use secrecy::{ExposeSecret as _, SecretSlice};
use serde::Serialize;
use sha2::Sha256;

use super::merge::{self, Change, Merged};
use super::store;
use crate::db::{self, Tx};
use crate::id::AccountId;
use crate::site::{self, Account, AccountRef};
use crate::time::Timestamp;

/// The query parameter of a link that carries the token.
pub const PARAMETER: &str = "nivella_claim";

/// What the secret is for: its name in the database, and what each signature begins with, so that none made
/// for another purpose is good here.
pub(super) const PURPOSE: &str = "claim";

/// As many random bytes as a SHA-256 signature has.
const SECRET_BYTES: usize = 32;

/// Longer than any token.
const TOKEN_BYTES_MAX: usize = 256;

/// What claims are signed with.
#[derive(Clone, Debug)]
pub struct Secret(SecretSlice<u8>);

impl Secret {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }

    pub(super) fn generate() -> Result<Self, std::io::Error> {
        let mut random = vec![0_u8; SECRET_BYTES];
        SysRng
            .try_fill_bytes(&mut random)
            .map_err(|error| std::io::Error::other(format!("the system gives no randomness: {error}")))?;
        Ok(Self::new(random))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.expose_secret()
    }

    #[expect(clippy::unwrap_used, reason = "HMAC takes a key of any length")]
    fn keyed(&self, payload: &str) -> Hmac<Sha256> {
        let mut mac = Hmac::new_from_slice(self.bytes()).unwrap();
        mac.update(format!("{PURPOSE}:{payload}").as_bytes());
        mac
    }

    /// The token for `account`, good until `expires_at`.
    #[must_use]
    pub fn token(&self, account: &AccountId, expires_at: Timestamp) -> String {
        let payload = format!("{account}.{}", expires_at.millis());
        let signature = self.keyed(&payload).finalize().into_bytes();
        format!("{payload}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    /// Whose token this is and until when it is good, if this secret signed it. Takes the same time for every
    /// signature.
    fn read(&self, token: &str) -> Option<(AccountId, Timestamp)> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let (payload, signature) = token.rsplit_once('.')?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
        self.keyed(payload).verify_slice(&signature).ok()?;
        let (account, millis) = payload.split_once('.')?;
        Some((account.parse().ok()?, Timestamp::from_millis(millis.parse().ok()?)))
    }
}

/// Why there is no link, or why it was not honoured.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A registered customer's account needs no link: its credits are there when the customer signs in.
    #[error("account {0} belongs to a registered customer: only a guest's can be claimed")]
    Registered(AccountId),
    /// No shop knows an address for it.
    #[error("no store knows account {0} by an address: there is nobody to send a link to")]
    Nameless(AccountId),
    /// Several shops know it, and a link leads to one.
    #[error("account {account} is known to several stores: {}", stores.join(", "))]
    WhichStore {
        /// The account.
        account: AccountId,
        /// The stores.
        stores: Vec<String>,
    },
    /// A link that is good for no time opens nothing.
    #[error("{0} is in the past: a link expires later than now")]
    Past(Timestamp),
    /// The system has no randomness to give.
    #[error(transparent)]
    Randomness(#[from] std::io::Error),
    /// Not a token this database signed.
    #[error("this is no claim token, or not one of this wallet")]
    Forged,
    /// Its time is over.
    #[error("the claim link was good until {0}")]
    Expired(Timestamp),
    /// Somebody was faster.
    #[error("account {account} was claimed before, for {into}")]
    Claimed {
        /// The guest's account.
        account: AccountId,
        /// Who has its credits now.
        into: AccountId,
    },
    /// The merge was refused.
    #[error(transparent)]
    Account(#[from] super::Error),
}

impl From<db::Error> for Error {
    fn from(error: db::Error) -> Self {
        Self::Account(error.into())
    }
}

impl From<site::store::Error> for Error {
    fn from(error: site::store::Error) -> Self {
        Self::Account(error.into())
    }
}

/// A claim link.
#[derive(Clone, Debug, Serialize)]
pub struct Link {
    /// Whose credits it gives away.
    pub account: AccountId,
    /// Which shop it leads to.
    pub store: String,
    /// Until when it is good.
    pub expires_at: Timestamp,
    /// What the link carries; a placeholder when the secret was not to be made.
    #[serde(skip)]
    pub token: String,
    /// The link.
    pub url: String,
}

/// Makes a link for a guest's account to the shop that knows it; `store` says which where several do.
///
/// With `signs` off the link is shown with a placeholder, as a command that is only tried shows it.
///
/// # Errors
/// [`Error::Registered`], [`Error::Nameless`], [`Error::WhichStore`], [`Error::Past`], and
/// [`Error::Account`] for a name nobody has or an account that was merged.
pub fn link(
    tx: &mut Tx<'_>,
    account: &AccountRef,
    store: Option<&str>,
    expires_at: Timestamp,
    signs: bool,
) -> Result<Link, Error> {
    let unknown = || site::store::Error::UnknownAccount(account.clone());
    let id = site::store::known(tx, account)?;
    let found = site::store::account(tx, &id)?.ok_or_else(unknown)?;
    if let Some(into) = found.merged_into {
        return Err(super::Error::Merged { account: id, into }.into());
    }
    if !is_guest(&found) {
        return Err(Error::Registered(id));
    }
    if expires_at <= tx.now() {
        return Err(Error::Past(expires_at));
    }
    let mut stores: Vec<String> = found
        .names
        .iter()
        .filter_map(|name| match name {
            AccountRef::Customer { store, .. } => Some(store.clone()),
            AccountRef::Id(_) => None,
        })
        .filter(|name| store.is_none_or(|store| store == name))
        .collect();
    stores.dedup();
    let name = match (stores.len(), store) {
        (1, _) => stores.swap_remove(0),
        (0, Some(store)) => return Err(site::store::Error::UnknownStore(store.to_owned()).into()),
        (0, None) => return Err(Error::Nameless(id)),
        _ => return Err(Error::WhichStore { account: id, stores }),
    };
    let token = if signs { store::make_secret(tx)?.token(&id, expires_at) } else { "TOKEN".to_owned() };
    let url = with_parameter(&store::store_url(tx, &name)?, PARAMETER, &token);
    Ok(Link { account: id, store: name, expires_at, token, url })
}

/// Makes the guest's account of `token` part of the account `into`, once.
///
/// # Errors
/// [`Error::Forged`], [`Error::Claimed`], [`Error::Expired`], and what [`merge::merge`] refuses.
pub fn claim(tx: &mut Tx<'_>, token: &str, into: &AccountRef) -> Result<Merged, Error> {
    let (account, expires_at) =
        store::secret(tx)?.and_then(|secret| secret.read(token)).ok_or(Error::Forged)?;
    let found = site::store::account(tx, &account)?
        .ok_or_else(|| site::store::Error::UnknownAccount(account.clone().into()))?;
    if let Some(into) = found.merged_into {
        return Err(Error::Claimed { account, into });
    }
    // A registered customer's account was merged into it meanwhile: so it is that customer's.
    if !is_guest(&found) {
        return Err(Error::Claimed { into: account.clone(), account });
    }
    if expires_at <= tx.now() {
        return Err(Error::Expired(expires_at));
    }
    let merged = merge::merge(tx, &account.into(), into)?;
    if merged.change == Change::Unchanged {
        return Err(super::Error::Itself(into.clone()).into());
    }
    Ok(merged)
}

fn is_guest(account: &Account) -> bool {
    account.names.iter().all(|name| match name {
        AccountRef::Customer { key, .. } => key.is_guest(),
        AccountRef::Id(_) => true,
    })
}

/// `url` with one more parameter in its query, before a fragment if it has one.
fn with_parameter(url: &str, name: &str, value: &str) -> String {
    let (url, fragment) = url.split_once('#').map_or((url, None), |(url, fragment)| (url, Some(fragment)));
    let (place, query) = url.split_once('?').map_or((url, None), |(place, query)| (place, Some(query)));
    // A shop's address is mostly written without the slash that its root has.
    let authority = place.split_once("://").map_or(place, |(_, rest)| rest);
    let slash = if authority.contains('/') { "" } else { "/" };
    let query = query.filter(|query| !query.is_empty()).map_or(String::new(), |query| format!("{query}&"));
    let fragment = fragment.map_or(String::new(), |fragment| format!("#{fragment}"));
    format!("{place}{slash}?{query}{name}={value}{fragment}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_one_secret_and_as_it_was_made() {
        let secret = Secret::generate().unwrap();
        let (account, until) = (AccountId::new(), Timestamp::from_millis(1_795_000_000_000));
        let token = secret.token(&account, until);
        assert_eq!(secret.read(&token), Some((account.clone(), until)));
        assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)), "{token}");
        assert_eq!(Secret::generate().unwrap().read(&token), None);
        for at in 0..token.len() {
            let mut other = token.clone().into_bytes();
            other[at] = if other[at] == b'0' { b'1' } else { b'0' };
            assert_eq!(secret.read(&String::from_utf8(other).unwrap()), None, "changed at {at}");
        }
        for wrong in ["", ".", "..", &token[1..], &token[..token.len() - 1], &format!("{token}.")] {
            assert_eq!(secret.read(wrong), None, "{wrong:?}");
        }
        assert!(!format!("{secret:?}").contains(&format!("{:?}", secret.bytes())));
    }

    #[test]
    fn a_parameter_is_added_to_any_address() {
        for (url, expected) in [
            ("https://shop.example", "https://shop.example/?a=b"),
            ("https://shop.example/", "https://shop.example/?a=b"),
            ("https://shop.example/de", "https://shop.example/de?a=b"),
            ("https://shop.example/?lang=de", "https://shop.example/?lang=de&a=b"),
            ("https://shop.example/?", "https://shop.example/?a=b"),
            ("https://shop.example?x=1#top", "https://shop.example/?x=1&a=b#top"),
        ] {
            assert_eq!(with_parameter(url, "a", "b"), expected);
        }
    }
}
