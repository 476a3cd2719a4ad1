//! A site that serves badly: what is tried again, what is taken up where it broke off, and what is an error at once.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::nppes::site::{Fault, PAGE, Site};
use crate::support::nppes::{Pfile, Registry, crowd, week};

/// A week's zip that is longer than a few packets.
fn weekly() -> Pfile {
    week(1).of(&crowd(1000, 400))
}

/// A registry that has week 0 and is offered week 1.
async fn offered() -> (Registry, String) {
    let registry = Registry::with(&week(0).of(&crowd(0, 400))).await;
    registry.publish(&[weekly()]);
    (registry, week(1).weekly_name())
}

#[tokio::test]
async fn what_breaks_off_is_taken_up_and_what_may_pass_is_tried_again() {
    let cases: [fn(&str) -> Vec<Fault>; 10] = [
        |_| vec![Fault::Drop(0)],
        |_| vec![Fault::Drop(1000)],
        |_| vec![Fault::Drop(1000), Fault::Drop(5000)],
        |_| vec![Fault::Drop(1000), Fault::IgnoreRange],
        |_| vec![Fault::Drop(1000), Fault::Status(503)],
        |_| vec![Fault::Longer(1000)],
        |_| vec![Fault::Status(503), Fault::Status(500)],
        |_| vec![Fault::RetryAfter(429, 0), Fault::RetryAfter(503, 1)],
        |name| vec![Fault::Redirect(Site::path(name))],
        |_| vec![Fault::Pause(1000, Duration::from_secs(1))],
    ];
    let registry = Registry::with(&week(0).of(&crowd(0, 400))).await;
    // Each week has a case of its own.
    for (number, case) in (1..).zip(cases) {
        let file = week(number).of(&crowd(1000 * number.cast_signed(), 400));
        let (name, zip) = (file.weekly_name(), file.zip());
        let digest = ring::digest::digest(&ring::digest::SHA256, &zip);
        let digest: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let faults = case(&name);
        registry.site.publish(&name, zip);
        registry.site.queue(&name, &faults);
        let outcome = registry.refreshes(&[]).await;
        assert_eq!(outcome.count("loaded"), 400, "{faults:?}");
        let sha256 = registry.clinic.json(&format!("SELECT sha256 FROM npi_files WHERE name = '{name}'")).await;
        assert_eq!(sha256["sha256"], json!(digest), "{faults:?}");
    }
}

