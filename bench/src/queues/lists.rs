//! What an administrator waits for among ten million finished jobs: lists by each kind of filter, and the mutations
//! that retry or discard a hundred thousand.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::{
    Bench,
    history::{FAILED, FEW, Failed, History, RARE_ERROR},
    ours::Servers,
};
use crate::{
    client::Client,
    figures::{Row, Times, milliseconds, section},
};

const REQUESTS: usize = 20;
const PAGE: usize = 20;
/// For a mutation that goes on without its client.
const PATIENCE: Duration = Duration::from_secs(600);

const LIST: &str = "
query Jobs($filter: JobFilter, $first: Int, $after: String) {
  jobs(filter: $filter, first: $first, after: $after) {
    nodes { id kind queue state attempts maxAttempts createdAt startedAt finishedAt conversation { id title } errors { message } }
    pageInfo { hasNextPage endCursor }
  }
}";

const SIGN_UP: &str = "
mutation SignUp($input: SignUpInput!) {
  signUp(input: $input) { session { accessToken } userErrors { message } }
}";
const KEY: &str = "
mutation Key($input: CreateApiKeyInput!) {
  createApiKey(input: $input) { secret userErrors { message } }
}";

pub(super) async fn run(bench: &Bench) -> Result<String> {
    let servers = Servers::start(&bench.binary, bench.owner).await?;
    let (_api, url) = servers.api().await?;
    let client = sign_up(&url).await?;
    eprintln!("  writing {} finished jobs", bench.size.finished);
    let started = Instant::now();
    let history = History::write(&servers.postgres, &servers.database, bench.size.finished).await?;
    eprintln!("  written in {:.0} s", started.elapsed().as_secs_f64());
    let mut rows = Vec::new();
    for list in lists(&history) {
        list.measure(&client, &mut rows).await?;
    }
    for (change, of, by) in [
        (Change::Retry, &FAILED[0], By::Kind),
        (Change::Retry, &FAILED[1], By::Error),
        (Change::Discard, &FAILED[2], By::Kind),
        (Change::Discard, &FAILED[3], By::Error),
    ] {
        change.measure(&servers, &history, &client, of, by, &mut rows).await?;
    }
    let method = format!(
        "{} finished jobs of 401 organizations over six days, written by SQL, then VACUUM ANALYZE; the organization that \
        asks has {} of them, a fifth of those dead of four causes, {} in one batch. `jobs` with a filter by POST to \
        `colloquy api` with an API key, pages of {PAGE}, {REQUESTS} requests after one that does not count, one after \
        the other over one connection: median and worst. `deep` is a page in the middle of the list. Then `retryJobs` \
        and `discardJobs` of {} dead jobs by kind and by an error's text, each one request, whose counts must be right; \
        nothing runs what comes back.",
        history.jobs,
        history.owned(),
        history.batched(),
        history.failed(),
    );
    Ok(section("Lists and changes among finished jobs", &method, &rows))
}

/// A key of an organization of its own.
async fn sign_up(url: &str) -> Result<Client> {
    let input = json!({
        "email": "bench@colloquy.example", "name": "Bench", "password": "bench".repeat(4), "organizationName": "Bench",
    });
    let data = Client::new(url, "")?.ask(SIGN_UP, json!({ "input": input })).await?;
    let token =
        data["signUp"]["session"]["accessToken"].as_str().with_context(|| format!("no token: {data}"))?;
    let input = json!({ "input": { "name": "bench", "role": "ADMIN" } });
    let data = Client::new(url, token)?.ask(KEY, input).await?;
    let secret = data["createApiKey"]["secret"].as_str().with_context(|| format!("no key: {data}"))?;
    Client::new(url, secret)
}

/// How many jobs a list must show.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    FullPage,
    These(usize),
}

struct List {
    name: &'static str,
    filter: Value,
    found: Found,
    /// A time in the middle of the list, where it has a page there.
    middle: Option<String>,
}

