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
use tracing::warn;
use uuid::Uuid;

use super::columns::Columns;
use super::csv::{End, LineKind, Lines, RowEncoder, Splitter, is_open};
use super::other_names::NameEncoder;
use super::pfile::{Pfile, broken};
use super::progress::Progress;
use super::row::Encoder;
use super::tuple::STAGED;
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
/// A row in more lines than this, or longer, is none: a quote is missing, and must not swallow the rows after it.
const ROW_LINES_MAX: u64 = 50;
const ROW_BYTES_MAX: usize = 64 << 10;
/// How many chunks may wait for each connection.
const QUEUE: usize = 4;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: &[u8] = &(-1_i16).to_be_bytes();

/// What was staged of a file.
#[derive(Clone, Debug, Default)]
pub struct Staged {
    pub header: String,
    pub main: Counts,
    /// Of the file of other names, where one is in the zip that can be read.
    pub other_names: Option<Counts>,
    /// The names of columns that this program does not know.
    pub unknown: Vec<String>,
}

/// Rows without the header.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    pub rows: u64,
    /// The rows of entity type 0, 1 and 2.
    pub by_type: [u64; 3],
    pub rejected: u64,
    pub bytes: u64,
}

impl Staged {
    /// The rows of the staging table, and those of them that are put aside.
    pub fn in_table(&self) -> (u64, u64) {
        let of = |count: fn(&Counts) -> u64| count(&self.main) + self.other_names.as_ref().map_or(0, count);
        (of(|counts| counts.rows), of(|counts| counts.rejected))
    }
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
    let others = pfile.other_names.clone();
    progress.total.store(pfile.bytes + others.as_ref().map_or(0, |names| names.bytes), Ordering::Relaxed);
    let handle = tokio::task::spawn_blocking(move || {
        let began = Instant::now();
        let mut parser = Parser { senders, turn: 0, progress, chunk: new_chunk(), bytes: 0, rows: 0 };
        let mut staged = pfile.read(&mut file, |reader| parser.main_file(Lines::new(reader), pfile.bytes))?;
        if let Some(names) = others {
            let read = |reader: &mut dyn std::io::Read| parser.other_names(Lines::new(reader), names.bytes);
            staged.other_names = pfile.read_other_names(&mut file, &names, read)?;
        }
        parser.send()?;
        let seconds = began.elapsed().as_secs_f64();
        tracing::debug!(rows = staged.main.rows, bytes = staged.main.bytes, seconds, "read");
        Ok(staged)
    });
    (handle, receivers)
}

struct Parser {
    senders: Vec<Sender<Vec<u8>>>,
    turn: usize,
    progress: Arc<Progress>,
    chunk: Vec<u8>,
    /// Of all files so far.
    bytes: u64,
    rows: u64,
}

fn new_chunk() -> Vec<u8> {
    Vec::with_capacity(CHUNK + (16 << 10))
}

impl Parser {
    fn main_file<R: std::io::Read>(&mut self, mut lines: Lines<R>, bytes: u64) -> Result<Staged, Error> {
        let mut staged = Staged::default();
        let mut encoder = encoder(&mut lines, &mut staged)?;
        self.rows(&mut lines, &mut encoder, &mut staged.main)?;
        complete("main file", &staged.main, bytes)?;
        Ok(staged)
    }

