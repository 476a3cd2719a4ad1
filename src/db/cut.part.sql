-- {text} of at most {most} characters: what is longer ends before the word in which it would be cut, with three dots.
-- The dots are ASCII, which every encoding has. A word of more than 30 characters is cut itself; without an encoding
-- (SQL_ASCII) not within a character of several bytes. An expression.
CASE WHEN length({text}) <= {most} THEN {text}
     ELSE regexp_replace(left({text}, {most} - 3) COLLATE "C",
                         CASE getdatabaseencoding() WHEN 'SQL_ASCII' THEN '(\s+\S{{0,30}}|[^\u0001-\u007f]+)$'
                                                    ELSE '\s+\S{{0,30}}$' END, '') || '...' END
