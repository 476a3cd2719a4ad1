//! What is shown of an error of the server: see the rule in `error.rs`.

use tokio_postgres::error::{DbError, SqlState};

use super::{Error, ErrorKind, names};

/// The code of an error whose SQLSTATE nobody but a function of the clinic's defines. Five characters are enough for a
/// name, so they are not shown.
const OWN_STATE: &str = "OWN_SQLSTATE";

/// States of servers that are newer than the driver.
const NEWER: [&str; 1] = ["25P04"];

/// The routines of the server in which a constraint is checked; the names that they report are in the catalog. The
/// routine of a RAISE is another.
const CHECKS: [&str; 11] = [
    "ExecConstraints",
    "ReportNotNullViolationError",
    "ExecPartitionCheckEmitError",
    "ExecEvalConstraintCheck",
    "ExecEvalConstraintNotNull",
    "_bt_check_unique",
    "check_exclusion_or_unique_constraint",
    "comparetup_index_btree",
    "comparetup_index_btree_tiebreak",
    "ri_ReportViolation",
    "ATRewriteTable",
];

/// The routines of the server whose message names a relation or a column that a statement asks for. A statement of a
/// trigger can come here too, with a name that it made of a row; so only known names of the message are shown.
const NAMING: [&str; 17] = [
    // 42501
    "aclcheck_error",
    "aclcheck_error_col",
    "ExecWithCheckOptions",
    // 42P01
    "parserOpenTable",
    "RangeVarGetRelidExtended",
    "errorMissingRTE",
    // 42P07
    "heap_create_with_catalog",
    "index_create",
    "RenameRelationInternal",
    // 42703
    "errorMissingColumn",
    "checkInsertTargets",
    "transformUpdateTargetList",
    // 0A000 and 55000, of a rule, a view or a table of another kind
    "RewriteQuery",
    "rewriteTargetListIU",
    "rewriteTargetView",
    "error_view_not_updatable",
    "CheckValidResultRel",
];

pub fn server_error(db: &DbError) -> Error {
    let state = db.code().code();
    let (code, meaning) = of_kit(state).unwrap_or_else(|| match is_defined(db.code()) {
        true => (state, meaning(state)),
        false => (OWN_STATE, "a trigger or function of the database gave a code of its own; the server's log has it"),
    });
    let routine = db.routine().unwrap_or_default();
    let is_check = CHECKS.contains(&routine);
    let (said_relation, said_column) = match NAMING.contains(&routine) {
        true => names::in_message(db.message()),
        false => (None, None),
    };
    let mut message = meaning.to_owned();
    let mut is_any_left_out = false;
    let fields = [
        ("table", db.table(), names::is_relation as fn(&str) -> bool, said_relation),
        ("column", db.column(), names::is_column, said_column),
        ("constraint", db.constraint(), names::is_constraint, None),
    ];
    for (object, name, is_known, said) in fields {
        let shown = name.filter(|name| is_check || is_known(name));
        is_any_left_out |= name.is_some() && shown.is_none();
        if let Some(name) = shown.or(said) {
            message.push_str(&format!(", {object} {name}"));
        }
    }
    if is_any_left_out {
        message.push_str("; a name that is none of ours is left out, and the server's log has it");
    }
    if routine.starts_with("aclcheck_error") {
        message = format!("{}; {message}", denied(db.message(), said_relation));
    }
    Error { code: code.to_owned().into(), message, kind: classify(db.code()) }
}

/// What the server's own check of privileges says, with the name only of a known relation.
fn denied(message: &str, relation: Option<&str>) -> String {
    const KINDS: [&str; 5] = ["schema", "database", "function", "sequence", "type"];
    let kind = || KINDS.into_iter().find(|kind| message.starts_with(&format!("permission denied for {kind} ")));
    match relation {
        Some(relation) => format!("permission denied for table {relation}"),
        None => format!("permission denied for a {}", kind().unwrap_or("table or another object that is none of ours")),
    }
}

/// Whether PostgreSQL defines a state. Of another the driver keeps the text, and has no method that says so.
fn is_defined(state: &SqlState) -> bool {
    !format!("{state:?}").starts_with("SqlState(Other(") || NEWER.contains(&state.code())
}

/// The kind of an SQLSTATE.
fn classify(state: &SqlState) -> ErrorKind {
    match state.code() {
        "40001" | "57P01" | "57P02" | "57P03" | "53300" | "25006" | "25P03" | "25P04" => ErrorKind::Transient,
        "40P01" | "55P03" => ErrorKind::Locked,
        "42P01" => ErrorKind::MissingTable,
        code => match &code[..2] {
            "08" => ErrorKind::Transient,
            "28" | "3D" | "3F" | "42" => ErrorKind::Configuration,
            "0A" | "25" | "26" | "34" | "40" | "53" | "55" | "57" | "58" | "F0" | "HV" | "XX" => ErrorKind::Other,
            // All other states concern a row, including states that the clinic's own triggers raise.
            _ => ErrorKind::Data,
        },
    }
}

