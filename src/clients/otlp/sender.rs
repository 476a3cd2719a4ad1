//! The HTTP of the exporters: our own client, on a runtime of its own for each request.
//!
//! The library exports on threads of its own, on which no runtime is. A name that is not resolved holds up that thread
//! alone.

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use reqwest::Url;

use crate::clients::{body, build, failure, once};
use crate::output::telling::BOUND;

/// What is read of an answer, which may say how much was not taken.
const ANSWER_MAX: usize = 64 << 10;

/// Sends what is exported, and keeps why the last request failed.
#[derive(Clone, Debug, Default)]
pub struct Sender {
    failure: Arc<Mutex<Option<String>>>,
}

type Answered<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>;

impl HttpClient for Sender {
    fn send_bytes<'life, 'answer>(&'life self, request: Request<Bytes>) -> Answered<'answer>
    where
        'life: 'answer,
        Self: 'answer,
    {
        let answered = self.post(request);
        let failed = match &answered {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(format!("HTTP {}", response.status().as_u16())),
            Err(why) => Some(why.clone()),
        };
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failed;
        Box::pin(ready(answered.map_err(HttpError::from)))
    }
}

impl Sender {
    /// Whether what was sent last was taken. The error names no address.
    pub fn outcome(&self) -> Result<(), String> {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.clone().map_or(Ok(()), Err)
    }

    fn post(&self, request: Request<Bytes>) -> Result<Response<Bytes>, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|_| "no timers and sockets".to_owned())?;
        let answered = runtime.block_on(answered(request));
        runtime.shutdown_background();
        answered
    }
}

async fn answered(request: Request<Bytes>) -> Result<Response<Bytes>, String> {
    let client = once().and_then(build).map_err(|error| error.message)?;
    let (head, content) = request.into_parts();
    let url = Url::parse(&head.uri.to_string()).map_err(|_| "is no URL".to_owned())?;
    let sent = client.request(head.method, url).headers(head.headers).body(content).timeout(BOUND).send();
    let response = sent.await.map_err(|error| failure(&error).to_owned())?;
    let status = response.status();
    let content = body(response, ANSWER_MAX).await.ok().flatten().unwrap_or_default();
    Response::builder().status(status).body(content.into()).map_err(|_| "no answer".to_owned())
}
