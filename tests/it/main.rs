//! The integration tests, one binary.

mod support;

mod server;
mod shop;
mod sites;
mod catalog;
mod orders;
mod feed;
mod cli;
mod books;
mod webhooks;
mod config;
