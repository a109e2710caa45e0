//! The HTTP edge.

pub mod problem;
pub mod extract;
pub mod logs;
pub mod server;
