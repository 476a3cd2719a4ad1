//! Names that nobody has, as often as people have theirs: surnames begin with each letter as often as in the United
//! States.

use fastrand::Rng;

use super::draw::{mix, percent, rank, weighted, within};
use super::tables::{
    CODAS, INITIALS, ONSETS, ORG_BEGINNINGS, ORG_FORMS, ORG_KINDS, ORG_TRADES, STATES, STREET_KINDS, SURNAME_ENDINGS,
    VOWELS,
};

const SURNAMES: f64 = 160_000.0;
const FIRST_NAMES: f64 = 6000.0;
const STREETS: f64 = 20_000.0;
const CITIES: f64 = 12_000.0;

/// A word of one initial, always the same for the same seed.
fn word(seed: u64, syllables: u32) -> String {
    let mut rng = Rng::with_seed(mix(seed));
    let initial = weighted(&mut rng, &INITIALS);
    let mut word = String::with_capacity(24);
    word.push(char::from(initial));
    match initial {
        b'A' | b'E' | b'I' | b'O' | b'U' => {}
        b'Q' => word.push('U'),
        b'S' => word.push_str(weighted(&mut rng, &[("", 60), ("H", 12), ("T", 14), ("CH", 8), ("M", 6)])),
        b'B' | b'C' | b'F' | b'G' | b'P' => {
            word.push_str(weighted(&mut rng, &[("", 66), ("R", 17), ("L", 13), ("H", 4)]));
        }
        b'D' | b'T' | b'K' | b'W' => word.push_str(weighted(&mut rng, &[("", 82), ("R", 12), ("H", 6)])),
        b'M' => word.push_str(weighted(&mut rng, &[("", 88), ("C", 12)])),
        _ => {}
    }
    if !matches!(initial, b'A' | b'E' | b'I' | b'O' | b'U') {
        word.push_str(weighted(&mut rng, &VOWELS));
    }
    word.push_str(weighted(&mut rng, &CODAS));
    for _ in 1..syllables {
        word.push_str(weighted(&mut rng, &ONSETS));
        word.push_str(weighted(&mut rng, &VOWELS));
        word.push_str(weighted(&mut rng, &CODAS));
    }
    word
}

pub fn surname(rng: &mut Rng) -> String {
    let place = rank(rng, SURNAMES, 10.0);
    let mut of_it = Rng::with_seed(place);
    let mut name = word(place, weighted(&mut of_it, &[(1, 20), (2, 60), (3, 20)]));
    name.push_str(weighted(&mut of_it, &SURNAME_ENDINGS));
    // Two of a hundred bear two names, which a search must not stumble over.
    if percent(rng, 2) {
        name.push(if percent(rng, 70) { '-' } else { ' ' });
        name.push_str(&word(rank(rng, SURNAMES, 10.0), 2));
    }
    name
}

pub fn first_name(rng: &mut Rng) -> String {
    word(1_000_000 + rank(rng, FIRST_NAMES, 20.0), weighted(rng, &[(1, 15), (2, 60), (3, 25)]))
}

pub fn organization(rng: &mut Rng) -> String {
    let mut name = match rng.u32(..100) {
        0..20 => weighted(rng, &ORG_BEGINNINGS).to_owned(),
        20..55 => surname(rng),
        _ => word(2_000_000 + rank(rng, CITIES, 20.0), 2),
    };
    for part in [weighted(rng, &ORG_TRADES), weighted(rng, &ORG_KINDS)].into_iter().filter(|part| !part.is_empty()) {
        name.push(' ');
        name.push_str(part);
    }
    name.push_str(weighted(rng, &ORG_FORMS));
    name
}

/// A house in a street.
pub fn street(rng: &mut Rng) -> String {
    let name = word(3_000_000 + rank(rng, STREETS, 40.0), weighted(rng, &[(1, 40), (2, 60)]));
    let number = within(rng, 2..5) + 1;
    let direction = weighted(rng, &[("", 70), ("N ", 8), ("S ", 8), ("E ", 7), ("W ", 7)]);
    let kind = weighted(rng, &STREET_KINDS);
    // The first line, as CMS calls it, often has the room in it.
    let room = if percent(rng, 22) { format!(" STE {}", rng.u32(1..900)) } else { String::new() };
    format!("{number} {direction}{name} {kind}{room}")
}

/// A city is the same wherever it is written: which state it is in, where its postal codes begin.
pub struct City {
    number: u64,
}

impl City {
    pub fn draw(rng: &mut Rng) -> Self {
        Self { number: rank(rng, CITIES, 20.0) }
    }

    pub fn name(&self) -> String {
        let mut of_it = Rng::with_seed(self.number);
        let name = word(2_000_000 + self.number, 2);
        let (before, after) = weighted(
            &mut of_it,
            &[
                (("", ""), 70),
                (("", " CITY"), 4),
                (("SAINT ", ""), 4),
                (("", "VILLE"), 8),
                (("NEW ", ""), 4),
                (("", " SPRINGS"), 5),
            ],
        );
        format!("{before}{name}{after}")
    }

    pub fn state(&self) -> &'static str {
        self.state_and_zip().0
    }

    fn state_and_zip(&self) -> (&'static str, u32) {
        weighted(&mut Rng::with_seed(mix(self.number)), &STATES)
    }

    /// Nine digits.
    pub fn zip(&self, rng: &mut Rng) -> String {
        let first_three = self.state_and_zip().1 + (self.number % 7) as u32;
        format!("{first_three:03}{:02}{:04}", self.number % 100, rng.u32(1000..9999))
    }

    pub fn phone(&self, rng: &mut Rng) -> String {
        format!("{}{}", 201 + mix(self.number) % 780, rng.u32(2_000_000..9_999_999))
    }
}
