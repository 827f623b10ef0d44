//! Hears the wake-ups of all queues over one connection and rings the bells. Losing it costs latency only.

use std::{sync::Arc, time::Duration};

use colloquy_domain::jobs::Queue;
use futures::StreamExt;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::{bell::Bells, lane::channel};

/// A connection that was silent for so long is made anew: it may be dead without knowing.
const SILENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(500);

pub(crate) async fn run(client: redis::Client, prefix: String, bells: Arc<Bells>, stop: CancellationToken) {
    let channels = Queue::ALL.map(|queue| (channel(&prefix, queue), queue));
    let listening = async {
        loop {
            if let Err(error) = listen(&client, &channels, &bells).await {
                tracing::debug!(error = %error, "the wake-up connection to redis broke");
                sleep(PAUSE).await;
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = listening => {}
    }
}

/// Until the connection ends or falls silent.
async fn listen(
    client: &redis::Client,
    channels: &[(String, Queue)],
    bells: &Bells,
) -> Result<(), redis::RedisError> {
    let mut subscription = client.get_async_pubsub().await?;
    for (channel, _) in channels {
        subscription.subscribe(channel).await?;
    }
    // What was pushed while nobody listened.
    bells.ring(None);
    let mut messages = subscription.into_on_message();
    while let Ok(heard) = timeout(SILENCE, messages.next()).await {
        let Some(message) = heard else {
            return Err(redis::RedisError::from((redis::ErrorKind::Io, "the subscription ended")));
        };
        let queue = channels.iter().find(|(channel, _)| channel == message.get_channel_name());
        bells.ring(queue.map(|(_, queue)| *queue));
    }
    Ok(())
}
