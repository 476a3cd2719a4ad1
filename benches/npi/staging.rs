//! From the zip to a table: by the program, and by `unzip | psql \copy`.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::REPEATS;
use super::generate::Weekly;
use super::harness::Harness;
use super::process::{output, psql};
use super::program::{Load, refresh};
use super::provider::COLUMNS;

pub struct Round {
    pub one: Load,
    pub two: Load,
    /// Seconds.
    pub psql: f64,
}

/// Each time into an empty registry: the merge does not matter here. (A dry run stages in its one transaction.)
pub fn measure(harness: &Harness, url: &str, weekly: &Weekly) -> Vec<Round> {
    let load = |connections: &str| {
        harness.admin("CHECKPOINT");
        let load = refresh(url, &weekly.path, &["--connections", connections]);
        assert_eq!(load.rows, weekly.rows, "all rows were staged");
        output(psql(url).args([
            "-c",
            "TRUNCATE npi_files, npi_rejects, npi_changes, npi_key, npi_data, npi_other_names, search_surgeon, \
                        search_facility",
        ]));
        load
    };
    let round = |number: u64| {
        let (one, two) = (load("1"), load("2"));
        create_weekly(url);
        harness.admin("CHECKPOINT");
        let by_psql = copy(url, &weekly.path);
        let count = output(psql(url).args(["-c", "SELECT count(*) FROM weekly"]));
        assert_eq!(count.trim(), weekly.rows.to_string(), "psql copied all rows");
        drop_weekly(url);
        eprintln!(
            "staging round {}: one connection {:.2} s, two {:.2} s, unzip | psql {by_psql:.2} s",
            number + 1,
            one.staging,
            two.staging
        );
        Round { one, two, psql: by_psql }
    };
    (0..REPEATS).map(round).collect()
}

/// The table that `copy` fills: all columns as text, c1 to c330.
pub fn create_weekly(url: &str) {
    let columns: Vec<_> = (1..=COLUMNS).map(|column| format!("c{column} text")).collect();
    output(psql(url).args(["-c", &format!("CREATE UNLOGGED TABLE weekly ({})", columns.join(", "))]));
}

pub fn drop_weekly(url: &str) {
    output(psql(url).args(["-c", "DROP TABLE weekly"]));
}

/// Seconds.
pub fn copy(url: &str, zip: &Path) -> f64 {
    let began = Instant::now();
    let unzip = Command::new("unzip").arg("-p").arg(zip).arg("npidata_pfile_*[0-9].csv").stdout(Stdio::piped()).spawn();
    let mut unzip = unzip.unwrap_or_else(|error| panic!("unzip: {error}; scripts/bench-tools installs it"));
    let pipe = unzip.stdout.take().expect("it is a pipe");
    let status = psql(url).args(["-c", r"\copy weekly from stdin (format csv, header)"]).stdin(pipe).status();
    assert!(status.is_ok_and(|status| status.success()), "psql copies");
    assert!(unzip.wait().is_ok_and(|status| status.success()), "unzip reads what was made");
    began.elapsed().as_secs_f64()
}
