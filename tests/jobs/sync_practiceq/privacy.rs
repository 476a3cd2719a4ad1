//! No patient's data comes out, nor the key: canaries in every text of the account, and a look at all that was said.

use serde_json::{Value, json};

use super::words::LATER;
use crate::jobs::owed;
use crate::support::practiceq::{Client, Fault, KEY, Sync, appointment};

/// In the account, and in the chart.
const HERS: Client =
    Client { id: 100, name: "Canaryfirst Canarylast", email: "canary@home.example", date_of_birth: "1971-07-13" };

/// Every text of it that a person wrote is a canary.
fn planted(visit: &str, client: &Client<'_>) -> Value {
    let mut row = appointment(visit, client, LATER);
    for field in [
        "ClientPhone",
        "ServiceName",
        "ServiceId",
        "LocationName",
        "LocationId",
        "PractitionerName",
        "IntakeId",
        "CreatedBy",
        "Note",
    ] {
        row[field] = json!(format!("CANARY-{field}"));
    }
    row["TelehealthInfo"] = json!({
        "Id": "CANARY-room",
        "StartUrl": "https://meet.example/CANARY-host",
        "JoinUrl": "https://meet.example/CANARY-guest",
        "Provider": "CANARY-provider",
    });
    row["Custom"] = json!([{"CANARY-key": "CANARY-value"}]);
    row
}

/// A clinic and an account in which there is something of everything, with canaries in all of it.
async fn planted_account() -> Sync {
    let sync = Sync::new().await;
    sync.patient_of(&HERS).await;
    sync.patient("Canary", "Unreachable", None, Some("1971-07-13")).await;
    sync.clinic
        .sql(
            "UPDATE facilities SET name = 'CANARY-F'; UPDATE organizations SET name = 'CANARY-O';
             UPDATE users SET name = 'CANARY-U', email = 'canary-u@home.example';
             UPDATE doctors SET first_name = 'CANARY-D', last_name = 'CANARY-D';
             UPDATE patients SET mrn = 'CANARY-' || id, phone = 'CANARY-555'",
        )
        .await;
    let with = |visit: &str, field: &str, value: Value| {
        let mut row = planted(visit, &HERS);
        row[field] = value;
        sync.upstream.put(row);
    };
    for visit in ["a1", "a2", "a3", "poison", "gone"] {
        sync.upstream.put(planted(visit, &HERS));
    }
    sync.upstream.put(planted("n1", &Client { id: 7, name: "Canary Stranger", ..HERS }));
    sync.upstream
        .put(planted("n2", &Client { id: 8, email: "canary-8@home.example", date_of_birth: "1972-08-14", ..HERS }));
    with(
        "g1",
        "AdditionalClients",
        json!([{"ClientId": 9, "ClientName": "CANARY-G", "ClientEmail": "canary-g@home.example"}]),
    );
    for (visit, practitioner) in [("p1", json!("prac-77")), ("p2", Value::Null)] {
        let mut row = planted(visit, &HERS);
        (row["PractitionerId"], row["PractitionerEmail"]) = (practitioner, json!("canary-doc@home.example"));
        sync.upstream.put(row);
    }
    with("s1", "Status", json!("CANARY-status"));
    with("bad1", "StartDate", json!("CANARY-soon"));
    with("bad2", "Status", json!({"CANARY-key": "CANARY-value"}));
    with("bad3", "TelehealthInfo", json!("CANARY"));
    with("bad4", "Id", json!({"CANARY-key": "CANARY-value"}));
    sync
}

/// All that was recorded for operators.
async fn recorded(sync: &Sync) -> String {
    let query = "SELECT (SELECT jsonb_agg(r) FROM cron_job_runs r) AS runs,
                        (SELECT jsonb_agg(e) FROM cron_job_run_errors e) AS errors,
                        (SELECT jsonb_agg(to_jsonb(l) - '{organization_name,triggered_by_name}'::text[])
                         FROM sync_logs l) AS logs,
                        (SELECT jsonb_agg(a) FROM api_requests a) AS requests,
                        (SELECT jsonb_agg(b) FROM api_budgets b) AS budgets,
                        (SELECT jsonb_agg(n.metadata || jsonb_build_object('type', n.type, 'key', n.dedupe_key,
                                                                           'title', n.title))
                         FROM notifications n) AS notices";
    sync.clinic.json(query).await.to_string()
}

/// Runs lanes at the noisiest level in both formats, and returns all that came out.
async fn said(sync: &Sync, lanes: &[&[&str]]) -> String {
    let mut out = String::new();
    let program = sync.clinic.program.clone().env("RUST_LOG", "trace");
    for lane in lanes {
        for more in [
            &["--output", "text", "--dry-run"][..],
            &["--output", "text"],
            &["--log-format", "json", "--output", "json"],
        ] {
            let args = [*lane, &["--log-level", "debug", "--attempts", "2"], more].concat();
            out += &format!("{:?}\n", crate::support::program::finish(sync.start_with(&program, &args)).await);
        }
    }
    out
}

