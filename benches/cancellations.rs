//! The cost of `rounds notify-cancellations`, against what the database itself needs, against the limit and against a
//! transaction a row. See docs/performance.md; ROUNDS_BENCH_ROWS=5000 is a quick run.

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

const AS_OF: &str = "2026-03-02T17:00:00Z";

fn main() -> ExitCode {
    let due: usize = std::env::var("ROUNDS_BENCH_ROWS").map_or(50_000, |rows| rows.parse().expect("a number of rows"));
    let harness = Harness::start("cancellations.sql", &[format!("due={due}"), format!("as_of={AS_OF}")]);
    let met = hold(
        &harness,
        &Contest {
            job: "notify-cancellations",
            args: &["--as-of", AS_OF, "--max-items", "1000000", "--deadline", "20m"],
            changed: "SELECT appointment_id FROM visit_cancellations WHERE seen_at = '2026-03-02T17:00:00Z'
                      ORDER BY appointment_id::bigint",
            singles: one_by_one,
            effects: "SELECT format('%s recorded, %s notifications, %s slots booked', count(*),
                                    (SELECT count(*) FROM notifications),
                                    (SELECT count(*) FROM doctor_slots WHERE is_booked))
                      FROM visit_cancellations WHERE seen_at = '2026-03-02T17:00:00Z'",
            changes: &[
                Change {
                    table: "doctor_slots",
                    set: &["is_booked", "appointment_id", "is_blocked"],
                    written: "appointment_id IS NULL",
                },
                Change { table: "visit_cancellations", set: &[], written: "seen_at = '2026-03-02T17:00:00Z'" },
                Change { table: "notifications", set: &[], written: "true" },
            ],
        },
    );
    if met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

const FIND: &str = "
    SELECT a.cancelled_at, a.appointment_date + a.start_time AS visit_start, u.id AS user_id, p.first_name, p.last_name,
           (a.appointment_date + a.start_time) AT TIME ZONE f.time_zone AS starts_at, COALESCE(n.email, false) AS email
    FROM appointments a
    JOIN patients p ON p.id = a.patient_id
    JOIN facilities f ON f.id = a.facility_id
    JOIN doctors d ON d.id = a.doctor_id
    LEFT JOIN users u ON u.id = COALESCE(d.user_id, (SELECT min(r.id) FROM users r
                                                     WHERE r.facility_id = f.id AND r.role = 'RECEPTIONIST'))
    LEFT JOIN notification_preferences n ON n.user_id = u.id
    WHERE a.id = $1 AND a.status = 'CANCELLED'
      AND NOT EXISTS (SELECT FROM visit_cancellations x WHERE x.appointment_id = a.id::text AND x.ended_at IS NULL)
    FOR NO KEY UPDATE OF a";
const RELEASE: &str = "UPDATE doctor_slots s
    SET is_booked = false, appointment_id = NULL,
        is_blocked = EXISTS (SELECT FROM doctor_absences x
                             WHERE x.doctor_id = s.doctor_id AND x.status = 'ACTIVE' AND x.first_day <= s.slot_date
                               AND x.last_day >= s.slot_date)
    WHERE s.appointment_id = $1";
const RECORD: &str = "INSERT INTO visit_cancellations (appointment_id, visit_start, cancelled_at, seen_at, outcome)
                      VALUES ($1::bigint::text, $2, $3, $4, 'TOLD')";
const NOTIFY: &str = "INSERT INTO notifications (recipient_kind, recipient_id, channel, type, title, body, metadata,
                                                 entity, entity_id, dedupe_key, status, sent_at, expires_at, created_at)
    SELECT 'USER', $2::bigint::text, channel, 'VISIT_CANCELLED', 'Appointment Cancelled',
           format('%s %s cancelled their appointment', $3::text, $4::text),
           jsonb_build_object('appointment_id', $1::bigint::text, 'starts_at', $5::timestamptz), 'appointment',
           $1::bigint::text, concat_ws(':', 'visit_cancelled', $1::bigint, 'USER', $2::bigint, channel),
           CASE WHEN channel = 'IN_APP' THEN 'SENT' ELSE 'PENDING' END, CASE WHEN channel = 'IN_APP' THEN $6::timestamptz END, $5, $6
    FROM unnest(ARRAY['IN_APP', 'EMAIL']) channel WHERE channel = 'IN_APP' OR $7";

/// One transaction a visit, all statements prepared.
fn one_by_one(url: &str, ids: &[i64]) -> (usize, Duration) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    let began = Instant::now();
    runtime.block_on(tell(url, ids)).expect("the loop works");
    (ids.len(), began.elapsed())
}

async fn tell(url: &str, ids: &[i64]) -> Result<(), Error> {
    let now: DateTime<Utc> = AS_OF.parse().expect("an instant");
    let (mut client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    client.batch_execute("SET search_path = rounds").await?;
    let (find, release) = (client.prepare(FIND).await?, client.prepare(RELEASE).await?);
    let (record, notify) = (client.prepare(RECORD).await?, client.prepare(NOTIFY).await?);
    for id in ids {
        let tx = client.transaction().await?;
        let visit = tx.query_one(&find, &[id]).await?;
        let (start, cancelled): (chrono::NaiveDateTime, DateTime<Utc>) =
            (visit.get("visit_start"), visit.get("cancelled_at"));
        let (user, starts_at): (Option<i64>, DateTime<Utc>) = (visit.get("user_id"), visit.get("starts_at"));
        let (first, last, email): (&str, &str, bool) =
            (visit.get("first_name"), visit.get("last_name"), visit.get("email"));
        tx.execute(&release, &[id]).await?;
        tx.execute(&record, &[id, &start, &cancelled, &now]).await?;
        if let Some(user) = user {
            tx.execute(&notify, &[id, &user, &first, &last, &starts_at, &now, &email]).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}
