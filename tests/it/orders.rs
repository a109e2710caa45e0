//! Orders: every recorded delivery is read as what it was, and every line comes to the credits it should have.

mod examples;
mod model;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nivella_wallet::catalog::worth::{Basis, Worth};
use nivella_wallet::ledger::slice::Category;
use nivella_wallet::order::naming::{self, Naming};
use nivella_wallet::order::target::{self, Decision, Discount, Known, LineFacts, OnDelete, Settings};
use nivella_wallet::order::woo::{self, Body};
use nivella_wallet::order::{Line, Order, money};
use nivella_wallet::time::{Timestamp, Validity};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rust_decimal::Decimal;

// What was recorded ---------------------------------------------------------------------------------

/// What a recording's own table says about one delivery.
#[derive(Debug)]
struct Recorded {
    topic: String,
    id: Option<i64>,
    status: Option<String>,
    total: Option<String>,
    modified: Option<String>,
    body: Vec<u8>,
}

#[test]
fn every_recorded_delivery_is_what_its_scenario_says() {
    let mut orders = 0;
    for folder in folders() {
        for recorded in deliveries(&folder) {
            let read = woo::parse_delivery(&recorded.topic, &recorded.body, &site_keys());
            let place = format!("{} {recorded:?}", folder.display());
            let resource = recorded.topic.split('.').next().unwrap();
            match (resource, read) {
                ("ping", Err(error)) => assert_eq!(error.at, "line 1 column 1", "{place}"),
                ("order", Ok(Body::Order(order))) => {
                    assert_eq!(Some(order.id), recorded.id, "{place}");
                    assert_eq!(Some(&order.status), recorded.status.as_ref(), "{place}");
                    assert_eq!(Some(order.total.to_string()), recorded.total, "{place}");
                    let modified = recorded.modified.as_deref().and_then(Timestamp::from_woo_gmt);
                    assert_eq!(Some(order.modified_at), modified, "{place}");
                    orders += 1;
                }
                // `order.deleted` has an id and no more.
                ("order", Ok(Body::Hint { order_id, what })) => {
                    assert_eq!((order_id, what.as_str()), (recorded.id, "order.deleted"), "{place}");
                    assert!(order_id.is_some() && recorded.status.is_none(), "{place}");
                }
                ("order", Ok(Body::ErrorObject { code, .. })) => {
                    assert_eq!(recorded.id, None, "{place}");
                    assert!(code.starts_with("woocommerce_rest_"), "{place}");
                }
                // The recording's id of a deleted refund is the refund's.
                ("action", Ok(Body::Hint { order_id, what })) => {
                    let of_refund = what == "woocommerce_refund_deleted";
                    assert_eq!(order_id, recorded.id.filter(|_| !of_refund), "{place}");
                    assert_eq!(recorded.topic, format!("action.{what}"), "{place}");
                }
                ("product", Ok(Body::Product)) | ("customer" | "coupon", Ok(Body::Unhandled)) => {}
                (_, other) => panic!("{place} was read as {other:?}"),
            }
        }
    }
    assert_eq!(orders, 129, "orders among the recordings");
}

