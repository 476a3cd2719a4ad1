-- Plays the actions of staff, patients and doctors since the last stop. A visit that is a no-show by then stays one.
-- $1 since, $2 until timestamptz
WITH
moved AS (
    UPDATE appointments a
    SET status = CASE WHEN s.cancels_at <= $2 THEN 'CANCELLED' WHEN s.completes_at <= $2 THEN 'COMPLETED'
                      WHEN s.begins_at <= $2 THEN 'IN_PROGRESS' ELSE 'CHECKED_IN' END,
        checked_in_at = CASE WHEN s.checks_in_at <= $2 THEN s.checks_in_at END,
        vitals_recorded_at = CASE WHEN s.vitals_at <= $2 THEN s.vitals_at END,
        cancelled_at = CASE WHEN s.cancels_at <= $2 THEN s.cancels_at END,
        cancelled_reason = CASE WHEN s.cancels_at <= $2 THEN 'the patient called' END,
        updated_at = $2
    FROM demo_script s
    WHERE s.appointment_id = a.id
      AND a.status IN ('SCHEDULED', 'CONFIRMED', 'CHECKED_IN', 'IN_PROGRESS')
      AND (   (s.checks_in_at > $1 AND s.checks_in_at <= $2) OR (s.vitals_at > $1 AND s.vitals_at <= $2)
           OR (s.begins_at > $1 AND s.begins_at <= $2) OR (s.completes_at > $1 AND s.completes_at <= $2)
           OR (s.cancels_at > $1 AND s.cancels_at <= $2))
    RETURNING s.*
),
-- The slot of a visit that is called off is free again.
freed AS (
    UPDATE doctor_slots d SET is_booked = false, is_blocked = false, appointment_id = NULL
    FROM moved m WHERE d.appointment_id = m.appointment_id AND m.cancels_at <= $2
)
SELECT count(*) FILTER (WHERE checks_in_at > $1 AND checks_in_at <= $2) AS "checked in",
       count(*) FILTER (WHERE vitals_at > $1 AND vitals_at <= $2) AS "vitals taken",
       count(*) FILTER (WHERE begins_at > $1 AND begins_at <= $2) AS "seen by the doctor",
       count(*) FILTER (WHERE completes_at > $1 AND completes_at <= $2) AS "completed",
       count(*) FILTER (WHERE cancels_at > $1 AND cancels_at <= $2) AS "called off"
FROM moved
