//! The retry of actions that failed because of the connection or the server, and of no others.

use std::time::Duration;

use tracing::warn;

use crate::error::{Error, ErrorKind};

#[derive(Clone, Copy)]
pub struct Retry {
    pub attempts: u32,
    /// The wait before the second attempt. It doubles with each attempt; up to a quarter is added at random, so that
    /// runs do not retry at the same moment.
    pub delay: Duration,
}

impl Retry {
    pub async fn run<T>(&self, what: &str, mut attempt: impl AsyncFnMut() -> Result<T, Error>) -> Result<T, Error> {
        let mut delay = self.delay;
        for number in 1.. {
            match attempt().await {
                Err(error) if error.kind == ErrorKind::Transient && number < self.attempts => {
                    let wait = delay + delay.mul_f64(fastrand::f64() / 4.0);
                    warn!(
                        error_code = %error.code, attempt = number, attempts = self.attempts,
                        wait_ms = wait.as_millis() as u64, "{what}: {}; trying again", error.message
                    );
                    tokio::time::sleep(wait).await;
                    delay *= 2;
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
