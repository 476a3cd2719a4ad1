//! What is read of a ticket and a rule for an explanation.

use super::condition::ConditionKind;
use super::pass::{due, ended};
use crate::clinic::local_time::instant;
use crate::clinic::tickets;
use crate::db::statements;

statements! {
    pub TICKET(KEY) = format!(
        "SELECT t.id::text AS id, t.facility_id::text AS facility_id, t.status::text AS status,
                COALESCE(t.status NOT IN ('RESOLVED', 'CLOSED'), false) AS open, sla.due_at
         FROM tickets t\n{}WHERE t.id = $1",
        tickets::due_at()
    );
    pub EXPLAIN[condition: ConditionKind = ConditionKind::ALL.into()]
        (TIMESTAMPTZ, TEXT, TEXT, FLOAT8, TEXT_ARRAY, INT4, TEXT, FLOAT8, TEXT, KEY, TEXT) = format!(
        include_str!("explain.sql"),
        due = due(*condition, ""),
        ended = ended(*condition),
        holds = condition.sql(),
        joins = condition.joins(),
        begins = begins(*condition),
    );
    // $1 to $9 are the parameters of due.part.sql · $10 id of the ticket, a key
    pub IS_DUE[condition: ConditionKind = ConditionKind::ALL.into()]
        (TIMESTAMPTZ, TEXT, TEXT, FLOAT8, TEXT_ARRAY, INT4, TEXT, FLOAT8, TEXT, KEY) =
        format!("SELECT EXISTS (SELECT FROM tickets t\n{} AND t.id = $10) AS due", due(*condition, "").trim_end());
    // The newest ones, in the order of time.
    pub FIRINGS(TEXT) = "SELECT h.rule, h.carried_out, h.created_at, h.run_id
                     FROM (SELECT h.id, h.details ->> 'ruleId' AS rule, h.created_at, h.run_id,
                                  h.action = 'escalation_executed' AS carried_out
                           FROM ticket_history h
                           WHERE h.ticket_id = $1 AND h.action IN ('escalation_executed', 'escalation_failed')
                             AND h.run_id IS NOT NULL
                           ORDER BY h.id DESC LIMIT 20) h
                     ORDER BY h.id";
}

/// The instants at which the condition of a ticket `t` may begin to hold, in SQL: an array.
fn begins(condition: ConditionKind) -> String {
    let after = |at: &str| format!("{at} + make_interval(secs => $4 * 3600)");
    match condition {
        ConditionKind::SlaBreach => format!("ARRAY[{} + interval '1 microsecond']", after("sla.due_at")),
        ConditionKind::TimeInStatus => format!("ARRAY[{}]", after(&instant("t.status_changed_at"))),
        ConditionKind::NoResponse => format!(
            "ARRAY[{}, {}]",
            after(&instant("t.created_at")),
            after(&format!(
                "(SELECT {} FROM ticket_comments c WHERE c.ticket_id = t.id AND c.visible_to_customer AND {})",
                instant("max(c.created_at)"),
                ConditionKind::BY_STAFF.trim_end(),
            )),
        ),
        ConditionKind::PriorityLevel | ConditionKind::CustomerRating => "ARRAY[]::timestamptz[]".to_owned(),
    }
}
