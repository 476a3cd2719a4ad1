//! What a person asks for by id: each case is updated, or an exception that says why not.
//!
//! Rule: a case is updated if and only if it is active, has not the target status yet, and either a transition leads there
//! and it is not held back, or it is forced and of the actor's facility (an actor without one is of all).

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Row, Transaction};

use super::report::{Cases as Became, Exception, Report};
use super::step::{self, Step};
use super::{AdvanceBilling, BY_HAND, brake, held_back, limit};
use crate::clinic::actor::{Actor, refused};
use crate::error::Error;
use crate::run::{Halt, Run};

/// What a run says of each case, its row must hold.
const CASES_MAX: usize = 10_000;

/// The ids of a file.
#[derive(Clone, Debug)]
pub struct Cases(Vec<i64>);

/// Reads a file of ids. What is in it is not repeated: it may be another file than was meant.
pub fn read(path: &str) -> Result<Cases, String> {
    let text = std::fs::read_to_string(Path::new(path)).map_err(|error| format!("cannot be read: {}", error.kind()))?;
    parse(&text)
}

fn parse(text: &str) -> Result<Cases, String> {
    let mut ids = vec![];
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        for word in line.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty()) {
            match word.parse() {
                Ok(id) if id > 0 => ids.push(id),
                _ => return Err(format!("line {}: something that is no case id", index + 1)),
            }
        }
    }
    if ids.is_empty() { Err("names no case".to_owned()) } else { Ok(Cases(ids)) }
}

/// Why a case was not updated.
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
    /// In the counts.
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

/// A case that is asked for, as the database has it.
#[derive(Clone, Copy, Debug)]
struct Asked {
    id: i64,
    active: bool,
    status: Option<i32>,
    facility: Option<i64>,
    transition: bool,
    held_back: bool,
    dwell: f64,
}

/// What is asked for.
struct Request {
    to: i32,
    timestamp_field: String,
    force: bool,
    /// The actor's; none where the actor is of all, or nothing is forced.
    facility: Option<i64>,
}

impl Request {
    /// The status that the case is updated from, or why it is not.
    fn verdict(&self, case: &Asked) -> Result<i32, Reason> {
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

    fn exception(&self, case: &Asked, reason: Reason) -> Exception {
        let (case_id, reason) = (case.id, reason.text());
        Exception { case_id, reason, current_status: case.status, attempted_status: self.to }
    }
}

impl AdvanceBilling {
    /// The ids that are asked for, each once, in their order.
    pub(super) fn cases(&self) -> Result<Vec<i64>, Error> {
        let file = self.cases_file.iter().flat_map(|cases| &cases.0);
        let mut seen = HashSet::new();
        let ids: Vec<i64> = self.case.iter().chain(file).copied().filter(|id| seen.insert(*id)).collect();
        if ids.len() > CASES_MAX {
            let message = format!("{} cases are asked for; at most {CASES_MAX} a run: split them", ids.len());
            return Err(refused("USAGE", message));
        }
        Ok(ids)
    }

    async fn request(&self, tx: &Transaction<'_>, run: &Run) -> Result<Request, Error> {
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
            Some(actor) if self.force => Actor::find(tx, actor).await?.facility,
            _ => None,
        };
        Ok(Request { to, timestamp_field: step::timestamp_field(tx, to).await?, force: self.force, facility })
    }

    async fn asked(&self, tx: &Transaction<'_>, run: &Run, ids: &[i64], to: i32) -> Result<Vec<Asked>, Error> {
        let held_back = held_back("COALESCE($3, EXTRACT(epoch FROM t.min_dwell)::double precision)");
        let asked = format!(include_str!("requested_cases.sql"), held_back = held_back);
        let dwell = self.min_dwell.map(|dwell| dwell.as_secs_f64());
        let parameters: [(&(dyn ToSql + Sync), Type); 4] =
            [(&run.now, Type::TIMESTAMPTZ), (&ids, Type::INT8_ARRAY), (&dwell, Type::FLOAT8), (&to, Type::INT4)];
        Ok(tx.query_typed(&asked, &parameters).await?.iter().map(Asked::from).collect())
    }
}

impl From<&Row> for Asked {
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

/// Looks at the cases, takes those that may go, and says of each what became of it.
pub async fn advance(job: &AdvanceBilling, run: &Run, report: &mut Report) -> Result<(), Halt> {
    let ids = job.cases()?;
    let confirmed = job.confirm_items.or(run.max_items());
    let look = async |tx: &Transaction<'_>| {
        let request = job.request(tx, run).await?;
        let asked = job.asked(tx, run, &ids, request.to).await?;
        Ok((request, asked, limit(tx, BY_HAND, confirmed).await?))
    };
    let (request, asked, limit) = run.read("looking at the cases", look).await?;
    let verdicts: Vec<_> = asked.iter().map(|case| (case, request.verdict(case))).collect();
    let due = verdicts.iter().filter(|(_, verdict)| verdict.is_ok()).count();
    report.scanned = ids.len() as u64;
    if due > limit as usize {
        return Err(brake(due as u64, limit, ""));
    }
    let mut became = Became::default();
    for (case, verdict) in &verdicts {
        if let Err(reason) = verdict {
            report.not_done.skip(reason.word(), 1);
            became.exceptions.push(request.exception(case, *reason));
        }
    }
    report.cases = Some(became);
    let locked = take(run, &request, &verdicts, report).await?;
    explain(job, run, &request, &verdicts, &locked, report).await
}

