//! Pairing: a shop's plugin and this program exchange their secrets, with a code that is good once.
//!
//! Whoever runs this program makes a code and pastes it into the shop. The shop answers with its address, the secret
//! that it signs its webhooks with and, if it likes, REST keys; it gets an API key. So nobody copies five secrets by hand,
//! and a shop that is paired again loses nothing: its store keeps its books and settings, the former key opens nothing
//! from then on, and the former webhook secret is taken a day longer.
//!
//! Of a code only the SHA-256 is kept. It stands behind the `#` of a link, which browsers send to nobody.

mod code;
pub mod store;

pub use self::code::{Guesses, NotAToken, Token};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rand::TryRng as _;
use rand::rngs::SysRng;
use reqwest::Url;
use secrecy::SecretString;

use crate::access::{self, KeySecret, Scope};
use crate::catalog;
use crate::db::{self, Tx};
use crate::id::KeyId;
use crate::shop::store::{self as shops, OLD_SECRET_VALID_MS, Settings};
use crate::shop::{HookSecret, RestKeys, ShopUrl, Store, StoreName};
use crate::time::Timestamp;

/// Where a pairing code leads, below the address of this program.
pub const PATH: &str = "/pair";

/// Why nobody was paired, or no code was made. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody has this code, or no longer. Which of these it is says nothing to a stranger.
    #[error(
        "this pairing code is not known, was used before or is over: `nivella-wallet store pair NAME` makes a new one"
    )]
    Ended,
    /// The store is another shop's.
    #[error(
        "store {store} belongs to {belongs_to}, and this shop is {url}: if the shop moved, \
         `nivella-wallet store set {store} --url {url}` says so; a second shop needs a store of its own, \
         `nivella-wallet store pair NAME --url {url}`"
    )]
    Elsewhere {
        /// The store.
        store: StoreName,
        /// The shop it is for.
        belongs_to: String,
        /// The shop that asks.
        url: String,
    },
    /// The code is for another shop.
    #[error(
        "this code is for {made_for}, and this shop is {url}: `nivella-wallet store pair {store} --url {url}` makes one \
         for it"
    )]
    MadeFor {
        /// The store that the code would make.
        store: StoreName,
        /// The shop it was made for.
        made_for: String,
        /// The shop that asks.
        url: String,
    },
    /// The store could not be written.
    #[error(transparent)]
    Store(#[from] shops::Error),
    /// The key could not be made.
    #[error(transparent)]
    Key(#[from] access::store::Error),
    /// The system has no randomness to give.
    #[error(transparent)]
    Randomness(#[from] std::io::Error),
}

impl From<db::Error> for Error {
    fn from(error: db::Error) -> Self {
        Self::Store(error.into())
    }
}

/// A code that was made and not used yet, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// The store that it pairs, which need not be there yet.
    pub store: StoreName,
    /// Where the shop reaches this program.
    pub address: Address,
    /// The shop it is for, if that was said.
    pub url: Option<ShopUrl>,
    /// From when it is good for nothing.
    pub expires_at: Timestamp,
}

/// A store whose shop was paired.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Pairing {
    /// The store's number.
    #[serde(skip)]
    pub store: i64,
    /// The API key that the shop asks with.
    pub key: KeyId,
    /// When.
    pub paired_at: Timestamp,
    /// The REST key that the shop brought.
    #[serde(skip)]
    pub consumer_key: Option<String>,
}

/// Where a shop reaches this program: http or https, perhaps with a path, without a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(Url);

/// Why a text is not such an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an address this program can be reached at: write it like https://wallet.example")]
pub struct NotAnAddress(String);

impl std::str::FromStr for Address {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let wrong = || NotAnAddress(text.chars().take(200).collect());
        let mut url = Url::parse(text.trim()).map_err(|_| wrong())?;
        let is_plain = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
            && url.port() != Some(0);
        if !is_plain {
            return Err(wrong());
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.0.as_str().trim_end_matches('/'))
    }
}

impl Address {
    /// What is pasted into the shop: the whole code.
    #[must_use]
    pub fn link(&self, token: &Token) -> String {
        format!("{self}{PATH}#{}", token.reveal())
    }

    /// Where the webhooks of a store deliver.
    #[must_use]
    pub fn webhooks(&self, store: &StoreName) -> String {
        format!("{self}/webhooks/woocommerce/{store}")
    }

    /// Whether what is sent there can be read on the way: not encrypted, and not to this machine.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let is_here =
            host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        self.0.scheme() != "https" && !is_here
    }
}

/// Where a shop wants to be told of events: an address of its own website.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventsUrl(Url);

