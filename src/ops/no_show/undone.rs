//! Marks of no-shows, and what becomes of each when it is undone.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio_postgres::Transaction;
use uuid::Uuid;

use crate::clinic::local_time::{clock_time, day};
use crate::command::Moment;
use crate::db::{Key, Keys, Row, dropped, statements, tried, unless_no_key};
use crate::error::{Error, ErrorKind};
use crate::output::{counted, local_stamp};
use crate::run::count;
use crate::time_zone::Tz;

statements! {
    MARKS(UUID, TEXT) = include_str!("marks.sql");
    UNDO(TIMESTAMPTZ, INT8_ARRAY, KEYS, KEYS, TEXT, TEXT, KEY) = format!(
        include_str!("undo.sql"),
        day = day("v.appointment_date"),
        start_time = clock_time("v.start_time"),
        slot_day = day("s.slot_date"),
        slot_start = clock_time("s.start_time"),
        slot_end = clock_time("s.end_time"),
    );
}

/// The marks that a statement undoes; one transaction undoes all.
const MARKS_AT_ONCE: usize = 1000;

/// What a visit is whose row, or the row of whose slot, another session holds.
const LOCKED: &str = "or its slot is being changed by somebody else; try again";

/// Marks, with the keys of their visits and slots.
pub struct Marks(Vec<Mark>);

struct Mark {
    id: i64,
    visit: Key,
    slot: Option<Key>,
}

/// What became of a mark.
pub struct Undone {
    visit: Key,
    /// None: it was undone.
    pub refusal: Option<Refusal>,
    /// What the visit is now, unless the actor may not know.
    status: Option<String>,
    /// What became of the slot; None: the mark was not undone.
    pub slot: Option<Fate>,
    pub notices_expired: u64,
    pub notices_told: u64,
}

/// What can become of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Booked,
    Kept,
    NoSlot,
    Taken,
    Blocked,
    OtherDoctor,
    OtherSlot,
    Moved,
    Deleted,
    NotTaken,
}

/// Each fate, its name in `undo.sql` and in JSON, and its words for a person.
const FATES: [(Fate, &str, &str); 10] = [
    (Fate::Booked, "booked", "its slot is booked again"),
    (Fate::Kept, "kept", "it has kept its slot"),
    (Fate::NoSlot, "none", "its time is taken again: it had no slot"),
    (Fate::Taken, "taken", "its slot is not booked again: another visit has it"),
    (Fate::Blocked, "blocked", "its slot is not booked again: somebody blocked it since"),
    (Fate::OtherDoctor, "other_doctor", "its slot is not booked again: it is of another doctor than the visit now"),
    (Fate::OtherSlot, "other_slot", "its slot is not booked again: the visit has another one"),
    (Fate::Moved, "moved", "its slot is not booked again: it is at another time than the visit now"),
    (Fate::Deleted, "deleted", "its slot is not booked again: it is deleted"),
    (Fate::NotTaken, "not_taken", "its slot is not booked again: a trigger or a rule of the database kept it free"),
];

impl Fate {
    fn of(name: &str) -> Self {
        FATES.iter().find(|fate| fate.1 == name).map_or(Self::NotTaken, |fate| fate.0)
    }

    fn row(self) -> (&'static str, &'static str) {
        FATES.iter().find(|fate| fate.0 == self).map_or(("", ""), |fate| (fate.1, fate.2))
    }
}

/// The causes for which a mark is not undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    Deleted,
    Elsewhere,
    Undone,
    Changed,
    MarkedAgain,
    NotKept,
    Moved,
    NotTaken,
    Refused,
    Locked,
}

/// Each cause, and its name in `undo.sql` and in JSON.
const CAUSES: [(Cause, &str); 10] = [
    (Cause::Deleted, "DELETED"),
    (Cause::Elsewhere, "ELSEWHERE"),
    (Cause::Undone, "UNDONE"),
    (Cause::Changed, "CHANGED"),
    (Cause::MarkedAgain, "MARKED_AGAIN"),
    (Cause::NotKept, "NOT_KEPT"),
    (Cause::Moved, "MOVED"),
    (Cause::NotTaken, "NOT_TAKEN"),
    (Cause::Refused, "REFUSED"),
    (Cause::Locked, "LOCKED"),
];

