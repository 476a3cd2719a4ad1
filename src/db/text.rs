//! Text that the database cannot send as UTF-8: bytes in a database without an encoding (SQL_ASCII), or characters that
//! UTF-8 has not.
//!
//! One such text is an error that ends a statement for all rows. A list that shows text of the clinic's rows reads
//! [`decodable`]; who needs a row whole reads its bytes.

use crate::error::Error;

/// The longest name that is shown or put into a message, in characters. The clinic's column may have no limit, and a
/// name is repeated for each recipient.
const NAME_MAX: usize = 100;

/// The SQLSTATEs of a text that cannot be sent as UTF-8.
const UNDECODABLE: [&str; 2] = ["22021", "22P05"];

/// The text of a column, in SQL, with bytes that are no text escaped.
pub fn decodable(column: &str) -> String {
    format!(include_str!("text.part.sql"), column = column)
}

/// A text of at most so many characters, in SQL: a longer one is cut at a word.
pub fn cut(text: &str, most: usize) -> String {
    let sql = format!(include_str!("cut.part.sql"), text = text, most = most);
    // One line without a comment, so that it may stand in another expression and in the comment about that.
    let lines = sql.lines().filter(|line| !line.starts_with("--")).map(str::trim);
    format!("({})", lines.collect::<Vec<_>>().join(" "))
}

/// A name of a person or a thing, in SQL, of at most [`NAME_MAX`] characters.
pub fn name(column: &str) -> String {
    cut(&format!("{column}::text"), NAME_MAX)
}

/// A name that a list shows, in SQL.
pub fn decodable_name(column: &str) -> String {
    decodable(&name(column))
}

pub fn is_undecodable(error: &Error) -> bool {
    UNDECODABLE.contains(&error.code.as_ref())
}
