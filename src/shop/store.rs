//! Stores in the database.

use std::collections::HashMap;
use std::path::PathBuf;

use secrecy::ExposeSecret;

use super::health::{Finding, Known};
use super::rest::Access;
use super::{
    HookSecret, PAID_STATUSES, RestKeys, SITE_KEYS, ShopUrl, Store, StoreName, TOKENS_CATEGORIES, meta_key,
    slug, status,
};
use crate::access;
use crate::db::{self, FromColumn, Row, Tx};
use crate::pairing;
use crate::params;
use crate::time::{DAY_MS, Timestamp};

/// Why a store was not added, changed or removed. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name is in use.
    #[error(
        "a store named {0} is there already; `nivella-wallet store set {0}` changes it, and a second shop needs a name of its own"
    )]
    NameTaken(StoreName),
    /// No store has that name or number.
    #[error("there is no store named {0}; `nivella-wallet store list` lists them")]
    Unknown(String),
    /// A list that decides what counts was left empty.
    #[error("a store needs at least one {0}")]
    EmptyList(&'static str),
    /// Credits were sold through it.
    #[error(
        "store {name} is in use (orders: {orders}, customers: {customers}) and their credits would lose their \
         origin: it stays. To stop it, disable its webhooks in WooCommerce (Settings → Advanced → Webhooks) and \
         revoke its REST keys"
    )]
    InUse {
        /// The store.
        name: StoreName,
        /// Orders known of it.
        orders: i64,
        /// Accounts opened for its customers.
        customers: i64,
    },
    /// The database failed.
    #[error(transparent)]
    Database(#[from] db::Error),
}

/// Everything that is set about a store, secrets included: to change one thing, read them, change it, and
/// [`update`].
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its front page.
    pub url: ShopUrl,
    /// What its deliveries are signed with.
    pub webhook_secret: HookSecret,
    /// What they were signed with before, while that is still taken.
    pub previous_secret: Option<Previous>,
    /// What it may be asked with.
    pub rest_keys: Option<RestKeys>,
    /// The certificate authority its certificate is signed by, if not a public one.
    pub ca_file: Option<PathBuf>,
    /// Slugs of the categories whose products grant credits.
    pub tokens_categories: Vec<String>,
    /// Order statuses that count as paid.
    pub paid_statuses: Vec<String>,
    /// Meta keys that may name the site, first match wins.
    pub site_keys: Vec<String>,
}

/// How long an old webhook secret is taken when nothing else is said, in milliseconds: a day to set the new one
/// everywhere.
pub const OLD_SECRET_VALID_MS: i64 = DAY_MS;

/// A webhook secret that was changed and is taken a while longer.
#[derive(Clone, Debug)]
pub struct Previous {
    /// The secret.
    pub secret: HookSecret,
    /// From this instant it is refused.
    pub until: Timestamp,
}

/// What a store's deliveries may be signed with now.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// The secret.
    pub today: HookSecret,
    /// The one before it, while that is still taken.
    pub previous: Option<HookSecret>,
    /// From when that is refused.
    pub until: Option<Timestamp>,
}

impl Settings {
    /// Changes the webhook secret; the one so far is taken until `old_until`, if that is given. One that was
    /// still taken from an earlier change is not taken any more. The same secret again changes nothing; answers
    /// whether it was another.
    pub fn change_secret(&mut self, secret: HookSecret, old_until: Option<Timestamp>) -> bool {
        if secret.expose() == self.webhook_secret.expose() {
            return false;
        }
        let old = std::mem::replace(&mut self.webhook_secret, secret);
        self.previous_secret = old_until.map(|until| Previous { secret: old, until });
        true
    }

    /// A shop with nothing special about it.
    #[must_use]
    pub fn new(url: ShopUrl, webhook_secret: HookSecret) -> Self {
        Self {
            url,
            webhook_secret,
            previous_secret: None,
            rest_keys: None,
            ca_file: None,
            tokens_categories: TOKENS_CATEGORIES.map(str::to_owned).to_vec(),
            paid_statuses: PAID_STATUSES.map(str::to_owned).to_vec(),
            site_keys: SITE_KEYS.map(str::to_owned).to_vec(),
        }
    }
}

