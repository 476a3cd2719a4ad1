//! A crontab. Debian's cron ignores CRON_TZ: it goes by the clock of the machine alone.
//!
//! A line in the machine's own zone says its times as they are: none is skipped or repeated by its clocks. A line in
//! another zone begins each hour, so that cron treats no clock change as special, and asks `date` whether it is the
//! time there: it follows the clock changes of both zones.

use std::collections::BTreeSet;

use crate::time_zone::Tz;
use chrono::{Duration, NaiveDate, Offset, TimeZone};

use super::needs::role;
use super::plan::{MARK, OWN, Plan, comments, lines, secret_variable};
use crate::schedule::{Fields, ScheduledStart, Set};

pub const FILE: &str = "rounds.crontab";

pub fn file(plan: &Plan) -> String {
    let mut text = format!(
        "{MARK}\n\
         # For a machine whose clock is in {machine}. Install it with `crontab -u rounds {FILE}`, for a user who\n\
         # may read the secrets below.\n\
         # - CRON_TZ is not used: Debian's cron ignores it. A line in another zone begins each hour, and asks date\n\
         #   for the time there. So it is right before and after the clocks change, there and here.\n\
         # - A line in {machine} is at no time that its clocks skip in spring or repeat in autumn.\n\
         # - A run that succeeds says nothing, and cron mails nothing. A run that fails is mailed in full.\n\
         # - health is mailed every five minutes while a job is not on time.\n\
         SHELL=/bin/sh\n\
         PATH=/usr/local/bin:/usr/bin:/bin\n\
         ROUNDS_SOURCE=cron\n\
         ROUNDS_PARTIAL_OK=true\n\
         ROUNDS_SCHEDULE_ZONE={zone}\n",
        machine = plan.machine,
        zone = plan.zone
    );
    if !plan.schedule.is_default() {
        text.push_str(&format!("ROUNDS_SCHEDULE={OWN}\n"));
    }
    for start in plan.own_starts() {
        text.push_str(&format!("\n# {}: {}\n", start.name, start.cadences[0]));
        comments(start).iter().for_each(|comment| text.push_str(&format!("# {comment}\n")));
        for line in lines(start) {
            let (times, guard) = on_this_clock(line, start, plan);
            text.push_str(&format!("{times}  {guard}{}\n", command(start)));
        }
    }
    text
}

/// Runs it, and says what it said only if it failed. A percent sign would end the command.
fn command(start: &ScheduledStart) -> String {
    let secrets = start.secrets.iter().map(|secret| format!("{}=/etc/rounds/{secret} ", secret_variable(secret)));
    format!(
        "out=$(DATABASE_URL_FILE=/etc/rounds/database-url.d/{} {}rounds {} 2>&1) || printf '\\%s\\n' \"$out\"",
        role(start),
        secrets.collect::<String>(),
        start.command.join(" ")
    )
}

/// The five fields on the machine's clock, and the question to the other clock.
fn on_this_clock(line: Fields, start: &ScheduledStart, plan: &Plan) -> (Fields, String) {
    let zone = start.cadences[0].tz(plan.zone);
    if zone == plan.machine {
        return (line, String::new());
    }
    // The two clocks differ by whole hours, and some by a half or a quarter.
    let apart = |minute: u32| {
        let (here, there) = (residues(plan.machine), residues(zone));
        let all = here.into_iter().flat_map(move |here| there.clone().into_iter().map(move |there| 60 + here - there));
        all.map(move |apart| (minute + apart) % 60)
    };
    let minutes = line.minutes.of(line.minutes.values().flat_map(apart));
    let times = Fields { minutes, ..Fields::ALL };
    if line.hours.is_all() && line.is_every_day() && minutes.values().count() == line.minutes.values().count() {
        return (times, String::new());
    }
    let weekdays = alternatives(line.weekdays, 1, |day| if day == 0 { 7 } else { day });
    let [minutes, hours, days, months] =
        [line.minutes, line.hours, line.days, line.months].map(|set| alternatives(set, 2, |value| value));
    let asked = format!("TZ={zone} date '+\\%M \\%H \\%d \\%m \\%u'");
    (times, format!("{asked} | grep -qxE '{minutes} {hours} {days} {months} {weekdays}' || exit 0; "))
}

/// The values of a field as a pattern of so many digits.
fn alternatives(set: Set, digits: usize, shown: impl Fn(u32) -> u32) -> String {
    if set.is_all() {
        return ".".repeat(digits);
    }
    let values: Vec<String> = set.values().map(|value| format!("{:0digits$}", shown(value))).collect();
    format!("({})", values.join("|"))
}

/// The minutes by which the clocks of a zone are beyond whole hours of UTC, in ten years.
fn residues(zone: Tz) -> BTreeSet<u32> {
    let first = NaiveDate::from_ymd_opt(2026, 1, 1).unwrap_or_default().and_hms_opt(12, 0, 0).unwrap_or_default();
    let days = (0..520).map(|week| first + Duration::days(7 * week));
    let offsets = days.map(|day| zone.offset_from_utc_datetime(&day).fix().local_minus_utc());
    offsets.map(|seconds| seconds.rem_euclid(3600) as u32 / 60).collect()
}
