//! The messages of the day leave: a provider of the demo's own takes them, and shows what arrived.

use std::path::PathBuf;

use anyhow::{anyhow, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::clinic::Clinic;
use super::clock::instant;
use super::page::{Look, Page};
use super::provider::Endpoint;
use crate::jobs::deliver_notifications::DeliverNotifications;
use crate::output::counted;
use crate::run::{self, JobArgs, RunArgs};

/// When the front desk closes, and its application stages the numbers of the day.
const CLOSING: &str = "18:05";
/// The name under which the endpoint is known.
const ENDPOINT: &str = "dashboard";

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

/// Delivers what is staged for endpoints, and checks that all of it arrived, once.
pub async fn deliver(page: &Page, clinic: &Clinic, options: &RunArgs) -> anyhow::Result<()> {
    let now = instant(CLOSING);
    let staged = clinic.rows(STAGE, &[&ENDPOINT, &now]).await?.len();
    let endpoint = Endpoint::open().await?;
    let secret = BASE64_STANDARD.encode([7; 32]);
    let file = format!("[{ENDPOINT}]\nurl = \"{}\"\nsecret = \"whsec_{secret}\"\n", endpoint.url);
    let args = JobArgs::<DeliverNotifications>::scheduled(&["--channel", "webhook"], options.common.clone());
    let mut job = args.map_err(|why| anyhow!(why))?.job;
    job.options.webhook_endpoints = Some(PathBuf::from(file));
    let database = clinic.open("rounds/deliver-notifications");
    let summary = run::execute(&job, &options.replay(now), database).await;
    if let Some((code, message)) = &summary.error {
        return Err(anyhow!("{} ended {}: {message} [{code}]", summary.job, summary.status));
    }
    let sent = summary.report["sent"].as_u64().unwrap_or(0);
    let arrived = endpoint.take();
    ensure!(
        arrived.len() == staged && sent == staged as u64,
        "{staged} messages were staged, {} arrived",
        arrived.len()
    );
    page.line(format!(
        "{}: {} sent to a provider of the demo's own",
        page.paint(Look::Bold, summary.job),
        counted(sent, "webhook")
    ))?;
    for message in arrived {
        let (body, id) = (&message.body, &message.id);
        let kind = body["type"].as_str().unwrap_or_default();
        let about = format!("{} {}", body["data"]["entity"], body["data"]["entity_id"]).replace('"', "");
        page.line(format!("  · {id} arrived: {kind}, {about}: {}", body["data"]["metadata"]))?;
    }
    Ok(())
}