/// Adds a store.
///
/// # Errors
/// [`Error::NameTaken`], [`Error::EmptyList`].
pub fn add(tx: &mut Tx<'_>, name: &StoreName, settings: &Settings) -> Result<Store, Error> {
    let columns = Columns::of(settings)?;
    let now = tx.now();
    let added = tx.query_opt(
        "-- shop::store::add
         INSERT INTO store (name, url, webhook_secret, consumer_key, consumer_secret, ca_file,
                            tokens_categories, paid_statuses, site_keys, created_at, previous_secret,
                            previous_until)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         ON CONFLICT (name) DO NOTHING
         RETURNING id",
        params![
            name.as_str(),
            &columns.url,
            settings.webhook_secret.expose(),
            columns.consumer_key,
            columns.consumer_secret,
            columns.ca_file.as_deref(),
            &columns.tokens_categories,
            &columns.paid_statuses,
            &columns.site_keys,
            now,
            columns.previous_secret,
            columns.previous_until,
        ],
        |row| row.get::<i64>(0),
    )?;
    let id = added.ok_or_else(|| Error::NameTaken(name.clone()))?;
    by_id(tx, id)?.ok_or(Error::Database(db::Error::NoRow))
}

/// Sets everything about a store but its name; what waits to be asked of it is asked at once.
///
/// # Errors
/// [`Error::Unknown`], [`Error::EmptyList`].
pub fn update(tx: &mut Tx<'_>, id: i64, settings: &Settings) -> Result<Store, Error> {
    let columns = Columns::of(settings)?;
    let now = tx.now();
    tx.execute(
        "-- shop::store::update (secret)
         INSERT INTO store_health (store_id, refused_count, secret_at, secret_in_shop)
         SELECT id, 0, CAST($3 AS BIGINT), 0 FROM store WHERE id = $1 AND webhook_secret <> $2
         ON CONFLICT (store_id) DO UPDATE
         SET secret_at = CAST($3 AS BIGINT), secret_in_shop = 0, secret_heard_at = NULL",
        params![id, settings.webhook_secret.expose(), now],
    )?;
    let updated = tx.execute(
        "-- shop::store::update
         UPDATE store
         SET url = $2, webhook_secret = $3, consumer_key = $4, consumer_secret = $5, ca_file = $6,
             tokens_categories = $7, paid_statuses = $8, site_keys = $9, previous_secret = $10,
             previous_until = $11
         WHERE id = $1",
        params![
            id,
            &columns.url,
            settings.webhook_secret.expose(),
            columns.consumer_key,
            columns.consumer_secret,
            columns.ca_file.as_deref(),
            &columns.tokens_categories,
            &columns.paid_statuses,
            &columns.site_keys,
            columns.previous_secret,
            columns.previous_until,
        ],
    )?;
    if updated == 0 {
        return Err(Error::Unknown(id.to_string()));
    }
    tx.execute(
        "-- shop::store::update (ask again)
         UPDATE lookup SET due_at = $2 WHERE store_id = $1 AND due_at > $2",
        params![id, now],
    )?;
    // Half of a sweep over another shop, or over one that did not answer, is not gone on with.
    tx.execute(
        "-- shop::store::update (compare anew)
         UPDATE reconciliation SET due_at = 0, progress = NULL WHERE store_id = $1",
        params![id],
    )?;
    by_id(tx, id)?.ok_or(Error::Database(db::Error::NoRow))
}

