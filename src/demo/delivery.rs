//! The messages of the day leave: a provider of the demo's own takes them, and shows what arrived.

use std::path::PathBuf;

use anyhow::{anyhow, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::clinic::Clinic;
use super::clock::instant;
use super::page::{Look, Page};
use super::provider::{Arrived, Endpoint};
use crate::jobs::deliver_notifications::DeliverNotifications;
use crate::output::counted;
use crate::run::{self, Job, JobArgs, RunArgs};

/// When the front desk closes, and its application stages the numbers of the day.
const CLOSING: &str = "18:05";
/// The name under which the endpoint is known.
const ENDPOINT: &str = "dashboard";
/// The account of the stand-in, and the number that SMS come from.
const ACCOUNT: &str = "AC00000000000000000000000000000000";
const SENDER: &str = "+12125550100";
/// How many SMS are shown.
const SHOWN: usize = 3;

/// What the application stages: ids and counts for an endpoint, as any program may.
const STAGE: &str = "
    INSERT INTO notifications (recipient_kind, address, channel, type, title, body, metadata, entity, entity_id,
                               dedupe_key, status, created_at)
    SELECT 'ADDRESS', $1, 'WEBHOOK', 'DAY_CLOSED', 'The day is closed', 'See the dashboard',
           jsonb_build_object('no_shows', count(*) FILTER (WHERE a.status = 'NO_SHOW'),
                              'completed', count(*) FILTER (WHERE a.status = 'COMPLETED')),
           'facility', a.facility_id::text, format('DAY_CLOSED:%s:2026-03-02', a.facility_id), 'PENDING', $2
    FROM appointments a
    WHERE a.appointment_date = '2026-03-02'
    GROUP BY a.facility_id
    RETURNING id";

/// What waits for delivery by SMS; and afterwards what the logs and the outbox say of it.
const WAITING: &str = "SELECT count(*) FROM notifications WHERE channel = 'SMS' AND status = 'PENDING'";
const TOLD: &str = "SELECT count(*) FROM no_show_logs WHERE notification_sent";
const SENT: &str = "
    SELECT count(*) FROM notifications
    WHERE channel = 'SMS' AND status = 'SENT' AND provider_id IS NOT NULL AND provider_status = 'queued'";

/// Delivers what is staged, channel after channel, and checks that all of it arrived, once.
pub async fn deliver(page: &Page, clinic: &Clinic, options: &RunArgs) -> anyhow::Result<()> {
    let endpoint = Endpoint::open().await?;
    deliver_sms(page, clinic, options, &endpoint).await?;
    deliver_webhooks(page, clinic, options, &endpoint).await
}

async fn deliver_sms(page: &Page, clinic: &Clinic, options: &RunArgs, endpoint: &Endpoint) -> anyhow::Result<()> {
    let staged = count(clinic, WAITING).await?;
    let url = endpoint.url.as_str();
    let args = ["--channel", "sms", "--per-second", "1000", "--twilio-url", url, "--twilio-account", ACCOUNT];
    let mut job = job(&[&args[..], &["--sms-from", SENDER]].concat(), options)?;
    let sms = &mut job.options.sms;
    // What the environment says is of another account.
    (sms.twilio_key, sms.twilio_token_file, sms.sms_service, sms.sms_status_callback) = (None, None, None, None);
    sms.twilio_token = Some("token-of-the-demo".to_owned());
    let sent = run(clinic, &job, options).await?;
    let arrived = endpoint.take();
    let (told, in_outbox) = (count(clinic, TOLD).await?, count(clinic, SENT).await?);
    ensure!(
        [sent, arrived.len() as u64, told, in_outbox] == [staged; 4] && staged > 0,
        "{staged} SMS waited: {sent} were sent, {} arrived, {in_outbox} are SENT, and {told} logs say so",
        arrived.len()
    );
    heading(page, &format!("{staged} SMS sent to a stand-in of Twilio; the logs of the no-shows say so"))?;
    for message in arrived.iter().take(SHOWN) {
        if let Arrived::Sms { to, text, .. } = message {
            page.line(format!("  · arrived at {}:", redacted(to)))?;
            page.line(format!("    {text}"))?;
        }
    }
    Ok(page.line(format!("  ... and {} more", arrived.len().saturating_sub(SHOWN)))?)
}

async fn deliver_webhooks(page: &Page, clinic: &Clinic, options: &RunArgs, endpoint: &Endpoint) -> anyhow::Result<()> {
    let staged = clinic.rows(STAGE, &[&ENDPOINT, &instant(CLOSING)]).await?.len() as u64;
    let secret = BASE64_STANDARD.encode([7; 32]);
    let file = format!("[{ENDPOINT}]\nurl = \"{}\"\nsecret = \"whsec_{secret}\"\n", endpoint.url);
    let mut job = job(&["--channel", "webhook"], options)?;
    job.options.webhook_endpoints = Some(PathBuf::from(file));
    let sent = run(clinic, &job, options).await?;
    let arrived = endpoint.take();
    ensure!(
        arrived.len() as u64 == staged && sent == staged,
        "{staged} messages were staged, {} arrived",
        arrived.len()
    );
    heading(page, &format!("{} sent to an endpoint of the demo's own", counted(sent, "webhook")))?;
    for message in arrived {
        let Arrived::Webhook { id, body } = message else { continue };
        let kind = body["type"].as_str().unwrap_or_default();
        let about = format!("{} {}", body["data"]["entity"], body["data"]["entity_id"]).replace('"', "");
        page.line(format!("  · {id} arrived: {kind}, {about}: {}", body["data"]["metadata"]))?;
    }
    Ok(())
}

/// The job of a channel, as a scheduler starts it.
fn job(args: &[&str], options: &RunArgs) -> anyhow::Result<DeliverNotifications> {
    let args =
        JobArgs::<DeliverNotifications>::scheduled(<DeliverNotifications as Job>::NAME, args, options.common.clone());
    let job = args.map_err(|why| anyhow!(why))?.job;
    Ok(DeliverNotifications { only_to: None, templates: None, ..job })
}

/// Runs it; how many messages it sent.
async fn run(clinic: &Clinic, job: &DeliverNotifications, options: &RunArgs) -> anyhow::Result<u64> {
    let database = clinic.open("rounds/deliver-notifications");
    let summary = run::execute(job, &options.replay(instant(CLOSING)), database).await;
    match &summary.error {
        Some((code, message)) => Err(anyhow!("{} ended {}: {message} [{code}]", summary.job, summary.status)),
        None => Ok(summary.report["sent"].as_u64().unwrap_or(0)),
    }
}

async fn count(clinic: &Clinic, query: &str) -> anyhow::Result<u64> {
    let rows = clinic.rows(query, &[]).await?;
    Ok(rows.first().map_or(0, |row| row.get::<_, i64>(0).unsigned_abs()))
}

fn heading(page: &Page, what: &str) -> anyhow::Result<()> {
    Ok(page.line(format!("{}: {what}", page.paint(Look::Bold, "deliver-notifications")))?)
}

/// A number as it may be shown: its country and its last two digits.
fn redacted(number: &str) -> String {
    let hidden = number.len().saturating_sub(4);
    number.chars().enumerate().map(|(at, digit)| if (2..2 + hidden).contains(&at) { '*' } else { digit }).collect()
}
