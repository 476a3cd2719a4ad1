-- The rest of the rule: the patient has waited long enough. It follows waiting.part.sql.
-- It ends inside the WHERE: continue with AND.
-- $1 now timestamptz
  AND $1 >= alert.since + make_interval(mins => alert.after_minutes)
