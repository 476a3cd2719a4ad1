//! The report as CSV, for a spreadsheet: a list has a row for each of its objects, anything else is one row.
//!
//! The columns are the keys of the JSON. A report with several lists has a first column `list`, which names the list of
//! the row.

use serde_json::{Map, Value};

use super::visible;

type Object = Map<String, Value>;

/// The rows of a report, each with the name of its list.
fn rows(report: &Value) -> (Vec<(&str, &Object)>, bool) {
    if let Value::Array(items) = report {
        return (items.iter().filter_map(Value::as_object).map(|item| ("", item)).collect(), false);
    }
    let Some(report) = report.as_object() else { return (vec![], false) };
    let is_list = |value: &&Value| value.as_array().is_some_and(|items| items.iter().all(Value::is_object));
    let lists: Vec<(&String, &Value)> = report.iter().filter(|(_, value)| is_list(value)).collect();
    if lists.is_empty() {
        return (vec![("", report)], false);
    }
    let rows = lists.iter().flat_map(|(name, value)| {
        value.as_array().into_iter().flatten().filter_map(Value::as_object).map(move |item| (name.as_str(), item))
    });
    (rows.collect(), lists.len() > 1)
}

/// The text of a value: nothing for null, JSON for what has parts.
fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => harmless(text),
        Some(value) => value.to_string(),
    }
}

/// A text that no spreadsheet takes for a formula: a name or a title comes from others. A number may have a sign.
fn harmless(text: &str) -> String {
    let shown = visible::value(text);
    let is_number = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_digit() || b".: ".contains(&byte));
    match shown.chars().next() {
        Some('=' | '@') => format!("'{shown}"),
        Some('+' | '-') if !is_number(&shown[1..]) => format!("'{shown}"),
        _ => shown.into_owned(),
    }
}

/// The report with a header and the lines of RFC 4180, but for the ends of lines, which are those of Unix.
pub fn text(report: &Value) -> String {
    let (rows, has_name) = rows(report);
    let mut columns: Vec<&str> = vec![];
    for key in rows.iter().flat_map(|(_, row)| row.keys()) {
        if !columns.contains(&key.as_str()) {
            columns.push(key);
        }
    }
    let mut writer = csv::Writer::from_writer(vec![]);
    let first = |name: &str| has_name.then(|| name.to_owned());
    let mut write = |record: Vec<String>| {
        // Into memory, and records of one length: it cannot fail. A list of nothing has no columns.
        let _ = if record.is_empty() { Ok(()) } else { writer.write_record(record) };
    };
    write(first("list").into_iter().chain(columns.iter().map(|column| (*column).to_owned())).collect());
    for (name, row) in rows {
        write(first(name).into_iter().chain(columns.iter().map(|column| cell(row.get(*column)))).collect());
    }
    String::from_utf8_lossy(&writer.into_inner().unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::text;

    #[test]
    fn a_list_has_a_row_for_each_object() {
        let report =
            json!({ "runs": [{ "id": 1, "by": null }, { "id": 2, "by": "a, \"b\"", "more": [1] }], "more": false });
        assert_eq!(text(&report), "id,by,more\n1,,\n2,\"a, \"\"b\"\"\",[1]\n");
        assert_eq!(text(&json!([{ "a": true }])), "a\ntrue\n");
        assert_eq!(text(&json!({ "runs": [], "more": false })), "");
    }

    #[test]
    fn several_lists_are_named_and_one_object_is_one_row() {
        let report = json!({ "ok": true, "jobs": [{ "a": 1 }], "others": [{ "b": 2 }], "none": [] });
        assert_eq!(text(&report), "list,a,b\njobs,1,\nothers,,2\n");
        assert_eq!(text(&json!({ "id": 7, "at": { "x": 1 } })), "id,at\n7,\"{\"\"x\"\":1}\"\n");
    }

    #[test]
    fn no_cell_is_a_formula_or_moves_a_cursor() {
        let report = json!([{ "a": "=1+1", "b": "+12025550143", "c": "-x", "d": "@y", "e": "\u{1b}[2J", "f": -5 }]);
        assert_eq!(text(&report), "a,b,c,d,e,f\n'=1+1,+12025550143,'-x,'@y,\\u{1b}[2J,-5\n");
    }
}
