//! A rule as it is in the database, checked: what it waits for, and what it then does.

use serde_json::{Map, Value};
use tokio_postgres::Row;

use crate::error::{ErrorKind, Error};

/// Ten years.
const HOURS_MAX: f64 = 87_600.0;
const OPEN: [&str; 3] = ["OPEN", "IN_PROGRESS", "WAITING"];
const PRIORITIES: [&str; 4] = ["LOW", "MEDIUM", "HIGH", "URGENT"];

/// A rule that can be carried out.
pub struct Rule {
    pub id: i64,
    pub active: bool,
    pub condition: Condition,
    /// What it does when; of a rule that is changed it is another.
    pub definition: String,
    /// Hours after which it fires again though its condition has held all along.
    pub cooldown_hours: Option<f64>,
    pub action: Action,
}

/// What a rule waits for: the parameters of its file in `conditions/`.
pub struct Condition {
    pub kind: &'static str,
    pub hours: Option<f64>,
    /// Statuses or priorities.
    pub names: Option<Vec<String>>,
    pub rating: Option<i32>,
    pub operator: Option<&'static str>,
}

pub struct Action {
    pub kind: &'static str,
    /// As the action's SQL reads it.
    pub json: Value,
}

/// A rule that cannot be carried out, and why.
pub struct Malformed {
    pub id: i64,
    pub active: bool,
    pub why: Error,
}

/// What is wrong with a rule: names of keys and what they must be, never what they are.
type Wrong = String;

impl Rule {
    pub fn read(row: &Row) -> Result<Self, Malformed> {
        let (id, active) = (row.get("id"), row.get("active"));
        Self::try_read(row).map_err(|wrong| {
            let why = Error::new("MALFORMED_RULE", ErrorKind::Data, format!("{wrong}; the rule was skipped"));
            Malformed { id, active, why }
        })
    }

    fn try_read(row: &Row) -> Result<Self, Wrong> {
        // The database takes numbers and depths that nobody else can read.
        let json = |column| row.try_get::<_, Value>(column).map_err(|_| format!("{column}: cannot be read"));
        let cooldown_hours: Option<f64> = row.get("cooldown_hours");
        if cooldown_hours.is_some_and(|hours| !(0.0..=HOURS_MAX).contains(&hours)) {
            return Err(format!("cooldown_hours must be a number of hours from 0 to {HOURS_MAX}"));
        }
        Ok(Self {
            id: row.get("id"),
            active: row.get("active"),
            definition: row.get("definition"),
            condition: Condition::read(row.get("condition_type"), &json("condition")?)?,
            cooldown_hours,
            action: Action::read(row.get("action_type"), json("action")?)?,
        })
    }
}

impl Condition {
    /// Whether it holds for a ticket `t`.
    pub fn sql(&self) -> &'static str {
        match self.kind {
            "sla_breach" => include_str!("conditions/sla_breach.part.sql"),
            "time_in_status" => include_str!("conditions/time_in_status.part.sql"),
            "priority_level" => include_str!("conditions/priority_level.part.sql"),
            "no_response" => include_str!("conditions/no_response.part.sql"),
            _ => include_str!("conditions/customer_rating.part.sql"),
        }
    }

    fn read(kind: &str, json: &Value) -> Result<Self, Wrong> {
        let keys = Keys::of("condition", json)?;
        let blank = Self { kind: "", hours: None, names: None, rating: None, operator: None };
        match kind {
            "sla_breach" => {
                keys.only(&["thresholdHours"])?;
                Ok(Self { kind: "sla_breach", hours: Some(keys.hours("thresholdHours")?), ..blank })
            }
            "time_in_status" => {
                keys.only(&["status", "hours"])?;
                let status = keys.one_of("status", &OPEN)?;
                Ok(Self {
                    kind: "time_in_status",
                    hours: Some(keys.hours("hours")?),
                    names: Some(vec![status]),
                    ..blank
                })
            }
            "priority_level" => {
                keys.only(&["priorities"])?;
                let known = |value: &Value| value.as_str().filter(|name| PRIORITIES.contains(name)).map(str::to_owned);
                let names = keys.list("priorities", known, "some of LOW, MEDIUM, HIGH, URGENT")?;
                Ok(Self { kind: "priority_level", names: Some(names), ..blank })
            }
            "no_response" => {
                keys.only(&["hours"])?;
                Ok(Self { kind: "no_response", hours: Some(keys.hours("hours")?), ..blank })
            }
            "customer_rating" => {
                keys.only(&["rating", "operator"])?;
                let rating = keys.integer("rating").and_then(|rating| i32::try_from(rating).ok());
                let rating = rating.filter(|rating| (1..=5).contains(rating));
                let rating = rating.ok_or("condition: rating must be a number from 1 to 5")?;
                Ok(Self { kind: "customer_rating", rating: Some(rating), operator: Some(keys.operator()?), ..blank })
            }
            _ => Err("condition_type is none that is known".to_owned()),
        }
    }
}

