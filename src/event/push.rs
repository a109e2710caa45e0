//! Carries events to the shops that want them, as Standard Webhooks: at least once, those of one account in their order.
//!
//! Each store is told by a task of its own, one event at a time, so that a shop that hangs holds up nobody else. What it
//! does not take is tried again, less and less often, for three days; meanwhile only the later events of that account
//! wait for it. What was told stands in the database before the next is begun; a stop in between repeats it, and the
//! receiver knows it by its id.

use std::collections::HashMap;
use std::error::Error as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Client, Url, header};
use serde::Serialize;
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook};
use tokio::sync::watch;
use tokio::task::{self, JoinSet};

use super::store::{self, Push};
use super::{Event, Kind};
use crate::db::{self, Db};
use crate::shop::rest::{self, Patience};
use crate::time::{DAY_MS, Timestamp};

/// How long an event is tried.
pub const TRIED_MS: i64 = 3 * DAY_MS;

/// The pauses after the first attempts, in seconds; the last goes on.
const PAUSES_S: [i64; 8] = [5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400];

/// How long a receiver may take.
const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(5),
    whole: Duration::from_secs(10),
    retries: 0,
    first_pause: Duration::ZERO,
};

/// How many stores are told at the same time.
const STORES_MAX: usize = 32;

/// Of how many stores it is looked whether they are to be told something.
const STORES_SEEN_MAX: i64 = 1_000;

/// How many events a store is told before others may have their turn.
const EVENTS_MAX: usize = 100;

/// How long is slept when nothing is to be told.
const PAUSE: Duration = Duration::from_secs(2);

/// What is posted.
#[derive(Serialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: Kind,
    timestamp: Timestamp,
    data: &'a Event,
}

/// Why a store did not take an event.
enum Failure {
    /// It said no.
    Answer(String),
    /// It did not say anything, and will not about the next.
    Silence(String),
}

/// Tells stores what happened. Cloning it shares its connections.
#[derive(Clone, Debug)]
pub struct Pusher {
    db: Db,
    unit: String,
    clients: Arc<Mutex<HashMap<Reach, Client>>>,
}

/// What a client depends on: the certificate authority, and whether the receiver is on this machine.
type Reach = (Option<PathBuf>, bool);

impl Pusher {
    /// Tells of the events in `db`; customers call credits `unit`.
    #[must_use]
    pub fn new(db: Db, unit: String) -> Self {
        Self { db, unit, clients: Arc::default() }
    }

    /// Tells all stores what is due, and goes on with that until it is stopped.
    pub async fn work(self, mut stopped: watch::Receiver<bool>) {
        let mut rounds = JoinSet::new();
        let mut busy: HashMap<task::Id, i64> = HashMap::new();
        while !*stopped.borrow() && stopped.has_changed().is_ok() {
            let due = self.db.read(|tx| store::due_stores(tx, STORES_SEEN_MAX)).unwrap_or_else(|error| {
                tracing::error!(%error, "which stores are to be told something could not be read: {error}");
                Vec::new()
            });
            for store in due {
                if busy.len() < STORES_MAX && !busy.values().any(|busy| *busy == store) {
                    let pusher = self.clone();
                    let round = rounds.spawn(async move {
                        if let Err(error) = pusher.round(store).await {
                            tracing::error!(%error, "events could not be told: {error}");
                        }
                    });
                    busy.insert(round.id(), store);
                }
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                Some(ended) = rounds.join_next_with_id() => {
                    busy.remove(&ended.map_or_else(|panic| panic.id(), |(id, ())| id));
                }
                _ = stopped.changed() => {}
            }
        }
        // What is being told is told again after the next start.
        rounds.shutdown().await;
    }

