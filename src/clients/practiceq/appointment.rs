//! An appointment as the account sends it. Only the fields that are stored are read, and most of them may be missing.

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use reqwest::Url;
use ring::digest::{SHA256, digest};
use serde::Serialize;
use serde_json::{Value, json};

use crate::clients::hex;

/// It has neither `Debug` nor `Display`, since it names a person. `Serialize` is for the database.
#[derive(Clone, Serialize)]
pub struct Appointment {
    pub external_id: String,
    pub client_id: Option<String>,
    pub client_name: Option<String>,
    pub client_email: Option<String>,
    pub date_of_birth: Option<NaiveDate>,
    /// Whether there is a date of birth that cannot be read.
    pub odd_birthday: bool,
    /// Whether it has additional clients.
    pub is_group: bool,
    pub status: &'static str,
    #[serde(skip)]
    pub status_known: bool,
    pub starts_at: DateTime<Utc>,
    pub ends_at: Option<DateTime<Utc>>,
    pub practitioner_id: Option<String>,
    pub practitioner_email: Option<String>,
    /// Not stored: a trigger that inserts the application's visits may need it.
    pub service_id: Option<String>,
    pub service_name: Option<String>,
    pub location_name: Option<String>,
    pub meeting_url: Option<String>,
    pub modified_at: Option<DateTime<Utc>>,
    /// A hash of all fields that are written to the visit.
    pub hash: String,
    /// When the account was asked for it.
    pub read_at: DateTime<Utc>,
}

/// Stands for the id of a row that has none.
pub const NO_ID: &str = "?";

/// The longest text that is kept, in characters; a link is refused if it is as long.
const TEXT_MAX: usize = 2_049;

/// A row that cannot be stored.
#[derive(Debug, PartialEq, Eq)]
pub struct Unreadable {
    pub id: String,
    pub why: &'static str,
}

impl Appointment {
    pub fn read(row: &Value, read_at: DateTime<Utc>) -> Result<Self, Unreadable> {
        let external_id = id(row);
        let refuse = |why| Unreadable { id: external_id.clone().unwrap_or_else(|| NO_ID.to_owned()), why };
        let external_id = external_id.clone().ok_or_else(|| refuse("it has no Id that can be one"))?;
        let start = instant(&row["StartDate"]).or_else(|| instant(&row["StartDateIso"]));
        let starts_at = start.ok_or_else(|| refuse("its StartDate cannot be read"))?;
        let minutes = number(&row["Duration"]).filter(|minutes| (0.0..=60.0 * 24.0 * 31.0).contains(minutes));
        let end = || minutes.map(|minutes| starts_at + TimeDelta::milliseconds((minutes * 60_000.0) as i64));
        let ends_at = instant(&row["EndDate"]).or_else(end);
        if ends_at.is_some_and(|ends_at| ends_at < starts_at) {
            return Err(refuse("it ends before it begins"));
        }
        let known = status(row["Status"].as_str().unwrap_or_default());
        let mut read = Self {
            client_id: text(&row["ClientId"]),
            client_name: text(&row["ClientName"]),
            client_email: text(&row["ClientEmail"]),
            date_of_birth: date(&row["ClientDateOfBirth"]),
            odd_birthday: text(&row["ClientDateOfBirth"]).is_some() && date(&row["ClientDateOfBirth"]).is_none(),
            is_group: row["AdditionalClients"].as_array().is_some_and(|others| !others.is_empty()),
            status: known.unwrap_or("SCHEDULED"),
            status_known: known.is_some(),
            starts_at,
            ends_at,
            practitioner_id: text(&row["PractitionerId"]),
            practitioner_email: text(&row["PractitionerEmail"]),
            service_id: text(&row["ServiceId"]),
            service_name: text(&row["ServiceName"]),
            location_name: text(&row["LocationName"]),
            meeting_url: text(&row["TelehealthInfo"]["JoinUrl"]).and_then(|url| web(&url)),
            modified_at: modified_at(row, read_at),
            hash: String::new(),
            read_at,
            external_id,
        };
        read.hash = read.digest();
        Ok(read)
    }

    fn digest(&self) -> String {
        let practitioner = self.practitioner_id.as_ref().or(self.practitioner_email.as_ref());
        let (start, end) = (self.starts_at.timestamp_millis(), self.ends_at.map(|end| end.timestamp_millis()));
        let content =
            json!([self.status, start, end, practitioner, self.service_name, self.location_name, self.meeting_url]);
        hex(digest(&SHA256, content.to_string().as_bytes()).as_ref())
    }
}

/// The clinic's status for one of the account's.
fn status(theirs: &str) -> Option<&'static str> {
    match theirs {
        "Confirmed" => Some("CONFIRMED"),
        "WaitingConfirmation" => Some("SCHEDULED"),
        "Canceled" | "Declined" => Some("CANCELLED"),
        "Missed" => Some("NO_SHOW"),
        _ => None,
    }
}

/// A text, or a number as text; None where it is empty.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => {
            Some(text.trim().chars().take(TEXT_MAX).collect()).filter(|text: &String| !text.is_empty())
        }
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number: &f64| number.is_finite())
}

/// Milliseconds since 1970, as an integer, a float or a text of either; or RFC 3339.
fn instant(value: &Value) -> Option<DateTime<Utc>> {
    let instant = match number(value) {
        // The conversion is exact: no time in these years needs more than 53 bits.
        Some(milliseconds) => DateTime::from_timestamp_millis(milliseconds.round() as i64)?,
        None => DateTime::parse_from_rfc3339(value.as_str()?.trim()).ok()?.to_utc(),
    };
    (1970..=2200).contains(&instant.year()).then_some(instant)
}

