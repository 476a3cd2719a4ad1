//! `rounds notify-cancellations --explain VISIT_ID`: why a doctor was told of a cancelled visit, or was not, or whether
//! a run would tell.

use chrono::{DateTime, Utc};
use serde_json::json;
use tokio_postgres::Transaction;

use super::ended::{CANCELLATION, Ended, among};
use super::{EXPLAIN, NotifyCancellations, ROWS, VISIT_OF, Window};
use crate::clinic::visit_words::{not_looked_at, state};
use crate::command::Look;
use crate::command::explain::{Event, ExplainArgs, Judge, Judgement, Kind, Verdict};
use crate::db::{Key, Keys, Row, no_such_key};
use crate::error::Error;
use crate::output::{counted, local_stamp, span, stamp};
use crate::run::Item;
use crate::time_zone::Tz;

impl Judge for NotifyCancellations {
    const KIND: Kind = Kind::VISIT;
    type Scope = ();

    fn asked(&self) -> &ExplainArgs {
        &self.asked
    }

    async fn scope(&self, _: &Transaction<'_>) -> Result<(), Error> {
        Ok(())
    }

    async fn judge(&self, look: &Look<'_>, (): &(), id: &Key) -> Result<Option<Judgement>, Error> {
        let window = Window::read(look.tx, look.now, self.lookback_days).await?;
        let zones = Keys(&window.zones);
        let [now, first, lookback, zones] = window.parameters(&zones);
        let visit = EXPLAIN.opt(look.tx, &[now, first, lookback, zones, &window.began, id]).await;
        let Some(visit) = no_such_key(visit)? else { return Ok(None) };
        let (id, facility): (Key, Option<Key>) = (visit.get("id"), visit.get("facility_id"));
        let zone = look.zone(facility.as_ref()).await?;
        let mut verdicts = vec![self.verdict(&visit)];
        verdicts.extend(ends(look, &id).await?);
        Ok(Some(Judgement {
            id,
            facility,
            zone,
            at: visit.get("starts_at"),
            state: state(&visit, look.now, zone),
            no_history: "No cancellation of it was seen.",
            verdicts,
        }))
    }

    async fn history(&self, look: &Look<'_>, judged: &Judgement) -> Result<Vec<Event>, Error> {
        let rows = ROWS.all(look.tx, &[&judged.id]).await?;
        Ok(rows.iter().map(|row| event(row, judged.zone)).collect())
    }

    /// The visit of a row of the ledger that the run would end.
    async fn row_of(&self, look: &Look<'_>, item: &Item) -> Result<Option<Key>, Error> {
        let Some(row) = (item.entity == CANCELLATION).then(|| item.id.parse::<i64>().ok()).flatten() else {
            return Ok(Some(Key::from(item.id.clone())));
        };
        Ok(VISIT_OF.opt(look.tx, &[&row]).await?.map(|row| row.get("appointment_id")))
    }
}

/// The open rows of a visit that is cancelled no more.
async fn ends(look: &Look<'_>, visit: &Key) -> Result<Vec<Verdict>, Error> {
    let rows = ROWS.all(look.tx, &[visit]).await?;
    let open: Vec<Key> = rows.iter().filter(|row| row.get("open")).map(|row| row.get("id")).collect();
    if open.is_empty() {
        return Ok(vec![]);
    }
    let ended = among(look.tx, &open, std::slice::from_ref(visit), None).await?;
    let end = |row: &Ended| Verdict {
        item: Item { entity: CANCELLATION, id: row.id.to_string(), ..Item::default() },
        name: "end of the cancellation".to_owned(),
        due: true,
        action: format!("end the row {} of the ledger", row.id),
        why: "it is cancelled no more".to_owned(),
        ..Verdict::default()
    };
    Ok(ended.iter().map(end).collect())
}

