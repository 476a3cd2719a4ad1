-- Records for a batch of absences that they are applied in the state that they have, or taken back; and tells the admins
-- of the visits that stay, and of those that stay cancelled. Returns one row of counts.
-- $1 to $6 are the parameters of the rule · $7 ids of absences, keys · $8 the same as text[]
-- $9 visits that were cancelled for their doctors, keys · $10 id of the run uuid
WITH
current AS MATERIALIZED (
    SELECT x.id::text AS absence_id, d.id::text AS doctor_id, f.id::text AS facility_id, x.type::text AS type,
           leave.begins_at, leave.ends_at
    {leaves} AND x.id = ANY ($7) AND leave.begins_at IS NOT NULL AND leave.ends_at IS NOT NULL
),
kept AS MATERIALIZED (
    SELECT x.id::text AS absence_id, d.id::text AS doctor_id, d.facility_id::text AS facility_id,
           a.id::text AS appointment_id, visit.day + visit.start_time AS visit_start, visit.starts_at, span.ends_at,
           {doctor} AS doctor
    {visits} AND x.id = ANY ($7) AND {cancels} IS NOT TRUE AND {on_leave}
),
-- Visits that an emergency cancelled which covers them no more.
outside AS MATERIALIZED (
    SELECT v.id, v.absence_id, f.id::text AS facility_id, v.appointment_id, v.visit_start, {doctor} AS doctor
    FROM absence_visits v
    JOIN appointments a ON a.id = ANY ($9) AND a.id::text = v.appointment_id
    JOIN doctors d ON d.id = a.doctor_id
    JOIN facilities f ON f.id = a.facility_id
    CROSS JOIN LATERAL (SELECT CASE WHEN f.id <> ALL ($2) THEN f.time_zone::text END AS zone) tz
    WHERE v.outcome = 'CANCELLED' AND v.outside_at IS NULL AND v.ends_at > $1 AND a.status = 'CANCELLED'
      AND tz.zone IS NOT NULL
      AND NOT EXISTS (SELECT {absences} AND x.type::text = 'EMERGENCY' AND absence.begins_at < v.ends_at
                      AND (absence.ends_at > v.starts_at))
),
-- Who is told of a facility: its HOSPITAL_ADMINs, and those of all facilities.
admins AS MATERIALIZED (
    SELECT place.facility_id, u.id AS user_id, notice.channel
    FROM (SELECT facility_id FROM kept UNION SELECT facility_id FROM outside) place
    JOIN users u ON u.facility_id IS NULL OR u.facility_id::text = place.facility_id
    {channels}
    WHERE u.active AND u.role::text = 'HOSPITAL_ADMIN' AND notice.wanted
),
listed AS (
    INSERT INTO absence_visits (absence_id, appointment_id, doctor_id, outcome, visit_start, starts_at, ends_at, told,
                                noted_at, run_id)
    SELECT k.absence_id, k.appointment_id, k.doctor_id, 'KEPT', k.visit_start, k.starts_at, k.ends_at,
           k.facility_id IN (SELECT facility_id FROM admins), $1, $10
    FROM kept k
    ON CONFLICT (absence_id, appointment_id) WHERE outcome = 'KEPT' DO NOTHING
    RETURNING absence_id
),
taken_back AS (
    UPDATE absence_visits v SET outside_at = $1 FROM outside o
    WHERE v.id = o.id AND v.outside_at IS NULL
    RETURNING v.id
),
-- A list for each absence with something new: of visits that stay booked all, of those that stay cancelled the new ones.
news AS MATERIALIZED (
    SELECT 'ABSENCE_VISITS_KEPT' AS type, k.absence_id, k.facility_id, k.doctor, count(*) AS visits,
           {list_kept} AS list, {json_kept} AS visits_json
    FROM kept k WHERE k.absence_id IN (SELECT absence_id FROM listed)
    GROUP BY k.absence_id, k.facility_id, k.doctor
    UNION ALL
    SELECT 'ABSENCE_VISITS_CANCELLED', o.absence_id, o.facility_id, o.doctor, count(*), {list_outside}, {json_outside}
    FROM outside o WHERE o.id IN (SELECT id FROM taken_back)
    GROUP BY o.absence_id, o.facility_id, o.doctor
),
staged AS (
    SELECT 'USER' AS recipient_kind, r.user_id::text AS recipient_id, NULL::text AS address, r.channel, n.type,
           'NORMAL' AS priority, said.title, said.body,
           jsonb_build_object('absence_id', n.absence_id, 'visits', n.visits_json) AS metadata,
           jsonb_build_object('absence_id', n.absence_id, 'visits', n.visits)
               || CASE r.channel WHEN 'IN_APP' THEN jsonb_build_object('doctor', n.doctor) ELSE '{{}}' END
               AS placeholders,
           'absence' AS entity, n.absence_id AS entity_id, n.facility_id,
           concat_ws(':', lower(n.type), n.absence_id, n.facility_id, $10) AS episode, false AS suppressed,
           NULL::timestamptz AS expires_at, $1 AS staged_at, $10 AS run_id
    FROM news n
    JOIN admins r ON r.facility_id = n.facility_id
    -- An e-mail names nobody.
    CROSS JOIN LATERAL (
        SELECT CASE n.type WHEN 'ABSENCE_VISITS_KEPT' THEN 'Visits during an absence'
                    ELSE 'Visits stay cancelled' END AS title,
               CASE WHEN r.channel = 'IN_APP'
                    THEN format(CASE n.type WHEN 'ABSENCE_VISITS_KEPT'
                                     THEN 'Not cancelled during the leave of Dr. %s: %s (%s).'
                                     ELSE 'Cancelled for an emergency of Dr. %s that is over or changed, and not booked '
                                          'again: %s (%s).' END,
                                n.doctor, CASE n.visits WHEN 1 THEN '1 visit' ELSE n.visits || ' visits' END, n.list)
                    ELSE format(CASE n.type WHEN 'ABSENCE_VISITS_KEPT'
                                     THEN 'Visits that are not cancelled during the leave of a doctor (absence %s): %s.'
                                     ELSE 'Visits that were cancelled for an emergency that is over or changed '
                                          '(absence %s), and stay cancelled: %s.' END, n.absence_id, n.visits) END AS body
    ) said
),
{outbox},
-- Not as long as a slot is blocked for it that is outside of it: the next run unblocks that.
applied AS (
    INSERT INTO absence_effects AS e (absence_id, facility_id, doctor_id, type, begins_at, ends_at, seen_at, applied_at,
                                      run_id)
    SELECT c.absence_id, c.facility_id, c.doctor_id, c.type, c.begins_at, c.ends_at, $1, $1, $10
    FROM current c
    WHERE NOT EXISTS (SELECT FROM blocked_slots b
                      WHERE b.absence_id = c.absence_id AND b.unblocked_at IS NULL AND b.ends_at > $1
                        AND NOT (b.doctor_id = c.doctor_id AND b.starts_at < c.ends_at
                                 AND (b.ends_at > c.begins_at OR b.starts_at >= c.begins_at)))
    ON CONFLICT (absence_id) DO UPDATE
    SET facility_id = EXCLUDED.facility_id, doctor_id = EXCLUDED.doctor_id, type = EXCLUDED.type,
        begins_at = EXCLUDED.begins_at, ends_at = EXCLUDED.ends_at, applied_at = EXCLUDED.applied_at, ended_at = NULL,
        run_id = EXCLUDED.run_id
    WHERE (e.doctor_id, e.type, e.begins_at, e.ends_at, e.ended_at)
          IS DISTINCT FROM (EXCLUDED.doctor_id, EXCLUDED.type, EXCLUDED.begins_at, EXCLUDED.ends_at, NULL::timestamptz)
),
ended AS (
    UPDATE absence_effects e SET ended_at = $1, run_id = $10
    WHERE e.absence_id = ANY ($8) AND e.ended_at IS NULL
      AND NOT EXISTS (SELECT FROM doctor_absences x
                      WHERE x.id = ANY ($7) AND x.id::text = e.absence_id AND x.status = 'ACTIVE')
      AND NOT EXISTS (SELECT FROM blocked_slots b
                      WHERE b.absence_id = e.absence_id AND b.unblocked_at IS NULL AND b.ends_at > $1)
),
undeliverable AS MATERIALIZED (
    SELECT n.absence_id AS id, 'there are visits to be looked at, but nobody was told: there is no active '
                               'HOSPITAL_ADMIN of the facility' AS message
    FROM news n WHERE n.facility_id NOT IN (SELECT facility_id FROM admins)
    GROUP BY n.absence_id
),
{undeliverable_recorded}
SELECT (SELECT count(*) FROM unnest($8) AS asked (id)) AS recorded,
       (SELECT COALESCE(sum(n.visits), 0)::bigint FROM news n WHERE n.type = 'ABSENCE_VISITS_KEPT') AS kept,
       (SELECT COALESCE(sum(n.visits), 0)::bigint FROM news n WHERE n.type <> 'ABSENCE_VISITS_KEPT') AS not_restored,
       (SELECT count(*) FROM notified WHERE status <> 'SUPPRESSED') AS notifications,
       {undeliverable_column}, '{{}}'::text[] AS locked, '{{}}'::text[] AS changed
