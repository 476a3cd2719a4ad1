//! `adopt/hospital-prisma.sql`: the jobs on the tables of a hospital's application.

mod kit;
mod locks;
mod old_pages;
mod owed;
mod runs_shown;
mod same_day;

use super::support::Kit;
use crate::support::keys::Kind;
use crate::support::{Clinic, Template};

const DAY: &str = "2026-03-02";
const KIT: &[&str] = &["--quiet", "-v", "zone=America/New_York", "-f", "adopt/hospital-prisma.sql"];

static HOSPITAL: Kit = Kit {
    template: Template::new("kit_hospital"),
    application: include_str!("../data/applications/hospital-prisma.sql"),
    psql: KIT,
    kind: Kind::TextViews,
};

/// Keys of users.
const DOCTOR: i64 = 1;
const NURSE: i64 = 2;
const RECEPTIONIST: i64 = 3;

/// The application's database, with a hospital in New York, a doctor whose slots have 15 minutes, and users of several
/// roles.
pub struct Hospital {
    pub clinic: Clinic,
}

impl Hospital {
    pub async fn new() -> Self {
        let hospital = Self { clinic: HOSPITAL.clinic().await };
        hospital.hospital(1).await;
        hospital
            .sql("INSERT INTO hospital_settings (hospital_id, time_zone, sms) VALUES (k(1), 'America/New_York', true)")
            .await;
        for (user, role) in [
            (DOCTOR, "DOCTOR"),
            (NURSE, "NURSE"),
            (RECEPTIONIST, "RECEPTIONIST"),
            (4, "PATIENT"),
            (5, "HOUSEKEEPING_STAFF"),
            (6, "SUPER_ADMIN"),
        ] {
            hospital.user(user, 1, role).await;
        }
        hospital.doctor(1, DOCTOR, 15).await;
        hospital
    }

    async fn sql(&self, statements: &str) {
        self.clinic.sql(statements).await;
    }

    /// A hospital with one department.
    async fn hospital(&self, id: i64) {
        self.sql(&format!(
            "INSERT INTO public.hospitals (id, name, code, address, city, state, country, \"zipCode\", phone, email,
                                           \"licenseNumber\", \"updatedAt\")
             VALUES (k({id}), 'H', 'H{id}', 'a', 'c', 's', 'United States', 'z', 'p', 'e', 'l', now());
             INSERT INTO public.departments (id, \"hospitalId\", name, code, \"updatedAt\")
             VALUES (k({id}), k({id}), 'D', 'D', now())"
        ))
        .await;
    }

    async fn user(&self, id: i64, hospital: i64, role: &str) {
        self.sql(&format!(
            "INSERT INTO public.users (id, \"hospitalId\", email, password, \"firstName\", \"lastName\", role,
                                       \"updatedAt\")
             VALUES (k({id}), k({hospital}), 'u{id}@h.example', 'x', 'Ada', 'Stone', '{role}', now())"
        ))
        .await;
    }

    async fn doctor(&self, id: i64, user: i64, slot_minutes: i32) {
        self.sql(&format!(
            "INSERT INTO public.doctors (id, \"userId\", \"departmentId\", specialization, qualification,
                                         \"licenseNumber\", \"consultationFee\", \"availableDays\", \"slotDuration\",
                                         \"updatedAt\")
             SELECT k({id}), k({user}), d.id, 's', 'q', 'l', 100, '{{MONDAY}}', {slot_minutes}, now()
             FROM public.departments d JOIN public.users u ON u.\"hospitalId\" = d.\"hospitalId\"
             WHERE u.id = k({user})"
        ))
        .await;
    }

    /// Visits at 09:00 of 2026-03-02, each with a patient of its own and a slot, and keys from `first` to `last`. The
    /// slots are those of a doctor whose hours overlap.
    async fn visits(&self, first: i64, last: i64, status: &str) {
        self.sql(&format!(
            "INSERT INTO public.patients (id, \"hospitalId\", mrn, \"firstName\", \"lastName\", \"dateOfBirth\", gender,
                                          phone, address, city, state, \"zipCode\", \"updatedAt\")
             SELECT k(g), k(1), 'M' || g, 'Pat', 'Doe', '1980-01-01', 'FEMALE', '+1555' || g, 'a', 'c', 's', 'z', now()
             FROM generate_series({first}, {last}) g;
             INSERT INTO public.appointments (id, \"hospitalId\", \"patientId\", \"doctorId\", \"appointmentDate\",
                                              \"startTime\", \"endTime\", type, status, \"checkedInAt\", \"updatedAt\")
             SELECT k(g), k(1), k(g), k(1), '{DAY}', '9:00', '09:15', 'CONSULTATION', '{status}',
                    CASE WHEN '{status}' = 'CHECKED_IN' THEN timestamp '{DAY} 14:05' END, now()
             FROM generate_series({first}, {last}) g;
             INSERT INTO public.doctor_slots (id, \"doctorId\", \"hospitalId\", \"slotDate\", \"startTime\",
                                              \"endTime\", \"isAvailable\", \"appointmentId\", \"updatedAt\")
             SELECT k(g), k(1), k(1), '{DAY}', '09:00' || repeat(' ', g::int), '9:15', false, k(g), now()
             FROM generate_series({first}, {last}) g"
        ))
        .await;
    }

    /// Runs a job at a time of that day, New York.
    async fn run(&self, job: &str, time: &str, more: &[&str]) -> crate::support::program::Outcome {
        let as_of = format!("{DAY}T{time}-05:00");
        self.clinic.run(&[&[job, "--as-of", &as_of], more].concat()).await
    }

    /// The text that a query gives.
    async fn text(&self, query: &str) -> String {
        let row = self.clinic.row(&format!("SELECT ({query})::text"), &[]).await;
        row.get::<_, Option<String>>(0).unwrap_or_default()
    }
}
