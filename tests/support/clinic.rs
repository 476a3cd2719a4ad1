//! A database of one test, and words to fill it with.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row};

use super::keys::Kind;
use super::program::{Outcome, Program};
use super::{Database, connect, in_roles, pooled, program_url, server};

/// A migrated database.
pub struct Clinic {
    pub database: Database,
    pub client: Client,
    pub program: Program,
    pub kind: Kind,
}

/// A visit to be booked; local time at its facility.
pub struct Visit<'a> {
    pub facility: i64,
    pub doctor: i64,
    pub date: &'a str,
    pub time: &'a str,
    pub status: &'a str,
    pub checked_in: Option<&'a str>,
    pub vitals: Option<&'a str>,
    /// Minutes of a linked slot; None: no slot row.
    pub slot: Option<i32>,
}

impl Clinic {
    pub async fn new() -> Self {
        Self::of(Kind::Bigint).await
    }

    /// With keys and tables of a kind.
    pub async fn of(kind: Kind) -> Self {
        let mut clinic = Self::on(Database::migrated(kind).await, kind).await;
        if in_roles() && kind == Kind::Bigint {
            clinic.program = clinic.program.in_roles();
        }
        clinic
    }

    /// An empty database, which is no clinic's yet.
    pub async fn empty() -> Self {
        Self::on(Database::empty().await, Kind::Bigint).await
    }

    /// On a database with the two functions of the kind's keys.
    pub async fn on(database: Database, kind: Kind) -> Self {
        let client = connect(&server().url(&database)).await;
        Self { program: Program::new(&program_url(&database)), database, client, kind }
    }

    /// With so many visits that are due as of 09:15, ids from 1, and an open gate.
    pub async fn with_visits(visits: i64) -> Self {
        let clinic = Self::new().await;
        let (facility, doctor) = clinic.new_york(15).await;
        clinic.many(facility, doctor, visits).await;
        super::gate::build(&clinic).await;
        clinic
    }

    /// Runs the program on this database.
    pub async fn run(&self, args: &[&str]) -> Outcome {
        self.program.run(args).await
    }

    /// Runs `mark-no-shows` as of an instant.
    pub async fn mark(&self, as_of: &str) -> Outcome {
        self.run(&["mark-no-shows", "--as-of", as_of]).await
    }

    pub async fn sql(&self, statements: &str) {
        self.client.batch_execute(statements).await.unwrap_or_else(|error| panic!("{statements}: {error:?}"));
    }

    pub async fn row(&self, query: &str, params: &[&(dyn ToSql + Sync)]) -> Row {
        self.client.query_one(query, params).await.unwrap_or_else(|error| panic!("{query}: {error:?}"))
    }

    pub async fn rows(&self, query: &str) -> Vec<Row> {
        self.client.query(query, &[]).await.unwrap_or_else(|error| panic!("{query}: {error:?}"))
    }

    /// The number that a query gives.
    pub async fn count(&self, query: &str) -> i64 {
        self.row(query, &[]).await.get(0)
    }

    /// The value that a query gives, as JSON.
    pub async fn json(&self, query: &str) -> Value {
        self.row(&format!("SELECT to_jsonb(q) FROM ({query}) q"), &[]).await.get(0)
    }

    /// A facility in America/New_York with one doctor of that slot length: (facility, doctor).
    pub async fn new_york(&self, slot_minutes: i32) -> (i64, i64) {
        let facility = self.facility("America/New_York", None).await;
        (facility, self.doctor(facility, Some(slot_minutes)).await)
    }

    pub async fn facility(&self, zone: &str, no_show_after: Option<i32>) -> i64 {
        let insert =
            "INSERT INTO facilities (name, time_zone, no_show_after_minutes) VALUES ('F', $1, $2::int) RETURNING n(id)";
        self.row(insert, &[&zone, &no_show_after]).await.get(0)
    }

    pub async fn user(&self, facility: i64, role: &str) -> i64 {
        let insert =
            format!("INSERT INTO users (facility_id, name, role) VALUES (k($1), 'U', '{role}') RETURNING n(id)");
        self.row(&insert, &[&facility]).await.get(0)
    }

    /// A HOSPITAL_ADMIN without a facility, who belongs to the group.
    pub async fn of_the_group(&self) -> i64 {
        self.row("INSERT INTO users (name, role) VALUES ('G', 'HOSPITAL_ADMIN') RETURNING n(id)", &[]).await.get(0)
    }

    pub async fn doctor(&self, facility: i64, slot_minutes: Option<i32>) -> i64 {
        let user = self.user(facility, "DOCTOR").await;
        let insert = "INSERT INTO doctors (facility_id, user_id, first_name, last_name, slot_duration_minutes)
                      VALUES (k($1), k($2), 'Ada', 'Stone', $3::int) RETURNING n(id)";
        self.row(insert, &[&facility, &user, &slot_minutes]).await.get(0)
    }

    pub async fn patient(&self) -> i64 {
        let insert = "INSERT INTO patients (mrn, first_name, last_name, phone)
                      VALUES ('M' || gen_random_uuid(), 'Pat', 'Doe', '+1555') RETURNING n(id)";
        self.row(insert, &[]).await.get(0)
    }

