//! What an answer says that is not what was asked for: problem documents as RFC 9457 has them.
//!
//! [`Code`] lists every kind there is, with its status and title; a [`Problem`] is one of them with the
//! particulars of one answer. The code is what programs rely on; title and detail are for people.

use std::fmt;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use crate::idempotency::Answer;
use crate::ledger::limit::{Limit, Pause, Standing};
use crate::time::Timestamp;
use crate::units::Credits;

/// Every kind of problem. Each has a heading in `docs/API.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// The request could not be read as HTTP.
    BadRequest,
    /// No key, or none that is known.
    Unauthorized,
    /// Fewer credits than needed.
    InsufficientCredits,
    /// A spending limit would be passed.
    LimitReached,
    /// Something the key may see, but not do.
    Forbidden,
    /// Nothing there, or nothing this key may know of.
    NotFound,
    /// The address is right, the method is not.
    MethodNotAllowed,
    /// The request did not arrive in time.
    RequestTimeout,
    /// The same request is being worked on.
    InProgress,
    /// Open holds keep credits where they are.
    HoldsOpen,
    /// The hold was captured, released or left to lapse.
    HoldClosed,
    /// The debit was given back before.
    AlreadyReversed,
    /// The site is another account's, or the key another website's.
    SiteMismatch,
    /// The guest's credits were claimed before.
    AlreadyClaimed,
    /// The claim link's time is over.
    ClaimExpired,
    /// The pairing code is not known, was used or is over.
    PairingEnded,
    /// The store is another shop's.
    StoreElsewhere,
    /// The body is larger than may be.
    PayloadTooLarge,
    /// The idempotency key stands for another request.
    IdempotencyMismatch,
    /// The request says something that cannot be meant.
    InvalidRequest,
    /// The rate card has no such action.
    UnknownAction,
    /// The account is frozen.
    Frozen,
    /// The brake against runaway spending is on.
    PausedForSafety,
    /// Too many requests in a short time.
    RateLimited,
    /// A fault of the daemon.
    Internal,
    /// The database cannot take it now.
    TryAgain,
}

/// One answer that is not what was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    code: Code,
    detail: Option<String>,
    members: Vec<(&'static str, Value)>,
    retry_after_s: Option<u32>,
}

/// What is wrong with one part of a request.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Fault {
    /// The part, as a JSON pointer into the body, or `/name` of a query parameter.
    pub pointer: String,
    /// What is wrong with it.
    pub detail: String,
}

impl Code {
    /// All of them, in the order of their status.
    pub const ALL: [Self; 26] = [
        Self::BadRequest,
        Self::Unauthorized,
        Self::InsufficientCredits,
        Self::LimitReached,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::InProgress,
        Self::HoldsOpen,
        Self::HoldClosed,
        Self::AlreadyReversed,
        Self::SiteMismatch,
        Self::AlreadyClaimed,
        Self::StoreElsewhere,
        Self::ClaimExpired,
        Self::PairingEnded,
        Self::PayloadTooLarge,
        Self::IdempotencyMismatch,
        Self::InvalidRequest,
        Self::UnknownAction,
        Self::Frozen,
        Self::PausedForSafety,
        Self::RateLimited,
        Self::Internal,
        Self::TryAgain,
    ];

