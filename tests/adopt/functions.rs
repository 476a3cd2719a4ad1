//! What the functions of each kit that have their owner's rights may not do, whatever they are for.

use super::helpdesk::helpdesk;
use super::hospital::Hospital;
use super::scheduler::tables::Side;

/// The functions with their owner's rights in the schema of the kit, for which a condition is true, of each kit. Those of
/// `rounds migrate` there, which the first load of the registry calls, have a test of their own.
async fn of_each_kit(condition: &str) -> [Vec<String>; 3] {
    let hospital = Hospital::new().await.clinic;
    let (helpdesk, scheduler) = (helpdesk().await, Side::kit().await.sync.clinic);
    let query = format!(
        "SELECT coalesce(array_agg(p.proname::text ORDER BY 1), '{{}}') FROM pg_proc p
         WHERE p.pronamespace = 'rounds'::regnamespace AND p.prosecdef AND ({condition})
           AND p.proname NOT IN ('npi_indexes_off', 'npi_indexes_on')"
    );
    let mut found = [vec![], vec![], vec![]];
    for (functions, clinic) in found.iter_mut().zip([hospital, helpdesk, scheduler]) {
        *functions = clinic.row(&query, &[]).await.get(0);
    }
    found
}

/// Whoever may execute one may put it on a table of his own, and has its rights then.
#[tokio::test]
async fn nobody_but_their_owner_may_execute_them() {
    assert_eq!(of_each_kit("true").await.map(|all| all.len()), [7, 2, 5]);
    let public = of_each_kit("has_function_privilege('public', p.oid, 'EXECUTE')").await;
    assert_eq!(public, [[""; 0]; 3]);
}

/// Who waits longer than deadlock_timeout, 1 s, may end a transaction of the application.
#[tokio::test]
async fn they_wait_less_than_a_deadlock_takes_to_be_found() {
    let patient = of_each_kit("('lock_timeout=100ms' = ANY (p.proconfig)) IS NOT TRUE").await;
    assert_eq!(patient, [[""; 0]; 3]);
}
