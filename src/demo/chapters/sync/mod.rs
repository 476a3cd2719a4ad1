//! Appointments that live in an account elsewhere.

use anyhow::ensure;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::demo::stage::{Line, Stage};

pub const CAST: &str = include_str!("cast.sql");

/// The key of the account of the stand-in.
const KEY: &str = "key-of-the-demo";

pub async fn play(stage: &mut Stage<'_>) -> anyhow::Result<()> {
    let about = "The appointments of some patients are in an IntakeQ/PracticeQ account; here a stand-in of its API. Whose \
                 an appointment is must be certain; else it waits for a person, and is in nobody's chart.";
    stage.open("Sync: appointments from elsewhere", about, CAST).await?;
    let start = stage.now + TimeDelta::hours(20);
    let known = appointment("pq-known", 1, "patient-9021@example.org", "1971-05-04", start);
    let unknown = appointment("pq-unknown", 2, "somebody@example.org", "1988-11-30", start + TimeDelta::hours(1));
    stage.provider.lists(vec![known, unknown.clone()]);
    stage.run(sync(stage, "sync-practiceq")).await?;
    let first = [
        "pq-known | visit of patient 9021 | 03 Mar 12:30 | CONFIRMED",
        "pq-unknown | waits for a person: NOBODY | 03 Mar 13:30 | open",
    ];
    stage.shows(include_str!("told.sql"), &first).await?;
    stage.say("Somebody moves the first one in the account, and an admin knows whose the second one is.")?;
    stage.later(10);
    let mut moved = appointment("pq-known", 1, "patient-9021@example.org", "1971-05-04", start + TimeDelta::hours(2));
    moved["LastModified"] = json!(stage.now.timestamp_millis());
    stage.provider.lists(vec![moved, unknown]);
    stage.run(sync(stage, "sync-practiceq --incremental")).await?;
    let id = stage.count("SELECT id FROM practiceq_unmatched WHERE external_id = 'pq-unknown'").await?;
    let linked = stage.run(Line::of(&format!("practiceq unmatched link {id} --patient 9022 --actor 11"))).await?;
    ensure!(linked.report["appointments"] == 1, "one is in the chart now: {}", linked.report);
    let second = [
        "pq-known | visit of patient 9021 | 03 Mar 14:30 | CONFIRMED",
        "pq-unknown | visit of patient 9022 | 03 Mar 13:30 | CONFIRMED",
    ];
    stage.shows(include_str!("told.sql"), &second).await
}

fn sync(stage: &Stage<'_>, words: &str) -> Line {
    let url = format!("{}api/v1/", stage.provider.url);
    Line::of(words).variable("ROUNDS_PRACTICEQ_URL", url).variable("ROUNDS_PRACTICEQ_KEY", KEY)
}

/// An appointment of half an hour, as the API has it.
fn appointment(id: &str, client: i64, email: &str, born: &str, start: DateTime<Utc>) -> Value {
    json!({
        "Id": id, "ClientId": client, "ClientName": format!("Client {client}"), "ClientEmail": email,
        "ClientDateOfBirth": born, "Status": "Confirmed",
        "StartDate": start.timestamp_millis(), "EndDate": (start + TimeDelta::minutes(30)).timestamp_millis(),
        "Duration": 30, "ServiceName": "Follow-up", "LocationName": "Mesa",
        "PractitionerId": "demo-practitioner", "PractitionerEmail": "doctor-41@example.org",
        "DateCreated": (start - TimeDelta::days(9)).timestamp_millis(),
        "LastModified": (start - TimeDelta::days(3)).timestamp_millis(),
        "AdditionalClients": [], "BookedByClient": false,
    })
}
