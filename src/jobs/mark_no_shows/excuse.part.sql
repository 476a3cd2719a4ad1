-- A join that adds to a visit `excuse` (reason): why the job leaves the visit alone although its patient has not come
-- within the timeout; NULL: it does not. It follows wait.part.sql.
-- doctor_absent: the visit starts inside an active absence of its doctor, so the clinic deals with it as leave.
-- undone: a person undid a mark of this start, and knows more than the job.
-- The caller provides the absences of the doctor. Continue with a join or WHERE.
CROSS JOIN LATERAL (
    SELECT CASE WHEN EXISTS (SELECT {absences}
                             AND absence.begins_at <= visit.starts_at AND visit.starts_at < absence.ends_at)
                THEN 'doctor_absent'
                WHEN EXISTS (SELECT FROM no_show_logs l
                             WHERE l.appointment_id = a.id::text AND l.undone_at IS NOT NULL
                               AND l.slot_time = visit.starts_at)
                THEN 'undone' END AS reason
) excuse
