//! The kits of `adopt/`: the jobs on the tables of applications that are not the reference set.

mod helpdesk;
