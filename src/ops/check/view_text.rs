//! The text of a simple view, taken apart so that a corrected one can be printed.

use crate::db::identifier;

/// A view: its columns, and the text from FROM on.
pub struct ViewText {
    columns: Vec<ViewColumn>,
    rest: String,
}

struct ViewColumn {
    expression: String,
    name: String,
    /// The name as the server prints it: quoted where SQL needs it.
    shown: String,
}

impl ViewText {
    /// Takes a definition apart, as the server prints it. None if it is not simple: a list of columns of one FROM,
    /// without WITH, DISTINCT or a set operation.
    pub fn of(definition: &str) -> Option<Self> {
        let text = one_line(definition.trim().trim_end_matches(';'));
        let text = text.strip_prefix("SELECT ")?;
        let is_joined = |word: &str| matches!(word, "UNION" | "INTERSECT" | "EXCEPT");
        if text.starts_with("DISTINCT") || top_level(text).any(|(_, word)| is_joined(word)) {
            return None;
        }
        let mut before = "";
        let from = top_level(text).find_map(|(at, word)| {
            let is_from = word == "FROM" && before != "DISTINCT";
            before = word;
            is_from.then_some(at)
        })?;
        let (columns, rest) = text.split_at(from);
        let columns = items(columns).map(|item| {
            let alias = top_level(item).filter(|(_, word)| *word == "AS").last();
            let (expression, shown) = match alias {
                Some((at, _)) => (item[..at].trim(), item[at + 2..].trim()),
                None => (item, item.rsplit('.').next().unwrap_or(item)),
            };
            ViewColumn { expression: expression.to_owned(), name: unquoted(shown), shown: shown.to_owned() }
        });
        Some(Self { columns: columns.collect(), rest: rest.to_owned() })
    }

    /// The view with another expression for a column of ours, which may be new.
    pub fn with(mut self, column: &str, expression: String) -> Self {
        match self.columns.iter_mut().find(|known| known.name == column) {
            Some(known) => known.expression = expression,
            None => {
                let (name, shown) = (column.to_owned(), identifier(column));
                self.columns.push(ViewColumn { expression, name, shown });
            }
        }
        self
    }

    pub fn expression(&self, column: &str) -> Option<&str> {
        self.columns.iter().find(|known| known.name == column).map(|known| known.expression.as_str())
    }

    /// The SELECT, in one line.
    pub fn select(&self) -> String {
        let columns = self.columns.iter().map(|ViewColumn { expression, shown, .. }| {
            let is_plain = expression.rsplit('.').next() == Some(shown);
            if is_plain { expression.clone() } else { format!("{expression} AS {shown}") }
        });
        format!("SELECT {} {}", columns.collect::<Vec<_>>().join(", "), self.rest)
    }
}

fn unquoted(name: &str) -> String {
    match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
        Some(name) => name.replace("\"\"", "\""),
        None => name.to_owned(),
    }
}

/// A text with single spaces, except in quotation marks.
pub fn one_line(text: &str) -> String {
    let (mut out, mut quote) = (String::with_capacity(text.len()), None);
    for c in text.chars() {
        match quote {
            Some(open) if open == c => quote = None,
            None if c == '\'' || c == '"' => quote = Some(c),
            _ => {}
        }
        if quote.is_some() || !c.is_whitespace() {
            out.push(c);
        } else if !out.ends_with(' ') && !out.is_empty() {
            out.push(' ');
        }
    }
    out
}

/// The words of a text that stand neither in parentheses nor in quotation marks, and where they begin.
fn top_level(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut words = vec![];
    let mut start = None;
    for (at, c) in outside(text) {
        let is_word = c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        match (start, is_word) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                words.push((from, &text[from..at]));
                start = None;
            }
            _ => {}
        }
    }
    words.extend(start.map(|from| (from, &text[from..])));
    words.into_iter()
}

/// The items of a list with commas.
pub fn items(text: &str) -> impl Iterator<Item = &str> {
    let mut items = vec![];
    let mut from = 0;
    for (at, c) in outside(text) {
        if c == Some(',') {
            items.push(text[from..at].trim());
            from = at + 1;
        }
    }
    items.push(text[from..].trim());
    items.into_iter()
}

/// The characters of a text, None for those in parentheses and in quotation marks.
fn outside(text: &str) -> impl Iterator<Item = (usize, Option<char>)> + '_ {
    let (mut depth, mut quote) = (0_u32, None);
    text.char_indices().map(move |(at, c)| {
        let was_outside = depth == 0 && quote.is_none();
        match (quote, c) {
            (Some(open), _) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(' | '[') => depth += 1,
            (None, ')' | ']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        (at, Some(c).filter(|_| was_outside && depth == 0 && quote.is_none()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIEW: &str = " SELECT v.id,\n    v.\"siteId\" AS facility_id,\n        CASE\n            \
                        WHEN v.a IS DISTINCT FROM v.b THEN ', FROM x'::text\n            \
                        ELSE concat(v.a, ' as ')\n        END AS status,\n    \
                        v.\"order\",\n    v.late AS \"end\"\n   FROM app.visits v\n  WHERE v.id > 0;";

    #[test]
    fn a_simple_view_is_taken_apart_and_put_together() {
        let view = ViewText::of(VIEW).expect("it is simple");
        let names: Vec<&str> = view.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["id", "facility_id", "status", "order", "end"]);
        assert_eq!(view.expression("facility_id"), Some("v.\"siteId\""));
        let select = view.with("id", "(v.id)::text".into()).with("late", "NULL::date".into()).select();
        assert_eq!(
            select,
            "SELECT (v.id)::text AS id, v.\"siteId\" AS facility_id, CASE WHEN v.a IS DISTINCT FROM v.b THEN \
             ', FROM x'::text ELSE concat(v.a, ' as ') END AS status, \
             v.\"order\", v.late AS \"end\", NULL::date AS late FROM app.visits v \
             WHERE v.id > 0"
        );
    }

    #[test]
    fn what_is_not_simple_is_left_alone() {
        for text in
            [" SELECT DISTINCT a FROM t", " WITH x AS (SELECT 1) SELECT a FROM x", "SELECT a FROM t UNION SELECT 1"]
        {
            assert!(ViewText::of(text).is_none(), "{text}");
        }
    }
}
