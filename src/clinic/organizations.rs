//! The organizations that look after patients, and whose they are.

/// The organizations of a user, in SQL: a SELECT (id, facility_id).
pub fn organizations_of(user: &str) -> String {
    format!(include_str!("organizations_of.part.sql"), user = user)
}
