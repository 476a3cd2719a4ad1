//! The verdict on a lane, from its rows in the run table. It reads neither the database nor the clock.
//!
//! Rule: a lane that is started at least hourly is healthy if and only if its last success began less than two of its
//! intervals plus its deadline ago, where only working hours count, or now is outside of them. A slower one, or one with
//! fewer than four slots a day, is healthy if and only if it succeeded at or after its last slot that is a deadline and
//! an hour old. Before its first success a lane is judged as if it had succeeded at the instant from which it is expected
//! to run. A lane that its brake has stopped since its last success is not healthy, whatever the time is; nor is one that
//! tells people in a restored backup; nor one of messages that are not delivered (`delivery`). One that a person has paused is healthy, whatever it did, and is judged after the
//! pause as if it had succeeded at its end. What lies in the future counts for nothing, and degrades the lane, so that a
//! person looks at the clock.

use std::collections::BTreeMap;

use crate::time_zone::Tz;
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::delivery::{self, Delivery, Weight};
use super::stats::{EARLY, RunRecord, Window};
use super::stopped::Stop;
use crate::output::{counted, local_stamp, span, stamp};
use crate::run::{PAUSED, RESTORED};
use crate::schedule::{HOUR, Row};

/// The code of a lane that its brake has stopped. It is sick at once, because nothing goes on by itself.
const BRAKED: &str = "BRAKED";
/// The code of a lane with runs in the future. It is no sickness: they are ignored, and the others are judged as always.
const CLOCK: &str = "CLOCK";

/// The facts of a lane beyond its latest runs.
#[derive(Clone, Debug)]
pub struct Lane {
    pub expected_from: DateTime<Utc>,
    pub last_success: Option<RunRecord>,
    pub failed_at: Option<DateTime<Utc>>,
    /// Code and redacted message of the last failure.
    pub last_error: Option<(String, String)>,
    pub failures: i64,
    /// Whether the brake has stopped one of them, so that the lane waits for a person.
    pub is_braked: bool,
    /// A run that lies in the future, because the clock was put back since.
    pub in_future: Option<Uuid>,
    /// What a person has paused, or has to say the word for.
    pub stop: Stop,
    /// The messages of its channel, if it delivers some.
    pub delivery: Option<Delivery>,
    /// The current run.
    pub running: Option<Running>,
    /// The numbers of items that were refused and wait, by code.
    pub refused: BTreeMap<String, i64>,
}

#[derive(Clone, Debug)]
pub struct Running {
    pub id: Uuid,
    pub started_at: DateTime<Utc>,
    pub deadline_at: DateTime<Utc>,
    pub host: String,
}

impl Lane {
    /// The number of items that were refused and wait.
    pub fn items_refused(&self) -> i64 {
        self.refused.values().sum()
    }

    /// The code with which its last run has stopped the channel, if it did.
    pub fn stopped_channel(&self) -> Option<&'static str> {
        let (code, _) = self.last_error.as_ref().filter(|_| self.delivery.is_some() && self.is_failing())?;
        delivery::STOPPED.into_iter().find(|stopped| stopped == code)
    }

    /// Whether the last failure is newer than the last success, and nobody has paused the lane.
    pub fn is_failing(&self) -> bool {
        self.stop.paused.is_none()
            && self.failed_at > self.last_success.as_ref().and_then(|success| success.completed_at)
    }
}

