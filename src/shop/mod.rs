//! The WooCommerce shops that sell credits: their names, addresses and secrets, and how to read them.
//!
//! A delivery of one shop never counts for another: every order, product and customer is known by its
//! number *and* its store. What a shop's products grant is [`crate::catalog`]'s business.
//!
//! Secrets live in [`HookSecret`] and [`ConsumerSecret`]: neither can be printed, and only [`store`] and the
//! two places that sign with them look inside.

pub mod address;
mod finding;
pub mod health;
pub mod kept;
mod oauth;
pub mod rest;
pub mod store;
pub mod trouble;
pub mod watch;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::time::Timestamp;

/// A shop, without its secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Store {
    /// Its number here.
    pub id: i64,
    /// The path segment of its webhook address.
    pub name: StoreName,
    /// Its front page.
    pub url: ShopUrl,
    /// Slugs of the categories whose products grant credits; child categories count. As [`slug`] writes them.
    pub tokens_categories: Vec<String>,
    /// Order statuses that count as paid, as [`status`] writes them.
    pub paid_statuses: Vec<String>,
    /// Meta keys that may name the site, first match wins; as [`meta_key`] writes them.
    pub site_keys: Vec<String>,
    /// The certificate authority its certificate is signed by, if not a public one.
    pub ca_file: Option<PathBuf>,
    /// Whether it can be asked: without keys everything is learned from deliveries alone.
    pub has_rest_keys: bool,
    /// When it was added.
    pub created_at: Timestamp,
}

/// The default of [`Store::tokens_categories`].
pub const TOKENS_CATEGORIES: [&str; 1] = ["tokens"];
/// The default of [`Store::paid_statuses`].
pub const PAID_STATUSES: [&str; 2] = ["processing", "completed"];
/// The default of [`Store::site_keys`].
pub const SITE_KEYS: [&str; 3] = ["_nivella_site_id", "site_id", "_site_id"];

/// A category's slug in the form slugs are compared in.
///
/// WordPress stores slugs in lower case and other scripts percent-encoded (`%d0%b0`), but shows them decoded:
/// both spellings are the same slug.
#[must_use]
pub fn slug(text: &str) -> String {
    percent_decode_str(text.trim()).decode_utf8_lossy().to_lowercase()
}

/// An order status in the form the API writes it: without the `wc-` the shop's database puts before it.
#[must_use]
pub fn status(text: &str) -> String {
    let text = text.trim().to_lowercase();
    text.strip_prefix("wc-").unwrap_or(&text).to_owned()
}

/// A meta key in the form meta keys are compared in: without case, and a space counts as `_`.
#[must_use]
pub fn meta_key(text: &str) -> String {
    text.trim().to_lowercase().replace(' ', "_")
}

/// A shop's name here: the path segment of its webhook address, and the first part of its customers' names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreName(String);

/// Why a text does not name a store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a store name: use 1 to 64 of A-Z a-z 0-9 . _ -, beginning with a letter or digit")]
pub struct NotAStoreName(String);

impl StoreName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

crate::schema::text!(StoreName, "StoreName", "A shop, by the name it was added under.", {
    "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", "examples": ["shop"]
});

impl FromStr for StoreName {
    type Err = NotAStoreName;

    fn from_str(text: &str) -> Result<Self, NotAStoreName> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        // A leading dot would make `.` and `..`, which are no path segments; a leading dash reads as an option.
        let begins_well = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        if begins_well && text.len() <= 64 && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAStoreName(text.chars().take(80).collect()))
        }
    }
}

impl fmt::Display for StoreName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Serialize for StoreName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// The address of a shop's front page: http or https, perhaps with a path, without a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShopUrl(Url);

/// Why a text is not the address of a shop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAShopUrl {
    /// Not an address of the web.
    #[error(
        "{0:?} is not the address of a shop: write it like https://shop.example or https://example.com/shop"
    )]
    Unreadable(String),
    /// It carries a user or a password.
    #[error("leave the user and the password out of the shop's address: its REST keys are given apart")]
    Password,
    /// It carries `?…` or `#…`.
    #[error("write the address of the shop's front page, without anything from ? or # on")]
    Query,
}

