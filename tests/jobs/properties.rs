//! Random rows for the tests of each rule in SQL against the same rule in Rust (`properties.rs` of the jobs), many of
//! them exactly on a boundary. The seed is printed where the rules differ; set ROUNDS_TEST_SEED to see it again.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use fastrand::Rng;

use crate::support::Clinic;
use crate::support::keys::Kind;

const VISITS: i64 = 1000;
const ZONES: [&str; 6] = [
    "America/New_York",
    "America/Denver",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
];

pub fn seed() -> u64 {
    std::env::var("ROUNDS_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..))
}

/// The number of worlds, each with a seed of its own, that a test goes through whose worlds take long. `make
/// test-properties` takes more.
pub fn worlds() -> u64 {
    many_worlds().unwrap_or(3)
}

fn many_worlds() -> Option<u64> {
    std::env::var("ROUNDS_TEST_WORLDS").ok().and_then(|worlds| worlds.parse().ok())
}

/// Two of these, in any order. `make test-properties` takes them all.
pub fn some<T, const N: usize>(rng: &mut Rng, mut all: [T; N]) -> impl Iterator<Item = T> {
    rng.shuffle(&mut all);
    all.into_iter().take(if many_worlds().is_some() { N } else { 2 })
}

pub fn pick<T: Copy>(rng: &mut Rng, values: &[T]) -> T {
    values[rng.usize(..values.len())]
}

/// At an instant, within a microsecond of it, or within days of it.
pub fn around(rng: &mut Rng, instant: DateTime<Utc>) -> DateTime<Utc> {
    let micros = match rng.u8(..8) {
        0 | 1 => 0,
        2 => 1,
        3 => -1,
        _ => rng.i64(-200_000_000_000..200_000_000_000),
    };
    instant + TimeDelta::microseconds(micros)
}

/// A visit with all that the rules look at.
pub struct Row {
    pub id: i64,
    pub doctor: i64,
    pub zone: Tz,
    pub no_show_after: Option<i64>,
    pub waiting_after: Option<i64>,
    pub slot_minutes: Option<i64>,
    pub slot_end: Option<NaiveTime>,
    pub source: String,
    pub status: String,
    pub date: NaiveDate,
    pub time: NaiveTime,
    pub checked_in: Option<DateTime<Utc>>,
    pub vitals: Option<DateTime<Utc>>,
}

/// A wall clock as PostgreSQL reads it: what comes twice is the second, what does not exist has the offset before.
pub fn instant(zone: Tz, local: NaiveDateTime) -> DateTime<Utc> {
    match zone.from_local_datetime(&local) {
        chrono::LocalResult::Single(instant) => instant.to_utc(),
        chrono::LocalResult::Ambiguous(_, second) => second.to_utc(),
        chrono::LocalResult::None => {
            let before = zone.from_local_datetime(&(local - Duration::hours(3))).latest().expect("no gap is that long");
            before.to_utc() + Duration::hours(3)
        }
    }
}

impl Row {
    pub fn starts_at(&self) -> DateTime<Utc> {
        instant(self.zone, self.date.and_time(self.time))
    }

    pub fn slot_ends_at(&self) -> Option<DateTime<Utc>> {
        let linked = self.slot_end.map(|end| instant(self.zone, self.date.and_time(end)));
        linked.or_else(|| Some(self.starts_at() + Duration::minutes(self.slot_minutes?)))
    }
}

/// Fills a clinic with random rows around an instant, many of them on a boundary to the minute.
pub async fn random_clinic(rng: &mut Rng, now: DateTime<Utc>, kind: Kind) -> Clinic {
    let clinic = Clinic::of(kind).await;
    for zone in ZONES {
        let maybe = |rng: &mut Rng| if rng.bool() { Some(rng.i32(1..45)) } else { None };
        let insert = "INSERT INTO facilities (name, time_zone, no_show_after_minutes, waiting_alert_minutes)
                      VALUES ('F', $1, $2::int, $3::int) RETURNING n(id)";
        let (after, waiting) = (maybe(rng), maybe(rng));
        let facility: i64 = clinic.row(insert, &[&zone, &after, &waiting]).await.get(0);
        for _ in 0..4 {
            let slot = [Some(10), Some(15), Some(30), None][rng.usize(..4)];
            clinic.doctor(facility, slot).await;
        }
    }
    let patient = clinic.patient().await;
    let statuses = ["SCHEDULED", "CONFIRMED", "CHECKED_IN", "IN_PROGRESS", "COMPLETED", "NO_SHOW", "CANCELLED"];
    clinic.sql("BEGIN").await;
    for number in 0..VISITS {
        let doctor = 1 + rng.i64(0..4 * ZONES.len() as i64);
        let zone: Tz = ZONES[(doctor as usize - 1) / 4].parse().expect("a zone");
        let spread = if rng.bool() { 60 } else { 14 * 24 * 60 };
        let start = (now - Duration::minutes(rng.i64(-spread..spread))).with_timezone(&zone).naive_local();
        let status = statuses[rng.usize(..statuses.len())];
        let foreign = rng.u8(..8) == 0;
        let (source, external) = if foreign { ("PRACTICEQ", Some(format!("x{number}"))) } else { ("LOCAL", None) };
        let checked_in =
            ["CHECKED_IN", "IN_PROGRESS"].contains(&status).then(|| now - Duration::minutes(rng.i64(0..50)));
        let vitals = checked_in.filter(|_| rng.bool()).map(|at| at + Duration::minutes(rng.i64(0..10)));
        let cancelled = (status == "CANCELLED").then_some(now);
        let (date, time) = (start.date(), start.time());
        let insert = format!(
            "INSERT INTO appointments (facility_id, doctor_id, patient_id, appointment_date, start_time, status,
                                       source, external_id, checked_in_at, vitals_recorded_at, cancelled_at)
             SELECT facility_id, id, k($2), $3::date, $4::time, '{status}', '{source}', $5, $6::timestamptz,
                    $7::timestamptz, $8::timestamptz FROM doctors WHERE id = k($1)
             RETURNING n(id)"
        );
        let row =
            clinic.row(&insert, &[&doctor, &patient, &date, &time, &external, &checked_in, &vitals, &cancelled]).await;
        if rng.bool() {
            let insert =
                "INSERT INTO doctor_slots (doctor_id, slot_date, start_time, end_time, is_booked, appointment_id)
                 SELECT k($1), $2::date, $3::time, $3::time + make_interval(mins => $4), true, k($5)
                 WHERE $3::time < $3::time + make_interval(mins => $4) ON CONFLICT DO NOTHING";
            let (id, minutes): (i64, i32) = (row.get(0), rng.i32(5..60));
            clinic.client.execute(insert, &[&doctor, &date, &time, &minutes, &id]).await.expect("can be inserted");
        }
    }
    clinic.sql("COMMIT").await;
    clinic
}

