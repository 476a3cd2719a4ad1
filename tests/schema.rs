//! `docs/schema.md`: generated from a migrated database and from the statements of the program; and the comments in it.
//!
//! `make docs` writes the page; the test fails where it is not up to date.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use serde_json::Value;

use crate::support::Clinic;

const PAGE: &str = "docs/schema.md";

/// The tables of ours that outlive what they tell of, and a word of what becomes of a row then.
const LEDGERS: [(&str, &str); 28] = [
    ("npi_watch", "stays"),
    ("no_show_logs", "evidence"),
    ("stage_alerts", "resolves"),
    ("visit_cancellations", "evidence"),
    ("operator_actions", "evidence"),
    ("phi_access_log", "evidence"),
    ("notifications", "evidence"),
    ("contact_suppressions", "evidence"),
    ("absence_effects", "ends"),
    ("blocked_slots", "ended"),
    ("absence_visits", "evidence"),
    ("px_case_audits", "evidence"),
    ("ticket_history", "evidence"),
    ("escalation_episodes", "ends"),
    ("surgical_case_status_history", "evidence"),
    ("practiceq_visits", "anew"),
    ("practiceq_freshness", "ignored"),
    ("practiceq_clients", "counts as none"),
    ("practiceq_unmatched", "waits for a decision"),
    ("practiceq_skipped_patients", "ignored"),
    ("sync_logs", "evidence"),
    ("item_refusals", "forgets"),
    ("pauses", "evidence"),
    ("actor_logins", "nothing by hand"),
    ("actor_changes", "evidence"),
    ("database_identity", "evidence"),
    ("schedule_versions", "prune"),
    ("schedule_flags", "cleared"),
];

/// What a key of the clinic is called in a comment, and where the row is.
const KEYS: [(&str, &str); 8] = [
    ("visit", "appointments"),
    ("patient", "patients"),
    ("user", "users"),
    ("surgical case", "surgical_cases"),
    ("case", "px_cases"),
    ("ticket", "tickets"),
    ("rule", "escalation_rules"),
    ("organization", "organizations"),
];

/// Parts of other tables are no relations of their own here.
const COLUMNS: &str = "
    SELECT c.relname::text AS relation, c.relkind = 'v' AS is_view, obj_description(c.oid, 'pg_class') AS comment,
           pg_get_partkeydef(c.oid) AS partitioned, a.attname::text AS column,
           format_type(a.atttypid, a.atttypmod) AS type, NOT a.attnotnull AS nullable,
           col_description(c.oid, a.attnum) AS said
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relnamespace = 'rounds'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
    ORDER BY c.oid, a.attnum";

const FOREIGN_KEYS: &str = "
    SELECT p.relname::text AS parent, c.relname::text AS child, string_agg(a.attname, ', ' ORDER BY k.n) AS columns,
           bool_or(NOT a.attnotnull) AS nullable
    FROM pg_constraint f JOIN pg_class p ON p.oid = f.confrelid JOIN pg_class c ON c.oid = f.conrelid
    CROSS JOIN LATERAL unnest(f.conkey) WITH ORDINALITY k (number, n)
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
    WHERE f.contype = 'f' AND c.relnamespace = 'rounds'::regnamespace
      AND NOT c.relispartition AND NOT p.relispartition
    GROUP BY f.oid, p.oid, c.oid ORDER BY p.oid, c.oid, 3";

struct Column {
    name: String,
    kind: String,
    nullable: bool,
    comment: Option<String>,
}

struct Relation {
    name: String,
    view: bool,
    partitioned: Option<String>,
    comment: Option<String>,
    columns: Vec<Column>,
}

/// Tables and views in the order in which they are made.
async fn relations(clinic: &Clinic) -> Vec<Relation> {
    let mut all: Vec<Relation> = vec![];
    for row in clinic.rows(COLUMNS).await {
        let name: String = row.get("relation");
        if all.last().is_none_or(|last| last.name != name) {
            let (view, partitioned, comment) = (row.get("is_view"), row.get("partitioned"), row.get("comment"));
            all.push(Relation { name, view, partitioned, comment, columns: vec![] });
        }
        let column = Column {
            name: row.get("column"),
            kind: row.get("type"),
            nullable: row.get("nullable"),
            comment: row.get("said"),
        };
        all.last_mut().expect("one at least").columns.push(column);
    }
    all
}

/// The tables that the migrations of the reference set make; all others are ours.
fn of_the_clinic() -> BTreeSet<String> {
    let name = |line: &str| Some(line.strip_prefix("CREATE TABLE ")?.split([' ', '(']).next()?.to_owned());
    let files = fs::read_dir("migrations/clinic").expect("the project's migrations");
    let texts = files.map(|file| fs::read_to_string(file.expect("readable").path()).expect("UTF-8"));
    texts.flat_map(|text| text.lines().filter_map(name).collect::<Vec<_>>()).collect()
}

