//! The application's functions.

use super::{Checked, drop_role, role};
use crate::support::Clinic;

#[tokio::test]
async fn a_function_of_the_application_that_finds_no_names_is_told_with_its_alter_function() {
    let clinic = Clinic::new().await;
    let (role, program) = role(&clinic).await;
    clinic
        .sql(&format!(
            "CREATE SCHEMA app; CREATE SCHEMA \"Other\";
             CREATE TABLE app.audit_log (visit bigint); CREATE TABLE app.watched (visit bigint);
             ALTER TABLE app.watched ENABLE ROW LEVEL SECURITY;
             GRANT USAGE ON SCHEMA app, rounds TO {role}; GRANT INSERT ON app.audit_log, app.watched TO {role};
             GRANT ALL ON ALL TABLES IN SCHEMA rounds TO {role};
             SET check_function_bodies = off;
             CREATE FUNCTION \"Other\".default_of(x bigint) RETURNS boolean LANGUAGE sql AS 'SELECT helper($1)';
             CREATE FUNCTION \"Other\".helper(x bigint) RETURNS boolean LANGUAGE sql AS 'SELECT true';
             SET search_path = rounds, \"Other\";
             ALTER TABLE px_cases ADD CHECK (\"Other\".default_of(id));
             RESET search_path; SET search_path = rounds, public;
             CREATE FUNCTION app.log_case() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 -- FROM nothing
                 INSERT INTO audit_log VALUES (NEW.id); RETURN NEW;
             END $$;
             CREATE TRIGGER log_case BEFORE UPDATE ON px_cases FOR EACH ROW EXECUTE FUNCTION app.log_case();
             CREATE FUNCTION app.watch_case() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 PERFORM FROM app.watched; RETURN NEW;
             END $$;
             CREATE TRIGGER watch_case BEFORE UPDATE ON px_cases FOR EACH ROW EXECUTE FUNCTION app.watch_case()"
        ))
        .await;
    let job = Some("escalate-sla");
    let checked = Checked::by(&program, &["escalate-sla"]).await;
    let path = |words: &[&str]| checked.fault(job, "triggers", "warning", words)["remedy"]["text"].clone();
    assert_eq!(path(&["app.log_case()", "audit_log"]), "ALTER FUNCTION app.log_case() SET search_path = app, pg_temp;");
    let other = "ALTER FUNCTION \"Other\".default_of(x bigint) SET search_path = \"Other\", pg_temp;";
    assert_eq!(path(&["\"Other\".default_of(x bigint)", "helper"]), other);
    let watched = path(&["app.watch_case()", "watched", "policies"]);
    assert!(watched.as_str().expect("a text").contains("SECURITY DEFINER"), "{watched}");
    clinic.sql("ALTER FUNCTION app.watch_case() SECURITY DEFINER").await;
    assert_eq!(checked.mend(&clinic).await, 2);
    let clinic_of = clinic.facility("America/Denver", None).await;
    clinic.sql(&format!("INSERT INTO px_cases (facility_id, due_at) VALUES ({clinic_of}, '2026-01-01')")).await;
    clinic.user(clinic_of, "MANAGER").await;
    // The dry run fires the triggers, which work now.
    let again = Checked::by(&program, &["escalate-sla"]).await;
    assert!(!again.faults().iter().any(|one| one["topic"] == "triggers"), "{:#?}", again.faults());
    // A text is searched, so no more is claimed.
    let said = again.findings().find(|one| one["topic"] == "triggers").expect("one");
    assert!(said["what"].as_str().expect("a text").ends_with("; no bare name was found in them"), "{said}");
    let clinic_role = Checked::of(&clinic, &["escalate-sla"]).await.ready();
    assert!(
        clinic_role.findings().any(|one| one["what"].as_str().is_some_and(|what| what.contains("would change 1 item")))
    );
    drop_role(&clinic, &role).await;
}
