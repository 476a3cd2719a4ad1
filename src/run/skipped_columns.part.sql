-- The skipped ids of a batch as text, as two columns of a SELECT: locked by another session, and no longer due.
-- The caller provides {ids}, the parameter with the batch, which an earlier CTE has compared with the ids of the table,
-- so that its type is known; {locked} and {done}, CTEs with a column id of the rows that were locked and changed; and
-- {table}, the table of the ids. The caller may continue with a comma or FROM.
ARRAY(SELECT ids.id::text FROM unnest({ids}) AS ids (id)
      WHERE ids.id NOT IN (SELECT id FROM {locked}) AND EXISTS (SELECT FROM {table} t WHERE t.id = ids.id)) AS locked,
ARRAY(SELECT ids.id::text FROM unnest({ids}) AS ids (id)
      WHERE ids.id NOT IN (SELECT id FROM {done})
        AND (ids.id IN (SELECT id FROM {locked}) OR NOT EXISTS (SELECT FROM {table} t WHERE t.id = ids.id))) AS changed
