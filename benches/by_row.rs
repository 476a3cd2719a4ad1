//! One transaction a row: the loop that an application would have, done well. One connection, every statement prepared
//! once, every row found by its key, both notices in one insert.

use chrono::{DateTime, NaiveTime, Utc};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error, NoTls, Statement};

const FIND: &str = "
    SELECT a.patient_id, a.start_time, d.last_name, visit.starts_at, visit.timeout_minutes,
           a.appointment_date < ($1 AT TIME ZONE f.time_zone)::date AS late, p.phone IS NOT NULL AS phone, p.sms_opt_out,
           f.time_zone AS zone, (a.appointment_date + 1)::timestamp AT TIME ZONE f.time_zone AS day_ends_at,
           visit.starts_at + make_interval(mins => d.slot_duration_minutes) AS ends_at
    FROM appointments a
    JOIN patients p ON p.id = a.patient_id
    JOIN facilities f ON f.id = a.facility_id
    JOIN doctors d ON d.id = a.doctor_id
    CROSS JOIN LATERAL (
        SELECT (a.appointment_date + a.start_time) AT TIME ZONE f.time_zone AS starts_at,
               COALESCE(f.no_show_after_minutes, d.slot_duration_minutes) AS timeout_minutes
    ) visit
    WHERE a.status IN ('SCHEDULED', 'CONFIRMED') AND a.source = 'LOCAL'
      AND $1 >= visit.starts_at + make_interval(mins => visit.timeout_minutes)
      AND a.id = $2 FOR NO KEY UPDATE OF a";
const FIND_SLOT: &str = "SELECT id, (slot_date + end_time) AT TIME ZONE $2 AS ends_at
                         FROM doctor_slots WHERE appointment_id = $1 FOR NO KEY UPDATE";
const MARK: &str = "UPDATE appointments SET status = 'NO_SHOW', updated_at = $2 WHERE id = $1";
const LOG: &str = "INSERT INTO no_show_logs (appointment_id, reason, slot_time, timeout_minutes, triggered_at,
                                             slot_released, slot_released_at)
                   VALUES ($1::text, 'AUTO_TIMEOUT', $2, $3, $4, $5, CASE WHEN $5 THEN $4 END)";
const RELEASE: &str = "UPDATE doctor_slots s
    SET is_booked = false, appointment_id = NULL,
        is_blocked = EXISTS (SELECT FROM doctor_absences x
                             WHERE x.doctor_id = s.doctor_id AND x.status = 'ACTIVE'
                               AND x.first_day <= $2::date AND x.last_day >= $2::date)
    WHERE s.id = $1";
const NOTIFY: &str = "INSERT INTO notifications (recipient_kind, recipient_id, channel, type, title, body, metadata,
                                                 entity, entity_id, dedupe_key, status, sent_at, expires_at, created_at)
    SELECT 'PATIENT', $3::text, channel, 'MISSED_APPOINTMENT', 'Missed appointment', body,
           jsonb_build_object('appointment_id', $1::text, 'starts_at', $2), 'appointment', $1::text,
           concat_ws(':', 'no_show', $1, $2, 'PATIENT', $3, channel), status,
           CASE WHEN channel = 'IN_APP' THEN $4 END, $5, $4
    FROM (VALUES ('IN_APP', $6, 'SENT'), ('SMS', $7, $8)) AS notice (channel, body, status)
    WHERE status IS NOT NULL";

struct Statements {
    find: Statement,
    find_slot: Statement,
    mark: Statement,
    log: Statement,
    release: Statement,
    notify: Statement,
}

/// Marks the visits one by one; how many were due.
pub async fn mark(url: &str, due: &[i64], now: DateTime<Utc>) -> Result<usize, Error> {
    let (mut client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    client.batch_execute("SET search_path = rounds").await?;
    let statements = prepare(&client).await?;
    let mut marked = 0;
    for &id in due {
        marked += usize::from(mark_one(&mut client, &statements, id, &now).await?);
    }
    Ok(marked)
}

async fn prepare(client: &Client) -> Result<Statements, Error> {
    const INSTANT: Type = Type::TIMESTAMPTZ;
    let notice = [Type::INT8, INSTANT, Type::INT8, INSTANT, INSTANT, Type::TEXT, Type::TEXT, Type::TEXT];
    Ok(Statements {
        find: client.prepare_typed(FIND, &[INSTANT, Type::INT8]).await?,
        find_slot: client.prepare_typed(FIND_SLOT, &[Type::INT8, Type::TEXT]).await?,
        mark: client.prepare(MARK).await?,
        log: client.prepare_typed(LOG, &[Type::INT8, INSTANT, Type::INT4, INSTANT, Type::BOOL]).await?,
        release: client.prepare_typed(RELEASE, &[Type::INT8, INSTANT]).await?,
        notify: client.prepare_typed(NOTIFY, &notice).await?,
    })
}

async fn mark_one(client: &mut Client, statements: &Statements, id: i64, now: &DateTime<Utc>) -> Result<bool, Error> {
    let tx = client.transaction().await?;
    let found = tx.query_opt(&statements.find, &[now, &id]).await?;
    let Some(visit) = found else { return Ok(false) };
    let slot = tx.query_opt(&statements.find_slot, &[&id, &visit.get::<_, &str>("zone")]).await?;
    let ends_at: DateTime<Utc> = slot.as_ref().unwrap_or(&visit).get("ends_at");
    let release = *now < ends_at;
    let starts_at: DateTime<Utc> = visit.get("starts_at");
    tx.execute(&statements.mark, &[&id, now]).await?;
    let timeout: i32 = visit.get("timeout_minutes");
    tx.execute(&statements.log, &[&id, &starts_at, &timeout, now, &release]).await?;
    if let (Some(slot), true) = (slot, release) {
        tx.execute(&statements.release, &[&slot.get::<_, i64>("id"), now]).await?;
    }
    if !visit.get::<_, bool>("late") {
        let time = visit.get::<_, NaiveTime>("start_time").format("%H:%M");
        let doctor: &str = visit.get("last_name");
        let in_app = format!(
            "You missed your {time} appointment with Dr. {doctor}. Please contact the clinic to book a new time."
        );
        let sms = format!("You missed your {time} appointment. Please call the clinic to book a new time.");
        let state = if visit.get("sms_opt_out") { "SUPPRESSED" } else { "PENDING" };
        let state = visit.get::<_, bool>("phone").then_some(state);
        let patient: i64 = visit.get("patient_id");
        let expires_at: DateTime<Utc> = visit.get("day_ends_at");
        tx.execute(&statements.notify, &[&id, &starts_at, &patient, now, &expires_at, &in_app, &sms, &state]).await?;
    }
    tx.commit().await?;
    Ok(true)
}
