//! Colloquy's queue under measurement: a `colloquy worker` on a PostgreSQL and a Redis of its own. Jobs are rows that
//! are written by SQL, as a mutation's transaction would write them.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use futures::future::try_join_all;
use tempfile::TempDir;
use tokio::time::{interval, sleep};
use tokio_postgres::Client;

use super::{
    records::{Drained, Job, Paced, Span},
    servers::{Postgres, Redis},
};
use crate::{
    parts::jobs::{WAKE, backend, now},
    proc,
    process::{Binary, Role, Standalone},
};

const PATIENCE: Duration = Duration::from_secs(300);
const LOOK: Duration = Duration::from_millis(50);
const WRITERS: u64 = 4;
/// Between the word of a worker and the first job.
const SETTLE: Duration = Duration::from_secs(1);

const ORGANIZATION: &str = "0192f0c1-0000-7000-8000-000000000001";
const SYSTEM: &str = "00000000-0000-0000-0000-000000000000";

/// Whose jobs they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// Nobody hears of them.
    System,
    /// Each of their changes is an event, too.
    Organization,
}

impl Owner {
    fn lane(self) -> &'static str {
        match self {
            Self::System => SYSTEM,
            Self::Organization => ORGANIZATION,
        }
    }

    /// In SQL.
    fn id(self) -> String {
        match self {
            Self::System => "NULL::uuid".to_owned(),
            Self::Organization => format!("'{ORGANIZATION}'::uuid"),
        }
    }
}

/// Jobs that wait behind what is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiting {
    /// For a worker that has nothing better to do.
    Low,
    /// For tomorrow.
    Delayed,
}

pub(super) struct Servers {
    // In the order in which they end.
    pub(super) database: Client,
    redis: Redis,
    pub(super) postgres: Postgres,
    pub(super) owner: Owner,
    folder: TempDir,
    binary: Binary,
}

/// Colloquy's `1 KB`: the same characters as the others get.
const FILLER: &str = "(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 32) AS i)";
/// As the product makes them: by time.
const ID: &str = "(lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0')
    || '7' || substr(gen_random_uuid()::text, 16))::uuid";

