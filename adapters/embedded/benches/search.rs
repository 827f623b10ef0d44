//! Search and write times at a size that a busy organization reaches: `cargo bench -p colloquy-embedded`.

use std::{
    error::Error,
    io::{self, Write},
    time::{Duration, Instant},
};

use colloquy_domain::{
    accounts::Tenant,
    conversations::ConversationKind,
    ids::{ConversationId, OrganizationId, PassageId},
    ports::search::{ConversationFacets, PassageDocument},
    search::query::{SearchFilter, TextQuery},
};
use colloquy_embedded::{EmbeddedIndex, EmbeddedSettings, Identity};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tempfile::TempDir;
use uuid::Uuid;

const PASSAGES: u32 = 20_000;
const PER_CONVERSATION: u32 = 60;
const WORDS: usize = 150;
const DIMENSIONS: usize = 384;
const TENANT: Tenant = Tenant(OrganizationId(Uuid::from_u128(1)));

/// Words as frequent as those of a language, vectors in bunches.
struct Source {
    rng: StdRng,
    centres: Vec<Vec<f32>>,
}

impl Source {
    fn new() -> Self {
        let mut source = Self { rng: StdRng::seed_from_u64(1), centres: Vec::new() };
        source.centres = (0..200).map(|_| source.noise()).collect();
        source
    }

    fn word(&mut self) -> String {
        let rank = (20_000_f64.powf(self.rng.random::<f64>())) as u32;
        let mut word = String::new();
        let mut rest = rank.wrapping_mul(2_654_435_761);
        for _ in 0..4 {
            word.push(char::from(b'a' + (rest % 26) as u8));
            word.push(char::from(b"aeiou"[(rest / 26 % 5) as usize]));
            rest /= 130;
        }
        word
    }

    fn text(&mut self) -> String {
        (0..WORDS).map(|_| self.word()).collect::<Vec<_>>().join(" ")
    }

    fn noise(&mut self) -> Vec<f32> {
        (0..DIMENSIONS).map(|_| self.rng.random_range(-1.0..1.0_f32)).collect()
    }

    fn vector(&mut self) -> Vec<f32> {
        let centre = self.rng.random_range(0..self.centres.len());
        let noise = self.noise();
        let vector: Vec<f32> = self.centres[centre].iter().zip(noise).map(|(c, n)| c + 0.7 * n).collect();
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        vector.into_iter().map(|x| x / length).collect()
    }

    fn conversation(&mut self, n: u32) -> (ConversationFacets, Vec<(PassageDocument, Vec<f32>)>) {
        let conversation_id = ConversationId(Uuid::from_u128(1_000 + u128::from(n)));
        let facets = ConversationFacets {
            conversation_id,
            revision: 1,
            kind: ConversationKind::ALL[(n % 4) as usize],
            tags: vec![format!("tag {}", n % 10)],
            occurred_at: None,
            language: None,
        };
        let passages = (0..PER_CONVERSATION).map(|i| {
            let speakers = vec!["Coach".to_owned(), format!("Client {n}")];
            let id = PassageId::of(conversation_id, i);
            (PassageDocument { id, text: self.text(), speakers, people: Vec::new() }, self.vector())
        });
        (facets, passages.collect())
    }
}

fn report(what: &str, mut times: Vec<Duration>) -> io::Result<()> {
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
    writeln!(io::stdout(), "{what:44} p50 {:8.2} ms   p99 {:8.2} ms   n {}", at(0.5), at(0.99), times.len())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let dir = TempDir::new()?;
    let identity = Identity { generation: 1, log_id: Uuid::nil(), model: "bench".into() };
    let index =
        EmbeddedIndex::open(EmbeddedSettings::new(dir.path(), DIMENSIONS), identity).await?.into_index();
    let (text, vectors) = (index.text(), index.vectors());
    let mut source = Source::new();

    let started = Instant::now();
    let mut fills = Vec::new();
    for n in 0..PASSAGES / PER_CONVERSATION {
        let (facets, passages) = source.conversation(n);
        let (text, vectors) = (text.clone(), vectors.clone());
        fills.push(tokio::spawn(async move {
            let documents = passages.iter().map(|(passage, _)| passage.clone()).collect();
            text.replace(TENANT, 1, facets.clone(), documents).await?;
            vectors.replace(TENANT, 1, facets, passages).await
        }));
    }
    for fill in fills {
        fill.await??;
    }
    let stats = index.stats().await?;
    writeln!(io::stdout(), "filled in {:.1} s: {stats:?}", started.elapsed().as_secs_f64())?;

    let none = SearchFilter::default();
    let kind = SearchFilter { kinds: vec![ConversationKind::Coaching], ..SearchFilter::default() };
    let tag = SearchFilter { tags: vec!["tag 3".into()], ..SearchFilter::default() };
    let narrow = SearchFilter { speakers: vec!["client 7".into()], ..kind.clone() };
    for (name, filter) in
        [("no filter", &none), ("1 in 4", &kind), ("1 in 10", &tag), ("60 passages", &narrow)]
    {
        for (shape, limit) in
            [("one word", 20), ("three words", 20), ("two words, one phrase", 20), ("three words", 1_000)]
        {
            let mut times = Vec::new();
            for _ in 0..300 {
                let words: Vec<String> = (0..3).map(|_| source.word()).collect();
                let typed = match shape {
                    "one word" => words[0].clone(),
                    "three words" => words.join(" "),
                    _ => format!("{} \"{} {}\"", words[0], words[1], words[2]),
                };
                let query = TextQuery::parse(&typed).map_err(|problem| problem.message)?;
                let started = Instant::now();
                text.search(TENANT, &query, filter, limit).await?;
                times.push(started.elapsed());
            }
            report(&format!("text, {shape}, {name}, limit {limit}"), times)?;
        }
        for limit in [20, 1_000] {
            let mut times = Vec::new();
            for _ in 0..300 {
                let vector = source.vector();
                let started = Instant::now();
                vectors.search(TENANT, &vector, filter, limit).await?;
                times.push(started.elapsed());
            }
            report(&format!("vectors, {name}, limit {limit}"), times)?;
        }
    }

    let (mut text_times, mut vector_times, mut tag_times) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..20 {
        let (mut facets, passages) = source.conversation(10_000 + n);
        let documents: Vec<PassageDocument> = passages.iter().map(|(passage, _)| passage.clone()).collect();
        let started = Instant::now();
        text.replace(TENANT, 1, facets.clone(), documents).await?;
        text_times.push(started.elapsed());
        let started = Instant::now();
        vectors.replace(TENANT, 1, facets.clone(), passages.clone()).await?;
        vector_times.push(started.elapsed());
        facets.tags.push("another".into());
        let started = Instant::now();
        vectors.replace(TENANT, 2, facets, passages).await?;
        tag_times.push(started.elapsed());
    }
    report("replace, text of 60 passages", text_times)?;
    report("replace, 60 vectors", vector_times)?;
    report("replace, 60 vectors, facets only", tag_times)?;
    index.close().await;
    Ok(())
}
