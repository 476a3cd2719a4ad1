//! What the named jobs need of the clinic's tables, together.

use std::collections::BTreeSet;

use super::reference::Reference;
use crate::clinic::fit::{self, Kind};

/// A table of the clinic that a job needs.
pub struct Wanted {
    pub relation: String,
    /// In the order of the reference set.
    pub columns: Vec<WantedColumn>,
}

pub struct WantedColumn {
    pub relation: String,
    pub name: String,
    pub kind: Kind<'static>,
    /// The labels that the statements name.
    pub labels: BTreeSet<&'static str>,
    /// What it means, as the reference set says.
    pub meaning: String,
    pub is_updated: bool,
    pub is_inserted: bool,
}

/// The tables that jobs need, in the order of the reference set.
pub fn wanted(jobs: &[&str], reference: &Reference) -> Vec<Wanted> {
    let mut tables: Vec<Wanted> = vec![];
    for (relation, columns) in &reference.tables {
        let columns = columns.iter().filter_map(|name| column(jobs, reference, relation, name));
        let columns: Vec<WantedColumn> = columns.collect();
        if !columns.is_empty() {
            tables.push(Wanted { relation: relation.clone(), columns });
        }
    }
    tables
}

fn column(jobs: &[&str], reference: &Reference, relation: &str, name: &str) -> Option<WantedColumn> {
    let needs = jobs.iter().flat_map(|job| fit::needs(job));
    let needs: Vec<_> = needs.filter(|need| need.relation == relation && need.column == name).collect();
    let labels = needs.iter().flat_map(|need| match need.kind {
        Kind::Text { labels } => labels.split(',').filter(|label| !label.is_empty()).collect(),
        _ => vec![],
    });
    Some(WantedColumn {
        relation: relation.to_owned(),
        name: name.to_owned(),
        kind: needs.first()?.kind,
        labels: labels.collect(),
        meaning: reference.meaning(relation, name).to_owned(),
        is_updated: jobs.iter().any(|job| writes(job, "UPDATE", relation, name)),
        is_inserted: jobs.iter().any(|job| writes(job, "INSERT", relation, name)),
    })
}

// TODO: from src/ops/privileges
fn writes(job: &str, how: &str, relation: &str, name: &str) -> bool {
    let list = "mark-no-shows UPDATE appointments status updated_at
mark-no-shows UPDATE doctor_slots is_booked appointment_id is_blocked
escalate-sla UPDATE px_cases status escalation_level escalated_at assigned_department_id updated_at
escalate-tickets UPDATE tickets assignee_id team_id priority sla_due_at updated_at
escalate-tickets INSERT ticket_followers ticket_id user_id
advance-billing UPDATE surgical_cases case_status updated_ts paid_to_provider_ts
sync-practiceq INSERT appointments facility_id doctor_id patient_id source external_id appointment_date start_time status cancelled_at created_at updated_at
sync-practiceq UPDATE appointments facility_id doctor_id patient_id appointment_date start_time status cancelled_at updated_at";
    list.lines().any(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        words[..3] == [job, how, relation] && words[3..].contains(&name)
    })
}

impl WantedColumn {
    pub fn is_written(&self) -> bool {
        self.is_updated || self.is_inserted
    }

    /// Whether the reference set gives NULL a meaning.
    pub fn may_be_null(&self) -> bool {
        self.meaning.contains("NULL")
    }

    /// The type of a column without a value; that of a key depends on the table that it refers to.
    pub fn default_type(&self) -> &'static str {
        match self.kind {
            Kind::Key { .. } | Kind::Text { .. } => "text",
            Kind::Day => "date",
            Kind::Clock => "time",
            Kind::Instant => "timestamptz",
            Kind::Number => "integer",
            Kind::Truth => "boolean",
            Kind::Json => "jsonb",
            Kind::Interval => "interval",
        }
    }
}
