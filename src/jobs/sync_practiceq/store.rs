//! Stores pages of appointments. A batch is one statement, which decides whose each appointment is and what changes.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;
use tracing::warn;
use uuid::Uuid;

use super::lane::Lane;
use super::report::{Problem, Report};
use super::scope::Scope;
use super::seen::{NewRows, Seen};
use crate::clients::practiceq::Appointment;
use crate::clinic::channels::as_preferred;
use crate::clinic::local_time::{clock_time, day, unreadable_zone};
use crate::clinic::outbox;
use crate::clinic::words::moment;
use crate::db::{Key, Keys, Row, cut_name, statements};
use crate::error::{Error, ErrorKind};
use crate::run::{Batch, Halt, Id, NotDone, Run, apply, count, has_passed};

statements! {
    LINKS(TEXT_ARRAY, TEXT_ARRAY) = include_str!("links.sql");
    INSERTER() = include_str!("inserter.sql");
    HAND_OVER(JSONB) = include_str!("hand_over.sql");
    STORE[inserter: Inserter = vec![Inserter::Table, Inserter::Trigger]](
        JSONB, TIMESTAMPTZ, UUID, INT8, KEYS, KEYS, TEXT_ARRAY, KEYS, TIMESTAMPTZ,
    ) = format!(
        include_str!("store.sql"),
        whose = whose(),
        classified = classified(),
        unless_there = inserter.unless_there(),
        inserted_status = clinic_status("j.status", "(SELECT x.status FROM appointments x WHERE false)"),
        updated_status = clinic_status("j.status", "a.status"),
        appointment_day = day("a.appointment_date"),
        start_time = clock_time("a.start_time"),
        kept_link = link(["excluded.account_url", "v.account_url", "v.meeting_url"]),
        change_notices = change_notices(),
        outbox = outbox::notified()
    );
}

/// The CTEs that stage the notices of changed appointments.
pub fn change_notices() -> String {
    format!(
        include_str!("change_notices.part.sql"),
        old_time = moment("c.old_starts_at AT TIME ZONE c.zone"),
        new_time = moment("c.starts_at AT TIME ZONE c.zone"),
        first_name = cut_name("p.first_name"),
        last_name = cut_name("p.last_name"),
        channels = as_preferred("'HIGH'")
    )
}

/// The CTEs that decide whose each appointment is.
fn whose() -> String {
    format!(
        include_str!("whose.part.sql"),
        client_name = normalized_name("r.client_name"),
        client_marks = client_marks("known.name", "known.email", "r.date_of_birth"),
        patient_name = normalized_name("concat_ws(' ', p.first_name, p.last_name)"),
        date_of_birth = day("p.date_of_birth"),
        appointment_day = day("a.appointment_date"),
        start_time = clock_time("a.start_time")
    )
}

/// The CTE that decides what becomes of each appointment.
fn classified() -> String {
    format!(
        include_str!("classified.part.sql"),
        link = link(["m.meeting_url", "a.old_account_url", "a.old_meeting_url"]),
        deletion_has_passed = has_passed("a.old_deleted_at"),
        reading_has_passed = has_passed("a.old_read_at")
    )
}

/// The link of a visit, in SQL.
fn link([said, said_before, link]: [&str; 3]) -> String {
    format!(include_str!("link.part.sql"), said = said, said_before = said_before, link = link)
}

/// The clinic's status for a status as text, in SQL; `otherwise` is of the column's type.
fn clinic_status(status: &str, otherwise: &str) -> String {
    format!(include_str!("clinic_status.part.sql"), status = status, otherwise = otherwise)
}

/// The digests of what the account says of a client, in SQL.
pub fn client_marks(name: &str, email: &str, date_of_birth: &str) -> String {
    format!(include_str!("client_marks.part.sql"), name = name, email = email, date_of_birth = date_of_birth)
}

fn normalized_name(text: &str) -> String {
    format!(include_str!("normalized_name.part.sql"), text = text)
}

