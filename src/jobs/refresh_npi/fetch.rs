//! Fetches files: from the page, or from the disk.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use chrono::{DateTime, Utc};
use reqwest::Url;
use ring::digest::{Context, SHA256};
use tokio_postgres::Transaction;
use tracing::{debug, info};

use super::names::{self, Name};
use super::progress::Bar;
use crate::clients::hex;
use crate::clients::nppes::{Content, Nppes, Published, disk};
use crate::db::CLOCK;
use crate::error::{Error, ErrorKind};
use crate::retry::Retry;
use crate::run::{Halt, Run};

/// A file that lies on the disk: a zip, or a main file itself. Staging, merge and archive take its facts from here.
pub struct DataFile {
    /// The name that the page, or its directory, has for it.
    pub name: String,
    pub file: File,
    pub content: Content,
    /// The server's, where it was downloaded.
    pub etag: Option<String>,
    /// When its download or its reading began.
    pub began: DateTime<Utc>,
}

/// The page, read once a run.
pub struct Source {
    server: Nppes,
    pub names: Vec<Name>,
}

impl Source {
    pub async fn new(base: &Url, retry: Retry) -> Result<Self, Error> {
        let server = Nppes::new(base)?;
        let names = names::of_page(&server.page(retry).await?);
        if names.is_empty() {
            let message = "the page NPI_Files.html names no file that is known here; nothing was loaded";
            return Err(Error::new("NPPES_PAGE", ErrorKind::Other, message));
        }
        Ok(Self { server, names })
    }

    pub async fn download(&self, run: &Run, name: &str) -> Result<DataFile, Halt> {
        run.checkpoint()?;
        let began = clock(run).await?;
        // The file has no name on the disk, so it goes away however the process ends.
        let mut file = tempfile::tempfile().map_err(|error| disk(&error))?;
        let bar = Bar::new(&format!("downloading {name}"));
        let progress = |bytes, total| bar.bytes(bytes, total);
        let (content, etag) = self.server.download(name, &mut file, run.retry(), progress).await?;
        info!(file = name, bytes = content.bytes, "downloaded");
        Ok(DataFile { name: name.to_owned(), file, content, etag, began })
    }

    /// What the server says of a file now; nothing where it does not say. That is no reason to load nothing.
    pub async fn published(&self, name: &str) -> Option<Published> {
        match self.server.published(name).await {
            Ok(published) => Some(published),
            Err(error) => {
                debug!(file = name, error_code = %error.code, "is it still the file that was loaded? {}", error.message);
                None
            }
        }
    }
}

impl DataFile {
    /// Opens a file of the operator.
    pub async fn open(run: &Run, path: &Path, name: &str) -> Result<Self, Halt> {
        let began = clock(run).await?;
        let mut file = File::open(path).map_err(|error| disk(&error))?;
        let read = tokio::task::spawn_blocking(move || digest(&mut file).map(|content| (file, content)));
        let (file, content) = joined(read.await)?.map_err(|error| disk(&error))?;
        Ok(Self { name: name.to_owned(), file, content, etag: None, began })
    }
}

async fn clock(run: &Run) -> Result<DateTime<Utc>, Halt> {
    let read = async |tx: &Transaction<'_>| Ok(CLOCK.one(tx, &[]).await?.get(0));
    run.read("reading the clock", read).await
}

fn digest(file: &mut File) -> io::Result<Content> {
    let (mut context, mut piece, mut bytes) = (Context::new(&SHA256), vec![0; 1 << 20], 0);
    loop {
        let count = file.read(&mut piece)?;
        if count == 0 {
            return Ok(Content { bytes, sha256: hex(context.finish().as_ref()) });
        }
        context.update(&piece[..count]);
        bytes += count as u64;
    }
}

/// The outcome of a thread that reads a file.
pub fn joined<T>(outcome: Result<T, tokio::task::JoinError>) -> Result<T, Error> {
    outcome.map_err(|_| {
        Error::new("THREAD", ErrorKind::Other, "the thread that reads the file ended badly: a defect of rounds")
    })
}