/// A day in ISO 8601 or in the American form; the day in UTC where an instant is given.
fn date(value: &Value) -> Option<NaiveDate> {
    let date = match value {
        Value::String(text) if number(value).is_none() => {
            let iso = || text.trim().get(..10)?.parse().ok();
            iso().or_else(|| NaiveDate::parse_from_str(text.split_whitespace().next()?, "%m/%d/%Y").ok())
        }
        // A number of less than a day is no instant: it is a year, or stands for a missing value.
        _ => {
            let milliseconds = number(value)?.round() as i64;
            let instant = DateTime::from_timestamp_millis(milliseconds).filter(|_| milliseconds.abs() >= 86_400_000);
            instant.map(|instant| instant.date_naive())
        }
    };
    date.filter(|date| (1850..=2200).contains(&date.year()))
}

/// A link of the web, normalized as browsers do.
fn web(text: &str) -> Option<String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    Some(url.into()).filter(|url: &String| url.len() <= 2048)
}

/// LastModified of a row that was asked for then.
pub fn modified_at(row: &Value, read_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    // A time far ahead would make every later version of the appointment seem older.
    instant(&row["LastModified"]).filter(|at| *at < read_at + TimeDelta::days(1))
}

/// The id of a row; None where it cannot be used as one.
pub fn id(row: &Value) -> Option<String> {
    // It is put into a URL and into log lines.
    text(&row["Id"])
        .filter(|id| id.len() <= 128 && !id.chars().any(char::is_control) && !matches!(id.as_str(), "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(row: &Value) -> Result<Appointment, Unreadable> {
        Appointment::read(row, DateTime::UNIX_EPOCH)
    }

    #[test]
    fn times_are_integers_floats_or_texts() {
        let expected = DateTime::from_timestamp_millis(1_458_526_480_368);
        let forms = [
            json!(1_458_526_480_368_i64),
            json!(1_458_526_480_368.0),
            json!("1458526480368"),
            json!("1458526480368.0"),
        ];
        for form in forms {
            assert_eq!(instant(&form), expected, "{form}");
        }
        assert_eq!(instant(&json!("2016-03-21T02:14:40.368Z")), expected);
        for nonsense in [
            json!(null),
            json!(""),
            json!("soon"),
            json!("NaN"),
            json!("inf"),
            json!(-1),
            json!(1e300),
            json!(f64::MAX),
            json!(true),
            json!([]),
        ] {
            assert_eq!(instant(&nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_birthday_is_a_day_whatever_follows_it() {
        let day = NaiveDate::from_ymd_opt(1988, 5, 23);
        for form in [
            json!("1988-05-23"),
            json!("1988-05-23T00:00:00"),
            json!(580_348_800_000_i64),
            json!("580348800000"),
            json!("5/23/1988 12:00:00 AM"),
        ] {
            assert_eq!(date(&form), day, "{form}");
        }
        for nonsense in [
            json!(null),
            json!("23.5.1988"),
            json!("1988-5"),
            json!("ååååå"),
            json!({}),
            json!(0),
            json!("1988"),
            json!("19880523"),
        ] {
            assert_eq!(date(&nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn what_is_missing_is_tolerated_but_an_id_and_a_start() {
        assert_eq!(
            read(&json!({ "StartDate": 0 })).err(),
            Some(Unreadable { id: "?".into(), why: "it has no Id that can be one" })
        );
        assert_eq!(read(&json!({ "Id": "a" })).err().map(|row| row.why), Some("its StartDate cannot be read"));
        assert_eq!(read(&json!([])).err().map(|row| row.why), Some("it has no Id that can be one"));
        let Ok(least) = read(&json!({ "Id": 7, "StartDate": 0, "Duration": 1.5, "Status": "Odd", "Unknown": {} }))
        else {
            panic!("an id and a start are enough");
        };
        assert_eq!((least.external_id.as_str(), least.status, least.status_known), ("7", "SCHEDULED", false));
        assert_eq!(least.ends_at.map(|end| end.timestamp()), Some(90));
        let backwards = read(&json!({ "Id": "a", "StartDate": 2, "EndDate": 1 }));
        assert_eq!(backwards.err().map(|row| row.why), Some("it ends before it begins"));
    }

    #[test]
    fn only_the_link_for_guests_is_taken_and_only_of_the_web() {
        let link = |url| {
            let telehealth = json!({ "StartUrl": "https://host.example/start", "JoinUrl": url });
            read(&json!({ "Id": "a", "StartDate": 0, "TelehealthInfo": telehealth }))
                .ok()
                .and_then(|row| row.meeting_url)
        };
        assert_eq!(link("https://meet.example/7").as_deref(), Some("https://meet.example/7"));
        assert_eq!(link("javascript:alert(1)"), None);
    }

    #[test]
    fn the_hash_changes_with_what_is_written_and_nothing_else() {
        let row = |key: &str, value: Value| {
            let mut row = json!({ "Id": "a", "StartDate": 0, "EndDate": 9, "ServiceName": "S", "Status": "Confirmed" });
            row[key] = value;
            read(&row).map(|row| row.hash).ok()
        };
        let hash = row("Price", json!(1));
        assert_eq!(row("LastModified", json!(5)), hash);
        assert_eq!(row("StartDate", json!("0.0")), hash);
        for (key, value) in [
            ("Status", json!("Canceled")),
            ("StartDate", json!(1)),
            ("EndDate", json!(8)),
            ("PractitionerId", json!("p")),
            ("ServiceName", json!("T")),
            ("LocationName", json!("L")),
            ("TelehealthInfo", json!({ "JoinUrl": "https://j" })),
        ] {
            assert_ne!(row(key, value), hash, "{key}");
        }
    }
}
