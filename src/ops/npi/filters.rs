//! What narrows a search down: the parsers of its options.

/// The taxonomies of surgeons, as patterns of LIKE.
pub const SURGICAL: &[&str] = &[
    "2086%",
    "208C%",
    "208G%",
    "2082%",
    "204E%",
    "204F%",
    "207T%",
    "207X%",
    "2088%",
    "207Y%",
    "207W%",
    "207ND0101X",
    "213ES0103X",
    "213ES0131X",
    "1223S0112X",
];

/// A state, and a city in it.
#[derive(Clone, Debug)]
pub struct Place {
    pub state: String,
    pub city: Option<String>,
}

/// Parses a state, or a city, a comma and its state.
pub fn place(text: &str) -> Result<Place, String> {
    let (city, of) = text.rsplit_once(',').map_or((None, text), |(city, of)| (Some(city), of));
    let city = city.map(self::city).transpose()?;
    Ok(Place { state: state(of)?, city })
}

/// Parses the two letters of a state.
pub fn state(text: &str) -> Result<String, String> {
    let state = text.trim();
    let good = state.len() == 2 && state.bytes().all(|byte| byte.is_ascii_alphabetic());
    if good {
        Ok(state.to_ascii_uppercase())
    } else {
        Err("a state is two letters, such as CO for Colorado".to_owned())
    }
}

pub fn city(text: &str) -> Result<String, String> {
    let city = text.trim();
    if city.is_empty() { Err("a city has a name, such as Denver".to_owned()) } else { Ok(city.to_owned()) }
}

/// Parses the beginning of a ZIP code to the digits of the registry, which has no hyphen in them.
pub fn zip(text: &str) -> Result<String, String> {
    let text = text.trim();
    let digits = match text.split_once('-') {
        Some((first, rest)) if first.len() == 5 => format!("{first}{rest}"),
        _ => text.to_owned(),
    };
    let good = (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if good { Ok(digits) } else { Err("a ZIP code is up to nine digits, such as 80202 or 80202-1234".to_owned()) }
}

/// Parses a code, or the beginning of one, to a pattern of LIKE.
pub fn taxonomy(text: &str) -> Result<String, String> {
    let text = text.trim();
    let (code, any) = text.strip_suffix('*').map_or((text, ""), |code| (code, "%"));
    let good = code.len() <= 10 && !text.is_empty() && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if good {
        Ok(format!("{}{any}", code.to_ascii_uppercase()))
    } else {
        Err("a taxonomy looks like 208600000X or 2086*".to_owned())
    }
}
