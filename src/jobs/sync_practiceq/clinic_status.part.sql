-- The status of an appointment as the clinic's column has it. Labels are literals, which suit text and an enum.
-- The caller provides {status}, a text, and {otherwise}, an expression of the column's type, which stays for any other
-- text. An expression; the caller may continue in any way.
CASE {status} WHEN 'SCHEDULED' THEN 'SCHEDULED' WHEN 'CONFIRMED' THEN 'CONFIRMED' WHEN 'CANCELLED' THEN 'CANCELLED'
              WHEN 'NO_SHOW' THEN 'NO_SHOW' ELSE {otherwise} END
