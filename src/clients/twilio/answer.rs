//! What Twilio's answers say of a message. Pure functions.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::clients::provider::{Answer, Barred, Code, Found, Message, Progress, Receipt};

/// A message that was sent is listed with an instant between these, by a clock that may differ from ours.
pub const WINDOW: [TimeDelta; 2] = [TimeDelta::minutes(-1), TimeDelta::minutes(15)];

/// Whether a text is an id of Twilio: two capitals and 32 hexadecimal digits.
pub fn is_sid(text: &str) -> bool {
    let (kind, digits) = text.as_bytes().split_at(text.len().min(2));
    text.len() == 34 && kind.iter().all(u8::is_ascii_uppercase) && digits.iter().all(u8::is_ascii_hexdigit)
}

/// What a code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// No SMS arrives at the number.
    Dead,
    /// Its owner has said STOP.
    OptedOut,
    /// The account, its key or its sender: no message would be taken.
    Setup,
    /// This message alone.
    Refused,
}

fn class(code: u64) -> Class {
    match code {
        // No number; not from this sender; a landline; a number that is none for SMS. Found out later: unreachable,
        // unknown, a landline.
        21211 | 21612 | 21614 | 21635 | 30003 | 30005 | 30006 => Class::Dead,
        21610 => Class::OptedOut,
        // The key, the account; the sender is none, is missing or is another account's; the country is not permitted;
        // a trial; the service is none or has no number; the sender is not registered.
        20003 | 20404 | 21212 | 21408 | 21603 | 21606 | 21608 | 21659 | 21660 | 21701 | 21703 | 21704 | 30034 => {
            Class::Setup
        }
        _ => Class::Refused,
    }
}

fn name(code: u64) -> Code {
    format!("TWILIO_{code}").into()
}

/// The answer to a message that was posted.
pub fn of_post(status: u16, said: Option<&Value>, after: Option<Duration>) -> Answer {
    let number = said.and_then(|said| said.get("code")?.as_u64());
    let code = || number.map_or_else(|| format!("HTTP_{status}").into(), name);
    match (status, number) {
        (200..=299, _) => match said.and_then(receipt) {
            Some(receipt) => Answer::Accepted(receipt),
            // It was taken by whoever answered, and nobody knows which message it is.
            None => Answer::Unknown("TWILIO_UNREADABLE".into()),
        },
        // Twilio says so of requests that it does not process.
        (429 | 503, _) => Answer::Later { code: code(), after },
        // A refusal with Twilio's own code: it has made no message.
        (400..=499, Some(number)) if !matches!((status, class(number)), (401 | 403, Class::Refused)) => {
            match class(number) {
                Class::Dead => Answer::Refused { code: code(), flagged: true },
                Class::OptedOut => Answer::OptedOut(code()),
                Class::Setup => Answer::Setup(code()),
                Class::Refused => Answer::Refused { code: code(), flagged: false },
            }
        }
        // The key is refused, or the account or the whole API is not there, or elsewhere: no message is made by a
        // request that was not let in.
        (300..=399 | 401 | 403..=405 | 410, _) => Answer::Setup(code()),
        // Whoever stands before Twilio did not get the request in time, and may have passed on a part.
        (408, _) => Answer::Unknown(code()),
        // Refused as a request, and not in Twilio's words: by something before it.
        (400..=499, _) => Answer::Later { code: code(), after },
        // A failure in the midst of the work, or of a gateway that has passed it on: there may be a message.
        _ => Answer::Unknown(code()),
    }
}

fn text<'a>(said: &'a Value, field: &str) -> Option<&'a str> {
    said.get(field)?.as_str()
}

fn receipt(said: &Value) -> Option<Receipt> {
    let id = text(said, "sid").filter(|sid| is_sid(sid))?;
    Some(Receipt { id: Some(id.to_owned()), status: text(said, "status").map(str::to_owned) })
}

