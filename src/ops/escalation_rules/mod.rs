//! `rounds escalation-rules check`: validates the rules, and counts the tickets for which each would fire now.

use std::collections::HashMap;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::command::{CommandContext, Operation, Output, listing};
use crate::db::{Key, decodable_name, statements};
use crate::error::Error;
use crate::exit::Exit;
use crate::jobs::escalate_tickets::{Rule, RuleBook, Targets};
use crate::ops::places::told;
use crate::output::counted;
use crate::output::table::{kept, minor};

/// The maximum number of tickets that are counted for a rule.
const COUNTED: i64 = 1_000_000;

/// Look at the escalation rules
#[derive(Args, Debug)]
pub struct EscalationRulesArgs {
    #[command(subcommand)]
    command: EscalationRulesCommand,
}

#[derive(Subcommand, Debug)]
enum EscalationRulesCommand {
    /// Validate all rules, and say for how many tickets each would fire now; exit 3 when one is wrong
    Check,
}

statements! {
    NAMES(KEYS) =
        format!("SELECT r.id::text AS id, {} AS name FROM escalation_rules r WHERE r.id = ANY ($1)", decodable_name("r.name"));
}

/// One rule with its fault, or with the number of tickets for which it would fire.
struct Checked {
    id: Key,
    name: Option<String>,
    active: bool,
    kinds: Option<(&'static str, &'static str)>,
    due: usize,
    wrong: Option<String>,
}

impl Operation for EscalationRulesArgs {
    const NAME: &'static str = "escalation-rules";

    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let EscalationRulesCommand::Check = self.command;
        let (open, rules) = context
            .read(async |tx, now| {
                let book = RuleBook::read(tx, true, None).await?;
                let targets = Targets::read(tx, &book.rules).await?;
                let mut rules = vec![];
                for rule in &book.rules {
                    let due = rule.due(tx, &now, COUNTED, None).await?.ids.len();
                    let kinds = Some((rule.condition.kind.as_str(), rule.action.kind.as_str()));
                    let wrong = missing(&targets, rule);
                    rules.push(Checked { id: rule.id.clone(), name: None, active: rule.active, kinds, due, wrong });
                }
                let malformed = book.malformed.into_iter();
                rules.extend(malformed.map(|malformed| Checked {
                    id: malformed.id,
                    name: None,
                    active: malformed.active,
                    kinds: None,
                    due: 0,
                    wrong: Some(malformed.error.message),
                }));
                let ids: Vec<Key> = rules.iter().map(|rule| rule.id.clone()).collect();
                let names = told(tx, &NAMES, "the rules' names", &ids).await?;
                let names: HashMap<Key, Option<String>> =
                    names.iter().map(|row| (row.get("id"), row.get("name"))).collect();
                for rule in &mut rules {
                    rule.name = names.get(&rule.id).cloned().flatten();
                }
                Ok((book.open, rules))
            })
            .await?;
        let wrong = rules.iter().filter(|rule| rule.wrong.is_some()).count();
        let names = [
            "rule".into(),
            "name".into(),
            "active".into(),
            minor("condition"),
            minor("action"),
            "would fire for".into(),
            kept("wrong"),
        ];
        let mut text = listing(&names, &rules.iter().map(Checked::cells).collect::<Vec<_>>(), "There is no rule.");
        text.push_str(&format!("{}, {wrong} wrong; {}.\n", counted(rules.len(), "rule"), counted(open, "open ticket")));
        let json = json!({
            "tickets_open": open,
            "wrong": wrong,
            "rules": rules.iter().map(Checked::json).collect::<Vec<Value>>(),
        });
        Ok(Output::new(if wrong == 0 { Exit::Done } else { Exit::Partial }, json, text))
    }
}

/// The fault of a rule that names missing or inactive users or teams, so that its action would be refused.
fn missing(targets: &Targets, rule: &Rule) -> Option<String> {
    let missing: Vec<String> = targets.missing(rule).into_iter().collect();
    let who = (!missing.is_empty()).then(|| missing.join(", "))?;
    Some(format!("action: not there or not active: {who}; it would be refused"))
}

impl Checked {
    fn json(&self) -> Value {
        let (condition, action) = self.kinds.unzip();
        json!({
            "id": self.id,
            "name": self.name,
            "active": self.active,
            "ok": self.wrong.is_none(),
            "condition": condition,
            "action": action,
            "would_fire": self.kinds.map(|_| self.due),
            "wrong": self.wrong,
        })
    }

    fn cells(&self) -> Vec<String> {
        let (condition, action) = self.kinds.unwrap_or_default();
        let due = self.kinds.map_or(String::new(), |_| self.due.to_string());
        let wrong = self.wrong.clone().unwrap_or_default();
        vec![
            self.id.to_string(),
            self.name.clone().unwrap_or_default(),
            if self.active { "yes" } else { "" }.to_owned(),
            condition.to_owned(),
            action.to_owned(),
            due,
            wrong,
        ]
    }
}
