//! Stores in the database.

use std::path::PathBuf;

use secrecy::ExposeSecret;

use super::rest::Access;
use super::{
    HookSecret, PAID_STATUSES, RestKeys, SITE_KEYS, ShopUrl, Store, StoreName, TOKENS_CATEGORIES, meta_key,
    slug, status,
};
use crate::db::{self, FromColumn, Row, Tx};
use crate::params;

/// Why a store was not added, changed or removed. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name is in use.
    #[error(
        "a store named {0} is there already; `store set {0}` changes it, and a second shop needs a name of its own"
    )]
    NameTaken(StoreName),
    /// No store has that name or number.
    #[error("there is no store named {0}; `store list` lists them")]
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

impl Settings {
    /// A shop with nothing special about it.
    #[must_use]
    pub fn new(url: ShopUrl, webhook_secret: HookSecret) -> Self {
        Self {
            url,
            webhook_secret,
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
                            tokens_categories, paid_statuses, site_keys, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
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
    let updated = tx.execute(
        "-- shop::store::update
         UPDATE store
         SET url = $2, webhook_secret = $3, consumer_key = $4, consumer_secret = $5, ca_file = $6,
             tokens_categories = $7, paid_statuses = $8, site_keys = $9
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
        ],
    )?;
    if updated == 0 {
        return Err(Error::Unknown(id.to_string()));
    }
    let now = tx.now();
    tx.execute(
        "-- shop::store::update (ask again)
         UPDATE lookup SET due_at = $2 WHERE store_id = $1 AND due_at > $2",
        params![id, now],
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
    for sql in [
        "-- shop::store::remove (lookup)
         DELETE FROM lookup WHERE store_id = $1",
        "-- shop::store::remove (reconciliation)
         DELETE FROM reconciliation WHERE store_id = $1",
        "-- shop::store::remove (package)
         DELETE FROM package WHERE store_id = $1",
        "-- shop::store::remove (product)
         DELETE FROM product WHERE store_id = $1",
        "-- shop::store::remove (category)
         DELETE FROM category WHERE store_id = $1",
        "-- shop::store::remove (delivery)
         DELETE FROM delivery WHERE store_id = $1",
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

/// The store named `name`, with what its deliveries must be signed with.
pub fn find_with_secret(tx: &mut Tx<'_>, name: &StoreName) -> Result<Option<(Store, HookSecret)>, db::Error> {
    tx.query_opt(
        "-- shop::store::find_with_secret
         SELECT id, name, url, tokens_categories, paid_statuses, site_keys, ca_file, consumer_key, created_at,
                webhook_secret
         FROM store WHERE name = $1",
        params![name.as_str()],
        |row| Ok((read(row)?, hook_secret(row, 9)?)),
    )
}

/// Everything that is set about a store.
pub fn settings(tx: &mut Tx<'_>, id: i64) -> Result<Option<Settings>, db::Error> {
    tx.query_opt(
        "-- shop::store::settings
         SELECT id, name, url, tokens_categories, paid_statuses, site_keys, ca_file, consumer_key, created_at,
                webhook_secret, consumer_secret
         FROM store WHERE id = $1",
        params![id],
        |row| {
            let store = read(row)?;
            Ok(Settings {
                url: store.url,
                webhook_secret: hook_secret(row, 9)?,
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
}

impl<'s> Columns<'s> {
    fn of(settings: &'s Settings) -> Result<Self, Error> {
        let keys = settings.rest_keys.as_ref();
        Ok(Self {
            url: settings.url.to_string(),
            consumer_key: keys.map(RestKeys::key),
            consumer_secret: keys.map(RestKeys::expose_secret),
            ca_file: settings.ca_file.as_ref().map(|path| path.to_string_lossy().into_owned()),
            tokens_categories: list_column(&settings.tokens_categories, slug, "Tokens category")?,
            paid_statuses: list_column(&settings.paid_statuses, status, "paid status")?,
            site_keys: list_column(&settings.site_keys, meta_key, "meta key for the site")?,
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

fn rest_keys(row: &Row<'_>, key: usize, secret: usize) -> Result<Option<RestKeys>, db::Error> {
    let (Some(key), Some(half)) = (row.get::<Option<String>>(key)?, row.get::<Option<String>>(secret)?)
    else {
        return Ok(None);
    };
    let found = "what are no REST keys".to_owned();
    RestKeys::new(&key, &half).map(Some).map_err(|_| db::Error::Column { column: secret, found })
}
