//! A rule of the database, checked: its condition and its action.

use serde_json::Value;
use tokio_postgres::Transaction;

use super::action::{Action, ActionKind};
use super::condition::{Condition, ConditionKind};
use super::keys::{HOURS_MAX, RuleFault};
use crate::db::{Key, Row, decodable, decodable_name, statements};
use crate::error::{Error, ErrorKind};
use crate::json;
use crate::run::count;

/// The definition of a rule `r`, in SQL.
pub const DEFINITION: &str = include_str!("definition.part.sql");

statements! {
    RULES(BOOL) = format!(
        include_str!("rules.sql"),
        condition_type = decodable_name("r.condition_type"),
        condition = json_text("r.condition"),
        action_type = decodable_name("r.action_type"),
        action = json_text("r.action"),
        definition = DEFINITION.trim_end(),
    );
    COUNT_OPEN(KEY) = "SELECT count(*) AS open FROM tickets t
                       WHERE t.status NOT IN ('RESOLVED', 'CLOSED') AND (t.facility_id = $1 OR $1 IS NULL)";
}

/// The longest condition and the longest action, in bytes: all rules are in memory at once.
const JSON_MAX: usize = 64 << 10;

/// A condition or an action as text, in SQL: of one that is too long only its beginning, which shows that.
fn json_text(column: &str) -> String {
    decodable(&format!("left({column}::text, {})", JSON_MAX + 1))
}

/// A rule that can be carried out.
pub struct Rule {
    pub id: Key,
    pub active: bool,
    pub condition: Condition,
    /// Condition and action as one text, by which a changed rule is recognised.
    pub definition: String,
    /// The hours after which the rule fires again within one episode.
    pub cooldown_hours: Option<f64>,
    pub action: Action,
}

/// A rule that cannot be carried out, with its error.
pub struct Malformed {
    pub id: Key,
    pub active: bool,
    pub error: Error,
}

impl Rule {
    pub fn read(row: &Row) -> Result<Self, Malformed> {
        let (id, active) = (row.get("id"), row.get("active"));
        Self::try_read(row).map_err(|fault| {
            let error = Error::new("MALFORMED_RULE", ErrorKind::Data, format!("{fault}; the rule was skipped"));
            Malformed { id, active, error }
        })
    }

    /// Whether a ticket's date by a policy matters to it.
    pub fn reads_policies(&self) -> bool {
        self.condition.kind == ConditionKind::SlaBreach || self.action.kind == ActionKind::IncreasePriority
    }

    fn try_read(row: &Row) -> Result<Self, RuleFault> {
        // The database accepts numbers and nesting that serde_json cannot read, and a text may be no JSON at all.
        let value = |column| {
            let text = row.get::<_, Option<&str>>(column).unwrap_or("null");
            if text.len() > JSON_MAX {
                return Err(format!("{column}: longer than {} KiB", JSON_MAX >> 10));
            }
            if json::too_deep(text.as_bytes()) {
                return Err(format!("{column}: nested too deep"));
            }
            serde_json::from_str::<Value>(text).map_err(|_| format!("{column}: cannot be read"))
        };
        let kind = |column| row.get::<_, Option<&str>>(column).unwrap_or_default();
        let cooldown_hours: Option<f64> = row.get("cooldown_hours");
        if cooldown_hours.is_some_and(|hours| !(0.0..=HOURS_MAX).contains(&hours)) {
            return Err(format!("cooldown_hours must be a number of hours from 0 to {HOURS_MAX}"));
        }
        Ok(Self {
            id: row.get("id"),
            active: row.get("active"),
            definition: row.get("definition"),
            condition: Condition::read(kind("condition_type"), &value("condition")?)?,
            cooldown_hours,
            action: Action::read(kind("action_type"), value("action")?)?,
        })
    }
}

/// The rules, in their order.
pub struct RuleBook {
    pub rules: Vec<Rule>,
    /// Rules that cannot be carried out.
    pub malformed: Vec<Malformed>,
    /// The number of open tickets.
    pub open: u64,
}

impl RuleBook {
    /// Reads the active rules, or all, and counts the open tickets, of that facility if there is one.
    pub async fn read(tx: &Transaction<'_>, all: bool, facility: Option<&Key>) -> Result<Self, Error> {
        let mut book = Self { rules: vec![], malformed: vec![], open: 0 };
        for row in &RULES.all(tx, &[&all]).await? {
            match Rule::read(row) {
                Ok(rule) => book.rules.push(rule),
                Err(malformed) => book.malformed.push(malformed),
            }
        }
        book.open = count(&COUNT_OPEN.one(tx, &[&facility]).await?, "open");
        Ok(book)
    }
}
