//! Where a store's webhooks must deliver, and where WordPress will not.
//!
//! Names are judged as they are written: nothing here asks a name server, so a public name that leads to a
//! private address is not noticed.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use reqwest::Url;

use super::{ShopUrl, StoreName};

/// Where the webhooks of one store must deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    path: String,
    /// The whole of it; without `public_url` only the path is known.
    url: Option<Url>,
}

/// What webhooks that this program makes are called, before their topic.
pub const NAME: &str = "Nivella Credit Wallet";

/// Where the webhooks of all stores deliver.
const FOLDER: &str = "/webhooks/woocommerce/";

/// What a webhook of the shop has to do with this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It delivers here.
    Here,
    /// It was made for this program and delivers to another address.
    Elsewhere,
    /// It is somebody else's.
    Foreign,
}

impl Address {
    /// The address for the store `name` below `public_url`.
    #[must_use]
    pub fn new(public_url: Option<&str>, name: &StoreName) -> Self {
        let path = format!("{FOLDER}{name}");
        let url =
            public_url.and_then(|base| Url::parse(&format!("{}{path}", base.trim_end_matches('/'))).ok());
        Self { path, url }
    }

    /// The address as it is set in a webhook; `None` without `public_url`.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        self.url.as_ref().map(Url::as_str)
    }

    /// What a webhook called `name` that delivers to `delivery_url` has to do with this program.
    #[must_use]
    pub fn fit(&self, name: &str, delivery_url: &str) -> Fit {
        let given = Url::parse(delivery_url.trim()).ok();
        let path = given.as_ref().map(Url::path).unwrap_or_default();
        let is_here = match (&self.url, &given) {
            (Some(url), Some(given)) => {
                given.scheme() == url.scheme()
                    && given.host_str() == url.host_str()
                    && given.port_or_known_default() == url.port_or_known_default()
                    && path == url.path()
            }
            _ => path.ends_with(&self.path),
        };
        if is_here {
            Fit::Here
        } else if path.trim_end_matches('/').ends_with(&self.path)
            || (name.starts_with(NAME) && !path.contains(FOLDER))
        {
            Fit::Elsewhere
        } else {
            Fit::Foreign
        }
    }
}

/// Why WordPress does not deliver to an address unless a filter allows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its port is not 80, 443 or 8080.
    Port(u16),
    /// Its host is on a private network or this machine.
    Private(String),
    /// It is an IPv6 address instead of a name.
    Ipv6,
    /// It carries a user or a password.
    Password,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(port) => write!(f, "its port is {port}, not 80, 443 or 8080"),
            Self::Private(host) => write!(f, "{host} is a private address"),
            Self::Ipv6 => f.write_str("it has an IPv6 address where a name is due"),
            Self::Password => f.write_str("it carries a user or a password"),
        }
    }
}

/// The ports WordPress delivers to.
const PORTS: [u16; 3] = [80, 443, 8080];

/// Why the WordPress of `shop` does not deliver to `delivery_url`, as far as can be told from here: what
/// `wp_http_validate_url` decides without filters.
#[must_use]
pub fn refusal(delivery_url: &str, shop: &ShopUrl) -> Option<Refusal> {
    let url = Url::parse(delivery_url.trim()).ok()?;
    let host = url.host_str()?;
    if !url.username().is_empty() || url.password().is_some() {
        return Some(Refusal::Password);
    }
    if host.starts_with('[') {
        return Some(Refusal::Ipv6);
    }
    let port = url.port_or_known_default();
    let (own_host, own_port) = shop.host_and_port();
    let is_own_host = host.eq_ignore_ascii_case(own_host);
    if !is_own_host && is_private(host) {
        return Some(Refusal::Private(host.to_owned()));
    }
    let is_taken = |port: &u16| PORTS.contains(port) || (is_own_host && own_port == Some(*port));
    port.filter(|port| !is_taken(port)).map(Refusal::Port)
}

