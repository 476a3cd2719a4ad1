//! What every job owes, through the views and triggers of the kit.

use super::Hospital;
use crate::jobs::owed::{self, Owed, Subject, owed_by_the_job};
use crate::support::keys::Kind;

const NO_SHOWS: Subject = Subject {
    job: &["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00"],
    table: "appointments",
    written: ("no_show_logs", "appointment_id"),
    evidence: &[
        ("no_show_logs", "appointment_id", 1),
        ("notifications", "entity_id", 2),
        ("(SELECT * FROM public.appointments WHERE status = 'NO_SHOW')", "id", 1),
        ("public.no_show_logs", "\"appointmentId\"", 1),
        ("(SELECT * FROM public.patients WHERE \"noShowCount\" = 1)", "id", 1),
    ],
    entity: "appointment",
    done: "/marked",
    ..owed::SUBJECT
};

const ALERTS: Subject = Subject {
    job: &["stage-alerts", "--as-of", "2026-03-02T09:20:00-05:00"],
    table: "appointments",
    written: ("stage_alerts", "appointment_id"),
    evidence: &[
        ("(SELECT * FROM stage_alerts WHERE alert_type = 'NO_VITALS' AND status = 'ACTIVE')", "appointment_id", 1),
        ("notifications", "entity_id", 1),
        ("(SELECT * FROM public.stage_alerts WHERE status = 'ACTIVE')", "\"appointmentId\"", 1),
        ("public.notifications", "data ->> 'appointmentId'", 1),
    ],
    entity: "appointment",
    done: "/raised",
    ..owed::SUBJECT
};

const CANCELLATIONS: Subject = Subject {
    job: &["notify-cancellations", "--as-of", "2026-03-02T07:30:00-05:00"],
    table: "appointments",
    written: ("notifications", "entity_id"),
    evidence: &[
        ("(SELECT * FROM visit_cancellations WHERE outcome = 'TOLD')", "appointment_id", 1),
        ("notifications", "entity_id", 1),
        ("(SELECT * FROM public.doctor_slots WHERE \"isAvailable\" AND \"appointmentId\" IS NULL)", "id", 1),
        ("public.notifications", "data ->> 'appointmentId'", 1),
    ],
    entity: "appointment",
    done: "/handled",
    ..owed::SUBJECT
};

const CONFLICTS: Subject = Subject {
    job: &["flag-schedule-conflicts", "--as-of", "2026-03-01T12:00:00-05:00"],
    table: "appointments",
    written: ("schedule_flags", "appointment_id"),
    evidence: &[
        ("schedule_flags", "appointment_id", 1),
        ("(SELECT * FROM notifications WHERE recipient_kind = 'PATIENT')", "entity_id", 2),
    ],
    entity: "appointment",
    done: "/flagged",
    ..owed::SUBJECT
};

const ABSENCES: Subject = Subject {
    job: &["apply-absences", "--max-cancel", "100000", "--as-of", "2026-03-02T07:00:00-05:00"],
    table: "appointments",
    written: ("absence_visits", "appointment_id"),
    evidence: &[
        ("absence_visits", "appointment_id", 1),
        ("notifications", "entity_id", 2),
        ("(SELECT * FROM public.appointments WHERE status = 'CANCELLED')", "id", 1),
        (
            "(SELECT * FROM public.doctor_slots WHERE \"isAvailable\" AND \"isBlocked\" AND \"appointmentId\" IS NULL)",
            "id",
            1,
        ),
    ],
    entity: "appointment",
    done: "/applied",
    ..owed::SUBJECT
};

async fn owed(subject: &'static Subject, status: &str, things: i64) -> Owed {
    let hospital = Hospital::new().await;
    hospital.visits(1, things, status).await;
    Owed { subject, clinic: hospital.clinic, things, beside: None }
}

struct MissedVisits;

impl MissedVisits {
    async fn owed(_: Kind, things: i64) -> Owed {
        owed(&NO_SHOWS, "SCHEDULED", things).await
    }
}

struct WaitingPatients;

impl WaitingPatients {
    async fn owed(_: Kind, things: i64) -> Owed {
        owed(&ALERTS, "CHECKED_IN", things).await
    }
}

struct CancelledVisits;

impl CancelledVisits {
    async fn owed(_: Kind, things: i64) -> Owed {
        let owed = owed(&CANCELLATIONS, "CANCELLED", things).await;
        let began = "INSERT INTO visit_cancellations (cancelled_at, seen_at, outcome) VALUES ('2026-03-01', '2026-03-01', 'BEGAN')";
        owed.clinic.sql(began).await;
        owed
    }
}

/// Visits at 9:00 of a doctor whose hours begin at 10:00 by now.
struct ConflictingVisits;

impl ConflictingVisits {
    async fn owed(_: Kind, things: i64) -> Owed {
        let owed = owed(&CONFLICTS, "CONFIRMED", things).await;
        owed.clinic
            .sql(
                "UPDATE public.appointments SET \"createdAt\" = '2026-02-01';
                 INSERT INTO public.doctor_schedules (id, \"doctorId\", \"dayOfWeek\", \"startTime\", \"endTime\",
                                                      \"createdAt\", \"updatedAt\")
                 VALUES ('s', k(1), 'MONDAY', '10:00', '17:00', '2026-02-01', '2026-02-20')",
            )
            .await;
        owed
    }
}

struct EmergencyLeave;

impl EmergencyLeave {
    async fn owed(_: Kind, things: i64) -> Owed {
        let owed = owed(&ABSENCES, "SCHEDULED", things).await;
        owed.clinic
            .sql(
                "INSERT INTO public.doctor_absences (id, \"doctorId\", \"hospitalId\", \"startDate\", \"endDate\",
                                                     \"absenceType\", \"createdBy\", \"updatedAt\")
                 VALUES (k(1), k(1), k(1), '2026-03-02', '2026-03-02', 'EMERGENCY', k(1), now())",
            )
            .await;
        owed
    }
}

/// All of them, on the one kind of keys that the application has.
macro_rules! all_on_the_kit {
    ($fixture:ident) => {
        owed_by_the_job! {
            $fixture, TextViews:
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
    };
}

mod no_shows {
    use super::{MissedVisits, owed_by_the_job};
    all_on_the_kit!(MissedVisits);
}

mod alerts {
    use super::{WaitingPatients, owed_by_the_job};
    all_on_the_kit!(WaitingPatients);
}

mod cancellations {
    use super::{CancelledVisits, owed_by_the_job};
    all_on_the_kit!(CancelledVisits);
}

// Without the number of transactions, which the flags do not show: see the job's own tests.
mod conflicts {
    use super::{ConflictingVisits, owed_by_the_job};
    owed_by_the_job! {
        ConflictingVisits, TextViews:
        a_second_run_changes_nothing,
        ten_at_once_do_each_once,
        what_the_application_holds_is_left_to_the_next_run,
        a_child_row_that_is_being_inserted_is_no_reason_to_skip,
        one_poison_row_stops_nobody,
        a_dry_run_says_what_a_run_does_and_changes_nothing,
        a_killed_run_is_completed_by_the_next,
        the_brake_holds_before_anything_is_changed,
    }
}

mod absences {
    use super::{EmergencyLeave, owed_by_the_job};
    all_on_the_kit!(EmergencyLeave);
}
