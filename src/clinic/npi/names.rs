//! The folded form of names: what the search tables keep in `folded`, and what a search compares with it.
//!
//! A name is written in many ways: O'BRIEN, OBRIEN and O BRIEN; SMITH-JONES and SMITH JONES; ST. CLAIR, ST CLAIR and
//! SAINT CLAIR. Folded, they are one. A folded part of a name has lower case, letters and digits only, no accents and no
//! spaces; `st` is `saint`. A person is `last first middle`, without JR and the like; an organization is its name without
//! THE in front, `&` as `and`, and the legal form (INC, LLC) after a space.
//!
//! `V0030__npi_names.sql` folds in SQL what was loaded before it; a test compares the two.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The letter of names that begin with no letter from a to z.
const OTHER: u8 = b'0';
/// What is written inside a word, and is none of its letters.
const APOSTROPHES: [char; 10] = ['\'', '’', '‘', '‛', 'ʼ', 'ʻ', '′', '`', '´', '＇'];
/// They stand after the name of a person, and are no part of it.
pub const GENERATIONS: [&str; 5] = ["jr", "sr", "ii", "iii", "iv"];
/// The legal form of an organization.
pub const LEGAL_FORMS: [&str; 17] = [
    "inc",
    "incorporated",
    "llc",
    "llp",
    "lp",
    "pc",
    "pa",
    "pllc",
    "plc",
    "corp",
    "corporation",
    "co",
    "company",
    "ltd",
    "limited",
    "apc",
    "pl",
];

/// Folds names. Its buffer serves one name after another.
#[derive(Default)]
pub struct Folder {
    words: String,
}

impl Folder {
    /// Appends the folded name of a person. Nothing where it has none.
    pub fn person(&mut self, last: &str, first: &str, middle: &str, out: &mut String) {
        let start = out.len();
        for (name, is_last) in [(last, true), (first, false), (middle, false)] {
            self.words.clear();
            words(name, &mut self.words);
            let end = out.len();
            if end > start {
                out.push(' ');
            }
            let before = out.len();
            let count = self.words.split(' ').count();
            for (place, word) in self.words.split(' ').enumerate() {
                if place == 0 || place + 1 < count || !GENERATIONS.contains(&word) {
                    out.push_str(if is_last { saint(word) } else { word });
                }
            }
            if out.len() == before {
                out.truncate(end);
            }
        }
    }

    /// Appends the folded name of an organization.
    pub fn organization(&mut self, name: &str, out: &mut String) {
        self.words.clear();
        words(name, &mut self.words);
        let text = self.words.strip_prefix("the ").unwrap_or(&self.words);
        let mut main = text;
        while let Some((before, word)) = main.rsplit_once(' ')
            && LEGAL_FORMS.contains(&word)
        {
            main = before;
        }
        main.split(' ').for_each(|word| out.push_str(spelled_out(word)));
        let form = &text[main.len()..];
        if !form.is_empty() {
            out.push(' ');
            form.split(' ').for_each(|word| out.push_str(word));
        }
    }
}

/// The words of a name: lower case, without accents and signs, single spaces. Where a name has no letter and no digit, it
/// is the name itself, so that it is found at all.
pub fn words(name: &str, out: &mut String) {
    let mut writer = Writer { start: out.len(), out, gap: false, since_dot: 0 };
    if name.is_ascii() {
        name.bytes().for_each(|byte| writer.put(char::from(byte.to_ascii_lowercase())));
    } else {
        for c in name.chars().filter(|c| !APOSTROPHES.contains(c)) {
            for c in c.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase) {
                match plain(c) {
                    Some(letters) => letters.chars().for_each(|c| writer.put(c)),
                    None => writer.put(c),
                }
            }
        }
    }
    if writer.out.len() == writer.start {
        out.push_str(name.trim_matches(' '));
    }
}

/// Letters that have no accent to be taken off, as people type them.
fn plain(c: char) -> Option<&'static str> {
    Some(match c {
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'æ' => "ae",
        'œ' => "oe",
        'ß' => "ss",
        'þ' => "th",
        'ı' => "i",
        _ => return None,
    })
}

struct Writer<'a> {
    out: &'a mut String,
    start: usize,
    /// Whether something that separates words came after the last letter.
    gap: bool,
    /// The letters since the beginning of the word, or since a dot in it.
    since_dot: u32,
}

