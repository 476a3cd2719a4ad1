//! `rounds grants`: what it prints is enough for each job, and nothing of it can be left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::sql::{Statement, prepare_temporary_tables, statements};
use crate::support::role::JobRole;
use crate::support::{Clinic, Program};

const JOBS: [&str; 9] = [
    "mark-no-shows",
    "stage-alerts",
    "escalate-sla",
    "monitor-ticket-sla",
    "escalate-tickets",
    "advance-billing",
    "refresh-npi",
    "sync-practiceq",
    "prune",
];

/// No limit.
const ALL: usize = usize::MAX;

/// A program that can reach nothing.
fn nowhere() -> Program {
    Program::new("").without("DATABASE_URL")
}

/// A privilege that is printed.
struct Grant {
    object: String,
    relation: String,
    verb: String,
    columns: Vec<String>,
}

async fn grants(job: &str) -> Vec<Grant> {
    let outcome = nowhere().run(&["grants", job, "--output", "json"]).await.expect(0);
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let read = |grant: &Value| Grant {
        object: word(&grant["object"]),
        relation: word(&grant["relation"]),
        verb: word(&grant["privilege"]),
        columns: grant["columns"].as_array().into_iter().flatten().map(word).collect(),
    };
    outcome.report().as_array().expect("a list").iter().map(read).collect()
}

impl Grant {
    /// The privilege, of all columns that are granted or of one.
    fn of(&self, columns: &[String]) -> String {
        let columns = if columns.is_empty() { String::new() } else { format!(" ({})", columns.join(", ")) };
        format!("{}{columns} ON rounds.{}", self.verb, self.relation)
    }
}

/// What the list says: the columns by statement, relation and verb.
fn list() -> BTreeMap<(String, String, String), BTreeSet<String>> {
    let text = fs::read_to_string("src/ops/privileges.txt").expect("a list");
    let mut list = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.split(' ').map(str::to_owned);
        let (statement, relation) = (words.next().expect("a name"), words.next().expect("a relation"));
        for word in words {
            let (verb, columns) = word.trim_end_matches(')').split_once('(').expect("a verb with columns");
            let key = (statement.clone(), relation.clone(), verb.to_owned());
            list.insert(key, columns.split(',').map(str::to_owned).collect());
        }
    }
    list
}

/// The statements of a session, prepared: what a role may do is looked at when they are executed.
struct Session<'a> {
    clinic: &'a Clinic,
    /// The names under which a statement is prepared, once for each choice of a template.
    prepared: Vec<(&'a Statement, String)>,
}

impl<'a> Session<'a> {
    async fn new(clinic: &'a Clinic, statements: &'a [Statement]) -> Self {
        prepare_temporary_tables(clinic, statements).await;
        // With the parameters' values at hand the planner leaves out what they make superfluous, and then nobody asks
        // for privileges on it.
        clinic.sql("SET search_path = pg_catalog, rounds, pg_temp; SET plan_cache_mode = force_generic_plan").await;
        let mut prepared = vec![];
        for (index, statement) in statements.iter().filter(|one| crate::privileges::of_a_run(one)).enumerate() {
            let Statement { types, text, .. } = statement;
            let types_list = if types.is_empty() { String::new() } else { format!("({})", types.join(", ")) };
            clinic.sql(&format!("PREPARE p{index} {types_list} AS {text}")).await;
            let nulls = vec!["NULL"; types.len()].join(", ");
            let nulls = if types.is_empty() { nulls } else { format!("({nulls})") };
            prepared.push((statement, format!("EXPLAIN EXECUTE p{index} {nulls}")));
        }
        Self { clinic, prepared }
    }

    /// Which statements of a job are refused to its role, of those whose names are asked for; at most so many.
    async fn refused(&self, job: &str, role: &JobRole, most: usize, asked: impl Fn(&str) -> bool) -> BTreeSet<String> {
        let mut refused = BTreeSet::new();
        self.clinic.sql(&format!("SET ROLE {}", role.name)).await;
        for (Statement { name, jobs, .. }, explain) in &self.prepared {
            let is_sent = jobs.is_empty() || jobs.iter().any(|other| other == job);
            if !is_sent || name.ends_with("_BY_HAND") || !asked(name) || refused.len() == most {
                continue;
            }
            if let Err(error) = self.clinic.client.batch_execute(explain).await {
                assert_eq!(error.code().map(|code| code.code()), Some("42501"), "{name}: {error:?}");
                refused.insert(name.clone());
            }
        }
        self.clinic.sql("RESET ROLE").await;
        refused
    }
}

