//! Each figure against an independent query, and what there is where something is not.

use serde_json::{Value, json};

use super::{AS_OF, SCHEDULE_ZONE, clinic, report};
use crate::support::Clinic;
use crate::support::keys::Kind;

/// The rows of a query, as one JSON array.
async fn rows(clinic: &Clinic, query: &str) -> Value {
    clinic.json(&format!("SELECT COALESCE(jsonb_agg(to_jsonb(q)), '[]') AS rows FROM ({query}) q")).await["rows"]
        .clone()
}

/// The visits that count, of the 30 days up to the last day.
const VISITS: &str = "appointments WHERE appointment_date BETWEEN '2026-03-02' AND '2026-03-31'";

#[tokio::test]
async fn no_shows_are_those_of_sql() {
    let clinic = clinic().await;
    // What does not count: another system's, one that was called off, one that is to come, one of the day before.
    clinic
        .sql(
            "INSERT INTO appointments (facility_id, doctor_id, patient_id, source, external_id, appointment_date, start_time,
                                       status, cancelled_at)
             VALUES (1, 1, 1, 'PRACTICEQ', 'x', '2026-03-10', '09:00', 'NO_SHOW', NULL),
                    (1, 1, 1, 'LOCAL', NULL, '2026-03-10', '09:00', 'CANCELLED', '2026-03-10 10:00Z'),
                    (1, 1, 1, 'LOCAL', NULL, '2026-03-31', '19:00', 'SCHEDULED', NULL),
                    (1, 1, 1, 'LOCAL', NULL, '2026-03-01', '09:00', 'NO_SHOW', NULL)",
        )
        .await;
    let told = &report(&clinic, &[]).await["period"]["no_shows"];
    let by = async |of: &str| {
        let query = format!(
            "SELECT {of} AS of, count(*) AS visits, count(*) FILTER (WHERE status = 'NO_SHOW') AS no_shows FROM {VISITS}
             AND source = 'LOCAL' AND status IN ('COMPLETED', 'NO_SHOW') GROUP BY 1"
        );
        sorted(&rows(&clinic, &query).await)
    };
    assert_eq!(sorted(&told["by_weekday"]), by("to_char(appointment_date, 'Dy')").await);
    assert_eq!(sorted(&told["by_hour"]), by("to_char(start_time, 'HH24') || ':00'").await);
    assert_eq!(sorted(&told["by_doctor"]), by("'doctor ' || doctor_id").await);
    assert_eq!([told["total"].clone()], by("'all'").await[..]);
    let first = &told["by_weekday"][0]["of"];
    assert_eq!((first, told["by_hour"][0]["of"].as_str()), (&json!("Mon"), Some("08:00")), "in their order");
}

fn sorted(value: &Value) -> Vec<Value> {
    let mut rows = value.as_array().expect("rows").clone();
    rows.sort_by_key(|row| row["of"].to_string());
    rows
}

/// Whether two durations in seconds are the same, but for what is lost in adding up.
#[track_caller]
fn assert_close(told: &Value, exact: &Value) {
    let [told, exact] = [told, exact].map(|value| value.as_f64().unwrap_or(-1.0));
    assert!((told - exact).abs() < 0.001, "{told}, and not {exact}");
}

