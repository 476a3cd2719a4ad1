//! `escalate-tickets`: its statements as a script, and the loop that an application would have.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio_postgres::types::Type;
use tokio_postgres::{Error, NoTls};

use crate::AS_OF;
use crate::harness::{Harness, RUN, Script, ScriptFile, literal, skipped_columns};
use crate::process::{output, psql};

const RULES: &str = include_str!("../../src/jobs/escalate_tickets/rules.sql");
const DUE_AT: &str = include_str!("../../src/clinic/due_at.part.sql");
const DUE: &str = include_str!("../../src/jobs/escalate_tickets/due.part.sql");
const OVER: &str = include_str!("../../src/jobs/escalate_tickets/ended.part.sql");
const FIRE: &str = include_str!("../../src/jobs/escalate_tickets/apply.sql");
const NO_MESSAGES: &str = include_str!("../../src/jobs/escalate_tickets/actions/no_messages.part.sql");
const OUTBOX: &str = include_str!("../../src/clinic/outbox.part.sql");
const OPEN: &str = "SELECT count(*) AS open FROM tickets t WHERE t.status NOT IN ('RESOLVED', 'CLOSED')";

/// A rule, its parameters as literals, and the tickets for which it fires.
pub struct Rule {
    parameters: Vec<String>,
    action: String,
    json: String,
    pub due: Vec<i64>,
}

impl Rule {
    fn literal(&self, statement: &str, more: &[&str]) -> String {
        let mut values: Vec<&str> = self.parameters.iter().map(String::as_str).collect();
        values.extend(more);
        literal(statement, &values)
    }

    /// A rule over tickets, with this one's condition.
    fn rule(&self, rule: &str) -> String {
        let holds = match self.parameters[2].as_str() {
            "'no_response'::text" => include_str!("../../src/jobs/escalate_tickets/conditions/no_response.part.sql"),
            "'time_in_status'::text" => {
                include_str!("../../src/jobs/escalate_tickets/conditions/time_in_status.part.sql")
            }
            "'sla_breach'::text" => include_str!("../../src/jobs/escalate_tickets/conditions/sla_breach.part.sql"),
            _ => include_str!("../../src/jobs/escalate_tickets/conditions/customer_rating.part.sql"),
        };
        DUE_AT.to_owned() + &rule.replace("{holds}", holds)
    }

    fn scan(&self, rule: &str) -> String {
        self.literal(&format!("SELECT t.id FROM tickets t\n{}ORDER BY t.id LIMIT $10", self.rule(rule)), &["1000001"])
    }

    fn fire(&self) -> String {
        let outcomes = match self.action.as_str() {
            "notify_manager" => {
                include_str!("../../src/jobs/escalate_tickets/actions/notify_manager.part.sql").to_owned()
            }
            "send_email" => include_str!("../../src/jobs/escalate_tickets/actions/send_email.part.sql").to_owned(),
            "reassign_ticket" => {
                format!(
                    "{},\n{NO_MESSAGES}",
                    include_str!("../../src/jobs/escalate_tickets/actions/reassign_ticket.part.sql")
                )
            }
            _ => {
                format!(
                    "{},\n{NO_MESSAGES}",
                    include_str!("../../src/jobs/escalate_tickets/actions/add_follower.part.sql")
                )
            }
        };
        FIRE.replace("{due}", &self.rule(DUE))
            .replace("{action}", &outcomes)
            .replace("{outbox}", OUTBOX)
            .replace("{skipped_columns}", &skipped_columns("$10", "locked", "outcomes", "tickets"))
    }
}

/// The rules of the filled database.
pub fn rules(harness: &Harness) -> Vec<Rule> {
    let query = format!(
        "SELECT r.id, quote_literal(r.condition_type),
                coalesce(r.condition ->> 'hours', r.condition ->> 'thresholdHours', 'NULL'),
                coalesce(quote_literal('{{' || (r.condition ->> 'status') || '}}'), 'NULL'),
                coalesce(r.condition ->> 'rating', 'NULL'), coalesce(quote_literal(r.condition ->> 'operator'), 'NULL'),
                r.action_type, quote_literal(r.action), r.definition
         FROM ({}) r",
        literal(RULES, &["false"])
    );
    let text = output(psql(&harness.url()).args(["-F", "\t", "-c", &query]));
    let read = |line: &str| {
        let columns: Vec<&str> = line.split('\t').collect();
        let parameters = vec![
            format!("'{AS_OF}'::timestamptz"),
            format!("{}::bigint", columns[0]),
            format!("{}::text", columns[1]),
            format!("{}::double precision", columns[2]),
            format!("{}::text[]", columns[3]),
            format!("{}::int", columns[4]),
            format!("{}::text", columns[5]),
            "NULL::double precision".to_owned(),
            format!("'{}'::text", columns[8]),
        ];
        let mut rule =
            Rule { parameters, action: columns[6].to_owned(), json: format!("{}::jsonb", columns[7]), due: vec![] };
        rule.due = harness.ids(&rule.scan(DUE));
        rule
    };
    text.lines().map(read).collect()
}

