//! From the relay into Redis. apalis puts every message among those scheduled for a whole second of the
//! pusher's clock; a script of ours moves it to those that can be taken now, so that clocks do not matter, and
//! rings the bell.

use apalis_core::task::{builder::TaskBuilder, task_id::TaskId};
use apalis_redis::{Error, queries::push_tasks};
use uuid::Uuid;

use crate::{lane::Lane, upkeep};

/// Messages a script call: Redis serves nobody else meanwhile.
const BATCH: usize = 200;

pub(crate) async fn push(lane: &Lane, dispatches: &[Uuid]) -> Result<(), Error> {
    let mut connection = lane.connection.clone();
    for batch in dispatches.chunks(BATCH) {
        let ids: Vec<String> = batch.iter().map(Uuid::to_string).collect();
        let tasks: Vec<_> = ids.iter().map(|id| message(id)).collect();
        push_tasks(&mut connection, &lane.config, &tasks).await?;
        let dropped = upkeep::release(lane, &ids).await?;
        if dropped > 0 {
            tracing::warn!(
                queue = lane.queue.as_str(),
                dropped,
                "dispatches wait in redis faster than workers take them, the oldest were dropped"
            );
        }
    }
    Ok(())
}

/// The id is the name and, as a JSON string, the content.
fn message(id: &str) -> apalis_redis::RedisTask {
    TaskBuilder::new(format!("\"{id}\"").into_bytes()).task_id(TaskId::from_string(id)).build()
}