#[tokio::test]
async fn waits_and_alerts_are_those_of_sql() {
    let clinic = clinic().await;
    let figures = report(&clinic, &[]).await["period"].clone();
    let wait = "EXTRACT(epoch FROM vitals_recorded_at - checked_in_at)";
    let spread = |seconds: &str| {
        format!(
            "count({seconds}) AS n, percentile_cont(0.5) WITHIN GROUP (ORDER BY {seconds}) AS median,
             percentile_cont(0.9) WITHIN GROUP (ORDER BY {seconds}) AS p90"
        )
    };
    let all = clinic.json(&format!("SELECT {} FROM {VISITS} AND checked_in_at IS NOT NULL", spread(wait))).await;
    let told = &figures["waits"]["total"]["vitals"];
    assert_eq!(told["n"], all["n"]);
    assert_close(&told["median_seconds"], &all["median"]);
    assert_close(&told["p90_seconds"], &all["p90"]);
    // 10 o'clock is another instant in each zone.
    let at_ten = clinic
        .json(&format!(
            "SELECT {} FROM appointments a JOIN facilities f ON f.id = a.facility_id
             WHERE appointment_date BETWEEN '2026-03-02' AND '2026-03-31' AND checked_in_at IS NOT NULL
               AND to_char(checked_in_at AT TIME ZONE f.time_zone, 'HH24') = '10'",
            spread(wait)
        ))
        .await;
    let hours = figures["waits"]["by_hour"].as_array().expect("hours");
    let told = hours.iter().find(|hour| hour["hour"] == "10:00").expect("ten");
    assert_eq!(told["vitals"]["n"], at_ten["n"]);
    assert_close(&told["vitals"]["p90_seconds"], &at_ten["p90"]);
    let until_doctor = "EXTRACT(epoch FROM x.resolved_at - a.checked_in_at)";
    let doctor = clinic
        .json(&format!(
            "SELECT {} FROM stage_alerts x JOIN appointments a ON a.id::text = x.appointment_id
             WHERE x.alert_type <> 'NO_VITALS' AND x.resolved_run_id IS NOT NULL AND a.appointment_date >= '2026-03-02'",
            spread(until_doctor)
        ))
        .await;
    let told = &figures["waits"]["total"]["doctor"];
    assert_eq!(told["n"], doctor["n"]);
    assert_close(&told["median_seconds"], &doctor["median"]);
    let period = "triggered_at >= '2026-03-01 20:00Z' AND triggered_at < '2026-03-31 20:00Z'";
    let of_types = rows(
        &clinic,
        &format!(
            "SELECT alert_type, count(*) AS raised, count(acknowledged_at) AS acknowledged,
                    count(*) FILTER (WHERE status = 'RESOLVED') AS resolved, count(*) FILTER (WHERE status = 'ACTIVE') AS open,
                    {} FROM stage_alerts WHERE {period} GROUP BY 1 ORDER BY 1",
            spread("EXTRACT(epoch FROM acknowledged_at - triggered_at)")
        ),
    )
    .await;
    let told = figures["alerts"]["by_type"].as_array().expect("types");
    assert_eq!(told.len(), 3);
    for (told, exact) in told.iter().zip(of_types.as_array().expect("types")) {
        for key in ["alert_type", "raised", "acknowledged", "resolved", "open"] {
            assert_eq!(told[key], exact[key], "{key}");
        }
        assert_close(&told["to_acknowledge"]["median_seconds"], &exact["median"]);
    }
}

#[tokio::test]
async fn what_is_open_is_that_of_sql() {
    let clinic = clinic().await;
    clinic
        .sql(
            "UPDATE px_cases SET active = false WHERE id = 3;
             UPDATE px_cases SET status = 'CLOSED' WHERE id = 4;
             UPDATE tickets SET status = 'RESOLVED' WHERE id = 5;
             UPDATE tickets SET custom_sla_due_at = '2026-05-01' WHERE id < 9",
        )
        .await;
    let figures = report(&clinic, &[]).await;
    let now = "timestamptz '2026-03-31 20:00Z'";
    let age = format!(
        "CASE WHEN {now} - created_at < '1 day' THEN 'under 1 day' WHEN {now} - created_at < '3 days' THEN '1 to 3 days'
              WHEN {now} - created_at < '7 days' THEN '3 to 7 days' WHEN {now} - created_at < '30 days' THEN '7 to 30 days'
              ELSE 'over 30 days' END"
    );
    let cases = "px_cases WHERE status <> 'CLOSED' AND active IS NOT FALSE";
    let tickets = "tickets WHERE status <> 'RESOLVED'";
    let due = "COALESCE(custom_sla_due_at, sla_due_at)";
    let level = "CASE escalation_level WHEN 0 THEN 'not escalated' ELSE 'level ' || escalation_level END";
    for (key, from, due, level) in [("cases", cases, "due_at", level), ("tickets", tickets, due, "lower(priority)")] {
        for (by, of) in [("by_age", age.as_str()), ("by_level", level)] {
            let query = format!(
                "SELECT {of} AS of, count(*) AS open, count(*) FILTER (WHERE {due} < {now}) AS overdue FROM {from} GROUP BY 1"
            );
            assert_eq!(sorted(&figures[key][by]), sorted(&rows(&clinic, &query).await), "{key} {by}");
        }
        let count = clinic.count(&format!("SELECT count(*) FROM {from}")).await;
        assert_eq!(figures[key]["open"], count);
    }
}

