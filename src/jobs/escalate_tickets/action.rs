//! The action of a rule: its kind, the JSON that the SQL of that kind reads, and the users and the team that it names.

use serde_json::Value;

use super::keys::{Keys, RuleFault, id};
use crate::clinic::channels::as_preferred;
use crate::clinic::messages::{ENDPOINT_FORM, is_endpoint};
use crate::clinic::{outbox, tickets};
use crate::db::{Key, cut};
use crate::output::visible::is_active;

/// The kind of an action. Each kind has a file in `actions/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionKind {
    NotifyManager,
    ReassignTicket,
    IncreasePriority,
    AddFollower,
    SendEmail,
    SendWebhook,
}

impl ActionKind {
    pub const ALL: [Self; 6] = [
        Self::NotifyManager,
        Self::ReassignTicket,
        Self::IncreasePriority,
        Self::AddFollower,
        Self::SendEmail,
        Self::SendWebhook,
    ];

    /// The text in `escalation_rules.action_type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotifyManager => "notify_manager",
            Self::ReassignTicket => "reassign_ticket",
            Self::IncreasePriority => "increase_priority",
            Self::AddFollower => "add_follower",
            Self::SendEmail => "send_email",
            Self::SendWebhook => "send_webhook",
        }
    }

    fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Whether it changes a value that a condition reads.
    pub fn changes_conditions(self) -> bool {
        self == Self::IncreasePriority
    }

    /// Whether it changes a value that later rules read.
    pub fn is_seen_by_later_rules(self) -> bool {
        matches!(self, Self::IncreasePriority | Self::ReassignTicket)
    }

    /// Whether it writes columns that refer to users or teams.
    pub fn refers(self) -> bool {
        matches!(self, Self::ReassignTicket | Self::AddFollower)
    }

    /// The CTE `outcomes` of apply.sql, and `messages` if it sends any.
    pub fn sql(self) -> String {
        match self {
            Self::NotifyManager => {
                format!(
                    include_str!("actions/notify_manager.part.sql"),
                    message = message(),
                    channels = as_preferred("'NORMAL'")
                )
            }
            Self::SendEmail => format!(include_str!("actions/send_email.part.sql"), message = message()),
            Self::SendWebhook => format!(include_str!("actions/send_webhook.part.sql"), message = message()),
            Self::ReassignTicket => include_str!("actions/reassign_ticket.part.sql").to_owned(),
            Self::IncreasePriority => format!(
                include_str!("actions/increase_priority.part.sql"),
                filed_at = tickets::filed_at("p"),
                policies = tickets::policies_in_force(),
            ),
            Self::AddFollower => include_str!("actions/add_follower.part.sql").to_owned(),
        }
    }

    /// When somebody was told of a ticket of `news` by the run itself, in SQL: in the application.
    pub fn told_at(self) -> &'static str {
        match self {
            Self::NotifyManager => {
                "CASE WHEN id IN (SELECT m.id FROM messages m WHERE m.channel = 'IN_APP') THEN $1 END"
            }
            _ => "NULL",
        }
    }

    /// The CTE `notified` of apply.sql.
    pub fn outbox(self) -> String {
        match self {
            Self::NotifyManager | Self::SendEmail | Self::SendWebhook => {
                include_str!("actions/staged.part.sql").to_owned() + &outbox::notified()
            }
            Self::ReassignTicket | Self::IncreasePriority | Self::AddFollower => {
                include_str!("actions/no_messages.part.sql").to_owned()
            }
        }
    }
}

pub struct Action {
    pub kind: ActionKind,
    /// The parameter of the action's SQL.
    pub json: Value,
    /// The users that it names; after `resolve` those that are there, in the server's own form.
    pub users: Vec<Key>,
    /// The team that it names; after `resolve` None if it is not there.
    pub team: Option<Key>,
}

