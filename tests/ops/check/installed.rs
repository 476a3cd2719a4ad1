//! What a scheduler has installed, beside the schedule.

use super::Checked;
use crate::support::Clinic;

#[tokio::test]
async fn what_is_installed_is_compared_with_the_schedule() {
    let clinic = Clinic::new().await;
    let place = tempfile::tempdir().expect("a place");
    let dir = place.path().to_str().expect("UTF-8");
    clinic.run(&["schedule", "render", "--to", "systemd", dir]).await.expect(0);
    let of_dir = ["prune", "stage-alerts", "--systemd", dir];
    let checked = Checked::of(&clinic, &of_dir).await.ready();
    let is_told = checked.findings().any(|one| one["topic"] == "scheduler" && one["level"] == "ok");
    assert!(is_told, "{:#}", checked.report);
    std::fs::remove_file(place.path().join("rounds-stage-alerts.timer")).expect("a timer");
    std::fs::remove_file(place.path().join("rounds-mark-no-shows.timer")).expect("a timer");
    let checked = Checked::of(&clinic, &of_dir).await;
    let words = ["stage-alerts is not installed"];
    checked.fault(Some("stage-alerts"), "scheduler", "warning", &words);
    assert_eq!(checked.faults().len(), 1, "only of the jobs that were named: {:#?}", checked.faults());
    let nowhere = clinic.run(&["check", "prune", "--k8s", "/nowhere/cronjobs.json"]).await.expect(2);
    assert!(nowhere.stderr.contains("UNREADABLE"), "{}", nowhere.stderr);
}
