//! Surgical cases, which are paid once.

use crate::demo::stage::{Line, Stage};

pub const CAST: &str = include_str!("cast.sql");

pub async fn play(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let about = "Two timers move a case from submitted (10) to pending payment (15) to paid (20). After an outage both \
                 start at the same minute; no case is moved by two steps.";
    stage.open("Billing: two timers, one step", about, CAST).await?;
    stage.run(Line::of("advance-billing --stage pending-payment")).await?;
    stage.run(Line::of("advance-billing --stage paid")).await?;
    let told = [
        "501 | 15 pending payment | 10 -> 15 | waits a day before the next step",
        "502 | 20 paid to provider | 15 -> 20 | brought to 15 by people",
        "503 | 10 submitted (ready for billing) | no step | not active",
    ];
    stage.shows(include_str!("told.sql"), &told).await?;
    stage.explain("advance-billing --stage paid --explain 501", "2026-03-03 18:30 EST").await
}
