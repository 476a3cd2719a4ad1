//! The outcome of a message, and its record.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio_postgres::Transaction;
use uuid::Uuid;

use super::decide::Verdict;
use super::gateway::Channel;
use crate::clients::provider::{Answer, Receipt};
use crate::db::statements;
use crate::error::Error;

statements! {
    SETTLE(INT8_ARRAY, TEXT_ARRAY, TEXT_ARRAY, TEXT_ARRAY, TEXT_ARRAY, TIMESTAMPTZ_ARRAY, TEXT_ARRAY, UUID, TIMESTAMPTZ) =
        include_str!("settle.sql");
    SUPPRESS(TEXT, TEXT, TEXT, TEXT, INT8, TIMESTAMPTZ) = include_str!("suppress.sql");
}

/// The wait before the second attempt; it doubles with each.
const BACKOFF: Duration = Duration::from_secs(60);
const BACKOFF_MAX: Duration = Duration::from_secs(3600);
/// The wait after the provider could not be reached, or did not want us. The attempt does not count.
const PAUSE: TimeDelta = TimeDelta::seconds(50);
/// A longer word of a provider is cut.
const WORD_MAX: usize = 200;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Pending,
    /// PENDING until the end of the quiet hours.
    Quiet,
    Sent,
    Uncertain,
    Failed,
    Expired,
    Suppressed,
}

impl Status {
    pub fn stored(self) -> &'static str {
        match self {
            Self::Pending | Self::Quiet => "PENDING",
            Self::Sent => "SENT",
            Self::Uncertain => "UNCERTAIN",
            Self::Failed => "FAILED",
            Self::Expired => "EXPIRED",
            Self::Suppressed => "SUPPRESSED",
        }
    }
}

/// What is to be written of a message.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    pub id: i64,
    pub status: Status,
    pub reason: Option<String>,
    pub receipt: Receipt,
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// Whether the attempt counts.
    pub counts: bool,
    /// The address that may not be written to any more, with reason and code.
    pub suppressed: Option<(String, &'static str, String)>,
}

/// A message that was judged.
pub enum Decided {
    /// It is to be sent to this address.
    Leaves(String),
    /// It is not, and that is to be written.
    Stays(Outcome),
}

/// What an answer says of the channel, beside the message.
#[derive(Debug, PartialEq, Eq)]
pub enum Omen {
    Good,
    /// The provider could not be reached.
    Unreachable(String),
    /// The provider refuses us.
    Setup(String),
}

impl Outcome {
    fn new(id: i64, status: Status) -> Self {
        let receipt = Receipt::default();
        Self { id, status, reason: None, receipt, next_attempt_at: None, counts: true, suppressed: None }
    }

    fn because(id: i64, status: Status, reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..Self::new(id, status) }
    }

    /// What a verdict comes to.
    pub fn of_verdict(id: i64, verdict: Verdict) -> Decided {
        Decided::Stays(match verdict {
            Verdict::Send(to) => return Decided::Leaves(to),
            Verdict::Wait(until) => {
                Self { next_attempt_at: Some(until), ..Self::because(id, Status::Quiet, "QUIET_HOURS") }
            }
            Verdict::Expire(reason) => Self::because(id, Status::Expired, reason),
            Verdict::Suppress(reason) => Self::because(id, Status::Suppressed, reason),
            Verdict::Fail(reason) => Self::because(id, Status::Failed, reason),
        })
    }

    /// A message that was marked, and did not leave in time.
    pub fn not_sent(id: i64) -> Self {
        Self { counts: false, ..Self::because(id, Status::Pending, "LATE") }
    }

    /// A message whose request has left, or was to leave. `attempts` counts this one.
    pub fn of_answer(sent: &Sent<'_>, answer: Answer, now: DateTime<Utc>) -> (Self, Omen) {
        let id = sent.id;
        let again = |code: String, after: Option<Duration>| {
            if sent.attempts >= sent.max_attempts {
                return Self::because(id, Status::Failed, code);
            }
            let wait = TimeDelta::from_std(backoff(sent.attempts, after)).unwrap_or(TimeDelta::days(1));
            Self { next_attempt_at: Some(now + wait), ..Self::because(id, Status::Pending, code) }
        };
        let flag = |code: &str, reason| (sent.to.to_owned(), reason, code.to_owned());
        let pause = |code: &str| {
            let pending = Self::because(id, Status::Pending, code);
            Self { next_attempt_at: Some(now + PAUSE), counts: false, ..pending }
        };
        match answer {
            Answer::Accepted(Receipt { id: provider_id, status }) => {
                let receipt = Receipt { id: provider_id.as_deref().map(word), status: status.as_deref().map(word) };
                (Self { receipt, ..Self::new(id, Status::Sent) }, Omen::Good)
            }
            Answer::Refused { code, flagged } => {
                let suppressed = flagged.then(|| flag(&code, "UNREACHABLE"));
                (Self { suppressed, ..Self::because(id, Status::Failed, code) }, Omen::Good)
            }
            Answer::OptedOut(code) => (
                Self { suppressed: Some(flag(&code, "OPTED_OUT")), ..Self::because(id, Status::Suppressed, code) },
                Omen::Good,
            ),
            Answer::Later { code, after } => (again(code.into(), after), Omen::Good),
            // It arrives once, however often it is sent.
            Answer::Unknown(code) if sent.knows_doubles => (again(code.into(), None), Omen::Good),
            Answer::Unknown(code) => (Self::because(id, Status::Uncertain, code), Omen::Good),
            Answer::Unreachable(code) => (pause(&code), Omen::Unreachable(code.into())),
            Answer::Setup(code) => (pause(&code), Omen::Setup(code.into())),
            Answer::Held => (Self::not_sent(id), Omen::Good),
        }
    }
}