fn lists(history: &History) -> Vec<List> {
    use Found::{FullPage, These};
    let middle = || Some(history.half_day.0.clone());
    let list = |name, filter, found, middle| List { name, filter, found, middle };
    let (from, before) = (&history.half_day.0, &history.half_day.1);
    let failed = &FAILED[0];
    let in_span = |mut filter: Value| {
        filter["createdFrom"] = json!(from);
        filter["createdBefore"] = json!(before);
        filter
    };
    vec![
        list("no filter", json!({}), FullPage, middle()),
        list("kind", json!({ "kinds": ["reindex_conversation"] }), FullPage, middle()),
        list("state DONE", json!({ "states": ["DONE"] }), FullPage, middle()),
        list("state DEAD", json!({ "states": ["DEAD"] }), FullPage, middle()),
        list("queue", json!({ "queues": ["INDEX"] }), FullPage, middle()),
        list("kind and state", json!({ "kinds": [failed.kind], "states": ["DEAD"] }), FullPage, middle()),
        list("conversation", json!({ "conversationId": history.conversation }), These(8), None),
        list("error's text, of many", json!({ "error": failed.error }), FullPage, middle()),
        list("error's text, of few", json!({ "error": RARE_ERROR }), These(FEW as usize), None),
        list("time, half a day", in_span(json!({})), FullPage, None),
        list("time, up to the middle", json!({ "createdBefore": from }), FullPage, None),
        list("time and state, half a day", in_span(json!({ "states": ["DEAD"] })), FullPage, None),
        list("batch", json!({ "batchId": history.batch }), FullPage, Some(history.middle_of_batch.clone())),
        list(
            "batch and state",
            json!({ "batchId": history.batch, "states": ["DEAD"] }),
            FullPage,
            Some(history.middle_of_batch.clone()),
        ),
        list("nothing: kind", json!({ "kinds": ["start_batch"] }), These(0), None),
        list("nothing: states", json!({ "states": ["READY", "RUNNING", "WAITING"] }), These(0), None),
        list(
            "nothing: kind and state",
            json!({ "kinds": ["reindex_conversation"], "states": ["DEAD"] }),
            These(0),
            None,
        ),
        list(
            "nothing: kind and time",
            in_span(json!({ "kinds": ["start_batch", "export_conversation"], "states": ["DONE"] })),
            These(0),
            None,
        ),
        list("nothing: error's text", json!({ "error": "deadline before request" }), These(0), None),
        list(
            "nothing: error's text and kind",
            json!({ "error": failed.error, "kinds": ["reindex_conversation"] }),
            These(0),
            None,
        ),
        list(
            "nothing: error's text and state",
            json!({ "error": RARE_ERROR, "states": ["CANCELLED"] }),
            These(0),
            None,
        ),
        list("nothing: batch and time", in_span(json!({ "batchId": history.batch })), These(0), None),
        list(
            "nothing: batch and kind",
            json!({ "batchId": history.batch, "kinds": ["start_batch"] }),
            These(0),
            None,
        ),
        list(
            "nothing: conversation and state",
            json!({ "conversationId": history.conversation, "states": ["RUNNING"] }),
            These(0),
            None,
        ),
    ]
}

impl List {
    async fn measure(&self, client: &Client, rows: &mut Vec<Row>) -> Result<()> {
        let figure = self.ask(client, self.name, Value::Null).await?;
        rows.push(Row::new(self.name, figure));
        if let Some(middle) = &self.middle {
            let mut filter = self.filter.clone();
            filter["createdBefore"] = json!(middle);
            let data = client.ask(LIST, json!({ "filter": filter, "first": 1 })).await?;
            let name = format!("{}, deep", self.name);
            let after = data["jobs"]["pageInfo"]["endCursor"].clone();
            let figure = self.ask(client, &name, after).await?;
            rows.push(Row::new(name, figure));
        }
        Ok(())
    }