#[tokio::test]
async fn each_privilege_is_needed_by_the_statements_that_the_list_says_and_by_no_other() {
    let clinic = Clinic::new().await;
    let statements = statements(&clinic).await;
    let session = Session::new(&clinic, &statements).await;
    let list = list();
    let nothing = BTreeSet::new();
    for job in JOBS {
        let role = JobRole::new(&clinic, job).await;
        clinic.sql(&format!("GRANT ALL ON npi_stage, npi_todo TO {}", role.name)).await;
        assert_eq!(session.refused(job, &role, ALL, |_| true).await, nothing, "{job} with all that is printed");
        let is_sent =
            |name: &str| {
                session.prepared.iter().any(|(one, _)| {
                    one.name == name && (one.jobs.is_empty() || one.jobs.iter().any(|other| other == job))
                }) && !name.ends_with("_BY_HAND")
            };
        for grant in grants(job).await.iter().filter(|grant| grant.object == "relation") {
            let needs = |name: &str, column: Option<&String>| {
                let verbs = if grant.verb == "UPDATE" { &["UPDATE", "LOCK"][..] } else { &[&*grant.verb][..] };
                verbs.iter().any(|verb| {
                    let columns = list.get(&(name.to_owned(), grant.relation.clone(), (*verb).to_owned()));
                    columns.is_some_and(|columns| column.is_none_or(|column| columns.contains(column)))
                })
            };
            let all = grant.of(&grant.columns);
            clinic.sql(&format!("REVOKE {all} FROM {}", role.name)).await;
            let expected: BTreeSet<String> =
                list.keys().map(|(name, ..)| name.clone()).filter(|name| is_sent(name) && needs(name, None)).collect();
            assert_eq!(session.refused(job, &role, ALL, |_| true).await, expected, "{job} without {all}");
            assert_ne!(expected, nothing, "{job}: {all} is needed by nothing");
            clinic.sql(&format!("GRANT {all} TO {}", role.name)).await;
            for column in &grant.columns {
                let one = grant.of(std::slice::from_ref(column));
                clinic.sql(&format!("REVOKE {one} FROM {}", role.name)).await;
                let refused = session.refused(job, &role, 1, |name| needs(name, Some(column))).await;
                assert_ne!(refused, nothing, "{job} without {one}");
                clinic.sql(&format!("GRANT {one} TO {}", role.name)).await;
            }
        }
        role.drop(&clinic).await;
    }
}

#[tokio::test]
async fn sql_and_json_say_the_same() {
    let clinic = Clinic::new().await;
    for job in JOBS {
        let role = JobRole::new(&clinic, job).await;
        for grant in grants(job).await {
            let revoke = match grant.object.as_str() {
                "database" => format!("{} ON DATABASE {}", grant.verb, clinic.database),
                "schema" => format!("{} ON SCHEMA rounds", grant.verb),
                _ => grant.of(&grant.columns),
            };
            let left = format!("SELECT count(*) FROM pg_shdepend WHERE refobjid = '{}'::regrole", role.name);
            assert_ne!(clinic.count(&left).await, 0, "{job}: {revoke}");
            clinic.sql(&format!("REVOKE {revoke} FROM {}", role.name)).await;
        }
        // A role with a privilege that only the SQL grants cannot be dropped.
        clinic.sql(&format!("DROP ROLE {}", role.name)).await;
    }
}

#[tokio::test]
async fn without_a_privilege_a_run_changes_nothing_and_names_the_relation() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    clinic.many(facility, doctor, 1).await;
    let role = JobRole::new(&clinic, "mark-no-shows").await;
    let mut logged = BTreeSet::new();
    for grant in grants("mark-no-shows").await {
        let (privilege, object) = match grant.object.as_str() {
            "schema" => ("USAGE ON SCHEMA rounds".to_owned(), "schema"),
            "relation" => (grant.of(&grant.columns), grant.relation.as_str()),
            _ => continue,
        };
        clinic.sql(&format!("REVOKE {privilege} FROM {}", role.name)).await;
        let outcome = role.program.run(&["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00"]).await;
        let is_named = outcome.stderr.contains(&format!(" {object}")) && outcome.stderr.contains("rounds grants");
        match outcome.code {
            0 => assert!(logged.insert((object.to_owned(), is_named)), "{privilege}: {outcome:?}"),
            _ => {
                assert!([1, 2].contains(&outcome.code) && is_named, "{privilege}: {outcome:?}");
                assert_eq!(clinic.effects().await, (0, 0, 0), "{privilege}");
            }
        }
        let again = format!(
            "GRANT {privilege} TO {}; UPDATE appointments SET status = 'SCHEDULED';
             DELETE FROM no_show_logs; DELETE FROM notifications; DELETE FROM cron_job_runs WHERE status = 'RUNNING'",
            role.name
        );
        clinic.sql(&again).await;
    }
    // No item failed. Users are looked for when a run has failed before, and the run is done without them.
    let expected = [("cron_job_run_errors".to_owned(), false), ("users".to_owned(), true)];
    assert_eq!(logged, BTreeSet::from(expected));
    let outcome = role.program.run(&["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00"]).await.expect(0);
    assert_eq!(outcome.count("marked"), 1);
    role.drop(&clinic).await;
}