/// What the list of messages to a number says of one.
pub fn of_list(said: &Value, message: &Message) -> Found {
    let Some(list) = said.get("messages").and_then(Value::as_array) else { return Found::Unclear };
    // There are more than a page, which nobody has read.
    if said.get("next_page_uri").is_some_and(|next| !next.is_null()) {
        return Found::Unclear;
    }
    let mut fitting = vec![];
    for one in list.iter().filter(|one| is_same(one, message)) {
        match created(one) {
            // It cannot be told from a message of another time.
            None => return Found::Unclear,
            Some(at) if (WINDOW[0]..=WINDOW[1]).contains(&(at - message.sent_at)) => fitting.push(one),
            Some(_) => {}
        }
    }
    match fitting.as_slice() {
        [] => Found::None,
        [one] => receipt(one).map_or(Found::Unclear, Found::One),
        _ => Found::Unclear,
    }
}

fn is_same(one: &Value, message: &Message) -> bool {
    let is_ours = text(one, "direction").is_none_or(|direction| direction.starts_with("outbound"));
    let same_body = text(one, "body").is_some_and(|body| body.trim_end() == message.body.trim_end());
    is_ours && same_body && text(one, "to") == Some(message.to.as_str())
}

fn created(one: &Value) -> Option<DateTime<Utc>> {
    Some(DateTime::parse_from_rfc2822(text(one, "date_created")?).ok()?.to_utc())
}

