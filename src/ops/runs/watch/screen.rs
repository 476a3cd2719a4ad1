//! What is seen as a table on the terminal, drawn again in place.
//!
//! It is drawn on the alternate screen, as by `top`: at the end the terminal shows what it showed before.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::answer::Answer;
use super::look::{Look, Run};
use crate::output::table::{self, Style, kept, minor};
use crate::output::{colour, setting, span, visible};
use crate::time_zone::Tz;

/// To the alternate screen, without the cursor; and back.
const ENTER: &str = "\u{1b}[?1049h\u{1b}[?25l";
const LEAVE: &str = "\u{1b}[?25h\u{1b}[?1049l";
/// To the begin of the screen; the rest of a line; the rest of the screen.
const HOME: &str = "\u{1b}[H";
const CLEAR_LINE: &str = "\u{1b}[K";
const CLEAR: &str = "\u{1b}[J";
/// The columns and rows of a terminal that does not say them.
const SIZE: [usize; 2] = [80, 24];

pub struct Screen {
    target: String,
    interval: Duration,
    since: Duration,
    zone: Tz,
    look: Option<Look>,
    is_entered: bool,
}

impl Drop for Screen {
    fn drop(&mut self) {
        if self.is_entered {
            let mut stdout = io::stdout().lock();
            // A terminal that has gone away need not be put in order.
            let _ = stdout.write_all(LEAVE.as_bytes()).and_then(|()| stdout.flush());
        }
    }
}

impl Screen {
    pub fn new(target: &str, interval: Duration, since: Duration, zone: Tz) -> Self {
        let target = visible::value(target).into_owned();
        Self { target, interval, since, zone, look: None, is_entered: false }
    }

    pub fn show(&mut self, look: Option<Look>, answer: &Answer) -> io::Result<()> {
        self.look = look.or_else(|| self.look.take());
        let mut text = String::from(if self.is_entered { HOME } else { ENTER });
        self.is_entered = true;
        let lines = self.frame(answer, size(), colour());
        for (number, line) in lines.iter().enumerate() {
            let end = if number + 1 == lines.len() { "" } else { "\n" };
            let _ = write!(text, "{line}{CLEAR_LINE}{end}");
        }
        text += CLEAR;
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        stdout.flush()
    }

    /// The lines of the screen; none is wider than it, and they are no more than it has.
    fn frame(&self, answer: &Answer, [columns, rows]: [usize; 2], colour: bool) -> Vec<String> {
        let Some(look) = &self.look else { return vec![] };
        let at = |instant: DateTime<Utc>| instant.with_timezone(&self.zone).format("%F %H:%M:%S").to_string();
        let every = setting_of(self.interval);
        let zone = self.zone.abbreviation(look.now);
        let mut lines = vec![
            cut(&format!("{} {zone}  every {every}, Ctrl-C ends  {}", at(look.now), self.target), columns),
            cut(&state(answer), columns),
        ];
        if look.runs.is_empty() {
            lines.push(cut(&format!("Nothing runs, and nothing began within {}.", setting(self.since)), columns));
        }
        let mut shown = look.runs.len();
        while shown > 0 {
            let hidden = look.runs.len() - shown;
            let cells: Vec<_> = look.runs[..shown].iter().map(|run| cells(run, look.now, self.zone)).collect();
            let mut table = table(&cells, columns, colour);
            table.extend((hidden > 0).then(|| cut(&format!("{hidden} more: a higher terminal shows them"), columns)));
            if lines.len() + table.len() <= rows.max(1) || shown == 1 {
                lines.extend(table);
                break;
            }
            shown -= 1;
        }
        lines.truncate(rows.max(1));
        lines
    }
}

fn table(cells: &[Vec<String>], columns: usize, colour: bool) -> Vec<String> {
    let names = [
        kept("job"),
        kept("status"),
        "began".into(),
        kept("took"),
        "items".into(),
        "failed".into(),
        "code".into(),
        minor("heartbeat"),
        minor("id"),
    ];
    table::lines(&names, cells, Style { colour, width: Some(columns) }).lines
}

