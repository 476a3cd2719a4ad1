//! The run: the claim, what happens when something dies, and how it ends.

mod application;
mod by_hand;
mod claim;
mod endings;
mod faults;
mod fit;
mod metrics;
#[cfg(target_os = "linux")]
mod network;
mod panics;
mod phi;
mod settings;
mod streak;
mod takeover;
mod tls;
mod views;
