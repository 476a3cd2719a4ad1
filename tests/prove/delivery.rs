//! Messages are delivered by runs that are killed at random moments, to a provider that knows doubles and to one that
//! does not. None is lost in silence; the first delivers none twice; of the second nothing uncertain is sent again, and
//! a kill leaves no more uncertain than requests were under way.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::sleep;

use super::clinic::{Clinic, Site};
use super::form::Form;
use super::tally::{Goal, Tally, units};
use crate::support::program::{self, Outcome};
use crate::support::provider::{ProviderServer, Reply, Request};
use crate::support::{Program, connect};

/// The requests under way at once.
const CONCURRENCY: u64 = 8;
/// What a process comes to that was killed.
const KILLED: i32 = -libc::SIGKILL;
/// So long a run is waited for that has nothing more to send.
const AT_WORK: Duration = Duration::from_secs(3);
/// The kills of one unit, at most.
const KILLS_MAX: u64 = 30;

/// A channel, and its provider.
struct Kind {
    name: &'static str,
    args: &'static [&'static str],
    knows_doubles: bool,
    /// Stages {messages} messages.
    fill: &'static str,
    /// The id of the message in a request.
    id: fn(&Request) -> String,
    answer: fn() -> Reply,
}

static KINDS: [Kind; 2] = [
    Kind {
        name: "webhook",
        args: &["deliver-notifications", "--channel", "webhook"],
        knows_doubles: true,
        fill: "INSERT INTO notifications (recipient_kind, address, channel, type, title, body, entity, entity_id,
                                          dedupe_key, status, created_at)
               SELECT 'ADDRESS', 'pager', 'WEBHOOK', 'JOB_FAILING', 't', 'b', 'cron_job_run', n::text, 'k' || n,
                      'PENDING', clock_timestamp()
               FROM generate_series(1, {messages}) n",
        id: |request| request.headers["webhook-id"].trim_start_matches("rounds_").to_owned(),
        answer: || Reply::After(Duration::from_millis(5), 200, String::new()),
    },
    Kind {
        name: "sms",
        args: &["deliver-notifications", "--channel", "sms"],
        knows_doubles: false,
        fill: "INSERT INTO patients (mrn, first_name, last_name, phone)
               SELECT 'S' || n, 'a', 'b', format('+1212556%s', lpad(n::text, 4, '0'))
               FROM generate_series(1, {messages}) n;
               INSERT INTO notifications (recipient_kind, recipient_id, channel, type, priority, title, body,
                                          placeholders, entity, entity_id, dedupe_key, status, created_at)
               SELECT 'PATIENT', p.id::text, 'SMS', 'TEST', 'HIGH', 't', 'message ' || p.id, '{}', 'patient', p.id::text,
                      'k' || p.id, 'PENDING', clock_timestamp()
               FROM patients p WHERE p.mrn LIKE 'S%'",
        id: |request| request.body.split("To=").nth(1).unwrap_or_default().chars().take(15).collect(),
        answer: || Reply::After(Duration::from_millis(5), 201, r#"{"sid": "SM00000000000000000000000000000000", "status": "queued"}"#.to_owned()),
    },
];

pub async fn prove(site: Site, form: &'static Form) -> Vec<Tally> {
    let mut tallies = vec![];
    for kind in KINDS.iter().filter(|kind| form.replay.as_ref().is_none_or(|one| one.job == kind.name)) {
        let each = (form.counts.messages / 2).clamp(1, 500);
        let goal = Goal { proof: "delivery", job: kind.name, of: form.counts.messages, each, at_once: 2 };
        tallies.push(units(form, goal, |seed| life(site, kind, (seed, each))).await);
    }
    tallies
}

