//! Products, categories and packages: what a product grants.
