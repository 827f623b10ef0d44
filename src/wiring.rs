//! Adapters into ports: the only place that names them.

mod breaker;
mod edge;
mod joined;
mod meaning;
mod on_server;
mod search;
mod system;
mod words;

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use axum::Router;
use colloquy_api::{Door, HttpSettings, Lifecycle};
use colloquy_domain::{
    accounts::Credentials,
    events::feed::Feed,
    jobs::Queue,
    ports::{Ports, SearchPorts, jobs::Dispatcher},
    time::IdGen,
};
use colloquy_mail::LogMailer;
use colloquy_objects::LocalObjects;
use colloquy_postgres::Postgres;
use colloquy_redis::{RedisDispatcher, RedisRankings, RedisSettings};
use colloquy_worker::{Steward, Watch, Worker, process_name};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

pub(crate) use joined::Shared;
pub(crate) use meaning::Meaning;
pub(crate) use search::{Engines, embedder, index_folder};
pub(crate) use system::{SystemClock, SystemIds, random_bytes};
pub(crate) use words::Words;

use crate::{
    config::{Config, EmbeddingChoice, SecretSettings},
    services::{known_addresses, write_private},
    telemetry,
};

/// How long work under way may take to end once the process is to.
pub(crate) const GRACE: Duration = Duration::from_secs(20);

/// Queues that only the owner of the search engines serves.
const ENGINE_QUEUES: [Queue; 2] = [Queue::Index, Queue::Embed];

/// What every role has: ports over one database, and dispatch over one Redis.
pub(crate) struct Core {
    pub ports: Ports,
    pub postgres: Postgres,
    pub dispatcher: Arc<dyn Dispatcher>,
    pub worker_name: String,
}

/// Makes the ports. Nothing is asked of the database yet: its schema may still be behind.
pub(crate) async fn core(
    config: &Config,
    postgres: Postgres,
    redis: &RedisSettings,
    key: &[u8],
) -> Result<Core> {
    let ids: Arc<dyn IdGen> = Arc::new(SystemIds);
    let worker_name = process_name(ids.next());
    let dispatcher = Arc::new(RedisDispatcher::new(redis, worker_name.clone())?);
    let data = &config.data.dir;
    let ports = Ports {
        clock: Arc::new(SystemClock),
        ids,
        credentials: Arc::new(Credentials::new(key)?),
        account_rules: config.auth.clone(),
        import_rules: config.import.clone(),
        analysis_rules: config.analysis.clone(),
        job_rules: config.jobs.clone(),
        accounts: Arc::new(postgres.clone()),
        conversations: Arc::new(postgres.clone()),
        revisions: Arc::new(postgres.clone()),
        passages: Arc::new(postgres.clone()),
        people: Arc::new(postgres.clone()),
        erasures: Arc::new(postgres.clone()),
        analyses: Arc::new(postgres.clone()),
        batches: Arc::new(postgres.clone()),
        archives: Arc::new(postgres.clone()),
        schedules: Arc::new(postgres.clone()),
        saved_searches: Arc::new(postgres.clone()),
        generations: Arc::new(postgres.clone()),
        suggestions: Arc::new(postgres.clone()),
        synonyms: Arc::new(postgres.clone()),
        events: Arc::new(postgres.clone()),
        audit: Arc::new(postgres.clone()),
        ledger: Arc::new(postgres.clone()),
        signals: Arc::new(postgres.clone()),
        objects: Arc::new(LocalObjects::open(data.join("objects"))?),
        mailer: Arc::new(LogMailer { folder: Some(data.join("mail")) }),
        search: SearchPorts::default(),
        search_rules: config.search.clone(),
        rankings: Arc::new(RedisRankings::new(redis)?),
        trace: Arc::new(telemetry::OpenTelemetry),
    };
    Ok(Core { ports, postgres, dispatcher, worker_name })
}

/// Long-running parts of a process, and how they end: together, each within its grace.
pub(crate) struct Parts {
    stop: CancellationToken,
    lifecycle: Lifecycle,
    tasks: JoinSet<()>,
}

