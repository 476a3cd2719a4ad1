//! The default schedule, and files with mistakes.

use super::*;

fn read(text: &str) -> Result<Schedule, String> {
    file::read(text, Source::File("s.toml".into()), Some(&DEFAULT_SCHEDULE)).map_err(|error| error.message)
}

#[test]
fn names_are_unique_and_a_deadline_is_shorter_than_the_interval_but_of_a_job_of_each_minute() {
    for (index, row) in DEFAULT_SCHEDULE.rows.iter().enumerate() {
        let before = &DEFAULT_SCHEDULE.rows[..index];
        assert!(before.iter().all(|other| other.name() != row.name()), "{} is there twice", row.name());
        let interval = row.cadence.interval().to_std().expect("positive");
        let often = Duration::from_secs(5 * 60);
        assert!(row.deadline < interval.max(often), "{}: a run may still be at work when the next begins", row.name());
        assert!(has_job(row.job), "{}", row.job);
        assert_eq!(row.cadence.clock_change(Tz::NEW_YORK), None, "{}", row.name());
    }
    assert!(!has_job("mark-no-show") && !has_job("ark-no-shows") && !has_job("paid") && !has_job(""));
}

#[test]
fn what_a_file_does_not_say_is_as_in_the_default_schedule() {
    let text = r#"zone = "Asia/Kolkata"
[[job]]
name = "prune"
cadence = "30 1 1 * *"

[[job]]
name = "sync-practiceq"
lane = "incremental"
cadence = "every 20 minutes"
hours = "08:10-18:10"
note = "By day."
"#;
    let schedule = read(text).expect("a schedule");
    assert_eq!(schedule.zone.map(Tz::name), Some("Asia/Kolkata"));
    let [prune, sync] = &schedule.rows[..] else { panic!("two") };
    assert_eq!((prune.name().as_str(), prune.deadline), ("prune", Duration::from_secs(1800)));
    assert_eq!(prune.cadence.to_string(), "30 1 1 * *, the schedule zone");
    assert_eq!((sync.args, sync.secrets, sync.note), (&["--incremental"][..], &["practiceq-key"][..], "By day."));
    assert_eq!(sync.cadence.to_string(), "every 20 minutes, 08:10-18:10, the schedule zone");
    assert_eq!(schedule.refuse(1, "x").message, "s.toml:7: x");
}

const HEAD: &str = "zone = \"America/New_York\"\n[[job]]\nname = \"prune\"\n";

#[test]
fn each_mistake_is_told_with_its_line() {
    let prune = "cadence = \"daily 04:30\"\n";
    for (rest, line, why) in [
        ("cadence = \"daily 04:30\"\n[[job]]\nname = \"tidy\"\ncadence = \"daily 04:30\"\n", 6, "no job `tidy`"),
        ("cadence = \"daily 04:30\"\nwhen = \"now\"\n", 5, "unknown field `when`"),
        (&format!("{prune}[[job]]\nname = \"prune\"\n{prune}"), 6, "prune is in line 3 already"),
        ("cadence = \"every 15 minutes\"\ndeadline = \"15m\"\n", 5, "not shorter than"),
        ("cadence = \"every 15 minutes\"\n", 4, "not shorter than"),
        ("cadence = \"every minute\"\ndeadline = \"5m\"\n", 5, "not shorter than"),
        ("cadence = \"0 8 1 * 1\"\n", 4, "a day of the month and a day of the week"),
        ("cadence = \"daily 02:30\"\n", 4, "skip or repeat 02:30 (on 2026-03-08)"),
        ("cadence = \"*/10 0-6 * * *\"\ndeadline = \"5m\"\n", 4, "skip or repeat 02:00"),
        ("cadence = \"daily 04:30\"\ndeadline = \"soon\"\n", 5, "`soon` is no duration"),
        ("cadence = \"daily 04:30\"\ndeadline = \"1500ms\"\n", 5, "whole seconds"),
        ("cadence = \"daily 04:30\"\nargs = [\"--keep\", \"$HOME\"]\n", 5, "`$HOME` has a character"),
        ("cadence = \"daily 04:30\"\nargs = [\"--keep 4d\"]\n", 5, "`--keep 4d` has a character"),
        ("cadence = \"daily 04:30\"\nsecrets = [\"password\"]\n", 5, "no secret `password`"),
        ("cadence = \"daily 04:30\"\nlane = \"A b\"\n", 5, "no part of a unit's name"),
        ("cadence = \"daily 04:30\"\nnote = \"a\\nb\"\n", 5, "a note is one line"),
        ("cadence = \"daily 04:30\"\nbackup = true\n", 5, "at least hourly"),
        ("cadence = \"daily 04:30\"\ncadence = \"daily 04:30\"\n", 5, "duplicate key"),
        ("cadence = 5\n", 4, "invalid type"),
        ("deadline = \"5m\"\n", 2, "missing field `cadence`"),
        ("cadence = \"daily 04:30\n", 4, "invalid"),
    ] {
        let refused = read(&format!("{HEAD}{rest}")).err().unwrap_or_else(|| panic!("{rest} is taken"));
        assert!(refused.starts_with(&format!("s.toml:{line}: ")) && refused.contains(why), "{rest}: {refused}");
    }
}