/// Removes a store through which nothing was sold, with its catalogue, packages and deliveries.
///
/// # Errors
/// [`Error::Unknown`]; [`Error::InUse`] once an order or a customer of it is known.
pub fn remove(tx: &mut Tx<'_>, name: &StoreName) -> Result<(), Error> {
    let store = find(tx, name)?.ok_or_else(|| Error::Unknown(name.to_string()))?;
    let (orders, customers, grants) = tx.query_one(
        "-- shop::store::remove (in use)
         SELECT (SELECT count(*) FROM shop_order WHERE store_id = $1),
                (SELECT count(*) FROM customer WHERE store_id = $1),
                (SELECT count(*) FROM credit_grant WHERE store_id = $1)",
        params![store.id],
        |row| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?, row.get::<i64>(2)?)),
    )?;
    if orders + customers + grants > 0 {
        return Err(Error::InUse { name: store.name, orders, customers });
    }
    pairing::store::end_code(tx, name)?;
    if let Some(pairing) = pairing::store::of(tx, store.id)? {
        // The key sees everything, not only its store.
        access::store::revoke(tx, &pairing.key)?;
    }
    pairing::store::set_events(tx, store.id, None)?;
    pairing::store::forget(tx, store.id)?;
    for sql in [
        "-- shop::store::remove (retry)
         DELETE FROM parked_retry WHERE store_id = $1",
        "-- shop::store::remove (lookup)
         DELETE FROM lookup WHERE store_id = $1",
        "-- shop::store::remove (reconciliation)
         DELETE FROM reconciliation WHERE store_id = $1",
        "-- shop::store::remove (package)
         DELETE FROM package WHERE store_id = $1",
        "-- shop::store::remove (product)
         DELETE FROM product WHERE store_id = $1",
        "-- shop::store::remove (told)
         DELETE FROM told WHERE store_id = $1",
        "-- shop::store::remove (category)
         DELETE FROM category WHERE store_id = $1",
        "-- shop::store::remove (events)
         DELETE FROM event_push WHERE store_id = $1",
        "-- shop::store::remove (receiver)
         DELETE FROM event_receiver WHERE store_id = $1",
        "-- shop::store::remove (delivery)
         DELETE FROM delivery WHERE store_id = $1",
        "-- shop::store::remove (health)
         DELETE FROM store_health WHERE store_id = $1",
        "-- shop::store::remove
         DELETE FROM store WHERE id = $1",
    ] {
        tx.execute(sql, params![store.id])?;
    }
    Ok(())
}

/// All stores, by name.
pub fn list(tx: &mut Tx<'_>) -> Result<Vec<Store>, db::Error> {
    tx.query(
        "-- shop::store::list
         SELECT id, name, url, tokens_categories, paid_statuses, site_keys, ca_file, consumer_key, created_at
         FROM store ORDER BY name",
        params![],
        read,
    )
}

/// The store named `name`.
pub fn find(tx: &mut Tx<'_>, name: &StoreName) -> Result<Option<Store>, db::Error> {
    tx.query_opt(
        "-- shop::store::find
         SELECT id, name, url, tokens_categories, paid_statuses, site_keys, ca_file, consumer_key, created_at
         FROM store WHERE name = $1",
        params![name.as_str()],
        read,
    )
}

/// The store with the number `id`.
pub fn by_id(tx: &mut Tx<'_>, id: i64) -> Result<Option<Store>, db::Error> {
    tx.query_opt(
        "-- shop::store::by_id
         SELECT id, name, url, tokens_categories, paid_statuses, site_keys, ca_file, consumer_key, created_at
         FROM store WHERE id = $1",
        params![id],
        read,
    )
}

/// The store named `name`, with what its deliveries may be signed with.
pub fn find_with_secrets(tx: &mut Tx<'_>, name: &StoreName) -> Result<Option<(Store, Secrets)>, db::Error> {
    let now = tx.now();
    tx.query_opt(
        "-- shop::store::find_with_secrets
         SELECT id, name, url, tokens_categories, paid_statuses, site_keys, ca_file, consumer_key, created_at,
                webhook_secret, previous_secret, previous_until
         FROM store WHERE name = $1",
        params![name.as_str()],
        |row| {
            let previous = previous_secret(row, 10)?.filter(|previous| now < previous.until);
            let until = previous.as_ref().map(|previous| previous.until);
            let previous = previous.map(|previous| previous.secret);
            let secrets = Secrets { today: hook_secret(row, 9)?, previous, until };
            Ok((read(row)?, secrets))
        },
    )
}

/// Erases old webhook secrets that are no longer taken; answers how many.
pub fn forget_old_secrets(tx: &mut Tx<'_>) -> Result<u64, db::Error> {
    let now = tx.now();
    tx.execute(
        "-- shop::store::forget_old_secrets
         UPDATE store SET previous_secret = NULL, previous_until = NULL WHERE previous_until <= $1",
        params![now],
    )
}

/// Whether there are old webhook secrets that are no longer taken.
pub fn has_old_secrets(tx: &mut Tx<'_>) -> Result<bool, db::Error> {
    let now = tx.now();
    tx.query_one(
        "-- shop::store::has_old_secrets
         SELECT CAST(COUNT(*) AS BIGINT) FROM store WHERE previous_until <= $1",
        params![now],
        |row| Ok(row.get::<i64>(0)? > 0),
    )
}

