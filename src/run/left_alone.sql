-- Ids of the batch that were left alone, as two columns: held by somebody else, and no longer due.
ARRAY(SELECT ids.id FROM unnest({ids}) AS ids (id)
      WHERE ids.id NOT IN (SELECT id FROM {mine}) AND EXISTS (SELECT FROM {table} t WHERE t.id = ids.id)) AS locked,
ARRAY(SELECT ids.id FROM unnest({ids}) AS ids (id)
      WHERE ids.id NOT IN (SELECT id FROM {done})
        AND (ids.id IN (SELECT id FROM {mine}) OR NOT EXISTS (SELECT FROM {table} t WHERE t.id = ids.id))) AS changed
