//! The kits of `adopt/`, each on the tables of the application that it is for.

mod functions;
mod helpdesk;
mod hospital;
mod scheduler;
mod support;
mod walk;
