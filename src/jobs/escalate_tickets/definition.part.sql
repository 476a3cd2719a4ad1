-- The definition of a rule r, what it does when, as one text: a rule that is changed is another, and fires anew. Nothing
-- is cast to jsonb, because the cast of a text that is none would raise an error. An expression.
md5(concat(r.condition_type, r.condition, r.action_type, r.action))
