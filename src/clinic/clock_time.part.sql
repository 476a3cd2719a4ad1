-- A time of day from {column}, of type time or text; NULL where the text is none, such as '9h'. An expression.
CASE WHEN pg_typeof({column}) = 'time without time zone'::regtype THEN {column}::time
     WHEN {column}::text ~ '^(([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{{1,6}})?)?|24:00(:00)?)$'
         THEN {column}::text::time END
