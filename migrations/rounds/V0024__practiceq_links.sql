-- Where a visit takes place, as the account says it, and which of its links a person entered.
ALTER TABLE practiceq_visits
    ADD COLUMN place_of_service text,
    ADD COLUMN account_url      text CHECK (account_url ~ '^https?://');
-- Until now each link was the account's.
UPDATE practiceq_visits SET account_url = meeting_url WHERE meeting_url IS NOT NULL;

COMMENT ON COLUMN practiceq_visits.meeting_url IS
    'The guest''s link of a video visit, never the host''s; NULL: none. A person may enter one here: it stays until the '
    'account gives another than account_url.';
COMMENT ON COLUMN practiceq_visits.account_url IS
    'The guest''s link that the account gave last; NULL: none. Where meeting_url is another, a person entered that.';
COMMENT ON COLUMN practiceq_visits.place_of_service IS
    'The code of the place of service, such as 02 and 10 for telehealth and 11 for an office; NULL: none.';
