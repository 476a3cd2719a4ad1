-- A name in the form that is compared: spaces, letter case and the way in which accents are encoded make no difference.
-- The caller provides {text}, an expression. An expression; the caller may continue in any way.
lower(btrim(regexp_replace(normalize({text}, NFKC), '\s+', ' ', 'g')))
