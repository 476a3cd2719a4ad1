//! The items of a lane that the database has refused, as one run knows them: which wait, which it tries, what it is to
//! record. It reads neither the database nor the clock.
//!
//! Rule: an item that was refused is tried again if and only if its next try has come, or with `--retry-refused`. Until
//! then it is `waiting`: outside of the brake and of every batch. What was never refused is tried first.
//!
//! A run isolates at most `ISOLATED_MAX` items. After that a batch that is refused is not halved any more: its items
//! are `waiting` too, without a record, so that the next run tries them.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Display;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::error::Error;

/// The items that a run isolates. Each costs some three transactions, so they take seconds, and not the time of a job
/// that is started every five minutes.
const ISOLATED_MAX: u32 = 500;
/// The refusals in a row with one code, with no success between, from which they are one fault and not that of each
/// item.
pub const FAULT_MIN: u64 = 100;
/// The lines that a run logs of single items.
const LINES_MAX: u64 = 20;

/// How much of what is due in its lane a run looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// All: a refused item that it does not find is no longer due.
    All,
    /// What another system brings: it is tried whenever it is brought, since it may differ from what was refused. Only
    /// what cannot be judged is remembered.
    Brought,
    /// What a person names: it is tried at once, and no later run tries it.
    Named,
}

/// An item that an earlier run was refused.
pub struct Known {
    /// The row in `item_refusals`.
    pub row: i64,
    pub code: String,
    /// Its next try has not come.
    pub waits: bool,
    /// Its next try came a day ago, and no run has seen it.
    pub is_overdue: bool,
}

/// Known items by entity and part, then by id.
pub type KnownItems = HashMap<(String, String), HashMap<String, Known>>;

/// The ids of a batch that a run tries, and the number of those that wait.
pub struct Due<'a, I: Clone> {
    pub ids: Cow<'a, [I]>,
    pub waiting: u64,
}

/// Many refusals in a row with one code.
pub struct Fault {
    pub entity: &'static str,
    pub code: String,
    /// The first id, and its error.
    pub id: String,
    pub message: String,
    pub items: u64,
}

/// What is to be written of a refusal beside its row in `item_refusals`.
pub struct ToWrite {
    /// A line in the log.
    pub line: bool,
    /// A row in `cron_job_run_errors`.
    pub error: bool,
}

#[derive(Default)]
pub struct Refusals {
    known: OnceLock<KnownItems>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The rows of known items that this run found.
    found: HashSet<i64>,
    /// The rows of known items that are done or no longer due.
    done: HashSet<i64>,
    isolated: u32,
    /// Items that were not isolated any more.
    unisolated: u64,
    lines: u64,
    streak: Option<Fault>,
    faults: Vec<Fault>,
}