/// What became of a message.
pub fn of_message(said: &Value) -> Progress {
    let Some(status) = text(said, "status").map(str::to_owned) else { return Progress::Underway(None) };
    match status.as_str() {
        "delivered" | "read" => Progress::Delivered(status),
        // Its end: nothing comes after.
        "undelivered" | "failed" | "canceled" => {
            let number = said.get("error_code").and_then(Value::as_u64);
            let opted_out = number.map(class) == Some(Class::OptedOut);
            let is_barred = opted_out || number.map(class) == Some(Class::Dead);
            let to = text(said, "to").filter(|to| is_barred && to.starts_with('+'));
            let barred = to.map(|to| Barred { to: to.to_owned(), opted_out });
            Progress::Failed { status, code: number.map_or("TWILIO_UNDELIVERED".into(), name), barred }
        }
        _ => Progress::Underway(Some(status)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::word::Word;
    use super::*;

    const SID: &str = "SM0123456789abcdef0123456789abcdef";

    fn post(status: u16, code: Option<u64>) -> Answer {
        of_post(status, code.map(|code| json!({ "code": code, "message": "To +12125550123" })).as_ref(), None)
    }

    #[test]
    fn each_code_has_its_class_whatever_the_status_says() {
        for code in [21211, 21612, 21614, 21635] {
            assert_eq!(post(400, Some(code)), Answer::Refused { code: name(code), flagged: true });
        }
        assert_eq!(post(403, Some(21610)), Answer::OptedOut("TWILIO_21610".into()));
        for (status, code) in [(401, 20003), (403, 21408), (400, 21606), (400, 21608), (400, 30034), (404, 20404)] {
            assert_eq!(post(status, Some(code)), Answer::Setup(name(code)));
        }
        assert_eq!(post(400, Some(21617)), Answer::Refused { code: "TWILIO_21617".into(), flagged: false });
        assert_eq!(post(403, Some(20006)), Answer::Setup("TWILIO_20006".into()));
    }

    #[test]
    fn without_a_code_the_status_says_whether_twilio_may_have_it() {
        for status in [301, 401, 403, 404] {
            assert_eq!(post(status, None), Answer::Setup(format!("HTTP_{status}").into()));
        }
        for status in [400, 413, 429, 503] {
            assert_eq!(post(status, None), Answer::Later { code: format!("HTTP_{status}").into(), after: None });
        }
        for status in [408, 500, 502, 504] {
            assert_eq!(post(status, None), Answer::Unknown(format!("HTTP_{status}").into()));
        }
        assert_eq!(post(500, Some(20500)), Answer::Unknown("TWILIO_20500".into()));
    }

    #[test]
    fn only_an_answer_with_an_id_is_a_receipt() {
        let taken = of_post(201, Some(&json!({ "sid": SID, "status": "queued" })), None);
        let receipt = Receipt { id: Some(SID.to_owned()), status: Some("queued".to_owned()) };
        assert_eq!(taken, Answer::Accepted(receipt));
        for said in [json!({}), json!({ "sid": "SM1" }), json!({ "sid": 7 }), json!([SID]), json!(null)] {
            assert_eq!(of_post(200, Some(&said), None), Answer::Unknown("TWILIO_UNREADABLE".into()), "{said}");
        }
        assert_eq!(of_post(200, None, None), Answer::Unknown("TWILIO_UNREADABLE".into()));
    }

    #[test]
    fn what_is_only_known_later_bars_a_number_where_the_number_is_the_reason() {
        let asked = |status: &str, code: Value| {
            of_message(&json!({ "status": status, "error_code": code, "to": "+12125550123" }))
        };
        for code in [30003, 30005, 30006, 21610] {
            let Progress::Failed { barred: Some(barred), code: name, .. } = asked("undelivered", json!(code)) else {
                panic!("{code}");
            };
            assert_eq!((barred.to.as_str(), barred.opted_out), ("+12125550123", code == 21610));
            assert_eq!(name, format!("TWILIO_{code}"));
        }
        for code in [json!(30004), json!(30007), json!(30008), json!(30034), json!(null)] {
            assert!(matches!(asked("failed", code), Progress::Failed { barred: None, .. }));
        }
        assert_eq!(asked("delivered", json!(null)), Progress::Delivered("delivered".into()));
        assert_eq!(asked("sent", json!(null)), Progress::Underway(Some("sent".into())));
        assert_eq!(of_message(&json!([])), Progress::Underway(None));
        assert!(!format!("{:?}", asked("failed", json!(30003))).contains("2125550123"), "no Debug shows a number");
    }

    fn sent() -> Message {
        Message {
            id: 1,
            to: "+12125550123".into(),
            title: String::new(),
            body: "Please call.".into(),
            html: None,
            kind: String::new(),
            metadata: json!({}),
            entity: [String::new(), String::new()],
            created_at: DateTime::UNIX_EPOCH,
            may_unsubscribe: false,
            word: Word::Given,
            sent_at: "2026-03-02T14:00:00Z".parse().expect("an instant"),
            valid_for: None,
        }
    }

    #[test]
    fn a_message_is_found_where_exactly_one_of_its_time_number_and_text_is_listed() {
        let one = |created: &str, body: &str, to: &str, direction: &str| {
            json!({ "sid": SID, "date_created": created, "body": body,
                    "to": to, "direction": direction })
        };
        let [time, to] = ["Mon, 02 Mar 2026 14:00:01 +0000", "+12125550123"];
        let fits = || one(time, "Please call.", to, "outbound-api");
        let others = [
            one("Mon, 02 Mar 2026 13:58:59 +0000", "Please call.", to, "outbound-api"),
            one("Mon, 02 Mar 2026 14:15:01 +0000", "Please call.", to, "outbound-api"),
            one(time, "Please come.", to, "outbound-api"),
            one(time, "Please call.", "+12125550124", "outbound-api"),
            one(time, "Please call.", to, "inbound"),
        ];
        let found = |list: &[Value]| of_list(&json!({ "messages": list, "next_page_uri": null }), &sent());
        assert_eq!(found(&others), Found::None);
        assert!(matches!(found(&[&others[..], &[fits()]].concat()), Found::One(_)));
        assert_eq!(found(&[fits(), fits()]), Found::Unclear);
        assert_eq!(found(&[one("today", "Please call.", to, "outbound-api")]), Found::Unclear);
        assert_eq!(of_list(&json!({ "messages": [fits()], "next_page_uri": "/x" }), &sent()), Found::Unclear);
        assert_eq!(of_list(&json!({}), &sent()), Found::Unclear);
    }
}
