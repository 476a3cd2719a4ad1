//! The absences of doctors: leave, as the clinic's application has it.

use crate::clinic::local_time::{clock_time, day};

/// The FROM clause of the active absences of a doctor, at the clock of a zone, that are not over on the day before.
pub fn absences(doctor: &str, zone: &str, day_before: &str) -> String {
    format!(
        include_str!("absences.part.sql"),
        doctor = doctor,
        zone = zone,
        day_before = day_before,
        first_day = day("x.first_day"),
        first_time = clock_time("x.start_time"),
        last_day = day("x.last_day"),
        last_time = clock_time("x.end_time"),
    )
}
