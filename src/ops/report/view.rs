//! What a reader sees of the figures, on the page and in the terminal: sections of sentences, plots and tables.
//!
//! Rule: each plot has a table with the same figures, which is what a screen reader reads, and each bar says its number.

/// A section.
pub struct View {
    /// Its name in the page's address.
    pub id: &'static str,
    pub title: &'static str,
    pub sentences: Vec<String>,
    /// Which rows it counts, for who wants to check it.
    pub source: &'static str,
    /// How to read the plots.
    pub hint: String,
    /// Why there is nothing, if so.
    pub absent: Option<String>,
    pub tables: Vec<Table>,
    pub plots: Vec<Plot>,
}

#[derive(Clone, Default)]
pub struct Table {
    pub title: String,
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

pub struct Plot {
    pub title: String,
    /// What it shows, in a sentence.
    pub description: String,
    pub kind: Kind,
    /// The same figures.
    pub table: Table,
    /// Whether the terminal shows the table.
    pub in_text: bool,
}

pub enum Kind {
    Bars(Bars),
    Lines(Lines),
    Strip(Strip),
}

/// Horizontal bars, one below the other.
pub struct Bars {
    pub bars: Vec<Bar>,
    /// A value that all are compared with.
    pub limit: Option<f64>,
    /// What the parts of the bars are, and the mark of the period before: colour and words.
    pub legend: Vec<(Tone, String)>,
}

/// A bar. Its number is part of it.
pub struct Bar {
    pub label: String,
    pub value: f64,
    /// The part of it that is bad.
    pub bad: f64,
    /// The number, and of how many it is.
    pub number: String,
    /// The value in the period before.
    pub before: Option<f64>,
}

/// Lines over named points.
pub struct Lines {
    pub points: Vec<String>,
    pub series: Vec<Series>,
    /// How a value is written on the axis.
    pub value: fn(f64) -> String,
}

pub struct Series {
    pub name: String,
    pub tone: Tone,
    pub values: Vec<Option<f64>>,
}

/// The timeline of a lane: outcomes, durations, items.
pub struct Strip {
    /// The first, the middle and the last time, as the axis shows them.
    pub labels: [String; 3],
    /// Rows of cells, each with a name, a tone, the share of the fullest cell that each has, and the total.
    pub rows: Vec<(&'static str, Tone, Vec<f64>, String)>,
    /// The median and the greatest duration of each time, in milliseconds.
    pub durations: [Vec<Option<f64>>; 2],
    pub duration_max: String,
    pub items: Vec<f64>,
    pub items_total: String,
}

/// The colours of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Ink,
    Muted,
    Grid,
    Main,
    Light,
    Bad,
}

impl View {
    pub fn new(id: &'static str, title: &'static str, source: &'static str) -> Self {
        Self { id, title, source, sentences: vec![], hint: String::new(), absent: None, tables: vec![], plots: vec![] }
    }

    /// A section of which there is nothing to tell.
    pub fn absent(self, why: &str) -> Self {
        Self { absent: Some(why.to_owned()), ..self }
    }
}

impl Table {
    pub fn new(title: &str, columns: &[&str], rows: Vec<Vec<String>>) -> Self {
        let columns = columns.iter().map(|column| (*column).to_owned()).collect();
        Self { title: title.to_owned(), columns, rows }
    }

    /// With a column more where there is a period before.
    pub fn and_before(mut self, name: &str, values: Option<Vec<String>>) -> Self {
        if let Some(values) = values {
            self.columns.push(name.to_owned());
            self.rows.iter_mut().zip(values).for_each(|(row, value)| row.push(value));
        }
        self
    }
}

impl Bar {
    pub fn new(label: impl Into<String>, value: f64, number: impl Into<String>) -> Self {
        Self { label: label.into(), value, bad: 0.0, number: number.into(), before: None }
    }
}
