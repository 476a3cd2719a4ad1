//! The word on which a message leaves for good. A provider that knows a moment up to which nothing has left asks for it
//! there, and the run that sends records it first: what a kill leaves before that moment was surely not sent.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

/// What does not leave within this after its record does not leave: another run may have settled it meanwhile.
pub const LATE: Duration = Duration::from_secs(10);

pub enum Word {
    /// Nobody has to be asked.
    Given,
    /// Of the message with this id.
    Asked(i64, mpsc::UnboundedSender<Question>),
}

/// May the message leave? No answer is a no.
pub struct Question {
    pub id: i64,
    /// When it was recorded, or was about to be.
    pub answer: oneshot::Sender<Moment>,
}

impl Word {
    /// Whether the message may leave now.
    pub async fn given(&self) -> bool {
        let Self::Asked(id, ask) = self else { return true };
        let (answer, answered) = oneshot::channel();
        let is_asked = ask.send(Question { id: *id, answer }).is_ok();
        is_asked && answered.await.is_ok_and(|recorded| !recorded.is_late())
    }
}

/// A moment of the machine's clock that goes on while the machine sleeps.
#[derive(Clone, Copy)]
pub struct Moment(Duration);

impl Moment {
    pub fn now() -> Self {
        #[cfg(target_os = "linux")]
        let clock = rustix::time::ClockId::Boottime;
        #[cfg(not(target_os = "linux"))]
        let clock = rustix::time::ClockId::Monotonic;
        let now = rustix::time::clock_gettime(clock);
        Self(Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0)))
    }

    pub fn is_late(self) -> bool {
        Self::now().0.saturating_sub(self.0) > LATE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_an_answer_in_time_a_message_does_not_leave() {
        assert!(Word::Given.given().await);
        let (ask, mut asked) = mpsc::unbounded_channel();
        let word = Word::Asked(7, ask);
        let mut asks = async |answer: Option<Moment>| {
            let (given, ()) = tokio::join!(word.given(), async {
                let question: Question = asked.recv().await.expect("it asks");
                assert_eq!(question.id, 7);
                // Without a moment the question is dropped, as by a run that has ended.
                let _ = answer.map(|moment| question.answer.send(moment));
            });
            given
        };
        let ago = |past: Duration| Some(Moment(Moment::now().0.saturating_sub(past)));
        assert!(asks(ago(Duration::ZERO)).await);
        assert!(asks(ago(Duration::from_secs(9))).await);
        assert!(!asks(ago(LATE + Duration::from_millis(1))).await);
        assert!(!asks(None).await);
        drop(asked);
        assert!(!word.given().await, "nobody listens");
    }
}
