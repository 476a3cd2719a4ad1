-- Inserts a message of a test, uncertain until its provider has answered; returns its id.
-- $1 address text · $2 channel text · $3 title text · $4 body text · $5 actor text, the id of a user · $6 key of the test
-- text · $7 now timestamptz · $8 facility text or NULL
INSERT INTO notifications (recipient_kind, address, channel, type, priority, title, body, entity, entity_id, dedupe_key,
                           status, reason, attempts, sending_at, created_at, facility_id)
VALUES ('ADDRESS', $1, $2, 'TEST', 'HIGH', $3, $4, 'user', $5, $6, 'UNCERTAIN', 'TEST', 1, $7, $7, $8)
RETURNING id
