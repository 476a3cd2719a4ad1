//! Nothing of others runs as the role of the jobs: functions of the server's names in our schema, and tables of our
//! names that wait for the owner.

use super::refused;
use crate::support::role::JobRole;
use crate::support::{Clinic, connect, server};

/// A role that may log in and use the schema; its URL.
async fn stranger(clinic: &Clinic) -> (String, String) {
    let name = format!("stranger_{}", &*clinic.database);
    clinic
        .sql(&format!(
            "CREATE ROLE {name} LOGIN; GRANT USAGE ON SCHEMA rounds TO {name};
             GRANT CONNECT ON DATABASE {} TO {name}",
            clinic.database
        ))
        .await;
    let url = server().url(&clinic.database);
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let (_, place) = rest.split_once('@').expect("a user");
    (name.clone(), format!("{scheme}://{name}@{place}"))
}

#[tokio::test]
async fn a_function_of_the_servers_name_is_never_called_and_its_maker_is_named() {
    let clinic = Clinic::with_visits(3).await;
    let (name, url) = stranger(&clinic).await;
    let job = JobRole::new(&clinic, "mark-no-shows").await;
    clinic.sql(&format!("GRANT CREATE ON SCHEMA rounds TO {name}, PUBLIC")).await;
    let attack = connect(&url).await;
    // The types are exactly those of a call, and the server's own takes VARIADIC "any".
    attack
        .batch_execute(
            "CREATE TABLE rounds.caught (who text); GRANT INSERT ON rounds.caught TO PUBLIC;
             CREATE FUNCTION rounds.concat_ws(text, text, text, text, text) RETURNS text LANGUAGE sql VOLATILE AS $$
                 INSERT INTO rounds.caught VALUES (current_user) RETURNING who $$;
             CREATE FUNCTION rounds.format(text, text, text) RETURNS text LANGUAGE sql VOLATILE AS $$
                 INSERT INTO rounds.caught VALUES (current_user) RETURNING who $$;
             CREATE FUNCTION rounds.theirs(text) RETURNS text LANGUAGE sql AS $$ SELECT $1 $$;
             CREATE OPERATOR rounds.|| (LEFTARG = text, RIGHTARG = text, FUNCTION = pg_catalog.textcat)",
        )
        .await
        .expect("who may create may create these");
    let error = job.program.run(&["mark-no-shows"]).await.expect(2).report();
    assert_eq!(error["error_code"], "SCHEMA_NOT_PRIVATE", "{error}");
    refused(clinic.run(&["health"]).await, 2, "SCHEMA_NOT_PRIVATE");
    let said = refused(clinic.run(&["no-show", "logs"]).await, 2, "SCHEMA_NOT_PRIVATE");
    let remedies: Vec<&str> = said.split_once("As the owner: ").expect("what to do").1.split("; ").collect();
    let expected = [
        "REVOKE CREATE ON SCHEMA rounds FROM PUBLIC".to_owned(),
        format!("REVOKE CREATE ON SCHEMA rounds FROM {name}"),
        "DROP ROUTINE rounds.concat_ws(text, text, text, text, text)".to_owned(),
        "DROP ROUTINE rounds.format(text, text, text)".to_owned(),
        "DROP OPERATOR rounds.|| (text, text)".to_owned(),
    ];
    for statement in &expected {
        assert!(remedies.contains(&&**statement), "{statement}: {said}");
    }
    assert_eq!(remedies.len(), expected.len(), "a name that the server has not is nobody's trap: {said}");
    // What was made before the privilege went is as bad.
    clinic.sql(&format!("{};{}", expected[0], expected[1])).await;
    job.program.run(&["mark-no-shows"]).await.expect(2);
    clinic.sql(&expected[2..].join(";")).await;
    job.program.run(&["mark-no-shows"]).await.expect(0);
    assert_eq!(clinic.count("SELECT count(*) FROM rounds.caught").await, 0);
}

#[tokio::test]
async fn migrate_fires_no_trigger_of_a_table_that_waits_for_it() {
    let clinic = Clinic::empty().await;
    clinic.sql("CREATE SCHEMA rounds").await;
    let (name, url) = stranger(&clinic).await;
    clinic.sql(&format!("GRANT CREATE ON SCHEMA rounds TO {name}")).await;
    connect(&url)
        .await
        .batch_execute(
            "CREATE TABLE rounds.caught (who text); GRANT ALL ON rounds.caught TO PUBLIC;
             CREATE TABLE rounds.rounds_migrations (version integer, name text, applied_on text, checksum text);
             GRANT ALL ON rounds.rounds_migrations TO PUBLIC;
             CREATE FUNCTION rounds.catch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 INSERT INTO rounds.caught VALUES (current_user); RETURN NEW; END $$;
             CREATE TRIGGER catch BEFORE INSERT ON rounds.rounds_migrations FOR EACH ROW
             EXECUTE FUNCTION rounds.catch()",
        )
        .await
        .expect("who may create may create these");
    let said = clinic.run(&["migrate"]).await.expect(2).stderr;
    assert!(said.contains("SCHEMA_NOT_PRIVATE") && said.contains(&format!("FROM {name}")), "{said}");
    clinic.sql(&format!("REVOKE CREATE ON SCHEMA rounds FROM {name}")).await;
    for command in [&["migrate"][..], &["migrate", "--check"]] {
        let said = clinic.run(command).await.expect(2).stderr;
        assert!(said.contains("NOT_THE_OWNER") && said.contains("rounds_migrations of role"), "{said}");
    }
    assert_eq!(clinic.count("SELECT count(*) FROM rounds.caught").await, 0);
    clinic.sql("DROP TABLE rounds.rounds_migrations").await;
    clinic.run(&["migrate"]).await.expect(0);
    assert_eq!(clinic.count("SELECT count(*) FROM rounds.caught").await, 0);
}

#[tokio::test]
async fn a_staging_schema_of_another_role_is_not_used() {
    let clinic = Clinic::empty().await;
    clinic.sql("CREATE SCHEMA rounds").await;
    let (name, _) = stranger(&clinic).await;
    clinic.sql(&format!("CREATE SCHEMA rounds_staging AUTHORIZATION {name}")).await;
    let said = clinic.run(&["migrate"]).await.expect(2).stderr;
    assert!(said.contains("V15__staging") && said.contains("nothing was changed"), "{said}");
    clinic.sql("DROP SCHEMA rounds_staging; CREATE SCHEMA rounds_staging").await;
    clinic.run(&["migrate"]).await.expect(0);
}
