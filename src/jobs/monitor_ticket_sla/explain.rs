//! `rounds monitor-ticket-sla --explain TICKET_ID`: why the people of a ticket were told of its SLA, or were not, or
//! when they would be.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use tokio_postgres::Transaction;

use super::{CHECKS, EXPLAIN, MonitorTicketSla};
use crate::command::Look;
use crate::command::explain::{Event, ExplainArgs, Judge, Judgement, Kind, Verdict};
use crate::db::{Key, Row, no_such_key};
use crate::error::Error;
use crate::output::{local_stamp, span};
use crate::run::Item;
use crate::time_zone::Tz;

/// The levels of a risk that the job writes.
const LEVELS: [&str; 3] = ["low", "medium", "high"];
const MICROSECOND: TimeDelta = TimeDelta::microseconds(1);

impl Judge for MonitorTicketSla {
    const KIND: Kind = Kind::TICKET;
    type Scope = ();

    fn asked(&self) -> &ExplainArgs {
        &self.asked
    }

    async fn scope(&self, _: &Transaction<'_>) -> Result<(), Error> {
        Ok(())
    }

    async fn judge(&self, look: &Look<'_>, (): &(), id: &Key) -> Result<Option<Judgement>, Error> {
        let Some(ticket) = no_such_key(EXPLAIN.opt(look.tx, &[&look.now, id]).await)? else { return Ok(None) };
        let facility: Option<Key> = ticket.get("facility_id");
        let zone = look.zone(facility.as_ref()).await?;
        let due_at: Option<DateTime<Utc>> = ticket.get("due_at");
        Ok(Some(Judgement {
            id: ticket.get("id"),
            facility,
            zone,
            at: due_at,
            state: state(&ticket, due_at, look.now, zone),
            no_history: "Its risk was never recorded.",
            verdicts: vec![verdict(&ticket, due_at, look.now)],
        }))
    }

    async fn history(&self, look: &Look<'_>, judged: &Judgement) -> Result<Vec<Event>, Error> {
        let checks = CHECKS.all(look.tx, &[&judged.id]).await?;
        Ok(checks.iter().map(|check| event(check, judged.zone)).collect())
    }
}

fn verdict(ticket: &Row, due_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Verdict {
    let level = ticket.get::<_, Option<&str>>("level").unwrap_or("none");
    let (breached, improved) = (ticket.get("breached"), ticket.get("improved"));
    let when = due_at.map_or(String::new(), |due| match due < now {
        true => format!("due {} ago", span(now - due)),
        false => format!("due in {}", span(due - now)),
    });
    let (action, why) = match (breached, improved) {
        (_, Some(true)) => (
            format!("record that its risk is better ({level}), and tell nobody"),
            format!("its risk is better: {level}"),
        ),
        (Some(true), _) => ("record the breach, and tell its people".to_owned(), format!("breached: {when}")),
        _ => (format!("record its {level} risk, and tell its people"), format!("{level} risk: {when}")),
    };
    let due = ticket.get("due");
    Verdict {
        item: Item { entity: "ticket", id: ticket.get("id"), ..Item::default() },
        due,
        action,
        why,
        reasons: if due { vec![] } else { reasons(ticket, level) },
        candidates: candidates(due_at, ticket.get("filed_at")),
        ..Verdict::default()
    }
}

fn reasons(ticket: &Row, level: &str) -> Vec<String> {
    let mut reasons = vec![];
    match (ticket.get::<_, Option<bool>>("open"), ticket.get::<_, Option<&str>>("status")) {
        (Some(true), _) => {}
        (_, Some(status)) => reasons.push(format!("it is {status}")),
        (_, None) => reasons.push("it has no status".to_owned()),
    }
    match level {
        "none" if reasons.is_empty() => reasons.push("it has no date by which it must be resolved".to_owned()),
        "none" => {}
        "low" => reasons.push("its risk is low, as it was before, or was never another".to_owned()),
        level => reasons.push(format!("its risk ({level}) is no worse than in the last record, for the same date")),
    }
    reasons
}

/// The instants at which the risk rises: less than 25 %, then less than 10 % of the time remain, then none.
fn candidates(due_at: Option<DateTime<Utc>>, filed_at: Option<DateTime<Utc>>) -> Vec<DateTime<Utc>> {
    let Some(due_at) = due_at else { return vec![] };
    let time = filed_at.and_then(|filed| (due_at - filed).num_microseconds()).unwrap_or(0);
    // In whole microseconds, the longest remainder that is less than the share.
    let before = |share: i64| due_at - TimeDelta::microseconds((time - 1).div_euclid(share));
    if time > 0 { vec![before(4), before(10), due_at + MICROSECOND] } else { vec![due_at + MICROSECOND] }
}

fn state(ticket: &Row, due_at: Option<DateTime<Utc>>, now: DateTime<Utc>, zone: Tz) -> String {
    let known = |column: &str, what: &str| ticket.get::<_, Option<String>>(column).unwrap_or_else(|| what.to_owned());
    let (id, facility, status) = (known("id", ""), known("facility_id", "(none)"), known("status", "of no status"));
    let date = match due_at {
        None => String::new(),
        Some(due) if due < now => {
            format!(" and had to be resolved by {}, {} ago", local_stamp(due, zone), span(now - due))
        }
        Some(due) => format!(" and must be resolved by {}, in {}", local_stamp(due, zone), span(due - now)),
    };
    format!("Ticket {id} of facility {facility} is {status}{date}.")
}

fn event(check: &Row, zone: Tz) -> Event {
    let at: DateTime<Utc> = check.get("created_at");
    // Text that is none of the levels is not repeated, because the job did not write it.
    let level = check.get::<_, Option<&str>>("level").filter(|level| LEVELS.contains(level)).unwrap_or("unknown");
    let breached: bool = check.get("breached");
    let what = if breached { "a breach".to_owned() } else { format!("{level} risk") };
    let sentence = format!("It was recorded with {what} at {}", local_stamp(at, zone));
    Event::new(at, check.get("run_id"), sentence, json!({ "breach_risk": level, "breached": breached }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_a_share_is_not_less_than_it() {
        let at = |micros: i64| DateTime::from_timestamp_micros(micros).expect("an instant");
        let micros = |filed, due| {
            candidates(Some(at(due)), Some(at(filed))).iter().map(DateTime::timestamp_micros).collect::<Vec<_>>()
        };
        assert_eq!(micros(0, 100), [76, 91, 101], "25 and 10 remain at 75 and 90");
        assert_eq!(micros(0, 101), [76, 91, 102], "25.25 and 10.1: 25 and 10 are less");
        assert_eq!(micros(5, 5), [6]);
        assert!(candidates(None, Some(at(0))).is_empty());
    }
}
