//! Tables of the whole clinic, before the day and after it: the visits, the outbox, the alerts, and all runs.

use super::clinic::Clinic;
use super::page::{Look, Page};

/// Shows the clinic before the day begins.
pub async fn opening(page: &Page, clinic: &Clinic) -> anyhow::Result<()> {
    let facilities = "
        SELECT f.name AS \"facility\", f.time_zone AS \"time zone\",
               (SELECT string_agg(d.slot_duration_minutes::text, ', ' ORDER BY d.id) FROM doctors d
                WHERE d.facility_id = f.id) AS \"doctors' slots (min)\",
               COALESCE(f.no_show_after_minutes || ' min', 'one slot') AS \"no-show after\",
               COALESCE(f.waiting_alert_minutes || ' min', 'off') AS \"waiting alert\",
               count(a.id) FILTER (WHERE a.appointment_date = '2026-03-02')::text AS \"visits\"
        FROM facilities f LEFT JOIN appointments a ON a.facility_id = f.id
        GROUP BY f.id ORDER BY f.id";
    Ok(page.table(&clinic.rows(facilities, &[]).await?, true)?)
}

/// Shows the runs, counted by job and lane.
pub async fn runs(page: &Page, clinic: &Clinic) -> anyhow::Result<()> {
    page.heading("The run history: cron_job_runs")?;
    let runs = "
        SELECT job_name AS \"job\", CASE lane WHEN '' THEN '-' ELSE lane END AS \"lane\", count(*)::text AS \"runs\",
               count(*) FILTER (WHERE status = 'COMPLETED')::text AS \"completed\",
               count(*) FILTER (WHERE status = 'FAILED')::text AS \"failed\",
               count(*) FILTER (WHERE status = 'SKIPPED')::text AS \"skipped\", sum(items_processed)::text AS \"items\"
        FROM cron_job_runs GROUP BY job_name, lane ORDER BY min(started_at)";
    Ok(page.table(&clinic.rows(runs, &[]).await?, true)?)
}

/// Shows the visits of the day and the totals.
pub async fn monday(page: &Page, clinic: &Clinic) -> anyhow::Result<()> {
    page.heading("The Monday in numbers")?;
    let visits = "
        SELECT split_part(f.name, ', ', 2) AS \"facility\", count(*)::text AS \"visits\",
               count(*) FILTER (WHERE a.status IN ('SCHEDULED', 'CONFIRMED') AND a.source = 'LOCAL')::text
                   AS \"to come\",
               count(*) FILTER (WHERE a.status = 'CHECKED_IN')::text AS \"checked in\",
               count(*) FILTER (WHERE a.status = 'IN_PROGRESS')::text AS \"with doctor\",
               count(*) FILTER (WHERE a.status = 'COMPLETED')::text AS \"completed\",
               count(*) FILTER (WHERE a.status = 'NO_SHOW')::text AS \"no-show\",
               count(*) FILTER (WHERE a.status = 'CANCELLED')::text AS \"cancelled\",
               count(*) FILTER (WHERE a.source = 'PRACTICEQ')::text AS \"PracticeQ\"
        FROM appointments a JOIN facilities f ON f.id = a.facility_id
        WHERE a.appointment_date = '2026-03-02' GROUP BY f.id ORDER BY f.id";
    page.table(&clinic.rows(visits, &[]).await?, true)?;
    let totals = "
        SELECT format('%s no-shows marked (%s of earlier days), %s slots released', count(*),
                      count(*) FILTER (WHERE slot_time < '2026-03-02'), count(*) FILTER (WHERE slot_released))
        FROM no_show_logs WHERE reason = 'AUTO_TIMEOUT'
        UNION ALL
        SELECT format('%s alerts raised, %s resolved by the job, %s open at the end', count(*),
                      count(*) FILTER (WHERE status = 'RESOLVED'), count(*) FILTER (WHERE status <> 'RESOLVED'))
        FROM stage_alerts
        UNION ALL
        SELECT format('%s in-app notices, %s SMS that wait to be sent, %s suppressed',
                      count(*) FILTER (WHERE channel = 'IN_APP'),
                      count(*) FILTER (WHERE channel = 'SMS' AND status = 'PENDING'),
                      count(*) FILTER (WHERE status = 'SUPPRESSED'))
        FROM notifications
        UNION ALL
        SELECT format('%s visit failed once, and was marked by the next run', count(*)) FROM cron_job_run_errors";
    for row in clinic.rows(totals, &[]).await? {
        page.line(format!("  {}", row.get::<_, &str>(0)))?;
    }
    Ok(())
}

/// Shows how to go on with a database of one's own.
pub fn farewell(page: &Page) -> anyhow::Result<()> {
    page.heading("Now with a database of your own")?;
    let steps = [
        ("export DATABASE_URL='postgresql://USER:PASSWORD@HOST:5432/DATABASE?sslmode=verify-full'", ""),
        ("rounds migrate", "makes the tables; rounds seed also fills them with this clinic"),
        ("rounds mark-no-shows --dry-run", "an exact report, and nothing is changed"),
        ("rounds mark-no-shows", "for a scheduler, every five minutes; so is rounds stage-alerts"),
        ("rounds health", "is every job on time, and if not, why"),
    ];
    for (command, what) in steps {
        let comment = if what.is_empty() { String::new() } else { format!("  # {what}") };
        page.line(format!(
            "  {}{}",
            page.paint(Look::Bold, &format!("{command:<32}")),
            page.paint(Look::Dim, &comment)
        ))?;
    }
    Ok(())
}
