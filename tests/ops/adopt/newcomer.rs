//! Applications unlike those of the kits: deleted rows that stay, numbers for statuses, prefixed names, lacking tables.

use super::{draft, make, ordinary};

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
