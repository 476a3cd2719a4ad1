-- Unblocks a batch of slots that are outside the leave for which we blocked them. A slot inside another leave stays
-- blocked, for that one. Returns one row: counts and the skipped ids.
-- $1 now timestamptz · $2 facilities whose time zone cannot be read, keys · $3 ids of slots, keys · $4 the same as text[]
-- $5 id of the run uuid
WITH
there AS MATERIALIZED (
    SELECT s.id::text AS id FROM doctor_slots s WHERE s.id = ANY ($3)
),
-- The slots. A slot that another session has locked is left to the next run.
locked AS MATERIALIZED (
    SELECT s.id, s.doctor_id, s.is_booked, s.is_blocked, {slot_day} AS day, {slot_start} AS start_time,
           {slot_end} AS end_time
    FROM doctor_slots s WHERE s.id = ANY ($3) ORDER BY s.id FOR UPDATE SKIP LOCKED
),
standing AS MATERIALIZED (
    SELECT b.id, b.slot_id, b.absence_id, b.was_blocked, b.starts_at, b.ends_at FROM blocked_slots b
    WHERE b.slot_id = ANY ($4) AND b.unblocked_at IS NULL AND b.ends_at > $1
),
-- A slot whose zone cannot be read is left as it is.
judged AS MATERIALIZED (
    SELECT s.id, s.is_booked, s.is_blocked, d.id AS doctor_id, f.id::text AS facility_id, tz.zone, b.id AS block,
           b.absence_id, b.was_blocked, COALESCE(s.day, (b.starts_at AT TIME ZONE tz.zone)::date) AS day,
           COALESCE((s.day + s.start_time) AT TIME ZONE tz.zone, b.starts_at) AS starts_at,
           COALESCE((s.day + CASE WHEN s.end_time > s.start_time THEN 0 ELSE 1 END + s.end_time) AT TIME ZONE tz.zone,
                    b.ends_at) AS ends_at
    FROM locked s
    JOIN standing b ON b.slot_id = s.id::text
    JOIN doctors d ON d.id = s.doctor_id
    JOIN facilities f ON f.id = d.facility_id
    CROSS JOIN LATERAL (SELECT CASE WHEN f.id <> ALL ($2) THEN f.time_zone::text END AS zone) tz
    WHERE tz.zone IS NOT NULL
),
-- What covers it now; its own leave, if it still does.
covered AS MATERIALIZED (
    SELECT DISTINCT ON (s.id) s.id, s.block, s.absence_id AS before, leave.absence_id, s.facility_id, s.doctor_id
    FROM judged s
    CROSS JOIN LATERAL (
        SELECT x.id::text AS absence_id, absence.begins_at
        {absences} AND absence.begins_at < absence.ends_at AND s.starts_at < absence.ends_at
          AND (s.ends_at > absence.begins_at OR s.starts_at >= absence.begins_at)
    ) leave
    ORDER BY s.id, leave.absence_id = s.absence_id DESC, leave.begins_at, leave.absence_id
),
free AS MATERIALIZED (
    SELECT j.* FROM judged j WHERE j.id NOT IN (SELECT id FROM covered)
),
-- The block of a booking ends with the booking.
unblocked AS (
    UPDATE doctor_slots s SET is_blocked = false FROM free
    WHERE s.id = free.id AND free.is_blocked AND NOT (free.was_blocked AND free.is_booked)
    RETURNING s.id
),
ended AS (
    UPDATE blocked_slots b SET unblocked_at = $1 FROM standing
    WHERE b.id = standing.id
      AND (b.id IN (SELECT block FROM free) OR standing.slot_id NOT IN (SELECT id FROM there))
    RETURNING b.slot_id
),
known AS (
    INSERT INTO absence_effects (absence_id, facility_id, doctor_id, seen_at)
    SELECT DISTINCT c.absence_id, c.facility_id, c.doctor_id::text, $1 FROM covered c WHERE c.absence_id <> c.before
    ON CONFLICT (absence_id) DO NOTHING
),
handed_over AS (
    UPDATE blocked_slots b SET absence_id = c.absence_id, run_id = $5 FROM covered c
    WHERE b.id = c.block AND c.absence_id <> c.before
    RETURNING b.slot_id
),
done AS MATERIALIZED (
    SELECT slot_id AS id FROM ended UNION SELECT slot_id FROM handed_over
)
SELECT (SELECT count(*) FROM ended) AS ended,
       (SELECT count(*) FROM unblocked) AS unblocked,
       (SELECT count(*) FROM handed_over) AS handed_over,
       ARRAY(SELECT asked.id FROM unnest($4) AS asked (id)
             WHERE asked.id IN (SELECT id FROM there) AND asked.id NOT IN (SELECT l.id::text FROM locked l)) AS locked,
       ARRAY(SELECT asked.id FROM unnest($4) AS asked (id)
             WHERE asked.id NOT IN (SELECT id FROM done)
               AND (asked.id NOT IN (SELECT id FROM there) OR asked.id IN (SELECT l.id::text FROM locked l))) AS changed
