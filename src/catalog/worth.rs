//! What one line of an order is worth in credits, before quantity, discount and refunds.

use serde::{Deserialize, Serialize};

use crate::ledger::slice::Category;
use crate::time::Validity;
use crate::units::Credits;

/// What a product grants, as it is kept with the order that bought it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worth {
    /// How many credits.
    #[serde(flatten)]
    pub basis: Basis,
    /// How long they stay good.
    #[serde(with = "as_text")]
    pub validity: Validity,
    /// What kind of credits.
    pub category: Category,
    /// What the customer reads; the product's name where it is not set.
    pub label: Option<String>,
}

/// What the credits are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// So many for each unit bought.
    PerUnit(Credits),
    /// So many for each unit of currency paid, tax not counted.
    PerCurrencyUnit(Credits),
}

/// A validity is kept as people write it, `30d` or `never`.
mod as_text {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::time::Validity;

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde hands over a reference to the field"
    )]
    pub(super) fn serialize<S: Serializer>(validity: &Validity, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(validity)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Validity, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}
