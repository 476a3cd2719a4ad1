//! A clinic whose appointments live in an account elsewhere, and the stand-in for that account's API.

pub mod upstream;

use serde_json::Value;
use tokio::process::Child;

pub use self::upstream::{Client, Fault, KEY, MARK, Request, State, Upstream, appointment};
use super::keys::Kind;
use super::program::{self, Outcome};
use super::{Clinic, Program};

/// As of when the tests run: 08:00 in Denver.
pub const NOW: &str = "2026-03-02T15:00:00Z";

/// The visits that are the account's: the clinic's rows with what the ledger has of them. Keys are numbers.
const STORED_VISITS: &str = "CREATE TEMPORARY VIEW stored_visits AS
    SELECT n(a.id) AS id, n(a.facility_id) AS facility_id, n(a.doctor_id) AS doctor_id, n(a.patient_id) AS patient_id,
           a.source::text AS source, a.external_id, a.appointment_date, a.start_time, a.status::text AS status,
           a.checked_in_at, a.vitals_recorded_at, a.cancelled_at, n(a.cancelled_by) AS cancelled_by, a.cancelled_reason,
           a.notes, a.created_at, a.updated_at, v.status AS synced_status, v.starts_at, v.ends_at, v.meeting_url,
           v.service_name, v.location_name, v.place_of_service, v.practitioner, v.client_id, v.modified_at, v.read_at, v.content_hash,
           v.last_seen_sweep, v.missed_sweep, v.deleted_at
    FROM appointments a JOIN practiceq_visits v
         ON v.external_id = a.external_id AND v.appointment_id = a.id::text AND v.patient_id = a.patient_id::text
    WHERE a.source = 'PRACTICEQ'";

impl Upstream {
    /// The program with this account, which limits nothing.
    pub fn reached_by(&self, mut program: Program) -> Program {
        for (key, value) in [
            ("ROUNDS_PRACTICEQ_URL", &*self.base()),
            ("ROUNDS_PRACTICEQ_KEY", KEY),
            ("ROUNDS_PRACTICEQ_PER_MINUTE", "100000"),
            ("ROUNDS_PRACTICEQ_PER_DAY", "100000"),
        ] {
            program = program.env(key, value);
        }
        program
    }
}

/// A clinic and the account.
pub struct Sync {
    pub clinic: Clinic,
    pub upstream: Upstream,
    /// The facility is in Denver, and has the doctor and the organization.
    pub facility: i64,
    pub organization: i64,
    /// The doctor that the account calls prac-1.
    pub doctor: i64,
    pub case_manager: i64,
    pub admin: i64,
}

impl Sync {
    pub async fn new() -> Self {
        Self::of(Kind::Bigint).await
    }

    /// With keys and tables of a kind.
    pub async fn of(kind: Kind) -> Self {
        let upstream = Upstream::start().await;
        let mut clinic = Clinic::of(kind).await;
        clinic.sql(STORED_VISITS).await;
        clinic.program = upstream.reached_by(clinic.program);
        let facility = clinic.facility("America/Denver", None).await;
        let doctor = clinic.doctor(facility, Some(30)).await;
        let [case_manager, admin] =
            [clinic.user(facility, "CASE_MANAGER").await, clinic.user(facility, "HOSPITAL_ADMIN").await];
        let insert = "INSERT INTO organizations (name, facility_id) VALUES ('O', k($1)) RETURNING n(id)";
        let organization: i64 = clinic.row(insert, &[&facility]).await.get(0);
        clinic
            .sql(&format!(
                "INSERT INTO organization_users (organization_id, user_id) VALUES (k({organization}), k({case_manager}));
                 INSERT INTO provider_intakeq_settings (doctor_id, practitioner_id, practitioner_email)
                 VALUES (k({doctor}), 'prac-1', 'doc@clinic.example')"
            ))
            .await;
        Self { clinic, upstream, facility, organization, doctor, case_manager, admin }
    }

    /// A patient of the organization, actively affiliated.
    pub async fn patient(&self, first: &str, last: &str, email: Option<&str>, dob: Option<&str>) -> i64 {
        let insert = "WITH patient AS (
                          INSERT INTO patients (mrn, first_name, last_name, email, date_of_birth)
                          VALUES ('M' || gen_random_uuid(), $1, $2, $3, $4::text::date)
                          RETURNING id)
                      INSERT INTO patient_organization_affiliations (patient_id, organization_id)
                      SELECT id, k($5) FROM patient RETURNING n(patient_id)";
        self.clinic.row(insert, &[&first, &last, &email, &dob, &self.organization]).await.get(0)
    }

    /// A patient with the name, e-mail and date of birth of a client of the account.
    pub async fn patient_of(&self, client: &Client<'_>) -> i64 {
        let (first, last) = client.name.split_once(' ').expect("two names");
        self.patient(first, last, Some(client.email), Some(client.date_of_birth)).await
    }

    /// Runs `sync-practiceq`, as of `NOW` unless told otherwise.
    pub async fn run(&self, args: &[&str]) -> Outcome {
        program::finish(self.start(args)).await
    }

    /// Starts it and goes on.
    pub fn start(&self, args: &[&str]) -> Child {
        self.start_with(&self.clinic.program, args)
    }

    /// Starts it with another environment.
    pub fn start_with(&self, program: &Program, args: &[&str]) -> Child {
        let as_of: &[&str] = if args.contains(&"--as-of") { &[] } else { &["--as-of", NOW] };
        program.start(&[&["sync-practiceq"], as_of, args].concat())
    }

    /// The visits that are the account's, by its ids.
    pub async fn visits(&self) -> Vec<Value> {
        let query = "SELECT to_jsonb(v) FROM stored_visits v ORDER BY external_id COLLATE \"C\"";
        self.clinic.rows(query).await.iter().map(|row| row.get(0)).collect()
    }
}
