-- CTEs that record in the ledgers of apply-absences which slots were blocked for a leave, so that they are unblocked when
-- it is withdrawn. A slot that stands there already is left as it is.
-- The caller provides the CTE `own_blocks` (slot_id text, absence_id text, doctor_id text, facility_id text, starts_at,
-- ends_at, was_blocked), in which was_blocked says that its booking had blocked it; and in braces the parameters of the
-- instant and the run. It is a list of CTEs without a comma at the end: continue with a comma.
leaves_known AS (
    INSERT INTO absence_effects (absence_id, facility_id, doctor_id, seen_at)
    SELECT DISTINCT ON (o.absence_id) o.absence_id, o.facility_id, o.doctor_id, {now} FROM own_blocks o
    ORDER BY o.absence_id
    ON CONFLICT (absence_id) DO NOTHING
),
own_blocks_recorded AS (
    INSERT INTO blocked_slots (slot_id, absence_id, doctor_id, starts_at, ends_at, was_blocked, blocked_at, run_id)
    SELECT o.slot_id, o.absence_id, o.doctor_id, o.starts_at, o.ends_at, COALESCE(o.was_blocked, false), {now}, {run}
    FROM own_blocks o ORDER BY o.slot_id
    ON CONFLICT (slot_id) WHERE unblocked_at IS NULL DO NOTHING
)
