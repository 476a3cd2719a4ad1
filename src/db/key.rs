//! A key of the clinic's tables, which is opaque text: bigint, uuid or text beneath.
//!
//! Rule: the server alone knows the type of a key. A key is read as `id::text`, and given as a parameter of unknown
//! type in text format, so that the server infers the type from the column with which the SQL compares it. The first
//! comparison that the parser meets decides.

use std::error::Error as StdError;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use bytes::BytesMut;
use clap::builder::{ValueParser, ValueParserFactory};
use serde::{Serialize, Serializer};
use tokio_postgres::Transaction;
use tokio_postgres::types::{Format, FromSql, IsNull, ToSql, Type};

use super::savepoint::unless;
use crate::error::Error;

/// The longest key in bytes that a person may give.
const LENGTH_MAX: usize = 200;

/// The SQLSTATEs of a text that is no value of the key's type, such as `x` of a bigint, or that exceeds it.
pub const NOT_A_KEY: [&str; 2] = ["22P02", "22003"];

type Encoded = Result<IsNull, Box<dyn StdError + Sync + Send>>;

/// The rest of a `ToSql` whose text form serves for a parameter of any type.
macro_rules! in_text_format {
    () => {
        fn accepts(_: &Type) -> bool {
            true
        }

        fn encode_format(&self, _: &Type) -> Format {
            Format::Text
        }

        fn to_sql_checked(&self, ty: &Type, out: &mut BytesMut) -> Encoded {
            self.to_sql(ty, out)
        }
    };
}

/// A key in the server's own text form, or as a person gave it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(Arc<str>);

impl Key {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Key {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl FromStr for Key {
    type Err = String;

    /// A key that a person gives. Only the server can tell whether a row has it.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match text {
            "" => Err("an id must not be empty".to_owned()),
            _ if text.len() > LENGTH_MAX => Err(format!("an id has at most {LENGTH_MAX} bytes")),
            _ if text.contains(char::is_control) => Err("an id has no control characters".to_owned()),
            _ => Ok(Self(text.into())),
        }
    }
}

/// An argument is what a person gives. Without this, clap would take any text by `From<String>`.
impl ValueParserFactory for Key {
    type Parser = ValueParser;

    fn value_parser() -> ValueParser {
        ValueParser::new(Self::from_str)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// The text form, for a parameter of any type: of unknown type where it is compared with a key, of type text where it
/// is stored in a table of ours.
impl ToSql for Key {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Encoded {
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    in_text_format!();
}

impl<'a> FromSql<'a> for Key {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(<&str>::from_sql(ty, raw)?.into()))
    }

    fn accepts(ty: &Type) -> bool {
        <&str as FromSql>::accepts(ty)
    }
}

/// Keys as one parameter: an array in text form, for `= ANY ($1)`.
#[derive(Clone, Copy, Debug)]
pub struct Keys<'a>(pub &'a [Key]);

impl ToSql for Keys<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Encoded {
        out.extend_from_slice(b"{");
        for (index, key) in self.0.iter().enumerate() {
            out.extend_from_slice(if index > 0 { b",\"" } else { b"\"" });
            for byte in key.0.bytes() {
                if matches!(byte, b'"' | b'\\') {
                    out.extend_from_slice(b"\\");
                }
                out.extend_from_slice(&[byte]);
            }
            out.extend_from_slice(b"\"");
        }
        out.extend_from_slice(b"}");
        Ok(IsNull::No)
    }

    in_text_format!();
}

/// A value of any type in text form, or NULL, for a statement that is planned and not executed.
#[derive(Clone, Copy, Debug)]
pub struct Example<'a>(pub Option<&'a str>);

impl ToSql for Example<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Encoded {
        let Some(text) = self.0 else { return Ok(IsNull::Yes) };
        out.extend_from_slice(text.as_bytes());
        Ok(IsNull::No)
    }

    in_text_format!();
}

/// The row with a key that a person gave; None also where the text cannot be a key of the column's type.
pub fn no_such_key<T>(found: Result<Option<T>, Error>) -> Result<Option<T>, Error> {
    match found {
        Err(error) if NOT_A_KEY.contains(&error.code.as_ref()) => Ok(None),
        found => found,
    }
}

/// Reads in a savepoint, by keys that may be none, within a transaction that goes on: a ledger may be older than the
/// type of the clinic's keys, and a rule is JSON that a person wrote. None if the server refused a key.
pub async fn unless_no_key<T>(
    tx: &Transaction<'_>,
    read: impl AsyncFnOnce() -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    unless(tx, &NOT_A_KEY, read).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_quotes_what_would_end_an_element() {
        let keys: Vec<Key> = [r#"a"b"#, r"c\d", "{e,f}", "NULL"].map(|text| Key::from(text.to_owned())).into();
        let mut out = BytesMut::new();
        Keys(&keys).to_sql(&Type::UNKNOWN, &mut out).unwrap();
        assert_eq!(&out[..], br#"{"a\"b","c\\d","{e,f}","NULL"}"#);
    }

    #[test]
    fn a_person_gives_any_short_text_as_a_key() {
        assert_eq!(" 7 ".parse::<Key>().unwrap().as_str(), "7");
        let arg = || clap::Arg::new("id").value_parser(clap::value_parser!(Key));
        let given = |text: &str| clap::Command::new("x").arg(arg()).try_get_matches_from(["x", text]);
        assert_eq!(given(" 7 ").unwrap().get_one::<Key>("id").map(Key::as_str), Some("7"));
        assert!(given("").is_err());
        assert!(["", "  ", "a\0b", "a\nb", &"x".repeat(201)].iter().all(|text| text.parse::<Key>().is_err()));
    }
}
