//! The jobs: one file each, none knows another.

pub mod advance_billing;
pub mod escalate_sla;
pub mod escalate_tickets;
pub mod mark_no_shows;
pub mod monitor_ticket_sla;
pub mod prune;
pub mod refresh_npi;
pub mod stage_alerts;
pub mod sync_practiceq;
