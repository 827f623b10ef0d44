//! Which workers live and how much they run at once.

use std::str::FromStr;

use colloquy_domain::{jobs::Queue, ports::jobs::WorkerNode};
use diesel::sql_types::{Array, BigInt, Jsonb, Text};
use diesel_async::RunQueryDsl;
use serde_json::{Map, Value};

use crate::{errors::Step, pool::Connection, statement::Prepare};

/// Workers that were seen within this count: a few heartbeats.
macro_rules! alive {
    () => {
        "seen_at > now() - interval '30 seconds'"
    };
}
pub(super) use alive;

pub(super) async fn beat(conn: &mut Connection, worker: &WorkerNode) -> Step<()> {
    let queues: Map<_, _> =
        worker.queues.iter().map(|(queue, slots)| (queue.as_str().to_owned(), Value::from(*slots))).collect();
    diesel::sql_query(
        "WITH forgotten AS (
            DELETE FROM workers WHERE name <> $1 AND seen_at < now() - interval '10 minutes'
        ), totals AS (
            INSERT INTO queue_totals AS t (queue, ended) SELECT * FROM unnest($3, $4)
            ON CONFLICT (queue) DO UPDATE SET ended = t.ended + excluded.ended
        )
        INSERT INTO workers (name, queues, seen_at) VALUES ($1, $2, now())
        ON CONFLICT (name) DO UPDATE SET queues = excluded.queues, seen_at = excluded.seen_at",
    )
    .bind::<Text, _>(&worker.name)
    .bind::<Jsonb, _>(Value::Object(queues))
    .bind::<Array<Text>, _>(worker.ended.iter().map(|(queue, _)| queue.as_str()).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(worker.ended.iter().map(|(_, jobs)| *jobs as i64).collect::<Vec<_>>())
    .prepared()
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn leave(conn: &mut Connection, worker: &str) -> Step<()> {
    diesel::sql_query("DELETE FROM workers WHERE name = $1")
        .bind::<Text, _>(worker)
        .prepared()
        .execute(conn)
        .await?;
    Ok(())
}

#[derive(diesel::QueryableByName)]
struct Slots {
    #[diesel(sql_type = Text)]
    queue: String,
    #[diesel(sql_type = BigInt)]
    slots: i64,
}

pub(super) async fn capacity(conn: &mut Connection) -> Step<Vec<(Queue, usize)>> {
    let rows: Vec<Slots> = diesel::sql_query(concat!(
        "SELECT queue, sum(slots::bigint)::bigint AS slots
        FROM workers CROSS JOIN LATERAL jsonb_each_text(queues) AS served (queue, slots) WHERE ",
        alive!(),
        " GROUP BY queue ORDER BY queue"
    ))
    .prepared()
    .load(conn)
    .await?;
    let known = |row: Slots| Some((Queue::from_str(&row.queue).ok()?, row.slots as usize));
    Ok(rows.into_iter().filter_map(known).collect())
}
