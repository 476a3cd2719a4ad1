//! An account that writes characters and numbers that are none: a row is repaired, or fails alone, and is asked for once.

use serde_json::json;

use super::crowd::discreet;
use super::words::{LATER, PAT, totals};
use crate::support::practiceq::{Fault, MARK, Sync, appointment};

/// Pat with three visits; this field of the second one has the bytes.
async fn with(field: &str, bytes: &'static [u8]) -> Sync {
    let sync = Sync::new().await;
    sync.patient_of(&PAT).await;
    for visit in ["a1", "a2", "a3"] {
        sync.upstream.put(appointment(visit, &PAT, LATER));
    }
    let mut row = sync.upstream.row("a2");
    row[field] = json!(format!("x{MARK}"));
    if field != "Id" {
        sync.upstream.put(row);
    }
    sync.upstream.write_for_mark(bytes);
    sync
}

#[tokio::test]
async fn a_name_is_repaired_and_stored() {
    let broken: [&'static [u8]; 6] = [b"\\ud83d", b"\\ude00\\ud83d", b"\xe9", b"\n", b"\\x41", b"\\u0000"];
    for bytes in broken {
        for field in ["ServiceName", "LocationName", "ClientName", "CustomFields", "ClientPhone"] {
            let sync = with(field, bytes).await;
            let outcome = sync.ends(0, &[]).await;
            assert_eq!(totals(&outcome), [3, 0, 0, 0], "{field} {bytes:?}: {outcome:?}");
            assert_eq!(outcome.count("requests"), sync.upstream.requests().len() as u64);
            assert_eq!(sync.pages().iter().filter(|page| **page == 1).count(), 2, "{field} {bytes:?}: each list once");
            let before = sync.written().await;
            sync.ends(0, &["--appointment", "a2"]).await;
            sync.sweep().await;
            assert_eq!(sync.written().await, before, "{field} {bytes:?}: it reads the same again");
        }
    }
}

#[tokio::test]
async fn a_row_whose_id_or_status_is_broken_fails_alone() {
    for field in ["ClientId", "PractitionerId", "Status"] {
        let sync = with(field, b"\\ud83d").await;
        let outcome = sync.ends(3, &[]).await;
        discreet(&outcome);
        assert_eq!((totals(&outcome), outcome.count("failed")), ([2, 0, 0, 1], 1), "{field}: {outcome:?}");
        assert_eq!(outcome.report()["errors"][0]["id"], "a2", "{field}: {outcome:?}");
        sync.ends(3, &["--incremental"]).await;
        assert_eq!(sync.visits().await.len(), 2, "{field}");
    }
}

#[tokio::test]
async fn a_number_that_is_none_or_a_row_that_is_no_json_stops_no_other() {
    // The quotes around the mark are a text with nothing behind it.
    let broken: [(&'static [u8], i32, u64); 3] =
        [(b"\", \"Price\": 1e999, \"x\": \"", 0, 3), (b"\", \"Price\": NaN, \"x\": \"", 0, 3), (b"\" 7 \"", 3, 2)];
    for (bytes, code, new) in broken {
        let sync = with("ServiceName", bytes).await;
        let outcome = sync.ends(code, &[]).await;
        assert_eq!(totals(&outcome)[0], new, "{bytes:?}: {outcome:?}");
        assert_eq!(sync.pages().iter().filter(|page| **page == 1).count(), 2, "{bytes:?}: each list once");
    }
}

#[tokio::test]
async fn what_is_as_broken_at_each_attempt_is_asked_for_once() {
    for body in ["[{\"Id\": \"a\"]", "{\"Id\" \"a\"}", "[1}]"] {
        let sync = with("Id", b"").await;
        sync.upstream.fault(&vec![Fault::Body(body); 9]);
        let outcome = sync.ends(1, &["--attempts", "5"]).await;
        assert_eq!(outcome.report()["error_code"], "PRACTICEQ_HTTP", "{body}: {outcome:?}");
        assert_eq!(sync.upstream.requests().len(), 1, "{body}");
    }
}
