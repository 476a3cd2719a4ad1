//! The text of a message, and where it goes, for those who may see that.

use serde_json::Value;
use tokio_postgres::Transaction;

use crate::clinic::actor::Actor;
use crate::command::check_recorded;
use crate::db::{Key, Row, decodable, statements, unless_no_key};
use crate::error::Error;
use crate::machine;

statements! {
    REVEAL(INT8, TEXT, TEXT, TEXT) = include_str!("reveal.sql");
    // How a recipient can be reached now: a message to a patient or a user has no address of its own.
    PATIENT(KEY) = format!(
        "SELECT {} AS phone, {} AS email FROM patients p WHERE p.id = $1",
        decodable("p.phone"),
        decodable("p.email")
    );
    USER_ADDRESS(KEY) = format!("SELECT {} AS email FROM users u WHERE u.id = $1", decodable("u.email"));
}

/// It has neither Debug nor Display, because it is written to stdout only.
pub struct Revealed {
    pub address: Option<String>,
    pub title: String,
    pub body: String,
    pub placeholders: Value,
}

/// Records first that it is shown.
pub async fn of(tx: &Transaction<'_>, row: &Row, actor: &Actor) -> Result<Revealed, Error> {
    let id: i64 = row.get("id");
    let by = [machine::os_user(), machine::host()];
    let rows = REVEAL.all(tx, &[&id, &actor.id.as_str(), &by[0], &by[1]]).await?;
    check_recorded(&rows)?;
    let message = rows.first().ok_or_else(|| super::message::unknown(id))?;
    let own: Option<String> = message.get("address");
    Ok(Revealed {
        address: if own.is_some() { own } else { contact(tx, row).await? },
        title: message.get("title"),
        body: message.get("body"),
        placeholders: message.get("placeholders"),
    })
}

/// The number or address of a patient or a user for the channel.
async fn contact(tx: &Transaction<'_>, row: &Row) -> Result<Option<String>, Error> {
    let Some(id) = row.get::<_, Option<Key>>("recipient_id") else { return Ok(None) };
    let statement = match row.get("recipient_kind") {
        "PATIENT" => &PATIENT,
        "USER" => &USER_ADDRESS,
        _ => return Ok(None),
    };
    let column = match row.get("channel") {
        "SMS" if row.get::<_, &str>("recipient_kind") == "PATIENT" => "phone",
        "EMAIL" => "email",
        _ => return Ok(None),
    };
    let found = unless_no_key(tx, async || statement.opt(tx, &[&id]).await).await?.flatten();
    Ok(found.and_then(|found| found.get(column)))
}
