//! The parameters of a request's query, read by name.
//!
//! A name that is not known is refused: a misspelt filter would otherwise answer with what nobody asked for.
//! An empty value is as good as none, because that is how forms send a field that was left alone.

use std::collections::BTreeMap;
use std::fmt::Display;

use super::problem::{Fault, Problem};

/// How many items a page of a list has unless somebody says so.
pub const LIMIT_DEFAULT: usize = 50;

/// The most a page of a list may have.
pub const LIMIT_MAX: usize = 200;

/// A query's parameters, and what is wrong with them so far.
#[derive(Debug)]
pub struct Query {
    values: BTreeMap<String, String>,
    errors: Vec<Fault>,
}

impl Query {
    /// Takes the parameters called `known`, each at most once.
    #[must_use]
    pub fn new(pairs: Vec<(String, String)>, known: &[&str]) -> Self {
        let mut query = Self { values: BTreeMap::new(), errors: Vec::new() };
        for (name, value) in pairs {
            if !known.contains(&name.as_str()) {
                query.refuse(
                    &name,
                    match known {
                        [] => "there are no parameters here".to_owned(),
                        known => format!("there is no such parameter; there are {}", known.join(", ")),
                    },
                );
            } else if !value.is_empty() && query.values.insert(name.clone(), value).is_some() {
                query.refuse(&name, "given more than once");
            }
        }
        query
    }

    /// The parameter `name`, read by `parse`; `None` if it is not there, or wrong and noted.
    pub fn take<T, E: Display>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        let value = self.values.remove(name)?;
        parse(&value).map_err(|error| self.refuse(name, error)).ok()
    }

    /// The parameter `name`, which is one of `words`.
    pub fn take_word<T>(
        &mut self,
        name: &str,
        words: &[&str],
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        self.take(name, |value| read(value).ok_or_else(|| format!("must be one of {}", words.join(", "))))
    }

    /// How many items are wanted.
    pub fn take_limit(&mut self) -> usize {
        let limit = self.take("limit", |value| {
            let digits = value.bytes().all(|byte| byte.is_ascii_digit());
            let limit = value.parse().ok().filter(|limit| digits && (1..=LIMIT_MAX).contains(limit));
            limit.ok_or_else(|| format!("must be a whole number from 1 to {LIMIT_MAX}"))
        });
        limit.unwrap_or(LIMIT_DEFAULT)
    }

    /// Notes that `name` is wrong.
    pub fn refuse(&mut self, name: &str, detail: impl Display) {
        // What is sent back is a name somebody else chose: short enough to read, whatever it was.
        let name: String = name.chars().take(64).collect();
        let name = name.replace('~', "~0").replace('/', "~1");
        self.errors.push(Fault::new(format!("/query/{name}"), detail));
    }

    /// Refuses the request if anything was wrong.
    pub fn check(&self) -> Result<(), Problem> {
        if self.errors.is_empty() { Ok(()) } else { Err(Problem::invalid_request(self.errors.clone())) }
    }
}
