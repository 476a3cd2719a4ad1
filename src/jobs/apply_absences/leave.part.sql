-- A join that adds to an absence `x`, with `tz` (zone), `leave` (first_day, last_day, begins_at, ends_at): the instants
-- between which the doctor is away. All is NULL where a day or a time cannot be read: what nobody knows is not applied.
-- The caller provides the expressions of the days and times of x. Continue with a join or WHERE.
CROSS JOIN LATERAL (
    SELECT {first_day} AS first_day, {last_day} AS last_day, {first_time} AS first_time, {last_time} AS last_time
) written
CROSS JOIN LATERAL (
    SELECT readable.first_day, readable.last_day,
           (readable.first_day + COALESCE(written.first_time, '00:00')) AT TIME ZONE tz.zone AS begins_at,
           (readable.last_day + COALESCE(written.last_time, '24:00')) AT TIME ZONE tz.zone AS ends_at
    FROM (SELECT CASE WHEN known.all_of_it THEN written.first_day END AS first_day,
                 CASE WHEN known.all_of_it THEN written.last_day END AS last_day
          FROM (SELECT written.first_day IS NOT NULL AND written.last_day IS NOT NULL
                       AND (x.start_time IS NULL OR written.first_time IS NOT NULL)
                       AND (x.end_time IS NULL OR written.last_time IS NOT NULL) AS all_of_it) known) readable
    -- So that the instants are computed once, and not wherever they are compared.
    OFFSET 0
) leave
