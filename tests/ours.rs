//! `src/ops/ours.txt`: what our tables consist of, as a fresh `rounds migrate` makes them.

use std::fs;

use crate::sql::statements;
use crate::support::Clinic;

const FILE: &str = "src/ops/ours.txt";

#[tokio::test]
async fn the_list_of_our_tables_is_what_migrate_makes() {
    let clinic = Clinic::empty().await;
    clinic.run(&["migrate"]).await.expect(0);
    let all = statements(&clinic).await;
    let ours = all.iter().find(|statement| statement.name == "rounds::ops::ours::OURS").expect("a statement");
    // As the program sees the database.
    clinic.sql("SET search_path = pg_catalog, rounds, pg_temp").await;
    let rows = clinic.client.query(&ours.text, &[&"rounds"]).await.expect("parts");
    let mut list = String::new();
    for row in rows {
        let word = |name: &str| row.get::<_, String>(name);
        assert_eq!(word("fault"), "", "{} {}", word("relation"), word("name"));
        list += &format!("{}\t{}\t{}\t{}\n", word("kind"), word("relation"), word("name"), word("definition"));
    }
    assert!(list.lines().count() > 400, "{list}");
    if std::env::var_os("ROUNDS_UPDATE_DOCS").is_some() {
        fs::write(FILE, &list).expect("can be written");
    }
    assert_eq!(fs::read_to_string(FILE).expect("a list"), list, "`make docs` writes it");
}
