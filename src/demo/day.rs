//! The visits of the demo: those at the edges of the rules, which the story follows one by one, and an ordinary day
//! around them. Each run of the demo has the same visits: the random numbers have a fixed seed.

use chrono::{Days, NaiveDate};
use serde::Serialize;

use super::clock::at;
use super::doctors::{DOCTORS, Doctor};

const SEED: u64 = 20_260_302;
/// The id of the first ordinary visit.
const FIRST_ORDINARY: i64 = 1101;

/// The visits that the story follows.
pub const NOBODY_CAME: i64 = 1001;
pub const LATE_ALL_ALONG: i64 = 1002;
pub const SLOT_FREED: i64 = 1003;
pub const SQUEEZED_IN: i64 = 1004;
pub const JUST_IN_TIME: i64 = 1005;
pub const CALLED_OFF: i64 = 1006;
pub const NO_PHONE: i64 = 1007;
pub const NO_SMS_WANTED: i64 = 1008;
pub const OTHER_SYSTEM: i64 = 1009;
pub const LAST_FRIDAY: i64 = 1010;
pub const WEEK_AGO: i64 = 1011;
pub const TOO_LONG_AGO: i64 = 1012;
pub const DOCTOR_AWAY: i64 = 1013;
pub const REFUSED: i64 = 1014;
pub const EXACTLY: i64 = 1015;
pub const WAITS_LONG: i64 = 1016;
pub const NOBODY_TO_TELL: i64 = 1017;
/// A patient without an appointment, who gets the slot of `SLOT_FREED`.
pub const WALK_IN: i64 = 1018;

/// A visit, and what its patient and doctor will do; minutes of the local day, those before it negative.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Visit {
    pub id: i64,
    pub facility: i64,
    pub doctor: Option<i64>,
    pub external: bool,
    pub day: NaiveDate,
    pub start: i32,
    pub status: &'static str,
    pub phone: bool,
    pub sms_opt_out: bool,
    pub checks_in: Option<i32>,
    pub vitals: Option<i32>,
    pub begins: Option<i32>,
    pub completes: Option<i32>,
    pub cancels: Option<i32>,
}

/// A slot of a doctor's day, booked or free.
#[derive(Debug, Serialize)]
pub struct Slot {
    pub doctor: i64,
    pub day: NaiveDate,
    pub start: i32,
    pub minutes: i32,
    pub visit: Option<i64>,
    /// Closed for bookings.
    pub blocked: bool,
}

/// Everything that is booked.
pub struct Day {
    pub visits: Vec<Visit>,
    pub slots: Vec<Slot>,
}

/// All visits and slots: those of the story, those of three days ago, and those of the day itself.
pub fn plan(today: NaiveDate) -> Day {
    let mut chance = fastrand::Rng::with_seed(SEED);
    let mut day = Day { visits: edge_cases(today), slots: vec![] };
    let friday = today - Days::new(3);
    let earlier = [friday, today - Days::new(7), today - Days::new(10)];
    let mut next = FIRST_ORDINARY;
    for doctor in &DOCTORS {
        for date in earlier {
            // Of the earlier days only the last one has more than the visits of the story.
            let busy = if date == friday { 70 } else { 0 };
            book(&mut day, doctor, (date, today), busy, &mut next, &mut chance);
        }
        book(&mut day, doctor, (today, today), 88, &mut next, &mut chance);
    }
    from_elsewhere(&mut day.visits, today, &mut next, &mut chance);
    day
}

/// Books `busy` percent of the slots of a date of one doctor; the second date is today.
fn book(
    day: &mut Day,
    doctor: &Doctor,
    (date, today): (NaiveDate, NaiveDate),
    busy: u8,
    next: &mut i64,
    chance: &mut fastrand::Rng,
) {
    // The time from which the doctor is free for the next patient.
    let mut free_at = 0;
    for start in doctor.starts() {
        let mine = |visit: &&Visit| visit.doctor == Some(doctor.id) && visit.day == date && visit.start == start;
        let away = doctor.away(start) && date == today;
        let visit = match day.visits.iter().find(mine) {
            Some(booked) => Some(booked.clone()),
            None if away || chance.u8(..100) >= busy => None,
            None => {
                let visit = ordinary(*next, doctor, (date, today), start, free_at, chance);
                *next += 1;
                day.visits.push(visit.clone());
                Some(visit)
            }
        };
        free_at = visit.as_ref().and_then(|visit| visit.completes).unwrap_or(free_at);
        let (minutes, visit) = (doctor.slot_minutes, visit.map(|visit| visit.id));
        day.slots.push(Slot { doctor: doctor.id, day: date, start, minutes, visit, blocked: visit.is_some() || away });
    }
}

