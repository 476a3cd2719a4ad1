//! Names and texts in the SQL that commands print: quotation, comments, lines of a limited width.
//!
//! Rule: whatever an application's names and labels are, what is printed of them is no SQL of its own. A control
//! character is escaped or left out, since a carriage return, too, ends a comment.

/// SQL in which no quoted name has a control character: such a name is written with escapes.
pub fn escaped(sql: &str) -> String {
    if !sql.contains(char::is_control) {
        return sql.to_owned();
    }
    let (mut out, mut rest) = (String::new(), sql);
    while let Some((before, inner)) = rest.split_once('"') {
        let (name, after) = inner.split_at(closing(inner));
        let is_hostile = name.contains(char::is_control);
        let name = if is_hostile { with_escapes(name, "") } else { name.to_owned() };
        out += &format!("{before}{}\"{name}\"", if is_hostile { "U&" } else { "" });
        rest = after.strip_prefix('"').unwrap_or_default();
    }
    out + &rest.replace(char::is_control, " ")
}

/// Where the quoted name ends that these letters begin with; two quotation marks are one of the name.
fn closing(inner: &str) -> usize {
    let mut at = 0;
    while let Some(next) = inner[at..].find('"') {
        if !inner[at + next + 1..].starts_with('"') {
            return at + next;
        }
        at += next + 2;
    }
    inner.len()
}

/// A text as SQL writes it.
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if text.contains(|c: char| c == '\\' || c.is_control()) {
        format!("E'{}'", with_escapes(&quoted, "u"))
    } else {
        format!("'{quoted}'")
    }
}

/// Control characters and backslashes as escapes; `sign` follows the backslash of a control character.
fn with_escapes(text: &str, sign: &str) -> String {
    let escape = |c: char| match c {
        '\\' => "\\\\".to_owned(),
        c if c.is_control() => format!("\\{sign}{:04X}", u32::from(c)),
        c => c.to_string(),
    };
    text.chars().map(escape).collect()
}

/// The body of a function in a quotation that nothing in it ends.
pub fn dollar_quoted(body: &str) -> String {
    let (mut tag, mut number) = ("$$".to_owned(), 0);
    while format!("{body}{tag}").find(&tag) != Some(body.len()) {
        number += 1;
        tag = format!("$body{number}$");
    }
    format!("{tag}{body}{tag}")
}

/// SQL as a comment, each line behind `margin`.
pub fn commented(sql: &str, margin: &str) -> String {
    let line = |line: &str| format!("{margin}-- {}\n", line.replace(char::is_control, " "));
    sql.trim_end_matches('\n').split('\n').map(line).collect()
}

/// A text in lines of at most `width` characters; the first begins with `first`, the others with `next`. A longer word
/// has a line of its own. A text in quotation marks is never broken, so that SQL can be copied.
pub fn wrapped(text: &str, width: usize, first: &str, next: &str) -> Vec<String> {
    let text = text.replace(char::is_control, " ");
    let (mut lines, mut line, mut is_empty) = (vec![], first.to_owned(), true);
    for word in words(&text).into_iter().filter(|word| !word.is_empty()) {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::replace(&mut line, next.to_owned()));
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line += word;
        is_empty = false;
    }
    line.truncate(line.trim_end().len());
    lines.push(line);
    lines
}

/// The words of a text; a space in quotation marks ends none.
fn words(text: &str) -> Vec<&str> {
    let (mut words, mut start, mut quote) = (vec![], 0, None);
    for (at, c) in text.char_indices() {
        match quote {
            Some(open) if open == c => quote = None,
            Some(_) => {}
            // An apostrophe within a word opens nothing.
            None if c == '"' || (c == '\'' && !text[..at].ends_with(char::is_alphanumeric)) => quote = Some(c),
            None if c == ' ' => {
                words.push(&text[start..at]);
                start = at + 1;
            }
            None => {}
        }
    }
    words.push(&text[start..]);
    words
}

/// SQL with each word outside of literals replaced by what `other` has for it; None if it has nothing for one.
pub fn replaced(sql: &str, other: impl Fn(&str) -> Option<String>) -> Option<String> {
    let (mut out, mut word, mut is_literal) = (String::new(), String::new(), false);
    for letter in sql.chars().chain([' ']) {
        if !is_literal && (letter.is_alphanumeric() || letter == '_') {
            word.push(letter);
            continue;
        }
        if !word.is_empty() {
            out += &other(&word)?;
            word.clear();
        }
        is_literal ^= letter == '\'';
        out.push(letter);
    }
    out.pop();
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_quoted() {
        for (text, expected) in
            [("it's", "'it''s'"), (r"a\b", r"E'a\\b'"), ("a\n'\r", r"E'a\u000A''\u000D'"), ("a\u{85}", r"E'a\u0085'")]
        {
            assert_eq!(literal(text), expected);
        }
    }

    #[test]
    fn a_name_with_control_characters_is_escaped() {
        for (sql, expected) in [
            ("plain", "plain"),
            (r#"app."a b""#, r#"app."a b""#),
            ("app.\"a\rb\".\"c\"", r#"app.U&"a\000Db"."c""#),
            ("\"a\"\"b\n\\\"[]", r#"U&"a""b\000A\\"[]"#),
        ] {
            assert_eq!(escaped(sql), expected);
        }
    }

    #[test]
    fn nothing_ends_the_quotation_of_a_body() {
        assert_eq!(dollar_quoted("x"), "$$x$$");
        assert_eq!(dollar_quoted("x$$y"), "$body1$x$$y$body1$");
        assert_eq!(dollar_quoted("x$$y$body1$"), "$body2$x$$y$body1$$body2$");
        assert_eq!(dollar_quoted("x$"), "$body1$x$$body1$", "its last letter and the tag would end it");
    }

    #[test]
    fn no_line_of_a_comment_is_outside_of_it() {
        assert_eq!(commented("a\n  b\rc\n", "  "), "  -- a\n  --   b c\n");
        assert_eq!(wrapped("a\rb\u{b}c\nd", 80, "-- ", "-- "), ["-- a b c d"]);
    }

    #[test]
    fn lines_end_before_the_width_and_never_in_a_quotation() {
        let lines = |text, width| wrapped(text, width, "", "");
        assert_eq!(lines("a bc def", 4), ["a bc", "def"]);
        assert_eq!(lines("x = 'a b c' AND y", 6), ["x =", "'a b c'", "AND y"]);
        assert_eq!(lines("the role's \"own name\" z", 9), ["the", "role's", "\"own name\"", "z"]);
        assert_eq!(lines("", 4), [""]);
        assert_eq!(wrapped("word word", 9, "-- ", "--   "), ["-- word", "--   word"]);
    }

    #[test]
    fn words_are_replaced_but_not_in_literals() {
        let other = |word: &str| (word != "c").then(|| if word == "a" { "\"A\"".to_owned() } else { word.to_owned() });
        assert_eq!(replaced("lower(a) = 'a' AND b", other).as_deref(), Some("lower(\"A\") = 'a' AND b"));
        assert_eq!(replaced("a AND c", other), None);
    }
}
