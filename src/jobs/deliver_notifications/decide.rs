//! What becomes of a message that is due. A pure function.

use chrono::{DateTime, Utc};

use super::due::{Due, Recipient};
use super::facts::Facts;
use super::gateway::Channel;
use super::quiet::QuietHours;
use crate::time_zone::Tz;

#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes to this address.
    Send(String),
    /// It waits until then.
    Wait(DateTime<Utc>),
    Expire(&'static str),
    Suppress(&'static str),
    Fail(&'static str),
}

/// What the clinic has decided for all messages of a channel.
pub struct Policy<'a> {
    pub channel: Channel,
    /// Older messages are not sent.
    pub oldest: DateTime<Utc>,
    pub quiet_hours: QuietHours,
    pub patient_cap: u32,
    pub only_to: Option<&'a [String]>,
}

impl Policy<'_> {
    /// `told` counts what this run sends to the same patient before it, too.
    pub fn verdict(&self, due: &Due, facts: &Facts, told: u32, now: DateTime<Utc>) -> Verdict {
        if due.expires_at.is_some_and(|end| end <= now) {
            return Verdict::Expire("OVER");
        }
        if due.put_back_at.unwrap_or(due.created_at) < self.oldest {
            return Verdict::Expire("TOO_OLD");
        }
        if facts.is_moot {
            return Verdict::Expire("MOOT");
        }
        let contact = &facts.contact;
        if contact.has_opted_out {
            return Verdict::Suppress("OPTED_OUT");
        }
        if contact.is_gone {
            return Verdict::Suppress("RECIPIENT_INACTIVE");
        }
        let Some(to) = &contact.to else {
            return Verdict::Fail(if contact.is_given { "INVALID_ADDRESS" } else { "NO_ADDRESS" });
        };
        match facts.suppressed.as_deref() {
            Some("OPTED_OUT") => return Verdict::Suppress("OPTED_OUT"),
            Some(_) => return Verdict::Suppress("UNREACHABLE"),
            None => {}
        }
        if self.only_to.is_some_and(|allowed| !allowed.contains(to)) {
            return Verdict::Suppress("NOT_ON_ALLOW_LIST");
        }
        if !due.is_high && matches!(due.recipient, Recipient::Patient(_)) {
            if told >= self.patient_cap {
                return Verdict::Suppress("PATIENT_CAP");
            }
            let zone = facts.zone.unwrap_or(Tz::UTC);
            if let Some(end) = self.quiet_hours.end(now, zone).filter(|_| self.channel == Channel::Sms) {
                // It would be over before anybody may be told.
                return match due.expires_at {
                    Some(expires_at) if expires_at <= end => Verdict::Expire("OVER_IN_QUIET_HOURS"),
                    _ => Verdict::Wait(end),
                };
            }
        }
        Verdict::Send(to.clone())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::facts::Contact;
    use super::super::quiet;
    use super::*;
    use crate::db::Key;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    fn due() -> Due {
        Due {
            id: 1,
            recipient: Recipient::Patient(Key::from("7".to_owned())),
            kind: "MISSED_APPOINTMENT".into(),
            is_high: false,
            title: String::new(),
            body: String::new(),
            html: None,
            placeholders: json!({}),
            metadata: json!({}),
            entity: ["appointment".into(), "3".into()],
            facility: None,
            attempts: 0,
            created_at: at("2026-03-02T14:00:00Z"),
            put_back_at: None,
            expires_at: None,
        }
    }

    fn facts() -> Facts {
        let contact = Contact { to: Some("+12125550123".into()), is_given: true, ..Contact::default() };
        Facts { contact, zone: Some(Tz::NEW_YORK), ..Facts::default() }
    }

    fn policy(only_to: Option<&[String]>) -> Policy<'_> {
        Policy {
            channel: Channel::Sms,
            oldest: at("2026-03-01T15:00:00Z"),
            quiet_hours: quiet::parse("22:00-07:00").expect("hours"),
            patient_cap: 5,
            only_to,
        }
    }

    #[test]
    fn each_reason_against_a_message_counts_alone_and_the_boundaries_are_exact() {
        let now = at("2026-03-02T15:00:00Z");
        let verdict = |change: fn(&mut Due, &mut Facts, &mut u32)| {
            let (mut due, mut facts, mut told) = (due(), facts(), 4);
            change(&mut due, &mut facts, &mut told);
            policy(None).verdict(&due, &facts, told, now)
        };
        assert_eq!(verdict(|_, _, _| {}), Verdict::Send("+12125550123".into()));
        assert_eq!(verdict(|due, _, _| due.expires_at = Some(at("2026-03-02T15:00:00Z"))), Verdict::Expire("OVER"));
        assert!(matches!(verdict(|due, _, _| due.expires_at = Some(at("2026-03-02T15:00:01Z"))), Verdict::Send(_)));
        assert_eq!(verdict(|due, _, _| due.created_at = at("2026-03-01T14:59:59Z")), Verdict::Expire("TOO_OLD"));
        assert!(matches!(verdict(|due, _, _| due.created_at = at("2026-03-01T15:00:00Z")), Verdict::Send(_)));
        fn put_back(due: &mut Due, put_back_at: &str) {
            (due.created_at, due.put_back_at) = (at("2026-02-01T00:00:00Z"), Some(at(put_back_at)));
        }
        assert!(matches!(verdict(|due, _, _| put_back(due, "2026-03-01T15:00:00Z")), Verdict::Send(_)));
        assert_eq!(verdict(|due, _, _| put_back(due, "2026-03-01T14:59:59Z")), Verdict::Expire("TOO_OLD"));
        assert_eq!(verdict(|_, facts, _| facts.is_moot = true), Verdict::Expire("MOOT"));
        assert_eq!(verdict(|_, facts, _| facts.contact.has_opted_out = true), Verdict::Suppress("OPTED_OUT"));
        assert_eq!(verdict(|_, facts, _| facts.contact.is_gone = true), Verdict::Suppress("RECIPIENT_INACTIVE"));
        assert_eq!(verdict(|_, facts, _| facts.contact.to = None), Verdict::Fail("INVALID_ADDRESS"));
        assert_eq!(verdict(|_, facts, _| facts.contact = Contact::default()), Verdict::Fail("NO_ADDRESS"));
        assert_eq!(
            verdict(|_, facts, _| facts.suppressed = Some("UNREACHABLE".into())),
            Verdict::Suppress("UNREACHABLE")
        );
        assert_eq!(verdict(|_, _, told| *told = 5), Verdict::Suppress("PATIENT_CAP"));
        assert!(matches!(verdict(|due, _, told| (due.is_high, *told) = (true, 9)), Verdict::Send(_)));
    }

    #[test]
    fn in_quiet_hours_only_what_can_wait_waits() {
        // 22:30 in New York.
        let now = at("2026-03-03T03:30:00Z");
        let end = at("2026-03-03T12:00:00Z");
        let policy = policy(None);
        let mut due = Due { created_at: now, ..due() };
        assert_eq!(policy.verdict(&due, &facts(), 0, now), Verdict::Wait(end));
        due.expires_at = Some(end);
        assert_eq!(policy.verdict(&due, &facts(), 0, now), Verdict::Expire("OVER_IN_QUIET_HOURS"));
        due.is_high = true;
        assert!(matches!(policy.verdict(&due, &facts(), 0, now), Verdict::Send(_)));
        let email = Policy { channel: Channel::Email, ..policy };
        assert!(matches!(email.verdict(&Due { is_high: false, ..due }, &facts(), 0, now), Verdict::Send(_)));
    }

    #[test]
    fn with_an_allow_list_nobody_else_is_written_to() {
        let now = at("2026-03-02T15:00:00Z");
        let only = ["+12125550199".to_owned()];
        assert_eq!(policy(Some(&only)).verdict(&due(), &facts(), 0, now), Verdict::Suppress("NOT_ON_ALLOW_LIST"));
        let with = ["+12125550123".to_owned()];
        assert!(matches!(policy(Some(&with)).verdict(&due(), &facts(), 0, now), Verdict::Send(_)));
    }
}
