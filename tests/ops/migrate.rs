//! `rounds migrate`: all or nothing, what is in the way, the two sets, the schema's name, a database of 0.1.0.

use serde_json::{Value, json};
use tokio_postgres::error::SqlState;

use super::refused;
use crate::support::program::finish;
use crate::support::{Clinic, connect, server};

/// What our first version left in a database, as far as it is recognized by it.
const OF_0_1: &str = "
    CREATE TABLE public.rounds_schema (only_row boolean PRIMARY KEY DEFAULT true, min_binary_schema integer NOT NULL);
    INSERT INTO public.rounds_schema (min_binary_schema) VALUES (1);
    CREATE TABLE public.rounds_migrations (version int4 PRIMARY KEY, name text, applied_on text, checksum text);
    INSERT INTO public.rounds_migrations VALUES (11, 'taken_over_by', '2026-01-01T00:00:00Z', '1');
    CREATE TABLE public.sla_policies (id bigint PRIMARY KEY, priority text);
    CREATE VIEW public.sla_policies_in_force AS SELECT DISTINCT ON (priority) * FROM public.sla_policies";

/// A schema name with everything that has to be quoted.
const ODD: &str = r#"Clinic "A" 'b'"#;

/// How many migrations a set has.
fn migrations(set: &str) -> usize {
    std::fs::read_dir(format!("migrations/{set}")).expect("the project's migrations").count()
}

/// The applied migrations of a report.
fn applied(report: &Value) -> usize {
    report["applied"].as_array().expect("a list").len()
}

