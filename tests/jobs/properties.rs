//! Each rule in SQL against the same rule in Rust, on random rows. The seed is printed where they differ; set
//! ROUNDS_TEST_SEED to see it again.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use fastrand::Rng;

use crate::support::Clinic;

const VISITS: i64 = 1500;
const ZONES: [&str; 6] = [
    "America/New_York",
    "America/Denver",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
];

/// A visit with all that the rules look at.
struct Row {
    id: i64,
    zone: Tz,
    no_show_after: Option<i64>,
    waiting_after: Option<i64>,
    slot_minutes: Option<i64>,
    slot_end: Option<NaiveTime>,
    source: String,
    status: String,
    date: NaiveDate,
    time: NaiveTime,
    checked_in: Option<DateTime<Utc>>,
    vitals: Option<DateTime<Utc>>,
}

pub fn seed() -> u64 {
    std::env::var("ROUNDS_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..))
}

/// A wall clock as PostgreSQL reads it: what comes twice is the second, what does not exist has the offset before.
fn instant(zone: Tz, local: NaiveDateTime) -> DateTime<Utc> {
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
    fn starts_at(&self) -> DateTime<Utc> {
        instant(self.zone, self.date.and_time(self.time))
    }

    fn slot_ends_at(&self) -> Option<DateTime<Utc>> {
        let linked = self.slot_end.map(|end| instant(self.zone, self.date.and_time(end)));
        linked.or_else(|| Some(self.starts_at() + Duration::minutes(self.slot_minutes?)))
    }

    fn is_no_show(&self, now: DateTime<Utc>, lookback_days: i64) -> bool {
        let today = now.with_timezone(&self.zone).date_naive();
        self.source == "LOCAL"
            && ["SCHEDULED", "CONFIRMED"].contains(&self.status.as_str())
            && self.date >= today - Duration::days(lookback_days)
            && self
                .no_show_after
                .or(self.slot_minutes)
                .is_some_and(|timeout| now >= self.starts_at() + Duration::minutes(timeout))
    }

    fn alerts(&self, now: DateTime<Utc>, by_arrival: bool) -> Vec<&'static str> {
        let (Some(checked_in), "CHECKED_IN") = (self.checked_in, self.status.as_str()) else { return vec![] };
        let past = |since: Option<DateTime<Utc>>, minutes| {
            since.is_some_and(|since| now >= since + Duration::minutes(minutes))
        };
        let no_vitals = if by_arrival { Some(self.starts_at().max(checked_in)) } else { self.slot_ends_at() };
        let no_doctor = if by_arrival { self.vitals } else { self.slot_ends_at() };
        let mut alerts = vec![];
        if self.vitals.is_none() && past(no_vitals, 5) {
            alerts.push("NO_VITALS");
        }
        if self.vitals.is_some() && past(no_doctor, 10) {
            alerts.push("NO_DOCTOR");
        }
        if self.waiting_after.is_some_and(|minutes| past(Some(checked_in), minutes)) {
            alerts.push("WAITING_TOO_LONG");
        }
        alerts
    }
}

/// Fills a clinic with random rows around an instant, many of them on a boundary to the minute.
async fn random_clinic(rng: &mut Rng, now: DateTime<Utc>) -> Clinic {
    let clinic = Clinic::new().await;
    for zone in ZONES {
        let maybe = |rng: &mut Rng| if rng.bool() { Some(rng.i32(1..45)) } else { None };
        let insert = "INSERT INTO facilities (name, time_zone, no_show_after_minutes, waiting_alert_minutes)
                      VALUES ('F', $1, $2, $3) RETURNING id";
        let (after, waiting) = (maybe(rng), maybe(rng));
        let facility: i64 = clinic.row(insert, &[&zone, &after, &waiting]).await.get(0);
        for _ in 0..4 {
            let slot = [Some(10), Some(15), Some(30), None][rng.usize(..4)];
            clinic.doctor(facility, slot).await;
        }
    }
    let patient = clinic.patient().await;
    let insert = "INSERT INTO appointments (facility_id, doctor_id, patient_id, appointment_date, start_time, status,
                                            source, external_id, checked_in_at, vitals_recorded_at, cancelled_at)
                  SELECT facility_id, id, $2, $3, $4, $5, $6, $7, $8, $9, $10 FROM doctors WHERE id = $1
                  RETURNING id, doctor_id";
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
        let row = clinic
            .row(
                insert,
                &[&doctor, &patient, &date, &time, &status, &source, &external, &checked_in, &vitals, &cancelled],
            )
            .await;
        if rng.bool() {
            let insert =
                "INSERT INTO doctor_slots (doctor_id, slot_date, start_time, end_time, is_booked, appointment_id)
                          SELECT $1, $2, $3::time, $3::time + make_interval(mins => $4), true, $5
                          WHERE $3::time < $3::time + make_interval(mins => $4) ON CONFLICT DO NOTHING";
            let (id, minutes): (i64, i32) = (row.get(0), rng.i32(5..60));
            clinic.client.execute(insert, &[&doctor, &date, &time, &minutes, &id]).await.expect("can be inserted");
        }
    }
    clinic.sql("COMMIT").await;
    clinic
}

