//! Looking after the shops' webhooks: asks a shop for them, has them judged, mends them when told to, and keeps
//! what was found.
//!
//! Deliveries that were signed with another secret are counted in memory and written down at most once a
//! minute, so no stranger can make the database write. A look changes nothing in a shop.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::address::{Address, NAME};
use super::health::{self, Code, Finding, Known, Mend, Seen, Severity, Webhook};
use super::rest::{self, Clients, NewWebhook, Rest, WebhookChange};
use super::{HookSecret, Store, StoreName, store, trouble};
use crate::db::{self, Db};
use crate::time::{HOUR_MS, Timestamp};

/// How many faults a store's webhooks had when the shop was last asked.
pub const FAULTS: &str = "nivella_webhook_faults";

/// How often each shop is asked for its webhooks, in milliseconds.
pub const LOOK_EVERY_MS: i64 = HOUR_MS;
/// How long after the start that is done first, in milliseconds: a start has more urgent things to do.
pub const FIRST_LOOK_MS: i64 = 60 * 1000;
/// How often refused deliveries are written down and old secrets erased, in milliseconds.
pub const FLUSH_EVERY_MS: i64 = 60 * 1000;
/// How long one shop may take to list its webhooks.
pub const LOOK_MAX: Duration = Duration::from_mins(1);
/// More webhooks than any shop has.
const WEBHOOKS_MAX: usize = 5_000;

/// Deliveries that were signed with another secret, until they are written down. Cloning it shares them.
#[derive(Clone, Debug, Default)]
pub struct Refusals(Arc<Mutex<HashMap<Option<i64>, Refused>>>);

/// What is counted for one store.
#[derive(Clone, Copy, Debug)]
struct Refused {
    count: i64,
    last_at: Timestamp,
}

impl Refusals {
    /// Counts one. An unknown store is counted as well, so that it takes as long as a known one.
    pub fn note(&self, store_id: Option<i64>, at: Timestamp) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = counted.entry(store_id).or_insert(Refused { count: 0, last_at: at });
        refused.count += 1;
        refused.last_at = refused.last_at.max(at);
    }

    /// Writes down what was counted for known stores.
    ///
    /// # Errors
    /// When the database fails; then it is written down the next time.
    pub async fn flush(&self, db: &Db) -> Result<(), db::Error> {
        let counted = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let counted: Vec<(i64, Refused)> =
            counted.into_iter().filter_map(|(id, refused)| Some((id?, refused))).collect();
        if counted.is_empty() {
            return Ok(());
        }
        let kept = counted.clone();
        let written = db.write("watch::flush", move |tx| {
            for (id, Refused { count, last_at }) in counted {
                store::note_refused(tx, id, count, last_at)?;
            }
            Ok::<_, db::Error>(())
        });
        let written = written.await;
        if written.is_err() {
            let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            for (id, kept) in kept {
                let refused = counted.entry(Some(id)).or_insert(Refused { count: 0, last_at: kept.last_at });
                refused.count += kept.count;
                refused.last_at = refused.last_at.max(kept.last_at);
            }
        }
        written
    }
}

/// All webhooks a shop has.
///
/// # Errors
/// When the shop does not answer, or not in [`LOOK_MAX`].
pub async fn webhooks(rest: &Rest) -> Result<Vec<Webhook>, rest::Error> {
    let read = async {
        let mut webhooks = Vec::new();
        let mut pages = rest.webhooks();
        while let Some(page) = pages.next().await? {
            for item in &page.items {
                let webhook: Webhook = serde_json::from_str(item.get())
                    .map_err(|error| trouble::unreadable("webhook", item.get().as_bytes(), error))?;
                webhooks.push(webhook);
            }
            if webhooks.len() > WEBHOOKS_MAX {
                return Err(rest::Error::Unreadable(format!("more than {WEBHOOKS_MAX} webhooks")));
            }
        }
        Ok(webhooks)
    };
    tokio::time::timeout(LOOK_MAX, read).await.unwrap_or(Err(rest::Error::Timeout(LOOK_MAX)))
}

/// Why a shop's webhooks could not be listed, as a finding.
#[must_use]
pub fn not_asked(error: &rest::Error, name: &StoreName) -> Finding {
    use rest::Error as E;
    let code = match error {
        E::WrongSecret(_) | E::Stranger { .. } | E::Forbidden | E::ReadOnly(_) => Code::Keys,
        _ => Code::Unreachable,
    };
    Finding::new(Severity::Fault, code, error.to_string()).with_remedy(trouble::remedy(error, name))
}

