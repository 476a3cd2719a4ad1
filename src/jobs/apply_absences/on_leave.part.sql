-- Whether a visit of visit.part.sql is inside the leave, in part at least, and not over, an expression.
-- $1 now timestamptz
leave.begins_at < leave.ends_at AND visit.starts_at < leave.ends_at
AND (span.ends_at > leave.begins_at OR visit.starts_at >= leave.begins_at)
AND span.ends_at > $1
