//! An appointment as the account sends it. Only the fields that are stored are read, and most of them may be missing.

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use ring::digest::{SHA256, digest};
use serde::Serialize;
use serde_json::{Value, json};

use super::meeting;
use super::none::{is_negative, is_none, stands_for_none};
use super::repair::REPLACEMENT;
use super::status::status;
use super::unreadable::{NO_ID, Unreadable, Why};
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
    pub starts_at: DateTime<Utc>,
    pub ends_at: Option<DateTime<Utc>>,
    pub practitioner_id: Option<String>,
    pub practitioner_email: Option<String>,
    /// Not stored: a trigger that inserts the application's visits may need it.
    pub service_id: Option<String>,
    pub service_name: Option<String>,
    pub location_name: Option<String>,
    /// The code of the place of service, such as 02 and 10 for telehealth.
    pub place_of_service: Option<String>,
    pub meeting_url: Option<String>,
    pub modified_at: Option<DateTime<Utc>>,
    /// A hash of all fields that are written to the visit.
    pub hash: String,
    /// When the account was asked for it.
    pub read_at: DateTime<Utc>,
}

/// The longest text that is kept, in characters.
const TEXT_MAX: usize = 2_049;

impl Appointment {
    pub fn read(row: &Value, read_at: DateTime<Utc>) -> Result<Self, Unreadable> {
        let external_id = id(row);
        let refuse = |why| Unreadable { id: external_id.clone().unwrap_or_else(|| NO_ID.to_owned()), why };
        let unreadable = |why| refuse(Why::Row(why));
        let external_id = external_id.clone().ok_or_else(|| unreadable("it has no Id that can be one"))?;
        let start = instant(&row["StartDate"]).or_else(|| instant(&row["StartDateIso"]));
        let starts_at = start.ok_or_else(|| unreadable("its StartDate cannot be read"))?;
        let minutes = number(&row["Duration"]).filter(|minutes| *minutes > 0.0 && *minutes <= 60.0 * 24.0 * 31.0);
        let end = || minutes.map(|minutes| starts_at + TimeDelta::milliseconds((minutes * 60_000.0) as i64));
        let ends_at = instant(&row["EndDate"]).or_else(end);
        if ends_at.is_some_and(|ends_at| ends_at < starts_at) {
            return Err(unreadable("it ends before it begins"));
        }
        let status = status(text(&row["Status"])).map_err(|word| refuse(Why::Status(word)))?;
        let mut read = Self {
            client_id: client_id(row),
            client_name: text(&row["ClientName"]),
            client_email: text(&row["ClientEmail"]),
            date_of_birth: date(&row["ClientDateOfBirth"]),
            odd_birthday: text(&row["ClientDateOfBirth"]).is_some() && date(&row["ClientDateOfBirth"]).is_none(),
            is_group: row["AdditionalClients"].as_array().is_some_and(|others| !others.iter().all(stands_for_none)),
            status,
            starts_at,
            ends_at,
            practitioner_id: reference(&row["PractitionerId"]),
            practitioner_email: text(&row["PractitionerEmail"]),
            service_id: reference(&row["ServiceId"]),
            service_name: text(&row["ServiceName"]),
            location_name: text(&row["LocationName"]),
            place_of_service: text(&row["PlaceOfService"]).map(meeting::place_of_service),
            meeting_url: meeting::link(&row["TelehealthInfo"]),
            modified_at: modified_at(row, read_at),
            hash: String::new(),
            read_at,
            external_id,
        };
        if read.has_broken_reference() {
            return Err(unreadable("an id or a link of it has a broken character"));
        }
        read.hash = read.digest();
        Ok(read)
    }

    /// Whether a character of an id or of the link is none, and so was replaced: it would name something else. In a
    /// name that does no harm.
    fn has_broken_reference(&self) -> bool {
        // The link is normalized, and so has it percent-encoded.
        let link_is_broken = self.meeting_url.as_ref().is_some_and(|url| url.contains("%EF%BF%BD"));
        let references = [&self.client_id, &self.practitioner_id, &self.service_id];
        link_is_broken || references.into_iter().flatten().any(|id| id.contains(REPLACEMENT))
    }