impl Action {
    fn read(kind: &str, json: Value) -> Result<Self, Wrong> {
        let keys = Keys::of("action", &json)?;
        let kind = match kind {
            "notify_manager" => {
                keys.only(&["message"])?;
                keys.text("message")?;
                "notify_manager"
            }
            "reassign_ticket" => {
                keys.only(&["userId", "teamId"])?;
                if ["userId", "teamId"].iter().all(|key| keys.get(key).is_none()) {
                    return Err("action: userId or teamId must be there".to_owned());
                }
                for key in ["userId", "teamId"] {
                    if keys.get(key).is_some() && keys.integer(key).is_none_or(|id| id < 1) {
                        return Err(format!("action: {key} must be an id"));
                    }
                }
                "reassign_ticket"
            }
            "increase_priority" => {
                keys.only(&[])?;
                "increase_priority"
            }
            "add_follower" => {
                keys.only(&["userIds"])?;
                keys.list("userIds", |value| value.as_i64().filter(|id| *id > 0), "ids of users")?;
                "add_follower"
            }
            "send_email" => {
                keys.only(&["recipients", "subject", "message"])?;
                keys.list("recipients", |value| value.as_str().filter(|text| is_address(text)), "e-mail addresses")?;
                keys.text("subject")?;
                keys.text("message")?;
                "send_email"
            }
            _ => return Err("action_type is none that is known".to_owned()),
        };
        Ok(Self { kind, json })
    }

    /// The users and the team that it names.
    pub fn targets(&self) -> (Vec<i64>, Option<i64>) {
        let one = |key: &str| self.json.get(key).and_then(Value::as_i64);
        let many = self.json.get("userIds").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_i64);
        (many.chain(one("userId")).collect(), one("teamId"))
    }

    /// Whether it changes what a condition looks at.
    pub fn changes_conditions(&self) -> bool {
        self.kind == "increase_priority"
    }

    /// Whether later rules see what it changes.
    pub fn is_seen(&self) -> bool {
        ["increase_priority", "reassign_ticket"].contains(&self.kind)
    }

    /// The CTEs `acted` and `told` of `escalate_tickets.sql`.
    pub fn sql(&self) -> String {
        const NOBODY_TOLD: &str = include_str!("actions/nobody_told.part.sql");
        let quiet = |acted: &str| format!("{acted},\n{NOBODY_TOLD}");
        match self.kind {
            "notify_manager" => include_str!("actions/notify_manager.part.sql").to_owned(),
            "send_email" => include_str!("actions/send_email.part.sql").to_owned(),
            "reassign_ticket" => quiet(include_str!("actions/reassign_ticket.part.sql").trim_end()),
            "increase_priority" => quiet(include_str!("actions/increase_priority.part.sql").trim_end()),
            _ => quiet(include_str!("actions/add_follower.part.sql").trim_end()),
        }
    }
}

fn is_address(text: &str) -> bool {
    let mut parts = text.split('@');
    let both = [parts.next(), parts.next()].iter().all(|part| part.is_some_and(|part| !part.is_empty()));
    both && parts.next().is_none() && !text.contains(|letter: char| letter.is_whitespace() || letter.is_control())
}

/// The keys of a condition or an action.
struct Keys<'a> {
    of: &'static str,
    map: &'a Map<String, Value>,
}

impl<'a> Keys<'a> {
    fn of(of: &'static str, json: &'a Value) -> Result<Self, Wrong> {
        json.as_object().map(|map| Self { of, map }).ok_or_else(|| format!("{of} must be a JSON object"))
    }

    /// Refuses what nobody would look at: most likely it is misspelt.
    fn only(&self, known: &[&str]) -> Result<(), Wrong> {
        if self.map.keys().all(|key| known.contains(&key.as_str())) {
            return Ok(());
        }
        Err(match known {
            [] => format!("{}: must be empty", self.of),
            known => format!("{}: holds a key that is none of {}", self.of, known.join(", ")),
        })
    }

    /// JSON's null is as good as nothing.
    fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    fn integer(&self, key: &str) -> Option<i64> {
        self.get(key).and_then(Value::as_i64)
    }

    fn hours(&self, key: &str) -> Result<f64, Wrong> {
        let hours = self.get(key).and_then(Value::as_f64).filter(|hours| (0.0..=HOURS_MAX).contains(hours));
        hours.ok_or_else(|| format!("{}: {key} must be a number of hours from 0 to {HOURS_MAX}", self.of))
    }

