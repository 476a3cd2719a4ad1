//! The invariants: what must be in a clinic's tables when a job is done, whatever happened on the way.

use std::collections::HashMap;

use serde_json::Value;

use super::clinic::Clinic;
use super::tally::Tally;
use super::work::{Record, Work};
use crate::support::program::Outcome;

/// Looks at everything: nothing lost, nothing doubled, no two at work at once, and each report as it was.
pub async fn judge(clinic: &Clinic, work: &Work, things: i64, outcomes: &[Outcome], tally: &mut Tally) {
    let Record { table, thing, rows } = work.record;
    count_things(clinic, (table, thing, rows), things, tally).await;
    for effect in work.effects {
        count_things(clinic, *effect, things, tally).await;
    }
    reports(clinic, work, &outcomes.iter().collect::<Vec<_>>(), tally).await;
    let together = beside_another(clinic, work).await;
    if together > 0 {
        tally.stale += together;
        tally.breach(format_args!("{together} pairs of runs wrote at the same time"));
    }
}

/// Each thing is there so often in a relation.
async fn count_things(clinic: &Clinic, effect: (&str, &str, i64), things: i64, tally: &mut Tally) {
    let (relation, thing, rows) = effect;
    let query = format!(
        "SELECT (COALESCE(sum(GREATEST({rows} - seen.rows, 0)), 0) + GREATEST({things} - count(*), 0) * {rows})::bigint,
                (COALESCE(sum(GREATEST(seen.rows - {rows}, 0)), 0) + GREATEST(count(*) - {things}, 0))::bigint
         FROM (SELECT {thing}::text, count(*) AS rows FROM {relation} effect GROUP BY 1) seen"
    );
    let row = clinic.client.query_one(&query, &[]).await.unwrap_or_else(|error| panic!("{query}: {error:?}"));
    let (lost, doubled): (i64, i64) = (row.get(0), row.get(1));
    if (lost, doubled) != (0, 0) {
        tally.lost += lost.unsigned_abs();
        tally.doubled += doubled.unsigned_abs();
        tally.breach(format_args!("{relation}: {lost} lost, {doubled} doubled"));
    }
}

/// A run as its row tells of it, and as what it did.
struct Told {
    status: String,
    /// The count of its report.
    said: Option<i64>,
    /// The rows of the record that are its.
    did: i64,
}

/// A run that is COMPLETED did what its report says, and one that is not did at least that. What a process said is what
/// the row says: exit 0 or 3 is a row that is COMPLETED, with these counts.
pub async fn reports(clinic: &Clinic, work: &Work, outcomes: &[&Outcome], tally: &mut Tally) {
    let table = work.record.table;
    let query = format!(
        "SELECT r.id::text, r.status, (r.metadata -> 'report' ->> '{}')::bigint,
                (SELECT count(*) FROM {table} done WHERE done.run_id = r.id)
         FROM cron_job_runs r WHERE r.job_name = '{}'",
        work.done, work.args[0]
    );
    let rows = clinic.client.query(&query, &[]).await.unwrap_or_else(|error| panic!("{query}: {error:?}"));
    let runs: HashMap<String, Told> =
        rows.iter().map(|row| (row.get(0), Told { status: row.get(1), said: row.get(2), did: row.get(3) })).collect();
    let mut wrong = vec![];
    for (id, Told { status, said, did }) in &runs {
        let said = said.unwrap_or(0);
        if said > *did || (status == "COMPLETED" && said != *did) {
            wrong.push(format!("run {id} is {status} and says {said}, and {did} rows are its"));
        }
    }
    wrong.extend(outcomes.iter().filter_map(|outcome| false_outcome(work, outcome, &runs)));
    let strangers =
        format!("SELECT count(*) FROM {table} WHERE run_id IS NULL OR run_id NOT IN (SELECT id FROM cron_job_runs)");
    let strangers = clinic.count(&strangers).await;
    if strangers > 0 {
        wrong.push(format!("{strangers} rows of {table} are of no run that is known"));
    }
    tally.false_reports += wrong.len() as u64;
    wrong.into_iter().for_each(|what| tally.breach(what));
}

/// What is false in what a process printed and how it ended.
fn false_outcome(work: &Work, outcome: &Outcome, runs: &HashMap<String, Told>) -> Option<String> {
    let report: Value = serde_json::from_str(&outcome.stdout).ok()?;
    let code = outcome.code;
    let said = report[work.done].as_i64();
    let told = report["run_id"].as_str().and_then(|id| runs.get(id));
    match (code, told) {
        (0 | 3, None) => Some(format!("exit {code}, and the run's row is not there: {report}")),
        (0 | 3, Some(_)) if report["status"] == "SKIPPED" => None,
        (0 | 3, Some(told)) if told.status != "COMPLETED" || said != Some(told.did) => {
            Some(format!("exit {code}, its row is {}, and {} rows are its: {report}", told.status, told.did))
        }
        (_, Some(told)) if said.unwrap_or(0) > told.did => {
            Some(format!("exit {code}, and only {} rows are its: {report}", told.did))
        }
        _ => None,
    }
}

/// Pairs of runs whose rows are among each other's. Ids are given in the order in which rows are written.
async fn beside_another(clinic: &Clinic, work: &Work) -> u64 {
    let spans = format!("SELECT run_id, min(id) AS first, max(id) AS last FROM {} GROUP BY 1", work.record.table);
    let query = format!(
        "WITH spans AS ({spans})
         SELECT count(*) FROM spans a JOIN spans b ON a.run_id < b.run_id AND a.first < b.last AND b.first < a.last"
    );
    clinic.count(&query).await.unsigned_abs()
}

/// How many rows of the record are still to be written.
pub async fn left(clinic: &Clinic, work: &Work, things: i64) -> i64 {
    things * work.record.rows - clinic.count(&format!("SELECT count(*) FROM {}", work.record.table)).await
}
