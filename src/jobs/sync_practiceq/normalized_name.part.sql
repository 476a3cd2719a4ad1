-- A name without what makes no difference between two.
lower(btrim(regexp_replace(normalize({text}, NFKC), '\s+', ' ', 'g')))
