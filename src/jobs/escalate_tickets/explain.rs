//! `rounds escalate-tickets --explain TICKET_ID`: of each rule, why it fired for a ticket, or did not, or when it would.

use chrono::{DateTime, Utc};
use serde_json::json;
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

use super::EscalateTickets;
use super::facts::{EXPLAIN, FIRINGS, IS_DUE, TICKET};
use super::rule::{Malformed, Rule, RuleBook};
use crate::command::Look;
use crate::command::explain::{Event, ExplainArgs, Judge, Judgement, Kind, Verdict};
use crate::db::{Key, Row, no_such_key};
use crate::error::Error;
use crate::output::{local_stamp, span};
use crate::run::Item;
use crate::time_zone::Tz;

impl Judge for EscalateTickets {
    const KIND: Kind = Kind::TICKET;
    type Scope = RuleBook;

    fn asked(&self) -> &ExplainArgs {
        &self.asked
    }

    async fn scope(&self, tx: &Transaction<'_>) -> Result<RuleBook, Error> {
        RuleBook::read(tx, false, None).await
    }

    async fn judge(&self, look: &Look<'_>, rules: &RuleBook, id: &Key) -> Result<Option<Judgement>, Error> {
        judged(look, rules, id, |_| true).await
    }

    async fn judge_item(
        &self,
        look: &Look<'_>,
        rules: &RuleBook,
        id: &Key,
        item: &Item,
    ) -> Result<Option<Judgement>, Error> {
        judged(look, rules, id, |rule| item.part == rule.part() || item.part == rule.end_part()).await
    }

    /// A rule is asked by one statement, however many others there are.
    async fn is_due(&self, look: &Look<'_>, rules: &RuleBook, id: &Key, verdict: &Verdict) -> Result<bool, Error> {
        let Some(rule) = rules.rules.iter().find(|rule| rule.part() == verdict.item.part) else { return Ok(false) };
        let kind = rule.condition.kind.as_str();
        let parameters = [rule.parameters(&look.now, &kind), vec![id]].concat();
        Ok(IS_DUE.with(&rule.condition.kind).one(look.tx, &parameters).await?.get("due"))
    }

    async fn history(&self, look: &Look<'_>, judged: &Judgement) -> Result<Vec<Event>, Error> {
        let firings = FIRINGS.all(look.tx, &[&judged.id]).await?;
        Ok(firings.iter().map(|firing| event(firing, judged.zone)).collect())
    }
}

/// What is found of a ticket and some of the rules.
async fn judged(
    look: &Look<'_>,
    rules: &RuleBook,
    id: &Key,
    is_asked: impl Fn(&Rule) -> bool,
) -> Result<Option<Judgement>, Error> {
    let Some(ticket) = no_such_key(TICKET.opt(look.tx, &[id]).await)? else { return Ok(None) };
    let (id, facility): (Key, Option<Key>) = (ticket.get("id"), ticket.get("facility_id"));
    let zone = look.zone(facility.as_ref()).await?;
    let mut verdicts = vec![];
    for rule in rules.rules.iter().filter(|rule| is_asked(rule)) {
        verdicts.extend(verdicts_of(look, rule, &ticket, &id, zone).await?);
    }
    verdicts.extend(rules.malformed.iter().map(|rule| malformed(rule, &id)));
    let no_rule = if verdicts.is_empty() { " There is no active rule." } else { "" };
    Ok(Some(Judgement {
        facility,
        zone,
        at: ticket.get("due_at"),
        state: state(&ticket, look.now, zone) + no_rule,
        no_history: "No rule was ever carried out for it.",
        verdicts,
        id,
    }))
}

