//! `rounds practiceq report`: how many syncs succeed, what they find, and how long they take.

use chrono::NaiveDate;
use clap::Args;
use serde_json::{Value, json};

use crate::clients::practiceq::ACCOUNT_ZONE;
use crate::command::{CommandContext, Output, listing};
use crate::db::{Row, statements};
use crate::error::Error;

statements! {
    SUCCESS(TIMESTAMPTZ) = include_str!("success.sql");
    DISCOVERED(TIMESTAMPTZ) = format!(include_str!("discovered.sql"), zone = ACCOUNT_ZONE);
    DURATIONS(TIMESTAMPTZ) = include_str!("durations.sql");
}

/// The length of the longest bar, in cells.
const BAR: usize = 40;

/// The success rate of 7 days, appointments discovered a day, and durations by type over 30 days
#[derive(Args)]
pub struct ReportArgs {
    /// Draw bars
    #[arg(long)]
    bars: bool,
}

struct Found {
    success: Row,
    discovered: Vec<(NaiveDate, i64)>,
    durations: Vec<Row>,
}

impl ReportArgs {
    pub async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let found = context
            .read(async |tx, now| {
                let discovered = DISCOVERED.all(tx, &[&now]).await?;
                Ok(Found {
                    success: SUCCESS.one(tx, &[&now]).await?,
                    discovered: discovered.iter().map(|row| (row.get("day"), row.get("appointments"))).collect(),
                    durations: DURATIONS.all(tx, &[&now]).await?,
                })
            })
            .await?;
        Ok(Output::done(found.json(), if self.bars { found.bars() } else { found.tables() }))
    }
}

impl Found {
    fn counts(&self) -> [i64; 4] {
        ["runs", "completed", "partial_success", "failed"].map(|column| self.success.get(column))
    }

    /// The share of completed runs among those that are over; None where there was none.
    fn rate(&self) -> Option<f64> {
        let [runs, completed, ..] = self.counts();
        (runs > 0).then(|| completed as f64 / runs as f64)
    }

    fn json(&self) -> Value {
        let [runs, completed, partial_success, failed] = self.counts();
        let durations = self.durations.iter().map(|row| {
            json!({
                "sync_type": row.get::<_, &str>("sync_type"),
                "runs": row.get::<_, i64>("runs"),
                "average_ms": row.get::<_, f64>("average_ms").round(),
                "min_ms": row.get::<_, i64>("min_ms"),
                "max_ms": row.get::<_, i64>("max_ms"),
            })
        });
        let discovered =
            self.discovered.iter().map(|(day, appointments)| json!({ "day": day, "appointments": appointments }));
        json!({
            "success_rate_7_days": {
                "runs": runs,
                "completed": completed,
                "partial_success": partial_success,
                "failed": failed,
                "success_rate": self.rate(),
            },
            "discovered": discovered.collect::<Vec<_>>(),
            "durations_30_days": durations.collect::<Vec<_>>(),
        })
    }

    fn headline(&self) -> String {
        let [runs, completed, partial, failed] = self.counts();
        match self.rate() {
            Some(rate) => format!(
                "7 days: {:.1} % of {runs} syncs completed \
                 ({completed} completed, {partial} partly, {failed} failed)\n",
                rate * 100.0
            ),
            None => "7 days: no sync ran\n".to_owned(),
        }
    }

    fn tables(&self) -> String {
        let days: Vec<_> = self.discovered.iter().map(|(day, new)| vec![day.to_string(), new.to_string()]).collect();
        let rows: Vec<_> = self.durations.iter().map(Duration::of).map(|row| row.cells()).collect();
        format!(
            "{}\n{}\n{}",
            self.headline(),
            listing(&["day", "appointments discovered"], &days, "No sync ran in the last 30 days."),
            listing(&["sync", "runs", "average", "shortest", "longest"], &rows, "No sync ended in the last 30 days.")
        )
    }

    fn bars(&self) -> String {
        let days: Vec<_> =
            self.discovered.iter().map(|(day, new)| (day.to_string(), *new as f64, new.to_string())).collect();
        let durations: Vec<_> = self
            .durations
            .iter()
            .map(Duration::of)
            .map(|row| {
                (
                    row.sync_type.clone(),
                    row.average_ms,
                    format!("{} ({} to {})", row.average(), seconds(row.min_ms), seconds(row.max_ms)),
                )
            })
            .collect();
        format!(
            "{}\nAppointments discovered a day\n{}\nAverage duration (shortest to longest)\n{}",
            self.headline(),
            bars(&days),
            bars(&durations)
        )
    }
}

struct Duration {
    sync_type: String,
    runs: i64,
    average_ms: f64,
    min_ms: f64,
    max_ms: f64,
}

impl Duration {
    fn of(row: &Row) -> Self {
        let whole = |column| row.get::<_, i64>(column) as f64;
        Self {
            sync_type: row.get("sync_type"),
            runs: row.get("runs"),
            average_ms: row.get("average_ms"),
            min_ms: whole("min_ms"),
            max_ms: whole("max_ms"),
        }
    }

    fn average(&self) -> String {
        seconds(self.average_ms)
    }

    fn cells(self) -> Vec<String> {
        let average = self.average();
        vec![self.sync_type, self.runs.to_string(), average, seconds(self.min_ms), seconds(self.max_ms)]
    }
}

fn seconds(milliseconds: f64) -> String {
    format!("{:.1} s", milliseconds / 1000.0)
}

/// A line for each: its name, a bar in proportion to its number, its text.
fn bars(lines: &[(String, f64, String)]) -> String {
    if lines.is_empty() {
        return "  none\n".to_owned();
    }
    let most = lines.iter().map(|line| line.1).fold(0.0, f64::max);
    let width = lines.iter().map(|line| line.0.len()).max().unwrap_or(0);
    let line = |(name, number, text): &(String, f64, String)| {
        format!("  {name:width$}  {:BAR$}  {text}\n", bar(number / most))
    };
    lines.iter().map(line).collect()
}

/// A bar for a share of the longest, exact to an eighth of a cell.
fn bar(share: f64) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = if share.is_finite() { (share * BAR as f64 * 8.0).round() as usize } else { 0 };
    "█".repeat(eighths / 8) + PARTS[eighths % 8]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_share() {
        assert_eq!(bar(1.0).chars().count(), BAR);
        assert_eq!(bar(0.5), "█".repeat(20));
        assert_eq!(bar(1.0 / 320.0), "▏");
        assert_eq!((bar(0.0), bar(f64::NAN)), (String::new(), String::new()));
    }

    #[test]
    fn bars_stand_under_each_other() {
        let lines = [("a".to_owned(), 2.0, "2".to_owned()), ("long".to_owned(), 1.0, "1".to_owned())];
        let text = bars(&lines);
        let column = |line: &str| line.chars().position(|c| c.is_ascii_digit());
        let columns: Vec<_> = text.lines().map(column).collect();
        assert_eq!(columns, [Some(2 + 4 + 2 + BAR + 2), Some(2 + 4 + 2 + BAR + 2)], "{text}");
    }
}
