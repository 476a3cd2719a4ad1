//! The counts of a lane in a window of time: its runs by outcome, and its slots with no run or with two. It reads
//! neither the database nor the clock.

use std::collections::BTreeMap;

use crate::time_zone::Tz;
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::output::metrics::Figures;
use crate::run::{ALREADY_RUNNING, INTERRUPTED};
use crate::schedule::{Cadence, HOUR, Row};

/// The time by which a run may begin before its slot, because clocks differ a little.
pub const EARLY: TimeDelta = TimeDelta::seconds(30);
/// A lane that is started more often than this has starts that come a slot late where a machine is slow.
const OFTEN: TimeDelta = TimeDelta::minutes(5);
/// The number of slots with two starts from which two schedulers are suspected.
const DOUBLED: usize = 2;

/// The columns of a row of `cron_job_runs` that the health check reads.
#[derive(Clone, Debug)]
pub struct RunRecord {
    pub id: Uuid,
    pub status: String,
    pub source: String,
    pub started_at: DateTime<Utc>,
    pub completed_at: Option<DateTime<Utc>>,
    pub scheduled_for: Option<DateTime<Utc>>,
    pub duration_ms: Option<i64>,
    pub items_processed: i64,
    pub items_failed: i64,
    pub error_code: Option<String>,
    pub host: String,
}

impl RunRecord {
    /// Success, failure, running or skipped.
    pub fn outcome(&self) -> &'static str {
        match self.status.as_str() {
            "COMPLETED" => "success",
            "FAILED" => "failure",
            "RUNNING" => "running",
            _ => "skipped",
        }
    }

    /// The figures of a run that has ended and was not skipped. How many messages it staged is not in its row.
    pub fn figures(&self) -> Option<Figures> {
        let duration_ms = self.duration_ms.filter(|_| matches!(self.outcome(), "success" | "failure"))?;
        let [duration_ms, processed, failed] =
            [duration_ms, self.items_processed, self.items_failed].map(i64::unsigned_abs);
        Some(Figures { duration_ms, processed, failed, notifications: None })
    }

    fn is_interrupted(&self) -> bool {
        self.error_code.as_deref() == Some(INTERRUPTED)
    }
}

/// The instant of the verdict, and the beginning of the period of the counts.
#[derive(Clone, Copy)]
pub struct Window {
    pub zone: Tz,
    pub now: DateTime<Utc>,
    pub since: DateTime<Utc>,
}

/// The runs in a window.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub successful: usize,
    pub failed: usize,
    pub mean_ms: Option<i64>,
    /// The runs that were skipped, by reason.
    pub skipped: BTreeMap<String, usize>,
}

impl Stats {
    /// Counts the runs that began in the window. Interrupted runs are in no total.
    pub fn of(runs: &[RunRecord], window: Window) -> Self {
        let mut stats = Self::default();
        let mut sum = 0_i64;
        for run in runs.iter().filter(|run| run.started_at >= window.since) {
            match run.outcome() {
                "success" => {
                    stats.successful += 1;
                    sum = sum.saturating_add(run.duration_ms.unwrap_or(0));
                }
                "failure" if !run.is_interrupted() => stats.failed += 1,
                "skipped" => *stats.skipped.entry(run.error_code.clone().unwrap_or_default()).or_default() += 1,
                _ => {}
            }
        }
        stats.mean_ms = (stats.successful > 0).then(|| sum / stats.successful as i64);
        stats
    }

    pub fn total(&self) -> usize {
        self.successful + self.failed
    }

    /// The success rate, such as "99.7%"; None if nothing ran.
    pub fn success_rate(&self) -> Option<String> {
        let total = self.total();
        (total > 0).then(|| format!("{:.1}%", self.successful as f64 * 100.0 / total as f64))
    }
}

/// The slots in a window that have no run, or two.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Slots {
    /// The slots without a run, in order.
    pub missed: Vec<DateTime<Utc>>,
    /// The number of slots that schedulers started more than once and in which nothing failed.
    pub doubled: usize,
    /// The hosts of the runs in these slots.
    pub hosts: Vec<String>,
}

