//! What every job owes, for `monitor-ticket-sla` on the application's tables.

use super::{helpdesk, tickets, user};
use crate::jobs::owed::{self, Owed, Subject};
use crate::support::keys::Kind;

struct Sla;

impl Sla {
    /// So many breached tickets of two people each.
    async fn owed(_: Kind, things: i64) -> Owed {
        let clinic = helpdesk().await;
        tickets(&clinic, things).await;
        let creator = user(&clinic, 2).await;
        let late = format!("UPDATE public.tickets SET \"createdBy\" = k({creator}), \"slaDueAt\" = '2026-03-02 10:00'");
        clinic.sql(&late).await;
        Owed { subject: &SUBJECT, clinic, things, beside: None }
    }
}

const SUBJECT: Subject = Subject {
    job: &["monitor-ticket-sla", "--as-of", "2026-03-02T12:00:00Z"],
    table: "public.tickets",
    written: ("ticket_history", "ticket_id"),
    evidence: &[
        ("ticket_history", "ticket_id", 1),
        ("public.ticket_history", "\"ticketId\"", 1),
        ("notifications", "entity_id", 2),
        ("public.notifications", "\"ticketId\"", 2),
    ],
    entity: "ticket",
    done: "/recorded",
    ..owed::SUBJECT
};

owed::owed_by_the_job! { Sla, TextViews:
    a_second_run_changes_nothing,
    ten_at_once_do_each_once,
    what_the_application_holds_is_left_to_the_next_run,
    a_child_row_that_is_being_inserted_is_no_reason_to_skip,
    one_poison_row_stops_nobody,
    a_dry_run_says_what_a_run_does_and_changes_nothing,
    one_more_than_a_batch_takes_two,
    a_killed_run_is_completed_by_the_next,
    the_brake_holds_before_anything_is_changed,
}