/// An ordinary visit: the patient comes a little early, a nurse takes vitals, the doctor is more or less in time. Some
/// patients never come; on an earlier day such a visit is marked already.
fn ordinary(
    id: i64,
    doctor: &Doctor,
    (day, today): (NaiveDate, NaiveDate),
    start: i32,
    free_at: i32,
    chance: &mut fastrand::Rng,
) -> Visit {
    let visit = Visit {
        id,
        facility: doctor.facility,
        doctor: Some(doctor.id),
        day,
        start,
        status: if chance.u8(..100) < 60 { "CONFIRMED" } else { "SCHEDULED" },
        phone: chance.u8(..100) >= 5,
        sms_opt_out: chance.u8(..100) < 6,
        ..Visit::default()
    };
    match chance.u8(..100) {
        // Cancelled on the day before, or in the night.
        0..4 => Visit { cancels: Some(-chance.i32(30..900)), ..visit },
        4..15 if day == today => visit,
        4..15 => Visit { status: "NO_SHOW", ..visit },
        _ => {
            let checks_in = start + chance.i32(-12..=6);
            let slow = if chance.u8(..100) < 12 { 8 } else { 0 };
            let vitals = (checks_in + 2).max(start - 5) + chance.i32(0..=2) + slow;
            let begins = (vitals + chance.i32(1..=4)).max(start).max(free_at);
            let completes = begins + doctor.slot_minutes * chance.i32(80..=110) / 100;
            let (checks_in, vitals, begins, completes) = (Some(checks_in), Some(vitals), Some(begins), Some(completes));
            Visit { checks_in, vitals, begins, completes, ..visit }
        }
    }
}

/// Visits that the PracticeQ sync brought. Nobody records here whether the patient came.
fn from_elsewhere(visits: &mut Vec<Visit>, day: NaiveDate, next: &mut i64, chance: &mut fastrand::Rng) {
    for number in 0..14 {
        let start = at(10, 0) + 5 * chance.i32(0..72);
        let visit = Visit { id: *next, facility: 1 + number % 2, external: true, day, start, ..scheduled() };
        visits.push(visit);
        *next += 1;
    }
}

fn scheduled() -> Visit {
    Visit { status: "SCHEDULED", phone: true, ..Visit::default() }
}

/// The visits at the edges of the rules.
fn edge_cases(today: NaiveDate) -> Vec<Visit> {
    let booked = |id, doctor: i64, hour, minute| Visit {
        id,
        facility: if doctor <= 6 { 1 } else { 2 },
        doctor: Some(doctor),
        day: today,
        start: at(hour, minute),
        ..scheduled()
    };
    let days_ago = |days, visit| Visit { day: today - Days::new(days), ..visit };
    let came = |checks_in, vitals, begins, completes, visit| Visit {
        checks_in: Some(checks_in),
        vitals: Some(vitals),
        begins: Some(begins),
        completes: Some(completes),
        ..visit
    };
    vec![
        booked(NOBODY_CAME, 1, 9, 0),
        came(at(9, 5), at(9, 12), at(9, 27), at(9, 41), booked(LATE_ALL_ALONG, 2, 9, 0)),
        booked(SLOT_FREED, 9, 10, 0),
        booked(SQUEEZED_IN, 1, 9, 1),
        came(at(9, 19), at(9, 22), at(9, 24), at(9, 40), booked(JUST_IN_TIME, 4, 9, 0)),
        Visit { cancels: Some(at(9, 8)), ..booked(CALLED_OFF, 3, 9, 0) },
        Visit { phone: false, ..booked(NO_PHONE, 3, 9, 10) },
        Visit { sms_opt_out: true, ..booked(NO_SMS_WANTED, 3, 9, 20) },
        Visit { external: true, doctor: None, ..booked(OTHER_SYSTEM, 1, 9, 0) },
        days_ago(3, booked(LAST_FRIDAY, 1, 16, 45)),
        days_ago(7, booked(WEEK_AGO, 5, 9, 0)),
        days_ago(10, booked(TOO_LONG_AGO, 4, 15, 0)),
        booked(DOCTOR_AWAY, 8, 8, 0),
        booked(REFUSED, 7, 8, 0),
        booked(EXACTLY, 10, 8, 0),
        came(at(9, 20), at(9, 33), at(10, 5), at(10, 40), booked(WAITS_LONG, 10, 9, 30)),
        came(at(9, 58), at(10, 6), at(11, 3), at(11, 50), booked(NOBODY_TO_TELL, 6, 10, 0)),
    ]
}
