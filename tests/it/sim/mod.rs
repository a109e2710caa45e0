//! A simulated shop, a model of the ledger, and histories that drive the program against both.

mod faithful;
mod histories;
mod life;
mod model;
mod races;
mod rest;
mod shop;
