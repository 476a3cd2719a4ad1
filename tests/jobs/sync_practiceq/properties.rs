//! Whatever happens to the account's visits, and whatever goes wrong while they are read: after two complete sweeps
//! what is stored is what the account has, nobody has another's visit, and no limit was exceeded. The oracle is the
//! rule again, and the seed is printed where they differ.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::America::Denver;
use fastrand::Rng;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::crowd::discreet;
use super::words::{balanced, totals};
use crate::jobs::properties::worlds;
use crate::support::keys::Kind;
use crate::support::practiceq::{Client, Fault, NOW, State, Sync, appointment};
use crate::support::program::Outcome;

/// More of them at once than there are processors would only wait.
/// Whom nobody knows is kept, however long ago the visit was.
const ALL_KEPT: [&str; 2] = ["--keep-unmatched", "400d"];
const AT_ONCE: usize = 3;
/// What may disappear or be missed in a sequence: no brake may hold a sweep.
const LOSSES: usize = 5;
/// How many requests a day the runs have: not always enough.
const DAYS: [usize; 2] = [16, 40];

/// First and last name, e-mail, date of birth.
const PATIENTS: [(&str, &str, &str, Option<&str>); 8] = [
    ("Zebedee", "Canaryman", "zed@canary.example", Some("1980-02-03")),
    ("Ada", "Canary", "shared@canary.example", Some("1990-01-01")),
    ("Bob", "Canary", "shared@canary.example", Some("1991-01-01")),
    ("Ann", "Canarytwin", "twins@canary.example", Some("2001-05-05")),
    ("Amy", "Canarytwin", "twins@canary.example", Some("2001-05-05")),
    ("Carl", "Canary", " Carl@Canary.Example ", None),
    ("Dora", "Canary", "dora@canary.example", Some("1970-07-07")),
    ("José", "Canarín", "jose@canary.example", Some("1985-06-06")),
];
/// Affiliated, but not any more.
const DORA: usize = 6;

/// Clients of the account, and whose visits are theirs here.
const CLIENTS: [(Client, Option<usize>); 13] = [
    (client(1, "zebedee  CANARYMAN", "ZED@Canary.Example", "1980-02-03"), Some(0)),
    (client(2, "Ada Canary", "shared@canary.example", "1990-01-01"), Some(1)),
    (client(3, "Bob Canary", "shared@canary.example", "1991-01-01"), Some(2)),
    (client(4, "Ann Canarytwin", "twins@canary.example", "2001-05-05"), Some(3)),
    (client(5, "Amy Canarytwin", "twins@canary.example", "2001-05-05"), Some(4)),
    (client(6, "Carl Canary", "carl@canary.example", "1977-01-01"), Some(5)),
    // A case manager's address, another's address, one twin too many.
    (client(7, "Casey Canary", "shared@canary.example", "1960-01-01"), None),
    (client(8, "Zebedee Canaryman", "other@canary.example", "1980-02-03"), None),
    (client(9, "Ava Canarytwin", "twins@canary.example", "2001-05-05"), None),
    (client(10, "Dora Canary", "dora@canary.example", "1970-07-07"), None),
    // The account knows Zebedee twice, and José by his name alone; of Ada with Bob's birthday nobody can tell.
    (client(11, "Zeb Canaryman", "zed@canary.example", "1980-02-03"), Some(0)),
    (client(12, "Ada Canary", "shared@canary.example", "1991-01-01"), None),
    (client(13, "Jose\u{301}  Canarín", "jose@canary.example", ""), Some(7)),
];

