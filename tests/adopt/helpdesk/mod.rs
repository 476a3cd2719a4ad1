//! `adopt/helpdesk-prisma.sql`: the jobs of the help desk on the tables of an application made with Prisma.

mod kit;
mod refused;
mod rules;
mod same_day;
mod sla;
mod told;

use std::process::Output;

use serde_json::Value;

use super::support;
use crate::support::keys::Kind;
use crate::support::{Clinic, Database, Program, Template, connect, server};

const TABLES: &str = include_str!("../../data/applications/helpdesk-prisma.sql");
/// The user of the application who gets the rows of its history that nobody caused.
const NOBODY: i64 = 99_999_999;

/// Runs the kit as a person would.
async fn psql(database: &str, variables: &[&str]) -> Output {
    let variables: Vec<String> = variables.iter().map(|variable| format!("--set={variable}")).collect();
    let variables: Vec<&str> = variables.iter().map(String::as_str).collect();
    support::psql(database, &[&["--quiet", "-f", "adopt/helpdesk-prisma.sql"], &variables[..]].concat()).await
}

/// The application's tables in an empty database, and those of rounds, without the kit.
async fn application(database: &str) {
    let url = server().url(database);
    connect(&url).await.batch_execute(TABLES).await.expect("the application's tables");
    let outcome = Program::new(&url).run(&["migrate"]).await;
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let client = connect(&url).await;
    Kind::TextViews.functions(&client).await;
    let nobody = "INSERT INTO public.users (id, email, password, \"updatedAt\")
                  VALUES (rounds.k($1), 'nobody@example.org', '', '2026-01-01')";
    client.execute(nobody, &[&NOBODY]).await.expect("a user");
}

/// A help desk with the kit and without a ticket. Keys are text: `k(7)` and `n(key)` as in every clinic of the tests.
pub async fn helpdesk() -> Clinic {
    static TEMPLATE: Template = Template::new("helpdesk_prisma");
    let database = Database::of_template(&TEMPLATE, async |name| {
        application(name).await;
        let output = psql(name, &[&format!("history_user={}", Kind::TextViews.text(NOBODY))]).await;
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    });
    Clinic::on(database.await, Kind::TextViews).await
}

/// An active user without role and team.
async fn user(clinic: &Clinic, number: i64) -> i64 {
    let insert = "INSERT INTO public.users (id, email, name, password, \"updatedAt\")
                  VALUES (k($1), 'u' || $1 || '@example.org', 'CANARY', 'CANARY', '2026-01-01') RETURNING n(id)";
    clinic.row(insert, &[&number]).await.get(0)
}

/// So many open tickets of medium priority, filed at midnight UTC of 2026-03-02 by a user who has them, who is made.
async fn tickets(clinic: &Clinic, tickets: i64) {
    let owner = user(clinic, 1).await;
    let insert = "INSERT INTO public.tickets (id, \"ticketNumber\", title, description, \"assignedTo\", \"createdBy\",
                                              \"createdAt\", \"updatedAt\")
                  SELECT k(n), n, 'CANARY', 'CANARY', k($1), k($1), '2026-03-02', '2026-03-02'
                  FROM generate_series(1, $2::bigint) n";
    clinic.client.execute(insert, &[&owner, &tickets]).await.expect("can be inserted");
}

/// An active rule as the application stores it, behind those that are there.
async fn rule(clinic: &Clinic, condition: (&str, Value), action: (&str, Value)) -> i64 {
    let insert = "INSERT INTO public.escalation_rules (id, name, \"conditionType\", \"conditionValue\", \"actionType\",
                                                       \"actionConfig\", \"createdAt\", \"updatedAt\")
                  SELECT k(count(*) + 1), 'R', $1, $2, $3, $4, timestamp '2026-01-01' + count(*) * interval '1 s',
                         '2026-01-01'
                  FROM public.escalation_rules RETURNING n(id)";
    clinic.row(insert, &[&condition.0, &condition.1, &action.0, &action.1]).await.get(0)
}

/// A trigger of the application that refuses a row of a table, after saying all it knows.
async fn refuse(clinic: &Clinic, event: &str, table: &str, when: &str) {
    clinic
        .sql(&format!(
            "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 RAISE EXCEPTION 'CANARY %', NEW USING DETAIL = 'CANARY', ERRCODE = '22000';
             END $$;
             CREATE TRIGGER refuse BEFORE {event} ON public.{table} FOR EACH ROW WHEN ({when})
             EXECUTE FUNCTION public.refuse()"
        ))
        .await;
}
