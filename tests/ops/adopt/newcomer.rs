//! Applications unlike those of the kits: deleted rows that stay, numbers for statuses, prefixed names, lacking tables.

use super::{application, draft, make, ordinary, refused, without_checks};

#[tokio::test]
async fn rows_with_a_mark_of_deletion_are_asked_for() {
    let clinic = ordinary().await;
    clinic
        .sql(
            r#"ALTER TABLE app."Appointments" ADD "deletedAt" timestamptz;
               UPDATE app."Appointments" SET "deletedAt" = now();
               ALTER TABLE app."Patients" ADD "isDeleted" boolean;
               ALTER TABLE app."Doctors" ADD deleted smallint"#,
        )
        .await;
    let text = draft(&clinic, "app", &["mark-no-shows"]).await;
    for (name, condition) in [
        (r#""deletedAt""#, r#"-- WHERE a."deletedAt" IS NULL"#),
        (r#""isDeleted""#, r#"-- WHERE p."isDeleted" IS NOT TRUE"#),
        ("deleted", "-- WHERE COALESCE(d.deleted, 0) = 0"),
    ] {
        let asked = format!("\n-- ? {name}: are rows with it gone? Then:\n{condition}\n;\n");
        assert_eq!(text.matches(&asked).count(), 1, "{asked}{text}");
    }
    assert!(text.contains("3 lines with `-- ?`"), "{text}");
    let without = text.replace("\n-- WHERE ", "\nWHERE ");
    for (text, marked) in [(&without, 0), (&text, 1)] {
        make(&clinic, text).await;
        assert_eq!(clinic.mark("2026-03-02T14:15:00Z").await.expect(0).count("marked"), marked, "{text}");
    }
}

#[tokio::test]
async fn a_status_that_is_a_number_is_asked_for_and_never_passes_as_it_is() {
    let clinic = ordinary().await;
    without_checks(&clinic, "%status%").await;
    clinic
        .sql(
            r#"DROP INDEX app.appointments_awaited, app.appointments_awaited_by_doctor, app.appointments_cancelled,
            app.appointments_checked_in;
               ALTER TABLE app."Appointments" ALTER status DROP DEFAULT, ALTER status TYPE smallint USING 0"#,
        )
        .await;
    let text = draft(&clinic, "app", &["mark-no-shows"]).await;
    make(&clinic, &text).await;
    assert!(text.contains("-- ? status: status is smallint, needed is text. Which value is which?"), "{text}");
    assert!(text.contains("2 lines with `-- ?`"), "one beneath, one in the trigger: {text}");
    assert_eq!(clinic.count("SELECT count(*) FROM appointments WHERE status IS NOT NULL").await, 0);
    assert_eq!(clinic.mark("2026-03-02T14:15:00Z").await.expect(0).count("marked"), 0);
    let written = clinic.client.batch_execute("UPDATE rounds.appointments SET status = 'NO_SHOW'").await;
    assert!(
        written.is_err_and(|why| format!("{why:?}").contains("appointments.status has no value for NO_SHOW")),
        "{text}"
    );
    // Each question is answered where it stands: the CASE in place of NULL, and the lines of the trigger.
    let (head, rest) = text.split_once("    -- CASE a.status\n").expect("a skeleton");
    let (skeleton, rest) = rest.split_once("    NULL::text AS status").expect("NULL until then");
    let numbers = |sql: &str| {
        let sql = sql.replace("-- ", "");
        let numbered = [("SCHEDULED", 0), ("CONFIRMED", 1), ("NO_SHOW", 4)].iter().fold(sql, |sql, (label, number)| {
            let sql = sql.replace(&format!("WHEN ... THEN '{label}'"), &format!("WHEN {number} THEN '{label}'"));
            sql.replace(&format!("= '{label}' THEN ..."), &format!("= '{label}' THEN {number}"))
        });
        assert!(!numbered.contains("..."), "{numbered}");
        numbered
    };
    let (before, trigger) = rest.split_once("which value is which?\n").expect("the question in the trigger");
    let (branches, after) = trigger.split_once("ELSE").expect("its end");
    let text = format!(
        "{head}    CASE a.status\n{} AS status{before}which value is which?\n{}ELSE{after}",
        numbers(skeleton).trim_end(),
        numbers(branches)
    );
    make(&clinic, &text).await;
    assert_eq!(clinic.mark("2026-03-02T14:15:00Z").await.expect(0).count("marked"), 1);
    assert_eq!(clinic.count(r#"SELECT status::bigint FROM app."Appointments""#).await, 4);
}

#[tokio::test]
async fn a_table_that_is_not_there_can_be_a_view_without_rows() {
    let clinic = application("CREATE TABLE public.rooms (id uuid PRIMARY KEY)").await;
    clinic.run(&["migrate"]).await.expect(0);
    let text = draft(&clinic, "public", &["mark-no-shows"]).await;
    let mut answered = text.clone();
    for relation in ["facilities", "doctors", "doctor_absences", "patients", "appointments", "doctor_slots"] {
        let asked = text.find(&format!("-- ? {relation}: no such table, and none that is like it.")).expect("asked");
        let (question, rest) = text[asked..].split_once("Then:\n").expect("what to do");
        assert!(question.replace("\n--   ", " ").contains("An application without such a thing keeps it so"), "{text}");
        let (skeleton, _) = rest.split_once("\n\n").expect("an end");
        for key in ["id", "doctor_id", "appointment_id"] {
            let is_there = skeleton.contains(&format!(" AS {key}"));
            assert_eq!(skeleton.contains(&format!("NULL::uuid AS {key}")), is_there, "{skeleton}");
        }
        let sql: Vec<&str> = skeleton.lines().map(|line| line.strip_prefix("-- ").expect("a comment")).collect();
        answered = answered.replace(skeleton, &sql.join("\n"));
    }
    make(&clinic, &answered).await;
    make(&clinic, &answered).await;
    assert_eq!(clinic.count("SELECT count(*) FROM doctor_slots").await, 0);
    assert_eq!(clinic.count("SELECT count(*) FROM doctor_absences").await, 0);
    clinic.sql("UPDATE rounds.doctor_slots SET is_booked = false").await;
    assert_eq!(clinic.mark("2026-03-02T14:15:00Z").await.expect(0).count("marked"), 0);
}

#[tokio::test]
async fn an_empty_database_is_said_in_a_whole_sentence() {
    let clinic = application("").await;
    let message = refused(clinic.run(&["adopt", "--from", "public"]).await, 2, "NO_TABLES");
    assert!(message.contains("has no tables; no other schema has any; is it the right database?"), "{message}");
}
