//! The date at which a ticket must be resolved, which the jobs of the help desk share.

/// The joins that add `sla.due_at` to a ticket `t`.
pub const DUE_AT: &str = include_str!("due_at.part.sql");
