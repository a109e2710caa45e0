//! How a store's webhooks fare: from what the shop shows and what arrived, to findings with remedies, and to
//! what would mend them. Pure: no database, no clock.
//!
//! A shop never shows a webhook's secret nor why it switched one off, so some of it is told from what
//! arrived: a wrong secret from refused deliveries, a user without rights from error objects.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::address::{self, Address, Fit};
pub use super::finding::{Code, Finding, Severity, count};
use super::{ShopUrl, StoreName};
use crate::time::{DAY_MS, HOUR_MS, Timestamp};

/// A webhook as the shop shows it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Webhook {
    /// The shop's number for it.
    pub id: i64,
    /// What it is called.
    #[serde(default)]
    pub name: String,
    /// Whether it delivers.
    pub status: Status,
    /// What it tells of.
    pub topic: String,
    /// Where it delivers.
    pub delivery_url: String,
    /// When it was made, as WooCommerce writes times.
    #[serde(default)]
    pub date_created_gmt: Option<String>,
}

/// Whether a webhook delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It does.
    Active,
    /// Somebody stopped it.
    Paused,
    /// WooCommerce stopped it after failures, or somebody did.
    Disabled,
    /// What no version known here writes.
    #[serde(other)]
    Other,
}

/// A topic whose webhook is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// The topic.
    pub topic: &'static str,
    /// How bad it is without.
    pub severity: Severity,
}

/// The webhooks a shop needs.
///
/// Without one of the orders' four, paid orders are noticed only when the shop is asked. Without one of the
/// products' three a shop with REST keys is asked about each new product instead, and the wallet page shows
/// an old price: that is a warning. A product that comes back from the trash sends `product.updated` as well, so
/// `product.restored` would say nothing new; `action.*` topics carry no state.
pub const NEEDED: [Need; 7] = [
    Need { topic: "order.created", severity: Severity::Fault },
    Need { topic: "order.updated", severity: Severity::Fault },
    Need { topic: "order.deleted", severity: Severity::Fault },
    Need { topic: "order.restored", severity: Severity::Fault },
    Need { topic: "product.created", severity: Severity::Warning },
    Need { topic: "product.updated", severity: Severity::Warning },
    Need { topic: "product.deleted", severity: Severity::Warning },
];

/// How long what arrived says something about today, in milliseconds: a small shop sells once a week.
pub const LATELY_MS: i64 = 7 * DAY_MS;

/// An error object this much older than a good order says nothing any more; one as old as it does, because the
/// webhooks of a shop may have different users.
const RIGHTS_SLACK_MS: i64 = HOUR_MS;

/// What is known without asking the shop.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Known {
    /// When the shop was last asked.
    pub checked_at: Option<Timestamp>,
    /// What that showed.
    pub findings: Vec<Finding>,
    /// The last delivery with a right signature and new content.
    pub last_delivery_at: Option<Timestamp>,
    /// The last one with a right signature, repeats too, by the minute.
    pub heard_at: Option<Timestamp>,
    /// The last one that showed an order.
    pub last_order_at: Option<Timestamp>,
    /// The last delivery that was signed with another secret.
    pub refused_at: Option<Timestamp>,
    /// How many there were.
    pub refused_count: i64,
    /// The last signed error object.
    pub error_at: Option<Timestamp>,
    /// What it said.
    pub error_code: Option<String>,
    /// Since when the secret is what it is; what was refused before says nothing.
    pub secret_at: Option<Timestamp>,
    /// Whether this program set it in the shop's webhooks.
    pub secret_in_shop: bool,
    /// The last delivery that was signed with it, by the minute.
    pub secret_heard_at: Option<Timestamp>,
    /// Until when the secret before it is taken.
    pub old_secret_until: Option<Timestamp>,
}

impl Known {
    /// The last sign that signed deliveries arrive.
    fn last_signed_at(&self) -> Option<Timestamp> {
        self.last_delivery_at.max(self.error_at).max(self.heard_at)
    }

    /// When a delivery was refused, unless a right one came or the secret was set since.
    fn refused_since(&self, now: Timestamp) -> Option<Timestamp> {
        self.refused_at.filter(|at| {
            Some(*at) > self.last_signed_at() && Some(*at) > self.secret_at && is_lately(*at, now)
        })
    }