#[track_caller]
fn silent(out: &str) {
    let lower = out.to_lowercase();
    for canary in ["canary", &KEY.to_lowercase(), "1971-07-13", "1972-08-14"] {
        if let Some(at) = lower.find(canary) {
            let (from, to) = (at.saturating_sub(300), (at + 300).min(lower.len()));
            panic!("{canary}: {}", String::from_utf8_lossy(&lower.as_bytes()[from..to]));
        }
    }
}

const LANES: [&[&str]; 5] =
    [&[], &["--incremental"], &["--patient", "1"], &["--organization", "1"], &["--appointment", "a1"]];

#[tokio::test]
async fn not_when_all_goes_well() {
    let sync = planted_account().await;
    let mut out = said(&sync, &LANES).await;
    sync.upstream.edit("a2", |row| row["StartDate"] = json!(1_772_480_000_000_i64));
    sync.upstream.edit("a3", |row| row["Status"] = json!("Canceled"));
    sync.upstream.delete("gone");
    out += &said(&sync, &LANES).await;
    out += &recorded(&sync).await;
    assert!(out.contains("NO_EMAIL") && out.contains("ROW_UNREADABLE") && out.contains("APPOINTMENT_CHANGED"), "{out}");
    silent(&out);
}

#[tokio::test]
async fn not_when_the_database_quotes_rows_in_its_errors() {
    let sync = planted_account().await;
    owed::fail_before(&sync.clinic, "INSERT OR UPDATE", "appointments", "NEW.external_id = 'poison'").await;
    sync.clinic
        .sql(
            "ALTER TABLE appointments ADD CONSTRAINT no_a2 CHECK (external_id <> 'a2');
             ALTER TABLE practiceq_unmatched ADD CONSTRAINT no_n1 CHECK (external_id <> 'n1');
             CREATE UNIQUE INDEX one_link ON practiceq_visits (meeting_url) WHERE external_id IN ('a1', 'a3')",
        )
        .await;
    let mut out = said(&sync, &LANES).await;
    out += &recorded(&sync).await;
    assert!(out.contains("22000") && out.contains("23514") && out.contains("23505"), "{out}");
    silent(&out);
}

#[tokio::test]
async fn not_when_the_account_fails() {
    for fault in [
        Fault::Status(500),
        Fault::Status(404),
        Fault::Status(401),
        Fault::Html(500),
        Fault::Html(200),
        Fault::NotJson,
        Fault::NotAList,
        Fault::TruncatedBody,
        Fault::Drop,
        Fault::Redirect("http://127.0.0.1:1/?q=CANARY".into()),
    ] {
        let sync = planted_account().await;
        sync.upstream.fault(&vec![fault.clone(); 24]);
        let mut out = said(&sync, &[&["--patient", "1"], &["--appointment", "a1"], &[]]).await;
        out += &recorded(&sync).await;
        assert!(out.contains("PRACTICEQ"), "{fault:?}: it says what is wrong: {out}");
        silent(&out);
    }
}

#[tokio::test]
async fn not_when_nobody_answers() {
    let sync = planted_account().await;
    let program =
        sync.clinic.program.clone().env("RUST_LOG", "trace").env("ROUNDS_PRACTICEQ_URL", "http://127.0.0.1:1/canary/");
    let mut out = String::new();
    for lane in [&["--patient", "1"][..], &["--appointment", "a1"], &[]] {
        let args = [lane, &["--log-level", "debug", "--attempts", "2"]].concat();
        let outcome = crate::support::program::finish(sync.start_with(&program, &args)).await.expect(1);
        // The address is the operator's own; a query is not.
        out += &format!("{outcome:?}").replace("http://127.0.0.1:1/canary", "");
    }
    out += &recorded(&sync).await.replace("http://127.0.0.1:1/canary", "");
    silent(&out);
}

#[tokio::test]
async fn not_when_the_run_itself_fails() {
    for broken in [
        "ALTER TABLE practiceq_clients RENAME TO \"CANARY_clients\"",
        "ALTER TABLE practiceq_visits RENAME COLUMN content_hash TO \"CANARY_hash\"",
        "DROP TABLE practiceq_unmatched",
    ] {
        let sync = planted_account().await;
        sync.clinic.sql(broken).await;
        let mut out = said(&sync, &LANES).await;
        out += &recorded(&sync).await;
        assert!(out.contains("42P01") || out.contains("42703"), "{out}");
        silent(&out);
    }
}

#[tokio::test]
async fn not_the_key() {
    let sync = planted_account().await;
    let mut out = String::new();
    for args in
        [&["--help"][..], &["--bogus"], &["--api-key", KEY], &["--api-key", KEY, "--bogus"], &["--back-days", "x"]]
    {
        out += &format!("{:?}", sync.run(args).await);
    }
    out += &recorded(&sync).await;
    silent(&out);
    assert_eq!(sync.tables_with(KEY).await, [""; 0], "nor in any table");
}
