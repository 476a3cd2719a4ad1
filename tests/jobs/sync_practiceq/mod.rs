//! `rounds sync-practiceq`: what becomes of the account's appointments, whatever goes wrong, inside the account's limits.

mod characters;
mod clock;
mod contradictions;
mod crowd;
mod deletions;
mod ends;
mod faults;
mod killed;
mod lanes;
mod ledger;
mod linked_clients;
mod logs;
mod matching;
mod merged;
mod notices;
mod owed;
mod privacy;
mod properties;
mod rate_limit;
mod reports;
mod requests;
mod rules;
mod status;
mod unmatched;
mod words;
