//! The decisions of one run and their reasons, read back from the rows that the run wrote.

use serde_json::Value;

use super::clinic::Clinic;
use super::page::{Look, Page};
use crate::exit::Exit;
use crate::run::Summary;

/// Shows a run: one line of counts, then the rows that it changed, then those that it could not change.
pub async fn run(page: &Page, clinic: &Clinic, summary: &Summary) -> anyhow::Result<()> {
    if nothing_due(summary) {
        return Ok(page.line(format!("{}: nothing was due", page.paint(Look::Bold, summary.job)))?);
    }
    let exit = if summary.exit == Exit::Done { String::new() } else { format!(" (exit code {})", summary.exit as u8) };
    page.line(format!("{}: {}{exit}", page.paint(Look::Bold, summary.job), counts(&summary.report)))?;
    let Some(id) = summary.run_id else { return Ok(()) };
    match summary.job {
        "mark-no-shows" => page.table(&clinic.rows(include_str!("no_shows.sql"), &[&id]).await?, false)?,
        _ => page.table(&clinic.rows(include_str!("alerts.sql"), &[&id, &summary.now]).await?, false)?,
    }
    let errors = clinic
        .rows(
            "SELECT concat_ws(' ', e.entity, e.entity_id) AS \"failed\", split_part(f.name, ', ', 2) AS \"facility\",
                    e.error_code AS \"code\", regexp_replace(e.message, '^changing [^:]*: ', '') AS \"what rounds says of it\"
             FROM cron_job_run_errors e
             LEFT JOIN appointments a ON e.entity = 'appointment' AND a.id::text = e.entity_id
             LEFT JOIN facilities f ON f.id = a.facility_id
             WHERE e.run_id = $1 ORDER BY e.id",
            &[&id],
        )
        .await?;
    page.table(&errors, false)?;
    Ok(())
}

/// Whether the run had nothing to do; a visit whose doctor is away is looked at, and left alone, by each run.
pub fn nothing_due(summary: &Summary) -> bool {
    summary.report["scanned"] == summary.report["skipped"]
}

/// Puts the counts of a report that are not zero in words.
fn counts(report: &Value) -> String {
    const WORDS: [(&str, &str, &str); 10] = [
        ("marked", "visit marked", "visits marked"),
        ("raised", "alert raised", "alerts raised"),
        ("resolved", "alert resolved", "alerts resolved"),
        ("slots_released", "slot released", "slots released"),
        ("notifications", "notice staged", "notices staged"),
        ("notices_suppressed", "SMS suppressed", "SMS suppressed"),
        ("notices_expired", "too late to tell", "too late to tell"),
        ("undeliverable", "with nobody to tell", "with nobody to tell"),
        ("skipped", "left alone: the doctor is away", "left alone: the doctor is away"),
        ("failed", "FAILED", "FAILED"),
    ];
    let count = |key: &str| report[key].as_u64().unwrap_or(0);
    let words = WORDS.iter().filter(|(key, ..)| count(key) > 0).map(|(key, one, many)| {
        let count = count(key);
        format!("{count} {}", if count == 1 { one } else { many })
    });
    words.collect::<Vec<_>>().join(" · ")
}
