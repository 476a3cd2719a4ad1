-- A run writes the logs of what it has sent a page at a time, and no longer with the outcome of each message.
COMMENT ON COLUMN notifications.is_untold IS
    'It is SENT, and the log of what it is about does not yet say that somebody was told. The run writes it after its page '
    'of messages; what a dead run has left, or another session holds, is written by the next run of its channel.';
