//! A WooCommerce shop on loopback that answers as the recorded one did.
//!
//! Written from the recordings and from what WooCommerce checks, not from our client: the signature is
//! verified here from the raw query as PHP sees it.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use hyper_util::rt::TokioIo;
use nivella_wallet::shop::rest::{Access, Patience, Rest};
use nivella_wallet::shop::{RestKeys, ShopUrl};
use nivella_wallet::time::Clock;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::support::recorded;

pub(crate) const KEY: &str = "ck_1ab01ab01ab01ab01ab01ab01ab01ab01ab01ab0";
pub(crate) const SECRET: &str = "cs_2cd02cd02cd02cd02cd02cd02cd02cd02cd02cd0";

/// The shop; it closes when dropped.
pub(crate) struct FakeShop {
    pub(crate) url: ShopUrl,
    pub(crate) state: Arc<Mutex<Shop>>,
    clock: Clock,
    is_tls: bool,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for FakeShop {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// What the shop has, and what it was asked.
pub(crate) struct Shop {
    /// Things by their path below `/wp-json/wc/v3/`.
    pub(crate) things: BTreeMap<String, Value>,
    /// Lists by their path.
    pub(crate) lists: BTreeMap<String, Vec<Value>>,
    /// Answers to be given before any other, in order.
    pub(crate) script: VecDeque<Scripted>,
    /// Paths that were asked for, each with its query less what OAuth adds.
    pub(crate) asked: Vec<String>,
    /// Whether the shop tells how many pages a list has.
    pub(crate) says_pages: bool,
    /// Whether the keys may change something.
    pub(crate) may_write: bool,
    /// How many more changes the shop makes before it fails.
    pub(crate) changes_left: usize,
    /// The webhooks' secrets by their numbers; no answer shows one.
    pub(crate) secrets: BTreeMap<i64, String>,
    /// Orders that change, served instead of the recorded ones.
    pub(crate) book: Option<Book>,
    nonces: HashSet<String>,
}

/// The orders of a shop that lives: sorted, filtered and counted as WooCommerce does it.
pub(crate) struct Book {
    pub(crate) orders: BTreeMap<i64, Value>,
    pub(crate) refunds: BTreeMap<i64, Vec<Value>>,
    /// Whether it heeds `orderby`; a shop that does not lists by number.
    pub(crate) sorts: bool,
    /// What happens in the shop before it answers a request; it may fail instead, with a status.
    pub(crate) before: Option<Happening>,
}

type Happening = Box<dyn FnMut(&mut Book, &str) -> Option<u16> + Send>;

impl Book {
    pub(crate) fn new(orders: impl IntoIterator<Item = Value>) -> Self {
        let orders = orders.into_iter().map(|order| (order["id"].as_i64().unwrap(), order)).collect();
        Self { orders, refunds: BTreeMap::new(), sorts: true, before: None }
    }

    fn modified(&self, id: i64) -> &str {
        self.orders[&id]["date_modified_gmt"].as_str().unwrap()
    }

    fn trashed(&self, id: i64) -> bool {
        self.orders[&id]["status"] == "trash"
    }

    /// The numbers that `GET orders` lists.
    fn listed(&self, parameters: &BTreeMap<String, String>) -> Vec<i64> {
        let trash = parameters.get("status").is_some_and(|status| status == "trash");
        let after = parameters.get("modified_after");
        assert!(after.is_none() || parameters["dates_are_gmt"] == "true");
        let mut ids: Vec<i64> = self
            .orders
            .keys()
            .copied()
            .filter(|id| {
                self.trashed(*id) == trash && after.is_none_or(|after| self.modified(*id) > after.as_str())
            })
            .collect();
        if self.sorts {
            assert_eq!((parameters["orderby"].as_str(), parameters["order"].as_str()), ("modified", "asc"));
            ids.sort_by_key(|id| (self.modified(*id), *id));
        }
        ids
    }
}

/// An answer instead of the shop's own.
pub(crate) enum Scripted {
    Answer { status: u16, headers: Vec<(&'static str, String)>, body: Vec<u8> },
    Hang,
}

impl Shop {
    fn recorded() -> Self {
        let list = |file: &str| -> Vec<Value> { serde_json::from_slice(&recorded(file)).unwrap() };
        let thing = |file: &str| -> Value { serde_json::from_slice(&recorded(file)).unwrap() };
        let mut things = BTreeMap::new();
        let products = list("rest/products-category-tokens.body");
        for product in &products {
            things.insert(format!("products/{}", product["id"]), product.clone());
        }
        let variations = list("rest/product-variations.body");
        for listed in &variations {
            // Asked for alone, a variation has its full name and its price as HTML.
            let mut alone = thing("rest/product-variation-via-products.body");
            for field in ["id", "sku", "price", "permalink", "date_modified_gmt", "meta_data"] {
                alone[field] = listed[field].clone();
            }
            alone["name"] = format!("AI Credits Pack - {}", listed["name"].as_str().unwrap()).into();
            things.insert(format!("products/{}", listed["id"]), alone);
        }
        things.insert("orders/132".to_owned(), thing("rest/order.body"));
        things.insert("orders/133".to_owned(), thing("rest/order-refunded.body"));
        let orders: Vec<Value> =
            list("rest/orders-page1.body").into_iter().chain(list("rest/orders-page2.body")).collect();
        let lists = BTreeMap::from([
            ("products".to_owned(), products),
            ("products/19/variations".to_owned(), variations),
            ("products/categories".to_owned(), list("rest/products-categories.body")),
            ("orders".to_owned(), orders),
            ("orders/133/refunds".to_owned(), list("rest/order-refunds.body")),
            ("orders/132/refunds".to_owned(), Vec::new()),
            ("webhooks".to_owned(), list("rest/webhooks.body")),
        ]);
        Self {
            things,
            lists,
            script: VecDeque::new(),
            asked: Vec::new(),
            says_pages: true,
            may_write: true,
            changes_left: usize::MAX,
            secrets: BTreeMap::new(),
            book: None,
            nonces: HashSet::new(),
        }
    }
}

impl FakeShop {
    /// Over http, where only OAuth 1.0a works; in the folder `path` ("" or like "/shop").
    pub(crate) async fn start(path: &str, clock: &Clock) -> Self {
        Self::serve(path, clock, None).await
    }

    /// Over https, with a certificate of an authority nobody knows.
    pub(crate) async fn start_tls(clock: &Clock) -> Self {
        let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
        let chain = vec![CertificateDer::from_pem_file(tls_file("shop.pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_file(tls_file("shop.key")).unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        Self::serve("", clock, Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn serve(path: &str, clock: &Clock, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let is_tls = tls.is_some();
        let scheme = if is_tls { "https" } else { "http" };
        let url = format!("{scheme}://{address}{path}");
        let state = Arc::new(Mutex::new(Shop::recorded()));
        let context = Context {
            home: url.clone(),
            path: path.to_owned(),
            clock: clock.clone(),
            shop: Arc::clone(&state),
        };
        let server = listen(listener, axum::Router::new().fallback(answer).with_state(context), tls);
        Self { url: url.parse().unwrap(), state, clock: clock.clone(), is_tls, server }
    }

    /// What opens this shop.
    pub(crate) fn access(&self) -> Access {
        Access {
            url: self.url.clone(),
            keys: RestKeys::new(KEY, SECRET).unwrap(),
            ca_file: self.is_tls.then(|| tls_file("authority.pem")),
        }
    }

    /// A client for this shop that does not wait long.
    pub(crate) fn rest(&self) -> Rest {
        Rest::new(self.access(), impatient(), self.clock.clone()).unwrap()
    }

    /// Lets the shop answer the next request so.
    pub(crate) fn script(&self, status: u16, headers: &[(&'static str, &str)], body: impl Into<Vec<u8>>) {
        self.state.lock().unwrap().script.push_back(Scripted::Answer {
            status,
            headers: headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
            body: body.into(),
        });
    }

    /// Lets the shop never answer the next request.
    pub(crate) fn hang(&self) {
        self.state.lock().unwrap().script.push_back(Scripted::Hang);
    }

    /// What was asked since the last call.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().asked)
    }

    /// Adds or replaces a thing; `None` takes it away.
    pub(crate) fn put(&self, path: &str, thing: Option<Value>) {
        let things = &mut self.state.lock().unwrap().things;
        match thing {
            Some(thing) => drop(things.insert(path.to_owned(), thing)),
            None => drop(things.remove(path)),
        }
    }

    /// Replaces a list.
    pub(crate) fn put_list(&self, path: &str, list: Vec<Value>) {
        self.state.lock().unwrap().lists.insert(path.to_owned(), list);
    }

    /// A list as it is.
    pub(crate) fn list(&self, path: &str) -> Vec<Value> {
        self.state.lock().unwrap().lists[path].clone()
    }
}

/// Serves until it is aborted.
pub(crate) fn listen(
    listener: TcpListener,
    router: axum::Router,
    tls: Option<TlsAcceptor>,
) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                continue;
            };
            let service = hyper_util::service::TowerToHyperService::new(router.clone());
            let tls = tls.clone();
            tokio::spawn(async move {
                let http = hyper::server::conn::http1::Builder::new();
                // A client that does not trust the certificate, or goes away, ends its connection.
                if let Some(tls) = tls {
                    if let Ok(stream) = tls.accept(stream).await {
                        let _ = http.serve_connection(TokioIo::new(stream), service).await;
                    }
                } else {
                    let _ = http.serve_connection(TokioIo::new(stream), service).await;
                }
            });
        }
    })
}

/// Milliseconds where a real shop gets seconds.
pub(crate) fn impatient() -> Patience {
    Patience {
        connect: std::time::Duration::from_secs(5),
        whole: std::time::Duration::from_secs(5),
        retries: 3,
        first_pause: std::time::Duration::from_millis(1),
    }
}

pub(crate) fn tls_file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/tls").join(name)
}

#[derive(Clone)]
struct Context {
    home: String,
    path: String,
    clock: Clock,
    shop: Arc<Mutex<Shop>>,
}

async fn answer(State(context): State<Context>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1024 * 1024).await.unwrap();
    let request = Request::from_parts(head, Body::empty());
    let scripted = {
        let mut shop = context.shop.lock().unwrap();
        let query: Vec<&str> = request
            .uri()
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty() && !pair.starts_with("oauth_"))
            .collect();
        let api = format!("{}/wp-json/wc/v3/", context.path);
        let path = request.uri().path();
        let asked = path.strip_prefix(&api).unwrap_or(path);
        let method = request.method();
        let asked = if *method == "GET" { asked.to_owned() } else { format!("{method} {asked}") };
        shop.asked.push(if query.is_empty() { asked } else { format!("{asked}?{}", query.join("&")) });
        shop.script.pop_front()
    };
    match scripted {
        Some(Scripted::Hang) => std::future::pending().await,
        Some(Scripted::Answer { status, headers, body }) => {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            respond(status, &headers, body)
        }
        None => own_answer(&context, &request, &body),
    }
}

