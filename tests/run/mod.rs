//! The run: the claim, what happens when something dies, and how it ends.

mod application;
mod arguments;
mod awkward;
mod by_hand;
mod claim;
mod clock;
mod encoding;
mod endings;
mod evidence;
mod faults;
mod fit;
mod flood;
mod left_open;
mod logging;
mod long_texts;
mod matrix;
mod metrics;
#[cfg(target_os = "linux")]
mod network;
mod otlp;
mod panics;
mod phi;
mod ping;
mod reach;
mod refusals;
mod restored;
mod settings;
mod streak;
mod systemd;
mod takeover;
mod textfile;
mod tls;
mod views;
mod zones;
