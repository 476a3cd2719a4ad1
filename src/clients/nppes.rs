//! The files of the national provider registry: the page that links them, and downloads that go on where they broke off.

use std::fs::File;
use std::io::{Seek, Write};
use std::time::Duration;

use reqwest::header::{CONTENT_RANGE, ETAG, HeaderValue, IF_RANGE, RANGE, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url};
use ring::digest::{Context, SHA256};

use super::{RetryAfter, body, retry_after};
use crate::error::{Error, ErrorKind};
use crate::retry::Retry;

/// The page is some kilobytes.
const PAGE_MAX: usize = 4 << 20;
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// A server that has the page and the files.
pub struct Nppes {
    client: Client,
    page: Url,
}

/// What a download is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    pub bytes: u64,
    /// In hexadecimal digits.
    pub sha256: String,
}

/// How far a download is, across attempts.
struct Download<'a> {
    file: &'a mut File,
    bytes: u64,
    digest: Context,
    etag: Option<HeaderValue>,
}

impl Nppes {
    /// `base` is where the page is, with a slash at its end.
    pub fn new(base: &Url) -> Result<Self, Error> {
        let page = base.join("NPI_Files.html").map_err(|_| configuration("--base-url cannot have a page below it"))?;
        Ok(Self { client: super::http()?, page })
    }

    /// The page that links the files.
    pub async fn page(&self, retry: Retry) -> Result<String, Error> {
        let get = async || {
            let too_long = || Error::new("NPPES_PAGE", ErrorKind::Other, "the page is longer than any page of files");
            let html = body(self.ask(self.page.clone(), None).await?, PAGE_MAX).await?.ok_or_else(too_long)?;
            Ok(String::from_utf8_lossy(&html).into_owned())
        };
        let page = retry.run("reading the page of NPPES files", get).await;
        page.map_err(|error| Error { code: "NPPES_PAGE".into(), ..error.context("the page NPI_Files.html") })
    }

    /// Downloads a file that the page links. `progress` hears of each piece how long the file is by now, and how long it
    /// should be.
    pub async fn download(
        &self,
        name: &str,
        file: &mut File,
        retry: Retry,
        progress: impl Fn(u64, Option<u64>),
    ) -> Result<Content, Error> {
        let url = self.page.join(name).map_err(|_| configuration("a name of a file that is none"))?;
        let mut download = Download { file, bytes: 0, digest: Context::new(&SHA256), etag: None };
        let what = format!("downloading {name}");
        let done = loop {
            let before = download.bytes;
            let done = retry.run(&what, async || self.go_on(url.clone(), &mut download, &progress).await).await;
            // A long file over a bad line: as long as each round of attempts brings it on, there is another.
            match done {
                Err(error) if error.kind == ErrorKind::Transient && download.bytes > before => {}
                done => break done,
            }
        };
        done.map_err(|error| {
            let code = if error.code == "NPPES_NOT_A_ZIP" { error.code.clone() } else { "NPPES_HTTP".into() };
            Error { code, ..error.context(format_args!("{name} could not be downloaded")) }
        })?;
        let sha256 = hex(download.digest.finish().as_ref());
        Ok(Content { bytes: download.bytes, sha256 })
    }

    async fn go_on(
        &self,
        url: Url,
        download: &mut Download<'_>,
        progress: &impl Fn(u64, Option<u64>),
    ) -> Result<(), Error> {
        let mut response = self.ask(url, (download.bytes > 0).then_some(&*download)).await?;
        let length = response.content_length();
        let total = match response.status() {
            StatusCode::PARTIAL_CONTENT => resumed(&response, download.bytes)?,
            StatusCode::RANGE_NOT_SATISFIABLE => return download.at_its_end(&response),
            // The whole file, whether or not it was asked for.
            _ => {
                download.begin(&response)?;
                length
            }
        };
        while let Some(chunk) = response.chunk().await? {
            if download.bytes == 0 && chunk.trim_ascii_start().starts_with(b"<") {
                let message = "the server sent a page (HTML) instead of a zip";
                return Err(Error::new("NPPES_NOT_A_ZIP", ErrorKind::Other, message));
            }
            download.file.write_all(&chunk).map_err(|error| disk(&error))?;
            download.digest.update(&chunk);
            download.bytes += chunk.len() as u64;
            progress(download.bytes, total);
        }
        match total {
            Some(total) if total != download.bytes => {
                let message = format!("{} of {total} bytes came", download.bytes);
                Err(Error::new("NPPES_HTTP", ErrorKind::Transient, message))
            }
            _ => Ok(()),
        }
    }

