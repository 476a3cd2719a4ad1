-- Brings the ledger of hours to what the clinic has now, for each doctor and day of the week. Returns one row: the
-- number of days whose hours have changed since the last look.
-- $1 now timestamptz · $2 doctors with hours that cannot be read, keys · $3 the same text[] · $4 run id uuid
-- The caller provides the two aggregates, the hash of no hours and the expression of the change.
WITH
own AS MATERIALIZED (
    SELECT w.doctor_id::text AS doctor_id, w.weekday::int AS weekday,
           {hours}
    FROM doctor_schedules w
    WHERE w.weekday BETWEEN 1 AND 7 AND w.doctor_id IS NOT NULL AND w.doctor_id <> ALL ($2)
    GROUP BY w.doctor_id, w.weekday
),
-- All days of each doctor who has or had hours: one without rows has hours too, namely none.
hours AS MATERIALIZED (
    SELECT doctors.doctor_id, days.weekday, COALESCE(own.version, {none}) AS version, own.touched_at
    FROM (SELECT own.doctor_id FROM own
          UNION
          SELECT v.doctor_id FROM schedule_versions v WHERE v.ended_at IS NULL AND v.doctor_id <> ALL ($3)) doctors
    CROSS JOIN generate_series(1, 7) AS days (weekday)
    LEFT JOIN own ON own.doctor_id = doctors.doctor_id AND own.weekday = days.weekday
),
-- The hours are the same, but somebody has touched the rows.
touched AS (
    UPDATE schedule_versions v SET touched_at = hours.touched_at FROM hours
    WHERE v.doctor_id = hours.doctor_id AND v.weekday = hours.weekday AND v.ended_at IS NULL
      AND v.version = hours.version AND v.touched_at IS DISTINCT FROM hours.touched_at
),
ended AS (
    UPDATE schedule_versions v SET ended_at = $1 FROM hours
    WHERE v.doctor_id = hours.doctor_id AND v.weekday = hours.weekday AND v.ended_at IS NULL
      AND v.version <> hours.version
    RETURNING v.id, v.doctor_id, v.weekday, v.version, v.changed_at, v.touched_at
),
-- A row that another run has made at the same moment stays.
begun AS (
    INSERT INTO schedule_versions (doctor_id, weekday, version, changed_at, touched_at, seen_at, run_id)
    SELECT hours.doctor_id, hours.weekday, hours.version, {changed_at}, hours.touched_at, $1, $4
    FROM hours
    LEFT JOIN ended known ON known.doctor_id = hours.doctor_id AND known.weekday = hours.weekday
    WHERE known.id IS NOT NULL
       OR NOT EXISTS (SELECT FROM schedule_versions v
                      WHERE v.doctor_id = hours.doctor_id AND v.weekday = hours.weekday AND v.ended_at IS NULL)
    ORDER BY hours.doctor_id, hours.weekday
    ON CONFLICT (doctor_id, weekday) WHERE ended_at IS NULL DO NOTHING
)
SELECT count(*) AS changed FROM ended
