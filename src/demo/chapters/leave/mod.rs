//! Doctors who are away, changed hours, and visits that are called off.

use anyhow::ensure;

use crate::demo::cast::When;
use crate::demo::clock::MONDAY;
use crate::demo::stage::{Line, Stage};

pub const CAST: &str = include_str!("cast.sql");

pub async fn play(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let about = "Tomorrow doctor 31 has an emergency, doctor 32 is on holiday, and the morning is no more among the hours \
                 of doctor 33. The patient of visit 7004 will call.";
    stage.open("Leave: who is away, and who must know", about, CAST).await?;
    stage.run(Line::of("notify-cancellations")).await?;
    stage.run(Line::of("apply-absences")).await?;
    stage.run(Line::of("flag-schedule-conflicts")).await?;
    stage.later(5);
    stage.say("Five minutes later the patient of visit 7004 calls.")?;
    let when = When { day: MONDAY, now: stage.now };
    when.put(stage.clinic.client(), include_str!("called_off.sql")).await?;
    stage.later(5);
    let called_off = stage.run(Line::of("notify-cancellations")).await?;
    ensure!(
        called_off.report["last_minute"] == 1,
        "visit 7004 was called off at the last minute: {}",
        called_off.report
    );
    let told = [
        "7001 | 31 | CANCELLED | blocked | patient 9011 | emergency: cancelled",
        "7002 | 32 | SCHEDULED | its slot | nobody | holiday: stays, people decide",
        "7003 | 33 | SCHEDULED | its slot | patient 9013 | hours begin at 13:00 now",
        "7004 | 34 | CANCELLED | free | user 234 | the patient called",
    ];
    stage.shows(include_str!("told.sql"), &told).await?;
    let free = "SELECT count(*) FROM doctor_slots WHERE doctor_id IN (31, 32) AND NOT is_blocked";
    ensure!(stage.count(free).await? == 0, "a slot of a leave can be booked");
    stage.explain("apply-absences --explain 7002", "on none that cancels visits").await
}
