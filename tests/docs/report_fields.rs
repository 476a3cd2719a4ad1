//! `docs/report-fields.md`: the fields of each job's report, with unit and meaning, read from the structs of the source that
//! are serialized. That no report has another field is looked at wherever a test reads one: `support/fields.rs`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::{files, read, root};

const FILE: &str = "docs/report-fields.md";
/// What the runner adds to each report (`run/report.rs`), beside what was not done.
const OF_EVERY_JOB: [[&str; 3]; 15] = [
    ["job", "name", "The job"],
    ["lane", "name", "The part of the job that the run worked on; only where there is one"],
    ["run_id", "UUID", "The run, as `rounds runs show` takes it; null of a dry run"],
    ["status", "word", "COMPLETED, FAILED, SKIPPED or RUNNING, as in `cron_job_runs`"],
    ["ok", "true or false", "Whether the run did its work, also where items failed"],
    ["partial", "true or false", "That items failed; only where some did"],
    ["dry_run", "true or false", "Whether everything was rolled back"],
    ["now", "instant", "The instant that decided what is due"],
    ["duration_ms", "milliseconds", "How long the run took"],
    ["error_code", "code", "Why the run did not succeed: [errors](errors.md); only then"],
    ["error_message", "text", "The same in words"],
    [
        "would_brake",
        "text",
        "The brake at which a run with effects would have stopped; only of a dry run that found one",
    ],
    ["list", "list", "What the dry run would change, with `--list`: [output](operator.md)"],
    ["list.*", "object", "An item, as [output](operator.md) has it"],
    ["scanned", "items", "What was due: all that was done, skipped or failed"],
];

/// A struct that is serialized: its fields in order.
type Fields = Vec<Field>;

#[derive(Clone, Debug, Default)]
struct Field {
    name: String,
    kind: String,
    meaning: String,
    is_flat: bool,
    is_optional: bool,
}

/// What stands above a line: comments and attributes.
#[derive(Default)]
struct Above {
    comment: Vec<String>,
    attributes: String,
}

impl Above {
    /// Takes a line of it; false if it is none.
    fn take(&mut self, line: &str) -> bool {
        if let Some(text) = line.strip_prefix("///") {
            self.comment.push(text.trim().to_owned());
        } else if line.starts_with("#[") {
            self.attributes += line;
        } else {
            return false;
        }
        true
    }

    fn renamed(&self) -> Option<&str> {
        self.attributes.split_once("rename = \"")?.1.split('"').next()
    }
}

fn camel_case(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + &part[..1].to_uppercase() + &part[1..])
}

/// The serialized structs and enums of a source. The variants of an enum are read as further fields.
fn structs(text: &str, to: &mut BTreeMap<String, Fields>) {
    let (mut above, mut open): (Above, Option<(String, bool, Fields)>) = Default::default();
    for line in text.lines().map(str::trim) {
        if above.take(line) {
            continue;
        }
        let here = std::mem::take(&mut above);
        match &mut open {
            None => {
                let words = line.trim_start_matches("pub ").strip_suffix(" {");
                let name =
                    words.and_then(|words| words.strip_prefix("struct ").or_else(|| words.strip_prefix("enum ")));
                let is_written = here.attributes.contains("Serialize");
                if let Some(name) = name.filter(|_| is_written) {
                    let name = name.split('<').next().unwrap_or_default().to_owned();
                    open = Some((name, here.attributes.contains("\"camelCase\""), vec![]));
                }
            }
            Some((name, _, fields)) if line == "}" => {
                to.insert(name.clone(), std::mem::take(fields));
                open = None;
            }
            Some((_, is_camel, fields)) => fields.extend(field(line, &here, *is_camel)),
        }
    }
}

fn field(line: &str, above: &Above, is_camel: bool) -> Option<Field> {
    let is_written = !above.attributes.contains("serde(skip)");
    let meaning = above.comment.join(" ");
    // A variant of an enum with a struct.
    if let Some((variant, kind)) = line.trim_end_matches("),").split_once('(').filter(|_| line.ends_with("),")) {
        let kind = kind.to_owned();
        return (!variant.contains(':')).then(|| Field { kind, is_flat: true, ..Field::default() });
    }
    let (name, kind) = line.trim_start_matches("pub ").strip_suffix(',')?.split_once(": ")?;
    let name = above.renamed().map_or_else(|| if is_camel { camel_case(name) } else { name.to_owned() }, str::to_owned);
    let is_flat = above.attributes.contains("flatten");
    let is_optional = above.attributes.contains("skip_serializing_if");
    is_written.then(|| Field { name, kind: kind.to_owned(), meaning, is_flat, is_optional })
}

/// The type within `Option<...>`, `Vec<...>`, `&'a [...]`; and whether it is a list.
fn inner(kind: &str) -> (&str, bool) {
    let kind = kind.trim_start_matches("&'a ");
    let within = |begin: &str, end: &str| kind.strip_prefix(begin).and_then(|rest| rest.strip_suffix(end));
    if let Some(kind) = within("Option<", ">") {
        return inner(kind);
    }
    match within("Vec<", ">").or_else(|| within("[", "]")) {
        Some(kind) => (inner(kind).0, true),
        None => (kind, false),
    }
}

