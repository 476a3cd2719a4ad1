-- Records what the file changes of providers that are watched, before it is changed. The caller provides the rows
-- that are to be carried out.
-- $1 the file's id bigint
INSERT INTO npi_changes (file_id, npi, change, was, is_now)
SELECT $1, t.npi, c.change, c.was, c.is_now
FROM {rows}
JOIN (SELECT DISTINCT w.npi FROM npi_watch w) w ON w.npi = t.npi
LEFT JOIN npi_data d ON d.npi = t.npi AND d.entity_type = t.old_type
CROSS JOIN LATERAL (
    SELECT d.deactivated_on IS NULL OR COALESCE(d.reactivated_on >= d.deactivated_on, false) AS was_active,
           concat_ws(' ', d.organization_name, d.first_name, d.middle_name, d.last_name) AS old_name,
           concat_ws(' ', s.organization_name, s.first_name, s.middle_name, s.last_name) AS new_name,
           concat_ws(', ', d.practice_address, d.practice_city, d.practice_state, d.practice_zip) AS old_place,
           concat_ws(', ', s.practice_address, s.practice_city, s.practice_state, s.practice_zip) AS new_place,
           concat_ws(', ', d.mailing_address, d.mailing_city, d.mailing_state, d.mailing_zip) AS old_mailing,
           concat_ws(', ', s.mailing_address, s.mailing_city, s.mailing_state, s.mailing_zip) AS new_mailing,
           concat_ws(', ', d.primary_taxonomy,
                     NULLIF(array_to_string(array_remove(d.taxonomies, d.primary_taxonomy), ', '), ''))
               AS old_taxonomy,
           concat_ws(', ', s.primary_taxonomy,
                     NULLIF(array_to_string(array_remove(s.taxonomies, s.primary_taxonomy), ', '), ''))
               AS new_taxonomy,
           t.class = 'C' AND NOT t.bare AS is_full
) v
CROSS JOIN LATERAL (VALUES
    ('LISTED', NULL, v.new_name, t.class = 'I'),
    ('DEACTIVATED', NULL, s.deactivated_on::text, t.class = 'C' AND v.was_active AND t.inactive),
    ('REACTIVATED', NULL, s.reactivated_on::text, t.class = 'C' AND NOT v.was_active AND NOT t.inactive),
    ('NAME', v.old_name, v.new_name, v.is_full AND v.old_name <> v.new_name),
    ('ADDRESS', v.old_place, v.new_place, v.is_full AND v.old_place <> v.new_place),
    ('ADDRESS', 'mail: ' || v.old_mailing, 'mail: ' || v.new_mailing, v.is_full AND v.old_mailing <> v.new_mailing),
    ('TAXONOMY', v.old_taxonomy, v.new_taxonomy, v.is_full AND v.old_taxonomy <> v.new_taxonomy)
) AS c (change, was, is_now, differs)
WHERE t.class IN ('I', 'C') AND c.differs
ORDER BY t.npi
