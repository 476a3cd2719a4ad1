//! `make prove-webhook`: events of the account through Debian's package `webhook`, with the files that docs/operating.md
//! shows, on loopback.
//!
//! `scripts/webhook-tools` installs it, so this is a test target of its own. A proof that cannot be done fails.

#[path = "../support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "it is shared with `it`, which uses all of it")]
mod support;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::practiceq::{Client, Sync, appointment};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

const PAT: Client = Client { id: 100, name: "Pat Doe", email: "pat@home.example", date_of_birth: "1980-04-02" };
/// The secret in the document stands for one that is made.
const SHOWN: &str = "SECRET";
const SECRET: &str = "7d1f0c3a97b2465ea1c0";
const URL: &str = "/hooks/practiceq";
/// In the window of any day: an event's visit is asked for by its id.
const SOON: &str = "2026-03-10T18:00:00Z";

#[tokio::main(flavor = "current_thread")]
async fn main() {
    secrets().await;
    println!("webhook: only who knows the secret, in the URL or in a header, is heard");
    bodies().await;
    println!("webhook: what is no event is answered with an error, and not kept");
    crowd().await;
    println!("webhook: many events at once are one request, and none is lost");
    println!("3 passed, 0 failed");
}

/// The text of the first block of the document that has this line.
fn shown(line: &str) -> String {
    let document = fs::read_to_string("docs/operating.md").expect("is there");
    let mut blocks = document.split("```").skip(1).step_by(2);
    let block =
        blocks.find(|block| block.contains(line)).unwrap_or_else(|| panic!("docs/operating.md shows no {line}"));
    block.split_once('\n').expect("lines").1.to_owned()
}

/// `webhook` with the files of the document.
struct Hook {
    sync: Sync,
    port: u16,
    _place: tempfile::TempDir,
    _process: Child,
}

