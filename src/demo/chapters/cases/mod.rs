//! Complaints of patients that nobody answered in time.

use crate::demo::stage::{Line, Stage};

pub const CAST: &str = include_str!("cast.sql");

pub async fn play(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let about = "A complaint is due by a time. Of four, two are overdue and can be raised: their level rises, and their \
                 department is told, or where there is none the manager.";
    stage.open("Cases: complaints that are overdue", about, CAST).await?;
    stage.run(Line::of("escalate-sla")).await?;
    let told = [
        "301 | ESCALATED | 1 | department 11 | due 90 min ago",
        "302 | ESCALATED | 2 | user 201 | a day overdue, raised once; no department",
        "303 | OPEN | 0 | nobody | due in 30 min",
        "304 | OPEN | 3 | nobody | level 3 is the highest",
    ];
    stage.shows(include_str!("told.sql"), &told).await?;
    stage.explain("escalate-sla --explain 303", "a run from 2026-03-02 19:00 EST on would do it").await
}
