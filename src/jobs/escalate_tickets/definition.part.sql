-- The definition of a rule r, what it does when, as one text: a rule that is changed is another, and fires anew. A
-- condition or an action of type json or text counts as it is written, because a cast to jsonb would raise an error for
-- a text that is none. An expression.
md5(concat(r.condition_type, r.condition, r.action_type, r.action))
