-- When the hours of a day became what they are; NULL: nobody knows. An expression.
-- While they are the same, it is what the ledger says. At the first look it is what the clinic says, if it does. When
-- they are others than at the last look, the clinic is believed if it says a later time than it said then: the time of a
-- row that is left says nothing of one that was deleted. Else they have changed now.
-- The caller provides the relations hours (version, touched_at) and known (id, version, changed_at, touched_at), which
-- is the open row of the ledger or NULL.
-- $1 now timestamptz
CASE WHEN known.version = hours.version THEN known.changed_at
     WHEN known.id IS NULL THEN CASE WHEN hours.touched_at > $1 THEN $1 ELSE hours.touched_at END
     WHEN hours.touched_at > COALESCE(known.touched_at, '-infinity') AND hours.touched_at <= $1 THEN hours.touched_at
     ELSE $1 END