/// What is known of how a store's webhooks fare, without asking the shop.
pub fn health(tx: &mut Tx<'_>, id: i64) -> Result<Known, db::Error> {
    let now = tx.now();
    let known = tx.query_opt(
        "-- shop::store::health
         SELECT s.previous_until, h.refused_at, h.refused_count, h.error_at, h.error_code, h.secret_at,
                h.secret_in_shop, h.checked_at, h.findings, h.heard_at, h.secret_heard_at
         FROM store s LEFT JOIN store_health h ON h.store_id = s.id WHERE s.id = $1",
        params![id],
        |row| {
            let findings: Option<String> = row.get(8)?;
            Ok(Known {
                old_secret_until: row.get::<Option<Timestamp>>(0)?.filter(|until| now < *until),
                refused_at: row.get(1)?,
                refused_count: row.get::<Option<i64>>(2)?.unwrap_or(0),
                error_at: row.get(3)?,
                error_code: row.get(4)?,
                secret_at: row.get(5)?,
                secret_in_shop: row.get::<Option<i64>>(6)?.unwrap_or(0) == 1,
                checked_at: row.get(7)?,
                // Written by another version it may not be readable; the next look writes it anew.
                findings: findings.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
                heard_at: row.get(9)?,
                secret_heard_at: row.get(10)?,
                last_delivery_at: None,
                last_order_at: None,
            })
        },
    )?;
    let last_delivery_at = tx.query_opt(
        "-- shop::store::health (delivery)
         SELECT received_at FROM delivery WHERE store_id = $1 ORDER BY seq DESC LIMIT 1",
        params![id],
        |row| row.get(0),
    )?;
    let last_order_at = tx.query_opt(
        "-- shop::store::health (order)
         SELECT received_at FROM delivery
         WHERE store_id = $1 AND topic IN ('order.created', 'order.updated', 'order.restored')
           AND state IN ('applied', 'parked', 'stale')
         ORDER BY seq DESC LIMIT 1",
        params![id],
        |row| row.get(0),
    )?;
    Ok(Known { last_delivery_at, last_order_at, ..known.unwrap_or_default() })
}

/// Writes down that deliveries of a store were signed with another secret.
pub fn note_refused(tx: &mut Tx<'_>, id: i64, count: i64, last_at: Timestamp) -> Result<(), db::Error> {
    tx.execute(
        "-- shop::store::note_refused
         INSERT INTO store_health (store_id, refused_at, refused_count, secret_in_shop)
         SELECT id, CAST($2 AS BIGINT), CAST($3 AS BIGINT), 0 FROM store WHERE id = $1
         ON CONFLICT (store_id) DO UPDATE
         SET refused_at = CAST($2 AS BIGINT), refused_count = store_health.refused_count + CAST($3 AS BIGINT)",
        params![id, last_at, count],
    )?;
    Ok(())
}

/// How often it is written down that deliveries come, in milliseconds.
const HEARD_EVERY_MS: i64 = 60 * 1000;

/// Writes down that a delivery with a right signature came, and whether it was signed with today's secret: at most
/// once a minute, and when the secret is another than that of the delivery before.
pub fn note_heard(tx: &mut Tx<'_>, id: i64, with_todays: bool) -> Result<(), db::Error> {
    let now = tx.now();
    let remembered = tx.memory().and_then(|memory| memory.of::<Heard>().0.get(&id).copied());
    let (heard_at, secret_heard_at) = match remembered {
        Some(noted) => noted,
        None => heard(tx, id)?,
    };
    let was_lately = heard_at.is_some_and(|at| now < at.plus_millis(HEARD_EVERY_MS));
    if was_lately && (heard_at == secret_heard_at) == with_todays {
        return Ok(());
    }
    tx.execute(
        "-- shop::store::note_heard
         INSERT INTO store_health (store_id, refused_count, secret_in_shop, heard_at, secret_heard_at)
         VALUES ($1, 0, 0, $2, $3)
         ON CONFLICT (store_id) DO UPDATE
         SET heard_at = excluded.heard_at,
             secret_heard_at = COALESCE(excluded.secret_heard_at, store_health.secret_heard_at)",
        params![id, now, with_todays.then_some(now)],
    )?;
    remember_heard(tx, id, (Some(now), if with_todays { Some(now) } else { secret_heard_at }));
    Ok(())
}