#[tokio::test]
async fn a_file_that_broke_off_is_asked_for_from_where_it_broke() {
    let (registry, name) = offered().await;
    registry.site.queue(&name, &[Fault::Drop(3000)]);
    registry.refreshes(&[]).await;
    let requests = registry.site.requests(&name);
    assert_eq!(requests.len(), 2, "{requests:?}");
    let from = requests[1].header("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
    let from: usize = from.and_then(|from| from.parse().ok()).unwrap_or_else(|| panic!("{requests:?}"));
    assert!((1..=3000).contains(&from), "{requests:?}");
    assert!(requests[0].header("range").is_none() && requests[1].header("if-range").is_some(), "{requests:?}");
    for request in registry.site.all_requests() {
        assert!(request.header("user-agent").is_some_and(|agent| agent.starts_with("rounds")), "{request:?}");
    }
}

#[tokio::test]
async fn a_file_that_changed_while_it_was_fetched_is_fetched_anew() {
    let (registry, name) = offered().await;
    let other = week(1).of(&crowd(5000, 500));
    registry.site.queue(&name, &[Fault::Replace(3000, other.zip())]);
    assert_eq!(registry.refreshes(&[]).await.count("loaded"), 500);
}

#[tokio::test]
async fn what_is_refused_is_an_error_at_once_that_names_the_file() {
    for status in [403, 404] {
        let (registry, name) = offered().await;
        registry.site.queue(&name, &[Fault::Status(status)]);
        let message = registry.refuses(&[], "NPPES_HTTP").await;
        assert!(message.contains(&name) && message.contains(&status.to_string()), "{message}");
        assert_eq!(registry.site.requests(&name).len(), 1, "{status}");
    }
}

#[tokio::test]
async fn nothing_is_tried_more_often_than_told() {
    let (registry, name) = offered().await;
    for (index, fault) in
        [Fault::Status(503), Fault::RetryAfter(429, 0), Fault::Drop(0), Fault::Longer(9)].into_iter().enumerate()
    {
        // A third attempt would succeed.
        registry.site.queue(&name, &vec![fault.clone(); 2]);
        let message = registry.refuses(&["--attempts", "2"], "NPPES_HTTP").await;
        assert!(message.contains(&name), "{message}");
        assert_eq!(registry.site.requests(&name).len(), 2 * (index + 1), "{fault:?}");
    }
    let before = registry.site.requests(PAGE).len();
    registry.site.queue(PAGE, &vec![Fault::Status(503); 2]);
    registry.refuses(&["--attempts", "2"], "NPPES_PAGE").await;
    assert_eq!(registry.site.requests(PAGE).len() - before, 2);
}

#[tokio::test]
async fn a_page_that_may_come_is_tried_again() {
    let (registry, _) = offered().await;
    registry.site.queue(PAGE, &[Fault::Status(503), Fault::Drop(10)]);
    assert_eq!(registry.refreshes(&[]).await.count("loaded"), 400);
}

#[tokio::test]
async fn a_site_that_says_when_to_come_again_is_left_alone_until_then() {
    let (registry, name) = offered().await;
    registry.site.queue(&name, &[Fault::RetryAfter(429, 2)]);
    let began = Instant::now();
    registry.refreshes(&[]).await;
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_redirect_to_elsewhere_or_in_a_loop_is_an_error() {
    let (registry, name) = offered().await;
    let elsewhere = Site::start().await;
    elsewhere.put(&name, weekly().zip());
    registry.site.queue(&name, &[Fault::Redirect(format!("{}{}", elsewhere.origin(), Site::path(&name)))]);
    registry.refuses(&["--attempts", "1"], "NPPES_HTTP").await;
    assert!(elsewhere.all_requests().is_empty(), "another port is another host");
    let host = registry.site.origin().replace("127.0.0.1", "localhost");
    registry.site.queue(&name, &[Fault::Redirect(format!("{host}{}", Site::path(&name)))]);
    registry.refuses(&["--attempts", "1"], "NPPES_HTTP").await;
    let before = registry.site.requests(&name).len();
    registry.site.queue(&name, &vec![Fault::Redirect(Site::path(&name)); 9]);
    registry.refuses(&["--attempts", "1"], "NPPES_HTTP").await;
    assert_eq!(registry.site.requests(&name).len() - before, 4, "three redirects are followed");
}

#[tokio::test]
async fn a_page_where_a_zip_should_be_is_said_to_be_one() {
    let (registry, name) = offered().await;
    registry.site.queue(&name, &vec![Fault::Html; 9]);
    let message = registry.refuses(&[], "NPPES_NOT_A_ZIP").await;
    assert!(message.contains(&name), "{message}");
}

#[tokio::test]
async fn a_length_that_is_too_short_is_noticed() {
    let (registry, name) = offered().await;
    registry.site.queue(&name, &vec![Fault::Shorter(1000); 9]);
    registry.refuses(&[], "NPPES_BAD_ZIP").await;
}

#[tokio::test]
async fn a_site_that_falls_silent_is_asked_again() {
    let (registry, name) = offered().await;
    registry.site.queue(&name, &[Fault::stall(3000)]);
    assert_eq!(registry.refreshes(&[]).await.count("loaded"), 400);
}

#[tokio::test]
async fn a_log_line_tells_how_far_it_is_where_nobody_looks() {
    let (registry, name) = offered().await;
    let lines = async || registry.refresh(&["--dry-run"]).await.expect(0).stderr.matches(&name).count();
    let fast = lines().await;
    registry.site.queue(&name, &[Fault::Pause(3000, Duration::from_secs(12))]);
    assert!(lines().await > fast, "one more after ten seconds");
}
