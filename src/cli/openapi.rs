//! `openapi`: the document of the HTTP API.

use std::io::Write;

use super::Failure;
use crate::http::openapi;

pub(super) fn run(to: &mut dyn Write) -> Result<(), Failure> {
    Ok(to.write_all(openapi::text().as_bytes())?)
}