    /// Whether the shop may be signing with another secret than today's.
    fn doubts_secret(&self, now: Timestamp) -> bool {
        self.refused_since(now).is_some() || self.secret_is_unproven()
    }

    /// Whether the secret was changed, and nothing says that the shop has the new one: this program did not set it
    /// there, and the last delivery was not signed with it.
    fn secret_is_unproven(&self) -> bool {
        let is_heard = self.secret_heard_at.is_some() && self.secret_heard_at >= self.heard_at;
        self.secret_at.is_some() && !self.secret_in_shop && !is_heard
    }
}

fn is_lately(at: Timestamp, now: Timestamp) -> bool {
    at.plus_millis(LATELY_MS) > now
}

/// What a store's webhooks are judged by.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The time.
    pub now: Timestamp,
    /// The store.
    pub name: &'a StoreName,
    /// Its front page.
    pub shop: &'a ShopUrl,
    /// Where its webhooks must deliver.
    pub address: &'a Address,
    /// All webhooks the shop has; `None` if it could not be asked.
    pub webhooks: Option<&'a [Webhook]>,
    /// What is known without asking.
    pub known: &'a Known,
}

/// How it stands with the webhooks of one topic.
enum Standing<'a> {
    Active,
    Stopped(&'a Webhook),
    Elsewhere(&'a Webhook),
    Missing,
}

impl<'a> Seen<'a> {
    fn here(&self) -> impl Iterator<Item = &'a Webhook> {
        let address = self.address;
        let webhooks = self.webhooks.unwrap_or_default();
        webhooks.iter().filter(move |hook| address.fit(&hook.name, &hook.delivery_url) == Fit::Here)
    }

    fn standing(&self, topic: &str) -> Standing<'a> {
        let mut here = self.here().filter(|hook| hook.topic == topic);
        let first = here.next();
        if first.into_iter().chain(here).any(|hook| hook.status == Status::Active) {
            return Standing::Active;
        }
        if let Some(stopped) = first {
            return Standing::Stopped(stopped);
        }
        let fits = |hook: &&Webhook| {
            hook.topic == topic && self.address.fit(&hook.name, &hook.delivery_url) == Fit::Elsewhere
        };
        self.webhooks.unwrap_or_default().iter().find(fits).map_or(Standing::Missing, Standing::Elsewhere)
    }

    /// How to have this program mend it.
    fn repair(&self) -> String {
        let command = format!("`nivella-wallet store check {} --repair`", self.name);
        match self.address.url() {
            Some(_) => command,
            None => format!("set public_url, then {command}"),
        }
    }
}

/// Judges a store's webhooks; the worst is not first, the order is that of the checks.
#[must_use]
pub fn judge(seen: &Seen<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if seen.webhooks.is_some() {
        for need in NEEDED {
            findings.extend(judge_topic(seen, need));
        }
        if findings.is_empty() {
            let address = seen.address.url().map(|url| format!(" to {url}")).unwrap_or_default();
            let message = format!("all {} are active and deliver{address}", NEEDED.len());
            findings.push(Finding::new(Severity::Ok, Code::Webhooks, message));
        }
        findings.extend(judge_url(seen));
    }
    findings.extend(judge_secret(seen));
    findings.extend(judge_errors(seen));
    findings.extend(judge_silence(seen));
    findings
}

