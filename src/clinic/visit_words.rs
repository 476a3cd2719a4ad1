//! What an explanation says of a visit, whichever job is asked. The row has id, facility_id, status, source and starts_at.

use chrono::{DateTime, Utc};

use crate::db::Row;
use crate::output::{local_stamp, span};
use crate::time_zone::Tz;

/// The state of a visit, as a sentence.
pub fn state(visit: &Row, now: DateTime<Utc>, zone: Tz) -> String {
    let [id, facility, status] = known(visit);
    format!("Visit {id} of facility {facility} is {status} and {}.", begins(visit, now, zone))
}

/// The id, the facility and the status of a visit.
pub fn known(visit: &Row) -> [String; 3] {
    [("id", ""), ("facility_id", "(none)"), ("status", "of no status")]
        .map(|(column, none)| visit.get::<_, Option<String>>(column).unwrap_or_else(|| none.to_owned()))
}

/// When a visit begins or began.
pub fn begins(visit: &Row, now: DateTime<Utc>, zone: Tz) -> String {
    match visit.get::<_, Option<DateTime<Utc>>>("starts_at") {
        None => "has no start that can be read".to_owned(),
        Some(start) if start <= now => format!("began at {}, {} ago", local_stamp(start, zone), span(now - start)),
        Some(start) => format!("begins at {}, in {}", local_stamp(start, zone), span(start - now)),
    }
}

/// Why a job that looks at visits of these statuses does not look at this one, if it does not.
pub fn of_other_status(visit: &Row, statuses: &[&str]) -> Option<String> {
    match visit.get::<_, Option<&str>>("status") {
        Some(status) if statuses.contains(&status) => None,
        Some(status) => Some(format!("it is {status}")),
        None => Some("it has no status".to_owned()),
    }
}

/// The reasons for which a job that looks at LOCAL visits of these statuses does not look at this one.
pub fn not_looked_at(visit: &Row, statuses: &[&str]) -> Vec<String> {
    let mut reasons = Vec::from_iter(of_other_status(visit, statuses));
    match visit.get::<_, Option<&str>>("source") {
        Some("LOCAL") => {}
        Some(source) => reasons.push(format!("it is of another system ({source})")),
        None => reasons.push("it has no source".to_owned()),
    }
    reasons
}