    fn digest(&self) -> String {
        let practitioner = self.practitioner_id.as_ref().or(self.practitioner_email.as_ref());
        let (start, end) = (self.starts_at.timestamp_millis(), self.ends_at.map(|end| end.timestamp_millis()));
        let mut content =
            json!([self.status, start, end, practitioner, self.service_name, self.location_name, self.meeting_url]);
        // What has none keeps the hash that it had before places were read, and is not written anew.
        if let (Some(place), Value::Array(content)) = (&self.place_of_service, &mut content) {
            content.push(json!(place));
        }
        hex(digest(&SHA256, content.to_string().as_bytes()).as_ref())
    }
}

/// A text, or a number as text; None where it stands for none.
pub fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => {
            // The database has no character of the code 0.
            let text: String = text.trim().replace('\0', "\u{fffd}").chars().take(TEXT_MAX).collect();
            Some(text).filter(|text| !is_none(text))
        }
        Value::Number(number) => Some(number.to_string()).filter(|number| !is_none(number)),
        _ => None,
    }
}

/// The id of something else; None where it stands for none.
fn reference(value: &Value) -> Option<String> {
    text(value).filter(|id| !is_negative(id))
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
        // The conversion is exact: no time in these years needs more than 53 bits. 0 stands for none.
        Some(0.0) => return None,
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

/// The id of a row's client.
pub fn client_id(row: &Value) -> Option<String> {
    reference(&row["ClientId"])
}

/// What the account can be searched for to find a row's client: the e-mail address, else the name. The match is partial,
/// so that a term of a letter or two would list everybody.
pub fn client_term(row: &Value) -> Option<String> {
    let term = text(&row["ClientEmail"]).or_else(|| text(&row["ClientName"]));
    term.filter(|term| term.chars().count() > 2 && !term.contains(REPLACEMENT))
}

/// LastModified of a row that was asked for then.
pub fn modified_at(row: &Value, read_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    // A time far ahead would make every later version of the appointment seem older.
    instant(&row["LastModified"]).filter(|at| *at < read_at + TimeDelta::days(1))
}

/// The id of a row; None where it cannot be used as one.
pub fn id(row: &Value) -> Option<String> {
    // It is put into a URL and into log lines.
    let fits = |id: &String| id.len() <= 128 && !id.contains(REPLACEMENT) && !id.chars().any(char::is_control);
    reference(&row["Id"]).filter(fits)
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
            json!(0),
            json!("0"),
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
            read(&json!({ "StartDate": 1 })).err(),
            Some(Unreadable { id: "?".into(), why: Why::Row("it has no Id that can be one") })
        );
        let why = |row| read(&row).err().map(|row| row.why);
        assert_eq!(why(json!({ "Id": "a" })), Some(Why::Row("its StartDate cannot be read")));
        assert_eq!(why(json!([])), Some(Why::Row("it has no Id that can be one")));
        let least = json!({ "Id": 7, "StartDate": 1000, "Duration": 1.5, "Status": "Missed", "Unknown": {} });
        let Ok(least) = read(&least) else { panic!("an id, a start and a status are enough") };
        assert_eq!((least.external_id.as_str(), least.status), ("7", "NO_SHOW"));
        assert_eq!(least.ends_at.map(|end| end.timestamp()), Some(91));
        assert_eq!(why(json!({ "Id": "a", "StartDate": 2, "EndDate": 1 })), Some(Why::Row("it ends before it begins")));
    }

    #[test]
    fn what_stands_for_none_is_none_in_every_field() {
        for none in [json!(0), json!("0"), json!(""), json!("null"), json!("00000000-0000-0000-0000-000000000000")] {
            let mut row = json!({ "Id": "a", "StartDate": 1000, "Status": "Confirmed" });
            for field in [
                "EndDate",
                "Duration",
                "ClientId",
                "ClientName",
                "ClientEmail",
                "ClientDateOfBirth",
                "PractitionerId",
                "PractitionerEmail",
                "ServiceId",
                "ServiceName",
                "LocationName",
                "LastModified",
            ] {
                row[field] = none.clone();
            }
            (row["TelehealthInfo"], row["AdditionalClients"]) = (json!({ "JoinUrl": none }), json!([none]));
            let Ok(read) = read(&row) else { panic!("{none}: a start and a status are enough") };
            let texts = [
                &read.client_id,
                &read.client_name,
                &read.client_email,
                &read.practitioner_id,
                &read.practitioner_email,
                &read.service_id,
                &read.service_name,
                &read.location_name,
                &read.meeting_url,
            ];
            assert!(texts.into_iter().all(Option::is_none), "{none}");
            let instants = (read.ends_at, read.modified_at, read.date_of_birth, read.odd_birthday, read.is_group);
            assert_eq!(instants, (None, None, None, false, false), "{none}");
            for field in ["Id", "StartDate", "Status"] {
                let mut row = json!({ "Id": "a", "StartDate": 1000, "Status": "Confirmed" });
                row[field] = none.clone();
                assert!(self::read(&row).is_err(), "{field} {none}");
            }
        }
        let reference = |id: Value| reference(&id);
        assert_eq!(
            (reference(json!(-1)), reference(json!("-1")), reference(json!(17))),
            (None, None, Some("17".into()))
        );
    }

    #[test]
    fn a_broken_character_is_harmless_in_a_name_and_not_in_an_id_or_a_link() {
        let row = |field: &str, value: &str| {
            let mut row = json!({ "Id": "a", "StartDate": 1000, "Status": "Confirmed" });
            row[field] = json!(value);
            row
        };
        for field in ["ClientName", "ServiceName", "LocationName", "ClientEmail", "CustomFields"] {
            assert!(read(&row(field, "x\u{fffd}")).is_ok(), "{field}");
        }
        for field in ["Id", "ClientId", "PractitionerId", "ServiceId", "Status"] {
            assert!(read(&row(field, "x\u{fffd}")).is_err(), "{field}");
        }
        let mut linked = row("ServiceName", "S");
        linked["TelehealthInfo"] = json!({ "JoinUrl": "https://meet.example/\u{fffd}" });
        assert!(read(&linked).is_err());
    }

    #[test]
    fn only_the_link_for_guests_is_taken_and_only_of_the_web() {
        let link = |url| {
            let telehealth = json!({ "StartUrl": "https://host.example/start", "JoinUrl": url });
            read(&json!({ "Id": "a", "StartDate": 1000, "Status": "Confirmed", "TelehealthInfo": telehealth }))
                .ok()
                .and_then(|row| row.meeting_url)
        };
        assert_eq!(link("https://meet.example/7").as_deref(), Some("https://meet.example/7"));
        assert_eq!(link("javascript:alert(1)"), None);
    }

    #[test]
    fn the_hash_changes_with_what_is_written_and_nothing_else() {
        let row = |key: &str, value: Value| {
            let mut row = json!({ "Id": "a", "StartDate": 2, "EndDate": 9, "ServiceName": "S", "Status": "Confirmed" });
            row[key] = value;
            read(&row).map(|row| row.hash).ok()
        };
        let hash = row("Price", json!(1));
        assert_eq!(row("LastModified", json!(5)), hash);
        assert_eq!(row("StartDate", json!("2.0")), hash);
        for (key, value) in [
            ("Status", json!("Canceled")),
            ("StartDate", json!(1)),
            ("EndDate", json!(8)),
            ("PractitionerId", json!("p")),
            ("ServiceName", json!("T")),
            ("LocationName", json!("L")),
            ("PlaceOfService", json!("02")),
            ("TelehealthInfo", json!({ "JoinUrl": "https://j" })),
        ] {
            assert_ne!(row(key, value), hash, "{key}");
        }
    }
}
