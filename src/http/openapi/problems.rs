//! How each problem looks, for the document.

use serde_json::json;

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
