//! The program's statements as a psql script: the time that the database itself needs for them.

use crate::harness::{RUN, Script, ScriptFile, literal, skipped_columns};
use crate::{AS_OF, FIRST_DATE, LAST_DATE};

const DUE: &str = concat!(
    include_str!("../src/jobs/mark_no_shows/visit.part.sql"),
    include_str!("../src/jobs/mark_no_shows/due.part.sql")
);
const UNJUDGED: &str = include_str!("../src/jobs/mark_no_shows/no_slot_length.sql");
const MARK: &str = include_str!("../src/jobs/mark_no_shows/apply.sql");
const OUTBOX: &str = include_str!("../src/clinic/outbox.part.sql");

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
pub fn script(due: &[i64]) -> ScriptFile {
    let [now, first, last, days, zones] = rule();
    let skipped_columns = skipped_columns("$6", "pairs", "marked", "appointments");
    let mark = MARK.replace("{due}", DUE).replace("{outbox}", OUTBOX).replace("{skipped_columns}", &skipped_columns);
    let by = ["'AUTO_TIMEOUT'", "NULL::bigint", "NULL::text"];
    Script::new("mark-no-shows")
        .read(&["SELECT id, time_zone FROM facilities ORDER BY id", &literal(UNJUDGED, &[&first, &last]), &scan()])
        .effects(due, |ids| literal(&mark, &[&now, &first, &last, &days, &zones, ids, RUN, by[0], by[1], by[2]]))
        .close()
}
