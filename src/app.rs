//! Opens everything once and runs until told to stop.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::sync::{Notify, watch};

use crate::access::{self, Callers, Uses};
use crate::catalog;
use crate::config::{self, Config};
use crate::db::{self, DatabaseUrl, Db, Tx};
use crate::event;
use crate::event::push::Pusher;
use crate::feed;
use crate::http::{self, server};
use crate::idempotency;
use crate::inbox;
use crate::ledger::limit::Brake;
use crate::ledger::store::alert::{self, Alerts};
use crate::ledger::store::brake::Paused;
use crate::ledger::{self, LockedAccount};
use crate::order::apply::Rules;
use crate::pairing::Guesses;
use crate::reconcile::{answers, schedule};
use crate::shop;
use crate::shop::rest::{Clients, Patience};
use crate::shop::watch::{Refusals, Watch};
use crate::time::{Clock, Timestamp};

/// Runs the daemon until it is told to stop, then finishes what it accepted.
///
/// # Errors
/// When the database cannot be opened or the address is taken.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    let running = Running::start(&config, Clock::system())?;
    // Tools that start the daemon read the address from here; a daemon nobody reads runs all the same.
    let _ = writeln!(std::io::stdout(), "listening on http://{}", running.address);
    tokio::select! {
        asked = stop_asked() => asked?,
        () = writer_gone(&running.app.db) => {
            // What was answered is in the database; whoever supervises the process starts it again.
            bail!("the database writer has stopped: start the daemon again");
        }
    }
    tracing::info!("stopping: finishing what was accepted");
    running.stop().await
}

