//! The simulated shop against the recordings of the real one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use nivella_wallet::shop::RestKeys;
use nivella_wallet::shop::rest::{self, Access, OrderQuery, Rest};
use nivella_wallet::time::{Clock, Timestamp};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::Value;

use super::rest::Served;
use super::shop::{Act, Mail, PRODUCTS, START, Shop, order_json, product_json, refunds_json};
use crate::app::scenario;
use crate::fake_shop::{self, impatient};
use crate::support::recorded;

/// The keys of an object, with those of the objects in it; of a list, what its items have in common is enough.
fn keys(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                // Links say who may do what, which is nothing a wallet reads; a meta field holds anything.
                if name != "_links" {
                    found.insert(format!("{at}/{name}"));
                }
                if !["_links", "value", "display_value"].contains(&name.as_str()) {
                    keys(value, &format!("{at}/{name}"), found);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keys(item, &format!("{at}/*"), found)),
        _ => {}
    }
}

fn keys_of(values: &[Value]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for value in values {
        keys(value, "", &mut found);
    }
    found
}

fn read(file: &str) -> Value {
    serde_json::from_slice(&recorded(file)).unwrap()
}

/// Many orders in many states: together they have the keys that the recorded ones have, and no other.
#[test]
fn its_json_has_the_keys_of_the_recorded_one() {
    let mut dice = StdRng::seed_from_u64(1);
    let mut shop = Shop::new(false, vec!["shop".to_owned()], true);
    for id in 1..200 {
        for act in [Act::Place, Act::Pay, Act::RefundLines, Act::MoveSite, Act::Complete] {
            shop.act(id, act, &mut dice);
        }
    }
    let orders: Vec<Value> = shop.orders.keys().map(|id| order_json(&shop.show(*id).unwrap())).collect();
    let mut real: Vec<Value> = Vec::new();
    for folder in ["04-mixed-cart", "07-guest", "09-fees", "12-line-meta-site-id", "16-full-refund"] {
        let orders = scenario(folder).into_iter().filter(|mail| mail.topic.starts_with("order."));
        real.extend(orders.map(|mail| serde_json::from_slice(&mail.body).unwrap()));
    }
    real.push(read("rest/order-refunded.body"));
    assert_eq!(keys_of(&orders), keys_of(&real));

    let refunds: Vec<Value> = shop.orders.values().map(refunds_json).collect();
    let mut real = vec![read("rest/order-refunds.body"), read("rest/order-refunds-empty.body")];
    // Shipping in a refund has what shipping in an order has.
    real[0][0]["shipping_lines"] = serde_json::from_slice::<Value>(&scenario("04-mixed-cart")[0].body)
        .unwrap()["shipping_lines"]
        .clone();
    assert_eq!(keys_of(&refunds), keys_of(&real));

    let products: Vec<Value> = PRODUCTS.iter().map(product_json).collect();
    let real = [read("rest/product-simple.body"), read("rest/product-variation-via-products.body")];
    assert_eq!(keys_of(&products), keys_of(&real));
}

fn topics(mails: &[Mail]) -> Vec<&str> {
    mails.iter().map(|mail| mail.topic.as_str()).collect()
}

/// Which act moves an order's date and what it makes the shop send, as it was measured.
#[test]
fn acts_move_dates_and_send_what_was_measured() {
    const UPDATED: &str = "order.updated";
    const REFUNDED: &str = "action.woocommerce_order_refunded";
    let measured: [(Act, bool, &[&str]); 16] = [
        (Act::Complete, true, &[UPDATED, "action.woocommerce_order_status_completed"]),
        (Act::Note, true, &[UPDATED]),
        (Act::AddLine, true, &[UPDATED]),
        (Act::Quantity, true, &[UPDATED]),
        (Act::MoveSite, true, &[UPDATED]),
        (Act::SilentSite, false, &[]),
        (Act::SilentQuantity, false, &[]),
        (Act::RefundAmount, true, &[UPDATED, REFUNDED]),
        (Act::DeleteRefund, false, &[]),
        (Act::RefundAmount, true, &[UPDATED, REFUNDED]),
        (Act::DeleteRefundInAdmin, false, &["action.woocommerce_refund_deleted"]),
        (Act::Customer, true, &[UPDATED]),
        (Act::RefundByHand, true, &[UPDATED, REFUNDED]),
        (Act::Trash, true, &["order.deleted"]),
        (Act::Restore, true, &["order.restored", UPDATED]),
        (Act::DeleteForGood, true, &[]),
    ];
    let mut tried: BTreeMap<String, u64> = BTreeMap::new();
    for seed in 0..100 {
        let mut dice = StdRng::seed_from_u64(seed);
        let mut shop = Shop::new(false, vec!["shop".to_owned(), "blog".to_owned()], true);
        shop.act(1, Act::Place, &mut dice);
        shop.act(1, Act::Pay, &mut dice);
        shop.run_queue();
        for (act, moves, sends) in measured {
            shop.now += 1;
            let before = shop.orders[&1].modified;
            // What is refunded in full already, or cost nothing, is another story.
            if act == Act::RefundByHand
                && (shop.orders[&1].status == "refunded" || shop.orders[&1].total() == 0)
            {
                break;
            }
            if shop.act(1, act, &mut dice).is_none() {
                continue;
            }
            let now = shop.orders.get(&1).map(|order| order.modified);
            assert!(now.is_none_or(|now| (now > before) == moves), "{act:?} in a life with seed {seed}");
            let mails = shop.run_queue();
            assert_eq!(topics(&mails), sends, "{act:?} in a life with seed {seed}");
            *tried.entry(format!("{act:?}")).or_default() += 1;
        }
    }
    assert!(tried.len() == 15 && tried.values().all(|times| *times >= 5), "{tried:?}");
}

