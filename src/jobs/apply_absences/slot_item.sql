-- Returns a slot that a run changed: its facility and its start.
-- $1 facilities whose time zone cannot be read, keys · $2 id of the slot, a key
SELECT s.id::text AS id, d.facility_id::text AS facility_id,
       ({slot_day} + {slot_start}) AT TIME ZONE tz.zone AS starts_at
FROM doctor_slots s
JOIN doctors d ON d.id = s.doctor_id
JOIN facilities f ON f.id = d.facility_id
CROSS JOIN LATERAL (SELECT CASE WHEN f.id <> ALL ($1) THEN f.time_zone::text END AS zone) tz
WHERE s.id = $2
