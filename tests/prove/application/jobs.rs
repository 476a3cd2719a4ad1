//! The jobs beside the application: each in a loop, with new things due for each run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_postgres::Client;

use super::order::Table;
use crate::clinic::Clinic;
use crate::support::program::Outcome;
use crate::support::{Program, connect};

/// New things for each run.
const NEW: i64 = 60;

/// The rows of each table that are worth a lock: from and to.
#[derive(Clone)]
pub struct Rows(Arc<[(AtomicI64, AtomicI64); 9]>);

impl Rows {
    /// Those of the people and places, which do not change.
    pub fn new() -> Self {
        let rows = Table::ALL.map(|table| match table {
            Table::Users => (5, 12),
            Table::Teams => (1, 3),
            Table::Rules => (1, 5),
            _ => (1, 8),
        });
        Self(Arc::new(rows.map(|(from, to)| (from.into(), to.into()))))
    }

    pub fn of(&self, table: Table) -> (i64, i64) {
        let (from, to) = &self.0[table as usize];
        (from.load(Ordering::Relaxed), to.load(Ordering::Relaxed))
    }

    fn set(&self, table: Table, from: i64, to: i64) {
        self.0[table as usize].0.store(from, Ordering::Relaxed);
        self.0[table as usize].1.store(to, Ordering::Relaxed);
    }
}

/// A job, and what is made due for it.
pub struct Fed {
    pub args: &'static [&'static str],
    feeds: &'static [(Table, &'static str)],
}

pub const JOBS: [Fed; 5] = [
    Fed {
        args: &["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00"],
        feeds: &[
            (
                Table::Appointments,
                "INSERT INTO appointments (facility_id, doctor_id, patient_id, appointment_date, start_time)
                 SELECT 1, 1, 1 + n % 8, '2026-03-02', '09:00' FROM generate_series(1, {new}) n RETURNING id",
            ),
            (
                Table::Slots,
                "INSERT INTO doctor_slots (doctor_id, slot_date, start_time, end_time, is_booked, appointment_id)
                 SELECT 1, '2026-03-02', time '00:00' + id * interval '1 ms', '23:59', true, id
                 FROM appointments a WHERE NOT EXISTS (SELECT FROM doctor_slots s WHERE s.appointment_id = a.id)
                                       AND status = 'SCHEDULED' RETURNING id",
            ),
        ],
    },
    Fed {
        args: &["escalate-tickets", "--as-of", "2026-03-02T12:00:00Z"],
        feeds: &[(
            Table::Tickets,
            "INSERT INTO tickets (number, title, facility_id, created_by, assignee_id, team_id, created_at)
             SELECT 'E' || nextval('ticket_numbers'), 'help', 1, 5 + n % 8, 5 + (n + 3) % 8, 1 + n % 3, '2026-03-02'
             FROM generate_series(1, {new}) n RETURNING id",
        )],
    },
    Fed {
        args: &["monitor-ticket-sla", "--as-of", "2026-03-13T00:00:00Z"],
        feeds: &[(
            Table::Tickets,
            "INSERT INTO tickets (number, title, facility_id, priority, created_by, assignee_id, team_id, created_at,
                                  sla_due_at)
             SELECT 'M' || nextval('ticket_numbers'), 'help', 1, 'LOW', 5 + n % 8, 5 + (n + 3) % 8, 1 + n % 3,
                    '2026-03-02', '2026-03-12'
             FROM generate_series(1, {new}) n RETURNING id",
        )],
    },
    Fed {
        args: &["escalate-sla", "--as-of", "2026-03-02T12:00:00Z"],
        feeds: &[(
            Table::Cases,
            "INSERT INTO px_cases (facility_id, assigned_department_id, assigned_user_id, due_at)
             SELECT 1, 1, 5 + n % 8, '2026-03-02T11:00Z' FROM generate_series(1, {new}) n RETURNING id",
        )],
    },
    Fed {
        args: &["advance-billing", "--stage", "pending-payment", "--as-of", "2026-03-02T08:00:00Z"],
        feeds: &[(
            Table::SurgicalCases,
            "INSERT INTO surgical_cases (facility_id, patient_id, case_status, pay_amount)
             SELECT 1, 1 + n % 8, 10, 10.01 FROM generate_series(1, {new}) n RETURNING id",
        )],
    },
];

impl Fed {
    /// Makes new things due. The feeder waits for nobody and nobody waits for it: it is no part of the application, so
    /// it looks at no foreign keys.
    pub async fn feed(&self, feeder: &Client, rows: &Rows) {
        for (table, insert) in self.feeds {
            let insert = insert.replace("{new}", &NEW.to_string());
            let query = format!("WITH made AS ({insert}) SELECT min(id), max(id) FROM made");
            let made = feeder.query_one(&query, &[]).await.unwrap_or_else(|error| panic!("{query}: {error:?}"));
            if let (Some(first), Some(last)) = (made.get(0), made.get(1)) {
                rows.set(*table, first, last);
            }
        }
    }
}

/// A connection that looks at no foreign keys.
pub async fn feeder(clinic: &Clinic) -> Client {
    let feeder = connect(&clinic.site.server.url(&clinic.name)).await;
    feeder.batch_execute("SET session_replication_role = replica").await.expect("a superuser may");
    feeder
}

/// The jobs at work, until they are stopped.
pub struct Jobs {
    stop: Arc<AtomicBool>,
    loops: JoinSet<Vec<Outcome>>,
}

impl Jobs {
    pub async fn start(clinic: &Clinic, rows: &Rows) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut loops = JoinSet::new();
        for fed in &JOBS {
            let (feeder, program) = (feeder(clinic).await, clinic.program.clone());
            loops.spawn(repeat(fed, feeder, program, rows.clone(), stop.clone()));
        }
        Self { stop, loops }
    }

    /// All that the runs came to.
    pub async fn stop(self) -> Vec<Outcome> {
        self.stop.store(true, Ordering::Relaxed);
        self.loops.join_all().await.into_iter().flatten().collect()
    }
}

async fn repeat(fed: &Fed, feeder: Client, program: Program, rows: Rows, stop: Arc<AtomicBool>) -> Vec<Outcome> {
    let mut outcomes = vec![];
    while !stop.load(Ordering::Relaxed) {
        fed.feed(&feeder, &rows).await;
        // The application comes to the new rows before the job does, and while it is there.
        sleep(Duration::from_millis(20)).await;
        let began = Instant::now();
        outcomes.push(program.run(fed.args).await);
        // As much rest as work: a statement that waits for the processor would look like one that waits for a lock.
        sleep(began.elapsed()).await;
    }
    outcomes
}
