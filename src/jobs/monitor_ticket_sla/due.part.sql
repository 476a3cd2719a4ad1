-- The condition by which a ticket is recorded: its risk rose or fell since the last record.
-- The caller provides the relation news of risk.part.sql. It is one expression in parentheses.
(news.notify OR news.improved)
