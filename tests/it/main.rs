//! The integration tests, one binary.

mod app;
mod batch;
mod support;
mod fake_shop;

mod server;
mod shop;
mod sites;
mod transfer;
mod keys;
mod kept;

mod accounts;
mod catalog;
mod orders;
mod feed;
mod cli;
mod books;
mod webhooks;
mod health;
mod holds;
mod hot;
mod lookups;
mod reconcile;
mod remedies;
mod config;
mod debits;
mod limits;
mod rates;
mod admin;
mod plans;
mod model;
mod crash;
mod tidy;
mod cost;
mod errors;
mod openapi;
mod twists;
mod upgrade;
mod proof;
mod explain;
mod assign;
mod sim;
mod pains;
mod repeats;
mod paging;