/// When a store's deliveries were last noted, as the writer remembers it. Beside [`note_heard`] only what changes
/// stores themselves writes that, and then nothing is remembered.
#[derive(Debug, Default)]
struct Heard(HashMap<i64, Noted>);

/// When a delivery was noted, and one that was signed with today's secret.
type Noted = (Option<Timestamp>, Option<Timestamp>);

fn heard(tx: &mut Tx<'_>, id: i64) -> Result<Noted, db::Error> {
    let noted = tx.query_opt(
        "-- shop::store::heard
         SELECT heard_at, secret_heard_at FROM store_health WHERE store_id = $1",
        params![id],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let noted = noted.unwrap_or_default();
    remember_heard(tx, id, noted);
    Ok(noted)
}

fn remember_heard(tx: &mut Tx<'_>, id: i64, noted: Noted) {
    if let Some(memory) = tx.memory() {
        memory.of::<Heard>().0.insert(id, noted);
    }
}

/// Writes down that a store sent a signed error object.
pub fn note_error_object(tx: &mut Tx<'_>, id: i64, code: &str) -> Result<(), db::Error> {
    let now = tx.now();
    tx.execute(
        "-- shop::store::note_error_object
         INSERT INTO store_health (store_id, refused_count, error_at, error_code, secret_in_shop)
         VALUES ($1, 0, $2, $3, 0)
         ON CONFLICT (store_id) DO UPDATE SET error_at = $2, error_code = $3",
        params![id, now, code],
    )?;
    Ok(())
}

/// Writes down that today's secret was set in all webhooks of the shop that point here.
pub fn note_secret_in_shop(tx: &mut Tx<'_>, id: i64) -> Result<(), db::Error> {
    let now = tx.now();
    tx.execute(
        "-- shop::store::note_secret_in_shop
         INSERT INTO store_health (store_id, refused_count, secret_at, secret_in_shop) VALUES ($1, 0, $2, 1)
         ON CONFLICT (store_id) DO UPDATE SET secret_at = $2, secret_in_shop = 1",
        params![id, now],
    )?;
    Ok(())
}

/// Keeps what a look at the shop showed.
pub fn note_findings(tx: &mut Tx<'_>, id: i64, findings: &[Finding]) -> Result<(), db::Error> {
    let now = tx.now();
    let findings = serde_json::to_string(findings).unwrap_or_default();
    tx.execute(
        "-- shop::store::note_findings
         INSERT INTO store_health (store_id, refused_count, secret_in_shop, checked_at, findings)
         SELECT id, 0, 0, CAST($2 AS BIGINT), CAST($3 AS TEXT) FROM store WHERE id = $1
         ON CONFLICT (store_id) DO UPDATE SET checked_at = CAST($2 AS BIGINT), findings = CAST($3 AS TEXT)",
        params![id, now, &findings],
    )?;
    Ok(())
}

/// Everything that is set about a store.
pub fn settings(tx: &mut Tx<'_>, id: i64) -> Result<Option<Settings>, db::Error> {
    tx.query_opt(
        "-- shop::store::settings
         SELECT id, name, url, tokens_categories, paid_statuses, site_keys, ca_file, consumer_key, created_at,
                webhook_secret, consumer_secret, previous_secret, previous_until
         FROM store WHERE id = $1",
        params![id],
        |row| {
            let store = read(row)?;
            Ok(Settings {
                url: store.url,
                webhook_secret: hook_secret(row, 9)?,
                previous_secret: previous_secret(row, 11)?,
                rest_keys: rest_keys(row, 7, 10)?,
                ca_file: store.ca_file,
                tokens_categories: store.tokens_categories,
                paid_statuses: store.paid_statuses,
                site_keys: store.site_keys,
            })
        },
    )
}

/// What it takes to ask a store; `None` when it has no REST keys, or is not there.
pub fn access(tx: &mut Tx<'_>, id: i64) -> Result<Option<Access>, db::Error> {
    let Some(settings) = settings(tx, id)? else {
        return Ok(None);
    };
    Ok(settings.rest_keys.map(|keys| Access { url: settings.url, keys, ca_file: settings.ca_file }))
}

/// Settings as they are written into a row.
struct Columns<'s> {
    url: String,
    consumer_key: Option<&'s str>,
    consumer_secret: Option<&'s str>,
    ca_file: Option<String>,
    tokens_categories: String,
    paid_statuses: String,
    site_keys: String,
    previous_secret: Option<&'s str>,
    previous_until: Option<Timestamp>,
}

