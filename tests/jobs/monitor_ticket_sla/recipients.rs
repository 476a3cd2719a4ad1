//! Who is told of a ticket's SLA, and in which words.

use serde_json::json;

use super::super::owed;
use super::{BREACHED, HIGH, MEDIUM, TicketFixture};

#[tokio::test]
async fn creator_assignee_leaders_and_followers_are_told() {
    let fixture = TicketFixture::new().await;
    let mut users = vec![];
    for _ in 0..6 {
        users.push(fixture.clinic.user(fixture.facility, "AGENT").await);
    }
    let [assignee, second_leader, member, follower, second_follower, stranger] = users[..] else { unreachable!() };
    let ticket = fixture.ticket(&format!("assignee_id = {assignee}, team_id = {}", fixture.team)).await;
    let (team, leader, creator) = (fixture.team, fixture.leader, fixture.creator);
    fixture
        .clinic
        .sql(&format!(
            "INSERT INTO team_members VALUES ({team}, {second_leader}, true), ({team}, {member}, false);
             INSERT INTO ticket_followers VALUES ({ticket}, {follower}), ({ticket}, {second_follower});
             INSERT INTO teams (name) VALUES ('Another');
             INSERT INTO team_members SELECT id, {stranger}, true FROM teams WHERE name = 'Another'"
        ))
        .await;
    let outcome = fixture.run(HIGH).await;
    let mut expected = [creator, leader, assignee, second_leader, follower, second_follower];
    expected.sort_unstable();
    assert_eq!(fixture.told().await, expected.map(|user| format!("{user} IN_APP")));
    assert_eq!(outcome.count("notifications_sent"), 6);
}

#[tokio::test]
async fn who_is_several_of_them_is_told_once() {
    let fixture = TicketFixture::new().await;
    let (leader, team) = (fixture.leader, fixture.team);
    let ticket = fixture.ticket(&format!("created_by = {leader}, assignee_id = {leader}, team_id = {team}")).await;
    fixture
        .clinic
        .sql(&format!(
            "INSERT INTO ticket_followers VALUES ({ticket}, {leader});
             UPDATE users SET email = 'l@example.org' WHERE id = {leader};
             INSERT INTO notification_preferences VALUES ({leader}, true, true)"
        ))
        .await;
    assert_eq!(fixture.run(HIGH).await.count("notifications_sent"), 2);
    assert_eq!(fixture.told().await, [format!("{leader} IN_APP"), format!("{leader} EMAIL")]);
}

#[tokio::test]
async fn each_is_told_as_they_prefer() {
    let fixture = TicketFixture::new().await;
    // (preferences: in-app and e-mail, or no row; has an address?, channels)
    let cases = [
        (None, true, &["IN_APP"][..]),
        (Some((true, false)), true, &["IN_APP"]),
        (Some((true, true)), true, &["IN_APP", "EMAIL"]),
        (Some((false, true)), true, &["EMAIL"]),
        (Some((false, false)), true, &[]),
        (Some((true, true)), false, &["IN_APP"]),
        (Some((false, true)), false, &[]),
    ];
    let ticket = fixture.ticket("created_by = NULL").await;
    let mut expected = vec![];
    for (preferences, address, channels) in cases {
        let user = fixture.clinic.user(fixture.facility, "AGENT").await;
        fixture.clinic.sql(&format!("INSERT INTO ticket_followers VALUES ({ticket}, {user})")).await;
        if address {
            fixture.clinic.sql(&format!("UPDATE users SET email = 'u@example.org' WHERE id = {user}")).await;
        }
        if let Some((in_app, email)) = preferences {
            let insert = format!("INSERT INTO notification_preferences VALUES ({user}, {in_app}, {email})");
            fixture.clinic.sql(&insert).await;
        }
        expected.extend(channels.iter().map(|channel| format!("{user} {channel}")));
    }
    assert_eq!(fixture.run(MEDIUM).await.count("notifications_sent"), expected.len() as u64);
    assert_eq!(fixture.told().await, expected);
}

