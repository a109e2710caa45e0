//! Orders: what a shop says, and what it should have granted.
