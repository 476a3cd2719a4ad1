//! Cases that a person requests by id: each is updated, or is an exception with one reason.
//!
//! Rule: a case is updated if and only if it is active, of the actor's facility, its status can be read and is not the
//! target yet, and either a transition leads there and it is not held back, or it is forced. A HOSPITAL_ADMIN without a
//! facility may move the cases of all; any other actor without one is refused, and without an actor it is an operator's
//! act, which has no facility. Of a case of another facility no more is said than that it is one. An id that no case has is a failed item, and where no case has any of the ids the request is refused.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use tokio_postgres::Transaction;

use super::case_list::{Requested, none_known};
use super::outlook::{brake, limit};
use super::report::{Exception, Outcomes, Report, warn_of};
use super::stage::{CASE, Stage};
use super::step::{self, MIN_DWELL, Step, code, held_back};
use crate::clinic::actor::{Actor, refused};
use crate::db::{Key, Keys, Row, no_such_key, statements};
use crate::error::{Error, ErrorKind};
use crate::run::{Halt, Run};

/// The lane of requests by id. It is a lane of its own, so that such a run does not count as a run of a stage.
pub const LANE: &str = "by-hand";

statements! {
    REQUESTED_CASES(TIMESTAMPTZ, KEYS, FLOAT8, INT4) = format!(
        include_str!("requested_cases.sql"),
        case_status = code("c.case_status"),
        held_back = held_back("t.dwell"),
        min_dwell = MIN_DWELL,
    );
    /// Fails if one of the texts cannot be a key of the table.
    ARE_KEYS(KEYS) = "SELECT count(*) FROM surgical_cases c WHERE c.id = ANY ($1)";
}

/// The reason for which a case was not updated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    NotFound,
    Unreadable,
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
            Self::Unreadable => "unreadable",
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
            Self::Unreadable => "its case_status is no status",
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
#[derive(Clone, Debug)]
struct RequestedCase {
    id: Key,
    /// The id in reports: see [`Requested::name_of_unknown`].
    name: Key,
    known: bool,
    active: bool,
    status: Option<i32>,
    facility: Option<Key>,
    transition: bool,
    held_back: bool,
    dwell: f64,
}

/// The target of the requested cases.
struct Target {
    to: i32,
    timestamp_field: String,
    force: bool,
    /// The actor's facility; None if the actor belongs to all facilities, or if there is none.
    facility: Option<Key>,
}

impl Target {
    /// The status from which the case is updated, or the reason for which it is not.
    fn verdict(&self, case: &RequestedCase) -> Result<i32, Reason> {
        // Before anything is said of what the case is.
        if case.known && self.facility.is_some() && self.facility != case.facility {
            return Err(Reason::OtherFacility);
        }
        if !case.active {
            return Err(Reason::NotFound);
        }
        let Some(status) = case.status else { return Err(Reason::Unreadable) };
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
        let current_status = case.status.filter(|_| reason != Reason::OtherFacility);
        let (case_id, reason, failed) = (case.name.clone(), reason.text(), !case.known);
        Exception { case_id, reason, current_status, attempted_status: self.to, failed }
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
    pub ids: Vec<Requested>,
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
        let facility = match run.actor() {
            Some(actor) => {
                let actor = Actor::acting(tx, Some(actor)).await?;
                if actor.is_of_the_group() { None } else { Some(actor.own_facility("moving cases")?.clone()) }
            }
            None => None,
        };
        Ok(Target { to, timestamp_field: step::timestamp_field(tx, to).await?, force: self.force, facility })
    }

