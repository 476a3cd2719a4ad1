//! What every job owes, for `escalate-tickets` on the application's tables.

use serde_json::json;

use super::{helpdesk, rule, tickets};
use crate::jobs::owed::{self, Owed, Subject};
use crate::support::keys::Kind;

struct Rules;

impl Rules {
    /// So many tickets for which one rule adds a follower.
    async fn owed(kind: Kind, things: i64) -> Owed {
        let clinic = helpdesk().await;
        tickets(&clinic, things).await;
        let follower = json!({ "userIds": [kind.text(1)] });
        rule(&clinic, ("priority_level", json!({"priorities": ["MEDIUM"]})), ("add_follower", follower)).await;
        Owed { subject: &SUBJECT, clinic, things, beside: None }
    }
}

const SUBJECT: Subject = Subject {
    job: &["escalate-tickets", "--as-of", "2026-03-02T12:00:00Z"],
    table: "public.tickets",
    written: ("ticket_history", "ticket_id"),
    evidence: &[
        ("ticket_history", "ticket_id", 1),
        ("public.ticket_history", "\"ticketId\"", 1),
        ("escalation_episodes", "ticket_id", 1),
        ("public.ticket_followers", "\"ticketId\"", 1),
    ],
    entity: "ticket",
    done: "/executed",
    ..owed::SUBJECT
};

owed::owed_by_the_job! { Rules, TextViews:
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