pub async fn rows(clinic: &Clinic) -> Vec<Row> {
    let query = "SELECT n(a.id), f.time_zone, f.no_show_after_minutes::bigint, f.waiting_alert_minutes::bigint,
                        d.slot_duration_minutes::bigint, s.end_time::text::time, a.source::text, a.status::text,
                        a.appointment_date, a.start_time::text::time, a.checked_in_at::timestamptz,
                        a.vitals_recorded_at::timestamptz, n(a.doctor_id)
                 FROM appointments a JOIN facilities f ON f.id = a.facility_id JOIN doctors d ON d.id = a.doctor_id
                 LEFT JOIN doctor_slots s ON s.appointment_id = a.id";
    let row = |row: &tokio_postgres::Row| Row {
        id: row.get(0),
        zone: row.get::<_, &str>(1).parse().expect("a zone"),
        no_show_after: row.get(2),
        waiting_after: row.get(3),
        slot_minutes: row.get(4),
        slot_end: row.get(5),
        source: row.get(6),
        status: row.get(7),
        date: row.get(8),
        time: row.get(9),
        checked_in: row.get(10),
        vitals: row.get(11),
        doctor: row.get(12),
    };
    clinic.rows(query).await.iter().map(row).collect()
}

/// A time in which a doctor is away.
pub struct Absence {
    pub doctor: i64,
    pub zone: Tz,
    pub active: bool,
    pub days: [NaiveDate; 2],
    pub times: [Option<NaiveTime>; 2],
}

