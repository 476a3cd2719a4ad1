-- The ids of a batch that were skipped, as two columns: held by somebody else, and no longer due.
-- The caller provides {ids}, the parameter with the batch; {locked} and {done}, CTEs with a column id; {table}, the table of the ids.
-- Columns of a SELECT; the caller may go on with a comma.
ARRAY(SELECT ids.id FROM unnest({ids}) AS ids (id)
      WHERE ids.id NOT IN (SELECT id FROM {locked}) AND EXISTS (SELECT FROM {table} t WHERE t.id = ids.id)) AS locked,
ARRAY(SELECT ids.id FROM unnest({ids}) AS ids (id)
      WHERE ids.id NOT IN (SELECT id FROM {done})
        AND (ids.id IN (SELECT id FROM {locked}) OR NOT EXISTS (SELECT FROM {table} t WHERE t.id = ids.id))) AS changed
