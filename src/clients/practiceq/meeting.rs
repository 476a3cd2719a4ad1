//! Where a visit takes place, as the account says it: the guest's link of a video visit, and the place of service.
//!
//! Rule: the link is the first of `JoinUrl`, `Url`, `MeetingUrl`, `VideoUrl` and the links inside `Invitation` that is an
//! address of the web and not the host's (`StartUrl`). An account whose links are in Google's calendar says null.

use reqwest::Url;
use serde_json::Value;

/// The longest link that is taken, in bytes.
const LINK_MAX: usize = 2_048;
/// The fields that may have the guest's link, the surest first.
const GUESTS: [&str; 4] = ["JoinUrl", "Url", "MeetingUrl", "VideoUrl"];
/// What ends a link inside a text, beside white space.
const ENDS: [char; 6] = ['<', '>', '"', '\'', '`', '|'];
/// What may stand behind a link without being of it.
const BEHIND: [char; 8] = ['.', ',', ';', ':', '!', '?', '*', '_'];

/// The guest's link, from the account's `TelehealthInfo`.
pub fn link(telehealth: &Value) -> Option<String> {
    let hosts = telehealth["StartUrl"].as_str().and_then(web);
    let fields = GUESTS.iter().filter_map(|field| web(telehealth[field].as_str()?));
    let invitation = telehealth["Invitation"].as_str().unwrap_or_default();
    fields.chain(links_in(invitation)).find(|link| hosts.as_ref() != Some(link))
}

/// The code of the place of service, in two digits: an account may send it as a number.
pub fn place_of_service(text: String) -> String {
    let is_digit = text.len() == 1 && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_digit { format!("0{text}") } else { text }
}

/// A link of the web, normalized as browsers do.
fn web(text: &str) -> Option<String> {
    let text = Some(text.trim()).filter(|text| text.len() <= LINK_MAX)?;
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    Some(url.into()).filter(|url: &String| url.len() <= LINK_MAX)
}

/// The links inside a text or HTML, in their order.
fn links_in(text: &str) -> impl Iterator<Item = String> {
    let begins = text.match_indices("://").filter_map(|(at, _)| {
        // The letters of the scheme are ASCII, so these are the bounds of characters.
        let begin = |scheme: &str| {
            let from = at.checked_sub(scheme.len())?;
            text.get(from..at)?.eq_ignore_ascii_case(scheme).then_some(from)
        };
        begin("https").or_else(|| begin("http"))
    });
    begins.filter_map(|begin| {
        let rest = &text[begin..];
        let end = rest.find(|c: char| c.is_whitespace() || c.is_control() || ENDS.contains(&c));
        web(&without_what_follows(&rest[..end.unwrap_or(rest.len())]).replace("&amp;", "&"))
    })
}

/// The link without the punctuation of its sentence, and without a bracket that it does not open.
fn without_what_follows(mut link: &str) -> &str {
    loop {
        let shorter = link.trim_end_matches(BEHIND);
        let closes = [('(', ')'), ('[', ']'), ('{', '}')].into_iter().find(|(_, close)| shorter.ends_with(*close));
        match closes {
            Some((open, close)) if shorter.matches(open).count() < shorter.matches(close).count() => {
                link = &shorter[..shorter.len() - 1];
            }
            _ => return shorter,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_link_for_guests_is_taken() {
        let all = json!({
            "StartUrl": "https://host.example/s", "JoinUrl": "https://a.example/j", "Url": "https://b.example/u",
            "MeetingUrl": "https://c.example/m", "VideoUrl": "https://d.example/v", "Invitation": "at https://e.example/i.",
        });
        let mut left = all.as_object().expect("an object").clone();
        let order = [
            ("JoinUrl", "https://a.example/j"),
            ("Url", "https://b.example/u"),
            ("MeetingUrl", "https://c.example/m"),
            ("VideoUrl", "https://d.example/v"),
            ("Invitation", "https://e.example/i"),
        ];
        for (field, expected) in order {
            assert_eq!(link(&json!(left)).as_deref(), Some(expected), "{field}");
            left.remove(field);
        }
        assert_eq!(link(&json!(left)), None, "never the host's");
        for none in [json!(null), json!([]), json!("https://a.example"), json!({}), json!({ "JoinUrl": 7 })] {
            assert_eq!(link(&none), None, "{none}");
        }
    }

    #[test]
    fn what_is_no_link_of_the_web_is_passed_over() {
        let long = format!("https://a.example/{}", "x".repeat(LINK_MAX));
        for none in ["", " ", "javascript:alert(1)", "ftp://a.example", "zoommtg://a.example", "https://", "7", &long] {
            let telehealth = json!({ "JoinUrl": none, "Url": null, "VideoUrl": "https://d.example/v" });
            assert_eq!(link(&telehealth).as_deref(), Some("https://d.example/v"), "{none}");
        }
    }

    #[test]
    fn the_hosts_link_is_not_taken_under_another_name() {
        let telehealth = |url: &str| json!({ "StartUrl": "https://Host.example/s", "Url": url, "Invitation": format!("Host: {url} Guests: https://e.example/i") });
        for hosts in ["https://host.example/s", " https://HOST.example/s "] {
            assert_eq!(link(&telehealth(hosts)).as_deref(), Some("https://e.example/i"));
        }
        assert_eq!(link(&telehealth("https://host.example/s2")).as_deref(), Some("https://host.example/s2"));
    }

    #[test]
    fn a_link_inside_a_text_ends_where_it_ends() {
        for (invitation, expected) in [
            ("Join: https://e.example/i", Some("https://e.example/i")),
            ("HTTPS://e.example/i\nPasscode: 7", Some("https://e.example/i")),
            ("(see https://e.example/i).", Some("https://e.example/i")),
            ("https://e.example/a_(b)!", Some("https://e.example/a_(b)")),
            ("[join](https://e.example/i)", Some("https://e.example/i")),
            ("<a href=\"https://e.example/i?a=1&amp;b=2\">join</a>", Some("https://e.example/i?a=1&b=2")),
            ("Später: https://e.example/ä; danke", Some("https://e.example/%C3%A4")),
            ("xhttps://e.example/i", Some("https://e.example/i")),
            ("ä://x http:// https://e.example/i", Some("https://e.example/i")),
            ("call +1 555 0100", None),
            ("zoommtg://e.example/i", None),
            ("://", None),
        ] {
            assert_eq!(link(&json!({ "Invitation": invitation })).as_deref(), expected, "{invitation}");
        }
        // Behind more text than a field may have.
        let late = format!("{} https://e.example/i", "ä ".repeat(5_000));
        assert_eq!(link(&json!({ "Invitation": late })).as_deref(), Some("https://e.example/i"));
    }

    #[test]
    fn a_place_of_service_has_two_digits() {
        for (text, expected) in [("02", "02"), ("2", "02"), ("10", "10"), ("Office", "Office"), ("ä", "ä")] {
            assert_eq!(place_of_service(text.to_owned()), expected);
        }
    }
}
