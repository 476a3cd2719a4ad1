-- Undoes marks: the visits become what they were, their slots are booked again where these are free, notices that were
-- not sent yet expire, and the log says who did it. Returns a row for each mark: what was done, or why nothing was.
-- $1 now timestamptz · $2 marks bigint[], ids of no_show_logs · $3 their visits, keys · $4 their slots, keys
-- $5 reason text · $6 actor text, the id of a user · $7 facility or NULL for all, a key
WITH
marks AS MATERIALIZED (
    SELECT l.id, l.appointment_id, l.visit_start, l.status_before, l.slot_released, l.slot_id,
           l.slot_blocked_before, l.slot_blocked_after, l.triggered_at, l.undone_at, l.undone_by,
           EXISTS (SELECT FROM no_show_logs o WHERE o.appointment_id = l.appointment_id AND o.id > l.id) AS is_followed
    FROM no_show_logs l WHERE l.id = ANY ($2)
),
-- The visits, locked as the job locks them: the slots come after them.
locked AS MATERIALIZED (
    SELECT a.id, a.facility_id, a.doctor_id, a.status, a.appointment_date, a.start_time
    FROM appointments a WHERE a.id = ANY ($3) ORDER BY a.id FOR NO KEY UPDATE SKIP LOCKED
),
-- Why a mark is not undone; the first reason counts, so that nobody learns the state of another facility's visits.
judged AS MATERIALIZED (
    SELECT m.*, v.id AS visit, v.doctor_id, v.status::text AS status,
           CASE WHEN v.id IS NULL AND EXISTS (SELECT FROM appointments a
                                              WHERE a.id = ANY ($3) AND a.id::text = m.appointment_id) THEN 'LOCKED'
                WHEN v.id IS NULL THEN 'DELETED'
                WHEN NOT COALESCE(v.facility_id = $7 OR $7 IS NULL, false) THEN 'ELSEWHERE'
                WHEN m.undone_at IS NOT NULL THEN 'UNDONE'
                WHEN v.status IS NULL OR v.status <> 'NO_SHOW' THEN 'CHANGED'
                WHEN m.is_followed THEN 'MARKED_AGAIN'
                WHEN m.status_before IS NULL THEN 'NOT_KEPT'
                -- By the facility's clock: a zone that is corrected moves no visit.
                WHEN {day} + {start_time} IS DISTINCT FROM m.visit_start THEN 'MOVED' END AS refusal
    FROM marks m
    LEFT JOIN locked v ON v.id::text = m.appointment_id
),
-- The slots that were made free; FOR UPDATE, because appointment_id is unique.
slots AS MATERIALIZED (
    SELECT s.id, s.doctor_id, s.is_booked, s.is_blocked, s.appointment_id, {slot_day} AS day,
           {slot_start} AS start_time, {slot_end} AS end_time
    FROM doctor_slots s
    WHERE s.id = ANY ($4) AND s.id::text IN (SELECT j.slot_id FROM judged j WHERE j.refusal IS NULL)
    ORDER BY s.id FOR UPDATE SKIP LOCKED
),
-- The marks whose slot no other session has locked. A visit without its slot could be undone but once.
allowed AS MATERIALIZED (
    SELECT j.* FROM judged j
    WHERE j.refusal IS NULL
      AND NOT EXISTS (SELECT FROM doctor_slots o
                      WHERE o.id = ANY ($4) AND o.id::text = j.slot_id AND o.id NOT IN (SELECT id FROM slots))
),
-- The rows that were really changed; the following CTEs use only these.
undone AS (
    UPDATE appointments a
    SET status = CASE j.status_before WHEN 'SCHEDULED' THEN 'SCHEDULED' WHEN 'CONFIRMED' THEN 'CONFIRMED'
                                      WHEN 'CHECKED_IN' THEN 'CHECKED_IN' ELSE a.status END,
        updated_at = $1
    FROM allowed j
    WHERE a.id = j.visit AND a.status = 'NO_SHOW'
    RETURNING a.id, j.id AS mark, j.doctor_id, j.visit_start, j.slot_id, j.slot_released, j.slot_blocked_before,
              j.slot_blocked_after, j.triggered_at
),
-- What becomes of the slot of each.
fates AS MATERIALIZED (
    SELECT u.*, s.id AS slot,
           CASE WHEN NOT u.slot_released THEN 'kept'
                WHEN u.slot_id IS NULL THEN 'none'
                WHEN s.id IS NULL THEN 'deleted'
                WHEN s.is_booked OR s.appointment_id IS NOT NULL THEN 'taken'
                WHEN s.is_blocked AND u.slot_blocked_after IS NOT TRUE THEN 'blocked'
                WHEN s.doctor_id IS DISTINCT FROM u.doctor_id THEN 'other_doctor'
                -- A visit may begin within its slot.
                WHEN (u.visit_start >= s.day + s.start_time
                      AND (u.visit_start < s.day + s.end_time OR s.end_time <= s.start_time)) IS NOT TRUE THEN 'moved'
                WHEN EXISTS (SELECT FROM doctor_slots o WHERE o.appointment_id = u.id) THEN 'other_slot'
                ELSE 'booked' END AS fate
    FROM undone u LEFT JOIN slots s ON s.id::text = u.slot_id
),
booked AS (
    UPDATE doctor_slots s
    SET is_booked = true, appointment_id = f.id, is_blocked = COALESCE(f.slot_blocked_before, false)
    FROM fates f WHERE f.fate = 'booked' AND s.id = f.slot AND s.appointment_id IS NULL
    RETURNING f.mark
),
-- The notices of the marks, which were inserted with them, at their instants. All of these are looked up at once,
-- because the index of instants finds pages, and not rows.
of_instants AS MATERIALIZED (
    SELECT n.id, n.created_at, n.entity_id, n.status
    FROM notifications n
    WHERE n.created_at = ANY (ARRAY(SELECT DISTINCT u.triggered_at FROM undone u))
      AND n.entity = 'appointment' AND n.type = 'MISSED_APPOINTMENT'
),
notices AS MATERIALIZED (
    SELECT n.id, u.mark, n.status
    FROM undone u JOIN of_instants n ON n.created_at = u.triggered_at AND n.entity_id = u.id::text
),
-- One that is being sent is locked by another session, and cannot be recalled.
unsent AS MATERIALIZED (
    SELECT n.id FROM notifications n
    WHERE n.id IN (SELECT o.id FROM notices o WHERE o.status = 'PENDING') AND n.status = 'PENDING'
    ORDER BY n.id FOR NO KEY UPDATE SKIP LOCKED
),
expired AS (
    UPDATE notifications n SET status = 'EXPIRED' FROM unsent WHERE n.id = unsent.id
    RETURNING n.id
),
logged AS (
    UPDATE no_show_logs l SET undone_at = $1, undone_by = $6, undo_reason = $5 FROM undone u
    WHERE l.id = u.mark AND l.undone_at IS NULL
    RETURNING l.id
)
SELECT j.appointment_id,
       CASE WHEN j.refusal IS NOT NULL THEN j.refusal
            WHEN j.id NOT IN (SELECT id FROM allowed) THEN 'LOCKED'
            WHEN f.mark IS NULL THEN 'NOT_TAKEN' END AS refusal,
       j.status AS status_now, j.status_before, j.triggered_at, j.undone_at, j.undone_by,
       CASE WHEN f.fate = 'booked' AND j.id NOT IN (SELECT mark FROM booked) THEN 'not_taken' ELSE f.fate END AS slot,
       COALESCE(told.expired, 0) AS notices_expired, COALESCE(told.told, 0) AS notices_told,
       (SELECT count(*) FROM undone) AS undone, (SELECT count(*) FROM logged) AS logged
FROM judged j
LEFT JOIN fates f ON f.mark = j.id
LEFT JOIN (
    SELECT n.mark, count(*) FILTER (WHERE n.id IN (SELECT id FROM expired)) AS expired,
           count(*) FILTER (WHERE n.status IN ('SENT', 'SENDING', 'UNCERTAIN')
                            OR (n.status = 'PENDING' AND n.id NOT IN (SELECT id FROM expired))) AS told
    FROM notices n GROUP BY n.mark
) told ON told.mark = j.id
ORDER BY j.id