/// The last state of every order in a recording: folder, order, status, whether the date money came is set,
/// buyer, how many shipping and fee lines and refunds, and its lines as product[/variation]:quantity:total.
const ENDINGS: &str = "
    02  27 completed  dated   customer:2               0 0  10:1:10.00
    03  28 completed  dated   customer:2               0 0  10:3:30.00
    04  29 completed  dated   customer:2               1 0  10:1:10.00 11:2:90.00 13:1:20.00
    05  30 completed  dated   customer:2               0 0  19/21:2:80.00
    05  31 processing dated   customer:2               0 0  19/22:1:150.00
    06  32 completed  dated   customer:2               0 0  13:1:20.00
    07  33 completed  dated   customer:3               0 0  10:1:10.00
    08  34 completed  dated   customer:2               0 0  10:1:9.00 11:1:40.50
    08  35 processing dated   customer:2               0 0  10:1:7.50 13:1:17.50
    09  36 processing dated   customer:2               2 0  10:1:10.00
    11  38 completed  dated   customer:2               0 0  15:1:0.00
    11  39 processing dated   customer:2               0 0  10:1:0.00
    12  40 processing dated   customer:2               0 0  10:1:10.00 11:1:45.00
    13  41 completed  dated   customer:2               0 0  10:1:10.00
    14  42 cancelled  undated customer:2               0 0  10:1:10.00
    14  43 processing dated   customer:2               0 0  10:1:10.00
    15  44 completed  dated   customer:2               0 0  10:1:10.00
    16  45 refunded   dated   customer:2               0 1  10:3:30.00
    16  47 refunded   dated   customer:2               0 1  10:1:10.00
    17  49 completed  dated   customer:2               0 3  10:3:30.00 13:1:20.00
    18  53 refunded   dated   customer:2               0 2  11:1:45.00
    19  56 refunded   dated   customer:2               0 1  10:2:20.00
    20  59 completed  dated   customer:2               0 0  10:1:10.00
    20  60 processing dated   customer:2               0 0  10:1:10.00
    21  61 processing dated   customer:2               0 0  10:2:20.00
    22  62 completed  dated   customer:2               0 0  10:1:10.00
    24  68 completed  dated   customer:2               0 0  18:1:7.77
    25  69 completed  dated   customer:2               0 0  10:1:10.00
    25  70 processing dated   customer:2               0 0  10:1:10.00
    28  73 processing dated   customer:2               0 0  10:1:10.00
    29  74 completed  dated   email:guest@example.test 0 0  10:2:20.00
    29  75 processing dated   email:guest@example.test 1 0  19/21:1:40.00 13:1:20.00
    30 129 completed  dated   customer:2               0 0  10:2:20.00
    30 130 processing dated   email:guest@example.test 0 0  11:1:45.00
    33  77 trash      dated   customer:2               0 0  10:1:10.00
    34  78 processing dated   customer:2               0 0  10:1:10.00
    38  81 completed  dated   customer:2               0 0  17:1:12.00
    40  83 completed  dated   customer:2               0 0  0:1:4.00
    45  89 processing dated   customer:2               0 0  10:1:10.00
    46  90 processing dated   customer:2               0 0  19/21:2:80.00
    47  91 completed  dated   customer:2               0 0  10:1:10.00
";

#[test]
fn what_an_order_ends_as_is_read_in_full() {
    let mut read = Vec::new();
    for folder in folders() {
        let mut last: BTreeMap<i64, Order> = BTreeMap::new();
        for recorded in deliveries(&folder) {
            if let Ok(Body::Order(order)) = woo::parse_delivery(&recorded.topic, &recorded.body, &site_keys())
            {
                last.insert(order.id, *order);
            }
        }
        let number = &folder.file_name().unwrap().to_str().unwrap()[..2];
        for order in last.values() {
            let lines = order.lines.iter().map(|line| match line.variation_id {
                0 => format!(" {}:{}:{}", line.product_id, line.quantity, line.total),
                variation => format!(" {}/{variation}:{}:{}", line.product_id, line.quantity, line.total),
            });
            read.push(format!(
                "{number} {} {} {} {} {} {}{}",
                order.id,
                order.status,
                order.paid_at.map_or("undated", |_| "dated"),
                order.buyer().natural_key().unwrap(),
                order.other_lines.len(),
                order.refunds.len(),
                lines.collect::<String>(),
            ));
            assert!(order.created_at <= order.modified_at, "{number} {}", order.id);
            let kept = serde_json::to_string(order).unwrap();
            assert_eq!(serde_json::from_str::<Order>(&kept).unwrap(), *order, "{} read back", order.id);
        }
    }
    let squeezed = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let expected: Vec<String> = ENDINGS.trim().lines().map(squeezed).collect();
    assert_eq!(read, expected);
}

