//! Reading a shop through WooCommerce's REST API, and setting its webhooks: nothing else in it is changed.
//!
//! Over https every request carries the keys as Basic authentication; over http WordPress accepts only
//! OAuth 1.0a, so there it is signed. Redirects are never followed: an order book is not read from wherever
//! a redirect points, and most redirects mean that the address is not quite right. Only reading is retried: a webhook
//! that was made although its answer was lost would be made twice.
//!
//! No error and no log line carries a key, a signature, a query or a body.

use std::collections::HashMap;
use std::error::Error as _;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use reqwest::header::{self, HeaderMap};
use reqwest::{Certificate, Client, Method, Response, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{HookSecret, RestKeys, ShopUrl, oauth, trouble};
use crate::time::{Clock, Timestamp};

/// What it takes to ask a shop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Its front page.
    pub url: ShopUrl,
    /// Its keys.
    pub keys: RestKeys,
    /// The certificate authority its certificate is signed by, if not a public one.
    pub ca_file: Option<PathBuf>,
}

/// How long a shop may take, and how often it is asked again.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// To accept a connection.
    pub connect: Duration,
    /// To answer in full, for each attempt.
    pub whole: Duration,
    /// How many more attempts after one that failed for a passing reason.
    pub retries: usize,
    /// The pause before the second attempt; each later one is twice as long, plus jitter.
    pub first_pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            whole: Duration::from_secs(30),
            retries: 3,
            first_pause: Duration::from_millis(500),
        }
    }
}

/// The largest answer that is read: a hundred orders of two hundred lines each come close to half of it.
pub const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The longest `Retry-After` that is waited out; beyond it whoever asked tries again later.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(30);
/// The longest pause this program makes by itself.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// The largest page WooCommerce gives; asked for more it answers 400.
const PER_PAGE: u32 = 100;
/// More pages than any shop has: a shop that never ends its list is not read for ever.
const PAGES_MAX: u32 = 100_000;
/// As much of an error object's message as is worth showing.
const MESSAGE_CHARS_MAX: usize = 200;

/// Why a shop did not answer as it should.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client could not be set up.
    #[error("{0}")]
    Setup(String),
    /// No connection, or it broke.
    #[error("the shop cannot be reached: {0}")]
    Unreachable(String),
    /// Its certificate is not trusted.
    #[error(
        "the shop's certificate is not trusted ({0}); if it is signed by an authority of your own, name it with --ca-file"
    )]
    Untrusted(String),
    /// It took too long.
    #[error("the shop did not answer within {} s", .0.as_secs_f32())]
    Timeout(Duration),
    /// It asks for patience: 429, or 503 as in maintenance.
    #[error("the shop is busy or in maintenance (status {status})")]
    Busy {
        /// 429 or 503.
        status: u16,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// It failed.
    #[error("the shop failed (status {0}); its own log says why")]
    Failed(u16),
    /// It does not know the secret that goes with the key, or the signature made with it.
    #[error(
        "the shop refuses the consumer secret or what was signed with it ({0}); copy both keys again, or make new ones under WooCommerce → Settings → Advanced → REST API"
    )]
    WrongSecret(String),
    /// It does not know the key, or treats the request as a stranger's.
    #[error("the shop treats the request as a stranger's: {}", stranger(*.https))]
    Stranger {
        /// Whether the request was made over https.
        https: bool,
    },
    /// It knows the key, whose user may not see or do this.
    #[error(
        "the user the consumer key belongs to may not do this; it needs the role Administrator or Shop manager"
    )]
    Forbidden,
    /// It knows the key, which may only read.
    #[error(
        "the shop lets these keys change nothing ({0}): they need the permission Read/Write, under WooCommerce → \
         Settings → Advanced → REST API"
    )]
    ReadOnly(String),
    /// A password in front of the shop.
    #[error(
        "the web server before the shop asks for a password of its own; let {} through without it",
        super::API
    )]
    PasswordInFront,
    /// It has no such thing.
    #[error("the shop has no such {0}")]
    NotFound(&'static str),
    /// Nothing answers where its API should be.
    #[error(
        "no WooCommerce REST API at {0}: --url must be the shop's front page, WooCommerce must be active, and \
         permalinks (Settings → Permalinks) any but \"Plain\""
    )]
    NoApi(String),
    /// It lives elsewhere.
    #[error("the shop answers with a redirect to {target}; set --url to it")]
    Redirect {
        /// The front page it points to, as far as it can be told.
        target: String,
    },
    /// A page instead of data.
    #[error(
        "the shop answered with {0} instead of JSON: a maintenance or security page, or PHP warnings before the data"
    )]
    NotJson(String),
    /// JSON of another shape than WooCommerce's.
    #[error("the shop's answer is not what WooCommerce answers: {0}")]
    Unreadable(String),
    /// More than is read.
    #[error("the shop's answer is larger than {} MiB", ANSWER_BYTES_MAX / 1024 / 1024)]
    TooLarge,
    /// A list without an end.
    #[error("the shop's list has more than {PAGES_MAX} pages")]
    Endless,
    /// It does not want this request.
    #[error("the shop refuses the request (status {status}, {code}): {message}")]
    Refused {
        /// The status.
        status: u16,
        /// WooCommerce's name for the reason.
        code: String,
        /// Its words for it.
        message: String,
    },
}