impl Writer<'_> {
    fn put(&mut self, c: char) {
        match c {
            _ if c.is_alphanumeric() => self.letter(c),
            // The apostrophes of ASCII; the others are gone.
            '\'' | '`' => {}
            // Of initials: J.P. and P.C. are words; in ST.JOHN the dot separates.
            '.' if self.since_dot == 1 && !self.gap => self.since_dot = 0,
            '&' => {
                self.gap = true;
                "and".chars().for_each(|c| self.letter(c));
                self.gap = true;
            }
            _ => self.gap = true,
        }
    }

    fn letter(&mut self, c: char) {
        if self.gap && self.out.len() > self.start {
            self.out.push(' ');
            self.since_dot = 0;
        }
        self.gap = false;
        self.since_dot += 1;
        self.out.push(c);
    }
}

/// The first word of many last names, written in full.
pub fn saint(word: &str) -> &str {
    match word {
        "st" => "saint",
        "ste" => "sainte",
        word => word,
    }
}

/// A word of an organization's name, written in full: ST JOSEPH, MT SINAI, FT WORTH.
pub fn spelled_out(word: &str) -> &str {
    match word {
        "st" => "saint",
        "mt" => "mount",
        "ft" => "fort",
        word => word,
    }
}

/// The letter of the search tables' partition that holds a folded name.
pub fn letter(folded: &str) -> u8 {
    match folded.bytes().next() {
        Some(first) if first.is_ascii_lowercase() => first,
        _ => OTHER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(last: &str, first: &str, middle: &str) -> String {
        let mut out = String::from("x");
        Folder::default().person(last, first, middle, &mut out);
        out.split_off(1)
    }

    fn organization(name: &str) -> String {
        let mut out = String::new();
        Folder::default().organization(name, &mut out);
        out
    }

    #[test]
    fn the_spellings_of_a_last_name_are_one() {
        for (spellings, folded) in [
            (
                &["O'BRIEN", "OBRIEN", "O BRIEN", "O’Brien", "O`BRIEN", "O´Brien", "o'brien jr", "O'BRIEN, III"][..],
                "obrien",
            ),
            (&["SMITH-JONES", "SMITH JONES", "SMITHJONES", "Smith – Jones", "SMITH/JONES"], "smithjones"),
            (&["ST. CLAIR", "ST CLAIR", "SAINT CLAIR", "ST.CLAIR", "Saint-Clair"], "saintclair"),
            (&["STE MARIE", "SAINTE-MARIE"], "saintemarie"),
            (&["de la Cruz", "DELACRUZ", "  DE  LA\tCRUZ ", "De La\nCruz"], "delacruz"),
            (&["MC DONALD", "MCDONALD", "Mc-Donald"], "mcdonald"),
            (&["Núñez", "NUNEZ", "NU\u{301}N\u{303}EZ"], "nunez"),
            (&["ŁÓDŹ"], "lodz"),
            (&["İpek"], "ipek"),
            (&["'T HOOFT", "T'HOOFT"], "thooft"),
            (&["STONE"], "stone"),
            (&["JR"], "jr"),
            (&["-"], "-"),
            (&[" "], ""),
        ] {
            for spelling in spellings {
                assert_eq!(person(spelling, "", ""), folded, "{spelling}");
            }
        }
    }

    #[test]
    fn a_person_is_last_first_middle() {
        assert_eq!(person("O'BRIEN", "MARY ANN", "Q."), "obrien maryann q");
        assert_eq!(person("STONE", "", "ANN"), "stone ann");
        assert_eq!(person("", "ANN", ""), "ann");
        assert_eq!(person("SMITH JR", "J.P.", "DE LA"), "smith jp dela");
        assert_eq!(person("", "", ""), "");
    }

    #[test]
    fn the_spellings_of_an_organization_are_one() {
        for (spellings, folded) in [
            (&["BLUE MESA HOSPITAL", "The Blue-Mesa Hospital", "BLUEMESA HOSPITAL"][..], "bluemesahospital"),
            (&["ST. JOSEPH'S", "SAINT JOSEPHS", "St Joseph’s"], "saintjosephs"),
            (&["MT SINAI", "MOUNT SINAI"], "mountsinai"),
            (&["SMITH & JONES, P.C.", "SMITH AND JONES PC", "Smith&Jones, PC"], "smithandjones pc"),
            (&["CLINIC, INC.", "CLINIC INC"], "clinic inc"),
            (&["A.B.C. CARE CO., L.L.C."], "abccare collc"),
            (&["3M"], "3m"),
            (&["#1 CARE"], "1care"),
            (&["THE"], "the"),
            (&["INC"], "inc"),
            (&["***"], "***"),
        ] {
            for spelling in spellings {
                assert_eq!(organization(spelling), folded, "{spelling}");
            }
        }
        let letters: Vec<char> = ["élan", "O'B", "3M", "'t hooft", "(A) TEAM", ""]
            .iter()
            .map(|name| char::from(letter(&organization(name))))
            .collect();
        assert_eq!(letters, ['e', 'o', '0', 't', 'a', '0']);
    }
}