impl NotifyCancellations {
    fn verdict(&self, visit: &Row) -> Verdict {
        let release = if visit.get("has_slot") { ", and release its slot" } else { "" };
        let is_last_minute = visit.get::<_, Option<bool>>("is_last_minute") == Some(true);
        let [starts_at, cancelled_at] =
            ["starts_at", "cancelled_at"].map(|at| visit.get::<_, Option<DateTime<Utc>>>(at));
        let action = match (visit.get::<_, Option<&str>>("outcome"), visit.get::<_, Option<&str>>("untold")) {
            (Some(_), _) => "release its slot".to_owned(),
            (None, Some(_)) => format!("record it without a word{release}"),
            (None, None) if is_last_minute => format!("tell its doctor at once{release}"),
            (None, None) => format!("tell its doctor{release}"),
        };
        let why = match (visit.get::<_, Option<&str>>("outcome"), visit.get::<_, Option<&str>>("untold")) {
            (Some(outcome), _) => format!("its cancellation is recorded ({outcome}), but a slot still has it"),
            (None, Some("BEFORE")) => "it was cancelled before cancellations were recorded (BEFORE)".to_owned(),
            (None, Some("BY_DOCTOR")) => "its doctor cancelled it, and knows (BY_DOCTOR)".to_owned(),
            (None, Some(_)) => "it had begun when it was cancelled, or is over (PAST)".to_owned(),
            (None, None) => starts_at.zip(cancelled_at).map_or(String::new(), |(start, cancelled)| {
                format!("it was cancelled {} before its start", span(start - cancelled))
            }),
        };
        let due = visit.get("due");
        Verdict {
            item: Item { entity: "appointment", id: visit.get("id"), ..Item::default() },
            due,
            action,
            why,
            reasons: if due { vec![] } else { self.reasons(visit) },
            ..Verdict::default()
        }
    }

    fn reasons(&self, visit: &Row) -> Vec<String> {
        let mut reasons = not_looked_at(visit, &["CANCELLED"]);
        if visit.get::<_, Option<bool>>("too_old") == Some(true) {
            let days = counted(self.lookback_days, "day");
            reasons.push(format!("its day is more than {days} before today (--lookback-days)"));
        }
        let [is_known, is_zoned] = ["known", "zoned"].map(|column| visit.get::<_, bool>(column));
        if !is_known {
            reasons.push("its facility or its doctor is not there".to_owned());
        } else if !is_zoned {
            reasons.push("the time zone of its facility cannot be read".to_owned());
        } else if visit.get::<_, Option<DateTime<Utc>>>("starts_at").is_none() {
            reasons.push("its day or its start cannot be read".to_owned());
        }
        if let Some(outcome) = visit.get::<_, Option<&str>>("outcome") {
            reasons.push(format!("its cancellation is recorded ({outcome}), and no slot has it"));
        }
        reasons
    }
}

fn event(row: &Row, zone: Tz) -> Event {
    let (at, outcome): (DateTime<Utc>, &str) = (row.get("seen_at"), row.get("outcome"));
    let (cancelled_at, ended_at): (DateTime<Utc>, Option<DateTime<Utc>>) =
        (row.get("cancelled_at"), row.get("ended_at"));
    let what = match outcome {
        "TOLD" => "its doctor was told",
        "TOLD_STAND_INS" => "the receptionists were told, because its doctor could not be",
        "NOBODY" => "there was nobody to tell",
        "BY_ABSENCE" => "apply-absences cancelled it",
        "BY_DOCTOR" => "its doctor had cancelled it, and was not told",
        "BEFORE" => "it was cancelled before cancellations were recorded, and nobody was told",
        _ => "it had begun or was over, and nobody was told",
    };
    let end = ended_at.map_or(String::new(), |end| format!("; it ended at {}", local_stamp(end, zone)));
    let sentence = format!(
        "Its cancellation of {} was seen at {}: {what} ({outcome}){end}",
        local_stamp(cancelled_at, zone),
        local_stamp(at, zone)
    );
    let facts = json!({
        "outcome": outcome,
        "cancelled_at": stamp(cancelled_at),
        "ended_at": ended_at.map(stamp),
    });
    Event::new(at, row.get("run_id"), sentence, facts)
}
