//! An event, as the account's webhook sends it. Nothing signs it, so nothing of it is believed: it only says which
//! appointment to ask for.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio::task::spawn_blocking;

use super::external_id;
use crate::clients::practiceq::id;
use crate::error::{Error, ErrorKind, file_error};
use crate::json::too_deep;

/// The longest body, in bytes.
const BODY_MAX: u64 = 1_000_000;
/// The path that stands for the standard input.
const STDIN: &str = "-";

/// Reads an event, and returns the id of its appointment. The reading blocks a thread of its own, so that signals are
/// heard while nobody writes.
pub async fn appointment_of(path: &Path) -> Result<String, Error> {
    let place = path.to_owned();
    let body = spawn_blocking(move || body(&place)).await.map_err(io::Error::other).flatten();
    let body = body.map_err(|error| refuse(format!("{}: {}", path.display(), file_error(&error))))?;
    if body.len() as u64 > BODY_MAX {
        return Err(refuse(format!("it is longer than {BODY_MAX} bytes: it is no event")));
    }
    appointment_in(&body).ok_or_else(|| refuse("it names no appointment: it is no event of one".to_owned()))
}

fn body(path: &PathBuf) -> io::Result<Vec<u8>> {
    let mut bytes = vec![];
    match path.as_os_str() == STDIN {
        true => io::stdin().lock().take(BODY_MAX + 1).read_to_end(&mut bytes)?,
        false => File::open(path)?.take(BODY_MAX + 1).read_to_end(&mut bytes)?,
    };
    Ok(bytes)
}

/// The id of the appointment in the body of an event.
fn appointment_in(body: &[u8]) -> Option<String> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let event: Value = (!too_deep(body)).then(|| serde_json::from_slice(body).ok()).flatten()?;
    let named = || id(&serde_json::json!({ "Id": event["AppointmentId"] }));
    id(&event["Appointment"]).or_else(named).filter(|id| external_id(id).is_ok())
}

fn refuse(why: String) -> Error {
    Error::new("NO_EVENT", ErrorKind::BadRequest, format!("--event: {why}; nothing was kept"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_names_an_appointment() {
        for (body, expected) in [
            (
                r#"{"EventType": "AppointmentCreated", "Appointment": {"Id": "5b0c7e1f2a3d4c5e6f708192"}}"#,
                Some("5b0c7e1f2a3d4c5e6f708192"),
            ),
            ("\u{feff}{\"Type\": \"AppointmentDeleted\", \"Appointment\": {\"Id\": 7}}", Some("7")),
            (r#"{"AppointmentId": "a-1_x", "Appointment": null}"#, Some("a-1_x")),
            (r#"{"Appointment": {"Id": ""}}"#, None),
            (r#"{"Appointment": {"Id": "../clients"}}"#, None),
            (r#"{"Appointment": {"Id": {"a": 1}}}"#, None),
            (r#"{"Appointment": "a1"}"#, None),
            (r#"{"IntakeId": "a1", "Type": "Intake Submitted", "ClientId": 7}"#, None),
            (r#"[{"Appointment": {"Id": "a1"}}]"#, None),
            (r#"{"Appointment": {"Id": "a1"}"#, None),
            ("", None),
            ("a1", None),
        ] {
            assert_eq!(appointment_in(body.as_bytes()).as_deref(), expected, "{body}");
        }
        let deep = format!("{{\"Appointment\": {{\"Id\": \"a1\", \"x\": {}{}}}}}", "[".repeat(99), "]".repeat(99));
        assert_eq!(appointment_in(deep.as_bytes()), None);
        assert_eq!(appointment_in(b"{\"Appointment\": {\"Id\": \"\xff\"}}"), None);
    }
}