impl Refusals {
    /// The items that earlier runs were refused; set once, before the job begins.
    pub fn know(&self, items: KnownItems) {
        // A second call would be a second start of one run.
        let _ = self.known.set(items);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all(&self) -> impl Iterator<Item = (&(String, String), &Known)> {
        self.known.get().into_iter().flatten().flat_map(|(part, items)| items.values().map(move |known| (part, known)))
    }

    fn of(&self, entity: &str, part: &str) -> Option<&HashMap<String, Known>> {
        self.known.get().filter(|known| !known.is_empty())?.get(&(entity.to_owned(), part.to_owned()))
    }

    /// The number of items that wait and were tried: a scan may find so many more.
    pub fn waiting(&self) -> usize {
        self.all().filter(|((_, part), known)| known.waits && *part != known.code).count()
    }

    /// The number of these ids that do not wait.
    pub fn tried<I: Display>(&self, entity: &str, part: &str, ids: &[I]) -> usize {
        let Some(known) = self.of(entity, part) else { return ids.len() };
        ids.iter().filter(|id| !known.get(&id.to_string()).is_some_and(|known| known.waits)).count()
    }

    /// The ids to try: those that were never refused, then those whose next try has come.
    pub fn due<'a, I: Clone + Display>(&self, entity: &str, part: &str, ids: &'a [I]) -> Due<'a, I> {
        let Some(items) = self.of(entity, part) else { return Due { ids: Cow::Borrowed(ids), waiting: 0 } };
        let (mut fresh, mut again, mut waiting) = (vec![], vec![], 0);
        let mut state = self.state();
        for id in ids {
            let known = items.get(&id.to_string());
            state.found.extend(known.map(|known| known.row));
            match known {
                None => fresh.push(id.clone()),
                Some(known) if known.waits => waiting += 1,
                Some(_) => again.push(id.clone()),
            }
        }
        fresh.append(&mut again);
        Due { ids: Cow::Owned(fresh), waiting }
    }

    /// Splits items that cannot be judged into those that are to be recorded and those that were lately.
    pub fn unjudged<I: Display>(&self, entity: &str, code: &str, ids: &[I]) -> Vec<String> {
        let ids = ids.iter().map(I::to_string);
        let Some(items) = self.of(entity, code) else { return ids.collect() };
        let mut state = self.state();
        ids.filter(|id| {
            let known = items.get(id);
            state.found.extend(known.map(|known| known.row));
            !known.is_some_and(|known| known.waits)
        })
        .collect()
    }

    /// Notes that a batch was not refused. `ids` are those that nobody holds; `changed` says whether any was changed.
    pub fn accepted<'a, I: Display + 'a>(
        &self,
        entity: &str,
        part: &str,
        ids: impl Iterator<Item = &'a I>,
        changed: bool,
    ) {
        let mut state = self.state();
        if changed {
            state.end_streak();
        }
        if let Some(items) = self.of(entity, part) {
            state.done.extend(ids.filter_map(|id| items.get(&id.to_string())).map(|known| known.row));
        }
    }

    /// Whether a batch of so many ids that is refused is to be halved, or its one id recorded. If not, they are counted
    /// as left to the next run.
    pub fn isolates(&self, ids: usize) -> bool {
        let mut state = self.state();
        let isolates = state.isolated < ISOLATED_MAX;
        state.unisolated += if isolates { 0 } else { ids as u64 };
        isolates
    }

    /// Notes an item that was refused alone.
    pub fn refused(&self, entity: &'static str, id: &str, error: &Error) -> ToWrite {
        let mut state = self.state();
        state.isolated += 1;
        if !state.streak.as_ref().is_some_and(|streak| streak.entity == entity && streak.code == error.code) {
            state.end_streak();
        }
        let streak = state.streak.get_or_insert_with(|| Fault {
            entity,
            code: error.code.to_string(),
            id: id.to_owned(),
            message: error.message.clone(),
            items: 0,
        });
        streak.items += 1;
        let error = streak.items < FAULT_MIN;
        ToWrite { line: state.say(), error }
    }

    /// Whether one more line of a single item is logged.
    pub fn says(&self) -> bool {
        self.state().say()
    }

    /// The number of items of which no line was logged.
    pub fn unsaid(&self) -> u64 {
        self.state().lines.saturating_sub(LINES_MAX)
    }

    /// The number of items that were not isolated.
    pub fn unisolated(&self) -> u64 {
        self.state().unisolated
    }

    /// The faults of the run, which has ended.
    pub fn faults(&self) -> Vec<Fault> {
        let mut state = self.state();
        state.end_streak();
        std::mem::take(&mut state.faults)
    }

    /// The rows of items that are done or no longer due, of a run that looked at so much and ended well.
    pub fn settled(&self, coverage: Coverage) -> Vec<i64> {
        let state = self.state();
        let is_gone = |known: &Known| match coverage {
            Coverage::All => !state.found.contains(&known.row),
            Coverage::Brought => known.is_overdue && !state.found.contains(&known.row),
            Coverage::Named => false,
        };
        let known = self.all().map(|(_, known)| known);
        known.filter(|known| state.done.contains(&known.row) || is_gone(known)).map(|known| known.row).collect()
    }

    /// The most frequent code of the items that this run found waiting, and how many have it.
    pub fn most_waiting(&self) -> Option<(&str, u64)> {
        let state = self.state();
        let mut codes: BTreeMap<&str, u64> = BTreeMap::new();
        let waiting = |part: &str, known: &Known| known.waits && part != known.code && state.found.contains(&known.row);
        for (_, known) in self.all().filter(|((_, part), known)| waiting(part, known)) {
            *codes.entry(&known.code).or_default() += 1;
        }
        codes.into_iter().max_by_key(|(_, items)| *items)
    }
}

