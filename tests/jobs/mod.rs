//! A folder a job, as in `src/jobs/`.

mod advance_billing;
mod apply_absences;
mod deliver_notifications;
mod escalate_sla;
mod escalate_tickets;
pub mod explained;
mod far;
mod flag_schedule_conflicts;
mod mark_no_shows;
mod messages;
mod monitor_ticket_sla;
mod notify_cancellations;
pub mod owed;
pub mod properties;
mod prune;
mod refresh_npi;
mod refused;
mod stage_alerts;
mod sync_practiceq;
mod together;
mod told;
mod undeliverable;