impl Slots {
    /// Finds the slots of the window. A slot is missed only if a run was expected and the time for it has passed.
    pub fn of(
        row: &Row,
        expected_from: DateTime<Utc>,
        runs: &[RunRecord],
        Window { zone, now, since }: Window,
    ) -> Self {
        let interval = row.cadence.interval();
        let over = now - if row.cadence.is_slow() { row.time_limit() + HOUR } else { interval };
        let slots = row.cadence.slots(zone, since.max(expected_from - interval), now);
        let expected = |slot: &DateTime<Utc>| (expected_from - EARLY..=over).contains(slot);
        let mut starts: BTreeMap<DateTime<Utc>, Vec<&RunRecord>> = BTreeMap::new();
        for run in runs {
            if let Some(slot) = slot_of(&row.cadence, &slots, run) {
                starts.entry(slot).or_default().push(run);
            }
        }
        if interval < OFTEN {
            give_back(&slots, &mut starts);
        }
        // A run counts at most until its deadline, because a dead run did not work until its takeover.
        let ended = |run: &RunRecord| run.completed_at.unwrap_or(now).min(run.started_at + row.time_limit() + EARLY);
        // The runs are in order, and one that began longer ago than the limit has ended.
        let at_work = |slot: &DateTime<Utc>| {
            let began = |at: DateTime<Utc>| runs.partition_point(|run| run.started_at <= at);
            runs[began(*slot - row.time_limit() - EARLY - EARLY)..began(*slot)].iter().any(|run| ended(run) >= *slot)
        };
        let mut found = Self::default();
        for (_, runs) in starts.iter().filter(|(_, runs)| is_doubled(runs)) {
            found.doubled += 1;
            found.hosts.extend(runs.iter().map(|run| run.host.clone()));
        }
        found.hosts.sort_unstable();
        found.hosts.dedup();
        let missed = |slot: &&DateTime<Utc>| expected(slot) && !starts.contains_key(slot) && !at_work(slot);
        found.missed = slots.iter().filter(missed).copied().collect();
        found
    }

    /// Whether two schedulers seem to start the job.
    pub fn seem_doubled(&self) -> bool {
        self.doubled >= DOUBLED
    }
}

/// Gives a start that came so late that it is in the next slot, where there is another one, back to its own.
fn give_back(slots: &[DateTime<Utc>], starts: &mut BTreeMap<DateTime<Utc>, Vec<&RunRecord>>) {
    for pair in slots.windows(2).rev() {
        let is_late = !starts.contains_key(&pair[0]) && starts.get(&pair[1]).is_some_and(|runs| runs.len() > 1);
        if let Some(late) = starts.get_mut(&pair[1]).filter(|_| is_late).map(|runs| runs.remove(0)) {
            starts.insert(pair[0], vec![late]);
        }
    }
}

/// The slot of a run: the one that it names, else the one in which it began.
fn slot_of(cadence: &Cadence, slots: &[DateTime<Utc>], run: &RunRecord) -> Option<DateTime<Utc>> {
    // Of a lane that is started each minute, half of it is no inaccuracy of a clock.
    let early = EARLY.min(cadence.interval() / 6);
    let at = run.scheduled_for.unwrap_or(run.started_at + early);
    let slot = *slots[..slots.partition_point(|slot| *slot <= at)].last()?;
    (at < slot + cadence.interval()).then_some(slot)
}

/// Whether schedulers started a slot twice; a retry after a failure and a backup that was not needed do not count.
fn is_doubled(runs: &[&RunRecord]) -> bool {
    let failed = runs.iter().any(|run| run.status == "FAILED");
    let counts = |run: &&&RunRecord| {
        run.source != "manual" && (run.status != "SKIPPED" || run.error_code.as_deref() == Some(ALREADY_RUNNING))
    };
    !failed && runs.iter().filter(counts).count() > 1
}

#[cfg(test)]
pub mod tests {
    use std::time::Duration;

    use chrono::Weekday;

    use super::*;
    use crate::schedule::{Zone, clock};

    /// The cadence of `mark-no-shows`, in New York.
    pub const BY_DAY: Row = Row {
        job: "by-day",
        lane: "",
        args: &[],
        secrets: &[],
        note: "",
        has_backup: false,
        cadence: Cadence::Every {
            minutes: 5,
            offset: 0,
            between: Some((clock(7, 0), clock(22, 55))),
            zone: Zone::Schedule,
        },
        deadline: Duration::from_secs(240),
    };
    pub const MONDAYS: Row = Row {
        job: "mondays",
        lane: "",
        args: &[],
        secrets: &[],
        note: "",
        has_backup: false,
        cadence: Cadence::Weekly { on: Weekday::Mon, at: clock(8, 0), zone: Zone::Fixed(Tz::UTC) },
        deadline: Duration::from_secs(1800),
    };