impl Hook {
    /// `secret_in` is where the document's rule looks for the secret, and where this one does.
    async fn start(secret_in: (&str, &str)) -> Self {
        let sync = Sync::new().await;
        sync.patient_of(&PAT).await;
        let place = tempfile::tempdir().expect("a place for files");
        let script = place.path().join("rounds-event");
        let text = shown("# /usr/local/sbin/rounds-event");
        assert!(text.contains("/usr/bin/rounds "), "{text}");
        executable(&script, &text.replace("/usr/bin/rounds ", &format!("{} ", env!("CARGO_BIN_EXE_rounds"))));
        let hooks = shown("\"execute-command\"");
        assert!(hooks.contains(SHOWN) && hooks.contains(secret_in.0), "{hooks}");
        let hooks = hooks.replace(SHOWN, SECRET).replace(secret_in.0, secret_in.1);
        let hooks = hooks.replace("/usr/local/sbin/rounds-event", script.to_str().expect("UTF-8"));
        serde_json::from_str::<Value>(&hooks).expect("JSON");
        let file = place.path().join("webhook.conf");
        fs::write(&file, hooks).expect("can be written");
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
        let mut command = Command::new("webhook");
        command.args(["-nopanic", "-ip", "127.0.0.1", "-port", &port.to_string(), "-hooks"]).arg(&file);
        command.env_clear().env("PATH", "/usr/bin:/bin").envs(sync.clinic.program.variables());
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let process = command.spawn().expect("scripts/webhook-tools has installed it");
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(began.elapsed() < Duration::from_secs(20), "webhook does not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self { sync, port, _place: place, _process: process }
    }

    async fn send(&self, method: &str, url: &str, headers: &str, body: &[u8]) -> (u16, String) {
        send(self.port, format!("{method} {url} HTTP/1.1\r\n{headers}"), body.to_vec()).await
    }

    /// Posts an event with the secret in the URL.
    async fn event(&self, body: &[u8]) -> (u16, String) {
        self.send("POST", &format!("{URL}?secret={SECRET}"), "Content-Type: application/json\r\n", body).await
    }

    async fn kept(&self) -> i64 {
        self.sync.clinic.count("SELECT count(*) FROM practiceq_inbox").await
    }
}

/// Sends a request with this head; returns the status and the body of the answer.
async fn send(port: u16, head: String, body: Vec<u8>) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
    let length = body.len();
    let head = format!("{head}Host: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("it reads");
    // It may answer before it has read all.
    let _ = stream.write_all(&body).await;
    let mut answer = vec![];
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{answer:?}"));
    (status, answer.split_once("\r\n\r\n").map_or(String::new(), |(_, body)| body.to_owned()))
}

fn executable(path: &Path, text: &str) {
    fs::write(path, text).expect("can be written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("can be set");
}

fn event(id: &str) -> Vec<u8> {
    let mut row = appointment(id, &PAT, SOON);
    row["Note"] = json!("Grüße, \"quoted\" $(id) `id` 'x'\n\u{1f600}");
    json!({"EventType": "AppointmentCreated", "ClientId": 100, "Appointment": row}).to_string().into_bytes()
}

const IN_URL: (&str, &str) = ("\"source\": \"url\", \"name\": \"secret\"", "\"source\": \"url\", \"name\": \"secret\"");

async fn secrets() {
    let hook = Hook::start(IN_URL).await;
    hook.sync.upstream.put(appointment("a1", &PAT, SOON));
    for url in
        [URL.to_owned(), format!("{URL}?secret="), format!("{URL}?secret={SHOWN}"), format!("{URL}?secret={SECRET}x")]
    {
        let (status, _) = hook.send("POST", &url, "Content-Type: application/json\r\n", &event("a1")).await;
        assert_eq!(status, 403, "{url}");
    }
    let (status, _) = hook.send("GET", &format!("{URL}?secret={SECRET}"), "", b"").await;
    assert_eq!(status, 405);
    assert_eq!((hook.kept().await, hook.sync.upstream.requests().len()), (0, 0));
    // However the sender calls what it sends.
    for (id, kind) in [("a1", "application/json"), ("a2", "text/plain"), ("a3", "application/json; charset=utf-8")] {
        hook.sync.upstream.put(appointment(id, &PAT, SOON));
        let url = format!("{URL}?secret={SECRET}");
        let (status, said) = hook.send("POST", &url, &format!("Content-Type: {kind}\r\n"), &event(id)).await;
        assert_eq!(status, 200, "{kind}: {said}");
        assert!(!said.contains("Pat") && !said.contains("Grüße"), "{said}");
    }
    let logs = "SELECT jsonb_agg(jsonb_build_array(sync_type, status, appointments_new)) AS l FROM sync_logs";
    let log = json!(["webhook", "completed", 1]);
    assert_eq!(hook.sync.clinic.json(logs).await["l"], json!([log, log, log]));
    assert_eq!((hook.sync.visits().await.len(), hook.kept().await), (3, 3));
    // In a header, as the document says.
    let in_header = (IN_URL.0, "\"source\": \"header\", \"name\": \"X-Rounds-Secret\"");
    let hook = Hook::start(in_header).await;
    hook.sync.upstream.put(appointment("a1", &PAT, SOON));
    let json = "Content-Type: application/json\r\n";
    let in_url = format!("{URL}?secret={SECRET}");
    for (url, headers, expected) in [
        (in_url.as_str(), json.to_owned(), 403),
        (URL, format!("{json}X-Rounds-Secret: {SHOWN}\r\n"), 403),
        (URL, format!("{json}X-Rounds-Secret: {SECRET}\r\n"), 200),
    ] {
        assert_eq!(hook.send("POST", url, &headers, &event("a1")).await.0, expected, "{headers}");
    }
    assert_eq!(hook.kept().await, 1);
}

async fn bodies() {
    let hook = Hook::start(IN_URL).await;
    hook.sync.upstream.put(appointment("a1", &PAT, SOON));
    let mut long = event("a1");
    long.pop();
    long.extend_from_slice(format!(", \"Padding\": \"{}\"}}", "x".repeat(1_000_000)).as_bytes());
    for body in [&b"{}"[..], b"no JSON", b"{\"Appointment\": {\"Id\": \"../clients\"}}", &long] {
        let (status, said) = hook.event(body).await;
        assert_eq!(status, 500, "{said}");
    }
    assert_eq!((hook.kept().await, hook.sync.upstream.requests().len()), (0, 0));
    // The database keeps nothing: the sender is told, so that it can send again.
    hook.sync.clinic.sql("ALTER TABLE practiceq_inbox RENAME TO away").await;
    assert_eq!(hook.event(&event("a1")).await.0, 500);
    hook.sync.clinic.sql("ALTER TABLE away RENAME TO practiceq_inbox").await;
    assert_eq!((hook.event(&event("a1")).await.0, hook.kept().await), (200, 1));
}

async fn crowd() {
    let hook = Hook::start(IN_URL).await;
    let visits = ["a1", "b1"];
    visits.iter().for_each(|id| hook.sync.upstream.put(appointment(id, &PAT, SOON)));
    let head = format!("POST {URL}?secret={SECRET} HTTP/1.1\r\nContent-Type: application/json\r\n");
    let sent: Vec<_> =
        (0..12).map(|number| tokio::spawn(send(hook.port, head.clone(), event(visits[number % 2])))).collect();
    for sent in sent {
        let (status, said) = sent.await.expect("an answer");
        assert_eq!(status, 200, "{said}");
    }
    // What came in the moment in which a run ended waits for the next.
    hook.sync.clinic.run(&["sync-practiceq", "--inbox"]).await.expect(0);
    let asked: Vec<String> = hook.sync.upstream.requests().iter().map(|request| request.path.clone()).collect();
    let mut sorted = asked.clone();
    sorted.sort();
    assert_eq!(sorted, ["/api/v1/appointments/a1", "/api/v1/appointments/b1"], "one request each");
    assert_eq!((hook.kept().await, hook.sync.visits().await.len()), (12, 2));
    let passed = "UPDATE practiceq_inbox SET asked_at = asked_at - interval '2 min'";
    hook.sync.clinic.sql(passed).await;
    hook.sync.clinic.run(&["sync-practiceq", "--inbox"]).await.expect(0);
    assert_eq!(hook.sync.clinic.count("SELECT count(*) FROM practiceq_inbox WHERE done_at IS NULL").await, 0);
}
