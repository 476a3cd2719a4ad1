//! What every job owes, of a job that sends messages: a thing is a message to an endpoint.

use super::{SECRET, WEBHOOKS};
use crate::jobs::owed::{self, Owed, Subject};
use crate::support::Clinic;
use crate::support::keys::Kind;
use crate::support::provider::ProviderServer;
use crate::support::role::JobRole;

/// An endpoint with messages that are due; of each that was sent a row of `told` is left.
struct MessageFixture;

impl MessageFixture {
    /// With so many of them.
    async fn owed(kind: Kind, things: i64) -> Owed {
        let (mut clinic, server) = (Clinic::of(kind).await, ProviderServer::start().await);
        clinic
            .sql(&format!(
                "INSERT INTO notifications (recipient_kind, address, channel, type, title, body, entity, entity_id,
                                            dedupe_key, status, created_at)
                 SELECT 'ADDRESS', 'pager', 'WEBHOOK', 'T', 't', 'b', 'thing', n, n, 'PENDING', clock_timestamp()
                 FROM generate_series(1, {things}) n;
                 CREATE TABLE told (notice bigint);
                 CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = rounds AS
                 $$ BEGIN INSERT INTO told VALUES (NEW.id); RETURN NULL; END $$;
                 CREATE TRIGGER note AFTER UPDATE ON notifications FOR EACH ROW WHEN (NEW.status = 'SENT')
                 EXECUTE FUNCTION note()"
            ))
            .await;
        // The variable may hold the text of the file.
        let endpoints = format!("[pager]\nurl = \"{}/hook\"\nsecret = \"{SECRET}\"\n", server.url());
        clinic.program =
            clinic.program.clone().env("ROUNDS_WEBHOOK_ENDPOINTS", &endpoints).env("ROUNDS_PER_SECOND", "1000");
        Owed { subject: &SUBJECT, clinic, things, beside: Some(Box::new(server)) }
    }
}

const SUBJECT: Subject = Subject {
    job: &WEBHOOKS,
    table: "notifications",
    written: ("told", "notice"),
    evidence: &[
        ("told", "notice", 1),
        ("(SELECT * FROM notifications WHERE status = 'SENT' AND attempts = 1)", "id", 1),
    ],
    entity: "notification",
    done: "/sent",
    ..owed::SUBJECT
};

// Not asked, with what is asked in its place: a child row (nothing refers to a message); a row that is refused (messages are marked and settled together, and a provider refuses
// one alone: `mod.rs`); batches (a message is marked just before it leaves); a kill (`mod.rs`). A role has its own test.
owed::owed_by_the_job! {
    MessageFixture, Bigint:
    a_second_run_changes_nothing,
    ten_at_once_do_each_once,
    what_the_application_holds_is_left_to_the_next_run,
    a_dry_run_says_what_a_run_does_and_changes_nothing,
    the_brake_holds_before_anything_is_changed,
}

/// As `a_role_with_its_grants_alone_does_all`, whose program knows no endpoint.
#[tokio::test]
async fn a_role_with_its_grants_alone_delivers() {
    let owed = MessageFixture::owed(Kind::Bigint, 3).await;
    let role = JobRole::new(&owed.clinic, WEBHOOKS[0]).await;
    let server = ProviderServer::start().await;
    let endpoints = format!("[pager]\nurl = \"{}/hook\"\nsecret = \"{SECRET}\"\n", server.url());
    let outcome = role.program.clone().env("ROUNDS_WEBHOOK_ENDPOINTS", &endpoints).run(&WEBHOOKS).await.expect(0);
    assert_eq!((outcome.count("sent"), server.requests().len()), (3, 3));
    assert!(!outcome.stderr.contains("42501"), "{}", outcome.stderr);
    role.drop(&owed.clinic).await;
}
