-- Digests by which a client of the account is recognized without being named: of name and e-mail; of these and the date
-- of birth; of the e-mail alone. Each is NULL where one of its parts is.
-- The caller provides {name} and {email}, in the form that is compared, and {date_of_birth}, a date. An expression, a
-- text[]; the caller may continue in any way.
ARRAY[left(encode(sha256(convert_to(nullif({name}, '') || E'\n' || nullif({email}, ''), 'UTF8')), 'hex'), 32),
      left(encode(sha256(convert_to(nullif({name}, '') || E'\n' || nullif({email}, '') || E'\n' || {date_of_birth}::text,
                                    'UTF8')), 'hex'), 32),
      left(encode(sha256(convert_to(nullif({email}, ''), 'UTF8')), 'hex'), 32)]
