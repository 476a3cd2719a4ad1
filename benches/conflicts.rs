//! The cost of `rounds flag-schedule-conflicts`, against what the database itself needs, against the limit and against a
//! transaction a row.
//!
//! Every figure is a ratio within one run on one machine; a target that is missed is exit code 1. The server is a
//! scratch cluster with fsync on. ROUNDS_BENCH_ROWS=100000 is a quick run. See docs/performance.md.

mod contest;
mod harness;
#[allow(dead_code, reason = "not every use needs all of it")]
mod process;
mod recording;
#[path = "../src/demo/scratch/mod.rs"]
#[allow(dead_code, reason = "not every use needs all of it")]
mod scratch;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use contest::{Contest, hold};
use harness::Harness;
use recording::Change;
use tokio_postgres::{Error, NoTls};

/// Day in all the time zones of clinic.sql.
const AS_OF: &str = "2026-03-02T17:00:00Z";

const FIND: &str = "
    SELECT a.patient_id, a.facility_id, a.doctor_id, a.appointment_date, a.start_time, d.last_name, p.phone IS NOT NULL AS phone,
           p.sms_opt_out, (a.appointment_date + a.start_time) AT TIME ZONE f.time_zone AS starts_at,
           EXTRACT(isodow FROM a.appointment_date)::int AS weekday,
           EXISTS (SELECT FROM doctor_schedules w
                   WHERE w.doctor_id = a.doctor_id AND w.active
                     AND w.weekday = EXTRACT(isodow FROM a.appointment_date)::int AND w.start_time <= a.start_time
                     AND a.start_time + make_interval(mins => d.slot_duration_minutes) <= w.end_time) AS is_within
    FROM appointments a
    JOIN patients p ON p.id = a.patient_id
    JOIN facilities f ON f.id = a.facility_id
    JOIN doctors d ON d.id = a.doctor_id
    WHERE a.status IN ('SCHEDULED', 'CONFIRMED') AND a.source = 'LOCAL' AND a.id = $1
    FOR NO KEY UPDATE OF a";
const FLAG: &str = "
    INSERT INTO schedule_flags (appointment_id, facility_id, doctor_id, weekday, version, changed_at, visit_start, flagged_at)
    VALUES ($1::bigint::text, $2::bigint::text, $3::bigint::text, $4::int, 'v', '2026-03-01', $5::date + $6::time, $7)";
const NOTIFY: &str = "
    INSERT INTO notifications (recipient_kind, recipient_id, channel, type, title, body, metadata, entity, entity_id,
                               dedupe_key, status, sent_at, expires_at, created_at)
    SELECT 'PATIENT', $2::bigint::text, channel, 'SCHEDULE_CHANGE', 'Schedule Change Notification', body,
           jsonb_build_object('appointment_id', $1::bigint::text, 'starts_at', $3::timestamptz), 'appointment',
           $1::bigint::text, concat_ws(':', 'schedule_change', $1::bigint, channel),
           CASE WHEN channel = 'IN_APP' THEN 'SENT' WHEN $8::bool THEN 'SUPPRESSED' ELSE 'PENDING' END,
           CASE WHEN channel = 'IN_APP' THEN $4::timestamptz END, $3, $4
    FROM (VALUES ('IN_APP', format('Dr. %s''s schedule has changed. Your appointment at %s may be affected.',
                                   $5::text, $6::time)),
                 ('SMS', 'Your appointment may be affected by a schedule change. Please contact us to confirm.'))
         AS notice (channel, body)
    WHERE channel = 'IN_APP' OR $7::bool";

fn main() -> ExitCode {
    let visits = std::env::var("ROUNDS_BENCH_ROWS").map_or(1_000_000, |rows| rows.parse().expect("a number of rows"));
    let size = [format!("visits={visits}"), format!("due={}", 100_000.min(visits / 10)), format!("as_of={AS_OF}")];
    let harness = Harness::start("schedules.sql", &size);
    let contest = Contest {
        job: "flag-schedule-conflicts",
        args: &["--as-of", AS_OF, "--max-items", "200000", "--deadline", "20m"],
        changed: "SELECT appointment_id FROM schedule_flags ORDER BY appointment_id::bigint",
        singles: row_by_row,
        effects: "SELECT format('%s flags, %s versions, %s notifications', (SELECT count(*) FROM schedule_flags),
                                (SELECT count(*) FROM schedule_versions), (SELECT count(*) FROM notifications))",
        changes: &[
            Change { table: "schedule_versions", set: &[], written: "true" },
            Change { table: "schedule_flags", set: &[], written: "true" },
            Change { table: "notifications", set: &[], written: "true" },
        ],
    };
    if hold(&harness, &contest) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One transaction a visit, all statements prepared.
fn row_by_row(url: &str, ids: &[i64]) -> (usize, Duration) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    let began = Instant::now();
    let flagged = runtime.block_on(flag(url, ids)).expect("the loop works");
    (flagged, began.elapsed())
}

async fn flag(url: &str, ids: &[i64]) -> Result<usize, Error> {
    let now: DateTime<Utc> = AS_OF.parse().expect("an instant");
    let (mut client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    client.batch_execute("SET search_path = rounds").await?;
    let (find, flag, notify) =
        (client.prepare(FIND).await?, client.prepare(FLAG).await?, client.prepare(NOTIFY).await?);
    for id in ids {
        let tx = client.transaction().await?;
        let visit = tx.query_one(&find, &[id]).await?;
        let key = |column| visit.get::<_, i64>(column);
        let (day, time): (chrono::NaiveDate, chrono::NaiveTime) =
            (visit.get("appointment_date"), visit.get("start_time"));
        let (facility, doctor, patient) = (key("facility_id"), key("doctor_id"), key("patient_id"));
        let weekday: i32 = visit.get("weekday");
        tx.execute(&flag, &[id, &facility, &doctor, &weekday, &day, &time, &now]).await?;
        let starts_at: DateTime<Utc> = visit.get("starts_at");
        let (name, phone, opt_out): (&str, bool, bool) =
            (visit.get("last_name"), visit.get("phone"), visit.get("sms_opt_out"));
        tx.execute(&notify, &[id, &patient, &starts_at, &now, &name, &time, &phone, &opt_out]).await?;
        tx.commit().await?;
    }
    Ok(ids.len())
}
