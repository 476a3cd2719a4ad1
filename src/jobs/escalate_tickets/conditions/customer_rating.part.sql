-- The condition customer_rating: the rating of ticket t compares with $6 by the operator $7.
-- The caller (due.part.sql, ended.part.sql) puts the condition into parentheses.
CASE $7 WHEN '<' THEN t.customer_rating < $6 WHEN '<=' THEN t.customer_rating <= $6 WHEN '=' THEN t.customer_rating = $6
        WHEN '>=' THEN t.customer_rating >= $6 WHEN '>' THEN t.customer_rating > $6 END