    fn text(&self, key: &str) -> Result<&'a str, Wrong> {
        let text = self.get(key).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
        text.ok_or_else(|| format!("{}: {key} must be a text that is not empty", self.of))
    }

    fn one_of(&self, key: &str, known: &[&str]) -> Result<String, Wrong> {
        let name = self.get(key).and_then(Value::as_str).filter(|name| known.contains(name));
        name.map(str::to_owned).ok_or_else(|| format!("{}: {key} must be one of {}", self.of, known.join(", ")))
    }

    fn list<T>(&self, key: &str, read: impl Fn(&'a Value) -> Option<T>, what: &str) -> Result<Vec<T>, Wrong> {
        let items = self.get(key).and_then(Value::as_array).filter(|items| !items.is_empty());
        let items = items.and_then(|items| items.iter().map(read).collect());
        items.ok_or_else(|| format!("{}: {key} must be a list of {what}", self.of))
    }

    fn operator(&self) -> Result<&'static str, Wrong> {
        match self.get("operator").and_then(Value::as_str) {
            Some("<" | "lt") => Ok("<"),
            Some("<=" | "lte") => Ok("<="),
            Some("=" | "==" | "eq") => Ok("="),
            Some(">=" | "gte") => Ok(">="),
            Some(">" | "gt") => Ok(">"),
            _ => Err(format!("{}: operator must be one of <, <=, =, >=, >", self.of)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn conditions_are_read_or_refused_without_their_values() {
        let good = [
            ("sla_breach", json!({"thresholdHours": 0})),
            ("sla_breach", json!({"thresholdHours": 2.5})),
            ("time_in_status", json!({"status": "WAITING", "hours": 24})),
            ("priority_level", json!({"priorities": ["HIGH", "URGENT"]})),
            ("no_response", json!({"hours": 87600})),
            ("customer_rating", json!({"rating": 1, "operator": "lte"})),
        ];
        for (kind, json) in good {
            assert!(Condition::read(kind, &json).is_ok_and(|condition| condition.kind == kind), "{kind} {json}");
        }
        let bad = [
            ("sla_breach", json!({})),
            ("sla_breach", json!([])),
            ("sla_breach", json!({"thresholdHours": -1})),
            ("sla_breach", json!({"thresholdHours": "CANARY"})),
            ("sla_breach", json!({"thresholdHours": 1, "CANARY": 1})),
            ("time_in_status", json!({"status": "CLOSED", "hours": 1})),
            ("time_in_status", json!({"status": "OPEN"})),
            ("priority_level", json!({"priorities": []})),
            ("priority_level", json!({"priorities": ["HIGH", "CANARY"]})),
            ("no_response", json!({"hours": 87600.1})),
            ("customer_rating", json!({"rating": 6, "operator": "<"})),
            ("customer_rating", json!({"rating": 3, "operator": "CANARY"})),
            ("CANARY", json!({})),
        ];
        for (kind, json) in bad {
            let Err(wrong) = Condition::read(kind, &json) else { panic!("{kind} {json}") };
            assert!(!wrong.contains("CANARY"), "{wrong}");
        }
    }

    #[test]
    fn actions_are_read_or_refused_without_their_values() {
        let good = [
            ("notify_manager", json!({"message": "look"})),
            ("reassign_ticket", json!({"userId": 1})),
            ("reassign_ticket", json!({"userId": null, "teamId": 2})),
            ("increase_priority", json!({})),
            ("add_follower", json!({"userIds": [1, 2]})),
            ("send_email", json!({"recipients": ["a@b.example"], "subject": "s", "message": "m"})),
        ];
        for (kind, json) in good {
            assert!(Action::read(kind, json.clone()).is_ok_and(|action| action.kind == kind), "{kind} {json}");
        }
        let bad = [
            ("notify_manager", json!({"message": " "})),
            ("reassign_ticket", json!({})),
            ("reassign_ticket", json!({"userId": "CANARY"})),
            ("reassign_ticket", json!({"userId": 0})),
            ("increase_priority", json!({"CANARY": 2})),
            ("add_follower", json!({"userIds": []})),
            ("add_follower", json!({"userIds": [1, "CANARY"]})),
            ("send_email", json!({"recipients": ["CANARY"], "subject": "s", "message": "m"})),
            ("send_email", json!({"recipients": ["a@b@CANARY"], "subject": "s", "message": "m"})),
            ("send_email", json!({"recipients": ["a @CANARY"], "subject": "s", "message": "m"})),
            ("send_email", json!({"recipients": ["a@b"], "message": "m"})),
            ("CANARY", json!({})),
        ];
        for (kind, json) in bad {
            let Err(wrong) = Action::read(kind, json.clone()) else { panic!("{kind} {json}") };
            assert!(!wrong.contains("CANARY"), "{wrong}");
        }
    }
}