/// The origin of rows that are stored, and whose they may be.
#[derive(Clone, Copy)]
pub struct StoreContext<'a> {
    pub now: DateTime<Utc>,
    /// None where a person stores them.
    pub run: Option<Uuid>,
    /// The run's row in `sync_logs`.
    pub log: Option<i64>,
    /// Only appointments of these patients are stored.
    pub only_patients: Option<&'a [Key]>,
    /// Facilities whose time zone cannot be read. Their appointments are skipped.
    pub zoneless: &'a [Key],
    /// What starts before it is queued for nobody: it would only be forgotten.
    pub queued_from: DateTime<Utc>,
}

impl StoreContext<'_> {
    async fn store(&self, tx: &Transaction<'_>, rows: &Value) -> Result<Row, Error> {
        let linked = linked_patients(tx, rows).await?;
        let (zoneless, linked) = (Keys(self.zoneless), Keys(&linked));
        let inserter = Inserter::find(tx, rows).await?;
        let Self { now, run, log, queued_from, .. } = self;
        let only_patients = self.only_patients.map(Keys);
        let parameters: [&(dyn ToSql + Sync); 9] =
            [rows, now, run, log, &only_patients, &linked, &linked, &zoneless, queued_from];
        STORE.with(&inserter).one(tx, &parameters).await
    }

    /// Stores a row as `practiceq_unmatched` kept it; returns how many visits are in a chart now.
    pub async fn store_kept(&self, tx: &Transaction<'_>, row: &Value) -> Result<u64, Error> {
        let row = self.store(tx, &json!([row])).await?;
        Ok(["new", "updated", "unchanged"].iter().map(|column| count(&row, column)).sum())
    }
}

/// What inserts the visits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inserter {
    /// The server: `appointments` is a table, or a view that it can write through.
    Table,
    /// An INSTEAD OF trigger of a view. The server takes no ON CONFLICT there: the trigger has it inside.
    Trigger,
}

impl Inserter {
    /// Finds it, and hands over to a trigger what the account says of these appointments.
    async fn find(tx: &Transaction<'_>, rows: &Value) -> Result<Self, Error> {
        if !INSERTER.one(tx, &[]).await?.get::<_, bool>("is_trigger") {
            return Ok(Self::Table);
        }
        HAND_OVER.one(tx, &[rows]).await?;
        Ok(Self::Trigger)
    }

    fn unless_there(self) -> &'static str {
        match self {
            Self::Table => "ON CONFLICT (external_id) WHERE external_id IS NOT NULL DO NOTHING",
            Self::Trigger => "",
        }
    }
}

/// The patients whom our tables name for these appointments. The clinic may have them no more.
async fn linked_patients(tx: &Transaction<'_>, rows: &Value) -> Result<Vec<Key>, Error> {
    let texts = |field: &str| -> Vec<&str> {
        rows.as_array().into_iter().flatten().filter_map(|row| row[field].as_str()).collect()
    };
    let found = LINKS.all(tx, &[&texts("client_id"), &texts("external_id")]).await?;
    Ok(found.iter().map(|row| row.get("patient_id")).collect())
}

/// The outcome of a page.
pub struct StoredPage {
    /// Visits, by external id, that are in a chart and belong to nobody in scope any more.
    pub unowned: Vec<Key>,
    /// The highest LastModified of the page.
    pub modified_at: Option<DateTime<Utc>>,
}

pub struct Store<'a> {
    run: &'a Run,
    /// The run's row in `sync_logs`.
    log: Option<i64>,
    only_patients: Option<Vec<Key>>,
    zoneless: Vec<Key>,
    /// What starts before it is queued for nobody.
    queued_from: DateTime<Utc>,
    /// Those of them that had an appointment, and were reported.
    reported: BTreeSet<Key>,
    pub seen: Seen,
}

impl<'a> Store<'a> {
    pub fn new(run: &'a Run, log: Option<i64>, lane: &Lane, scope: &Scope, queued_from: DateTime<Utc>) -> Self {
        let is_limited = matches!(lane, Lane::Patient(_) | Lane::Organization(_));
        let only_patients = is_limited.then(|| scope.patients.clone());
        let zoneless = scope.zoneless.clone();
        Self { run, log, only_patients, zoneless, queued_from, reported: BTreeSet::new(), seen: Seen::default() }
    }

