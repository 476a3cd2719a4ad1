//! Stages a file: a thread reads, splits and encodes its lines, and one or two connections copy them into a table.
//!
//! Encoded rows wait in short queues, so the memory does not depend on the size of the file.

use std::fmt;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use bytes::Bytes;
use futures_util::SinkExt;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_postgres::Transaction;
use uuid::Uuid;

use super::columns::Columns;
use super::csv::{Lines, Splitter};
use super::pfile::{Pfile, broken};
use super::progress::Progress;
use super::row::{Encoder, LineKind, STAGED};
use crate::db::{Row, SchemaName, statements};
use crate::error::{Error, ErrorKind};

statements! {
    STAGING_TABLES(TEXT) =
        "SELECT format('%I.%I', n.nspname, c.relname) AS name, pg_get_userbyid(c.relowner)::text AS owner,
                -- The owner of the schema may drop it, too.
                pg_has_role(c.relowner, 'USAGE') OR pg_has_role(n.nspowner, 'USAGE') AS is_ours
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind = 'r' AND n.nspname = $1 AND c.relname ~ '^npi_stage_[0-9a-f]{32}$'
         ORDER BY c.relname";
}

const CHUNK: usize = 128 << 10;
/// How many chunks may wait for each connection.
const QUEUE: usize = 4;
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: &[u8] = &(-1_i16).to_be_bytes();

/// The header of a staged file, and its counts.
#[derive(Debug, Default)]
pub struct Staged {
    pub header: String,
    /// Lines without the header.
    pub rows: u64,
    /// The rows of entity type 0, 1 and 2.
    pub by_type: [u64; 3],
    pub rejected: u64,
    pub bytes: u64,
    /// The names of columns that this program does not know.
    pub unknown: Vec<String>,
}

/// The table that a run copies a file into. It is named after the run, so that no other run uses it. It is in a schema of
/// its own, because whoever may create something in ours could run code as the role of every job.
#[derive(Clone)]
pub struct StagingTable(String);

/// The staging table of a run that died.
pub struct Leftover {
    pub table: StagingTable,
    pub owner: String,
    /// Whether the role of this run may drop it.
    pub is_ours: bool,
}

impl StagingTable {
    pub fn of(schema: &SchemaName, run: Uuid) -> Self {
        Self(format!("{}.npi_stage_{}", schema.staging().quoted(), run.simple()))
    }

    /// The choices of the templates that name it.
    pub fn examples() -> Vec<Self> {
        vec![Self("npi_stage".into())]
    }

    /// The staging tables of all runs.
    pub async fn all(tx: &Transaction<'_>, schema: &SchemaName) -> Result<Vec<Leftover>, Error> {
        let rows = STAGING_TABLES.all(tx, &[&schema.staging().as_str()]).await?;
        let leftover =
            |row: &Row| Leftover { table: Self(row.get("name")), owner: row.get("owner"), is_ours: row.get("is_ours") };
        Ok(rows.iter().map(leftover).collect())
    }

    pub async fn create(&self, tx: &Transaction<'_>) -> Result<(), Error> {
        let columns: Vec<_> = STAGED.iter().map(|(name, kind)| format!("{name} {kind}")).collect();
        Ok(tx.batch_execute(&format!("CREATE UNLOGGED TABLE {self} ({})", columns.join(", "))).await?)
    }

    pub async fn drop(&self, tx: &Transaction<'_>) -> Result<(), Error> {
        Ok(tx.batch_execute(&format!("DROP TABLE IF EXISTS {self}")).await?)
    }

    /// Gives the planner its statistics; autovacuum would come too late.
    pub async fn analyze(&self, tx: &Transaction<'_>) -> Result<(), Error> {
        Ok(tx.batch_execute(&format!("ANALYZE {self} (npi, line, reject)")).await?)
    }

    /// Copies the chunks of a queue into the table.
    pub async fn copy(&self, tx: &Transaction<'_>, mut chunks: Chunks) -> Result<(), Error> {
        let columns: Vec<_> = STAGED.iter().map(|(name, _)| *name).collect();
        let copy = format!("COPY {self} ({}) FROM STDIN (FORMAT binary)", columns.join(", "));
        let mut sink = Box::pin(tx.copy_in::<_, Bytes>(&copy).await?);
        sink.send(Bytes::from_static(SIGNATURE)).await?;
        while let Some(chunk) = chunks.recv().await {
            sink.send(Bytes::from(chunk)).await?;
        }
        sink.send(Bytes::from_static(TRAILER)).await?;
        sink.as_mut().finish().await?;
        Ok(())
    }
}

