//! `rounds demo try`: what to do with the server that `rounds demo --keep` left, to be copied.

use anyhow::anyhow;

use super::page::{Look, Page};
use super::{clinic, scratch};

/// Groups of commands, each with what it shows.
const GROUPS: [(&str, &[(&str, &str)]); 6] = [
    (
        "Why?",
        &[
            ("rounds mark-no-shows --explain 1003", "a slot that was free in time for somebody else"),
            ("rounds stage-alerts --explain 1016", "a patient who waited too long"),
            ("rounds escalate-sla --explain 303", "a complaint that is not overdue yet"),
            ("rounds advance-billing --stage paid --explain 501", "a case that waits a day for its next step"),
        ],
    ),
    (
        "What would a run do now?",
        &[
            ("rounds mark-no-shows --dry-run --list", "an exact report, and nothing is changed"),
            ("rounds check mark-no-shows", "is everything there that the job needs"),
        ],
    ),
    (
        "What happened?",
        &[
            ("rounds runs list --limit 10", "each run is a row"),
            ("rounds runs show latest", "the last one, with its report"),
            ("rounds no-show stats", "by facility, doctor and weekday"),
            ("rounds alerts list --all", "who waited for what"),
            ("rounds notifications list --limit 10", "what was staged, and what became of it"),
        ],
    ),
    (
        "A person decides",
        &[
            (
                "rounds no-show undo 1001 --actor 7 --reason 'sat in the wrong room'",
                "the visit is what it was, and unsent messages expire",
            ),
            ("rounds pause mark-no-shows --actor 253 --reason 'a test'", "no run works until somebody resumes it"),
            ("rounds mark-no-shows", "skipped: paused"),
            ("rounds resume mark-no-shows --actor 253", "it goes on"),
        ],
    ),
    (
        "Another day comes",
        &[
            ("rounds mark-no-shows --as-of 2026-03-03T09:15:00-05:00", "what is due by then is marked"),
            ("rounds advance-billing --stage paid --as-of 2026-03-03T19:00:00-05:00", "a day later case 501 moves on"),
        ],
    ),
    ("For the director", &[("rounds report --html demo.html", "a page for a browser")]),
];

/// Prints the page for the server that was kept.
pub fn print(page: &Page, server: &str) -> anyhow::Result<()> {
    let url = scratch::kept(server).map(|dir| clinic::url_in(&dir));
    let url = url.ok_or_else(|| anyhow!("no server is kept here: `rounds demo --keep` leaves one"))?;
    page.line(page.paint(Look::Bold, "The clinic of the demo is yours"))?;
    page.text(str::to_owned, "First the address, and the evening of the demo as the time. Then any of the others; some need the chapter that \
         they are about, so `rounds demo --keep` plays all.")?;
    page.line("")?;
    for (name, value) in
        [("DATABASE_URL", url.as_str()), ("ROUNDS_AS_OF", "2026-03-02T18:30:00-05:00"), ("ROUNDS_ALLOW_AS_OF", "1")]
    {
        page.copied(format!("export {name}='{value}'"))?;
    }
    for (title, commands) in GROUPS {
        page.heading(title)?;
        for (command, shows) in commands {
            page.line(page.paint(Look::Dim, &format!("# {shows}")))?;
            page.line(page.paint(Look::Bold, command))?;
        }
    }
    page.heading("In SQL")?;
    page.line(page.paint(Look::Dim, "# the tables are in the schema rounds"))?;
    page.line(page.paint(Look::Bold, "psql \"$DATABASE_URL\""))?;
    page.line("")?;
    page.text(str::to_owned, "The next `rounds demo` removes this server.")?;
    Ok(())
}
