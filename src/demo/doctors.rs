//! The doctors of the clinic, and when they work.

use super::clock::at;

/// A doctor, as far as the plan of the day must know.
pub struct Doctor {
    pub id: i64,
    pub facility: i64,
    pub slot_minutes: i32,
}

/// The doctors of `clinic.sql`.
#[rustfmt::skip]
pub const DOCTORS: [Doctor; 10] = [
    Doctor { id: 1, facility: 1, slot_minutes: 15 },
    Doctor { id: 2, facility: 1, slot_minutes: 15 },
    Doctor { id: 3, facility: 1, slot_minutes: 10 },
    Doctor { id: 4, facility: 1, slot_minutes: 20 },
    Doctor { id: 5, facility: 1, slot_minutes: 30 },
    Doctor { id: 6, facility: 1, slot_minutes: 60 },
    Doctor { id: 7, facility: 2, slot_minutes: 10 },
    Doctor { id: 8, facility: 2, slot_minutes: 20 },
    Doctor { id: 9, facility: 2, slot_minutes: 30 },
    Doctor { id: 10, facility: 2, slot_minutes: 45 },
];

impl Doctor {
    /// The times at which the slots of a day start. New York works from 09:00 to 17:00, Denver from 08:00 to 16:00;
    /// both rest from 12:00 to 13:00.
    pub fn starts(&self) -> impl Iterator<Item = i32> {
        let hours = if self.facility == 1 { [at(9, 0), at(17, 0)] } else { [at(8, 0), at(16, 0)] };
        let minutes = self.slot_minutes;
        let until = move |from: i32, to: i32| (from..=to - minutes).step_by(minutes.unsigned_abs() as usize);
        until(hours[0], at(12, 0)).chain(until(at(13, 0), hours[1]))
    }

    /// Whether the doctor is away then, on the day of the demo: the absence of `clinic.sql`.
    pub fn away(&self, start: i32) -> bool {
        self.id == 8 && (at(8, 0)..at(9, 0)).contains(&start)
    }
}
