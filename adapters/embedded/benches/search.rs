//! Search and write times at sizes that busy organizations reach: `cargo bench -p colloquy-embedded -- 100000`, or
//! `-- 1000000 text` for full text alone. What is searched is made up.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![allow(clippy::disallowed_methods, reason = "a benchmark is told its size by its arguments")]

use std::{
    env,
    error::Error,
    process,
    sync::Arc,
    time::{Duration, Instant},
};

use colloquy_conformance::{
    made_up::{DIMENSIONS, PER_CONVERSATION, Source, TENANT, whole_page},
    timing::{line, memory},
};
use colloquy_domain::{
    conversations::ConversationKind,
    ports::search::{PassageDocument, TextIndex, VectorIndex},
    search::query::{SearchFilter, TextQuery},
};
use colloquy_embedded::{EmbeddedIndex, EmbeddedSettings, Identity};
use tempfile::TempDir;
use tokio::task::JoinSet;
use uuid::Uuid;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Searches of each sort.
const SEARCHES: usize = 300;
/// Conversations that are written at once.
const AT_ONCE: usize = 32;

struct Bench {
    text: Arc<dyn TextIndex>,
    /// `None` where full text alone is measured.
    vectors: Option<Arc<dyn VectorIndex>>,
    source: Source,
}

#[tokio::main]
async fn main() -> Outcome {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let passages: u32 = arguments.first().map_or(Ok(20_000), |count| count.parse())?;
    let with_vectors = arguments.iter().all(|argument| argument != "text");
    let dir = TempDir::new()?;
    let identity = Identity { generation: 1, log_id: Uuid::nil(), model: "bench".into() };
    let index =
        EmbeddedIndex::open(EmbeddedSettings::new(dir.path(), DIMENSIONS), identity).await?.into_index();
    let vectors = with_vectors.then(|| index.vectors());
    let mut bench = Bench { text: index.text(), vectors, source: Source::default() };

    let started = Instant::now();
    bench.fill(passages.div_ceil(PER_CONVERSATION)).await?;
    let took = started.elapsed().as_secs_f64();
    let stats = index.stats().await?;
    println!("filled in {took:.1} s, {:.0} passages a second: {stats:?}", f64::from(passages) / took);
    println!("resident: {}", memory(process::id()).unwrap_or_else(|| "unknown".to_owned()));
    bench.searches().await?;
    println!("resident after searches: {}", memory(process::id()).unwrap_or_else(|| "unknown".to_owned()));
    bench.writes().await?;
    index.close().await;
    Ok(())
}

impl Bench {
    async fn fill(&mut self, conversations: u32) -> Outcome {
        let mut writes = JoinSet::new();
        for n in 0..conversations {
            let (facets, documents) = self.source.conversation(n);
            let meant = self.vectors.clone().map(|index| (index, self.with_vectors(&documents)));
            let text = self.text.clone();
            if writes.len() == AT_ONCE {
                writes.join_next().await.transpose()?.transpose()?;
            }
            writes.spawn(async move {
                text.replace(TENANT, 1, facets.clone(), documents).await?;
                match meant {
                    Some((index, passages)) => index.replace(TENANT, 1, facets, passages).await,
                    None => Ok(()),
                }
            });
        }
        while let Some(written) = writes.join_next().await {
            written??;
        }
        Ok(())
    }

    fn with_vectors(&mut self, documents: &[PassageDocument]) -> Vec<(PassageDocument, Vec<f32>)> {
        documents.iter().map(|document| (document.clone(), self.source.vector())).collect()
    }

    async fn searches(&mut self) -> Outcome {
        let none = SearchFilter::default();
        let kind = SearchFilter { kinds: vec![ConversationKind::Coaching], ..SearchFilter::default() };
        let tag = SearchFilter { tags: vec!["tag 3".into()], ..SearchFilter::default() };
        let narrow = SearchFilter { speakers: vec!["client 8".into()], ..kind.clone() };
        for (name, filter) in
            [("no filter", &none), ("1 in 4", &kind), ("1 in 10", &tag), ("60 passages", &narrow)]
        {
            for (shape, limit) in
                [("one word", 20), ("three words", 20), ("two words, one phrase", 20), ("three words", 1_000)]
            {
                let what = format!("text, {shape}, {name}, limit {limit}");
                println!("{}", line(&what, self.text_searches(shape, filter, limit).await?));
            }
            println!(
                "{}",
                line(&format!("page with facets and marks, {name}, limit 20"), self.pages(filter).await?)
            );
            let Some(vectors) = self.vectors.clone() else { continue };
            for limit in [20, 1_000] {
                let mut times = Vec::new();
                for _ in 0..SEARCHES {
                    let vector = self.source.vector();
                    let started = Instant::now();
                    vectors.search(TENANT, &vector, filter, limit).await?;
                    times.push(started.elapsed());
                }
                println!("{}", line(&format!("vectors, {name}, limit {limit}"), times));
            }
        }
        Ok(())
    }

    async fn text_searches(
        &mut self,
        shape: &str,
        filter: &SearchFilter,
        limit: usize,
    ) -> Outcome<Vec<Duration>> {
        let mut times = Vec::new();
        for _ in 0..SEARCHES {
            let words: Vec<String> = (0..3).map(|_| self.source.word()).collect();
            let typed = match shape {
                "one word" => words[0].clone(),
                "three words" => words.join(" "),
                _ => format!("{} \"{} {}\"", words[0], words[1], words[2]),
            };
            let query = TextQuery::parse(&typed).map_err(|problem| problem.message)?;
            let started = Instant::now();
            self.text.search(TENANT, &query, filter, limit).await?;
            times.push(started.elapsed());
        }
        Ok(times)
    }

    async fn pages(&mut self, filter: &SearchFilter) -> Outcome<Vec<Duration>> {
        let mut times = Vec::new();
        for _ in 0..SEARCHES {
            let query = TextQuery::parse(&self.source.words(3)).map_err(|problem| problem.message)?;
            let texts = self.source.texts(20);
            let started = Instant::now();
            whole_page(&*self.text, &query, filter, &texts).await;
            times.push(started.elapsed());
        }
        Ok(times)
    }

    /// One conversation after the other, each waited for.
    async fn writes(&mut self) -> Outcome {
        let (mut text_times, mut vector_times, mut facet_times) = (Vec::new(), Vec::new(), Vec::new());
        for n in 0..20 {
            let (mut facets, documents) = self.source.conversation(1_000_000 + n);
            let passages = self.with_vectors(&documents);
            let started = Instant::now();
            self.text.replace(TENANT, 1, facets.clone(), documents).await?;
            text_times.push(started.elapsed());
            let Some(vectors) = &self.vectors else { continue };
            let started = Instant::now();
            vectors.replace(TENANT, 1, facets.clone(), passages.clone()).await?;
            vector_times.push(started.elapsed());
            facets.tags.push("another".into());
            let started = Instant::now();
            vectors.replace(TENANT, 2, facets, passages).await?;
            facet_times.push(started.elapsed());
        }
        println!("{}", line("replace, text of 60 passages", text_times));
        if !vector_times.is_empty() {
            println!("{}", line("replace, 60 vectors", vector_times));
            println!("{}", line("replace, 60 vectors, facets only", facet_times));
        }
        Ok(())
    }
}
