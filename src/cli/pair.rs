//! `store pair`: a code with which a shop's plugin connects itself.

use clap::Args;
use serde::Serialize;

use super::output::minute;
use super::values::Lasting;
use super::{DryRun, Failure, Session};
use crate::config::Config;
use crate::pairing::{self, Address, Code, Token};
use crate::shop::store as shops;
use crate::shop::{ShopUrl, StoreName};
use crate::time::Timestamp;

pub(super) const HELP: &str = "\
The code goes into the shop's WordPress, under AI Credits → Settings → Connect. The plugin then makes the
webhooks and exchanges the secrets; the store is made when the code is used, unless it is there.

A store that is there keeps its books and its settings. The API key it was paired with before opens nothing
from then on, and its old webhook secret is taken for 24 hours more.

Examples:
  nivella-wallet store pair shop
  nivella-wallet store pair shop --url https://shop.example --address https://wallet.example --expires 24h";

#[derive(Args, Debug)]
pub(super) struct Options {
    /// What to call the shop: the last part of its webhooks' address, and the first of its customers' names
    name: StoreName,
    /// The address of the shop's front page, if no other shop may use the code
    #[arg(long)]
    url: Option<ShopUrl>,
    /// Where the shop reaches this daemon [default: `public_url`, else the address it listens on]
    #[arg(long, value_name = "URL")]
    address: Option<Address>,
    /// How long the code is good, like 30m, 24h or 7d
    #[arg(long, value_name = "TIME", default_value = "1h")]
    expires: Lasting,
    #[command(flatten)]
    dry_run: DryRun,
}

/// A code that was made.
#[derive(Serialize)]
struct Made {
    store: StoreName,
    /// Whether the store is there already.
    is_known: bool,
    url: Option<ShopUrl>,
    address: String,
    expires_at: Timestamp,
    /// Whether a code that was made before is good no longer.
    replaced: bool,
    /// The code itself, shown this once; nothing when only tried.
    code: Option<String>,
    warnings: Vec<String>,
}

pub(super) fn run(options: Options, session: &mut Session<'_>) -> Result<(), Failure> {
    let Options { name, url, address, expires, dry_run } = options;
    if expires.0 == 0 {
        return Err(
            Failure::usage("a code that is good for no time pairs nobody").with_help("write --expires 1h")
        );
    }
    let (address, warnings) = address_of(&session.config, address)?;
    let token = Token::generate()?;
    let link = address.link(&token);
    let (made, code) = session.set_up("cli::store_pair", dry_run, move |tx| {
        let expires_at = tx.now().plus_millis(expires.0);
        let code = Code { store: name, address, url, expires_at };
        let is_known = shops::find(tx, &code.store)?.is_some();
        let replaced = pairing::offer(tx, &code, &token)?;
        Ok::<_, pairing::Error>(((is_known, replaced), code))
    })?;
    let (is_known, replaced) = made;
    let made = Made {
        store: code.store,
        is_known,
        url: code.url,
        address: code.address.to_string(),
        expires_at: code.expires_at,
        replaced,
        // A code that was taken back would only be mistaken for one that works.
        code: (!dry_run.dry_run).then_some(link),
        warnings,
    };
    session.out.show_change(&made, dry_run.dry_run, |page| {
        let (store, until) = (&made.store, minute(made.expires_at));
        page.line(format!("made a pairing code for store {store}, good once and until {until} UTC"));
        if made.replaced {
            page.line("The one that was made for it before is good no longer.");
        }
        if let Some(code) = &made.code {
            page.gap();
            page.line(format!("  {code}"));
            page.gap();
            page.line(
                "In the shop's WordPress, open AI Credits → Settings, paste the whole line under Connect and",
            );
            page.line("press the button. Keep it to yourself until then: it is not shown again.");
        }
        page.line(match (made.is_known, &made.url) {
            (true, _) => format!("Store {store} keeps its books and its settings."),
            (false, Some(url)) => format!("Store {store} is made when {url} uses it."),
            (false, None) => format!("Store {store} is made when a shop uses it."),
        });
        for warning in &made.warnings {
            page.line(format!("warning: {warning}"));
        }
    })
}

/// Where the shop reaches this daemon, and what may be wrong with that.
fn address_of(config: &Config, given: Option<Address>) -> Result<(Address, Vec<String>), Failure> {
    let is_guess = given.is_none() && config.public_url.is_none();
    let address = match (given, &config.public_url) {
        (Some(address), _) => address,
        (None, Some(url)) => url.to_string().parse().map_err(|wrong: pairing::NotAnAddress| {
            Failure::refused(format!("public_url cannot be used: {wrong}"))
        })?,
        (None, None) => {
            let listen = config.listen;
            // Whoever listens on all addresses is on this one as well.
            let host =
                if listen.ip().is_unspecified() { "127.0.0.1".to_owned() } else { listen.ip().to_string() };
            let host = if host.contains(':') { format!("[{host}]") } else { host };
            format!("http://{host}:{}", listen.port()).parse().map_err(|_| {
                Failure::refused("nobody can say yet where the daemon will listen: its port is 0")
                    .with_help("write --address URL, as the shop reaches the daemon")
            })?
        }
    };
    let mut warnings = Vec::new();
    if is_guess {
        warnings.push(format!(
            "{address} is the one this machine listens on: if the shop is elsewhere, set public_url or write --address"
        ));
    }
    if address.is_open() {
        warnings
            .push(format!("{address} is not encrypted: the key that the shop gets can be read on the way"));
    }
    Ok((address, warnings))
}
