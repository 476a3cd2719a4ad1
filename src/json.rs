//! The limits of JSON that others wrote: rules and metadata in the database, answers of servers.

use serde_json::Value;

/// The deepest nesting that is read.
pub const DEPTH_MAX: usize = 64;
/// The longest text that is read from one column, in bytes.
pub const BYTES_MAX: usize = 1 << 20;

/// Why the JSON of a column cannot be read; None if it can.
pub fn unreadable(text: &[u8]) -> Option<String> {
    if text.len() > BYTES_MAX {
        return Some(format!("of more than {} KiB", BYTES_MAX >> 10));
    }
    if too_deep(text) {
        return Some(format!("nested deeper than {DEPTH_MAX} levels"));
    }
    // The database has larger numbers than this program.
    serde_json::from_slice::<Value>(text).is_err().then(|| "with a number out of range".to_owned())
}

/// Whether a JSON text is nested deeper than [`DEPTH_MAX`]. Brackets within a string nest nothing.
pub fn too_deep(text: &[u8]) -> bool {
    let (mut depth, mut in_string, mut is_escaped) = (0_usize, false, false);
    for byte in text {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = in_string,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            return true;
        }
    }
    false
}
