//! The words of the API document: what each kind of text in JSON looks like, described once.
//!
//! The shapes of whole answers are read off the types that are serialized; here stand only those that are
//! written as a text of a certain form. Whoever adds such a type says its form beside it with [`text!`].

/// Describes a type that is written as a text: its name in the document, what it is, and more of its schema.
macro_rules! text {
    ($type:ty, $name:expr, $description:expr, { $($schema:tt)* }) => {
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "description": $description, $($schema)* })
            }
        }
    };
}

pub(crate) use text;

/// A change of credits that shows its sign also when it is an increase.
#[derive(Clone, Copy, Debug)]
pub enum SignedCredits {}

text!(SignedCredits, "SignedCredits", "A change of credits, as text with its sign.", {
    "pattern": r"^(0|[+-]([1-9][0-9]*|0)(\.[0-9]{0,5}[1-9])?)$", "examples": ["+1000", "-3"]
});

/// An order's id in its shop.
#[derive(Clone, Copy, Debug)]
pub enum OrderId {}

text!(OrderId, "OrderId", "An order's or a refund's id in its shop, as text.", {
    "pattern": "^[0-9]+$", "examples": ["29"]
});

/// Money, or a quantity, as a shop writes it.
#[derive(Clone, Copy, Debug)]
pub enum Number {}

text!(Number, "Number", "Money or a quantity, exact, as text.", {
    "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "examples": ["10.00"]
});

/// An amount of credits as requests may write it: with zeros at either end, too.
#[derive(Clone, Copy, Debug)]
pub enum Amount {}

text!(Amount, "Amount", "Credits as a decimal text, above 0, with at most 6 decimals; a JSON number is refused.", {
    "pattern": r"^0*([0-9]{1,12}(\.[0-9]{1,6}0*)?|1000000000000(\.0+)?)$", "not": { "pattern": r"^[0.]*$" },
    "examples": ["1000", "0.5"]
});

/// An amount of credits that may be nothing, as requests may write it.
#[derive(Clone, Copy, Debug)]
pub enum Allowance {}

text!(Allowance, "Allowance", "Credits as a decimal text with at most 6 decimals, also 0; a JSON number is refused.", {
    "pattern": r"^-?0*([0-9]{1,12}(\.[0-9]{1,6}0*)?|1000000000000(\.0+)?)$", "not": { "pattern": "^-.*[1-9]" },
    "examples": ["500", "0"]
});

/// A change of credits as requests may write it.
#[derive(Clone, Copy, Debug)]
pub enum Change {}

text!(Change, "Change", "A change of credits as a decimal text with at most 6 decimals, negative to take away, not 0; a JSON number is refused.", {
    "pattern": r"^-?0*([0-9]{1,12}(\.[0-9]{1,6}0*)?|1000000000000(\.0+)?)$", "not": { "pattern": r"^-?[0.]*$" },
    "examples": ["60", "-7"]
});

/// An instant as requests may write it.
#[derive(Clone, Copy, Debug)]
pub enum Instant {}

text!(Instant, "Instant", "An instant: RFC 3339 with any offset, or a date, which means its start in UTC.", {
    "anyOf": [{ "format": "date-time" }, { "format": "date" }], "examples": ["2026-11-20T16:00:00Z"]
});

/// What a request that may be sent again is called by whoever sends it.
#[derive(Clone, Copy, Debug)]
pub enum IdempotencyKey {}

text!(IdempotencyKey, "IdempotencyKey", "1 to 255 printable ASCII characters, new for each new request.", {
    "pattern": "^[!-~]([ -~]{0,253}[!-~])?$", "minLength": 1, "maxLength": 255, "examples": ["chat-4711-answer-3"]
});
