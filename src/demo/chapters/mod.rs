//! The chapters of the demo, each of a job or two with a small cast. They are alike: the cast is put on the stage, the
//! commands are run, and what was decided is shown, with the reason. Each can be played alone.

mod billing;
mod cases;
mod delivery;
mod leave;
mod no_shows;
mod registry;
mod sync;
mod tickets;
mod trouble;

use clap::ValueEnum;

use super::stage::Stage;
use crate::run::RunArgs;

/// The casts of the chapters but for the day of no-shows, whose visits are planned by `day.rs`.
pub const CASTS: [&str; 8] =
    [cases::CAST, tickets::CAST, billing::CAST, registry::CAST, sync::CAST, leave::CAST, delivery::CAST, trouble::CAST];

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Chapter {
    /// A day: who does not come, who waits too long
    NoShows,
    /// Complaints that are overdue
    Cases,
    /// Tickets that will be late, and the clinic's own rules
    Tickets,
    /// Surgical cases on their way to being paid
    Billing,
    /// The national provider registry
    Registry,
    /// Appointments of an IntakeQ/PracticeQ account
    Sync,
    /// Absences, changed hours, cancelled visits
    Leave,
    /// SMS and webhooks
    Delivery,
    /// What goes wrong, and that nothing is lost
    Trouble,
}

impl Chapter {
    /// In the order in which they are played.
    pub const ALL: [Self; 9] = [
        Self::NoShows,
        Self::Cases,
        Self::Tickets,
        Self::Billing,
        Self::Registry,
        Self::Sync,
        Self::Leave,
        Self::Delivery,
        Self::Trouble,
    ];

    pub async fn play(self, stage: &mut Stage<'_>, options: &RunArgs) -> anyhow::Result<()> {
        match self {
            Self::NoShows => no_shows::play(stage, options).await,
            Self::Cases => cases::play(stage).await,
            Self::Tickets => tickets::play(stage).await,
            Self::Billing => billing::play(stage).await,
            Self::Registry => registry::play(stage).await,
            Self::Sync => sync::play(stage).await,
            Self::Leave => leave::play(stage).await,
            Self::Delivery => delivery::play(stage).await,
            Self::Trouble => trouble::play(stage).await,
        }
    }
}
