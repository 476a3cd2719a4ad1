//! The application with its kit, and the reference tables beside it: one way to fill and to look at both.

use serde_json::{Value, json};

use crate::adopt::support::Kit;
use crate::support::Template;
use crate::support::keys::Kind;
use crate::support::practiceq::{Client, Sync, Upstream};
use crate::support::program::Outcome;

pub const KIT: &str = include_str!("../../../adopt/scheduler-supabase.sql");

static SCHEDULER: Kit = Kit {
    template: Template::new("kit_scheduler"),
    application: include_str!("../../data/applications/scheduler-supabase.sql"),
    psql: &["--quiet", "-v", "ON_ERROR_STOP=1", "-f", "adopt/scheduler-supabase.sql"],
    kind: Kind::Uuid,
};

/// What the application has before the first run. prac-1 is in the settings of the first provider, prac-2 is in the
/// row of the second. One service of the account is mapped.
const ROWS: &str = "
    UPDATE rounds.facilities SET id = k(1);
    INSERT INTO organizations (id, name) VALUES (k(1), 'O');
    INSERT INTO providers (id, first_name, last_name, intakeq_practitioner_id, role, is_active, auth_user_id)
    VALUES (k(1), 'Ada', 'Stone', NULL, NULL, true, k(901)), (k(2), 'Ben', 'Rock', 'prac-2', NULL, true, k(902)),
           (k(102), 'Cy', 'Admin', NULL, 'admin', true, k(912));
    INSERT INTO provider_intakeq_settings (provider_id, practitioner_id, location_id, service_id)
    VALUES (k(1), 'prac-1', '1', 'any');
    INSERT INTO partner_users (id, organization_id, auth_user_id, role, full_name, is_active)
    VALUES (k(101), k(1), k(911), 'case_manager', 'U', true);
    INSERT INTO service_instances (id, name) VALUES (k(1), 'Follow-up'), (k(2), 'Intake');
    INSERT INTO service_instance_mappings (service_id, system, service_instance_id)
    VALUES ('8a7c2e5d-1111-4c5b-9c3e-0123456789ab', 'practiceq', k(1)), ('unmapped', 'athena', k(1))";

/// Decisions of the sync, and what they made of the visits. A practitioner who is unknown is compared by the report
/// alone: the application needs a provider all the same.
const PICTURE: &str = "SELECT jsonb_build_object(
    'visits', (SELECT jsonb_agg(jsonb_build_array(
            v.external_id, p.email, p.first_name, a.source, a.appointment_date, a.start_time, a.status,
            a.cancelled_at IS NULL, a.updated_at IS NULL,
            CASE v.practitioner WHEN 'prac-9' THEN 0 ELSE n(a.doctor_id) END,
            v.status, v.starts_at, v.ends_at, v.meeting_url, v.service_name, v.location_name, v.practitioner,
            v.client_id, v.modified_at, v.deleted_at IS NULL, v.missed_sweep IS NULL, v.appointment_id = a.id::text,
            v.patient_id = a.patient_id::text) ORDER BY v.external_id)
        FROM practiceq_visits v LEFT JOIN appointments a ON a.external_id = v.external_id
        LEFT JOIN patients p ON p.id = a.patient_id),
    'others', (SELECT count(*) FROM appointments a
               WHERE NOT EXISTS (SELECT FROM practiceq_visits v WHERE v.external_id = a.external_id)),
    'unmatched', (SELECT jsonb_agg(jsonb_build_array(u.external_id, u.client_id, u.reason, u.status,
                                                     u.content ? 'client_name') ORDER BY u.external_id)
                  FROM practiceq_unmatched u),
    'clients', (SELECT jsonb_agg(jsonb_build_array(c.client_id, p.email, p.first_name, c.linked_by IS NULL)
                                 ORDER BY c.client_id)
                FROM practiceq_clients c LEFT JOIN patients p ON p.id::text = c.patient_id),
    'notices', (SELECT jsonb_agg(jsonb_build_array(m.type, m.title, m.body, m.metadata ->> 'kind', m.status)
                                 ORDER BY m.title, m.body) FROM notifications m),
    'fresh', (SELECT count(*) FROM practiceq_freshness),
    'failed', (SELECT jsonb_agg(jsonb_build_array(e.entity, e.entity_id, e.error_code)
                                ORDER BY e.entity_id, e.error_code) FROM cron_job_run_errors e),
    'syncs', (SELECT jsonb_agg(jsonb_build_array(l.sync_type, l.status, l.organization_name, l.appointments_new,
                  l.appointments_updated, l.appointments_unchanged, l.appointments_errors, l.patients_processed,
                  l.patients_failed) ORDER BY l.id) FROM sync_logs l))";

/// What the reports of both must have in common.
const REPORTED: [&str; 12] = [
    "total_patients",
    "patients_processed",
    "patients_failed",
    "total_appointments",
    "deleted",
    "unmatched",
    "unknown_practitioners",
    "notifications",
    "pages",
    "scanned",
    "skipped_by_reason",
    "failed",
];

/// A clinic that is fed from an account of its own.
pub struct Side {
    pub sync: Sync,
    pub has_kit: bool,
}

impl Side {
    /// The application with its kit.
    pub async fn kit() -> Self {
        let upstream = Upstream::start().await;
        let mut clinic = SCHEDULER.clinic().await;
        clinic.program = upstream.reached_by(clinic.program);
        clinic.sql(&format!("SET search_path = public, rounds; {ROWS}; SET search_path = rounds, public")).await;
        let sync = Sync { clinic, upstream, facility: 1, organization: 1, doctor: 1, case_manager: 101, admin: 102 };
        Self { sync, has_kit: true }
    }

