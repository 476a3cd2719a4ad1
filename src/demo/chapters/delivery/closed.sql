-- What the clinic's application stages in the evening: ids and counts for an endpoint, as any program may.
INSERT INTO notifications (recipient_kind, address, channel, type, title, body, metadata, entity, entity_id, dedupe_key,
                           status, created_at)
SELECT 'ADDRESS', 'dashboard', 'WEBHOOK', 'DAY_CLOSED', 'The day is closed', 'See the dashboard',
       jsonb_build_object('no_shows', count(a.id) FILTER (WHERE a.status = 'NO_SHOW'),
                          'completed', count(a.id) FILTER (WHERE a.status = 'COMPLETED')),
       'facility', f.id::text, format('DAY_CLOSED:%s', f.id), 'PENDING', {now}
FROM facilities f LEFT JOIN appointments a ON a.facility_id = f.id AND a.appointment_date = {day}
WHERE f.id <= 2
GROUP BY f.id;
