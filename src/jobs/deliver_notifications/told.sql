-- Notes, of messages that a provider has accepted, that somebody was told of what they are about: in the log of the
-- no-show, the alert, the audit of the case or the history of the ticket that its run has written. A row that another
-- session holds is left out, because the run may not wait for it. Returns the ids of the messages whose rows were.
-- $1 ids of messages int8[]; $2 the instant timestamptz
WITH
told AS MATERIALIZED (
    SELECT n.id, n.type, n.entity, n.entity_id, n.created_at, n.run_id, n.metadata ->> 'rule_id' AS rule_id
    FROM notifications n WHERE n.id = ANY ($1) AND n.status = 'SENT'
),
meant_logs AS MATERIALIZED (
    SELECT l.id, t.id AS message FROM told t
    JOIN no_show_logs l ON l.appointment_id = t.entity_id AND l.triggered_at = t.created_at AND NOT l.notification_sent
    WHERE t.type = 'MISSED_APPOINTMENT'
),
logs AS MATERIALIZED (
    SELECT l.id FROM no_show_logs l WHERE l.id = ANY (ARRAY(SELECT id FROM meant_logs)) AND NOT l.notification_sent
    ORDER BY l.id FOR NO KEY UPDATE SKIP LOCKED
),
logged AS (UPDATE no_show_logs l SET notification_sent = true FROM logs WHERE l.id = logs.id),
meant_alerts AS MATERIALIZED (
    SELECT s.id, t.id AS message FROM told t
    JOIN stage_alerts s ON s.appointment_id = t.entity_id AND s.triggered_at = t.created_at
                       AND 'STAGE_ALERT_' || s.alert_type = t.type AND s.told_at IS NULL
    WHERE t.entity = 'appointment'
),
alerts AS MATERIALIZED (
    SELECT s.id FROM stage_alerts s WHERE s.id = ANY (ARRAY(SELECT id FROM meant_alerts)) AND s.told_at IS NULL
    ORDER BY s.id FOR NO KEY UPDATE SKIP LOCKED
),
alerted AS (UPDATE stage_alerts s SET told_at = $2 FROM alerts WHERE s.id = alerts.id),
meant_audits AS MATERIALIZED (
    SELECT x.id, t.id AS message FROM told t
    JOIN px_case_audits x ON x.case_id = t.entity_id AND x.created_at = t.created_at AND x.run_id = t.run_id
                         AND x.told_at IS NULL
    WHERE t.entity = 'px_case'
),
audits AS MATERIALIZED (
    SELECT x.id FROM px_case_audits x WHERE x.id = ANY (ARRAY(SELECT id FROM meant_audits)) AND x.told_at IS NULL
    ORDER BY x.id FOR NO KEY UPDATE SKIP LOCKED
),
audited AS (UPDATE px_case_audits x SET told_at = $2 FROM audits WHERE x.id = audits.id),
-- Of a ticket, a run may have written the check of its SLA, or one row for each rule.
meant_entries AS MATERIALIZED (
    SELECT h.id, t.id AS message FROM told t
    JOIN ticket_history h ON h.ticket_id = t.entity_id AND h.created_at = t.created_at AND h.run_id = t.run_id
                         AND COALESCE(h.details ->> 'ruleId', '') = COALESCE(t.rule_id, '') AND h.told_at IS NULL
    WHERE t.entity = 'ticket'
),
entries AS MATERIALIZED (
    SELECT h.id FROM ticket_history h WHERE h.id = ANY (ARRAY(SELECT id FROM meant_entries)) AND h.told_at IS NULL
    ORDER BY h.id FOR NO KEY UPDATE SKIP LOCKED
),
entered AS (UPDATE ticket_history h SET told_at = $2 FROM entries WHERE h.id = entries.id)
SELECT message FROM meant_logs WHERE id NOT IN (SELECT id FROM logs)
UNION
SELECT message FROM meant_alerts WHERE id NOT IN (SELECT id FROM alerts)
UNION
SELECT message FROM meant_audits WHERE id NOT IN (SELECT id FROM audits)
UNION
SELECT message FROM meant_entries WHERE id NOT IN (SELECT id FROM entries)
