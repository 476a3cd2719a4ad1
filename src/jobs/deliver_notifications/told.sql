-- Notes, of messages that a provider has accepted, that somebody was told of what they are about: in the log of the
-- no-show, the alert, the audit of the case or the history of the ticket that its run has written. A row that another
-- session holds is left out, because the outcome of a message may not wait for it. Returns how many were.
-- $1 ids of messages int8[]; $2 the instant timestamptz
WITH
told AS MATERIALIZED (
    SELECT n.type, n.entity, n.entity_id, n.created_at, n.run_id, n.metadata ->> 'rule_id' AS rule_id
    FROM notifications n WHERE n.id = ANY ($1) AND n.status = 'SENT'
),
meant_logs AS MATERIALIZED (
    SELECT l.id FROM no_show_logs l
    WHERE NOT l.notification_sent
      AND (l.appointment_id, l.triggered_at)
          IN (SELECT t.entity_id, t.created_at FROM told t WHERE t.type = 'MISSED_APPOINTMENT')
),
logs AS MATERIALIZED (
    SELECT l.id FROM no_show_logs l WHERE l.id = ANY (ARRAY(SELECT id FROM meant_logs)) AND NOT l.notification_sent
    ORDER BY l.id FOR NO KEY UPDATE SKIP LOCKED
),
logged AS (UPDATE no_show_logs l SET notification_sent = true FROM logs WHERE l.id = logs.id),
meant_alerts AS MATERIALIZED (
    SELECT s.id FROM stage_alerts s
    WHERE s.told_at IS NULL
      AND (s.appointment_id, s.triggered_at, 'STAGE_ALERT_' || s.alert_type)
          IN (SELECT t.entity_id, t.created_at, t.type FROM told t WHERE t.entity = 'appointment')
),
alerts AS MATERIALIZED (
    SELECT s.id FROM stage_alerts s WHERE s.id = ANY (ARRAY(SELECT id FROM meant_alerts)) AND s.told_at IS NULL
    ORDER BY s.id FOR NO KEY UPDATE SKIP LOCKED
),
alerted AS (UPDATE stage_alerts s SET told_at = $2 FROM alerts WHERE s.id = alerts.id),
meant_audits AS MATERIALIZED (
    SELECT x.id FROM px_case_audits x
    WHERE x.told_at IS NULL
      AND (x.case_id, x.created_at, x.run_id)
          IN (SELECT t.entity_id, t.created_at, t.run_id FROM told t WHERE t.entity = 'px_case')
),
audits AS MATERIALIZED (
    SELECT x.id FROM px_case_audits x WHERE x.id = ANY (ARRAY(SELECT id FROM meant_audits)) AND x.told_at IS NULL
    ORDER BY x.id FOR NO KEY UPDATE SKIP LOCKED
),
audited AS (UPDATE px_case_audits x SET told_at = $2 FROM audits WHERE x.id = audits.id),
-- Of a ticket, a run may have written the check of its SLA, or one row for each rule.
meant_entries AS MATERIALIZED (
    SELECT h.id FROM ticket_history h
    WHERE h.told_at IS NULL
      AND (h.ticket_id, h.created_at, h.run_id, COALESCE(h.details ->> 'ruleId', ''))
          IN (SELECT t.entity_id, t.created_at, t.run_id, COALESCE(t.rule_id, '') FROM told t
              WHERE t.entity = 'ticket')
),
entries AS MATERIALIZED (
    SELECT h.id FROM ticket_history h WHERE h.id = ANY (ARRAY(SELECT id FROM meant_entries)) AND h.told_at IS NULL
    ORDER BY h.id FOR NO KEY UPDATE SKIP LOCKED
),
entered AS (UPDATE ticket_history h SET told_at = $2 FROM entries WHERE h.id = entries.id)
SELECT (SELECT count(*) FROM meant_logs) + (SELECT count(*) FROM meant_alerts) + (SELECT count(*) FROM meant_audits)
     + (SELECT count(*) FROM meant_entries) - (SELECT count(*) FROM logs) - (SELECT count(*) FROM alerts)
     - (SELECT count(*) FROM audits) - (SELECT count(*) FROM entries) AS held
