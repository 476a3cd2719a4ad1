//! PgBouncer in transaction mode, on a Unix socket in the server's directory.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::{scratch, server};

pub const PORT: u16 = 6432;

/// The port of a pooler of a test's own.
const OTHER_PORT: u16 = 6433;

/// The address of a database through the pooler.
pub fn url(database: &str) -> String {
    static POOLER: OnceLock<Child> = OnceLock::new();
    POOLER.get_or_init(|| start(PORT, "", &[scratch::USER]));
    address(database, scratch::USER, PORT)
}

/// A pooler that logs in at the server as `login`, whoever its client is; or as the client, where there is none.
/// Returns the addresses of the database for each of its clients.
pub fn of_clients(database: &str, login: Option<&str>, clients: &[&str]) -> (Child, Vec<String>) {
    let forced = login.map_or(String::new(), |login| format!(" user={login}"));
    let pooler = start(OTHER_PORT, &forced, clients);
    (pooler, clients.iter().map(|client| address(database, client, OTHER_PORT)).collect())
}

fn address(database: &str, user: &str, port: u16) -> String {
    format!("postgresql://{user}@/{database}?host={}&port={port}", server().dir().display())
}

/// `forced` is what is added to the address of the server.
fn start(port: u16, forced: &str, clients: &[&str]) -> Child {
    let dir = server().dir().display();
    let name = format!("pgbouncer-{port}");
    // Roles come and go with the tests, so the pooler of all asks the server for them.
    let asks = format!(
        "auth_user = {}\nauth_query = SELECT rolname, rolpassword FROM pg_catalog.pg_authid WHERE rolname = $1\n",
        scratch::USER
    );
    let asks = if port == PORT { asks } else { String::new() };
    // Each test has a database of its own, whose idle connections would use up the server's.
    let configuration = format!(
        "[databases]\n* = host={dir}{forced}\n[pgbouncer]\npool_mode = transaction\nlisten_addr =\nlisten_port = {port}\n\
         unix_socket_dir = {dir}\nauth_type = trust\nauth_file = {dir}/{name}.users\n{asks}max_client_conn = 500\n\
         default_pool_size = 10\nserver_login_retry = 0.2\nserver_idle_timeout = 5\nlogfile = {dir}/{name}.log\n",
    );
    let users: String = clients.iter().map(|client| format!("\"{client}\" \"\"\n")).collect();
    fs::write(server().dir().join(format!("{name}.users")), users).expect("writable");
    let file = server().dir().join(format!("{name}.ini"));
    fs::write(&file, configuration).expect("the server's directory is writable");
    // The pooler ends when the pipe does: with this process.
    let script = "command -v pgbouncer >/dev/null || exit 9; pgbouncer -q \"$0\" & read -r _; kill $!";
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(&file).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    server().as_owner(&mut command);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("sh can be started");
    let socket = server().dir().join(format!(".s.PGSQL.{port}"));
    let began = Instant::now();
    while !socket.exists() {
        let missing = child.try_wait().ok().flatten().is_some();
        assert!(!missing, "PgBouncer is missing; install it with: scripts/test-tools (apt-get install pgbouncer)");
        assert!(began.elapsed() < Duration::from_secs(10), "PgBouncer does not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}