    /// The requested cases, each once, in their order.
    async fn requested(&self, tx: &Transaction<'_>, run: &Run, to: i32) -> Result<Vec<RequestedCase>, Error> {
        let keys: Vec<Key> = self.ids.iter().map(|id| id.key.clone()).collect();
        tx.batch_execute("SAVEPOINT requested").await?;
        let cases = match no_such_key(self.cases(tx, run, &keys, to).await.map(Some))? {
            Some(cases) => cases,
            None => match self.no_key(tx, &keys).await? {
                Some(requested) => return Err(requested.no_case()),
                // It was no key, but something else of the view, which has an error of its own.
                None => self.cases(tx, run, &keys, to).await?,
            },
        };
        if !cases.iter().any(|case| case.known) {
            return Err(none_known(&self.ids));
        }
        let mut seen = HashSet::new();
        let named = cases.into_iter().zip(&self.ids).map(|(case, requested)| {
            let name = if case.known { case.id.clone() } else { requested.name_of_unknown(&case.id) };
            RequestedCase { name, ..case.clone() }
        });
        Ok(named.filter(|case| seen.insert(case.id.clone())).collect())
    }

    async fn cases(&self, tx: &Transaction<'_>, run: &Run, ids: &[Key], to: i32) -> Result<Vec<RequestedCase>, Error> {
        let dwell = self.min_dwell.map(step::seconds);
        let rows = REQUESTED_CASES.all(tx, &[&run.now, &Keys(ids), &dwell, &to]).await?;
        Ok(rows.iter().map(RequestedCase::from).collect())
    }

    /// The first requested id that cannot be a key of the table, if there is one, found by halving.
    async fn no_key(&self, tx: &Transaction<'_>, keys: &[Key]) -> Result<Option<&Requested>, Error> {
        let (mut first, mut end) = (0, keys.len());
        while first < end {
            let middle = first + (end - first) / 2;
            tx.batch_execute("ROLLBACK TO SAVEPOINT requested").await?;
            let are_keys = no_such_key(ARE_KEYS.opt(tx, &[&Keys(&keys[..=middle])]).await)?.is_some();
            if are_keys { first = middle + 1 } else { end = middle }
        }
        Ok(self.ids.get(first))
    }
}

impl From<&Row> for RequestedCase {
    fn from(row: &Row) -> Self {
        let id: Key = row.get("id");
        Self {
            name: id.clone(),
            id,
            known: row.get("known"),
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
        let cases = request.requested(tx, run, target.to).await?;
        Ok((target, cases, limit(tx, LANE, request.confirmed).await?))
    };
    let (target, cases, limit) = run.read("looking at the cases", look).await?;
    let verdicts: Vec<_> = cases.iter().map(|case| (case, target.verdict(case))).collect();
    let due = verdicts.iter().filter(|(_, verdict)| verdict.is_ok()).count();
    report.scanned = cases.len() as u64;
    if due > limit as usize {
        run.stop_at(brake(due as u64, limit, ""))?;
    }
    let mut outcome = Outcomes::default();
    for (case, verdict) in &verdicts {
        if let Err(reason) = verdict {
            report.not_done.skip(reason.word(), u64::from(case.known));
            outcome.exceptions.push(target.exception(case, *reason));
        }
    }
    report.cases = Some(outcome);
    let unknown: Vec<&Key> = cases.iter().filter(|case| !case.known).map(|case| &case.name).collect();
    run.items_failed(&mut report.not_done, CASE, &unknown, &unknown_case()).await?;
    let locked = apply(run, &target, &verdicts, report).await?;
    explain_not_updated(request, run, &target, &verdicts, &locked, report).await?;
    let exceptions = report.cases.iter().flat_map(|cases| &cases.exceptions).filter(|exception| !exception.failed);
    let said: Vec<(&Key, &str)> = exceptions.map(|exception| (&exception.case_id, exception.reason)).collect();
    warn_of(run.id, said.iter().copied(), said.len() as u64);
    Ok(())
}

/// The error of an id that no case has.
fn unknown_case() -> Error {
    Error::new("UNKNOWN_CASE", ErrorKind::Data, "there is no such case; check the id")
}

/// Advances the cases, one status after the other. Returns the ids of the cases that another session has locked.
async fn apply(
    run: &Run,
    target: &Target,
    verdicts: &[(&RequestedCase, Result<i32, Reason>)],
    report: &mut Report,
) -> Result<Vec<Key>, Halt> {
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
        let ids: Vec<Key> = cases.iter().map(|case| case.id.clone()).collect();
        locked.extend(step.apply(run, &ids, target.facility.as_ref(), report).await?);
    }
    Ok(locked)
}

