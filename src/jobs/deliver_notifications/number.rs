//! Phone numbers in E.164, and addresses as they are compared.

use std::str::FromStr;

use phonenumber::{Mode, country};
use serde::{Serialize, Serializer};

/// A country by its ISO code, whose numbers have no country code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Country(country::Id);

impl Serialize for Country {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_ref())
    }
}

pub fn country(text: &str) -> Result<Country, String> {
    country::Id::from_str(text).map(Country).map_err(|_| "expected an ISO code of two capitals, such as US".to_owned())
}

/// The longest text that may be a number.
const LENGTH_MAX: usize = 60;

/// A number in E.164; None if it is no number that could be called.
pub fn e164(text: &str, country: Country) -> Option<String> {
    if text.len() > LENGTH_MAX {
        return None;
    }
    let number = phonenumber::parse(Some(country.0), text).ok()?;
    // An extension is a person behind a switchboard, which receives no SMS.
    if number.extension().is_some() || !phonenumber::is_valid(&number) {
        return None;
    }
    Some(number.format().mode(Mode::E164).to_string())
}

/// An e-mail address as it is compared and written to; None if it is none.
pub fn email(text: &str) -> Option<String> {
    let text = text.trim();
    email_address::EmailAddress::from_str(text).ok()?;
    let (local, domain) = text.rsplit_once('@')?;
    Some(format!("{local}@{}", domain.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_with_its_country_or_not_at_all() {
        let us = country("US").expect("a country");
        for text in ["(212) 555-0123", "212.555.0123", "+1 212 555 0123", "1-212-555-0123", " 2125550123 "] {
            assert_eq!(e164(text, us).as_deref(), Some("+12125550123"), "{text}");
        }
        assert_eq!(e164("030 901820", country("DE").expect("a country")).as_deref(), Some("+4930901820"));
        assert_eq!(e164("+49 30 901820", us).as_deref(), Some("+4930901820"));
        for text in ["", "n/a", "555-0123", "911", "12345678901234567890", "(212) 555-0123 ext. 4", &"1".repeat(99)] {
            assert_eq!(e164(text, us), None, "{text}");
        }
    }

    #[test]
    fn an_address_is_one_or_none() {
        assert_eq!(email(" A.b@Example.ORG ").as_deref(), Some("A.b@example.org"));
        for text in ["", "a", "a@", "@b.example", "a b@c.example", "a@b\r\nBcc: c@d.example"] {
            assert_eq!(email(text), None, "{text}");
        }
    }
}