/// What a program needs to reach the provider.
fn configured(clinic: &Clinic, server: &ProviderServer, place: &TempDir) -> Program {
    let file = place.path().join("endpoints.toml");
    let secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    fs::write(&file, format!("[pager]\nurl = \"{}\"\nsecret = \"{secret}\"\n", server.url())).expect("writable");
    clinic
        .program
        .clone()
        .env("ROUNDS_WEBHOOK_ENDPOINTS", file.to_str().expect("a path"))
        .env("ROUNDS_TWILIO_URL", &server.url())
        .env("ROUNDS_TWILIO_ACCOUNT", "AC00000000000000000000000000000000")
        .env("ROUNDS_TWILIO_TOKEN", "token")
        .env("ROUNDS_SMS_FROM", "+12125550100")
        .env("ROUNDS_PER_SECOND", "1000")
}

/// One clinic, until all its messages are settled.
async fn life(site: Site, kind: &'static Kind, (seed, messages): (u64, u64)) -> Tally {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut tally = Tally::new("delivery", kind.name, seed);
    let clinic = site.clinic_of("template_people").await;
    let fill = kind.fill.replace("{messages}", &messages.to_string());
    connect(&site.server.url(&clinic.name)).await.batch_execute(&fill).await.expect("messages");
    let (server, place) = (ProviderServer::start().await, tempfile::tempdir().expect("a place for files"));
    server.always((kind.answer)());
    let program = configured(&clinic, &server, &place);
    let start = || program.start(&[kind.args, &["--concurrency", &CONCURRENCY.to_string()]].concat());
    let (mut kills, mut starts) = (0, 0);
    // Some end before they are killed.
    while kills < KILLS_MAX && starts < 2 * KILLS_MAX && left(&clinic).await > 0 {
        starts += 1;
        let run = start();
        // Every fourth at any moment of its life, the others at work for sure, however slow the machine is.
        if rng.u8(..4) > 0 {
            let come = server.requests().len() + rng.usize(1..=20);
            tokio::select! { () = server.came(come) => {}, () = sleep(AT_WORK) => {} }
        }
        sleep(Duration::from_millis(rng.u64(..40))).await;
        kills += u64::from(kill(&clinic, run).await);
    }
    let last: Outcome = program::finish(start()).await;
    if ![0, 3].contains(&last.code) {
        tally.breach(format_args!("after the kills a run exits {}: {last:?}", last.code));
    }
    judge(&clinic, kind, &server.requests(), (messages, kills), &mut tally).await;
    tally.done += messages;
    tally.note("kills", kills);
    clinic.end().await;
    tally
}

async fn left(clinic: &Clinic) -> i64 {
    clinic.count("SELECT count(*) FROM notifications WHERE status IN ('PENDING', 'SENDING')").await
}

/// Kills a run; returns whether it was still at work.
async fn kill(clinic: &Clinic, mut run: tokio::process::Child) -> bool {
    let _ = run.start_kill();
    let was_killed = program::finish(run).await.code == KILLED;
    clinic.expire_leases().await;
    was_killed
}

async fn judge(clinic: &Clinic, kind: &Kind, requests: &[Request], (messages, kills): (u64, u64), tally: &mut Tally) {
    let of = async |status: &str| {
        let query = format!("SELECT count(*) FROM notifications WHERE channel <> 'IN_APP' AND status = '{status}'");
        clinic.count(&query).await.unsigned_abs()
    };
    let (sent, uncertain) = (of("SENT").await, of("UNCERTAIN").await);
    let mut got: HashMap<String, u64> = HashMap::new();
    // A search for a message is no message.
    for request in requests.iter().filter(|request| request.method == "POST") {
        *got.entry((kind.id)(request)).or_default() += 1;
    }
    let twice = got.values().filter(|times| **times > 1).count() as u64;
    tally.lost += messages - sent - uncertain.min(messages - sent);
    tally.note("uncertain", uncertain);
    if kind.knows_doubles {
        tally.note("known doubles", twice);
    } else {
        tally.doubled += twice;
    }
    let allowed = if kind.knows_doubles { 0 } else { kills * CONCURRENCY };
    if sent + uncertain != messages || uncertain > allowed || tally.doubled > 0 {
        tally.breach(format_args!(
            "{sent} sent and {uncertain} uncertain of {messages} after {kills} kills; {twice} came twice"
        ));
    }
    if (got.len() as u64) < sent {
        tally.breach(format_args!("{sent} are SENT, and {} came", got.len()));
    }
}