async fn writer_gone(db: &Db) {
    while db.takes_writes() {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// A daemon that runs in this process.
#[derive(Debug)]
pub struct Running {
    /// Where it answers.
    pub address: SocketAddr,
    /// What its handlers work with.
    pub app: http::App,
    stop: watch::Sender<bool>,
    server: tokio::task::JoinHandle<Result<(), server::CutOff>>,
    worker: tokio::task::JoinHandle<()>,
    watcher: tokio::task::JoinHandle<()>,
    reconciler: tokio::task::JoinHandle<()>,
    renewer: tokio::task::JoinHandle<()>,
    pruner: tokio::task::JoinHandle<()>,
    pusher: tokio::task::JoinHandle<()>,
}

impl Running {
    /// Opens the database, binds the address, starts the server and the worker.
    ///
    /// # Errors
    /// When the database cannot be opened or the address is taken.
    pub fn start(config: &Config, clock: Clock) -> anyhow::Result<Self> {
        if matches!(config.database, DatabaseUrl::Postgres(_)) {
            bail!("serving from PostgreSQL is not supported yet: set database to sqlite:PATH");
        }
        let db = Db::open_with(&config.database, config.durability, config.write_group_max.get(), clock)?;
        let db = db.watched_by(alerts(config));
        let listener = server::bind(config.listen).with_context(|| {
            format!(
                "cannot listen on {}: is another program using it? Set `listen` to another address",
                config.listen
            )
        })?;
        let address = listener.local_addr()?;
        let app = http::App::from(handlers(db, config));
        let (stop, stopped) = watch::channel(false);
        let limits = server::Limits::from(&config.http);
        http::metrics::start();
        let router = http::routes(app.clone());
        let server = tokio::spawn(server::serve(listener, router, limits, until(stopped.clone())));
        let retention = config.inbox.retention.millis();
        let clients = Clients::new(Patience::default(), app.db.clock().clone());
        let reconciler = tokio::spawn(reconcile(app.clone(), clients.clone(), config, stopped.clone()));
        let public_url = config.public_url.as_ref().map(ToString::to_string);
        let watcher = tokio::spawn(watch(
            Watch::new(app.db.clone(), public_url, app.refusals.clone(), clients.clone()),
            stopped.clone(),
        ));
        let renewer = tokio::spawn(renew(app.db.clone(), stopped.clone()));
        let pruner = tokio::spawn(prune(app.db.clone(), retention, stopped.clone()));
        let pusher = Pusher::new(app.db.clone(), config.unit.to_string());
        let pusher = tokio::spawn(pusher.work(stopped.clone()));
        let worker = tokio::spawn(work(app.clone(), clients, stopped));
        Ok(Self { address, app, stop, server, worker, watcher, reconciler, renewer, pruner, pusher })
    }

    /// Stops taking requests, finishes those that were accepted, and closes the database.
    ///
    /// # Errors
    /// When a task of it has panicked.
    pub async fn stop(self) -> anyhow::Result<()> {
        let _ = self.stop.send(true);
        let cut_off = self.server.await?;
        self.worker.await?;
        self.watcher.await?;
        self.reconciler.await?;
        self.renewer.await?;
        self.pruner.await?;
        self.pusher.await?;
        if let Err(error) = self.app.refusals.flush(&self.app.db).await {
            tracing::warn!(%error, "refused deliveries could not be written down: {error}");
        }
        if let Err(error) = write_uses(&self.app.db, &self.app.uses).await {
            tracing::warn!(%error, "when keys were used could not be written down: {error}");
        }
        cut_off?;
        Ok(())
    }
}

/// What the handlers work with.
#[must_use]
pub fn handlers(db: Db, config: &Config) -> http::Services {
    http::Services {
        db,
        feed: Arc::new(feed_settings(config)),
        rules: Arc::new(rules(config)),
        brake: brake(config),
        webhook_body_bytes_max: config.http.webhook_body_bytes_max.get() as usize,
        kept: feed::Kept::default(),
        callers: Callers::default(),
        stores: shop::kept::Stores::default(),
        uses: Uses::default(),
        guesses: Guesses::default(),
        refusals: Refusals::default(),
        wake_worker: Arc::new(Notify::new()),
    }
}

/// What the configuration says about wallets.
#[must_use]
pub fn feed_settings(config: &Config) -> feed::Settings {
    feed::Settings {
        unit: config.unit.to_string(),
        low_balance: config.low_balance.to_vec(),
        top_up_url: config.top_up_url.as_ref().map(ToString::to_string),
        docs_url: config.docs_url.as_ref().map(ToString::to_string),
    }
}

/// What the configuration says about the brake against runaway spending.
#[must_use]
pub fn brake(config: &Config) -> Brake {
    let config::Brake { enabled, times, floor } = config.brake;
    Brake { enabled, times: times.get(), floor }
}

/// Who looks after the alerts that the configuration wants.
#[must_use]
pub fn alerts(config: &Config) -> Arc<Alerts> {
    Arc::new(Alerts::at(config.low_balance.to_vec()))
}

/// What the configuration says about orders.
#[must_use]
pub fn rules(config: &Config) -> Rules {
    Rules {
        require_date_paid: config.orders.require_date_paid,
        discount: config.orders.discount,
        free_lines: config.orders.free_lines,
        on_delete: config.orders.on_delete,
        shortfall: config.orders.shortfall,
        auto_register: config.sites.auto_register,
    }
}

/// Waits until somebody asks the process to stop.
///
/// # Errors
/// When signals cannot be listened to.
pub async fn stop_asked() -> anyhow::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            result = tokio::signal::ctrl_c() => result?,
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await?;
    Ok(())
}

async fn until(mut stopped: watch::Receiver<bool>) {
    // An error means the sender is gone, which is a stop as well.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Compares stores with their shops, if that is wanted; what it takes from `config` it takes at once.
fn reconcile(
    app: http::App,
    clients: Clients,
    config: &Config,
    stopped: watch::Receiver<bool>,
) -> impl Future<Output = ()> + use<> {
    let every = config.reconcile.every.pause();
    async move {
        if let Some(every) = every {
            schedule::work(app.db.clone(), clients, Arc::clone(&app.rules), every, stopped).await;
        }
    }
}

/// How long the worker sleeps when nobody wakes it: the command line may have left work for it.
const WORKER_PAUSE: Duration = Duration::from_secs(2);

/// How long a worker that was woken lets more work gather.
const WORKER_GATHERS: Duration = Duration::from_millis(10);

/// How often old raw deliveries and old answers are looked for, in milliseconds.
const PRUNE_EVERY_MS: i64 = 60 * 60 * 1000;

/// Raw deliveries forgotten in one transaction, and answers to requests: few enough that nobody notices.
const PRUNE_MAX: i64 = 100;

/// How long pruning rests while there is more: thousands go in a second, which is more than come, and whoever waits for
/// the writer meanwhile hardly notices.
const PRUNE_PAUSE: Duration = Duration::from_millis(25);

/// Writes down when keys were last used, where that is new.
///
/// # Errors
/// When the database fails; then it is written down the next time.
pub async fn write_uses(db: &Db, uses: &Uses) -> Result<(), db::Error> {
    let new = uses.unwritten();
    if new.is_empty() {
        return Ok(());
    }
    let written = new.clone();
    db.write("app::write_uses", move |tx| {
        new.iter().try_for_each(|(key, hour)| access::store::note_use(tx, key, *hour))
    })
    .await?;
    uses.set_written(&written);
    Ok(())
}

/// Forgets a few raw deliveries, a few answers, a few hours of spending and a few events that are old; answers how many
/// of those there are most of.
fn prune_some(tx: &mut Tx<'_>, deliveries_before: Timestamp) -> Result<u64, db::Error> {
    let deliveries = inbox::store::prune(tx, deliveries_before, PRUNE_MAX)?;
    let hours = ledger::store::brake::prune(tx, PRUNE_MAX)?;
    let events = event::store::prune(tx, PRUNE_MAX)?;
    Ok(idempotency::store::prune(tx, PRUNE_MAX)?.max(deliveries).max(hours).max(events))
}

/// Forgets what is old, a little at a time.
async fn prune(db: Db, retention_ms: i64, mut stopped: watch::Receiver<bool>) {
    let mut prune_at = Timestamp::from_millis(0);
    // Without a sender nobody is left to say stop: that is a stop as well.
    while !*stopped.borrow() && stopped.has_changed().is_ok() {
        let (now, mut pause) = (db.clock().now(), WORKER_PAUSE);
        if prune_at <= now {
            let before = now.plus_millis(-retention_ms);
            match db.write("app::prune", move |tx| prune_some(tx, before)).await {
                // A full page means there may be more.
                Ok(pruned) if pruned >= PRUNE_MAX as u64 => pause = PRUNE_PAUSE,
                Ok(_) => prune_at = now.plus_millis(PRUNE_EVERY_MS),
                Err(error) => {
                    tracing::warn!(%error, "old deliveries and answers could not be pruned: {error}");
                    prune_at = now.plus_millis(PRUNE_EVERY_MS);
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stopped.changed() => {}
        }
    }
}

/// Asks shops what deliveries left open.
async fn work(app: http::App, clients: Clients, mut stopped: watch::Receiver<bool>) {
    // Facts may have been learned just before the last stop, and orders left waiting for them.
    if let Err(error) = app.db.write("app::retry_all_parked", retry_all_parked).await {
        tracing::error!(%error, "parked orders could not be tried again: {error}");
    }
    // Without a sender nobody is left to say stop: that is a stop as well.
    while !*stopped.borrow() && stopped.has_changed().is_ok() {
        if let Err(error) = write_uses(&app.db, &app.uses).await {
            tracing::warn!(%error, "when keys were used could not be written down: {error}");
        }
        // A stop does not wait for a shop: what was being asked is asked again after the next start.
        let stepped = tokio::select! {
            stepped = answers::step(&app.db, &clients, &app.rules, None) => stepped,
            _ = stopped.changed() => break,
        };
        let idle = match stepped {
            Ok(is_idle) => is_idle,
            Err(error) => {
                tracing::error!(%error, "the worker could not go on: {error}");
                true
            }
        };
        if idle {
            tokio::select! {
                // A moment more, and one look is for all deliveries of that moment.
                () = app.wake_worker.notified() => tokio::time::sleep(WORKER_GATHERS).await,
                () = tokio::time::sleep(WORKER_PAUSE) => {}
                _ = stopped.changed() => {}
            }
        }
    }
}

/// Accounts whose plans bring their credits, or whose holds are over, in one step, each in a transaction of its own.
const RENEWALS_MAX: i64 = 100;

/// Books what plans bring and which holds are over for accounts that nobody touches, and logs which sites are paused: apart from [`work`], so that a shop that hangs
/// makes no customer wait for their credits.
async fn renew(db: Db, mut stopped: watch::Receiver<bool>) {
    let mut told = Vec::new();
    while !*stopped.borrow() && stopped.has_changed().is_ok() {
        let is_idle = renewals(&db).await.unwrap_or_else(|error| {
            tracing::error!(%error, "what plans bring and which holds are over could not be booked: {error}");
            true
        });
        if let Err(error) = tell_paused(&db, &mut told) {
            tracing::error!(%error, "which sites are paused could not be read: {error}");
        }
        if is_idle {
            tokio::select! {
                () = tokio::time::sleep(WORKER_PAUSE) => {}
                _ = stopped.changed() => {}
            }
        }
    }
}

/// Logs which sites the brake has paused since it was last asked, and which of them may spend again; after a start,
/// all that are paused. `told` is what was logged before. What is logged was committed.
///
/// # Errors
/// When the database fails.
pub fn tell_paused(db: &Db, told: &mut Vec<Paused>) -> Result<(), db::Error> {
    let paused = db.read(ledger::store::brake::paused)?;
    for Paused { account, site, pause } in paused.iter().filter(|paused| !told.contains(paused)) {
        tracing::warn!(%account, %site, "site {site} is paused for safety: {}", pause.reason);
    }
    let goes_on = |before: &&Paused| !paused.iter().any(|paused| paused.site == before.site);
    for Paused { account, site, .. } in told.iter().filter(goes_on) {
        tracing::info!(%account, %site, "site {site} is no longer paused");
    }
    *told = paused;
    Ok(())
}

/// One step of [`renew`]; answers whether there is nothing to do for now.
async fn renewals(db: &Db) -> Result<bool, db::Error> {
    let due = db.read(|tx| {
        let mut due = ledger::store::plan::due(tx, RENEWALS_MAX)?;
        due.extend(ledger::store::hold::due(tx, RENEWALS_MAX)?);
        due.extend(alert::expired(tx, RENEWALS_MAX)?);
        due.extend(alert::due(tx, RENEWALS_MAX)?);
        Ok::<_, db::Error>(due)
    })?;
    let mut is_idle = due.is_empty();
    for account in due {
        let id = account.clone();
        // Locking books what is due.
        let locked = db.write("app::renewals", move |tx| LockedAccount::lock(tx, &id).map(drop)).await;
        if let Err(error) = locked {
            // The others need not wait for this one.
            tracing::error!(%error, "what is due for {account} could not be booked: {error}");
            is_idle = true;
        }
    }
    Ok(is_idle)
}

/// Looks after the shops' webhooks: apart from [`work`], so that a shop that hangs holds up no order.
async fn watch(mut watch: Watch, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() && stopped.has_changed().is_ok() {
        tokio::select! {
            stepped = watch.step() => if let Err(error) = stepped {
                tracing::error!(%error, "the webhooks could not be looked after: {error}");
            },
            _ = stopped.changed() => break,
        }
        tokio::select! {
            () = tokio::time::sleep(WORKER_PAUSE) => {}
            _ = stopped.changed() => {}
        }
    }
}

fn retry_all_parked(tx: &mut Tx<'_>) -> Result<(), db::Error> {
    for store in shop::store::list(tx)? {
        catalog::store::retry(tx, store.id)?;
    }
    Ok(())
}
