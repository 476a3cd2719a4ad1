//! `rounds stage-alerts --explain VISIT_ID`: of each type, why an alert was raised or resolved, or was not, or when it
//! would be.

use chrono::{DateTime, Utc};
use serde_json::json;
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

use super::{ALERTS, Basis, ENDED, EXPLAIN, StageAlerts, VISIT_OF};
use crate::clinic::local_time::unreadable_zones;
use crate::clinic::visit_words::{begins, known};
use crate::command::Look;
use crate::command::explain::{Event, ExplainArgs, Judge, Judgement, Kind, Verdict};
use crate::db::{Key, Keys, Row, no_such_key};
use crate::error::Error;
use crate::output::{counted, local_stamp, span};
use crate::run::Item;
use crate::time_zone::Tz;

impl Judge for StageAlerts {
    const KIND: Kind = Kind::VISIT;
    /// The facilities whose time zone cannot be read.
    type Scope = Vec<Key>;

    fn asked(&self) -> &ExplainArgs {
        &self.asked
    }

    async fn scope(&self, tx: &Transaction<'_>) -> Result<Vec<Key>, Error> {
        unreadable_zones(tx).await
    }

    async fn judge(&self, look: &Look<'_>, zones: &Vec<Key>, id: &Key) -> Result<Option<Judgement>, Error> {
        let rule = self.rule(look.now);
        let [basis, vitals, doctor, waiting, first, lookback] = rule.parameters();
        let parameters: [&(dyn ToSql + Sync); 9] =
            [&look.now, &Keys(zones), basis, vitals, doctor, waiting, first, lookback, id];
        // A visit has a row for each type.
        let types = no_such_key(EXPLAIN.all(look.tx, &parameters).await.map(Some))?.unwrap_or_default();
        let Some(visit) = types.first() else { return Ok(None) };
        let (id, facility): (Key, Option<Key>) = (visit.get("id"), visit.get("facility_id"));
        let zone = look.zone(facility.as_ref()).await?;
        let mut verdicts: Vec<Verdict> = types.iter().map(|alert| self.verdict(alert, look.now)).collect();
        verdicts.extend(ends(look, &id).await?);
        let (at, state) = (visit.get("starts_at"), state(visit, look.now, zone));
        Ok(Some(Judgement { id, facility, zone, at, state, no_history: "It never had an alert.", verdicts }))
    }

    async fn history(&self, look: &Look<'_>, judged: &Judgement) -> Result<Vec<Event>, Error> {
        let alerts = ALERTS.all(look.tx, &[&judged.id]).await?;
        Ok(alerts.iter().map(|alert| event(alert, judged.zone)).collect())
    }

    /// The visit of an alert that the run would resolve.
    async fn row_of(&self, look: &Look<'_>, item: &Item) -> Result<Option<Key>, Error> {
        let Some(alert) = (item.entity == ALERT).then(|| item.id.parse::<i64>().ok()).flatten() else {
            return Ok(Some(Key::from(item.id.clone())));
        };
        Ok(VISIT_OF.opt(look.tx, &[&alert]).await?.map(|row| row.get("appointment_id")))
    }
}

/// The name of an alert in errors.
const ALERT: &str = "stage_alert";

/// The open alerts of a visit whose cause has ended.
async fn ends(look: &Look<'_>, visit: &Key) -> Result<Vec<Verdict>, Error> {
    let alerts = ALERTS.all(look.tx, &[visit]).await?;
    let open: Vec<Key> = alerts.iter().filter(|alert| alert.get("open")).map(|alert| alert.get("id")).collect();
    if open.is_empty() {
        return Ok(vec![]);
    }
    let visits = [visit.clone()];
    let ended = ENDED.all(look.tx, &[&Keys(&open), &Keys(&visits), &None::<Key>]).await?;
    let end = |row: &Row| {
        let id: Key = row.get("id");
        let alert_type =
            alerts.iter().find(|alert| alert.get::<_, Key>("id") == id).map(|alert| alert.get("alert_type"));
        Verdict {
            item: Item { entity: ALERT, id: id.to_string(), ..Item::default() },
            name: format!("end of {}", alert_type.unwrap_or("alert")),
            due: true,
            action: format!("resolve the alert {id}"),
            why: "its cause has ended".to_owned(),
            ..Verdict::default()
        }
    };
    Ok(ended.iter().map(end).collect())
}

