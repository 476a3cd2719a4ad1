//! An application beside the jobs: sessions that lock rows of all tables in every order, while the jobs work on the
//! same rows. The application never loses to a job: no deadlock, no long wait, no update lost.
//!
//! Each unit runs the application alone first: its own order must have no deadlock, and its longest statement then is
//! what its sessions make each other wait.

mod jobs;
mod order;
mod session;
mod watch;

use std::time::Duration;

use tokio::task::JoinSet;

use self::jobs::{JOBS, Jobs, Rows, feeder};
use self::order::{Order, Table};
use self::session::{Seen, Session};
use self::watch::Watch;
use super::clinic::{Clinic, Site};
use super::form::Form;
use super::ledger;
use super::tally::{Goal, Tally, units};
use super::work::WORKS;
use crate::support::connect;
use crate::support::program::Outcome;

const SESSIONS: u64 = 4;
/// The transactions of a phase, and of a unit.
const OF_A_PHASE: u64 = 100;
const OF_A_UNIT: u64 = 2500;
/// The application may wait so long for a job.
const LONGEST_WAIT: Duration = Duration::from_millis(250);

/// What a look at who waits for whom, each few milliseconds, may miss of a wait.
const GAP: Duration = Duration::from_millis(70);

/// What the application has besides the clinic's tables, and whom it locks.
const APPLICATION: &str = r#"
    INSERT INTO users (facility_id, name, role) SELECT 1, 'hot', 'AGENT' FROM generate_series(5, 12);
    INSERT INTO teams (name) VALUES ('second'), ('third');
    INSERT INTO team_members SELECT t.id, u.id, u.id IN (5, 6) FROM teams t, users u WHERE u.id >= 5;
    INSERT INTO patients (mrn, first_name, last_name, phone)
    SELECT 'M' || n, 'Pat', 'Doe', '+1' FROM generate_series(2, 8) n;
    INSERT INTO escalation_rules (name, position, condition_type, condition, action_type, action)
    SELECT 'R', n, 'priority_level', '{"priorities": ["MEDIUM"]}', type, action::jsonb
    FROM (VALUES (1, 'add_follower', '{"userIds": [7, 8]}'), (2, 'notify_manager', '{"message": "m"}'),
                 (3, 'send_email', '{"recipients": ["c@example.org"], "subject": "s", "message": "m"}'),
                 (4, 'reassign_ticket', '{"userId": 9, "teamId": 2}'),
                 (5, 'increase_priority', '{}')) r (n, type, action);
    CREATE SEQUENCE ticket_numbers;
    CREATE TABLE slot_notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                             slot_id bigint NOT NULL REFERENCES doctor_slots);
    CREATE INDEX slot_notes_slot ON slot_notes (slot_id)"#;

pub async fn prove(site: Site, form: &'static Form) -> Vec<Tally> {
    let each = OF_A_UNIT.min(form.counts.transactions);
    let goal = Goal { proof: "application", job: "all", of: form.counts.transactions, each, at_once: 1 };
    vec![units(form, goal, |seed| day(site, form, seed)).await]
}

async fn day(site: Site, form: &Form, seed: u64) -> Tally {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut tally = Tally::new("application", "all", seed);
    let transactions = OF_A_UNIT.min(form.counts.transactions);
    let clinic = site.clinic_of("template_people").await;
    clinic.client.batch_execute(APPLICATION).await.expect("its tables");
    for table in Table::ALL {
        let column = format!("ALTER TABLE {} ADD app_count bigint NOT NULL DEFAULT 0", table.name());
        clinic.client.batch_execute(&column).await.expect("a column");
    }
    let rows = Rows::new();
    let first = feeder(&clinic).await;
    for fed in &JOBS {
        fed.feed(&first, &rows).await;
    }
    drop(first);
    let mut sessions = vec![];
    for _ in 0..SESSIONS {
        let client = connect(&site.server.url(&clinic.name)).await;
        client.batch_execute("SET application_name = 'application'").await.expect("a setting");
        sessions.push(Session { client, seen: Seen::default() });
    }

    let (mut sessions, alone) = at_work(sessions, &rows, transactions / 5, &mut rng).await;
    tally.note("deadlocks alone", alone.deadlocks);
    tally.note("longest alone ms", alone.longest.0.as_millis() as u64);
    if alone.deadlocks > 0 {
        tally.breach(format_args!("the application alone has {} deadlocks: a defect of this test", alone.deadlocks));
    }
    let (jobs, watch) = (Jobs::start(&clinic, &rows).await, Watch::start(&clinic).await);
    let beside;
    (sessions, beside) = at_work(sessions, &rows, transactions, &mut rng).await;
    let outcomes = jobs.stop().await;
    let for_a_job = watch.end().await;
    drop(sessions);

    tally.done = beside.transactions;
    tally.deadlocks = beside.deadlocks;
    tally.longest_wait = Some(beside.longest.0);
    tally.note("longest seen behind a job ms", for_a_job.as_millis() as u64);
    if beside.deadlocks > 0 {
        tally.breach(format_args!("the application lost {} transactions to deadlocks", beside.deadlocks));
    }
    // `make test` runs where other things run, too: there a slow machine is allowed for.
    let limit = if form.is_short() { LONGEST_WAIT.max(alone.longest.0 * 3) } else { LONGEST_WAIT };
    // What was slow, and never seen behind a job's lock for as long, waited for the machine.
    if beside.longest.0 >= limit && for_a_job + GAP >= limit {
        let (took, what) = &beside.longest;
        tally.breach(format_args!("a statement of the application took {} ms: {what}", took.as_millis()));
    }
    updates(&clinic, alone, beside, &mut tally).await;
    of_the_jobs(&clinic, outcomes, &mut tally).await;
    clinic.end().await;
    tally
}

