-- Two columns of an aggregate over cases: their worth in cents, and the number of cases whose amount is none, such as
-- NaN, which count as nothing. An amount that is not known (NULL) counts as nothing, too.
-- The caller provides the relation c, rows with pay_amount of any number type. The caller may continue with a comma or
-- FROM. CASE guarantees that no sum exceeds its type.
LEAST(GREATEST(COALESCE(sum(CASE WHEN c.pay_amount::numeric BETWEEN -1e13 AND 1e13 THEN c.pay_amount::numeric END), 0)
               * 100, -9e18), 9e18)::bigint AS cents,
count(*) FILTER (WHERE c.pay_amount::numeric NOT BETWEEN -1e13 AND 1e13) AS amounts_unreadable
