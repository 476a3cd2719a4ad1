//! The lanes: what runs side by side, and who may start which.

use serde_json::{Value, json};

use super::words::{ANN, LATER, PAT, totals};
use crate::support::practiceq::{Fault, Sync, appointment};
use crate::support::program;

#[tokio::test]
async fn each_lane_has_a_name_of_its_own() {
    let sync = Sync::new().await;
    let pat = sync.patient_of(&PAT).await.to_string();
    sync.upstream.put(appointment("X-1_y", &PAT, LATER));
    let organization = sync.organization.to_string();
    for (args, lane, minutes) in [
        (vec![], "full".to_owned(), 60),
        (vec!["--incremental"], "incremental".into(), 10),
        (vec!["--patient", &pat], format!("patient:{pat}"), 5),
        (vec!["--organization", &organization], format!("organization:{organization}"), 5),
        (vec!["--appointment", "X-1_y"], "appointment:X-1_y".into(), 5),
    ] {
        let report = sync.ends(0, &args).await.report();
        let run = format!(
            "SELECT job_name, lane, status, (extract(epoch FROM deadline_at - started_at) / 60)::int AS minutes
             FROM cron_job_runs WHERE id = {}",
            quoted(&report["run_id"])
        );
        let expected = json!({"job_name": "sync-practiceq", "lane": lane, "status": "COMPLETED", "minutes": minutes});
        assert_eq!(sync.clinic.json(&run).await, expected);
    }
}

#[tokio::test]
async fn what_runs_by_the_clock_is_watched_and_what_people_start_is_not() {
    let sync = Sync::new().await;
    let pat = sync.patient_of(&PAT).await.to_string();
    sync.upstream.fault(&[Fault::Status(400)]);
    sync.run(&["--patient", &pat]).await.expect(1);
    for lane in [&[][..], &["--incremental"]] {
        sync.ends(0, lane).await;
    }
    let health = sync.clinic.run(&["health", "sync-practiceq"]).await.report();
    let jobs = health["jobs"].as_array().expect("a list");
    let lanes: Vec<_> = jobs.iter().map(|job| job["lane"].clone()).collect();
    assert_eq!(lanes, ["full", "incremental"], "{health}");
}

fn quoted(id: &Value) -> String {
    format!("'{}'", id.as_str().expect("an id"))
}

#[tokio::test]
async fn a_refresh_is_not_refused_while_the_nights_sweep_runs() {
    let sync = Sync::new().await;
    let (pat, ann) = (sync.patient_of(&PAT).await, sync.patient_of(&ANN).await);
    sync.upstream.put(appointment("a1", &PAT, LATER));
    sync.upstream.put(appointment("b1", &ANN, LATER));
    let (pat, ann) = (pat.to_string(), ann.to_string());
    sync.upstream.fault(&[Fault::HeldBody]);
    let full = sync.start(&[]);
    sync.upstream.asked(1).await;
    // The same lane is taken; all others are free.
    let second = sync.run(&[]).await.expect(0).report();
    assert_eq!(second["status"], "SKIPPED", "{second}");
    sync.run(&["--fail-if-running"]).await.expect(75);
    assert_eq!(totals(&sync.ends(0, &["--patient", &pat]).await)[0], 1);
    assert_eq!(totals(&sync.ends(0, &["--patient", &ann]).await)[0], 1);
    for lane in [&["--organization", "1"][..], &["--appointment", "a1"], &["--incremental"]] {
        assert_eq!(totals(&sync.ends(0, lane).await)[..2], [0, 0], "{lane:?}");
    }
    let running = "SELECT count(*) FROM cron_job_runs WHERE status = 'RUNNING' AND lane = 'full'";
    assert_eq!(sync.clinic.count(running).await, 1, "all the while");
    sync.upstream.let_go();
    let outcome = program::finish(full).await.expect(0);
    assert_eq!(totals(&outcome), [0, 0, 2, 0], "{outcome:?}");
    assert_eq!(sync.visits().await.len(), 2);
}