/// So many transactions of all sessions, phase by phase.
async fn at_work(
    mut sessions: Vec<Session>,
    rows: &Rows,
    transactions: u64,
    rng: &mut fastrand::Rng,
) -> (Vec<Session>, Seen) {
    for _ in 0..transactions.div_ceil(OF_A_PHASE) {
        let order = Order::random(rng);
        let mut phase = JoinSet::new();
        for mut session in sessions.drain(..) {
            let (mut rng, order, rows) = (rng.fork(), order.clone(), rows.clone());
            phase.spawn(async move {
                for _ in 0..OF_A_PHASE / SESSIONS {
                    let steps = order.transaction(&mut rng, |table| rows.of(table));
                    session.transaction(&steps).await;
                }
                session
            });
        }
        sessions = phase.join_all().await;
    }
    let mut seen = Seen::default();
    sessions.iter_mut().for_each(|session| seen.add(std::mem::take(&mut session.seen)));
    (sessions, seen)
}

/// What the application wrote is there: each count, and each patient who came.
async fn updates(clinic: &Clinic, alone: Seen, beside: Seen, tally: &mut Tally) {
    let mut seen = alone;
    seen.add(beside);
    seen.errors.iter().take(3).for_each(|error| tally.breach(format_args!("the application: {error}")));
    for table in Table::ALL {
        let is = clinic.count(&format!("SELECT sum(app_count)::bigint FROM {}", table.name())).await;
        let wrote = seen.counted.get(&table).copied().unwrap_or(0);
        if is != wrote {
            tally.lost += is.abs_diff(wrote);
            tally.breach(format_args!("{}: {wrote} updates of the application, and {is} are there", table.name()));
        }
    }
    let query = "SELECT count(*) FROM appointments WHERE id = ANY ($1) AND status <> 'CHECKED_IN'";
    let lost: i64 = clinic.client.query_one(query, &[&seen.checked_in]).await.expect("a count").get(0);
    tally.note("checked in", seen.checked_in.len() as u64);
    if lost > 0 {
        tally.lost += lost.unsigned_abs();
        tally.breach(format_args!("{lost} patients had come, and were marked as no-shows"));
    }
}

/// When the application is done, the jobs do what they left; then nothing is due, and each thing was done once.
async fn of_the_jobs(clinic: &Clinic, mut outcomes: Vec<Outcome>, tally: &mut Tally) {
    for outcome in &outcomes {
        tally.note("runs", 1);
        tally.note("runs that failed", u64::from(outcome.code != 0));
        tally.note("deadlocks in jobs", outcome.stderr.matches("40P01").count() as u64);
        tally.note("left as locked", outcome.report()["skipped_by_reason"]["locked"].as_u64().unwrap_or(0));
    }
    for fed in &JOBS {
        outcomes.push(clinic.program.run(fed.args).await.expect(0));
    }
    // What tells that a thing was not done, or that it was done twice.
    let lost = "SELECT (SELECT count(*) FROM appointments WHERE status = 'SCHEDULED')
                     + (SELECT count(*) FROM tickets WHERE number LIKE 'E%' AND priority <> 'HIGH')
                     + (SELECT count(*) FROM tickets t WHERE number LIKE 'M%'
                        AND NOT EXISTS (SELECT FROM ticket_history h WHERE h.ticket_id = t.id::text))
                     + (SELECT count(*) FROM px_cases WHERE status <> 'ESCALATED')
                     + (SELECT count(*) FROM surgical_cases WHERE case_status <> 15)";
    let doubled = "SELECT count(*) FROM (
                       SELECT FROM no_show_logs GROUP BY appointment_id HAVING count(*) > 1
                       UNION ALL SELECT FROM ticket_history GROUP BY ticket_id, details ->> 'ruleId' HAVING count(*) > 1
                       UNION ALL SELECT FROM px_case_audits GROUP BY case_id HAVING count(*) > 1
                       UNION ALL SELECT FROM surgical_case_status_history GROUP BY case_id HAVING count(*) > 1
                       UNION ALL SELECT FROM notifications
                       GROUP BY entity, entity_id, type, channel, recipient_id, address HAVING count(*) > 1) twice";
    let (lost, doubled) = (clinic.count(lost).await.unsigned_abs(), clinic.count(doubled).await.unsigned_abs());
    if (lost, doubled) != (0, 0) {
        tally.lost += lost;
        tally.doubled += doubled;
        tally.breach(format_args!("of the jobs' own: {lost} lost, {doubled} doubled"));
    }
    for fed in &JOBS {
        if let Some(work) = WORKS.into_iter().find(|work| work.args[..2] == fed.args[..2]) {
            let job = fed.args[0];
            let own: Vec<&Outcome> = outcomes.iter().filter(|run| run.report()["job"] == job).collect();
            ledger::reports(clinic, work, &own, tally).await;
        }
    }
    let query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    tally.note("deadlocks of the database", clinic.count(query).await.unsigned_abs());
}
