//! The settings that files give: the user's `~/.config/rounds/config.toml` and the machine's `/etc/rounds/config.toml`,
//! or the one file of `--config`.
//!
//! Rule: a key is the long name of an option that has an environment variable. At the top of a file it is for every
//! command that has the option, in a table with a command's name for that command, which counts before the top. The
//! user's file counts before the machine's. A value becomes the default of the option, so that clap itself puts the
//! command line and the environment before it (docs/adr/0026-the-configuration-file.md).

mod check;
mod read;
mod settings;
mod shown;

use std::path::PathBuf;

use clap::Args;

pub use check::check;
pub use read::read;
pub use settings::{Settings, excluded, install, matches};
pub use shown::{Shown, Source, shown};

/// Which files give settings.
#[derive(Args)]
pub struct ConfigArgs {
    /// The one file of settings that is read, or none [default: ~/.config/rounds/config.toml and
    /// /etc/rounds/config.toml, where they are]
    #[arg(long, global = true, env = "ROUNDS_CONFIG", value_name = "PATH", help_heading = "Settings")]
    pub config: Option<PathBuf>,
}