fn own_answer(context: &Context, request: &Request, body: &[u8]) -> Response {
    let Some(path) = request.uri().path().strip_prefix(&format!("{}/wp-json/wc/v3/", context.path)) else {
        return respond(404, &[("content-type", "text/html")], "<html>Not found</html>");
    };
    let mut shop = context.shop.lock().unwrap();
    let parameters = parameters(request.uri().query().unwrap_or_default());
    let place = Place { home: &context.home, path: &context.path, clock: &context.clock };
    if let Err(refusal) = authenticate(&place, &mut shop.nonces, request, &parameters) {
        return recorded_answer(401, &refusal);
    }
    if *request.method() != "GET" {
        return change(context, &mut shop, request.method().as_str(), path, body);
    }
    let get = |name: &str| parameters.get(name).map(String::as_str);
    if let Some(mut book) = shop.book.take() {
        let mut fails = None;
        if let Some(mut happen) = book.before.take() {
            fails = happen(&mut book, path);
            book.before = book.before.or(Some(happen));
        }
        let answer = match fails {
            Some(status) => Some(respond(status, &[], "")),
            None => of_book(&book, &mut shop, path, &parameters),
        };
        shop.book = Some(book);
        if let Some(answer) = answer {
            return answer;
        }
    }
    if let Some(thing) = shop.things.get(path) {
        return respond(200, &[JSON], only_fields(thing, get("_fields")).to_string());
    }
    let Some(list) = shop.lists.get(path) else {
        let body = match path.split_once('/') {
            Some(("orders", id)) if id.parse::<i64>().is_ok() => "rest/order-404.body",
            Some(("products", id)) if id.parse::<i64>().is_ok() => "rest/product-404.body",
            _ => "rest/order-not-a-number.body",
        };
        return recorded_answer(404, body);
    };
    let found: Vec<&Value> = list.iter().filter(|item| is_wanted(item, &parameters, &shop)).collect();
    let fields = get("_fields");
    paged(&shop, &parameters, &found, |item| only_fields(item, fields))
}

