//! What a search asks for: ranges of folded names, one for each way in which the words can be read.
//!
//! "O Brien" may be the last name OBRIEN, or a Brien whose last name is O; "Mary Ann Smith" may begin with the last name
//! or with the first. Each reading is a range of an index, which costs next to nothing where nobody is in it. A comma ends
//! the last name.

use std::collections::BTreeMap;

use crate::clinic::npi::names::{GENERATIONS, LEGAL_FORMS, letter, saint, spelled_out, words};

/// More readings than these are of nobody's name.
const RANGES_MAX: usize = 48;
const WORDS_MAX: usize = 7;
const SIMILAR_MAX: usize = 3;
/// They are written after a name.
const CREDENTIALS: [&str; 16] =
    ["md", "do", "phd", "dds", "dmd", "dpm", "od", "dc", "np", "aprn", "rn", "pa", "lcsw", "psyd", "mbbs", "facs"];
/// As Germans, Danes and Swedes write their letters in ASCII, beside the letter without its accent.
const SPELLED: [(char, &str); 10] = [
    ('ä', "ae"),
    ('ö', "oe"),
    ('ü', "ue"),
    ('å', "aa"),
    ('ø', "oe"),
    ('Ä', "ae"),
    ('Ö', "oe"),
    ('Ü', "ue"),
    ('Å', "aa"),
    ('Ø', "oe"),
];

/// The folded names from one to another, the last excluded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    pub low: String,
    pub high: String,
    /// 1 where even the name itself is not quite what was asked for.
    pub least_rank: u8,
}

#[derive(Debug, Default)]
pub struct Asked {
    /// By the letter of the search table's partition.
    pub ranges: BTreeMap<u8, Vec<Range>>,
    /// The names that others may resemble.
    pub similar: Vec<String>,
}

impl Asked {
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    pub fn person(text: &str) -> Self {
        let mut asked = Self::default();
        for text in spellings(text) {
            let (last, given) = text.split_once(',').map_or((&*text, None), |(last, given)| (last, Some(given)));
            let last = words_of(last);
            match given.map(words_of) {
                // What follows the comma in "John Smith, MD" is no first name.
                Some(given) if !last.is_empty() && !given.iter().all(|word| is_title(word)) => {
                    asked.reading(&without_generation(&last), &without_titles(&given))
                }
                given => asked.in_any_order(&[last, given.unwrap_or_default()].concat()),
            }
        }
        asked
    }

    /// First without titles: the names in these words must not be what is left out where there are too many readings.
    fn in_any_order(&mut self, words: &[String]) {
        let bare = without_titles(words);
        self.in_order(&bare);
        if bare != words {
            self.in_order(words);
        }
    }

    /// Last name first, and first name first. Few given names come first, since few people have many.
    fn in_order(&mut self, words: &[String]) {
        let words = &limited(words);
        for given in 0..words.len() {
            let last = words.len() - given;
            self.reading(&words[..last], &words[last..]);
            if given > 0 {
                self.reading(&words[given..], &words[..given]);
            }
        }
    }

    fn reading(&mut self, last: &[String], given: &[String]) {
        if self.similar.len() < SIMILAR_MAX {
            let name = [&[joined(last, saint)], given].concat().join(" ");
            self.similar.push(name);
        }
        for last in [joined(last, saint), joined(last, |word| word), with_saint(last)] {
            if given.is_empty() {
                self.begins(&last);
            }
            for first in 1..=given.len() {
                let (first, middle) = given.split_at(first);
                let name = format!("{last} {}", first.concat());
                match middle.concat() {
                    middle if middle.is_empty() => self.begins(&name),
                    middle => {
                        self.begins(&format!("{name} {middle}"));
                        // A row may have no middle name, or only its first letter.
                        self.is(&name);
                        self.is(&format!("{name} {}", middle.chars().take(1).collect::<String>()));
                    }
                }
            }
        }
    }

    pub fn organization(text: &str) -> Self {
        let mut asked = Self::default();
        for text in spellings(text) {
            let all = words_of(&text);
            let all = all.strip_prefix(&["the".to_owned()]).filter(|rest| !rest.is_empty()).unwrap_or(&all);
            let forms = all.iter().rev().take_while(|word| LEGAL_FORMS.contains(&word.as_str())).count();
            let main = &all[..(all.len() - forms).max(all.len().min(1))];
            asked.similar.push(joined(main, spelled_out));
            for name in [joined(main, spelled_out), joined(main, |word| word), with_saint(main)] {
                asked.begins(&name);
            }
            // The legal form may be half typed.
            if let Some((form, main)) = main.split_last()
                && !main.is_empty()
                && LEGAL_FORMS.iter().any(|legal| legal.starts_with(form.as_str()))
            {
                asked.begins(&format!("{} {form}", joined(main, spelled_out)));
            }
        }
        asked
    }

    fn begins(&mut self, name: &str) {
        // No text sorts after the last of all characters.
        self.add(Range { low: name.to_owned(), high: format!("{name}\u{10ffff}"), least_rank: 0 });
    }

    fn is(&mut self, name: &str) {
        self.add(Range { low: name.to_owned(), high: format!("{name} "), least_rank: 1 });
    }

