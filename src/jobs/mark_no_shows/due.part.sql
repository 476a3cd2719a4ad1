-- The rest of the job's rule: nothing excuses the visit. It follows late.part.sql, and needs excuse.part.sql among the
-- joins. It ends inside the WHERE: continue with AND.
  AND excuse.reason IS NULL
