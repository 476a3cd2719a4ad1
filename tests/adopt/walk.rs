//! The walk of docs/adopting.md: its commands, as the page has them, lead to a visit marked in the application's table.

use crate::support::shell::shell;
use crate::support::{Clinic, server};

const PAGE: &str = include_str!("../../docs/adopting.md");

/// The commands of the walk: the blocks of shell in its section.
fn commands() -> String {
    let (_, section) = PAGE.split_once("## A walk").expect("the section");
    let (section, _) = section.split_once("\n## ").expect("another section");
    let blocks = section.split("```sh\n").skip(1).map(|rest| rest.split_once("```").expect("a block ends").0);
    blocks.collect()
}

#[tokio::test]
async fn the_walk_leads_to_a_visit_marked_in_the_applications_table() {
    let clinic = Clinic::empty().await;
    let owner = server().url(&clinic.database);
    let mut script = String::new();
    for line in commands().lines() {
        // The two addresses are those of the reader.
        script += &match line.split_once('=') {
            Some(("OWNER", _)) => format!("OWNER='{owner}'"),
            Some(("JOBS", address)) => {
                let (_, role) = address.split_once("//").expect("an address");
                let (role, _) = role.split_once('@').expect("a role");
                format!("JOBS='{owner}&user={role}'")
            }
            _ => line.to_owned(),
        };
        script.push('\n');
    }
    let output = shell(&script).output().await.expect("bash can be started");
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    let made = clinic.count("SELECT count(*) FROM pg_roles WHERE rolname = 'clinic_jobs'").await;
    if made == 1 {
        clinic.sql("DROP OWNED BY clinic_jobs; DROP ROLE clinic_jobs").await;
    }
    assert!(output.status.success(), "{}\n{said}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    for words in ["Ready: 2 jobs", "visit-1 | NO_SHOW", "mark-no-shows"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let visit = "SELECT concat_ws(' ', (SELECT status FROM public.appointments),
                                       (SELECT \"isAvailable\" FROM public.doctor_slots),
                                       (SELECT \"noShowCount\" FROM public.patients),
                                       (SELECT count(*) FROM public.no_show_logs))";
    // The slot is over, so there is nothing to release.
    assert_eq!(clinic.row(visit, &[]).await.get::<_, String>(0), "NO_SHOW f 1 1");
}
