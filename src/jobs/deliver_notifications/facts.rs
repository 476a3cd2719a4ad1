//! What has to be known of the messages of a page before they are sent. It is read just before, without locks.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

use super::due::{Due, Recipient};
use super::gateway::Channel;
use super::number::{self, Country};
use crate::clinic::messages::{Cause, cause};
use crate::db::{Key, Keys, Row, Statement, UNREADABLE, decodable, statements, unless, unless_no_key};
use crate::error::Error;
use crate::time_zone::Tz;

statements! {
    PATIENTS(KEYS) =
        format!(include_str!("patients.sql"), phone = decodable("p.phone"), email = decodable("p.email"));
    USERS(KEYS) = format!(include_str!("users.sql"), email = decodable("u.email"));
    FACILITIES(KEYS) = format!(
        "SELECT f.id::text AS id, {} AS time_zone FROM facilities f WHERE f.id = ANY ($1)",
        decodable("f.time_zone")
    );
    COUNTRIES_IF_THERE(KEYS) = format!(
        "SELECT f.id::text AS id, {} AS country FROM facilities f WHERE f.id = ANY ($1)",
        decodable("f.country")
    );
    TOLD_OF_LATE(TEXT, TEXT_ARRAY, TIMESTAMPTZ, INT8_ARRAY) = include_str!("told_of_late.sql");
    SUPPRESSED(TEXT, TEXT_ARRAY) = include_str!("suppressed.sql");
    OPEN_ALERTS(TEXT_ARRAY) =
        "SELECT s.appointment_id AS id, s.alert_type FROM stage_alerts s
         WHERE s.appointment_id = ANY ($1) AND s.status IN ('ACTIVE', 'ACKNOWLEDGED')";
    OPEN_FLAGS(TEXT_ARRAY) =
        "SELECT x.appointment_id AS id FROM schedule_flags x WHERE x.appointment_id = ANY ($1) AND x.cleared_at IS NULL";
    // A clinic has those of these tables that its jobs need. Where one is missing, its messages count as valid.
    // As text: an enum may lack a label.
    MISSED_VISITS_IF_THERE(KEYS) =
        "SELECT a.id::text AS id FROM appointments a WHERE a.id = ANY ($1) AND a.status::text IN ('NO_SHOW')";
    CANCELLED_VISITS_IF_THERE(KEYS) =
        "SELECT a.id::text AS id FROM appointments a WHERE a.id = ANY ($1) AND a.status::text IN ('CANCELLED')";
    OPEN_TICKETS_IF_THERE(KEYS) =
        "SELECT t.id::text AS id FROM tickets t WHERE t.id = ANY ($1) AND t.status::text NOT IN ('RESOLVED', 'CLOSED')";
    OPEN_CASES_IF_THERE(KEYS) =
        "SELECT c.id::text AS id FROM px_cases c WHERE c.id = ANY ($1) AND c.status::text NOT IN ('RESOLVED', 'CLOSED')";
}

/// The time in which the messages to a patient are counted.
const CAP_HOURS: i64 = 24;

/// How a recipient can be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contact {
    /// The number in E.164, the e-mail address, or the endpoint.
    pub to: Option<String>,
    /// Whether there is anything in the place of the address.
    pub is_given: bool,
    pub has_opted_out: bool,
    /// A user who is not active any more.
    pub is_gone: bool,
}

/// What is known of one message.
#[derive(Debug, Default)]
pub struct Facts {
    pub contact: Contact,
    /// Whether what it is about is over.
    pub is_moot: bool,
    pub zone: Option<Tz>,
    /// The reason for which nobody may write to the address.
    pub suppressed: Option<String>,
    /// How many NORMAL messages the patient was sent of late.
    pub told: u32,
}

struct Place {
    zone: Option<Tz>,
    country: Option<Country>,
}

/// Reads what is known of each message of a page, in its order. Messages that are under way count as not sent.
pub async fn read(
    tx: &Transaction<'_>,
    (channel, country): (Channel, Country),
    (page, underway): (&[Due], &[i64]),
    now: DateTime<Utc>,
) -> Result<Vec<Facts>, Error> {
    let places = places(tx, page).await?;
    let contacts = contacts(tx, channel, country, &places, page).await?;
    let valid = Valid::read(tx, page).await?;
    let told = told(tx, channel, (page, underway), now).await?;
    let addresses: Vec<&str> = contacts.iter().filter_map(|contact| contact.to.as_deref()).collect();
    let rows = SUPPRESSED.all(tx, &[&channel.stored(), &addresses]).await?;
    let suppressed: HashMap<String, String> = rows.iter().map(|row| (row.get("address"), row.get("reason"))).collect();
    let facts = page.iter().zip(contacts).map(|(due, contact)| Facts {
        is_moot: !valid.holds(due),
        zone: due.facility.as_ref().and_then(|id| places.get(id)?.zone),
        suppressed: contact.to.as_ref().and_then(|to| suppressed.get(to).cloned()),
        told: match &due.recipient {
            Recipient::Patient(id) => told.get(id).copied().unwrap_or(0),
            _ => 0,
        },
        contact,
    });
    Ok(facts.collect())
}

