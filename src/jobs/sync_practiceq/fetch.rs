//! Fetches from the account: waits for a permit, sends the request, and tries again where that helps.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::end::{End, StopReason};
use super::progress::Progress;
use super::rate_limit::{Purpose, RateLimiter, RateLimits};
use crate::clients::practiceq::{PracticeQ, Reply};
use crate::error::Error;
use crate::run::{Halt, Run};

/// An answer of the account, and when it was asked.
pub struct Fetched<T> {
    pub content: T,
    pub asked_at: DateTime<Utc>,
}

/// The reason for which there is no answer.
pub enum FetchError {
    /// The server failed at each attempt.
    Unanswered {
        purpose: String,
        error: Error,
        /// Whether the account has answered no request of the run.
        is_first: bool,
    },
    End(End),
}

pub struct Fetcher<'a> {
    run: &'a Run,
    api: PracticeQ,
    limiter: RateLimiter<'a>,
    pub progress: Progress,
    /// When the first request that was answered was sent.
    pub began: Option<DateTime<Utc>>,
    answers: u64,
}

impl<'a> Fetcher<'a> {
    pub fn new(run: &'a Run, api: PracticeQ, limits: &'a RateLimits, purpose: Purpose, progress: Progress) -> Self {
        let limiter = RateLimiter::new(run, limits, purpose);
        Self { run, api, limiter, progress, began: None, answers: 0 }
    }

    /// Whether the account has answered a request.
    pub fn is_answered(&self) -> bool {
        self.answers > 0
    }

    /// How many requests were counted.
    pub fn requests(&self) -> u64 {
        self.limiter.requests
    }

    /// A page of a list, from 1.
    pub async fn page(
        &mut self,
        filter: &[(&'static str, String)],
        page: u32,
        purpose: &str,
    ) -> Result<Fetched<Vec<Value>>, FetchError> {
        self.fetch(purpose, async |api| api.page(filter, page).await).await
    }

    /// One appointment by its id; None where the account does not know it.
    pub async fn appointment(&mut self, id: &str, purpose: &str) -> Result<Fetched<Option<Value>>, FetchError> {
        self.fetch(purpose, async |api| api.appointment(id).await).await
    }

    async fn fetch<T>(
        &mut self,
        purpose: &str,
        send: impl AsyncFn(&PracticeQ) -> Result<Reply<T>, Error>,
    ) -> Result<Fetched<T>, FetchError> {
        let time_over = || End::stop(StopReason::TimeOver, "the run's time is over");
        let (run, retry, left) = (self.run, self.run.retry(), self.limiter.time_left());
        if left.is_zero() {
            return Err(time_over().into());
        }
        // An end of the run is no error of the request, and is not tried again.
        let attempt = async || match self.attempt(purpose, &send).await {
            Ok(fetched) => Ok(Ok(fetched)),
            Err(Attempt::Failed(error)) => Err(error),
            Err(Attempt::End(end)) => Ok(Err(end)),
        };
        // An answer is waited for as long as there is time to store it.
        let outcome = tokio::select! {
            outcome = retry.run("asking PracticeQ", attempt) => outcome,
            halt = run.halted() => Ok(Err(halt.into())),
            () = tokio::time::sleep(left) => Ok(Err(time_over())),
        };
        match outcome {
            Ok(Ok(fetched)) => {
                self.began.get_or_insert(fetched.asked_at);
                self.answers += 1;
                Ok(fetched)
            }
            Ok(Err(end)) => Err(end.into()),
            // The key or the configuration is refused.
            Err(error) if error.is_usage() => Err(End::from(error.context(purpose)).into()),
            Err(error) => {
                Err(FetchError::Unanswered { purpose: purpose.to_owned(), error, is_first: self.answers == 0 })
            }
        }
    }

    /// One attempt. After an answer of 429 there is a second request in it.
    async fn attempt<T>(
        &mut self,
        purpose: &str,
        send: &impl AsyncFn(&PracticeQ) -> Result<Reply<T>, Error>,
    ) -> Result<Fetched<T>, Attempt> {
        let mut is_limited = false;
        loop {
            let asked_at = self.limiter.acquire(purpose, &self.progress).await?;
            match send(&self.api).await.map_err(Attempt::Failed)? {
                Reply::Content(content) => return Ok(Fetched { content, asked_at }),
                Reply::TooManyRequests(pause) => {
                    self.limiter.pause(pause, asked_at).await?;
                    if is_limited {
                        let message = "the account asked twice in a row to be left alone (429)";
                        return Err(End::stop(StopReason::RateLimited, message).into());
                    }
                    is_limited = true;
                }
            }
        }
    }
}

/// The reason for which an attempt gave no answer.
enum Attempt {
    Failed(Error),
    End(End),
}

impl<E: Into<End>> From<E> for Attempt {
    fn from(end: E) -> Self {
        Self::End(end.into())
    }
}

impl From<End> for FetchError {
    fn from(end: End) -> Self {
        Self::End(end)
    }
}

impl From<Halt> for FetchError {
    fn from(halt: Halt) -> Self {
        Self::End(halt.into())
    }
}

/// Where the account has answered before, the next run continues with the request.
impl From<FetchError> for End {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::End(end) => end,
            FetchError::Unanswered { error, is_first: false, .. } => Self::stop(StopReason::Unanswered, error.message),
            FetchError::Unanswered { error, purpose, is_first: true } => error.context(purpose).into(),
        }
    }
}
