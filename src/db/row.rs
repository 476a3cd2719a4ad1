//! A row that the database returned. Reading a value of it cannot fail because of the value.
//!
//! Rule: an instant or a day outside of the years 1 to 9999, `infinity` included, is read as the nearest end of them.
//! JSON that is nested deeper than [`json::DEPTH_MAX`], is longer than [`json::BYTES_MAX`], or has a number that is none of
//! ours, is read as an object that says so. All else is read as it is.
//!
//! The driver's own row panics at such values, since the types of this program have no room for them. The years are
//! those that can be written with four digits, and they are so far from the ends of the types that no sum with a
//! duration of ours overflows.

use std::error::Error as StdError;
use std::fmt::Display;

use tokio_postgres::row::RowIndex;
use tokio_postgres::types::{FromSql, Type};

use crate::json;

const MICROS_A_DAY: i64 = 24 * 60 * 60 * 1_000_000;
/// The days 0001-01-01 and 9999-12-31, counted from 2000-01-01, as the server sends them.
const DAYS: (i32, i32) = (-730_119, 2_921_939);
/// The first and the last microsecond of these days.
const MICROS: (i64, i64) = (DAYS.0 as i64 * MICROS_A_DAY, (DAYS.1 as i64 + 1) * MICROS_A_DAY - 1);

/// A row, and the bytes of those columns that cannot be read as they are.
pub struct Row {
    row: tokio_postgres::Row,
    bounded: Vec<(usize, Vec<u8>)>,
}

impl From<tokio_postgres::Row> for Row {
    fn from(row: tokio_postgres::Row) -> Self {
        let bounded = (0..row.len()).filter_map(|index| Some((index, bounded(row.get(index))?))).collect();
        Self { row, bounded }
    }
}

impl Row {
    /// The value of a column. A column that the statement does not return, or of another type, is a defect.
    #[track_caller]
    pub fn get<'a, I: ColumnIndex, T: FromSql<'a>>(&'a self, column: I) -> T {
        // No closure: the place of a panic is the caller's.
        match self.read_bounded(&column) {
            Some(value) => value,
            None => self.row.get(column),
        }
    }

    /// The names of the columns.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.row.columns().iter().map(|column| column.name())
    }

    /// The value of a column whose bytes were replaced; None of any other column.
    fn read_bounded<'a, T: FromSql<'a>>(&'a self, column: &impl ColumnIndex) -> Option<T> {
        let is_it = |(index, _): &&(usize, Vec<u8>)| column.is(*index, self.row.columns()[*index].name());
        let (index, bytes) = self.bounded.iter().find(is_it)?;
        let ty = self.row.columns()[*index].type_();
        if T::accepts(ty) { T::from_sql(ty, bytes).ok() } else { None }
    }
}

/// A column by its name or its place.
pub trait ColumnIndex: RowIndex + Display {
    fn is(&self, place: usize, name: &str) -> bool;
}

impl ColumnIndex for usize {
    fn is(&self, place: usize, _: &str) -> bool {
        *self == place
    }
}

impl ColumnIndex for &str {
    fn is(&self, _: usize, name: &str) -> bool {
        *self == name
    }
}