    async fn ask(&self, client: &Client, name: &str, after: Value) -> Result<String> {
        let variables = json!({ "filter": self.filter, "first": PAGE, "after": after });
        let mut times = Vec::new();
        for request in 0..=REQUESTS {
            let asked = Instant::now();
            let data = client.ask(LIST, variables.clone()).await.with_context(|| name.to_owned())?;
            if request > 0 {
                times.push(asked.elapsed());
            }
            let found = data["jobs"]["nodes"].as_array().map_or(0, Vec::len);
            let expected = match self.found {
                Found::FullPage => PAGE,
                Found::These(jobs) => jobs,
            };
            ensure!(found == expected, "`{name}` lists {found} jobs, and not {expected}");
        }
        let times = Times::new(times);
        let figure = format!("{}, worst {}", times.p50(), milliseconds(times.percentile(100.0)));
        eprintln!("  {name}: {figure}");
        Ok(figure)
    }
}

#[derive(Clone, Copy)]
enum Change {
    Retry,
    Discard,
}

#[derive(Clone, Copy)]
enum By {
    Kind,
    Error,
}

impl Change {
    fn name(self) -> &'static str {
        match self {
            Self::Retry => "retryJobs",
            Self::Discard => "discardJobs",
        }
    }

    fn document(self) -> &'static str {
        match self {
            Self::Retry => {
                "mutation Retry($input: RetryJobsInput!) {
                  change: retryJobs(input: $input) { matched changed: retried userErrors { message } }
                }"
            }
            Self::Discard => {
                "mutation Discard($input: DiscardJobsInput!) {
                  change: discardJobs(input: $input) { matched changed: discarded userErrors { message } }
                }"
            }
        }
    }

    async fn measure(
        self,
        servers: &Servers,
        history: &History,
        client: &Client,
        of: &Failed,
        by: By,
        rows: &mut Vec<Row>,
    ) -> Result<()> {
        let (filter, how) = match by {
            By::Kind => (json!({ "kinds": [of.kind], "states": ["DEAD"] }), "kind and state"),
            By::Error => (json!({ "error": of.error }), "error's text"),
        };
        for dry_run in [true, false] {
            let what = format!("`{}` by {how}{}", self.name(), if dry_run { ", dry run" } else { "" });
            let input = json!({ "input": { "filter": filter, "dryRun": dry_run } });
            let asked = Instant::now();
            let answer = client.ask(self.document(), input).await;
            let took = asked.elapsed().as_secs_f64();
            let mut figure = format!("{took:.2} s");
            match answer {
                Ok(data) => {
                    let (matched, changed) =
                        (data["change"]["matched"].as_u64(), data["change"]["changed"].as_u64());
                    let expected = Some(history.failed());
                    ensure!(
                        matched == expected && changed == expected,
                        "{what}: {data}, and not {expected:?}"
                    );
                }
                Err(error) if error.to_string().contains("TIMEOUT") => {
                    figure = format!("TIMEOUT after {figure}")
                }
                Err(error) => return Err(error.context(what)),
            }
            if !dry_run {
                self.until_done(servers, history, of).await?;
                let done = asked.elapsed().as_secs_f64();
                if figure.starts_with("TIMEOUT") {
                    figure = format!("{figure}, done after {done:.2} s");
                }
            }
            eprintln!("  {what}: {figure}");
            rows.push(Row::new(what, figure).aim("30 s"));
        }
        Ok(())
    }

    /// What the ledger says of it, also of one whose client has gone.
    async fn until_done(self, servers: &Servers, history: &History, of: &Failed) -> Result<()> {
        let count = "SELECT count(*) FILTER (WHERE state = 'DEAD'), count(*) FILTER (WHERE state = 'READY')
            FROM jobs WHERE organization_id = $1::text::uuid AND kind = $2 AND state IN ('DEAD', 'READY')";
        let started = Instant::now();
        let back = match self {
            Self::Retry => history.failed(),
            Self::Discard => 0,
        };
        loop {
            let row = servers.database.query_one(count, &[&history.organization, &of.kind]).await?;
            let (dead, ready): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
            if dead == 0 && u64::try_from(ready)? == back {
                return Ok(());
            }
            if started.elapsed() > PATIENCE {
                bail!("{}: {dead} jobs are dead yet, and {ready} have come back", self.name());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}
