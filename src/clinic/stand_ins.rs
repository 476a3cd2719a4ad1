//! Who is told of what concerns nobody who could be told: the managers of its facility, else its admins.

/// The joins of a user who is told in the application, whatever they prefer.
const IN_APP: &str = "CROSS JOIN (VALUES ('IN_APP', true)) AS notice (channel, wanted)";
/// The joins of a user who is told on the channels that they want.
pub const AS_PREFERRED: &str = include_str!("channels.part.sql");

/// The CTE `stand_ins`, in SQL, for notices in the application.
pub fn in_app() -> String {
    format!(include_str!("stand_ins.part.sql"), channels = IN_APP)
}

/// The CTE `stand_ins`, in SQL, for notices on the channels that each wants.
pub fn as_preferred() -> String {
    format!(include_str!("stand_ins.part.sql"), channels = AS_PREFERRED.trim_end())
}