#[test]
fn the_recorded_site_ids_are_found() {
    let naming = |delivery: &str| {
        let body = fixture(&format!("12-line-meta-site-id/{delivery}/body.bin"));
        let Body::Order(order) = woo::parse_delivery("order.updated", &body, &site_keys()).unwrap() else {
            panic!("{delivery} is an order")
        };
        order.lines.iter().map(|line| naming::site_of(&order, line, &site_keys())).collect::<Vec<_>>()
    };
    let named = |id: &str| Naming::Named(id.parse().unwrap());
    assert_eq!(naming("001-order.created"), [named("site-123"), named("site-456")]);
    assert_eq!(naming("004-order.updated"), [named("site-999"), named("site-456")]);
}

#[test]
fn recorded_rest_answers_are_read() {
    // Folder, order, refunds: what each refund gives back as id, amount, and (line, quantity, money).
    type Refunds = &'static [(i64, &'static str, Option<(i64, &'static str, &'static str)>)];
    let refunds: [(&str, &str, Refunds); 4] = [
        (
            "16-full-refund/rest-order.json",
            "16-full-refund/rest-refunds.json",
            &[(46, "30.00", Some((33, "3", "30.00")))],
        ),
        ("16-full-refund/rest-order2.json", "16-full-refund/rest-refunds2.json", &[(48, "10.00", None)]),
        (
            "17-partial-refund-line-item/rest-order.json",
            "17-partial-refund-line-item/rest-refunds.json",
            &[
                (52, "5.00", Some((36, "0", "5.00"))),
                (51, "20.00", Some((37, "1", "20.00"))),
                (50, "10.00", Some((36, "1", "10.00"))),
            ],
        ),
        (
            "18-partial-refund-amount-only/rest-order.json",
            "18-partial-refund-amount-only/rest-refunds.json",
            &[(55, "25.00", None), (54, "20.00", None)],
        ),
    ];
    for (order, list, expected) in refunds {
        let order = woo::parse_rest(&fixture(order), Some(&fixture(list)), &site_keys()).unwrap();
        let read: Vec<_> = order
            .refund_details
            .as_deref()
            .unwrap()
            .iter()
            .map(|refund| {
                assert_eq!(refund.other, Some(Decimal::ZERO));
                let line = refund.lines.first().map(|line| {
                    (line.order_line_id.unwrap(), line.quantity.to_string(), line.total.to_string())
                });
                (refund.id, refund.amount.to_string(), line)
            })
            .collect();
        let mut expected: Vec<_> = expected
            .iter()
            .map(|(id, amount, line)| {
                let line = line.map(|(line, quantity, money)| (line, quantity.to_owned(), money.to_owned()));
                (*id, (*amount).to_owned(), line)
            })
            .collect();
        // The shop lists the newest first, or those of one second as they come; here the first is first.
        expected.sort_by_key(|(id, ..)| *id);
        assert_eq!(read, expected, "{list}");
    }

    for name in ["orders-page1", "orders-page2"] {
        let page = woo::parse_orders(&fixture(&format!("rest/{name}.body")), &site_keys()).unwrap();
        assert_eq!(page.len(), 10, "{name}");
        assert!(page.iter().all(Result::is_ok), "{name}: {page:?}");
    }
    assert_eq!(woo::parse_orders(&fixture("rest/orders-page-beyond.body"), &[]).unwrap(), []);
    let gone = woo::parse_rest(&fixture("20-trash-restore-delete/rest-order-gone.json"), None, &[]);
    assert!(gone.unwrap_err().to_string().contains("woocommerce_rest_shop_order_invalid_id"));
}

