//! A gate in the database: a run that comes to a closed one waits inside its statement, until the gate is opened.

use std::time::{Duration, Instant};

use super::Clinic;

/// Makes the gate, open, before what `mark-no-shows` writes.
pub async fn build(clinic: &Clinic) {
    build_before(clinic, "no_show_logs").await;
}

/// Makes the gate before rows of a table that name a visit.
pub async fn build_before(clinic: &Clinic, table: &str) {
    build_for(clinic, table, "appointment_id").await;
}

/// Makes the gate before rows of a table that name something else in that column. It is closed for that as for a visit.
pub async fn build_for(clinic: &Clinic, table: &str, column: &str) {
    clinic
        .sql(&format!(
            "CREATE TABLE gate (appointment_id bigint PRIMARY KEY);
             CREATE FUNCTION pass_gate() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
                 WHILE EXISTS (SELECT FROM gate g WHERE g.appointment_id = n(NEW.{column}::text)) LOOP
                     PERFORM pg_sleep(0.01);
                 END LOOP;
                 RETURN NEW;
             END $$;
             CREATE TRIGGER gate BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION pass_gate()"
        ))
        .await;
}

/// Moves it to the COMMIT: the transaction's statements go through, its end waits.
pub async fn move_to_commit(clinic: &Clinic) {
    clinic
        .sql(
            "DROP TRIGGER gate ON no_show_logs;
             CREATE CONSTRAINT TRIGGER gate AFTER INSERT ON no_show_logs DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION pass_gate()",
        )
        .await;
}

/// Closes it for one visit.
pub async fn close(clinic: &Clinic, visit: i64) {
    clinic.sql(&format!("INSERT INTO gate VALUES ({visit})")).await;
}

pub async fn open(clinic: &Clinic) {
    clinic.sql("DELETE FROM gate").await;
}

/// Waits until a run stands before it; returns the server process that waits.
pub async fn reached(clinic: &Clinic) -> i32 {
    let query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(30) {
        if let Some(row) = clinic.rows(query).await.first() {
            return row.get(0);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no run came to the gate");
}
