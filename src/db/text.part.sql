-- The text of {column} in a form that can be sent as UTF-8. Without an encoding (SQL_ASCII) a text may hold any bytes,
-- and one that is no UTF-8 would be an error that ends the statement for all rows: such a text is returned with each
-- byte beyond ASCII as a backslash and three octal digits, and its backslashes doubled. An expression.
CASE WHEN getdatabaseencoding() <> 'SQL_ASCII' THEN {column}::text
     WHEN {column}::text COLLATE "C"
         ~ '^([\u0001-\u007f]|[\u00c2-\u00df][\u0080-\u00bf]|\u00e0[\u00a0-\u00bf][\u0080-\u00bf]'
           '|[\u00e1-\u00ec\u00ee\u00ef][\u0080-\u00bf]{{2}}|\u00ed[\u0080-\u009f][\u0080-\u00bf]'
           '|\u00f0[\u0090-\u00bf][\u0080-\u00bf]{{2}}|[\u00f1-\u00f3][\u0080-\u00bf]{{3}}'
           '|\u00f4[\u0080-\u008f][\u0080-\u00bf]{{2}})*$'
         THEN {column}::text
     ELSE encode(convert_to({column}::text, 'SQL_ASCII'), 'escape') END
