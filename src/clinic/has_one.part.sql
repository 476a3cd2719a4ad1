-- Whether {column}, an address or a number of a person, says anything: it is neither NULL nor made of white space
-- alone, whatever the locale takes for that (no-break, wide and zero-width spaces, too). An expression.
COALESCE({column}::text COLLATE "C"
             ~ '[^\s\u0085\u00a0\u1680\u180e\u2000-\u200f\u2028\u2029\u202f\u205f\u2060\u3000\ufeff]',
         false)