fn stranger(https: bool) -> &'static str {
    if https {
        "the consumer key is wrong or was revoked, or a proxy before the shop drops the Authorization header or \
         does not tell it that the visitor came over https"
    } else {
        "the consumer key is wrong or was revoked"
    }
}

impl Error {
    /// Whether asking again soon may help.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Timeout(_) | Self::Busy { .. } | Self::Failed(_))
    }

    /// How long the shop asks to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// One shop, ready to be asked. Cloning it shares its connections.
#[derive(Clone)]
pub struct Rest {
    http: Client,
    access: Access,
    patience: Patience,
    clock: Clock,
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rest").field("url", &self.access.url).finish_non_exhaustive()
    }
}

/// An order together with its refunds, as JSON.
#[derive(Clone, Debug)]
pub struct WholeOrder {
    /// The order.
    pub order: Vec<u8>,
    /// The list of its refunds.
    pub refunds: Vec<u8>,
}

/// As much of an order as says whether it was refunded.
#[derive(Deserialize)]
struct NamedRefunds {
    #[serde(default)]
    refunds: Vec<serde::de::IgnoredAny>,
}

/// Which orders to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderQuery {
    /// Only those modified later than the second this lies in; the bound itself is not included.
    pub modified_after: Option<Timestamp>,
    /// `any` (everything but the trash; the default), `trash`, or statuses with commas between them. The trash
    /// cannot be had together with anything else.
    pub status: Option<String>,
}

