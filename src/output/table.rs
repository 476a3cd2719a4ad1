//! Tables for a person: a header, numbers aligned to the right, and colours for certain words.

use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Table};

/// The style of a table.
#[derive(Clone, Copy)]
pub struct Style {
    pub colour: bool,
    /// Whether the table is at most as wide as the terminal, so that longer cells are broken.
    pub fit: bool,
}

/// The width of the terminal, if stdout is one.
pub fn width() -> Option<usize> {
    Table::new().width().map(usize::from)
}

/// A word in its colour.
pub fn painted(word: &str, colour: bool) -> String {
    let code = match colour_of(word) {
        Some(Color::Green) if colour => "32",
        Some(Color::Yellow) if colour => "33",
        Some(Color::Red) if colour => "31",
        _ => return word.to_owned(),
    };
    format!("\u{1b}[{code}m{word}\u{1b}[0m")
}

/// The lines of a table.
pub fn lines(names: &[&str], rows: &[Vec<String>], style: Style) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(UTF8_BORDERS_ONLY.with_rounded_corners());
    if let (true, Some(width)) = (style.fit, table.width()) {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    match style.colour {
        true => table.enforce_styling(),
        false => table.force_no_tty(),
    };
    table.set_header(names.iter().map(|name| Cell::new(name).add_attribute(Attribute::Bold)));
    for row in rows {
        table.add_row(row.iter().map(|text| cell(text)));
    }
    for column in table.column_iter_mut() {
        let index = column.index;
        column.set_padding((1, u16::from(index + 1 == names.len())));
        if index == 0 {
            // The first column is never broken, because a person copies it.
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
        let numbers = rows.iter().all(|row| is_number(&row[index]));
        column.set_cell_alignment(if numbers { CellAlignment::Right } else { CellAlignment::Left });
    }
    table.lines().collect()
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The colour of a text's first word.
fn colour_of(text: &str) -> Option<Color> {
    match text.split([' ', ':', ',']).next() {
        Some("yes" | "RESOLVED" | "COMPLETED" | "healthy" | "ok") => Some(Color::Green),
        Some("RAISED" | "closed" | "degraded" | "RUNNING" | "ACTIVE" | "warning") => Some(Color::Yellow),
        Some("FAILED" | "P0001" | "UNHEALTHY" | "FAILURE") => Some(Color::Red),
        _ => None,
    }
}

/// A cell in the colour of its first word.
fn cell(text: &str) -> Cell {
    match colour_of(text) {
        Some(colour) => Cell::new(text).fg(colour),
        None => Cell::new(text),
    }
}
