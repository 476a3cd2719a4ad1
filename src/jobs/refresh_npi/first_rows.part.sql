-- All rows of a staged file, as a first load carries them out.
(SELECT x.* FROM {stage} x WHERE x.line > 0 AND x.reject IS NULL) s
CROSS JOIN LATERAL (
    SELECT s.line, s.npi, s.bare, NULL::smallint AS old_type, NULL::"char" AS old_letter, 'I'::"char" AS class, true AS moved,
           CASE WHEN s.bare THEN 0::smallint ELSE s.entity_type END AS new_type,
           CASE WHEN NOT s.bare THEN s.letter END AS new_letter,
           s.deactivated_on IS NOT NULL AND (s.bare OR COALESCE(s.reactivated_on < s.deactivated_on, true)) AS inactive
) t