impl fmt::Display for StagingTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The thread that reads a file.
pub type Reading = tokio::task::JoinHandle<Result<Staged, Error>>;
/// Encoded rows, for one connection.
pub type Chunks = Receiver<Vec<u8>>;

/// Reads a file on a thread of its own, into a queue for each connection.
pub fn parse(mut file: File, pfile: Pfile, connections: usize, progress: Arc<Progress>) -> (Reading, Vec<Chunks>) {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..connections).map(|_| channel(QUEUE)).unzip();
    progress.total.store(pfile.bytes, Ordering::Relaxed);
    let handle = tokio::task::spawn_blocking(move || {
        pfile.read(&mut file, |reader| {
            let began = Instant::now();
            let staged = Parser { senders, turn: 0, progress }.run(Lines::new(reader), pfile.bytes)?;
            let seconds = began.elapsed().as_secs_f64();
            tracing::debug!(rows = staged.rows, bytes = staged.bytes, seconds, "read");
            Ok(staged)
        })
    });
    (handle, receivers)
}

struct Parser {
    senders: Vec<Sender<Vec<u8>>>,
    turn: usize,
    progress: Arc<Progress>,
}

impl Parser {
    fn run<R: std::io::Read>(mut self, mut lines: Lines<R>, bytes: u64) -> Result<Staged, Error> {
        let mut staged = Staged::default();
        let mut encoder = encoder(&mut lines, &mut staged)?;
        let mut chunk = Vec::with_capacity(CHUNK + (16 << 10));
        let mut number = 1;
        while let Some((line, took)) = lines.line().map_err(|error| broken(&error))? {
            staged.bytes += took as u64;
            number += 1;
            if line.is_empty() {
                continue;
            }
            staged.rows += 1;
            match encoder.row(number, line, &mut chunk) {
                LineKind::Row(entity_type) => staged.by_type[usize::from(entity_type)] += 1,
                LineKind::Rejected => staged.rejected += 1,
            }
            if chunk.len() >= CHUNK {
                self.send(std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK + (16 << 10))))?;
                self.progress.bytes.store(staged.bytes, Ordering::Relaxed);
                self.progress.rows.store(staged.rows, Ordering::Relaxed);
            }
        }
        if staged.bytes != bytes {
            let message = format!("its main file has {} bytes of {bytes}", staged.bytes);
            return Err(Error::new("NPPES_BAD_ZIP", ErrorKind::Other, message));
        }
        self.send(chunk)?;
        Ok(staged)
    }

    /// Gives a chunk to a connection whose queue has room, else to the next in turn.
    fn send(&mut self, chunk: Vec<u8>) -> Result<(), Error> {
        if chunk.is_empty() {
            return Ok(());
        }
        let count = self.senders.len();
        let free = (0..count).map(|offset| (self.turn + offset) % count).find(|at| self.senders[*at].capacity() > 0);
        let at = free.unwrap_or(self.turn % count);
        self.turn = at + 1;
        let gone = |_| Error::new("STAGING_STOPPED", ErrorKind::Other, "nobody takes the rows any more");
        self.senders[at].blocking_send(chunk).map_err(gone)
    }
}

/// Reads the header, which says where each column is.
fn encoder<R: std::io::Read>(lines: &mut Lines<R>, staged: &mut Staged) -> Result<Encoder, Error> {
    let missing = |what| Error::new("NPPES_HEADER", ErrorKind::Other, what);
    let first = lines.line().map_err(|error| broken(&error))?;
    let (line, took) = first.ok_or_else(|| missing("the main file is empty"))?;
    staged.bytes += took as u64;
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    staged.header = String::from_utf8(line.to_vec()).map_err(|_| missing("the header is not UTF-8"))?;
    let mut splitter = Splitter::default();
    let fields = splitter.split(line);
    let names: Vec<&str> =
        (0..fields.len()).map(|index| std::str::from_utf8(fields.get(index)).unwrap_or_default()).collect();
    let (columns, unknown) = Columns::of(&names)?;
    staged.unknown = unknown;
    Ok(Encoder::new(columns, line.to_vec()))
}