fn judge_topic(seen: &Seen<'_>, need: Need) -> Option<Finding> {
    let Need { topic, severity } = need;
    let finding = |code, message: String| Finding::new(severity, code, message).with_remedy(seen.repair());
    match seen.standing(topic) {
        Standing::Active => None,
        Standing::Missing => Some(finding(Code::Missing, format!("no webhook for {topic}")).of(topic, None)),
        Standing::Elsewhere(hook) => {
            let message = format!(
                "webhook {} for {topic} delivers to {}, not here",
                hook.id,
                shorten(&hook.delivery_url)
            );
            Some(finding(Code::Elsewhere, message).of(topic, Some(hook.id)))
        }
        Standing::Stopped(hook) if hook.status == Status::Disabled => {
            let message = format!(
                "webhook {} for {topic} is disabled: WooCommerce does that after 7 failed deliveries in a row, and \
                 nothing of what happened since is sent later",
                hook.id
            );
            let remedy = format!(
                "mend what made them fail, then {}; the counter stays at 6, so one more failure disables it \
                 again, and one success clears it",
                seen.repair()
            );
            Some(Finding::new(severity, Code::Disabled, message).with_remedy(remedy).of(topic, Some(hook.id)))
        }
        Standing::Stopped(hook) => {
            let message = format!(
                "webhook {} for {topic} is paused, and nothing of what happens meanwhile is sent later",
                hook.id
            );
            Some(finding(Code::Paused, message).of(topic, Some(hook.id)))
        }
    }
}

/// WordPress takes any address and does not deliver to each. What arrives proves that a filter allows it.
fn judge_url(seen: &Seen<'_>) -> Option<Finding> {
    if seen.known.last_signed_at().is_some_and(|at| is_lately(at, seen.now)) {
        return None;
    }
    let own = seen.address.url();
    let mut urls = own.into_iter().chain(seen.here().map(|hook| hook.delivery_url.as_str()));
    let (url, why) = urls.find_map(|url| Some((url, address::refusal(url, seen.shop)?)))?;
    let message = format!("WordPress does not deliver to {}: {why}", shorten(url));
    let remedy = "a public name and port 443, or the filters http_allowed_safe_ports and \
                  http_request_host_is_external in the shop's WordPress; where they are set already, this goes \
                  away with the first delivery";
    Some(Finding::new(Severity::Fault, Code::RefusedUrl, message).with_remedy(remedy))
}

fn judge_secret(seen: &Seen<'_>) -> Option<Finding> {
    let Known { refused_count, old_secret_until, secret_at, .. } = seen.known;
    if let Some(at) = seen.known.refused_since(seen.now) {
        let message = format!(
            "the last delivery, {}, was signed with another secret ({refused_count} in all), and none with the right \
             one since: the webhooks have another secret, or a stranger tries",
            when(at)
        );
        let remedy = format!("{} sets the right one; or compare *Secret* of each webhook", seen.repair());
        return Some(Finding::new(Severity::Fault, Code::WrongSecret, message).with_remedy(remedy));
    }
    if !seen.known.secret_is_unproven() {
        return None;
    }
    let Some(until) = *old_secret_until else {
        let message = format!(
            "the secret was changed {}, what is signed with another one is refused, and nothing signed with the new \
             one has come since",
            secret_at.map(when).unwrap_or_default()
        );
        let remedy = format!(
            "{} sets the new one in the webhooks; set by hand, this goes away with the first delivery",
            seen.repair()
        );
        return Some(Finding::new(Severity::Fault, Code::OldSecret, message).with_remedy(remedy));
    };
    let message = format!(
        "the secret was changed; what is signed with the old one is refused from {}, and which one the webhooks have \
         cannot be seen",
        when(until)
    );
    let remedy = format!("{} sets the new one in the webhooks; or do it by hand until then", seen.repair());
    Some(Finding::new(Severity::Warning, Code::OldSecret, message).with_remedy(remedy))
}

fn judge_errors(seen: &Seen<'_>) -> Option<Finding> {
    let at = seen.known.error_at.filter(|at| is_lately(*at, seen.now))?;
    let is_over = seen.known.last_order_at.is_some_and(|good| at.plus_millis(RIGHTS_SLACK_MS) < good);
    if is_over {
        return None;
    }
    let code = seen.known.error_code.as_deref().unwrap_or("an error");
    if code == CANNOT_VIEW {
        let message = format!(
            "instead of orders the shop sends {code}, last {}: the user of a webhook was deleted or may not see \
             orders any more",
            when(at)
        );
        let remedy = format!(
            "give that user the role Administrator or Shop manager again; or delete the webhook in WooCommerce, then \
             {}: the new one belongs to the user of the REST keys",
            seen.repair()
        );
        return Some(Finding::new(Severity::Fault, Code::UserRights, message).with_remedy(remedy));
    }
    let message = format!("the shop could not make a delivery and sent {code}, last {}", when(at));
    let remedy = "an order that was deleted before its delivery is nothing to mend; when it comes again and again, \
                  the webhook's API version must be WP REST API Integration v3";
    Some(Finding::new(Severity::Warning, Code::ErrorObject, message).with_remedy(remedy))
}

