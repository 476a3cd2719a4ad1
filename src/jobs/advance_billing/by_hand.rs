//! Cases that a person requests by id: each is updated, or is an exception with one reason.
//!
//! Rule: a case is updated if and only if it is active, does not have the target status yet, and either a transition
//! leads there and it is not held back, or it is forced and of the actor's facility (an actor without one belongs to
//! all).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use tokio_postgres::{Row, Transaction};

use super::outlook::{brake, limit};
use super::report::{Exception, Outcomes, Report};
use super::stage::Stage;
use super::step::{self, Step, held_back};
use crate::clinic::actor::{Actor, refused};
use crate::db::statements;
use crate::error::Error;
use crate::run::{Halt, Run};

/// The lane of requests by id. It is a lane of its own, so that such a run does not count as a run of a stage.
pub const LANE: &str = "by-hand";

statements! {
    REQUESTED_CASES(TIMESTAMPTZ, INT8_ARRAY, FLOAT8, INT4) = format!(
        include_str!("requested_cases.sql"),
        held_back = held_back("COALESCE($3, EXTRACT(epoch FROM t.min_dwell)::double precision)"),
    );
}

/// The reason for which a case was not updated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    NotFound,
    Already,
    Lower,
    NoTransition,
    Dwell,
    OtherFacility,
    Locked,
    Changed,
}

impl Reason {
    /// The key in the counts.
    fn word(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Already => "already",
            Self::Lower => "lower",
            Self::NoTransition => "no_transition",
            Self::Dwell => "dwell",
            Self::OtherFacility => "other_facility",
            Self::Locked => "locked",
            Self::Changed => "changed",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::NotFound => "not found or inactive",
            Self::Already => "already at target value",
            Self::Lower => "cannot update to lower status without --force",
            Self::NoTransition => "no transition leads to that status without --force",
            Self::Dwell => "moved here by this job less than --min-dwell ago",
            Self::OtherFacility => "of another facility than the actor",
            Self::Locked => "held by somebody else; try again",
            Self::Changed => "changed meanwhile, or refused by the database (see errors); try again",
        }
    }
}

/// A requested case, with its values in the database.
#[derive(Clone, Copy, Debug)]
struct RequestedCase {
    id: i64,
    active: bool,
    status: Option<i32>,
    facility: Option<i64>,
    transition: bool,
    held_back: bool,
    dwell: f64,
}

/// The target of the requested cases.
struct Target {
    to: i32,
    timestamp_field: String,
    force: bool,
    /// The actor's facility; None if the actor belongs to all facilities, or if nothing is forced.
    facility: Option<i64>,
}

impl Target {
    /// The status from which the case is updated, or the reason for which it is not.
    fn verdict(&self, case: &RequestedCase) -> Result<i32, Reason> {
        let Some(status) = case.status.filter(|_| case.active) else { return Err(Reason::NotFound) };
        if self.force && self.facility.is_some() && self.facility != case.facility {
            return Err(Reason::OtherFacility);
        }
        match status.cmp(&self.to) {
            std::cmp::Ordering::Equal => Err(Reason::Already),
            _ if self.force => Ok(status),
            std::cmp::Ordering::Greater => Err(Reason::Lower),
            _ if !case.transition => Err(Reason::NoTransition),
            _ if case.held_back => Err(Reason::Dwell),
            _ => Ok(status),
        }
    }

    fn exception(&self, case: &RequestedCase, reason: Reason) -> Exception {
        let (case_id, reason) = (case.id, reason.text());
        Exception { case_id, reason, current_status: case.status, attempted_status: self.to }
    }
}

/// The request of a person: these cases, by this stage or to this status.
pub struct Request {
    pub stage: Option<Stage>,
    pub to: Option<i32>,
    pub force: bool,
    pub min_dwell: Option<Duration>,
    /// The number of cases that a person or the configuration allows.
    pub confirmed: Option<u32>,
    pub ids: Vec<i64>,
}

impl Request {
    async fn target(&self, tx: &Transaction<'_>, run: &Run) -> Result<Target, Error> {
        let stage = match self.stage {
            Some(stage) => Some(Step::of(tx, stage, None).await?.to),
            None => None,
        };
        let to = match (self.to, stage) {
            (Some(to), Some(stage)) if to != stage && !self.force => {
                return Err(refused("USAGE", format!("--stage leads to status {stage}, and --to says {to}")));
            }
            (Some(to), _) | (None, Some(to)) => to,
            (None, None) => return Err(refused("USAGE", "neither --stage nor --to".into())),
        };
        let facility = match run.actor_number() {
            Some(actor) if self.force => Actor::find(tx, &crate::db::Key::of(actor)).await?.facility.map(|key| key.number()),
            _ => None,
        };
        Ok(Target { to, timestamp_field: step::timestamp_field(tx, to).await?, force: self.force, facility })
    }

    async fn cases(&self, tx: &Transaction<'_>, run: &Run, ids: &[i64], to: i32) -> Result<Vec<RequestedCase>, Error> {
        let dwell = self.min_dwell.map(|dwell| dwell.as_secs_f64());
        let rows = REQUESTED_CASES.all(tx, &[&run.now, &ids, &dwell, &to]).await?;
        Ok(rows.iter().map(RequestedCase::from).collect())
    }
}

impl From<&Row> for RequestedCase {
    fn from(row: &Row) -> Self {
        Self {
            id: row.get("id"),
            active: row.get("active"),
            status: row.get("status"),
            facility: row.get("facility"),
            transition: row.get("transition"),
            held_back: row.get("held_back"),
            dwell: row.get("dwell"),
        }
    }
}