impl ShopUrl {
    /// Where the WooCommerce REST API answers `path`.
    #[must_use]
    pub(crate) fn api(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}{API}{path}", self.0.path().trim_end_matches('/')));
        url
    }

    /// Whether requests are encrypted.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The host's name as WordPress knows its own, and the port.
    pub(crate) fn host_and_port(&self) -> (&str, Option<u16>) {
        (self.0.host_str().unwrap_or_default(), self.0.port_or_known_default())
    }

    /// Whether the two are one shop: the same host, port and folder. One that got a certificate is still itself.
    #[must_use]
    pub fn is_same_place(&self, other: &Self) -> bool {
        let place = |url: &Url| {
            let path = url.path().trim_end_matches('/').to_owned();
            (url.host_str().map(str::to_owned), url.port(), path)
        };
        place(&self.0) == place(&other.0)
    }

    /// Whether the shop is on this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

/// Where WordPress with WooCommerce has its REST API when permalinks are not "Plain".
const API: &str = "/wp-json/wc/v3/";

impl FromStr for ShopUrl {
    type Err = NotAShopUrl;

    fn from_str(text: &str) -> Result<Self, NotAShopUrl> {
        let unreadable = || NotAShopUrl::Unreadable(text.chars().take(200).collect());
        let mut url = Url::parse(text.trim()).map_err(|_| unreadable())?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(NotAShopUrl::Password);
        }
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(unreadable());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(NotAShopUrl::Query);
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }
}

impl fmt::Display for ShopUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.as_str().trim_end_matches('/'))
    }
}

impl Serialize for ShopUrl {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What a shop signs its deliveries with, as it was typed into WooCommerce.
#[derive(Clone)]
pub struct HookSecret(SecretString);

/// Why a text is not taken as a webhook secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakSecret {
    /// WooCommerce signs with the empty key all the same, so anybody could.
    #[error(
        "the webhook secret is empty: anybody could sign deliveries; let WooCommerce make one, or `openssl rand -base64 32`"
    )]
    Empty,
    /// It could be guessed from one delivery.
    #[error(
        "the webhook secret has {0} characters: it takes {SECRET_LENGTH_MIN} or more, like the output of `openssl rand -base64 32`"
    )]
    Short(usize),
    /// A line break was left at its end, which WooCommerce would not sign with.
    #[error("the webhook secret contains a line break or another control character")]
    Control,
}

/// At six bits a character 144 bits: nobody tries them all against one recorded delivery.
pub const SECRET_LENGTH_MIN: usize = 24;

impl HookSecret {
    /// The key WooCommerce signs with: the secret after `wp_specialchars_decode( $secret, ENT_QUOTES )`.
    ///
    /// A secret that contains the text `&amp;` is used as `&`. Decoded once: `&amp;lt;` is `&lt;`.
    #[must_use]
    pub fn signing_key(&self) -> SecretString {
        decode_entities(self.0.expose_secret()).into()
    }

    /// The secret as it was typed, for the store's row and for creating webhooks.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl FromStr for HookSecret {
    type Err = WeakSecret;

    fn from_str(text: &str) -> Result<Self, WeakSecret> {
        let length = text.chars().count();
        if text.trim().is_empty() {
            Err(WeakSecret::Empty)
        } else if text.chars().any(char::is_control) {
            Err(WeakSecret::Control)
        } else if length < SECRET_LENGTH_MIN {
            Err(WeakSecret::Short(length))
        } else {
            Ok(Self(text.into()))
        }
    }
}

impl fmt::Debug for HookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HookSecret(…)")
    }
}

