//! What waits for people: alerts, cases and tickets.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio_postgres::Transaction;

use super::period::Period;
use super::visits::Spans;
use crate::clinic::local_time::instant;
use crate::clinic::tickets::due_at;
use crate::db::{Row, Statement, statements};
use crate::error::Error;

statements! {
    ALERTS(TIMESTAMPTZ, TIMESTAMPTZ) = include_str!("alerts.sql");
    pub CASES(TIMESTAMPTZ) = format!(include_str!("cases.sql"), created = instant("c.created_at"));
    pub TICKETS(TIMESTAMPTZ) = format!(include_str!("tickets.sql"), due_at = due_at());
}

/// The ages of what is open.
const AGES: [&str; 5] = ["under 1 day", "1 to 3 days", "3 to 7 days", "7 to 30 days", "over 30 days"];

#[derive(Serialize)]
pub struct Alerts {
    pub total: AlertCounts,
    pub by_type: Vec<AlertCounts>,
}

#[derive(Clone, Default, Serialize)]
pub struct AlertCounts {
    pub alert_type: String,
    pub raised: i64,
    pub acknowledged: i64,
    pub resolved: i64,
    pub open: i64,
    /// Until somebody acknowledged it.
    pub to_acknowledge: Spans,
}

impl Alerts {
    pub async fn read(tx: &Transaction<'_>, period: &Period) -> Result<Self, Error> {
        let rows = ALERTS.all(tx, &[&period.from, &period.until]).await?;
        let counts = |row: &Row| AlertCounts {
            alert_type: row.get::<_, Option<String>>("alert_type").unwrap_or("all".to_owned()),
            raised: row.get("raised"),
            acknowledged: row.get("acknowledged"),
            resolved: row.get("resolved"),
            open: row.get("open"),
            to_acknowledge: Spans::of(row, ["acknowledged", "median", "p90"]),
        };
        let of = |grouping: i32| rows.iter().filter(move |row| row.get::<_, i32>("grouping") == grouping);
        Ok(Self { total: of(1).next().map_or(AlertCounts::default(), counts), by_type: of(0).map(counts).collect() })
    }
}

/// What is open now, of cases or of tickets.
#[derive(Serialize)]
pub struct Queue {
    pub open: i64,
    pub overdue: i64,
    pub by_age: Vec<Pile>,
    pub by_level: Vec<Pile>,
}

/// Those of one age, or of one level.
#[derive(Clone, Default, Serialize)]
pub struct Pile {
    pub of: String,
    pub open: i64,
    pub overdue: i64,
}

impl Queue {
    /// Reads what is open. The levels are in the order that `order` says; others follow as they come.
    pub async fn read(
        tx: &Transaction<'_>,
        statement: &Statement,
        now: DateTime<Utc>,
        order: &[(&str, &str)],
    ) -> Result<Self, Error> {
        let rows = statement.all(tx, &[&now]).await?;
        let age = |row: &Row| {
            let age = row.get::<_, Option<i32>>("age").and_then(|age| AGES.get(usize::try_from(age).ok()?));
            age.map_or("unknown", |age| *age).to_owned()
        };
        let level = |row: &Row| {
            let level = row.get::<_, Option<String>>("level").unwrap_or_default();
            order.iter().find(|(name, _)| *name == level).map_or(level.clone(), |(_, label)| (*label).to_owned())
        };
        let known =
            |labels: Vec<&str>| labels.into_iter().map(|of| Pile { of: of.into(), ..Pile::default() }).collect();
        let mut by_age: Vec<Pile> = known(AGES.to_vec());
        let mut by_level: Vec<Pile> = known(order.iter().map(|(_, label)| *label).collect());
        for row in &rows {
            add(&mut by_age, age(row), row);
            add(&mut by_level, level(row), row);
        }
        let [open, overdue] =
            [|pile: &Pile| pile.open, |pile: &Pile| pile.overdue].map(|of| by_age.iter().map(of).sum());
        Ok(Self { open, overdue, by_age, by_level })
    }
}

fn add(piles: &mut Vec<Pile>, of: String, row: &Row) {
    let index = piles.iter().position(|pile| pile.of == of).unwrap_or_else(|| {
        piles.push(Pile { of, ..Pile::default() });
        piles.len() - 1
    });
    piles[index].open += row.get::<_, i64>("open");
    piles[index].overdue += row.get::<_, i64>("overdue");
}