/// Everything that is in the database beside the server's own, in any schema.
async fn everything(clinic: &Clinic) -> Value {
    let query =
        "SELECT (SELECT jsonb_agg(nspname ORDER BY nspname) FROM pg_namespace WHERE nspname !~ '^pg_') AS schemas,
                        (SELECT jsonb_agg(c.oid::regclass::text ORDER BY c.oid) FROM pg_class c
                         JOIN pg_namespace n ON n.oid = c.relnamespace
                         WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema') AS relations,
                        (SELECT jsonb_agg(extname ORDER BY extname) FROM pg_extension) AS extensions";
    clinic.json(query).await
}

/// Fails unless `migrate` refuses, says these words, and leaves everything as it was.
async fn refused_and_unchanged(clinic: &Clinic, args: &[&str], words: &[&str]) {
    let before = everything(clinic).await;
    let outcome = clinic.run(&[&["migrate"], args].concat()).await;
    assert!([1, 2].contains(&outcome.code), "{outcome:?}");
    for word in words {
        assert!(outcome.stderr.contains(word), "{args:?}: {word}: {}", outcome.stderr);
    }
    assert_eq!(everything(clinic).await, before, "{args:?}");
}

#[tokio::test]
async fn migrations_come_once_in_order_and_can_be_asked_for() {
    let clinic = Clinic::empty().await;
    let before = everything(&clinic).await;
    let pending = clinic.run(&["migrate", "--check"]).await.expect(1).report();
    assert_eq!(pending["pending"].as_array().map(Vec::len), Some(migrations("rounds")), "{pending}");
    assert_eq!(everything(&clinic).await, before, "--check changes nothing");
    // Five at once: one works, the others wait and find it done.
    let runs: Vec<_> = (0..5).map(|_| clinic.program.start(&["migrate"])).collect();
    let mut done = 0;
    for run in runs {
        done += applied(&finish(run).await.expect(0).report());
    }
    assert_eq!(done, migrations("rounds"));
    clinic.run(&["migrate", "--check"]).await.expect(0);
    let text = clinic.run(&["migrate", "--output", "text"]).await.expect(0).stdout;
    assert_eq!(text, format!("The schema is up to date (version {}).\n", migrations("rounds")));
    clinic.run(&["migrate", "--dry-run"]).await.expect(2);
}

#[tokio::test]
async fn a_schema_that_the_role_may_not_use_is_refused() {
    let clinic = Clinic::empty().await;
    let role = format!("creator_{}", &*clinic.database);
    clinic
        .sql(&format!(
            "CREATE ROLE {role} LOGIN; CREATE SCHEMA rounds; GRANT CREATE ON SCHEMA rounds TO {role};
             GRANT CREATE, TEMPORARY ON DATABASE {} TO {role}",
            clinic.database
        ))
        .await;
    let url = crate::support::server().url(&clinic.database).replace("rounds@", &format!("{role}@"));
    let outcome = crate::support::Program::new(&url).run(&["migrate"]).await.expect(2);
    assert!(outcome.stderr.contains("has no USAGE on schema rounds"), "{outcome:?}");
    clinic.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}

#[tokio::test]
async fn the_clinics_tables_can_come_later() {
    let clinic = Clinic::empty().await;
    assert_eq!(applied(&clinic.run(&["migrate"]).await.expect(0).report()), migrations("rounds"));
    clinic.run(&["migrate", "--check"]).await.expect(0);
    clinic.run(&["migrate", "--check", "--with-clinic-tables"]).await.expect(1);
    let report = clinic.run(&["migrate", "--with-clinic-tables"]).await.expect(0).report();
    assert_eq!(applied(&report), migrations("clinic"));
    // From then on they are kept up to date without being asked for.
    for args in [&["migrate"][..], &["migrate", "--with-clinic-tables"]] {
        assert_eq!(applied(&clinic.run(args).await.expect(0).report()), 0);
    }
    clinic.mark("2026-03-02T12:00:00Z").await.expect(0);
}

#[tokio::test]
async fn a_migration_that_fails_midway_leaves_nothing_behind() {
    let clinic = Clinic::empty().await;
    // The first view is in the last migration, after all tables.
    let fail = "CREATE FUNCTION public.refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
                    IF tg_tag = 'CREATE VIEW' THEN RAISE EXCEPTION 'CANARY' USING ERRCODE = '22000'; END IF;
                END $$;
                CREATE EVENT TRIGGER refuse ON ddl_command_end EXECUTE FUNCTION public.refuse()";
    clinic.sql(fail).await;
    refused_and_unchanged(&clinic, &[], &["V9__practiceq", "nothing was changed"]).await;
    refused_and_unchanged(&clinic, &["--schema", ODD, "--with-clinic-tables"], &["nothing was changed"]).await;
    clinic.sql("DROP EVENT TRIGGER refuse").await;
    clinic.run(&["migrate"]).await.expect(0);
}

#[tokio::test]
async fn what_is_in_the_way_is_named_before_anything_is_made() {
    let clinic = Clinic::empty().await;
    let role = format!("owner_of_{}", &*clinic.database);
    let make = |schema: &str| {
        format!(
            "CREATE SCHEMA {schema}; GRANT ALL ON SCHEMA {schema} TO {role}; SET ROLE {role};
             CREATE TABLE {schema}.notifications (id int);
             CREATE VIEW {schema}.sync_logs AS SELECT 1 AS one;
             CREATE TYPE {schema}.stage_alerts AS ENUM ('A');
             CREATE TABLE {schema}.other (id int); CREATE INDEX npi_data_npi ON {schema}.other (id);
             CREATE TABLE {schema}.patients (id int);
             RESET ROLE; REVOKE CREATE ON SCHEMA {schema} FROM {role};"
        )
    };
    clinic.sql(&format!("CREATE ROLE {role}")).await;
    clinic.sql(&make("rounds")).await;
    clinic.sql(&make("apart")).await;
    let ours = ["table notifications", "view sync_logs", "type stage_alerts", "index npi_data_npi", &role];
    let ours = [&ours[..], &["V2__outbox", "V9__practiceq", "V4__stage_alerts", "V8__npi"]].concat();
    refused_and_unchanged(&clinic, &[], &[&ours[..], &["schema rounds"]].concat()).await;
    refused_and_unchanged(&clinic, &["--schema", "apart"], &[&ours[..], &["schema apart"]].concat()).await;
    let outcome = clinic.run(&["migrate"]).await;
    assert!(!outcome.stderr.contains("patients"), "its set is not wanted: {}", outcome.stderr);
    refused_and_unchanged(&clinic, &["--with-clinic-tables"], &["table patients", "V1__clinic"]).await;
    clinic.run(&["migrate", "--schema", "elsewhere"]).await.expect(0);
    clinic.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}

/// An application with tables of the same names in its own schema is in nobody's way.
#[tokio::test]
async fn an_application_keeps_its_tables_of_the_same_names() {
    let clinic = Clinic::empty().await;
    let theirs = "CREATE TABLE public.notifications (id int PRIMARY KEY, text text);
                  CREATE TABLE public.cron_job_runs (id int PRIMARY KEY);
                  CREATE TYPE public.sync_logs AS ENUM ('A'); CREATE TABLE public.patients (id int)";
    clinic.sql(theirs).await;
    clinic.run(&["migrate", "--with-clinic-tables"]).await.expect(0);
    clinic.kind.complete(&clinic.client).await;
    let (facility, doctor) = clinic.new_york(15).await;
    clinic.scheduled(facility, doctor, "2026-03-02", "09:00").await;
    assert_eq!(clinic.mark("2026-03-02T15:00:00Z").await.expect(0).count("scanned"), 1);
    let ours = clinic.count("SELECT count(*) FROM rounds.notifications").await;
    let others = "SELECT (SELECT count(*) FROM public.notifications) + (SELECT count(*) FROM public.cron_job_runs)";
    assert_eq!((ours > 0, clinic.count(others).await), (true, 0));
}

#[tokio::test]
async fn a_schema_may_have_any_name() {
    let clinic = Clinic::empty().await;
    let schema = ["--schema", ODD];
    clinic.run(&[&["migrate", "--with-clinic-tables"], &schema[..]].concat()).await.expect(0);
    clinic.sql(r#"SET search_path = "Clinic ""A"" 'b'""#).await;
    let facility = "INSERT INTO facilities (name, time_zone) VALUES ('F', 'America/New_York');
                    INSERT INTO doctors (facility_id, first_name, last_name, slot_duration_minutes)
                    VALUES (1, 'A', 'B', 15);
                    INSERT INTO patients (mrn, first_name, last_name) VALUES ('M', 'A', 'B');
                    INSERT INTO appointments (facility_id, doctor_id, patient_id, appointment_date, start_time)
                    VALUES (1, 1, 1, '2026-03-02', '09:00')";
    clinic.sql(facility).await;
    let job = ["mark-no-shows", "--as-of", "2026-03-02T15:00:00Z"];
    let outcome = clinic.run(&[&job[..], &schema[..]].concat()).await.expect(0);
    assert_eq!(outcome.count("marked"), 1, "{outcome:?}");
    // And by the environment, of a job that makes tables itself.
    let program = clinic.program.clone().env("ROUNDS_SCHEMA", ODD);
    let file = crate::support::nppes::week(0).of(&[crate::support::nppes::Provider::individual(1, "SMITH", "ANN")]);
    let place = tempfile::tempdir().expect("a place for a file");
    let path = place.path().join(file.csv_name());
    std::fs::write(&path, file.csv()).expect("can be written");
    program.run(&["refresh-npi", "--file", path.to_str().expect("UTF-8")]).await.expect(0);
    program.run(&["npi", "search", "smiht ann"]).await.expect(0);
    assert_eq!(clinic.count("SELECT count(*) FROM npi_data").await, 1);
    // Elsewhere there is nothing.
    refused(clinic.run(&["health"]).await, 2, "NOT_OUR_DATABASE");
}

#[tokio::test]
async fn a_database_of_0_1_is_refused_with_how_to_start_anew() {
    let clinic = Clinic::empty().await;
    clinic.sql(OF_0_1).await;
    let words = ["SCHEMA_OF_0_1", "schema public", "0.1.0", "docs/adopting.md"];
    for args in [&[][..], &["--check"], &["--with-clinic-tables"], &["--schema", "public"]] {
        refused_and_unchanged(&clinic, args, &words).await;
    }
    for schema in ["rounds", "public"] {
        let message = refused(clinic.run(&["runs", "list", "--schema", schema]).await, 2, "SCHEMA_OF_0_1");
        assert!(message.contains("docs/adopting.md"), "{message}");
        let outcome = clinic.run(&["mark-no-shows", "--schema", schema]).await.expect(2);
        assert_eq!(outcome.report()["error_code"], "SCHEMA_OF_0_1", "{outcome:?}");
    }
    // As the page says: what is set aside is in nobody's way.
    clinic.sql("ALTER TABLE public.rounds_schema RENAME TO rounds_schema_of_0_1").await;
    clinic.run(&["migrate"]).await.expect(0);
}

#[tokio::test]
async fn dashboards_find_the_tables_by_the_path_of_their_role() {
    let clinic = Clinic::empty().await;
    let role = format!("dashboard_of_{}", &*clinic.database);
    let said = clinic.run(&["migrate", "--output", "text"]).await.expect(0).stdout;
    let statement = said.lines().find(|line| line.trim().starts_with("ALTER ROLE")).expect("it is printed");
    let (_, rest) = statement.split_once(" IN DATABASE ").expect("of this database");
    let make = format!(
        "CREATE ROLE {role} LOGIN; ALTER ROLE {role} IN DATABASE {rest}
         GRANT USAGE ON SCHEMA rounds TO {role}; GRANT SELECT ON rounds.sync_logs, rounds.v_recent_sync_activity TO {role}"
    );
    clinic.sql(&make).await;
    let url = format!("postgresql://{role}@/{}?host={}", &*clinic.database, server().dir().display());
    let dashboard = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.expect("a login");
    tokio::spawn(dashboard.1);
    for query in ["SELECT id, status FROM sync_logs", "SELECT id FROM v_recent_sync_activity"] {
        dashboard.0.query(query, &[]).await.unwrap_or_else(|error| panic!("{query}: {error:?}"));
    }
    // The role that is made for dashboards has the path, in this database, and sees the view alone.
    let settings = "SELECT to_jsonb(s.setconfig) AS settings FROM pg_db_role_setting s
                    JOIN pg_roles r ON r.oid = s.setrole JOIN pg_database d ON d.oid = s.setdatabase
                    WHERE r.rolname = 'rounds_dashboard' AND d.datname = current_database()";
    assert_eq!(clinic.json(settings).await["settings"], json!(["search_path=rounds, public"]));
    let as_dashboard = connect(&server().url(&clinic.database)).await;
    as_dashboard.batch_execute("SET ROLE rounds_dashboard").await.expect("a superuser may");
    as_dashboard.query("SELECT id FROM v_recent_sync_activity", &[]).await.expect("it may read the view");
    let error = as_dashboard.query("SELECT id FROM sync_logs", &[]).await.expect_err("it may not");
    assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE));
    drop((dashboard.0, as_dashboard));
    clinic.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}