/// Turns the entities WordPress calls special characters into what they stand for, in one pass.
fn decode_entities(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, entity) = rest.split_at(at);
        decoded.push_str(before);
        let known = entity.find(';').and_then(|end| Some((special_character(&entity[1..end])?, end)));
        if let Some((character, end)) = known {
            decoded.push(character);
            rest = &entity[end + 1..];
        } else {
            decoded.push('&');
            rest = &entity[1..];
        }
    }
    decoded.push_str(rest);
    decoded
}

/// The character an entity's name stands for; names keep their case, numbers may have leading zeros.
fn special_character(name: &str) -> Option<char> {
    match name {
        "amp" => return Some('&'),
        "lt" => return Some('<'),
        "gt" => return Some('>'),
        "quot" => return Some('"'),
        _ => {}
    }
    let number = name.strip_prefix('#')?;
    match number.strip_prefix(['x', 'X']) {
        Some(hex) => match hex.trim_start_matches('0') {
            "22" => Some('"'),
            "26" => Some('&'),
            "27" => Some('\''),
            // WordPress knows `<` and `>` by their decimal numbers only.
            _ => None,
        },
        None => match number.trim_start_matches('0') {
            "34" => Some('"'),
            "38" => Some('&'),
            "39" => Some('\''),
            "60" => Some('<'),
            "62" => Some('>'),
            _ => None,
        },
    }
}

/// The secret half of a shop's REST keys.
#[derive(Clone)]
pub struct ConsumerSecret(SecretString);

impl fmt::Debug for ConsumerSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConsumerSecret(…)")
    }
}

/// What lets this program ask a shop: made in WooCommerce under Settings → Advanced → REST API.
#[derive(Clone)]
pub struct RestKeys {
    key: String,
    secret: ConsumerSecret,
}

/// Why two texts are not taken as REST keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRestKeys {
    /// The key has another form.
    #[error(
        "that is not a consumer key: WooCommerce's begin with ck_, and letters and digits follow; paste the whole key"
    )]
    Key,
    /// The secret has another form.
    #[error(
        "that is not a consumer secret: WooCommerce's begin with cs_, and letters and digits follow; paste the whole \
         secret"
    )]
    Secret,
}

impl RestKeys {
    /// The two halves as WooCommerce shows them.
    ///
    /// # Errors
    /// [`NotRestKeys`] when one has another form, as when they were swapped.
    pub fn new(key: &str, secret: &str) -> Result<Self, NotRestKeys> {
        let (key, secret) = (key.trim(), secret.trim());
        let is_half = |text: &str, prefix: &str| {
            text.strip_prefix(prefix)
                .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        };
        if !is_half(key, "ck_") {
            return Err(NotRestKeys::Key);
        }
        if !is_half(secret, "cs_") {
            return Err(NotRestKeys::Secret);
        }
        Ok(Self { key: key.to_owned(), secret: ConsumerSecret(secret.into()) })
    }

    /// The half that names who asks.
    #[must_use]
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// The half that proves it.
    pub(crate) fn expose_secret(&self) -> &str {
        self.secret.0.expose_secret()
    }
}

impl fmt::Debug for RestKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RestKeys(…)")
    }
}

impl PartialEq for RestKeys {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && self.expose_secret() == other.expose_secret()
    }
}

