//! National provider identifiers, and the normalized form of names that search compares.

pub mod raw;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The letter of names that begin with no letter from a to z.
const OTHER: u8 = b'0';

/// Whether a number is an NPI: ten digits, the last of which is the check digit of Luhn's algorithm. The standard puts
/// 80840 before the number, which adds 24 to the sum.
pub fn is_valid(npi: u64) -> bool {
    if !(1_000_000_000..10_000_000_000).contains(&npi) {
        return false;
    }
    let (mut rest, mut sum, mut double) = (npi, 24, false);
    while rest > 0 {
        let digit = rest % 10;
        sum += if double { digit * 2 / 10 + digit * 2 % 10 } else { digit };
        (rest, double) = (rest / 10, !double);
    }
    sum % 10 == 0
}

/// Parses ten digits that are an NPI.
pub fn parse(text: &str) -> Option<i64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().filter(|npi| is_valid(*npi)).map(u64::cast_signed)
}

/// Appends the normalized form of a name, which the search tables have in the column `folded`: lower case, without
/// accents, single spaces; a comma counts as a space.
pub fn normalize_name(name: &str, out: &mut String) {
    let start = out.len();
    if name.is_ascii() {
        for word in name.split([' ', '\t', ',']).filter(|word| !word.is_empty()) {
            if out.len() > start {
                out.push(' ');
            }
            out.push_str(word);
        }
        out[start..].make_ascii_lowercase();
        return;
    }
    for word in name.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty()) {
        if out.len() > start {
            out.push(' ');
        }
        for c in word.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase) {
            match c {
                'ø' => out.push('o'),
                'ł' => out.push('l'),
                'đ' | 'ð' => out.push('d'),
                'æ' => out.push_str("ae"),
                'œ' => out.push_str("oe"),
                'ß' => out.push_str("ss"),
                'þ' => out.push_str("th"),
                'ı' => out.push('i'),
                _ => out.push(c),
            }
        }
    }
}

/// The letter of the search tables' partition that holds a normalized name.
pub fn letter(normalized: &str) -> u8 {
    match normalized.bytes().next() {
        Some(first) if first.is_ascii_lowercase() => first,
        _ => OTHER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_digit_checks_the_others() {
        for good in [1_851_806_699, 1_699_600_866, 1_669_740_403, 1_234_567_893] {
            assert!(is_valid(good), "{good}");
            assert!((1..10).all(|off| !is_valid(good / 10 * 10 + (good % 10 + off) % 10)), "{good}");
        }
        assert!(!is_valid(0) && !is_valid(123_456_789) && !is_valid(12_345_678_930));
    }

    #[test]
    fn names_are_normalized_to_what_people_type() {
        let normalized = |name: &str| {
            let mut out = String::from("x ");
            normalize_name(name, &mut out);
            out.split_off(2)
        };
        for (name, expected) in [
            ("O'BRIEN", "o'brien"),
            ("  de  la\tCruz ", "de la cruz"),
            ("CLINIC, INC.", "clinic inc."),
            ("ÉLAN, INC.", "elan inc."),
            ("Núñez Ångström", "nunez angstrom"),
            ("ŁÓDŹ", "lodz"),
            ("İpek", "ipek"),
            ("", ""),
        ] {
            assert_eq!(normalized(name), expected, "{name}");
        }
        let letters: Vec<char> =
            ["élan", "o'brien", "3M", "'quoted", ""].iter().map(|name| char::from(letter(&normalized(name)))).collect();
        assert_eq!(letters, ['e', 'o', '0', '0', '0']);
    }
}