fn is_private(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => is_special(address),
        Ok(IpAddr::V6(_)) => true,
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

/// Whether an address is in a range WordPress does not deliver to.
fn is_special(address: Ipv4Addr) -> bool {
    let [a, b, ..] = address.octets();
    let is_carrier_grade_nat = a == 100 && (64..128).contains(&b);
    a == 0
        || a >= 224
        || is_carrier_grade_nat
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_is_ours_only_at_the_very_address() {
        let name: StoreName = "lab".parse().unwrap();
        let address = Address::new(Some("https://wallet.example/w/"), &name);
        assert_eq!(address.url(), Some("https://wallet.example/w/webhooks/woocommerce/lab"));
        for (hook, url, fit) in [
            ("any", "https://wallet.example/w/webhooks/woocommerce/lab", Fit::Here),
            ("any", "https://WALLET.example:443/w/webhooks/woocommerce/lab", Fit::Here),
            // The daemon has no such route, and WordPress follows no redirect.
            ("any", "https://wallet.example/w/webhooks/woocommerce/lab/", Fit::Elsewhere),
            ("any", "http://wallet.example/w/webhooks/woocommerce/lab", Fit::Elsewhere),
            ("any", "https://wallet.example:8080/w/webhooks/woocommerce/lab", Fit::Elsewhere),
            ("any", "https://old.example/webhooks/woocommerce/lab", Fit::Elsewhere),
            ("Nivella Credit Wallet: order.created", "https://old.example/x", Fit::Elsewhere),
            ("any", "https://wallet.example/w/webhooks/woocommerce/other", Fit::Foreign),
            (
                "Nivella Credit Wallet: order.created",
                "https://o.example/webhooks/woocommerce/x",
                Fit::Foreign,
            ),
            ("Nivella bridge", "https://bridge.example/hook", Fit::Foreign),
            ("any", "https://crm.example/hook", Fit::Foreign),
            ("any", "", Fit::Foreign),
        ] {
            assert_eq!(address.fit(hook, url), fit, "{hook} {url}");
        }
        let anywhere = Address::new(None, &name);
        assert_eq!(anywhere.url(), None);
        assert_eq!(anywhere.fit("any", "http://x.example:8080/webhooks/woocommerce/lab"), Fit::Here);
        assert_eq!(anywhere.fit("any", "http://x.example/webhooks/woocommerce"), Fit::Foreign);
    }

    /// As measured (WOOCOMMERCE: what must be set in WordPress).
    #[test]
    fn wordpress_refuses_ports_and_private_hosts_that_are_not_its_own() {
        let name = |host: &str| Some(Refusal::Private(host.to_owned()));
        for (shop, url, refused) in [
            ("https://shop.example", "https://wallet.example/x", None),
            ("https://shop.example", "http://wallet.example:8080/x", None),
            ("https://shop.example", "https://wallet.example:8443/x", Some(Refusal::Port(8443))),
            ("https://shop.example:8443", "https://shop.example:8443/x", None),
            ("https://shop.example", "https://shop.example:8443/x", Some(Refusal::Port(8443))),
            ("http://127.0.0.1", "http://127.0.0.1:8099/x", Some(Refusal::Port(8099))),
            ("http://127.0.0.1", "http://127.0.0.1:8080/x", None),
            ("https://shop.example", "http://127.0.0.1:8080/x", name("127.0.0.1")),
            ("https://shop.example", "http://localhost/x", name("localhost")),
            ("https://shop.example", "http://10.1.2.3/x", name("10.1.2.3")),
            ("https://shop.example", "http://172.31.0.1/x", name("172.31.0.1")),
            ("https://shop.example", "http://172.32.0.1/x", None),
            ("https://shop.example", "http://192.168.0.1/x", name("192.168.0.1")),
            ("https://shop.example", "http://100.64.0.1/x", name("100.64.0.1")),
            ("https://shop.example", "http://100.128.0.1/x", None),
            ("https://shop.example", "http://169.254.1.1/x", name("169.254.1.1")),
            ("https://shop.example", "http://0.0.0.0/x", name("0.0.0.0")),
            ("http://[::1]:8080", "http://[::1]:8080/x", Some(Refusal::Ipv6)),
            ("https://shop.example", "https://u:p@wallet.example/x", Some(Refusal::Password)),
        ] {
            assert_eq!(refusal(url, &shop.parse().unwrap()), refused, "{shop} {url}");
        }
    }
}
