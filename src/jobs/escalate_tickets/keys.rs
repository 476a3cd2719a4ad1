//! The keys of a condition or an action, which are JSON that a person wrote. A key that cannot be read gives a message
//! that says what it must be.

use serde_json::{Map, Value};

use crate::db::Key;
use crate::output::visible::is_active;

/// The fault of a rule: names of keys and what they must be, but no values.
pub type RuleFault = String;

/// The maximum number of hours: ten years.
pub const HOURS_MAX: f64 = 87_600.0;

/// The keys of a condition or an action.
pub struct Keys<'a> {
    of: &'static str,
    map: &'a Map<String, Value>,
}

impl<'a> Keys<'a> {
    pub fn of(of: &'static str, json: &'a Value) -> Result<Self, RuleFault> {
        json.as_object().map(|map| Self { of, map }).ok_or_else(|| format!("{of} must be a JSON object"))
    }

    /// Refuses unknown keys, because they are most likely misspelt.
    pub fn only(&self, known: &[&str]) -> Result<(), RuleFault> {
        if self.map.keys().all(|key| known.contains(&key.as_str())) {
            return Ok(());
        }
        Err(match known {
            [] => format!("{}: must be empty", self.of),
            known => format!("{}: holds a key that is none of {}", self.of, known.join(", ")),
        })
    }

    /// The value of a key. JSON's null counts as no value.
    pub fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    pub fn integer(&self, key: &str) -> Option<i64> {
        self.get(key).and_then(Value::as_i64)
    }

    pub fn hours(&self, key: &str) -> Result<f64, RuleFault> {
        self.hours_from(0.0, key)
    }

    /// Hours after an instant, or before it, where they are negative.
    pub fn hours_before_or_after(&self, key: &str) -> Result<f64, RuleFault> {
        self.hours_from(-HOURS_MAX, key)
    }

    fn hours_from(&self, least: f64, key: &str) -> Result<f64, RuleFault> {
        let hours = self.get(key).and_then(Value::as_f64).filter(|hours| (least..=HOURS_MAX).contains(hours));
        hours.ok_or_else(|| format!("{}: {key} must be a number of hours from {least} to {HOURS_MAX}", self.of))
    }

    pub fn id(&self, key: &str) -> Result<Option<Key>, RuleFault> {
        let Some(value) = self.get(key) else { return Ok(None) };
        id(value).map(Some).ok_or_else(|| format!("{}: {key} must be an id", self.of))
    }

    /// A text of one line.
    pub fn line(&self, key: &str) -> Result<&'a str, RuleFault> {
        let text = self.text(key)?;
        match text.contains('\n') {
            true => Err(format!("{}: {key} must be one line", self.of)),
            false => Ok(text),
        }
    }

    /// A text. It has no characters that would be acted upon where it is shown, but line breaks. The database can keep
    /// none with a NUL.
    pub fn text(&self, key: &str) -> Result<&'a str, RuleFault> {
        let text = self.get(key).and_then(Value::as_str);
        let text = text.filter(|text| !text.trim().is_empty() && !text.contains('\0'));
        let text = text.ok_or_else(|| format!("{}: {key} must be a text that is not empty", self.of))?;
        // A form in a browser ends its lines with CR LF.
        match text.replace("\r\n", "\n").contains(|c| is_active(c) && !matches!(c, '\n' | '\t')) {
            true => Err(format!("{}: {key} holds control characters or marks of direction", self.of)),
            false => Ok(text),
        }
    }

    pub fn one_of(&self, key: &str, known: &[&str]) -> Result<String, RuleFault> {
        let name = self.get(key).and_then(Value::as_str).filter(|name| known.contains(name));
        name.map(str::to_owned).ok_or_else(|| format!("{}: {key} must be one of {}", self.of, known.join(", ")))
    }

    pub fn list<T>(&self, key: &str, read: impl Fn(&'a Value) -> Option<T>, what: &str) -> Result<Vec<T>, RuleFault> {
        let items = self.get(key).and_then(Value::as_array).filter(|items| !items.is_empty());
        let items = items.and_then(|items| items.iter().map(read).collect());
        items.ok_or_else(|| format!("{}: {key} must be a list of {what}", self.of))
    }

    pub fn operator(&self) -> Result<&'static str, RuleFault> {
        match self.get("operator").and_then(Value::as_str) {
            Some("<" | "lt") => Ok("<"),
            Some("<=" | "lte") => Ok("<="),
            Some("=" | "==" | "eq") => Ok("="),
            Some(">=" | "gte") => Ok(">="),
            Some(">" | "gt") => Ok(">"),
            _ => Err(format!("{}: operator must be one of <, <=, =, >=, >", self.of)),
        }
    }
}

/// An id of the clinic's: a text, or a whole number.
pub fn id(value: &Value) -> Option<Key> {
    match value {
        Value::Number(number) => number.as_u64().filter(|id| *id > 0).map(|id| Key::from(id.to_string())),
        Value::String(text) if !text.contains(is_active) => text.parse().ok(),
        _ => None,
    }
}