const fn client(id: i64, name: &'static str, email: &'static str, date_of_birth: &'static str) -> Client<'static> {
    Client { id, name, email, date_of_birth }
}

/// Id, e-mail, and the doctor here, if any. A visit keeps its practitioner unless both are known.
const PRACTITIONERS: [(&str, &str, bool); 3] = [
    ("prac-1", "doc@clinic.example", true),
    ("prac-2", "second@clinic.example", true),
    ("prac-9", "canary-locum@clinic.example", false),
];
const STATUSES: [(&str, &str); 6] = [
    ("Confirmed", "CONFIRMED"),
    ("WaitingConfirmation", "SCHEDULED"),
    ("Canceled", "CANCELLED"),
    ("Declined", "CANCELLED"),
    ("Missed", "NO_SHOW"),
    ("cancelled", "CANCELLED"),
];

/// What was done to a visit of the account that cannot be read off its row.
struct Past {
    here: bool,
    vanished: bool,
    /// Whom it was ever with, by place in `CLIENTS`.
    clients: BTreeSet<usize>,
    /// Staff here completed it.
    completed: bool,
    notes: Option<String>,
}

struct World {
    sync: Sync,
    seed: u64,
    rng: Rng,
    patients: Vec<i64>,
    doctors: HashMap<&'static str, i64>,
    visits: BTreeMap<String, Past>,
    losses: usize,
    next: usize,
    day: usize,
}

/// In the middle of the window, or far outside of it.
fn start(rng: &mut Rng, inside: bool) -> DateTime<Utc> {
    let now = of_text(&json!(NOW));
    let days = if inside { rng.i64(-80..=80) } else { rng.i64(130..200) * if rng.bool() { 1 } else { -1 } };
    // Both nights of a clock change, too: March 8 is in the window.
    let days = if inside && rng.u8(..6) == 0 { rng.i64(5..=6) } else { days };
    now + TimeDelta::days(days) + TimeDelta::minutes(15 * rng.i64(0..96))
}

fn of_text(value: &Value) -> DateTime<Utc> {
    value.as_str().and_then(|text| text.parse().ok()).expect("an instant")
}

/// Whether what begins then is surely in the window.
fn inside(at: DateTime<Utc>) -> bool {
    (at - of_text(&json!(NOW))).num_days().abs() < 85
}

/// The same instant in one of the ways in which the account writes it.
fn written(rng: &mut Rng, at: DateTime<Utc>) -> Value {
    let millis = at.timestamp_millis();
    match rng.u8(..3) {
        0 => json!(millis),
        1 => json!(millis as f64),
        _ => json!(millis.to_string()),
    }
}

fn instant(value: &Value) -> DateTime<Utc> {
    let millis = value.as_f64().or_else(|| value.as_str()?.parse().ok()).expect("milliseconds");
    DateTime::from_timestamp_millis(millis as i64).expect("an instant")
}

fn reschedule(rng: &mut Rng, row: &mut Value, at: DateTime<Utc>) {
    row["StartDate"] = written(rng, at);
    row["EndDate"] = written(rng, at + TimeDelta::minutes(50));
    row["StartDateIso"] = json!(at.to_rfc3339());
}

/// The visit is with somebody else.
fn hand_over(row: &mut Value, to: usize) {
    let other = appointment("", &CLIENTS[to].0, "2026-03-02T00:00:00Z");
    for field in ["ClientId", "ClientName", "ClientEmail", "ClientDateOfBirth"] {
        row[field] = other[field].clone();
    }
}

/// Another value for one of the fields that make a change.
fn edited(rng: &mut Rng, row: &mut Value) {
    match rng.u8(..6) {
        0 => row["ServiceName"] = json!(format!("Canary service {}", rng.u8(..9))),
        1 => row["LocationName"] = [json!("Canary Street"), json!(7), Value::Null][rng.usize(..3)].clone(),
        2 => row["TelehealthInfo"]["JoinUrl"] = json!(format!("https://meet.example/j/{}", rng.u32(..999))),
        3 => row["TelehealthInfo"] = Value::Null,
        4 if row["PractitionerId"] != "prac-9" => {
            let (id, email, _) = PRACTITIONERS[rng.usize(..2)];
            row["PractitionerId"] = json!(id);
            row["PractitionerEmail"] = json!(email);
        }
        _ => row["Status"] = json!(STATUSES[rng.usize(..STATUSES.len())].0),
    }
}

/// The place of the client whose row this is.
fn client_of(row: &Value) -> usize {
    CLIENTS.iter().position(|(client, _)| row["ClientId"] == client.id).expect("a client")
}

impl World {
    async fn new(seed: u64) -> Self {
        let sync = Sync::of(Kind::ALL[seed as usize % 3]).await;
        let mut rng = Rng::with_seed(seed);
        let mut patients = vec![];
        for (first, last, email, date_of_birth) in PATIENTS {
            patients.push(sync.patient(first, last, Some(email), date_of_birth).await);
        }
        let second = sync.clinic.doctor(sync.facility, Some(30)).await;
        sync.clinic
            .sql(&format!(
                "UPDATE patient_organization_affiliations SET status = 'inactive' WHERE patient_id = k({});
                 INSERT INTO provider_intakeq_settings (doctor_id, practitioner_email)
                 VALUES (k({second}), 'Second@Clinic.Example')",
                patients[DORA]
            ))
            .await;
        let doctors = HashMap::from([("prac-1", sync.doctor), ("prac-2", second)]);
        let visits = [8, 40, 150, 230][rng.usize(..4)];
        let day = DAYS[rng.usize(..2)];
        let mut world =
            Self { sync, seed, rng, patients, doctors, visits: BTreeMap::new(), losses: LOSSES, next: 0, day };
        (0..visits).for_each(|_| world.book());
        world
    }

    /// A new visit of anybody.
    fn book(&mut self) {
        let (rng, id) = (&mut self.rng, format!("b{:04}", self.next));
        self.next += 1;
        let client = rng.usize(..CLIENTS.len());
        let inside = rng.u8(..8) > 0;
        let mut row = appointment(&id, &CLIENTS[client].0, "2026-03-02T00:00:00Z");
        let at = start(rng, inside);
        reschedule(rng, &mut row, at);
        edited(rng, &mut row);
        if rng.u8(..6) == 0 {
            let (practitioner, email, _) = PRACTITIONERS[2];
            row["PractitionerId"] = json!(practitioner);
            row["PractitionerEmail"] = json!(email);
        }
        if rng.u8(..12) == 0 {
            row["AdditionalClients"] = json!([{"ClientId": 99, "ClientName": "Zoe Canaryfriend"}]);
        }
        if rng.u8(..8) == 0 {
            row["LastModified"] = Value::Null;
        }
        self.sync.upstream.put(row);
        let clients = [client].into();
        self.visits.insert(id, Past { here: true, vanished: false, clients, completed: false, notes: None });
    }

    /// Any visit that is (not) there.
    fn any(&mut self, here: bool) -> Option<String> {
        let ids: Vec<_> = self.visits.iter().filter(|(_, past)| past.here == here).map(|(id, _)| id).collect();
        (!ids.is_empty()).then(|| ids[self.rng.usize(..ids.len())].clone())
    }

    /// Something happens to the account.
    fn happen(&mut self) {
        let Some(id) = self.any(true) else { return self.book() };
        let loss = self.losses > 0;
        let upstream = &self.sync.upstream;
        let past = self.visits.get_mut(&id).expect("it is known");
        match self.rng.u8(..20) {
            0..5 => upstream.edit(&id, |row| edited(&mut self.rng, row)),
            5..8 => upstream.edit(&id, |row| {
                let at = start(&mut self.rng, true);
                reschedule(&mut self.rng, row, at);
            }),
            8 if loss => {
                self.losses -= 1;
                upstream.edit(&id, |row| {
                    let at = start(&mut self.rng, false);
                    reschedule(&mut self.rng, row, at);
                });
            }
            9 | 10 => {
                let to = self.rng.usize(..CLIENTS.len());
                past.clients.insert(to);
                upstream.edit(&id, |row| hand_over(row, to));
            }
            11 | 12 => {
                // LastModified says nothing of it.
                let mut row = upstream.row(&id);
                if inside(instant(&row["StartDate"])) {
                    edited(&mut self.rng, &mut row);
                    upstream.put(row);
                }
            }
            13 | 14 if loss => {
                (self.losses, past.here) = (self.losses - 1, false);
                upstream.delete(&id);
            }
            15 if loss => {
                (self.losses, past.here, past.vanished) = (self.losses - 1, false, true);
                upstream.vanish(&id);
            }
            16 => {
                if let Some(gone) = self.any(false) {
                    let past = self.visits.get_mut(&gone).expect("it is known");
                    (past.here, past.vanished) = (true, false);
                    self.sync.upstream.restore(&gone);
                }
            }
            17 => upstream.shift(&id, self.rng.usize(..300)),
            _ => self.book(),
        }
    }

    /// Something of which LastModified, or the list of the deleted, tells.
    fn happen_in_sight(&mut self) {
        let Some(id) = self.any(true) else { return };
        match self.rng.u8(..8) {
            0 if self.losses > 0 => {
                self.losses -= 1;
                self.visits.get_mut(&id).expect("it is known").here = false;
                self.sync.upstream.delete(&id);
            }
            1 => {
                let to = self.rng.usize(..DORA);
                self.visits.get_mut(&id).expect("it is known").clients.insert(to);
                self.sync.upstream.edit(&id, |row| hand_over(row, to));
            }
            2 | 3 => self.sync.upstream.edit(&id, |row| {
                let (at, rng) = (start(&mut self.rng, true), &mut self.rng);
                reschedule(rng, row, at);
            }),
            4 => {
                self.book();
                let newest = self.visits.keys().next_back().expect("it is there").clone();
                self.sync.upstream.edit(&newest, |_| ());
            }
            _ => self.sync.upstream.edit(&id, |row| edited(&mut self.rng, row)),
        }
    }

    /// Staff here do something with a visit that is stored. Now and then the application deletes its row.
    async fn work(&mut self) {
        let Some(id) = self.any(true) else { return };
        if self.rng.u8(..4) == 0 {
            let delete = "DELETE FROM appointments WHERE external_id = $1";
            self.sync.clinic.client.execute(delete, &[&id]).await.expect("can be deleted");
            let past = self.visits.get_mut(&id).expect("it is known");
            (past.notes, past.completed) = (None, false);
            return;
        }
        let note = format!("note {}", self.rng.u32(..));
        let complete = self.rng.bool();
        let update = "UPDATE appointments SET notes = $2, status = CASE WHEN $3 THEN 'COMPLETED' ELSE status END,
                             cancelled_at = CASE WHEN $3 THEN NULL ELSE cancelled_at END
                      WHERE external_id = (SELECT v.external_id FROM practiceq_visits v
                                           WHERE v.external_id = $1 AND v.deleted_at IS NULL)";
        let updated = self.sync.clinic.client.execute(update, &[&id, &note, &complete]).await.expect("can be updated");
        if updated > 0 {
            let past = self.visits.get_mut(&id).expect("it is known");
            past.notes = Some(note);
            past.completed |= complete;
        }
    }

    /// Things that may go wrong, and pages that shift while they are read.
    fn disturb(&mut self) {
        let rng = &mut self.rng;
        let fault = |rng: &mut Rng| match rng.u8(..14) {
            0 => Fault::Status(503),
            1 => Fault::Html(200),
            2 => Fault::NotJson,
            3 => Fault::TruncatedBody,
            4 => Fault::Drop,
            5 => Fault::RetryAfter(429, "0".into()),
            6 => Fault::SlowBody(Duration::from_millis(30)),
            _ => Fault::None,
        };
        let mut faults: Vec<_> = (0..rng.usize(..8)).map(|_| fault(rng)).collect();
        if rng.u8(..5) == 0 {
            faults.extend([const { Fault::Status(502) }; 3]);
        }
        self.sync.upstream.fault(&faults);
        if rng.u8(..3) == 0 && self.losses > 0 {
            self.losses -= 1;
            let (ids, seed): (Vec<_>, _) = (self.visits.keys().cloned().collect(), rng.u64(..));
            self.sync.upstream.between_pages(shifting(ids, seed));
        }
    }

    /// The arguments of some run.
    fn any_lane(&mut self) -> Vec<String> {
        let kind = self.sync.clinic.kind;
        let mut args = match self.rng.u8(..9) {
            0..3 => vec![],
            3..5 => vec!["--incremental".into()],
            5 => vec!["--patient".into(), kind.text(self.patients[self.rng.usize(..DORA)])],
            6 => vec!["--organization".into(), kind.text(self.sync.organization)],
            _ => vec!["--appointment".into(), self.any(true).unwrap_or_else(|| "b0000".into())],
        };
        if self.rng.u8(..8) == 0 {
            args.push("--dry-run".into());
        }
        args
    }

    /// Any run, in any trouble: it ends in one of the ways in which it may, and nobody gets another's visit.
    async fn run(&mut self, lane: &[String]) {
        let day = ["--requests-per-day".into(), self.day.to_string(), "--timeout".into(), "30s".into()];
        let day = [&day[..], &ALL_KEPT.map(Into::into)].concat();
        let args: Vec<&str> = lane.iter().chain(&day).map(String::as_str).collect();
        let before = self.sync.picture().await;
        let outcome = self.sync.run(&args).await;
        let what = format!("seed {}, {lane:?}: {outcome:?}", self.seed);
        assert!([0, 1, 3].contains(&outcome.code), "{what}");
        discreet(&outcome);
        if outcome.code != 1 {
            balanced(&outcome);
        }
        if lane.contains(&"--dry-run".to_owned()) {
            assert_eq!(self.sync.picture().await, before, "{what}");
        }
        self.sync.upstream.heal();
        self.sync.upstream.between_pages(|_, _| ());
        self.nobody_has_anothers(&what).await;
    }

    async fn nobody_has_anothers(&self, what: &str) {
        for visit in self.sync.visits().await {
            let past = &self.visits[visit["external_id"].as_str().expect("an id")];
            let mut owners =
                past.clients.iter().filter_map(|client| CLIENTS[*client].1.map(|owner| self.patients[owner]));
            assert!(owners.any(|owner| visit["patient_id"] == owner), "{what}\n{visit}");
        }
    }

    /// A sweep that reads everything; one that goes on with another does not.
    async fn sweep(&self) -> Outcome {
        let resumed = self.sync.cursors().await.iter().any(|(lane, _)| lane == "full");
        let outcome = self.sync.run(&ALL_KEPT).await;
        assert_eq!(outcome.code, 0, "seed {}: {outcome:?}", self.seed);
        balanced(&outcome);
        if resumed { Box::pin(self.sweep()).await } else { outcome }
    }

    /// What is to be stored of a row: all that the sync writes.
    fn expected(&self, row: &Value, past: &Past, owner: usize) -> Value {
        let starts_at = instant(&row["StartDate"]);
        let local = starts_at.with_timezone(&Denver);
        let status = STATUSES.iter().find(|(theirs, _)| row["Status"] == *theirs).expect("a status").1;
        let text = |value: &Value| match value {
            Value::Number(number) => json!(number.to_string()),
            other => other.clone(),
        };
        json!({
            "patient_id": self.patients[owner],
            "facility_id": self.sync.facility,
            "doctor_id": row["PractitionerId"].as_str().and_then(|id| self.doctors.get(id)),
            "starts_at": starts_at.format("%Y-%m-%dT%H:%M:%S+00:00").to_string(),
            "ends_at": instant(&row["EndDate"]).format("%Y-%m-%dT%H:%M:%S+00:00").to_string(),
            "appointment_date": local.format("%Y-%m-%d").to_string(),
            "start_time": local.format("%H:%M:%S").to_string(),
            "status": if past.completed { "COMPLETED" } else { status },
            "service_name": row["ServiceName"],
            "location_name": text(&row["LocationName"]),
            "meeting_url": row["TelehealthInfo"]["JoinUrl"],
            "client_id": row["ClientId"].to_string(),
            "notes": past.notes,
        })
    }

    /// Fails unless what is stored is what the account has.
    async fn matches(&self) {
        let stored: HashMap<String, Value> = self
            .sync
            .visits()
            .await
            .into_iter()
            .map(|v| (v["external_id"].as_str().expect("an id").into(), v))
            .collect();
        let open = self.sync.open().await;
        for (id, past) in &self.visits {
            let (row, live) =
                (self.sync.upstream.row(id), stored.get(id).filter(|visit| visit["deleted_at"].is_null()));
            let what = format!("seed {}, {id}\nthere: {row}\nhere: {:?}", self.seed, stored.get(id));
            let owner = CLIENTS[client_of(&row)].1.filter(|_| row["AdditionalClients"] == json!([]));
            let due = inside(instant(&row["StartDate"]));
            match (past.here, owner) {
                (true, Some(owner)) => {
                    assert!(live.is_some() || !due, "missing: {what}");
                    let Some(live) = live else { continue };
                    for (column, value) in self.expected(&row, past, owner).as_object().expect("columns") {
                        assert_eq!(&live[column], value, "{column}: {what}");
                    }
                }
                (true, None) => {
                    assert!(live.is_none(), "whose is it: {what}");
                    let known = client_of(&row) == 9 && row["AdditionalClients"] == json!([]);
                    assert!(!due || known || !open[id].is_null(), "nobody is asked: {what}");
                }
                (false, _) => {
                    // What was moved out of the window and then vanished cannot be missed.
                    let unseen = past.vanished && live.is_some_and(|visit| !inside(of_text(&visit["starts_at"])));
                    assert!(live.is_none() || unseen, "it is gone: {what}");
                }
            }
        }
    }

    async fn limits_were_kept(&self) {
        let counted = "SELECT count(*), count(*) FILTER (WHERE NOT manual) FROM api_requests";
        let row = self.sync.clinic.row(counted, &[]).await;
        let (all, scheduled): (i64, i64) = (row.get(0), row.get(1));
        assert_eq!(all as usize, self.sync.upstream.requests().len(), "seed {}", self.seed);
        let (day, share) = (self.day as i64, self.day as i64 * 80 / 100);
        assert!(all <= day && scheduled <= share, "seed {}: {all}, {scheduled}", self.seed);
    }
}

/// Some row goes to another place before some page is read.
fn shifting(ids: Vec<String>, seed: u64) -> impl FnMut(&State, usize) + Send {
    let mut rng = Rng::with_seed(seed);
    let page = rng.usize(..3);
    move |state, lists| {
        if lists == page {
            state.shift(&ids[rng.usize(..ids.len())], rng.usize(..ids.len()));
        }
    }
}

/// All that changes is seen by the runs between the sweeps.
async fn increments(seed: u64) {
    let mut world = World::new(seed).await;
    world.day = 1000;
    for _ in 0..2 {
        world.sweep().await;
    }
    for _ in 0..3 {
        (0..world.rng.usize(..15)).for_each(|_| world.happen_in_sight());
        world.disturb();
        world.run(&["--incremental".into()]).await;
    }
    (0..5).for_each(|_| world.happen_in_sight());
    for _ in 0..2 {
        world.run(&["--incremental".into()]).await;
    }
    world.matches().await;
}

async fn sequence(seed: u64) {
    let mut world = World::new(seed).await;
    for _ in 0..world.rng.usize(4..8) {
        for _ in 0..world.rng.usize(..10) {
            world.happen();
        }
        if world.rng.bool() {
            world.work().await;
        }
        world.disturb();
        let lane = world.any_lane();
        world.run(&lane).await;
    }
    world.limits_were_kept().await;
    (0..world.rng.usize(..10)).for_each(|_| world.happen());
    world.sync.pass("3 days").await;
    for _ in 0..2 {
        world.sweep().await;
    }
    world.nobody_has_anothers(&format!("seed {seed}")).await;
    world.matches().await;
    let outcome = world.sweep().await;
    let changed = (totals(&outcome)[..2].to_vec(), outcome.count("deleted"));
    assert_eq!(changed, (vec![0, 0], 0), "seed {seed}: nothing is left to do: {outcome:?}");
}

/// Runs one for each seed.
async fn each<F: Future<Output = ()> + Send + 'static>(seeds: Range<u64>, sequence: impl Fn(u64) -> F) {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut sequences = JoinSet::new();
    for seed in seeds {
        let (room, sequence) = (Arc::clone(&room), sequence(seed));
        sequences.spawn(async move {
            let _turn = room.acquire_owned().await.expect("it stays open");
            sequence.await;
        });
    }
    while let Some(ended) = sequences.join_next().await {
        ended.unwrap_or_else(|error| panic!("a sequence failed: {error}"));
    }
}

