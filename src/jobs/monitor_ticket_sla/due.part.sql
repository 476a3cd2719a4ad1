-- The news rule: whether there is something to record of a ticket. A condition on `news`, which risk.part.sql joins.
(news.told OR news.better)
