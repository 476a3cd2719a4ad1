-- A condition: the job itself brought the case to its status, and the minimum dwell time has not passed since.
-- The caller provides the relation c, a row of surgical_cases; $1 now timestamptz; and {least}, the minimum dwell time
-- in seconds double precision. It is one EXISTS; the caller may put NOT before it and continue with AND.
EXISTS (SELECT FROM surgical_case_status_history h
        WHERE h.case_id = c.id::text AND h.to_status = c.case_status AND h.run_id IS NOT NULL
          AND h.created_at > $1 - make_interval(secs => {least}))
