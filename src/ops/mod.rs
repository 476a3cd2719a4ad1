//! The operator commands. Each answers one question, or makes one change that a person has decided.

pub mod absences;
pub mod actors;
pub mod adopt;
pub mod alerts;
pub mod check;
pub mod completions;
pub mod config;
pub mod escalation_rules;
pub mod grants;
pub mod groups;
pub mod health;
pub mod help;
pub mod manual;
pub mod migrate;
mod names;
pub mod no_show;
pub mod notifications;
pub mod npi;
pub mod ours;
pub mod pauses;
mod places;
pub mod practiceq;
pub mod privileges;
pub mod report;
pub mod runs;
pub mod schedule;
pub mod statements;
pub mod version;
mod visits;

use crate::db;

db::statements! {
    of absences, actors, adopt, alerts, check, escalation_rules, grants, health, migrate, no_show, notifications, npi, ours, pauses, places, practiceq, report, runs, visits;
}
