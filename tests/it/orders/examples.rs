//! The worked examples of `fixtures/order/targets.txt`, where the words are explained.

use nivella_wallet::catalog::worth::Basis;
use nivella_wallet::order::target::{self, Discount, Known, LineFacts, OnDelete, Settings};
use nivella_wallet::order::{Line, Order, OtherKind, OtherLine, Refund, RefundLine, RefundRef};
use rust_decimal::Decimal;

use super::{amount, defaults, plain_order, root, shown, worth};

#[test]
fn the_worked_examples_hold() {
    let text = std::fs::read_to_string(root().join("order/targets.txt")).unwrap();
    let mut case = Case::new("");
    let mut cases = 0;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        if word == "case" {
            case.check();
            case = Case::new(rest);
            cases += 1;
        } else {
            case.read(word, rest);
        }
    }
    case.check();
    assert!(cases > 60, "only {cases} cases were found");
}

struct Case {
    name: String,
    order: Order,
    known: Known,
    settings: Settings,
    details: Vec<Refund>,
    expected: Vec<(i64, String)>,
}

impl Case {
    fn new(name: &str) -> Self {
        let order = Order { lines: Vec::new(), refunds: Vec::new(), ..plain_order() };
        let order = Order { status: "completed".to_owned(), paid_at: Some(order.modified_at), ..order };
        Self {
            name: name.to_owned(),
            order,
            known: Known::default(),
            settings: defaults(),
            details: Vec::new(),
            expected: Vec::new(),
        }
    }

    fn read(&mut self, word: &str, rest: &str) {
        let words: Vec<&str> = rest.split_whitespace().collect();
        let after = |key: &str| words.iter().position(|word| *word == key).map(|at| amount(words[at + 1]));
        match word {
            "with" => match words[0] {
                "paid" => self.settings.paid_statuses = words[1..].iter().map(ToString::to_string).collect(),
                _ => words.iter().for_each(|word| match *word {
                    "proportional" => self.settings.discount = Discount::Proportional,
                    "free_lines" => self.settings.free_lines = true,
                    "claw_back" => self.settings.on_delete = OnDelete::ClawBack,
                    "any_date" => self.settings.require_date_paid = false,
                    _ => panic!("{}: with {word}", self.name),
                }),
            },
            "order" => {
                self.order.total = amount(words[0]);
                for word in &words[1..] {
                    if *word == "undated" {
                        self.order.paid_at = None;
                    } else {
                        (*word).clone_into(&mut self.order.status);
                    }
                }
            }
            "line" => {
                let id = words[0].parse().unwrap();
                let total = amount(words[2]);
                self.order.lines.push(Line {
                    id,
                    quantity: amount(words[1]),
                    total,
                    subtotal: after("of").unwrap_or(total),
                    total_tax: after("tax").unwrap_or_default(),
                    ..plain_order().lines[0].clone()
                });
                let credits = |back: usize| words[words.len() - back].parse().unwrap();
                let (is_tokens, basis) = match *words.last().unwrap() {
                    "each" => (Some(true), Some(Basis::PerUnit(credits(2)))),
                    "per_unit_of_currency" => (Some(true), Some(Basis::PerCurrencyUnit(credits(2)))),
                    "other" => (Some(false), None),
                    "unknown" => (Some(true), None),
                    "unasked" => (None, None),
                    word => panic!("{}: worth {word}", self.name),
                };
                let facts = LineFacts { is_tokens, worth: basis.map(worth), reason: None };
                self.known.facts.insert(id, facts);
            }
            "shipping" | "fee" => self.order.other_lines.push(OtherLine {
                kind: if word == "fee" { OtherKind::Fee } else { OtherKind::Shipping },
                total: amount(words[0]),
                total_tax: after("tax").unwrap_or_default(),
            }),
            "removed" => {
                self.known.removed.insert(words[0].parse().unwrap());
            }
            "confirmed" => self.known.is_confirmed = true,
            "refund" => {
                let id = i64::try_from(self.order.refunds.len()).unwrap() + 100;
                let (sum, parts) =
                    rest.split_once(" = ").map_or((rest, None), |(sum, parts)| (sum, Some(parts)));
                self.order.refunds.push(RefundRef { id, amount: amount(sum) });
                let Some(parts) = parts else { return };
                let mut refund =
                    Refund { id, amount: amount(sum), lines: Vec::new(), other: Some(Decimal::ZERO) };
                for part in parts.split(", ").filter(|part| *part != "nothing") {
                    let words: Vec<&str> = part.split_whitespace().collect();
                    match words[..] {
                        ["other", money] => refund.other = Some(amount(money)),
                        ["line", line, quantity, money, ref tax @ ..] => refund.lines.push(RefundLine {
                            order_line_id: Some(line.parse().unwrap()),
                            quantity: amount(quantity),
                            total: amount(money),
                            total_tax: tax.get(1).map(|tax| amount(tax)).unwrap_or_default(),
                        }),
                        _ => panic!("{}: part {part}", self.name),
                    }
                }
                self.details.push(refund);
            }
            "->" => self.expected.push((words[0].parse().unwrap(), words[1].to_owned())),
            _ => panic!("{}: {word}", self.name),
        }
    }

    fn check(&self) {
        let order = match self.details.len() {
            0 => self.order.clone(),
            _ => self.order.clone().with_refunds(self.details.clone()).unwrap(),
        };
        let decided: Vec<(i64, String)> = target::decide(&order, &self.known, &self.settings)
            .iter()
            .map(|line| (line.line_id, shown(&line.decision)))
            .collect();
        assert_eq!(decided, self.expected, "case {}", self.name);
    }
}
