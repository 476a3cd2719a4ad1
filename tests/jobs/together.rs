//! Any interleaving of an application that books, cancels, records leave and edits hours with runs of the four jobs that
//! look at visits: after a last quiet run of each, slots, visits and messages agree.

use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use fastrand::Rng;

use super::properties::{instant, pick, seed, worlds};
use crate::support::Clinic;

const ZONE: chrono_tz::Tz = chrono_tz::America::New_York;
/// A Monday. The clock of New York changes six days later.
const FIRST_DAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 3, 2).expect("a date");
const DAYS: i64 = 7;
const HOURS: [&str; 4] = ["08:00", "09:00", "10:00", "11:00"];
const JOBS: [&str; 4] = ["apply-absences", "notify-cancellations", "flag-schedule-conflicts", "mark-no-shows"];

/// What is true after the last runs: a query of what breaks it, and what that is. `{now}` is the instant of the last
/// runs.
const BROKEN: [(&str, &str); 9] = [
    (
        "a slot is booked by a cancelled visit",
        "SELECT s.id::text FROM doctor_slots s JOIN appointments a ON a.id = s.appointment_id
         WHERE a.status = 'CANCELLED'",
    ),
    (
        "a slot under leave can be booked",
        "SELECT s.id::text FROM doctor_slots s
         JOIN doctor_absences x ON x.doctor_id = s.doctor_id AND x.status = 'ACTIVE'
         WHERE NOT s.is_booked AND NOT s.is_blocked
           AND (s.slot_date + s.end_time) AT TIME ZONE 'America/New_York' > '{now}'
           AND s.slot_date + s.start_time < x.last_day + COALESCE(x.end_time, '24:00')
           AND s.slot_date + s.end_time > x.first_day + COALESCE(x.start_time, '00:00')",
    ),
    (
        "a slot is blocked for no leave",
        "SELECT s.id::text FROM doctor_slots s
         WHERE s.is_blocked AND NOT s.is_booked
           AND (s.slot_date + s.end_time) AT TIME ZONE 'America/New_York' > '{now}'
           AND NOT EXISTS (SELECT FROM doctor_absences x WHERE x.doctor_id = s.doctor_id AND x.status = 'ACTIVE'
                           AND s.slot_date + s.start_time < x.last_day + COALESCE(x.end_time, '24:00')
                           AND s.slot_date + s.end_time > x.first_day + COALESCE(x.start_time, '00:00'))",
    ),
    (
        "a visit has two slots",
        "SELECT s.appointment_id::text FROM doctor_slots s WHERE s.appointment_id IS NOT NULL
         GROUP BY 1 HAVING count(*) > 1",
    ),
    (
        "a cancelled visit is in no ledger",
        "SELECT a.id::text FROM appointments a WHERE a.status = 'CANCELLED' AND NOT EXISTS (
             SELECT FROM visit_cancellations c WHERE c.appointment_id = a.id::text AND c.ended_at IS NULL)",
    ),
    (
        "a doctor was told of a cancellation not exactly once",
        "SELECT c.id::text FROM visit_cancellations c
         LEFT JOIN notifications n ON n.type = 'VISIT_CANCELLED' AND n.channel = 'IN_APP'
              AND n.dedupe_key LIKE 'visit_cancelled:' || c.appointment_id || ':' || c.run_id || ':%'
         GROUP BY c.id HAVING count(n.id) <> CASE WHEN c.outcome = 'TOLD' THEN 1 ELSE 0 END",
    ),
    (
        "a patient was told of an emergency not exactly once",
        "SELECT v.appointment_id FROM absence_visits v
         LEFT JOIN LATERAL (SELECT count(*) AS told FROM notifications n
                            WHERE n.type = 'DOCTOR_UNAVAILABLE' AND n.channel = 'IN_APP'
                              AND n.entity_id = v.appointment_id) n ON true
         WHERE v.outcome = 'CANCELLED'
         GROUP BY v.appointment_id, n.told HAVING n.told <> count(*)",
    ),
    (
        "a patient was told of changed hours not exactly once",
        "SELECT f.appointment_id FROM schedule_flags f
         LEFT JOIN LATERAL (SELECT count(*) AS told FROM notifications n
                            WHERE n.type = 'SCHEDULE_CHANGE' AND n.channel = 'IN_APP'
                              AND n.entity_id = f.appointment_id) n ON true
         GROUP BY f.appointment_id, n.told HAVING n.told <> count(*)",
    ),
    (
        "somebody was told of a visit that was past",
        "SELECT n.type || ' ' || n.entity_id FROM notifications n JOIN appointments a ON a.id::text = n.entity_id
         WHERE n.entity = 'appointment' AND n.type <> 'MISSED_APPOINTMENT'
           AND n.created_at >= (a.appointment_date + a.start_time + interval '1 hour') AT TIME ZONE 'America/New_York'",
    ),
];