/// Judges what `shown` says, together with what is known here.
#[must_use]
pub fn judge(
    store: &Store,
    address: &Address,
    known: &Known,
    now: Timestamp,
    shown: &Result<Vec<Webhook>, rest::Error>,
) -> Vec<Finding> {
    let webhooks = shown.as_deref().ok();
    let seen = Seen { now, name: &store.name, shop: &store.url, address, webhooks, known };
    let judged = health::judge(&seen);
    shown.as_ref().err().map(|error| not_asked(error, &store.name)).into_iter().chain(judged).collect()
}

/// Does one thing that [`health::plan`] asks for; answers the webhook's number.
///
/// # Errors
/// As the shop refuses it.
pub async fn mend(rest: &Rest, mend: &Mend, url: &str, secret: &HookSecret) -> Result<i64, rest::Error> {
    let set = WebhookChange {
        status: mend.enable.then_some("active"),
        delivery_url: mend.point_here.then_some(url),
        secret: mend.set_secret.then_some(secret),
    };
    let answer = if let Some(id) = mend.webhook {
        rest.update_webhook(id, &set).await?
    } else {
        let name = format!("{NAME}: {}", mend.topic);
        rest.create_webhook(&NewWebhook { name: &name, topic: &mend.topic, set }).await?
    };
    let made: Webhook =
        serde_json::from_slice(&answer).map_err(|error| trouble::unreadable("webhook", &answer, error))?;
    Ok(made.id)
}

/// Looks after the webhooks of all stores while the daemon runs.
#[derive(Debug)]
pub struct Watch {
    db: Db,
    public_url: Option<String>,
    refusals: Refusals,
    clients: Clients,
    flush_at: Timestamp,
    look_at: Timestamp,
    /// What was said in the log of each store.
    told: HashMap<i64, (String, Vec<Finding>)>,
}

impl Watch {
    /// Nothing looked at yet.
    #[must_use]
    pub fn new(db: Db, public_url: Option<String>, refusals: Refusals, clients: Clients) -> Self {
        let now = db.clock().now();
        let look_at = now.plus_millis(FIRST_LOOK_MS);
        Self { db, public_url, refusals, clients, flush_at: now, look_at, told: HashMap::new() }
    }

    /// Does what is due.
    ///
    /// # Errors
    /// When the database fails; what was due is done when it is due again.
    pub async fn step(&mut self) -> Result<(), db::Error> {
        let now = self.db.clock().now();
        if self.flush_at <= now {
            self.flush_at = now.plus_millis(FLUSH_EVERY_MS);
            self.refusals.flush(&self.db).await?;
            // Looked at first, because a write that finds nothing would still cost a commit.
            if self.db.read(store::has_old_secrets)? {
                self.db.write("watch::forget_old_secrets", store::forget_old_secrets).await?;
            }
        }
        if self.look_at <= now {
            self.look_at = now.plus_millis(LOOK_EVERY_MS);
            self.look_at_all().await?;
        }
        Ok(())
    }

    async fn look_at_all(&mut self) -> Result<(), db::Error> {
        let stores: Vec<Store> =
            self.db.read(store::list)?.into_iter().filter(|store| store.has_rest_keys).collect();
        let gone: Vec<i64> =
            self.told.keys().copied().filter(|id| !stores.iter().any(|store| store.id == *id)).collect();
        for id in gone {
            if let Some((name, _)) = self.told.remove(&id) {
                ::metrics::gauge!(FAULTS, "store" => name).set(0_u32);
            }
        }
        for store in stores {
            let Some(access) = self.db.read(|tx| store::access(tx, store.id))? else { continue };
            let shown = match self.clients.of(store.id, &access) {
                Ok(rest) => webhooks(&rest).await,
                Err(error) => Err(error),
            };
            let known = self.db.read(|tx| store::health(tx, store.id))?;
            let address = Address::new(self.public_url.as_deref(), &store.name);
            let findings = judge(&store, &address, &known, self.db.clock().now(), &shown);
            let (id, kept) = (store.id, findings.clone());
            self.db.write("watch::note_findings", move |tx| store::note_findings(tx, id, &kept)).await?;
            self.tell(&store, findings);
        }
        Ok(())
    }

    /// Logs what is new since the last look, and that all is well again.
    fn tell(&mut self, store: &Store, findings: Vec<Finding>) {
        let findings: Vec<Finding> =
            findings.into_iter().filter(|finding| finding.severity != Severity::Ok).collect();
        let told = self.told.insert(store.id, (store.name.to_string(), findings.clone()));
        let told = told.map(|(_, findings)| findings).unwrap_or_default();
        for finding in findings.iter().filter(|finding| !told.iter().any(|before| before.is_same(finding))) {
            let (name, code) = (store.name.as_str(), finding.code.as_str());
            tracing::warn!(store = name, code, "store {name}: {}: {}", finding.severity, finding.message);
        }
        if findings.is_empty() && !told.is_empty() {
            let name = store.name.as_str();
            tracing::info!(store = name, "store {name}: its webhooks are well again");
        }
    }
}