impl Default for Parts {
    fn default() -> Self {
        let stop = CancellationToken::new();
        Self { lifecycle: Lifecycle::new(stop.clone()), stop, tasks: JoinSet::new() }
    }
}

impl Parts {
    pub(crate) fn steward(&mut self, core: &Core, config: &Config) {
        let leaders = Arc::new(core.postgres.clone());
        let steward = Steward::new(
            core.ports.clone(),
            leaders,
            core.dispatcher.clone(),
            config.steward.clone(),
            config.limits.clone(),
        );
        self.tasks.spawn(steward.run(self.stop.clone()));
    }

    /// What it gives tells which handlers run.
    pub(crate) fn worker(&mut self, core: &Core, config: &Config, queues: &[Queue]) -> Watch {
        let worker = Worker::new(
            &core.ports,
            core.dispatcher.clone(),
            config.worker.clone(),
            config.limits.clone(),
            queues,
            core.worker_name.clone(),
        );
        let watch = worker.watch();
        self.tasks.spawn(worker.run(self.stop.clone(), config.worker.grace()));
        watch
    }

    /// All ends when `this` does, as if a part had broken.
    pub(crate) fn end_after(&mut self, this: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            stop.run_until_cancelled(this).await;
        });
    }

    /// Serves the API on the listener.
    pub(crate) async fn api(&mut self, core: &Core, config: &Config, listener: TcpListener) -> Result<()> {
        let router = self.router(core, config).await?;
        self.serve(listener, router);
        Ok(())
    }

    /// Serves health and metrics on the listener at once, and more once the door is opened.
    pub(crate) fn door(&mut self, core: &Core, listener: TcpListener) -> Result<Door> {
        let door = Door::default();
        let router = door.router(self.edge(core)?);
        self.serve(listener, router);
        Ok(door)
    }

    pub(crate) async fn open_api(&mut self, door: &Door, core: &Core, config: &Config) -> Result<()> {
        door.open(self.router(core, config).await?);
        Ok(())
    }

    /// For a process that serves nothing but health and metrics.
    pub(crate) fn open_health(&mut self, door: &Door, core: &Core) -> Result<()> {
        door.open(colloquy_api::health_router(self.edge(core)?));
        Ok(())
    }

    async fn router(&self, core: &Core, config: &Config) -> Result<Router> {
        let feed = Feed::start(&core.ports, self.stop.clone()).await?;
        let schema = colloquy_schema::build(core.ports.clone(), feed, &config.http.limits);
        Ok(colloquy_api::router(schema, self.edge(core)?, config.http.clone()))
    }

    fn edge(&self, core: &Core) -> Result<colloquy_api::Parts> {
        let metrics = telemetry::metrics().context("telemetry has not started")?;
        Ok(colloquy_api::Parts {
            edge: Arc::new(edge::Product::new(core, metrics)),
            clock: core.ports.clock.clone(),
            ids: core.ports.ids.clone(),
            trace: core.ports.trace.clone(),
            lifecycle: self.lifecycle.clone(),
        })
    }

    fn serve(&mut self, listener: TcpListener, router: Router) {
        let serving = colloquy_api::serve(listener, router, self.lifecycle.clone(), GRACE);
        self.tasks.spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(%error, "HTTP is not served any more");
            }
        });
    }

    /// Ends everything and waits for it.
    pub(crate) async fn end(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a part of the process panicked");
            }
        }
    }

    /// Returns when a part ends that should not have.
    pub(crate) async fn broken(&mut self) {
        if self.tasks.join_next().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

pub(crate) async fn listen(config: &Config) -> Result<TcpListener> {
    let bind = config.http.bind;
    let bound = TcpListener::bind(bind).await;
    if bind == HttpSettings::default().bind
        && bound.as_ref().is_err_and(|error| error.kind() == ErrorKind::AddrInUse)
    {
        // Two copies in two folders run side by side without settings.
        tracing::info!(port = bind.port(), "the usual port is taken, another one is used");
        return Ok(TcpListener::bind((bind.ip(), 0)).await?);
    }
    bound.with_context(|| {
        format!("could not listen on {bind}; set http.bind (or --bind) to a free address, port 0 takes any")
    })
}

/// The database of the settings, or the one of a standalone that runs on the same data folder.
pub(crate) async fn database(config: &Config) -> Result<Postgres> {
    let mut settings = config.database.clone();
    if settings.url.is_none() {
        settings.url = known_addresses(&config.data.dir).and_then(|known| known.database_url);
    }
    if settings.url.is_none() {
        bail!(
            "database.url is not set, and no standalone runs on {}; set COLLOQUY_DATABASE_URL",
            config.data.dir.display()
        );
    }
    Ok(Postgres::connect(&settings).await?)
}

/// As [`database`].
pub(crate) fn redis(config: &Config) -> Result<RedisSettings> {
    let mut settings = config.redis.clone();
    if settings.url.is_none() {
        settings.url = known_addresses(&config.data.dir).and_then(|known| known.redis_url);
    }
    if settings.url.is_none() {
        bail!(
            "redis.url is not set, and no standalone runs on {}; set COLLOQUY_REDIS_URL",
            config.data.dir.display()
        );
    }
    Ok(settings)
}

/// The key that signs tokens, from the settings.
pub(crate) fn signing_key(secrets: &SecretSettings) -> Result<Option<Vec<u8>>> {
    match (&secrets.signing_key_file, &secrets.signing_key) {
        (Some(_), Some(_)) => bail!("give secrets.signing_key_file or secrets.signing_key, not both"),
        (Some(file), None) => {
            let key = std::fs::read(file)
                .with_context(|| format!("could not read secrets.signing_key_file {}", file.display()))?;
            Ok(Some(key.trim_ascii().to_vec()))
        }
        (None, Some(key)) => Ok(Some(key.expose().as_bytes().to_vec())),
        (None, None) => Ok(None),
    }
}

/// The key of a data folder, made at the first start.
pub(crate) fn local_signing_key(data: &Path) -> Result<Vec<u8>> {
    let file: PathBuf = data.join("signing.key");
    match std::fs::read(&file) {
        Ok(key) => Ok(key),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let key = hex::encode(random_bytes::<32>()).into_bytes();
            write_private(&file, &key)?;
            Ok(key)
        }
        Err(error) => Err(error).with_context(|| format!("could not read {}", file.display())),
    }
}

