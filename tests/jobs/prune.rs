//! `rounds prune`.
