//! A server with a template of a clinic for each job, and copies of them.

use std::time::Duration;

use tokio::process::Child;
use tokio_postgres::Client;

use super::form::Form;
use super::work::{WORKS, Work};
use crate::support::program::Outcome;
use crate::support::scratch::Scratch;
use crate::support::{Program, connect, server};

/// How many things a clinic has for its job to do. The short form has few, so that a clinic comes to its end.
pub fn things(form: &Form) -> i64 {
    if form.is_short() { 120 } else { 600 }
}

/// A server, and the templates on it.
#[derive(Clone, Copy)]
pub struct Site {
    pub server: &'static Scratch,
}

impl Site {
    /// The server of all proofs but one. The templates are made the first time.
    pub async fn shared(form: &Form) -> Self {
        static MADE: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
        let site = Self { server: server() };
        MADE.get_or_init(|| site.make_templates(&WORKS, things(form), "")).await;
        site
    }

    /// Makes the templates of jobs, each with so many things to do; `more` is SQL for each of them.
    pub async fn make_templates(self, works: &[&Work], things: i64, more: &str) {
        let admin = self.admin().await;
        admin.batch_execute("CREATE DATABASE clinic").await.expect("a new server has no such database");
        let url = self.server.url("clinic");
        Program::new(&url).run(&["migrate", "--with-clinic-tables"]).await.expect(0);
        let forget = "DELETE FROM rounds.database_identity";
        connect(&url).await.batch_execute(forget).await.expect("its copies are no restored backups");
        copy("clinic", "template_people", &admin).await;
        let people = connect(&self.server.url("template_people")).await;
        people.batch_execute(COMMON).await.expect("people");
        drop(people);
        for work in works {
            copy("template_people", &work.template(), &admin).await;
            let client = connect(&self.server.url(&work.template())).await;
            let more = more.replace("{record}", work.record.table);
            let fill = format!("{}; ANALYZE; {more}", (work.fill)(things));
            client.batch_execute(&fill).await.unwrap_or_else(|error| panic!("{}: {error:?}", work.name));
        }
    }

    pub async fn admin(self) -> Client {
        connect(&self.server.url("postgres")).await
    }

    /// A clinic with everything that is due for a job.
    pub async fn clinic(self, work: &'static Work) -> Clinic {
        self.clinic_of(&work.template()).await
    }

    pub async fn clinic_of(self, template: &str) -> Clinic {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let name = format!("proof_{}", NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        copy(template, &name, &self.admin().await).await;
        let url = self.server.url(&name);
        // The brake is not the subject: it would stop the billing of a clinic without a history.
        let program = Program::new(&url).env("ROUNDS_MAX_ITEMS", "100000");
        Clinic { client: connect(&url).await, program, name, site: self }
    }
}

/// A copy of the files needs less of the processor than a copy through the log.
async fn copy(template: &str, name: &str, admin: &Client) {
    let create = format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy");
    admin.batch_execute(&create).await.unwrap_or_else(|error| panic!("{create}: {error:?}"));
}

/// The people and places of every clinic.
const COMMON: &str = "
    INSERT INTO facilities (name, time_zone) VALUES ('F', 'America/New_York');
    INSERT INTO users (facility_id, name, role, email) VALUES
        (1, 'doctor', 'DOCTOR', NULL), (1, 'nurse', 'NURSE', NULL), (1, 'leader', 'AGENT', 'a@example.org'),
        (1, 'follower', 'AGENT', 'b@example.org');
    INSERT INTO doctors (facility_id, user_id, first_name, last_name, slot_duration_minutes)
        VALUES (1, 1, 'Ada', 'Stone', 15);
    INSERT INTO patients (mrn, first_name, last_name, phone) VALUES ('M1', 'Pat', 'Doe', '+1555');
    INSERT INTO departments (facility_id, name) VALUES (1, 'D');
    INSERT INTO teams (name) VALUES ('T');
    INSERT INTO team_members VALUES (1, 3, true), (1, 4, false)";

/// A database of one unit, and a connection that looks at it.
pub struct Clinic {
    pub name: String,
    pub client: Client,
    pub program: Program,
    pub site: Site,
}

impl Clinic {
    /// Runs a job to its end.
    pub async fn run(&self, work: &Work, more: &[&str]) -> Outcome {
        self.program.run(&[work.args, more].concat()).await
    }

    /// Makes the leases of all runs at work be over. Returns how many runs that were.
    pub async fn expire_leases(&self) -> u64 {
        let late = "UPDATE cron_job_runs SET heartbeat_at = heartbeat_at - interval '1 hour' WHERE status = 'RUNNING'";
        self.client.execute(late, &[]).await.expect("can be set")
    }

    /// Waits until a run has its lane, or has ended.
    pub async fn claimed(&self, run: &mut Child) {
        let claims = "SELECT count(*) FROM cron_job_runs WHERE status = 'RUNNING'";
        while self.count(claims).await == 0 && run.try_wait().is_ok_and(|ended| ended.is_none()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// The number that a query gives.
    pub async fn count(&self, query: &str) -> i64 {
        let row = self.client.query_one(query, &[]).await;
        row.unwrap_or_else(|error| panic!("{query}: {error:?}")).get(0)
    }

    /// Connects anew, after a crash.
    pub async fn reconnect(&mut self) {
        self.client = connect(&self.site.server.url(&self.name)).await;
    }

    /// Drops the database.
    pub async fn end(self) {
        drop(self.client);
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        self.site.admin().await.batch_execute(&drop).await.expect("can be dropped");
    }
}
