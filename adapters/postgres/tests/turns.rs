//! Whose job is next where much waits: by priority, fairly, and without reading what is not picked.

use std::collections::HashMap;

use colloquy_domain::{jobs::Queue, ports::jobs::Ledger};

use crate::support::{
    Database,
    fixtures::{FREE, LEASE, SCOPE, dispatch, plan},
};

/// Jobs of so many lanes that are due, numbered from 1, so many each.
fn waiting(lanes: u32, each: u32, priority: i16) -> String {
    format!(
        "INSERT INTO jobs (id, organization_id, queue, kind, payload, max_attempts, priority)
        SELECT gen_random_uuid(), md5('{priority} ' || lane)::uuid, 'default', 'probe', '{{}}', 5, {priority}
        FROM generate_series(1, {lanes}) AS lane, generate_series(1, {each})"
    )
}

/// How many are on their way, by priority and lane.
async fn on_their_way(db: &Database) -> HashMap<i16, Vec<i64>> {
    let sql = "SELECT j.priority, count(*) FROM dispatches d CROSS JOIN LATERAL unnest(d.job_ids) AS s (id)
        JOIN jobs j ON j.id = s.id GROUP BY j.priority, j.lane ORDER BY count(*)";
    let mut found: HashMap<i16, Vec<i64>> = HashMap::new();
    for row in db.sql.query(sql, &[]).await.unwrap() {
        found.entry(row.get(0)).or_default().push(row.get(1));
    }
    found
}

#[tokio::test]
async fn what_is_not_picked_is_not_read() {
    let Some(db) = Database::new().await else { return };
    db.execute(&format!("{}; {}; ANALYZE jobs", waiting(100, 300, 0), waiting(1, 1000, 5))).await;
    let read = async || {
        db.execute("SELECT pg_sleep(1.1)").await;
        db.number("SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'jobs_ready'").await
    };
    let before = read().await;
    let picked: usize = dispatch(&db.store, Queue::Default, 200, 100).await.iter().map(|one| one.jobs).sum();
    assert_eq!(picked, 200);
    assert_eq!(
        on_their_way(&db).await,
        HashMap::from([(5, vec![200])]),
        "the higher priority fills the window"
    );
    let above = read().await - before;
    assert!(above < 1_500, "{above} entries were read for 200 jobs");

    db.execute("TRUNCATE dispatches; DELETE FROM jobs WHERE priority = 5").await;
    let before = read().await;
    dispatch(&db.store, Queue::Default, 200, 100).await;
    assert_eq!(
        on_their_way(&db).await,
        HashMap::from([(0, vec![2; 100])]),
        "each of a hundred gets the same"
    );
    let fair = read().await - before;
    assert!(fair < 3_000, "{fair} entries were read for 200 jobs");
}

#[tokio::test]
async fn a_priority_that_does_not_fill_the_window_leaves_the_rest_to_the_next() {
    let Some(db) = Database::new().await else { return };
    db.execute(&format!("{}; {}; {}", waiting(1, 3, 7), waiting(2, 5, 1), waiting(4, 50, -2))).await;
    dispatch(&db.store, Queue::Default, 40, 100).await;
    let found = on_their_way(&db).await;
    assert_eq!((&found[&7], &found[&1]), (&vec![3], &vec![5, 5]));
    assert_eq!(found[&-2].iter().sum::<i64>(), 27);
    assert!(found[&-2].iter().all(|jobs| (6..=7).contains(jobs)), "{found:?}");
}

#[tokio::test]
async fn a_lane_takes_what_others_leave_of_the_window() {
    let Some(db) = Database::new().await else { return };
    db.execute(&format!("{}; {}", waiting(20, 1, 0), waiting(1, 500, 0).replace("'0 '", "'more '"))).await;
    let passed = db.store.dispatch(SCOPE, &[plan(Queue::Default, 300, 100)], LEASE, &FREE).await.unwrap();
    assert!(passed.is_full, "more waits");
    assert_eq!(on_their_way(&db).await[&0].last(), Some(&280));
    assert_eq!(on_their_way(&db).await[&0].iter().sum::<i64>(), 300);
}