/// Why a text is not such an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnEventsUrl {
    /// Not an address of the web, or with a user in it.
    #[error(
        "is not an address of the web: write it like https://shop.example/wp-json/nivella-credit-wallet/v1/events"
    )]
    Unreadable,
    /// Longer than any.
    #[error("is longer than {URL_BYTES_MAX} bytes")]
    Long,
}

/// Longer than any address a shop has.
const URL_BYTES_MAX: usize = 2000;

impl std::str::FromStr for EventsUrl {
    type Err = NotAnEventsUrl;

    fn from_str(text: &str) -> Result<Self, NotAnEventsUrl> {
        if text.len() > URL_BYTES_MAX {
            return Err(NotAnEventsUrl::Long);
        }
        let url = Url::parse(text.trim()).map_err(|_| NotAnEventsUrl::Unreadable)?;
        let is_plain = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none();
        if is_plain { Ok(Self(url)) } else { Err(NotAnEventsUrl::Unreadable) }
    }
}

impl EventsUrl {
    /// Whether it is on the website of `shop`, and not at another door of the same machine: nobody is told of a shop's
    /// customers but the shop. One that got a certificate since is still itself.
    #[must_use]
    pub fn is_of(&self, shop: &ShopUrl) -> bool {
        let (host, port) = shop.host_and_port();
        let is_certified = self.0.scheme() == "https" && self.0.port().is_none();
        self.0.host_str() == Some(host) && (is_certified || self.0.port_or_known_default() == port)
    }

    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// What a shop brings.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The address of its front page.
    pub url: ShopUrl,
    /// What it signs its webhooks with.
    pub webhook_secret: HookSecret,
    /// What it may be asked with; without them those that are there stay.
    pub rest: Option<RestKeys>,
    /// Where it wants to be told of events, if at all.
    pub events: Option<EventsUrl>,
}

/// A shop that was paired, and what it gets for it. Nothing of this is kept as it is here.
#[derive(Debug)]
pub struct Paired {
    /// The store.
    pub store: Store,
    /// The id of its API key.
    pub key_id: KeyId,
    /// The API key.
    pub key: KeySecret,
    /// Where its webhooks deliver.
    pub webhook_url: String,
    /// What events are signed with, if it wants any.
    pub events_secret: Option<SecretString>,
}

/// Makes a code for the store `name`; one that was made for it before is good no longer. Answers whether there was one.
///
/// # Errors
/// [`Error::Elsewhere`] when the store is there and belongs to another shop than `code.url`.
pub fn offer(tx: &mut Tx<'_>, code: &Code, token: &Token) -> Result<bool, Error> {
    let known = shops::find(tx, &code.store)?;
    if let (Some(known), Some(url)) = (known, &code.url) {
        check_place(&code.store, &known.url, url)?;
    }
    Ok(store::keep_code(tx, code, &token.hash())?)
}

/// Pairs the shop that has `token`, once: the store is made if it is not there.
///
/// # Errors
/// [`Error::Ended`], [`Error::Elsewhere`], [`Error::MadeFor`].
pub fn pair(tx: &mut Tx<'_>, token: &Token, asked: Asked) -> Result<Paired, Error> {
    let code = store::code(tx, &token.hash())?.ok_or(Error::Ended)?;
    let Asked { url, webhook_secret, rest, events } = asked;
    let known = shops::find(tx, &code.store)?;
    match (&known, &code.url) {
        (Some(store), _) => check_place(&code.store, &store.url, &url)?,
        (None, Some(made_for)) if !made_for.is_same_place(&url) => {
            let (made_for, url) = (made_for.to_string(), url.to_string());
            return Err(Error::MadeFor { store: code.store, made_for, url });
        }
        (None, _) => {}
    }
    let consumer_key = rest.as_ref().map(|keys| keys.key().to_owned());
    let now = tx.now();
    let (store, before) = if let Some(store) = known {
        let mut settings = shops::settings(tx, store.id)?.ok_or(db::Error::NoRow)?;
        settings.url = url;
        settings.change_secret(webhook_secret, Some(now.plus_millis(OLD_SECRET_VALID_MS)));
        settings.rest_keys = rest.or(settings.rest_keys);
        (shops::update(tx, store.id, &settings)?, store::of(tx, store.id)?)
    } else {
        let settings = Settings { rest_keys: rest, ..Settings::new(url, webhook_secret) };
        (shops::add(tx, &code.store, &settings)?, None)
    };
    if let Some(before) = &before {
        access::store::revoke(tx, &before.key)?;
    }
    let (key, secret) = access::store::create(tx, &format!("store {}", store.name), &[Scope::Admin], None)?;
    let consumer_key = consumer_key.or(before.and_then(|before| before.consumer_key));
    store::keep(tx, &Pairing { store: store.id, key: key.id.clone(), paired_at: now, consumer_key })?;
    let events_secret = events.as_ref().map(|_| events_secret()).transpose()?;
    store::set_events(tx, store.id, events.as_ref().zip(events_secret.as_ref()))?;
    store::end_code(tx, &code.store)?;
    // What could not be asked before can be asked now.
    catalog::store::retry(tx, store.id)?;
    let webhook_url = code.address.webhooks(&store.name);
    Ok(Paired { store, key_id: key.id, key: secret, webhook_url, events_secret })
}

