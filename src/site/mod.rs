//! Accounts, clients, sites, and who owns what.
