//! What runs that are gone have left under way.
//!
//! Rule: where the provider knows doubles, such a message is sent again; where it keeps a list, and exactly one message
//! of the list fits, it was sent; else it is UNCERTAIN.

use chrono::{DateTime, Utc};

use super::due::{Due, Recipient};
use super::facts;
use super::gateway::{Channel, Gateway};
use super::number::Country;
use super::settle::Status;
use super::told;
use crate::clients::provider::{Found, Provider as _};
use crate::clinic::templates::Templates;
use crate::db::{Row, statements};
use crate::run::{Halt, Run, WriteOptions, record_failed_items};

statements! {
    STRANDED(TEXT, UUID, INT8) = include_str!("stranded.sql");
    SETTLE_STRANDED(INT8_ARRAY, TEXT_ARRAY, TEXT_ARRAY, TEXT_ARRAY, UUID, TIMESTAMPTZ) =
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
    provider_id: Option<String>,
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
        let mut found = vec![];
        for (due, (sent_at, to)) in left.iter().zip(addresses) {
            run.checkpoint()?;
            found.push(fate(gateway, due, to, sent_at).await);
        }
        run.write("settling messages of dead runs", WriteOptions::default(), async |tx| {
            let ids: Vec<i64> = found.iter().map(|one| one.id).collect();
            let statuses: Vec<&str> = found.iter().map(|one| one.status.stored()).collect();
            let reasons: Vec<Option<&str>> = found.iter().map(|one| one.reason).collect();
            let provider_ids: Vec<Option<&str>> = found.iter().map(|one| one.provider_id.as_deref()).collect();
            SETTLE_STRANDED.execute(tx, &[&ids, &statuses, &reasons, &provider_ids, &run.id, &now]).await?;
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

async fn fate(gateway: &Gateway, due: &Due, to: Option<String>, sent_at: DateTime<Utc>) -> Settled {
    let settled = |status, reason, provider_id| Settled { id: due.id, status, reason, provider_id };
    if gateway.knows_doubles() {
        return settled(Status::Pending, Some(RUN_ENDED), None);
    }
    let to = match (&due.recipient, to) {
        (Recipient::Nobody, _) | (_, None) => return settled(Status::Uncertain, Some(RUN_ENDED), None),
        (_, Some(to)) => to,
    };
    match gateway.find(&due.message(to, sent_at)).await {
        Found::One(receipt) => settled(Status::Sent, None, receipt.id),
        // A list may be behind: what is not in it may be there later.
        Found::None | Found::Unclear => settled(Status::Uncertain, Some(RUN_ENDED), None),
    }
}
