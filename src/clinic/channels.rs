//! The channels on which people can be told: which of them a user wants, and whether there is an address.
//!
//! Rule: a user is told in the application unless they refuse it, and by e-mail if they want it and have an address; a
//! HIGH notice is always in the application, too. Who wants none of a notice's channels counts as not there: who stands
//! in for them is told, or else the item is undeliverable. No row of the outbox is made for them.
//!
//! Every statement that tells a user says so by [`as_preferred`].

/// The joins that add `notice (channel, wanted)` to a row of users `u`, in SQL. `priority` is an expression, too.
pub fn as_preferred(priority: &str) -> String {
    let has_email = has_one("u.email");
    format!(include_str!("channels.part.sql"), priority = priority, has_email = has_email).trim_end().to_owned()
}

/// The same joins of a user who is told in the application, whatever they prefer.
pub const IN_APP: &str = "CROSS JOIN (VALUES ('IN_APP', true)) AS notice (channel, wanted)";

/// Whether the preferences of users are read, of the statements that go without them where they cannot be.
#[derive(Clone, Copy)]
pub enum Preferences {
    Heeded,
    NotThere,
}

impl Preferences {
    pub const BOTH: [Self; 2] = [Self::Heeded, Self::NotThere];

    pub fn channels(self, priority: &str) -> String {
        match self {
            Self::Heeded => as_preferred(priority),
            Self::NotThere => IN_APP.to_owned(),
        }
    }
}

/// Whether a column holds an address or a number, in SQL: blank is none.
pub fn has_one(column: &str) -> String {
    format!(include_str!("has_one.part.sql"), column = column).trim_end().to_owned()
}