    /// Makes the server of this database refuse a time zone in AT TIME ZONE, as one does that has never heard of it:
    /// `US/Eastern` is none any more on a system without the old names.
    pub async fn forget_zone(&self, name: &str) {
        for (at, result) in [("timestamp", "timestamptz"), ("timestamptz", "timestamp")] {
            self.sql(&format!(
                "ALTER FUNCTION pg_catalog.timezone(text, {at}) RENAME TO timezone_of_the_server;
                 CREATE FUNCTION pg_catalog.timezone(zone text, at {at}) RETURNS {result}
                 LANGUAGE plpgsql IMMUTABLE STRICT AS $$ BEGIN
                     IF zone = '{name}' THEN
                         RAISE EXCEPTION 'time zone \"%\" not recognized', zone USING ERRCODE = '22023';
                     END IF;
                     RETURN pg_catalog.timezone_of_the_server(zone, at);
                 END $$"
            ))
            .await;
        }
    }

    /// Books a visit with a patient of its own.
    pub async fn visit(&self, visit: Visit<'_>) -> i64 {
        let patient = self.patient().await;
        let Visit { facility, doctor, date, time, status, checked_in, vitals, slot } = visit;
        let insert = format!(
            "INSERT INTO appointments (facility_id, doctor_id, patient_id, appointment_date, start_time, status,
                                       checked_in_at, vitals_recorded_at)
             VALUES (k($1), k($2), k($3), $4::text::date, $5::text::time, '{status}', $6::text::timestamptz,
                     $7::text::timestamptz) RETURNING n(id)"
        );
        let id: i64 =
            self.row(&insert, &[&facility, &doctor, &patient, &date, &time, &checked_in, &vitals]).await.get(0);
        if let Some(minutes) = slot {
            let insert = "INSERT INTO doctor_slots (doctor_id, slot_date, start_time, end_time, is_booked, is_blocked,
                                                    appointment_id)
                          VALUES (k($1), $2::text::date, $3::text::time, $3::text::time + make_interval(mins => $4),
                                  true, true, k($5)) RETURNING n(id)";
            self.row(insert, &[&doctor, &date, &time, &minutes, &id]).await;
        }
        id
    }

    /// A SCHEDULED visit without a slot row.
    pub async fn scheduled(&self, facility: i64, doctor: i64, date: &str, time: &str) -> i64 {
        let status = "SCHEDULED";
        self.visit(Visit { facility, doctor, date, time, status, checked_in: None, vitals: None, slot: None }).await
    }

    /// Many visits at 09:00 New York time on 2026-03-02 at once, with ids in order.
    pub async fn many(&self, facility: i64, doctor: i64, visits: i64) {
        let patient = self.patient().await;
        let insert = "INSERT INTO appointments (facility_id, doctor_id, patient_id, appointment_date, start_time)
                      SELECT k($1), k($2), k($3), '2026-03-02', '09:00' FROM generate_series(1, $4::bigint)";
        self.client.execute(insert, &[&facility, &doctor, &patient, &visits]).await.expect("can be inserted");
    }

    pub async fn status(&self, visit: i64) -> String {
        self.row("SELECT status::text FROM appointments WHERE id = k($1)", &[&visit]).await.get(0)
    }

    /// How many visits are NO_SHOW, and how many logs and notifications there are.
    pub async fn effects(&self) -> (i64, i64, i64) {
        let query = "SELECT (SELECT count(*) FROM appointments WHERE status = 'NO_SHOW'),
                            (SELECT count(*) FROM no_show_logs), (SELECT count(*) FROM notifications)";
        let row = self.row(query, &[]).await;
        (row.get(0), row.get(1), row.get(2))
    }

    /// Writes the row that a dead run of `mark-no-shows` would have left: the age of its heartbeat, the time since its
    /// deadline.
    pub async fn dead_run(&self, heartbeat_age: &str, past_deadline: &str) {
        let insert = format!(
            "INSERT INTO cron_job_runs (id, job_name, status, started_at, heartbeat_at, deadline_at, host, version)
             SELECT gen_random_uuid(), 'mark-no-shows', 'RUNNING', t - interval '1 hour', t - interval '{heartbeat_age}',
                    t - interval '{past_deadline}', 'h', 'v' FROM (SELECT clock_timestamp() AS t) c"
        );
        self.sql(&insert).await;
    }

    /// Waits until the server has let go of what killed runs had begun, and makes their leases be over. Returns how
    /// many runs that were.
    pub async fn bury(&self) -> u64 {
        // The pooler keeps its own connections to the server, idle.
        let query = if pooled() { "state <> 'idle'" } else { "true" };
        let query = format!(
            "SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND application_name LIKE 'rounds/%' AND {query}"
        );
        let began = Instant::now();
        while self.count(&query).await > 0 {
            assert!(began.elapsed() < Duration::from_secs(30), "a run is still at work");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.expire_leases().await
    }

    /// Waits until so many statements of others wait for a lock. Who holds it is a session of its own: within a
    /// transaction the activity is seen as it was once.
    pub async fn waiting(&self, statements: i64) {
        let query = "SELECT count(*) FROM pg_stat_activity
                     WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let began = Instant::now();
        while self.count(query).await != statements {
            assert!(began.elapsed() < Duration::from_secs(30), "{statements} statements never waited");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Makes the leases of all runs be over, as if they had been silent for an hour. Returns how many runs that were.
    pub async fn expire_leases(&self) -> u64 {
        let late = "UPDATE cron_job_runs SET heartbeat_at = heartbeat_at - interval '1 hour' WHERE status = 'RUNNING'";
        self.client.execute(late, &[]).await.expect("can be set")
    }
}
