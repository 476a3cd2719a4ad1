//! `rounds mark-no-shows`: its rule at every boundary, and everything a job owes.

use crate::support::Clinic;

#[tokio::test]
async fn a_visit_is_untouched_until_its_threshold_and_marked_at_it() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    let visit = clinic.scheduled(facility, doctor, "2026-03-02", "09:00").await;
    for early in ["2026-03-02T09:00:00-05:00", "2026-03-02T09:10:00-05:00", "2026-03-02T09:14:59.999-05:00"] {
        let outcome = clinic.mark(early).await.expect(0);
        assert_eq!(outcome.count("scanned"), 0, "{early}");
        assert_eq!(clinic.status(visit).await, "SCHEDULED", "{early}");
    }
    let outcome = clinic.mark("2026-03-02T09:15:00-05:00").await.expect(0);
    assert_eq!((outcome.count("scanned"), outcome.count("marked")), (1, 1));
    assert_eq!(clinic.status(visit).await, "NO_SHOW");
}
