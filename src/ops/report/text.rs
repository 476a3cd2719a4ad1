//! A report in the terminal: the first sentences, and the tables of each section.

use super::Report;
use super::view::{Table, View};
use crate::command::listing;
use crate::output::table::{Column, kept, minor};
use crate::output::{folded, local_stamp};

pub fn write(report: &Report, views: &[View]) -> String {
    let period = &report.period.period;
    let at = local_stamp(period.until, period.zone);
    let mut text = folded(&format!("{} (as of {at})\n\n", period.title()));
    for sentence in &report.sentences {
        text.push_str(&folded(&format!("  {sentence}\n")));
    }
    for view in views {
        text.push_str(&format!("\n{}\n", view.title));
        if let Some(why) = &view.absent {
            text.push_str(&folded(&format!("  {why}\n")));
            continue;
        }
        for sentence in &view.sentences {
            text.push_str(&folded(&format!("  {sentence}\n")));
        }
        view.tables.iter().for_each(|table| text.push_str(&written(&table.title, table)));
        for plot in view.plots.iter().filter(|plot| plot.in_text) {
            text.push_str(&written(&plot.title, &plot.table));
        }
    }
    text
}

/// A table with its title. The columns in the middle of a wide one are left out first.
fn written(title: &str, table: &Table) -> String {
    let column = |(index, name)| -> Column<'_> {
        match index {
            0..=5 => kept(name),
            6..=7 => name.into(),
            _ => minor(name),
        }
    };
    let columns: Vec<Column<'_>> = table.columns.iter().map(String::as_str).enumerate().map(column).collect();
    format!("{title}\n{}", listing(&columns, &table.rows, "Nothing."))
}