    /// Stores the rows of a page, each of which the account has once.
    pub async fn page(
        &mut self,
        rows: &[Value],
        asked_at: DateTime<Utc>,
        report: &mut Report,
    ) -> Result<StoredPage, Halt> {
        let NewRows { appointments, unreadable, modified_at } = self.seen.new_rows(rows, asked_at);
        for row in unreadable {
            report.total_appointments.errors += 1;
            let error = Error::new(row.why.code(), ErrorKind::Data, row.why.to_string());
            let items = Batch { entity: "appointment", part: "", ids: &[row.id] };
            report.items_failed(self.run, Problem::Unreadable, items, &error).await?;
        }
        let unowned = self.store(&appointments, report).await?;
        Ok(StoredPage { unowned, modified_at })
    }

    async fn store(&mut self, appointments: &[Appointment], report: &mut Report) -> Result<Vec<Key>, Halt> {
        let context = StoreContext {
            now: self.run.now,
            run: Some(self.run.id),
            log: self.log,
            only_patients: self.only_patients.as_deref(),
            zoneless: &self.zoneless,
            queued_from: self.queued_from,
        };
        let statement = async |tx: &Transaction<'_>, batch: &[ByExternalId<'_>]| {
            let rows: Vec<&Appointment> = batch.iter().map(|row| row.0).collect();
            context.store(tx, &json!(rows)).await
        };
        let ids: Vec<ByExternalId<'_>> = appointments.iter().map(ByExternalId).collect();
        report.scanned += ids.len() as u64;
        let (mut not_done, mut skipped, mut unowned) = (NotDone::default(), NotDone::default(), vec![]);
        let mut zoneless = BTreeSet::<Key>::new();
        let outcome = apply(
            self.run,
            Batch { entity: "appointment", part: "", ids: &ids },
            &mut not_done,
            statement,
            |row: &Row| {
                add_counts(report, row, &mut skipped);
                unowned.extend(row.get::<_, Vec<Key>>("unowned"));
                zoneless.extend(row.get::<_, Vec<Key>>("zoneless_facilities"));
            },
        )
        .await;
        report.total_appointments.errors += not_done.failed;
        report.add_not_stored(not_done);
        report.not_done.merge(skipped);
        outcome?;
        self.report_zoneless(zoneless, report).await?;
        Ok(unowned)
    }

    /// Reports facilities whose time zone cannot be read, each once a run. Their appointments were skipped.
    async fn report_zoneless(&mut self, facilities: BTreeSet<Key>, report: &mut Report) -> Result<(), Halt> {
        let new: Vec<Key> = facilities.into_iter().filter(|facility| self.reported.insert(facility.clone())).collect();
        let items = Batch { entity: "facility", part: "", ids: &new };
        report.items_failed(self.run, Problem::NotStored, items, &unreadable_zone()).await
    }
}

fn add_counts(report: &mut Report, row: &Row, skipped: &mut NotDone) {
    let total = &mut report.total_appointments;
    total.new += count(row, "new");
    total.updated += count(row, "updated");
    total.unchanged += count(row, "unchanged");
    report.unmatched += count(row, "unmatched") + count(row, "merged");
    report.notifications += count(row, "notifications");
    for reason in ["unchanged", "unmatched", "ignored", "out_of_scope", "other_patient", "older", "no_zone"] {
        skipped.skip(reason, count(row, reason));
    }
    for practitioner in row.get::<_, Vec<String>>("practitioners") {
        if report.practitioners.insert(practitioner.clone()) {
            warn!("practitioner {practitioner} is not known: add a row to provider_intakeq_settings");
        }
    }
    report.unknown_practitioners = report.practitioners.len() as u64;
}

/// An appointment that a batch names by its external id.
#[derive(Clone, Copy)]
struct ByExternalId<'a>(&'a Appointment);

impl PartialEq for ByExternalId<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.external_id == other.0.external_id
    }
}

impl fmt::Display for ByExternalId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.external_id)
    }
}

impl Serialize for ByExternalId<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.external_id)
    }
}

impl Id for ByExternalId<'_> {
    fn named(batch: &[Self], row: &Row, column: &str) -> Vec<Self> {
        let ids: Vec<&str> = row.get(column);
        batch.iter().copied().filter(|row| ids.contains(&row.0.external_id.as_str())).collect()
    }
}
