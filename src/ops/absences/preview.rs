//! `rounds absences preview`: what applying an absence would do.

use chrono::{NaiveDate, NaiveTime};
use clap::{Args, ValueEnum};

use super::shape::{self, Absence, Shape, Warning};
use crate::arg::day;
use crate::command::{CommandContext, Output, check_known, value_name};
use crate::db::Key;
use crate::error::Error;
use crate::jobs::apply_absences::MAX_CANCEL;
use crate::jobs::apply_absences::preview::{self as job, Effects, Fate};
use crate::output::counted;

/// The types of absences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
enum AbsenceType {
    Emergency,
    AnnualLeave,
    SickLeave,
    Conference,
    Training,
    Personal,
    Other,
}

/// Say what applying an absence would do, of one that is saved, or of one that is not
#[derive(Args)]
pub struct PreviewArgs {
    /// The absence, if it is in the clinic's table
    #[arg(value_name = "ABSENCE_ID", required_unless_present = "doctor", conflicts_with = "doctor")]
    id: Option<Key>,
    /// The doctor of an absence that is not saved yet
    #[arg(long, value_name = "DOCTOR_ID", requires_all = ["kind", "from", "to"])]
    doctor: Option<Key>,
    /// Its type
    #[arg(long = "type", value_enum, value_name = "TYPE", requires = "doctor")]
    kind: Option<AbsenceType>,
    /// Its first day, by the facility's clock
    #[arg(long, value_name = "DAY", requires = "doctor", value_parser = day)]
    from: Option<NaiveDate>,
    /// Its last day, which is included
    #[arg(long, value_name = "DAY", requires = "doctor", value_parser = day)]
    to: Option<NaiveDate>,
    /// When it begins on the first day [default: with the day]
    #[arg(long, value_name = "TIME", requires = "doctor", value_parser = time)]
    from_time: Option<NaiveTime>,
    /// When it ends on the last day [default: with the day]
    #[arg(long, value_name = "TIME", requires = "doctor", value_parser = time)]
    to_time: Option<NaiveTime>,
}

impl PreviewArgs {
    pub async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let shape = context.read(async |tx, now| match (&self.id, self.unsaved()) {
            (Some(id), _) => {
                let absence = shape::saved(tx, id).await?.ok_or_else(|| shape::unknown(id))?;
                let effects = job::effects(tx, now, &job::Absence::Saved(id)).await?;
                Ok(shaped(absence, &effects))
            }
            (None, Some((doctor, mut absence))) => {
                let [_, doctor] = check_known(tx, None, Some(doctor)).await?;
                let doctor = doctor.expect("it is known");
                let (kind, [Some(first), Some(last)]) = (absence.kind.clone().unwrap_or_default(), absence.days) else {
                    unreachable!("clap asks for the days")
                };
                let unsaved =
                    job::Absence::Unsaved { doctor: &doctor, kind: &kind, days: [first, last], times: absence.times };
                let effects = job::effects(tx, now, &unsaved).await?;
                absence.doctor = Some(doctor.clone());
                Ok(shaped(absence, &effects))
            }
            (None, None) => unreachable!("clap asks for one of them"),
        });
        Ok(shape.await?.output(true))
    }

    /// The absence of the options.
    fn unsaved(&self) -> Option<(&Key, Absence)> {
        let doctor = self.doctor.as_ref()?;
        Some((
            doctor,
            Absence {
                id: None,
                doctor: None,
                facility: None,
                kind: self.kind.map(value_name),
                status: "ACTIVE".to_owned(),
                days: [self.from, self.to],
                times: [self.from_time, self.to_time],
            },
        ))
    }
}

fn shaped(absence: Absence, effects: &Effects) -> Shape {
    let cancelled: Vec<_> = effects.visits.iter().filter(|visit| matches!(visit.fate, Fate::Cancelled)).collect();
    let count = |visits: usize| i64::try_from(visits).unwrap_or(i64::MAX);
    let mut warnings = kept(effects);
    if cancelled.len() > MAX_CANCEL as usize {
        let visits = counted(cancelled.len(), "visit");
        let message = format!("{visits} would be cancelled: a person has to say so (apply-absences --absence)");
        warnings.push(Warning::new("NEEDS_CONFIRMATION", message, vec![]));
    }
    let told = cancelled.iter().filter(|visit| visit.is_told).count();
    Shape { absence, slots_blocked: effects.slots, cancelled: count(cancelled.len()), notified: count(told), warnings }
}

/// The warnings of visits that stay.
pub fn kept(effects: &Effects) -> Vec<Warning> {
    let of = |is: fn(&Fate) -> bool| {
        let visits = effects.visits.iter().filter(move |visit| is(&visit.fate));
        visits.map(|visit| (visit.id.clone(), visit.start)).collect::<Vec<_>>()
    };
    let (kept, there) = (of(|fate| matches!(fate, Fate::Kept)), of(|fate| matches!(fate, Fate::KeptThere)));
    let mut warnings = vec![];
    if !kept.is_empty() {
        let message = format!("{} during the absence, not cancelled", counted(kept.len(), "visit"));
        warnings.push(Warning::new("VISITS_KEPT", message, kept));
    }
    if !there.is_empty() {
        let message =
            format!("{} of another system during the absence, to be cancelled there", counted(there.len(), "visit"));
        warnings.push(Warning::new("IMPORTED_VISITS_KEPT", message, there));
    }
    warnings
}

fn time(text: &str) -> Result<NaiveTime, String> {
    NaiveTime::parse_from_str(text, "%H:%M").map_err(|_| "a time looks like 09:30".to_owned())
}
