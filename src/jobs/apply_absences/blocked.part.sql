-- Whether a slot of slot.part.sql is to be blocked for the leave, an expression: it is not over, a part of it is inside
-- the leave, and it is not blocked, or it is booked and nothing says that its block is ours: a booking's own block ends
-- with the booking. A slot is freed besides if its visit is CANCELLED, and during an emergency if it has none.
-- The caller provides the expression of being freed.
-- $1 now timestamptz
leave.begins_at < leave.ends_at AND slot.starts_at < leave.ends_at
AND (slot.ends_at > leave.begins_at OR slot.starts_at >= leave.begins_at)
AND slot.ends_at > $1
AND (NOT s.is_blocked OR {freed}
     OR NOT EXISTS (SELECT FROM blocked_slots b WHERE b.slot_id = s.id::text AND b.unblocked_at IS NULL))
