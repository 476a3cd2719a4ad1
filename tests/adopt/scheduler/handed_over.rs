//! What the sync hands over to the triggers of the kit, and how these wait.

use serde_json::json;

use super::tables::Side;
use super::{LATER, PAT, skipped, totals, with_visits};
use crate::support::practiceq::appointment;
use crate::support::{connect, server};

/// Whatever its id is: each finds its own, and the whole is JSON for a trigger that reads it so.
#[tokio::test]
async fn each_visit_finds_what_is_its_own() {
    let side = with_visits(0).await;
    let whole = "CREATE FUNCTION public.whole() RETURNS trigger LANGUAGE plpgsql AS $$
                 BEGIN
                     NEW.notes := current_setting('rounds.practiceq_rows')::jsonb -> NEW.pq_appointment_id
                                  ->> 'service_name';
                     RETURN NEW;
                 END $$;
                 CREATE TRIGGER whole BEFORE INSERT ON public.appointments
                     FOR EACH ROW EXECUTE FUNCTION public.whole()";
    side.sync.clinic.sql(whole).await;
    let ids = ["a", "a1", "1", "ä \"quoted\"", "a\": {", "back\\slash", "b\": \"", "{b", "b}"];
    for (number, id) in ids.iter().enumerate() {
        let mut row = appointment(id, &PAT, LATER);
        row["ServiceName"] = json!(format!("\n\"{}\": {{", ids[(number + 1) % ids.len()]));
        row["TelehealthInfo"]["JoinUrl"] = json!(format!("https://meet.example/{number}"));
        side.sync.upstream.put(row);
    }
    assert_eq!(totals(&side.sync.run(&[]).await.expect(0)), [ids.len(), 0, 0, 0]);
    for (number, id) in ids.iter().enumerate() {
        let query = "SELECT meeting_url, notes FROM public.appointments WHERE pq_appointment_id = $1";
        let row = side.sync.clinic.row(query, &[id]).await;
        let (link, service): (String, String) = (row.get(0), row.get(1));
        assert_eq!(link, format!("https://meet.example/{number}"), "{id}");
        assert!(service.contains(&format!("\"{}\": {{", ids[(number + 1) % ids.len()])), "{id}: {service}");
    }
}

/// A batch has a thousand visits. To read all of it for each takes seconds.
#[tokio::test]
async fn what_is_another_visits_is_not_read() {
    let side = Side::kit().await;
    let said = async |rows: &str, id: &str| {
        side.one(&format!(
            "SELECT rounds.scheduler_said('{id}') FROM set_config('rounds.practiceq_rows', '{rows}', false)"
        ))
        .await
    };
    let rows = "{\n\"a1\": {\"n\": 1}\n,\n\"a2\": no JSON\n,\n\"a3\": {\"n\": 3}\n}";
    assert_eq!(said(rows, "a1").await, json!({"n": 1}));
    assert_eq!(said(rows, "a3").await, json!({"n": 3}));
    for (rows, id) in [(rows, "a"), (rows, "n"), ("{\n\n}", "a1"), ("", "a1")] {
        assert_eq!(said(rows, id).await, json!(null), "{rows} {id}");
    }
}

/// The sync waits for less than a deadlock takes to be found, and stores the others.
#[tokio::test]
async fn a_visit_that_the_application_is_inserting_is_left_to_the_next_run() {
    let side = with_visits(3).await;
    let application = connect(&server().url(&side.sync.clinic.database)).await;
    let insert = "SET search_path = public, rounds; BEGIN;
        INSERT INTO public.appointments (pq_appointment_id, patient_id, provider_id, service_instance_id, start_time,
                                         end_time, patient_info, insurance_info)
        VALUES ('a2', k(1), k(1), k(1), '2026-03-10 18:00Z', '2026-03-10 18:30Z', '{}', '{}')";
    application.batch_execute(insert).await.expect("not committed");
    let outcome = side.sync.run(&[]).await.expect(0);
    assert_eq!((totals(&outcome), skipped(&outcome)), ([2, 0, 0, 0].map(|n| json!(n)), json!({"locked": 1})));
    application.batch_execute("ROLLBACK").await.expect("it is let go");
    assert_eq!(totals(&side.sync.run(&[]).await.expect(0)), [1, 0, 2, 0]);
}

#[tokio::test]
async fn a_link_that_a_person_edits_stays_until_the_account_has_another() {
    let side = with_visits(1).await;
    side.sync.run(&[]).await.expect(0);
    let edited = "https://meet.google.example/edited";
    side.sync.clinic.sql(&format!("UPDATE public.appointments SET meeting_url = '{edited}'")).await;
    let hour = 3_600_000;
    for change in
        [json!({"JoinUrl": "https://meet.example/join/a1"}), json!(null), json!({"StartUrl": "https://host.example"})]
    {
        side.sync.upstream.edit("a1", |row| {
            row["TelehealthInfo"] = change.clone();
            for field in ["StartDate", "EndDate"] {
                row[field] = json!(row[field].as_i64().expect("milliseconds") + hour);
            }
        });
        assert_eq!(totals(&side.sync.run(&["--incremental"]).await.expect(0))[1], 1, "{change}");
        assert_eq!(side.theirs("a1", "a.meeting_url").await, edited, "{change}");
    }
    side.sync.upstream.edit("a1", |row| row["TelehealthInfo"] = json!({"Url": "https://meet.example/new"}));
    side.sync.run(&["--incremental"]).await.expect(0);
    assert_eq!(side.theirs("a1", "a.meeting_url").await, "https://meet.example/new");
}
