//! `make prove`: the claims of the README on a real PostgreSQL, under kills, crashes, stops, crowds and an application.
//!
//! It is a test target of its own, and not a module of `it`, for three reasons. It measures how long an application
//! waits, so nothing else may run beside it. It prints a line a proof while it goes and a table at the end, which the
//! usual harness would keep back or mix. And the full form is built for release, which is much quicker without `it`. It
//! shares `tests/support`: servers, connections, the program as a process.
//!
//! `ROUNDS_PROVE=full` is the full form, a number so many percent of it; without it the short form runs, which is part
//! of `make test`. Arguments choose proofs by name. `ROUNDS_PROVE_SEED=NUMBER` repeats a whole run, and
//! `ROUNDS_PROVE_SEED=PROOF/JOB/NUMBER`, as a failure prints it, one unit of a proof: its sizes, its choices and its
//! moments; what the machine does at a moment may differ.

mod application;
mod clinic;
mod crashes;
mod crowds;
mod delivery;
mod form;
mod kills;
mod ledger;
mod pace;
mod stops;
mod tally;
mod work;

#[path = "../support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "it is shared with `it`, which uses all of it")]
mod support;

use std::process::ExitCode;
use std::time::Instant;

use clinic::Site;
use form::Form;
use tally::{Tally, print_table};

const PROOFS: [&str; 6] = ["kills", "crashes", "stops", "crowds", "delivery", "application"];

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let form: &'static Form = match Form::of_env() {
        Ok(form) => Box::leak(Box::new(form)),
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let began = Instant::now();
    let chosen: Vec<&str> = PROOFS.into_iter().filter(|proof| form.chosen(proof)).collect();
    if chosen.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("\nROUNDS_PROVE={} ROUNDS_PROVE_SEED={}", form.name(), form.seed);
    let mut tallies = vec![];
    for proof in chosen {
        tallies.extend(prove(proof, form).await);
    }
    print_table(&tallies, &form.name(), began.elapsed());
    if tallies.iter().all(|tally| tally.breaches.is_empty()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One proof: a tally for each job where it is about jobs.
async fn prove(proof: &str, form: &'static Form) -> Vec<Tally> {
    let site = match proof {
        // A crash is of the whole server, so it has one of its own.
        "crashes" => crashes::site(form).await,
        _ => Site::shared(form).await,
    };
    match proof {
        "kills" => kills::prove(site, form).await,
        "crashes" => crashes::prove(site, form).await,
        "stops" => stops::prove(site, form).await,
        "crowds" => crowds::prove(site, form).await,
        "delivery" => delivery::prove(site, form).await,
        _ => application::prove(site, form).await,
    }
}