/// What requests to a shop are made with; `is_here` says that it is on this machine.
///
/// # Errors
/// [`Error::Setup`] when the certificate authority's file cannot be read or used.
pub fn client(patience: Patience, is_here: bool, ca_file: Option<&Path>) -> Result<Client, Error> {
    let mut builder = Client::builder()
        .user_agent(concat!("nivella-wallet/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(patience.connect)
        .timeout(patience.whole)
        .pool_max_idle_per_host(2);
    if is_here {
        // A proxy for the outside world does not know this machine's own shops.
        builder = builder.no_proxy();
    }
    if let Some(path) = ca_file {
        let unusable =
            |why: &dyn fmt::Display| Error::Setup(format!("{} cannot be used: {why}", path.display()));
        let pem = std::fs::read(path).map_err(|error| unusable(&error))?;
        let authorities =
            Certificate::from_pem_bundle(&pem).map_err(|error| unusable(&root_cause(&error)))?;
        if authorities.is_empty() {
            return Err(unusable(&"it holds no certificate in PEM form"));
        }
        builder = builder.tls_certs_merge(authorities);
    }
    builder.build().map_err(|error| Error::Setup(format!("https cannot be set up: {}", root_cause(&error))))
}

impl Rest {
    /// A client for the shop that `access` opens.
    ///
    /// # Errors
    /// [`Error::Setup`] when the certificate authority's file cannot be read or used.
    pub fn new(access: Access, patience: Patience, clock: Clock) -> Result<Self, Error> {
        let http = client(patience, access.url.is_loopback(), access.ca_file.as_deref())?;
        Ok(Self { http, access, patience, clock })
    }

    /// A product or a variation, as JSON; `None` if the shop has none with that id any more.
    pub async fn product(&self, id: i64) -> Result<Option<Vec<u8>>, Error> {
        found(self.get("product", &format!("products/{id}"), &[]).await)
    }

    /// An order, as JSON; `None` if the shop has none with that id any more. A trashed order is an order.
    pub async fn order(&self, id: i64) -> Result<Option<Vec<u8>>, Error> {
        found(self.get("order", &format!("orders/{id}"), &[]).await)
    }

    /// All refunds of an order, as one JSON list; `None` if the shop has no such order any more.
    pub async fn refunds(&self, order_id: i64) -> Result<Option<Vec<u8>>, Error> {
        let mut pages = self.pages("order", format!("orders/{order_id}/refunds"), Vec::new());
        let mut list = b"[".to_vec();
        loop {
            match pages.next().await {
                Ok(Some(page)) => {
                    for refund in page.items {
                        if list.len() > 1 {
                            list.push(b',');
                        }
                        list.extend_from_slice(refund.get().as_bytes());
                    }
                    if list.len() > ANSWER_BYTES_MAX {
                        return Err(Error::TooLarge);
                    }
                }
                Ok(None) => break,
                Err(Error::NotFound(_)) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        list.push(b']');
        Ok(Some(list))
    }

    /// An order together with its refunds; `None` if the shop has none with that id any more.
    pub async fn whole_order(&self, id: i64) -> Result<Option<WholeOrder>, Error> {
        let Some(order) = self.order(id).await? else { return Ok(None) };
        let named: NamedRefunds =
            serde_json::from_slice(&order).map_err(|error| trouble::unreadable("order", &order, error))?;
        let refunds = if named.refunds.is_empty() { Some(b"[]".to_vec()) } else { self.refunds(id).await? };
        // Deleted between the two questions: it is gone.
        Ok(refunds.map(|refunds| WholeOrder { order, refunds }))
    }

    /// The products of a category and of the categories below it.
    #[must_use]
    pub fn products_in_category(&self, category_id: i64) -> Pages<'_> {
        let query = vec![
            ("category", category_id.to_string()),
            ("orderby", "id".to_owned()),
            ("order", "asc".to_owned()),
            ("_fields", PRODUCT_FIELDS.to_owned()),
        ];
        self.pages("category", "products".to_owned(), query)
    }

    /// The variations of a product. Other than [`Self::product`] the shop leaves out their prices as HTML, and
    /// names them without their product's name.
    #[must_use]
    pub fn variations_of(&self, product_id: i64) -> Pages<'_> {
        let query = vec![
            ("orderby", "id".to_owned()),
            ("order", "asc".to_owned()),
            ("_fields", PRODUCT_FIELDS.to_owned()),
        ];
        self.pages("product", format!("products/{product_id}/variations"), query)
    }

    /// All product categories, empty ones too.
    #[must_use]
    pub fn categories(&self) -> Pages<'_> {
        let query = vec![
            ("orderby", "id".to_owned()),
            ("order", "asc".to_owned()),
            ("_fields", "id,name,slug,parent".to_owned()),
        ];
        self.pages("category", "products/categories".to_owned(), query)
    }

    /// Orders, least recently modified first, so that one modified meanwhile comes again at the end. It can
    /// also push one off a page boundary: whoever needs all of them asks again with an overlap.
    #[must_use]
    pub fn orders(&self, wanted: &OrderQuery) -> Pages<'_> {
        self.orders_from(wanted, 1)
    }

    /// One page of [`Self::orders`], by its number; `None` beyond the last.
    pub async fn orders_page(&self, wanted: &OrderQuery, number: u32) -> Result<Option<Page>, Error> {
        self.orders_from(wanted, number).next().await
    }

    fn orders_from(&self, wanted: &OrderQuery, number: u32) -> Pages<'_> {
        let mut query = vec![("orderby", "modified".to_owned()), ("order", "asc".to_owned())];
        if let Some(after) = wanted.modified_after {
            query.push(("modified_after", after.utc().format("%Y-%m-%dT%H:%M:%S").to_string()));
            query.push(("dates_are_gmt", "true".to_owned()));
        }
        if let Some(status) = &wanted.status {
            query.push(("status", status.clone()));
        }
        Pages { next: Some(number), ..self.pages("order", "orders".to_owned(), query) }
    }

    /// All webhooks, those of other receivers too.
    #[must_use]
    pub fn webhooks(&self) -> Pages<'_> {
        let query = vec![("orderby", "id".to_owned()), ("order", "asc".to_owned())];
        self.pages("webhook", "webhooks".to_owned(), query)
    }

    /// Makes a webhook; answers it as JSON. Tried once.
    pub async fn create_webhook(&self, webhook: &NewWebhook<'_>) -> Result<Vec<u8>, Error> {
        self.change(&Method::POST, "webhooks", &webhook.json()).await
    }

    /// Changes what `change` names of a webhook; answers it as JSON. Tried once.
    pub async fn update_webhook(&self, id: i64, change: &WebhookChange<'_>) -> Result<Vec<u8>, Error> {
        self.change(&Method::PUT, &format!("webhooks/{id}"), &change.json()).await
    }

    /// Whether the keys may change something, found out by asking for a webhook that cannot be.
    ///
    /// # Errors
    /// When the shop answers neither that it must not nor that it cannot be.
    pub async fn may_write(&self) -> Result<bool, Error> {
        let impossible = serde_json::json!({ "topic": "order.none", "delivery_url": "" });
        match self.change(&Method::POST, "webhooks", &impossible).await {
            Err(Error::ReadOnly(_) | Error::Forbidden) => Ok(false),
            Err(Error::Refused { status: 400, .. }) => Ok(true),
            Err(error) => Err(error),
            Ok(_) => Err(Error::Unreadable("it made a webhook that cannot be".to_owned())),
        }
    }

    async fn change(
        &self,
        method: &Method,
        path: &str,
        change: &serde_json::Value,
    ) -> Result<Vec<u8>, Error> {
        let body = change.to_string().into_bytes();
        Ok(self.attempt(method, "webhook", path, &[], Some(body)).await?.body)
    }

    fn pages(&self, what: &'static str, path: String, query: Vec<(&'static str, String)>) -> Pages<'_> {
        Pages { rest: self, what, path, query, next: Some(1) }
    }

    /// Asks until there is an answer, a reason that stays, or no patience left.
    async fn get(&self, what: &'static str, path: &str, query: &[(&str, String)]) -> Result<Answer, Error> {
        let backoff = ExponentialBuilder::default()
            .with_min_delay(self.patience.first_pause)
            .with_max_delay(PAUSE_MAX)
            .with_max_times(self.patience.retries)
            .with_jitter();
        (|| self.attempt(&Method::GET, what, path, query, None))
            .retry(backoff)
            .when(Error::is_passing)
            .adjust(|error, pause| match (pause, error.retry_after()) {
                (Some(_), Some(asked)) if asked > RETRY_AFTER_MAX => None,
                (Some(pause), Some(asked)) => Some(pause.max(asked)),
                (pause, _) => pause,
            })
            .notify(|error, pause| {
                tracing::info!(shop = %self.access.url, path, %error, "asking {} again in {pause:?}: {error}", self.access.url);
            })
            .await
    }

    async fn attempt(
        &self,
        method: &Method,
        what: &'static str,
        path: &str,
        query: &[(&str, String)],
        body: Option<Vec<u8>>,
    ) -> Result<Answer, Error> {
        let url = self.access.url.api(path);
        let request = if url.scheme() == "https" {
            let mut url = url;
            oauth::set_query(&mut url, query);
            self.http
                .request(method.clone(), url)
                .basic_auth(self.access.keys.key(), Some(self.access.keys.expose_secret()))
        } else {
            let at = self.clock.now().millis() / 1000;
            let nonce = uuid::Uuid::now_v7().simple().to_string();
            let url = oauth::sign(method, url, query, &self.access.keys, at, &nonce);
            self.http.request(method.clone(), url)
        };
        let request = match body {
            Some(body) => request.header(header::CONTENT_TYPE, "application/json").body(body),
            None => request,
        };
        let mut response = request
            .header(header::ACCEPT, "application/json")
            .send()
            .await
            .map_err(|error| self.broken(&error))?;
        if response.status().is_redirection() {
            return Err(redirect(&response));
        }
        let body = self.read(&mut response).await?;
        let (status, headers) = (response.status(), response.headers());
        if !status.is_success() {
            return Err(self.refusal(method, what, status, headers, &body));
        }
        Ok(Answer {
            pages: number(headers, "x-wp-totalpages"),
            total: number(headers, "x-wp-total"),
            body: json(headers, body)?,
        })
    }

    /// Reads a body, but not more than is kept.
    async fn read(&self, response: &mut Response) -> Result<Vec<u8>, Error> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(&error))? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(Error::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// Why there is no answer at all. The error as it comes would show the address with its signature.
    fn broken(&self, error: &reqwest::Error) -> Error {
        let cause = root_cause(error);
        if error.is_timeout() {
            Error::Timeout(if error.is_connect() { self.patience.connect } else { self.patience.whole })
        } else if cause.contains("certificate") {
            Error::Untrusted(cause)
        } else {
            Error::Unreachable(cause)
        }
    }

    fn refusal(
        &self,
        method: &Method,
        what: &'static str,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Error {
        match status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                let retry_after = retry_after(headers, self.clock.now());
                return Error::Busy { status: status.as_u16(), retry_after };
            }
            _ if status.is_server_error() => return Error::Failed(status.as_u16()),
            _ => {}
        }
        let refusal = serde_json::from_slice::<Refusal>(body).ok();
        let code = refusal.as_ref().map(|refusal| refusal.code.as_str());
        match (status, code) {
            (StatusCode::NOT_FOUND, Some(code))
                if code.ends_with("_invalid_id") || code.ends_with("_term_invalid") =>
            {
                Error::NotFound(what)
            }
            (StatusCode::NOT_FOUND, Some("rest_no_route") | None) => {
                Error::NoApi(self.access.url.to_string())
            }
            // That a key may only read has the name of a wrong secret, and words in the shop's language. Who
            // writes has read before, so the secret is right.
            (StatusCode::UNAUTHORIZED, Some(code)) if *method != Method::GET && is_about_rights(code) => {
                Error::ReadOnly(refusal.map(Refusal::message).unwrap_or_default())
            }
            (StatusCode::UNAUTHORIZED, Some("woocommerce_rest_authentication_error")) => {
                Error::WrongSecret(refusal.map(Refusal::message).unwrap_or_default())
            }
            (StatusCode::UNAUTHORIZED, Some(_)) => Error::Stranger { https: self.access.url.is_https() },
            (StatusCode::UNAUTHORIZED, None) => Error::PasswordInFront,
            (StatusCode::FORBIDDEN, Some(code)) if code.starts_with("woocommerce_rest_cannot_") => {
                Error::Forbidden
            }
            (_, Some(code)) => Error::Refused {
                status: status.as_u16(),
                code: code.chars().take(MESSAGE_CHARS_MAX).collect(),
                message: refusal.map(Refusal::message).unwrap_or_default(),
            },
            (_, None) => Error::NotJson(format!("{} (status {})", content_type(headers), status.as_u16())),
        }
    }
}

