-- The contents of a file, in one line: rows that it wrote, search rows that say the same, and search rows of its
-- providers that should not be there; and how many names of the file of other names the active ones have. Variable: name.
SET jit = off;
WITH written AS MATERIALIZED (
    SELECT * FROM npi_data WHERE file_id = (SELECT id FROM npi_files WHERE name = :'name')
),
found AS (
    SELECT w.npi FROM written w
    JOIN search_surgeon s ON s.letter = w.letter AND s.npi = w.npi AND s.name_number = 0
    WHERE w.entity_type = 1
      AND (s.last_name, s.first_name, s.city, s.state, s.zip, s.primary_taxonomy)
          IS NOT DISTINCT FROM
          (w.last_name, w.first_name, w.practice_city, w.practice_state, w.practice_zip, w.primary_taxonomy)
    UNION ALL
    SELECT w.npi FROM written w
    JOIN search_facility s ON s.letter = w.letter AND s.npi = w.npi AND s.name_number = 0
    WHERE w.entity_type = 2
      AND (s.facility_name, s.city, s.state, s.zip, s.primary_taxonomy)
          IS NOT DISTINCT FROM
          (w.organization_name, w.practice_city, w.practice_state, w.practice_zip, w.primary_taxonomy)
),
behind AS (
    SELECT FROM search_surgeon s JOIN written w USING (npi)
    WHERE w.entity_type <> 1 OR s.name_number = 0 AND w.letter IS DISTINCT FROM s.letter
    UNION ALL
    SELECT FROM search_facility s JOIN written w USING (npi)
    WHERE w.entity_type <> 2 OR s.name_number = 0 AND w.letter IS DISTINCT FROM s.letter
)
SELECT format('%s changed, %s of them in search, %s left behind, %s other names',
              (SELECT count(*) FROM written), (SELECT count(*) FROM found), (SELECT count(*) FROM behind),
              (SELECT count(*) FROM npi_other_names o JOIN written w USING (npi)
               WHERE o.source = 'OTHER_NAMES' AND w.letter IS NOT NULL));