#[tokio::test]
async fn what_a_trigger_says_of_a_missing_privilege_is_not_repeated() {
    let clinic = Clinic::with_visits(1).await;
    clinic
        .sql(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 RAISE EXCEPTION 'permission denied for CANARY' USING ERRCODE = '42501';
             END $$;
             CREATE TRIGGER refuse BEFORE INSERT ON no_show_logs FOR EACH ROW EXECUTE FUNCTION refuse()",
        )
        .await;
    let outcome = clinic.mark("2026-03-02T09:15:00-05:00").await;
    assert_eq!((outcome.code, outcome.report()["error_code"].clone()), (1, json!("42501")), "{outcome:?}");
    assert!(!format!("{outcome:?}").contains("CANARY"), "{outcome:?}");
}

/// All Rust files below a folder.
fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("readable").path()) {
        if entry.is_dir() {
            files(&entry, found);
        } else if entry.extension().is_some_and(|end| end == "rs") {
            found.push(entry);
        }
    }
}

#[tokio::test]
async fn the_jobs_that_create_tables_may_create_them() {
    for job in JOBS {
        let mut found = vec![];
        files(&Path::new("src/jobs").join(job.replace('-', "_")), &mut found);
        let texts: Vec<String> = found.iter().map(|path| fs::read_to_string(path).expect("UTF-8")).collect();
        let creates = |kind: &str| texts.iter().any(|text| text.contains(kind));
        let printed = grants(job).await;
        let may = |verb: &str| printed.iter().any(|grant| grant.verb == verb);
        assert_eq!(creates("CREATE UNLOGGED TABLE") || creates("\"CREATE TABLE"), may("CREATE"), "{job}");
        assert_eq!(creates("CREATE TEMPORARY TABLE"), may("TEMPORARY"), "{job}");
    }
}

#[tokio::test]
async fn it_is_sql_for_all_jobs_a_role_and_a_schema() {
    let all = nowhere().run(&["grants"]).await.expect(0).stdout;
    assert!(all.starts_with("-- What all jobs need of the database") && all.contains("TO \"rounds\";"), "{all}");
    assert!(all.lines().all(|line| line.len() <= 80), "{all}");
    let named = nowhere().run(&[&["grants"][..], &JOBS].concat()).await.expect(0).stdout;
    let statements = |text: &str| text.split_once("\n\n").expect("a comment").1.to_owned();
    assert_eq!(statements(&named), statements(&all));
    let odd = ["grants", "prune", "stage-alerts", "--role", "O'Hara \"x\"", "--schema", "Clinic"];
    let odd = nowhere().run(&odd).await.expect(0).stdout;
    assert!(odd.contains("What prune and stage-alerts need"), "{odd}");
    let clinic = Clinic::empty().await;
    clinic.sql("CREATE SCHEMA \"Clinic\"; CREATE ROLE \"O'Hara \"\"x\"\"\"").await;
    clinic.run(&["migrate", "--with-clinic-tables", "--schema", "Clinic"]).await.expect(0);
    clinic.sql(&odd).await;
    clinic.sql("DROP OWNED BY \"O'Hara \"\"x\"\"\"; DROP ROLE \"O'Hara \"\"x\"\"\"").await;
    for (args, why) in [
        (&["grants", "mark-no-show"][..], "mark-no-shows"),
        (&["grants", "--role", "public"], "public is everybody"),
        (&["grants", "--role", ""], "--role"),
    ] {
        let outcome = nowhere().run(args).await.expect(2);
        assert!(outcome.stderr.contains(why) && outcome.stdout.is_empty(), "{outcome:?}");
    }
}
