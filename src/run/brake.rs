//! The brakes of a run: more is due than it may change, or tell people of, without a person's word.
//!
//! Rule: a run stops at its brake before it changes what is beyond it. A dry run changes nothing, so it goes on, and
//! reports the first brake that a run would meet.

use super::flood::{self, Habits};
use super::halt::Halt;
use super::job::{Job, Run};
use super::refusals::Coverage;
use crate::db::Key;

impl Run {
    /// The brake: with more than `--max-items` to try, or with more than people may be told of without a person's word,
    /// nothing is changed. A dry run tells nobody: it goes on, and reports that a run would not.
    pub async fn brake(&self, due: usize) -> Result<(), Halt> {
        self.brake_at_the_limit(due)?;
        let first_run_max = self.args.first_run_max as usize;
        let is_asked = self.tells && self.args.max_items.is_none() && self.coverage != Coverage::Named;
        if !is_asked || !flood::is_worth_a_look(due, first_run_max) {
            return Ok(());
        }
        let habits =
            self.read("looking at what the lane has done", async |tx| Habits::read(tx, self.job, &self.lane).await);
        match habits.await?.flood(due, first_run_max) {
            Some(flood) => self.stop_at(Halt::Flood(flood)),
            None => Ok(()),
        }
    }

    /// The brake of `--max-items` alone, where nobody is told of what is due.
    pub fn brake_at_the_limit(&self, due: usize) -> Result<(), Halt> {
        self.stop_beyond_the_limit(due, |max, look| {
            format!(
                "more than {max} items are due; nothing was changed. Look at them with {look}; if they are right, run \
                 once with --max-items N"
            )
        })
    }

    /// Stops the run by a brake. A dry run changes nothing, so it goes on, and reports the first brake that a run would
    /// meet.
    pub fn stop_at(&self, brake: Halt) -> Result<(), Halt> {
        if !self.dry_run() {
            return Err(brake);
        }
        let why = match brake {
            Halt::Flood(flood) => flood.message(&self.command, self.look, None),
            other => other.message(),
        };
        self.would_brake.set(why).ok();
        Ok(())
    }

    /// The brake of a later step, when something has been changed already.
    pub fn brake_after(&self, due: usize) -> Result<(), Halt> {
        self.stop_beyond_the_limit(due, |max, look| {
            format!(
                "more than {max} items became due by what this run changed; what was committed stays, the rest was not \
                 done. Look at it with {look}; if it is right, run once with --max-items N"
            )
        })
    }

    /// Stops where more than `--max-items` are due. The message gets the limit, and the options that show what is due.
    fn stop_beyond_the_limit(&self, due: usize, message: impl FnOnce(u32, &str) -> String) -> Result<(), Halt> {
        let max = self.args.brake();
        if due <= max as usize { Ok(()) } else { self.stop_at(Halt::brake(message(max, self.look))) }
    }
}

/// The job with the options that select the lane of a run, as a person writes them at a shell.
pub fn command_of<J: Job>(job: &J, facility: Option<&Key>) -> String {
    let facility = facility.into_iter().flat_map(|id| ["--facility".to_owned(), id.to_string()]);
    let words = [J::NAME.to_owned()].into_iter().chain(job.lane_options()).chain(facility);
    words.map(for_shell).collect::<Vec<_>>().join(" ")
}

/// A word for a shell. A key may have any characters.
fn for_shell(word: String) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) { word } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_with_more_than_letters_and_digits_is_quoted() {
        assert_eq!(for_shell("deliver-notifications".to_owned()), "deliver-notifications");
        assert_eq!(for_shell("O'Hara & co".to_owned()), r"'O'\''Hara & co'");
    }
}