/// WooCommerce's name for what a webhook's user may not see.
const CANNOT_VIEW: &str = "woocommerce_rest_cannot_view";

fn judge_silence(seen: &Seen<'_>) -> Option<Finding> {
    let last = seen.known.last_signed_at();
    if let Some(at) = last.filter(|at| is_lately(*at, seen.now)) {
        return Some(Finding::new(Severity::Ok, Code::Deliveries, format!("the last one came {}", when(at))));
    }
    // A webhook that was made a moment ago has had nothing to say yet.
    let active = seen.here().filter(|hook| hook.status == Status::Active);
    let oldest =
        active.filter_map(|hook| Timestamp::from_woo_gmt(hook.date_created_gmt.as_deref()?)).min()?;
    if is_lately(oldest, seen.now) {
        return None;
    }
    let message = match last {
        Some(at) => format!("the last delivery came {}, although webhooks are active", when(at)),
        None => "no delivery has ever come, although webhooks are active".to_owned(),
    };
    let remedy = "when the shop had orders since: WooCommerce → Status → Scheduled Actions shows deliveries that wait \
                  for WP-Cron, WooCommerce → Status → Logs those that failed";
    Some(Finding::new(Severity::Warning, Code::Silence, message).with_remedy(remedy))
}

/// A time as people read it.
fn when(at: Timestamp) -> String {
    at.utc().format("%Y-%m-%d %H:%M UTC").to_string()
}

/// As much of somebody else's text as fits a line.
fn shorten(text: &str) -> String {
    text.chars().take(200).collect()
}

/// One change to one webhook of the shop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mend {
    /// The shop's number for it; `None` for a new one.
    pub webhook: Option<i64>,
    /// What it tells of.
    pub topic: String,
    /// Whether it is switched on.
    pub enable: bool,
    /// Whether it is made to deliver here.
    pub point_here: bool,
    /// Whether it gets the store's secret.
    pub set_secret: bool,
}

impl fmt::Display for Mend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, .. } = self;
        let Some(id) = self.webhook else {
            return write!(f, "create a webhook for {topic}");
        };
        let parts = [
            (self.enable, "enable"),
            (self.point_here, "point here"),
            (self.set_secret, "set the secret of"),
        ];
        let parts: Vec<&str> = parts.iter().filter(|(is_done, _)| *is_done).map(|(_, what)| *what).collect();
        write!(f, "{} webhook {id} for {}", parts.join(" and "), topic)
    }
}

