//! A refresh by hand finds the visits of a client whom the account calls otherwise than the clinic does, or says that it
//! could not look for them.

use serde_json::{Value, json};

use super::words::{LATER, PAT, totals};
use crate::support::practiceq::{Client, Fault, Sync, appointment};

const NICK: Client = Client { id: 2222, name: "Nick Name", email: "nick@other.example", date_of_birth: "" };

impl Sync {
    async fn link_to(&self, visit: &str, patient: i64) {
        let id = self.one(&format!("SELECT id FROM practiceq_unmatched WHERE external_id = '{visit}'")).await;
        let (id, patient, admin) = (id.to_string(), patient.to_string(), self.admin.to_string());
        self.clinic
            .run(&["practiceq", "unmatched", "link", &id, "--patient", &patient, "--actor", &admin])
            .await
            .expect(0);
        self.upstream.clear_requests();
    }

    /// The terms that the account was searched for.
    fn searched(&self) -> Vec<String> {
        let mut terms: Vec<String> = vec![];
        for request in self.upstream.requests() {
            terms.extend(request.query.get("client").cloned().filter(|term| !terms.contains(term)));
        }
        terms
    }
}

/// Pat, to whom a person linked Nick's visit n1.
async fn linked() -> (Sync, i64) {
    let sync = Sync::new().await;
    let pat = sync.patient_of(&PAT).await;
    sync.upstream.put(appointment("n1", &NICK, LATER));
    sync.sweep().await;
    sync.link_to("n1", pat).await;
    (sync, pat)
}

#[tokio::test]
async fn a_new_visit_of_a_linked_client_is_found_by_what_the_account_calls_the_client() {
    let (sync, pat) = linked().await;
    sync.upstream.put(appointment("n2", &NICK, LATER));
    sync.upstream.put(appointment("a1", &PAT, LATER));
    for lane in [["--patient", &pat.to_string()], ["--organization", &sync.organization.to_string()]] {
        sync.upstream.clear_requests();
        sync.ends(0, &lane).await;
        assert_eq!(sync.whose().await, json!({"n1": pat, "n2": pat, "a1": pat}), "{lane:?}");
        assert_eq!(
            (sync.searched(), sync.asked_by_id("n1") + sync.asked_by_id("n2")),
            (vec![PAT.email.into(), NICK.email.into()], 1)
        );
    }
    let named = "SELECT count(*) FROM api_requests WHERE purpose ILIKE '%nick%'";
    assert_eq!(sync.clinic.count(named).await, 0);
}

#[tokio::test]
async fn a_client_whose_address_has_changed_is_found_under_the_new_one() {
    let sync = Sync::new().await;
    let pat = sync.patient_of(&PAT).await;
    sync.upstream.put(appointment("a1", &PAT, LATER));
    sync.sweep().await;
    sync.upstream.clear_requests();
    sync.ends(0, &["--patient", &pat.to_string()]).await;
    assert_eq!((sync.searched(), sync.asked_by_id("a1")), (vec![PAT.email.to_owned()], 0), "one address, one search");
    let moved = Client { email: "pat@new.example", ..PAT };
    sync.upstream.put(appointment("a1", &moved, LATER));
    sync.sweep().await;
    sync.upstream.put(appointment("a2", &moved, LATER));
    sync.ends(0, &["--patient", &pat.to_string()]).await;
    assert_eq!(sync.whose().await, json!({"a1": pat, "a2": pat}));
}

#[tokio::test]
async fn a_patient_without_an_address_is_searched_for_by_the_clients() {
    let sync = Sync::new().await;
    let al = sync.patient("Al", "Fox", None, None).await;
    sync.upstream.put(appointment("n1", &NICK, LATER));
    // Nothing can be synced yet.
    sync.ends(1, &[]).await;
    sync.link_to("n1", al).await;
    sync.upstream.put(appointment("n2", &NICK, LATER));
    sync.ends(0, &["--patient", &al.to_string()]).await;
    assert_eq!(sync.searched(), ["Al Fox", NICK.email]);
    assert_eq!(sync.whose().await, json!({"n1": al, "n2": al}));
}

#[tokio::test]
async fn a_client_of_whom_no_visit_is_left_cannot_be_searched_for_and_that_is_said() {
    let (sync, pat) = linked().await;
    sync.upstream.put(appointment("a1", &PAT, LATER));
    sync.upstream.vanish("n1");
    sync.upstream.put(appointment("n2", &NICK, LATER));
    let fresh = "SELECT jsonb_agg(fresh_since) FROM practiceq_freshness";
    let before = sync.one(fresh).await;
    for _ in 0..2 {
        let outcome = sync.ends(3, &["--patient", &pat.to_string()]).await;
        let report = outcome.report();
        assert_eq!(report["errors"], json!([{"entity": "client", "id": "2222", "code": "CLIENT_UNKNOWN"}]));
        let counts = ["patients_processed", "patients_failed", "failed"].map(|key| outcome.count(key));
        assert_eq!(counts, [1, 1, 1], "{report}");
        assert_eq!(sync.whose().await, json!({"a1": pat}), "what could be found was");
    }
    assert_eq!(sync.one(fresh).await, before, "not everything was read");
    // The sweep finds it, and from then on it can be searched for.
    sync.sweep().await;
    sync.upstream.put(appointment("n3", &NICK, LATER));
    sync.ends(0, &["--patient", &pat.to_string()]).await;
    assert_eq!(sync.whose().await, json!({"a1": pat, "n2": pat, "n3": pat}));
}

#[tokio::test]
async fn a_search_that_is_not_answered_fails_its_patient_once() {
    let (sync, pat) = linked().await;
    sync.upstream.put(appointment("a1", &PAT, LATER));
    let mut faults = vec![Fault::None; 3];
    faults.extend(vec![Fault::Status(400); 9]);
    sync.upstream.fault(&faults);
    let outcome = sync.run(&["--patient", &pat.to_string()]).await;
    assert!([1, 3].contains(&outcome.code), "{outcome:?}");
    assert_eq!((outcome.count("patients_failed"), totals(&outcome)[0]), (1, 1), "{outcome:?}");
    let failed = "SELECT metadata->'errors' FROM sync_logs ORDER BY id DESC LIMIT 1";
    let failed: Value = sync.clinic.row(failed, &[]).await.get(0);
    assert_eq!(failed.as_array().map(Vec::len), Some(1), "{failed}");
}