/// Ends the pairing that gave the shop the key `key`: that key opens nothing from now, and the REST keys that the shop
/// brought are forgotten. The store and its books stay. `None` if pairing gave nobody that key.
pub fn end(tx: &mut Tx<'_>, key: &KeyId) -> Result<Option<Store>, Error> {
    let Some(pairing) = store::by_key(tx, key)? else { return Ok(None) };
    let mut settings = shops::settings(tx, pairing.store)?.ok_or(db::Error::NoRow)?;
    // Keys that somebody set by hand since are not the shop's to take away.
    let brought = pairing.consumer_key.as_deref();
    settings.rest_keys.take_if(|keys| brought == Some(keys.key()));
    let store = shops::update(tx, pairing.store, &settings)?;
    access::store::revoke(tx, key)?;
    store::set_events(tx, pairing.store, None)?;
    store::forget(tx, pairing.store)?;
    Ok(Some(store))
}

fn check_place(store: &StoreName, belongs_to: &ShopUrl, url: &ShopUrl) -> Result<(), Error> {
    if belongs_to.is_same_place(url) {
        return Ok(());
    }
    Err(Error::Elsewhere { store: store.clone(), belongs_to: belongs_to.to_string(), url: url.to_string() })
}

/// A secret as Standard Webhooks writes them.
fn events_secret() -> Result<SecretString, std::io::Error> {
    Ok(format!("whsec_{}", BASE64_STANDARD.encode(random()?)).into())
}

/// 256 bits that nobody guesses.
fn random() -> Result<[u8; 32], std::io::Error> {
    let mut random = [0_u8; 32];
    SysRng
        .try_fill_bytes(&mut random)
        .map_err(|error| std::io::Error::other(format!("the system gives no randomness: {error}")))?;
    Ok(random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_that_a_shop_can_reach() {
        for (given, shown, is_open) in [
            ("https://wallet.example/", "https://wallet.example", false),
            (" https://wallet.example/a// ", "https://wallet.example/a", false),
            ("http://wallet.example:8080", "http://wallet.example:8080", true),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080", false),
            ("http://[::1]:8080", "http://[::1]:8080", false),
            ("http://localhost", "http://localhost", false),
        ] {
            let address: Address = given.parse().unwrap();
            assert_eq!((address.to_string().as_str(), address.is_open()), (shown, is_open));
        }
        for bad in
            ["", "wallet.example", "ftp://x", "https://u@x", "https://x?a", "https://x#a", "http://x:0"]
        {
            assert!(bad.parse::<Address>().is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn events_are_told_to_the_shop_itself_and_nobody_else() {
        let shop: ShopUrl = "https://shop.example/de".parse().unwrap();
        for (url, is_its) in [
            ("https://shop.example/wp-json/x", true),
            ("https://SHOP.example/?rest_route=/x", true),
            ("https://other.example/wp-json/x", false),
            ("https://shop.example.evil.example/", false),
            ("https://shop.example:443/", true),
            ("http://shop.example/wp-json/x", false),
            ("http://shop.example:6379/", false),
            ("https://shop.example:8443/", false),
        ] {
            assert_eq!(url.parse::<EventsUrl>().unwrap().is_of(&shop), is_its, "{url}");
        }
        let plain: ShopUrl = "http://shop.example:8081".parse().unwrap();
        for (url, is_its) in [
            ("http://shop.example:8081/?rest_route=/x", true),
            ("https://shop.example/wp-json/x", true),
            ("http://shop.example/wp-json/x", false),
        ] {
            assert_eq!(url.parse::<EventsUrl>().unwrap().is_of(&plain), is_its, "{url}");
        }
        for bad in ["", "shop.example", "file:///etc/passwd", "https://u:p@shop.example/", "https://x/#a"] {
            assert!(bad.parse::<EventsUrl>().is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn what_events_are_signed_with_is_as_standard_webhooks_has_it() {
        use secrecy::ExposeSecret as _;
        let secret = events_secret().unwrap();
        let bytes = secret.expose_secret().strip_prefix("whsec_").map(|rest| BASE64_STANDARD.decode(rest));
        assert_eq!(bytes.unwrap().unwrap().len(), 32);
    }
}