/// Who sends a statement, by the path of its declaration.
fn sender(path: &str) -> String {
    let parts: Vec<String> = path.split("::").map(|part| part.replace('_', "-")).collect();
    match parts[1].as_str() {
        "jobs" | "ops" => format!("`{}`", parts[2]),
        "run" => "every job".to_owned(),
        "command" => "every operator command".to_owned(),
        _ => "every command".to_owned(),
    }
}

/// The words of a statement, without what is in comments and in quotation marks.
fn words(sql: &str) -> Vec<String> {
    let code = sql.lines().map(|line| line.split("--").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let unquoted: Vec<&str> = code.split('\'').step_by(2).collect();
    let spaced = unquoted.join(" ").replace('(', " ( ").replace(',', " , ").replace(')', " ) ");
    spaced.split_whitespace().map(str::to_owned).collect()
}

/// Who writes and who reads each relation.
#[derive(Default)]
struct Use {
    writes: BTreeSet<String>,
    reads: BTreeSet<String>,
}

async fn uses(clinic: &Clinic, names: &BTreeSet<&str>) -> BTreeMap<String, Use> {
    let mut uses: BTreeMap<String, Use> = BTreeMap::new();
    let said = clinic.run(&["statements"]).await.expect(0).stdout;
    for statement in serde_json::from_str::<Vec<Value>>(&said).expect("a list") {
        let name = statement["name"].as_str().expect("a name");
        // What checks all tables is not listed at each.
        if name.starts_with("rounds::ops::check::") {
            continue;
        }
        let sender = sender(name);
        let words = words(statement["text"].as_str().expect("a text"));
        for (at, word) in words.iter().enumerate().filter(|(_, word)| names.contains(word.as_str())) {
            let before = |n: usize| at.checked_sub(n).map_or("", |at| words[at].as_str());
            let entry = uses.entry(word.clone()).or_default();
            match (before(2), before(1)) {
                ("INSERT", "INTO") | ("DELETE", "FROM") | (_, "UPDATE") => entry.writes.insert(sender.clone()),
                (_, "FROM" | "JOIN" | "USING" | ",") => entry.reads.insert(sender.clone()),
                _ => false,
            };
        }
    }
    uses
}

/// Lines of at most 120 characters.
fn wrapped(text: &str) -> String {
    let (mut out, mut length) = (String::new(), 0);
    for word in text.split(' ') {
        if length + word.chars().count() + 1 > 120 {
            out.push('\n');
            length = 0;
        } else if length > 0 {
            out.push(' ');
        }
        out += word;
        length += word.chars().count() + 1;
    }
    out
}

/// The lines of the diagram: foreign keys, and keys that a table of ours keeps as text.
async fn diagram(clinic: &Clinic, relations: &[Relation], theirs: &BTreeSet<String>) -> String {
    let mut out = "```mermaid\nerDiagram\n".to_owned();
    for row in clinic.rows(FOREIGN_KEYS).await {
        let word = |name: &str| row.get::<_, String>(name);
        let parent = if row.get("nullable") { "|o" } else { "||" };
        writeln!(out, "    {} {parent}--o{{ {} : \"{}\"", word("parent"), word("child"), word("columns"))
            .expect("text");
    }
    for relation in relations.iter().filter(|relation| !theirs.contains(&relation.name) && !relation.view) {
        for column in &relation.columns {
            let said = column.comment.as_deref().unwrap_or_default();
            let Some(rest) = said.strip_prefix("The key of the ") else { continue };
            let Some((_, table)) = KEYS.iter().find(|(word, _)| rest.starts_with(word)) else { continue };
            writeln!(out, "    {table} |o..o{{ {} : \"{}\"", relation.name, column.name).expect("text");
        }
    }
    out + "```\n"
}

fn list(names: Option<&BTreeSet<String>>) -> String {
    match names.filter(|names| !names.is_empty()) {
        Some(names) => names.iter().cloned().collect::<Vec<_>>().join(", "),
        None => "nothing of rounds".to_owned(),
    }
}

fn section(relation: &Relation, uses: &BTreeMap<String, Use>) -> String {
    let used = uses.get(&relation.name);
    let (writes, reads) = (list(used.map(|used| &used.writes)), list(used.map(|used| &used.reads)));
    let view = if relation.view { " (view)" } else { "" };
    let parts = relation.partitioned.as_ref().map(|by| format!(" Partitioned by {by}.")).unwrap_or_default();
    let comment = relation.comment.as_deref().unwrap_or_default();
    let mut out = format!("### {}{view}\n\n{}\n\n", relation.name, wrapped(&format!("{comment}{parts}")));
    let who =
        if relation.view { format!("Read by: {reads}.") } else { format!("Written by: {writes}. Read by: {reads}.") };
    write!(out, "{}\n\n| column | type | null | content |\n|---|---|---|---|\n", wrapped(&who)).expect("text");
    for column in &relation.columns {
        let null = if column.nullable && !relation.view { "yes" } else { "" };
        let said = column.comment.as_deref().unwrap_or_default().replace('|', "\\|");
        writeln!(out, "| `{}` | {} | {null} | {said} |", column.name, column.kind).expect("text");
    }
    out
}

async fn page(clinic: &Clinic) -> String {
    let (relations, theirs) = (relations(clinic).await, of_the_clinic());
    let names = relations.iter().map(|relation| relation.name.as_str()).collect();
    let uses = uses(clinic, &names).await;
    let mut out = "# Tables\n\n".to_owned();
    out += "This page is for who writes views for `rounds`, queries its tables or changes its SQL. It is generated from the\n\
            database that `rounds migrate --with-clinic-tables` makes and from `rounds statements`; `make docs` writes it.\n\n";
    out += "A solid line is a foreign key. A dotted line is a key of the clinic's that a table of `rounds` keeps as text: the\n\
            row may be gone. `|o` is a key that may be NULL or gone. \"Every command\" are jobs and operator commands.\n\n";
    out += &diagram(clinic, &relations, &theirs).await;
    let intros = [
        "\n## Ours\n\n`rounds migrate` makes these, in a schema of their own. Nothing of them refers to the clinic's rows by a\n\
         foreign key, so an application can always delete its rows.\n",
        "\n## The clinic's\n\nThe application has these, as tables or views of these names in the same schema. The types are those of the\n\
         reference set (`rounds migrate --with-clinic-tables`); a key may be bigint, uuid or text, a status an enum, an instant\n\
         a `timestamp` in UTC: see [adopting.md](adopting.md). Only what the jobs in use need has to be there.\n",
    ];
    for (intro, clinics) in intros.into_iter().zip([false, true]) {
        out += intro;
        for relation in relations.iter().filter(|relation| theirs.contains(&relation.name) == clinics) {
            write!(out, "\n{}", section(relation, &uses)).expect("text");
        }
    }
    out
}

#[tokio::test]
async fn the_page_of_the_tables_is_up_to_date() {
    let said = page(&Clinic::new().await).await;
    if std::env::var_os("ROUNDS_UPDATE_DOCS").is_some_and(|value| value == "1") {
        return fs::write(PAGE, said).expect("can be written");
    }
    assert!(fs::read_to_string(PAGE).unwrap_or_default() == said, "{PAGE} is not up to date: make docs");
}

#[tokio::test]
async fn everything_has_a_comment_and_each_ledger_says_what_becomes_of_it() {
    let relations = relations(&Clinic::new().await).await;
    let mut missing = vec![];
    for relation in &relations {
        missing.extend(relation.comment.is_none().then(|| relation.name.clone()));
        let columns = relation.columns.iter().filter(|column| column.comment.is_none());
        missing.extend(columns.map(|column| format!("{}.{}", relation.name, column.name)));
    }
    assert!(relations.len() > 45 && missing.is_empty(), "no comment: {missing:#?}");
    for (ledger, word) in LEDGERS {
        let relation = relations.iter().find(|relation| relation.name == ledger).expect(ledger);
        let comment = relation.comment.as_deref().expect("a comment");
        let (_, said) = comment.split_once("When ").unwrap_or_else(|| panic!("{ledger}: {comment}"));
        assert!(said.contains(" gone, ") && said.contains(word), "{ledger}: {comment}");
    }
}

/// A table of ours that keeps a key of the clinic's is a ledger.
#[tokio::test]
async fn every_table_that_keeps_a_key_is_a_ledger() {
    let (relations, theirs) = (relations(&Clinic::new().await).await, of_the_clinic());
    let keeps = |relation: &&Relation| {
        let key = |column: &Column| column.comment.as_deref().is_some_and(|said| said.starts_with("The key of the "));
        !theirs.contains(&relation.name) && !relation.view && relation.columns.iter().any(key)
    };
    let kept: BTreeSet<&str> = relations.iter().filter(keeps).map(|relation| relation.name.as_str()).collect();
    let mut ledgers: BTreeSet<&str> = LEDGERS.map(|(name, _)| name).into();
    // The item of a run's error goes with the run.
    ledgers.insert("cron_job_run_errors");
    assert_eq!(kept, ledgers);
}
