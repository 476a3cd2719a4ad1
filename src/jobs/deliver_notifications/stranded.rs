//! What runs that are gone have left under way.
//!
//! Rule: where the provider knows doubles, such a message is sent again; where it keeps a list, and exactly one message
//! of the list fits, it was sent; else it is UNCERTAIN.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use tokio_postgres::Transaction;

use super::due::{Due, Recipient};
use super::facts;
use super::gateway::{Channel, Gateway};
use super::number::Country;
use super::settle::Status;
use super::told;
use crate::clients::provider::{Found, Provider as _, Receipt};
use crate::clinic::templates::Templates;
use crate::db::{Row, statements};
use crate::error::Error;
use crate::run::{Halt, Run, WriteOptions, record_failed_items};

statements! {
    STRANDED(TEXT, UUID, INT8) = include_str!("stranded.sql");
    SETTLE_STRANDED(INT8_ARRAY, TEXT_ARRAY, TEXT_ARRAY, TEXT_ARRAY, TEXT_ARRAY, UUID, TIMESTAMPTZ) =
        include_str!("settle_stranded.sql");
    TAKEN(TEXT_ARRAY) = include_str!("taken.sql");
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
pub async fn settle(
    run: &Run,
    (gateway, templates): (&Gateway, &Templates),
    (channel, country): (Channel, Country),
    now: DateTime<Utc>,
) -> Result<(u64, Vec<i64>), Halt> {
    let (mut settled, mut uncertain) = (0, vec![]);
    loop {
        let (left, addresses) = run
            .read("looking for messages that dead runs have left under way", async |tx| {
                let rows = STRANDED.all(tx, &[&channel.stored(), &run.id, &PAGE]).await?;
                let left: Vec<Due> = rows.iter().map(|row| Due::of(row).rendered(templates, channel)).collect();
                let sent_at: Vec<DateTime<Utc>> = rows.iter().map(|row: &Row| row.get("sending_at")).collect();
                let addresses = facts::addresses(tx, channel, country, &left).await?;
                Ok((left, sent_at.into_iter().zip(addresses).collect::<Vec<_>>()))
            })
            .await?;
        if left.is_empty() {
            return Ok((settled, uncertain));
        }
        let mut found: Vec<Settled> = vec![];
        for (due, (sent_at, to)) in left.iter().zip(addresses) {
            run.checkpoint()?;
            found.push(fate(gateway, channel, due, to, sent_at).await);
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

/// Those of the provider's ids that say nothing, since another message has them already, or several of these would.
pub async fn taken(tx: &Transaction<'_>, sids: &[Option<&str>]) -> Result<HashSet<String>, Error> {
    let (mut distinct, mut taken) = (HashSet::new(), HashSet::new());
    for sid in sids.iter().flatten() {
        if !distinct.insert(*sid) {
            taken.insert((*sid).to_owned());
        }
    }
    if !distinct.is_empty() {
        let sids: Vec<&str> = distinct.into_iter().collect();
        taken.extend(TAKEN.all(tx, &[&sids]).await?.iter().map(|row| row.get::<_, String>("provider_id")));
    }
    Ok(taken)
}

async fn fate(gateway: &Gateway, channel: Channel, due: &Due, to: Option<String>, sent_at: DateTime<Utc>) -> Settled {
    let settled = |status, reason, receipt| Settled { id: due.id, status, reason, receipt };
    if gateway.knows_doubles() {
        return settled(Status::Pending, Some(RUN_ENDED), Receipt::default());
    }
    let to = match (&due.recipient, to) {
        (Recipient::Nobody, _) | (_, None) => return settled(Status::Uncertain, Some(RUN_ENDED), Receipt::default()),
        (_, Some(to)) => to,
    };
    match gateway.find(&due.message(channel, to, sent_at)).await {
        Found::One(receipt) => settled(Status::Sent, None, receipt),
        // A list may be behind: what is not in it may be there later, and `follow_up` looks again.
        Found::None | Found::Unclear => settled(Status::Uncertain, Some(RUN_ENDED), Receipt::default()),
    }
}
