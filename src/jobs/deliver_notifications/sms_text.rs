//! The text of an SMS: in few segments, and in the alphabet of which a segment holds most. Pure functions.
//!
//! A message in GSM-7 is one of 160 septets, or several of 153 each; one with another character is in UCS-2, one of 70
//! units, or several of 67. A character that takes two is not divided between segments.

/// What needs more segments is cut.
const SEGMENTS_MAX: usize = 3;
/// What stands where a text was cut.
const CUT: &str = "...";

/// The characters of GSM-7 that are not of ASCII, each one septet.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà";
/// Those of its extension, each two septets.
const EXTENSION: &str = "^{}\\[~]|€";

#[derive(Clone, Copy)]
enum Alphabet {
    Gsm7,
    Ucs2,
}

impl Alphabet {
    fn of(text: &str) -> Self {
        if text.chars().all(|c| septets(c).is_some()) { Self::Gsm7 } else { Self::Ucs2 }
    }

    /// What a character takes of a segment.
    fn size(self, character: char) -> usize {
        match self {
            Self::Gsm7 => septets(character).unwrap_or(2),
            Self::Ucs2 => character.len_utf16(),
        }
    }

    /// The size of a message of one segment, and of each of several.
    fn limits(self) -> [usize; 2] {
        match self {
            Self::Gsm7 => [160, 153],
            Self::Ucs2 => [70, 67],
        }
    }

    /// How many segments a text needs.
    fn segments(self, text: &str) -> usize {
        let [one, each] = self.limits();
        if text.chars().map(|c| self.size(c)).sum::<usize>() <= one {
            return 1;
        }
        let (mut segments, mut used) = (1, 0);
        for size in text.chars().map(|c| self.size(c)) {
            if used + size > each {
                (segments, used) = (segments + 1, 0);
            }
            used += size;
        }
        segments
    }
}

/// How many septets a character takes; None if GSM-7 does not have it.
fn septets(character: char) -> Option<usize> {
    if character.is_ascii_alphanumeric() || BASIC.contains(character) {
        Some(1)
    } else if EXTENSION.contains(character) {
        Some(2)
    } else {
        None
    }
}

/// The text as it is sent.
pub fn fit(text: &str) -> String {
    let text = text.trim();
    let plain: String = text.chars().map(ascii).fold(String::new(), |text, part| text + &part);
    // A text that stays in UCS-2 gains nothing by other quotes.
    let text = if matches!(Alphabet::of(&plain), Alphabet::Gsm7) { plain } else { text.to_owned() };
    let alphabet = Alphabet::of(&text);
    if alphabet.segments(&text) <= SEGMENTS_MAX { text } else { cut(&text, alphabet) }
}

/// What a typographic character is in ASCII.
fn ascii(character: char) -> String {
    match character {
        '‘' | '’' | '‚' | '‛' | '′' | '`' | '´' => "'".into(),
        '“' | '”' | '„' | '‟' | '″' => "\"".into(),
        '‐' | '‑' | '‒' | '–' | '—' | '―' | '−' => "-".into(),
        '…' => "...".into(),
        '\t' | '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' => " ".into(),
        // What is not seen.
        '\u{ad}' | '\u{200b}' | '\u{2060}' | '\u{feff}' => String::new(),
        other => other.into(),
    }
}

/// The words of a text that fit, and the sign that there were more.
fn cut(text: &str, alphabet: Alphabet) -> String {
    let fits = |end: usize| alphabet.segments(&format!("{}{CUT}", text[..end].trim_end())) <= SEGMENTS_MAX;
    let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    let most = ends.partition_point(|end| fits(*end)).saturating_sub(1);
    let end = ends.get(most).copied().unwrap_or(0);
    let is_word_end = |at: usize| text[at..].starts_with(char::is_whitespace);
    // A text that is one long word is cut in its midst.
    let word = ends[..=most].iter().rev().copied().find(|at| *at > 0 && is_word_end(*at)).unwrap_or(end);
    format!("{}{CUT}", text[..word].trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(text: &str) -> usize {
        Alphabet::of(text).segments(text)
    }

    #[test]
    fn segments_are_counted_as_a_phone_joins_them() {
        for (text, expected) in [
            ("a".repeat(160), 1),
            ("a".repeat(161), 2),
            ("a".repeat(306), 2),
            ("a".repeat(307), 3),
            ("a".repeat(459), 3),
            ("a".repeat(460), 4),
            ("€".repeat(80), 1),
            // A pair is not divided: 76 of 153 septets' pairs, and not 76 and a half.
            ("€".repeat(152), 2),
            ("€".repeat(153), 3),
            ("ж".repeat(70), 1),
            ("ж".repeat(71), 2),
            ("ж".repeat(134), 2),
            ("ж".repeat(135), 3),
            ("😀".repeat(35), 1),
            ("😀".repeat(66), 2),
            ("😀".repeat(67), 3),
        ] {
            assert_eq!(segments(&text), expected, "{} of {:?}", text.chars().count(), text.chars().next());
        }
    }

    #[test]
    fn typographic_characters_become_plain_where_the_whole_text_is_then_gsm_7() {
        assert_eq!(fit("“We’ll call” – at\u{a0}9\u{202f}a.m.…\u{ad}"), "\"We'll call\" - at 9 a.m....");
        assert_eq!(fit(" Grüße, señor: 5 € à ¿té? "), "Grüße, señor: 5 € à ¿té?");
        assert_eq!(fit("“Жди”…"), "“Жди”…", "it stays in UCS-2 anyway");
        assert_eq!(fit(""), "");
    }

    #[test]
    fn what_needs_more_than_three_segments_is_cut_at_a_word() {
        let whole = "a".repeat(459);
        assert_eq!(fit(&whole), whole);
        for word in ["word ", "слово ", "€{} ", "😀 "] {
            let fitted = fit(&word.repeat(200));
            assert_eq!(segments(&fitted), 3, "{fitted}");
            let words = fitted.strip_suffix(CUT).expect("it says that it was cut");
            assert!(words.split(' ').all(|one| one == word.trim_end()), "{words}");
            let more = format!("{words} {word}{CUT}");
            assert!(segments(&more) > 3, "one more word would not fit: {more}");
        }
        assert_eq!(fit(&"a".repeat(500)), format!("{}{CUT}", "a".repeat(456)));
        assert_eq!(fit(&format!("{} {}", "b".repeat(100), "a".repeat(500))), format!("{}{CUT}", "b".repeat(100)));
    }
}
