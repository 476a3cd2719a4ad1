//! The story of the day. Each beat names a visit, a time, and the state in which the visit must then be. The demo fails
//! where the visit is in another state, so the story is a test.

use std::io;

use anyhow::ensure;

use super::clinic::Clinic;
use super::day::*;
use super::page::{Look, Page};

/// The three visits that are followed all day.
pub const TIMELINES: [(i64, &str); 3] = [
    (NOBODY_CAME, "Timeline 1: nobody came"),
    (LATE_ALL_ALONG, "Timeline 2: vitals late, doctor late"),
    (SLOT_FREED, "Timeline 3: the slot is free again"),
];

/// The state of a visit at a stop, and the reason.
struct Beat {
    at: &'static str,
    visit: i64,
    state: &'static str,
    why: &'static str,
}

const fn beat(at: &'static str, visit: i64, state: &'static str, why: &'static str) -> Beat {
    Beat { at, visit, state, why }
}

#[rustfmt::skip]
const STORY: [Beat; 32] = [
    beat("08:00", LAST_FRIDAY, "NO_SHOW, slot not released", "of Friday, and no run since: marked, but nobody is told so late"),
    beat("08:00", WEEK_AGO, "NO_SHOW, slot not released", "seven days old, the last day that the job looks back to"),
    beat("08:00", TOO_LONG_AGO, "SCHEDULED", "ten days old: further back than the job looks"),
    beat("09:00", NOBODY_CAME, "SCHEDULED", "the visit of 15 minutes begins, and nobody is there"),
    beat("09:05", NOBODY_CAME, "SCHEDULED", "5 of 15 minutes have passed"),
    beat("09:05", LATE_ALL_ALONG, "CHECKED_IN", "the patient has come, so this can no longer be a no-show"),
    beat("09:10", NOBODY_CAME, "SCHEDULED", "10 of 15 minutes have passed"),
    beat("09:10", LATE_ALL_ALONG, "CHECKED_IN, NO_VITALS ACTIVE", "5 minutes since check-in, and no vitals: the nurses are told"),
    beat("09:10", CALLED_OFF, "CANCELLED", "due now, had the patient not called at 09:08"),
    beat("09:15", NOBODY_CAME, "NO_SHOW, slot not released", "exactly 15 minutes: a no-show; the slot ends this very minute, so it is of no use to others"),
    beat("09:15", LATE_ALL_ALONG, "CHECKED_IN, NO_VITALS RESOLVED", "vitals were taken at 09:12: the job resolves the alert by itself"),
    beat("09:15", SQUEEZED_IN, "SCHEDULED", "booked for 09:01, so one minute is left"),
    beat("09:15", OTHER_SYSTEM, "SCHEDULED", "of 09:00, but PracticeQ's: that system decides"),
    beat("09:20", LATE_ALL_ALONG, "CHECKED_IN, NO_VITALS RESOLVED", "8 of 10 minutes since the vitals have passed"),
    beat("09:20", SQUEEZED_IN, "NO_SHOW, slot not released", "no slot row: start + slot length, over at 09:16"),
    beat("09:20", NO_PHONE, "NO_SHOW, slot not released", "no phone, so told in the app alone"),
    beat("09:20", JUST_IN_TIME, "CHECKED_IN", "checked in at 09:19, one minute before its threshold"),
    beat("09:25", LATE_ALL_ALONG, "CHECKED_IN, NO_VITALS RESOLVED, NO_DOCTOR ACTIVE", "13 minutes since the vitals (due from 09:22 on), and no doctor: the doctor is told"),
    beat("09:30", LATE_ALL_ALONG, "IN_PROGRESS, NO_VITALS RESOLVED, NO_DOCTOR RESOLVED", "the doctor came at 09:27: resolved"),
    beat("09:30", NO_SMS_WANTED, "NO_SHOW, slot not released", "wants no SMS: kept as SUPPRESSED, never sent"),
    beat("10:10", EXACTLY, "NO_SHOW, slot released", "exactly its threshold in Denver, and its slot of 45 minutes runs"),
    beat("10:10", DOCTOR_AWAY, "SCHEDULED", "10 minutes late, but the doctor is away until 09:00: leave, and no no-show"),
    beat("10:10", REFUSED, "SCHEDULED", "a trigger refuses it, the others went through; its words hold a name: not shown"),
    beat("11:00", REFUSED, "NO_SHOW, slot not released", "the trigger is repaired, and the next run did what was left"),
    beat("11:00", NOBODY_TO_TELL, "CHECKED_IN, NO_DOCTOR ACTIVE", "the doctor has no login: the alert stands, nobody is told"),
    beat("12:00", SLOT_FREED, "SCHEDULED", "10:00 in Denver: a visit of 30 minutes begins, and nobody is there"),
    beat("12:00", WAITS_LONG, "CHECKED_IN, NO_DOCTOR ACTIVE, WAITING_TOO_LONG ACTIVE", "all staff are told"),
    beat("12:10", SLOT_FREED, "NO_SHOW, slot released", "Denver waits 10 minutes; 20 of the slot are left, so it is free again"),
    beat("12:12", SLOT_FREED, "NO_SHOW, slot released and booked again", "another patient has it: visit 1018, checked in at once"),
    beat("15:30", WALK_IN, "COMPLETED", "the patient who got the slot of visit 1003 was seen in it"),
    beat("18:00", LATE_ALL_ALONG, "COMPLETED, NO_VITALS RESOLVED, NO_DOCTOR RESOLVED", "never a no-show"),
    beat("18:00", OTHER_SYSTEM, "SCHEDULED", "still PracticeQ's"),
];