#[tokio::test]
async fn money_messages_requests_and_the_registry_are_those_of_sql() {
    let clinic = clinic().await;
    let figures = report(&clinic, &[]).await["period"].clone();
    let within = |column: &str| format!("{column} >= '2026-03-01 20:00Z' AND {column} < '2026-03-31 20:00Z'");
    let money = rows(
        &clinic,
        &format!(
            "SELECT s.name AS status, date_trunc('week', h.created_at AT TIME ZONE 'America/New_York')::date AS week,
                    count(*) AS cases, (sum(c.pay_amount) * 100)::bigint AS cents
             FROM surgical_case_status_history h JOIN surgical_cases c ON c.id = h.case_id::bigint
             JOIN surgical_case_statuses s ON s.status = h.to_status
             WHERE {} GROUP BY 1, 2, h.to_status ORDER BY h.to_status, 2",
            within("h.created_at")
        ),
    )
    .await;
    assert_eq!(figures["money"]["by_week"], money);
    assert!(figures["money"]["by_week"].as_array().expect("weeks").len() > 8);
    let messages = rows(
        &clinic,
        &format!(
            "SELECT channel, status, count(*) AS messages FROM notifications WHERE {} GROUP BY 1, 2 ORDER BY 1, 2",
            within("created_at")
        ),
    )
    .await;
    assert_eq!(figures["messages"], messages);
    let days = rows(
        &clinic,
        "SELECT account, (requested_at AT TIME ZONE 'America/New_York')::date AS day, count(*) AS requests,
                count(*) FILTER (WHERE manual) AS by_hand, 0 AS of_events FROM api_requests GROUP BY 1, 2 ORDER BY 2",
    )
    .await;
    assert_eq!(figures["requests"]["days"], days);
    let registry = clinic.json("SELECT sum(inserted) AS providers, max(period_end) AS up_to FROM npi_files").await;
    assert_eq!(figures["registry"]["providers"], registry["providers"]);
    let files = rows(
        &clinic,
        &format!(
            "SELECT kind, period_end, rows, inserted, updated, deactivated, rejected FROM npi_files WHERE {} ORDER BY id",
            within("processed_at")
        ),
    )
    .await;
    assert_eq!(figures["registry"]["files"], files);
}

#[tokio::test]
async fn the_period_before_is_the_report_of_then() {
    let clinic = clinic().await;
    let compared = report(&clinic, &["--compare"]).await;
    let then = ["--as-of", "2026-03-01T20:00:00Z"];
    let earlier = clinic.run(&[&["report"], &then[..], &SCHEDULE_ZONE[..]].concat()).await.expect(0).report();
    for key in ["first_day", "last_day", "no_shows", "waits", "alerts", "money", "messages", "requests", "registry"] {
        assert_eq!(compared["before"][key], earlier["period"][key], "{key}");
    }
    assert_ne!(compared["before"]["no_shows"], compared["period"]["no_shows"]);
    let said = compared["sentences"].to_string();
    assert!(said.contains(" %, down from "), "{said}");
    assert!(report(&clinic, &[]).await["before"].is_null());
}

