//! How well the two legs of HYBRID are fused, on questions whose answers are known: `just bench fusion`. Quality,
//! not time. SciFact is read below COLLOQUY_TEST_DATA and left out, saying so, where it is not; the paraphrases
//! are those of samples/README.md. Vectors are kept in the temporary folder, for embedding takes some minutes.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints its figures, or ends")]
#![allow(clippy::disallowed_methods, reason = "a benchmark finds its data as tests do")]

use std::{
    collections::{BTreeMap, HashMap},
    env, fs,
    path::{Path, PathBuf},
};

use colloquy_domain::{
    accounts::Tenant,
    conversations::{ConversationKind, Segment, Talk},
    ids::{ConversationId, OrganizationId, PassageId, SegmentId},
    passages::{cut, text_hash},
    ports::{
        models::Embedder,
        search::{ConversationFacets, EngineHit, PassageDocument},
    },
    search::{
        fusion::fuse,
        query::{SearchFilter, TextQuery},
    },
    transcripts::{self, Limits},
};
use colloquy_embedded::{EmbeddedIndex, EmbeddedSettings, Identity};
use colloquy_models::{MiniLm, MiniLmSettings};
use serde_json::Value;
use uuid::Uuid;

const TENANT: Tenant = Tenant(OrganizationId(Uuid::from_u128(1)));
/// What the search asks of each leg.
const LEG: usize = 200;
const RULES: [&str; 5] = ["words alone", "meaning alone", "reciprocal rank, k = 60", "min-max", "ours"];

/// Texts to find, and questions with the places of what answers them.
struct Task {
    name: &'static str,
    texts: Vec<String>,
    questions: Vec<(String, Vec<usize>)>,
}

#[tokio::main]
async fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cache = env::var_os("COLLOQUY_CACHE").map(PathBuf::from);
    let cache = cache.unwrap_or_else(|| Path::new(&env::var_os("HOME").unwrap()).join(".cache/colloquy"));
    let library = if cfg!(target_os = "macos") { "libonnxruntime.dylib" } else { "libonnxruntime.so" };
    let settings =
        MiniLmSettings::new(cache.join("models/all-MiniLM-L6-v2"), cache.join("onnxruntime").join(library));
    let embedder = MiniLm::start(&settings).unwrap();

    let data = env::var_os("COLLOQUY_TEST_DATA").map_or_else(|| root.join("../shared/data"), PathBuf::from);
    let scifact = data.join("scifact");
    if scifact.is_dir() {
        report_ndcg(&run(&self::scifact(&scifact), &embedder).await);
    } else {
        println!("SciFact is left out: there is no {}", scifact.display());
    }
    let samples = samples(root);
    report_places(&samples, &run(&samples, &embedder).await);
}

/// The test split.
fn scifact(folder: &Path) -> Task {
    let rows = |file: &str| -> Vec<(String, String)> {
        let text = fs::read_to_string(folder.join(file)).unwrap();
        let row = |line: &str| {
            let row: Value = serde_json::from_str(line).unwrap();
            (row["id"].as_str().unwrap().to_owned(), row["text"].as_str().unwrap().to_owned())
        };
        text.lines().map(row).collect()
    };
    let corpus = rows("corpus.jsonl");
    let places: HashMap<&str, usize> =
        corpus.iter().zip(0..).map(|((id, _), at)| (id.as_str(), at)).collect();
    let mut judged: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for line in fs::read_to_string(folder.join("qrels-test.tsv")).unwrap().lines().skip(1) {
        let [query, document, score] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        if score != "0" {
            judged.entry(query.to_owned()).or_default().push(places[document]);
        }
    }
    let queries: HashMap<String, String> = rows("queries.jsonl").into_iter().collect();
    let questions = judged.into_iter().map(|(id, places)| (queries[&id].clone(), places)).collect();
    Task { name: "SciFact, test split", texts: corpus.into_iter().map(|(_, text)| text).collect(), questions }
}