struct World {
    clinic: Clinic,
    rng: Rng,
    /// The local time at the clinic.
    now: NaiveDateTime,
    doctors: [i64; 2],
    /// What happened, for who looks at a failure.
    story: Vec<String>,
}

impl World {
    /// A clinic whose two doctors have an hour a visit, four a day for a week, and the hours for them.
    async fn new(seed: u64) -> Self {
        let clinic = Clinic::new().await;
        let (facility, first) = clinic.new_york(60).await;
        let second = clinic.doctor(facility, Some(60)).await;
        clinic.user(facility, "HOSPITAL_ADMIN").await;
        clinic.user(facility, "RECEPTIONIST").await;
        for doctor in [first, second] {
            let week = format!(
                "INSERT INTO doctor_slots (doctor_id, slot_date, start_time, end_time)
                 SELECT {doctor}, date '{FIRST_DAY}' + d, start, start + interval '1 hour'
                 FROM generate_series(0, {DAYS} - 1) d, unnest('{{{}}}'::time[]) start;
                 INSERT INTO doctor_schedules (doctor_id, weekday, start_time, end_time, created_at, updated_at)
                 SELECT {doctor}, d, '08:00', '12:00', '2026-01-01', '2026-01-01' FROM generate_series(1, 7) d",
                HOURS.join(",")
            );
            clinic.sql(&week).await;
        }
        let now = FIRST_DAY.and_time(NaiveTime::MIN) + Duration::hours(6);
        let (rng, doctors, story) = (Rng::with_seed(seed), [first, second], vec![]);
        let mut world = Self { clinic, rng, now, doctors, story };
        // The ledgers begin.
        for job in JOBS {
            world.run(job).await;
        }
        world
    }

    fn instant(&self) -> DateTime<Utc> {
        instant(ZONE, self.now)
    }

    async fn run(&mut self, job: &str) {
        let at = self.instant().to_rfc3339();
        self.story.push(format!("{} {job}", self.now));
        let outcome = self.clinic.run(&[job, "--as-of", &at]).await;
        assert_eq!(outcome.code, 0, "{outcome:?}\n{}", self.story.join("\n"));
    }

