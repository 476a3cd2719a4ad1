//! What a person sees on a terminal: tables that fit, one summary of a run, one error; and nothing with --quiet.

use crate::support::terminal::ATTACK;
use crate::support::{Clinic, Program};
use serde_json::json;

const JOB: [&str; 3] = ["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00"];

fn nowhere() -> Program {
    Program::new("").without("DATABASE_URL").without("ROUNDS_ALLOW_AS_OF")
}

#[tokio::test]
async fn tables_fit_a_narrow_terminal_and_name_what_they_leave_out() {
    let clinic = Clinic::with_visits(1).await;
    clinic.run(&JOB).await.expect(0);
    clinic.run(&[&JOB[..], &["--source", "cron"]].concat()).await.expect(0);
    for command in
        [&["health"][..], &["runs", "list"], &["schedule"], &["no-show", "logs"], &["alerts", "list", "--all"]]
    {
        let screen = clinic.program.on_terminal(80, command).await;
        let table: Vec<&str> = screen.text.lines().filter(|line| line.starts_with(['╭', '│', '╞', '╰'])).collect();
        assert!(table.iter().all(|line| line.chars().count() <= 80), "{command:?}\n{}", screen.text);
        // The note is wrapped as the table is.
        let words = screen.text.split_whitespace().collect::<Vec<_>>().join(" ");
        let leaves_out = words.contains("left out: ") && words.contains("; wider terminal or --output json");
        assert!(screen.text.lines().all(|line| line.chars().count() <= 80), "{command:?}\n{}", screen.text);
        assert!(command[0] != "runs" || screen.text.contains("began ("), "{}", screen.text);
        assert!(leaves_out || command[0] == "alerts", "{command:?}\n{}", screen.text);
        for word in ["mark-no-shows", "advance-billing-pending-payment"].iter().filter(|_| command[0] == "health") {
            assert!(screen.text.contains(word), "a name is whole: {word}\n{}", screen.text);
        }
        let wide = clinic.program.on_terminal(400, command).await.text;
        assert!(!wide.contains("left out"), "{wide}");
        let piped = clinic.run(&[command, &["--output", "text"]].concat()).await.stdout;
        assert!(!piped.contains("left out"), "not a terminal: {piped}");
    }
}

#[tokio::test]
async fn a_run_on_a_terminal_is_summed_up_once() {
    let clinic = Clinic::with_visits(3).await;
    let screen = clinic.program.on_terminal(100, &JOB).await;
    assert!(screen.code == 0 && screen.text.starts_with("mark-no-shows COMPLETED in "), "{screen:?}");
    assert!(!screen.text.contains("run finished") && !screen.text.contains("INFO"), "{screen:?}");
    let loud = clinic.program.on_terminal(100, &[&JOB[..], &["--log-level", "info"]].concat()).await;
    assert!(loud.text.contains("run finished"), "a level that is given counts: {loud:?}");
    let loud = clinic.program.clone().env("ROUNDS_LOG_LEVEL", "info").on_terminal(100, &JOB).await;
    assert!(loud.text.contains("run finished"), "{loud:?}");
    clinic.sql("UPDATE appointments SET status = 'SCHEDULED'").await;
    for output in ["text", "json"] {
        let args = [&JOB[..], &["--max-items", "1", "--output", output]].concat();
        let screen = clinic.program.on_terminal(100, &args).await;
        assert!(
            screen.code == 5 && screen.text.matches("items are due").count() == 1,
            "an error is told once: {screen:?}"
        );
        let screen = clinic.program.on_terminal(100, &["runs", "show", "abc", "--output", output]).await;
        assert!(screen.code == 2 && screen.text.matches("there is no run").count() == 1, "{screen:?}");
    }
    let piped = clinic.run(&JOB).await.expect(0);
    assert!(piped.stderr.contains("run finished"), "a log that is kept is full: {piped:?}");
}

