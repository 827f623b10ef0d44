//! The local embedder against the fp32 reference vectors, and under load. Needs the model that the set-up
//! fetches; without it each test says that it is left out.

#[path = "support/model.rs"]
mod model;

use std::{
    fs::File,
    io::{self, Read as _},
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use colloquy_domain::{Error, ports::models::Embedder};
use colloquy_models::{MiniLm, MiniLmSettings};
use serde::Deserialize;

/// The least cosine with the reference, of every text.
const AGREES: f32 = 0.9999;

/// Loaded once for all tests of this file.
fn embedder() -> Option<Arc<MiniLm>> {
    static LOADED: OnceLock<Option<Arc<MiniLm>>> = OnceLock::new();
    let load = || {
        let settings = MiniLmSettings { threads: 1, ..model::settings()? };
        Some(Arc::new(MiniLm::start(&settings).expect("the model loads")))
    };
    LOADED.get_or_init(load).clone()
}

#[derive(Deserialize)]
struct Golden {
    text: String,
    tokens: usize,
    vector: String,
}

impl Golden {
    fn all() -> Vec<Self> {
        serde_json::from_str(include_str!("golden.json")).expect("golden.json holds rows")
    }

    fn vector(&self) -> Vec<f32> {
        let bytes = BASE64_STANDARD.decode(&self.vector).expect("base64");
        bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().expect("four bytes"))).collect()
    }
}

