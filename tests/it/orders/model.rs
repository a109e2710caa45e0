//! The rules of targets written a second time, naively and in whole cents, and held against the first over
//! orders made at random.

use std::collections::BTreeMap;

use nivella_wallet::catalog::worth::Basis;
use nivella_wallet::order::target::{
    self, Decision, Discount, Known, LineDecision, LineFacts, OnDelete, Settings,
};
use nivella_wallet::order::{Order, Refund, RefundLine, woo};
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::{amount, defaults, plain_order, run, shown, worth};

#[derive(Clone, Debug)]
struct ShopLine {
    quantity: i128,
    subtotal: i128,
    total: i128,
    tax: i128,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Each(i128),
    ByMoney(i128),
    Shirt,
    Unknown,
}

#[derive(Clone, Debug)]
struct ShopRefund {
    /// What was typed beyond the parts; below zero when less money went back than its parts are worth.
    extra: i128,
    /// Line, quantity, money, tax; line 0 was removed from the order.
    lines: Vec<(usize, i128, i128, i128)>,
    shipping: i128,
    fee: i128,
}

#[derive(Clone, Debug)]
struct Shop {
    status: &'static str,
    dated: bool,
    lines: Vec<ShopLine>,
    shipping: i128,
    fee: i128,
    refunds: Vec<ShopRefund>,
    detailed: bool,
    settings: Settings,
}

impl ShopRefund {
    fn parts(&self) -> i128 {
        self.lines.iter().map(|part| part.2 + part.3).sum::<i128>() + self.shipping + self.fee
    }

    fn amount(&self) -> i128 {
        (self.parts() + self.extra).max(1)
    }

    /// The same refund of one of these lines, or of one that was removed.
    fn of(mut self, lines: &[ShopLine]) -> Self {
        for part in &mut self.lines {
            part.0 %= lines.len() + 1;
        }
        self
    }
}

impl Shop {
    fn total(&self) -> i128 {
        self.lines.iter().map(|line| line.total + line.tax).sum::<i128>() + self.shipping + self.fee
    }

    /// What line `index` should come to, by the words of the rules.
    fn model(&self, index: usize) -> String {
        let line = &self.lines[index];
        if matches!(line.kind, Kind::Shirt) {
            return "not_tokens".to_owned();
        }
        if ["refunded", "cancelled", "failed"].contains(&self.status)
            || (self.status == "trash" && self.settings.on_delete == OnDelete::ClawBack)
        {
            return "0".to_owned();
        }
        if self.status == "trash" {
            return "keep".to_owned();
        }
        if self.status != "processing" && self.status != "completed" {
            return "frozen".to_owned();
        }
        if self.settings.require_date_paid && !self.dated {
            return "keep".to_owned();
        }
        let mut gross = match line.kind {
            Kind::Unknown => return "parked".to_owned(),
            Kind::Each(micro) if self.settings.discount == Discount::Proportional && line.subtotal != 0 => {
                micro * line.quantity * line.total / line.subtotal
            }
            Kind::Each(micro) => micro * line.quantity,
            Kind::ByMoney(micro) => micro * line.total / 100,
            Kind::Shirt => unreachable!(),
        };
        if line.total == 0 && !self.settings.free_lines {
            gross = 0;
        }
        let only_tokens = self.shipping == 0
            && self.fee == 0
            && self.lines.iter().all(|line| !matches!(line.kind, Kind::Shirt | Kind::Unknown));
        if !self.detailed && !self.refunds.is_empty() && !only_tokens {
            return "attention".to_owned();
        }
        let parts = || {
            self.refunds
                .iter()
                .flat_map(|refund| &refund.lines)
                .filter(|part| self.detailed && part.0 == index + 1)
        };
        let untied: i128 = self
            .refunds
            .iter()
            .map(
                |refund| {
                    if self.detailed { (refund.amount() - refund.parts()).max(0) } else { refund.amount() }
                },
            )
            .sum();
        // Numerator and denominator of the share that went back.
        let (back, of) = if line.total == 0 {
            (parts().map(|part| part.1).sum(), line.quantity)
        } else {
            let money: i128 = parts().map(|part| part.2).sum();
            match self.total() {
                total if total > 0 => (money * total + untied * line.total, line.total * total),
                _ if untied > 0 => (1, 1),
                _ => (money, line.total),
            }
        };
        let left = if back >= of { 0 } else { gross - gross * back / of };
        decimal(left, 6)
    }