    /// Asks for something, or for the rest of it. What may be better in a moment is transient.
    async fn ask(&self, url: Url, rest_of: Option<&Download<'_>>) -> Result<Response, Error> {
        let mut request = self.client.get(url);
        if let Some(download) = rest_of {
            request = request.header(RANGE, format!("bytes={}-", download.bytes));
            if let Some(etag) = &download.etag {
                request = request.header(IF_RANGE, etag.clone());
            }
        }
        let response = request.send().await?;
        let status = response.status();
        let of_a_rest = [StatusCode::PARTIAL_CONTENT, StatusCode::RANGE_NOT_SATISFIABLE];
        if status == StatusCode::OK || (of_a_rest.contains(&status) && rest_of.is_some()) {
            return Ok(response);
        }
        let again = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
        if again && response.headers().contains_key(RETRY_AFTER) {
            let wait = match retry_after(&response) {
                Some(RetryAfter::For(wait)) => wait.min(RETRY_AFTER_MAX),
                _ => RETRY_AFTER_MAX,
            };
            tokio::time::sleep(wait).await;
        }
        let kind = if again { ErrorKind::Transient } else { ErrorKind::Other };
        Err(Error::new("NPPES_HTTP", kind, format!("the server answered {status}")))
    }
}

impl Download<'_> {
    /// There is no rest: the length that was told before was wrong, and this is all; or else it begins anew.
    fn at_its_end(&mut self, response: &Response) -> Result<(), Error> {
        let range = response.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
        if range.and_then(|range| range.strip_prefix("bytes */")?.parse().ok()) == Some(self.bytes) {
            return Ok(());
        }
        self.bytes = 0;
        Err(Error::new("NPPES_HTTP", ErrorKind::Transient, "the server does not know the rest of the file"))
    }

    /// Forgets what was there.
    fn begin(&mut self, response: &Response) -> Result<(), Error> {
        self.file.set_len(0).and_then(|()| self.file.rewind()).map_err(|error| disk(&error))?;
        self.bytes = 0;
        self.digest = Context::new(&SHA256);
        // A weak one does not say that the bytes are the same.
        let etag = response.headers().get(ETAG).filter(|etag| !etag.as_bytes().starts_with(b"W/"));
        self.etag = etag.cloned();
        Ok(())
    }
}

/// How long the whole is, of an answer that goes on where we are.
fn resumed(response: &Response, bytes: u64) -> Result<Option<u64>, Error> {
    let range = response.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
    let (start, total) = range
        .and_then(|range| range.strip_prefix("bytes "))
        .and_then(|range| range.split_once('/'))
        .and_then(|(range, total)| Some((range.split_once('-')?.0.parse::<u64>().ok()?, total.parse().ok())))
        .unwrap_or((u64::MAX, None));
    if start == bytes {
        return Ok(total);
    }
    Err(Error::new("NPPES_HTTP", ErrorKind::Other, "the server sent another part of the file than was asked for"))
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file of ours that cannot be worked with.
pub fn disk(error: &std::io::Error) -> Error {
    Error::new("NPPES_DISK", ErrorKind::Other, format!("a file cannot be read or written: {}", error.kind()))
}

fn configuration(message: &'static str) -> Error {
    Error::new("CONFIGURATION", ErrorKind::Refused, message)
}
