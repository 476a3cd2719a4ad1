//! The application's tables, as the server's catalog describes them. No row of them is read.

use std::collections::BTreeMap;

use tokio_postgres::Transaction;

use crate::db::statements;
use crate::error::Error;
use crate::ops::names::escaped;

statements! {
    COLUMNS(TEXT) = include_str!("catalog.sql");
    FOREIGN_KEYS(TEXT) = include_str!("foreign_keys.sql");
    INDEXES(TEXT) = include_str!("indexes.sql");
    /// Whether there is the schema of the application and ours, and the tables that are in the way of views in ours.
    pub SCHEMAS(TEXT, TEXT, TEXT_ARRAY) =
        "SELECT quote_ident($1) AS quoted, quote_ident($2) AS ours_quoted,
                EXISTS (SELECT FROM pg_namespace WHERE nspname = $1) AS is_there,
                EXISTS (SELECT FROM pg_namespace WHERE nspname = $2) AS ours_is_there,
                ARRAY(SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                      WHERE n.nspname = $2 AND c.relname = ANY ($3) AND c.relkind <> 'v' ORDER BY 1) AS in_the_way,
                ARRAY(SELECT DISTINCT n.nspname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                      WHERE c.relkind IN ('r', 'p') AND n.nspname <> $2 AND n.nspname !~ '^pg_'
                        AND n.nspname <> 'information_schema' ORDER BY 1) AS others";
}

/// A schema of the application.
pub struct Catalog {
    /// Its name, quoted where SQL needs it, without control characters. So are all names that are called `quoted`.
    pub quoted: String,
    /// In the order of their names.
    pub tables: Vec<Table>,
}

#[derive(Default)]
pub struct Table {
    pub name: String,
    pub quoted: String,
    pub columns: Vec<Column>,
    pub foreign_keys: Vec<ForeignKey>,
    pub indexes: Vec<Index>,
}

#[derive(Clone, Default)]
pub struct Column {
    pub name: String,
    pub quoted: String,
    /// The name of the type; that of a domain is the type beneath.
    pub base: String,
    /// The type as SQL writes it.
    pub shown: String,
    pub is_enum: bool,
    /// The labels of an enum, or those that a CHECK allows.
    pub labels: Vec<String>,
    pub is_required: bool,
    pub has_default: bool,
}

pub struct ForeignKey {
    pub column: String,
    pub table: String,
    pub key: String,
}

pub struct Index {
    pub is_unique: bool,
    /// The keys as SQL writes them: a quoted column or an expression.
    pub keys: Vec<String>,
    pub predicate: String,
}

impl Catalog {
    pub async fn read(tx: &Transaction<'_>, schema: &str, quoted: &str) -> Result<Self, Error> {
        let mut tables: BTreeMap<String, Table> = BTreeMap::new();
        for row in COLUMNS.all(tx, &[&schema]).await? {
            let name: String = row.get("relation");
            let table = tables.entry(name.clone()).or_insert_with(|| Table {
                name,
                quoted: escaped(row.get("quoted_relation")),
                ..Table::default()
            });
            table.columns.push(Column {
                name: row.get("name"),
                quoted: escaped(row.get("quoted")),
                base: row.get("base"),
                shown: escaped(row.get("shown")),
                is_enum: row.get("is_enum"),
                labels: row.get("labels"),
                is_required: row.get("is_required"),
                has_default: row.get("has_default"),
            });
        }
        for row in FOREIGN_KEYS.all(tx, &[&schema]).await? {
            let key = ForeignKey { column: row.get("name"), table: row.get("other"), key: row.get("key") };
            if let Some(table) = tables.get_mut(row.get::<_, &str>("relation")) {
                table.foreign_keys.push(key);
            }
        }
        for row in INDEXES.all(tx, &[&schema]).await? {
            let keys = row.get::<_, Vec<&str>>("keys").into_iter().map(escaped).collect();
            let index = Index { is_unique: row.get("is_unique"), keys, predicate: escaped(row.get("predicate")) };
            if let Some(table) = tables.get_mut(row.get::<_, &str>("relation")) {
                table.indexes.push(index);
            }
        }
        Ok(Self { quoted: escaped(quoted), tables: tables.into_values().collect() })
    }

    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name == name)
    }
}

impl Table {
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Whether a column alone has a unique index, so that it finds at most one row.
    pub fn is_unique(&self, column: &Column) -> bool {
        let alone = |index: &&Index| index.keys.len() == 1 && index.predicate.is_empty();
        self.indexes.iter().filter(alone).any(|index| index.is_unique && index.keys[0] == column.quoted)
    }
}
