//! The list of runs in the application's page is only shown: whatever becomes of its table, the jobs go on.

use super::Hospital;
use crate::support::program::finish;
use crate::support::{connect, gate, server};

const SHOWN: &str = "SELECT string_agg(concat_ws(' ', status, \"itemsProcessed\"), ', ' ORDER BY \"startedAt\")
                     FROM public.cron_job_runs";
const COMPLETED: &str = "SELECT count(*) FROM rounds.cron_job_runs WHERE status = 'COMPLETED'";

#[tokio::test]
async fn a_table_of_runs_that_takes_no_row_ends_no_run() {
    for change in [
        "ALTER TABLE public.cron_job_runs ADD x int NOT NULL",
        "ALTER TABLE public.cron_job_runs DROP COLUMN metadata",
        "ALTER TABLE public.cron_job_runs ADD CHECK (status::text = 'RUNNING')",
        "ALTER TYPE public.\"CronJobStatus\" RENAME TO \"JobStatus\"",
    ] {
        let hospital = Hospital::new().await;
        hospital.visits(1, 2, "SCHEDULED").await;
        hospital.sql(change).await;
        let outcome = hospital.run("mark-no-shows", "09:15:00", &[]).await.expect(0);
        assert_eq!(outcome.count("marked"), 2, "{change}");
        assert_eq!(hospital.clinic.count(COMPLETED).await, 1, "{change}");
    }
}

#[tokio::test]
async fn a_table_of_runs_that_the_application_holds_ends_no_run() {
    let hospital = Hospital::new().await;
    hospital.visits(1, 2, "SCHEDULED").await;
    // All along, at the claim and at the close.
    hospital.sql("BEGIN; LOCK TABLE public.cron_job_runs").await;
    assert_eq!(hospital.run("mark-no-shows", "09:15:00", &[]).await.expect(0).count("marked"), 2);
    hospital.sql("COMMIT").await;
    assert_eq!(hospital.text(SHOWN).await, "", "it was not shown");
    hospital.run("mark-no-shows", "09:16:00", &[]).await.expect(0);
    assert_eq!(hospital.text(SHOWN).await, "COMPLETED 0");
}

/// It is shown when it begins, and cannot be when it ends.
#[tokio::test]
async fn a_row_of_a_run_that_the_application_holds_ends_no_run() {
    let hospital = Hospital::new().await;
    hospital.visits(1, 2, "SCHEDULED").await;
    gate::build(&hospital.clinic).await;
    gate::close(&hospital.clinic, 2).await;
    let run = hospital.clinic.program.start(&["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00"]);
    gate::reached(&hospital.clinic).await;
    let application = connect(&server().url(&hospital.clinic.database)).await;
    application.batch_execute("BEGIN; UPDATE public.cron_job_runs SET metadata = '{}'").await.expect("it is held");
    gate::open(&hospital.clinic).await;
    assert_eq!(finish(run).await.expect(0).count("marked"), 2);
    application.batch_execute("COMMIT").await.expect("it is let go");
    assert_eq!(hospital.text(SHOWN).await, "RUNNING 0", "its end was not shown");
    assert_eq!(hospital.clinic.count(COMPLETED).await, 1);
}

/// The notices about failing runs are not shown where their table takes none, and the run closes all the same.
#[tokio::test]
async fn a_table_of_notices_that_takes_no_row_keeps_no_run_from_closing() {
    let hospital = Hospital::new().await;
    hospital.visits(1, 3, "SCHEDULED").await;
    hospital.sql("ALTER TABLE public.notifications ADD x int NOT NULL").await;
    for _ in 0..3 {
        hospital.run("mark-no-shows", "09:15:00", &["--max-items", "2"]).await.expect(5);
    }
    assert_eq!(hospital.text(SHOWN).await, "FAILED 0, FAILED 0, FAILED 0");
}
