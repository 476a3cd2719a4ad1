//! Random bookings, cancellations and leave, with runs between, against the state that the rule asks for.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, NaiveDate, NaiveTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use fastrand::Rng;

use crate::jobs::owed;
use crate::jobs::properties::{instant, instants, pick, seed, worlds};
use crate::support::Clinic;
use crate::support::keys::Kind;

const ZONES: [&str; 3] = ["America/New_York", "Pacific/Auckland", "Asia/Kathmandu"];
const STEPS: usize = 36;

/// An active absence, as the oracle reads it.
struct Leave {
    is_emergency: bool,
    begins_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
}

impl Leave {
    fn covers(&self, starts_at: DateTime<Utc>, ends_at: DateTime<Utc>) -> bool {
        let touches = ends_at > self.begins_at || starts_at >= self.begins_at;
        self.begins_at < self.ends_at && starts_at < self.ends_at && touches
    }
}

/// A clinic with a doctor in each zone, and the slots of some days around an instant.
struct World {
    clinic: Clinic,
    kind: Kind,
    now: DateTime<Utc>,
    /// Slots that somebody else blocked.
    theirs: BTreeSet<i64>,
}

impl World {
    async fn new(kind: Kind, now: DateTime<Utc>, rng: &mut Rng) -> Self {
        let clinic = Clinic::of(kind).await;
        for zone in ZONES {
            let facility = clinic.facility(zone, Some(10)).await;
            clinic.doctor(facility, Some(30)).await;
            for role in ["RECEPTIONIST", "HOSPITAL_ADMIN"] {
                clinic.user(facility, role).await;
            }
        }
        let mut theirs = BTreeSet::new();
        for doctor in 1..=ZONES.len() as i64 {
            for day in -1..=3 {
                for _ in 0..6 {
                    let day = (now + Duration::days(day)).date_naive();
                    let time = NaiveTime::from_hms_opt(rng.u32(0..23), pick(rng, &[0, 30]), 0).expect("a time");
                    let blocked = rng.u8(..6) == 0;
                    let insert = "INSERT INTO doctor_slots (doctor_id, slot_date, start_time, end_time, is_blocked)
                                  VALUES (k($1), $2::date, $3::time, $3::time + interval '30 minutes', $4)
                                  ON CONFLICT DO NOTHING RETURNING n(id)";
                    let rows = clinic.client.query(insert, &[&doctor, &day, &time, &blocked]).await.expect("inserted");
                    theirs.extend(rows.iter().filter(|_| blocked).map(|row| row.get::<_, i64>(0)));
                }
            }
        }
        Self { clinic, kind, now, theirs }
    }

    /// What people do between runs.
    async fn step(&self, rng: &mut Rng) {
        let doctor = rng.i64(1..=ZONES.len() as i64);
        match rng.u8(..10) {
            0..=3 => self.book(rng, doctor).await,
            4 => {
                let cancel = "UPDATE appointments SET status = 'CANCELLED', cancelled_at = $2::timestamptz
                              WHERE id = (SELECT id FROM appointments WHERE status IN ('SCHEDULED', 'CONFIRMED')
                                          AND doctor_id = k($1) ORDER BY id LIMIT 1)";
                self.clinic.client.execute(cancel, &[&doctor, &self.now]).await.expect("cancelled");
            }
            5 | 6 => self.enter_leave(rng, doctor).await,
            7 => self.change_leave(rng).await,
            8 => drop(self.clinic.mark(&self.at()).await),
            _ => self.apply().await,
        }
    }