#[derive(Debug, PartialEq, Eq)]
pub struct Verdict {
    pub healthy: bool,
    pub degraded: bool,
    /// The findings beside the time of the last success.
    pub codes: Vec<&'static str>,
    pub working_hours: bool,
    /// All of it, as JSON has it.
    pub message: String,
    /// What stops the lane until a person's word, by its code, for a person to read.
    pub stopped: Option<(&'static str, String)>,
    /// The rest of the message.
    pub rest: String,
}

impl Verdict {
    /// The reason in a table; only the code of what stops the lane, where that is told below.
    pub fn why(&self, is_told_below: bool) -> String {
        let stopped = self.stopped.as_ref().map(|(code, why)| match is_told_below {
            true => format!("[{code}]"),
            false => format!("{why} [{code}]"),
        });
        let rest = (!self.rest.is_empty()).then(|| self.rest.clone());
        stopped.into_iter().chain(rest).collect::<Vec<_>>().join("; ")
    }
}

/// The verdict on a lane, with its reason.
pub fn judge(row: &Row, lane: &Lane, Window { zone, now, .. }: Window) -> Verdict {
    let working_hours = row.cadence.is_working(zone, now);
    if let Some(pause) = &lane.stop.paused {
        let message = format!("{} [{PAUSED}]", pause.describe(stamp));
        let stopped = Some((PAUSED, pause.describe(|at| local_stamp(at, zone))));
        let (codes, rest) = (vec![PAUSED], String::new());
        return Verdict { healthy: true, degraded: false, codes, working_hours, message, stopped, rest };
    }
    let (on_time, message) = match row.cadence.is_slow() {
        true => judge_slow(row, lane, zone, now),
        false if !working_hours => (true, format!("outside working hours ({})", row.cadence)),
        false => judge_frequent(row, lane, zone, now),
    };
    let findings = lane.delivery.as_ref().map_or(vec![], |delivery| delivery.findings(now));
    let has = |weight| findings.iter().any(|(other, ..)| *other == weight);
    let is_delivering = lane.stopped_channel().is_none() && !has(Weight::Sick);
    let healthy = on_time && !lane.is_braked && lane.stop.restored.is_none() && is_delivering;
    let mut codes = vec![];
    let mut message = message;
    if lane.is_braked {
        codes.push(BRAKED);
        message = format!("stopped by its brake, and waits for a person's word [{BRAKED}]; {message}");
    }
    let stopped = lane.stop.restored.clone().map(|restored| (RESTORED, restored));
    codes.extend(stopped.as_ref().map(|(code, _)| *code));
    let items_failed = lane.last_success.as_ref().map_or(0, |success| success.items_failed);
    let is_degraded = items_failed > 0 || !lane.refused.is_empty() || lane.in_future.is_some() || has(Weight::Degraded);
    let degraded = healthy && is_degraded;
    if healthy && items_failed > 0 {
        message.push_str(&format!("; {} failed in it", counted(items_failed, "item")));
    }
    if !lane.refused.is_empty() {
        let codes: Vec<String> = lane.refused.iter().map(|(code, items)| format!("{code}: {items}")).collect();
        let verb = if lane.items_refused() == 1 { "waits" } else { "wait" };
        let items = counted(lane.items_refused(), "refused item");
        message.push_str(&format!("; {items} {verb} ({})", codes.join(", ")));
    }
    if let Some(code) = lane.stopped_channel() {
        codes.push(code);
    }
    for (_, code, what) in &findings {
        codes.push(code);
        message.push_str(&format!("; {what} [{code}]"));
    }
    message.push_str(&failures_in_a_row(lane));
    if let (false, Some((code, error))) = (healthy, &lane.last_error)
        && lane.is_failing()
    {
        message.push_str(&format!("; last error: {error} [{code}]"));
    }
    if let Some(run) = lane.in_future {
        codes.push(CLOCK);
        message.push_str(&format!(
            "; run {run} lies in the future, so the database's clock was put back; such a run counts neither as alive \
             nor as recent [{CLOCK}]"
        ));
    }
    let rest = message;
    let message = match &stopped {
        Some((code, why)) => format!("{why} [{code}]; {rest}"),
        None => rest.clone(),
    };
    Verdict { healthy, degraded, codes, working_hours, message, stopped, rest }
}

/// What a lane that is healthy still may hide: how often it has failed since its last success. It changes no verdict.
fn failures_in_a_row(lane: &Lane) -> String {
    let code = lane.last_error.as_ref().map(|(code, _)| format!(": {code}")).unwrap_or_default();
    match lane.failures {
        ..1 => String::new(),
        1 => format!("; the last run failed{code}"),
        failures => format!("; the last {failures} runs failed{code}"),
    }
}

fn judge_frequent(row: &Row, lane: &Lane, zone: Tz, now: DateTime<Utc>) -> (bool, String) {
    let limit = row.cadence.interval() * 2 + row.time_limit();
    let since = lane.last_success.as_ref().map_or(lane.expected_from, |success| success.started_at);
    let age = row.cadence.working_time(zone, lane.stop.expected_from(since), now);
    let healthy = age < limit;
    let message = match (&lane.last_success, healthy) {
        (Some(_), true) => format!("last success {} ago", span(now - since)),
        (Some(_), false) => format!("no success for {} of working hours (limit {})", span(age), span(limit)),
        (None, true) => format!("no success yet; expected for {}", span(age)),
        (None, false) => {
            format!("never succeeded; expected for {} of working hours (limit {})", span(age), span(limit))
        }
    };
    (healthy, message)
}

fn judge_slow(row: &Row, lane: &Lane, zone: Tz, now: DateTime<Utc>) -> (bool, String) {
    let late = now - row.time_limit() - HOUR;
    let slots = row.cadence.slots(zone, late - row.cadence.longest_gap() * 2, late + TimeDelta::nanoseconds(1));
    let due = slots.last().filter(|slot| **slot >= lane.stop.expected_from(lane.expected_from));
    let success = lane.last_success.as_ref().map(|success| success.started_at);
    match (due, success) {
        (Some(slot), None) => (false, format!("never succeeded; the slot of {} was missed", slot.format("%F %H:%MZ"))),
        (Some(slot), Some(success)) if success + EARLY < *slot => {
            (false, format!("no success for the slot of {}", slot.format("%F %H:%MZ")))
        }
        (_, Some(success)) => (true, format!("last success {} ago", span(now - success))),
        (None, None) => (true, "no success yet; no slot has been missed".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ops::health::delivery::tests::delivery;
    use crate::ops::health::stats::tests::{BY_DAY, MONDAYS, at, ran};

    fn lane(success: Option<&str>) -> Lane {
        Lane {
            expected_from: at("2026-03-01T00:00:00Z"),
            last_success: success.map(|started| ran("COMPLETED", started)),
            failed_at: None,
            last_error: None,
            failures: 0,
            is_braked: false,
            in_future: None,
            stop: Stop::default(),
            delivery: None,
            running: None,
            refused: BTreeMap::new(),
        }
    }

    fn verdict(row: &Row, lane: &Lane, now: &str) -> Verdict {
        judge(row, lane, Window { zone: Tz::NEW_YORK, now: at(now), since: at("2026-03-01T00:00:00Z") })
    }

    #[test]
    fn two_intervals_and_a_deadline_are_too_old() {
        // 09:00 in New York; the limit is 5 + 5 + 4 minutes.
        let lane = lane(Some("2026-03-02T14:00:00Z"));
        assert!(verdict(&BY_DAY, &lane, "2026-03-02T14:13:59.999Z").healthy);
        let late = verdict(&BY_DAY, &lane, "2026-03-02T14:14:00Z");
        assert_eq!((late.healthy, late.working_hours), (false, true));
        assert_eq!(late.message, "no success for 14 min of working hours (limit 14 min)");
    }

    #[test]
    fn only_working_hours_make_a_success_old() {
        // The last slot of Monday is 22:55, 03:55Z of Tuesday.
        let evening = lane(Some("2026-03-03T03:55:00Z"));
        let night = verdict(&BY_DAY, &evening, "2026-03-03T08:00:00Z");
        assert_eq!((night.healthy, night.working_hours), (true, false));
        assert!(night.message.starts_with("outside working hours"), "{}", night.message);
        for (now, healthy) in
            [("2026-03-03T12:00:00Z", true), ("2026-03-03T12:13:59Z", true), ("2026-03-03T12:14:00Z", false)]
        {
            assert_eq!(verdict(&BY_DAY, &evening, now).healthy, healthy, "{now}");
        }
        // Missed since 22:40: sick before the night, well in it, sick again at the first minute of the morning.
        let earlier = lane(Some("2026-03-03T03:40:00Z"));
        assert!(!verdict(&BY_DAY, &earlier, "2026-03-03T03:55:00Z").healthy);
        assert!(verdict(&BY_DAY, &earlier, "2026-03-03T03:55:01Z").healthy);
        assert!(!verdict(&BY_DAY, &earlier, "2026-03-03T12:00:00Z").healthy);
    }

    #[test]
    fn a_slow_job_is_sick_a_deadline_and_an_hour_after_a_missed_slot() {
        // Mondays 08:00 UTC with a deadline of 30 minutes: 09:30.
        let last_week = lane(Some("2026-02-23T08:00:05Z"));
        let last_week = Lane { expected_from: at("2026-02-01T00:00:00Z"), ..last_week };
        assert!(verdict(&MONDAYS, &last_week, "2026-03-02T09:29:59Z").healthy);
        let missed = verdict(&MONDAYS, &last_week, "2026-03-02T09:30:00Z");
        assert_eq!((missed.healthy, missed.message.as_str()), (false, "no success for the slot of 2026-03-02 08:00Z"));
        assert!(
            verdict(&MONDAYS, &lane(Some("2026-03-02T07:59:30Z")), "2026-03-02T09:30:00Z").healthy,
            "clocks differ"
        );
        assert!(!verdict(&MONDAYS, &lane(Some("2026-03-02T07:59:29Z")), "2026-03-02T09:30:00Z").healthy);
        assert!(
            verdict(&MONDAYS, &lane(Some("2026-03-02T13:00:00Z")), "2026-03-08T23:00:00Z").healthy,
            "a late one counts"
        );
    }

    #[test]
    fn what_never_succeeded_is_judged_from_when_it_could_run() {
        let fresh = Lane { expected_from: at("2026-03-02T14:00:00Z"), ..lane(None) };
        assert!(verdict(&BY_DAY, &fresh, "2026-03-02T14:13:59Z").healthy);
        let sick = verdict(&BY_DAY, &fresh, "2026-03-02T14:14:00Z");
        assert_eq!((sick.healthy, sick.message.starts_with("never succeeded")), (false, true));
        assert!(verdict(&MONDAYS, &fresh, "2026-03-02T14:00:00Z").healthy, "the slot was before");
        assert!(!verdict(&MONDAYS, &fresh, "2026-03-09T09:30:00Z").healthy);
    }

    #[test]
    fn failed_items_degrade_and_an_error_is_told_while_it_is_the_last_word() {
        let mut lane = lane(Some("2026-03-02T14:00:00Z"));
        lane.last_success.as_mut().expect("one").items_failed = 2;
        let degraded = verdict(&BY_DAY, &lane, "2026-03-02T14:01:00Z");
        assert!(degraded.healthy && degraded.degraded);
        assert_eq!(degraded.message, "last success 60 s ago; 2 items failed in it");
        lane.failed_at = Some(at("2026-03-02T14:20:00Z"));
        lane.last_error = Some(("BRAKE".into(), "too many".into()));
        assert!(lane.is_failing());
        let sick = verdict(&BY_DAY, &lane, "2026-03-02T14:30:00Z");
        assert!(!sick.degraded && sick.message.ends_with("; last error: too many [BRAKE]"), "{}", sick.message);
        lane.failed_at = Some(at("2026-03-02T13:55:00Z"));
        assert!(!lane.is_failing());
    }

    #[test]
    fn messages_that_are_not_delivered_make_a_lane_sick_whatever_its_runs_say() {
        let now = "2026-03-02T14:01:00Z";
        let with = |delivery| Lane { delivery: Some(delivery), ..lane(Some("2026-03-02T14:00:00Z")) };
        assert!(verdict(&BY_DAY, &with(delivery(None, 0, 0, 0)), now).healthy);
        let late = verdict(&BY_DAY, &with(delivery(Some("2026-03-02T13:40:00Z"), 0, 0, 0)), now);
        assert_eq!((late.healthy, late.codes), (false, vec!["BACKLOG"]));
        assert!(late.message.contains("a message has been due for 21 min [BACKLOG]"), "{}", late.message);
        let unsure = verdict(&BY_DAY, &with(delivery(None, 2, 0, 9)), now);
        assert_eq!((unsure.healthy, unsure.degraded, unsure.codes), (true, true, vec!["UNCERTAIN"]));
        let stopped = |code: &str, failed_at| Lane {
            failed_at: Some(at(failed_at)),
            last_error: Some((code.into(), "why".into())),
            ..with(delivery(None, 0, 0, 0))
        };
        let down = verdict(&BY_DAY, &stopped("CHANNEL_STOPPED", "2026-03-02T14:00:30Z"), now);
        assert_eq!((down.healthy, down.codes), (false, vec!["CHANNEL_STOPPED"]));
        assert!(down.message.ends_with("; last error: why [CHANNEL_STOPPED]"), "{}", down.message);
        assert!(
            verdict(&BY_DAY, &stopped("PROVIDER_UNREACHABLE", "2026-03-02T13:59:00Z"), now).healthy,
            "it works again"
        );
        assert!(verdict(&BY_DAY, &stopped("XX000", "2026-03-02T14:00:30Z"), now).healthy, "one failure is none");
    }

    #[test]
    fn failures_in_a_row_are_told_also_of_a_healthy_lane() {
        let last_error = Some(("BRAKE".to_owned(), "too many".to_owned()));
        let lane = Lane { failures: 3, last_error, ..lane(None) };
        let healthy = verdict(&MONDAYS, &lane, "2026-03-01T10:00:00Z");
        assert!(healthy.healthy && !healthy.degraded);
        assert_eq!(healthy.message, "no success yet; no slot has been missed; the last 3 runs failed: BRAKE");
        let once = verdict(&MONDAYS, &Lane { failures: 1, ..lane }, "2026-03-01T10:00:00Z");
        assert!(once.message.ends_with("; the last run failed: BRAKE"), "{}", once.message);
    }

    #[test]
    fn refused_items_degrade_and_are_told_by_code() {
        let refused = [("23514".to_owned(), 3), ("22000".to_owned(), 1)].into();
        let lane = Lane { refused, ..lane(Some("2026-03-02T14:00:00Z")) };
        let degraded = verdict(&BY_DAY, &lane, "2026-03-02T14:01:00Z");
        assert!(degraded.healthy && degraded.degraded);
        assert_eq!(degraded.message, "last success 60 s ago; 4 refused items wait (22000: 1, 23514: 3)");
        let sick = verdict(&BY_DAY, &lane, "2026-03-02T14:30:00Z");
        assert!(!sick.healthy && !sick.degraded && sick.message.contains("4 refused"), "{}", sick.message);
    }

    #[test]
    fn what_waits_for_a_person_is_told_whole_or_by_its_code() {
        let mut lane = lane(Some("2026-03-02T14:00:00Z"));
        lane.stop.restored = Some("another database".into());
        let restored = verdict(&BY_DAY, &lane, "2026-03-02T14:01:00Z");
        assert!(!restored.healthy);
        assert_eq!(restored.message, "another database [RESTORED]; last success 60 s ago");
        assert_eq!(
            [false, true].map(|below| restored.why(below)),
            ["another database [RESTORED]; last success 60 s ago", "[RESTORED]; last success 60 s ago"]
        );
        lane.stop.restored = None;
        let plain = verdict(&BY_DAY, &lane, "2026-03-02T14:01:00Z");
        assert_eq!((plain.stopped.as_ref(), plain.why(false)), (None, plain.message.clone()));
    }

    #[test]
    fn lengths_of_time_read_well() {
        let spans = [0, 119, 120, 7199, 7200, 172_799, 172_800].map(|seconds| span(TimeDelta::seconds(seconds)));
        assert_eq!(spans, ["0 s", "119 s", "2 min", "119 min", "2 h", "47 h", "2 days"]);
        assert_eq!(BY_DAY.deadline, Duration::from_secs(240));
    }
}
