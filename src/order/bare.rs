//! What is remembered of lines, and where it need not be written.
//!
//! Most of what most shops send is about orders of which no line sells credits. All that is remembered of such lines
//! the order's state says, too: a mark beside the state stands for their rows. It is taken away, and the rows are
//! written, as soon as anything else is to be remembered.

use super::store::KnownLine;
use super::target::{Decision, LineDecision, Standing};
use super::{Line, Order};
use crate::units::Credits;

/// One line of an order: what is remembered of it, and why that is not all.
pub(super) struct Remembered {
    pub(super) known: KnownLine,
    /// As it was written down last, if it was.
    pub(super) written: Option<KnownLine>,
    pub(super) unknown: Option<String>,
}

/// What is remembered of lines without rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bare {
    /// They sell no credits, unless somebody still says that they do.
    Unpaid,
    /// They sell no credits.
    Paid,
}

impl Bare {
    /// The mark of an order whose lines are known so and decided so; nothing if they need rows.
    pub(super) fn of<'a>(
        order: &Order,
        mut lines: impl ExactSizeIterator<Item = &'a Remembered>,
        decisions: &[LineDecision],
        standing: Standing,
    ) -> Option<Self> {
        let sells_none = decisions.iter().all(|line| matches!(line.decision, Decision::NotTokens));
        let is_said = |line: &Remembered| {
            order.line(line.known.line).is_some_and(|on_order| line.known.is_all_said_by(on_order))
        };
        let is_bare = sells_none && lines.len() == order.lines.len() && lines.all(is_said);
        is_bare.then_some(if standing == Standing::Paid { Self::Paid } else { Self::Unpaid })
    }

    /// As it is written.
    pub(super) const fn column(self) -> i64 {
        match self {
            Self::Unpaid => 1,
            Self::Paid => 2,
        }
    }

    /// As it was written.
    pub(super) const fn from_column(column: i64) -> Self {
        if column == 2 { Self::Paid } else { Self::Unpaid }
    }

    /// What is remembered of the lines of an order in this state, by line.
    pub(super) fn lines(self, order: &Order) -> Vec<KnownLine> {
        let is_tokens = match self {
            Self::Unpaid => None,
            Self::Paid => Some(false),
        };
        let lines = order.lines.iter().map(|line| KnownLine { is_tokens, ..KnownLine::new(line) });
        let mut lines: Vec<KnownLine> = lines.collect();
        lines.sort_by_key(|line| line.line);
        lines
    }
}

impl KnownLine {
    pub(super) fn new(line: &Line) -> Self {
        Self {
            line: line.id,
            product: line.product_id,
            variation: line.variation_id,
            sku: line.sku.clone(),
            name: line.name.clone(),
            is_tokens: None,
            worth: None,
            worth_from: None,
            target: Credits::ZERO,
            booked: Credits::ZERO,
        }
    }

    /// Adds what a later state says. After a product was deleted for good its orders say product 0 and no
    /// SKU; what was known before stays.
    pub(super) fn learn(&mut self, line: &Line) {
        if self.product == 0 {
            (self.product, self.variation) = (line.product_id, line.variation_id);
        }
        if self.sku.is_empty() {
            self.sku.clone_from(&line.sku);
        }
        if !line.name.is_empty() {
            self.name.clone_from(&line.name);
        }
    }

    /// Whether nothing more is remembered than the line says, but for whether it sells credits.
    fn is_all_said_by(&self, line: &Line) -> bool {
        (self.product, self.variation) == (line.product_id, line.variation_id)
            && self.sku == line.sku
            && self.name == line.name
            && self.worth.is_none()
            && self.target.is_zero()
            && self.booked.is_zero()
    }
}
