-- Ends what the ledger says of visits that are cancelled no more, before they are cancelled again.
-- $1 now timestamptz · $2 ids of visits, keys
UPDATE visit_cancellations c SET ended_at = $1
FROM appointments a
WHERE a.id = ANY ($2) AND c.appointment_id = a.id::text AND c.ended_at IS NULL AND a.status <> 'CANCELLED'
