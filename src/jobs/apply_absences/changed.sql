-- Returns the active absences that are not applied in the state that they have.
-- $1 now timestamptz, which decides nothing here · $2 to $6 are the parameters of the rule · $7 only these absences, keys or NULL
SELECT x.id::text AS id
{leaves} AND (x.id = ANY ($7) OR $7 IS NULL)
  AND leave.begins_at IS NOT NULL AND leave.ends_at IS NOT NULL
  AND $1::timestamptz IS NOT NULL
  AND NOT EXISTS (SELECT FROM absence_effects e
                  WHERE e.absence_id = x.id::text AND e.ended_at IS NULL AND e.doctor_id = d.id::text
                    AND e.type = x.type::text AND e.begins_at = leave.begins_at AND e.ends_at = leave.ends_at)
ORDER BY x.id