    /// Takes a slot that can be booked, or a time without one.
    async fn book(&self, rng: &mut Rng, doctor: i64) {
        let status = pick(rng, &["SCHEDULED", "CONFIRMED", "CHECKED_IN"]);
        let checked_in = (status == "CHECKED_IN").then_some(self.now);
        let patient = self.clinic.patient().await;
        let is_foreign = rng.u8(..8) == 0;
        let (source, external) = if is_foreign { ("PRACTICEQ", Some(patient.to_string())) } else { ("LOCAL", None) };
        // The application also blocks the slots that it books, sometimes.
        let blocks = rng.bool();
        let insert = format!(
            "WITH slot AS (SELECT s.* FROM doctor_slots s WHERE s.doctor_id = k($1) AND NOT s.is_booked AND NOT s.is_blocked
                           ORDER BY md5(s.id::text || $2::text) LIMIT 1),
             visit AS (INSERT INTO appointments (facility_id, doctor_id, patient_id, appointment_date, start_time, status,
                                                 checked_in_at, source, external_id)
                       SELECT d.facility_id, d.id, k($3), slot.slot_date, slot.start_time, '{status}',
                              $4::timestamptz, '{source}', $5
                       FROM slot JOIN doctors d ON d.id = slot.doctor_id RETURNING id)
             SELECT n(visit.id), n(slot.id) FROM visit, slot"
        );
        let salt = rng.u32(..).to_string();
        let rows = self.clinic.client.query(&insert, &[&doctor, &salt, &patient, &checked_in, &external]).await;
        for row in rows.expect("booked") {
            let (visit, slot): (i64, i64) = (row.get(0), row.get(1));
            let take =
                "UPDATE doctor_slots SET is_booked = true, is_blocked = $3, appointment_id = k($1) WHERE id = k($2)";
            self.clinic.client.execute(take, &[&visit, &slot, &blocks]).await.expect("taken");
        }
    }

    async fn enter_leave(&self, rng: &mut Rng, doctor: i64) {
        let first = (self.now + Duration::days(rng.i64(-1..3))).date_naive();
        let last = first + Duration::days(rng.i64(0..3));
        let time = |rng: &mut Rng| {
            let time = NaiveTime::from_hms_opt(rng.u32(0..24), pick(rng, &[0, 15, 30]), 0).expect("a time");
            (rng.u8(..4) == 0).then_some(time)
        };
        let (start, mut end) = (time(rng), time(rng));
        if first == last && start.zip(end).is_some_and(|(from, to)| from >= to) {
            end = None;
        }
        let kind = pick(rng, &["EMERGENCY", "EMERGENCY", "ANNUAL_LEAVE", "OTHER"]);
        let insert = format!(
            "INSERT INTO doctor_absences (doctor_id, type, first_day, last_day, start_time, end_time)
             VALUES (k($1), '{kind}', $2::date, $3::date, $4::time, $5::time)"
        );
        self.clinic.client.execute(&insert, &[&doctor, &first, &last, &start, &end]).await.expect("entered");
    }

    async fn change_leave(&self, rng: &mut Rng) {
        let one =
            format!("WHERE id = (SELECT id FROM doctor_absences ORDER BY md5(id::text || '{}') LIMIT 1)", rng.u32(..));
        let change = pick(
            rng,
            &[
                "UPDATE doctor_absences SET status = 'CANCELLED'",
                "UPDATE doctor_absences SET last_day = last_day + 1",
                "UPDATE doctor_absences SET last_day = first_day, start_time = NULL, end_time = NULL",
                "UPDATE doctor_absences SET type = 'OTHER'",
                "UPDATE doctor_absences SET type = 'EMERGENCY'",
                "DELETE FROM doctor_absences",
            ],
        );
        self.clinic.sql(&format!("{change} {one}")).await;
    }

    fn at(&self) -> String {
        self.now.to_rfc3339_opts(SecondsFormat::AutoSi, true)
    }

    async fn apply(&self) {
        let outcome = self.clinic.run(&["apply-absences", "--as-of", &self.at()]).await.expect(0);
        owed::balanced(&outcome, "applied");
    }

    /// The active absences of each doctor.
    async fn leaves(&self) -> BTreeMap<i64, Vec<Leave>> {
        let query = "SELECT n(doctor_id), type::text, first_day::date, last_day::date, start_time::text::time,
                            end_time::text::time FROM doctor_absences WHERE status = 'ACTIVE'";
        let mut leaves: BTreeMap<i64, Vec<Leave>> = BTreeMap::new();
        for row in self.clinic.rows(query).await {
            let doctor: i64 = row.get(0);
            let zone = zone(doctor);
            let (first, last): (NaiveDate, NaiveDate) = (row.get(2), row.get(3));
            let (from, to): (Option<NaiveTime>, Option<NaiveTime>) = (row.get(4), row.get(5));
            let ends = to.map_or((last + Duration::days(1)).and_time(NaiveTime::MIN), |time| last.and_time(time));
            leaves.entry(doctor).or_default().push(Leave {
                is_emergency: row.get::<_, &str>(1) == "EMERGENCY",
                begins_at: instant(zone, first.and_time(from.unwrap_or(NaiveTime::MIN))),
                ends_at: instant(zone, ends),
            });
        }
        leaves
    }

    /// Fails unless all slots and visits are as the leaves ask for.
    async fn check(&self, what: &str) {
        let leaves = self.leaves().await;
        let none = vec![];
        let slots =
            "SELECT n(s.id), n(s.doctor_id), s.slot_date::date, s.start_time::text::time, s.end_time::text::time,
                            s.is_booked, s.is_blocked, a.status::text, a.source::text
                     FROM doctor_slots s LEFT JOIN appointments a ON a.id = s.appointment_id";
        for row in self.clinic.rows(slots).await {
            let (slot, doctor, day): (i64, i64, NaiveDate) = (row.get(0), row.get(1), row.get(2));
            let [starts_at, ends_at] =
                [3, 4].map(|at| instant(zone(doctor), day.and_time(row.get::<_, NaiveTime>(at))));
            let (booked, blocked, status): (bool, bool, Option<String>) = (row.get(5), row.get(6), row.get(7));
            let what = format!("{what}: slot {slot}, booked {booked}, blocked {blocked}, visit {status:?}");
            if ends_at <= self.now {
                continue;
            }
            let covering: Vec<&Leave> =
                leaves.get(&doctor).unwrap_or(&none).iter().filter(|leave| leave.covers(starts_at, ends_at)).collect();
            if covering.is_empty() {
                // A booking may block its slot; what nobody booked is blocked by nobody but them.
                assert!(booked || blocked == self.theirs.contains(&slot), "{what}: no leave");
            } else {
                assert!(blocked, "{what}: leave");
                assert_ne!(status.as_deref(), Some("CANCELLED"), "{what}");
            }
            let is_local = row.get::<_, Option<&str>>(8) == Some("LOCAL");
            let is_awaited = status.is_some_and(|status| ["SCHEDULED", "CONFIRMED", "CHECKED_IN"].contains(&&*status));
            let is_emergency = covering.iter().any(|leave| leave.is_emergency);
            assert!(!(is_local && is_awaited && is_emergency), "{what}: an emergency");
        }
        let told = "SELECT count(*) FILTER (WHERE c.n <> 1) AS not_once, count(*) AS visits FROM (
                        SELECT (SELECT count(*) FROM notifications n
                                WHERE n.type = 'DOCTOR_UNAVAILABLE' AND n.channel = 'IN_APP'
                                  AND n.entity_id = v.appointment_id) AS n
                        FROM absence_visits v WHERE v.outcome = 'CANCELLED') c";
        assert_eq!(self.clinic.json(told).await["not_once"], 0, "{what}: each patient is told once");
        let late = format!("SELECT count(*) FROM absence_visits WHERE ends_at <= '{}'", self.at());
        assert_eq!(self.clinic.count(&late).await, 0, "{what}: nobody is told of what is over");
        let unknown = "SELECT count(*) FROM absence_visits v WHERE v.outcome = 'CANCELLED' AND NOT EXISTS (
                           SELECT FROM visit_cancellations c
                           WHERE c.appointment_id = v.appointment_id AND c.outcome = 'BY_ABSENCE')";
        assert_eq!(self.clinic.count(unknown).await, 0, "{what}: each is known to notify-cancellations");
    }
}

