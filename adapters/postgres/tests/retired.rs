//! Kinds of jobs that nothing does any more. There is none yet, so a list is given.

use colloquy_domain::{jobs::Queue, ports::jobs::Ledger};

use crate::support::{
    Database,
    fixtures::{SCOPE, claim, done, organization, probe},
};

#[tokio::test]
async fn jobs_of_a_retired_kind_end_with_a_reason_instead_of_waiting_for_ever() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let jobs: Vec<_> = (0..5).map(|_| probe(Some(org.tenant))).collect();
    db.store.enqueue(SCOPE, jobs.clone()).await.unwrap();
    let of_old = |range: std::ops::Range<usize>, state: &str| {
        let ids: Vec<_> = jobs[range].iter().map(|job| format!("'{}'", job.id)).collect();
        format!("UPDATE jobs SET kind = 'of_old', {state} WHERE id IN ({})", ids.join(", "))
    };
    let count = async |state: &str| {
        db.number(&format!("SELECT count(*) FROM jobs WHERE kind = 'of_old' AND state = '{state}'")).await
    };
    db.execute(&of_old(0..2, "state = 'READY'")).await;
    db.execute(&of_old(2..3, "state = 'WAITING', waits_for = 1")).await;
    let running = "state = 'RUNNING', claim_token = gen_random_uuid(), worker = 'w', deadline = now() + interval '1 hour'";
    db.execute(&of_old(3..4, running)).await;

    // As long as it is only unknown, it is left to a release that knows it.
    db.store.reconcile(SCOPE).await.unwrap();
    let claimed = claim(&db.store, Queue::Default, 10).await;
    assert_eq!(claimed.iter().map(|job| job.claim.job_id).collect::<Vec<_>>(), [jobs[4].id]);
    assert_eq!((count("READY").await, count("WAITING").await), (2, 1));

    // One that an older worker still runs is let be until it comes back.
    assert_eq!(db.store.retire(&["of_old", "older"]).await.unwrap(), 3);
    assert_eq!((count("CANCELLED").await, count("RUNNING").await), (3, 1));
    assert_eq!(db.store.retire(&["of_old"]).await.unwrap(), 0);
    db.execute(
        "UPDATE jobs SET deadline = now() - interval '1 second' WHERE kind = 'of_old' AND state = 'RUNNING'",
    )
    .await;
    db.store.reconcile(SCOPE).await.unwrap();
    assert_eq!(db.store.retire(&["of_old"]).await.unwrap(), 1);
    assert_eq!(count("CANCELLED").await, 4);
    let told = "SELECT count(*) FROM jobs WHERE kind = 'of_old' AND finished_at IS NOT NULL
        AND errors->-1->>'message' = 'this kind of job was retired: nothing runs it any more'";
    assert_eq!(db.number(told).await, 4);
    let events = "SELECT count(*) FROM events WHERE kind = 'JOB_CHANGED' AND detail->>'kind' = 'of_old' AND detail->>'state' = 'CANCELLED'";
    assert_eq!(db.number(events).await, 4, "whoever watches hears of it");
    assert_eq!(db.store.complete(SCOPE, vec![done(&claimed[0])]).await.unwrap(), [true], "others go on");
}
