-- The rule, over candidates `c`: whether the job itself brought a case here, and less than the least dwell ago.
-- {least} is the least dwell, seconds double precision.
EXISTS (SELECT FROM surgical_case_status_history h
        WHERE h.case_id = c.id AND h.to_status = c.case_status AND h.run_id IS NOT NULL
          AND h.created_at > $1 - make_interval(secs => {least}))