    fn order_json(&self) -> serde_json::Value {
        let lines: Vec<_> = self
            .lines
            .iter()
            .zip(1..)
            .map(|(line, id)| {
                serde_json::json!({
                    "id": id, "quantity": i64::try_from(line.quantity).unwrap(), "subtotal": cents(line.subtotal),
                    "total": cents(line.total), "total_tax": cents(line.tax),
                })
            })
            .collect();
        let refunds: Vec<_> = self
            .refunds
            .iter()
            .zip(100..)
            .map(|(refund, id)| serde_json::json!({ "id": id, "total": cents(-refund.amount()) }))
            .collect();
        serde_json::json!({
            "id": 7, "status": self.status, "total": cents(self.total()), "customer_id": 2, "line_items": lines,
            "shipping_lines": [{ "id": 50, "total": cents(self.shipping) }],
            "fee_lines": [{ "id": 51, "total": cents(self.fee) }],
            "refunds": refunds, "date_modified_gmt": "2026-11-20T16:00:00",
            "date_paid_gmt": self.dated.then_some("2026-11-20T15:00:00"),
        })
    }

    fn refunds_json(&self) -> serde_json::Value {
        self.refunds
            .iter()
            .zip(100..)
            .map(|(refund, id)| {
                let lines: Vec<_> = refund
                    .lines
                    .iter()
                    .map(|(line, quantity, money, tax)| {
                        serde_json::json!({
                            "quantity": i64::try_from(-quantity).unwrap(), "total": cents(-money), "total_tax": cents(-tax),
                            "meta_data": [{ "key": "_refunded_item_id", "value": if *line == 0 { 999 } else { *line } }],
                        })
                    })
                    .collect();
                serde_json::json!({
                    "id": id, "amount": cents(refund.amount()), "line_items": lines,
                    "shipping_lines": [{ "total": cents(-refund.shipping) }],
                    "fee_lines": [{ "total": cents(-refund.fee) }],
                })
            })
            .collect()
    }

    fn read(&self) -> Order {
        let refunds = self.refunds_json().to_string();
        let refunds = self.detailed.then_some(refunds.as_bytes());
        woo::parse_rest(self.order_json().to_string().as_bytes(), refunds, &[]).unwrap()
    }

    fn known(&self) -> Known {
        let fact = |line: &ShopLine| {
            let credits = |micro| decimal(micro, 6).parse().unwrap();
            let (is_tokens, basis) = match line.kind {
                Kind::Each(micro) => (Some(true), Some(Basis::PerUnit(credits(micro)))),
                Kind::ByMoney(micro) => (Some(true), Some(Basis::PerCurrencyUnit(credits(micro)))),
                Kind::Shirt => (Some(false), None),
                Kind::Unknown => (None, None),
            };
            LineFacts { is_tokens, worth: basis.map(worth), reason: None }
        };
        Known { facts: (1..).zip(self.lines.iter().map(fact)).collect(), ..Known::default() }
    }

    fn decide(&self) -> Vec<LineDecision> {
        target::decide(&self.read(), &self.known(), &self.settings)
    }
}

fn shop() -> impl Strategy<Value = Shop> {
    let status = prop_oneof![
        8 => Just("completed"),
        4 => Just("processing"),
        3 => prop::sample::select(vec!["pending", "on-hold", "checkout-draft", "shipped", "trash", "refunded", "cancelled", "failed"]),
    ];
    let often = || prop::bool::weighted(0.85);
    (
        (status, often(), prop::collection::vec(shop_line(), 1..5)),
        (prop_oneof![3 => Just(0), 1 => 1..2000_i128], prop_oneof![3 => Just(0), 1 => -500..2000_i128]),
        (prop::collection::vec(shop_refund(), 0..4), often()),
        settings(),
    )
        .prop_map(|((status, dated, lines), (shipping, fee), (refunds, detailed), settings)| {
            let refunds = refunds.into_iter().map(|refund: ShopRefund| refund.of(&lines)).collect();
            Shop { status, dated, lines, shipping, fee, refunds, detailed, settings }
        })
}

fn settings() -> impl Strategy<Value = Settings> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), prop::bool::weighted(0.85));
    flags.prop_map(|(proportional, free_lines, claw_back, require_date_paid)| Settings {
        discount: if proportional { Discount::Proportional } else { Discount::Full },
        on_delete: if claw_back { OnDelete::ClawBack } else { OnDelete::Keep },
        free_lines,
        require_date_paid,
        ..defaults()
    })
}

fn shop_line() -> impl Strategy<Value = ShopLine> {
    let kind = prop_oneof![
        6 => (1..5_000_000_000_i128).prop_map(Kind::Each),
        2 => (1..500_000_000_i128).prop_map(Kind::ByMoney),
        2 => Just(Kind::Shirt),
        1 => Just(Kind::Unknown),
    ];
    let price = prop_oneof![1 => Just(0), 6 => 1..20_000_i128];
    (1..6_i128, price, 0..=100_i128, prop_oneof![Just(0), Just(19)], kind).prop_map(
        |(quantity, price, off, tax, kind)| {
            let subtotal = price * quantity;
            let total = subtotal * (100 - off.saturating_sub(40)) / 100;
            ShopLine { quantity, subtotal, total, tax: total * tax / 100, kind }
        },
    )
}

