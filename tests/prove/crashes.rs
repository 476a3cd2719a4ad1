//! The server crashes while a run is at work and others commit, so that ids of lost transactions are used again.
//!
//! The server writes its log at a commit only, and a commit takes a few milliseconds here, as on a slow disk: so
//! crashes land in the middle of commits, which are lost then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_postgres::NoTls;

use super::clinic::Site;
use super::form::Form;
use super::ledger;
use super::pace::Pace;
use super::tally::{Goal, Tally, units};
use super::work::{WORKS, Work};
use crate::support::program;
use crate::support::scratch::{Durability, Scratch};
use crate::support::server_place;

/// The batches within which the server crashes.
const BATCHES: u32 = 10;
/// The things of a clinic.
const THINGS: i64 = 100;
/// Sessions of others.
const OTHERS: usize = 3;
/// Holds a transaction at its COMMIT for a moment.
const SLOW_COMMIT: &str = "
    CREATE FUNCTION rounds.commit_slowly() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_catalog.pg_sleep(0.002); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON {record} DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION rounds.commit_slowly()";

/// A server that is as careful with its disk as in production.
pub async fn site(form: &Form) -> Site {
    let server = Scratch::start(&server_place(), Durability::Full).expect("a server starts");
    // It lives as long as the process: a guard ends it.
    let site = Site { server: Box::leak(Box::new(server)) };
    let admin = site.admin().await;
    for setting in ["wal_writer_delay = '10s'", "wal_level = minimal", "max_wal_senders = 0", "autovacuum = off"] {
        admin.batch_execute(&format!("ALTER SYSTEM SET {setting}")).await.expect("a setting");
    }
    site.server.restart().expect("it comes back");
    site.admin().await.batch_execute("CREATE DATABASE others").await.expect("a database");
    site.make_templates(crashed(form), THINGS, SLOW_COMMIT).await;
    site
}

/// The jobs whose server crashes: the short form has one.
fn crashed(form: &Form) -> &'static [&'static Work] {
    if form.is_short() { &WORKS[..1] } else { &WORKS }
}

pub async fn prove(site: Site, form: &'static Form) -> Vec<Tally> {
    let mut paces = vec![];
    for work in crashed(form) {
        paces.push(Pace::measure(site, work, THINGS).await);
    }
    let goal = Goal { proof: "crashes", job: "all", of: form.counts.crashes, each: 1, at_once: 1 };
    vec![units(form, goal, |seed| crash(site, paces.clone(), seed)).await]
}

async fn crash(site: Site, paces: Vec<Pace>, seed: u64) -> Tally {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut tally = Tally::new("crashes", "all", seed);
    let job = rng.usize(..paces.len());
    let work: &'static Work = WORKS[job];
    let mut clinic = site.clinic(work).await;
    let others = Others::start(site);
    // It outlives the server's absence, mostly; where it gives up, its row stays as it is.
    let attempts = if rng.u8(..4) == 0 { "1" } else { "12" };
    let program = clinic.program.clone().env("ROUNDS_ATTEMPTS", attempts).env("ROUNDS_RETRY_DELAY", "50ms");
    let batch_rows = rng.u8(3..=10).to_string();
    let run = program.start(&[work.args, &["--batch-rows", &batch_rows]].concat());
    sleep(paces[job].moment(&mut rng, BATCHES)).await;
    let crashed = tokio::task::spawn_blocking(move || site.server.crash()).await;
    crashed.expect("no panic").expect("it comes back");
    let outcome = program::finish(run).await;
    clinic.reconnect().await;
    tally.note(if outcome.code == 0 { "survived" } else { "gave up" }, 1);
    tally.note("commits in doubt", outcome.stderr.matches("asking the server").count() as u64);
    let mut outcomes = vec![outcome];
    clinic.expire_leases().await;
    let last = clinic.run(work, &[]).await;
    if last.code != 0 {
        tally.breach(format_args!("{}: a run afterwards exits {}: {last:?}", work.name, last.code));
    }
    outcomes.push(last);
    ledger::judge(&clinic, work, THINGS, &outcomes, &mut tally).await;
    tally.note("commits of others", others.end().await);
    tally.done = 1;
    clinic.end().await;
    tally
}

/// Sessions that commit one transaction after another, and connect anew when they are cut off.
struct Others {
    stop: Arc<AtomicBool>,
    sessions: JoinSet<u64>,
}

impl Others {
    fn start(site: Site) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut sessions = JoinSet::new();
        for _ in 0..OTHERS {
            sessions.spawn(commit_on(site.server.url("others"), stop.clone()));
        }
        Self { stop, sessions }
    }

    async fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.sessions.join_all().await.iter().sum()
    }
}

async fn commit_on(url: String, stop: Arc<AtomicBool>) -> u64 {
    let mut commits = 0;
    while !stop.load(Ordering::Relaxed) {
        let Ok((client, connection)) = tokio_postgres::connect(&url, NoTls).await else {
            sleep(Duration::from_millis(5)).await;
            continue;
        };
        let connection = tokio::spawn(connection);
        while !stop.load(Ordering::Relaxed) && client.batch_execute("SELECT pg_current_xact_id()").await.is_ok() {
            commits += 1;
            // The machine is not theirs alone.
            sleep(Duration::from_millis(1)).await;
        }
        connection.abort();
    }
    commits
}