/// Reads the cases, advances those that may be updated, and reports the outcome of each.
pub async fn advance(request: &Request, run: &Run, report: &mut Report) -> Result<(), Halt> {
    let look = async |tx: &Transaction<'_>| {
        let target = request.target(tx, run).await?;
        let cases = request.cases(tx, run, &request.ids, target.to).await?;
        Ok((target, cases, limit(tx, LANE, request.confirmed).await?))
    };
    let (target, cases, limit) = run.read("looking at the cases", look).await?;
    let verdicts: Vec<_> = cases.iter().map(|case| (case, target.verdict(case))).collect();
    let due = verdicts.iter().filter(|(_, verdict)| verdict.is_ok()).count();
    report.scanned = request.ids.len() as u64;
    if due > limit as usize {
        return Err(brake(due as u64, limit, ""));
    }
    let mut outcome = Outcomes::default();
    for (case, verdict) in &verdicts {
        if let Err(reason) = verdict {
            report.not_done.skip(reason.word(), 1);
            outcome.exceptions.push(target.exception(case, *reason));
        }
    }
    report.cases = Some(outcome);
    let locked = apply(run, &target, &verdicts, report).await?;
    explain_not_updated(request, run, &target, &verdicts, &locked, report).await
}

/// Advances the cases, one status after the other. Returns the ids of the cases that another session has locked.
async fn apply(
    run: &Run,
    target: &Target,
    verdicts: &[(&RequestedCase, Result<i32, Reason>)],
    report: &mut Report,
) -> Result<Vec<i64>, Halt> {
    let mut by_status: BTreeMap<i32, Vec<&RequestedCase>> = BTreeMap::new();
    for (case, verdict) in verdicts {
        if let Ok(from) = verdict {
            by_status.entry(*from).or_default().push(case);
        }
    }
    let mut locked = vec![];
    for (from, cases) in by_status {
        let timestamp_field = target.timestamp_field.clone();
        let dwell = if target.force { 0.0 } else { cases[0].dwell };
        let step = Step { from, to: target.to, timestamp_field, dwell, forced: target.force };
        let ids: Vec<i64> = cases.iter().map(|case| case.id).collect();
        locked.extend(step.apply(run, &ids, report).await?);
    }
    Ok(locked)
}

/// Adds the exceptions of cases that should have been updated but were not, and sorts all cases as they were requested.
async fn explain_not_updated(
    request: &Request,
    run: &Run,
    target: &Target,
    verdicts: &[(&RequestedCase, Result<i32, Reason>)],
    locked: &[i64],
    report: &mut Report,
) -> Result<(), Halt> {
    let Some(outcome) = &mut report.cases else { return Ok(()) };
    let updated: HashSet<i64> = outcome.updated.iter().map(|case| case.case_id).collect();
    let missed = verdicts.iter().filter(|(case, verdict)| verdict.is_ok() && !updated.contains(&case.id));
    let missed: Vec<i64> = missed.map(|(case, _)| case.id).collect();
    if !missed.is_empty() {
        let again = async |tx: &Transaction<'_>| request.cases(tx, run, &missed, target.to).await;
        for case in run.read("looking at the cases again", again).await? {
            let reason = match target.verdict(&case) {
                _ if locked.contains(&case.id) => Reason::Locked,
                Err(reason) => reason,
                Ok(_) => Reason::Changed,
            };
            outcome.exceptions.push(target.exception(&case, reason));
        }
    }
    let position: HashMap<i64, usize> =
        verdicts.iter().enumerate().map(|(position, (case, _))| (case.id, position)).collect();
    outcome.updated.sort_by_key(|case| position.get(&case.case_id));
    outcome.exceptions.sort_by_key(|case| position.get(&case.case_id));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_updated_or_there_is_one_reason_why_not() {
        let case = RequestedCase {
            id: 1,
            active: true,
            status: Some(15),
            facility: Some(1),
            transition: true,
            held_back: false,
            dwell: 0.0,
        };
        let unforced = |to| Target { to, timestamp_field: "x_ts".into(), force: false, facility: None };
        let forced = |to| Target { force: true, ..unforced(to) };
        assert_eq!(unforced(20).verdict(&case), Ok(15));
        for target in [unforced(20), forced(20)] {
            assert_eq!(target.verdict(&RequestedCase { active: false, ..case }), Err(Reason::NotFound));
            assert_eq!(target.verdict(&RequestedCase { active: false, status: None, ..case }), Err(Reason::NotFound));
            assert_eq!(target.verdict(&RequestedCase { status: Some(20), ..case }), Err(Reason::Already));
        }
        assert_eq!(unforced(10).verdict(&case), Err(Reason::Lower));
        assert_eq!(forced(10).verdict(&case), Ok(15));
        assert_eq!(unforced(30).verdict(&RequestedCase { transition: false, ..case }), Err(Reason::NoTransition));
        assert_eq!(forced(30).verdict(&RequestedCase { transition: false, ..case }), Ok(15));
        assert_eq!(unforced(20).verdict(&RequestedCase { held_back: true, ..case }), Err(Reason::Dwell));
        assert_eq!(forced(20).verdict(&RequestedCase { held_back: true, ..case }), Ok(15));
        let of_another = Target { facility: Some(2), ..forced(20) };
        assert_eq!(of_another.verdict(&case), Err(Reason::OtherFacility));
        assert_eq!(Target { facility: Some(1), ..forced(20) }.verdict(&case), Ok(15));
    }
}
