//! Two facilities in two time zones, and the database that holds them.

use anyhow::Context;
use chrono::{DateTime, NaiveDate, TimeZone, Utc};
use chrono_tz::America::New_York;
use deadpool_postgres::Object;
use tokio_postgres::Row;
use tokio_postgres::types::{Json, ToSql};

use super::day::{self, at};
use super::names;
use super::scratch::Scratch;
use crate::db::{DatabaseArgs, Db};
use crate::error::Error;

/// The day of the demo; in both zones an ordinary one, without a clock change.
pub const MONDAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 3, 2).expect("a date of the calendar");
/// The demo's database in the scratch cluster.
const DATABASE: &str = "clinic";

/// What the plan of the day must know of a doctor.
pub struct Doctor {
    pub id: i64,
    pub facility: i64,
    pub slot_minutes: i32,
}

/// As in `clinic.sql`.
#[rustfmt::skip]
const DOCTORS: [Doctor; 10] = [
    Doctor { id: 1, facility: 1, slot_minutes: 15 },
    Doctor { id: 2, facility: 1, slot_minutes: 15 },
    Doctor { id: 3, facility: 1, slot_minutes: 10 },
    Doctor { id: 4, facility: 1, slot_minutes: 20 },
    Doctor { id: 5, facility: 1, slot_minutes: 30 },
    Doctor { id: 6, facility: 1, slot_minutes: 60 },
    Doctor { id: 7, facility: 2, slot_minutes: 10 },
    Doctor { id: 8, facility: 2, slot_minutes: 20 },
    Doctor { id: 9, facility: 2, slot_minutes: 30 },
    Doctor { id: 10, facility: 2, slot_minutes: 45 },
];

impl Doctor {
    /// When the slots of a day start: New York works 09:00 to 17:00, Denver 08:00 to 16:00, both rest from 12:00 to 13:00.
    pub fn starts(&self) -> impl Iterator<Item = i32> {
        let hours = if self.facility == 1 { [at(9, 0), at(17, 0)] } else { [at(8, 0), at(16, 0)] };
        let minutes = self.slot_minutes;
        let until = move |from: i32, to: i32| (from..=to - minutes).step_by(minutes.unsigned_abs() as usize);
        until(hours[0], at(12, 0)).chain(until(at(13, 0), hours[1]))
    }

    /// Whether the doctor is away then: the absence of `clinic.sql`.
    pub fn away(&self, day: NaiveDate, start: i32) -> bool {
        self.id == 8 && day == MONDAY && (at(8, 0)..at(9, 0)).contains(&start)
    }
}

/// The instant of a New York time on the Monday, such as 09:15.
pub fn instant(clock: &str) -> DateTime<Utc> {
    let time = clock.parse().expect("the story's times are times");
    New_York.from_local_datetime(&MONDAY.and_time(time)).single().expect("no clock change on that day").to_utc()
}

/// The database of the demo.
pub struct Clinic {
    pub database: DatabaseArgs,
    client: Object,
}

impl Clinic {
    /// Makes the database anew, where a kept server may have an earlier one.
    pub async fn create(server: &Scratch) -> anyhow::Result<Self> {
        let admin = open(&server.url("postgres"))?.client().await?;
        admin
            .batch_execute(&format!("DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)"))
            .await
            .map_err(Error::from)
            .context("the database of an earlier demo cannot be dropped")?;
        admin.batch_execute(&format!("CREATE DATABASE {DATABASE}")).await.map_err(Error::from)?;
        let url = server.url(DATABASE);
        Ok(Self { client: open(&url)?.client().await?, database: address(url) })
    }

    /// Its address.
    pub fn url(&self) -> &str {
        self.database.database_url.as_deref().unwrap_or_default()
    }

    /// A pool of its own, as a process of its own would have.
    pub fn open(&self, application: &str) -> Result<Db, Error> {
        Db::open(&self.database, application)
    }

    /// Fills it with staff, doctors, patients and their visits; the day has not begun.
    pub async fn fill(&self) -> anyhow::Result<()> {
        let plan = day::plan(&DOCTORS);
        self.run("filling the clinic", include_str!("clinic.sql")).await?;
        let (first, last) = (names::FIRST.as_slice(), names::LAST.as_slice());
        self.rows(include_str!("day.sql"), &[&Json(&plan.visits), &Json(&plan.slots), &first, &last]).await?;
        self.run(
            "filling the clinic",
            "SELECT setval(pg_get_serial_sequence('appointments', 'id'), (SELECT max(id) FROM appointments)),
                    setval(pg_get_serial_sequence('patients', 'id'), (SELECT max(id) FROM patients));
             ANALYZE",
        )
        .await
    }

    /// Runs statements without parameters.
    pub async fn run(&self, what: &'static str, statements: &str) -> anyhow::Result<()> {
        self.client.batch_execute(statements).await.map_err(Error::from).context(what)
    }

    /// The rows of one statement.
    pub async fn rows(&self, statement: &str, parameters: &[&(dyn ToSql + Sync)]) -> anyhow::Result<Vec<Row>> {
        let rows = self.client.query(statement, parameters).await;
        rows.map_err(Error::from).context("the demo's own statement failed")
    }
}

fn open(url: &str) -> Result<Db, Error> {
    Db::open(&address(url.to_owned()), "rounds/demo")
}

fn address(url: String) -> DatabaseArgs {
    DatabaseArgs { database_url: Some(url), database_url_file: None, ssl_root_cert: None }
}