#[tokio::test]
async fn the_leaders_of_a_team_out_of_use_get_nothing_but_its_members_who_follow_do() {
    let fixture = TicketFixture::new().await;
    let (leader, team, creator) = (fixture.leader, fixture.team, fixture.creator);
    let other = fixture.clinic.user(fixture.facility, "AGENT").await;
    let ticket = fixture.ticket(&format!("team_id = {team}")).await;
    fixture
        .clinic
        .sql(&format!(
            "UPDATE teams SET active = false WHERE id = {team};
             INSERT INTO team_members VALUES ({team}, {other}, true);
             INSERT INTO ticket_followers VALUES ({ticket}, {other})"
        ))
        .await;
    fixture.run(MEDIUM).await;
    assert_eq!(fixture.told().await, [format!("{creator} IN_APP"), format!("{other} IN_APP")], "not leader {leader}");
    // Back in use, and the risk is higher.
    fixture.clinic.sql("UPDATE teams SET active = true").await;
    fixture.run(HIGH).await;
    assert!(fixture.told().await.contains(&format!("{leader} IN_APP")));
}

#[tokio::test]
async fn users_who_have_left_get_nothing() {
    let fixture = TicketFixture::new().await;
    let (leader, team, creator) = (fixture.leader, fixture.team, fixture.creator);
    let [assignee, follower] =
        [fixture.clinic.user(fixture.facility, "AGENT").await, fixture.clinic.user(fixture.facility, "AGENT").await];
    let ticket = fixture.ticket(&format!("assignee_id = {assignee}, team_id = {team}")).await;
    fixture
        .clinic
        .sql(&format!(
            "INSERT INTO ticket_followers VALUES ({ticket}, {follower});
             UPDATE users SET active = false, email = 'u@example.org' WHERE id IN ({leader}, {assignee}, {follower});
             INSERT INTO notification_preferences SELECT id, true, true FROM users"
        ))
        .await;
    fixture.run(HIGH).await;
    assert_eq!(fixture.told().await, [format!("{creator} IN_APP")], "who has no address, but is there");
}

#[tokio::test]
async fn what_nobody_is_told_of_is_recorded_all_the_same() {
    let fixture = TicketFixture::new().await;
    fixture.ticket("created_by = NULL").await;
    fixture.ticket("").await;
    let off = format!("INSERT INTO notification_preferences VALUES ({}, false, false)", fixture.creator);
    fixture.clinic.sql(&off).await;
    let outcome = fixture.run(MEDIUM).await;
    let counts = ["recorded", "notifications_sent", "skipped", "failed"].map(|key| outcome.count(key));
    assert_eq!(counts, [2, 0, 0, 0]);
    assert_eq!(fixture.told().await, [""; 0]);
    assert_eq!(fixture.run(MEDIUM).await.count("recorded"), 0);
}

#[tokio::test]
async fn of_a_breach_that_concerns_nobody_the_managers_are_told_and_without_those_the_admins() {
    let fixture = TicketFixture::new().await;
    let clinic = &fixture.clinic;
    let other = clinic.facility("America/Denver", None).await;
    let off = async |user: i64, what: &str| clinic.sql(&format!("UPDATE users SET {what} WHERE id = {user}")).await;
    let mut staff = vec![];
    for (facility, role) in [
        (fixture.facility, "MANAGER"),
        (fixture.facility, "MANAGER"),
        (other, "MANAGER"),
        (other, "MANAGER"),
        (fixture.facility, "HOSPITAL_ADMIN"),
        (other, "HOSPITAL_ADMIN"),
        (fixture.facility, "SUPERVISOR"),
    ] {
        staff.push(clinic.user(facility, role).await);
    }
    let [first, second, elsewhere, of_all, admin, ..] = staff[..] else { unreachable!() };
    off(of_all, "facility_id = NULL").await;
    let mut told_before = vec![];
    // Each time one more is missing: who is told of a new ticket.
    for (missing, told) in [
        (None, vec![first, second, of_all]),
        (Some((first, "active = false")), vec![second, of_all]),
        (Some((of_all, "active = false")), vec![second]),
        (Some((second, "role = 'AGENT'")), vec![admin]),
        (Some((admin, "active = false")), vec![]),
    ] {
        if let Some((user, what)) = missing {
            off(user, what).await;
        }
        fixture.ticket("created_by = NULL").await;
        let outcome = fixture.run(BREACHED).await;
        assert_eq!(outcome.count("undeliverable"), u64::from(told.is_empty()), "{missing:?}");
        told_before.extend(told.iter().map(|user| format!("{user} IN_APP")));
        let mut all = fixture.told().await;
        all.sort();
        told_before.sort();
        assert_eq!(all, told_before, "{missing:?}");
    }
    // A ticket of no facility is everybody's.
    clinic.sql("DELETE FROM notifications").await;
    fixture.ticket("created_by = NULL, facility_id = NULL").await;
    fixture.run(BREACHED).await;
    assert_eq!(fixture.told().await, [format!("{elsewhere} IN_APP")]);
}