/// The table of samples/README.md: a phrase that stands in one passage, and other words for it.
fn samples(root: &Path) -> Task {
    let folder = root.join("samples");
    let files = ["coaching-session.vtt", "backend-interview.srt", "career-advice.txt", "product-meeting.vtt"];
    let texts: Vec<String> =
        files.iter().flat_map(|file| passages(&fs::read(folder.join(file)).unwrap())).collect();
    let readme = fs::read_to_string(folder.join("README.md")).unwrap();
    let mut questions = Vec::new();
    for line in readme.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let [_, _, phrase, paraphrase, _, _] = cells[..]
            && let Some(phrase) = phrase.strip_prefix("`\"").and_then(|rest| rest.strip_suffix("\"`"))
        {
            let phrase = phrase.to_lowercase();
            let holds = |text: &str| text.replace('\n', " ").to_lowercase().contains(&phrase);
            let places: Vec<usize> = (0..texts.len()).filter(|at| holds(&texts[*at])).collect();
            assert!(!places.is_empty(), "{phrase}");
            questions.push((paraphrase.to_owned(), places));
        }
    }
    assert_eq!(questions.len(), 12);
    Task { name: "Samples", texts, questions }
}

fn passages(bytes: &[u8]) -> Vec<String> {
    let conversation_id = ConversationId(Uuid::nil());
    let turns = transcripts::parse(bytes, None, &Limits::default()).unwrap().turns;
    let segment = |(sequence, turn): (i32, transcripts::Turn)| Segment {
        id: SegmentId(Uuid::from_u128(sequence as u128)),
        conversation_id,
        sequence,
        participant_id: None,
        text: turn.text,
        start_ms: turn.start_ms,
        end_ms: turn.end_ms,
    };
    let segments = (0..).zip(turns).map(segment).collect();
    let talk = Talk { conversation_id, revision: 1, participants: Vec::new(), segments };
    cut(&talk).into_iter().map(|passage| passage.text).collect()
}

/// For each rule the places of each question's answers, from 1, of how many.
struct Ranks {
    name: &'static str,
    by_rule: Vec<Vec<Vec<Option<usize>>>>,
}

async fn run(task: &Task, embedder: &MiniLm) -> Ranks {
    let folder = tempfile::tempdir().unwrap();
    let settings = EmbeddedSettings::new(folder.path(), embedder.model().dimensions);
    let identity = Identity { generation: 1, log_id: Uuid::nil(), model: embedder.model().name.clone() };
    let index = EmbeddedIndex::open(settings, identity).await.unwrap().into_index();
    let conversation_id = ConversationId(Uuid::nil());
    let id = |at: usize| PassageId::of(conversation_id, at as u32);
    let facets = ConversationFacets {
        conversation_id,
        revision: 1,
        kind: ConversationKind::ALL[0],
        tags: Vec::new(),
        occurred_at: None,
        language: None,
    };
    let documents: Vec<PassageDocument> = task
        .texts
        .iter()
        .enumerate()
        .map(|(at, text)| PassageDocument { id: id(at), text: text.clone(), speakers: Vec::new() })
        .collect();
    let vectors = vectors(&task.texts, embedder).await;
    index.text().replace(TENANT, 1, facets.clone(), documents.clone()).await.unwrap();
    index.vectors().replace(TENANT, 1, facets, documents.into_iter().zip(vectors).collect()).await.unwrap();

    let filter = SearchFilter::default();
    let mut by_rule = vec![Vec::new(); RULES.len()];
    for (question, answers) in &task.questions {
        let asked = TextQuery::parse(question).unwrap();
        let text = index.text().search(TENANT, &asked.without_frame(), &filter, LEG).await.unwrap();
        let vector = embedder.embed_query(&asked.plain()).await.unwrap();
        let semantic = index.vectors().search(TENANT, &vector, &filter, LEG).await.unwrap();
        let lists = [
            text.hits.iter().map(|hit| hit.passage_id).collect(),
            semantic.iter().map(|hit| hit.passage_id).collect(),
            by_score(&[&text.hits, &semantic], |_, rank, _| 1.0 / (60.0 + rank as f32)),
            by_score(&[&text.hits, &semantic], |hits, _, hit| stretched(hits, hit.score)),
            fuse(&text, &semantic).iter().map(|hit| hit.passage_id).collect::<Vec<_>>(),
        ];
        for (list, places) in lists.iter().zip(&mut by_rule) {
            let place = |at: &usize| Some(1 + list.iter().position(|found| *found == id(*at))?);
            places.push(answers.iter().map(place).collect());
        }
    }
    index.close().await;
    Ranks { name: task.name, by_rule }
}