#[tokio::test]
async fn lanes_that_write_the_same_visits_at_once_write_each_once() {
    let sync = Sync::new().await;
    let pat = sync.patient_of(&PAT).await.to_string();
    for number in 0..90 {
        sync.upstream.put(appointment(&format!("a{number}"), &PAT, LATER));
    }
    let lanes = [&[][..], &["--incremental"], &["--patient", &pat], &["--organization", "1"]];
    let runs: Vec<_> = lanes.iter().map(|lane| sync.start(lane)).collect();
    let mut new = 0;
    for run in runs {
        let outcome = program::finish(run).await.expect(0);
        super::words::balanced(&outcome);
        new += totals(&outcome)[0];
    }
    assert_eq!((new, sync.visits().await.len()), (90, 90));
}

#[tokio::test]
async fn one_lane_at_a_time() {
    let sync = Sync::new().await;
    let pat = sync.patient_of(&PAT).await.to_string();
    for args in [
        &["--incremental", "--patient", &pat][..],
        &["--incremental", "--organization", "1"],
        &["--incremental", "--appointment", "a1"],
        &["--patient", &pat, "--organization", "1"],
        &["--patient", &pat, "--appointment", "a1"],
        &["--organization", "1", "--appointment", "a1"],
        &["--patient", "0"],
        &["--patient", "x"],
        &["--patient"],
        &["--organization", "-1"],
        &["--appointment", ""],
        &["--appointment", "a/b"],
        &["--appointment", "../clients"],
        &["--appointment", "a?b"],
        &["--appointment", "a b"],
        &["--appointment", "ä"],
        &["--appointment", &"a".repeat(65)],
        &["--back-days", "-1"],
        &["--back-days", "3651"],
        &["--ahead-days", "3651"],
        &["--ahead-days", "many"],
        &["--requests-per-minute", "0"],
        &["--manual-share", "101"],
        &["--base-url", "http://intakeq.example/api/v1/"],
        &["--base-url", "ftp://127.0.0.1/"],
        &["--base-url", "here"],
        &["--api-key-file", "/nowhere/CANARY"],
    ] {
        let outcome = sync.run(args).await.expect(2);
        assert!(!outcome.stderr.is_empty(), "{args:?}: it says why");
    }
    assert!(sync.upstream.requests().is_empty());
    let id = "a".repeat(64);
    sync.upstream.put(appointment(&id, &PAT, LATER));
    assert_eq!(totals(&sync.ends(0, &["--appointment", &id]).await)[0], 1);
}

#[tokio::test]
async fn without_a_key_nothing_is_asked_for() {
    let mut sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    let program = sync.clinic.program.clone();
    sync.clinic.program = program.clone().without("ROUNDS_PRACTICEQ_KEY");
    sync.refused(&[], "CONFIGURATION").await;
    sync.clinic.program = program.clone().env("ROUNDS_PRACTICEQ_KEY", "");
    sync.run(&[]).await.expect(2);
    // From a file, with the line's end behind it.
    let file = std::env::temp_dir().join(format!("rounds-practiceq-key-{}", std::process::id()));
    std::fs::write(&file, format!("{}\n", crate::support::practiceq::KEY)).expect("writable");
    let path = file.to_str().expect("UTF-8").to_owned();
    sync.clinic.program = program.clone().without("ROUNDS_PRACTICEQ_KEY");
    sync.ends(0, &["--api-key-file", &path]).await;
    sync.clinic.program = program.without("ROUNDS_PRACTICEQ_KEY").env("ROUNDS_PRACTICEQ_KEY_FILE", &path);
    sync.sweep().await;
    std::fs::remove_file(&file).expect("it is there");
}

