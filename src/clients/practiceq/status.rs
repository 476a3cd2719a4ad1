//! What the account's statuses are here.

/// The clinic's status for one of the account's, whatever the case of its letters, and whether or not its words are
/// apart; else the word that nobody knows, where it is one.
pub fn status(theirs: Option<String>) -> Result<&'static str, Option<String>> {
    let theirs = theirs.unwrap_or_default();
    let letters: String = theirs.chars().filter(|c| !matches!(c, ' ' | '-' | '_')).collect();
    match letters.to_ascii_lowercase().as_str() {
        "confirmed" => Ok("CONFIRMED"),
        "waitingconfirmation" | "awaitingconfirmation" => Ok("SCHEDULED"),
        "canceled" | "cancelled" | "declined" => Ok("CANCELLED"),
        "missed" | "noshow" => Ok("NO_SHOW"),
        _ => Err(Some(theirs).filter(|word| is_a_word(word))),
    }
}

/// Whether a text is one word, so that it can be said.
fn is_a_word(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_known_however_it_is_written_and_no_other_is_guessed() {
        for (ours, spellings) in [
            ("CONFIRMED", &["Confirmed", "confirmed", " CONFIRMED "][..]),
            ("SCHEDULED", &["WaitingConfirmation", "waiting confirmation", "WAITING_CONFIRMATION"]),
            ("CANCELLED", &["Canceled", "Cancelled", "canceled", "CANCELLED", "Declined", "declined"]),
            ("NO_SHOW", &["Missed", "missed", "No-Show", "NoShow"]),
        ] {
            for theirs in spellings {
                assert_eq!(status(Some((*theirs).to_owned())), Ok(ours), "{theirs}");
            }
        }
        for (theirs, word) in [("Tentative", Some("Tentative")), ("Pat Doe", None), ("Confirmed?", None), ("", None)] {
            assert_eq!(status(Some(theirs.to_owned())), Err(word.map(Into::into)), "{theirs}");
        }
        assert_eq!((status(None), status(Some("a".repeat(33)))), (Err(None), Err(None)));
    }
}
