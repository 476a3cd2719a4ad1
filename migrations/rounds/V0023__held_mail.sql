-- The moment up to which nothing of an e-mail has left; logs that were held when their message was sent; what runs have
-- recorded of an item. No table of the clinic's has the language of a person, so a message has none.
ALTER TABLE notifications
    DROP COLUMN locale,
    ADD COLUMN is_held   boolean NOT NULL DEFAULT false,
    ADD COLUMN is_untold boolean NOT NULL DEFAULT false;
-- Few rows, and most often none.
CREATE INDEX notifications_untold ON notifications (channel, id) WHERE is_untold;
-- The history of one item, and of one message.
CREATE INDEX cron_job_run_errors_of_items ON cron_job_run_errors (entity, entity_id);

COMMENT ON COLUMN notifications.is_held IS
    'While it is SENDING: nothing of its text has left yet. If its run ends so, it is sent again. Of e-mail alone.';
COMMENT ON COLUMN notifications.is_untold IS
    'It is SENT, and the log of what it is about does not yet say that somebody was told: another session held that row. '
    'The next run of its channel notes it.';
