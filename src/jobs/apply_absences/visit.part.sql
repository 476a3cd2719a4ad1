-- A FROM clause for the visits `a` of the days of active absences `x`, with what clinic/visit.part.sql adds, `leave`, and
-- `span` (ends_at): the end of the visit's slot, else its start and the length of the doctor's slots. A leave is at the
-- clock of the visit's facility. Of an imported visit without a doctor nobody knows whose leave it is in.
-- The caller provides the relations of the absences and the visits, the joins, and the expressions of the days of x and
-- of a slot's end. It ends inside the WHERE: continue with AND.
-- $3 to $6 are the parameters of of_doctor.part.sql
FROM {absences} x
JOIN {visits} a ON a.doctor_id = x.doctor_id AND a.appointment_date >= $3
    AND a.appointment_date >= {first_day} - 1 AND a.appointment_date < {last_day} + 1
{visit}
{leave}
{span}
WHERE x.status = 'ACTIVE' AND (x.last_day >= $3 OR x.last_day IS NULL)
  AND x.id <> ALL ($4) AND (x.id = $5 OR $5 IS NULL) AND (f.id = $6 OR $6 IS NULL)
  AND a.status IN ('SCHEDULED', 'CONFIRMED', 'CHECKED_IN')