    fn add(&mut self, range: Range) {
        let count: usize = self.ranges.values().map(Vec::len).sum();
        if range.low.is_empty() || count >= RANGES_MAX {
            return;
        }
        let ranges = self.ranges.entry(letter(&range.low)).or_default();
        if !ranges.contains(&range) {
            ranges.push(range);
        }
    }
}

/// The text as it is, and as it may be written without its accents.
fn spellings(text: &str) -> Vec<String> {
    let spelled = SPELLED.iter().fold(text.to_owned(), |text, (letter, letters)| text.replace(*letter, letters));
    if spelled == text { vec![spelled] } else { vec![text.to_owned(), spelled] }
}

fn words_of(text: &str) -> Vec<String> {
    let mut out = String::new();
    words(text, &mut out);
    out.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// What comes after so many words is one with the last of them.
fn limited(words: &[String]) -> Vec<String> {
    let (first, rest) = words.split_at(words.len().min(WORDS_MAX - 1));
    first.iter().cloned().chain((!rest.is_empty()).then(|| rest.concat())).collect()
}

fn joined(words: &[String], spell: impl Fn(&str) -> &str) -> String {
    words.iter().map(|word| spell(word)).collect()
}

/// One word for the two: STCLAIR for SAINT CLAIR, and SAINTCLAIR for STCLAIR.
fn with_saint(words: &[String]) -> String {
    let all = words.concat();
    match (all.strip_prefix("saint"), all.strip_prefix("st")) {
        (Some(rest), _) => format!("st{rest}"),
        (None, Some(rest)) => format!("saint{rest}"),
        (None, None) => all,
    }
}

fn without_generation(words: &[String]) -> Vec<String> {
    let end = words.iter().rposition(|word| !GENERATIONS.contains(&word.as_str())).map_or(words.len(), |last| last + 1);
    words[..end].to_vec()
}

fn is_title(word: &str) -> bool {
    GENERATIONS.contains(&word) || CREDENTIALS.contains(&word)
}

/// Without DR in front, and without JR and MD at the end, as long as something is left.
fn without_titles(words: &[String]) -> Vec<String> {
    let begin = usize::from(words.len() > 1 && words[0] == "dr");
    let end = words.iter().rposition(|word| !is_title(word)).map_or(words.len(), |last| last + 1);
    words[begin.min(end)..end].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a folded name is in one of the ranges.
    fn finds(asked: &Asked, folded: &str) -> bool {
        let ranges = asked.ranges.get(&letter(folded)).into_iter().flatten();
        ranges.into_iter().any(|range| range.low.as_str() <= folded && folded < range.high.as_str())
    }

    #[test]
    fn people_are_asked_for_in_every_reading() {
        for (text, folded) in [
            ("O'Brien", "obrien ann"),
            ("O Brien", "obrien ann"),
            ("o brien, a", "obrien ann"),
            ("smith j", "smith john"),
            ("smith j", "smithjones ann"),
            ("smith jones", "smithjones dee"),
            ("st clair", "saintclair ann"),
            ("st clair", "stclair ann"),
            ("stclair", "saintclair ann"),
            ("saint clair", "stclair ann"),
            ("st", "stone ann"),
            ("st", "saintclair ann"),
            ("sain", "saintclair ann"),
            ("de la cruz ana m", "delacruz ana maria"),
            ("de la cruz ana m", "delacruz anamaria"),
            ("smith, john q", "smith john quincy"),
            ("smith, john quincy", "smith john q"),
            ("smith, john q.", "smith john"),
            ("mary ann doe", "doe maryann"),
            ("mary ann doe", "doe mary ann"),
            ("john q smith", "smith john q"),
            ("Dr. John Smith, MD", "smith john"),
            ("john smith md", "smith john"),
            ("Dr. Mary Ann De La Cruz Jr. MD", "delacruz maryann"),
            ("Dr. Maria Q. De La Cruz, MD, PhD", "delacruz maria q"),
            ("smith jr, john", "smith john"),
            ("smith john jr", "smith john"),
            ("Müller", "mueller ann"),
            ("Müller", "muller ann"),
        ] {
            assert!(finds(&Asked::person(text), folded), "{text}: {folded}");
        }
        for (text, folded) in [
            ("smith, j", "smithjones ann"),
            ("smith, john q", "smith john a"),
            ("smith, john", "smith joan"),
            ("smithe", "smith ed"),
            ("brien", "obrien ann"),
        ] {
            assert!(!finds(&Asked::person(text), folded), "{text}: {folded}");
        }
        assert!(Asked::person(" , ").is_empty() && !Asked::person("%").is_empty());
        assert!(Asked::person("a b c d e f g h i j k").ranges.values().map(Vec::len).sum::<usize>() <= RANGES_MAX);
    }

    #[test]
    fn organizations_are_asked_for_by_their_beginning() {
        for (text, folded) in [
            ("blue mesa", "bluemesahospital inc"),
            ("The Blue Mesa Hospital, Inc.", "bluemesahospital"),
            ("blue mesa hospital in", "bluemesahospital inc"),
            ("st josephs", "saintjosephs"),
            ("st", "stone"),
            ("mt sinai", "mountsinai"),
            ("smith & jones", "smithandjones pc"),
            ("inc", "inc"),
            ("the", "the"),
        ] {
            assert!(finds(&Asked::organization(text), folded), "{text}: {folded}");
        }
    }
}
