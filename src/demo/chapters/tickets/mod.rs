//! Tickets whose time runs out, and the clinic's own rules on them.

use crate::demo::stage::{Line, Stage};

pub const CAST: &str = include_str!("cast.sql");

pub async fn play(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let about = "One job says in time that a ticket will be late; another carries out the rules that the clinic writes \
                 itself: 31 (nobody has answered for 4 h: tell the manager), 32 (too late: more priority).";
    stage.open("Tickets: before it is too late, and after", about, CAST).await?;
    stage.run(Line::of("monitor-ticket-sla")).await?;
    let risk = [
        "401 | high | user 211, user 214 | 30 min of 10 h 30 min are left",
        "402 | breached | user 212 | an hour late; its agent has left",
        "403 | low | nobody | 20 of 21 h are left",
    ];
    stage.shows(include_str!("risk.sql"), &risk).await?;
    stage.run(Line::of("escalate-tickets")).await?;
    let rules = ["401 | HIGH | 31 | user 214", "402 | HIGH | 31, 32 | user 2, user 212", "403 | LOW | none | nobody"];
    stage.shows(include_str!("rules.sql"), &rules).await?;
    stage.say("Again: each rule has fired, so it does nothing while its condition goes on.")?;
    let again = stage.run(Line::of("escalate-tickets")).await?;
    anyhow::ensure!(again.report["failed"] == 0, "{}", again.report);
    stage.shows(include_str!("rules.sql"), &rules).await
}
