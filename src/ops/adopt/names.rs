//! Which names of an application mean a table or a column of ours.
//!
//! Names are compared word by word: `appointmentDate`, `appointment_date` and `AppointmentDate` are one. `synonyms.txt`
//! lists other names that are well known.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

/// The names of `synonyms.txt`.
struct Synonyms {
    /// Our word for each of theirs.
    words: HashMap<&'static str, &'static str>,
    /// Their names for one of ours, by the first word of the line and our name.
    names: HashMap<(&'static str, &'static str), Vec<&'static str>>,
}

static SYNONYMS: LazyLock<Synonyms> = LazyLock::new(|| {
    let mut synonyms = Synonyms { words: HashMap::new(), names: HashMap::new() };
    for line in include_str!("synonyms.txt").lines() {
        let mut words = line.split(' ');
        let (Some(kind), Some(ours)) = (words.next(), words.next()) else { continue };
        match kind {
            "word" => synonyms.words.extend(words.map(|theirs| (theirs, ours))),
            _ => synonyms.names.entry((kind, ours)).or_default().extend(words),
        }
    }
    synonyms
});

/// How a name that was found means the wanted one, the surest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Match {
    Same,
    /// A well-known other name; the number is its place in the list.
    Known(usize),
    /// It says the opposite.
    Opposite,
    /// The same in hours, where minutes are wanted.
    Hours,
}

/// How a column of an application means one of ours, if it does. `relation` is the name of our table.
pub fn column(relation: &str, wanted: &str, found: &str) -> Option<Match> {
    if joined(wanted) == joined(found) {
        return Some(Match::Same);
    }
    let (target, candidate) = (canonical(wanted), canonical(found));
    // A ticket's number may be called ticketNumber.
    let prefixed = canonical(&format!("{}_{wanted}", relation.strip_suffix('s').unwrap_or(relation)));
    if target == candidate || prefixed == candidate {
        return Some(Match::Known(0));
    }
    let qualified = format!("{relation}.{wanted}");
    let place = |kind: &'static str| {
        let names = listed(kind, &qualified).chain(listed(kind, wanted));
        names.map(canonical).position(|name| name == candidate)
    };
    if let Some(place) = place("column") {
        return Some(Match::Known(place + 1));
    }
    if place("not").is_some() {
        return Some(Match::Opposite);
    }
    let hours = wanted.strip_suffix("_minutes").map(|stem| (format!("{stem}_hours"), format!("{stem}_time_hours")));
    let is_hours = hours.is_some_and(|(one, other)| [canonical(&one), canonical(&other)].contains(&candidate));
    is_hours.then_some(Match::Hours)
}

/// How a table of an application means one of ours, if it does.
pub fn table(wanted: &str, found: &str) -> Option<Match> {
    let candidate = singular_joined(found);
    if singular_joined(wanted) == candidate {
        return Some(Match::Same);
    }
    if canonical(wanted) == canonical(found) {
        return Some(Match::Known(0));
    }
    listed("table", wanted).position(|name| singular_joined(name) == candidate).map(|place| Match::Known(place + 1))
}

/// How alike two names are, from 0 to 100: the share of words or of letters' triples that both have.
pub fn likeness(one: &str, other: &str) -> usize {
    let (one, other) = (telling(&canonical(one)), telling(&canonical(other)));
    let words = |name: &str| name.split('_').map(str::to_owned).collect::<BTreeSet<_>>();
    let triples = |name: &str| {
        let letters: Vec<char> = name.chars().filter(|c| *c != '_').collect();
        letters.windows(3).map(|three| three.iter().collect()).collect::<BTreeSet<String>>()
    };
    share(&words(&one), &words(&other)).max(share(&triples(&one), &triples(&other)))
}

/// A label without the ways in which applications spell it.
pub fn label(text: &str) -> String {
    joined(&text.replace("CANCELED", "CANCELLED").replace("canceled", "cancelled"))
}

/// A name without the words that many names have.
fn telling(name: &str) -> String {
    let told: Vec<&str> = name.split('_').filter(|word| !["id", "at", "by", "is", "type"].contains(word)).collect();
    told.join("_")
}

fn share(one: &BTreeSet<String>, other: &BTreeSet<String>) -> usize {
    let both = one.intersection(other).count();
    (200 * both).checked_div(one.len() + other.len()).unwrap_or(0)
}

