-- Classifies each NPI of a staged file; the merge keeps the result in the temporary table npi_todo. It has one row an
-- NPI, of the last of its rows in the main file. {stage} is the staging table, {end} the last day of the file's period.
-- class: I insert, C change, U unchanged, O older than the stored row.
-- bare: the line says only that the NPI is deactivated.
WITH
-- NPIs with more than one line, and the last of these lines.
repeated AS MATERIALIZED (
    SELECT s.npi, max(s.line) AS line FROM {stage} s WHERE s.line > 0 AND s.reject IS NULL GROUP BY s.npi HAVING count(*) > 1
),
-- The last line of each NPI.
latest AS (
    SELECT s.* FROM {stage} s
    WHERE s.line > 0 AND s.reject IS NULL AND NOT EXISTS (SELECT FROM repeated r WHERE r.npi = s.npi AND r.line > s.line)
)
SELECT s.line, s.npi, s.bare, k.entity_type AS old_type, j.new_type, d.letter AS old_letter, j.new_letter,
       CASE WHEN k.npi IS NULL THEN 'I'
            WHEN s.deactivated_on IS NOT DISTINCT FROM d.deactivated_on AND (s.bare OR s.hash = d.hash) THEN 'U'
            -- A bare row has no Last Update Date, and does not change the stored one; so the files' periods decide.
            WHEN s.bare AND (f.period_end > '{end}' OR s.deactivated_on < d.deactivated_on) THEN 'O'
            WHEN NOT s.bare
                 AND (d.updated_on > s.updated_on
                      OR (f.period_end > '{end}' AND d.updated_on IS NOT DISTINCT FROM s.updated_on)) THEN 'O'
            ELSE 'C' END::"char" AS class,
       -- Whether the search row differs.
       d.npi IS NULL OR (d.entity_type, d.letter) IS DISTINCT FROM (j.new_type, j.new_letter)
       OR (NOT s.bare AND (d.last_name, d.first_name, d.middle_name, d.organization_name, d.practice_address,
                           d.practice_city, d.practice_state, d.practice_zip, d.primary_taxonomy)
                          IS DISTINCT FROM (s.last_name, s.first_name, s.middle_name, s.organization_name,
                                            s.practice_address, s.practice_city, s.practice_state, s.practice_zip,
                                            s.primary_taxonomy))
       AS moved,
       s.deactivated_on IS NOT NULL AND COALESCE(j.reactivated_on < s.deactivated_on, true) AS inactive
FROM latest s
LEFT JOIN npi_key k ON k.npi = s.npi
LEFT JOIN npi_data d ON d.npi = k.npi AND d.entity_type = k.entity_type
LEFT JOIN npi_files f ON f.id = d.file_id
-- A bare row keeps the stored entity type, and takes the NPI out of search.
CROSS JOIN LATERAL (
    SELECT CASE WHEN s.bare THEN COALESCE(k.entity_type, 0::smallint) ELSE s.entity_type END AS new_type,
           CASE WHEN NOT s.bare THEN s.letter WHEN d.reactivated_on >= s.deactivated_on THEN d.letter END AS new_letter,
           CASE WHEN s.bare THEN d.reactivated_on ELSE s.reactivated_on END AS reactivated_on
) j
-- The order of the keys keeps neighbouring look-ups on the same pages.
ORDER BY s.npi