/// A key is needed that every process of the installation knows.
pub(crate) fn required_signing_key(config: &Config) -> Result<Vec<u8>> {
    let beside = || {
        let file = config.data.dir.join("signing.key");
        std::fs::read(file).ok()
    };
    signing_key(&config.secrets)?.or_else(beside).ok_or_else(|| {
        anyhow!(
            "there is no key to sign tokens with; make one (`openssl rand -hex 32 > signing.key`) and set secrets.signing_key_file (COLLOQUY_SECRETS_SIGNING_KEY_FILE) to it in every process"
        )
    })
}

/// Queues that a `worker` serves: those of the search engines where it shares all of them. What is written of a
/// conversation to an embedded one is written by its owner.
pub(crate) fn queues_of_worker(config: &Config) -> Vec<Queue> {
    let vectors = config.qdrant.url.is_some() || config.embedding.model == EmbeddingChoice::None;
    let shares = config.elasticsearch.url.is_some() && vectors;
    Queue::ALL.into_iter().filter(|queue| shares || !ENGINE_QUEUES.contains(queue)).collect()
}

/// At the first SIGINT or SIGTERM that comes after this call, be it before the future is awaited.
pub(crate) fn signalled() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let one = |kind| {
        let signals = signal(kind);
        async move {
            match signals {
                Ok(mut signals) => drop(signals.recv().await),
                Err(_) => std::future::pending().await,
            }
        }
    };
    let (interrupted, terminated) = (one(SignalKind::interrupt()), one(SignalKind::terminate()));
    async {
        tokio::select! {
            () = interrupted => {}
            () = terminated => {}
        }
    }
}