    /// What the application does: it changes what it likes, and no more of it than it may.
    async fn act(&mut self) {
        let (doctor, day, hour) = (pick(&mut self.rng, &self.doctors), self.day(), pick(&mut self.rng, &HOURS));
        let at = self.instant().to_rfc3339();
        let some = self.rng.u32(0..1_000_000);
        let one = |from: &str| format!("(SELECT id FROM {from} ORDER BY md5(id::text || '{some}') LIMIT 1)");
        let act = match self.rng.u8(..14) {
            0..=4 => format!(
                "WITH free AS (SELECT s.id, s.doctor_id, s.slot_date, s.start_time FROM doctor_slots s
                               WHERE NOT s.is_booked AND NOT s.is_blocked
                                 AND (s.slot_date + s.start_time) AT TIME ZONE 'America/New_York' > '{at}'
                               ORDER BY md5(s.id::text || '{some}') LIMIT 3),
                 p AS (INSERT INTO patients (mrn, first_name, last_name, phone)
                       SELECT gen_random_uuid(), 'Pat', 'Doe', '+1555' WHERE EXISTS (SELECT FROM free) RETURNING id),
                 booked AS (INSERT INTO appointments (facility_id, doctor_id, patient_id, appointment_date, start_time,
                                                      created_at, updated_at)
                            SELECT d.facility_id, d.id, p.id, free.slot_date, free.start_time, '{at}', '{at}'
                            FROM free JOIN doctors d ON d.id = free.doctor_id CROSS JOIN p
                            RETURNING id, doctor_id, appointment_date, start_time)
                 UPDATE doctor_slots s SET is_booked = true, appointment_id = b.id FROM booked b
                 WHERE s.doctor_id = b.doctor_id AND s.slot_date = b.appointment_date AND s.start_time = b.start_time"
            ),
            5 | 6 => format!(
                "UPDATE appointments SET status = 'CANCELLED', cancelled_at = '{at}' WHERE id = {}",
                one("appointments WHERE status IN ('SCHEDULED', 'CONFIRMED')")
            ),
            // It is booked again at its time, with the slot if that is still its own or free.
            7 => format!(
                "WITH again AS (UPDATE appointments SET status = 'SCHEDULED', cancelled_at = NULL WHERE id = {}
                                RETURNING id, doctor_id, appointment_date, start_time)
                 UPDATE doctor_slots s SET is_booked = true, appointment_id = a.id FROM again a
                 WHERE s.doctor_id = a.doctor_id AND s.slot_date = a.appointment_date AND s.start_time = a.start_time
                   AND NOT s.is_booked AND NOT s.is_blocked",
                one("appointments WHERE status = 'CANCELLED'")
            ),
            8 => format!(
                "UPDATE appointments SET status = 'CHECKED_IN', checked_in_at = '{at}' WHERE id = {}",
                one("appointments WHERE status = 'SCHEDULED'")
            ),
            9 | 10 => {
                let (kind, days) = (pick(&mut self.rng, &["EMERGENCY", "ANNUAL_LEAVE"]), self.rng.i64(0..3));
                let part = if self.rng.bool() { "NULL, NULL".into() } else { format!("'{hour}', '23:00'") };
                format!(
                    "INSERT INTO doctor_absences (doctor_id, type, first_day, last_day, start_time, end_time)
                     VALUES ({doctor}, '{kind}', '{day}', date '{day}' + {days}, {part})"
                )
            }
            11 => format!(
                "UPDATE doctor_absences SET {} WHERE id = {}",
                pick(&mut self.rng, &["status = 'CANCELLED'", "last_day = first_day", "last_day = last_day + 1"]),
                one("doctor_absences WHERE status = 'ACTIVE' AND (start_time IS NULL OR start_time < end_time)")
            ),
            12 => format!("DELETE FROM doctor_absences WHERE id = {}", one("doctor_absences")),
            _ => format!(
                "UPDATE doctor_schedules SET start_time = '{hour}', updated_at = '{at}'
                 WHERE doctor_id = {doctor} AND weekday = extract(isodow FROM date '{day}')"
            ),
        };
        self.story.push(format!("{} {act}", self.now));
        self.clinic.sql(&act).await;
    }

    /// A day of the week that is not over.
    fn day(&mut self) -> NaiveDate {
        let left = DAYS - (self.now.date() - FIRST_DAY).num_days();
        self.now.date() + Duration::days(self.rng.i64(0..left.max(1)))
    }

    async fn live(&mut self) {
        while self.now.date() < FIRST_DAY + Duration::days(DAYS - 1) {
            self.now += Duration::minutes(self.rng.i64(1..300));
            for _ in 0..self.rng.u8(1..4) {
                self.act().await;
            }
            if self.rng.bool() {
                let job = pick(&mut self.rng, &JOBS);
                self.run(job).await;
            }
        }
        for job in JOBS {
            self.run(job).await;
        }
    }
}

#[tokio::test]
async fn whatever_comes_when_slots_visits_and_messages_agree_in_the_end() {
    let first = seed();
    for seed in (0..worlds().div_ceil(2)).map(|n| first.wrapping_add(n)) {
        let mut world = World::new(seed).await;
        world.live().await;
        let now = world.instant().to_rfc3339();
        for (what, query) in BROKEN {
            let broken: Vec<String> =
                world.clinic.rows(&query.replace("{now}", &now)).await.iter().map(|row| row.get(0)).collect();
            assert!(broken.is_empty(), "seed {seed}: {what}: {broken:?}\n{}", world.story.join(";\n"));
        }
        // A second quiet run of each finds nothing.
        let messages = world.clinic.count("SELECT count(*) FROM notifications").await;
        for job in JOBS {
            world.run(job).await;
        }
        assert_eq!(world.clinic.count("SELECT count(*) FROM notifications").await, messages, "seed {seed}");
    }
}
