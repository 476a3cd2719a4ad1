-- A FROM clause for the active absences `x` of a doctor that are not over on a day, and `absence` (begins_at, ends_at),
-- the instants between which the doctor is away. An absence whose first or last day cannot be read has no beginning or
-- no end.
-- The caller provides the expressions of the doctor, of the zone, of a day before that looked at, which spares most
-- absences the computation, and of the days and times of x. It begins with FROM; it ends inside the WHERE: continue with
-- AND.
FROM doctor_absences x
CROSS JOIN LATERAL (
    SELECT COALESCE(({first_day} + COALESCE({first_time}, '00:00')) AT TIME ZONE {zone}, '-infinity') AS begins_at,
           COALESCE(({last_day} + COALESCE({last_time}, '24:00')) AT TIME ZONE {zone}, 'infinity') AS ends_at
) absence
WHERE x.doctor_id = {doctor} AND x.status = 'ACTIVE'
  AND (x.last_day >= {day_before} OR x.last_day IS NULL)