fn cells(run: &Run, now: DateTime<Utc>, zone: Tz) -> Vec<String> {
    let ended = |text: String| if run.is_running() { String::new() } else { text };
    vec![
        run.name.clone(),
        run.status.clone(),
        run.started_at.with_timezone(&zone).format("%H:%M:%S").to_string(),
        match run.duration_ms {
            Some(ms @ 0..10_000) => format!("{ms} ms"),
            Some(ms) => span(TimeDelta::milliseconds(ms)),
            None => span(now - run.started_at),
        },
        ended(run.items.to_string()),
        ended(run.failed.to_string()),
        run.error_code.clone().unwrap_or_default(),
        if run.is_running() { format!("{} ago", span(now - run.heartbeat_at)) } else { String::new() },
        run.id.to_string()[..8].to_owned(),
    ]
}

/// What is said of the connection.
fn state(answer: &Answer) -> String {
    match answer {
        Answer::Up => String::new(),
        Answer::Lost { since, error } => {
            format!("No answer for {}, trying again: {error}", setting(since.elapsed()))
        }
        Answer::Back(after) => format!("The database answers again, after {}.", setting_of(*after)),
    }
}

/// An interval, which may be below a second.
fn setting_of(interval: Duration) -> String {
    humantime::format_duration(interval).to_string()
}

/// A line of at most so many characters.
fn cut(line: &str, columns: usize) -> String {
    line.chars().take(columns).collect()
}

/// The columns and rows of the terminal now.
fn size() -> [usize; 2] {
    let size = rustix::termios::tcgetwinsize(io::stdout());
    let [columns, rows] = size.map_or([0, 0], |size| [size.ws_col.into(), size.ws_row.into()]);
    [if columns == 0 { SIZE[0] } else { columns }, if rows == 0 { SIZE[1] } else { rows }]
}

#[cfg(test)]
mod tests {
    use serde_json::Map;
    use uuid::Uuid;

    use super::*;
    use crate::error::{Error, ErrorKind};

    fn screen(runs: usize) -> Screen {
        let now: DateTime<Utc> = "2026-03-02T14:15:00Z".parse().expect("an instant");
        let run = |number: usize| Run {
            id: Uuid::from_u128(number as u128),
            name: "advance-billing-pending-payment".to_owned(),
            status: if number == 0 { "RUNNING" } else { "COMPLETED" }.to_owned(),
            started_at: now - TimeDelta::seconds(90),
            completed_at: (number > 0).then_some(now),
            heartbeat_at: now - TimeDelta::seconds(3),
            duration_ms: (number > 0).then_some(1234),
            items: 7,
            failed: 0,
            error_code: None,
            json: Map::new(),
        };
        let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3600));
        let mut screen = Screen::new("clinic at localhost:5432", second, hour, Tz::UTC);
        screen.look = Some(Look { now, runs: (0..runs).map(run).collect() });
        screen
    }

    #[test]
    fn it_fits_every_terminal_and_says_what_it_leaves_out() {
        for columns in [20, 40, 80, 200] {
            for rows in [3, 8, 24] {
                let lines = screen(50).frame(&Answer::Up, [columns, rows], false);
                assert!(lines.len() <= rows, "{columns} {rows}: {lines:?}");
                let wide = lines.iter().any(|line| line.chars().count() > columns);
                assert!(!wide || columns < 40, "{columns} {rows}: {lines:#?}");
            }
        }
        let text = screen(50).frame(&Answer::Up, [80, 24], false).join("\n");
        assert!(text.contains("RUNNING") && text.contains("1234 ms") && text.contains("90 s"), "{text}");
        assert!(text.contains("more: a higher terminal shows them"), "{text}");
        assert!(!screen(3).frame(&Answer::Up, [80, 24], false).join("\n").contains("more:"));
        assert!(screen(0).frame(&Answer::Up, [80, 24], false).join("\n").contains("nothing began within 1h"));
    }

    #[tokio::test]
    async fn a_lost_database_is_said_above_what_was_seen_last() {
        let error = Error::new("CONNECTION", ErrorKind::Transient, "no answer");
        let lost = Answer::Up.lost(error);
        let text = screen(1).frame(&lost, [80, 24], false).join("\n");
        assert!(text.contains("trying again: no answer [CONNECTION]") && text.contains("RUNNING"), "{text}");
        let back = lost.up();
        assert!(state(&back).starts_with("The database answers again, after "), "{}", state(&back));
        assert_eq!(state(&back.up()), "");
    }
}