    /// The code as programs see it; it never changes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.facts().1
    }

    /// The HTTP status it comes with.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        self.facts().0
    }

    /// What it is called for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.facts().2
    }

    /// What whoever meets it can do.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        self.facts().3
    }

    /// Where it is explained: a path on the daemon that answered, see [`page`].
    #[must_use]
    pub fn uri(self) -> String {
        format!("{PAGES}{}", self.as_str())
    }

    const fn facts(self) -> (StatusCode, &'static str, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::BadRequest => (
                S::BAD_REQUEST,
                "bad_request",
                "Not readable as HTTP",
                "Send a complete, well-formed HTTP/1.1 request.",
            ),
            Self::Unauthorized => (
                S::UNAUTHORIZED,
                "unauthorized",
                "Not signed in",
                "Send a valid API key as \"Authorization: Bearer nwk_…\", or sign the webhook with the store's secret.",
            ),
            Self::InsufficientCredits => (
                S::PAYMENT_REQUIRED,
                "insufficient_credits",
                "Not enough credits",
                "Buy more credits, or ask for fewer than \"available\". Nothing was taken.",
            ),
            Self::LimitReached => (
                S::PAYMENT_REQUIRED,
                "limit_reached",
                "Spending limit reached",
                "Wait for the next period, or have the limit of the site or agent raised. Nothing was taken.",
            ),
            Self::Forbidden => (
                S::FORBIDDEN,
                "forbidden",
                "Not allowed with this key",
                "Use a key with the scope for this. The key may see it, but not do it.",
            ),
            Self::NotFound => (
                S::NOT_FOUND,
                "not_found",
                "Not found",
                "Check the address and the key: what a key may not see does not exist for it.",
            ),
            Self::MethodNotAllowed => (
                S::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "Wrong method",
                "Use one of the methods in the Allow header.",
            ),
            Self::RequestTimeout => (
                S::REQUEST_TIMEOUT,
                "request_timeout",
                "The request took too long to arrive",
                "Send it again. Nothing was done.",
            ),
            Self::InProgress => (
                S::CONFLICT,
                "in_progress",
                "Already being worked on",
                "Wait, then send the same request with the same idempotency key again.",
            ),
            Self::HoldsOpen => (
                S::CONFLICT,
                "holds_open",
                "Open holds keep credits there",
                "Have its holds captured or released, or wait until \"until\", when the last of them is over. Nothing was moved.",
            ),
            Self::HoldClosed => (
                S::CONFLICT,
                "hold_closed",
                "The hold is closed",
                "It was captured or released, or its time is over. Take a new one.",
            ),
            Self::AlreadyReversed => (
                S::CONFLICT,
                "already_reversed",
                "Already reversed",
                "The debit's credits were given back before. Nothing more is needed.",
            ),
            Self::SiteMismatch => (
                S::CONFLICT,
                "site_mismatch",
                "The site belongs to another",
                "A site has one owner: take it from its account before another one gets it. A key is good for one website: have its owner say whether that moved or was copied.",
            ),
            Self::AlreadyClaimed => (
                S::CONFLICT,
                "already_claimed",
                "Already claimed",
                "The guest's credits belong to an account already: a claim link works once. Nothing more is needed.",
            ),
            Self::ClaimExpired => (
                S::GONE,
                "claim_expired",
                "The claim link has expired",
                "Ask the shop for a new claim link. The credits are still there.",
            ),
            Self::StoreElsewhere => (
                S::CONFLICT,
                "store_elsewhere",
                "The store is another shop's",
                "Say where the shop is now if it moved, or pair a second shop under a name of its own.",
            ),
            Self::PairingEnded => (
                S::GONE,
                "pairing_ended",
                "The pairing code is no longer good",
                "Make a new one with `nivella-wallet store pair NAME`: a code works once, and for an hour unless said otherwise.",
            ),
            Self::PayloadTooLarge => {
                (S::PAYLOAD_TOO_LARGE, "payload_too_large", "Too large", "Send less at once.")
            }
            Self::IdempotencyMismatch => (
                S::UNPROCESSABLE_ENTITY,
                "idempotency_mismatch",
                "Idempotency key used before",
                "The key already stands for a request that was done. If this is the same work sent again, nothing more is needed; for new work use a new key.",
            ),
            Self::InvalidRequest => (
                S::UNPROCESSABLE_ENTITY,
                "invalid_request",
                "Invalid request",
                "Correct what \"errors\" points to.",
            ),
            Self::UnknownAction => (
                S::UNPROCESSABLE_ENTITY,
                "unknown_action",
                "Unknown action",
                "Set a rate for the action first, or send explicit credits. Nothing was taken.",
            ),
            Self::Frozen => (
                S::LOCKED,
                "frozen",
                "The account is frozen",
                "Ask the shop. Credits stay, and open holds finish; nothing new can be spent.",
            ),
            Self::PausedForSafety => (
                S::LOCKED,
                "paused_for_safety",
                "Paused for safety",
                "The site spent far more than usual. Have its owner look and resume it; open holds finish.",
            ),
            Self::RateLimited => (
                S::TOO_MANY_REQUESTS,
                "rate_limited",
                "Too many requests",
                "Send the request again after the seconds in Retry-After.",
            ),
            Self::Internal => (
                S::INTERNAL_SERVER_ERROR,
                "internal_error",
                "A fault of ours",
                "Send the request again with the same idempotency key. If it stays, the daemon's log tells more.",
            ),
            Self::TryAgain => (
                S::SERVICE_UNAVAILABLE,
                "try_again",
                "Try again shortly",
                "Send the same request again after the seconds in Retry-After.",
            ),
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Problem {
    /// A problem of this kind, without particulars.
    #[must_use]
    pub const fn new(code: Code) -> Self {
        Self { code, detail: None, members: Vec::new(), retry_after_s: None }
    }

    /// Says more about this one answer, for people. Never a secret, never the database's words.
    #[must_use]
    pub fn with_detail(mut self, detail: impl fmt::Display) -> Self {
        self.detail = Some(shorten(&detail.to_string()));
        self
    }

    /// Adds a member for programs.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.members.push((name, value.into()));
        self
    }

    /// Says after how many seconds to come back.
    #[must_use]
    pub const fn with_retry_after_s(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// What kind it is.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// The HTTP status it comes with.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.code.status()
    }

    /// After how many seconds to come back, if it says so.
    #[must_use]
    pub const fn retry_after_s(&self) -> Option<u32> {
        self.retry_after_s
    }

    /// 400: not readable as HTTP. The connection is closed after it.
    #[must_use]
    pub fn bad_request(detail: impl fmt::Display) -> Self {
        Self::new(Code::BadRequest).with_detail(detail)
    }

    /// 401. Says nothing about why: a wrong key and none are the same.
    #[must_use]
    pub const fn unauthorized() -> Self {
        Self::new(Code::Unauthorized)
    }

    /// 402: `required` is more than the `available` this very debit could have taken.
    #[must_use]
    pub fn insufficient_credits(available: Credits, required: Credits) -> Self {
        Self::short_of(Code::InsufficientCredits, available, required)
            .with_detail(format!("{} needed, {available} available", required.in_words()))
    }

    /// 402: a spending limit leaves `available`, and `required` is more.
    #[must_use]
    pub fn limit_reached(available: Credits, required: Credits, standing: &Standing) -> Self {
        let Limit { agent, per, credits, on_reached } = &standing.limit;
        let (needed, way_out) = (required.in_words(), standing.way_out(required));
        let mut limit = serde_json::json!({
            "per": per, "credits": credits, "on_reached": on_reached, "resets_at": standing.resets_at,
        });
        if let (Some(agent), Some(limit)) = (agent, limit.as_object_mut()) {
            limit.insert("agent".to_owned(), agent.as_str().into());
        }
        Self::short_of(Code::LimitReached, available, required)
            .with_detail(format!(
                "{needed} needed, {available} available under {}: {way_out}",
                standing.limit
            ))
            .with("limit", limit)
    }

    fn short_of(code: Code, available: Credits, required: Credits) -> Self {
        Self::new(code).with("available", available.to_string()).with("required", required.to_string())
    }

    /// Says where there are more credits, if they were too few.
    #[must_use]
    pub fn with_top_up_url(self, url: Option<String>) -> Self {
        match url {
            Some(url) if self.code == Code::InsufficientCredits => self.with("top_up_url", url),
            _ => self,
        }
    }

    /// 403: the key may see it, but not do it.
    #[must_use]
    pub const fn forbidden() -> Self {
        Self::new(Code::Forbidden)
    }

    /// 404: foreign and unknown alike, so it says nothing more.
    #[must_use]
    pub const fn not_found() -> Self {
        Self::new(Code::NotFound)
    }

    /// 405.
    #[must_use]
    pub const fn method_not_allowed() -> Self {
        Self::new(Code::MethodNotAllowed)
    }

    /// 408: the request did not arrive in time. The connection is closed after it.
    #[must_use]
    pub const fn request_timeout() -> Self {
        Self::new(Code::RequestTimeout)
    }

    /// 409: the same request is being worked on.
    #[must_use]
    pub const fn in_progress() -> Self {
        Self::new(Code::InProgress).with_retry_after_s(1)
    }

    /// 409: open holds keep credits where they are, for `wait_s` seconds at the longest. They can be closed sooner, so
    /// it pays to come back after an hour.
    #[must_use]
    pub fn holds_open(until: Timestamp, wait_s: u32) -> Self {
        Self::new(Code::HoldsOpen)
            .with("until", until.to_string())
            .with_retry_after_s(wait_s.clamp(1, HOLDS_RETRY_S_MAX))
    }

    /// 409: the hold was captured, released or left to lapse.
    #[must_use]
    pub fn hold_closed(detail: impl fmt::Display) -> Self {
        Self::new(Code::HoldClosed).with_detail(detail)
    }

    /// 409: the debit was given back before.
    #[must_use]
    pub fn already_reversed(detail: impl fmt::Display) -> Self {
        Self::new(Code::AlreadyReversed).with_detail(detail)
    }

    /// 409: the site is another account's, or the key another website's.
    #[must_use]
    pub fn site_mismatch(detail: impl fmt::Display) -> Self {
        Self::new(Code::SiteMismatch).with_detail(detail)
    }

    /// 409: the guest's credits were claimed before.
    #[must_use]
    pub fn already_claimed(detail: impl fmt::Display) -> Self {
        Self::new(Code::AlreadyClaimed).with_detail(detail)
    }

    /// 410: the claim link's time is over.
    #[must_use]
    pub fn claim_expired(detail: impl fmt::Display) -> Self {
        Self::new(Code::ClaimExpired).with_detail(detail)
    }

    /// 409: the store is another shop's.
    #[must_use]
    pub fn store_elsewhere(detail: impl fmt::Display) -> Self {
        Self::new(Code::StoreElsewhere).with_detail(detail)
    }

    /// 410: unknown, used and expired codes alike.
    #[must_use]
    pub fn pairing_ended(detail: impl fmt::Display) -> Self {
        Self::new(Code::PairingEnded).with_detail(detail)
    }

    /// 413: the body is larger than `limit` bytes. The connection is closed after it.
    #[must_use]
    pub fn payload_too_large(limit: usize) -> Self {
        Self::new(Code::PayloadTooLarge).with_detail(format!("the body is larger than {limit} bytes"))
    }

    /// 422: the idempotency key stands for another request, which was answered so.
    #[must_use]
    pub fn idempotency_mismatch(earlier: &Answer) -> Self {
        let body: Value = serde_json::from_str(&earlier.body).unwrap_or_default();
        let id = body["id"].as_str().map(|id| format!(" ({id})")).unwrap_or_default();
        Self::new(Code::IdempotencyMismatch).with_detail(format!(
            "this key already stands for a request that was answered {}{id}: if this is the same work sent again, \
             nothing more is needed; for new work use a new key",
            earlier.status
        ))
    }

    /// 422: these parts of the request cannot be meant.
    #[must_use]
    pub fn invalid_request(faults: Vec<Fault>) -> Self {
        let detail = faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        let errors = serde_json::to_value(faults).unwrap_or_default();
        Self::new(Code::InvalidRequest).with_detail(detail).with("errors", errors)
    }

    /// 422: this one part of the request cannot be meant.
    #[must_use]
    pub fn invalid(pointer: impl Into<String>, detail: impl fmt::Display) -> Self {
        Self::invalid_request(vec![Fault::new(pointer, detail)])
    }

    /// 422: the rate card has no such action.
    #[must_use]
    pub fn unknown_action(action: &str) -> Self {
        Self::new(Code::UnknownAction).with_detail(format!("there is no rate for action {action:?}"))
    }

    /// 423: the account is frozen.
    #[must_use]
    pub const fn frozen() -> Self {
        Self::new(Code::Frozen)
    }

    /// 423: the brake is on.
    #[must_use]
    pub fn paused_for_safety(pause: &Pause) -> Self {
        Self::new(Code::PausedForSafety)
            .with_detail(format!("{pause}. Have the site's owner look and resume it; open holds finish"))
            .with("since", pause.since.to_string())
            .with("reason", pause.reason.as_str())
    }

    /// 429.
    #[must_use]
    pub const fn rate_limited(retry_after_s: u32) -> Self {
        Self::new(Code::RateLimited).with_retry_after_s(retry_after_s)
    }

    /// 500. The cause goes to the log, not to a stranger.
    #[must_use]
    pub const fn internal() -> Self {
        Self::new(Code::Internal)
    }

    /// 503: nothing was done, and it may be tried again.
    #[must_use]
    pub const fn try_again() -> Self {
        Self::new(Code::TryAgain).with_retry_after_s(TRY_AGAIN_S)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.detail {
            Some(detail) => write!(f, "{}: {detail}", self.code),
            None => write!(f, "{}", self.code),
        }
    }
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut document = serializer.serialize_map(None)?;
        document.serialize_entry("type", &self.code.uri())?;
        document.serialize_entry("title", self.code.title())?;
        document.serialize_entry("status", &self.code.status().as_u16())?;
        document.serialize_entry("code", self.code.as_str())?;
        // Where there is nothing to say of this one answer, what can be done about any like it.
        document.serialize_entry("detail", self.detail.as_deref().unwrap_or(self.code.remedy()))?;
        for (name, value) in &self.members {
            document.serialize_entry(name, value)?;
        }
        document.end()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // A map of strings, numbers and values has no way to fail.
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (self.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE_PROBLEM));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        match self.code {
            Code::Unauthorized => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            // What follows on the connection is the rest of a request, not the next one.
            Code::BadRequest | Code::RequestTimeout | Code::PayloadTooLarge => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}

