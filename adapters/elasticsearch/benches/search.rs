//! What the adapter adds to a search server: searches through the port beside a plain query of the same words that is
//! sent to the server directly, by turns. `cargo bench -p colloquy-elasticsearch -- 20000`. The servers of
//! `ops/servers` are started; one that does not start is left out, saying so. What is searched is made up.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints its figures, or ends")]
#![allow(clippy::disallowed_methods, reason = "a benchmark is told its size by its arguments")]

#[path = "../tests/server/servers.rs"]
mod servers;

use std::{
    env,
    sync::Arc,
    time::{Duration, Instant},
};

use colloquy_conformance::{
    made_up::{PER_CONVERSATION, Source, TENANT, whole_page},
    timing::line,
};
use colloquy_domain::{
    ports::search::TextIndex,
    search::{
        highlight::SpokenText,
        query::{SearchFilter, TextQuery},
    },
};
use colloquy_elasticsearch::{ElasticsearchIndex, ElasticsearchSettings, Identity};
use elasticsearch::{
    Elasticsearch, SearchParts,
    http::transport::{SingleNodeConnectionPool, TransportBuilder},
};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use uuid::Uuid;

use servers::Product;

/// Searches of each sort, each both ways.
const SEARCHES: usize = 300;
const WARM_UP: usize = 20;
const PAGE: usize = 20;
/// Conversations that are written at once.
const AT_ONCE: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// Of so many words.
    Hits(usize),
    /// With facets and marks.
    Page,
}

impl What {
    fn words(self) -> usize {
        match self {
            Self::Hits(words) => words,
            Self::Page => 3,
        }
    }
}

#[tokio::main]
async fn main() {
    let mut arguments = env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let passages: u32 = arguments.next().map_or(20_000, |count| count.parse().unwrap());
    for (product, name) in [(Product::Elasticsearch, "Elasticsearch"), (Product::OpenSearch, "OpenSearch")] {
        if let Some(settings) = servers::settings(product, "bench") {
            println!("\n{name}");
            measure(&settings, passages).await;
        }
    }
}

fn left_out() -> String {
    "its searches".to_owned()
}

async fn measure(settings: &ElasticsearchSettings, passages: u32) {
    let identity = Identity { generation: 1, log_id: Uuid::from_u128(1) };
    let index = ElasticsearchIndex::open(settings, identity).await.unwrap().into_index();
    let (text, mut source) = (index.text(), Source::default());
    let started = Instant::now();
    fill(&text, &mut source, passages.div_ceil(PER_CONVERSATION)).await;
    let took = started.elapsed().as_secs_f64();
    println!("filled in {took:.1} s, {:.0} passages a second", f64::from(passages) / took);
    let server = Server::new(settings);
    for what in [What::Hits(1), What::Hits(3), What::Page] {
        let (mut ours, mut direct) = (Vec::new(), Vec::new());
        // The first ones warm both up.
        for round in 0..WARM_UP + SEARCHES {
            let typed = source.words(what.words());
            let texts = source.texts(PAGE);
            // By turns: whoever asks second finds the server's caches with these words.
            let (us, server) = if round % 2 == 0 {
                let us = ask(&*text, what, &typed, &texts).await;
                (us, server.ask(what, &typed).await)
            } else {
                let server = server.ask(what, &typed).await;
                (ask(&*text, what, &typed, &texts).await, server)
            };
            if round >= WARM_UP {
                ours.push(us);
                direct.push(server);
            }
        }
        let ratio = median(&ours) / median(&direct);
        println!("{}", line(&format!("{what:?}, limit {PAGE}, through the port"), ours));
        println!("{}", line(&format!("{what:?}, limit {PAGE}, directly"), direct));
        println!("{:48} p50 {ratio:8.2} times", "");
    }
}

async fn fill(text: &Arc<dyn TextIndex>, source: &mut Source, conversations: u32) {
    let mut writes = JoinSet::new();
    for n in 0..conversations {
        let (facets, documents) = source.conversation(n);
        if writes.len() == AT_ONCE {
            writes.join_next().await.unwrap().unwrap();
        }
        let text = text.clone();
        writes.spawn(async move { text.replace(TENANT, 1, facets, documents).await.unwrap() });
    }
    writes.join_all().await;
}

async fn ask(text: &dyn TextIndex, what: What, typed: &str, texts: &[SpokenText]) -> Duration {
    let (query, filter) = (TextQuery::parse(typed).unwrap(), SearchFilter::default());
    let started = Instant::now();
    match what {
        What::Hits(_) => drop(text.search(TENANT, &query, &filter, PAGE).await.unwrap()),
        What::Page => whole_page(text, &query, &filter, texts).await,
    }
    started.elapsed()
}

/// The server by its own client, with one connection that stays open.
struct Server {
    client: Elasticsearch,
    index: String,
}

impl Server {
    fn new(settings: &ElasticsearchSettings) -> Self {
        let pool = SingleNodeConnectionPool::new(settings.url.clone().unwrap().parse().unwrap());
        let client = Elasticsearch::new(TransportBuilder::new(pool).build().unwrap());
        Self { client, index: format!("{}-passages", settings.index_prefix) }
    }

    /// The same words in the field of exact terms, of the same organization, with the same fields of each hit.
    async fn ask(&self, what: What, typed: &str) -> Duration {
        let organization = TENANT.0.to_string();
        let mut body = json!({
            "query": { "bool": {
                "filter": [{ "term": { "organization": organization } }],
                "must": [{ "match": { "exact": typed } }],
            } },
            "size": PAGE,
            "_source": ["passage_id", "conversation_id"],
            "track_total_hits": false,
        });
        if what == What::Page {
            let values = |field: &str| json!({ "terms": { "field": field, "size": 10 } });
            body["aggs"] =
                json!({ "kind": values("kind"), "tags": values("tags"), "speakers": values("speakers") });
            body["highlight"] = json!({ "fields": { "exact": { "number_of_fragments": 0 } } });
        }
        let started = Instant::now();
        let answer = self
            .client
            .search(SearchParts::Index(&[&self.index]))
            .routing(&[&organization])
            .body(body)
            .send()
            .await
            .unwrap();
        let found: Value = answer.json().await.unwrap();
        assert!(found["hits"]["hits"].as_array().unwrap().len() <= PAGE, "{found}");
        started.elapsed()
    }
}

fn median(times: &[Duration]) -> f64 {
    let mut times = times.to_vec();
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64()
}