/// What mends the shop's webhooks; nothing for those of other receivers. A webhook that delivers elsewhere is
/// turned only where none of its topic delivers here.
#[must_use]
pub fn plan(seen: &Seen<'_>) -> Vec<Mend> {
    let mut mends = Vec::new();
    for Need { topic, .. } in NEEDED {
        let mend = |hook: Option<&Webhook>| Mend {
            webhook: hook.map(|hook| hook.id),
            topic: topic.to_owned(),
            enable: hook.is_none_or(|hook| hook.status != Status::Active),
            point_here: false,
            set_secret: false,
        };
        match seen.standing(topic) {
            Standing::Active => {}
            Standing::Stopped(hook) => mends.push(mend(Some(hook))),
            Standing::Elsewhere(hook) => {
                mends.push(Mend { point_here: true, set_secret: true, ..mend(Some(hook)) });
            }
            Standing::Missing => mends.push(Mend { point_here: true, set_secret: true, ..mend(None) }),
        }
    }
    if seen.known.doubts_secret(seen.now) {
        for hook in seen.here() {
            match mends.iter_mut().find(|mend| mend.webhook == Some(hook.id)) {
                Some(mend) => mend.set_secret = true,
                None => mends.push(Mend {
                    webhook: Some(hook.id),
                    topic: hook.topic.clone(),
                    enable: false,
                    point_here: false,
                    set_secret: true,
                }),
            }
        }
    }
    mends
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "https://wallet.example/webhooks/woocommerce/lab";
    const OLD: &str = "https://old.example/webhooks/woocommerce/lab";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn now() -> Timestamp {
        at("2026-11-20T18:00:00Z")
    }

    fn hook(id: i64, topic: &str, status: Status, url: &str) -> Webhook {
        let date_created_gmt = Some("2026-11-20T15:48:57".to_owned());
        let name = "lab".to_owned();
        Webhook { id, name, status, topic: topic.to_owned(), delivery_url: url.to_owned(), date_created_gmt }
    }

    /// All that is needed, numbered from 1.
    fn good() -> Vec<Webhook> {
        (1..).zip(NEEDED).map(|(id, need)| hook(id, need.topic, Status::Active, HERE)).collect()
    }

    /// A delivery came an hour ago.
    fn fresh() -> Known {
        let last = Some(at("2026-11-20T17:00:00Z"));
        Known { last_delivery_at: last, last_order_at: last, ..Known::default() }
    }

    /// What is found, as `severity code topic webhook`, and what would mend it.
    fn look(
        public_url: Option<&str>,
        webhooks: Option<&[Webhook]>,
        known: &Known,
    ) -> (Vec<String>, Vec<String>, Vec<Finding>) {
        let name: StoreName = "lab".parse().unwrap();
        let shop: ShopUrl = "https://shop.example".parse().unwrap();
        let address = Address::new(public_url, &name);
        let seen = Seen { now: now(), name: &name, shop: &shop, address: &address, webhooks, known };
        let findings = judge(&seen);
        let short = |finding: &Finding| {
            let topic = finding.topic.as_ref().map(|topic| format!(" {topic}")).unwrap_or_default();
            let webhook = finding.webhook.map(|id| format!(" {id}")).unwrap_or_default();
            format!("{} {}{topic}{webhook}", finding.severity, finding.code)
        };
        (
            findings.iter().map(short).collect(),
            plan(&seen).iter().map(ToString::to_string).collect(),
            findings,
        )
    }

    fn found(webhooks: &[Webhook], known: &Known) -> (Vec<String>, Vec<String>, Vec<Finding>) {
        look(Some("https://wallet.example"), Some(webhooks), known)
    }

    #[test]
    fn webhooks_as_they_should_be_are_left_alone() {
        let mut webhooks = good();
        // Others' webhooks, and what comes twice, are nobody's fault.
        webhooks.push(hook(20, "order.created", Status::Disabled, "https://crm.example/hook"));
        webhooks.push(hook(21, "order.created", Status::Paused, HERE));
        webhooks.push(hook(22, "order.created", Status::Active, OLD));
        let (found, mends, findings) = found(&webhooks, &fresh());
        assert_eq!(found, ["ok webhooks", "ok deliveries"]);
        assert_eq!(mends, [""; 0]);
        assert!(findings[1].message.contains("2026-11-20 17:00 UTC"), "{findings:?}");
    }

    /// One webhook is not as it should be: what is said, and what mends it.
    #[test]
    fn each_topic_is_judged_by_its_best_webhook() {
        type Change<'a> = &'a dyn Fn(&mut Vec<Webhook>);
        let cases: [(&str, Change<'_>, &str, &str); 9] = [
            (
                "gone",
                &|all| drop(all.remove(1)),
                "fault missing order.updated",
                "create a webhook for order.updated",
            ),
            (
                "gone",
                &|all| drop(all.remove(6)),
                "warning missing product.deleted",
                "create a webhook for product.deleted",
            ),
            (
                "paused",
                &|all| all[0].status = Status::Paused,
                "fault paused order.created 1",
                "enable webhook 1 for order.created",
            ),
            (
                "a status of the future",
                &|all| all[0].status = Status::Other,
                "fault paused order.created 1",
                "enable webhook 1 for order.created",
            ),
            (
                "disabled",
                &|all| all[2].status = Status::Disabled,
                "fault disabled order.deleted 3",
                "enable webhook 3 for order.deleted",
            ),
            (
                "disabled",
                &|all| all[4].status = Status::Disabled,
                "warning disabled product.created 5",
                "enable webhook 5 for product.created",
            ),
            (
                "moved",
                &|all| all[3].delivery_url = OLD.to_owned(),
                "fault elsewhere order.restored 4",
                "point here and set the secret of webhook 4 for order.restored",
            ),
            (
                "moved and disabled",
                &|all| {
                    all[3].delivery_url = "https://old.example/x".to_owned();
                    all[3].name = "Nivella Credit Wallet: order.restored".to_owned();
                    all[3].status = Status::Disabled;
                },
                "fault elsewhere order.restored 4",
                "enable and point here and set the secret of webhook 4 for order.restored",
            ),
            (
                "somebody else's now",
                &|all| all[3].delivery_url = "https://crm.example/hook".to_owned(),
                "fault missing order.restored",
                "create a webhook for order.restored",
            ),
        ];
        for (name, change, finding, mend) in cases {
            let mut webhooks = good();
            change(&mut webhooks);
            let (found, mends, findings) = found(&webhooks, &fresh());
            assert_eq!(found, [finding, "ok deliveries"], "{name}");
            assert_eq!(mends, [mend], "{name}");
            assert!(
                findings[0].remedy.as_ref().unwrap().contains("store check lab --repair"),
                "{findings:?}"
            );
        }
        let (found, mends, _) = found(&[], &fresh());
        assert_eq!((found.len(), mends.len()), (NEEDED.len() + 1, NEEDED.len()));
    }

    #[test]
    fn a_disabled_webhook_is_explained() {
        let mut webhooks = good();
        webhooks[0].status = Status::Disabled;
        let (_, _, findings) = found(&webhooks, &fresh());
        assert!(findings[0].message.contains("7 failed deliveries in a row"), "{findings:?}");
        assert!(findings[0].remedy.as_ref().unwrap().contains("stays at 6"), "{findings:?}");
    }

    #[test]
    fn without_a_public_url_the_path_decides_and_nothing_is_repaired_by_itself() {
        let mut webhooks = good();
        webhooks[0].delivery_url = OLD.to_owned();
        let (found, _, _) = look(None, Some(&webhooks), &fresh());
        assert_eq!(found, ["ok webhooks", "ok deliveries"]);
        let (_, _, findings) = look(None, Some(&[]), &fresh());
        assert!(findings[0].remedy.as_ref().unwrap().starts_with("set public_url"), "{findings:?}");
    }

    /// What arrived, and what follows; the webhooks are as they should be.
    #[test]
    fn what_arrived_tells_what_the_shop_does_not_show() {
        let time = |text: &str| Some(at(text));
        let error = |code: &str, when: &str| Known {
            error_at: time(when),
            error_code: Some(code.to_owned()),
            ..fresh()
        };
        let refused = Known { refused_at: time("2026-11-20T17:30:00Z"), refused_count: 3, ..fresh() };
        let view = "woocommerce_rest_cannot_view";
        let silent = Known { last_delivery_at: time("2026-11-13T18:00:00Z"), ..Known::default() };
        let changed = Known { secret_at: time("2026-11-20T17:10:00Z"), ..fresh() };
        let every = "set the secret of webhook 1 for order.created";
        for (name, known, expected, mend) in [
            ("refused since the last valid one", refused.clone(), "fault wrong_secret, ok deliveries", every),
            (
                "a valid one came since",
                Known { refused_at: time("2026-11-20T16:59:00Z"), ..fresh() },
                "ok deliveries",
                "",
            ),
            ("long ago", Known { refused_at: time("2026-11-13T18:00:00Z"), ..Known::default() }, "", ""),
            (
                "the secret was set since",
                Known { secret_at: time("2026-11-20T17:40:00Z"), secret_in_shop: true, ..refused.clone() },
                "ok deliveries",
                "",
            ),
            (
                "refused again after that",
                Known { secret_at: time("2026-11-20T17:20:00Z"), secret_in_shop: true, ..refused },
                "fault wrong_secret, ok deliveries",
                every,
            ),
            (
                "changed here, perhaps not in the shop",
                Known { old_secret_until: time("2026-11-21T12:00:00Z"), ..changed.clone() },
                "warning old_secret, ok deliveries",
                every,
            ),
            ("the old one is refused", changed.clone(), "fault old_secret, ok deliveries", every),
            (
                "signed with the new one since",
                Known { heard_at: changed.secret_at, secret_heard_at: changed.secret_at, ..changed.clone() },
                "ok deliveries",
                "",
            ),
            ("changed here and in the shop", Known { secret_in_shop: true, ..changed }, "ok deliveries", ""),
            ("no rights", error(view, "2026-11-20T17:10:00Z"), "fault user_rights, ok deliveries", ""),
            ("one of two users", error(view, "2026-11-20T16:30:00Z"), "fault user_rights, ok deliveries", ""),
            ("rights again", error(view, "2026-11-20T15:59:00Z"), "ok deliveries", ""),
            (
                "gone before it was sent",
                error("woocommerce_rest_shop_order_invalid_id", "2026-11-20T17:10:00Z"),
                "warning error_object, ok deliveries",
                "",
            ),
            // Webhooks made a moment ago have had nothing to say.
            ("nothing for a week", silent.clone(), "", ""),
            (
                "nothing but error objects",
                Known { error_at: time("2026-11-20T17:10:00Z"), error_code: Some(view.to_owned()), ..silent },
                "fault user_rights, ok deliveries",
                "",
            ),
        ] {
            let (found, mends, findings) = found(&good(), &known);
            let expected: Vec<&str> = expected.split(", ").filter(|word| !word.is_empty()).collect();
            assert_eq!(found[1..], expected[..], "{name}");
            assert_eq!(mends.first().map_or("", String::as_str), mend, "{name}");
            assert!(mends.is_empty() || mends.len() == NEEDED.len(), "{name}: {mends:?}");
            let well =
                findings.iter().all(|finding| (finding.severity == Severity::Ok) == finding.remedy.is_none());
            assert!(well, "{name}: each fault has its remedy: {findings:?}");
            // The same is told without asking the shop, as far as it arrived.
            assert_eq!(look(Some("https://wallet.example"), None, &known).0, expected, "{name}");
        }
    }

    #[test]
    fn silence_counts_from_when_the_webhooks_were_made() {
        let mut webhooks = good();
        for hook in &mut webhooks {
            hook.date_created_gmt = Some("2026-11-13T18:00:00".to_owned());
        }
        assert_eq!(found(&webhooks, &Known::default()).0, ["ok webhooks", "warning silence"]);
        webhooks.retain(|hook| hook.topic.starts_with("product."));
        for hook in &mut webhooks {
            hook.status = Status::Paused;
        }
        let (found, ..) = found(&webhooks, &Known::default());
        assert!(!found.contains(&"warning silence".to_owned()), "none is active: {found:?}");
    }

    #[test]
    fn an_address_wordpress_refuses_is_a_fault_until_something_comes() {
        let url = "http://192.168.1.5:8090";
        let here = format!("{url}/webhooks/woocommerce/lab");
        let mut webhooks = good();
        for hook in &mut webhooks {
            hook.delivery_url.clone_from(&here);
        }
        let (found, _, findings) = look(Some(url), Some(&webhooks), &Known::default());
        assert_eq!(found, ["ok webhooks", "fault refused_url"]);
        assert!(findings[1].message.contains("192.168.1.5 is a private address"), "{findings:?}");
        assert_eq!(look(Some(url), Some(&webhooks), &fresh()).0, ["ok webhooks", "ok deliveries"]);
        assert_eq!(look(None, Some(&webhooks), &Known::default()).0, ["ok webhooks", "fault refused_url"]);
    }

    #[test]
    fn findings_are_read_as_they_are_written() {
        let (_, _, findings) = found(&[], &fresh());
        let text = serde_json::to_string(&findings).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Finding>>(&text).unwrap(), findings);
        assert!(
            text.contains(r#""severity":"fault","code":"missing","topic":"order.created","webhook":null"#),
            "{text}"
        );
        let codes = [Code::NoKeys, Code::RefusedUrl, Code::WrongSecret, Code::OldSecret, Code::UserRights];
        for code in codes {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }
}
