//! PgBouncer in transaction mode, on a Unix socket in the server's directory.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::{scratch, server};

pub const PORT: u16 = 6432;

/// The address of a database through the pooler.
pub fn url(database: &str) -> String {
    static POOLER: OnceLock<Child> = OnceLock::new();
    POOLER.get_or_init(start);
    format!("postgresql://{}@/{database}?host={}&port={PORT}", scratch::USER, server().dir().display())
}

fn start() -> Child {
    let dir = server().dir().display();
    // Roles come and go with the tests, so the pooler asks the server for them.
    let user = scratch::USER;
    let asks = "SELECT rolname, rolpassword FROM pg_catalog.pg_authid WHERE rolname = $1";
    // Each test has a database of its own, whose idle connections would use up the server's.
    let configuration = format!(
        "[databases]\n* = host={dir}\n[pgbouncer]\npool_mode = transaction\nlisten_addr =\nlisten_port = {PORT}\n\
         unix_socket_dir = {dir}\nauth_type = trust\nauth_file = {dir}/pgbouncer.users\nauth_user = {user}\n\
         auth_query = {asks}\nmax_client_conn = 500\n\
         default_pool_size = 10\nserver_login_retry = 0.2\nserver_idle_timeout = 5\nlogfile = {dir}/pgbouncer.log\n",
    );
    fs::write(server().dir().join("pgbouncer.users"), format!("\"{}\" \"\"\n", scratch::USER)).expect("writable");
    let file = server().dir().join("pgbouncer.ini");
    fs::write(&file, configuration).expect("the server's directory is writable");
    // The pooler ends when the pipe does: with this process.
    let script = "command -v pgbouncer >/dev/null || exit 9; pgbouncer -q \"$0\" & read -r _; kill $!";
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(&file).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    server().as_owner(&mut command);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("sh can be started");
    let socket = server().dir().join(format!(".s.PGSQL.{PORT}"));
    let began = Instant::now();
    while !socket.exists() {
        let missing = child.try_wait().ok().flatten().is_some();
        assert!(!missing, "PgBouncer is missing; install it with: scripts/test-tools (apt-get install pgbouncer)");
        assert!(began.elapsed() < Duration::from_secs(10), "PgBouncer does not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}