#[test]
fn a_file_that_says_nothing_or_no_zone_is_refused() {
    assert!(read("").expect_err_text().contains("s.toml:1: it has no job"));
    assert!(read("zone = \"UTC\"\n# later\n").expect_err_text().contains("s.toml:1: it has no job"));
    let no_zone = read("[[job]]\nname = \"prune\"\ncadence = \"daily 04:30\"\n").expect_err_text();
    assert!(no_zone.starts_with("s.toml:1: it says no zone"), "{no_zone}");
    let nowhere = read("\nzone = \"Mars\"\n[[job]]\nname = \"prune\"\ncadence = \"daily 04:30\"\n").expect_err_text();
    assert!(nowhere.starts_with("s.toml:2: `Mars` is no IANA time zone"), "{nowhere}");
    let both = format!("{HEAD}cadence = \"hourly\"\ndeadline = \"soon\"\n");
    assert_eq!(read(&both).expect_err_text().matches("s.toml:").count(), 2, "all mistakes are told at once");
    assert!(read(&"#\n".repeat(40_000)).expect_err_text().contains("larger than 64 KiB"));
}

#[test]
fn a_job_of_each_minute_may_take_longer_than_a_minute() {
    for deadline in ["30s", "4m", "299s"] {
        let text = format!("{HEAD}cadence = \"every minute\"\ndeadline = \"{deadline}\"\n");
        let schedule = read(&text).expect("it is taken");
        assert_eq!(schedule.rows[0].cadence.to_string(), "every minute");
    }
    let lanes: Vec<&str> = rows("deliver-notifications").map(|row| row.secrets[0]).collect();
    assert_eq!(lanes, ["twilio-token", "smtp-password", "webhook-endpoints"]);
}

trait Refused {
    fn expect_err_text(self) -> String;
}

impl Refused for Result<Schedule, String> {
    fn expect_err_text(self) -> String {
        self.err().unwrap_or_else(|| panic!("it is taken"))
    }
}

#[test]
fn restarts_end_with_the_day_and_before_the_clocks_change() {
    let restarts = |text: &str| {
        let cadence = words::cadence(text, None, None).expect("a cadence");
        cadence.restarts(Tz::NEW_YORK, HOURLY_RESTARTS).iter().map(Cadence::to_string).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(restarts("Mon 08:00, UTC"), "Mon 09:00, UTC; Mon 10:00, UTC; Mon 11:00, UTC; Mon 12:00, UTC");
    assert_eq!(restarts("Mon 21:15, UTC"), "Mon 22:15, UTC; Mon 23:15, UTC");
    assert_eq!(restarts("daily 00:30"), "", "01:30 comes twice");
    assert_eq!(restarts("Wed 00:30").matches(';').count(), 3, "the clocks change on Sundays");
    assert_eq!(restarts("0 5 1 * *, UTC").matches(';').count(), 3);
    assert_eq!(restarts("0 5,6 1 * *, UTC"), "");
    assert_eq!(restarts("every 120 minutes"), "");
}
