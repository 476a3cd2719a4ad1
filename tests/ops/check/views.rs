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
async fn what_a_job_cannot_do_is_told_and_the_rest_works() {
    let clinic = Clinic::new().await;
    clinic
        .sql(
            "CREATE SCHEMA app;
             ALTER TABLE tickets ALTER assignee_id SET NOT NULL; ALTER TABLE tickets SET SCHEMA app;
             ALTER TABLE app.tickets RENAME assignee_id TO \"assignedTo\";
             CREATE VIEW tickets AS SELECT id, number, facility_id, title, status, priority, created_by,
                 \"assignedTo\" AS assignee_id, team_id, sla_due_at, custom_sla_due_at, customer_rating, created_at,
                 updated_at FROM app.tickets;
             ALTER TABLE app.tickets DROP status_changed_at;
             ALTER TABLE doctor_slots ALTER appointment_id SET NOT NULL;
             ALTER TABLE appointments DROP CONSTRAINT appointments_check, ALTER doctor_id SET NOT NULL,
                 ALTER cancelled_at SET NOT NULL",
        )
        .await;
    let jobs = ["mark-no-shows", "escalate-tickets", "sync-practiceq"];
    let escalates = Some("escalate-tickets");
    let checked = Checked::of(&clinic, &jobs).await;
    let since = checked.fault(escalates, "columns", "failure", &["tickets.status_changed_at is not there"]);
    let sql = since["remedy"]["text"].as_str().expect("a text");
    assert!(since["remedy"]["kind"] == "sql" && sql.contains("NULL::timestamptz AS status_changed_at FROM"), "{since}");
    assert_eq!(checked.mend(&clinic).await, 1);
    let checked = Checked::of(&clinic, &jobs).await;
    assert_eq!((checked.code, checked.faults().len()), (0, 5), "{:#?}", checked.faults());
    checked.fault(escalates, "columns", "warning", &["time_in_status never fires"]);
    let words = ["reassign_ticket to a team without a user fails", "app.tickets.\"assignedTo\" may not be NULL"];
    checked.fault(escalates, "writing", "warning", &words);
    checked.fault(Some("mark-no-shows"), "writing", "warning", &["whose slot", "appointment_id may not be NULL"]);
    for column in ["doctor_id", "cancelled_at"] {
        checked.fault(Some("sync-practiceq"), "writing", "warning", &[column, "may not be NULL"]);
    }
    // A trigger may write something else.
    clinic
        .sql(
            "CREATE FUNCTION mine() RETURNS trigger LANGUAGE plpgsql AS
                 'BEGIN IF NOT FOUND THEN RETURN NULL; END IF; RETURN NEW; END';
             CREATE TRIGGER mine INSTEAD OF UPDATE ON tickets FOR EACH ROW EXECUTE FUNCTION mine()",
        )
        .await;
    let checked = Checked::of(&clinic, &["escalate-tickets"]).await;
    assert_eq!(checked.faults().len(), 1, "{:#?}", checked.faults());
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

/// A run finds out by itself, and goes on without the locks.
#[tokio::test]
async fn parents_that_cannot_be_locked_are_a_warning() {
    let clinic = Clinic::new().await;
    clinic.sql("ALTER TABLE teams RENAME TO groups; CREATE VIEW teams AS SELECT DISTINCT * FROM groups").await;
    let checked = Checked::of(&clinic, &["escalate-tickets"]).await;
    let words = ["teams", "cannot be locked", "100 ms"];
    checked.fault(Some("escalate-tickets"), "indexes", "warning", &words);
    assert_eq!(checked.faults().len(), 1, "{:#?}", checked.faults());
}
