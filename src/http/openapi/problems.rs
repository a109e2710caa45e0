//! How each problem looks, for the document.

use serde_json::{Value, json};

use crate::calendar::Per;
use crate::http::extract;
use crate::http::problem::{Code, Problem};
use crate::idempotency::Answer;
use crate::ledger::limit::{Limit, OnReached, Pause, Standing};
use crate::time::Timestamp;
use crate::units::Credits;

/// A problem of this code as it may be answered.
pub(super) fn example(code: Code) -> Problem {
    let credits = |micro: i64| Credits::from_micro(micro).unwrap_or(Credits::ZERO);
    match code {
        Code::InsufficientCredits => Problem::insufficient_credits(credits(2_000_000), credits(3_000_000))
            .with_top_up_url(Some("https://shop.example/credits".to_owned())),
        Code::LimitReached => Problem::limit_reached(
            credits(2_000_000),
            credits(3_000_000),
            &Standing {
                limit: Limit {
                    agent: None,
                    per: Per::Month,
                    credits: credits(50_000_000),
                    on_reached: OnReached::Stop,
                },
                spent: credits(48_000_000),
                held: Credits::ZERO,
                resets_at: Timestamp::from_millis(1_796_083_200_000),
            },
        ),
        Code::PausedForSafety => Problem::paused_for_safety(&Pause {
            since: Timestamp::from_millis(1_795_190_400_000),
            reason: "5000 credits in an hour, where 40 are usual".to_owned(),
        }),
        Code::IdempotencyMismatch => Problem::idempotency_mismatch(&Answer {
            status: 201,
            body: json!({ "id": "db_01a1fa67730b778aa2ec748e9839efc7" }).to_string(),
        }),
        Code::InvalidRequest => Problem::invalid("/credits", "must be a string: write \"5000\""),
        Code::UnknownAction => Problem::unknown_action("summary"),
        Code::PayloadTooLarge => Problem::payload_too_large(extract::BODY_BYTES_MAX),
        Code::InProgress => Problem::in_progress(),
        Code::HoldsOpen => Problem::holds_open(Timestamp::from_millis(1_795_190_400_000), 900),
        Code::RateLimited => Problem::rate_limited(1),
        Code::TryAgain => Problem::try_again(),
        code => Problem::new(code),
    }
}

/// What all problems have in common.
pub(super) fn schema() -> Value {
    json!({
        "type": "object",
        "description": "Why something was refused, as RFC 9457 has it.",
        "properties": {
            "type": { "type": "string", "format": "uri-reference",
                      "description": "Where the code is explained: a path on the daemon that answered." },
            "title": { "type": "string", "description": "What it is called, for people." },
            "status": { "type": "integer", "description": "The HTTP status." },
            "code": { "type": "string", "description": "What programs rely on; it never changes." },
            "detail": { "type": "string", "description": "More about this one answer, for people." }
        },
        "required": ["type", "title", "status", "code", "detail"]
    })
}

/// What problems of one code look like.
pub(super) fn schema_of(code: Code) -> Value {
    let credits = json!({ "$ref": "#/components/schemas/Credits" });
    let text = |what: &str| json!({ "type": "string", "description": what });
    let (extra, required) = match code {
        Code::InsufficientCredits => (
            json!({ "available": credits, "required": credits, "top_up_url": text("Where more credits are bought.") }),
            json!(["available", "required"]),
        ),
        Code::LimitReached => (
            json!({ "available": credits, "required": credits, "limit": {
                "type": "object",
                "description": "The limit that leaves the least.",
                "properties": {
                    "agent": text("The assistant it is for; without it, the whole site."),
                    "per": text("`day` or `month`."),
                    "credits": credits,
                    "on_reached": text("`stop` or `use_balance`."),
                    "resets_at": { "type": "string", "format": "date-time", "description": "When it begins anew." }
                },
                "required": ["per", "credits", "on_reached", "resets_at"]
            } }),
            json!(["available", "required", "limit"]),
        ),
        Code::PausedForSafety => (
            json!({
                "since": { "type": "string", "format": "date-time", "description": "Since when." },
                "reason": text("Why, for people.")
            }),
            json!(["since", "reason"]),
        ),
        Code::SiteMismatch => (
            json!({
                "key": text("Where a website asked with another one's key: the key."),
                "bound_to": text("The website it is good for."),
                "origin": text("The website that asked.")
            }),
            json!([]),
        ),
        Code::InvalidRequest => (
            json!({ "errors": {
                "type": "array", "minItems": 1, "description": "Every fault that was found.",
                "items": {
                    "type": "object",
                    "properties": {
                        "pointer": { "type": "string", "description": "The part: a JSON pointer into the body, `/query/NAME`, `/headers/NAME`, or empty for the whole body." },
                        "detail": { "type": "string", "description": "What is wrong with it." }
                    },
                    "required": ["pointer", "detail"]
                }
            } }),
            json!(["errors"]),
        ),
        _ => (json!({}), json!([])),
    };
    let mut properties =
        json!({ "status": { "const": code.status().as_u16() }, "code": { "const": code.as_str() } });
    if let (Value::Object(properties), Value::Object(extra)) = (&mut properties, extra) {
        properties.extend(extra);
    }
    json!({
        "description": format!("{}. {}", code.title(), code.remedy()),
        "allOf": [
            { "$ref": "#/components/schemas/Problem" },
            { "type": "object", "properties": properties, "required": required }
        ]
    })
}
