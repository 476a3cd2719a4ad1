//! Tables for a person: a header, numbers aligned to the right, and colours for certain words.
//!
//! Rule: a table that is wider than the terminal leaves out columns, the least important first, and says which; a word
//! is never broken. Text of several words is wrapped, but not into a column narrower than [`TEXT_MIN`].

use std::io::IsTerminal;

use super::visible;
use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table};

use super::words::{self, counted};

/// The width down to which a text of several words is wrapped.
const TEXT_MIN: usize = 20;

/// How soon a column is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// After all that is kept. So is the first column, which a person copies.
    Kept,
    Normal,
    /// Before all others.
    Minor,
}

/// A column of a table: its name, and how soon it is left out. Of equals the last is left out first.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    name: &'a str,
    rank: Rank,
}

impl<'a> From<&'a str> for Column<'a> {
    fn from(name: &'a str) -> Self {
        Self { name, rank: Rank::Normal }
    }
}

/// A column that is left out before all others.
pub fn minor(name: &str) -> Column<'_> {
    Column { name, rank: Rank::Minor }
}

/// A column that is left out after all others.
pub fn kept(name: &str) -> Column<'_> {
    Column { name, rank: Rank::Kept }
}

/// The style of a table.
#[derive(Clone, Copy)]
pub struct Style {
    pub colour: bool,
    /// The width that there is; None if there is no limit.
    pub width: Option<usize>,
}

/// The lines of a table, and the names of the columns that it leaves out.
pub struct Lines {
    pub lines: Vec<String>,
    pub left_out: Vec<String>,
}

impl Lines {
    /// What is said of the columns that are left out, with the way to see them.
    pub fn note(&self, way: &str) -> Option<String> {
        // A column without a name repeats another one as a picture.
        let named: Vec<&str> = self.left_out.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
        let columns = counted(named.len(), "column");
        (!named.is_empty()).then(|| format!("{columns} left out: {}; {way}", named.join(", ")))
    }
}

/// The width of the terminal, if stdout is one; a terminal that does not know its own has that of COLUMNS.
pub fn width() -> Option<usize> {
    width_of(std::io::stdout().is_terminal(), &Table::new())
}

/// The same of stderr.
pub fn stderr_width() -> Option<usize> {
    let mut table = Table::new();
    table.use_stderr();
    width_of(std::io::stderr().is_terminal(), &table)
}

fn width_of(is_terminal: bool, table: &Table) -> Option<usize> {
    let told = || std::env::var("COLUMNS").ok()?.parse().ok();
    let own = || table.width().map(usize::from).filter(|width| *width > 0);
    is_terminal.then(|| own().or_else(told).filter(|width| *width > 0)).flatten()
}