/// Whether a rule fires, and whether an episode of it ends.
async fn verdicts_of(look: &Look<'_>, rule: &Rule, ticket: &Row, id: &Key, zone: Tz) -> Result<Vec<Verdict>, Error> {
    let kind = rule.condition.kind.as_str();
    let ids: [&(dyn ToSql + Sync); 2] = [id, &id.as_str()];
    let parameters = [rule.parameters(&look.now, &kind), ids.to_vec()].concat();
    let found = EXPLAIN.with(&rule.condition.kind).one(look.tx, &parameters).await;
    let found = found.map_err(|error| error.context(format_args!("rule {}", rule.id)))?;
    let refused_at: Option<DateTime<Utc>> = found.get("refused_at");
    let again = refused_at.map_or(String::new(), |at| format!(", which was refused at {}", local_stamp(at, zone)));
    let item = |part| Item { entity: "ticket", part, id: id.to_string(), ..Item::default() };
    let begins = found.get::<_, Vec<Option<DateTime<Utc>>>>("begins").into_iter().flatten();
    let due = found.get("due");
    let fires = Verdict {
        item: item(rule.part()),
        name: format!("rule {}", rule.id),
        due,
        action: format!("carry out its action, {}{again}", rule.action.kind.as_str()),
        why: format!("{kind} holds"),
        reasons: if due { vec![] } else { reasons(rule, ticket, &found, zone) },
        candidates: begins.chain(found.get::<_, Option<DateTime<Utc>>>("cooled_at")).collect(),
        ..Verdict::default()
    };
    let ends = found.get::<_, bool>("ended").then(|| Verdict {
        item: item(rule.end_part()),
        name: format!("end of rule {}", rule.id),
        due: true,
        action: "end its episode, so that the rule may fire again".to_owned(),
        why: format!("{kind} holds no more"),
        ..Verdict::default()
    });
    Ok(std::iter::once(fires).chain(ends).collect())
}

fn reasons(rule: &Rule, ticket: &Row, found: &Row, zone: Tz) -> Vec<String> {
    let mut reasons = vec![];
    if !ticket.get::<_, bool>("open") {
        let status = ticket.get::<_, Option<&str>>("status");
        reasons.push(status.map_or("it has no status".to_owned(), |status| format!("it is {status}")));
    }
    if !found.get::<_, bool>("holds") {
        reasons.push(format!("the condition {} does not hold", rule.condition.kind.as_str()));
    } else if let (Some(true), Some(fired_at)) = (found.get("has_fired"), found.get("fired_at")) {
        let cooldown = match rule.cooldown_hours {
            Some(hours) => format!("its cooldown of {hours} h is not over"),
            None => "it has no cooldown".to_owned(),
        };
        let fired_at = local_stamp(fired_at, zone);
        reasons.push(format!("it fired at {fired_at}, the condition has held ever since, and {cooldown}"));
    }
    reasons
}

/// What is said of a rule that cannot be carried out.
fn malformed(rule: &Malformed, id: &Key) -> Verdict {
    let Malformed { id: rule, error, .. } = rule;
    Verdict {
        item: Item { entity: "ticket", part: format!("rule {rule}"), id: id.to_string(), ..Item::default() },
        name: format!("rule {rule}"),
        reasons: vec![error.message.clone()],
        ..Verdict::default()
    }
}

fn state(ticket: &Row, now: DateTime<Utc>, zone: Tz) -> String {
    let known = |column: &str, what: &str| ticket.get::<_, Option<String>>(column).unwrap_or_else(|| what.to_owned());
    let (id, facility, status) = (known("id", ""), known("facility_id", "(none)"), known("status", "of no status"));
    let date = match ticket.get::<_, Option<DateTime<Utc>>>("due_at") {
        None => "has no date by which it must be resolved".to_owned(),
        Some(due) if due < now => {
            format!("had to be resolved by {}, {} ago", local_stamp(due, zone), span(now - due))
        }
        Some(due) => format!("must be resolved by {}, in {}", local_stamp(due, zone), span(due - now)),
    };
    format!("Ticket {id} of facility {facility} is {status} and {date}.")
}

fn event(firing: &Row, zone: Tz) -> Event {
    let (at, rule): (DateTime<Utc>, Option<&str>) = (firing.get("created_at"), firing.get("rule"));
    let carried_out: bool = firing.get("carried_out");
    let what = if carried_out { "was carried out" } else { "was refused" };
    let name = rule.unwrap_or("(unknown)");
    let sentence = format!("Rule {name} {what} at {}", local_stamp(at, zone));
    Event::new(at, firing.get("run_id"), sentence, json!({ "rule_id": rule, "carried_out": carried_out }))
}