#[tokio::test]
async fn after_any_sequence_two_sweeps_make_what_is_stored_what_the_account_has() {
    each(0..worlds(), sequence).await;
}

#[tokio::test]
async fn what_changes_between_the_sweeps_is_read_between_them() {
    each(1000..1000 + worlds(), increments).await;
}

#[tokio::test]
async fn a_visit_that_goes_to_somebody_else_does_not_stay_in_the_chart() {
    // Nobody, another without a match, one twin too many, one who left, one who is ignored.
    for to in [6, 7, 8, 9, 2] {
        let world = World::new(1).await;
        let sync = &world.sync;
        sync.upstream.put(appointment("given", &CLIENTS[1].0, "2026-03-12T18:00:00Z"));
        world.sweep().await;
        let ignored =
            "INSERT INTO practiceq_clients (client_id, linked_by, created_at) VALUES ('3', $1::bigint::text, clock_timestamp())
                       ON CONFLICT (client_id) DO UPDATE SET patient_id = NULL, linked_by = EXCLUDED.linked_by";
        sync.clinic.client.execute(ignored, &[&sync.admin]).await.expect("can be said");
        sync.upstream.edit("given", |row| hand_over(row, to));
        // Of one who is ignored now all visits go.
        sync.run(&["--max-items", "1000"]).await.expect(0);
        let whose = "SELECT count(*) FROM stored_visits WHERE external_id = 'given' AND deleted_at IS NULL";
        assert_eq!(sync.clinic.count(whose).await, 0, "{}", CLIENTS[to].0.name);
    }
}
