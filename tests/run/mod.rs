//! The run: the claim, what happens when something dies, and how it ends.

mod claim;
mod endings;
mod faults;
mod network;
mod phi;
mod takeover;
mod tls;
