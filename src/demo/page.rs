//! The output of the demo: headings, lines, tables; in colour on a terminal, as plain text elsewhere.

use std::io::{self, Write};

use crate::db::Row;
use crate::output;
use crate::output::folded;
use crate::output::table::{self, Style};
use crate::output::words::wrapped;

/// What stands before each line of a table.
const INDENT: &str = "  ";
/// The number of rows that are shown of a longer table.
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
        Self { colour: output::colour() }
    }

    /// Returns the text with the codes of the look, where colour is on.
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
        writeln!(io::stdout().lock(), "{}", folded(text.as_ref().trim_end()))
    }

    /// Writes a line that a person copies: it is never broken.
    pub fn copied(&self, text: impl AsRef<str>) -> io::Result<()> {
        writeln!(io::stdout().lock(), "{}", text.as_ref())
    }

    /// Writes a text below two blanks, in lines of whole words that fit, each with its look.
    pub fn text(&self, look: impl Fn(&str) -> String, text: &str) -> io::Result<()> {
        let width = table::width().map_or(WIDTH, |width| width.min(WIDTH));
        for line in wrapped(&format!("{INDENT}{text}"), Some(width), "").lines() {
            self.line(format!("{INDENT}{}", look(line.trim_start())))?;
        }
        Ok(())
    }

    pub fn heading(&self, text: &str) -> io::Result<()> {
        let width = table::width().map_or(WIDTH, |width| width.min(WIDTH));
        let rule = "━".repeat(width.saturating_sub(text.chars().count() + 4));
        self.line(format!("\n{}", self.paint(Look::Bold, &format!("━━ {text} {rule}"))))
    }

    /// Writes the rows of a query, whose columns must be texts: the first ten, or all.
    pub fn table(&self, rows: &[Row], all: bool) -> io::Result<()> {
        let Some(first) = rows.first() else { return Ok(()) };
        let names: Vec<&str> = first.names().collect();
        let shown = if all { rows.len() } else { rows.len().min(ROWS_SHOWN) };
        let text = |row: &Row, index| row.get::<_, Option<&str>>(index).unwrap_or("").to_owned();
        let cells: Vec<_> =
            rows[..shown].iter().map(|row| (0..names.len()).map(|index| text(row, index)).collect()).collect();
        self.cells(&names, &cells)?;
        if shown < rows.len() {
            self.line(format!("  ... and {} more", rows.len() - shown))?;
        }
        Ok(())
    }

    /// Writes a table.
    pub fn cells(&self, names: &[&str], cells: &[Vec<String>]) -> io::Result<()> {
        let width = table::width().map(|width| width.saturating_sub(INDENT.len()));
        let table = table::lines(names, cells, Style { colour: self.colour, width });
        for line in &table.lines {
            self.line(format!("{INDENT}{line}"))?;
        }
        if let Some(note) = table.note("a wider terminal has them") {
            self.line(format!("{INDENT}{note}"))?;
        }
        Ok(())
    }
}
