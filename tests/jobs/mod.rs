//! A file a job.

mod advance_billing;
mod escalate_sla;
mod escalate_tickets;
mod escalate_tickets_actions;
mod mark_no_shows;
mod monitor_ticket_sla;
mod owed;
mod properties;
mod properties_escalations;
mod properties_rules;
mod prune;
mod refresh_npi;
mod stage_alerts;
mod sync_practiceq;