fn zone(doctor: i64) -> Tz {
    ZONES[doctor as usize - 1].parse().expect("a zone")
}

#[tokio::test]
async fn whatever_people_do_a_last_run_brings_it_to_what_leave_asks_for() {
    let seed = seed();
    let mut cancelled = 0;
    // More worlds where no leave of these was an emergency that met a visit.
    for world in 0..4 * worlds() {
        if world >= worlds() && cancelled > 0 {
            break;
        }
        let mut rng = Rng::with_seed(seed.wrapping_add(world));
        let (now, _) = instants(&mut rng)[0];
        let kind = Kind::ALL[world as usize % 3];
        let world = World::new(kind, now, &mut rng).await;
        for _ in 0..STEPS {
            world.step(&mut rng).await;
        }
        world.apply().await;
        let what = format!("seed {seed}, {now}, {:?}", world.kind);
        world.check(&what).await;
        let before = owed::state(&world.clinic).await;
        let outcome = world.clinic.run(&["apply-absences", "--as-of", &world.at()]).await.expect(0);
        assert_eq!(outcome.count("scanned") + outcome.count("absences"), 0, "{what}: {outcome:?}");
        let mut after = owed::state(&world.clinic).await;
        after["state"]["cron_job_runs"] = before["state"]["cron_job_runs"].clone();
        assert_eq!(after, before, "{what}");
        cancelled += world.clinic.count("SELECT count(*) FROM absence_visits WHERE outcome = 'CANCELLED'").await;
    }
    assert!(cancelled > 0, "the worlds are no test: {cancelled}, seed {seed}");
}

#[tokio::test]
async fn what_is_said_of_a_visit_is_what_a_run_does() {
    let seed = seed();
    let mut rng = Rng::with_seed(seed);
    let mut due = 0;
    for (now, kind) in instants(&mut rng) {
        let world = World::new(kind, now, &mut rng).await;
        for _ in 0..STEPS {
            let doctor = rng.i64(1..=ZONES.len() as i64);
            match rng.bool() {
                true => world.book(&mut rng, doctor).await,
                false => world.enter_leave(&mut rng, doctor).await,
            }
        }
        let as_of = world.at();
        let dry = ["apply-absences", "--as-of", &as_of, "--dry-run", "--list", "1000", "--output", "json"];
        let report = world.clinic.run(&dry).await.expect(0).report();
        let list = report["list"].as_array().expect("a list").iter().filter(|line| line["entity"] == "appointment");
        let listed: BTreeSet<&str> = list.map(|line| line["id"].as_str().expect("an id")).collect();
        let ids: Vec<String> =
            world.clinic.rows("SELECT id::text FROM appointments").await.iter().map(|row| row.get(0)).collect();
        for id in ids {
            let explain = ["apply-absences", "--as-of", &as_of, "--explain", &id, "--output", "json"];
            let said = world.clinic.run(&explain).await.expect(0).report();
            assert_eq!(said["due"], listed.contains(&*id), "seed {seed}, {now}, {kind:?}: {said}");
            assert_eq!(
                said["verdicts"][0]["reasons"] == serde_json::json!([]),
                said["due"] == true,
                "seed {seed}: {said}"
            );
            due += i32::from(said["due"] == true);
        }
    }
    assert!(due > 3, "the rows are no test: {due}, seed {seed}");
}
