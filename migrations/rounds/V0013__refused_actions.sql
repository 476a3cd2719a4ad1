-- The action of an escalation rule that was refused is tried again by each run, so its episode must not look as if the
-- rule had fired.

ALTER TABLE escalation_episodes ADD COLUMN refused_at timestamptz;
-- What `rounds health` counts.
CREATE INDEX escalation_episodes_refused ON escalation_episodes (rule_id) WHERE refused_at IS NOT NULL;

COMMENT ON TABLE escalation_episodes IS
    'A rule that has fired for a ticket, or whose action was refused, and whose condition has been true ever since. '
    'When the ticket or the rule is gone, or the rule is switched off, the episode ends at the next run.';
COMMENT ON COLUMN escalation_episodes.fired_at IS 'When it fired last, or when refused_at is set: when it was refused.';
COMMENT ON COLUMN escalation_episodes.refused_at IS
    'When its action was first refused in this episode; each run tries it again. NULL: it was carried out.';
COMMENT ON COLUMN escalation_episodes.run_id IS 'The run in which it fired last, or was refused.';
