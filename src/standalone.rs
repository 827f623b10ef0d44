//! Everything in one process: the private services, API, steward, worker, model and engines, and a local
//! organization whose key stands in the data folder.

use std::{
    fs::{File, create_dir_all},
    io::{Read, Seek, Write},
    path::{Path, PathBuf},
    pin::pin,
};

use anyhow::{Context, Result, anyhow, bail};
use colloquy_domain::{
    accounts::{authenticate::authenticate, local::ensure_local},
    jobs::Queue,
};
use colloquy_postgres::Postgres;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    config::Config,
    services::{Services, write_private},
    wiring::{self, Core, Engines, Parts, Shared, signalled},
};

/// What a running standalone tells other commands on the same data folder, in `server.json`.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct ServerFile {
    pub url: Url,
    pub token: String,
    pub pid: u32,
    pub version: String,
}

impl ServerFile {
    fn path(data: &Path) -> PathBuf {
        data.join("server.json")
    }

    /// What the last standalone on this folder left; it may be gone.
    pub(crate) fn read(data: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(Self::path(data)).ok()?).ok()
    }
}

pub(crate) struct Running {
    pub url: Url,
    /// An API key of the local organization's owner.
    pub token: String,
    parts: Parts,
    engines: Engines,
    services: Services,
    core: Core,
    data: PathBuf,
    _lock: File,
}

/// Starts everything and returns when requests are served.
pub(crate) async fn start(config: Config) -> Result<Running> {
    let data = config.data.dir.clone();
    create_dir_all(&data).with_context(|| format!("could not make the data folder {}", data.display()))?;
    let lock = lock(&data)?;
    let listener = wiring::listen(&config).await?;
    let key = match wiring::signing_key(&config.secrets)? {
        Some(key) => key,
        None => wiring::local_signing_key(&data)?,
    };
    let (services, embedder) = tokio::try_join!(
        Services::start(&data, config.database.url.clone(), config.redis.url.clone()),
        wiring::embedder(&config.embedding),
    )?;
    let assembled = assemble(&config, &data, &services, &key, embedder).await;
    let (core, engines) = match assembled {
        Ok(assembled) => assembled,
        Err(error) => {
            services.stop().await;
            return Err(error);
        }
    };

    let mut parts = Parts::default();
    let address = listener.local_addr()?;
    parts.steward(&core, &config);
    parts.worker(&core, &config, &Queue::ALL);
    parts.api(&core, &config, listener).await?;
    parts.end_after(engines.watch(&core.ports));
    for watch in engines.shared().watches(&core.ports, true) {
        parts.end_after(watch);
    }
    engines.fill(&core.ports).await?;

    let host = if address.ip().is_unspecified() { "127.0.0.1".to_owned() } else { address.ip().to_string() };
    let host = if address.is_ipv6() && !address.ip().is_unspecified() { format!("[{host}]") } else { host };
    let url = Url::parse(&format!("http://{host}:{}/", address.port()))?;
    let kept = ServerFile::read(&data).map(|file| file.token);
    let kept = kept.or_else(|| std::fs::read_to_string(data.join("local.key")).ok());
    let token = ensure_local(&core.ports, kept.as_deref()).await?;
    write_private(&data.join("local.key"), token.as_bytes())?;
    let owner = authenticate(&core.ports, &token).await?.actor;
    if let Err(error) = engines.follow_model(&core.ports, &owner).await {
        // Words are found nevertheless.
        let what_to_do = "colloquy batch plan reindex --everywhere";
        tracing::error!(error = %error, what_to_do, "vectors of the present model could not be begun");
    }
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let file = ServerFile { url: url.clone(), token: token.clone(), pid: std::process::id(), version };
    write_private(&ServerFile::path(&data), &serde_json::to_vec(&file)?)?;
    Ok(Running { url, token, parts, engines, services, core, data, _lock: lock })
}

async fn assemble(
    config: &Config,
    data: &Path,
    services: &Services,
    key: &[u8],
    embedder: Option<std::sync::Arc<dyn colloquy_domain::ports::models::Embedder>>,
) -> Result<(Core, Engines)> {
    let addresses = services.addresses();
    let mut database = config.database.clone();
    database.url = addresses.database_url.clone();
    let mut redis = config.redis.clone();
    redis.url = addresses.redis_url.clone();
    let postgres = Postgres::connect(&database).await?;
    let applied = postgres.migrate().await?;
    if !applied.is_empty() {
        tracing::info!(migrations = applied.len(), "the schema is current");
    }
    let mut core = wiring::core(config, postgres, &redis, key).await?;
    let shared = Shared::of(config, &core.ports, embedder.as_ref());
    let engines = Engines::open(data, &core.ports, embedder, shared).await?;
    core.ports.search = engines.ports();
    Ok((core, engines))
}

impl Running {
    /// Ends everything in order: requests and jobs, then the engines, then the services.
    pub(crate) async fn stop(self) {
        let Self { parts, engines, services, core, data, .. } = self;
        if let Err(error) = std::fs::remove_file(ServerFile::path(&data)) {
            tracing::debug!(%error, "server.json was not there any more");
        }
        parts.end().await;
        drop(core);
        engines.close().await;
        services.stop().await;
    }

    /// Returns at the signal, or with an error when a part of it ends by itself.
    pub(crate) async fn until(&mut self, signal: impl Future<Output = ()>) -> Result<()> {
        tokio::select! {
            () = signal => Ok(()),
            () = self.parts.broken() => Err(anyhow!("a part of the process ended; the log says why")),
        }
    }
}

/// Two on one data folder would be two writers of one index.
fn lock(data: &Path) -> Result<File> {
    let path = data.join("lock");
    let doing = || format!("could not lock {}", path.display());
    let mut options = File::options();
    let mut file =
        options.read(true).write(true).create(true).truncate(false).open(&path).with_context(doing)?;
    if file.try_lock().is_err() {
        let mut pid = String::new();
        file.read_to_string(&mut pid).with_context(doing)?;
        bail!(
            "another colloquy (pid {}) uses the data folder {}; stop it, or choose another with --data-dir",
            pid.trim(),
            data.display()
        );
    }
    file.set_len(0).with_context(doing)?;
    file.rewind().with_context(doing)?;
    write!(file, "{}", std::process::id()).with_context(doing)?;
    Ok(file)
}

/// `colloquy standalone`: until SIGINT or SIGTERM.
pub(crate) async fn run(config: Config) -> Result<()> {
    let mut signal = pin!(signalled());
    let mut running = tokio::select! {
        started = start(config) => started?,
        // What has been started ends with its pipes.
        () = &mut signal => return Ok(()),
    };
    tracing::info!(url = %running.url, "ready; GraphiQL is at this address");
    let ended = running.until(signal).await;
    tracing::info!("ending");
    running.stop().await;
    ended
}