impl Servers {
    pub(super) async fn start(binary: &Binary, owner: Owner) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        // PostgreSQL may run as another user.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        let postgres = Postgres::start(folder.path()).await?;
        let redis_folder = folder.path().join("redis");
        fs::create_dir(&redis_folder)?;
        let redis = Redis::forgetful(&redis_folder).await?;
        let database = postgres.connect().await?;
        if postgres.counts_statements {
            database.batch_execute("CREATE EXTENSION pg_stat_statements").await?;
        }
        let binary = Binary::find(binary.path())?;
        let servers = Self { database, redis, postgres, owner, folder, binary };
        let settings = servers.settings();
        let arguments: Vec<&str> =
            ["migrate"].into_iter().chain(settings.iter().map(String::as_str)).collect();
        servers.binary.run(servers.folder.path(), &arguments).await?;
        Ok(servers)
    }

    fn settings(&self) -> Vec<String> {
        let settings = [
            format!("database.url={}", self.postgres.url()),
            format!("redis.url=redis://127.0.0.1:{}/0", self.redis.port),
            format!("secrets.signing_key={}", "bench".repeat(8)),
            "embedding.model=none".to_owned(),
            // For how long a handler may hold up the end of a worker; some of ours are made to.
            "worker.grace_ms=2000".to_owned(),
        ];
        settings.into_iter().flat_map(|setting| ["--set".to_owned(), setting]).collect()
    }

    /// A worker of the queue of probes; of several, each has a name.
    pub(super) async fn worker(&self, name: &str, concurrency: usize) -> Result<Role> {
        let data = self.data(name)?;
        let settings = self.settings();
        let concurrency = concurrency.to_string();
        let mut arguments = vec!["--queues", "default", "--concurrency", &concurrency];
        arguments.extend(settings.iter().map(String::as_str));
        let worker = Role::worker_with(&self.binary, &data, &arguments).await?;
        sleep(SETTLE).await;
        Ok(worker)
    }

    /// The API alone: nothing that is put to work runs.
    pub(super) async fn api(&self) -> Result<(Role, String)> {
        let data = self.data("api")?;
        let settings = self.settings();
        let arguments: Vec<&str> = settings.iter().map(String::as_str).collect();
        Role::api_with(&self.binary, &data, &arguments).await
    }

    /// Everything in one process, on these servers.
    pub(super) async fn standalone(&self, more: &[&str]) -> Result<Standalone> {
        let data = self.data("standalone")?;
        let settings = self.settings();
        let arguments: Vec<&str> = settings.iter().map(String::as_str).chain(more.iter().copied()).collect();
        Standalone::start_with(&self.binary, &data, &arguments).await
    }

    fn data(&self, name: &str) -> Result<PathBuf> {
        let data = self.folder.path().join(name);
        fs::create_dir_all(&data)?;
        Ok(data)
    }

    /// Without any job, as after a long calm.
    pub(super) async fn clear(&self) -> Result<()> {
        self.database.batch_execute("TRUNCATE jobs CASCADE").await?;
        Ok(())
    }

    /// Of the worker and both servers, without the connections that write and look.
    async fn cpu(&self, worker: &Role, own: &[u32]) -> Result<Duration> {
        let own: Duration = own.iter().map(|pid| proc::cpu(*pid)).sum();
        let servers = [worker.pid(), self.postgres.process.pid(), self.redis.process.pid()];
        let all: Duration = servers.map(proc::cpu_of_tree).into_iter().sum();
        Ok(all.saturating_sub(own).saturating_sub(proc::cpu(backend(&self.database).await?)))
    }

    fn insert(&self, jobs: u64) -> String {
        format!(
            "INSERT INTO jobs (id, organization_id, queue, kind, payload, max_attempts, traceparent)
            SELECT {ID}, {}, 'default', 'probe', '{{}}', 5, {FILLER} FROM generate_series(1, {jobs})",
            self.owner.id()
        )
    }

    /// Jobs of a hundred other organizations that are not what is measured.
    pub(super) async fn wait(&self, jobs: u64, waiting: Waiting) -> Result<()> {
        let (priority, delay) = match waiting {
            Waiting::Low => (-1, "0"),
            Waiting::Delayed => (0, "1 day"),
        };
        let insert = format!(
            "INSERT INTO jobs (id, organization_id, queue, kind, payload, max_attempts, traceparent, priority, run_at)
            SELECT {ID}, md5((n % 100)::text)::uuid, 'default', 'probe', '{{}}', 5, {FILLER}, {priority},
                now() + interval '{delay}' FROM generate_series(1, {jobs}) AS n"
        );
        self.database.batch_execute(&insert).await?;
        self.database.batch_execute("VACUUM ANALYZE jobs").await?;
        Ok(())
    }

    /// Writes jobs in one transaction, and waits until they are done. The processor's time is from before their
    /// commit.
    pub(super) async fn drain(&self, worker: &Role, jobs: u64) -> Result<Drained> {
        let begun = now(&self.database).await?;
        self.database.batch_execute(&format!("BEGIN; {}", self.insert(jobs))).await?;
        let before = self.cpu(worker, &[]).await?;
        self.database.batch_execute(&format!("COMMIT; SELECT {WAKE}")).await?;
        self.until_done().await?;
        let cpu = self.cpu(worker, &[]).await?.saturating_sub(before);
        let ran: Vec<Span> = self.ran(begun, jobs).await?.into_iter().map(|(_, _, ran)| ran).collect();
        Drained::new(&ran, cpu)
    }

    /// As `drain`, but of a worker that starts when all stand, among others that wait.
    pub(super) async fn drain_among(&self, concurrency: usize, jobs: u64) -> Result<Drained> {
        let begun = now(&self.database).await?;
        self.database.batch_execute(&self.insert(jobs)).await?;
        let worker = self.worker("among", concurrency).await?;
        self.until_done().await?;
        drop(worker);
        let ran: Vec<Span> = self.ran(begun, jobs).await?.into_iter().map(|(_, _, ran)| ran).collect();
        Drained::new(&ran, Duration::ZERO)
    }

    /// Each is written when the one before is done.
    pub(super) async fn single(&self, jobs: u64) -> Result<Paced> {
        let begun = now(&self.database).await?;
        let insert = self.prepare(&self.database).await?;
        let done = self.database.prepare("SELECT state = 'DONE' FROM jobs WHERE id = $1::text::uuid").await?;
        let mut commits = HashMap::new();
        for _ in 0..jobs {
            let (id, commit) = write(&self.database, &insert).await?;
            let started = Instant::now();
            while !self.database.query_one(&done, &[&id]).await?.try_get::<_, bool>(0)? {
                if started.elapsed() > PATIENCE {
                    bail!("job {id} is not done after {} s", PATIENCE.as_secs());
                }
                sleep(Duration::from_millis(1)).await;
            }
            commits.insert(id, commit);
        }
        self.paced(begun, &commits).await
    }

    /// At a rate, over several connections. Also the processor time of a job.
    pub(super) async fn steady(&self, worker: &Role, jobs: u64, rate: u64) -> Result<(Paced, Duration)> {
        let mut writers = Vec::new();
        let mut backends = Vec::new();
        for _ in 0..WRITERS {
            let writer = self.postgres.connect().await?;
            backends.push(backend(&writer).await?);
            writers.push(writer);
        }
        let begun = now(&self.database).await?;
        let before = self.cpu(worker, &backends).await?;
        let writing =
            writers.iter().zip(0..).map(|(writer, number)| self.write_at(writer, number, jobs, rate));
        let commits: HashMap<String, Duration> = try_join_all(writing).await?.into_iter().flatten().collect();
        self.until_done().await?;
        let cpu = self.cpu(worker, &backends).await?.saturating_sub(before);
        drop(writers);
        let each = cpu / u32::try_from(commits.len().max(1))?;
        Ok((self.paced(begun, &commits).await?, each))
    }

    async fn write_at(
        &self,
        writer: &Client,
        number: u64,
        jobs: u64,
        rate: u64,
    ) -> Result<Vec<(String, Duration)>> {
        let insert = self.prepare(writer).await?;
        let beat = Duration::from_secs(1) / u32::try_from(rate)?;
        sleep(beat * u32::try_from(number)?).await;
        let mut ticks = interval(beat * u32::try_from(WRITERS)?);
        let mut written = Vec::new();
        for _ in (number..jobs).step_by(usize::try_from(WRITERS)?) {
            ticks.tick().await;
            written.push(write(writer, &insert).await?);
        }
        Ok(written)
    }

    async fn prepare(&self, client: &Client) -> Result<tokio_postgres::Statement> {
        let insert =
            format!("WITH job AS ({} RETURNING id) SELECT job.id::text FROM job, {WAKE}", self.insert(1));
        Ok(client.prepare(&insert).await?)
    }

    pub(super) async fn until_done(&self) -> Result<()> {
        // By the indexes: a million others may stand in the table. Of what waits besides, none is in this lane.
        let left = format!(
            "SELECT EXISTS (SELECT FROM jobs WHERE queue = 'default' AND state = 'READY' AND priority = 0
                    AND lane = '{lane}')
                OR EXISTS (SELECT FROM jobs WHERE queue = 'default' AND state = 'RUNNING'
                    AND lane = '{lane}')",
            lane = self.owner.lane()
        );
        self.database.batch_execute("SET enable_seqscan = off").await?;
        let left = self.database.prepare(&left).await?;
        let started = Instant::now();
        while self.database.query_one(&left, &[]).await?.try_get(0)? {
            if started.elapsed() > PATIENCE {
                bail!("jobs are left after {} s", PATIENCE.as_secs());
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    async fn paced(&self, begun: f64, commits: &HashMap<String, Duration>) -> Result<Paced> {
        let mut jobs = Vec::new();
        for (id, created, ran) in self.ran(begun, commits.len() as u64).await? {
            let commit = commits.get(&id).with_context(|| format!("job {id} is not ours"))?;
            jobs.push(Job { written: Span { begun: created, ended: created + *commit }, ran });
        }
        jobs.sort_unstable_by_key(|job| job.written.begun);
        Ok(Paced(jobs))
    }

    /// Those written since, each of which must have been done by its first attempt: id, time of writing, run.
    async fn ran(&self, begun: f64, jobs: u64) -> Result<Vec<(String, Duration, Span)>> {
        let [created, started, finished] = ["created_at", "started_at", "finished_at"]
            .map(|column| format!("(extract(epoch FROM {column}) * 1000000)::bigint"));
        let rows = format!(
            "SELECT id::text, state = 'DONE' AND attempts = 1, {created}, {started}, {finished}
            FROM jobs WHERE created_at >= to_timestamp($1) AND lane = $2::text::uuid"
        );
        let mut ran = Vec::new();
        for row in self.database.query(&rows, &[&begun, &self.owner.lane()]).await? {
            let id: String = row.try_get(0)?;
            if !row.try_get::<_, bool>(1)? {
                bail!("job {id} was not done by one attempt");
            }
            let time = |column: usize| -> Result<Duration> {
                Ok(Duration::from_micros(u64::try_from(row.try_get::<_, i64>(column)?)?))
            };
            ran.push((id, time(2)?, Span { begun: time(3)?, ended: time(4)? }));
        }
        if ran.len() as u64 != jobs {
            bail!("{} jobs stand in the ledger, and {jobs} were written", ran.len());
        }
        Ok(ran)
    }

    /// Jobs that hold their handler for as long as it may run.
    pub(super) async fn hold(&self, jobs: u64) -> Result<()> {
        let insert = self.insert(jobs).replace("'{}'", r#"'{"misdeed": "sleep"}'"#);
        self.database.batch_execute(&format!("{insert}; SELECT {WAKE}")).await?;
        Ok(())
    }
}

async fn write(writer: &Client, insert: &tokio_postgres::Statement) -> Result<(String, Duration)> {
    let begun = Instant::now();
    let row = writer.query_one(insert, &[]).await?;
    Ok((row.try_get(0)?, begun.elapsed()))
}