/// What a shop answers about the orders in its book; nothing, if it was asked something else.
fn of_book(
    book: &Book,
    shop: &mut Shop,
    path: &str,
    parameters: &BTreeMap<String, String>,
) -> Option<Response> {
    let gone = || recorded_answer(404, "rest/order-404.body");
    let rest = path.strip_prefix("orders")?;
    if rest.is_empty() {
        let listed = book.listed(parameters);
        return Some(paged(shop, parameters, &listed, |id| book.orders[id].clone()));
    }
    let (id, of) = rest.trim_start_matches('/').split_once('/').unwrap_or((&rest[1..], ""));
    let id: i64 = id.parse().ok()?;
    let Some(order) = book.orders.get(&id) else { return Some(gone()) };
    Some(match of {
        "" => respond(200, &[JSON], order.to_string()),
        "refunds" => {
            let refunds: Vec<&Value> = book.refunds.get(&id).into_iter().flatten().collect();
            paged(shop, parameters, &refunds, |refund| (*refund).clone())
        }
        other => panic!("{other}"),
    })
}

/// One page of what was found.
fn paged<T>(
    shop: &Shop,
    parameters: &BTreeMap<String, String>,
    found: &[T],
    show: impl Fn(&T) -> Value,
) -> Response {
    let number = |name: &str, default: usize| -> usize {
        parameters.get(name).map_or(default, |number| number.parse().unwrap())
    };
    let (per_page, page) = (number("per_page", 10), number("page", 1));
    if per_page > 100 {
        return recorded_answer(400, "rest/orders-per-page-101.body");
    }
    let items: Vec<Value> = found.iter().skip((page - 1) * per_page).take(per_page).map(show).collect();
    // Beyond the last page WooCommerce says that there is nothing at all.
    let total = if items.is_empty() { 0 } else { found.len() };
    let (total, pages) = (total.to_string(), total.div_ceil(per_page).to_string());
    let headers = [JSON, ("x-wp-total", total.as_str()), ("x-wp-totalpages", pages.as_str())];
    let headers = if shop.says_pages { &headers[..] } else { &headers[..1] };
    respond(200, headers, Value::from(items).to_string())
}

