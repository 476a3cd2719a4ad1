//! How the demo looks: headings, lines, tables; colour on a terminal, plain text elsewhere.

use std::io::{self, IsTerminal, Write};

use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{Attribute, Cell, CellAlignment, Color, Table};
use tokio_postgres::Row;

/// Longer tables end with a line that says how much longer.
const ROWS_SHOWN: usize = 10;
const WIDTH: usize = 104;

/// The look of a piece of text.
#[derive(Clone, Copy)]
pub enum Look {
    Bold,
    Dim,
    Green,
    Cyan,
}

/// Standard output.
pub struct Page {
    colour: bool,
}

impl Page {
    pub fn new() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { colour: wanted && io::stdout().is_terminal() }
    }

    /// The text as it is to be shown.
    pub fn paint(&self, look: Look, text: &str) -> String {
        let code = match look {
            Look::Bold => "1",
            Look::Dim => "2",
            Look::Green => "32",
            Look::Cyan => "36",
        };
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub fn line(&self, text: impl AsRef<str>) -> io::Result<()> {
        writeln!(io::stdout().lock(), "{}", text.as_ref().trim_end())
    }

    pub fn heading(&self, text: &str) -> io::Result<()> {
        let rule = "━".repeat(WIDTH.saturating_sub(text.chars().count() + 4));
        self.line(format!("\n{}", self.paint(Look::Bold, &format!("━━ {text} {rule}"))))
    }

    /// The rows of a query whose columns are texts, under their names; the first ten, or all.
    pub fn table(&self, rows: &[Row], all: bool) -> io::Result<()> {
        let Some(first) = rows.first() else { return Ok(()) };
        let mut table = Table::new();
        table.load_style(UTF8_BORDERS_ONLY.with_rounded_corners()).force_no_tty();
        if self.colour {
            table.enforce_styling();
        }
        table.set_header(first.columns().iter().map(|column| Cell::new(column.name()).add_attribute(Attribute::Bold)));
        let shown = if all { rows.len() } else { rows.len().min(ROWS_SHOWN) };
        for row in &rows[..shown] {
            table.add_row((0..row.len()).map(|index| cell(row.get::<_, Option<&str>>(index).unwrap_or(""))));
        }
        for column in table.column_iter_mut() {
            let index = column.index;
            column.set_padding((1, u16::from(index + 1 == first.len())));
            let numbers = rows.iter().all(|row| row.get::<_, Option<&str>>(index).is_none_or(is_number));
            column.set_cell_alignment(if numbers { CellAlignment::Right } else { CellAlignment::Left });
        }
        for line in table.lines() {
            self.line(format!("  {line}"))?;
        }
        if shown < rows.len() {
            self.line(format!("  ... and {} more", rows.len() - shown))?;
        }
        Ok(())
    }
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A cell in the colour of its first word.
fn cell(text: &str) -> Cell {
    let colour = match text.split([' ', ':', ',']).next() {
        Some("yes" | "RESOLVED" | "COMPLETED") => Some(Color::Green),
        Some("RAISED" | "closed") => Some(Color::Yellow),
        Some("FAILED" | "P0001") => Some(Color::Red),
        _ => None,
    };
    match colour {
        Some(colour) => Cell::new(text).fg(colour),
        None => Cell::new(text),
    }
}