/// The names that `synonyms.txt` lists for one of ours.
fn listed(kind: &'static str, wanted: &str) -> impl Iterator<Item = &'static str> {
    SYNONYMS.names.get(&(kind, wanted)).into_iter().flatten().copied()
}

/// The words of a name in small letters: `slaDueAt`, `sla_due_at` and `SLADueAt` have three.
fn words(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut words: Vec<String> = vec![String::new()];
    for (at, letter) in letters.iter().enumerate() {
        let next_is_small = letters.get(at + 1).is_some_and(|next| next.is_lowercase());
        let after_small = at > 0 && (letters[at - 1].is_lowercase() || letters[at - 1].is_numeric());
        let begins = letter.is_uppercase() && (after_small || (next_is_small && at > 0));
        if !letter.is_alphanumeric() || begins {
            words.push(String::new());
        }
        if let (true, Some(word)) = (letter.is_alphanumeric(), words.last_mut()) {
            word.extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn joined(name: &str) -> String {
    words(name).concat()
}

fn singular_joined(name: &str) -> String {
    let mut words = words(name);
    if let Some(last) = words.last_mut() {
        *last = singular(last);
    }
    words.concat()
}

fn singular(word: &str) -> String {
    if let Some(stem) = word.strip_suffix("ies") {
        return format!("{stem}y");
    }
    if let Some(stem) = word.strip_suffix("es")
        && ["us", "ss", "x", "ch"].iter().any(|end| stem.ends_with(end))
    {
        return stem.to_owned();
    }
    let is_plural = word.len() > 3 && !["ss", "us", "is"].iter().any(|end| word.ends_with(end));
    if is_plural { word.strip_suffix('s').unwrap_or(word) } else { word }.to_owned()
}

/// A name with one word for what has several, in the singular, without a leading `is`.
fn canonical(name: &str) -> String {
    let mut words: Vec<String> = words(name).iter().map(|word| singular(word)).collect();
    if words.len() > 1 && words[0] == "is" {
        words.remove(0);
    }
    for word in &mut words {
        if let Some(ours) = SYNONYMS.words.get(word.as_str()) {
            (*ours).clone_into(word);
        }
    }
    words.join("_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_word_by_word() {
        for (name, expected) in [
            ("appointmentDate", "appointment date"),
            ("sla_due_at", "sla due at"),
            ("notifyOnSLABreach", "notify on sla breach"),
            ("SLADueAt", "sla due at"),
            ("w4_step2", "w4 step2"),
            ("Order-Id", "order id"),
            ("", ""),
        ] {
            assert_eq!(words(name).join(" "), expected, "{name}");
        }
        for (plural, one) in [
            ("policies", "policy"),
            ("statuses", "status"),
            ("status", "status"),
            ("slots", "slot"),
            ("is", "is"),
            ("cases", "case"),
            ("addresses", "address"),
        ] {
            assert_eq!(singular(plural), one);
        }
    }

    #[test]
    fn a_column_is_known_by_its_own_name_and_by_others() {
        use Match::{Hours, Known, Opposite, Same};
        for (relation, wanted, found, expected) in [
            ("appointments", "appointment_date", "appointmentDate", Some(Same)),
            ("facilities", "time_zone", "timezone", Some(Same)),
            ("appointments", "facility_id", "hospitalId", Some(Known(0))),
            ("users", "active", "isActive", Some(Known(0))),
            ("tickets", "number", "ticketNumber", Some(Known(0))),
            ("doctors", "slot_duration_minutes", "slotDuration", Some(Known(1))),
            ("tickets", "assignee_id", "assignedTo", Some(Known(1))),
            ("ticket_comments", "visible_to_customer", "isInternal", Some(Opposite)),
            ("users", "active", "isDeleted", Some(Opposite)),
            ("doctor_slots", "is_booked", "isAvailable", Some(Opposite)),
            ("sla_policies", "resolution_minutes", "resolutionTimeHours", Some(Hours)),
            ("notification_preferences", "email", "emailEnabled", Some(Known(1))),
            ("patients", "email", "emailEnabled", None),
            ("appointments", "doctor_id", "patientId", None),
            ("facilities", "time_zone", "country", None),
        ] {
            assert_eq!(column(relation, wanted, found), expected, "{wanted} and {found}");
        }
    }

    #[test]
    fn a_table_is_known_in_singular_and_plural_and_by_other_names() {
        use Match::{Known, Same};
        for (wanted, found, expected) in [
            ("appointments", "Appointment", Some(Same)),
            ("doctor_slots", "doctorSlots", Some(Same)),
            ("sla_policies", "SlaPolicy", Some(Same)),
            ("facilities", "hospitals", Some(Known(0))),
            ("ticket_comments", "comments", Some(Known(1))),
            ("team_members", "team_leaders", None),
            ("users", "patients", None),
        ] {
            assert_eq!(table(wanted, found), expected, "{wanted} and {found}");
        }
    }

    #[test]
    fn candidates_are_ranked_by_what_their_names_share() {
        assert!(likeness("team_members", "team_leaders") > likeness("team_members", "ticket_followers"));
        assert!(likeness("appointment_date", "visitDay") > likeness("appointment_date", "dateOfBirth"));
        assert_eq!(likeness("cancelled_at", "created_at"), 0, "what all names have tells nothing");
        assert_eq!(likeness("a", "b"), 0);
        assert_eq!(label("in-progress"), label("IN_PROGRESS"));
        assert_eq!(label("canceled"), label("CANCELLED"));
    }
}