/// Makes and changes webhooks as recorded; nothing else may be changed.
fn change(context: &Context, shop: &mut Shop, method: &str, path: &str, body: &[u8]) -> Response {
    if !shop.may_write {
        return recorded_answer(401, "rest/webhook-create-read-only-key.body");
    }
    let asked: Value = serde_json::from_slice(body).unwrap();
    if shop.changes_left == 0 {
        return respond(500, &[], "");
    }
    let now = context.clock.now().utc().format("%Y-%m-%dT%H:%M:%S").to_string();
    let text = |name: &str| asked[name].as_str();
    let id = match (method, path.split_once('/')) {
        ("POST", None) => {
            let topic = text("topic").unwrap_or_default();
            let events = ["created", "updated", "deleted", "restored"];
            let is_valid = topic.split_once('.').is_some_and(|(resource, event)| {
                resource == "action"
                    || (["order", "product", "customer", "coupon"].contains(&resource)
                        && events.contains(&event))
            });
            if !is_valid {
                return recorded_answer(400, "rest/webhook-create-bad-topic.body");
            }
            if !text("delivery_url").is_some_and(|url| url.starts_with("http")) {
                return recorded_answer(400, "rest/webhook-create-bad-url.body");
            }
            let mut made: Value = serde_json::from_slice(&recorded("rest/webhook-create.body")).unwrap();
            let list = shop.lists.get_mut("webhooks").unwrap();
            let id = list.iter().map(|hook| hook["id"].as_i64().unwrap()).max().unwrap_or(0) + 1;
            made["id"] = id.into();
            made["topic"] = topic.into();
            made["date_created_gmt"] = now.into();
            list.push(made);
            id
        }
        ("PUT", Some(("webhooks", id))) => id.parse().unwrap(),
        _ => panic!("{method} {path}: nothing but webhooks is ever changed"),
    };
    let list = shop.lists.get_mut("webhooks").unwrap();
    let Some(hook) = list.iter_mut().find(|hook| hook["id"] == id) else {
        return respond(
            404,
            &[JSON],
            r#"{"code":"woocommerce_rest_shop_webhook_invalid_id","message":"Invalid ID."}"#,
        );
    };
    for field in ["name", "status", "delivery_url"] {
        if let Some(text) = text(field) {
            hook[field] = text.into();
        }
    }
    let answer = hook.to_string();
    shop.changes_left -= 1;
    if let Some(secret) = text("secret") {
        shop.secrets.insert(id, secret.to_owned());
    }
    respond(if method == "POST" { 201 } else { 200 }, &[JSON], answer)
}

pub(crate) const JSON: (&str, &str) = ("content-type", "application/json; charset=UTF-8");

