-- Returns the active absences with a day or a time that cannot be read.
-- $1 now timestamptz, which decides nothing here · $2 to $6 are the parameters of the rule
SELECT x.id::text AS id
{leaves} AND $1::timestamptz IS NOT NULL
  AND tz.zone IS NOT NULL AND leave.first_day IS NULL
ORDER BY x.id