fn assert_agrees(vector: &[f32], row: &Golden) {
    let length = cosine(vector, vector).sqrt();
    assert!((length - 1.0).abs() < 1e-4, "a vector of length {length}");
    let agreement = cosine(vector, &row.vector());
    let (tokens, text) = (row.tokens, &row.text);
    assert!(agreement >= AGREES, "{agreement} of {tokens} tokens: {text:.60}");
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[tokio::test]
async fn each_text_alone_agrees_with_the_fp32_reference() {
    let Some(embedder) = embedder() else { return };
    let golden = Golden::all();
    assert!(golden.len() >= 40, "{} golden texts", golden.len());
    for row in golden {
        let vector = embedder.embed_query(&row.text).await.expect("embeds");
        assert_agrees(&vector, &row);
    }
}

#[tokio::test]
async fn batches_agree_with_the_fp32_reference_in_the_order_of_the_texts() {
    let Some(embedder) = embedder() else { return };
    let mut golden = Golden::all();
    // Neither sorted by length nor in the order of the file.
    golden.sort_by_cached_key(|row| row.vector.clone());
    let texts = golden.iter().map(|row| row.text.clone()).collect();
    let vectors = embedder.embed_passages(texts).await.expect("embeds");
    assert_eq!(vectors.len(), golden.len());
    for (row, vector) in golden.iter().zip(vectors) {
        assert_agrees(&vector, row);
    }
}

#[tokio::test]
async fn a_batch_gives_each_text_the_vector_it_has_alone() {
    let Some(embedder) = embedder() else { return };
    let texts: Vec<String> = Golden::all().into_iter().map(|row| row.text).collect();
    let together = embedder.embed_passages(texts.clone()).await.expect("embeds");
    for (text, together) in texts.into_iter().zip(together) {
        let alone = embedder.embed_query(&text).await.expect("embeds");
        let apart = alone.iter().zip(&together).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(apart < 1e-4, "{apart} apart: {text:.60}");
    }
}

#[tokio::test]
async fn what_stands_beyond_256_tokens_does_not_count() {
    let Some(embedder) = embedder() else { return };
    let long = Golden::all().into_iter().find(|row| row.tokens == 256).expect("a long text").text;
    let longer = format!("{long} {}", "and something else entirely ".repeat(20_000));
    let long = embedder.embed_query(&long).await.expect("embeds");
    let longer = embedder.embed_query(&longer).await.expect("embeds");
    assert!(cosine(&long, &longer) > 0.999_99);
}

#[tokio::test]
async fn no_texts_give_no_vectors() {
    let Some(embedder) = embedder() else { return };
    assert!(embedder.embed_passages(Vec::new()).await.expect("embeds").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_is_answered_while_a_long_batch_is_under_way() {
    let Some(embedder) = embedder() else { return };
    let long = Golden::all().into_iter().find(|row| row.tokens == 256).expect("a long text").text;
    let begun = Instant::now();
    let batch = tokio::spawn({
        let embedder = Arc::clone(&embedder);
        async move { embedder.embed_passages(vec![long; 120]).await.map(|_| begun.elapsed()) }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;

    let asked = Instant::now();
    for question in ["who promised the date?", "what did she say of her salary?", "when is the review?"] {
        embedder.embed_query(question).await.expect("embeds");
    }
    let queries = asked.elapsed();
    assert!(!batch.is_finished(), "the batch was too short to show anything");
    let batch = batch.await.expect("no panic").expect("embeds");
    // Three waits for one run each, of 120; a quarter leaves room for a busy machine.
    assert!(queries < batch / 4, "three queries took {queries:?} beside a batch of {batch:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_its_caller_gave_up_stops() {
    let Some(embedder) = embedder() else { return };
    let long = Golden::all().into_iter().find(|row| row.tokens == 256).expect("a long text").text;
    let batch = embedder.embed_passages(vec![long.clone(); 2_000]);
    tokio::time::timeout(Duration::from_millis(300), batch).await.expect_err("2,000 passages take longer");

    let started = Instant::now();
    embedder.embed_passages(vec![long]).await.expect("embeds");
    assert!(started.elapsed() < Duration::from_secs(10), "it waited {:?} for the dead", started.elapsed());
}

#[test]
fn a_missing_file_is_named_together_with_what_fetches_it() {
    let settings = MiniLmSettings::new("no/such/folder", "no/such/library.so");
    let error = MiniLm::start(&settings).err().expect("nothing is there");
    assert!(matches!(error, Error::Unavailable { .. }));
    let chain = error.chain();
    assert!(chain.contains("no/such/folder/model.safetensors") && chain.contains("./run"), "{chain}");
}

#[test]
fn a_folder_of_links_will_do() {
    let Some(settings) = model::settings() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    for file in ["model.safetensors", "tokenizer.json"] {
        std::os::unix::fs::symlink(settings.model_dir.join(file), folder.path().join(file))
            .expect("is linked");
    }
    MiniLm::start(&MiniLmSettings {
        threads: 1,
        ..MiniLmSettings::new(folder.path(), settings.runtime_library)
    })
    .expect("the model loads");
}

#[test]
fn weights_that_are_cut_short_are_refused_with_what_to_do() {
    let Some(settings) = model::settings() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let copy = |file: &str, bytes: u64| {
        let mut source = File::open(settings.model_dir.join(file)).expect("opens").take(bytes);
        let mut copy = File::create(folder.path().join(file)).expect("is made");
        io::copy(&mut source, &mut copy).expect("is copied");
    };
    copy("tokenizer.json", u64::MAX);
    copy("model.safetensors", 1_000_000);
    let short = MiniLmSettings::new(folder.path(), settings.runtime_library);
    let error = MiniLm::start(&short).err().expect("the weights are not whole");
    assert!(matches!(error, Error::Unavailable { .. }));
    let chain = error.chain();
    assert!(chain.contains("model.safetensors") && chain.contains("cut short"), "{chain}");
    assert!(chain.contains("./run"), "{chain}");
}

#[test]
fn settings_refuse_unknown_keys_and_need_no_number_of_threads() {
    let files = "model_dir = 'm'\nruntime_library = 'l'\n";
    let settings: MiniLmSettings = toml::from_str(files).expect("settings");
    assert!(settings.threads >= 1);
    let error = toml::from_str::<MiniLmSettings>(&format!("{files}thread = 1")).expect_err("a typing error");
    assert!(error.to_string().contains("unknown field `thread`"), "{error}");
}