/// Lists are bounded, filtered and counted as the recorded ones, and read through the program's own client.
#[tokio::test]
async fn its_lists_are_bounded_filtered_and_counted() {
    let clock = Clock::standing_at(Timestamp::from_millis(START * 1000));
    let shop = Arc::new(Mutex::new(Shop::new(false, Vec::new(), false)));
    let served = Served::start(Arc::clone(&shop), &clock).await;
    let mut dice = StdRng::seed_from_u64(1);
    let mut trashed = 0;
    for id in 1..=250 {
        let mut shop = shop.lock().unwrap();
        shop.now = START + id / 10;
        shop.act(id, Act::Place, &mut dice);
        shop.act(id, Act::Pay, &mut dice);
        if id % 50 == 0 {
            shop.act(id, Act::Trash, &mut dice);
            trashed += 1;
        }
    }
    let rest = Rest::new(served.access(), impatient(), clock).unwrap();
    let after = Timestamp::from_millis((START + 5) * 1000);
    for (status, after, expected) in [
        (None, None, 250 - trashed),
        (Some("trash"), None, trashed),
        // Exactly then is not after; the second of 50 to 59 is left out with all before it.
        (None, Some(after), 250 - 59 - (trashed - 1)),
        (Some("any,trash"), None, 0),
        (Some("cancelled"), None, 0),
    ] {
        let query = OrderQuery { modified_after: after, status: status.map(str::to_owned) };
        let mut pages = rest.orders(&query);
        let (mut found, mut dates) = (0, Vec::new());
        while let Some(page) = pages.next().await.unwrap() {
            assert!(page.items.len() <= 100);
            assert_eq!(page.total, Some(expected));
            found += page.items.len() as u64;
            for item in page.items {
                let order: Value = serde_json::from_str(item.get()).unwrap();
                dates.push(order["date_modified_gmt"].as_str().unwrap().to_owned());
            }
        }
        assert_eq!(found, expected, "{status:?} after {after:?}");
        assert!(dates.is_sorted(), "the least recently modified come first");
    }
    let wrong = Rest::new(
        Access { keys: RestKeys::new(fake_shop::KEY, "cs_wrong").unwrap(), ..served.access() },
        impatient(),
        served.clock().clone(),
    );
    assert!(matches!(wrong.unwrap().order(1).await, Err(rest::Error::WrongSecret(_))));
    assert_eq!(rest.order(9_999).await.unwrap(), None);
}

/// A body is made when it is sent: an event never carries an old state, several make one delivery, and of an
/// order that is gone there is an error object, signed like any other.
#[test]
fn a_delivery_shows_the_order_as_it_is_when_it_is_sent() {
    let mut dice = StdRng::seed_from_u64(1);
    let mut shop = Shop::new(false, Vec::new(), false);
    shop.act(1, Act::Place, &mut dice);
    for _ in 0..5 {
        shop.act(1, Act::Note, &mut dice);
    }
    shop.act(1, Act::Cancel, &mut dice);
    let mails = shop.run_queue();
    let states: Vec<_> =
        mails.iter().filter_map(|mail| mail.shows.as_ref()).map(|shown| shown.order.status).collect();
    assert_eq!(states, ["cancelled", "cancelled"], "{:?}", topics(&mails));
    shop.act(1, Act::Note, &mut dice);
    shop.act(1, Act::DeleteForGood, &mut dice);
    let mails = shop.run_queue();
    assert_eq!(topics(&mails), ["order.updated"]);
    let real = &scenario("33-order-gone-before-delivery")[1];
    assert_eq!((&mails[0].body, real.topic.as_str()), (&real.body, "order.updated"));
}
