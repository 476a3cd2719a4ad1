-- The customer's rating compared with $6.
CASE $7 WHEN '<' THEN t.customer_rating < $6 WHEN '<=' THEN t.customer_rating <= $6 WHEN '=' THEN t.customer_rating = $6
        WHEN '>=' THEN t.customer_rating >= $6 WHEN '>' THEN t.customer_rating > $6 END
