//! Words of these tests: who is in the account, what a run did, and what is stored afterwards.

use chrono::DateTime;
use serde_json::{Value, json};

use crate::support::keys::Kind;
use crate::support::practiceq::{Client, Request, Sync};
use crate::support::program::Outcome;

/// Two people whom the account knows.
pub const PAT: Client = Client { id: 100, name: "Pat Doe", email: "pat@home.example", date_of_birth: "1980-04-02" };
pub const ANN: Client = Client { id: 200, name: "Ann Roe", email: "ann@home.example", date_of_birth: "1975-12-31" };

/// In the window of every run, and so far off that nobody need be told: noon in Denver.
pub const LATER: &str = "2026-03-10T18:00:00Z";

/// The milliseconds of an instant, as the account writes it.
pub fn millis(instant: &str) -> i64 {
    DateTime::parse_from_rfc3339(instant).expect("an instant").timestamp_millis()
}

/// What the program says of visits: new, updated, unchanged, errors.
#[track_caller]
pub fn totals(outcome: &Outcome) -> [u64; 4] {
    let report = outcome.report();
    ["new", "updated", "unchanged", "errors"]
        .map(|key| report["total_appointments"][key].as_u64().unwrap_or_else(|| panic!("no count {key}: {outcome:?}")))
}

/// How many were skipped for this reason.
pub fn skipped(outcome: &Outcome, reason: &str) -> u64 {
    outcome.report()["skipped_by_reason"][reason].as_u64().unwrap_or(0)
}

/// The named columns of a row.
pub fn columns<const N: usize>(row: &Value, names: [&str; N]) -> [Value; N] {
    names.map(|name| row.get(name).unwrap_or_else(|| panic!("no column {name}: {row}")).clone())
}

/// Fails unless everything that was scanned is accounted for.
#[track_caller]
pub fn balanced(outcome: &Outcome) {
    let [new, updated, unchanged, errors] = totals(outcome);
    let [scanned, deleted, skipped, failed] = ["scanned", "deleted", "skipped", "failed"].map(|key| outcome.count(key));
    assert_eq!(scanned, new + updated + deleted + skipped + failed, "{outcome:?}");
    assert!(unchanged <= skipped && errors <= failed, "{outcome:?}");
    let report = outcome.report();
    let reasons =
        report["skipped_by_reason"].as_object().map(|reasons| reasons.values().filter_map(Value::as_u64).sum());
    assert!(reasons.is_none_or(|reasons: u64| reasons <= skipped), "{outcome:?}");
}

impl Sync {
    /// A run that ends so; everything scanned is accounted for.
    pub async fn ends(&self, code: i32, args: &[&str]) -> Outcome {
        let outcome = self.run(args).await.expect(code);
        balanced(&outcome);
        outcome
    }

    /// A full sweep in which nothing fails.
    pub async fn sweep(&self) -> Outcome {
        self.ends(0, &[]).await
    }

    /// A run that is stopped by its brake.
    pub async fn braked(&self, args: &[&str]) {
        let report = self.run(args).await.expect(5).report();
        assert_eq!(report["error_code"], "BRAKE", "{report}");
    }

    /// A run that is refused before it asks for or changes anything; returns what it said.
    pub async fn refused(&self, args: &[&str], code: &str) -> String {
        let before = self.content().await;
        let asked = self.upstream.requests().len();
        let report = self.run(args).await.expect(2).report();
        assert_eq!(report["error_code"], code, "{args:?}: {report}");
        assert_eq!(self.content().await, before, "{args:?}: nothing was changed");
        assert_eq!(self.upstream.requests().len(), asked, "{args:?}: nothing was asked for");
        report["error_message"].as_str().expect("it says why").to_owned()
    }

    /// The stored visit with this id of the account's.
    pub async fn stored(&self, external_id: &str) -> Value {
        let visit = self.visits().await.into_iter().find(|visit| visit["external_id"] == external_id);
        visit.unwrap_or_else(|| panic!("no visit {external_id}"))
    }

    /// Some columns of it.
    pub async fn stored_as<const N: usize>(&self, external_id: &str, names: [&str; N]) -> [Value; N] {
        columns(&self.stored(external_id).await, names)
    }

    /// The text or null that a query gives.
    pub async fn one(&self, query: &str) -> Value {
        self.clinic.json(&format!("SELECT ({query}) AS v")).await["v"].clone()
    }

    /// Whose the stored visits are that are not deleted: the account's ids, and the patients.
    pub async fn whose(&self) -> Value {
        self.one(
            "SELECT coalesce(jsonb_object_agg(external_id, patient_id), '{}') FROM stored_visits
             WHERE deleted_at IS NULL",
        )
        .await
    }

