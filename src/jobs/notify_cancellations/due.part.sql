-- The rest of the rule: the cancellation is not in the ledger yet, or a slot still has the visit. It follows
-- cancelled.part.sql, and needs seen.part.sql among the joins. It ends inside the WHERE: continue with AND.
  AND visit.starts_at IS NOT NULL
  AND (seen.id IS NULL OR EXISTS (SELECT FROM doctor_slots s WHERE s.appointment_id = a.id))