pub fn script(rules: &[Rule]) -> ScriptFile {
    let scans: Vec<String> = rules.iter().flat_map(|rule| [rule.scan(OVER), rule.scan(DUE)]).collect();
    let script = Script::new("escalate-tickets").read(&[&literal(RULES, &["false"]), OPEN]);
    let script = script.read(&scans.iter().map(String::as_str).collect::<Vec<_>>());
    let fired = rules.iter().fold(script, |script, rule| {
        let fire = rule.fire();
        let action = format!("'{}'::text", rule.action);
        script.effects(&rule.due, |ids| rule.literal(&fire, &[ids, RUN, "NULL::bigint", &action, &rule.json]))
    });
    fired.close()
}

const FOLLOW: &str = "INSERT INTO ticket_followers (ticket_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
const REASSIGN: &str = "UPDATE tickets SET team_id = $2, assignee_id = NULL, updated_at = $3 WHERE id = $1";
const NOTIFY: &str =
    "INSERT INTO notifications (recipient_kind, recipient_id, channel, type, priority, title, body, metadata,
                                                 entity, entity_id, dedupe_key, status, sent_at, created_at)
    SELECT 'USER', m.user_id, 'IN_APP', 'TICKET_ESCALATED', 'HIGH', format('Ticket #%s escalated', t.number),
           'Please look at this ticket.', jsonb_build_object('ticket_id', $1::bigint, 'rule_id', $2::bigint), 'ticket',
           $1::bigint::text, concat_ws(':', 'ticket_escalation', $2::bigint, $1::bigint, m.user_id), 'SENT', $3, $3
    FROM tickets t JOIN team_members m ON m.team_id = t.team_id AND m.is_leader WHERE t.id = $1";
const EMAIL: &str = "INSERT INTO notifications (recipient_kind, address, channel, type, priority, title, body, metadata, entity,
                                                entity_id, dedupe_key, status, created_at)
    SELECT 'ADDRESS', 'desk@example.org', 'EMAIL', 'TICKET_ESCALATED', 'HIGH', format('Escalated (ticket #%s)', t.number),
           'Please look.', jsonb_build_object('ticket_id', $1::bigint, 'rule_id', $2::bigint), 'ticket', $1::bigint::text,
           concat_ws(':', 'ticket_escalation', $2::bigint, $1::bigint), 'PENDING', $3
    FROM tickets t WHERE t.id = $1";
const HISTORY: &str = "INSERT INTO ticket_history (ticket_id, action, actor, details, created_at)
                       VALUES ($1, 'escalation_executed', 'system', jsonb_build_object('ruleId', $2::bigint), $3)";
const EPISODE: &str =
    "INSERT INTO escalation_episodes (rule_id, ticket_id, definition, fired_at) VALUES ($2, $1, 'd', $3)";

/// One transaction a ticket, all statements prepared: as many for each kind of action as in the whole.
pub fn one_by_one(url: &str, rules: &[Rule], most: usize) -> (usize, Duration) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    let all: usize = rules.iter().map(|rule| rule.due.len()).sum();
    let (mut fired, began) = (0, Instant::now());
    for rule in rules {
        let ids = &rule.due[..(rule.due.len() * most).div_ceil(all)];
        runtime.block_on(fire(url, rule, ids)).expect("the loop works");
        fired += ids.len();
    }
    (fired, began.elapsed())
}

async fn fire(url: &str, rule: &Rule, ids: &[i64]) -> Result<(), Error> {
    let now: DateTime<Utc> = AS_OF.parse().expect("an instant");
    let number: i64 = rule.parameters[1].trim_end_matches("::bigint").parse().expect("an id");
    let (mut client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    let find = format!("SELECT t.id FROM tickets t\n{}AND t.id = $10 FOR NO KEY UPDATE OF t", rule.rule(DUE));
    let find = client.prepare_typed(&rule.literal(&find, &["{id}"]).replace("{id}", "$1"), &[Type::INT8]).await?;
    let act = match rule.action.as_str() {
        "add_follower" => FOLLOW,
        "reassign_ticket" => REASSIGN,
        "notify_manager" => NOTIFY,
        _ => EMAIL,
    };
    let (act, history, episode) =
        (client.prepare(act).await?, client.prepare(HISTORY).await?, client.prepare(EPISODE).await?);
    for id in ids {
        let tx = client.transaction().await?;
        tx.query_one(&find, &[id]).await?;
        match rule.action.as_str() {
            "add_follower" => tx.execute(&act, &[id, &number]).await?,
            _ => tx.execute(&act, &[id, &number, &now]).await?,
        };
        tx.execute(&history, &[id, &number, &now]).await?;
        tx.execute(&episode, &[id, &number, &now]).await?;
        tx.commit().await?;
    }
    Ok(())
}
