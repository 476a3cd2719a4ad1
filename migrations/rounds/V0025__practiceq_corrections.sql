-- A link of a client that a person took back: the sync does not find it again by itself. And how long a note that a client
-- is nobody's is of use.
ALTER TABLE practiceq_clients
    ADD COLUMN waits boolean NOT NULL DEFAULT false,
    ADD CHECK (NOT waits OR patient_id IS NULL);
-- Since when nothing comes of a client who is nobody's, so that the note of it can go.
ALTER TABLE practiceq_clients ADD COLUMN seen_at timestamptz;
UPDATE practiceq_clients SET seen_at = created_at;
ALTER TABLE practiceq_clients
    ALTER COLUMN seen_at SET NOT NULL,
    ALTER COLUMN seen_at SET DEFAULT clock_timestamp();

COMMENT ON COLUMN practiceq_clients.patient_id IS
    'The key of the patient; NULL: nobody of the clinic, which a person said, or nobody knows, where it waits.';
COMMENT ON COLUMN practiceq_clients.seen_at IS
    'When it was linked, or, of one who is nobody''s, when something of it was read last, to a month.';
COMMENT ON COLUMN practiceq_clients.waits IS
    'A person took the link back: until the next decision all appointments of the client wait for a person.';
