//! Text that the database cannot send as UTF-8: bytes in a database without an encoding (SQL_ASCII), or characters that
//! UTF-8 has not.
//!
//! One such text is an error that ends a statement for all rows. A list that shows text of the clinic's rows reads
//! [`decodable`]; who needs a row whole reads its bytes.

use crate::error::Error;

/// The SQLSTATEs of a text that cannot be sent as UTF-8.
const UNDECODABLE: [&str; 2] = ["22021", "22P05"];

/// The text of a column, in SQL, with bytes that are no text escaped.
pub fn decodable(column: &str) -> String {
    format!(include_str!("text.part.sql"), column = column)
}

pub fn is_undecodable(error: &Error) -> bool {
    UNDECODABLE.contains(&error.code.as_ref())
}
