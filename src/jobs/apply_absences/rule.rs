//! The rule in SQL, and its parameters: which visits and slots are inside a leave, and what becomes of them.

use chrono::{DateTime, NaiveDate, Utc};
use tokio_postgres::types::ToSql;

use crate::clinic::local_time::{clock_time, day, outer_dates, slot_length};
use crate::clinic::visits::joins_of_visit;
use crate::db::{Key, Keys};

/// Whether a visit is inside the leave, and not over.
pub const ON_LEAVE: &str = include_str!("on_leave.part.sql");
/// Whether a visit inside the leave is cancelled; else it stays, and people are told of it.
pub const CANCELS: &str = "(x.type::text = 'EMERGENCY' AND a.source = 'LOCAL')";
/// Whether a slot inside the leave is no more booked by anybody.
pub const FREED: &str = include_str!("freed.part.sql");
/// A day before all others.
const EVER: NaiveDate = NaiveDate::from_ymd_opt(1, 1, 2).expect("a day");
/// The clinic's table.
pub const ABSENCES: &str = "doctor_absences";

/// The FROM clause of absences at the clock of their doctor's facility, with further joins.
pub fn leaves(absences: &str, joins: &str) -> String {
    format!(include_str!("of_doctor.part.sql"), absences = absences, leave = leave(), joins = joins)
}

/// The FROM clause of the slots of the days of absences.
pub fn slots_of_leaves(absences: &str, slots: &str) -> String {
    let slots = format!(
        include_str!("slot.part.sql"),
        slots = slots,
        slot_day = day("s.slot_date"),
        slot_start = clock_time("s.start_time"),
        slot_end = clock_time("s.end_time"),
        slot_length = slot_length(),
    );
    leaves(absences, &slots)
}

/// Whether a slot is to be blocked.
pub fn blocked() -> String {
    format!(include_str!("blocked.part.sql"), freed = FREED)
}

/// The FROM clause of the visits of the days of absences.
pub fn visits_of_leaves(absences: &str, visits: &str) -> String {
    format!(
        include_str!("visit.part.sql"),
        absences = absences,
        visits = visits,
        first_day = day("x.first_day"),
        last_day = day("x.last_day"),
        visit = joins_of_visit("$1", "$2"),
        leave = leave(),
        span = span(),
    )
}

/// The join of a visit's end.
pub fn span() -> String {
    format!(
        include_str!("span.part.sql"),
        slot_day = day("s.slot_date"),
        slot_end = clock_time("s.end_time"),
        slot_length = slot_length(),
    )
}

fn leave() -> String {
    format!(
        include_str!("leave.part.sql"),
        first_day = day("x.first_day"),
        last_day = day("x.last_day"),
        first_time = clock_time("x.start_time"),
        last_time = clock_time("x.end_time"),
    )
}

/// The parameters of the rule, $1 to $6.
#[derive(Clone)]
pub struct Rule {
    pub now: DateTime<Utc>,
    /// Facilities whose time zone cannot be read.
    pub zones: Vec<Key>,
    /// A day before which nobody's yesterday is.
    pub first: NaiveDate,
    /// Absences that are left alone.
    pub held: Vec<Key>,
    /// The absence that a person names.
    pub only: Option<Key>,
    pub facility: Option<Key>,
}

impl Rule {
    pub fn new(now: DateTime<Utc>, zones: Vec<Key>) -> Self {
        // A slot of yesterday may end today.
        let (first, _) = outer_dates(now, 1);
        Self { now, zones, first, held: vec![], only: None, facility: None }
    }

    /// The same of absences of any day: one may have been shortened to the past.
    pub fn of_any_day(&self) -> Self {
        Self { first: EVER, ..self.clone() }
    }

    pub fn parameters<'a>(&'a self, [zones, held]: &'a [Keys<'a>; 2]) -> [&'a (dyn ToSql + Sync); 6] {
        [&self.now, zones, &self.first, held, &self.only, &self.facility]
    }

    /// The keys among the parameters.
    pub fn keys(&self) -> [Keys<'_>; 2] {
        [Keys(&self.zones), Keys(&self.held)]
    }
}
