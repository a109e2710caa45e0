//! The simulated shop's REST API, as the recorded one answers, on a bad day too.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use nivella_wallet::shop::rest::{Access, Clients, Patience};
use nivella_wallet::shop::{self, HookSecret, RestKeys};
use nivella_wallet::time::Clock;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::life::Step;
use super::shop::{Mail, Order, PRODUCTS, Shop, Shown, order_json, product_json, refunds_json};
use crate::app::SECRET;
use crate::fake_shop::{self, JSON, KEY, Place, authenticate, listen, only_fields, parameters, respond};
use crate::support::recorded;

/// What goes wrong with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// 429 with `Retry-After: 0`.
    Busy,
    /// 500.
    Fails,
    /// The connection ends in the middle of the answer.
    Cut,
    /// The answer comes late, but within the client's patience.
    Slow,
}

/// Takes the deliveries that are made while somebody reads the shop.
pub(crate) type Receiver = Box<dyn Fn(&Mail) + Send>;

/// The shop as it is served.
pub(crate) struct Served {
    pub(crate) url: shop::ShopUrl,
    pub(crate) world: Arc<Mutex<World>>,
    clock: Clock,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// What is served, and what happens to those who ask.
pub(crate) struct World {
    pub(crate) shop: Arc<Mutex<Shop>>,
    /// For the next requests, one each.
    pub(crate) troubles: VecDeque<Option<Trouble>>,
    /// What happens in the shop just after an answer about orders was made and before it is sent.
    pub(crate) meanwhile: VecDeque<Option<Step>>,
    /// Who gets the deliveries of that.
    pub(crate) receiver: Option<Receiver>,
    /// What was asked, less what OAuth adds.
    pub(crate) asked: Vec<String>,
    /// What happened meanwhile, in words.
    pub(crate) told: Vec<(i64, String)>,
    nonces: HashSet<String>,
}

impl Served {
    pub(crate) async fn start(shop: Arc<Mutex<Shop>>, clock: &Clock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let home = format!("http://{}", listener.local_addr().unwrap());
        let world = Arc::new(Mutex::new(World {
            shop,
            troubles: VecDeque::new(),
            meanwhile: VecDeque::new(),
            receiver: None,
            asked: Vec::new(),
            told: Vec::new(),
            nonces: HashSet::new(),
        }));
        let context = Context { home: home.clone(), clock: clock.clone(), world: Arc::clone(&world) };
        let server = listen(listener, axum::Router::new().fallback(answer).with_state(context), None);
        Self { url: home.parse().unwrap(), world, clock: clock.clone(), server }
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What opens this shop.
    pub(crate) fn access(&self) -> Access {
        Access { url: self.url.clone(), keys: RestKeys::new(KEY, fake_shop::SECRET).unwrap(), ca_file: None }
    }

    /// A store for this shop that may be asked.
    pub(crate) fn settings(&self) -> shop::store::Settings {
        let mut settings =
            shop::store::Settings::new(self.url.clone(), SECRET.parse::<HookSecret>().unwrap());
        settings.rest_keys = Some(RestKeys::new(KEY, fake_shop::SECRET).unwrap());
        settings
    }

    /// Clients that try again at once.
    pub(crate) fn clients(&self) -> Clients {
        let patience = Patience { first_pause: Duration::from_millis(1), ..fake_shop::impatient() };
        Clients::new(patience, self.clock.clone())
    }
}

#[derive(Clone)]
struct Context {
    home: String,
    clock: Clock,
    world: Arc<Mutex<World>>,
}

async fn answer(State(context): State<Context>, request: Request) -> Response {
    let trouble = context.world.lock().unwrap().troubles.pop_front().flatten();
    match trouble {
        Some(Trouble::Busy) => return respond(429, &[JSON, ("retry-after", "0")], "{}"),
        Some(Trouble::Fails) => return respond(500, &[("content-type", "text/html")], "<html>Sorry</html>"),
        Some(Trouble::Cut) => {
            let parts: [Result<Bytes, std::io::Error>; 2] =
                [Ok(Bytes::from_static(b"[{\"id\":")), Err(std::io::Error::other("cut"))];
            return Response::builder()
                .header(JSON.0, JSON.1)
                .body(Body::from_stream(futures_util::stream::iter(parts)))
                .unwrap();
        }
        Some(Trouble::Slow) => tokio::time::sleep(Duration::from_millis(5)).await,
        None => {}
    }
    let answer = own_answer(&context, &request);
    if request.uri().path().contains("/orders") {
        meanwhile(&mut context.world.lock().unwrap());
    }
    answer
}

/// Something happens in the shop while an answer is on its way, and is told before the answer arrives.
fn meanwhile(world: &mut World) {
    let Some(Some(step)) = world.meanwhile.pop_front() else { return };
    let super::life::What::Act(act) = step.what else { return };
    let mut shop = world.shop.lock().unwrap();
    let words = shop.act(step.order, act, &mut StdRng::seed_from_u64(step.dice));
    let mails = shop.run_queue();
    drop(shop);
    if let Some(words) = words {
        world.told.push((step.order, format!("while it is read, order {} {words}", step.order)));
    }
    if let Some(receiver) = &world.receiver {
        mails.iter().for_each(receiver);
    }
}

fn own_answer(context: &Context, request: &Request) -> Response {
    let Some(path) = request.uri().path().strip_prefix("/wp-json/wc/v3/") else {
        return respond(404, &[("content-type", "text/html")], "<html>Not found</html>");
    };
    let mut world = context.world.lock().unwrap();
    let query = request.uri().query().unwrap_or_default();
    let shown: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with("oauth_")).collect();
    world.asked.push(format!("{path}?{}", shown.join("&")));
    let parameters = parameters(query);
    let place = Place { home: &context.home, path: "", clock: &context.clock };
    if let Err(refusal) = authenticate(&place, &mut world.nonces, request, &parameters) {
        return respond(401, &[JSON], recorded(&refusal));
    }
    let shop = world.shop.lock().unwrap();
    let parts: Vec<&str> = path.split('/').collect();
    let id = |text: &str| text.parse::<i64>().unwrap_or(0);
    match parts[..] {
        ["orders"] => orders(&shop, &parameters),
        ["orders", order] => match shop.orders.get(&id(order)) {
            Some(order) => one(&order_json(&shown_by(&shop, order)), &parameters),
            None => missing("rest/order-404.body"),
        },
        ["orders", order, "refunds"] => match shop.orders.get(&id(order)) {
            Some(order) => list(&items(&refunds_json(order)), &parameters),
            None => missing("rest/order-404.body"),
        },
        ["refunds"] => {
            let mut refunds = Vec::new();
            for order in shop.orders.values() {
                for mut refund in items(&refunds_json(order)) {
                    refund["parent_id"] = order.id.into();
                    refunds.push(refund);
                }
            }
            if let Some(after) = parameters.get("after") {
                refunds.retain(|refund| refund["date_created_gmt"].as_str().unwrap() > after.as_str());
            }
            list(&refunds, &parameters)
        }
        ["products"] => list(&products(&shop, &parameters, 0), &parameters),
        ["products", "categories"] => list(&recorded_list("rest/products-categories.body"), &parameters),
        ["products", product, "variations"] => list(&products(&shop, &parameters, id(product)), &parameters),
        ["products", product] => {
            let known = PRODUCTS.iter().find(|known| known.id == id(product));
            match known.filter(|known| !shop.gone_products.contains(&known.id)) {
                Some(known) => one(&product_json(known), &parameters),
                None => missing("rest/product-404.body"),
            }
        }
        ["webhooks"] => list(&recorded_list("rest/webhooks.body"), &parameters),
        _ => missing("rest/order-not-a-number.body"),
    }
}

/// REST never has what the plugin adds to deliveries.
fn shown_by(shop: &Shop, order: &Order) -> Shown {
    Shown { order: order.clone(), gone: shop.gone_products.clone(), details: false, told_at: None }
}

fn orders(shop: &Shop, parameters: &BTreeMap<String, String>) -> Response {
    let get = |name: &str| parameters.get(name).map(String::as_str);
    let after = get("modified_after");
    if after.is_some_and(|after| after.len() < 19 || !after.starts_with("20")) {
        return respond(400, &[JSON], recorded("rest/orders-modified-after-baddate.body"));
    }
    let statuses: Vec<&str> = get("status").unwrap_or("any").split(',').collect();
    let include: Option<Vec<i64>> =
        get("include").map(|ids| ids.split(',').filter_map(|id| id.parse().ok()).collect());
    let is_listed = |order: &&Order| {
        // "any" is all but these two; together with another status it finds nothing.
        let any = statuses == ["any"] && !["trash", "checkout-draft"].contains(&order.status);
        let named = !statuses.contains(&"any") && statuses.contains(&order.status);
        (any || named)
            && include.as_ref().is_none_or(|ids| ids.contains(&order.id))
            && after.is_none_or(|after| super::shop::date(order.modified).as_str() > &after[..19])
    };
    let mut found: Vec<&Order> = shop.orders.values().filter(is_listed).collect();
    match get("orderby").unwrap_or("date") {
        "modified" => found.sort_by_key(|order| (order.modified, order.id)),
        "date" => found.sort_by_key(|order| (order.created, order.id)),
        "id" => found.sort_by_key(|order| order.id),
        _ => return respond(400, &[JSON], recorded("rest/orders-orderby-bad.body")),
    }
    if get("order").unwrap_or("desc") == "desc" {
        found.reverse();
    }
    let found: Vec<Value> = found.into_iter().map(|order| order_json(&shown_by(shop, order))).collect();
    list(&found, parameters)
}

fn products(shop: &Shop, parameters: &BTreeMap<String, String>, variations_of: i64) -> Vec<Value> {
    let category = parameters.get("category").and_then(|text| text.parse::<i64>().ok());
    let is_below = |own: i64| category.is_none_or(|asked| own == asked || (asked == 16 && own == 17));
    PRODUCTS
        .iter()
        .filter(|product| product.parent == variations_of && is_below(product.category))
        .filter(|product| !shop.gone_products.contains(&product.id))
        .map(product_json)
        .map(|mut product| {
            if product["id"] == json!(19) {
                product["type"] = "variable".into();
                product["variations"] = json!([20, 21]);
            }
            product
        })
        .collect()
}

fn recorded_list(file: &str) -> Vec<Value> {
    serde_json::from_slice(&recorded(file)).unwrap()
}

fn items(list: &Value) -> Vec<Value> {
    list.as_array().cloned().unwrap_or_default()
}

fn missing(file: &str) -> Response {
    respond(404, &[JSON], recorded(file))
}

fn one(thing: &Value, parameters: &BTreeMap<String, String>) -> Response {
    respond(200, &[JSON], only_fields(thing, parameters.get("_fields").map(String::as_str)).to_string())
}

/// A page of a list, with the headers that say how many there are.
fn list(found: &[Value], parameters: &BTreeMap<String, String>) -> Response {
    let number =
        |name: &str, default: usize| parameters.get(name).map_or(Ok(default), |text| text.parse::<usize>());
    let (Ok(per_page @ 1..=100), Ok(page @ 1..)) = (number("per_page", 10), number("page", 1)) else {
        return respond(400, &[JSON], recorded("rest/orders-per-page-101.body"));
    };
    let fields = parameters.get("_fields").map(String::as_str);
    let items: Vec<Value> = found
        .iter()
        .skip((page - 1) * per_page)
        .take(per_page)
        .map(|item| only_fields(item, fields))
        .collect();
    // Beyond the last page WooCommerce says that there is nothing at all.
    let total = if items.is_empty() { 0 } else { found.len() };
    let (total, pages) = (total.to_string(), total.div_ceil(per_page).to_string());
    let headers = [JSON, ("x-wp-total", total.as_str()), ("x-wp-totalpages", pages.as_str())];
    respond(200, &headers, Value::from(items).to_string())
}
