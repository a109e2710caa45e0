//! Which website a key of a site is good for. No database and no clock here.
//!
//! A key that only reads sites is made for one website. The first one that asks with it is the one; a second is
//! a copy of it, as for tests, or the same one somewhere else, and only its owner can tell. Until they do it is
//! refused, so that a copy never shows the balance of the original without anybody knowing.
//!
//! Not a lock: whoever has the key can say what they like. It keeps honest mistakes from going unnoticed.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;
use serde::Serialize;

use crate::time::Timestamp;

/// The longest address of a website that is taken, in characters.
pub const URL_CHARS_MAX: usize = 500;

/// How many other websites are remembered for a key: enough to see a mistake.
pub const REFUSED_MAX: usize = 10;

/// The address of a website, as far as it says which one it is.
///
/// What stays the same when a site gets a certificate is the same: the scheme does not count, nor a port that is its
/// usual one, nor a slash at the end, nor capital letters in the host. `www.` and the folder it lies in do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    name: String,
    url: String,
}

/// Why a text is not the address of a website.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not the address of a website: write it like https://www.example.com or https://example.com/blog"
)]
pub struct NotAnOrigin(String);

impl Origin {
    /// What two addresses of one website have in common.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address for people.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl FromStr for Origin {
    type Err = NotAnOrigin;

    fn from_str(text: &str) -> Result<Self, NotAnOrigin> {
        let text = text.trim();
        let wrong = || NotAnOrigin(text.chars().take(64).collect());
        if text.chars().count() > URL_CHARS_MAX {
            return Err(wrong());
        }
        let url = Url::parse(text).map_err(|_| wrong())?;
        let is_plain = ["http", "https"].contains(&url.scheme())
            && url.username().is_empty()
            && url.password().is_none();
        let host = url.host_str().map(|host| host.trim_end_matches('.')).filter(|host| !host.is_empty());
        let host = host.filter(|_| is_plain).ok_or_else(wrong)?;
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let name = format!("{host}{port}{}", url.path().trim_end_matches('/'));
        Ok(Self { url: format!("{}://{name}", url.scheme()), name })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.url)
    }
}

/// What a website is to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "OriginState")]
pub enum State {
    /// The key is good for it.
    Bound,
    /// A copy that its owner knows of; it may read as well.
    Copy,
    /// Where the website was before it moved.
    Moved,
    /// It asked and was refused.
    Refused,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Bound, Self::Copy, Self::Moved, Self::Refused];

    /// The state's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bound => "bound",
            Self::Copy => "copy",
            Self::Moved => "moved",
            Self::Refused => "refused",
        }
    }
}

/// A website that asked with a key, or that a person named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Origin")]
pub struct Seen {
    /// Host, port and path: what two addresses of one website have in common.
    pub origin: String,
    /// Its address as it was first said.
    pub url: String,
    /// What it is to the key.
    pub state: State,
    /// Since when.
    pub seen_at: Timestamp,
}

/// What becomes of a request from a website.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may read.
    Welcome,
    /// The key is good for no website yet, so for this one from now.
    Bind,
    /// It is another one than the key is good for.
    Refuse {
        /// The address that the key is good for.
        bound_to: String,
        /// Whether that it asked is to be remembered.
        note: bool,
    },
}

/// Decides about a request from `origin` with a key that `seen` is known of.
#[must_use]
pub fn decide(seen: &[Seen], origin: &Origin) -> Verdict {
    let known = seen.iter().find(|known| known.origin == origin.name).map(|known| known.state);
    if matches!(known, Some(State::Bound | State::Copy)) {
        return Verdict::Welcome;
    }
    match seen.iter().find(|known| known.state == State::Bound) {
        None => Verdict::Bind,
        Some(bound) => {
            let refused = seen.iter().filter(|known| known.state == State::Refused).count();
            Verdict::Refuse { bound_to: bound.url.clone(), note: known.is_none() && refused < REFUSED_MAX }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_website_has_many_addresses() {
        for (one, other) in [
            ("https://example.com", "http://example.com/"),
            ("https://example.com", "https://EXAMPLE.com:443"),
            ("http://example.com:80/blog/", "https://example.com/blog"),
            ("https://example.com./", " https://example.com?lang=de#top "),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
            ("http://[::1]:8080/", "http://[0:0::1]:8080"),
        ] {
            let (one, other): (Origin, Origin) = (one.parse().unwrap(), other.parse().unwrap());
            assert_eq!(one.name(), other.name());
        }
    }

    #[test]
    fn another_host_port_or_folder_is_another_website() {
        let all = [
            "https://example.com",
            "https://www.example.com",
            "https://staging.example.com",
            "https://example.com:8443",
            "http://example.com:8080",
            "https://example.com/blog",
            "https://example.com/Blog",
            "https://example.com/blog/en",
            "https://example.org",
        ];
        for (number, one) in all.iter().enumerate() {
            for other in &all[number + 1..] {
                let (one, other): (Origin, Origin) = (one.parse().unwrap(), other.parse().unwrap());
                assert_ne!(one.name(), other.name());
            }
        }
    }

    #[test]
    fn what_is_no_address_of_a_website_is_refused() {
        let long = format!("https://example.com/{}", "a".repeat(URL_CHARS_MAX));
        for text in [
            "",
            "example.com",
            "//example.com",
            "ftp://example.com",
            "https://",
            "https://a:b@example.com",
            "file:///etc",
            &long,
        ] {
            assert!(text.parse::<Origin>().is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn the_first_is_bound_and_others_are_refused_unless_somebody_said() {
        use State::{Bound, Copy, Moved, Refused};
        let seen = |states: &[(&str, State)]| -> Vec<Seen> {
            let one = |(host, state): &(&str, State)| Seen {
                origin: (*host).to_owned(),
                url: format!("https://{host}"),
                state: *state,
                seen_at: Timestamp::from_millis(0),
            };
            states.iter().map(one).collect()
        };
        let refuse = |note| Verdict::Refuse { bound_to: "https://a".to_owned(), note };
        for (states, expected) in [
            (vec![], Verdict::Bind),
            (vec![("b", Bound)], Verdict::Welcome),
            (vec![("a", Bound)], refuse(true)),
            (vec![("a", Bound), ("b", Copy)], Verdict::Welcome),
            (vec![("a", Bound), ("b", Moved)], refuse(false)),
            (vec![("a", Bound), ("b", Refused)], refuse(false)),
            (vec![("b", Refused)], Verdict::Bind),
            (vec![("b", Moved), ("c", Copy)], Verdict::Bind),
        ] {
            assert_eq!(decide(&seen(&states), &"http://b/".parse().unwrap()), expected, "{states:?}");
        }
        let hosts: Vec<String> = (0..REFUSED_MAX).map(|number| format!("r{number}")).collect();
        let mut full: Vec<(&str, State)> = hosts.iter().map(|host| (host.as_str(), Refused)).collect();
        full.push(("a", Bound));
        assert_eq!(
            decide(&seen(&full), &"http://b/".parse().unwrap()),
            refuse(false),
            "enough is remembered"
        );
    }
}