/// The sentence in lines that fit the terminal on stdout; unchanged where stdout is none.
pub fn folded(text: &str) -> String {
    words::wrapped(text, width(), "")
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

/// The lines of a table. What a terminal would act upon in a cell is written as text.
pub fn lines<'a, C: Into<Column<'a>> + Copy>(columns: &[C], rows: &[Vec<String>], style: Style) -> Lines {
    let columns: Vec<Column<'_>> = columns.iter().map(|column| (*column).into()).collect();
    let rows: &[Vec<String>] =
        &rows.iter().map(|row| row.iter().map(|cell| visible::value(cell).into_owned()).collect()).collect::<Vec<_>>();
    let sizes: Vec<Size> = (0..columns.len()).map(|index| Size::of(columns[index].name, rows, index)).collect();
    let widths = match style.width {
        Some(width) => fit(&columns, &sizes, width),
        None => sizes.iter().map(|size| Some(size.natural)).collect(),
    };
    let shown: Vec<(usize, usize)> =
        widths.iter().enumerate().filter_map(|(index, width)| Some((index, (*width)?))).collect();
    let mut table = Table::new();
    table.load_style(UTF8_BORDERS_ONLY.with_rounded_corners());
    table.set_content_arrangement(ContentArrangement::Disabled);
    match style.colour {
        true => table.enforce_styling(),
        false => table.force_no_tty(),
    };
    table.set_header(shown.iter().map(|(index, _)| Cell::new(columns[*index].name).add_attribute(Attribute::Bold)));
    for row in rows {
        table.add_row(shown.iter().map(|(index, width)| cell(&wrapped(&row[*index], *width))));
    }
    for column in table.column_iter_mut() {
        let (index, is_last) = (shown[column.index].0, column.index + 1 == shown.len());
        column.set_padding((1, u16::from(is_last)));
        let numbers = rows.iter().all(|row| is_number(&row[index]));
        column.set_cell_alignment(if numbers { CellAlignment::Right } else { CellAlignment::Left });
    }
    let left_out = columns.iter().zip(&widths).filter(|(_, width)| width.is_none());
    Lines { lines: table.lines().collect(), left_out: left_out.map(|(column, _)| column.name.to_owned()).collect() }
}

/// The widths of a column: with no line wrapped, and the least.
#[derive(Clone, Copy, Debug)]
struct Size {
    natural: usize,
    least: usize,
}

impl Size {
    fn of(name: &str, rows: &[Vec<String>], index: usize) -> Self {
        let texts = || rows.iter().map(|row| row[index].as_str());
        let widest = |widths: &mut dyn Iterator<Item = usize>| widths.max().unwrap_or(0);
        let natural = widest(&mut texts().flat_map(str::lines).map(measure)).max(measure(name));
        let word = widest(&mut texts().flat_map(str::split_whitespace).map(measure)).max(measure(name));
        Self { natural, least: word.max(natural.min(TEXT_MIN)) }
    }
}

fn measure(text: &str) -> usize {
    text.chars().count()
}

/// The width of each column, or None of one that is left out, so that a table is at most that wide.
fn fit(columns: &[Column<'_>], sizes: &[Size], width: usize) -> Vec<Option<usize>> {
    // The borders, two blanks between columns, one before the first and one after the last.
    let overhead = |count: usize| 2 * count + 2;
    let mut kept: Vec<usize> = (0..columns.len()).collect();
    let needed = |kept: &[usize]| kept.iter().map(|index| sizes[*index].least).sum::<usize>() + overhead(kept.len());
    while kept.len() > 1 && needed(&kept) > width {
        let least_important = kept[1..].iter().max_by_key(|index| (columns[**index].rank, **index)).copied();
        kept.retain(|index| Some(*index) != least_important);
    }
    let mut spare = width.saturating_sub(needed(&kept));
    let mut widths = vec![None; columns.len()];
    for index in kept {
        let more = spare.min(sizes[index].natural - sizes[index].least);
        spare -= more;
        widths[index] = Some(sizes[index].least + more);
    }
    widths
}

/// The text in lines of at most that width, each of whole words.
fn wrapped(text: &str, width: usize) -> String {
    let mut out: Vec<String> = vec![];
    for line in text.lines() {
        if measure(line) <= width {
            out.push(line.to_owned());
            continue;
        }
        let mut current = String::new();
        for word in line.split_whitespace() {
            if !current.is_empty() && measure(&current) + 1 + measure(word) > width {
                out.push(std::mem::take(&mut current));
            }
            if !current.is_empty() {
                current.push(' ');
            }
            current.push_str(word);
        }
        out.push(current);
    }
    out.join("\n")
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

#[cfg(test)]
mod tests {
    use super::*;

    fn table(columns: &[Column<'_>], row: &[&str], width: Option<usize>) -> Lines {
        lines(columns, &[row.iter().map(|text| (*text).to_owned()).collect()], Style { colour: false, width })
    }

    #[test]
    fn a_narrow_terminal_leaves_out_columns_and_breaks_no_word() {
        let columns = ["id".into(), "why".into(), minor("ms"), "by".into(), kept("code")];
        let why = "no success for fourteen minutes of working hours";
        let row = ["15fd2e0f", why, "12345", "user 12", "NO_SUCCESS_FOR_LONG"];
        let all = table(&columns, &row, None);
        assert!(all.left_out.is_empty() && all.note("").is_none());
        assert!(all.lines.iter().any(|line| line.contains(why)), "not a terminal: nothing is wrapped");
        let natural = measure(&all.lines[0]);
        assert_eq!(table(&columns, &row, Some(natural)).lines, all.lines);
        for width in 30..=natural {
            let Lines { lines, left_out } = table(&columns, &row, Some(width));
            let text = lines.join("\n");
            assert!(lines.iter().all(|line| measure(line) <= width) || left_out.len() == 4, "{width}:\n{text}");
            assert!(text.contains("15fd2e0f"), "the first column stays:\n{text}");
            for word in why.split(' ').filter(|_| !left_out.contains(&"why".to_owned())) {
                assert!(text.contains(word), "{width}: {word}\n{text}");
            }
        }
        assert_eq!(table(&columns, &row, Some(70)).left_out, ["ms"], "wrapped, and the minor column is left out");
        let narrow = table(&columns, &row, Some(40));
        assert_eq!(narrow.left_out, ["why", "ms", "by"], "what is kept goes last");
        assert_eq!(narrow.note("w").as_deref(), Some("3 columns left out: why, ms, by; w"));
        assert_eq!(table(&columns, &row, Some(5)).left_out.len(), 4, "one column stays, whatever the width");
        let bar = table(&["day".into(), "".into()], &["Mon", "████████"], Some(8));
        assert_eq!((bar.left_out.len(), bar.note("w")), (1, None), "nobody misses a column without a name");
    }
}
