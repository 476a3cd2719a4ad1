//! How many rows a list has at most, and how it says that there are more.
//!
//! Rule: a list asks for one row more than it shows. If there is one, the text ends with a line that says so, and the
//! JSON has `"more": true`.

use clap::Args;

use crate::arg::whole;

/// The rows of a list that names no other number.
const DEFAULT: i64 = 200;
/// The most rows: what a container of the jobs has memory for.
const MAX: i64 = 10_000;

#[derive(Args, Clone, Copy, Debug)]
pub struct LimitArgs {
    /// At most so many; the list says when there are more
    #[arg(long, value_name = "N", default_value_t = DEFAULT, value_parser = whole::<i64>(1..=MAX))]
    limit: i64,
}

impl LimitArgs {
    /// The number of rows to ask for.
    pub fn asked(self) -> i64 {
        self.limit + 1
    }

    /// Takes the row that shows that there are more from the list, if it is there.
    pub fn take_more<T>(self, rows: &mut Vec<T>) -> bool {
        take_more(self.limit, rows)
    }
}

/// Leaves at most so many rows; whether there were more.
pub fn take_more<T>(limit: i64, rows: &mut Vec<T>) -> bool {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    more
}

/// The last line of a list that does not show all.
pub fn note(more: bool, shown: usize) -> String {
    if more { format!("There are more than these {shown}; a larger --limit shows more.\n") } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_row_beyond_the_limit_is_not_shown() {
        let of = |rows: usize| {
            let mut rows = vec![(); rows];
            (take_more(2, &mut rows), rows.len())
        };
        assert_eq!([of(0), of(2), of(3)], [(false, 0), (false, 2), (true, 2)]);
        assert_eq!((note(false, 2).as_str(), note(true, 2).contains("these 2")), ("", true));
    }
}