impl State {
    fn end_streak(&mut self) {
        self.faults.extend(self.streak.take().filter(|streak| streak.items >= FAULT_MIN));
    }

    fn say(&mut self) -> bool {
        self.lines += 1;
        self.lines <= LINES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn known(row: i64, code: &str, waits: bool, is_overdue: bool) -> Known {
        Known { row, code: code.to_owned(), waits, is_overdue }
    }

    /// Visits: 1 waits, 2 may be tried again, 3 is overdue.
    fn refusals() -> Refusals {
        let refusals = Refusals::default();
        let items = [("1", true, false), ("2", false, false), ("3", false, true)];
        let items = items
            .into_iter()
            .zip(1..)
            .map(|((id, waits, is_overdue), row)| (id.to_owned(), known(row, "23514", waits, is_overdue)));
        let unjudged = [("9".to_owned(), known(9, "NO_SLOT_LENGTH", true, false))];
        refusals.know(KnownItems::from([
            (("visit".to_owned(), String::new()), items.collect()),
            (("doctor".to_owned(), "NO_SLOT_LENGTH".to_owned()), unjudged.into()),
        ]));
        refusals
    }

    fn error(code: &'static str) -> Error {
        Error::new(code, ErrorKind::Data, "no")
    }

    #[test]
    fn fresh_items_go_first_and_those_that_wait_are_left_out() {
        let refusals = refusals();
        assert_eq!(refusals.waiting(), 1, "who cannot be judged is in no batch");
        assert_eq!(refusals.tried("visit", "", &[1, 2, 3, 4]), 3);
        let due = refusals.due("visit", "", &[1, 2, 3, 4]);
        assert_eq!((&due.ids[..], due.waiting), (&[4, 2, 3][..], 1));
        let of_another_part = refusals.due("visit", "rule 7", &[1, 2]);
        assert_eq!((&of_another_part.ids[..], of_another_part.waiting), (&[1, 2][..], 0));
        assert_eq!(refusals.unjudged("doctor", "NO_SLOT_LENGTH", &[8, 9]), ["8"]);
        assert_eq!(refusals.most_waiting(), Some(("23514", 1)));
    }

    #[test]
    fn what_is_done_or_not_found_is_settled_where_a_run_can_know_it() {
        let settled = |coverage, found: &[i32], done: &[i32]| {
            let refusals = refusals();
            refusals.due("visit", "", found);
            refusals.accepted("visit", "", done.iter(), true);
            let mut rows = refusals.settled(coverage);
            rows.sort_unstable();
            rows
        };
        assert_eq!(settled(Coverage::All, &[1, 2, 4], &[2, 4]), [2, 3, 9]);
        assert_eq!(settled(Coverage::Brought, &[1, 2, 4], &[2]), [2, 3], "3 is overdue");
        assert_eq!(settled(Coverage::Brought, &[3], &[]), [0_i64; 0]);
    }

    #[test]
    fn a_fault_is_many_refusals_in_a_row_with_one_code() {
        let refusals = Refusals::default();
        let refuse = |code, times: u64| {
            (0..times).filter(|id| refusals.refused("visit", &id.to_string(), &error(code)).error).count()
        };
        assert_eq!(refuse("23514", FAULT_MIN - 1), 99);
        refusals.accepted("visit", "", [1].iter(), false);
        assert_eq!(refuse("23514", 1), 0, "a batch of which nothing was changed is no success");
        assert_eq!(refuse("22000", FAULT_MIN - 1), 99, "another code");
        refusals.accepted("visit", "", [1].iter(), true);
        assert_eq!(refuse("22000", 1), 1, "a success between");
        let faults: Vec<_> = refusals.faults().into_iter().map(|fault| (fault.code, fault.id, fault.items)).collect();
        assert_eq!(faults, [("23514".to_owned(), "0".to_owned(), 100)]);
        assert_eq!(refusals.unsaid(), 200 - LINES_MAX);
    }

    #[test]
    fn only_so_many_items_are_isolated() {
        let refusals = Refusals::default();
        for id in 0..ISOLATED_MAX {
            assert!(refusals.isolates(1000));
            refusals.refused("visit", &id.to_string(), &error("X"));
        }
        assert!(!refusals.isolates(1000) && !refusals.isolates(1));
        assert_eq!(refusals.unisolated(), 1001);
    }
}
