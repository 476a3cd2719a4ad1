//! What runs that are gone have left under way.
//!
//! Rule: where the provider knows doubles, or nothing of the message has left (`is_held`), it is sent again; where the
//! provider keeps a list, and exactly one message of the list fits, it was sent; else it is UNCERTAIN.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::due::MESSAGE;
use super::settle::Status;
use super::sought::{Search, Sought, taken};
use super::told;
use crate::clients::provider::{Found, Provider as _, Receipt};
use crate::db::statements;
use crate::run::{Halt, Run, WriteOptions, record_failed_items};

statements! {
    STRANDED(TEXT, UUID, INT8) = format!(include_str!("stranded.sql"), message = MESSAGE);
    SETTLE_STRANDED(INT8_ARRAY, TEXT_ARRAY, TEXT_ARRAY, TEXT_ARRAY, TEXT_ARRAY, UUID, TIMESTAMPTZ) =
        include_str!("settle_stranded.sql");
}

/// Why a message is uncertain: the run that sent it has ended, and nobody knows.
pub const RUN_ENDED: &str = "RUN_ENDED";
/// The number of messages that are looked up together; more than ever are under way at once.
const PAGE: i64 = 256;

/// What became of one of them.
struct Settled {
    id: i64,
    status: Status,
    reason: Option<&'static str>,
    receipt: Receipt,
}

/// Settles what other runs of the channel have left; returns how many messages, and the ids of those that are uncertain.
pub async fn settle(run: &Run, search: Search<'_>, now: DateTime<Utc>) -> Result<(u64, Vec<i64>), Halt> {
    let (mut settled, mut uncertain) = (0, vec![]);
    loop {
        let (left, held) = run
            .read("looking for messages that dead runs have left under way", async |tx| {
                let rows = STRANDED.all(tx, &[&search.channel.stored(), &run.id, &PAGE]).await?;
                let held: HashSet<i64> =
                    rows.iter().filter(|row| row.get("is_held")).map(|row| row.get("id")).collect();
                Ok((search.messages(tx, &rows).await?, held))
            })
            .await?;
        if left.is_empty() {
            return Ok((settled, uncertain));
        }
        let mut found: Vec<Settled> = vec![];
        for one in &left {
            run.checkpoint()?;
            found.push(fate(search, one, held.contains(&one.due.id)).await);
        }
        let sids: Vec<Option<&str>> = found.iter().map(|one| one.receipt.id.as_deref()).collect();
        let taken = run.read("looking for ids of the provider", async |tx| taken(tx, &sids).await).await?;
        for one in &mut found {
            if one.receipt.id.as_ref().is_some_and(|sid| taken.contains(sid)) {
                (one.status, one.reason, one.receipt) = (Status::Uncertain, Some(RUN_ENDED), Receipt::default());
            }
        }
        run.write("settling messages of dead runs", WriteOptions::default(), async |tx| {
            let ids: Vec<i64> = found.iter().map(|one| one.id).collect();
            let statuses: Vec<&str> = found.iter().map(|one| one.status.stored()).collect();
            let reasons: Vec<Option<&str>> = found.iter().map(|one| one.reason).collect();
            let sids: Vec<Option<&str>> = found.iter().map(|one| one.receipt.id.as_deref()).collect();
            let words: Vec<Option<&str>> = found.iter().map(|one| one.receipt.status.as_deref()).collect();
            SETTLE_STRANDED.execute(tx, &[&ids, &statuses, &reasons, &sids, &words, &run.id, &now]).await?;
            told::note(tx, &ids, now).await?;
            let unsure = found.iter().filter(|one| one.status == Status::Uncertain).map(|one| one.id.to_string());
            let unsure: Vec<String> = unsure.collect();
            if unsure.is_empty() {
                return Ok(());
            }
            let what = (RUN_ENDED, "its run ended while it was being sent: rounds notifications settle");
            record_failed_items(tx, run.id, "notification", &unsure, what).await
        })
        .await?;
        settled += found.len() as u64;
        uncertain.extend(found.iter().filter(|one| one.status == Status::Uncertain).map(|one| one.id));
    }
}

async fn fate(search: Search<'_>, sought: &Sought, is_held: bool) -> Settled {
    let settled = |status, reason, receipt| Settled { id: sought.due.id, status, reason, receipt };
    if is_held || search.gateway.knows_doubles() {
        return settled(Status::Pending, Some(RUN_ENDED), Receipt::default());
    }
    match search.find(sought).await {
        Found::One(receipt) => settled(Status::Sent, None, receipt),
        // A list may be behind: what is not in it may be there later, and `follow_up` looks again.
        Found::None | Found::Unclear => settled(Status::Uncertain, Some(RUN_ENDED), Receipt::default()),
    }
}