/// Scenario 17 from beginning to end, worth 1000 a pack: what the delivery alone can say, and what REST adds.
#[test]
fn the_recorded_partial_refunds_come_to_half() {
    let body = fixture("17-partial-refund-line-item/010-order.updated/body.bin");
    let Body::Order(thin) = woo::parse_delivery("order.updated", &body, &site_keys()).unwrap() else {
        panic!("an order")
    };
    let facts = |order: &Order| -> Known {
        let worth = |product| (product == 10).then(|| worth(Basis::PerUnit("1000".parse().unwrap())));
        let fact = |line: &Line| {
            (
                line.id,
                LineFacts {
                    is_tokens: Some(line.product_id == 10),
                    worth: worth(line.product_id),
                    reason: None,
                },
            )
        };
        Known { facts: order.lines.iter().map(fact).collect(), ..Known::default() }
    };
    assert!(thin.lacks_refund_details());
    let decided = target::decide(&thin, &facts(&thin), &defaults());
    assert!(matches!(decided[0].decision, Decision::Attention { .. }), "{decided:?}");
    assert_eq!(decided[1].decision, Decision::NotTokens);

    let details = woo::parse_refunds(&fixture("17-partial-refund-line-item/rest-refunds.json")).unwrap();
    let whole = thin.with_refunds(details).unwrap();
    let decided = target::decide(&whole, &facts(&whole), &defaults());
    assert_eq!(shown(&decided[0].decision), "1500");
}

/// The plugin's key carries the same refunds as REST and is believed only when it is whole.
#[test]
fn the_plugin_can_put_the_refunds_into_the_delivery() {
    let mut body: serde_json::Value =
        serde_json::from_slice(&fixture("17-partial-refund-line-item/010-order.updated/body.bin")).unwrap();
    let refunds: serde_json::Value =
        serde_json::from_slice(&fixture("17-partial-refund-line-item/rest-refunds.json")).unwrap();
    let read = |body: &serde_json::Value| match woo::parse_delivery(
        "order.updated",
        body.to_string().as_bytes(),
        &[],
    ) {
        Ok(Body::Order(order)) => order.refund_details,
        other => panic!("{other:?}"),
    };
    body["nivella"] = serde_json::json!({ "refunds": refunds, "version": 1 });
    assert_eq!(read(&body), Some(woo::parse_refunds(refunds.to_string().as_bytes()).unwrap()));

    for broken in [
        serde_json::json!({ "refunds": [refunds[0]] }),
        serde_json::json!({ "refunds": refunds, "version": 2 }),
        serde_json::json!({ "refunds": "three" }),
        serde_json::json!({ "refunds": [{ "id": 50, "amount": "lots" }] }),
        serde_json::json!([]),
        serde_json::json!({}),
    ] {
        body["nivella"] = broken;
        assert_eq!(read(&body), None, "{}", body["nivella"]);
    }
}

// What is not as WooCommerce writes it -----------------------------------------------------------------

