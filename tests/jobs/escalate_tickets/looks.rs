//! What an explanation costs: how often it looks at the tickets does not grow with the square of the rules.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use serde_json::json;

use super::follow;
use crate::support::Clinic;
use crate::support::tickets::TICKET;

/// How often statements have looked at the tickets. Each statement about one looks once or a few times.
async fn looks(clinic: &Clinic) -> i64 {
    let query = "SELECT COALESCE(seq_scan, 0) + COALESCE(idx_scan, 0) FROM pg_stat_user_tables
                 WHERE relid = 'tickets'::regclass";
    clinic.count(query).await
}

/// The looks since there were `before`, of which there are some: the server counts them at its own pace.
async fn looks_since(clinic: &Clinic, before: i64) -> i64 {
    let mut last = before;
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let now = looks(clinic).await;
        if now > before && now == last {
            break;
        }
        last = now;
    }
    last - before
}

/// A ticket, and rules of which each holds an hour after the one before.
async fn hourly_rules(rules: i64) -> (Clinic, i64) {
    let clinic = Clinic::new().await;
    let action = follow(&clinic).await;
    for hours in 1..=rules {
        clinic.rule(("no_response", json!({ "hours": hours })), action.clone()).await;
    }
    let ticket = clinic.ticket(TICKET).await;
    (clinic, ticket)
}

#[tokio::test]
async fn what_is_said_of_a_ticket_costs_a_few_statements_for_each_rule() {
    const RULES: i64 = 120;
    let (clinic, ticket) = hourly_rules(RULES).await;
    let before = looks(&clinic).await;
    let id = clinic.kind.text(ticket);
    let args = ["escalate-tickets", "--as-of", "2026-03-01T00:00:00Z", "--explain", &id];
    let report = clinic.run(&args).await.expect(0).report();
    let verdicts = report["verdicts"].as_array().expect("verdicts");
    assert_eq!(verdicts.len(), RULES as usize);
    let instant = |text: Option<&str>| DateTime::parse_from_rfc3339(text.expect("a text")).expect("an instant");
    for (verdict, hours) in verdicts.iter().zip(1..) {
        let due_at = instant(Some(TICKET.created)) + TimeDelta::hours(hours);
        assert_eq!(instant(verdict["due_at"].as_str()), due_at, "{verdict}");
    }
    let looks = looks_since(&clinic, before).await;
    assert!((RULES..10 * RULES).contains(&looks), "{looks} looks at the tickets for {RULES} rules");
}

#[tokio::test]
async fn a_list_asks_only_for_the_rule_of_each_item() {
    const RULES: i64 = 60;
    let (clinic, _) = hourly_rules(RULES).await;
    let before = looks(&clinic).await;
    let args = ["escalate-tickets", "--as-of", "2026-03-05T00:00:00Z", "--dry-run", "--list", "100"];
    let list = clinic.run(&args).await.expect(0).report()["list"].as_array().expect("a list").clone();
    let names: BTreeSet<_> = list.iter().filter_map(|line| line["name"].as_str()).collect();
    assert_eq!((list.len(), names.len()), (RULES as usize, RULES as usize), "each has its own rule: {list:?}");
    assert!(list.iter().all(|line| line["why"] == "no_response holds"), "{list:?}");
    let looks = looks_since(&clinic, before).await;
    assert!((RULES..40 * RULES).contains(&looks), "{looks} looks at the tickets for {RULES} rules");
}
