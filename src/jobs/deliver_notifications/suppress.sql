-- Notes that a contact may not be written to any more.
-- $1 channel text; $2 address text; $3 reason text; $4 code text; $5 the message int8; $6 the instant timestamptz
INSERT INTO contact_suppressions (channel, address, reason, code, recipient_kind, recipient_id, notification_id,
                                  created_at)
SELECT $1, $2, $3, $4, n.recipient_kind, n.recipient_id, n.id, $6 FROM notifications n WHERE n.id = $5
ON CONFLICT (channel, address) WHERE lifted_at IS NULL DO NOTHING
