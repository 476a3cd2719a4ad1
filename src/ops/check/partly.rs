//! What a job cannot do on tables of the application's own, while the rest of it works.

use std::collections::BTreeSet;

use super::catalog::Catalog;
use super::finding::{Findings, Remedy, Topic};
use super::view_text::ViewText;
use crate::jobs::escalate_tickets::EscalateTickets;
use crate::jobs::mark_no_shows::MarkNoShows;
use crate::jobs::notify_cancellations::NotifyCancellations;
use crate::jobs::sync_practiceq::SyncPracticeq;
use crate::ops::privileges::Verb;
use crate::run::Job;

/// A column that a job may set to NULL.
struct Emptied {
    job: &'static str,
    relation: &'static str,
    column: &'static str,
    verb: Verb,
    /// What fails where the column may not be NULL.
    fails: &'static str,
}

/// The other columns that jobs write get a value, or keep NULL.
const EMPTIED: [Emptied; 5] = [
    Emptied {
        job: MarkNoShows::NAME,
        relation: "doctor_slots",
        column: "appointment_id",
        verb: Verb::Update,
        fails: "each no-show whose slot is to be freed fails",
    },
    Emptied {
        job: NotifyCancellations::NAME,
        relation: "doctor_slots",
        column: "appointment_id",
        verb: Verb::Update,
        fails: "each cancelled visit that has a slot fails",
    },
    Emptied {
        job: EscalateTickets::NAME,
        relation: "tickets",
        column: "assignee_id",
        verb: Verb::Update,
        fails: "reassign_ticket to a team without a user fails for each ticket whose assignee is not of the team",
    },
    Emptied {
        job: SyncPracticeq::NAME,
        relation: "appointments",
        column: "doctor_id",
        verb: Verb::Insert,
        fails: "each new visit of an unknown doctor fails",
    },
    Emptied {
        job: SyncPracticeq::NAME,
        relation: "appointments",
        column: "cancelled_at",
        verb: Verb::Insert,
        fails: "each visit that is not cancelled fails",
    },
];

/// The column without which one condition of the rules never holds.
pub const SINCE: (&str, &str) = ("tickets", "status_changed_at");

pub fn look(catalog: &Catalog, job: &'static str, findings: &mut Findings) {
    let mut section = findings.section(Some(job), Topic::Writing);
    let mut told = BTreeSet::new();
    for one in EMPTIED.iter().filter(|one| one.job == job) {
        let Some(relation) = catalog.named(one.relation) else { continue };
        let Some((table, column)) = catalog.origin(one.relation, one.column) else { continue };
        // What a trigger writes in the place of NULL, only the trigger knows.
        if !column.is_not_null || relation.has_trigger_for(one.verb) || !told.insert((table.id, &column.name)) {
            continue;
        }
        section.warn(
            format!("{}: {}.{} may not be NULL", one.fails, table.shown, column.shown),
            Remedy::advice("the rest works; allow NULL, or write another value in an INSTEAD OF trigger"),
        );
    }
    if job == EscalateTickets::NAME && is_always_null(catalog, SINCE) {
        findings.section(Some(job), Topic::Columns).warn(
            "a rule with time_in_status never fires: status_changed_at of the view is always NULL",
            Remedy::advice("the rest works; select the instant of the last change, where the application has it"),
        );
    }
}

/// Whether a column of a view is the constant NULL.
fn is_always_null(catalog: &Catalog, (relation, column): (&str, &str)) -> bool {
    let view = catalog.named(relation).and_then(|relation| ViewText::of(relation.definition.as_deref()?));
    let expression = view.as_ref().and_then(|view| view.expression(column));
    expression.is_some_and(|expression| expression == "NULL" || expression.starts_with("NULL::"))
}
