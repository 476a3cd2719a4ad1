//! The requests that are under way, and their pace.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, timeout};

use super::gateway::Gateway;
use crate::clients::provider::{Answer, Message, Provider as _};
use crate::clients::word::{Moment, Question, Word};

/// No request takes longer, whatever its provider's limits are.
const REQUEST_MAX: Duration = Duration::from_secs(40);

/// What the requests come to.
pub enum Event {
    /// The answer to a message; None where it has not left.
    Answer(i64, Option<Answer>),
    /// A message asks for its word.
    Question(Question),
}

pub struct Sending {
    gateway: Arc<Gateway>,
    slots: usize,
    requests: JoinSet<(i64, Option<Answer>)>,
    /// The message of each request, for one that panics.
    ids: HashMap<Id, i64>,
    pace: Pace,
    ask: UnboundedSender<Question>,
    asked: UnboundedReceiver<Question>,
}

impl Sending {
    pub fn new(gateway: Arc<Gateway>, slots: usize, per_second: u32) -> Self {
        let (ask, asked) = unbounded_channel();
        let (requests, ids, pace) = (JoinSet::new(), HashMap::new(), Pace::new(per_second));
        Self { gateway, slots, requests, ids, pace, ask, asked }
    }

    /// The number of requests that may leave now.
    pub fn free(&mut self) -> usize {
        (self.slots - self.requests.len()).min(self.pace.allowed(Instant::now()))
    }

    pub fn is_idle(&self) -> bool {
        self.requests.is_empty()
    }

    /// When the next request may leave, if a slot is free for it.
    pub fn next_turn(&self) -> Option<Instant> {
        (self.requests.len() < self.slots).then(|| self.pace.next())
    }

    /// Sends a message that was marked after `marked`.
    pub fn send(&mut self, mut message: Message, marked: Moment) {
        self.pace.take();
        let (id, gateway) = (message.id, self.gateway.clone());
        if gateway.holds() {
            message.word = Word::Asked(id, self.ask.clone());
        }
        let request = self.requests.spawn(async move {
            if marked.is_late() {
                return (id, None);
            }
            let answer = timeout(REQUEST_MAX, gateway.send(&message)).await;
            (id, Some(answer.unwrap_or_else(|_| Answer::Unknown("NO_ANSWER".into()))))
        });
        self.ids.insert(request.id(), id);
    }

    /// Waits for the next event; never, where nothing is under way.
    pub async fn event(&mut self) -> Event {
        let ended = tokio::select! {
            Some(ended) = self.requests.join_next_with_id() => ended,
            Some(question) = self.asked.recv() => return Event::Question(question),
        };
        self.ended(ended)
    }

    /// An event that has come already.
    pub fn came(&mut self) -> Option<Event> {
        match self.asked.try_recv() {
            Ok(question) => Some(Event::Question(question)),
            Err(_) => self.requests.try_join_next_with_id().map(|ended| self.ended(ended)),
        }
    }

    fn ended(&mut self, ended: Result<(Id, (i64, Option<Answer>)), tokio::task::JoinError>) -> Event {
        match ended {
            Ok((task, (id, answer))) => {
                self.ids.remove(&task);
                Event::Answer(id, answer)
            }
            // It panicked, and may have left.
            Err(error) => {
                let id = self.ids.remove(&error.id()).unwrap_or_default();
                Event::Answer(id, Some(Answer::Unknown("PANIC".into())))
            }
        }
    }
}

/// The pace of requests: so many in a second, and not more at once.
pub struct Pace {
    per_second: f64,
    /// How many may leave, at the time of the last look.
    tokens: f64,
    looked_at: Instant,
}

impl Pace {
    pub fn new(per_second: u32) -> Self {
        let per_second = f64::from(per_second);
        Self { per_second, tokens: per_second, looked_at: Instant::now() }
    }

    pub fn allowed(&mut self, now: Instant) -> usize {
        let elapsed = now.saturating_duration_since(self.looked_at).as_secs_f64();
        self.tokens = (self.tokens + elapsed * self.per_second).min(self.per_second);
        self.looked_at = now;
        self.tokens as usize
    }

    pub fn take(&mut self) {
        self.tokens -= 1.0;
    }

    pub fn next(&self) -> Instant {
        let missing = (1.0 - self.tokens).max(0.0);
        self.looked_at + Duration::from_secs_f64(missing / self.per_second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_kept_and_not_saved_up() {
        let mut pace = Pace::new(10);
        let began = pace.looked_at;
        let at = |millis| began + Duration::from_millis(millis);
        assert_eq!(pace.allowed(at(0)), 10);
        (0..10).for_each(|_| pace.take());
        assert_eq!((pace.allowed(at(0)), pace.next()), (0, at(100)));
        assert_eq!(pace.allowed(at(250)), 2);
        assert_eq!(pace.allowed(at(60_000)), 10);
    }
}
