//! The condition of a rule: its kind, and the values that the SQL of that kind takes.

use serde_json::Value;

use super::keys::{Keys, RuleFault};
use crate::clinic::tickets;

const OPEN: [&str; 3] = ["OPEN", "IN_PROGRESS", "WAITING"];
const PRIORITIES: [&str; 4] = ["LOW", "MEDIUM", "HIGH", "URGENT"];

/// The kind of a condition. Each kind has a file in `conditions/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionKind {
    SlaBreach,
    TimeInStatus,
    PriorityLevel,
    NoResponse,
    CustomerRating,
}

impl ConditionKind {
    pub const ALL: [Self; 5] =
        [Self::SlaBreach, Self::TimeInStatus, Self::PriorityLevel, Self::NoResponse, Self::CustomerRating];

    /// The text in `escalation_rules.condition_type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SlaBreach => "sla_breach",
            Self::TimeInStatus => "time_in_status",
            Self::PriorityLevel => "priority_level",
            Self::NoResponse => "no_response",
            Self::CustomerRating => "customer_rating",
        }
    }

    /// The SQL condition that a comment `c` of a ticket `t` is of the staff.
    pub const BY_STAFF: &str = include_str!("conditions/by_staff.part.sql");

    fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The joins of a ticket `t` that the condition needs.
    pub fn joins(self) -> String {
        match self {
            Self::SlaBreach => tickets::due_at(),
            _ => String::new(),
        }
    }

    /// The SQL condition on a ticket `t`.
    pub fn sql(self) -> String {
        match self {
            Self::SlaBreach => include_str!("conditions/sla_breach.part.sql").to_owned(),
            Self::TimeInStatus => include_str!("conditions/time_in_status.part.sql").to_owned(),
            Self::PriorityLevel => include_str!("conditions/priority_level.part.sql").to_owned(),
            Self::NoResponse => {
                format!(include_str!("conditions/no_response.part.sql"), by_staff = Self::BY_STAFF.trim_end(),)
            }
            Self::CustomerRating => include_str!("conditions/customer_rating.part.sql").to_owned(),
        }
    }
}

/// A condition, with the parameters of its file.
pub struct Condition {
    pub kind: ConditionKind,
    pub hours: Option<f64>,
    /// The statuses or priorities.
    pub names: Option<Vec<String>>,
    pub rating: Option<i32>,
    pub operator: Option<&'static str>,
}

impl Condition {
    pub fn read(kind: &str, json: &Value) -> Result<Self, RuleFault> {
        let keys = Keys::of("condition", json)?;
        let Some(kind) = ConditionKind::read(kind) else {
            return Err("condition_type is none that is known".to_owned());
        };
        let blank = Self { kind, hours: None, names: None, rating: None, operator: None };
        match kind {
            ConditionKind::SlaBreach => {
                keys.only(&["thresholdHours"])?;
                Ok(Self { hours: Some(keys.hours_before_or_after("thresholdHours")?), ..blank })
            }
            ConditionKind::TimeInStatus => {
                keys.only(&["status", "hours"])?;
                let status = keys.one_of("status", &OPEN)?;
                Ok(Self { hours: Some(keys.hours("hours")?), names: Some(vec![status]), ..blank })
            }
            ConditionKind::PriorityLevel => {
                keys.only(&["priorities"])?;
                let known = |value: &Value| value.as_str().filter(|name| PRIORITIES.contains(name)).map(str::to_owned);
                let names = keys.list("priorities", known, "some of LOW, MEDIUM, HIGH, URGENT")?;
                Ok(Self { names: Some(names), ..blank })
            }
            ConditionKind::NoResponse => {
                keys.only(&["hours"])?;
                Ok(Self { hours: Some(keys.hours("hours")?), ..blank })
            }
            ConditionKind::CustomerRating => {
                keys.only(&["rating", "operator"])?;
                let rating = keys.integer("rating").and_then(|rating| i32::try_from(rating).ok());
                let rating = rating.filter(|rating| (1..=5).contains(rating));
                let rating = rating.ok_or("condition: rating must be a number from 1 to 5")?;
                Ok(Self { rating: Some(rating), operator: Some(keys.operator()?), ..blank })
            }
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
            ("sla_breach", json!({"thresholdHours": -87600})),
            ("time_in_status", json!({"status": "WAITING", "hours": 24})),
            ("priority_level", json!({"priorities": ["HIGH", "URGENT"]})),
            ("no_response", json!({"hours": 87600})),
            ("customer_rating", json!({"rating": 1, "operator": "lte"})),
        ];
        for (kind, json) in good {
            let condition = Condition::read(kind, &json);
            assert!(condition.is_ok_and(|condition| condition.kind.as_str() == kind), "{kind} {json}");
        }
        let bad = [
            ("sla_breach", json!({})),
            ("sla_breach", json!([])),
            ("sla_breach", json!({"thresholdHours": -87600.1})),
            ("no_response", json!({"hours": -1})),
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
            let Err(fault) = Condition::read(kind, &json) else { panic!("{kind} {json}") };
            assert!(!fault.contains("CANARY"), "{fault}");
        }
    }
}
