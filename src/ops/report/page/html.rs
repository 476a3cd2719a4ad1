//! Text and tables in HTML.

use super::super::view::Table;
use crate::output::visible;

/// A text as HTML shows it: no markup, and nothing that turns the direction of the text.
pub fn escaped(text: &str) -> String {
    let visible = visible::value(text);
    let mut out = String::with_capacity(visible.len());
    for letter in visible.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

/// A table: the first column names the row, and numbers are to the right.
pub fn table(of: &Table) -> String {
    let is_number: Vec<bool> = (0..of.columns.len()).map(|column| is_of_numbers(of, column)).collect();
    let class = |column: usize| match is_number.get(column) {
        Some(true) => " class=\"n\"",
        _ if is_short(of, column) => " class=\"s\"",
        _ => "",
    };
    let mut out = String::from("<table>\n");
    if !of.title.is_empty() {
        out.push_str(&format!("<caption>{}</caption>\n", escaped(&of.title)));
    }
    out.push_str("<thead><tr>");
    for (index, column) in of.columns.iter().enumerate() {
        out.push_str(&format!("<th scope=\"col\"{}>{}</th>", class(index), escaped(column)));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in &of.rows {
        out.push_str("<tr>");
        for (index, cell) in row.iter().enumerate() {
            match index {
                0 => out.push_str(&format!("<th scope=\"row\">{}</th>", escaped(cell))),
                _ => out.push_str(&format!("<td{}>{}</td>", class(index), escaped(cell))),
            }
        }
        out.push_str("</tr>\n");
    }
    out + "</tbody>\n</table>\n"
}

/// Whether no cell of a column is worth a second line.
fn is_short(of: &Table, column: usize) -> bool {
    of.rows.iter().filter_map(|row| row.get(column)).all(|cell| cell.chars().count() <= 24)
}

/// Whether a column has numbers, with or without a unit, and nothing else.
fn is_of_numbers(of: &Table, column: usize) -> bool {
    let cells = || of.rows.iter().filter_map(|row| row.get(column)).filter(|cell| !cell.is_empty());
    let is_number = |cell: &String| cell.starts_with(|letter: char| letter.is_ascii_digit() || letter == '-');
    // An error code may begin with a digit, and a date does.
    column > 0
        && cells().next().is_some()
        && cells().all(is_number)
        && !["code", "last", "week of", "day"].contains(&&*of.columns[column])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_is_markup() {
        let text = "<script>\"&'\u{202e}\u{7}";
        assert_eq!(escaped(text), "&lt;script&gt;&quot;&amp;&#39;\\u{202e}\\u{7}");
        let cells = vec![vec!["<b>".to_owned(), "1,000".to_owned(), "42P01".to_owned()]];
        let table = table(&Table::new("a & b", &["x", "n", "code"], cells));
        for part in [
            "<caption>a &amp; b</caption>",
            "<th scope=\"row\">&lt;b&gt;</th>",
            "<td class=\"n\">1,000</td>",
            "<td class=\"s\">42P01</td>",
        ] {
            assert!(table.contains(part), "{part}: {table}");
        }
    }
}
