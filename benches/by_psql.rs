//! The same statements as a psql script: what the database itself needs for them, on one connection.
//!
//! Each batch is what the program sends: BEGIN, the settings in one message, the fence, the change, COMMIT. Values are
//! written into the text, so that each statement is planned for them, as the program's unnamed statements are.

use std::fmt::Write as _;

use crate::{AS_OF, FIRST_DATE, LAST_DATE};

const DUE: &str =
    concat!(include_str!("../src/jobs/mark_no_shows.visit.sql"), include_str!("../src/jobs/mark_no_shows.due.sql"));
const UNJUDGED: &str = include_str!("../src/jobs/mark_no_shows.unjudged.sql");
const MARK: &str = include_str!("../src/jobs/mark_no_shows.sql");
const OUTBOX: &str = include_str!("../src/outbox.sql");
const LEFT_ALONE: &str = include_str!("../src/run/left_alone.sql");
const FENCE: &str = include_str!("../src/run/fence.sql");
const CLOSE: &str = include_str!("../src/run/close.sql");
const RUN: &str = "'00000000-0000-4000-8000-000000000001'::uuid";
const SETTINGS: &str = "SET LOCAL statement_timeout = 30000\\; SET LOCAL lock_timeout = 2000\\; \
                        SET LOCAL idle_in_transaction_session_timeout = 15000\\; \
                        SET LOCAL client_connection_check_interval = 500\\; SET LOCAL jit = off;\n";
const BATCH_ROWS: usize = 1000;

/// The rule's parameters.
fn rule() -> [String; 5] {
    let date = |text| format!("'{text}'::date");
    [format!("'{AS_OF}'::timestamptz"), date(FIRST_DATE), date(LAST_DATE), "7".into(), "'{}'::bigint[]".into()]
}

/// The scan.
pub fn scan() -> String {
    let [now, first, last, days, zones] = rule();
    let scan = format!(
        "WITH due AS MATERIALIZED (SELECT a.id FROM appointments a\n{DUE}) SELECT id FROM due ORDER BY id LIMIT $6"
    );
    literal(&scan, &[&now, &first, &last, &days, &zones, "200001"])
}

/// The whole run as a script, for the ids that the scan finds.
pub fn script(due: &[i64]) -> String {
    let [now, first, last, days, zones] = rule();
    let mut script = format!(
        "INSERT INTO cron_job_runs (id, job_name, status, started_at, heartbeat_at, deadline_at, host, version)
         SELECT {RUN}, 'mark-no-shows', 'RUNNING', now, now, now + interval '4 minutes', 'psql', 'psql'
         FROM (SELECT clock_timestamp() AS now) clock;
         BEGIN READ ONLY;\n{SETTINGS}SELECT id, time_zone FROM facilities ORDER BY id;\n{};\n{};\nROLLBACK;\n",
        literal(UNJUDGED, &[&first, &last]),
        scan(),
    );
    let names = [("{ids}", "$6"), ("{mine}", "pairs"), ("{done}", "marked"), ("{table}", "appointments")];
    let left_alone = names.iter().fold(LEFT_ALONE.to_owned(), |text, (name, value)| text.replace(name, value));
    let mark = MARK.replace("{due}", DUE).replace("{outbox}", OUTBOX).replace("{left_alone}", &left_alone);
    for ids in due.chunks(BATCH_ROWS) {
        let ids = format!("'{{{}}}'::bigint[]", ids.iter().map(i64::to_string).collect::<Vec<_>>().join(","));
        let fence = literal(FENCE, &[RUN]);
        let by = ["'AUTO_TIMEOUT'", "NULL::bigint", "NULL::text"];
        let mark = literal(&mark, &[&now, &first, &last, &days, &zones, &ids, RUN, by[0], by[1], by[2]]);
        write!(script, "BEGIN;\n{SETTINGS}{fence};\n{mark};\nCOMMIT;\n").expect("a string takes it");
    }
    let close = literal(CLOSE, &[RUN, "'COMPLETED'", "NULL", "NULL", &due.len().to_string(), "0", "'{}'::jsonb"]);
    write!(script, "BEGIN;\n{SETTINGS}{close};\nCOMMIT;\n").expect("a string takes it");
    script
}

/// Writes the values in place of `$1`, `$2`, ..., and leaves the comments out.
fn literal(statement: &str, values: &[&str]) -> String {
    let lines = statement.lines().filter(|line| !line.trim_start().starts_with("--"));
    let text = lines.collect::<Vec<_>>().join("\n");
    let numbered = values.iter().enumerate().rev();
    numbered.fold(text, |text, (index, value)| text.replace(&format!("${}", index + 1), value))
}