fn unit(name: &str, kind: &str, is_list: bool) -> &'static str {
    match kind {
        _ if is_list => "list",
        _ if name.ends_with("_ms") => "milliseconds",
        "u64" | "u32" | "i64" | "i32" if name.ends_with("_status") => "status",
        "u64" | "u32" | "i64" if name.ends_with("_id") || name == "npi" => "id",
        "u64" | "u32" | "i64" => "count",
        "f64" => "seconds",
        "bool" => "true or false",
        "Cents" => "money",
        "NaiveDate" => "day",
        "Key" | "Value" => "id",
        "Uuid" => "UUID",
        "String" | "&'static str" | "PathBuf" => "text",
        _ if kind.starts_with("BTreeMap<") => "counts by name",
        _ => "object",
    }
}

/// The rows of a struct: field, unit, meaning. What is in another struct has the name of the field before its own.
fn rows(fields: &Fields, before: &str, all: &BTreeMap<String, Fields>, to: &mut Vec<[String; 3]>) {
    for field in fields {
        let (kind, is_list) = inner(&field.kind);
        if field.is_flat {
            // What was not done is in the table of every job, and here only what the job says of it.
            match kind.trim_start_matches("&'a ") {
                "NotDone" if !field.meaning.is_empty() => {
                    to.push(["skipped_by_reason".into(), "counts by name".into(), meaning(field)]);
                }
                "NotDone" => {}
                kind => rows(all.get(kind).unwrap_or_else(|| panic!("no struct {kind}")), before, all, to),
            }
            continue;
        }
        let name = format!("{before}{}", field.name);
        // Variants of an enum may share one.
        if to.iter().any(|[known, ..]| *known == name) {
            continue;
        }
        to.push([name.clone(), unit(&field.name, kind, is_list).to_owned(), meaning(field)]);
        if let Some(fields) = all.get(kind.trim_start_matches("&'a ")) {
            rows(fields, &format!("{name}."), all, to);
        }
    }
}

/// The comment as the cell of a table.
fn meaning(field: &Field) -> String {
    let text = field.meaning.trim_end_matches('.').replace('|', "\\|");
    let when = if field.is_optional { "; only where there is any" } else { "" };
    format!("{text}{when}")
}

fn table(page: &mut String, rows: &[[String; 3]]) {
    page.push_str("| field | unit | meaning |\n|---|---|---|\n");
    for [name, unit, meaning] in rows {
        let _ = writeln!(page, "| `{name}` | {unit} | {meaning} |");
    }
}

/// The structs below a folder, and in a file that all jobs share.
fn structs_of(folder: &Path) -> BTreeMap<String, Fields> {
    let (mut sources, mut all) = (vec![], BTreeMap::new());
    files(folder, &mut sources);
    sources.sort();
    for source in sources {
        structs(&read(&source), &mut all);
    }
    all
}

fn page() -> String {
    let mut page = String::from(
        "# The fields of the reports\n\n\
         This page is for those who read the reports of jobs with a program: the JSON on stdout, and `metadata.report` of\n\
         `cron_job_runs`. It is written by `make docs` from the sources; a test fails where a report has another field. A\n\
         dot stands between a field and what is in it; of a list it is what is in each of its items. A *count* is of what\n\
         the meaning names. [operator.md](operator.md) says more of single fields, and has the output of other commands.\n\n\
         ## Every job\n\n",
    );
    let shared = {
        let mut all = BTreeMap::new();
        structs(&read(&root().join("src/run/report.rs")), &mut all);
        all
    };
    let mut of_all: Vec<[String; 3]> = OF_EVERY_JOB.iter().map(|row| row.map(str::to_owned)).collect();
    rows(&shared["NotDone"], "", &shared, &mut of_all);
    table(&mut page, &of_all);
    let mut jobs: Vec<_> =
        fs::read_dir(root().join("src/jobs")).expect("jobs").map(|job| job.expect("one").path()).collect();
    jobs.retain(|path| path.is_dir());
    jobs.sort();
    for job in jobs {
        let all = structs_of(&job);
        // One job makes what is serialized of its report.
        let report = all.get("Shown").or_else(|| all.get("Report")).unwrap_or_else(|| panic!("{}", job.display()));
        let mut of_job = vec![];
        rows(report, "", &all, &mut of_job);
        let name = job.file_name().and_then(|name| name.to_str()).expect("UTF-8").replace('_', "-");
        let _ = write!(page, "\n## {name}\n\n");
        table(&mut page, &of_job);
    }
    page
}

#[test]
fn the_fields_of_reports_are_as_the_sources_say() {
    let page = page();
    let untold: Vec<&str> = page.lines().filter(|line| line.ends_with("|  |") || line.contains("| ;")).collect();
    assert!(untold.is_empty(), "a comment at the field is missing: {untold:#?}");
    let path = root().join(FILE);
    if std::env::var_os("ROUNDS_UPDATE_DOCS").is_some() {
        fs::write(&path, &page).expect("can be written");
    }
    assert!(read(&path) == page, "{FILE} is not up to date: make docs");
}
