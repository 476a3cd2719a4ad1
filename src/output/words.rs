//! Sentences for a person: lines that end at a word before the terminal's width, and counted things.

/// The text in lines of whole words that fit the width, each below the first word of its line and behind `next`.
pub fn wrapped(text: &str, width: Option<usize>, next: &str) -> String {
    let Some(width) = width.filter(|width| text.lines().any(|line| visible(line) > *width)) else {
        return text.to_owned();
    };
    let mut out: Vec<String> = vec![];
    for line in text.lines() {
        if visible(line) <= width {
            out.push(line.to_owned());
            continue;
        }
        let indent = " ".repeat(line.chars().take_while(|letter| *letter == ' ').count());
        let (mut current, mut is_begun) = (indent.clone(), false);
        for word in line.split_whitespace() {
            if is_begun && visible(&current) + 1 + visible(word) > width {
                out.push(std::mem::replace(&mut current, format!("{indent}{next}")));
            } else if is_begun {
                current.push(' ');
            }
            is_begun = true;
            current.push_str(word);
        }
        out.push(current);
    }
    out.join("\n") + if text.ends_with('\n') { "\n" } else { "" }
}

/// The number of letters that are seen: those of a colour's code are not.
fn visible(text: &str) -> usize {
    let mut is_code = false;
    let seen = text.chars().filter(|letter| {
        let is_seen = !is_code && *letter != '\x1b';
        is_code = *letter == '\x1b' || is_code && *letter != 'm';
        is_seen
    });
    seen.count()
}

/// So many of what a word names: "1 item", "2 items", "2 passes".
pub fn counted(count: impl TryInto<u64>, word: &str) -> String {
    // What does not fit is many.
    let count = count.try_into().unwrap_or(u64::MAX);
    let ending = match word {
        _ if count == 1 => "",
        _ if word.ends_with(['s', 'x']) || word.ends_with("ch") => "es",
        _ => "s",
    };
    format!("{count} {word}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_goes_on_below_its_first_word() {
        let text = "  one two \x1b[1mthree\x1b[0m four";
        assert_eq!(wrapped(text, None, ""), text);
        assert_eq!(wrapped(text, Some(20), ""), text);
        assert_eq!(wrapped(text, Some(19), ""), "  one two \x1b[1mthree\x1b[0m\n  four");
        assert_eq!(wrapped("a\n\n  bb cc", Some(4), ""), "a\n\n  bb\n  cc");
        assert_eq!(wrapped("aa bb cc\n", Some(5), "  "), "aa bb\n  cc\n", "the end of the line stays");
        assert_eq!(wrapped("a  b\naaaa bbbb\n", Some(6), ""), "a  b\naaaa\nbbbb\n", "a line that fits is not touched");
    }

    #[test]
    fn one_thing_has_no_plural() {
        let texts = [counted(0_u64, "item"), counted(1_usize, "item"), counted(2_i64, "item"), counted(2_u64, "pass")];
        assert_eq!(texts, ["0 items", "1 item", "2 items", "2 passes"]);
    }
}
