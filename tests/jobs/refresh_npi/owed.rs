//! What every job owes, of a job that loads files: a thing is a provider, and ten of them come in a weekly file, which is
//! the batch.

use crate::jobs::owed::{self, Owed, Subject};
use crate::support::keys::Kind;
use crate::support::nppes::{Registry, crowd, npi, week};

/// A registry, and the site that has files for it.
struct RegistryFixture;

impl RegistryFixture {
    /// With so many new providers at the site.
    async fn owed(_: Kind, things: i64) -> Owed {
        let registry = Registry::with(&week(0).of(&crowd(500, 5))).await;
        let firsts = (1..=things).step_by(10);
        let files = (1..).zip(firsts).map(|(number, first)| week(number).of(&crowd(first, 10.min(things + 1 - first))));
        registry.publish(&files.collect::<Vec<_>>());
        let Registry { clinic, site, temporary, files } = registry;
        Owed { subject: &SUBJECT, clinic, things, beside: Some(Box::new((site, temporary, files))) }
    }
}

const SUBJECT: Subject = Subject {
    job: &["refresh-npi", "--as-of", "2026-03-02T12:00:00Z"],
    table: "npi_data",
    written: ("npi_data", "npi"),
    evidence: &[
        ("(SELECT d.npi FROM npi_data d JOIN npi_files f ON f.id = d.file_id WHERE f.name LIKE '%Weekly%')", "npi", 1),
        ("(SELECT npi FROM search_surgeon WHERE last_name LIKE '_NAME%' AND last_name !~ 'NAME50[0-4]$')", "npi", 1),
    ],
    entity: "npi_row",
    done: "/loaded",
    number: |thing| npi(100_000_000 + thing),
    ..owed::SUBJECT
};

// Not asked, with what is asked in its place: what is held, and a child row (nobody but the job writes providers); a poison
// row (a file is loaded as a whole: `killed.rs`, and a line that cannot be read is put aside: `rows.rs`); one more than a
// batch (a file is one transaction: `killed.rs`); `--max-items` (the brake counts lines that cannot be read: `source.rs`).
// And asked once: the job reads nothing of the clinic's, so no kind of keys makes a difference.
owed::owed_by_the_job! {
    RegistryFixture, Bigint:
    a_second_run_changes_nothing,
    ten_at_once_do_each_once,
    a_dry_run_says_what_a_run_does_and_changes_nothing,
    a_killed_run_is_completed_by_the_next,
    a_role_with_its_grants_alone_does_all,
}
