//! The cost of `rounds apply-absences`, 200 absences over 100,000 slots, against what the database itself needs, against
//! the limit and against a transaction a row. See docs/performance.md; ROUNDS_BENCH_ROWS=20 takes so many absences.

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
use tokio_postgres::{Error, NoTls};

use contest::{Contest, hold};
use harness::Harness;
use recording::Change;

const AS_OF: &str = "2026-03-02T07:00:00Z";
const BLOCK: &str = "UPDATE doctor_slots SET is_blocked = true WHERE id = $1";
const RECORD: &str =
    "INSERT INTO blocked_slots (slot_id, absence_id, doctor_id, starts_at, ends_at, was_blocked, blocked_at)
                      SELECT s.id::text, x.id::text, s.doctor_id::text, slot.starts_at, slot.ends_at, s.is_blocked, $2
                      FROM doctor_slots s
                      JOIN doctors d ON d.id = s.doctor_id JOIN facilities f ON f.id = d.facility_id
                      JOIN doctor_absences x ON x.doctor_id = s.doctor_id AND x.status = 'ACTIVE'
                          AND s.slot_date BETWEEN x.first_day AND x.last_day
                      CROSS JOIN LATERAL (SELECT (s.slot_date + s.start_time) AT TIME ZONE f.time_zone AS starts_at,
                                                 (s.slot_date + s.end_time) AT TIME ZONE f.time_zone AS ends_at) slot
                      WHERE s.id = $1 AND slot.ends_at > $2
                      FOR UPDATE OF s";

fn main() -> ExitCode {
    let absences: usize =
        std::env::var("ROUNDS_BENCH_ROWS").map_or(200, |rows| rows.parse().expect("a number of absences"));
    let harness = Harness::start("absences.sql", &[format!("absences={absences}"), format!("as_of={AS_OF}")]);
    let contest = Contest {
        job: "apply-absences",
        args: &["--as-of", AS_OF, "--max-items", "1000000", "--deadline", "20m"],
        changed: "SELECT slot_id FROM blocked_slots ORDER BY slot_id::bigint",
        singles: one_by_one,
        effects: "SELECT format('%s slots, %s cancelled, %s listed, %s absences, %s notifications',
                                (SELECT count(*) FROM blocked_slots),
                                (SELECT count(*) FROM appointments WHERE status = 'CANCELLED'),
                                (SELECT count(*) FROM absence_visits WHERE outcome = 'KEPT'),
                                (SELECT count(*) FROM absence_effects), (SELECT count(*) FROM notifications))",
        changes: &[
            Change {
                table: "doctor_slots",
                set: &["is_booked", "is_blocked", "appointment_id"],
                written: "is_blocked",
            },
            Change {
                table: "appointments",
                set: &["status", "cancelled_at", "notes", "updated_at"],
                written: "status = 'CANCELLED'",
            },
            Change { table: "blocked_slots", set: &[], written: "true" },
            Change { table: "absence_effects", set: &[], written: "true" },
            Change { table: "absence_visits", set: &[], written: "true" },
            Change { table: "visit_cancellations", set: &[], written: "true" },
            Change { table: "notifications", set: &[], written: "true" },
        ],
    };
    if hold(&harness, &contest) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One transaction a slot, all statements prepared.
fn one_by_one(url: &str, ids: &[i64]) -> (usize, Duration) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    let began = Instant::now();
    runtime.block_on(block(url, ids)).expect("the loop works");
    (ids.len(), began.elapsed())
}

async fn block(url: &str, ids: &[i64]) -> Result<(), Error> {
    let now: DateTime<Utc> = AS_OF.parse().expect("an instant");
    let (mut client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    client.batch_execute("SET search_path = rounds").await?;
    let (block, record) = (client.prepare(BLOCK).await?, client.prepare(RECORD).await?);
    for id in ids {
        let tx = client.transaction().await?;
        tx.execute(&record, &[id, &now]).await?;
        tx.execute(&block, &[id]).await?;
        tx.commit().await?;
    }
    Ok(())
}
