//! Finds the rows of a staged file that the database refuses, so that they cost themselves alone and not the file.
//!
//! A merge carries out each class of rows in one statement, so an error says of no row that it is to blame: a value too
//! long for an index, a CHECK or a trigger of the clinic. Here the rows are carried out again in parts, each behind a
//! savepoint; a part that is refused is halved until its one row is left. It costs two merges at most, and only where one
//! was refused.

use tokio_postgres::Transaction;

use crate::db::statements;
use crate::error::{Error, ErrorKind};

statements! {
    PART() =
        "SELECT count(*) AS rows, min(r.npi) AS first, max(r.npi) AS last
         FROM (SELECT t.npi FROM npi_todo t UNION ALL SELECT n.npi FROM npi_names n) r";
}

const SET_ASIDE: &str = "DELETE FROM npi_todo WHERE class NOT IN ('I', 'C'); ALTER TABLE npi_todo RENAME TO npi_all; \
                         ALTER TABLE npi_names RENAME TO npi_names_all";

/// An NPI whose row the database refuses, and its reason.
pub struct Refused {
    pub npi: i64,
    pub error: Error,
}

/// The outcome of a part.
enum Part {
    Done,
    /// The first and the last NPI of its rows.
    Refused(i64, i64, Error),
}

/// Finds what is refused of the rows in `npi_todo` and `npi_names`, which `steps` carries out; at most one more than
/// `most`. Nothing where the error is of no row. What it has changed is to be rolled back.
pub async fn refused_rows(
    tx: &Transaction<'_>,
    most: usize,
    steps: impl AsyncFn() -> Result<(), Error>,
) -> Result<Vec<Refused>, Error> {
    tx.batch_execute(SET_ASIDE).await?;
    let mut refused = vec![];
    // What is refused without a row is not refused for a row.
    if let Part::Refused(..) = part(tx, "false", &steps).await? {
        return Ok(refused);
    }
    let mut ranges = vec![(0, i64::MAX)];
    while let Some((from, to)) = ranges.pop()
        && refused.len() <= most
    {
        let Part::Refused(first, last, error) = part(tx, &format!("npi BETWEEN {from} AND {to}"), &steps).await? else {
            continue;
        };
        if first == last {
            refused.push(Refused { npi: first, error });
        } else {
            let middle = first + (last - first) / 2;
            ranges.extend([(middle + 1, last), (first, middle)]);
        }
    }
    Ok(refused)
}

/// Carries out the rows under a condition. They stay carried out where the database takes them.
async fn part(
    tx: &Transaction<'_>,
    condition: &str,
    steps: &impl AsyncFn() -> Result<(), Error>,
) -> Result<Part, Error> {
    tx.batch_execute(&format!(
        "SAVEPOINT part; CREATE TEMPORARY TABLE npi_todo AS SELECT * FROM npi_all WHERE {condition}; \
         CREATE TEMPORARY TABLE npi_names AS SELECT * FROM npi_names_all WHERE {condition}"
    ))
    .await?;
    let row = PART.one(tx, &[]).await?;
    let is_empty = row.get::<_, i64>("rows") == 0 && condition != "false";
    let done = if is_empty { Ok(()) } else { steps().await };
    match done {
        Ok(()) => {
            tx.batch_execute("DROP TABLE npi_todo, npi_names; RELEASE SAVEPOINT part").await?;
            Ok(Part::Done)
        }
        Err(error) if error.kind == ErrorKind::Data => {
            tx.batch_execute("ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part").await?;
            let npi = |column| row.get::<_, Option<i64>>(column).unwrap_or_default();
            Ok(Part::Refused(npi("first"), npi("last"), error))
        }
        Err(error) => Err(error),
    }
}
