//! What the catalog says of roles, relations and privileges.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tokio_postgres::Transaction;

use crate::db::{Row, SchemaName, statements};
use crate::error::Error;

statements! {
    // $1 the schema text
    pub WHO(TEXT) =
        "SELECT quote_ident(current_user) AS me, format('DATABASE %I', current_database()) AS database,
                (SELECT pg_has_role(n.nspowner, 'USAGE') FROM pg_namespace n WHERE n.nspname = $1) AS owns,
                (SELECT quote_ident(pg_get_userbyid(n.nspowner)) FROM pg_namespace n WHERE n.nspname = $1) AS owner,
                (SELECT r.rolsuper OR r.rolcreaterole FROM pg_roles r WHERE r.rolname = current_user) AS creates_roles,
                has_database_privilege(current_database(), 'CONNECT WITH GRANT OPTION') AS lets_in,
                has_database_privilege(current_database(), 'TEMPORARY WITH GRANT OPTION') AS lets_stage,
                has_database_privilege('public', current_database(), 'CONNECT') AS all_come_in,
                has_database_privilege('public', current_database(), 'TEMPORARY') AS all_stage";
    // $1 the names text[]
    pub ROLES(TEXT_ARRAY) =
        "SELECT r.rolname::text AS name, shobj_description(r.oid, 'pg_authid') AS comment,
                r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls AS is_mighty,
                EXISTS (SELECT FROM pg_shdepend d WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid
                                                    AND d.deptype = 'o') AS owns,
                EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid) AS is_member
         FROM pg_roles r WHERE r.rolname = ANY ($1)";
    RELATIONS(TEXT, TEXT_ARRAY) = include_str!("relations.sql");
    HELD(TEXT, TEXT_ARRAY) = include_str!("held.sql");
    // The columns of a case that the clinic's statuses name, each once.
    pub STAGE_COLUMNS() =
        "SELECT DISTINCT s.timestamp_field::text AS name FROM surgical_case_statuses s
         WHERE s.timestamp_field IS NOT NULL ORDER BY 1";
    // What everybody may do with the relations of the schema. $1 the schema text
    pub EVERYBODY(TEXT) =
        "SELECT format('%I.%I', n.nspname, c.relname) AS name, string_agg(x.privilege_type, ', ' ORDER BY 1) AS privileges
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL aclexplode(c.relacl) x
         WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND x.grantee = 0
         GROUP BY n.nspname, c.relname ORDER BY 1";
}

/// A privilege that a role has or is to have. The column is empty where it is on the whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    /// As SQL names it after ON.
    pub object: String,
    pub privilege: String,
    pub column: String,
}

/// A relation of the schema.
pub struct Relation {
    pub name: String,
    pub is_mine: bool,
    pub owner: String,
    /// The names of the columns, and as SQL has them.
    pub columns: HashMap<String, String>,
    /// The sequences that its defaults call, and those among them of another owner.
    pub sequences: Vec<String>,
    pub others: Vec<String>,
}

/// The relations that are there.
pub async fn relations(
    tx: &Transaction<'_>,
    schema: &SchemaName,
    names: &[&str],
) -> Result<HashMap<String, Relation>, Error> {
    let relation = |row: &Row| Relation {
        name: row.get("name"),
        is_mine: row.get("is_mine"),
        owner: row.get("owner"),
        columns: row.get::<_, Vec<String>>("columns").into_iter().zip(row.get::<_, Vec<String>>("quoted")).collect(),
        sequences: row.get("sequences"),
        others: row.get("others"),
    };
    let rows = RELATIONS.all(tx, &[&schema.as_str(), &names]).await?;
    Ok(rows.iter().map(|row| (row.get("relation"), relation(row))).collect())
}

/// What each role has.
pub async fn held(
    tx: &Transaction<'_>,
    schema: &SchemaName,
    names: &[&str],
) -> Result<HashMap<String, BTreeSet<Item>>, Error> {
    let mut held: HashMap<String, BTreeSet<Item>> = HashMap::new();
    for row in HELD.all(tx, &[&schema.as_str(), &names]).await? {
        let item = Item { object: row.get("name"), privilege: row.get("privilege"), column: row.get("column") };
        held.entry(row.get("role")).or_default().insert(item);
    }
    Ok(held)
}

/// These privileges as SQL, one text an object: `SELECT (id), DELETE ON "rounds".t`.
pub fn listed<'a>(items: impl IntoIterator<Item = &'a Item>) -> Vec<String> {
    let mut objects: BTreeMap<&str, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
    for Item { object, privilege, column } in items {
        let columns = objects.entry(object).or_default().entry(privilege).or_default();
        columns.extend(Some(column.as_str()).filter(|column| !column.is_empty()));
    }
    let one = |(privilege, columns): (&str, Vec<&str>)| match columns.is_empty() {
        true => privilege.to_owned(),
        false => format!("{privilege} ({})", columns.join(", ")),
    };
    let of_object = |(object, privileges): (&str, BTreeMap<&str, Vec<&str>>)| {
        format!("{} ON {object}", privileges.into_iter().map(one).collect::<Vec<_>>().join(", "))
    };
    objects.into_iter().map(of_object).collect()
}
