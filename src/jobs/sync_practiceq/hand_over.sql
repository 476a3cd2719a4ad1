-- Hands over to the triggers of the application what the account says of each appointment beyond the columns of a visit:
-- the setting rounds.practiceq_rows, for this transaction, is an object by external id. It names no person.
-- $1 appointments, as clients::practiceq::Appointment serializes them, jsonb
-- The setting is not sent back, because no long result is while the fence is held.
SELECT set_config('rounds.practiceq_rows', coalesce(jsonb_object_agg(r.external_id, to_jsonb(r))::text, '{}'), true)
       IS NOT NULL AS handed_over
FROM jsonb_to_recordset($1)
    AS r (external_id text, starts_at timestamptz, ends_at timestamptz, service_id text, service_name text,
          location_name text, meeting_url text, practitioner_id text)
