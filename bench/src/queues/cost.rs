//! What a job costs PostgreSQL: statements, and bytes of its log.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;
use tokio_postgres::Client;

use super::{
    Bench,
    ours::{Owner, Servers},
};
use crate::{
    figures::{Row, section},
    process::Role,
};

const AT_ONCE: usize = 16;
/// Counters of the database are told about once a second.
const TOLD: Duration = Duration::from_millis(1_500);

pub(super) async fn run(bench: &Bench) -> Result<String> {
    let mut rows = Vec::new();
    let mut counts = "";
    for (owner, whose) in
        [(Owner::System, "the system's"), (Owner::Organization, "an organization's, with events")]
    {
        let servers = Servers::start(&bench.binary, owner).await?;
        counts = if servers.postgres.counts_statements {
            servers.database.batch_execute("ALTER SYSTEM SET pg_stat_statements.track = 'top'").await?;
            servers.database.batch_execute("SELECT pg_reload_conf()").await?;
            "Statements are those of `pg_stat_statements`"
        } else {
            "The server has no `pg_stat_statements`, so what is counted is transactions (`pg_stat_database`), ours too; they are"
        };
        let worker = servers.worker("worker", AT_ONCE).await?;
        let meter = Meter::begin(&servers).await?;
        servers.drain(&worker, bench.size.backlog).await?;
        meter.end(&servers, bench.size.backlog, &format!("backlog, {whose}"), &mut rows).await?;
        steady(bench, &servers, &worker, whose, &mut rows).await?;
    }
    let method = format!(
        "{} jobs written in one transaction and worked off with {AT_ONCE} at once, then {} a second for {} s. {counts} \
        by Colloquy's role, without those that write the jobs. The log is `pg_current_wal_lsn`, with the rows as they \
        were written (1 KB each), images of pages after checkpoints, compressed, and all that runs beside; of a system \
        that is idle in between.",
        bench.size.backlog,
        bench.size.rate,
        bench.size.seconds + 1,
    );
    Ok(section("Cost of a job in PostgreSQL", &method, &rows))
}

async fn steady(
    bench: &Bench,
    servers: &Servers,
    worker: &Role,
    whose: &str,
    rows: &mut Vec<Row>,
) -> Result<()> {
    let jobs = bench.size.rate * (bench.size.seconds + 1);
    let meter = Meter::begin(servers).await?;
    servers.steady(worker, jobs, bench.size.rate).await?;
    meter.end(servers, jobs, &format!("{} a second, {whose}", bench.size.rate), rows).await
}

struct Meter {
    statements: i64,
    log: i64,
}

impl Meter {
    async fn begin(servers: &Servers) -> Result<Self> {
        sleep(TOLD).await;
        Ok(Self { statements: statements(servers).await?, log: log(&servers.database).await? })
    }

    async fn end(self, servers: &Servers, jobs: u64, what: &str, rows: &mut Vec<Row>) -> Result<()> {
        let log = log(&servers.database).await? - self.log;
        if !servers.postgres.counts_statements {
            sleep(TOLD).await;
        }
        let statements = statements(servers).await? - self.statements;
        let each = |of: i64| of as f64 / jobs as f64;
        rows.push(Row::new(format!("{what}: statements a job"), format!("{:.3}", each(statements))));
        rows.push(Row::new(format!("{what}: bytes of log a job"), format!("{:.0}", each(log))));
        Ok(())
    }
}

async fn statements(servers: &Servers) -> Result<i64> {
    let count = if servers.postgres.counts_statements {
        "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid
        WHERE r.rolname = 'colloquy'"
    } else {
        "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
    };
    Ok(servers.database.query_one(count, &[]).await?.try_get(0)?)
}

async fn log(database: &Client) -> Result<i64> {
    let position = "SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint";
    Ok(database.query_one(position, &[]).await?.try_get(0)?)
}