    /// Tells a store what is due, until it takes no more; answers how many events it took.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn round(&self, store: i64) -> Result<usize, db::Error> {
        let mut taken = 0;
        for _ in 0..EVENTS_MAX {
            let next = self.db.read(|tx| {
                let Some(push) = store::next(tx, store)? else { return Ok(None) };
                let event = push.event.clone().told(tx, &self.unit)?;
                Ok::<_, db::Error>(Some((push, event)))
            })?;
            let Some((push, event)) = next else { break };
            match self.send(&push, &event).await {
                Ok(()) => {
                    taken += 1;
                    self.db.write("event::push::taken", move |tx| store::taken(tx, &push)).await?;
                }
                Err(failure) => {
                    let is_silent = matches!(failure, Failure::Silence(_));
                    self.note(push, failure).await?;
                    if is_silent {
                        break;
                    }
                }
            }
        }
        Ok(taken)
    }

    async fn note(&self, push: Push, failure: Failure) -> Result<(), db::Error> {
        let is_silent = matches!(failure, Failure::Silence(_));
        let (Failure::Answer(why) | Failure::Silence(why)) = failure;
        let again_at = again_at(&push, self.db.clock().now());
        let (name, event) = (&push.name, &push.event.id);
        if again_at.is_none() {
            tracing::error!(store = %name, %event, "event {event} was given up: store {name} {why}");
        } else if push.attempts == 0 {
            tracing::warn!(store = %name, %event, "event {event} is tried again: store {name} {why}");
        }
        self.db
            .write("event::push::failed", move |tx| {
                store::failed(tx, &push, &why, again_at)?;
                // Nobody answers there, whatever is told.
                let until = again_at.unwrap_or_else(|| next_at(&push, tx.now()));
                if is_silent { store::wait(tx, push.store, until) } else { Ok(()) }
            })
            .await
    }

    async fn send(&self, push: &Push, event: &Event) -> Result<(), Failure> {
        let unusable = |why: &dyn std::fmt::Display| Failure::Answer(format!("cannot be told: {why}"));
        let url: Url = push.url.parse().map_err(|_| unusable(&"its address is none"))?;
        let client = self.client(push.ca_file.as_ref(), &url).map_err(|error| unusable(&error))?;
        let message = Message { kind: event.kind, timestamp: event.at, data: event };
        let body = serde_json::to_vec(&message).map_err(|error| unusable(&error))?;
        let seconds = self.db.clock().now().millis().div_euclid(1000);
        let signed = Webhook::new(&push.secret)
            .and_then(|webhook| webhook.sign(event.id.as_str(), seconds, &body))
            .map_err(|_| unusable(&"its secret is not whsec_ and base64"))?;
        let request = client
            .post(url)
            .header(header::CONTENT_TYPE, "application/json")
            .header(HEADER_WEBHOOK_ID, event.id.as_str())
            .header(HEADER_WEBHOOK_TIMESTAMP, seconds)
            .header(HEADER_WEBHOOK_SIGNATURE, signed)
            .body(body);
        match request.send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(Failure::Answer(format!("answered {}", answer.status()))),
            Err(error) if error.is_timeout() => {
                let seconds = PATIENCE.whole.as_secs();
                Err(Failure::Silence(format!("did not answer within {seconds} s")))
            }
            Err(error) => {
                let error = error.without_url();
                let cause = error.source().and_then(|source| source.source()).map(ToString::to_string);
                let cause = cause.unwrap_or_else(|| error.to_string());
                Err(Failure::Silence(format!("cannot be reached: {cause}")))
            }
        }
    }

    fn client(&self, ca_file: Option<&PathBuf>, url: &Url) -> Result<Client, rest::Error> {
        let is_here = match url.host_str() {
            Some(host) => {
                let host = host.trim_matches(['[', ']']);
                host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
            }
            None => false,
        };
        let key = (ca_file.cloned(), is_here);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let client = rest::client(PATIENCE, is_here, ca_file.map(PathBuf::as_path))?;
        clients.insert(key, client.clone());
        Ok(client)
    }
}

/// When an event is tried again that was not taken now; never, once it has been tried for long enough.
fn again_at(push: &Push, now: Timestamp) -> Option<Timestamp> {
    let ends_at = push.event.at.plus_millis(TRIED_MS);
    (now < ends_at).then(|| next_at(push, now).min(ends_at))
}

fn next_at(push: &Push, now: Timestamp) -> Timestamp {
    let nth = usize::try_from(push.attempts).unwrap_or(usize::MAX).min(PAUSES_S.len() - 1);
    now.plus_millis(PAUSES_S[nth] * 1000)
}