#[test]
fn the_body_is_trusted_before_the_topic() {
    const ORDER: &str = r#"{"id":7,"status":"completed","total":"1.00","date_modified_gmt":"2026-11-20T16:00:00","line_items":[]}"#;
    let hint = |order_id, what: &str| Body::Hint { order_id, what: what.to_owned() };
    for (topic, body, expected) in [
        ("order.deleted", r#"{"id":59}"#, hint(Some(59), "order.deleted")),
        ("order.restored", r#"{"id":"59"}"#, hint(Some(59), "order.restored")),
        ("product.deleted", r#"{"id":59}"#, Body::Product),
        ("product.updated", ORDER, hint(Some(7), "product.updated")),
        ("coupon.created", r#"{"id":1,"code":"ten","message":"x"}"#, Body::Unhandled),
        ("subscription.updated", ORDER, Body::Unhandled),
        ("", ORDER, Body::Unhandled),
        (
            "action.woocommerce_order_status_completed",
            r#"{"action":"woocommerce_order_status_completed","arg":27}"#,
            hint(Some(27), "woocommerce_order_status_completed"),
        ),
        (
            "action.woocommerce_refund_created",
            r#"{"action":"woocommerce_refund_created","arg":58}"#,
            hint(None, "woocommerce_refund_created"),
        ),
        (
            "action.woocommerce_new_order_item",
            r#"{"action":"woocommerce_new_order_item","arg":58}"#,
            hint(None, "woocommerce_new_order_item"),
        ),
        ("action.my_own", r#"{"action":"my_own","arg":{"a":1}}"#, hint(None, "my_own")),
        (
            "action.woocommerce_order_refunded",
            r#"{"action":"woocommerce_order_refunded","arg":-3}"#,
            hint(None, "woocommerce_order_refunded"),
        ),
    ] {
        assert_eq!(woo::parse_delivery(topic, body.as_bytes(), &[]).unwrap(), expected, "{topic} {body}");
    }
    for topic in ["order.updated", "product.restored", "action.x", "coupon.created", "?"] {
        let error = br#"{"code":"woocommerce_rest_cannot_view","message":"Sorry","data":{"status":403}}"#;
        assert!(matches!(woo::parse_delivery(topic, error, &[]), Ok(Body::ErrorObject { .. })), "{topic}");
    }
}

#[test]
fn what_cannot_be_read_exactly_is_refused_with_its_place() {
    let lone_surrogate = r#"{"id":7,"status":"\ud800","total":"1","line_items":[]}"#;
    for (change, at) in [
        (("\"id\":7", "\"id\":0"), "/id"),
        (("\"id\":7", "\"id\":-7"), "/id"),
        (("\"id\":7", "\"id\":7.5"), "/id"),
        (("\"id\":7", "\"id\":1e3"), "/id"),
        (("\"id\":7", "\"id\":99999999999999999999"), "/id"),
        (("\"id\":7", "\"id\":[7]"), "/id"),
        (("\"id\":7,", "\"id\":7,\"id\":8,"), ""),
        (("\"30.00\",\"date", "\"30,00\",\"date"), "/total"),
        (("\"30.00\",\"date", "\"\",\"date"), "/total"),
        (("\"30.00\",\"date", "null,\"date"), "/total"),
        (("\"30.00\",\"date", "3e1,\"date"), "/total"),
        (("\"30.00\",\"date", "\"NaN\",\"date"), "/total"),
        (("\"30.00\",\"date", "\"99999999999999999999999999999999\",\"date"), "/total"),
        (("2026-11-20T16", "2026-13-20T16"), "/date_modified_gmt"),
        (("\"quantity\":3", "\"quantity\":\"three\""), "/line_items/0/quantity"),
        (("\"quantity\":3,", ""), "/line_items/0/quantity"),
        (("\"subtotal\":\"30.00\"", "\"subtotal\":{}"), "/line_items/0/subtotal"),
        (("{\"id\":2", "{\"id\":1"), "/line_items"),
        (("{\"id\":2", "{\"id\":\"\""), "/line_items/1/id"),
        (("\"product_id\":13", "\"product_id\":\"x\""), "/line_items/1/product_id"),
        (("[{\"id\":9", "[{\"id\":9,\"total\":\"-1\"},{\"id\":9"), "/refunds"),
        (("\"-5.00\"", "\"five\""), "/refunds/0/total"),
        (("[{\"id\":9,\"total\":\"-5.00\"}]", "[[9,\"-5.00\"]]"), "/refunds/0"),
        (("\"fee_lines\":[]", "\"fee_lines\":\"none\""), "/fee_lines"),
        (("\"status\":\"processing\",", ""), "/status"),
        (("\"line_items\"", "\"items\""), "/line_items"),
    ] {
        assert!(PLAIN.contains(change.0), "{change:?} changes nothing");
        let body = PLAIN.replacen(change.0, change.1, 1);
        let error = woo::parse_delivery("order.updated", body.as_bytes(), &[]).expect_err(&body);
        assert_eq!(error.at, at, "{change:?}: {error}");
    }
    for (body, at) in [
        (&b""[..], "line 1 column 0"),
        (b"webhook_id=5", "line 1 column 1"),
        (b"{\"id\":7,", "line 1 column 8"),
        (b"{\"id\":NaN}", "line 1 column 7"),
        (b"[]", ""),
        (b"null", ""),
        (b"\"order\"", ""),
        (b"{\"id\":\xff}", "byte 6"),
        (br#"{"order":{"id":7}}"#, "/order"),
        (lone_surrogate.as_bytes(), "/status"),
    ] {
        let error = woo::parse_delivery("order.updated", body, &[]).unwrap_err();
        assert_eq!(error.at, at, "{error}");
    }
}

#[test]
fn what_is_written_carelessly_is_read_all_the_same() {
    let read = |body: &str| match woo::parse_delivery("order.updated", body.as_bytes(), &[]) {
        Ok(Body::Order(order)) => *order,
        other => panic!("{other:?} from {body}"),
    };
    let plain = read(PLAIN);
    for (from, to) in [
        ("\"id\":7", "\"id\":\" 7 \""),
        ("\"quantity\":3", "\"quantity\":\"3\""),
        ("\"quantity\":3", "\"quantity\":3.0"),
        ("\"30.00\",\"date", "30.00,\"date"),
        ("\"subtotal\":\"30.00\",", ""),
        ("\"total_tax\":\"0.00\",", ""),
        ("\"total_tax\":\"0.00\"", "\"total_tax\":\"\""),
        ("\"processing\"", "\"wc-processing\""),
        ("\"customer_id\":2", "\"customer_id\":\"2\""),
        ("\"variation_id\":0,", "\"variation_id\":null,"),
        ("2026-11-20T16:00:00", "2026-11-20T17:00:00+01:00"),
        ("\"meta_data\":[]", "\"meta_data\":\"\""),
        ("\"meta_data\":[]", "\"meta_data\":[null,7,{\"key\":7,\"value\":[]}]"),
        ("[{\"id\":9,\"total\":\"-5.00\"}]", "{\"4\":{\"id\":9,\"total\":-5}}"),
        ("\"fee_lines\":[]", "\"fee_lines\":null"),
        ("\"billing\":{", "\"shipping\":{\"a\":[[[[]]]]},\"billing\":{"),
    ] {
        assert!(PLAIN.contains(from), "{from}");
        assert_eq!(read(&PLAIN.replacen(from, to, 1)), plain, "{to}");
    }
    // Without a number an order is called by its id, without an address it has no buyer.
    assert_eq!(plain.number, "7");
    assert_eq!(read(&PLAIN.replace("\"customer_id\":2", "\"customer_id\":\"\"")).buyer().natural_key(), None);
    // Months ago the date was never set; its creation stands in.
    let undated = PLAIN.replace("\"date_modified_gmt\"", "\"date_paid_gmt\":null,\"date_created_gmt\"");
    assert_eq!(read(&undated).modified_at, plain.modified_at);
    for no_date in ["null", "\"\"", "false"] {
        let body = PLAIN.replace("\"refunds\"", &format!("\"date_paid_gmt\":{no_date},\"refunds\""));
        assert_eq!(read(&body).paid_at, None);
    }
}

#[test]
fn a_promise_is_read_from_its_exact_text() {
    let read = |meta: &str| {
        let body = PLAIN.replacen("\"meta_data\":[]", &format!("\"meta_data\":{meta}"), 1);
        match woo::parse_delivery("order.updated", body.as_bytes(), &[]) {
            Ok(Body::Order(order)) => order.lines[0].clone(),
            other => panic!("{other:?}"),
        }
    };
    for (value, promised, unreadable) in [
        ("\"1000\"", Some("1000"), None),
        ("1000", Some("1000"), None),
        ("\" 0.5 \"", Some("0.5"), None),
        ("\"\"", None, None),
        ("\"1,000\"", None, Some("1,000")),
        ("\"-5\"", None, Some("-5")),
        ("1e3", None, Some("1e3")),
        ("[1000]", None, Some("[1000]")),
    ] {
        let line = read(&format!(r#"[{{"key":"_nivella_credits","value":{value}}}]"#));
        assert_eq!(line.credits_promised.map(|credits| credits.to_string()).as_deref(), promised, "{value}");
        assert_eq!(line.promise_unreadable.as_deref(), unreadable, "{value}");
        if unreadable.is_some() {
            let order = Order {
                lines: vec![line],
                refunds: Vec::new(),
                paid_at: Some(Timestamp::from_millis(0)),
                ..plain_order()
            };
            let decided = target::decide(&order, &Known::default(), &defaults());
            assert!(matches!(decided[0].decision, Decision::Parked { .. }), "{value}: {decided:?}");
        }
    }
}

#[test]
fn a_hostile_body_is_refused_or_read_but_never_more() {
    let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
    let deep_inside = PLAIN.replace("\"billing\":{", &format!("\"x\":{deep},\"billing\":{{"));
    let many = format!("[{}]", vec!["{}"; 700_000].join(","));
    let digits = "9".repeat(2_000_000);
    for body in [
        deep.clone(),
        deep_inside,
        deep.replace('[', "{\"a\":").replace(']', "}"),
        PLAIN.replace("\"meta_data\":[]", &format!("\"meta_data\":{many}")),
        PLAIN.replace("\"fee_lines\":[]", &format!("\"fee_lines\":{many}")),
        PLAIN.replace("\"quantity\":3", &format!("\"quantity\":{digits}")),
        PLAIN.replace("\"quantity\":3", &format!("\"quantity\":-{digits}")),
        PLAIN.replace("\"id\":7", &format!("\"id\":{digits}")),
        PLAIN.replace("\"quantity\":3", "\"quantity\":-3"),
        "\0".repeat(2_000_000),
    ] {
        read_and_decide("order.updated", body.as_bytes());
    }
}

#[test]
fn no_change_of_a_byte_makes_the_reader_fall_over() {
    let bodies: Vec<Vec<u8>> =
        folders().iter().flat_map(|folder| deliveries(folder)).map(|one| one.body).collect();
    let changes = (
        0..bodies.len(),
        prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        prop::sample::select(vec!["order.updated", "order.deleted", "product.updated", "action.x", ""]),
    );
    run(512, changes, |(body, changes, topic)| {
        let mut body = bodies[body].clone();
        for (at, byte) in changes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        read_and_decide(topic, &body);
    });
}

// Helpers ---------------------------------------------------------------------------------------------

const PLAIN: &str = concat!(
    r#"{"id":7,"status":"processing","total":"30.00","date_modified_gmt":"2026-11-20T16:00:00","customer_id":2,"#,
    r#""billing":{"email":""},"meta_data":[{"key":"_x","value":{"a":null}}],"line_items":["#,
    r#"{"id":1,"product_id":10,"variation_id":0,"quantity":3,"subtotal":"30.00","total":"30.00","total_tax":"0.00","meta_data":[]},"#,
    r#"{"id":2,"product_id":13,"variation_id":0,"quantity":1,"subtotal":"0.00","total":"0.00","meta_data":[]}],"#,
    r#""shipping_lines":[],"fee_lines":[],"refunds":[{"id":9,"total":"-5.00"}]}"#,
);

fn plain_order() -> Order {
    match woo::parse_delivery("order.updated", PLAIN.as_bytes(), &[]) {
        Ok(Body::Order(order)) => *order,
        other => panic!("{other:?}"),
    }
}

fn defaults() -> Settings {
    Settings {
        paid_statuses: vec!["processing".to_owned(), "completed".to_owned()],
        require_date_paid: true,
        discount: Discount::Full,
        free_lines: false,
        on_delete: OnDelete::Keep,
    }
}

fn site_keys() -> Vec<String> {
    ["_nivella_site_id", "site_id", "_site_id"].map(str::to_owned).to_vec()
}

fn worth(basis: Basis) -> Worth {
    Worth { basis, validity: Validity::Never, category: Category::Paid, label: None }
}

fn shown(decision: &Decision) -> String {
    match decision {
        Decision::NotTokens => "not_tokens".to_owned(),
        Decision::Parked { .. } => "parked".to_owned(),
        Decision::Target { credits, .. } => credits.to_string(),
        Decision::Keep { frozen: true } => "frozen".to_owned(),
        Decision::Keep { frozen: false } => "keep".to_owned(),
        Decision::Attention { .. } => "attention".to_owned(),
    }
}

fn amount(text: &str) -> Decimal {
    money::parse(text).unwrap_or_else(|| panic!("{text:?} is not money"))
}

/// Reads a body and, where it is an order, decides it under every setting; nothing may panic.
fn read_and_decide(topic: &str, body: &[u8]) {
    let _ = woo::parse_orders(body, &site_keys());
    let _ = woo::parse_refunds(body);
    let Ok(Body::Order(order)) = woo::parse_delivery(topic, body, &site_keys()) else {
        return;
    };
    let each = Basis::PerUnit("1000".parse().unwrap());
    let money = Basis::PerCurrencyUnit("100".parse().unwrap());
    for basis in [each, money] {
        for discount in [Discount::Full, Discount::Proportional] {
            let fact = |line: &Line| {
                (line.id, LineFacts { is_tokens: Some(true), worth: Some(worth(basis)), reason: None })
            };
            let known = Known {
                facts: order.lines.iter().map(fact).collect(),
                removed: [5].into(),
                ..Known::default()
            };
            let settings = Settings { discount, free_lines: true, require_date_paid: false, ..defaults() };
            let _ = target::decide(&order, &known, &settings);
        }
    }
    for line in &order.lines {
        let _ = naming::site_of(&order, line, &site_keys());
    }
}

/// Runs a property; `SEED=n` runs it as a failure printed it.
fn run<S: Strategy>(cases: u32, strategy: S, property: impl Fn(S::Value)) {
    let seed: u64 =
        std::env::var("SEED").map_or_else(|_| rand::random(), |seed| seed.parse().expect("SEED is a number"));
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let ran = runner.run(&strategy, |input| {
        property(input);
        Ok(())
    });
    if let Err(failure) = ran {
        panic!("SEED={seed} repeats it: {failure}");
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn fixture(path: &str) -> Vec<u8> {
    let path = root().join("woocommerce").join(path);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The recordings, in order.
fn folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(root().join("woocommerce"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("scenario.md").is_file())
        .collect();
    folders.sort();
    assert_eq!(folders.len(), 35, "recordings");
    folders
}

/// The deliveries of a recording, with what the table in its `scenario.md` says of each.
fn deliveries(folder: &Path) -> Vec<Recorded> {
    let scenario = std::fs::read_to_string(folder.join("scenario.md")).unwrap();
    let recorded: Vec<Recorded> = scenario
        .lines()
        .map(|line| line.split('|').map(str::trim).collect::<Vec<_>>())
        .filter(|cells| cells.len() > 8 && cells[1].parse::<u32>().is_ok())
        .map(|cells| {
            let cell = |at: usize| (cells[at] != "None").then(|| cells[at].to_owned());
            let number: u32 = cells[1].parse().unwrap();
            let body = folder.join(format!("{number:03}-{}", cells[3])).join("body.bin");
            Recorded {
                topic: cells[3].to_owned(),
                id: cell(4).map(|id| id.parse().unwrap()),
                status: cell(5),
                total: cell(6),
                modified: cell(7),
                body: std::fs::read(&body).unwrap_or_else(|error| panic!("{}: {error}", body.display())),
            }
        })
        .collect();
    let bodies =
        std::fs::read_dir(folder).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir()).count();
    assert_eq!(recorded.len(), bodies, "deliveries of {}", folder.display());
    recorded
}
