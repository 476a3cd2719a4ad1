-- Hands over to the triggers of the application what the account says of each appointment beyond the columns of a
-- visit: the setting rounds.practiceq_rows, for this transaction, is an object by external id. It names no person. Each
-- appointment is a line of it, "id": {...}, so that a trigger need not read all of them to find its own.
-- $1 appointments, as clients::practiceq::Appointment serializes them, jsonb
SELECT set_config(
           'rounds.practiceq_rows',
           E'{\n' || coalesce(string_agg(to_json(r.external_id)::text || ': ' || to_jsonb(r)::text, E'\n,\n'), '')
               || E'\n}',
           true) IS NOT NULL AS is_handed_over
FROM jsonb_to_recordset($1)
    AS r (external_id text, starts_at timestamptz, ends_at timestamptz, service_id text, service_name text,
          location_name text, place_of_service text, meeting_url text, practitioner_id text)
