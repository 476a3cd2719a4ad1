-- Returns how patients can be reached, and the zone-free facts that count before they are written to.
-- $1 their keys
SELECT p.id::text AS id, {phone} AS phone, {email} AS email, COALESCE(p.sms_opt_out, false) AS sms_opt_out
FROM patients p WHERE p.id = ANY ($1)