/// A message that was sent, or was to be.
pub struct Sent<'a> {
    pub id: i64,
    pub to: &'a str,
    pub attempts: u32,
    pub max_attempts: u32,
    pub knows_doubles: bool,
}

/// The wait before the next attempt: what the provider asks for, or twice the one before, with up to a quarter at random.
fn backoff(attempts: u32, after: Option<Duration>) -> Duration {
    let doubled = BACKOFF.saturating_mul(1 << attempts.saturating_sub(1).min(10)).min(BACKOFF_MAX);
    after.unwrap_or_default().max(doubled.mul_f64(1.0 + fastrand::f64() / 4.0))
}

/// What a provider says, without what no column takes.
pub fn word(said: &str) -> String {
    said.chars().filter(|c| !c.is_control()).take(WORD_MAX).collect()
}

/// Writes outcomes in the transaction of a run.
pub async fn write(
    tx: &Transaction<'_>,
    run: Uuid,
    channel: Channel,
    outcomes: &[Outcome],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if outcomes.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = outcomes.iter().map(|outcome| outcome.id).collect();
    let statuses: Vec<&str> = outcomes.iter().map(|outcome| outcome.status.stored()).collect();
    let reasons: Vec<Option<&str>> = outcomes.iter().map(|outcome| outcome.reason.as_deref()).collect();
    let provider_ids: Vec<Option<&str>> = outcomes.iter().map(|outcome| outcome.receipt.id.as_deref()).collect();
    let words: Vec<Option<&str>> = outcomes.iter().map(|outcome| outcome.receipt.status.as_deref()).collect();
    let next: Vec<Option<DateTime<Utc>>> = outcomes.iter().map(|outcome| outcome.next_attempt_at).collect();
    let counts: Vec<&str> = outcomes.iter().map(|outcome| if outcome.counts { "y" } else { "n" }).collect();
    SETTLE.execute(tx, &[&ids, &statuses, &reasons, &provider_ids, &words, &next, &counts, &run, &now]).await?;
    for outcome in outcomes {
        if let (Some((address, reason, code)), true) = (&outcome.suppressed, channel != Channel::Webhook) {
            suppress(tx, channel, outcome.id, &Bar { address, reason, code }, now).await?;
        }
    }
    Ok(())
}

/// An address that may not be written to any more.
pub struct Bar<'a> {
    pub address: &'a str,
    pub reason: &'static str,
    pub code: &'a str,
}

/// Notes what a message has shown of its address.
pub async fn suppress(
    tx: &Transaction<'_>,
    channel: Channel,
    id: i64,
    Bar { address, reason, code }: &Bar<'_>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    SUPPRESS.execute(tx, &[&channel.stored(), address, reason, code, &id, &now]).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(answer: Answer, attempts: u32, knows_doubles: bool) -> (Outcome, Omen) {
        let sent = Sent { id: 1, to: "+12125550123", attempts, max_attempts: 3, knows_doubles };
        Outcome::of_answer(&sent, answer, DateTime::UNIX_EPOCH)
    }

    fn waits(outcome: &Outcome) -> Option<i64> {
        outcome.next_attempt_at.map(|at| at.timestamp())
    }

    #[test]
    fn what_the_provider_may_have_is_never_sent_again_unless_it_knows_doubles() {
        let unknown = || Answer::Unknown("NO_ANSWER".into());
        assert_eq!(outcome(unknown(), 1, false).0.status, Status::Uncertain);
        assert_eq!(outcome(unknown(), 1, true).0.status, Status::Pending);
        assert_eq!(outcome(unknown(), 3, true).0.status, Status::Failed);
    }

    #[test]
    fn waits_double_up_to_an_hour_and_obey_the_provider() {
        let later = |attempts, after| outcome(Answer::Later { code: "HTTP_429".into(), after }, attempts, false).0;
        for (attempts, least) in [(1, 60), (2, 120)] {
            let wait = waits(&later(attempts, None)).expect("it is tried again");
            assert!((least..=least * 5 / 4).contains(&wait), "{attempts}: {wait}");
        }
        assert_eq!(waits(&later(1, Some(Duration::from_secs(500)))), Some(500));
        assert_eq!((later(3, None).status, waits(&later(3, None))), (Status::Failed, None));
        assert!(backoff(19, None) <= BACKOFF_MAX * 5 / 4);
    }

    #[test]
    fn an_outage_uses_up_no_attempt_and_is_told_of_the_channel() {
        let (down, omen) = outcome(Answer::Unreachable("REFUSED".into()), 3, false);
        assert_eq!((down.status, down.counts, omen), (Status::Pending, false, Omen::Unreachable("REFUSED".into())));
        let (setup, omen) = outcome(Answer::Setup("TWILIO_20003".into()), 3, false);
        assert_eq!((setup.status, setup.counts, omen), (Status::Pending, false, Omen::Setup("TWILIO_20003".into())));
    }

    #[test]
    fn a_number_that_takes_nothing_is_flagged() {
        let flagged = |answer| outcome(answer, 1, false).0.suppressed.map(|(_, reason, _)| reason);
        assert_eq!(flagged(Answer::OptedOut("TWILIO_21610".into())), Some("OPTED_OUT"));
        assert_eq!(flagged(Answer::Refused { code: "TWILIO_21614".into(), flagged: true }), Some("UNREACHABLE"));
        assert_eq!(flagged(Answer::Refused { code: "HTTP_400".into(), flagged: false }), None);
    }
}