impl Cause {
    fn of(name: &str) -> Self {
        CAUSES.iter().find(|cause| cause.1 == name).map_or(Self::Locked, |cause| cause.0)
    }

    fn name(self) -> &'static str {
        CAUSES.iter().find(|cause| cause.0 == self).map_or("", |cause| cause.1)
    }
}

/// Why a mark was not undone.
pub struct Refusal {
    pub cause: Cause,
    /// Continues "visit 7 ...".
    pub reason: String,
}

impl Marks {
    pub async fn of_run(tx: &Transaction<'_>, run: Uuid) -> Result<Self, Error> {
        Ok(Self::read(&MARKS.all(tx, &[&Some(run), &None::<&str>]).await?))
    }

    /// The last mark of a visit.
    pub async fn of_visit(tx: &Transaction<'_>, visit: &Key) -> Result<Self, Error> {
        Ok(Self::read(&MARKS.all(tx, &[&None::<Uuid>, &visit.as_str()]).await?))
    }

    fn read(rows: &[Row]) -> Self {
        let mark = |row: &Row| Mark { id: row.get("id"), visit: row.get("appointment_id"), slot: row.get("slot_id") };
        Self(rows.iter().map(mark).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Undoes the mark of one visit, or says why it cannot be.
    pub async fn undo_one(&self, tx: &Transaction<'_>, moment: &Moment, reason: &str) -> Result<Option<Undone>, Error> {
        Ok(undo_at_once(tx, moment, reason, None, &self.0).await?.into_iter().next())
    }

    /// Undoes those that can be undone; with a facility, only those of its visits. One that the database refuses does
    /// not stop the others: what fails is halved until that one is alone.
    pub async fn undo_each(
        &self,
        tx: &Transaction<'_>,
        moment: &Moment,
        reason: &str,
        facility: Option<&Key>,
    ) -> Result<Vec<Undone>, Error> {
        let mut undone = Vec::with_capacity(self.0.len());
        let mut to_do: Vec<&[Mark]> = self.0.chunks(MARKS_AT_ONCE).rev().collect();
        while let Some(marks) = to_do.pop() {
            let attempt = async || undo_at_once(tx, moment, reason, facility, marks).await;
            match (tried(tx, attempt).await?, marks) {
                (Ok(done), _) => undone.extend(done),
                (Err(error), _) if !matches!(error.kind, ErrorKind::Data | ErrorKind::Locked) => return Err(error),
                (Err(error), [mark]) => undone.push(Undone::failed(mark, &error)),
                (Err(_), _) => {
                    let (first, second) = marks.split_at(marks.len() / 2);
                    to_do.extend([second, first]);
                }
            }
        }
        Ok(undone)
    }
}

async fn undo_at_once(
    tx: &Transaction<'_>,
    Moment { now, actor }: &Moment,
    reason: &str,
    facility: Option<&Key>,
    marks: &[Mark],
) -> Result<Vec<Undone>, Error> {
    let ids: Vec<i64> = marks.iter().map(|mark| mark.id).collect();
    let visits: Vec<Key> = marks.iter().map(|mark| mark.visit.clone()).collect();
    let slots: Vec<Key> = marks.iter().filter_map(|mark| mark.slot.clone()).collect();
    let (visits, slots) = (Keys(&visits), Keys(&slots));
    let statement = async || UNDO.all(tx, &[now, &ids, &visits, &slots, &reason, &actor.id.as_str(), &facility]).await;
    let rows = unless_no_key(tx, statement).await?.ok_or_else(other_keys)?;
    if let Some(row) = rows.first() {
        let (meant, stored) = (count(row, "undone"), count(row, "logged"));
        if meant != stored {
            return Err(dropped("no_show_logs", stored, meant).context("nothing was changed"));
        }
    }
    Ok(rows.iter().map(Undone::of).collect())
}

/// The error of marks whose visits have keys of another type now.
fn other_keys() -> Error {
    let message = "the keys of visits or slots have another type than when these were marked; nothing was changed";
    Error::new("NOT_UNDOABLE", ErrorKind::Other, message)
}

impl Undone {
    fn of(row: &Row) -> Self {
        let refusal = row.get::<_, Option<&str>>("refusal").map(|name| Refusal::of(Cause::of(name), row));
        // Who may not see the visit does not learn its state.
        let is_hidden = refusal.as_ref().is_some_and(|refusal| refusal.cause == Cause::Elsewhere);
        let column = if refusal.is_none() { "status_before" } else { "status_now" };
        Self {
            visit: row.get("appointment_id"),
            status: row.get::<_, Option<String>>(column).filter(|_| !is_hidden),
            slot: row.get::<_, Option<&str>>("slot").map(Fate::of),
            notices_expired: count(row, "notices_expired"),
            notices_told: count(row, "notices_told"),
            refusal,
        }
    }

    /// A mark that the database refused to undo.
    fn failed(mark: &Mark, error: &Error) -> Self {
        let refusal = match error.kind {
            ErrorKind::Locked => Refusal { cause: Cause::Locked, reason: LOCKED.to_owned() },
            _ => Refusal { cause: Cause::Refused, reason: format!("is as it was: {error}") },
        };
        let (visit, refusal) = (mark.visit.clone(), Some(refusal));
        Self { visit, status: None, slot: None, notices_expired: 0, notices_told: 0, refusal }
    }

    pub fn json(&self) -> Value {
        let Self { visit, status, slot, notices_expired, notices_told, .. } = self;
        match &self.refusal {
            Some(Refusal { cause, reason }) => {
                let message = format!("visit {visit} {reason}");
                json!({ "appointment_id": visit, "status": status, "code": cause.name(), "message": message })
            }
            None => json!({
                "appointment_id": visit,
                "status": status,
                "slot": slot.map_or("", |fate| fate.row().0),
                "notices_expired": notices_expired,
                "notices_told": notices_told,
            }),
        }
    }

    /// What a person reads of one visit.
    pub fn sentence(&self, dry: &str) -> String {
        let (visit, status) = (&self.visit, self.status.as_deref().unwrap_or_default());
        let told = match self.notices_told {
            0 => String::new(),
            told => format!("; {} had been sent: tell the patient", counted(told, "notice")),
        };
        let (slot, expired) = (self.slot_sentence(), counted(self.notices_expired, "unsent notice"));
        format!("Visit {visit} is {status} again{dry}; {slot}; {expired} withdrawn{told}.\n")
    }

    /// A row of the list of visits of which not all could be taken back.
    pub fn exception(&self) -> Option<Vec<String>> {
        let what = match &self.refusal {
            Some(refusal) => format!("not undone: it {}", refusal.reason),
            None if matches!(self.slot, Some(Fate::Booked | Fate::Kept | Fate::NoSlot)) => return None,
            None => self.slot_sentence().to_owned(),
        };
        Some(vec![self.visit.to_string(), self.status.clone().unwrap_or_default(), what])
    }

    fn slot_sentence(&self) -> &'static str {
        self.slot.map_or("", |fate| fate.row().1)
    }
}

impl Refusal {
    fn of(cause: Cause, row: &Row) -> Self {
        let text = |at| local_stamp(at, Tz::UTC);
        let instant = |column| row.get::<_, Option<DateTime<Utc>>>(column).map_or(String::new(), text);
        let status = row.get::<_, Option<&str>>("status_now").unwrap_or("of no known state");
        let marked = instant("triggered_at");
        let reason = match cause {
            Cause::Deleted => "is deleted".to_owned(),
            Cause::Elsewhere => "is not of the actor's facility".to_owned(),
            Cause::Undone => {
                let by = row.get::<_, Option<&str>>("undone_by").unwrap_or_default();
                let at = instant("undone_at");
                format!("has no mark to undo: user {by} undid it at {at}; it is {status} now")
            }
            Cause::Changed => format!("is {status} now: somebody changed it since it was marked at {marked}"),
            Cause::MarkedAgain => format!("was marked again since {marked}; undo that mark"),
            Cause::NotKept => {
                "was marked by a version that did not keep what it was before; change it in the application".to_owned()
            }
            Cause::Moved => format!("was moved to another time since it was marked at {marked}"),
            Cause::NotTaken => format!("is {status}: a trigger or a rule of the database did not take the change"),
            Cause::Refused | Cause::Locked => LOCKED.to_owned(),
        };
        Self { cause, reason }
    }
}
