//! The messages leave: a provider of the demo's own takes them, and shows what arrived.

use anyhow::ensure;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::demo::cast::When;
use crate::demo::clock::MONDAY;
use crate::demo::provider::Arrived;
use crate::demo::stage::{Line, Stage};

pub const CAST: &str = include_str!("cast.sql");

/// The account of the stand-in, and the number that SMS come from.
const ACCOUNT: &str = "AC00000000000000000000000000000000";
const SENDER: &str = "+12125550100";
/// How many SMS are shown.
const SHOWN: usize = 2;

/// What waits for delivery by SMS; what left; and what left of no-shows whose log does not say so.
const WAITING: &str = "SELECT count(*) FROM notifications WHERE channel = 'SMS' AND status IN ('PENDING', 'SENDING')";
const SENT: &str = "
    SELECT count(*) FROM notifications
    WHERE channel = 'SMS' AND status = 'SENT' AND provider_id IS NOT NULL AND provider_status = 'queued'";
const UNTOLD: &str = "
    SELECT count(*) FROM notifications n
    JOIN no_show_logs l ON n.entity = 'appointment' AND l.appointment_id = n.entity_id AND l.run_id = n.run_id
    WHERE n.channel = 'SMS' AND n.status = 'SENT' AND NOT l.notification_sent";

pub async fn play(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let about = "No job sends. It stages a message with the change itself; this job sends what is staged, each once, to a \
                 stand-in of Twilio and an endpoint of webhooks.";
    stage.open("Delivery: the messages leave", about, CAST).await?;
    deliver_sms(stage).await?;
    deliver_webhooks(stage).await
}

async fn deliver_sms(stage: &Stage<'_>) -> anyhow::Result<()> {
    let line = Line::of("deliver-notifications --channel sms").variable("ROUNDS_TWILIO_URL", &stage.provider.url);
    let line = line.variable("ROUNDS_TWILIO_ACCOUNT", ACCOUNT).variable("ROUNDS_TWILIO_TOKEN", "token-of-the-demo");
    let line = line.variable("ROUNDS_SMS_FROM", SENDER);
    // One of three has no phone: it is done, but for an item.
    let ended = stage.run(line.option("--per-second", "1000").exits(3)).await?;
    let arrived = stage.provider.take();
    let (waiting, sent, untold) = (stage.count(WAITING).await?, stage.count(SENT).await?, stage.count(UNTOLD).await?);
    let reported = ended.report["sent"].as_i64().unwrap_or(0);
    ensure!(
        waiting == 0 && untold == 0 && sent > 0 && [reported, arrived.len() as i64] == [sent; 2],
        "{waiting} SMS wait, {reported} were sent, {} arrived, {sent} are SENT, {untold} logs do not say so",
        arrived.len()
    );
    for message in arrived.iter().take(SHOWN) {
        if let Arrived::Sms { to, text, .. } = message {
            stage.page.line(format!("  · arrived at {}:", redacted(to)))?;
            stage.page.text(|line| format!("  {line}"), text)?;
        }
    }
    if arrived.len() > SHOWN {
        stage.page.line(format!("  ... and {} more", arrived.len() - SHOWN))?;
    }
    let told = [
        "patient 9031 | SMS | SENT |  | the provider has taken it",
        "patient 9032 | SMS | SUPPRESSED | OPTED_OUT | wants no SMS",
        "patient 9033 | SMS | FAILED | NO_ADDRESS | has no phone",
    ];
    stage.shows(include_str!("told.sql"), &told).await
}

async fn deliver_webhooks(stage: &Stage<'_>) -> anyhow::Result<()> {
    let when = When { day: MONDAY, now: stage.now };
    when.put(stage.clinic.client(), include_str!("closed.sql")).await?;
    let secret = BASE64_STANDARD.encode([7; 32]);
    let endpoints = format!("[dashboard]\nurl = \"{}\"\nsecret = \"whsec_{secret}\"\n", stage.provider.url);
    let line = Line::of("deliver-notifications --channel webhook").variable("ROUNDS_WEBHOOK_ENDPOINTS", endpoints);
    let ended = stage.run(line).await?;
    let arrived = stage.provider.take();
    ensure!(arrived.len() == 2 && ended.report["sent"] == 2, "two webhooks were staged, {} arrived", arrived.len());
    for message in arrived {
        let Arrived::Webhook { id, body } = message else { continue };
        let kind = body["type"].as_str().unwrap_or_default();
        let about = format!("{} {}", body["data"]["entity"], body["data"]["entity_id"]).replace('"', "");
        stage.page.line(format!("  · {id} arrived: {kind}, {about}: {}", body["data"]["metadata"]))?;
    }
    Ok(())
}

/// A number as it may be shown: its country and its last two digits.
fn redacted(number: &str) -> String {
    let hidden = number.len().saturating_sub(4);
    number.chars().enumerate().map(|(at, digit)| if (2..2 + hidden).contains(&at) { '*' } else { digit }).collect()
}