#[tokio::test]
async fn quiet_is_silent_where_all_is_well_and_only_there() {
    let clinic = Clinic::with_visits(3).await;
    let silent = |outcome: &crate::support::program::Outcome| outcome.stdout.is_empty() && outcome.stderr.is_empty();
    let outcome = clinic.run(&[&JOB[..], &["--quiet"]].concat()).await.expect(0);
    assert!(silent(&outcome), "{outcome:?}");
    let outcome = clinic.run(&[&["-q"], &JOB[..]].concat()).await.expect(0);
    assert!(silent(&outcome), "{outcome:?}");
    let outcome = clinic.program.clone().env("ROUNDS_QUIET", "yes").run(&JOB).await.expect(0);
    assert!(silent(&outcome), "{outcome:?}");
    assert_eq!(clinic.program.on_terminal(80, &[&JOB[..], &["-q"]].concat()).await.text, "");
    let outcome = clinic.run(&["health", "mark-no-shows", "-q"]).await.expect(0);
    assert!(silent(&outcome), "{outcome:?}");
    clinic.sql("UPDATE appointments SET status = 'SCHEDULED'").await;
    let outcome = clinic.run(&[&JOB[..], &["-q", "--max-items", "1"]].concat()).await.expect(5);
    assert!(outcome.stderr.contains("items are due") && outcome.report()["error_code"] == "BRAKE", "{outcome:?}");
    let outcome = clinic.run(&["health", "mark-no-shows", "-q"]).await.expect(1);
    assert_eq!(outcome.report()["isHealthy"], false, "{outcome:?}");
    clinic
        .sql(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
             CREATE TRIGGER refuse BEFORE UPDATE ON appointments FOR EACH ROW WHEN (NEW.id = 2) EXECUTE FUNCTION refuse()",
        )
        .await;
    let outcome = clinic.run(&[&JOB[..], &["-q"]].concat()).await.expect(3);
    assert_eq!(outcome.report()["failed"], 1, "items that failed are not all well: {outcome:?}");
    assert!(outcome.stderr.contains("WARN") && !outcome.stderr.contains("INFO"), "{outcome:?}");
}

#[tokio::test]
async fn an_unknown_option_is_no_word_that_is_left_over() {
    let outcome = nowhere().run(&["health", "-x"]).await.expect(2);
    assert!(outcome.stderr.contains("unexpected argument '-x'"), "{outcome:?}");
    for words in [&["Pat", "called"][..], &["-CANARY"], &["Pat", "-CANARY"], &["Pat", "- CANARY"]] {
        let outcome =
            nowhere().run(&[&["no-show", "mark", "1", "--reason", "MANUAL_STAFF"], words].concat()).await.expect(2);
        assert!(!outcome.stderr.contains("CANARY") && !outcome.stderr.contains("called"), "{words:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn what_a_terminal_acts_upon_is_shown_as_text() {
    let clinic = Clinic::with_visits(2).await;
    let nurse = clinic.user(1, "NURSE").await.to_string();
    let attack = |text: &str| text.replace("ATTACK", &format!("U&'{}'", escaped(ATTACK)));
    clinic
        .sql(&attack("UPDATE facilities SET name = ATTACK; UPDATE doctors SET first_name = ATTACK, last_name = ''"))
        .await;
    clinic.run(&JOB).await.expect(0);
    clinic.program.shows_attack(4, &["no-show", "logs"]).await;
    clinic.sql(&attack("UPDATE no_show_logs SET created_by = ATTACK")).await;
    clinic.program.shows_attack(6, &["no-show", "logs"]).await;
    // An alert, with whom it is about.
    let alert = "INSERT INTO stage_alerts (appointment_id, alert_type, message, status, triggered_at)
                 VALUES ('1', 'NO_VITALS', ATTACK, 'ACTIVE', '2026-03-02T14:00Z');
                 UPDATE patients SET mrn = ATTACK || id, first_name = ATTACK, last_name = ATTACK || id";
    clinic.sql(&attack(alert)).await;
    clinic.program.shows_attack(2, &["alerts", "list"]).await;
    clinic.program.shows_attack(6, &["alerts", "list", "--reveal", "--actor", &nurse]).await;
    let shape = ["alerts", "list", "--reveal", "--actor", &nurse, "--shape", "no-show-alerts", "--output", "text"];
    let screen = clinic.program.on_terminal(80, &shape).await.text;
    let read: serde_json::Value = serde_json::from_str(&screen).expect("JSON");
    assert!(screen.is_ascii() && read["data"][0]["message"] == ATTACK, "{screen:?}");
    // Runs and pauses.
    clinic
        .sql(&attack(
            "UPDATE cron_job_runs SET actor = ATTACK, error_code = ATTACK, error_message = ATTACK, host = ATTACK",
        ))
        .await;
    clinic.program.shows_attack(2, &["runs", "list"]).await;
    clinic.program.shows_attack(4, &["runs", "show", "latest"]).await;
    // Rules.
    clinic.rule(("no_response", json!({"hours": 1})), ("notify_manager", json!({"message": "m"}))).await;
    clinic.sql(&attack("UPDATE escalation_rules SET name = ATTACK")).await;
    clinic.program.shows_attack(1, &["escalation-rules", "check"]).await;
}

/// A text as the server reads it between `U&'` and `'`.
fn escaped(text: &str) -> String {
    text.chars().map(|c| format!("\\{:04x}", u32::from(c))).collect()
}
