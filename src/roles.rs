//! The roles of production: `api`, `worker`, `migrate`, and `doctor`, which looks at all they need.

use std::{pin::pin, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use colloquy_domain::{
    accounts::SystemScope,
    audit::AuditEntry,
    ids::AuditEntryId,
    jobs::{Queue, manage},
    ports::{
        jobs::Ledger,
        store::{audit::AuditLog, generations::GenerationStore},
    },
    time::IdGen,
};
use colloquy_postgres::Postgres;
use colloquy_redis::RedisDispatcher;
use serde::Serialize;
use tokio::{net::TcpListener, time::sleep};

use crate::{
    config::{Config, EmbeddingChoice},
    services::find_program,
    standalone::ServerFile,
    supervisor::{self, Teller},
    wiring::{self, Core, Parts, SystemIds, Words, signalled},
};

/// `colloquy api`: GraphQL and nothing else. It owns no search engine; words may be found on a server.
pub(crate) async fn run_api(config: Config) -> Result<()> {
    run_until_signal(Box::pin(start_api(config))).await
}

async fn start_api(config: Config) -> Result<Parts> {
    let listener = wiring::listen(&config).await?;
    let mut core = connect(&config).await?;
    let words = share_words(&mut core, &config);
    if words.is_none() {
        tracing::warn!("no search engine is in the settings: `search` answers UNAVAILABLE here");
    }
    let mut parts = Parts::default();
    let address = listener.local_addr()?;
    let door = parts.door(&core, listener)?;
    tracing::info!(%address, "health and metrics are served");
    until_migrated(&core.postgres).await;
    if let Some(words) = words {
        parts.end_after(words.watch(&core.ports, false));
    }
    parts.steward(&core, &config);
    parts.open_api(&door, &core, &config).await?;
    tracing::info!(%address, "the API is served");
    Ok(parts)
}

/// Has the process search by word on the server of the settings, if there is one.
fn share_words(core: &mut Core, config: &Config) -> Option<Arc<Words>> {
    let words = Words::of(&config.elasticsearch, &core.ports)?;
    core.ports.search = words.ports();
    Some(words)
}

/// `colloquy worker`: jobs and nothing else. Queues of embedded search engines belong to their owner.
pub(crate) async fn run_worker(
    config: Config,
    queues: Option<Vec<Queue>>,
    concurrency: Option<usize>,
    supervised: bool,
) -> Result<()> {
    run_until_signal(Box::pin(start_worker(config, queues, concurrency, supervised))).await
}

async fn start_worker(
    mut config: Config,
    queues: Option<Vec<Queue>>,
    concurrency: Option<usize>,
    supervised: bool,
) -> Result<Parts> {
    let mut supervision = match supervised {
        true => Some((Teller::start()?, Box::pin(supervisor::orphaned()))),
        false => None,
    };
    let served = wiring::queues_of_worker(&config);
    let queues = queues.unwrap_or_else(|| served.clone());
    if let Some(queue) = queues.iter().find(|queue| !served.contains(queue)) {
        bail!(
            "the queue `{}` is served by the standalone that owns the embedded search engine; leave it out, or set elasticsearch.url and embedding.model = \"none\"",
            queue.as_str()
        );
    }
    if let Some(handlers) = concurrency {
        config.worker.concurrency = colloquy_worker::Concurrency::all(handlers);
    }
    let health = match config.worker.health_bind {
        Some(bind) => {
            let doing = || format!("could not listen on {bind}, which is worker.health_bind");
            Some(TcpListener::bind(bind).await.with_context(doing)?)
        }
        None => None,
    };
    let mut core = connect(&config).await?;
    let words = share_words(&mut core, &config).filter(|_| queues.contains(&Queue::Index));
    let mut parts = Parts::default();
    let door = match health {
        Some(listener) => {
            let address = listener.local_addr()?;
            let door = parts.door(&core, listener)?;
            tracing::info!(%address, "health and metrics are served");
            Some(door)
        }
        None => None,
    };
    let migrated = Box::pin(until_migrated(&core.postgres));
    match &mut supervision {
        Some((_, orphaned)) => tokio::select! {
            () = migrated => {}
            () = orphaned => bail!("nobody watches any more"),
        },
        None => migrated.await,
    }
    if let Some(words) = words {
        parts.end_after(words.watch(&core.ports, true));
    }
    parts.steward(&core, &config);
    let watch = parts.worker(&core, &config, &queues);
    if let Some((teller, orphaned)) = supervision {
        teller.tell_of(&core.worker_name, watch)?;
        parts.end_after(orphaned);
    }
    if let Some(door) = door {
        parts.open_health(&door, &core)?;
    }
    let names: Vec<_> = queues.iter().map(|queue| queue.as_str()).collect();
    tracing::info!(queues = names.join(","), worker = core.worker_name, "jobs are taken");
    Ok(parts)
}

async fn connect(config: &Config) -> Result<Core> {
    let key = wiring::required_signing_key(config)?;
    let redis = wiring::redis(config)?;
    let postgres = wiring::database(config).await?;
    wiring::core(config, postgres, &redis, &key).await
}

/// How often a process looks whether the schema that it waits for is there.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// These roles never migrate. Whoever rolls out may start them before `colloquy migrate` has run, or while it runs:
/// they are alive and not ready until the schema is what they need.
async fn until_migrated(postgres: &Postgres) {
    let mut told = None;
    loop {
        let state = match postgres.prepare().await {
            Ok(pending) if pending.is_empty() => return,
            Ok(pending) => {
                format!("the schema is {} migrations behind: run `colloquy migrate`", pending.len())
            }
            Err(error) => error.chain(),
        };
        if told.as_ref() != Some(&state) {
            tracing::warn!(state, "waiting for the database");
            told = Some(state);
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// A signal that comes during the start ends that, and one that comes right after it is not lost.
async fn run_until_signal(start: impl Future<Output = Result<Parts>>) -> Result<()> {
    let mut signal = pin!(signalled());
    let mut parts = tokio::select! {
        started = start => started?,
        () = &mut signal => return Ok(()),
    };
    let ended = tokio::select! {
        () = signal => Ok(()),
        () = parts.broken() => Err(anyhow::anyhow!("a part of the process ended; the log says why")),
    };
    tracing::info!("ending");
    parts.end().await;
    ended
}

/// `colloquy migrate`: the names of what was applied.
pub(crate) async fn run_migrate(config: Config) -> Result<Vec<String>> {
    Ok(wiring::database(&config).await?.migrate().await?)
}

/// `colloquy jobs pause --everywhere`, and `resume`: for every organization. Whether it was not so already.
pub(crate) async fn run_pause(config: Config, queue: Queue, paused: bool) -> Result<bool> {
    let postgres = wiring::database(&config).await?;
    let id = AuditEntryId(SystemIds.next());
    Ok(manage::pause_everywhere(&postgres, id, queue, paused).await?)
}

/// `colloquy audit --everywhere`: what was done for every organization, newest first.
pub(crate) async fn read_audit(config: Config, number: usize) -> Result<Vec<AuditEntry>> {
    const SCOPE: SystemScope =
        SystemScope::because("whoever has the installation's settings reads what was done with them");
    Ok(wiring::database(&config).await?.list_of_installation(SCOPE, None, number).await?)
}

/// One thing that `doctor` looked at.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Check {
    pub name: &'static str,
    pub ok: bool,
    pub detail: String,
    /// What to do, where it is not well.
    pub hint: Option<String>,
}

impl Check {
    fn of(name: &'static str, found: Result<String>, hint: &str) -> Self {
        match found {
            Ok(detail) => Self { name, ok: true, detail, hint: None },
            Err(error) => Self { name, ok: false, detail: format!("{error:#}"), hint: Some(hint.to_owned()) },
        }
    }
}

/// `colloquy doctor`: everything that the processes need, each looked at by itself.
pub(crate) async fn doctor(config: Config) -> Result<Vec<Check>> {
    let mut checks = Vec::new();
    let data = &config.data.dir;
    let standalone = ServerFile::read(data);
    checks.push(Check::of(
        "standalone",
        match &standalone {
            Some(file) => live(file).await,
            None => Ok(format!("none runs on {}", data.display())),
        },
        "it has left server.json and does not answer: start it again with `colloquy standalone`",
    ));
    let own_services = config.database.url.is_none() || config.redis.url.is_none();
    if own_services {
        for program in ["postgres", "initdb", "redis-server"] {
            let found = find_program(program).map(|path| path.display().to_string());
            checks.push(Check::of(program, found, "run `./run`, or set database.url and redis.url"));
        }
    }
    match wiring::database(&config).await {
        Ok(postgres) => {
            checks.push(Check::of("postgresql", version(&postgres).await, "use PostgreSQL 15 or later"));
            checks.push(Check::of("migrations", migrations(&postgres).await, "run `colloquy migrate`"));
            checks.push(Check::of(
                "queues",
                queues(&postgres).await,
                "look at the dead jobs: `colloquy jobs list --state dead`",
            ));
            if migrations(&postgres).await.is_ok() {
                if config.elasticsearch.url.is_some() {
                    checks.push(Check::of(
                        "text index",
                        text_index(&config, &postgres).await,
                        "is the server up, and is the section elasticsearch of the settings right?",
                    ));
                }
                checks.push(Check::of(
                    "search index",
                    search_index(&config, &postgres).await,
                    "start `colloquy standalone` again: it builds the index anew",
                ));
            }
        }
        Err(_) if config.database.url.is_none() && standalone.is_none() => {}
        Err(error) => {
            checks.push(Check::of("postgresql", Err(error), "is the server up and database.url right?"))
        }
    }
    match wiring::redis(&config) {
        Ok(settings) => {
            let answers = async {
                let dispatcher = RedisDispatcher::new(&settings, "doctor")?;
                colloquy_domain::ports::jobs::Dispatcher::ping(&dispatcher).await?;
                Ok("answers".to_owned())
            };
            checks.push(Check::of("redis", answers.await, "is the server up and redis.url right?"));
        }
        Err(_) if config.redis.url.is_none() && standalone.is_none() => {}
        Err(error) => checks.push(Check::of("redis", Err(error), "set redis.url")),
    }
    checks.push(Check::of("embedding", embedding(&config), "run `./run`, which installs the model"));
    Ok(checks)
}

async fn live(file: &ServerFile) -> Result<String> {
    let url = file.url.join("readyz")?;
    let answer = reqwest::get(url).await.context("does not answer")?;
    if !answer.status().is_success() {
        bail!("is not ready ({}): {}", answer.status(), answer.text().await?);
    }
    Ok(format!("{} is ready (pid {}, version {})", file.url, file.pid, file.version))
}

async fn version(postgres: &Postgres) -> Result<String> {
    let version = postgres.ping().await?;
    let major: String = version.chars().take_while(char::is_ascii_digit).collect();
    match major.parse::<u32>() {
        Ok(15..) => Ok(format!("version {version}")),
        Ok(_) => bail!("version {version} is too old"),
        Err(_) => bail!("{version:?} is no version that can be understood"),
    }
}

async fn migrations(postgres: &Postgres) -> Result<String> {
    let pending = postgres.pending_migrations().await?;
    if !pending.is_empty() {
        bail!("{} are missing", pending.len());
    }
    Ok("the schema is current".to_owned())
}

async fn queues(postgres: &Postgres) -> Result<String> {
    let scope = SystemScope::because("doctor shows counts only");
    let stats = postgres.queue_stats(scope).await?;
    let dead: u64 = stats.iter().map(|queue| queue.dead).sum();
    let ready: u64 = stats.iter().map(|queue| queue.ready).sum();
    let oldest = stats.iter().filter_map(|queue| queue.oldest_ready_ms).max().unwrap_or(0);
    if dead > 0 {
        bail!("{dead} jobs are dead, {ready} are waiting");
    }
    Ok(format!("{ready} jobs are waiting, the oldest for {} s", oldest / 1000))
}

/// The embedded index is of use only to the database that it was built from.
async fn search_index(config: &Config, postgres: &Postgres) -> Result<String> {
    let folder = wiring::index_folder(&config.data.dir);
    let shown = folder.display();
    let scope = SystemScope::because("doctor compares the index with its database");
    let generations = GenerationStore::find(postgres, scope).await?;
    let wanted = generations.standing;
    let Some(found) = colloquy_embedded::completed(&folder, wanted.live) else {
        if folder.exists() {
            bail!("{shown} holds no generation {} that was completed, as PostgreSQL has it", wanted.live);
        }
        return Ok(format!("there is none in {}; a standalone makes one", config.data.dir.display()));
    };
    if found.log_id != generations.log_id {
        bail!("{shown} was built from another database, or from this one before it was restored");
    }
    let mut detail =
        format!("generation {}, as PostgreSQL has it; vectors by {}", found.generation, found.model);
    if let Some(building) = wanted.building {
        detail += &format!("; generation {building} is being built");
    }
    if let Some(previous) = wanted.previous {
        detail += &format!("; generation {previous} is kept as a way back");
    }
    Ok(detail)
}

/// The index on the search server of the settings.
async fn text_index(config: &Config, postgres: &Postgres) -> Result<String> {
    let found = colloquy_elasticsearch::report(&config.elasticsearch).await;
    let found = found.map_err(|error| anyhow::anyhow!(error.chain()))?;
    let scope = SystemScope::because("doctor compares the index with its database");
    let live = GenerationStore::find(postgres, scope).await?.standing.live;
    let (version, alias, behind) = (&found.version, &found.alias, found.behind.join(", "));
    if found.behind.is_empty() {
        return Ok(format!(
            "version {version}; no alias {alias} yet: the first process that needs it makes it"
        ));
    }
    if found.generation != Some(live) {
        bail!(
            "version {version}; PostgreSQL has generation {live}, and {behind} is behind the alias {alias}"
        );
    }
    let (passages, conversations) = (found.passages, found.conversations);
    Ok(format!(
        "version {version}; {behind} behind the alias {alias}, generation {live} as PostgreSQL has it: {passages} passages, {conversations} conversations written"
    ))
}

fn embedding(config: &Config) -> Result<String> {
    let settings = &config.embedding;
    match settings.model {
        EmbeddingChoice::None => Ok("switched off: search is by word alone".to_owned()),
        EmbeddingChoice::Hashing => Ok("hashing, which knows no meaning".to_owned()),
        EmbeddingChoice::MiniLm => {
            for file in [
                settings.model_dir.join("model.safetensors"),
                settings.model_dir.join("tokenizer.json"),
                settings.runtime_library.clone(),
            ] {
                if !file.is_file() {
                    bail!("{} is missing", file.display());
                }
            }
            Ok(format!("all-MiniLM-L6-v2 in {}", settings.model_dir.display()))
        }
    }
}