impl<'s> Columns<'s> {
    fn of(settings: &'s Settings) -> Result<Self, Error> {
        let keys = settings.rest_keys.as_ref();
        let previous = settings.previous_secret.as_ref();
        Ok(Self {
            url: settings.url.to_string(),
            consumer_key: keys.map(RestKeys::key),
            consumer_secret: keys.map(RestKeys::expose_secret),
            ca_file: settings.ca_file.as_ref().map(|path| path.to_string_lossy().into_owned()),
            tokens_categories: list_column(&settings.tokens_categories, slug, "Tokens category")?,
            paid_statuses: list_column(&settings.paid_statuses, status, "paid status")?,
            site_keys: list_column(&settings.site_keys, meta_key, "meta key for the site")?,
            previous_secret: previous.map(|previous| previous.secret.expose()),
            previous_until: previous.map(|previous| previous.until),
        })
    }
}

/// A list in the spelling it is compared in, each entry once, in the order given.
fn list_column(list: &[String], spell: fn(&str) -> String, what: &'static str) -> Result<String, Error> {
    let mut spelled: Vec<String> = Vec::with_capacity(list.len());
    for entry in list.iter().map(|entry| spell(entry)).filter(|entry| !entry.is_empty()) {
        if !spelled.contains(&entry) {
            spelled.push(entry);
        }
    }
    if spelled.is_empty() {
        return Err(Error::EmptyList(what));
    }
    Ok(serde_json::Value::from(spelled).to_string())
}

fn read(row: &Row<'_>) -> Result<Store, db::Error> {
    Ok(Store {
        id: row.get(0)?,
        name: parsed(row, 1)?,
        url: parsed(row, 2)?,
        tokens_categories: list_of(row, 3)?,
        paid_statuses: list_of(row, 4)?,
        site_keys: list_of(row, 5)?,
        ca_file: row.get::<Option<String>>(6)?.map(PathBuf::from),
        has_rest_keys: row.get::<Option<String>>(7)?.is_some(),
        created_at: row.get(8)?,
    })
}

fn parsed<T: std::str::FromStr>(row: &Row<'_>, column: usize) -> Result<T, db::Error> {
    let text = String::from_column(row, column)?;
    text.parse().map_err(|_| db::Error::Column { column, found: text })
}

fn list_of(row: &Row<'_>, column: usize) -> Result<Vec<String>, db::Error> {
    let text = String::from_column(row, column)?;
    serde_json::from_str(&text).map_err(|_| db::Error::Column { column, found: text })
}

fn hook_secret(row: &Row<'_>, column: usize) -> Result<HookSecret, db::Error> {
    // What was found is a secret and stays out of the error.
    let found = "what is no webhook secret".to_owned();
    let text = secrecy::SecretString::from(row.get::<String>(column)?);
    text.expose_secret().parse().map_err(|_| db::Error::Column { column, found })
}

/// The secret before today's in `column`, and in the next one until when it is taken.
fn previous_secret(row: &Row<'_>, column: usize) -> Result<Option<Previous>, db::Error> {
    match (row.get::<Option<String>>(column)?, row.get(column + 1)?) {
        (Some(_), Some(until)) => Ok(Some(Previous { secret: hook_secret(row, column)?, until })),
        _ => Ok(None),
    }
}

fn rest_keys(row: &Row<'_>, key: usize, secret: usize) -> Result<Option<RestKeys>, db::Error> {
    let (Some(key), Some(half)) = (row.get::<Option<String>>(key)?, row.get::<Option<String>>(secret)?)
    else {
        return Ok(None);
    };
    let found = "what are no REST keys".to_owned();
    RestKeys::new(&key, &half).map(Some).map_err(|_| db::Error::Column { column: secret, found })
}
