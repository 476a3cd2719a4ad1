-- {text} without what would be acted upon where it is shown: each sequence of control characters, of marks that turn the
-- direction of text and of Unicode's separators is a space. A line break in the subject of an e-mail would begin another
-- header; {controls} are those control characters of ASCII that are not kept. The line breaks that are kept are LF.
-- Codes beyond ASCII are such characters in UTF-8 only; elsewhere they are letters, or parts of them. An expression.
regexp_replace(replace({text}, chr(13) || chr(10), chr(10)) COLLATE "C",
               CASE getdatabaseencoding()
                   WHEN 'UTF8' THEN '[{controls}\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]+'
                   ELSE '[{controls}\u007f]+' END, ' ', 'g')