    /// What waits for a person, and why.
    pub async fn open(&self) -> Value {
        let open = "SELECT coalesce(jsonb_object_agg(external_id, reason), '{}') FROM practiceq_unmatched
                    WHERE status = 'open'";
        self.one(open).await
    }

    /// Which transaction wrote each visit, and where it lies.
    pub async fn written(&self) -> Value {
        let places = "SELECT jsonb_build_array(
            (SELECT jsonb_object_agg(id, xmin::text || ' ' || ctid::text) FROM appointments),
            (SELECT jsonb_object_agg(external_id, xmin::text || ' ' || ctid::text) FROM practiceq_visits))";
        self.one(places).await
    }

    /// Of each row of these tables, with what wrote it.
    async fn rows_of(&self, tables: &[&str]) -> Value {
        let row = "to_jsonb(t) || jsonb_build_object('xmin', t.xmin::text)";
        // A view has no xmin; the application's table has.
        let clinics = ["appointments", "patients", "patient_organization_affiliations"];
        let place = |table: &&str| {
            if self.clinic.kind == Kind::TextViews && clinics.contains(table) { "app" } else { "rounds" }
        };
        let all = tables.iter().map(|table| {
            format!("(SELECT jsonb_agg({row} ORDER BY t.*::text) FROM {}.{table} t) AS {table}", place(table))
        });
        self.clinic.json(&format!("SELECT {}", all.collect::<Vec<_>>().join(", "))).await
    }

    /// What a run is for: all that it could change but the requests and what tells of the run itself.
    pub async fn content(&self) -> Value {
        self.rows_of(&[
            "appointments",
            "patients",
            "patient_organization_affiliations",
            "practiceq_visits",
            "practiceq_freshness",
            "practiceq_clients",
            "practiceq_unmatched",
            "practiceq_cursors",
            "phi_access_log",
        ])
        .await
    }

    /// All that a run could change but the requests.
    pub async fn everything(&self) -> Value {
        let runs = ["practiceq_state", "sync_logs", "notifications", "cron_job_runs", "cron_job_run_errors"];
        json!([self.content().await, self.rows_of(&runs).await])
    }

    /// The tables in which a text is to be found, whatever the case of its letters.
    pub async fn tables_with(&self, text: &str) -> Vec<String> {
        let tables = "SELECT format('%I', relname) FROM pg_class
                      WHERE relkind = 'r' AND relnamespace = 'rounds'::regnamespace ORDER BY relname";
        let mut found = vec![];
        for table in self.clinic.rows(tables).await {
            let table: String = table.get(0);
            let query = format!("SELECT count(*) FROM {table} t WHERE strpos(lower(t::text), lower($1)) > 0");
            if self.clinic.row(&query, &[&text]).await.get::<_, i64>(0) > 0 {
                found.push(table);
            }
        }
        found
    }

    /// What was asked for: the path behind the base, and the parameters in the order of their names.
    pub fn asked_for(&self) -> Vec<String> {
        let asked = |request: &Request| {
            let mut query: Vec<_> = request.query.iter().map(|(key, value)| format!("{key}={value}")).collect();
            query.sort();
            let path = request.path.trim_start_matches("/api/v1/");
            if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
        };
        self.upstream.requests().iter().map(asked).collect()
    }

    /// How often a visit was asked for by its id.
    pub fn asked_by_id(&self, external_id: &str) -> usize {
        let path = format!("appointments/{external_id}");
        self.asked_for().iter().filter(|asked| **asked == path).count()
    }

    /// An organization at this facility, with a case manager: (organization, user).
    pub async fn another_organization(&self, facility: i64) -> (i64, i64) {
        let insert = "INSERT INTO organizations (name, facility_id) VALUES ('Other', k($1)) RETURNING n(id)";
        let organization: i64 = self.clinic.row(insert, &[&facility]).await.get(0);
        let user = self.clinic.user(facility, "CASE_MANAGER").await;
        self.clinic.sql(&format!("INSERT INTO organization_users VALUES (k({organization}), k({user}))")).await;
        (organization, user)
    }

    pub async fn affiliate(&self, patient: i64, organization: i64, status: &str) {
        let insert = format!(
            "INSERT INTO patient_organization_affiliations (patient_id, organization_id, status)
             VALUES (k({patient}), k({organization}), '{status}')
             ON CONFLICT (patient_id, organization_id) DO UPDATE SET status = EXCLUDED.status"
        );
        self.clinic.sql(&insert).await;
    }
}