    pub fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    /// A run of one second by a scheduler.
    pub fn ran(status: &str, started: &str) -> RunRecord {
        RunRecord {
            id: Uuid::nil(),
            status: status.into(),
            source: "cron".into(),
            started_at: at(started),
            completed_at: (status != "RUNNING").then(|| at(started) + TimeDelta::seconds(1)),
            scheduled_for: None,
            duration_ms: (status != "RUNNING").then_some(1000),
            items_processed: 1,
            items_failed: 0,
            error_code: match status {
                "SKIPPED" => Some("ALREADY_RUNNING".into()),
                "FAILED" => Some("XX000".into()),
                _ => None,
            },
            host: "a".into(),
        }
    }

    /// 09:00 to 09:22 in New York.
    const WINDOW: (&str, &str) = ("2026-03-02T14:00:00Z", "2026-03-02T14:22:00Z");

    fn slots(runs: &[RunRecord]) -> Slots {
        let window = Window { zone: Tz::NEW_YORK, since: at(WINDOW.0), now: at(WINDOW.1) };
        Slots::of(&BY_DAY, at("2026-03-01T00:00:00Z"), runs, window)
    }

    fn missed(runs: &[RunRecord]) -> Vec<String> {
        slots(runs).missed.iter().map(|slot| slot.format("%H:%M").to_string()).collect()
    }

    #[test]
    fn a_slot_without_a_run_is_missed_once_it_is_over() {
        assert_eq!(missed(&[]), ["14:00", "14:05", "14:10", "14:15"], "14:20 may come yet");
        // An early run (by the difference of two clocks), a skipped one and a failed one: all of them count as runs.
        let runs = [
            ran("COMPLETED", "2026-03-02T13:59:30Z"),
            ran("SKIPPED", "2026-03-02T14:09:29Z"),
            ran("FAILED", "2026-03-02T14:09:31Z"),
        ];
        assert_eq!(missed(&runs), ["14:15"]);
        assert_eq!(missed(&runs[1..]), ["14:00", "14:15"]);
        // The slot that a run names counts, however late it came.
        let named =
            RunRecord { scheduled_for: Some(at("2026-03-02T14:05:00Z")), ..ran("COMPLETED", "2026-03-02T14:12:00Z") };
        assert_eq!(missed(&[named]), ["14:00", "14:10", "14:15"]);
    }

    #[test]
    fn a_run_at_work_covers_the_slots_that_it_sleeps_through() {
        let until = |at_text| Some(at(at_text));
        let long =
            RunRecord { completed_at: until("2026-03-02T14:05:00Z"), ..ran("COMPLETED", "2026-03-02T14:01:00Z") };
        assert_eq!(missed(std::slice::from_ref(&long)), ["14:10", "14:15"]);
        assert_eq!(missed(&[ran("RUNNING", "2026-03-02T14:11:00Z")]), ["14:00", "14:05"]);
        // A dead run covers the slots until its deadline, however late it is taken over.
        let dead = RunRecord { completed_at: until("2026-03-02T14:21:00Z"), ..ran("FAILED", "2026-03-02T14:01:00Z") };
        assert_eq!(missed(&[dead]), ["14:10", "14:15"]);
        assert_eq!(missed(&[ran("RUNNING", "2026-03-02T14:01:00Z")]), ["14:10", "14:15"]);
    }

    #[test]
    fn slots_before_the_first_run_are_not_expected() {
        let window = Window { zone: Tz::NEW_YORK, since: at(WINDOW.0), now: at(WINDOW.1) };
        let first = at("2026-03-02T14:10:20Z");
        assert_eq!(
            Slots::of(&BY_DAY, first, &[], window).missed,
            [at("2026-03-02T14:10:00Z"), at("2026-03-02T14:15:00Z")]
        );
        // A slow job's slot is over a deadline and an hour later.
        for (now, count) in [("2026-03-02T09:29:59Z", 0), ("2026-03-02T09:30:00Z", 1)] {
            let window = Window { zone: Tz::UTC, since: at("2026-03-01T00:00:00Z"), now: at(now) };
            assert_eq!(Slots::of(&MONDAYS, window.since, &[], window).missed.len(), count, "{now}");
        }
    }

