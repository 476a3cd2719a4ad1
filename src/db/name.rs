//! The schema in which the tables are.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// What the name of the schema for staging tables ends with.
const STAGING: &str = "_staging";
/// The longest name in bytes; the server would cut a longer one.
pub const NAME_MAX: usize = 63;
/// The longest name of a schema in bytes: that of the staging schema is longer.
const LENGTH_MAX: usize = NAME_MAX - STAGING.len();

/// Refuses what is no name of such a thing, a role or a schema.
pub fn check_name(what: &str, text: &str, longest: usize) -> Result<(), String> {
    match text {
        "" => Err(format!("a {what} has a name")),
        _ if text.len() > longest => Err(format!("a {what}'s name has at most {longest} bytes")),
        _ if text.contains(char::is_control) => Err(format!("a {what}'s name has no control characters")),
        _ => Ok(()),
    }
}

/// The name of a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaName(Arc<str>);

impl SchemaName {
    /// The name in quotation marks, so that it is no keyword and keeps its capitals.
    pub fn quoted(&self) -> String {
        quoted(&self.0)
    }

    /// The name as a person writes it: in quotation marks only where it needs them.
    pub fn shown(&self) -> String {
        identifier(&self.0)
    }

    /// The schema in which `refresh-npi` creates tables. It is in the path of no statement.
    pub fn staging(&self) -> Self {
        Self(format!("{}{STAGING}", self.0).into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A name in quotation marks, so that it is no keyword and keeps its capitals.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A name in quotation marks only where it needs them. One that is a keyword is not quoted, since ours are none.
pub fn identifier(name: &str) -> String {
    let is_plain = |(at, c): (usize, char)| c.is_ascii_lowercase() || c == '_' || (at > 0 && c.is_ascii_digit());
    if !name.is_empty() && name.chars().enumerate().all(is_plain) { name.to_owned() } else { quoted(name) }
}

impl FromStr for SchemaName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        check_name("schema", text, LENGTH_MAX)?;
        match text {
            // The server puts the role's name in the place of $user, also in quotation marks.
            "$user" => Err("$user is no name of a schema".to_owned()),
            _ if text.starts_with("pg_") || text == "information_schema" => {
                Err("this schema is the server's own".to_owned())
            }
            _ => Ok(Self(text.into())),
        }
    }
}

impl fmt::Display for SchemaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_quoted_and_never_the_servers_own() {
        let name = |text: &str| text.parse::<SchemaName>();
        assert_eq!(name("Clinic \"A\"").unwrap().quoted(), "\"Clinic \"\"A\"\"\"");
        let long = "x".repeat(56);
        assert!(
            ["", "$user", "pg_catalog", "pg_temp", "information_schema", "a\0", &long]
                .iter()
                .all(|text| name(text).is_err())
        );
    }
}
