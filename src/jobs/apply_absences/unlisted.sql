-- Returns the absences with a visit that stays, and of which nobody was told yet.
-- $1 to $6 are the parameters of the rule
SELECT x.id::text AS id
{visits} AND {cancels} IS NOT TRUE AND {on_leave}
  AND NOT EXISTS (SELECT FROM absence_visits v
                  WHERE v.absence_id = x.id::text AND v.appointment_id = a.id::text AND v.outcome = 'KEPT')
GROUP BY x.id
ORDER BY x.id
