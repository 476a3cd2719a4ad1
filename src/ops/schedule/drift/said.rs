//! What a scheduler's files say, in one form for both sides.

use std::collections::BTreeMap;

/// What is said of each name: its settings.
pub type Said = BTreeMap<String, BTreeMap<String, String>>;

/// The settings of a name, one by one.
pub fn settings<const N: usize>(pairs: [(&str, String); N]) -> BTreeMap<String, String> {
    pairs.map(|(setting, value)| (setting.to_owned(), value)).into()
}
