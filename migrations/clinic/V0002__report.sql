-- What `rounds report` looks at. The first costs a change of a visit nothing: pages and not rows need be told apart.

CREATE INDEX appointments_days ON appointments USING brin (appointment_date);
CREATE INDEX px_cases_open ON px_cases (id)
    WHERE status IN ('OPEN', 'IN_PROGRESS', 'ESCALATED') AND active IS NOT FALSE;
