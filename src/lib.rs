//! Prepaid AI credits for WooCommerce shops.
//!
//! A shop sells credits as products; this program receives its order webhooks, keeps one wallet for each
//! customer, and lets an assistant service spend from it. The modules, in reading order:
//!
//! - [`units`], [`id`], [`time`]: the words everything is written in; [`schema`]: their forms for the API document;
//!   [`recent`]: what was used last, within a bound
//! - [`config`], [`app`], [`telemetry`]: what is set, what runs, and what it logs
//! - [`db`]: the floor; one SQL text on two engines
//! - [`shop`], [`catalog`]: the WooCommerce shops, and what their products grant
//! - [`site`], [`access`]: accounts, clients and sites; API keys
//! - [`pairing`]: a shop and this program exchange their secrets
//! - [`inbox`], [`order`]: deliveries in, orders to what they should have granted
//! - [`reconcile`]: the shops' orders compared with all that
//! - [`idempotency`]: requests that may be sent again; [`rate`]: what an action costs
//! - [`account`]: merging, claiming and erasing a whole account; [`event`]: what somebody outside is told
//! - [`ledger`], [`feed`]: who holds how many credits and why; what a customer sees of it
//! - [`http`], [`cli`]: the two thin edges; [`demo`]: all of it on one machine
//!
//! `docs/ARCHITECTURE.md` follows one credit through all of them.

pub mod schema;
pub mod units;
pub mod id;
pub mod time;
pub mod calendar;
pub mod recent;

pub mod config;
pub mod app;
pub mod telemetry;

pub mod db;

pub mod shop;
pub mod catalog;

pub mod site;
pub mod access;

pub mod pairing;

pub mod inbox;
pub mod order;
pub mod reconcile;

pub mod idempotency;
pub mod rate;
pub mod ledger;
pub mod event;
pub mod account;
pub mod feed;

pub mod http;
pub mod cli;
pub mod demo;
