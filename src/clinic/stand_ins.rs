//! Who is told of what concerns nobody who could be told: the managers of its facility, else its admins.

use crate::clinic::channels::as_preferred;

/// The CTE `stand_ins`, in SQL, for HIGH notices on the channels that each wants.
pub fn high() -> String {
    format!(include_str!("stand_ins.part.sql"), channels = as_preferred("'HIGH'"))
}