async fn rows(clinic: &Clinic) -> Vec<Row> {
    let query = "SELECT a.id, f.time_zone, f.no_show_after_minutes::bigint, f.waiting_alert_minutes::bigint,
                        d.slot_duration_minutes::bigint, s.end_time, a.source, a.status, a.appointment_date, a.start_time,
                        a.checked_in_at, a.vitals_recorded_at
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
    };
    clinic.rows(query).await.iter().map(row).collect()
}

/// Instants in winter, in summer, and in the hours of both changes.
fn instants() -> Vec<DateTime<Utc>> {
    [
        "2026-01-15T15:00:00Z",
        "2026-03-08T07:10:00Z",
        "2026-07-01T00:00:00Z",
        "2026-11-01T06:20:00Z",
        "2026-04-04T15:10:00Z",
    ]
    .map(|text| text.parse().expect("an instant"))
    .to_vec()
}

#[tokio::test]
async fn no_shows_are_what_the_oracle_says() {
    let seed = seed();
    let mut rng = Rng::with_seed(seed);
    for now in instants() {
        let clinic = random_clinic(&mut rng, now).await;
        let rows = rows(&clinic).await;
        let lookback = rng.i64(0..10);
        let due: BTreeSet<i64> = rows.iter().filter(|row| row.is_no_show(now, lookback)).map(|row| row.id).collect();
        let released: BTreeSet<i64> = rows
            .iter()
            .filter(|row| due.contains(&row.id) && row.slot_ends_at().is_some_and(|end| now < end))
            .map(|row| row.id)
            .collect();
        let (lookback, as_of) = (lookback.to_string(), now.to_rfc3339());
        let args = ["mark-no-shows", "--as-of", &as_of, "--lookback-days", &lookback, "--batch-rows", "100"];
        let outcome = clinic.run(&args).await;
        assert!([0, 3].contains(&outcome.code), "{outcome:?}");
        let ids = async |query: &str| clinic.rows(query).await.iter().map(|row| row.get(0)).collect::<BTreeSet<i64>>();
        assert!(due.len() > 20, "the rows are no test: {}", due.len());
        assert_eq!(ids("SELECT appointment_id FROM no_show_logs").await, due, "seed {seed}, {now}");
        let log = "SELECT appointment_id FROM no_show_logs WHERE slot_released";
        assert_eq!(ids(log).await, released, "seed {seed}, {now}");
        let taken = "SELECT a.id FROM appointments a JOIN doctor_slots s ON s.appointment_id = a.id WHERE s.is_booked";
        let expected = rows.iter().filter(|row| row.slot_end.is_some() && !released.contains(&row.id));
        assert_eq!(ids(taken).await, expected.map(|row| row.id).collect(), "seed {seed}, {now}");
    }
}

#[tokio::test]
async fn alerts_are_what_the_oracle_says() {
    let seed = seed();
    let mut rng = Rng::with_seed(seed);
    for now in instants() {
        let clinic = random_clinic(&mut rng, now).await;
        let rows = rows(&clinic).await;
        let by_arrival = rng.bool();
        let due: BTreeSet<(i64, String)> = rows
            .iter()
            .flat_map(|row| row.alerts(now, by_arrival).into_iter().map(|alert| (row.id, alert.to_owned())))
            .collect();
        let as_of = now.to_rfc3339();
        let basis = if by_arrival { "arrival" } else { "slot-end" };
        let outcome = clinic.run(&["stage-alerts", "--as-of", &as_of, "--basis", basis, "--batch-rows", "50"]).await;
        assert!([0, 3].contains(&outcome.code), "{outcome:?}");
        let raised = clinic.rows("SELECT appointment_id, alert_type FROM stage_alerts").await;
        let raised: BTreeSet<(i64, String)> = raised.iter().map(|row| (row.get(0), row.get(1))).collect();
        assert!(due.len() > 20, "the rows are no test: {}", due.len());
        assert_eq!(raised, due, "seed {seed}, {now}, {basis}");
    }
}