/// Reads rows by keys. A key of another type than the column's has no row, and hides no other.
async fn by_keys(tx: &Transaction<'_>, statement: &Statement, keys: &BTreeSet<&Key>) -> Result<Vec<Row>, Error> {
    let keys: Vec<Key> = keys.iter().map(|key| (*key).clone()).collect();
    if keys.is_empty() {
        return Ok(vec![]);
    }
    if let Some(rows) = unless_no_key(tx, async || statement.all(tx, &[&Keys(&keys)]).await).await? {
        return Ok(rows);
    }
    let mut rows = vec![];
    for key in &keys {
        let one = std::slice::from_ref(key);
        rows.extend(unless_no_key(tx, async || statement.all(tx, &[&Keys(one)]).await).await?.unwrap_or_default());
    }
    Ok(rows)
}

/// As [`by_keys`]; None where the clinic has no such table.
async fn if_there(
    tx: &Transaction<'_>,
    statement: &Statement,
    keys: &BTreeSet<&Key>,
) -> Result<Option<BTreeSet<Key>>, Error> {
    let rows = unless(tx, &UNREADABLE, async || by_keys(tx, statement, keys).await).await?;
    Ok(rows.map(|rows| rows.iter().map(|row| row.get("id")).collect()))
}

async fn places(tx: &Transaction<'_>, page: &[Due]) -> Result<HashMap<Key, Place>, Error> {
    let keys = page.iter().filter_map(|due| due.facility.as_ref()).collect();
    let rows = by_keys(tx, &FACILITIES, &keys).await?;
    let countries = unless(tx, &UNREADABLE, async || by_keys(tx, &COUNTRIES_IF_THERE, &keys).await).await?;
    let countries = countries.unwrap_or_default();
    let country = |row: &Row| Some((row.get("id"), number::country(row.get::<_, Option<&str>>("country")?).ok()?));
    let countries: HashMap<Key, Country> = countries.iter().filter_map(country).collect();
    let place = |row: &Row| {
        let id: Key = row.get("id");
        let zone = row.get::<_, Option<&str>>("time_zone").and_then(|name| name.parse().ok());
        let country = countries.get(&id).copied();
        (id, Place { zone, country })
    };
    Ok(rows.iter().map(place).collect())
}

async fn contacts(
    tx: &Transaction<'_>,
    channel: Channel,
    country: Country,
    places: &HashMap<Key, Place>,
    page: &[Due],
) -> Result<Vec<Contact>, Error> {
    let keys_of = |of: fn(&Recipient) -> Option<&Key>| page.iter().filter_map(|due| of(&due.recipient)).collect();
    let patients: BTreeSet<&Key> = keys_of(|recipient| match recipient {
        Recipient::Patient(id) => Some(id),
        _ => None,
    });
    let users: BTreeSet<&Key> = keys_of(|recipient| match recipient {
        Recipient::User(id) => Some(id),
        _ => None,
    });
    let by_id = |rows: Vec<Row>| rows.into_iter().map(|row| (row.get("id"), row)).collect::<HashMap<Key, Row>>();
    let patients = by_id(by_keys(tx, &PATIENTS, &patients).await?);
    let users = by_id(by_keys(tx, &USERS, &users).await?);
    let contact = |due: &Due| {
        let country = due.facility.as_ref().and_then(|id| places.get(id)?.country).unwrap_or(country);
        let reached = |given: Option<&str>| {
            let given = given.map(str::trim).filter(|text| !text.is_empty());
            let to = given.and_then(|text| match channel {
                Channel::Sms => number::e164(text, country),
                Channel::Email => number::email(text),
                Channel::Webhook => Some(text.to_owned()),
            });
            Contact { to, is_given: given.is_some(), ..Contact::default() }
        };
        match &due.recipient {
            Recipient::Patient(id) => patients.get(id).map_or_else(Contact::default, |row| Contact {
                has_opted_out: channel == Channel::Sms && row.get("sms_opt_out"),
                ..reached(row.get(if channel == Channel::Sms { "phone" } else { "email" }))
            }),
            Recipient::User(id) => users.get(id).map_or_else(Contact::default, |row| Contact {
                is_gone: !row.get::<_, bool>("active"),
                ..reached((channel == Channel::Email).then(|| row.get("email")).flatten())
            }),
            Recipient::Address(address) => reached(Some(address)),
            Recipient::Nobody => Contact::default(),
        }
    };
    Ok(page.iter().map(contact).collect())
}