fn is_about_rights(code: &str) -> bool {
    code == "woocommerce_rest_authentication_error" || code.starts_with("woocommerce_rest_cannot_")
}

/// A webhook to be made.
#[derive(Clone, Debug)]
pub struct NewWebhook<'a> {
    /// What it is called.
    pub name: &'a str,
    /// What it tells of.
    pub topic: &'a str,
    /// What it does.
    pub set: WebhookChange<'a>,
}

impl NewWebhook<'_> {
    fn json(&self) -> serde_json::Value {
        let mut json = self.set.json();
        json["name"] = self.name.into();
        json["topic"] = self.topic.into();
        json
    }
}

/// What is set of a webhook; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct WebhookChange<'a> {
    /// `active`, `paused` or `disabled`.
    pub status: Option<&'a str>,
    /// Where it delivers.
    pub delivery_url: Option<&'a str>,
    /// What its deliveries are signed with.
    pub secret: Option<&'a HookSecret>,
}

impl WebhookChange<'_> {
    /// What is set, secret included: for a request to the shop it belongs to, and for nothing else.
    fn json(&self) -> serde_json::Value {
        let set = [
            ("status", self.status),
            ("delivery_url", self.delivery_url),
            ("secret", self.secret.map(HookSecret::expose)),
        ];
        set.into_iter().filter_map(|(name, text)| Some((name, text?))).collect()
    }
}

