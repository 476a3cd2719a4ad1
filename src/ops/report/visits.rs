//! What happened to visits: no-shows, and how long patients waited.

use serde::Serialize;
use tokio_postgres::Transaction;

use super::period::Period;
use crate::clinic::local_time::{clock_time, day, instant, unreadable_zones};
use crate::db::{Key, Keys, Row, statements};
use crate::error::Error;
use crate::ops::places::Places;

statements! {
    NO_SHOWS(DATE, DATE) =
        format!(include_str!("no_shows.sql"), day = day("a.appointment_date"), start = clock_time("a.start_time"));
    WAITS(DATE, DATE, KEYS) = format!(
        include_str!("waits.sql"), arrived = instant("a.checked_in_at"), vitals = instant("a.vitals_recorded_at")
    );
}

pub const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// The visits of which it is known whether the patient came.
#[derive(Serialize)]
pub struct NoShows {
    pub total: Share,
    pub by_weekday: Vec<Share>,
    pub by_hour: Vec<Share>,
    pub by_doctor: Vec<Share>,
}

/// The no-shows of a group of visits.
#[derive(Clone, Default, Serialize)]
pub struct Share {
    pub of: String,
    pub visits: i64,
    pub no_shows: i64,
}

impl Share {
    /// The share of no-shows, from 0 to 1; none of no visit.
    pub fn rate(&self) -> Option<f64> {
        (self.visits > 0).then(|| self.no_shows as f64 / self.visits as f64)
    }
}

impl NoShows {
    pub async fn read(tx: &Transaction<'_>, period: &Period, with_names: bool) -> Result<Self, Error> {
        let rows = NO_SHOWS.all(tx, &[&period.first_day, &period.last_day]).await?;
        let of = |grouping: i32| rows.iter().filter(move |row| row.get::<_, i32>("grouping") == grouping);
        let doctors: Vec<Option<Key>> = of(0b110).map(|row| row.get("doctor_id")).collect();
        let places = match with_names {
            true => Places::read(tx, std::iter::empty(), doctors.iter().flatten()).await?,
            false => Places::default(),
        };
        let weekday = |row: &Row| {
            let number = row.get::<_, Option<i32>>("weekday").and_then(|number| usize::try_from(number - 1).ok());
            number.and_then(|number| WEEKDAYS.get(number)).map_or_else(unknown, |day| (*day).to_owned())
        };
        let doctor = |id: &Option<Key>| match (places.doctor_name(id.as_ref()), id) {
            (Some(name), _) => name,
            (None, Some(id)) => format!("doctor {id}"),
            (None, None) => "no doctor".to_owned(),
        };
        Ok(Self {
            total: of(0b111).next().map_or(Share::default(), |row| share(row, "all".to_owned())),
            by_weekday: of(0b011).map(|row| share(row, weekday(row))).collect(),
            by_hour: of(0b101).map(|row| share(row, hour(row))).collect(),
            by_doctor: of(0b110).zip(&doctors).map(|(row, id)| share(row, doctor(id))).collect(),
        })
    }
}

fn share(row: &Row, of: String) -> Share {
    Share { of, visits: row.get("visits"), no_shows: row.get("no_shows") }
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn hour(row: &Row) -> String {
    row.get::<_, Option<i32>>("hour").map_or_else(unknown, |hour| format!("{hour:02}:00"))
}

/// How long patients waited.
#[derive(Serialize)]
pub struct Waits {
    pub total: Wait,
    pub by_hour: Vec<Wait>,
}

/// The waits of those who arrived in an hour.
#[derive(Clone, Default, Serialize)]
pub struct Wait {
    pub hour: String,
    pub arrivals: i64,
    /// From arrival to vitals.
    pub vitals: Spans,
    /// From arrival until a run saw that the doctor had come, of visits that had an alert.
    pub doctor: Spans,
}

/// The spread of some durations, in seconds.
#[derive(Clone, Copy, Default, Serialize)]
pub struct Spans {
    pub n: i64,
    pub median_seconds: Option<f64>,
    pub p90_seconds: Option<f64>,
}

impl Waits {
    pub async fn read(tx: &Transaction<'_>, period: &Period) -> Result<Self, Error> {
        let unreadable = unreadable_zones(tx).await?;
        let rows = WAITS.all(tx, &[&period.first_day, &period.last_day, &Keys(&unreadable)]).await?;
        let of = |grouping: i32| rows.iter().filter(move |row| row.get::<_, i32>("grouping") == grouping);
        let wait = |row: &Row, hour: String| Wait {
            hour,
            arrivals: row.get("arrivals"),
            vitals: Spans::of(row, ["vitals", "vitals_median", "vitals_p90"]),
            doctor: Spans::of(row, ["doctors", "doctor_median", "doctor_p90"]),
        };
        Ok(Self {
            total: of(1).next().map_or(Wait::default(), |row| wait(row, "all".to_owned())),
            by_hour: of(0).map(|row| wait(row, hour(row))).collect(),
        })
    }
}

impl Spans {
    pub fn of(row: &Row, [n, median, p90]: [&str; 3]) -> Self {
        Self { n: row.get(n), median_seconds: row.get(median), p90_seconds: row.get(p90) }
    }
}