impl Action {
    pub fn read(kind: &str, json: Value) -> Result<Self, RuleFault> {
        let keys = Keys::of("action", &json)?;
        let Some(kind) = ActionKind::read(kind) else { return Err("action_type is none that is known".to_owned()) };
        let (mut users, mut team) = (vec![], None);
        match kind {
            ActionKind::NotifyManager => {
                keys.only(&["message"])?;
                keys.text("message")?;
            }
            ActionKind::ReassignTicket => {
                keys.only(&["userId", "teamId"])?;
                if ["userId", "teamId"].iter().all(|key| keys.get(key).is_none()) {
                    return Err("action: userId or teamId must be there".to_owned());
                }
                users.extend(keys.id("userId")?);
                team = keys.id("teamId")?;
            }
            ActionKind::IncreasePriority => {
                keys.only(&[])?;
            }
            ActionKind::AddFollower => {
                keys.only(&["userIds"])?;
                users = keys.list("userIds", id, "ids of users")?;
            }
            ActionKind::SendEmail => {
                keys.only(&["recipients", "subject", "message"])?;
                keys.list("recipients", |value| value.as_str().filter(|text| is_address(text)), "e-mail addresses")?;
                keys.line("subject")?;
                keys.text("message")?;
            }
            ActionKind::SendWebhook => {
                keys.only(&["endpoint", "message"])?;
                let endpoint = keys.get("endpoint").and_then(Value::as_str);
                if !endpoint.is_some_and(is_endpoint) {
                    return Err(format!("action: endpoint must be {ENDPOINT_FORM}"));
                }
                if keys.get("message").is_some() {
                    keys.text("message")?;
                }
            }
        }
        Ok(Self { kind, json, users, team })
    }
}

/// The text of the rule's message, in SQL. It is cut before it is repeated for each recipient.
fn message() -> String {
    cut("($14 ->> 'message')", outbox::BODY_MAX)
}

fn is_address(text: &str) -> bool {
    let mut parts = text.split('@');
    let both = [parts.next(), parts.next()].iter().all(|part| part.is_some_and(|part| !part.is_empty()));
    both && parts.next().is_none() && !text.contains(|letter: char| letter.is_whitespace() || is_active(letter))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn actions_are_read_or_refused_without_their_values() {
        let good = [
            ("notify_manager", json!({"message": "look\r\n\there"})),
            ("reassign_ticket", json!({"userId": 1})),
            ("reassign_ticket", json!({"userId": "3f2c8e0a-0000-4000-8000-000000000001"})),
            ("reassign_ticket", json!({"userId": null, "teamId": 2})),
            ("increase_priority", json!({})),
            ("add_follower", json!({"userIds": [1, "2"]})),
            ("send_email", json!({"recipients": ["a@b.example"], "subject": "s", "message": "m"})),
            ("send_webhook", json!({"endpoint": "pager", "message": "m"})),
            ("send_webhook", json!({"endpoint": "on-call_2"})),
        ];
        for (kind, json) in good {
            assert!(Action::read(kind, json.clone()).is_ok_and(|action| action.kind.as_str() == kind), "{kind} {json}");
        }
        let bad = [
            ("notify_manager", json!({"message": " "})),
            ("reassign_ticket", json!({})),
            ("notify_manager", json!({"message": "CANARY\0"})),
            ("notify_manager", json!({"message": "CANARY\u{1b}]52;c;x\u{7}"})),
            ("notify_manager", json!({"message": "CANARY\u{202e}"})),
            ("notify_manager", json!({"message": "CANARY\r"})),
            ("send_email", json!({"recipients": ["a@b"], "subject": "CANARY\nBcc: c", "message": "m"})),
            ("send_email", json!({"recipients": ["a@\u{2066}CANARY"], "subject": "s", "message": "m"})),
            ("reassign_ticket", json!({"userId": ["CANARY"]})),
            ("reassign_ticket", json!({"userId": "CANARY\n"})),
            ("reassign_ticket", json!({"userId": " "})),
            ("reassign_ticket", json!({"userId": 0})),
            ("reassign_ticket", json!({"userId": 1.5})),
            ("increase_priority", json!({"CANARY": 2})),
            ("add_follower", json!({"userIds": []})),
            ("add_follower", json!({"userIds": [1, {"CANARY": 1}]})),
            ("send_email", json!({"recipients": ["CANARY"], "subject": "s", "message": "m"})),
            ("send_email", json!({"recipients": ["a@b@CANARY"], "subject": "s", "message": "m"})),
            ("send_email", json!({"recipients": ["a @CANARY"], "subject": "s", "message": "m"})),
            ("send_email", json!({"recipients": ["a@b"], "message": "m"})),
            ("send_webhook", json!({"message": "m"})),
            ("send_webhook", json!({"endpoint": "https://CANARY.example/x"})),
            ("send_webhook", json!({"endpoint": "CANARY.example"})),
            ("send_webhook", json!({"endpoint": "-CANARY"})),
            ("send_webhook", json!({"endpoint": "pager", "message": "CANARY\0"})),
            ("send_webhook", json!({"endpoint": "pager", "url": "CANARY"})),
            ("CANARY", json!({})),
        ];
        for (kind, json) in bad {
            let Err(fault) = Action::read(kind, json.clone()) else { panic!("{kind} {json}") };
            assert!(!fault.contains("CANARY"), "{fault}");
        }
    }
}