impl Absence {
    pub fn holds_at(&self, now: DateTime<Utc>) -> bool {
        let [first, last] = self.days;
        let begins = first.and_time(self.times[0].unwrap_or(NaiveTime::MIN));
        let ends =
            self.times[1].map_or((last + Duration::days(1)).and_time(NaiveTime::MIN), |time| last.and_time(time));
        self.active && instant(self.zone, begins) <= now && now < instant(self.zone, ends)
    }
}

/// Writes absences of random doctors, each from or to the minute of a visit.
pub async fn random_absences(rng: &mut Rng, clinic: &Clinic, rows: &[Row]) -> Vec<Absence> {
    let mut absences = vec![];
    for _ in 0..20 {
        let row = &rows[rng.usize(..rows.len())];
        let days = Duration::days(rng.i64(0..3));
        let [mut first, mut last] = [row.date, row.date];
        if rng.bool() {
            last += days
        } else {
            first -= days
        }
        let time = |rng: &mut Rng| pick(rng, &[None, Some(row.time), Some(row.time + Duration::minutes(1))]);
        let mut times = [time(rng), time(rng)];
        if first == last && times[0].zip(times[1]).is_some_and(|(from, to)| from >= to) {
            times[1] = None;
        }
        let active = rng.u8(..4) > 0;
        let status = if active { "ACTIVE" } else { "CANCELLED" };
        let insert = format!(
            "INSERT INTO doctor_absences (doctor_id, first_day, last_day, start_time, end_time, status)
             VALUES (k($1), $2::date, $3::date, $4::time, $5::time, '{status}')"
        );
        let [start, end] = times;
        clinic.client.execute(&insert, &[&row.doctor, &first, &last, &start, &end]).await.expect("can be inserted");
        absences.push(Absence { doctor: row.doctor, zone: row.zone, active, days: [first, last], times });
    }
    absences
}

/// Instants in winter, in summer, and in the hours of both changes.
const INSTANTS: [&str; 5] = [
    "2026-01-15T15:00:00Z",
    "2026-03-08T07:10:00Z",
    "2026-07-01T00:00:00Z",
    "2026-11-01T06:20:00Z",
    "2026-04-04T15:10:00Z",
];

/// Some of the instants, each with a kind of keys.
pub fn instants(rng: &mut Rng) -> Vec<(DateTime<Utc>, Kind)> {
    let mut kinds = Kind::ALL;
    rng.shuffle(&mut kinds);
    let instants = some(rng, INSTANTS).map(|text| text.parse().expect("an instant"));
    instants.zip(kinds.into_iter().cycle()).collect()
}

/// A user who may stand in for who is missing.
#[derive(Debug)]
pub struct Manager {
    pub id: i64,
    /// None: of all facilities.
    pub facility: Option<i64>,
    pub is_admin: bool,
}

/// Writes some managers and admins of random facilities, each active or not.
pub async fn hire_managers(rng: &mut Rng, clinic: &Clinic, facilities: i64) {
    for _ in 0..rng.u8(..7) {
        let role = pick(rng, &["MANAGER", "HOSPITAL_ADMIN"]);
        let facility = (rng.u8(..8) > 0).then(|| rng.i64(1..=facilities));
        let insert = "INSERT INTO users (facility_id, name, role, active) VALUES ($1, 'M', $2, $3)";
        clinic.client.execute(insert, &[&facility, &role, &(rng.u8(..3) > 0)]).await.expect("can be inserted");
    }
}

/// The active managers and admins.
pub async fn managers(clinic: &Clinic) -> Vec<Manager> {
    let query = "SELECT id, facility_id, role FROM users WHERE active AND role IN ('MANAGER', 'HOSPITAL_ADMIN')";
    let manager = |row: &tokio_postgres::Row| Manager {
        id: row.get(0),
        facility: row.get(1),
        is_admin: row.get::<_, &str>(2) == "HOSPITAL_ADMIN",
    };
    clinic.rows(query).await.iter().map(manager).collect()
}

/// Who is told of an item of that facility which concerns nobody: the managers of it, or else its admins.
pub fn stand_ins(managers: &[Manager], facility: Option<i64>) -> BTreeSet<i64> {
    let near = |manager: &&Manager| facility.is_none() || manager.facility.is_none() || manager.facility == facility;
    let (admins, managers): (Vec<_>, Vec<_>) = managers.iter().filter(near).partition(|manager| manager.is_admin);
    let told = if managers.is_empty() { admins } else { managers };
    told.iter().map(|manager| manager.id).collect()
}
