//! A message as a mail: its envelope and its text.

use std::time::SystemTime;

use lettre::Address;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder, MultiPart, SinglePart};
use reqwest::Url;

use super::super::provider::Message;

/// The longest address for those who want no more messages.
const UNSUBSCRIBE_MAX: usize = 500;

pub struct Mail {
    pub from: Address,
    pub to: Address,
    /// Headers and body, in ASCII.
    pub text: Vec<u8>,
}

/// The sender of all mails, such as `Clinic <noreply@clinic.example>`.
#[derive(Clone)]
pub struct Sender(Mailbox);

impl Sender {
    pub fn parse(text: &str) -> Result<Self, String> {
        let mailbox = text.parse::<Mailbox>().ok().filter(|mailbox| mailbox.email.to_string().is_ascii());
        let mailbox = mailbox.filter(|_| !text.contains(char::is_control));
        mailbox.map(Self).ok_or_else(|| "expected an address, such as Clinic <noreply@clinic.example>".to_owned())
    }
}

impl From<Sender> for Mailbox {
    fn from(sender: Sender) -> Self {
        sender.0
    }
}

/// Where a patient says that no more messages are wanted: a URL, or `mailto:` and an address.
#[derive(Clone)]
pub struct ListUnsubscribe(String);

impl ListUnsubscribe {
    pub fn parse(text: &str) -> Result<Self, String> {
        let is_plain =
            text.len() <= UNSUBSCRIBE_MAX && text.bytes().all(|b| b.is_ascii_graphic() && !b"<>,".contains(&b));
        let is_address = |rest: &str| rest.split('?').next().is_some_and(|address| address.parse::<Address>().is_ok());
        let is_one = match text.strip_prefix("mailto:") {
            Some(rest) => is_address(rest),
            None => text.starts_with("https://") && Url::parse(text).is_ok(),
        };
        if is_plain && is_one {
            Ok(Self(format!("<{text}>")))
        } else {
            Err("expected a URL with https://, or mailto: and an address".to_owned())
        }
    }
}

impl Header for ListUnsubscribe {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe")
    }

    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}

/// Says that no person wrote it, so that nobody's out-of-office replies to it.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// The mail of a message, or a code of what it cannot be.
pub fn mail(message: &Message, from: &Mailbox, unsubscribe: Option<&ListUnsubscribe>) -> Result<Mail, &'static str> {
    let to = recipient(&message.to).ok_or("SMTP_BAD_ADDRESS")?;
    let mut builder = MessageBuilder::new()
        .from(from.clone())
        .to(Mailbox::new(None, to.clone()))
        .subject(line(&message.title))
        .date(SystemTime::from(message.sent_at))
        .message_id(Some(message_id(message, from)))
        .header(AutoSubmitted);
    if let Some(unsubscribe) = unsubscribe.filter(|_| message.may_unsubscribe) {
        builder = builder.header(unsubscribe.clone());
    }
    let mail = match &message.html {
        Some(html) => builder.multipart(MultiPart::alternative_plain_html(message.body.clone(), html.clone())),
        None => builder.singlepart(SinglePart::plain(message.body.clone())),
    };
    let text = mail.map_err(|_| "SMTP_BAD_MESSAGE")?.formatted();
    Ok(Mail { from: from.email.clone(), to, text })
}

/// The id of a message, the same each time it is sent: of the row, and of its instant, since another database has other
/// rows with the same ids.
fn message_id(message: &Message, from: &Mailbox) -> String {
    format!("<rounds.{}.{}@{}>", message.id, message.created_at.timestamp_micros(), from.email.domain())
}

/// An address that a server of any age takes: the domain as the name system has it, and ASCII before it.
fn recipient(text: &str) -> Option<Address> {
    let (local, domain) = text.rsplit_once('@')?;
    let is_plain = local.is_ascii() && !text.contains(|c: char| c.is_control() || "<>".contains(c));
    let domain = if domain.is_ascii() {
        domain.to_owned()
    } else {
        Url::parse(&format!("http://{domain}/")).ok()?.host_str()?.to_owned()
    };
    is_plain.then(|| Address::new(local, domain).ok()).flatten()
}