#[tokio::test]
async fn an_empty_clinic_of_any_keys_has_a_report() {
    for kind in Kind::ALL {
        let clinic = Clinic::of(kind).await;
        let (facility, doctor) = clinic.new_york(15).await;
        clinic.scheduled(facility, doctor, "2026-03-30", "09:00").await;
        let none = report(&clinic, &["--names"]).await;
        for section in ["no_shows", "waits", "alerts", "money", "requests", "messages", "registry"] {
            let figures = &none["period"][section];
            assert!(figures["absent"].is_null() && !figures.is_null(), "{section}: {figures}");
        }
        assert_eq!(none["period"]["no_shows"]["total"], json!({"of": "all", "visits": 0, "no_shows": 0}));
        assert_eq!([&none["cases"]["open"], &none["tickets"]["open"]], [0, 0]);
        clinic.sql("UPDATE appointments SET status = 'NO_SHOW'").await;
        let one = report(&clinic, &["--names"]).await["period"]["no_shows"].clone();
        assert_eq!(one["by_doctor"], json!([{"of": "Ada Stone", "visits": 1, "no_shows": 1}]));
    }
}

#[tokio::test]
async fn a_section_whose_tables_are_not_there_is_left_out() {
    for (table, section) in [
        ("tickets", "/tickets"),
        ("sla_policies", "/tickets"),
        ("px_cases", "/cases"),
        ("surgical_cases", "/period/money"),
        ("surgical_case_statuses", "/period/money"),
        ("appointments", "/period/no_shows"),
        ("facilities", "/period/waits"),
        ("stage_alerts", "/period/alerts"),
        ("notifications", "/period/messages"),
        ("npi_files", "/period/registry"),
        ("api_requests", "/period/requests"),
    ] {
        let clinic = Clinic::new().await;
        clinic.sql(&format!("DROP TABLE {table} CASCADE")).await;
        let place = tempfile::tempdir().expect("a place");
        let path = place.path().join("report.html");
        let path = path.to_str().expect("UTF-8");
        let args = [&["report", "--html", path], &AS_OF[..]].concat();
        let figures = clinic.run(&args).await.expect(0).report();
        let absent = figures.pointer(section).expect(section)["absent"].as_str().unwrap_or_default().to_owned();
        assert_eq!(absent, "This database has no such table. [42P01]", "{table}");
        let page = std::fs::read_to_string(path).expect("the page");
        assert!(page.contains(&absent), "{table}: the page says so");
    }
}

#[tokio::test]
async fn a_role_that_may_not_read_a_table_has_a_report_without_it() {
    let clinic = clinic().await;
    clinic
        .sql(
            "CREATE ROLE report_reader LOGIN; GRANT USAGE ON SCHEMA rounds TO report_reader;
             GRANT SELECT ON ALL TABLES IN SCHEMA rounds TO report_reader;
             REVOKE SELECT ON tickets, surgical_cases FROM report_reader",
        )
        .await;
    let url = crate::support::role::of_url(&crate::support::server().url(&clinic.database), "report_reader");
    let program = crate::support::Program::new(&url);
    let outcome = program.run(&[&["report"], &AS_OF[..]].concat()).await;
    clinic.sql("DROP OWNED BY report_reader; DROP ROLE report_reader").await;
    let figures = outcome.expect(0).report();
    for section in ["/tickets", "/period/money"] {
        let absent = figures.pointer(section).expect(section)["absent"].as_str().unwrap_or_default();
        assert!(absent.contains("[42501]"), "{section}: {absent}");
    }
    assert!(
        figures["cases"]["open"].as_i64() > Some(0)
            && figures["period"]["no_shows"]["total"]["visits"].as_i64() > Some(0)
    );
}

#[tokio::test]
async fn a_zone_that_cannot_be_read_leaves_out_the_waits_of_its_facility_alone() {
    let clinic = clinic().await;
    let all = report(&clinic, &[]).await["period"]["waits"]["total"]["arrivals"].as_i64();
    clinic.sql("ALTER TABLE facilities DROP CONSTRAINT facilities_time_zone_known").await;
    clinic.sql("UPDATE facilities SET time_zone = 'CANARY/Nowhere' WHERE id = 2").await;
    let some = report(&clinic, &[]).await["period"]["waits"]["total"]["arrivals"].as_i64();
    assert!(Some(0) < some && some < all, "{some:?} of {all:?}");
}
