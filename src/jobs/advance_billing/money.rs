//! Amounts of money, exact to the cent.

use std::fmt;
use std::ops::AddAssign;

use serde::{Serialize, Serializer};

use crate::db::Row;

/// An amount in cents. As text and in JSON it is a decimal number without a currency, such as 1234.50.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cents(i64);

impl Cents {
    /// The column `cents` of a row.
    pub fn of(row: &Row) -> Self {
        Self(row.get("cents"))
    }
}

impl AddAssign for Cents {
    fn add_assign(&mut self, other: Self) {
        self.0 = self.0.saturating_add(other.0);
    }
}

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let cents = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:02}", cents / 100, cents % 100)
    }
}

impl Serialize for Cents {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cent_is_lost_on_the_way_to_text() {
        let texts = [0, 5, 100, 123_456_789, -5, -12_345].map(|cents| Cents(cents).to_string());
        assert_eq!(texts, ["0.00", "0.05", "1.00", "1234567.89", "-0.05", "-123.45"]);
        let mut sum = Cents::default();
        (0..1000).for_each(|_| sum += Cents(10));
        assert_eq!(sum.to_string(), "100.00");
    }
}
