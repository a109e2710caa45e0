//! Deliveries: proved, kept, applied.