#[tokio::test]
async fn whom_nobody_knows_cannot_be_refreshed() {
    let sync = Sync::new().await;
    let pat = sync.patient_of(&PAT).await;
    let admin = sync.admin.to_string();
    for more in [&[][..], &["--actor", &admin], &["--dry-run"]] {
        let message = sync.refused(&[&["--patient", "4711"], more].concat(), "UNKNOWN_PATIENT").await;
        assert!(message.contains("4711"), "{message}");
        let message = sync.refused(&[&["--organization", "4712"], more].concat(), "UNKNOWN_ORGANIZATION").await;
        assert!(message.contains("4712"), "{message}");
    }
    for status in ["inactive", "pending"] {
        sync.affiliate(pat, sync.organization, status).await;
        sync.refused(&["--patient", &pat.to_string()], "NOT_IN_SCOPE").await;
    }
    let logs = "SELECT count(*) FROM sync_logs";
    assert_eq!(sync.clinic.count(logs).await, 0, "none of them got as far as reading");
}

#[tokio::test]
async fn who_may_start_which_lane() {
    let sync = Sync::new().await;
    let (pat, ann) = (sync.patient_of(&PAT).await, sync.patient_of(&ANN).await);
    let (other, others) = sync.another_organization(sync.facility).await;
    sync.affiliate(ann, other, "active").await;
    sync.affiliate(ann, sync.organization, "inactive").await;
    sync.affiliate(pat, other, "inactive").await;
    sync.upstream.put(appointment("a1", &PAT, LATER));
    let supervisor = sync.clinic.user(sync.facility, "SUPERVISOR").await;
    let idle = sync.clinic.user(sync.facility, "CASE_MANAGER").await;
    let [pat, ann, own, other] = [pat, ann, sync.organization, other].map(|id| id.to_string());
    let may = async |user: i64, lane: &[&str], may: bool| {
        let user = user.to_string();
        let args = [lane, &["--actor", &user]].concat();
        if may {
            sync.ends(0, &args).await;
        } else {
            sync.refused(&args, "ACTOR_NOT_ALLOWED").await;
        }
    };
    let elsewhere = sync.clinic.facility("America/Denver", None).await;
    let group = sync.clinic.of_the_group().await;
    let of_the_account = [&[][..], &["--incremental"], &["--appointment", "a1"]];
    let of_somebody = [&["--patient", &*pat][..], &["--organization", &other]];
    for lane in of_the_account.iter().chain(&of_somebody) {
        may(group, lane, true).await;
    }
    for role in ["HOSPITAL_ADMIN", "SUPERVISOR"] {
        let stranger = sync.clinic.user(elsewhere, role).await;
        for lane in of_the_account.iter().chain(&of_somebody) {
            may(stranger, lane, false).await;
        }
    }
    for user in [sync.admin, supervisor] {
        for lane in of_somebody {
            may(user, lane, true).await;
        }
        for lane in of_the_account {
            may(user, lane, false).await;
        }
    }
    for (user, lane, allowed) in [
        (sync.case_manager, &["--patient", &*pat][..], true),
        (sync.case_manager, &["--organization", &own], true),
        (sync.case_manager, &["--patient", &ann], false),
        (sync.case_manager, &["--organization", &other], false),
        (sync.case_manager, &[], false),
        (sync.case_manager, &["--incremental"], false),
        (others, &["--patient", &ann], true),
        (others, &["--organization", &other], true),
        (others, &["--patient", &pat], false),
        (others, &["--organization", &own], false),
        (idle, &["--patient", &pat], false),
        (idle, &["--organization", &own], false),
    ] {
        may(user, lane, allowed).await;
    }
    for role in ["RECEPTIONIST", "NURSE", "DOCTOR", "BILLING", "AGENT", "MANAGER"] {
        let user = sync.clinic.user(sync.facility, role).await;
        may(user, &["--patient", &pat], false).await;
        may(user, &["--organization", &own], false).await;
    }
}

#[tokio::test]
async fn who_is_gone_or_was_never_there_starts_nothing() {
    let sync = Sync::new().await;
    let pat = sync.patient_of(&PAT).await.to_string();
    sync.clinic.sql("UPDATE users SET active = false").await;
    for user in [sync.admin, sync.case_manager] {
        sync.refused(&["--patient", &pat, "--actor", &user.to_string()], "ACTOR_INACTIVE").await;
    }
    sync.refused(&["--patient", &pat, "--actor", "4711"], "ACTOR_UNKNOWN").await;
}
