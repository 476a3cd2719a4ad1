//! What the jobs of the help desk share: when a ticket must be resolved.

/// The joins that give `sla.due_at` of a ticket `t`.
pub const DUE_AT: &str = include_str!("due_at.part.sql");
