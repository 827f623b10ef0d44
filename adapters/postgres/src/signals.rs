//! Waking those who wait: a bell a signal within the process, and one coalescing NOTIFY a process for all the
//! others. NOTIFY never runs in a writer's transaction, where it would make commits queue up.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use colloquy_domain::{
    Result,
    ports::jobs::{Signal, Signals},
};
use diesel::sql_types::{Array, Text};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection, pooled_connection::bb8::Pool};
use futures::{StreamExt, pin_mut};
use tokio::sync::{Notify, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::{
    Postgres, errors,
    pool::{self, Connection, Connector},
    statement::Prepare,
};

const CHANNEL: &str = "colloquy";
/// Between two NOTIFYs of a process.
const GATHER: Duration = Duration::from_millis(5);
/// Before a lost connection is made again.
const RECONNECT: Duration = Duration::from_millis(500);
const ALL: [Signal; 3] = [Signal::Jobs, Signal::Events, Signal::Numbered];

fn name(signal: Signal) -> &'static str {
    match signal {
        Signal::Jobs => "jobs",
        Signal::Events => "events",
        Signal::Numbered => "numbered",
    }
}

/// The process's bells. The tasks behind them end with the last of its clones.
pub(crate) struct Bells {
    hub: Arc<Hub>,
    connector: Arc<Connector>,
    stop: CancellationToken,
    listening: OnceLock<()>,
    _stop: DropGuard,
}

struct Hub {
    /// Marks our own notifications, which need not wake us again.
    process: Uuid,
    bells: [watch::Sender<u64>; 3],
    /// A bit a signal: others are still to be told.
    untold: AtomicU8,
    rung: Notify,
}

impl Bells {
    pub(crate) fn hang(process: Uuid, pool: Pool<Connection>, connector: Arc<Connector>) -> Arc<Self> {
        let hub = Arc::new(Hub {
            process,
            bells: ALL.map(|_| watch::Sender::new(0)),
            untold: AtomicU8::new(0),
            rung: Notify::new(),
        });
        let stop = CancellationToken::new();
        tokio::spawn(stop.clone().run_until_cancelled_owned(tell(hub.clone(), pool)));
        Arc::new(Self { hub, connector, _stop: stop.clone().drop_guard(), stop, listening: OnceLock::new() })
    }

    pub(crate) fn ring(&self, signal: Signal) {
        self.hub.wake(signal);
        self.hub.untold.fetch_or(1 << signal as u8, Ordering::AcqRel);
        self.hub.rung.notify_one();
    }

    fn subscribe(&self, signal: Signal) -> watch::Receiver<u64> {
        // Only who waits for something needs the connection.
        self.listening.get_or_init(|| {
            let listening = listen(self.hub.clone(), self.connector.clone());
            tokio::spawn(self.stop.clone().run_until_cancelled_owned(listening));
        });
        self.hub.bells[signal as usize].subscribe()
    }
}

impl Hub {
    fn wake(&self, signal: Signal) {
        self.bells[signal as usize].send_modify(|times| *times = times.wrapping_add(1));
    }
}

#[async_trait]
impl Signals for Postgres {
    fn raise(&self, signal: Signal) {
        self.bells.ring(signal);
    }

    fn subscribe(&self, signal: Signal) -> watch::Receiver<u64> {
        self.bells.subscribe(signal)
    }
}

/// Tells other processes what was rung here.
async fn tell(hub: Arc<Hub>, pool: Pool<Connection>) {
    loop {
        hub.rung.notified().await;
        let untold = hub.untold.swap(0, Ordering::AcqRel);
        let told = ALL.into_iter().filter(|signal| untold & (1 << *signal as u8) != 0);
        let payloads: Vec<_> = told.map(|signal| format!("{} {}", name(signal), hub.process)).collect();
        if !payloads.is_empty()
            && let Err(error) = notify(&pool, payloads).await
        {
            // Polling makes up for it.
            tracing::debug!(error = error.chain(), "could not notify other processes");
        }
        tokio::time::sleep(GATHER).await;
    }
}

async fn notify(pool: &Pool<Connection>, payloads: Vec<String>) -> Result<()> {
    let mut conn = pool::get(pool).await?;
    diesel::sql_query("SELECT pg_notify($1, payload) FROM unnest($2) AS payload")
        .bind::<Text, _>(CHANNEL)
        .bind::<Array<Text>, _>(payloads)
        .prepared()
        .execute(&mut conn)
        .await
        .map_err(|error| errors::database("notify other processes", error))?;
    Ok(())
}

/// Wakes those who wait here for what others tell.
async fn listen(hub: Arc<Hub>, connector: Arc<Connector>) {
    loop {
        if let Err(error) = listen_once(&hub, &connector).await {
            tracing::debug!(error = error.chain(), "could not listen for signals");
        }
        tokio::time::sleep(RECONNECT).await;
    }
}

async fn listen_once(hub: &Hub, connector: &Connector) -> Result<()> {
    let mut conn = connector.connect().await?;
    let listening = conn.batch_execute(&format!("LISTEN {CHANNEL}")).await;
    listening.map_err(|error| errors::database("listen for signals", error))?;
    // Whatever was told while nobody listened.
    ALL.into_iter().for_each(|signal| hub.wake(signal));
    let notifications = conn.notifications_stream();
    pin_mut!(notifications);
    while let Some(notification) = notifications.next().await {
        let told = notification.map_err(|error| errors::database("listen for signals", error))?;
        let Some((what, from)) = told.payload.split_once(' ') else {
            continue;
        };
        if from.parse() != Ok(hub.process)
            && let Some(signal) = ALL.into_iter().find(|signal| name(*signal) == what)
        {
            hub.wake(signal);
        }
    }
    Ok(())
}
