//! `src/ops/privileges.txt`: the privileges that each statement of a run needs, as the server says.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::future::poll_fn;
use std::path::Path;
use std::sync::{Arc, Mutex};

use tokio_postgres::{AsyncMessage, Client, NoTls};

use crate::sql::{Statement, prepare_temporary_tables, statements};
use crate::support::role::{JobRole, grants, roles};
use crate::support::{Clinic, server};

const FILE: &str = "src/ops/privileges.txt";
/// The bits of `requiredPerms` in the server's parse trees.
const VERBS: [(u64, &str); 4] = [(2, "SELECT"), (1, "INSERT"), (4, "UPDATE"), (8, "DELETE")];
/// What the server adds to the number of a column in a set of columns, since system columns have negative numbers.
const OFFSET: i16 = 7;
/// No limit.
const ALL: usize = usize::MAX;

/// A relation that a statement names, as the server has it in the parse tree.
#[derive(Debug, PartialEq, Eq)]
struct Required {
    relation: u32,
    verbs: u64,
    /// The numbers of the columns that are selected, inserted and updated.
    columns: [Vec<i16>; 3],
}

/// Reads the privileges out of a parse tree. Up to PostgreSQL 15 they are in the entry of the range table, from 16 on
/// in an entry of their own; both have the relation before the bits, and the bits before the columns.
fn required(tree: &str) -> Vec<Required> {
    let mut found = vec![];
    let mut relation = 0;
    // The server breaks its lines between words.
    let tree = tree.split_whitespace().collect::<Vec<_>>().join(" ");
    for field in tree.split(" :") {
        let Some((name, value)) = field.split_once(' ') else { continue };
        let value = value.trim_end_matches(['}', ' ']);
        let columns = || -> Vec<i16> {
            let set = value.split(')').next().expect("a set").trim_start_matches("(b");
            set.split_whitespace().map(|number| number.parse::<i16>().expect("a number") - OFFSET).collect()
        };
        match name {
            "relid" => relation = value.parse().expect("an oid"),
            "requiredPerms" => {
                let verbs = value.parse().expect("bits");
                found.push(Required { relation, verbs, columns: Default::default() });
            }
            "selectedCols" => found.last_mut().expect("an entry").columns[0] = columns(),
            "insertedCols" => found.last_mut().expect("an entry").columns[1] = columns(),
            "updatedCols" => found.last_mut().expect("an entry").columns[2] = columns(),
            _ => {}
        }
    }
    found.retain(|entry| entry.verbs != 0);
    found
}

/// A session that hears what the server logs.
struct Listener {
    client: Client,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Listener {
    async fn new(clinic: &Clinic) -> Self {
        let (client, mut connection) =
            tokio_postgres::connect(&server().url(&clinic.database), NoTls).await.expect("the test server answers");
        let heard = Arc::new(Mutex::new(vec![]));
        let log = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
                if let AsyncMessage::Notice(notice) = message {
                    log.lock().expect("nobody panics").extend(notice.detail().map(str::to_owned));
                }
            }
        });
        Self { client, heard }
    }

    async fn sql(&self, sql: &str) {
        self.client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// What a statement needs.
    async fn required(&self, statement: &Statement) -> Vec<Required> {
        let prepare = prepare(statement, "p");
        self.sql("SET debug_print_parse = on; SET client_min_messages = log").await;
        self.heard.lock().expect("nobody panics").clear();
        self.sql(&prepare).await;
        self.sql("SET debug_print_parse = off; SET client_min_messages = warning; DEALLOCATE p").await;
        let heard = self.heard.lock().expect("nobody panics");
        let trees: Vec<&String> = heard.iter().filter(|text| text.contains(":commandType ")).collect();
        assert!(!trees.is_empty(), "{}: the server printed no tree", statement.name);
        trees.into_iter().flat_map(|tree| required(tree)).collect()
    }
}

fn prepare(Statement { types, text, .. }: &Statement, name: &str) -> String {
    let types = if types.is_empty() { String::new() } else { format!("({})", types.join(", ")) };
    format!("PREPARE {name} {types} AS {text}")
}

/// A relation in our schema.
struct Relation {
    name: String,
    /// The names of the columns by their numbers.
    columns: BTreeMap<i16, String>,
    key: String,
}

async fn relations(clinic: &Clinic) -> HashMap<u32, Relation> {
    let query = "
        SELECT c.oid, c.relname::text, a.attnum, a.attname::text,
               COALESCE(a.attnum = (SELECT i.indkey[0] FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary),
                        a.attnum = 1)
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relnamespace = 'rounds'::regnamespace AND c.relkind IN ('r', 'p', 'v')";
    let mut found: HashMap<u32, Relation> = HashMap::new();
    for row in clinic.client.query(query, &[]).await.expect("the catalog") {
        let (name, number, column): (_, _, String) = (row.get(1), row.get(2), row.get(3));
        let empty = || Relation { name, columns: BTreeMap::new(), key: String::new() };
        let relation = found.entry(row.get(0)).or_insert_with(empty);
        if row.get(4) {
            relation.key.clone_from(&column);
        }
        relation.columns.insert(number, column);
    }
    found
}

