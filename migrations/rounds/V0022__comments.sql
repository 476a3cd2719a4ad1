-- What the comments of earlier migrations do not know: lanes of a facility, and how long clients of nobody are kept.

COMMENT ON COLUMN cron_job_runs.lane IS
    'The part of the job that one run at a time works on and that is judged apart, such as a stage of billing; '
    'facility:ID, or STAGE:facility:ID, of a run that is kept to a facility; empty where a job has one lane.';
COMMENT ON TABLE practiceq_unmatched IS
    'Appointments of the account that matched no patient or several, for a person to decide. When the patient of a '
    'decision is gone, the appointment waits for a decision again. `rounds prune` deletes what is open 30 days after '
    'the visit (--keep-unmatched), empties content 30 days after the decision, and deletes what was ignored when the '
    'visit is as long over, too.';
COMMENT ON COLUMN practiceq_unmatched.content IS
    'An object: the appointment as it was read, which names a person. Of what was linked without the name, the e-mail '
    'and the date of birth; empty of what was ignored, and 30 days after a decision.';
