//! What goes wrong, and that nothing is lost by it: each scene is played on a real server with real processes.

use std::time::{Duration, Instant};

use anyhow::{bail, ensure};

use crate::demo::stage::{Line, Stage};

pub const CAST: &str = include_str!("cast.sql");

/// The run of this chapter: what is due at the third facility.
const MARK: &str = "mark-no-shows --facility 3";
const TOLD: &str = include_str!("told.sql");
/// Whether a run waits at the gate, and whether a session of a run is there.
const AT_GATE: &str = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
const SESSIONS: &str = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'rounds/mark-no-shows'";
/// How long a scene waits for something that is about to happen.
const PATIENCE: Duration = Duration::from_secs(60);

pub async fn play(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let about = "Four visits of a third facility are due, and everything goes wrong in turn.";
    stage.open("Trouble: nothing is lost", about, CAST).await?;
    stage.clinic.run("building the gate", include_str!("gate.sql")).await?;
    brake(stage).await?;
    killed(stage).await?;
    undone(stage).await?;
    poisoned(stage).await?;
    server_lost(stage).await?;
    paused(stage).await?;
    looked_at(stage).await
}

async fn brake(stage: &Stage<'_>) -> anyhow::Result<()> {
    stage.say("1. The brake: more is due than somebody thought possible. Nothing is changed.")?;
    stage.run(Line::of(&format!("{MARK} --max-items 3")).exits(5)).await?;
    stage.shows(TOLD, &[" | none"]).await
}

async fn killed(stage: &Stage<'_>) -> anyhow::Result<()> {
    stage
        .say("2. A run is killed (kill -9) in the middle of its second batch; a scheduler starts another meanwhile.")?;
    let line = Line::of(&format!("{MARK} --batch-rows 2"));
    hold(stage, 8003).await?;
    let mut first = stage.start(&line)?;
    until(stage, "a run at the gate", AT_GATE, 1).await?;
    let second = stage.run(Line::of(MARK)).await?;
    ensure!(second.report["status"] == "SKIPPED", "the second was to be skipped: {}", second.report);
    first.kill().await?;
    stage.clinic.run("opening the gate", "SELECT pg_advisory_unlock(8003)").await?;
    until(stage, "the end of the sessions of what was killed", SESSIONS, 0).await?;
    stage.shows(TOLD, &["8001, 8002 | none"]).await?;
    stage.say("Its batch is rolled back. A minute without a heartbeat (it is played), and the next run takes over.")?;
    let minute = "UPDATE cron_job_runs SET heartbeat_at = heartbeat_at - interval '61 s' WHERE status = 'RUNNING'";
    stage.clinic.run("letting a minute pass", minute).await?;
    let next = stage.run(Line::of(MARK)).await?;
    ensure!(next.report["marked"] == 2, "the next run was to do the rest: {}", next.report);
    stage.shows(TOLD, &["8001, 8002, 8003, 8004 | none"]).await
}

async fn undone(stage: &Stage<'_>) -> anyhow::Result<()> {
    stage.say("3. The patient of visit 8001 had sat in the wrong waiting room; no later run marks it again.")?;
    let line = Line::of("no-show undo 8001 --actor 251").option("--reason", "sat in the wrong waiting room");
    let undone = stage.run(line).await?;
    ensure!(undone.report["undone"] == 1 && undone.report["slots_booked"] == 1, "undone: {}", undone.report);
    let visit = "
        SELECT a.id::text AS \"visit\", a.status, CASE WHEN s.appointment_id = a.id THEN 'its slot again' END AS \"slot\",
               (SELECT string_agg(n.channel || ' ' || n.status, ', ' ORDER BY n.channel) FROM notifications n
                WHERE n.entity = 'appointment' AND n.entity_id = a.id::text) AS \"what was staged\"
        FROM appointments a JOIN doctor_slots s ON s.doctor_id = a.doctor_id WHERE a.id = 8001";
    stage.shows(visit, &["8001 | SCHEDULED | its slot again | IN_APP SENT, SMS EXPIRED"]).await
}

