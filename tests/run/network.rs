//! A network that swallows packets, in a network namespace of its own: the test server is behind a gate in there, and
//! then the namespace's loopback goes down. Nobody answers, nobody resets.

use std::ffi::OsString;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::Command;

use crate::support::{Clinic, gate, scratch, socket};

/// Runs in the namespace: the program, and a gate before the server's socket, which is this very test, told to be one.
const SCRIPT: &str = r#"
set -eu
ip link set lo up
"$TEST_BINARY" --exact run::network::a_connection_into_nowhere_ends >/dev/null 2>&1 &
proxy=$!
while [ ! -s "$PORT_FILE" ]; do sleep 0.05; done
export DATABASE_URL="postgresql://$DATABASE_USER@127.0.0.1:$(cat "$PORT_FILE")/$DATABASE?sslmode=disable"
"$ROUNDS" mark-no-shows --as-of 2026-03-02T09:15:00-05:00 --batch-rows 10 --attempts 1 --timeout 3m &
run=$!
while [ ! -e "$PORT_FILE.down" ]; do sleep 0.05; done
ip link set lo down
code=0
wait $run || code=$?
kill $proxy
exit $code
"#;

/// Between the namespace's loopback and the server's socket, until killed.
async fn be_the_gate(port_file: OsString) {
    let path = std::env::var_os("SERVER_SOCKET").expect("the script's environment");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("the namespace has loopback");
    std::fs::write(port_file, listener.local_addr().expect("bound").port().to_string()).expect("can be written");
    while let Ok((mut program, _)) = listener.accept().await {
        let mut server = tokio::net::UnixStream::connect(&path).await.expect("the server's socket");
        tokio::spawn(async move { tokio::io::copy_bidirectional(&mut program, &mut server).await });
    }
}

#[tokio::test]
async fn a_connection_into_nowhere_ends() {
    if let Some(port_file) = std::env::var_os("PORT_FILE") {
        return be_the_gate(port_file).await;
    }
    let clinic = Clinic::with_visits(30).await;
    gate::close(&clinic, 15).await;
    let place = tempfile::tempdir().expect("a place for files");
    let file = place.path().join("port");
    let mut command = Command::new("unshare");
    // A user who is not root becomes root in a user namespace. Root stays root, and may so open the server's socket.
    // SAFETY: geteuid touches no memory.
    let user: &[&str] = if unsafe { libc::geteuid() } == 0 { &[] } else { &["--map-root-user"] };
    command.args(user).args(["--net", "sh", "-c", SCRIPT]).env("PORT_FILE", &file);
    command.env("TEST_BINARY", std::env::current_exe().expect("this binary"));
    command.env("ROUNDS", env!("CARGO_BIN_EXE_rounds")).env("ROUNDS_ALLOW_AS_OF", "1").env("ROUNDS_CONFIG", "none");
    command.env("SERVER_SOCKET", socket()).env("DATABASE", &*clinic.database).env("DATABASE_USER", scratch::USER);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let run = command.spawn().expect("unshare is part of every Linux");
    gate::reached(&clinic).await;
    let began = Instant::now();
    std::fs::write(file.with_extension("down"), "").expect("can be written");
    let output = tokio::time::timeout(Duration::from_secs(100), run.wait_with_output()).await;
    let output = output.expect("it ends long before its deadline").expect("its output");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    // The transport noticed it, and neither the heart (after 44 s) nor the deadline.
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a report");
    assert_eq!(report["error_code"], "CONNECTION", "{stderr}");
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}: {stderr}", began.elapsed());
}
