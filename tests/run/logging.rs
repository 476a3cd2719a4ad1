//! The level of the log, and who may speak in it.

use crate::support::Clinic;

const RUN: [&str; 3] = ["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00"];

/// The levels of the lines of a run with that RUST_LOG and these options.
async fn levels(rust_log: &str, options: &[&str]) -> Vec<String> {
    let clinic = Clinic::with_visits(1).await;
    let program = clinic.program.clone().env("RUST_LOG", rust_log);
    let outcome = program.run(&[&RUN[..], options, &["--log-format", "json"]].concat()).await.expect(0);
    let level = |line: &str| {
        let event: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        event["level"].as_str().expect("a level").to_owned()
    };
    let mut levels: Vec<_> = outcome.stderr.lines().map(level).collect();
    levels.sort();
    levels.dedup();
    levels
}

#[tokio::test]
async fn rust_log_is_heard_where_no_option_says_the_level() {
    assert_eq!(levels("debug", &[]).await, ["DEBUG", "INFO"]);
    assert_eq!(levels("error", &[]).await, Vec::<String>::new());
    assert_eq!(levels("error,rounds::run::runner=info", &[]).await, ["INFO"]);
    assert_eq!(levels("debug", &["--log-level", "info"]).await, ["INFO"]);
    // What it says of libraries is not heard, and neither is what is no filter.
    for nothing in ["tokio_postgres=trace,hyper=trace", "rounds=="] {
        assert_eq!(levels(nothing, &[]).await, ["INFO"], "{nothing}");
    }
}