impl Fault {
    /// `pointer` is wrong, because of `detail`.
    #[must_use]
    pub fn new(pointer: impl Into<String>, detail: impl fmt::Display) -> Self {
        Self { pointer: pointer.into(), detail: shorten(&detail.to_string()) }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pointer.is_empty() {
            f.write_str(&self.detail)
        } else {
            write!(f, "{}: {}", self.pointer, self.detail)
        }
    }
}

/// What the `type` of every problem leads to.
pub(super) async fn page(Path(code): Path<String>) -> Result<String, Problem> {
    let code = Code::ALL.into_iter().find(|known| known.as_str() == code);
    let code = code.ok_or(Problem::not_found())?;
    Ok(format!("{code}: {}\n\nHTTP status {}\n{}\n", code.title(), code.status().as_u16(), code.remedy()))
}

/// Cuts what a stranger's input made long.
fn shorten(detail: &str) -> String {
    match detail.char_indices().nth(DETAIL_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &detail[..end]),
        None => detail.to_owned(),
    }
}

/// Where the pages are. A path, so that it leads to the daemon that answered, wherever that is.
const PAGES: &str = "/docs/errors/";
/// How RFC 9457 names its documents.
const CONTENT_TYPE_PROBLEM: &str = "application/problem+json";
/// A detail may quote what was sent; this is enough of it.
const DETAIL_CHARS_MAX: usize = 500;
/// How long to stay away because of open holds, at most.
const HOLDS_RETRY_S_MAX: u32 = 3600;
/// Long enough for a queue of writes to drain, short enough for a person who waits.
const TRY_AGAIN_S: u32 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_all_listed_once_and_ordered_by_status() {
        let mut seen = std::collections::HashSet::new();
        for code in Code::ALL {
            assert!(seen.insert(code.as_str()), "{code} twice");
            assert!(code.as_str().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
        }
        assert!(Code::ALL.is_sorted_by_key(|code| code.status()));
    }

    #[test]
    fn a_problem_has_the_members_of_the_contract() {
        let amount = |text: &str| text.parse().unwrap();
        let url = "https://store.example/credits";
        let problem =
            Problem::insufficient_credits(amount("2"), amount("3")).with_top_up_url(Some(url.to_owned()));
        assert_eq!(
            serde_json::to_string(&problem).unwrap(),
            r#"{"type":"/docs/errors/insufficient_credits","title":"Not enough credits","status":402,"#
                .to_owned()
                + r#""code":"insufficient_credits","detail":"3 credits needed, 2 available","#
                + r#""available":"2","required":"3","top_up_url":"https://store.example/credits"}"#
        );
    }

    #[test]
    fn headers_follow_the_code() {
        let response = Problem::try_again().into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.headers()[RETRY_AFTER], "2");
        let response = Problem::unauthorized().into_response();
        assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer");
        let response = Problem::payload_too_large(5).into_response();
        assert_eq!(response.headers()[CONNECTION], "close");
    }

    #[test]
    fn a_long_detail_is_cut_between_characters() {
        let problem = Problem::invalid("/a", "ü".repeat(10_000));
        let detail = problem.detail.unwrap();
        assert!(detail.chars().count() <= DETAIL_CHARS_MAX + 1, "{}", detail.len());
    }
}
