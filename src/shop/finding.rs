//! What was found of a store, in words and by a name that programs may rely on. Pure: no database, no clock.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Credits come, but something is worth a look.
    Warning,
    /// Orders do not come, or not all of them.
    Fault,
}

impl Severity {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Fault => "fault",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What was found; programs may rely on the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The REST keys: whether the shop takes them.
    Keys,
    /// The store has no REST keys.
    NoKeys,
    /// The shop does not answer.
    Unreachable,
    /// The Tokens categories.
    Categories,
    /// Products of the Tokens categories.
    Products,
    /// The webhooks as a whole.
    Webhooks,
    /// No webhook for a topic.
    Missing,
    /// Somebody paused it.
    Paused,
    /// WooCommerce disabled it.
    Disabled,
    /// It delivers to another address.
    Elsewhere,
    /// WordPress does not deliver to the address.
    RefusedUrl,
    /// Deliveries are signed with another secret.
    WrongSecret,
    /// The secret was changed, and nothing says that the shop has the new one.
    OldSecret,
    /// A webhook's user may not see orders.
    UserRights,
    /// The shop could not make a delivery.
    ErrorObject,
    /// Nothing has come for long.
    Silence,
    /// Deliveries come.
    Deliveries,
}

impl Code {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::NoKeys => "no_keys",
            Self::Unreachable => "unreachable",
            Self::Categories => "categories",
            Self::Products => "products",
            Self::Webhooks => "webhooks",
            Self::Missing => "missing",
            Self::Paused => "paused",
            Self::Disabled => "disabled",
            Self::Elsewhere => "elsewhere",
            Self::RefusedUrl => "refused_url",
            Self::WrongSecret => "wrong_secret",
            Self::OldSecret => "old_secret",
            Self::UserRights => "user_rights",
            Self::ErrorObject => "error_object",
            Self::Silence => "silence",
            Self::Deliveries => "deliveries",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is, for programs.
    pub code: Code,
    /// The topic it is about.
    pub topic: Option<String>,
    /// The shop's number for the webhook it is about.
    pub webhook: Option<i64>,
    /// What it is, for people.
    pub message: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Finding {
    /// A finding about the store as a whole.
    #[must_use]
    pub fn new(severity: Severity, code: Code, message: impl Into<String>) -> Self {
        Self { severity, code, topic: None, webhook: None, message: message.into(), remedy: None }
    }

    /// With what to do about it.
    #[must_use]
    pub fn with_remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }

    /// About a topic and a webhook.
    #[must_use]
    pub(super) fn of(self, topic: &str, webhook: Option<i64>) -> Self {
        Self { topic: Some(topic.to_owned()), webhook, ..self }
    }

    /// Whether it says that `code` is as it should be.
    #[must_use]
    pub fn is_good(&self, code: Code) -> bool {
        self.severity == Severity::Ok && self.code == code
    }

    /// Whether both are about the same thing, however long it lasts.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        (self.severity, self.code, &self.topic, self.webhook)
            == (other.severity, other.code, &other.topic, other.webhook)
    }
}

/// How many of `findings` are of one severity.
#[must_use]
pub fn count(findings: &[Finding], severity: Severity) -> usize {
    findings.iter().filter(|finding| finding.severity == severity).count()
}
