//! The transactions of the application, and why they never deadlock among themselves.
//!
//! Rule: within a phase all sessions lock rows in one order: tables in the order of the phase, then ids upwards; each
//! row once, as strongly as the transaction ever needs it. What waits by itself comes last: rows that refer to rows
//! which the transaction holds already, and unique keys upwards. Each phase has another order of tables, so that over
//! the phases there is every order, also those that are the reverse of a job's; between phases nobody holds anything.
//!
//! In some phases a follower comes first, uncommitted, and then tickets above its own, upwards; nobody locks users
//! there but by such a row. It waits for nobody who waits for it: what is held is always below what is waited for.

use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    Users,
    Teams,
    Rules,
    Patients,
    Appointments,
    Slots,
    Tickets,
    Cases,
    SurgicalCases,
}

impl Table {
    pub const ALL: [Self; 9] = [
        Self::Users,
        Self::Teams,
        Self::Rules,
        Self::Patients,
        Self::Appointments,
        Self::Slots,
        Self::Tickets,
        Self::Cases,
        Self::SurgicalCases,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Teams => "teams",
            Self::Rules => "escalation_rules",
            Self::Patients => "patients",
            Self::Appointments => "appointments",
            Self::Slots => "doctor_slots",
            Self::Tickets => "tickets",
            Self::Cases => "px_cases",
            Self::SurgicalCases => "surgical_cases",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    KeyShare,
    Share,
    NoKeyUpdate,
    Update,
    /// An UPDATE without a look before it.
    Change,
}

impl Strength {
    const ALL: [Self; 5] = [Self::KeyShare, Self::Share, Self::NoKeyUpdate, Self::Update, Self::Change];

    pub fn sql(self) -> &'static str {
        match self {
            Self::KeyShare => "FOR KEY SHARE",
            Self::Share => "FOR SHARE",
            Self::NoKeyUpdate => "FOR NO KEY UPDATE",
            Self::Update | Self::Change => "FOR UPDATE",
        }
    }

    /// Whether the row may be changed without a stronger lock.
    pub fn writes(self) -> bool {
        matches!(self, Self::NoKeyUpdate | Self::Update | Self::Change)
    }
}

#[derive(Clone, Debug)]
pub enum Step {
    Lock {
        table: Table,
        id: i64,
        strength: Strength,
    },
    /// The patient comes: only after a lock that writes, on a visit.
    CheckIn {
        visit: i64,
    },
    Comment {
        ticket: i64,
        author: i64,
    },
    Follower {
        ticket: i64,
        user: i64,
    },
    /// A row of a table of the application's own that refers to a slot.
    Note {
        slot: i64,
    },
    Hold(Duration),
}

/// The order of a phase.
#[derive(Clone)]
pub enum Order {
    Tables(Vec<Table>),
    FollowerFirst,
}

impl Order {
    pub fn random(rng: &mut fastrand::Rng) -> Self {
        if rng.u8(..4) == 0 {
            return Self::FollowerFirst;
        }
        let mut tables = Table::ALL.to_vec();
        rng.shuffle(&mut tables);
        Self::Tables(tables)
    }

    /// A transaction in this order; `rows` gives the rows that are worth a lock, from and to.
    pub fn transaction(&self, rng: &mut fastrand::Rng, rows: impl Fn(Table) -> (i64, i64)) -> Vec<Step> {
        match self {
            Self::Tables(tables) => in_order(tables, rng, rows),
            Self::FollowerFirst => follower_first(rng, rows),
        }
    }
}

fn in_order(tables: &[Table], rng: &mut fastrand::Rng, rows: impl Fn(Table) -> (i64, i64)) -> Vec<Step> {
    let mut steps = vec![];
    let mut held: Vec<(Table, i64)> = vec![];
    // From two to four tables, as they come in the order.
    let wanted = rng.usize(2..=4);
    let mut chosen = rng.choose_multiple(tables.iter().enumerate(), wanted);
    chosen.sort_unstable_by_key(|(place, _)| *place);
    for (_, table) in chosen {
        for id in ascending(rng, rows(*table)) {
            let strength = Strength::ALL[rng.usize(..5)];
            steps.push(Step::Lock { table: *table, id, strength });
            held.push((*table, id));
            if *table == Table::Appointments && strength.writes() && rng.u8(..3) == 0 {
                steps.push(Step::CheckIn { visit: id });
            }
            steps.push(Step::Hold(Duration::from_micros(rng.u64(..3000))));
        }
    }
    let of = |table| held.iter().filter(move |(of, _)| *of == table).map(|(_, id)| *id);
    steps.extend(of(Table::Slots).map(|slot| Step::Note { slot }));
    for ticket in of(Table::Tickets) {
        steps.extend(of(Table::Users).map(|author| Step::Comment { ticket, author }));
    }
    for ticket in of(Table::Tickets) {
        steps.extend(of(Table::Users).map(|user| Step::Follower { ticket, user }));
    }
    steps.push(Step::Hold(Duration::from_micros(rng.u64(..2000))));
    steps
}

fn follower_first(rng: &mut fastrand::Rng, rows: impl Fn(Table) -> (i64, i64)) -> Vec<Step> {
    let (first, last) = rows(Table::Tickets);
    let (user, last_user) = rows(Table::Users);
    let ticket = rng.i64(first..=last);
    let hold = Step::Hold(Duration::from_micros(rng.u64(..3000)));
    let mut steps = vec![Step::Follower { ticket, user: rng.i64(user..=last_user) }, hold.clone()];
    for id in ascending(rng, (ticket + 1, last.max(ticket + 1))) {
        let strength = if rng.bool() { Strength::Update } else { Strength::NoKeyUpdate };
        steps.extend([Step::Lock { table: Table::Tickets, id, strength }, hold.clone()]);
    }
    steps
}

/// One or two ids.
fn ascending(rng: &mut fastrand::Rng, (first, last): (i64, i64)) -> Vec<i64> {
    let mut ids: Vec<i64> = (0..rng.usize(1..=2)).map(|_| rng.i64(first..=last)).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
