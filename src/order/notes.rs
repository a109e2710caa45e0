//! What is to be said about an order as a whole.

use std::collections::BTreeSet;

/// Why it waits, and what a person should look at.
#[derive(Default)]
pub(super) struct Notes {
    parked: BTreeSet<String>,
    attention: BTreeSet<String>,
}

impl Notes {
    pub(super) fn park(&mut self, reason: String) {
        self.parked.insert(reason);
    }

    pub(super) fn attend(&mut self, reason: String) {
        self.attention.insert(reason);
    }

    pub(super) fn parked(&self) -> Option<String> {
        join(&self.parked)
    }

    pub(super) fn attention(&self) -> Option<String> {
        join(&self.attention)
    }
}

fn join(reasons: &BTreeSet<String>) -> Option<String> {
    let reasons: Vec<&str> = reasons.iter().map(String::as_str).collect();
    (!reasons.is_empty()).then(|| reasons.join("; "))
}
