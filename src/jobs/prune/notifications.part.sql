-- The rule, over notifications `x`: sent longer ago than they are kept. The first condition is what the index can serve.
-- $4 notifications sent before then timestamptz
WHERE x.created_at < $4 AND x.status = 'SENT' AND x.sent_at < $4