fn shop_refund() -> impl Strategy<Value = ShopRefund> {
    let part = (0..5_usize, 0..4_i128, 0..8_000_i128, 0..300_i128);
    let extra = prop_oneof![4 => Just(0), 1 => -500..0_i128, 2 => 1..20_000_i128];
    let other = || prop_oneof![3 => Just(0), 1 => 1..900_i128];
    (extra, prop::collection::vec(part, 0..3), other(), other())
        .prop_map(|(extra, lines, shipping, fee)| ShopRefund { extra, lines, shipping, fee })
}

#[test]
fn two_writings_of_the_rules_agree() {
    run(4_000, shop(), |shop| {
        let decided: Vec<String> = shop.decide().iter().map(|line| shown(&line.decision)).collect();
        let expected: Vec<String> = (0..shop.lines.len()).map(|index| shop.model(index)).collect();
        assert_eq!(decided, expected);
    });
}

#[test]
fn a_target_is_never_above_what_the_line_is_worth() {
    run(1_000, shop(), |shop| {
        for line in shop.decide() {
            if let Decision::Target { credits, gross } = line.decision {
                assert!(credits <= gross, "{credits} of {gross}");
            }
        }
    });
}

#[test]
fn one_more_refund_never_adds_credits() {
    run(1_000, (shop(), shop_refund()), |(mut shop, refund)| {
        shop.detailed = true;
        let before = shop.decide();
        shop.refunds.push(refund.of(&shop.lines));
        for (before, after) in before.iter().zip(shop.decide()) {
            if let (Decision::Target { credits: before, .. }, Decision::Target { credits: after, .. }) =
                (&before.decision, &after.decision)
            {
                assert!(after <= before, "{before} grew to {after}");
            }
        }
    });
}

#[test]
fn the_order_of_lines_and_refunds_means_nothing() {
    let with_seed = (shop(), any::<prop::sample::Index>());
    run(1_000, with_seed, |(shop, turn)| {
        let order = shop.read();
        let decided = |order: &Order| -> BTreeMap<i64, Decision> {
            target::decide(order, &shop.known(), &shop.settings)
                .into_iter()
                .map(|line| (line.line_id, line.decision))
                .collect()
        };
        let mut turned = order.clone();
        let by = turn.index(turned.lines.len());
        turned.lines.rotate_left(by);
        turned.refunds.reverse();
        if let Some(details) = &mut turned.refund_details {
            details.reverse();
            for refund in details {
                refund.lines.reverse();
            }
        }
        let without_words = |decided: BTreeMap<i64, Decision>| -> BTreeMap<i64, String> {
            decided.iter().map(|(id, decision)| (*id, shown(decision))).collect()
        };
        assert_eq!(without_words(decided(&turned)), without_words(decided(&order)));
    });
}

/// Amounts as large as can be written: either the exact number, or set aside.
#[test]
fn large_amounts_are_exact_or_set_aside() {
    let digits = || "[1-9][0-9]{0,20}(\\.[0-9]{1,7})?";
    run(1_000, (digits(), digits(), digits(), digits()), |(total, order_total, tied, untied)| {
        let [total, order_total, tied, untied] = [total, order_total, tied, untied].map(|text| amount(&text));
        let mut order = plain_order();
        order.total = order_total;
        order.paid_at = Some(order.modified_at);
        order.lines.truncate(1);
        order.lines[0].total = total;
        order.refunds.clear();
        let line = RefundLine {
            order_line_id: Some(1),
            quantity: Decimal::ONE,
            total: tied,
            total_tax: Decimal::ZERO,
        };
        let Some(sum) = tied.checked_add(untied) else {
            return;
        };
        let refund = Refund { id: 1, amount: sum, lines: vec![line], other: Some(Decimal::ZERO) };
        let order = order.with_refunds(vec![refund]).unwrap();
        let facts = LineFacts {
            is_tokens: Some(true),
            worth: Some(worth(Basis::PerUnit("1000".parse().unwrap()))),
            reason: None,
        };
        let known = Known { facts: [(1, facts)].into(), is_confirmed: true, ..Known::default() };
        match &target::decide(&order, &known, &defaults())[0].decision {
            Decision::Parked { .. } => {}
            Decision::Target { credits, .. } => {
                // Good to about fifteen digits, which is far finer than any wrong turn.
                let float = |value: Decimal| value.to_string().parse::<f64>().unwrap();
                let share = (float(tied) / float(total) + float(untied) / float(order_total)).min(1.0);
                let near = 3000.0 * (1.0 - share);
                let credits: f64 = credits.to_string().parse().unwrap();
                assert!((credits - near).abs() < 0.001, "{credits} is not {near}");
            }
            other => panic!("{other:?}"),
        }
    });
}

/// `number` with its last `places` digits after the point, without trailing zeros.
fn decimal(number: i128, places: usize) -> String {
    let digits = format!("{:0width$}", number.unsigned_abs(), width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    let text = format!("{}{whole}.{fraction}", if number < 0 { "-" } else { "" });
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn cents(number: i128) -> String {
    decimal(number, 2)
}
