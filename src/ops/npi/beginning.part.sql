-- The names in ranges: a query. The caller gives the search table, what says who is near, and a further condition.
-- $1 letter text · $2 lowest names text[] · $3 names after the highest text[] · $5 state text, or NULL
-- $6 city text, or NULL · $7 pattern of a ZIP code text, or NULL · $8 pattern of a taxonomy text, or NULL
-- $9 patterns of taxonomies text[], or NULL · $10 the least rank of each range text[]
-- $11 state that is near text, or NULL · $12 city that is near text, or NULL
        SELECT x.*, {near} AS near,
               GREATEST(a.least_rank::int, (x.folded COLLATE "C" >= a.low || '!')::int) AS rank,
               count(*) OVER (PARTITION BY a.low, a.high) >= $4 AS cut
        FROM unnest($2, $3, $10) AS a (low, high, least_rank)
        CROSS JOIN LATERAL (
            SELECT * FROM {table} x
            WHERE x.letter = $1::"char" AND x.folded COLLATE "C" >= a.low AND x.folded COLLATE "C" < a.high
              AND ($5 IS NULL OR x.state = upper($5)) AND ($6 IS NULL OR upper(x.city) = upper($6))
              AND ($7 IS NULL OR x.zip LIKE $7) AND ($8 IS NULL OR x.primary_taxonomy LIKE $8)
              AND ($9::text[] IS NULL OR x.primary_taxonomy LIKE ANY ($9)) {more}
            ORDER BY x.folded COLLATE "C", x.npi
            LIMIT $4
        ) x
