//! The server of the national provider registry (NPPES): the page that links its files, and downloads that are resumed.

use std::fs::File;
use std::io::{Seek, Write};
use std::time::Duration;

use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderValue, IF_RANGE, LAST_MODIFIED, RANGE, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url};
use ring::digest::{Context, SHA256};

use super::{RetryAfter, body, hex, retry_after, send};
use crate::error::file_error;
use crate::error::{Error, ErrorKind};
use crate::retry::Retry;

/// The real page has some kilobytes.
const PAGE_MAX: usize = 4 << 20;
/// The time for the question whether a file has changed, which is no reason to wait.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// The server that has the page and the files.
pub struct Nppes {
    client: Client,
    page: Url,
}

/// The size and the digest of a file, which identify its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    pub bytes: u64,
    /// In hexadecimal digits.
    pub sha256: String,
}

/// The size and the ETag of a file, as the server says them without sending it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    pub bytes: Option<u64>,
    /// Where there is none, the date of the last change.
    pub etag: Option<String>,
}

/// How a download ended.
enum Received {
    File,
    /// The server sent a page (HTML) instead of the file. Some servers do so with status 200.
    Html,
}

/// The state of a download, kept across attempts so that one can resume another.
struct Download<'a> {
    file: &'a mut File,
    bytes: u64,
    digest: Context,
    /// That by which the download is resumed.
    etag: Option<HeaderValue>,
    /// The ETag as the ledger keeps it, which may be a weak one.
    published: Option<String>,
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
            let html = body(self.request(self.page.clone(), None).await?, PAGE_MAX).await?.ok_or_else(too_long)?;
            Ok(String::from_utf8_lossy(&html).into_owned())
        };
        let page = retry.run("reading the page of NPPES files", get).await;
        page.map_err(|error| Error { code: "NPPES_PAGE".into(), ..error.context("the page NPI_Files.html") })
    }

    /// Asks for the size and the ETag of a file.
    pub async fn published(&self, name: &str) -> Result<Published, Error> {
        let url = self.page.join(name).map_err(|_| configuration("a name of a file that is none"))?;
        let response = send(self.client.head(url).timeout(HEAD_TIMEOUT)).await?;
        let status = response.status();
        if status != StatusCode::OK {
            return Err(Error::new("NPPES_HTTP", ErrorKind::Other, format!("the server answered {status}")));
        }
        let length = response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        Ok(Published { bytes: length.and_then(|length| length.parse().ok()), etag: etag(&response) })
    }

    /// Downloads a file that the page links, and calls `progress` after each chunk with the bytes received and the
    /// total.
    pub async fn download(
        &self,
        name: &str,
        file: &mut File,
        retry: Retry,
        progress: impl Fn(u64, Option<u64>),
    ) -> Result<(Content, Option<String>), Error> {
        let url = self.page.join(name).map_err(|_| configuration("a name of a file that is none"))?;
        let mut download = Download { file, bytes: 0, digest: Context::new(&SHA256), etag: None, published: None };
        let what = format!("downloading {name}");
        let received = loop {
            let before = download.bytes;
            let received = retry.run(&what, async || self.resume(url.clone(), &mut download, &progress).await).await;
            // On a bad line a large file takes many attempts: there is another round as long as the last made progress.
            match received {
                Err(error) if error.kind == ErrorKind::Transient && download.bytes > before => {}
                received => break received,
            }
        };
        let failed = |error: Error| error.context(format_args!("{name} could not be downloaded"));
        match received {
            Ok(Received::File) => {}
            Ok(Received::Html) => {
                let message = "the server sent a page (HTML) instead of a zip";
                return Err(failed(Error::new("NPPES_NOT_A_ZIP", ErrorKind::Other, message)));
            }
            Err(error) => return Err(Error { code: "NPPES_HTTP".into(), ..failed(error) }),
        }
        let sha256 = hex(download.digest.finish().as_ref());
        Ok((Content { bytes: download.bytes, sha256 }, download.published))
    }

    /// One attempt: receives the rest of the file, or all of it where the server does not resume.
    async fn resume(
        &self,
        url: Url,
        download: &mut Download<'_>,
        progress: &impl Fn(u64, Option<u64>),
    ) -> Result<Received, Error> {
        let mut response = self.request(url, (download.bytes > 0).then_some(&*download)).await?;
        let length = response.content_length();
        let total = match response.status() {
            StatusCode::PARTIAL_CONTENT => total_of_range(&response, download.bytes)?,
            StatusCode::RANGE_NOT_SATISFIABLE => {
                return download.check_complete(&response).map(|()| Received::File);
            }
            // The server sends the whole file, also where only the rest was requested.
            _ => {
                download.restart(&response)?;
                length
            }
        };
        while let Some(chunk) = response.chunk().await? {
            if download.bytes == 0 && chunk.trim_ascii_start().starts_with(b"<") {
                return Ok(Received::Html);
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
            _ => Ok(Received::File),
        }
    }

    /// Requests a URL, or the rest of a download. An error that may pass is transient, and returned after the wait that
    /// the server asks for.
    async fn request(&self, url: Url, rest_of: Option<&Download<'_>>) -> Result<Response, Error> {
        let mut request = self.client.get(url);
        if let Some(download) = rest_of {
            request = request.header(RANGE, format!("bytes={}-", download.bytes));
            if let Some(etag) = &download.etag {
                request = request.header(IF_RANGE, etag.clone());
            }
        }
        let response = send(request).await?;
        let status = response.status();
        let partial = [StatusCode::PARTIAL_CONTENT, StatusCode::RANGE_NOT_SATISFIABLE];
        if status == StatusCode::OK || (partial.contains(&status) && rest_of.is_some()) {
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
    /// The server has no bytes after ours. The download is complete where it has the length that the server names now;
    /// otherwise the next attempt starts again.
    fn check_complete(&mut self, response: &Response) -> Result<(), Error> {
        let range = response.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
        if range.and_then(|range| range.strip_prefix("bytes */")?.parse().ok()) == Some(self.bytes) {
            return Ok(());
        }
        self.bytes = 0;
        Err(Error::new("NPPES_HTTP", ErrorKind::Transient, "the server does not know the rest of the file"))
    }

    /// Drops the bytes that were received, for a response that has the whole file.
    fn restart(&mut self, response: &Response) -> Result<(), Error> {
        self.file.set_len(0).and_then(|()| self.file.rewind()).map_err(|error| disk(&error))?;
        self.bytes = 0;
        self.digest = Context::new(&SHA256);
        // A weak ETag does not promise that the bytes are the same.
        let etag = response.headers().get(ETAG).filter(|etag| !etag.as_bytes().starts_with(b"W/"));
        self.etag = etag.cloned();
        self.published = self::etag(response);
        Ok(())
    }
}

/// The ETag without the mark of a weak one, which a server may set in one answer and not in the next; where a server has
/// none, the date of the last change.
fn etag(response: &Response) -> Option<String> {
    let headers = response.headers();
    let etag = headers.get(ETAG).or_else(|| headers.get(LAST_MODIFIED))?.to_str().ok()?;
    Some(etag.strip_prefix("W/").unwrap_or(etag).to_owned())
}

/// The length of the whole file, from the response to a range request. It must begin where our bytes end.
fn total_of_range(response: &Response, bytes: u64) -> Result<Option<u64>, Error> {
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

/// The error for a local file that cannot be read or written.
pub fn disk(error: &std::io::Error) -> Error {
    Error::new("NPPES_DISK", ErrorKind::Other, format!("a file cannot be read or written: {}", file_error(error)))
}

fn configuration(message: &'static str) -> Error {
    Error::new("CONFIGURATION", ErrorKind::Refused, message)
}
