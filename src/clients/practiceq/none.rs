//! Values by which the account says that there is none.

use serde_json::Value;

/// Words that a program writes where it has no value.
const WORDS: [&str; 4] = ["null", "undefined", "none", "n/a"];
/// The first day that some calendars know, as a text and in milliseconds: a date that nobody has set.
const FIRST_DAYS: [&str; 4] = ["0001-01-01", "01/01/0001", "1/1/0001", "-62135596800000"];

/// Whether a text stands for none: it has nothing but zeros and punctuation, or is one of [`WORDS`], maybe several
/// times (`null null` as first and last name), or is a date of the first day of the calendar.
pub fn is_none(text: &str) -> bool {
    let text = text.trim();
    let is_word = |word: &str| {
        let word = word.trim_matches(|c: char| "()<>[]{}\"'".contains(c));
        WORDS.iter().any(|none| word.eq_ignore_ascii_case(none))
    };
    text.chars().all(|c| c == '0' || c.is_ascii_punctuation() || c.is_whitespace())
        || text.split_whitespace().all(is_word)
        || FIRST_DAYS.iter().any(|day| {
            text.strip_prefix(day).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric) || rest.starts_with('T'))
        })
}

/// Whether a value stands for none.
pub fn stands_for_none(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => is_none(text),
        Value::Number(number) => is_none(&number.to_string()),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
    }
}

/// Whether a text is a number below zero, which is the id of nothing.
pub fn is_negative(text: &str) -> bool {
    text.strip_prefix('-').is_some_and(|digits| digits.parse::<f64>().is_ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn zeros_words_and_the_first_day_stand_for_none_and_nothing_else_does() {
        for none in [
            json!(null),
            json!(""),
            json!("  "),
            json!(0),
            json!(0.0),
            json!("0"),
            json!("000"),
            json!("00000000-0000-0000-0000-000000000000"),
            json!("{00000000-0000-0000-0000-000000000000}"),
            json!("000000000000000000000000"),
            json!("(000) 000-0000"),
            json!("0000-00-00 00:00:00"),
            json!("null"),
            json!(" NULL "),
            json!("(null)"),
            json!("undefined undefined"),
            json!("None"),
            json!("N/A"),
            json!("0001-01-01T00:00:00"),
            json!("0001-01-01"),
            json!("1/1/0001 12:00:00 AM"),
            json!(-62_135_596_800_000_i64),
        ] {
            assert!(stands_for_none(&none), "{none}");
        }
        for some in [
            json!("10"),
            json!(100),
            json!("00000000-0000-0000-0000-000000000001"),
            json!("John Null"),
            json!("Nullarbor"),
            json!("0x"),
            json!("💉"),
            json!("李"),
            json!("0001-01-010"),
            json!({}),
            json!(false),
        ] {
            assert!(!stands_for_none(&some), "{some}");
        }
        assert!(is_negative("-1") && !is_negative("1") && !is_negative("-a"));
    }
}
