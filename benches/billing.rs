//! The cost of `rounds advance-billing`, against what the database itself needs, against the
//! limit and against a transaction a row. See
//! docs/performance.md; ROUNDS_BENCH_ROWS=10000 is a quick run.

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

const AS_OF: &str = "2026-03-02T08:00:00Z";

fn main() -> ExitCode {
    let rows: usize =
        std::env::var("ROUNDS_BENCH_ROWS").map_or(200_000, |rows| rows.parse().expect("a number of rows"));
    let harness = Harness::start("billing.sql", &[format!("due={rows}"), format!("as_of={AS_OF}")]);
    let met = hold(
        &harness,
        &Contest {
            job: "advance-billing",
            args: &["--stage", "pending-payment", "--as-of", AS_OF, "--confirm-items", "1000000"],
            changed: "SELECT case_id FROM surgical_case_status_history WHERE from_status = 10 AND created_at = '2026-03-02T08:00:00Z'
                      ORDER BY case_id::bigint",
            singles: one_by_one,
            effects: "SELECT format('%s pending of %s, %s steps', count(*), sum(pay_amount),
                                    (SELECT count(*) FROM surgical_case_status_history WHERE from_status = 10))
                      FROM surgical_cases WHERE case_status = 15 AND pending_payment_ts = '2026-03-02T08:00:00Z'",
            changes: &[
                Change {
                    table: "surgical_cases",
                    set: &["case_status", "pending_payment_ts", "updated_ts"],
                    written: "pending_payment_ts = '2026-03-02T08:00:00Z'",
                },
                Change {
                    table: "surgical_case_status_history",
                    set: &[],
                    written: "from_status = 10 AND created_at = '2026-03-02T08:00:00Z'",
                },
            ],
        },
    );
    if met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

const FIND: &str = "SELECT case_status, pay_amount::text FROM surgical_cases c
                    WHERE id = $1 AND active AND case_status = 10
                      AND NOT EXISTS (SELECT FROM surgical_case_status_history h
                                      WHERE h.case_id = c.id::text AND h.to_status = c.case_status AND h.run_id IS NOT NULL
                                        AND h.created_at > $2)
                    FOR NO KEY UPDATE";
const MOVE: &str = "UPDATE surgical_cases SET case_status = 15, pending_payment_ts = $2, updated_ts = $2
                    WHERE id = $1 AND case_status = 10";
const RECORD: &str = "INSERT INTO surgical_case_status_history (case_id, from_status, to_status, actor, created_at)
                      VALUES ($1::bigint::text, $3, 15, 'system', $2)";

/// One transaction a case, all statements prepared.
fn one_by_one(url: &str, ids: &[i64]) -> (usize, Duration) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    let began = Instant::now();
    runtime.block_on(advance(url, ids)).expect("the loop works");
    (ids.len(), began.elapsed())
}

async fn advance(url: &str, ids: &[i64]) -> Result<(), Error> {
    let now: DateTime<Utc> = AS_OF.parse().expect("an instant");
    let (mut client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    client.batch_execute("SET search_path = rounds").await?;
    let (find, step) = (client.prepare(FIND).await?, client.prepare(MOVE).await?);
    let record = client.prepare(RECORD).await?;
    for id in ids {
        let tx = client.transaction().await?;
        let case = tx.query_one(&find, &[id, &now]).await?;
        tx.execute(&step, &[id, &now]).await?;
        tx.execute(&record, &[id, &now, &case.get::<_, i32>(0)]).await?;
        tx.commit().await?;
    }
    Ok(())
}
