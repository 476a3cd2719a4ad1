//! Where a list ends. The account sends no total, and a server may page by any number of rows.
//!
//! Rule: a page is the last if and only if it is empty, or shorter than a page of the account is known to be, or it is
//! no full page by the account's documentation and has nothing that was not on an earlier page.

use std::collections::HashSet;

use serde_json::Value;

use super::query::Query;
use crate::clients::practiceq::PAGE_ROWS;

/// The pages of a list that were read.
pub struct Pages {
    /// What they have, by Id.
    ids: HashSet<String>,
    /// The length of the longest page that the account is known to have sent.
    longest: usize,
}

/// What a page says of the next one.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    Page,
    /// There is none.
    None,
    /// The list never ends.
    Repeated,
}

impl Pages {
    /// `own` is the length of the longest page of the list that an earlier run has read, `others` that of other lists. The
    /// window is not judged by these: what it lacks would be taken for deleted, and the size of pages may have changed.
    pub fn of(query: &Query, own: usize, others: usize) -> Self {
        let others = if matches!(query, Query::Window { .. }) { 0 } else { others };
        Self { ids: HashSet::new(), longest: own.max(others) }
    }

    /// Adds a page.
    pub fn add(&mut self, rows: &[Value]) -> Next {
        let known = self.ids.len();
        self.ids.extend(rows.iter().map(|row| row["Id"].to_string()));
        if rows.is_empty() || rows.len() < self.longest {
            return Next::None;
        }
        self.longest = rows.len();
        match (self.ids.len() > known, rows.len() < PAGE_ROWS) {
            (true, _) => Next::Page,
            (false, true) => Next::None,
            (false, false) => Next::Repeated,
        }
    }

    /// How many appointments the list has.
    pub fn rows(&self) -> usize {
        self.ids.len()
    }

    pub fn longest(&self) -> usize {
        self.longest
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;
    use serde_json::json;

    use super::*;

    fn window() -> Query {
        Query::Window { from: NaiveDate::MIN, to: NaiveDate::MAX }
    }

    /// What the pages of these rows, each from an id to before another, say of the next one.
    fn next(query: &Query, longest: usize, pages: &[(usize, usize)]) -> Vec<Next> {
        let mut list = Pages::of(query, 0, longest);
        pages
            .iter()
            .map(|&(from, to)| list.add(&(from..to).map(|id| json!({ "Id": id })).collect::<Vec<_>>()))
            .collect()
    }

    #[test]
    fn the_end_is_an_empty_page_or_one_that_is_shorter_than_pages_are() {
        assert_eq!(next(&window(), 0, &[(0, 50), (50, 100), (100, 120)]), [Next::Page, Next::Page, Next::None]);
        assert_eq!(next(&window(), 0, &[(0, 50), (50, 50)]), [Next::Page, Next::None]);
        assert_eq!(next(&window(), 0, &[(0, 0)]), [Next::None]);
        assert_eq!(next(&window(), 100, &[(0, 50)]), [Next::Page], "pages may be smaller now");
        let since = Query::Since { date: NaiveDate::MIN };
        assert_eq!(next(&since, 100, &[(0, 50)]), [Next::None], "the last sweep had pages of 100");
        assert_eq!(next(&since, 50, &[(0, 50), (50, 70)]), [Next::Page, Next::None]);
        assert_eq!(next(&since, 0, &[(0, 3)]), [Next::Page], "nothing is known");
        assert_eq!(Pages::of(&window(), 50, 0).add(&[json!({ "Id": 1 })]), Next::None, "a list that goes on");
    }

    #[test]
    fn a_page_that_comes_again_is_the_end_of_a_short_list_and_no_end_of_a_long_one() {
        assert_eq!(next(&window(), 0, &[(0, 50), (0, 50)]), [Next::Page, Next::None]);
        assert_eq!(next(&window(), 0, &[(0, 100), (0, 100)]), [Next::Page, Next::Repeated]);
    }
}
