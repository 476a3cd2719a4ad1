//! The server that all tests share, and a database for each test, which is dropped when the test is done with it.

use std::fmt;
use std::ops::Deref;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls};

use super::keys::Kind;
use super::scratch::{Durability, Scratch};
use super::{Program, in_roles, role};

/// A file system in memory. The tests wait for the disk otherwise: each of them copies a database.
const MEMORY: &str = "/dev/shm";
/// The tests take up to a gigabyte of it; a machine, or a container, with less than this is left its memory.
const ROOM: u64 = 2 << 30;

/// The server that all tests share.
pub fn server() -> &'static Scratch {
    static SERVER: OnceLock<Result<Scratch, String>> = OnceLock::new();
    match SERVER.get_or_init(|| Scratch::start(&server_place(), Durability::None)) {
        Ok(server) => server,
        Err(error) => panic!("{error}"),
    }
}

/// The directory in which a test server is put: in memory where there is room, else the temporary directory.
pub fn server_place() -> PathBuf {
    if free_bytes(Path::new(MEMORY)) >= ROOM { MEMORY.into() } else { std::env::temp_dir() }
}

/// How much of a file system is free; 0 where it is not there.
fn free_bytes(path: &Path) -> u64 {
    let path = std::ffi::CString::new(path.as_os_str().as_bytes()).expect("a path without NUL");
    let mut stat = std::mem::MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: both pointers are valid for the call; the zeroed struct is a valid value where the call fails.
    let stat = unsafe {
        if libc::statvfs(path.as_ptr(), stat.as_mut_ptr()) != 0 {
            return 0;
        }
        stat.assume_init()
    };
    #[allow(clippy::unnecessary_cast, reason = "their types differ between systems")]
    let (blocks, size) = (stat.f_bavail as u64, stat.f_frsize as u64);
    blocks * size
}

/// A direct connection.
pub async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("the test server answers");
    tokio::spawn(connection);
    let settings = "SET search_path = rounds, public; SET TimeZone = 'UTC'";
    client.batch_execute(settings).await.expect("a server takes settings");
    client
}

/// Makes a database one that may be copied: the first run in a copy records which database it is.
async fn forget_identity(client: &Client) {
    client.batch_execute("DELETE FROM rounds.database_identity").await.expect("a migrated database");
}

/// Makes the template of a kind of clinic, once.
async fn template(kind: Kind, admin: &Client) -> &'static str {
    static TEMPLATES: [OnceCell<()>; 3] = [const { OnceCell::const_new() }; 3];
    let name = kind.template();
    TEMPLATES[kind as usize]
        .get_or_init(async || {
            admin.batch_execute(&format!("CREATE DATABASE {name}")).await.expect("a new server has no such database");
            let url = server().url(name);
            let with: &[&str] = if kind == Kind::Bigint { &["--with-clinic-tables"] } else { &[] };
            let outcome = Program::new(&url).run(&[&["migrate"], with].concat()).await;
            assert_eq!(outcome.code, 0, "{}", outcome.stderr);
            let client = connect(&url).await;
            kind.complete(&client).await;
            if in_roles() && kind == Kind::Bigint {
                let outcome = Program::new(&url).run(&["grants", "--apply", "--prefix", role::SHARED]).await;
                assert_eq!(outcome.code, 0, "{}", outcome.stderr);
                // What a test makes, such as a table that its trigger writes, is no secret of the clinic's.
                let all = "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC;
                           ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO PUBLIC";
                client.batch_execute(all).await.expect("the owner may say so");
            }
            forget_identity(&client).await;
        })
        .await;
    name
}

/// A template that some tests make by themselves, such as an application's tables with a kit.
pub struct Template {
    name: &'static str,
    made: OnceCell<()>,
}

impl Template {
    pub const fn new(name: &'static str) -> Self {
        Self { name, made: OnceCell::const_new() }
    }
}

/// A new database that stays as long as the server: of a kind of clinic, or empty.
pub async fn database(kind: Option<Kind>) -> String {
    let admin = connect(&server().url("postgres")).await;
    let template = match kind {
        Some(kind) => template(kind, &admin).await,
        None => "template0",
    };
    copy(template, &admin).await
}

/// A new copy of a database.
async fn copy(template: &str, admin: &Client) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    // A copy of the files needs less of the processor than a copy through the log.
    let create = format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy");
    admin.batch_execute(&create).await.expect("can be created");
    name
}

/// The name of a database that belongs to one test, and is dropped with this.
pub struct Database {
    name: String,
    ours: bool,
}

impl Database {
    pub async fn migrated(kind: Kind) -> Self {
        Self { name: database(Some(kind)).await, ours: true }
    }

    /// Of a template, which is made of an empty database the first time.
    pub async fn of_template(template: &Template, complete: impl AsyncFnOnce(&str)) -> Self {
        let admin = connect(&server().url("postgres")).await;
        let Template { name, made } = template;
        made.get_or_init(async || {
            admin.batch_execute(&format!("CREATE DATABASE {name}")).await.expect("a new server has no such database");
            complete(name).await;
            forget_identity(&connect(&server().url(name)).await).await;
        })
        .await;
        Self { name: copy(name, &admin).await, ours: true }
    }

    /// With nothing in it.
    pub async fn empty() -> Self {
        Self { name: database(None).await, ours: true }
    }

    /// A database that is not dropped.
    pub fn not_ours(name: &str) -> Self {
        Self { name: name.to_owned(), ours: false }
    }
}

impl Deref for Database {
    type Target = str;

    fn deref(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.ours {
            drop_later(std::mem::take(&mut self.name));
        }
    }
}

/// Has a thread of its own drop the database: a test neither waits for that nor fails by it.
fn drop_later(name: String) {
    static NAMES: OnceLock<mpsc::Sender<String>> = OnceLock::new();
    let names = NAMES.get_or_init(|| {
        let (sender, names) = mpsc::channel();
        thread::spawn(|| drop_all(names));
        sender
    });
    let _ = names.send(name);
}

fn drop_all(names: mpsc::Receiver<String>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("timers and sockets");
    runtime.block_on(async {
        let admin = connect(&server().url("postgres")).await;
        for name in names {
            let drop = format!("DROP DATABASE {name} WITH (FORCE)");
            let _ = tokio::time::timeout(Duration::from_secs(20), admin.batch_execute(&drop)).await;
        }
    });
}