/// The state of a visit in words: status, slot, alerts.
const STATE: &str = "
    SELECT concat_ws(', ', a.status, slot.state, alerts.states)
    FROM appointments a
    LEFT JOIN LATERAL (
        SELECT CASE WHEN NOT l.slot_released AND (s.id IS NULL OR s.appointment_id = a.id) THEN 'slot not released'
                    WHEN NOT l.slot_released OR s.appointment_id = a.id THEN 'slot and log differ'
                    WHEN s.is_booked THEN 'slot released and booked again'
                    ELSE 'slot released' END AS state
        FROM no_show_logs l
        LEFT JOIN doctor_slots s
            ON (s.doctor_id, s.slot_date, s.start_time) = (a.doctor_id, a.appointment_date, a.start_time)
        WHERE l.appointment_id = a.id::text
    ) slot ON true
    LEFT JOIN LATERAL (
        SELECT string_agg(concat_ws(' ', x.alert_type, x.status), ', ' ORDER BY x.id) AS states
        FROM stage_alerts x WHERE x.appointment_id = a.id::text
    ) alerts ON true
    WHERE a.id = $1";

/// Checks the beats of a stop and shows them, the timelines last.
pub async fn tell(page: &Page, clinic: &Clinic, at: &str) -> anyhow::Result<()> {
    let name = |visit: i64| TIMELINES.iter().find(|timeline| timeline.0 == visit).map(|timeline| timeline.1);
    let mut beats: Vec<_> = STORY.iter().filter(|beat| beat.at == at).map(|beat| (name(beat.visit), beat)).collect();
    beats.sort_by_key(|(timeline, _)| *timeline);
    for (timeline, beat) in beats {
        let rows = clinic.rows(STATE, &[&beat.visit]).await?;
        let state: String = rows.first().map_or("missing".to_owned(), |row| row.get(0));
        let called = timeline.map_or(String::new(), |name| format!("{name}: "));
        ensure!(
            state == beat.state,
            "{called}at {at} visit {} was to be \"{}\", but is \"{state}\"",
            beat.visit,
            beat.state
        );
        show(page, timeline, beat)?;
    }
    Ok(())
}

fn show(page: &Page, timeline: Option<&str>, beat: &Beat) -> io::Result<()> {
    let Beat { visit, state, why, .. } = beat;
    match timeline {
        Some(name) => {
            page.line(format!("  ▶ {}", page.paint(Look::Cyan, &format!("{name} · visit {visit} · {state}"))))?;
            page.line(format!("    {why}"))
        }
        None => page.line(format!("  · visit {visit} · {state}: {}", page.paint(Look::Dim, why))),
    }
}

/// Shows the three timelines once more. They have come out so: the demo ends at the first beat that has not.
pub fn recap(page: &Page) -> io::Result<()> {
    for (visit, name) in TIMELINES {
        page.line(format!("  {} (visit {visit})", page.paint(Look::Cyan, name)))?;
        for beat in STORY.iter().filter(|beat| beat.visit == visit) {
            page.line(format!("    {} {}  {}", page.paint(Look::Green, "✓"), beat.at, beat.state))?;
        }
    }
    Ok(())
}