async fn told(
    tx: &Transaction<'_>,
    channel: Channel,
    (page, underway): (&[Due], &[i64]),
    now: DateTime<Utc>,
) -> Result<HashMap<Key, u32>, Error> {
    let patients: Vec<&str> = page
        .iter()
        .filter_map(|due| match &due.recipient {
            Recipient::Patient(id) => Some(id.as_str()),
            _ => None,
        })
        .collect();
    let since = now - TimeDelta::hours(CAP_HOURS);
    let rows = TOLD_OF_LATE.all(tx, &[&channel.stored(), &patients as &(dyn ToSql + Sync), &since, &underway]).await?;
    let told = |row: &Row| (row.get("id"), u32::try_from(row.get::<_, i64>("messages")).unwrap_or(u32::MAX));
    Ok(rows.iter().map(told).collect())
}

/// What still holds of that which messages are about; None where it cannot be known.
struct Valid {
    missed: Option<BTreeSet<Key>>,
    cancelled: Option<BTreeSet<Key>>,
    tickets: Option<BTreeSet<Key>>,
    cases: Option<BTreeSet<Key>>,
    alerts: BTreeSet<(String, String)>,
    flags: BTreeSet<Key>,
}

impl Valid {
    async fn read(tx: &Transaction<'_>, page: &[Due]) -> Result<Self, Error> {
        let keys = |of: fn(Cause) -> bool| -> Vec<Key> {
            page.iter().filter(|due| of(cause(&due.kind))).map(|due| Key::from(due.entity[1].clone())).collect()
        };
        let missed = keys(|cause| cause == Cause::MissedVisit);
        let cancelled = keys(|cause| cause == Cause::CancelledVisit);
        let tickets = keys(|cause| cause == Cause::Ticket);
        let cases = keys(|cause| cause == Cause::Case);
        let visits = keys(|cause| matches!(cause, Cause::Alert(_)));
        let visits: Vec<&str> = visits.iter().map(Key::as_str).collect();
        let alerts = if visits.is_empty() { vec![] } else { OPEN_ALERTS.all(tx, &[&visits]).await? };
        let conflicts = keys(|cause| cause == Cause::ScheduleConflict);
        let conflicts: Vec<&str> = conflicts.iter().map(Key::as_str).collect();
        let flags = if conflicts.is_empty() { vec![] } else { OPEN_FLAGS.all(tx, &[&conflicts]).await? };
        Ok(Self {
            flags: flags.iter().map(|row| row.get("id")).collect(),
            missed: if_there(tx, &MISSED_VISITS_IF_THERE, &missed.iter().collect()).await?,
            cancelled: if_there(tx, &CANCELLED_VISITS_IF_THERE, &cancelled.iter().collect()).await?,
            tickets: if_there(tx, &OPEN_TICKETS_IF_THERE, &tickets.iter().collect()).await?,
            cases: if_there(tx, &OPEN_CASES_IF_THERE, &cases.iter().collect()).await?,
            alerts: alerts.iter().map(|row| (row.get("id"), row.get("alert_type"))).collect(),
        })
    }

    /// Whether what a message is about still holds.
    fn holds(&self, due: &Due) -> bool {
        let among = |found: &Option<BTreeSet<Key>>, id: &str| {
            found.as_ref().is_none_or(|found| found.contains(&Key::from(id.to_owned())))
        };
        let id = &due.entity[1];
        match cause(&due.kind) {
            Cause::MissedVisit => among(&self.missed, id),
            Cause::CancelledVisit => among(&self.cancelled, id),
            Cause::Ticket => among(&self.tickets, id),
            Cause::Case => among(&self.cases, id),
            Cause::Alert(of) => self.alerts.contains(&(id.clone(), of.to_owned())),
            Cause::ScheduleConflict => self.flags.contains(&Key::from(id.clone())),
            Cause::Event => true,
        }
    }
}

/// The addresses of recipients, in their order.
pub async fn addresses(
    tx: &Transaction<'_>,
    channel: Channel,
    country: Country,
    messages: &[Due],
) -> Result<Vec<Option<String>>, Error> {
    let places = places(tx, messages).await?;
    let contacts = contacts(tx, channel, country, &places, messages).await?;
    Ok(contacts.into_iter().map(|contact| contact.to).collect())
}
