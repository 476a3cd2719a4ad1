//! The lists of the account that a run reads, and the days that they cover.

use std::fmt;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use tokio_postgres::Transaction;

use crate::clients::practiceq::{ACCOUNT_ZONE, Filter};
use crate::clinic::channels::has_one;
use crate::db::{Key, statements};
use crate::run::{Halt, Run};

statements! {
    SEARCH_TERM(KEY) = format!(
        "SELECT CASE WHEN {} THEN btrim(p.email::text) ELSE concat_ws(' ', left(p.first_name, 100), left(p.last_name, 100))
                END
         FROM patients p WHERE p.id = $1",
        has_one("p.email")
    );
}

/// The distance from the edges of a window at which an appointment belongs to it for certain, in whatever time zone its
/// day is, and whether or not the account counts the edges.
const MARGIN: Days = Days::new(2);

/// A list of the account, page by page. `practiceq_cursors` keeps it as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "list", rename_all = "snake_case")]
pub enum Query {
    Window {
        from: NaiveDate,
        to: NaiveDate,
    },
    Client {
        #[serde(deserialize_with = "saved_key")]
        patient: Key,
        from: NaiveDate,
        to: NaiveDate,
    },
    /// What the account calls a client of the patient, whom the search for the patient may miss.
    OtherClient {
        #[serde(deserialize_with = "saved_key")]
        patient: Key,
        client: String,
        from: NaiveDate,
        to: NaiveDate,
    },
    Since {
        date: NaiveDate,
    },
    Deleted,
}

impl Query {
    /// The purpose of a request for a page of it, as `api_requests` records it.
    pub fn purpose(&self, page: u32) -> String {
        match self {
            Self::Window { .. } => format!("window, page {page}"),
            Self::Client { patient, .. } => format!("patient {patient}, page {page}"),
            Self::OtherClient { patient, client, .. } => format!("patient {patient}, client {client}, page {page}"),
            Self::Since { .. } => format!("changes, page {page}"),
            Self::Deleted => format!("deletions, page {page}"),
        }
    }

    /// The one patient whose appointments it lists.
    pub fn patient(&self) -> Option<&Key> {
        match self {
            Self::Client { patient, .. } | Self::OtherClient { patient, .. } => Some(patient),
            Self::Window { .. } | Self::Since { .. } | Self::Deleted => None,
        }
    }

    /// Whether it is the first list of its patient.
    pub fn is_of_patient(&self) -> bool {
        matches!(self, Self::Client { .. })
    }

    pub fn window(&self) -> Option<Window> {
        match *self {
            Self::Window { from, to } | Self::Client { from, to, .. } | Self::OtherClient { from, to, .. } => {
                Some(Window { from, to })
            }
            Self::Since { .. } | Self::Deleted => None,
        }
    }

    /// What the account is searched for to find a patient: the e-mail, or without one the name. None: there is nobody to
    /// search for, because the clinic has deleted the patient of a plan that an earlier run saved.
    pub async fn term(run: &Run, patient: &Key) -> Result<Option<String>, Halt> {
        let search =
            async |tx: &Transaction<'_>| Ok(SEARCH_TERM.opt(tx, &[patient]).await?.map(|row| row.get::<_, String>(0)));
        let term = run.read("looking for the patient to ask for", search).await?;
        // Without any term the account would list everybody.
        Ok(term.filter(|term| !term.is_empty()))
    }

    /// The parameters of the request, with the term of a search.
    pub fn filter(&self, term: Option<String>) -> Filter {
        let mut filter: Filter = term.into_iter().map(|term| ("client", term)).collect();
        match self {
            Self::Since { date } => filter.push(("updatedSince", date.to_string())),
            Self::Deleted => filter.push(("deletedOnly", "true".to_owned())),
            Self::Window { from, to } | Self::Client { from, to, .. } | Self::OtherClient { from, to, .. } => {
                filter.extend([("startDate", from.to_string()), ("endDate", to.to_string())]);
            }
        }
        filter
    }
}

/// A key in the server's form, as the plan was saved with it.
fn saved_key<'de, D: Deserializer<'de>>(from: D) -> Result<Key, D::Error> {
    String::deserialize(from).map(Key::from)
}

/// The days before and after today that a window covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u32, u32)", into = "(u32, u32)")]
pub struct WindowDays {
    pub back: u32,
    pub ahead: u32,
}

impl From<(u32, u32)> for WindowDays {
    fn from((back, ahead): (u32, u32)) -> Self {
        Self { back, ahead }
    }
}

impl From<WindowDays> for (u32, u32) {
    fn from(WindowDays { back, ahead }: WindowDays) -> Self {
        (back, ahead)
    }
}

/// As `practiceq_state` has it.
impl fmt::Display for WindowDays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.back, self.ahead)
    }
}

/// The first and the last day of a list.
#[derive(Clone, Copy)]
pub struct Window {
    pub from: NaiveDate,
    pub to: NaiveDate,
}

/// The instants from `from` on, before `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
}

impl Window {
    /// The window around today, by the account's clock.
    pub fn around(now: DateTime<Utc>, days: WindowDays) -> Self {
        let today = now.with_timezone(&ACCOUNT_ZONE).date_naive();
        Self { from: today - Days::new(days.back.into()), to: today + Days::new(days.ahead.into()) }
    }

    /// The period whose appointments belong to the window for certain.
    pub fn interior(self) -> Period {
        let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
        Period { from: midnight(self.from + MARGIN), until: midnight(self.to + Days::new(1) - MARGIN) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surely_is_two_days_inside() {
        let day = |text: &str| text.parse::<NaiveDate>().expect("a day");
        let window = Window { from: day("2026-01-01"), to: day("2026-01-31") };
        let [from, until] =
            ["2026-01-03T00:00:00Z", "2026-01-30T00:00:00Z"].map(|text| text.parse().expect("an instant"));
        assert_eq!(window.interior(), Period { from, until });
    }
}
