//! The run that a person means: the latest, or the one whose id begins so.

use tokio_postgres::Transaction;
use uuid::Uuid;

use crate::clinic::actor::refused;
use crate::db::{Row, statements};
use crate::error::Error;
use crate::output::stamp;
use crate::schedule;

statements! {
    // $1 the smallest id uuid · $2 the greatest id uuid · $3 job_name or job_name-lane text, or NULL · $4 limit bigint
    FIND(UUID, UUID, TEXT, INT8) =
        "SELECT r.id, r.job_name, r.lane, r.status, r.started_at FROM cron_job_runs r
         WHERE r.id BETWEEN $1 AND $2
           AND ($3 IS NULL OR $3 IN (r.job_name, concat_ws('-', r.job_name, NULLIF(r.lane, ''))))
         ORDER BY r.started_at DESC, r.id LIMIT $4";
}

/// The number of candidates that a message names.
const NAMED: i64 = 8;
/// The least number of letters of an id in a table.
const SHOWN_MIN: usize = 8;
/// The letters of a UUID, with its dashes.
const LENGTH: usize = 36;

/// What a person says of a run.
#[derive(Clone, Debug)]
pub enum Which {
    Latest,
    /// The first digits of its id, and the ids between which it lies.
    Begins(String, Uuid, Uuid),
}

/// Parses it.
pub fn which(text: &str) -> Result<Which, String> {
    let text = text.trim().to_lowercase();
    if text == "latest" {
        return Ok(Which::Latest);
    }
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    let bound = |fill: &str| Uuid::parse_str(&format!("{digits}{}", fill.repeat(32 - digits.len()))).ok();
    match digits.len() {
        1..=32 => bound("0").zip(bound("f")).map(|(first, last)| Which::Begins(text.clone(), first, last)),
        _ => None,
    }
    .ok_or_else(|| {
        "a run is its id, such as 15fd2e0f-6a31-4443-8571-15351600a753, or its beginning, or latest".to_owned()
    })
}

impl Which {
    /// The id, if all of it was given.
    pub fn whole(&self) -> Option<Uuid> {
        match self {
            Self::Begins(_, first, last) if first == last => Some(*first),
            _ => None,
        }
    }

    /// The id of the one run that is meant.
    pub async fn find(&self, tx: &Transaction<'_>, job: Option<&str>) -> Result<Uuid, Error> {
        let of_job = job.map_or(String::new(), |job| format!(" of {job}"));
        let (first, last, limit) = match self {
            Self::Latest => (Uuid::nil(), Uuid::max(), 1),
            Self::Begins(_, first, last) => (*first, *last, NAMED + 1),
        };
        let found = FIND.all(tx, &[&first, &last, &job, &limit]).await?;
        match (found.as_slice(), self) {
            ([one], _) => Ok(one.get("id")),
            ([], Self::Latest) => Err(refused("UNKNOWN_RUN", format!("there is no run{of_job} yet"))),
            ([], Self::Begins(text, ..)) => {
                Err(refused("UNKNOWN_RUN", format!("there is no run{of_job} whose id is or begins with {text}")))
            }
            (several, _) => Err(ambiguous(self, several)),
        }
    }
}

fn ambiguous(which: &Which, several: &[Row]) -> Error {
    let begins = if let Which::Begins(text, ..) = which { text } else { "latest" };
    let candidate = |row: &Row| {
        let (id, job): (Uuid, String) = (row.get("id"), row.get("job_name"));
        let (lane, status): (String, String) = (row.get("lane"), row.get("status"));
        format!("{id} ({} {status} {})", schedule::name(&job, &lane), stamp(row.get("started_at")))
    };
    let named: Vec<String> = several.iter().take(NAMED as usize).map(candidate).collect();
    let more = if several.len() > named.len() { ", and more" } else { "" };
    refused("AMBIGUOUS_RUN", format!("several runs begin with {begins}: {}{more}; give more letters", named.join(", ")))
}

/// How many letters tell these ids apart.
pub fn telling(ids: &[Uuid]) -> usize {
    let mut ids: Vec<String> = ids.iter().map(Uuid::to_string).collect();
    ids.sort_unstable();
    let common = |pair: &[String]| pair[0].bytes().zip(pair[1].bytes()).take_while(|(a, b)| a == b).count();
    ids.windows(2).map(|pair| common(pair) + 1).max().unwrap_or(0).clamp(SHOWN_MIN, LENGTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_is_a_range_of_ids() {
        let range = |text: &str| match which(text) {
            Ok(Which::Begins(_, first, last)) => Some((first.to_string(), last.to_string())),
            _ => None,
        };
        let expected = ("15fd2e00-0000-0000-0000-000000000000", "15fd2eff-ffff-ffff-ffff-ffffffffffff");
        assert_eq!(range("15FD2E").as_ref().map(|(a, b)| (a.as_str(), b.as_str())), Some(expected));
        let (first, last) = range("15fd2e0f-6a31-4443-8571-15351600a753").expect("an id");
        assert_eq!(first, last);
        assert_eq!(range("15fd2e0f-6").expect("a beginning").0, "15fd2e0f-6000-0000-0000-000000000000");
        assert!(matches!(which("latest"), Ok(Which::Latest)));
        for bad in ["", "x", "-", "newest", "15fd2e0f-6a31-4443-8571-15351600a7530"] {
            assert!(which(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_id_is_as_long_as_tells_it_from_the_others() {
        let id = |text: &str| Uuid::parse_str(text).expect("an id");
        let one = id("15fd2e0f-6a31-4443-8571-15351600a753");
        assert_eq!((telling(&[]), telling(&[one])), (8, 8));
        assert_eq!(telling(&[one, id("15fd2e0f-6b31-4443-8571-15351600a753")]), 11);
        assert_eq!(telling(&[one, id("25fd2e0f-6b31-4443-8571-15351600a753")]), 8);
    }
}
