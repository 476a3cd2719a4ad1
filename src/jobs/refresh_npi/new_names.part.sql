-- The other names in a staged file.
    SELECT s.npi, 'MAIN' AS source, 1 AS number, s.other_full AS name, s.other_kind AS kind, s.other_letter AS letter,
           s.other_folded AS folded
    FROM {rows}
    WHERE t.class IN ('I', 'C') AND NOT t.bare AND s.other_full IS NOT NULL
    UNION ALL
    -- Numbered in the order of the file; of equal ones the first counts.
    SELECT o.npi, 'OTHER_NAMES', (1 + row_number() OVER (PARTITION BY o.npi ORDER BY o.line DESC))::int, o.name, o.kind,
           o.letter, o.folded
    FROM (SELECT s.npi, s.other_full AS name, s.other_kind AS kind, s.other_letter AS letter, s.other_folded AS folded,
                 max(s.line) AS line
          FROM {stage} s WHERE s.line < 0 AND s.reject IS NULL AND s.other_full IS NOT NULL
          GROUP BY s.npi, s.other_full, s.other_kind, s.other_letter, s.other_folded) o