/// What is asked about products in lists: their descriptions and images would make up most of the answer.
const PRODUCT_FIELDS: &str = "id,parent_id,type,name,sku,permalink,price_html,status,purchasable,stock_status,\
                              categories,meta_data,date_created_gmt,date_modified_gmt";

/// A list that is read page by page; only one page is in memory at a time.
#[derive(Debug)]
pub struct Pages<'r> {
    rest: &'r Rest,
    what: &'static str,
    path: String,
    query: Vec<(&'static str, String)>,
    next: Option<u32>,
}

/// A page of a list.
#[derive(Debug)]
pub struct Page {
    /// Its items, each as the JSON the shop wrote.
    pub items: Vec<Box<RawValue>>,
    /// How many items all pages have together, if the shop said so.
    pub total: Option<u64>,
    /// Whether there is no other after it, as far as the shop said so.
    pub is_last: bool,
}

impl Pages<'_> {
    /// The next page; `None` after the last.
    pub async fn next(&mut self) -> Result<Option<Page>, Error> {
        let Some(number) = self.next else { return Ok(None) };
        if number > PAGES_MAX {
            return Err(Error::Endless);
        }
        let mut query = self.query.clone();
        query.push(("per_page", PER_PAGE.to_string()));
        query.push(("page", number.to_string()));
        let answer = self.rest.get(self.what, &self.path, &query).await?;
        let items: Vec<Box<RawValue>> = serde_json::from_slice(&answer.body)
            .map_err(|_| Error::Unreadable(format!("/{} answered no list", self.path)))?;
        // A cache between here and the shop may drop the header; then an empty page is the end.
        let is_last = match answer.pages {
            Some(pages) => u64::from(number) >= pages,
            None => items.is_empty(),
        };
        self.next = (!is_last && !items.is_empty()).then_some(number + 1);
        Ok((!items.is_empty()).then_some(Page { items, total: answer.total, is_last }))
    }
}

