//! The retry of actions that failed because of the connection or the server, and of no others.

use std::time::Duration;

use tokio::time::Instant;
use tracing::warn;

use crate::error::{Error, ErrorKind};

#[derive(Clone, Copy)]
pub struct Retry {
    pub attempts: u32,
    /// The wait before the second attempt. It doubles with each attempt, up to a minute; up to a quarter is added at
    /// random, so that runs do not retry at the same moment.
    pub delay: Duration,
    /// The end of the time for it, where it has one: no wait goes beyond.
    pub until: Option<Instant>,
}

/// The longest wait between two attempts.
const DELAY_MAX: Duration = Duration::from_secs(60);

impl Retry {
    pub async fn run<T>(&self, what: &str, mut attempt: impl AsyncFnMut() -> Result<T, Error>) -> Result<T, Error> {
        let mut delay = self.delay;
        for number in 1.. {
            match attempt().await {
                Err(error) if error.kind == ErrorKind::Transient && number < self.attempts => {
                    let wait = delay.min(DELAY_MAX).mul_f64(1.0 + fastrand::f64() / 4.0);
                    if self.until.is_some_and(|until| Instant::now() + wait >= until) {
                        return Err(error.context("no time is left to try again"));
                    }
                    warn!(
                        error_code = %error.code, attempt = number, attempts = self.attempts,
                        wait_ms = wait.as_millis() as u64, "{what}: {}; trying again", error.message
                    );
                    tokio::time::sleep(wait).await;
                    delay = delay.saturating_mul(2);
                }
                Err(error) if error.kind == ErrorKind::Transient && number > 1 => {
                    return Err(error.context(format_args!("gave up after {number} attempts")));
                }
                outcome => return outcome,
            }
        }
        unreachable!("the last attempt returns")
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    async fn attempts_within(until: Option<Duration>) -> (u32, Error) {
        let delay = Duration::from_millis(20);
        let retry = Retry { attempts: 4, delay, until: until.map(|until| Instant::now() + until) };
        let made = Cell::new(0);
        let failing = async || {
            made.set(made.get() + 1);
            Err::<(), Error>(Error::new("CONNECTION", ErrorKind::Transient, "gone"))
        };
        let error = retry.run("asking", failing).await.expect_err("each attempt fails");
        (made.get(), error)
    }

    #[tokio::test]
    async fn no_wait_goes_beyond_the_time_that_is_left() {
        let (made, error) = attempts_within(None).await;
        assert_eq!((made, error.message.as_str()), (4, "gave up after 4 attempts: gone"));
        let (made, error) = attempts_within(Some(Duration::ZERO)).await;
        assert_eq!((made, error.message.as_str()), (1, "no time is left to try again: gone"));
        // The waits are at least 20 and 40 ms.
        assert!(attempts_within(Some(Duration::from_millis(55))).await.0 <= 2);
    }
}