/// The sum of what each leg makes of a hit, best first.
fn by_score(legs: &[&[EngineHit]], score: impl Fn(&[EngineHit], usize, &EngineHit) -> f32) -> Vec<PassageId> {
    let mut sums: HashMap<PassageId, f32> = HashMap::new();
    for leg in legs {
        for (rank, hit) in (1..).zip(*leg) {
            *sums.entry(hit.passage_id).or_default() += score(leg, rank, hit);
        }
    }
    let mut list: Vec<_> = sums.into_iter().collect();
    list.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    list.into_iter().map(|(id, _)| id).collect()
}

/// From 0 for the worst of the list to 1 for its best.
fn stretched(hits: &[EngineHit], score: f32) -> f32 {
    let (high, low) = (hits[0].score, hits[hits.len() - 1].score);
    if high > low { (score - low) / (high - low) } else { 1.0 }
}

fn report_ndcg(ranks: &Ranks) {
    println!("{}: nDCG@10 over {} questions", ranks.name, ranks.by_rule[0].len());
    for (rule, questions) in RULES.iter().zip(&ranks.by_rule) {
        let gain = |place: usize| 1.0 / (1.0 + place as f64).log2();
        let ndcg = |answers: &Vec<Option<usize>>| {
            let found: f64 = answers.iter().flatten().filter(|place| **place <= 10).map(|at| gain(*at)).sum();
            found / (1..=answers.len().min(10)).map(gain).sum::<f64>()
        };
        let mean = questions.iter().map(ndcg).sum::<f64>() / questions.len() as f64;
        println!("  {rule:24} {mean:.3}");
    }
}

fn report_places(task: &Task, ranks: &Ranks) {
    println!(
        "{}: places of {} paraphrases among {} passages",
        ranks.name,
        task.questions.len(),
        task.texts.len()
    );
    for (rule, questions) in RULES.iter().zip(&ranks.by_rule) {
        let best = |answers: &Vec<Option<usize>>| answers.iter().flatten().min().copied();
        let place = |answers| best(answers).map_or("–".to_owned(), |place| place.to_string());
        println!("  {rule:24} {}", questions.iter().map(place).collect::<Vec<_>>().join(" "));
    }
}

/// From the file of an earlier run, or embedded now.
async fn vectors(texts: &[String], embedder: &MiniLm) -> Vec<Vec<f32>> {
    let model = embedder.model();
    let key = text_hash(&format!("{} {}", model.name, texts.join("\0")));
    let name: String = key[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let file = env::temp_dir().join(format!("colloquy-fusion-{name}.f32"));
    if let Ok(bytes) = fs::read(&file)
        && bytes.len() == texts.len() * model.dimensions * 4
    {
        let numbers: Vec<f32> = bytes.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
        return numbers.chunks(model.dimensions).map(<[f32]>::to_vec).collect();
    }
    println!("embedding {} texts, kept in {}", texts.len(), file.display());
    let vectors = embedder.embed_passages(texts.to_vec()).await.unwrap();
    let bytes: Vec<u8> = vectors.iter().flatten().flat_map(|number| number.to_le_bytes()).collect();
    fs::write(&file, bytes).unwrap();
    vectors
}