/// Has the cases take the step, those of one status after those of another; returns those that somebody else holds.
async fn take(
    run: &Run,
    request: &Request,
    verdicts: &[(&Asked, Result<i32, Reason>)],
    report: &mut Report,
) -> Result<Vec<i64>, Halt> {
    let mut by_status: BTreeMap<i32, Vec<&Asked>> = BTreeMap::new();
    for (case, verdict) in verdicts {
        if let Ok(from) = verdict {
            by_status.entry(*from).or_default().push(case);
        }
    }
    let mut locked = vec![];
    for (from, cases) in by_status {
        let timestamp_field = request.timestamp_field.clone();
        let dwell = if request.force { 0.0 } else { cases[0].dwell };
        let step = Step { from, to: request.to, timestamp_field, dwell, forced: request.force };
        let ids: Vec<i64> = cases.iter().map(|case| case.id).collect();
        locked.extend(step.take(run, &ids, report).await?);
    }
    Ok(locked)
}

/// Says of the cases that were to be updated and were not, why; and puts all in the order in which they were asked for.
async fn explain(
    job: &AdvanceBilling,
    run: &Run,
    request: &Request,
    verdicts: &[(&Asked, Result<i32, Reason>)],
    locked: &[i64],
    report: &mut Report,
) -> Result<(), Halt> {
    let Some(became) = &mut report.cases else { return Ok(()) };
    let updated: HashSet<i64> = became.updated.iter().map(|case| case.case_id).collect();
    let left = verdicts.iter().filter(|(case, verdict)| verdict.is_ok() && !updated.contains(&case.id));
    let left: Vec<i64> = left.map(|(case, _)| case.id).collect();
    if !left.is_empty() {
        let again = async |tx: &Transaction<'_>| job.asked(tx, run, &left, request.to).await;
        for case in run.read("looking at the cases again", again).await? {
            let reason = match request.verdict(&case) {
                _ if locked.contains(&case.id) => Reason::Locked,
                Err(reason) => reason,
                Ok(_) => Reason::Changed,
            };
            became.exceptions.push(request.exception(&case, reason));
        }
    }
    let position: std::collections::HashMap<i64, usize> =
        verdicts.iter().enumerate().map(|(position, (case, _))| (case.id, position)).collect();
    became.updated.sort_by_key(|case| position.get(&case.case_id));
    became.exceptions.sort_by_key(|case| position.get(&case.case_id));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_ids_may_be_written_as_people_do() {
        let ids = |text: &str| parse(text).map(|cases| cases.0);
        assert_eq!(ids("\u{feff}3, 1\r\n\n# Monday's\n2\t7 # late\n3"), Ok(vec![3, 1, 2, 7, 3]));
        assert_eq!(ids("1\nPat Doe\n"), Err("line 2: something that is no case id".into()), "nothing is repeated");
        for bad in ["0", "-4", "1.5", "99999999999999999999"] {
            assert_eq!(ids(bad), Err("line 1: something that is no case id".into()), "{bad}");
        }
        for empty in ["", " \n", "# none"] {
            assert_eq!(ids(empty), Err("names no case".into()), "{empty:?}");
        }
    }

    #[test]
    fn a_case_is_updated_or_there_is_one_reason_why_not() {
        let case = Asked {
            id: 1,
            active: true,
            status: Some(15),
            facility: Some(1),
            transition: true,
            held_back: false,
            dwell: 0.0,
        };
        let asked = |to| Request { to, timestamp_field: "x_ts".into(), force: false, facility: None };
        let forced = |to| Request { force: true, ..asked(to) };
        assert_eq!(asked(20).verdict(&case), Ok(15));
        for request in [asked(20), forced(20)] {
            assert_eq!(request.verdict(&Asked { active: false, ..case }), Err(Reason::NotFound));
            assert_eq!(request.verdict(&Asked { active: false, status: None, ..case }), Err(Reason::NotFound));
            assert_eq!(request.verdict(&Asked { status: Some(20), ..case }), Err(Reason::Already));
        }
        assert_eq!(asked(10).verdict(&case), Err(Reason::Lower));
        assert_eq!(forced(10).verdict(&case), Ok(15));
        assert_eq!(asked(30).verdict(&Asked { transition: false, ..case }), Err(Reason::NoTransition));
        assert_eq!(forced(30).verdict(&Asked { transition: false, ..case }), Ok(15));
        assert_eq!(asked(20).verdict(&Asked { held_back: true, ..case }), Err(Reason::Dwell));
        assert_eq!(forced(20).verdict(&Asked { held_back: true, ..case }), Ok(15));
        let of_another = Request { facility: Some(2), ..forced(20) };
        assert_eq!(of_another.verdict(&case), Err(Reason::OtherFacility));
        assert_eq!(Request { facility: Some(1), ..forced(20) }.verdict(&case), Ok(15));
    }
}
