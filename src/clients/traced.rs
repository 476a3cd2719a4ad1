//! Requests, each within a span where a trace is on: its method, the server, the answer's status. No path and no query,
//! which hold ids.

use std::future::Future;
use std::pin::Pin;

use object_store::client::{HttpError, HttpRequest, HttpResponse, HttpService};
use reqwest::{Method, RequestBuilder, Response, Url};

use super::failure;
use crate::trace::{self, Span};

/// Sends a request. The span ends where its answer begins.
pub async fn send(request: RequestBuilder) -> Result<Response, reqwest::Error> {
    if !trace::is_on() {
        return request.send().await;
    }
    let (client, request) = request.build_split();
    let request = request?;
    let mut span = begin(request.method(), request.url());
    let answered = client.execute(request).await;
    match &answered {
        Ok(response) => end(&mut span, response.status().as_u16()),
        Err(error) => span.fail(failure(error)),
    }
    answered
}

fn begin(method: &Method, url: &Url) -> Span {
    let mut span = trace::request(method.as_str(), url.host_str(), url.port_or_known_default());
    span.set("http.request.method", method.as_str().to_owned());
    span.set("url.scheme", url.scheme().to_owned());
    span
}

fn end(span: &mut Span, status: u16) {
    span.set("http.response.status_code", i64::from(status));
    if status >= 400 {
        span.fail(&status.to_string());
    }
}

/// A client of the archive whose requests have spans.
#[derive(Debug)]
pub struct Traced(pub reqwest::Client);

type Answered<'a> = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'a>>;

impl HttpService for Traced {
    fn call<'life, 'answer>(&'life self, request: HttpRequest) -> Answered<'answer>
    where
        'life: 'answer,
        Self: 'answer,
    {
        Box::pin(async move {
            let url = Url::parse(&request.uri().to_string()).ok().filter(|_| trace::is_on());
            let mut span = url.map(|url| begin(request.method(), &url));
            let answered = self.0.call(request).await;
            if let Some(span) = &mut span {
                match &answered {
                    Ok(response) => end(span, response.status().as_u16()),
                    Err(_) => span.fail("no answer"),
                }
            }
            answered
        })
    }
}
