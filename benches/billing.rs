//! The cost of `rounds advance-billing`, against what the database itself needs and against a transaction a row. See
//! docs/performance.md; ROUNDS_BENCH_ROWS=10000 is a quick run.

mod contest;
mod harness;
#[allow(dead_code, reason = "not every use needs all of it")]
mod process;
#[path = "../src/demo/scratch/mod.rs"]
#[allow(dead_code, reason = "not every use needs all of it")]
mod scratch;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio_postgres::{Error, NoTls};

use contest::{Contest, hold};
use harness::{Harness, RUN, Script, ScriptFile, literal, skipped_columns};

const AS_OF: &str = "2026-03-02T08:00:00Z";
const SINGLE_ROWS: usize = 3000;

const CANDIDATES: &str = include_str!("../src/jobs/advance_billing/candidates.part.sql");
const DWELL: &str = include_str!("../src/jobs/advance_billing/recently_moved.part.sql");
const ADVANCE: &str = include_str!("../src/jobs/advance_billing/advance.sql");
const LOCK: &str = "SELECT count(*) FROM (SELECT FROM surgical_cases WHERE id = ANY ($1) ORDER BY id
                                          FOR NO KEY UPDATE SKIP LOCKED) c";

fn main() -> ExitCode {
    let rows: usize =
        std::env::var("ROUNDS_BENCH_ROWS").map_or(200_000, |rows| rows.parse().expect("a number of rows"));
    let harness = Harness::start("billing.sql", &[format!("due={rows}"), format!("as_of={AS_OF}")]);
    let due = harness.ids(&scan());
    let met = hold(
        &harness,
        &Contest {
            job: "advance-billing",
            args: &["--stage", "pending-payment", "--as-of", AS_OF, "--confirm-items", "1000000"],
            items: due.len(),
            script: &script(&due),
            singles: &|url| one_by_one(url, some(&due)),
            effects: "SELECT format('%s pending of %s, %s steps', count(*), sum(pay_amount),
                                    (SELECT count(*) FROM surgical_case_status_history WHERE from_status = 10))
                      FROM surgical_cases WHERE case_status = 15 AND pending_payment_ts = '2026-03-02T08:00:00Z'",
        },
    );
    if met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Neighbours, so that a page that is written again costs a loop no more than the others.
fn some(ids: &[i64]) -> &[i64] {
    &ids[ids.len() / 2..][..SINGLE_ROWS.min(ids.len() / 2)]
}

/// The parameters of the rule, as text.
fn rule() -> [String; 3] {
    [format!("'{AS_OF}'::timestamptz"), "10".into(), "0::double precision".into()]
}

fn looks(what: &str, not: &str) -> String {
    let [now, from, dwell] = rule();
    let dwelt = DWELL.replace("{least}", "$3");
    literal(&format!("SELECT {what} FROM surgical_cases c\n{CANDIDATES}  AND {not}\n{dwelt}"), &[&now, &from, &dwell])
}

fn scan() -> String {
    format!("{}ORDER BY c.id LIMIT 1000000", looks("c.id", "NOT"))
}

fn script(due: &[i64]) -> ScriptFile {
    let [now, from, dwell] = rule();
    let worth = looks("count(*), (COALESCE(sum(c.pay_amount), 0) * 100)::bigint", "NOT");
    let advance = ADVANCE
        .replace("{due}", &format!("{CANDIDATES}  AND NOT\n{}", DWELL.replace("{least}", "$3")))
        .replace("{timestamp}", "pending_payment_ts")
        .replace("{skipped_columns}", &skipped_columns("$4", "locked", "advanced", "surgical_cases"));
    Script::new("advance-billing")
        .read(&[&worth, &looks("count(*)", ""), &scan()])
        .effects(due, |ids| {
            let advance = literal(&advance, &[&now, &from, &dwell, ids, "15", "false", RUN, "NULL::bigint"]);
            format!("{};\n{advance}", literal(LOCK, &[ids]))
        })
        .close()
}

const FIND: &str = "SELECT case_status, pay_amount::text FROM surgical_cases c
                    WHERE id = $1 AND active AND case_status = 10
                      AND NOT EXISTS (SELECT FROM surgical_case_status_history h
                                      WHERE h.case_id = c.id AND h.to_status = c.case_status AND h.run_id IS NOT NULL
                                        AND h.created_at > $2)
                    FOR NO KEY UPDATE";
const MOVE: &str = "UPDATE surgical_cases SET case_status = 15, pending_payment_ts = $2, updated_ts = $2
                    WHERE id = $1 AND case_status = 10";
const RECORD: &str = "INSERT INTO surgical_case_status_history (case_id, from_status, to_status, actor, created_at)
                      VALUES ($1, $3, 15, 'system', $2)";

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
