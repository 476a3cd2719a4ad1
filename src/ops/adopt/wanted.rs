//! What the named jobs need of the clinic's tables, together.

use std::collections::BTreeSet;

use super::reference::Reference;
use crate::clinic::fit::{self, Kind, Need};
use crate::ops::privileges::{self, Privilege, Verb};

/// A table of the clinic that a job needs.
pub struct Wanted {
    pub relation: String,
    /// In the order of the reference set.
    pub columns: Vec<WantedColumn>,
    /// Whether one of the jobs only locks its rows.
    pub is_only_locked: bool,
}

#[derive(Clone)]
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

/// A job's needs, what it writes, and what it only locks.
struct JobNeeds {
    needs: Vec<Need<'static>>,
    /// Whether the columns of a relation are inserted or updated.
    writes: Vec<(Verb, &'static str, Vec<&'static str>)>,
    locks: Vec<&'static str>,
}

impl JobNeeds {
    /// A row lock, too, is a privilege to update, but writes nothing.
    fn of(job: &str) -> Self {
        let written = privileges::written(job);
        let (mut writes, mut locks) = (vec![], vec![]);
        for Privilege { relation, verb, columns, is_lock } in privileges::of_job(job) {
            if is_lock {
                locks.push(relation);
            }
            if let (Verb::Insert | Verb::Update, Some(written)) = (verb, written.get(relation)) {
                writes.push((verb, relation, columns.into_iter().filter(|column| written.contains(column)).collect()));
            }
        }
        Self { needs: fit::needs(job).collect(), writes, locks }
    }

    fn writes(&self, verb: Verb, relation: &str, name: &str) -> bool {
        self.writes.iter().any(|(how, of, columns)| *how == verb && *of == relation && columns.contains(&name))
    }
}

/// The tables that jobs need, in the order of the reference set.
pub fn wanted(jobs: &[&str], reference: &Reference) -> Vec<Wanted> {
    let jobs: Vec<JobNeeds> = jobs.iter().map(|job| JobNeeds::of(job)).collect();
    let mut tables: Vec<Wanted> = vec![];
    for (relation, columns) in &reference.tables {
        let columns = columns.iter().filter_map(|name| column(&jobs, reference, relation, name));
        let columns: Vec<WantedColumn> = columns.collect();
        if !columns.is_empty() {
            let is_only_locked = jobs.iter().any(|job| job.locks.iter().any(|locked| locked == relation));
            tables.push(Wanted { relation: relation.clone(), columns, is_only_locked });
        }
    }
    tables
}

fn column(jobs: &[JobNeeds], reference: &Reference, relation: &str, name: &str) -> Option<WantedColumn> {
    let needs = jobs.iter().flat_map(|job| &job.needs);
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
        is_updated: jobs.iter().any(|job| job.writes(Verb::Update, relation, name)),
        is_inserted: jobs.iter().any(|job| job.writes(Verb::Insert, relation, name)),
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
}
