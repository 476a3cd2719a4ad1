//! The first file, of everybody: by the program into an empty registry, by the program into one that has some providers
//! already, as all files were loaded before, and by SQL that is written by hand.

use std::path::Path;

use super::generate::Registry;
use super::harness::Harness;
use super::process::{output, psql, run};
use super::program::{Load, refresh};
use super::weekly::{script, stage};

/// So few are no first load.
const SOME: Registry = Registry { rows: 40 };

pub struct First {
    pub program: Load,
    pub merged: Load,
    /// Seconds from what is staged to the commit.
    pub by_hand: f64,
}

/// Leaves everybody in the clinic's registry.
pub fn measure(harness: &Harness, registry: Registry, dir: &Path) -> First {
    eprintln!("making a monthly file of {} rows ...", registry.rows);
    let path = registry.monthly(dir);
    let name = path.file_name().expect("it has one").to_string_lossy().into_owned();
    let merged = merged(harness, &path, dir);
    harness.admin("CHECKPOINT");
    let program = refresh(&harness.url(), &path, &[]);
    std::fs::remove_file(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    // As autovacuum would have done in the days until the next file.
    output(psql(&harness.url()).args(["-c", "VACUUM (ANALYZE)"]));
    let by_hand = by_hand(harness, &name, dir);
    let size = "SELECT pg_size_pretty(pg_database_size(current_database()))";
    eprintln!(
        "{} rows: rounds {:.1} s ({:.1} s of it staging), merged {:.1} s, by hand {by_hand:.1} s after staging; {}",
        program.rows,
        program.seconds(),
        program.staging,
        merged.seconds(),
        output(psql(&harness.url()).args(["-c", size])).trim()
    );
    First { program, merged, by_hand }
}

fn merged(harness: &Harness, path: &Path, dir: &Path) -> Load {
    let url = harness.another("merged");
    refresh(&url, &SOME.weekly(0, dir).path, &[]);
    harness.admin("CHECKPOINT");
    let load = refresh(&url, path, &["--accept-fewer-rows"]);
    harness.admin("DROP DATABASE merged");
    load
}

fn by_hand(harness: &Harness, name: &str, dir: &Path) -> f64 {
    let url = harness.another("by_hand");
    stage(&harness.url(), &url, name, dir);
    harness.admin("CHECKPOINT");
    let cost = run(psql(&url).args(["-v", &format!("name={name}"), "-f", &script("first.sql")]));
    let counts = "SELECT (SELECT count(*) FROM npi_key), (SELECT count(*) FROM npi_data), (SELECT count(*) FROM npi_other_names),
                         (SELECT count(*) FROM search_surgeon), (SELECT count(*) FROM search_facility),
                         (SELECT count(*) FROM pg_indexes WHERE schemaname = 'rounds')";
    let counted = |url: &str| output(psql(url).args(["-c", counts]));
    assert_eq!(counted(&url), counted(&harness.url()), "both made the same");
    harness.admin("DROP DATABASE by_hand");
    cost.wall.as_secs_f64()
}
