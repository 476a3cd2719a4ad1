//! A weekly file on the whole registry: by the program, by SQL that is tuned by hand, and as it is usually done.
//!
//! A copy of the registry for each would take too much room. So each gets a file of its own, of the same shape and with
//! other providers in it, whose pages nobody has touched before.

use std::path::Path;

use super::generate::{Registry, Weekly};
use super::harness::Harness;
use super::process::{output, psql, run};
use super::program::{Load, refresh};
use super::staging::{copy, create_weekly, drop_weekly};

/// Seconds, but for the first.
pub struct Round {
    pub program: Load,
    /// From what is staged to the commit.
    pub by_hand: f64,
    pub rebuilt: f64,
    /// The indexes for similar names, which are the slower half of rebuilding.
    pub trigrams: f64,
}

pub fn round(harness: &Harness, aside: &str, registry: Registry, number: u64, dir: &Path) -> Round {
    let url = harness.url();
    let file = |which: u64| registry.weekly(3 * number + which, dir);
    let (first, second, third) = (file(0), file(1), file(2));
    let by_program = || {
        settle(harness);
        let load = refresh(&url, &first.path, &[]);
        check(&url, &first);
        load
    };
    let by_hand = || {
        refresh(aside, &second.path, &[]);
        stage(aside, &url, &second.name(), dir);
        settle(harness);
        let name = format!("name={}", second.name());
        let cost = run(psql(&url).args(["-v", &name, "-f", &script("merge.sql")]));
        check(&url, &second);
        cost.wall.as_secs_f64()
    };
    // In turn: whoever comes second may find something that the first has warmed.
    let (program, by_hand) = if number.is_multiple_of(2) {
        let program = by_program();
        (program, by_hand())
    } else {
        let by_hand = by_hand();
        (by_program(), by_hand)
    };
    create_weekly(&url);
    settle(harness);
    let copied = copy(&url, &third.path);
    let (merged, trigrams) = rebuild(&url);
    drop_weekly(&url);

    let round = Round { program, by_hand, rebuilt: copied + merged, trigrams };
    eprintln!(
        "weekly round {}: rounds {:.2} s ({:.2} s of it staging), by hand {by_hand:.2} s after staging, rebuilt {:.1} s, \
         and {trigrams:.1} s for trigrams",
        number + 1,
        round.program.seconds(),
        round.program.staging,
        round.rebuilt,
    );
    for weekly in [first, second, third] {
        std::fs::remove_file(&weekly.path).unwrap_or_else(|error| panic!("{}: {error}", weekly.path.display()));
    }
    round
}

/// One start for everybody: the registry has just been read, nothing waits to be written or put into an index.
fn settle(harness: &Harness) {
    let clean = "SELECT count(gin_clean_pending_list(c.oid)) FROM pg_class c JOIN pg_am a ON a.oid = c.relam
                 WHERE a.amname = 'gin' AND c.relkind = 'i'";
    let read = "SELECT (SELECT max(file_id) FROM npi_data), (SELECT max(entity_type) FROM npi_key),
                       (SELECT max(zip) FROM search_surgeon), (SELECT max(zip) FROM search_facility)";
    output(psql(&harness.url()).args(["-c", clean, "-c", read, "-c", "CHECKPOINT"]));
}

pub fn script(name: &str) -> String {
    format!("{}/benches/npi/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Puts into the table `staged` what the program stages of a file: it is taken from where the program has loaded it.
pub fn stage(loaded: &str, url: &str, name: &str, dir: &Path) {
    let staged = dir.join("staged");
    let select = "SELECT d.*, COALESCE(s.folded, f.folded) FROM npi_data d
                  LEFT JOIN search_surgeon s ON s.npi = d.npi AND s.letter = d.letter AND s.name_number = 0 AND d.entity_type = 1
                  LEFT JOIN search_facility f ON f.npi = d.npi AND f.letter = d.letter AND f.name_number = 0 AND d.entity_type = 2
                  WHERE d.file_id = (SELECT id FROM npi_files WHERE name = 'NAME')"
        .replace("NAME", name)
        .replace('\n', " ");
    let copy =
        |direction: &str, table: &str| format!(r"\copy {table} {direction} '{}' (format binary)", staged.display());
    output(psql(loaded).args(["-c", &copy("to", &format!("({select})"))]));
    let table = "CREATE UNLOGGED TABLE staged AS SELECT d.*, ''::text AS folded FROM npi_data d WITH NO DATA";
    output(psql(url).args(["-c", table, "-c", &copy("from", "staged")]));
    let names = "(SELECT o.* FROM npi_other_names o WHERE o.file_id = (SELECT id FROM npi_files WHERE name = 'NAME'))"
        .replace("NAME", name);
    output(psql(loaded).args(["-c", &copy("to", &names)]));
    let table = "CREATE UNLOGGED TABLE staged_names AS SELECT o.* FROM npi_other_names o WITH NO DATA";
    output(psql(url).args(["-c", table, "-c", &copy("from", "staged_names")]));
    std::fs::remove_file(&staged).unwrap_or_else(|error| panic!("{}: {error}", staged.display()));
}

/// Seconds for merging and rebuilding, and for the trigrams.
fn rebuild(url: &str) -> (f64, f64) {
    let printed = output(psql(url).args(["-f", &script("rebuild.sql")]));
    let mut times = printed.lines().map(|line| line.parse::<f64>().expect("the script prints seconds"));
    (times.next().expect("it prints two"), times.next().expect("it prints two"))
}

/// That the file is in the registry and in search, whoever put it there.
fn check(url: &str, weekly: &Weekly) {
    let name = format!("name={}", weekly.name());
    let found = output(psql(url).args(["-v", &name, "-f", &script("check.sql")]));
    let changed = weekly.inserted + weekly.updated;
    let expected = format!(
        "{changed} changed, {} of them in search, 0 left behind, {} other names",
        changed - weekly.deactivated,
        weekly.other_names
    );
    assert_eq!(found.trim(), expected, "{}: check.sql", weekly.name());
}