impl Eq for RestKeys {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_name_is_a_path_segment() {
        for good in ["lab", "Shop-2", "a", "0.example_x", &"x".repeat(64)] {
            assert!(good.parse::<StoreName>().is_ok(), "{good:?} was refused");
        }
        for bad in ["", ".", "..", "-x", "a/b", "a b", "a:b", "ü", "a\n", "a%2f", &"x".repeat(65)] {
            assert!(bad.parse::<StoreName>().is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn a_shop_may_live_in_a_folder() {
        for (given, shown, api) in [
            ("https://x.example", "https://x.example", "https://x.example/wp-json/wc/v3/orders"),
            ("https://x.example/", "https://x.example", "https://x.example/wp-json/wc/v3/orders"),
            (
                "https://x.example/shop",
                "https://x.example/shop",
                "https://x.example/shop/wp-json/wc/v3/orders",
            ),
            (
                "https://x.example/shop//",
                "https://x.example/shop",
                "https://x.example/shop/wp-json/wc/v3/orders",
            ),
            (
                "http://x.example:8080/a/b/",
                "http://x.example:8080/a/b",
                "http://x.example:8080/a/b/wp-json/wc/v3/orders",
            ),
            ("http://X.example:80", "http://x.example", "http://x.example/wp-json/wc/v3/orders"),
        ] {
            let url: ShopUrl = given.parse().unwrap();
            assert_eq!(url.to_string(), shown);
            assert_eq!(url.api("orders").as_str(), api);
        }
        for bad in [
            "",
            "x.example",
            "ftp://x.example",
            "https://",
            "https://u:p@x.example",
            "https://x.example/?p=1",
            "mailto:a@b",
        ] {
            assert!(bad.parse::<ShopUrl>().is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn a_shop_that_got_a_certificate_is_the_same_one() {
        let is_same =
            |one: &str, other: &str| one.parse::<ShopUrl>().unwrap().is_same_place(&other.parse().unwrap());
        for (one, other) in [
            ("http://x.example", "https://X.example/"),
            ("https://x.example:443/shop/", "http://x.example/shop"),
            ("http://x.example:8080", "http://x.example:8080/"),
        ] {
            assert!(is_same(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("https://x.example", "https://www.x.example"),
            ("https://x.example", "https://x.example/shop"),
            ("http://x.example:8080", "http://x.example"),
        ] {
            assert!(!is_same(one, other), "{one} {other}");
        }
    }

    #[test]
    fn a_secret_must_be_hard_to_guess_and_is_never_shown() {
        assert_eq!("".parse::<HookSecret>().unwrap_err(), WeakSecret::Empty);
        assert_eq!(" ".repeat(30).parse::<HookSecret>().unwrap_err(), WeakSecret::Empty);
        assert_eq!("x".repeat(23).parse::<HookSecret>().unwrap_err(), WeakSecret::Short(23));
        assert_eq!(format!("{}\n", "x".repeat(30)).parse::<HookSecret>().unwrap_err(), WeakSecret::Control);
        let secret: HookSecret = "x".repeat(24).parse().unwrap();
        assert_eq!(format!("{secret:?}"), "HookSecret(…)");
    }

    #[test]
    fn the_signing_key_is_what_wordpress_makes_of_the_secret() {
        for (typed, signs) in [
            ("plain", "plain"),
            ("&amp;&lt;&gt;&quot;&#039;&#39;", "&<>\"''"),
            ("&#x27;&#X0027;&#x22;&#34;&#0038;&#x26;&#60;&#062;", "''\"\"&&<>"),
            ("&amp;lt;", "&lt;"),
            ("&AMP;&apos;&#x3c;&nbsp;&;&", "&AMP;&apos;&#x3c;&nbsp;&;&"),
            ("a&b&amp;c;&&amp;", "a&b&c;&&"),
            ("ü&gt;", "ü>"),
        ] {
            assert_eq!(decode_entities(typed), signs, "{typed:?}");
        }
    }

    #[test]
    fn swapped_rest_keys_are_noticed() {
        assert!(RestKeys::new("ck_1ab0", "cs_2cd0\n").is_ok());
        assert_eq!(RestKeys::new("cs_2cd0", "ck_1ab0").unwrap_err(), NotRestKeys::Key);
        assert_eq!(RestKeys::new("ck_1ab0", "cs_").unwrap_err(), NotRestKeys::Secret);
        let keys = RestKeys::new("ck_1ab0", "cs_2cd0").unwrap();
        assert_eq!(format!("{keys:?}"), "RestKeys(…)");
    }

    #[test]
    fn spellings_of_the_same_thing_are_one() {
        assert_eq!(slug(" Tokens "), "tokens");
        assert_eq!(slug("%d1%82%d0%be%d0%ba%d0%b5%d0%bd"), slug("Токен"));
        assert_eq!(status("wc-Processing"), "processing");
        assert_eq!(meta_key("Site ID"), "site_id");
    }
}