impl StageAlerts {
    fn verdict(&self, alert: &Row, now: DateTime<Utc>) -> Verdict {
        let (name, due): (&str, bool) = (alert.get("type"), alert.get("due"));
        let since: Option<DateTime<Utc>> = alert.get("since");
        let told = match name {
            "NO_VITALS" => "the nurses of its facility",
            "NO_DOCTOR" => "its doctor",
            _ => "all users of its facility",
        };
        let (part, id) = (name.to_owned(), alert.get("id"));
        Verdict {
            item: Item { entity: "appointment", part, id, ..Item::default() },
            name: name.to_owned(),
            due,
            action: format!("raise it, and tell {told}"),
            why: since.map_or(String::new(), |since| format!("{} since {}", span(now - since), self.since(name))),
            reasons: if due { vec![] } else { self.reasons(alert, name) },
            candidates: alert.get::<_, Option<DateTime<Utc>>>("due_at").into_iter().collect(),
            ..Verdict::default()
        }
    }

    /// From when the minutes of an alert count.
    fn since(&self, name: &str) -> &'static str {
        match (name, self.basis) {
            ("WAITING_TOO_LONG", _) => "the check-in",
            (_, Basis::SlotEnd) => "the end of the slot",
            ("NO_VITALS", Basis::Arrival) => "the start or the check-in",
            (_, Basis::Arrival) => "the vitals",
        }
    }

    fn reasons(&self, alert: &Row, name: &str) -> Vec<String> {
        let mut reasons = vec![];
        match alert.get::<_, Option<&str>>("status") {
            Some("CHECKED_IN") => {}
            Some(status) => reasons.push(format!("the visit is {status}")),
            None => reasons.push("the visit has no status".to_owned()),
        }
        match (name, alert.get("has_vitals")) {
            ("NO_VITALS", true) => reasons.push("its vitals are taken".to_owned()),
            ("NO_DOCTOR", false) => reasons.push("its vitals are not taken yet".to_owned()),
            _ => {}
        }
        if !alert.get::<_, bool>("zoned") {
            reasons.push("the time zone of its facility cannot be read".to_owned());
        } else if alert.get("dayless") {
            reasons.push("its day cannot be read".to_owned());
        } else if alert.get::<_, Option<bool>>("too_old") == Some(true) {
            let days = counted(self.lookback_days, "day");
            reasons.push(format!("its day is more than {days} before today (--lookback-days)"));
        }
        if name == "WAITING_TOO_LONG" && alert.get("never") {
            reasons.push("neither its facility nor --waiting-minutes says how long is too long".to_owned());
        }
        let (since, minutes): (Option<DateTime<Utc>>, Option<i32>) = (alert.get("since"), alert.get("after_minutes"));
        match (since, minutes) {
            _ if !reasons.is_empty() => {}
            _ if !alert.get::<_, bool>("waits") => reasons.push("it had this alert already for its start".to_owned()),
            (None, _) => reasons.push(format!("{} cannot be read", self.since(name))),
            (_, None) => reasons.push("its minutes are not known".to_owned()),
            (_, Some(minutes)) => {
                reasons.push(format!("its time is not up: less than {minutes} min since {}", self.since(name)));
            }
        }
        reasons
    }
}

fn state(visit: &Row, now: DateTime<Utc>, zone: Tz) -> String {
    let [id, facility, status] = known(visit);
    let vitals = if visit.get("has_vitals") { "with vitals" } else { "without vitals" };
    let start = begins(visit, now, zone);
    format!("Visit {id} of facility {facility} is {status} {vitals} and {start}.")
}

fn event(alert: &Row, zone: Tz) -> Event {
    let (at, name, status): (DateTime<Utc>, &str, &str) =
        (alert.get("triggered_at"), alert.get("alert_type"), alert.get("status"));
    let resolved_at: Option<DateTime<Utc>> = alert.get("resolved_at");
    let who = match alert.get::<_, Option<&str>>("resolved_by") {
        Some(user) => format!(" by user {user}"),
        None => String::new(),
    };
    let end = resolved_at.map_or(String::new(), |end| format!(", resolved at {}{who}", local_stamp(end, zone)));
    let sentence = format!("{name} was raised at {} and is {status}{end}", local_stamp(at, zone));
    let facts = json!({ "alert_type": name, "status": status, "resolved_at": resolved_at.map(crate::output::stamp) });
    Event::new(at, alert.get("run_id"), sentence, facts)
}
