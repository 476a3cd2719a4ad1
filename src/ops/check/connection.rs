//! The connection: the server, who we are on it, TLS, the clocks, a pooler in between.

use std::time::SystemTime;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;
use tokio_postgres::Transaction;

use super::finding::{Findings, Remedy, Topic};
use crate::db::{Row, statements};
use crate::error::Error;

statements! {
    WHO() = include_str!("who.sql");
}

/// The difference of the clocks above which log lines and files of the two machines no longer fit together.
const CLOCKS_APART_MAX: TimeDelta = TimeDelta::seconds(5);
/// The age of the server's side of a new connection from which somebody else must have opened it.
const POOLED_AGE: TimeDelta = TimeDelta::seconds(1);

/// Looks at the connection. `opened` is when it was asked for. Returns the role's name, quoted for SQL.
pub async fn look(
    tx: &Transaction<'_>,
    target: &str,
    opened: Instant,
    findings: &mut Findings,
) -> Result<String, Error> {
    let began = Instant::now();
    let row = WHO.one(tx, &[]).await?;
    let took = began.elapsed();
    // The server read its clock between the question and its answer.
    let middle = machine_clock() - TimeDelta::from_std(took / 2).unwrap_or_default();
    let server: DateTime<Utc> = row.get("now");
    let (role, version): (&str, &str) = (row.get("role"), row.get("version"));
    // Behind the number is who packed it.
    let version = version.split(' ').next().unwrap_or(version);

    let mut section = findings.section(None, Topic::Connection);
    section.ok(format!("{target}, PostgreSQL {version}{}", between(&row, target, opened)));
    if row.get("is_standby") {
        section.fail("the server is a standby, on which nothing can be written", Remedy::advice("name the primary"));
    }
    tls(&row, findings);
    who(&row, findings);
    clocks(server - middle, findings);
    Ok(role.to_owned())
}

/// What is between us and the server, as far as it shows: a pooler opened the server's side before we asked for a
/// connection, or listens on a port that is not the server's.
fn between(row: &Row, target: &str, opened: Instant) -> &'static str {
    let since = TimeDelta::from_std(opened.elapsed()).unwrap_or_default();
    let age = row.get::<_, DateTime<Utc>>("now") - row.get::<_, DateTime<Utc>>("backend_start");
    let port = target.rsplit(':').next().and_then(|port| port.parse::<i32>().ok());
    let other_port = port.is_some_and(|port| port != row.get::<_, i32>("port"));
    match () {
        () if age > since + POOLED_AGE => ", through a pooler (only `rounds migrate` needs a direct connection)",
        () if other_port => ", through a pooler or a forwarded port",
        () => "",
    }
}

fn tls(row: &Row, findings: &mut Findings) {
    let mut section = findings.section(None, Topic::Tls);
    match row.get::<_, Option<&str>>("tls") {
        Some(version) => section.ok(format!("on, {version}")),
        None if row.get("is_near") => section.ok("off; the server is on this machine"),
        None => {
            let advice = "add sslmode=verify-full to DATABASE_URL, and PGSSLROOTCERT where the authority is your own";
            section.warn("off: what is read and the password can be seen in the network", Remedy::advice(advice));
        }
    }
}

fn who(row: &Row, findings: &mut Findings) {
    let role: &str = row.get("role");
    let mut section = findings.section(None, Topic::Role);
    if row.get("is_superuser") {
        let what = format!("{role} is a superuser: no privilege can be missing, and no mistake is stopped");
        section.warn(
            what,
            Remedy::advice("give the jobs a role of their own; `rounds grants --role NAME` prints what it needs"),
        );
    } else {
        section.ok(format!("{role}, no superuser"));
    }
}

fn clocks(apart: TimeDelta, findings: &mut Findings) {
    let mut section = findings.section(None, Topic::Clocks);
    let seconds = apart.num_milliseconds() as f64 / 1000.0;
    if apart.abs() <= CLOCKS_APART_MAX {
        return section.ok(format!("the database's and this machine's are {:.1} s apart", seconds.abs()));
    }
    let (which, seconds) = (if seconds > 0.0 { "ahead of" } else { "behind" }, seconds.abs());
    let what = format!(
        "the database's is {seconds:.1} s {which} this machine's; the database's decides what is due, this machine's \
         starts the jobs"
    );
    section.warn(what, Remedy::advice("keep both by NTP (timedatectl, chronyc tracking)"));
}

/// This machine's clock, which is compared and decides nothing.
#[allow(clippy::disallowed_methods, reason = "it is compared with the database's")]
fn machine_clock() -> DateTime<Utc> {
    SystemTime::now().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::finding::Level;

    #[test]
    fn clocks_may_be_five_seconds_apart() {
        for (milliseconds, level) in [(0, Level::Ok), (5000, Level::Ok), (-5000, Level::Ok), (5001, Level::Warning)] {
            let mut findings = Findings::default();
            clocks(TimeDelta::milliseconds(milliseconds), &mut findings);
            assert_eq!(findings.count(level), 1, "{milliseconds}");
        }
        let mut findings = Findings::default();
        clocks(TimeDelta::seconds(-60), &mut findings);
        assert!(findings.text(&[], 200, false).contains("60.0 s behind this machine's"));
    }
}