/// The filters that are used: `category` takes those below it along; `modified_after` leaves its bound out.
fn is_wanted(item: &Value, parameters: &BTreeMap<String, String>, shop: &Shop) -> bool {
    if let Some(category) = parameters.get("category") {
        let Ok(category) = category.parse::<i64>() else {
            return false;
        };
        let below = |mut id: i64| loop {
            if id == category {
                break true;
            }
            let parent = shop.lists["products/categories"].iter().find(|other| other["id"] == json!(id));
            match parent.and_then(|parent| parent["parent"].as_i64()) {
                Some(parent) if parent != 0 => id = parent,
                _ => break false,
            }
        };
        return item["categories"].as_array().unwrap().iter().any(|own| below(own["id"].as_i64().unwrap()));
    }
    if let Some(after) = parameters.get("modified_after") {
        assert_eq!(parameters.get("dates_are_gmt").map(String::as_str), Some("true"));
        return item["date_modified_gmt"].as_str().unwrap() > after.as_str();
    }
    true
}

pub(crate) fn only_fields(thing: &Value, fields: Option<&str>) -> Value {
    let (Some(fields), Value::Object(thing)) = (fields, thing) else {
        return thing.clone();
    };
    let fields: HashSet<&str> = fields.split(',').chain(["_links"]).collect();
    Value::Object(
        thing
            .iter()
            .filter(|(name, _)| fields.contains(name.as_str()))
            .map(|(n, v)| (n.clone(), v.clone()))
            .collect(),
    )
}

/// Where a shop is, and when.
pub(crate) struct Place<'a> {
    /// Its front page.
    pub(crate) home: &'a str,
    /// The folder it is in.
    pub(crate) path: &'a str,
    pub(crate) clock: &'a Clock,
}

/// As `WC_REST_Authentication` does it: Basic only with TLS, OAuth only without. `Err` names the recorded
/// refusal.
pub(crate) fn authenticate(
    place: &Place<'_>,
    nonces: &mut HashSet<String>,
    request: &Request,
    parameters: &BTreeMap<String, String>,
) -> Result<(), String> {
    let refuse = |file: &str| Err(format!("rest/{file}.body"));
    if place.home.starts_with("https") {
        let given = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        let Some(given) = given.and_then(|given| given.strip_prefix("Basic ")) else {
            return refuse("401-no-auth");
        };
        let given = String::from_utf8(BASE64_STANDARD.decode(given).unwrap()).unwrap();
        return match given.split_once(':').unwrap() {
            (KEY, SECRET) => Ok(()),
            (KEY, _) => refuse("401-wrong-secret"),
            _ => refuse("401-wrong-key"),
        };
    }
    let Some(signature) = parameters.get("oauth_signature") else {
        return refuse("401-basic-over-plain-http");
    };
    if parameters.get("oauth_consumer_key").map(String::as_str) != Some(KEY) {
        return refuse("401-wrong-key");
    }
    let at: i64 = parameters["oauth_timestamp"].parse().unwrap();
    let off = place.clock.now().millis() / 1000 - at;
    assert!(off.abs() <= 15 * 60, "the timestamp is {off} s off");
    assert!(nonces.insert(parameters["oauth_nonce"].clone()), "a nonce was used twice");
    assert_eq!(parameters["oauth_signature_method"], "HMAC-SHA256");
    let path = request.uri().path().strip_prefix(place.path).unwrap();
    // normalize_parameters() encodes twice: the second time only turns % into %25.
    let pairs: Vec<String> = parameters
        .iter()
        .filter(|(name, _)| *name != "oauth_signature")
        .map(|(name, value)| format!("{}%3D{}", twice(name), twice(value)))
        .collect();
    let method = request.method();
    let text = format!("{method}&{}&{}", rawurlencode(&format!("{}{path}", place.home)), pairs.join("%26"));
    let mut mac = Hmac::<Sha256>::new_from_slice(format!("{SECRET}&").as_bytes()).unwrap();
    mac.update(text.as_bytes());
    if BASE64_STANDARD.encode(mac.finalize().into_bytes()) == *signature {
        Ok(())
    } else {
        refuse("401-wrong-secret")
    }
}

pub(crate) fn parameters(query: &str) -> BTreeMap<String, String> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8().unwrap().into_owned();
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn rawurlencode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

fn twice(text: &str) -> String {
    rawurlencode(text).replace('%', "%25")
}

pub(crate) fn recorded_answer(status: u16, file: &str) -> Response {
    respond(status, &[JSON], recorded(file))
}

pub(crate) fn respond(status: u16, headers: &[(&str, &str)], body: impl Into<Body>) -> Response {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(body.into()).unwrap()
}

/// Where a shop listens that nobody can reach: a port that was free a moment ago.
pub(crate) async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}
