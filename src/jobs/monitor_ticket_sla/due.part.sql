-- The rule, over judged tickets: there is something to record.
  AND (news.told OR news.better)