/// The name and the meaning of an SQLSTATE that the triggers of the kits (`adopt/`) raise for a row.
fn of_kit(code: &str) -> Option<(&'static str, &'static str)> {
    match code {
        "RK001" => Some((
            "UNMAPPED_SERVICE",
            "the account's service is none of the application's: map it; the server's log names it in DETAIL",
        )),
        "RK002" => Some((
            "NO_PROVIDER",
            "neither the practitioner nor the patient's own provider is known, and the application needs one",
        )),
        _ => None,
    }
}

/// The meaning of an SQLSTATE in words.
pub fn meaning(code: &str) -> &'static str {
    match code {
        "0A000" => "the server does not do this here; a rule on a table that is written can be the reason",
        "22021" | "22P05" => "a text cannot be sent as UTF-8, such as a key of bytes that are no text",
        "22023" => "the database refused a value, such as a time zone that it does not know",
        "23502" => "a required value is missing",
        "23503" => "a row that is referred to does not exist",
        "23505" => "the row exists already",
        "23514" => "a check constraint forbids it",
        "25006" => "the database is read-only: a standby, or default_transaction_read_only is on",
        "25P03" => "the server ended an idle transaction",
        "28P01" | "28000" => "the server refused the user or the password",
        "3D000" => "there is no such database",
        "40001" => "serialization failure",
        "40P01" => "deadlock with another session, which went on",
        "42501" => "a privilege is missing (`rounds grants` prints those that are needed)",
        "42703" => {
            "a column is missing (`rounds check JOB` says what the job needs, `rounds migrate --check` what is wrong \
             with the tables of rounds)"
        }
        "42804" => {
            "a column has another type than expected (`rounds check JOB` says what the job needs, `rounds migrate \
             --check` what is wrong with the tables of rounds)"
        }
        "42P01" => {
            "a table is missing (`rounds check JOB` says what the job needs, `rounds migrate --check` what is wrong \
             with the tables of rounds)"
        }
        "42P06" => "a schema of that name exists already, and belongs to another role",
        "42P07" => "a table of that name exists already",
        "53300" => "the server has no free connection",
        "55000" => "the server cannot do this to the object, such as write to a view that is no plain one",
        "55P03" => "a lock could not be had in time",
        "57014" => "the statement was cancelled or took too long",
        "57P01" => "the server ended the connection",
        "57P02" => "the server crashed",
        "57P03" => "the server is starting up or shutting down",
        "P0001" => "a trigger or function of the database refused the row",
        _ => match &code[..2] {
            "08" => "the connection failed",
            "22" => "the database refused a value",
            "23" => "a constraint forbids it",
            "42" => "the schema is not as expected",
            "53" => "the server is out of resources",
            "57" => "the server's operator intervened",
            "P0" => "a function of the database failed",
            _ => "database error",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_classified_by_what_can_be_done() {
        let cases = [
            ("40001", ErrorKind::Transient),
            ("40P01", ErrorKind::Locked),
            ("57P01", ErrorKind::Transient),
            ("08006", ErrorKind::Transient),
            // After a failover the next connection may reach the server that is written to.
            ("25006", ErrorKind::Transient),
            ("55P03", ErrorKind::Locked),
            ("22003", ErrorKind::Data),
            ("23514", ErrorKind::Data),
            ("P0001", ErrorKind::Data),
            ("CL001", ErrorKind::Data),
            ("RK001", ErrorKind::Data),
            ("54000", ErrorKind::Data),
            ("42P01", ErrorKind::MissingTable),
            ("42501", ErrorKind::Configuration),
            ("28P01", ErrorKind::Configuration),
            ("57014", ErrorKind::Other),
            ("XX000", ErrorKind::Other),
            ("53100", ErrorKind::Other),
        ];
        for (code, kind) in cases {
            assert_eq!(classify(&SqlState::from_code(code)), kind, "{code}");
        }
    }

    #[test]
    fn a_state_is_defined_if_postgresql_defines_it() {
        for code in ["40001", "42P01", "P0001", "23514", "XX000", "25P03", "25P04"] {
            assert!(is_defined(&SqlState::from_code(code)), "{code}");
        }
        for code in ["SMITH", "23999", "CL001", "00BOB"] {
            assert!(!is_defined(&SqlState::from_code(code)), "{code}");
        }
    }
}
