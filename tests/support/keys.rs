//! The kinds of clinics: what their keys are made of, and whether the jobs see tables or views.
//!
//! Each kind is a template database with our tables and the reference set, its text changed as the kind needs. In each,
//! two functions take a test from a number to a key and back: `k(7)` is the seventh key of every table, and `n(key)` is
//! 7, also for a key that is kept as text. Keys of all kinds are in the order of their numbers.

use tokio_postgres::Client;

const CLINIC: &str = include_str!("../../migrations/clinic/V0001__clinic.sql");

/// What a clinic's keys are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The reference set itself.
    Bigint,
    /// Tables with uuid keys.
    Uuid,
    /// Views over an application's tables with text keys, enums, clock times as text, instants without a zone, and
    /// whole numbers of eight bytes.
    TextViews,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Bigint, Self::Uuid, Self::TextViews];

    /// The template database.
    pub fn template(self) -> &'static str {
        match self {
            Self::Bigint => "migrated",
            Self::Uuid => "migrated_uuid",
            Self::TextViews => "migrated_text",
        }
    }

    fn key_type(self) -> &'static str {
        match self {
            Self::Bigint => "bigint",
            Self::Uuid => "uuid",
            Self::TextViews => "text",
        }
    }

    /// A key from a number `n`, in SQL.
    fn key(self, n: &str) -> String {
        match self {
            Self::Bigint => n.to_owned(),
            Self::Uuid => format!("lpad({n}::text, 32, '0')::uuid"),
            Self::TextViews => format!("'k' || lpad({n}::text, 8, '0')"),
        }
    }

    /// The key with that number, as the server prints it.
    pub fn text(self, number: i64) -> String {
        match self {
            Self::Bigint => number.to_string(),
            Self::Uuid => format!("00000000-0000-0000-0000-{number:012}"),
            Self::TextViews => format!("k{number:08}"),
        }
    }

    /// Makes the two functions in a database that has our tables.
    pub async fn functions(self, client: &Client) {
        let functions = format!(
            "CREATE FUNCTION rounds.k(bigint) RETURNS {} LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT {} $$;
             CREATE FUNCTION rounds.n(text) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT AS
                 $$ SELECT regexp_replace($1, '\\D', '', 'g')::numeric::bigint $$;
             CREATE FUNCTION rounds.n(bigint) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT $1 $$;
             CREATE FUNCTION rounds.n(uuid) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT n($1::text) $$;",
            self.key_type(),
            self.key("$1"),
        );
        client.batch_execute(&functions).await.expect("functions");
    }

    /// Makes the clinic's tables in a database that has ours, and the two functions in every kind.
    pub async fn complete(self, client: &Client) {
        self.functions(client).await;
        let tables = match self {
            Self::Bigint => return,
            Self::Uuid => self.with_keys(),
            Self::TextViews => {
                format!("CREATE SCHEMA app; SET search_path = app, public;\n{}", awkward(&self.with_keys()))
            }
        };
        client.batch_execute(&tables).await.unwrap_or_else(|error| panic!("{error:?}\n{tables}"));
        if self == Self::TextViews {
            let views = "SET search_path = rounds, public;
                 DO $$ DECLARE t text; BEGIN
                     FOR t IN SELECT relname FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relkind = 'r' LOOP
                         EXECUTE format('CREATE VIEW rounds.%I AS SELECT * FROM app.%I', t, t);
                     END LOOP;
                 END $$";
            client.batch_execute(views).await.expect("views");
        }
    }

    /// The text of the reference set with keys of this kind.
    pub fn with_keys(self) -> String {
        let (mut out, mut table) = (String::new(), String::new());
        let key_type = self.key_type();
        for line in CLINIC.lines() {
            if let Some(rest) = line.strip_prefix("CREATE TABLE ") {
                table = rest.trim_end_matches(" (").to_owned();
                out.insert_str(0, &format!("CREATE SEQUENCE {table}_keys;\n"));
            }
            let default = self.key(&format!("nextval('{table}_keys')"));
            let identity = format!("{key_type} PRIMARY KEY DEFAULT ({default})");
            let line = line.replace("bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY", &identity);
            let refers = line.contains("REFERENCES") || line.trim_start().starts_with("assigned_department_id");
            out += &if refers { line.replace(" bigint", &format!(" {key_type}")) } else { line };
            out.push('\n');
        }
        // The sequences are made before the tables.
        out
    }
}

/// The tables with the types that applications have: enums, text for clock times, instants without a zone.
fn awkward(tables: &str) -> String {
    let (mut types, mut out, mut table) = (String::new(), String::new(), String::new());
    let mut statements = tables.to_owned();
    // A list of labels that goes on in the next line.
    while let Some(at) = statements.find(",\n                         ") {
        let end = at + 1 + statements[at + 1..].find(|c: char| !c.is_whitespace()).expect("text follows");
        statements.replace_range(at + 1..end, " ");
    }
    statements = statements.replace("\n                       CHECK (status IN", " CHECK (status IN");
    statements = statements.replace("\n                      CHECK (status IN", " CHECK (status IN");
    statements = statements.replace("\n                           CHECK (status IN", " CHECK (status IN");
    for line in statements.lines() {
        if let Some(rest) = line.strip_prefix("CREATE TABLE ") {
            table = rest.trim_end_matches(" (").to_owned();
        }
        let mut line = line.to_owned();
        let column = line.trim_start().split(' ').next().unwrap_or_default().to_owned();
        let labels = line.split_once(&format!("CHECK ({column} IN (")).map(|(head, rest)| {
            let (labels, tail) = rest.split_once("))").expect("a list ends");
            (head.to_owned(), labels.to_owned(), tail.to_owned())
        });
        if let Some((head, labels, tail)) = labels {
            let name = format!("{table}_{column}");
            types += &format!("CREATE TYPE {name} AS ENUM ({labels});\n");
            line = format!("{}{tail}", head.replacen(" text", &format!(" {name}"), 1));
        }
        line = line.replace(" timestamptz", " timestamp");
        line = line.replace("DEFAULT now()", "DEFAULT (clock_timestamp() AT TIME ZONE 'UTC')");
        line = line.replace("DEFAULT clock_timestamp()", "DEFAULT (clock_timestamp() AT TIME ZONE 'UTC')");
        for clock in ["start_time", "end_time", "break_start", "break_end"] {
            if column == clock {
                line = line.replacen(" time", " text", 1);
            }
        }
        if line.starts_with("    ")
            && !line.contains("REFERENCES surgical")
            && !line.contains("status          integer")
        {
            line = line.replacen(" integer", " bigint", 1);
        }
        out += &line;
        out.push('\n');
    }
    let first = out.find("CREATE TABLE").expect("a table");
    out.insert_str(first, &types);
    out
}