    /// The reference tables, with the same doctors.
    pub async fn reference() -> Self {
        let sync = Sync::of(Kind::Uuid).await;
        let second = sync.clinic.doctor(sync.facility, Some(30)).await;
        let settings = format!(
            "UPDATE provider_intakeq_settings SET practitioner_email = NULL;
             INSERT INTO provider_intakeq_settings (doctor_id, practitioner_id) VALUES (k({second}), 'prac-2')"
        );
        sync.clinic.sql(&settings).await;
        Self { sync, has_kit: false }
    }

    /// A patient of the organization.
    pub async fn patient(&self, first: &str, last: &str, email: Option<&str>, dob: Option<&str>) -> i64 {
        if !self.has_kit {
            return self.sync.patient(first, last, email, dob).await;
        }
        let insert = "WITH patient AS (
                          INSERT INTO public.patients (id, first_name, last_name, email, date_of_birth, provider_id,
                                                       primary_provider_id, phone, insurance_primary)
                          SELECT k(count(*) + 1), $1, $2, $3, $4::text::date, k(1), k(1), '+1555', '{\"plan\": \"A\"}'
                          FROM public.patients RETURNING id)
                      INSERT INTO public.patient_organization_affiliations (patient_id, organization_id)
                      SELECT id, k(1) FROM patient RETURNING n(patient_id)";
        self.sync.clinic.row(insert, &[&first, &last, &email, &dob]).await.get(0)
    }

    pub async fn patient_of(&self, client: &Client<'_>) -> i64 {
        let (first, last) = client.name.split_once(' ').expect("two names");
        self.patient(first, last, Some(client.email), Some(client.date_of_birth)).await
    }

    /// What the clinic's people make of a visit.
    pub async fn set_status(&self, external_id: &str, status: &str) {
        self.sync.clinic.sql(&if self.has_kit {
            let status = status.to_lowercase();
            format!("UPDATE public.appointments SET status = '{status}' WHERE pq_appointment_id = '{external_id}'")
        } else {
            format!(
                "UPDATE appointments SET status = '{status}', cancelled_at = NULL WHERE external_id = '{external_id}'"
            )
        })
        .await;
    }

    /// The application deletes its row.
    pub async fn forget(&self, external_id: &str) {
        self.sync
            .clinic
            .sql(&if self.has_kit {
                format!("DELETE FROM public.appointments WHERE pq_appointment_id = '{external_id}'")
            } else {
                format!("DELETE FROM appointments WHERE external_id = '{external_id}'")
            })
            .await;
    }

    /// The organization does not look after the patient any more.
    pub async fn leave(&self, patient: i64) {
        let (table, status) = if self.has_kit { ("public", "transferred") } else { ("rounds", "inactive") };
        let update = format!(
            "UPDATE {table}.patient_organization_affiliations SET status = '{status}' WHERE patient_id = k({patient})"
        );
        self.sync.clinic.sql(&update).await;
    }

    /// The admin decides about what waits for a person.
    pub async fn decide(&self, command: &str, external_id: &str, patient: Option<i64>) -> Outcome {
        let query = format!("SELECT id FROM practiceq_unmatched WHERE external_id = '{external_id}'");
        let (id, admin) = (self.sync.clinic.count(&query).await.to_string(), Kind::Uuid.text(self.sync.admin));
        let patient = patient.map(|patient| Kind::Uuid.text(patient));
        let mut args = vec!["practiceq", "unmatched", command, &id, "--actor", &admin];
        args.extend(patient.iter().flat_map(|patient| ["--patient", patient.as_str()]));
        self.sync.clinic.run(&args).await
    }

    pub async fn picture(&self) -> Value {
        self.sync.clinic.row(PICTURE, &[]).await.get(0)
    }

    /// What a query gives, as JSON.
    pub async fn one(&self, query: &str) -> Value {
        self.sync.clinic.json(&format!("SELECT ({query}) AS v")).await["v"].clone()
    }

    /// A column of the application's row of a visit, an expression.
    pub async fn theirs(&self, external_id: &str, expression: &str) -> Value {
        let query = format!("SELECT {expression} FROM public.appointments a WHERE pq_appointment_id = '{external_id}'");
        self.one(&query).await
    }

    /// Each row of the application and of the ledger, with the transaction that wrote it.
    pub async fn written(&self) -> Value {
        let tables = [
            "public.appointments",
            "public.patients",
            "public.patient_organization_affiliations",
            "public.sync_logs",
            "public.providers",
            "rounds.practiceq_visits",
            "rounds.practiceq_freshness",
            "rounds.practiceq_clients",
            "rounds.practiceq_unmatched",
            "rounds.practiceq_state",
            "rounds.notifications",
            "rounds.sync_logs",
        ];
        let rows = tables.map(|table| {
            let row = "to_jsonb(t) || jsonb_build_object('xmin', t.xmin::text)";
            format!("(SELECT jsonb_agg({row} ORDER BY t::text) FROM {table} t)")
        });
        self.one(&format!("SELECT jsonb_build_array({})", rows.join(", "))).await
    }
}

/// What a run decided, as far as it does not depend on the tables.
pub fn reported(outcome: &Outcome) -> Value {
    let report = outcome.report();
    let mut reported: Vec<Value> = REPORTED.iter().map(|key| json!([key, report[key]])).collect();
    reported.push(json!(["exit code", outcome.code]));
    json!(reported)
}
