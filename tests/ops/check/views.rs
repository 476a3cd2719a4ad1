//! Statements and writes that the server refuses on a view.

use super::Checked;
use crate::support::Clinic;

#[tokio::test]
async fn a_statement_that_the_server_refuses_is_named() {
    let clinic = Clinic::new().await;
    clinic
        .sql(
            "ALTER TABLE appointments RENAME TO visits;
             CREATE VIEW appointments AS SELECT v.* FROM visits v LEFT JOIN departments d ON d.id = v.department_id",
        )
        .await;
    // It locks visits, and writes none.
    let checked = Checked::of(&clinic, &["stage-alerts"]).await;
    let words = ["stage_alerts::RAISE", "nullable side of an outer join"];
    checked.fault(Some("stage-alerts"), "statements", "failure", &words);
    clinic
        .sql("CREATE OR REPLACE VIEW appointments AS SELECT * FROM visits; DROP INDEX appointments_external_id")
        .await;
    let checked = Checked::of(&clinic, &["stage-alerts", "sync-practiceq"]).await;
    let words = ["sync_practiceq::store::STORE", "ON CONFLICT", "42P10"];
    let conflict = checked.fault(Some("sync-practiceq"), "statements", "failure", &words);
    let sql = "CREATE UNIQUE INDEX CONCURRENTLY ON rounds.visits (external_id) WHERE external_id IS NOT NULL;";
    assert_eq!(conflict["remedy"]["text"], sql);
    // A trigger that does not insert, or none at present, does not serve for the index.
    let sync = Some("sync-practiceq");
    clinic
        .sql(
            "CREATE FUNCTION ours() RETURNS trigger LANGUAGE plpgsql AS
                 'BEGIN IF NOT FOUND THEN RETURN NULL; END IF; RETURN NEW; END';
             CREATE TRIGGER ours INSTEAD OF UPDATE ON appointments FOR EACH ROW EXECUTE FUNCTION ours()",
        )
        .await;
    Checked::of(&clinic, &["sync-practiceq"]).await.fault(sync, "statements", "failure", &words);
    clinic.sql("CREATE TRIGGER mine INSTEAD OF INSERT ON appointments FOR EACH ROW EXECUTE FUNCTION ours()").await;
    let checked = Checked::of(&clinic, &["sync-practiceq"]).await;
    assert!(!checked.faults().iter().any(|one| one["topic"] == "statements"), "{:#?}", checked.faults());
    clinic.sql("DROP TRIGGER mine ON appointments; DROP TRIGGER ours ON appointments").await;
    let checked = Checked::of(&clinic, &["stage-alerts", "sync-practiceq"]).await;
    assert_eq!(checked.mend(&clinic).await, 1);
    Checked::of(&clinic, &["stage-alerts", "sync-practiceq"]).await.ready();
}

#[tokio::test]
async fn a_view_that_cannot_be_written_is_told_with_the_servers_reason() {
    let clinic = Clinic::new().await;
    clinic
        .sql(
            "CREATE SCHEMA app;
             ALTER TABLE appointments SET SCHEMA app;
             CREATE VIEW appointments AS SELECT DISTINCT * FROM app.appointments;
             ALTER TABLE doctor_slots SET SCHEMA app;
             CREATE VIEW doctor_slots AS SELECT id, doctor_id, slot_date, start_time, end_time,
                 is_booked AND true AS is_booked, is_blocked, appointment_id FROM app.doctor_slots;
             ALTER TABLE tickets SET SCHEMA app; CREATE VIEW tickets AS SELECT * FROM app.tickets;
             CREATE FUNCTION app.translate() RETURNS trigger LANGUAGE plpgsql SET search_path = app AS $$ BEGIN
                 UPDATE tickets SET status = NEW.status WHERE id = NEW.id; RETURN NEW;
             END $$;
             CREATE TRIGGER translate INSTEAD OF UPDATE ON tickets FOR EACH ROW EXECUTE FUNCTION app.translate();
             CREATE UNIQUE INDEX px_cases_one ON px_cases (id, status);
             CREATE TABLE app.notes (case_id bigint REFERENCES rounds.px_cases)",
        )
        .await;
    let checked = Checked::of(&clinic, &["mark-no-shows", "escalate-sla", "escalate-tickets"]).await;
    let marks = Some("mark-no-shows");
    checked.fault(marks, "writing", "failure", &["UPDATE rounds.appointments", "Views containing DISTINCT"]);
    let words = ["UPDATE rounds.doctor_slots", "column \"is_booked\"", "not columns of their base relation"];
    checked.fault(marks, "writing", "failure", &words);
    checked.fault(Some("escalate-tickets"), "writing", "warning", &["app.translate()", "return NEW also"]);
    let words = ["rounds.px_cases.status", "px_cases_one"];
    checked.fault(Some("escalate-sla"), "writing", "warning", &words);
    clinic
        .sql(
            "CREATE OR REPLACE VIEW appointments AS SELECT * FROM app.appointments;
             DROP VIEW doctor_slots; CREATE VIEW doctor_slots AS SELECT * FROM app.doctor_slots;
             CREATE OR REPLACE FUNCTION app.translate() RETURNS trigger LANGUAGE plpgsql SET search_path = app AS $$
             BEGIN
                 UPDATE tickets SET status = NEW.status WHERE id = NEW.id;
                 IF NOT FOUND THEN RETURN NULL; END IF; RETURN NEW;
             END $$;
             DROP TABLE app.notes",
        )
        .await;
    Checked::of(&clinic, &["mark-no-shows", "escalate-sla", "escalate-tickets"]).await.ready();
}