/// What a statement needs of a relation: the columns by the verb. LOCK is of a row lock, for which the server wants
/// UPDATE on any column.
type Needs = BTreeMap<&'static str, BTreeSet<String>>;

fn add(needs: &mut Needs, relation: &Relation, required: &Required) {
    for (bit, verb) in VERBS {
        if required.verbs & bit == 0 {
            continue;
        }
        let numbers: &[i16] = match verb {
            "SELECT" => &required.columns[0],
            "INSERT" => &required.columns[1],
            "UPDATE" => &required.columns[2],
            _ => &[],
        };
        let verb = if verb == "UPDATE" && numbers.is_empty() { "LOCK" } else { verb };
        let columns = needs.entry(verb).or_default();
        for number in numbers {
            match number {
                0 => columns.extend(relation.columns.values().cloned()),
                // A system column needs the privilege on the whole; no statement names one of the clinic's.
                ..0 => panic!("a system column of {}", relation.name),
                _ => drop(columns.insert(relation.columns[number].clone())),
            }
        }
        // The server is content with any column.
        if columns.is_empty() && verb != "DELETE" {
            columns.insert(relation.key.clone());
        }
    }
}

#[tokio::test]
async fn the_list_of_privileges_is_what_the_server_asks_of_the_statements() {
    let clinic = Clinic::new().await;
    let relations = relations(&clinic).await;
    let listener = Listener::new(&clinic).await;
    listener.sql("SET search_path = rounds, public").await;
    let statements = statements(&clinic).await;
    // The session's own: they are nobody else's to grant, and so are not among the relations.
    let own = Clinic { client: listener.client, ..clinic };
    prepare_temporary_tables(&own, &statements).await;
    let listener = Listener { client: own.client, heard: listener.heard };
    listener.sql("SET search_path = pg_catalog, rounds, pg_temp; SET debug_pretty_print = off").await;
    let mut all: BTreeMap<(String, String), Needs> = BTreeMap::new();
    for statement in statements.iter().filter(|statement| !statement.roles.is_empty()) {
        for required in listener.required(statement).await {
            let Some(relation) = relations.get(&required.relation) else { continue };
            add(all.entry((statement.name.clone(), relation.name.clone())).or_default(), relation, &required);
        }
    }
    let mut list = String::new();
    for ((statement, relation), needs) in all {
        list += &format!("{statement} {relation}");
        for (verb, columns) in needs {
            list += &format!(" {verb}({})", Vec::from_iter(columns).join(","));
        }
        list += "\n";
    }
    if std::env::var_os("ROUNDS_UPDATE_DOCS").is_some() {
        fs::write(FILE, &list).expect("can be written");
    }
    assert_eq!(fs::read_to_string(Path::new(FILE)).expect("a list"), list, "`make docs` writes it");
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
        for (index, statement) in statements.iter().filter(|one| !one.roles.is_empty()).enumerate() {
            clinic.sql(&prepare(statement, &format!("p{index}"))).await;
            let nulls = vec!["NULL"; statement.types.len()].join(", ");
            let nulls = if nulls.is_empty() { nulls } else { format!("({nulls})") };
            prepared.push((statement, format!("EXPLAIN EXECUTE p{index} {nulls}")));
        }
        Self { clinic, prepared }
    }

    /// Which statements of a job or group are refused to its role, of those whose names are asked for; at most so many.
    async fn refused(&self, job: &str, role: &JobRole, most: usize, asked: impl Fn(&str) -> bool) -> BTreeSet<String> {
        let mut refused = BTreeSet::new();
        self.clinic.sql(&format!("SET ROLE {}", role.name)).await;
        for (Statement { name, roles, .. }, explain) in &self.prepared {
            let is_sent = roles.iter().any(|other| other == job);
            if !is_sent || !asked(name) || refused.len() == most {
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
    for job in &roles() {
        let role = JobRole::printed(&clinic, job).await;
        clinic.sql(&format!("GRANT ALL ON npi_stage, npi_todo, npi_names TO {}", role.name)).await;
        assert_eq!(session.refused(job, &role, ALL, |_| true).await, nothing, "{job} with all that is printed");
        let is_sent = |name: &str| {
            let sends = |one: &Statement| one.name == name && one.roles.iter().any(|other| other == job);
            session.prepared.iter().any(|(one, _)| sends(one))
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
