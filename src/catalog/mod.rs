//! Products, categories and packages: what a product grants.

pub mod worth;
