//! Names of things: a type for each, so that two cannot be swapped.
//!
//! Ids the daemon makes are a prefix and a `UUIDv7` (they sort by time). Site, client and agent ids are the
//! customer's own strings. All of them are checked where they enter, so code below never doubts one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a text is not an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnId {
    /// Not an id the daemon made.
    #[error("{text:?} is not {what}: it starts with {prefix:?} and has 32 hexadecimal digits")]
    Made {
        /// The text.
        text: String,
        /// What it should have named.
        what: &'static str,
        /// How such ids start.
        prefix: &'static str,
    },
    /// Not an id a customer may choose.
    #[error("{text:?} is not {what}: use 1 to 128 of A-Z a-z 0-9 . _ : -")]
    Chosen {
        /// The text, shortened.
        text: String,
        /// What it should have named.
        what: &'static str,
    },
}

macro_rules! text_id {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

/// Makes an id type for things the daemon names itself.
macro_rules! made_id {
    ($name:ident, $prefix:literal, $what:literal, $doc:literal) => {
        #[doc = $doc]
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        // All are of one length, and many are kept in memory: nothing is allocated for one.
        pub struct $name([u8; $prefix.len() + 32]);

        text_id!($name);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.as_str()).finish()
            }
        }

        crate::schema::text!($name, stringify!($name), $doc, {
            "pattern": concat!("^", $prefix, "[0-9a-f]{32}$"),
            "examples": [concat!($prefix, "01a1fa67730b778aa2ec748e9839efc7")]
        });

        impl $name {
            /// A new id that nothing else has.
            #[must_use]
            pub fn new() -> Self {
                Self::of(uuid::Uuid::now_v7())
            }

            fn of(uuid: uuid::Uuid) -> Self {
                let mut text = [0; $prefix.len() + 32];
                let (prefix, digits) = text.split_at_mut($prefix.len());
                prefix.copy_from_slice($prefix.as_bytes());
                uuid.simple().encode_lower(digits);
                Self(text)
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                std::str::from_utf8(&self.0).unwrap_or_else(|_| unreachable!("ids are ASCII"))
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
                let digits = text.strip_prefix($prefix).filter(|digits| digits.bytes().all(hex));
                let whole = digits.and_then(|_| text.as_bytes().try_into().ok());
                whole.map(Self).ok_or_else(|| NotAnId::Made { text: shorten(text), what: $what, prefix: $prefix })
            }
        }
    };
}

/// Makes an id type for things the customer names.
macro_rules! chosen_id {
    ($name:ident, $what:literal, $doc:literal) => {
        #[doc = $doc]
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        text_id!($name);

        crate::schema::text!($name, stringify!($name), $doc, {
            "pattern": "^[A-Za-z0-9._:-]{1,128}$"
        });

        impl $name {
            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
                if (1..=128).contains(&text.len()) && text.bytes().all(allowed) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(NotAnId::Chosen { text: shorten(text), what: $what })
                }
            }
        }
    };
}

made_id!(AccountId, "acc_", "an account id", "A customer of a store; the unit of locking.");
made_id!(GrantId, "gr_", "a grant id", "Credits that were added at once, from one source.");
made_id!(DebitId, "db_", "a debit id", "Credits spent at once.");
made_id!(HoldId, "hd_", "a hold id", "Credits set aside for a moment.");
made_id!(ReversalId, "rv_", "a reversal id", "A debit that was undone.");
made_id!(DeliveryId, "dl_", "a delivery id", "A webhook body that was received and kept.");
made_id!(OperationId, "op_", "an operation id", "A correction or a move, by whoever ordered it.");
made_id!(EventId, "ev_", "an event id", "Something that happened and that somebody outside is told.");
made_id!(KeyId, "key_", "a key id", "An API key, without its secret.");

chosen_id!(SiteId, "a site id", "What the assistant spends for: a customer's website.");
chosen_id!(ClientId, "a client id", "A label an agency puts on sites.");
chosen_id!(AgentId, "an agent id", "An assistant configuration of a site.");
chosen_id!(ActionId, "an action", "Something an assistant does that has a price.");
chosen_id!(PlanId, "a plan name", "Credits that come again, by the name the shop gave them.");

/// The bits of a `UUIDv7` that are a delivery's place; the others are the time, and at random.
const PLACE: u128 = (1 << 62) - 1;

impl DeliveryId {
    /// A new id for the delivery at `place` in the order of arrival, by which it is found without an index.
    #[must_use]
    pub fn at(place: i64) -> Self {
        let place = u128::try_from(place).unwrap_or_default() & PLACE;
        Self::of(uuid::Uuid::from_u128(uuid::Uuid::now_v7().as_u128() & !PLACE | place))
    }

    /// The place it was made for.
    #[must_use]
    pub fn place(&self) -> i64 {
        let digits = self.as_str().trim_start_matches("dl_");
        let place = u128::from_str_radix(digits, 16).map(|number| number & PLACE);
        place.ok().and_then(|place| i64::try_from(place).ok()).unwrap_or_default()
    }
}

fn shorten(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_ids_read_back_and_sort_by_time() {
        let (first, second) = (GrantId::new(), GrantId::new());
        assert_eq!(first.to_string().parse::<GrantId>().unwrap(), first);
        assert!(first < second);
        assert!(first.to_string().parse::<DebitId>().is_err(), "a grant is not a debit");
    }

    #[test]
    fn a_delivery_names_its_place() {
        for place in [1, 2, 77, i64::from(u32::MAX) * 1000] {
            let id = DeliveryId::at(place);
            assert_eq!(id.to_string().parse::<DeliveryId>().unwrap().place(), place);
            assert_ne!(DeliveryId::at(place), id);
        }
        assert!(DeliveryId::at(9).to_string() < DeliveryId::new().to_string());
    }

    #[test]
    fn chosen_ids_have_a_closed_alphabet() {
        for good in ["a", "site-123", "shop.example:8080", "A_b"] {
            assert!(good.parse::<SiteId>().is_ok(), "{good:?} was refused");
        }
        for bad in ["", "a b", "a/b", "ü", "a\n", &"x".repeat(129)] {
            assert!(bad.parse::<SiteId>().is_err(), "{bad:?} was taken");
        }
    }
}
