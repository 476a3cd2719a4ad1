-- {text} in one line: each sequence of control characters is a space, since a line break in the subject of an e-mail
-- begins another header. Codes beyond ASCII are control characters in UTF-8 only; elsewhere they are letters, or parts
-- of them. An expression.
regexp_replace({text} COLLATE "C", CASE getdatabaseencoding() WHEN 'UTF8' THEN '[\u0001-\u001f\u007f-\u009f\u2028\u2029]+'
                                                  ELSE '[\u0001-\u001f\u007f]+' END, ' ', 'g')