async fn poisoned(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    stage.later(10);
    stage.say("4. Ten minutes later: a trigger of an old application refuses visit 8006. The others go through.")?;
    stage.run(Line::of(MARK).exits(3)).await?;
    let failed = "
        SELECT e.entity_id AS \"visit\", e.error_code AS \"code\", 'its text names the patient: not shown' AS \"why\"
        FROM cron_job_run_errors e WHERE e.entity_id = '8006'";
    stage.shows(failed, &["8006 | P0001 | its text names the patient: not shown"]).await?;
    stage.clinic.run("repairing the trigger", "DROP TRIGGER old_invoices ON appointments").await?;
    stage.say("The trigger is repaired.")?;
    let next = stage.run(Line::of(&format!("{MARK} --retry-refused"))).await?;
    ensure!(next.report["marked"] == 1, "visit 8006 was to be marked: {}", next.report);
    Ok(())
}

async fn server_lost(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    stage.later(20);
    stage.say("5. The server crashes in the middle of a run, and comes back. The run waits for it, and goes on.")?;
    let line = Line::of(&format!("{MARK} --batch-rows 1 --attempts 20 --retry-delay 100ms"));
    hold(stage, 8009).await?;
    let run = stage.start(&line)?;
    until(stage, "a run at the gate", AT_GATE, 1).await?;
    stage.server.crash().map_err(anyhow::Error::msg)?;
    stage.clinic.reconnect().await?;
    stage.finish(line, run).await?;
    stage.shows(TOLD, &["8002, 8003, 8004, 8005, 8006, 8007, 8008, 8009, 8010 | none"]).await
}

async fn paused(stage: &Stage<'_>) -> anyhow::Result<()> {
    stage.say("6. A person stops the job, and lets it go on.")?;
    stage.run(Line::of("pause mark-no-shows --actor 253").option("--reason", "the desk is moving")).await?;
    let skipped = stage.run(Line::of(MARK)).await?;
    ensure!(skipped.report["error_code"] == "PAUSED", "the run was to be skipped: {}", skipped.report);
    stage.run(Line::of("resume mark-no-shows --actor 253")).await?;
    stage.run(Line::of(MARK)).await?;
    Ok(())
}

async fn looked_at(stage: &Stage<'_>) -> anyhow::Result<()> {
    stage.say("7. What a person on call sees of all that, the newest first.")?;
    let expected = [
        "COMPLETED |  | 0",
        "SKIPPED | PAUSED | 0",
        "COMPLETED |  | 3",
        "COMPLETED |  | 1",
        "COMPLETED |  | 2",
        "COMPLETED |  | 2",
        "SKIPPED | ALREADY_RUNNING | 0",
        "FAILED | LEASE_EXPIRED | 0",
        "FAILED | BRAKE | 0",
    ];
    let line = Line::of("runs list --job mark-no-shows --limit 9");
    stage.lists(line, "runs", &["status", "error_code", "items_processed"], &expected).await?;
    stage.say("8. What nobody needs any more is deleted.")?;
    stage.run(Line::of("prune --keep 3650d").by_the_clock()).await?;
    let old = "SELECT count(*) FROM notifications WHERE dedupe_key = 'LAB_READY:2010'";
    ensure!(stage.count(old).await? == 0, "the message of 2010 was to be deleted");
    Ok(())
}

/// Closes the gate before a visit.
async fn hold(stage: &Stage<'_>, visit: i64) -> anyhow::Result<()> {
    stage.clinic.run("closing the gate", &format!("SELECT pg_advisory_lock({visit})")).await
}

/// Waits until a query counts so many.
async fn until(stage: &Stage<'_>, what: &str, query: &str, expected: i64) -> anyhow::Result<()> {
    let began = Instant::now();
    while stage.count(query).await? != expected {
        if began.elapsed() > PATIENCE {
            bail!("waited for {what} in vain");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}
