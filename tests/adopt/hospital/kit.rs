//! The kit itself: what it asks, what it refuses, what it may be run on, and which jobs it is for.

use super::{HOSPITAL, Hospital, KIT};
use crate::adopt::support::{faults, psql};
use crate::support::role::JobRole;
use crate::support::{Clinic, Program, server};

/// The application's database with one hospital, migrated, without the kit.
async fn migrated() -> Hospital {
    let hospital = Hospital { clinic: HOSPITAL.without_rounds().await };
    hospital.sql("CREATE FUNCTION public.k(bigint) RETURNS text LANGUAGE sql AS $$ SELECT 'k' || $1 $$").await;
    hospital.hospital(1).await;
    Program::new(&server().url(&hospital.clinic.database)).run(&["migrate"]).await.expect(0);
    hospital
}

async fn views(clinic: &Clinic) -> i64 {
    clinic.count("SELECT count(*) FROM pg_views WHERE schemaname = 'rounds' AND definition LIKE '%public.%'").await
}

#[tokio::test]
async fn it_is_refused_without_a_zone_and_with_a_wrong_one_and_changes_nothing_then() {
    let hospital = migrated().await;
    let clinic = &hospital.clinic;
    let none = views(clinic).await;
    for (zone, said) in [
        ("", "which time zone are the hospitals in?"),
        ("zone=", "time_zone_is_an_iana_name"),
        ("zone=EST", "time_zone_is_an_iana_name"),
        ("zone=america/new_york", "time_zone_is_an_iana_name"),
        ("zone=Mars/Olympus", "time zone \"Mars/Olympus\" not recognized"),
    ] {
        let zone: &[&str] = if zone.is_empty() { &[] } else { &["-v", zone] };
        let output = psql(&clinic.database, &[&["--quiet", "-f", "adopt/hospital-prisma.sql"], zone].concat()).await;
        let stderr = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(3), "{zone:?}: {stderr}");
        assert!(stderr.contains(said), "{zone:?}: {stderr}");
        assert_eq!(views(clinic).await, none, "{zone:?}");
    }
}

#[tokio::test]
async fn it_may_be_run_again_and_keeps_what_people_said() {
    let hospital = migrated().await;
    let clinic = &hospital.clinic;
    for people_say in [true, false] {
        let output = psql(&clinic.database, KIT).await;
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*stderr), (Some(0), ""), "it says nothing when all is well");
        if people_say {
            clinic.sql("UPDATE hospital_settings SET time_zone = 'Asia/Dubai', sms = true").await;
        }
    }
    let settings = clinic.json("SELECT * FROM hospital_settings").await;
    assert_eq!((settings["time_zone"].as_str(), settings["sms"].as_bool()), (Some("Asia/Dubai"), Some(true)));
    assert_eq!(clinic.run(&["migrate", "--check"]).await.expect(0).report()["pending"], serde_json::json!([]));
}

#[tokio::test]
async fn the_jobs_that_apply_run_and_the_others_name_the_table_that_is_not_there() {
    let hospital = Hospital::new().await;
    for job in ["mark-no-shows", "stage-alerts", "notify-cancellations", "prune"] {
        hospital.clinic.run(&[job]).await.expect(0);
    }
    for (job, table) in [
        (&["escalate-sla"][..], "rounds.px_cases"),
        (&["escalate-tickets"], "rounds.tickets"),
        (&["monitor-ticket-sla"], "rounds.tickets"),
        (&["advance-billing", "--stage", "paid"], "rounds.surgical_cases"),
    ] {
        let outcome = hospital.clinic.run(job).await.expect(2);
        assert!(outcome.stderr.contains(&format!("{table}: there is no such table or view")), "{outcome:?}");
    }
}

/// The views and the functions have their owner's rights on the application's tables.
#[tokio::test]
async fn the_jobs_need_no_privilege_on_the_applications_tables() {
    let hospital = Hospital::new().await;
    hospital.visits(1, 2, "SCHEDULED").await;
    hospital.visits(11, 12, "CHECKED_IN").await;
    hospital.sql("UPDATE public.doctor_slots SET \"endTime\" = '10:00'").await;
    let role = JobRole::new(&hospital.clinic, "mark-no-shows").await;
    let marked = role.program.run(&["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00"]).await.expect(0);
    assert_eq!((marked.count("marked"), marked.count("slots_released")), (2, 2));
    // Nor may such a role put a function with the owner's rights on a table of its own.
    let tables = format!(
        "GRANT TEMPORARY ON DATABASE {} TO {}; SET ROLE {1}; CREATE TEMPORARY TABLE t (id text);
         CREATE TRIGGER t AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION rounds.hospital_run_changed()",
        hospital.clinic.database, role.name
    );
    let refused = hospital.clinic.client.batch_execute(&tables).await.expect_err("refused");
    let refused = refused.as_db_error().expect("an answer").message().to_owned();
    assert!(refused.contains("function rounds.hospital_run_changed"), "{refused}");
    hospital.sql("RESET ROLE").await;
    role.drop(&hospital.clinic).await;
    let role = JobRole::new(&hospital.clinic, "stage-alerts").await;
    let raised = role.program.run(&["stage-alerts", "--as-of", "2026-03-02T09:20:00-05:00"]).await.expect(0);
    assert_eq!(raised.count("raised"), 0, "the slots end at ten");
    let raised = role.program.run(&["stage-alerts", "--as-of", "2026-03-02T10:05:00-05:00"]).await.expect(0);
    assert_eq!(raised.count("raised"), 2);
    role.drop(&hospital.clinic).await;
    let rows = "SELECT concat_ws(' ', (SELECT count(*) FROM public.no_show_logs),
                                      (SELECT count(*) FROM public.stage_alerts),
                                      (SELECT count(*) FROM public.notifications),
                                      (SELECT count(*) FROM public.cron_job_runs))";
    assert_eq!(hospital.text(rows).await, "2 2 2 3");
}

#[tokio::test]
async fn rounds_check_finds_it_ready() {
    let hospital = Hospital::new().await;
    let jobs = ["mark-no-shows", "stage-alerts", "notify-cancellations", "apply-absences", "flag-schedule-conflicts"];
    assert_eq!(faults(&hospital.clinic, &jobs).await, [""; 0]);
}
