-- The patient has not come within the timeout. It follows awaited.part.sql. It ends inside the WHERE: continue with
-- AND.
-- $1 now timestamptz
  AND $1 >= visit.starts_at + make_interval(mins => wait.timeout_minutes)