#[tokio::test]
async fn managers_stand_in_only_for_a_breach_and_only_where_nobody_else_is_told() {
    let fixture = TicketFixture::new().await;
    let manager = fixture.clinic.user(fixture.facility, "MANAGER").await;
    let alone = fixture.ticket("created_by = NULL").await;
    fixture.ticket("").await;
    let outcome = fixture.run(HIGH).await;
    assert_eq!((outcome.count("recorded"), outcome.count("undeliverable")), (2, 0), "there is time to find somebody");
    assert_eq!(fixture.told().await, [format!("{} IN_APP", fixture.creator)]);
    fixture.clinic.sql("DELETE FROM notifications").await;
    fixture.run(BREACHED).await;
    assert_eq!(fixture.told().await, [format!("{} IN_APP", fixture.creator), format!("{manager} IN_APP")]);
    let of: i64 = fixture
        .clinic
        .count(&format!("SELECT n(entity_id) FROM notifications WHERE n(recipient_id) = {manager}"))
        .await;
    assert_eq!(of, alone);
}

#[tokio::test]
async fn who_wants_no_notices_is_told_of_a_breach_all_the_same() {
    let fixture = TicketFixture::new().await;
    fixture.clinic.user(fixture.facility, "MANAGER").await;
    let creator = fixture.creator;
    fixture.clinic.sql(&format!("INSERT INTO notification_preferences VALUES ({creator}, false, false)")).await;
    fixture.ticket("").await;
    fixture.run(MEDIUM).await;
    assert_eq!(fixture.told().await, [""; 0], "a NORMAL notice");
    let outcome = fixture.run(BREACHED).await;
    assert_eq!(fixture.told().await, [format!("{creator} IN_APP")], "a HIGH one");
    assert_eq!(outcome.count("undeliverable"), 0);
}

#[tokio::test]
async fn who_comes_later_is_told_of_what_is_news_then() {
    let fixture = TicketFixture::new().await;
    let ticket = fixture.ticket("created_by = NULL").await;
    assert_eq!(fixture.run(BREACHED).await.count("undeliverable"), 1);
    fixture.change(ticket, &format!("assignee_id = {}", fixture.creator)).await;
    assert_eq!(fixture.run(BREACHED).await.count("recorded"), 0, "the breach is no news");
    // A new date that is breached as well.
    fixture.change(ticket, "sla_due_at = '2026-03-12T01:00Z'").await;
    assert_eq!(fixture.run(BREACHED).await.count("undeliverable"), 0);
    assert_eq!(fixture.told().await, [format!("{} IN_APP", fixture.creator)]);
}

#[tokio::test]
async fn each_is_told_in_the_right_words() {
    let fixture = TicketFixture::new().await;
    // At a medium risk, at a high one, and breached.
    for due in ["2026-03-12", "2026-03-10T01:00Z", "2026-03-09"] {
        fixture.ticket(&format!("sla_due_at = '{due}'")).await;
    }
    fixture
        .clinic
        .sql(&format!(
            "UPDATE users SET email = 'u@example.org';
             INSERT INTO notification_preferences VALUES ({}, true, true)",
            fixture.creator
        ))
        .await;
    let report = fixture.run(MEDIUM).await.report();
    assert_eq!(report["notifications_sent"], json!(6));
    insta::assert_snapshot!("ticket_sla", owed::notices(&fixture.clinic, &report["run_id"]).await);
}

#[tokio::test]
async fn the_number_is_the_one_that_people_use() {
    let fixture = TicketFixture::new().await;
    fixture.ticket("number = 'HD/2026 #7'").await;
    fixture.run(BREACHED).await;
    let body: String = fixture.clinic.row("SELECT body FROM notifications", &[]).await.get(0);
    assert!(body.contains("HD/2026 #7") && body.contains("has breached its SLA"), "{body}");
}
