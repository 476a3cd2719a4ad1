//! The clinic of the demo: who works there, the visits of a day, and the casts of the chapters. `rounds demo` puts it on
//! the stage of its own server, `rounds seed` into somebody's database: both by what is here.

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use tokio_postgres::GenericClient;
use tokio_postgres::types::{Json, ToSql, Type};

use super::{day, names};
use crate::db::Row;
use crate::error::Error;

/// When the clinic's story is: the day that its visits are of, and the instant from which the other times are counted.
#[derive(Clone, Copy)]
pub struct When {
    pub day: NaiveDate,
    pub now: DateTime<Utc>,
}

impl When {
    /// The statements with the day for `{day}` and the instant for `{now}`.
    fn told(self, statements: &str) -> String {
        let now = self.now.to_rfc3339_opts(SecondsFormat::Micros, true);
        statements.replace("{day}", &format!("date '{}'", self.day)).replace("{now}", &format!("timestamptz '{now}'"))
    }

    /// Puts the facilities, their staff and their doctors there; the script of the day is an empty temporary table.
    pub async fn open(self, client: &impl GenericClient) -> Result<(), Error> {
        self.put(client, include_str!("clinic.sql")).await
    }

    /// Books the visits of the day and of some days before, with their slots, and writes the script.
    pub async fn book(self, client: &impl GenericClient) -> Result<(), Error> {
        let plan = day::plan(self.day);
        let (first, last) = (names::FIRST.as_slice(), names::LAST.as_slice());
        let (visits, slots) = (Json(&plan.visits), Json(&plan.slots));
        rows(
            client,
            include_str!("day.sql"),
            &[(&visits, Type::JSONB), (&slots, Type::JSONB), (&first, Type::TEXT_ARRAY), (&last, Type::TEXT_ARRAY)],
        )
        .await?;
        Ok(())
    }

    /// Puts a cast there: statements in which `{day}` and `{now}` stand for these.
    pub async fn put(self, client: &impl GenericClient, cast: &str) -> Result<(), Error> {
        run(client, &self.told(cast)).await
    }
}

/// Ends the filling: what is added later gets numbers behind these, and the planner knows the tables.
pub async fn finish(client: &impl GenericClient) -> Result<(), Error> {
    run(client, include_str!("finish.sql")).await
}

/// Runs statements without parameters.
pub async fn run(client: &impl GenericClient, statements: &str) -> Result<(), Error> {
    client.batch_execute(statements).await.map_err(Error::from)
}

/// Returns the rows of one statement, whose parameters come with their types.
pub async fn rows(
    client: &impl GenericClient,
    statement: &str,
    parameters: &[(&(dyn ToSql + Sync), Type)],
) -> Result<Vec<Row>, Error> {
    let rows = client.query_typed(statement, parameters).await?;
    Ok(rows.into_iter().map(Row::from).collect())
}