/// Adds the exceptions of cases that should have been updated but were not, and sorts all cases as they were requested.
async fn explain_not_updated(
    request: &Request,
    run: &Run,
    target: &Target,
    verdicts: &[(&RequestedCase, Result<i32, Reason>)],
    locked: &[Key],
    report: &mut Report,
) -> Result<(), Halt> {
    let Some(outcome) = &mut report.cases else { return Ok(()) };
    let updated: HashSet<&Key> = outcome.updated.iter().map(|case| &case.case_id).collect();
    let missed = verdicts.iter().filter(|(case, verdict)| verdict.is_ok() && !updated.contains(&case.id));
    let missed: Vec<Key> = missed.map(|(case, _)| case.id.clone()).collect();
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
    let position: HashMap<&Key, usize> =
        verdicts.iter().enumerate().map(|(position, (case, _))| (&case.name, position)).collect();
    outcome.updated.sort_by_key(|case| position.get(&case.case_id));
    outcome.exceptions.sort_by_key(|case| position.get(&case.case_id));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_updated_or_there_is_one_reason_why_not() {
        let key = |text: &str| Key::from(text.to_owned());
        let case = RequestedCase {
            id: key("7"),
            name: key("7"),
            known: true,
            active: true,
            status: Some(15),
            facility: Some(key("f1")),
            transition: true,
            held_back: false,
            dwell: 0.0,
        };
        let unforced = |to| Target { to, timestamp_field: "x_ts".into(), force: false, facility: None };
        let forced = |to| Target { force: true, ..unforced(to) };
        assert_eq!(unforced(20).verdict(&case), Ok(15));
        for target in [unforced(20), forced(20)] {
            assert_eq!(target.verdict(&RequestedCase { active: false, ..case.clone() }), Err(Reason::NotFound));
            assert_eq!(
                target.verdict(&RequestedCase { active: false, status: None, ..case.clone() }),
                Err(Reason::NotFound)
            );
            assert_eq!(target.verdict(&RequestedCase { status: None, ..case.clone() }), Err(Reason::Unreadable));
            assert_eq!(target.verdict(&RequestedCase { status: Some(20), ..case.clone() }), Err(Reason::Already));
        }
        assert_eq!(unforced(10).verdict(&case), Err(Reason::Lower));
        assert_eq!(forced(10).verdict(&case), Ok(15));
        assert_eq!(
            unforced(30).verdict(&RequestedCase { transition: false, ..case.clone() }),
            Err(Reason::NoTransition)
        );
        assert_eq!(forced(30).verdict(&RequestedCase { transition: false, ..case.clone() }), Ok(15));
        assert_eq!(unforced(20).verdict(&RequestedCase { held_back: true, ..case.clone() }), Err(Reason::Dwell));
        assert_eq!(forced(20).verdict(&RequestedCase { held_back: true, ..case.clone() }), Ok(15));
        for target in [unforced(20), forced(20)] {
            let of_another = Target { facility: Some(key("f2")), ..target };
            for case in [case.clone(), RequestedCase { active: false, status: None, ..case.clone() }] {
                assert_eq!(of_another.verdict(&case), Err(Reason::OtherFacility));
                assert_eq!(of_another.exception(&case, Reason::OtherFacility).current_status, None);
            }
            let of_nobody = RequestedCase { facility: None, ..case.clone() };
            assert_eq!(of_another.verdict(&of_nobody), Err(Reason::OtherFacility));
            assert_eq!(Target { facility: Some(key("f1")), ..of_another }.verdict(&case), Ok(15));
        }
    }
}
