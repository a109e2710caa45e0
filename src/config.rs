//! What can be set.