    #[test]
    fn two_starts_by_schedulers_in_two_slots_are_suspicious() {
        let twice = |second: RunRecord| {
            let later = RunRecord { started_at: second.started_at + TimeDelta::minutes(5), ..second.clone() };
            let runs =
                [ran("COMPLETED", "2026-03-02T14:00:01Z"), second, ran("COMPLETED", "2026-03-02T14:05:01Z"), later];
            slots(&runs)
        };
        let other = RunRecord { host: "b".into(), ..ran("COMPLETED", "2026-03-02T14:00:02Z") };
        let found = twice(other.clone());
        assert!(found.seem_doubled());
        assert_eq!((found.doubled, found.hosts), (2, vec!["a".to_owned(), "b".to_owned()]));
        assert!(twice(ran("SKIPPED", "2026-03-02T14:00:02Z")).seem_doubled());
        // A person, a backup that was not needed, and a retry after a failure are no second scheduler.
        let lately = Some("SUCCEEDED_LATELY".into());
        let backup = RunRecord { error_code: lately, ..ran("SKIPPED", "2026-03-02T14:00:02Z") };
        let person = RunRecord { source: "manual".into(), ..other.clone() };
        for run in [backup, person, ran("FAILED", "2026-03-02T14:00:02Z")] {
            assert!(!twice(run.clone()).seem_doubled(), "{run:?}");
        }
        assert!(!slots(&[ran("COMPLETED", "2026-03-02T14:00:01Z"), other]).seem_doubled(), "once may be a restart");
    }

    #[test]
    fn a_lane_of_each_minute_misses_no_slot_while_a_run_is_at_work_nor_by_a_late_start() {
        let row = Row { cadence: Cadence::around_the_clock(1, 0), ..BY_DAY };
        let window = Window { zone: Tz::UTC, since: at("2026-03-02T14:00:00Z"), now: at("2026-03-02T14:08:30Z") };
        let found = |runs: &[RunRecord]| Slots::of(&row, at("2026-03-01T00:00:00Z"), runs, window);
        let start = |at: &str| ran("COMPLETED", &format!("2026-03-02T14:{at}Z"));
        let until = |run: RunRecord, end: &str| RunRecord { completed_at: Some(at(end)), ..run };
        // From 13:59:30, before the window, to 14:02:10, and then from 14:03 to 14:06:50.
        let before = until(ran("COMPLETED", "2026-03-02T13:59:30Z"), "2026-03-02T14:02:10Z");
        let long = until(start("03:01"), "2026-03-02T14:06:50Z");
        let missed: Vec<String> =
            found(&[before, long]).missed.iter().map(|slot| slot.format("%H:%M").to_string()).collect();
        assert_eq!(missed, ["14:07"]);
        // A start 55 s late is in the next slot, and no second scheduler.
        let late: Vec<RunRecord> =
            ["00:01", "01:55", "02:02", "03:55", "04:01", "05:05", "06:58", "07:01"].map(start).to_vec();
        let late = found(&late);
        assert_eq!((late.missed, late.doubled), (vec![], 0));
        let lost: Vec<RunRecord> = ["00:01", "01:01", "02:02", "04:01", "05:05", "06:01", "07:01"].map(start).to_vec();
        assert_eq!(found(&lost).missed, [at("2026-03-02T14:03:00Z")]);
        let twice: Vec<RunRecord> =
            (0..8).flat_map(|minute| [1, 2].map(|second| start(&format!("0{minute}:0{second}")))).collect();
        assert!(found(&twice).seem_doubled());
    }

    #[test]
    fn skipped_and_interrupted_runs_are_in_no_total() {
        let interrupted = RunRecord { error_code: Some("INTERRUPTED".into()), ..ran("FAILED", "2026-03-02T14:05:00Z") };
        let runs = [
            ran("COMPLETED", "2026-03-02T13:59:59Z"),
            ran("COMPLETED", "2026-03-02T14:00:00Z"),
            RunRecord { duration_ms: Some(3000), ..ran("COMPLETED", "2026-03-02T14:05:00Z") },
            interrupted,
            ran("FAILED", "2026-03-02T14:06:00Z"),
            ran("SKIPPED", "2026-03-02T14:07:00Z"),
            ran("RUNNING", "2026-03-02T14:08:00Z"),
        ];
        let window = Window { zone: Tz::NEW_YORK, since: at(WINDOW.0), now: at(WINDOW.1) };
        let stats = Stats::of(&runs, window);
        assert_eq!((stats.successful, stats.failed, stats.total(), stats.mean_ms), (2, 1, 3, Some(2000)));
        assert_eq!(stats.success_rate().as_deref(), Some("66.7%"));
        assert_eq!(stats.skipped, BTreeMap::from([("ALREADY_RUNNING".to_owned(), 1)]));
        assert_eq!(Stats::of(&[], window).success_rate(), None);
        assert_eq!(Stats::of(&runs[1..2], window).success_rate().as_deref(), Some("100.0%"));
    }
}
