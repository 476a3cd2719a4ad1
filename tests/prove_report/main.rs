//! `make prove-report`: the page of `rounds report` in a real browser, at the width of a desk and of a telephone.
//!
//! `scripts/report-tools` installs the browser, so this is a test target of its own. A proof that cannot be done fails. The
//! pictures are in target/prove_report, to be looked at.

#[path = "../support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "it is shared with `it`, which uses all of it")]
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::process::Command;

use support::Clinic;

const CLINIC: &str = include_str!("../data/report/clinic.sql");
const RUNS: &str = include_str!("../data/report/runs.sql");
/// What looks at the page from within, in a copy of it.
const LOOK: &str = include_str!("look.js");
/// The widths at which it is looked at.
const WIDTHS: [u32; 2] = [1280, 390];
/// Enough for all of it.
const HEIGHTS: [u32; 2] = [6_000, 12_000];
/// What the README shows of it.
const FIRST_SCREEN: (u32, u32) = (1000, 1240);
/// How long the browser may take.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/prove_report");
    fs::create_dir_all(&pictures).expect("can be made");
    let page = write(&pictures).await;
    let text = fs::read_to_string(&page).expect("the page");
    assert!(!text.contains("CANARY"), "a patient's text is in the page");
    loads_nothing(&text).await;
    println!("chromium: the page asks for nothing, and its console is empty");
    for width in WIDTHS {
        fits(&text, &pictures, width).await;
        println!("chromium: at {width} pixels no text overlaps or is cut, and nothing is wider than the screen");
    }
    for scheme in ["light", "dark"] {
        for (width, height) in WIDTHS.into_iter().zip(HEIGHTS) {
            photograph(&page, &pictures.join(format!("{width}-{scheme}.png")), (width, height), scheme).await;
        }
        photograph(&page, &pictures.join(format!("report-{scheme}.png")), FIRST_SCREEN, scheme).await;
    }
    println!("pictures to look at: {}", pictures.display());
    println!("4 passed, 0 failed");
}

/// The page of a clinic of sixty days, the last thirty beside those before.
async fn write(place: &Path) -> PathBuf {
    let clinic = Clinic::new().await;
    clinic.sql(CLINIC).await;
    clinic.sql(RUNS).await;
    let page = place.join("report.html");
    let path = page.to_str().expect("UTF-8");
    let args =
        ["report", "--as-of", "2026-03-31T20:00:00Z", "--schedule-zone", "America/New_York", "--compare", "--names"];
    clinic.run(&[&args[..], &["--html", path]].concat()).await.expect(0);
    page
}

/// Runs the browser to its end; what it says on stdout and on stderr.
async fn browse(args: &[String]) -> (String, String) {
    let home = tempfile::tempdir().expect("a place");
    let mut command = Command::new("chromium");
    command.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]);
    command.arg(format!("--user-data-dir={}", home.path().display())).args(args);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let child = command.spawn().expect("scripts/report-tools has installed chromium");
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("it ends").expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).into()
}

/// The page from a server that counts what it is asked for.
async fn loads_nothing(page: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let asked = Arc::new(Mutex::new(vec![]));
    let (paths, body) = (asked.clone(), page.to_owned());
    let server = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let length = stream.read(&mut request).await.unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
            let answer = match path.as_str() {
                "/" => format!(
                    "HTTP/1.0 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                ),
                _ => "HTTP/1.0 204 No Content\r\n\r\n".to_owned(),
            };
            if !path.is_empty() {
                paths.lock().expect("no panic").push(path);
            }
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let args = ["--enable-logging=stderr", "--dump-dom", &format!("http://127.0.0.1:{port}/")].map(str::to_owned);
    let (dom, log) = browse(&args).await;
    server.abort();
    assert!(dom.contains("At a glance") && dom.contains("</svg>"), "it renders: {}", &dom[..dom.len().min(500)]);
    let said: Vec<&str> = log.lines().filter(|line| line.contains(":CONSOLE")).collect();
    assert!(said.is_empty(), "the console: {said:#?}");
    let asked = asked.lock().expect("no panic").clone();
    // The browser itself asks for the icon of a site.
    let own: Vec<&String> = asked.iter().filter(|path| *path != "/favicon.ico").collect();
    assert_eq!(own, ["/"], "it loads something");
}

/// A copy of the page, with a script that writes what it sees into the page.
async fn fits(page: &str, place: &Path, width: u32) {
    let (before, policy) = page.split_once("<meta http-equiv=").expect("a policy");
    let (_, after) = policy.split_once(">\n").expect("it ends");
    let copy = format!("{before}{after}").replace("</body>", &format!("<script>{LOOK}</script></body>"));
    // No window of the browser is as narrow as a telephone; a frame in it is.
    let frame = copy.replace('&', "&amp;").replace('"', "&quot;");
    let frame =
        format!("<!DOCTYPE html><iframe style=\"width:{width}px;height:900px;border:0\" srcdoc=\"{frame}\"></iframe>");
    let path = place.join("looked-at.html");
    fs::write(&path, frame).expect("can be written");
    let args = ["--window-size=1600,1000".to_owned(), "--dump-dom".to_owned(), format!("file://{}", path.display())];
    let (dom, log) = browse(&args).await;
    fs::remove_file(&path).expect("can be removed");
    let seen = dom.split_once("<pre id=\"seen\">").and_then(|(_, rest)| rest.split_once("</pre>"));
    let (seen, _) = seen.unwrap_or_else(|| panic!("the script did not end: {log}"));
    let seen: Value =
        serde_json::from_str(&seen.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")).expect("JSON");
    assert_eq!(seen["width"], width, "{seen}");
    assert!(seen["texts"].as_i64() > Some(1000), "{seen}");
    for finding in ["overlaps", "cut", "wide", "resources"] {
        assert_eq!(seen[finding], serde_json::json!([]), "{width}: {finding}");
    }
}

async fn photograph(page: &Path, picture: &Path, (width, height): (u32, u32), scheme: &str) {
    let _ = fs::remove_file(picture);
    let scheme = if scheme == "dark" { 0 } else { 1 };
    let args = [
        format!("--window-size={width},{height}"),
        format!("--blink-settings=preferredColorScheme={scheme}"),
        format!("--screenshot={}", picture.display()),
        format!("file://{}", page.display()),
    ];
    browse(&args).await;
    let bytes = fs::read(picture).expect("a picture");
    assert_eq!(bytes.get(16..20), Some(&width.to_be_bytes()[..]), "a picture of that width");
    assert!(bytes.len() > 50_000, "a picture of something: {} bytes", bytes.len());
}
