-- Stages the notices of changed appointments: the case managers of the patient's organizations are told of a visit that
-- is today or tomorrow, by the facility's clock, and not over, each as they prefer; an e-mail does not name the patient.
-- The caller provides a CTE changes (id text, patient_id, facility_id, zone, kind, old_starts_at, starts_at, modified_at), $2 now
-- timestamptz and $3 run id uuid. CTEs that end with a comma; the caller continues with the outbox.
relevant AS MATERIALIZED (
    SELECT c.*, greatest(c.old_starts_at, c.starts_at) AS until,
           {old_time} AS old_time,
           {new_time} AS new_time
    FROM changes c
    WHERE EXISTS (SELECT FROM unnest(ARRAY[c.old_starts_at, c.starts_at]) AS t (at)
                  WHERE t.at > $2
                    AND (t.at AT TIME ZONE c.zone)::date - ($2 AT TIME ZONE c.zone)::date BETWEEN 0 AND 1)
),
staged AS (
    SELECT DISTINCT 'USER' AS recipient_kind, u.id::text AS recipient_id, NULL::text AS address, notice.channel,
           'APPOINTMENT_CHANGED' AS type, 'HIGH' AS priority,
           CASE c.kind WHEN 'TIME' THEN 'Visit moved' WHEN 'PRACTITIONER' THEN 'Practitioner changed'
                       WHEN 'LINK' THEN 'Meeting link changed' WHEN 'CANCELLED' THEN 'Visit cancelled'
                       WHEN 'DELETED' THEN 'Visit deleted' ELSE 'Visit takes place after all' END AS title,
           format(CASE c.kind WHEN 'TIME' THEN '%s: the visit of %s is now on %s.'
                              WHEN 'PRACTITIONER' THEN '%s: the visit on %3$s is with another practitioner.'
                              WHEN 'LINK' THEN '%s: the visit on %3$s has another meeting link.'
                              WHEN 'CANCELLED' THEN '%s: the visit of %s is cancelled.'
                              WHEN 'DELETED' THEN '%s: the visit of %s is no longer there.'
                              ELSE '%s: the visit on %3$s takes place after all.' END,
                  CASE notice.channel WHEN 'IN_APP' THEN patient.name ELSE 'A patient' END,
                  c.old_time, c.new_time) AS body,
           jsonb_build_object('appointment_id', c.id, 'kind', c.kind, 'starts_at', c.starts_at) AS metadata,
           jsonb_build_object('form', c.kind, 'appointment_id', c.id, 'old_time', c.old_time, 'new_time', c.new_time)
               || CASE notice.channel WHEN 'IN_APP' THEN jsonb_build_object('patient', patient.name) ELSE '{{}}' END
               AS placeholders,
           'appointment' AS entity, c.id AS entity_id, c.facility_id::text AS facility_id,
           -- A version may be deleted for one patient when it becomes another's, and then for that one.
           concat_ws(':', 'practiceq', c.id, c.kind, EXTRACT(epoch FROM c.starts_at),
                     EXTRACT(epoch FROM c.modified_at), CASE c.kind WHEN 'DELETED' THEN c.patient_id::text END)
               AS episode,
           false AS suppressed, c.until AS expires_at, $2 AS staged_at, $3 AS run_id
    FROM relevant c
    JOIN patients p ON p.id = c.patient_id
    CROSS JOIN LATERAL (SELECT format('%s %s', {first_name}, {last_name}) AS name) patient
    JOIN patient_organization_affiliations l ON l.patient_id = c.patient_id AND l.status = 'active'
    JOIN organization_users x ON x.organization_id = l.organization_id AND x.role = 'CASE_MANAGER'
    JOIN users u ON u.id = x.user_id AND u.active
    {channels}
    WHERE notice.wanted
),