/// A value as the server sent it.
struct Raw<'a>(Type, Option<&'a [u8]>);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(ty.clone(), Some(raw)))
    }

    fn from_sql_null(ty: &Type) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(ty.clone(), None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// The bytes that are read instead; None if the value is read as it is.
fn bounded(Raw(ty, raw): Raw<'_>) -> Option<Vec<u8>> {
    let raw = raw?;
    let changed = match ty {
        Type::TIMESTAMPTZ | Type::TIMESTAMP | Type::DATE => clamped(raw)?,
        Type::TIMESTAMPTZ_ARRAY | Type::TIMESTAMP_ARRAY | Type::DATE_ARRAY => elements(raw)?,
        Type::JSONB => [&raw[..raw.len().min(1)], &summary(raw.get(1..)?)?].concat(),
        Type::JSON => summary(raw)?,
        _ => return None,
    };
    (changed != raw).then_some(changed)
}

/// An instant of 8 bytes or a day of 4, within the bounds.
fn clamped(raw: &[u8]) -> Option<Vec<u8>> {
    if let Ok(bytes) = raw.try_into() {
        return Some(i64::from_be_bytes(bytes).clamp(MICROS.0, MICROS.1).to_be_bytes().to_vec());
    }
    let days = i32::from_be_bytes(raw.try_into().ok()?);
    Some(days.clamp(DAYS.0, DAYS.1).to_be_bytes().to_vec())
}

/// An array of instants or days, each within the bounds: the number of dimensions, a flag and the type, a length and a
/// lower bound for each dimension, then each element with its length, which is -1 for NULL.
fn elements(raw: &[u8]) -> Option<Vec<u8>> {
    let number = |at: usize| Some(i32::from_be_bytes(raw.get(at..at + 4)?.try_into().ok()?));
    let mut at = 12 + 8 * usize::try_from(number(0)?).ok()?;
    let mut out = raw.get(..at)?.to_vec();
    while at < raw.len() {
        let length = usize::try_from(number(at)?).unwrap_or(0);
        out.extend_from_slice(raw.get(at..at + 4)?);
        if length > 0 {
            out.extend_from_slice(&clamped(raw.get(at + 4..at + 4 + length)?)?);
        }
        at += 4 + length;
    }
    Some(out)
}

/// What is read instead of a JSON text that is too long or too deep.
fn summary(text: &[u8]) -> Option<Vec<u8>> {
    let why = json::unreadable(text)?;
    Some(format!("{{\"unreadable\": \"JSON {why}\"}}").into_bytes())
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use chrono::{DateTime, NaiveDate, Utc};
    use serde_json::Value;
    use tokio_postgres::types::ToSql;

    use super::*;

    #[test]
    fn an_instant_beyond_the_years_is_the_nearest_end() {
        let read = |raw: i64| -> DateTime<Utc> {
            let bytes = bounded(Raw(Type::TIMESTAMPTZ, Some(&raw.to_be_bytes())));
            DateTime::from_sql(&Type::TIMESTAMPTZ, &bytes.unwrap_or(raw.to_be_bytes().into())).unwrap()
        };
        assert_eq!(read(i64::MAX).to_string(), "9999-12-31 23:59:59.999999 UTC");
        assert_eq!(read(i64::MIN).to_string(), "0001-01-01 00:00:00 UTC");
        assert_eq!(read(0).to_string(), "2000-01-01 00:00:00 UTC");
        let day = |raw: i32| NaiveDate::from_sql(&Type::DATE, &clamped(&raw.to_be_bytes()).unwrap()).unwrap();
        assert_eq!(
            [day(i32::MIN), day(0), day(i32::MAX)].map(|day| day.to_string()),
            ["0001-01-01", "2000-01-01", "9999-12-31"]
        );
    }

    #[test]
    fn each_instant_of_an_array_is_within_the_years() {
        let kept: DateTime<Utc> = "2026-03-02T14:30:00Z".parse().unwrap();
        let mut raw = BytesMut::new();
        vec![Some(kept), None, Some(kept)].to_sql(&Type::TIMESTAMPTZ_ARRAY, &mut raw).unwrap();
        assert_eq!(bounded(Raw(Type::TIMESTAMPTZ_ARRAY, Some(&raw))), None, "it is read as it is");
        let at = raw.len() - 8;
        raw[at..].copy_from_slice(&i64::MAX.to_be_bytes());
        let bytes = bounded(Raw(Type::TIMESTAMPTZ_ARRAY, Some(&raw))).unwrap();
        let read = Vec::<Option<DateTime<Utc>>>::from_sql(&Type::TIMESTAMPTZ_ARRAY, &bytes).unwrap();
        assert_eq!(read[..2], [Some(kept), None]);
        assert_eq!(read[2].unwrap().to_string(), "9999-12-31 23:59:59.999999 UTC");
        for cut in 0..raw.len() {
            elements(&raw[..cut]);
        }
    }

    #[test]
    fn deep_or_long_json_says_what_it_is() {
        let read = |text: &str| {
            let raw = [b"\x01", text.as_bytes()].concat();
            let bytes = bounded(Raw(Type::JSONB, Some(&raw))).unwrap_or(raw);
            Value::from_sql(&Type::JSONB, &bytes).unwrap()
        };
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(read(&nested(json::DEPTH_MAX)).to_string(), nested(json::DEPTH_MAX));
        assert_eq!(read(&nested(json::DEPTH_MAX + 1))["unreadable"], "JSON nested deeper than 64 levels");
        let text = format!("\"{}\"", "x".repeat(json::BYTES_MAX));
        assert_eq!(read(&text)["unreadable"], "JSON of more than 1024 KiB");
        assert_eq!(read("{\"n\": 1e999}")["unreadable"], "JSON with a number out of range");
        let brackets = format!(r#""\"{}""#, "[".repeat(500));
        assert_eq!(read(&brackets).as_str().map(str::len), Some(501), "brackets within a text nest nothing");
    }
}
