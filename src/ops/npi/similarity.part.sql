-- The names that resemble another: a query. The parameters are those of beginning.part.sql, but $2: the names.
        SELECT x.*, (1000 * (1 - x.similarity))::int AS rank,
               count(*) OVER (PARTITION BY a.name) >= $4 AS cut
        FROM unnest($2) AS a (name)
        CROSS JOIN LATERAL (
            SELECT x.*, {near} AS near, {schema}.word_similarity(a.name, x.folded) AS similarity FROM {table} x
            WHERE a.name OPERATOR({schema}.<%) x.folded
              AND ($5 IS NULL OR x.state = upper($5)) AND ($6 IS NULL OR upper(x.city) = upper($6))
              AND ($7 IS NULL OR x.zip LIKE $7) AND ($8 IS NULL OR x.primary_taxonomy LIKE $8)
              AND ($9::text[] IS NULL OR x.primary_taxonomy LIKE ANY ($9)) {more}
            ORDER BY similarity DESC, near DESC, x.folded COLLATE "C", x.npi
            LIMIT $4
        ) x