/// Clients by store: made when first needed, and again when a store's settings changed.
#[derive(Clone, Debug)]
pub struct Clients {
    patience: Patience,
    clock: Clock,
    made: Arc<Mutex<HashMap<i64, Rest>>>,
}

impl Clients {
    /// No clients yet.
    #[must_use]
    pub fn new(patience: Patience, clock: Clock) -> Self {
        Self { patience, clock, made: Arc::default() }
    }

    /// The client for a store.
    ///
    /// # Errors
    /// As [`Rest::new`].
    pub fn of(&self, store_id: i64, access: &Access) -> Result<Rest, Error> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rest) = made.get(&store_id).filter(|rest| rest.access == *access) {
            return Ok(rest.clone());
        }
        let rest = Rest::new(access.clone(), self.patience, self.clock.clone())?;
        made.insert(store_id, rest.clone());
        Ok(rest)
    }
}

/// A good answer.
struct Answer {
    body: Vec<u8>,
    pages: Option<u64>,
    total: Option<u64>,
}

/// WordPress's error object.
#[derive(Deserialize)]
struct Refusal {
    code: String,
    #[serde(default)]
    message: String,
}

impl Refusal {
    fn message(self) -> String {
        self.message.chars().filter(|c| !c.is_control()).take(MESSAGE_CHARS_MAX).collect()
    }
}

fn found(answer: Result<Answer, Error>) -> Result<Option<Vec<u8>>, Error> {
    match answer {
        Ok(answer) => Ok(Some(answer.body)),
        Err(Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Where the shop says it is instead.
fn redirect(response: &Response) -> Error {
    let location = response
        .headers()
        .get(header::LOCATION)
        .and_then(|location| location.to_str().ok())
        .and_then(|location| response.url().join(location).ok());
    let Some(mut target) = location else {
        return Error::NotJson(format!("a redirect to nowhere (status {})", response.status().as_u16()));
    };
    // The signature and the keys may have been carried over, and the API's path is not the front page's.
    target.set_query(None);
    target.set_fragment(None);
    let _ = target.set_username("");
    let _ = target.set_password(None);
    let path = target.path().split("/wp-json").next().unwrap_or_default().to_owned();
    target.set_path(&path);
    Error::Redirect { target: target.as_str().trim_end_matches('/').to_owned() }
}

/// The body, if it is JSON. Some plugins leave a byte order mark before it.
fn json(headers: &HeaderMap, body: Vec<u8>) -> Result<Vec<u8>, Error> {
    let body = match body.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) => rest.to_vec(),
        None => body,
    };
    match serde_json::from_slice::<&RawValue>(&body) {
        Ok(_) => Ok(body),
        Err(_) => Err(Error::NotJson(match content_type(headers).as_str() {
            "application/json" => "what it calls JSON and is none".to_owned(),
            other => other.to_owned(),
        })),
    }
}

fn content_type(headers: &HeaderMap) -> String {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .map_or_else(|| "something".to_owned(), |value| value.chars().take(80).collect())
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// How long the shop asks to wait, given in seconds or as a date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = chrono::DateTime::parse_from_rfc2822(text).ok()?.timestamp_millis();
    Some(Duration::from_millis(u64::try_from(at - now.millis()).unwrap_or(0)))
}

/// The innermost reason, which says what happened; the outer ones say what was being tried.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if error.source().is_some() { cause.to_string() } else { "the connection broke".to_owned() }
}