/// A text in one line.
fn line(text: &str) -> String {
    text.split(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;

    use super::super::super::word::Word;
    use super::*;

    fn message() -> Message {
        Message {
            id: 7,
            to: "jane@example.org".into(),
            title: "Your visit".into(),
            body: "Please call us.\n.\nThe clinic".into(),
            html: None,
            kind: "MISSED_APPOINTMENT".into(),
            metadata: json!({}),
            entity: ["appointment".into(), "3".into()],
            created_at: DateTime::UNIX_EPOCH,
            sent_at: DateTime::UNIX_EPOCH,
            valid_for: None,
            may_unsubscribe: true,
            word: Word::Given,
        }
    }

    fn text(message: &Message) -> String {
        let from = Mailbox::from(Sender::parse("The Clinic <noreply@clinic.example>").expect("a sender"));
        let unsubscribe = ListUnsubscribe::parse("https://clinic.example/stop?c=1").expect("a URL");
        let mail = mail(message, &from, Some(&unsubscribe)).expect("a mail");
        String::from_utf8(mail.text).expect("ASCII")
    }

    #[test]
    fn a_mail_has_the_id_of_its_row_and_the_instant_at_which_it_leaves() {
        let text = text(&message());
        for line in [
            "Message-ID: <rounds.7.0@clinic.example>",
            "Date: Thu, 01 Jan 1970 00:00:00 +0000",
            "From: \"The Clinic\" <noreply@clinic.example>",
            "To: jane@example.org",
            "Subject: Your visit",
            "List-Unsubscribe: <https://clinic.example/stop?c=1>",
            "Auto-Submitted: auto-generated",
        ] {
            assert!(text.contains(&format!("{line}\r\n")), "{line}: {text}");
        }
        assert!(text.trim_end().ends_with("Please call us.\r\n.\r\nThe clinic"), "{text}");
        assert!(!self::text(&Message { may_unsubscribe: false, ..message() }).contains("Unsubscribe"));
    }

    #[test]
    fn what_has_html_has_its_plain_text_too_and_before_it() {
        let text = text(&Message { html: Some("<p>Grüße</p>".into()), ..message() });
        assert!(text.is_ascii() && text.contains("Content-Type: multipart/alternative;"), "{text}");
        let (plain, html) = (text.find("Content-Type: text/plain"), text.find("Content-Type: text/html"));
        assert!(plain.is_some() && plain < html, "{text}");
        assert!(text.contains("Gr=C3=BC=C3=9Fe"), "{text}");
    }

    #[test]
    fn a_title_is_one_header_whatever_is_in_it() {
        for title in ["x\r\nBcc: a@b.example", "x\nBcc: a@b.example\n\nbody", "x\rBcc: a@b.example", "x\u{2028}Bcc: é"]
        {
            let text = text(&Message { title: title.into(), ..message() });
            let (headers, body) = text.split_once("\r\n\r\n").expect("a body");
            assert!(!headers.lines().any(|line| line.starts_with("Bcc")), "{text}");
            assert!(body.starts_with("Please"), "{text}");
        }
    }

    #[test]
    fn an_address_is_one_recipient_or_none() {
        for bad in [
            "a@b.example\r\nRCPT TO:<c@d.example>",
            "a\r\nb@c.example",
            "\"a\r\nb\"@c.example",
            "\"a>\"@c.example",
            "a@b.example> SIZE=1",
            "é@b.example",
            "a@b.example, c@d.example",
            "a",
            "",
        ] {
            assert!(recipient(bad).is_none(), "{bad:?}");
        }
        assert_eq!(recipient("a@bücher.example").expect("an address").to_string(), "a@xn--bcher-kva.example");
    }

    #[test]
    fn what_the_configuration_says_is_checked() {
        assert!(Sender::parse("noreply@clinic.example").is_ok());
        for bad in ["", "clinic", "a@b.example\r\nBcc: c@d.example", "é@b.example"] {
            assert!(Sender::parse(bad).is_err(), "{bad:?}");
        }
        assert!(ListUnsubscribe::parse("mailto:stop@clinic.example?subject=stop").is_ok());
        for bad in ["http://clinic.example/", "mailto:stop", "https://a/>, <x", "https://a/\r\nX: y", "stop"] {
            assert!(ListUnsubscribe::parse(bad).is_err(), "{bad:?}");
        }
    }
}