    /// Nothing where its columns are not known: it adds to the main file, which is loaded without it.
    fn other_names<R: std::io::Read>(&mut self, mut lines: Lines<R>, bytes: u64) -> Result<Option<Counts>, Error> {
        let header = lines.line().map_err(|error| broken(&error))?;
        let known = header.and_then(|(line, took)| {
            Some((NameEncoder::of(line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line))?, took as u64))
        });
        let Some((mut encoder, took)) = known else {
            warn!(error_code = "NPPES_HEADER", "a column is missing in the file of other names; it was not read");
            return Ok(None);
        };
        let mut counts = Counts { bytes: took, ..Counts::default() };
        self.rows(&mut lines, &mut encoder, &mut counts)?;
        complete("file of other names", &counts, bytes)?;
        Ok(Some(counts))
    }

    fn rows<R: std::io::Read>(
        &mut self,
        lines: &mut Lines<R>,
        encoder: &mut impl RowEncoder,
        counts: &mut Counts,
    ) -> Result<(), Error> {
        let mut number = 1;
        while let Some((line, took)) = lines.line().map_err(|error| broken(&error))? {
            counts.bytes += took as u64;
            number += 1;
            if line.is_empty() {
                continue;
            }
            counts.rows += 1;
            let mut kind = encoder.row(number, line, End::OfLine, &mut self.chunk);
            if kind == LineKind::Open {
                let (lines_more, bytes) = lines_of_row(lines, encoder, took)?;
                kind = encoder.row(number, lines.back(bytes), End::OfRow, &mut self.chunk);
                counts.bytes += (bytes - took) as u64;
                number += lines_more;
            }
            match kind {
                LineKind::Row(entity_type) => counts.by_type[usize::from(entity_type)] += 1,
                LineKind::Rejected | LineKind::Open => counts.rejected += 1,
            }
            if self.chunk.len() >= CHUNK {
                self.send()?;
                self.progress.bytes.store(self.bytes + counts.bytes, Ordering::Relaxed);
                self.progress.rows.store(self.rows + counts.rows, Ordering::Relaxed);
            }
        }
        self.bytes += counts.bytes;
        self.rows += counts.rows;
        Ok(())
    }

    /// Gives a chunk to a connection whose queue has room, else to the next in turn.
    fn send(&mut self) -> Result<(), Error> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.chunk, new_chunk());
        let count = self.senders.len();
        let free = (0..count).map(|offset| (self.turn + offset) % count).find(|at| self.senders[*at].capacity() > 0);
        let at = free.unwrap_or(self.turn % count);
        self.turn = at + 1;
        let gone = |_| Error::new("STAGING_STOPPED", ErrorKind::Other, "nobody takes the rows any more");
        self.senders[at].blocking_send(chunk).map_err(gone)
    }
}

/// Refuses a file of which less or more was there than the zip says.
fn complete(what: &str, counts: &Counts, bytes: u64) -> Result<(), Error> {
    if counts.bytes == bytes {
        return Ok(());
    }
    let message = format!("its {what} has {} bytes of {bytes}", counts.bytes);
    Err(Error::new("NPPES_BAD_ZIP", ErrorKind::Other, message))
}

/// Looks how many more lines a row goes on that is open at the end of its first one, and how many bytes it has then. It
/// has one line where no lines after it close it to a row.
fn lines_of_row<R: std::io::Read>(
    lines: &mut Lines<R>,
    encoder: &mut impl RowEncoder,
    first: usize,
) -> Result<(u64, usize), Error> {
    let mut before = first;
    for more in 1..=ROW_LINES_MAX {
        let Some((text, bytes)) = lines.extend().map_err(|error| broken(&error))? else { break };
        if bytes > ROW_BYTES_MAX || encoder.is_whole(&text[before.min(text.len())..]) {
            break;
        }
        if !is_open(text) {
            return Ok(if encoder.has_its_columns(text) { (more, bytes) } else { (0, first) });
        }
        before = bytes;
    }
    Ok((0, first))
}

/// Reads the header, which says where each column is.
fn encoder<R: std::io::Read>(lines: &mut Lines<R>, staged: &mut Staged) -> Result<Encoder, Error> {
    let missing = |what| Error::new("NPPES_HEADER", ErrorKind::Other, what);
    let first = lines.line().map_err(|error| broken(&error))?;
    let (line, took) = first.ok_or_else(|| missing("the main file is empty"))?;
    staged.main.bytes += took as u64;
    let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
    staged.header = String::from_utf8(line.to_vec()).map_err(|_| missing("the header is not UTF-8"))?;
    let mut splitter = Splitter::default();
    let fields = splitter.split(line);
    let names: Vec<&str> =
        (0..fields.len()).map(|index| std::str::from_utf8(fields.get(index)).unwrap_or_default()).collect();
    let (columns, unknown) = Columns::of(&names)?;
    staged.unknown = unknown;
    Ok(Encoder::new(columns, line.to_vec()))
}
