//! The people of the clinic. Between two stops they act in plain SQL, as the clinic's own application would.

use anyhow::ensure;
use chrono::{DateTime, Utc};
use tokio_postgres::GenericClient;
use tokio_postgres::types::{ToSql, Type};

use super::cast;
use super::clinic::Clinic;
use super::clock::instant;
use super::day::{REFUSED, SLOT_FREED, WALK_IN};
use crate::error::Error;

/// Installs the trigger of an old application: it refuses one visit, with a text that names the patient.
pub async fn install_old_application(clinic: &Clinic) -> anyhow::Result<()> {
    let trigger = format!(
        "CREATE SCHEMA demo;
         CREATE FUNCTION demo.old_application() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             RAISE EXCEPTION 'no open invoice for %',
                 (SELECT concat_ws(' ', first_name, last_name) FROM patients WHERE id = NEW.patient_id);
         END $$;
         CREATE TRIGGER old_application BEFORE UPDATE ON appointments
         FOR EACH ROW WHEN (NEW.id = {REFUSED} AND NEW.status = 'NO_SHOW') EXECUTE FUNCTION demo.old_application()"
    );
    clinic.run("installing the old application", &trigger).await
}

/// Removes the trigger: somebody has read the report of the run.
pub async fn repair_old_application(clinic: &Clinic) -> anyhow::Result<()> {
    clinic.run("repairing the old application", "DROP TRIGGER old_application ON appointments").await
}

/// Plays the script from after `since` until `until`, and returns in words what was played.
pub async fn play(client: &impl GenericClient, since: DateTime<Utc>, until: DateTime<Utc>) -> Result<String, Error> {
    let times: [(&(dyn ToSql + Sync), Type); 2] = [(&since, Type::TIMESTAMPTZ), (&until, Type::TIMESTAMPTZ)];
    let rows = cast::rows(client, include_str!("staff.sql"), &times).await?;
    let did = |(index, name): (usize, &str)| {
        let count: i64 = rows[0].get(index);
        (count > 0).then(|| format!("{count} {name}"))
    };
    let did: Vec<String> = rows[0].names().enumerate().filter_map(did).collect();
    Ok(if did.is_empty() { "nothing yet".to_owned() } else { did.join(", ") })
}

/// Books the slot that a no-show left for a patient without an appointment. The slot must be free.
pub async fn book_walk_in(clinic: &Clinic) -> anyhow::Result<()> {
    let now = instant("12:12");
    let booked = clinic
        .rows(
            "WITH old AS (
                 SELECT * FROM appointments WHERE id = $1
             ),
             patient AS (
                 INSERT INTO patients (mrn, first_name, last_name) VALUES ('MRN-WALK-IN', 'Tamsin', 'Mossgarth')
                 RETURNING id
             ),
             visit AS (
                 INSERT INTO appointments (id, facility_id, doctor_id, patient_id, appointment_date, start_time, status,
                                           checked_in_at, created_at, updated_at)
                 OVERRIDING SYSTEM VALUE
                 SELECT $2, old.facility_id, old.doctor_id, patient.id, old.appointment_date, old.start_time,
                        'CHECKED_IN', $3, $3, $3
                 FROM old, patient
                 RETURNING *
             ),
             script AS (
                 INSERT INTO demo_script (appointment_id, checks_in_at, vitals_at, begins_at, completes_at)
                 SELECT id, $3, $3 + interval '2 minutes', $3 + interval '4 minutes', $3 + interval '17 minutes'
                 FROM visit
             )
             UPDATE doctor_slots s SET is_booked = true, is_blocked = true, appointment_id = visit.id
             FROM visit
             WHERE (s.doctor_id, s.slot_date, s.start_time)
                   = (visit.doctor_id, visit.appointment_date, visit.start_time)
               AND NOT s.is_booked AND NOT s.is_blocked AND s.appointment_id IS NULL
             RETURNING s.id",
            &[&SLOT_FREED, &WALK_IN, &now],
        )
        .await?;
    ensure!(booked.len() == 1, "the slot of visit {SLOT_FREED} was to be free for another patient, and is not");
    Ok(())
}
