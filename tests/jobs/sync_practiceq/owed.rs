//! What every job owes, of a job that reads an account: a thing is a visit that the account has and the clinic has not.

use super::words::{LATER, PAT};
use crate::jobs::owed::{self, Owed, Subject};
use crate::support::keys::Kind;
use crate::support::practiceq::{NOW, Sync, appointment};

/// An account with visits of a patient.
struct AccountFixture;

impl AccountFixture {
    /// With so many of them; the account's ids look like the clinic's keys.
    async fn owed(kind: Kind, things: i64) -> Owed {
        let sync = Sync::of(kind).await;
        sync.patient_of(&PAT).await;
        for number in 1..=things {
            sync.upstream.put(appointment(&kind.text(number), &PAT, LATER));
        }
        Owed { subject: &SUBJECT, clinic: sync.clinic, things, beside: Some(Box::new(sync.upstream)) }
    }
}

const SUBJECT: Subject = Subject {
    job: &["sync-practiceq", "--as-of", NOW],
    table: "appointments",
    written: ("practiceq_visits", "external_id"),
    evidence: &[
        ("(SELECT * FROM appointments WHERE source = 'PRACTICEQ')", "external_id", 1),
        ("(SELECT * FROM practiceq_visits WHERE deleted_at IS NULL)", "external_id", 1),
    ],
    entity: "appointment",
    done: "/total_appointments/new",
    found_again: true,
    waits: false,
    ..owed::SUBJECT
};

// Not asked, with what is asked in its place: what is held, and a child row (a visit that is not yet here is held by nobody:
// `reports.rs` asks it of what is updated); the brake (it counts what is to be deleted: `deletions.rs`).
owed::owed_by_the_job! {
    AccountFixture:
    a_second_run_changes_nothing,
    ten_at_once_do_each_once,
    one_poison_row_stops_nobody,
    a_dry_run_says_what_a_run_does_and_changes_nothing,
    one_more_than_a_batch_takes_two,
    a_killed_run_is_completed_by_the_next,
    a_role_with_its_grants_alone_does_all,
}
