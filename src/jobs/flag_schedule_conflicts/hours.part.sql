-- Two aggregates over rows `w` of doctor_schedules, those of one doctor and one day of the week: version, a hash of the
-- hours that hold, and touched_at, the latest time of making or changing. The order of rows and equal rows make no
-- difference.
-- The caller provides the expressions of the times of w. They are the columns of a SELECT; continue with FROM.
encode(sha256(convert_to(COALESCE(
    string_agg(DISTINCT concat_ws(' ', {from}, {to}, {break_from}, {break_to}) COLLATE "C", ',') FILTER (WHERE w.active),
    ''), 'UTF8')), 'hex') AS version,
max(GREATEST({created_at}, {updated_at})) AS touched_at
